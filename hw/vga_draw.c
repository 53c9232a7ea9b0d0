/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA's picture, scan line by scan line as the CRTC counts them: IBM's "PS/2 Hardware Interface Technical Reference",
 * sections "CRT Controller" and "Attribute Controller".  Modes with half the dots (320 pixels) are shown with each dot twice,
 * and double-scanned lines twice, as on a monitor: every standard mode is 640 or 720 pixels wide.
 *
 * An update draws everything and compares each line with the surface.  That costs a millisecond for a large mode when
 * someone looks, and nothing when nobody does; the guest's writes cost nothing, where dirty bits would slow each first one.
 */
#include "hw/vga.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdlib.h>

enum {
	MODE_GRAPHICS = 0x01, MODE_LINE_GRAPHICS = 0x04, MODE_BLINK = 0x08, MODE_PAN_COMPATIBLE = 0x20, MODE_COLOR_SELECT = 0x80,
	GFX_SHIFT_INTERLEAVED = 0x20, GFX_SHIFT_256 = 0x40,
	PLANE_MASK = VGA_VRAM_BYTES / 4 - 1,
	LINE_DOTS = 257 * 18 + 64, /* the most that a line can have, with one character to pan in and dots doubled */
	MAX_COLUMNS = 256, MAX_ROWS = 512,
};

/* What stays the same for a frame. */
struct frame {
	const struct vga *v;
	uint32_t palette[256];  /* of the DAC, mask applied */
	uint32_t colors[16];    /* through the attribute controller */
	unsigned chars, dots;   /* characters a line, dots each */
	unsigned width, height;
	bool text, doubled;
	bool cursor_on, blink_on;
	unsigned cursor;
};

static uint32_t
dac_color(const struct vga *v, unsigned n)
{
	const uint8_t *c = &v->state.dac[3 * n];
	bool wide = (v->state.vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0;
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++)
		rgb = rgb << 8 | (wide ? c[i] : (c[i] & 0x3f) << 2 | (c[i] >> 4 & 3));
	return rgb;
}

static void
make_palette(struct frame *f)
{
	const uint8_t *attr = f->v->state.attr, select = attr[ATTR_COLOR];

	for (unsigned i = 0; i < 256; i++)
		f->palette[i] = dac_color(f->v, i & f->v->state.dac_mask);
	for (unsigned i = 0; i < 16; i++) {
		unsigned c = attr[i & attr[ATTR_PLANES]] & 0x3f;

		if ((attr[ATTR_MODE] & MODE_COLOR_SELECT) != 0)
			c = (c & 0x0f) | (select & 3) << 4;
		f->colors[i] = f->palette[c | (select & 0x0c) << 4];
	}
}

/* The byte of a plane that the address counter stands for: byte, word or doubleword mode, and CGA's and Hercules' banks. */
static uint32_t
display_address(const struct vga *v, uint32_t counter, unsigned row)
{
	const uint8_t *crt = v->state.crt, mode = crt[CRT_MODE];
	uint32_t a = counter & 0xffff;

	if ((v->state.seq[SEQ_MEMORY_MODE] & 0x08) != 0)
		a = counter & PLANE_MASK; /* chain-4 memory has no gaps here, see vga_mem.c */
	else if ((crt[CRT_UNDERLINE] & 0x40) != 0)
		a = a << 2 | (a >> 12 & 3);
	else if ((mode & 0x40) == 0)
		a = a << 1 | (a >> ((mode & 0x20) != 0 ? 15 : 13) & 1);
	if ((mode & 0x01) == 0)
		a = (a & ~0x2000u) | (row & 1) << 13;
	if ((mode & 0x02) == 0)
		a = (a & ~0x4000u) | (row & 2) << 13;
	return (v->state.seq[SEQ_MEMORY_MODE] & 0x08) != 0 ? a : a & 0xffff;
}

/* ---- text ---- */

/* Where in plane 2 the font of a character map begins. */
static unsigned
font_base(const struct vga *v, bool map_a)
{
	uint8_t select = v->state.seq[SEQ_CHAR_MAP];
	unsigned low = map_a ? select >> 2 & 3 : select & 3, high = map_a ? select >> 5 & 1 : select >> 4 & 1;

	return low << 14 | high << 13;
}

/* Dots of ROW of a character, the leftmost in bit 8 (nine dots). */
static unsigned
glyph_row(const struct frame *f, uint8_t code, uint8_t attribute, unsigned row)
{
	const struct vga *v = f->v;
	unsigned at = font_base(v, (attribute & 0x08) != 0) + code * 32 + (row & 31);
	unsigned dots = v->vram[4 * (size_t)(at & 0xffff) + 2] << 1;

	if ((code & 0xe0) == 0xc0 && (v->state.attr[ATTR_MODE] & MODE_LINE_GRAPHICS) != 0)
		dots |= dots >> 1 & 1;
	return dots;
}

