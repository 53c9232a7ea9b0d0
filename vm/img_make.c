/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calque-img: images are made and get another size: create, resize, amend, measure. */
#include "vm/img.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, L1_MOST = 32 << 20 /* bytes of a qcow2's L1 table */ };

/* ---- what -o says ---- */

static bool
parse_preallocation(const char *text, enum image_preallocation *out, struct err *e)
{
	static const char *const names[] = {
		[PREALLOCATE_OFF] = "off", [PREALLOCATE_METADATA] = "metadata", [PREALLOCATE_FALLOC] = "falloc",
		[PREALLOCATE_FULL] = "full",
	};

	for (unsigned n = 0; text != NULL && n < ARRAY_SIZE(names); n++) {
		if (strcmp(text, names[n]) == 0) {
			*out = n;
			return true;
		}
	}
	return text == NULL || err_set(e, "preallocation=%s is not known; use off, metadata, falloc or full", text);
}

static const char *
preallocation_name(enum image_preallocation p)
{
	return p == PREALLOCATE_METADATA ? "metadata" : p == PREALLOCATE_FALLOC ? "falloc" : p == PREALLOCATE_FULL ? "full" : "off";
}

static bool
parse_version(const char *text, unsigned *version, struct err *e)
{
	if (text == NULL)
		return true;
	if (strcmp(text, "0.10") == 0 || strcmp(text, "v2") == 0)
		*version = 2;
	else if (strcmp(text, "1.1") == 0 || strcmp(text, "v3") == 0)
		*version = 3;
	else
		return err_set(e, "compat=%s is not known; use 0.10 (v2) or 1.1 (v3)", text);
	return true;
}

static bool
parse_compression(const char *text, enum image_compression *out, struct err *e)
{
	if (text != NULL && strcmp(text, "zstd") == 0)
		*out = COMPRESSION_ZSTD;
	else if (text != NULL && strcmp(text, "zlib") != 0)
		return err_set(e, "compression_type=%s is not known; use zlib or zstd", text);
	return true;
}

static bool
qcow2_options(struct keyval *k, struct image_create *o, struct err *e)
{
	const char *cluster = keyval_str(k, "cluster_size");
	uint64_t bytes = 64 * KiB, bits = 16;

	if (cluster != NULL && !img_size(cluster, "cluster_size", &bytes, e))
		return false;
	if (bytes < 512 || bytes > 2 * MiB || (bytes & (bytes - 1)) != 0)
		return err_set(e, "cluster_size=%s: it is a power of two from 512 to 2M", cluster);
	if (!keyval_uint(k, "refcount_bits", 64, &bits, e) || !parse_version(keyval_str(k, "compat"), &o->version, e) ||
	    !parse_compression(keyval_str(k, "compression_type"), &o->compression, e) ||
	    !keyval_bool(k, "lazy_refcounts", &o->lazy_refcounts, e))
		return false;
	if (bits == 0 || (bits & (bits - 1)) != 0)
		return err_set(e, "refcount_bits=%" PRIu64 ": it is a power of two from 1 to 64", bits);
	if (o->version == 2 && (o->lazy_refcounts || bits != 16 || o->compression != COMPRESSION_ZLIB))
		return err_set(e, "lazy_refcounts, refcount_bits other than 16 and compression_type=zstd need compat=1.1");
	o->cluster_bytes = (uint32_t)bytes;
	o->refcount_bits = (unsigned)bits;
	return keyval_only(k, "extended_l2", "off", e) && keyval_only(k, "encryption", "off", e);
}

static bool
print_help(const char *format)
{
	printf("Supported %s options:\n", format);
	if (strcmp(format, "qcow2") == 0)
		printf("  backing_file=<str>     - File name of a base image\n"
			"  backing_fmt=<str>      - Image format of the base image\n"
			"  cluster_size=<size>    - qcow2 cluster size\n"
			"  compat=<str>           - Compatibility level (v2 [0.10] or v3 [1.1])\n"
			"  compression_type=<str> - Compression method used for image cluster compression\n"
			"  lazy_refcounts=<bool (on/off)> - Postpone refcount updates\n");
	printf("  preallocation=<str>    - Preallocation mode (allowed values: off, %sfalloc, full)\n",
		strcmp(format, "qcow2") == 0 ? "metadata, " : "");
	if (strcmp(format, "qcow2") == 0)
		printf("  refcount_bits=<num>    - Width of a reference count entry in bits\n");
	printf("  size=<size>            - Virtual disk size\n");
	return true;
}

