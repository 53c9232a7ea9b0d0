/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CL-GD5446: its blitter against one that goes dot by dot, its memory's windows, cursor and modes.  Values by the Technical
 * Reference Manual.
 */
#include "base/err.h"
#include "hw/cl_gd5446.h"
#include "tests/vga_rig.h"

enum { VRAM = 4 << 20 };

static struct rig rig;
static uint8_t memory[VRAM]; /* what video memory has to be */

static void
setup(void)
{
	rig_open(&rig, cirrus_new, 4, 1);
	memset(memory, 0, sizeof(memory));
	rig_set(&rig, 0x3c4, 6, 0x12);
	rig_out(&rig, 0x3c2, 0xe3);
	rig_out(&rig, 0x3c0, 0x20);
}

static void
teardown(void)
{
	rig_close(&rig);
}

static void
gr(unsigned i, unsigned v)
{
	rig_set(&rig, 0x3ce, i, v);
}

static void
gr_wide(unsigned i, uint32_t v, unsigned bytes)
{
	for (unsigned k = 0; k < bytes; k++)
		gr(i + k, v >> 8 * k & 0xff);
}

static void
hidden_dac(unsigned v)
{
	rig_out(&rig, 0x3c8, 0);
	for (unsigned i = 0; i < 4; i++)
		rig_in(&rig, 0x3c6);
	rig_out(&rig, 0x3c6, v);
}

/* A packed mode of WIDTH by HEIGHT, PITCH in bytes. */
static void
packed_mode(unsigned width, unsigned height, unsigned pitch, unsigned sr7, unsigned dac)
{
	unsigned last = height - 1;

	rig_set(&rig, 0x3d4, 0x11, 0);
	rig_set(&rig, 0x3d4, 0x01, width / 8 - 1);
	rig_set(&rig, 0x3d4, 0x07, (last >> 7 & 2) | (last >> 3 & 0x40) | 0x10);
	rig_set(&rig, 0x3d4, 0x09, 0x40);
	rig_set(&rig, 0x3d4, 0x12, last & 0xff);
	rig_set(&rig, 0x3d4, 0x13, pitch / 8 & 0xff);
	rig_set(&rig, 0x3d4, 0x17, 0xe3);
	rig_set(&rig, 0x3d4, 0x1b, 0x22 | (pitch / 8 >> 4 & 0x10));
	gr(5, 0x40);
	gr(6, 0x05);
	rig_set(&rig, 0x3c4, 4, 0x0e);
	rig_set(&rig, 0x3c4, 2, 0x0f);
	rig_set(&rig, 0x3c4, 1, 0x01);
	rig_set(&rig, 0x3c4, 7, sr7);
	hidden_dac(dac);
	rig_in(&rig, 0x3da);
	rig_out(&rig, 0x3c0, 0x20);
}

static void
poke(uint32_t at, uint8_t v)
{
	memory[at] = v;
	space_write(rig.mem, RIG_BAR0 + at, v, 1, false);
}

static void
same_memory(const char *what)
{
	static uint8_t now[VRAM];

	ck_assert(dma_read(rig.mem, RIG_BAR0, now, VRAM));
	for (uint32_t i = 0; i < VRAM; i++) {
		if (now[i] != memory[i])
			ck_abort_msg("%s: byte %x is %02x, not %02x", what, i, now[i], memory[i]);
	}
}

static void
fill_memory(uint32_t *seed)
{
	for (uint32_t i = 0; i < VRAM; i += 4) {
		uint32_t r = rig_random(seed);

		memcpy(memory + i, &r, 4);
	}
	ck_assert(dma_write(rig.mem, RIG_BAR0, memory, VRAM));
}

/* ---- a blitter, dot by dot ---- */

struct job {
	uint32_t to, from, width, height, to_pitch, from_pitch, fore, back, key;
	unsigned mode, ext, rop, skip;
	const uint8_t *fed; /* the processor's data */
};

static uint8_t
rop(unsigned code, uint8_t s, uint8_t d)
{
	switch (code) {
	case 0x00: return 0;
	case 0x05: return s & d;
	case 0x09: return s & ~d;
	case 0x0b: return ~d;
	case 0x0d: return s;
	case 0x0e: return 0xff;
	case 0x50: return ~s & d;
	case 0x59: return s ^ d;
	case 0x6d: return s | d;
	case 0x90: return ~(s & d);
	case 0x95: return ~(s ^ d);
	case 0xad: return s | ~d;
	case 0xd0: return ~s;
	case 0xd6: return ~s | d;
	case 0xda: return ~(s | d);
	default: return d;
	}
}

