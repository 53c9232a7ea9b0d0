/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the back ends share; seen by this folder alone. */
#ifndef NET_BACKEND_H
#define NET_BACKEND_H

#include "net/net.h"

struct keyval;
struct port;

/* A kind of -netdev.  OPEN looks up its properties in K and makes the end, whose close() frees what it has; NULL with E set. */
struct net_kind {
	const char *name;
	struct net_end *(*open)(struct net *n, const char *id, struct keyval *k, struct err *e);
};

/* Ends with a row without a name. */
extern const struct net_kind net_kinds[];

struct net_end *user_open(struct net *n, const char *id, struct keyval *k, struct err *e);
struct net_end *hubport_open(struct net *n, const char *id, struct keyval *k, struct err *e);

struct loop *net_loop(struct net *n);
/* The list of the ports of hubs. */
struct port **net_ports(struct net *n);
/* Ends a back end. */
void net_end_close(struct net_end *end);
/* A frame of one piece to the other end; see net_send(). */
bool net_send_bytes(struct net_end *from, const void *bytes, size_t len);
/* At most SIZE bytes of F in one piece; returns how many. */
size_t net_gather(const struct net_frame *f, void *bytes, size_t size);

#endif