bool
img_create_options(struct img_args *a, struct keyval *k, struct image_create *o, struct err *e)
{
	const char *size, *file, *format;
	bool qcow2 = strcmp(o->format, "qcow2") == 0;

	*k = (struct keyval){ .text = NULL };
	if (!qcow2 && strcmp(o->format, "raw") != 0)
		return err_set(e, "format %s can't be made; use raw or qcow2", o->format);
	if (a->options != NULL && !keyval_parse(k, a->options, NULL, e))
		return false;
	size = keyval_str(k, "size");
	if (size != NULL && !img_size(size, "size", &o->bytes, e))
		return false;
	if (!parse_preallocation(keyval_str(k, "preallocation"), &o->preallocation, e) || (qcow2 && !qcow2_options(k, o, e)))
		return false;
	if (!qcow2 && o->preallocation == PREALLOCATE_METADATA)
		return err_set(e, "preallocation=metadata: a raw image has none; use off, falloc or full");
	file = qcow2 ? keyval_str(k, "backing_file") : NULL;
	format = qcow2 ? keyval_str(k, "backing_fmt") : NULL;
	if ((file != NULL && o->backing_file != NULL) || (format != NULL && o->backing_format != NULL))
		return err_set(e, "the backing file, or its format, is given twice");
	o->backing_file = file != NULL ? file : o->backing_file;
	o->backing_format = format != NULL ? format : o->backing_format;
	if (!qcow2 && o->backing_file != NULL)
		return err_set(e, "a raw image can't have a backing file; use -f qcow2");
	if (o->backing_file != NULL && o->backing_format == NULL)
		return err_set(e, "the backing file's format is missing; give it: -F raw or -F qcow2");
	return keyval_end(k, e);
}

void
img_tell_creation(const struct image_create *o, const struct keyval *k)
{
	struct keyval *keys = (struct keyval *)k;
	const char *compat = keyval_str(keys, "compat");
	bool preallocation = keyval_str(keys, "preallocation") != NULL;

	printf("Formatting '%s', fmt=%s", o->file, o->format);
	if (strcmp(o->format, "raw") == 0) {
		printf(" size=%" PRIu64, o->bytes);
		if (preallocation)
			printf(" preallocation=%s", preallocation_name(o->preallocation));
		putchar('\n');
		return;
	}
	printf(" cluster_size=%u extended_l2=off", o->cluster_bytes);
	if (preallocation)
		printf(" preallocation=%s", preallocation_name(o->preallocation));
	printf(" compression_type=%s size=%" PRIu64, o->compression == COMPRESSION_ZSTD ? "zstd" : "zlib", o->bytes);
	if (compat != NULL)
		printf(" compat=%s", compat);
	if (o->backing_file != NULL)
		printf(" backing_file=%s backing_fmt=%s", o->backing_file, o->backing_format);
	printf(" lazy_refcounts=%s refcount_bits=%u\n", o->lazy_refcounts ? "on" : "off", o->refcount_bits);
}

/* ---- create ---- */

/* The size that the backing file has is told too. */
static bool
find_size(const struct img_args *a, struct image_create *o, struct err *e)
{
	struct image_open open = { .format = o->backing_format, .flags = IMAGE_NO_LOCK };
	const char *slash = strrchr(o->file, '/');
	struct image *i;
	char *path;

	if (o->bytes != IMAGE_SIZE_OF_BACKING)
		return true;
	if (o->backing_file == NULL || img_given(a, 'u'))
		return err_set(e, "%s: its size is missing", o->file);
	path = o->backing_file[0] == '/' || slash == NULL ? xstrdup(o->backing_file) :
		xasprintf("%.*s/%s", (int)(slash - o->file), o->file, o->backing_file);
	open.file = path;
	i = image_open(&open, e);
	free(path);
	if (i == NULL)
		return err_prefix(e, "the backing file: ");
	o->bytes = image_bytes(i);
	image_close(i);
	return true;
}

int
img_create(struct img_args *a, struct err *e)
{
	struct image_create o = {
		.format = img_given(a, 'f') ? a->value['f'] : "raw", .bytes = IMAGE_SIZE_OF_BACKING, .backing_file = a->value['b'],
		.backing_format = a->value['F'], .backing_unchecked = img_given(a, 'u'),
	};
	struct keyval k;
	bool ok;

	if (a->options != NULL && (strcmp(a->options, "help") == 0 || strcmp(a->options, "?") == 0))
		return print_help(o.format) ? 0 : IMG_FAILED;
	if (a->count < 1 || a->count > 2)
		return img_files(a, 2, e) ? 0 : IMG_FAILED;
	o.file = a->files[0];
	ok = img_create_options(a, &k, &o, e);
	if (ok && a->count == 2 && o.bytes != IMAGE_SIZE_OF_BACKING)
		ok = err_set(e, "the size is given twice");
	if (ok && a->count == 2)
		ok = img_size(a->files[1], "size", &o.bytes, e);
	ok = ok && find_size(a, &o, e);
	if (ok && !img_given(a, 'q'))
		img_tell_creation(&o, &k);
	if (ok)
		fflush(stdout);
	ok = ok && image_create(&o, e);
	keyval_free(&k);
	return ok ? 0 : IMG_FAILED;
}