static uint8_t
at(uint32_t address)
{
	return memory[address % VRAM];
}

/* Byte K of the source of dot X in line Y; false: nothing is drawn there. */
static bool
source(const struct job *j, uint32_t x, uint32_t y, unsigned k, unsigned size, uint8_t *s)
{
	uint32_t dots = (j->width + size - 1) / size, row_bytes = size == 3 ? 32 : 8 * size, line;
	bool bit;

	if ((j->mode & 0xc0) == 0x40) {
		uint32_t row = (j->from + y) % 8, base = j->from / (8 * row_bytes) * (8 * row_bytes);

		*s = j->fed != NULL ? j->fed[row * row_bytes + x % 8 * size + k] : at(base + row * row_bytes + x % 8 * size + k);
		return true;
	}
	if ((j->mode & 0x80) == 0) {
		*s = j->fed != NULL ? j->fed[y * ((j->width + 3) / 4 * 4) + x * size + k] : at(j->from + y * j->from_pitch + x * size + k);
		return true;
	}
	if ((j->mode & 0x40) != 0) {
		uint32_t row = (j->from + y) % 8;

		bit = ((j->fed != NULL ? j->fed[row] : at(j->from / 8 * 8 + row)) >> (7 - x % 8) & 1) != 0 || (j->ext & 4) != 0;
	} else {
		line = (j->fed != NULL && (j->ext & 1) != 0 ? (dots + 31) / 32 * 4 : (dots + 7) / 8) * y;
		bit = ((j->fed != NULL ? j->fed[line + x / 8] : at(j->from + line + x / 8)) >> (7 - x % 8) & 1) != 0;
	}
	*s = (bit ? j->fore : j->back) >> 8 * k;
	return (j->mode & 8) == 0 || bit == ((j->ext & 2) == 0);
}

/* Forwards, or backwards from the last byte; a whole line is read before it is written. */
static void
expect(const struct job *j)
{
	static uint8_t line[8192 + 8];
	unsigned size = (j->mode >> 4 & 3) + 1;
	uint32_t left = (j->mode & 0xc0) == 0 ? 0 : size == 3 ? j->skip & 31 : (j->skip & 7) * size;

	for (uint32_t y = 0; y < j->height; y++) {
		bool back = (j->mode & 1) != 0;
		uint32_t to = back ? j->to - y * j->to_pitch - (j->width - 1) : j->to + y * j->to_pitch;
		struct job here = *j;

		if (back) {
			here.from = j->from - y * j->from_pitch - (j->width - 1);
			here.from_pitch = 0;
		}
		for (uint32_t i = 0; i < j->width; i++) {
			uint8_t s = 0, d = at(to + i);
			bool drawn = source(&here, i / size, y, i % size, size, &s) && i >= left;

			line[i] = drawn ? rop(j->rop, s, d) : d;
		}
		for (uint32_t i = 0; i < j->width; i++) {
			uint32_t first = i / size * size;
			bool keyed = (j->mode & 0x88) == 0x08 && first + size <= j->width && line[first] == (j->key & 0xff) &&
				(size == 1 || line[first + 1] == j->key >> 8);

			if (!keyed)
				memory[(to + i) % VRAM] = line[i];
		}
	}
}

static void
program(const struct job *j)
{
	for (unsigned k = 0; k < 4; k++) {
		static const uint8_t back[4] = { 0x00, 0x10, 0x12, 0x14 }, fore[4] = { 0x01, 0x11, 0x13, 0x15 };

		gr(back[k], j->back >> 8 * k & 0xff);
		gr(fore[k], j->fore >> 8 * k & 0xff);
	}
	gr_wide(0x20, j->width - 1, 2);
	gr_wide(0x22, j->height - 1, 2);
	gr_wide(0x24, j->to_pitch, 2);
	gr_wide(0x26, j->from_pitch, 2);
	gr_wide(0x28, j->to, 3);
	gr_wide(0x2c, j->from, 3);
	gr(0x2f, j->skip);
	gr(0x30, j->mode);
	gr(0x32, j->rop);
	gr(0x33, j->ext);
	gr_wide(0x34, j->key, 2);
}

