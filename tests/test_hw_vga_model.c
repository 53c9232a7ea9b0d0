/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA against a second one that is as plain as can be: four arrays for the planes, a function for a write, a function for
 * the colour of one dot, by IBM's descriptions of the registers.  Modes are those of IBM's BIOS; what programs do to them
 * (panning, splitting, other fonts, mode X) is made up at random.
 *
 * VGA_MODEL_PICTURES=DIR in the environment writes a picture of each mode.
 */
#include "base/err.h"
#include "tests/vga_rig.h"

#include <stdio.h>

static struct rig rig;

/* ---- the plain VGA ---- */

static struct {
	uint8_t seq[8], crt[32], gfx[16], attr[32], misc, dac[256][3];
	uint8_t plane[4][65536], latch[4];
	uint64_t now_ns;
} m;

static void
seq(unsigned i, unsigned v)
{
	m.seq[i] = v;
	rig_set(&rig, 0x3c4, i, v);
}

static void
gfx(unsigned i, unsigned v)
{
	m.gfx[i] = v;
	rig_set(&rig, 0x3ce, i, v);
}

static void
crt(unsigned i, unsigned v)
{
	m.crt[i] = v;
	rig_set(&rig, (m.misc & 1) != 0 ? 0x3d4 : 0x3b4, i, v);
}

static void
attr(unsigned i, unsigned v)
{
	m.attr[i] = v;
	rig_in(&rig, (m.misc & 1) != 0 ? 0x3da : 0x3ba);
	rig_out(&rig, 0x3c0, i | 0x20);
	rig_out(&rig, 0x3c0, v);
}

static void
dac(unsigned i, unsigned red, unsigned green, unsigned blue)
{
	uint8_t rgb[3] = { red & 63, green & 63, blue & 63 };

	rig_out(&rig, 0x3c8, i);
	for (unsigned k = 0; k < 3; k++)
		rig_out(&rig, 0x3c9, m.dac[i][k] = rgb[k]);
}

/* Is OFFSET from A0000h decoded?  *ADDR: the address inside of the window. */
static bool
decoded(unsigned offset, unsigned *addr)
{
	static const unsigned first[4] = { 0, 0, 0x10000, 0x18000 }, size[4] = { 0x20000, 0x10000, 0x8000, 0x8000 };
	unsigned map = m.gfx[6] >> 2 & 3;

	*addr = offset - first[map];
	return (m.misc & 2) != 0 && offset >= first[map] && *addr < size[map];
}

static uint8_t
alu(uint8_t v, uint8_t latch)
{
	switch (m.gfx[3] >> 3 & 3) {
	case 1:
		return v & latch;
	case 2:
		return v | latch;
	case 3:
		return v ^ latch;
	default:
		return v;
	}
}

/* What a write of V brings to plane P before the map mask. */
static uint8_t
plane_value(unsigned p, uint8_t v)
{
	uint8_t rotated = v >> (m.gfx[3] & 7) | v << (8 - (m.gfx[3] & 7)), mask = m.gfx[8], latch = m.latch[p], r;

	switch (m.gfx[5] & 3) {
	case 0:
		r = alu((m.gfx[1] >> p & 1) != 0 ? (m.gfx[0] >> p & 1) != 0 ? 0xff : 0 : rotated, latch);
		break;
	case 1:
		return latch;
	case 2:
		r = alu((v >> p & 1) != 0 ? 0xff : 0, latch);
		break;
	default:
		mask &= rotated;
		r = (m.gfx[0] >> p & 1) != 0 ? 0xff : 0;
		break;
	}
	return (r & mask) | (latch & ~mask);
}

