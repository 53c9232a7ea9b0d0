/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What -device adds: the rows of device.def. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <stdlib.h>

/* ---- drives ---- */

/* Which IDE drive bus=ide.B and unit=U mean; without unit, the first free one of that bus or of all. */
static struct drive *
ide_place(struct machine *m, struct keyval *k, struct err *e)
{
	const char *bus = keyval_str(k, "bus");
	uint64_t unit = UINT64_MAX;
	unsigned first = 0, end = IDE_DRIVES;

	if (!keyval_uint(k, "unit", 1, &unit, e))
		return NULL;
	if (bus != NULL) {
		if (strcmp(bus, "ide.0") != 0 && strcmp(bus, "ide.1") != 0) {
			err_set(e, "bus=%s is not there; use ide.0 or ide.1", bus);
			return NULL;
		}
		first = bus[4] == '1' ? 2 : 0;
		end = first + 2;
	}
	for (unsigned i = first; i < end; i++) {
		bool wanted = unit == UINT64_MAX ? !m->ide_drives[i].present : unit == (i & 1);

		if (wanted)
			return &m->ide_drives[i];
	}
	err_set(e, "all places on the IDE channels are taken");
	return NULL;
}

static bool
add_ide(struct machine *m, struct keyval *k, bool cdrom, struct err *e)
{
	struct drive *place = ide_place(m, k, e);
	const char *id = keyval_str(k, "drive");
	const char *serial = keyval_str(k, "serial");
	struct drive_config *config = NULL;
	uint64_t boot_index = UINT64_MAX;

	keyval_str(k, "id");
	if (place == NULL || !keyval_uint(k, "bootindex", 9999, &boot_index, e))
		return false;
	if (id == NULL && !cdrom)
		return err_set(e, "drive=ID is missing; give a -drive if=none,id=ID too");
	if (id != NULL && (config = machine_find_drive(m, id, e)) == NULL)
		return false;
	if (!drive_occupy(place, config, cdrom, e))
		return false;
	if (cdrom && config != NULL)
		config->readonly = true;
	place->boot_index = boot_index == UINT64_MAX ? -1 : (int)boot_index;
	if (serial != NULL)
		place->serial = settings_dup(m->settings, serial);
	return true;
}

static bool
device_ide_hd(struct machine *m, struct keyval *k, struct err *e)
{
	return add_ide(m, k, false, e);
}

static bool
device_ide_cd(struct machine *m, struct keyval *k, struct err *e)
{
	return add_ide(m, k, true, e);
}

static bool
device_floppy(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "drive");
	struct drive_config *config = NULL;
	uint64_t unit = m->floppies[0].present ? 1 : 0;

	keyval_str(k, "id");
	if (!keyval_uint(k, "unit", 1, &unit, e) || (id != NULL && (config = machine_find_drive(m, id, e)) == NULL))
		return false;
	return drive_occupy(&m->floppies[unit], config, false, e);
}

/* ---- what is plugged into the board ---- */

/* The character device that chardev= names. */
static struct chr *
take_chardev(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "chardev");

	if (id == NULL) {
		err_set(e, "chardev=ID is missing");
		return NULL;
	}
	char *spec = xasprintf("chardev:%s", id);
	struct chr *chr = machine_line(m, id, spec, e);
	free(spec);
	return chr;
}

static unsigned
first_free(uint8_t taken)
{
	unsigned i = 0;

	while (taken & 1u << i)
		i++;
	return i;
}

static bool
device_isa_serial(struct machine *m, struct keyval *k, struct err *e)
{
	uint64_t index = first_free(m->serial_ports), port = 0, irq = 0;
	struct chr *chr;

	keyval_str(k, "id");
	return keyval_uint(k, "index", SERIAL_MAX - 1, &index, e) && keyval_uint(k, "iobase", 0xfff8, &port, e) &&
		keyval_uint(k, "irq", 15, &irq, e) && (chr = take_chardev(m, k, e)) != NULL &&
		machine_add_serial(m, (unsigned)index, (unsigned)port, (unsigned)irq, chr, e);
}

static bool
device_isa_parallel(struct machine *m, struct keyval *k, struct err *e)
{
	uint64_t index = first_free(m->parallel_ports), port = 0, irq = 0;
	struct chr *chr;

	keyval_str(k, "id");
	return keyval_uint(k, "index", PARALLEL_MAX - 1, &index, e) && keyval_uint(k, "iobase", 0xfff8, &port, e) &&
		keyval_uint(k, "irq", 15, &irq, e) && (chr = take_chardev(m, k, e)) != NULL &&
		machine_add_parallel(m, (unsigned)index, (unsigned)port, (unsigned)irq, chr, e);
}

static bool
device_isa_debugcon(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "id");
	uint64_t port = 0xe9, readback = 0xe9;
	struct chr *chr;

	if (!keyval_uint(k, "iobase", 0xffff, &port, e) || !keyval_uint(k, "readback", 0xff, &readback, e) ||
	    (chr = take_chardev(m, k, e)) == NULL)
		return false;
	debugcon_new(&m->env, id, (unsigned)port, (uint8_t)readback, chr);
	return true;
}

static void
exit_by_guest(void *opaque, int status)
{
	machine_request_exit(opaque, status);
}

static bool
device_isa_debug_exit(struct machine *m, struct keyval *k, struct err *e)
{
	uint64_t port = 0x501, size = 2;

	keyval_str(k, "id");
	if (!keyval_uint(k, "iobase", 0xfffc, &port, e) || !keyval_uint(k, "iosize", 4, &size, e))
		return false;
	debug_exit_new(&m->env, (unsigned)port, (unsigned)MAX(size, 1), exit_by_guest, m);
	return true;
}

static bool
device_pc_testdev(struct machine *m, struct keyval *k, struct err *e)
{
	(void)e;
	keyval_str(k, "id");
	pc_testdev_new(&m->env, m->gsi);
	return true;
}

/* ---- the table ---- */

#define EARLY DEVICE_EARLY
#define LATE DEVICE_LATE
#define PLUG DEVICE_PLUG
#define DEVICE(symbol, name, when, properties, description) { name, properties, description, when, device_##symbol },
const struct device_model device_models[] = {
#include "vm/device.def"
};
#undef DEVICE
#undef EARLY
#undef LATE
#undef PLUG

const unsigned device_model_count = ARRAY_SIZE(device_models);

static bool
add_device(struct machine *m, const struct device_model *model, const char *properties, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, properties, "driver", e);

	keyval_str(&k, "driver");
	ok = ok && model->add(m, &k, e) && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

bool
machine_add_devices(struct machine *m, enum device_when when, struct err *e)
{
	for (const struct device_config *c = m->settings->devices; c != NULL; c = c->next) {
		if ((c->model->when == DEVICE_EARLY) == (when == DEVICE_EARLY) && !add_device(m, c->model, c->properties, e))
			return err_prefix(e, "-device %s: ", c->properties);
	}
	return true;
}

bool
machine_plug_device(struct machine *m, const char *properties, struct err *e)
{
	const struct device_model *model = device_model_find(properties, e);

	if (model == NULL)
		return false;
	if (model->when != DEVICE_PLUG)
		return err_set(e, "'%s' can't be added to a machine that exists; USB devices can", model->name);
	return add_device(m, model, properties, e);
}
