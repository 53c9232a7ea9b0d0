/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Locked operations of two processors on the same bytes: none is lost, and no pair is seen half changed. */
#include "tcg/tcg.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/util.h"
#include "tests/check_main.h"

enum { RAX, RCX, RDX, RBX, RSI = 6, PROCESSORS = 2, ROUNDS = 100000, BYTES = 64 };

/* What they share.  Memory is either in one piece, or as devices are: read and written, each access by itself. */
struct shared {
	_Alignas(BYTES) uint8_t bytes[BYTES];
	bool in_one_piece, faults;
	struct tcg *tcg;
	pthread_barrier_t start;
	const struct operation *operation;
};

struct processor {
	struct tcg_frame f; /* first */
	struct shared *shared;
	pthread_t thread;
	uint64_t torn; /* pairs that nobody has written */
};

static struct shared *
shared_of(struct tcg_frame *f)
{
	return ((struct processor *)f)->shared;
}

static uint64_t
linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	(void)f, (void)seg, (void)size, (void)access;
	return ea;
}

static void
load(struct tcg_frame *f, uint64_t at, void *to, unsigned size, unsigned seg)
{
	(void)seg;
	if (shared_of(f)->faults)
		tcg_unwind(f);
	memcpy(to, shared_of(f)->bytes + at, size);
}

static void
store(struct tcg_frame *f, uint64_t at, const void *from, unsigned size, unsigned seg)
{
	(void)seg;
	memcpy(shared_of(f)->bytes + at, from, size);
}

static void *
modify(struct tcg_frame *f, uint64_t at, unsigned size, unsigned seg)
{
	(void)size, (void)seg;
	return shared_of(f)->in_one_piece ? shared_of(f)->bytes + at : NULL;
}

static const struct tcg_guest guest = { .linear = linear, .load = load, .store = store, .modify = modify };

/* ---- what they do ---- */

struct operation {
	const char *name;
	enum ir_op op;
	unsigned width, at;
	bool in_one_piece;
};

static const struct operation operations[] = {
	{ "16 bytes", IR_cmpxchg8b, 16, 16, true }, { "8 bytes", IR_cmpxchg8b, 8, 8, true },
	{ "8 bytes, misaligned", IR_cmpxchg8b, 8, 3, true },
	{ "16 bytes in pieces", IR_cmpxchg8b, 16, 16, false }, { "8 bytes in pieces", IR_cmpxchg8b, 8, 5, false },
	{ "compare and exchange", IR_cmpxchg, 4, 4, true }, { "compare and exchange in pieces", IR_cmpxchg, 8, 1, false },
	{ "add", IR_add, 8, 3, true }, { "add in pieces", IR_add, 4, 6, false },
	{ "exchange and add", IR_xadd, 2, 5, true }, { "exchange and add in pieces", IR_xadd, 8, 4, false },
};

static struct ir_insn
insn_of(struct ir *ir, const struct operation *o)
{
	val m = ir_mem((struct ir_mem){ .seg = SEG_DS, .base = RSI, .index = IR_NO_REG, .addr_width = 8, .how = ADDR_FLAT });
	struct ir_insn *i;

	ir_reset(ir, 0, 0, true);
	i = o->op == IR_cmpxchg8b ? ir_op1(ir, o->op, o->width, m) : ir_op2(ir, o->op, o->width, m, ir_gpr(RCX));
	i->attr |= IR_LOCKED;
	return *i;
}

static uint64_t
masked(uint64_t v, unsigned width)
{
	return width == 8 ? v : v & ((1ull << 8 * width) - 1);
}

/* One more in the low half, whose complement is the high one. */
static void
count_pair(struct processor *p, const struct ir_insn *i)
{
	unsigned half = i->width / 2;
	struct tcg_frame *f = &p->f;

	do {
		p->torn += masked(f->gpr[RDX], half) != masked(~f->gpr[RAX], half);
		f->gpr[RBX] = masked(f->gpr[RAX] + 1, half);
		f->gpr[RCX] = masked(~f->gpr[RBX], half);
		interp_insn(f, i);
	} while (!(flags_to_eflags(f->flags) & FL_ZF));
}

static void
count(struct processor *p, const struct ir_insn *i)
{
	struct tcg_frame *f = &p->f;

	if (i->op == IR_cmpxchg8b) {
		count_pair(p, i);
	} else if (i->op == IR_cmpxchg) {
		do {
			f->gpr[RCX] = f->gpr[RAX] + 1;
			interp_insn(f, i);
		} while (!(flags_to_eflags(f->flags) & FL_ZF));
	} else {
		f->gpr[RCX] = 1;
		interp_insn(f, i);
	}
}

