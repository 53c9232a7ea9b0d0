/* SPDX-License-Identifier: GPL-2.0-or-later */
/* qcow2 images as files: kinds, chains, locks, headers that are refused, repair; qemu-img, where it is, as the judge. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "disk/qcow2.h"
#include "disk/tool.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/test_qcow2_XXXXXX";

static void
set_up(void)
{
	strcpy(folder, "/tmp/test_qcow2_XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	ck_assert_int_eq(chdir(folder), 0);
}

static void
tear_down(void)
{
	char command[64];

	ck_assert_int_eq(chdir("/"), 0);
	snprintf(command, sizeof(command), "rm -r %s", folder);
	ck_assert_int_eq(system(command), 0);
}

static bool
has_qemu_img(void)
{
	return system("qemu-img --version >/dev/null 2>&1") == 0;
}

/* A shell command that must succeed; true without qemu-img. */
static void
judge(const char *format, const char *file)
{
	char command[512], tail[] = " >judge.log 2>&1";
	size_t used;

	if (!has_qemu_img())
		return;
	used = snprintf(command, sizeof(command) - sizeof(tail), format, file, file);
	memcpy(command + used, tail, sizeof(tail));
	if (system(command) != 0) {
		ck_assert_int_ne(system("cat judge.log >&2"), -1);
		ck_abort_msg("%s", command);
	}
}

static void
create(const char *file, uint64_t bytes, const char *backing, const char *format)
{
	struct image_create o = { .file = file, .format = "qcow2", .bytes = bytes, .backing_file = backing, .backing_format = format };
	struct err e = { "" };

	ck_assert_msg(image_create(&o, &e), "%s", e.text);
}

static struct image *
open_image(const char *file, unsigned flags)
{
	struct image_open o = { .file = file, .flags = flags };
	struct err e = { "" };
	struct image *i = image_open(&o, &e);

	ck_assert_msg(i != NULL, "%s", e.text);
	return i;
}

static void
refuse_open(const char *file, unsigned flags, const char *word)
{
	struct image_open o = { .file = file, .flags = flags };
	struct err e = { "" };

	ck_assert_ptr_null(image_open(&o, &e));
	ck_assert_msg(strstr(e.text, word) != NULL, "\"%s\" is not in: %s", word, e.text);
	ck_assert_msg(strchr(e.text, '\n') == NULL, "more than a line: %s", e.text);
}

static void
write_at(struct image *i, uint64_t offset, uint8_t byte, size_t len)
{
	uint8_t *buf = malloc(len);

	memset(buf, byte, len);
	ck_assert_int_eq(image_write(i, offset, buf, len), 0);
	free(buf);
}

static void
expect_at(struct image *i, uint64_t offset, uint8_t byte, size_t len)
{
	uint8_t *buf = malloc(len);

	ck_assert_int_eq(image_read(i, offset, buf, len), 0);
	for (size_t n = 0; n < len; n++) {
		if (buf[n] != byte)
			ck_abort_msg("byte %zu has %02x, not %02x", (size_t)offset + n, buf[n], byte);
	}
	free(buf);
}

static void
clean(struct image *i)
{
	struct image_check c;
	struct err e = { "" };

	ck_assert_msg(image_check(i, 0, NULL, &c, &e), "%s", e.text);
	ck_assert_uint_eq(c.corruptions, 0);
	ck_assert_uint_eq(c.leaks, 0);
}

static void
patch(const char *file, off_t offset, uint64_t value, unsigned size)
{
	uint8_t bytes[8];
	int fd = open(file, O_RDWR);

	put_be(bytes, value, size);
	ck_assert_int_eq(pwrite(fd, bytes, size, offset), size);
	close(fd);
}

static uint64_t
peek(const char *file, off_t offset, unsigned size)
{
	uint8_t bytes[8];
	int fd = open(file, O_RDONLY);

	ck_assert_int_eq(pread(fd, bytes, size, offset), size);
	close(fd);
	return get_be(bytes, size);
}

/* ---- kinds ---- */

