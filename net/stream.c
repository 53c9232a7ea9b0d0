/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Frames over a stream: -netdev stream, and socket with listen=, connect= or fd=.  Each frame has its length before it, four
 * bytes with the highest first, as QEMU has it.  A server has one peer at a time; the next waits until it has gone.
 * What is sent while nobody is there is lost, as with a cable that ends nowhere.
 */
#define _GNU_SOURCE /* accept4 */
#include "net/address.h"
#include "net/backend.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { LENGTH_MOST = 69632, IN_BYTES = 2 * LENGTH_MOST, CONNECT_MS = 5000 };

struct stream {
	struct net_end *end;
	struct loop *loop;
	int fd;                         /* the peer's; -1: nobody is there */
	struct loop_fd *watch;
	bool connecting;                /* it is on its way */
	int listener;                   /* -1: a client */
	struct loop_fd *listen_watch;
	struct net_address address;
	uint64_t reconnect_ns;          /* 0: never again */
	struct timer retry;
	bool paused;                    /* the other end takes no more */
	size_t in_len;
	size_t out_first, out_end;      /* the rest of a frame that went only in part */
	uint8_t in[IN_BYTES];
	uint8_t out[4 + NET_FRAME_MAX];
};

static void try_connect(void *opaque);

/* ---- the peer comes and goes ---- */

static void
watch_peer(struct stream *s)
{
	bool writes = s->connecting || s->out_first < s->out_end;

	if (s->watch != NULL)
		loop_set_events(s->watch, (short)((s->paused || s->connecting ? 0 : POLLIN) | (writes ? POLLOUT : 0)));
}

static void
lose_peer(struct stream *s)
{
	loop_remove_fd(s->watch);
	close(s->fd);
	s->watch = NULL;
	s->fd = -1;
	s->connecting = false;
	s->in_len = s->out_first = s->out_end = 0;
	if (s->listen_watch != NULL)
		loop_set_events(s->listen_watch, POLLIN);
	if (s->reconnect_ns != 0)
		timer_set(&s->retry, clock_now(loop_clock(s->loop)) + s->reconnect_ns);
	net_ready(s->end);
}

/* Hands on what has come whole.  False: the peer doesn't speak our language. */
static bool
take_frames(struct stream *s)
{
	size_t at = 0;
	bool ok = true;

	while (!s->paused && s->in_len - at >= 4) {
		const uint8_t *p = s->in + at;
		size_t len = (size_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3];

		ok = len <= LENGTH_MOST;
		if (!ok || s->in_len - at - 4 < len)
			break;
		at += 4 + len;
		s->paused = !net_send_bytes(s->end, p + 4, len);
	}
	memmove(s->in, s->in + at, s->in_len - at);
	s->in_len -= at;
	return ok;
}

static void
resume(void *opaque)
{
	struct stream *s = opaque;

	s->paused = false;
	if (s->fd < 0)
		return;
	if (!take_frames(s))
		lose_peer(s);
	if (s->paused)
		net_on_writable(s->end, resume, s);
	watch_peer(s);
}

static void
read_peer(struct stream *s)
{
	ssize_t n = recv(s->fd, s->in + s->in_len, sizeof(s->in) - s->in_len, MSG_DONTWAIT);

	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) {
		lose_peer(s);
		return;
	}
	s->in_len += n > 0 ? (size_t)n : 0;
	if (!take_frames(s)) {
		lose_peer(s);
		return;
	}
	if (s->paused)
		net_on_writable(s->end, resume, s);
}

static void
write_peer(struct stream *s)
{
	ssize_t n = send(s->fd, s->out + s->out_first, s->out_end - s->out_first, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n > 0)
		s->out_first += (size_t)n;
	/* The reading side finds out what an error means. */
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		s->out_first = s->out_end;
	if (s->out_first == s->out_end) {
		s->out_first = s->out_end = 0;
		net_ready(s->end);
	}
}

