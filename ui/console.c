/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A text console: a line's other end, shown by us.  It is a character device towards its user (a serial port, a monitor) and
 * rows of characters towards who shows it: a window, as a picture (console_picture.c), or a terminal.
 */
#include "ui/console_int.h"

#include "base/err.h"
#include "base/util.h"
#include "ui/font.h"

#include <stdio.h>
#include <stdlib.h>

enum { PAGE_LINES = 20 };

/* ---- towards the user ---- */

void
console_deliver(struct console *c)
{
	while (c->typed_count != 0) {
		size_t n = MIN(chr_room(&c->chr), c->typed_count);
		uint8_t some[256];

		n = MIN(n, sizeof(some));
		if (n == 0)
			return;
		memcpy(some, c->typed, n);
		c->typed_count -= n;
		memmove(c->typed, c->typed + n, c->typed_count);
		chr_deliver(&c->chr, some, n);
	}
}

static void
send(void *opaque, const char *text, size_t len)
{
	struct console *c = opaque;

	len = MIN(len, TYPED_BYTES - c->typed_count);
	memcpy(c->typed + c->typed_count, text, len);
	c->typed_count += len;
}

static size_t
console_write(struct chr *chr, const uint8_t *data, size_t len)
{
	struct console *c = (struct console *)chr;

	vt_write(c->vt, data, len);
	return len;
}

static void
console_resume(struct chr *chr)
{
	console_deliver((struct console *)chr);
}

static void
console_close(struct chr *chr)
{
	struct console *c = (struct console *)chr;

	vt_free(c->vt);
	free(c->surface.pixels);
	free(c->drawn);
}

static const struct chr_ops console_ops = { .write = console_write, .resume = console_resume, .close = console_close };

/* ---- what is seen ---- */

uint64_t
console_top_line(const struct console *c)
{
	return c->vt->scrolled - MIN(c->back, (uint64_t)c->vt->history_count);
}

/* Who looks back at what went by keeps seeing it while more comes. */
void
console_hold_view(struct console *c)
{
	if (c->back != 0)
		c->back = MIN(c->back + (c->vt->scrolled - c->seen), (uint64_t)c->vt->history_count);
	c->seen = c->vt->scrolled;
}

void
console_fit(struct console *c, unsigned columns, unsigned rows)
{
	if (!c->fixed)
		vt_resize(c->vt, columns, rows);
	c->vt->changed = true;
}

bool
console_changed(struct console *c)
{
	bool changed = c->vt->changed;

	console_deliver(c);
	console_hold_view(c);
	c->vt->changed = false;
	return changed;
}

const struct vt *
console_vt(const struct console *c)
{
	return c->vt;
}

/* ---- what people do ---- */

void
console_scroll(struct console *c, int lines)
{
	console_hold_view(c);
	if (lines < 0)
		c->back = MIN(c->back + (unsigned)-lines, (uint64_t)c->vt->history_count);
	else
		c->back -= MIN(c->back, (uint64_t)lines);
	c->vt->changed = true;
}

void
console_type(struct console *c, const char *text, size_t len)
{
	console_scroll(c, VT_HISTORY);
	if (c->selected) {
		c->selected = false;
		c->selection_changed = true;
	}
	send(c, text, len);
	console_deliver(c);
}

void
console_paste(struct console *c, const char *text)
{
	char *copy = xstrdup(text), *to = copy;

	/* Enter sends a carriage return; and no text gets to end the brackets early. */
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '\n' && p > text && p[-1] == '\r')
			continue;
		if (*p != '\x1b')
			*to++ = *p == '\n' ? '\r' : *p;
	}
	if (c->vt->bracketed_paste)
		console_type(c, "\x1b[200~", 6);
	console_type(c, copy, (size_t)(to - copy));
	if (c->vt->bracketed_paste)
		console_type(c, "\x1b[201~", 6);
	free(copy);
}

