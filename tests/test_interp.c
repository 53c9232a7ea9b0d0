/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The interpreter of the IR against the host's processor: each instruction is executed both ways on the same random state, and
 * all of the state has to be the same afterwards.
 *
 * The host runs snippets: the state is loaded from a struct, one instruction executed, the state stored again.  An instruction
 * that traps (division, unmasked exceptions of SSE) is skipped by a signal handler, which notes it.
 */
#define _GNU_SOURCE /* REG_RIP */

#include "tcg/interp/interp.h"

#include <check.h>
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/util.h"
#include "tcg/interp/evex_op.h"
#include "tcg/interp/x87.h"
#include "tcg/vec.h"

/* Each row has a function, in one table. */
START_TEST(vec_rows_complete)
{
	for (unsigned row = 0; row < VEC_ROWS; row++) {
		unsigned found = 0;

		for (unsigned n = 0; n < VEC_IMPLS; n++)
			found += vec_impls[n][row].run != NULL;
		ck_assert_msg(found == 1, "%s has %u functions", vec_rows[row].name, found);
	}
}
END_TEST

/* The decoder searches it. */
START_TEST(avx_rows_sorted)
{
	for (unsigned row = 1; row < AVX_ROWS; row++) {
		const struct avx_row *a = &avx_rows[row - 1], *b = &avx_rows[row];

		ck_assert_msg((a->map << 16 | a->opcode << 8 | a->prefix) <= (b->map << 16 | b->opcode << 8 | b->prefix),
			"%s stands before %s", a->name, b->name);
	}
}
END_TEST

START_TEST(evex_rows_sorted)
{
	for (unsigned row = 1; row < EVEX_ROWS; row++) {
		const struct evex_row *a = &evex_rows[row - 1], *b = &evex_rows[row];

		ck_assert_msg((a->map << 16 | a->opcode << 8 | a->prefix) <= (b->map << 16 | b->opcode << 8 | b->prefix),
			"%s stands before %s", a->name, b->name);
	}
}
END_TEST

/* VZEROALL, gathers and moves by a mask: the interpreter does them apart from the others. */
static bool
stands_alone(const struct avx_row *r)
{
	return r->form == AVX_NONE || r->form == AVX_GATHER || strncmp(r->name, "vmaskmovp", 9) == 0 || strncmp(r->name, "vpmaskmov", 9) == 0;
}

/* Each row without a twin has a function, in one table; the others have none. */
START_TEST(avx_rows_complete)
{
	for (unsigned row = 0; row < AVX_ROWS; row++) {
		const struct avx_row *r = &avx_rows[row];
		unsigned found = 0;

		for (unsigned n = 0; n < AVX_IMPLS; n++)
			found += avx_impls[n][row].run != NULL;
		ck_assert_msg(found == (r->twin < 0 && !stands_alone(r)), "%s has %u functions", r->name, found);
	}
}
END_TEST

START_TEST(evex_rows_complete)
{
	for (unsigned row = 0; row < EVEX_ROWS; row++) {
		const struct evex_row *r = &evex_rows[row];
		unsigned found = 0;

		for (unsigned n = 0; n < EVEX_IMPLS; n++)
			found += evex_impls[n][row].run != NULL;
		ck_assert_msg(found == (r->twin < 0 && r->form != AVX_GATHER && r->form != AVX_SCATTER), "%s has %u functions", r->name, found);
	}
}
END_TEST

#ifdef __x86_64__

enum { MEMORY_BYTES = 64, FXSAVE_BYTES = 512, FX_XMM = 160 };
enum { RAX, RCX, RDX, GPRS };

/* Everything that an instruction may read or change. */
struct state {
	_Alignas(64) uint8_t fx[FXSAVE_BYTES];
	uint8_t memory[MEMORY_BYTES];
	uint64_t gpr[GPRS];
	uint64_t flags;
	uint32_t host_mxcsr;
	uint32_t trapped;
};

/* ---- random states ---- */

struct random {
	uint64_t seed;
};

