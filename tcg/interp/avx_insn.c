/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Instructions with a VEX prefix: operands in, each 16 bytes through the SSE twin or the row's own function, exceptions, result
 * out.  Everything that can fault comes before the first change of the guest's state, but for the elements of a gather.
 */
#include "tcg/interp/avx_op.h"

#include "base/util.h"

/* ---- operands ---- */

static void
read_operand(struct avx_op *o, const struct ir_insn *i, struct ir_opnd from, union vec512 *v)
{
	unsigned gpr_width = i->src_width == 8 ? 8 : 4;

	memset(v, 0, sizeof(*v));
	switch (from.kind) {
	case IR_XMM:
		memcpy(v, o->f->vec[from.reg], o->bytes);
		break;
	case IR_MEM:
		o->f->guest->load(o->f, interp_address(o->f, i, i->width), v, i->width, i->mem.seg);
		break;
	case IR_K:
		v->q[0] = o->f->k[from.reg];
		break;
	case IR_NONE:
		break;
	default:
		v->q[0] = interp_read(o->f, i, from, gpr_width);
		break;
	}
}

/* The rest of the register becomes 0. */
static void
write_register(struct avx_op *o, const struct ir_insn *i)
{
	if (i->dst.kind == IR_K) {
		o->f->k[i->dst.reg] = o->r.q[0];
		return;
	}
	if (i->dst.kind != IR_XMM) {
		interp_write(o->f, i->dst, o->row->flags & VEC_WIDE ? i->src_width : 4, o->r.q[0]);
		return;
	}
	memcpy(o->f->vec[i->dst.reg], &o->r, 64);
}

/* ---- by the SSE twin ---- */

static unsigned
immediate_of(const struct avx_op *o, unsigned lane)
{
	unsigned step = o->row->flags & VEC_STEP2 ? 2 : o->row->flags & VEC_STEP3 ? 3 : o->row->flags & VEC_STEP4 ? 4 : 0;

	return o->imm >> step * lane;
}

/* Where 16 bytes of the result find their last source. */
static union vec128
source_of(const struct avx_op *o, unsigned lane)
{
	union vec128 v = { .q = { 0, 0 } };

	if (o->row->flags & VEC_COUNT)
		return o->b.lane[0];
	if (!(o->row->flags & VEC_WIDEN))
		return o->b.lane[lane];
	memcpy(&v, o->b.b + lane * o->row->size, o->row->size);
	return v;
}

static bool
gives_mask(const struct avx_op *o)
{
	return o->row->reg == VEC_KIND_G && o->row->flags & VEC_REGS && !(o->row->flags & VEC_IMM8);
}

/* A result in a general register is gathered from the parts' masks; their bits are as many as a part has elements. */
static void
put_part(struct avx_op *o, const struct vec_op *part, unsigned lane)
{
	unsigned bits = o->row->twin == VEC_movmskps ? 4 : o->row->twin == VEC_movmskpd ? 2 : 16;

	if (o->row->flags & VEC_NARROW)
		o->r.q[lane] = part->a.q[0];
	else if (gives_mask(o))
		o->r.q[0] |= part->a.q[0] << bits * lane;
	else
		o->r.lane[lane] = part->a;
}

/* All parts make a step together: none goes beyond the one in which another meets an unmasked exception. */
static void
merge_flags(struct avx_op *o, const struct vec_op *part, unsigned parts)
{
	unsigned last = ARRAY_SIZE(part->step);

	for (unsigned n = 0; n < parts; n++)
		if (vec_is_unmasked(&part[n].env))
			last = MIN(last, (unsigned)part[n].steps);
	for (unsigned n = 0; n < parts; n++) {
		for (unsigned k = 0; k < MIN(last, (unsigned)part[n].steps); k++)
			o->settled |= part[n].step[k];
		o->env.raised |= part[n].steps > last ? part[n].step[last] : part[n].env.raised;
	}
}

static void
by_twin(struct avx_op *o, const struct ir_insn *i)
{
	bool ptest = o->row->twin == VEC_ptest;
	const struct vec_impl *impl = vec_impl_of(o->row->twin);
	struct vec_op part[4];

	o->eflags = ptest ? FL_ZF | FL_CF : 0;
	for (unsigned lane = 0; lane < o->bytes / 16; lane++) {
		part[lane] = (struct vec_op){
			.f = o->f, .row = &vec_rows[o->row->twin], .a = o->a.lane[lane], .b = source_of(o, lane), .bytes = 16, .arg = impl->arg,
			.imm = immediate_of(o, lane), .gpr_width = i->src_width == 8 ? 8 : 4,
			.from_memory = i->src2.kind == IR_MEM || i->src.kind == IR_MEM, .env.mxcsr = o->env.mxcsr,
		};

		impl->run(&part[lane]);
		o->eflags = ptest ? o->eflags & part[lane].eflags : part[lane].eflags;
		put_part(o, &part[lane], lane);
	}
	merge_flags(o, part, o->bytes / 16);
	/* Strings' masks went to their fixed register. */
	if (o->row->twin == VEC_pcmpestrm || o->row->twin == VEC_pcmpistrm)
		memset(o->f->vec[0] + 16, 0, 48);
}

