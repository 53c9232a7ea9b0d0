/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC: from what a key types (keysyms of X) to the key on the guest's keyboard, by -k. */
#include "ui/vnc.h"

#include "base/util.h"
#include "ui/utf8.h"

enum { SHIFT = 0x2a, SHIFT_RIGHT = 0x36, KEYSYM_UNICODE = 0x01000000 };

static unsigned
special(uint32_t keysym)
{
	switch (keysym) {
#define KEY(keysym, code) case keysym: return code;
#include "ui/vnc_keys.def"
#undef KEY
	}
	return 0;
}

/* What a letter's keysym of the time before Unicode types; 0: it is none. */
static uint32_t
letter(uint32_t keysym)
{
	static const struct { uint16_t first; const char *text; } rows[] = {
#define LETTERS(keysym, text) { keysym, text },
#include "ui/vnc_letters.def"
#undef LETTERS
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *text = rows[i].text, *end = text + strlen(text);
		uint32_t at = rows[i].first, code;

		for (; keysym >= rows[i].first && (code = utf8_take(&text, end)) != 0; at++) {
			if (at == keysym)
				return code != ' ' ? code : 0;
		}
	}
	return 0;
}

/* Letters whose small and large form are on the same key: those of English, of Latin beyond Latin-1, Greek and Cyrillic. */
static bool
has_case(uint32_t code)
{
	return ((code | 0x20) >= 'a' && (code | 0x20) <= 'z') || (code >= 0x100 && code <= 0x24f) || (code >= 0x370 && code <= 0x52f);
}

/* The small form of a large letter of Latin Extended-A, which layouts may not have: it takes AltGr and Shift. */
static uint32_t
small_form(uint32_t code)
{
	bool odd = (code >= 0x139 && code <= 0x148) || (code >= 0x179 && code <= 0x17e);

	return code >= 0x100 && code <= 0x17e && code != 0x138 && code != 0x178 && (code & 1) == odd ? code + 1 : code;
}

/* Dead keys are known to layouts by their combining marks. */
static uint32_t
unicode(uint32_t keysym)
{
	static const struct { uint16_t keysym, code; } dead[] = {
		{ 0xfe50, 0x300 }, { 0xfe51, 0x301 }, { 0xfe52, 0x302 }, { 0xfe53, 0x303 }, { 0xfe57, 0x308 }, { 0xfe5b, 0x327 },
		{ 0x20ac, 0x20ac },
	};

	if ((keysym >= 0x20 && keysym <= 0x7e) || (keysym >= 0xa0 && keysym <= 0xff))
		return keysym;
	if (keysym > KEYSYM_UNICODE && keysym <= KEYSYM_UNICODE + 0x10ffff)
		return keysym - KEYSYM_UNICODE;
	for (unsigned i = 0; i < ARRAY_SIZE(dead); i++)
		if (dead[i].keysym == keysym)
			return dead[i].code;
	return letter(keysym);
}

static bool
is_down(const struct input *in, unsigned code)
{
	return (in->down[code / 32] >> code % 32 & 1) != 0;
}

/* Shift is as the guest's layout needs it, for the moment that the key goes down: the client's layout may be another one. */
static void
press(struct input *in, unsigned code, bool shift)
{
	bool left = is_down(in, SHIFT), right = is_down(in, SHIFT_RIGHT);

	if (shift == (left || right)) {
		input_key(in, code, true);
		return;
	}
	if (shift || left)
		input_key(in, SHIFT, shift);
	if (right)
		input_key(in, SHIFT_RIGHT, false);
	input_key(in, code, true);
	if (shift || left)
		input_key(in, SHIFT, !shift);
	if (right)
		input_key(in, SHIFT_RIGHT, true);
}

void
vnc_key(struct vnc *v, uint32_t keysym, bool down)
{
	struct input *in = v->config.input;
	struct stroke strokes[LAYOUT_STROKES];
	uint32_t code = unicode(keysym);
	unsigned key = special(keysym);

	if (key != 0) {
		input_key(in, key, down);
		return;
	}
	if (code == 0 || (layout_strokes(v->config.layout, code, strokes) != 1 &&
	    layout_strokes(v->config.layout, small_form(code), strokes) != 1))
		return;
	key = strokes[0].keys[strokes[0].count - 1];
	/* Letters may be large by Caps Lock, and AltGr is the client's own. */
	if (!down || has_case(code) || (strokes[0].count > 1 && strokes[0].keys[0] != SHIFT))
		input_key(in, key, down);
	else
		press(in, key, strokes[0].count > 1);
}

unsigned
vnc_scancode(uint32_t code)
{
	/* Pause has no make code of its own there; it is written as what Break would be. */
	if (code == 0xc6)
		return 0xe11d;
	if (code >> 8 == 0xe0)
		code = (code & 0x7f) | 0x80;
	if (code == 0 || code > 0xff || (code & 0x7f) == 0)
		return 0;
	return code < 0x80 ? code : 0xe000 | (code & 0x7f);
}
