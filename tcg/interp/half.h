/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Half precision in integers: what vec_fp.h does with a SIZE of 2, which hosts have no instructions for. */
#ifndef TCG_INTERP_HALF_H
#define TCG_INTERP_HALF_H

#include "tcg/interp/vec_fp.h"

uint64_t half_arith(struct fp_env *e, enum fp_op op, uint64_t a, uint64_t b);
enum fp_order half_compare(struct fp_env *e, uint64_t a, uint64_t b, bool quiet);
/* WIDTH of the integer: 2, 4 or 8 bytes. */
uint64_t half_to_int(struct fp_env *e, uint64_t a, unsigned width, bool truncate, bool is_signed);
uint64_t half_from_int(struct fp_env *e, uint64_t v, unsigned width, bool is_signed);
uint64_t half_round(struct fp_env *e, uint64_t a, unsigned imm);
/* The nearest half to 1 / A and 1 / square root of A. */
uint64_t half_reciprocal(uint64_t a, bool root);
/* From FROM bytes to TO, one of them 2. */
uint64_t half_resize(struct fp_env *e, unsigned from, unsigned to, uint64_t a);

#endif
