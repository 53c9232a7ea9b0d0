/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Raw images: a regular file or a block device, byte for byte.
 *
 * A file whose size is no multiple of 512 is a disk of one sector more; what is missing at its end reads as zeros, and
 * a write there makes the file longer.  The kernel keeps single calls apart, so that this layer needs no lock.
 */
#define _GNU_SOURCE /* fallocate, O_CLOEXEC, O_DIRECT */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"
#include "disk/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

struct raw {
	struct image image;
	int fd;
	int direct_fd;     /* the same past the host's cache (O_DIRECT), for what is aligned; -1: not so */
	bool block_device;
	bool guarded;      /* see raw_guard() */
	bool told;
	pthread_mutex_t guard;
};

int
pread_all(int fd, void *buf, size_t len, uint64_t offset)
{
	uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pread(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0) {
			memset(p, 0, len);
			return 0;
		}
		p += n;
		len -= n;
		offset += n;
	}
	return 0;
}

int
pwrite_all(int fd, const void *buf, size_t len, uint64_t offset)
{
	const uint8_t *p = buf;

	while (len > 0) {
		ssize_t n = pwrite(fd, p, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno;
		if (n == 0)
			return ENOSPC;
		p += n;
		len -= n;
		offset += n;
	}
	return 0;
}

/* Space for what is new in a file: reserved, or FULL: written. */
int
raw_preallocate(int fd, uint64_t offset, uint64_t len, bool full)
{
	static const uint8_t zeros[64 * KiB];
	int error = full ? 0 : posix_fallocate(fd, offset, len);

	while (full && len > 0 && error == 0) {
		size_t n = MIN(len, sizeof(zeros));

		error = pwrite_all(fd, zeros, n, offset);
		offset += n;
		len -= n;
	}
	return error;
}

/* ---- past the host's cache ---- */

enum { DIRECT_UNIT = 4096, DIRECT_MOST = 1 << 20 };

/*
 * Blocks of 4 KiB are aligned for every device and file system.  What isn't made of such blocks goes through the cache,
 * which the kernel keeps in step with what goes past it.
 */
static bool
goes_direct(const struct raw *r, uint64_t offset, size_t len)
{
	return r->direct_fd >= 0 && offset % DIRECT_UNIT == 0 && len % DIRECT_UNIT == 0 && offset + len <= r->image.bytes;
}

static bool
is_aligned(const void *buf)
{
	return (uintptr_t)buf % DIRECT_UNIT == 0;
}

/* By way of an aligned buffer, as guests' buffers lie anywhere. */
static int
read_direct(struct raw *r, uint64_t offset, uint8_t *buf, size_t len)
{
	void *bounce;
	int error = 0;

	if (is_aligned(buf))
		return pread_all(r->direct_fd, buf, len, offset);
	if (posix_memalign(&bounce, DIRECT_UNIT, MIN(len, DIRECT_MOST)) != 0)
		return ENOMEM;
	for (size_t done = 0, n; done < len && error == 0; done += n) {
		n = MIN(len - done, DIRECT_MOST);
		error = pread_all(r->direct_fd, bounce, n, offset + done);
		if (error == 0)
			memcpy(buf + done, bounce, n);
	}
	free(bounce);
	return error;
}

static int
write_direct(struct raw *r, uint64_t offset, const uint8_t *buf, size_t len)
{
	void *bounce;
	int error = 0;

	if (is_aligned(buf))
		return pwrite_all(r->direct_fd, buf, len, offset);
	if (posix_memalign(&bounce, DIRECT_UNIT, MIN(len, DIRECT_MOST)) != 0)
		return ENOMEM;
	for (size_t done = 0, n; done < len && error == 0; done += n) {
		n = MIN(len - done, DIRECT_MOST);
		memcpy(bounce, buf + done, n);
		error = pwrite_all(r->direct_fd, bounce, n, offset + done);
	}
	free(bounce);
	return error;
}

/* ---- bytes ---- */

static int
raw_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	return goes_direct(r, offset, len) ? read_direct(r, offset, buf, len) : pread_all(r->fd, buf, len, offset);
}

/* Whether the write would put the mark of a qcow2 image at the start. */
static bool
makes_mark(struct raw *r, uint64_t offset, const uint8_t *buf, size_t len)
{
	uint8_t start[4];

	if (pread_all(r->fd, start, sizeof(start), 0) != 0)
		return true;
	memcpy(start + offset, buf, MIN(len, sizeof(start) - offset));
	return memcmp(start, "QFI\xfb", sizeof(start)) == 0;
}

