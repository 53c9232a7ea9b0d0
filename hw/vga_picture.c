/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the registers of a VGA make of a picture: IBM's "PS/2 Hardware Interface Technical Reference", sections "CRT
 * Controller", "Attribute Controller" and "Video Digital-to-Analog Converter".  Modes with half the dots (320 pixels) are
 * shown with each dot twice, and double-scanned lines twice, as on a monitor: every standard mode is 640 or 720 pixels wide.
 */
#include "hw/vga.h"

#include "base/clock.h"
#include "base/util.h"

static uint32_t
dac_color(const struct vga *v, unsigned n)
{
	const uint8_t *c = &v->state.dac[3 * n];
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++)
		rgb = rgb << 8 | (v->state.dac_wide ? c[i] : (c[i] & 0x3f) << 2 | (c[i] >> 4 & 3));
	return rgb;
}

/* The DAC's entry for colour N of the attribute controller's palette. */
static uint32_t
attribute_color(const struct vga *v, const struct vga_look *l, unsigned n)
{
	const uint8_t *attr = v->state.attr, select = attr[ATTR_COLOR];
	unsigned c = attr[n] & 0x3f;

	if ((attr[ATTR_MODE] & MODE_COLOR_SELECT) != 0)
		c = (c & 0x0f) | (select & 3) << 4;
	return l->palette[c | (select & 0x0c) << 4];
}

/* In graphics modes with blinking, plane 3 is inverted half of the time. */
static void
make_palette(const struct vga *v, struct vga_look *l, bool blink_on)
{
	const uint8_t *attr = v->state.attr;
	bool inverted = l->kind == VGA_PLANAR && (attr[ATTR_MODE] & MODE_BLINK) != 0 && !blink_on;

	for (unsigned i = 0; i < 256; i++)
		l->palette[i] = dac_color(v, i & v->state.dac_mask);
	for (unsigned i = 0; i < 16; i++)
		l->colors[i] = attribute_color(v, l, (i & attr[ATTR_PLANES]) ^ (inverted ? 8 : 0));
	l->border = l->palette[attr[ATTR_OVERSCAN]];
}

/* Where in plane 2 the font of a character map begins. */
static unsigned
font_base(const struct vga *v, bool map_a)
{
	uint8_t select = v->state.seq[SEQ_CHAR_MAP];
	unsigned low = map_a ? select >> 2 & 3 : select & 3, high = map_a ? select >> 5 & 1 : select >> 4 & 1;

	return low << 14 | high << 13;
}

/* How many dots lines are moved to the left. */
static unsigned
pan_dots(const struct vga *v, const struct vga_look *l)
{
	unsigned pan = v->state.attr[ATTR_PAN] & 15;

	if (l->kind == VGA_TEXT && l->dots == 9)
		return pan >= 8 ? 0 : pan + 1;
	return pan & 7; /* 256-colour modes count halves of their dots too */
}

/* The palette doesn't drive the screen, or the sequencer has it off. */
static uint32_t
kind_of(const struct vga *v)
{
	if ((v->state.attr_index & 0x20) == 0 || (v->state.seq[SEQ_CLOCKING] & 0x20) != 0)
		return VGA_BLANK;
	return (v->state.gfx[GFX_MISC] & 1) != 0 ? VGA_PLANAR : VGA_TEXT;
}

