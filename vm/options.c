/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: the table of options.def, its help, and the options that are not about disks and lines. */
#define _GNU_SOURCE /* strptime */
#include "vm/options.h"
#include "vm/settings.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/trace.h"
#include "base/util.h"
#include "tcg/tcg.h"
#include "vm/vcpu.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct option {
	const char *name;     /* NULL: a title */
	bool has_argument;
	bool (*set)(struct settings *c, const char *arg, struct err *e); /* NULL: refused */
	const char *argument;
	const char *text;     /* help, title or the reason why it is refused */
};

#define TITLE(text) { NULL, false, NULL, NULL, text },
#define FLAG(name, handler, help) { name, false, opt_##handler, "", help },
#define ARG(name, handler, argument, help) { name, true, opt_##handler, argument, help },
#define NO_FLAG(name, reason) { name, false, NULL, NULL, reason },
#define NO_ARG(name, reason) { name, true, NULL, NULL, reason },
static const struct option options[] = {
#include "vm/options.def"
};
#undef TITLE
#undef FLAG
#undef ARG
#undef NO_FLAG
#undef NO_ARG

const char *
vm_version(void)
{
	return PACKAGE_VERSION;
}

/* ---- what prints and ends ---- */

/* TEXT in lines of at most WIDTH characters, each after the first indented by INDENT. */
static void
print_wrapped(const char *text, unsigned indent, unsigned width)
{
	size_t length = strlen(text);

	while (length > width) {
		size_t cut = width;

		while (cut > 0 && text[cut] != ' ')
			cut--;
		if (cut == 0)
			break;
		printf("%.*s\n%*s", (int)cut, text, (int)indent, "");
		text += cut + 1;
		length -= cut + 1;
	}
	printf("%s\n", text);
}

bool
opt_help(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	printf("calque %s, a PC emulator\nusage: calque [OPTION...] [IMAGE]\n", vm_version());
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		const struct option *o = &options[i];

		if (o->name == NULL) {
			printf("\n%s\n", o->text);
		} else if (o->set != NULL) {
			int used = printf("  -%s %s", o->name, o->argument);

			printf(used < 30 ? "%*s" : "\n%*s", used < 30 ? 30 - used : 30, "");
			print_wrapped(o->text, 30, 78);
		}
	}
	c->exit = true;
	return true;
}

bool
opt_version(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	printf("calque %s\n", vm_version());
	c->exit = true;
	return true;
}

/* ---- simple ones ---- */

bool
opt_nothing(struct settings *c, const char *arg, struct err *e)
{
	(void)c, (void)arg, (void)e;
	return true;
}

#define SWITCH(handler, statement) \
	bool \
	opt_##handler(struct settings *c, const char *arg, struct err *e) \
	{ \
		(void)arg, (void)e; \
		statement; \
		return true; \
	}
SWITCH(daemonize, c->daemonize = true)
SWITCH(nodefaults, c->defaults = false)
SWITCH(no_hpet, c->hpet = false)
SWITCH(snapshot, c->snapshot = true)
SWITCH(paused, c->paused = true)
SWITCH(no_reboot, c->no_reboot = true)
SWITCH(no_shutdown, c->no_shutdown = true)
SWITCH(nographic, c->nographic = true)
SWITCH(pidfile, c->pidfile = settings_dup(c, arg))
SWITCH(bios, c->firmware = settings_dup(c, arg))
SWITCH(kernel, c->kernel = settings_dup(c, arg))
SWITCH(initrd, c->initrd = settings_dup(c, arg))
SWITCH(append, c->append = settings_dup(c, arg))
#undef SWITCH

bool
opt_name(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "guest", e) && keyval_only(&k, "process", "*", e) &&
		keyval_only(&k, "debug-threads", "*", e);
	const char *name = keyval_str(&k, "guest");

	if (name != NULL)
		c->name = settings_dup(c, name);
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

bool
opt_data_dir(struct settings *c, const char *arg, struct err *e)
{
	if (strcmp(arg, "help") == 0) {
		for (unsigned i = 0; i < c->data_dir_count; i++)
			printf("%s\n", c->data_dirs[i]);
		for (unsigned i = 0; firmware_dirs[i] != NULL; i++)
			printf("%s\n", firmware_dirs[i]);
		c->exit = true;
		return true;
	}
	if (c->data_dir_count == ARRAY_SIZE(c->data_dirs))
		return err_set(e, "given too often; %zu directories are the most", ARRAY_SIZE(c->data_dirs));
	c->data_dirs[c->data_dir_count++] = settings_dup(c, arg);
	return true;
}

