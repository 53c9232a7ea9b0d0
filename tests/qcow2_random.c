/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random requests on qcow2 images of every kind, compared with a plain array: reads, writes, zeros, discards, compressed
 * clusters, snapshots taken, applied and deleted, sizes changed, images closed and opened.  Tables are checked often.
 * Then several threads at once, each on sectors of its own that share clusters with those of the others.
 *
 * CALQUE_RANDOM_REQUESTS: how many; CALQUE_SEED: where to begin.
 */
#include "tests/qcow2_mem.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { DISK = 2 * 1024 * 1024, SNAPSHOTS = 4, REQUESTS_OF_RUN = 500, THREADS = 4, THREAD_REQUESTS = 1000 };

struct kept {
	bool there;
	char name[8];
	uint64_t bytes;
	uint8_t *content;
};

struct run {
	uint64_t seed, random, bytes;
	struct mem file, backing_file;
	struct image_create kind;
	struct image *image, *backing;
	uint8_t *content;
	bool *unsure; /* of each sector: discarded */
	struct kept kept[SNAPSHOTS];
};

static void
must(struct run *r, int error, const char *what)
{
	if (error != 0)
		fail_with(r->seed, "%s: errno %d", what, error);
}

static void
must_do(struct run *r, bool ok, const struct err *e)
{
	if (!ok)
		fail_with(r->seed, "%s", e->text);
}

/* ---- comparing ---- */

/* What was discarded may be as it was, or zeros; from now on it stays so. */
static void
compare(struct run *r, uint64_t offset, const uint8_t *found, uint64_t len)
{
	if (memcmp(found, r->content + offset, len) == 0)
		return;
	for (uint64_t n = 0; n < len; n++) {
		if (found[n] == r->content[offset + n])
			continue;
		if (!r->unsure[(offset + n) / 512] || found[n] != 0)
			fail_with(r->seed, "byte %llu has %02x, not %02x", (unsigned long long)(offset + n), found[n], r->content[offset + n]);
		r->content[offset + n] = 0;
	}
}

static void
settle(struct run *r)
{
	uint8_t *buf = xcalloc(1, r->bytes);

	must(r, image_read(r->image, 0, buf, r->bytes), "read");
	compare(r, 0, buf, r->bytes);
	memset(r->unsure, 0, DISK / 512);
	free(buf);
}

static void
complain(void *opaque, const char *line)
{
	(void)opaque;
	fprintf(stderr, "%s\n", line);
}

static void
check(struct run *r)
{
	struct image_check_hooks hooks = { .tell = complain };
	struct image_check c;
	struct err e = { "" };

	must_do(r, image_check(r->image, 0, &hooks, &c, &e), &e);
	if (c.corruptions != 0 || c.leaks != 0)
		fail_with(r->seed, "%llu corruptions, %llu leaks", (unsigned long long)c.corruptions, (unsigned long long)c.leaks);
}

/* ---- requests ---- */

static void
draw_range(struct run *r, uint64_t *offset, uint64_t *len)
{
	*len = draw(&r->random, 3) == 0 ? 1 + draw(&r->random, 300000) : 512 * (1 + draw(&r->random, 64));
	*len = MIN(*len, r->bytes);
	*offset = draw(&r->random, r->bytes - *len + 1);
	if (draw(&r->random, 4) != 0)
		*offset &= ~511ull;
}

static void
do_read(struct run *r)
{
	uint64_t offset, len;
	uint8_t *buf;

	draw_range(r, &offset, &len);
	buf = xcalloc(1, len);
	if (draw(&r->random, 2) || layer_read_now(r->image, offset, buf, len) != 0)
		must(r, image_read(r->image, offset, buf, len), "read");
	compare(r, offset, buf, len);
	free(buf);
}

static void
do_write(struct run *r)
{
	uint64_t offset, len;
	uint8_t first = draw(&r->random, 256);

	draw_range(r, &offset, &len);
	settle(r);
	for (uint64_t n = 0; n < len; n++)
		r->content[offset + n] = first + n / 7;
	if (draw(&r->random, 2) || layer_write_now(r->image, offset, r->content + offset, len) != 0)
		must(r, image_write(r->image, offset, r->content + offset, len), "write");
}

static void
do_zeros(struct run *r)
{
	uint64_t offset, len;

	draw_range(r, &offset, &len);
	settle(r);
	memset(r->content + offset, 0, len);
	must(r, image_write_zeros(r->image, offset, len, draw(&r->random, 2)), "zeros");
}