/* One at a time: the mark may come in parts. */
static int
write_guarded(struct raw *r, uint64_t offset, const void *buf, size_t len)
{
	int error = EPERM;

	pthread_mutex_lock(&r->guard);
	if (!makes_mark(r, offset, buf, len))
		error = pwrite_all(r->fd, buf, len, offset);
	else if (!r->told)
		fprintf(stderr, "calque: %s: the guest can't write the mark of a qcow2 image to the start of the disk, which would be "
			"taken for one then; allow it by format=raw\n", r->image.file);
	r->told = r->told || error != 0;
	pthread_mutex_unlock(&r->guard);
	return error;
}

static int
raw_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	if (r->guarded && offset < 4 && len > 0)
		return write_guarded(r, offset, buf, len);
	return goes_direct(r, offset, len) ? write_direct(r, offset, buf, len) : pwrite_all(r->fd, buf, len, offset);
}

/* Only what is in the host's cache. */
static int
raw_read_now(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	struct iovec v = { buf, len };

	return r->direct_fd < 0 && preadv2(r->fd, &v, 1, offset, RWF_NOWAIT) == (ssize_t)len ? 0 : EAGAIN;
}

/* Into the host's cache: most file systems can't promise not to wait for anything (RWF_NOWAIT). */
static int
raw_write_now(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	if (r->guarded && offset < 4)
		return EAGAIN;
	return r->direct_fd < 0 && pwrite(r->fd, buf, len, offset) == (ssize_t)len ? 0 : EAGAIN;
}

static int
raw_plain_fd(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	if (r->direct_fd < 0)
		return r->fd;
	return goes_direct(r, offset, len) && is_aligned(buf) ? r->direct_fd : -1;
}

static int
raw_flush(struct image *i)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	int error;

	do {
		error = fdatasync(r->fd) < 0 ? errno : 0;
	} while (error == EINTR);
	/* Files that have nothing to synchronise, as /dev/null. */
	return error == EINVAL || error == EROFS ? 0 : error;
}

/* Discarding is advice: a host that can't do it has done it. */
static int
raw_discard(struct image *i, uint64_t offset, uint64_t len)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	uint64_t range[2] = { offset, len };
	int error;

	if (r->block_device)
		error = ioctl(r->fd, BLKDISCARD, range) < 0 ? errno : 0;
	else
		error = fallocate(r->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len) < 0 ? errno : 0;
	return error == EOPNOTSUPP || error == ENOSYS || error == EINVAL || error == ENOTTY || error == EINTR ? 0 : error;
}

/* A hole reads as zeros, for certain; where there can be none, they are written. */
static int
raw_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	int mode = unmap ? FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE : FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE;

	if (r->block_device || offset + len > i->bytes || fallocate(r->fd, mode, offset, len) < 0)
		return write_zeros_by_hand(i, offset, len);
	return 0;
}

static int
raw_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	off_t data = lseek(r->fd, offset, SEEK_DATA), end = offset + len;

	*out = (struct image_extent){
		.bytes = len, .present = true, .data = true, .has_offset = true, .host_offset = offset, .file = i->file,
	};
	if (r->block_device || (data < 0 && errno != ENXIO))
		return 0;
	if (data < 0 || data > (off_t)offset) {
		out->bytes = data < 0 || data > end ? len : (uint64_t)data - offset;
		out->data = false;
		out->zero = true;
	} else {
		off_t hole = lseek(r->fd, offset, SEEK_HOLE);

		if (hole > (off_t)offset && hole < end)
			out->bytes = hole - offset;
	}
	return 0;
}

static int
raw_truncate(struct image *i, uint64_t bytes)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	if (r->block_device)
		return bytes <= i->bytes ? 0 : ENOTSUP;
	if (bytes > INT64_MAX)
		return EFBIG;
	if (ftruncate(r->fd, bytes) < 0)
		return errno;
	i->bytes = align_up(bytes, DISK_SECTOR);
	return 0;
}

static void
raw_info(struct image *i, struct image_info *out)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	struct stat st;

	if (fstat(r->fd, &st) == 0)
		out->file_bytes = (uint64_t)st.st_blocks * 512;
}

static bool
raw_resize(struct image *i, uint64_t bytes, unsigned preallocation, bool shrink, struct err *e)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);
	uint64_t old = i->bytes;
	int error;

	if (bytes < old && !shrink)
		return err_set(e, "%s: shrinking it to %llu bytes loses what is behind; allow that with --shrink", i->file,
			(unsigned long long)bytes);
	error = raw_truncate(i, bytes);
	if (error == 0 && bytes > old && preallocation != PREALLOCATE_OFF)
		error = raw_preallocate(r->fd, old, bytes - old, preallocation == PREALLOCATE_FULL);
	return error == 0 || err_set(e, "%s: can't be resized: %s", i->file, strerror(error));
}