static void *
processor(void *opaque)
{
	struct processor *p = opaque;
	struct ir *ir = xcalloc(1, sizeof(*ir));
	struct ir_insn i = insn_of(ir, p->shared->operation);

	p->f.gpr[RSI] = p->shared->operation->at;
	p->f.gpr[RDX] = ~0ull;
	pthread_barrier_wait(&p->shared->start);
	for (unsigned n = 0; n < ROUNDS; n++)
		count(p, &i);
	free(ir);
	return NULL;
}

static struct processor *
processor_new(struct shared *s)
{
	struct processor *p = tcg_frame_alloc(sizeof(*p));

	ck_assert_ptr_nonnull(p);
	p->f.guest = &guest;
	p->f.tcg = s->tcg;
	p->shared = s;
	return p;
}

static struct shared *
shared_new(const struct operation *o)
{
	struct tcg_options options = { .accel = ACCEL_INTERP, .cache_bytes = 1 << 20 };
	struct shared *s = aligned_alloc(BYTES, align_up(sizeof(*s), BYTES));
	struct err e = { 0 };

	memset(s, 0, sizeof(*s));
	s->operation = o;
	s->in_one_piece = o->in_one_piece;
	s->tcg = tcg_new(&options, &guest, &e);
	ck_assert_msg(s->tcg != NULL, "%s", e.text);
	pthread_barrier_init(&s->start, NULL, PROCESSORS);
	if (o->op == IR_cmpxchg8b)
		memset(s->bytes + o->at + o->width / 2, 0xff, o->width / 2);
	return s;
}

static void
shared_free(struct shared *s)
{
	pthread_barrier_destroy(&s->start);
	tcg_free(s->tcg);
	free(s);
}

START_TEST(nothing_is_lost)
{
	const struct operation *o = &operations[_i];
	unsigned bytes = o->op == IR_cmpxchg8b ? o->width / 2 : o->width;
	struct shared *s = shared_new(o);
	struct processor *p[PROCESSORS];

	for (unsigned n = 0; n < PROCESSORS; n++) {
		p[n] = processor_new(s);
		ck_assert_int_eq(pthread_create(&p[n]->thread, NULL, processor, p[n]), 0);
	}
	for (unsigned n = 0; n < PROCESSORS; n++) {
		pthread_join(p[n]->thread, NULL);
		ck_assert_msg(p[n]->torn == 0, "%s: %llu pairs are torn", o->name, (unsigned long long)p[n]->torn);
		ck_assert_uint_eq(p[n]->f.has_bus, 0);
		tcg_frame_free(p[n], sizeof(*p[n]));
	}
	ck_assert_msg(load_le(s->bytes + o->at, bytes) == masked(PROCESSORS * ROUNDS, bytes), "%s: %llu of %u", o->name,
		(unsigned long long)load_le(s->bytes + o->at, bytes), PROCESSORS * ROUNDS);
	shared_free(s);
}
END_TEST

/* An operation that faults in the middle leaves the bus to others. */
START_TEST(faults_let_go)
{
	static const struct operation o = { "add in pieces", IR_add, 4, 4, false };
	struct shared *s = shared_new(&o);
	struct processor *p = processor_new(s), *other = processor_new(s);
	struct ir *ir = xcalloc(1, sizeof(*ir));
	struct ir_insn i = insn_of(ir, &o);

	s->faults = true;
	p->f.gpr[RSI] = other->f.gpr[RSI] = o.at;
	if (__builtin_setjmp(p->f.leave) == 0) {
		count(p, &i);
		ck_abort_msg("no fault");
	}
	s->faults = false;
	ck_assert_uint_eq(p->f.has_bus, 0);
	count(other, &i);
	ck_assert_uint_eq(load_le(s->bytes + o.at, o.width), 1);
	free(ir);
	tcg_frame_free(p, sizeof(*p));
	tcg_frame_free(other, sizeof(*other));
	shared_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("locked operations");
	TCase *t = tcase_create("processors");

	tcase_add_loop_test(t, nothing_is_lost, 0, ARRAY_SIZE(operations));
	tcase_add_test(t, faults_let_go);
	tcase_set_timeout(t, 120);
	suite_add_tcase(s, t);
	return run_suite(s);
}
