/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCMPESTRI, PCMPESTRM, PCMPISTRI, PCMPISTRM: Intel SDM volume 2, "Imm8 Control Byte Operation for PCMPESTRI / ...".
 *
 * dst is the set, the ranges or the needle; src is the text.  Bit n of the result is about element n of the text.
 */
#include "tcg/interp/vec_op.h"

enum { RAX, RCX, RDX };

/* The immediate. */
enum {
	WORDS = 1, SIGNED = 2,
	AGGREGATE = 0xc, EQUAL_ANY = 0, RANGES = 4, EQUAL_EACH = 8, EQUAL_ORDERED = 0xc,
	NEGATIVE = 0x10, MASKED = 0x20,
	LAST = 0x40, EXPAND = 0x40,
};

struct strings {
	int32_t set[16], text[16];
	unsigned set_len, text_len; /* valid elements */
	unsigned count;             /* elements of a register: 8 or 16 */
};

static void
take_elements(const struct vec_op *o, const union vec128 *v, int32_t *to)
{
	unsigned size = o->imm & WORDS ? 2 : 1;

	for (unsigned n = 0; n < 16 / size; n++)
		to[n] = (int32_t)(o->imm & SIGNED ? vec_lane_signed(v, size, n) : (int64_t)vec_lane(v, size, n));
}

static unsigned
implicit_length(const int32_t *s, unsigned count)
{
	unsigned n = 0;

	while (n < count && s[n] != 0)
		n++;
	return n;
}

/* The magnitude of a general register, at most COUNT. */
static unsigned
explicit_length(const struct vec_op *o, unsigned reg, unsigned count)
{
	uint64_t v = o->gpr_width == 8 ? o->f->gpr[reg] : (uint64_t)(int64_t)(int32_t)o->f->gpr[reg];

	if (v >> 63)
		v = -v;
	return v < count ? (unsigned)v : count;
}

static bool
in_set(const struct strings *s, int32_t c)
{
	for (unsigned n = 0; n < s->set_len; n++)
		if (s->set[n] == c)
			return true;
	return false;
}

static bool
in_ranges(const struct strings *s, int32_t c)
{
	for (unsigned n = 0; n + 1 < s->set_len; n += 2)
		if (s->set[n] <= c && c <= s->set[n + 1])
			return true;
	return false;
}

/* Does the needle begin at AT, as far as the register shows? */
static bool
begins_at(const struct strings *s, unsigned at)
{
	for (unsigned n = 0; n < s->set_len && at + n < s->count; n++)
		if (at + n >= s->text_len || s->set[n] != s->text[at + n])
			return false;
	return true;
}

static bool
element_matches(const struct strings *s, unsigned aggregate, unsigned n)
{
	bool set_valid = n < s->set_len, text_valid = n < s->text_len;

	switch (aggregate) {
	case EQUAL_ANY:
		return text_valid && in_set(s, s->text[n]);
	case RANGES:
		return text_valid && in_ranges(s, s->text[n]);
	case EQUAL_EACH:
		return set_valid && text_valid ? s->set[n] == s->text[n] : set_valid == text_valid;
	default:
		return begins_at(s, n);
	}
}

static unsigned
match(const struct strings *s, unsigned imm)
{
	unsigned all = (1u << s->count) - 1, r = 0;

	for (unsigned n = 0; n < s->count; n++)
		if (element_matches(s, imm & AGGREGATE, n))
			r |= 1u << n;
	if (imm & NEGATIVE)
		r ^= imm & MASKED ? (1u << s->text_len) - 1 : all;
	return r;
}

static void
give_index(struct vec_op *o, const struct strings *s, unsigned r)
{
	unsigned index = s->count;

	if (r != 0)
		index = o->imm & LAST ? 31 - (unsigned)__builtin_clz(r) : (unsigned)__builtin_ctz(r);
	o->f->gpr[RCX] = index;
}

static void
give_mask(struct vec_op *o, const struct strings *s, unsigned r)
{
	union vec128 mask = { .q = { r, 0 } };

	if (o->imm & EXPAND)
		for (unsigned n = 0; n < s->count; n++)
			vec_set_lane(&mask, 16 / s->count, n, r >> n & 1 ? ~0ull : 0);
	memcpy(o->f->vec[0], &mask, sizeof mask);
}

enum { EXPLICIT = 1, INDEX = 2 };

static void
compare_strings(struct vec_op *o)
{
	struct strings s = { .count = o->imm & WORDS ? 8 : 16 };
	unsigned r;

	take_elements(o, &o->a, s.set);
	take_elements(o, &o->b, s.text);
	s.set_len = o->arg & EXPLICIT ? explicit_length(o, RAX, s.count) : implicit_length(s.set, s.count);
	s.text_len = o->arg & EXPLICIT ? explicit_length(o, RDX, s.count) : implicit_length(s.text, s.count);
	r = match(&s, o->imm);
	o->eflags = (r != 0 ? FL_CF : 0) | (s.text_len < s.count ? FL_ZF : 0) | (s.set_len < s.count ? FL_SF : 0) |
		    (r & 1 ? 0x800 : 0);
	if (o->arg & INDEX)
		give_index(o, &s, r);
	else
		give_mask(o, &s, r);
}

const struct vec_impl vec_string_ops[VEC_ROWS] = {
	[VEC_pcmpestri] = { compare_strings, EXPLICIT | INDEX }, [VEC_pcmpestrm] = { compare_strings, EXPLICIT },
	[VEC_pcmpistri] = { compare_strings, INDEX }, [VEC_pcmpistrm] = { compare_strings, 0 },
};
