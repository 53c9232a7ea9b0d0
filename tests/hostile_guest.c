/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes hostile guests.
 *
 * A kernel's image is loaded at BASE and holds all that its prelude needs, made here: descriptor tables, page
 * tables, and the way
 * into the mode.  Its program are CHUNKS of CHUNK bytes, each one operation, padded with NOPs.  A fault or
 * interrupt in it goes to
 * the handler, which acknowledges the interrupt, takes a new stack, and jumps to some chunk: so the program
 * goes on whatever happens,
 * until it destroys the handler, the tables, or the way there, which is what it is for.
 */
#include "tests/hostile.h"

#include "base/util.h"

#include <string.h>

enum {
	BASE = 0x100000,
	IDT32 = 0x1000, IDT64 = 0x2000, PML4 = 0x3000, PDPT = 0x4000, PD = 0x5000, DIRECTORY = 0x9000,
	GDT = 0xa000, TSS = 0xa800, HANDLER = 0xb000, COUNTER = 0xb800, SCRATCH = 0xc000,
	PROGRAM = 0x10000, CHUNK = 32, CHUNKS = 4096, STACK = 0x38000, END = 0x40000,
	RAM = 16 << 20,
	/* Where real mode has its own. */
	SECTOR = 0x7c00, REAL_PROGRAM = 0x7e00, REAL_CHUNKS = 200,
};

struct maker {
	uint8_t *image;
	uint8_t *at, *limit;    /* the operation that is being written */
	uint64_t state;
	enum hostile_kind kind;
	bool long_mode;
};

static uint32_t
any(struct maker *m)
{
	m->state ^= m->state << 13;
	m->state ^= m->state >> 7;
	m->state ^= m->state << 17;
	return (uint32_t)(m->state >> 16);
}

static uint32_t
below(struct maker *m, uint32_t n)
{
	return any(m) % n;
}

static void
emit(struct maker *m, const char *bytes, size_t n)
{
	for (size_t i = 0; i < n && m->at < m->limit; i++)
		*m->at++ = (uint8_t)bytes[i];
}

#define EMIT(m, bytes) emit(m, bytes, sizeof(bytes) - 1)

static void
emit_le(struct maker *m, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n && m->at < m->limit; i++)
		*m->at++ = (uint8_t)(value >> 8 * i);
}

/* A register by its number: mov r32, VALUE. */
static void
emit_set(struct maker *m, unsigned reg, uint32_t value)
{
	emit_le(m, 0xb8 + reg, 1);
	emit_le(m, value, 4);
}

enum { EAX, ECX, EDX, EBX, ESP, EBP, ESI, EDI };

/* ---- values ---- */

static uint32_t
interesting_value(struct maker *m)
{
	static const uint32_t values[] = {
		0, 1, 2, 0x7f, 0x80, 0xff, 0xffff, 0x8000, 0x7fffffff, 0x80000000, 0xffffffff, 0xfffffffe,
			0x55aa, 0x11, 0x20, 0x34, 0xfee00000,
	};

	switch (below(m, 4)) {
	case 0:
		return values[below(m, ARRAY_SIZE(values))];
	case 1:
		return BASE + below(m, END);
	case 2:
		return 1u << below(m, 32);
	default:
		return any(m);
	}
}

static uint32_t
interesting_address(struct maker *m)
{
	static const struct {
		uint32_t start, size;
	} places[] = {
		{ 0xfee00000, 0x1000 }, { 0xfee00000, 0x400 }, { 0xfec00000, 0x40 }, { 0xfed00000, 0x400 },
		{ 0xfffc0000, 0x40000 },
		{ 0xa0000, 0x20000 }, { 0xb8000, 0x8000 }, { 0xc0000, 0x40000 }, { RAM - 64, 128 },
		{ 0xfd000000, 0x1000000 },
		{ 0xfebf0000, 0x1000 }, { 0xe0000000, 0x100000 }, { 0, 0x1000 }, { BASE, END }, { 0xffffffc0,
		0x40 }, { RAM, 0x100000 },
		{ 0xf0000000, 0x1000000 }, { 0x9fc00, 0x800 },
	};
	unsigned n = below(m, ARRAY_SIZE(places) + 1);

	if (n == ARRAY_SIZE(places))
		return any(m);
	return places[n].start + below(m, places[n].size);
}