static uint64_t
random64(struct random *r)
{
	r->seed += 0x9e3779b97f4a7c15;
	uint64_t z = r->seed;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t
random_single(struct random *r)
{
	static const uint32_t specials[] = { 0, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000, 0x7fc00000, 0xffc12345,
		0x7f800001, 0xffa00000, 1, 0x807fffff, 0x00800000, 0x7f7fffff, 0x4f000000, 0xcf000000, 0x4effffff, 0x3f000000,
		0x40200000, 0xc0600000, 0x5f000000, 0x4b000001 };
	uint64_t v = random64(r);

	if (v >> 60 < 9)
		return specials[v % ARRAY_SIZE(specials)];
	/* Of about the same size, so that sums don't vanish. */
	return v >> 60 < 14 ? (uint32_t)(v & 0x83ffffff) | 0x3c000000 : (uint32_t)v;
}

static uint64_t
random_double(struct random *r)
{
	static const uint64_t specials[] = { 0, 1ull << 63, 0x3ff0000000000000, 0xbff0000000000000, 0x7ff0000000000000,
		0xfff0000000000000, 0x7ff8000000000000, 0xfff8000012345678, 0x7ff0000000000001, 0xfff4000000000000, 1,
		0x800fffffffffffff, 0x0010000000000000, 0x7fefffffffffffff, 0x41e0000000000000, 0xc1e0000000000000,
		0x41dfffffffc00000, 0x41dfffffffe00000, 0x43e0000000000000, 0x3fe0000000000000, 0x4004000000000000,
		0x36a0000000000000, 0x380fffffffffffff, 0x47efffffffffffff, 0x3690000000000000 };
	uint64_t v = random64(r);

	if (v >> 60 < 9)
		return specials[v % ARRAY_SIZE(specials)];
	return v >> 60 < 14 ? (random64(r) & 0x801fffffffffffff) | 0x3fe0000000000000 : random64(r);
}

/* 16 bytes that are likely to be interesting as something. */
static void
random_vector(struct random *r, uint8_t *to)
{
	uint64_t v[2] = { random64(r), random64(r) };

	switch (random64(r) % 6) {
	case 0:
	case 1:
		v[0] = random_single(r) | (uint64_t)random_single(r) << 32;
		v[1] = random_single(r) | (uint64_t)random_single(r) << 32;
		break;
	case 2:
	case 3:
		v[0] = random_double(r);
		v[1] = random_double(r);
		break;
	case 4:
		/* Few different small bytes: strings, shift counts, shuffles. */
		v[0] &= 0x0303030303030303;
		v[1] &= random64(r) & 1 ? 0 : 0x8383838383838383;
		break;
	default:
		break;
	}
	memcpy(to, v, 16);
}

/* An 80-bit number. */
static void
random_extended(struct random *r, uint8_t *to)
{
	static const uint16_t exponents[] = { 0, 0x8000, 0x7fff, 0xffff, 0x3fff, 0xbfff, 0x4000, 0x3ffe, 0x403e, 0xc03e, 1, 0x7ffe };
	static const uint64_t fractions[] = { 0, 1ull << 63, 3ull << 62, ~0ull, 1, 0x8000000000000001, 0xa000000000000000 };
	uint64_t v = random64(r), fraction = v & 1 ? fractions[v / 2 % ARRAY_SIZE(fractions)] : random64(r) | 1ull << 63;
	uint16_t exponent = v & 0x10000 ? exponents[(v >> 20) % ARRAY_SIZE(exponents)] : (uint16_t)((v >> 32 & 0x8007) + 0x3ffb);

	memset(to, 0, 16);
	memcpy(to, &fraction, 8);
	memcpy(to + 8, &exponent, 2);
}

static void
set16(uint8_t *at, unsigned v)
{
	uint16_t word = (uint16_t)v;

	memcpy(at, &word, 2);
}

/* MASKED: no exception of SSE or x87 is unmasked. */
static void
random_state(struct random *r, struct state *s, bool masked)
{
	uint64_t v = random64(r);
	uint32_t mxcsr = v & (MX_RC | MX_FTZ | MX_DAZ | MX_FLAGS), masks = masked ? MX_FLAGS : v >> 32 & MX_FLAGS;
	unsigned fcw = (v >> 20 & 0xf00) | 0x40 | masks;

	memset(s, 0, sizeof *s);
	/* A flag that is set unmasked would be raised for no reason. */
	mxcsr = (mxcsr & ~(MX_FLAGS & ~masks)) | masks << MX_MASKS;
	set16(s->fx, fcw);
	set16(s->fx + X87_FSW, (unsigned)(v >> 40 & 0x7f00) | (v >> 56 & masks));
	s->fx[X87_FTW] = random64(r) & 3 ? 0xff : (uint8_t)random64(r);
	memcpy(s->fx + X87_MXCSR, &mxcsr, 4);
	for (unsigned n = 0; n < 8; n++)
		random_extended(r, s->fx + X87_ST + 16 * n);
	for (unsigned n = 0; n < 16; n++)
		random_vector(r, s->fx + FX_XMM + 16 * n);
	for (unsigned n = 0; n < MEMORY_BYTES; n += 16)
		random_vector(r, s->memory + n);
	for (unsigned n = 0; n < GPRS; n++) {
		s->gpr[n] = random64(r) >> (random64(r) & 63);
		if (random64(r) & 1)
			s->gpr[n] = -s->gpr[n];
	}
	s->flags = 0x202 | (random64(r) & 0x8d5);
}

/* ---- the host ---- */

struct snippet {
	uint8_t *p;
};

enum { SNIPPETS_BYTES = 1 << 20 };

static void
emit(struct snippet *s, const void *bytes, size_t len)
{
	memcpy(s->p, bytes, len);
	s->p += len;
}

/* An opcode whose ModRM is [rdi + OFFSET]. */
static void
emit_field(struct snippet *s, const char *opcode, size_t len, size_t offset)
{
	uint32_t disp = (uint32_t)offset;

	emit(s, opcode, len);
	emit(s, &disp, 4);
}

#define FIELD(s, opcode, field) emit_field(s, opcode, sizeof opcode - 1, offsetof(struct state, field))

/* Code of one instruction between loading and storing. */
struct code {
	void (*run)(struct state *s);
	const uint8_t *insn, *after;
};

static struct code
make_snippet(struct snippet *s, const uint8_t *insn, unsigned len, bool at_rdi)
{
	struct code c = { .run = (void (*)(struct state *))(uintptr_t)s->p };

	FIELD(s, "\x0f\xae\x9f", host_mxcsr);          /* stmxcsr */
	emit(s, "\x48\x0f\xae\x0f", 4);                /* fxrstor64 [rdi] */
	FIELD(s, "\x48\x8d\xb7", memory);              /* lea rsi */
	FIELD(s, "\xff\xb7", flags);                   /* push; popf */
	emit(s, "\x9d", 1);
	FIELD(s, "\x48\x8b\x87", gpr[RAX]);
	FIELD(s, "\x48\x8b\x8f", gpr[RCX]);
	FIELD(s, "\x48\x8b\x97", gpr[RDX]);
	if (at_rdi)
		emit(s, "\x48\x87\xfe", 3);            /* xchg rsi, rdi */
	c.insn = s->p;
	emit(s, insn, len);
	c.after = s->p;
	if (at_rdi)
		emit(s, "\x48\x87\xfe", 3);
	emit(s, "\x48\x0f\xae\x07", 4);                /* fxsave64 [rdi] */
	FIELD(s, "\x48\x89\x87", gpr[RAX]);
	FIELD(s, "\x48\x89\x8f", gpr[RCX]);
	FIELD(s, "\x48\x89\x97", gpr[RDX]);
	emit(s, "\x9c", 1);                            /* pushf; pop */
	FIELD(s, "\x8f\x87", flags);
	FIELD(s, "\x0f\xae\x97", host_mxcsr);          /* ldmxcsr */
	emit(s, "\xdb\xe3\xc3", 3);                    /* fninit; ret */
	return c;
}

/* What the handler needs to know; a signal handler has no argument of its own. */
static struct {
	struct code code;
	volatile bool trapped;
	volatile uint32_t mxcsr;
} current;

static void
on_trap(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;

	(void)info;
	if (u->uc_mcontext.gregs[REG_RIP] != (greg_t)(uintptr_t)current.code.insn) {
		static const struct sigaction deadly = { .sa_handler = SIG_DFL };

		sigaction(signal, &deadly, NULL);
		return;
	}
	current.trapped = true;
	current.mxcsr = u->uc_mcontext.fpregs->mxcsr;
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)current.code.after;
}

