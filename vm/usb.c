/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB of a machine: controllers, and what is plugged into their ports, from the start or later. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/pci.h"
#include "hw/usb.h"

#include <stdio.h>
#include <stdlib.h>

enum { PIIX3_USB = 1 << 3 | 2, HUB_PORTS = 8 };

/* ---- controllers ---- */

/* "ID.0", or "usb-bus.N" as the Nth one. */
static char *
bus_name(const struct machine *m, const char *id)
{
	unsigned n = 0;

	if (id != NULL)
		return xasprintf("%s.0", id);
	for (const struct usb_bus *b = m->usb_buses; b != NULL; b = b->next)
		n++;
	return xasprintf("usb-bus.%u", n);
}

static void
add_bus(struct machine *m, struct usb_bus *bus)
{
	struct usb_bus **last = &m->usb_buses;

	while (*last != NULL)
		last = &(*last)->next;
	bus->next = NULL;
	*last = bus;
}

static void
add_uhci(struct machine *m, int devfn, const char *id)
{
	struct usb_bus *bus;
	char *name = bus_name(m, id);

	uhci_new(&m->env, m->pci, devfn, id, name, &bus);
	add_bus(m, bus);
	free(name);
}

void
machine_add_usb(struct machine *m)
{
	if (m->settings->usb)
		add_uhci(m, PIIX3_USB, NULL);
}

bool
device_piix3_usb_uhci(struct machine *m, struct keyval *k, struct err *e)
{
	int devfn;

	if (!machine_pci_place(m, k, &devfn, e))
		return false;
	add_uhci(m, devfn, keyval_str(k, "id"));
	return true;
}

bool
device_qemu_xhci(struct machine *m, struct keyval *k, struct err *e)
{
	uint64_t ports2 = 4, ports3 = 4;
	const char *id = keyval_str(k, "id");
	struct usb_bus *bus;
	char *name;
	int devfn;

	if (!machine_pci_place(m, k, &devfn, e) || !keyval_uint(k, "p2", USB_PORTS_MAX, &ports2, e) ||
	    !keyval_uint(k, "p3", USB_PORTS_MAX, &ports3, e))
		return false;
	if (ports2 == 0)
		return err_set(e, "p2=0 leaves no place for keyboards and the like; 1 to %u are possible", USB_PORTS_MAX);
	name = bus_name(m, id);
	xhci_new(&m->env, m->pci, devfn, id, name, (unsigned)ports2, (unsigned)ports3, &bus);
	add_bus(m, bus);
	free(name);
	return true;
}

/* ---- places ---- */

static struct usb_bus *
find_bus(struct machine *m, const char *name, struct err *e)
{
	struct usb_bus *b = m->usb_buses;

	if (b == NULL) {
		err_set(e, "there is no USB controller; add -usb or -device qemu-xhci");
		return NULL;
	}
	while (name != NULL && b != NULL && strcmp(b->name, name) != 0)
		b = b->next;
	if (b == NULL)
		err_set(e, "there is no USB bus '%s'; see info usb", name);
	return b;
}

/* The last free port gets a hub, as long as that has place for what comes. */
static struct usb_port *
extend(struct machine *m, struct usb_port *last, struct usb_dev *d)
{
	struct usb_dev *hub;
	unsigned count;

	if (d->ops->plugged != NULL || (d->ops->speeds & 1 << USB_FULL) == 0)
		return last;
	hub = usb_hub_new(&m->env, NULL, "", HUB_PORTS);
	if (usb_plug(hub, last, NULL))
		return usb_free_port(last->bus, d->ops->speeds, &count);
	machine_remove_device(m, &hub->dev);
	return last;
}

/* Any port of BUS, or of all where that is NULL. */
static struct usb_port *
any_port(struct machine *m, struct usb_bus *bus, struct usb_dev *d, struct err *e)
{
	for (struct usb_bus *b = bus != NULL ? bus : m->usb_buses; b != NULL; b = bus != NULL ? NULL : b->next) {
		unsigned count;
		struct usb_port *p = usb_free_port(b, d->ops->speeds, &count);

		if (p != NULL)
			return count == 1 ? extend(m, p, d) : p;
	}
	err_set(e, "all ports for such devices are taken; add a -device usb-hub, or a controller by -device qemu-xhci");
	return NULL;
}

