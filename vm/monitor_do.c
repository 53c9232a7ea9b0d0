/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's commands that do something to the machine or its surroundings. */
#include "vm/monitor_cmd.h"

#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "ui/ui.h"

#include <stdio.h>
#include <stdlib.h>

/* The table, for which each command's function is declared; some of them are in monitor_mem.c and monitor_info.c. */
#define CMD(id, names, args, shown, help) void cmd_##id(struct mon *m, const struct mon_args *a);
#include "vm/monitor.def"
#undef CMD

const struct mon_cmd mon_cmds[] = {
#define CMD(id, names, args, shown, help) { names, args, shown, help, cmd_##id },
#include "vm/monitor.def"
#undef CMD
};
const unsigned mon_cmd_count = ARRAY_SIZE(mon_cmds);

/* What a failed function of the view said. */
static void
tell(struct mon *m, bool ok, const struct err *e)
{
	if (!ok)
		mon_printf(m, "Error: %s\n", e->text[0] != '\0' ? e->text : "it failed");
}

/* ---- help ---- */

static void
show_command(struct mon *m, const struct mon_cmd *c)
{
	mon_printf(m, "%s%s%s -- %s\n", c->names, *c->shown != '\0' ? " " : "", c->shown, c->help);
}

static void
show_topic(struct mon *m, const struct mon_info *i)
{
	mon_printf(m, "info %s -- %s\n", i->name, i->help);
}

void
cmd_help(struct mon *m, const struct mon_args *a)
{
	const struct mon_cmd *c = a->v[0].given ? mon_find(a->v[0].text) : NULL;

	if (a->v[0].given && c == NULL) {
		mon_printf(m, "unknown command: '%s'\n", a->v[0].text);
		return;
	}
	if (c != NULL && mon_named(c->names, "info")) {
		for (unsigned i = 0; i < mon_info_count; i++) {
			if (!a->v[1].given || strcmp(a->v[1].text, mon_infos[i].name) == 0)
				show_topic(m, &mon_infos[i]);
		}
	} else if (c != NULL) {
		show_command(m, c);
	} else {
		for (unsigned i = 0; i < mon_cmd_count; i++)
			show_command(m, &mon_cmds[i]);
	}
	if (c != NULL && mon_named(c->names, "log")) {
#define SHOW_ITEM(item, text) mon_printf(m, "%-14s %s\n", #item, text);
		LOG_ITEMS(SHOW_ITEM)
#undef SHOW_ITEM
	}
}

/* ---- running ---- */

/* Commands that call one function of the view without arguments. */
static void
call(struct mon *m, void (*function)(void *opaque), const char *name)
{
	if (function != NULL)
		function(m->view->opaque);
	else
		mon_unsupported(m, name);
}

void
cmd_quit(struct mon *m, const struct mon_args *a)
{
	(void)a;
	if (m->view->quit != NULL)
		m->view->quit(m->view->opaque, 0);
	else
		mon_unsupported(m, "quit");
}

void
cmd_stop(struct mon *m, const struct mon_args *a)
{
	(void)a;
	call(m, m->view->stop, "stop");
}

void
cmd_cont(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	(void)a;
	if (m->view->cont != NULL)
		tell(m, m->view->cont(m->view->opaque, &e), &e);
	else
		mon_unsupported(m, "cont");
}

void
cmd_system_reset(struct mon *m, const struct mon_args *a)
{
	(void)a;
	call(m, m->view->reset, "system_reset");
}

void
cmd_system_powerdown(struct mon *m, const struct mon_args *a)
{
	(void)a;
	call(m, m->view->powerdown, "system_powerdown");
}

void
cmd_nmi(struct mon *m, const struct mon_args *a)
{
	(void)a;
	call(m, m->view->nmi, "nmi");
}

void
cmd_cpu(struct mon *m, const struct mon_args *a)
{
	if (a->v[0].number >= m->view->cpu_count)
		mon_printf(m, "Error: there are processors 0 to %u\n", m->view->cpu_count - 1);
	else
		*m->cpu = a->v[0].number;
}

void
cmd_tb_flush(struct mon *m, const struct mon_args *a)
{
	(void)a;
	call(m, m->view->tb_flush, "tb-flush");
}

void
cmd_one_insn_per_tb(struct mon *m, const struct mon_args *a)
{
	if (m->view->set_one_insn != NULL)
		m->view->set_one_insn(m->view->opaque, !a->v[0].given || a->v[0].number != 0);
	else
		mon_unsupported(m, "one-insn-per-tb");
}

