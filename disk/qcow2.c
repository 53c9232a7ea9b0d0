/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2 images: opening, closing, and the file below. */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* A chain of many files must not take that much for each. */
#define L2_CACHE_BYTES (32 * MiB)
#define L2_CACHE_BYTES_BACKING (4 * MiB)
#define BLOCK_CACHE_BYTES (4 * MiB)

/* ---- the file ---- */

int
file_read(struct qcow2 *q, uint64_t offset, void *buf, size_t len)
{
	return q->image.below->ops->read(q->image.below, offset, buf, len);
}

/* FILE_END grows before what is there can be named by a table; several threads may be here. */
int
file_write(struct qcow2 *q, uint64_t offset, const void *buf, size_t len)
{
	int error;

	if (q->final_error != 0)
		return q->final_error;
	error = q->image.below->ops->write(q->image.below, offset, buf, len);
	if (error == 0)
		file_has(q, offset + len);
	return error;
}

void
file_has(struct qcow2 *q, uint64_t bytes)
{
	uint64_t end = q->file_end;

	while (end < bytes && !atomic_compare_exchange_weak(&q->file_end, &end, bytes))
		;
}

/* What a failed flush has lost stays lost, whatever the next one says. */
int
file_flush(struct qcow2 *q)
{
	int error = q->final_error;

	if (error != 0 || (q->flags & IMAGE_UNSAFE))
		return error;
	error = q->image.below->ops->flush(q->image.below);
	if (error != 0)
		q->final_error = error;
	return error;
}

int
qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t where)
{
	if (!q->told)
		fprintf(stderr, "calque: %s: %s, at byte %" PRIu64 "; repair the image (calque-img check -r all)\n", q->image.file, what,
			where);
	q->told = true;
	if (!q->writable || (q->flags & IMAGE_REPAIR) || q->final_error != 0)
		return EIO;
	if (q->version >= 3) {
		q->incompatible |= INCOMPATIBLE_CORRUPT;
		header_write(q);
	}
	q->final_error = EIO;
	return EIO;
}

/* ---- operations ---- */

static int
qcow2_flush(struct image *i)
{
	return qcow2_commit(to_qcow2(i));
}

/* Clusters of a sparse file, or such as were written in part, may read as zeros, which the file system knows. */
static int
look_for_hole(struct image *file, struct image_extent *x)
{
	struct image_extent below;
	int error = layer_status(file, x->host_offset, x->bytes, &below);

	if (error != 0)
		return error;
	x->bytes = MIN(x->bytes, below.bytes);
	x->zero = below.zero;
	return 0;
}

static int
qcow2_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	struct qcow2 *q = to_qcow2(i);
	struct mapping m;
	int error;

	pthread_mutex_lock(&q->lock);
	error = map_lookup(q, offset, len, &m);
	pthread_mutex_unlock(&q->lock);
	if (error != 0)
		return error;
	*out = (struct image_extent){ .bytes = m.bytes, .file = i->file, .present = m.kind != MAPPED_NOT };
	out->data = m.kind == MAPPED_DATA || m.kind == MAPPED_COMPRESSED;
	out->compressed = m.kind == MAPPED_COMPRESSED;
	out->zero = m.kind == MAPPED_ZERO || (m.kind == MAPPED_NOT && q->backing_file == NULL);
	out->has_offset = m.kind == MAPPED_DATA;
	out->host_offset = m.host;
	return m.kind == MAPPED_DATA ? look_for_hole(i->below, out) : 0;
}

static void
qcow2_info(struct image *i, struct image_info *out)
{
	struct qcow2 *q = to_qcow2(i);
	struct image *file = i->below;

	while (file->below != NULL)
		file = file->below;
	file->ops->tool->info(file, out);
	out->cluster_bytes = q->cluster_bytes;
	out->version = q->version;
	out->refcount_bits = 1u << q->refcount_order;
	out->lazy_refcounts = q->compatible & COMPATIBLE_LAZY_REFCOUNTS;
	out->dirty = q->incompatible & INCOMPATIBLE_DIRTY;
	out->corrupt = q->incompatible & INCOMPATIBLE_CORRUPT;
	out->compression = q->compression;
	out->backing_file = q->backing_file;
	out->backing_format = q->backing_format;
	out->vm_state_offset = (uint64_t)l1_entries_for(q, q->disk_bytes) << (q->cluster_bits + l2_bits(q));
}

