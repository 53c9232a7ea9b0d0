/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that the tests of USB controllers have in common. */
#include "tests/usb_machine.h"

#include <stdlib.h>
#include <unistd.h>

struct clock *clock_;
struct loop *loop;
struct space *mem, *io;
struct dev *devices, *hc;
struct dev_env env;
struct usb_bus *bus;
struct pci_bus *pci;
struct input input;
uint8_t *ram;
struct disk *disk;

static unsigned address;
static char path[64];

void
set_conf(unsigned reg, uint32_t value, unsigned size)
{
	space_write(io, 0xcf8, 0x80000000 | address << 8 | (reg & 0xfc), 4, false);
	space_write(io, 0xcfc + (reg & 3), value, size, false);
}

void
open_machine(unsigned devfn)
{
	clock_ = clock_new(true);
	loop = loop_new(clock_);
	loop_lock(loop);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	disk = NULL;
	input = (struct input){ 0 };
	env = (struct dev_env){ clock_, loop, mem, io, &devices };
	ram = aligned_alloc(4096, RAM);
	memset(ram, 0, RAM);
	i440fx_new(&env, ram, RAM, NULL, &pci);
	address = devfn;
}

void
tear_down(void)
{
	if (disk != NULL)
		disk_end_requests(disk);
	space_free(mem);
	space_free(io);
	dev_free_all(devices);
	if (disk != NULL) {
		disk_close(disk);
		unlink(path);
	}
	loop_unlock(loop);
	loop_free(loop);
	clock_free(clock_);
	free(ram);
}

struct usb_dev *
plug(struct usb_dev *d, const char *where)
{
	struct err e = { "" };

	ck_assert_msg(usb_plug(d, usb_find_port(bus, where), &e), "%s", e.text);
	return d;
}

void
open_disk(const void *content, const char *filter, bool readonly)
{
	struct disk_options o = { .file = path, .format = "raw", .filter = filter, .readonly = readonly };
	struct err e = { "" };
	int fd;

	strcpy(path, "/tmp/test_usb_XXXXXX");
	fd = mkstemp(path);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(ftruncate(fd, DISK_BYTES), 0);
	if (content != NULL)
		ck_assert_int_eq(pwrite(fd, content, DISK_BYTES, 0), DISK_BYTES);
	close(fd);
	disk = disk_open(loop, &o, &e);
	ck_assert_msg(disk != NULL, "%s", e.text);
}