static void
run_native(const struct code *c, struct state *s)
{
	current.code = *c;
	current.trapped = false;
	c->run(s);
	s->trapped = current.trapped;
	if (current.trapped)
		memcpy(s->fx + X87_MXCSR, (const void *)&current.mxcsr, 4);
}

/* ---- the interpreter ---- */

struct guest {
	struct tcg_frame f;
	jmp_buf out;
};

static uint64_t
guest_linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	(void)f, (void)seg, (void)size, (void)access;
	return ea;
}

static void
guest_load(struct tcg_frame *f, uint64_t linear, void *to, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy(to, (const void *)(uintptr_t)linear, size);
}

static void
guest_store(struct tcg_frame *f, uint64_t linear, const void *from, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy((void *)(uintptr_t)linear, from, size);
}

static void *
guest_modify(struct tcg_frame *f, uint64_t linear, unsigned size, unsigned seg)
{
	(void)f, (void)size, (void)seg;
	return (void *)(uintptr_t)linear;
}

static void __attribute__((noreturn))
guest_trap(struct tcg_frame *f)
{
	longjmp(((struct guest *)f)->out, 1);
}

static void
x87_cleared(struct tcg_frame *f)
{
	(void)f;
}

static const struct tcg_guest guest_ops = {
	.linear = guest_linear, .load = guest_load, .store = guest_store, .modify = guest_modify, .divide_error = guest_trap,
	.general_protection = guest_trap, .simd_exception = guest_trap, .x87_cleared = x87_cleared, .x87_exception = guest_trap,
};

static void
run_interpreter(struct guest *g, const struct ir_insn *i, struct state *s)
{
	struct tcg_frame *f = &g->f;

	memset(f, 0, sizeof *f);
	f->guest = &guest_ops;
	memcpy(f->gpr, s->gpr, sizeof s->gpr);
	f->flags = flags_from_eflags(s->flags);
	memcpy(&f->mxcsr, s->fx + X87_MXCSR, 4);
	memcpy(f->x87, s->fx, X87_END);
	for (unsigned n = 0; n < 16; n++)
		memcpy(f->vec[n], s->fx + FX_XMM + 16 * n, 16);
	s->trapped = setjmp(g->out) != 0;
	if (!s->trapped)
		interp_insn(f, i);
	memcpy(s->gpr, f->gpr, sizeof s->gpr);
	s->flags = (s->flags & ~0x8d5ull) | flags_to_eflags(f->flags);
	memcpy(s->fx, f->x87, X87_END);
	memcpy(s->fx + X87_MXCSR, &f->mxcsr, 4);
	for (unsigned n = 0; n < 16; n++)
		memcpy(s->fx + FX_XMM + 16 * n, f->vec[n], 16);
}

/* ---- comparing ---- */

/* What differs, or NULL.  UNDEFINED: flags not to be compared, at their places in EFLAGS. */
static const char *
difference(const struct state *a, const struct state *b, unsigned undefined)
{
	if (a->trapped != b->trapped)
		return "trap";
	if (memcmp(a->fx + X87_MXCSR, b->fx + X87_MXCSR, 4) != 0)
		return "MXCSR";
	if (memcmp(a->fx, b->fx, 5) != 0)
		return "x87 control, status, tags";
	for (unsigned n = 0; n < 8; n++)
		if (memcmp(a->fx + X87_ST + 16 * n, b->fx + X87_ST + 16 * n, 10) != 0)
			return "ST";
	if (memcmp(a->fx + FX_XMM, b->fx + FX_XMM, 256) != 0)
		return "XMM";
	if (memcmp(a->gpr, b->gpr, sizeof a->gpr) != 0)
		return "general register";
	if ((a->flags ^ b->flags) & 0x8d5 & ~undefined)
		return "flags";
	return memcmp(a->memory, b->memory, MEMORY_BYTES) != 0 ? "memory" : NULL;
}