void
console_key(struct console *c, enum console_key key, unsigned modifiers)
{
	static const struct { char letter; uint8_t number; } codes[] = {
		[CONSOLE_UP] = { 'A', 0 }, [CONSOLE_DOWN] = { 'B', 0 }, [CONSOLE_RIGHT] = { 'C', 0 }, [CONSOLE_LEFT] = { 'D', 0 },
		[CONSOLE_HOME] = { 'H', 0 }, [CONSOLE_END] = { 'F', 0 }, [CONSOLE_INSERT] = { '~', 2 }, [CONSOLE_DELETE] = { '~', 3 },
		[CONSOLE_PAGE_UP] = { '~', 5 }, [CONSOLE_PAGE_DOWN] = { '~', 6 }, [CONSOLE_F1] = { 'P', 0 },
		{ 'Q', 0 }, { 'R', 0 }, { 'S', 0 }, { '~', 15 }, { '~', 17 }, { '~', 18 }, { '~', 19 }, { '~', 20 }, { '~', 21 },
		{ '~', 23 }, { '~', 24 },
	};
	char text[32], letter = codes[key].letter;

	if (letter == '~' && modifiers != 0)
		snprintf(text, sizeof(text), "\x1b[%u;%u~", codes[key].number, modifiers + 1);
	else if (letter == '~')
		snprintf(text, sizeof(text), "\x1b[%u~", codes[key].number);
	else if (modifiers != 0)
		snprintf(text, sizeof(text), "\x1b[1;%u%c", modifiers + 1, letter);
	else
		snprintf(text, sizeof(text), "\x1b%c%c", letter >= 'P' || c->vt->cursor_keys ? 'O' : '[', letter);
	console_type(c, text, strlen(text));
}

int
console_scroll_key(enum console_key key, unsigned modifiers)
{
	bool control = (modifiers & CONSOLE_CTRL) != 0;

	if ((modifiers & (CONSOLE_SHIFT | CONSOLE_CTRL)) == 0)
		return 0;
	switch (key) {
	case CONSOLE_PAGE_UP:
		return -PAGE_LINES;
	case CONSOLE_PAGE_DOWN:
		return PAGE_LINES;
	case CONSOLE_UP:
		return control ? -1 : 0;
	case CONSOLE_DOWN:
		return control ? 1 : 0;
	case CONSOLE_HOME:
		return -1000000;
	case CONSOLE_END:
		return 1000000;
	default:
		return 0;
	}
}

/* ---- beginning ---- */

/* "800x600" pixels, "80Cx24C" cells, or a mixture. */
static bool
parse_size(const char *size, unsigned *columns, unsigned *rows, struct err *e)
{
	uint64_t n[2];
	const char *p = size;

	for (unsigned i = 0; i < 2; i++) {
		bool ok = take_number(&p, &n[i]);

		if (ok && *p == 'C')
			p++;
		else
			n[i] /= i == 0 ? FONT_WIDTH : FONT_HEIGHT;
		if (!ok || *p != (i == 0 ? 'x' : '\0') || n[i] < (i == 0 ? VT_LEAST_COLUMNS : VT_LEAST_ROWS) ||
		    n[i] > (i == 0 ? VT_MOST_COLUMNS : VT_MOST_ROWS))
			return err_set(e, "vc:%s: no size of a text console; write it as 80Cx25C or 640x400, %ux%u cells at the most", size,
				VT_MOST_COLUMNS, VT_MOST_ROWS);
		p++;
	}
	*columns = (unsigned)n[0];
	*rows = (unsigned)n[1];
	return true;
}

struct console *
console_new(struct loop *l, const char *id, const char *size, struct err *e)
{
	unsigned columns = 90, rows = 25;
	bool fixed = size != NULL && *size != '\0';
	struct console *c;

	if (fixed && !parse_size(size, &columns, &rows, e))
		return NULL;
	c = (struct console *)chr_alloc(sizeof(*c), &console_ops, l, id, xstrdup("vc"));
	c->chr.open = true;
	c->fixed = fixed;
	c->vt = vt_new(columns, rows, send, c);
	return c;
}

struct chr *
console_chr(struct console *c)
{
	return &c->chr;
}
