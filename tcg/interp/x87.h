/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The x87's part of an FXSAVE image, which the frame keeps: Intel SDM volume 1, "Non-64-Bit Mode Layout of FXSAVE Map". */
#ifndef TCG_INTERP_X87_H
#define TCG_INTERP_X87_H

#include <string.h>

#include "tcg/frame.h"

/* Offsets. */
enum { X87_FCW = 0, X87_FSW = 2, X87_FTW = 4, X87_POINTERS = 6, X87_MXCSR = 24, X87_ST = 32, X87_END = 160 };

/* The status word; its low six bits are the exceptions, at the places of their masks in the control word. */
enum {
	FSW_IE = 1, FSW_OE = 8, FSW_UE = 0x10, FSW_EXCEPTIONS = 0x3f, FSW_SF = 0x40, FSW_ES = 0x80,
	FSW_TOP = 0x3800, FSW_TOP_SHIFT = 11, FSW_BUSY = 0x8000,
};

static inline uint16_t
x87_word(const struct tcg_frame *f, unsigned at)
{
	uint16_t v;

	memcpy(&v, f->x87 + at, sizeof v);
	return v;
}

static inline void
x87_set_word(struct tcg_frame *f, unsigned at, uint16_t v)
{
	memcpy(f->x87 + at, &v, sizeof v);
}

static inline uint16_t
x87_fsw(const struct tcg_frame *f)
{
	return x87_word(f, X87_FSW);
}

static inline void
x87_set_fsw(struct tcg_frame *f, unsigned v)
{
	x87_set_word(f, X87_FSW, (uint16_t)v);
}

static inline unsigned
x87_top(const struct tcg_frame *f)
{
	return (x87_fsw(f) & FSW_TOP) >> FSW_TOP_SHIFT;
}

/* Makes register TOP the stack's top: registers keep what is in them, but the image begins with the one on top. */
void x87_set_top(struct tcg_frame *f, unsigned top);

#endif
