/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX and AVX2: what moves, shuffles, shifts each lane by a count of its own, and tests.  SDM volume 2. */
#include "tcg/interp/avx_op.h"

#include "base/util.h"

/* ARG: size of the element that fills the vector. */
static void
broadcast(struct avx_op *o)
{
	for (unsigned at = 0; at < o->bytes; at += o->arg)
		memcpy(o->r.b + at, o->b.b, o->arg);
}

static void
insert_half(struct avx_op *o)
{
	o->r = o->a;
	o->r.lane[o->imm & 1] = o->b.lane[0];
}

static void
extract_half(struct avx_op *o)
{
	o->r.lane[0] = o->a.lane[o->imm & 1];
}

static void
permute_halves(struct avx_op *o)
{
	for (unsigned n = 0; n < 2; n++) {
		unsigned control = o->imm >> 4 * n & 15;

		if (!(control & 8))
			o->r.lane[n] = control & 2 ? o->b.lane[control & 1] : o->a.lane[control & 1];
	}
}

/* VPERMILPS, VPERMILPD by a vector; bit 1 of each element counts with PD. */
static void
permute_in_lanes(struct avx_op *o)
{
	unsigned size = o->arg, count = 16 / size;

	for (unsigned n = 0; n < o->bytes / size; n++) {
		uint64_t control = avx_lane(&o->b, size, n);
		unsigned from = size == 8 ? control >> 1 & 1 : control & 3;

		avx_set_lane(&o->r, size, n, avx_lane(&o->a, size, n / count * count + from));
	}
}

/* The same by the immediate: two bits an element for PS, repeated in the upper half; one bit an element for PD. */
static void
permute_in_lanes_imm(struct avx_op *o)
{
	unsigned size = o->arg, count = 16 / size;

	for (unsigned n = 0; n < o->bytes / size; n++) {
		unsigned from = size == 8 ? o->imm >> n & 1 : o->imm >> 2 * (n & 3) & 3;

		avx_set_lane(&o->r, size, n, avx_lane(&o->b, size, n / count * count + from));
	}
}

/* VPERMD, VPERMPS: the control is the first source. */
static void
permute_across(struct avx_op *o)
{
	for (unsigned n = 0; n < 8; n++)
		o->r.d[n] = o->b.d[o->a.d[n] & 7];
}

static void
permute_quads(struct avx_op *o)
{
	for (unsigned n = 0; n < 4; n++)
		o->r.q[n] = o->b.q[o->imm >> 2 * n & 3];
}

static void
blend_imm(struct avx_op *o)
{
	for (unsigned n = 0; n < o->bytes / 4; n++)
		o->r.d[n] = o->imm >> n & 1 ? o->b.d[n] : o->a.d[n];
}

/* By the top bit of each element of the fourth register; ARG: its size. */
static void
blend_variable(struct avx_op *o)
{
	for (unsigned n = 0; n < o->bytes / o->arg; n++) {
		bool second = o->c.b[(n + 1) * o->arg - 1] >> 7;

		avx_set_lane(&o->r, o->arg, n, avx_lane(second ? &o->b : &o->a, o->arg, n));
	}
}

enum { SHIFT_LEFT = 0, SHIFT_RIGHT = 16, SHIFT_SIGNED = 32 };

/* ARG: size of an element, and the way. */
static void
shift_each(struct avx_op *o)
{
	unsigned size = o->arg & 15, bits = 8 * size;

	for (unsigned n = 0; n < o->bytes / size; n++) {
		uint64_t v = avx_lane(&o->a, size, n), count = avx_lane(&o->b, size, n);

		if (o->arg & SHIFT_SIGNED)
			v = (uint64_t)((int64_t)(int32_t)v >> MIN(count, 31u));
		else if (count >= bits)
			v = 0;
		else
			v = o->arg & SHIFT_RIGHT ? v >> count : v << count;
		avx_set_lane(&o->r, size, n, v);
	}
}

/* VTESTPS, VTESTPD: signs alone.  ZF: src has none where dst has one; CF: where it has not. */
static void
test_signs(struct avx_op *o)
{
	bool both = false, second = false;

	for (unsigned at = o->arg - 1; at < o->bytes; at += o->arg) {
		both |= o->c.b[at] & o->b.b[at] & 0x80;
		second |= ~o->c.b[at] & o->b.b[at] & 0x80;
	}
	o->eflags = (both ? 0 : FL_ZF) | (second ? 0 : FL_CF);
}

const struct avx_impl avx_move_ops[AVX_ROWS] = {
	[AVX_ROW_vbroadcastss] = { broadcast, 4 }, [AVX_ROW_vbroadcastsd] = { broadcast, 8 }, [AVX_ROW_vbroadcastf128] = { broadcast, 16 },
	[AVX_ROW_vbroadcasti128] = { broadcast, 16 }, [AVX_ROW_vpbroadcastb] = { broadcast, 1 }, [AVX_ROW_vpbroadcastw] = { broadcast, 2 },
	[AVX_ROW_vpbroadcastd] = { broadcast, 4 }, [AVX_ROW_vpbroadcastq] = { broadcast, 8 },
	[AVX_ROW_vinsertf128] = { insert_half, 0 }, [AVX_ROW_vinserti128] = { insert_half, 0 },
	[AVX_ROW_vextractf128] = { extract_half, 0 }, [AVX_ROW_vextracti128] = { extract_half, 0 },
	[AVX_ROW_vperm2f128] = { permute_halves, 0 }, [AVX_ROW_vperm2i128] = { permute_halves, 0 },
	[AVX_ROW_vpermilps] = { permute_in_lanes, 4 }, [AVX_ROW_vpermilpd] = { permute_in_lanes, 8 },
	[AVX_ROW_vpermilps_imm] = { permute_in_lanes_imm, 4 }, [AVX_ROW_vpermilpd_imm] = { permute_in_lanes_imm, 8 },
	[AVX_ROW_vpermd] = { permute_across, 0 }, [AVX_ROW_vpermps] = { permute_across, 0 },
	[AVX_ROW_vpermq] = { permute_quads, 0 }, [AVX_ROW_vpermpd] = { permute_quads, 0 }, [AVX_ROW_vpblendd] = { blend_imm, 0 },
	[AVX_ROW_vpblendvb] = { blend_variable, 1 }, [AVX_ROW_vblendvps] = { blend_variable, 4 }, [AVX_ROW_vblendvpd] = { blend_variable, 8 },
	[AVX_ROW_vpsllvd] = { shift_each, 4 }, [AVX_ROW_vpsllvq] = { shift_each, 8 },
	[AVX_ROW_vpsrlvd] = { shift_each, 4 | SHIFT_RIGHT }, [AVX_ROW_vpsrlvq] = { shift_each, 8 | SHIFT_RIGHT },
	[AVX_ROW_vpsravd] = { shift_each, 4 | SHIFT_SIGNED },
	[AVX_ROW_vtestps] = { test_signs, 4 }, [AVX_ROW_vtestpd] = { test_signs, 8 },
};
