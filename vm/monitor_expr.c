/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Expressions of the monitor, 64 bits wide, with C's precedence. */
#include "vm/monitor_cmd.h"

#include "base/err.h"
#include "base/util.h"

#include <ctype.h>
#include <stdlib.h>

enum { MAX_DEPTH = 64 };

struct expr {
	struct mon *m;
	const char *p;
	unsigned depth;
	struct err *e;
};

static bool eval_level(struct expr *x, unsigned level, uint64_t *value);

static void
skip_space(struct expr *x)
{
	while (isspace((unsigned char)*x->p))
		x->p++;
}

static bool
eval_register(struct expr *x, uint64_t *value)
{
	const struct machine_view *v = x->m->view;
	char name[32];
	unsigned n = 0;

	for (x->p++; (isalnum((unsigned char)*x->p) || *x->p == '_') && n < sizeof(name) - 1; x->p++)
		name[n++] = *x->p;
	name[n] = '\0';
	if (v->read_register == NULL)
		return err_set(x->e, "registers are not supported here");
	if (v->read_register(v->opaque, *x->m->cpu, strcmp(name, "pc") == 0 ? "rip" : name, value))
		return true;
	return err_set(x->e, "there is no register $%s", name);
}

static bool
eval_number(struct expr *x, uint64_t *value)
{
	char *end;

	if (*x->p == '\'' && x->p[1] != '\0' && x->p[2] == '\'') {
		*value = (uint8_t)x->p[1];
		x->p += 3;
		return true;
	}
	if (*x->p == '\0')
		return err_set(x->e, "an expression is missing");
	if (!isdigit((unsigned char)*x->p))
		return err_set(x->e, "\"%.20s\" is no number: hexadecimal ones begin with 0x, registers with $", x->p);
	*value = strtoull(x->p, &end, 0);
	x->p = end;
	if (isalnum((unsigned char)*end))
		return err_set(x->e, "a number goes on with \"%.20s\": hexadecimal ones begin with 0x", end);
	return true;
}

static bool
eval_unary(struct expr *x, uint64_t *value)
{
	char c;

	skip_space(x);
	c = *x->p;
	if (c == '$')
		return eval_register(x, value);
	if (c != '-' && c != '+' && c != '~' && c != '!' && c != '(')
		return eval_number(x, value);
	if (++x->depth > MAX_DEPTH)
		return err_set(x->e, "the expression is nested too deeply");
	x->p++;
	if (c == '(') {
		if (!eval_level(x, 0, value))
			return false;
		skip_space(x);
		if (*x->p++ != ')')
			return err_set(x->e, "a ) is missing");
	} else {
		if (!eval_unary(x, value))
			return false;
		*value = c == '-' ? -*value : c == '~' ? ~*value : c == '!' ? *value == 0 : *value;
	}
	x->depth--;
	return true;
}

/* From weak to strong; the operators of a level are single characters, << and >> are written once. */
static const char *const levels[] = { "|", "^", "&", "<>", "+-", "*/%" };

static bool
apply(struct expr *x, char op, uint64_t right, uint64_t *value)
{
	uint64_t left = *value;

	if ((op == '/' || op == '%') && right == 0)
		return err_set(x->e, "division by zero");
	switch (op) {
	case '|':
		*value = left | right;
		break;
	case '^':
		*value = left ^ right;
		break;
	case '&':
		*value = left & right;
		break;
	case '<':
		*value = right < 64 ? left << right : 0;
		break;
	case '>':
		*value = right < 64 ? left >> right : 0;
		break;
	case '+':
		*value = left + right;
		break;
	case '-':
		*value = left - right;
		break;
	case '*':
		*value = left * right;
		break;
	case '/':
		*value = left / right;
		break;
	default:
		*value = left % right;
		break;
	}
	return true;
}

/* "16 /tmp/x": a path after the expression, no division. */
static bool
begins_path(const char *p)
{
	return p[0] == '/' && isspace((unsigned char)p[-1]) && (isalpha((unsigned char)p[1]) || p[1] == '_' || p[1] == '.');
}

static bool
eval_level(struct expr *x, unsigned level, uint64_t *value)
{
	uint64_t right;

	if (level == ARRAY_SIZE(levels))
		return eval_unary(x, value);
	if (!eval_level(x, level + 1, value))
		return false;
	for (;;) {
		char op;

		skip_space(x);
		op = *x->p;
		if (op == '\0' || strchr(levels[level], op) == NULL || begins_path(x->p))
			return true;
		if ((op == '<' || op == '>') && x->p[1] != op)
			return err_set(x->e, "shifts are << and >>");
		x->p += op == '<' || op == '>' ? 2 : 1;
		if (!eval_level(x, level + 1, &right) || !apply(x, op, right, value))
			return false;
	}
}

bool
mon_eval(struct mon *m, const char **text, uint64_t *value, struct err *e)
{
	struct expr x = { m, *text, 0, e };
	bool ok = eval_level(&x, 0, value);

	*text = x.p;
	return ok;
}