static uint32_t
interesting_port(struct maker *m)
{
	static const struct {
		uint16_t start, size;
	} ports[] = {
		{ 0x00, 0x10 }, { 0x20, 2 }, { 0x40, 4 }, { 0x60, 5 }, { 0x70, 2 }, { 0x80, 0x10 }, { 0x92,
		1 }, { 0xa0, 2 }, { 0xb2, 2 },
		{ 0xc0, 0x20 }, { 0xe9, 1 }, { 0x170, 8 }, { 0x1f0, 8 }, { 0x278, 3 }, { 0x2f8, 8 }, { 0x376,
		1 }, { 0x378, 3 },
		{ 0x3b0, 0x30 }, { 0x3f0, 8 }, { 0x3f6, 1 }, { 0x3f8, 8 }, { 0x402, 1 }, { 0x4d0, 2 },
		{ 0x510, 12 }, { 0x1ce, 3 },
		{ 0xcf8, 8 }, { 0xc000, 0x40 }, { 0x600, 0x40 }, { 0xb000, 0x40 }, { 0xafe0, 0x20 }, { 0xae00,
		0x20 }, { 0xcc0, 0x40 },
		{ 0x700, 0x10 },
	};
	unsigned n = below(m, ARRAY_SIZE(ports) + 1);

	if (n == ARRAY_SIZE(ports))
		return any(m) & 0xffff;
	return ports[n].start + below(m, ports[n].size);
}

/* ---- operations ---- */

static void
op_out(struct maker *m, uint32_t port, uint32_t value, unsigned size)
{
	emit_set(m, EAX, value);
	emit_set(m, EDX, port);
	if (size == 1)
		EMIT(m, "\xee");
	else if (size == 2)
		EMIT(m, "\x66\xef");
	else
		EMIT(m, "\xef");
}

static void
op_port(struct maker *m)
{
	static const unsigned sizes[] = { 1, 1, 1, 2, 4 };
	uint32_t port = interesting_port(m);

	switch (below(m, 12)) {
	case 0: /* rep outs, ins: from and to anywhere */
		emit_set(m, EDX, port);
		emit_set(m, ESI, interesting_address(m));
		emit_set(m, EDI, interesting_address(m));
		emit_set(m, ECX, below(m, 3000));
		emit_le(m, 0xf3 | (0x6c + below(m, 4)) << 8, 2);
		break;
	case 1:
	case 2:
	case 3:
		emit_set(m, EDX, port);
		emit_le(m, 0xec + below(m, 2), 1);
		break;
	default:
		op_out(m, port, interesting_value(m), sizes[below(m, ARRAY_SIZE(sizes))]);
	}
}

static void
op_memory(struct maker *m)
{
	static const char *const accesses[] = {
		"\x88\x06", "\x66\x89\x06", "\x89\x06", "\x8a\x06", "\x8b\x06", "\x87\x06", "\xf0\x01\x06",
		"\xf0\x0f\xb1\x06", "\xf3\xab",
		"\xf3\xa5", "\xf3\xaa", "\xdd\x06", "\xdb\x3e", "\x0f\xae\x06", "\x0f\x11\x06",
		"\x0f\x10\x06", "\x0f\xc7\x0e", "\xff\x36",
		"\xff\x16", "\xff\x2e", "\x0f\x01\x16", "\x0f\x01\x06", "\x0f\xab\x06", "\xf0\x0f\xc1\x06",
	};
	const char *access = accesses[below(m, ARRAY_SIZE(accesses))];

	emit_set(m, ESI, interesting_address(m));
	emit_set(m, EDI, interesting_address(m));
	emit_set(m, EAX, interesting_value(m));
	emit_set(m, ECX, below(m, 5000));
	emit(m, access, strlen(access));
}

