/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The loaders of kernels: plans of sound images, and whether damaged ones are refused without harm. */
#include "base/err.h"
#include "base/util.h"
#include "vm/boot.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { IMAGE = 16384 };

static uint8_t image[IMAGE];

/* A file in the test's own directory with N bytes at DATA. */
static const char *
write_file(const char *name, const void *data, size_t n)
{
	static char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "/tmp/calque-test-%ld-%s", (long)getpid(), name);
	f = fopen(path, "wb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, n, f), n);
	fclose(f);
	return path;
}

/* Plans IMAGE's first SIZE bytes; the file is gone again afterwards. */
static bool
plan(struct boot_plan *p, size_t size, struct boot_request *r, uint64_t ram, struct err *e)
{
	r->kernel = write_file("kernel", image, size);
	if (r->append == NULL)
		r->append = "one two";
	memory_map_fill(&r->map, ram, 0);
	e->text[0] = '\0';
	bool ok = boot_plan_make(p, r, e);
	unlink(r->kernel);
	return ok;
}

/* ---- Linux ---- */

static void
make_linux(unsigned version, uint8_t loadflags, uint16_t xloadflags)
{
	memset(image, 0, sizeof(image));
	image[0x1f1] = 3;
	store_le(image + 0x1fe, 0xaa55, 2);
	store_le(image + 0x200, 0x6aeb, 2);
	memcpy(image + 0x202, "HdrS", 4);
	store_le(image + 0x206, version, 2);
	image[0x211] = loadflags;
	store_le(image + 0x22c, 0x7fffffff, 4);
	image[0x234] = 1;
	store_le(image + 0x236, xloadflags, 2);
	store_le(image + 0x238, 2047, 4);
	store_le(image + 0x258, 0x1000000, 8);
	store_le(image + 0x260, 0x400000, 4);
	memset(image + 2048, 0xcc, sizeof(image) - 2048);
}

START_TEST(test_linux_direct)
{
	struct boot_request r = { .initrd = "/proc/self/cmdline" };
	struct boot_plan p;
	struct err e;
	char initrd[128];

	make_linux(0x20f, 1, 1);
	snprintf(initrd, sizeof(initrd), "%s", write_file("initrd", "12345678", 8));
	r.initrd = initrd;
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	unlink(initrd);
	ck_assert(p.direct);
	ck_assert_uint_eq(p.entry, 0x100000);
	ck_assert_uint_eq(p.esi, p.pieces[PIECE_SETUP].addr);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.size, IMAGE - 2048);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.data[0], 0xcc);
	ck_assert_str_eq((char *)p.pieces[PIECE_CMDLINE].blob.data, "one two");
	ck_assert_uint_eq(p.pieces[PIECE_INITRD].addr, 64 * MiB - 4096);
	const uint8_t *zero_page = p.pieces[PIECE_SETUP].blob.data;
	ck_assert_uint_eq(zero_page[0x210], 0xff);
	ck_assert_uint_eq(load_le(zero_page + 0x218, 4), 64 * MiB - 4096);
	ck_assert_uint_eq(load_le(zero_page + 0x21c, 4), 8);
	ck_assert_uint_eq(load_le(zero_page + 0x228, 4), p.pieces[PIECE_CMDLINE].addr);
	ck_assert_uint_eq(zero_page[0x1e8], r.map.count);
	ck_assert_uint_eq(load_le(zero_page + 0x2d0 + 8, 8), 0x9fc00);
	boot_plan_free(&p);
}
END_TEST

START_TEST(test_linux_firmware)
{
	struct boot_request r = { 0 };
	struct boot_plan p;
	struct err e;

	make_linux(0x204, 1, 0);
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	ck_assert(!p.direct);
	ck_assert_uint_eq(p.entry, 0);
	ck_assert_uint_eq(p.pieces[PIECE_SETUP].addr, 0x10000);
	ck_assert_uint_eq(p.pieces[PIECE_SETUP].blob.size, 2048);
	ck_assert_uint_eq(p.pieces[PIECE_SETUP].blob.data[0x211], 0x81);
	ck_assert_uint_eq(load_le(p.pieces[PIECE_SETUP].blob.data + 0x228, 4), 0x20000);
	boot_plan_free(&p);

	/* A zImage of protocol 2.01 lies in low memory, and its command line behind the setup code. */
	make_linux(0x201, 0, 0);
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	ck_assert_uint_eq(p.pieces[PIECE_SETUP].addr, 0x90000);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].addr, 0x10000);
	ck_assert_uint_eq(load_le(p.pieces[PIECE_SETUP].blob.data + 0x20, 2), 0xa33f);
	ck_assert_uint_eq(p.pieces[PIECE_CMDLINE].addr - 0x90000,
		load_le(p.pieces[PIECE_SETUP].blob.data + 0x22, 2));
	boot_plan_free(&p);
}
END_TEST