static void
work_on(struct image_create *o)
{
	struct err e = { "" };
	struct image *i;
	uint8_t *cluster = calloc(1, o->cluster_bytes);

	ck_assert_msg(image_create(o, &e), "%u %u: %s", o->cluster_bytes, o->refcount_bits, e.text);
	i = open_image(o->file, IMAGE_WRITE);
	write_at(i, 12345, 1, 300000);
	write_at(i, 30000000, 2, 5000);
	memset(cluster, 3, o->cluster_bytes);
	ck_assert_int_eq(image_write_compressed(i, 8 * MiB, cluster, o->cluster_bytes), 0);
	ck_assert_int_eq(image_write_compressed(i, 8 * MiB + o->cluster_bytes, cluster, o->cluster_bytes), 0);
	ck_assert_int_eq(image_write_zeros(i, 100000, 100000, false), 0);
	ck_assert_int_eq(image_discard(i, 30000000, 5000), 0);
	if (o->refcount_bits > 1) {
		/* Two compressed clusters in one of the file, a snapshot of both: four names. */
		ck_assert_msg(image_snapshot_create(i, "before", &e) || o->refcount_bits == 2, "%s", e.text);
		clean(i);
		if (o->refcount_bits > 2)
			write_at(i, 0, 9, 100000);
		ck_assert_msg(o->refcount_bits == 2 || image_snapshot_apply(i, "before", &e), "%s", e.text);
	}
	expect_at(i, 100000, 0, 100000);
	expect_at(i, 200000, 1, 100000);
	expect_at(i, 8 * MiB, 3, 2 * o->cluster_bytes);
	clean(i);
	ck_assert_int_eq(image_close(i), 0);
	judge("qemu-img check -q %s", o->file);
	judge("test \"$(qemu-io -f qcow2 -c 'read -P 1 200000 100000' -c 'read -P 3 8M 1024' %s | grep -c failed)\" = 0", o->file);
	free(cluster);
}

START_TEST(kinds)
{
	static const uint32_t clusters[] = { 512, 2048, 65536, 2 * MiB };

	for (unsigned c = 0; c < ARRAY_SIZE(clusters); c++) {
		struct image_create o = { .file = "k.qcow2", .format = "qcow2", .bytes = 40 * MiB, .cluster_bytes = clusters[c] };

		for (o.refcount_bits = 1; o.refcount_bits <= 64; o.refcount_bits *= 2)
			work_on(&o);
		o.refcount_bits = 16;
		o.lazy_refcounts = true;
		work_on(&o);
		o.lazy_refcounts = false;
		o.compression = zstd_is_there() ? COMPRESSION_ZSTD : COMPRESSION_ZLIB;
		work_on(&o);
		o.compression = COMPRESSION_ZLIB;
		o.version = 2;
		work_on(&o);
	}
}
END_TEST

/* Made by the judge, used by us. */
START_TEST(foreign)
{
	static const char *const options[] = {
		"compat=0.10", "cluster_size=512", "cluster_size=2M,lazy_refcounts=on", "refcount_bits=1", "refcount_bits=64,cluster_size=4k",
		"preallocation=metadata", "preallocation=falloc", "compat=0.10,cluster_size=1k",
	};

	if (!has_qemu_img())
		return;
	for (unsigned n = 0; n < ARRAY_SIZE(options); n++) {
		char command[256];
		struct image *i;

		snprintf(command, sizeof(command), "qemu-img create -q -f qcow2 -o %s %%s 20M && qemu-io -f qcow2 -c 'write -P 7 1M 3M' "
			"-c 'write -z 2M 300k' %%s", options[n]);
		judge(command, "f.qcow2");
		i = open_image("f.qcow2", IMAGE_WRITE);
		clean(i);
		expect_at(i, 1 * MiB, 7, 1 * MiB);
		expect_at(i, 2 * MiB, 0, 300 * KiB);
		expect_at(i, 0, 0, 1 * MiB);
		write_at(i, 2 * MiB + 1000, 8, 100000);
		expect_at(i, 2 * MiB, 0, 1000);
		expect_at(i, 2 * MiB + 1000, 8, 100000);
		ck_assert_int_eq(image_close(i), 0);
		judge("qemu-img check -q %s", "f.qcow2");
	}
}
END_TEST

/* ---- chains ---- */

