/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * calque-img: convert and dd: the bytes of images, to another one.
 *
 * Several threads (-m) take pieces of the sources in order and read them at the same time; they write in order, or with
 * -W as they come, which lets them compress at the same time too.  What is known to read as zeros isn't read.
 */
#define _GNU_SOURCE /* copy_file_range */
#include "vm/img.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SECTOR = 512, SPARSE = 4096, THREADS = 8, THREADS_MOST = 16 };

struct source {
	struct image *image;
	const char *file;
	uint64_t start, bytes;
	int offload_fd; /* -C: the file itself; -1: not so */
};

struct copy {
	struct source *sources;
	unsigned count;
	uint64_t bytes;
	struct image *target;
	const char *file;
	uint32_t cluster;     /* of the target */
	uint64_t sparse;      /* zeros of that length aren't written; 0: all is */
	int offload_fd;
	bool compress, any_order, salvage;
	bool has_backing;     /* what the first image of a source's chain hasn't is left out */
	bool is_zero;         /* the target reads as zeros where nothing is written */
	bool is_new, existed; /* the target is made by us; something was there before */
	/* Under LOCK. */
	pthread_mutex_t lock;
	pthread_cond_t turned;
	uint64_t next, turn;
	bool failed;
	struct err error;
	struct img_progress progress;
};

/* ---- the sources, as one ---- */

/* The source at AT, and how much of LEN is in it; NULL: past them all. */
static struct source *
source_at(struct copy *c, uint64_t at, uint64_t *len)
{
	for (unsigned n = 0; n < c->count; n++) {
		struct source *s = &c->sources[n];

		if (at >= s->start && at - s->start < s->bytes) {
			*len = MIN(*len, s->start + s->bytes - at);
			return s;
		}
	}
	return NULL;
}

static bool
source_status(struct copy *c, uint64_t at, uint64_t len, struct image_extent *x, struct err *e)
{
	struct source *s = source_at(c, at, &len);
	int error;

	*x = (struct image_extent){ .bytes = len, .present = true, .zero = true };
	if (s == NULL)
		return true;
	error = c->has_backing ? image_layer_status(s->image, at - s->start, len, x) :
		image_status(s->image, at - s->start, len, x);
	return error == 0 || img_io_error(e, s->file, "read its tables", at - s->start, error);
}

/* Sector by sector; what can't be read is zeros. */
static void
salvage(struct source *s, uint64_t offset, uint8_t *buf, uint64_t len)
{
	struct err why;

	for (uint64_t n = 0; n < len; n += SECTOR) {
		int error = image_read(s->image, offset + n, buf + n, MIN(SECTOR, len - n));

		if (error == 0)
			continue;
		memset(buf + n, 0, MIN(SECTOR, len - n));
		img_io_error(&why, s->file, "read", offset + n, error);
		fprintf(stderr, "calque-img: warning: %s; zeros are taken\n", why.text);
	}
}

static bool
source_read(struct copy *c, uint64_t at, uint8_t *buf, uint64_t len, struct err *e)
{
	while (len > 0) {
		uint64_t n = len;
		struct source *s = source_at(c, at, &n);
		int error = 0;

		if (s == NULL)
			memset(buf, 0, n);
		else
			error = image_read(s->image, at - s->start, buf, n);
		if (error != 0 && !c->salvage)
			return img_io_error(e, s->file, "read", at - s->start, error);
		if (error != 0)
			salvage(s, at - s->start, buf, n);
		at += n;
		buf += n;
		len -= n;
	}
	return true;
}

/* ---- pieces ---- */

/* One piece: runs of what is to be done with it, and the bytes. */
enum what { SKIP, ZEROS, DATA };

struct piece {
	uint64_t at, len;
	struct run {
		enum what what;
		uint64_t at, len;
	} runs[2 * IMG_CHUNK / SECTOR];
	unsigned count;
	uint8_t buf[IMG_CHUNK];
};

static void
add_run(struct piece *p, enum what what, uint64_t at, uint64_t len)
{
	struct run *last = p->count > 0 ? &p->runs[p->count - 1] : NULL;

	if (last != NULL && last->what == what && last->at + last->len == at)
		last->len += len;
	else
		p->runs[p->count++] = (struct run){ what, at, len };
}

/* Data, but for zeros that are many enough. */
static void
add_data(struct copy *c, struct piece *p, uint64_t at, uint64_t len)
{
	enum what zeros = c->is_zero && !c->has_backing ? SKIP : ZEROS;

	for (uint64_t n; len > 0; at += n, len -= n) {
		n = c->sparse != 0 ? MIN(len, c->sparse - at % c->sparse) : len;
		add_run(p, c->sparse != 0 && img_is_zero(p->buf + (at - p->at), n) ? zeros : DATA, at, n);
	}
}

