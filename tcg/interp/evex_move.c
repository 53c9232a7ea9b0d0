/* SPDX-License-Identifier: GPL-2.0-or-later */
/* AVX-512: what moves, permutes, packs and broadcasts.  SDM volume 2. */
#include "tcg/interp/evex_op.h"

#include "base/util.h"

/* ---- repeating ---- */

/* The element that fills the vector: in memory or a register as many bytes as the row says, of a general register the element. */
static void
broadcast(struct evex_op *e)
{
	unsigned bytes = e->row->size != 0 ? e->row->size : e->size;

	for (unsigned at = 0; at < e->v.bytes; at += bytes)
		memcpy(e->v.r.b + at, e->v.b.b, bytes);
}

/* VPBROADCASTMx; ARG: size of an element, and how many bits of the mask << 4. */
static void
broadcast_mask(struct evex_op *e)
{
	unsigned size = e->v.arg & 15, bits = e->v.arg >> 4;

	for (unsigned n = 0; n < e->v.bytes / size; n++)
		avx_set_lane(&e->v.r, size, n, e->v.b.q[0] & low_bits(bits));
}

/* VPMOVM2x, VPMOVx2M; ARG: size of an element. */
static void
mask_to_vector(struct evex_op *e)
{
	for (unsigned n = 0; n < e->v.bytes / e->v.arg; n++)
		avx_set_lane(&e->v.r, e->v.arg, n, e->v.b.q[0] >> n & 1 ? ~0ull : 0);
}

static void
vector_to_mask(struct evex_op *e)
{
	for (unsigned n = 0; n < e->v.bytes / e->v.arg; n++)
		e->v.r.q[0] |= (uint64_t)(e->v.b.b[(n + 1) * e->v.arg - 1] >> 7) << n;
}

/* ---- permuting ---- */

/* VPERMD and the like: the first source says where from. */
static void
permute(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		avx_set_lane(&e->v.r, e->size, n, avx_lane(&e->v.b, e->size, avx_lane(&e->v.a, e->size, n) & (e->count - 1)));
}

/* VPERMI2x, VPERMT2x: out of two vectors; ARG: the destination is the indices, else the first vector. */
static void
permute_two(struct evex_op *e)
{
	const union vec512 *index = e->v.arg ? &e->v.c : &e->v.a, *first = e->v.arg ? &e->v.a : &e->v.c;

	for (unsigned n = 0; n < e->count; n++) {
		unsigned from = avx_lane(index, e->size, n) & (2 * e->count - 1);

		avx_set_lane(&e->v.r, e->size, n, avx_lane(from < e->count ? first : &e->v.b, e->size, from & (e->count - 1)));
	}
}

/* VPERMQ, VPERMPD by the immediate: within each 32 bytes. */
static void
permute_imm(struct evex_op *e)
{
	for (unsigned n = 0; n < e->count; n++)
		e->v.r.q[n] = e->v.b.q[(n & ~3u) + (e->v.imm >> 2 * (n & 3) & 3)];
}

/* Both sources side by side, shifted right by elements. */
static void
align(struct evex_op *e)
{
	unsigned by = e->v.imm & (e->count - 1);

	for (unsigned n = 0; n < e->count; n++)
		avx_set_lane(&e->v.r, e->size, n, avx_lane(n + by < e->count ? &e->v.b : &e->v.a, e->size, (n + by) & (e->count - 1)));
}

/* ARG: bytes of the part. */
static void
insert(struct evex_op *e)
{
	unsigned part = e->v.imm & (e->v.bytes / e->v.arg - 1);

	memcpy(&e->v.r, &e->v.a, e->v.bytes);
	memcpy(e->v.r.b + part * e->v.arg, e->v.b.b, e->v.arg);
}

static void
extract(struct evex_op *e)
{
	unsigned part = e->v.imm & (e->v.bytes / e->v.arg - 1);

	memcpy(e->v.r.b, e->v.a.b + part * e->v.arg, e->v.arg);
}

/* VSHUFx32X4 and the like: 16 bytes at a time, the lower half of the result out of the first source. */
static void
shuffle_lanes(struct evex_op *e)
{
	unsigned lanes = e->v.bytes / 16, bits = lanes == 4 ? 2 : 1;

	for (unsigned n = 0; n < lanes; n++)
		e->v.r.lane[n] = (n < lanes / 2 ? &e->v.a : &e->v.b)->lane[e->v.imm >> bits * n & (lanes - 1)];
}

/* ---- narrowing ---- */

enum { TRUNCATE = 0, SIGNED = 0x100, UNSIGNED = 0x200 };

/* VPMOVxy; ARG: bytes of an element of the source, and how what doesn't fit is cut. */
static void
narrow(struct evex_op *e)
{
	unsigned from = e->v.arg & 15, bits = 8 * e->size;

	for (unsigned n = 0; n < e->v.bytes / from; n++) {
		uint64_t v = avx_lane(&e->v.a, from, n), max = low_bits(bits);
		int64_t s = avx_lane_signed(&e->v.a, from, n), top = (int64_t)(max >> 1);

		if (e->v.arg & UNSIGNED)
			v = v > max ? max : v;
		else if (e->v.arg & SIGNED)
			v = (uint64_t)(s > top ? top : s < -top - 1 ? -top - 1 : s);
		avx_set_lane(&e->v.r, e->size, n, v);
	}
}

/* ---- by the mask ---- */

