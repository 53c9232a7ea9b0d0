/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's `info`. */
#include "vm/monitor_cmd.h"

#include "base/dev.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/util.h"

#include <inttypes.h>

#define INFO(id, name, help) static void info_##id(struct mon *m, const char *rest);
#include "vm/monitor.def"
#undef INFO

const struct mon_info mon_infos[] = {
#define INFO(id, name, help) { name, help, info_##id },
#include "vm/monitor.def"
#undef INFO
};
const unsigned mon_info_count = ARRAY_SIZE(mon_infos);

void cmd_info(struct mon *m, const struct mon_args *a);

void
cmd_info(struct mon *m, const struct mon_args *a)
{
	const struct machine_view *v = m->view;
	const char *topic = a->v[0].text;

	if (!a->v[0].given) {
		for (unsigned i = 0; i < mon_info_count; i++)
			mon_printf(m, "info %s -- %s\n", mon_infos[i].name, mon_infos[i].help);
		return;
	}
	for (unsigned i = 0; i < mon_info_count; i++) {
		if (strcmp(mon_infos[i].name, topic) == 0) {
			mon_infos[i].run(m, a->v[1].text);
			return;
		}
	}
	if (v->info == NULL || !v->info(v->opaque, topic, m->print, m->to))
		mon_printf(m, "info %s is not supported: see help info\n", topic);
}

/* ---- what the view prints ---- */

static void
from_view(struct mon *m, void (*function)(void *opaque, view_print *print, void *to), const char *name)
{
	if (function != NULL)
		function(m->view->opaque, m->print, m->to);
	else
		mon_unsupported(m, name);
}

static void
from_cpu(struct mon *m, void (*function)(void *opaque, unsigned cpu, view_print *print, void *to), const char *name)
{
	if (function != NULL)
		function(m->view->opaque, *m->cpu, m->print, m->to);
	else
		mon_unsupported(m, name);
}

static void
info_block(struct mon *m, const char *rest)
{
	const struct machine_view *v = m->view;

	if (v->block_info != NULL)
		v->block_info(v->opaque, strstr(rest, "-v") != NULL, m->print, m->to);
	else
		mon_unsupported(m, "info block");
}

static void
info_chardev(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->chardev_info, "info chardev");
}

static void
info_audio(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->audio_info, "info audio");
}

static void
info_capture(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->capture_info, "info capture");
}

static void
info_network(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->net_info, "info network");
}

static void
info_usernet(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->usernet_info, "info usernet");
}

static void
info_vnc(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->vnc_info, "info vnc");
}

static void
info_usb(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->usb_info, "info usb");
}

static void
info_mice(struct mon *m, const char *rest)
{
	(void)rest;
	if (m->view->input != NULL)
		mon_show_mice(m);
	else
		mon_unsupported(m, "info mice");
}

static void
info_pci(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->pci_info, "info pci");
}

static void
info_jit(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->jit_info, "info jit");
}

static void
info_snapshots(struct mon *m, const char *rest)
{
	(void)rest;
	from_view(m, m->view->snapshots, "info snapshots");
}

static void
info_mem(struct mon *m, const char *rest)
{
	(void)rest;
	from_cpu(m, m->view->mappings, "info mem");
}

static void
info_tlb(struct mon *m, const char *rest)
{
	(void)rest;
	from_cpu(m, m->view->tlb, "info tlb");
}

static void
info_registers(struct mon *m, const char *rest)
{
	const struct machine_view *v = m->view;

	if (strstr(rest, "-a") == NULL || v->registers == NULL) {
		from_cpu(m, v->registers, "info registers");
		return;
	}
	for (unsigned i = 0; i < v->cpu_count; i++) {
		mon_printf(m, "\nCPU#%u\n", i);
		v->registers(v->opaque, i, m->print, m->to);
	}
}

static void
info_cpus(struct mon *m, const char *rest)
{
	const struct machine_view *v = m->view;

	(void)rest;
	for (unsigned i = 0; i < v->cpu_count; i++) {
		uint64_t rip = 0;
		bool halted = false;

		if (v->cpu_where == NULL) {
			mon_printf(m, "%c CPU #%u\n", i == *m->cpu ? '*' : ' ', i);
			continue;
		}
		v->cpu_where(v->opaque, i, &rip, &halted);
		mon_printf(m, "%c CPU #%u: rip=0x%016" PRIx64 "%s\n", i == *m->cpu ? '*' : ' ', i, rip, halted ? " (halted)" : "");
	}
}

/* ---- facts ---- */

static void
info_status(struct mon *m, const char *rest)
{
	(void)rest;
	if (m->view->run_state != NULL)
		mon_printf(m, "VM status: %s\n", m->view->run_state(m->view->opaque));
	else
		mon_unsupported(m, "info status");
}

