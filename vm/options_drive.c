/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: disks, devices and lines. */
#include "vm/options.h"
#include "vm/settings.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- disks ---- */

static bool
add_ide(struct settings *c, const char *option, const char *file, int index, bool cdrom)
{
	struct drive_config *d = settings_add_drive(c, option, DRIVE_IDE);

	d->file = settings_dup(c, file);
	d->index = index;
	d->cdrom = cdrom;
	d->readonly = cdrom;
	return true;
}

static bool
add_floppy(struct settings *c, const char *option, const char *file, int index)
{
	struct drive_config *d = settings_add_drive(c, option, DRIVE_FLOPPY);

	d->file = settings_dup(c, file);
	d->index = index;
	return true;
}

#define DISK(handler, statement) \
	bool \
	opt_##handler(struct settings *c, const char *arg, struct err *e) \
	{ \
		(void)e; \
		return statement; \
	}
DISK(hda, add_ide(c, "-hda", arg, 0, false))
DISK(hdb, add_ide(c, "-hdb", arg, 1, false))
DISK(hdc, add_ide(c, "-hdc", arg, 2, false))
DISK(hdd, add_ide(c, "-hdd", arg, 3, false))
DISK(cdrom, add_ide(c, "-cdrom", arg, 2, true))
DISK(fda, add_floppy(c, "-fda", arg, 0))
DISK(fdb, add_floppy(c, "-fdb", arg, 1))
#undef DISK

bool
opt_pflash(struct settings *c, const char *arg, struct err *e)
{
	(void)e;
	settings_add_drive(c, "-pflash", DRIVE_PFLASH)->file = settings_dup(c, arg);
	return true;
}

static const char *
dup_or_null(struct settings *c, const char *text)
{
	return text == NULL ? NULL : settings_dup(c, text);
}

static bool
drive_interface(struct drive_config *d, const char *name, struct err *e)
{
	static const struct { const char *name; enum drive_interface interface; } known[] = {
		{ "ide", DRIVE_IDE }, { "floppy", DRIVE_FLOPPY }, { "pflash", DRIVE_PFLASH }, { "none", DRIVE_NONE },
	};

	if (name == NULL)
		return true;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(name, known[i].name) == 0) {
			d->interface = known[i].interface;
			return true;
		}
	}
	return err_set(e, "if=%s is not supported; use ide, floppy, pflash or none", name);
}

/* index=, or bus= and unit=. */
static bool
drive_place(struct drive_config *d, struct keyval *k, struct err *e)
{
	static const unsigned counts[] = {
		[DRIVE_IDE] = IDE_DRIVES, [DRIVE_FLOPPY] = FLOPPY_DRIVES, [DRIVE_PFLASH] = PFLASH_MAX, [DRIVE_NONE] = 1,
	};
	uint64_t index = UINT64_MAX, bus = 0, unit = UINT64_MAX;
	unsigned per_bus = d->interface == DRIVE_IDE ? 2 : counts[d->interface];

	if (!keyval_uint(k, "index", counts[d->interface] - 1, &index, e) ||
	    !keyval_uint(k, "bus", counts[d->interface] / per_bus - 1, &bus, e) ||
	    !keyval_uint(k, "unit", per_bus - 1, &unit, e))
		return false;
	if (index != UINT64_MAX && unit != UINT64_MAX)
		return err_set(e, "index= and unit= say the same; give one of them");
	if (index != UINT64_MAX)
		d->index = (int)index;
	else if (unit != UINT64_MAX)
		d->index = (int)(bus * per_bus + unit);
	else if (keyval_str(k, "bus") != NULL)
		d->index = (int)(bus * per_bus);
	return true;
}

static bool
drive_media(struct drive_config *d, const char *media, struct err *e)
{
	if (media == NULL || strcmp(media, "disk") == 0)
		return true;
	if (strcmp(media, "cdrom") != 0)
		return err_set(e, "media=%s is not known; use disk or cdrom", media);
	d->cdrom = true;
	d->readonly = true;
	return true;
}

