/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDE controller and its drives, driven by ports as a BIOS and a driver do, on images in temporary files. */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	RAM = 4 * MiB,
	DISK_SECTORS = 40000,
	CD_SECTORS = 1000,
	IDE = 1 << 3 | 1,
	BM = 0xc000,
	PRDS = 0x1000,
	BSY = 0x80, DRQ = 0x08, ERR = 0x01,
};

static struct clock *clock_;
static struct loop *loop;
static struct space *mem, *io;
static struct dev *devices, *ide;
static uint8_t *ram;
static int irqs[2];       /* levels */
static unsigned edges[2]; /* how often they rose */
static char disk_path[64], cd_path[64];
static struct disk *disk, *cd, *faulty;

/* What sector N of an image has in its dword I. */
static uint32_t
pattern(uint32_t n, uint32_t i)
{
	return n * 2654435761u + i;
}

static void
make_image(char *path, uint32_t sectors, uint32_t size)
{
	uint32_t *buf = xcalloc(1, size);
	FILE *f;
	int fd;

	strcpy(path, "/tmp/test_ide_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	f = fdopen(fd, "w");
	for (uint32_t n = 0; n < sectors; n++) {
		for (uint32_t i = 0; i < size / 4; i++)
			buf[i] = pattern(n, i);
		ck_assert_uint_eq(fwrite(buf, size, 1, f), 1);
	}
	fclose(f);
	free(buf);
}

static struct disk *
open_image(const char *path, bool readonly, const char *filter)
{
	struct disk_options o = { .file = path, .format = "raw", .readonly = readonly, .filter = filter, .snapshot = !readonly,
		.discard = true };
	struct err e = { "" };
	struct disk *d = disk_open(loop, &o, &e);

	ck_assert_msg(d != NULL, "%s", e.text);
	return d;
}

static void
set_irq(void *opaque, int n, int level)
{
	(void)opaque;
	n -= 14;
	edges[n] += level && !irqs[n];
	irqs[n] = level;
}

static uint32_t
in(unsigned port, unsigned size)
{
	return space_read(io, port, size, false);
}

static void
out(unsigned port, uint32_t value, unsigned size)
{
	space_write(io, port, value, size, false);
}

static void
set_conf(unsigned reg, uint32_t value, unsigned size)
{
	out(0xcf8, 0x80000000 | IDE << 8 | (reg & 0xfc), 4);
	out(0xcfc + (reg & 3), value, size);
}

static void
configure(void)
{
	set_conf(0x20, BM, 4);
	set_conf(0x04, 5, 2);
}

/* Drives: a disk, nothing, a CD, and a disk with faults. */
static void
set_up(void)
{
	const bool cdrom[4] = { false, false, true, false };
	struct disk *disks[4];
	struct dev_env env;
	struct pci_bus *bus;

	clock_ = clock_new(true);
	loop = loop_new(clock_);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	env = (struct dev_env){ clock_, loop, mem, io, &devices };
	ram = aligned_alloc(4096, RAM);
	memset(ram, 0, RAM);
	make_image(disk_path, DISK_SECTORS, 512);
	make_image(cd_path, CD_SECTORS, 2048);
	disk = open_image(disk_path, false, NULL);
	cd = open_image(cd_path, true, NULL);
	faulty = open_image(disk_path, false, "fault:read@0x2800=EIO,write@0x3000=ENOSPC,flush=EIO,discard@0x100000=EIO");
	disks[0] = disk;
	disks[1] = NULL;
	disks[2] = cd;
	disks[3] = faulty;
	i440fx_new(&env, ram, RAM, NULL, &bus);
	ide = piix3_ide_new(&env, bus, irq_to(set_irq, NULL, 14), irq_to(set_irq, NULL, 15), disks, cdrom, NULL);
	dev_reset_all(devices);
	memset(irqs, 0, sizeof(irqs));
	memset(edges, 0, sizeof(edges));
	configure();
}

static void
tear_down(void)
{
	dev_free_all(devices);
	disk_close(disk);
	disk_close(cd);
	disk_close(faulty);
	loop_turn(loop, 0);
	loop_free(loop);
	space_free(mem);
	space_free(io);
	clock_free(clock_);
	free(ram);
	unlink(disk_path);
	unlink(cd_path);
}

/* ---- the driver ---- */

static unsigned
base_of(unsigned channel)
{
	return channel == 0 ? 0x1f0 : 0x170;
}

static uint8_t
alt_status(unsigned channel)
{
	return in(base_of(channel) + 0x206, 1);
}

static uint8_t
wait_ready(unsigned channel)
{
	for (unsigned i = 0; i < 1000 && (alt_status(channel) & BSY); i++)
		loop_turn(loop, 10);
	return alt_status(channel);
}

static void
wait_irq(unsigned channel)
{
	for (unsigned i = 0; i < 1000 && !irqs[channel]; i++)
		loop_turn(loop, 10);
	ck_assert_int_eq(irqs[channel], 1);
}

/* Registers 1 to 7 of a 28-bit command. */
static void
command(unsigned channel, unsigned device, uint32_t lba, uint8_t count, uint8_t code)
{
	unsigned base = base_of(channel);

	out(base + 6, 0xe0 | device << 4 | lba >> 24, 1);
	out(base + 2, count, 1);
	out(base + 3, lba, 1);
	out(base + 4, lba >> 8, 1);
	out(base + 5, lba >> 16, 1);
	out(base + 7, code, 1);
}

static void
command_48(unsigned channel, unsigned device, uint64_t lba, uint16_t count, uint8_t code)
{
	unsigned base = base_of(channel);

	out(base + 6, 0x40 | device << 4, 1);
	out(base + 2, count >> 8, 1);
	out(base + 3, lba >> 24, 1);
	out(base + 4, lba >> 32, 1);
	out(base + 5, lba >> 40, 1);
	out(base + 2, count, 1);
	out(base + 3, lba, 1);
	out(base + 4, lba >> 8, 1);
	out(base + 5, lba >> 16, 1);
	out(base + 7, code, 1);
}

static void
read_data(unsigned channel, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		store_le((uint8_t *)buf + i, in(base_of(channel), 2), 2);
}

static void
check_sectors(const void *data, uint32_t first, uint32_t count, uint32_t size)
{
	for (uint32_t n = 0; n < count; n++)
		for (uint32_t i = 0; i < size / 4; i += 13)
			ck_assert_uint_eq(load_le((const uint8_t *)data + n * size + i * 4, 4), pattern(first + n, i));
}

static unsigned
word(const uint8_t *page, unsigned n)
{
	return load_le(page + 2 * n, 2);
}

/* One PRD. */
static void
put_prd(unsigned n, uint32_t addr, uint32_t len, bool last)
{
	store_le(ram + PRDS + 8 * n, addr, 4);
	store_le(ram + PRDS + 8 * n + 4, (len & 0xffff) | (last ? 0x80000000 : 0), 4);
}

static void
start_bus_master(unsigned channel, bool to_memory)
{
	out(BM + 8 * channel + 2, 0x06, 1);
	out(BM + 8 * channel + 4, PRDS, 4);
	out(BM + 8 * channel, to_memory ? 8 : 0, 1);
	out(BM + 8 * channel, to_memory ? 9 : 1, 1);
}

/* ---- disks ---- */

START_TEST(coverage)
{
	ck_assert_int_eq(dev_uncovered(ide->cls), -1);
}
END_TEST

START_TEST(identify)
{
	uint8_t page[512], sum = 0;

	command(0, 0, 0, 0, 0xec);
	ck_assert_uint_eq(alt_status(0), 0x58);
	ck_assert_int_eq(irqs[0], 1);
	ck_assert_uint_eq(in(0x1f7, 1), 0x58);
	ck_assert_int_eq(irqs[0], 0);
	read_data(0, page, 512);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	for (unsigned i = 0; i < 512; i++)
		sum += page[i];
	ck_assert_uint_eq(sum, 0);
	ck_assert_uint_eq(word(page, 1), DISK_SECTORS / (16 * 63));
	ck_assert_uint_eq(load_le(page + 120, 4), DISK_SECTORS);
	ck_assert_uint_eq(load_le(page + 200, 8), DISK_SECTORS);
	ck_assert_mem_eq(page + 54, "ACQLEUH RADDSI K", 16);
	ck_assert_uint_eq(word(page, 85) & 0x20, 0x20);
	/* Mode and cache, as they are set, show. */
	out(0x1f1, 3, 1);
	command(0, 0, 0, 0x45, 0xef);
	ck_assert_uint_eq(alt_status(0), 0x50);
	out(0x1f1, 0x82, 1);
	command(0, 0, 0, 0, 0xef);
	ck_assert_uint_eq(wait_ready(0), 0x50);
	command(0, 0, 0, 0, 0xec);
	read_data(0, page, 512);
	ck_assert_uint_eq(word(page, 88), 0x203f);
	ck_assert_uint_eq(word(page, 85) & 0x20, 0);
	out(0x1f1, 3, 1);
	command(0, 0, 0, 0x46, 0xef);
	ck_assert_uint_eq(alt_status(0), 0x51);
	ck_assert_uint_eq(in(0x1f1, 1), 0x04);
}
END_TEST

START_TEST(pio_read)
{
	static uint8_t buf[256 * 512];

	/* 256 sectors: two requests of the host, an interrupt for each sector. */
	command(0, 0, 7, 0, 0x20);
	for (unsigned n = 0; n < 256; n++) {
		wait_irq(0);
		ck_assert_uint_eq(in(0x1f7, 1), 0x58);
		read_data(0, buf + n * 512, 512);
	}
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	ck_assert_uint_eq(edges[0], 256);
	check_sectors(buf, 7, 256, 512);
	ck_assert_uint_eq(disk_stats(disk).reads, 1 + 2); /* geometry, two of 64 KiB */
	/* CHS: cylinder 1, head 2, sector 3. */
	out(0x1f6, 0xa2, 1);
	out(0x1f2, 1, 1);
	out(0x1f3, 3, 1);
	out(0x1f4, 1, 1);
	out(0x1f5, 0, 1);
	out(0x1f7, 0x20, 1);
	wait_ready(0);
	for (unsigned i = 0; i < 512; i += 4)
		store_le(buf + i, in(0x1f0, 4), 4);
	check_sectors(buf, (1 * 16 + 2) * 63 + 2, 1, 512);
}
END_TEST

START_TEST(pio_multiple)
{
	static uint8_t buf[40 * 512];

	command(0, 0, 0, 1, 0xc4);
	ck_assert_uint_eq(alt_status(0), 0x51);
	command(0, 0, 0, 16, 0xc6);
	ck_assert_uint_eq(alt_status(0), 0x50);
	for (unsigned i = 0; i < sizeof(buf); i += 4)
		store_le(buf + i, pattern(100000 + i / 512, i % 512 / 4), 4);
	in(0x1f7, 1);
	edges[0] = 0;
	command(0, 0, 1000, 40, 0xc5);
	ck_assert_uint_eq(alt_status(0), 0x58);
	ck_assert_int_eq(irqs[0], 0);
	for (unsigned i = 0; i < sizeof(buf); i += 4) {
		if (i == 16 * 512 || i == 32 * 512) {
			ck_assert_int_eq(irqs[0], 1);
			in(0x1f7, 1);
		}
		out(0x1f0, load_le(buf + i, 4), 4);
	}
	wait_irq(0);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	ck_assert_uint_eq(edges[0], 3);
	command(0, 0, 0, 0, 0xe7);
	ck_assert_uint_eq(wait_ready(0), 0x50);
	memset(buf, 0, sizeof(buf));
	command(0, 0, 1000, 40, 0xc4);
	for (unsigned n = 0; n < 40; n += 16) {
		ck_assert_uint_eq(wait_ready(0), 0x58);
		read_data(0, buf + n * 512, MIN(16, 40 - n) * 512);
	}
	check_sectors(buf, 100000, 40, 512);
	ck_assert_uint_eq(disk_stats(disk).writes, 1);
}
END_TEST

START_TEST(dma)
{
	unsigned reads;

	/* 3000 sectors into regions of odd sizes, the last as long as it takes. */
	put_prd(0, 0x100000, 0x1234, false);
	put_prd(1, 0x101234, 0, false);
	put_prd(2, 0x111234, 0x10, false);
	for (unsigned n = 3; n < 26; n++)
		put_prd(n, 0x111244 + (n - 3) * 0xfffe, 0xfffe, n == 25);
	reads = disk_stats(disk).reads;
	command_48(0, 0, 5000, 3000, 0x25);
	ck_assert_uint_eq(alt_status(0), 0x58);
	start_bus_master(0, true);
	wait_irq(0);
	ck_assert_uint_eq(in(BM + 2, 1), 0x05); /* the list was longer than the transfer */
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	out(BM, 8, 1);
	ck_assert_uint_eq(in(BM + 2, 1), 0x04);
	out(BM + 2, 4, 1);
	ck_assert_uint_eq(in(BM + 2, 1), 0x00);
	check_sectors(ram + 0x100000, 5000, 3000, 512);
	ck_assert_uint_eq(disk_stats(disk).reads - reads, 2); /* 1 MiB, and the rest */
	/* To the disk; here the list ends with the transfer. */
	put_prd(0, 0x100200, 0x8000, false);
	put_prd(1, 0x108200, 0x8000, true);
	command(0, 0, 20, 128, 0xca);
	start_bus_master(0, false);
	wait_irq(0);
	ck_assert_uint_eq(in(BM + 2, 1), 0x04);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	out(BM, 0, 1);
	put_prd(0, 0x200000, 0x8000, false);
	put_prd(1, 0x208000, 0x8000, true);
	/* The bus master may start first. */
	start_bus_master(0, true);
	command(0, 0, 20, 128, 0xc8);
	wait_irq(0);
	check_sectors(ram + 0x200000, 5001, 128, 512);
}
END_TEST

static void
save_and_load(void)
{
	uint8_t *state = (uint8_t *)ide + ide->cls->state_offset, *copy = xcalloc(1, ide->cls->state_size);
	struct err e = { "" };

	memcpy(copy, state, ide->cls->state_size);
	dev_reset_all(devices);
	memcpy(state, copy, ide->cls->state_size);
	free(copy);
	ck_assert_msg(ide->cls->loaded(ide, &e), "%s", e.text);
}

/* Up to three ranges to the disk with faults, whose sector 2048 can't be discarded.  What the status register says then. */
static unsigned
trim(uint8_t feature, uint16_t blocks, const uint64_t ranges[6], bool load)
{
	uint8_t status;

	memset(ram + 0x100000, 0, 0x2000);
	for (unsigned n = 0; n < 3; n++)
		store_le(ram + 0x100000 + 8 * n, ranges[2 * n] | ranges[2 * n + 1] << 48, 8);
	put_prd(0, 0x100000, 100, false);
	put_prd(1, 0x100064, 0x2000, true);
	out(0x171, feature, 1);
	command_48(1, 1, 0, blocks, 0x06);
	if (load)
		save_and_load();
	start_bus_master(1, false);
	if (load)
		save_and_load();
	wait_irq(1);
	status = in(0x177, 1);
	out(BM + 8, 0, 1);
	return status;
}

START_TEST(trims)
{
	static const struct {
		uint8_t feature;
		uint16_t blocks;
		uint64_t ranges[6];
		uint8_t status, error;
	} rows[] = {
		{ 1, 1, { 10, 5, 15, 10, 100, 1 }, 0x50, 0 },
		{ 1, 8, { 2000, 48, 0, 0, 2049, 1 }, 0x50, 0 },
		{ 1, 1, { 10, 1, 2000, 49, 0, 0 }, 0x51, 0x04 },
		{ 1, 1, { 2000, 40, 2040, 20, 0, 0 }, 0x51, 0x04 }, /* the two as one */
		{ 1, 1, { 0, 0, 0, 0, 0, 0 }, 0x50, 0 },
		{ 1, 1, { DISK_SECTORS - 1, 1, 0, 0, 0, 0 }, 0x50, 0 },
		{ 1, 1, { DISK_SECTORS - 1, 2, 0, 0, 0, 0 }, 0x51, 0x14 },
		{ 1, 1, { 0xffffffffffff, 0xffff, 0, 0, 0, 0 }, 0x51, 0x14 },
		{ 1, 9, { 10, 1, 0, 0, 0, 0 }, 0x51, 0x04 },
		{ 1, 0, { 10, 1, 0, 0, 0, 0 }, 0x51, 0x04 },
		{ 0, 1, { 10, 1, 0, 0, 0, 0 }, 0x51, 0x04 },
		{ 3, 1, { 10, 1, 0, 0, 0, 0 }, 0x51, 0x04 },
	};
	uint8_t page[512];

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		ck_assert_uint_eq(trim(rows[i].feature, rows[i].blocks, rows[i].ranges, i % 2 == 0), rows[i].status);
		ck_assert_uint_eq(in(0x171, 1), rows[i].error);
	}
	command(1, 1, 0, 0, 0xec);
	wait_irq(1);
	in(0x177, 1);
	read_data(1, page, 512);
	ck_assert_uint_eq(word(page, 169), 1);
	ck_assert_uint_eq(word(page, 105), 8);
}
END_TEST

