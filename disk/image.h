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
struct image_create;

struct image_check;
struct image_check_hooks;
struct image_extent;
struct image_info;
struct image_snapshot;

/* What only formats with tables of their own have; see disk/tool.h. */
struct image_tool_ops {
	void (*info)(struct image *i, struct image_info *out);
	bool (*resize)(struct image *i, uint64_t bytes, unsigned preallocation, bool shrink, struct err *e);
	bool (*set_backing)(struct image *i, const char *file, const char *format, struct err *e);
	bool (*make_empty)(struct image *i, struct err *e);
	bool (*check)(struct image *i, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out, struct err *e);
	bool (*snapshot)(struct image *i, unsigned n, struct image_snapshot *out);
	bool (*snapshot_create)(struct image *i, const char *name, struct err *e);
	bool (*snapshot_apply)(struct image *i, const char *snapshot, struct err *e);
	bool (*snapshot_delete)(struct image *i, const char *snapshot, struct err *e);
	bool (*use_snapshot)(struct image *i, const char *snapshot, struct err *e);
};

/* Each returns 0 or an errno.  What may be NULL has a default in image.c. */
struct image_ops {
	const char *name;
	int (*read)(struct image *i, uint64_t offset, void *buf, size_t len);
	int (*write)(struct image *i, uint64_t offset, const void *buf, size_t len);
	int (*flush)(struct image *i);
	int (*discard)(struct image *i, uint64_t offset, uint64_t len);
	void (*close)(struct image *i); /* frees the layer and what is below */
	int (*write_zeros)(struct image *i, uint64_t offset, uint64_t len, bool unmap);     /* NULL: by writing them */
	int (*write_compressed)(struct image *i, uint64_t offset, const void *buf, size_t len); /* NULL: ENOTSUP */
	int (*status)(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out); /* NULL: all is data */
	int (*truncate)(struct image *i, uint64_t bytes);                                    /* NULL: ENOTSUP */
	const struct image_tool_ops *tool;                                                   /* NULL: none of it */
	/* NULL, or what can be done from the host's cache in a moment; an errno: it wasn't, do it by the others. */
	int (*read_now)(struct image *i, uint64_t offset, void *buf, size_t len);
	int (*write_now)(struct image *i, uint64_t offset, const void *buf, size_t len);
	/* NULL, or the file that the same bytes are in at the same offset, if they may go there straight; -1: not these. */
	int (*plain_fd)(struct image *i, uint64_t offset, const void *buf, size_t len);
};

struct image {
	const struct image_ops *ops;
	uint64_t bytes;        /* a multiple of DISK_SECTOR */
	struct image *below;   /* NULL at the bottom */
	struct image *backing; /* what shows through where a format has nothing, or NULL */
	char *file;            /* its name for messages; formats and files have one, and free it */
	char *backing_path;    /* where the backing file is, or NULL; formats free it */
	bool grows;            /* writes past the end make it longer, and what is new reads as zeros */
};

/* The operations that have defaults. */
int layer_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap);
int layer_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out);
int layer_truncate(struct image *i, uint64_t bytes);
/* What the backing file has there; zeros past its end, or without one. */
int layer_read_backing(struct image *i, uint64_t offset, void *buf, size_t len);
/* What can be read at once, by whatever layer it comes from: see read_now. */
int layer_read_now(struct image *i, uint64_t offset, void *buf, size_t len);
int layer_write_now(struct image *i, uint64_t offset, const void *buf, size_t len);
int write_zeros_by_hand(struct image *i, uint64_t offset, uint64_t len);

enum raw_flags {
	RAW_WRITE = 1 << 0,
	RAW_GROWS = 1 << 1,   /* for a format that makes the file longer */
	RAW_NO_LOCK = 1 << 2,
	RAW_DIRECT = 1 << 3,  /* past the host's cache */
	RAW_CREATE = 1 << 4,  /* it may be empty, or not there yet */
};

/* A file or block device as it is.  NULL with E set. */
struct image *raw_open(const char *file, unsigned flags, struct err *e);
/* Nobody has said that it is raw: a guest must not make it look like a format, whose backing file it could choose. */
void raw_guard(struct image *raw);
/* RAW_GROWS, said later: what is in the file has shown that it is a format's. */
bool raw_will_grow(struct image *raw, bool unlocked, struct err *e);

/* qcow2 upon FILE, which becomes part of it.  NULL with E set; FILE stays open then. */
struct image *qcow2_open(struct image *file, unsigned flags, struct err *e);
/* The backing file's name and format as the image has them; NULL: none. */
const char *qcow2_backing(struct image *i, const char **format);
bool qcow2_check_create(const struct image_create *o, struct err *e);
/* FILE, which may have anything, is closed in any case. */
bool qcow2_create(struct image *file, const struct image_create *o, struct err *e);

/* The format's driver by name; false with E set if there is none. */
bool format_is_known(const char *format, const char *file, struct err *e);
/* Where BACKING, named in the image FILE, is; NULL with E set: nowhere here. */
char *backing_path(const char *file, const char *backing, struct err *e);

/* Takes the writes to BELOW, which becomes part of it, into a temporary file.  NULL with E set; BELOW stays open then. */
struct image *overlay_new(struct image *below, struct err *e);

struct image *mirror_new(struct image *below, const char *file, struct err *e);
struct image *log_new(struct image *below, const char *file, struct err *e);
/* Puts the filters that RULES names (see filter.c; several with '|' between) above *TOP. */
bool filters_add(struct image **top, const char *rules, struct err *e);

/* QEMU's locks: what we do to the file (RAW_WRITE, RAW_GROWS), and what others may not do meanwhile. */
bool lock_image(int fd, const char *file, unsigned flags, struct err *e);

/* The name of the format whose mark a raw image bears, or NULL: none. */
const char *recognise(struct image *raw);

/* Whole reads and writes: interrupted and short ones go on; past the end of the file reads give zeros. */
int pread_all(int fd, void *buf, size_t len, uint64_t offset);
int pwrite_all(int fd, const void *buf, size_t len, uint64_t offset);
int raw_preallocate(int fd, uint64_t offset, uint64_t len, bool full);

/* ---- io_uring ---- */

struct uring;

struct uring_io {
	int fd;
	bool write;
	void *buf;
	size_t len;     /* below 2 GiB */
	uint64_t offset;
	void *user;
};

/* NULL with E set: the kernel has none, or forbids it. */
struct uring *uring_new(struct err *e);
void uring_free(struct uring *u);
/* Readable when something is done. */
int uring_fd(const struct uring *u);
/* Any thread.  False: it was not begun. */
bool uring_begin(struct uring *u, const struct uring_io *io);
/* One thread at a time: takes what is done, bytes or a negative errno.  WAIT: for the next, if any is under way. */
bool uring_done(struct uring *u, bool wait, void **user, int *result);

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
