/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One device, its buses and back ends in memory, driven by the bytes of an input: what a fuzzer and the replay of kept inputs
 * share.  The same input gives the same run.
 */
#ifndef TESTS_DEVFUZZ_H
#define TESTS_DEVFUZZ_H

#include "base/clock.h"
#include "base/dev.h"
#include "base/loop.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "hw/usb.h"
#include "ui/ui.h"

enum {
	MEMORY = 64 * 1024,   /* that many bytes, seen again and again up to MEMORY_END */
	WINDOWS = 8,
	DISKS = 4,
	DISK_CONTENT = 16 * 1024,
};
#define MEMORY_END (256 * MiB)

/* The input, taken from the front; zeros after its end. */
struct bytes {
	const uint8_t *at, *end;
};
uint64_t take(struct bytes *b, unsigned size);

/* A stretch of registers, ended by SIZE 0. */
struct window {
	bool io;
	gpa base;
	uint64_t size;
};

/*
 * What a driver writes at first: a register of window WINDOW (those of the row, then the bars), or memory; then
 * waits VALUE ns with STEP_TIME.  SIZE 0: the end.
 */
struct step {
	uint8_t window, size;
	uint32_t offset, value;
};
enum { STEP_MEMORY = 0xff, STEP_TIME = 0xfe };

/* The backing of struct disk; the content is seen again and again over the whole. */
struct disk {
	uint64_t size;
	bool readonly, touched;
	uint8_t content[DISK_CONTENT];
};

struct fuzz {
	struct clock *clock;
	struct loop *loop;
	struct space *mem, *io;
	struct pci_bus *bus;
	struct dev *devices, *dev;      /* DEV: the one that is tested */
	struct dev_env env;
	struct pci_dev *pci;            /* NULL: it isn't one */
	struct region ram;
	struct display *display;
	struct display_viewer viewer;
	unsigned width, height;
	struct input input;
	struct usb_bus *usb;
	struct usb_dev *plugged[4];
	struct dev *dma, *pic, *apic, *ioapic, *pit, *rtc; /* beside DEV */
	struct cpu_board cpu;
	struct disk *disks[DISKS];
	uint32_t registers[6];          /* of the processor; xHCI: how far its rings are */
	struct window windows[WINDOWS];
	unsigned window_count;
	uint64_t time_left;
};

struct row {
	const char *name;
	void (*make)(struct fuzz *f, unsigned variant);
	const struct window *windows;
	const struct step *steps;
	uint64_t time_ms;               /* how much may pass in a run */
	/* What a driver does in many accesses, or the host's side that only this device has. */
	void (*event)(struct fuzz *f, struct bytes *b);
};

/* ---- devices.c ---- */

extern const struct row devfuzz_rows[];
const struct row *devfuzz_find(const char *name);

/* ---- machine.c ---- */

void devfuzz_run(const struct row *row, const uint8_t *data, size_t len);
/* The same MEMORY bytes up to MEMORY_END. */
uint8_t *devfuzz_memory(void);
/* An irq that checks its level. */
struct irq devfuzz_line(int n);

/* ---- backends.c ---- */

void backends_reset(void);
/* A medium of SIZE bytes; N below DISKS. */
struct disk *backends_disk(unsigned n, uint64_t size, bool readonly);
struct chr *backends_chr(void);
/* The card's cable is plugged in when there is one. */
void backends_event(struct fuzz *f, struct bytes *b);
/* Ends requests of disks with ERROR: one of those that wait, or all until none is left. */
void backends_complete(unsigned which, int error);
void backends_complete_all(int error);
/* Lets voices that are active catch up. */
void backends_sound(void);

#endif
