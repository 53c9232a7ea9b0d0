/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz [-n executions] [-t seconds] [-s seed] [-k folder] [-m most] [-c counts] [-v] [case ...]: random snippets, as many as
 * that or as fit into the time, and the cases given as files, on the host's processor and in every kind of guest.  What
 * differs is reduced and printed as a case, the first 40 of them or as many as -m says, and kept in the folder; the program
 * fails if anything does.  A file of counts adds up what several runs met; -v lists what was met less than a thousand times.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Each code runs with so many sets of registers: translating it takes longer than running it. */
enum { VARIANTS = 16 };
enum { SINGLE = 2, NONE = BATCHES, TICK_US = 10000, SELDOM = 1000 };

struct fuzz {
	struct guest *guest[GUEST_KINDS];
	struct generator *generator;
	uint8_t data[256][DATA_BYTES];
	bool filled[256];
	struct outcome ours;
	unsigned started; /* a batch that the host's processor has, or NONE */
	bool finished;
	struct made made[2][BATCH / VARIANTS];
	unsigned long executions, timeouts, faults, lost, unexplained;
	uint64_t before; /* instructions of earlier runs */
	const char *keep, *counts;
	unsigned long shown, most; /* reduced and printed */
	time_t until;              /* no batch begins later, by the monotonic clock; 0: no limit */
	bool verbose;
};

static const uint8_t *
data_of(struct fuzz *f, const struct snippet *s)
{
	unsigned n = s->data_seed & 0xff;

	if (!f->filled[n])
		fill_data(n, f->data[n]);
	f->filled[n] = true;
	return f->data[n];
}

/* The first kind of guest that does something else than the host did; GUEST_KINDS: none does. */
static unsigned
compare(struct fuzz *f, const struct snippet *s, const struct outcome *host, char *what, size_t size)
{
	const uint8_t *data = data_of(f, s);

	f->lost += host->vector == VECTOR_LOST;
	f->timeouts += host->vector == VECTOR_TIMEOUT;
	if (host->vector == VECTOR_TIMEOUT || host->vector == VECTOR_LOST)
		return GUEST_KINDS;
	f->executions++;
	f->faults += host->vector != VECTOR_EXIT;
	for (unsigned n = 0; n < GUEST_KINDS; n++) {
		guest_run(f->guest[n], s, data, host, &f->ours);
		if (!outcome_equal(s, data, host, &f->ours, what, size))
			return n;
	}
	return GUEST_KINDS;
}

static void
gone(void)
{
	fprintf(stderr, "the process for the host's own runs is gone\n");
	exit(1);
}

/* Only one batch runs at a time: waits for it. */
static void
settle(struct fuzz *f)
{
	if (f->started != NONE && !f->finished && !native_wait(f->started))
		gone();
	f->finished = true;
}

/* The same for a snippet that the host hasn't run yet. */
static unsigned
differs(struct fuzz *f, const struct snippet *s, char *what, size_t size)
{
	struct batch *b = native_batch(SINGLE);

	settle(f);
	b->snippet[0] = *s;
	b->snippet[0].variant = false;
	b->count = 1;
	if (!native_start(SINGLE) || !native_wait(SINGLE))
		gone();
	return compare(f, s, &b->outcome[0], what, size);
}

/* ---- reducing ---- */

static bool
still_differs(struct fuzz *f, struct snippet *s)
{
	char what[256];

	return s->len != 0 && snippet_analyse(s) && differs(f, s, what, sizeof(what)) != GUEST_KINDS;
}

static bool
drop_instruction(struct fuzz *f, struct snippet *s, unsigned n)
{
	struct snippet shorter = *s;
	unsigned from = s->insn_at[n], to = s->insn_at[n + 1];

	memmove(shorter.code + from, shorter.code + to, s->len - to);
	shorter.len -= to - from;
	if (!still_differs(f, &shorter))
		return false;
	*s = shorter;
	return true;
}

