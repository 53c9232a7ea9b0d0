/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a random program begins with.  Its code is random bytes, or templates of the decoder's tables with random operands.  The
 * handler of every exception asks a port where in the program to go on, so that a fault is not the end.
 */
#include "tests/fuzz/program.h"

#include <string.h>

#include "base/util.h"
#include "cpu/avx.h"
#include "cpu/decode.h"
#include "cpu/evex.h"
#include "cpu/map.h"
#include "cpu/state.h"
#include "cpu/vec.h"

/* Pages, by number: the real mode's vectors are in the first one. */
enum { PML4 = 1, PDPT, PD, PT, GDT, IDT, HANDLER = 15 };
enum { PRESENT = 1, WRITABLE = 2, TABLE = 0x67, CODE_SEL = 8, DATA_SEL = 16, VECTORS = 256 };
#define NO_EXECUTE (1ull << 63)

const char *const program_modes[PROGRAM_MODES] = { "a boot sector", "a 32-bit kernel", "a 64-bit kernel" };

/* ---- code ---- */

static unsigned
code_size(enum program_mode mode)
{
	return mode == PROGRAM_64 ? 8 : mode == PROGRAM_32 ? 4 : 2;
}

/* Prefixes as a compiler, or nobody, would write them; with the escape bytes of T's map, or its VEX or EVEX prefix. */
static unsigned
put_head(struct random *r, enum program_mode mode, const struct template *t, uint8_t *to)
{
	static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 }, some[] = { 0x66, 0x67, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0xf0,
		0xf2, 0xf3 };
	unsigned n = 0;

	if (random_percent(r, 12))
		to[n++] = some[random_below(r, ARRAY_SIZE(some))];
	if (t->evex != NULL) {
		to[n++] = 0x62;
		to[n++] = (uint8_t)((random_next(r) & 0xf0) | (t->map - MAP_0F + 1));
		to[n++] = (uint8_t)((random_next(r) & 0xf8) | 4 | t->prefix);
		to[n++] = (uint8_t)random_next(r);
	} else if (t->vex) {
		to[n++] = t->map >= MAP_XOP8 ? 0x8f : 0xc4;
		to[n++] = (uint8_t)((random_next(r) & 0xe0) | (t->map - MAP_0F + 1));
		to[n++] = (uint8_t)((random_next(r) & 0xfc) | t->prefix);
	} else {
		if (mandatory[t->prefix] != 0)
			to[n++] = mandatory[t->prefix];
		if (mode == PROGRAM_64 && random_percent(r, 50))
			to[n++] = 0x40 | random_below(r, 16);
		return n + put_opcode(t, to + n);
	}
	to[n++] = t->opcode;
	return n;
}

/* One instruction at TO, at most 15 bytes. */
static unsigned
put_instruction(struct random *r, const struct generator *g, enum program_mode mode, uint8_t *to)
{
	const struct template *t = &g->template[random_below(r, g->count)];
	uint8_t bytes[40];
	struct insn i;
	unsigned n = put_head(r, mode, t, bytes);

	for (unsigned k = 0; k < 16; k++)
		bytes[n + k] = (uint8_t)random_value(r);
	if (t->forms != 0) {
		bytes[n] = (uint8_t)random_next(r);
		if (t->forms == FORM_REG || (t->forms != FORM_MEM && random_percent(r, mode == PROGRAM_REAL ? 40 : 60)))
			bytes[n] |= 0xc0;
		else
			bytes[n] = (uint8_t)((bytes[n] & 0x3f) | 0x40);
		if (t->digit >= 0)
			bytes[n] = (uint8_t)((bytes[n] & 0xc7) | t->digit << 3);
		if (t->rm >= 0)
			bytes[n] = (uint8_t)((bytes[n] & 0xf8) | t->rm);
	}
	if (decode(&i, bytes, 15, PROGRAM_AT, (struct decode_mode){ .code = (uint8_t)code_size(mode) }) != DECODE_OK)
		return 0;
	/* Most jumps stay near. */
	if (i.vec == NULL && i.row != NULL && i.opnd[0] == O_Jz && random_percent(r, 90))
		memset(bytes + i.len - (i.width == 2 ? 1 : 3), bytes[i.len - (i.width == 2 ? 2 : 4)] & 0x80 ? 0xff : 0, i.width == 2 ? 1 : 3);
	memcpy(to, bytes, i.len);
	return i.len;
}

