/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -audiodev sdl in a program that was built without SDL. */
#include "ui/sound_int.h"

#include "base/err.h"

static bool
sdl_open(struct sound *s, struct keyval *k, struct err *e)
{
	(void)s, (void)k;
	return err_set(e, "this program was built without SDL; install libsdl2-dev and build it again, or use none or wav");
}

const struct sound_backend sound_sdl = {
	.name = "sdl",
	.properties = "",
	.description = "not there: this program was built without SDL",
	.open = sdl_open,
};
