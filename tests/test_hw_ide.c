/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDE controller and its disks, driven by ports as a BIOS and a driver do. */
#include "tests/check_main.h"
#include "tests/ide_machine.h"

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
		turn(loop, 5);
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
		turn(loop, 5);
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

/* Regions of two bytes, in a table that goes around: the master gives up rather than to take as many as there are. */
START_TEST(dma_list_of_crumbs)
{
	for (unsigned n = 0; n < 8192; n++)
		store_le(ram + 0x10000 + 8 * n, 2ull << 32 | 0x100000, 8);
	command_48(0, 0, 0, 2048, 0x25);
	out(BM + 4, 0x10000, 4);
	out(BM, 9, 1);
	for (unsigned i = 0; i < 1000 && !(in(BM + 2, 1) & 2); i++)
		turn(loop, 10);
	ck_assert_uint_eq(in(BM + 2, 1), 0x02);
	ck_assert_int_eq(irqs[0], 0);
	out(0x3f6, 4, 1);
	out(0x3f6, 0, 1);
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
		turn(loop, 2);
	ck_assert_uint_eq(alt_status(0), 0x50);
	ck_assert_int_eq(irqs[0], 0);
	command(0, 0, 8, 8, 0x20); /* the end of the test finds it under way */
}
END_TEST

/* Some of the channels', the masters' and the drives' numbers, within their fields' limits: mostly small ones. */
static void
change_fields(uint32_t *seed)
{
	for (const struct field *f = ide->cls->fields; f->name != NULL; f++) {
		*seed = *seed * 1664525 + 1013904223;
		if (f->kind == FIELD_UINT && f->count == 1 && strstr(f->name, "pci") == NULL && *seed >> 28 == 0) {
			uint64_t v = bits(*seed, 8, bits(*seed, 24, 4) + 1);

			store_le((uint8_t *)ide + f->offset, f->max != 0 ? v % (f->max + 1) : v, f->size);
		}
	}
}

/* The state goes through a reset, as through a snapshot, with the host at work: the command goes on from it. */
START_TEST(loading)
{
	static uint8_t buf[20 * 512];
	uint8_t *state = (uint8_t *)ide + ide->cls->state_offset, *copy = xcalloc(1, ide->cls->state_size);
	struct err e = { "" };
	uint32_t seed = 1;
	unsigned refused = 0;

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
	command(0, 0, 30, 20, 0x20);
	ck_assert_uint_eq(wait_ready(0), 0x58);
	memcpy(copy, state, ide->cls->state_size);
	for (unsigned i = 0; i < 3000; i++) {
		memcpy(state, copy, ide->cls->state_size);
		change_fields(&seed);
		if (!ide->cls->loaded(ide, &e)) {
			refused++;
			dev_reset_all(devices);
			continue;
		}
		for (unsigned k = 0; k < 600; k++) {
			in(0x1f0, 4);
			out(0x1f0, k, 4);
		}
		turn(loop, 0);
	}
	ck_assert_uint_gt(refused, 300);
	ck_assert_uint_lt(refused, 2700);
	dev_reset_all(devices);
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
			turn(loop, 0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_ide");
	TCase *t = tcase_create("hw_ide");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, coverage);
	tcase_add_test(t, identify);
	tcase_add_test(t, pio_read);
	tcase_add_test(t, pio_multiple);
	tcase_add_test(t, dma);
	tcase_add_test(t, trims);
	tcase_add_test(t, dma_list_too_short);
	tcase_add_test(t, dma_list_of_crumbs);
	tcase_add_test(t, reset_while_busy);
	tcase_add_test(t, loading);
	tcase_add_test(t, absent);
	tcase_add_test(t, errors);
	tcase_add_test(t, host_errors);
	tcase_add_test(t, settings);
	tcase_add_test(t, noise);
	suite_add_tcase(s, t);
	return run_suite(s);
}
