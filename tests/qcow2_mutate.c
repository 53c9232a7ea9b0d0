/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Damaged qcow2 images: bytes of good ones are changed, mostly in their tables, and everything is done with them that
 * can be.  None may crash the process, hold it up for a second, or have it take more than 64 MiB.
 *
 * CALQUE_MUTATIONS: how many; CALQUE_SEED: where to begin.  What fails says its seed; with CALQUE_MUTATIONS=1 it is done alone.
 */
#include "tests/qcow2_mem.h"

#include "base/err.h"
#include "base/util.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { DISK = 4 * 1024 * 1024, GOOD = 24, FILE_MOST = 16 * 1024 * 1024, EXTRA_KIB = 64 * 1024 };

#ifdef __SANITIZE_ADDRESS__
enum { SLOWER = 10, MEMORY_COUNTS = 0 };
#else
enum { SLOWER = 1, MEMORY_COUNTS = 1 };
#endif

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * NS_PER_SEC + t.tv_nsec;
}

static long
memory_kib(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return u.ru_maxrss;
}

static void
make_good(struct mem *m, uint64_t *random)
{
	struct image_create o = draw_kind(random, DISK);
	uint8_t *buf = xcalloc(1, DISK / 4);
	struct err e = { "" };
	struct image *i;

	if (draw(random, 4) == 0) {
		o.backing_file = "backing.img";
		o.backing_format = "raw";
	}
	m->most = FILE_MOST;
	make_in(m, &o);
	i = open_in(m, IMAGE_WRITE | IMAGE_NO_BACKING);
	for (unsigned n = 0; n < 8; n++) {
		uint64_t at = draw(random, DISK * 3 / 4), cluster = o.cluster_bytes;

		for (unsigned k = 0; k < DISK / 4; k++)
			buf[k] = k / 300 + n;
		at -= at % cluster;
		image_write(i, at, buf, (1 + draw(random, 3)) * cluster);
		image_write_compressed(i, (at + 5 * cluster) % DISK / cluster * cluster, buf, cluster);
		image_write_zeros(i, at / 2, 100000, false);
		if (n == 3 || n == 5)
			image_snapshot_create(i, n == 3 ? "a" : "b", &e);
	}
	image_flush(i);
	i->ops->close(i);
	free(buf);
}

/* ---- damage ---- */

static const uint64_t words[] = {
	0, 1, 0xff, 0x200, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff, 1ull << 62, 1ull << 63, INT64_MAX, UINT64_MAX,
	0x00fffffffffffe00, 0x8000000000000200, 0x8000000000010000, 0x4000000000000000,
};

/* A place in the header, in a table that it names, or anywhere. */
static uint64_t
draw_place(const struct mem *m, uint64_t *random)
{
	static const unsigned tables[] = { H_L1_OFFSET, H_RT_OFFSET, H_SNAPSHOTS_OFFSET };
	uint64_t at;

	switch (draw(random, 4)) {
	case 0:
		return draw(random, 120);
	case 1:
		at = get_be(m->data + tables[draw(random, 3)], 8) + draw(random, 300);
		break;
	case 2:
		/* What the L1 or refcount table names first. */
		at = get_be(m->data + tables[draw(random, 2)], 8);
		if (at + 8 <= m->bytes)
			at = (get_be(m->data + at, 8) & OFFSET_MASK) + draw(random, 2000);
		break;
	default:
		at = draw(random, m->bytes);
		break;
	}
	return at + 8 <= m->bytes ? at : draw(random, m->bytes - 8);
}

static void
damage(struct mem *m, uint64_t *random)
{
	for (unsigned n = 1 + draw(random, 5); n > 0; n--) {
		uint64_t at = draw_place(m, random), word = words[draw(random, ARRAY_SIZE(words))];
		unsigned size = 1u << draw(random, 4);

		if (draw(random, 3) == 0) {
			m->data[at] ^= 1u << draw(random, 8);
		} else {
			at -= at % size;
			put_be(m->data + at, draw(random, 3) == 0 ? draw(random, m->bytes) : word, size);
		}
	}
	if (draw(random, 10) == 0)
		m->bytes = 1 + draw(random, m->bytes);
}

/* ---- everything that can be done ---- */