static struct job
random_job(uint32_t *seed)
{
	static const uint8_t rops[] = { 0x00, 0x05, 0x06, 0x09, 0x0b, 0x0d, 0x0e, 0x50, 0x59, 0x6d, 0x90, 0x95, 0xad, 0xd0, 0xd6, 0xda, 0x0d, 0x0d };
	static const uint8_t kinds[] = { 0x00, 0x01, 0x08, 0x09, 0x40, 0x80, 0x88, 0xc0, 0xc8 };
	uint32_t r = rig_random(seed);
	struct job j = {
		.to = rig_random(seed) & 0x3fffff, .from = rig_random(seed) & 0x3fffff, .width = r % 200 + 1, .height = (r >> 8) % 12 + 1,
		.to_pitch = rig_random(seed) & 0x1fff, .from_pitch = rig_random(seed) & 0x1fff, .fore = rig_random(seed), .back = rig_random(seed),
		.key = rig_random(seed) & 0xffff, .mode = kinds[(r >> 16) % sizeof(kinds)], .rop = rops[(r >> 24) % sizeof(rops)],
	};

	j.mode |= rig_random(seed) & 0x30;
	j.ext = rig_random(seed) & ((j.mode & 0xc8) == 0xc0 ? 4 : 2);
	j.skip = rig_random(seed) & 31;
	if ((j.mode & 0x88) == 0x08) /* there is a key for 8 and 16 bits only */
		j.mode &= ~0x20u;
	return j;
}

START_TEST(test_fields)
{
	ck_assert_int_eq(dev_uncovered(rig.card->cls), -1);
}
END_TEST

START_TEST(test_blits)
{
	uint32_t seed = 4242 + _i;

	fill_memory(&seed);
	for (unsigned n = 0; n < 400; n++) {
		struct job j = random_job(&seed);

		program(&j);
		gr(0x31, 0x02);
		ck_assert_uint_eq(rig_get(&rig, 0x3ce, 0x31) & 3, 0);
		expect(&j);
		if (n % 40 == 39)
			same_memory("blits");
	}
}
END_TEST

static bool
is_busy(void)
{
	return (rig_get(&rig, 0x3ce, 0x31) & 1) != 0;
}

/* A blit of a million bytes goes on by itself; who starts another one meanwhile, or loads a state, gets both whole. */
START_TEST(test_large_blits)
{
	static const uint8_t modes[] = { 0x00, 0x01, 0x40, 0x80, 0xc0 };
	uint32_t seed = 777 + _i;

	fill_memory(&seed);
	for (unsigned n = 0; n < 3; n++) {
		struct job j = random_job(&seed);
		unsigned slices = 0;

		j.mode = modes[_i];
		j.width = 4000;
		j.height = 300;
		program(&j);
		gr(0x31, 0x02);
		ck_assert(is_busy());
		if (n == 1)
			ck_assert(rig.card->cls->loaded(rig.card, NULL));
		if (n == 2) {
			expect(&j);
			j.height = 2;
			j.mode = 0x40;
			j.ext = 0;
			program(&j);
			gr(0x31, 0);
			gr(0x31, 0x02);
			ck_assert(!is_busy());
		}
		for (; is_busy() && slices < 100; slices++)
			clock_advance(rig.clock, 100 * 1000);
		ck_assert(!is_busy());
		ck_assert(n == 2 || slices >= 2);
		expect(&j);
		same_memory("large blits");
	}
	/* What is ended by a reset does not go on. */
	gr_wide(0x22, 2047, 2);
	gr(0x32, 0x0b);
	gr(0x31, 0x02);
	ck_assert(is_busy());
	gr(0x31, 4);
	ck_assert(!is_busy());
	gr(0x31, 0x02);
	ck_assert(is_busy());
	dev_reset_all(rig.devices);
	pci_bus_config_write(rig.bus, 0x10, RIG_BAR0, 4);
	pci_bus_config_write(rig.bus, 0x04, 7, 2);
	packed_mode(640, 480, 640, 0x01, 0);
	ck_assert(dma_read(rig.mem, RIG_BAR0, memory, VRAM));
	clock_advance(rig.clock, NS_PER_SEC);
	same_memory("what a reset ended");
}
END_TEST

