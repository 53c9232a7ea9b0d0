/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Makes an image.  What stands in its place is overwritten only when all that is asked for has been checked. */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"
#include "disk/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static bool
is_same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Looks into the backing file: its size, and its format if it isn't said. */
static bool
ask_backing(struct image_create *o, struct err *e)
{
	char *path = backing_path(o->file, o->backing_file, e);
	struct image_open open = { .file = path, .format = o->backing_format, .flags = IMAGE_NO_LOCK };
	struct image *b = NULL;
	bool ok = path != NULL;

	if (ok && is_same_file(path, o->file))
		ok = err_set(e, "%s: can't be its own backing file", o->file);
	if (ok && (b = image_open(&open, e)) == NULL)
		ok = err_prefix(e, "%s: behind it, ", o->file);
	if (ok && o->backing_format == NULL && strcmp(b->ops->name, "raw") == 0)
		ok = err_set(e, "%s: nothing says of what format %s is; say it (-F raw)", o->file, path);
	if (ok && o->bytes == IMAGE_SIZE_OF_BACKING)
		o->bytes = b->bytes;
	if (ok && o->backing_format == NULL)
		o->backing_format = b->ops->name;
	if (b != NULL)
		b->ops->close(b);
	free(path);
	return ok;
}

static bool
make_raw(struct image *file, const struct image_create *o, struct err *e)
{
	bool ok = image_resize(file, align_up(o->bytes, DISK_SECTOR), o->preallocation, true, e);
	int error = image_close(file);

	return ok && (error == 0 || err_set(e, "%s: can't be written: %s", o->file, strerror(error)));
}

static bool
check_options(const struct image_create *o, struct err *e)
{
	if (strcmp(o->format, "raw") != 0 && strcmp(o->format, "qcow2") != 0)
		return err_set(e, "%s: images of format %s can't be made; use raw or qcow2", o->file, o->format);
	if (o->backing_file != NULL && strcmp(o->format, "qcow2") != 0)
		return err_set(e, "%s: raw images have no backing file; use qcow2", o->file);
	if (o->backing_format != NULL && !format_is_known(o->backing_format, o->file, e))
		return false;
	if (o->preallocation == PREALLOCATE_METADATA && strcmp(o->format, "raw") == 0)
		return err_set(e, "%s: raw images have no metadata; use preallocation off, falloc or full", o->file);
	if (strcmp(o->format, "qcow2") == 0 && !qcow2_check_create(o, e))
		return false;
	if (o->bytes == IMAGE_SIZE_OF_BACKING && (o->backing_file == NULL || o->backing_unchecked))
		return err_set(e, "%s: its size is missing", o->file);
	return true;
}

bool
image_create(const struct image_create *o, struct err *e)
{
	struct image_create c = *o;
	struct image *file;
	bool existed = access(o->file, F_OK) == 0, ok;

	if (!check_options(o, e) || (c.backing_file != NULL && !c.backing_unchecked && !ask_backing(&c, e)))
		return false;
	if (c.bytes > INT64_MAX - DISK_SECTOR)
		return err_set(e, "%s: a disk can't have that many bytes", o->file);
	file = raw_open(o->file, RAW_WRITE | RAW_GROWS | RAW_CREATE, e);
	if (file == NULL)
		return false;
	if (file->grows && layer_truncate(file, 0) != 0) {
		ok = err_set(e, "%s: can't be emptied: %s", o->file, strerror(errno));
		file->ops->close(file);
	} else {
		ok = strcmp(c.format, "raw") == 0 ? make_raw(file, &c, e) : qcow2_create(file, &c, e);
	}
	if (!ok && !existed)
		unlink(o->file);
	return ok;
}
