/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/vga*.c: modes set by ports as a BIOS sets them, and the pixels that come of it.  Values by IBM's register descriptions. */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "ui/ui.h"

#include <check.h>
#include <limits.h>
#include <stdlib.h>

#define WINDOW 0xa0000u
#define LFB 0xe0000000u
#define MMIO 0xe1000000u

static struct clock *clk;
static struct space *mem, *io;
static struct pci_bus *bus;
static struct dev *devices, *vga;
static struct display *display;

static void
setup(void)
{
	static const uint8_t rom[512] = { 0x55, 0xaa, 1 };
	static const struct vga_config config = { .id = "vga", .vram_mib = 16, .edid = true, .width = 1280, .height = 800 };
	struct dev_env env;

	devices = NULL;
	clk = clock_new(true);
	mem = space_new("memory", false);
	io = space_new("ports", true);
	bus = pci_bus_new(mem, io);
	env = (struct dev_env){ .clock = clk, .mem = mem, .io = io, .devices = &devices };
	vga = vga_new(&env, bus, &config, rom, sizeof(rom), &display);
	dev_reset_all(devices);
}

static void
teardown(void)
{
	space_free(mem);
	space_free(io);
	dev_free_all(devices);
	pci_bus_free(bus);
	clock_free(clk);
}

static void
out(unsigned port, unsigned value)
{
	space_write(io, port, value, 1, false);
}

static unsigned
in(unsigned port)
{
	return space_read(io, port, 1, false);
}

static void
out_at(unsigned index_port, unsigned index, unsigned value)
{
	out(index_port, index);
	out(index_port + 1, value);
}

static void
attr(unsigned index, unsigned value)
{
	in(0x3da);
	out(0x3c0, index);
	out(0x3c0, value);
}

static void
poke(unsigned offset, unsigned value)
{
	space_write(mem, WINDOW + offset, value, 1, false);
}

static unsigned
peek(unsigned offset)
{
	return space_read(mem, WINDOW + offset, 1, false);
}

static void
vbe(unsigned index, unsigned value)
{
	space_write(io, 0x1ce, index, 2, false);
	space_write(io, 0x1cf, value, 2, false);
}

static unsigned
vbe_get(unsigned index)
{
	space_write(io, 0x1ce, index, 2, false);
	return space_read(io, 0x1cf, 2, false);
}

static uint32_t
pixel(unsigned x, unsigned y)
{
	const struct surface *s = display->update(display->opaque);

	ck_assert_uint_lt(x, s->width);
	ck_assert_uint_lt(y, s->height);
	return s->pixels[y * (s->stride / 4) + x];
}

static void
expect_size(unsigned width, unsigned height)
{
	const struct surface *s = display->update(display->opaque);

	ck_assert_uint_eq(s->width, width);
	ck_assert_uint_eq(s->height, height);
}

/* A mode of the BIOS: sequencer 1-4, misc, CRTC 0-18h, graphics 0-8, attribute mode and planes. */
struct mode {
	uint8_t seq[4], misc, crt[25], gfx[9], attr_mode, planes;
};

static const struct mode text_80x25 = {
	{ 0x00, 0x03, 0x00, 0x02 }, 0x67,
	{ 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28,
	  0x1f, 0x96, 0xb9, 0xa3, 0xff },
	{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x0f, 0xff }, 0x0c, 0x0f,
};
static const struct mode cga_320x200 = {
	{ 0x09, 0x03, 0x00, 0x02 }, 0x63,
	{ 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x14,
	  0x00, 0x96, 0xb9, 0xa2, 0xff },
	{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x0f, 0x0f, 0xff }, 0x01, 0x03,
};
static const struct mode planar_640x480 = {
	{ 0x01, 0x0f, 0x00, 0x06 }, 0xe3,
	{ 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0xea, 0x8c, 0xdf, 0x28,
	  0x00, 0xe7, 0x04, 0xe3, 0xff },
	{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x05, 0x0f, 0xff }, 0x01, 0x0f,
};
static const struct mode linear_320x200 = {
	{ 0x01, 0x0f, 0x00, 0x0e }, 0x63,
	{ 0x5f, 0x4f, 0x50, 0x82, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28,
	  0x40, 0x96, 0xb9, 0xa3, 0xff },
	{ 0x00, 0x00, 0x00, 0x00, 0x00, 0x40, 0x05, 0x0f, 0xff }, 0x41, 0x0f,
};

