/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * qcow2 images made and changed as a whole: creation, another size, another backing file, all of it given up.
 *
 * Whatever changes more than one place does so beside the old one, and the header's first sector, which is written at
 * once, switches over.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Clusters that preallocation enters between two rounds. */
enum { STEP = 4096 };

/* ---- the L1 table ---- */

static int
write_new_l1(struct qcow2 *q, const uint64_t *l1, uint32_t entries, uint64_t *offset, uint64_t *clusters)
{
	bool *dirty = table_dirty_new(entries);
	uint64_t got;
	int error;

	*clusters = MAX(clusters_for(q, entries * 8ull), 1);
	error = clusters_allocate(q, *clusters, true, offset, &got);
	if (error == 0) {
		memset(dirty, true, entries / 64 + 1);
		error = table_write_dirty(q, l1, *offset, entries, dirty);
		/* What follows the entries up to the end of the cluster is in the file, too. */
		if (error == 0)
			error = file_write(q, *offset + (*clusters << q->cluster_bits) - 8, "\0\0\0\0\0\0\0", entries % (q->cluster_bytes / 8) ? 8 : 0);
		if (error != 0)
			clusters_drop(q, *offset, *clusters);
	}
	free(dirty);
	if (error == 0)
		error = refcounts_write(q);
	return error != 0 ? error : file_flush(q);
}

int
l1_switch(struct qcow2 *q, const uint64_t *l1, uint32_t entries, uint64_t disk_bytes)
{
	uint64_t offset, clusters, old_offset = q->l1_offset, old_clusters = clusters_for(q, q->l1_entries * 8ull);
	uint64_t old_bytes = q->disk_bytes;
	uint32_t old_entries = q->l1_entries;
	uint64_t *copy = xcalloc(align_up(entries, 64) + 64, sizeof(*copy));
	int error = write_new_l1(q, l1, entries, &offset, &clusters);

	memcpy(copy, l1, entries * sizeof(*copy));
	if (error == 0) {
		q->l1_offset = offset;
		q->l1_entries = entries;
		q->disk_bytes = disk_bytes;
		error = header_write(q);
	}
	if (error != 0) {
		q->l1_offset = old_offset;
		q->l1_entries = old_entries;
		q->disk_bytes = old_bytes;
		free(copy);
		return error;
	}
	free(q->l1);
	free(q->l1_dirty);
	q->l1 = copy;
	q->l1_dirty = table_dirty_new(entries);
	q->l1_any_dirty = false;
	if (old_offset != 0)
		clusters_drop(q, old_offset, old_clusters);
	return 0;
}

/* ---- size ---- */

static bool
failed(struct qcow2 *q, int error, const char *what, struct err *e)
{
	return error == 0 || err_set(e, "%s: %s: %s", q->image.file, what, strerror(error));
}

static int
set_size(struct qcow2 *q, uint64_t bytes)
{
	uint32_t entries = MAX(q->l1_entries, l1_entries_for(q, bytes));
	uint64_t *l1, old = q->disk_bytes;
	int error;

	if (entries > q->l1_entries) {
		l1 = xcalloc(entries, sizeof(*l1));
		memcpy(l1, q->l1, q->l1_entries * sizeof(*l1));
		error = l1_switch(q, l1, entries, bytes);
		free(l1);
	} else {
		q->disk_bytes = bytes;
		error = header_write(q);
		if (error != 0)
			q->disk_bytes = old;
	}
	if (error == 0)
		q->image.bytes = bytes;
	return error;
}

