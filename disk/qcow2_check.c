/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks a qcow2 image: counts how often each host cluster is named, and compares that with what the refcounts say.
 *
 * Counts that are too high are leaks; those that are too low, and tables that name what can't be, are corruptions.
 * Counts are mended where they stand if all that is in use has a block; otherwise new blocks and a new table are made
 * behind the end of the file.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHUNK = 16384, BITMAP_ENTRY_BYTES = 24 };

/* A file of 2 TiB with the smallest clusters, of 256 TiB with those of 64 KiB. */
#define CLUSTERS_MOST (1ull << 32)

struct checker {
	struct qcow2 *q;
	const struct image_check_hooks *hooks;
	struct image_check *out;
	uint32_t **chunks;        /* how often each host cluster is named */
	uint64_t clusters;        /* of the file */
	uint64_t next_offset;     /* where the next cluster of data would follow the last one */
	bool active;              /* the tree that is being walked is the disk's */
	bool blocks_broken;       /* refcounts can't be mended where they stand */
	uint64_t of_blocks;       /* corruptions that making the refcounts anew mends */
	uint64_t lasting;         /* corruptions that no repair of counts mends */
};

static void __attribute__((format(printf, 2, 3)))
tell(struct checker *c, const char *format, ...)
{
	char line[256];
	va_list args;

	if (c->hooks == NULL || c->hooks->tell == NULL)
		return;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	c->hooks->tell(c->hooks->opaque, line);
}

static void __attribute__((format(printf, 2, 0)))
corruption(struct checker *c, const char *format, uint64_t where)
{
	char line[256];

	snprintf(line, sizeof(line), format, where);
	tell(c, "ERROR %s", line);
	c->out->corruptions++;
}

/* ---- counting ---- */

static uint32_t
count_of(const struct checker *c, uint64_t cluster)
{
	const uint32_t *chunk = cluster < c->clusters ? c->chunks[cluster / CHUNK] : NULL;

	return chunk == NULL ? 0 : chunk[cluster % CHUNK];
}

/* False: some of it isn't in the file. */
static bool
count(struct checker *c, uint64_t offset, uint64_t len)
{
	uint64_t first = offset >> c->q->cluster_bits, last;

	if (len == 0)
		return true;
	if (offset > INT64_MAX || len > INT64_MAX || (offset + len - 1) >> c->q->cluster_bits >= c->clusters)
		return false;
	last = (offset + len - 1) >> c->q->cluster_bits;
	for (; first <= last; first++) {
		uint32_t **chunk = &c->chunks[first / CHUNK];

		if (*chunk == NULL)
			*chunk = xcalloc(CHUNK, sizeof(**chunk));
		(*chunk)[first % CHUNK] += (*chunk)[first % CHUNK] != UINT32_MAX;
	}
	return true;
}

static void
count_table_at(struct checker *c, uint64_t offset, uint64_t len, const char *what)
{
	if ((offset & (c->q->cluster_bytes - 1)) == 0 && count(c, offset, len))
		return;
	tell(c, "ERROR %s at %#" PRIx64 " is not in the file", what, offset);
	c->out->corruptions++;
}

static void
count_compressed(struct checker *c, uint64_t entry)
{
	uint64_t offset, len;

	compressed_range(c->q, entry, &offset, &len);
	/* The last sector may be cut short. */
	if (offset + len > c->q->file_end && offset < c->q->file_end)
		len = c->q->file_end - offset;
	if (!count(c, offset, len))
		corruption(c, "a compressed cluster at %#" PRIx64 " is not in the file", offset);
	if (!c->active)
		return;
	c->out->allocated_clusters++;
	c->out->compressed_clusters++;
	c->out->fragmented_clusters++;
}

