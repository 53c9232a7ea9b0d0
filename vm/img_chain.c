/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calque-img: images and their backing files: commit, rebase; and two images side by side: compare. */
#include "vm/img.h"

#include "base/err.h"
#include "base/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SECTOR = 512, UNIT = 64 * 1024 };

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* NAME as the image FILE means it. */
static char *
beside(const char *file, const char *name)
{
	const char *slash = strrchr(file, '/');

	return name[0] == '/' || slash == NULL ? xstrdup(name) : xasprintf("%.*s/%s", (int)(slash - file), file, name);
}

static bool
chain_has(struct image *i, const char *file)
{
	for (; i != NULL; i = image_backing(i)) {
		struct image_info f;

		image_info(i, &f);
		if (same_file(f.file, file))
			return true;
	}
	return false;
}

/* ---- commit ---- */

/* Which image of the chain BASE names; 1 without it. */
static bool
find_base(struct image *top, const char *base, unsigned *depth, struct err *e)
{
	unsigned n = 1;

	if (image_backing(top) == NULL)
		return err_set(e, "it has no backing file to write to");
	for (struct image *i = image_backing(top), *above = top; i != NULL; above = i, i = image_backing(i), n++) {
		struct image_info f, up;

		image_info(i, &f);
		image_info(above, &up);
		if (base == NULL || strcmp(up.backing_file != NULL ? up.backing_file : "", base) == 0 || same_file(f.file, base)) {
			*depth = n;
			return true;
		}
	}
	return err_set(e, "%s is not one of its backing files", base);
}

static struct image *
open_for_commit(const struct img_args *a, unsigned *depth, struct err *e)
{
	struct image_open o = { .file = a->files[0], .format = a->value['f'] };
	struct image *i;
	bool ok;

	if (img_given(a, 't') && !img_cache(a->value['t'], &o.flags, e))
		return NULL;
	i = image_open(&o, e);
	if (i == NULL)
		return NULL;
	ok = find_base(i, a->value['b'], depth, e) || err_prefix(e, "%s: ", o.file);
	image_close(i);
	if (!ok)
		return NULL;
	o.flags |= IMAGE_WRITE;
	o.writable_depth = *depth;
	return image_open(&o, e);
}

static int
copy_extent(struct image *top, struct image *base, uint64_t at, const struct image_extent *x, uint8_t *buf)
{
	int error;

	if (x->zero)
		return image_write_zeros(base, at, x->bytes, true);
	error = image_read(top, at, buf, x->bytes);
	return error != 0 ? error : image_write(base, at, buf, x->bytes);
}

/* All that stands above the base goes into it. */
static bool
copy_down(struct image *top, struct image *base, unsigned depth, struct img_progress *p, struct err *e)
{
	uint8_t *buf = xcalloc(1, IMG_CHUNK);
	struct image_extent x;
	bool ok = true;

	for (uint64_t at = 0; ok && at < image_bytes(top); at += x.bytes) {
		int error = image_status(top, at, MIN(IMG_CHUNK, image_bytes(top) - at), &x);

		if (error == 0 && x.present && x.depth < depth)
			error = copy_extent(top, base, at, &x, buf);
		if (error != 0)
			ok = err_set(e, "can't copy at byte %" PRIu64 ": %s", at, strerror(error));
		ok = ok && img_progress(p, x.bytes, e);
	}
	free(buf);
	return ok;
}

/* The base is on stable storage before anything above it goes. */
static bool
commit(const struct img_args *a, struct image *top, unsigned depth, struct err *e)
{
	struct image *base = top;
	struct img_progress p;
	bool ok;
	int error;

	for (unsigned n = 0; n < depth; n++)
		base = image_backing(base);
	if (image_bytes(base) < image_bytes(top) && !image_resize(base, image_bytes(top), PREALLOCATE_OFF, false, e))
		return err_prefix(e, "the backing file has to grow: ");
	ok = img_progress_begin(&p, a, image_bytes(top), e) && copy_down(top, base, depth, &p, e);
	img_progress_end(&p, ok);
	if (!ok)
		return err_prefix(e, "%s: ", a->files[0]);
	error = image_flush(base);
	if (error != 0)
		return err_set(e, "the backing file could not be written: %s", strerror(error));
	return img_given(a, 'd') || img_given(a, 'b') || image_make_empty(top, e);
}

int
img_commit(struct img_args *a, struct err *e)
{
	unsigned depth = 1;
	struct image *i;
	bool ok;

	if (!img_files(a, 1, e))
		return IMG_FAILED;
	i = open_for_commit(a, &depth, e);
	if (i == NULL)
		return IMG_FAILED;
	ok = commit(a, i, depth, e);
	ok &= img_close(i, a->files[0], ok ? e : NULL);
	if (ok && !img_given(a, 'q'))
		printf("Image committed.\n");
	return ok ? 0 : IMG_FAILED;
}