/* Without -S 0 zeros and what is not there are known by the tables. */
static bool
load_piece(struct copy *c, struct piece *p, struct err *e)
{
	struct image_extent x;

	p->count = 0;
	for (uint64_t at = p->at; at < p->at + p->len; at += x.bytes) {
		if (!source_status(c, at, p->at + p->len - at, &x, e))
			return false;
		x.bytes = MIN(x.bytes, p->at + p->len - at);
		if (c->has_backing && !x.present) {
			add_run(p, SKIP, at, x.bytes);
		} else if (c->sparse != 0 && x.zero) {
			memset(p->buf + (at - p->at), 0, x.bytes);
			add_run(p, c->is_zero && !c->has_backing ? SKIP : ZEROS, at, x.bytes);
		} else {
			if (!source_read(c, at, p->buf + (at - p->at), x.bytes, e))
				return false;
			add_data(c, p, at, x.bytes);
		}
	}
	return true;
}

/* Whole clusters: each compressed if anything of it is data. */
static bool
write_compressed(struct copy *c, struct piece *p, struct err *e)
{
	unsigned r = 0;

	for (uint64_t at = p->at, n; at < p->at + p->len; at += n) {
		bool data = false;
		int error = 0;

		n = MIN(c->cluster, p->at + p->len - at);
		while (r < p->count && p->runs[r].at + p->runs[r].len <= at)
			r++;
		for (unsigned k = r; k < p->count && p->runs[k].at < at + n; k++)
			data |= p->runs[k].what == DATA;
		if (data)
			error = image_write_compressed(c->target, at, p->buf + (at - p->at), n);
		if (error != 0)
			return img_io_error(e, c->file, "write", at, error);
	}
	return true;
}

/* True: the host has copied it by itself. */
static bool
offload(struct copy *c, const struct run *r)
{
	uint64_t len = r->len;
	const struct source *s = source_at(c, r->at, &len);
	off_t from = r->at - (s != NULL ? s->start : 0), to = r->at;

	if (s == NULL || len < r->len || s->offload_fd < 0 || c->offload_fd < 0)
		return false;
	while (len > 0) {
		ssize_t n = copy_file_range(s->offload_fd, &from, c->offload_fd, &to, len, 0);

		if (n <= 0)
			return false;
		len -= n;
	}
	return true;
}

static bool
write_piece(struct copy *c, struct piece *p, struct err *e)
{
	if (c->compress)
		return write_compressed(c, p, e);
	for (unsigned n = 0; n < p->count; n++) {
		const struct run *r = &p->runs[n];
		int error = 0;

		if (r->what == ZEROS)
			error = image_write_zeros(c->target, r->at, r->len, true);
		else if (r->what == DATA && !offload(c, r))
			error = image_write(c->target, r->at, p->buf + (r->at - p->at), r->len);
		if (error != 0)
			return img_io_error(e, c->file, "write", r->at, error);
	}
	return true;
}

/* ---- threads ---- */

static void
fail(struct copy *c, const struct err *e)
{
	if (!c->failed)
		c->error = *e;
	c->failed = true;
	pthread_cond_broadcast(&c->turned);
}

/* The next piece; false: there is none, or it is over.  Under the lock. */
static bool
take_piece(struct copy *c, struct piece *p)
{
	if (c->failed || c->next >= c->bytes)
		return false;
	p->at = c->next;
	p->len = MIN(IMG_CHUNK, c->bytes - c->next);
	c->next += p->len;
	return true;
}

static bool
wait_for_turn(struct copy *c, const struct piece *p)
{
	while (!c->failed && !c->any_order && c->turn != p->at)
		pthread_cond_wait(&c->turned, &c->lock);
	return !c->failed;
}

static void *
work(void *opaque)
{
	struct copy *c = opaque;
	struct piece *p = xcalloc(1, sizeof(*p));
	struct err e = { "" };

	pthread_mutex_lock(&c->lock);
	while (take_piece(c, p)) {
		bool ok;

		pthread_mutex_unlock(&c->lock);
		ok = load_piece(c, p, &e);
		pthread_mutex_lock(&c->lock);
		if (ok && !wait_for_turn(c, p))
			break;
		pthread_mutex_unlock(&c->lock);
		ok = ok && write_piece(c, p, &e);
		pthread_mutex_lock(&c->lock);
		if (!ok || !img_progress(&c->progress, p->len, &e)) {
			fail(c, &e);
			break;
		}
		c->turn = p->at + p->len;
		pthread_cond_broadcast(&c->turned);
	}
	pthread_mutex_unlock(&c->lock);
	free(p);
	return NULL;
}

