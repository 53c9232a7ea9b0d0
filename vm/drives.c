/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives of a machine: which image is in which place, and how the monitor changes that. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"
#include "hw/usb.h"

#include <stdio.h>
#include <stdlib.h>

static void
name_places(struct machine *m)
{
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		struct drive *d = &m->ide_drives[i];

		snprintf(d->name, sizeof(d->name), "ide%u-%s%u", i / 2, d->cdrom ? "cd" : "hd", i % 2);
	}
	for (unsigned i = 0; i < FLOPPY_DRIVES; i++)
		snprintf(m->floppies[i].name, sizeof(m->floppies[i].name), "floppy%u", i);
	for (unsigned i = 0; i < PFLASH_MAX; i++)
		snprintf(m->flashes[i].name, sizeof(m->flashes[i].name), "pflash%u", i);
}

bool
drive_occupy(struct drive *d, struct drive_config *config, bool cdrom, struct err *e)
{
	if (d->present)
		return err_set(e, "that place is taken by %s %s; give another index", d->config ? d->config->option : "a drive",
			d->config && d->config->file ? d->config->file : "");
	d->present = true;
	d->config = config;
	d->cdrom = cdrom;
	d->serial = config != NULL ? config->serial : NULL;
	d->boot_index = config != NULL ? config->boot_index : -1;
	return true;
}

struct drive_config *
machine_find_drive(struct machine *m, const char *id, struct err *e)
{
	for (struct drive_config *c = m->settings->drives; c != NULL; c = c->next) {
		if (c->id == NULL || strcmp(c->id, id) != 0)
			continue;
		if (c->interface == DRIVE_NONE)
			return c;
		err_set(e, "drive '%s' is in a place already; give it if=none", id);
		return NULL;
	}
	err_set(e, "there is no drive '%s'; add -drive if=none,id=%s,file=FILE", id, id);
	return NULL;
}

static struct drive *
places(struct machine *m, enum drive_interface interface, unsigned *count)
{
	switch (interface) {
	case DRIVE_IDE:
		*count = IDE_DRIVES;
		return m->ide_drives;
	case DRIVE_FLOPPY:
		*count = FLOPPY_DRIVES;
		return m->floppies;
	case DRIVE_PFLASH:
		*count = PFLASH_MAX;
		return m->flashes;
	case DRIVE_NONE:
		break;
	}
	*count = 0;
	return NULL;
}

/* Drives with an index come first, then the others take what is free. */
static bool
place_some(struct machine *m, bool with_index, struct err *e)
{
	for (struct drive_config *c = m->settings->drives; c != NULL; c = c->next) {
		unsigned count, i = (unsigned)c->index;
		struct drive *place = places(m, c->interface, &count);

		if (place == NULL || (c->index >= 0) != with_index)
			continue;
		if (!with_index) {
			for (i = 0; i < count && place[i].present; i++)
				continue;
		}
		if (i >= count)
			return err_set(e, "%s %s: all %u places for such drives are taken", c->option, c->file ? c->file : "", count);
		if (!drive_occupy(&place[i], c, c->cdrom, e))
			return err_prefix(e, "%s %s: ", c->option, c->file ? c->file : "");
	}
	return true;
}

bool
machine_place_drives(struct machine *m, struct err *e)
{
	if (!place_some(m, true, e) || !place_some(m, false, e))
		return false;
	if (m->settings->defaults && !m->ide_drives[2].present)
		drive_occupy(&m->ide_drives[2], NULL, true, e);
	m->floppy_controller = m->settings->defaults || m->floppies[0].present || m->floppies[1].present;
	if (m->floppy_controller && !m->floppies[0].present)
		drive_occupy(&m->floppies[0], NULL, false, e);
	name_places(m);
	return true;
}

/* A line for whoever has no monitor open, once until the machine goes on. */
static void
stalled(void *opaque, int error)
{
	struct drive *d = opaque;

	if (!d->machine->io_error_wanted && d->machine->state == RUN_RUNNING)
		fprintf(stderr, "calque: %s: %s: %s; the machine is stopped: mend it, then give 'cont' in the monitor\n", d->name,
			disk_file(d->disk), strerror(error));
	machine_request_io_stop(d->machine);
}

