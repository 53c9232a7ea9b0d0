/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tcg/interp/step.h"

#include <string.h>

#include "base/util.h"
#include "tcg/interp/alu.h"
#include "tcg/op.h"

typedef const struct interp_step *next_step;

/* ---- operands ---- */

static inline uint64_t
get(const void *from, unsigned width)
{
	uint64_t v = 0;

	memcpy(&v, from, width);
	return v;
}

static inline const char *
source(const struct tcg_frame *f, const struct interp_step *s)
{
	return s->src_is_imm ? (const char *)&s->insn.imm : (const char *)f + s->src;
}

static inline char *
target(struct tcg_frame *f, const struct interp_step *s)
{
	return (char *)f + s->dst;
}

/* Into a general register or a temporary: four bytes clear the upper half. */
static inline void
put(struct tcg_frame *f, const struct interp_step *s, unsigned width, uint64_t v)
{
	memcpy(target(f, s), &v, width >= 4 ? 8 : width);
}

static inline uint64_t
effective(const struct tcg_frame *f, const struct interp_step *s)
{
	const struct ir_mem *m = &s->insn.mem;
	uint64_t ea = (uint64_t)m->disp;

	if (m->base != IR_NO_REG)
		ea += get((const char *)f + s->base, 8);
	if (m->index != IR_NO_REG)
		ea += get((const char *)f + s->index, 8) << m->scale;
	return m->addr_width == 8 ? ea : ea & interp_mask(m->addr_width);
}

/* Where the memory operand is in the host; NULL: that takes more than a look into the shadow table. */
static inline void *
memory(const struct tcg_frame *f, const struct interp_step *s, unsigned width, uint64_t access)
{
	uint64_t linear = effective(f, s), entry;

	if (s->insn.mem.how == ADDR_BASE)
		linear += f->seg[s->insn.mem.seg].base;
	entry = f->shadow[SHADOW_INDEX(linear) + access];
	if (entry == 0 || (linear & 0xfff) > 0x1000 - width || !SHADOW_IS_OWN(linear, entry))
		return NULL;
	return (void *)(uintptr_t)(linear + entry);
}

/* ---- everything ---- */

static next_step
general(struct tcg_frame *f, const struct interp_step *s)
{
	interp_insn(f, &s->insn);
	return s + 1;
}

/* What a function of its own could not do. */
static __attribute__((noinline)) next_step
slow(struct tcg_frame *f, const struct interp_step *s)
{
	f->rip = s->rip;
	return general(f, s);
}

/* ---- functions for each width ---- */

#define INLINE static inline __attribute__((always_inline)) next_step
#define STEP(name, how, ...)                                             \
	static next_step name(struct tcg_frame *f, const struct interp_step *s) \
	{                                                                \
		return how(f, s, __VA_ARGS__);                           \
	}
