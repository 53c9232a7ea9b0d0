/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is to be seen in the terminal: a card's text mode, or a text console. */
#include "ui/curses_int.h"

#include "base/util.h"
#include "ui/console.h"
#include "ui/vt.h"

#include <stdio.h>
#include <stdlib.h>

void
text_picture_size(struct text_picture *p, unsigned columns, unsigned rows)
{
	static const struct text_cell blank = { ' ', 7, 0, 0 };
	size_t size = (size_t)columns * rows;

	if (size > p->room) {
		p->cells = xrealloc(p->cells, size * sizeof(*p->cells));
		p->room = size;
	}
	p->columns = columns;
	p->rows = rows;
	p->cursor = false;
	p->cursor_x = p->cursor_y = 0;
	for (size_t i = 0; i < size; i++)
		p->cells[i] = blank;
}

static void
show_line(struct text_picture *p, const char *text)
{
	text_picture_size(p, (unsigned)strlen(text), 1);
	for (unsigned i = 0; i < p->columns; i++)
		p->cells[i].code = (uint8_t)text[i];
}

/* IBM has blue where ECMA-48 has red. */
static uint8_t
color_of(unsigned ibm)
{
	return (uint8_t)((ibm & 10) | (ibm & 1) << 2 | (ibm >> 2 & 1));
}

void
curses_show_display(const struct curses *c, const struct display *d, struct text_picture *p)
{
	struct display_text t = { .kind = DISPLAY_BLANK };
	char message[64];

	if (d->text != NULL)
		d->text(d->opaque, &t);
	if (t.kind == DISPLAY_GRAPHICS) {
		snprintf(message, sizeof(message), "%ux%u Graphics mode", t.width, t.height);
		show_line(p, message);
		return;
	}
	if (t.kind == DISPLAY_BLANK) {
		show_line(p, "");
		return;
	}
	text_picture_size(p, t.columns, t.rows);
	for (unsigned i = 0; i < t.columns * t.rows; i++) {
		unsigned attribute = t.cells[i] >> 8;

		p->cells[i] = (struct text_cell){ c->charset[t.cells[i] & 0xff], color_of(attribute & 15),
			color_of(attribute >> 4 & (t.blinks ? 7 : 15)), t.blinks && (attribute & 0x80) != 0 ? CELL_BLINK : 0 };
	}
	p->cursor = t.cursor < t.columns * t.rows;
	if (p->cursor) {
		p->cursor_x = t.cursor % t.columns;
		p->cursor_y = t.cursor / t.columns;
	}
}

/* Of 256 colours the one of 16 that is most like it: the cube is 6 steps of red, green and blue from 16 on, greys are the last 24. */
static uint8_t
nearest(unsigned n)
{
	unsigned r, g, b, most;

	if (n < 16)
		return (uint8_t)n;
	if (n >= 232)
		return n < 238 ? 0 : n < 244 ? 8 : n < 250 ? 7 : 15;
	n -= 16;
	r = n / 36;
	g = n / 6 % 6;
	b = n % 6;
	most = MAX(MAX(r, g), b);
	if (most < 2)
		return most == 0 ? 0 : 8;
	return (uint8_t)((2 * r > most) | (2 * g > most) << 1 | (2 * b > most) << 2 | (most > 3) << 3);
}

static struct text_cell
cell_of(const struct vt *t, const struct vt_cell *from)
{
	struct text_cell to = { from->code != 0 ? from->code : ' ', 7, 0, 0 };
	bool inverse = ((from->attr & VT_INVERSE) != 0) != t->reversed;

	if ((from->attr & VT_FORE) != 0)
		to.fore = nearest(from->fore);
	if ((from->attr & VT_BACK) != 0)
		to.back = nearest(from->back);
	if ((from->attr & VT_BOLD) != 0 && to.fore < 8)
		to.fore += 8;
	if (inverse) {
		uint8_t back = to.back;

		to.back = to.fore;
		to.fore = back;
	}
	if ((from->attr & VT_CONCEALED) != 0)
		to.code = ' ';
	to.attr = ((from->attr & VT_UNDERLINE) != 0 ? CELL_UNDERLINE : 0) | ((from->attr & VT_WIDE) != 0 ? CELL_WIDE : 0) |
		((from->attr & VT_TAIL) != 0 ? CELL_TAIL : 0);
	return to;
}

void
curses_show_console(struct console *from, struct text_picture *p)
{
	const struct vt *t = console_vt(from);
	uint64_t top = console_top_line(from), cursor_line = t->scrolled + t->cursor.y;

	text_picture_size(p, t->columns, t->rows);
	for (unsigned y = 0; y < t->rows; y++) {
		const struct vt_line *l = vt_line(t, top + y);

		for (unsigned x = 0; l != NULL && x < MIN(t->columns, l->width); x++)
			p->cells[(size_t)y * t->columns + x] = cell_of(t, &l->cells[x]);
	}
	p->cursor = !t->hides_cursor && cursor_line >= top && cursor_line < top + t->rows;
	if (p->cursor) {
		p->cursor_x = MIN(t->cursor.x, t->columns - 1);
		p->cursor_y = (unsigned)(cursor_line - top);
	}
}
