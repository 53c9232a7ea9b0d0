/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/font.h"

#include "base/util.h"
#include "ui/utf8.h"

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

void
font_draw(uint32_t *at, unsigned stride, uint32_t code, uint32_t fore, uint32_t back)
{
	uint32_t start = font_starts[find(code)];
	const uint8_t *rows = font_rows + start / 2;
	unsigned bytes = (start & 1) + 1, columns = MAX(utf8_columns(code), 1u);

	for (unsigned y = 0; y < FONT_HEIGHT; y++) {
		uint32_t *to = at + (uint64_t)y * stride;

		for (unsigned x = 0; x < columns * FONT_WIDTH; x++)
			to[x] = x / 8 < bytes && (rows[y * bytes + x / 8] >> (7 - x % 8) & 1) ? fore : back;
	}
}