static void
print_bytes(const char *what, const uint8_t *b, unsigned len)
{
	fprintf(stderr, "  %s", what);
	for (unsigned n = len; n-- > 0;)
		fprintf(stderr, "%02x%s", b[n], n % 4 ? "" : " ");
	fprintf(stderr, "\n");
}

static void
print_state(const char *title, const struct state *s)
{
	uint32_t mxcsr;

	memcpy(&mxcsr, s->fx + X87_MXCSR, 4);
	fprintf(stderr, " %s: rax %llx rcx %llx rdx %llx flags %llx mxcsr %x fcw %02x%02x fsw %02x%02x ftw %02x trap %u\n", title,
		(unsigned long long)s->gpr[RAX], (unsigned long long)s->gpr[RCX], (unsigned long long)s->gpr[RDX],
		(unsigned long long)s->flags, mxcsr, s->fx[1], s->fx[0], s->fx[3], s->fx[2], s->fx[4], s->trapped);
	for (unsigned n = 0; n < 3; n++) {
		print_bytes("xmm ", s->fx + FX_XMM + 16 * n, 16);
		print_bytes("st  ", s->fx + X87_ST + 16 * n, 10);
	}
	print_bytes("mem ", s->memory, 16);
}

/* One instruction on ROUNDS random states; RCX_MASK keeps a count within what is defined. */
struct trial {
	const char *name;
	const struct code *code;
	struct ir_insn i;
	unsigned rounds, undefined;
	bool masked;
	uint64_t rcx_mask;
};

static void
compare_runs(struct random *r, struct trial *t)
{
	static struct guest g;
	struct state start, native, ours;

	for (unsigned n = 0; n < t->rounds; n++) {
		const char *what;

		random_state(r, &start, t->masked);
		start.gpr[RCX] &= t->rcx_mask;
		native = ours = start;
		run_native(t->code, &native);
		t->i.mem.disp = (int64_t)(uintptr_t)ours.memory;
		run_interpreter(&g, &t->i, &ours);
		what = difference(&native, &ours, t->undefined);
		if (what == NULL)
			continue;
		fprintf(stderr, "%s: imm %x width %u src_width %u\n", t->name, t->i.aux, t->i.width, t->i.src_width);
		print_state("before", &start);
		print_state("host", &native);
		print_state("interpreter", &ours);
		ck_abort_msg("%s: %s differs", t->name, what);
	}
}

static uint8_t *
snippets_begin(void)
{
	struct sigaction act = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };
	void *p = mmap(NULL, SNIPPETS_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ck_assert(p != MAP_FAILED);
	sigaction(SIGFPE, &act, NULL);
	return p;
}

static void
snippets_ready(uint8_t *p)
{
	ck_assert_int_eq(mprotect(p, SNIPPETS_BYTES, PROT_READ | PROT_EXEC), 0);
}

/* ---- vector instructions ---- */

/* Registers in use: 1 is dst, 2 is src (the same as RCX and RDX); memory is at RSI. */
enum { DST = 1, SRC = 2, AT_RSI = 6 };

struct vec_case {
	const struct vec_row *row;
	bool memory, wide;
	unsigned imm;
	struct code code;
};

static unsigned
vec_encode(const struct vec_case *c, uint8_t *to)
{
	const struct vec_row *v = c->row;
	unsigned rm_register = v->form == VEC_MR || v->form == VEC_EXT ? DST : SRC, reg = v->form == VEC_MR ? SRC : DST;
	uint8_t *p = to;

	if (v->prefix != 0)
		*p++ = v->prefix;
	if (c->wide)
		*p++ = 0x48;
	*p++ = 0x0f;
	if (v->map > 1)
		*p++ = v->map == 2 ? 0x38 : 0x3a;
	*p++ = v->opcode;
	if (v->form == VEC_EXT)
		reg = (unsigned)v->ext;
	*p++ = (uint8_t)(reg << 3 | (c->memory ? AT_RSI : 0xc0 | rm_register));
	if (v->flags & (VEC_IMM8 | VEC_IMM16))
		*p++ = (uint8_t)c->imm;
	if (v->flags & VEC_IMM16)
		*p++ = (uint8_t)(c->imm >> 8);
	return (unsigned)(p - to);
}

static struct ir_opnd
vec_register(unsigned kind, unsigned reg)
{
	return (struct ir_opnd){ kind == VEC_KIND_X ? IR_XMM : kind == VEC_KIND_M ? IR_MM : IR_GPR, (uint8_t)reg, 0 };
}

