/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of USB controllers share: a PCI machine without a processor, a manual clock, a disk in a temporary file. */
#ifndef TESTS_USB_MACHINE_H
#define TESTS_USB_MACHINE_H

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "hw/usb.h"
#include "tests/turn.h"
#include "ui/ui.h"

#include <check.h>

enum { RAM = 4 * MiB, MS = 1000000, DISK_BYTES = 1 * MiB };

extern struct clock *clock_;
extern struct loop *loop;
extern struct space *mem, *io;
extern struct dev *devices, *hc;  /* HC: the controller */
extern struct dev_env env;
extern struct usb_bus *bus;
extern struct pci_bus *pci;
extern struct input input;
extern uint8_t *ram;
extern struct disk *disk;         /* NULL, or closed at the end */

/* All but the controller, which will be at DEVFN. */
void open_machine(unsigned devfn);
void tear_down(void);
/* The controller's configuration space. */
void set_conf(unsigned reg, uint32_t value, unsigned size);
struct usb_dev *plug(struct usb_dev *d, const char *where);
/* Opens a file of DISK_BYTES with that CONTENT, NULL: zeros. */
void open_disk(const void *content, const char *filter, bool readonly);

#endif
