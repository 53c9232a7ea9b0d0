/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that the tests of the IDE controller and its drives have in common. */
#include "tests/ide_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct clock *clock_;
struct loop *loop;
static struct space *mem, *io;
struct dev *devices, *ide;
uint8_t *ram;
int irqs[2];       /* levels */
unsigned edges[2]; /* how often they rose */
static char disk_path[64], cd_path[64];
struct disk *disk, *cd, *faulty;

uint32_t
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

uint32_t
in(unsigned port, unsigned size)
{
	return space_read(io, port, size, false);
}

void
out(unsigned port, uint32_t value, unsigned size)
{
	space_write(io, port, value, size, false);
}

void
set_conf(unsigned reg, uint32_t value, unsigned size)
{
	out(0xcf8, 0x80000000 | IDE << 8 | (reg & 0xfc), 4);
	out(0xcfc + (reg & 3), value, size);
}

void
configure(void)
{
	set_conf(0x20, BM, 4);
	set_conf(0x04, 5, 2);
}

void
set_up(void)
{
	const bool cdrom[4] = { false, false, true, false };
	struct disk *disks[4];
	struct dev_env env;
	struct pci_bus *bus;

	clock_ = clock_new(true);
	loop = loop_new(clock_);
	loop_lock(loop);
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

void
tear_down(void)
{
	dev_free_all(devices);
	disk_close(disk);
	disk_close(cd);
	disk_close(faulty);
	turn(loop, 0);
	loop_unlock(loop);
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

uint8_t
alt_status(unsigned channel)
{
	return in(base_of(channel) + 0x206, 1);
}

uint8_t
wait_ready(unsigned channel)
{
	for (unsigned i = 0; i < 1000 && (alt_status(channel) & BSY); i++)
		turn(loop, 10);
	return alt_status(channel);
}

void
wait_irq(unsigned channel)
{
	for (unsigned i = 0; i < 1000 && !irqs[channel]; i++)
		turn(loop, 10);
	ck_assert_int_eq(irqs[channel], 1);
}

void
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

void
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

void
read_data(unsigned channel, void *buf, size_t len)
{
	for (size_t i = 0; i < len; i += 2)
		store_le((uint8_t *)buf + i, in(base_of(channel), 2), 2);
}

void
check_sectors(const void *data, uint32_t first, uint32_t count, uint32_t size)
{
	for (uint32_t n = 0; n < count; n++)
		for (uint32_t i = 0; i < size / 4; i += 13)
			ck_assert_uint_eq(load_le((const uint8_t *)data + n * size + i * 4, 4), pattern(first + n, i));
}

unsigned
word(const uint8_t *page, unsigned n)
{
	return load_le(page + 2 * n, 2);
}

void
put_prd(unsigned n, uint32_t addr, uint32_t len, bool last)
{
	store_le(ram + PRDS + 8 * n, addr, 4);
	store_le(ram + PRDS + 8 * n + 4, (len & 0xffff) | (last ? 0x80000000 : 0), 4);
}

void
start_bus_master(unsigned channel, bool to_memory)
{
	out(BM + 8 * channel + 2, 0x06, 1);
	out(BM + 8 * channel + 4, PRDS, 4);
	out(BM + 8 * channel, to_memory ? 8 : 0, 1);
	out(BM + 8 * channel, to_memory ? 9 : 1, 1);
}
