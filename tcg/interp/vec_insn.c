/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations: operands in, the row's function, exceptions, result out.
 *
 * Everything that can fault (a load, a store's address, an unmasked floating point exception, an x87 exception that an MMX
 * instruction finds pending) comes before the first change of the guest's state.
 */
#include "tcg/interp/vec_op.h"

#include "tcg/interp/x87.h"

/* ---- the MMX registers, in the x87's image ---- */

/* The image has the registers in the order of the stack, MMX has them by number. */
static uint8_t *
mmx_slot(struct tcg_frame *f, unsigned n)
{
	return f->x87 + X87_ST + 16 * ((n - x87_top(f)) & 7);
}

/* What each MMX instruction does to the x87: the stack's top becomes register 0, and every register is in use. */
static void
mmx_enter(struct tcg_frame *f)
{
	x87_set_top(f, 0);
	f->x87[X87_FTW] = 0xff;
}

static void
mmx_write(struct tcg_frame *f, unsigned n, const union vec128 *v)
{
	uint8_t *slot = mmx_slot(f, n);

	memcpy(slot, v->b, 8);
	memset(slot + 8, 0xff, 2);
}

/* Does it use MMX registers?  CVTPI2PS and CVTPI2PD from memory don't. */
static bool
uses_mmx(const struct ir_insn *i)
{
	return i->dst.kind == IR_MM || i->src.kind == IR_MM || i->src2.kind == IR_MM;
}

/* ---- operands ---- */

static unsigned
memory_size(const struct vec_op *o)
{
	return o->row->size ? o->row->size : o->gpr_width;
}

static union vec128
read_operand(const struct vec_op *o, const struct ir_insn *i, struct ir_opnd from)
{
	struct tcg_frame *f = o->f;
	union vec128 v = { .q = { 0, 0 } };

	switch (from.kind) {
	case IR_XMM:
		memcpy(&v, f->vec[from.reg], sizeof v);
		break;
	case IR_MM:
		memcpy(&v, mmx_slot(f, from.reg), 8);
		break;
	case IR_MEM:
		f->guest->load(f, interp_address(f, i, memory_size(o)), &v, memory_size(o), i->mem.seg);
		break;
	case IR_NONE:
		break;
	default:
		v.q[0] = interp_read(f, i, from, o->gpr_width);
		break;
	}
	return v;
}

static void
write_register(struct vec_op *o, struct ir_opnd to)
{
	switch (to.kind) {
	case IR_XMM:
		memcpy(o->f->vec[to.reg], &o->a, sizeof o->a);
		break;
	case IR_MM:
		mmx_write(o->f, to.reg, &o->a);
		break;
	default:
		interp_write(o->f, to, o->row->flags & VEC_WIDE ? o->gpr_width : 4, o->a.q[0]);
		break;
	}
}

/* ---- exceptions ---- */

/* Merges what was raised into MXCSR; an unmasked one ends here, with nothing else changed but for the switch to MMX. */
static void
finish_float(struct vec_op *o)
{
	uint32_t raised = o->env.raised;

	/* With one found beforehand unmasked nothing is computed, so that no other kind can appear. */
	if (raised & MX_BEFORE & ~(o->env.mxcsr >> MX_MASKS))
		raised &= MX_BEFORE;
	o->f->mxcsr |= raised | o->settled;
	if (!vec_is_unmasked(&o->env))
		return;
	if (o->mmx)
		mmx_enter(o->f);
	o->f->guest->simd_exception(o->f);
}

/* ---- MASKMOVQ, MASKMOVDQU ---- */

unsigned
vec_next_run(uint64_t mask, unsigned count, unsigned size, unsigned *at)
{
	unsigned n = *at / size, end;

	while (n < count && !(mask >> n & 1))
		n++;
	end = n;
	while (end < count && mask >> end & 1)
		end++;
	*at = n * size;
	return (end - n) * size;
}

/* Stores the bytes of A whose byte in MASK has its top bit set: all or nothing. */
static void
store_masked(struct vec_op *o, const struct ir_insn *i, const union vec128 *mask)
{
	uint64_t linear = interp_address(o->f, i, o->bytes), wrap = i->mem.how == ADDR_CHECKED ? 0xffffffff : ~0ull, chosen = 0;
	const struct tcg_guest *g = o->f->guest;
	unsigned len;

	for (unsigned n = 0; n < o->bytes; n++)
		chosen |= (uint64_t)(mask->b[n] >> 7) << n;
	for (unsigned at = 0; (len = vec_next_run(chosen, o->bytes, 1, &at)) != 0; at += len)
		g->modify(o->f, (linear + at) & wrap, len, i->mem.seg);
	for (unsigned at = 0; (len = vec_next_run(chosen, o->bytes, 1, &at)) != 0; at += len)
		g->store(o->f, (linear + at) & wrap, o->a.b + at, len, i->mem.seg);
}

/* ---- all of it ---- */

const struct vec_impl *const vec_impls[VEC_IMPLS] = { vec_lane_ops, vec_move_ops, vec_float_ops, vec_string_ops, vec_crypto_ops,
	vec_sha_ops };

const struct vec_impl *
vec_impl_of(unsigned row)
{
	for (unsigned n = 0; n < VEC_IMPLS; n++)
		if (vec_impls[n][row].run != NULL)
			return &vec_impls[n][row];
	return NULL;
}

static void
run(struct vec_op *o, const struct ir_insn *i)
{
	const struct vec_impl *impl = vec_impl_of(i->sub);

	o->b = read_operand(o, i, i->src);
	if (i->dst.kind != IR_MEM)
		o->a = read_operand(o, i, i->dst);
	o->arg = impl->arg;
	impl->run(o);
	finish_float(o);
}

void
interp_vec(struct tcg_frame *f, const struct ir_insn *i)
{
	const struct vec_row *row = &vec_rows[i->sub];
	struct vec_op o = {
		.f = f, .row = row, .bytes = row->reg == VEC_KIND_M || row->rm == VEC_KIND_M ? 8 : 16, .imm = i->aux & 0xffff,
		.gpr_width = i->src_width == 8 ? 8 : 4, .from_memory = i->src.kind == IR_MEM, .mmx = uses_mmx(i), .env.mxcsr = f->mxcsr,
	};

	if (o.mmx) {
		tcg_x87_sync(f);
		if (x87_fsw(f) & FSW_ES)
			f->guest->x87_exception(f);
	}
	run(&o, i);
	if (row->form == VEC_MASK) {
		union vec128 mask = read_operand(&o, i, i->src2);

		store_masked(&o, i, &mask);
	} else if (i->dst.kind == IR_MEM) {
		f->guest->store(f, interp_address(f, i, memory_size(&o)), &o.a, memory_size(&o), i->mem.seg);
	}
	if (o.mmx)
		mmx_enter(f);
	if (row->flags & VEC_FLAGS)
		f->flags = flags_from_eflags(o.eflags);
	else if (i->dst.kind != IR_MEM)
		write_register(&o, i->dst);
}
