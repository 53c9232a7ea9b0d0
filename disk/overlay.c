/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The overlay of -snapshot: writes go to a temporary file without a name, which ends with the process.
 *
 * The file is as large as the disk and sparse, so that a block stands where it stands on the disk; a map of one bit for
 * each block of 4 KiB says which blocks are there.  Guests write whole blocks nearly always; of others the rest is
 * copied up first.
 *
 * The lock guards the map.  A write holds it throughout, since two writers of parts of one block would lose the part of
 * one; a read holds it for a look at the map, because a block once there stays there.
 */
#define _GNU_SOURCE /* O_TMPFILE, mkostemp */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum {
	BLOCK = 4096,
	LEAF_BYTES = 4096,
	LEAF_BLOCKS = LEAF_BYTES * 8, /* 128 MiB of disk */
};

#define LARGEST (64 * 1024 * GiB)

struct overlay {
	struct image image;
	int fd;
	pthread_mutex_t lock;
	uint8_t **leaves; /* NULL: none of its blocks is there */
	size_t leaf_count;
};

static bool
is_there(const struct overlay *o, uint64_t block)
{
	const uint8_t *leaf = o->leaves[block / LEAF_BLOCKS];
	unsigned bit = block % LEAF_BLOCKS;

	return leaf != NULL && (leaf[bit / 8] >> bit % 8 & 1);
}

static void
set_there(struct overlay *o, uint64_t block)
{
	uint8_t **leaf = &o->leaves[block / LEAF_BLOCKS];
	unsigned bit = block % LEAF_BLOCKS;

	if (*leaf == NULL)
		*leaf = xcalloc(1, LEAF_BYTES);
	(*leaf)[bit / 8] |= 1u << bit % 8;
}

/* How many bytes from OFFSET, LEN at the most, come from where the first one does. */
static size_t
run_length(struct overlay *o, uint64_t offset, size_t len, bool *there)
{
	uint64_t block = offset / BLOCK, end = offset + len;

	pthread_mutex_lock(&o->lock);
	*there = is_there(o, block);
	do {
		block++;
	} while (block * BLOCK < end && is_there(o, block) == *there);
	pthread_mutex_unlock(&o->lock);
	return MIN(block * BLOCK, end) - offset;
}

static int
overlay_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct overlay *o = CONTAINER_OF(i, struct overlay, image);
	uint8_t *p = buf;
	int error = 0;

	while (len > 0 && error == 0) {
		bool there;
		size_t n = run_length(o, offset, len, &there);

		error = there ? pread_all(o->fd, p, n, offset) : i->below->ops->read(i->below, offset, p, n);
		p += n;
		offset += n;
		len -= n;
	}
	return error;
}

/* What comes from one of the two alone. */
static int
overlay_read_now(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct overlay *o = CONTAINER_OF(i, struct overlay, image);
	struct iovec v = { buf, len };
	bool there;

	if (len == 0 || run_length(o, offset, len, &there) < len)
		return EAGAIN;
	if (!there)
		return layer_read_now(i->below, offset, buf, len);
	return preadv2(o->fd, &v, 1, offset, RWF_NOWAIT) == (ssize_t)len ? 0 : EAGAIN;
}

/* Brings the whole block to the file, if a write of only a part of it is to come. */
static int
copy_up(struct overlay *o, uint64_t block)
{
	uint64_t offset = block * BLOCK;
	size_t len = MIN(BLOCK, o->image.bytes - offset);
	uint8_t data[BLOCK];
	int error;

	if (is_there(o, block))
		return 0;
	error = o->image.below->ops->read(o->image.below, offset, data, len);
	if (error == 0)
		error = pwrite_all(o->fd, data, len, offset);
	if (error == 0)
		set_there(o, block);
	return error;
}

static int
write_locked(struct overlay *o, uint64_t offset, const void *buf, size_t len)
{
	uint64_t end = offset + len;
	int error = 0;

	if (offset % BLOCK != 0)
		error = copy_up(o, offset / BLOCK);
	if (error == 0 && end % BLOCK != 0)
		error = copy_up(o, end / BLOCK);
	if (error == 0)
		error = pwrite_all(o->fd, buf, len, offset);
	for (uint64_t block = offset / BLOCK; error == 0 && block * BLOCK < end; block++)
		set_there(o, block);
	return error;
}

static int
overlay_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct overlay *o = CONTAINER_OF(i, struct overlay, image);
	int error;

	if (len == 0)
		return 0;
	pthread_mutex_lock(&o->lock);
	error = write_locked(o, offset, buf, len);
	pthread_mutex_unlock(&o->lock);
	return error;
}

/* Whole blocks, unless another write is under way. */
static int
overlay_write_now(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct overlay *o = CONTAINER_OF(i, struct overlay, image);
	int error;

	if (len == 0 || offset % BLOCK != 0 || len % BLOCK != 0 || pthread_mutex_trylock(&o->lock) != 0)
		return EAGAIN;
	error = write_locked(o, offset, buf, len);
	pthread_mutex_unlock(&o->lock);
	return error;
}

/* The file does not survive the process, so that nothing has to reach stable storage. */
static int
overlay_flush(struct image *i)
{
	(void)i;
	return 0;
}

static int
overlay_discard(struct image *i, uint64_t offset, uint64_t len)
{
	(void)i, (void)offset, (void)len;
	return 0;
}

static void
overlay_free(struct overlay *o)
{
	if (o->fd >= 0)
		close(o->fd);
	for (size_t n = 0; n < o->leaf_count; n++)
		free(o->leaves[n]);
	free(o->leaves);
	pthread_mutex_destroy(&o->lock);
	free(o);
}

static void
overlay_close(struct image *i)
{
	i->below->ops->close(i->below);
	overlay_free(CONTAINER_OF(i, struct overlay, image));
}

static const struct image_ops overlay_ops = {
	.name = "snapshot", .read = overlay_read, .write = overlay_write, .flush = overlay_flush,
	.discard = overlay_discard, .close = overlay_close, .read_now = overlay_read_now, .write_now = overlay_write_now,
};

static int
open_temporary(struct err *e)
{
	const char *dir = getenv("TMPDIR");
	char *name;
	int fd;

	if (dir == NULL || dir[0] == '\0')
		dir = "/var/tmp";
	fd = open(dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	/* File systems without O_TMPFILE. */
	name = xasprintf("%s/calque-XXXXXX", dir);
	fd = mkostemp(name, O_CLOEXEC);
	if (fd < 0)
		err_set(e, "%s: can't make a temporary file: %s; set TMPDIR to a directory with space", dir, strerror(errno));
	else
		unlink(name);
	free(name);
	return fd;
}

struct image *
overlay_new(struct image *below, struct err *e)
{
	struct overlay *o = xcalloc(1, sizeof(*o));

	o->image = (struct image){ .ops = &overlay_ops, .bytes = below->bytes, .below = below };
	pthread_mutex_init(&o->lock, NULL);
	o->fd = open_temporary(e);
	if (o->fd >= 0 && below->bytes > LARGEST)
		err_set(e, "disks of more than 64 TiB can't be used with snapshot=on");
	else if (o->fd >= 0 && ftruncate(o->fd, below->bytes) < 0)
		err_set(e, "the temporary file can't be as large as the disk: %s; set TMPDIR to another file system", strerror(errno));
	else if (o->fd >= 0) {
		o->leaf_count = below->bytes / ((uint64_t)LEAF_BLOCKS * BLOCK) + 1;
		o->leaves = xcalloc(o->leaf_count, sizeof(*o->leaves));
		return &o->image;
	}
	overlay_free(o);
	return NULL;
}
