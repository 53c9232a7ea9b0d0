/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's side of the screen in a terminal: when to look at it, and what goes to the terminal's side. */
#include "ui/curses_int.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "ui/chr.h"
#include "ui/console.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* How long a terminal that takes nothing may hold up the end. */
enum { PATIENCE_S = 2 };

static void
wake(struct curses *c)
{
	uint64_t one = 1;

	/* A full counter is fine: the thread is awake then. */
	if (write(c->shared.wake_fd, &one, sizeof(one)) < 0)
		return;
}

void
curses_post(struct curses *c)
{
	if (c->shared.posted)
		return;
	c->shared.posted = true;
	loop_post(c->config.loop, curses_take_keys, c);
}

/* ---- pictures ---- */

static bool
same_picture(const struct text_picture *a, const struct text_picture *b)
{
	return a->columns == b->columns && a->rows == b->rows && a->cursor == b->cursor && a->cursor_x == b->cursor_x &&
		a->cursor_y == b->cursor_y && (a->columns == 0 || a->rows == 0 ||
		memcmp(a->cells, b->cells, (size_t)a->columns * a->rows * sizeof(*a->cells)) == 0);
}

static void
copy_picture(struct text_picture *to, const struct text_picture *from)
{
	text_picture_size(to, from->columns, from->rows);
	if (from->columns != 0 && from->rows != 0)
		memcpy(to->cells, from->cells, (size_t)from->columns * from->rows * sizeof(*to->cells));
	to->cursor = from->cursor;
	to->cursor_x = from->cursor_x;
	to->cursor_y = from->cursor_y;
}

/* Did it change? */
static bool
look_at_tab(struct curses *c, bool all)
{
	struct curses_machine *m = &c->machine;
	const struct window_tab *tab = &m->tabs[m->tab];
	struct text_picture old;

	if (tab->console != NULL) {
		if (!console_changed(tab->console) && !all)
			return false;
		curses_show_console(tab->console, &m->picture);
	} else {
		curses_show_display(c, tab->display, &m->picture);
	}
	if (!all && same_picture(&m->picture, &m->last))
		return false;
	pthread_mutex_lock(&c->shared.lock);
	copy_picture(&c->shared.picture, &m->picture);
	c->shared.changed = true;
	c->shared.redraw |= all;
	pthread_mutex_unlock(&c->shared.lock);
	wake(c);
	old = m->last;
	m->last = m->picture;
	m->picture = old;
	return true;
}

static void
fit_consoles(struct curses *c)
{
	for (unsigned i = 0; i < c->tab_count; i++)
		if (c->machine.tabs[i].console != NULL)
			console_fit(c->machine.tabs[i].console, c->shared.columns, c->shared.rows);
}

/* Has it another size?  A look now and then needs no signal, whose one handler would be the process's. */
static bool
look_at_size(struct curses *c)
{
	struct winsize size;

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0 ||
	    (size.ws_col == c->machine.columns && size.ws_row == c->machine.rows))
		return false;
	c->machine.columns = size.ws_col;
	c->machine.rows = size.ws_row;
	pthread_mutex_lock(&c->shared.lock);
	c->shared.columns = size.ws_col;
	c->shared.rows = size.ws_row;
	c->shared.resize = true;
	pthread_mutex_unlock(&c->shared.lock);
	fit_consoles(c);
	return true;
}

static void
look(void *opaque)
{
	struct curses *c = opaque;
	uint64_t spent = pace_spent_ns();
	bool all = look_at_size(c);

	if (c->machine.returns != terminal_returns()) {
		c->machine.returns = terminal_returns();
		all = true;
	}
	curses_type(c);
	pace_next(&c->machine.pace, look_at_tab(c, all), pace_spent_ns() - spent);
}

/* What another program may have written over it goes too. */
void
curses_switch(struct curses *c, unsigned tab)
{
	input_release(c->config.input);
	c->machine.tab = tab;
	look_at_tab(c, true);
}

/* ---- beginning and end ---- */