/* ---- the machine ---- */

static bool
set_accel(struct settings *c, const char *name)
{
	if (strcmp(name, "tcg") == 0 && tcg_has_back_end())
		c->interpreter = false;
	else if (strcmp(name, "interp") == 0)
		c->interpreter = true;
	else
		return false;
	return true;
}

/* "kvm:tcg": the first that is there. */
static bool
set_accel_list(struct settings *c, const char *list, struct err *e)
{
	char *copy = xstrdup(list);
	char *rest = copy, *word;
	bool found = false;

	while (!found && (word = strsep(&rest, ":")) != NULL)
		found = set_accel(c, word);
	free(copy);
	return found || err_set(e, "accelerator '%s' is not supported%s; use %sinterp", list,
		tcg_has_back_end() ? "" : " on this host", tcg_has_back_end() ? "tcg or " : "");
}

bool
opt_accel(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	uint64_t mib = 0;
	bool native = !c->no_native;

	if (strcmp(arg, "help") == 0) {
		printf("Accelerators:\n%s"
			"interp    interprets, for tests and hosts without a translator\n"
			"Properties: one-insn-per-tb=on|off, native=on|off, tb-size=MiB, thread=single|multi\n",
			tcg_has_back_end() ? "tcg       translates to host code (default)\n" : "");
		c->exit = true;
		return true;
	}
	bool ok = keyval_parse(&k, arg, "accel", e);
	const char *accel = keyval_str(&k, "accel");

	if (ok && accel != NULL)
		ok = set_accel_list(c, accel, e);
	ok = ok && keyval_bool(&k, "one-insn-per-tb", &c->one_insn_per_tb, e) && keyval_bool(&k, "native", &native, e) &&
		keyval_uint(&k, "tb-size", 4096, &mib, e) && keyval_only(&k, "thread", "*", e) && keyval_end(&k, e);
	c->no_native = !native;
	if (ok && mib != 0)
		c->code_cache_bytes = mib * MiB;
	keyval_free(&k);
	return ok;
}

static bool
set_kernel_through(struct settings *c, const char *way, struct err *e)
{
	if (strcmp(way, "auto") == 0)
		c->kernel_through = KERNEL_AUTO;
	else if (strcmp(way, "direct") == 0)
		c->kernel_through = KERNEL_DIRECT;
	else if (strcmp(way, "firmware") == 0)
		c->kernel_through = KERNEL_FIRMWARE;
	else
		return err_set(e, "kernel-through=%s is not known; use auto, direct or firmware", way);
	return true;
}

static bool
set_vmport(struct settings *c, const char *value, struct err *e)
{
	c->vmport = strcmp(value, "auto") == 0;
	return c->vmport || parse_bool(value, &c->vmport, e) || err_prefix(e, "vmport=%s: ", value);
}

static bool
check_machine_type(const char *type, struct err *e)
{
	if (type == NULL || strcmp(type, "pc") == 0 || strncmp(type, "pc-i440fx", 9) == 0)
		return true;
	return err_set(e, "machine '%s' is not supported; 'pc' is", type);
}

