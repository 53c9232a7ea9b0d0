/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Opens an image with all that stands behind it.
 *
 * The format of the image itself is the one asked for, or that of its mark; without a mark it is raw.  A backing file
 * is never taken for raw by itself: who can write to a raw disk could put a mark of their choice on it, so that the
 * image has to say what its backing file is, or the backing file must bear a mark.
 */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/tool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

enum { DEEPEST = 200 };

/* The images above the one that is being opened, on the stack. */
struct chain {
	const struct chain *above;
	unsigned depth;
	dev_t dev;
	ino_t ino;
};

bool
format_is_known(const char *format, const char *file, struct err *e)
{
	if (strcmp(format, "raw") == 0 || strcmp(format, "qcow2") == 0)
		return true;
	return err_set(e, "%s: format %s is not supported; convert it (qemu-img convert -O qcow2 %s NEW.qcow2)", file, format, file);
}

/* The format that is asked for, or that the file's marks say; NULL with E set. */
static const char *
find_format(struct image *raw, const char *asked, bool backing, struct err *e)
{
	const char *found;

	if (asked != NULL)
		return format_is_known(asked, raw->file, e) ? asked : NULL;
	found = recognise(raw);
	if (found == NULL && backing) {
		err_set(e, "%s: nothing says of what format this backing file is; say it in the image (rebase -u -b FILE -F raw)",
			raw->file);
		return NULL;
	}
	if (found == NULL || strcmp(found, "qcow2") == 0)
		return found == NULL ? "raw" : found;
	err_set(e, "%s: this is a %s image, a format that is not supported; convert it (qemu-img convert -O qcow2 %s NEW.qcow2), or "
		"say format=raw if it is a raw disk that looks like one", raw->file, found, raw->file);
	return NULL;
}

char *
backing_path(const char *file, const char *backing, struct err *e)
{
	const char *slash = strrchr(file, '/'), *colon = strchr(backing, ':');
	const char *first = strchr(backing, '/');

	if (strncmp(backing, "file:", 5) == 0)
		backing += 5;
	else if (colon != NULL && (first == NULL || colon < first)) {
		err_set(e, "%s: its backing file %s is not a file here (%.*s:); make it one and say so (rebase -u -b FILE -F FORMAT)",
			file, backing, (int)(colon - backing), backing);
		return NULL;
	}
	if (backing[0] == '/' || slash == NULL)
		return xstrdup(backing);
	return xasprintf("%.*s/%s", (int)(slash - file), file, backing);
}

/* Puts *C below ABOVE, unless FILE stands there already. */
static bool
extend_chain(struct chain *c, const struct chain *above, const char *file, struct err *e)
{
	struct stat st;

	*c = (struct chain){ .above = above, .depth = above == NULL ? 0 : above->depth + 1 };
	if (c->depth > DEEPEST)
		return err_set(e, "%s: a chain of more than %d backing files; shorten it (commit, or rebase)", file, DEEPEST);
	if (stat(file, &st) != 0)
		return true; /* Opening will say why. */
	c->dev = st.st_dev;
	c->ino = st.st_ino;
	for (const struct chain *a = above; a != NULL; a = a->above) {
		if (a->dev == c->dev && a->ino == c->ino)
			return err_set(e, "%s: is its own backing file in the end; mend the chain (rebase -u -b FILE -F FORMAT)", file);
	}
	return true;
}

static unsigned
raw_flags_for(unsigned flags)
{
	unsigned raw = flags & IMAGE_WRITE ? RAW_WRITE : 0;

	if (flags & IMAGE_NO_LOCK)
		raw |= RAW_NO_LOCK;
	return flags & IMAGE_DIRECT ? raw | RAW_DIRECT : raw;
}

static struct image *open_one(const struct image_open *o, const struct chain *above, struct err *e);

static bool
open_backing(struct image *i, const struct image_open *o, const struct chain *c, struct err *e)
{
	const char *format, *name = qcow2_backing(i, &format);
	struct image_open below = { .flags = o->flags & ~(IMAGE_WRITE | IMAGE_REPAIR), .writable_depth = o->writable_depth };

	if (name == NULL)
		return true;
	i->backing_path = backing_path(i->file, name, o->flags & IMAGE_NO_BACKING ? NULL : e);
	if (o->flags & IMAGE_NO_BACKING)
		return true;
	if (i->backing_path == NULL)
		return false;
	below.file = i->backing_path;
	below.format = format;
	if (o->writable_depth == c->depth + 1)
		below.flags |= IMAGE_WRITE;
	i->backing = open_one(&below, c, e);
	return i->backing != NULL || (c->depth == 0 && err_prefix(e, "%s: behind it, ", i->file));
}

/* The layers upon FILE, which is closed if it can't be. */
static struct image *
open_format(struct image *file, const struct image_open *o, const struct chain *c, struct err *e)
{
	const char *format = find_format(file, o->format, c->depth > 0, e);
	struct image *i, *raw = file;

	if (format == NULL || (o->filter != NULL && !filters_add(&file, o->filter, e)))
		goto failed;
	if (strcmp(format, "raw") == 0) {
		if (o->format == NULL)
			raw_guard(raw);
		return file;
	}
	if ((o->flags & IMAGE_WRITE) && !raw_will_grow(raw, o->flags & IMAGE_NO_LOCK, e))
		goto failed;
	i = qcow2_open(file, o->flags, e);
	if (i == NULL)
		goto failed;
	if (open_backing(i, o, c, e))
		return i;
	file = i;
failed:
	file->ops->close(file);
	return NULL;
}

static struct image *
open_one(const struct image_open *o, const struct chain *above, struct err *e)
{
	struct image *file;
	struct chain c;

	if (o->format != NULL && !format_is_known(o->format, o->file, e))
		return NULL;
	if (!extend_chain(&c, above, o->file, e))
		return NULL;
	file = raw_open(o->file, raw_flags_for(o->flags), e);
	return file == NULL ? NULL : open_format(file, o, &c, e);
}

struct image *
image_open(const struct image_open *o, struct err *e)
{
	return open_one(o, NULL, e);
}