/* Entries of what is behind the new end go, whatever the backing file has there. */
static int
cut_off(struct qcow2 *q, uint64_t bytes)
{
	uint64_t first = clusters_for(q, bytes), last = clusters_for(q, q->image.bytes);
	int error = 0;

	while (first < last && error == 0) {
		struct mapping m;

		error = map_lookup(q, first << q->cluster_bits, (last - first) << q->cluster_bits, &m);
		if (error == 0 && m.kind == MAPPED_NOT) {
			first += clusters_for(q, m.bytes);
			continue;
		}
		if (error == 0)
			error = map_set(q, first, 0);
		first++;
		if (error == 0 && first % STEP == 0) {
			pthread_mutex_unlock(&q->lock);
			error = qcow2_commit_if_full(q);
			pthread_mutex_lock(&q->lock);
		}
	}
	return error;
}

static bool
shrink_to(struct qcow2 *q, uint64_t bytes, struct err *e)
{
	int error;

	if (q->snapshot_count != 0)
		return err_set(e, "%s: images with snapshots can't be shrunk; delete them first", q->image.file);
	pthread_mutex_lock(&q->lock);
	error = cut_off(q, bytes);
	pthread_mutex_unlock(&q->lock);
	if (error == 0)
		error = qcow2_commit(q);
	pthread_mutex_lock(&q->lock);
	if (error == 0)
		error = set_size(q, bytes);
	pthread_mutex_unlock(&q->lock);
	return failed(q, error, "can't be shrunk", e);
}

static int
lengthen(struct qcow2 *q, uint64_t bytes)
{
	int error = bytes <= q->file_end ? 0 : layer_truncate(q->image.below, bytes);

	if (error == 0)
		q->file_end = MAX(q->file_end, bytes);
	return error;
}

/* Places for all clusters of a part of the disk; FULL: with zeros written to them. */
static int
preallocate(struct qcow2 *q, uint64_t offset, uint64_t end, enum image_preallocation how)
{
	int error = 0;

	while (offset < end && error == 0) {
		struct mapping m;
		uint64_t host, got, wanted;

		pthread_mutex_lock(&q->lock);
		error = map_lookup(q, offset, end - offset, &m);
		wanted = MIN(clusters_for(q, m.bytes), STEP);
		got = clusters_for(q, m.bytes);
		if (error == 0 && m.kind == MAPPED_NOT) {
			error = clusters_allocate(q, wanted, false, &host, &got);
			if (error == 0)
				error = lengthen(q, host + (got << q->cluster_bits));
			if (error == 0 && how == PREALLOCATE_FALLOC)
				error = layer_write_zeros(q->image.below, host, got << q->cluster_bits, false);
			else if (error == 0 && how == PREALLOCATE_FULL)
				error = write_zeros_by_hand(q->image.below, host, got << q->cluster_bits);
			for (uint64_t n = 0; n < got && error == 0; n++)
				error = map_set(q, (offset >> q->cluster_bits) + n, (host + (n << q->cluster_bits)) | COPIED);
		}
		pthread_mutex_unlock(&q->lock);
		offset = (offset & ~(q->cluster_bytes - 1)) + (got << q->cluster_bits);
		if (error == 0)
			error = qcow2_commit_if_full(q);
	}
	return error;
}

static bool
grow_to(struct qcow2 *q, uint64_t bytes, enum image_preallocation how, struct err *e)
{
	uint64_t old = q->image.bytes, shown;
	int error;

	if (q->version == 2 && q->snapshot_count != 0)
		return err_set(e, "%s: images of version 2 with snapshots can't be resized; convert it to version 3", q->image.file);
	if (how != PREALLOCATE_OFF && q->backing_file != NULL)
		return err_set(e, "%s: preallocation would hide the backing file; leave it out", q->image.file);
	if (bytes >> (q->cluster_bits + l2_bits(q)) >= L1_BYTES_MOST / 8)
		return err_set(e, "%s: a disk of %" PRIu64 " bytes is too large for clusters of %" PRIu64 " bytes; make them larger",
			q->image.file, bytes, q->cluster_bytes);
	error = qcow2_commit(q);
	pthread_mutex_lock(&q->lock);
	if (error == 0)
		error = set_size(q, bytes);
	pthread_mutex_unlock(&q->lock);
	/* What the last cluster or the backing file has behind the old end was never part of the disk. */
	shown = q->image.backing != NULL ? q->image.backing->bytes : 0;
	shown = MIN(MAX(shown, align_up(old, q->cluster_bytes)), bytes);
	if (error == 0 && shown > old)
		error = qcow2_write_zeros(&q->image, old, shown - old, true);
	if (error == 0 && how != PREALLOCATE_OFF)
		error = preallocate(q, old & ~(q->cluster_bytes - 1), bytes, how);
	if (error == 0)
		error = qcow2_commit(q);
	return failed(q, error, "can't be made larger", e);
}