/* Sets the mode, with attribute colours 0 to 15 as DAC entries 0 to 15, and entry N as 6-bit N, N / 2, 63 - N. */
static void
set_mode(const struct mode *m)
{
	out(0x3c2, m->misc);
	for (unsigned i = 0; i < 4; i++)
		out_at(0x3c4, i + 1, m->seq[i]);
	out_at(0x3d4, 0x11, 0);
	for (unsigned i = 0; i < 25; i++)
		out_at(0x3d4, i, m->crt[i]);
	for (unsigned i = 0; i < 9; i++)
		out_at(0x3ce, i, m->gfx[i]);
	for (unsigned i = 0; i < 16; i++)
		attr(i, i);
	attr(0x10, m->attr_mode);
	attr(0x11, 0);
	attr(0x12, m->planes);
	attr(0x13, m == &text_80x25 ? 8 : 0);
	attr(0x14, 0);
	out(0x3c8, 0);
	for (unsigned i = 0; i < 64; i++) {
		out(0x3c9, i);
		out(0x3c9, i / 2);
		out(0x3c9, 63 - i);
	}
	in(0x3da);
	out(0x3c0, 0x20);
}

static uint32_t
wide(unsigned c)
{
	return c << 2 | c >> 4;
}

static uint32_t
entry(unsigned n)
{
	return wide(n) << 16 | wide(n / 2) << 8 | wide(63 - n);
}

START_TEST(test_fields)
{
	ck_assert_int_eq(dev_uncovered(vga->cls), -1);
}
END_TEST

START_TEST(test_registers)
{
	set_mode(&text_80x25);
	ck_assert_uint_eq(in(0x3cc), 0x67);
	out(0x3d4, 0x13);
	ck_assert_uint_eq(in(0x3d5), 0x28);
	ck_assert_uint_eq(in(0x3b5), 0xff);
	/* Protected by bit 7 of 11h, but for bit 4 of 7. */
	out_at(0x3d4, 0x01, 0x12);
	ck_assert_uint_eq(in(0x3d5), 0x4f);
	out_at(0x3d4, 0x07, 0x00);
	ck_assert_uint_eq(in(0x3d5), 0x0f);
	/* 3DAh makes the next write of 3C0h an index. */
	in(0x3da);
	out(0x3c0, 0x12 | 0x20);
	ck_assert_uint_eq(in(0x3c1), 0x0f);
	out(0x3c7, 5);
	ck_assert_uint_eq(in(0x3c7), 3);
	ck_assert_uint_eq(in(0x3c9), 5);
	ck_assert_uint_eq(in(0x3c9), 2);
	ck_assert_uint_eq(in(0x3c9), 58);
	ck_assert_uint_eq(in(0x3c9), 6);
	/* Monochrome addresses. */
	out(0x3c2, 0x66);
	ck_assert_uint_eq(in(0x3d5), 0xff);
	ck_assert_uint_eq(in(0x3b4), 0x07);
}
END_TEST

