/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One instruction: prefixes, ModRM and what an encoding has besides, and what has to fit patched. */
#include "tests/fuzz/generate.h"

#include <string.h>

#include "base/util.h"
#include "cpu/avx.h"
#include "cpu/decode.h"
#include "cpu/evex.h"
#include "cpu/map.h"
#include "cpu/vec.h"

unsigned
pick_register(struct build *b, unsigned high)
{
	unsigned reg = 0;

	for (unsigned n = 0; n < TRIES; n++) {
		reg = random_below(b->r, 8);
		if (!(b->reserved >> (reg | high) & 1) || (!(b->strict >> (reg | high) & 1) && random_percent(b->r, 3)))
			break;
	}
	return reg;
}

bool
is_string(const struct template *t)
{
	return t->name != NULL && in_words(" MOVS STOS LODS CMPS SCAS ", t->name);
}

static bool
needs_alignment(const struct template *t)
{
	if (t->evex != NULL)
		return evex_flags(t->evex) & VEC_ALIGN;
	if (t->avx != NULL)
		return t->avx->flags & VEC_ALIGN;
	if (t->vec != NULL)
		return t->vec->flags & VEC_ALIGN;
	return in_words(" CMPXCHG8B FXRSTOR FXSAVE XSAVE ", t->name);
}

/* Legacy prefixes, in any order. */
static unsigned
put_prefixes(struct build *b, const struct template *t, bool memory, bool gs, uint8_t *to)
{
	static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 }, idle[4] = { 0x26, 0x2e, 0x36, 0x3e };
	bool free_prefix = !t->prefix_fixed && t->vec == NULL;
	unsigned n = 0;

	if (mandatory[t->prefix] != 0 && !t->vex)
		to[n++] = mandatory[t->prefix];
	if (free_prefix && random_percent(b->r, 20))
		to[n++] = 0x66;
	if (memory && t->flags & ROW_LOCK && random_percent(b->r, 25))
		to[n++] = 0xf0;
	if (random_percent(b->r, 4) && !is_string(t))
		to[n++] = 0x67;
	if (gs)
		to[n++] = 0x65;
	else if (random_percent(b->r, 2))
		to[n++] = idle[random_below(b->r, 4)];
	if (free_prefix && (is_string(t) ? random_percent(b->r, 60) : random_percent(b->r, t->opcode >> 1 == 0xbc >> 1 ? 40 : 2)) &&
		(t->map == MAP_1 || t->opcode >> 1 == 0xbc >> 1))
		to[n++] = random_percent(b->r, 70) || !is_string(t) ? 0xf3 : 0xf2;
	for (unsigned k = n; k > 1; k--) {
		unsigned j = random_below(b->r, k);
		uint8_t swap = to[k - 1];

		to[k - 1] = to[j];
		to[j] = swap;
	}
	return n;
}

static unsigned
put_rex(struct build *b, const struct template *t, uint8_t *to)
{
	unsigned wide = t->vec == NULL ? 45 : t->vec->flags & VEC_WIDE ? 50 : 8;

	if (b->s->code32 || random_percent(b->r, 35))
		return 0;
	*to = 0x40 | (random_percent(b->r, wide) ? REX_W : 0) | random_below(b->r, 8);
	return 1;
}

unsigned
put_opcode(const struct template *t, uint8_t *to)
{
	unsigned n = 0;

	if (t->map != MAP_1)
		to[n++] = 0x0f;
	if (t->map == MAP_0F38 || t->map == MAP_0F3A)
		to[n++] = t->map == MAP_0F38 ? 0x38 : 0x3a;
	to[n++] = t->opcode;
	return n;
}

static void
put32(uint8_t *to, uint32_t v)
{
	memcpy(to, &v, 4);
}

static unsigned
displacement(struct build *b, const struct template *t, unsigned reach)
{
	unsigned d = random_below(b->r, 2 * reach) - reach;

	if (b->edge && random_percent(b->r, 70))
		d = random_below(b->r, 33) - 16;
	return needs_alignment(t) && random_percent(b->r, b->edge ? 60 : 97) ? d & ~31u : d;
}

