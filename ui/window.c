/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's side of the window: when to look at the display, what goes to SDL's side, the title. */
#include "ui/window.h"

#include "base/err.h"
#include "base/util.h"
#include "ui/console.h"
#include "ui/utf8.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { HIDDEN_MS = 500, NOTE_MS = 5000 };

enum { PASTE_HOLD_MS = 10 };

struct rect
rect_union(struct rect a, struct rect b)
{
	unsigned right = MAX(a.x + a.w, b.x + b.w), bottom = MAX(a.y + a.h, b.y + b.h);

	if (a.w == 0 || a.h == 0)
		return b;
	if (b.w == 0 || b.h == 0)
		return a;
	a.x = MIN(a.x, b.x);
	a.y = MIN(a.y, b.y);
	a.w = right - a.x;
	a.h = bottom - a.y;
	return a;
}

const struct window_tab *
window_tab(const struct window *w)
{
	return &w->machine.tabs[w->machine.tab];
}

void
window_wake(struct window *w)
{
	SDL_Event event = { .type = w->event };

	if (w->shared.pending)
		return;
	w->shared.pending = SDL_PushEvent(&event) == 1;
}

/* ---- pixels ---- */

static struct rect
clip(struct rect r, unsigned width, unsigned height)
{
	r.x = MIN(r.x, width);
	r.y = MIN(r.y, height);
	r.w = MIN(r.w, width - r.x);
	r.h = MIN(r.h, height - r.y);
	return r;
}

/* The frame has the surface's size. */
static void
fit_frame(struct window_shared *s, const struct surface *from)
{
	size_t size = (size_t)from->width * from->height;

	if (s->width == from->width && s->height == from->height)
		return;
	if (size > s->pixels_size) {
		free(s->pixels);
		s->pixels = xcalloc(size, sizeof(*s->pixels));
		s->pixels_size = size;
	}
	s->width = from->width;
	s->height = from->height;
	s->resized = true;
}

static void
copy_frame(struct window *w, const struct surface *from, struct rect r)
{
	struct window_shared *s = &w->shared;

	pthread_mutex_lock(&s->lock);
	fit_frame(s, from);
	if (s->resized)
		r = (struct rect){ 0, 0, from->width, from->height };
	r = clip(r, from->width, from->height);
	for (unsigned y = r.y; y < r.y + r.h; y++)
		memcpy(s->pixels + (size_t)y * s->width + r.x,
			(const char *)from->pixels + (size_t)y * from->stride + 4ul * r.x, 4ul * r.w);
	s->damage = rect_union(s->damage, r);
	window_wake(w);
	pthread_mutex_unlock(&s->lock);
}

static void
viewer_damage(void *opaque, unsigned x, unsigned y, unsigned width, unsigned height)
{
	struct window *w = opaque;

	w->machine.damage = rect_union(w->machine.damage, (struct rect){ x, y, width, height });
}

static void
viewer_resized(void *opaque, const struct surface *s)
{
	struct window *w = opaque;

	w->machine.damage = (struct rect){ 0, 0, s->width, s->height };
}

enum { POINTER_LARGEST = 256 };

static void
viewer_pointer(void *opaque, const uint32_t *image, unsigned width, unsigned height, unsigned hot_x, unsigned hot_y)
{
	struct window *w = opaque;
	struct window_shared *s = &w->shared;
	bool there = image != NULL && width != 0 && height != 0 && width <= POINTER_LARGEST && height <= POINTER_LARGEST;

	pthread_mutex_lock(&s->lock);
	free(s->pointer);
	s->pointer = NULL;
	if (there) {
		s->pointer = xcalloc((size_t)width * height, sizeof(*image));
		memcpy(s->pointer, image, sizeof(*image) * width * height);
	}
	s->pointer_width = width;
	s->pointer_height = height;
	s->hot_x = MIN(hot_x, there ? width - 1 : 0);
	s->hot_y = MIN(hot_y, there ? height - 1 : 0);
	s->pointer_changed = true;
	window_wake(w);
	pthread_mutex_unlock(&s->lock);
}

