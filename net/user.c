/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -netdev user: a network inside this process, whose host talks to the world by ordinary sockets (libslirp).
 *
 * Everything of libslirp runs under the machine's lock: frames of the guest go in as the card sends them, the sockets are
 * looked at in the loop's turns.
 */
#include "net/user.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

/* LITTLE: frames in answer to one, by which a connection doesn't go on. */
enum { LOOK_MOST = 32, LITTLE = 2 };

struct user {
	struct loop *loop;
	struct net_end *end;
	Slirp *slirp;
	struct loop_source source;
	struct user_guest *guests;
	char about[128];
	unsigned sent;          /* frames to the guest */
	bool inside;            /* in libslirp, between a turn's questions or a frame's way in */
	bool looked;            /* look_now() has numbered the sockets anew since prepare() */
	struct pollfd polled[LOOK_MOST];
	unsigned polled_count;
	uint8_t frame[NET_FRAME_MAX];
};

struct user_timer {
	struct timer timer;
	SlirpTimerCb fire;
	void *opaque;
};

/* ---- what libslirp calls ---- */

static ssize_t
send_packet(const void *bytes, size_t len, void *opaque)
{
	struct user *u = opaque;

	u->sent++;
	/* Before the card is connected, a hub's port too. */
	if (u->end != NULL)
		net_send_bytes(u->end, bytes, len);
	return (ssize_t)len;
}

static void
guest_error(const char *text, void *opaque)
{
	(void)text, (void)opaque;
}

static int64_t
now_ns(void *opaque)
{
	struct user *u = opaque;

	return (int64_t)clock_now(loop_clock(u->loop));
}

static void
timer_fired(void *opaque)
{
	struct user_timer *t = opaque;

	t->fire(t->opaque);
}

static void *
new_timer(SlirpTimerCb fire, void *timer_opaque, void *opaque)
{
	struct user *u = opaque;
	struct user_timer *t = xcalloc(1, sizeof(*t));

	t->fire = fire;
	t->opaque = timer_opaque;
	timer_init(&t->timer, loop_clock(u->loop), timer_fired, t);
	return t;
}

static void
free_timer(void *timer, void *opaque)
{
	struct user_timer *t = timer;

	(void)opaque;
	timer_cancel(&t->timer);
	free(t);
}

static void
set_timer(void *timer, int64_t at_ms, void *opaque)
{
	struct user_timer *t = timer;

	(void)opaque;
	timer_set(&t->timer, (uint64_t)at_ms * 1000000);
}

static void
watch_changed(int fd, void *opaque)
{
	struct user *u = opaque;

	(void)fd;
	loop_ask_again(u->loop);
}

static void
notify(void *opaque)
{
	struct user *u = opaque;

	loop_ask_again(u->loop);
}

static const SlirpCb callbacks = {
	.send_packet = send_packet,
	.guest_error = guest_error,
	.clock_get_ns = now_ns,
	.timer_new = new_timer,
	.timer_free = free_timer,
	.timer_mod = set_timer,
	.register_poll_fd = watch_changed,
	.unregister_poll_fd = watch_changed,
	.notify = notify,
};

/* ---- its sockets ---- */

static const struct { int slirp; short poll; } events[] = {
	{ SLIRP_POLL_IN, POLLIN }, { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI }, { SLIRP_POLL_ERR, POLLERR },
	{ SLIRP_POLL_HUP, POLLHUP },
};

static short
to_poll(int wanted)
{
	short set = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		set |= wanted & events[i].slirp ? events[i].poll : 0;
	return set;
}

static int
from_poll(short got)
{
	int set = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(events); i++)
		set |= got & events[i].poll ? events[i].slirp : 0;
	return set;
}

static int
add_poll(int fd, int wanted, void *opaque)
{
	struct user *u = opaque;

	return (int)loop_want(u->loop, fd, to_poll(wanted));
}

static int
get_events(int index, void *opaque)
{
	struct user *u = opaque;

	return from_poll(loop_got(u->loop, (unsigned)index));
}

/* While the machine stands, its clock does, and nothing falls due. */
static void
prepare(void *opaque, struct loop *l, uint64_t *wait_ns)
{
	struct user *u = opaque;
	uint32_t wait_ms = UINT32_MAX;

	slirp_pollfds_fill(u->slirp, &wait_ms, add_poll, u);
	u->looked = false;
	if (wait_ms != UINT32_MAX && clock_is_running(loop_clock(l)))
		*wait_ns = MIN(*wait_ns, (uint64_t)wait_ms * 1000000);
}

static void
ready(void *opaque, struct loop *l)
{
	struct user *u = opaque;

	(void)l;
	u->inside = true;
	/* Otherwise the next turn asks again. */
	if (!u->looked)
		slirp_pollfds_poll(u->slirp, 0, get_events, u);
	u->inside = false;
	user_guests_serve(u->guests);
}

static int
add_look(int fd, int wanted, void *opaque)
{
	struct user *u = opaque;

	if (u->polled_count == LOOK_MOST)
		return -1;
	u->polled[u->polled_count] = (struct pollfd){ .fd = fd, .events = to_poll(wanted) };
	return (int)u->polled_count++;
}

