/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of a disk: images as devices see them.
 *
 * Requests are asynchronous: they are done without the machine's lock, and DONE is called under it, in whatever thread,
 * never before the request's function has returned.  An image is opened with an explicit format or one recognised by its magic number; without a
 * magic number it is raw.  Formats: raw and qcow2.
 */
#ifndef DISK_DISK_H
#define DISK_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct err;
struct loop;

enum { DISK_SECTOR = 512 };

/*
 * What becomes of a request that failed.  HOLD: the owner is told (disk_on_stall), and the device hears nothing until
 * disk_retry() has done it.  The default for reads is REPORT; for writes it is to hold what found no space, and to report
 * what else is wrong.  A flush goes with the writes; as its failure is final, it is held once and then reported.
 */
enum disk_policy { DISK_DEFAULT, DISK_REPORT, DISK_IGNORE, DISK_HOLD };

struct disk_options {
	const char *file;
	const char *format;   /* NULL: recognise */
	bool readonly;
	bool snapshot;        /* writes go to a temporary file that ends with the process */
	bool cache_unsafe;    /* flushes are not passed on */
	bool cache_direct;    /* past the host's cache */
	bool cache_through;   /* each write is flushed before it is done */
	bool discard;         /* what guests discard is given back; else it stays as it is */
	const char *filter;   /* NULL, or "fault:RULES", "delay:NS"; "below:..." between the file and its format: see docs */
	bool io_uring;        /* raw images: instead of workers, the kernel's own */
	bool detect_zeros;    /* writes of zeros take up no space if that can be; DISCARD: none at all */
	enum disk_policy on_write_error, on_read_error;
};

/* Opens and locks (OFD byte ranges compatible with QEMU's).  NULL with E set: FILE, what is wrong, what to do. */
struct disk *disk_open(struct loop *l, const struct disk_options *o, struct err *e);
/* Waits for what is under way; its callbacks come from here.  Further requests are cancelled; the synchronous forms go on. */
void disk_end_requests(struct disk *d);
/* The same, then flushes and closes. */
void disk_close(struct disk *d);

uint64_t disk_bytes(const struct disk *d);
bool disk_is_readonly(const struct disk *d);
const char *disk_file(const struct disk *d);
const char *disk_format(const struct disk *d);
/* "writeback", "writethrough, direct" and so on. */
const char *disk_cache(const struct disk *d);
/* The backing file of a format that has one, or NULL. */
const char *disk_backing(const struct disk *d);

/* ERRNO of a completed request is 0 or the host's errno (ENOSPC, EIO ...). */
typedef void disk_done(void *opaque, int error);

/* BUF stays the caller's and must live until DONE.  Offsets and lengths in bytes, any alignment, inside the disk. */
void disk_read(struct disk *d, uint64_t offset, void *buf, size_t len, disk_done *done, void *opaque);
void disk_write(struct disk *d, uint64_t offset, const void *buf, size_t len, disk_done *done, void *opaque);
/* What was acknowledged before is on stable storage when DONE reports 0.  A failed fdatasync is final. */
void disk_flush(struct disk *d, disk_done *done, void *opaque);
void disk_discard(struct disk *d, uint64_t offset, uint64_t len, disk_done *done, void *opaque);

/* STALLED is called under the machine's lock when requests are held.  Without it nothing is. */
void disk_on_stall(struct disk *d, void (*stalled)(void *opaque, int error), void *opaque);
/* Does what is held again. */
void disk_retry(struct disk *d);

/* Synchronous forms, for loaders and monitors: 0 or an errno. */
int disk_read_sync(struct disk *d, uint64_t offset, void *buf, size_t len);
int disk_write_sync(struct disk *d, uint64_t offset, const void *buf, size_t len);
int disk_flush_sync(struct disk *d);

struct disk_stats {
	uint64_t reads, writes, flushes, bytes_read, bytes_written, errors;
};
struct disk_stats disk_stats(const struct disk *d);

#endif
