/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which host clusters are in use, and how often: allocation, and counting up and down.
 *
 * The refcount table grows by areas: behind all that blocks describe so far, an area begins with as many blocks as
 * describe it, then a larger table if the old one is full, then what room was asked for.  So a block always stands in
 * what it describes itself.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <stdlib.h>

/* ---- entries of 1 to 64 bits ---- */

uint64_t
refcount_most(const struct qcow2 *q)
{
	return q->refcount_order == 6 ? UINT64_MAX : (1ull << (1u << q->refcount_order)) - 1;
}

uint64_t
refcount_in(const uint8_t *data, uint64_t index, unsigned order)
{
	unsigned width = 1u << order, shift = index * width % 8;

	if (order >= 3)
		return get_be(data + index * (width / 8), width / 8);
	return data[index * width / 8] >> shift & ((1u << width) - 1);
}

void
refcount_put(uint8_t *data, uint64_t index, unsigned order, uint64_t value)
{
	unsigned width = 1u << order, shift = index * width % 8;
	uint8_t *p = data + index * width / 8, mask = order >= 3 ? 0 : ((1u << width) - 1) << shift;

	if (order >= 3)
		put_be(p, value, width / 8);
	else
		*p = (*p & ~mask) | value << shift;
}

/* ---- blocks ---- */

int
refcount_load_table(struct qcow2 *q, struct err *e)
{
	int error = table_load(q, q->rt_offset, q->rt_entries, &q->rt);

	q->rt_dirty = table_dirty_new(q->rt_entries);
	q->blocks_end = q->rt_entries;
	while (q->blocks_end > 0 && q->rt[q->blocks_end - 1] == 0)
		q->blocks_end--;
	return error == 0 || err_set(e, "%s: its refcount table can't be read: %s", q->image.file, strerror(error));
}

/* Where in the file the slice with the count of a host cluster is, and the count's place in it; 0: no block describes it. */
static uint64_t
block_slice_offset(const struct qcow2 *q, uint64_t cluster, uint64_t *index)
{
	uint64_t block = cluster / block_entries(q), per_slice = (uint64_t)q->blocks.slice_bytes * 8 >> q->refcount_order;

	*index = cluster % per_slice;
	if (block >= q->rt_entries || q->rt[block] == 0)
		return 0;
	return q->rt[block] + cluster % block_entries(q) / per_slice * q->blocks.slice_bytes;
}

/* The slice with the count of a host cluster; NULL: no block describes it. */
static int
block_slice(struct qcow2 *q, uint64_t cluster, struct slice **s, uint64_t *index)
{
	uint64_t offset = block_slice_offset(q, cluster, index);

	*s = NULL;
	if (offset == 0)
		return 0;
	if ((q->rt[cluster / block_entries(q)] & (q->cluster_bytes - 1)) != 0)
		return qcow2_corrupt(q, "a refcount block is not aligned", q->rt[cluster / block_entries(q)]);
	return slices_get(q, &q->blocks, offset, s);
}

int
refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *value)
{
	struct slice *s;
	uint64_t index;
	int error = block_slice(q, cluster, &s, &index);

	*value = error != 0 || s == NULL ? 0 : refcount_in(s->data, index, q->refcount_order);
	return error;
}

bool
refcount_has_block(const struct qcow2 *q, uint64_t cluster)
{
	uint64_t block = cluster / block_entries(q);

	return block < q->rt_entries && q->rt[block] != 0;
}

bool
refcount_is_cached(const struct qcow2 *q, uint64_t cluster)
{
	uint64_t index, offset = block_slice_offset(q, cluster, &index);

	return offset != 0 && slices_has(&q->blocks, offset);
}

int
refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t value)
{
	struct slice *s;
	uint64_t index;
	int error = block_slice(q, cluster, &s, &index);

	if (error != 0 || s == NULL)
		return error != 0 ? error : ENOENT;
	if (value > refcount_most(q))
		return EMLINK;
	refcount_put(s->data, index, q->refcount_order, value);
	slices_dirty(&q->blocks, s);
	q->first_free = 0;
	return 0;
}