/* cache= names the three switches that can be given by themselves too. */
static bool
drive_cache(struct drive_config *d, struct keyval *k, struct err *e)
{
	static const struct {
		const char *name;
		bool direct, through, unsafe;
	} modes[] = {
		{ "writeback", false, false, false }, { "none", true, false, false }, { "off", true, false, false },
		{ "writethrough", false, true, false }, { "directsync", true, true, false }, { "unsafe", false, false, true },
	};
	const char *cache = keyval_str(k, "cache");
	bool known = cache == NULL, write_back;

	for (unsigned i = 0; !known && i < ARRAY_SIZE(modes); i++) {
		if (strcmp(cache, modes[i].name) != 0)
			continue;
		d->cache_direct = modes[i].direct;
		d->cache_through = modes[i].through;
		d->cache_unsafe = modes[i].unsafe;
		known = true;
	}
	if (!known)
		return err_set(e, "cache=%s is not known; use writeback, none, writethrough, directsync or unsafe", cache);
	write_back = !d->cache_through;
	if (!keyval_bool(k, "cache.direct", &d->cache_direct, e) || !keyval_bool(k, "cache.no-flush", &d->cache_unsafe, e) ||
	    !keyval_bool(k, "cache.writeback", &write_back, e))
		return false;
	d->cache_through = !write_back;
	return true;
}

static bool
drive_aio(struct drive_config *d, const char *aio, struct err *e)
{
	d->io_uring = aio != NULL && strcmp(aio, "io_uring") == 0;
	return aio == NULL || d->io_uring || strcmp(aio, "threads") == 0 ||
		err_set(e, "aio=%s is not supported; use threads or io_uring", aio);
}

static bool
drive_space(struct drive_config *d, struct keyval *k, struct err *e)
{
	const char *discard = keyval_str(k, "discard"), *zeros = keyval_str(k, "detect-zeroes");

	d->discard = discard != NULL && (strcmp(discard, "unmap") == 0 || strcmp(discard, "on") == 0);
	if (discard != NULL && !d->discard && strcmp(discard, "ignore") != 0 && strcmp(discard, "off") != 0)
		return err_set(e, "discard=%s is not known; use ignore or unmap", discard);
	if (zeros == NULL || strcmp(zeros, "off") == 0)
		return true;
	d->detect_zeros = true;
	if (strcmp(zeros, "on") != 0 && strcmp(zeros, "unmap") != 0)
		return err_set(e, "detect-zeroes=%s is not known; use off, on or unmap", zeros);
	return d->discard || strcmp(zeros, "on") == 0 || err_set(e, "detect-zeroes=unmap needs discard=unmap too");
}

static bool
error_policy(struct keyval *k, const char *key, bool write, enum disk_policy *out, struct err *e)
{
	const char *value = keyval_str(k, key);

	if (value == NULL)
		return true;
	if (strcmp(value, "report") == 0)
		*out = DISK_REPORT;
	else if (strcmp(value, "ignore") == 0)
		*out = DISK_IGNORE;
	else if (strcmp(value, "stop") == 0)
		*out = DISK_HOLD;
	else if (write && strcmp(value, "enospc") == 0)
		*out = DISK_DEFAULT;
	else
		return err_set(e, "%s=%s is not known; use report, ignore%s or stop", key, value, write ? ", enospc" : "");
	return true;
}