static void
free_all(struct qcow2 *q)
{
	snapshots_free(q);
	while (q->extensions != NULL) {
		struct extension *x = q->extensions;

		q->extensions = x->next;
		free(x->data);
		free(x);
	}
	slices_free(&q->l2);
	slices_free(&q->blocks);
	free(q->l1);
	free(q->l1_dirty);
	free(q->rt);
	free(q->rt_dirty);
	free(q->pending);
	free(q->unpacked);
	free(q->backing_file);
	free(q->backing_format);
	free(q->image.file);
	free(q->image.backing_path);
	pthread_mutex_destroy(&q->unpacked_lock);
	pthread_cond_destroy(&q->changed);
	pthread_mutex_destroy(&q->lock);
	free(q);
}

static void
qcow2_close(struct image *i)
{
	struct qcow2 *q = to_qcow2(i);

	qcow2_settle(q);
	if (i->backing != NULL)
		i->backing->ops->close(i->backing);
	i->below->ops->close(i->below);
	free_all(q);
}

static const struct image_tool_ops tool_ops = {
	.info = qcow2_info,
	.resize = qcow2_resize,
	.set_backing = qcow2_set_backing,
	.make_empty = qcow2_make_empty,
	.check = qcow2_check,
	.snapshot = qcow2_snapshot,
	.snapshot_create = qcow2_snapshot_create,
	.snapshot_apply = qcow2_snapshot_apply,
	.snapshot_delete = qcow2_snapshot_delete,
	.use_snapshot = qcow2_use_snapshot,
};

static const struct image_ops ops = {
	.name = "qcow2",
	.read = qcow2_read,
	.write = qcow2_write,
	.flush = qcow2_flush,
	.discard = qcow2_discard,
	.close = qcow2_close,
	.write_zeros = qcow2_write_zeros,
	.write_compressed = qcow2_write_compressed,
	.status = qcow2_status,
	.read_now = qcow2_read_now,
	.write_now = qcow2_write_now,
	.tool = &tool_ops,
};

/* ---- opening ---- */

static bool
load_tables(struct qcow2 *q, struct err *e)
{
	int error = table_load(q, q->l1_offset, q->l1_entries, &q->l1);

	q->l1_dirty = table_dirty_new(q->l1_entries);
	if (error != 0)
		return err_set(e, "%s: its L1 table can't be read: %s", q->image.file, strerror(error));
	return refcount_load_table(q, e) && snapshots_load(q, e);
}

/* Before the first change: who was here last left refcounts behind, and what we don't know isn't true any more. */
static bool
prepare_writing(struct qcow2 *q, struct err *e)
{
	int error;

	if (!q->writable || (q->flags & IMAGE_REPAIR))
		return true;
	if ((q->incompatible & INCOMPATIBLE_DIRTY) && !qcow2_mend_refcounts(q, e))
		return false;
	if (q->autoclear == 0)
		return true;
	q->autoclear = 0;
	error = header_write(q);
	return error == 0 || err_set(e, "%s: its header can't be written: %s", q->image.file, strerror(error));
}

struct image *
qcow2_open(struct image *file, unsigned flags, struct err *e)
{
	struct qcow2 *q = xcalloc(1, sizeof(*q));
	struct image *bottom = file;
	uint64_t l2_limit = flags & IMAGE_WRITE ? L2_CACHE_BYTES : L2_CACHE_BYTES_BACKING;

	while (bottom->below != NULL)
		bottom = bottom->below;
	q->image = (struct image){ .ops = &ops, .below = file, .file = xstrdup(bottom->file) };
	q->flags = flags;
	q->writable = flags & IMAGE_WRITE;
	q->file_end = file->bytes;
	pthread_mutex_init(&q->lock, NULL);
	pthread_mutex_init(&q->unpacked_lock, NULL);
	pthread_cond_init(&q->changed, NULL);
	if (header_load(q, e)) {
		uint32_t slice = MIN(q->cluster_bytes, SLICE_MOST);

		q->lazy = q->compatible & COMPATIBLE_LAZY_REFCOUNTS;
		q->never_used = file->grows ? align_up(file->bytes, q->cluster_bytes) : UINT64_MAX;
		slices_init(&q->l2, slice, l2_limit);
		slices_init(&q->blocks, slice, BLOCK_CACHE_BYTES);
		if (load_tables(q, e) && prepare_writing(q, e))
			return &q->image;
	}
	q->writable = false;
	free_all(q);
	return NULL;
}

const char *
qcow2_backing(struct image *i, const char **format)
{
	struct qcow2 *q = to_qcow2(i);

	*format = q->backing_format;
	return q->backing_file;
}