/* Data by the window, by the frame buffer and by its own aperture, in pieces of 1 to 8 bytes. */
START_TEST(test_fed_blits)
{
	static const uint8_t kinds[] = { 0x04, 0x0c, 0x44, 0x84, 0x8c, 0xc4 };
	static uint8_t data[65536];
	uint32_t seed = 99;

	packed_mode(640, 480, 640, 0x01, 0);
	fill_memory(&seed);
	for (unsigned n = 0; n < 300; n++) {
		struct job j = random_job(&seed);
		uint32_t r = rig_random(&seed), done = 0, places[3] = { 0xa0000, RIG_BAR0 + 0x1000, RIG_BAR0 + (16 << 20) };

		for (unsigned i = 0; i < sizeof(data); i++)
			data[i] = rig_random(&seed) >> 8;
		j.mode = kinds[r % sizeof(kinds)] | (j.mode & 0x30);
		if ((j.mode & 0x88) == 0x08)
			j.mode &= ~0x20u;
		j.ext &= 2;
		if ((j.mode & 0xc0) == 0x80)
			j.ext |= r >> 9 & 1;
		j.fed = data;
		program(&j);
		gr(0x31, 0x02);
		ck_assert_uint_eq(rig_get(&rig, 0x3ce, 0x31) & 1, 1);
		while ((rig_get(&rig, 0x3ce, 0x31) & 1) != 0 && done + 8 < sizeof(data)) {
			unsigned size = 1u << (rig_random(&seed) & 3);

			space_write(rig.mem, places[r >> 16 & 3 ? (r >> 16 & 3) - 1 : 0] + (done & 0xff0), load_le(data + done, size), size, false);
			done += size;
		}
		expect(&j);
		if (n % 30 == 29)
			same_memory("fed blits");
	}
}
END_TEST

/* A blit that never gets its data is ended by a reset; writes are writes again. */
START_TEST(test_blt_reset)
{
	struct job j = { .width = 64, .height = 4, .to_pitch = 64, .mode = 4, .rop = 0x0d };

	program(&j);
	gr(0x31, 2);
	space_write(rig.mem, RIG_BAR0 + 0x100, 0x55, 1, false);
	gr(0x31, 4);
	gr(0x31, 0);
	ck_assert_uint_eq(rig_get(&rig, 0x3ce, 0x31) & 1, 0);
	poke(0x2000, 0x77);
	same_memory("after a reset");
	ck_assert_ptr_eq(space_find(rig.mem, RIG_BAR0, false).region->ops, NULL);
}
END_TEST

/* A large blit takes the place of one that awaits data: what comes then is none. */
START_TEST(test_blt_instead)
{
	struct job fed = { .width = 64, .height = 4, .to_pitch = 64, .mode = 4, .rop = 0x0d };
	struct job j = { .width = 4000, .height = 300, .from = 0x200000, .to_pitch = 4000, .from_pitch = 4000, .rop = 0x0d };
	uint32_t seed = 5;

	fill_memory(&seed);
	program(&fed);
	gr(0x31, 2);
	gr(0x31, 0);
	program(&j);
	gr(0x31, 2);
	ck_assert(is_busy());
	ck_assert(rig.card->cls->loaded(rig.card, NULL));
	ck_assert_ptr_eq(space_find(rig.mem, RIG_BAR0, false).region->ops, NULL);
	for (unsigned n = 0; n < 100 && is_busy(); n++)
		clock_advance(rig.clock, 100 * 1000);
	ck_assert(!is_busy());
	expect(&j);
	same_memory("instead");
}
END_TEST

