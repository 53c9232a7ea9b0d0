/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What people do in the window, on its way to the machine. */
#include "ui/window.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "ui/console.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum { PASTE_MOST = 65536, COMBINATION_HOLD_MS = 100 };

/* ---- from SDL's side ---- */

/* Movements add up: no queue gets long by them. */
static bool
merge(struct order *last, const struct order *o)
{
	if (last->kind != o->kind || last->buttons != o->buttons)
		return false;
	if (o->kind == ORDER_MOVE) {
		last->a += o->a;
		last->b += o->b;
	} else if (o->kind == ORDER_POINT) {
		last->a = o->a;
		last->b = o->b;
	} else {
		return false;
	}
	last->c += o->c;
	last->d += o->d;
	return true;
}

void
window_order(struct window *w, const struct order *o)
{
	struct window_shared *s = &w->shared;

	pthread_mutex_lock(&s->lock);
	if (s->order_count == 0 || !merge(&s->orders[s->order_count - 1], o)) {
		if (s->order_count < WINDOW_ORDERS) {
			s->orders[s->order_count++] = *o;
		} else {
			s->lost_keys = true;
			free(o->text);
		}
	}
	if (!s->posted) {
		s->posted = true;
		loop_post(w->config.loop, window_carry_out, w);
	}
	pthread_mutex_unlock(&s->lock);
}

/* ---- on the machine's side ---- */

static void
take_screenshot(struct window *w)
{
	struct display *d = window_tab(w)->display;
	struct err e = { "" };
	char name[64], text[120];
	time_t now = time(NULL);
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(name, sizeof(name), "calque-%Y%m%d-%H%M%S", &tm);
	for (unsigned i = 0; i < 100; i++) {
		char *path = i == 0 ? xasprintf("%s.png", name) : xasprintf("%s-%u.png", name, i);
		bool taken = access(path, F_OK) == 0;

		if (!taken && surface_save(d->update(d->opaque), path, &e))
			snprintf(text, sizeof(text), "saved as %s", path);
		else
			snprintf(text, sizeof(text), "%.110s", e.text);
		free(path);
		if (!taken)
			break;
	}
	window_note(w, text);
}

/* A machine that can't answer the button is ended at once. */
static void
close_window(struct window *w)
{
	const struct window_ops *ops = &w->config.ops;

	if (w->config.ignore_close) {
		window_note(w, "closing is switched off (window-close=off)");
	} else if (w->machine.closing || !ops->is_running(ops->opaque)) {
		ops->quit(ops->opaque);
	} else {
		w->machine.closing = true;
		ops->power_button(ops->opaque);
		window_look(w);
	}
}

static void
copy_selection(struct window *w)
{
	struct console *c = window_tab(w)->console;
	char *text = c != NULL ? console_selection(c) : NULL;

	if (text == NULL)
		return;
	pthread_mutex_lock(&w->shared.lock);
	free(w->shared.clip);
	w->shared.clip = text;
	window_wake(w);
	pthread_mutex_unlock(&w->shared.lock);
}

/* A second text comes after what is still to be typed. */
static void
paste(struct window *w, const char *text)
{
	struct window_machine *m = &w->machine;

	if (window_tab(w)->console != NULL) {
		console_paste(window_tab(w)->console, text);
		return;
	}
	if (w->config.keys == NULL)
		return;
	if (m->paste != NULL && strlen(m->paste + m->paste_at) > PASTE_MOST) {
		window_note(w, "the last text is still being typed");
		return;
	}
	char *all = xasprintf("%s%.*s", m->paste != NULL ? m->paste + m->paste_at : "", PASTE_MOST, text);
	free(m->paste);
	m->paste = all;
	m->paste_at = 0;
	m->paste_skipped = 0;
	if (strlen(text) > PASTE_MOST)
		window_note(w, "the text is too long: only its beginning is typed");
}