static bool
copy_all(struct copy *c, unsigned threads, struct err *e)
{
	pthread_t ids[THREADS_MOST];
	unsigned n = 0;

	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->turned, NULL);
	while (n + 1 < threads && pthread_create(&ids[n], NULL, work, c) == 0)
		n++;
	work(c);
	while (n > 0)
		pthread_join(ids[--n], NULL);
	img_progress_end(&c->progress, !c->failed);
	pthread_cond_destroy(&c->turned);
	pthread_mutex_destroy(&c->lock);
	if (c->failed)
		*e = c->error;
	return !c->failed;
}

/* ---- convert ---- */

/* A snapshot's id or name, or snapshot.id=ID,snapshot.name=NAME. */
static bool
use_snapshot(struct image *i, const char *text, struct err *e)
{
	struct keyval k;
	const char *id, *name;
	bool ok;

	if (strncmp(text, "snapshot.", 9) != 0)
		return image_use_snapshot(i, text, e);
	ok = keyval_parse(&k, text, NULL, e);
	id = ok ? keyval_str(&k, "snapshot.id") : NULL;
	name = ok ? keyval_str(&k, "snapshot.name") : NULL;
	ok = ok && keyval_end(&k, e) && image_use_snapshot(i, id != NULL ? id : name, e);
	keyval_free(&k);
	return ok;
}

static bool
open_sources(struct copy *c, const struct img_args *a, struct err *e)
{
	const char *format = a->value['f'];

	c->count = a->count - 1;
	c->sources = xcalloc(c->count, sizeof(*c->sources));
	for (unsigned n = 0; n < c->count; n++)
		c->sources[n].offload_fd = -1;
	for (unsigned n = 0; n < c->count; n++) {
		struct source *s = &c->sources[n];

		s->file = a->files[n];
		s->image = img_open(a, s->file, format, 0, 'T', e);
		if (s->image == NULL || (img_given(a, 'l') && !use_snapshot(s->image, a->value['l'], e)))
			return false;
		s->start = c->bytes;
		s->bytes = image_bytes(s->image);
		if (s->bytes > INT64_MAX - c->bytes)
			return err_set(e, "the images are larger than 8 EiB together");
		c->bytes += s->bytes;
	}
	return true;
}

static bool
parse_numbers(struct copy *c, const struct img_args *a, unsigned *threads, struct err *e)
{
	uint64_t v = THREADS;

	c->sparse = SPARSE;
	if (img_given(a, 'S') && !img_size(a->value['S'], "-S", &c->sparse, e))
		return false;
	if (c->sparse % SECTOR != 0 || c->sparse > IMG_CHUNK)
		return err_set(e, "-S %s: it is a multiple of 512, 2M at the most", a->value['S']);
	if (img_given(a, 'm') && (!parse_uint(a->value['m'], THREADS_MOST, &v, NULL) || v == 0))
		return err_set(e, "-m %s: it is a number from 1 to %u", a->value['m'], THREADS_MOST);
	*threads = (unsigned)v;
	return true;
}

static bool
check_combinations(const struct img_args *a, struct err *e)
{
	if (a->count < 2)
		return err_set(e, "a file to read and a file to write are needed");
	if (img_given(a, 'C') && (img_given(a, 'c') || img_given(a, 'S')))
		return err_set(e, "-C can't be had with -c or -S");
	if (img_given(a, 'l') && a->count > 2)
		return err_set(e, "-l is for one image alone");
	if (img_given(a, 'F') && !img_given(a, 'B'))
		return err_set(e, "-F is the format of -B, which is missing");
	if (img_given(a, 'B') && a->count > 2)
		return err_set(e, "-B is for one image alone");
	if (img_given(a, 'n') && (img_given(a, 'o') || img_given(a, 'B')))
		return err_set(e, "-n leaves the image as it is: -o and -B would have no effect");
	if (img_given(a, IMG_TARGET_IS_ZERO) && !img_given(a, 'n'))
		return err_set(e, "--target-is-zero is for -n");
	return true;
}