static void
touch(struct image *i, uint64_t *random, bool write)
{
	static uint8_t buf[200000];
	struct image_extent x;
	uint64_t at = 0;

	for (unsigned n = 0; n < 200 && at < i->bytes && image_status(i, at, i->bytes - at, &x) == 0; n++)
		at += x.bytes;
	for (unsigned n = 0; n < 12; n++) {
		size_t len = 1 + draw(random, sizeof(buf));

		at = i->bytes < sizeof(buf) ? 0 : draw(random, MIN(i->bytes - len, UINT32_MAX));
		image_read(i, at, buf, len);
		if (write && n % 3 == 0)
			image_write(i, at, buf, len);
		if (write && n % 3 == 1)
			image_discard(i, at, len);
		if (write && n % 3 == 2)
			image_write_zeros(i, at, len, true);
	}
	if (write)
		image_flush(i);
}

static void
use_tools(struct image *i, uint64_t *random)
{
	struct image_snapshot s;
	struct image_check c;
	struct err e;

	for (unsigned n = 0; image_snapshot(i, n, &s); n++)
		;
	switch (draw(random, 7)) {
	case 0:
		image_snapshot_create(i, "c", &e);
		break;
	case 1:
		image_snapshot_apply(i, "a", &e);
		break;
	case 2:
		image_snapshot_delete(i, "b", &e);
		break;
	case 3:
		image_resize(i, DISK * 3ull, 0, true, &e);
		break;
	case 4:
		image_make_empty(i, &e);
		break;
	case 5:
		image_set_backing(i, "other", "raw", &e);
		break;
	default:
		image_check(i, IMAGE_FIX_LEAKS, NULL, &c, &e);
		break;
	}
}

static struct image *
try_open(struct mem *m, unsigned flags)
{
	struct image *file = mem_layer(m), *i;
	struct err e = { "" };

	i = qcow2_open(file, flags | IMAGE_NO_BACKING, &e);
	if (i == NULL)
		file->ops->close(file);
	return i;
}

static void
mutate(const struct mem *good, uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ull + 1;
	struct mem m = { .most = FILE_MOST };
	struct image_check c;
	struct err e;
	struct image *i;

	mem_put(&m, 0, good->data, good->bytes);
	damage(&m, &random);
	i = try_open(&m, 0);
	if (i != NULL) {
		touch(i, &random, false);
		image_check(i, 0, NULL, &c, &e);
		image_use_snapshot(i, "a", &e);
		touch(i, &random, false);
		i->ops->close(i);
	}
	i = try_open(&m, IMAGE_WRITE);
	if (i != NULL) {
		touch(i, &random, true);
		use_tools(i, &random);
		touch(i, &random, true);
		i->ops->close(i);
	}
	i = try_open(&m, IMAGE_WRITE | IMAGE_REPAIR);
	if (i != NULL) {
		image_check(i, IMAGE_FIX_ALL, NULL, &c, &e);
		touch(i, &random, true);
		i->ops->close(i);
	}
	mem_free(&m);
}

static int real_stderr;
static volatile uint64_t current_seed;

static void
hangs(int signal)
{
	(void)signal;
	dup2(real_stderr, 2);
	fail_with(current_seed, "hangs");
}

/* Out of memory, as xcalloc() says it. */
static void
ends(void)
{
	if (current_seed == 0)
		return;
	dup2(real_stderr, 2);
	fail_with(current_seed, "ends the process");
}

int
main(void)
{
	unsigned long wanted = count_from("CALQUE_MUTATIONS", 1500);
	uint64_t first = count_from("CALQUE_SEED", 1), random = 12345, slowest = 0;
	int quiet = open("/dev/null", O_WRONLY);
	struct mem good[GOOD] = { 0 };
	long before;

	for (unsigned n = 0; n < GOOD; n++)
		make_good(&good[n], &random);
	before = memory_kib();
	real_stderr = dup(2);
	signal(SIGALRM, hangs);
	atexit(ends);
	dup2(quiet, 2);
	for (uint64_t seed = first; seed < first + wanted; seed++) {
		uint64_t start = now_ns(), took;

		current_seed = seed;
		alarm(60);
		mutate(&good[seed % GOOD], seed);
		took = now_ns() - start;
		slowest = MAX(slowest, took);
		if (took > SLOWER * NS_PER_SEC || (MEMORY_COUNTS && memory_kib() - before > EXTRA_KIB)) {
			dup2(real_stderr, 2);
			fail_with(seed, "%llu ms, %ld KiB", (unsigned long long)(took / 1000000), memory_kib() - before);
		}
	}
	current_seed = 0;
	for (unsigned n = 0; n < GOOD; n++)
		mem_free(&good[n]);
	printf("%lu damaged images, the slowest %llu ms, %ld KiB more\n", wanted, (unsigned long long)(slowest / 1000000),
		memory_kib() - before);
	return 0;
}
