/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The order in which tables reach the file: see qcow2.h. */
#include "disk/qcow2.h"

#include "base/util.h"

#include <errno.h>

enum { PENDING_MOST = 4096 };

int
wait_for_commit(struct qcow2 *q)
{
	while (q->committing)
		pthread_cond_wait(&q->changed, &q->lock);
	return q->final_error;
}

/* Under LOCK, without it while the disk works. */
static int
flush_unlocked(struct qcow2 *q)
{
	int error;

	pthread_mutex_unlock(&q->lock);
	error = file_flush(q);
	pthread_mutex_lock(&q->lock);
	return error;
}

static int
write_l1(struct qcow2 *q)
{
	int error = table_write_dirty(q, q->l1, q->l1_offset, q->l1_entries, q->l1_dirty);

	if (error == 0)
		error = flush_unlocked(q);
	q->l1_any_dirty = error != 0;
	return error;
}

/* An image whose refcounts may lag behind says so before anything depends on it. */
static int
announce(struct qcow2 *q)
{
	int error;

	if (!q->lazy || (q->incompatible & INCOMPATIBLE_DIRTY))
		return 0;
	q->incompatible |= INCOMPATIBLE_DIRTY;
	error = header_write(q);
	if (error != 0)
		q->incompatible &= ~(uint64_t)INCOMPATIBLE_DIRTY;
	return error;
}

static int
commit_round(struct qcow2 *q)
{
	bool tables = q->l2.dirty != 0 || q->l1_any_dirty;
	bool counts = !q->lazy || q->settling || q->blocks.dirty > q->blocks.limit / 2;
	int error = 0;

	if (tables)
		error = announce(q);
	if (error == 0 && counts)
		error = refcounts_write(q);
	if (error == 0)
		error = flush_unlocked(q);
	if (error == 0 && q->l2.dirty != 0) {
		error = slices_write(q, &q->l2);
		if (error == 0)
			error = flush_unlocked(q);
	}
	if (error == 0 && q->l1_any_dirty)
		error = write_l1(q);
	return error == 0 ? clusters_free_pending(q) : error;
}

int
qcow2_commit(struct qcow2 *q)
{
	int error;

	pthread_mutex_lock(&q->lock);
	error = wait_for_commit(q);
	if (error == 0 && q->writable) {
		q->committing = true;
		error = commit_round(q);
		q->committing = false;
		pthread_cond_broadcast(&q->changed);
	}
	pthread_mutex_unlock(&q->lock);
	return error;
}

bool
commit_is_due(const struct qcow2 *q)
{
	return q->l2.dirty > q->l2.limit / 2 || q->blocks.dirty > q->blocks.limit / 2 || q->pending_count > PENDING_MOST;
}

int
qcow2_commit_if_full(struct qcow2 *q)
{
	bool full;

	pthread_mutex_lock(&q->lock);
	full = commit_is_due(q);
	pthread_mutex_unlock(&q->lock);
	return full ? qcow2_commit(q) : 0;
}

static bool
is_unsettled(const struct qcow2 *q)
{
	return q->l2.dirty != 0 || q->l1_any_dirty || q->blocks.dirty != 0 || q->rt_any_dirty || q->pending_count != 0;
}

int
qcow2_settle(struct qcow2 *q)
{
	int error = 0;

	if (!q->writable)
		return 0;
	q->settling = true;
	/* The first round frees, the second writes that. */
	for (unsigned i = 0; i < 3 && error == 0 && (i == 0 || is_unsettled(q)); i++)
		error = qcow2_commit(q);
	if (error == 0 && q->lazy && (q->incompatible & INCOMPATIBLE_DIRTY)) {
		q->incompatible &= ~(uint64_t)INCOMPATIBLE_DIRTY;
		error = header_write(q);
	}
	q->settling = false;
	return error;
}
