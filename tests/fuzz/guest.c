/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snippets in a guest: a processor in long mode, at CPL 3, whose page tables put the snippet's pages at the same linear addresses
 * as the host has them, in frames that are not neighbours.  It is entered by IRETQ; every vector's handler is an OUT to a port of
 * that number, which stops the processor with the frame of the exception on its stack.  FUZZ_EXIT has INT 80h.
 */
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/err.h"
#include "base/util.h"
#include "cpu/cpuid.h"
#include "cpu/state.h"

#define KERNEL 0xffff800000000000ull

enum { RAM_BYTES = 2 << 20, TICKS = 300 };
/* Frames, by number. */
enum { PML4 = 1, PDPT_LOW, PD_LOW, PT_CODE, PT_DATA, PDPT_HIGH, PD_HIGH, GDT, IDT, TSS, STUBS, STACK, STACK_TOP, FRAME_EXIT = 22,
	FRAME_CONSTANTS = 25 };
enum { PRESENT = 1, WRITABLE = 2, USER = 4, LARGE = 0x80 };
#define NO_EXECUTE (1ull << 63)
enum { KERNEL_CS = 0x10, TSS_SELECTOR = 0x40, GDT_LIMIT = 0x7f, STUB_BYTES = 4, TSS_BYTES = 0x68, IRET_STUB = 256 * STUB_BYTES,
	ENTRY_FRAME = STACK * FUZZ_PAGE + 0x400 };

static const uint8_t code_frames[CODE_PAGES] = { 20, 27 }, data_frames[DATA_PAGES] = { 33, 30, 37 };

struct guest {
	struct cpu *cpu;
	uint8_t *ram;
	struct space *mem, *io;
	struct region ram_region, port_region;
	struct cpu_board board;
	unsigned vector;
	bool ended;
	unsigned ticks;
	/* The code that stands there. */
	uint8_t code[SNIPPET_BYTES + JUMP_BYTES];
	unsigned code_len, code_at;
	const uint8_t *data; /* what the data pages hold; NULL: something else */
};

const char *const guest_names[GUEST_KINDS] = { "interpreter", "back end", "back end, one instruction a block",
	"back end, native=off" };

/* For the watchdog, which is a signal handler. */
static struct guest *volatile watched;

void
guest_tick(void)
{
	struct guest *g = watched;

	if (g == NULL || ++g->ticks < TICKS)
		return;
	atomic_store(&g->cpu->kicked, true);
	__atomic_store_n(&g->cpu->f.pending, 1, __ATOMIC_SEQ_CST);
}

/* ---- memory ---- */

static void
put(struct guest *g, unsigned frame, unsigned n, uint64_t value)
{
	memcpy(g->ram + frame * FUZZ_PAGE + 8 * n, &value, 8);
}

static uint64_t
entry(unsigned frame, uint64_t rights)
{
	return (uint64_t)frame * FUZZ_PAGE | rights | PRESENT;
}

static void
make_tables(struct guest *g)
{
	put(g, PML4, 0, entry(PDPT_LOW, WRITABLE | USER));
	put(g, PML4, 256, entry(PDPT_HIGH, WRITABLE));
	put(g, PDPT_LOW, 0, entry(PD_LOW, WRITABLE | USER));
	put(g, PDPT_HIGH, 0, entry(PD_HIGH, WRITABLE));
	put(g, PD_HIGH, 0, entry(0, WRITABLE | LARGE));
	put(g, PD_LOW, FUZZ_CODE >> 21, entry(PT_CODE, WRITABLE | USER));
	put(g, PD_LOW, FUZZ_DATA >> 21, entry(PT_DATA, WRITABLE | USER));
	for (unsigned n = 0; n < CODE_PAGES; n++)
		put(g, PT_CODE, n, entry(code_frames[n], USER));
	put(g, PT_CODE, (FUZZ_EXIT - FUZZ_CODE) >> 12, entry(FRAME_EXIT, USER));
	for (unsigned n = 0; n < DATA_PAGES; n++)
		put(g, PT_DATA, n, entry(data_frames[n], USER | WRITABLE | NO_EXECUTE));
	put(g, PT_DATA, DATA_PAGES, entry(FRAME_CONSTANTS, USER | NO_EXECUTE));
}

