/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: the floppy controller with its DMA channel, and flash memory, on disks that live in memory. */
#include "base/clock.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/hw.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

enum { RAM_SIZE = 1 << 20, BUFFER = 0x8000, FLASH_AT = 0xffc00000 };

/* A disk in memory; requests end when the loop turns. */
struct disk {
	uint8_t *data;
	uint64_t size;
	bool readonly;
	int error;
};

struct request {
	struct disk *disk;
	uint64_t offset;
	void *to;
	const void *from;
	size_t len;
	disk_done *done;
	void *opaque;
};

struct board {
	struct clock *clock;
	struct loop *loop;
	struct space *mem, *io;
	struct dev *devices, *dma, *fdc, *flash;
	struct region ram_region;
	uint8_t *ram;
	struct disk floppy, vars;
	int irq;
	unsigned posted;
};

static struct board *b;

uint64_t
disk_bytes(const struct disk *d)
{
	return d->size;
}

bool
disk_is_readonly(const struct disk *d)
{
	return d->readonly;
}

const char *
disk_file(const struct disk *d)
{
	return d->size == 0 ? "empty" : "memory";
}

static void
run_request(void *opaque)
{
	struct request *r = opaque;

	ck_assert_uint_le(r->offset + r->len, r->disk->size);
	if (r->disk->error == 0 && r->to != NULL)
		memcpy(r->to, r->disk->data + r->offset, r->len);
	if (r->disk->error == 0 && r->from != NULL)
		memcpy(r->disk->data + r->offset, r->from, r->len);
	r->done(r->opaque, r->disk->error);
	free(r);
}

static void
post(struct request r)
{
	struct request *copy = xcalloc(1, sizeof(*copy));

	*copy = r;
	b->posted++;
	loop_post(b->loop, run_request, copy);
}

void
disk_read(struct disk *d, uint64_t offset, void *buf, size_t len, disk_done *done, void *opaque)
{
	post((struct request){ d, offset, buf, NULL, len, done, opaque });
}

void
disk_write(struct disk *d, uint64_t offset, const void *buf, size_t len, disk_done *done, void *opaque)
{
	post((struct request){ d, offset, NULL, buf, len, done, opaque });
}

int
disk_read_sync(struct disk *d, uint64_t offset, void *buf, size_t len)
{
	memcpy(buf, d->data + offset, len);
	return 0;
}

int
disk_write_sync(struct disk *d, uint64_t offset, const void *buf, size_t len)
{
	memcpy(d->data + offset, buf, len);
	return d->error;
}

static void
note_irq(void *opaque, int n, int level)
{
	(void)n;
	*(int *)opaque = level;
}

static struct disk
make_disk(uint64_t size)
{
	struct disk d = { .data = xcalloc(1, size), .size = size };

	for (uint64_t i = 0; i < size; i++)
		d.data[i] = i / 512 + i;
	return d;
}

static void
make(uint64_t floppy_size)
{
	struct disk *drives[2];
	struct dev_env env;

	b = xcalloc(1, sizeof(*b));
	b->clock = clock_new(true);
	b->loop = loop_new(b->clock);
	b->mem = space_new("mem", false);
	b->io = space_new("io", true);
	b->ram = xcalloc(1, RAM_SIZE);
	region_init_ram(&b->ram_region, "ram", b->ram, RAM_SIZE);
	space_add(b->mem, &b->ram_region, 0, 0);
	b->floppy = make_disk(floppy_size);
	b->vars = make_disk(64 * KiB);
	env = (struct dev_env){ .clock = b->clock, .loop = b->loop, .mem = b->mem, .io = b->io, .devices = &b->devices };
	drives[0] = floppy_size != 0 ? &b->floppy : NULL;
	drives[1] = NULL;
	b->dma = i8237_new(&env);
	b->fdc = i82077_new(&env, irq_to(note_irq, &b->irq, 0), b->dma, drives);
	b->flash = pflash_new(&env, "vars", FLASH_AT, &b->vars, NULL);
	dev_reset_all(b->devices);
}

static void
setup(void)
{
	make(1474560);
}

static void
teardown(void)
{
	for (unsigned i = 0; i < 4; i++)
		loop_turn(b->loop, 0);
	space_free(b->mem);
	space_free(b->io);
	dev_free_all(b->devices);
	loop_free(b->loop);
	clock_free(b->clock);
	free(b->floppy.data);
	free(b->vars.data);
	free(b->ram);
	free(b);
}

static void
out(unsigned port, uint8_t value)
{
	space_write(b->io, port, value, 1, false);
}

