/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CL-GD5446's blitter: "Technical Reference Manual", chapter "BitBLT Engine".
 *
 * A blit goes line by line: the line's source is made (copied, tiled or expanded from bits, from video memory or what the
 * processor sent), the destination loaded, both combined, and the line stored.  Addresses have 22 bits and wrap, as the
 * chip's counters do; the two functions that touch video memory see to that, and so no register value leads out of it.
 *
 * A blit is done when it is started, unless it is so large that this would take long: then slices of it follow, and the busy
 * bit is seen meanwhile, as it is while the processor's data are awaited.  Left out: blits whose destination is the processor.
 */
#include "hw/cl_gd5446.h"

#include "base/util.h"

/* A slice takes half a millisecond; dots made of bits count for more. */
enum { SLICE_BYTES = 256 * 1024, EXPANDED_WEIGHT = 4, PAUSE_NS = 50 * 1000 };

/* A line on its way; with room for what whole words and dots have beyond its end. */
struct line {
	uint8_t source[CIRRUS_LINE_MOST + 32];
	uint8_t drawn[CIRRUS_LINE_MOST + 32]; /* where the source is transparent: 0, else FFh */
	uint8_t to[CIRRUS_LINE_MOST + 32];
};

/* ---- video memory ---- */

static void
load(const struct cirrus *c, uint32_t at, uint8_t *to, uint32_t len)
{
	uint32_t size = c->vga.vram_bytes, n;

	at &= size - 1;
	n = MIN(len, size - at);
	memcpy(to, c->vga.vram + at, n);
	memcpy(to + n, c->vga.vram, len - n);
}

static void
store(struct cirrus *c, uint32_t at, const uint8_t *from, uint32_t len)
{
	uint32_t size = c->vga.vram_bytes, n;

	at &= size - 1;
	n = MIN(len, size - at);
	memcpy(c->vga.vram + at, from, n);
	vga_touch(&c->vga, at, n);
	memcpy(c->vga.vram, from + n, len - n);
	vga_touch(&c->vga, 0, len - n);
}

/* ---- raster operations ---- */

/* Bits of the result for source and destination 11, 10, 01, 00. */
static const struct { uint8_t code, truth; } rops[] = {
	{ 0x00, 0x0 }, { 0x05, 0x8 }, { 0x06, 0xa }, { 0x09, 0x4 }, { 0x0b, 0x5 }, { 0x0d, 0xc }, { 0x0e, 0xf }, { 0x50, 0x2 },
	{ 0x59, 0x6 }, { 0x6d, 0xe }, { 0x90, 0x7 }, { 0x95, 0x9 }, { 0xad, 0xd }, { 0xd0, 0x3 }, { 0xd6, 0xb }, { 0xda, 0x1 },
};

/* A code that isn't one leaves the destination. */
static unsigned
rop_truth(uint8_t code)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rops); i++) {
		if (rops[i].code == code)
			return rops[i].truth;
	}
	return 0xa;
}

/* L->to becomes the result; transparent bytes stay.  By words of 8 bytes: a screen is filled in a fifth of the time. */
static void
combine(struct line *l, uint8_t rop, uint32_t len)
{
	unsigned truth = rop_truth(rop);
	uint64_t both = (truth & 8) != 0 ? ~0ull : 0, only_s = (truth & 4) != 0 ? ~0ull : 0;
	uint64_t only_d = (truth & 2) != 0 ? ~0ull : 0, none = (truth & 1) != 0 ? ~0ull : 0;

	for (uint32_t i = 0; i < len; i += 8) {
		uint64_t s, d, drawn, r;

		memcpy(&s, l->source + i, 8);
		memcpy(&d, l->to + i, 8);
		memcpy(&drawn, l->drawn + i, 8);
		r = (s & d & both) | (s & ~d & only_s) | (~s & d & only_d) | (~(s | d) & none);
		r = (r & drawn) | (d & ~drawn);
		memcpy(l->to + i, &r, 8);
	}
}

