/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The picture of a text console for the window, and what the mouse selects there. */
#include "ui/console_int.h"

#include "base/util.h"
#include "ui/font.h"
#include "ui/utf8.h"

#include <stdlib.h>

/* ---- colours ---- */

enum { DEFAULT_FORE = 0xd8d8d8, DEFAULT_BACK = 0x101418 };

static uint32_t
color_of(unsigned n)
{
	static const uint32_t sixteen[16] = {
		0x000000, 0xcd3131, 0x23a559, 0xc4a000, 0x3f7fd0, 0xa457b5, 0x2aa1b3, 0xd8d8d8,
		0x6b7480, 0xf14c4c, 0x3fd07f, 0xf5e05a, 0x6ea8ff, 0xd787e0, 0x4fd8ea, 0xffffff,
	};
	static const uint8_t steps[6] = { 0, 95, 135, 175, 215, 255 };

	if (n < 16)
		return sixteen[n];
	if (n >= 232)
		return (8 + 10 * (n - 232)) * 0x10101u;
	n -= 16;
	return (uint32_t)steps[n / 36] << 16 | (uint32_t)steps[n / 6 % 6] << 8 | steps[n % 6];
}

static uint32_t
half(uint32_t rgb)
{
	return rgb >> 1 & 0x7f7f7f;
}

/* The cell as it is to be drawn. */
static struct drawn
look_of(const struct console *c, const struct vt_cell *cell, bool inverse)
{
	struct drawn d = { .code = cell->code != 0 ? cell->code : ' ', .attr = cell->attr & (VT_UNDERLINE | VT_WIDE), .known = true };
	unsigned fore = cell->fore;

	if ((cell->attr & VT_BOLD) != 0 && fore < 8)
		fore += 8;
	d.fore = (cell->attr & VT_FORE) != 0 ? color_of(fore) : (cell->attr & VT_BOLD) != 0 ? 0xffffff : DEFAULT_FORE;
	d.back = (cell->attr & VT_BACK) != 0 ? color_of(cell->back) : DEFAULT_BACK;
	if ((cell->attr & VT_FAINT) != 0)
		d.fore = half(d.fore);
	inverse ^= (cell->attr & VT_INVERSE) != 0;
	inverse ^= c->vt->reversed;
	if (inverse) {
		uint32_t back = d.back;

		d.back = d.fore;
		d.fore = back;
	}
	if ((cell->attr & VT_CONCEALED) != 0)
		d.fore = d.back;
	return d;
}

/* ---- selection ---- */

static bool
before(struct place a, struct place b)
{
	return a.line < b.line || (a.line == b.line && a.x < b.x);
}

static bool
is_selected(const struct console *c, struct place p)
{
	return c->selected && !before(p, c->first) && before(p, c->end);
}