/* Chain 4 has its bytes together: byte N of plane P is byte 4 * N + P of the window. */
static void
poke(unsigned offset, uint8_t v)
{
	unsigned a;

	space_write(rig.mem, 0xa0000 + offset, v, 1, false);
	if (!decoded(offset, &a))
		return;
	for (unsigned p = 0; p < 4; p++) {
		unsigned at = a & 0xffff;

		if ((m.seq[2] >> p & 1) == 0)
			continue;
		if ((m.seq[4] & 8) != 0 && (a & 3) != p)
			continue;
		if ((m.seq[4] & 8) != 0)
			at = a >> 2;
		else if ((m.seq[4] & 4) == 0 && (a & 1) != (p & 1))
			continue;
		else if ((m.seq[4] & 4) == 0)
			at &= ~1u;
		m.plane[p][at] = plane_value(p, v);
	}
}

static uint8_t
peek(unsigned offset)
{
	unsigned a, at, p = m.gfx[4] & 3;
	uint8_t same = 0xff;

	if (!decoded(offset, &a))
		return 0xff;
	at = a & 0xffff;
	if ((m.seq[4] & 8) != 0) {
		p = a & 3;
		at = a >> 2;
	} else if ((m.gfx[5] & 0x10) != 0) {
		p = (p & 2) | (a & 1);
		at &= ~1u;
	}
	for (unsigned i = 0; i < 4; i++)
		m.latch[i] = m.plane[i][at];
	if ((m.gfx[5] & 8) == 0)
		return m.latch[p];
	for (unsigned i = 0; i < 4; i++) {
		if ((m.gfx[7] >> i & 1) != 0)
			same &= (m.gfx[2] >> i & 1) != 0 ? m.latch[i] : ~m.latch[i];
	}
	return same;
}

/* ---- its picture ---- */

struct where {
	unsigned counter, row, pan, byte_pan;
};

static unsigned
lines(void)
{
	unsigned n = (m.crt[0x12] | (m.crt[7] & 2) << 7 | (m.crt[7] & 0x40) << 3) + 1;

	return (m.crt[0x17] & 4) != 0 ? 2 * n : n;
}

static unsigned
dots_a_char(void)
{
	return (m.gfx[6] & 1) == 0 && (m.seq[1] & 1) == 0 ? 9 : 8;
}

/* Counts from the top of the screen down to line Y. */
static struct where
line_at(unsigned y)
{
	unsigned compare = m.crt[0x18] | (m.crt[7] & 0x10) << 4 | (m.crt[9] & 0x40) << 3, pan = m.attr[0x13] & 15, twice = 0;
	struct where w = { m.crt[0xc] << 8 | m.crt[0xd], m.crt[8] & 31, 0, m.crt[8] >> 5 & 3 };

	w.pan = dots_a_char() == 9 ? (pan > 7 ? 0 : pan + 1) : pan & 7;
	if ((m.crt[0x17] & 4) != 0)
		compare *= 2;
	for (unsigned i = 0; i < y; i++) {
		if (i == compare) {
			w.counter = w.row = twice = 0;
			if ((m.attr[0x10] & 0x20) != 0)
				w.pan = w.byte_pan = 0;
			continue;
		}
		if ((m.crt[9] & 0x80) != 0 && (twice ^= 1) != 0)
			continue;
		if (w.row == (m.crt[9] & 31u)) {
			w.row = 0;
			w.counter += 2 * m.crt[0x13];
		} else {
			w.row = (w.row + 1) & 31;
		}
	}
	return w;
}

static unsigned
plane_address(unsigned counter, unsigned row)
{
	unsigned a = counter & 0xffff;

	if ((m.seq[4] & 8) != 0)
		return a;
	if ((m.crt[0x14] & 0x40) != 0)
		a = (a << 2 | a >> 14) & 0xfffc;
	else if ((m.crt[0x17] & 0x40) == 0)
		a = (a << 1 & 0xfffe) | ((m.crt[0x17] & 0x20) != 0 ? a >> 15 & 1 : a >> 13 & 1);
	if ((m.crt[0x17] & 1) == 0)
		a = (a & 0xdfff) | (row & 1) << 13;
	if ((m.crt[0x17] & 2) == 0)
		a = (a & 0xbfff) | (row >> 1 & 1) << 14;
	return a;
}

