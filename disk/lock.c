/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Locks on images that exclude QEMU and its tools, and are excluded by them.
 *
 * QEMU knows four permissions: consistent read (bit 0), write (1), write of what is there already (2), resize (3).
 * Who holds permission N has a shared lock on byte 100 + N; who does not let others have it has one on byte 200 + N.
 * A newcomer sets its locks first, and then looks whether somebody else's stand against it.  They are locks of the
 * open file description (OFD), so that threads and dup() don't lose them.
 */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "disk/image.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

enum {
	HELD = 100,
	UNSHARED = 200,
	PERMISSIONS = 4,
	READ = 1 << 0,
	WRITE = 1 << 1,
	RESIZE = 1 << 3,
};

static struct flock
byte_lock(short type, unsigned byte)
{
	return (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
}

static int
set_locks(int fd, unsigned base, unsigned mask)
{
	for (unsigned n = 0; n < PERMISSIONS; n++) {
		struct flock l = byte_lock(F_RDLCK, base + n);

		if ((mask >> n & 1) && fcntl(fd, F_OFD_SETLK, &l) < 0)
			return errno;
	}
	return 0;
}

/* The first byte from BASE, among MASK, that another has locked; -1: none. */
static int
find_conflict(int fd, unsigned base, unsigned mask)
{
	for (unsigned n = 0; n < PERMISSIONS; n++) {
		struct flock l = byte_lock(F_WRLCK, base + n);

		if ((mask >> n & 1) && fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK)
			return n;
	}
	return -1;
}

bool
lock_image(int fd, const char *file, unsigned flags, struct err *e)
{
	bool readonly = (flags & RAW_WRITE) == 0;
	unsigned held = READ | (readonly ? 0 : WRITE) | (flags & RAW_GROWS ? RESIZE : 0), unshared = WRITE | RESIZE;
	int error = set_locks(fd, HELD, held);

	if (error == 0)
		error = set_locks(fd, UNSHARED, unshared);
	/* File systems without locks: nothing can be excluded there, by QEMU neither. */
	if (error == EINVAL || error == ENOLCK || error == EOPNOTSUPP || error == ENOSYS)
		return true;
	if (error == 0 && find_conflict(fd, UNSHARED, held) < 0 && find_conflict(fd, HELD, unshared) < 0)
		return true;
	if (error != 0 && error != EAGAIN && error != EACCES)
		return err_set(e, "%s: can't lock: %s", file, strerror(error));
	return err_set(e, readonly ? "%s: another process writes to this image; stop it, or work on a copy" :
		"%s: another process uses this image; stop it, or open the image read-only or with snapshot=on in both", file);
}
