/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of -netdev. */
#include "net/backend.h"

const struct net_kind net_kinds[] = {
	{ "hubport", hubport_open },
	{ "user", user_open },
	{ NULL, NULL },
};
