/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -netdev socket: the older way to write what stream.c and dgram.c do. */
#include "net/address.h"
#include "net/backend.h"

#include "base/err.h"
#include "base/keyval.h"

#include <errno.h>
#include <string.h>

static struct net_end *
open_fd(struct net *n, const char *id, const char *text, struct err *e)
{
	int fd, type;
	socklen_t len = sizeof(type);

	if (!address_take_fd(text, &fd, e))
		return NULL;
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) != 0) {
		err_set(e, "fd=%s: %s", text, errno == ENOTSOCK ? "that is not a socket" : strerror(errno));
		return NULL;
	}
	return type == SOCK_DGRAM ? socket_open_dgram_fd(n, id, fd, e) : socket_open_stream_fd(n, id, fd, e);
}

struct net_end *
socket_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	const char *fd = keyval_str(k, "fd"), *listen = keyval_str(k, "listen"), *connect = keyval_str(k, "connect");
	const char *mcast = keyval_str(k, "mcast"), *udp = keyval_str(k, "udp"), *local = keyval_str(k, "localaddr");

	if ((fd != NULL) + (listen != NULL) + (connect != NULL) + (mcast != NULL) + (udp != NULL) != 1) {
		err_set(e, "one of fd=, listen=, connect=, mcast= and udp= is needed");
		return NULL;
	}
	if (local != NULL && mcast == NULL && udp == NULL) {
		err_set(e, "localaddr= is for mcast= and udp=; leave it out");
		return NULL;
	}
	if (udp != NULL && local == NULL) {
		err_set(e, "udp= needs localaddr=HOST:PORT, where frames come in");
		return NULL;
	}
	if (fd != NULL)
		return open_fd(n, id, fd, e);
	if (mcast != NULL)
		return socket_open_group(n, id, mcast, local, e);
	if (udp != NULL)
		return socket_open_udp(n, id, udp, local, e);
	return socket_open_stream(n, id, listen != NULL ? listen : connect, listen != NULL, e);
}