static bool
cursor_covers(const struct frame *f, unsigned row)
{
	const uint8_t *crt = f->v->state.crt;
	unsigned first = crt[CRT_CURSOR_START] & 0x1f, last = crt[CRT_CURSOR_END] & 0x1f;

	return (crt[CRT_CURSOR_START] & 0x20) == 0 && row >= first && row <= last;
}

static uint32_t *
draw_text_char(const struct frame *f, uint32_t *out, uint32_t counter, unsigned row, bool cursor_row)
{
	const struct vga *v = f->v;
	const uint8_t *cell = v->vram + 4 * (size_t)display_address(v, counter, row);
	uint8_t code = cell[0], attribute = cell[1];
	unsigned fore = attribute & 15, back = attribute >> 4, dots = glyph_row(f, code, attribute, row);

	if ((attribute & 7) == 1 && row == (v->state.crt[CRT_UNDERLINE] & 0x1fu))
		dots = 0x1ff;
	if ((v->state.attr[ATTR_MODE] & MODE_BLINK) != 0) {
		back &= 7;
		if ((attribute & 0x80) != 0 && !f->blink_on)
			dots = 0;
	}
	if (cursor_row && counter == f->cursor)
		dots = 0x1ff;
	for (unsigned i = 0; i < f->dots; i++)
		*out++ = f->colors[(dots >> (8 - i) & 1) != 0 ? fore : back];
	return out;
}

/* ---- graphics ---- */

/* Eight dots of four planes. */
static uint32_t *
draw_planar(const struct frame *f, uint32_t *out, const uint8_t *planes)
{
	for (int bit = 7; bit >= 0; bit--) {
		unsigned c = (planes[0] >> bit & 1) | (planes[1] >> bit & 1) << 1 | (planes[2] >> bit & 1) << 2 | (planes[3] >> bit & 1) << 3;

		*out++ = f->colors[c];
	}
	return out;
}

/* CGA's two bits a dot: planes 0 and 2 hold the first four dots, 1 and 3 the rest. */
static uint32_t *
draw_interleaved(const struct frame *f, uint32_t *out, const uint8_t *planes)
{
	for (unsigned half = 0; half < 2; half++) {
		for (int bit = 6; bit >= 0; bit -= 2)
			*out++ = f->colors[(planes[half] >> bit & 3) | (planes[half + 2] >> bit & 3) << 2];
	}
	return out;
}

static uint32_t *
draw_256(const struct frame *f, uint32_t *out, const uint8_t *planes)
{
	for (unsigned i = 0; i < 4; i++) {
		out[0] = out[1] = f->palette[planes[i]];
		out += 2;
	}
	return out;
}

static uint32_t *
draw_graphics_char(const struct frame *f, uint32_t *out, uint32_t counter, unsigned row)
{
	const uint8_t *planes = f->v->vram + 4 * (size_t)display_address(f->v, counter, row);
	uint8_t mode = f->v->state.gfx[GFX_MODE];

	if ((mode & GFX_SHIFT_256) != 0)
		return draw_256(f, out, planes);
	if ((mode & GFX_SHIFT_INTERLEAVED) != 0)
		return draw_interleaved(f, out, planes);
	return draw_planar(f, out, planes);
}

/* ---- lines ---- */

static void
double_dots(uint32_t *line, unsigned count)
{
	for (unsigned i = count; i-- > 0;)
		line[2 * i] = line[2 * i + 1] = line[i];
}

/* How many dots the line is moved to the left. */
static unsigned
pan_dots(const struct frame *f)
{
	unsigned pan = f->v->state.attr[ATTR_PAN] & 15;

	if (f->text && f->dots == 9)
		return pan >= 8 ? 0 : pan + 1;
	return pan & 7; /* 256-colour modes count halves of their dots too */
}

/* Draws one scan line and returns its first pixel. */
static const uint32_t *
draw_line(const struct frame *f, uint32_t *line, uint32_t counter, unsigned row, unsigned pan)
{
	bool cursor_row = f->text && f->cursor_on && cursor_covers(f, row);
	unsigned slow = (f->v->state.crt[CRT_MODE] & 0x08) != 0 ? 1 : 0;
	uint32_t *out = line;

	slow = (f->v->state.crt[CRT_UNDERLINE] & 0x20) != 0 ? 2 : slow;
	for (unsigned i = 0; i <= f->chars; i++) {
		if (f->text)
			out = draw_text_char(f, out, counter + (i >> slow), row, cursor_row);
		else
			out = draw_graphics_char(f, out, counter + (i >> slow), row);
	}
	if (!f->doubled)
		return line + pan;
	double_dots(line, out - line);
	return line + 2 * pan;
}