START_TEST(dma_list_too_short)
{
	put_prd(0, 0x100000, 0x400, true);
	command(0, 0, 0, 8, 0xc8);
	start_bus_master(0, true);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 5);
	ck_assert_int_eq(irqs[0], 0);
	ck_assert_uint_eq(in(BM + 2, 1), 0x00);
	ck_assert_uint_eq(alt_status(0) & DRQ, DRQ);
	check_sectors(ram + 0x100000, 0, 2, 512);
	ck_assert_uint_eq(ram[0x100400], 0);
	/* A list in no memory: an error, and no end either. */
	out(BM, 8, 1);
	out(BM + 4, 0xf0000000, 4);
	out(BM, 9, 1);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 5);
	ck_assert_uint_eq(in(BM + 2, 1), 0x02);
	/* A reset helps. */
	out(0x3f6, 4, 1);
	ck_assert_uint_eq(alt_status(0), BSY);
	out(0x3f6, 0, 1);
	ck_assert_uint_eq(alt_status(0), 0x50);
	out(BM, 8, 1);
	put_prd(0, 0x100000, 0x1000, true);
	command(0, 0, 0, 8, 0xc8);
	start_bus_master(0, true);
	wait_irq(0);
	check_sectors(ram + 0x100000, 0, 8, 512);
}
END_TEST

