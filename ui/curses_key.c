/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys from the terminal, carried out: for the guest, for a text console, or for the display itself. */
#include "ui/curses_int.h"

#include "base/util.h"
#include "ui/console.h"
#include "ui/utf8.h"

#include <stdlib.h>

enum { HOLD_MS = 10 };
enum { SHIFT = 0x2a, CTRL = 0x1d, ALT = 0x38, ENTER = 0x1c, BACKSPACE = 0x0e, TAB = 0x0f, ESCAPE = 0x01 };

/* ---- for the guest ---- */

static void
press_modifiers(struct stroke *s, unsigned modifiers)
{
	if ((modifiers & CONSOLE_CTRL) != 0)
		s->keys[s->count++] = CTRL;
	if ((modifiers & CONSOLE_ALT) != 0)
		s->keys[s->count++] = ALT;
	if ((modifiers & CONSOLE_SHIFT) != 0)
		s->keys[s->count++] = SHIFT;
}

/* The keys of S with MODIFIERS, as far as a stroke has room for them. */
static struct stroke
with_modifiers(const struct stroke *s, unsigned modifiers)
{
	struct stroke all = { .count = 0 };

	press_modifiers(&all, modifiers);
	for (unsigned i = 0; i < s->count && all.count < LAYOUT_KEYS; i++)
		all.keys[all.count++] = s->keys[i];
	return all;
}

/* False: there is no room now. */
static bool
press(struct curses *c, const struct typed_key *k)
{
	struct stroke strokes[LAYOUT_STROKES];
	unsigned n = 1;

	if (k->scancode != 0)
		strokes[0] = (struct stroke){ { k->scancode }, 1 };
	else
		n = layout_strokes(c->config.layout, k->code, strokes);
	if (n == 0)
		return true;
	strokes[n - 1] = with_modifiers(&strokes[n - 1], k->modifiers);
	for (unsigned i = 0; i < n; i++)
		if (!key_queue_push(c->config.keys, strokes[i].keys, strokes[i].count, HOLD_MS))
			return i != 0;
	return true;
}

void
curses_type(struct curses *c)
{
	struct curses_machine *m = &c->machine;

	while (m->count != 0 && press(c, &m->waiting[m->first])) {
		m->first = (m->first + 1) % CURSES_KEYS;
		m->count--;
	}
}

/* A machine that rests takes no keys: hours later they would mean something else. */
static void
key_for_guest(struct curses *c, const struct typed_key *k)
{
	struct curses_machine *m = &c->machine;

	if (!c->config.is_running(c->config.opaque) || m->count == CURSES_KEYS)
		return;
	m->waiting[(m->first + m->count++) % CURSES_KEYS] = *k;
}

/* ---- for a text console ---- */

static int
console_key_of(unsigned scancode)
{
	static const uint16_t keys[] = {
		[CONSOLE_UP] = 0xe048, [CONSOLE_DOWN] = 0xe050, [CONSOLE_RIGHT] = 0xe04d, [CONSOLE_LEFT] = 0xe04b,
		[CONSOLE_HOME] = 0xe047, [CONSOLE_END] = 0xe04f, [CONSOLE_INSERT] = 0xe052, [CONSOLE_DELETE] = 0xe053,
		[CONSOLE_PAGE_UP] = 0xe049, [CONSOLE_PAGE_DOWN] = 0xe051, [CONSOLE_F1] = 0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x40, 0x41,
		0x42, 0x43, 0x44, 0x57, 0x58,
	};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i] == scancode)
			return (int)i;
	return -1;
}

/* The character that a key of the main block types; UINT32_MAX: none. */
static uint32_t
character_of(const struct typed_key *k)
{
	switch (k->scancode) {
	case 0:
		return (k->modifiers & CONSOLE_CTRL) != 0 ? k->code & 0x1f : k->code;
	case ENTER:
		return '\r';
	case BACKSPACE:
		return 0x7f;
	case TAB:
		return '\t';
	case ESCAPE:
		return 0x1b;
	default:
		return UINT32_MAX;
	}
}

static void
type_on_console(struct console *to, const struct typed_key *k)
{
	uint32_t code = character_of(k);
	char text[8];
	unsigned n = 0;

	if (k->scancode == TAB && (k->modifiers & CONSOLE_SHIFT) != 0) {
		console_type(to, "\x1b[Z", 3);
		return;
	}
	if (code == UINT32_MAX)
		return;
	if ((k->modifiers & CONSOLE_ALT) != 0)
		text[n++] = '\x1b';
	n += utf8_put(text + n, code);
	console_type(to, text, n);
}

static void
key_for_console(struct console *to, const struct typed_key *k)
{
	int key = console_key_of(k->scancode), lines;

	if (key < 0) {
		type_on_console(to, k);
		return;
	}
	lines = console_scroll_key((enum console_key)key, k->modifiers);
	if (lines != 0)
		console_scroll(to, lines);
	else
		console_key(to, (enum console_key)key, k->modifiers);
}

/* ---- all of them ---- */

static void
key(struct curses *c, const struct typed_key *k)
{
	struct console *console = c->machine.tabs[c->machine.tab].console;

	if (k->modifiers == CONSOLE_ALT && k->code >= '1' && k->code < '1' + c->tab_count)
		curses_switch(c, k->code - '1');
	else if (console != NULL)
		key_for_console(console, k);
	else
		key_for_guest(c, k);
}

void
curses_take_keys(void *opaque)
{
	struct curses *c = opaque;
	struct curses_shared *s = &c->shared;
	struct typed_key *keys;
	unsigned count;
	bool gone;

	pthread_mutex_lock(&s->lock);
	count = s->key_count;
	keys = xcalloc(count + 1, sizeof(*keys));
	memcpy(keys, s->keys, count * sizeof(*keys));
	s->key_count = 0;
	s->posted = s->quit;
	gone = s->gone;
	pthread_mutex_unlock(&s->lock);
	for (unsigned i = 0; i < count; i++)
		key(c, &keys[i]);
	free(keys);
	curses_type(c);
	pace_soon(&c->machine.pace);
	if (gone)
		c->config.quit(c->config.opaque);
}
