/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the back ends share; seen by this folder alone. */
#ifndef NET_BACKEND_H
#define NET_BACKEND_H

#include "net/net.h"

struct dump;
struct keyval;
struct port;

/*
 * A kind of -netdev.  OPEN looks up its properties in K and makes the end, whose close() frees what it has; NULL with E
 * set.  A kind without OPEN is refused by name, with REASON.
 */
struct net_kind {
	const char *name;
	struct net_end *(*open)(struct net *n, const char *id, struct keyval *k, struct err *e);
	const char *reason;
};

/* Ends with a row without a name. */
extern const struct net_kind net_kinds[];

struct net_end *dgram_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *hubport_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *socket_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *stream_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *tap_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *user_open(struct net *n, const char *id, struct keyval *k, struct err *e);

/* Ways of -netdev socket. */
struct net_end *socket_open_stream(struct net *n, const char *id, const char *where, bool server, struct err *e);
struct net_end *socket_open_stream_fd(struct net *n, const char *id, int fd, struct err *e);
struct net_end *socket_open_group(struct net *n, const char *id, const char *group, const char *local_host, struct err *e);
struct net_end *socket_open_udp(struct net *n, const char *id, const char *to, const char *from, struct err *e);
struct net_end *socket_open_dgram_fd(struct net *n, const char *id, int fd, struct err *e);

struct loop *net_loop(struct net *n);
/* The list of the ports of hubs. */
struct port **net_ports(struct net *n);
const struct net_devices *net_devices(struct net *n);
struct dump **net_dumps(struct net *n);
void dumps_free(struct dump *d);
/* Ends a back end. */
void net_end_close(struct net_end *end);
/* A frame of one piece to the other end; see net_send(). */
bool net_send_bytes(struct net_end *from, const void *bytes, size_t len);
/* The first bytes of a frame with TCP or UDP in it, and where what begins in them. */
struct net_headers {
	uint8_t bytes[192];
	size_t network, transport, payload;
	bool ipv6, tcp;
};

/* False: it is something else. */
bool net_parse(const struct net_frame *f, struct net_headers *h);
/*
 * Cuts a frame with SEGMENT into those that a wire takes, and makes the checksum of one with NEEDS_SUM: EACH gets them, and
 * its last answer is returned.  What is neither TCP nor UDP is dropped.
 */
bool net_make_plain(const struct net_frame *f, bool (*each)(void *opaque, const struct net_frame *f), void *opaque);

/* At most SIZE bytes of F in one piece; returns how many. */
size_t net_gather(const struct net_frame *f, void *bytes, size_t size);

#endif
