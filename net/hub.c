/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -netdev hubport: what comes in at one port of a hub goes out at all others. */
#include "net/backend.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

struct port {
	struct net_end *end;
	struct net *net;
	unsigned hub;
	struct port *next; /* of all hubs */
};

static bool
port_receive(void *opaque, const struct net_frame *f)
{
	const struct port *from = opaque;

	for (const struct port *p = *net_ports(from->net); p != NULL; p = p->next) {
		if (p != from && p->hub == from->hub)
			net_send(p->end, f);
	}
	return true;
}

static void
port_describe(void *opaque, char *text, size_t size)
{
	const struct port *p = opaque;

	snprintf(text, size, "hubid=%u", p->hub);
}

static void
port_close(void *opaque)
{
	struct port *port = opaque, **p = net_ports(port->net);

	while (*p != port)
		p = &(*p)->next;
	*p = port->next;
	free(port);
}

static const struct net_end_ops port_ops = {
	.kind = "hubport",
	.receive = port_receive,
	.describe = port_describe,
	.close = port_close,
};

static struct net_end *
new_port(struct net *n, const char *id, unsigned hub)
{
	struct port *port = xcalloc(1, sizeof(*port)), **last = net_ports(n);
	char *name = NULL;

	port->net = n;
	port->hub = hub;
	while (*last != NULL)
		last = &(*last)->next;
	*last = port;
	for (unsigned i = 0; id == NULL && (name == NULL || net_find(n, name) != NULL); i++) {
		free(name);
		name = xasprintf("hub%uport%u", hub, i);
	}
	port->end = net_end_new(n, id != NULL ? id : name, &port_ops, port);
	free(name);
	return port->end;
}

struct net_end *
hubport_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	const char *netdev = keyval_str(k, "netdev");
	struct net_end *other = netdev != NULL ? net_find(n, netdev) : NULL;
	uint64_t hub = UINT64_MAX;

	if (!keyval_uint(k, "hubid", INT32_MAX, &hub, e))
		return NULL;
	if (hub == UINT64_MAX) {
		err_set(e, "hubid=N is missing: the hub's number");
		return NULL;
	}
	if (netdev != NULL && other == NULL) {
		err_set(e, "netdev=%s: there is no such network; it has to stand before", netdev);
		return NULL;
	}
	struct net_end *port = new_port(n, id, (unsigned)hub);

	if (other != NULL && !net_connect(port, other, e)) {
		net_end_close(port);
		return NULL;
	}
	return port;
}