START_TEST(test_text)
{
	struct display_text text;

	set_mode(&text_80x25);
	/* A font of one glyph: 'A' is a box with its left and bottom side. */
	out_at(0x3c4, 2, 4);
	out_at(0x3c4, 4, 6);
	out_at(0x3ce, 5, 0);
	out_at(0x3ce, 6, 4);
	for (unsigned i = 0; i < 16; i++) {
		poke('A' * 32 + i, i == 15 ? 0xff : 0x80);
		poke(0xc4 * 32 + i, 0xff);
	}
	out_at(0x3c4, 2, 3);
	out_at(0x3c4, 4, 2);
	out_at(0x3ce, 5, 0x10);
	out_at(0x3ce, 6, 0x0e);
	poke(0x18000, 'A');
	poke(0x18001, 0x1e);
	poke(0x18002, 0xc4);
	poke(0x18003, 0x07);
	poke(0x18000 + 160, 'A');
	poke(0x18001 + 160, 0x8e);
	ck_assert_uint_eq(peek(0x18000), 'A');
	ck_assert_uint_eq(peek(0x18001), 0x1e);
	expect_size(720, 400);
	ck_assert_uint_eq(pixel(0, 5), entry(14));
	ck_assert_uint_eq(pixel(1, 5), entry(1));
	ck_assert_uint_eq(pixel(7, 15), entry(14));
	ck_assert_uint_eq(pixel(8, 15), entry(1));  /* the ninth dot */
	ck_assert_uint_eq(pixel(17, 5), entry(7));  /* of a line graphics character */
	ck_assert_uint_eq(pixel(0, 20), entry(14)); /* blinks: on, on black */
	ck_assert_uint_eq(pixel(1, 20), entry(0));
	clock_advance(clk, 16 * 14268000ull);
	ck_assert_uint_eq(pixel(0, 20), entry(0));
	/* The cursor on the third cell, rows 13 and 14. */
	clock_advance(clk, 16 * 14268000ull);
	poke(0x18005, 0x02);
	out_at(0x3d4, 0x0f, 2);
	ck_assert_uint_eq(pixel(18, 13), entry(2));
	ck_assert_uint_eq(pixel(18, 12), entry(0));
	out_at(0x3d4, 0x0a, 0x2d);
	ck_assert_uint_eq(pixel(18, 13), entry(0));
	/* Underline at row 10. */
	out_at(0x3d4, 0x14, 10);
	poke(0x18009, 0x09);
	ck_assert_uint_eq(pixel(38, 10), entry(9));
	ck_assert_uint_eq(pixel(38, 11), entry(0));
	display->text(display->opaque, &text);
	ck_assert_int_eq(text.kind, DISPLAY_TEXT);
	ck_assert_uint_eq(text.columns, 80);
	ck_assert_uint_eq(text.rows, 25);
	ck_assert_uint_eq(text.cursor, UINT_MAX);
	ck_assert(text.blinks);
	ck_assert_uint_eq(text.cells[0], 0x1e41);
	ck_assert_uint_eq(text.cells[80], 0x8e41);
	out_at(0x3d4, 0x0a, 0x0d);
	display->text(display->opaque, &text);
	ck_assert_uint_eq(text.cursor, 2);
	/* Switched off for a while, as by a screen saver. */
	in(0x3da);
	out(0x3c0, 0x00);
	display->text(display->opaque, &text);
	ck_assert_int_eq(text.kind, DISPLAY_BLANK);
	out(0x3c0, 0x20);
}
END_TEST

START_TEST(test_write_modes)
{
	set_mode(&planar_640x480);
	poke(0, 0x80);
	ck_assert_uint_eq(pixel(0, 0), entry(15));
	ck_assert_uint_eq(pixel(1, 0), entry(0));
	/* Map mask, and reads by plane. */
	out_at(0x3c4, 2, 5);
	poke(0, 0x41);
	out_at(0x3ce, 4, 0);
	ck_assert_uint_eq(peek(0), 0x41);
	out_at(0x3ce, 4, 1);
	ck_assert_uint_eq(peek(0), 0x80);
	ck_assert_uint_eq(pixel(7, 0), entry(5));
	/* Set/reset in planes 0 and 1 of value 2, rotate 4, bit mask. */
	out_at(0x3c4, 2, 15);
	out_at(0x3ce, 0, 2);
	out_at(0x3ce, 1, 3);
	out_at(0x3ce, 3, 4);
	out_at(0x3ce, 8, 0xf0);
	peek(10);
	poke(10, 0x0f);
	ck_assert_uint_eq(pixel(80, 0), entry(0x0e));
	ck_assert_uint_eq(pixel(84, 0), entry(0));
	/* Mode 1 copies the latches. */
	peek(10);
	out_at(0x3ce, 5, 1);
	poke(11, 0);
	ck_assert_uint_eq(pixel(88, 0), entry(0x0e));
	/* Mode 2: the data are a colour; XOR with the latches. */
	out_at(0x3ce, 5, 2);
	out_at(0x3ce, 3, 0x18);
	out_at(0x3ce, 8, 0x80);
	peek(11);
	poke(11, 0x03);
	ck_assert_uint_eq(pixel(88, 0), entry(0x0d));
	ck_assert_uint_eq(pixel(89, 0), entry(0x0e));
	/* Mode 3: the data are a mask for the set/reset colour. */
	out_at(0x3ce, 5, 3);
	out_at(0x3ce, 3, 0);
	out_at(0x3ce, 8, 0xff);
	out_at(0x3ce, 0, 9);
	peek(12);
	poke(12, 0x01);
	ck_assert_uint_eq(pixel(103, 0), entry(9));
	ck_assert_uint_eq(pixel(102, 0), entry(0));
	/* Read mode 1: which dots have colour 9, then any with planes 0 and 1 as in 9. */
	out_at(0x3ce, 5, 8);
	out_at(0x3ce, 2, 9);
	out_at(0x3ce, 7, 15);
	ck_assert_uint_eq(peek(12), 0x01);
	out_at(0x3ce, 7, 0);
	ck_assert_uint_eq(peek(12), 0xff);
	expect_size(640, 480);
}
END_TEST

