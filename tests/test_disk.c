/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks of the host: sizes, locks, overlays, filters, recognition of formats, and how requests end. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "tests/turn.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static struct loop *loop;

static void
set_up(void)
{
	int fd;

	strcpy(path, "/tmp/test_disk_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, 1000000), 0);
	close(fd);
	loop = loop_new(NULL);
	loop_lock(loop);
}

static void
tear_down(void)
{
	unlink(path);
	loop_unlock(loop);
	loop_free(loop);
}

static struct disk *
open_disk(struct disk_options o)
{
	struct err e = { "" };
	struct disk *d;

	if (o.file == NULL)
		o.file = path;
	d = disk_open(loop, &o, &e);
	ck_assert_msg(d != NULL, "%s", e.text);
	return d;
}

static void
refuse(struct disk_options o, const char *word)
{
	struct err e = { "" };

	if (o.file == NULL)
		o.file = path;
	ck_assert_ptr_null(disk_open(loop, &o, &e));
	ck_assert_msg(strstr(e.text, word) != NULL, "\"%s\" is not in: %s", word, e.text);
	ck_assert_msg(strstr(e.text, o.file) != NULL, "no file in: %s", e.text);
}

/* Counts completions, and keeps the last error. */
struct result {
	unsigned count;
	int error;
};

static void
done(void *opaque, int error)
{
	struct result *r = opaque;

	r->count++;
	r->error = error;
}

static int
wait_for(struct result *r, unsigned count)
{
	for (unsigned i = 0; i < 1000 && r->count < count; i++)
		turn(loop, 20);
	ck_assert_uint_eq(r->count, count);
	return r->error;
}

static void
put_in_file(const char *bytes, size_t len, off_t offset)
{
	int fd = open(path, O_RDWR);

	ck_assert_int_eq(pwrite(fd, bytes, len, offset), (ssize_t)len);
	close(fd);
}

START_TEST(sizes)
{
	struct disk *d = open_disk((struct disk_options){ 0 });
	uint8_t buf[512];
	struct stat st;

	/* 1,000,000 bytes are 1953 sectors and a part of one. */
	ck_assert_uint_eq(disk_bytes(d), 1954 * 512);
	memset(buf, 0xaa, sizeof(buf));
	ck_assert_int_eq(disk_read_sync(d, 1953 * 512, buf, 512), 0);
	for (unsigned i = 0; i < 512; i++)
		ck_assert_uint_eq(buf[i], 0);
	memset(buf, 0x55, sizeof(buf));
	ck_assert_int_eq(disk_write_sync(d, 1953 * 512, buf, 512), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_eq(st.st_size, 1954 * 512);
	ck_assert_int_eq(disk_read_sync(d, 1953 * 512, buf, 513), EINVAL);
	ck_assert_int_eq(disk_read_sync(d, UINT64_MAX, buf, 2), EINVAL);
	ck_assert_str_eq(disk_format(d), "raw");
	disk_close(d);
}
END_TEST

START_TEST(requests)
{
	struct disk *d = open_disk((struct disk_options){ 0 });
	struct result r = { 0 };
	uint8_t out[4096], in[4096];

	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = i * 7;
	disk_write(d, 12345, out, sizeof(out), done, &r);
	ck_assert_int_eq(wait_for(&r, 1), 0);
	disk_read(d, 12345, in, sizeof(in), done, &r);
	ck_assert_int_eq(wait_for(&r, 2), 0);
	ck_assert_mem_eq(in, out, sizeof(in));
	disk_flush(d, done, &r);
	ck_assert_int_eq(wait_for(&r, 3), 0);
	disk_discard(d, 8192, 4096, done, &r);
	ck_assert_int_eq(wait_for(&r, 4), 0);
	disk_read(d, disk_bytes(d), in, 1, done, &r);
	ck_assert_int_eq(wait_for(&r, 5), EINVAL);
	ck_assert_uint_eq(disk_stats(d).reads, 2);
	ck_assert_uint_eq(disk_stats(d).bytes_written, 4096);
	ck_assert_uint_eq(disk_stats(d).errors, 1);
	disk_close(d);
}
END_TEST

START_TEST(close_waits)
{
	struct disk *d = open_disk((struct disk_options){ .filter = "delay:20000000" });
	struct result r = { 0 };
	uint8_t buf[16][512];

	for (unsigned i = 0; i < 16; i++)
		disk_read(d, i * 512, buf[i], 512, done, &r);
	disk_close(d);
	ck_assert_uint_eq(r.count, 16);
	ck_assert_int_eq(r.error, 0);
	/* Wake-ups that were posted find the disk closed. */
	turn(loop, 0);
	turn(loop, 0);
}
END_TEST

START_TEST(requests_end)
{
	struct disk *d = open_disk((struct disk_options){ .filter = "delay:20000000" });
	struct result r = { 0 };
	uint8_t buf[512];

	disk_read(d, 0, buf, 512, done, &r);
	disk_end_requests(d);
	ck_assert_uint_eq(r.count, 1);
	ck_assert_int_eq(r.error, 0);
	disk_read(d, 0, buf, 512, done, &r);
	disk_end_requests(d);
	ck_assert_uint_eq(r.count, 2);
	ck_assert_int_eq(r.error, ECANCELED);
	ck_assert_int_eq(disk_write_sync(d, 0, buf, 512), 0);
	disk_close(d);
	ck_assert_uint_eq(r.count, 2);
	/* The wake-ups that were posted let go of the mailbox. */
	turn(loop, 0);
	turn(loop, 0);
}
END_TEST

START_TEST(readonly)
{
	struct disk *d = open_disk((struct disk_options){ .readonly = true });
	struct disk *second = open_disk((struct disk_options){ .readonly = true });

	ck_assert(disk_is_readonly(d));
	ck_assert_int_eq(disk_write_sync(d, 0, "x", 1), EROFS);
	ck_assert_int_eq(disk_flush_sync(d), 0);
	disk_close(second);
	disk_close(d);
}
END_TEST

START_TEST(locks)
{
	struct disk *d = open_disk((struct disk_options){ 0 });
	struct flock l;
	int fd = open(path, O_RDWR);

	refuse((struct disk_options){ 0 }, "another process uses");
	refuse((struct disk_options){ .readonly = true }, "another process writes");
	/* QEMU's bytes: reads and writes; does not share write and resize. */
	for (unsigned byte = 100; byte < 204; byte++) {
		bool want = byte == 100 || byte == 101 || byte == 201 || byte == 203;

		l = (struct flock){ .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
		ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
		ck_assert_msg((l.l_type != F_UNLCK) == want, "byte %u", byte);
	}
	disk_close(d);
	/* Somebody who writes, as QEMU says it. */
	l = (struct flock){ .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = 101, .l_len = 1 };
	ck_assert_int_eq(fcntl(fd, F_OFD_SETLK, &l), 0);
	refuse((struct disk_options){ .readonly = true }, "another process writes");
	close(fd);
	disk_close(open_disk((struct disk_options){ 0 }));
}
END_TEST

START_TEST(snapshot)
{
	struct disk *d;
	uint8_t buf[10000], file[512];

	put_in_file("original", 8, 5000);
	d = open_disk((struct disk_options){ .snapshot = true });
	ck_assert(!disk_is_readonly(d));
	ck_assert_int_eq(disk_write_sync(d, 5004, "overlaid", 8), 0);
	ck_assert_int_eq(disk_read_sync(d, 4000, buf, sizeof(buf)), 0);
	ck_assert_mem_eq(buf + 1000, "origoverlaid", 12);
	ck_assert_uint_eq(buf[999], 0);
	/* Across blocks, and up to the end of the disk. */
	memset(buf, 0x77, sizeof(buf));
	ck_assert_int_eq(disk_write_sync(d, disk_bytes(d) - 9999, buf, 9999), 0);
	memset(buf, 0, sizeof(buf));
	ck_assert_int_eq(disk_read_sync(d, disk_bytes(d) - 10000, buf, 10000), 0);
	ck_assert_uint_eq(buf[0], 0);
	ck_assert_uint_eq(buf[1], 0x77);
	ck_assert_uint_eq(buf[9999], 0x77);
	ck_assert_int_eq(disk_flush_sync(d), 0);
	disk_close(d);
	d = open_disk((struct disk_options){ .readonly = true });
	ck_assert_int_eq(disk_read_sync(d, 5000, file, 512), 0);
	ck_assert_mem_eq(file, "original\0\0", 10);
	disk_close(d);
}
END_TEST

START_TEST(formats)
{
	static const struct {
		const char *word;
		const char *magic;
		unsigned len;
		off_t offset;
	} rows[] = {
		{ "qcow version 0", "QFI\xfb", 4, 0 },
		{ "vmdk", "KDMV", 4, 0 },
		{ "vdi", "\x7f\x10\xda\xbe", 4, 64 },
		{ "vhdx", "vhdxfile", 8, 0 },
		{ "vhd", "conectix", 8, 1954 * 512 - 512 },
	};

	ck_assert_int_eq(truncate(path, 1954 * 512), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		put_in_file(rows[i].magic, rows[i].len, rows[i].offset);
		refuse((struct disk_options){ 0 }, rows[i].word);
		disk_close(open_disk((struct disk_options){ .format = "raw" }));
		put_in_file("\0\0\0\0\0\0\0\0", 8, rows[i].offset);
	}
	refuse((struct disk_options){ .format = "qcow2" }, "not a qcow2 image");
	refuse((struct disk_options){ .format = "vmdk" }, "not supported");
	refuse((struct disk_options){ .file = "/nonexistent/x" }, "No such file");
	refuse((struct disk_options){ .file = "/tmp" }, "directory");
	refuse((struct disk_options){ .file = "/dev/null", .readonly = true }, "neither");
	ck_assert_int_eq(truncate(path, 0), 0);
	refuse((struct disk_options){ 0 }, "empty");
}
END_TEST

/* A guest doesn't make a qcow2 image, with a backing file of its choice, of a disk that was found to be raw. */
START_TEST(mark)
{
	struct disk *d = open_disk((struct disk_options){ 0 });
	uint8_t buf[1024] = "QFI\xfb";

	ck_assert_int_eq(disk_write_sync(d, 0, buf, sizeof(buf)), EPERM);
	ck_assert_int_eq(disk_write_sync(d, 0, "QFI", 3), 0);
	ck_assert_int_eq(disk_write_sync(d, 3, "\xfb", 1), EPERM);
	ck_assert_int_eq(disk_write_sync(d, 3, "\xfc", 1), 0);
	ck_assert_int_eq(disk_write_sync(d, 512, buf, sizeof(buf)), 0);
	disk_close(d);
	d = open_disk((struct disk_options){ .format = "raw" });
	ck_assert_int_eq(disk_write_sync(d, 0, buf, sizeof(buf)), 0);
	disk_close(d);
}
END_TEST

START_TEST(faults)
{
	struct disk *d = open_disk((struct disk_options){
		.filter = "fault:read@0x1000+1024=EIO,write#2=ENOSPC,flush#1=EIO|delay:1000" });
	uint8_t buf[512] = { 0 };

	ck_assert_int_eq(disk_read_sync(d, 0, buf, 512), 0);
	ck_assert_int_eq(disk_read_sync(d, 0x1200, buf, 512), EIO);
	ck_assert_int_eq(disk_read_sync(d, 0x1400, buf, 512), 0);
	ck_assert_int_eq(disk_write_sync(d, 0, buf, 512), 0);
	ck_assert_int_eq(disk_write_sync(d, 0, buf, 512), ENOSPC);
	ck_assert_int_eq(disk_write_sync(d, 0, buf, 512), 0);
	/* The rule is for the first flush; that it failed is final. */
	ck_assert_int_eq(disk_flush_sync(d), EIO);
	ck_assert_int_eq(disk_flush_sync(d), EIO);
	disk_close(d);
	refuse((struct disk_options){ .filter = "fault:read" }, "filter");
	refuse((struct disk_options){ .filter = "fault:read=EIO," }, "filter");
	refuse((struct disk_options){ .filter = "slow" }, "filter");
}
END_TEST

struct stall {
	unsigned stalls, done;
	int error, result;
};

static void
note_stall(void *opaque, int error)
{
	struct stall *s = opaque;

	s->stalls++;
	s->error = error;
}

static void
note_done(void *opaque, int error)
{
	struct stall *s = opaque;

	s->done++;
	s->result = error;
}

/* Until DONE requests have come home and there were STALLS. */
static void
turn_until(const struct stall *s, unsigned stalls, unsigned done)
{
	for (unsigned i = 0; i < 1000 && (s->stalls < stalls || s->done < done); i++)
		turn(loop, 10);
	ck_assert_uint_eq(s->stalls, stalls);
	ck_assert_uint_eq(s->done, done);
}

START_TEST(full)
{
	struct stall s = { 0 };
	uint8_t buf[512], back[512];
	struct disk *d = open_disk((struct disk_options){
		.filter = "fault:write#1=ENOSPC,write#2=ENOSPC,write#4=EIO,flush#1=EIO,read#2=EIO" });

	/* Two writes find no space: held, then done again, and the last data is there. */
	disk_on_stall(d, note_stall, &s);
	memset(buf, 0x5a, sizeof(buf));
	disk_write(d, 1024, buf, 512, note_done, &s);
	turn_until(&s, 1, 0);
	ck_assert_int_eq(s.error, ENOSPC);
	disk_retry(d);
	turn_until(&s, 2, 0);
	disk_retry(d);
	turn_until(&s, 2, 1);
	ck_assert_int_eq(s.result, 0);
	ck_assert_int_eq(disk_read_sync(d, 1024, back, 512), 0);
	ck_assert_mem_eq(buf, back, 512);
	/* Other errors are the device's. */
	disk_write(d, 0, buf, 512, note_done, &s);
	turn_until(&s, 2, 2);
	ck_assert_int_eq(s.result, EIO);
	disk_read(d, 0, buf, 512, note_done, &s);
	turn_until(&s, 2, 3);
	ck_assert_int_eq(s.result, EIO);
	/* A flush is held once, then its failure is final. */
	disk_flush(d, note_done, &s);
	turn_until(&s, 3, 3);
	disk_retry(d);
	turn_until(&s, 3, 4);
	ck_assert_int_eq(s.result, EIO);
	disk_flush(d, note_done, &s);
	turn_until(&s, 3, 5);
	ck_assert_int_eq(s.result, EIO);
	disk_close(d);
}
END_TEST

START_TEST(policies)
{
	struct stall s = { 0 };
	uint8_t buf[512];
	struct disk *d = open_disk((struct disk_options){ .filter = "fault:any=EIO",
		.on_read_error = DISK_IGNORE, .on_write_error = DISK_HOLD });

	disk_on_stall(d, note_stall, &s);
	memset(buf, 1, sizeof(buf));
	disk_read(d, 0, buf, 512, note_done, &s);
	turn_until(&s, 0, 1);
	ck_assert_int_eq(s.result, 0);
	ck_assert_uint_eq(buf[100], 0);
	disk_write(d, 0, buf, 512, note_done, &s);
	turn_until(&s, 1, 1);
	/* What is held when the disk is closed comes home with its error. */
	disk_close(d);
	ck_assert_uint_eq(s.done, 2);
	ck_assert_int_eq(s.result, EIO);
	d = open_disk((struct disk_options){ .filter = "fault:write=ENOSPC", .on_write_error = DISK_REPORT });
	disk_on_stall(d, note_stall, &s);
	disk_write(d, 0, buf, 512, note_done, &s);
	turn_until(&s, 1, 3);
	ck_assert_int_eq(s.result, ENOSPC);
	disk_close(d);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("disk");
	TCase *t = tcase_create("disk");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, sizes);
	tcase_add_test(t, requests);
	tcase_add_test(t, close_waits);
	tcase_add_test(t, requests_end);
	tcase_add_test(t, readonly);
	tcase_add_test(t, locks);
	tcase_add_test(t, snapshot);
	tcase_add_test(t, formats);
	tcase_add_test(t, mark);
	tcase_add_test(t, faults);
	tcase_add_test(t, full);
	tcase_add_test(t, policies);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