static void
count_entry(struct checker *c, uint64_t entry)
{
	struct qcow2 *q = c->q;
	uint64_t offset = entry & OFFSET_MASK;

	if (entry & COMPRESSED) {
		count_compressed(c, entry);
		return;
	}
	if (offset == 0)
		return;
	if ((offset & (q->cluster_bytes - 1)) != 0)
		corruption(c, "a data cluster at %#" PRIx64 " is not aligned", offset);
	else if (!count(c, offset, q->cluster_bytes))
		corruption(c, "a data cluster at %#" PRIx64 " is not in the file", offset);
	if (!c->active || entry_kind(q, entry) == MAPPED_ZERO)
		return;
	c->out->allocated_clusters++;
	c->out->fragmented_clusters += c->next_offset != 0 && offset != c->next_offset;
	c->next_offset = offset + q->cluster_bytes;
}

/* No honest image names a table more often than it has trees: walking it over and over could take years. */
static int
count_l2(struct checker *c, uint64_t table)
{
	struct qcow2 *q = c->q;
	uint8_t *entries;
	int error;

	if ((table & (q->cluster_bytes - 1)) != 0 || !count(c, table, q->cluster_bytes)) {
		corruption(c, "an L2 table at %#" PRIx64 " is not in the file", table);
		return 0;
	}
	if (count_of(c, table >> q->cluster_bits) > q->snapshot_count + 1) {
		corruption(c, "an L2 table at %#" PRIx64 " is in use more than once", table);
		return 0;
	}
	entries = xcalloc(1, q->cluster_bytes);
	c->next_offset = 0;
	error = file_read(q, table, entries, q->cluster_bytes);
	for (uint64_t at = 0; at < q->cluster_bytes && error == 0; at += 8)
		count_entry(c, get_be(entries + at, 8));
	free(entries);
	return error;
}

static int
count_tree(struct checker *c, const uint64_t *l1, uint32_t entries)
{
	int error = 0;

	for (uint32_t n = 0; n < entries && error == 0; n++) {
		if ((l1[n] & OFFSET_MASK) != 0)
			error = count_l2(c, l1[n] & OFFSET_MASK);
		if (c->hooks != NULL && c->hooks->progress != NULL && c->active)
			c->hooks->progress(c->hooks->opaque, n + 1, entries);
	}
	return error;
}

static int
count_snapshots(struct checker *c)
{
	struct qcow2 *q = c->q;
	int error = 0;

	count_table_at(c, q->snapshots_offset, q->snapshots_bytes, "the snapshot table");
	for (unsigned n = 0; n < q->snapshot_count && error == 0; n++) {
		const struct snapshot *s = &q->snapshots[n];
		uint64_t before = c->out->corruptions, *l1 = NULL;

		count_table_at(c, s->l1_offset, s->l1_entries * 8ull, "a snapshot's L1 table");
		if (c->out->corruptions != before || s->l1_entries > L1_BYTES_MOST / 8)
			continue;
		error = table_load(q, s->l1_offset, s->l1_entries, &l1);
		if (error == 0)
			error = count_tree(c, l1, s->l1_entries);
		free(l1);
	}
	return error;
}

/* ---- bitmaps of others ---- */

static int
count_bitmap(struct checker *c, uint64_t table, uint32_t entries)
{
	uint64_t *t;
	int error;

	count_table_at(c, table, entries * 8ull, "a bitmap's table");
	if (entries > L1_BYTES_MOST / 8 || table >= c->q->file_end)
		return 0;
	error = table_load(c->q, table, entries, &t);
	for (uint32_t n = 0; n < entries && error == 0; n++) {
		if ((t[n] & OFFSET_MASK) != 0)
			count_table_at(c, t[n] & OFFSET_MASK, c->q->cluster_bytes, "a bitmap's cluster");
	}
	free(t);
	return error;
}