static uint32_t
dac_color(unsigned n)
{
	uint32_t c = 0;

	for (unsigned k = 0; k < 3; k++)
		c = c << 8 | (m.dac[n][k] * 4 + m.dac[n][k] / 16);
	return c;
}

/* BLINKS: plane 3, after the mask, is another one now. */
static uint32_t
color(unsigned index, bool blinks)
{
	unsigned c = m.attr[(index & m.attr[0x12] & 15) ^ (blinks ? 8 : 0)] & 63;

	if ((m.attr[0x10] & 0x80) != 0)
		c = (c & 15) | (m.attr[0x14] & 3) << 4;
	return dac_color(c | (m.attr[0x14] & 0x0c) << 4);
}

/* The cursor changes every 8 frames, blinking characters every 16; how long a frame takes follows from the CRTC's totals. */
static bool
is_off(unsigned frames)
{
	uint64_t hz = (m.misc >> 2 & 3) == 1 ? 28322000 : 25175000, char_ps = ((m.seq[1] & 1) != 0 ? 8 : 9) * 1000000000000 / hz;
	uint64_t line_ns = (m.crt[0] + 5u) * (char_ps << (m.seq[1] >> 3 & 1)) / 1000;
	uint64_t total = (m.crt[6] | (m.crt[7] & 1) << 8 | (m.crt[7] & 0x20) << 4) + 2;

	return (m.now_ns / (line_ns * total) / frames & 1) != 0;
}

static uint32_t
text_dot(const struct where *w, unsigned x)
{
	unsigned dots = dots_a_char(), col = (x + w->pan) / dots, dot = (x + w->pan) % dots;
	unsigned counter = w->counter + w->byte_pan + col, at = plane_address(counter, w->row);
	uint8_t c = m.plane[0][at], a = m.plane[1][at];
	unsigned map = (a & 8) != 0 ? (m.seq[3] >> 2 & 3) * 2 + (m.seq[3] >> 5 & 1) : (m.seq[3] & 3) * 2 + (m.seq[3] >> 4 & 1);
	uint8_t glyph = m.plane[2][map * 8192 + c * 32 + w->row];
	bool on = dot < 8 ? (glyph & 0x80 >> dot) != 0 : (m.attr[0x10] & 4) != 0 && c >= 0xc0 && c <= 0xdf && (glyph & 1) != 0;
	unsigned cursor = (m.crt[0xe] << 8 | m.crt[0xf]) + (m.crt[0xb] >> 5 & 3), back = a >> 4;

	if ((a & 7) == 1 && w->row == (m.crt[0x14] & 31u))
		on = true;
	if ((m.attr[0x10] & 8) != 0) {
		back &= 7;
		if ((a & 0x80) != 0 && is_off(16))
			on = false;
	}
	if (((counter ^ cursor) & 0xffff) == 0 && (m.crt[0xa] & 0x20) == 0 && w->row >= (m.crt[0xa] & 31u) && w->row <= (m.crt[0xb] & 31u) &&
		!is_off(8))
		on = true;
	return color(on ? a & 15 : back, false);
}

static uint32_t
graphics_dot(const struct where *w, unsigned x)
{
	unsigned col = (x + w->pan) / 8, dot = (x + w->pan) % 8, at = plane_address(w->counter + w->byte_pan + col, w->row), index = 0;
	bool blinks = (m.attr[0x10] & 8) != 0 && is_off(16);

	if ((m.gfx[5] & 0x40) != 0)
		return dac_color(m.plane[dot / 2][at]);
	if ((m.gfx[5] & 0x20) != 0) {
		unsigned shift = 6 - dot % 4 * 2;

		return color((m.plane[dot / 4][at] >> shift & 3) | (m.plane[dot / 4 + 2][at] >> shift & 3) << 2, blinks);
	}
	for (unsigned p = 0; p < 4; p++)
		index |= (m.plane[p][at] >> (7 - dot) & 1u) << p;
	return color(index, blinks);
}