static void
op_pci(struct maker *m)
{
	static const uint8_t functions[] = { 0 << 3, 1 << 3, 1 << 3 | 1, 1 << 3 | 3, 2 << 3, 3 << 3 };
	static const uint8_t registers[] = { 4, 6, 0x0c, 0x10, 0x14, 0x20, 0x30, 0x3c, 0x40, 0x48, 0x58, 0x5c,
		0x60, 0x70, 0x80, 0xb0, 0xd0 };
	uint32_t where = functions[below(m, ARRAY_SIZE(functions))] << 8, reg = registers[below(m,
		ARRAY_SIZE(registers))];

	if (below(m, 8) == 0)
		reg = any(m) & 0xfc;
	if (below(m, 8) == 0)
		where = any(m) & 0xffff00;
	op_out(m, 0xcf8, 0x80000000u | where | reg, 4);
	op_out(m, 0xcfc + below(m, 4), below(m, 3) ? interesting_value(m) : 0x107, 1 << below(m, 3));
}

/* The IDE controller's bus master at C000h, its command register on. */
static void
op_ide_map(struct maker *m)
{
	op_out(m, 0xcf8, 0x80000920u, 4);
	op_out(m, 0xcfc, 0xc001, 4);
}

static void
op_ide_enable(struct maker *m)
{
	op_out(m, 0xcf8, 0x80000904u, 4);
	op_out(m, 0xcfc, 7, 2);
}

static void
op_ide_decode(struct maker *m)
{
	op_out(m, 0xcf8, 0x80000940u, 4);
	op_out(m, 0xcfc, 0x80008000u, 4);
}

static void
op_ide_command(struct maker *m)
{
	static const uint8_t commands[] = {
		0xc8, 0xca, 0x25, 0x35, 0xec, 0x20, 0x30, 0x29, 0x39, 0xa0, 0xa1, 0xe7, 0xea, 0xc4, 0xc5,
		0xc6, 0xef, 0xb0, 0x08, 0x90, 0x91, 0x40, 0xf8,
		0x06, 0x3d, 0xe0, 0xe6,
	};
	uint32_t base = below(m, 2) ? 0x1f0 : 0x170;

	op_out(m, base + 6, 0xe0 | below(m, 2) << 4, 1);
	op_out(m, base + 7, below(m, 8) ? commands[below(m, ARRAY_SIZE(commands))] : any(m), 1);
}

static void
op_ide_task(struct maker *m)
{
	op_out(m, (below(m, 2) ? 0x1f0 : 0x170) + below(m, 6), any(m), 1);
	op_out(m, (below(m, 2) ? 0x1f0 : 0x170) + below(m, 6), interesting_value(m), 1);
}

static void
op_ide_master(struct maker *m)
{
	uint32_t base = 0xc000 + below(m, 2) * 8;

	op_out(m, base + 4, below(m, 2) ? BASE + SCRATCH + below(m, 64) * 8 : interesting_address(m), 4);
	op_out(m, base, below(m, 4) ? 1 | below(m, 2) << 3 : any(m), 1);
}

/* A region of a list for the bus master. */
static void
op_ide_region(struct maker *m)
{
	emit_le(m, 0xc7 | 0x05 << 8, 2);
	if (m->long_mode)
		m->at[-1] = 0x04, emit_le(m, 0x25, 1);
	emit_le(m, BASE + SCRATCH + below(m, 512) * 4, 4);
	emit_le(m, below(m, 2) ? interesting_address(m) : any(m) & 0x8000ffff, 4);
}

static uint32_t
swap(uint32_t v)
{
	return __builtin_bswap32(v);
}

static void
op_fw_cfg(struct maker *m)
{
	uint32_t where = below(m, 2) ? BASE + SCRATCH + below(m, 128) * 16 : interesting_address(m);

	op_out(m, below(m, 8) ? 0x518 : 0x514, swap(where), 4);
	if (below(m, 2))
		op_out(m, 0x510, any(m) & 0x3f, 2);
}

/* A descriptor of fw_cfg's: control, length, address. */
static void
op_fw_cfg_descriptor(struct maker *m)
{
	uint32_t at = BASE + SCRATCH + below(m, 128) * 16;

	emit_set(m, EDI, at);
	emit_set(m, EAX, swap((any(m) & 0x1f) | (any(m) & 0x3f) << 16));
	EMIT(m, "\xab");
	emit_set(m, EAX, swap(below(m, 2) ? any(m) & 0xffff : interesting_value(m)));
	EMIT(m, "\xab\x31\xc0\xab");
	emit_set(m, EAX, swap(interesting_address(m)));
	EMIT(m, "\xab");
}

