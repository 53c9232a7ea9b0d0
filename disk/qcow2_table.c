/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tables of qcow2 in memory: slices of L2 tables and refcount blocks in caches of a bounded size, and what an L2 table
 * says about a cluster of the disk.
 *
 * A slice stays where it is until the second next slices_get() at least, as the oldest one makes room and what was just
 * used is the newest.  One that is dirty makes no room: qcow2_commit_if_full() sees to it that those are few.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <stdlib.h>

/* ---- slices ---- */

void
slices_init(struct cache *c, uint32_t slice_bytes, uint64_t limit_bytes)
{
	*c = (struct cache){ .slice_bytes = slice_bytes, .limit = MAX(limit_bytes / slice_bytes, 64) };
	c->bucket_count = 64;
	while (c->bucket_count < c->limit)
		c->bucket_count *= 2;
	c->buckets = xcalloc(c->bucket_count, sizeof(*c->buckets));
}

static struct slice **
bucket(const struct cache *c, uint64_t offset)
{
	uint64_t hash = offset / c->slice_bytes * 0x9e3779b97f4a7c15ull;

	return &c->buckets[hash >> 32 & (c->bucket_count - 1)];
}

static void
unlink_slice(struct cache *c, struct slice *s)
{
	*(s->newer != NULL ? &s->newer->older : &c->newest) = s->older;
	*(s->older != NULL ? &s->older->newer : &c->oldest) = s->newer;
	s->newer = s->older = NULL;
}

static void
make_newest(struct cache *c, struct slice *s)
{
	s->older = c->newest;
	*(c->newest != NULL ? &c->newest->newer : &c->oldest) = s;
	c->newest = s;
}

static void
remove_slice(struct cache *c, struct slice *s)
{
	struct slice **p = bucket(c, s->offset);

	while (*p != s)
		p = &(*p)->hash_next;
	*p = s->hash_next;
	unlink_slice(c, s);
	c->count--;
	free(s);
}

static struct slice *
find_slice(const struct cache *c, uint64_t offset)
{
	struct slice *s = *bucket(c, offset);

	while (s != NULL && s->offset != offset)
		s = s->hash_next;
	return s;
}

bool
slices_has(const struct cache *c, uint64_t offset)
{
	return find_slice(c, offset) != NULL;
}

void
slices_forget(struct cache *c, uint64_t offset, uint64_t len)
{
	uint64_t end = offset + len;

	for (struct slice *s = c->newest, *older; len / c->slice_bytes > c->count && s != NULL; s = older) {
		older = s->older;
		if (!s->dirty && s->offset >= offset && s->offset < end)
			remove_slice(c, s);
	}
	for (; len / c->slice_bytes <= c->count && offset < end; offset += c->slice_bytes) {
		struct slice *s = find_slice(c, offset);

		if (s != NULL && !s->dirty)
			remove_slice(c, s);
	}
}

void
slices_drop_all(struct cache *c)
{
	while (c->newest != NULL)
		remove_slice(c, c->newest);
	c->dirty = 0;
}

void
slices_free(struct cache *c)
{
	slices_drop_all(c);
	free(c->buckets);
	free(c->to_write);
}

static struct slice *
new_slice(struct cache *c)
{
	unsigned most = c->count;

	for (; c->count >= c->limit && most > 0; most--) {
		struct slice *s = c->oldest;

		if (!s->dirty) {
			remove_slice(c, s);
		} else {
			unlink_slice(c, s);
			make_newest(c, s);
		}
	}
	return xcalloc(1, sizeof(struct slice) + c->slice_bytes);
}

int
slices_get(struct qcow2 *q, struct cache *c, uint64_t offset, struct slice **out)
{
	struct slice *s = find_slice(c, offset);
	int error;

	if (s != NULL) {
		unlink_slice(c, s);
		make_newest(c, s);
		*out = s;
		return 0;
	}
	if (offset >= q->file_end)
		return qcow2_corrupt(q, "a table is behind the end of the file", offset);
	s = new_slice(c);
	error = file_read(q, offset, s->data, c->slice_bytes);
	if (error != 0) {
		free(s);
		return error;
	}
	s->offset = offset;
	s->hash_next = *bucket(c, offset);
	*bucket(c, offset) = s;
	make_newest(c, s);
	c->count++;
	*out = s;
	return 0;
}

void
slices_dirty(struct cache *c, struct slice *s)
{
	if (s->dirty)
		return;
	s->dirty = true;
	if (c->dirty == c->write_room) {
		c->write_room = MAX(64, c->write_room * 2);
		c->to_write = xrealloc(c->to_write, c->write_room * sizeof(*c->to_write));
	}
	c->to_write[c->dirty++] = s;
}

