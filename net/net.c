/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ends, the cables between them, and what waits in those.
 *
 * A frame that an end can't take waits in the queue in front of it.  The sender is told to stop when QUEUE_STOP bytes are
 * there; one that goes on nevertheless loses what comes after QUEUE_MOST.  An end is never in receive() twice: a frame
 * that comes meanwhile waits, and what is left after FLUSH_MOST frames goes on in the loop's next turn, so that frames
 * which go round in a ring of hubs don't hold up the machine.
 */
#include "net/backend.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum { FRAME_LEAST = 14, QUEUE_STOP = 256 * 1024, QUEUE_MOST = 4 * 1024 * 1024, QUEUE_FRAMES = 4096, FLUSH_MOST = 64 };

struct waiting {
	struct waiting *next;
	size_t len;
	uint16_t segment;
	bool needs_sum;
	uint8_t bytes[];
};

struct net_end {
	struct net *net;
	char *id;
	const struct net_end_ops *ops;
	void *opaque;
	struct net_end *peer;
	bool down;              /* set_link: pulled out at this side */
	bool receiving;         /* its receive() is being called */
	bool more;              /* the loop is to flush it */
	struct waiting *first, **last;
	size_t queued, queued_bytes;
	struct net_tap *taps;
	void (*writable)(void *opaque);
	void *writable_opaque;
	struct net_end *next;
};

struct net {
	struct loop *loop;
	struct net_end *ends;   /* in the order of creation */
	struct port *ports;     /* of hubs */
	struct dump *dumps;
	struct net_devices devices;
	bool posted;
};

/* ---- ends ---- */

struct net *
net_new(struct loop *l)
{
	struct net *n = xcalloc(1, sizeof(*n));

	n->loop = l;
	return n;
}

struct loop *
net_loop(struct net *n)
{
	return n->loop;
}

struct port **
net_ports(struct net *n)
{
	return &n->ports;
}

void
net_set_devices(struct net *n, const struct net_devices *d)
{
	n->devices = *d;
}

const struct net_devices *
net_devices(struct net *n)
{
	return &n->devices;
}

struct dump **
net_dumps(struct net *n)
{
	return &n->dumps;
}

static void
drop_queue(struct net_end *end)
{
	while (end->first != NULL) {
		struct waiting *w = end->first;

		end->first = w->next;
		free(w);
	}
	end->last = &end->first;
	end->queued = end->queued_bytes = 0;
}

static void
tell_link(struct net_end *end, bool up)
{
	if (end->ops->link != NULL)
		end->ops->link(end->opaque, up);
}

/* To the sender, if there is room in the queue of END again. */
static void
tell_writable(struct net_end *end)
{
	struct net_end *from = end->peer;

	if (from != NULL && from->writable != NULL && end->queued_bytes < QUEUE_STOP / 2) {
		void (*writable)(void *) = from->writable;

		from->writable = NULL;
		writable(from->writable_opaque);
	}
}

void
net_end_close(struct net_end *end)
{
	if (end->ops->close != NULL)
		end->ops->close(end->opaque);
	net_end_free(end);
}

void
net_free(struct net *n)
{
	if (n == NULL)
		return;
	while (n->ends != NULL)
		net_end_close(n->ends);
	dumps_free(n->dumps);
	free(n);
}

struct net_end *
net_find(struct net *n, const char *id)
{
	for (struct net_end *end = n->ends; end != NULL; end = end->next) {
		if (strcmp(end->id, id) == 0)
			return end;
	}
	return NULL;
}

/* "e1000.0", "user.1": the first that is free. */
static char *
make_id(struct net *n, const char *kind)
{
	for (unsigned i = 0;; i++) {
		char *id = xasprintf("%s.%u", kind, i);

		if (net_find(n, id) == NULL)
			return id;
		free(id);
	}
}

struct net_end *
net_end_new(struct net *n, const char *id, const struct net_end_ops *ops, void *opaque)
{
	struct net_end *end = xcalloc(1, sizeof(*end)), **last = &n->ends;

	end->net = n;
	end->id = id != NULL ? xstrdup(id) : make_id(n, ops->kind);
	end->ops = ops;
	end->opaque = opaque;
	end->last = &end->first;
	while (*last != NULL)
		last = &(*last)->next;
	*last = end;
	return end;
}

void
net_end_free(struct net_end *end)
{
	struct net_end **p = &end->net->ends;
	struct net_end *peer = end->peer;
	bool was_up = net_link_up(end);

	while (*p != end)
		p = &(*p)->next;
	*p = end->next;
	drop_queue(end);
	if (peer != NULL) {
		tell_writable(end);
		peer->peer = NULL;
		drop_queue(peer);
		if (was_up)
			tell_link(peer, false);
	}
	free(end->id);
	free(end);
}

const char *
net_end_id(const struct net_end *end)
{
	return end->id;
}