/* ---- rebase ---- */

/* Reads what a backing file shows; past its end are zeros. */
static bool
read_below(struct image *i, const char *file, uint64_t at, uint8_t *buf, uint64_t len, struct err *e)
{
	uint64_t n = i == NULL || at >= image_bytes(i) ? 0 : MIN(len, image_bytes(i) - at);
	int error = n > 0 ? image_read(i, at, buf, n) : 0;

	memset(buf + n, 0, len - n);
	return error == 0 || img_io_error(e, file, "read", at, error);
}

/* What LEN bytes at AT (at the most UNIT) show now, they shall show upon the new backing file. */
static bool
keep_unit(struct image *i, struct image *below, const struct img_args *a, uint64_t at, uint64_t len, struct err *e)
{
	uint8_t old[UNIT], new[UNIT];
	int error = image_read(i, at, old, len);

	if (error != 0)
		return img_io_error(e, a->files[0], "read", at, error);
	if (!read_below(below, a->value['b'], at, new, len, e))
		return false;
	if (memcmp(old, new, len) == 0)
		return true;
	error = img_is_zero(old, len) ? image_write_zeros(i, at, len, false) : image_write(i, at, old, len);
	return error == 0 || img_io_error(e, a->files[0], "write", at, error);
}

static bool
keep_contents(struct image *i, struct image *below, const struct img_args *a, struct img_progress *p, struct err *e)
{
	struct image_extent x;

	for (uint64_t at = 0; at < image_bytes(i); at += x.bytes) {
		int error = image_layer_status(i, at, MIN(UNIT - at % UNIT, image_bytes(i) - at), &x);

		if (error != 0)
			return img_io_error(e, a->files[0], "read its tables", at, error);
		if ((!x.present && !keep_unit(i, below, a, at, x.bytes, e)) || !img_progress(p, x.bytes, e))
			return false;
	}
	return true;
}

/* The image itself isn't open yet, so that its own lock doesn't hide what is wrong. */
static bool
check_new_backing(const struct img_args *a, const char *path, struct err *e)
{
	struct image *i = img_open(a, path, a->value['F'], IMAGE_NO_LOCK, 'T', e);
	bool ok = i != NULL;

	if (ok && chain_has(i, a->files[0]))
		ok = err_set(e, "%s: its chain of backing files has %s in it, which would come back to itself", path, a->files[0]);
	if (i != NULL)
		image_close(i);
	return ok;
}

/* Until the name changes the image shows the same through the old backing file: a stop in between costs nothing. */
static bool
rebase_safely(struct img_args *a, struct image *i, const char *path, struct err *e)
{
	struct image *below = NULL;
	struct img_progress p;
	bool ok;
	int error;

	if (path != NULL) {
		below = img_open(a, path, a->value['F'], 0, 'T', e);
		if (below == NULL)
			return err_prefix(e, "the new backing file: ");
	}
	ok = img_progress_begin(&p, a, image_bytes(i), e) && keep_contents(i, below, a, &p, e);
	img_progress_end(&p, ok);
	if (below != NULL)
		image_close(below);
	error = ok ? image_flush(i) : 0;
	return ok && (error == 0 || err_set(e, "%s: could not be written: %s", a->files[0], strerror(error)));
}

static bool
rebase(struct img_args *a, const char *path, struct err *e)
{
	const char *backing = path != NULL ? a->value['b'] : NULL, *format = path != NULL ? a->value['F'] : NULL;
	bool unsafe = img_given(a, 'u'), ok;
	struct image *i;

	if (!unsafe && path != NULL && !check_new_backing(a, path, e))
		return err_prefix(e, "the new backing file: ");
	i = img_open(a, a->files[0], a->value['f'], IMAGE_WRITE | (unsafe ? IMAGE_NO_BACKING : 0), 't', e);
	if (i == NULL)
		return false;
	ok = (unsafe || rebase_safely(a, i, path, e)) && image_set_backing(i, backing, format, e);
	return img_close(i, a->files[0], ok ? e : NULL) && ok;
}

int
img_rebase(struct img_args *a, struct err *e)
{
	const char *backing = a->value['b'];
	char *path;
	bool ok;

	if (!img_files(a, 1, e))
		return IMG_FAILED;
	if (backing == NULL)
		return err_set(e, "-b with the new backing file is missing; -b '' is none") ? 0 : IMG_FAILED;
	if (backing[0] != '\0' && !img_given(a, 'F'))
		return err_set(e, "the backing file's format is missing; give it: -F raw or -F qcow2") ? 0 : IMG_FAILED;
	path = backing[0] != '\0' ? beside(a->files[0], backing) : NULL;
	ok = rebase(a, path, e);
	free(path);
	return ok ? 0 : IMG_FAILED;
}

