/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A frame a datagram: -netdev dgram, and socket with mcast= or udp=.
 *
 * A group (multicast) is a wire that any number of machines share.  Its frames come back to the host that sent them, for
 * other machines there; so that they don't come back to the sender itself, they leave by a socket of their own, by whose
 * address they are known.
 */
#include "net/address.h"
#include "net/backend.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TURN_MOST = 64 };

struct dgram {
	struct net_end *end;
	struct loop *loop;
	int fd, out_fd;                 /* out_fd: of a group; otherwise the same */
	struct loop_fd *watch, *out_watch;
	bool paused, blocked;           /* the other end, or the socket, takes no more */
	struct net_address local, remote; /* len 0: none */
	struct net_address own;         /* of out_fd, for a group */
	uint8_t in[NET_FRAME_MAX];
};

static void resume(void *opaque);

/* ---- frames ---- */

static void
watch_sockets(struct dgram *d)
{
	short in = d->paused ? 0 : POLLIN, out = d->blocked ? POLLOUT : 0;

	if (d->out_watch != NULL)
		loop_set_events(d->out_watch, out);
	loop_set_events(d->watch, (short)(in | (d->out_watch == NULL ? out : 0)));
}

static bool
is_own(const struct dgram *d, const struct net_address *from)
{
	const struct sockaddr_in *a = &from->in, *b = &d->own.in;

	if (d->out_fd == d->fd || from->any.sa_family != d->own.any.sa_family)
		return false;
	if (from->any.sa_family == AF_INET)
		return a->sin_port == b->sin_port && a->sin_addr.s_addr == b->sin_addr.s_addr;
	return from->in6.sin6_port == d->own.in6.sin6_port &&
		memcmp(&from->in6.sin6_addr, &d->own.in6.sin6_addr, sizeof(from->in6.sin6_addr)) == 0;
}

/* Errors are those of what was sent before, to somebody who isn't there: they end nothing. */
static void
read_frames(struct dgram *d)
{
	for (unsigned i = 0; i < TURN_MOST && !d->paused; i++) {
		struct net_address from = { .fd = -1 };
		ssize_t n;

		from.len = sizeof(from.un);
		n = recvfrom(d->fd, d->in, sizeof(d->in), MSG_DONTWAIT | MSG_TRUNC, &from.any, &from.len);
		if (n < 0)
			break;
		if ((size_t)n <= sizeof(d->in) && !is_own(d, &from))
			d->paused = !net_send_bytes(d->end, d->in, (size_t)n);
	}
	if (d->paused)
		net_on_writable(d->end, resume, d);
}

static void
resume(void *opaque)
{
	struct dgram *d = opaque;

	d->paused = false;
	watch_sockets(d);
}

static void
socket_ready(void *opaque, short events)
{
	struct dgram *d = opaque;
	bool was_blocked = d->blocked;

	if ((events & POLLOUT) != 0)
		d->blocked = false;
	if ((events & (POLLIN | POLLERR | POLLHUP)) != 0 && !d->paused)
		read_frames(d);
	watch_sockets(d);
	if (was_blocked && !d->blocked)
		net_ready(d->end);
}

/* The socket that frames of a group leave by. */
static void
out_ready(void *opaque, short events)
{
	struct dgram *d = opaque;

	(void)events;
	d->blocked = false;
	watch_sockets(d);
	net_ready(d->end);
}