bool
net_connect(struct net_end *a, struct net_end *b, struct err *e)
{
	if (a->peer != NULL || b->peer != NULL) {
		const struct net_end *taken = a->peer != NULL ? a : b;

		return err_set(e, "'%s' is connected to '%s' already; a hub (-netdev hubport) joins more than two", taken->id,
			taken->peer->id);
	}
	a->peer = b;
	b->peer = a;
	if (net_link_up(a)) {
		tell_link(a, true);
		tell_link(b, true);
	}
	return true;
}

bool
net_link_up(const struct net_end *end)
{
	return end->peer != NULL && !end->down && !end->peer->down;
}

bool
net_peer_takes_segments(const struct net_end *end)
{
	return end->peer != NULL && end->peer->ops->takes_segments;
}

void
net_add_tap(struct net_end *end, struct net_tap *t)
{
	t->next = end->taps;
	end->taps = t;
}

/* ---- frames ---- */

static void
show_taps(const struct net_end *end, const struct net_frame *f)
{
	for (struct net_tap *t = end->taps; t != NULL; t = t->next)
		t->see(t->opaque, f);
}

static bool
deliver(struct net_end *to, const struct net_frame *f)
{
	to->receiving = true;
	bool taken = to->ops->receive(to->opaque, f);
	to->receiving = false;
	return taken;
}

size_t
net_gather(const struct net_frame *f, void *bytes, size_t size)
{
	size_t done = 0;

	for (unsigned i = 0; i < f->count && done < size; i++) {
		size_t n = MIN(f->iov[i].iov_len, size - done);

		memcpy((uint8_t *)bytes + done, f->iov[i].iov_base, n);
		done += n;
	}
	return done;
}

static void
enqueue(struct net_end *to, const struct net_frame *f)
{
	if (to->queued == QUEUE_FRAMES || to->queued_bytes + f->len > QUEUE_MOST)
		return;
	struct waiting *w = xcalloc(1, sizeof(*w) + f->len);

	w->len = net_gather(f, w->bytes, f->len);
	w->segment = f->segment;
	w->needs_sum = f->needs_sum;
	*to->last = w;
	to->last = &w->next;
	to->queued++;
	to->queued_bytes += w->len;
}

/* One more of what waits is taken. */
static bool
deliver_first(struct net_end *to)
{
	struct waiting *w = to->first;
	struct iovec iov = { w->bytes, w->len };
	struct net_frame f = { .iov = &iov, .count = 1, .len = w->len, .segment = w->segment, .needs_sum = w->needs_sum };

	/* While it is away, the queue may be emptied, by set_link for one. */
	to->first = w->next;
	if (to->first == NULL)
		to->last = &to->first;
	to->queued--;
	to->queued_bytes -= w->len;
	if (deliver(to, &f)) {
		free(w);
		return true;
	}
	w->next = to->first;
	to->first = w;
	if (w->next == NULL)
		to->last = &w->next;
	to->queued++;
	to->queued_bytes += w->len;
	return false;
}

static void flush_posted(void *opaque);

static void
flush_later(struct net_end *to)
{
	to->more = true;
	if (!to->net->posted)
		loop_post(to->net->loop, flush_posted, to->net);
	to->net->posted = true;
}

static void
flush(struct net_end *to)
{
	unsigned n = 0;

	if (to->receiving)
		return;
	while (to->first != NULL && n++ < FLUSH_MOST) {
		if (!deliver_first(to))
			break;
	}
	if (n > FLUSH_MOST)
		flush_later(to);
	tell_writable(to);
}

static void
flush_posted(void *opaque)
{
	struct net *n = opaque;

	n->posted = false;
	for (struct net_end *end = n->ends; end != NULL; end = end->next) {
		bool more = end->more;

		end->more = false;
		if (more)
			flush(end);
	}
}

/* A frame as it is fit for the other end. */
static bool
send_fit(void *opaque, const struct net_frame *f)
{
	struct net_end *from = opaque, *to = from->peer;

	if (to->first == NULL && !to->receiving) {
		bool taken = deliver(to, f);

		/* What came for it meanwhile. */
		if (taken && to->first != NULL)
			flush_later(to);
		if (taken)
			return true;
	}
	enqueue(to, f);
	return to->queued_bytes < QUEUE_STOP;
}

bool
net_send(struct net_end *from, const struct net_frame *f)
{
	struct net_end *to = from->peer;

	if (!net_link_up(from) || f->len < FRAME_LEAST || f->len > (f->segment != 0 ? NET_FRAME_MAX : NET_FRAME_WIRE))
		return true;
	show_taps(from, f);
	show_taps(to, f);
	if ((f->segment != 0 || f->needs_sum) && !to->ops->takes_segments)
		return net_make_plain(f, send_fit, from);
	return send_fit(from, f);
}

bool
net_send_bytes(struct net_end *from, const void *bytes, size_t len)
{
	struct iovec iov = { (void *)bytes, len };
	struct net_frame f = { .iov = &iov, .count = 1, .len = len };

	return net_send(from, &f);
}

void
net_ready(struct net_end *end)
{
	flush(end);
}

void
net_on_writable(struct net_end *end, void (*writable)(void *opaque), void *opaque)
{
	end->writable = writable;
	end->writable_opaque = opaque;
}

