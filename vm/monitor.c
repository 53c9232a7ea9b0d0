/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's terminal, and how a line becomes a command.  What the commands do is in monitor_do.c, _mem.c and _info.c. */
#include "vm/monitor.h"

#include "vm/monitor_cmd.h"
#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "ui/ui.h"

#include <ctype.h>
#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void
mon_printf(const struct mon *m, const char *format, ...)
{
	char text[MON_LINE + 256];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	m->print(m->to, text);
}

void
mon_unsupported(struct mon *m, const char *name)
{
	mon_printf(m, "%s is not supported\n", name);
}

/* ---- tables ---- */

bool
mon_named(const char *names, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = names; p != NULL; p = strchr(p, '|')) {
		p += *p == '|';
		if (strncmp(p, name, n) == 0 && (p[n] == '|' || p[n] == '\0'))
			return n != 0;
	}
	return false;
}

const struct mon_cmd *
mon_find(const char *name)
{
	for (unsigned i = 0; i < mon_cmd_count; i++) {
		if (mon_named(mon_cmds[i].names, name))
			return &mon_cmds[i];
	}
	return NULL;
}

static bool
is_lacking(const char *name)
{
	static const char *const lacks[] = {
#define LACKS(name) name,
#include "vm/monitor.def"
#undef LACKS
	};

	for (unsigned i = 0; i < ARRAY_SIZE(lacks); i++) {
		if (strcmp(lacks[i], name) == 0)
			return true;
	}
	return false;
}

/* ---- arguments ---- */

static const char *
skip_space(const char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

/* A word, in quotes if it has spaces; a backslash takes the next byte as it is. */
static bool
parse_word(const char **text, char *word, size_t size, struct err *e)
{
	const char *p = *text;
	bool quoted = *p == '"';
	size_t n = 0;

	for (p += quoted; *p != '\0' && (quoted ? *p != '"' : !isspace((unsigned char)*p)); p++) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (n < size - 1)
			word[n++] = *p;
	}
	word[n] = '\0';
	if (quoted && *p != '"')
		return err_set(e, "a \" is missing");
	*text = p + quoted;
	return true;
}

static bool
parse_format(const char **text, struct mon_format *f, struct err *e)
{
	const char *p = *text;
	char *end;

	*f = (struct mon_format){ .count = 1 };
	if (*p != '/')
		return true;
	p++;
	if (isdigit((unsigned char)*p)) {
		unsigned long n = strtoul(p, &end, 10);

		f->count = MIN(n, 1ul << 20);
		p = end;
	}
	for (; *p != '\0' && !isspace((unsigned char)*p); p++) {
		if (strchr("xduoci", *p) != NULL)
			f->kind = *p;
		else if (strchr("bhwg", *p) != NULL)
			f->size = *p == 'b' ? 1 : *p == 'h' ? 2 : *p == 'w' ? 4 : 8;
		else
			return err_set(e, "'%c' is no format: use a count, then x, d, u, o, c or i, and b, h, w or g", *p);
	}
	*text = p;
	return true;
}

static bool
parse_flag(const char **text, char letter)
{
	const char *p = *text;

	if (p[0] != '-' || p[1] != letter || (p[2] != '\0' && !isspace((unsigned char)p[2])))
		return false;
	*text = p + 2;
	return true;
}

static bool
parse_switch(struct mon_arg *a, struct err *e)
{
	if (strcmp(a->text, "on") != 0 && strcmp(a->text, "off") != 0)
		return err_set(e, "\"%.40s\" is neither on nor off", a->text);
	a->number = strcmp(a->text, "on") == 0;
	return true;
}

static bool
parse_arg(struct mon *m, const char **text, struct mon_arg *a, char kind, struct err *e)
{
	a->given = true;
	if (kind == 'l')
		return mon_eval(m, text, &a->number, e);
	if (kind == 'S') {
		snprintf(a->text, sizeof(a->text), "%s", *text);
		*text += strlen(*text);
		return true;
	}
	if (!parse_word(text, a->text, sizeof(a->text), e))
		return false;
	return kind != 'b' || parse_switch(a, e);
}

bool
mon_parse(struct mon *m, const struct mon_cmd *cmd, const char *text, struct mon_args *a, struct err *e)
{
	memset(a, 0, sizeof(*a));
	a->format.count = 1;
	for (const char *spec = cmd->args; *spec != '\0'; spec++) {
		bool optional = *spec == '?';

		text = skip_space(text);
		if (*spec == '/') {
			if (!parse_format(&text, &a->format, e))
				return false;
			continue;
		}
		if (*spec == '-') {
			spec++;
			if (parse_flag(&text, *spec))
				a->flags |= 1u << (*spec - 'a');
			continue;
		}
		spec += optional;
		a->v[a->count].kind = *spec;
		if (*text != '\0') {
			if (!parse_arg(m, &text, &a->v[a->count], *spec, e))
				return false;
		} else if (!optional) {
			return err_set(e, "too few arguments");
		}
		a->count++;
	}
	text = skip_space(text);
	return *text == '\0' ? true : err_set(e, "\"%.40s\" is one argument too many", text);
}

