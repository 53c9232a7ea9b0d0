/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices: what all kinds have in common, and which kind a specification means. */
#include "ui/chr.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct chr *
chr_alloc(size_t size, const struct chr_ops *ops, struct loop *l, const char *id, char *about)
{
	struct chr *c = xcalloc(1, size);

	c->ops = ops;
	c->loop = l;
	c->id = xstrdup(id != NULL ? id : "chr");
	c->about = about;
	return c;
}

void
chr_close(struct chr *c)
{
	if (c == NULL)
		return;
	c->has_user = false;
	if (c->ops->close != NULL)
		c->ops->close(c);
	free(c->queue);
	free(c->about);
	free(c->id);
	free(c);
}

const char *
chr_id(const struct chr *c)
{
	return c->id;
}

void
chr_describe(const struct chr *c, char *text, size_t size)
{
	snprintf(text, size, "%s: filename=%s%s", c->id, c->open ? "" : "disconnected:", c->about);
}

/* ---- towards the user ---- */

void
chr_attach(struct chr *c, const struct chr_user *user)
{
	c->has_user = user != NULL;
	if (user == NULL)
		return;
	c->user = *user;
	if (c->ops->attached != NULL)
		c->ops->attached(c);
	else if (c->open)
		chr_tell(c, CHR_OPENED);
	chr_accept(c);
}

void
chr_accept(struct chr *c)
{
	if (c->ops->resume != NULL && chr_room(c) != 0)
		c->ops->resume(c);
}

size_t
chr_room(struct chr *c)
{
	if (!c->has_user)
		return 0;
	return c->user.can_receive != NULL ? c->user.can_receive(c->user.opaque) : CHR_READ_BYTES;
}

void
chr_deliver(struct chr *c, const uint8_t *data, size_t len)
{
	if (c->has_user && len != 0 && c->user.receive != NULL)
		c->user.receive(c->user.opaque, data, len);
}

void
chr_tell(struct chr *c, enum chr_event event)
{
	if (c->has_user && c->user.event != NULL)
		c->user.event(c->user.opaque, event);
}

void
chr_set_open(struct chr *c, bool open)
{
	if (c->open == open)
		return;
	c->open = open;
	c->queued = 0;
	c->refused = false;
	if (c->ops->want_write != NULL && !open)
		c->ops->want_write(c, false);
	chr_tell(c, open ? CHR_OPENED : CHR_CLOSED);
}

/* ---- towards the host ---- */

void
chr_flush(struct chr *c)
{
	size_t n = c->queued != 0 ? c->ops->write(c, c->queue, c->queued) : 0;

	if (n != 0) {
		c->queued -= MIN(n, c->queued);
		memmove(c->queue, c->queue + n, c->queued);
	}
	if (c->ops->want_write != NULL)
		c->ops->want_write(c, c->queued != 0);
	if (c->queued == 0 && c->refused) {
		c->refused = false;
		chr_tell(c, CHR_DRAINED);
	}
}

size_t
chr_write(struct chr *c, const void *data, size_t len)
{
	size_t n = 0, more;

	if (c->ops->write == NULL || !c->open)
		return len;
	if (c->queued == 0)
		n = c->ops->write(c, data, len);
	if (n >= len || !c->open)
		return len;
	if (c->queue == NULL)
		c->queue = xcalloc(1, CHR_QUEUE_BYTES);
	more = MIN(len - n, CHR_QUEUE_BYTES - c->queued);
	memcpy(c->queue + c->queued, (const uint8_t *)data + n, more);
	c->queued += more;
	if (n + more < len)
		c->refused = true;
	if (c->ops->want_write != NULL)
		c->ops->want_write(c, true);
	return n + more;
}

/* ---- descriptors ---- */

static void
stop_reading(struct chr_pump *p)
{
	if (p->in_watch != NULL)
		loop_remove_fd(p->in_watch);
	p->in_watch = NULL;
}

/* Hands over what was read; true: all of it. */
static bool
pump_deliver(struct chr_pump *p)
{
	size_t room, n;

	if (p->delivering)
		return false;
	p->delivering = true;
	while (p->first < p->end && (room = chr_room(p->chr)) != 0) {
		n = MIN(room, p->end - p->first);
		p->first += n;
		chr_deliver(p->chr, p->data + p->first - n, n);
	}
	p->delivering = false;
	return p->first == p->end;
}

