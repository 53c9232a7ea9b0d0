/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices of a machine: who speaks to which serial port, parallel port, monitor. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"
#include "vm/monitor.h"

#include <stdio.h>
#include <stdlib.h>

static struct line *
add_line(struct machine *m, struct chr *chr, const char *chardev, bool mux)
{
	struct line *l = xcalloc(1, sizeof(*l));

	*l = (struct line){ .chardev = chardev, .chr = chr, .mux = mux, .next = m->lines };
	m->lines = l;
	return l;
}

/* ---- multiplexers ---- */

static void
mux_quit(void *opaque)
{
	machine_request_exit(opaque, 0);
}

static void
mux_sync(void *opaque)
{
	struct machine *m = opaque;

	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		if (m->ide_drives[i].disk != NULL)
			disk_flush_sync(m->ide_drives[i].disk);
	}
}

/* Takes BASE over. */
static struct chr *
add_mux(struct machine *m, struct chr *base, const char *chardev)
{
	struct chr_mux_ops ops = { .opaque = m, .quit = mux_quit, .sync = mux_sync };
	struct chr *mux = chr_mux_new(base, &ops);

	add_line(m, mux, chardev, true);
	return mux;
}

static struct chr *
add_front(struct machine *m, struct chr *mux, struct err *e)
{
	struct chr *front = chr_mux_front(mux);

	if (front == NULL) {
		err_set(e, "%s: too many share it", chr_id(mux));
		return NULL;
	}
	add_line(m, front, NULL, false)->used = true;
	return front;
}

static bool
add_monitor(struct machine *m, struct chr *chr, struct err *e)
{
	if (m->monitor_count == ARRAY_SIZE(m->monitors))
		return err_set(e, "%zu monitors are the most", ARRAY_SIZE(m->monitors));
	m->monitors[m->monitor_count++] = monitor_new(chr, &m->view, true);
	return true;
}

/* ---- what options name ---- */

static struct chr *
use_chardev(struct machine *m, const char *id, struct err *e)
{
	for (struct line *l = m->lines; l != NULL; l = l->next) {
		if (l->chardev == NULL || strcmp(l->chardev, id) != 0)
			continue;
		if (l->mux)
			return add_front(m, l->chr, e);
		if (l->used) {
			err_set(e, "character device '%s' is in use already; give its -chardev mux=on to share it", id);
			return NULL;
		}
		l->used = true;
		return l->chr;
	}
	err_set(e, "there is no character device '%s'; add -chardev ...,id=%s", id, id);
	return NULL;
}

struct chr *
machine_line(struct machine *m, const char *id, const char *spec, struct err *e)
{
	if (strncmp(spec, "chardev:", 8) == 0)
		return use_chardev(m, spec + 8, e);
	struct chr *chr = machine_open_line(m, id, spec, e);
	if (chr == NULL)
		return NULL;
	if (strncmp(spec, "mon:", 4) != 0) {
		add_line(m, chr, NULL, false)->used = true;
		return chr;
	}
	struct chr *mux = add_mux(m, chr, NULL);
	struct chr *front = add_front(m, mux, e);
	struct chr *monitor = add_front(m, mux, e);
	return front != NULL && monitor != NULL && add_monitor(m, monitor, e) ? front : NULL;
}

bool
machine_open_chardevs(struct machine *m, struct err *e)
{
	for (const struct chardev_config *c = m->settings->chardevs; c != NULL; c = c->next) {
		/* As the terminal of several users its Ctrl-C goes to them. */
		char *spec = xasprintf("%s%s", c->mux ? "mon:" : "", c->spec);
		struct chr *chr = machine_open_line(m, c->id, spec, e);

		free(spec);
		if (chr == NULL)
			return err_prefix(e, "-chardev id=%s: ", c->id);
		if (c->mux)
			add_mux(m, chr, c->id);
		else
			add_line(m, chr, c->id, false);
	}
	return true;
}

/* ---- ports ---- */

bool
machine_add_serial(struct machine *m, unsigned index, unsigned port, unsigned irq, struct chr *chr, struct err *e)
{
	static const struct { unsigned port, irq; } usual[SERIAL_MAX] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };
	char id[16];

	if (index >= SERIAL_MAX || m->serial_ports & 1u << index)
		return err_set(e, "serial port %u is there already, or there are too many", index);
	m->serial_ports |= (uint8_t)(1u << index);
	snprintf(id, sizeof(id), "serial%u", index);
	ns16550_new(&m->env, id, port != 0 ? port : usual[index].port,
		machine_isa_source(m, irq != 0 ? irq : usual[index].irq), chr);
	return true;
}