static void
compare_picture(const char *what)
{
	const struct surface *s = rig_update(&rig);
	bool wide = (m.seq[1] & 8) != 0;

	ck_assert_uint_eq(s->width, (m.crt[1] + 1u) * dots_a_char() * (wide ? 2 : 1));
	ck_assert_uint_eq(s->height, lines());
	for (unsigned y = 0; y < s->height; y++) {
		struct where w = line_at(y);

		for (unsigned x = 0; x < s->width; x++) {
			unsigned dot = wide ? x / 2 : x;
			uint32_t want = (m.gfx[6] & 1) != 0 ? graphics_dot(&w, dot) : text_dot(&w, dot), got = s->pixels[y * s->width + x];

			if (got != want)
				ck_abort_msg("%s: dot %u,%u is %06x, not %06x", what, x, y, got, want);
		}
	}
}

static void
advance(uint64_t ns)
{
	m.now_ns += ns;
	clock_advance(rig.clock, ns);
}

/* ---- modes ---- */

struct mode {
	const char *name;
	uint8_t number, seq[4], misc, crt[25], gfx[9], attr_mode, planes;
	unsigned window, bytes;
};

#define TIMING_80 0x5f, 0x4f, 0x50, 0x82
static const struct mode modes[] = {
	{ "text 40x25", 0x01, { 0x08, 0x03, 0x00, 0x02 }, 0x67, { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0xa0, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x14, 0x1f, 0x96, 0xb9, 0xa3, 0xff }, { 0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff }, 0x0c, 0x0f, 0x18000, 0x8000 },
	{ "text 80x25", 0x03, { 0x00, 0x03, 0x00, 0x02 }, 0x67, { TIMING_80, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff }, { 0, 0, 0, 0, 0, 0x10, 0x0e, 0x00, 0xff }, 0x0c, 0x0f, 0x18000, 0x8000 },
	{ "text 80x25, monochrome", 0x07, { 0x00, 0x03, 0x00, 0x02 }, 0x66, { TIMING_80, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x28, 0x0f, 0x96, 0xb9, 0xa3, 0xff }, { 0, 0, 0, 0, 0, 0x10, 0x0a, 0x00, 0xff }, 0x0e, 0x0f, 0x10000, 0x8000 },
	{ "320x200x4", 0x04, { 0x09, 0x03, 0x00, 0x02 }, 0x63, { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xa2, 0xff }, { 0, 0, 0, 0, 0, 0x30, 0x0f, 0x00, 0xff }, 0x01, 0x03, 0x18000, 0x4000 },
	{ "640x200x2", 0x06, { 0x01, 0x01, 0x00, 0x06 }, 0x63, { TIMING_80, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc1, 0, 0, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xc2, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x0d, 0x00, 0xff }, 0x01, 0x01, 0x18000, 0x4000 },
	{ "320x200x16", 0x0d, { 0x09, 0x0f, 0x00, 0x06 }, 0x63, { 0x2d, 0x27, 0x28, 0x90, 0x2b, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0, 0, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x14, 0x00, 0x96, 0xb9, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff }, 0x01, 0x0f, 0, 0x8000 },
	{ "640x200x16", 0x0e, { 0x01, 0x0f, 0x00, 0x06 }, 0x63, { TIMING_80, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0xc0, 0, 0, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x28, 0x00, 0x96, 0xb9, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff }, 0x01, 0x0f, 0, 0x10000 },
	{ "640x350, monochrome", 0x0f, { 0x01, 0x0f, 0x00, 0x06 }, 0xa2, { TIMING_80, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
	  0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x05, 0xff }, 0x0b, 0x05, 0, 0x10000 },
	{ "640x350x16", 0x10, { 0x01, 0x0f, 0x00, 0x06 }, 0xa3, { TIMING_80, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
	  0x83, 0x85, 0x5d, 0x28, 0x0f, 0x63, 0xba, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff }, 0x01, 0x0f, 0, 0x10000 },
	{ "640x480x2", 0x11, { 0x01, 0x0f, 0x00, 0x06 }, 0xe3, { TIMING_80, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
	  0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xc3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x01, 0xff }, 0x01, 0x0f, 0, 0x10000 },
	{ "640x480x16", 0x12, { 0x01, 0x0f, 0x00, 0x06 }, 0xe3, { TIMING_80, 0x54, 0x80, 0x0b, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
	  0xea, 0x8c, 0xdf, 0x28, 0x00, 0xe7, 0x04, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff }, 0x01, 0x0f, 0, 0x10000 },
	{ "320x200x256", 0x13, { 0x01, 0x0f, 0x00, 0x0e }, 0x63, { TIMING_80, 0x54, 0x80, 0xbf, 0x1f, 0x00, 0x41, 0, 0, 0, 0, 0, 0,
	  0x9c, 0x8e, 0x8f, 0x28, 0x40, 0x96, 0xb9, 0xa3, 0xff }, { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff }, 0x41, 0x0f, 0, 0x10000 },
	{ "320x240x256, mode X", 0x58, { 0x01, 0x0f, 0x00, 0x06 }, 0xe3, { TIMING_80, 0x54, 0x80, 0x0d, 0x3e, 0x00, 0x41, 0, 0, 0, 0, 0, 0,
	  0xea, 0xac, 0xdf, 0x28, 0x00, 0xe7, 0x06, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff }, 0x41, 0x0f, 0, 0x10000 },
	{ "360x480x256, mode X", 0x59, { 0x01, 0x0f, 0x00, 0x06 }, 0xe7, { 0x6b, 0x59, 0x5a, 0x8e, 0x5e, 0x8a, 0x0d, 0x3e, 0x00, 0x40, 0, 0, 0, 0, 0, 0,
	  0xea, 0xac, 0xdf, 0x2d, 0x00, 0xe7, 0x06, 0xe3, 0xff }, { 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff }, 0x41, 0x0f, 0, 0x10000 },
};