static void
op_floppy(struct maker *m)
{
	static const uint8_t commands[] = { 0xe6, 0xc5, 0x4d, 0x07, 0x08, 0x0f, 0x03, 0x04, 0x0a, 0x4a, 0x0e,
		0x10, 0x12, 0x13, 0x94, 0x8e, 0xcd };

	if (below(m, 6) == 0)
		op_out(m, 0x3f2, below(m, 2) ? 0x1c : any(m), 1);
	else
		op_out(m, 0x3f5, below(m, 3) ? any(m) & 3 : commands[below(m, ARRAY_SIZE(commands))], 1);
	op_out(m, 0x3f5, any(m) & 0xff, 1);
}

static void
op_isa_dma(struct maker *m)
{
	static const uint8_t ports[] = { 4, 5, 8, 9, 0xa, 0xb, 0xc, 0xd, 0xe, 0xf, 0x81, 0x82, 0x83, 0xd4,
		0xd6, 0xd8, 0xc4 };

	op_out(m, ports[below(m, ARRAY_SIZE(ports))], any(m), 1);
	op_out(m, ports[below(m, ARRAY_SIZE(ports))], any(m), 1);
}

static void
op_dma(struct maker *m)
{
	static void (*const ops[])(struct maker *m) = {
		op_ide_map, op_ide_enable, op_ide_decode, op_ide_command, op_ide_command, op_ide_task,
		op_ide_task, op_ide_master, op_ide_master,
		op_ide_region, op_ide_region, op_fw_cfg, op_fw_cfg_descriptor, op_floppy, op_floppy,
		op_isa_dma, op_isa_dma, op_port,
	};

	ops[below(m, ARRAY_SIZE(ops))](m);
}

static void
op_chips(struct maker *m)
{
	static void (*const ops[])(struct maker *m) = { op_dma, op_port, op_port, op_pci, op_memory, op_memory };

	switch (below(m, 20)) {
	case 0:
		EMIT(m, "\xfb");
		break;
	case 1: /* unmask all at the PIC, and let the timer run */
		op_out(m, 0x21, any(m) & any(m) & 0xff, 1);
		op_out(m, 0xa1, any(m) & any(m) & 0xff, 1);
		break;
	case 2:
		EMIT(m, "\xfb\xf4");
		break;
	default:
		ops[below(m, ARRAY_SIZE(ops))](m);
	}
}

/* ---- instructions ---- */

/* An instruction that could be one: prefixes, a map, an opcode, random operands. */
static void
op_code(struct maker *m)
{
	static const uint8_t prefixes[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x2e, 0x36, 0x64, 0x65, 0x48, 0x41,
		0x4f };
	static const char *const systems[] = {
		"\x0f\x01", "\x0f\x00", "\x0f\x20", "\x0f\x22", "\x0f\x23", "\x0f\x21", "\x0f\x30",
		"\x0f\x32", "\x0f\xc7", "\x0f\xae", "\x0f\x05",
		"\x0f\x07", "\x0f\x34", "\x0f\x35", "\xcf", "\xcb", "\xea", "\x9a", "\xcd", "\xc8", "\x8e",
		"\x0f\xb2", "\x0f\xa2", "\x0f\x31",
		"\x9d", "\xe4", "\xe6", "\x0f\x0b", "\xf1", "\xfb\xf4", "\x0f\x01\xc8", "\x0f\x01\xc9",
		"\x0f\x01\xd0", "\x0f\x01\xd1", "\x0f\xaa",
	};
	unsigned n = 1 + below(m, 4);

	while (n-- > 0) {
		for (unsigned i = below(m, 4); i > 1; i--)
			emit_le(m, prefixes[below(m, ARRAY_SIZE(prefixes))], 1);
		switch (below(m, 8)) {
		case 0: {
			const char *s = systems[below(m, ARRAY_SIZE(systems))];

			emit(m, s, strlen(s));
			break;
		}
		case 1:
			EMIT(m, "\x0f");
			break;
		case 2:
			emit_le(m, 0x0f | (below(m, 2) ? 0x38 : 0x3a) << 8, 2);
			break;
		case 3:
			emit_le(m, 0xc4 + below(m, 2), 1);
			emit_le(m, any(m) & 0xffff, 2);
			break;
		default:
			break;
		}
		emit_le(m, any(m), 2 + below(m, 3));
		if (below(m, 3) == 0)
			emit_le(m, interesting_address(m), 4);
	}
}