static int
by_offset(const void *a, const void *b)
{
	const struct slice *x = *(struct slice *const *)a, *y = *(struct slice *const *)b;

	return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* In the file's order.  What could not be written stays dirty. */
int
slices_write(struct qcow2 *q, struct cache *c)
{
	unsigned done = 0;
	int error = 0;

	if (c->dirty > 1)
		qsort(c->to_write, c->dirty, sizeof(*c->to_write), by_offset);
	while (done < c->dirty && error == 0) {
		error = file_write(q, c->to_write[done]->offset, c->to_write[done]->data, c->slice_bytes);
		if (error == 0)
			c->to_write[done++]->dirty = false;
	}
	c->dirty -= done;
	if (done != 0)
		memmove(c->to_write, c->to_write + done, c->dirty * sizeof(*c->to_write));
	return error;
}

/* ---- whole tables of 64-bit entries ---- */

enum { SECTOR_ENTRIES = 64 };

int
table_load(struct qcow2 *q, uint64_t offset, uint32_t entries, uint64_t **table)
{
	size_t room = align_up(entries, SECTOR_ENTRIES) + SECTOR_ENTRIES;
	uint64_t *t = xcalloc(room, sizeof(*t));
	int error = entries == 0 ? 0 : file_read(q, offset, t, entries * sizeof(*t));

	for (uint32_t i = 0; i < entries; i++)
		t[i] = get_be(&t[i], 8);
	*table = t;
	return error;
}

bool *
table_dirty_new(uint32_t entries)
{
	return xcalloc(entries / SECTOR_ENTRIES + 1, sizeof(bool));
}

int
table_write_dirty(struct qcow2 *q, const uint64_t *table, uint64_t offset, uint32_t entries, bool *dirty)
{
	for (uint32_t i = 0; i < entries; i += SECTOR_ENTRIES) {
		uint8_t sector[SECTOR_ENTRIES * 8] = { 0 };
		int error;

		if (!dirty[i / SECTOR_ENTRIES])
			continue;
		for (uint32_t n = 0; n < SECTOR_ENTRIES && i + n < entries; n++)
			put_be(sector + n * 8, table[i + n], 8);
		error = file_write(q, offset + i * 8ull, sector, sizeof(sector));
		if (error != 0)
			return error;
		dirty[i / SECTOR_ENTRIES] = false;
	}
	return 0;
}

void
l1_set(struct qcow2 *q, uint32_t index, uint64_t entry)
{
	q->l1[index] = entry;
	q->l1_dirty[index / SECTOR_ENTRIES] = true;
	q->l1_any_dirty = true;
}

void
rt_set(struct qcow2 *q, uint32_t index, uint64_t entry)
{
	q->rt[index] = entry;
	q->rt_dirty[index / SECTOR_ENTRIES] = true;
	q->rt_any_dirty = true;
}

/* ---- the mapping ---- */

enum mapping_kind
entry_kind(const struct qcow2 *q, uint64_t entry)
{
	if (entry & COMPRESSED)
		return MAPPED_COMPRESSED;
	if (q->version >= 3 && (entry & ENTRY_ZERO))
		return MAPPED_ZERO;
	return (entry & OFFSET_MASK) == 0 ? MAPPED_NOT : MAPPED_DATA;
}

static int
check_entry(struct qcow2 *q, uint64_t entry)
{
	uint64_t host = entry & OFFSET_MASK;

	if (entry & COMPRESSED)
		return 0;
	if ((host & (q->cluster_bytes - 1)) != 0)
		return qcow2_corrupt(q, "a cluster is not aligned", host);
	if (host >= q->file_end)
		return qcow2_corrupt(q, "a cluster is behind the end of the file", host);
	return 0;
}

/* The L2 table for a guest cluster, 0: there is none. */
static int
l2_offset(struct qcow2 *q, uint64_t cluster, uint64_t *offset)
{
	uint64_t index = cluster >> l2_bits(q), entry;

	if (index >= q->l1_entries)
		return EIO;
	entry = q->l1[index];
	*offset = entry & OFFSET_MASK;
	if ((*offset & (q->cluster_bytes - 1)) != 0)
		return qcow2_corrupt(q, "an L2 table is not aligned", *offset);
	if (*offset >= q->file_end)
		return qcow2_corrupt(q, "an L2 table is behind the end of the file", *offset);
	return 0;
}

/* The slice of TABLE with the guest cluster's entry, and the entry's place in it. */
static int
l2_slice(struct qcow2 *q, uint64_t table, uint64_t cluster, struct slice **s, uint32_t *at)
{
	uint64_t byte = (cluster & ((1ull << l2_bits(q)) - 1)) * 8;

	*at = byte % q->l2.slice_bytes;
	return slices_get(q, &q->l2, table + byte - *at, s);
}

bool
map_is_cached(struct qcow2 *q, uint64_t offset)
{
	uint64_t cluster = offset >> q->cluster_bits, byte = (cluster & ((1ull << l2_bits(q)) - 1)) * 8, table;

	if (cluster >> l2_bits(q) >= q->l1_entries)
		return false;
	table = q->l1[cluster >> l2_bits(q)] & OFFSET_MASK;
	return table == 0 || find_slice(&q->l2, table + byte - byte % q->l2.slice_bytes) != NULL;
}

int
map_get(struct qcow2 *q, uint64_t cluster, uint64_t *entry)
{
	uint64_t table;
	struct slice *s;
	uint32_t at;
	int error = l2_offset(q, cluster, &table);

	*entry = 0;
	if (error != 0 || table == 0)
		return error;
	error = l2_slice(q, table, cluster, &s, &at);
	if (error == 0)
		*entry = get_be(s->data + at, 8);
	return error;
}

/* Whether ENTRY goes on what M has up to now. */
static bool
continues(const struct qcow2 *q, const struct mapping *m, uint64_t entry, uint64_t host)
{
	if (m->kind == MAPPED_COMPRESSED || entry_kind(q, entry) != m->kind)
		return false;
	return m->kind != MAPPED_DATA || ((entry & OFFSET_MASK) == host && ((entry & COPIED) != 0) == m->in_place);
}

int
map_lookup(struct qcow2 *q, uint64_t offset, uint64_t len, struct mapping *m)
{
	uint64_t cluster = offset >> q->cluster_bits, within = offset & (q->cluster_bytes - 1), table, host;
	struct slice *s;
	uint32_t at;
	int error = l2_offset(q, cluster, &table);

	*m = (struct mapping){ .kind = MAPPED_NOT };
	if (error == 0 && table == 0) {
		uint64_t covers = q->cluster_bytes << l2_bits(q);

		m->bytes = MIN(len, covers - (offset & (covers - 1)));
		return 0;
	}
	if (error == 0)
		error = l2_slice(q, table, cluster, &s, &at);
	if (error != 0)
		return error;
	m->entry = get_be(s->data + at, 8);
	m->kind = entry_kind(q, m->entry);
	error = check_entry(q, m->entry);
	if (error != 0)
		return error;
	host = m->kind == MAPPED_COMPRESSED ? 0 : m->entry & OFFSET_MASK;
	m->in_place = m->kind == MAPPED_DATA && (m->entry & COPIED);
	m->host = host == 0 ? 0 : host + within;
	m->bytes = q->cluster_bytes - within;
	for (at += 8; at < q->l2.slice_bytes && m->bytes < len; at += 8) {
		host += q->cluster_bytes;
		if (!continues(q, m, get_be(s->data + at, 8), host))
			break;
		m->bytes += q->cluster_bytes;
	}
	m->bytes = MIN(m->bytes, len);
	/* What follows it in the file may be cut off. */
	if (m->kind == MAPPED_DATA && m->host + m->bytes > align_up(q->file_end, q->cluster_bytes))
		m->bytes = align_up(q->file_end, q->cluster_bytes) - m->host;
	return 0;
}

/* A new L2 table: empty, or a copy of OLD, which a snapshot has too. */
static int
l2_new(struct qcow2 *q, uint64_t index, uint64_t old, uint64_t *table)
{
	uint8_t *content;
	uint64_t got;
	int error = clusters_allocate(q, 1, true, table, &got);

	if (error != 0)
		return error;
	content = xcalloc(1, q->cluster_bytes);
	if (old != 0)
		error = file_read(q, old, content, q->cluster_bytes);
	if (error == 0)
		error = file_write(q, *table, content, q->cluster_bytes);
	free(content);
	if (error != 0) {
		clusters_drop(q, *table, 1);
		return error;
	}
	slices_forget(&q->l2, *table, q->cluster_bytes);
	l1_set(q, index, *table | COPIED);
	if (old != 0)
		clusters_free_later(q, old, 1);
	return 0;
}

void
entry_free_later(struct qcow2 *q, uint64_t entry)
{
	uint64_t offset = entry & OFFSET_MASK, len = q->cluster_bytes;

	if (entry & COMPRESSED)
		compressed_range(q, entry, &offset, &len);
	if (offset == 0)
		return;
	len += offset & (q->cluster_bytes - 1);
	clusters_free_later(q, offset & ~(q->cluster_bytes - 1), clusters_for(q, len));
}

int
map_set(struct qcow2 *q, uint64_t cluster, uint64_t entry)
{
	uint64_t index = cluster >> l2_bits(q), table, old;
	struct slice *s;
	uint32_t at;
	int error = l2_offset(q, cluster, &table);

	if (error == 0 && (table == 0 || (q->l1[index] & COPIED) == 0))
		error = l2_new(q, index, table, &table);
	if (error == 0)
		error = l2_slice(q, table, cluster, &s, &at);
	if (error != 0)
		return error;
	old = get_be(s->data + at, 8);
	put_be(s->data + at, entry, 8);
	slices_dirty(&q->l2, s);
	if (((old | entry) & COMPRESSED) || (old & OFFSET_MASK) != (entry & OFFSET_MASK))
		entry_free_later(q, old);
	return 0;
}
