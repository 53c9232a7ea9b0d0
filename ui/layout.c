/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keyboard layouts, for text that is typed or pasted into the guest. */
#include "ui/ui.h"

#include "base/util.h"

enum { KEYS = 48, SHIFT = 0x2a, ALTGR = 0xe038, SPACE = 0x39 };

struct layout {
	const char *name;
	const char *levels[3]; /* plain, with Shift, with AltGr */
};

static const struct layout layouts[] = {
#define LAYOUT(name, plain, shift, altgr) { name, { plain, shift, altgr } },
#include "ui/layouts.def"
#undef LAYOUT
};

/* The keys in the order of layouts.def. */
static const uint8_t scancodes[KEYS] = {
	0x29, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x0b, 0x0c, 0x0d,
	0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1a, 0x1b,
	0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2b,
	0x56, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0x31, 0x32, 0x33, 0x34, 0x35,
};

/* What a dead key makes of a letter; with a space it is the accent alone. */
static const struct { uint16_t accent; const char *letters, *composed; } accents[] = {
	{ 0x300, " aeiouAEIOU", "`àèìòùÀÈÌÒÙ" },
	{ 0x301, " aeiouyAEIOUYcnszCNSZ", "´áéíóúýÁÉÍÓÚÝćńśźĆŃŚŹ" },
	{ 0x302, " aeiouAEIOU", "^âêîôûÂÊÎÔÛ" },
	{ 0x303, " anoANO", "~ãñõÃÑÕ" },
	{ 0x308, " aeiouyAEIOU", "¨äëïöüÿÄËÏÖÜ" },
	{ 0x327, " cCsS", "¸çÇşŞ" },
};

const struct layout *
layout_find(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++)
		if (strcmp(layouts[i].name, name) == 0)
			return &layouts[i];
	return NULL;
}

void
layout_walk(void (*each)(void *opaque, const char *name), void *opaque)
{
	for (unsigned i = 0; i < ARRAY_SIZE(layouts); i++)
		each(opaque, layouts[i].name);
}

/* The lists are ours, and right: no check of what isn't UTF-8. */
static uint32_t
next_character(const char **text)
{
	const uint8_t *p = (const uint8_t *)*text;
	unsigned more = p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 1 : p[0] < 0xf0 ? 2 : 3;
	uint32_t code = more == 0 ? p[0] : p[0] & (0x3fu >> more);

	for (unsigned i = 1; i <= more; i++)
		code = code << 6 | (p[i] & 0x3f);
	*text += 1 + more;
	return code;
}

static bool
find_key(const struct layout *l, uint32_t code, struct stroke *s)
{
	for (unsigned level = 0; level < ARRAY_SIZE(l->levels); level++) {
		const char *p = l->levels[level];

		for (unsigned i = 0; *p != '\0' && i < KEYS; i++) {
			if (next_character(&p) != code)
				continue;
			s->count = 0;
			if (level != 0)
				s->keys[s->count++] = level == 1 ? SHIFT : ALTGR;
			s->keys[s->count++] = scancodes[i];
			return true;
		}
	}
	return false;
}

static bool
find_plain(const struct layout *l, uint32_t code, struct stroke *s)
{
	static const struct { uint8_t code, key; } others[] = {
		{ ' ', SPACE }, { '\n', 0x1c }, { '\r', 0x1c }, { '\t', 0x0f }, { '\b', 0x0e }, { 27, 0x01 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++) {
		if (others[i].code == code) {
			*s = (struct stroke){ { others[i].key }, 1 };
			return true;
		}
	}
	return find_key(l, code, s);
}

unsigned
layout_strokes(const struct layout *l, uint32_t code, struct stroke strokes[LAYOUT_STROKES])
{
	if (find_plain(l, code, &strokes[0]))
		return 1;
	/* A typewriter's apostrophe is all that some layouts have for an acute accent alone. */
	for (unsigned i = 0; i < ARRAY_SIZE(accents); i++) {
		const char *letter = accents[i].letters, *composed = accents[i].composed;

		while (*letter != '\0') {
			uint32_t from = next_character(&letter);

			if (next_character(&composed) == code && find_key(l, accents[i].accent, &strokes[0]) &&
			    find_plain(l, from, &strokes[1]))
				return 2;
		}
	}
	return 0;
}
