/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The lines of a terminal: writing, erasing, scrolling, and the history of what went by. */
#include "ui/vt.h"

#include "base/util.h"
#include "ui/utf8.h"

#include <stdlib.h>

static void
make_line(struct vt_line *l, unsigned width)
{
	*l = (struct vt_line){ .cells = xcalloc(width, sizeof(*l->cells)), .width = width };
}

static struct vt_line *
make_screen(unsigned columns, unsigned rows)
{
	struct vt_line *lines = xcalloc(rows, sizeof(*lines));

	for (unsigned y = 0; y < rows; y++)
		make_line(&lines[y], columns);
	return lines;
}

static void
free_screen(struct vt_line *lines, unsigned rows)
{
	for (unsigned y = 0; y < rows; y++)
		free(lines[y].cells);
	free(lines);
}

static void
set_tabs(struct vt *t)
{
	free(t->tabs);
	t->tabs = xcalloc(t->columns, sizeof(*t->tabs));
	for (unsigned x = 8; x < t->columns; x += 8)
		t->tabs[x] = true;
}

struct vt *
vt_new(unsigned columns, unsigned rows, void (*reply)(void *opaque, const char *text, size_t len), void *opaque)
{
	struct vt *t = xcalloc(1, sizeof(*t));

	t->columns = MIN(MAX(columns, (unsigned)VT_LEAST_COLUMNS), (unsigned)VT_MOST_COLUMNS);
	t->rows = MIN(MAX(rows, (unsigned)VT_LEAST_ROWS), (unsigned)VT_MOST_ROWS);
	t->screen = make_screen(t->columns, t->rows);
	t->hidden = make_screen(t->columns, t->rows);
	t->reply = reply;
	t->opaque = opaque;
	vt_reset(t);
	return t;
}

void
vt_free(struct vt *t)
{
	if (t == NULL)
		return;
	free_screen(t->screen, t->rows);
	free_screen(t->hidden, t->rows);
	for (unsigned i = 0; i < t->history_count; i++)
		free(t->history[(t->history_first + i) % VT_HISTORY].cells);
	free(t->tabs);
	free(t);
}

const struct vt_line *
vt_line(const struct vt *t, uint64_t number)
{
	if (number >= t->scrolled)
		return number - t->scrolled < t->rows ? &t->screen[number - t->scrolled] : NULL;
	uint64_t back = t->scrolled - number;
	if (back > t->history_count)
		return NULL;
	return &t->history[(t->history_first + t->history_count - back) % VT_HISTORY];
}

/* ---- cells ---- */

/* What is erased takes the pen's background. */
static struct vt_cell
blank(const struct vt *t)
{
	return (struct vt_cell){ .back = t->cursor.pen.back, .attr = t->cursor.pen.attr & VT_BACK };
}

void
vt_erase(struct vt *t, unsigned y, unsigned from, unsigned end)
{
	struct vt_line *l = &t->screen[y];

	end = MIN(end, t->columns);
	/* Half a wide character doesn't stay. */
	if (from > 0 && from < end && (l->cells[from].attr & VT_TAIL) != 0)
		from--;
	if (end < t->columns && end > 0 && (l->cells[end].attr & VT_TAIL) != 0)
		end++;
	for (unsigned x = from; x < end; x++)
		l->cells[x] = blank(t);
	if (end == t->columns)
		l->wrapped = false;
	t->changed = true;
}

static void
erase_line(struct vt *t, unsigned y)
{
	vt_erase(t, y, 0, t->columns);
}

static void
keep_in_history(struct vt *t, struct vt_line *l)
{
	unsigned at = (t->history_first + t->history_count) % VT_HISTORY;

	if (t->history_count == VT_HISTORY) {
		free(t->history[t->history_first].cells);
		t->history_first = (t->history_first + 1) % VT_HISTORY;
		t->history_count--;
	}
	t->history[at] = *l;
	t->history_count++;
	t->scrolled++;
	make_line(l, t->columns);
}

static void
scroll_up(struct vt *t, unsigned y)
{
	struct vt_line first;

	if (y == 0 && t->top == 0 && t->bottom == t->rows - 1 && !t->alternate)
		keep_in_history(t, &t->screen[0]);
	first = t->screen[y];
	memmove(&t->screen[y], &t->screen[y + 1], (t->bottom - y) * sizeof(first));
	t->screen[t->bottom] = first;
	erase_line(t, t->bottom);
}

static void
scroll_down(struct vt *t, unsigned y)
{
	struct vt_line last = t->screen[t->bottom];

	memmove(&t->screen[y + 1], &t->screen[y], (t->bottom - y) * sizeof(last));
	t->screen[y] = last;
	erase_line(t, y);
}

void
vt_scroll(struct vt *t, unsigned y, int n)
{
	int most;

	if (y > t->bottom || y < t->top)
		return;
	most = (int)(t->bottom - y + 1);
	for (int i = MIN(n, most); i > 0; i--)
		scroll_up(t, y);
	for (int i = MIN(-n, most); i > 0; i--)
		scroll_down(t, y);
}

void
vt_shift(struct vt *t, int n)
{
	struct vt_line *l = &t->screen[t->cursor.y];
	unsigned x = t->cursor.x, left = t->columns - x, by = MIN((unsigned)abs(n), left);

	if (n > 0) {
		memmove(&l->cells[x + by], &l->cells[x], (left - by) * sizeof(*l->cells));
		vt_erase(t, t->cursor.y, x, x + by);
	} else {
		memmove(&l->cells[x], &l->cells[x + by], (left - by) * sizeof(*l->cells));
		vt_erase(t, t->cursor.y, t->columns - by, t->columns);
	}
	t->cursor.wraps = false;
}

