/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the qcow2 driver: images as "QCOW2 image format" describes them, versions 2 and 3.
 *
 * A disk is divided into clusters.  The L1 table names L2 tables, and those say for each cluster of the disk ("guest
 * cluster") where in the file it is ("host cluster").  A second tree of two levels, the refcount table and its blocks,
 * says how often each host cluster is in use.
 *
 * Order.  What is new in memory reaches the file in this order, with fdatasync between the steps, so that a power loss
 * leaves leaked clusters at the worst:
 *
 *     1  data in new clusters, and refcount blocks     (blocks that are new, before the table that names them)
 *     2  entries of L2 tables                          (tables that are new are written whole with step 1)
 *     3  entries of the L1 table
 *     4  clusters that nothing names any more are counted down, in memory; the next round writes it
 *
 * One such round (commit) serves all writes since the last: it runs when the guest flushes, when a cache is full of
 * what is not written yet, or too much waits to be freed.  A write enters its cluster into the L2 table in memory only
 * when its data is in the file (as the kernel sees it), so that step 1 covers it.  While a round is between its first
 * and its last step nobody changes L1 or L2 tables ("committing"); data I/O goes on.
 *
 * A cluster that was replaced or discarded keeps its count until step 4, and so is not used anew before the file has
 * ceased to name it.
 *
 * Locks.  LOCK guards all tables; it isn't held over data I/O.  A request holds a range of guest clusters meanwhile:
 * shared for reads and writes in place, alone for what changes the mapping.  Order: range first, then LOCK.
 */
#ifndef DISK_QCOW2_H
#define DISK_QCOW2_H

#include "disk/image.h"
#include "disk/tool.h"

#include <pthread.h>
#include <stdatomic.h>

/* ---- the format's numbers ---- */

enum {
	QCOW2_MAGIC = 0x514649fb,
	HEADER_V2_BYTES = 72,
	HEADER_V3_BYTES = 112,
	CLUSTER_BITS_LEAST = 9,
	CLUSTER_BITS_MOST = 21,
	BACKING_NAME_MOST = 1023,
	SNAPSHOTS_MOST = 65536,
};

#define L1_BYTES_MOST (32 * MiB)
#define RT_BYTES_MOST (8 * MiB)
#define SNAPSHOT_TABLE_MOST (16 * MiB)

#define COPIED (1ull << 63)
#define COMPRESSED (1ull << 62)
#define ENTRY_ZERO 1ull
#define OFFSET_MASK 0x00fffffffffffe00ull
#define L1_RESERVED 0x7f000000000001ffull
#define L2_RESERVED 0x3f000000000001feull
#define RT_RESERVED 0x1ffull

enum { INCOMPATIBLE_DIRTY = 1, INCOMPATIBLE_CORRUPT = 2, INCOMPATIBLE_DATA_FILE = 4, INCOMPATIBLE_COMPRESSION = 8,
	INCOMPATIBLE_EXTENDED_L2 = 16 };
enum { COMPATIBLE_LAZY_REFCOUNTS = 1 };
enum { AUTOCLEAR_BITMAPS = 1 };

/* Offsets of the header's fields. */
enum {
	H_VERSION = 4, H_BACKING_OFFSET = 8, H_BACKING_BYTES = 16, H_CLUSTER_BITS = 20, H_SIZE = 24, H_CRYPT = 32,
	H_L1_ENTRIES = 36, H_L1_OFFSET = 40, H_RT_OFFSET = 48, H_RT_CLUSTERS = 56, H_SNAPSHOTS = 60, H_SNAPSHOTS_OFFSET = 64,
	H_INCOMPATIBLE = 72, H_COMPATIBLE = 80, H_AUTOCLEAR = 88, H_REFCOUNT_ORDER = 96, H_BYTES = 100, H_COMPRESSION = 104,
};

enum {
	EXTENSION_END = 0,
	EXTENSION_BACKING_FORMAT = 0xe2792aca,
	EXTENSION_FEATURE_NAMES = 0x6803f857,
	EXTENSION_BITMAPS = 0x23852875,
};

/* ---- caches of tables ---- */

enum { SLICE_MOST = 4096 };

/* A part of a table: SLICE_MOST bytes, or a cluster if that is less. */
struct slice {
	uint64_t offset;          /* in the file */
	bool dirty;
	struct slice *hash_next;
	struct slice *newer, *older;
	uint8_t data[];
};

struct cache {
	uint32_t slice_bytes;
	unsigned count, dirty, limit;
	struct slice **buckets;
	unsigned bucket_count;
	struct slice *newest, *oldest;
	struct slice **to_write; /* those that are dirty */
	unsigned write_room;
};

void slices_init(struct cache *c, uint32_t slice_bytes, uint64_t limit_bytes);
void slices_free(struct cache *c);
/* Everything, also what is dirty. */
void slices_drop_all(struct cache *c);
/* What is not dirty is forgotten. */
void slices_forget(struct cache *c, uint64_t offset, uint64_t len);

/* ---- an image ---- */

struct range {
	uint64_t first, last; /* guest clusters */
	bool alone;
	struct range *next;
};

/* Host clusters that have to be counted down once. */
struct pending_free {
	uint64_t cluster, count;
};

struct snapshot {
	char *id, *name;
	uint64_t l1_offset;
	uint32_t l1_entries;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_ns, vm_state_bytes, disk_bytes, icount;
	uint8_t *extra;       /* all of its extra data */
	uint32_t extra_bytes;
};

struct extension {
	uint32_t type, len;
	uint8_t *data;
	struct extension *next;
};

struct qcow2 {
	struct image image;
	unsigned flags;               /* enum image_flags */
	bool writable, lazy;

	/* From the header. */
	unsigned version, cluster_bits, refcount_order;
	uint64_t cluster_bytes, incompatible, compatible, autoclear;
	uint32_t header_bytes;
	uint8_t compression;
	uint64_t disk_bytes;          /* as the header has it */
	char *backing_file, *backing_format;
	struct extension *extensions; /* that others made */

	pthread_mutex_t lock;
	pthread_cond_t changed;       /* a range is free, or a round has ended */
	struct range *ranges;
	bool committing, settling;
	_Atomic int final_error;      /* a flush failed, or the image is corrupt: nothing is written any more */

	_Atomic uint64_t file_end;    /* what lies behind isn't part of the file */
	uint64_t never_used;          /* the file has never had anything from here on */

	uint64_t *l1;
	uint64_t l1_offset;
	uint32_t l1_entries;
	bool *l1_dirty;               /* of each sector of it */
	bool l1_any_dirty;

	uint64_t *rt;
	uint64_t rt_offset;
	uint32_t rt_entries;
	bool *rt_dirty;
	bool rt_any_dirty;

	struct cache l2, blocks;
	uint64_t first_free;          /* no host cluster before it is free */
	uint64_t blocks_end;          /* no refcount block from this index on */
	struct pending_free *pending;
	size_t pending_count, pending_room;
	bool told;                    /* that the image is corrupt */

	struct snapshot *snapshots;
	unsigned snapshot_count;
	uint64_t snapshots_offset, snapshots_bytes;

	pthread_mutex_t unpacked_lock;
	uint64_t packed_end;          /* compressed clusters go on here, if not 0 */
	uint64_t unpacked_entry;      /* 0: nothing is unpacked */
	uint8_t *unpacked;
};

static inline struct qcow2 *
to_qcow2(struct image *i)
{
	return (struct qcow2 *)i;
}

static inline uint64_t
get_be(const void *p, unsigned size)
{
	const uint8_t *b = p;
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | b[i];
	return v;
}

static inline void
put_be(void *p, uint64_t v, unsigned size)
{
	uint8_t *b = p;

	for (unsigned i = 0; i < size; i++)
		b[i] = v >> 8 * (size - 1 - i);
}

static inline uint64_t
clusters_for(const struct qcow2 *q, uint64_t bytes)
{
	return (bytes >> q->cluster_bits) + ((bytes & (q->cluster_bytes - 1)) != 0);
}

static inline unsigned
l2_bits(const struct qcow2 *q)
{
	return q->cluster_bits - 3;
}

/* How many refcounts a block has. */
static inline uint64_t
block_entries(const struct qcow2 *q)
{
	return q->cluster_bytes * 8 >> q->refcount_order;
}

static inline uint32_t
l1_entries_for(const struct qcow2 *q, uint64_t disk_bytes)
{
	uint64_t per_entry = q->cluster_bytes << l2_bits(q);

	return disk_bytes / per_entry + (disk_bytes % per_entry != 0);
}

/* ---- the file (qcow2.c) ---- */

int file_read(struct qcow2 *q, uint64_t offset, void *buf, size_t len);
int file_write(struct qcow2 *q, uint64_t offset, const void *buf, size_t len);
/* Something was written up to there. */
void file_has(struct qcow2 *q, uint64_t bytes);
int file_flush(struct qcow2 *q);
/* The image contradicts itself: it is marked, and takes no more writes.  Always EIO. */
int qcow2_corrupt(struct qcow2 *q, const char *what, uint64_t where);

/* ---- the header (qcow2_header.c) ---- */

bool header_load(struct qcow2 *q, struct err *e);
/* Writes the fixed fields, which lie in one sector, and flushes: bits, or tables that have moved. */
int header_write(struct qcow2 *q);
/* Writes all of it: a backing file that is another. */
bool header_write_all(struct qcow2 *q, struct err *e);
/* A new header in the LEN bytes of BUF; false: it doesn't fit. */
bool header_make(const struct qcow2 *q, uint8_t *buf, size_t len);

/* ---- refcounts (qcow2_refcount.c); all under LOCK ---- */

int refcount_load_table(struct qcow2 *q, struct err *e);
uint64_t refcount_most(const struct qcow2 *q);
uint64_t refcount_in(const uint8_t *data, uint64_t index, unsigned order);
void refcount_put(uint8_t *data, uint64_t index, unsigned order, uint64_t value);
int refcount_get(struct qcow2 *q, uint64_t cluster, uint64_t *value);
/* Of COUNT clusters. */
int refcount_change(struct qcow2 *q, uint64_t cluster, uint64_t count, int by);
/* ENOENT: no block describes it. */
int refcount_set(struct qcow2 *q, uint64_t cluster, uint64_t value);
bool refcount_has_block(const struct qcow2 *q, uint64_t cluster);
/* There is one, and that part of it is in memory. */
bool refcount_is_cached(const struct qcow2 *q, uint64_t cluster);
/* A new table and new blocks, behind the CLUSTERS clusters whose counts COUNT_OF says. */
int refcount_rebuild(struct qcow2 *q, uint64_t clusters, uint64_t (*count_of)(const void *opaque, uint64_t cluster),
	const void *opaque);
/* At most WANTED clusters that follow each other, counted once; ALL: that many or none. */
int clusters_allocate(struct qcow2 *q, uint64_t wanted, bool all, uint64_t *offset, uint64_t *got);
/* They were named nowhere in the file yet. */
void clusters_drop(struct qcow2 *q, uint64_t offset, uint64_t count);
/* They will be counted down when the file has ceased to name them. */
void clusters_free_later(struct qcow2 *q, uint64_t offset, uint64_t count);
int clusters_free_pending(struct qcow2 *q);
/* Writes what is dirty. */
int refcounts_write(struct qcow2 *q);
/* The host clusters of a compressed one. */
void compressed_range(const struct qcow2 *q, uint64_t entry, uint64_t *offset, uint64_t *len);

/* ---- tables (qcow2_table.c); all under LOCK ---- */

int slices_get(struct qcow2 *q, struct cache *c, uint64_t offset, struct slice **out);
bool slices_has(const struct cache *c, uint64_t offset);
void slices_dirty(struct cache *c, struct slice *s);
int slices_write(struct qcow2 *q, struct cache *c);
int table_load(struct qcow2 *q, uint64_t offset, uint32_t entries, uint64_t **table);
int table_write_dirty(struct qcow2 *q, const uint64_t *table, uint64_t offset, uint32_t entries, bool *dirty);
bool *table_dirty_new(uint32_t entries);
void l1_set(struct qcow2 *q, uint32_t index, uint64_t entry);
void rt_set(struct qcow2 *q, uint32_t index, uint64_t entry);

enum mapping_kind { MAPPED_NOT, MAPPED_ZERO, MAPPED_DATA, MAPPED_COMPRESSED };

struct mapping {
	enum mapping_kind kind;
	bool in_place;      /* DATA that may be written where it is */
	uint64_t entry;     /* of the first cluster */
	uint64_t host;      /* of the byte asked for, if it has a host cluster */
	uint64_t bytes;     /* how many follow that are alike, and for DATA lie behind each other */
};

enum mapping_kind entry_kind(const struct qcow2 *q, uint64_t entry);
/* What an L2 entry names will be counted down. */
void entry_free_later(struct qcow2 *q, uint64_t entry);
int map_lookup(struct qcow2 *q, uint64_t offset, uint64_t len, struct mapping *m);
/* map_lookup() will read nothing from the file. */
bool map_is_cached(struct qcow2 *q, uint64_t offset);
int map_get(struct qcow2 *q, uint64_t cluster, uint64_t *entry);
/* Gives the guest cluster another entry, what it had is freed later.  Not while committing. */
int map_set(struct qcow2 *q, uint64_t cluster, uint64_t entry);

/* ---- order (qcow2_commit.c) ---- */

/* Takes LOCK; not with ranges held that writers in it could wait for. */
int qcow2_commit(struct qcow2 *q);
/* Under LOCK: is much waiting? */
bool commit_is_due(const struct qcow2 *q);
/* The same if that is so. */
int qcow2_commit_if_full(struct qcow2 *q);
/* Under LOCK, which it lets go meanwhile: until tables may be changed. */
int wait_for_commit(struct qcow2 *q);
/* The image's last words: everything is written, and it isn't in use any more. */
int qcow2_settle(struct qcow2 *q);

/* ---- I/O (qcow2_io.c) ---- */

void range_take(struct qcow2 *q, struct range *r);
void range_release(struct qcow2 *q, struct range *r);
int qcow2_read(struct image *i, uint64_t offset, void *buf, size_t len);
int qcow2_write(struct image *i, uint64_t offset, const void *buf, size_t len);
int qcow2_discard(struct image *i, uint64_t offset, uint64_t len);
int qcow2_read_now(struct image *i, uint64_t offset, void *buf, size_t len);
int qcow2_write_now(struct image *i, uint64_t offset, const void *buf, size_t len);
int qcow2_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap);

