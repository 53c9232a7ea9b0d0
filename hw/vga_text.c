/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text, by its cells: what each shows (character, attribute, cursor, whether it blinks away) is kept as one word, and only
 * cells whose word became another are drawn.  So a screen that scrolls by its start address costs what it looks like, and
 * one that stands still costs nothing.
 */
#include "hw/vga.h"

#include "base/util.h"

#include <limits.h>
#include <stdlib.h>

enum { MAX_ROWS = 512, MAX_ROW_LINES = 64 };

/* A cell's word: character, attribute in bits 15:8, and these. */
enum { CELL_HIDDEN = 1 << 16, CELL_CURSOR = 1 << 17, CELL_CURSOR_FIRST = 18, CELL_CURSOR_LAST = 23 };

/* A row of characters on the screen: LINES scan lines from Y on. */
struct strip {
	struct vga_scan scan; /* of its first line */
	unsigned y, lines;
	uint8_t row[MAX_ROW_LINES]; /* of the font, by line */
	uint32_t *shown;      /* the words of its cells */
};

/* Dots of ROW of a character, the leftmost in bit 8 (nine dots). */
static unsigned
glyph_row(const struct vga *v, const struct vga_look *l, uint8_t code, uint8_t attribute, unsigned row)
{
	unsigned at = l->font[attribute >> 3 & 1] + code * 32 + row;
	unsigned dots = v->vram[4 * (size_t)(at & 0xffff) + 2] << 1;

	if ((code & 0xe0) == 0xc0 && (l->attr_mode & MODE_LINE_GRAPHICS) != 0)
		dots |= dots >> 1 & 1;
	return dots;
}

/* Which dots of the cell are in the foreground. */
static unsigned
cell_dots(const struct vga *v, const struct vga_look *l, uint32_t cell, unsigned row)
{
	uint8_t attribute = cell >> 8;
	unsigned dots = glyph_row(v, l, cell, attribute, row);

	if ((attribute & 7) == 1 && row == (l->underline & 0x1fu))
		dots = 0x1ff;
	if ((cell & CELL_HIDDEN) != 0)
		dots = 0;
	if ((cell & CELL_CURSOR) != 0 && row >= (cell >> CELL_CURSOR_FIRST & 31) && row <= (cell >> CELL_CURSOR_LAST & 31))
		dots = 0x1ff;
	return dots;
}

/* One line of a cell; only the part from LEFT to before WIDTH is on the surface. */
static void
draw_cell_line(const struct vga_look *l, uint32_t *line, int left, unsigned dots, uint32_t fore, uint32_t back)
{
	unsigned step = l->doubled ? 2 : 1;

	for (unsigned i = 0; i < l->dots; i++) {
		uint32_t color = (dots >> (8 - i) & 1) != 0 ? fore : back;

		for (unsigned k = 0; k < step; k++, left++) {
			if (left >= 0 && left < (int)l->width)
				line[left] = color;
		}
	}
}

static void
draw_cell(struct vga *v, const struct vga_look *l, const struct strip *s, int left, uint32_t cell)
{
	unsigned fore = cell >> 8 & 15, back = cell >> 12 & ((l->attr_mode & MODE_BLINK) != 0 ? 7 : 15);

	for (unsigned i = 0; i < s->lines; i++)
		draw_cell_line(l, v->surface.pixels + (size_t)(s->y + i) * v->surface.width, left,
			cell_dots(v, l, cell, s->row[i]), l->colors[fore], l->colors[back]);
}

/* What the cell of COUNTER shows. */
static uint32_t
cell_at(const struct vga *v, const struct vga_picture *p, uint32_t counter, unsigned row)
{
	const uint8_t *bytes = v->vram + 4 * (size_t)vga_display_address(v, &p->look, counter, row);
	uint32_t cell = bytes[0] | bytes[1] << 8;

	if ((p->look.attr_mode & MODE_BLINK) != 0 && (bytes[1] & 0x80) != 0 && !p->blink_on)
		cell |= CELL_HIDDEN;
	if (p->cursor_on && ((counter ^ p->cursor) & 0xffff) == 0)
		cell |= CELL_CURSOR | p->cursor_first << CELL_CURSOR_FIRST | p->cursor_last << CELL_CURSOR_LAST;
	return cell;
}

