/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * programs [-n programs] [-s first seed]: random programs of 4 KiB as boot sectors and as kernels, each in the interpreter and in
 * the back end, from the same state: all have to end in the same one, memory included, having asked the same of the ports.
 *
 * Nothing comes from outside, so a program does the same each time, up to its end: HLT, a triple fault, or a number of blocks.
 * Blocks are the same with either accelerator, and counted by not chaining them; a program that came to an end of its own runs
 * once more as a guest does, chained.  Programs read flags that have no defined value: one that differs is run step by step, so
 * that it is seen whether that is all.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/fuzz/program.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "cpu/decode.h"
#include "cpu/state.h"

/* The last three are for steps. */
enum runner { INTERP, COUNTED, CHAINED, PORTABLE, ONE_INSN, RUNNERS, INTERP_STEP = RUNNERS, STEP, PORTABLE_STEP, MACHINES };
enum end { RUNNING, HALTED, TIMEOUT, ENDS, UNDEFINED = ENDS, SUMS };
/* Blocks of a program that doesn't end; exceptions after which it is ended; the watchdog, in ticks of the processor's time. */
enum { BLOCKS = 4000, STEPS = 200000, ENTRIES = 100, TICK_US = 10000, TICKS = 300, AT_ONCE = 50 };
enum { WINDOW = 0xa0000, WINDOW_BYTES = 0x20000 };

static const char model[] = "max,-rdrand,-rdseed,-waitpkg,-monitor,+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl,+avx512ifma,"
	"+avx512vbmi,+avx512_vbmi2,+avx512_vnni,+avx512_bitalg,+avx512_vpopcntdq,+avx512_bf16,-avx512-fp16,-avx512-vp2intersect";
static const char *const runners[RUNNERS] = { "interpreter", "back end", "back end, chained", "back end, native=off",
	"back end, one instruction a block" };

struct machine {
	enum runner runner;
	struct cpu *cpu;
	uint8_t *ram;
	struct space *mem, *io;
	struct region ram_region, port_region, window;
	struct cpu_board board;
	uint64_t seed, seen; /* a hash of all accesses */
	unsigned entries, blocks, limit;
	bool stopped; /* by that limit */
	enum end end;
	unsigned ticks;
};

struct programs {
	struct generator *generator;
	struct machine machine[MACHINES];
	uint8_t *ram; /* what a program begins with */
	unsigned long ends[ENDS], undefined, different;
};

/* For the watchdog, which is a signal handler. */
static struct machine *volatile watched;

static void
on_tick(int signal)
{
	struct machine *m = watched;

	(void)signal;
	if (m == NULL || ++m->ticks < TICKS)
		return;
	m->end = TIMEOUT;
	atomic_store(&m->cpu->kicked, true);
	__atomic_store_n(&m->cpu->f.pending, 1, __ATOMIC_SEQ_CST);
}

/* ---- the board ---- */

static uint64_t
mix(struct machine *m, uint64_t v)
{
	struct random r = { m->seen ^ v };

	return m->seen = random_next(&r);
}

static uint64_t
next_entry(struct machine *m)
{
	struct random r = { m->seed + ++m->entries };

	return m->entries >= ENTRIES ? PROGRAM_END : PROGRAM_AT + random_below(&r, PROGRAM_BYTES);
}

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct machine *m = opaque;

	if (offset == PROGRAM_PORT && size >= 2)
		return next_entry(m);
	return mix(m, offset << 8 | size);
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	mix(opaque, offset << 8 | size | 0x80);
	mix(opaque, value);
}

static const struct region_ops port_ops = { .read = port_read, .write = port_write, .min_size = 1, .max_size = 4 };
static const struct region_ops window_ops = { .read = port_read, .write = port_write, .min_size = 1, .max_size = 8 };

static int
no_interrupt(void *opaque)
{
	(void)opaque;
	return -1;
}

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

/* A block's twin that comes in its stead isn't another one. */
static bool
before_block(void *opaque)
{
	struct machine *m = opaque;

	if (m->end == RUNNING && cpu_is_halted(m->cpu))
		m->end = HALTED;
	if (m->cpu->from.plain || m->end != RUNNING)
		return m->end != RUNNING;
	m->stopped = m->blocks++ == m->limit;
	return m->stopped;
}

/* ---- machines ---- */