static void
info_version(struct mon *m, const char *rest)
{
	(void)rest;
	mon_printf(m, "%s\n", m->view->version);
}

static void
info_name(struct mon *m, const char *rest)
{
	(void)rest;
	if (m->view->name != NULL)
		mon_printf(m, "%s\n", m->view->name);
}

static void
info_uuid(struct mon *m, const char *rest)
{
	static const uint8_t none[16];
	const uint8_t *u = m->view->uuid != NULL ? m->view->uuid : none;

	(void)rest;
	for (unsigned i = 0; i < 16; i++)
		mon_printf(m, "%02x%s", u[i], i == 3 || i == 5 || i == 7 || i == 9 ? "-" : i == 15 ? "\n" : "");
}

static void
info_kvm(struct mon *m, const char *rest)
{
	(void)rest;
	mon_printf(m, "kvm support: not compiled\n");
}

static void
info_history(struct mon *m, const char *rest)
{
	const char *line;

	(void)rest;
	for (unsigned i = 0; m->line != NULL && (line = line_history(m->line, i)) != NULL; i++)
		mon_printf(m, "%u: '%s'\n", i, line);
}

/* ---- devices ---- */

/* Starts each line of a device's text with two spaces. */
struct indent {
	struct mon *m;
	bool inside; /* a line */
};

static void
print_indented(void *opaque, const char *text)
{
	struct indent *in = opaque;

	while (*text != '\0') {
		int n = strcspn(text, "\n");

		if (!in->inside && n != 0)
			mon_printf(in->m, "  ");
		mon_printf(in->m, "%.*s", n, text);
		in->inside = text[n] != '\n';
		text += n;
		if (*text == '\n') {
			mon_printf(in->m, "\n");
			text++;
		}
	}
}

static void
show_device(struct mon *m, struct dev *d)
{
	struct indent in = { m, false };

	mon_printf(m, "dev: %s, id \"%s\"%s%s\n", d->cls->name, d->id != NULL ? d->id : "", d->cls->description != NULL ? ", " : "",
		d->cls->description != NULL ? d->cls->description : "");
	if (d->cls->info != NULL)
		d->cls->info(d, print_indented, &in);
	if (in.inside)
		mon_printf(m, "\n");
}

/* Devices whose class has one of the names, NULL-ended, in its own. */
static void
show_devices(struct mon *m, const char *const *names)
{
	for (struct dev *d = m->view->devices != NULL ? *m->view->devices : NULL; d != NULL; d = d->next) {
		bool wanted = names == NULL;

		for (unsigned i = 0; names != NULL && names[i] != NULL; i++)
			wanted = wanted || strstr(d->cls->name, names[i]) != NULL;
		if (wanted)
			show_device(m, d);
	}
}

static void
info_qtree(struct mon *m, const char *rest)
{
	(void)rest;
	show_devices(m, NULL);
}

static void
info_pic(struct mon *m, const char *rest)
{
	static const char *const names[] = { "8259", "ioapic", NULL };

	(void)rest;
	show_devices(m, names);
}

static void
info_lapic(struct mon *m, const char *rest)
{
	static const char *const names[] = { "lapic", NULL };

	(void)rest;
	show_devices(m, names);
}

static void
info_irq(struct mon *m, const char *rest)
{
	if (m->view->irq_info != NULL)
		m->view->irq_info(m->view->opaque, m->print, m->to);
	else
		info_pic(m, rest);
}

/* ---- maps ---- */

static void
show_range(void *opaque, const struct mem_range *r)
{
	static const char *const kinds[] = { [REGION_IO] = "i/o", [REGION_RAM] = "ram", [REGION_ROM] = "rom" };
	struct mon *m = opaque;

	if (r->region == NULL)
		return;
	mon_printf(m, "  %016" PRIx64 "-%016" PRIx64 " (prio %d, %s): %s", r->first, r->last, r->region->priority,
		kinds[r->region->kind], r->region->name);
	if (r->offset != 0)
		mon_printf(m, " @%016" PRIx64, r->offset);
	mon_printf(m, "\n");
}

static void
info_mtree(struct mon *m, const char *rest)
{
	bool smm = strstr(rest, "-s") != NULL;

	if (m->view->mem != NULL) {
		mon_printf(m, "memory%s\n", smm ? ", system management mode" : "");
		space_walk(m->view->mem, smm, show_range, m);
	}
	if (m->view->io != NULL) {
		mon_printf(m, "I/O\n");
		space_walk(m->view->io, smm, show_range, m);
	}
}

static void
show_event(void *opaque, const char *name, bool on)
{
	struct mon *m = opaque;

	mon_printf(m, "%s : state %d\n", name, on);
}

static void
info_trace_events(struct mon *m, const char *rest)
{
	(void)rest;
	trace_list(show_event, m);
}