static void
op_noise(struct maker *m)
{
	while (m->at < m->limit)
		emit_le(m, any(m), 1);
}

/* Stores into this chunk, the next ones, and pages of code anywhere. */
static void
op_self(struct maker *m)
{
	uint32_t here = BASE + (uint32_t)(m->at - m->image);

	switch (below(m, 6)) {
	case 0: /* the next instruction but one */
		emit_set(m, EAX, 0x90909090u ^ (below(m, 2) ? 0 : any(m)));
		emit_set(m, ESI, here + 12 + below(m, 8));
		EMIT(m, "\x89\x06");
		op_code(m);
		break;
	case 1:
		emit_set(m, EDI, here + below(m, 256) - 128);
		emit_set(m, ECX, below(m, 64));
		emit_set(m, EAX, any(m));
		EMIT(m, "\xf3\xaa");
		break;
	case 2:
		emit_set(m, ESI, BASE + PROGRAM + below(m, CHUNKS * CHUNK));
		emit_set(m, EDI, here - 64 + below(m, 4096));
		emit_set(m, ECX, below(m, 1024));
		EMIT(m, "\xf3\xa4");
		break;
	case 3: /* a locked one across two pages */
		emit_set(m, ESI, (here & ~0xfffu) + 0xffc + below(m, 4));
		EMIT(m, "\xf0\x81\x36");
		emit_le(m, any(m), 4);
		break;
	case 4: /* its own stack lies in code */
		emit_set(m, ESP, here + below(m, 64));
		EMIT(m, "\x60\x50\x9c\x50");
		break;
	default:
		op_code(m);
	}
}

static void
op_jump(struct maker *m)
{
	uint32_t to = interesting_address(m);

	switch (below(m, 5)) {
	case 0: /* an instruction over the end of a page */
		to = (BASE + SCRATCH + 0x1000) - 1 - below(m, 6);
		emit_set(m, EDI, to);
		emit_set(m, EAX, any(m));
		EMIT(m, "\xab\xab");
		break;
	case 1:
		to = RAM - 1 - below(m, 20);
		emit_set(m, EDI, to);
		emit_set(m, EAX, any(m));
		EMIT(m, "\xab");
		break;
	case 2:
		emit_set(m, EDI, to);
		emit_set(m, EAX, 0x9090c3fe);
		EMIT(m, "\xab");
		break;
	default:
		break;
	}
	emit_set(m, EAX, to);
	emit_le(m, below(m, 2) ? 0xe0ff : 0xd0ff, 2);
}

static void
op_paging(struct maker *m)
{
	uint32_t table = BASE + (m->long_mode ? PML4 : DIRECTORY);
	uint32_t tables = m->long_mode ? 0x6000 : 0x1000;
	uint32_t target = below(m, 2) ? table + (below(m, tables) & ~0xfffu) : interesting_address(m);

	switch (below(m, 6)) {
	case 0:
		emit_set(m, EAX, below(m, 4) ? table : interesting_address(m));
		EMIT(m, "\x0f\x22\xd8");
		break;
	case 1:
		emit_set(m, ESI, any(m));
		EMIT(m, "\x0f\x01\x3e");
		break;
	case 2: /* an entry that has to do with what is not the first 2 MiB */
		emit_set(m, EDI, table + (m->long_mode ? 0x2008 + (below(m, 0x3ff0) & ~7u) : 4 + (below(m,
			0xff8) & ~3u)));
		emit_set(m, EAX, (target & ~0xfffu) | (any(m) & 0xfff));
		EMIT(m, "\xab");
		if (m->long_mode && below(m, 4) == 0)
			emit_set(m, EAX, any(m)), EMIT(m, "\xab");
		break;
	case 3:
		emit_set(m, EAX, any(m) & 0x1006b0);
		EMIT(m, "\x0f\x20\xe1\x31\xc1\x0f\x22\xe1");
		break;
	default:
		op_memory(m);
	}
}

