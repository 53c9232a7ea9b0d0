/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/utf8.h"

#include "base/util.h"

enum { REPLACEMENT = 0xfffd };

unsigned
utf8_columns(uint32_t code)
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