static void
simplify_registers(struct fuzz *f, struct snippet *s)
{
	struct snippet simple;

	for (unsigned n = 0; n < 16; n++) {
		simple = *s;
		simple.start.gpr[n] = 0;
		if (s->start.gpr[n] != 0 && still_differs(f, &simple))
			*s = simple;
	}
	for (unsigned n = FX_ST; n < FX_AREA; n += n + 16 == FX_END ? FX_YMM - n : 16) {
		simple = *s;
		memset(simple.start.fx + n, 0, 16);
		if (still_differs(f, &simple))
			*s = simple;
	}
	for (unsigned n = 0; n < ZMM; n++) {
		simple = *s;
		memset(simple.start.zmm[n], 0, 64);
		if (still_differs(f, &simple))
			*s = simple;
	}
	for (unsigned n = 0; n < 8; n++) {
		simple = *s;
		simple.start.k[n] = 0;
		if (s->start.k[n] != 0 && still_differs(f, &simple))
			*s = simple;
	}
	simple = *s;
	simple.at = 0;
	if (still_differs(f, &simple))
		*s = simple;
	simple = *s;
	simple.start.flags = 0x202;
	if (still_differs(f, &simple))
		*s = simple;
}

static void
reduce(struct fuzz *f, struct snippet *s)
{
	bool again = true;

	while (again) {
		again = false;
		for (unsigned n = s->insns; n-- > 0;)
			again |= n < s->insns && drop_instruction(f, s, n);
	}
	simplify_registers(f, s);
	snippet_analyse(s);
}

/* ---- reports ---- */

static void
keep_case(struct fuzz *f, const struct snippet *s, const char *what)
{
	char name[512];
	FILE *to;

	snprintf(name, sizeof(name), "%s/%04lu.txt", f->keep, f->unexplained);
	to = fopen(name, "w");
	if (to == NULL)
		return;
	fprintf(to, "# %s\n", what);
	snippet_print(s, to);
	fclose(to);
}

static void
report(struct fuzz *f, const struct snippet *original)
{
	struct snippet s = *original;
	char what[256] = "it no longer differs when run again";
	unsigned long executions = f->executions;
	unsigned kind;

	f->unexplained++;
	if (f->shown++ >= f->most)
		return;
	reduce(f, &s);
	kind = differs(f, &s, what, sizeof(what));
	f->executions = executions;
	printf("\n# %s: %s\n", kind < GUEST_KINDS ? guest_names[kind] : "?", what);
	snippet_disassemble(&s, stdout);
	snippet_print(&s, stdout);
	fflush(stdout);
	if (f->keep != NULL)
		keep_case(f, &s, what);
}

static void
run_one(struct fuzz *f, const struct snippet *s)
{
	char what[256];

	if (differs(f, s, what, sizeof(what)) != GUEST_KINDS)
		report(f, s);
}

static bool
run_file(struct fuzz *f, const char *name)
{
	FILE *from = fopen(name, "r");
	struct snippet s;
	bool good = from != NULL && snippet_parse(&s, from);

	if (from != NULL)
		fclose(from);
	if (!good)
		fprintf(stderr, "%s: not a case\n", name);
	else
		run_one(f, &s);
	return good;
}

/* How many snippets it takes. */
static unsigned
start_batch(struct fuzz *f, unsigned n, unsigned long count)
{
	struct batch *b = native_batch(n);

	b->count = count < BATCH ? (unsigned)count : BATCH;
	for (unsigned k = 0; k < b->count; k++) {
		if (k % VARIANTS == 0) {
			generate(f->generator, &b->snippet[k], &f->made[n][k / VARIANTS]);
			continue;
		}
		b->snippet[k] = b->snippet[k - 1];
		generate_variant(f->generator, &b->snippet[k]);
	}
	if (!native_start(n))
		gone();
	f->started = n;
	f->finished = false;
	return b->count;
}