static void
set_registers(const struct mode *d)
{
	rig_out(&rig, 0x3c2, m.misc = d->misc);
	for (unsigned i = 0; i < 4; i++)
		seq(i + 1, d->seq[i]);
	crt(0x11, 0);
	for (unsigned i = 0; i < 25; i++)
		crt(i, i == 0x11 ? d->crt[i] & 0x7f : d->crt[i]);
	for (unsigned i = 0; i < 9; i++)
		gfx(i, d->gfx[i]);
	for (unsigned i = 0; i < 16; i++)
		attr(i, i == 6 ? 0x14 : i < 8 ? i : i + 0x30);
	attr(0x10, d->attr_mode);
	attr(0x11, 0);
	attr(0x12, d->planes);
	attr(0x13, dots_a_char() == 9 ? 8 : 0);
	attr(0x14, 0);
}

/* 64 EGA colours, then a wheel. */
static void
set_palette(void)
{
	for (unsigned i = 0; i < 256; i++) {
		if (i < 64)
			dac(i, 42 * (i >> 2 & 1) + 21 * (i >> 5 & 1), 42 * (i >> 1 & 1) + 21 * (i >> 4 & 1), 42 * (i & 1) + 21 * (i >> 3 & 1));
		else
			dac(i, i * 5, i * 3 + 20, 63 - i);
	}
}

/* Fonts in maps 0 to 7: made up, each another one. */
static void
set_fonts(uint32_t *seed)
{
	uint8_t map = m.seq[2], memory = m.seq[4], mode = m.gfx[5], misc = m.gfx[6];

	seq(2, 4);
	seq(4, 6);
	gfx(5, 0);
	gfx(6, 4);
	for (unsigned i = 0; i < 65536; i++)
		poke(i, i % 32 < 16 ? rig_random(seed) & rig_random(seed) : 0);
	seq(2, map);
	seq(4, memory);
	gfx(5, mode);
	gfx(6, misc);
}