/* ---- keys, screen ---- */

/* The code of a name, or of a number as 0x1e. */
static unsigned
key_code(const char *name)
{
	unsigned code = key_from_name(name);
	char *end;

	if (code == 0 && strncmp(name, "0x", 2) == 0) {
		code = strtoul(name, &end, 16);
		code = *end == '\0' && code <= 0xffff ? code : 0;
	}
	return code;
}

void
cmd_sendkey(struct mon *m, const struct mon_args *a)
{
	uint16_t codes[16];
	unsigned count = 0;
	char keys[MON_LINE], *save;

	if (m->view->keys == NULL) {
		mon_unsupported(m, "sendkey");
		return;
	}
	memcpy(keys, a->v[0].text, sizeof(keys));
	for (char *name = strtok_r(keys, "-", &save); name != NULL; name = strtok_r(NULL, "-", &save)) {
		unsigned code = key_code(strcmp(name, "<") == 0 ? "less" : name);

		if (code == 0) {
			mon_printf(m, "invalid parameter: %s\n", name);
			return;
		}
		if (count == ARRAY_SIZE(codes)) {
			mon_printf(m, "too many keys\n");
			return;
		}
		codes[count++] = code;
	}
	if (count != 0 && !key_queue_push(m->view->keys, codes, count, a->v[1].given ? MIN(a->v[1].number, 60000) : 100))
		mon_printf(m, "Error: too many keys wait to be pressed\n");
}

void
cmd_screendump(struct mon *m, const struct mon_args *a)
{
	struct display *d = m->view->display != NULL ? m->view->display(m->view->opaque) : NULL;
	struct err e = { "" };

	if (d == NULL)
		mon_printf(m, "There is no screen to take a screendump from\n");
	else
		tell(m, surface_save(d->update(d->opaque), a->v[0].text, &e), &e);
}

/* ---- sound ---- */

static unsigned
number_or(const struct mon_arg *a, unsigned otherwise)
{
	return a->given ? (unsigned)MIN(a->number, (uint64_t)UINT32_MAX) : otherwise;
}

void
cmd_wavcapture(struct mon *m, const struct mon_args *a)
{
	const struct machine_view *v = m->view;
	struct err e = { "" };

	if (v->record_start != NULL)
		tell(m, v->record_start(v->opaque, a->v[0].text, a->v[1].given ? a->v[1].text : NULL, number_or(&a->v[2], 44100),
			number_or(&a->v[3], 16), number_or(&a->v[4], 2), &e), &e);
	else
		mon_unsupported(m, "wavcapture");
}

void
cmd_stopcapture(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	if (m->view->record_stop != NULL)
		tell(m, m->view->record_stop(m->view->opaque, number_or(&a->v[0], 0), &e), &e);
	else
		mon_unsupported(m, "stopcapture");
}

/* ---- drives and snapshots ---- */

void
cmd_eject(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	if (m->view->eject != NULL)
		tell(m, m->view->eject(m->view->opaque, a->v[0].text, mon_flag(a, 'f'), &e), &e);
	else
		mon_unsupported(m, "eject");
}

/* Functions of the view that take a name. */
static void
call_named(struct mon *m, bool (*function)(void *opaque, const char *name, struct err *e), const char *command, const char *name)
{
	struct err e = { "" };

	if (function != NULL)
		tell(m, function(m->view->opaque, name, &e), &e);
	else
		mon_unsupported(m, command);
}

void
cmd_set_password(struct mon *m, const struct mon_args *a)
{
	if (strcmp(a->v[0].text, "vnc") != 0)
		mon_printf(m, "Error: there is no password for %s; use set_password vnc PASSWORD\n", a->v[0].text);
	else if (a->v[2].given && strcmp(a->v[2].text, "keep") != 0)
		mon_printf(m, "Error: %s is not supported: clients that are connected are kept\n", a->v[2].text);
	else
		call_named(m, m->view->vnc_password, "set_password", a->v[1].text);
}