/* Results of the key's colour are not written: those bytes get back what was there. */
static void
apply_key(struct line *l, const uint8_t *before, uint16_t key, unsigned pixel, uint32_t len)
{
	for (uint32_t i = 0; i + pixel <= len; i += pixel) {
		bool same = l->to[i] == (key & 0xff) && (pixel == 1 || l->to[i + 1] == key >> 8);

		if (same)
			memcpy(l->to + i, before + i, pixel);
	}
}

/* ---- sources ---- */

static unsigned
pixel_bytes(const struct blt *b)
{
	return (b->mode >> 4 & 3) + 1u;
}

static uint32_t
pixels(const struct blt *b)
{
	return (b->width + pixel_bytes(b) - 1) / pixel_bytes(b);
}

/* One bit for each dot, the highest first, to colours; BITS has a byte for every 8, or is one byte that repeats. */
static void
expand(const struct blt *b, struct line *l, const uint8_t *bits, bool repeats)
{
	unsigned size = pixel_bytes(b);
	bool transparent = (b->mode & BLT_TRANSPARENT) != 0, inverted = transparent && (b->extensions & BLT_INVERT) != 0;
	uint32_t colors[2] = { b->background, b->foreground }, drawn[2] = { ~0u, ~0u };
	uint32_t count = pixels(b);

	if (transparent)
		drawn[inverted ? 1 : 0] = 0;
	for (uint32_t x = 0; x < count; x++) {
		unsigned bit = bits[repeats ? 0 : x / 8] >> (7 - x % 8) & 1;

		memcpy(l->source + x * size, &colors[bit], 4);
		memcpy(l->drawn + x * size, &drawn[bit], 4);
	}
}

/* Rows of a pattern of 8 by 8 dots; those of 24 bits have a gap behind them. */
static uint32_t
pattern_row_bytes(const struct blt *b)
{
	unsigned size = pixel_bytes(b);

	return (b->mode & BLT_EXPAND) != 0 ? 1 : size == 3 ? 32 : 8 * size;
}

static void
tile(const struct blt *b, struct line *l, const uint8_t *row)
{
	uint32_t period = 8 * pixel_bytes(b);

	for (uint32_t x = 0; x < b->width; x += period)
		memcpy(l->source + x, row, period);
}

/* The row of the pattern for line Y; its first row is in the lowest bits of the source address. */
static void
make_pattern_line(struct cirrus *c, const struct blt *b, struct line *l, uint32_t y)
{
	uint32_t row_bytes = pattern_row_bytes(b), row = (b->from + y) & 7;
	uint8_t bytes[32];

	if ((b->mode & BLT_FROM_SYSTEM) != 0)
		memcpy(bytes, c->state.gathered + row * row_bytes, row_bytes);
	else
		load(c, (b->from & ~(8 * row_bytes - 1)) + row * row_bytes, bytes, row_bytes);
	if ((b->mode & BLT_EXPAND) != 0 && (b->extensions & BLT_SOLID) != 0)
		bytes[0] = 0xff;
	if ((b->mode & BLT_EXPAND) != 0)
		expand(b, l, bytes, true);
	else
		tile(b, l, bytes);
}

/* Bytes of the processor's data for a line. */
static uint32_t
fed_line_bytes(const struct blt *b)
{
	if ((b->mode & BLT_PATTERN) != 0)
		return 8 * pattern_row_bytes(b);
	if ((b->mode & BLT_EXPAND) == 0)
		return (b->width + 3) & ~3u;
	return (b->extensions & BLT_DWORDS) != 0 ? (pixels(b) + 31) / 32 * 4 : (pixels(b) + 7) / 8;
}

static void
make_plain_line(struct cirrus *c, const struct blt *b, struct line *l, uint32_t y)
{
	if ((b->mode & BLT_FROM_SYSTEM) != 0)
		memcpy(l->source, c->state.gathered, b->width);
	else if ((b->mode & BLT_BACKWARD) != 0)
		load(c, b->from - y * b->from_pitch - (b->width - 1), l->source, b->width);
	else
		load(c, b->from + y * b->from_pitch, l->source, b->width);
}

