/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a terminal sends for keys, as keys: characters, control characters, and sequences as terminfo(5) has them.  Alt comes as
 * an Esc before the key.
 */
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS
#include "ui/curses_int.h"

#include "base/util.h"
#include "ui/console.h"

#include <curses.h>
#include <string.h>

enum { ENTER = 0x1c, BACKSPACE = 0x0e, TABULATOR = 0x0f, ESC = 0x01 };

/* Esc and a key within this time are that key with Alt, by hand too: some terminals keep Alt-1 for themselves. */
enum { ESCAPE_MS = 300 };

static const struct { int code; uint16_t scancode, modifiers; } keys[] = {
	{ KEY_UP, 0xe048, 0 }, { KEY_DOWN, 0xe050, 0 }, { KEY_LEFT, 0xe04b, 0 }, { KEY_RIGHT, 0xe04d, 0 },
	{ KEY_HOME, 0xe047, 0 }, { KEY_END, 0xe04f, 0 }, { KEY_PPAGE, 0xe049, 0 }, { KEY_NPAGE, 0xe051, 0 },
	{ KEY_IC, 0xe052, 0 }, { KEY_DC, 0xe053, 0 }, { KEY_FIND, 0xe047, 0 }, { KEY_SELECT, 0xe04f, 0 },
	{ KEY_A1, 0x47, 0 }, { KEY_A3, 0x49, 0 }, { KEY_B2, 0x4c, 0 }, { KEY_C1, 0x4f, 0 }, { KEY_C3, 0x51, 0 },
	{ KEY_ENTER, ENTER, 0 }, { KEY_BACKSPACE, BACKSPACE, 0 }, { KEY_BTAB, TABULATOR, CONSOLE_SHIFT },
	{ KEY_SR, 0xe048, CONSOLE_SHIFT }, { KEY_SF, 0xe050, CONSOLE_SHIFT }, { KEY_SLEFT, 0xe04b, CONSOLE_SHIFT },
	{ KEY_SRIGHT, 0xe04d, CONSOLE_SHIFT }, { KEY_SHOME, 0xe047, CONSOLE_SHIFT }, { KEY_SEND, 0xe04f, CONSOLE_SHIFT },
	{ KEY_SPREVIOUS, 0xe049, CONSOLE_SHIFT }, { KEY_SNEXT, 0xe051, CONSOLE_SHIFT }, { KEY_SIC, 0xe052, CONSOLE_SHIFT },
	{ KEY_SDC, 0xe053, CONSOLE_SHIFT }, { KEY_PRINT, 0xe037, 0 }, { KEY_SUSPEND, 0xe11d, 0 },
};

/* With modifiers keys have names alone: those of xterm, with 1 more than what CONSOLE_SHIFT and the others add up to behind. */
static const struct { const char *name; uint16_t scancode; } named[] = {
	{ "kUP", 0xe048 }, { "kDN", 0xe050 }, { "kLFT", 0xe04b }, { "kRIT", 0xe04d }, { "kHOM", 0xe047 }, { "kEND", 0xe04f },
	{ "kPRV", 0xe049 }, { "kNXT", 0xe051 }, { "kIC", 0xe052 }, { "kDC", 0xe053 },
};

static bool
named_key(int code, struct typed_key *k)
{
	const char *name = keyname(code);
	size_t length = name != NULL ? strlen(name) : 0;

	if (length < 2 || name[length - 1] < '2' || name[length - 1] > '8')
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(named); i++) {
		if (strlen(named[i].name) != length - 1 || strncmp(named[i].name, name, length - 1) != 0)
			continue;
		k->scancode = named[i].scancode;
		k->modifiers = (uint16_t)(name[length - 1] - '1');
		return true;
	}
	return false;
}

/* F13 and on are F1 and on with modifiers. */
static bool
function_key(int code, struct typed_key *k)
{
	static const uint8_t modifiers[] = { 0, CONSOLE_SHIFT, CONSOLE_CTRL, CONSOLE_CTRL | CONSOLE_SHIFT, CONSOLE_ALT,
		CONSOLE_ALT | CONSOLE_SHIFT };
	unsigned n = (unsigned)(code - KEY_F(1));

	if (code < KEY_F(1) || n / 12 >= ARRAY_SIZE(modifiers))
		return false;
	k->modifiers = modifiers[n / 12];
	n %= 12;
	k->scancode = (uint16_t)(n < 10 ? 0x3b + n : 0x57 + n - 10);
	return true;
}

static bool
special_key(int code, struct typed_key *k)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		if (keys[i].code == code) {
			k->scancode = keys[i].scancode;
			k->modifiers = keys[i].modifiers;
			return true;
		}
	}
	return function_key(code, k) || named_key(code, k);
}

static void
character(uint32_t code, struct typed_key *k)
{
	static const char others[] = "\\]^_";

	if (code == 127 || (code == 8 && erasechar() == 8)) {
		k->scancode = BACKSPACE;
	} else if (code == '\t') {
		k->scancode = TABULATOR;
	} else if (code == '\r') {
		k->scancode = ENTER;
	} else if (code >= ' ') {
		k->code = code;
	} else {
		k->code = code == 0 ? ' ' : code <= 26 ? 'a' + code - 1 : (uint32_t)others[code - 28];
		k->modifiers = CONSOLE_CTRL;
	}
}

static void
push(struct curses *c, const struct typed_key *k)
{
	struct curses_shared *s = &c->shared;

	pthread_mutex_lock(&s->lock);
	if (s->key_count < CURSES_KEYS)
		s->keys[s->key_count++] = *k;
	curses_post(c);
	pthread_mutex_unlock(&s->lock);
}

static void
push_escape(struct curses *c, struct curses_input *in)
{
	in->escape = false;
	push(c, &(struct typed_key){ .scancode = ESC });
}

void
curses_read_keys(struct curses *c, struct curses_input *in)
{
	wint_t code;
	int kind;

	while ((kind = get_wch(&code)) != ERR) {
		struct typed_key k = { 0 };

		if (kind == KEY_CODE_YES && !special_key((int)code, &k))
			continue;
		if (kind != KEY_CODE_YES && code == 27) {
			if (in->escape)
				push_escape(c, in);
			in->escape = true;
			in->until_ns = pace_now_ns() + ESCAPE_MS * 1000000ull;
			continue;
		}
		if (kind != KEY_CODE_YES)
			character(code, &k);
		if (in->escape)
			k.modifiers |= CONSOLE_ALT;
		in->escape = false;
		push(c, &k);
	}
}

int
curses_key_wait(struct curses *c, struct curses_input *in)
{
	uint64_t now = pace_now_ns();

	if (!in->escape)
		return -1;
	if (now < in->until_ns)
		return (int)((in->until_ns - now) / 1000000 + 1);
	push_escape(c, in);
	return -1;
}