/* ---- resize ---- */

/* [+|-]SIZE, from the size that there is. */
static bool
new_size(const char *text, uint64_t old, uint64_t *out, struct err *e)
{
	char sign = text[0];
	uint64_t v;

	if (!img_size(sign == '+' || sign == '-' ? text + 1 : text, "size", &v, e))
		return false;
	if (sign == '-' && v >= old)
		return err_set(e, "size '%s': the image has no more than %" PRIu64 " bytes", text, old);
	if (sign == '+' && v > (uint64_t)INT64_MAX - old)
		return err_set(e, "size '%s' is too large", text);
	*out = sign == '+' ? old + v : sign == '-' ? old - v : v;
	return *out != 0 || err_set(e, "an image of no bytes is no disk; give a size");
}

int
img_resize(struct img_args *a, struct err *e)
{
	enum image_preallocation how = PREALLOCATE_OFF;
	struct image *i;
	uint64_t bytes = 0;
	bool ok;

	if (!img_files(a, 2, e) || !parse_preallocation(a->value[IMG_PREALLOCATION], &how, e))
		return IMG_FAILED;
	i = img_open(a, a->files[0], a->value['f'], IMAGE_WRITE, 0, e);
	if (i == NULL)
		return IMG_FAILED;
	ok = new_size(a->files[1], image_bytes(i), &bytes, e);
	if (ok && bytes < image_bytes(i) && !img_given(a, IMG_SHRINK))
		ok = err_set(e, "%s: what is behind its new end would be lost; add --shrink if that shall be", a->files[0]);
	ok = ok && image_resize(i, bytes, how, img_given(a, IMG_SHRINK), e);
	ok &= img_close(i, a->files[0], ok ? e : NULL);
	if (ok && !img_given(a, 'q'))
		printf("Image resized.\n");
	return ok ? 0 : IMG_FAILED;
}

/* ---- amend ---- */

static bool
amend(struct image *i, struct keyval *k, struct err *e)
{
	const char *size = keyval_str(k, "size"), *file = keyval_str(k, "backing_file"), *format = keyval_str(k, "backing_fmt");
	struct image_info f;
	uint64_t bytes;

	image_info(i, &f);
	if (!keyval_only(k, "compat", f.version == 2 ? "0.10" : "1.1", e) ||
	    !keyval_only(k, "lazy_refcounts", f.lazy_refcounts ? "on" : "off", e))
		return err_prefix(e, "only size, backing_file and backing_fmt can be changed; convert makes another image: ");
	if (!keyval_end(k, e))
		return err_prefix(e, "only size, backing_file and backing_fmt can be changed; convert makes another image: ");
	if (file == NULL && format != NULL)
		file = f.backing_file;
	if (file != NULL && *file != '\0' && format == NULL)
		format = f.backing_format;
	if (file != NULL && !image_set_backing(i, *file != '\0' ? file : NULL, format, e))
		return false;
	if (size == NULL)
		return true;
	return img_size(size, "size", &bytes, e) && image_resize(i, bytes, PREALLOCATE_OFF, false, e);
}

int
img_amend(struct img_args *a, struct err *e)
{
	struct keyval k = { .text = NULL };
	struct image *i;
	bool ok;

	if (a->options == NULL)
		return err_set(e, "-o with what shall be changed is missing") ? 0 : IMG_FAILED;
	if (!img_files(a, 1, e) || !keyval_parse(&k, a->options, NULL, e)) {
		keyval_free(&k);
		return IMG_FAILED;
	}
	i = img_open(a, a->files[0], a->value['f'], IMAGE_WRITE | IMAGE_NO_BACKING, 't', e);
	ok = i != NULL && amend(i, &k, e);
	keyval_free(&k);
	if (i != NULL)
		ok &= img_close(i, a->files[0], ok ? e : NULL);
	return ok ? 0 : IMG_FAILED;
}

/* ---- measure ---- */

/* Clusters that a table of ENTRIES of 8 bytes takes, each of its clusters full. */
static uint64_t
table_clusters(uint64_t entries, uint64_t cluster)
{
	return (entries + cluster / 8 - 1) / (cluster / 8);
}