/* The descriptors of Linux, so that selectors mean the same as natively. */
static void
make_descriptors(struct guest *g)
{
	uint64_t tss = KERNEL + TSS * FUZZ_PAGE, stack = KERNEL + STACK_TOP * FUZZ_PAGE;

	put(g, GDT, 1, 0x00cf9b000000ffff);
	put(g, GDT, 2, 0x00af9b000000ffff);
	put(g, GDT, 3, 0x00cf93000000ffff);
	put(g, GDT, 4, 0x00cffb000000ffff);
	put(g, GDT, 5, 0x00cff3000000ffff);
	put(g, GDT, 6, 0x00affb000000ffff);
	put(g, GDT, 8, (TSS_BYTES - 1) | (tss & 0xffffff) << 16 | 0x8bull << 40 | (tss >> 24 & 0xff) << 56);
	put(g, GDT, 9, tss >> 32);
	put(g, GDT, 15, 0x0040f50000000000);
	memcpy(g->ram + TSS * FUZZ_PAGE + 4, &stack, 8);
	/* No bitmap: every port is forbidden. */
	memcpy(g->ram + TSS * FUZZ_PAGE + 0x66, &(uint16_t){ TSS_BYTES }, 2);
	for (unsigned n = 0; n < 256; n++) {
		uint64_t handler = KERNEL + STUBS * FUZZ_PAGE + n * STUB_BYTES, dpl = n == 3 || n == 4 || n == VECTOR_EXIT ? 3 : 0;

		put(g, IDT, 2 * n, (handler & 0xffff) | KERNEL_CS << 16 | (0x8e | dpl << 5) << 40 | (handler >> 16 & 0xffff) << 48);
		put(g, IDT, 2 * n + 1, handler >> 32);
	}
}

/* out %al, $N; jmp . */
static void
make_code(struct guest *g)
{
	for (unsigned n = 0; n < 256; n++)
		memcpy(g->ram + STUBS * FUZZ_PAGE + n * STUB_BYTES, (uint8_t[]){ 0xe6, n, 0xeb, 0xfe }, STUB_BYTES);
	memcpy(g->ram + STUBS * FUZZ_PAGE + IRET_STUB, "\x48\xcf", 2);
	memcpy(g->ram + FRAME_EXIT * FUZZ_PAGE, (uint8_t[]){ 0xcd, VECTOR_EXIT }, 2);
	memcpy(g->ram + FRAME_EXIT * FUZZ_PAGE + FUZZ_EXIT32 - FUZZ_EXIT, (uint8_t[]){ 0xcd, VECTOR_EXIT }, 2);
	fill_constants(g->ram + FRAME_CONSTANTS * FUZZ_PAGE);
}

/* ---- the board ---- */

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return ~0ull;
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct guest *g = opaque;

	(void)value, (void)size;
	g->vector = (unsigned)offset;
	g->ended = true;
	cpu_kick(g->cpu);
}

static const struct region_ops port_ops = { .read = port_read, .write = port_write, .min_size = 1, .max_size = 1 };

static int
no_interrupt(void *opaque)
{
	(void)opaque;
	return -1;
}

static void
shutdown(void *opaque)
{
	struct guest *g = opaque;

	g->vector = VECTOR_LOST;
	g->ended = true;
	cpu_kick(g->cpu);
}

static void
no_lock(void *opaque)
{
	(void)opaque;
}

static uint64_t
no_time(void *opaque)
{
	(void)opaque;
	return 0;
}

/* ---- making ---- */