bool
opt_machine(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;

	if (strcmp(arg, "help") == 0) {
		printf("Supported machines are:\n"
			"pc        standard PC: i440FX and PIIX3 (default)\n"
			"Properties: accel=tcg|interp, hpet=on|off, usb=on|off, vmport=on|off|auto, kernel-through=auto|direct|firmware,\n"
			"  pcspk-audiodev=ID (the PC speaker is heard there)\n"
			"  kernel-through: how -kernel starts.  direct: straight into the kernel, without firmware; firmware: after\n"
			"  the system firmware, by a boot ROM; auto: direct for 64-bit Linux and PVH kernels, else firmware\n");
		c->exit = true;
		return true;
	}
	bool ok = keyval_parse(&k, arg, "type", e) && check_machine_type(keyval_str(&k, "type"), e);
	const char *accel = keyval_str(&k, "accel");
	const char *through = keyval_str(&k, "kernel-through");
	const char *vmport = keyval_str(&k, "vmport");
	const char *speaker = keyval_str(&k, "pcspk-audiodev");

	if (speaker != NULL)
		c->pcspk_audiodev = settings_dup(c, speaker);
	ok = ok && (accel == NULL || set_accel_list(c, accel, e)) &&
		(through == NULL || set_kernel_through(c, through, e)) && keyval_bool(&k, "hpet", &c->hpet, e) &&
		keyval_bool(&k, "usb", &c->usb, e) && keyval_only(&k, "acpi", "on", e) && (vmport == NULL || set_vmport(c, vmport, e)) &&
		keyval_only(&k, "dump-guest-core", "*", e) && keyval_only(&k, "graphics", "on", e) && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

bool
opt_cpu(struct settings *c, const char *arg, struct err *e)
{
	if (strcmp(arg, "help") == 0) {
		vcpu_print_models();
		c->exit = true;
		return true;
	}
	(void)e;
	c->cpu = settings_dup(c, arg);
	return true;
}

bool
opt_smp(struct settings *c, const char *arg, struct err *e)
{
	static const char *const parts[] = { "sockets", "dies", "clusters", "cores", "threads" };
	struct keyval k;
	uint64_t cpus = 1, most = 1;

	(void)c;
	bool ok = keyval_parse(&k, arg, "cpus", e) && keyval_uint(&k, "cpus", 4096, &cpus, e) &&
		keyval_uint(&k, "maxcpus", 4096, &most, e);

	for (unsigned i = 0; ok && i < ARRAY_SIZE(parts); i++) {
		uint64_t n = 1;

		ok = keyval_uint(&k, parts[i], 4096, &n, e);
		most = MAX(most, n);
	}
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	if (ok && (cpus != 1 || most != 1))
		return err_set(e, "more than one processor is not supported yet; use -smp 1");
	return ok;
}

bool
opt_memory(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "size", e);
	const char *size = keyval_str(&k, "size");

	if (ok && (keyval_str(&k, "slots") != NULL || keyval_str(&k, "maxmem") != NULL))
		ok = err_set(e, "memory can't be plugged in later: slots and maxmem are not supported; give the size alone");
	if (ok && size != NULL)
		ok = c->memory_given = parse_size(size, MiB, &c->ram_bytes, e);
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	if (ok && c->ram_bytes < MiB)
		return err_set(e, "that is too little; 1M is the least");
	c->ram_bytes = align_up(c->ram_bytes, 8 * KiB);
	return ok;
}

static bool
set_rtc_base(struct settings *c, const char *base, struct err *e)
{
	struct tm tm = { 0 };
	const char *end = NULL;

	c->rtc_localtime = strcmp(base, "localtime") == 0;
	c->rtc_at_given = false;
	if (c->rtc_localtime || strcmp(base, "utc") == 0)
		return true;
	end = strptime(base, "%Y-%m-%dT%H:%M:%S", &tm);
	if (end == NULL || *end != '\0') {
		tm = (struct tm){ 0 };
		end = strptime(base, "%Y-%m-%d", &tm);
	}
	if (end == NULL || *end != '\0')
		return err_set(e, "base=%s is neither utc, localtime nor a date as 2006-06-17T16:01:21", base);
	c->rtc_at_given = true;
	c->rtc_at_s = timegm(&tm);
	return true;
}

bool
opt_rtc(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, NULL, e);
	const char *base = keyval_str(&k, "base");
	const char *clock = keyval_str(&k, "clock");

	if (ok && base != NULL)
		ok = set_rtc_base(c, base, e);
	if (ok && clock != NULL && strcmp(clock, "host") != 0 && strcmp(clock, "vm") != 0 && strcmp(clock, "rt") != 0)
		ok = err_set(e, "clock=%s is not known; use host, rt or vm", clock);
	ok = ok && keyval_only(&k, "driftfix", "none", e) && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

static int
hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool
opt_uuid(struct settings *c, const char *arg, struct err *e)
{
	const char *p = arg;

	for (unsigned i = 0; i < 16; i++) {
		bool dash = i == 4 || i == 6 || i == 8 || i == 10;

		if (dash && *p++ != '-')
			return err_set(e, "not a UUID; write it as 550e8400-e29b-41d4-a716-446655440000");
		int high = hex_digit(p[0]);
		int low = high < 0 ? -1 : hex_digit(p[1]);
		if (low < 0)
			return err_set(e, "not a UUID; write it as 550e8400-e29b-41d4-a716-446655440000");
		c->uuid[i] = (uint8_t)(high << 4 | low);
		p += 2;
	}
	c->uuid_given = true;
	return *p == '\0' || err_set(e, "not a UUID; there are too many digits");
}