/* Puts DISK, which may be NULL, into the drive. */
static void
insert(struct machine *m, struct drive *d, struct disk *disk)
{
	d->machine = m;
	d->disk = disk;
	if (disk != NULL)
		disk_on_stall(disk, stalled, d);
}

/* How the drive is used, whatever is in it. */
static struct disk_options
options_of(const struct drive_config *c)
{
	if (c == NULL)
		return (struct disk_options){ .file = NULL };
	return (struct disk_options){
		.cache_unsafe = c->cache_unsafe,
		.cache_through = c->cache_through,
		.cache_direct = c->cache_direct,
		.discard = c->discard,
		.io_uring = c->io_uring,
		.detect_zeros = c->detect_zeros,
		.on_write_error = c->on_write_error,
		.on_read_error = c->on_read_error,
	};
}

static bool
open_drive(struct machine *m, struct drive *d, struct err *e)
{
	const struct drive_config *c = d->config;
	struct disk_options o = options_of(c);

	if (c == NULL || c->file == NULL)
		return true;
	o.file = c->file;
	o.format = c->format;
	o.readonly = c->readonly;
	o.snapshot = (c->snapshot || m->settings->snapshot) && !c->readonly;
	o.filter = c->filter;
	insert(m, d, disk_open(m->loop, &o, e));
	return d->disk != NULL || err_prefix(e, "%s ", c->option);
}

bool
machine_open_drives(struct machine *m, struct err *e)
{
	static const enum drive_interface interfaces[] = { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_PFLASH };

	for (unsigned k = 0; k < ARRAY_SIZE(interfaces); k++) {
		unsigned count;
		struct drive *place = places(m, interfaces[k], &count);

		for (unsigned i = 0; i < count; i++) {
			if (!open_drive(m, &place[i], e))
				return false;
		}
	}
	return true;
}

static void
for_each_drive(struct machine *m, void (*each)(struct drive *d))
{
	static const enum drive_interface interfaces[] = { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_PFLASH };

	for (unsigned k = 0; k < ARRAY_SIZE(interfaces); k++) {
		unsigned count;
		struct drive *place = places(m, interfaces[k], &count);

		for (unsigned i = 0; i < count; i++)
			each(&place[i]);
	}
	for (struct drive *d = m->usb_drives; d != NULL; d = d->next)
		each(d);
}

static void
retry_drive(struct drive *d)
{
	if (d->disk != NULL)
		disk_retry(d->disk);
}

void
machine_retry_drives(struct machine *m)
{
	for_each_drive(m, retry_drive);
}

static void
end_requests(struct drive *d)
{
	if (d->disk != NULL)
		disk_end_requests(d->disk);
}

void
machine_end_requests(struct machine *m)
{
	for_each_drive(m, end_requests);
}

static void
close_drive(struct drive *d)
{
	disk_close(d->disk);
	d->disk = NULL;
}

void
machine_close_drives(struct machine *m)
{
	for_each_drive(m, close_drive);
	while (m->usb_drives != NULL) {
		struct drive *next = m->usb_drives->next;

		free(m->usb_drives);
		m->usb_drives = next;
	}
}

/* ---- drives of USB devices ---- */

static bool
is_used(const struct machine *m, const struct drive_config *config)
{
	const struct drive *d = m->usb_drives;

	while (d != NULL && d->config != config)
		d = d->next;
	return d != NULL;
}

