/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A build without ncurses: the screen can't be had in a terminal. */
#include "ui/ui.h"

#include "base/err.h"

const char *
curses_missing(void)
{
	return "this build can't draw on a terminal: ncursesw was missing when it was configured";
}

struct curses *
curses_new(const struct curses_config *config, const struct window_tab *tabs, unsigned count, struct err *e)
{
	(void)config, (void)tabs, (void)count;
	err_set(e, "%s", curses_missing());
	return NULL;
}

void
curses_free(struct curses *c)
{
	(void)c;
}
