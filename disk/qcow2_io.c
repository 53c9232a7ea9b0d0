/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads, writes and discards on qcow2.
 *
 * A request takes its range of guest clusters shared first.  What it finds in place it does there, beside all others;
 * from the first cluster on that needs a new place it takes the range alone.  So no cluster is freed, and none mapped
 * anew, while somebody reads or writes it.
 */
#include "disk/qcow2.h"

#include "base/util.h"

#include <errno.h>
#include <stdlib.h>

/* Guest clusters in one step of a discard: the lock isn't held for long. */
enum { STEP = 2048 };

/* ---- ranges ---- */

static bool
is_taken(const struct qcow2 *q, const struct range *r)
{
	for (const struct range *o = q->ranges; o != NULL; o = o->next) {
		if (o->first <= r->last && r->first <= o->last && (o->alone || r->alone))
			return true;
	}
	return false;
}

void
range_take(struct qcow2 *q, struct range *r)
{
	pthread_mutex_lock(&q->lock);
	while (is_taken(q, r))
		pthread_cond_wait(&q->changed, &q->lock);
	r->next = q->ranges;
	q->ranges = r;
	pthread_mutex_unlock(&q->lock);
}

void
range_release(struct qcow2 *q, struct range *r)
{
	struct range **p = &q->ranges;

	pthread_mutex_lock(&q->lock);
	while (*p != r)
		p = &(*p)->next;
	*p = r->next;
	pthread_cond_broadcast(&q->changed);
	pthread_mutex_unlock(&q->lock);
}

static struct range
range_of(const struct qcow2 *q, uint64_t offset, uint64_t len, bool alone)
{
	return (struct range){ .first = offset >> q->cluster_bits, .last = (offset + len - 1) >> q->cluster_bits, .alone = alone };
}

/* Whether the backing file may have something for what isn't in the image; it may be closed. */
static bool
shows_backing(const struct qcow2 *q, uint64_t offset)
{
	return q->backing_file != NULL && (q->image.backing == NULL || offset < q->image.backing->bytes);
}

static int
lookup(struct qcow2 *q, uint64_t offset, uint64_t len, struct mapping *m)
{
	int error;

	pthread_mutex_lock(&q->lock);
	error = map_lookup(q, offset, len, m);
	pthread_mutex_unlock(&q->lock);
	return error;
}

/* ---- reading ---- */

static int
read_part(struct qcow2 *q, const struct mapping *m, uint64_t offset, void *buf, size_t len)
{
	switch (m->kind) {
	case MAPPED_NOT:
		return layer_read_backing(&q->image, offset, buf, len);
	case MAPPED_ZERO:
		memset(buf, 0, len);
		return 0;
	case MAPPED_DATA:
		return file_read(q, m->host, buf, len);
	case MAPPED_COMPRESSED:
		return compressed_read(q, m->entry, offset & (q->cluster_bytes - 1), buf, len);
	}
	return EIO;
}

/* With a range held. */
static int
read_held(struct qcow2 *q, uint64_t offset, void *buf, size_t len)
{
	uint8_t *p = buf;
	int error = 0;

	while (len > 0 && error == 0) {
		struct mapping m;

		error = lookup(q, offset, len, &m);
		if (error == 0)
			error = read_part(q, &m, offset, p, m.bytes);
		p += m.bytes;
		offset += m.bytes;
		len -= m.bytes;
	}
	return error;
}

int
qcow2_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct qcow2 *q = to_qcow2(i);
	struct range r;
	int error;

	if (len == 0)
		return 0;
	r = range_of(q, offset, len, false);
	range_take(q, &r);
	error = read_held(q, offset, buf, len);
	range_release(q, &r);
	return error;
}

/* ---- writing ---- */

struct piece {
	uint64_t offset;
	const uint8_t *data;
	size_t len;
};

static void
advance(struct piece *p, size_t n)
{
	p->offset += n;
	p->data += n;
	p->len -= n;
}