/* Registers in memory: BAR 1, B8000h, the end of the frame buffer; and a start by the address alone. */
START_TEST(test_mmio)
{
	struct job j = { .width = 8, .height = 2, .to_pitch = 16, .to = 0x5000, .from = 0x100, .from_pitch = 16, .mode = 0, .rop = 0x0d };

	for (unsigned i = 0; i < 64; i++)
		poke(0x100 + i, 0xa0 + i);
	for (unsigned place = 0; place < 3; place++) {
		static const unsigned config[3] = { 0x20, 0x24, 0x64 };
		uint32_t base[3] = { RIG_MMIO + 0x100, 0xb8000, RIG_BAR0 + VRAM - 0x100 };

		j.to = 0x5000 + 0x1000 * place;
		rig_set(&rig, 0x3c4, 0x17, config[place]);
		program(&j);
		space_write(rig.mem, base[place] + 0x40, 0x80, 1, false);
		space_write(rig.mem, base[place] + 0x10, j.to, 4, false);
		expect(&j);
		ck_assert_uint_eq(space_read(rig.mem, base[place] + 0x08, 2, false), j.width - 1);
		rig_set(&rig, 0x3c4, 0x17, 0x20);
		gr(0x31, 0);
		same_memory("started by memory");
	}
	/* Ports in BAR 1. */
	space_write(rig.mem, RIG_MMIO + 0x0e, 0x30, 1, false);
	space_write(rig.mem, RIG_MMIO + 0x0f, 0xc0, 1, false);
	ck_assert_uint_eq(rig_get(&rig, 0x3ce, 0x30), 0xc0);
	ck_assert_uint_eq(rig_get(&rig, 0x3d4, 0x27), 0xb8);
	ck_assert_uint_eq(rig_get(&rig, 0x3c4, 0x06), 0x12);
	rig_set(&rig, 0x3c4, 0x06, 0);
	ck_assert_uint_eq(rig_get(&rig, 0x3c4, 0x06), 0x0f);
	ck_assert_uint_eq(rig_get(&rig, 0x3c4, 0x0f) & 0x98, 0x98);
}
END_TEST

START_TEST(test_banks)
{
	packed_mode(640, 480, 640, 0x01, 0);
	/* One bank of 64 KiB in steps of 4 KiB; it is memory for the processor. */
	gr(9, 0x13);
	memory[0x13000 + 0xfedc] = 0x5a;
	space_write(rig.mem, 0xafedc, 0x5a, 1, false);
	ck_assert_ptr_eq(space_find(rig.mem, 0xafedc, false).region->ops, NULL);
	/* Two of 32 KiB in steps of 16 KiB. */
	gr(0x0b, 0x21);
	gr(9, 2);
	gr(0x0a, 7);
	memory[2 * 0x4000 + 5] = 0x11;
	memory[7 * 0x4000 + 6] = 0x22;
	space_write(rig.mem, 0xa0005, 0x11, 1, false);
	space_write(rig.mem, 0xa8006, 0x22, 1, false);
	same_memory("banks");
	/* Past the end: defined, and nothing else is touched. */
	gr(9, 0xff);
	gr(0x0a, 0xff);
	space_read(rig.mem, 0xa0000, 8, false);
	/* Write mode 5 expands bits to eight dots; mode 4 leaves the others. */
	gr(9, 0);
	gr(0x0b, 0x06);
	gr(5, 0x45);
	gr(0, 0x0a);
	gr(1, 0xf5);
	space_write(rig.mem, 0xa0010, 0x81, 1, false);
	for (unsigned i = 0; i < 8; i++)
		memory[0x80 + i] = i == 0 || i == 7 ? 0xf5 : 0x0a;
	gr(5, 0x44);
	gr(1, 0x33);
	space_write(rig.mem, 0xa0010, 0x40, 1, false);
	memory[0x81] = 0x33;
	gr(5, 0x40);
	gr(0x0b, 0);
	same_memory("write modes 4 and 5");
}
END_TEST

static uint32_t
pixel(unsigned x, unsigned y)
{
	const struct surface *s = rig_update(&rig);

	ck_assert(x < s->width && y < s->height);
	return s->pixels[y * s->width + x];
}