START_TEST(chains)
{
	struct image_extent x;
	struct image *i;
	int fd = open("base.raw", O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, 3 * MiB), 0);
	ck_assert_int_eq(pwrite(fd, "raw", 3, 100), 3);
	close(fd);
	ck_assert_int_eq(mkdir("sub", 0700), 0);
	create("sub/middle.qcow2", 10 * MiB, "../base.raw", "raw");
	create("top.qcow2", IMAGE_SIZE_OF_BACKING, "sub/middle.qcow2", NULL);
	i = open_image("sub/middle.qcow2", IMAGE_WRITE);
	write_at(i, 1 * MiB, 5, 100000);
	/* Past the end of what is below: zeros. */
	write_at(i, 3 * MiB - 100, 6, 50);
	expect_at(i, 3 * MiB - 50, 0, 1000);
	ck_assert_int_eq(image_close(i), 0);
	i = open_image("top.qcow2", IMAGE_WRITE);
	ck_assert_uint_eq(image_bytes(i), 10 * MiB);
	write_at(i, 200, 4, 10);
	expect_at(i, 100, 'r', 1);
	expect_at(i, 200, 4, 10);
	expect_at(i, 1 * MiB, 5, 100000);
	ck_assert_int_eq(image_write_zeros(i, 1 * MiB, 64 * KiB, true), 0);
	ck_assert_int_eq(image_discard(i, 0, 64 * KiB), 0);
	expect_at(i, 1 * MiB, 0, 64 * KiB);
	/* What is discarded is never what the backing file has. */
	expect_at(i, 100, 0, 1);
	ck_assert_int_eq(image_status(i, 1 * MiB + 64 * KiB, 4096, &x), 0);
	ck_assert(x.present && x.data && x.depth == 1);
	ck_assert_int_eq(image_status(i, 5 * MiB, 4096, &x), 0);
	ck_assert(!x.present && x.zero);
	ck_assert_int_eq(image_close(i), 0);
	judge("qemu-img check -q %s", "top.qcow2");
	judge("test \"$(qemu-io -f qcow2 -c 'read -P 0 1M 64k' -c 'read -P 5 1114112 34464' %s | grep -c failed)\" = 0", "top.qcow2");
}
END_TEST

START_TEST(bad_chains)
{
	struct image_create o = { .file = "self.qcow2", .format = "qcow2", .bytes = MiB, .backing_file = "self.qcow2",
		.backing_format = "qcow2", .backing_unchecked = true };
	struct err e = { "" };
	int fd = open("base.raw", O_RDWR | O_CREAT, 0600);

	ck_assert_int_eq(ftruncate(fd, MiB), 0);
	close(fd);
	ck_assert(image_create(&o, &e));
	refuse_open("self.qcow2", 0, "its own backing file");
	o.file = "a.qcow2";
	o.backing_file = "b.qcow2";
	ck_assert(image_create(&o, &e));
	o.file = "b.qcow2";
	o.backing_file = "a.qcow2";
	ck_assert(image_create(&o, &e));
	refuse_open("a.qcow2", 0, "its own backing file");
	o.file = "c.qcow2";
	o.backing_file = "gone.qcow2";
	ck_assert(image_create(&o, &e));
	refuse_open("c.qcow2", 0, "gone.qcow2");
	ck_assert_int_eq(image_close(open_image("c.qcow2", IMAGE_NO_BACKING)), 0);
	/* Nothing is taken for raw that doesn't say so. */
	o.backing_file = "base.raw";
	o.backing_format = NULL;
	ck_assert(image_create(&o, &e));
	refuse_open("c.qcow2", 0, "nothing says of what format");
	o.backing_unchecked = false;
	ck_assert(!image_create(&o, &e));
	o.backing_format = "vmdk";
	ck_assert(!image_create(&o, &e));
	o.backing_format = "raw";
	o.backing_file = "nbd://localhost/disk";
	o.backing_unchecked = true;
	ck_assert(image_create(&o, &e));
	refuse_open("c.qcow2", 0, "nbd:");
}
END_TEST

START_TEST(deep_chain)
{
	char name[32], below[32];
	struct image *i;

	create("0.qcow2", MiB, NULL, NULL);
	for (unsigned n = 1; n <= 201; n++) {
		struct image_create o = { .file = name, .format = "qcow2", .bytes = MiB, .backing_file = below, .backing_format = "qcow2",
			.backing_unchecked = true };
		struct err e = { "" };

		snprintf(name, sizeof(name), "%u.qcow2", n);
		snprintf(below, sizeof(below), "%u.qcow2", n - 1);
		ck_assert_msg(image_create(&o, &e), "%s", e.text);
	}
	i = open_image("200.qcow2", 0);
	expect_at(i, 0, 0, 1000);
	ck_assert_int_eq(image_close(i), 0);
	refuse_open("201.qcow2", 0, "more than 200");
}
END_TEST