/* Up to the first cluster that can't be written where it is. */
static int
write_in_place(struct qcow2 *q, struct piece *p)
{
	while (p->len > 0) {
		struct mapping m;
		int error = lookup(q, p->offset, p->len, &m);

		if (error != 0)
			return error;
		if (!m.in_place)
			return 0;
		error = file_write(q, m.host, p->data, m.bytes);
		if (error != 0)
			return error;
		advance(p, m.bytes);
	}
	return 0;
}

/* One whole cluster to HOST: the piece, and around it what is there up to now. */
static int
write_around(struct qcow2 *q, uint64_t host, const struct piece *p)
{
	uint64_t head = p->offset & (q->cluster_bytes - 1), start = p->offset - head, end = head + p->len;
	uint64_t on_disk = MIN(q->cluster_bytes, q->image.bytes - start);
	uint8_t *cluster = malloc(q->cluster_bytes);
	int error = 0;

	if (cluster == NULL)
		return ENOMEM;
	if (q->image.backing == NULL && q->backing_file != NULL && p->len < on_disk) {
		free(cluster);
		return ENOTSUP; /* The backing file is closed. */
	}
	memset(cluster + on_disk, 0, q->cluster_bytes - on_disk);
	if (head != 0)
		error = read_held(q, start, cluster, head);
	if (error == 0 && end < on_disk)
		error = read_held(q, start + end, cluster + end, on_disk - end);
	memcpy(cluster + head, p->data, p->len);
	if (error == 0)
		error = file_write(q, host, cluster, q->cluster_bytes);
	free(cluster);
	return error;
}

/* The piece to new clusters from HOST on, whole ones.  BLANK: they and what was there up to now are zeros. */
static int
write_clusters(struct qcow2 *q, uint64_t host, struct piece p, bool blank)
{
	uint64_t mask = q->cluster_bytes - 1, head = p.offset & mask;
	int error = 0;

	if (blank)
		return file_write(q, host + head, p.data, p.len);
	if (head != 0 || p.len < q->cluster_bytes) {
		struct piece first = { p.offset, p.data, MIN(p.len, q->cluster_bytes - head) };

		error = write_around(q, host, &first);
		advance(&p, first.len);
		host += q->cluster_bytes;
	}
	if (error == 0 && p.len > mask) {
		size_t whole = p.len & ~mask;

		error = file_write(q, host, p.data, whole);
		advance(&p, whole);
		host += whole;
	}
	return error == 0 && p.len > 0 ? write_around(q, host, &p) : error;
}

static bool
reads_as_zeros(const struct qcow2 *q, const struct mapping *m, uint64_t offset)
{
	uint64_t start = offset & ~(q->cluster_bytes - 1);

	return m->kind == MAPPED_ZERO || (m->kind == MAPPED_NOT && !shows_backing(q, start));
}

/*
 * Enters COUNT clusters from HOST on; with fewer entered than that, drops the others.  At once or not at all if NOW, EAGAIN:
 * tables may not be changed now.
 */
static int
link_clusters(struct qcow2 *q, uint64_t cluster, uint64_t host, uint64_t count, bool is_new, bool now)
{
	uint64_t done = 0;
	int error;

	pthread_mutex_lock(&q->lock);
	error = now && q->committing ? EAGAIN : wait_for_commit(q);
	while (done < count && error == 0) {
		error = map_set(q, cluster + done, (host + (done << q->cluster_bits)) | COPIED);
		done += error == 0;
	}
	if (is_new && done < count)
		clusters_drop(q, host + (done << q->cluster_bits), count - done);
	pthread_mutex_unlock(&q->lock);
	return error;
}

/* A cluster that reads as zeros, but has a place of its own already. */
static int
write_reserved(struct qcow2 *q, const struct mapping *m, struct piece *p)
{
	uint64_t head = p->offset & (q->cluster_bytes - 1), host = m->entry & OFFSET_MASK;
	struct piece part = { p->offset, p->data, MIN(p->len, q->cluster_bytes - head) };
	int error = write_clusters(q, host, part, false);

	if (error == 0)
		error = link_clusters(q, part.offset >> q->cluster_bits, host, 1, false, false);
	if (error == 0)
		advance(p, part.len);
	return error;
}