static void
pump_readable(void *opaque, short revents)
{
	struct chr_pump *p = opaque;
	ssize_t n;

	(void)revents;
	/* Not watched at all rather than for nothing: poll(2) reports a hang-up even then. */
	if (!pump_deliver(p) || chr_room(p->chr) == 0) {
		stop_reading(p);
		return;
	}
	n = read(p->in, p->data, sizeof(p->data));
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		if (p->datagrams)
			return;
		p->wants_in = false;
		stop_reading(p);
		p->ended(p->chr);
		return;
	}
	p->first = 0;
	p->end = p->filter != NULL ? p->filter(p->chr, p->data, n) : (size_t)n;
	pump_deliver(p);
}

static void
pump_writable(void *opaque, short revents)
{
	struct chr_pump *p = opaque;

	(void)revents;
	chr_flush(p->chr);
}

void
chr_pump_resume(struct chr_pump *p)
{
	if (pump_deliver(p) && p->wants_in && p->in_watch == NULL)
		p->in_watch = loop_add_fd(p->chr->loop, p->in, POLLIN, pump_readable, p);
}

void
chr_pump_start(struct chr_pump *p)
{
	p->wants_in = p->in >= 0;
	p->first = p->end = 0;
	chr_pump_resume(p);
}

void
chr_pump_want_write(struct chr_pump *p, bool on)
{
	if (on && p->out_watch == NULL && p->out >= 0)
		p->out_watch = loop_add_fd(p->chr->loop, p->out, POLLOUT, pump_writable, p);
	if (!on && p->out_watch != NULL) {
		loop_remove_fd(p->out_watch);
		p->out_watch = NULL;
	}
}

void
chr_pump_stop(struct chr_pump *p)
{
	p->wants_in = false;
	stop_reading(p);
	chr_pump_want_write(p, false);
}

/* ---- nothing ---- */

static const struct chr_ops null_ops = { .write = NULL };

static struct chr *
open_null(struct loop *l, const char *id, const char *about)
{
	struct chr *c = chr_alloc(sizeof(*c), &null_ops, l, id, xstrdup(about));

	c->open = true;
	return c;
}

/* ---- specifications ---- */

/* What follows PREFIX in SPEC, or NULL. */
static const char *
after(const char *spec, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(spec, prefix, n) == 0 ? spec + n : NULL;
}

/* "mon:" in front makes the owner put a multiplexer before what this opens; then Ctrl-C belongs to the guest. */
struct chr *
chr_open(struct loop *l, const char *id, const char *spec, struct err *e)
{
	const char *rest, *inner = after(spec, "mon:");
	bool signals = inner == NULL;

	spec = inner != NULL ? inner : spec;
	if (strcmp(spec, "null") == 0 || strcmp(spec, "none") == 0 || after(spec, "vc") != NULL)
		return open_null(l, id, spec);
	if ((rest = after(spec, "stdio")) != NULL) {
		if (*rest == '\0' || strcmp(rest, ",signal=on") == 0)
			return chr_open_stdio(l, id, signals, e);
		if (strcmp(rest, ",signal=off") == 0)
			return chr_open_stdio(l, id, false, e);
	} else if ((rest = after(spec, "file:")) != NULL) {
		return chr_open_file(l, id, rest, e);
	} else if ((rest = after(spec, "pipe:")) != NULL) {
		return chr_open_pipe(l, id, rest, e);
	} else if (strcmp(spec, "pty") == 0) {
		return chr_open_pty(l, id, e);
	} else if ((rest = after(spec, "tcp:")) != NULL) {
		return chr_open_socket(l, id, rest, SOCKET_TCP, e);
	} else if ((rest = after(spec, "telnet:")) != NULL) {
		return chr_open_socket(l, id, rest, SOCKET_TELNET, e);
	} else if ((rest = after(spec, "unix:")) != NULL) {
		return chr_open_socket(l, id, rest, SOCKET_UNIX, e);
	} else if ((rest = after(spec, "udp:")) != NULL) {
		return chr_open_udp(l, id, rest, e);
	} else if (after(spec, "/dev/") != NULL) {
		return chr_open_device(l, id, spec, e);
	} else if ((rest = after(spec, "chardev:")) != NULL) {
		err_set(e, "there is no character device \"%s\": give a -chardev of that id first", rest);
		return NULL;
	}
	err_set(e, "\"%s\" is no character device: use stdio, null, none, pty, file:PATH, pipe:PATH, tcp:HOST:PORT, telnet:HOST:PORT, "
		"unix:PATH, udp:HOST:PORT, vc, a path in /dev, or mon: before one of them", spec);
	return NULL;
}
