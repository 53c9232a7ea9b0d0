/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A terminal without a picture: the lines of characters that a VT100 would show, with the colours, character sets and
 * alternate screen of the terminals after it (ECMA-48; "XTerm Control Sequences").  Text is UTF-8.
 */
#ifndef UI_VT_H
#define UI_VT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VT_LEAST_COLUMNS = 20, VT_LEAST_ROWS = 4, VT_MOST_COLUMNS = 500, VT_MOST_ROWS = 200 };
enum { VT_HISTORY = 5000, VT_PARAMETERS = 16 };

/* Of cells and of what is written next. */
enum {
	VT_BOLD = 0x01, VT_FAINT = 0x02, VT_UNDERLINE = 0x04, VT_INVERSE = 0x08, VT_CONCEALED = 0x10,
	VT_FORE = 0x20, VT_BACK = 0x40, /* there is a colour, not the default one */
	VT_WIDE = 0x100, VT_TAIL = 0x200, /* the halves of a wide character */
};

struct vt_cell {
	uint32_t code; /* 0: nothing was written there */
	uint8_t fore, back; /* of 256 colours */
	uint16_t attr;
};

struct vt_line {
	struct vt_cell *cells;
	unsigned width;
	bool wrapped; /* goes on in the next one */
};

struct vt_cursor {
	unsigned x, y;
	bool wraps;           /* behind the last column: the next character goes to the next line */
	struct vt_cell pen;
	uint8_t charset, drawing[2]; /* which of G0 and G1 is in use; it draws lines */
	bool origin;
};

struct vt {
	unsigned columns, rows;
	struct vt_line *screen, *hidden; /* the one not shown: the other of the main and the alternate one */
	bool alternate;
	struct vt_line history[VT_HISTORY];
	unsigned history_first, history_count;
	uint64_t scrolled;    /* lines that ever went into the history */
	struct vt_cursor cursor, saved, saved_main;
	unsigned top, bottom; /* the scrolling region, BOTTOM is in it */
	bool insert, autowrap, hides_cursor, cursor_keys, bracketed_paste, line_feed_returns, reversed;
	bool *tabs;           /* a stop per column */
	uint32_t last;        /* written, for REP */
	bool changed;         /* something is to be drawn; whoever does clears it */

	/* ---- the parser ---- */
	uint8_t state;
	uint8_t intermediate, private_mark;
	uint16_t parameters[VT_PARAMETERS];
	unsigned parameter_count;
	uint32_t utf8;
	unsigned utf8_left;
	uint32_t utf8_least;

	/* Answers to what was asked. */
	void (*reply)(void *opaque, const char *text, size_t len);
	void *opaque;
};

struct vt *vt_new(unsigned columns, unsigned rows, void (*reply)(void *opaque, const char *text, size_t len), void *opaque);
void vt_free(struct vt *t);
void vt_resize(struct vt *t, unsigned columns, unsigned rows);
void vt_write(struct vt *t, const void *data, size_t len);
/* A line by its number since the beginning: SCROLLED + Y is line Y of the screen.  NULL: gone, or not there yet. */
const struct vt_line *vt_line(const struct vt *t, uint64_t number);

/* ---- for vt_parse.c ---- */
void vt_reset(struct vt *t);
void vt_put(struct vt *t, uint32_t code);
void vt_move(struct vt *t, unsigned x, unsigned y);
void vt_erase(struct vt *t, unsigned y, unsigned from, unsigned end);
/* Lines of the scrolling region from Y on; N > 0: up, the first N go. */
void vt_scroll(struct vt *t, unsigned y, int n);
void vt_shift(struct vt *t, int n); /* characters from the cursor on; N > 0: to the right */
void vt_line_feed(struct vt *t);
void vt_reverse_line_feed(struct vt *t);
void vt_use_alternate(struct vt *t, bool on);

#endif
