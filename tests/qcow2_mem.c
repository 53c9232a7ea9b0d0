/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/qcow2_mem.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct mem_image {
	struct image image;
	struct mem *mem;
};

void
fail_with(uint64_t seed, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "seed %llu: ", (unsigned long long)seed);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	abort();
}

unsigned long
count_from(const char *variable, unsigned long otherwise)
{
	const char *text = getenv(variable);

	return text == NULL ? otherwise : strtoul(text, NULL, 10);
}

/* ---- a file ---- */

static int
make_room(struct mem *m, uint64_t end)
{
	if (end > m->most)
		return ENOSPC;
	if (end > m->room) {
		uint64_t room = MAX(end + end / 2, 64 * KiB);

		m->data = xrealloc(m->data, room);
		memset(m->data + m->room, 0, room - m->room);
		m->room = room;
	}
	m->bytes = MAX(m->bytes, end);
	return 0;
}

void
mem_put(struct mem *m, uint64_t offset, const void *data, uint64_t len)
{
	if (make_room(m, offset + len) == 0)
		memcpy(m->data + offset, data, len);
}

void
mem_free(struct mem *m)
{
	free(m->data);
	m->data = NULL;
	m->bytes = m->room = 0;
}

static struct mem *
mem_of(struct image *i)
{
	return CONTAINER_OF(i, struct mem_image, image)->mem;
}

static int
mem_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct mem *m = mem_of(i);
	size_t n = offset >= m->bytes ? 0 : MIN(len, m->bytes - offset);

	if (n > 0)
		memcpy(buf, m->data + offset, n);
	memset((uint8_t *)buf + n, 0, len - n);
	return 0;
}

static int
mem_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct mem *m = mem_of(i);

	if (offset > m->most || len > m->most - offset)
		return ENOSPC;
	if (m->changing != NULL)
		m->changing(m->opaque, offset, buf, len);
	mem_put(m, offset, buf, len);
	return 0;
}

static int
mem_flush(struct image *i)
{
	struct mem *m = mem_of(i);

	if (m->flushed != NULL)
		m->flushed(m->opaque);
	return 0;
}

/* As a file system does it: a hole of zeros. */
static int
mem_discard(struct image *i, uint64_t offset, uint64_t len)
{
	struct mem *m = mem_of(i);
	uint64_t end = MIN(offset + len, m->bytes);
	uint8_t *zeros;

	if (offset >= end)
		return 0;
	zeros = xcalloc(1, end - offset);
	if (m->changing != NULL)
		m->changing(m->opaque, offset, zeros, end - offset);
	memset(m->data + offset, 0, end - offset);
	free(zeros);
	return 0;
}

static int
mem_truncate(struct image *i, uint64_t bytes)
{
	struct mem *m = mem_of(i);
	int error = bytes > m->bytes ? make_room(m, bytes) : 0;

	if (error != 0)
		return error;
	memset(m->data + bytes, 0, m->room - bytes);
	m->bytes = bytes;
	i->bytes = align_up(bytes, 512);
	return 0;
}

static void
mem_close(struct image *i)
{
	free(i->file);
	free(CONTAINER_OF(i, struct mem_image, image));
}

static const struct image_ops mem_ops = {
	.name = "raw", .read = mem_read, .write = mem_write, .flush = mem_flush, .discard = mem_discard, .close = mem_close,
	.truncate = mem_truncate, .read_now = mem_read, .write_now = mem_write,
};

struct image *
mem_layer(struct mem *m)
{
	struct mem_image *i = xcalloc(1, sizeof(*i));

	i->image = (struct image){ .ops = &mem_ops, .bytes = align_up(m->bytes, 512), .grows = true, .file = xstrdup("memory") };
	i->mem = m;
	return &i->image;
}

/* ---- images ---- */

struct image_create
draw_kind(uint64_t *random, uint64_t bytes)
{
	static const uint32_t sizes[] = { 512, 1024, 4096, 4096, 65536, 65536 };
	struct image_create o = { .file = "memory", .format = "qcow2", .bytes = bytes, .version = 2 + (draw(random, 4) != 0) };

	o.cluster_bytes = sizes[draw(random, ARRAY_SIZE(sizes))];
	if (o.version == 2)
		return o;
	o.refcount_bits = 1u << draw(random, 7);
	o.lazy_refcounts = draw(random, 4) == 0;
	return o;
}

void
make_in(struct mem *m, const struct image_create *o)
{
	struct err e = { "" };

	if (!qcow2_check_create(o, &e) || !qcow2_create(mem_layer(m), o, &e))
		fail_with(0, "%s", e.text);
}

struct image *
open_in(struct mem *m, unsigned flags)
{
	struct err e = { "" };
	struct image *file = mem_layer(m), *i = qcow2_open(file, flags, &e);

	if (i == NULL)
		fail_with(0, "%s", e.text);
	return i;
}
