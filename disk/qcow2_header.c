/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The header of qcow2: fixed fields, extensions, the backing file's name.  All of it is in the first cluster.
 *
 * Features that are unknown stop us if they are incompatible, are ignored if they are compatible, and are cleared by
 * the first writer if they are of the autoclear kind.  Extensions that are unknown are kept.
 */
#include "disk/qcow2.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { FEATURE_NAME_BYTES = 48 };

static const struct {
	uint8_t type, bit;
	const char *name;
} features[] = {
	{ 0, 0, "dirty bit" },
	{ 0, 1, "corrupt bit" },
	{ 0, 2, "external data file" },
	{ 0, 3, "compression type" },
	{ 0, 4, "extended L2 entries" },
	{ 1, 0, "lazy refcounts" },
	{ 2, 0, "bitmaps" },
	{ 2, 1, "raw external data" },
};

/* ---- reading ---- */

static bool
refuse(struct qcow2 *q, struct err *e, const char *what)
{
	return err_set(e, "%s: %s; the image is damaged, or no qcow2 image: restore it from a backup", q->image.file, what);
}

/* The name that the image itself has for an incompatible feature. */
static void
feature_name(const struct qcow2 *q, unsigned bit, char *name, size_t room)
{
	snprintf(name, room, "incompatible feature %u", bit);
	for (const struct extension *x = q->extensions; x != NULL; x = x->next) {
		if (x->type != EXTENSION_FEATURE_NAMES)
			continue;
		for (uint32_t at = 0; at + FEATURE_NAME_BYTES <= x->len; at += FEATURE_NAME_BYTES) {
			const uint8_t *f = x->data + at;

			if (f[0] == 0 && f[1] == bit && f[2] >= ' ')
				snprintf(name, room, "%.46s", (const char *)f + 2);
		}
	}
	for (char *p = name; *p != '\0'; p++) {
		if (*p < ' ' || *p > '~')
			*p = '?';
	}
}

static bool
check_features(struct qcow2 *q, struct err *e)
{
	uint64_t known = INCOMPATIBLE_DIRTY | INCOMPATIBLE_CORRUPT | INCOMPATIBLE_COMPRESSION;
	uint64_t unknown = q->incompatible & ~known;
	bool changes = q->flags & (IMAGE_WRITE | IMAGE_REPAIR);

	if (unknown & INCOMPATIBLE_DATA_FILE)
		return err_set(e, "%s: its data is in a file of its own, which is not supported; convert it (qemu-img convert -O qcow2)",
			q->image.file);
	if (unknown & INCOMPATIBLE_EXTENDED_L2)
		return err_set(e, "%s: extended L2 entries are not supported; convert it (qemu-img convert -O qcow2)", q->image.file);
	if (unknown != 0) {
		char name[64];

		feature_name(q, __builtin_ctzll(unknown), name, sizeof(name));
		return err_set(e, "%s: the image uses '%s', which is not supported; convert it with the program that made it",
			q->image.file, name);
	}
	if ((q->incompatible & INCOMPATIBLE_CORRUPT) && changes && (q->flags & IMAGE_REPAIR) == 0)
		return err_set(e, "%s: the image is marked corrupt; repair it (calque-img check -r all), or open it read-only",
			q->image.file);
	return true;
}

static void
keep_extension(struct qcow2 *q, uint32_t type, const uint8_t *data, uint32_t len)
{
	struct extension **last = &q->extensions, *x = xcalloc(1, sizeof(*x));

	while (*last != NULL)
		last = &(*last)->next;
	*x = (struct extension){ .type = type, .len = len, .data = xcalloc(1, len + 1) };
	memcpy(x->data, data, len);
	*last = x;
}

static bool
parse_extensions(struct qcow2 *q, const uint8_t *cluster, size_t begin, size_t end, struct err *e)
{
	while (end - begin >= 8) {
		uint32_t type = get_be(cluster + begin, 4), len = get_be(cluster + begin + 4, 4);

		begin += 8;
		if (type == EXTENSION_END)
			return true;
		if (len > end - begin)
			return refuse(q, e, "a header extension is longer than the header");
		if (type == EXTENSION_BACKING_FORMAT) {
			free(q->backing_format);
			q->backing_format = xcalloc(1, len + 1);
			memcpy(q->backing_format, cluster + begin, len);
		} else {
			keep_extension(q, type, cluster + begin, len);
		}
		begin += MIN(align_up(len, 8), end - begin);
	}
	return true;
}