/* Text consoles always have the window's size; the guest is told only what people want. */
static void
wish(struct window *w, unsigned width, unsigned height, bool by_people)
{
	for (unsigned i = 0; i < w->tab_count; i++) {
		struct display *d = w->machine.tabs[i].display;

		if (d->wish != NULL && (by_people || w->is_text[i]))
			d->wish(d->opaque, width, height);
	}
}

/* Who presses a key has had enough of it. */
static void
stop_pasting(struct window *w)
{
	if (w->machine.paste == NULL)
		return;
	free(w->machine.paste);
	w->machine.paste = NULL;
	window_note(w, "the rest of the text is not typed");
}

static void
send_ctrl_alt_delete(struct window *w)
{
	static const uint16_t keys[] = { 0x1d, 0x38, 0xe053 };

	if (w->config.keys != NULL)
		key_queue_push(w->config.keys, keys, ARRAY_SIZE(keys), COMBINATION_HOLD_MS);
}

static void
carry_out_input(struct window *w, const struct order *o)
{
	struct input *in = w->config.input;

	switch (o->kind) {
	case ORDER_KEY:
		if (o->down)
			stop_pasting(w);
		input_key(in, (unsigned)o->a, o->down);
		break;
	case ORDER_MOVE:
		input_move(in, o->a, o->b, o->c, o->d, o->buttons);
		break;
	case ORDER_POINT:
		input_point(in, (unsigned)o->a, (unsigned)o->b, o->c, o->d, o->buttons);
		break;
	default:
		input_release(in);
	}
}

static void
carry_out_console(struct window *w, const struct order *o)
{
	struct console *c = window_tab(w)->console;

	if (c == NULL)
		return;
	switch (o->kind) {
	case ORDER_TYPE:
		console_type(c, o->text, strlen(o->text));
		break;
	case ORDER_CONSOLE_KEY:
		console_key(c, (enum console_key)o->a, (unsigned)o->b);
		break;
	case ORDER_SCROLL:
		console_scroll(c, o->a);
		break;
	default:
		console_select(c, (enum select_how)o->c, o->a, o->b);
	}
}

static void
carry_out(struct window *w, const struct order *o)
{
	const struct window_ops *ops = &w->config.ops;

	switch (o->kind) {
	case ORDER_KEY: case ORDER_MOVE: case ORDER_POINT: case ORDER_RELEASE:
		carry_out_input(w, o);
		break;
	case ORDER_TYPE: case ORDER_CONSOLE_KEY: case ORDER_SCROLL: case ORDER_SELECT:
		carry_out_console(w, o);
		break;
	case ORDER_TAB:
		window_switch(w, (unsigned)o->a);
		break;
	case ORDER_COPY:
		copy_selection(w);
		break;
	case ORDER_PASTE:
		paste(w, o->text);
		break;
	case ORDER_CTRL_ALT_DELETE:
		send_ctrl_alt_delete(w);
		break;
	case ORDER_SCREENSHOT:
		take_screenshot(w);
		break;
	case ORDER_PAUSE:
		ops->pause(ops->opaque, ops->is_running(ops->opaque));
		break;
	case ORDER_CLOSE:
		close_window(w);
		break;
	case ORDER_QUIT:
		ops->quit(ops->opaque);
		break;
	case ORDER_WISH:
		wish(w, (unsigned)o->a, (unsigned)o->b, o->down);
		break;
	case ORDER_VISIBLE:
		w->machine.visible = o->down;
		break;
	case ORDER_LOOK:
		break;
	}
}

void
window_carry_out(void *opaque)
{
	struct window *w = opaque;
	struct window_shared *s = &w->shared;
	struct order *orders;
	unsigned count;
	bool lost;

	pthread_mutex_lock(&s->lock);
	count = s->order_count;
	orders = xcalloc(count + 1, sizeof(*orders));
	memcpy(orders, s->orders, count * sizeof(*orders));
	s->order_count = 0;
	s->posted = false;
	lost = s->lost_keys;
	s->lost_keys = false;
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < count; i++) {
		carry_out(w, &orders[i]);
		free(orders[i].text);
	}
	free(orders);
	if (lost)
		input_release(w->config.input);
	window_look(w);
}
