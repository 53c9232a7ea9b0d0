/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snippets out of the decoder's own tables.
 *
 * A template is one row of the opcode maps, of a group, or of the vector table.  An instruction is made by writing prefixes,
 * opcode, ModRM and random bytes behind them, and letting the decoder say how long that is; then what has to fit is patched.
 * Some registers of a snippet are reserved: they hold addresses, small indices or counts, so that most snippets run to their end.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cpu/avx.h"
#include "cpu/evex.h"
#include "cpu/decode.h"
#include "cpu/map.h"
#include "cpu/vec.h"

enum { MAX_TEMPLATES = 4096, MAX_INSN = 40, TRIES = 60, MAX_FIXUPS = 64 };
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI };
enum class { CLASS_INTEGER, CLASS_VECTOR, CLASS_X87, CLASS_FAULT, CLASS_CONTROL, CLASS_SAVE, CLASSES };
enum { FORM_MEM = 1, FORM_REG = 2 };
enum flavour { STRAIGHT, FORWARD, LOOPS };

struct template {
	const char *name;
	const struct row *row;
	const struct vec_row *vec;
	const struct avx_row *avx;
	const struct evex_row *evex;
	uint32_t flags;     /* of the rows */
	unsigned feature;   /* that the host needs, plus 1 */
	uint8_t map, opcode, prefix;
	int8_t digit, rm;   /* fixed parts of ModRM, or -1 */
	uint8_t forms;      /* FORM_ bits; 0: no ModRM */
	bool prefix_fixed;
	bool vex;           /* by a VEX prefix of three bytes, or an EVEX prefix */
	bool not64, only64;
	enum class class;
	uint64_t covered;
};

struct generator {
	struct random random;
	unsigned count;
	struct template template[MAX_TEMPLATES];
	unsigned of_class[CLASSES];
	uint16_t by_class[CLASSES][MAX_TEMPLATES];
};

/* A distance to be filled in when all instructions have their places. */
struct fixup {
	uint16_t at, from; /* of the bytes; of the next instruction */
	uint8_t bytes;
	bool absolute;
	uint16_t to; /* number of the instruction */
};

struct build {
	struct generator *g;
	struct random *r;
	struct snippet *s;
	struct made *made;
	bool edge;                 /* addresses at the edges of pages */
	uint32_t reserved, strict; /* registers that are rarely, or never, touched */
	unsigned bases, base[3], index;
	unsigned vector_index;     /* a vector register with small indices for gathers */
	unsigned undefined;        /* flags */
	unsigned fixups;
	struct fixup fixup[MAX_FIXUPS];
};

/* ---- templates ---- */

static bool
in_words(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(list, name); p != NULL; p = strstr(p + 1, name))
		if (p > list && p[-1] == ' ' && p[len] == ' ')
			return true;
	return false;
}

static enum class
class_of(const char *name, unsigned opcode, unsigned map)
{
	if (in_words(" FXSAVE FNSAVE FNSTENV XSAVE ", name))
		return CLASS_SAVE;
	if (in_words(" JCC JMP CALL RET LOOP LOOPE LOOPNE JCXZ CALL_IND JMP_IND ", name))
		return CLASS_CONTROL;
	if (in_words(" BOUND INTO CLI STI HLT IN OUT INS OUTS LGDT LIDT LLDT LTR LMSW CLTS MOV_FROM_CR MOV_TO_CR MOV_FROM_DR "
		"MOV_TO_DR INVLPG WBINVD RDMSR WRMSR SWAPGS SYSRET SYSEXIT UNDEFINED INT3 INT1 MOV_TO_SEG POPF STD "
		"LDMXCSR FLDCW FLDENV FRSTOR FXRSTOR ", name))
		return CLASS_FAULT;
	return map == MAP_1 && opcode >= 0xd8 && opcode <= 0xdf ? CLASS_X87 : CLASS_INTEGER;
}

static void
add_template(struct generator *g, const struct template *t)
{
	if (excluded_reason(t->name) != NULL || g->count == MAX_TEMPLATES || (t->feature != 0 && !native_has(t->feature - 1)))
		return;
	g->by_class[t->class][g->of_class[t->class]++] = (uint16_t)g->count;
	g->template[g->count++] = *t;
}