/* Stores the line; was it another one? */
static bool
store_line(struct vga *v, unsigned y, const uint32_t *line)
{
	struct surface *s = &v->surface;
	uint32_t *to = s->pixels + (size_t)y * s->width;

	if (memcmp(to, line, 4ul * s->width) == 0)
		return false;
	memcpy(to, line, 4ul * s->width);
	return true;
}

/* Lines that changed, put together to rectangles of whole lines. */
struct damage {
	struct vga *v;
	unsigned first, end;
};

static void
damage_flush(struct damage *d)
{
	if (d->end > d->first)
		display_damage(&d->v->display, 0, d->first, d->v->surface.width, d->end - d->first);
	d->first = d->end = 0;
}

static void
damage_line(struct damage *d, unsigned y)
{
	if (d->end != y || d->end == d->first) {
		damage_flush(d);
		d->first = y;
	}
	d->end = y + 1;
}

static void
show_line(struct damage *d, unsigned y, const uint32_t *line)
{
	if (store_line(d->v, y, line) || d->v->redraw)
		damage_line(d, y);
}

/* The surface has these dimensions; new ones begin black. */
static void
resize(struct vga *v, unsigned width, unsigned height)
{
	size_t bytes = 4ul * width * height;

	if (v->surface.pixels != NULL && v->surface.width == width && v->surface.height == height)
		return;
	if (bytes > v->surface_bytes || bytes < v->surface_bytes / 4) {
		free(v->surface.pixels);
		v->surface.pixels = xcalloc(1, bytes);
		v->surface_bytes = bytes;
	}
	memset(v->surface.pixels, 0, bytes);
	v->surface.width = width;
	v->surface.height = height;
	v->surface.stride = 4 * width;
	v->redraw = true;
	display_resized(&v->display, &v->surface);
}

static uint32_t *
line_buffer(struct vga *v)
{
	if (v->line == NULL)
		v->line = xcalloc(MAX(LINE_DOTS, VBE_MAX_WIDTH + 8), 4);
	return v->line;
}

/* ---- frames ---- */

/* The CRTC's counters down the screen: double scan, row scan, split screen. */
static void
draw_frame(const struct frame *f, struct damage *d)
{
	const uint8_t *crt = f->v->state.crt;
	unsigned rows = (crt[CRT_MAX_SCAN] & 0x1f) + 1u, repeat = (crt[CRT_MAX_SCAN] & 0x80) != 0 ? 2 : 1, scan = 0;
	unsigned row = crt[CRT_PRESET_ROW] & 0x1f, split = vga_line_compare(f->v), pan = pan_dots(f), pitch = crt[CRT_OFFSET] * 2u;
	uint32_t counter = (crt[CRT_START_HIGH] << 8 | crt[CRT_START_LOW]) + (crt[CRT_PRESET_ROW] >> 5 & 3);

	for (unsigned y = 0; y < f->height; y++) {
		show_line(d, y, draw_line(f, d->v->line, counter, row, pan));
		if (y == split) {
			counter = row = scan = 0;
			if ((f->v->state.attr[ATTR_MODE] & MODE_PAN_COMPATIBLE) != 0)
				pan = 0;
		} else if (++scan == repeat) {
			scan = 0;
			row = (row + 1) & 31;
			if (row == rows % 32) {
				row = 0;
				counter += pitch;
			}
		}
	}
}

static void
draw_vga(struct vga *v, struct damage *d)
{
	const uint8_t *crt = v->state.crt, clocking = v->state.seq[SEQ_CLOCKING];
	struct vga_beam beam = vga_beam(v);
	struct frame f = { .v = v, .chars = crt[CRT_H_DISPLAY] + 1u, .height = vga_lines(v) };

	f.text = (v->state.gfx[GFX_MISC] & 1) == 0;
	f.dots = f.text && (clocking & 1) == 0 ? 9 : 8;
	f.doubled = (clocking & 8) != 0;
	f.width = f.chars * f.dots * (f.doubled ? 2 : 1);
	f.cursor = crt[CRT_CURSOR_HIGH] << 8 | crt[CRT_CURSOR_LOW];
	f.cursor_on = (beam.frame & 8) == 0;
	f.blink_on = (beam.frame & 16) == 0;
	make_palette(&f);
	resize(v, f.width, f.height);
	draw_frame(&f, d);
}