/* An address in the data without a register. */
static unsigned
put_absolute(struct build *b, const struct template *t, bool gs, uint8_t *to, unsigned reg)
{
	uint32_t at = (uint32_t)(gs ? 0 : FUZZ_DATA + 0x800) + random_below(b->r, 0x1800);

	if (needs_alignment(t))
		at &= ~31u;
	to[0] = (uint8_t)(reg << 3 | 4);
	to[1] = 0x25;
	put32(to + 2, at);
	return 6;
}

static bool
is_gather(const struct template *t)
{
	return (t->avx != NULL && t->avx->form == AVX_GATHER) ||
		(t->evex != NULL && (t->evex->form == AVX_GATHER || t->evex->form == AVX_SCATTER));
}

/* ModRM, SIB, displacement of a gather's addresses: the index is a vector. */
static unsigned
put_gathered(struct build *b, const struct template *t, unsigned reg, uint8_t *rex, bool gs, uint8_t *to)
{
	unsigned base = b->base[random_below(b->r, b->bases)], n = 2;
	unsigned mod = gs || random_percent(b->r, 4) ? 0 : 1 + random_below(b->r, 2);

	if (rex == NULL && base >= 8)
		base = RBX;
	if (rex == NULL)
		b->vector_index &= 7;
	else
		*rex = (uint8_t)((*rex & ~(REX_B | REX_X)) | (mod != 0 && base >= 8 ? REX_B : 0) | (b->vector_index >= 8 ? REX_X : 0));
	to[0] = (uint8_t)(mod << 6 | reg << 3 | 4);
	to[1] = (uint8_t)(random_below(b->r, 4) << 6 | (b->vector_index & 7) << 3 | (mod == 0 ? 5 : base & 7));
	if (mod == 1) {
		to[n++] = (uint8_t)displacement(b, t, 128);
	} else {
		put32(to + n, mod == 0 ? (uint32_t)(gs ? 0 : FUZZ_DATA) + 0x800 + random_below(b->r, 0x1000) : displacement(b, t, 0x200));
		n += 4;
	}
	return n;
}

/* ModRM, SIB, displacement of a memory operand; REX may change (or NULL: none).  *RIP_RELATIVE: where its distance stands. */
static unsigned
put_memory(struct build *b, const struct template *t, unsigned reg, uint8_t *rex, bool gs, uint8_t *to, bool *rip_relative)
{
	unsigned base, n = 1, mod = random_below(b->r, 10) < 4 ? 1 : random_below(b->r, 2) * 2;
	bool indexed = random_percent(b->r, 30);

	*rip_relative = false;
	if (is_gather(t))
		return put_gathered(b, t, reg, rex, gs, to);
	if (gs || random_percent(b->r, 4))
		return put_absolute(b, t, gs, to, reg);
	if (random_percent(b->r, 8)) {
		*rip_relative = true;
		to[0] = (uint8_t)(reg << 3 | 5);
		return 5;
	}
	for (unsigned tries = 0; tries < TRIES; tries++) {
		base = b->base[random_below(b->r, b->bases)];
		if (base < 8 || rex != NULL)
			break;
	}
	if (base >= 8 && rex == NULL)
		base = RSP;
	if (b->index >= 8 && rex == NULL)
		indexed = false;
	if (rex != NULL)
		*rex = (uint8_t)((*rex & ~(REX_B | (indexed ? REX_X : 0))) | (base >= 8 ? REX_B : 0) |
			(indexed && b->index >= 8 ? REX_X : 0));
	if (mod == 0 && (base & 7) == 5)
		mod = 1;
	to[0] = (uint8_t)(mod << 6 | reg << 3 | (base & 7));
	if (indexed || (base & 7) == 4) {
		to[0] = (uint8_t)(mod << 6 | reg << 3 | 4);
		to[n++] = (uint8_t)(random_below(b->r, 4) << 6 | (indexed ? b->index & 7 : 4) << 3 | (base & 7));
		/* An index of 4 without REX.X is none; with it, it is R12. */
		if (!indexed && rex != NULL)
			*rex &= ~REX_X;
	}
	if (mod == 1) {
		to[n++] = (uint8_t)displacement(b, t, 128);
	} else if (mod == 2) {
		put32(to + n, displacement(b, t, 0x200));
		n += 4;
	}
	return n;
}