static bool
check_writable(struct qcow2 *q, struct err *e)
{
	return q->writable || err_set(e, "%s: is open read-only", q->image.file);
}

bool
qcow2_resize(struct image *i, uint64_t bytes, unsigned preallocation, bool shrink, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);

	if (!check_writable(q, e))
		return false;
	if (bytes > INT64_MAX - DISK_SECTOR)
		return err_set(e, "%s: %" PRIu64 " bytes are too many for a disk", i->file, bytes);
	bytes = align_up(bytes, DISK_SECTOR);
	if (bytes >= i->bytes)
		return bytes == i->bytes || grow_to(q, bytes, preallocation, e);
	if (!shrink)
		return err_set(e, "%s: shrinking it to %" PRIu64 " bytes loses what is behind; allow that with --shrink", i->file, bytes);
	return shrink_to(q, bytes, e);
}

/* ---- backing file ---- */

bool
qcow2_set_backing(struct image *i, const char *file, const char *format, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	char *old_file = q->backing_file, *old_format = q->backing_format;
	bool ok;

	if (!check_writable(q, e))
		return false;
	if (file != NULL && strlen(file) > BACKING_NAME_MOST)
		return err_set(e, "%s: the backing file's name has more than %d bytes; give it a shorter one", i->file, BACKING_NAME_MOST);
	ok = failed(q, qcow2_commit(q), "can't be written", e);
	if (!ok)
		return false;
	q->backing_file = file == NULL ? NULL : xstrdup(file);
	q->backing_format = file == NULL || format == NULL ? NULL : xstrdup(format);
	ok = header_write_all(q, e);
	if (!ok) {
		free(q->backing_file);
		free(q->backing_format);
		q->backing_file = old_file;
		q->backing_format = old_format;
		return false;
	}
	free(old_file);
	free(old_format);
	return true;
}

/* ---- giving up ---- */

bool
qcow2_make_empty(struct image *i, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	uint64_t *empty, *old;
	uint32_t entries = q->l1_entries;
	int error;

	if (!check_writable(q, e))
		return false;
	error = qcow2_commit(q);
	pthread_mutex_lock(&q->lock);
	empty = xcalloc(entries + 1, sizeof(*empty));
	old = xcalloc(entries + 1, sizeof(*old));
	memcpy(old, q->l1, entries * sizeof(*old));
	if (error == 0)
		error = l1_switch(q, empty, entries, q->disk_bytes);
	if (error == 0)
		error = tree_count(q, old, entries, -1);
	free(empty);
	free(old);
	pthread_mutex_unlock(&q->lock);
	if (error == 0)
		error = qcow2_commit(q);
	return failed(q, error, "can't be emptied", e);
}

/* ---- creation ---- */

