/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA (FIPS 180-4) as its instructions cut it up, and arithmetic in GF(2^8): SDM volume 2. */
#include "tcg/interp/vec_op.h"

static uint32_t
rotate_left(uint32_t v, unsigned n)
{
	return v << n | v >> (32 - n);
}

static uint32_t
rotate_right(uint32_t v, unsigned n)
{
	return v >> n | v << (32 - n);
}

/* ---- SHA-1: word 3 of a register is the first ---- */

static uint32_t
round_function(unsigned kind, uint32_t b, uint32_t c, uint32_t d)
{
	switch (kind) {
	case 0:
		return (b & c) ^ (~b & d);
	case 2:
		return (b & c) ^ (b & d) ^ (c & d);
	default:
		return b ^ c ^ d;
	}
}

static void
sha1rnds4(struct vec_op *o)
{
	static const uint32_t constants[4] = { 0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6 };
	uint32_t a = o->a.d[3], b = o->a.d[2], c = o->a.d[1], d = o->a.d[0], e = 0;

	/* The first word has E added already. */
	for (unsigned n = 0; n < 4; n++) {
		uint32_t next = round_function(o->imm & 3, b, c, d) + rotate_left(a, 5) + o->b.d[3 - n] + e + constants[o->imm & 3];

		e = d;
		d = c;
		c = rotate_left(b, 30);
		b = a;
		a = next;
	}
	o->a = (union vec128){ .d = { d, c, b, a } };
}

static void
sha1nexte(struct vec_op *o)
{
	uint32_t e = rotate_left(o->a.d[3], 30);

	o->a = o->b;
	o->a.d[3] += e;
}

static void
sha1msg1(struct vec_op *o)
{
	o->a = (union vec128){ .d = { o->b.d[2] ^ o->a.d[0], o->b.d[3] ^ o->a.d[1], o->a.d[0] ^ o->a.d[2], o->a.d[1] ^ o->a.d[3] } };
}

static void
sha1msg2(struct vec_op *o)
{
	uint32_t w16 = rotate_left(o->a.d[3] ^ o->b.d[2], 1), w17 = rotate_left(o->a.d[2] ^ o->b.d[1], 1);
	uint32_t w18 = rotate_left(o->a.d[1] ^ o->b.d[0], 1), w19 = rotate_left(o->a.d[0] ^ w16, 1);

	o->a = (union vec128){ .d = { w19, w18, w17, w16 } };
}

/* ---- SHA-256 ---- */

static uint32_t
small_sigma0(uint32_t v)
{
	return rotate_right(v, 7) ^ rotate_right(v, 18) ^ v >> 3;
}

static uint32_t
small_sigma1(uint32_t v)
{
	return rotate_right(v, 17) ^ rotate_right(v, 19) ^ v >> 10;
}

/* dst is C D G H, src A B E F, from the top; XMM0 has two words with their constants. */
static void
sha256rnds2(struct vec_op *o)
{
	uint32_t v[8] = { o->b.d[3], o->b.d[2], o->a.d[3], o->a.d[2], o->b.d[1], o->b.d[0], o->a.d[1], o->a.d[0] }, wk[2];

	memcpy(wk, o->f->vec[0], sizeof wk);
	for (unsigned n = 0; n < 2; n++) {
		uint32_t a = v[0], e = v[4], one = ((e & v[5]) ^ (~e & v[6])) + v[7] + wk[n], two = (a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]);

		one += rotate_right(e, 6) ^ rotate_right(e, 11) ^ rotate_right(e, 25);
		two += rotate_right(a, 2) ^ rotate_right(a, 13) ^ rotate_right(a, 22);
		memmove(v + 1, v, 7 * sizeof *v);
		v[0] = one + two;
		v[4] += one;
	}
	o->a = (union vec128){ .d = { v[5], v[4], v[1], v[0] } };
}

static void
sha256msg1(struct vec_op *o)
{
	uint32_t w[5] = { o->a.d[0], o->a.d[1], o->a.d[2], o->a.d[3], o->b.d[0] };

	for (unsigned n = 0; n < 4; n++)
		o->a.d[n] = w[n] + small_sigma0(w[n + 1]);
}

static void
sha256msg2(struct vec_op *o)
{
	uint32_t w16 = o->a.d[0] + small_sigma1(o->b.d[2]), w17 = o->a.d[1] + small_sigma1(o->b.d[3]);

	o->a = (union vec128){ .d = { w16, w17, o->a.d[2] + small_sigma1(w16), o->a.d[3] + small_sigma1(w17) } };
}

/* ---- GF(2^8), modulo x^8 + x^4 + x^3 + x + 1 ---- */

static uint8_t
gf_multiply(unsigned a, unsigned b)
{
	unsigned r = 0;

	for (; b != 0; b >>= 1) {
		r ^= b & 1 ? a : 0;
		a = a << 1 ^ (a & 0x80 ? 0x11b : 0);
	}
	return (uint8_t)r;
}

/* v^254, which is 0 for 0. */
static uint8_t
gf_inverse(uint8_t v)
{
	uint8_t r = 1, power = v;

	for (unsigned n = 0; n < 7; n++) {
		power = gf_multiply(power, power);
		r = gf_multiply(r, power);
	}
	return r;
}

static void
gf2p8mulb(struct vec_op *o)
{
	for (unsigned n = 0; n < 16; n++)
		o->a.b[n] = gf_multiply(o->a.b[n], o->b.b[n]);
}

/* ARG: of the inverse.  Row 7 of a quadword's matrix makes bit 0. */
static void
gf2p8affine(struct vec_op *o)
{
	for (unsigned n = 0; n < 16; n++) {
		const uint8_t *matrix = o->b.b + (n & 8);
		uint8_t v = o->arg ? gf_inverse(o->a.b[n]) : o->a.b[n], r = 0;

		for (unsigned bit = 0; bit < 8; bit++)
			r |= (uint8_t)(__builtin_parity(matrix[7 - bit] & v) << bit);
		o->a.b[n] = r ^ (uint8_t)o->imm;
	}
}

const struct vec_impl vec_sha_ops[VEC_ROWS] = {
	[VEC_sha1rnds4] = { sha1rnds4, 0 }, [VEC_sha1nexte] = { sha1nexte, 0 }, [VEC_sha1msg1] = { sha1msg1, 0 },
	[VEC_sha1msg2] = { sha1msg2, 0 }, [VEC_sha256rnds2] = { sha256rnds2, 0 }, [VEC_sha256msg1] = { sha256msg1, 0 },
	[VEC_sha256msg2] = { sha256msg2, 0 }, [VEC_gf2p8mulb] = { gf2p8mulb, 0 }, [VEC_gf2p8affineqb] = { gf2p8affine, 0 },
	[VEC_gf2p8affineinvqb] = { gf2p8affine, 1 },
};
