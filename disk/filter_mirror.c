/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The filter "mirror:FILE": every read is compared with a raw copy of the disk, which takes every write too.
 *
 * What differs is said once on the standard error and fails with EIO.  One request at a time, so that both see them in
 * the same order.
 */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

struct mirror {
	struct image image;
	struct image *copy;
	pthread_mutex_t lock;
	bool told;
};

static int
differs(struct mirror *m, uint64_t offset)
{
	if (!m->told)
		fprintf(stderr, "calque: mirror %s: differs from the disk at byte %" PRIu64 "\n", m->copy->file, offset);
	m->told = true;
	return EIO;
}

static int
compare(struct mirror *m, uint64_t offset, const uint8_t *data, size_t len)
{
	uint8_t *copy = malloc(len);
	int error = copy == NULL ? ENOMEM : m->copy->ops->read(m->copy, offset, copy, len);

	for (size_t n = 0; n < len && error == 0; n++) {
		if (copy[n] != data[n])
			error = differs(m, offset + n);
	}
	free(copy);
	return error;
}

static int
mirror_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct mirror *m = CONTAINER_OF(i, struct mirror, image);
	int error;

	pthread_mutex_lock(&m->lock);
	error = i->below->ops->read(i->below, offset, buf, len);
	if (error == 0)
		error = compare(m, offset, buf, len);
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int
mirror_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct mirror *m = CONTAINER_OF(i, struct mirror, image);
	int error;

	pthread_mutex_lock(&m->lock);
	error = i->below->ops->write(i->below, offset, buf, len);
	if (error == 0)
		error = m->copy->ops->write(m->copy, offset, buf, len);
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int
mirror_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	struct mirror *m = CONTAINER_OF(i, struct mirror, image);
	int error;

	pthread_mutex_lock(&m->lock);
	error = layer_write_zeros(i->below, offset, len, unmap);
	if (error == 0)
		error = layer_write_zeros(m->copy, offset, len, unmap);
	pthread_mutex_unlock(&m->lock);
	return error;
}

static int
mirror_flush(struct image *i)
{
	return i->below->ops->flush(i->below);
}

/* What a disk has after a discard is its own affair: the copy follows it. */
static int
mirror_discard(struct image *i, uint64_t offset, uint64_t len)
{
	struct mirror *m = CONTAINER_OF(i, struct mirror, image);
	uint8_t data[4096];
	int error;

	pthread_mutex_lock(&m->lock);
	error = i->below->ops->discard(i->below, offset, len);
	while (len > 0 && error == 0) {
		size_t n = MIN(len, sizeof(data));

		error = i->below->ops->read(i->below, offset, data, n);
		if (error == 0)
			error = m->copy->ops->write(m->copy, offset, data, n);
		offset += n;
		len -= n;
	}
	pthread_mutex_unlock(&m->lock);
	return error;
}

static void
mirror_close(struct image *i)
{
	struct mirror *m = CONTAINER_OF(i, struct mirror, image);

	i->below->ops->close(i->below);
	m->copy->ops->close(m->copy);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

static const struct image_ops mirror_ops = {
	.name = "mirror", .read = mirror_read, .write = mirror_write, .flush = mirror_flush, .discard = mirror_discard,
	.close = mirror_close, .write_zeros = mirror_write_zeros,
};

struct image *
mirror_new(struct image *below, const char *file, struct err *e)
{
	struct image *copy = raw_open(file, RAW_WRITE, e);
	struct mirror *m;

	if (copy == NULL)
		return NULL;
	if (copy->bytes < below->bytes) {
		err_set(e, "%s: is smaller than the disk whose mirror it is to be; make it %" PRIu64 " bytes", file, below->bytes);
		copy->ops->close(copy);
		return NULL;
	}
	m = xcalloc(1, sizeof(*m));
	m->image = (struct image){ .ops = &mirror_ops, .bytes = below->bytes, .below = below };
	m->copy = copy;
	pthread_mutex_init(&m->lock, NULL);
	return &m->image;
}