/* Those that the mask selects, side by side; in a register the rest stays, or becomes 0. */
static void
compress(struct evex_op *e)
{
	unsigned to = 0;

	for (unsigned n = 0; n < e->count; n++)
		if (e->k >> n & 1)
			avx_set_lane(&e->v.r, e->size, to++, avx_lane(&e->v.a, e->size, n));
	if (!e->in_memory)
		e->k = low_bits(to);
}

static void
expand(struct evex_op *e)
{
	unsigned from = 0;

	for (unsigned n = 0; n < e->count; n++)
		if (e->k >> n & 1)
			avx_set_lane(&e->v.r, e->size, n, avx_lane(&e->v.b, e->size, from++));
}

static void
second(struct evex_op *e)
{
	e->v.r = e->v.b;
	memset(e->v.r.b + e->v.bytes, 0, sizeof(e->v.r) - e->v.bytes);
}

#define DQ(name, fn, arg) [EVEX_ROW_##name##d] = { fn, arg }, [EVEX_ROW_##name##q] = { fn, arg }
#define PSPD(name, fn, arg) [EVEX_ROW_##name##ps] = { fn, arg }, [EVEX_ROW_##name##pd] = { fn, arg }
#define BWDQ(name, fn, arg) [EVEX_ROW_##name##b] = { fn, arg }, [EVEX_ROW_##name##w] = { fn, arg }, DQ(name, fn, arg)
#define PARTS(name, fn) \
	[EVEX_ROW_##name##32x4] = { fn, 16 }, [EVEX_ROW_##name##64x2] = { fn, 16 }, [EVEX_ROW_##name##32x8] = { fn, 32 }, \
	[EVEX_ROW_##name##64x4] = { fn, 32 }
#define REPEATED(type) \
	[EVEX_ROW_vbroadcast##type##32x2] = { broadcast, 0 }, [EVEX_ROW_vbroadcast##type##32x4] = { broadcast, 0 }, \
	[EVEX_ROW_vbroadcast##type##64x2] = { broadcast, 0 }, [EVEX_ROW_vbroadcast##type##32x8] = { broadcast, 0 }, \
	[EVEX_ROW_vbroadcast##type##64x4] = { broadcast, 0 }
#define NARROWED(name, how) \
	[EVEX_ROW_##name##wb] = { narrow, 2 | (how) }, [EVEX_ROW_##name##db] = { narrow, 4 | (how) }, \
	[EVEX_ROW_##name##qb] = { narrow, 8 | (how) }, [EVEX_ROW_##name##dw] = { narrow, 4 | (how) }, \
	[EVEX_ROW_##name##qw] = { narrow, 8 | (how) }, [EVEX_ROW_##name##qd] = { narrow, 8 | (how) }

const struct evex_impl evex_move_ops[EVEX_ROWS] = {
	REPEATED(f), REPEATED(i), [EVEX_ROW_vbroadcastss] = { broadcast, 0 }, [EVEX_ROW_vbroadcastsd] = { broadcast, 0 },
	BWDQ(vpbroadcast, broadcast, 0),
	[EVEX_ROW_vpbroadcastb_gpr] = { broadcast, 0 }, [EVEX_ROW_vpbroadcastw_gpr] = { broadcast, 0 },
	[EVEX_ROW_vpbroadcastd_gpr] = { broadcast, 0 }, [EVEX_ROW_vpbroadcastq_gpr] = { broadcast, 0 },
	[EVEX_ROW_vpbroadcastmb2q] = { broadcast_mask, 8 | 8 << 4 }, [EVEX_ROW_vpbroadcastmw2d] = { broadcast_mask, 4 | 16 << 4 },
	[EVEX_ROW_vpmovm2b] = { mask_to_vector, 1 }, [EVEX_ROW_vpmovm2w] = { mask_to_vector, 2 },
	[EVEX_ROW_vpmovm2d] = { mask_to_vector, 4 }, [EVEX_ROW_vpmovm2q] = { mask_to_vector, 8 },
	[EVEX_ROW_vpmovb2m] = { vector_to_mask, 1 }, [EVEX_ROW_vpmovw2m] = { vector_to_mask, 2 },
	[EVEX_ROW_vpmovd2m] = { vector_to_mask, 4 }, [EVEX_ROW_vpmovq2m] = { vector_to_mask, 8 },
	BWDQ(vperm, permute, 0), PSPD(vperm, permute, 0), BWDQ(vpermi2, permute_two, 1), PSPD(vpermi2, permute_two, 1),
	BWDQ(vpermt2, permute_two, 0), PSPD(vpermt2, permute_two, 0),
	[EVEX_ROW_vpermq_imm] = { permute_imm, 0 }, [EVEX_ROW_vpermpd_imm] = { permute_imm, 0 }, DQ(valign, align, 0),
	PARTS(vinsertf, insert), PARTS(vinserti, insert), PARTS(vextractf, extract), PARTS(vextracti, extract),
	[EVEX_ROW_vshuff32x4] = { shuffle_lanes, 0 }, [EVEX_ROW_vshuff64x2] = { shuffle_lanes, 0 },
	[EVEX_ROW_vshufi32x4] = { shuffle_lanes, 0 }, [EVEX_ROW_vshufi64x2] = { shuffle_lanes, 0 },
	NARROWED(vpmov, TRUNCATE), NARROWED(vpmovs, SIGNED), NARROWED(vpmovus, UNSIGNED),
	BWDQ(vpcompress, compress, 0), PSPD(vcompress, compress, 0), BWDQ(vpexpand, expand, 0), PSPD(vexpand, expand, 0),
	BWDQ(vpblendm, second, 0), PSPD(vblendm, second, 0),
};