static void
do_discard(struct run *r)
{
	uint64_t offset, len;

	draw_range(r, &offset, &len);
	must(r, image_discard(r->image, offset, len), "discard");
	for (uint64_t n = offset / 512; n <= (offset + len - 1) / 512; n++)
		r->unsure[n] = true;
}

static void
do_compressed(struct run *r)
{
	uint32_t cluster = r->kind.cluster_bytes;
	uint64_t at = (uint64_t)draw(&r->random, r->bytes / cluster + (r->bytes < cluster)) * cluster, len = MIN(cluster, r->bytes - at);

	settle(r);
	for (uint64_t n = 0; n < len; n++)
		r->content[at + n] = n / 97 + at;
	must(r, image_write_compressed(r->image, at, r->content + at, len), "compressed");
}

static void
reopen(struct run *r)
{
	settle(r);
	r->image->backing = NULL;
	must(r, image_flush(r->image), "flush");
	r->image->ops->close(r->image);
	r->image = open_in(&r->file, IMAGE_WRITE | (draw(&r->random, 2) ? IMAGE_UNMAP : 0));
	r->image->backing = r->backing;
	check(r);
}

/* Refcounts that are too narrow say so, and nothing is changed. */
static bool
is_narrow(struct run *r, const struct err *e)
{
	if (r->kind.refcount_bits > 8 || strstr(e->text, "narrow") == NULL)
		fail_with(r->seed, "%s", e->text);
	return true;
}

static void
do_snapshot(struct run *r)
{
	struct kept *k = &r->kept[draw(&r->random, SNAPSHOTS)];
	struct err e = { "" };

	settle(r);
	if (k->there && draw(&r->random, 2)) {
		must_do(r, image_snapshot_delete(r->image, k->name, &e), &e);
		k->there = false;
		free(k->content);
	} else if (k->there) {
		if (image_snapshot_apply(r->image, k->name, &e) || !is_narrow(r, &e)) {
			r->bytes = k->bytes;
			memcpy(r->content, k->content, DISK);
		}
	} else {
		snprintf(k->name, sizeof(k->name), "s%u", (unsigned)(k - r->kept));
		if (image_snapshot_create(r->image, k->name, &e) || !is_narrow(r, &e)) {
			k->there = true;
			k->bytes = r->bytes;
			k->content = xcalloc(1, DISK);
			memcpy(k->content, r->content, DISK);
		}
	}
	check(r);
	settle(r);
}

static void
do_resize(struct run *r)
{
	uint64_t bytes = 512ull * (1 + draw(&r->random, DISK / 512));
	bool has_snapshots = false;
	struct err e = { "" };

	for (unsigned n = 0; n < SNAPSHOTS; n++)
		has_snapshots = has_snapshots || r->kept[n].there;
	if (has_snapshots || r->kind.version == 2)
		return;
	settle(r);
	must_do(r, image_resize(r->image, bytes, 0, true, &e), &e);
	if (bytes < r->bytes)
		memset(r->content + bytes, 0, DISK - bytes);
	r->bytes = bytes;
	settle(r);
	check(r);
}

static void
request(struct run *r)
{
	uint32_t what = draw(&r->random, 1000);

	if (what < 400)
		do_read(r);
	else if (what < 800)
		do_write(r);
	else if (what < 860)
		do_zeros(r);
	else if (what < 920)
		do_discard(r);
	else if (what < 960)
		do_compressed(r);
	else if (what < 975)
		must(r, image_flush(r->image), "flush");
	else if (what < 980)
		reopen(r);
	else if (what < 992)
		do_snapshot(r);
	else if (what < 996)
		do_resize(r);
	else
		check(r);
}

static void
prepare_backing(struct run *r)
{
	struct image_create o = { .file = "memory", .format = "qcow2", .bytes = DISK * 2 / 3, .cluster_bytes = 4096 };

	make_in(&r->backing_file, &o);
	r->backing = open_in(&r->backing_file, IMAGE_WRITE);
	for (unsigned n = 0; n < 40; n++) {
		uint64_t at = draw(&r->random, r->backing->bytes - 5000);

		memset(r->content + at, n + 1, 5000);
		must(r, image_write(r->backing, at, r->content + at, 5000), "write");
	}
	r->kind.backing_file = "memory";
}