START_TEST(test_mode_13h)
{
	struct display_text text;

	set_mode(&linear_320x200);
	expect_size(640, 400);
	poke(0, 33);
	poke(321, 34);
	ck_assert_uint_eq(pixel(0, 0), entry(33));
	ck_assert_uint_eq(pixel(1, 1), entry(33));
	ck_assert_uint_eq(pixel(2, 0), entry(0));
	ck_assert_uint_eq(pixel(2, 2), entry(34));
	ck_assert_ptr_eq(space_find(mem, WINDOW, false).region->ops, NULL);
	display->text(display->opaque, &text);
	ck_assert_int_eq(text.kind, DISPLAY_GRAPHICS);
	ck_assert_uint_eq(text.width, 640);
	ck_assert_uint_eq(text.height, 400);
	/* The DAC's mask. */
	out(0x3c6, 0x0f);
	ck_assert_uint_eq(pixel(0, 0), entry(1));
	/* Mode X: planes of their own, addressed byte by byte. */
	out(0x3c6, 0xff);
	out_at(0x3c4, 4, 6);
	out_at(0x3d4, 0x14, 0);
	out_at(0x3d4, 0x17, 0xe3);
	ck_assert_uint_eq(space_find(mem, WINDOW, false).region->kind, REGION_IO);
	out_at(0x3c4, 2, 2);
	poke(80, 40);
	ck_assert_uint_eq(pixel(2, 2), entry(40));
	/* The start address is taken over with the next retrace. */
	out_at(0x3d4, 0x0d, 80);
	ck_assert_uint_eq(pixel(2, 0), entry(0));
	clock_advance(clk, 20000000);
	ck_assert_uint_eq(pixel(2, 0), entry(40));
	/* Two halves of a dot to the left. */
	attr(0x33, 2);
	ck_assert_uint_eq(pixel(0, 0), entry(40));
	/* Split screen: after line 99 from address 0, here without panning. */
	attr(0x30, 0x61);
	out_at(0x3d4, 0x11, 0);
	out_at(0x3d4, 0x18, 99);
	out_at(0x3d4, 0x07, 0x0f);
	out_at(0x3d4, 0x09, 0x01);
	ck_assert_uint_eq(pixel(0, 100), entry(33));
	ck_assert_uint_eq(pixel(2, 102), entry(40));
}
END_TEST

START_TEST(test_cga)
{
	set_mode(&cga_320x200);
	expect_size(640, 400);
	poke(0x18000, 0x1b); /* 0 1 2 3 */
	poke(0x18001, 0xc0);
	poke(0x1a000, 0x40); /* the odd lines */
	ck_assert_uint_eq(pixel(0, 0), entry(0));
	ck_assert_uint_eq(pixel(2, 0), entry(1));
	ck_assert_uint_eq(pixel(5, 1), entry(2));
	ck_assert_uint_eq(pixel(6, 0), entry(3));
	ck_assert_uint_eq(pixel(8, 0), entry(3));
	ck_assert_uint_eq(pixel(0, 2), entry(1));
}
END_TEST