/* Did the picture change? */
static bool
look_at_display(struct window *w)
{
	struct display *d = window_tab(w)->display;
	const struct surface *s;

	w->machine.damage = (struct rect){ 0 };
	s = d->update != NULL ? d->update(d->opaque) : NULL;
	if (s == NULL || s->pixels == NULL || s->width == 0 || s->height == 0 || w->machine.damage.w == 0)
		return false;
	copy_frame(w, s, w->machine.damage);
	return true;
}

/* ---- the title ---- */

static void
make_title(struct window *w, char *title, size_t size)
{
	struct window_machine *m = &w->machine;
	const struct window_ops *ops = &w->config.ops;
	bool running = ops->is_running(ops->opaque);
	const char *about = "", *what;

	if (pace_now_ns() < m->note_ends_ns)
		about = m->note;
	else if (m->closing)
		about = "asked to switch off; close again to end it now";
	what = window_tab(w)->title;
	snprintf(title, size, "%s%s%s - %s%s%s%s%s", w->name != NULL ? w->name : "", w->name != NULL ? " - " : "", "calque",
		running ? "running" : ops->state(ops->opaque), m->tab != 0 ? " - " : "", m->tab != 0 ? what : "",
		*about != '\0' ? " - " : "", about);
}

static void
refresh_title(struct window *w)
{
	struct window_shared *s = &w->shared;
	char title[WINDOW_TITLE];
	bool absolute = input_is_absolute(w->config.input);

	make_title(w, title, sizeof(title));
	pthread_mutex_lock(&s->lock);
	if (strcmp(title, s->title) != 0 || absolute != s->absolute) {
		snprintf(s->title, sizeof(s->title), "%s", title);
		s->retitled = true;
		s->absolute = absolute;
		window_wake(w);
	}
	pthread_mutex_unlock(&s->lock);
}

void
window_note(struct window *w, const char *text)
{
	snprintf(w->machine.note, sizeof(w->machine.note), "%s", text);
	w->machine.note_ends_ns = pace_now_ns() + NOTE_MS * 1000000ull;
	window_look(w);
}

/* ---- text that is typed into the guest ---- */

/* All keys of the next character, as far as there is room: one left out would change the text. */
static bool
type_character(struct window *w, uint32_t code)
{
	struct stroke strokes[LAYOUT_STROKES];
	unsigned n = layout_strokes(w->config.layout, code, strokes);

	if (n == 0)
		w->machine.paste_skipped++;
	for (unsigned i = 0; i < n; i++)
		if (!key_queue_push(w->config.keys, strokes[i].keys, strokes[i].count, PASTE_HOLD_MS))
			return i != 0;
	return true;
}

static void
go_on_pasting(struct window *w)
{
	struct window_machine *m = &w->machine;
	char text[80];

	if (m->paste == NULL || !w->config.ops.is_running(w->config.ops.opaque))
		return;
	while (m->paste[m->paste_at] != '\0') {
		const char *from = m->paste + m->paste_at, *p = from;

		if (!type_character(w, utf8_take(&p, from + strlen(from))))
			return;
		m->paste_at += (size_t)(p - from);
	}
	if (m->paste_skipped != 0) {
		snprintf(text, sizeof(text), "%u characters are not on this keyboard: see -k", m->paste_skipped);
		window_note(w, text);
	}
	free(m->paste);
	m->paste = NULL;
}

/* ---- when to look ---- */

void
window_look(struct window *w)
{
	pace_soon(&w->machine.pace);
}