/* Plugs D in where bus= and port= say. */
static bool
place(struct machine *m, struct usb_dev *d, struct keyval *k, struct err *e)
{
	const char *name = keyval_str(k, "bus"), *path = keyval_str(k, "port");
	struct usb_bus *bus = find_bus(m, name, e);
	struct usb_port *p = NULL;

	if (bus == NULL)
		return false;
	if (path == NULL)
		p = any_port(m, name != NULL ? bus : NULL, d, e);
	else if ((p = usb_find_port(bus, path)) == NULL)
		err_set(e, "%s has no port %s; see info usb", bus->name, path);
	return p != NULL && usb_plug(d, p, e);
}

/* Whatever the guest may do with the controller, only known keys and a free port make a device. */
static bool
finish(struct machine *m, struct usb_dev *d, struct keyval *k, struct err *e)
{
	if (place(m, d, k, e) && keyval_end(k, e))
		return true;
	usb_unplug(d);
	machine_remove_device(m, &d->dev);
	return false;
}

void
machine_remove_device(struct machine *m, struct dev *d)
{
	struct dev **at = &m->devices;

	while (*at != NULL && *at != d)
		at = &(*at)->next;
	if (*at != NULL)
		*at = d->next;
	dev_free(d);
}

/* ---- devices ---- */

typedef struct usb_dev *make_hid(const struct dev_env *env, const char *id, const char *serial, struct input *in);

static bool
add_hid(struct machine *m, struct keyval *k, make_hid *make, struct err *e)
{
	const char *id = keyval_str(k, "id"), *serial = keyval_str(k, "serial");

	return finish(m, make(&m->env, id, serial != NULL ? serial : "", &m->input), k, e);
}

bool
device_usb_tablet(struct machine *m, struct keyval *k, struct err *e)
{
	return add_hid(m, k, usb_tablet_new, e);
}

bool
device_usb_mouse(struct machine *m, struct keyval *k, struct err *e)
{
	return add_hid(m, k, usb_mouse_new, e);
}

bool
device_usb_kbd(struct machine *m, struct keyval *k, struct err *e)
{
	return add_hid(m, k, usb_kbd_new, e);
}

bool
device_usb_hub(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "id"), *serial = keyval_str(k, "serial");
	uint64_t ports = HUB_PORTS;

	if (!keyval_uint(k, "ports", 8, &ports, e))
		return false;
	if (ports == 0)
		return err_set(e, "ports=0 makes no hub; 1 to 8 are possible");
	return finish(m, usb_hub_new(&m->env, id, serial != NULL ? serial : "", (unsigned)ports), k, e);
}

bool
usb_boot_path(const struct usb_dev *d, char *path, size_t size)
{
	const struct usb_bus *bus = d->port->bus;
	const char *p = d->port->path, *dot;
	size_t n = (size_t)snprintf(path, size, "/pci@i0cf8/usb@%x", bus->devfn >> 3);

	if (bus->devfn & 7)
		n += (size_t)snprintf(path + n, size - n, ",%x", bus->devfn & 7u);
	for (; n < size && (dot = strchr(p, '.')) != NULL; p = dot + 1)
		n += (size_t)snprintf(path + n, size - n, "/hub@%.*s", (int)(dot - p), p);
	if (n < size)
		n += (size_t)snprintf(path + n, size - n, "/storage@%s/channel@0/disk@0,0", p);
	return n < size;
}

/* The serial number that a disk without one of its own has. */
static const char *
disk_serial(const struct drive *d, const char *given, char *made, size_t size)
{
	if (given != NULL)
		return given;
	if (d->serial != NULL)
		return d->serial;
	snprintf(made, size, "CA10C0E0%04lX", strtoul(d->name + 3, NULL, 10) & 0xffff);
	return made;
}

