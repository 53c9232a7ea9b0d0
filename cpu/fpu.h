/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What FXSAVE and XSAVE share: the legacy area, as an image in memory. */
#ifndef CPU_FPU_H
#define CPU_FPU_H

#include "cpu/state.h"

enum {
	IMAGE_FCW = 0, IMAGE_FSW = 2, IMAGE_FTW = 4, IMAGE_MXCSR = 24, IMAGE_MXCSR_MASK = 28, IMAGE_ST = 32, IMAGE_XMM = 160,
	IMAGE_BYTES = 512, IMAGE_USED = 416, MXCSR_INIT = 0x1f80,
};

/* Registers that the current mode has. */
unsigned fpu_xmm_count(const struct cpu *c);
/* The linear address of BYTES bytes at EA in the instruction's segment; #GP unless ALIGN divides it. */
uint64_t fpu_aligned_area(struct cpu *c, uint64_t ea, uint32_t aux, unsigned bytes, unsigned align, bool write);
/* To the initial state; what is in the registers stays. */
void fpu_init_x87(struct cpu *c);
void fpu_x87_out(const struct cpu *c, uint8_t *image);
void fpu_x87_in(struct cpu *c, const uint8_t *image);
void fpu_xmm_out(const struct cpu *c, uint8_t *image);
void fpu_xmm_in(struct cpu *c, const uint8_t *image);
/* MXCSR and its mask. */
void fpu_put_mxcsr(const struct cpu *c, uint8_t *image);
/* #GP for reserved bits. */
void fpu_check_mxcsr(struct cpu *c, const uint8_t *image);

#endif