static void
look(void *opaque)
{
	struct window *w = opaque;
	uint64_t spent = pace_spent_ns();
	bool busy;

	go_on_pasting(w);
	refresh_title(w);
	if (!w->machine.visible) {
		pace_rest(&w->machine.pace, HIDDEN_MS);
		return;
	}
	pthread_mutex_lock(&w->shared.lock);
	busy = w->shared.damage.w != 0; /* the last picture isn't drawn yet: this one can wait */
	spent -= w->shared.draw_ns;
	pthread_mutex_unlock(&w->shared.lock);
	busy = busy || look_at_display(w);
	pace_next(&w->machine.pace, busy, pace_spent_ns() - spent);
}

void
window_switch(struct window *w, unsigned tab)
{
	struct window_machine *m = &w->machine;

	if (tab >= w->tab_count)
		return;
	display_remove_viewer(window_tab(w)->display, &m->viewer);
	viewer_pointer(w, NULL, 0, 0, 0, 0);
	input_release(w->config.input);
	m->tab = tab;
	display_add_viewer(window_tab(w)->display, &m->viewer);
	window_look(w);
}

/* ---- beginning and end ---- */

bool
window_built(void)
{
	return true;
}

const char *
window_missing(void)
{
	if (getenv("DISPLAY") == NULL && getenv("WAYLAND_DISPLAY") == NULL && getenv("SDL_VIDEODRIVER") == NULL)
		return "there is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set)";
	return NULL;
}

static bool
start_thread(struct window *w, struct err *e)
{
	struct window_shared *s = &w->shared;
	int error = pthread_create(&w->thread, NULL, window_thread, w);

	if (error != 0)
		return err_set(e, "no thread for the window: %s", strerror(error));
	pthread_mutex_lock(&s->lock);
	while (s->progress == WINDOW_STARTING)
		pthread_cond_wait(&s->started, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (s->progress == WINDOW_UP)
		return true;
	pthread_join(w->thread, NULL);
	return err_set(e, "%s", s->reason);
}

static void
free_window(struct window *w)
{
	for (unsigned i = 0; i < w->shared.order_count; i++)
		free(w->shared.orders[i].text);
	pthread_mutex_destroy(&w->shared.lock);
	pthread_cond_destroy(&w->shared.started);
	pace_free(&w->machine.pace);
	free(w->shared.pixels);
	free(w->shared.pointer);
	free(w->shared.clip);
	free(w->machine.paste);
	free(w->name);
	free(w);
}

struct window *
window_new(const struct window_config *config, const struct window_tab *tabs, unsigned count, struct err *e)
{
	struct window *w = xcalloc(1, sizeof(*w));
	struct window_machine *m = &w->machine;

	w->config = *config;
	w->name = config->name != NULL ? xstrdup(config->name) : NULL;
	w->tab_count = MIN(count, (unsigned)WINDOW_TABS);
	for (unsigned i = 0; i < w->tab_count; i++) {
		m->tabs[i] = tabs[i];
		w->is_text[i] = tabs[i].console != NULL;
		if (tabs[i].console != NULL)
			m->tabs[i].display = console_display(tabs[i].console);
	}
	pthread_mutex_init(&w->shared.lock, NULL);
	pthread_cond_init(&w->shared.started, NULL);
	m->visible = true;
	if (!pace_init(&m->pace, look, w, e) || !start_thread(w, e)) {
		free_window(w);
		return NULL;
	}
	m->viewer = (struct display_viewer){ w, viewer_damage, viewer_resized, viewer_pointer, NULL };
	display_add_viewer(window_tab(w)->display, &m->viewer);
	pace_start(&m->pace, config->loop);
	return w;
}

void
window_free(struct window *w)
{
	if (w == NULL)
		return;
	pace_free(&w->machine.pace);
	display_remove_viewer(window_tab(w)->display, &w->machine.viewer);
	input_release(w->config.input);
	pthread_mutex_lock(&w->shared.lock);
	w->shared.quit = true;
	window_wake(w);
	pthread_mutex_unlock(&w->shared.lock);
	pthread_join(w->thread, NULL);
	free_window(w);
}