bool
machine_add_parallel(struct machine *m, unsigned index, unsigned port, unsigned irq, struct chr *chr, struct err *e)
{
	static const struct { unsigned port, irq; } usual[PARALLEL_MAX] = { { 0x378, 7 }, { 0x278, 5 }, { 0x3bc, 7 } };
	char id[16];

	if (index >= PARALLEL_MAX || m->parallel_ports & 1u << index)
		return err_set(e, "parallel port %u is there already, or there are too many", index);
	m->parallel_ports |= (uint8_t)(1u << index);
	snprintf(id, sizeof(id), "parallel%u", index);
	parallel_new(&m->env, id, port != 0 ? port : usual[index].port,
		machine_isa_source(m, irq != 0 ? irq : usual[index].irq), chr);
	return true;
}

static bool
uses_stdio(const char *spec)
{
	return strncmp(spec, "stdio", 5) == 0 || strncmp(spec, "mon:stdio", 9) == 0;
}

static bool
monitor_on_stdio(const struct settings *s)
{
	for (const struct monitor_config *c = s->monitors; c != NULL; c = c->next) {
		if (uses_stdio(c->spec))
			return true;
	}
	return false;
}

/* Where the first serial port goes when nothing says so: a text console, or the terminal with the monitor behind it. */
static const char *
default_serial(const struct settings *s)
{
	if (!s->nographic)
		return "vc";
	if (monitor_on_stdio(s))
		return "null";
	return s->monitors == NULL && !s->monitor_none ? "mon:stdio" : "stdio";
}

static bool
add_ports(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	struct chr *chr;

	for (unsigned i = 0; i < s->serial_count; i++) {
		char id[24];

		if (strcmp(s->serials[i], "none") == 0)
			continue;
		snprintf(id, sizeof(id), "serial%u", i);
		if ((chr = machine_line(m, id, s->serials[i], e)) == NULL || !machine_add_serial(m, i, 0, 0, chr, e))
			return err_prefix(e, "-serial %s: ", s->serials[i]);
	}
	for (unsigned i = 0; i < s->parallel_count; i++) {
		char id[24];

		if (strcmp(s->parallels[i], "none") == 0)
			continue;
		snprintf(id, sizeof(id), "parallel%u", i);
		if ((chr = machine_line(m, id, s->parallels[i], e)) == NULL || !machine_add_parallel(m, i, 0, 0, chr, e))
			return err_prefix(e, "-parallel %s: ", s->parallels[i]);
	}
	return true;
}

bool
machine_add_serials(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	struct chr *chr;

	if (!add_ports(m, e))
		return false;
	if (s->serial_count == 0 && s->defaults &&
	    ((chr = machine_line(m, "serial0", default_serial(s), e)) == NULL || !machine_add_serial(m, 0, 0, 0, chr, e)))
		return err_prefix(e, "-serial: ");
	if (s->parallel_count == 0 && s->defaults &&
	    ((chr = machine_line(m, "parallel0", s->nographic ? "null" : "vc", e)) == NULL || !machine_add_parallel(m, 0, 0, 0, chr, e)))
		return err_prefix(e, "-parallel: ");
	if (s->debugcon == NULL)
		return true;
	if ((chr = machine_line(m, "debugcon", s->debugcon, e)) == NULL)
		return err_prefix(e, "-debugcon %s: ", s->debugcon);
	debugcon_new(&m->env, "debugcon", 0xe9, 0xe9, chr);
	return true;
}

bool
machine_add_monitors(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	bool terminal_free = s->nographic;

	for (unsigned i = 0; i < s->serial_count; i++)
		terminal_free = terminal_free && !uses_stdio(s->serials[i]);
	for (const struct chardev_config *c = s->chardevs; c != NULL; c = c->next)
		terminal_free = terminal_free && !uses_stdio(c->spec);
	for (const struct monitor_config *c = s->monitors; c != NULL; c = c->next) {
		struct chr *chr = machine_line(m, "monitor", c->spec, e);

		if (chr == NULL || !add_monitor(m, chr, e))
			return err_prefix(e, "-monitor %s: ", c->spec);
	}
	if (m->monitor_count > 0 || s->monitor_none)
		return true;
	if (s->display != DISPLAY_NONE && s->defaults) {
		struct chr *chr = machine_line(m, "monitor", "vc", e);

		return chr != NULL && add_monitor(m, chr, e);
	}
	if (s->serial_count == 0 || !terminal_free)
		return true;
	struct chr *chr = machine_line(m, "monitor", "stdio", e);
	return (chr != NULL && add_monitor(m, chr, e)) || err_prefix(e, "-nographic: ");
}

void
machine_close_monitors(struct machine *m)
{
	while (m->monitor_count > 0)
		monitor_free(m->monitors[--m->monitor_count]);
}

void
machine_close_lines(struct machine *m)
{
	while (m->lines != NULL) {
		struct line *l = m->lines;

		m->lines = l->next;
		chr_close(l->chr);
		free(l);
	}
}
