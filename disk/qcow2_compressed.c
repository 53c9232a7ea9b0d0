/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compressed clusters: each is one stream of deflate or one frame of zstd, at any byte of the file; its entry says how
 * many sectors it reaches into.  Several share a host cluster, which counts each of them.
 */
#include "disk/qcow2.h"

#include "base/util.h"

#include <errno.h>
#include <stdlib.h>
#include <zlib.h>

enum { DEFLATE_WINDOW = 12, INFLATE_WINDOW = 15 };

/* ---- reading ---- */

static bool
inflate_all(void *out, size_t len, const void *in, size_t in_len)
{
	z_stream z = { .next_in = (void *)in, .avail_in = in_len, .next_out = out, .avail_out = len };
	int status;

	if (inflateInit2(&z, -INFLATE_WINDOW) != Z_OK)
		return false;
	status = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	return (status == Z_STREAM_END || status == Z_BUF_ERROR || status == Z_OK) && z.avail_out == 0;
}

static int
unpack(struct qcow2 *q, uint64_t entry, uint8_t *out)
{
	uint64_t offset, len;
	uint8_t *packed;
	bool ok;
	int error;

	compressed_range(q, entry, &offset, &len);
	if (offset >= q->file_end)
		return EIO;
	packed = malloc(len);
	if (packed == NULL)
		return ENOMEM;
	error = file_read(q, offset, packed, len);
	if (error == 0) {
		if (q->compression == COMPRESSION_ZSTD)
			ok = zstd_unpack(out, q->cluster_bytes, packed, len);
		else
			ok = inflate_all(out, q->cluster_bytes, packed, len);
		error = ok ? 0 : EIO;
	}
	free(packed);
	return error;
}

/* The last one that was unpacked is kept: guests read it in parts. */
int
compressed_read(struct qcow2 *q, uint64_t entry, uint64_t begin, void *part, size_t len)
{
	int error = 0;

	pthread_mutex_lock(&q->unpacked_lock);
	if (q->unpacked == NULL)
		q->unpacked = malloc(q->cluster_bytes);
	if (q->unpacked == NULL) {
		error = ENOMEM;
	} else if (q->unpacked_entry != entry) {
		q->unpacked_entry = 0;
		error = unpack(q, entry, q->unpacked);
		q->unpacked_entry = error == 0 ? entry : 0;
	}
	if (error == 0)
		memcpy(part, q->unpacked + begin, len);
	pthread_mutex_unlock(&q->unpacked_lock);
	return error;
}

void
compressed_forget(struct qcow2 *q)
{
	pthread_mutex_lock(&q->unpacked_lock);
	q->unpacked_entry = 0;
	pthread_mutex_unlock(&q->unpacked_lock);
}

/* ---- writing ---- */

/* Packed bytes, or 0: it doesn't fit into ROOM. */
static size_t
deflate_all(void *out, size_t room, const void *in, size_t len)
{
	z_stream z = { .next_in = (void *)in, .avail_in = len, .next_out = out, .avail_out = room };
	int status;

	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -DEFLATE_WINDOW, 9, Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	status = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return status == Z_STREAM_END ? room - z.avail_out : 0;
}

/* Room for LEN bytes, less than a cluster: behind the last ones, if what is left of their cluster and the next suffices. */
static int
find_room(struct qcow2 *q, size_t len, uint64_t *offset)
{
	uint64_t mask = q->cluster_bytes - 1, at = q->packed_end, next, got;
	uint64_t left = at == 0 ? 0 : q->cluster_bytes - (at & mask);
	int error = EMLINK;

	*offset = at;
	if (left >= len)
		error = refcount_change(q, at >> q->cluster_bits, 1, 1);
	/* Refcounts of few bits let only few share a cluster. */
	if (left >= len && error != EMLINK)
		return error;
	error = clusters_allocate(q, 1, true, &next, &got);
	if (error != 0)
		return error;
	*offset = next;
	if (left != 0 && left < len && next == at + left && refcount_change(q, at >> q->cluster_bits, 1, 1) == 0)
		*offset = at;
	return 0;
}

static int
write_packed(struct qcow2 *q, uint64_t cluster, const void *packed, size_t len)
{
	unsigned offset_bits = 62 - (q->cluster_bits - 8);
	uint64_t offset = 0, entry;
	int error;

	pthread_mutex_lock(&q->lock);
	error = wait_for_commit(q);
	if (error == 0)
		error = find_room(q, len, &offset);
	if (error == 0 && offset + len > 1ull << MIN(offset_bits, 56))
		error = EFBIG;
	if (error == 0)
		error = file_write(q, offset, packed, len);
	if (error == 0) {
		q->packed_end = (offset + len) & (q->cluster_bytes - 1) ? offset + len : 0;
		entry = offset | COMPRESSED | ((offset + len - 1) / 512 - offset / 512) << offset_bits;
		error = map_set(q, cluster, entry);
	}
	pthread_mutex_unlock(&q->lock);
	return error;
}

int
qcow2_write_compressed(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct qcow2 *q = to_qcow2(i);
	struct range r = { .first = offset >> q->cluster_bits, .last = offset >> q->cluster_bits, .alone = true };
	uint8_t *in, *out;
	size_t packed;
	int error;

	if ((offset & (q->cluster_bytes - 1)) != 0 || (len != q->cluster_bytes && (len > q->cluster_bytes || offset + len != i->bytes)))
		return EINVAL;
	if (!q->writable)
		return EROFS;
	error = qcow2_commit_if_full(q);
	if (error != 0)
		return error;
	in = xcalloc(2, q->cluster_bytes);
	out = in + q->cluster_bytes;
	memcpy(in, buf, len);
	if (q->compression == COMPRESSION_ZSTD)
		packed = zstd_pack(out, q->cluster_bytes - 1, in, q->cluster_bytes);
	else
		packed = deflate_all(out, q->cluster_bytes - 1, in, q->cluster_bytes);
	if (packed == 0) {
		error = qcow2_write(i, offset, buf, len);
	} else {
		range_take(q, &r);
		error = write_packed(q, r.first, out, packed);
		range_release(q, &r);
	}
	free(in);
	return error;
}