/* ---- the cursor ---- */

void
vt_move(struct vt *t, unsigned x, unsigned y)
{
	t->cursor.x = MIN(x, t->columns - 1);
	t->cursor.y = MIN(y, t->rows - 1);
	t->cursor.wraps = false;
	t->changed = true;
}

void
vt_line_feed(struct vt *t)
{
	if (t->cursor.y == t->bottom)
		vt_scroll(t, t->top, 1);
	else
		vt_move(t, t->cursor.x, t->cursor.y + 1);
	t->cursor.wraps = false;
	t->changed = true;
}

void
vt_reverse_line_feed(struct vt *t)
{
	if (t->cursor.y == t->top)
		vt_scroll(t, t->top, -1);
	else if (t->cursor.y > 0)
		vt_move(t, t->cursor.x, t->cursor.y - 1);
	t->changed = true;
}

void
vt_put(struct vt *t, uint32_t code)
{
	struct vt_cursor *c = &t->cursor;
	unsigned width = utf8_columns(code);
	struct vt_line *l;

	if (width == 0)
		return;
	if (t->autowrap && (c->wraps || c->x + width > t->columns)) {
		t->screen[c->y].wrapped = true;
		c->x = 0;
		vt_line_feed(t);
	}
	c->x = MIN(c->x, t->columns - width);
	if (t->insert)
		vt_shift(t, (int)width);
	vt_erase(t, c->y, c->x, c->x + width);
	l = &t->screen[c->y];
	l->cells[c->x] = c->pen;
	l->cells[c->x].code = code;
	if (width == 2) {
		l->cells[c->x].attr |= VT_WIDE;
		l->cells[c->x + 1] = c->pen;
		l->cells[c->x + 1].attr |= VT_TAIL;
	}
	c->wraps = c->x + width >= t->columns;
	if (!c->wraps)
		c->x += width;
	t->last = code;
	t->changed = true;
}

/* ---- all of it ---- */

void
vt_use_alternate(struct vt *t, bool on)
{
	struct vt_line *other = t->hidden;

	if (t->alternate == on)
		return;
	t->hidden = t->screen;
	t->screen = other;
	t->alternate = on;
	if (on) {
		for (unsigned y = 0; y < t->rows; y++)
			erase_line(t, y);
	}
	t->changed = true;
}

void
vt_reset(struct vt *t)
{
	vt_use_alternate(t, false);
	t->cursor = t->saved = t->saved_main = (struct vt_cursor){ 0 };
	t->top = 0;
	t->bottom = t->rows - 1;
	t->insert = t->hides_cursor = t->cursor_keys = t->bracketed_paste = t->line_feed_returns = t->reversed = false;
	t->autowrap = true;
	set_tabs(t);
	for (unsigned y = 0; y < t->rows; y++)
		erase_line(t, y);
}

static void
fit_line(struct vt_line *l, unsigned columns)
{
	struct vt_line old = *l;

	make_line(l, columns);
	memcpy(l->cells, old.cells, MIN(columns, old.width) * sizeof(*l->cells));
	if (columns < old.width && (l->cells[columns - 1].attr & VT_WIDE) != 0)
		l->cells[columns - 1] = (struct vt_cell){ 0 };
	l->wrapped = old.wrapped && columns >= old.width;
	free(old.cells);
}

/* What is lost above goes into the history, if it is the main screen's; new lines come below. */
static struct vt_line *
fit_screen(struct vt *t, struct vt_line *lines, unsigned columns, unsigned rows, unsigned gone)
{
	struct vt_line *to = xcalloc(rows, sizeof(*to));

	for (unsigned y = 0; y < t->rows; y++) {
		if (y < gone || y - gone >= rows) {
			free(lines[y].cells);
			continue;
		}
		fit_line(&lines[y], columns);
		to[y - gone] = lines[y];
	}
	for (unsigned y = t->rows - gone; y < rows; y++)
		make_line(&to[y], columns);
	free(lines);
	return to;
}

void
vt_resize(struct vt *t, unsigned columns, unsigned rows)
{
	unsigned gone;

	columns = MIN(MAX(columns, (unsigned)VT_LEAST_COLUMNS), (unsigned)VT_MOST_COLUMNS);
	rows = MIN(MAX(rows, (unsigned)VT_LEAST_ROWS), (unsigned)VT_MOST_ROWS);
	if (columns == t->columns && rows == t->rows)
		return;
	gone = t->cursor.y >= rows ? t->cursor.y - rows + 1 : 0;
	for (unsigned y = 0; y < gone && !t->alternate; y++)
		keep_in_history(t, &t->screen[y]);
	t->screen = fit_screen(t, t->screen, columns, rows, gone);
	t->hidden = fit_screen(t, t->hidden, columns, rows, gone);
	t->columns = columns;
	t->rows = rows;
	t->top = 0;
	t->bottom = rows - 1;
	set_tabs(t);
	vt_move(t, t->cursor.x, t->cursor.y - gone);
	t->saved.x = MIN(t->saved.x, columns - 1);
	t->saved.y = MIN(t->saved.y, rows - 1);
	t->saved_main.x = MIN(t->saved_main.x, columns - 1);
	t->saved_main.y = MIN(t->saved_main.y, rows - 1);
}