/* All that ROW may become. */
static void
expand(struct generator *g, const struct row *row, struct template t)
{
	unsigned kind;

	t.flags = (t.flags & 0xffffff) | row->flags | (row->flags >> 24 ? 0 : t.flags & 0xff000000);
	if ((row->flags & ROW_MODRM) && t.forms == 0)
		t.forms = FORM_MEM | FORM_REG;
	if (row->group == 0) {
		if (row->gen == NULL)
			return;
		t.not64 = t.flags & ROW_I64;
		t.only64 = t.flags & ROW_O64;
		t.name = row->name;
		t.row = row;
		t.feature = t.flags >> 24;
		t.class = class_of(row->name, t.opcode, t.map);
		add_template(g, &t);
		return;
	}
	kind = group_kinds[row->group - 1];
	for (unsigned n = 0; n < 16; n++) {
		struct template sub = t;

		if (kind == BY_DIGIT) {
			sub.digit = n & 7;
			sub.forms = n < 8 ? FORM_MEM : FORM_REG;
		} else if (kind == BY_RM) {
			sub.rm = n & 7;
		} else {
			sub.prefix = n & 3;
			sub.prefix_fixed = true;
		}
		if (n < (kind == BY_DIGIT ? 16u : kind == BY_RM ? 8u : 4u))
			expand(g, &group_rows[row->group - 1][n], sub);
	}
}

static enum prefix
mandatory_prefix(unsigned byte)
{
	return byte == 0x66 ? P66 : byte == 0xf2 ? PF2 : byte == 0xf3 ? PF3 : NP;
}

