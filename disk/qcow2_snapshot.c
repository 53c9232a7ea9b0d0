/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Internal snapshots: each has an L1 table of its own, and shares L2 tables and clusters with the disk and the other
 * snapshots; their counts say with how many.
 *
 * A snapshot comes when all that it names has been counted up and is on the disk, and goes before it is counted down.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { ENTRY_BYTES = 40, EXTRA_MOST = 1024, EXTRA_OURS = 24, NAME_MOST = 255 };

/* ---- the table ---- */

static void
free_snapshot(struct snapshot *s)
{
	free(s->id);
	free(s->name);
	free(s->extra);
}

void
snapshots_free(struct qcow2 *q)
{
	for (unsigned n = 0; q->snapshots != NULL && n < q->snapshot_count; n++)
		free_snapshot(&q->snapshots[n]);
	free(q->snapshots);
	q->snapshots = NULL;
}

static bool
damaged(struct qcow2 *q, struct err *e)
{
	return err_set(e, "%s: its snapshot table is damaged; restore the image from a backup", q->image.file);
}

static bool
load_strings(struct qcow2 *q, struct snapshot *s, uint64_t *at, const uint8_t *h, struct err *e)
{
	uint32_t id = get_be(h + 12, 2), name = get_be(h + 14, 2);
	int error;

	s->extra_bytes = get_be(h + 36, 4);
	if (s->extra_bytes > EXTRA_MOST)
		return damaged(q, e);
	s->extra = xcalloc(1, MAX(s->extra_bytes, EXTRA_OURS));
	s->id = xcalloc(1, id + 1);
	s->name = xcalloc(1, name + 1);
	error = file_read(q, *at, s->extra, s->extra_bytes);
	if (error == 0)
		error = file_read(q, *at + s->extra_bytes, s->id, id);
	if (error == 0)
		error = file_read(q, *at + s->extra_bytes + id, s->name, name);
	*at = align_up(*at + s->extra_bytes + id + name, 8);
	return error == 0 || err_set(e, "%s: its snapshot table can't be read: %s", q->image.file, strerror(error));
}

static bool
load_one(struct qcow2 *q, struct snapshot *s, uint64_t *at, struct err *e)
{
	uint8_t h[ENTRY_BYTES];
	int error;

	if (*at + ENTRY_BYTES > q->file_end || *at - q->snapshots_offset > SNAPSHOT_TABLE_MOST)
		return damaged(q, e);
	error = file_read(q, *at, h, sizeof(h));
	if (error != 0)
		return err_set(e, "%s: its snapshot table can't be read: %s", q->image.file, strerror(error));
	*at += ENTRY_BYTES;
	*s = (struct snapshot){
		.l1_offset = get_be(h, 8), .l1_entries = get_be(h + 8, 4), .date_sec = get_be(h + 16, 4),
		.date_nsec = get_be(h + 20, 4), .vm_clock_ns = get_be(h + 24, 8), .vm_state_bytes = get_be(h + 32, 4),
		.disk_bytes = q->disk_bytes, .icount = UINT64_MAX,
	};
	if (!load_strings(q, s, at, h, e))
		return false;
	if (s->extra_bytes >= 8)
		s->vm_state_bytes = get_be(s->extra, 8);
	if (s->extra_bytes >= 16)
		s->disk_bytes = get_be(s->extra + 8, 8);
	if (s->extra_bytes >= 24)
		s->icount = get_be(s->extra + 16, 8);
	return true;
}

bool
snapshots_load(struct qcow2 *q, struct err *e)
{
	uint64_t at = q->snapshots_offset;
	uint32_t count = q->snapshot_count;

	q->snapshots = xcalloc(1, sizeof(*q->snapshots));
	for (q->snapshot_count = 0; q->snapshot_count < count; q->snapshot_count++) {
		struct snapshot *s;

		q->snapshots = xrealloc(q->snapshots, (q->snapshot_count + 1) * sizeof(*q->snapshots));
		s = &q->snapshots[q->snapshot_count];
		memset(s, 0, sizeof(*s));
		if (!load_one(q, s, &at, e)) {
			free_snapshot(s);
			return false;
		}
	}
	q->snapshots_bytes = at - q->snapshots_offset;
	return true;
}

static size_t
entry_bytes(const struct snapshot *s)
{
	return align_up(ENTRY_BYTES + MAX(s->extra_bytes, EXTRA_OURS) + strlen(s->id) + strlen(s->name), 8);
}

