/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How requests go: in place, by workers, from a vCPU's thread while the machine's thread does other things. */
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "disk/tool.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 8 << 20, REQUESTS = 2000, BIG = 256 << 10 };

static char path[64];
static struct loop *loop;
static struct disk *disk;

static void
set_up(void)
{
	int fd;

	strcpy(path, "/tmp/test_disk_io_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, SIZE), 0);
	close(fd);
	loop = loop_new(NULL);
	/* The loop knows its thread from its first turn on. */
	loop_turn(loop, 0);
}

static void
tear_down(void)
{
	unlink(path);
	loop_free(loop);
}

static void
open_disk(struct disk_options o)
{
	struct err e = { "" };

	o.file = path;
	disk = disk_open(loop, &o, &e);
	ck_assert_msg(disk != NULL, "%s", e.text);
}

/* The last request's callback has been called, but may not have returned. */
static void
close_disk(void)
{
	loop_lock(loop);
	disk_close(disk);
	loop_unlock(loop);
}

/* A vCPU: its requests, one after the other, and what came back. */
struct guest {
	pthread_t thread;
	pthread_t done_in;
	_Atomic unsigned count;
	unsigned most;
	_Atomic int error;
	_Atomic bool stop;
	uint64_t in_place;
	uint8_t buf[BIG];
};

static void
done(void *opaque, int error)
{
	struct guest *g = opaque;

	g->done_in = pthread_self();
	if (error != 0)
		atomic_store(&g->error, error);
	atomic_fetch_add(&g->count, 1);
}

static bool
wait_until(struct guest *g, unsigned count)
{
	for (unsigned i = 0; i < 20000 && atomic_load(&g->count) < count; i++)
		usleep(100);
	return atomic_load(&g->count) == count;
}

static void
request(struct guest *g, bool write, uint64_t offset, size_t len)
{
	unsigned before = atomic_load(&g->count);

	loop_lock(loop);
	if (write)
		disk_write(disk, offset, g->buf, len, done, g);
	else
		disk_read(disk, offset, g->buf, len, done, g);
	/* Never before the lock is let go. */
	ck_assert_uint_eq(atomic_load(&g->count), before);
	loop_unlock(loop);
	ck_assert(wait_until(g, before + 1));
	g->in_place += pthread_equal(g->done_in, pthread_self()) != 0;
}

/* Small writes and reads of what was written: each done when the lock is let go, in this very thread. */
static void *
small_ones(void *opaque)
{
	struct guest *g = opaque;

	for (unsigned i = 0; i < 64; i++) {
		memset(g->buf, i + 1, 4096);
		request(g, true, i * 4096, 4096);
	}
	for (unsigned i = 0; i < 64; i++) {
		request(g, false, i * 4096, 4096);
		ck_assert_uint_eq(g->buf[0], i + 1);
		ck_assert_uint_eq(g->buf[4095], i + 1);
	}
	return NULL;
}

static void
turn_until(struct guest *g, unsigned count)
{
	for (unsigned i = 0; i < 20000 && atomic_load(&g->count) < count; i++)
		loop_turn(loop, 5);
	ck_assert_uint_eq(atomic_load(&g->count), count);
}

START_TEST(in_place)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	struct disk_stats st;

	open_disk((struct disk_options){ 0 });
	pthread_create(&g->thread, NULL, small_ones, g);
	turn_until(g, 128);
	pthread_join(g->thread, NULL);
	ck_assert_int_eq(g->error, 0);
	ck_assert_uint_ge(g->in_place, 64);
	st = disk_stats(disk);
	ck_assert_uint_eq(st.reads, 64);
	ck_assert_uint_eq(st.bytes_written, 64 * 4096);
	close_disk();
	free(g);
}
END_TEST

/* A filter that takes its time is no thing to do in place; nor is a write that was answered by an error. */
static void *
two_requests(void *opaque)
{
	struct guest *g = opaque;

	request(g, false, 0, 4096);
	request(g, true, 0, 4096);
	return NULL;
}

START_TEST(not_in_place)
{
	struct guest *g = xcalloc(1, sizeof(*g));

	open_disk((struct disk_options){ .filter = "fault:write@0=EIO" });
	pthread_create(&g->thread, NULL, two_requests, g);
	turn_until(g, 2);
	pthread_join(g->thread, NULL);
	ck_assert_int_eq(g->error, EIO);
	ck_assert_uint_eq(g->in_place, 0);
	close_disk();
	free(g);
}
END_TEST

/* Asks for the next one from the callback, as a drive does. */
static void
again(void *opaque, int error)
{
	struct guest *g = opaque;

	if (error == ECANCELED)
		atomic_store(&g->stop, true);
	if (atomic_fetch_add(&g->count, 1) + 1 < g->most && error == 0)
		disk_read(disk, 4096, g->buf, 4096, again, g);
}