/* A reset while the host works on a request; then another command at once. */
START_TEST(reset_while_busy)
{
	put_prd(0, 0x100000, 0x1000, true);
	for (unsigned i = 0; i < 20; i++) {
		out(BM, 0, 1);
		command(0, 0, 8, 8, 0xc8);
		start_bus_master(0, true);
		out(0x3f6, 4, 1);
		out(0x3f6, 0, 1);
		in(0x1f7, 1);
		out(BM, 0, 1);
		ck_assert_int_eq(irqs[0], 0);
		command(0, 0, 100 + i, 8, 0xc8);
		start_bus_master(0, true);
		wait_irq(0);
		ck_assert_uint_eq(in(0x1f7, 1), 0x50);
		check_sectors(ram + 0x100000, 100 + i, 8, 512);
	}
	/* The machine's reset, with a request under way. */
	command(0, 0, 8, 8, 0x20);
	dev_reset_all(devices);
	configure();
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 2);
	ck_assert_uint_eq(alt_status(0), 0x50);
	ck_assert_int_eq(irqs[0], 0);
	command(0, 0, 8, 8, 0x20); /* the end of the test finds it under way */
}
END_TEST

/* The state goes through a reset, as through a snapshot, with the host at work: the command goes on from it. */
START_TEST(loading)
{
	static uint8_t buf[20 * 512];
	uint8_t *state = (uint8_t *)ide + ide->cls->state_offset, *copy = xcalloc(1, ide->cls->state_size);
	struct err e = { "" };

	command(0, 0, 30, 20, 0x20);
	for (unsigned n = 0; n < 20; n++) {
		if (n % 7 == 0)
			save_and_load();
		ck_assert_uint_eq(wait_ready(0), 0x58);
		read_data(0, buf + n * 512, 100);
		if (n == 9)
			save_and_load();
		read_data(0, buf + n * 512 + 100, 412);
	}
	check_sectors(buf, 30, 20, 512);
	put_prd(0, 0x100000, 0x8000, true);
	command_48(0, 0, 300, 64, 0x25);
	save_and_load();
	start_bus_master(0, true);
	save_and_load();
	wait_irq(0);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	check_sectors(ram + 0x100000, 300, 64, 512);
	out(BM, 0, 1);
	command_48(0, 0, 400, 64, 0x35);
	start_bus_master(0, false);
	save_and_load();
	wait_irq(0);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	ck_assert_int_eq(disk_read_sync(disk, 400 * 512, buf, sizeof(buf)), 0);
	check_sectors(buf, 300, 20, 512);
	/* Any state: refused, or harmless. */
	for (uint32_t seed = 1, i = 0; i < 3000; i++) {
		memset(copy, 0, ide->cls->state_size);
		memcpy(copy, state, 264);
		for (unsigned k = 0; k < 4; k++) {
			seed = seed * 1664525 + 1013904223;
			copy[264 + (seed >> 8) % 176] = seed >> 24 & 15;
		}
		memcpy(state + 264, copy + 264, 176);
		if (!ide->cls->loaded(ide, &e))
			continue;
		for (unsigned k = 0; k < 600; k++) {
			in(0x1f0, 4);
			out(0x1f0, k, 4);
		}
		loop_turn(loop, 0);
	}
	free(copy);
}
END_TEST