static time_t
seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* The guests work on one batch while the host's processor works on the next. */
static void
run_random(struct fuzz *f, unsigned long count)
{
	unsigned long left = count;
	char what[256];

	if (left != 0)
		left -= start_batch(f, 0, left);
	while (f->started != NONE) {
		unsigned n = f->started;
		struct batch *b = native_batch(n);

		settle(f);
		f->started = NONE;
		if (f->until != 0 && seconds() >= f->until)
			left = 0;
		if (left != 0)
			left -= start_batch(f, n ^ 1, left);
		for (unsigned k = 0; k < b->count; k++) {
			if (compare(f, &b->snippet[k], &b->outcome[k], what, sizeof(what)) != GUEST_KINDS)
				report(f, &b->snippet[k]);
			generator_cover(f->generator, &b->snippet[k], &f->made[n][k / VARIANTS], &b->outcome[k]);
		}
	}
}

/* ---- */

/* By the processor's time: on a busy host a guest isn't slower. */
static void
on_tick(int signal)
{
	(void)signal;
	guest_tick();
}

static bool
start(struct fuzz *f, uint64_t seed)
{
	if (!native_init())
		return false;
	f->started = NONE;
	for (unsigned n = 0; n < GUEST_KINDS; n++)
		f->guest[n] = guest_new(n);
	f->generator = generator_new(seed, false);
	sigaction(SIGPROF, &(struct sigaction){ .sa_handler = on_tick, .sa_flags = SA_RESTART }, NULL);
	setitimer(ITIMER_PROF, &(struct itimerval){ { 0, TICK_US }, { 0, TICK_US } }, NULL);
	return true;
}

/* The sums.  False: something went wrong, or nothing of what was WANTED could be run. */
static bool
end(struct fuzz *f, unsigned long wanted)
{
	if (f->verbose)
		generator_print_seldom(f->generator, SELDOM, stdout);
	printf("%lu executions, %u templates, %lu unexplained\n", f->executions, generator_covered(f->generator), f->unexplained);
	printf("of %u templates; %" PRIu64 " instructions of theirs; %lu executions ended by a fault, %lu did not end, %lu were lost\n",
		generator_templates(f->generator), generator_instructions(f->generator) - f->before, f->faults, f->timeouts, f->lost);
	if (f->counts != NULL && !generator_save_totals(f->generator, f->executions, f->counts)) {
		fprintf(stderr, "%s: cannot be written\n", f->counts);
		return false;
	}
	if (f->counts != NULL)
		printf("%" PRIu64 " executions of %" PRIu64 " instructions in all runs\n",
			generator_executions(f->generator) + f->executions, generator_instructions(f->generator));
	return f->unexplained == 0 && (f->executions != 0 || wanted == 0);
}

int
main(int argc, char **argv)
{
	struct fuzz *f = calloc(1, sizeof(*f));
	unsigned long count = 0;
	uint64_t seed = 1;
	bool good = true;
	int option;

	f->most = 40;
	while ((option = getopt(argc, argv, "n:t:s:k:m:c:v")) != -1) {
		if (option == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (option == 't')
			f->until = seconds() + strtol(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (option == 'k')
			f->keep = optarg;
		else if (option == 'm')
			f->most = strtoul(optarg, NULL, 0);
		else if (option == 'c')
			f->counts = optarg;
		else if (option == 'v')
			f->verbose = true;
		else
			return 2;
	}
	if (!start(f, seed)) {
		fprintf(stderr, "this host can't run snippets: skipped\n");
		return 77;
	}
	for (int n = optind; n < argc; n++)
		good &= run_file(f, argv[n]);
	if (f->counts != NULL)
		generator_load_totals(f->generator, f->counts);
	f->before = generator_instructions(f->generator);
	run_random(f, count);
	good &= end(f, count);
	for (unsigned n = 0; n < GUEST_KINDS; n++)
		guest_free(f->guest[n]);
	generator_free(f->generator);
	free(f);
	return good ? 0 : 1;
}
