/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the monitor's files share. */
#ifndef VM_MONITOR_CMD_H
#define VM_MONITOR_CMD_H

#include "vm/machine_view.h"

struct line;

enum { MON_ARGS = 6, MON_LINE = 1024 };

/* One command on its way: where it prints, and what it looks at. */
struct mon {
	const struct machine_view *view;
	view_print *print;
	void *to;
	unsigned *cpu;             /* the processor looked at */
	const struct line *line;   /* the terminal's, for its history; NULL without a terminal */
};

/* /COUNT FORMAT SIZE of x and its like. */
struct mon_format {
	unsigned count;
	char kind;                 /* x d u o c i; 0: not given */
	unsigned size;             /* bytes; 0: not given */
};

struct mon_arg {
	bool given;
	char kind;
	uint64_t number;
	char text[MON_LINE];
};

struct mon_args {
	struct mon_format format;
	uint32_t flags;            /* bit N: -('a' + N) was given */
	unsigned count;
	struct mon_arg v[MON_ARGS];
};

static inline bool
mon_flag(const struct mon_args *a, char letter)
{
	return (a->flags >> (letter - 'a') & 1) != 0;
}

void mon_printf(const struct mon *m, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* ---- tables of monitor.def ---- */

struct mon_cmd {
	const char *names, *args, *shown, *help;
	void (*run)(struct mon *m, const struct mon_args *a);
};
struct mon_info {
	const char *name, *help;
	void (*run)(struct mon *m, const char *rest);
};
extern const struct mon_cmd mon_cmds[];
extern const unsigned mon_cmd_count;
extern const struct mon_info mon_infos[];
extern const unsigned mon_info_count;

const struct mon_cmd *mon_find(const char *name);
/* Is NAME one of "a|b|c"? */
bool mon_named(const char *names, const char *name);
/* The command NAME is known but lacks what it needs. */
void mon_unsupported(struct mon *m, const char *name);

/* `info mice`, of monitor_input.c. */
void mon_show_mice(struct mon *m);

/* ---- parsing ---- */

/* The expression at *TEXT, which moves on.  Numbers as in C, registers as $rax, + - * / % & | ^ ~ << >> ( ). */
bool mon_eval(struct mon *m, const char **text, uint64_t *value, struct err *e);
bool mon_parse(struct mon *m, const struct mon_cmd *cmd, const char *text, struct mon_args *a, struct err *e);
/* Runs one line. */
void mon_run(struct mon *m, const char *text);

/* ---- the line that is being typed ---- */

struct line *line_new(const char *prompt, void (*out)(void *opaque, const char *text), void *opaque);
void line_free(struct line *l);
void line_prompt(struct line *l);
/* One byte typed; the line if it is complete now, valid until the next byte, else NULL. */
const char *line_type(struct line *l, uint8_t byte);
/* Completes what is typed: COMPLETE offers words for TEXT by line_offer(). */
void line_on_tab(struct line *l, void (*complete)(void *opaque, struct line *l, const char *text), void *opaque);
/* CANDIDATE could stand for the last WORD_LEN bytes before the cursor; UNFINISHED: no space after it. */
void line_offer(struct line *l, const char *candidate, size_t word_len, bool unfinished);
/* Line N of the history, oldest first; NULL past the end. */
const char *line_history(const struct line *l, unsigned n);

void mon_complete(struct mon *m, struct line *l, const char *text);

#endif