struct drive *
machine_add_usb_drive(struct machine *m, struct drive_config *config, struct err *e)
{
	struct drive **last = &m->usb_drives, *d;
	unsigned n = 0;

	if (config != NULL && is_used(m, config)) {
		err_set(e, "drive '%s' is in another device already", config->id);
		return NULL;
	}
	d = xcalloc(1, sizeof(*d));
	drive_occupy(d, config, config != NULL && config->cdrom, NULL);
	if (!open_drive(m, d, e)) {
		free(d);
		return NULL;
	}
	/* The first number that is free. */
	while (*last != NULL && strtoul((*last)->name + 3, NULL, 10) == n) {
		last = &(*last)->next;
		n++;
	}
	d->machine = m;
	snprintf(d->name, sizeof(d->name), "usb%u", n);
	d->next = *last;
	*last = d;
	return d;
}

void
machine_remove_usb_drive(struct machine *m, struct drive *d)
{
	for (struct drive **at = &m->usb_drives; *at != NULL; at = &(*at)->next) {
		if (*at == d) {
			*at = d->next;
			break;
		}
	}
	disk_close(d->disk);
	free(d);
}

/* ---- the monitor's view ---- */

static bool
is_called(const struct drive *d, const char *name)
{
	const char *id = d->config != NULL ? d->config->id : NULL;

	return d->present && (strcmp(d->name, name) == 0 || (id != NULL && strcmp(id, name) == 0));
}

/* By its place or by its id=. */
static struct drive *
find_drive(struct machine *m, const char *name, unsigned *unit, enum drive_interface *interface)
{
	static const enum drive_interface interfaces[] = { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_PFLASH };

	for (unsigned k = 0; k < ARRAY_SIZE(interfaces); k++) {
		unsigned count;
		struct drive *place = places(m, interfaces[k], &count);

		for (unsigned i = 0; i < count; i++) {
			if (is_called(&place[i], name)) {
				*unit = i;
				*interface = interfaces[k];
				return &place[i];
			}
		}
	}
	*unit = 0;
	*interface = DRIVE_NONE;
	for (struct drive *d = m->usb_drives; d != NULL; d = d->next)
		if (is_called(d, name))
			return d;
	return NULL;
}

/* Whether the guest has the drive locked or open. */
static void
print_tray(struct machine *m, const struct drive *d, view_print *print, void *to)
{
	bool open = d->disk == NULL, locked = false;
	char text[80];

	if (!d->cdrom && !d->removable && strncmp(d->name, "floppy", 6) != 0)
		return;
	if (m->ide != NULL && d >= m->ide_drives && d < m->ide_drives + IDE_DRIVES)
		piix3_ide_tray(m->ide, (unsigned)(d - m->ide_drives), &open, &locked);
	snprintf(text, sizeof(text), "    Removable device: %slocked, tray %s\n", locked ? "" : "not ", open ? "open" : "closed");
	print(to, text);
}

static void
print_drive(struct machine *m, const struct drive *d, bool verbose, view_print *print, void *to)
{
	char text[1024];
	struct disk_stats st;

	if (!d->present)
		return;
	if (d->disk == NULL) {
		snprintf(text, sizeof(text), "%s: [not inserted]\n", d->name);
		print(to, text);
		print_tray(m, d, print, to);
		return;
	}
	snprintf(text, sizeof(text), "%s: %s (%s%s)\n", d->name, disk_file(d->disk), disk_format(d->disk),
		disk_is_readonly(d->disk) ? ", read-only" : "");
	print(to, text);
	print_tray(m, d, print, to);
	snprintf(text, sizeof(text), "    Cache mode:       %s\n", disk_cache(d->disk));
	print(to, text);
	if (disk_backing(d->disk) != NULL) {
		snprintf(text, sizeof(text), "    Backing file:     %s\n", disk_backing(d->disk));
		print(to, text);
	}
	if (!verbose)
		return;
	st = disk_stats(d->disk);
	snprintf(text, sizeof(text), "    %llu bytes; %llu reads (%llu bytes), %llu writes (%llu bytes), %llu flushes, %llu errors\n",
		(unsigned long long)disk_bytes(d->disk), (unsigned long long)st.reads, (unsigned long long)st.bytes_read,
		(unsigned long long)st.writes, (unsigned long long)st.bytes_written, (unsigned long long)st.flushes,
		(unsigned long long)st.errors);
	print(to, text);
}

