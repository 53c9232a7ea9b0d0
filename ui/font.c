/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/font.h"

#include "base/util.h"

enum { REPLACEMENT = 0xfffd };

/* Index of CODE's glyph, or of the one in its place. */
static unsigned
find(uint32_t code)
{
	unsigned low = 0, high = font_count;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (font_codes[middle] < code)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < font_count && font_codes[low] == code)
		return low;
	return code == REPLACEMENT ? 0 : find(REPLACEMENT);
}

unsigned
font_columns(uint32_t code)
{
	static const struct { uint16_t first, last; } marks[] = {
		{ 0x0300, 0x036f }, { 0x0483, 0x0489 }, { 0x0591, 0x05bd }, { 0x0610, 0x061a }, { 0x064b, 0x065f },
		{ 0x1ab0, 0x1aff }, { 0x1dc0, 0x1dff }, { 0x200b, 0x200f }, { 0x202a, 0x202e }, { 0x20d0, 0x20ff },
		{ 0xfe00, 0xfe0f }, { 0xfe20, 0xfe2f }, { 0xfeff, 0xfeff },
	};

	if (code < 0x300)
		return 1;
	for (unsigned i = 0; i < ARRAY_SIZE(marks); i++)
		if (code >= marks[i].first && code <= marks[i].last)
			return 0;
	/* Glyphs are 16 dots wide for some symbols too, which terminals have in one cell: half of those is lost. */
	if (code < 0x1100 || (code > 0x115f && code < 0x2e80) || (code >= 0xa4d0 && code < 0xac00) ||
	    (code >= 0xfb00 && code < 0xff00) || (code > 0xff60 && code < 0xffe0) || (code > 0xffe6 && code < 0x1f300) ||
	    code > 0x3fffd)
		return 1;
	return 2;
}

void
font_draw(uint32_t *at, unsigned stride, uint32_t code, uint32_t fore, uint32_t back)
{
	uint32_t start = font_starts[find(code)];
	const uint8_t *rows = font_rows + start / 2;
	unsigned bytes = (start & 1) + 1, columns = MAX(font_columns(code), 1u);

	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		uint32_t *to = at + (uint64_t)y * stride;

		for (unsigned x = 0; x < columns * FONT_WIDTH; x++)
			to[x] = x / 8 < bytes && (rows[y * bytes + x / 8] >> (7 - x % 8) & 1) ? fore : back;
	}
}

uint32_t
utf8_take(const char **text, const char *end)
{
	const uint8_t *p = (const uint8_t *)*text;
	unsigned left = (unsigned)(end - *text), more;
	uint32_t code;

	if (left == 0)
		return 0;
	code = p[0];
	more = code < 0x80 ? 0 : code >= 0xf0 && code < 0xf5 ? 3 : code >= 0xe0 ? 2 : code >= 0xc2 ? 1 : 4;
	if (more == 4 || more >= left || code >= 0xf5) {
		*text += 1;
		return code < 0x80 ? code : REPLACEMENT;
	}
	if (more != 0)
		code &= 0x3fu >> more;
	for (unsigned i = 1; i <= more; i++) {
		if ((p[i] & 0xc0) != 0x80) {
			*text += i;
			return REPLACEMENT;
		}
		code = code << 6 | (p[i] & 0x3f);
	}
	*text += 1 + more;
	return code;
}

unsigned
utf8_put(char *to, uint32_t code)
{
	if (code < 0x80) {
		to[0] = (char)code;
		return 1;
	}
	static const uint8_t lead[] = { 0, 0xc0, 0xe0, 0xf0 };
	unsigned more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;

	to[0] = (char)(lead[more] | code >> 6 * more);
	for (unsigned i = 1; i <= more; i++)
		to[i] = (char)(0x80 | (code >> 6 * (more - i) & 0x3f));
	return 1 + more;
}