static void *
chain(void *opaque)
{
	struct guest *g = opaque;

	loop_lock(loop);
	disk_read(disk, 0, g->buf, 4096, again, g);
	loop_unlock(loop);
	return NULL;
}

START_TEST(chains)
{
	struct guest *g = xcalloc(1, sizeof(*g));

	g->most = REQUESTS;
	open_disk((struct disk_options){ 0 });
	pthread_create(&g->thread, NULL, chain, g);
	turn_until(g, REQUESTS);
	pthread_join(g->thread, NULL);
	close_disk();
	free(g);
}
END_TEST

/* The machine ends while a vCPU is at it: every request is answered once. */
static void *
keep_asking(void *opaque)
{
	struct guest *g = opaque;

	while (!atomic_load(&g->stop)) {
		loop_lock(loop);
		if (!atomic_load(&g->stop)) {
			g->most++;
			disk_write(disk, (uint64_t)g->most % 64 * 4096, g->buf, g->most % 3 == 0 ? BIG : 512, done, g);
		}
		loop_unlock(loop);
	}
	return NULL;
}

START_TEST(ends)
{
	for (unsigned round = 0; round < 20; round++) {
		struct guest *g = xcalloc(1, sizeof(*g));

		/* With a filter that takes its time nothing is done in place; io_uring has the larger ones. */
		struct disk_options o = { .file = path, .cache_unsafe = true, .filter = round % 3 == 1 ? "delay:10000" : NULL,
			.io_uring = round % 3 == 2 };

		disk = disk_open(loop, &o, NULL);
		if (disk == NULL)
			open_disk((struct disk_options){ .cache_unsafe = true });
		pthread_create(&g->thread, NULL, keep_asking, g);
		for (unsigned i = 0; i < 5; i++)
			loop_turn(loop, 1);
		loop_lock(loop);
		disk_end_requests(disk);
		atomic_store(&g->stop, true);
		disk_close(disk);
		loop_unlock(loop);
		pthread_join(g->thread, NULL);
		loop_turn(loop, 0);
		ck_assert_uint_eq(atomic_load(&g->count), g->most);
		free(g);
	}
}
END_TEST

/* ---- every kind of image ---- */

/* Random reads and writes, small and not, checked against memory. */
static void *
random_ones(void *opaque)
{
	struct guest *g = opaque;
	uint8_t *model = xcalloc(1, SIZE);
	uint64_t seed = 1;

	ck_assert_int_eq(disk_read_sync(disk, 0, model, SIZE), 0);
	for (unsigned i = 0; i < REQUESTS; i++) {
		uint64_t offset;
		size_t len;

		seed = seed * 6364136223846793005 + 1442695040888963407;
		len = (seed >> 60 & 1) ? 4096 : 512 * (1 + (seed >> 40) % 128);
		offset = (seed >> 20) % (SIZE - len) / 512 * 512;
		if (len == 4096)
			offset &= ~4095ull;
		if (seed >> 59 & 1) {
			memset(g->buf, i, len);
			request(g, true, offset, len);
			memcpy(model + offset, g->buf, len);
		} else {
			request(g, false, offset, len);
			ck_assert_mem_eq(g->buf, model + offset, len);
		}
	}
	free(model);
	return NULL;
}

static void
make_qcow2(const char *file, const char *backing)
{
	struct image_create c = {
		.file = file, .format = "qcow2", .bytes = SIZE, .backing_file = backing, .backing_format = backing != NULL ? "raw" : NULL,
	};
	struct err e = { "" };

	ck_assert_msg(image_create(&c, &e), "%s", e.text);
}

START_TEST(kinds)
{
	static const struct {
		const char *format;
		bool backing, snapshot, ring, direct;
	} rows[] = {
		{ .format = "raw" }, { .format = "raw", .snapshot = true }, { .format = "raw", .ring = true },
		{ .format = "raw", .ring = true, .direct = true }, { .format = "qcow2" }, { .format = "qcow2", .backing = true },
		{ .format = "qcow2", .backing = true, .snapshot = true }, { .format = "qcow2", .ring = true },
	};
	struct guest *g = xcalloc(1, sizeof(*g));
	char *base = xasprintf("%s.base", path);
	struct disk_options o = { .file = path, .format = rows[_i].format, .snapshot = rows[_i].snapshot, .cache_unsafe = true,
		.io_uring = rows[_i].ring, .cache_direct = rows[_i].direct };
	struct err e = { "" };

	ck_assert_int_eq(link(path, base), 0);
	if (strcmp(o.format, "qcow2") == 0) {
		unlink(path);
		make_qcow2(path, rows[_i].backing ? base : NULL);
	}
	disk = disk_open(loop, &o, &e);
	/* Neither is to be had everywhere. */
	if (disk == NULL && (o.io_uring || o.cache_direct)) {
		ck_assert_msg(strstr(e.text, "; use ") != NULL, "%s", e.text);
	} else {
		ck_assert_msg(disk != NULL, "%s", e.text);
		pthread_create(&g->thread, NULL, random_ones, g);
		turn_until(g, REQUESTS);
		pthread_join(g->thread, NULL);
		ck_assert_int_eq(g->error, 0);
		ck_assert(o.cache_direct || g->in_place > REQUESTS / 4);
	}
	close_disk();
	unlink(base);
	free(base);
	free(g);
}
END_TEST