/* Extra data that is not known is kept behind what is. */
static void
put_entry(uint8_t *p, const struct snapshot *s)
{
	uint32_t extra = MAX(s->extra_bytes, EXTRA_OURS);

	put_be(p, s->l1_offset, 8);
	put_be(p + 8, s->l1_entries, 4);
	put_be(p + 12, strlen(s->id), 2);
	put_be(p + 14, strlen(s->name), 2);
	put_be(p + 16, s->date_sec, 4);
	put_be(p + 20, s->date_nsec, 4);
	put_be(p + 24, s->vm_clock_ns, 8);
	put_be(p + 32, s->vm_state_bytes > UINT32_MAX ? 0 : s->vm_state_bytes, 4);
	put_be(p + 36, extra, 4);
	p += ENTRY_BYTES;
	if (s->extra != NULL)
		memcpy(p, s->extra, extra);
	put_be(p, s->vm_state_bytes, 8);
	put_be(p + 8, s->disk_bytes, 8);
	put_be(p + 16, s->icount, 8);
	memcpy(p + extra, s->id, strlen(s->id));
	memcpy(p + extra + strlen(s->id), s->name, strlen(s->name));
}

/* LIST becomes the image's table: beside the old one first, then the header names it. */
static int
table_switch(struct qcow2 *q, const struct snapshot *list, unsigned count)
{
	uint64_t bytes = 0, offset = 0, got, old_offset = q->snapshots_offset, old_bytes = q->snapshots_bytes;
	unsigned old_count = q->snapshot_count;
	uint8_t *table, *p;
	int error = 0;

	for (unsigned n = 0; n < count; n++)
		bytes += entry_bytes(&list[n]);
	if (bytes > SNAPSHOT_TABLE_MOST)
		return EFBIG;
	p = table = xcalloc(1, bytes + 1);
	for (unsigned n = 0; n < count; p += entry_bytes(&list[n]), n++)
		put_entry(p, &list[n]);
	if (count != 0)
		error = clusters_allocate(q, clusters_for(q, bytes), true, &offset, &got);
	if (error == 0)
		error = file_write(q, offset, table, bytes);
	free(table);
	if (error == 0)
		error = refcounts_write(q);
	if (error == 0)
		error = file_flush(q);
	if (error == 0) {
		q->snapshots_offset = offset;
		q->snapshots_bytes = bytes;
		q->snapshot_count = count;
		error = header_write(q);
	}
	if (error != 0) {
		q->snapshots_offset = old_offset;
		q->snapshots_bytes = old_bytes;
		q->snapshot_count = old_count;
		return error;
	}
	if (old_offset != 0 && old_bytes != 0)
		clusters_drop(q, old_offset, clusters_for(q, old_bytes));
	return 0;
}

/* ---- trees ---- */

/* At most *BUDGET clusters, so that what was counted up can be counted down when it didn't go to its end. */
static int
count_clusters(struct qcow2 *q, uint64_t first, uint64_t count, int by, uint64_t *budget)
{
	int error = 0;

	for (; count > 0 && *budget > 0 && error == 0; first++, count--) {
		error = refcount_change(q, first, 1, by);
		*budget -= error == 0;
		if (error == 0 && q->blocks.dirty > q->blocks.limit / 2)
			error = refcounts_write(q);
	}
	return error;
}

static int
count_entry(struct qcow2 *q, uint64_t entry, int by, uint64_t *budget)
{
	uint64_t offset = entry & OFFSET_MASK, len = q->cluster_bytes, first;

	if (entry & COMPRESSED)
		compressed_range(q, entry, &offset, &len);
	if (offset == 0)
		return 0;
	first = offset >> q->cluster_bits;
	return count_clusters(q, first, ((offset + len - 1) >> q->cluster_bits) - first + 1, by, budget);
}

static int
count_table(struct qcow2 *q, uint64_t table, int by, uint64_t *budget)
{
	uint8_t *entries = xcalloc(1, q->cluster_bytes);
	int error = file_read(q, table, entries, q->cluster_bytes);

	for (uint64_t n = 0; n < q->cluster_bytes && error == 0; n += 8)
		error = count_entry(q, get_be(entries + n, 8), by, budget);
	free(entries);
	return error != 0 ? error : count_clusters(q, table >> q->cluster_bits, 1, by, budget);
}