bool
device_usb_storage(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "id"), *serial = keyval_str(k, "serial"), *drive = keyval_str(k, "drive");
	struct drive_config *config = NULL;
	uint64_t boot_index = UINT64_MAX;
	bool removable = false;
	char made[16];
	struct drive *d;

	if (drive == NULL)
		return err_set(e, "drive=ID is missing; give a -drive if=none,id=ID too");
	if (!keyval_uint(k, "bootindex", 9999, &boot_index, e) || !keyval_bool(k, "removable", &removable, e) ||
	    (config = machine_find_drive(m, drive, e)) == NULL || (d = machine_add_usb_drive(m, config, e)) == NULL)
		return false;
	d->removable = removable;
	if (boot_index != UINT64_MAX)
		d->boot_index = (int)boot_index;
	d->usb = usb_storage_new(&m->env, id, disk_serial(d, serial, made, sizeof(made)), d->disk, d->cdrom, removable);
	if (finish(m, d->usb, k, e))
		return true;
	machine_remove_usb_drive(m, d);
	return false;
}

/* ---- the monitor's view ---- */

static void
print_devices(const struct usb_bus *b, unsigned number, view_print *print, void *to)
{
	char text[256];

	for (const struct usb_port *p = b->ports; p != NULL; p = p->next) {
		const struct usb_dev *d = p->dev;

		if (d == NULL)
			continue;
		snprintf(text, sizeof(text), "  Device %u.%u, Port %s, Speed %s Mb/s, Product %s%s%.64s\n", number, d->state->address,
			p->path, usb_speed_name(d->speed), d->ops->info->name, d->dev.id != NULL ? ", ID: " : "",
			d->dev.id != NULL ? d->dev.id : "");
		print(to, text);
	}
}

static void
print_free_ports(const struct usb_bus *b, view_print *print, void *to)
{
	bool any = false;

	print(to, "  Bus ");
	print(to, b->name);
	print(to, ", free ports:");
	for (const struct usb_port *p = b->ports; p != NULL; p = p->next) {
		if (p->dev != NULL)
			continue;
		print(to, " ");
		print(to, p->path);
		any = true;
	}
	print(to, any ? "\n" : " none\n");
}

static void
usb_info(void *opaque, view_print *print, void *to)
{
	struct machine *m = opaque;
	unsigned n = 0;

	if (m->usb_buses == NULL)
		print(to, "USB support not enabled: there is no controller\n");
	for (const struct usb_bus *b = m->usb_buses; b != NULL; b = b->next) {
		print_devices(b, n++, print, to);
		print_free_ports(b, print, to);
	}
}

static struct usb_dev *
find_by_id(struct machine *m, const char *id)
{
	for (struct usb_bus *b = m->usb_buses; b != NULL; b = b->next)
		for (struct usb_port *p = b->ports; p != NULL; p = p->next)
			if (p->dev != NULL && p->dev->dev.id != NULL && strcmp(p->dev->dev.id, id) == 0)
				return p->dev;
	return NULL;
}

static void
remove_usb(struct machine *m, struct usb_dev *d)
{
	struct usb_dev *child;
	struct drive *drive;

	for (unsigned n = 1; d->ops->child != NULL && n <= USB_PORTS_MAX; n++)
		if ((child = d->ops->child(d, n)) != NULL)
			remove_usb(m, child);
	for (drive = m->usb_drives; drive != NULL && drive->usb != d; drive = drive->next)
		continue;
	usb_unplug(d);
	machine_remove_device(m, &d->dev);
	if (drive != NULL)
		machine_remove_usb_drive(m, drive);
}

static bool
device_del(void *opaque, const char *id, struct err *e)
{
	struct machine *m = opaque;
	struct usb_dev *d = find_by_id(m, id);

	if (d != NULL) {
		remove_usb(m, d);
		return true;
	}
	for (const struct dev *other = m->devices; other != NULL; other = other->next)
		if (other->id != NULL && strcmp(other->id, id) == 0)
			return err_set(e, "'%s' can't be taken out while the machine exists; USB devices can", id);
	return err_set(e, "there is no device '%s'; see info usb", id);
}

static bool
device_add(void *opaque, const char *text, struct err *e)
{
	return machine_plug_device(opaque, text, e);
}

void
usb_fill_view(struct machine_view *v)
{
	v->usb_info = usb_info;
	v->device_add = device_add;
	v->device_del = device_del;
}