/* A file can't be read while it is written anew. */
static bool
check_distinct(struct copy *c, const char *output, struct err *e)
{
	struct stat out, st;

	c->existed = stat(output, &out) == 0;
	if (!c->existed)
		return true;
	for (unsigned n = 0; n < c->count; n++) {
		for (struct image *i = c->sources[n].image; i != NULL; i = image_backing(i)) {
			struct image_info f;

			image_info(i, &f);
			if (stat(f.file, &st) == 0 && st.st_dev == out.st_dev && st.st_ino == out.st_ino)
				return err_set(e, "%s is read here, and can't be written at the same time", output);
		}
	}
	return true;
}

static bool
make_target(struct copy *c, struct img_args *a, const char *format, struct err *e)
{
	struct image_create o = {
		.file = c->file, .format = format, .bytes = c->bytes, .backing_file = a->value['B'], .backing_format = a->value['F'],
	};
	struct keyval k;
	bool ok = img_create_options(a, &k, &o, e);

	if (ok && o.bytes < c->bytes)
		ok = err_set(e, "size: the image has %" PRIu64 " bytes, which it can't be smaller than", c->bytes);
	if (ok && strcmp(format, "qcow2") != 0 && img_given(a, 'c'))
		ok = err_set(e, "-c: a raw image can't be compressed; use -O qcow2");
	ok = ok && check_distinct(c, c->file, e) && image_create(&o, e);
	c->is_new = ok;
	c->is_zero = true;
	c->has_backing = o.backing_file != NULL;
	keyval_free(&k);
	return ok;
}

/* The target's cache is "unsafe" unless asked: a copy that was not finished is made again. */
static struct image *
open_target(struct copy *c, const struct img_args *a, const char *format, struct err *e)
{
	unsigned flags = IMAGE_WRITE | (img_given(a, 't') ? 0 : IMAGE_UNSAFE);
	struct image *i = img_open(a, c->file, format, flags, 't', e);
	struct image_info f;

	if (i == NULL)
		return NULL;
	image_info(i, &f);
	c->cluster = f.cluster_bytes;
	if (img_given(a, 'n')) {
		c->is_zero = img_given(a, IMG_TARGET_IS_ZERO);
		c->has_backing = false;
	}
	if (image_bytes(i) >= c->bytes)
		return i;
	err_set(e, "%s has %" PRIu64 " bytes, and %" PRIu64 " are to be copied; resize it first", c->file, image_bytes(i), c->bytes);
	image_close(i);
	return NULL;
}

static void
open_for_offload(struct copy *c, const char *format)
{
	struct image_info f;

	c->offload_fd = strcmp(format, "raw") == 0 ? open(c->file, O_RDWR | O_CLOEXEC) : -1;
	for (unsigned n = 0; n < c->count; n++) {
		image_info(c->sources[n].image, &f);
		if (strcmp(f.format, "raw") == 0)
			c->sources[n].offload_fd = open(c->sources[n].file, O_RDONLY | O_CLOEXEC);
	}
}

/* A copy that is not whole is said to be so, or is taken away if nothing was in its place. */
static void
give_up(struct copy *c, struct err *e)
{
	char why[sizeof(e->text)];

	if (!c->is_new && c->target == NULL)
		return;
	memcpy(why, e->text, sizeof(why));
	if (c->is_new && !c->existed && unlink(c->file) == 0)
		err_set(e, "%s; what was there of the copy is removed", why);
	else
		err_set(e, "%s; %s is incomplete now", why, c->file);
}

static void
end_copy(struct copy *c)
{
	for (unsigned n = 0; n < c->count; n++) {
		if (c->sources[n].image != NULL)
			image_close(c->sources[n].image);
		if (c->sources[n].offload_fd >= 0)
			close(c->sources[n].offload_fd);
	}
	if (c->offload_fd >= 0)
		close(c->offload_fd);
	free(c->sources);
}

static bool
convert(struct copy *c, struct img_args *a, struct err *e)
{
	const char *format = img_given(a, 'O') ? a->value['O'] : img_given(a, 'n') ? NULL : "raw";
	unsigned threads = 1;
	bool ok;

	if (!parse_numbers(c, a, &threads, e) || !open_sources(c, a, e))
		return false;
	if (img_given(a, 'n') ? !check_distinct(c, c->file, e) : !make_target(c, a, format, e))
		return false;
	c->target = open_target(c, a, format, e);
	ok = c->target != NULL;
	if (ok && c->compress && c->cluster == 0)
		ok = err_set(e, "-c: %s can't be compressed; use -O qcow2", c->file);
	if (ok && img_given(a, 'C'))
		open_for_offload(c, format != NULL ? format : "raw");
	ok = ok && img_progress_begin(&c->progress, a, c->bytes, e) && copy_all(c, threads, e);
	if (c->target != NULL)
		ok &= img_close(c->target, c->file, ok ? e : NULL);
	if (!ok)
		give_up(c, e);
	return ok;
}