static int
count_bitmaps(struct checker *c, const uint8_t *extension)
{
	uint64_t at = get_be(extension + 16, 8), end = at + get_be(extension + 8, 8);
	uint32_t bitmaps = get_be(extension, 4);
	int error = 0;

	if (end - at > L1_BYTES_MOST || end < at)
		end = at;
	count_table_at(c, at, end - at, "the bitmaps' directory");
	for (uint32_t n = 0; n < bitmaps && error == 0 && end - at >= BITMAP_ENTRY_BYTES; n++) {
		uint8_t d[BITMAP_ENTRY_BYTES];
		uint64_t len;

		error = file_read(c->q, at, d, sizeof(d));
		if (error == 0)
			error = count_bitmap(c, get_be(d, 8), get_be(d + 8, 4));
		len = align_up(sizeof(d) + get_be(d + 18, 2) + get_be(d + 20, 4), 8);
		at += MIN(len, end - at);
	}
	return error;
}

static int
count_extensions(struct checker *c)
{
	int error = 0;

	for (const struct extension *x = c->q->extensions; x != NULL && error == 0; x = x->next) {
		if (x->type == EXTENSION_BITMAPS && x->len >= 24 && (c->q->autoclear & AUTOCLEAR_BITMAPS))
			error = count_bitmaps(c, x->data);
	}
	return error;
}

/* ---- all of it ---- */

static void
count_refcounts(struct checker *c)
{
	struct qcow2 *q = c->q;

	count_table_at(c, q->rt_offset, q->rt_entries * 8ull, "the refcount table");
	for (uint32_t n = 0; n < q->rt_entries; n++) {
		uint64_t before = c->out->corruptions;

		if (q->rt[n] == 0)
			continue;
		count_table_at(c, q->rt[n], q->cluster_bytes, "a refcount block");
		if (c->out->corruptions == before && count_of(c, q->rt[n] >> q->cluster_bits) == 1)
			continue;
		if (c->out->corruptions == before)
			corruption(c, "a refcount block at %#" PRIx64 " is in use more than once", q->rt[n]);
		c->blocks_broken = true;
		c->of_blocks++;
	}
}

static int
count_all(struct checker *c, bool with_refcounts)
{
	struct qcow2 *q = c->q;
	int error;

	count(c, 0, q->cluster_bytes);
	if (with_refcounts)
		count_refcounts(c);
	count_table_at(c, q->l1_offset, q->l1_entries * 8ull, "the L1 table");
	c->active = true;
	c->next_offset = 0;
	error = count_tree(c, q->l1, q->l1_entries);
	c->active = false;
	if (error == 0)
		error = count_snapshots(c);
	return error == 0 ? count_extensions(c) : error;
}

static void
forget_counts(struct checker *c)
{
	for (uint64_t n = 0; n <= c->clusters / CHUNK; n++) {
		free(c->chunks[n]);
		c->chunks[n] = NULL;
	}
}

/* One count that is wrong.  It is mended if that is asked for and it has a block. */
static int
wrong_count(struct checker *c, uint64_t cluster, uint64_t stored, uint64_t named, unsigned fix)
{
	bool leak = stored > named, mend = fix & (leak ? IMAGE_FIX_LEAKS : IMAGE_FIX_ALL & ~IMAGE_FIX_LEAKS);
	struct qcow2 *q = c->q;
	int error = 0;

	tell(c, "%s cluster %" PRIu64 " refcount=%" PRIu64 " reference=%" PRIu64, mend && !c->blocks_broken ? "Repairing" :
		leak ? "Leaked" : "ERROR", cluster, stored, named);
	*(leak ? &c->out->leaks : &c->out->corruptions) += 1;
	if (!mend || c->blocks_broken)
		return 0;
	error = refcount_set(q, cluster, named);
	if (error == ENOENT) {
		c->blocks_broken = true;
		return 0;
	}
	if (error == 0)
		*(leak ? &c->out->leaks_fixed : &c->out->corruptions_fixed) += 1;
	return error == 0 && q->blocks.dirty > q->blocks.limit / 2 ? refcounts_write(q) : error;
}