static int
look_events(int index, void *opaque)
{
	struct user *u = opaque;

	return from_poll(u->polled[index].revents);
}

/*
 * Looks at the sockets without waiting for the loop's turn.  Libslirp reads more of a connection once less than half of its
 * buffer is left, which is the window of 64 KiB that the guest then has acknowledged: until the loop is awake, nothing moves.
 * Downloads were 1.2x as fast by that (tests/bench/net.sh).
 */
static void
look_now(struct user *u)
{
	uint32_t wait_ms = UINT32_MAX;

	u->looked = true;
	u->polled_count = 0;
	slirp_pollfds_fill(u->slirp, &wait_ms, add_look, u);
	if (poll(u->polled, u->polled_count, 0) > 0)
		slirp_pollfds_poll(u->slirp, 0, look_events, u);
}

/* ---- the end ---- */

static bool
input(void *opaque, const struct net_frame *f)
{
	struct user *u = opaque;

	if (f->count == 1) {
		slirp_input(u->slirp, f->iov[0].iov_base, (int)f->len);
	} else {
		net_gather(f, u->frame, sizeof(u->frame));
		slirp_input(u->slirp, u->frame, (int)f->len);
	}
	return true;
}

static bool
user_receive(void *opaque, const struct net_frame *f)
{
	struct user *u = opaque;
	struct net_frame whole = *f;
	struct net_headers h;
	bool nested = u->inside;
	unsigned sent = u->sent;

	u->inside = true;
	/* It takes long segments of IPv4 alone; they need a checksum. */
	if (f->segment == 0 || !net_parse(f, &h) || !h.ipv6) {
		whole.needs_sum = f->needs_sum || f->segment != 0;
		whole.segment = 0;
	}
	if (whole.needs_sum || whole.segment != 0)
		net_make_plain(&whole, input, u);
	else
		input(u, &whole);
	if (!nested && u->sent - sent < LITTLE)
		look_now(u);
	u->inside = nested;
	/* What its sockets are polled for may be something else now. */
	loop_ask_again(u->loop);
	return true;
}

static void
user_describe(void *opaque, char *text, size_t size)
{
	const struct user *u = opaque;

	snprintf(text, size, "%s", u->about);
}

static void
user_close(void *opaque)
{
	struct user *u = opaque;

	loop_remove_source(u->loop, &u->source);
	slirp_cleanup(u->slirp);
	user_guests_free(u->guests);
	free(u);
}

static bool
user_forward(void *opaque, const char *rule, bool add, struct err *e)
{
	struct user *u = opaque;

	return add ? user_add_forward(u->slirp, rule, e) : user_remove_forward(u->slirp, rule, e);
}

/* The text is from GLib's allocator, which is malloc(). */
static void
user_connections(void *opaque, void (*line)(void *opaque, const char *text), void *to)
{
	struct user *u = opaque;
	char *text = slirp_connection_info(u->slirp), *rest = text, *one;

	while ((one = strsep(&rest, "\n")) != NULL) {
		if (*one != '\0')
			line(to, one);
	}
	free(text);
}

static const struct net_end_ops user_ops = {
	.kind = "user",
	.takes_segments = true,
	.receive = user_receive,
	.describe = user_describe,
	.forward = user_forward,
	.connections = user_connections,
	.close = user_close,
};

static bool
add_forwards(struct user *u, const struct net_devices *devices, struct keyval *k, struct err *e)
{
	const char *rule;

	for (unsigned at = 0; (rule = keyval_next(k, "hostfwd", &at)) != NULL;) {
		if (!user_add_forward(u->slirp, rule, e))
			return false;
	}
	for (unsigned at = 0; (rule = keyval_next(k, "guestfwd", &at)) != NULL;) {
		if (!user_add_guest(&u->guests, u->slirp, devices, rule, e))
			return false;
	}
	return true;
}

static void
note_about(struct user *u, const SlirpConfig *c)
{
	char net[INET6_ADDRSTRLEN];

	if (c->in_enabled)
		inet_ntop(AF_INET, &c->vnetwork, net, sizeof(net));
	else
		inet_ntop(AF_INET6, &c->vprefix_addr6, net, sizeof(net));
	snprintf(u->about, sizeof(u->about), "net=%s,restrict=%s", net, c->restricted ? "on" : "off");
}

bool
net_has_user(void)
{
	return true;
}

struct net_end *
user_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	struct user_config config;
	struct user *u;

	if (!user_configure(&config, k, e))
		return NULL;
	u = xcalloc(1, sizeof(*u));
	u->loop = net_loop(n);
	note_about(u, &config.slirp);
	u->slirp = slirp_new(&config.slirp, &callbacks, u);
	if (u->slirp == NULL || !add_forwards(u, net_devices(n), k, e)) {
		if (u->slirp == NULL)
			err_set(e, "libslirp refuses these settings");
		else
			slirp_cleanup(u->slirp);
		user_guests_free(u->guests);
		free(u);
		return NULL;
	}
	u->source = (struct loop_source){ .prepare = prepare, .ready = ready, .opaque = u };
	loop_add_source(u->loop, &u->source);
	u->end = net_end_new(n, id, &user_ops, u);
	return u->end;
}
