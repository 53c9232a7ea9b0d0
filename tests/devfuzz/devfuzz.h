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
	USB_DEVICES = 4,
	DOTS_SMALL = 60 * 1000,
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
	bool borrowed_bus;              /* it is a device's own */
	struct region bios;
	struct dev *devices, *dev;      /* DEV: the one that is tested */
	struct dev_env env;
	struct pci_dev *pci;            /* NULL: it isn't one */
	struct region ram;
	struct display *display;
	struct display_viewer viewer;
	unsigned width, height;
	struct input input;
	struct usb_bus *usb;
	struct usb_dev *plugged[USB_DEVICES];
	struct dev *dma, *pic, *apic, *ioapic, *pit, *rtc; /* beside DEV */
	struct cpu_board cpu;
	struct disk *disks[DISKS];
	uint32_t registers[6];          /* of the processor */
	struct {                        /* what the driver of a USB controller knows; index 0: commands, or none */
		uint16_t at[USB_DEVICES + 1][3];    /* next place in a ring */
		uint8_t cycle[USB_DEVICES + 1][3];
		uint8_t slot[USB_DEVICES];          /* or address; 0: none yet */
		uint8_t slots;
		uint16_t event;
		uint8_t event_cycle;
	} driver;
	struct window windows[WINDOWS];
	unsigned window_count;
	uint64_t time_left;
	unsigned reloads_left, tells_left;
	int dots_left;                  /* to be drawn on the screen */
};

struct row {
	const char *name;
	void (*make)(struct fuzz *f, unsigned variant);
	const struct window *windows;
	const struct step *steps;
	uint64_t time_ms;               /* how much may pass in a run */
	/* What a driver does in many accesses, or the host's side that only this device has. */
	void (*event)(struct fuzz *f, struct bytes *b);
	void (*start)(struct fuzz *f);  /* after the steps; may be NULL */
};

/* ---- devices.c ---- */

extern const struct row devfuzz_rows[];
const struct row *devfuzz_find(const char *name);
/* Makes D the one that is tested. */
struct pci_dev *devfuzz_pci_of(struct fuzz *f, struct dev *d, unsigned devfn);
/* Registers of a window. */
void devfuzz_put(struct fuzz *f, unsigned window, uint64_t offset, uint64_t value, unsigned size);
uint64_t devfuzz_get(struct fuzz *f, unsigned window, uint64_t offset, unsigned size);
/* From the input to memory. */
void devfuzz_bytes(struct bytes *b, unsigned at, unsigned count);

/* ---- usb.c ---- */

extern const struct step devfuzz_uhci_steps[], devfuzz_xhci_steps[];
void devfuzz_uhci(struct fuzz *f, unsigned variant);
void devfuzz_xhci(struct fuzz *f, unsigned variant);
void devfuzz_usb_start(struct fuzz *f);
void devfuzz_usb_event(struct fuzz *f, struct bytes *b);

/* ---- net.c ---- */

extern const struct step devfuzz_e1000_steps[];
void devfuzz_e1000(struct fuzz *f, unsigned variant);
void devfuzz_e1000_event(struct fuzz *f, struct bytes *b);

/* ---- ide.c ---- */

extern const struct window devfuzz_ide_windows[];
void devfuzz_ide(struct fuzz *f, unsigned variant);
void devfuzz_ide_event(struct fuzz *f, struct bytes *b);

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
/* Comes out of the cable. */
void backends_frame(const uint8_t *bytes, size_t len);
/* The card's cable is plugged in when there is one. */
void backends_event(struct fuzz *f, struct bytes *b);
/* Ends requests of disks with ERROR: one of those that wait, or all until none is left. */
void backends_complete(unsigned which, int error);
void backends_complete_all(int error);
/* Lets voices that are active catch up. */
void backends_sound(void);

#endif