static void
draw_strip(struct vga *v, const struct vga_picture *p, const struct strip *s, struct vga_damage *d, bool all)
{
	const struct vga_look *l = &p->look;
	unsigned shift = (l->underline & 0x20) != 0 ? 2 : (l->crt_mode & 0x08) != 0 ? 1 : 0;
	int step = l->dots * (l->doubled ? 2 : 1), pan = s->scan.pan * (l->doubled ? 2 : 1);
	int left = l->width, right = 0;

	for (unsigned i = 0; i <= l->chars; i++) {
		uint32_t cell = cell_at(v, p, s->scan.counter + s->scan.byte_pan + (i >> shift), s->scan.row);
		int x = (int)i * step - pan;

		if ((cell == s->shown[i] && !all) || x >= (int)l->width)
			continue;
		s->shown[i] = cell;
		draw_cell(v, l, s, x, cell);
		left = MIN(left, MAX(x, 0));
		right = MAX(right, MIN(x + step, (int)l->width));
	}
	if (left < right)
		vga_damage(d, s->y, s->lines, left, right);
}

void
vga_draw_text(struct vga *v, const struct vga_picture *p, struct vga_damage *d, bool all)
{
	struct vga_scan scan;
	unsigned number = 0;

	if (!all && !v->touched_any && memcmp(p, &v->last, sizeof(*p)) == 0)
		return;
	if (v->shown == NULL)
		v->shown = xcalloc((size_t)VGA_MAX_COLUMNS * VGA_MAX_LINES, sizeof(*v->shown));
	vga_scan_begin(p, &scan);
	for (unsigned y = 0; y < p->look.height; number++) {
		struct strip s = { .scan = scan, .y = y, .shown = v->shown + (size_t)number * VGA_MAX_COLUMNS };
		bool ended;

		do {
			s.row[s.lines++] = scan.row;
			ended = vga_scan_next(p, &scan, y++);
		} while (!ended && s.lines < MAX_ROW_LINES && y < p->look.height);
		draw_strip(v, p, &s, d, all);
	}
}

/* The cursor's cell, whatever half of its blinking it is in. */
static unsigned
cursor_cell(const struct vga *v, const struct vga_picture *p, const struct display_text *t)
{
	unsigned at = (p->cursor - p->start) & 0xffff, pitch = p->look.pitch;

	if (pitch != 0)
		at = at % pitch < t->columns ? at / pitch * t->columns + at % pitch : UINT_MAX;
	return (v->state.crt[CRT_CURSOR_START] & 0x20) == 0 && at < t->columns * t->rows ? at : UINT_MAX;
}

void
vga_text(void *opaque, struct display_text *t)
{
	struct vga *v = opaque;
	struct vga_picture p;
	const struct vga_look *l = &p.look;

	vga_picture(v, &p);
	*t = (struct display_text){ .kind = l->kind == VGA_TEXT ? DISPLAY_TEXT : l->kind == VGA_BLANK ? DISPLAY_BLANK : DISPLAY_GRAPHICS,
		.width = l->width, .height = l->height, .blinks = (l->attr_mode & MODE_BLINK) != 0, .cursor = UINT_MAX };
	if (l->kind != VGA_TEXT)
		return;
	if (v->cells == NULL)
		v->cells = xcalloc(VGA_MAX_COLUMNS * MAX_ROWS, sizeof(*v->cells));
	t->cells = v->cells;
	t->columns = l->chars;
	t->rows = MIN(MAX(l->height / l->rows / l->repeat, 1), (unsigned)MAX_ROWS);
	for (unsigned y = 0; y < t->rows; y++) {
		for (unsigned x = 0; x < t->columns; x++)
			v->cells[y * t->columns + x] = cell_at(v, &p, p.start + y * l->pitch + x, 0) & 0xffff;
	}
	t->cursor = cursor_cell(v, &p, t);
}
