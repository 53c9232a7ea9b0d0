/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A build without SDL or a font: the window says what it lacks. */
#include "ui/ui.h"

#include "base/err.h"

bool
window_built(void)
{
	return false;
}

const char *
window_missing(void)
{
	return "this build has no window: SDL 2 or Unifont was missing when it was configured";
}

struct window *
window_new(const struct window_config *config, const struct window_tab *tabs, unsigned count, struct err *e)
{
	(void)config, (void)tabs, (void)count;
	err_set(e, "%s", window_missing());
	return NULL;
}

bool
start_window(struct start_choice *c, const char *message, struct err *e)
{
	(void)c, (void)message;
	return err_set(e, "%s", window_missing());
}

void
start_remember(const struct start_choice *c)
{
	(void)c;
}

void
window_free(struct window *w)
{
	(void)w;
}
