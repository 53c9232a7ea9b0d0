/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's commands about pointers, and about devices that come and go. */
#include "vm/monitor_cmd.h"

#include "base/err.h"
#include "base/util.h"
#include "ui/ui.h"

#include <stdlib.h>

#define CMD(id, names, args, shown, help) void cmd_##id(struct mon *m, const struct mon_args *a);
#include "vm/monitor.def"
#undef CMD

enum { MOVE_MAX = 32767 };

static bool
is_pointer(const struct input_sink *s)
{
	return s->move != NULL || s->point != NULL;
}

/* A number, which may be negative; 0 if none was given.  It is cut to what a movement may be. */
static bool
number(struct mon *m, const struct mon_arg *a, int *out)
{
	char *end;
	long v = a->given ? strtol(a->text, &end, 0) : 0;

	if (a->given && (end == a->text || *end != '\0')) {
		mon_printf(m, "Error: '%s' is no number\n", a->text);
		return false;
	}
	*out = (int)(v > MOVE_MAX ? MOVE_MAX : v < -MOVE_MAX ? -MOVE_MAX : v);
	return true;
}

void
mon_show_mice(struct mon *m)
{
	unsigned n = 0;

	for (const struct input_sink *s = m->view->input->sinks; s != NULL; s = s->next) {
		if (!is_pointer(s))
			continue;
		mon_printf(m, "%c Mouse #%u: %s%s\n", n == 0 ? '*' : ' ', n, s->name, s->point != NULL ? " (absolute)" : "");
		n++;
	}
	if (n == 0)
		mon_printf(m, "No mouse devices connected\n");
}

void
cmd_mouse_set(struct mon *m, const struct mon_args *a)
{
	unsigned n = 0;

	if (m->view->input == NULL) {
		mon_unsupported(m, "mouse_set");
		return;
	}
	for (struct input_sink *s = m->view->input->sinks; s != NULL; s = s->next) {
		if (is_pointer(s) && n++ == a->v[0].number) {
			input_activate(m->view->input, s);
			return;
		}
	}
	mon_printf(m, "Error: there is no mouse %llu: see info mice\n", (unsigned long long)a->v[0].number);
}

void
cmd_mouse_move(struct mon *m, const struct mon_args *a)
{
	struct input *in = m->view->input;
	int x, y, z;

	if (!number(m, &a->v[0], &x) || !number(m, &a->v[1], &y) || !number(m, &a->v[2], &z))
		return;
	if (in == NULL)
		mon_unsupported(m, "mouse_move");
	else if (input_is_absolute(in))
		input_point(in, (unsigned)MAX(x, 0), (unsigned)MAX(y, 0), z, 0, in->buttons);
	else
		input_move(in, x, y, z, 0, in->buttons);
}

void
cmd_mouse_button(struct mon *m, const struct mon_args *a)
{
	struct input *in = m->view->input;
	unsigned buttons = a->v[0].number & 31;

	if (in == NULL)
		mon_unsupported(m, "mouse_button");
	else if (input_is_absolute(in))
		input_point(in, in->x, in->y, 0, 0, buttons);
	else
		input_move(in, 0, 0, 0, 0, buttons);
}

static void
call(struct mon *m, bool (*function)(void *opaque, const char *text, struct err *e), const char *name, const char *text)
{
	struct err e = { "" };

	if (function == NULL)
		mon_unsupported(m, name);
	else if (!function(m->view->opaque, text, &e))
		mon_printf(m, "Error: %s\n", e.text);
}

void
cmd_device_add(struct mon *m, const struct mon_args *a)
{
	call(m, m->view->device_add, "device_add", a->v[0].text);
}

void
cmd_device_del(struct mon *m, const struct mon_args *a)
{
	call(m, m->view->device_del, "device_del", a->v[0].text);
}