/* ---- compression (qcow2_compressed.c, zstd.c) ---- */

int qcow2_write_compressed(struct image *i, uint64_t offset, const void *buf, size_t len);
/* PART of LEN bytes, BEGIN bytes into the cluster that ENTRY names. */
int compressed_read(struct qcow2 *q, uint64_t entry, uint64_t begin, void *part, size_t len);
void compressed_forget(struct qcow2 *q);

bool zstd_is_there(void);
/* Packed bytes, or 0: it doesn't fit into ROOM. */
size_t zstd_pack(void *out, size_t room, const void *in, size_t len);
bool zstd_unpack(void *out, size_t len, const void *in, size_t in_len);

/* ---- what tools do (qcow2_snapshot.c, qcow2_check.c, qcow2_change.c) ---- */

bool snapshots_load(struct qcow2 *q, struct err *e);
void snapshots_free(struct qcow2 *q);
bool qcow2_snapshot(struct image *i, unsigned n, struct image_snapshot *out);
bool qcow2_snapshot_create(struct image *i, const char *name, struct err *e);
bool qcow2_snapshot_apply(struct image *i, const char *snapshot, struct err *e);
bool qcow2_snapshot_delete(struct image *i, const char *snapshot, struct err *e);
bool qcow2_use_snapshot(struct image *i, const char *snapshot, struct err *e);
bool qcow2_check(struct image *i, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out, struct err *e);
/* Counts anew what a writer that didn't finish has left behind. */
bool qcow2_mend_refcounts(struct qcow2 *q, struct err *e);
/* A new L1 table in the place of the old one, by one write of the header; the tables it names are the caller's. */
int l1_switch(struct qcow2 *q, const uint64_t *l1, uint32_t entries, uint64_t disk_bytes);
/* All that an L1 table names, and the tables under it, is counted up or down. */
int tree_count(struct qcow2 *q, const uint64_t *l1, uint32_t entries, int by);
/* COPIED stands where a count is 1, in the active tables. */
int tree_mark_copied(struct qcow2 *q);
bool qcow2_resize(struct image *i, uint64_t bytes, unsigned preallocation, bool shrink, struct err *e);
bool qcow2_set_backing(struct image *i, const char *file, const char *format, struct err *e);
bool qcow2_make_empty(struct image *i, struct err *e);

#endif