/* A block that is in use for several things says nothing. */
static bool
has_own_block(const struct checker *c, uint64_t cluster)
{
	const struct qcow2 *q = c->q;

	return refcount_has_block(q, cluster) && count_of(c, q->rt[cluster / block_entries(q)] >> q->cluster_bits) == 1;
}

/* How many clusters from here on have neither a name nor a count: large files may have large holes. */
static uint64_t
unknown_clusters(const struct checker *c, uint64_t cluster)
{
	uint64_t to_block = block_entries(c->q) - cluster % block_entries(c->q), to_chunk = CHUNK - cluster % CHUNK;

	if (cluster >= c->clusters)
		return has_own_block(c, cluster) ? 0 : to_block;
	if (refcount_has_block(c->q, cluster) || c->chunks[cluster / CHUNK] != NULL)
		return 0;
	return MIN(to_block, to_chunk);
}

static int
compare(struct checker *c, unsigned fix)
{
	struct qcow2 *q = c->q;
	uint64_t end = MAX(c->clusters, q->blocks_end * block_entries(q)), last = 0;
	int error = 0;

	for (uint64_t cluster = 0; cluster < end && error == 0; cluster++) {
		uint64_t stored, named = count_of(c, cluster), unknown = unknown_clusters(c, cluster);

		if (unknown != 0) {
			cluster += unknown - 1;
			continue;
		}
		error = refcount_get(q, cluster, &stored);
		if (error == EIO) {
			c->blocks_broken = true;
			stored = 0;
			error = 0;
		}
		if (stored != named && error == 0)
			error = wrong_count(c, cluster, stored, named, fix);
		if (stored != 0 || named != 0)
			last = cluster + 1;
	}
	c->out->end_offset = last << q->cluster_bits;
	return error;
}

/* A mark that promises one name to what has more lets it be overwritten; without it, there is only a copy too many. */
static int
check_mark(struct checker *c, uint64_t entry, uint64_t *wrong)
{
	struct qcow2 *q = c->q;
	uint64_t host = entry & OFFSET_MASK, stored;
	uint32_t named = count_of(c, host >> q->cluster_bits);
	int error = 0;

	if ((named == 1) == ((entry & COPIED) != 0))
		return 0;
	if (named == 1) {
		error = refcount_get(q, host >> q->cluster_bits, &stored);
		if (error == EIO || stored != 1)
			return 0;
	}
	tell(c, "ERROR mark of one name %s for cluster %" PRIu64 " reference=%u", entry & COPIED ? "set" : "missing",
		host >> q->cluster_bits, named);
	*wrong += 1;
	return error;
}

/* The marks are mended all at once by tree_mark_copied(). */
static int
check_copied(struct checker *c, uint64_t *wrong)
{
	struct qcow2 *q = c->q;
	uint8_t *entries = xcalloc(1, q->cluster_bytes);
	int error = 0;

	for (uint32_t n = 0; n < q->l1_entries && error == 0; n++) {
		uint64_t table = q->l1[n] & OFFSET_MASK;

		if (table == 0 || (table & (q->cluster_bytes - 1)) != 0 || table >= q->file_end)
			continue;
		error = check_mark(c, q->l1[n], wrong);
		if (error == 0)
			error = file_read(q, table, entries, q->cluster_bytes);
		for (uint64_t at = 0; at < q->cluster_bytes && error == 0; at += 8) {
			uint64_t entry = get_be(entries + at, 8);

			if ((entry & COMPRESSED) == 0 && (entry & OFFSET_MASK) != 0)
				error = check_mark(c, entry, wrong);
		}
	}
	free(entries);
	return error;
}

/* ---- mending ---- */

static uint64_t
named_how_often(const void *opaque, uint64_t cluster)
{
	return count_of(opaque, cluster);
}

/* New blocks and a new table behind all else, from what was counted. */
static int
rebuild(struct checker *c)
{
	int error;

	forget_counts(c);
	error = count_all(c, false);
	if (error == 0)
		error = refcount_rebuild(c->q, c->clusters, named_how_often, c);
	if (error == 0)
		c->blocks_broken = false;
	return error;
}

