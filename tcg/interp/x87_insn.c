/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 operations of the IR.  Those that only move control and status words are done here and don't wait, but for FLDCW; all
 * others raise what is pending first, and are then executed by x87_host.h on a copy of the state, which counts when the store
 * to memory, if there is one, has succeeded.
 *
 * The addresses of the last instruction and its operand (FIP, FDP, FOP) are kept as 0.
 */
#include "tcg/interp/interp.h"
#include "tcg/interp/x87.h"
#include "tcg/interp/x87_host.h"

/* Opcode (less D8h) and ModRM in one, as in ir_insn.sub. */
#define SUB(opcode, modrm) (((opcode) & 7) << 8 | (modrm))

enum {
	FLDCW = SUB(0xd9, 5 << 3),
	FNSTCW = SUB(0xd9, 7 << 3),
	FNCLEX = SUB(0xdb, 0xe2),
	FNINIT = SUB(0xdb, 0xe3),
	FNSTSW = SUB(0xdd, 7 << 3),
	FNSTSW_AX = SUB(0xdf, 0xe0),
};

enum { FCW_INITIAL = 0x37f, FCW_RESERVED_ONE = 0x40, FCW_WRITABLE = 0x1f3f };

/* Which forms exist, beside those of control and those that save or restore the whole state: a bit for ModRM.reg. */
static const uint8_t memory_forms[8] = { 0xff, 0x0d, 0xff, 0xaf, 0xff, 0x0f, 0xff, 0xff };
/* ... a bit for ModRM less C0h. */
static const uint64_t register_forms[8] = {
	0xffffffffffffffff, /* D8 */
	0xffff7f33ff01ffff, /* D9: D1-D7, E2, E3, E6, E7, EF are undefined */
	0x00000200ffffffff, /* DA: FCMOVcc, E9 FUCOMPP */
	0x00ffff00ffffffff, /* DB: FCMOVNcc, E8-F7 FUCOMI, FCOMI */
	0xffffffffffffffff, /* DC */
	0x0000ffffffffffff, /* DD */
	0xffffffff02ffffff, /* DE: D9 FCOMPP */
	0x00ffff00ffffffff, /* DF: E8-F7 FUCOMIP, FCOMIP */
};

static bool
exists(unsigned opcode, unsigned modrm)
{
	return modrm >= 0xc0 ? register_forms[opcode] >> (modrm - 0xc0) & 1 : memory_forms[opcode] >> (modrm >> 3 & 7) & 1;
}

static void
give_word(struct tcg_frame *f, const struct ir_insn *i, uint16_t v)
{
	if (i->dst.kind == IR_MEM)
		f->guest->store(f, interp_address(f, i, 2), &v, 2, i->mem.seg);
	else
		interp_write(f, i->dst, 2, v);
}

static void
load_control(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned fsw = x87_fsw(f) & ~(FSW_ES | FSW_BUSY);
	uint16_t fcw = 0;

	if (i->src.kind == IR_MEM)
		f->guest->load(f, interp_address(f, i, 2), &fcw, 2, i->mem.seg);
	else
		fcw = (uint16_t)interp_read(f, i, i->src, 2);
	fcw = (fcw & FCW_WRITABLE) | FCW_RESERVED_ONE;
	x87_set_word(f, X87_FCW, fcw);
	if (fsw & ~fcw & FSW_EXCEPTIONS)
		fsw |= FSW_ES | FSW_BUSY;
	else
		f->guest->x87_cleared(f);
	x87_set_fsw(f, fsw);
}

void
x87_set_top(struct tcg_frame *f, unsigned top)
{
	unsigned turn = top - x87_top(f);
	uint8_t old[X87_END - X87_ST];

	memcpy(old, f->x87 + X87_ST, sizeof old);
	for (unsigned n = 0; n < 8; n++)
		memcpy(f->x87 + X87_ST + 16 * n, old + 16 * ((n + turn) & 7), 16);
	x87_set_fsw(f, (x87_fsw(f) & ~FSW_TOP) | top << FSW_TOP_SHIFT);
}