static struct ir_insn
vec_ir(const struct vec_case *c)
{
	const struct vec_row *v = c->row;
	struct ir_insn i = { .op = IR_vec, .sub = (uint16_t)(v - vec_rows), .width = 16, .src_width = c->wide ? 8 : 4, .aux = c->imm };
	struct ir_opnd memory = { .kind = IR_MEM }, reg = vec_register(v->reg, v->form == VEC_MR ? SRC : DST);
	struct ir_opnd rm = c->memory ? memory : vec_register(v->rm, v->form == VEC_MR || v->form == VEC_EXT ? DST : SRC);

	i.mem = (struct ir_mem){ .base = IR_NO_REG, .index = IR_NO_REG, .addr_width = 8, .how = ADDR_FLAT };
	i.mem.align = v->flags & VEC_ALIGN ? 16 : 0;
	if (c->memory)
		i.width = v->size ? v->size : i.src_width;
	i.dst = v->form == VEC_RM ? reg : rm;
	i.src = v->form == VEC_RM ? rm : v->form == VEC_MR ? reg : (struct ir_opnd){ .kind = IR_NONE };
	if (v->form == VEC_MASK) {
		i.dst = memory;
		i.src = reg;
		i.src2 = rm;
	}
	return i;
}

static bool
host_has(const struct vec_row *v)
{
	unsigned row = (unsigned)(v - vec_rows);

	__builtin_cpu_init();
	if (row == VEC_pclmulqdq)
		return __builtin_cpu_supports("pclmul");
	if (strncmp(v->name, "aes", 3) == 0)
		return __builtin_cpu_supports("aes");
	if (v->feature == VEC_FEATURE_sse4a)
		return __builtin_cpu_supports("sse4a");
	if (v->feature == VEC_FEATURE_sha_ni || v->feature == VEC_FEATURE_gfni) {
		unsigned a, b, c, d;

		return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (v->feature == VEC_FEATURE_gfni ? c >> 8 : b >> 29) & 1;
	}
	return __builtin_cpu_supports("sse4.2");
}

enum { VEC_FORMS = 4, VEC_IMMEDIATES = 24 };

/* Form N of a row: memory and width. */
static bool
has_form(const struct vec_row *v, unsigned n)
{
	bool memory = n & 1, wide = n & 2;

	if (memory ? v->flags & VEC_REGS : v->rm == VEC_KIND_N)
		return false;
	return !wide || v->flags & (VEC_WIDE | VEC_STRING);
}

static unsigned
make_vec_cases(struct random *r, struct snippet *s, struct vec_case *cases)
{
	unsigned count = 0;

	for (unsigned row = 0; row < VEC_ROWS; row++) {
		const struct vec_row *v = &vec_rows[row];

		for (unsigned n = 0; n < VEC_FORMS * VEC_IMMEDIATES; n++) {
			struct vec_case c = { .row = v, .memory = n & 1, .wide = n & 2 };
			uint8_t insn[16];

			if (!has_form(v, n % VEC_FORMS) || !host_has(v) || (n >= VEC_FORMS && !(v->flags & (VEC_IMM8 | VEC_IMM16))))
				continue;
			if (v->flags & VEC_IMM8)
				c.imm = random64(r) & (n & 8 ? 0xff : 0x1f);
			if (v->flags & VEC_IMM16)
				c.imm = random64(r) & (n & 8 ? 0xffff : 0x1f1f);
			c.code = make_snippet(s, insn, vec_encode(&c, insn), v->form == VEC_MASK);
			cases[count++] = c;
		}
	}
	return count;
}

static void
check_vec(bool masked, unsigned rounds)
{
	struct random r = { 1 };
	uint8_t *page = snippets_begin();
	struct vec_case *cases = calloc(VEC_ROWS * VEC_FORMS * VEC_IMMEDIATES, sizeof *cases);
	unsigned count = make_vec_cases(&r, &(struct snippet){ page }, cases);

	snippets_ready(page);
	for (unsigned n = 0; n < count; n++) {
		const struct vec_case *c = &cases[n];
		struct trial t = { .name = c->row->name, .code = &c->code, .i = vec_ir(c), .masked = masked, .rcx_mask = ~0ull };

		t.rounds = c->row->flags & (VEC_IMM8 | VEC_IMM16) ? rounds / 8 : rounds;
		compare_runs(&r, &t);
	}
	munmap(page, SNIPPETS_BYTES);
	free(cases);
}

START_TEST(vec_masked)
{
	check_vec(true, 400);
}
END_TEST

START_TEST(vec_unmasked)
{
	check_vec(false, 200);
}
END_TEST

/* ---- x87 ---- */

static unsigned
x87_width(unsigned opcode, unsigned reg)
{
	static const uint8_t widths[8][8] = {
		{ 4, 4, 4, 4, 4, 4, 4, 4 }, { 4, 0, 4, 4, 0, 2, 0, 2 }, { 4, 4, 4, 4, 4, 4, 4, 4 }, { 4, 4, 4, 4, 0, 10, 0, 10 },
		{ 8, 8, 8, 8, 8, 8, 8, 8 }, { 8, 8, 8, 8, 0, 0, 0, 2 }, { 2, 2, 2, 2, 2, 2, 2, 2 }, { 2, 2, 2, 2, 10, 8, 10, 8 },
	};

	return widths[opcode][reg];
}

static bool
x87_stores(unsigned opcode, unsigned reg)
{
	static const uint8_t stores[8] = { 0, 0x8c, 0, 0x8e, 0, 0x8e, 0, 0xce };

	return stores[opcode] >> reg & 1;
}