static int
change_one(struct qcow2 *q, uint64_t cluster, int by, uint64_t *left)
{
	struct slice *s;
	uint64_t index, value;
	int error = block_slice(q, cluster, &s, &index);

	if (error != 0)
		return error;
	value = s == NULL ? 0 : refcount_in(s->data, index, q->refcount_order);
	if (s == NULL || (by < 0 && value == 0))
		return qcow2_corrupt(q, "a cluster in use is counted as free", cluster << q->cluster_bits);
	if (by > 0 && value == refcount_most(q))
		return EMLINK;
	*left = value + by;
	refcount_put(s->data, index, q->refcount_order, *left);
	slices_dirty(&q->blocks, s);
	return 0;
}

static void
give_back(struct qcow2 *q, uint64_t cluster, uint64_t count)
{
	if (count == 0)
		return;
	q->first_free = MIN(q->first_free, cluster);
	if (q->packed_end >> q->cluster_bits >= cluster && q->packed_end >> q->cluster_bits < cluster + count)
		q->packed_end = 0;
	compressed_forget(q);
	if ((q->flags & IMAGE_UNMAP) && (cluster + count) << q->cluster_bits <= q->file_end)
		q->image.below->ops->discard(q->image.below, cluster << q->cluster_bits, count << q->cluster_bits);
}

int
refcount_change(struct qcow2 *q, uint64_t cluster, uint64_t count, int by)
{
	uint64_t freed = 0;
	int error = 0;

	for (uint64_t n = 0; n < count && error == 0; n++) {
		uint64_t left = 0;

		error = change_one(q, cluster + n, by, &left);
		if (error == 0 && left == 0) {
			freed++;
		} else {
			give_back(q, cluster + n - freed, freed);
			freed = 0;
		}
	}
	give_back(q, cluster + count - freed, freed);
	return error;
}

int
refcounts_write(struct qcow2 *q)
{
	int error = slices_write(q, &q->blocks);

	if (error != 0 || !q->rt_any_dirty)
		return error;
	/* Blocks that are new reach the disk before the table names them. */
	error = file_flush(q);
	if (error == 0)
		error = table_write_dirty(q, q->rt, q->rt_offset, q->rt_entries, q->rt_dirty);
	q->rt_any_dirty = error != 0;
	return error;
}

/* ---- new areas ---- */

struct area {
	uint64_t first_block, blocks, table_clusters, clusters;
	uint32_t entries; /* of the table then */
};

/* Blocks need blocks: repeated until it fits. */
static int
plan_area(const struct qcow2 *q, uint64_t clusters, struct area *a)
{
	uint64_t before;

	*a = (struct area){ .first_block = q->blocks_end, .blocks = 1, .clusters = clusters, .entries = q->rt_entries };
	do {
		uint64_t needed = a->first_block + a->blocks;

		before = a->blocks;
		if (needed > a->entries) {
			a->table_clusters = clusters_for(q, (needed + needed / 2) * 8);
			if (a->table_clusters << q->cluster_bits > RT_BYTES_MOST)
				a->table_clusters = clusters_for(q, needed * 8);
			if (a->table_clusters << q->cluster_bits > RT_BYTES_MOST)
				return EFBIG;
			a->entries = a->table_clusters << l2_bits(q);
		}
		needed = a->blocks + a->table_clusters + a->clusters;
		a->blocks = MAX(a->blocks, (needed + block_entries(q) - 1) / block_entries(q));
	} while (a->blocks != before);
	if (a->first_block + a->blocks > OFFSET_MASK / q->cluster_bytes / block_entries(q))
		return EFBIG;
	return 0;
}