/* Supervisor mode in 64-bit code, as after an exception. */
static void
start_kernel(struct guest *g)
{
	struct cpu *c = g->cpu;

	cpu_reset(c);
	cpu_set(c, CPU_CR4, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE);
	c->xcr0 = native_has_avx512() ? 7 | XCR0_AVX512 : native_has_avx() ? 7 : 3;
	cpu_set(c, CPU_CR3, PML4 * FUZZ_PAGE);
	cpu_set(c, CPU_EFER, EFER_SCE | EFER_LME | EFER_NXE);
	cpu_set(c, CPU_CR0, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_PG);
	c->seg[SEG_CS] = (struct segment){ .selector = KERNEL_CS, .limit = ~0u,
		.flags = SF_P | SF_S | SF_CODE | SF_READ | SF_ACCESSED | SF_L | SF_G };
	for (unsigned n = 0; n < 6; n++) {
		if (n != SEG_CS)
			c->seg[n] = (struct segment){ .flags = 0 };
		cpu_segment_changed(c, n);
	}
	cpu_set(c, CPU_GS_BASE, FUZZ_GS_BASE);
	cpu_set_gdt(c, KERNEL + GDT * FUZZ_PAGE, GDT_LIMIT);
	cpu_set_idt(c, KERNEL + IDT * FUZZ_PAGE, FUZZ_PAGE - 1);
	c->tr = (struct segment){ .selector = TSS_SELECTOR, .flags = SF_P | 0xb, .limit = TSS_BYTES - 1,
		.base = KERNEL + TSS * FUZZ_PAGE };
	c->ldtr = (struct segment){ .flags = 0 };
	c->cpl = 0;
	cpu_update_mode(c);
}

/* What the maps know beside what the model offers, and the host has. */
static void
add_features(struct cpu *c)
{
	static const enum cpu_feature features[] = { FEAT_movbe, FEAT_bmi1, FEAT_bmi2, FEAT_adx, FEAT_abm, FEAT_clflushopt, FEAT_clwb };

	for (unsigned n = 0; n < ARRAY_SIZE(features); n++)
		c->model->has[features[n]] = true;
	c->model->has[FEAT_avx512_fp16] = native_has(FEAT_avx512_fp16);
	c->model->has[FEAT_avx512_vp2intersect] = native_has(FEAT_avx512_vp2intersect);
}