/* The immediate, or whatever follows; what has to be small is made so. */
static void
patch_immediate(struct build *b, const struct template *t, const struct insn *i, uint8_t *bytes)
{
	if (i->row != NULL && (i->opnd[0] == O_Ob || i->opnd[0] == O_Ov || i->opnd[1] == O_Ob || i->opnd[1] == O_Ov)) {
		uint64_t at = FUZZ_DATA + 0x400 + random_below(b->r, 0x2000) - (i->seg == SEG_GS ? FUZZ_GS_BASE : 0);

		memcpy(bytes + i->len - i->addr_width, &at, i->addr_width);
	} else if (t->row != NULL && strcmp(t->name, "ENTER") == 0) {
		bytes[i->len - 3] &= 0x7f;
		bytes[i->len - 2] = 0;
		bytes[i->len - 1] &= 0x23;
	}
}

/* VEX of three bytes for the bits that REX would have, and its vvvv: a register that may be written, or none. */
static void
put_vex(struct build *b, const struct template *t, uint8_t rex, uint8_t *to)
{
	const struct avx_row *v = t->avx;
	bool uses = v != NULL ? v->form != AVX_RM && v->form != AVX_MR && v->form != AVX_NONE && v->form != AVX_MASK :
		t->row->opnd[0] == O_By || t->row->opnd[1] == O_By || t->row->opnd[2] == O_By || t->digit >= 0;
	unsigned high = b->s->code32 ? 0 : random_below(b->r, 2) * 8, vvvv = uses ? pick_register(b, high) | high : 0, l = 0;
	bool w = rex & REX_W;

	if (v != NULL) {
		l = v->l == AVX_L_0 ? 0 : v->l == AVX_L_1 ? 1 : random_below(b->r, 2);
		w = v->w == AVX_W_0 ? false : v->w == AVX_W_1 ? true : w;
	}
	to[0] = t->map >= MAP_XOP8 ? 0x8f : 0xc4;
	to[1] = (uint8_t)((~rex & (REX_R | REX_X | REX_B)) << 5 | (t->map - MAP_0F + 1));
	to[2] = (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | l << 2 | t->prefix);
}

/* The same as EVEX, with a length, a mask and EVEX.b as the row allows them. */
static void
put_evex(struct build *b, const struct template *t, uint8_t rex, bool memory, uint8_t *to)
{
	const struct evex_row *v = t->evex;
	bool wide = !b->s->code32, indexed = v->form == AVX_GATHER || v->form == AVX_SCATTER, w = rex & REX_W, high = false;
	bool uses = v->form == AVX_RVM || v->form == AVX_MVR || v->form == AVX_VM;
	unsigned vvvv = uses ? random_below(b->r, wide ? 32 : 8) : 0, ll, k = 0;
	bool repeat = (memory ? v->broadcast != 0 : (v->flags & (EVEX_ER | EVEX_SAE)) != 0) && random_percent(b->r, 30), z;

	if (v->reg == VEC_KIND_X && wide)
		high = random_percent(b->r, 50);
	if (v->reg == VEC_KIND_K)
		rex &= ~REX_R;
	if (v->mask != 0 && random_percent(b->r, indexed ? 100 : 60))
		k = 1 + random_below(b->r, 7);
	z = k != 0 && v->reg != VEC_KIND_K && !indexed && !(memory && (v->form == AVX_MR || v->form == AVX_MVR)) &&
		random_percent(b->r, 40);
	ll = v->l == AVX_L_0 ? 0 : v->l == EVEX_L_2 ? 2 : v->l == EVEX_L_Y ? 1 + random_below(b->r, 2) : random_below(b->r, 3);
	if (repeat && !memory)
		ll = random_below(b->r, 4);
	w = v->w == AVX_W_0 ? false : v->w == AVX_W_1 ? true : w;
	to[0] = 0x62;
	to[1] = (uint8_t)((~rex & (REX_R | REX_X | REX_B)) << 5 | (high ? 0 : 0x10) | (t->map - MAP_0F + 1));
	to[2] = (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | t->prefix);
	to[3] = (uint8_t)((z ? 0x80 : 0) | ll << 5 | (repeat ? 0x10 : 0) | (vvvv & 16 ? 0 : 8) | k);
}