static void
make_expanded_line(struct cirrus *c, const struct blt *b, struct line *l, uint32_t y)
{
	uint32_t row_bytes = (pixels(b) + 7) / 8;
	uint8_t bits[CIRRUS_LINE_MOST / 8];

	if ((b->mode & BLT_FROM_SYSTEM) != 0)
		memcpy(bits, c->state.gathered, row_bytes);
	else
		load(c, b->from + y * row_bytes, bits, row_bytes);
	expand(b, l, bits, false);
}

/* ---- lines ---- */

/* How many bytes at the left are not drawn: patterns and expanded bits can begin amid a byte. */
static uint32_t
left_bytes(const struct blt *b)
{
	if ((b->mode & (BLT_PATTERN | BLT_EXPAND)) == 0)
		return 0;
	return pixel_bytes(b) == 3 ? b->skip & 0x1f : (b->skip & 7) * pixel_bytes(b);
}

static void
draw_line(struct cirrus *c, const struct blt *b, struct line *l, uint32_t y)
{
	bool backward = (b->mode & (BLT_BACKWARD | BLT_PATTERN | BLT_EXPAND | BLT_FROM_SYSTEM)) == BLT_BACKWARD;
	uint32_t to = backward ? b->to - y * b->to_pitch - (b->width - 1) : b->to + y * b->to_pitch;
	uint8_t before[CIRRUS_LINE_MOST];

	memset(l->drawn, 0xff, b->width);
	if ((b->mode & BLT_PATTERN) != 0)
		make_pattern_line(c, b, l, y);
	else if ((b->mode & BLT_EXPAND) != 0)
		make_expanded_line(c, b, l, y);
	else
		make_plain_line(c, b, l, y);
	memset(l->drawn, 0, MIN(left_bytes(b), b->width));
	load(c, to, l->to, b->width);
	if ((b->mode & (BLT_TRANSPARENT | BLT_EXPAND)) == BLT_TRANSPARENT) {
		memcpy(before, l->to, b->width);
		combine(l, b->rop, b->width);
		apply_key(l, before, b->key, pixel_bytes(b), b->width);
	} else {
		combine(l, b->rop, b->width);
	}
	store(c, to, l->to, b->width);
}

static void
draw_slice(struct cirrus *c)
{
	const struct blt *b = &c->state.blt;
	uint32_t line_bytes = b->width * ((b->mode & BLT_EXPAND) != 0 ? EXPANDED_WEIGHT : 1);
	struct line l;

	for (uint32_t n = 0; n < SLICE_BYTES && c->state.line < b->height; n += line_bytes)
		draw_line(c, b, &l, c->state.line++);
	if (c->state.line == b->height)
		cirrus_blt_reset(c);
}

void
cirrus_blt_go_on(void *opaque)
{
	struct cirrus *c = opaque;

	draw_slice(c);
	if (c->state.drawing)
		timer_set(&c->slice, clock_now(c->vga.clock) + PAUSE_NS);
}

static void
draw(struct cirrus *c)
{
	c->state.line = 0;
	c->state.drawing = 1;
	cirrus_blt_go_on(c);
}

/* ---- the registers' side ---- */

