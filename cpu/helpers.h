/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The functions that translated code calls: declarations from system.def and soft.def, and how their AUX is packed. */
#ifndef CPU_HELPERS_H
#define CPU_HELPERS_H

#include "tcg/frame.h"
#include "tcg/ir.h"

/* AUX: LEN in bits 3:0, WIDTH 7:4, SEG 10:8, ADDR 15:12, N 23:16, and these. */
enum { AUX_REP = 1 << 24, AUX_REPNE = 1 << 25 };
enum { AUX_TPAUSE, AUX_UMWAIT }; /* N */

static inline uint32_t
aux_pack(unsigned len, unsigned width, unsigned seg, unsigned addr, unsigned n)
{
	return len | width << 4 | seg << 8 | addr << 12 | n << 16;
}

static inline unsigned
aux_len(uint32_t aux)
{
	return aux & 0xf;
}

static inline unsigned
aux_width(uint32_t aux)
{
	return aux >> 4 & 0xf;
}

static inline unsigned
aux_seg(uint32_t aux)
{
	return aux >> 8 & 7;
}

static inline unsigned
aux_addr(uint32_t aux)
{
	return aux >> 12 & 0xf;
}

static inline unsigned
aux_n(uint32_t aux)
{
	return aux >> 16 & 0xff;
}

#define HELPER(name, x87) \
	extern const struct ir_helper helper_##name; \
	uint64_t do_##name(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux);
#include "cpu/system.def"
#include "cpu/soft.def"
#undef HELPER

/* All of them, ending with NULL. */
extern const struct ir_helper *const cpu_helpers[];

#endif
