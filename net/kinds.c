/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of -netdev. */
#include "net/backend.h"

#include <stddef.h>

const struct net_kind net_kinds[] = {
	{ "dgram", dgram_open, NULL },
	{ "hubport", hubport_open, NULL },
	{ "socket", socket_open, NULL },
	{ "stream", stream_open, NULL },
	{ "tap", tap_open, NULL },
	{ "user", user_open, NULL },
	{ "bridge", NULL, "make a tap interface, put it into the bridge, and use tap,ifname=NAME,script=no" },
	{ "l2tpv3", NULL, "use tap with an interface of the host's that is a tunnel" },
	{ "netmap", NULL, "use tap" },
	{ "vde", NULL, "use stream or tap" },
	{ "vhost-user", NULL, "use tap" },
	{ "vhost-vdpa", NULL, "use tap" },
	{ NULL, NULL, NULL },
};
