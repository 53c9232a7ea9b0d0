/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IEEE arithmetic on one element as SSE does it: rounding, denormals, NaNs and flags by MXCSR.  All functions compute as if every
 * exception were masked and add what was raised to the environment; the caller compares that with the masks.
 *
 * Values are bit patterns; SIZE is 4 or 8 bytes, and 2 but where it says otherwise.
 */
#ifndef TCG_INTERP_VEC_FP_H
#define TCG_INTERP_VEC_FP_H

#include <stdbool.h>
#include <stdint.h>

/* MXCSR.  Each mask is its flag shifted by MX_MASKS. */
enum {
	MX_IE = 1, MX_DE = 2, MX_ZE = 4, MX_OE = 8, MX_UE = 0x10, MX_PE = 0x20, MX_FLAGS = 0x3f,
	MX_BEFORE = MX_IE | MX_DE | MX_ZE, /* found before anything is computed */
	MX_DAZ = 0x40, MX_MASKS = 7, MX_RC = 0x6000, MX_RC_SHIFT = 13, MX_FTZ = 0x8000,
};

struct fp_env {
	uint32_t mxcsr;
	uint32_t raised;
};

enum fp_op { FP_ADD, FP_SUB, FP_MUL, FP_DIV, FP_MIN, FP_MAX, FP_SQRT, FP_RCP, FP_RSQRT };
enum fp_order { FP_LESS, FP_EQUAL, FP_GREATER, FP_UNORDERED };

/* A op B; of B alone for square root and the two approximations, which are the host's own. */
uint64_t fp_arith(struct fp_env *e, enum fp_op op, unsigned size, uint64_t a, uint64_t b);
/* QUIET: only a signalling NaN is invalid. */
enum fp_order fp_compare(struct fp_env *e, unsigned size, uint64_t a, uint64_t b, bool quiet);
/* From SIZE, 4 or 8, to the other one. */
uint64_t fp_resize(struct fp_env *e, unsigned size, uint64_t a);
/* To and from a signed integer of WIDTH bytes, 4 or 8, with half precision also 2. */
uint64_t fp_to_int(struct fp_env *e, unsigned size, uint64_t a, unsigned width, bool truncate);
uint64_t fp_from_int(struct fp_env *e, unsigned size, uint64_t v, unsigned width);
/* To and from an unsigned one. */
uint64_t fp_to_unsigned(struct fp_env *e, unsigned size, uint64_t a, unsigned width, bool truncate);
uint64_t fp_from_unsigned(struct fp_env *e, unsigned size, uint64_t v, unsigned width);
/*
 * To an integral value; IMM as in ROUNDSS: mode in bits 1:0, bit 2 that of MXCSR, bit 3 no inexact flag; and how many bits of the
 * fraction stay in bits 7:4.
 */
uint64_t fp_round(struct fp_env *e, unsigned size, uint64_t a, unsigned imm);
/* 1 / A and 1 / square root of A, to 14 bits (the host's own where it has AVX-512), or to a half. */
uint64_t fp_reciprocal14(const struct fp_env *e, unsigned size, uint64_t a, bool root);

#endif