static uint8_t
in(unsigned port)
{
	return space_read(b->io, port, 1, false);
}

/* ---- floppy ---- */

static void
command(const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		ck_assert_uint_eq(in(0x3f4) & 0xc0, 0x80);
		out(0x3f5, bytes[i]);
	}
}

#define COMMAND(...) command((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

/* Waits for the result phase, and takes it. */
static void
result(const uint8_t *bytes, size_t len)
{
	for (unsigned i = 0; i < 400 && (in(0x3f4) & 0xc0) != 0xc0; i++) {
		loop_turn(b->loop, 0);
		clock_advance(b->clock, 100000);
	}
	for (size_t i = 0; i < len; i++) {
		uint8_t byte;

		ck_assert_uint_eq(in(0x3f4) & 0xc0, 0xc0);
		byte = in(0x3f5);
		ck_assert_msg(byte == bytes[i], "result %zu: %02x, not %02x", i, byte, bytes[i]);
	}
	ck_assert_uint_eq(in(0x3f4) & 0xd0, 0x80);
}

#define RESULT(...) result((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void
start(void)
{
	out(0x3f2, 0x00);
	out(0x3f2, 0x1c);
	ck_assert_int_eq(b->irq, 1);
	for (unsigned drive = 0; drive < 4; drive++) {
		COMMAND(0x08);
		RESULT(0xc0 | drive, 0x00);
	}
	ck_assert_int_eq(b->irq, 0);
	out(0x3f7, 0x00);
	COMMAND(0x03, 0xdf, 0x02);
}

/* Channel 2: LEN bytes at BUFFER; to memory (44h), from it (48h). */
static void
program_dma(uint8_t mode, unsigned len)
{
	out(0x0a, 0x06);
	out(0x0c, 0);
	out(0x0b, mode | 2);
	out(0x04, BUFFER & 0xff);
	out(0x04, BUFFER >> 8);
	out(0x81, BUFFER >> 16);
	out(0x05, (len - 1) & 0xff);
	out(0x05, (len - 1) >> 8);
	out(0x0a, 0x02);
}

START_TEST(identifies)
{
	start();
	COMMAND(0x10);
	RESULT(0x90);
	COMMAND(0x18);
	RESULT(0x80);
	COMMAND(0x94);
	RESULT(0x10);
	COMMAND(0x13, 0x00, 0x57, 0x20);
	COMMAND(0x0e);
	RESULT(0, 0, 0, 0, 0xdf, 0x02, 0, 0x80, 0x57, 0x20);
	COMMAND(0x08);
	RESULT(0x80);
	COMMAND(0x04, 0x00);
	RESULT(0x38);
	ck_assert_uint_eq(i82077_cmos_types(b->fdc), 0x40);
}
END_TEST

START_TEST(seeks)
{
	start();
	ck_assert_uint_eq(in(0x3f7) & 0x80, 0x80);
	COMMAND(0x0f, 0x00, 40);
	ck_assert_uint_eq(in(0x3f4), 0x81);
	clock_advance(b->clock, 1000000);
	ck_assert_int_eq(b->irq, 1);
	COMMAND(0x08);
	RESULT(0x20, 40);
	ck_assert_uint_eq(in(0x3f7) & 0x80, 0);
	COMMAND(0x4a, 0x00);
	RESULT(0x00, 0x00, 0x00, 40, 0, 1, 2);
	COMMAND(0xcf, 0x00, 5);
	clock_advance(b->clock, 1000000);
	COMMAND(0x08);
	RESULT(0x20, 45);
	COMMAND(0x07, 0x00);
	clock_advance(b->clock, 1000000);
	COMMAND(0x08);
	RESULT(0x20, 0);
	COMMAND(0x07, 0x01);
	clock_advance(b->clock, 1000000);
	COMMAND(0x08);
	RESULT(0x71, 0);
}
END_TEST

/* Track 1, head 0, sector 17, three sectors on with MT: the third one is on the other side. */
START_TEST(reads)
{
	uint64_t lba = 1 * 36 + 16;

	start();
	program_dma(0x44, 3 * 512);
	COMMAND(0xe6, 0x00, 1, 0, 17, 2, 18, 0x1b, 0xff);
	ck_assert_uint_eq(in(0x3f4), 0x10);
	RESULT(0x04, 0, 0, 1, 1, 2, 2);
	ck_assert_int_eq(b->irq, 0);
	ck_assert_mem_eq(b->ram + BUFFER, b->floppy.data + lba * 512, 3 * 512);
}
END_TEST

