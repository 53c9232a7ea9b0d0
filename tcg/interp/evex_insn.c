/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions with an EVEX prefix: operands in, as far as the mask wants them, the twin with VEX or the row's own function,
 * exceptions, and the result out by the mask.  Everything that can fault comes before the first change of the guest's state, but for
 * the elements of gathers and scatters.
 */
#include "tcg/interp/evex_op.h"

#include "base/util.h"

/* ---- memory ---- */

static void
load(struct evex_op *e, const struct ir_insn *i, uint64_t linear, unsigned at, void *to, unsigned bytes)
{
	e->v.f->guest->load(e->v.f, avx_element_linear(e->v.f, i, linear, at, bytes), to, bytes, i->mem.seg);
}

/* Does any element of the result come from element N of COUNT in memory? */
static bool
is_wanted(const struct evex_op *e, unsigned n, unsigned count)
{
	for (; n < e->count; n += count)
		if (e->k >> n & 1)
			return true;
	return false;
}

/* Element by element: a vector, or a part of one that is repeated. */
static void
load_wanted(struct evex_op *e, const struct ir_insn *i, union vec512 *v)
{
	bool fixed = e->row->size < EVEX_SIZE_E && e->row->l != AVX_L_IG;
	unsigned size = fixed ? e->size : i->width / e->count, count = i->width / size;
	unsigned first = 0;
	uint64_t linear;

	while (!is_wanted(e, first, count))
		first++;
	linear = avx_masked_linear(e->v.f, i, first * size, size);
	for (unsigned n = 0; n < count; n++)
		if (is_wanted(e, n, count))
			load(e, i, linear, n * size, v->b + n * size, size);
}

static void
read_memory(struct evex_op *e, const struct ir_insn *i, union vec512 *v)
{
	uint64_t mask = e->k & low_bits(e->count);
	bool all = mask == low_bits(e->count);

	if (EVEX_AUX_B(i->aux)) {
		if (mask == 0 && !(e->row->flags & EVEX_NOT_MASKED))
			return;
		load(e, i, interp_address(e->v.f, i, i->width), 0, v, i->width);
		for (unsigned at = i->width; at < sizeof(*v); at += i->width)
			memcpy(v->b + at, v->b, i->width);
	} else if (e->row->flags & EVEX_PACKED) {
		unsigned bytes = (unsigned)__builtin_popcountll(mask) * e->size;

		if (bytes != 0)
			load(e, i, interp_address(e->v.f, i, bytes), 0, v, bytes);
	} else if (all || e->row->flags & EVEX_NOT_MASKED || evex_flags(e->row) & VEC_COUNT) {
		load(e, i, interp_address(e->v.f, i, i->width), 0, v, i->width);
	} else if (mask != 0) {
		load_wanted(e, i, v);
	}
}

static unsigned
next_run(const struct evex_op *e, unsigned *at)
{
	return vec_next_run(e->k, e->count, e->size, at);
}

/* What a store writes, from the operation's start: elements by the mask, or those of a packed one side by side. */
static unsigned
stored_bytes(struct evex_op *e, const struct ir_insn *i)
{
	unsigned bytes = i->width;

	if (e->row->flags & EVEX_PACKED) {
		bytes = (unsigned)__builtin_popcountll(e->k & low_bits(e->count)) * e->size;
		e->k = low_bits(bytes / e->size);
	}
	return bytes;
}

/* Can all of it be written?  *LINEAR: where it begins.  False: nothing is stored, and not even the address counts. */
static bool
check_store(struct evex_op *e, const struct ir_insn *i, uint64_t *linear)
{
	const struct tcg_guest *g = e->v.f->guest;
	unsigned len, first = 0, bytes = stored_bytes(e, i);
	uint64_t mask = e->k & low_bits(e->count);

	if (mask == 0 && !(e->row->flags & EVEX_NOT_MASKED))
		return false;
	if (e->row->mask == 0 || e->row->flags & EVEX_NOT_MASKED) {
		*linear = interp_address(e->v.f, i, bytes);
		g->modify(e->v.f, *linear, bytes, i->mem.seg);
		return true;
	}
	len = next_run(e, &first);
	*linear = avx_masked_linear(e->v.f, i, first, len);
	for (unsigned at = 0; (len = next_run(e, &at)) != 0; at += len)
		g->modify(e->v.f, avx_element_linear(e->v.f, i, *linear, at, len), len, i->mem.seg);
	return true;
}