static int
write_blocks(struct qcow2 *q, const struct area *a)
{
	uint64_t start = a->first_block * block_entries(q) << q->cluster_bits;
	uint64_t used = a->blocks + a->table_clusters + a->clusters;
	uint8_t *block = xcalloc(1, q->cluster_bytes);
	int error = 0;

	for (uint64_t i = 0; i < a->blocks && error == 0; i++) {
		uint64_t n = MIN(used, block_entries(q));

		memset(block, 0, q->cluster_bytes);
		for (uint64_t k = 0; k < n; k++)
			refcount_put(block, k, q->refcount_order, 1);
		used -= n;
		error = file_write(q, start + (i << q->cluster_bits), block, q->cluster_bytes);
	}
	slices_forget(&q->blocks, start, a->blocks << q->cluster_bits);
	free(block);
	return error;
}

/* The new table is whole and on the disk before the header names it; the old one is free after that. */
static int
move_table(struct qcow2 *q, const struct area *a, uint64_t start)
{
	uint64_t *table = xcalloc(a->entries + 64, sizeof(*table)), *old = q->rt;
	uint64_t old_offset = q->rt_offset, old_clusters = q->rt_entries >> l2_bits(q), offset;
	uint32_t old_entries = q->rt_entries;
	bool *old_dirty = q->rt_dirty;
	int error;

	offset = start + (a->blocks << q->cluster_bits);
	memcpy(table, q->rt, q->rt_entries * sizeof(*table));
	for (uint64_t i = 0; i < a->blocks; i++)
		table[a->first_block + i] = start + (i << q->cluster_bits);
	q->rt = table;
	q->rt_entries = a->entries;
	q->rt_offset = offset;
	q->rt_dirty = table_dirty_new(a->entries);
	memset(q->rt_dirty, true, a->entries / 64 + 1);
	error = table_write_dirty(q, q->rt, offset, q->rt_entries, q->rt_dirty);
	if (error == 0)
		error = file_flush(q);
	if (error == 0)
		error = header_write(q);
	if (error != 0) {
		free(q->rt_dirty);
		free(table);
		q->rt = old;
		q->rt_dirty = old_dirty;
		q->rt_entries = old_entries;
		q->rt_offset = old_offset;
		return error;
	}
	q->rt_any_dirty = false;
	free(old);
	free(old_dirty);
	clusters_drop(q, old_offset >> q->cluster_bits << q->cluster_bits, old_clusters);
	return 0;
}

int
refcount_rebuild(struct qcow2 *q, uint64_t clusters, uint64_t (*count_of)(const void *opaque, uint64_t cluster),
	const void *opaque)
{
	uint64_t per_block = block_entries(q), blocks = 1, before, table_clusters, start = clusters << q->cluster_bits;
	uint64_t *table;
	uint8_t *block;
	bool *dirty;
	int error = 0;

	do {
		before = blocks;
		table_clusters = clusters_for(q, blocks * 8);
		blocks = (clusters + blocks + table_clusters + per_block - 1) / per_block;
	} while (blocks != before);
	if (table_clusters << q->cluster_bits > RT_BYTES_MOST)
		return EFBIG;
	table = xcalloc((table_clusters << l2_bits(q)) + 64, sizeof(*table));
	block = xcalloc(1, q->cluster_bytes);
	slices_drop_all(&q->blocks);
	for (uint64_t b = 0; b < blocks && error == 0; b++) {
		memset(block, 0, q->cluster_bytes);
		for (uint64_t n = 0; n < per_block; n++) {
			uint64_t cluster = b * per_block + n;
			uint64_t value = cluster < clusters ? count_of(opaque, cluster) : cluster < clusters + blocks + table_clusters;

			refcount_put(block, n, q->refcount_order, MIN(value, refcount_most(q)));
		}
		table[b] = start + (b << q->cluster_bits);
		error = file_write(q, table[b], block, q->cluster_bytes);
	}
	free(block);
	dirty = table_dirty_new(table_clusters << l2_bits(q));
	memset(dirty, true, (table_clusters << l2_bits(q)) / 64 + 1);
	if (error == 0)
		error = table_write_dirty(q, table, start + (blocks << q->cluster_bits), table_clusters << l2_bits(q), dirty);
	if (error == 0)
		error = file_flush(q);
	if (error != 0) {
		free(table);
		free(dirty);
		return error;
	}
	free(q->rt);
	free(q->rt_dirty);
	q->rt = table;
	q->rt_dirty = dirty;
	q->rt_any_dirty = false;
	q->rt_entries = table_clusters << l2_bits(q);
	q->rt_offset = start + (blocks << q->cluster_bits);
	q->blocks_end = blocks;
	q->first_free = 0;
	q->never_used = MAX(q->never_used, q->rt_offset + (table_clusters << q->cluster_bits));
	return header_write(q);
}