START_TEST(writes)
{
	start();
	memset(b->ram + BUFFER, 0x77, 1024);
	program_dma(0x48, 512 + 100);
	COMMAND(0x45, 0x04, 79, 1, 17, 2, 18, 0x1b, 0xff);
	RESULT(0x04, 0, 0, 80, 1, 1, 2);
	ck_assert_mem_eq(b->floppy.data + 2878 * 512, b->ram + BUFFER, 612);
	ck_assert_uint_eq(b->floppy.data[2878 * 512 + 612], 0);
	b->floppy.readonly = true;
	COMMAND(0x45, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x02, 0, 0, 0, 1, 2);
}
END_TEST

START_TEST(errors)
{
	start();
	program_dma(0x44, 512);
	COMMAND(0xe6, 0x00, 0, 0, 19, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x04, 0, 0, 0, 19, 2);
	b->floppy.error = EIO;
	COMMAND(0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x20, 0, 0, 0, 1, 2);
	b->floppy.error = 0;
	out(0x3f7, 0x02);
	COMMAND(0x4a, 0x00);
	RESULT(0x40, 0x01, 0, 0, 0, 2, 2);
	COMMAND(0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x01, 0, 0, 0, 1, 2);
	out(0x3f7, 0x00);
	/* A masked channel takes nothing. */
	out(0x0a, 0x06);
	COMMAND(0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x10, 0, 0, 0, 1, 2);
	/* No terminal count by the last sector. */
	program_dma(0x44, 4096);
	COMMAND(0x46, 0x00, 0, 0, 18, 2, 18, 0x1b, 0xff);
	RESULT(0x40, 0x80, 0, 1, 0, 1, 2);
}
END_TEST

START_TEST(reads_by_port)
{
	start();
	COMMAND(0x03, 0xdf, 0x03);
	COMMAND(0x46, 0x00, 0, 0, 2, 2, 2, 0x1b, 0xff);
	loop_turn(b->loop, 0);
	ck_assert_int_eq(b->irq, 1);
	for (unsigned i = 0; i < 512; i++) {
		ck_assert_uint_eq(in(0x3f4), 0xf0);
		ck_assert_uint_eq(in(0x3f5), b->floppy.data[512 + i]);
	}
	RESULT(0x40, 0x80, 0, 1, 0, 1, 2);
	COMMAND(0x45, 0x00, 0, 0, 2, 2, 2, 0x1b, 0xff);
	for (unsigned i = 0; i < 512; i++) {
		ck_assert_uint_eq(in(0x3f4), 0xb0);
		out(0x3f5, i * 3);
	}
	RESULT(0x40, 0x80, 0, 1, 0, 1, 2);
	ck_assert_uint_eq(b->floppy.data[512 + 100], 300 & 0xff);
}
END_TEST

START_TEST(formats)
{
	start();
	for (unsigned i = 0; i < 18; i++)
		memcpy(b->ram + BUFFER + 4 * i, (uint8_t[]){ 0, 1, i + 1, 2 }, 4);
	program_dma(0x48, 18 * 4);
	COMMAND(0x4d, 0x04, 2, 18, 0x54, 0xf6);
	RESULT(0x04, 0, 0, 0, 1, 18, 2);
	for (unsigned i = 0; i < 18 * 512; i++)
		ck_assert_uint_eq(b->floppy.data[18 * 512 + i], 0xf6);
	ck_assert_uint_eq(b->floppy.data[36 * 512], 36);
}
END_TEST