int
img_convert(struct img_args *a, struct err *e)
{
	struct copy c = {
		.offload_fd = -1, .compress = img_given(a, 'c'), .salvage = img_given(a, IMG_SALVAGE),
		.any_order = img_given(a, 'W'),
	};
	bool ok;

	if (!check_combinations(a, e))
		return IMG_FAILED;
	c.file = a->files[a->count - 1];
	ok = convert(&c, a, e);
	end_copy(&c);
	return ok ? 0 : IMG_FAILED;
}

/* ---- dd ---- */

struct dd {
	const char *in, *out;
	uint64_t block, count, skip;
};

static bool
parse_dd(const struct img_args *a, struct dd *d, struct err *e)
{
	*d = (struct dd){ .block = SECTOR, .count = UINT64_MAX };
	for (unsigned n = 0; n < a->count; n++) {
		const char *word = a->files[n], *value = strchr(word, '=');
		size_t len = value != NULL ? (size_t)(value - word) : 0;
		bool ok = true;

		if (len == 2 && strncmp(word, "if", 2) == 0)
			d->in = value + 1;
		else if (len == 2 && strncmp(word, "of", 2) == 0)
			d->out = value + 1;
		else if (len == 2 && strncmp(word, "bs", 2) == 0)
			ok = img_size(value + 1, "bs", &d->block, e);
		else if (len == 5 && strncmp(word, "count", 5) == 0)
			ok = img_size(value + 1, "count", &d->count, e);
		else if (len == 4 && strncmp(word, "skip", 4) == 0)
			ok = img_size(value + 1, "skip", &d->skip, e);
		else
			ok = err_set(e, "'%s' is not known; use if=, of=, bs=, count= and skip=", word);
		if (!ok)
			return false;
	}
	if (d->in == NULL || d->out == NULL)
		return err_set(e, "if= and of= are needed");
	return (d->block > 0 && d->block <= INT32_MAX) || err_set(e, "bs= is a size from 1 to 2G - 1");
}

/* A product that stays inside 64 bits. */
static uint64_t
times(uint64_t a, uint64_t b)
{
	return b != 0 && a > INT64_MAX / b ? INT64_MAX : a * b;
}

/* The part of the source becomes all that there is of it. */
static bool
dd(struct copy *c, struct img_args *a, const struct dd *d, struct err *e)
{
	const char *format = img_given(a, 'O') ? a->value['O'] : "raw";
	struct source *s = &c->sources[0];
	uint64_t all, skip;
	bool ok;

	s->file = d->in;
	s->image = img_open(a, d->in, a->value['f'], 0, 0, e);
	if (s->image == NULL)
		return false;
	all = image_bytes(s->image);
	skip = times(d->skip, d->block);
	if (skip >= all)
		return err_set(e, "%s: skip= leaves nothing of it", d->in);
	c->bytes = MIN(all - skip, times(d->count, d->block));
	if (c->bytes == 0)
		return err_set(e, "count= leaves nothing to copy");
	if (!make_target(c, a, format, e))
		return false;
	c->target = open_target(c, a, format, e);
	ok = c->target != NULL;
	for (uint64_t at = 0, n; ok && at < c->bytes; at += n) {
		static uint8_t buf[IMG_CHUNK];
		int error;

		n = MIN(sizeof(buf), c->bytes - at);
		error = image_read(s->image, skip + at, buf, n);
		if (error != 0)
			ok = img_io_error(e, d->in, "read", skip + at, error);
		else if (!img_is_zero(buf, n) && (error = image_write(c->target, at, buf, n)) != 0)
			ok = img_io_error(e, d->out, "write", at, error);
	}
	if (c->target != NULL)
		ok &= img_close(c->target, d->out, ok ? e : NULL);
	if (!ok)
		give_up(c, e);
	return ok;
}

int
img_dd(struct img_args *a, struct err *e)
{
	struct copy c = { .offload_fd = -1, .count = 1 };
	struct dd d;
	bool ok;

	if (!parse_dd(a, &d, e))
		return IMG_FAILED;
	c.file = d.out;
	c.sources = xcalloc(1, sizeof(*c.sources));
	c.sources[0].offload_fd = -1;
	ok = dd(&c, a, &d, e);
	end_copy(&c);
	return ok ? 0 : IMG_FAILED;
}