static void
run(uint64_t seed, unsigned long requests)
{
	struct run r = { .seed = seed, .random = seed * 0x9e3779b97f4a7c15ull + 1, .bytes = DISK, .file.most = 256 * MiB,
		.backing_file.most = 64 * MiB };

	r.content = xcalloc(1, DISK);
	r.unsure = xcalloc(DISK / 512, sizeof(bool));
	r.kind = draw_kind(&r.random, DISK);
	if (r.kind.version == 3 && zstd_is_there() && draw(&r.random, 2))
		r.kind.compression = COMPRESSION_ZSTD;
	if (draw(&r.random, 3) == 0)
		prepare_backing(&r);
	make_in(&r.file, &r.kind);
	r.image = open_in(&r.file, IMAGE_WRITE);
	r.image->backing = r.backing;
	while (requests-- > 0)
		request(&r);
	reopen(&r);
	settle(&r);
	r.image->backing = NULL;
	r.image->ops->close(r.image);
	if (r.backing != NULL)
		r.backing->ops->close(r.backing);
	for (unsigned n = 0; n < SNAPSHOTS; n++) {
		if (r.kept[n].there)
			free(r.kept[n].content);
	}
	mem_free(&r.file);
	mem_free(&r.backing_file);
	free(r.content);
	free(r.unsure);
}

/* ---- threads ---- */

struct worker {
	struct image *image;
	unsigned number;
	uint64_t random, seed;
	uint8_t *content; /* of sectors NUMBER, NUMBER + THREADS, ... */
	unsigned long requests;
};

static void *
work(void *opaque)
{
	struct worker *w = opaque;
	uint8_t buf[512];

	for (unsigned long n = 0; n < w->requests; n++) {
		uint32_t sector = draw(&w->random, DISK / 512 / THREADS) * THREADS + w->number, what = draw(&w->random, 100);
		uint8_t *content = w->content + sector * 512ull;
		int error;

		if (what < 50) {
			memset(content, draw(&w->random, 256), 512);
			error = draw(&w->random, 2) ? EAGAIN : layer_write_now(w->image, sector * 512ull, content, 512);
			if (error != 0)
				error = image_write(w->image, sector * 512ull, content, 512);
		} else if (what < 52) {
			memset(content, 0, 512);
			error = image_write_zeros(w->image, sector * 512ull, 512, true);
		} else if (what < 54) {
			error = image_flush(w->image);
		} else {
			error = draw(&w->random, 2) ? EAGAIN : layer_read_now(w->image, sector * 512ull, buf, 512);
			if (error != 0)
				error = image_read(w->image, sector * 512ull, buf, 512);
			if (error == 0 && memcmp(buf, content, 512) != 0)
				fail_with(w->seed, "thread %u: sector %u has %02x, not %02x", w->number, sector, buf[0], content[0]);
		}
		if (error != 0)
			fail_with(w->seed, "thread %u: errno %d", w->number, error);
	}
	return NULL;
}

/* In a real file: the layer in memory is for one thread. */
static void
run_threads(uint64_t seed, unsigned long requests)
{
	char path[] = "/tmp/qcow2_random_XXXXXX";
	uint64_t random = seed * 0x9e3779b97f4a7c15ull + 1;
	struct image_create kind = draw_kind(&random, DISK);
	struct image_open o = { .file = path, .flags = IMAGE_WRITE | IMAGE_UNSAFE };
	struct worker workers[THREADS];
	pthread_t ids[THREADS];
	struct image_check c;
	struct err e = { "" };
	struct image *i;

	close(mkstemp(path));
	kind.file = path;
	if (!image_create(&kind, &e) || (i = image_open(&o, &e)) == NULL)
		fail_with(seed, "%s", e.text);
	for (unsigned n = 0; n < THREADS; n++) {
		workers[n] = (struct worker){ i, n, random + n * 77, seed, xcalloc(1, DISK), requests / THREADS };
		pthread_create(&ids[n], NULL, work, &workers[n]);
	}
	for (unsigned n = 0; n < THREADS; n++) {
		pthread_join(ids[n], NULL);
		free(workers[n].content);
	}
	if (!image_check(i, 0, NULL, &c, &e) || c.corruptions != 0 || c.leaks != 0)
		fail_with(seed, "after threads: %llu corruptions, %llu leaks; %s", (unsigned long long)c.corruptions,
			(unsigned long long)c.leaks, e.text);
	image_close(i);
	unlink(path);
}

int
main(void)
{
	unsigned long wanted = count_from("CALQUE_RANDOM_REQUESTS", 20000), done;
	uint64_t seed = count_from("CALQUE_SEED", 1);

	for (done = 0; done < wanted; done += REQUESTS_OF_RUN)
		run(seed++, REQUESTS_OF_RUN);
	for (done = 0; done < wanted; done += THREAD_REQUESTS)
		run_threads(seed++, THREAD_REQUESTS);
	printf("%lu requests as in a plain array, and as many by several threads\n", wanted);
	return 0;
}