static bool
parse_names(struct qcow2 *q, const uint8_t *cluster, struct err *e)
{
	uint64_t at = get_be(cluster + H_BACKING_OFFSET, 8);
	uint32_t len = get_be(cluster + H_BACKING_BYTES, 4);
	size_t end = q->cluster_bytes;

	if (at != 0) {
		if (len > BACKING_NAME_MOST || at > q->cluster_bytes || len > q->cluster_bytes - at || at < q->header_bytes)
			return refuse(q, e, "the backing file's name is not in the header");
		q->backing_file = xcalloc(1, len + 1);
		memcpy(q->backing_file, cluster + at, len);
		end = at;
	}
	if (!parse_extensions(q, cluster, q->header_bytes, end, e))
		return false;
	if (q->backing_file != NULL && q->backing_file[0] == '\0') {
		free(q->backing_file);
		q->backing_file = NULL;
	}
	return true;
}

static bool
parse_version(struct qcow2 *q, const uint8_t *h, struct err *e)
{
	if (get_be(h, 4) != QCOW2_MAGIC)
		return err_set(e, "%s: is not a qcow2 image; leave format=qcow2 out, or say format=raw", q->image.file);
	q->version = get_be(h + H_VERSION, 4);
	if (q->version != 2 && q->version != 3)
		return err_set(e, "%s: qcow version %u is not supported; convert it (qemu-img convert -O qcow2)", q->image.file, q->version);
	q->cluster_bits = get_be(h + H_CLUSTER_BITS, 4);
	if (q->cluster_bits < CLUSTER_BITS_LEAST || q->cluster_bits > CLUSTER_BITS_MOST)
		return refuse(q, e, "its clusters are of a size that can't be");
	q->cluster_bytes = 1ull << q->cluster_bits;
	q->header_bytes = HEADER_V2_BYTES;
	q->refcount_order = 4;
	if (q->version == 2)
		return true;
	q->incompatible = get_be(h + H_INCOMPATIBLE, 8);
	q->compatible = get_be(h + H_COMPATIBLE, 8);
	q->autoclear = get_be(h + H_AUTOCLEAR, 8);
	q->refcount_order = get_be(h + H_REFCOUNT_ORDER, 4);
	q->header_bytes = get_be(h + H_BYTES, 4);
	if (q->header_bytes < 104 || q->header_bytes > q->cluster_bytes || q->header_bytes % 8 != 0)
		return refuse(q, e, "its header is of a length that can't be");
	if (q->refcount_order > 6)
		return refuse(q, e, "its refcounts are wider than 64 bits");
	q->compression = q->header_bytes > H_COMPRESSION ? h[H_COMPRESSION] : 0;
	return true;
}

static bool
check_compression(struct qcow2 *q, struct err *e)
{
	bool bit = (q->incompatible & INCOMPATIBLE_COMPRESSION) != 0;

	if (q->compression > COMPRESSION_ZSTD)
		return err_set(e, "%s: compression type %u is not supported; convert it (qemu-img convert -O qcow2)", q->image.file,
			q->compression);
	if (bit != (q->compression != 0))
		return refuse(q, e, "its compression type and its feature bits contradict each other");
	if (q->compression == COMPRESSION_ZSTD && !zstd_is_there())
		return err_set(e, "%s: its clusters are compressed by zstd, which this build is without; install libzstd-dev and build "
			"anew, or convert it (qemu-img convert -O qcow2)", q->image.file);
	return true;
}

static bool
check_table(struct qcow2 *q, uint64_t offset, uint64_t bytes, const char *what, struct err *e)
{
	if ((offset & (q->cluster_bytes - 1)) != 0 || (bytes != 0 && offset == 0) || offset > OFFSET_MASK)
		return err_set(e, "%s: its %s stands where none can; the image is damaged: restore it from a backup", q->image.file, what);
	if (bytes != 0 && (offset >= q->file_end || bytes > q->file_end - offset))
		return err_set(e, "%s: its %s is behind the end of the file; the file was cut short: get it again", q->image.file, what);
	return true;
}