static void
make_code(struct random *r, const struct generator *g, enum program_mode mode, uint8_t *to)
{
	bool raw = random_percent(r, 20);

	for (unsigned n = 0; n < PROGRAM_BYTES; n += 8)
		memcpy(to + n, &(uint64_t){ random_next(r) }, 8);
	for (unsigned at = 0; !raw && at < PROGRAM_BYTES - 16;)
		at += put_instruction(r, g, mode, to + at);
}

/* ---- handlers and tables ---- */

static void
put64(uint8_t *ram, unsigned page, unsigned n, uint64_t value)
{
	memcpy(ram + page * FUZZ_PAGE + 8 * n, &value, 8);
}

static void
put32(uint8_t *ram, unsigned page, unsigned n, uint32_t value)
{
	memcpy(ram + page * FUZZ_PAGE + 4 * n, &value, 4);
}

/* xor %ax, %ax; mov %ax, %ss; mov $STACK, %sp; in $PORT, %ax; push $0; push %ax; lret */
static void
make_real(uint8_t *ram)
{
	static const uint8_t handler[] = { 0x31, 0xc0, 0x8e, 0xd0, 0xbc, PROGRAM_STACK & 0xff, PROGRAM_STACK >> 8, 0xe5, PROGRAM_PORT,
		0x6a, 0, 0x50, 0xcb };

	for (unsigned n = 0; n < VECTORS; n++)
		put32(ram, 0, n, HANDLER * FUZZ_PAGE);
	memcpy(ram + HANDLER * FUZZ_PAGE, handler, sizeof(handler));
}

static void
make_gates(uint8_t *ram, bool wide)
{
	uint64_t gate = HANDLER * FUZZ_PAGE | CODE_SEL << 16 | 0x8e00ull << 32;

	for (unsigned n = 0; n < VECTORS; n++)
		put64(ram, IDT, wide ? 2 * n : n, gate);
	for (unsigned n = 0; n < VECTORS && wide; n++)
		put64(ram, IDT, 2 * n + 1, 0);
	memset(ram + GDT * FUZZ_PAGE, 0, FUZZ_PAGE);
	put64(ram, GDT, CODE_SEL / 8, wide ? 0x00af9b000000ffff : 0x00cf9b000000ffff);
	put64(ram, GDT, DATA_SEL / 8, 0x00cf93000000ffff);
}

/* mov $DATA_SEL, %eax; mov %eax, %ss, %ds, %es; mov $STACK, %esp; in $PORT, %eax; jmp *%eax */
static void
make_32(uint8_t *ram)
{
	static const uint8_t handler[] = { 0xb8, DATA_SEL, 0, 0, 0, 0x8e, 0xd0, 0x8e, 0xd8, 0x8e, 0xc0, 0xbc, PROGRAM_STACK & 0xff,
		PROGRAM_STACK >> 8, 0, 0, 0xe5, PROGRAM_PORT, 0xff, 0xe0 };

	memcpy(ram + HANDLER * FUZZ_PAGE, handler, sizeof(handler));
	make_gates(ram, false);
	memset(ram + PD * FUZZ_PAGE, 0, 2 * FUZZ_PAGE);
	put32(ram, PD, 0, PT * FUZZ_PAGE | TABLE);
	for (unsigned n = 0; n < PROGRAM_RAM / FUZZ_PAGE; n++)
		put32(ram, PT, n, n * FUZZ_PAGE | PRESENT | (n % 16 == 11 ? 0 : WRITABLE));
}

/* mov $STACK, %esp; in $PORT, %eax; jmp *%rax */
static void
make_64(uint8_t *ram)
{
	static const uint8_t handler[] = { 0xbc, PROGRAM_STACK & 0xff, PROGRAM_STACK >> 8, 0, 0, 0xe5, PROGRAM_PORT, 0xff, 0xe0 };

	memcpy(ram + HANDLER * FUZZ_PAGE, handler, sizeof(handler));
	make_gates(ram, true);
	memset(ram + PML4 * FUZZ_PAGE, 0, 4 * FUZZ_PAGE);
	put64(ram, PML4, 0, PDPT * FUZZ_PAGE | TABLE);
	put64(ram, PML4, 256, PDPT * FUZZ_PAGE | TABLE);
	put64(ram, PDPT, 0, PD * FUZZ_PAGE | TABLE);
	put64(ram, PD, 0, PT * FUZZ_PAGE | TABLE);
	for (unsigned n = 0; n < PROGRAM_RAM / FUZZ_PAGE; n++)
		put64(ram, PT, n, n * FUZZ_PAGE | PRESENT | (n % 16 == 11 ? 0 : WRITABLE) | (n % 16 == 13 ? NO_EXECUTE : 0));
}