bool
qcow2_check_create(const struct image_create *o, struct err *e)
{
	unsigned version = o->version == 0 ? 3 : o->version, refcount_bits = o->refcount_bits == 0 ? 16 : o->refcount_bits;
	uint32_t cluster = o->cluster_bytes == 0 ? 64 * KiB : o->cluster_bytes;

	if (version != 2 && version != 3)
		return err_set(e, "%s: there is no qcow2 version %u; use 2 or 3", o->file, version);
	if ((cluster & (cluster - 1)) != 0 || cluster < 512 || cluster > 2 * MiB)
		return err_set(e, "%s: clusters of %u bytes can't be; use a power of two from 512 to 2M", o->file, cluster);
	if ((refcount_bits & (refcount_bits - 1)) != 0 || refcount_bits > 64)
		return err_set(e, "%s: refcounts of %u bits can't be; use 1, 2, 4, 8, 16, 32 or 64", o->file, refcount_bits);
	if (version == 2 && (refcount_bits != 16 || o->lazy_refcounts || o->compression != COMPRESSION_ZLIB))
		return err_set(e, "%s: version 2 (compat=0.10) has refcounts of 16 bits, none that are lazy, and zlib; use version 3", o->file);
	if (o->compression == COMPRESSION_ZSTD && !zstd_is_there())
		return err_set(e, "%s: this build is without zstd; install libzstd-dev and build anew, or use zlib", o->file);
	if (o->backing_file != NULL && strlen(o->backing_file) > BACKING_NAME_MOST)
		return err_set(e, "%s: the backing file's name has more than %d bytes; give it a shorter one", o->file, BACKING_NAME_MOST);
	if (o->preallocation != PREALLOCATE_OFF && o->backing_file != NULL)
		return err_set(e, "%s: preallocation would hide the backing file; leave one of them out", o->file);
	return true;
}

/* An image of no bytes: header, refcount table, its only block, and an L1 table without entries. */
static bool
write_first_clusters(struct image *file, const struct image_create *o, struct err *e)
{
	struct qcow2 q = {
		.version = o->version == 0 ? 3 : o->version,
		.cluster_bits = __builtin_ctz(o->cluster_bytes == 0 ? 64 * KiB : o->cluster_bytes),
		.refcount_order = __builtin_ctz(o->refcount_bits == 0 ? 16 : o->refcount_bits),
		.compression = o->compression,
		.incompatible = o->compression == COMPRESSION_ZLIB ? 0 : INCOMPATIBLE_COMPRESSION,
		.compatible = o->lazy_refcounts ? COMPATIBLE_LAZY_REFCOUNTS : 0,
		.backing_file = (char *)o->backing_file, .backing_format = (char *)o->backing_format,
	};
	uint8_t *p;
	int error;
	bool ok;

	q.header_bytes = q.version == 2 ? HEADER_V2_BYTES : HEADER_V3_BYTES;
	q.cluster_bytes = 1ull << q.cluster_bits;
	q.rt_offset = q.cluster_bytes;
	q.rt_entries = q.cluster_bytes / 8;
	q.l1_offset = 3 * q.cluster_bytes;
	p = xcalloc(4, q.cluster_bytes);
	ok = header_make(&q, p, q.cluster_bytes);
	put_be(p + q.cluster_bytes, 2 * q.cluster_bytes, 8);
	for (unsigned n = 0; n < 3; n++)
		refcount_put(p + 2 * q.cluster_bytes, n, q.refcount_order, 1);
	error = ok ? file->ops->write(file, 0, p, 4 * q.cluster_bytes) : 0;
	free(p);
	if (!ok)
		return err_set(e, "%s: the backing file's name and format don't fit into a cluster; make clusters larger", o->file);
	return error == 0 || err_set(e, "%s: can't be written: %s", o->file, strerror(error));
}

bool
qcow2_create(struct image *file, const struct image_create *o, struct err *e)
{
	struct image *i;
	bool ok;

	if (!write_first_clusters(file, o, e)) {
		file->ops->close(file);
		return false;
	}
	file->bytes = 4ull * (o->cluster_bytes == 0 ? 64 * KiB : o->cluster_bytes);
	i = qcow2_open(file, IMAGE_WRITE, e);
	if (i == NULL) {
		file->ops->close(file);
		return false;
	}
	ok = qcow2_resize(i, o->bytes, o->preallocation, false, e);
	return failed(to_qcow2(i), image_close(i), "can't be written", ok ? e : NULL) && ok;
}