static void
enable_bars(void)
{
	unsigned slot = 0;

	while (slot < 32 && pci_bus_find(bus, slot << 3) == NULL)
		slot++;
	ck_assert_uint_lt(slot, 32);
	ck_assert_uint_eq(pci_bus_config_read(bus, slot << 11, 4), 0x11111234);
	pci_bus_config_write(bus, slot << 11 | 0x10, LFB, 4);
	pci_bus_config_write(bus, slot << 11 | 0x18, MMIO, 4);
	pci_bus_config_write(bus, slot << 11 | 0x04, 7, 2);
}

static void
vbe_mode(unsigned width, unsigned height, unsigned bpp)
{
	vbe(4, 0);
	vbe(1, width);
	vbe(2, height);
	vbe(3, bpp);
	vbe(4, 0x41);
	out(0x3c0, 0x20);
}

START_TEST(test_vbe)
{
	static const struct { unsigned bpp, bytes; uint32_t value, rgb; } depths[] = {
		{ 8, 1, 7, 0 }, { 15, 2, 0x7c1f, 0xff00ff }, { 16, 2, 0x07e0, 0x00ff00 }, { 24, 3, 0x123456, 0x123456 },
		{ 32, 4, 0xff654321, 0x654321 },
	};
	uint8_t sum = 0;

	set_mode(&linear_320x200);
	in(0x3da);
	enable_bars();
	ck_assert_uint_eq(vbe_get(0), 0xb0c5);
	ck_assert_uint_eq(vbe_get(10), 256);
	for (unsigned i = 0; i < ARRAY_SIZE(depths); i++) {
		in(0x3da);
		vbe_mode(1024, 768, depths[i].bpp);
		expect_size(1024, 768);
		for (unsigned b = 0; b < depths[i].bytes; b++)
			space_write(mem, LFB + (1024 * 10 + 3) * depths[i].bytes + b, depths[i].value >> 8 * b & 0xff, 1, false);
		ck_assert_uint_eq(pixel(3, 10), depths[i].bpp == 8 ? entry(7) : depths[i].rgb);
		ck_assert_uint_eq(pixel(2, 10), depths[i].bpp == 8 ? entry(0) : 0);
	}
	/* A virtual screen that is scrolled. */
	vbe(6, 2048);
	ck_assert_uint_eq(vbe_get(7), 2048);
	vbe(8, 100);
	vbe(9, 50);
	space_write(mem, LFB + 4 * (2048 * 50 + 100), 0xabcdef, 4, false);
	ck_assert_uint_eq(pixel(0, 0), 0xabcdef);
	/* A bank in the window. */
	vbe(5, 3);
	poke(4, 0x5a);
	ck_assert_uint_eq(space_read(mem, LFB + 0x30004, 1, false), 0x5a);
	/* Limits. */
	vbe(4, 2);
	ck_assert_uint_eq(vbe_get(3), 32);
	vbe_mode(5000, 4000, 32);
	ck_assert_uint_le(vbe_get(1) * vbe_get(2) * 4, 16 << 20);
	/* BAR 2. */
	ck_assert_uint_eq(space_read(mem, MMIO + 0x500, 2, false), 0xb0c5);
	space_write(mem, MMIO + 0x500 + 2 * 5, 2, 2, false);
	ck_assert_uint_eq(vbe_get(5), 2);
	ck_assert_uint_eq(space_read(mem, MMIO + 0x40c, 1, false), 0x63);
	ck_assert_uint_eq(space_read(mem, MMIO + 0x604, 4, false), 0x1e1e1e1e);
	for (unsigned i = 0; i < 128; i++)
		sum += space_read(mem, MMIO + i, 1, false);
	ck_assert_uint_eq(sum, 0);
	/* 8 bits a colour. */
	vbe(4, 0x61);
	out(0x3c8, 1);
	out(0x3c9, 0xff);
	out(0x3c9, 0x81);
	out(0x3c9, 0x02);
	out(0x3c7, 1);
	ck_assert_uint_eq(in(0x3c9), 0xff);
	ck_assert_uint_eq(in(0x3c9), 0x81);
}
END_TEST