static bool
check_boot_order(const char *order, struct err *e)
{
	unsigned seen = 0;

	for (const char *p = order; *p != '\0'; p++) {
		if (strchr("abcdn", *p) == NULL)
			return err_set(e, "'%c' is not a boot device; use letters of a, b, c, d, n", *p);
		if (seen & 1u << (*p - 'a'))
			return err_set(e, "boot device '%c' is given twice", *p);
		seen |= 1u << (*p - 'a');
	}
	return true;
}

bool
opt_boot(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "order", e);
	const char *order = keyval_str(&k, "order");
	const char *once = keyval_str(&k, "once");
	const char *timeout = keyval_str(&k, "reboot-timeout");
	bool never = timeout != NULL && strcmp(timeout, "-1") == 0;

	ok = ok && (order == NULL || check_boot_order(order, e)) && (once == NULL || check_boot_order(once, e)) &&
		keyval_bool(&k, "menu", &c->boot_menu, e) && keyval_uint(&k, "splash-time", 65535, &c->boot_menu_ms, e) &&
		(never || keyval_uint(&k, "reboot-timeout", 65535, &c->reboot_timeout_ms, e)) &&
		keyval_bool(&k, "strict", &c->boot_strict, e) && keyval_end(&k, e);
	if (ok && order != NULL) {
		c->boot_order = settings_dup(c, order);
		c->boot_order_given = true;
	}
	if (ok && once != NULL)
		c->boot_once = settings_dup(c, once);
	keyval_free(&k);
	return ok;
}

bool
opt_action(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, NULL, e);
	const char *reboot = keyval_str(&k, "reboot");
	const char *shutdown = keyval_str(&k, "shutdown");

	if (ok && reboot != NULL) {
		c->no_reboot = strcmp(reboot, "shutdown") == 0;
		if (!c->no_reboot && strcmp(reboot, "reset") != 0)
			ok = err_set(e, "reboot=%s is not known; use reset or shutdown", reboot);
	}
	if (ok && shutdown != NULL) {
		c->no_shutdown = strcmp(shutdown, "pause") == 0;
		if (!c->no_shutdown && strcmp(shutdown, "poweroff") != 0)
			ok = err_set(e, "shutdown=%s is not known; use poweroff or pause", shutdown);
	}
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

bool
opt_fw_cfg(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "name", e);
	const char *name = keyval_str(&k, "name");
	const char *file = keyval_str(&k, "file");
	const char *string = keyval_str(&k, "string");
	struct fw_cfg_config **last = &c->fw_cfg;

	ok = ok && keyval_end(&k, e);
	if (ok && (name == NULL || *name == '\0' || (file == NULL) == (string == NULL)))
		ok = err_set(e, "name= and one of file= and string= are needed");
	if (ok && strlen(name) > 55)
		ok = err_set(e, "the name is too long; 55 characters are the most");
	if (ok) {
		while (*last != NULL)
			last = &(*last)->next;
		*last = settings_alloc(c, sizeof(**last));
		(*last)->name = settings_dup(c, name);
		(*last)->file = file == NULL ? NULL : settings_dup(c, file);
		(*last)->string = string == NULL ? NULL : settings_dup(c, string);
	}
	keyval_free(&k);
	return ok;
}

bool
opt_option_rom(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	struct rom_config **last = &c->option_roms;
	uint64_t boot_index = UINT64_MAX;
	bool ok = keyval_parse(&k, arg, "romfile", e) && keyval_uint(&k, "bootindex", 9999, &boot_index, e);
	const char *file = keyval_str(&k, "romfile");

	ok = ok && keyval_end(&k, e);
	if (ok && file != NULL) {
		while (*last != NULL)
			last = &(*last)->next;
		*last = settings_alloc(c, sizeof(**last));
		(*last)->file = settings_dup(c, file);
		(*last)->boot_index = boot_index == UINT64_MAX ? -1 : (int)boot_index;
	}
	keyval_free(&k);
	return ok;
}

/* ---- logs ---- */