void
mon_run(struct mon *m, const char *text)
{
	struct mon_args args;
	struct err e = { "" };
	const struct mon_cmd *cmd;
	char name[64];
	unsigned n = 0;

	text = skip_space(text);
	if (*text == '\0' || *text == '#')
		return;
	while (*text != '\0' && *text != '/' && !isspace((unsigned char)*text) && n < sizeof(name) - 1)
		name[n++] = *text++;
	name[n] = '\0';
	cmd = mon_find(name);
	if (cmd == NULL && is_lacking(name))
		mon_unsupported(m, name);
	else if (cmd == NULL)
		mon_printf(m, "unknown command: '%s'\n", name);
	else if (!mon_parse(m, cmd, text, &args, &e))
		mon_printf(m, "%s: %s; usage: %s%s%s\n", name, e.text, name, *cmd->shown ? " " : "", cmd->shown);
	else
		cmd->run(m, &args);
}

/* ---- completion ---- */

struct offers {
	struct line *line;
	const char *prefix; /* of the word, before what is completed: "ctrl-alt-" */
	size_t word_len;
	bool unfinished;
};

static void
offer(void *opaque, const char *name)
{
	struct offers *o = opaque;
	char *text = xasprintf("%s%s", o->prefix, name);

	line_offer(o->line, text, o->word_len, o->unfinished);
	free(text);
}

static void
offer_event(void *opaque, const char *name, bool on)
{
	(void)on;
	offer(opaque, name);
}

static void
offer_commands(struct offers *o)
{
	for (unsigned i = 0; i < mon_cmd_count; i++) {
		char names[96], *save;

		snprintf(names, sizeof(names), "%s", mon_cmds[i].names);
		for (char *name = strtok_r(names, "|", &save); name != NULL; name = strtok_r(NULL, "|", &save))
			offer(o, name);
	}
}

static void
offer_files(struct offers *o, const char *word)
{
	const char *slash = strrchr(word, '/');
	char *dir = xasprintf("%.*s", slash != NULL ? (int)(slash - word) + 1 : 0, word);
	DIR *d = opendir(*dir != '\0' ? dir : ".");
	struct dirent *entry;

	o->prefix = dir;
	while (d != NULL && (entry = readdir(d)) != NULL) {
		char name[300];

		o->unfinished = entry->d_type == DT_DIR;
		snprintf(name, sizeof(name), "%s%s", entry->d_name, o->unfinished ? "/" : "");
		if (entry->d_name[0] != '.')
			offer(o, name);
	}
	if (d != NULL)
		closedir(d);
	free(dir);
}

static void
offer_kind(struct mon *m, struct offers *o, char kind, const char *word)
{
	const struct machine_view *v = m->view;
	char *last, *before;

	switch (kind) {
	case 'c':
		offer_commands(o);
		break;
	case 'i':
		for (unsigned i = 0; i < mon_info_count; i++)
			offer(o, mon_infos[i].name);
		break;
	case 'b':
		offer(o, "on");
		offer(o, "off");
		break;
	case 'F':
		offer_files(o, word);
		break;
	case 'B':
		if (v->block_names != NULL)
			v->block_names(v->opaque, offer, o);
		break;
	case 't':
		trace_list(offer_event, o);
		break;
	case 'k':
		last = strrchr(word, '-');
		before = xasprintf("%.*s", last != NULL ? (int)(last - word) + 1 : 0, word);
		o->prefix = before;
		o->unfinished = true;
		key_walk(offer, o);
		free(before);
		break;
	case 'L':
#define OFFER_ITEM(item, text) offer(o, #item);
		LOG_ITEMS(OFFER_ITEM)
#undef OFFER_ITEM
		break;
	case 'l':
		o->prefix = "$";
		if (v->register_names != NULL && word[0] == '$')
			v->register_names(v->opaque, offer, o);
		break;
	}
}

/* The kind of argument N of a command, without flags and formats; 0: none. */
static char
kind_of(const struct mon_cmd *cmd, unsigned n)
{
	for (const char *spec = cmd->args; *spec != '\0'; spec++) {
		if (*spec == '-')
			spec++;
		else if (*spec != '?' && *spec != '/' && n-- == 0)
			return *spec;
	}
	return '\0';
}