/* One line of a packed VBE mode to pixels. */
static void
unpack(const struct frame *f, unsigned bpp, const uint8_t *from, uint32_t *to, unsigned width)
{
	bool big = f->v->state.big_endian;

	for (unsigned x = 0; x < width; x++) {
		uint32_t c;

		switch (bpp) {
		case 8:
			to[x] = f->palette[from[x]];
			break;
		case 15:
			c = big ? from[2 * x] << 8 | from[2 * x + 1] : from[2 * x] | from[2 * x + 1] << 8;
			to[x] = (c >> 7 & 0xf8) << 16 | (c >> 12 & 7) << 16 | (c >> 2 & 0xf8) << 8 | (c >> 7 & 7) << 8 |
				(c << 3 & 0xf8) | (c >> 2 & 7);
			break;
		case 16:
			c = big ? from[2 * x] << 8 | from[2 * x + 1] : from[2 * x] | from[2 * x + 1] << 8;
			to[x] = (c >> 8 & 0xf8) << 16 | (c >> 13 & 7) << 16 | (c >> 3 & 0xfc) << 8 | (c >> 9 & 3) << 8 |
				(c << 3 & 0xf8) | (c >> 2 & 7);
			break;
		case 24:
			c = load_le(from + 3 * x, 3);
			to[x] = big ? __builtin_bswap32(c) >> 8 : c;
			break;
		default:
			c = load_le(from + 4 * x, 4);
			to[x] = (big ? __builtin_bswap32(c) : c) & 0xffffff;
			break;
		}
	}
}

static void
draw_vbe(struct vga *v, struct damage *d)
{
	const uint16_t *r = v->state.vbe;
	unsigned bpp = r[VBE_BPP], bytes = (bpp + 7) / 8;
	struct frame f = { .v = v };

	make_palette(&f);
	resize(v, r[VBE_XRES], r[VBE_YRES]);
	for (unsigned y = 0; y < r[VBE_YRES]; y++) {
		size_t at = (size_t)(r[VBE_Y_OFFSET] + y) * v->state.vbe_line;
		const uint32_t *line = v->line;

		if (bpp == 4) {
			uint32_t *out = v->line;

			for (unsigned x = 0; x <= r[VBE_XRES] / 8u; x++)
				out = draw_planar(&f, out, v->vram + 4 * ((at + r[VBE_X_OFFSET] / 8 + x) & PLANE_MASK));
			line += r[VBE_X_OFFSET] & 7;
		} else {
			unpack(&f, bpp, v->vram + at + (size_t)r[VBE_X_OFFSET] * bytes, v->line, r[VBE_XRES]);
		}
		show_line(d, y, line);
	}
}

/* The palette doesn't drive the screen, or the sequencer has it off: black, in the dimensions that were. */
static bool
is_blank(const struct vga *v)
{
	return (v->state.attr_index & 0x20) == 0 || (!vga_vbe_on(v) && (v->state.seq[SEQ_CLOCKING] & 0x20) != 0);
}

static void
draw_blank(struct vga *v, struct damage *d)
{
	if (v->surface.pixels == NULL)
		resize(v, 640, 480);
	memset(v->line, 0, 4ul * v->surface.width);
	for (unsigned y = 0; y < v->surface.height; y++)
		show_line(d, y, v->line);
}

const struct surface *
vga_update(void *opaque)
{
	struct vga *v = opaque;
	struct damage d = { .v = v };

	line_buffer(v);
	if (is_blank(v))
		draw_blank(v, &d);
	else if (vga_vbe_on(v))
		draw_vbe(v, &d);
	else
		draw_vga(v, &d);
	damage_flush(&d);
	v->redraw = false;
	return &v->surface;
}

void
vga_invalidate(void *opaque)
{
	struct vga *v = opaque;

	v->redraw = true;
}

const uint16_t *
vga_text(void *opaque, unsigned *columns, unsigned *rows, unsigned *cursor)
{
	struct vga *v = opaque;
	const uint8_t *crt = v->state.crt;
	unsigned height = (crt[CRT_MAX_SCAN] & 0x1f) + 1u, pitch = crt[CRT_OFFSET] * 2u;
	unsigned start = crt[CRT_START_HIGH] << 8 | crt[CRT_START_LOW];

	if (vga_vbe_on(v) || is_blank(v) || (v->state.gfx[GFX_MISC] & 1) != 0)
		return NULL;
	if (v->cells == NULL)
		v->cells = xcalloc(MAX_COLUMNS * MAX_ROWS, sizeof(*v->cells));
	*columns = crt[CRT_H_DISPLAY] + 1u;
	*rows = MIN(MAX(vga_lines(v) / height / ((crt[CRT_MAX_SCAN] & 0x80) != 0 ? 2 : 1), 1), (unsigned)MAX_ROWS);
	for (unsigned y = 0; y < *rows; y++) {
		for (unsigned x = 0; x < *columns; x++) {
			const uint8_t *cell = v->vram + 4 * (size_t)display_address(v, start + y * pitch + x, 0);

			v->cells[y * *columns + x] = cell[0] | cell[1] << 8;
		}
	}
	*cursor = ((crt[CRT_CURSOR_HIGH] << 8 | crt[CRT_CURSOR_LOW]) - start) & 0xffff;
	if (pitch != 0)
		*cursor = *cursor / pitch * *columns + MIN(*cursor % pitch, *columns - 1);
	return v->cells;
}