/* CLUSTERS at OFFSET, behind all that is described so far. */
static int
area_new(struct qcow2 *q, uint64_t clusters, uint64_t *offset)
{
	struct area a;
	uint64_t start;
	int error = plan_area(q, clusters, &a);

	if (error != 0)
		return error;
	start = a.first_block * block_entries(q) << q->cluster_bits;
	*offset = start + ((a.blocks + a.table_clusters) << q->cluster_bits);
	error = write_blocks(q, &a);
	if (error != 0)
		return error;
	if (a.table_clusters != 0)
		error = move_table(q, &a, start);
	for (uint64_t i = 0; i < a.blocks && a.table_clusters == 0; i++)
		rt_set(q, a.first_block + i, start + (i << q->cluster_bits));
	if (error != 0)
		return error;
	q->blocks_end = a.first_block + a.blocks;
	q->never_used = MAX(q->never_used, *offset + (clusters << q->cluster_bits));
	return 0;
}

/* ---- allocation ---- */

static bool
names_one_of(const uint64_t *table, uint32_t entries, uint64_t offset, uint64_t end)
{
	for (uint32_t i = 0; i < entries; i++) {
		uint64_t o = table[i] & OFFSET_MASK;

		if (o >= offset && o < end)
			return true;
	}
	return false;
}

static bool
meets(uint64_t offset, uint64_t end, uint64_t table, uint64_t bytes)
{
	return bytes != 0 && offset < table + bytes && table < end;
}

static bool
has_snapshot_table(const struct qcow2 *q, uint64_t offset, uint64_t end)
{
	for (unsigned n = 0; n < q->snapshot_count; n++) {
		if (meets(offset, end, q->snapshots[n].l1_offset, q->snapshots[n].l1_entries * 8ull))
			return true;
	}
	return meets(offset, end, q->snapshots_offset, q->snapshots_bytes);
}

/* Counted as free, but tables stand there: counts that are wrong must not cost more than the counts. */
static bool
has_tables(struct qcow2 *q, uint64_t offset, uint64_t count)
{
	uint64_t end = offset + (count << q->cluster_bits);

	if (offset >= q->never_used)
		return false;
	return offset == 0 || meets(offset, end, q->l1_offset, q->l1_entries * 8ull) ||
		meets(offset, end, q->rt_offset, q->rt_entries * 8ull) || has_snapshot_table(q, offset, end) ||
		names_one_of(q->l1, q->l1_entries, offset, end) || names_one_of(q->rt, q->rt_entries, offset, end);
}

/* How many clusters from FIRST on are free, MOST at the most; then the next one that isn't described counts as used. */
static int
free_run(struct qcow2 *q, uint64_t first, uint64_t most, uint64_t *run)
{
	uint64_t value = 0, index;
	struct slice *s;

	for (*run = 0; *run < most; ++*run) {
		int error = block_slice(q, first + *run, &s, &index);

		if (error != 0)
			return error;
		if (s == NULL)
			return 0;
		value = refcount_in(s->data, index, q->refcount_order);
		if (value != 0)
			return 0;
	}
	return 0;
}