/* Register forms by rows of eight: which of ModRM C0 to FF exist. */
static bool
x87_exists(unsigned opcode, unsigned modrm)
{
	static const uint8_t rows[8][8] = {
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xff, 0x01, 0xff, 0x33, 0x7f, 0xff, 0xff },
		{ 0xff, 0xff, 0xff, 0xff, 0x00, 0x02, 0x00, 0x00 }, { 0xff, 0xff, 0xff, 0xff, 0x0c, 0xff, 0xff, 0x00 },
		{ 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00 },
		{ 0xff, 0xff, 0xff, 0x02, 0xff, 0xff, 0xff, 0xff }, { 0xff, 0xff, 0xff, 0xff, 0x01, 0xff, 0xff, 0x00 },
	};

	if (modrm < 0xc0)
		return modrm % 8 == 0 && modrm < 0x40 && x87_width(opcode, modrm / 8) != 0;
	return rows[opcode][(modrm - 0xc0) / 8] >> modrm % 8 & 1;
}

static struct ir_insn
x87_ir(unsigned opcode, unsigned modrm)
{
	struct ir_insn i = { .op = IR_x87, .sub = (uint16_t)(opcode << 8 | modrm), .writes = FL_CF | FL_PF | FL_ZF };
	struct ir_opnd memory = { .kind = IR_MEM };

	i.mem = (struct ir_mem){ .base = IR_NO_REG, .index = IR_NO_REG, .addr_width = 8, .how = ADDR_FLAT };
	if (opcode == 7 && modrm == 0xe0) {
		i.width = 2;
		i.dst = (struct ir_opnd){ IR_GPR, RAX, 0 };
	} else if (modrm < 0xc0) {
		i.width = (uint8_t)x87_width(opcode, modrm / 8);
		*(x87_stores(opcode, modrm / 8) ? &i.dst : &i.src) = memory;
	}
	return i;
}

static void
check_x87(bool masked, unsigned rounds)
{
	struct random r = { 2 };
	uint8_t *page = snippets_begin();
	static struct code codes[8][256];
	struct snippet s = { page };

	for (unsigned opcode = 0; opcode < 8; opcode++)
		for (unsigned modrm = 0; modrm < 256; modrm++)
			if (x87_exists(opcode, modrm)) {
				uint8_t insn[2] = { (uint8_t)(0xd8 + opcode), (uint8_t)(modrm < 0xc0 ? modrm | AT_RSI : modrm) };

				codes[opcode][modrm] = make_snippet(&s, insn, 2, false);
			}
	snippets_ready(page);
	for (unsigned opcode = 0; opcode < 8; opcode++)
		for (unsigned modrm = 0; modrm < 256; modrm++) {
			char name[16];
			struct trial t = { .name = name, .code = &codes[opcode][modrm], .rounds = rounds, .masked = masked, .rcx_mask = ~0ull };

			if (!x87_exists(opcode, modrm))
				continue;
			snprintf(name, sizeof name, "%02X %02X", 0xd8 + opcode, modrm);
			t.i = x87_ir(opcode, modrm);
			compare_runs(&r, &t);
		}
	munmap(page, SNIPPETS_BYTES);
}

START_TEST(x87_masked)
{
	check_x87(true, 300);
}
END_TEST

START_TEST(x87_unmasked)
{
	check_x87(false, 300);
}
END_TEST

/* ---- integer ---- */

enum int_form {
	RM_REG,    /* dst RCX in r/m, src RDX in reg */
	REG_RM,    /* dst RCX in reg, src RDX in r/m */
	UNARY,     /* RCX in r/m, opcode extension in reg */
	BY_CL,     /* dst RDX, count CL */
	DOUBLE_CL, /* dst RDX, src RAX, count CL */
	VEX_V_RM,  /* dst RCX in reg, src RDX in vvvv, src2 RAX in r/m; MAP is that of VEX */
	VEX_RM_V,  /* dst RCX in reg, src RAX in r/m, src2 RDX in vvvv */
	VEX_RM,    /* dst RCX in vvvv, src RDX in r/m */
	VEX_IMM,   /* dst RCX in reg, src RDX in r/m, 13 */
	VEX_MULX,  /* dst RCX in reg, src RAX in vvvv, src2 RDX in r/m */
};

struct int_case {
	uint8_t op, form;
	uint8_t prefix, map, opcode, ext;
	bool bytes;        /* has a form for bytes: the opcode before */
	unsigned undefined;
};

enum { OF = 0x800, SZAP = FL_SF | FL_ZF | FL_AF | FL_PF };