/* As much of the piece as M is alike, and as fits into one run of new clusters; NOW: see link_clusters(). */
static int
write_new(struct qcow2 *q, const struct mapping *m, struct piece *p, bool now)
{
	uint64_t head = p->offset & (q->cluster_bytes - 1), host, got, unused;
	struct piece part = { p->offset, p->data, MIN(p->len, m->bytes) };
	bool blank;
	int error;

	pthread_mutex_lock(&q->lock);
	unused = q->never_used;
	error = clusters_allocate(q, clusters_for(q, head + part.len), false, &host, &got);
	pthread_mutex_unlock(&q->lock);
	if (error != 0)
		return error;
	part.len = MIN(part.len, (got << q->cluster_bits) - head);
	blank = host >= unused && q->image.below->grows && reads_as_zeros(q, m, p->offset);
	if (!now)
		error = write_clusters(q, host, part, blank);
	else
		error = blank ? layer_write_now(q->image.below, host + head, part.data, part.len) : EAGAIN;
	if (now && error == 0)
		file_has(q, host + head + part.len);
	if (error == 0) {
		error = link_clusters(q, part.offset >> q->cluster_bits, host, got, true, now);
	} else {
		pthread_mutex_lock(&q->lock);
		clusters_drop(q, host, got);
		pthread_mutex_unlock(&q->lock);
	}
	if (error == 0)
		advance(p, part.len);
	return error;
}

/* With the range held alone. */
static int
write_alone(struct qcow2 *q, struct piece *p)
{
	int error = write_in_place(q, p);

	while (p->len > 0 && error == 0) {
		struct mapping m;

		error = lookup(q, p->offset, p->len, &m);
		if (error != 0)
			break;
		if (m.kind == MAPPED_ZERO && m.host != 0 && (m.entry & COPIED))
			error = write_reserved(q, &m, p);
		else
			error = write_new(q, &m, p, false);
		if (error == 0)
			error = write_in_place(q, p);
	}
	return error;
}

int
qcow2_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct qcow2 *q = to_qcow2(i);
	struct piece p = { offset, buf, len };
	struct range r;
	int error;

	if (len == 0)
		return 0;
	if (!q->writable)
		return EROFS;
	error = q->final_error != 0 ? q->final_error : qcow2_commit_if_full(q);
	if (error != 0)
		return error;
	r = range_of(q, offset, len, false);
	range_take(q, &r);
	error = write_in_place(q, &p);
	range_release(q, &r);
	if (p.len == 0 || error != 0)
		return error;
	r = range_of(q, p.offset, p.len, true);
	range_take(q, &r);
	error = write_alone(q, &p);
	range_release(q, &r);
	return error;
}

/* ---- discards and zeros ---- */

enum emptying { EMPTY_DISCARD, EMPTY_ZERO_UNMAP, EMPTY_ZERO_KEEP };

/* Whether the cluster can be emptied by its entry alone, and what that is then. */
static bool
empty_entry(const struct qcow2 *q, enum emptying how, uint64_t old, bool shown, uint64_t *entry)
{
	enum mapping_kind kind = entry_kind(q, old);

	*entry = shown ? ENTRY_ZERO : 0;
	if (kind == MAPPED_NOT && (how == EMPTY_DISCARD || !shown))
		*entry = old;
	else if (kind == MAPPED_ZERO && ((old & OFFSET_MASK) == 0 || how == EMPTY_ZERO_KEEP))
		*entry = old;
	else if (kind == MAPPED_DATA && how == EMPTY_ZERO_KEEP && q->version >= 3)
		*entry = old | ENTRY_ZERO;
	return q->version >= 3 || *entry != ENTRY_ZERO;
}

