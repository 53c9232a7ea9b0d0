/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Without arguments: the start window, or short help where there is none. */
#include "vm/settings.h"

#include "base/err.h"
#include "base/util.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* What a command line would be for it. */
static bool
settings_of(struct settings *s, const struct start_choice *c, struct err *e)
{
	char *memory = xasprintf("%u", c->memory_mib);
	char *words[] = { "calque", "-m", memory, c->image, "-nic", "none", NULL };
	bool ok;

	settings_init(s);
	ok = options_parse(s, c->network ? 4 : 6, words, e) && settings_choose_display(s, e);
	free(memory);
	return ok;
}

static int
short_help(const char *why)
{
	printf("calque %s, a PC emulator\n"
		"usage: calque IMAGE               start a disk, CD-ROM or diskette\n"
		"       calque [OPTION...] [IMAGE]\n"
		"       calque -help               all options\n"
		"The start window is for a display: %s.\n", vm_version(), why);
	return 0;
}

int
start_with_window(const char *image, int (*run)(struct settings *s, struct err *e))
{
	struct start_choice c = { .memory_mib = (unsigned)(sensible_memory() / MiB), .network = true };
	struct err e = { "" };
	const char *missing = window_missing();
	sigset_t signals;
	int status = 0;

	if (missing != NULL)
		return short_help(missing);
	/* A machine takes signals by a descriptor; without one they end the program again. */
	sigprocmask(SIG_SETMASK, NULL, &signals);
	if (image != NULL)
		c.image = realpath(image, NULL);
	/* What can't be started is shown with the reason, to choose again. */
	for (bool first = c.image != NULL;; first = false) {
		struct err problem = e;
		struct settings s;

		e = (struct err){ "" };
		if (!first && !start_window(&c, problem.text[0] != '\0' ? problem.text : NULL, &e))
			break;
		bool ok = settings_of(&s, &c, &e);

		if (ok && first)
			start_remember(&c);
		status = ok ? run(&s, &e) : 1;
		sigprocmask(SIG_SETMASK, &signals, NULL);
		settings_free(&s);
		if (e.text[0] == '\0')
			break;
	}
	free(c.image);
	if (e.text[0] != '\0') {
		fprintf(stderr, "calque: %s\n", e.text);
		status = 1;
	}
	return status;
}