/* Breaks what a fault needs, then faults. */
static void
op_faults(struct maker *m)
{
	static const uint32_t tables[] = { IDT32, IDT64, GDT, TSS, HANDLER };

	switch (below(m, 8)) {
	case 0:
		emit_set(m, ESP, interesting_address(m));
		break;
	case 1:
		emit_set(m, EDI, BASE + tables[below(m, ARRAY_SIZE(tables))] + below(m, 256));
		emit_set(m, EAX, any(m));
		EMIT(m, "\xab");
		break;
	case 2:
		emit_set(m, ESI, interesting_address(m));
		EMIT(m, "\x0f\x01\x1e");
		break;
	case 3:
		emit_set(m, EAX, any(m) & 0xff);
		EMIT(m, "\x8e");
		emit_le(m, 0xc0 | below(m, 8) << 3, 1);
		break;
	case 4:
		emit_le(m, 0xcd | any(m) << 8, 2);
		break;
	case 5: /* IRET, RETF, a far call with whatever is on the stack */
		for (unsigned i = 0; i < 3; i++)
			emit_le(m, 0x68, 1), emit_le(m, interesting_value(m), 4);
		emit_le(m, below(m, 2) ? 0xcf : 0xcb, 1);
		break;
	case 6: /* debug registers and single steps */
		emit_set(m, EAX, interesting_address(m));
		EMIT(m, "\x0f\x23\xc0");
		emit_set(m, EAX, any(m));
		EMIT(m, "\x0f\x23\xf8\x9c\x81\x0c\x24\x00\x01\x00\x00\x9d");
		break;
	default:
		op_code(m);
	}
}

static void
op_any(struct maker *m)
{
	static void (*const ops[HOSTILE_COUNT])(struct maker *m) = {
		[HOSTILE_real] = op_code, [HOSTILE_noise] = op_noise, [HOSTILE_code32] = op_code,
		[HOSTILE_code64] = op_code, [HOSTILE_self] = op_self,
		[HOSTILE_ports] = op_port, [HOSTILE_mmio] = op_memory, [HOSTILE_pci] = op_pci,
		[HOSTILE_dma] = op_dma, [HOSTILE_chips] = op_chips,
		[HOSTILE_paging32] = op_paging, [HOSTILE_paging64] = op_paging, [HOSTILE_faults] = op_faults,
		[HOSTILE_jumps] = op_jump,
	};

	if (m->kind == HOSTILE_pci && below(m, 2))
		op_chips(m);
	else
		ops[m->kind](m);
}

/* ---- kernels ---- */

static void
put(struct maker *m, uint32_t offset, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		m->image[offset + i] = (uint8_t)(value >> 8 * i);
}

static void
write_from(struct maker *m, uint32_t offset, uint32_t bytes)
{
	m->at = m->image + offset;
	m->limit = m->at + bytes;
}

/* 32-bit code, data, task, 64-bit code; a null descriptor in front. */
static void
make_tables(struct maker *m)
{
	static const uint64_t descriptors[] = { 0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0, 0,
		0x00af9b000000ffff, 0x00cffb000000ffff };
	uint32_t tss = BASE + TSS, handler = BASE + HANDLER;

	for (unsigned i = 0; i < ARRAY_SIZE(descriptors); i++)
		put(m, GDT + 8 * i, descriptors[i], 8);
	put(m, GDT + 0x18, 0x67 | (uint64_t)(tss & 0xffffff) << 16 | 0x89ull << 40 |
		(uint64_t)(tss >> 24) << 56, 8);
	put(m, TSS + 4, BASE + STACK, 4);
	put(m, TSS + 8, 0x10, 2);
	for (unsigned i = 0; i < 256; i++) {
		put(m, IDT32 + 8 * i, (handler & 0xffff) | 8ull << 16 | 0xee00ull << 32 |
			(uint64_t)(handler >> 16) << 48, 8);
		put(m, IDT64 + 16 * i, (handler & 0xffff) | 0x28ull << 16 | 0xee00ull << 32 |
			(uint64_t)(handler >> 16) << 48, 8);
	}
	put(m, PML4, (BASE + PDPT) | 7, 8);
	put(m, PML4 + 8 * 511, (BASE + PML4) | 7, 8);
	for (unsigned i = 0; i < 4; i++)
		put(m, PDPT + 8 * i, (BASE + PD + 0x1000 * i) | 7, 8);
	for (unsigned i = 0; i < 4 * 512; i++)
		put(m, PD + 8 * i, (uint64_t)i << 21 | 0xe7, 8);
	for (unsigned i = 0; i < 1024; i++)
		put(m, DIRECTORY + 4 * i, (uint64_t)i << 22 | 0xe7, 4);
	put(m, DIRECTORY + 4 * 1023, (BASE + DIRECTORY) | 7, 4);
}