/* The first free cluster from *CLUSTER on, up to END. */
static int
next_free(struct qcow2 *q, uint64_t *cluster, uint64_t end)
{
	uint64_t per_slice = (uint64_t)q->blocks.slice_bytes * 8 >> q->refcount_order;

	while (*cluster < end) {
		struct slice *s;
		uint64_t index;
		int error = block_slice(q, *cluster, &s, &index);

		if (error != 0)
			return error;
		if (s == NULL) {
			*cluster = (*cluster / block_entries(q) + 1) * block_entries(q);
			continue;
		}
		for (; index < per_slice; index++, ++*cluster) {
			if (refcount_in(s->data, index, q->refcount_order) == 0)
				return 0;
		}
	}
	return 0;
}

/* A run of free clusters: ALL of them, or some. */
static int
find_run(struct qcow2 *q, uint64_t wanted, bool all, uint64_t *cluster, uint64_t *run)
{
	uint64_t end = q->blocks_end * block_entries(q), first = q->first_free;
	bool is_first = true;

	for (;;) {
		int error = next_free(q, &first, end);

		if (error != 0)
			return error;
		if (is_first)
			q->first_free = first;
		is_first = false;
		*run = 0;
		if (first >= end)
			return 0;
		error = free_run(q, first, MIN(wanted, end - first), run);
		*cluster = first;
		if (error != 0 || *run == wanted || !all)
			return error;
		first += *run;
	}
}

int
clusters_allocate(struct qcow2 *q, uint64_t wanted, bool all, uint64_t *offset, uint64_t *got)
{
	uint64_t cluster = 0;
	int error = q->final_error != 0 ? q->final_error : find_run(q, wanted, all, &cluster, got);

	if (error != 0)
		return error;
	if (*got == 0) {
		*got = wanted;
		error = area_new(q, all ? wanted : 0, offset);
		if (error != 0 || all)
			return error;
		return clusters_allocate(q, wanted, all, offset, got);
	}
	*offset = cluster << q->cluster_bits;
	if (has_tables(q, *offset, *got))
		return qcow2_corrupt(q, "a table's cluster is counted as free", *offset);
	error = refcount_change(q, cluster, *got, 1);
	if (error == 0 && q->first_free == cluster)
		q->first_free = cluster + *got;
	q->never_used = MAX(q->never_used, (cluster + *got) << q->cluster_bits);
	return error;
}

void
clusters_drop(struct qcow2 *q, uint64_t offset, uint64_t count)
{
	refcount_change(q, offset >> q->cluster_bits, count, -1);
}

/* ---- freeing ---- */

void
clusters_free_later(struct qcow2 *q, uint64_t offset, uint64_t count)
{
	uint64_t cluster = offset >> q->cluster_bits;
	struct pending_free *last = q->pending_count == 0 ? NULL : &q->pending[q->pending_count - 1];

	if (last != NULL && last->cluster + last->count == cluster) {
		last->count += count;
		return;
	}
	if (q->pending_count == q->pending_room) {
		q->pending_room = MAX(64, q->pending_room * 2);
		q->pending = xrealloc(q->pending, q->pending_room * sizeof(*q->pending));
	}
	q->pending[q->pending_count++] = (struct pending_free){ cluster, count };
}

int
clusters_free_pending(struct qcow2 *q)
{
	int error = 0;

	for (size_t i = 0; i < q->pending_count; i++) {
		int failed = refcount_change(q, q->pending[i].cluster, q->pending[i].count, -1);

		error = error == 0 ? failed : error;
	}
	q->pending_count = 0;
	return error;
}

void
compressed_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len)
{
	unsigned offset_bits = 62 - (q->cluster_bits - 8);
	uint64_t sectors = bits(entry, offset_bits, 62 - offset_bits) + 1;

	*offset = entry & ((1ull << offset_bits) - 1);
	*len = sectors * 512 - (*offset & 511);
}