static void
peer_ready(void *opaque, short events)
{
	struct stream *s = opaque;
	int error = 0;
	socklen_t len = sizeof(error);

	if (s->connecting) {
		getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0) {
			lose_peer(s);
			return;
		}
		s->connecting = false;
	} else {
		if ((events & POLLOUT) != 0 && s->out_first < s->out_end)
			write_peer(s);
		if ((events & (POLLIN | POLLHUP | POLLERR)) != 0 && s->fd >= 0 && !s->paused)
			read_peer(s);
	}
	watch_peer(s);
}

static void
take_peer(struct stream *s, int fd, bool connecting)
{
	int on = 1;

	s->fd = fd;
	s->connecting = connecting;
	s->paused = false;
	/* Fails for what isn't TCP. */
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	s->watch = loop_add_fd(s->loop, fd, 0, peer_ready, s);
	watch_peer(s);
	if (s->listen_watch != NULL)
		loop_set_events(s->listen_watch, 0);
}

static void
accept_peer(void *opaque, short events)
{
	struct stream *s = opaque;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	(void)events;
	if (fd >= 0)
		take_peer(s, fd, false);
}

/* ---- the end ---- */

static bool
stream_receive(void *opaque, const struct net_frame *f)
{
	struct stream *s = opaque;
	uint8_t length[4] = { f->len >> 24, f->len >> 16, f->len >> 8, f->len };
	struct iovec iov[1 + NET_IOV_MAX] = { { length, sizeof(length) } };
	struct msghdr message = { .msg_iov = iov, .msg_iovlen = 1 + f->count };
	ssize_t n;

	if (s->fd < 0 || s->connecting || f->count > NET_IOV_MAX)
		return true;
	if (s->out_first < s->out_end)
		return false;
	memcpy(iov + 1, f->iov, f->count * sizeof(*iov));
	n = sendmsg(s->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		return true;
	if (n == (ssize_t)(sizeof(length) + f->len))
		return true;
	memcpy(s->out, length, sizeof(length));
	net_gather(f, s->out + sizeof(length), f->len);
	s->out_first = n > 0 ? (size_t)n : 0;
	s->out_end = sizeof(length) + f->len;
	watch_peer(s);
	return true;
}

static void
stream_describe(void *opaque, char *text, size_t size)
{
	const struct stream *s = opaque;
	char where[160];

	address_text(&s->address, where, sizeof(where));
	snprintf(text, size, "%s%s,%s", s->listener >= 0 ? "listen=" : s->address.fd >= 0 ? "" : "connect=", where,
		s->fd >= 0 && !s->connecting ? "connected" : "nobody there");
}

static void
stream_close(void *opaque)
{
	struct stream *s = opaque;

	timer_cancel(&s->retry);
	loop_remove_fd(s->watch);
	loop_remove_fd(s->listen_watch);
	if (s->fd >= 0)
		close(s->fd);
	if (s->listener >= 0) {
		close(s->listener);
		address_unlink(&s->address);
	}
	free(s);
}

static const struct net_end_ops stream_ops = {
	.kind = "stream",
	.receive = stream_receive,
	.describe = stream_describe,
	.close = stream_close,
};

static const struct net_end_ops socket_ops = {
	.kind = "socket",
	.receive = stream_receive,
	.describe = stream_describe,
	.close = stream_close,
};

/* ---- its beginning ---- */

static struct stream *
new_stream(struct net *n, const struct net_address *a)
{
	struct stream *s = xcalloc(1, sizeof(*s));

	s->loop = net_loop(n);
	s->fd = s->listener = -1;
	s->address = *a;
	timer_init(&s->retry, loop_clock(s->loop), try_connect, s);
	return s;
}

static bool
start_server(struct stream *s, struct err *e)
{
	int on = 1, fd;

	address_clean(&s->address, SOCK_STREAM);
	fd = socket(s->address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd >= 0 && s->address.any.sa_family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (fd < 0 || bind(fd, &s->address.any, s->address.len) != 0 || listen(fd, 1) != 0) {
		err_set(e, "%s", address_why(errno, true));
		if (fd >= 0)
			close(fd);
		return false;
	}
	s->listener = fd;
	s->listen_watch = loop_add_fd(s->loop, fd, POLLIN, accept_peer, s);
	return true;
}

/* A connection under way or made; -1 with errno set. */
static int
begin_connect(const struct net_address *a, bool *under_way)
{
	int fd = socket(a->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;

	if (fd < 0)
		return -1;
	*under_way = connect(fd, &a->any, a->len) != 0;
	if (!*under_way || errno == EINPROGRESS)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static void
try_connect(void *opaque)
{
	struct stream *s = opaque;
	bool under_way;
	int fd = begin_connect(&s->address, &under_way);

	if (fd >= 0)
		take_peer(s, fd, under_way);
	else
		timer_set(&s->retry, clock_now(loop_clock(s->loop)) + s->reconnect_ns);
}

/* Once and for all: the user hears at once that nobody is there. */
static bool
connect_now(struct stream *s, struct err *e)
{
	bool under_way;
	int fd = begin_connect(&s->address, &under_way), error = errno;
	socklen_t len = sizeof(error);

	if (fd >= 0 && under_way) {
		struct pollfd p = { fd, POLLOUT, 0 };

		error = poll(&p, 1, CONNECT_MS) == 1 ? 0 : ETIMEDOUT;
		if (error == 0)
			getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
		if (error != 0)
			close(fd);
	}
	if (fd < 0 || (under_way && error != 0))
		return err_set(e, "%s", address_why(error, false));
	take_peer(s, fd, false);
	return true;
}

static bool
start(struct stream *s, bool server, struct err *e)
{
	char where[160];

	address_text(&s->address, where, sizeof(where));
	if (s->address.fd >= 0 && server) {
		s->listener = s->address.fd;
		s->listen_watch = loop_add_fd(s->loop, s->listener, POLLIN, accept_peer, s);
		return true;
	}
	if (s->address.fd >= 0) {
		take_peer(s, s->address.fd, false);
		return true;
	}
	if (server)
		return start_server(s, e) || err_prefix(e, "%s: ", where);
	if (s->reconnect_ns != 0) {
		try_connect(s);
		return true;
	}
	return connect_now(s, e) || err_prefix(e, "%s: ", where);
}

static struct net_end *
open_stream(struct net *n, const char *id, const struct net_end_ops *ops, const struct net_address *a, bool server,
	uint64_t reconnect_s, struct err *e)
{
	struct stream *s = new_stream(n, a);

	s->reconnect_ns = reconnect_s * NS_PER_SEC;
	if (!start(s, server, e)) {
		stream_close(s);
		return NULL;
	}
	s->end = net_end_new(n, id, ops, s);
	return s->end;
}

struct net_end *
stream_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	struct net_address a;
	bool server = false, given;
	uint64_t reconnect_s = 0;

	if (!keyval_bool(k, "server", &server, e) || !keyval_uint(k, "reconnect", UINT32_MAX, &reconnect_s, e) ||
	    !address_take(&a, k, "addr", SOCK_STREAM, server, &given, e))
		return NULL;
	if (!given) {
		err_set(e, "addr.type=inet|unix|fd is missing");
		return NULL;
	}
	if (reconnect_s != 0 && (server || a.fd >= 0)) {
		err_set(e, "reconnect= is for clients; leave it out");
		return NULL;
	}
	return open_stream(n, id, &stream_ops, &a, server, reconnect_s, e);
}

struct net_end *
socket_open_stream(struct net *n, const char *id, const char *where, bool server, struct err *e)
{
	struct net_address a;

	if (!address_parse(&a, where, SOCK_STREAM, server, e))
		return NULL;
	return open_stream(n, id, &socket_ops, &a, server, 0, e);
}

struct net_end *
socket_open_stream_fd(struct net *n, const char *id, int fd, struct err *e)
{
	struct net_address a = { .fd = fd };

	return open_stream(n, id, &socket_ops, &a, false, 0, e);
}