void
program_make(struct generator *g, enum program_mode mode, uint64_t seed, uint8_t ram[PROGRAM_RAM])
{
	struct random r = { seed };

	for (unsigned n = 0; n < PROGRAM_RAM; n += 64) {
		uint64_t v = random_next(&r);

		for (unsigned k = 0; k < 8; k++, v = v << 9 | v >> 55)
			memcpy(ram + n + 8 * k, &v, 8);
	}
	make_code(&r, g, mode, ram + PROGRAM_AT);
	memset(ram + PROGRAM_END, 0xf4, 2);
	if (mode == PROGRAM_REAL)
		make_real(ram);
	else if (mode == PROGRAM_32)
		make_32(ram);
	else
		make_64(ram);
}

/* ---- the processor ---- */

static void
start_registers(struct cpu *c, enum program_mode mode, uint64_t seed)
{
	struct random r = { ~seed };

	for (unsigned n = 0; n < 16; n++) {
		uint64_t at = random_below(&r, random_percent(&r, 50) ? 0x10000 : PROGRAM_RAM) & ~(random_percent(&r, 60) ? 63u : 0);

		c->f.gpr[n] = random_percent(&r, 60) ? at : random_value(&r);
		if (mode != PROGRAM_64)
			c->f.gpr[n] = n < 8 ? (uint32_t)c->f.gpr[n] : 0;
	}
	c->f.gpr[4] = PROGRAM_STACK;
	c->f.rip = PROGRAM_AT;
	for (unsigned n = 0; n < 32; n++)
		for (unsigned k = 0; k < 4; k++)
			random_float(&r, c->f.vec[n] + 16 * k);
	for (unsigned n = 0; n < 8; n++)
		c->f.k[n] = random_next(&r);
}

static void
start_segment(struct cpu *c, unsigned n, enum program_mode mode)
{
	uint16_t flags = n == SEG_CS ? SF_CODE | SF_READ | (mode == PROGRAM_64 ? SF_L : SF_DB) : SF_WRITE | SF_DB;

	if (mode == PROGRAM_REAL)
		c->seg[n] = (struct segment){ .limit = 0xffff, .flags = SF_P | SF_S | SF_WRITE | SF_ACCESSED | (n == SEG_CS ? SF_CODE : 0) };
	else
		c->seg[n] = (struct segment){ .selector = n == SEG_CS ? CODE_SEL : DATA_SEL, .limit = ~0u,
			.flags = (uint16_t)(SF_P | SF_S | SF_ACCESSED | SF_G | flags) };
	cpu_segment_changed(c, n);
}

void
program_start(struct cpu *c, enum program_mode mode, uint64_t seed)
{
	uint64_t cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE | CR4_OSXSAVE;

	cpu_reset(c);
	cpu_set(c, CPU_CR4, cr4 | (mode == PROGRAM_64 ? CR4_PAE : 0));
	c->xcr0 = 7 | XCR0_AVX512;
	if (mode != PROGRAM_REAL) {
		cpu_set(c, CPU_CR3, (mode == PROGRAM_64 ? PML4 : PD) * FUZZ_PAGE);
		cpu_set(c, CPU_EFER, EFER_SCE | (mode == PROGRAM_64 ? EFER_LME | EFER_NXE : 0));
		cpu_set(c, CPU_CR0, CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
		cpu_set_gdt(c, GDT * FUZZ_PAGE, FUZZ_PAGE - 1);
		cpu_set_idt(c, IDT * FUZZ_PAGE, (mode == PROGRAM_64 ? 16 : 8) * VECTORS - 1);
	}
	for (unsigned n = 0; n < 6; n++)
		start_segment(c, n, mode);
	start_registers(c, mode, seed);
	cpu_set_eflags(c, 2);
	cpu_update_mode(c);
}
