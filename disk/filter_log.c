/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter "wlog:FILE": a log of all that changes what is below, in its order, from which every state can be rebuilt
 * that a power loss may leave: all up to the last flush that ended, and of what follows any part.
 *
 * A record has four numbers of 8 bytes, little-endian: what it is (1 write, 2 flush that ended, 3 discard, 4 zeros,
 * 5 truncation), offset, length, and how many bytes of data follow.
 */
#define _GNU_SOURCE /* O_CLOEXEC */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { LOG_WRITE = 1, LOG_FLUSH, LOG_DISCARD, LOG_ZEROS, LOG_TRUNCATE, RECORD_BYTES = 32 };

struct logger {
	struct image image;
	int fd;
	uint64_t end;
	pthread_mutex_t lock;
};

/* Under LOCK. */
static int
record(struct logger *l, unsigned what, uint64_t offset, uint64_t len, const void *data, size_t data_len)
{
	uint8_t r[RECORD_BYTES];
	int error;

	store_le(r, what, 8);
	store_le(r + 8, offset, 8);
	store_le(r + 16, len, 8);
	store_le(r + 24, data_len, 8);
	error = pwrite_all(l->fd, r, sizeof(r), l->end);
	if (error == 0)
		error = pwrite_all(l->fd, data, data_len, l->end + sizeof(r));
	if (error == 0)
		l->end += sizeof(r) + data_len;
	return error;
}

static int
log_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	return i->below->ops->read(i->below, offset, buf, len);
}

static int
log_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);
	int error;

	pthread_mutex_lock(&l->lock);
	error = record(l, LOG_WRITE, offset, len, buf, len);
	if (error == 0)
		error = i->below->ops->write(i->below, offset, buf, len);
	pthread_mutex_unlock(&l->lock);
	return error;
}

/* What is written meanwhile is behind the record: it may be on the disk, or not. */
static int
log_flush(struct image *i)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);
	int error;

	pthread_mutex_lock(&l->lock);
	error = i->below->ops->flush(i->below);
	if (error == 0)
		error = record(l, LOG_FLUSH, 0, 0, NULL, 0);
	pthread_mutex_unlock(&l->lock);
	return error;
}

static int
log_discard(struct image *i, uint64_t offset, uint64_t len)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);
	int error;

	pthread_mutex_lock(&l->lock);
	error = record(l, LOG_DISCARD, offset, len, NULL, 0);
	if (error == 0)
		error = i->below->ops->discard(i->below, offset, len);
	pthread_mutex_unlock(&l->lock);
	return error;
}

static int
log_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);
	int error;

	pthread_mutex_lock(&l->lock);
	error = record(l, LOG_ZEROS, offset, len, NULL, 0);
	if (error == 0)
		error = layer_write_zeros(i->below, offset, len, unmap);
	pthread_mutex_unlock(&l->lock);
	return error;
}

static int
log_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	return layer_status(i->below, offset, len, out);
}

static int
log_truncate(struct image *i, uint64_t bytes)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);
	int error;

	pthread_mutex_lock(&l->lock);
	error = record(l, LOG_TRUNCATE, bytes, 0, NULL, 0);
	if (error == 0)
		error = layer_truncate(i->below, bytes);
	i->bytes = i->below->bytes;
	pthread_mutex_unlock(&l->lock);
	return error;
}

static void
log_close(struct image *i)
{
	struct logger *l = CONTAINER_OF(i, struct logger, image);

	i->below->ops->close(i->below);
	close(l->fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

static const struct image_ops log_ops = {
	.name = "wlog", .read = log_read, .write = log_write, .flush = log_flush, .discard = log_discard, .close = log_close,
	.write_zeros = log_write_zeros, .status = log_status, .truncate = log_truncate,
};

struct image *
log_new(struct image *below, const char *file, struct err *e)
{
	int fd = open(file, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	struct logger *l;

	if (fd < 0) {
		err_set(e, "%s: can't be made: %s", file, strerror(errno));
		return NULL;
	}
	l = xcalloc(1, sizeof(*l));
	l->image = (struct image){ .ops = &log_ops, .bytes = below->bytes, .below = below, .grows = below->grows };
	l->fd = fd;
	pthread_mutex_init(&l->lock, NULL);
	return &l->image;
}