static void
block_info(void *opaque, bool verbose, view_print *print, void *to)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < IDE_DRIVES; i++)
		print_drive(m, &m->ide_drives[i], verbose, print, to);
	for (unsigned i = 0; i < FLOPPY_DRIVES; i++)
		print_drive(m, &m->floppies[i], verbose, print, to);
	for (unsigned i = 0; i < PFLASH_MAX; i++)
		print_drive(m, &m->flashes[i], verbose, print, to);
	for (const struct drive *d = m->usb_drives; d != NULL; d = d->next)
		print_drive(m, d, verbose, print, to);
}

static void
block_names(void *opaque, void (*each)(void *to, const char *name), void *to)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		if (m->ide_drives[i].present)
			each(to, m->ide_drives[i].name);
	}
	for (unsigned i = 0; i < FLOPPY_DRIVES; i++) {
		if (m->floppies[i].present)
			each(to, m->floppies[i].name);
	}
	for (const struct drive *d = m->usb_drives; d != NULL; d = d->next)
		each(to, d->name);
}

static struct drive *
find_removable(struct machine *m, const char *name, unsigned *unit, enum drive_interface *interface, struct err *e)
{
	struct drive *d = find_drive(m, name, unit, interface);

	if (d == NULL) {
		err_set(e, "there is no drive '%s'; see info block", name);
		return NULL;
	}
	if (*interface == DRIVE_FLOPPY ? m->fdc != NULL : *interface != DRIVE_PFLASH && (d->cdrom || d->removable))
		return d;
	err_set(e, "drive '%s' is not removable", name);
	return NULL;
}

/* Puts DISK (NULL: nothing) into a removable drive. */
static bool
exchange(struct machine *m, const char *name, struct disk *disk, bool force, struct err *e)
{
	unsigned unit;
	enum drive_interface interface;
	struct drive *d = find_removable(m, name, &unit, &interface, e);

	if (d == NULL)
		return false;
	/* What the guest was told is written stays so, or the medium stays in. */
	int error = d->disk != NULL && !force ? disk_flush_sync(d->disk) : 0;
	if (error != 0)
		return err_set(e, "drive '%s': what was written to %s is not on stable storage: %s; eject it all the same with -f", name,
			disk_file(d->disk), strerror(error));
	bool done = true;
	if (interface == DRIVE_FLOPPY)
		i82077_change(m->fdc, unit, disk);
	else if (interface == DRIVE_IDE)
		done = piix3_ide_change(m->ide, unit, disk, force);
	else
		done = usb_storage_change(d->usb, disk, force);
	if (!done)
		return err_set(e, "drive '%s' is locked by the guest; force it with -f", name);
	if (d->disk != NULL)
		disk_close(d->disk);
	insert(m, d, disk);
	return true;
}

static bool
eject(void *opaque, const char *name, bool force, struct err *e)
{
	return exchange(opaque, name, NULL, force, e);
}

static bool
change(void *opaque, const char *name, const char *path, const char *format, enum view_access access, bool force, struct err *e)
{
	struct machine *m = opaque;
	unsigned unit;
	enum drive_interface interface;
	struct drive *d = find_removable(m, name, &unit, &interface, e);

	if (d == NULL)
		return false;
	struct disk_options o = options_of(d->config);
	o.file = path;
	o.format = format;
	o.readonly = d->cdrom || access == VIEW_READ_ONLY;
	if (access == VIEW_RETAIN && !d->cdrom)
		o.readonly = d->disk != NULL ? disk_is_readonly(d->disk) : d->config != NULL && d->config->readonly;
	struct disk *disk = disk_open(m->loop, &o, e);
	if (disk == NULL)
		return false;
	if (exchange(m, name, disk, force, e))
		return true;
	disk_close(disk);
	return false;
}

void
drives_fill_view(struct machine_view *v)
{
	v->block_info = block_info;
	v->block_names = block_names;
	v->eject = eject;
	v->change = change;
}
