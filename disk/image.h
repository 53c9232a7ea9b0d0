/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of disk/: an image is a stack of layers, each of which reads and writes bytes.  At the bottom is a file in
 * some format, above it maybe an overlay that takes the writes of -snapshot, above that maybe filters.
 *
 * Layers work synchronously, and several threads may be in one at a time: each says how it keeps its own data whole.
 * Offsets and lengths are inside the image when a layer sees them.
 */
#ifndef DISK_IMAGE_H
#define DISK_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct image;

/* Each returns 0 or an errno. */
struct image_ops {
	const char *name;
	int (*read)(struct image *i, uint64_t offset, void *buf, size_t len);
	int (*write)(struct image *i, uint64_t offset, const void *buf, size_t len);
	int (*flush)(struct image *i);
	int (*discard)(struct image *i, uint64_t offset, uint64_t len);
	void (*close)(struct image *i); /* frees the layer and what is below */
	/* NULL, or what can be done from the host's cache in a moment; an errno: it wasn't, do it by the others. */
	int (*read_now)(struct image *i, uint64_t offset, void *buf, size_t len);
	int (*write_now)(struct image *i, uint64_t offset, const void *buf, size_t len);
};

struct image {
	const struct image_ops *ops;
	uint64_t bytes;      /* a multiple of DISK_SECTOR */
	struct image *below; /* NULL at the bottom */
};

/* A file or block device as it is.  Locks it.  NULL with E set. */
struct image *raw_open(const char *file, bool readonly, struct err *e);

/* Takes the writes to BELOW, which becomes part of it, into a temporary file.  NULL with E set; BELOW stays open then. */
struct image *overlay_new(struct image *below, struct err *e);

/* Puts the filters that RULES names ("fault:...", "delay:NS", several with '|' between) above *TOP. */
bool filters_add(struct image **top, const char *rules, struct err *e);

/* QEMU's locks: what we do to the file, and what others may not do meanwhile. */
bool lock_image(int fd, const char *file, bool readonly, struct err *e);

/* The name of the format whose mark a raw image bears, or NULL: none. */
const char *recognise(struct image *raw);

/* Whole reads and writes: interrupted and short ones go on; past the end of the file reads give zeros. */
int pread_all(int fd, void *buf, size_t len, uint64_t offset);
int pwrite_all(int fd, const void *buf, size_t len, uint64_t offset);

/* ---- the pool ---- */

struct pool;

/* Embedded in what is to be done; RUN is called in a worker's thread, or at once if no thread can be had. */
struct job {
	void (*run)(struct job *j);
	struct job *next;
};

struct pool *pool_new(unsigned threads);
/* Waits for all jobs. */
void pool_free(struct pool *p);
void pool_add(struct pool *p, struct job *j);
/* Returns when no job is waiting or running. */
void pool_drain(struct pool *p);

#endif