static bool
drive_options(struct settings *c, struct drive_config *d, struct keyval *k, struct err *e)
{
	/* readonly= is the old spelling of read-only=. */
	if (!drive_interface(d, keyval_str(k, "if"), e) || !drive_place(d, k, e) ||
	    !drive_media(d, keyval_str(k, "media"), e) || !drive_cache(d, k, e) || !drive_space(d, k, e) ||
	    !keyval_bool(k, "readonly", &d->readonly, e) || !keyval_bool(k, "read-only", &d->readonly, e) ||
	    !keyval_bool(k, "snapshot", &d->snapshot, e))
		return false;
	d->file = dup_or_null(c, keyval_str(k, "file"));
	d->format = dup_or_null(c, keyval_str(k, "format"));
	d->id = dup_or_null(c, keyval_str(k, "id"));
	d->serial = dup_or_null(c, keyval_str(k, "serial"));
	d->filter = dup_or_null(c, keyval_str(k, "filter"));
	if (d->format != NULL && strcmp(d->format, "help") == 0)
		return err_set(e, "format= takes raw and qcow2; without it, an image is recognised by its mark");
	if (d->file != NULL && *d->file == '\0')
		d->file = NULL;
	return drive_aio(d, keyval_str(k, "aio"), e) && keyval_only(k, "copy-on-read", "off", e) &&
		error_policy(k, "werror", true, &d->on_write_error, e) &&
		error_policy(k, "rerror", false, &d->on_read_error, e) && keyval_end(k, e);
}

bool
opt_drive(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	struct drive_config *d = settings_add_drive(c, "-drive", DRIVE_IDE);
	bool ok = keyval_parse(&k, arg, NULL, e) && drive_options(c, d, &k, e);

	if (ok && d->file == NULL && !d->cdrom && d->interface != DRIVE_FLOPPY)
		ok = err_set(e, "file= is missing; only CD-ROM and floppy drives may be empty");
	keyval_free(&k);
	return ok;
}

/* ---- devices ---- */

static void
list_devices(void)
{
	for (unsigned i = 0; i < device_model_count; i++)
		printf("name \"%s\", desc \"%s\"\n", device_models[i].name, device_models[i].description);
}

/* Known elsewhere, refused here with what there is in its stead. */
static const struct {
	const char *name, *instead;
} refused_devices[] = {
	{ "usb-ehci", "use qemu-xhci or piix3-usb-uhci" },
	{ "nec-usb-xhci", "use qemu-xhci" },
	{ "ich9-usb-ehci1", "use qemu-xhci or piix3-usb-uhci" },
	{ "pci-ohci", "use qemu-xhci or piix3-usb-uhci" },
};

const struct device_model *
device_model_find(const char *arg, struct err *e)
{
	size_t length = strcspn(arg, ",");

	for (unsigned i = 0; i < device_model_count; i++)
		if (strlen(device_models[i].name) == length && strncmp(arg, device_models[i].name, length) == 0)
			return &device_models[i];
	for (unsigned i = 0; i < ARRAY_SIZE(refused_devices); i++)
		if (strlen(refused_devices[i].name) == length && strncmp(arg, refused_devices[i].name, length) == 0) {
			err_set(e, "device '%.*s' is not supported; %s", (int)length, arg, refused_devices[i].instead);
			return NULL;
		}
	err_set(e, "device '%.*s' is not supported; see -device help", (int)length, arg);
	return NULL;
}

bool
opt_device(struct settings *c, const char *arg, struct err *e)
{
	struct device_config **last = &c->devices;
	const struct device_model *m;

	if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
		list_devices();
		c->exit = true;
		return true;
	}
	m = device_model_find(arg, e);
	if (m == NULL)
		return false;
	if (strcmp(arg + strlen(m->name), ",help") == 0) {
		printf("%s: %s\nproperties: %s\n", m->name, m->description, *m->properties ? m->properties : "none");
		c->exit = true;
		return true;
	}
	while (*last != NULL)
		last = &(*last)->next;
	*last = settings_alloc(c, sizeof(**last));
	(*last)->model = m;
	(*last)->properties = settings_dup(c, arg);
	return true;
}

bool
opt_usb(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	c->usb = true;
	return true;
}