static const struct int_case int_cases[] = {
	{ IR_add, RM_REG, 0, 0, 0x01, 0, true, 0 }, { IR_or, RM_REG, 0, 0, 0x09, 0, true, FL_AF },
	{ IR_adc, RM_REG, 0, 0, 0x11, 0, true, 0 }, { IR_sbb, RM_REG, 0, 0, 0x19, 0, true, 0 },
	{ IR_and, RM_REG, 0, 0, 0x21, 0, true, FL_AF }, { IR_sub, RM_REG, 0, 0, 0x29, 0, true, 0 },
	{ IR_xor, RM_REG, 0, 0, 0x31, 0, true, FL_AF }, { IR_cmp, RM_REG, 0, 0, 0x39, 0, true, 0 },
	{ IR_test, RM_REG, 0, 0, 0x85, 0, true, FL_AF }, { IR_xchg, RM_REG, 0, 0, 0x87, 0, true, 0 },
	{ IR_xadd, RM_REG, 0, 1, 0xc1, 0, true, 0 }, { IR_cmpxchg, RM_REG, 0, 1, 0xb1, 0, true, 0 },
	{ IR_bt, RM_REG, 0, 1, 0xa3, 0, false, OF | SZAP }, { IR_bts, RM_REG, 0, 1, 0xab, 0, false, OF | SZAP },
	{ IR_btr, RM_REG, 0, 1, 0xb3, 0, false, OF | SZAP }, { IR_btc, RM_REG, 0, 1, 0xbb, 0, false, OF | SZAP },
	{ IR_imul2, REG_RM, 0, 1, 0xaf, 0, false, SZAP },
	{ IR_bsf, REG_RM, 0, 1, 0xbc, 0, false, OF | FL_CF | FL_SF | FL_AF | FL_PF },
	{ IR_bsr, REG_RM, 0, 1, 0xbd, 0, false, OF | FL_CF | FL_SF | FL_AF | FL_PF },
	{ IR_tzcnt, REG_RM, 0xf3, 1, 0xbc, 0, false, OF | FL_SF | FL_AF | FL_PF },
	{ IR_lzcnt, REG_RM, 0xf3, 1, 0xbd, 0, false, OF | FL_SF | FL_AF | FL_PF },
	{ IR_popcnt, REG_RM, 0xf3, 1, 0xb8, 0, false, 0 },
	{ IR_inc, UNARY, 0, 0, 0xff, 0, true, 0 }, { IR_dec, UNARY, 0, 0, 0xff, 1, true, 0 },
	{ IR_not, UNARY, 0, 0, 0xf7, 2, true, 0 }, { IR_neg, UNARY, 0, 0, 0xf7, 3, true, 0 },
	{ IR_mul, UNARY, 0, 0, 0xf7, 4, true, SZAP }, { IR_imul1, UNARY, 0, 0, 0xf7, 5, true, SZAP },
	{ IR_div, UNARY, 0, 0, 0xf7, 6, true, OF | FL_CF | SZAP }, { IR_idiv, UNARY, 0, 0, 0xf7, 7, true, OF | FL_CF | SZAP },
	{ IR_rol, BY_CL, 0, 0, 0xd3, 0, true, OF }, { IR_ror, BY_CL, 0, 0, 0xd3, 1, true, OF },
	{ IR_rcl, BY_CL, 0, 0, 0xd3, 2, true, OF }, { IR_rcr, BY_CL, 0, 0, 0xd3, 3, true, OF },
	{ IR_shl, BY_CL, 0, 0, 0xd3, 4, true, OF | FL_AF | FL_CF }, { IR_shr, BY_CL, 0, 0, 0xd3, 5, true, OF | FL_AF | FL_CF },
	{ IR_sar, BY_CL, 0, 0, 0xd3, 7, true, OF | FL_AF },
	{ IR_andn, VEX_V_RM, 0, 2, 0xf2, 0, false, FL_AF | FL_PF }, { IR_bextr, VEX_RM_V, 0, 2, 0xf7, 0, false, FL_SF | FL_AF | FL_PF },
	{ IR_bzhi, VEX_RM_V, 0, 2, 0xf5, 0, false, FL_AF | FL_PF }, { IR_pdep, VEX_V_RM, 3, 2, 0xf5, 0, false, 0 },
	{ IR_pext, VEX_V_RM, 2, 2, 0xf5, 0, false, 0 }, { IR_sarx, VEX_RM_V, 2, 2, 0xf7, 0, false, 0 },
	{ IR_shlx, VEX_RM_V, 1, 2, 0xf7, 0, false, 0 }, { IR_shrx, VEX_RM_V, 3, 2, 0xf7, 0, false, 0 },
	{ IR_rorx, VEX_IMM, 3, 3, 0xf0, 0, false, 0 }, { IR_mulx, VEX_MULX, 3, 2, 0xf6, 0, false, 0 },
	{ IR_blsr, VEX_RM, 0, 2, 0xf3, 1, false, FL_AF | FL_PF }, { IR_blsmsk, VEX_RM, 0, 2, 0xf3, 2, false, FL_AF | FL_PF },
	{ IR_blsi, VEX_RM, 0, 2, 0xf3, 3, false, FL_AF | FL_PF },
	{ IR_adcx, REG_RM, 0x66, 2, 0xf6, 0, false, 0 }, { IR_adox, REG_RM, 0xf3, 2, 0xf6, 0, false, 0 },
	{ IR_shld, DOUBLE_CL, 0, 1, 0xa5, 0, false, OF | FL_AF }, { IR_shrd, DOUBLE_CL, 0, 1, 0xad, 0, false, OF | FL_AF },
};

static bool
is_vex(const struct int_case *c)
{
	return c->form >= VEX_V_RM;
}

