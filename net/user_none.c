/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -netdev user where libslirp is missing. */
#include "net/backend.h"

#include "base/err.h"

#include <stddef.h>

bool
net_has_user(void)
{
	return false;
}

struct net_end *
user_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	(void)n, (void)id, (void)k;
	err_set(e, "this program was built without libslirp; install libslirp-dev and build it again, or use another kind");
	return NULL;
}