static bool
is_word(uint32_t code)
{
	return code >= 0x80 || (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') || (code >= 'a' && code <= 'z') ||
		(code != 0 && code != ' ' && strchr("-_./~:@%+#?&=", (int)code) != NULL);
}

/* Widens a stretch to whole words or lines. */
static void
widen(const struct console *c, struct place *first, struct place *end)
{
	const struct vt_line *a = vt_line(c->vt, first->line), *b = vt_line(c->vt, end->line);

	if (c->unit == SELECT_LINE) {
		first->x = 0;
		end->x = VT_MOST_COLUMNS;
	}
	if (c->unit != SELECT_WORD || a == NULL || b == NULL)
		return;
	while (first->x > 0 && first->x < a->width && is_word(a->cells[first->x].code) && is_word(a->cells[first->x - 1].code))
		first->x--;
	while (end->x > 0 && end->x < b->width && is_word(b->cells[end->x - 1].code) && is_word(b->cells[end->x].code))
		end->x++;
}

void
console_select(struct console *c, enum select_how how, int x, int y)
{
	int column = MIN(MAX(x, 0) / FONT_WIDTH, (int)c->vt->columns - 1), row = MIN(MAX(y, 0) / FONT_HEIGHT, (int)c->vt->rows - 1);
	struct place p = { console_top_line(c) + (unsigned)row, (unsigned)column };

	c->selection_changed = true;
	if (how != SELECT_TO) {
		c->unit = how;
		c->anchor = p;
		c->selected = how != SELECT_FROM;
	} else {
		c->selected = true;
	}
	c->first = before(p, c->anchor) ? p : c->anchor;
	c->end = before(p, c->anchor) ? c->anchor : p;
	c->end.x++;
	widen(c, &c->first, &c->end);
	if (y < 0)
		console_scroll(c, -1);
	else if (y >= (int)(c->vt->rows * FONT_HEIGHT))
		console_scroll(c, 1);
}

/* Without the blanks at its end, unless the text goes on in the next line. */
static size_t
line_text(const struct vt_line *l, unsigned from, unsigned end, char *to)
{
	size_t n = 0, kept = 0;

	for (unsigned x = from; x < MIN(end, l->width); x++) {
		if ((l->cells[x].attr & VT_TAIL) != 0)
			continue;
		n += utf8_put(to + n, l->cells[x].code != 0 ? l->cells[x].code : ' ');
		if (l->cells[x].code > ' ' || l->wrapped)
			kept = n;
	}
	return kept;
}

char *
console_selection(const struct console *c)
{
	char *text = NULL;
	size_t n = 0;

	if (!c->selected)
		return NULL;
	for (uint64_t line = c->first.line; line <= c->end.line; line++) {
		const struct vt_line *l = vt_line(c->vt, line);

		if (l == NULL)
			continue;
		text = xrealloc(text, n + 4ul * l->width + 2);
		n += line_text(l, line == c->first.line ? c->first.x : 0, line == c->end.line ? c->end.x : l->width, text + n);
		if (line != c->end.line && !l->wrapped)
			text[n++] = '\n';
		text[n] = '\0';
	}
	return text;
}

/* ---- the picture ---- */

static void
fit_picture(struct console *c)
{
	unsigned columns = c->vt->columns, rows = c->vt->rows;

	if (c->drawn != NULL && c->drawn_columns == columns && c->drawn_rows == rows)
		return;
	free(c->surface.pixels);
	free(c->drawn);
	c->surface = (struct surface){ .width = columns * FONT_WIDTH, .height = rows * FONT_HEIGHT, .stride = 4 * columns * FONT_WIDTH };
	c->surface.pixels = xcalloc((size_t)c->surface.width * c->surface.height, 4);
	c->drawn = xcalloc((size_t)columns * rows, sizeof(*c->drawn));
	c->drawn_columns = columns;
	c->drawn_rows = rows;
	display_resized(&c->display, &c->surface);
}

static void
draw_cell(struct console *c, unsigned x, unsigned y, const struct drawn *d)
{
	uint32_t *at = c->surface.pixels + (size_t)y * FONT_HEIGHT * c->surface.width + x * FONT_WIDTH;
	unsigned columns = (d->attr & VT_WIDE) != 0 ? 2 : 1;

	/* At the edge a wide one has no room for its second half. */
	font_draw(at, c->surface.width, x + columns > c->vt->columns ? ' ' : d->code, d->fore, d->back);
	if ((d->attr & VT_UNDERLINE) != 0) {
		for (unsigned i = 0; i < columns * FONT_WIDTH && x * FONT_WIDTH + i < c->surface.width; i++)
			at[(FONT_HEIGHT - 2) * c->surface.width + i] = d->fore;
	}
}

static bool
same_look(const struct drawn *a, const struct drawn *b)
{
	return a->known == b->known && a->code == b->code && a->fore == b->fore && a->back == b->back && a->attr == b->attr;
}

/* Draws what changed in a row; FIRST and END become its columns. */
static void
draw_row(struct console *c, unsigned y, unsigned *first, unsigned *end)
{
	struct place p = { console_top_line(c) + y, 0 };
	const struct vt_line *l = vt_line(c->vt, p.line);
	struct drawn *drawn = &c->drawn[(size_t)y * c->drawn_columns];
	bool cursor_row = p.line == c->vt->scrolled + c->vt->cursor.y && !c->vt->hides_cursor;

	*first = c->drawn_columns;
	*end = 0;
	for (unsigned x = 0; x < c->drawn_columns; x++) {
		static const struct vt_cell nothing;
		const struct vt_cell *cell = l != NULL && x < l->width ? &l->cells[x] : &nothing;
		struct drawn d;

		p.x = x;
		if ((cell->attr & VT_TAIL) != 0) {
			drawn[x].known = false;
			continue;
		}
		d = look_of(c, cell, is_selected(c, p) != (cursor_row && x == c->vt->cursor.x));
		if (same_look(&d, &drawn[x]))
			continue;
		draw_cell(c, x, y, &d);
		drawn[x] = d;
		*first = MIN(*first, x);
		*end = MIN(x + ((d.attr & VT_WIDE) != 0 ? 2 : 1), c->drawn_columns);
	}
}

static const struct surface *
update(void *opaque)
{
	struct console *c = opaque;
	unsigned first, end;

	console_deliver(c);
	if (c->drawn != NULL && !c->vt->changed && !c->selection_changed)
		return &c->surface;
	c->vt->changed = c->selection_changed = false;
	console_hold_view(c);
	fit_picture(c);
	for (unsigned y = 0; y < c->drawn_rows; y++) {
		draw_row(c, y, &first, &end);
		if (end > first)
			display_damage(&c->display, first * FONT_WIDTH, y * FONT_HEIGHT, (end - first) * FONT_WIDTH, FONT_HEIGHT);
	}
	return &c->surface;
}

static void
invalidate(void *opaque)
{
	struct console *c = opaque;

	for (size_t i = 0; c->drawn != NULL && i < (size_t)c->drawn_columns * c->drawn_rows; i++)
		c->drawn[i].known = false;
	c->vt->changed = true;
}

static void
wish(void *opaque, unsigned width, unsigned height)
{
	struct console *c = opaque;

	console_fit(c, width / FONT_WIDTH, height / FONT_HEIGHT);
}

struct display *
console_display(struct console *c)
{
	if (c->display.update == NULL)
		c->display = (struct display){ .opaque = c, .update = update, .invalidate = invalidate, .wish = wish };
	return &c->display;
}
