/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A multiplexer: several users share one character device.  All of them write; what is typed goes to the one that has the
 * focus.  Ctrl-A starts a command.
 */
#include "ui/chr.h"

#include "base/util.h"

#include <stdlib.h>

enum { FRONTS = 8, FRONT_BYTES = 4096, ESCAPE = 1 };

struct front {
	struct chr chr;
	struct chr_mux *mux;            /* NULL: it was closed */
	bool greeted;                   /* was told CHR_OPENED */
	bool delivering;
	uint8_t waiting[FRONT_BYTES];   /* typed, and not taken yet */
	size_t count;
};

struct chr_mux {
	struct chr chr;
	struct chr *base;
	struct chr_mux_ops ops;
	struct front *fronts[FRONTS];
	unsigned count, focus;
	bool escaped;
};

static const char help_text[] =
	"\r\n"
	"C-a h    print this help\r\n"
	"C-a x    exit the emulator\r\n"
	"C-a s    save disk data back to file\r\n"
	"C-a b    send break\r\n"
	"C-a c    switch to the next user: console, monitor\r\n"
	"C-a C-a  sends C-a\r\n";

/* ---- fronts ---- */

static size_t
front_write(struct chr *c, const uint8_t *data, size_t len)
{
	struct front *f = (struct front *)c;

	return f->mux != NULL ? chr_write(f->mux->base, data, len) : len;
}

static void
front_deliver(struct chr *c)
{
	struct front *f = (struct front *)c;
	uint8_t data[256];
	size_t n;

	if (f->delivering)
		return;
	f->delivering = true;
	while (f->count != 0 && (n = MIN(MIN(chr_room(c), sizeof(data)), f->count)) != 0) {
		memcpy(data, f->waiting, n);
		f->count -= n;
		memmove(f->waiting, f->waiting + n, f->count);
		chr_deliver(c, data, n);
	}
	f->delivering = false;
}

static void
front_resume(struct chr *c)
{
	struct front *f = (struct front *)c;

	front_deliver(c);
	if (f->mux != NULL)
		chr_accept(f->mux->base);
}

static bool
has_focus(const struct front *f)
{
	return f->mux != NULL && f->mux->count != 0 && f->mux->fronts[f->mux->focus] == f;
}

/* Its turn: the first time it is as if a peer came. */
static void
greet(struct front *f)
{
	if (!f->chr.has_user)
		return;
	chr_tell(&f->chr, f->greeted ? CHR_FOCUS : CHR_OPENED);
	f->greeted = true;
}

static void
front_attached(struct chr *c)
{
	struct front *f = (struct front *)c;

	f->greeted = false;
	if (has_focus(f) && f->mux->base->open)
		greet(f);
}

static void
front_close(struct chr *c)
{
	struct front *f = (struct front *)c;
	struct chr_mux *m = f->mux;

	if (m == NULL)
		return;
	for (unsigned i = 0; i < m->count; i++) {
		if (m->fronts[i] != f)
			continue;
		memmove(&m->fronts[i], &m->fronts[i + 1], (m->count - i - 1) * sizeof(m->fronts[0]));
		m->count--;
		break;
	}
	if (m->focus >= m->count)
		m->focus = 0;
}

static const struct chr_ops front_ops = { front_write, NULL, front_resume, front_attached, front_close };

/* ---- the base's user ---- */

static void
switch_focus(struct chr_mux *m)
{
	if (m->count == 0)
		return;
	m->focus = (m->focus + 1) % m->count;
	greet(m->fronts[m->focus]);
	front_deliver(&m->fronts[m->focus]->chr);
}

static void
put(struct chr_mux *m, uint8_t byte)
{
	struct front *f = m->count != 0 ? m->fronts[m->focus] : NULL;

	if (f != NULL && f->count < FRONT_BYTES)
		f->waiting[f->count++] = byte;
}

static void
command(struct chr_mux *m, uint8_t byte)
{
	switch (byte) {
	case 'h':
	case '?':
		chr_write(m->base, help_text, sizeof(help_text) - 1);
		break;
	case 'x':
		chr_write(m->base, "\r\ncalque: terminated\r\n", 22);
		if (m->ops.quit != NULL)
			m->ops.quit(m->ops.opaque);
		break;
	case 's':
		if (m->ops.sync != NULL)
			m->ops.sync(m->ops.opaque);
		break;
	case 'b':
		if (m->count != 0)
			chr_tell(&m->fronts[m->focus]->chr, CHR_BREAK);
		break;
	case 'c':
		switch_focus(m);
		break;
	case ESCAPE:
		put(m, ESCAPE);
		break;
	}
}

static size_t
mux_can_receive(void *opaque)
{
	struct chr_mux *m = opaque;

	return m->count == 0 ? FRONT_BYTES : FRONT_BYTES - m->fronts[m->focus]->count;
}

static void
mux_receive(void *opaque, const uint8_t *data, size_t len)
{
	struct chr_mux *m = opaque;

	for (size_t i = 0; i < len; i++) {
		if (m->escaped) {
			m->escaped = false;
			command(m, data[i]);
		} else if (data[i] == ESCAPE) {
			m->escaped = true;
		} else {
			put(m, data[i]);
		}
	}
	if (m->count != 0)
		front_deliver(&m->fronts[m->focus]->chr);
}

static void
mux_event(void *opaque, enum chr_event event)
{
	struct chr_mux *m = opaque;

	if (event == CHR_OPENED && m->count != 0)
		greet(m->fronts[m->focus]);
	for (unsigned i = 0; i < m->count; i++) {
		struct front *f = m->fronts[i];

		if (event == CHR_DRAINED) {
			chr_flush(&f->chr);
		} else if (event == CHR_CLOSED && f->greeted) {
			f->greeted = false;
			chr_tell(&f->chr, CHR_CLOSED);
		}
	}
	if (event == CHR_BREAK && m->count != 0)
		chr_tell(&m->fronts[m->focus]->chr, CHR_BREAK);
}

static void
mux_close(struct chr *c)
{
	struct chr_mux *m = (struct chr_mux *)c;

	for (unsigned i = 0; i < m->count; i++)
		m->fronts[i]->mux = NULL;
	chr_close(m->base);
}

static const struct chr_ops mux_ops = { .close = mux_close };

struct chr *
chr_mux_new(struct chr *base, const struct chr_mux_ops *ops)
{
	struct chr_mux *m = (struct chr_mux *)chr_alloc(sizeof(*m), &mux_ops, base->loop, base->id, xstrdup("mux"));
	const struct chr_user user = { m, mux_can_receive, mux_receive, mux_event };

	m->chr.open = true;
	m->base = base;
	m->ops = ops != NULL ? *ops : (struct chr_mux_ops){ .quit = NULL };
	chr_attach(base, &user);
	return &m->chr;
}

struct chr *
chr_mux_front(struct chr *mux)
{
	struct chr_mux *m = (struct chr_mux *)mux;
	struct front *f;

	if (m->count == FRONTS)
		return NULL;
	f = (struct front *)chr_alloc(sizeof(*f), &front_ops, mux->loop, mux->id, xasprintf("mux:%s", m->base->about));
	f->mux = m;
	f->chr.open = true;
	m->fronts[m->count++] = f;
	return &f->chr;
}
