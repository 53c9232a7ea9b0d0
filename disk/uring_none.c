/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In place of uring.c, where there is no <linux/io_uring.h> to build it with. */
#include "disk/image.h"

#include "base/err.h"

struct uring *
uring_new(struct err *e)
{
	err_set(e, "this program was built without io_uring; use aio=threads");
	return NULL;
}

void
uring_free(struct uring *u)
{
	(void)u;
}

int
uring_fd(const struct uring *u)
{
	(void)u;
	return -1;
}

bool
uring_begin(struct uring *u, const struct uring_io *io)
{
	(void)u, (void)io;
	return false;
}

bool
uring_done(struct uring *u, bool wait, void **user, int *result)
{
	(void)u, (void)wait, (void)user, (void)result;
	return false;
}
