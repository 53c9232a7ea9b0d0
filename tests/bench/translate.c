/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What translation costs: nanoseconds per guest instruction, all of it and pass by pass.
 *
 *     make bench [CODE=file]
 *
 * The guest code is that of an ELF executable for x86-64, block after block through its first executable segment; by default that
 * of this program.  Each figure is the best of several rounds.
 */
#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/util.h"
#include "cpu/gen.h"
#include "cpu/system.h"
#include "cpu/translate.h"

enum { ROUNDS = 5, AT = 1 << 20, MAX_CODE = 8 << 20, MODE = MODE_PE | MODE_LMA | MODE_CS64 };

struct bench {
	struct space *mem, *io;
	struct region ram;
	uint8_t *bytes;
	uint64_t size; /* of the code, at AT */
	struct cpu *cpu;
	struct cpu_board board;
	struct ir ir;
};

static void
nothing(void *opaque)
{
	(void)opaque;
}

static uint64_t
no_time(void *opaque)
{
	(void)opaque;
	return 0;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static _Noreturn void
die(const char *what, const char *why)
{
	fprintf(stderr, "translate: %s: %s\n", what, why);
	exit(1);
}

/* The first executable segment of the file, to AT. */
static void
load(struct bench *b, const char *path)
{
	FILE *from = fopen(path, "rb");
	Elf64_Ehdr header;
	Elf64_Phdr segment;

	if (from == NULL || fread(&header, sizeof(header), 1, from) != 1 || memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
		header.e_machine != EM_X86_64)
		die(path, "not an executable for x86-64");
	for (unsigned n = 0; n < header.e_phnum; n++) {
		if (fseek(from, (long)(header.e_phoff + n * header.e_phentsize), SEEK_SET) != 0 ||
			fread(&segment, sizeof(segment), 1, from) != 1)
			break;
		if (segment.p_type != PT_LOAD || !(segment.p_flags & PF_X))
			continue;
		b->size = MIN(segment.p_filesz, (uint64_t)MAX_CODE);
		if (fseek(from, (long)segment.p_offset, SEEK_SET) != 0 || fread(b->bytes + AT, 1, b->size, from) != b->size)
			break;
		fclose(from);
		return;
	}
	die(path, "no code in it");
}

static void
setup(struct bench *b)
{
	struct cpu_config config = { .model = "max", .now_ns = no_time, .lock = nothing, .unlock = nothing,
		.tcg = { .accel = ACCEL_NATIVE, .cache_bytes = 256 << 20 } };
	struct err e = { 0 };

	b->bytes = xcalloc(1, AT + MAX_CODE + AT);
	b->mem = space_new("memory", false);
	b->io = space_new("ports", true);
	region_init_ram(&b->ram, "ram", b->bytes, AT + MAX_CODE + AT);
	space_add(b->mem, &b->ram, 0, 0);
	config.mem = b->mem;
	config.io = b->io;
	config.ram = b->bytes;
	config.board = &b->board;
	b->cpu = cpu_new(&config, &e);
	if (b->cpu == NULL)
		die("vCPU", e.text);
}

/* ---- what is measured: each goes through all of the code, once ---- */

/* How many guest instructions. */
typedef uint64_t sweep(struct bench *b);

static uint64_t
front(struct bench *b, void (*then)(struct ir *ir))
{
	uint64_t guests = 0;
	struct tcg_code code;

	for (uint64_t at = AT; at < AT + b->size; at += code.bytes) {
		struct tcg_key key = { .phys = at, .rip = at, .mode = MODE };

		ir_reset(&b->ir, at, 0, true);
		cpu_translate_block(&b->cpu->f, &key, &b->ir, IR_MAX_GUEST, &code);
		if (then != NULL)
			then(&b->ir);
		guests += b->ir.guests;
	}
	return guests;
}

static void
verify(struct ir *ir)
{
	if (ir_verify(ir) != NULL)
		die("verifier", ir_verify(ir));
}

static uint64_t
sweep_decode(struct bench *b)
{
	uint64_t guests = 0;
	struct insn insn;

	for (uint64_t at = AT; at < AT + b->size; at += insn.len, guests++)
		if (decode(&insn, b->bytes + at, 15, at, (struct decode_mode){ .code = 8 }) != DECODE_OK && insn.len == 0)
			insn.len = 1;
	return guests;
}

static uint64_t
sweep_ir(struct bench *b)
{
	return front(b, NULL);
}

static uint64_t
sweep_verify(struct bench *b)
{
	return front(b, verify);
}

static uint64_t
sweep_flags(struct bench *b)
{
	return front(b, ir_pass_flags);
}

static uint64_t
sweep_all(struct bench *b)
{
	struct tcg *t = cpu_tcg(b->cpu);
	struct tcg_stats before, after;
	struct tcg_key key = { .mode = MODE };

	before = tcg_stats(t);
	for (uint64_t at = AT; at < AT + b->size;) {
		uint64_t bytes = tcg_stats(t).guest_bytes;

		key.phys = key.rip = at;
		tcg_translate(t, &b->cpu->f, &key, 0, true);
		at += tcg_stats(t).guest_bytes - bytes;
	}
	after = tcg_stats(t);
	return after.guest_insns - before.guest_insns;
}

static double
measure(struct bench *b, sweep *run, uint64_t *guests)
{
	double best = 1e9;

	for (unsigned n = 0; n < ROUNDS; n++) {
		uint64_t began;

		tcg_flush(cpu_tcg(b->cpu));
		began = now_ns();
		*guests = run(b);
		best = MIN(best, (double)(now_ns() - began) / (double)*guests);
	}
	return best;
}

int
main(int argc, char **argv)
{
	struct bench *b = xcalloc(1, sizeof(*b));
	uint64_t guests, blocks;
	double decoding, ir, verifying, flags, all;

	setup(b);
	load(b, argc > 1 ? argv[1] : "/proc/self/exe");
	decoding = measure(b, sweep_decode, &guests);
	ir = measure(b, sweep_ir, &guests);
	verifying = measure(b, sweep_verify, &guests) - ir;
	flags = measure(b, sweep_flags, &guests) - ir;
	all = measure(b, sweep_all, &guests);
	blocks = tcg_stats(cpu_tcg(b->cpu)).blocks / ROUNDS;
	printf("%llu instructions in %llu blocks\n", (unsigned long long)guests, (unsigned long long)blocks);
	printf("decoding        %6.1f ns an instruction\n", decoding);
	printf("semantics       %6.1f\n", ir - decoding);
	printf("flags           %6.1f\n", flags);
	printf("back end        %6.1f with links, pages and the cache\n", all - ir - flags);
	printf("all             %6.1f\n", all);
	printf("verifier        %6.1f where it is on\n", verifying);
	cpu_free(b->cpu);
	space_free(b->mem);
	space_free(b->io);
	free(b->bytes);
	free(b);
	return 0;
}