START_TEST(absent)
{
	/* Device 1 of the first channel: device 0 answers, with a status of 0. */
	out(0x1f6, 0xb0, 1);
	ck_assert_uint_eq(in(0x1f7, 1), 0);
	ck_assert_uint_eq(alt_status(0), 0);
	out(0x1f7, 0xec, 1);
	ck_assert_int_eq(irqs[0], 0);
	ck_assert_uint_eq(in(0x1f7, 1), 0);
	out(0x1f6, 0xa0, 1);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	/* Ports that are not decoded. */
	ck_assert_uint_eq(in(0x177, 1), 0);
	set_conf(0x40, 0x00008000, 4);
	ck_assert_uint_eq(in(0x177, 1), 0xff);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	set_conf(0x04, 4, 2);
	ck_assert_uint_eq(in(0x1f7, 1), 0xff);
}
END_TEST

START_TEST(errors)
{
	unsigned row[][4] = {
		/* command, LBA, error, LBA told */
		{ 0x20, DISK_SECTORS, 0x10, DISK_SECTORS },
		{ 0x20, DISK_SECTORS - 3, 0x10, DISK_SECTORS },
		{ 0xc8, DISK_SECTORS, 0x10, DISK_SECTORS },
		{ 0x40, DISK_SECTORS - 1, 0x10, DISK_SECTORS },
		{ 0xf1, 5, 0x04, 5 },
		{ 0xb0, 5, 0x04, 5 },
		{ 0x00, 5, 0x04, 5 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(row); i++) {
		edges[0] = 0;
		command(0, 0, row[i][1], 4, row[i][0]);
		ck_assert_uint_eq(edges[0], 1);
		ck_assert_uint_eq(in(0x1f7, 1), 0x51);
		ck_assert_uint_eq(in(0x1f1, 1), row[i][2]);
		ck_assert_uint_eq(in(0x1f3, 1) | in(0x1f4, 1) << 8 | in(0x1f5, 1) << 16, row[i][3]);
	}
	command_48(0, 0, 0x100000000, 1, 0x24);
	ck_assert_uint_eq(alt_status(0), 0x51);
	ck_assert_uint_eq(in(0x1f1, 1), 0x10);
}
END_TEST

/* The image has a bad sector 20 for reads and 24 for writes; and can't be flushed. */
START_TEST(host_errors)
{
	uint8_t buf[512];

	command(1, 1, 16, 8, 0x20);
	for (unsigned n = 16; n < 20; n++) {
		ck_assert_uint_eq(wait_ready(1), 0x58);
		read_data(1, buf, 512);
		check_sectors(buf, n, 1, 512);
	}
	ck_assert_uint_eq(wait_ready(1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x40);
	ck_assert_uint_eq(in(0x173, 1), 20);
	put_prd(0, 0x100000, 0x1000, true);
	command_48(1, 1, 18, 8, 0x25);
	start_bus_master(1, true);
	wait_irq(1);
	ck_assert_uint_eq(in(0x177, 1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x40);
	ck_assert_uint_eq(in(0x173, 1), 20);
	out(BM + 8, 0, 1);
	check_sectors(ram + 0x100000, 18, 2, 512);
	command(1, 1, 20, 8, 0xca);
	start_bus_master(1, false);
	wait_irq(1);
	ck_assert_uint_eq(in(0x177, 1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x04);
	ck_assert_uint_eq(in(0x173, 1), 24);
	command(1, 1, 0, 0, 0xea);
	ck_assert_uint_eq(wait_ready(1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x04);
}
END_TEST

START_TEST(settings)
{
	uint8_t page[512];

	/* A smaller translation. */
	out(0x1f6, 0xa7, 1);
	out(0x1f2, 17, 1);
	out(0x1f7, 0x91, 1);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	command(0, 0, 0, 0, 0xec);
	read_data(0, page, 512);
	ck_assert_uint_eq(word(page, 54), DISK_SECTORS / (8 * 17));
	ck_assert_uint_eq(word(page, 55), 8);
	ck_assert_uint_eq(word(page, 56), 17);
	/* Power: the standby timer of 10 seconds. */
	command(0, 0, 0, 2, 0xe3);
	command(0, 0, 0, 0, 0xe5);
	ck_assert_uint_eq(in(0x1f2, 1), 0xff);
	clock_advance(clock_, 11 * NS_PER_SEC);
	command(0, 0, 0, 0, 0xe5);
	ck_assert_uint_eq(in(0x1f2, 1), 0x00);
	/* Asleep until a reset. */
	command(0, 0, 0, 0, 0xe6);
	wait_ready(0);
	in(0x1f7, 1);
	command(0, 0, 0, 0, 0xec);
	ck_assert_uint_eq(alt_status(0), 0x50);
	out(0x3f6, 4, 1);
	out(0x3f6, 0, 1);
	command(0, 0, 0, 0, 0xec);
	ck_assert_uint_eq(alt_status(0), 0x58);
	read_data(0, page, 512);
	/* The interrupt can be masked. */
	in(0x1f7, 1);
	out(0x3f6, 2, 1);
	command(0, 0, 0, 0, 0xe5);
	ck_assert_int_eq(irqs[0], 0);
	out(0x3f6, 0, 1);
	ck_assert_int_eq(irqs[0], 1);
	/* SMART says that all is well. */
	out(0x1f1, 0xda, 1);
	command(0, 0, 0xc24f00, 0, 0xb0);
	ck_assert_uint_eq(in(0x1f7, 1), 0x50);
	ck_assert_uint_eq(in(0x1f4, 1), 0x4f);
	ck_assert_uint_eq(in(0x1f5, 1), 0xc2);
}
END_TEST

/* ---- CD drives ---- */

/* Sends a packet; what comes is read by PIO in blocks of LIMIT.  Returns its length. */
static unsigned
packet(const uint8_t p[12], uint8_t *buf, unsigned limit)
{
	unsigned got = 0;

	out(0x176, 0xa0, 1);
	out(0x171, 0, 1);
	out(0x174, limit, 1);
	out(0x175, limit >> 8, 1);
	out(0x177, 0xa0, 1);
	ck_assert_uint_eq(alt_status(1), 0x58);
	ck_assert_uint_eq(in(0x172, 1), 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le(p + i, 2), 2);
	while (wait_ready(1) & DRQ) {
		unsigned n = in(0x174, 1) | in(0x175, 1) << 8;

		ck_assert_uint_eq(in(0x172, 1), 2);
		ck_assert_uint_le(n, limit);
		in(0x177, 1);
		read_data(1, buf + got, n);
		got += n;
	}
	ck_assert_int_eq(irqs[1], 1);
	ck_assert_uint_eq(in(0x172, 1), 3);
	in(0x177, 1);
	return got;
}

/* Key, code and qualifier of the last error, as one number. */
static unsigned
sense(void)
{
	uint8_t buf[18];

	ck_assert_uint_eq(packet((uint8_t[12]){ 3, 0, 0, 0, 18 }, buf, 64), 18);
	return buf[2] << 16 | buf[12] << 8 | buf[13];
}

START_TEST(cd_signature)
{
	uint8_t page[512];

	out(0x376, 4, 1);
	out(0x376, 0, 1);
	ck_assert_uint_eq(alt_status(1), 0);
	ck_assert_uint_eq(in(0x174, 1) | in(0x175, 1) << 8, 0xeb14);
	out(0x176, 0xb0, 1);
	ck_assert_uint_eq(in(0x174, 1) | in(0x175, 1) << 8, 0);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
	command(1, 0, 0, 0, 0xec);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(in(0x175, 1), 0xeb);
	command(1, 0, 0, 0, 0xa1);
	ck_assert_uint_eq(alt_status(1), 0x58);
	read_data(1, page, 512);
	ck_assert_uint_eq(word(page, 0), 0x85c0);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
}
END_TEST

START_TEST(cd_data)
{
	static uint8_t buf[128 * 2048];
	uint8_t p[12] = { 0x28, 0, 0, 0, 0, 9, 0, 0, 100 };

	ck_assert_uint_eq(packet((uint8_t[12]){ 0x25 }, buf, 0xfffe), 8);
	ck_assert_mem_eq(buf, "\0\0\x03\xe7\0\0\x08\0", 8);
	ck_assert_uint_eq(packet(p, buf, 0xf800), 100 * 2048);
	check_sectors(buf, 9, 100, 2048);
	ck_assert_uint_eq(packet(p, buf, 512), 100 * 2048);
	check_sectors(buf, 9, 100, 2048);
	/* By DMA. */
	put_prd(0, 0x100000, 0, false);
	put_prd(1, 0x110000, 0, false);
	put_prd(2, 0x120000, 0, false);
	put_prd(3, 0x130000, 100 * 2048 - 3 * 65536, true);
	out(0x171, 1, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le(p + i, 2), 2);
	start_bus_master(1, true);
	wait_irq(1);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
	ck_assert_uint_eq(in(BM + 8 + 2, 1), 4);
	check_sectors(ram + 0x100000, 9, 100, 2048);
	/* Short answers come by DMA too. */
	memset(ram + 0x100000, 0, 64);
	put_prd(0, 0x100000, 36, true);
	out(BM + 8, 0, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le((uint8_t[12]){ 0x12, 0, 0, 0, 36 } + i, 2), 2);
	start_bus_master(1, true);
	wait_irq(1);
	ck_assert_mem_eq(ram + 0x100008, "CALQUE  DVD-ROM ", 16);
	/* Past the end. */
	p[5] = 0xe7;
	p[4] = 3;
	ck_assert_uint_eq(packet(p, buf, 0xf800), 0);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x54);
	ck_assert_uint_eq(sense(), 0x052100);
	ck_assert_uint_eq(sense(), 0);
}
END_TEST

/* The codes are checked as a drive does: all weighted and plain sums of a codeword are 0. */
static void
check_codeword(const uint8_t *s, unsigned start, unsigned len, unsigned step, unsigned around, unsigned parity, unsigned gap)
{
	uint8_t sum = 0, weighted = 0;

	for (unsigned i = 0; i < len + 2; i++) {
		uint8_t v = i < len ? s[12 + (start + i * step) % around] : s[parity + (i - len) * gap];

		sum ^= v;
		weighted = (weighted << 1 ^ (weighted & 0x80 ? 0x1d : 0)) ^ v;
	}
	ck_assert_uint_eq(sum, 0);
	ck_assert_uint_eq(weighted, 0);
}

START_TEST(cd_raw)
{
	static uint8_t buf[40 * 2352];
	const uint8_t *s = buf + 30 * 2352;

	ck_assert_uint_eq(packet((uint8_t[12]){ 0xbe, 0, 0, 0, 0, 200, 0, 0, 40, 0xf8 }, buf, 0xfffe), 40 * 2352);
	ck_assert_mem_eq(s, "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", 12);
	ck_assert_mem_eq(s + 12, "\0\x05\x05\x01", 4); /* sector 230 is frame 380 */
	for (unsigned n = 0; n < 40; n++)
		check_sectors(buf + n * 2352 + 16, 200 + n, 1, 2048);
	for (unsigned n = 0; n < 86; n++)
		check_codeword(s, n, 24, 86, 86 * 24, 2076 + n, 86);
	for (unsigned n = 0; n < 52; n++)
		check_codeword(s, n / 2 * 86 + n % 2, 43, 88, 52 * 43, 2248 + n, 52);
}
END_TEST

START_TEST(cd_answers)
{
	uint8_t buf[4096];

	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 2, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 20);
	ck_assert_mem_eq(buf, "\0\x12\1\1\0\x14\1\0\0\0\2\0\0\x14\xaa\0\0\0\x0f\x19", 20);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 0, 0, 0, 0, 0, 0, 0, 12 }, buf, 0xfffe), 12);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 0, 2, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 48);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x46, 0, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 8 + 12 + 12 + 8 + 12 + 4 + 8 + 8);
	ck_assert_uint_eq(buf[7], 8);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 28);
	ck_assert_uint_eq(buf[8], 0x2a);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 8 + 8 + 16 + 20);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x51, 0, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 34);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x52, 1, 0, 0, 0, 1, 0, 1, 0 }, buf, 0xfffe), 36);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8 }, buf, 0xfffe), 8);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x42, 0, 0x40, 1, 0, 0, 0, 0, 16 }, buf, 0xfffe), 16);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x12, 1, 0x80, 0, 64 }, buf, 0xfffe), 11);
	ck_assert_mem_eq(buf + 4, "CQ00003", 7);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xad, 0, 0, 0, 0, 0, 0, 0, 8 }, buf, 0xfffe), 0);
	ck_assert_uint_eq(sense(), 0x053002);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xff }, buf, 0xfffe), 0);
	ck_assert_uint_eq(sense(), 0x052000);
}
END_TEST

