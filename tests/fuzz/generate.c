/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snippets out of the decoder's own tables.
 *
 * A template is one row of the opcode maps, of a group, or of the vector table.  An instruction is made by writing prefixes,
 * opcode, ModRM and random bytes behind them, and letting the decoder say how long that is; then what has to fit is patched.
 * Some registers of a snippet are reserved: they hold addresses, small indices or counts, so that most snippets run to their end.
 */
#include "tests/fuzz/generate.h"

#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cpu/decode.h"
#include "cpu/map.h"

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
note(struct build *b, unsigned at, unsigned template, unsigned cell)
{
	struct made *m = b->made;

	if (m->count < SNIPPET_INSNS) {
		m->where[m->count].at = (uint16_t)at;
		m->where[m->count].cell = (uint8_t)cell;
		m->where[m->count++].template = (uint16_t)template;
	}
}

/* Its form, for the counts. */
static unsigned
cell_of(const struct insn *i)
{
	unsigned memory = i->mem.base != IR_NO_REG || i->mem.index != IR_NO_REG || (i->mod != 3 && i->modrm != 0) ? MADE_MEMORY : 0;

	if (i->evex != NULL || i->avx != NULL)
		return memory | i->vl;
	return memory | (i->vec != NULL ? 0 : (unsigned)__builtin_ctz(insn_width(i, 0, true) | 8));
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
		note(b, b->s->len, number, cell_of(&i));
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
			note(b, b->s->insn_at[b->s->insns - 1], g->by_class[CLASS_CONTROL][n], 0);
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

/* Up to eight of 64 bits, which are twice as many small ones of 32 bits too; few of them negative. */
static void
start_indices(struct build *b)
{
	uint8_t *fx = b->s->start.fx;
	unsigned reach = random_percent(b->r, 50) ? 64 : 600, count = native_has_avx512() ? 8 : native_has_avx() ? 4 : 2;

	for (unsigned n = 0; n < count; n++) {
		int64_t index = (int64_t)random_below(b->r, reach) - (random_percent(b->r, 20) ? reach / 2 : 0);

		memcpy(n < 4 ? fx + (n < 2 ? FX_XMM : FX_YMM) + 16 * b->vector_index + 8 * (n & 1) : b->s->start.zmm[b->vector_index] + 8 * n,
			&index, 8);
	}
}

/* COUNT vectors of 16 bytes. */
static void
take_from_pool(struct build *b, uint8_t *to, unsigned count)
{
	uint64_t v = 0;

	for (unsigned n = 0; n < count; n++, v >>= 16) {
		if (n % 4 == 0)
			v = random_next(b->r);
		memcpy(to + 16 * n, b->g->pool[v % POOL], 16);
	}
}

static void
start_wide(struct build *b)
{
	struct registers *r = &b->s->start;
	bool used = random_percent(b->r, 85);

	memset(r->zmm, 0, sizeof(r->zmm));
	for (unsigned n = 0; used && n < ZMM; n++)
		take_from_pool(b, r->zmm[n] + (n < 16 ? 32 : 0), n < 16 ? 2 : 4);
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
	take_from_pool(b, fx + FX_XMM, 16);
	if (native_has_avx() && random_percent(b->r, 80))
		take_from_pool(b, fx + FX_YMM, 16);
	if (native_has_avx512())
		start_wide(b);
	if (random_percent(b->r, 90))
		start_indices(b);
}

static void
start(struct build *b)
{
	start_registers(b);
	start_vectors(b);
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
	for (unsigned n = 0; n < POOL_RENEWED; n++)
		random_float(&g->random, g->pool[random_below(&g->random, POOL)]);
	do {
		struct build b = { .g = g, .r = &g->random, .s = s, .made = made };
		unsigned dice = random_below(b.r, 100), want = length(&b), kind = random_below(b.r, 100);
		enum flavour flavour = kind < 75 ? STRAIGHT : kind < 90 ? FORWARD : LOOPS;

		s->len = s->insns = made->count = 0;
		s->at = place(&b);
		s->code32 = random_percent(b.r, 25);
		s->data_seed = random_next(b.r) & 0xff;
		s->variant = false;
		b.edge = dice >= 80 && dice < 90;
		reserve_registers(&b);
		g->last = b;
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
	start(&g->last);
}

void
generate_variant(struct generator *g, struct snippet *s)
{
	g->last.s = s;
	s->variant = true;
	start(&g->last);
}

struct generator *
generator_new(uint64_t seed, bool all)
{
	struct generator *g = calloc(1, sizeof(*g));

	g->all = all;
	g->random.state = seed;
	for (unsigned n = 0; n < POOL; n++)
		random_float(&g->random, g->pool[n]);
	add_templates(g);
	return g;
}

void
generator_free(struct generator *g)
{
	free(g);
}