static bool
dgram_receive(void *opaque, const struct net_frame *f)
{
	struct dgram *d = opaque;
	struct msghdr message = {
		.msg_name = d->remote.len > 0 ? &d->remote.any : NULL,
		.msg_namelen = d->remote.len,
		.msg_iov = (struct iovec *)f->iov,
		.msg_iovlen = f->count,
	};
	ssize_t n;

	do
		n = sendmsg(d->out_fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	/* poll() doesn't tell when somebody else's Unix socket has room again: what is too much is lost. */
	if (n >= 0 || errno != EAGAIN || (d->remote.len > 0 && d->remote.any.sa_family == AF_UNIX))
		return true;
	d->blocked = true;
	watch_sockets(d);
	return false;
}

/* ---- the end ---- */

static void
dgram_describe(void *opaque, char *text, size_t size)
{
	const struct dgram *d = opaque;
	char local[160] = "", remote[160] = "";

	if (d->local.len > 0 || d->local.fd >= 0)
		address_text(&d->local, local, sizeof(local));
	if (d->remote.len > 0)
		address_text(&d->remote, remote, sizeof(remote));
	snprintf(text, size, "%s%s%s%s%s", *local != '\0' ? "local=" : "", local, *local != '\0' && *remote != '\0' ? "," : "",
		*remote == '\0' ? "" : d->out_fd != d->fd ? "mcast=" : "remote=", remote);
}

static void
dgram_close(void *opaque)
{
	struct dgram *d = opaque;

	loop_remove_fd(d->watch);
	loop_remove_fd(d->out_watch);
	if (d->out_fd >= 0 && d->out_fd != d->fd)
		close(d->out_fd);
	if (d->fd >= 0)
		close(d->fd);
	if (d->local.len > 0)
		address_unlink(&d->local);
	free(d);
}

static const struct net_end_ops dgram_ops = {
	.kind = "dgram",
	.receive = dgram_receive,
	.describe = dgram_describe,
	.close = dgram_close,
};

static const struct net_end_ops socket_ops = {
	.kind = "socket",
	.receive = dgram_receive,
	.describe = dgram_describe,
	.close = dgram_close,
};

/* ---- its beginning ---- */

static int
new_socket(const struct net_address *a, struct err *e)
{
	int fd = socket(a->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		err_set(e, "%s", strerror(errno));
	return fd;
}

static bool
bind_to(int fd, const struct net_address *a, struct err *e)
{
	char where[160];

	address_text(a, where, sizeof(where));
	return bind(fd, &a->any, a->len) == 0 || err_set(e, "%s: %s", where, address_why(errno, true));
}

/* A socket at the group's address, as all its machines have it. */
static bool
join_group(struct dgram *d, struct err *e)
{
	struct ip_mreq member = { .imr_multiaddr = d->remote.in.sin_addr };
	int on = 1;

	if (d->remote.any.sa_family != AF_INET || (d->local.len > 0 && d->local.any.sa_family != AF_INET))
		return err_set(e, "groups are IPv4 addresses, 224.0.0.0 to 239.255.255.255");
	if (d->local.len > 0)
		member.imr_interface = d->local.in.sin_addr;
	d->fd = new_socket(&d->remote, e);
	if (d->fd < 0)
		return false;
	setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (!bind_to(d->fd, &d->remote, e))
		return false;
	if (setsockopt(d->fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &member, sizeof(member)) != 0)
		return err_set(e, "the group can't be joined: %s; name an interface by its address in localaddr=",
			strerror(errno));
	return true;
}

static bool
open_group_out(struct dgram *d, struct err *e)
{
	unsigned char loop = 1;
	socklen_t len = sizeof(d->own.un);

	d->out_fd = new_socket(&d->remote, e);
	if (d->out_fd < 0)
		return false;
	setsockopt(d->out_fd, IPPROTO_IP, IP_MULTICAST_LOOP, &loop, sizeof(loop));
	if (d->local.len > 0)
		setsockopt(d->out_fd, IPPROTO_IP, IP_MULTICAST_IF, &d->local.in.sin_addr, sizeof(d->local.in.sin_addr));
	if (connect(d->out_fd, &d->remote.any, d->remote.len) != 0 || getsockname(d->out_fd, &d->own.any, &len) != 0)
		return err_set(e, "the group can't be reached: %s", strerror(errno));
	return true;
}

static bool
open_pair(struct dgram *d, struct err *e)
{
	int on = 1;

	d->fd = new_socket(&d->local, e);
	if (d->fd < 0)
		return false;
	address_clean(&d->local, SOCK_DGRAM);
	if (d->local.any.sa_family != AF_UNIX)
		setsockopt(d->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	return bind_to(d->fd, &d->local, e);
}

static struct net_end *
open_dgram(struct net *n, const char *id, const struct net_end_ops *ops, const struct net_address *local,
	const struct net_address *remote, struct err *e)
{
	struct dgram *d = xcalloc(1, sizeof(*d));
	bool group = remote->len > 0 && address_is_multicast(remote), ok;

	d->loop = net_loop(n);
	d->local = *local;
	d->remote = *remote;
	d->fd = local->fd;
	d->out_fd = -1;
	if (group && local->fd < 0)
		ok = join_group(d, e) && open_group_out(d, e);
	else
		ok = (local->fd >= 0 || open_pair(d, e)) && (!group || open_group_out(d, e));
	if (!ok) {
		d->local.len = 0;
		dgram_close(d);
		return NULL;
	}
	d->watch = loop_add_fd(d->loop, d->fd, POLLIN, socket_ready, d);
	if (d->out_fd >= 0)
		d->out_watch = loop_add_fd(d->loop, d->out_fd, 0, out_ready, d);
	else
		d->out_fd = d->fd;
	d->end = net_end_new(n, id, ops, d);
	return d->end;
}

struct net_end *
dgram_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	struct net_address local = { .fd = -1 }, remote = { .fd = -1 };
	bool has_local, has_remote;

	if (!address_take(&local, k, "local", SOCK_DGRAM, true, &has_local, e) ||
	    !address_take(&remote, k, "remote", SOCK_DGRAM, false, &has_remote, e))
		return NULL;
	if (remote.fd >= 0) {
		err_set(e, "remote.type=fd is not supported; a descriptor is local.type=fd");
		return NULL;
	}
	if (has_remote && address_is_multicast(&remote))
		return open_dgram(n, id, &dgram_ops, &local, &remote, e);
	if (!has_local || (!has_remote && local.fd < 0)) {
		err_set(e, "both local.type= and remote.type= are needed, but for a group or a descriptor");
		return NULL;
	}
	if (has_remote && local.fd < 0 && local.any.sa_family != remote.any.sa_family) {
		err_set(e, "local and remote have to be addresses of one kind");
		return NULL;
	}
	return open_dgram(n, id, &dgram_ops, &local, &remote, e);
}

struct net_end *
socket_open_group(struct net *n, const char *id, const char *group, const char *local_host, struct err *e)
{
	struct net_address local = { .fd = -1 }, remote;

	if (!address_parse(&remote, group, SOCK_DGRAM, false, e))
		return NULL;
	if (!address_is_multicast(&remote)) {
		err_set(e, "mcast=%s is not a group's address; those are 224.0.0.0 to 239.255.255.255", group);
		return NULL;
	}
	if (local_host != NULL) {
		char *text = xasprintf("%s:0", local_host);
		bool ok = address_parse(&local, text, SOCK_DGRAM, true, e);

		free(text);
		if (!ok)
			return NULL;
	}
	return open_dgram(n, id, &socket_ops, &local, &remote, e);
}

struct net_end *
socket_open_udp(struct net *n, const char *id, const char *to, const char *from, struct err *e)
{
	struct net_address local, remote;

	if (!address_parse(&remote, to, SOCK_DGRAM, false, e) || !address_parse(&local, from, SOCK_DGRAM, true, e))
		return NULL;
	return open_dgram(n, id, &socket_ops, &local, &remote, e);
}

struct net_end *
socket_open_dgram_fd(struct net *n, const char *id, int fd, struct err *e)
{
	struct net_address local = { .fd = fd }, remote = { .fd = -1 };

	return open_dgram(n, id, &socket_ops, &local, &remote, e);
}