/* All or nothing: every run can be written before the first one is. */
static void
store(struct evex_op *e, const struct ir_insn *i)
{
	const struct tcg_guest *g = e->v.f->guest;
	uint64_t linear;
	unsigned len;

	if (!check_store(e, i, &linear))
		return;
	if (e->row->mask == 0)
		g->store(e->v.f, linear, &e->v.r, i->width, i->mem.seg);
	for (unsigned at = 0; e->row->mask != 0 && (len = next_run(e, &at)) != 0; at += len)
		g->store(e->v.f, avx_element_linear(e->v.f, i, linear, at, len), e->v.r.b + at, len, i->mem.seg);
}

/* ---- operands ---- */

static void
read_operand(struct evex_op *e, const struct ir_insn *i, struct ir_opnd from, union vec512 *v)
{
	memset(v, 0, sizeof(*v));
	switch (from.kind) {
	case IR_XMM:
		memcpy(v, e->v.f->vec[from.reg], sizeof(*v));
		break;
	case IR_MEM:
		read_memory(e, i, v);
		break;
	case IR_K:
		v->q[0] = e->v.f->k[from.reg];
		break;
	case IR_NONE:
		break;
	default:
		v->q[0] = interp_read(e->v.f, i, from, e->general);
		break;
	}
}

static void
read_all(struct evex_op *e, const struct ir_insn *i)
{
	if (i->dst.kind == IR_XMM)
		read_operand(e, i, i->dst, &e->v.c);
	if (e->row->form == AVX_RVM || e->row->form == AVX_MVR) {
		read_operand(e, i, i->src2, &e->v.b);
		read_operand(e, i, i->src, &e->v.a);
	} else {
		read_operand(e, i, i->src, &e->v.b);
		e->v.a = e->v.b;
	}
	/* Comparisons to flags have their first operand in dst. */
	if (evex_flags(e->row) & VEC_FLAGS)
		e->v.a = e->v.c;
}

static void
neutralize(union vec512 *v, unsigned size, unsigned n)
{
	avx_set_lane(v, size, n, size == 2 ? 0x4400 : size == 4 ? 0x40800000 : 0x4010000000000000);
}

/* In a twin's sources 4.0 instead of what the mask leaves out, so that nothing is raised there. */
static void
leave_out(struct evex_op *e)
{
	unsigned from = evex_flags(e->row) & VEC_NARROW ? e->size * 2 : e->row->size == AVX_SIZE_H ? e->size / 2 : e->size;

	if (e->row->l == AVX_L_IG && e->row->reg == VEC_KIND_X)
		from = e->row->size;
	for (unsigned n = 0; n < e->count; n++) {
		if (e->k >> n & 1)
			continue;
		/* A scalar conversion passes its first source on. */
		if (e->row->form != AVX_RVM || from == e->size)
			neutralize(&e->v.a, from, n);
		neutralize(&e->v.b, from, n);
		neutralize(&e->v.c, from, n);
	}
}

/* ---- results ---- */

static void
write_vector(struct evex_op *e, const struct ir_insn *i, const union vec512 *before)
{
	bool zero = EVEX_AUX_Z(i->aux);

	for (unsigned n = 0; e->row->mask != 0 && n < e->count; n++)
		if (!(e->k >> n & 1))
			avx_set_lane(&e->v.r, e->size, n, zero ? 0 : avx_lane(before, e->size, n));
	memcpy(e->v.f->vec[i->dst.reg], &e->v.r, sizeof(e->v.r));
}

static void
write_mask(struct evex_op *e, const struct ir_insn *i)
{
	uint64_t *k = &e->v.f->k[i->dst.reg];

	k[0] = e->v.r.q[0] & e->k & low_bits(e->row->mask != 0 ? e->count : 64);
	if (e->row->flags & EVEX_PAIR)
		k[1] = e->v.r.q[1];
}

static void
write_result(struct evex_op *e, const struct ir_insn *i, const union vec512 *before)
{
	struct tcg_frame *f = e->v.f;

	if (evex_flags(e->row) & VEC_FLAGS)
		f->flags = flags_from_eflags(e->v.eflags);
	else if (i->dst.kind == IR_MEM)
		store(e, i);
	else if (i->dst.kind == IR_XMM)
		write_vector(e, i, before);
	else if (i->dst.kind == IR_K)
		write_mask(e, i);
	else
		interp_write(f, i->dst, evex_flags(e->row) & VEC_WIDE ? e->general : 4, e->v.r.q[0]);
}

/* ---- gathers and scatters ---- */