/* ---- back ends ---- */

static const struct net_kind *
find_kind(const char *name)
{
	for (const struct net_kind *k = net_kinds; k->name != NULL; k++) {
		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

void
net_kind_names(void (*each)(void *opaque, const char *name), void *opaque)
{
	for (const struct net_kind *k = net_kinds; k->name != NULL; k++) {
		if (k->open != NULL && (k->open != user_open || net_has_user()))
			each(opaque, k->name);
	}
}

static struct net_end *
open_backend(struct net *n, struct keyval *k, struct err *e)
{
	const char *type = keyval_str(k, "type"), *id = keyval_str(k, "id");
	const struct net_kind *kind = type != NULL ? find_kind(type) : NULL;

	if (kind == NULL) {
		err_set(e, "'%s' is not a known kind of network; -netdev help lists them", type != NULL ? type : "");
		return NULL;
	}
	if (kind->open == NULL) {
		err_set(e, "%s is not supported: %s", type, kind->reason);
		return NULL;
	}
	if (id != NULL && net_find(n, id) != NULL) {
		err_set(e, "there is a network end '%s' already; choose another id", id);
		return NULL;
	}
	struct net_end *end = kind->open(n, id, k, e);

	if (end != NULL && !keyval_end(k, e)) {
		net_end_close(end);
		return NULL;
	}
	return end;
}

struct net_end *
net_add_backend(struct net *n, const char *spec, struct err *e)
{
	struct keyval k;
	struct net_end *end = keyval_parse(&k, spec, "type", e) ? open_backend(n, &k, e) : NULL;

	keyval_free(&k);
	return end;
}

bool
net_remove_backend(struct net *n, const char *id, struct err *e)
{
	struct net_end *end = net_find(n, id);

	if (end == NULL || end->ops->close == NULL)
		return err_set(e, "there is no back end '%s'", id);
	net_end_close(end);
	return true;
}

bool
net_set_link(struct net *n, const char *id, bool up, struct err *e)
{
	struct net_end *end = net_find(n, id);

	if (end == NULL)
		return err_set(e, "there is no card or network '%s'; info network lists them", id);
	bool was_up = net_link_up(end);

	end->down = !up;
	if (net_link_up(end) == was_up)
		return true;
	if (was_up) {
		drop_queue(end);
		drop_queue(end->peer);
	}
	tell_link(end, !was_up);
	tell_link(end->peer, !was_up);
	tell_writable(end);
	tell_writable(end->peer);
	return true;
}

/* ---- info ---- */

static void
print_end(const struct net_end *end, const char *margin, void (*line)(void *opaque, const char *text), void *opaque)
{
	char about[512] = "";
	char *text;

	if (end->ops->describe != NULL)
		end->ops->describe(end->opaque, about, sizeof(about));
	text = xasprintf("%s%s: index=0,type=%s%s%s%s", margin, end->id, end->ops->close == NULL ? "nic" : end->ops->kind,
		about[0] != '\0' ? "," : "", about, end->down ? ",link=off" : "");
	line(opaque, text);
	free(text);
	for (const struct net_tap *t = end->taps; t != NULL; t = t->next) {
		text = xasprintf("%s  filter %s", margin, t->about);
		line(opaque, text);
		free(text);
	}
}

static bool
is_before(const struct net_end *end, const struct net_end *other)
{
	while (end != NULL && end != other)
		end = end->next;
	return end != NULL;
}

void
net_walk(struct net *n, void (*line)(void *opaque, const char *text), void *opaque)
{
	for (const struct net_end *end = n->ends; end != NULL; end = end->next) {
		if (end->ops->close != NULL)
			continue;
		print_end(end, "", line, opaque);
		if (end->peer != NULL)
			print_end(end->peer, " \\ ", line, opaque);
	}
	/* Back ends that no card has, or another one: ports of hubs. */
	for (const struct net_end *end = n->ends; end != NULL; end = end->next) {
		if (end->ops->close == NULL || (end->peer != NULL && (end->peer->ops->close == NULL || !is_before(end, end->peer))))
			continue;
		print_end(end, "", line, opaque);
		if (end->peer != NULL)
			print_end(end->peer, " \\ ", line, opaque);
	}
}

bool
net_hostfwd(struct net *n, const char *id, const char *rule, bool add, struct err *e)
{
	struct net_end *end = id != NULL ? net_find(n, id) : n->ends;

	while (end != NULL && id == NULL && end->ops->forward == NULL)
		end = end->next;
	if (end == NULL)
		return id == NULL ? err_set(e, "there is no user network") : err_set(e, "there is no network '%s'", id);
	if (end->ops->forward == NULL)
		return err_set(e, "'%s' is not a user network", id);
	return end->ops->forward(end->opaque, rule, add, e);
}

void
net_user_info(struct net *n, void (*line)(void *opaque, const char *text), void *opaque)
{
	for (struct net_end *end = n->ends; end != NULL; end = end->next) {
		if (end->ops->connections == NULL)
			continue;
		line(opaque, end->id);
		end->ops->connections(end->opaque, line, opaque);
	}
}