/* ---- exceptions ---- */

bool
avx_is_unmasked(struct avx_op *o)
{
	uint32_t unmasked = ~(o->env.mxcsr >> MX_MASKS);

	if (o->env.raised & MX_BEFORE & unmasked)
		o->env.raised &= MX_BEFORE;
	return o->env.raised & unmasked & MX_FLAGS;
}

void
avx_raise(struct avx_op *o)
{
	o->f->mxcsr |= o->env.raised | o->settled;
	o->f->guest->simd_exception(o->f);
}

/* ---- memory by a mask ---- */

static bool
is_masked_move(const struct avx_row *r, unsigned *size)
{
	switch (r - avx_rows) {
	case AVX_ROW_vmaskmovps: case AVX_ROW_vmaskmovps_st: case AVX_ROW_vpmaskmovd: case AVX_ROW_vpmaskmovd_st:
		*size = 4;
		return true;
	case AVX_ROW_vmaskmovpd: case AVX_ROW_vmaskmovpd_st: case AVX_ROW_vpmaskmovq: case AVX_ROW_vpmaskmovq_st:
		*size = 8;
		return true;
	default:
		return false;
	}
}

uint64_t
avx_element_linear(struct tcg_frame *f, const struct ir_insn *i, uint64_t linear, unsigned at, unsigned bytes)
{
	struct ir_insn one = *i;

	if (i->mem.how != ADDR_CHECKED)
		return linear + at;
	one.mem.disp = (int64_t)((uint64_t)one.mem.disp + at);
	one.mem.align = 0;
	return interp_address(f, &one, bytes);
}

uint64_t
avx_masked_linear(struct tcg_frame *f, const struct ir_insn *i, unsigned at, unsigned bytes)
{
	uint64_t linear;

	if (i->mem.how != ADDR_CHECKED)
		return interp_address(f, i, bytes);
	linear = (uint32_t)(avx_element_linear(f, i, 0, at, bytes) - at);
	if (i->mem.align && linear & (i->mem.align - 1u))
		f->guest->general_protection(f);
	return linear;
}

/* The elements of SIZE bytes whose top bit is set. */
static uint64_t
chosen_by(const union vec512 *v, unsigned bytes, unsigned size)
{
	uint64_t mask = 0;

	for (unsigned n = 0; n < bytes / size; n++)
		mask |= (uint64_t)(v->b[(n + 1) * size - 1] >> 7) << n;
	return mask;
}

/* All or nothing: every run can be written before the first one is. */
static void
masked_store(struct avx_op *o, const struct ir_insn *i, unsigned size, uint64_t mask, uint64_t linear)
{
	const struct tcg_guest *g = o->f->guest;
	unsigned count = o->bytes / size, len;
	union vec512 data;

	read_operand(o, i, i->src2, &data);
	for (unsigned at = 0; (len = vec_next_run(mask, count, size, &at)) != 0; at += len)
		g->modify(o->f, avx_element_linear(o->f, i, linear, at, len), len, i->mem.seg);
	for (unsigned at = 0; (len = vec_next_run(mask, count, size, &at)) != 0; at += len)
		g->store(o->f, avx_element_linear(o->f, i, linear, at, len), data.b + at, len, i->mem.seg);
}

/* Elements whose mask's top bit is clear are neither read nor written, and can't fault. */
static void
masked_move(struct avx_op *o, const struct ir_insn *i, unsigned size)
{
	unsigned first = 0, len, count = o->bytes / size;
	union vec512 selector;
	uint64_t linear, mask;

	read_operand(o, i, i->src, &selector);
	mask = chosen_by(&selector, o->bytes, size);
	len = vec_next_run(mask, count, size, &first);
	linear = len != 0 ? avx_masked_linear(o->f, i, first, len) : 0;
	if (i->dst.kind == IR_MEM) {
		masked_store(o, i, size, mask, linear);
		return;
	}
	for (unsigned n = 0; n < count; n++)
		if (mask >> n & 1)
			o->f->guest->load(o->f, avx_element_linear(o->f, i, linear, n * size, size), o->r.b + n * size, size, i->mem.seg);
	write_register(o, i);
}

/* ---- gathers ---- */

struct gather { uint8_t index, data; }; /* bytes of an element */

static const struct gather gathers[AVX_ROWS] = {
	[AVX_ROW_vpgatherdd] = { 4, 4 }, [AVX_ROW_vpgatherdq] = { 4, 8 }, [AVX_ROW_vpgatherqd] = { 8, 4 }, [AVX_ROW_vpgatherqq] = { 8, 8 },
	[AVX_ROW_vgatherdps] = { 4, 4 }, [AVX_ROW_vgatherdpd] = { 4, 8 }, [AVX_ROW_vgatherqps] = { 8, 4 }, [AVX_ROW_vgatherqpd] = { 8, 8 },
};

struct ir_insn
avx_element_insn(const struct ir_insn *i, const union vec512 *index, unsigned bytes, unsigned n)
{
	struct ir_insn one = *i;

	/* It wraps as addresses do. */
	one.mem.disp = (int64_t)((uint64_t)one.mem.disp + ((uint64_t)avx_lane_signed(index, bytes, n) << i->mem.scale));
	return one;
}

