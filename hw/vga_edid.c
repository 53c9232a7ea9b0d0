/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A monitor's EDID 1.4, "VESA Enhanced EDID Standard": the preferred mode as the first detailed timing, and the usual others
 * as far as they are wanted.  Timings are those of VESA's CVT with reduced blanking at 60 Hz.
 */
#include "hw/vga.h"

#include "base/util.h"

enum { ESTABLISHED = 35, STANDARD = 38, DETAILED = 54, DESCRIPTOR = 18, STANDARD_COUNT = 8, MOST_12_BITS = 4095 };

struct limit {
	unsigned width, height;
};

static bool
fits(const struct limit *most, unsigned width, unsigned height)
{
	return (most->width == 0 || width <= most->width) && (most->height == 0 || height <= most->height);
}

/* CVT's width of the vertical sync tells the aspect. */
static unsigned
sync_lines(unsigned width, unsigned height)
{
	if (width * 3 == height * 4)
		return 4;
	if (width * 9 == height * 16)
		return 5;
	if (width * 10 == height * 16)
		return 6;
	if (width * 4 == height * 5 || width * 9 == height * 15)
		return 7;
	return 10;
}

/* 160 dots of horizontal blanking; at least 460 us of vertical. */
static void
put_timing(uint8_t *d, unsigned width, unsigned height)
{
	enum { H_BLANK = 160, H_FRONT = 48, H_SYNC = 32, V_FRONT = 3, V_BACK = 6, MM_PER_100_DOTS = 26 };
	unsigned sync = sync_lines(width, height);
	unsigned line_ns = (1000000000u / 60 - 460000) / height;
	unsigned blank = MAX(460000 / line_ns + 1, V_FRONT + sync + V_BACK);
	unsigned clock = (uint64_t)(width + H_BLANK) * (height + blank) * 60 / 250000 * 25; /* in 10 kHz, steps of 250 */
	unsigned mm_wide = MIN(width * MM_PER_100_DOTS / 100, MOST_12_BITS), mm_high = MIN(height * MM_PER_100_DOTS / 100, MOST_12_BITS);

	store_le(d, MIN(clock, 0xffff), 2);
	d[2] = width;
	d[3] = H_BLANK;
	d[4] = width >> 8 << 4;
	d[5] = height;
	d[6] = blank;
	d[7] = height >> 8 << 4 | blank >> 8;
	d[8] = H_FRONT;
	d[9] = H_SYNC;
	d[10] = V_FRONT << 4 | (sync & 15);
	d[12] = mm_wide;
	d[13] = mm_high;
	d[14] = mm_wide >> 8 << 4 | mm_high >> 8;
	d[17] = 0x1a; /* digital, separate sync: vertical negative, horizontal positive */
}

static void
put_text(uint8_t *d, uint8_t tag, const char *text)
{
	unsigned i = 0;

	memset(d, 0, DESCRIPTOR);
	d[3] = tag;
	for (; text[i] != '\0'; i++)
		d[5 + i] = text[i];
	d[5 + i++] = '\n';
	memset(d + 5 + i, ' ', 13 - i);
}

/* Modes that have a bit, and those that are computed from width and aspect (0: 16:10, 1: 4:3, 2: 5:4, 3: 16:9). */
static void
put_modes(uint8_t *edid, const struct limit *most)
{
	static const struct { uint16_t width, height, bit; } established[] = {
		{ 640, 480, 0x0020 }, { 800, 600, 0x0001 }, { 1024, 768, 0x0800 },
	};
	static const struct { uint16_t width, height, aspect; } standard[] = {
		{ 1920, 1200, 0 }, { 1920, 1080, 3 }, { 1680, 1050, 0 }, { 1600, 1200, 1 }, { 1440, 900, 0 }, { 1280, 1024, 2 },
		{ 1280, 800, 0 }, { 1280, 720, 3 }, { 1024, 768, 1 },
	};
	unsigned bits = 0, n = 0;

	for (unsigned i = 0; i < ARRAY_SIZE(established); i++)
		bits |= fits(most, established[i].width, established[i].height) ? established[i].bit : 0;
	store_le(edid + ESTABLISHED, bits, 2);
	memset(edid + STANDARD, 1, 2 * STANDARD_COUNT);
	for (unsigned i = 0; i < ARRAY_SIZE(standard) && n < STANDARD_COUNT; i++) {
		if (!fits(most, standard[i].width, standard[i].height))
			continue;
		edid[STANDARD + 2 * n] = standard[i].width / 8 - 31;
		edid[STANDARD + 2 * n++ + 1] = standard[i].aspect << 6;
	}
}

void
vga_make_edid(uint8_t edid[128], unsigned width, unsigned height, unsigned max_width, unsigned max_height)
{
	static const uint8_t head[] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
		0x0c, 0x2c, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, /* "CAL", product 1, serial 1 */
		0x01, 0x22, 0x01, 0x04,                         /* week 1 of 2024, EDID 1.4 */
		0xa5, 0x21, 0x15, 0x78, 0x06,                   /* digital, 33 cm by 21 cm, gamma 2.2, sRGB and preferred mode */
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, /* sRGB's primaries */
	};
	/* 24 to 125 Hz, 15 to 255 kHz, up to 660 MHz. */
	static const uint8_t ranges[DESCRIPTOR] = { 0, 0, 0, 0xfd, 0, 24, 125, 15, 255, 66, 0x01, '\n', ' ', ' ', ' ', ' ', ' ', ' ' };
	struct limit most = { max_width, max_height };
	uint8_t sum = 0;

	width = MAX(MIN(width, MOST_12_BITS), 64);
	height = MAX(MIN(height, MOST_12_BITS), 64);
	memset(edid, 0, 128);
	memcpy(edid, head, sizeof(head));
	put_modes(edid, &most);
	put_timing(edid + DETAILED, width, height);
	put_text(edid + DETAILED + DESCRIPTOR, 0xfc, "calque");
	memcpy(edid + DETAILED + 2 * DESCRIPTOR, ranges, DESCRIPTOR);
	if (fits(&most, 2560, 1600))
		put_timing(edid + DETAILED + 3 * DESCRIPTOR, 2560, 1600);
	else
		edid[DETAILED + 3 * DESCRIPTOR + 3] = 0x10;
	for (unsigned i = 0; i < 127; i++)
		sum += edid[i];
	edid[127] = -sum;
}