/* The next chunk by a linear congruence in COUNTER. */
static void
make_handler(struct maker *m)
{
	write_from(m, HANDLER, 256);
	EMIT(m, "\xb0\x20\xe6\x20\xe6\xa0"); /* both PICs' end of interrupt */
	emit_set(m, ESP, BASE + STACK);
	emit_set(m, ESI, 0xfee000b0);
	emit_set(m, EDI, BASE + COUNTER);
	EMIT(m, "\x31\xc0\x89\x06");         /* the local APIC's */
	EMIT(m, "\x69\x07");                 /* imul eax, [edi], 1664525; add eax, 1013904223 */
	emit_le(m, 1664525, 4);
	EMIT(m, "\x05");
	emit_le(m, 1013904223, 4);
	EMIT(m, "\xab\xc1\xe8\x0f\x25");     /* stosd; shr eax, 15; and eax, ... */
	emit_le(m, (CHUNKS - 1) * CHUNK, 4);
	EMIT(m, "\x05");
	emit_le(m, BASE + PROGRAM, 4);
	EMIT(m, "\xfc\xff\xe0");
}

static void
make_prelude(struct maker *m, bool paging)
{
	write_from(m, 32, 0x800);
	put(m, GDT + 0x700, 0xff, 2);
	put(m, GDT + 0x702, BASE + GDT, 4);
	put(m, GDT + 0x710, 0xfff, 2);
	put(m, GDT + 0x712, BASE + (m->long_mode ? IDT64 : IDT32), 8);
	EMIT(m, "\x0f\x01\x15");
	emit_le(m, BASE + GDT + 0x700, 4);
	EMIT(m, "\x0f\x01\x1d");
	emit_le(m, BASE + GDT + 0x710, 4);
	emit_set(m, ESP, BASE + STACK);
	EMIT(m, "\xea");
	emit_le(m, (uint32_t)(BASE + (m->at - m->image) + 6), 4);
	emit_le(m, 8, 2);
	EMIT(m, "\xb8\x10\0\0\0\x8e\xd8\x8e\xc0\x8e\xd0\x8e\xe0\x8e\xe8\xb8\x18\0\0\0\x0f\x00\xd8");
	EMIT(m, "\x0f\x20\xe0\x0d"); /* CR4: PSE, or PAE; OSFXSR, OSXMMEXCPT */
	emit_le(m, m->long_mode ? 0x620 : 0x610, 4);
	EMIT(m, "\x0f\x22\xe0");
	emit_set(m, EAX, BASE + (m->long_mode ? PML4 : DIRECTORY));
	EMIT(m, "\x0f\x22\xd8");
	if (m->long_mode) {
		emit_set(m, ECX, 0xc0000080);
		EMIT(m, "\x0f\x32\x0d\x01\x09\0\0\x0f\x30"); /* SCE, LME, NXE */
	}
	if (paging || m->long_mode) {
		EMIT(m, "\x0f\x20\xc0\x0d");
		emit_le(m, 0x80010002u, 4);
		EMIT(m, "\x0f\x22\xc0");
	}
	if (m->long_mode) {
		EMIT(m, "\xea");
		emit_le(m, (uint32_t)(BASE + (m->at - m->image) + 6), 4);
		emit_le(m, 0x28, 2);
	}
	emit_set(m, EAX, BASE + PROGRAM);
	EMIT(m, "\xff\xe0");
}