/*
 * Element by element, from the lowest; the mask of each that is there is cleared, so that after a fault the instruction goes on.
 * What is left of the mask then is as it was: on Intel's processors the bits below an element's top one may be a copy of that.
 */
static void
gather(struct avx_op *o, const struct ir_insn *i)
{
	const struct gather *g = &gathers[o->row - avx_rows];
	unsigned count = o->bytes / MAX(g->index, g->data), size = g->data;
	uint8_t *dst = o->f->vec[i->dst.reg], *mask = o->f->vec[i->src.reg];
	union vec512 index;

	memcpy(&index, o->f->vec[AVX_AUX_INDEX(i->aux)], 32);
	for (unsigned n = 0; n < count; n++) {
		if (mask[(n + 1) * size - 1] & 0x80) {
			struct ir_insn one = avx_element_insn(i, &index, g->index, n);
			uint64_t v = 0;

			o->f->guest->load(o->f, interp_address(o->f, &one, size), &v, size, i->mem.seg);
			memcpy(dst + n * size, &v, size);
		}
		memset(mask + n * size, 0, size);
	}
	memset(mask, 0, 64);
	memset(dst + count * size, 0, 64 - count * size);
}

/* ---- all of it ---- */

/* VZEROUPPER, VZEROALL. */
static void
zero(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned keep = AVX_AUX_L(i->aux) ? 0 : 16;

	for (unsigned n = 0; n <= AVX_AUX_INDEX(i->aux); n++)
		memset(f->vec[n] + keep, 0, 64 - keep);
}

static void
exchange(union vec512 *a, union vec512 *b)
{
	union vec512 v = *a;

	*a = *b;
	*b = v;
}

static void
read_all(struct avx_op *o, const struct ir_insn *i)
{
	switch (o->row->form) {
	case AVX_RVM:
	case AVX_RVMR:
	case AVX_RVRM:
	case AVX_RMV:
	case AVX_MVR:
		read_operand(o, i, i->src2, &o->b);
		read_operand(o, i, i->src, &o->a);
		break;
	case AVX_MR: /* SSE's twins have the register in B, as src */
		read_operand(o, i, i->src, &o->a);
		o->b = o->a;
		break;
	default:
		read_operand(o, i, i->src, &o->b);
		/* Shifts by an immediate work on their first operand. */
		o->a = o->b;
	}
	if (o->row->form == AVX_RVMR || o->row->form == AVX_RVRM)
		memcpy(&o->c, o->f->vec[o->imm >> 4 & 15], 32);
	else if (i->dst.kind == IR_XMM || i->dst.kind == IR_K)
		read_operand(o, i, i->dst, &o->c);
	if (o->row->form == AVX_RVRM)
		exchange(&o->b, &o->c);
	else if (o->row->form == AVX_RMV)
		exchange(&o->a, &o->b);
	/* Comparisons to flags, of strings too, have their first operand in dst. */
	if (o->row->flags & VEC_FLAGS)
		o->a = o->c;
}

const struct avx_impl *const avx_impls[AVX_IMPLS] = { avx_move_ops, avx_float_ops, avx_mask_ops, avx_xop_ops };

static const struct avx_impl *
impl_of(const struct avx_row *r)
{
	unsigned n = 0;

	while (avx_impls[n][r - avx_rows].run == NULL)
		n++;
	return &avx_impls[n][r - avx_rows];
}

void
avx_run(struct avx_op *o, const struct ir_insn *i)
{
	if (o->row->twin >= 0) {
		by_twin(o, i);
	} else {
		const struct avx_impl *impl = impl_of(o->row);

		o->arg = impl->arg;
		impl->run(o);
	}
}

void
interp_avx(struct tcg_frame *f, const struct ir_insn *i)
{
	const struct avx_row *row = &avx_rows[i->sub];
	struct avx_op o = {
		.f = f, .row = row, .bytes = row->l == AVX_L_IG ? 16 : 16u << AVX_AUX_L(i->aux), .imm = i->aux & 0xff, .env.mxcsr = f->mxcsr,
	};
	unsigned size;

	if (row->form == AVX_NONE) {
		zero(f, i);
	} else if (row->form == AVX_GATHER) {
		gather(&o, i);
	} else if (is_masked_move(row, &size)) {
		masked_move(&o, i, size);
	} else {
		read_all(&o, i);
		avx_run(&o, i);
		if (avx_is_unmasked(&o)) {
			/* A store that can't be comes first. */
			if (i->dst.kind == IR_MEM)
				f->guest->modify(f, interp_address(f, i, i->width), i->width, i->mem.seg);
			avx_raise(&o);
		}
		if (row->flags & VEC_FLAGS)
			f->flags = flags_from_eflags(o.eflags);
		else if (i->dst.kind == IR_MEM)
			f->guest->store(f, interp_address(f, i, i->width), &o.r, i->width, i->mem.seg);
		else
			write_register(&o, i);
		f->mxcsr |= o.env.raised | o.settled;
	}
}
