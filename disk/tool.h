/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Images as tools see them: made, looked into, checked, resized, copied.  All of it is synchronous and belongs to one
 * thread, but for image_read(), image_write() and image_write_compressed(), which several may call.
 *
 * Functions that return bool set E when false: one line that says what is wrong and what to do.  Functions that return
 * int give 0 or an errno.  What an image can't do gives ENOTSUP or a refusal by name.
 */
#ifndef DISK_TOOL_H
#define DISK_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;
struct image;

/* ---- opening ---- */

enum image_flags {
	IMAGE_WRITE = 1 << 0,      /* else nothing is written */
	IMAGE_NO_BACKING = 1 << 1, /* the backing file stays closed: what isn't in the image itself reads as zeros */
	IMAGE_NO_LOCK = 1 << 2,    /* others may use it meanwhile (-U) */
	IMAGE_REPAIR = 1 << 3,     /* for image_check(): takes what is marked corrupt or in use as it stands */
	IMAGE_UNSAFE = 1 << 4,     /* flushes reach no stable storage (-t unsafe) */
	IMAGE_UNMAP = 1 << 5,      /* what is freed in the image is given back to the file system too */
	IMAGE_DIRECT = 1 << 6,     /* past the host's cache */
};

struct image_open {
	const char *file;
	const char *format;      /* NULL: recognised by its mark, raw without one; backing files must say theirs, or bear a mark */
	unsigned flags;
	unsigned writable_depth; /* 0, or which image of the chain is writable too: 1 is the backing file */
	const char *filter;      /* NULL, or filters between the file and its format */
};

struct image *image_open(const struct image_open *o, struct err *e);
/* Writes what is outstanding and closes the chain.  An errno says what was lost; the image is gone all the same. */
int image_close(struct image *i);
/* From now on a read-only image shows the disk as it was in a snapshot (its id, or its name). */
bool image_use_snapshot(struct image *i, const char *snapshot, struct err *e);

/* ---- bytes ---- */

uint64_t image_bytes(const struct image *i);
/* The next image of the chain, or NULL. */
struct image *image_backing(struct image *i);

/* Inside the image; EINVAL otherwise. */
int image_read(struct image *i, uint64_t offset, void *buf, size_t len);
int image_write(struct image *i, uint64_t offset, const void *buf, size_t len);
/* Reads as zeros afterwards; UNMAP: without space in the file if that can be. */
int image_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap);
/* May or may not read as zeros afterwards; never as what the backing file has. */
int image_discard(struct image *i, uint64_t offset, uint64_t len);
/* One whole cluster (or what is left of it at the end of the disk), not there yet.  ENOTSUP: the format has no such thing. */
int image_write_compressed(struct image *i, uint64_t offset, const void *buf, size_t len);
int image_flush(struct image *i);

/* What a stretch of the disk is made of. */
struct image_extent {
	uint64_t bytes;       /* how many, from the offset asked for, are alike */
	bool present;         /* some image of the chain says what is here */
	bool data;            /* there is space for it in a file */
	bool zero;            /* it reads as zeros */
	bool compressed;
	unsigned depth;       /* which image of the chain: 0 is the one asked */
	bool has_offset;
	uint64_t host_offset; /* where it is in FILE */
	const char *file;     /* belongs to the image */
};

/* LAYER: of this image alone; PRESENT is false where the backing file shows through. */
int image_layer_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out);
/* Of the chain. */
int image_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out);

/* ---- making and changing ---- */

enum image_preallocation { PREALLOCATE_OFF, PREALLOCATE_METADATA, PREALLOCATE_FALLOC, PREALLOCATE_FULL };
enum image_compression { COMPRESSION_ZLIB, COMPRESSION_ZSTD };

struct image_create {
	const char *file;
	const char *format;             /* "raw" or "qcow2" */
	uint64_t bytes;                 /* IMAGE_SIZE_OF_BACKING: the backing file's */
	const char *backing_file;       /* as the image shall have it: relative to its own folder; NULL: none */
	const char *backing_format;     /* NULL: recognised by its mark */
	bool backing_unchecked;         /* the backing file isn't opened; BYTES must be given */
	unsigned version;               /* 2, or 3 (0) */
	uint32_t cluster_bytes;         /* 0: 64 KiB */
	unsigned refcount_bits;         /* 0: 16 */
	bool lazy_refcounts;
	enum image_compression compression;
	enum image_preallocation preallocation;
};

#define IMAGE_SIZE_OF_BACKING UINT64_MAX

/* An existing file is made anew, if nobody has it open. */
bool image_create(const struct image_create *o, struct err *e);
/* SHRINK: bytes may get lost. */
bool image_resize(struct image *i, uint64_t bytes, enum image_preallocation how, bool shrink, struct err *e);
/* Only the name in the image; FILE NULL: no backing file any more. */
bool image_set_backing(struct image *i, const char *file, const char *format, struct err *e);
/* All of its own clusters are gone: the backing file shows through everywhere (after a commit). */
bool image_make_empty(struct image *i, struct err *e);

/* ---- looking ---- */

struct image_info {
	const char *file, *format;
	uint64_t virtual_bytes;
	uint64_t file_bytes;                        /* what the file takes up on its file system */
	uint32_t cluster_bytes;                     /* 0: no clusters; what follows is 0 then too */
	unsigned version, refcount_bits;
	bool lazy_refcounts, dirty, corrupt, encrypted;
	enum image_compression compression;
	const char *backing_file, *backing_format;  /* as the image has it, or NULL */
	const char *backing_path;                   /* where that is, seen from here */
	uint64_t vm_state_offset;
};

/* Strings belong to the image. */
void image_info(struct image *i, struct image_info *out);

struct image_check {
	uint64_t corruptions, leaks, corruptions_fixed, leaks_fixed, check_errors;
	uint64_t total_clusters, allocated_clusters, fragmented_clusters, compressed_clusters;
	uint64_t end_offset; /* of what is used of the file */
};

enum image_fix { IMAGE_FIX_LEAKS = 1, IMAGE_FIX_ALL = 3 };

struct image_check_hooks {
	void (*tell)(void *opaque, const char *line);                     /* a finding, without a newline; may be NULL */
	void (*progress)(void *opaque, uint64_t done, uint64_t total);    /* may be NULL */
	void *opaque;
};

/* FIX: 0 or of enum image_fix.  False: the format knows no checks, or it could not be done. */
bool image_check(struct image *i, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out, struct err *e);

/* ---- internal snapshots ---- */

struct image_snapshot {
	const char *id, *name;
	uint64_t disk_bytes, vm_state_bytes;
	uint32_t date_sec, date_nsec;
	uint64_t vm_clock_ns;
	uint64_t icount; /* UINT64_MAX: none */
};

/* The Nth (0 first) into OUT; false: there are no more.  Strings belong to the image, until a snapshot comes or goes. */
bool image_snapshot(struct image *i, unsigned n, struct image_snapshot *out);
bool image_snapshot_create(struct image *i, const char *name, struct err *e);
bool image_snapshot_apply(struct image *i, const char *snapshot, struct err *e);
bool image_snapshot_delete(struct image *i, const char *snapshot, struct err *e);

#endif