static int
mend(struct checker *c, unsigned fix, uint64_t wrong_marks)
{
	struct qcow2 *q = c->q;
	struct image_check saved = *c->out;
	int error = 0;

	if (c->blocks_broken && fix == IMAGE_FIX_ALL) {
		error = rebuild(c);
		*c->out = saved;
		if (error == 0) {
			tell(c, "Repairing: the refcounts are made anew");
			c->out->corruptions_fixed = c->out->corruptions - c->lasting;
			c->out->leaks_fixed = c->out->leaks;
		}
	}
	if (error == 0)
		error = refcounts_write(q);
	if (error == 0)
		error = file_flush(q);
	if (error == 0 && wrong_marks != 0 && fix == IMAGE_FIX_ALL) {
		error = tree_mark_copied(q);
		if (error == 0)
			error = slices_write(q, &q->l2);
		if (error == 0 && q->l1_any_dirty)
			error = table_write_dirty(q, q->l1, q->l1_offset, q->l1_entries, q->l1_dirty);
		q->l1_any_dirty = q->l1_any_dirty && error != 0;
		c->out->corruptions_fixed += error == 0 ? wrong_marks : 0;
	}
	if (error == 0)
		error = file_flush(q);
	return error;
}

/* The bits that say that something is wrong, when nothing is any more. */
static int
clear_marks(struct qcow2 *q, const struct image_check *out)
{
	uint64_t bits = 0;

	if (out->corruptions == out->corruptions_fixed)
		bits = INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT;
	if ((q->incompatible & bits) == 0)
		return 0;
	q->incompatible &= ~bits;
	return header_write(q);
}

static int
check_locked(struct checker *c, unsigned fix)
{
	struct qcow2 *q = c->q;
	uint64_t wrong_marks = 0;
	int error = count_all(c, true);

	c->lasting = c->out->corruptions - c->of_blocks;
	c->out->total_clusters = clusters_for(q, q->image.bytes);
	if (error == 0)
		error = compare(c, fix);
	if (error == 0)
		error = check_copied(c, &wrong_marks);
	c->out->corruptions += wrong_marks;
	if (error == 0 && fix != 0)
		error = mend(c, fix, wrong_marks);
	if (error == 0 && fix == IMAGE_FIX_ALL)
		error = clear_marks(q, c->out);
	return error;
}

static int
check(struct qcow2 *q, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out)
{
	struct checker c = { .q = q, .hooks = hooks, .out = out, .clusters = clusters_for(q, q->file_end) };
	int error;

	*out = (struct image_check){ 0 };
	if (c.clusters > CLUSTERS_MOST)
		return EFBIG;
	c.chunks = xcalloc(c.clusters / CHUNK + 1, sizeof(*c.chunks));
	pthread_mutex_lock(&q->lock);
	error = check_locked(&c, fix);
	pthread_mutex_unlock(&q->lock);
	forget_counts(&c);
	free(c.chunks);
	out->check_errors = error != 0;
	return error;
}

bool
qcow2_check(struct image *i, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	int error;

	if (fix != 0 && !q->writable)
		return err_set(e, "%s: is open read-only, and can't be repaired so", i->file);
	error = qcow2_settle(q);
	if (error == 0)
		error = check(q, fix, hooks, out);
	return error == 0 || err_set(e, "%s: can't be checked: %s", i->file, strerror(error));
}

bool
qcow2_mend_refcounts(struct qcow2 *q, struct err *e)
{
	struct image_check result;
	int error = check(q, IMAGE_FIX_ALL, NULL, &result);

	if (error == 0 && result.corruptions != result.corruptions_fixed)
		return err_set(e, "%s: was not closed, and is damaged; repair it (calque-img check -r all)", q->image.file);
	return error == 0 || err_set(e, "%s: was not closed, and its refcounts can't be mended: %s", q->image.file, strerror(error));
}