START_TEST(test_linux_video_mode)
{
	struct boot_request r = { .append = "quiet vga=788" };
	struct boot_plan p;
	struct err e;

	make_linux(0x20f, 1, 1);
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	ck_assert(!p.direct);
	ck_assert_uint_eq(load_le(p.pieces[PIECE_SETUP].blob.data + 0x1fa, 2), 788);
	boot_plan_free(&p);
}
END_TEST

START_TEST(test_linux_refused)
{
	struct boot_request r = { .direct_only = true };
	struct boot_plan p;
	struct err e;

	make_linux(0x204, 1, 0);
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "kernel-through=firmware"));
	make_linux(0x20f, 1, 1);
	ck_assert(!plan(&p, IMAGE, &r, 8 * MiB, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "-m"));
	r.direct_only = false;
	ck_assert(!plan(&p, 2048, &r, 64 * MiB, &e));
	image[0x1f1] = 255;
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	r.kernel = "/nonexistent";
	ck_assert(!boot_plan_make(&p, &r, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "-kernel /nonexistent: cannot open: No such file or directory; check the path"));
}
END_TEST

/* ---- multiboot, ELF, PVH ---- */

static void
put_multiboot_header(size_t at, uint32_t flags)
{
	store_le(image + at, 0x1badb002, 4);
	store_le(image + at + 4, flags, 4);
	store_le(image + at + 8, -(0x1badb002u + flags), 4);
}

/* One segment with SIZE bytes of file and twice that of memory at 1 MiB; a note segment when NOTE is set. */
static void
make_elf(bool wide, bool note)
{
	unsigned header = wide ? 64 : 52, entry = wide ? 56 : 32, word = wide ? 8 : 4;

	memset(image, 0, sizeof(image));
	memcpy(image, "\177ELF", 4);
	image[4] = wide ? 2 : 1;
	image[5] = image[6] = 1;
	store_le(image + 16, 2, 2);
	store_le(image + 18, wide ? 62 : 3, 2);
	store_le(image + 24, 0x100010, word);
	store_le(image + (wide ? 32 : 28), header, word);
	store_le(image + (wide ? 54 : 42), entry, 2);
	store_le(image + (wide ? 56 : 44), note ? 2 : 1, 2);
	uint8_t *p = image + header;
	store_le(p, 1, 4);
	store_le(p + (wide ? 8 : 4), 4096, word);
	store_le(p + (wide ? 16 : 8), 0x100000, word);
	store_le(p + (wide ? 24 : 12), 0x100000, word);
	store_le(p + (wide ? 32 : 16), 4096, word);
	store_le(p + (wide ? 40 : 20), 8192, word);
	memset(image + 4096, 0xcc, 4096);
	if (!note)
		return;
	p += entry;
	store_le(p, 4, 4);
	store_le(p + (wide ? 8 : 4), 1024, word);
	store_le(p + (wide ? 32 : 16), 40, word);
	store_le(image + 1024, 4, 4);
	store_le(image + 1028, 0, 4);
	store_le(image + 1032, 1, 4);
	memcpy(image + 1036, "GNU", 4);
	store_le(image + 1040, 4, 4);
	store_le(image + 1044, 4, 4);
	store_le(image + 1048, 18, 4);
	memcpy(image + 1052, "Xen", 4);
	store_le(image + 1056, 0x100020, 4);
}

START_TEST(test_multiboot_elf)
{
	struct boot_request r = { 0 };
	struct boot_plan p;
	struct err e;
	char modules[300];

	make_elf(_i, false);
	put_multiboot_header(2048, 3);
	snprintf(modules, sizeof(modules), "%s a=1", write_file("module", "abc", 3));
	char *path = xasprintf("%.*s", (int)strcspn(modules, " "), modules);
	char *list = xasprintf("%s,%s b=2", modules, path);
	r.initrd = list;
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	unlink(path);
	ck_assert(!p.direct);
	ck_assert_uint_eq(p.entry, 0x100010);
	ck_assert_uint_eq(p.eax, 0x2badb002);
	ck_assert_uint_eq(p.ebx, p.pieces[PIECE_SETUP].addr);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].addr, 0x100000);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.size, 8192);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.data[4095], 0xcc);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.data[4096], 0);
	const uint8_t *info = p.pieces[PIECE_SETUP].blob.data;
	ck_assert_uint_eq(load_le(info + 20, 4), 2);
	const uint8_t *module = info + load_le(info + 24, 4) - p.ebx;
	ck_assert_uint_eq(load_le(module, 4), 0x102000);
	ck_assert_uint_eq(load_le(module + 4, 4), 0x102003);
	ck_assert_uint_eq(load_le(module + 16, 4), 0x103000);
	ck_assert_str_eq((const char *)info + load_le(module + 8, 4) - p.ebx, modules);
	ck_assert_ptr_nonnull(strstr((const char *)info + load_le(info + 16, 4) - p.ebx, " one two"));
	boot_plan_free(&p);
	free(path);
	free(list);
}
END_TEST