static bool
parse_tables(struct qcow2 *q, const uint8_t *h, struct err *e)
{
	uint32_t rt_clusters = get_be(h + H_RT_CLUSTERS, 4);

	q->disk_bytes = get_be(h + H_SIZE, 8);
	q->l1_entries = get_be(h + H_L1_ENTRIES, 4);
	q->l1_offset = get_be(h + H_L1_OFFSET, 8);
	q->rt_offset = get_be(h + H_RT_OFFSET, 8);
	q->snapshot_count = get_be(h + H_SNAPSHOTS, 4);
	q->snapshots_offset = get_be(h + H_SNAPSHOTS_OFFSET, 8);
	if (get_be(h + H_CRYPT, 4) != 0)
		return err_set(e, "%s: encrypted images are not supported; convert it (qemu-img convert -O qcow2)", q->image.file);
	if (q->disk_bytes > INT64_MAX - DISK_SECTOR || (q->disk_bytes >> (q->cluster_bits + l2_bits(q))) >= L1_BYTES_MOST / 8)
		return refuse(q, e, "its disk is larger than its clusters allow");
	if (q->l1_entries > L1_BYTES_MOST / 8 || q->l1_entries < l1_entries_for(q, q->disk_bytes))
		return refuse(q, e, "its L1 table is of a size that can't be");
	if (rt_clusters == 0 || rt_clusters > RT_BYTES_MOST >> q->cluster_bits)
		return refuse(q, e, "its refcount table is of a size that can't be");
	if (q->snapshot_count > SNAPSHOTS_MOST)
		return refuse(q, e, "it has more than 65536 snapshots");
	q->rt_entries = rt_clusters << l2_bits(q);
	q->image.bytes = q->disk_bytes & ~(uint64_t)(DISK_SECTOR - 1);
	return check_table(q, q->l1_offset, q->l1_entries * 8ull, "L1 table", e) &&
		check_table(q, q->rt_offset, (uint64_t)rt_clusters << q->cluster_bits, "refcount table", e) &&
		check_table(q, q->snapshots_offset, q->snapshot_count != 0, "snapshot table", e);
}

bool
header_load(struct qcow2 *q, struct err *e)
{
	uint8_t h[HEADER_V3_BYTES], *cluster;
	int error = file_read(q, 0, h, sizeof(h));
	bool ok;

	if (error != 0)
		return err_set(e, "%s: can't be read: %s", q->image.file, strerror(error));
	if (!parse_version(q, h, e))
		return false;
	cluster = xcalloc(1, q->cluster_bytes);
	error = file_read(q, 0, cluster, q->cluster_bytes);
	if (error != 0)
		ok = err_set(e, "%s: can't be read: %s", q->image.file, strerror(error));
	else
		ok = parse_names(q, cluster, e);
	free(cluster);
	return ok && check_features(q, e) && check_compression(q, e) && parse_tables(q, h, e);
}

/* ---- writing ---- */

static void
put_fields(const struct qcow2 *q, uint8_t *h)
{
	put_be(h, QCOW2_MAGIC, 4);
	put_be(h + H_VERSION, q->version, 4);
	put_be(h + H_CLUSTER_BITS, q->cluster_bits, 4);
	put_be(h + H_SIZE, q->disk_bytes, 8);
	put_be(h + H_L1_ENTRIES, q->l1_entries, 4);
	put_be(h + H_L1_OFFSET, q->l1_offset, 8);
	put_be(h + H_RT_OFFSET, q->rt_offset, 8);
	put_be(h + H_RT_CLUSTERS, q->rt_entries >> l2_bits(q), 4);
	put_be(h + H_SNAPSHOTS, q->snapshot_count, 4);
	put_be(h + H_SNAPSHOTS_OFFSET, q->snapshots_offset, 8);
	if (q->version == 2)
		return;
	put_be(h + H_INCOMPATIBLE, q->incompatible, 8);
	put_be(h + H_COMPATIBLE, q->compatible, 8);
	put_be(h + H_AUTOCLEAR, q->autoclear, 8);
	put_be(h + H_REFCOUNT_ORDER, q->refcount_order, 4);
	put_be(h + H_BYTES, q->header_bytes, 4);
	if (q->header_bytes > H_COMPRESSION)
		h[H_COMPRESSION] = q->compression;
}

