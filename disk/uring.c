/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring by its system calls: two rings in memory that the kernel shares, one of requests and one of what has become
 * of them (io_uring_setup(2), io_uring_enter(2)).
 *
 * Requests may begin in any thread, under a lock, each by a call of its own.  What is done is taken by one thread at a
 * time.  There are never more under way than the ring of what is done has room for.
 */
#define _GNU_SOURCE /* syscall */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ENTRIES = 64 };

struct uring {
	int fd;
	void *rings;
	size_t rings_bytes;
	struct io_uring_sqe *requests;
	size_t requests_bytes;
	_Atomic uint32_t *begin_head, *begin_tail, *done_head, *done_tail;
	uint32_t *order;
	uint32_t begin_mask, done_mask;
	struct io_uring_cqe *done;
	pthread_mutex_t lock;      /* of beginning */
	_Atomic unsigned under_way;
};

static void *
at(struct uring *u, uint32_t offset)
{
	return (char *)u->rings + offset;
}

static bool
map(struct uring *u, const struct io_uring_params *p)
{
	size_t begin = p->sq_off.array + p->sq_entries * sizeof(uint32_t);
	size_t done = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
	int flags = MAP_SHARED | MAP_POPULATE;

	u->rings_bytes = MAX(begin, done);
	u->requests_bytes = p->sq_entries * sizeof(*u->requests);
	u->rings = mmap(NULL, u->rings_bytes, PROT_READ | PROT_WRITE, flags, u->fd, IORING_OFF_SQ_RING);
	u->requests = mmap(NULL, u->requests_bytes, PROT_READ | PROT_WRITE, flags, u->fd, IORING_OFF_SQES);
	if (u->rings == MAP_FAILED || u->requests == MAP_FAILED)
		return false;
	u->begin_head = at(u, p->sq_off.head);
	u->begin_tail = at(u, p->sq_off.tail);
	u->begin_mask = *(uint32_t *)at(u, p->sq_off.ring_mask);
	u->order = at(u, p->sq_off.array);
	u->done_head = at(u, p->cq_off.head);
	u->done_tail = at(u, p->cq_off.tail);
	u->done_mask = *(uint32_t *)at(u, p->cq_off.ring_mask);
	u->done = at(u, p->cq_off.cqes);
	return true;
}

struct uring *
uring_new(struct err *e)
{
	struct io_uring_params p = { .flags = 0 };
	struct uring *u = xcalloc(1, sizeof(*u));

	pthread_mutex_init(&u->lock, NULL);
	u->rings = u->requests = MAP_FAILED;
	u->fd = (int)syscall(SYS_io_uring_setup, ENTRIES, &p);
	if (u->fd >= 0 && (p.features & IORING_FEAT_SINGLE_MMAP) && map(u, &p))
		return u;
	err_set(e, "io_uring can't be had here%s%s; use aio=threads", u->fd < 0 ? ": " : "", u->fd < 0 ? strerror(errno) : "");
	uring_free(u);
	return NULL;
}

void
uring_free(struct uring *u)
{
	if (u == NULL)
		return;
	if (u->requests != MAP_FAILED)
		munmap(u->requests, u->requests_bytes);
	if (u->rings != MAP_FAILED)
		munmap(u->rings, u->rings_bytes);
	if (u->fd >= 0)
		close(u->fd);
	pthread_mutex_destroy(&u->lock);
	free(u);
}

int
uring_fd(const struct uring *u)
{
	return u->fd;
}

static int
enter(struct uring *u, unsigned begin, unsigned wait)
{
	int n;

	do {
		n = (int)syscall(SYS_io_uring_enter, u->fd, begin, wait, wait != 0 ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
	} while (n < 0 && errno == EINTR);
	return n;
}

bool
uring_begin(struct uring *u, const struct uring_io *io)
{
	uint32_t tail;
	bool ok;

	pthread_mutex_lock(&u->lock);
	ok = atomic_load(&u->under_way) < ENTRIES;
	if (ok) {
		tail = atomic_load(u->begin_tail);
		u->requests[tail & u->begin_mask] = (struct io_uring_sqe){
			.opcode = io->write ? IORING_OP_WRITE : IORING_OP_READ, .fd = io->fd, .off = io->offset,
			.addr = (uintptr_t)io->buf, .len = (uint32_t)io->len, .user_data = (uintptr_t)io->user,
		};
		u->order[tail & u->begin_mask] = tail & u->begin_mask;
		atomic_fetch_add(&u->under_way, 1);
		atomic_store(u->begin_tail, tail + 1);
		ok = enter(u, 1, 0) == 1;
		/* The kernel takes requests in that call alone. */
		if (!ok) {
			atomic_store(u->begin_tail, tail);
			atomic_fetch_sub(&u->under_way, 1);
		}
	}
	pthread_mutex_unlock(&u->lock);
	return ok;
}

bool
uring_done(struct uring *u, bool wait, void **user, int *result)
{
	uint32_t head = atomic_load(u->done_head);
	const struct io_uring_cqe *c;

	while (head == atomic_load(u->done_tail)) {
		if (!wait || atomic_load(&u->under_way) == 0)
			return false;
		enter(u, 0, 1);
	}
	c = &u->done[head & u->done_mask];
	*user = (void *)(uintptr_t)c->user_data;
	*result = c->res;
	atomic_store(u->done_head, head + 1);
	atomic_fetch_sub(&u->under_way, 1);
	return true;
}