START_TEST(test_depths)
{
	static const struct { unsigned sr7, dac, bytes; uint32_t value, rgb; } depths[] = {
		{ 0x01, 0x00, 1, 7, 0x1c3c5d }, { 0x07, 0xf0, 2, 0x7c1f, 0xff00ff }, { 0x07, 0xc1, 2, 0x07e0, 0x00ff00 },
		{ 0x05, 0xc5, 3, 0x123456, 0x123456 }, { 0x09, 0xc5, 4, 0xff654321, 0x654321 },
	};

	rig_out(&rig, 0x3c8, 7);
	rig_out(&rig, 0x3c9, 7);
	rig_out(&rig, 0x3c9, 15);
	rig_out(&rig, 0x3c9, 23);
	for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
		unsigned pitch = 800 * depths[i].bytes;

		packed_mode(800, 600, pitch, depths[i].sr7, depths[i].dac);
		ck_assert_uint_eq(rig_update(&rig)->width, 800);
		ck_assert_uint_eq(rig_update(&rig)->height, 600);
		for (unsigned b = 0; b < depths[i].bytes; b++)
			poke(pitch * 10 + 3 * depths[i].bytes + b, depths[i].value >> 8 * b & 0xff);
		ck_assert_uint_eq(pixel(3, 10), depths[i].rgb);
		/* The start address counts in fours. */
		rig_set(&rig, 0x3d4, 0x0c, pitch * 10 / 4 >> 8);
		rig_set(&rig, 0x3d4, 0x0d, pitch * 10 / 4 & 0xff);
		clock_advance(rig.clock, 60000000);
		ck_assert_uint_eq(pixel(3, 0), depths[i].rgb);
		rig_set(&rig, 0x3d4, 0x0c, 0);
		rig_set(&rig, 0x3d4, 0x0d, 0);
		clock_advance(rig.clock, 60000000);
	}
	/* "Screen off" doesn't count here, but syncs that are off do. */
	rig_set(&rig, 0x3c4, 1, 0x21);
	ck_assert_uint_eq(pixel(3, 10), 0x654321);
	gr(0x0e, 0x06);
	ck_assert_uint_eq(pixel(3, 10), 0);
	gr(0x0e, 0);
	ck_assert_uint_eq(pixel(3, 10), 0x654321);
	/* What a blit draws is seen. */
	struct job j = { .width = 4, .height = 1, .to = 0, .mode = 0xf0, .ext = 4, .rop = 0x0d, .fore = 0xabcdef };

	program(&j);
	gr(0x31, 2);
	ck_assert_uint_eq(pixel(0, 0), 0xabcdef);
	/* Pairs of 8-bit dots: twice as wide. */
	packed_mode(640, 1024, 1280, 0x07, 0x4a);
	ck_assert_uint_eq(rig_update(&rig)->width, 1280);
	ck_assert_uint_eq(rig_update(&rig)->height, 1024);
}
END_TEST

START_TEST(test_cursor)
{
	packed_mode(640, 480, 640, 0x01, 0);
	/* Colours of the cursor: entries 0 and 15 behind SR12's bit 1. */
	rig_set(&rig, 0x3c4, 0x12, 0x02);
	for (unsigned i = 0; i < 16; i += 15) {
		rig_out(&rig, 0x3c8, i);
		for (unsigned k = 0; k < 3; k++)
			rig_out(&rig, 0x3c9, i == 0 ? 0x3f : 0x15);
	}
	/* 32 by 32: the first line's dots are none, inverted, colour 0, colour 15. */
	rig_set(&rig, 0x3c4, 0x13, 2);
	poke(VRAM - 16384 + 512, 0x50);
	poke(VRAM - 16384 + 512 + 128, 0x30);
	rig_set(&rig, 0x3c4, 0x10 | 3 << 5, 12); /* 99 */
	rig_set(&rig, 0x3c4, 0x11 | 7 << 5, 6);  /* 55 */
	ck_assert_uint_eq(pixel(100, 55), 0);
	rig_set(&rig, 0x3c4, 0x12, 0x01);
	ck_assert_uint_eq(pixel(99, 55), 0);
	ck_assert_uint_eq(pixel(100, 55), 0xffffff);
	ck_assert_uint_eq(pixel(101, 55), 0xffffff);
	ck_assert_uint_eq(pixel(102, 55), 0x555555);
	ck_assert_uint_eq(pixel(102, 56), 0);
	/* 64 by 64: line 2's second plane. */
	rig_set(&rig, 0x3c4, 0x12, 0x05);
	rig_set(&rig, 0x3c4, 0x13, 4);
	poke(VRAM - 16384 + 1024 + 2 * 16 + 8 + 7, 0x01);
	ck_assert_uint_eq(pixel(99 + 63, 57), 0xffffff);
	ck_assert_uint_eq(pixel(102, 55), 0);
	/* It goes, and at the edge it is cut. */
	rig_set(&rig, 0x3c4, 0x10 | 7 << 5, 0xff);
	rig_set(&rig, 0x3c4, 0x11 | 7 << 5, 59);
	ck_assert_uint_eq(pixel(99 + 63, 57), 0);
	rig_set(&rig, 0x3c4, 0x12, 0);
	rig_update(&rig);
}
END_TEST