static void
initialize(struct tcg_frame *f)
{
	x87_set_top(f, 0);
	memset(f->x87, 0, X87_MXCSR);
	x87_set_word(f, X87_FCW, FCW_INITIAL);
}

/* True: it was an instruction that doesn't wait for exceptions. */
static bool
no_wait(struct tcg_frame *f, const struct ir_insn *i)
{
	switch (i->sub) {
	case FNSTCW:
		give_word(f, i, x87_word(f, X87_FCW));
		return true;
	case FNSTSW:
	case FNSTSW_AX:
		give_word(f, i, x87_fsw(f));
		return true;
	case FNCLEX:
		x87_set_fsw(f, x87_fsw(f) & ~(FSW_EXCEPTIONS | FSW_SF | FSW_ES | FSW_BUSY));
		f->guest->x87_cleared(f);
		return true;
	case FNINIT:
		initialize(f);
		f->guest->x87_cleared(f);
		return true;
	default:
		return false;
	}
}

/* An unmasked exception of these kinds has nothing stored. */
static bool
is_stored(const uint8_t *image)
{
	uint16_t fcw, fsw;

	memcpy(&fcw, image + X87_FCW, sizeof fcw);
	memcpy(&fsw, image + X87_FSW, sizeof fsw);
	return !(fsw & ~fcw & (FSW_IE | FSW_OE | FSW_UE));
}

/* F(U)COMI(P) */
static bool
is_compare(unsigned opcode, unsigned modrm)
{
	return (opcode == 3 || opcode == 7) && modrm >= 0xe8 && modrm < 0xf8;
}

/* On the host's x87, from which an error that the guest ignores is kept.  Is there a result to be stored? */
static bool
run_host(uint8_t *image, unsigned opcode, unsigned modrm, void *memory, uint8_t *flags)
{
	bool stored;
	uint16_t fsw, after, kept = FSW_EXCEPTIONS | FSW_ES | FSW_BUSY;

	memcpy(&fsw, image + X87_FSW, sizeof fsw);
	kept = fsw & FSW_ES ? fsw & kept : 0;
	fsw &= ~kept;
	memcpy(image + X87_FSW, &fsw, sizeof fsw);
	x87_host_run(image, opcode, modrm, memory, flags);
	stored = is_stored(image);
	memcpy(&after, image + X87_FSW, sizeof after);
	after |= kept;
	memcpy(image + X87_FSW, &after, sizeof after);
	return stored;
}

static void
execute(struct tcg_frame *f, const struct ir_insn *i, unsigned opcode, unsigned modrm)
{
	unsigned width = i->width <= 16 ? i->width : 16;
	uint8_t memory[16] = { 0 }, image[X87_END], flags = (uint8_t)(f->flags >> 8);
	uint64_t linear = 0;
	bool stored;

	if (ir_has_mem(i))
		linear = interp_address(f, i, width);
	if (i->src.kind == IR_MEM)
		f->guest->load(f, linear, memory, width, i->mem.seg);
	memcpy(image, f->x87, sizeof image);
	stored = run_host(image, opcode, modrm, memory, &flags);
	if (i->dst.kind == IR_MEM) {
		if (stored)
			f->guest->store(f, linear, memory, width, i->mem.seg);
		else
			f->guest->modify(f, linear, width, i->mem.seg); /* the address is checked all the same */
	}
	memcpy(f->x87, image, X87_POINTERS);
	memset(f->x87 + X87_POINTERS, 0, X87_MXCSR - X87_POINTERS);
	memcpy(f->x87 + X87_ST, image + X87_ST, X87_END - X87_ST);
	f->flags = (f->flags & ~0xff00ull) | (uint64_t)flags << 8;
	if (is_compare(opcode, modrm))
		f->flags &= ~1ull; /* OF, as AF and SF */
}

void
interp_x87(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned opcode = i->sub >> 8 & 7, modrm = i->sub & 0xff;

	tcg_x87_sync(f);
	if (no_wait(f, i))
		return;
	if (x87_fsw(f) & FSW_ES)
		f->guest->x87_exception(f);
	if (i->sub == FLDCW)
		load_control(f, i);
	else if (exists(opcode, modrm))
		execute(f, i, opcode, modrm);
}