const char *
curses_missing(void)
{
	return NULL;
}

static bool
start_thread(struct curses *c, struct err *e)
{
	struct curses_shared *s = &c->shared;
	int error = pthread_create(&c->thread, NULL, curses_thread, c);

	if (error != 0)
		return err_set(e, "no thread for the terminal: %s", strerror(error));
	pthread_mutex_lock(&s->lock);
	while (s->progress == CURSES_STARTING)
		pthread_cond_wait(&s->progressed, &s->lock);
	pthread_mutex_unlock(&s->lock);
	if (s->progress == CURSES_UP)
		return true;
	pthread_join(c->thread, NULL);
	return err_set(e, "%s", s->reason);
}

static void
free_curses(struct curses *c)
{
	pthread_mutex_destroy(&c->shared.lock);
	pthread_cond_destroy(&c->shared.progressed);
	if (c->shared.wake_fd >= 0)
		close(c->shared.wake_fd);
	pace_free(&c->machine.pace);
	free(c->shared.picture.cells);
	free(c->machine.picture.cells);
	free(c->machine.last.cells);
	free(c);
}

static struct curses *
make(const struct curses_config *config, const struct window_tab *tabs, unsigned count)
{
	struct curses *c = xcalloc(1, sizeof(*c));
	pthread_condattr_t attr;

	c->config = *config;
	c->tab_count = MIN(count, (unsigned)CURSES_TABS);
	memcpy(c->machine.tabs, tabs, c->tab_count * sizeof(*tabs));
	c->machine.returns = terminal_returns();
	c->machine.pace.fd = -1;
	pthread_mutex_init(&c->shared.lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&c->shared.progressed, &attr);
	pthread_condattr_destroy(&attr);
	c->shared.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return c;
}

static bool
start(struct curses *c, struct err *e)
{
	if (c->shared.wake_fd < 0)
		return err_set(e, "no event for the terminal: %s", strerror(errno));
	if (!curses_charset(c->config.charset, c->charset, e) || !pace_init(&c->machine.pace, look, c, e))
		return false;
	if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
		return err_set(e, "standard input and output are no terminal; use -display none, or run it in one");
	if (!terminal_claim(true))
		return err_set(e, "stdio is in use already: give -serial or -monitor another character device");
	terminal_raw(false);
	if (start_thread(c, e))
		return true;
	terminal_restore();
	terminal_claim(false);
	return false;
}

struct curses *
curses_new(const struct curses_config *config, const struct window_tab *tabs, unsigned count, struct err *e)
{
	struct curses *c = make(config, tabs, count);

	if (!start(c, e)) {
		free_curses(c);
		return NULL;
	}
	fit_consoles(c);
	pace_start(&c->machine.pace, config->loop);
	return c;
}

/* False: the terminal takes nothing, and the thread is stuck in a write. */
static bool
await_end(struct curses *c)
{
	struct curses_shared *s = &c->shared;
	struct timespec until;
	int error = 0;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += PATIENCE_S;
	pthread_mutex_lock(&s->lock);
	while (s->progress != CURSES_ENDED && error == 0)
		error = pthread_cond_timedwait(&s->progressed, &s->lock, &until);
	pthread_mutex_unlock(&s->lock);
	return error == 0;
}

void
curses_free(struct curses *c)
{
	if (c == NULL)
		return;
	pace_free(&c->machine.pace);
	input_release(c->config.input);
	pthread_mutex_lock(&c->shared.lock);
	c->shared.quit = true;
	c->shared.posted = true; /* the loop is told no more */
	pthread_mutex_unlock(&c->shared.lock);
	wake(c);
	bool ended = await_end(c);
	if (!ended) {
		tcflush(STDOUT_FILENO, TCOFLUSH);
		ended = await_end(c);
	}
	terminal_screen("", "");
	terminal_restore();
	terminal_claim(false);
	if (!ended)
		return; /* the thread still has C; the process is about to end */
	pthread_join(c->thread, NULL);
	free_curses(c);
}
