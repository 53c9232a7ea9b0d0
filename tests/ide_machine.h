/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the IDE controller and its drives share: a machine without a processor, images in files, a driver. */
#ifndef TESTS_IDE_MACHINE_H
#define TESTS_IDE_MACHINE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "tests/turn.h"

#include <check.h>

enum {
	RAM = 4 * MiB,
	DISK_SECTORS = 40000,
	CD_SECTORS = 1000,
	IDE = 1 << 3 | 1,
	BM = 0xc000,
	PRDS = 0x1000,
	BSY = 0x80, DRQ = 0x08, ERR = 0x01,
};

extern struct clock *clock_;
extern struct loop *loop;
extern struct dev *devices, *ide;
extern uint8_t *ram;
extern int irqs[2];       /* levels */
extern unsigned edges[2]; /* how often they rose */
extern struct disk *disk, *cd, *faulty;

/* What sector N of an image has in its dword I. */
uint32_t pattern(uint32_t n, uint32_t i);
uint32_t in(unsigned port, unsigned size);
void out(unsigned port, uint32_t value, unsigned size);
void set_conf(unsigned reg, uint32_t value, unsigned size);
void configure(void);
/* Drives: a disk, nothing, a CD, and a disk with faults. */
void set_up(void);
void tear_down(void);
uint8_t alt_status(unsigned channel);
uint8_t wait_ready(unsigned channel);
void wait_irq(unsigned channel);
/* Registers 1 to 7 of a 28-bit command. */
void command(unsigned channel, unsigned device, uint32_t lba, uint8_t count, uint8_t code);
void command_48(unsigned channel, unsigned device, uint64_t lba, uint16_t count, uint8_t code);
void read_data(unsigned channel, void *buf, size_t len);
void check_sectors(const void *data, uint32_t first, uint32_t count, uint32_t size);
unsigned word(const uint8_t *page, unsigned n);
/* One PRD. */
void put_prd(unsigned n, uint32_t addr, uint32_t len, bool last);
void start_bus_master(unsigned channel, bool to_memory);

#endif