static void
fill(const struct mode *d, uint32_t *seed)
{
	if ((d->gfx[6] & 1) == 0)
		set_fonts(seed);
	for (unsigned p = 0; p < 4; p++) {
		seq(2, (d->seq[3] & 12) == 4 ? 1u << p : d->seq[1]);
		for (unsigned i = 0; i < d->bytes; i++)
			poke(d->window + i, (rig_random(seed) & 3) != 0 ? i * (p + 3) >> 4 : rig_random(seed));
	}
	seq(2, d->seq[1]);
}

static void
save_picture(const struct mode *d)
{
	const char *folder = getenv("VGA_MODEL_PICTURES");
	struct err e = { "" };
	char path[256];

	if (folder == NULL)
		return;
	snprintf(path, sizeof(path), "%s/mode_%02x.png", folder, d->number);
	ck_assert(surface_save(rig_update(&rig), path, &e));
}

/* ---- the tests ---- */

static void
setup(void)
{
	memset(&m, 0, sizeof(m));
	rig_open(&rig, vga_new, 16, 2);
}

static void
teardown(void)
{
	rig_close(&rig);
}

START_TEST(test_modes)
{
	const struct mode *d = &modes[_i];
	uint32_t seed = 1 + _i;

	set_palette();
	set_registers(d);
	fill(d, &seed);
	compare_picture(d->name);
	save_picture(d);
	/* What is written afterwards is seen too. */
	for (unsigned n = 0; n < 6; n++) {
		for (unsigned i = 0; i < 12; i++)
			poke(d->window + rig_random(&seed) % d->bytes, rig_random(&seed));
		advance(n * 50000000);
		compare_picture(d->name);
	}
	rig.told_dots = 0;
	rig_update(&rig);
	ck_assert_uint_eq(rig.told_dots, 0);
}
END_TEST

/* What programs do to a mode: one thing after the other. */
static void
tweak(const struct mode *d, uint32_t *seed)
{
	unsigned r = rig_random(seed);

	switch (r >> 8 & 15) {
	case 0:
		crt(0xc, r >> 16 & 0x3f);
		break;
	case 1:
		crt(0xd, r >> 16);
		break;
	case 2:
		crt(8, r >> 16 & 0x7f);
		break;
	case 3:
		attr(0x13, r >> 16 & 15);
		break;
	case 4: /* the split line is in three registers */
		crt(0x18, r >> 16);
		crt(7, (d->crt[7] & ~0x10) | (r >> 24 & 0x10));
		crt(9, (m.crt[9] & ~0x40) | (r >> 25 & 0x40));
		break;
	case 5:
		attr(0x10, d->attr_mode ^ (r >> 16 & 0xac));
		break;
	case 6:
		crt(0x13, r >> 16 & 0x7f);
		break;
	case 7:
		crt(0xa, r >> 16 & 0x3f);
		crt(0xb, r >> 24 & 0x7f);
		break;
	case 8:
		crt(0xe, 0);
		crt(0xf, r >> 16);
		break;
	case 9:
		attr(r >> 16 & 15, r >> 24 & 63);
		break;
	case 10:
		dac(r & 0xff, r >> 8, r >> 14, r >> 20);
		break;
	case 11:
		seq(3, r >> 16 & 0x3f);
		break;
	case 12:
		crt(0x14, (d->crt[0x14] & 0x60) | (r >> 16 & 0x1f));
		break;
	case 13:
		attr(0x12, r >> 16 & 15);
		attr(0x14, r >> 24 & 15);
		break;
	case 14:
		seq(1, d->seq[0] ^ (r >> 16 & 8));
		break;
	default:
		crt(9, (m.crt[9] & 0x40) | (r >> 16 & 0x9f));
		break;
	}
}

START_TEST(test_tweaks)
{
	const struct mode *d = &modes[_i];
	uint32_t seed = 1000 + _i;

	set_palette();
	set_registers(d);
	fill(d, &seed);
	for (unsigned n = 0; n < 40; n++) {
		for (unsigned i = 0; i < 1 + n % 3; i++)
			tweak(d, &seed);
		for (unsigned i = 0; i < n % 4; i++)
			poke(d->window + rig_random(&seed) % d->bytes, rig_random(&seed));
		/* The start address holds from the next retrace on. */
		advance(60000000 + n % 5 * 40000000);
		compare_picture(d->name);
	}
}
END_TEST