/* After a load the memory is where it was, a blit goes on, and a state that no registers make is refused. */
START_TEST(test_loaded)
{
	struct cirrus *c = (struct cirrus *)rig.card;
	struct job j = { .width = 4, .height = 1, .to = 8, .to_pitch = 4, .mode = 4, .rop = 0x0d };
	struct err e = { "" };

	packed_mode(640, 480, 2560, 0x09, 0xc5);
	poke(1, 0x33);
	ck_assert(rig.card->cls->loaded(rig.card, &e));
	ck_assert_ptr_eq(space_find(rig.mem, RIG_BAR0, false).region->ops, NULL);
	ck_assert_uint_eq(pixel(0, 0), 0x3300);
	program(&j);
	gr(0x31, 2);
	space_write(rig.mem, 0xa0000, 0x2211, 2, false);
	ck_assert(rig.card->cls->loaded(rig.card, &e));
	space_write(rig.mem, 0xa0000, 0x4433, 2, false);
	ck_assert_uint_eq(pixel(2, 0), 0x332211);
	gr(0x31, 2);
	c->state.got = c->state.wanted;
	ck_assert(!rig.card->cls->loaded(rig.card, &e));
	c->state.got = 0;
	c->state.blt.width = 0;
	ck_assert(!rig.card->cls->loaded(rig.card, &e));
	c->state.blt.width = 4;
	ck_assert(rig.card->cls->loaded(rig.card, &e));
}
END_TEST

/* Whatever a guest writes, pictures come of it, in bounded time (and the sanitizers are content). */
START_TEST(test_any_registers)
{
	struct display_text text;
	uint32_t seed = 31337 + _i;

	for (unsigned n = 0; n < 3000; n++) {
		for (unsigned k = 0; k < 20; k++) {
			uint32_t r = rig_random(&seed), v = rig_random(&seed);

			space_write(rig.io, 0x3c0 + (r & 31), v & 0xffff, 1 + (r >> 8 & 1), false);
			space_write(rig.mem, 0xa0000 + (r >> 9 & 0x1ffff), v, 1u << (v & 3), false);
			space_read(rig.mem, 0xa0000 + (r >> 7 & 0x1ffff), 4, false);
			space_write(rig.mem, RIG_BAR0 + (r >> 3 & 0x1ffffff), v, 4, false);
			space_read(rig.mem, RIG_BAR0 + (r >> 5 & 0x1ffffff), 8, false);
			space_write(rig.mem, RIG_MMIO + (r >> 11 & 0x1ff), v, 4, false);
		}
		if (n % 8 == 0) {
			rig_set(&rig, 0x3c4, 7, rig_random(&seed));
			rig_set(&rig, 0x3c4, 1, 1);
			rig_in(&rig, 0x3da);
			rig_out(&rig, 0x3c0, 0x20);
		}
		if (n % 16 == 0) {
			struct job j = random_job(&seed);

			/* A small blit, but for its addresses: large ones take their time in a test. */
			j.mode ^= rig_random(&seed) & 0x0f;
			program(&j);
			gr(0x31, 2);
			rig_update(&rig);
			rig.display->text(rig.display->opaque, &text);
		}
		if (n % 256 == 255)
			dev_reset_all(rig.devices), pci_bus_config_write(rig.bus, 0x10, RIG_BAR0, 4),
			pci_bus_config_write(rig.bus, 0x14, RIG_MMIO, 4), pci_bus_config_write(rig.bus, 0x04, 7, 2);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("CL-GD5446");
	TCase *t = tcase_create("CL-GD5446");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_test(t, test_fields);
	tcase_add_loop_test(t, test_blits, 0, 4);
	tcase_add_test(t, test_fed_blits);
	tcase_add_loop_test(t, test_large_blits, 0, 5);
	tcase_add_test(t, test_blt_reset);
	tcase_add_test(t, test_blt_instead);
	tcase_add_test(t, test_mmio);
	tcase_add_test(t, test_banks);
	tcase_add_test(t, test_depths);
	tcase_add_test(t, test_cursor);
	tcase_add_test(t, test_loaded);
	tcase_add_loop_test(t, test_any_registers, 0, 2);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