unsigned
encode(struct build *b, const struct template *t, uint8_t *bytes)
{
	bool memory = t->forms == FORM_MEM || (t->forms == (FORM_MEM | FORM_REG) && random_percent(b->r, 50)), relative = false;
	bool gs = memory && !b->s->code32 && random_percent(b->r, 4);
	unsigned n = put_prefixes(b, t, memory, gs, bytes), rex_at = n, has_rex = put_rex(b, t, bytes + n), modrm_at;
	uint8_t vex = b->s->code32 ? 0 : (uint8_t)random_below(b->r, 16);
	uint8_t *rex = t->vex ? (b->s->code32 ? NULL : &vex) : has_rex ? bytes + rex_at : NULL;
	uint64_t rip = FUZZ_CODE + b->s->at + b->s->len;
	struct insn i;

	if (t->vex)
		n = rex_at + (t->evex != NULL ? 4 : 3);
	else
		n += has_rex;
	if (t->vex)
		bytes[n++] = t->opcode;
	else
		n += put_opcode(t, bytes + n);
	if (t->forms == 0 && t->row != NULL) {
		/* A register in the opcode. */
		unsigned low = bytes[n - 1] & 7;

		if (t->row->opnd[0] == O_Zb || t->row->opnd[0] == O_Zv)
			if (b->reserved >> (low | (rex != NULL && *rex & REX_B ? 8 : 0)) & 1 && random_percent(b->r, 97))
				return 0;
	}
	modrm_at = n;
	if (t->forms != 0) {
		unsigned reg = t->digit >= 0 ? (unsigned)t->digit : pick_register(b, rex != NULL && *rex & REX_R ? 8 : 0);
		unsigned rm = t->rm >= 0 ? (unsigned)t->rm : pick_register(b, rex != NULL && *rex & REX_B ? 8 : 0);

		/* A bit number beside memory is an offset: a small one. */
		if (memory && t->map == MAP_0F && (t->opcode & 0xe7) == 0xa3 && random_percent(b->r, 90)) {
			reg = b->index & 7;
			if ((b->index >= 8) != (rex != NULL && *rex & REX_R))
				return 0;
		}
		if (memory)
			n += put_memory(b, t, reg, rex, gs, bytes + n, &relative);
		else
			bytes[n++] = (uint8_t)(0xc0 | reg << 3 | rm);
	}
	if (t->evex != NULL)
		put_evex(b, t, vex, memory, bytes + rex_at);
	else if (t->vex)
		put_vex(b, t, vex, bytes + rex_at);
	for (unsigned k = 0; k < 9; k++)
		bytes[n + k] = (uint8_t)(random_value(b->r) >> (k & 1 ? 0 : 8));
	if (snippet_decode(b->s, &i, bytes, 15, b->s->len) != DECODE_OK || i.row != t->row || i.vec != t->vec || i.avx != t->avx ||
		i.evex != t->evex)
		return 0;
	patch_immediate(b, t, &i, bytes);
	if (relative) {
		uint64_t to = FUZZ_DATA + 0x400 + random_below(b->r, 0x2400);

		put32(bytes + modrm_at + 1, (uint32_t)((needs_alignment(t) ? to & ~31ull : to) - (b->s->code32 ? 0 : rip + i.len)));
	}
	return i.len;
}