/* Clusters FIRST to LAST - 1, which are held alone; *DONE of them.  ENOTSUP: the next can't be without being written. */
static int
empty_held(struct qcow2 *q, uint64_t first, uint64_t last, enum emptying how, uint64_t *done)
{
	int error;

	pthread_mutex_lock(&q->lock);
	error = wait_for_commit(q);
	for (*done = 0; first + *done < last && error == 0; ++*done) {
		uint64_t cluster = first + *done, old, entry;
		bool shown = shows_backing(q, cluster << q->cluster_bits);

		error = map_get(q, cluster, &old);
		if (error == 0 && !empty_entry(q, how, old, shown, &entry))
			error = ENOTSUP;
		if (error == 0 && entry != old)
			error = map_set(q, cluster, entry);
		if (error != 0)
			break;
	}
	pthread_mutex_unlock(&q->lock);
	return error;
}

/* Nothing to do from OFFSET on, for that many bytes: large parts of disks were never written. */
static uint64_t
already_empty(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	struct mapping m;
	uint64_t whole;

	if (lookup(q, offset, len, &m) != 0 || m.kind != MAPPED_NOT || q->backing_file != NULL)
		return 0;
	whole = m.bytes & ~(q->cluster_bytes - 1);
	return m.bytes == len ? len : whole;
}

static int
empty_clusters(struct qcow2 *q, uint64_t first, uint64_t last, enum emptying how)
{
	while (first < last) {
		struct range r = { .first = first, .last = MIN(last, first + STEP) - 1, .alone = true };
		uint64_t skip, done;
		int error = qcow2_commit_if_full(q);

		if (error != 0)
			return error;
		range_take(q, &r);
		skip = already_empty(q, first << q->cluster_bits, (last - first) << q->cluster_bits) >> q->cluster_bits;
		done = skip;
		if (skip == 0)
			error = empty_held(q, first, r.last + 1, how, &done);
		range_release(q, &r);
		first += done;
		if (error == ENOTSUP && how != EMPTY_DISCARD) {
			uint64_t at = first << q->cluster_bits;

			error = write_zeros_by_hand(&q->image, at, MIN(q->cluster_bytes, q->image.bytes - at));
			first++;
		} else if (error == ENOTSUP) {
			error = 0;
			first++;
		}
		if (error != 0)
			return error;
	}
	return 0;
}

/* The end of the disk ends a cluster, as far as emptying goes. */
static uint64_t
last_whole(const struct qcow2 *q, uint64_t end)
{
	return end == q->image.bytes ? clusters_for(q, end) : end >> q->cluster_bits;
}

int
qcow2_discard(struct image *i, uint64_t offset, uint64_t len)
{
	struct qcow2 *q = to_qcow2(i);

	if (!q->writable)
		return EROFS;
	return empty_clusters(q, clusters_for(q, offset), last_whole(q, offset + len), EMPTY_DISCARD);
}

/* A part of a cluster: nothing to do if there are zeros already. */
static int
zero_part(struct qcow2 *q, uint64_t offset, uint64_t len)
{
	struct mapping m;
	int error = len == 0 ? 0 : lookup(q, offset, len, &m);

	if (len == 0 || error != 0 || reads_as_zeros(q, &m, offset))
		return error;
	return write_zeros_by_hand(&q->image, offset, len);
}

int
qcow2_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	struct qcow2 *q = to_qcow2(i);
	uint64_t end = offset + len, first = clusters_for(q, offset), last = last_whole(q, end);
	int error;

	if (len == 0)
		return 0;
	if (!q->writable)
		return EROFS;
	if (first >= last) {
		uint64_t border = MIN(first << q->cluster_bits, end);

		error = zero_part(q, offset, border - offset);
		return error != 0 ? error : zero_part(q, border, end - border);
	}
	error = zero_part(q, offset, (first << q->cluster_bits) - offset);
	if (error == 0)
		error = empty_clusters(q, first, last, unmap ? EMPTY_ZERO_UNMAP : EMPTY_ZERO_KEEP);
	if (error == 0 && last << q->cluster_bits < end)
		error = zero_part(q, last << q->cluster_bits, end - (last << q->cluster_bits));
	return error;
}

/* ---- at once ---- */