static struct blt
from_registers(const struct cirrus *c)
{
	const uint8_t *g = c->vga.state.gfx;
	struct blt b = {
		.to = load_le(g + GR_TO, 3) & 0x3fffff, .from = load_le(g + GR_FROM, 3) & 0x3fffff,
		.width = (load_le(g + GR_WIDTH, 2) & 0x1fff) + 1, .height = (load_le(g + GR_HEIGHT, 2) & 0x7ff) + 1,
		.to_pitch = load_le(g + GR_TO_PITCH, 2) & 0x1fff, .from_pitch = load_le(g + GR_FROM_PITCH, 2) & 0x1fff,
		.foreground = c->state.foreground | g[0x11] << 8 | g[0x13] << 16 | (uint32_t)g[0x15] << 24,
		.background = c->state.background | g[0x10] << 8 | g[0x12] << 16 | (uint32_t)g[0x14] << 24,
		.key = load_le(g + GR_KEY, 2), .mode = g[GR_BLT_MODE], .extensions = g[GR_BLT_EXTENSIONS], .rop = g[GR_ROP], .skip = g[GR_SKIP],
	};

	return b;
}

void
cirrus_blt_reset(struct cirrus *c)
{
	bool fed = cirrus_is_fed(c);

	c->vga.state.gfx[GR_BLT_STATUS] &= ~(STATUS_START | STATUS_BUSY);
	c->state.wanted = c->state.got = c->state.line = 0;
	c->state.drawing = 0;
	timer_cancel(&c->slice);
	if (fed)
		cirrus_map(c);
}

static void
await_data(struct cirrus *c, const struct blt *b)
{
	c->state.blt = *b;
	c->state.line = c->state.got = 0;
	c->state.wanted = fed_line_bytes(b);
	cirrus_map(c);
}

/* Who doesn't wait for a blit gets the rest of it at once; what awaits data is given up. */
void
cirrus_blt_start(struct cirrus *c)
{
	uint8_t *status = &c->vga.state.gfx[GR_BLT_STATUS], start = *status & STATUS_START;
	struct blt b = from_registers(c);
	bool keyed = (b.mode & (BLT_TRANSPARENT | BLT_EXPAND)) == BLT_TRANSPARENT;

	while (c->state.drawing)
		draw_slice(c);
	cirrus_blt_reset(c);
	*status |= STATUS_BUSY | start;
	if ((b.mode & BLT_TO_SYSTEM) != 0) {
		guest_unimp(&c->vga.pci.dev, "BLT to the processor");
	} else if (keyed && pixel_bytes(&b) > 2) {
		guest_bug(&c->vga.pci.dev, "BLT with a transparent colour of %u bytes", pixel_bytes(&b));
	} else if ((b.mode & BLT_FROM_SYSTEM) != 0) {
		await_data(c, &b);
		return;
	} else {
		c->state.blt = b;
		draw(c);
		return;
	}
	cirrus_blt_reset(c);
}

/* A line is there, or all of a pattern. */
static void
take_gathered(struct cirrus *c)
{
	const struct blt *b = &c->state.blt;
	struct line l;

	c->state.got = 0;
	if ((b->mode & BLT_PATTERN) != 0) {
		c->state.wanted = 0;
		cirrus_map(c);
		draw(c);
		return;
	}
	draw_line(c, b, &l, c->state.line);
	if (++c->state.line == b->height)
		cirrus_blt_reset(c);
}

/* What the access has beyond the end of the blit is dropped. */
void
cirrus_blt_feed(struct cirrus *c, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size && cirrus_is_fed(c); i++) {
		c->state.gathered[c->state.got++] = value >> 8 * i;
		if (c->state.got == c->state.wanted)
			take_gathered(c);
	}
}

bool
cirrus_blt_valid(const struct cirrus *c)
{
	const struct cirrus_state *s = &c->state;
	const struct blt *b = &s->blt;

	if (s->wanted == 0 && !s->drawing)
		return true;
	if (b->width < 1 || b->width > CIRRUS_LINE_MOST || b->height > 2048 || s->line >= b->height)
		return false;
	if (s->drawing)
		return s->wanted == 0 && (b->mode & (BLT_FROM_SYSTEM | BLT_PATTERN)) != BLT_FROM_SYSTEM;
	return (b->mode & BLT_FROM_SYSTEM) != 0 && s->wanted == fed_line_bytes(b) && s->wanted <= sizeof(s->gathered) && s->got < s->wanted;
}