static int
count_tree(struct qcow2 *q, const uint64_t *l1, uint32_t entries, int by, uint64_t *budget)
{
	int error = 0;

	for (uint32_t n = 0; n < entries && *budget > 0 && error == 0; n++) {
		uint64_t table = l1[n] & OFFSET_MASK;

		if (table == 0)
			continue;
		if ((table & (q->cluster_bytes - 1)) != 0 || table >= q->file_end)
			return qcow2_corrupt(q, "an L2 table of a snapshot is not in the file", table);
		error = count_table(q, table, by, budget);
	}
	return error;
}

int
tree_count(struct qcow2 *q, const uint64_t *l1, uint32_t entries, int by)
{
	uint64_t budget = UINT64_MAX, done;
	int error = count_tree(q, l1, entries, by, &budget);

	if (by < 0)
		slices_forget(&q->l2, 0, INT64_MAX);
	done = UINT64_MAX - budget;
	if (by > 0 && error == EMLINK)
		count_tree(q, l1, entries, -by, &done);
	return error;
}

static int
mark_slice(struct qcow2 *q, struct slice *s)
{
	for (uint32_t at = 0; at < q->l2.slice_bytes; at += 8) {
		uint64_t entry = get_be(s->data + at, 8), count, marked;
		int error;

		if ((entry & COMPRESSED) || (entry & OFFSET_MASK) == 0)
			continue;
		error = refcount_get(q, (entry & OFFSET_MASK) >> q->cluster_bits, &count);
		if (error != 0)
			return error;
		marked = count == 1 ? entry | COPIED : entry & ~COPIED;
		if (marked == entry)
			continue;
		put_be(s->data + at, marked, 8);
		slices_dirty(&q->l2, s);
	}
	return 0;
}

static int
mark_table(struct qcow2 *q, uint32_t index)
{
	uint64_t table = q->l1[index] & OFFSET_MASK, count, marked;
	int error = 0;

	if (table == 0)
		return 0;
	for (uint64_t at = 0; at < q->cluster_bytes && error == 0; at += q->l2.slice_bytes) {
		struct slice *s;

		error = slices_get(q, &q->l2, table + at, &s);
		if (error == 0)
			error = mark_slice(q, s);
	}
	if (error == 0)
		error = refcount_get(q, table >> q->cluster_bits, &count);
	if (error != 0)
		return error;
	marked = count == 1 ? table | COPIED : table;
	if (q->l1[index] != marked)
		l1_set(q, index, marked);
	return q->l2.dirty > q->l2.limit / 2 ? slices_write(q, &q->l2) : 0;
}

int
tree_mark_copied(struct qcow2 *q)
{
	int error = 0;

	for (uint32_t n = 0; n < q->l1_entries && error == 0; n++)
		error = mark_table(q, n);
	return error;
}

/* ---- what is asked for ---- */

static struct snapshot *
find_snapshot(struct qcow2 *q, const char *snapshot)
{
	for (unsigned n = 0; n < q->snapshot_count; n++) {
		if (strcmp(q->snapshots[n].id, snapshot) == 0)
			return &q->snapshots[n];
	}
	for (unsigned n = 0; n < q->snapshot_count; n++) {
		if (strcmp(q->snapshots[n].name, snapshot) == 0)
			return &q->snapshots[n];
	}
	return NULL;
}

bool
qcow2_snapshot(struct image *i, unsigned n, struct image_snapshot *out)
{
	struct qcow2 *q = to_qcow2(i);
	const struct snapshot *s = &q->snapshots[n];

	if (n >= q->snapshot_count)
		return false;
	*out = (struct image_snapshot){
		.id = s->id, .name = s->name, .disk_bytes = s->disk_bytes, .vm_state_bytes = s->vm_state_bytes,
		.date_sec = s->date_sec, .date_nsec = s->date_nsec, .vm_clock_ns = s->vm_clock_ns, .icount = s->icount,
	};
	return true;
}

static bool
failed(struct qcow2 *q, int error, const char *what, const char *snapshot, struct err *e)
{
	if (error == EMLINK)
		return err_set(e, "%s: snapshot '%s': its refcounts of %u bits are too narrow for one more; convert it to wider ones",
			q->image.file, snapshot, 1u << q->refcount_order);
	return error == 0 || err_set(e, "%s: snapshot '%s' can't be %s: %s", q->image.file, snapshot, what, strerror(error));
}