/* ---- compare ---- */

enum { SAME = 0, DIFFERENT = 1, CANT_OPEN = 2, CANT_LOOK = 3, CANT_READ = 4 };

struct pair {
	struct image *image[2];
	const char *file[2];
	bool strict, quiet;
	uint8_t *buf[2];
};

static int
differs(const struct pair *p, const char *format, uint64_t at)
{
	if (!p->quiet)
		printf(format, at);
	return DIFFERENT;
}

static int
trouble(int status, const struct err *e)
{
	fprintf(stderr, "calque-img: compare: %s\n", e->text);
	return status;
}

/* Past the end of the shorter one are zeros. */
static int
compare_bytes(struct pair *p, uint64_t at, uint64_t len, const struct image_extent x[2])
{
	struct err e;

	for (unsigned n = 0; n < 2; n++) {
		if (x[n].zero)
			memset(p->buf[n], 0, len);
		else if (!read_below(p->image[n], p->file[n], at, p->buf[n], len, &e))
			return trouble(CANT_READ, &e);
	}
	if (memcmp(p->buf[0], p->buf[1], len) == 0)
		return SAME;
	for (uint64_t n = 0; n < len; n += SECTOR) {
		if (memcmp(p->buf[0] + n, p->buf[1] + n, MIN(SECTOR, len - n)) != 0)
			return differs(p, "Content mismatch at offset %" PRIu64 "!\n", at + n);
	}
	return SAME;
}

static bool
status_of(struct pair *p, unsigned n, uint64_t at, uint64_t len, struct image_extent *x, struct err *e)
{
	uint64_t bytes = image_bytes(p->image[n]);
	int error;

	*x = (struct image_extent){ .bytes = len, .zero = true };
	if (at >= bytes)
		return true;
	error = image_status(p->image[n], at, MIN(len, bytes - at), x);
	return error == 0 || img_io_error(e, p->file[n], "read its tables", at, error);
}

static int
compare_images(struct pair *p, struct img_progress *progress)
{
	uint64_t bytes[2] = { image_bytes(p->image[0]), image_bytes(p->image[1]) }, len;
	struct image_extent x[2];
	struct err e;

	if (bytes[0] != bytes[1] && p->strict)
		return differs(p, "Strict mode: Image size mismatch!\n", 0);
	for (uint64_t at = 0; at < MAX(bytes[0], bytes[1]); at += len) {
		int status = SAME;

		if (at == MIN(bytes[0], bytes[1]) && !p->quiet)
			printf("Warning: Image size mismatch!\n");
		len = MIN(IMG_CHUNK, (at < MIN(bytes[0], bytes[1]) ? MIN(bytes[0], bytes[1]) : MAX(bytes[0], bytes[1])) - at);
		for (unsigned n = 0; n < 2; n++) {
			if (!status_of(p, n, at, len, &x[n], &e))
				return trouble(CANT_LOOK, &e);
			len = MIN(len, x[n].bytes);
		}
		if (p->strict && (x[0].data != x[1].data || x[0].zero != x[1].zero || x[0].present != x[1].present))
			return differs(p, "Strict mode: Offset %" PRIu64 " block status mismatch!\n", at);
		if (!x[0].zero || !x[1].zero)
			status = compare_bytes(p, at, len, x);
		if (status != SAME)
			return status;
		if (!img_progress(progress, len, &e))
			return trouble(CANT_READ, &e);
	}
	if (!p->quiet)
		printf("Images are identical.\n");
	return SAME;
}

static int
compare(const struct img_args *a, struct pair *p, struct err *e)
{
	struct img_progress progress;
	int status = CANT_OPEN;
	bool ok = true;

	for (unsigned n = 0; ok && n < 2; n++) {
		p->file[n] = a->files[n];
		p->image[n] = img_open(a, a->files[n], a->value[n == 0 ? 'f' : 'F'], 0, 'T', e);
		p->buf[n] = xcalloc(1, IMG_CHUNK);
		ok = p->image[n] != NULL;
	}
	if (ok && img_progress_begin(&progress, a, MAX(image_bytes(p->image[0]), image_bytes(p->image[1])), e)) {
		status = compare_images(p, &progress);
		img_progress_end(&progress, status == SAME);
	} else {
		trouble(CANT_OPEN, e);
	}
	for (unsigned n = 0; n < 2; n++) {
		if (p->image[n] != NULL)
			image_close(p->image[n]);
		free(p->buf[n]);
	}
	return status;
}

int
img_compare(struct img_args *a, struct err *e)
{
	struct pair p = { .strict = img_given(a, 's'), .quiet = img_given(a, 'q') };

	/* A status of 1 says that they differ. */
	if (!img_files(a, 2, e))
		return trouble(CANT_OPEN, e);
	return compare(a, &p, e);
}