int
header_write(struct qcow2 *q)
{
	uint8_t h[HEADER_V3_BYTES];
	size_t len = MIN(q->header_bytes, sizeof(h));
	int error = file_read(q, 0, h, sizeof(h));

	if (error == 0) {
		put_fields(q, h);
		error = file_write(q, 0, h, len);
	}
	return error != 0 ? error : file_flush(q);
}

/* Where the next thing goes; SIZE_MAX: there is no room for it. */
static size_t
put_extension(uint8_t *buf, size_t at, size_t room, uint32_t type, const void *data, uint32_t len)
{
	if (at > room || room - at < 8 + align_up(len, 8))
		return SIZE_MAX;
	put_be(buf + at, type, 4);
	put_be(buf + at + 4, len, 4);
	memcpy(buf + at + 8, data, len);
	return at + 8 + align_up(len, 8);
}

static size_t
put_feature_names(uint8_t *buf, size_t at, size_t room)
{
	uint8_t table[ARRAY_SIZE(features) * FEATURE_NAME_BYTES] = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		uint8_t *f = table + i * FEATURE_NAME_BYTES;

		f[0] = features[i].type;
		f[1] = features[i].bit;
		memcpy(f + 2, features[i].name, strlen(features[i].name));
	}
	return put_extension(buf, at, room, EXTENSION_FEATURE_NAMES, table, sizeof(table));
}

/* The list of names is left out where it would leave no room for what is needed. */
bool
header_make(const struct qcow2 *q, uint8_t *buf, size_t len)
{
	size_t name = q->backing_file == NULL ? 0 : strlen(q->backing_file), at = q->header_bytes;
	bool has_names = q->version == 2;

	put_fields(q, buf);
	if (q->backing_format != NULL)
		at = put_extension(buf, at, len, EXTENSION_BACKING_FORMAT, q->backing_format, strlen(q->backing_format));
	for (const struct extension *x = q->extensions; x != NULL; x = x->next) {
		has_names = has_names || x->type == EXTENSION_FEATURE_NAMES;
		if (x->type != EXTENSION_BITMAPS || (q->autoclear & AUTOCLEAR_BITMAPS))
			at = put_extension(buf, at, len, x->type, x->data, x->len);
	}
	if (!has_names && at < len) {
		size_t after = put_feature_names(buf, at, len > name + 8 ? len - name - 8 : 0);

		at = after == SIZE_MAX ? at : after;
	}
	at = put_extension(buf, at, len, EXTENSION_END, "", 0);
	if (at > len || name > len - at)
		return false;
	put_be(buf + H_BACKING_OFFSET, name == 0 ? 0 : at, 8);
	put_be(buf + H_BACKING_BYTES, name, 4);
	memcpy(buf + at, name == 0 ? "" : q->backing_file, name);
	return true;
}

bool
header_write_all(struct qcow2 *q, struct err *e)
{
	uint8_t *cluster = xcalloc(1, q->cluster_bytes);
	/* Fields that are unknown stay. */
	int error = file_read(q, 0, cluster, q->header_bytes);
	bool ok = header_make(q, cluster, q->cluster_bytes);

	if (!ok) {
		err_set(e, "%s: the backing file's name and format don't fit into its first cluster of %" PRIu64 " bytes; give it a "
			"shorter name", q->image.file, q->cluster_bytes);
	} else if (error == 0) {
		error = file_write(q, 0, cluster, q->cluster_bytes);
	}
	free(cluster);
	if (ok && error == 0)
		error = file_flush(q);
	return ok && (error == 0 || err_set(e, "%s: its header can't be written: %s", q->image.file, strerror(error)));
}