static void
describe(const struct vga *v, struct vga_look *l)
{
	const uint8_t *crt = v->state.crt, clocking = v->state.seq[SEQ_CLOCKING];

	l->kind = kind_of(v);
	l->chars = crt[CRT_H_DISPLAY] + 1u;
	l->dots = l->kind == VGA_TEXT && (clocking & 1) == 0 ? 9 : 8;
	l->doubled = (clocking & 8) != 0;
	l->width = l->chars * l->dots * (l->doubled ? 2 : 1);
	l->height = vga_lines(v);
	l->pitch = crt[CRT_OFFSET] * 2u;
	l->split = vga_line_compare(v);
	l->rows = (crt[CRT_MAX_SCAN] & 0x1f) + 1u;
	l->repeat = (crt[CRT_MAX_SCAN] & 0x80) != 0 ? 2 : 1;
	l->preset_row = crt[CRT_PRESET_ROW] & 0x1f;
	l->byte_pan = crt[CRT_PRESET_ROW] >> 5 & 3;
	l->pan = pan_dots(v, l);
	l->crt_mode = crt[CRT_MODE];
	l->underline = crt[CRT_UNDERLINE];
	l->attr_mode = v->state.attr[ATTR_MODE];
	l->gfx_mode = v->state.gfx[GFX_MODE];
	l->straight = (v->state.seq[SEQ_MEMORY_MODE] & MEMORY_CHAIN4) != 0;
	l->font[0] = font_base(v, false);
	l->font[1] = font_base(v, true);
}

void
vga_picture(const struct vga *v, struct vga_picture *p)
{
	const uint8_t *crt = v->state.crt;
	struct vga_beam beam = vga_beam(v);

	memset(p, 0, sizeof(*p));
	p->blink_on = (beam.frame & 16) == 0;
	describe(v, &p->look);
	make_palette(v, &p->look, p->blink_on);
	if (p->look.kind == VGA_BLANK && (v->state.seq[SEQ_CLOCKING] & 0x20) != 0)
		p->look.border = 0;
	p->start = clock_now(v->clock) < v->state.start_at_ns ? v->state.start_shown :
		(uint32_t)(crt[CRT_START_HIGH] << 8 | crt[CRT_START_LOW]);
	p->cursor = (crt[CRT_CURSOR_HIGH] << 8 | crt[CRT_CURSOR_LOW]) + (crt[CRT_CURSOR_END] >> 5 & 3);
	p->cursor_first = crt[CRT_CURSOR_START] & 0x1f;
	p->cursor_last = crt[CRT_CURSOR_END] & 0x1f;
	p->cursor_on = (beam.frame & 8) == 0 && (crt[CRT_CURSOR_START] & 0x20) == 0;
	if (v->ops->picture != NULL)
		v->ops->picture(v, p);
}

uint32_t
vga_display_address(const struct vga *v, const struct vga_look *l, uint32_t counter, unsigned row)
{
	uint32_t a = counter & 0xffff, planes = v->vram_bytes / 4 - 1;

	if (l->straight)
		a = counter & planes; /* chain-4 memory has no gaps here, see vga_mem.c */
	else if ((l->underline & 0x40) != 0)
		a = a << 2 | (a >> 12 & 3);
	else if ((l->crt_mode & 0x40) == 0)
		a = a << 1 | (a >> ((l->crt_mode & 0x20) != 0 ? 15 : 13) & 1);
	if ((l->crt_mode & 0x01) == 0)
		a = (a & ~0x2000u) | (row & 1) << 13;
	if ((l->crt_mode & 0x02) == 0)
		a = (a & ~0x4000u) | (row & 2) << 13;
	return l->straight ? a & planes : a & 0xffff;
}

/* ---- the counters ---- */

void
vga_scan_begin(const struct vga_picture *p, struct vga_scan *s)
{
	*s = (struct vga_scan){ p->start, p->look.preset_row, 0, p->look.pan, p->look.byte_pan };
}

/* A split screen begins at address 0; panning ends there, where it is compatible. */
bool
vga_scan_next(const struct vga_picture *p, struct vga_scan *s, unsigned y)
{
	const struct vga_look *l = &p->look;

	if (y == l->split) {
		s->counter = s->row = s->scan = 0;
		if ((l->attr_mode & MODE_PAN_COMPATIBLE) != 0)
			s->pan = s->byte_pan = 0;
		return true;
	}
	if (++s->scan < l->repeat)
		return false;
	s->scan = 0;
	s->row = (s->row + 1) & 31;
	if (s->row != l->rows % 32)
		return false;
	s->row = 0;
	s->counter += l->pitch;
	return true;
}