void
cmd_change(struct mon *m, const struct mon_args *a)
{
	const char *format = a->v[2].given ? a->v[2].text : NULL;
	const char *mode = a->v[3].given ? a->v[3].text : "retain";
	enum view_access access = strcmp(mode, "read-only") == 0 ? VIEW_READ_ONLY :
		strcmp(mode, "read-write") == 0 ? VIEW_READ_WRITE : VIEW_RETAIN;
	struct err e = { "" };

	if (strcmp(a->v[0].text, "vnc") == 0) {
		if (strcmp(a->v[1].text, "password") == 0 && a->v[2].given)
			call_named(m, m->view->vnc_password, "change vnc", a->v[2].text);
		else
			mon_printf(m, "Error: say change vnc password PASSWORD; where the server listens stays as it is\n");
		return;
	}
	if (m->view->change == NULL) {
		mon_unsupported(m, "change");
		return;
	}
	if (access == VIEW_RETAIN && strcmp(mode, "retain") != 0) {
		mon_printf(m, "Error: \"%s\" is none of read-only, read-write, retain\n", mode);
		return;
	}
	tell(m, m->view->change(m->view->opaque, a->v[0].text, a->v[1].text, format, access, mon_flag(a, 'f'), &e), &e);
}

void
cmd_commit(struct mon *m, const struct mon_args *a)
{
	call_named(m, m->view->commit, "commit", a->v[0].text);
}

void
cmd_savevm(struct mon *m, const struct mon_args *a)
{
	call_named(m, m->view->savevm, "savevm", a->v[0].given ? a->v[0].text : NULL);
}

void
cmd_loadvm(struct mon *m, const struct mon_args *a)
{
	call_named(m, m->view->loadvm, "loadvm", a->v[0].text);
}

void
cmd_delvm(struct mon *m, const struct mon_args *a)
{
	call_named(m, m->view->delvm, "delvm", a->v[0].text);
}

/* ---- log ---- */

static bool
item_mask(const char *name, uint32_t *mask)
{
	static const char *const names[] = {
#define NAME_ITEM(item, text) #item,
		LOG_ITEMS(NAME_ITEM)
#undef NAME_ITEM
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) == 0)
			*mask |= 1u << i;
		else if (strcmp(name, "all") != 0)
			continue;
		else
			*mask = (1u << ARRAY_SIZE(names)) - 1;
		return true;
	}
	return strcmp(name, "none") == 0;
}

void
cmd_log(struct mon *m, const struct mon_args *a)
{
	char items[MON_LINE], *save;
	uint32_t mask = 0;

	memcpy(items, a->v[0].text, sizeof(items));
	for (char *name = strtok_r(items, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		if (!item_mask(name, &mask)) {
			mon_printf(m, "Error: there is no item \"%s\": see help log\n", name);
			return;
		}
	}
	log_set(mask);
}

void
cmd_logfile(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	tell(m, log_open(a->v[0].text, &e), &e);
}

void
cmd_trace_event(struct mon *m, const struct mon_args *a)
{
	if (!trace_enable(a->v[0].text, a->v[1].number != 0))
		mon_printf(m, "Error: no trace event matches \"%s\"\n", a->v[0].text);
}

/* ---- networks ---- */

void
cmd_set_link(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	if (m->view->set_link != NULL)
		tell(m, m->view->set_link(m->view->opaque, a->v[0].text, a->v[1].number != 0, &e), &e);
	else
		mon_unsupported(m, "set_link");
}

void
cmd_netdev_add(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	if (m->view->netdev_add != NULL)
		tell(m, m->view->netdev_add(m->view->opaque, a->v[0].text, &e), &e);
	else
		mon_unsupported(m, "netdev_add");
}

void
cmd_netdev_del(struct mon *m, const struct mon_args *a)
{
	struct err e = { "" };

	if (m->view->netdev_del != NULL)
		tell(m, m->view->netdev_del(m->view->opaque, a->v[0].text, &e), &e);
	else
		mon_unsupported(m, "netdev_del");
}

/* [ID] RULE */
static void
hostfwd(struct mon *m, const struct mon_args *a, bool add, const char *name)
{
	const char *id = a->v[1].given ? a->v[0].text : NULL, *rule = a->v[a->v[1].given].text;
	struct err e = { "" };

	if (m->view->hostfwd != NULL)
		tell(m, m->view->hostfwd(m->view->opaque, id, rule, add, &e), &e);
	else
		mon_unsupported(m, name);
}

void
cmd_hostfwd_add(struct mon *m, const struct mon_args *a)
{
	hostfwd(m, a, true, "hostfwd_add");
}

void
cmd_hostfwd_remove(struct mon *m, const struct mon_args *a)
{
	hostfwd(m, a, false, "hostfwd_remove");
}