bool
opt_log_items(struct settings *c, const char *arg, struct err *e)
{
#define ROW(item, text) { #item, text },
	static const struct { const char *name, *text; } items[] = { LOG_ITEMS(ROW) };
#undef ROW
	uint32_t mask = log_get();
	char *copy = xstrdup(arg);
	char *rest = copy, *word;
	bool ok = true;

	while (ok && (word = strsep(&rest, ",")) != NULL) {
		unsigned i = 0;

		if (strcmp(word, "help") == 0) {
			printf("Log items (comma separated):\n");
			for (i = 0; i < ARRAY_SIZE(items); i++)
				printf("%-15s %s\n", items[i].name, items[i].text);
			printf("%-15s %s\n", "trace:GLOB", "trace events, as -trace");
			c->exit = true;
			break;
		}
		if (strncmp(word, "trace:", 6) == 0) {
			ok = trace_enable(word + 6, true) || err_set(e, "no trace event is called '%s'; see -trace help", word + 6);
			continue;
		}
		while (i < ARRAY_SIZE(items) && strcmp(word, items[i].name) != 0)
			i++;
		if (i < ARRAY_SIZE(items))
			mask |= 1u << i;
		else
			ok = err_set(e, "log item '%s' is unknown; see -d help", word);
	}
	log_set(mask);
	free(copy);
	return ok;
}

bool
opt_log_file(struct settings *c, const char *arg, struct err *e)
{
	(void)c;
	return log_open(arg, e);
}

bool
opt_log_filter(struct settings *c, const char *arg, struct err *e)
{
	(void)c;
	return log_set_filter(arg, e);
}

static void
print_event(void *opaque, const char *name, bool on)
{
	(void)opaque, (void)on;
	printf("%s\n", name);
}

/* A file of globs, one a line; empty lines and those with # are skipped. */
static bool
trace_from_file(const char *path, struct err *e)
{
	FILE *f = fopen(path, "r");
	char line[256];
	bool ok = true;

	if (f == NULL)
		return err_set(e, "events=%s: cannot open: %m; check the path", path);
	while (ok && fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "\r\n")] = '\0';
		if (line[0] != '\0' && line[0] != '#' && !trace_enable(line, true))
			ok = err_set(e, "events=%s: no trace event is called '%s'; see -trace help", path, line);
	}
	fclose(f);
	return ok;
}

bool
opt_trace(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;

	if (strcmp(arg, "help") == 0) {
		trace_list(print_event, NULL);
		c->exit = true;
		return true;
	}
	bool ok = keyval_parse(&k, arg, "enable", e);
	const char *glob = keyval_str(&k, "enable");
	const char *events = keyval_str(&k, "events");
	const char *file = keyval_str(&k, "file");

	ok = ok && keyval_end(&k, e) && (file == NULL || log_open(file, e)) &&
		(events == NULL || trace_from_file(events, e));
	if (ok && glob != NULL && !trace_enable(glob, true))
		ok = err_set(e, "no trace event is called '%s'; see -trace help", glob);
	keyval_free(&k);
	return ok;
}

/* ---- the loop ---- */

static const struct option *
find_option(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		if (options[i].name != NULL && strcmp(options[i].name, name) == 0)
			return &options[i];
	}
	return NULL;
}

/* Handles argv[*I] and, by moving *I, its argument. */
static bool
parse_one(struct settings *c, int argc, char **argv, int *i, struct err *e)
{
	const char *word = argv[*i];
	const char *arg = NULL;

	if (word[0] != '-' || word[1] == '\0')
		return opt_image(c, word, e) || err_prefix(e, "%s: ", word);
	const char *name = word[1] == '-' ? word + 2 : word + 1;
	const struct option *o = find_option(name);
	if (o == NULL)
		return err_set(e, "%s: unknown option; see -help", word);
	if (o->set == NULL)
		return err_set(e, "-%s is not supported: %s", name, o->text);
	if (o->has_argument) {
		if (*i + 1 == argc)
			return err_set(e, "-%s: an argument is missing: -%s %s", name, name, o->argument);
		arg = argv[++*i];
	}
	if (o->set(c, arg, e))
		return true;
	return arg == NULL ? err_prefix(e, "-%s: ", name) : err_prefix(e, "-%s %s: ", name, arg);
}

bool
options_parse(struct settings *c, int argc, char **argv, struct err *e)
{
	for (int i = 1; i < argc && !c->exit; i++) {
		if (!parse_one(c, argc, argv, &i, e))
			return false;
	}
	if (c->exit)
		return true;
	if (c->start_window)
		return err_set(e, "-start-window: stands alone or before IMAGE; give the other options without it");
	image_settle(c);
	if (c->kernel == NULL && (c->initrd != NULL || *c->append != '\0'))
		return err_set(e, "%s is for -kernel alone; add -kernel FILE", c->initrd != NULL ? "-initrd" : "-append");
	if (c->daemonize && (c->nographic || c->display == DISPLAY_CURSES))
		return err_set(e, "-daemonize: a terminal is needed for %s; use -display none", c->nographic ? "-nographic" : "-display curses");
	return true;
}
