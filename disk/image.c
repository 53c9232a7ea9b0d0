/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every image can do: the operations of its layer with ranges checked, and the defaults of those a layer lacks. */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/tool.h"

#include <errno.h>
#include <stdlib.h>

static bool
is_inside(const struct image *i, uint64_t offset, uint64_t len)
{
	return offset <= i->bytes && len <= i->bytes - offset;
}

/* ---- defaults ---- */

int
write_zeros_by_hand(struct image *i, uint64_t offset, uint64_t len)
{
	static const uint8_t zeros[64 * KiB];
	int error = 0;

	while (len > 0 && error == 0) {
		size_t n = MIN(len, sizeof(zeros));

		error = i->ops->write(i, offset, zeros, n);
		offset += n;
		len -= n;
	}
	return error;
}

int
layer_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	return i->ops->write_zeros == NULL ? write_zeros_by_hand(i, offset, len) : i->ops->write_zeros(i, offset, len, unmap);
}

int
layer_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	if (i->ops->status != NULL)
		return i->ops->status(i, offset, len, out);
	*out = (struct image_extent){ .bytes = len, .present = true, .data = true };
	return 0;
}

int
layer_read_now(struct image *i, uint64_t offset, void *buf, size_t len)
{
	return i->ops->read_now == NULL ? EAGAIN : i->ops->read_now(i, offset, buf, len);
}

int
layer_write_now(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	return i->ops->write_now == NULL ? EAGAIN : i->ops->write_now(i, offset, buf, len);
}

int
layer_truncate(struct image *i, uint64_t bytes)
{
	return i->ops->truncate == NULL ? ENOTSUP : i->ops->truncate(i, bytes);
}

int
layer_read_backing(struct image *i, uint64_t offset, void *buf, size_t len)
{
	struct image *b = i->backing;
	size_t n = b == NULL || offset >= b->bytes ? 0 : MIN(len, b->bytes - offset);
	int error = n == 0 ? 0 : b->ops->read(b, offset, buf, n);

	memset((uint8_t *)buf + n, 0, len - n);
	return error;
}

/* ---- bytes ---- */

uint64_t
image_bytes(const struct image *i)
{
	return i->bytes;
}

struct image *
image_backing(struct image *i)
{
	return i->backing;
}

int
image_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	return is_inside(i, offset, len) ? i->ops->read(i, offset, buf, len) : EINVAL;
}

int
image_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	return is_inside(i, offset, len) ? i->ops->write(i, offset, buf, len) : EINVAL;
}

int
image_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	return is_inside(i, offset, len) ? layer_write_zeros(i, offset, len, unmap) : EINVAL;
}

int
image_discard(struct image *i, uint64_t offset, uint64_t len)
{
	return is_inside(i, offset, len) ? i->ops->discard(i, offset, len) : EINVAL;
}

int
image_write_compressed(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	if (!is_inside(i, offset, len))
		return EINVAL;
	return i->ops->write_compressed == NULL ? ENOTSUP : i->ops->write_compressed(i, offset, buf, len);
}

int
image_flush(struct image *i)
{
	return i->ops->flush(i);
}

int
image_close(struct image *i)
{
	int error = i->ops->flush(i);

	i->ops->close(i);
	return error;
}

/* ---- what it is made of ---- */

int
image_layer_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	return is_inside(i, offset, len) && len > 0 ? layer_status(i, offset, len, out) : EINVAL;
}

int
image_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	unsigned depth = 0;

	if (!is_inside(i, offset, len) || len == 0)
		return EINVAL;
	for (;;) {
		int error = layer_status(i, offset, len, out);

		out->depth = depth;
		if (error != 0 || out->present || i->backing == NULL)
			return error;
		if (offset >= i->backing->bytes)
			break;
		len = MIN(out->bytes, i->backing->bytes - offset);
		i = i->backing;
		depth++;
	}
	/* Past the end of the backing file. */
	out->zero = true;
	return 0;
}

/* ---- tables of formats ---- */

void
image_info(struct image *i, struct image_info *out)
{
	*out = (struct image_info){
		.file = i->file, .format = i->ops->name, .virtual_bytes = i->bytes, .backing_path = i->backing_path,
	};
	if (i->ops->tool != NULL && i->ops->tool->info != NULL)
		i->ops->tool->info(i, out);
}

static bool
can(struct image *i, bool has, const char *what, struct err *e)
{
	return has || err_set(e, "%s: %s images have no %s; convert it to qcow2", i->file, i->ops->name, what);
}

#define TOOL(i, member) ((i)->ops->tool != NULL && (i)->ops->tool->member != NULL)

bool
image_resize(struct image *i, uint64_t bytes, enum image_preallocation how, bool shrink, struct err *e)
{
	return can(i, TOOL(i, resize), "way to be resized", e) && i->ops->tool->resize(i, bytes, how, shrink, e);
}

bool
image_set_backing(struct image *i, const char *file, const char *format, struct err *e)
{
	return can(i, TOOL(i, set_backing), "backing file", e) && i->ops->tool->set_backing(i, file, format, e);
}

bool
image_make_empty(struct image *i, struct err *e)
{
	return can(i, TOOL(i, make_empty), "way to be emptied", e) && i->ops->tool->make_empty(i, e);
}

bool
image_check(struct image *i, unsigned fix, const struct image_check_hooks *hooks, struct image_check *out, struct err *e)
{
	return can(i, TOOL(i, check), "tables to check", e) && i->ops->tool->check(i, fix, hooks, out, e);
}

bool
image_snapshot(struct image *i, unsigned n, struct image_snapshot *out)
{
	return TOOL(i, snapshot) && i->ops->tool->snapshot(i, n, out);
}

bool
image_snapshot_create(struct image *i, const char *name, struct err *e)
{
	return can(i, TOOL(i, snapshot_create), "snapshots", e) && i->ops->tool->snapshot_create(i, name, e);
}

bool
image_snapshot_apply(struct image *i, const char *snapshot, struct err *e)
{
	return can(i, TOOL(i, snapshot_apply), "snapshots", e) && i->ops->tool->snapshot_apply(i, snapshot, e);
}

bool
image_snapshot_delete(struct image *i, const char *snapshot, struct err *e)
{
	return can(i, TOOL(i, snapshot_delete), "snapshots", e) && i->ops->tool->snapshot_delete(i, snapshot, e);
}

bool
image_use_snapshot(struct image *i, const char *snapshot, struct err *e)
{
	return can(i, TOOL(i, use_snapshot), "snapshots", e) && i->ops->tool->use_snapshot(i, snapshot, e);
}