START_TEST(cd_change)
{
	uint8_t buf[64];

	packet((uint8_t[12]){ 0x1e, 0, 0, 0, 1 }, buf, 64);
	ck_assert(!piix3_ide_change(ide, 2, NULL, false));
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, buf, 64), 8);
	ck_assert_mem_eq(buf, "\0\4\4\x10\1\2\0\0", 8);
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 2 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x055302);
	packet((uint8_t[12]){ 0x1e, 0, 0, 0, 0 }, buf, 64);
	ck_assert(piix3_ide_change(ide, 2, NULL, false));
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(sense(), 0x023a02);
	ck_assert(piix3_ide_change(ide, 2, cd, false));
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x062800);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x50);
	/* The guest opens and closes. */
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 2 }, buf, 64);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x023a02);
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 3 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x062800);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x50);
	ck_assert(!piix3_ide_change(ide, 0, NULL, true));
	/* The disc goes while it is read. */
	out(0x171, 0, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le((uint8_t[12]){ 0x28, 0, 0, 0, 0, 0, 0, 0, 64 } + i, 2), 2);
	ck_assert(piix3_ide_change(ide, 2, NULL, true));
	ck_assert_uint_eq(alt_status(1), 0x51);
	for (unsigned i = 0; i < 10; i++)
		loop_turn(loop, 2);
	ck_assert_uint_eq(sense(), 0x023a02);
}
END_TEST