static bool
is_locked(const char *file, unsigned byte)
{
	struct flock l = { .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };
	int fd = open(file, O_RDWR);

	ck_assert_int_eq(fcntl(fd, F_OFD_GETLK, &l), 0);
	close(fd);
	return l.l_type != F_UNLCK;
}

START_TEST(locks)
{
	struct image *i, *other;

	create("base.qcow2", MiB, NULL, NULL);
	create("top.qcow2", MiB, "base.qcow2", "qcow2");
	i = open_image("top.qcow2", IMAGE_WRITE);
	for (unsigned byte = 100; byte < 204; byte++) {
		/* QEMU: it reads, writes and resizes the image, and only reads what is below; others may write to neither. */
		ck_assert_msg(is_locked("top.qcow2", byte) == (byte == 100 || byte == 101 || byte == 103 || byte == 201 || byte == 203), "%u", byte);
		ck_assert_msg(is_locked("base.qcow2", byte) == (byte == 100 || byte == 201 || byte == 203), "%u", byte);
	}
	refuse_open("top.qcow2", IMAGE_WRITE, "another process");
	refuse_open("base.qcow2", IMAGE_WRITE, "another process");
	other = open_image("base.qcow2", 0);
	ck_assert_int_eq(image_close(other), 0);
	judge("! qemu-io -f qcow2 -c 'write 0 512' %s", "base.qcow2");
	ck_assert_int_eq(image_close(open_image("top.qcow2", IMAGE_NO_LOCK)), 0);
	ck_assert_int_eq(image_close(i), 0);
}
END_TEST

/* ---- headers ---- */