START_TEST(test_vbe_planar)
{
	set_mode(&planar_640x480);
	in(0x3da);
	vbe_mode(800, 600, 4);
	out_at(0x3c4, 2, 9);
	poke(100, 0x40);
	expect_size(800, 600);
	ck_assert_uint_eq(pixel(1, 1), entry(9));
}
END_TEST

/* 80x25 text on a VGA: 70.09 frames a second, 2 of 449 lines in retrace. */
START_TEST(test_retrace)
{
	unsigned frames = 0, retrace = 0, hidden = 0, samples = 100000, last = 0;

	set_mode(&text_80x25);
	for (unsigned i = 0; i < samples; i++) {
		unsigned s = in(0x3da);

		frames += (s & 8) != 0 && !last;
		last = s & 8;
		retrace += last != 0;
		hidden += s & 1;
		clock_advance(clk, 10000);
	}
	ck_assert_uint_ge(frames, 69);
	ck_assert_uint_le(frames, 71);
	ck_assert_uint_ge(retrace, samples * 2 / 449 - 100);
	ck_assert_uint_le(retrace, samples * 2 / 449 + 100);
	/* Shown: 400 of 449 lines, 80 of 100 characters. */
	ck_assert_uint_ge(hidden, samples * 27 / 100);
	ck_assert_uint_le(hidden, samples * 31 / 100);
}
END_TEST

static unsigned damaged;

static void
count_damage(void *ui, unsigned x, unsigned y, unsigned w, unsigned h)
{
	(void)ui;
	(void)x;
	(void)y;
	(void)w;
	damaged += h;
}

START_TEST(test_damage)
{
	struct display_viewer viewer = { .damage = count_damage };

	set_mode(&linear_320x200);
	display_add_viewer(display, &viewer);
	damaged = 0;
	display->update(display->opaque);
	ck_assert_uint_eq(damaged, 400);
	display->update(display->opaque);
	ck_assert_uint_eq(damaged, 400);
	poke(320 * 7, 1);
	display->update(display->opaque);
	ck_assert_uint_eq(damaged, 402);
	display->invalidate(display->opaque);
	display->update(display->opaque);
	ck_assert_uint_eq(damaged, 802);
	display_remove_viewer(display, &viewer);
}
END_TEST

/* Whatever a guest writes, pictures come out of it (and the sanitizers are content). */
START_TEST(test_any_registers)
{
	struct display_text text;
	uint32_t r = 1;

	set_mode(&text_80x25);
	enable_bars();
	for (unsigned i = 0; i < 3000; i++) {
		for (unsigned j = 0; j < 20; j++) {
			r = r * 1103515245 + 12345;
			space_write(io, r % 8 == 0 ? 0x1ce + (r >> 16 & 3) : 0x3b0 + (r >> 8) % 48, r >> 16, 1 + (r >> 28 & 1), false);
			space_write(mem, WINDOW + (r >> 7 & 0x1ffff), r >> 20, 1, false);
			space_read(mem, WINDOW + (r >> 9 & 0x1ffff), 1, false);
		}
		if (i % 64 == 0) {
			out(0x3c0, 0x20);
			vbe(1 + r % 10, r >> 12);
			vbe(4, r >> 8 & 0xff);
		}
		if (i % 16 == 0) {
			display->update(display->opaque);
			display->text(display->opaque, &text);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("vga");
	TCase *t = tcase_create("vga");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_fields);
	tcase_add_test(t, test_registers);
	tcase_add_test(t, test_text);
	tcase_add_test(t, test_write_modes);
	tcase_add_test(t, test_mode_13h);
	tcase_add_test(t, test_cga);
	tcase_add_test(t, test_vbe);
	tcase_add_test(t, test_vbe_planar);
	tcase_add_test(t, test_retrace);
	tcase_add_test(t, test_damage);
	tcase_add_test(t, test_any_registers);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