void
mon_complete(struct mon *m, struct line *l, const char *text)
{
	char copy[MON_LINE], *save, *words[16], name[64];
	const char *word = strrchr(text, ' ');
	unsigned count = 0, before = 0;
	struct offers o = { l, "", 0, false };
	const struct mon_cmd *cmd;

	word = word != NULL ? word + 1 : text;
	o.word_len = strlen(word);
	snprintf(copy, sizeof(copy), "%.*s", (int)(word - text), text);
	for (char *w = strtok_r(copy, " ", &save); w != NULL && count < 16; w = strtok_r(NULL, " ", &save))
		words[count++] = w;
	if (count == 0) {
		offer_commands(&o);
		return;
	}
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(words[0], "/"), words[0]);
	cmd = mon_find(name);
	if (cmd == NULL)
		return;
	for (unsigned i = 1; i < count; i++)
		before += words[i][0] != '-' && words[i][0] != '/';
	offer_kind(m, &o, kind_of(cmd, before), word);
}

/* ---- the terminal ---- */

enum { PENDING_MAX = 4 << 20 };

struct monitor {
	struct chr *chr;
	struct mon mon;
	unsigned cpu;
	bool edit;
	struct line *line;
	char *pending;             /* output that the chr did not take yet */
	size_t pending_len, pending_size;
	char plain[MON_LINE];      /* the line without editing */
	unsigned plain_len;
};

static void
send_pending(struct monitor *m)
{
	size_t n = m->pending_len != 0 ? chr_write(m->chr, m->pending, m->pending_len) : 0;

	m->pending_len -= MIN(n, m->pending_len);
	memmove(m->pending, m->pending + n, m->pending_len);
}

static void
keep(struct monitor *m, const char *text, size_t len)
{
	if (m->pending_len + len > PENDING_MAX)
		return;
	if (m->pending_len + len > m->pending_size) {
		m->pending_size = MAX(2 * m->pending_size, m->pending_len + len + 4096);
		m->pending = xrealloc(m->pending, m->pending_size);
	}
	memcpy(m->pending + m->pending_len, text, len);
	m->pending_len += len;
}

/* Lines end as a raw terminal wants it. */
static void
print(void *opaque, const char *text)
{
	struct monitor *m = opaque;

	while (*text != '\0') {
		size_t n = strcspn(text, "\n");

		keep(m, text, n);
		text += n;
		if (*text == '\n') {
			keep(m, "\r\n", 2);
			text++;
		}
	}
	send_pending(m);
}

static void
prompt(struct monitor *m)
{
	if (m->edit)
		line_prompt(m->line);
	else
		print(m, "(calque) ");
}

static void
run(struct monitor *m, const char *line)
{
	mon_run(&m->mon, line);
	prompt(m);
}

static void
type_plain(struct monitor *m, uint8_t b)
{
	if (b == '\n') {
		m->plain[m->plain_len] = '\0';
		m->plain_len = 0;
		run(m, m->plain);
	} else if (b != '\r' && m->plain_len < sizeof(m->plain) - 1) {
		m->plain[m->plain_len++] = b;
	}
}

static size_t
monitor_can_receive(void *opaque)
{
	struct monitor *m = opaque;

	return m->pending_len == 0 ? 64 : 0;
}

static void
monitor_receive(void *opaque, const uint8_t *data, size_t len)
{
	struct monitor *m = opaque;

	for (size_t i = 0; i < len; i++) {
		const char *line;

		if (!m->edit)
			type_plain(m, data[i]);
		else if ((line = line_type(m->line, data[i])) != NULL)
			run(m, line);
	}
}

static void
monitor_event(void *opaque, enum chr_event event)
{
	struct monitor *m = opaque;

	switch (event) {
	case CHR_OPENED:
		mon_printf(&m->mon, "calque %s monitor - type 'help' for more information\n", m->mon.view->version);
		prompt(m);
		break;
	case CHR_FOCUS:
		print(m, "\n");
		prompt(m);
		break;
	case CHR_CLOSED:
		m->pending_len = m->plain_len = 0;
		break;
	case CHR_DRAINED:
		send_pending(m);
		chr_accept(m->chr);
		break;
	case CHR_BREAK:
		break;
	}
}

static void
complete(void *opaque, struct line *l, const char *text)
{
	struct monitor *m = opaque;

	mon_complete(&m->mon, l, text);
}

struct monitor *
monitor_new(struct chr *chr, const struct machine_view *view, bool edit)
{
	struct monitor *m = xcalloc(1, sizeof(*m));
	const struct chr_user user = { m, monitor_can_receive, monitor_receive, monitor_event };

	m->chr = chr;
	m->edit = edit;
	m->line = line_new("(calque) ", print, m);
	line_on_tab(m->line, complete, m);
	m->mon = (struct mon){ view, print, m, &m->cpu, m->line };
	chr_attach(chr, &user);
	return m;
}

void
monitor_free(struct monitor *m)
{
	if (m == NULL)
		return;
	chr_attach(m->chr, NULL);
	line_free(m->line);
	free(m->pending);
	free(m);
}

void
monitor_run(const struct machine_view *view, const char *command, void (*to_print)(void *to, const char *text), void *to)
{
	unsigned cpu = 0;
	struct mon m = { view, to_print, to, &cpu, NULL };

	mon_run(&m, command);
}