struct guest *
guest_new(enum guest_kind kind)
{
	struct guest *g = calloc(1, sizeof(*g));
	struct err e = { 0 };
	/* What `max` has only where it runs natively. */
	static const char avx512[] = "max,+avx512f,+avx512cd,+avx512bw,+avx512dq,+avx512vl,+avx512ifma,+avx512vbmi,+avx512_vbmi2,"
		"+avx512_vnni,+avx512_bitalg,+avx512_vpopcntdq,+avx512_bf16,+avx512-fp16,+avx512-vp2intersect";
	struct cpu_config config = { .model = native_has_avx512() ? avx512 : "max",
		.lock_opaque = g, .lock = no_lock, .unlock = no_lock, .now_ns = no_time,
		.tcg = { .accel = kind == GUEST_INTERP ? ACCEL_INTERP : ACCEL_NATIVE, .verify = true, .one_insn = kind == GUEST_NATIVE_ONE,
			.portable = kind == GUEST_PORTABLE, .cache_bytes = 8 << 20 } };

	g->ram = mmap(NULL, RAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	g->mem = space_new("memory", false);
	g->io = space_new("ports", true);
	region_init_ram(&g->ram_region, "ram", g->ram, RAM_BYTES);
	space_add(g->mem, &g->ram_region, 0, 0);
	region_init_io(&g->port_region, "vectors", &port_ops, g, 256);
	space_add(g->io, &g->port_region, 0, 0);
	g->board = (struct cpu_board){ .opaque = g, .intr_ack = no_interrupt, .shutdown = shutdown };
	config.mem = g->mem;
	config.io = g->io;
	config.board = &g->board;
	config.ram = g->ram;
	g->cpu = cpu_new(&config, &e);
	if (g->cpu == NULL) {
		fprintf(stderr, "%s\n", e.text);
		exit(1);
	}
	add_features(g->cpu);
	g->cpu->model->amd = native_is_amd();
	make_tables(g);
	make_descriptors(g);
	make_code(g);
	start_kernel(g);
	return g;
}

void
guest_free(struct guest *g)
{
	cpu_free(g->cpu);
	space_free(g->mem);
	space_free(g->io);
	munmap(g->ram, RAM_BYTES);
	free(g);
}

/* ---- running ---- */

static void
put_code(struct guest *g)
{
	for (unsigned n = 0; n < CODE_PAGES; n++)
		memset(g->ram + code_frames[n] * FUZZ_PAGE, CODE_FILL, FUZZ_PAGE);
	for (unsigned done = 0; done < g->code_len && g->code_at + done < CODE_BYTES;) {
		unsigned at = g->code_at + done, room = FUZZ_PAGE - at % FUZZ_PAGE, n = MIN(g->code_len - done, room);
		uint64_t phys = code_frames[at / FUZZ_PAGE] * FUZZ_PAGE + at % FUZZ_PAGE;

		memcpy(g->ram + phys, g->code + done, n);
		done += n;
	}
	for (unsigned n = 0; n < CODE_PAGES; n++)
		tcg_invalidate(cpu_tcg(g->cpu), code_frames[n] * FUZZ_PAGE, FUZZ_PAGE);
}

/* What stood there before isn't translated again. */
static void
load_code(struct guest *g, const struct snippet *s)
{
	uint8_t jump[JUMP_BYTES] = { 0xe9 };
	unsigned len = s->len + JUMP_BYTES;
	int32_t far = (int32_t)((s->code32 ? FUZZ_EXIT32 : FUZZ_EXIT) - (FUZZ_CODE + s->at + len));

	memcpy(jump + 1, &far, 4);
	if (g->code_len == len && g->code_at == s->at && memcmp(g->code, s->code, s->len) == 0 &&
		memcmp(g->code + s->len, jump, JUMP_BYTES) == 0)
		return;
	memcpy(g->code, s->code, s->len);
	memcpy(g->code + s->len, jump, JUMP_BYTES);
	g->code_len = len;
	g->code_at = s->at;
	put_code(g);
}

static void
load_state(struct guest *g, const struct snippet *s)
{
	struct cpu *c = g->cpu;
	uint64_t frame[5] = { FUZZ_CODE + s->at, s->code32 ? USER_CS32 : USER_CS, s->start.flags, s->start.gpr[4], USER_SS };
	struct segment flat = { .selector = USER_SS, .limit = ~0u,
		.flags = SF_P | 3 << SF_DPL_SHIFT | SF_S | SF_WRITE | SF_ACCESSED | SF_DB | SF_G };
	uint32_t mxcsr;

	memcpy(g->ram + ENTRY_FRAME, frame, sizeof(frame));
	memcpy(c->f.gpr, s->start.gpr, sizeof(c->f.gpr));
	c->f.gpr[4] = KERNEL + ENTRY_FRAME;
	c->f.rip = KERNEL + STUBS * FUZZ_PAGE + IRET_STUB;
	memcpy(c->f.x87, s->start.fx, FX_MXCSR);
	memcpy(c->f.x87 + FX_ST, s->start.fx + FX_ST, FX_XMM - FX_ST);
	for (unsigned n = 0; n < 16; n++) {
		memcpy(c->f.vec[n], s->start.fx + FX_XMM + 16 * n, 16);
		memcpy(c->f.vec[n] + 16, s->start.fx + FX_YMM + 16 * n, 16);
		memcpy(c->f.vec[n] + 32, s->start.zmm[n] + 32, 32);
	}
	memcpy(c->f.vec[16], s->start.zmm[16], sizeof(s->start.zmm) / 2);
	memcpy(c->f.k, s->start.k, sizeof(c->f.k));
	memcpy(&mxcsr, s->start.fx + FX_MXCSR, 4);
	c->f.mxcsr = mxcsr;
	c->cr2 = 0;
	for (unsigned n = 0; n < 4; n++)
		if (n != SEG_CS && n != SEG_SS) {
			c->seg[n] = s->code32 ? flat : (struct segment){ .flags = 0 };
			cpu_segment_changed(c, n);
		}
	cpu_set_eflags(c, 2);
}

static void
take_state(struct guest *g, struct outcome *o)
{
	struct cpu *c = g->cpu;
	uint64_t frame[6];
	bool has_error = g->vector == 8 || (g->vector >= 10 && g->vector <= 14) || g->vector == 17;

	memcpy(frame, g->ram + STACK_TOP * FUZZ_PAGE - sizeof(frame), sizeof(frame));
	memcpy(o->regs.gpr, c->f.gpr, sizeof(o->regs.gpr));
	o->regs.gpr[4] = frame[4];
	o->regs.flags = frame[3];
	o->rip = g->vector == VECTOR_EXIT ? FUZZ_EXIT : frame[1];
	o->error = has_error ? (uint32_t)frame[0] : 0;
	o->cr2 = c->cr2;
	tcg_x87_sync(&c->f);
	memcpy(o->regs.fx, c->f.x87, FX_XMM);
	memcpy(o->regs.fx + FX_MXCSR, &c->f.mxcsr, 4);
	for (unsigned n = 0; n < 16; n++) {
		memcpy(o->regs.fx + FX_XMM + 16 * n, c->f.vec[n], 16);
		memcpy(o->regs.fx + FX_YMM + 16 * n, c->f.vec[n] + 16, 16);
		memset(o->regs.zmm[n], 0, 32);
		memcpy(o->regs.zmm[n] + 32, c->f.vec[n] + 32, 32);
	}
	memcpy(o->regs.zmm[16], c->f.vec[16], sizeof(o->regs.zmm) / 2);
	memcpy(o->regs.k, c->f.k, sizeof(c->f.k));
}

static void
take_data(struct guest *g, const uint8_t *data, const struct outcome *host, struct outcome *ours)
{
	const uint8_t *theirs = host->same_data ? data : host->data;

	ours->same_data = true;
	for (unsigned n = 0; n < DATA_PAGES && ours->same_data; n++)
		ours->same_data = memcmp(theirs + n * FUZZ_PAGE, g->ram + data_frames[n] * FUZZ_PAGE, FUZZ_PAGE) == 0;
	for (unsigned n = 0; n < DATA_PAGES && !ours->same_data; n++)
		memcpy(ours->data + n * FUZZ_PAGE, g->ram + data_frames[n] * FUZZ_PAGE, FUZZ_PAGE);
	g->data = host->same_data && ours->same_data ? data : NULL;
}

void
guest_run(struct guest *g, const struct snippet *s, const uint8_t *data, const struct outcome *host, struct outcome *ours)
{
	load_code(g, s);
	for (unsigned n = 0; n < DATA_PAGES && g->data != data; n++)
		memcpy(g->ram + data_frames[n] * FUZZ_PAGE, data + n * FUZZ_PAGE, FUZZ_PAGE);
	load_state(g, s);
	g->vector = VECTOR_TIMEOUT;
	g->ended = false;
	g->ticks = 0;
	watched = g;
	while (cpu_run(g->cpu) != CPU_STOP_KICKED)
		continue;
	watched = NULL;
	take_state(g, ours);
	ours->vector = g->vector;
	if (g->vector == VECTOR_TIMEOUT || g->vector == VECTOR_LOST)
		start_kernel(g);
	take_data(g, data, host, ours);
}