static size_t
make_kernel(struct maker *m)
{
	static const uint32_t header[] = { 0x1badb002, 0x10000, -(0x1badb002u + 0x10000), BASE, BASE,
		BASE + HOSTILE_BYTES, BASE + END, BASE + 32 };

	m->long_mode = m->kind == HOSTILE_code64 || m->kind == HOSTILE_paging64 || (m->kind >= HOSTILE_self &&
		m->state & 1 && m->kind != HOSTILE_paging32);
	for (unsigned i = 0; i < ARRAY_SIZE(header); i++)
		put(m, 4 * i, header[i], 4);
	make_tables(m);
	make_handler(m);
	make_prelude(m, m->kind == HOSTILE_paging32 || m->state & 2);
	put(m, COUNTER, any(m), 4);
	for (unsigned i = 0; i < CHUNKS; i++) {
		memset(m->image + PROGRAM + i * CHUNK, 0x90, CHUNK);
		write_from(m, PROGRAM + i * CHUNK, CHUNK);
		op_any(m);
	}
	if (m->kind == HOSTILE_noise)
		memset(m->image + IDT32, 0, 0x2000);
	write_from(m, PROGRAM + CHUNKS * CHUNK, 16);
	EMIT(m, "\xb8");
	emit_le(m, BASE + PROGRAM, 4);
	EMIT(m, "\xff\xe0");
	return HOSTILE_BYTES;
}

/* ---- diskettes ---- */

/* Loads the next sectors to REAL_PROGRAM and runs them; INT 0 to 7, and all but the firmware's timer,
	go to a handler there. */
static void
make_real_prelude(struct maker *m)
{
	write_from(m, 0, 0x100);
	EMIT(m, "\xfa\x31\xc0\x8e\xd8\x8e\xc0\x8e\xd0\xbc\x00\x7c\xfb");           /* cli; xor ax,
		ax; ds = es = ss = ax; sp; sti */
	EMIT(m, "\xb8\x1a\x02\xbb\x00\x7e\xb9\x02\x00\x30\xf6\xcd\x13");           /* int 13h:
		read 26 sectors from the second on; DL as it is */
	EMIT(m, "\x31\xff\xb9\x08\x00\xb8\x00\x7d\xab\x31\xc0\xab\xe2\xf8");       /* 8 vectors: 0000:7D00 */
	EMIT(m, "\xea\x00\x7e\x00\x00");
	write_from(m, 0x100, 0xf0);
	EMIT(m, "\x31\xc0\x8e\xd8\x8e\xc0\x8e\xd0\xbc\x00\x7c\xfb\xfc");
	EMIT(m,
		"\xa1\xf0\x7d\x69\xc0\x35\x4e\x05\x39\x30\xa3\xf0\x7d\xc1\xe8\x08\x25\x7f\x00\xc1\xe0\x05\x05\x00\x7e\xff\xe0");
	m->image[510] = 0x55;
	m->image[511] = 0xaa;
}

/* Operations of 32-bit code, with the operand size turned over for "mov r32, imm32". */
static void
op_real_port(struct maker *m)
{
	EMIT(m, "\xba");
	emit_le(m, interesting_port(m), 2);
	EMIT(m, "\x66\xb8");
	emit_le(m, interesting_value(m), 4);
	switch (below(m, 5)) {
	case 0:
		EMIT(m, "\x66\xef");
		break;
	case 1:
		EMIT(m, "\xef");
		break;
	case 2:
		EMIT(m, "\xed");
		break;
	default:
		EMIT(m, "\xee");
	}
}

static size_t
make_diskette(struct maker *m)
{
	write_from(m, 0, 510);
	op_noise(m);
	m->image[510] = 0x55;
	m->image[511] = 0xaa;
	if (m->kind == HOSTILE_sector)
		return HOSTILE_SECTORS;
	make_real_prelude(m);
	for (unsigned i = 0; i < REAL_CHUNKS; i++) {
		uint32_t at = 512 + i * CHUNK;

		memset(m->image + at, 0x90, CHUNK);
		write_from(m, at, CHUNK);
		if (m->kind == HOSTILE_real)
			op_code(m);
		else
			op_real_port(m);
	}
	write_from(m, 512 + REAL_CHUNKS * CHUNK, 8);
	EMIT(m, "\xea\x00\x7e\x00\x00");
	return HOSTILE_SECTORS;
}

bool
hostile_is_diskette(enum hostile_kind kind)
{
	return kind <= HOSTILE_real_ports;
}

size_t
hostile_make(enum hostile_kind kind, uint64_t seed, uint8_t *image)
{
	struct maker m = { .image = image, .kind = kind, .state = seed * 0x9e3779b97f4a7c15 + kind + 1 };

	for (unsigned i = 0; i < 8; i++)
		any(&m);
	return hostile_is_diskette(kind) ? make_diskette(&m) : make_kernel(&m);
}