static bool
host_has_int(const struct int_case *c)
{
	unsigned a, b = 0, d, e;

	__builtin_cpu_init();
	__get_cpuid_count(7, 0, &a, &b, &d, &e);
	switch (c->op) {
	case IR_popcnt:
		return __builtin_cpu_supports("popcnt");
	case IR_lzcnt:
		return __get_cpuid(0x80000001, &a, &b, &d, &e) && d >> 5 & 1;
	case IR_adcx:
	case IR_adox:
		return b >> 19 & 1;
	default:
		return (c->op != IR_tzcnt && !is_vex(c)) || (__builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2"));
	}
}

/* PREFIX is VEX.pp. */
static unsigned
vex_encode(const struct int_case *c, unsigned width, uint8_t *to)
{
	static const uint8_t vvvv[] = { RDX, RDX, RCX, 0, RAX };
	static const uint8_t modrm[] = { RCX << 3 | RAX, RCX << 3 | RAX, RDX, RCX << 3 | RDX, RCX << 3 | RDX };
	unsigned n = c->form - VEX_V_RM;

	to[0] = 0xc4;
	to[1] = 0xe0 | c->map;
	to[2] = (uint8_t)((width == 8 ? 0x80 : 0) | (~vvvv[n] & 15) << 3 | c->prefix);
	to[3] = c->opcode;
	to[4] = (uint8_t)(0xc0 | modrm[n] | c->ext << 3);
	to[5] = 13;
	return c->form == VEX_IMM ? 6 : 5;
}

static unsigned
int_encode(const struct int_case *c, unsigned width, uint8_t *to)
{
	static const uint8_t modrm[] = { 0xc0 | RDX << 3 | RCX, 0xc0 | RCX << 3 | RDX, 0xc0 | RCX, 0xc0 | RDX, 0xc0 | RAX << 3 | RDX };
	uint8_t *p = to;

	if (is_vex(c))
		return vex_encode(c, width, to);
	if (width == 2)
		*p++ = 0x66;
	if (c->prefix)
		*p++ = c->prefix;
	if (width == 8)
		*p++ = 0x48;
	if (c->map)
		*p++ = 0x0f;
	if (c->map == 2)
		*p++ = 0x38;
	*p++ = (uint8_t)(width == 1 ? c->opcode - 1 : c->opcode);
	*p++ = (uint8_t)(modrm[c->form] | c->ext << 3);
	return (unsigned)(p - to);
}

static struct ir_insn
int_ir(struct ir *ir, const struct int_case *c, unsigned width)
{
	val rax = ir_gpr(RAX), rcx = ir_gpr(RCX), rdx = ir_gpr(RDX);

	ir_reset(ir, 0, 0, true);
	switch ((enum int_form)c->form) {
	case RM_REG:
	case REG_RM:
		return *ir_op2(ir, (enum ir_op)c->op, width, rcx, rdx);
	case UNARY:
		return *ir_op1(ir, (enum ir_op)c->op, width, rcx);
	case BY_CL:
		return *ir_op2(ir, (enum ir_op)c->op, width, rdx, rcx);
	case VEX_V_RM:
		return *ir_emit(ir, (enum ir_op)c->op, width, rcx, rdx, rax);
	case VEX_RM_V:
	case VEX_MULX:
		return *ir_emit(ir, (enum ir_op)c->op, width, rcx, rax, rdx);
	case VEX_RM:
		return *ir_op2(ir, (enum ir_op)c->op, width, rcx, rdx);
	case VEX_IMM:
		return *ir_emit(ir, (enum ir_op)c->op, width, rcx, rdx, ir_imm(13));
	default:
		return *ir_emit(ir, (enum ir_op)c->op, width, rdx, rax, rcx);
	}
}

START_TEST(integer)
{
	struct random r = { 3 };
	uint8_t *page = snippets_begin();
	static struct code codes[ARRAY_SIZE(int_cases)][9];
	struct snippet s = { page };
	struct ir *ir = malloc(sizeof *ir);

	for (unsigned n = 0; n < ARRAY_SIZE(int_cases); n++)
		for (unsigned width = 1; width <= 8; width *= 2) {
			uint8_t insn[8];

			codes[n][width] = make_snippet(&s, insn, int_encode(&int_cases[n], width, insn), false);
		}
	snippets_ready(page);
	for (unsigned n = 0; n < ARRAY_SIZE(int_cases); n++)
		for (unsigned width = int_cases[n].bytes ? 1 : is_vex(&int_cases[n]) || int_cases[n].map == 2 ? 4 : 2; width <= 8; width *= 2) {
			const struct int_case *c = &int_cases[n];
			struct trial t = { .name = ir_op_name(c->op), .code = &codes[n][width], .i = int_ir(ir, c, width), .rounds = 3000,
				.undefined = c->undefined, .masked = true, .rcx_mask = c->form == DOUBLE_CL && width == 2 ? 15 : ~0ull };

			if (host_has_int(c))
				compare_runs(&r, &t);
		}
	free(ir);
	munmap(page, SNIPPETS_BYTES);
}
END_TEST

static void
add_host_tests(TCase *t)
{
	tcase_add_test(t, vec_masked);
	tcase_add_test(t, vec_unmasked);
	tcase_add_test(t, x87_masked);
	tcase_add_test(t, x87_unmasked);
	tcase_add_test(t, integer);
}

#else

static void
add_host_tests(TCase *t)
{
	(void)t;
}

#endif

int
main(void)
{
	Suite *suite = suite_create("interp");
	TCase *host = tcase_create("host");
	SRunner *runner = srunner_create(suite);
	int failed;

	tcase_add_test(host, vec_rows_complete);
	tcase_add_test(host, avx_rows_sorted);
	tcase_add_test(host, avx_rows_complete);
	tcase_add_test(host, evex_rows_sorted);
	tcase_add_test(host, evex_rows_complete);
	add_host_tests(host);
	tcase_set_timeout(host, 120);
	suite_add_tcase(suite, host);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