bool
opt_usbdevice(struct settings *c, const char *arg, struct err *e)
{
	static const struct {
		const char *name, *device;
	} known[] = {
		{ "tablet", "usb-tablet" }, { "mouse", "usb-mouse" }, { "keyboard", "usb-kbd" },
	};

	c->usb = true;
	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(arg, known[i].name) == 0)
			return opt_device(c, known[i].device, e);
	return err_set(e, "'%s' is not supported; use tablet, mouse or keyboard, or -device usb-...", arg);
}

/* ---- lines ---- */

static bool
add_line(struct settings *c, const char **lines, unsigned *count, unsigned most, const char *arg, struct err *e)
{
	if (*count == most)
		return err_set(e, "given too often; %u are the most", most);
	lines[(*count)++] = settings_dup(c, arg);
	return true;
}

bool
opt_serial(struct settings *c, const char *arg, struct err *e)
{
	return add_line(c, c->serials, &c->serial_count, SERIAL_MAX, arg, e);
}

bool
opt_parallel(struct settings *c, const char *arg, struct err *e)
{
	return add_line(c, c->parallels, &c->parallel_count, PARALLEL_MAX, arg, e);
}

static void
add_monitor(struct settings *c, const char *spec)
{
	struct monitor_config **last = &c->monitors;

	while (*last != NULL)
		last = &(*last)->next;
	*last = settings_alloc(c, sizeof(**last));
	(*last)->spec = spec;
}

bool
opt_monitor(struct settings *c, const char *arg, struct err *e)
{
	(void)e;
	if (strcmp(arg, "none") == 0)
		c->monitor_none = true;
	else
		add_monitor(c, settings_dup(c, arg));
	return true;
}

bool
opt_mon(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "chardev", e);
	const char *id = keyval_str(&k, "chardev");

	if (ok && id == NULL)
		ok = err_set(e, "chardev=ID is missing");
	if (ok && !keyval_only(&k, "mode", "readline", e))
		ok = err_prefix(e, "the QMP server is not there yet: ");
	ok = ok && keyval_only(&k, "pretty", "off", e) && keyval_end(&k, e);
	if (ok) {
		char *spec = xasprintf("chardev:%s", id);

		add_monitor(c, settings_dup(c, spec));
		free(spec);
	}
	keyval_free(&k);
	return ok;
}

bool
opt_debugcon(struct settings *c, const char *arg, struct err *e)
{
	(void)e;
	c->debugcon = settings_dup(c, arg);
	return true;
}

/* The ends that sockets share: ",server=on,wait=off,nodelay". */
static char *
socket_switches(struct keyval *k, bool nodelay_too, struct err *e)
{
	bool server = false, wait = true, nodelay = false;

	if (!keyval_bool(k, "server", &server, e) || !keyval_bool(k, "wait", &wait, e) ||
	    !keyval_bool(k, "nodelay", &nodelay, e) || !keyval_bool(k, "delay", &(bool){ false }, e))
		return NULL;
	return xasprintf("%s%s%s", server ? ",server=on" : "", server && !wait ? ",wait=off" : "",
		nodelay && nodelay_too ? ",nodelay" : "");
}

static char *
socket_spec(struct keyval *k, struct err *e)
{
	const char *path = keyval_str(k, "path");
	const char *host = keyval_str(k, "host");
	const char *port = keyval_str(k, "port");
	bool telnet = false;
	char *spec = NULL;

	if (!keyval_bool(k, "telnet", &telnet, e))
		return NULL;
	char *switches = socket_switches(k, path == NULL, e);
	if (switches == NULL)
		return NULL;
	if (path != NULL)
		spec = xasprintf("unix:%s%s", path, switches);
	else if (port != NULL)
		spec = xasprintf("%s:%s:%s%s", telnet ? "telnet" : "tcp", host != NULL ? host : "", port, switches);
	else
		err_set(e, "a socket needs path=, or host= and port=");
	free(switches);
	return spec;
}

