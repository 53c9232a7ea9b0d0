/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A build that has neither a window nor ncurses: nothing could show a text console. */
#include "ui/ui.h"

#include "base/err.h"

struct console *
console_new(struct loop *l, const char *id, const char *size, struct err *e)
{
	(void)l, (void)id, (void)size;
	err_set(e, "this build has no text consoles: SDL 2 and ncursesw were missing when it was configured");
	return NULL;
}

struct chr *
console_chr(struct console *c)
{
	(void)c;
	return NULL;
}
