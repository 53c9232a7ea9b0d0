/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A text console as a window or a terminal sees it; all in the loop's thread, under the machine's lock. */
#ifndef UI_CONSOLE_H
#define UI_CONSOLE_H

#include "ui/ui.h"

struct vt;

/* Keys that send more than a character. */
enum console_key {
	CONSOLE_UP, CONSOLE_DOWN, CONSOLE_RIGHT, CONSOLE_LEFT, CONSOLE_HOME, CONSOLE_END, CONSOLE_INSERT, CONSOLE_DELETE,
	CONSOLE_PAGE_UP, CONSOLE_PAGE_DOWN, CONSOLE_F1, CONSOLE_F12 = CONSOLE_F1 + 11,
};

/* As xterm counts them. */
enum { CONSOLE_SHIFT = 1, CONSOLE_ALT = 2, CONSOLE_CTRL = 4 };

enum select_how { SELECT_FROM, SELECT_WORD, SELECT_LINE, SELECT_TO };

/* It has the size of who shows it, unless another was asked for. */
void console_fit(struct console *c, unsigned columns, unsigned rows);
/* Is there something new to see since the last call? */
bool console_changed(struct console *c);
const struct vt *console_vt(const struct console *c);
/* The line that is seen at the top, as vt_line() counts. */
uint64_t console_top_line(const struct console *c);

void console_key(struct console *c, enum console_key key, unsigned modifiers);
/* What was typed, in UTF-8. */
void console_type(struct console *c, const char *text, size_t len);
/* As typed, but for line ends, which are those of Enter. */
void console_paste(struct console *c, const char *text);
/* Lines to scroll by, 0: that's not what the key is for. */
int console_scroll_key(enum console_key key, unsigned modifiers);
/* By lines, negative: back to what went by. */
void console_scroll(struct console *c, int lines);

/* ---- console_picture.c: for a window ---- */

struct display *console_display(struct console *c);
/* X, Y: pixels of its picture. */
void console_select(struct console *c, enum select_how how, int x, int y);
/* What is selected, in UTF-8, to be freed; NULL: nothing is. */
char *console_selection(const struct console *c);

#endif
