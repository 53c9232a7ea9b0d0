/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text console, seen by the console*.c files alone. */
#ifndef UI_CONSOLE_INT_H
#define UI_CONSOLE_INT_H

#include "ui/chr.h"
#include "ui/console.h"
#include "ui/vt.h"

enum { TYPED_BYTES = 65536 };

/* How a cell was drawn. */
struct drawn {
	uint32_t code, fore, back;
	uint16_t attr;
	bool known;
};

/* A place in the text; lines count from the beginning. */
struct place {
	uint64_t line;
	unsigned x;
};

struct console {
	struct chr chr;
	struct display display;
	struct surface surface;
	struct vt *vt;
	bool fixed;             /* its size was asked for */
	struct drawn *drawn;    /* ROWS x COLUMNS */
	unsigned drawn_columns, drawn_rows;
	uint64_t back;          /* lines scrolled back */
	uint64_t seen;          /* VT's count of scrolled lines when that was so */
	bool selected, selection_changed;
	enum select_how unit;
	struct place anchor, first, end; /* END: the first that isn't selected */
	uint8_t typed[TYPED_BYTES]; /* not taken by the user yet */
	size_t typed_count;
};

/* What was typed, as far as the user takes it. */
void console_deliver(struct console *c);
/* Who looks back at what went by keeps seeing it while more comes. */
void console_hold_view(struct console *c);

#endif