/* Takes the range if nobody has it, and if all of it is alike by tables that are in memory. */
static bool
begin_now(struct qcow2 *q, struct range *r, uint64_t offset, size_t len, struct mapping *m)
{
	bool ok;

	if (len == 0 || pthread_mutex_trylock(&q->lock) != 0)
		return false;
	ok = !is_taken(q, r) && map_is_cached(q, offset) && map_lookup(q, offset, len, m) == 0 && m->bytes >= len;
	if (ok) {
		r->next = q->ranges;
		q->ranges = r;
	}
	pthread_mutex_unlock(&q->lock);
	return ok;
}

static int
read_backing_now(struct qcow2 *q, uint64_t offset, void *buf, size_t len)
{
	const struct image *b = q->image.backing;

	if (b != NULL && offset < b->bytes && len <= b->bytes - offset)
		return layer_read_now(q->image.backing, offset, buf, len);
	if (shows_backing(q, offset))
		return EAGAIN;
	memset(buf, 0, len);
	return 0;
}

int
qcow2_read_now(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct qcow2 *q = to_qcow2(i);
	struct range r = range_of(q, offset, len, false);
	struct mapping m;
	int error = EAGAIN;

	if (!begin_now(q, &r, offset, len, &m))
		return EAGAIN;
	if (m.kind == MAPPED_DATA) {
		error = layer_read_now(i->below, m.host, buf, len);
	} else if (m.kind == MAPPED_NOT) {
		error = read_backing_now(q, offset, buf, len);
	} else if (m.kind == MAPPED_ZERO) {
		memset(buf, 0, len);
		error = 0;
	}
	range_release(q, &r);
	return error;
}

/*
 * Can clusters be entered for OFFSET with the tables that there are, in memory, without a round of writing them or a search from
 * the start?
 */
static bool
can_enter_now(struct qcow2 *q, uint64_t offset, size_t len)
{
	uint64_t index = offset >> (q->cluster_bits + l2_bits(q)), behind = clusters_for(q, q->file_end) + clusters_for(q, len) + 1;
	bool ok;

	pthread_mutex_lock(&q->lock);
	ok = !q->committing && !commit_is_due(q) && q->first_free != 0 && (q->l1[index] & COPIED) != 0 &&
		refcount_is_cached(q, q->first_free) && refcount_is_cached(q, behind);
	pthread_mutex_unlock(&q->lock);
	return ok;
}

/*
 * New clusters for what reads as zeros up to now.  Where that goes wrong in the middle, a worker writes all of it again, and says
 * what is wrong.
 */
static int
write_new_now(struct qcow2 *q, uint64_t offset, const void *buf, size_t len)
{
	struct range r = range_of(q, offset, len, true);
	struct piece p = { offset, buf, len };
	struct mapping m;
	int error = 0;

	if (!begin_now(q, &r, offset, len, &m))
		return EAGAIN;
	if (m.kind != MAPPED_NOT || shows_backing(q, offset & ~(q->cluster_bytes - 1)) || !can_enter_now(q, offset, len))
		error = EAGAIN;
	while (p.len > 0 && error == 0)
		error = write_new(q, &m, &p, true);
	range_release(q, &r);
	return error == 0 ? 0 : EAGAIN;
}

/*
 * What has its place, though the file may not reach as far yet: small writes in order to a new image fill one cluster after the
 * other behind the file's end (4 KiB each: 3.5 us instead of 13).
 */
int
qcow2_write_now(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct qcow2 *q = to_qcow2(i);
	struct range r = range_of(q, offset, len, false);
	struct mapping m;
	int error = EAGAIN;

	if (!q->writable || q->final_error != 0 || !begin_now(q, &r, offset, len, &m))
		return EAGAIN;
	if (m.in_place)
		error = layer_write_now(i->below, m.host, buf, len);
	if (error == 0)
		file_has(q, m.host + len);
	range_release(q, &r);
	return error != 0 && m.kind == MAPPED_NOT ? write_new_now(q, offset, buf, len) : error;
}