/* What a guest may write, without sense: nothing may break. */
START_TEST(noise)
{
	uint32_t seed = 12345;

	for (unsigned i = 0; i < 200000; i++) {
		unsigned port, size;

		seed = seed * 1664525 + 1013904223;
		port = seed >> 28 & 3;
		size = 1u << (seed >> 26 & 3) % 3;
		if (port == 3)
			port = BM + (seed >> 20 & 15);
		else if (port == 2 && (seed >> 16 & 15) == 0)
			port = seed >> 24 & 1 ? 0x3f6 : 0x376;
		else
			port = (seed >> 24 & 1 ? 0x1f0 : 0x170) + (seed >> 20 & 7);
		if (seed >> 19 & 1)
			in(port, size);
		else
			out(port, (seed >> 8 & 0x1ff) == 0 ? 0xec : seed >> 5, size);
		if (i % 256 == 0)
			loop_turn(loop, 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_ide");
	TCase *t = tcase_create("hw_ide");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, coverage);
	tcase_add_test(t, identify);
	tcase_add_test(t, pio_read);
	tcase_add_test(t, pio_multiple);
	tcase_add_test(t, dma);
	tcase_add_test(t, trims);
	tcase_add_test(t, dma_list_too_short);
	tcase_add_test(t, reset_while_busy);
	tcase_add_test(t, loading);
	tcase_add_test(t, absent);
	tcase_add_test(t, errors);
	tcase_add_test(t, host_errors);
	tcase_add_test(t, settings);
	tcase_add_test(t, cd_signature);
	tcase_add_test(t, cd_data);
	tcase_add_test(t, cd_raw);
	tcase_add_test(t, cd_answers);
	tcase_add_test(t, cd_change);
	tcase_add_test(t, noise);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
