/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine in its window, or on a terminal: which consoles there are, and what the window asks for. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/util.h"

#include <string.h>

static const char *
state(void *opaque)
{
	return machine_state_name(opaque);
}

static bool
is_running(void *opaque)
{
	return ((struct machine *)opaque)->state == RUN_RUNNING;
}

static void
pause_machine(void *opaque, bool on)
{
	if (on)
		machine_stop(opaque);
	else
		machine_cont(opaque, NULL);
}

static void
power_button(void *opaque)
{
	machine_power_button(opaque);
}

static void
quit(void *opaque)
{
	machine_request_exit(opaque, 0);
}

/* The line behind SPEC, without "mon:"; "vc" is a text console, if there is something to show it. */
struct chr *
machine_open_line(struct machine *m, const char *id, const char *spec, struct err *e)
{
	const char *kind = strncmp(spec, "mon:", 4) == 0 ? spec + 4 : spec;
	struct console *c;

	if (m->settings->display == DISPLAY_NONE || strncmp(kind, "vc", 2) != 0 || (kind[2] != '\0' && kind[2] != ':'))
		return chr_open(m->loop, id, spec, e);
	if (m->console_count == ARRAY_SIZE(m->consoles)) {
		err_set(e, "%zu text consoles are the most", ARRAY_SIZE(m->consoles));
		return NULL;
	}
	c = console_new(m->loop, id, kind[2] == ':' ? kind + 3 : NULL, e);
	if (c == NULL)
		return NULL;
	m->consoles[m->console_count++] = c;
	return console_chr(c);
}

static unsigned
add_consoles(struct machine *m, struct window_tab *tabs, unsigned count, bool monitors)
{
	for (unsigned i = 0; i < m->console_count; i++) {
		const char *id = chr_id(console_chr(m->consoles[i]));

		if ((strcmp(id, "monitor") == 0) == monitors)
			tabs[count++] = (struct window_tab){ .title = id, .console = m->consoles[i] };
	}
	return count;
}

static bool
open_sdl(struct machine *m, const struct window_tab *tabs, unsigned count, struct err *e)
{
	struct settings *s = m->settings;
	struct err why = { "" };

	s->window.loop = m->loop;
	s->window.name = s->name;
	s->window.ops = (struct window_ops){ m, state, is_running, pause_machine, power_button, quit };
	s->window.input = &m->input;
	s->window.keys = m->keys;
	m->window = window_new(&s->window, tabs, count, &why);
	return m->window != NULL || settings_no_window(why.text, e);
}

static bool
open_curses(struct machine *m, const struct window_tab *tabs, unsigned count, struct err *e)
{
	struct curses_config config = { m->loop, m->settings->charset, &m->input, m->keys, m->settings->window.layout, m, is_running, quit };

	m->curses = curses_new(&config, tabs, count, e);
	return m->curses != NULL || err_prefix(e, "-display curses: ");
}

/* The screen comes first, then the monitor, then the other lines. */
bool
machine_open_window(struct machine *m, struct err *e)
{
	struct settings *s = m->settings;
	struct window_tab tabs[1 + ARRAY_SIZE(m->consoles)];
	unsigned count = 0;

	if (s->display == DISPLAY_NONE)
		return true;
	if (m->display != NULL)
		tabs[count++] = (struct window_tab){ .title = "screen", .display = m->display };
	count = add_consoles(m, tabs, count, true);
	count = add_consoles(m, tabs, count, false);
	if (count == 0)
		return err_set(e, "nothing to show: no display adapter and no text console; add -vga std, or use -display none");
	return s->display == DISPLAY_CURSES ? open_curses(m, tabs, count, e) : open_sdl(m, tabs, count, e);
}