static void
raw_close(struct image *i)
{
	struct raw *r = CONTAINER_OF(i, struct raw, image);

	close(r->fd);
	if (r->direct_fd >= 0)
		close(r->direct_fd);
	pthread_mutex_destroy(&r->guard);
	free(i->file);
	free(r);
}

static const struct image_tool_ops raw_tool_ops = { .info = raw_info, .resize = raw_resize };

static const struct image_ops raw_ops = {
	.name = "raw", .read = raw_read, .write = raw_write, .flush = raw_flush, .discard = raw_discard, .close = raw_close,
	.write_zeros = raw_write_zeros, .status = raw_status, .truncate = raw_truncate, .tool = &raw_tool_ops,
	.read_now = raw_read_now, .write_now = raw_write_now, .plain_fd = raw_plain_fd,
};

/* What one can do about it when a file can't be opened. */
static const char *
advice(int error, bool readonly)
{
	switch (error) {
	case ENOENT:
		return "; check the path, or make an image (calque-img create FILE SIZE)";
	case EACCES:
	case EPERM:
		return readonly ? "; change its permissions" : "; change its permissions, or open it read-only or with snapshot=on";
	case EROFS:
		return "; open it read-only or with snapshot=on";
	case ETXTBSY:
		return "; the file is being executed";
	default:
		return "";
	}
}

static bool
measure(struct raw *r, const char *file, bool may_be_empty, struct err *e)
{
	struct stat st;
	off_t end;

	if (fstat(r->fd, &st) < 0)
		return err_set(e, "%s: %s", file, strerror(errno));
	if (S_ISDIR(st.st_mode))
		return err_set(e, "%s: is a directory; give the file of an image", file);
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return err_set(e, "%s: is neither a file nor a block device", file);
	r->block_device = S_ISBLK(st.st_mode);
	end = lseek(r->fd, 0, SEEK_END);
	if (end < 0)
		return err_set(e, "%s: can't find its size: %s", file, strerror(errno));
	if (end == 0 && !may_be_empty)
		return err_set(e, "%s: is empty; give it a size (calque-img create FILE SIZE)", file);
	r->image.bytes = align_up(end, DISK_SECTOR);
	r->image.grows = !r->block_device;
	return true;
}

/* The file that is open already, whatever stands under its name by now. */
static bool
open_direct(struct raw *r, bool readonly, struct err *e)
{
	char *path = xasprintf("/proc/self/fd/%d", r->fd);
	void *probe = NULL;

	r->direct_fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
	free(path);
	if (r->direct_fd >= 0 && posix_memalign(&probe, DIRECT_UNIT, DIRECT_UNIT) == 0 &&
	    pread(r->direct_fd, probe, DIRECT_UNIT, 0) >= 0) {
		free(probe);
		return true;
	}
	free(probe);
	return err_set(e, "%s: its file system can't go past the host's cache: %s; use cache=writeback", r->image.file,
		strerror(errno));
}

struct image *
raw_open(const char *file, unsigned flags, struct err *e)
{
	bool readonly = (flags & RAW_WRITE) == 0;
	/* O_NONBLOCK: a named pipe must not hold us up; it means nothing to files and block devices. */
	int mode = (readonly ? O_RDONLY : O_RDWR) | (flags & RAW_CREATE ? O_CREAT : 0);
	int fd = open(file, mode | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
	struct raw *r;

	if (fd < 0 && errno == EISDIR) {
		err_set(e, "%s: is a directory; give the file of an image", file);
		return NULL;
	}
	if (fd < 0) {
		err_set(e, "%s: %s%s", file, strerror(errno), advice(errno, readonly));
		return NULL;
	}
	r = xcalloc(1, sizeof(*r));
	r->image.ops = &raw_ops;
	r->image.file = xstrdup(file);
	r->fd = fd;
	r->direct_fd = -1;
	pthread_mutex_init(&r->guard, NULL);
	if (!measure(r, file, (flags & RAW_CREATE) != 0, e) || ((flags & RAW_NO_LOCK) == 0 && !lock_image(fd, file, flags, e)) ||
	    ((flags & RAW_DIRECT) && !open_direct(r, readonly, e))) {
		raw_close(&r->image);
		return NULL;
	}
	return &r->image;
}

bool
raw_will_grow(struct image *raw, bool unlocked, struct err *e)
{
	return unlocked || lock_image(CONTAINER_OF(raw, struct raw, image)->fd, raw->file, RAW_WRITE | RAW_GROWS, e);
}

void
raw_guard(struct image *raw)
{
	CONTAINER_OF(raw, struct raw, image)->guarded = true;
}