/* A reset while the disk works: the request's end is nobody's, and the next read gets its own data. */
START_TEST(reset_in_flight)
{
	start();
	program_dma(0x44, 512);
	COMMAND(0xe6, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	start();
	program_dma(0x44, 512);
	COMMAND(0xe6, 0x00, 0, 0, 5, 2, 18, 0x1b, 0xff);
	RESULT(0, 0, 0, 0, 0, 6, 2);
	ck_assert_mem_eq(b->ram + BUFFER, b->floppy.data + 4 * 512, 512);
	ck_assert_uint_eq(b->posted, 2);
}
END_TEST

START_TEST(changes)
{
	struct disk other = make_disk(737280);

	start();
	COMMAND(0x0f, 0x00, 1);
	clock_advance(b->clock, 1000000);
	COMMAND(0x08);
	RESULT(0x20, 1);
	ck_assert_uint_eq(in(0x3f7), 0x00);
	i82077_change(b->fdc, 0, NULL);
	ck_assert_uint_eq(in(0x3f7), 0x80);
	COMMAND(0x4a, 0x00);
	RESULT(0x40, 0x01, 0, 1, 0, 1, 2);
	i82077_change(b->fdc, 0, &other);
	ck_assert_uint_eq(in(0x3f7), 0x80);
	COMMAND(0x07, 0x00);
	clock_advance(b->clock, 1000000);
	COMMAND(0x08);
	RESULT(0x20, 0);
	ck_assert_uint_eq(in(0x3f7), 0x00);
	out(0x3f7, 0x02);
	program_dma(0x44, 512);
	COMMAND(0xe6, 0x00, 79, 0, 9, 2, 9, 0x1b, 0xff);
	RESULT(0x04, 0, 0, 79, 1, 1, 2);
	ck_assert_mem_eq(b->ram + BUFFER, other.data + (79 * 18 + 8) * 512, 512);
	free(other.data);
}
END_TEST

/* A write that is under way ends; the new disk gets none of it. */
START_TEST(change_while_busy)
{
	struct disk other = make_disk(1474560);
	uint8_t *before = xcalloc(1, 1474560);
	unsigned posted = b->posted;

	memcpy(before, other.data, 1474560);
	start();
	memset(b->ram + BUFFER, 0x77, 4096);
	program_dma(0x48, 4096);
	COMMAND(0x45, 0x00, 0, 0, 1, 2, 18, 0x1b, 0xff);
	for (unsigned i = 0; i < 400 && b->posted < posted + 2; i++) {
		loop_turn(b->loop, 0);
		clock_advance(b->clock, 100000);
	}
	i82077_change(b->fdc, 0, &other);
	ck_assert_uint_eq(in(0x3f4) & 0xc0, 0xc0);
	ck_assert_uint_eq(in(0x3f5) & 0xc0, 0x40);
	for (unsigned i = 0; i < 6; i++)
		in(0x3f5);
	for (unsigned i = 0; i < 100; i++) {
		loop_turn(b->loop, 0);
		clock_advance(b->clock, 100000);
	}
	ck_assert_mem_eq(other.data, before, 1474560);
	out(0x3f7, 0x00);
	program_dma(0x44, 512);
	COMMAND(0xe6, 0x00, 0, 0, 3, 2, 3, 0x1b, 0xff);
	RESULT(0x04, 0, 0, 0, 1, 1, 2);
	ck_assert_mem_eq(b->ram + BUFFER, before + 1024, 512);
	free(other.data);
	free(before);
}
END_TEST

/* ---- flash ---- */

static uint8_t
flash_in(unsigned offset)
{
	return space_read(b->mem, FLASH_AT + offset, 1, false);
}

static void
flash_out(unsigned offset, uint8_t value)
{
	space_write(b->mem, FLASH_AT + offset, value, 1, false);
}

/* As OVMF finds out that it has flash before it. */
START_TEST(flash_probe)
{
	uint8_t byte = flash_in(0x123);

	ck_assert_uint_eq(byte, b->vars.data[0x123]);
	flash_out(0x123, 0x50);
	ck_assert_uint_eq(flash_in(0x123), byte);
	flash_out(0x123, 0x70);
	ck_assert_uint_eq(flash_in(0x123), 0x00);
	flash_out(0x123, 0xff);
	ck_assert_uint_eq(flash_in(0x123), byte);
	flash_out(0, 0x90);
	ck_assert_uint_eq(flash_in(0), 0x89);
	ck_assert_uint_eq(flash_in(1), 0x18);
	flash_out(0, 0x98);
	ck_assert_uint_eq(space_read(b->mem, FLASH_AT + 0x10, 4, false) & 0xffffff, load_le("QRY", 3));
	ck_assert_uint_eq(flash_in(0x27), 16);
	ck_assert_uint_eq(space_read(b->mem, FLASH_AT + 0x2d, 4, false), 0x0010000f);
	flash_out(0, 0xff);
}
END_TEST

START_TEST(flash_writes)
{
	flash_out(0x1234, 0x20);
	flash_out(0x1234, 0xd0);
	ck_assert_uint_eq(flash_in(0x1234), 0x80);
	flash_out(0x1234, 0x40);
	flash_out(0x1234, 0x5a);
	ck_assert_uint_eq(flash_in(0), 0x80);
	flash_out(0x1234, 0x10);
	flash_out(0x1234, 0xf0);
	flash_out(0, 0xff);
	ck_assert_uint_eq(flash_in(0x1234), 0x50);
	ck_assert_uint_eq(flash_in(0x1000), 0xff);
	ck_assert_uint_eq(flash_in(0x1fff), 0xff);
	ck_assert_uint_eq(flash_in(0x2000), (0x2000 / 512) & 0xff);
	ck_assert_uint_eq(b->vars.data[0x1234], 0x50);
	ck_assert_uint_eq(b->vars.data[0x1000], 0xff);
}
END_TEST

START_TEST(flash_buffer)
{
	flash_out(0x3000, 0x20);
	flash_out(0x3000, 0xd0);
	flash_out(0x3000, 0xe8);
	ck_assert_uint_eq(flash_in(0x3000) & 0x80, 0x80);
	flash_out(0x3000, 3);
	for (unsigned i = 0; i < 4; i++)
		flash_out(0x3010 + i, 'A' + i);
	flash_out(0x3000, 0xd0);
	ck_assert_uint_eq(flash_in(0x3000), 0x80);
	flash_out(0x3000, 0xff);
	ck_assert_uint_eq(space_read(b->mem, FLASH_AT + 0x3010, 4, false), load_le("ABCD", 4));
	ck_assert_uint_eq(flash_in(0x3014), 0xff);
}
END_TEST

START_TEST(flash_refuses)
{
	struct disk odd = make_disk(1000);
	struct dev_env env = { .mem = b->mem, .devices = &b->devices };

	flash_out(0, 0x20);
	flash_out(0, 0x00);
	ck_assert_uint_eq(flash_in(0), 0xb0);
	flash_out(0, 0x50);
	ck_assert_uint_eq(flash_in(0), 0);
	b->vars.error = ENOSPC;
	flash_out(0, 0x40);
	flash_out(0, 0x00);
	flash_out(0, 0xff);
	flash_out(0, 0x70);
	ck_assert_uint_eq(flash_in(0), 0x90);
	ck_assert(pflash_new(&env, "odd", 0, &odd, NULL) == NULL);
	free(odd.data);
}
END_TEST

START_TEST(fields_cover_state)
{
	for (struct dev *d = b->devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

static uint32_t
random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 32;
}

START_TEST(anything_goes)
{
	static const uint8_t firsts[] = { 0xe6, 0x46, 0x45, 0x4d, 0x02, 0x16, 0x4a, 0x07, 0x0f, 0x08, 0x0c, 0x13, 0x8f };
	uint64_t seed = 4;

	for (unsigned i = 0; i < 60000; i++) {
		uint32_t r = random_next(&seed);

		switch (r & 15) {
		case 0 ... 4: out(0x3f5, r >> 8 & 3); break;
		case 5: out(0x3f5, firsts[(r >> 8) % ARRAY_SIZE(firsts)]); break;
		case 6: in(0x3f0 + (r >> 8 & 7)); break;
		case 7: if ((r >> 8 & 31) == 0) out(0x3f2 + (r >> 16 & 1) * 2, r >> 20); else out(0x3f2, 0x1c); break;
		case 8: out(0x3f7, 0); break;
		case 9: program_dma(r & 16 ? 0x44 : 0x48, (r >> 8 & 0x3fff) + 1); break;
		case 10: loop_turn(b->loop, 0); break;
		case 11: clock_advance(b->clock, r >> 12); break;
		case 12: in(0x3f5); break;
		case 13: flash_out(r >> 8 & 0xffff, r >> 24); break;
		case 14: space_write(b->mem, FLASH_AT + (r >> 8 & 0xffff), seed, 4, false); break;
		case 15: flash_in(r >> 8 & 0xffff); break;
		}
		if (i % 500 == 0) {
			b->floppy.error = r >> 30 == 0 ? EIO : 0;
			for (struct dev *d = b->devices; d != NULL; d = d->next)
				ck_assert(d->cls->loaded == NULL || d->cls->loaded(d, NULL));
		}
	}
	loop_turn(b->loop, 0);
	dev_reset_all(b->devices);
	start();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_floppy");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, identifies);
	tcase_add_test(c, seeks);
	tcase_add_test(c, reads);
	tcase_add_test(c, writes);
	tcase_add_test(c, errors);
	tcase_add_test(c, reads_by_port);
	tcase_add_test(c, formats);
	tcase_add_test(c, reset_in_flight);
	tcase_add_test(c, changes);
	tcase_add_test(c, change_while_busy);
	tcase_add_test(c, flash_probe);
	tcase_add_test(c, flash_writes);
	tcase_add_test(c, flash_buffer);
	tcase_add_test(c, flash_refuses);
	tcase_add_test(c, fields_cover_state);
	tcase_add_test(c, anything_goes);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