/* Everything is in the file, and nobody else is here: then WORK under LOCK, and all of that to the file too. */
static int
change_quietly(struct qcow2 *q, int (*work)(struct qcow2 *q, void *opaque), void *opaque)
{
	struct range all = { .last = UINT64_MAX, .alone = true };
	int error;

	range_take(q, &all);
	error = qcow2_commit(q);
	pthread_mutex_lock(&q->lock);
	if (error == 0)
		error = work(q, opaque);
	pthread_mutex_unlock(&q->lock);
	if (error == 0)
		error = qcow2_commit(q);
	range_release(q, &all);
	return error;
}

static int
copy_l1(struct qcow2 *q, struct snapshot *s)
{
	bool *dirty = table_dirty_new(q->l1_entries);
	uint64_t got;
	int error = clusters_allocate(q, MAX(clusters_for(q, q->l1_entries * 8ull), 1), true, &s->l1_offset, &got);

	s->l1_entries = q->l1_entries;
	memset(dirty, true, q->l1_entries / 64 + 1);
	if (error == 0)
		error = table_write_dirty(q, q->l1, s->l1_offset, q->l1_entries, dirty);
	free(dirty);
	return error;
}

static int
add_snapshot(struct qcow2 *q, void *opaque)
{
	struct snapshot *s = opaque;
	int error;

	q->snapshots = xrealloc(q->snapshots, (q->snapshot_count + 1) * sizeof(*q->snapshots));
	error = tree_count(q, q->l1, q->l1_entries, 1);
	if (error == 0)
		error = tree_mark_copied(q);
	if (error == 0)
		error = copy_l1(q, s);
	if (error == 0)
		error = refcounts_write(q);
	if (error == 0)
		error = file_flush(q);
	if (error == 0)
		error = slices_write(q, &q->l2);
	if (error == 0)
		error = table_write_dirty(q, q->l1, q->l1_offset, q->l1_entries, q->l1_dirty);
	if (error == 0)
		error = file_flush(q);
	if (error != 0)
		return error;
	q->l1_any_dirty = false;
	q->snapshots[q->snapshot_count] = *s;
	return table_switch(q, q->snapshots, q->snapshot_count + 1);
}

static unsigned long
next_id(const struct qcow2 *q)
{
	unsigned long most = 0;

	for (unsigned n = 0; n < q->snapshot_count; n++)
		most = MAX(most, strtoul(q->snapshots[n].id, NULL, 10));
	return most + 1;
}

static bool
check_change(struct qcow2 *q, struct err *e)
{
	return q->writable || err_set(e, "%s: is open read-only", q->image.file);
}

bool
qcow2_snapshot_create(struct image *i, const char *name, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	struct snapshot s = { .disk_bytes = q->disk_bytes, .icount = UINT64_MAX };
	struct timespec now;
	int error;

	if (!check_change(q, e))
		return false;
	if (strlen(name) > NAME_MOST || name[0] == '\0')
		return err_set(e, "%s: a snapshot's name has 1 to %d bytes", i->file, NAME_MOST);
	if (q->snapshot_count >= SNAPSHOTS_MOST)
		return err_set(e, "%s: has %d snapshots already; delete some", i->file, SNAPSHOTS_MOST);
	if (refcount_most(q) == 1)
		return failed(q, EMLINK, "taken", name, e);
	clock_gettime(CLOCK_REALTIME, &now);
	s.date_sec = now.tv_sec;
	s.date_nsec = now.tv_nsec;
	s.id = xasprintf("%lu", next_id(q));
	s.name = xstrdup(name);
	error = change_quietly(q, add_snapshot, &s);
	if (error != 0 && (q->snapshot_count == 0 || q->snapshots[q->snapshot_count - 1].id != s.id))
		free_snapshot(&s);
	return failed(q, error, "taken", name, e);
}

/* ---- going ---- */

static int
mark_anew(struct qcow2 *q)
{
	int error = refcounts_write(q);

	if (error == 0)
		error = file_flush(q);
	return error == 0 ? tree_mark_copied(q) : error;
}

static int
load_l1_of(struct qcow2 *q, const struct snapshot *s, uint64_t **l1)
{
	*l1 = NULL;
	if (s->l1_entries > L1_BYTES_MOST / 8 || (s->l1_offset & (q->cluster_bytes - 1)) != 0 ||
	    s->l1_offset >= q->file_end || s->l1_entries * 8ull > q->file_end - s->l1_offset)
		return EIO;
	return table_load(q, s->l1_offset, s->l1_entries, l1);
}