START_TEST(refused)
{
	static const struct {
		unsigned offset, size;
		uint64_t value;
		const char *word;
	} rows[] = {
		{ H_VERSION, 4, 1, "version 1" },
		{ H_VERSION, 4, 4, "version 4" },
		{ H_INCOMPATIBLE, 8, 1ull << 2, "file of its own" },
		{ H_INCOMPATIBLE, 8, 1ull << 4, "extended L2" },
		{ H_INCOMPATIBLE, 8, 1ull << 40, "incompatible feature 40" },
		{ H_CRYPT, 4, 1, "encrypted" },
		{ H_CRYPT, 4, 2, "encrypted" },
		{ H_CLUSTER_BITS, 4, 8, "size that can't be" },
		{ H_CLUSTER_BITS, 4, 22, "size that can't be" },
		{ H_REFCOUNT_ORDER, 4, 7, "wider than 64" },
		{ H_BYTES, 4, 96, "length that can't be" },
		{ H_SIZE, 8, 1ull << 62, "larger than" },
		{ H_L1_ENTRIES, 4, 0x10000000, "L1 table" },
		{ H_L1_ENTRIES, 4, 0, "L1 table" },
		{ H_L1_OFFSET, 8, 0x123, "L1 table" },
		{ H_L1_OFFSET, 8, 1ull << 40, "behind the end" },
		{ H_RT_OFFSET, 8, 1ull << 40, "behind the end" },
		{ H_RT_CLUSTERS, 4, 0, "refcount table" },
		{ H_RT_CLUSTERS, 4, 0x1000000, "refcount table" },
		{ H_SNAPSHOTS, 4, 1, "snapshot table" },
		{ H_SNAPSHOTS, 4, 0x100000, "snapshots" },
		{ H_BACKING_OFFSET, 8, 1ull << 32, "backing file's name" },
		{ H_COMPRESSION, 1, 1, "contradict" },
		{ H_COMPRESSION, 1, 7, "compression type 7" },
	};
	struct stat before, after;

	for (unsigned n = 0; n < ARRAY_SIZE(rows); n++) {
		create("r.qcow2", MiB, NULL, NULL);
		patch("r.qcow2", rows[n].offset, rows[n].value, rows[n].size);
		ck_assert_int_eq(stat("r.qcow2", &before), 0);
		refuse_open("r.qcow2", IMAGE_WRITE, rows[n].word);
		ck_assert_int_eq(stat("r.qcow2", &after), 0);
		ck_assert_int_eq(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
	}
}
END_TEST

/* A feature that only the image knows the name of; bits that a writer has to clear. */
START_TEST(features)
{
	const off_t name = HEADER_V3_BYTES + 8;
	int fd;

	create("x.qcow2", MiB, NULL, NULL);
	fd = open("x.qcow2", O_RDWR);
	ck_assert_int_eq(pwrite(fd, "\0\x29time travel\0", 14, name), 14);
	close(fd);
	patch("x.qcow2", H_INCOMPATIBLE, 1ull << 41, 8);
	refuse_open("x.qcow2", 0, "time travel");
	patch("x.qcow2", H_INCOMPATIBLE, 0, 8);
	patch("x.qcow2", H_COMPATIBLE, 1ull << 33, 8);
	patch("x.qcow2", H_AUTOCLEAR, 1ull << 35, 8);
	ck_assert_int_eq(image_close(open_image("x.qcow2", 0)), 0);
	ck_assert_uint_eq(peek("x.qcow2", H_AUTOCLEAR, 8), 1ull << 35);
	ck_assert_int_eq(image_close(open_image("x.qcow2", IMAGE_WRITE)), 0);
	ck_assert_uint_eq(peek("x.qcow2", H_AUTOCLEAR, 8), 0);
	ck_assert_uint_eq(peek("x.qcow2", H_COMPATIBLE, 8), 1ull << 33);
	/* Marked corrupt: only for readers, and for a repair. */
	patch("x.qcow2", H_INCOMPATIBLE, INCOMPATIBLE_CORRUPT, 8);
	refuse_open("x.qcow2", IMAGE_WRITE, "corrupt");
	ck_assert_int_eq(image_close(open_image("x.qcow2", 0)), 0);
}
END_TEST

/* ---- repair ---- */

static void
repair(const char *file, uint64_t corruptions, uint64_t leaks)
{
	struct image *i = open_image(file, IMAGE_WRITE | IMAGE_REPAIR);
	struct image_check c;
	struct err e = { "" };

	ck_assert_msg(image_check(i, IMAGE_FIX_ALL, NULL, &c, &e), "%s", e.text);
	ck_assert_uint_eq(c.corruptions, corruptions);
	ck_assert_uint_eq(c.leaks, leaks);
	ck_assert_uint_eq(c.corruptions_fixed, corruptions);
	ck_assert_uint_eq(c.leaks_fixed, leaks);
	clean(i);
	expect_at(i, 0, 7, 100000);
	ck_assert_int_eq(image_close(i), 0);
	judge("qemu-img check -q %s", file);
}

static void
make_for_repair(const char *file)
{
	struct image *i;

	create(file, 10 * MiB, NULL, NULL);
	i = open_image(file, IMAGE_WRITE);
	write_at(i, 0, 7, 100000);
	ck_assert_int_eq(image_close(i), 0);
}

START_TEST(repairs)
{
	uint64_t block, l1;

	make_for_repair("r.qcow2");
	block = peek("r.qcow2", peek("r.qcow2", H_RT_OFFSET, 8), 8);
	l1 = peek("r.qcow2", H_L1_OFFSET, 8);
	/* Two leaks, and a cluster in use that counts as free. */
	patch("r.qcow2", block + 2 * 20, 1, 2);
	patch("r.qcow2", block + 2 * 21, 3, 2);
	patch("r.qcow2", block, 0, 2);
	patch("r.qcow2", H_INCOMPATIBLE, INCOMPATIBLE_CORRUPT, 8);
	repair("r.qcow2", 1, 2);
	ck_assert_uint_eq(peek("r.qcow2", H_INCOMPATIBLE, 8), 0);
	/* No refcounts at all: they are made anew. */
	patch("r.qcow2", peek("r.qcow2", H_RT_OFFSET, 8), 0, 8);
	repair("r.qcow2", 7 - 1, 0);
	/* A mark that there is one name, where there is. */
	patch("r.qcow2", l1, peek("r.qcow2", l1, 8) & ~COPIED, 8);
	repair("r.qcow2", 1, 0);
}
END_TEST

/* Counts that lag behind are mended by whoever writes next. */
START_TEST(dirty)
{
	struct image_create o = { .file = "d.qcow2", .format = "qcow2", .bytes = 10 * MiB, .lazy_refcounts = true };
	struct err e = { "" };
	struct image *i;
	uint64_t block;

	ck_assert(image_create(&o, &e));
	i = open_image("d.qcow2", IMAGE_WRITE);
	write_at(i, 0, 7, 100000);
	ck_assert_int_eq(image_flush(i), 0);
	ck_assert_uint_eq(peek("d.qcow2", H_INCOMPATIBLE, 8), INCOMPATIBLE_DIRTY);
	ck_assert_int_eq(image_close(i), 0);
	ck_assert_uint_eq(peek("d.qcow2", H_INCOMPATIBLE, 8), 0);
	judge("qemu-img check -q %s", "d.qcow2");
	block = peek("d.qcow2", peek("d.qcow2", H_RT_OFFSET, 8), 8);
	patch("d.qcow2", block + 2 * 4, 0, 8);
	patch("d.qcow2", H_INCOMPATIBLE, INCOMPATIBLE_DIRTY, 8);
	i = open_image("d.qcow2", 0);
	expect_at(i, 0, 7, 100000);
	ck_assert_int_eq(image_close(i), 0);
	i = open_image("d.qcow2", IMAGE_WRITE);
	clean(i);
	ck_assert_int_eq(image_close(i), 0);
	ck_assert_uint_eq(peek("d.qcow2", H_INCOMPATIBLE, 8), 0);
}
END_TEST

/* What contradicts itself while it is in use is marked, and takes no more writes. */
START_TEST(contradiction)
{
	uint64_t table, block;
	struct image *i;
	uint8_t buf[512] = { 0 };

	make_for_repair("c.qcow2");
	block = peek("c.qcow2", peek("c.qcow2", H_RT_OFFSET, 8), 8);
	patch("c.qcow2", block, 0, 8);
	i = open_image("c.qcow2", IMAGE_WRITE);
	ck_assert_int_ne(image_write(i, 5 * MiB, buf, 512), 0);
	ck_assert_int_ne(image_write(i, 0, buf, 512), 0);
	expect_at(i, 0, 7, 100000);
	ck_assert_int_ne(image_close(i), 0);
	refuse_open("c.qcow2", IMAGE_WRITE, "marked corrupt");
	repair("c.qcow2", 4, 0);
	table = peek("c.qcow2", peek("c.qcow2", H_L1_OFFSET, 8), 8) & OFFSET_MASK;
	patch("c.qcow2", table, (1ull << 40) | COPIED, 8);
	i = open_image("c.qcow2", IMAGE_WRITE);
	ck_assert_int_eq(image_read(i, 0, buf, 512), EIO);
	ck_assert_int_eq(image_write(i, 0, buf, 512), EIO);
	ck_assert_int_ne(image_close(i), 0);
}
END_TEST

/* ---- through struct disk ---- */

START_TEST(drives)
{
	struct loop *loop = loop_new(NULL);
	struct disk_options o = { .file = "q.qcow2", .discard = true, .detect_zeros = true, .cache_through = true };
	static uint8_t buf[MiB], zeros[MiB];
	struct err e = { "" };
	struct disk *d;
	struct image *i;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	d = disk_open(loop, &o, &e);
	ck_assert_msg(d != NULL, "%s", e.text);
	ck_assert_str_eq(disk_format(d), "qcow2");
	memset(buf, 7, sizeof(buf));
	ck_assert_int_eq(disk_write_sync(d, MiB, buf, sizeof(buf)), 0);
	/* Written through: the tables are in the file. */
	i = open_image("q.qcow2", IMAGE_NO_LOCK);
	expect_at(i, MiB, 7, MiB);
	ck_assert_int_eq(image_close(i), 0);
	ck_assert_int_eq(disk_write_sync(d, MiB, zeros, sizeof(zeros)), 0);
	disk_close(d);
	i = open_image("q.qcow2", 0);
	struct image_check c;
	ck_assert(image_check(i, 0, NULL, &c, &e));
	ck_assert_uint_eq(c.allocated_clusters, 0);
	ck_assert_int_eq(image_close(i), 0);
	/* An overlay leaves it as it is; so does one that is read-only. */
	o = (struct disk_options){ .file = "q.qcow2", .snapshot = true };
	d = disk_open(loop, &o, &e);
	ck_assert_int_eq(disk_write_sync(d, MiB, buf, sizeof(buf)), 0);
	disk_close(d);
	i = open_image("q.qcow2", 0);
	expect_at(i, MiB, 0, MiB);
	ck_assert_int_eq(image_close(i), 0);
	loop_free(loop);
}
END_TEST

START_TEST(past_the_cache)
{
	struct loop *loop = loop_new(NULL);
	struct disk_options o = { .file = "q.qcow2", .cache_direct = true };
	static uint8_t buf[64 * 1024 + 4096], in[64 * 1024 + 4096];
	struct err e = { "" };
	struct disk *d;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	d = disk_open(loop, &o, &e);
	if (d == NULL) {
		ck_assert_msg(strstr(e.text, "past the host's cache") != NULL, "%s", e.text);
	} else {
		uint8_t *aligned = (uint8_t *)align_up((uintptr_t)buf, 4096);

		for (unsigned n = 0; n < 64 * KiB; n++)
			aligned[n] = n / 300;
		ck_assert_int_eq(disk_write_sync(d, 512, aligned, 64 * KiB - 1024), 0);
		ck_assert_int_eq(disk_write_sync(d, MiB, aligned, 64 * KiB), 0);
		ck_assert_int_eq(disk_write_sync(d, MiB + 512, "odd", 3), 0);
		ck_assert_int_eq(disk_read_sync(d, MiB + 100, in + 1, 1000), 0);
		ck_assert_mem_eq(in + 1, aligned + 100, 412);
		ck_assert_mem_eq(in + 413, "odd", 3);
		ck_assert_int_eq(disk_read_sync(d, 512, in, 60000), 0);
		ck_assert_mem_eq(in, aligned, 60000);
		disk_close(d);
	}
	loop_free(loop);
}
END_TEST

/* What a vCPU's own thread does: in new clusters too, where nothing has to be read, flushed or taken from a backing file. */
START_TEST(at_once)
{
	static uint8_t buf[128 * KiB];
	struct image *i;

	memset(buf, 7, sizeof(buf));
	create("at_once.img", 64 * MiB, NULL, NULL);
	i = open_image("at_once.img", IMAGE_WRITE);
	/* The first one needs a table. */
	ck_assert_int_eq(layer_write_now(i, 0, buf, 4096), EAGAIN);
	ck_assert_int_eq(image_write(i, 0, buf, 4096), 0);
	for (uint64_t at = 4096; at < 4 * MiB; at += 4096)
		ck_assert_int_eq(layer_write_now(i, at, buf, 4096), 0);
	ck_assert_int_eq(layer_write_now(i, 5 * MiB + 512, buf, sizeof(buf)), 0);
	/* Some of it there, some not. */
	ck_assert_int_eq(layer_write_now(i, 5 * MiB, buf, sizeof(buf)), 0);
	ck_assert_int_eq(layer_write_now(i, 5 * MiB + 128 * KiB, buf, sizeof(buf)), EAGAIN);
	image_close(i);
	i = open_image("at_once.img", 0);
	expect_at(i, 0, 7, 4 * MiB);
	expect_at(i, 4 * MiB, 0, MiB);
	expect_at(i, 5 * MiB, 7, 128 * KiB + 512);
	expect_at(i, 5 * MiB + 128 * KiB + 512, 0, MiB);
	image_close(i);
	judge("qemu-img check %s", "at_once.img");
	create("upon.img", 64 * MiB, "at_once.img", "qcow2");
	i = open_image("upon.img", IMAGE_WRITE);
	write_at(i, 0, 8, 4096);
	ck_assert_int_eq(layer_write_now(i, MiB, buf, 4096), EAGAIN);
	expect_at(i, 4096, 7, MiB);
	image_close(i);
}
END_TEST

/* A full disk: nothing is lost, and what was there can be read. */
START_TEST(full)
{
	struct image_open o = { .file = "q.qcow2", .flags = IMAGE_WRITE, .filter = "fault:write#6=ENOSPC,write#9=ENOSPC" };
	struct err e = { "" };
	struct image *i;
	static uint8_t buf[300000];
	unsigned failed = 0;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	i = image_open(&o, &e);
	ck_assert_msg(i != NULL, "%s", e.text);
	for (unsigned n = 0; n < 10; n++) {
		memset(buf, n + 1, sizeof(buf));
		while (image_write(i, n * 500000, buf, sizeof(buf)) != 0)
			ck_assert_uint_lt(failed++, 5);
	}
	ck_assert_uint_ge(failed, 1);
	for (unsigned n = 0; n < 10; n++)
		expect_at(i, n * 500000, n + 1, sizeof(buf));
	clean(i);
	ck_assert_int_eq(image_close(i), 0);
}
END_TEST

/* Done to a copy of the image as it was, the log makes the image as it is. */
static void
replay(const char *log, const char *file)
{
	int in = open(log, O_RDONLY), out = open(file, O_RDWR);
	unsigned flushes = 0;
	uint8_t r[32];

	while (read(in, r, sizeof(r)) == sizeof(r)) {
		uint64_t what = load_le(r, 8), offset = load_le(r + 8, 8), len = load_le(r + 16, 8), data_len = load_le(r + 24, 8);
		uint8_t *data = calloc(1, len + 1);

		ck_assert_int_eq(read(in, data, data_len), data_len);
		if (what == 1 || what == 3 || what == 4)
			ck_assert_int_eq(pwrite(out, data, len, offset), len);
		else if (what == 5)
			ck_assert_int_eq(ftruncate(out, offset), 0);
		flushes += what == 2;
		free(data);
	}
	ck_assert_uint_ge(flushes, 2);
	close(in);
	close(out);
}

START_TEST(logged)
{
	struct image_open o = { .file = "q.qcow2", .flags = IMAGE_WRITE | IMAGE_UNMAP, .filter = "wlog:log|delay:1000" };
	struct err e = { "" };
	struct image *i;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	ck_assert_int_eq(system("cp q.qcow2 copy"), 0);
	i = image_open(&o, &e);
	ck_assert_msg(i != NULL, "%s", e.text);
	write_at(i, 0, 1, 300000);
	ck_assert_int_eq(image_flush(i), 0);
	ck_assert_int_eq(image_discard(i, 0, 2 * 65536), 0);
	write_at(i, 5 * MiB, 2, 100000);
	ck_assert_int_eq(image_close(i), 0);
	ck_assert_int_ne(system("cmp -s q.qcow2 copy"), 0);
	replay("log", "copy");
	ck_assert_int_eq(system("cmp q.qcow2 copy"), 0);
}
END_TEST

/* A mirror that differs says so. */
START_TEST(mirrored)
{
	struct loop *loop = loop_new(NULL);
	struct disk_options o = { .file = "q.qcow2", .filter = "mirror:copy" };
	uint8_t buf[4096];
	struct err e = { "" };
	struct disk *d;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	ck_assert_int_eq(system("truncate -s 10M copy"), 0);
	d = disk_open(loop, &o, &e);
	ck_assert_msg(d != NULL, "%s", e.text);
	memset(buf, 3, sizeof(buf));
	ck_assert_int_eq(disk_write_sync(d, 4096, buf, sizeof(buf)), 0);
	ck_assert_int_eq(disk_read_sync(d, 4096, buf, sizeof(buf)), 0);
	patch("copy", 5000, 9, 1);
	ck_assert_int_eq(disk_read_sync(d, 4096, buf, sizeof(buf)), EIO);
	disk_close(d);
	ck_assert_int_eq(truncate("copy", MiB), 0);
	ck_assert_ptr_null(disk_open(loop, &o, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "smaller than the disk"));
	loop_free(loop);
}
END_TEST

/* What a flush has lost is lost: no later one may say otherwise, and no table may name it. */
START_TEST(lost_flush)
{
	struct image_open o = { .file = "q.qcow2", .flags = IMAGE_WRITE, .filter = "fault:flush#1=EIO" };
	struct err e = { "" };
	struct image *i;

	create("q.qcow2", 10 * MiB, NULL, NULL);
	i = image_open(&o, &e);
	ck_assert_msg(i != NULL, "%s", e.text);
	write_at(i, 0, 1, 100000);
	ck_assert_int_eq(image_flush(i), EIO);
	ck_assert_int_eq(image_flush(i), EIO);
	ck_assert_int_eq(image_write(i, 0, "x", 1), EIO);
	ck_assert_int_eq(image_close(i), EIO);
	i = open_image("q.qcow2", 0);
	expect_at(i, 0, 0, 100000);
	ck_assert_int_eq(image_close(i), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("qcow2");
	TCase *t = tcase_create("files");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, kinds);
	tcase_add_test(t, foreign);
	tcase_add_test(t, chains);
	tcase_add_test(t, at_once);
	tcase_add_test(t, bad_chains);
	tcase_add_test(t, deep_chain);
	tcase_add_test(t, locks);
	tcase_add_test(t, refused);
	tcase_add_test(t, features);
	tcase_add_test(t, repairs);
	tcase_add_test(t, dirty);
	tcase_add_test(t, contradiction);
	tcase_add_test(t, drives);
	tcase_add_test(t, past_the_cache);
	tcase_add_test(t, full);
	tcase_add_test(t, logged);
	tcase_add_test(t, mirrored);
	tcase_add_test(t, lost_flush);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