static char *
udp_spec(struct keyval *k, struct err *e)
{
	const char *host = keyval_str(k, "host");
	const char *port = keyval_str(k, "port");
	const char *local_host = keyval_str(k, "localaddr");
	const char *local_port = keyval_str(k, "localport");

	if (port == NULL) {
		err_set(e, "port= is missing");
		return NULL;
	}
	if (local_host == NULL && local_port == NULL)
		return xasprintf("udp:%s:%s", host != NULL ? host : "", port);
	return xasprintf("udp:%s:%s@%s:%s", host != NULL ? host : "", port, local_host != NULL ? local_host : "",
		local_port != NULL ? local_port : "0");
}

static char *
path_spec(const char *backend, struct keyval *k, struct err *e)
{
	const char *path = keyval_str(k, "path");

	if (path != NULL)
		return xasprintf("%s:%s", backend, path);
	err_set(e, "path= is missing");
	return NULL;
}

/* A text console's size in cells or pixels. */
static char *
console_spec(struct keyval *k, struct err *e)
{
	const char *columns = keyval_str(k, "cols"), *rows = keyval_str(k, "rows");
	const char *width = keyval_str(k, "width"), *height = keyval_str(k, "height");

	if (columns != NULL && rows != NULL)
		return xasprintf("vc:%sCx%sC", columns, rows);
	if (width != NULL && height != NULL)
		return xasprintf("vc:%sx%s", width, height);
	if (columns != NULL || rows != NULL || width != NULL || height != NULL) {
		err_set(e, "vc takes cols= and rows=, or width= and height=");
		return NULL;
	}
	return xstrdup("vc");
}

/* What -serial would call this backend. */
static char *
chardev_spec(const char *backend, struct keyval *k, struct err *e)
{
	if (strcmp(backend, "null") == 0 || strcmp(backend, "stdio") == 0 || strcmp(backend, "pty") == 0 ||
	    strcmp(backend, "vc") == 0) {
		keyval_str(k, "signal");
		return strcmp(backend, "vc") == 0 ? console_spec(k, e) : xstrdup(backend);
	}
	if (strcmp(backend, "file") == 0 || strcmp(backend, "pipe") == 0)
		return path_spec(backend, k, e);
	if (strcmp(backend, "socket") == 0)
		return socket_spec(k, e);
	if (strcmp(backend, "udp") == 0)
		return udp_spec(k, e);
	err_set(e, "backend '%s' is not supported; use null, stdio, pty, vc, file, pipe, socket or udp", backend);
	return NULL;
}

bool
opt_chardev(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	struct chardev_config **last = &c->chardevs;
	bool mux = false, ok = keyval_parse(&k, arg, "backend", e);
	const char *backend = keyval_str(&k, "backend");
	const char *id = keyval_str(&k, "id");
	char *spec = NULL;

	if (ok && strcmp(arg, "help") == 0) {
		printf("Available chardev backend types:\n  null\n  stdio\n  pty\n  vc\n  file\n  pipe\n  socket\n  udp\n");
		c->exit = true;
		keyval_free(&k);
		return true;
	}
	if (ok && (backend == NULL || id == NULL))
		ok = err_set(e, "BACKEND,id=ID is needed");
	ok = ok && keyval_bool(&k, "mux", &mux, e);
	if (ok)
		spec = chardev_spec(backend, &k, e);
	ok = spec != NULL && keyval_end(&k, e);
	for (; ok && *last != NULL; last = &(*last)->next) {
		if (strcmp((*last)->id, id) == 0)
			ok = err_set(e, "there is a character device '%s' already", id);
	}
	if (ok) {
		*last = settings_alloc(c, sizeof(**last));
		(*last)->id = settings_dup(c, id);
		(*last)->spec = settings_dup(c, spec);
		(*last)->mux = mux;
	}
	free(spec);
	keyval_free(&k);
	return ok;
}