static void
machine_init(struct machine *m, enum runner runner)
{
	bool portable = runner == PORTABLE || runner == PORTABLE_STEP;
	struct cpu_config config = { .model = model, .lock_opaque = m, .lock = nothing, .unlock = nothing, .now_ns = no_time,
		.block_opaque = m, .before_block = before_block, .unchained = runner != CHAINED && runner != ONE_INSN,
		.tcg = { .accel = runner == INTERP || runner == INTERP_STEP ? ACCEL_INTERP : ACCEL_NATIVE, .verify = true,
			.one_insn = runner >= ONE_INSN, .portable = portable, .cache_bytes = 8 << 20 } };
	struct err e = { 0 };

	m->runner = runner;
	m->ram = mmap(NULL, PROGRAM_RAM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	m->mem = space_new("memory", false);
	m->io = space_new("ports", true);
	region_init_ram(&m->ram_region, "ram", m->ram, PROGRAM_RAM);
	space_add(m->mem, &m->ram_region, 0, 0);
	region_init_io(&m->window, "window", &window_ops, m, WINDOW_BYTES);
	space_add(m->mem, &m->window, WINDOW, 1);
	region_init_io(&m->port_region, "ports", &port_ops, m, 0x10000);
	space_add(m->io, &m->port_region, 0, 0);
	m->board = (struct cpu_board){ .opaque = m, .intr_ack = no_interrupt, .shutdown = nothing };
	config.mem = m->mem;
	config.io = m->io;
	config.board = &m->board;
	config.ram = m->ram;
	m->cpu = cpu_new(&config, &e);
	if (m->cpu == NULL) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	struct cpu_pins pins = cpu_pins(m->cpu);

	pins.set(pins.cpu, PIN_A20, 1);
}

static void
machine_free(struct machine *m)
{
	cpu_free(m->cpu);
	space_free(m->mem);
	space_free(m->io);
	munmap(m->ram, PROGRAM_RAM);
}

static void
machine_start(struct machine *m, const uint8_t *ram, enum program_mode mode, uint64_t seed)
{
	tcg_invalidate(cpu_tcg(m->cpu), 0, PROGRAM_RAM);
	memcpy(m->ram, ram, PROGRAM_RAM);
	program_start(m->cpu, mode, seed);
	m->seed = m->seen = seed;
	m->entries = m->ticks = 0;
	m->end = RUNNING;
}

/* So many blocks, or to the program's end. */
static void
machine_run(struct machine *m, unsigned blocks)
{
	m->blocks = 0;
	m->limit = blocks;
	m->stopped = false;
	watched = m;
	while (m->end == RUNNING && !m->stopped)
		cpu_run(m->cpu);
	watched = NULL;
}

/* ---- comparing ---- */

static const struct { const char *name; size_t offset, size; } parts[] = {
#define PART(field) { #field, offsetof(struct cpu, field), sizeof(((struct cpu *)0)->field) }
	PART(f.rip), PART(f.gpr), PART(f.df), PART(f.mxcsr), PART(f.vec), PART(f.k), PART(eflags), PART(seg),
	PART(ldtr), PART(tr), PART(gdtr.base), PART(gdtr.limit), PART(idtr.base), PART(idtr.limit), PART(cr0), PART(cr2), PART(cr3),
	PART(cr4), PART(xcr0), PART(dr), PART(efer), PART(star), PART(lstar), PART(cstar), PART(fmask), PART(kernel_gs_base),
	PART(tsc_aux), PART(pat), PART(misc_enable), PART(tsc_offset), PART(tsc_adjust), PART(sysenter_cs), PART(sysenter_esp),
	PART(sysenter_eip), PART(mtrr_def), PART(mtrr_fixed), PART(mtrr_base), PART(mtrr_mask), PART(pkru), PART(mode), PART(cpl),
	PART(smm), PART(halted), PART(shutdown), PART(inhibit), PART(inhibit_db), PART(xss), PART(ssp), PART(u_cet), PART(s_cet),
	PART(pl_ssp), PART(ssp_table), PART(smbase), PART(umwait_control), PART(mcg_status), PART(mc_ctl),
#undef PART
	{ "x87's words", offsetof(struct cpu, f.x87), FX_POINTERS - 1 },
	{ "x87's registers", offsetof(struct cpu, f.x87) + FX_ST, FX_XMM - FX_ST },
};

/* What is different first, or NULL. */
static const char *
difference(const struct machine *a, const struct machine *b, char *what, size_t size)
{
	unsigned at = 0;

	if (cpu_eflags(a->cpu) != cpu_eflags(b->cpu)) {
		snprintf(what, size, "flags: %06" PRIx64 ", not %06" PRIx64, cpu_eflags(b->cpu), cpu_eflags(a->cpu));
		return what;
	}
	for (unsigned n = 0; n < ARRAY_SIZE(parts); n++) {
		const uint8_t *p = (const uint8_t *)a->cpu + parts[n].offset, *q = (const uint8_t *)b->cpu + parts[n].offset;

		for (at = 0; at < parts[n].size && p[at] == q[at]; at++)
			continue;
		if (at < parts[n].size) {
			snprintf(what, size, "%s, byte %u: %02x, not %02x", parts[n].name, at, q[at], p[at]);
			return what;
		}
	}
	if (memcmp(a->ram, b->ram, PROGRAM_RAM) != 0) {
		for (at = 0; a->ram[at] == b->ram[at]; at++)
			continue;
		snprintf(what, size, "memory at %x: %02x, not %02x", at, b->ram[at], a->ram[at]);
		return what;
	}
	if (a->seen != b->seen || a->entries != b->entries)
		return "accesses to devices";
	return a->end != b->end ? "the end" : NULL;
}

/* ---- flags without a defined value ---- */

/* A byte of code as the processor sees it, which may not have heard yet that its page is another one. */
static bool
code_byte(struct machine *m, uint64_t linear, uint8_t *to)
{
	uint32_t frame = SHADOW_IS_NEAR(linear) ? m->cpu->f.exec[SHADOW_INDEX(linear)] : 0;
	uint64_t phys = ((uint64_t)frame - 1) * FUZZ_PAGE + linear % FUZZ_PAGE;

	if (frame == 0 || phys >= PROGRAM_RAM)
		return cpu_peek(m->cpu, linear, to, 1);
	*to = m->ram[phys];
	return true;
}

/* The instruction that M is at; false: none that can be read. */
static bool
next_instruction(struct machine *m, struct insn *i)
{
	struct cpu *c = m->cpu;
	unsigned code = c->mode & MODE_CS64 ? 8 : c->mode & MODE_CS32 ? 4 : 2;
	uint64_t linear = (code == 8 ? 0 : c->seg[SEG_CS].base) + c->f.rip;
	uint8_t bytes[15];
	unsigned n = 0;

	while (n < sizeof(bytes) && code_byte(m, code == 8 ? linear + n : (uint32_t)(linear + n), bytes + n))
		n++;
	return n != 0 && decode(i, bytes, n, c->f.rip, (struct decode_mode){ .code = (uint8_t)code }) == DECODE_OK;
}

/* A trap behind an instruction has put its flags onto the stack: B's become A's. */
static void
take_over_frame(struct machine *a, struct machine *b)
{
	const struct cpu *c = a->cpu;
	unsigned word = c->mode & MODE_CS64 ? 8 : c->mode & MODE_CS32 ? 4 : 2;
	uint64_t sp = c->f.gpr[4], linear = word == 8 ? sp : (uint32_t)(c->seg[SEG_SS].base + (word == 4 ? (uint32_t)sp : (uint16_t)sp));
	uint64_t flags;

	if (cpu_peek(a->cpu, linear + 2 * word, &flags, word))
		cpu_poke(b->cpu, linear + 2 * word, &flags, word);
}

/* Shifts of 16-bit pairs by more than 16 have no defined result: it depends on the host, in a register or in memory. */
static bool
is_undefined_pair(const struct machine *m, const struct insn *i)
{
	uint64_t count = i->opnd[2] == O_CL ? m->cpu->f.gpr[1] : (uint64_t)i->imm;

	return i->width == 2 && (strcmp(insn_name(i), "SHLD") == 0 || strcmp(insn_name(i), "SHRD") == 0) && (count & 31) > 16;
}

static void
take_over_pair(struct machine *a, struct machine *b)
{
	memcpy(b->cpu->f.gpr, a->cpu->f.gpr, sizeof(a->cpu->f.gpr));
	for (unsigned at = 0; at < PROGRAM_RAM; at++) {
		if (a->ram[at] == b->ram[at])
			continue;
		b->ram[at] = a->ram[at];
		tcg_invalidate(cpu_tcg(b->cpu), at, 1);
	}
}

/*
 * Both step by step, the second one taking over from the first what flags have that have no defined value.  False: that's not all
 * they differ in; WHAT says where it began.
 */
static bool
differ_in_undefined(struct machine *a, struct machine *b, char *what, size_t size)
{
	for (unsigned n = 0; n < STEPS && a->end == RUNNING && b->end == RUNNING; n++) {
		struct insn i;
		bool known = next_instruction(a, &i), pair = known && is_undefined_pair(a, &i);
		bool traps = cpu_eflags(a->cpu) & EFL_TF || a->cpu->dr[7] & 0xff;
		uint64_t rip = a->cpu->f.rip, flags;

		machine_run(a, 1);
		machine_run(b, 1);
		flags = cpu_eflags(a->cpu) ^ cpu_eflags(b->cpu);
		if (pair)
			take_over_pair(a, b);
		if (traps && known && flags_undefined(&i, 0) != 0)
			take_over_frame(a, b);
		/* Code that isn't in memory was read from the window. */
		if (flags != 0 && !(flags & ~(uint64_t)(known ? flags_undefined(&i, 0) : EFL_ARITH)))
			b->cpu->f.flags = a->cpu->f.flags;
		else if (flags != 0 || a->cpu->f.rip != b->cpu->f.rip || memcmp(a->cpu->f.gpr, b->cpu->f.gpr, sizeof(a->cpu->f.gpr)) != 0) {
			int used = snprintf(what, size, "%s at %" PRIx64 ": ", known ? insn_name(&i) : "?", rip);

			difference(a, b, what + used, size - (size_t)used);
			return false;
		}
	}
	/* What took too long is not judged. */
	return a->end == TIMEOUT || b->end == TIMEOUT || difference(a, b, what, size) == NULL;
}

/* Is that why the program differs in M? */
static bool
is_explained(struct programs *p, const struct machine *m, enum program_mode mode, char *what, size_t size)
{
	struct machine *a = &p->machine[INTERP_STEP], *b = &p->machine[m->runner == PORTABLE ? PORTABLE_STEP : STEP];

	if (a->cpu == NULL)
		machine_init(a, INTERP_STEP);
	if (b->cpu == NULL)
		machine_init(b, m->runner == PORTABLE ? PORTABLE_STEP : STEP);
	machine_start(a, p->ram, mode, m->seed);
	machine_start(b, p->ram, mode, m->seed);
	return differ_in_undefined(a, b, what, size);
}

static void
run_program(struct programs *p, enum program_mode mode, uint64_t seed)
{
	struct machine *first = &p->machine[INTERP];
	bool good = true, explained = false;

	program_make(p->generator, mode, seed, p->ram);
	for (unsigned n = 0; n < RUNNERS; n++) {
		struct machine *m = &p->machine[n];
		char what[256], why[256] = "";

		/* Where counted blocks end, those of others don't. */
		if (n != INTERP && first->end == RUNNING && !m->cpu->config.unchained)
			continue;
		machine_start(m, p->ram, mode, seed);
		machine_run(m, m->cpu->config.unchained ? BLOCKS : ~0u);
		if (first->end == TIMEOUT)
			break;
		if (m->end == TIMEOUT || difference(first, m, what, sizeof(what)) == NULL)
			continue;
		if (is_explained(p, m, mode, why, sizeof(why))) {
			explained = true;
			continue;
		}
		printf("%s, seed %" PRIu64 ", %s: %s (%s)\n", program_modes[mode], seed, runners[n], what, why);
		good = false;
	}
	p->ends[first->end]++;
	p->different += !good;
	p->undefined += explained;
}

/* ---- all of them, each lot in a process of its own ---- */

static void
run_lot(uint64_t seed, unsigned long count, unsigned long sums[SUMS])
{
	struct programs *p = calloc(1, sizeof(*p));

	p->generator = generator_new(seed, true);
	p->ram = malloc(PROGRAM_RAM);
	for (unsigned n = 0; n < RUNNERS; n++)
		machine_init(&p->machine[n], n);
	setitimer(ITIMER_PROF, &(struct itimerval){ { 0, TICK_US }, { 0, TICK_US } }, NULL);
	for (unsigned long n = 0; n < count; n++)
		run_program(p, (seed + n) % PROGRAM_MODES, seed + n);
	memcpy(sums, p->ends, sizeof(p->ends));
	sums[UNDEFINED] = p->undefined;
	fflush(stdout);
	for (unsigned n = 0; n < MACHINES; n++)
		if (p->machine[n].cpu != NULL)
			machine_free(&p->machine[n]);
	generator_free(p->generator);
	free(p->ram);
	_exit(p->different == 0 ? 0 : 1);
}

int
main(int argc, char **argv)
{
	unsigned long count = 1000, done = 0, sums[SUMS] = { 0 };
	unsigned long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	uint64_t seed = 1;
	bool good = true;
	int option, status;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			count = strtoul(optarg, NULL, 0);
		else if (option == 's')
			seed = strtoull(optarg, NULL, 0);
		else
			return 2;
	}
	sigaction(SIGPROF, &(struct sigaction){ .sa_handler = on_tick, .sa_flags = SA_RESTART }, NULL);
	for (unsigned long lot = 0; done < count; done += lot) {
		pid_t pid;

		lot = MIN(count - done, (unsigned long)AT_ONCE);
		fflush(stdout);
		pid = fork();
		if (pid == 0)
			run_lot(seed + done, lot, shared);
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (!WIFEXITED(status))
			printf("one of the seeds from %" PRIu64 " on: %s\n", seed + done, strsignal(WTERMSIG(status)));
		good &= WIFEXITED(status) && WEXITSTATUS(status) == 0;
		for (unsigned n = 0; n < SUMS && WIFEXITED(status); n++)
			sums[n] += shared[n];
	}
	printf("%lu programs: %lu came to an end, %lu were stopped after %d blocks, %lu took too long; "
		"%lu read flags without a defined value\n", done, sums[HALTED], sums[RUNNING], BLOCKS, sums[TIMEOUT], sums[UNDEFINED]);
	return good ? 0 : 1;
}