START_TEST(test_multiboot_addresses)
{
	struct boot_request r = { .direct_only = true };
	struct boot_plan p;
	struct err e;

	memset(image, 0xcc, sizeof(image));
	put_multiboot_header(64, 0x10002);
	store_le(image + 76, 0x200040, 4);
	store_le(image + 80, 0x200000, 4);
	store_le(image + 84, 0x201000, 4);
	store_le(image + 88, 0x203000, 4);
	store_le(image + 92, 0x200100, 4);
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	ck_assert(p.direct);
	ck_assert_uint_eq(p.entry, 0x200100);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].addr, 0x200000);
	ck_assert_uint_eq(p.pieces[PIECE_KERNEL].blob.size, 0x3000);
	boot_plan_free(&p);
	store_le(image + 76, 0x1fffff, 4);
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	store_le(image + 76, 0x200041, 4);
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	put_multiboot_header(64, 0x10008);
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "unknown features"));
}
END_TEST

START_TEST(test_pvh)
{
	struct boot_request r = { 0 };
	struct boot_plan p;
	struct err e;

	make_elf(_i, true);
	ck_assert_msg(plan(&p, IMAGE, &r, 64 * MiB, &e), "%s", e.text);
	ck_assert(p.direct);
	ck_assert_uint_eq(p.entry, 0x100020);
	const uint8_t *info = p.pieces[PIECE_SETUP].blob.data;
	ck_assert_uint_eq(load_le(info, 4), 0x336ec578);
	ck_assert_uint_eq(load_le(info + 48, 4), r.map.count);
	ck_assert_str_eq((const char *)info + load_le(info + 24, 8) - p.ebx, "one two");
	boot_plan_free(&p);
}
END_TEST

START_TEST(test_no_kernel)
{
	struct boot_request r = { 0 };
	struct boot_plan p;
	struct err e;

	memset(image, 0, sizeof(image));
	ck_assert(!plan(&p, IMAGE, &r, 64 * MiB, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "no kernel"));
	ck_assert(!plan(&p, 0, &r, 64 * MiB, &e));
}
END_TEST

/* Every field damaged in turn, and every length: whatever comes out, nothing is read or written out of bounds. */
START_TEST(test_damage)
{
	static const uint64_t values[] = { 0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fffffff, 0xffffffff, 0xfffffff0, UINT64_MAX };
	size_t first = _i == 0 ? 0x1f0 : 0, last = _i == 0 ? 0x270 : 1100;

	for (size_t at = first; at < last; at++) {
		for (unsigned v = 0; v < ARRAY_SIZE(values); v++) {
			struct boot_request r = { .append = "x", .map = { .count = 0 } };
			struct boot_plan p = { 0 };
			struct blob blob = { image, IMAGE };

			if (_i == 0)
				make_linux(0x20f, 1, 1);
			else
				make_elf(_i & 1, true);
			if (_i == 3)
				put_multiboot_header(64 * 3, 0x10000);
			store_le(image + at, values[v], v & 1 ? 8 : 4);
			memory_map_fill(&r.map, 32 * MiB, 0);
			r.kernel = "k";
			if (linux_recognise(&blob))
				linux_plan(&p, &blob, &r, NULL);
			else if (multiboot_recognise(&blob))
				multiboot_plan(&p, &blob, &r, NULL);
			else if (pvh_recognise(&blob))
				pvh_plan(&p, &blob, &r, NULL);
			boot_plan_free(&p);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vm: loaders");
	TCase *c = tcase_create("loaders");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, c);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, test_linux_direct);
	tcase_add_test(c, test_linux_firmware);
	tcase_add_test(c, test_linux_video_mode);
	tcase_add_test(c, test_linux_refused);
	tcase_add_loop_test(c, test_multiboot_elf, 0, 2);
	tcase_add_test(c, test_multiboot_addresses);
	tcase_add_loop_test(c, test_pvh, 0, 2);
	tcase_add_test(c, test_no_kernel);
	tcase_add_loop_test(c, test_damage, 0, 4);
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