static int
remove_snapshot(struct qcow2 *q, void *opaque)
{
	struct snapshot gone = *(struct snapshot *)opaque, *rest;
	unsigned at = (struct snapshot *)opaque - q->snapshots, count = q->snapshot_count;
	uint64_t *l1;
	int error = load_l1_of(q, &gone, &l1);

	rest = xcalloc(count, sizeof(*rest));
	memcpy(rest, q->snapshots, at * sizeof(*rest));
	memcpy(rest + at, q->snapshots + at + 1, (count - at - 1) * sizeof(*rest));
	if (error == 0)
		error = table_switch(q, rest, count - 1);
	if (error == 0) {
		memcpy(q->snapshots, rest, (count - 1) * sizeof(*rest));
		error = tree_count(q, l1, gone.l1_entries, -1);
		if (error == 0 && gone.l1_offset != 0)
			clusters_drop(q, gone.l1_offset, MAX(clusters_for(q, gone.l1_entries * 8ull), 1));
		if (error == 0)
			error = mark_anew(q);
		free_snapshot(&gone);
	}
	free(rest);
	free(l1);
	return error;
}

static bool
not_there(struct qcow2 *q, const char *snapshot, struct err *e)
{
	return err_set(e, "%s: has no snapshot '%s'; list them (snapshot -l)", q->image.file, snapshot);
}

bool
qcow2_snapshot_delete(struct image *i, const char *snapshot, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	struct snapshot *s = find_snapshot(q, snapshot);

	if (s == NULL)
		return not_there(q, snapshot, e);
	return check_change(q, e) && failed(q, change_quietly(q, remove_snapshot, s), "deleted", snapshot, e);
}

/* ---- going back ---- */

/* Its tables are counted once more, then the header names a copy of its L1 table, then the old ones are counted down. */
static int
replace_tree(struct qcow2 *q, const uint64_t *l1, uint32_t entries, uint64_t disk_bytes)
{
	uint32_t old_entries = q->l1_entries;
	uint64_t *old = xcalloc(old_entries + 1, sizeof(*old));
	int error = tree_count(q, l1, entries, 1);

	memcpy(old, q->l1, old_entries * sizeof(*old));
	if (error == 0)
		error = refcounts_write(q);
	if (error == 0)
		error = file_flush(q);
	if (error == 0)
		error = l1_switch(q, l1, entries, disk_bytes);
	if (error == 0) {
		q->image.bytes = disk_bytes & ~511ull;
		error = tree_count(q, old, old_entries, -1);
	}
	if (error == 0)
		error = mark_anew(q);
	free(old);
	return error;
}

static int
apply_snapshot(struct qcow2 *q, void *opaque)
{
	const struct snapshot *s = opaque;
	uint32_t entries;
	uint64_t *table, *l1;
	int error = load_l1_of(q, s, &table);

	if (error != 0) {
		free(table);
		return error;
	}
	entries = MAX(s->l1_entries, l1_entries_for(q, s->disk_bytes));
	l1 = xcalloc(entries + 1, sizeof(*l1));
	for (uint32_t n = 0; n < s->l1_entries; n++)
		l1[n] = table[n] & ~COPIED;
	error = replace_tree(q, l1, entries, s->disk_bytes);
	free(table);
	free(l1);
	return error;
}

bool
qcow2_snapshot_apply(struct image *i, const char *snapshot, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	struct snapshot *s = find_snapshot(q, snapshot);

	if (s == NULL)
		return not_there(q, snapshot, e);
	if (s->disk_bytes > INT64_MAX || s->disk_bytes >> (q->cluster_bits + l2_bits(q)) >= L1_BYTES_MOST / 8)
		return damaged(q, e);
	return check_change(q, e) && failed(q, change_quietly(q, apply_snapshot, s), "applied", snapshot, e);
}

bool
qcow2_use_snapshot(struct image *i, const char *snapshot, struct err *e)
{
	struct qcow2 *q = to_qcow2(i);
	struct snapshot *s = find_snapshot(q, snapshot);
	uint64_t *l1;
	int error;

	if (s == NULL)
		return not_there(q, snapshot, e);
	if (q->writable)
		return err_set(e, "%s: a snapshot can be shown only of an image that is open read-only", i->file);
	error = load_l1_of(q, s, &l1);
	if (error == 0 && (s->disk_bytes > INT64_MAX || l1_entries_for(q, s->disk_bytes) > s->l1_entries))
		error = EIO;
	if (error != 0) {
		free(l1);
		return failed(q, error, "shown", snapshot, e);
	}
	free(q->l1);
	q->l1 = l1;
	q->l1_entries = s->l1_entries;
	i->bytes = s->disk_bytes & ~511ull;
	return true;
}