/* The clusters of refcount blocks and of their table for an image of CLUSTERS others: what they need counts too. */
static uint64_t
refcount_clusters(uint64_t clusters, uint64_t cluster, unsigned bits)
{
	uint64_t per_block = cluster * 8 / bits, blocks = 0, table = 0, before;

	do {
		before = blocks + table;
		blocks = (clusters + before + per_block - 1) / per_block;
		table = table_clusters(blocks, cluster);
	} while (blocks + table != before);
	return before;
}

/* All that a qcow2 of BYTES has beside its data, with every cluster there. */
static uint64_t
qcow2_metadata(uint64_t bytes, const struct image_create *o)
{
	uint64_t cluster = o->cluster_bytes, data = (bytes + cluster - 1) / cluster;
	uint64_t l2 = table_clusters(data, cluster), l1 = table_clusters(l2, cluster);

	return (1 + l1 + l2 + refcount_clusters(1 + l1 + l2 + data, cluster, o->refcount_bits)) * cluster;
}

/* How much of the source has to be copied, in whole clusters. */
static bool
data_clusters(struct image *i, const char *file, uint64_t cluster, uint64_t *bytes, struct err *e)
{
	uint64_t next = 0; /* the first cluster not counted yet */
	struct image_extent x;

	*bytes = 0;
	for (uint64_t at = 0; at < image_bytes(i); at += x.bytes) {
		int error = image_status(i, at, image_bytes(i) - at, &x);

		if (error != 0)
			return img_io_error(e, file, "read its tables", at, error);
		if (!x.data || x.zero)
			continue;
		uint64_t first = MAX(next, at / cluster), end = (at + x.bytes + cluster - 1) / cluster;

		if (end > first)
			*bytes += (end - first) * cluster;
		next = MAX(next, end);
	}
	return true;
}

static bool
measure_source(const struct img_args *a, uint64_t cluster, uint64_t *bytes, uint64_t *data, bool *bitmaps, struct err *e)
{
	struct image *i = img_open(a, a->files[0], a->value['f'], 0, 0, e);
	bool ok = i != NULL;

	if (ok && img_given(a, 'l'))
		ok = image_use_snapshot(i, a->value['l'], e);
	if (ok) {
		struct image_info f;

		image_info(i, &f);
		*bitmaps = f.version >= 3;
		*bytes = image_bytes(i);
		ok = data_clusters(i, a->files[0], cluster, data, e);
	}
	if (i != NULL)
		image_close(i);
	return ok;
}

/* There are never any bitmaps, but images that could have some say so. */
static void
print_measure(uint64_t required, uint64_t full, bool bitmaps, bool json)
{
	struct json j = { .to = stdout };

	if (!json) {
		printf("required size: %" PRIu64 "\nfully allocated size: %" PRIu64 "\n%s", required, full,
			bitmaps ? "bitmaps size: 0\n" : "");
		return;
	}
	json_open(&j, NULL, '{');
	if (bitmaps)
		json_number(&j, "bitmaps", 0);
	json_number(&j, "required", required);
	json_number(&j, "fully-allocated", full);
	json_close(&j, '}');
}

int
img_measure(struct img_args *a, struct err *e)
{
	struct image_create o = { .format = img_given(a, 'O') ? a->value['O'] : "raw", .bytes = IMAGE_SIZE_OF_BACKING };
	uint64_t bytes = 0, data = 0, full, required;
	struct keyval k;
	bool json, ok, qcow2 = strcmp(o.format, "qcow2") == 0, source = !img_given(a, IMG_SIZE), bitmaps = false;

	if (!img_json(a, &json, e) || (source && !img_files(a, 1, e)) || (!source && a->count != 0 && !img_files(a, 0, e)))
		return IMG_FAILED;
	ok = img_create_options(a, &k, &o, e);
	keyval_free(&k);
	if (ok && source)
		ok = measure_source(a, qcow2 ? o.cluster_bytes : SECTOR, &bytes, &data, &bitmaps, e);
	else if (ok)
		ok = img_size(a->value[IMG_SIZE], "--size", &bytes, e);
	if (ok && qcow2 && table_clusters((bytes + o.cluster_bytes - 1) / o.cluster_bytes, o.cluster_bytes) > L1_MOST / 8)
		ok = err_set(e, "that many bytes need larger clusters; set cluster_size");
	if (!ok)
		return IMG_FAILED;
	full = qcow2 ? align_up(bytes, o.cluster_bytes) + qcow2_metadata(bytes, &o) : align_up(bytes, SECTOR);
	required = qcow2 ? qcow2_metadata(bytes, &o) + data : full;
	if (qcow2 && (o.preallocation == PREALLOCATE_FALLOC || o.preallocation == PREALLOCATE_FULL))
		required = full;
	print_measure(required, full, qcow2 && bitmaps, json);
	return 0;
}