/* name_1, _2, _4 and _8 call HOW with the width and what else is given; name[] are all four. */
#define WIDTHS(name, how, ...)                          \
	STEP(name##_1, how, 1, ##__VA_ARGS__)           \
	STEP(name##_2, how, 2, ##__VA_ARGS__)           \
	STEP(name##_4, how, 4, ##__VA_ARGS__)           \
	STEP(name##_8, how, 8, ##__VA_ARGS__)           \
	static interp_fn *const name[] = { name##_1, name##_2, name##_4, name##_8 };

/* ---- moves ---- */

INLINE
move(struct tcg_frame *f, const struct interp_step *s, unsigned width)
{
	put(f, s, width, get(source(f, s), width));
	return s + 1;
}

INLINE
load(struct tcg_frame *f, const struct interp_step *s, unsigned width)
{
	const void *from = memory(f, s, width, 0);

	if (from == NULL)
		return slow(f, s);
	put(f, s, width, get(from, width));
	return s + 1;
}

INLINE
store(struct tcg_frame *f, const struct interp_step *s, unsigned width)
{
	void *to = memory(f, s, width, SHADOW_WRITE);
	uint64_t v = get(source(f, s), width);

	if (to == NULL)
		return slow(f, s);
	memcpy(to, &v, width);
	return s + 1;
}

/* WIDTH is the source's; the result has four or eight bytes. */
static inline uint64_t
widen(const struct interp_step *s, unsigned width, uint64_t v, bool is_signed)
{
	unsigned shift = 64 - 8 * width;

	if (is_signed)
		v = (uint64_t)((int64_t)(v << shift) >> shift);
	return s->insn.width == 8 ? v : (uint32_t)v;
}

INLINE
extend(struct tcg_frame *f, const struct interp_step *s, unsigned width, bool is_signed)
{
	put(f, s, 8, widen(s, width, get(source(f, s), width), is_signed));
	return s + 1;
}

INLINE
load_extended(struct tcg_frame *f, const struct interp_step *s, unsigned width, bool is_signed)
{
	const void *from = memory(f, s, width, 0);

	if (from == NULL)
		return slow(f, s);
	put(f, s, 8, widen(s, width, get(from, width), is_signed));
	return s + 1;
}

WIDTHS(mov_reg, move)
WIDTHS(mov_load, load)
WIDTHS(mov_store, store)
WIDTHS(movzx_reg, extend, false)
WIDTHS(movsx_reg, extend, true)
WIDTHS(movzx_load, load_extended, false)
WIDTHS(movsx_load, load_extended, true)

static next_step
lea(struct tcg_frame *f, const struct interp_step *s)
{
	uint64_t ea = effective(f, s);

	put(f, s, 8, s->insn.width == 8 ? ea : (uint32_t)ea);
	return s + 1;
}

static next_step
cmov(struct tcg_frame *f, const struct interp_step *s)
{
	unsigned width = s->insn.width;
	const char *from = interp_cond(s->insn.cond, flags_to_eflags(f->flags)) ? source(f, s) : target(f, s);

	put(f, s, width, width == 8 ? get(from, 8) : get(from, 4));
	return s + 1;
}

static next_step
setcc(struct tcg_frame *f, const struct interp_step *s)
{
	put(f, s, 1, interp_cond(s->insn.cond, flags_to_eflags(f->flags)));
	return s + 1;
}

/* ---- arithmetic ---- */

/* The result of OP; flags are made only if somebody reads them. */
static inline __attribute__((always_inline)) uint64_t
compute(struct tcg_frame *f, const struct interp_step *s, unsigned op, unsigned width, uint64_t a, uint64_t b)
{
	unsigned eflags = flags_to_eflags(f->flags);
	uint64_t r = alu_compute(op, width, a, b, &eflags);

	if (s->insn.attr & IR_FLAGS_LIVE)
		f->flags = flags_from_eflags(eflags);
	return r;
}

static inline bool
reads_only(unsigned op)
{
	return op == IR_cmp || op == IR_test;
}

INLINE
alu(struct tcg_frame *f, const struct interp_step *s, unsigned width, unsigned op)
{
	uint64_t r = compute(f, s, op, width, get(target(f, s), width), get(source(f, s), width));

	if (!reads_only(op))
		put(f, s, width, r);
	return s + 1;
}

INLINE
alu_load(struct tcg_frame *f, const struct interp_step *s, unsigned width, unsigned op)
{
	const void *from = memory(f, s, width, 0);
	uint64_t r;

	if (from == NULL)
		return slow(f, s);
	r = compute(f, s, op, width, get(target(f, s), width), get(from, width));
	if (!reads_only(op))
		put(f, s, width, r);
	return s + 1;
}

INLINE
alu_modify(struct tcg_frame *f, const struct interp_step *s, unsigned width, unsigned op)
{
	void *at = memory(f, s, width, reads_only(op) ? 0 : SHADOW_WRITE);
	uint64_t r;

	if (at == NULL)
		return slow(f, s);
	r = compute(f, s, op, width, get(at, width), get(source(f, s), width));
	if (!reads_only(op))
		memcpy(at, &r, width);
	return s + 1;
}

INLINE
shift(struct tcg_frame *f, const struct interp_step *s, unsigned width)
{
	unsigned eflags = flags_to_eflags(f->flags);

	put(f, s, width, interp_shift(s->insn.op, width, get(target(f, s), width), 0, get(source(f, s), 1), &eflags));
	f->flags = flags_from_eflags(eflags);
	return s + 1;
}

WIDTHS(shift_reg, shift)

#define ALU_OPS(M) M(add) M(adc) M(sub) M(sbb) M(and) M(or) M(xor) M(cmp) M(test) M(inc) M(dec) M(neg) M(not) M(imul2)
#define ALU_STEPS(op)                              \
	WIDTHS(op##_reg, alu, IR_##op)             \
	WIDTHS(op##_load, alu_load, IR_##op)       \
	WIDTHS(op##_modify, alu_modify, IR_##op)
ALU_OPS(ALU_STEPS)

/* ---- control ---- */

/* The block that the jump cache has for RIP, if its pages are still where they were. */
static inline const struct tcg_block *
remembered(const struct tcg_frame *f, uint64_t rip)
{
	unsigned line = tcg_jump_line(rip);
	const struct tcg_jump *j = &f->jumps[line];
	const struct tcg_block *b;

	if (__atomic_load_n(&j->rip, __ATOMIC_ACQUIRE) != rip) {
		j = &f->jumps[line ^ TCG_JUMP_OTHER];
		if (__atomic_load_n(&j->rip, __ATOMIC_ACQUIRE) != rip)
			return NULL;
	}
	b = __atomic_load_n((const struct tcg_block *const *)&j->code, __ATOMIC_RELAXED);
	if (f->exec[SHADOW_INDEX(rip)] != (b->key.phys >> 12) + 1)
		return NULL;
	if (b->phys2 != ~0ull && f->exec[SHADOW_INDEX(rip + b->bytes - 1)] != (b->phys2 >> 12) + 1)
		return NULL;
	return b;
}

static inline next_step
go(struct tcg_frame *f, uint64_t rip)
{
	const struct tcg_block *b;

	f->rip = rip;
	if (__atomic_load_n(&f->pending, __ATOMIC_RELAXED) != 0)
		return NULL;
	b = remembered(f, rip);
	if (b == NULL)
		return NULL;
	f->site = b->site;
	return b->step;
}

static next_step
jmp(struct tcg_frame *f, const struct interp_step *s)
{
	return go(f, (uint64_t)s->insn.imm);
}

static next_step
jind(struct tcg_frame *f, const struct interp_step *s)
{
	uint64_t to = get(target(f, s), 8);
	unsigned unused = f->wide ? 7 : 16;

	if ((int64_t)(to << unused) >> unused != (int64_t)to)
		return slow(f, s); /* raises */
	return go(f, to);
}

static next_step
leave(struct tcg_frame *f, const struct interp_step *s)
{
	if (!(s->insn.attr & IR_RIP_SET))
		f->rip = (uint64_t)s->insn.imm;
	return NULL;
}

INLINE
branch(struct tcg_frame *f, const struct interp_step *s, unsigned cond)
{
	return interp_cond(cond, flags_to_eflags(f->flags)) ? go(f, (uint64_t)s->insn.imm) : s + 1;
}

#define CONDITIONS(M) M(0) M(1) M(2) M(3) M(4) M(5) M(6) M(7) M(8) M(9) M(10) M(11) M(12) M(13) M(14) M(15)
#define JCC_STEP(cond) STEP(jcc_##cond, branch, cond)
#define JCC_ROW(cond) jcc_##cond,
CONDITIONS(JCC_STEP)
static interp_fn *const jcc[] = { CONDITIONS(JCC_ROW) };

/* ---- which function ---- */

static interp_fn *const *
alu_row(unsigned op, bool from_memory, bool in_memory)
{
#define ALU_ROW(op) [IR_##op] = { op##_reg, op##_load, op##_modify },
	static interp_fn *const *const rows[IR_OPS][3] = { ALU_OPS(ALU_ROW) };

	return rows[op][in_memory ? 2 : from_memory];
#undef ALU_ROW
}

static bool
is_register(struct ir_opnd o)
{
	return o.kind == IR_GPR || o.kind == IR_GPRH || o.kind == IR_TEMP;
}

/* The functions write a register's low bytes, or eight of them: what else there is to write has to take the long way. */
static bool
can_write(const struct ir_insn *i)
{
	return i->dst.kind == IR_GPR || (i->dst.kind == IR_GPRH && i->width == 1) || (i->dst.kind == IR_TEMP && i->width >= 4);
}

static bool
can_read(const struct ir_insn *i)
{
	return i->src.kind == IR_NONE || i->src.kind == IR_IMM || i->src.kind == IR_FIELD || is_register(i->src);
}

static bool
has_simple_memory(const struct ir *ir, const struct ir_insn *i)
{
	const struct ir_mem *m = &i->mem;

	return !ir->slow_mem && !(i->attr & IR_LOCKED) && m->align == 0 && m->size == 0 &&
		(m->how == ADDR_FLAT || (m->how == ADDR_BASE && ir->mode64));
}

static interp_fn *
control_step(const struct ir_insn *i)
{
	switch (i->op) {
	case IR_jcc:
		return jcc[i->cond];
	case IR_jmp:
		return jmp;
	case IR_jind:
		return jind;
	case IR_exit:
		return leave;
	default:
		return NULL;
	}
}

/* NULL: none. */
static interp_fn *
register_step(const struct ir_insn *i)
{
	unsigned w = __builtin_ctz(i->width);

	switch (i->op) {
	case IR_mov:
		return mov_reg[w];
	case IR_movzx:
		return i->width >= 4 ? movzx_reg[__builtin_ctz(i->src_width)] : NULL;
	case IR_movsx:
		return i->width >= 4 ? movsx_reg[__builtin_ctz(i->src_width)] : NULL;
	case IR_cmovcc:
		return i->width >= 4 ? cmov : NULL;
	case IR_setcc:
		return setcc;
	case IR_shl:
	case IR_shr:
	case IR_sar:
	case IR_rol:
	case IR_ror:
		return shift_reg[w];
	default:
		return alu_row(i->op, false, false) ? alu_row(i->op, false, false)[w] : NULL;
	}
}

static interp_fn *
memory_step(const struct ir_insn *i)
{
	unsigned w = __builtin_ctz(i->width);
	bool to_memory = i->dst.kind == IR_MEM;

	if (!to_memory && !can_write(i))
		return NULL;
	switch (i->op) {
	case IR_mov:
		return to_memory ? mov_store[w] : mov_load[w];
	case IR_movzx:
		return !to_memory && i->width >= 4 ? movzx_load[__builtin_ctz(i->src_width)] : NULL;
	case IR_movsx:
		return !to_memory && i->width >= 4 ? movsx_load[__builtin_ctz(i->src_width)] : NULL;
	default:
		return alu_row(i->op, true, to_memory) ? alu_row(i->op, true, to_memory)[w] : NULL;
	}
}

static interp_fn *
special_step(const struct ir *ir, const struct ir_insn *i)
{
	interp_fn *control = control_step(i);

	if (control != NULL || i->width == 0 || i->width > 8)
		return control;
	if (i->op == IR_lea)
		return can_write(i) && i->width >= 4 ? lea : NULL;
	if (ir_has_mem(i))
		return has_simple_memory(ir, i) && (i->src.kind == IR_MEM || can_read(i)) ? memory_step(i) : NULL;
	return (can_write(i) || (reads_only(i->op) && is_register(i->dst))) && can_read(i) ? register_step(i) : NULL;
}

/* ---- preparing ---- */

static uint16_t
place(struct ir_opnd o)
{
	switch (o.kind) {
	case IR_GPR:
		return offsetof(struct tcg_frame, gpr) + 8 * o.reg;
	case IR_GPRH:
		return offsetof(struct tcg_frame, gpr) + 8 * o.reg + 1;
	case IR_TEMP:
		return offsetof(struct tcg_frame, temp) + 16 * o.reg;
	default:
		return o.off;
	}
}

static uint16_t
address_place(uint8_t reg)
{
	if (reg == IR_NO_REG)
		return 0;
	return place(reg < IR_TEMP_REG ? ir_gpr(reg).o : (struct ir_opnd){ IR_TEMP, reg - IR_TEMP_REG, 0 });
}

static void
prepare(struct interp_step *s, const struct ir *ir, const struct ir_insn *i)
{
	interp_fn *run = special_step(ir, i);

	*s = (struct interp_step){
		.run = run != NULL ? run : general, .rip = ir->guest_rip[i->guest], .dst = place(i->dst), .src = place(i->src),
		.base = address_place(i->mem.base), .index = address_place(i->mem.index), .src_is_imm = i->src.kind == IR_IMM, .insn = *i,
	};
}

/* Does the guest instruction that begins at operation N have one that takes interp_insn()? */
static bool
wants_rip(const struct ir *ir, unsigned n)
{
	for (n++; n < ir->count && ir->insn[n].op != IR_insn; n++)
		if (special_step(ir, &ir->insn[n]) == NULL)
			return true;
	return false;
}

void
interp_prepare(struct interp_step *to, const struct ir *ir)
{
	for (unsigned n = 0; n < ir->count; n++)
		if (ir->insn[n].op != IR_insn || wants_rip(ir, n))
			prepare(to++, ir, &ir->insn[n]);
}

/* ---- running ---- */

void
interp_run(struct tcg_frame *f, const struct tcg_block *b)
{
	next_step s = b->step;

	while (s != NULL)
		s = s->run(f, s);
}