/* ---- caches and zeros ---- */

/* Aligned or not, at the end of a file of odd size: what was written is read, by either way. */
START_TEST(direct)
{
	uint8_t *buf = xcalloc(1, 40000), *back = xcalloc(1, 40000);
	struct err e = { "" };
	struct disk_options o = { .file = path, .cache_direct = true };
	uint32_t seed = 1;

	ck_assert_int_eq(truncate(path, 1000000), 0);
	disk = disk_open(loop, &o, &e);
	if (disk == NULL) {
		/* Not every file system can. */
		ck_assert_msg(strstr(e.text, "cache=writeback") != NULL, "%s", e.text);
		free(buf);
		free(back);
		return;
	}
	for (unsigned i = 0; i < 500; i++) {
		uint64_t offset;
		size_t len, at;

		seed = seed * 1664525 + 1013904223;
		offset = (seed >> 8) % 1953 * 512;
		len = i % 3 == 0 ? 4096 : 512 * (1 + (seed >> 20) % 60);
		at = i % 5 * 8;
		if (i % 3 == 0)
			offset &= ~4095ull;
		if (offset + len > disk_bytes(disk))
			len = disk_bytes(disk) - offset;
		memset(buf, i, 40000);
		ck_assert_int_eq(disk_write_sync(disk, offset, buf + at, len), 0);
		ck_assert_int_eq(disk_read_sync(disk, offset, back + at, len), 0);
		ck_assert_mem_eq(back + at, buf + at, len);
	}
	ck_assert_int_eq(disk_flush_sync(disk), 0);
	close_disk();
	free(buf);
	free(back);
}
END_TEST

static int
result_of(bool write, uint64_t offset, uint8_t *buf, size_t len)
{
	struct guest *g = xcalloc(1, sizeof(*g));
	int error;

	loop_lock(loop);
	if (write)
		disk_write(disk, offset, buf, len, done, g);
	else
		disk_discard(disk, offset, len, done, g);
	loop_unlock(loop);
	turn_until(g, 1);
	error = g->error;
	free(g);
	return error;
}

/* A write isn't done before its flush, whose failure is the write's. */
START_TEST(write_through)
{
	uint8_t buf[4096] = { 1 };

	open_disk((struct disk_options){ .cache_through = true, .filter = "fault:flush#2=EIO" });
	ck_assert_int_eq(result_of(true, 0, buf, 4096), 0);
	ck_assert_int_eq(result_of(true, 0, buf, 4096), EIO);
	close_disk();
	open_disk((struct disk_options){ .filter = "fault:flush#2=EIO" });
	for (unsigned i = 0; i < 5; i++)
		ck_assert_int_eq(result_of(true, 0, buf, 4096), 0);
	close_disk();
}
END_TEST

static uint64_t
space_of(void)
{
	struct stat st;

	ck_assert_int_eq(stat(path, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

START_TEST(zeros)
{
	uint8_t *buf = xcalloc(1, 1 << 20), byte = 1;
	uint64_t full;

	memset(buf, 0x77, 1 << 20);
	open_disk((struct disk_options){ .detect_zeros = true, .discard = true });
	ck_assert_int_eq(result_of(true, 0, buf, 1 << 20), 0);
	ck_assert_int_eq(disk_flush_sync(disk), 0);
	full = space_of();
	memset(buf, 0, 1 << 20);
	ck_assert_int_eq(result_of(true, 0, buf, 1 << 19), 0);
	/* File systems without holes write them. */
	if (space_of() < full)
		ck_assert_uint_le(space_of(), full - (1 << 19));
	ck_assert_int_eq(disk_read_sync(disk, (1 << 19) - 1, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0);
	ck_assert_int_eq(disk_read_sync(disk, 1 << 19, &byte, 1), 0);
	ck_assert_uint_eq(byte, 0x77);
	ck_assert_int_eq(result_of(false, 1 << 19, NULL, 1 << 19), 0);
	if (space_of() < full)
		ck_assert_uint_eq(space_of(), 0);
	close_disk();
	/* Not asked for, nothing is discarded. */
	open_disk((struct disk_options){ .filter = "fault:discard=EIO" });
	ck_assert_int_eq(result_of(false, 0, NULL, 4096), 0);
	close_disk();
	free(buf);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("disk_io");
	TCase *t = tcase_create("disk_io");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, in_place);
	tcase_add_test(t, not_in_place);
	tcase_add_test(t, chains);
	tcase_add_test(t, ends);
	tcase_add_loop_test(t, kinds, 0, 8);
	tcase_add_test(t, direct);
	tcase_add_test(t, write_through);
	tcase_add_test(t, zeros);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