/* Element by element; the bit of each that is done is cleared, so that after a fault the instruction goes on. */
static void
by_index(struct evex_op *e, const struct ir_insn *i)
{
	struct tcg_frame *f = e->v.f;
	unsigned index_bytes = avx_index_size(e->row->opcode), size = e->size, count = e->v.bytes / MAX(index_bytes, size), n;
	bool scatters = e->row->form == AVX_SCATTER;
	uint8_t *data = f->vec[scatters ? i->src.reg : i->dst.reg];
	uint64_t *k = &f->k[EVEX_AUX_K(i->aux)];
	union vec512 index;

	memcpy(&index, f->vec[EVEX_AUX_INDEX(i->aux)], sizeof(index));
	for (n = 0; n < count; n++) {
		struct ir_insn one = avx_element_insn(i, &index, index_bytes, n);
		uint64_t linear, v = 0;

		if (!(*k >> n & 1))
			continue;
		linear = interp_address(f, &one, size);
		if (scatters) {
			f->guest->store(f, linear, data + n * size, size, i->mem.seg);
		} else {
			f->guest->load(f, linear, &v, size, i->mem.seg);
			memcpy(data + n * size, &v, size);
		}
		*k &= ~(1ull << n);
	}
	*k = 0;
	if (!scatters)
		memset(data + count * size, 0, sizeof(f->vec[0]) - count * size);
}

/* ---- all of it ---- */

const struct evex_impl *const evex_impls[EVEX_IMPLS] = { evex_move_ops, evex_int_ops, evex_convert_ops, evex_float_ops, evex_half_ops };

static const struct evex_impl *
own_impl(unsigned row)
{
	unsigned n = 0;

	while (evex_impls[n][row].run == NULL)
		n++;
	return &evex_impls[n][row];
}

static void
compute(struct evex_op *e, const struct ir_insn *i)
{
	const struct evex_impl *impl;

	if (e->row->twin >= 0) {
		avx_run(&e->v, i);
		return;
	}
	impl = own_impl((unsigned)(e->row - evex_rows));
	e->v.arg = impl->arg;
	impl->run(e);
}

/* EVEX.b with registers alone: every exception is suppressed, and L'L says how to round where there is rounding. */
static bool
suppresses(const struct evex_row *r, const struct ir_insn *i)
{
	return EVEX_AUX_B(i->aux) && !ir_has_mem(i) && r->flags & (EVEX_ER | EVEX_SAE);
}

static uint32_t
control(const struct evex_row *r, const struct ir_insn *i, uint32_t mxcsr)
{
	if (r->flags & EVEX_HALF)
		mxcsr &= ~(MX_DAZ | MX_FTZ);
	if (!suppresses(r, i))
		return mxcsr;
	mxcsr |= MX_FLAGS << MX_MASKS;
	return r->flags & EVEX_ER ? (mxcsr & ~MX_RC) | EVEX_AUX_LL(i->aux) << MX_RC_SHIFT : mxcsr;
}

void
interp_evex(struct tcg_frame *f, const struct ir_insn *i)
{
	const struct evex_row *row = &evex_rows[i->sub];
	struct evex_op e = {
		.v = { .f = f, .bytes = evex_length(row, EVEX_AUX_LL(i->aux), EVEX_AUX_B(i->aux), ir_has_mem(i)), .imm = i->aux & 0xff,
			.row = row->twin >= 0 ? &avx_rows[row->twin] : NULL, .env.mxcsr = control(row, i, f->mxcsr) },
		.row = row, .k = EVEX_AUX_K(i->aux) != 0 ? f->k[EVEX_AUX_K(i->aux)] : ~0ull, .size = row->mask,
		.general = i->src_width == 8 ? 8 : 4, .in_memory = i->dst.kind == IR_MEM,
	};
	union vec512 before;

	e.count = evex_elements(row, e.v.bytes);
	if (row->form == AVX_GATHER || row->form == AVX_SCATTER) {
		by_index(&e, i);
		return;
	}
	read_all(&e, i);
	before = row->flags & EVEX_BLEND ? e.v.a : e.v.c;
	if (row->twin >= 0 && row->flags & (EVEX_ER | EVEX_SAE) && row->mask != 0)
		leave_out(&e);
	compute(&e, i);
	if (suppresses(row, i))
		e.v.env.raised = e.v.settled = 0;
	if (avx_is_unmasked(&e.v)) {
		uint64_t linear;

		/* A store that can't be comes first. */
		if (e.in_memory)
			check_store(&e, i, &linear);
		avx_raise(&e.v);
	}
	write_result(&e, i, &before);
	f->mxcsr |= e.v.env.raised | e.v.settled;
}
