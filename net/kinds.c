/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of -netdev. */
#include "net/backend.h"

const struct net_kind net_kinds[] = {
	{ NULL, NULL },
};