static void
add_vectors(struct generator *g)
{
	for (unsigned n = 0; n < VEC_ROWS; n++) {
		const struct vec_row *v = &vec_rows[n];
		struct template t = { .name = v->name, .vec = v, .feature = (unsigned)vec_feature(v) + 1, .map = (uint8_t)(MAP_0F + v->map - 1),
			.opcode = v->opcode, .digit = v->ext, .rm = -1, .prefix = mandatory_prefix(v->prefix), .prefix_fixed = true,
			.class = CLASS_VECTOR };

		t.forms = v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

static void
add_avx(struct generator *g)
{
	for (unsigned n = 0; n < AVX_ROWS; n++) {
		const struct avx_row *v = &avx_rows[n];
		struct template t = { .name = v->name, .avx = v, .feature = (unsigned)avx_row_feature(v) + 1,
			.map = (uint8_t)(MAP_0F + v->map - 1), .opcode = v->opcode, .digit = v->ext, .rm = -1,
			.prefix = mandatory_prefix(v->prefix), .prefix_fixed = true, .vex = true, .class = CLASS_VECTOR };

		t.forms = v->form == AVX_NONE ? 0 : v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

static void
add_evex(struct generator *g)
{
	for (unsigned n = 0; n < EVEX_ROWS; n++) {
		const struct evex_row *v = &evex_rows[n];
		struct template t = { .name = v->name, .evex = v, .feature = (unsigned)evex_row_feature(v) + 1,
			.map = (uint8_t)(MAP_0F + v->map - 1), .opcode = v->opcode, .digit = v->ext, .rm = -1, .prefix_fixed = true, .vex = true,
			.class = CLASS_VECTOR, .prefix = mandatory_prefix(v->prefix) };

		t.forms = v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

struct generator *
generator_new(uint64_t seed)
{
	struct generator *g = calloc(1, sizeof(*g));

	g->random.state = seed;
	for (unsigned map = MAP_1; map <= MAP_0F38; map++)
		for (unsigned op = 0; op < 256; op++) {
			struct template t = { .map = (uint8_t)map, .opcode = (uint8_t)op, .digit = -1, .rm = -1 };

			expand(g, &map_rows[map][op], t);
		}
	for (unsigned n = 0; n < 3 * 4 * 256; n++) {
		struct template t = { .map = (uint8_t)(MAP_0F + n / 1024), .prefix = n / 256 % 4, .opcode = (uint8_t)n, .digit = -1, .rm = -1,
			.prefix_fixed = true, .vex = true };
		const struct row *row = vex_row(t.map, t.prefix, t.opcode);

		if (row != NULL)
			expand(g, row, t);
	}
	add_vectors(g);
	if (native_has_avx())
		add_avx(g);
	if (native_has_avx512())
		add_evex(g);
	return g;
}

void
generator_free(struct generator *g)
{
	free(g);
}

/* ---- coverage ---- */

void
generator_cover(struct generator *g, const struct snippet *s, const struct made *made, uint64_t rip)
{
	for (unsigned n = 0; n < made->count; n++)
		if (rip == FUZZ_EXIT || FUZZ_CODE + s->at + made->where[n].at <= rip)
			g->template[made->where[n].template].covered++;
}

unsigned
generator_covered(const struct generator *g)
{
	unsigned n = 0;

	for (unsigned k = 0; k < g->count; k++)
		n += g->template[k].covered != 0;
	return n;
}

unsigned
generator_templates(const struct generator *g)
{
	return g->count;
}

void
generator_print_missing(const struct generator *g, FILE *to)
{
	for (unsigned k = 0; k < g->count; k++) {
		const struct template *t = &g->template[k];

		if (t->covered == 0)
			fprintf(to, "never met: %s (map %u opcode %02x digit %d prefix %u)\n", t->name, t->map, t->opcode, t->digit, t->prefix);
	}
}

/* ---- one instruction ---- */

/* A register for an operand: seldom a reserved one. */
static unsigned
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

static bool
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

static unsigned
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
	unsigned base = b->base[random_below(b->r, b->bases)], mod = gs || random_percent(b->r, 4) ? 0 : 1 + random_below(b->r, 2), n = 2;

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
		*rex = (uint8_t)((*rex & ~(REX_B | (indexed ? REX_X : 0))) | (base >= 8 ? REX_B : 0) | (indexed && b->index >= 8 ? REX_X : 0));
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
	z = k != 0 && v->reg != VEC_KIND_K && !indexed && !(memory && (v->form == AVX_MR || v->form == AVX_MVR)) && random_percent(b->r, 40);
	ll = v->l == AVX_L_0 ? 0 : v->l == EVEX_L_2 ? 2 : v->l == EVEX_L_Y ? 1 + random_below(b->r, 2) : random_below(b->r, 3);
	if (repeat && !memory)
		ll = random_below(b->r, 4);
	w = v->w == AVX_W_0 ? false : v->w == AVX_W_1 ? true : w;
	to[0] = 0x62;
	to[1] = (uint8_t)((~rex & (REX_R | REX_X | REX_B)) << 5 | (high ? 0 : 0x10) | (t->map - MAP_0F + 1));
	to[2] = (uint8_t)((w ? 0x80 : 0) | (~vvvv & 15) << 3 | 4 | t->prefix);
	to[3] = (uint8_t)((z ? 0x80 : 0) | ll << 5 | (repeat ? 0x10 : 0) | (vvvv & 16 ? 0 : 8) | k);
}

/* One try at an instruction of T at BYTES; its length, or 0. */
static unsigned
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

/* ---- a list of them ---- */

static unsigned
room(const struct snippet *s)
{
	return s->insns < SNIPPET_INSNS - 8 ? SNIPPET_BYTES - MAX_INSN - s->len : 0;
}

/* Appends LEN bytes as one instruction. */
static void
append(struct build *b, const void *bytes, unsigned len)
{
	struct snippet *s = b->s;

	memcpy(s->code + s->len, bytes, len);
	s->insn_at[s->insns++] = (uint16_t)s->len;
	s->len += len;
}

static void
note(struct build *b, unsigned at, unsigned template)
{
	struct made *m = b->made;

	if (m->count < SNIPPET_INSNS) {
		m->where[m->count].at = (uint16_t)at;
		m->where[m->count++].template = (uint16_t)template;
	}
}

/* CMP of two registers defines all flags. */
static void
define_flags(struct build *b)
{
	uint8_t cmp[3] = { 0x48 | random_below(b->r, 2) | random_below(b->r, 2) << 2, 0x39, (uint8_t)(0xc0 | random_below(b->r, 64)) };

	if (b->undefined != 0)
		append(b, cmp + (b->s->code32 ? 1 : 0), b->s->code32 ? 2 : 3);
	b->undefined = 0;
}

/* So that most divisions don't overflow. */
static void
prepare_division(struct build *b, const struct insn *i)
{
	if (random_percent(b->r, 20))
		return;
	if (insn_width(i, 0, true) == 1)
		append(b, "\x0f\xb6\xc0", 3); /* movzx eax, al */
	else if (strcmp(insn_name(i), "DIV") == 0)
		append(b, "\xba\x00\x00\x00\x00", 5); /* mov edx, 0 */
	else
		append(b, b->s->code32 ? "\x99" : "\x48\x99", b->s->code32 ? 1 : 2); /* cdq, cqo */
}

static bool
is_wanted(struct build *b, const struct template *t)
{
	/* They mostly fault with what they read. */
	if (in_words(" POPF LDMXCSR FLDCW LEAVE ENTER FLDENV FRSTOR FXRSTOR ", t->name) && !random_percent(b->r, 25))
		return false;
	return true;
}

static bool
append_template(struct build *b, unsigned number)
{
	const struct template *t = &b->g->template[number];
	uint8_t bytes[MAX_INSN];
	unsigned len = 0;
	struct insn i;

	if (b->s->code32 ? t->only64 : t->not64)
		return false;
	for (unsigned n = 0; n < TRIES && len == 0; n++)
		len = encode(b, t, bytes);
	if (len == 0 || room(b->s) == 0)
		return false;
	snippet_decode(b->s, &i, bytes, len, b->s->len);
	/* What repeats would count on after it; what jumps would leave. */
	if (b->strict >> RCX & 1 && ((is_string(t) && i.rep != 0) || strncmp(t->name, "pcmp", 4) == 0))
		return false;
	if (in_words(" DIV IDIV ", t->name) && i.mem.base == IR_NO_REG && i.mod == 3)
		prepare_division(b, &i);
	if (flags_read(&i) & b->undefined)
		define_flags(b);
	if (i.mod == 3 || b->s->len == 0 || i.mem.base != IR_NO_REG || i.mod != 0) {
		note(b, b->s->len, number);
	}
	append(b, bytes, len);
	b->undefined = flags_undefined(&i, b->undefined);
	return true;
}

static void
append_any(struct build *b)
{
	static const uint8_t weights[CLASSES] = { 54, 29, 15, 2, 0, 0 };
	unsigned dice = random_below(b->r, 100), class = 0, number;

	while (dice >= weights[class])
		dice -= weights[class++];
	number = b->g->by_class[class][random_below(b->r, b->g->of_class[class])];
	if (is_wanted(b, &b->g->template[number]))
		append_template(b, number);
}

/* What saves state comes last. */
static void
append_save(struct build *b)
{
	const struct generator *g = b->g;
	unsigned number = g->by_class[CLASS_SAVE][random_below(b->r, g->of_class[CLASS_SAVE])];
	uint8_t eax[5] = { 0xb8, (uint8_t)random_below(b->r, 4) };

	if (strcmp(g->template[number].name, "XSAVE") == 0) {
		append(b, eax, 5);
		append(b, "\xba\0\0\0", 5); /* mov edx, 0 */
	}
	append_template(b, number);
}

/* ---- control transfers ---- */

static void
fix_later(struct build *b, unsigned back, unsigned bytes, bool absolute, unsigned to)
{
	if (b->fixups < MAX_FIXUPS)
		b->fixup[b->fixups++] = (struct fixup){ (uint16_t)(b->s->len - back), (uint16_t)b->s->len, (uint8_t)bytes, absolute,
			(uint16_t)to };
}

static void
apply_fixups(struct build *b)
{
	struct snippet *s = b->s;

	for (unsigned n = 0; n < b->fixups; n++) {
		const struct fixup *f = &b->fixup[n];
		unsigned to = f->to < s->insns ? s->insn_at[f->to] : s->len;
		int32_t v = f->absolute ? (int32_t)(FUZZ_CODE + s->at + to) : (int32_t)to - f->from;

		if (f->bytes == 1 && (v > 127 || v < -128))
			v = 0;
		memcpy(s->code + f->at, &v, f->bytes);
	}
}

static void
mark_control(struct build *b, const char *name)
{
	struct generator *g = b->g;

	for (unsigned n = 0; n < g->of_class[CLASS_CONTROL]; n++) {
		const struct template *t = &g->template[g->by_class[CLASS_CONTROL][n]];

		if (strcmp(t->name, name) == 0 &&
			(strcmp(name, "JCC") != 0 || (t->opcode & 0xf) == random_below(b->r, 16))) {
			note(b, b->s->insn_at[b->s->insns - 1], g->by_class[CLASS_CONTROL][n]);
		}
	}
}

/* One jump forward, of any kind. */
static void
append_forward(struct build *b)
{
	unsigned to = b->s->insns + 1 + random_below(b->r, 5), reg = pick_register(b, 0);
	uint8_t jcc8[2] = { 0x70 | random_below(b->r, 16), 0 }, jcc32[6] = { 0x0f, 0x80 | random_below(b->r, 16) };
	uint8_t mov[5] = { 0xb8 | reg }, count[2] = { 0xe0 | random_below(b->r, 4), 0 };

	define_flags(b);
	switch (random_below(b->r, 9)) {
	case 0: case 1:
		append(b, jcc8, 2);
		fix_later(b, 1, 1, false, to);
		mark_control(b, "JCC");
		break;
	case 2: case 3:
		append(b, jcc32, 6);
		fix_later(b, 4, 4, false, to);
		mark_control(b, "JCC");
		break;
	case 4:
		append(b, "\xeb", 2);
		fix_later(b, 1, 1, false, to);
		mark_control(b, "JMP");
		break;
	case 5:
		append(b, "\xe8\0\0\0", 5);
		fix_later(b, 4, 4, false, to);
		mark_control(b, "CALL");
		break;
	case 6:
		append(b, "\x68\0\0\0", 5); /* push imm32 */
		fix_later(b, 4, 4, true, to + 1);
		append(b, "\xc3", 1);
		mark_control(b, "RET");
		break;
	case 7:
		append(b, mov, 5);
		fix_later(b, 4, 4, true, to + 1);
		append(b, (uint8_t[]){ 0xff, 0xe0 | random_below(b->r, 2) << 4 | reg }, 2);
		b->s->code[b->s->len - 1] = (uint8_t)((random_below(b->r, 2) ? 0xe0 : 0xd0) | reg);
		mark_control(b, b->s->code[b->s->len - 1] & 0x20 ? "JMP_IND" : "CALL_IND");
		break;
	default:
		append(b, count, 2);
		fix_later(b, 1, 1, false, to);
		mark_control(b, count[0] == 0xe0 ? "LOOPNE" : count[0] == 0xe1 ? "LOOPE" : count[0] == 0xe2 ? "LOOP" : "JCXZ");
	}
}

/* A loop of a few rounds, by LOOP or by DEC and JNZ. */
static void
append_loop(struct build *b)
{
	bool by_loop = random_percent(b->r, 50);
	unsigned reg = by_loop ? RCX : pick_register(b, 0), head, body = 1 + random_below(b->r, 6);
	uint8_t mov[5] = { (uint8_t)(0xb8 | reg), (uint8_t)(1 + random_below(b->r, 12)) }, dec[2] = { 0xff, (uint8_t)(0xc8 | reg) };
	uint32_t strict = b->strict, reserved = b->reserved;

	append(b, mov, 5);
	head = b->s->insns;
	b->strict |= 1u << reg;
	b->reserved |= 1u << reg;
	for (unsigned n = 0; n < body; n++)
		append_any(b);
	define_flags(b);
	if (by_loop) {
		append(b, (uint8_t[]){ (uint8_t)(0xe0 | random_below(b->r, 3)), 0 }, 2);
		fix_later(b, 1, 1, false, head);
	} else {
		append(b, dec, 2);
		append(b, "\x0f\x85\0\0\0", 6);
		fix_later(b, 4, 4, false, head);
	}
	b->strict = strict;
	b->reserved = reserved;
}

/* ---- the start ---- */

static uint64_t
data_address(struct build *b)
{
	uint64_t at;

	if (b->s->code32 && b->edge && random_percent(b->r, 8))
		return (uint32_t)(random_below(b->r, 33) - 16);
	if (!b->edge) {
		at = FUZZ_DATA + 0x700 + random_below(b->r, 0x1600);
		return random_percent(b->r, 75) ? at & ~15ull : at;
	}
	if (!b->s->code32 && random_percent(b->r, 8))
		return (random_percent(b->r, 50) ? 1ull << 47 : 0xffff800000000000ull) + random_below(b->r, 33) - 16;
	at = FUZZ_DATA + random_below(b->r, DATA_PAGES + 2) * FUZZ_PAGE;
	return at + (random_percent(b->r, 50) ? random_below(b->r, 65) - 32 : (random_below(b->r, 5) - 2) * 16);
}

static void
reserve_registers(struct build *b)
{
	b->strict = 1u << RSP;
	b->reserved = 1u << RSP | 1u << RSI | 1u << RDI | 1u << RBX | 1u << RBP;
	b->base[0] = random_percent(b->r, 50) ? RBX : RSI;
	b->base[1] = random_percent(b->r, 30) ? RSP : random_percent(b->r, 40) ? RBP : RDI;
	b->base[2] = 8 + random_below(b->r, 8);
	b->bases = 3;
	do
		b->index = random_percent(b->r, 50) ? RDX : 8 + random_below(b->r, 8);
	while (b->index == b->base[2]);
	b->reserved |= 1u << b->base[2] | 1u << b->index;
	/* The number of a register that is seldom written. */
	b->vector_index = random_percent(b->r, 75) ? RBP + random_below(b->r, 3) : b->base[2];
}

static void
start_registers(struct build *b)
{
	struct registers *r = &b->s->start;

	for (unsigned n = 0; n < 16; n++)
		r->gpr[n] = random_value(b->r);
	r->gpr[RBX] = data_address(b);
	r->gpr[RSI] = data_address(b);
	r->gpr[RDI] = data_address(b);
	r->gpr[RBP] = data_address(b);
	r->gpr[b->base[2]] = data_address(b);
	r->gpr[b->index] = random_percent(b->r, 75) ? random_below(b->r, 4) * 16 : random_below(b->r, 64);
	if (random_percent(b->r, 70))
		r->gpr[RCX] = random_below(b->r, random_percent(b->r, 80) ? 12 : 300);
	r->gpr[RSP] = b->edge && random_percent(b->r, 50) ? data_address(b) : FUZZ_DATA + 0xa00 + random_below(b->r, 0x100) * 16;
	for (unsigned n = 0; n < 16 && b->s->code32; n++)
		r->gpr[n] = n < 8 ? (uint32_t)r->gpr[n] : 0;
	r->flags = 0x202 | (random_next(b->r) & 0x8d5) | (random_percent(b->r, 10) ? 0x400 : 0) |
		(random_percent(b->r, 3) ? 0x40000 : 0) | (random_percent(b->r, 2) ? 0x100 : 0);
}

/* Eight of 64 bits, which are sixteen small ones of 32 bits too; few of them negative. */
static void
start_indices(struct build *b)
{
	uint8_t *fx = b->s->start.fx;
	unsigned reach = random_percent(b->r, 50) ? 64 : 600;

	for (unsigned n = 0; n < 8; n++) {
		int64_t index = (int64_t)random_below(b->r, reach) - (random_percent(b->r, 20) ? reach / 2 : 0);

		memcpy(n < 4 ? fx + (n < 2 ? FX_XMM : FX_YMM) + 16 * b->vector_index + 8 * (n & 1) : b->s->start.zmm[b->vector_index] + 8 * n,
			&index, 8);
	}
}

static void
start_wide(struct build *b)
{
	struct registers *r = &b->s->start;
	bool used = random_percent(b->r, 85);

	memset(r->zmm, 0, sizeof(r->zmm));
	for (unsigned n = 0; used && n < 4 * ZMM; n++)
		if (n / 4 >= 16 || n % 4 >= 2)
			random_float(b->r, r->zmm[n / 4] + 16 * (n % 4));
	for (unsigned n = 0; n < 8; n++)
		r->k[n] = random_percent(b->r, 15) ? ~0ull : random_percent(b->r, 20) ? random_value(b->r) : random_next(b->r);
}

static void
start_vectors(struct build *b)
{
	uint8_t *fx = b->s->start.fx;
	uint64_t v = random_next(b->r);
	bool unmasked = random_percent(b->r, 4);
	uint16_t fcw = 0x7f, fsw = (uint16_t)(v & 0x3800);
	uint32_t mxcsr = 0x1f80;

	memset(fx, 0, FX_AREA);
	/* Precision: 1 is reserved.  Rounding. */
	fcw |= random_percent(b->r, 60) ? 0x300 : (uint16_t)((v >> 16 & 1) << 9);
	if (random_percent(b->r, 30))
		fcw |= (uint16_t)(v >> 18 & 0xc00);
	if (random_percent(b->r, 30))
		mxcsr |= v >> 20 & 0x6000;
	if (random_percent(b->r, 8))
		mxcsr |= v >> 24 & 0x8040;
	if (unmasked) {
		mxcsr &= ~(v >> 28 & 0x1f80);
		fcw &= ~(v >> 40 & 0x3f);
	} else if (random_percent(b->r, 20)) {
		mxcsr |= v >> 32 & 0x3f;
		fsw |= v >> 48 & 0x477f;
	}
	memcpy(fx + FX_FCW, &fcw, 2);
	memcpy(fx + FX_FSW, &fsw, 2);
	fx[FX_FTW] = (uint8_t)(random_percent(b->r, 60) ? 0xffull << (v >> 56 & 7) >> (v >> 59 & 7) : v >> 56);
	memcpy(fx + FX_MXCSR, &mxcsr, 4);
	for (unsigned n = 0; n < 8; n++)
		random_x87(b->r, fx + FX_ST + 16 * n);
	for (unsigned n = 0; n < 16; n++)
		random_float(b->r, fx + FX_XMM + 16 * n);
	for (unsigned n = 0; native_has_avx() && random_percent(b->r, 80) && n < 16; n++)
		random_float(b->r, fx + FX_YMM + 16 * n);
	if (native_has_avx512())
		start_wide(b);
	if (random_percent(b->r, 90))
		start_indices(b);
}

/* Where in the code pages: anywhere, over the border between them, or at the end of them. */
static unsigned
place(struct build *b)
{
	unsigned dice = random_below(b->r, 100);

	if (dice < 10)
		return FUZZ_PAGE - random_below(b->r, 40);
	if (dice < 11)
		return CODE_BYTES - 1 - random_below(b->r, 60);
	return random_below(b->r, FUZZ_PAGE - SNIPPET_BYTES) & ~(random_percent(b->r, 50) ? 63u : 0);
}

static unsigned
length(struct build *b)
{
	unsigned dice = random_below(b->r, 100);

	if (dice < 35)
		return 1;
	return dice < 75 ? 2 + random_below(b->r, 7) : dice < 97 ? 6 + random_below(b->r, 20) : 60 + random_below(b->r, 50);
}

/* ---- raw bytes ---- */

static void
raw(struct build *b)
{
	struct snippet *s = b->s;
	unsigned want = 1 + random_below(b->r, 4);

	while (s->insns < want && room(s) != 0) {
		uint8_t bytes[16];
		struct insn i;

		for (unsigned n = 0; n < 16; n++)
			bytes[n] = (uint8_t)random_next(b->r);
		if (random_percent(b->r, 50))
			bytes[0] = "\x66\x67\xf2\xf3\xf0\x48\x4f\x65\x0f\x0f\x0f\x0f\x66\x40\x41\x26"[bytes[0] & 15];
		if (random_percent(b->r, 30))
			bytes[1] = "\x66\x0f\xf2\xf3\xf0\x48\x4f\x0f"[bytes[1] & 7];
		snippet_decode(s, &i, bytes, 15, s->len);
		append(b, bytes, i.len);
	}
}

void
generate(struct generator *g, struct snippet *s, struct made *made)
{
	do {
		struct build b = { .g = g, .r = &g->random, .s = s, .made = made };
		unsigned dice = random_below(b.r, 100), want = length(&b), kind = random_below(b.r, 100);
		enum flavour flavour = kind < 75 ? STRAIGHT : kind < 90 ? FORWARD : LOOPS;

		s->len = s->insns = made->count = 0;
		s->at = place(&b);
		s->code32 = random_percent(b.r, 25);
		s->data_seed = random_next(b.r) & 0xff;
		b.edge = dice >= 80 && dice < 90;
		reserve_registers(&b);
		start_registers(&b);
		start_vectors(&b);
		if (dice >= 90) {
			raw(&b);
			continue;
		}
		for (unsigned n = 0; n < want && room(s) != 0; n++) {
			if (flavour == FORWARD && random_percent(b.r, 25))
				append_forward(&b);
			else if (flavour == LOOPS && random_percent(b.r, 25))
				append_loop(&b);
			else
				append_any(&b);
		}
		if (random_percent(b.r, 3))
			append_save(&b);
		apply_fixups(&b);
	} while (s->len == 0 || !snippet_analyse(s));
}