/* Accesses of the window under any setting of the registers that they depend on. */
START_TEST(test_window)
{
	uint32_t seed = 77;
	bool same = true;

	set_registers(&modes[10]);
	for (unsigned n = 0; n < 200000; n++) {
		unsigned r = rig_random(&seed), offset = (r >> 7 & 0x3f) | (r >> 5 & 0x18000);

		switch (r & 31) {
		case 0:
			gfx(r >> 20 & 3, r >> 24 & ((r >> 20 & 3) == 3 ? 0x1f : 0x0f));
			break;
		case 1:
			gfx(5, r >> 24 & 0x1b);
			break;
		case 2:
			gfx(8, r >> 24);
			break;
		case 3:
			gfx(4, r >> 24 & 3);
			gfx(7, r >> 26 & 15);
			break;
		case 4:
			seq(2, r >> 24 & 15);
			break;
		case 5: /* chained memory has other places here: all the test through, or not at all */
			seq(4, r >> 24 & 6);
			break;
		case 6:
			gfx(6, r >> 24 & 0x0c);
			break;
		case 7:
			rig_out(&rig, 0x3c2, m.misc = 0xe1 | (r >> 28 != 0 ? 2 : 0));
			break;
		default:
			if ((r & 0x40) != 0)
				poke(offset, r >> 24);
			else
				same &= space_read(rig.mem, 0xa0000 + offset, 1, false) == peek(offset);
		}
	}
	ck_assert(same);
}
END_TEST

/* Wider accesses are bytes one after the other. */
START_TEST(test_wide)
{
	set_registers(&modes[10]);
	space_write(rig.mem, 0xa0010, 0x8877665544332211, 8, false);
	for (unsigned i = 0; i < 8; i++)
		ck_assert_uint_eq(space_read(rig.mem, 0xa0010 + i, 1, false), 0x11 * (i + 1));
	ck_assert_uint_eq(space_read(rig.mem, 0xa0010, 8, false), 0x8877665544332211);
}
END_TEST

/* The screen that is switched off shows the border's colour, or black when the sequencer did it. */
START_TEST(test_blank)
{
	const struct surface *s;

	set_palette();
	set_registers(&modes[10]);
	rig_update(&rig);
	attr(0x11, 5);
	rig_in(&rig, 0x3da);
	rig_out(&rig, 0x3c0, 0);
	s = rig_update(&rig);
	ck_assert_uint_eq(s->width, 640);
	ck_assert_uint_eq(s->pixels[1000], dac_color(5));
	seq(1, 0x21);
	s = rig_update(&rig);
	ck_assert_uint_eq(s->pixels[1000], 0);
	attr(0x11, 0);
	seq(1, 0x01);
	compare_picture("shown again");
}
END_TEST

/* The address of the next frame is not seen in this one, and not by halves. */
START_TEST(test_start_latch)
{
	uint32_t seed = 5;

	set_palette();
	set_registers(&modes[10]);
	fill(&modes[10], &seed);
	advance(17000000);
	compare_picture("before");
	rig_set(&rig, 0x3d4, 0xc, 0x20);
	compare_picture("half of it");
	rig_set(&rig, 0x3d4, 0xd, 0x40);
	compare_picture("all of it");
	advance(17000000);
	m.crt[0xc] = 0x20;
	m.crt[0xd] = 0x40;
	compare_picture("the next frame");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("vga by a model");
	TCase *t = tcase_create("vga by a model");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, test_modes, 0, ARRAY_SIZE(modes));
	tcase_add_loop_test(t, test_tweaks, 0, ARRAY_SIZE(modes));
	tcase_add_test(t, test_window);
	tcase_add_test(t, test_wide);
	tcase_add_test(t, test_blank);
	tcase_add_test(t, test_start_latch);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
