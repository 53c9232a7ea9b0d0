/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC: the encodings ZRLE (RFC 6143) and Tight (the community's description; without JPEG and the gradient filter). */
#include "ui/vnc.h"

#include "base/util.h"

#include <assert.h>
#include <stdlib.h>

enum { ZRLE_TILE = 64, ZRLE_PALETTE = 127, TIGHT_SMALL = 12, HASH = 1024 };

enum { TIGHT_FILL = 0x80, TIGHT_FILTER = 0x40, TIGHT_PALETTE_FILTER = 1 };

/* The colours of a picture, in the order of their first use. */
struct palette {
	uint32_t colours[256];
	unsigned count;
	uint16_t slots[HASH];       /* 1 + index; 0: free */
};

static unsigned
slot_of(const struct palette *p, uint32_t colour)
{
	unsigned slot = (colour * 0x9e3779b1u) >> 22;

	while (p->slots[slot] != 0 && p->colours[p->slots[slot] - 1] != colour)
		slot = (slot + 1) % HASH;
	return slot;
}

static unsigned
colour_index(const struct palette *p, uint32_t colour)
{
	return p->slots[slot_of(p, colour)] - 1u;
}

/* False: there are more than MOST. */
static bool
add_colour(struct palette *p, uint32_t colour, unsigned most)
{
	unsigned slot = slot_of(p, colour);

	if (p->slots[slot] != 0)
		return true;
	if (p->count == most)
		return false;
	p->colours[p->count++] = colour;
	p->slots[slot] = p->count;
	return true;
}

void
vnc_deflate(struct vnc_zstream *s, int level, const struct vnc_bytes *in, struct vnc_bytes *out)
{
	uint8_t block[16384];

	if (!s->made) {
		int ok = deflateInit2(&s->z, level, Z_DEFLATED, MAX_WBITS, 8, Z_DEFAULT_STRATEGY);

		assert(ok == Z_OK);
		s->made = true;
	}
	s->z.next_in = in->data;
	s->z.avail_in = in->len;
	do {
		s->z.next_out = block;
		s->z.avail_out = sizeof(block);
		deflate(&s->z, Z_SYNC_FLUSH);
		vnc_put(out, block, sizeof(block) - s->z.avail_out);
	} while (s->z.avail_out == 0);
}

static void
put_pixel(const struct vnc_format *f, uint32_t p, unsigned first, unsigned count, struct vnc_bytes *out)
{
	uint8_t bytes[4];

	for (unsigned i = 0; i < count; i++)
		bytes[i] = p >> 8 * (f->big_endian ? first + count - 1 - i : first + i);
	vnc_put(out, bytes, count);
}

/* A rectangle to be packed: of ZRLE one of many, of Tight all. */
struct tile {
	const struct vnc_format *format;
	unsigned first, bytes;      /* of a pixel, those that are sent */
	const uint32_t *pixels;
	unsigned w, h, stride;
	struct palette palette;
	bool fits;                  /* the palette has all colours */
	unsigned runs, long_runs;   /* LONG_RUNS: bytes that lengths past 1 take in a palette's runs */
};

/* The pixel at place I of the tile, row by row. */
static uint32_t
tile_at(const struct tile *t, unsigned i)
{
	return t->pixels[i / t->w * t->stride + i % t->w];
}

/* BITS an index, rows from a new byte on. */
static void
put_indices(const struct tile *t, unsigned bits, struct vnc_bytes *out)
{
	for (unsigned y = 0; y < t->h; y++) {
		unsigned byte = 0, filled = 0;

		for (unsigned x = 0; x < t->w; x++) {
			byte = byte << bits | colour_index(&t->palette, t->pixels[y * t->stride + x]);
			filled += bits;
			if (filled == 8) {
				vnc_put_number(out, byte, 1);
				byte = filled = 0;
			}
		}
		if (filled != 0)
			vnc_put_number(out, byte << (8 - filled), 1);
	}
}

/* ---- ZRLE ---- */

static void
zrle_pixel(const struct tile *t, uint32_t p, struct vnc_bytes *out)
{
	put_pixel(t->format, p, t->first, t->bytes, out);
}

static unsigned
run_at(const struct tile *t, unsigned i)
{
	uint32_t p = tile_at(t, i);
	unsigned n = 1;

	while (i + n < t->w * t->h && tile_at(t, i + n) == p)
		n++;
	return n;
}

static void
measure(struct tile *t)
{
	t->fits = true;
	t->palette.count = 0;
	memset(t->palette.slots, 0, sizeof(t->palette.slots));
	t->runs = t->long_runs = 0;
	for (unsigned i = 0, n; i < t->w * t->h; i += n) {
		n = run_at(t, i);
		t->runs++;
		t->long_runs += n > 1 ? 1 + (n - 1) / 255 : 0;
		t->fits = t->fits && add_colour(&t->palette, tile_at(t, i), ZRLE_PALETTE);
	}
}

static void
put_length(unsigned n, struct vnc_bytes *out)
{
	for (n--; n >= 255; n -= 255)
		vnc_put_number(out, 255, 1);
	vnc_put_number(out, n, 1);
}

static void
put_runs(const struct tile *t, bool by_palette, struct vnc_bytes *out)
{
	for (unsigned i = 0, n; i < t->w * t->h; i += n) {
		uint32_t p = tile_at(t, i);

		n = run_at(t, i);
		if (!by_palette)
			zrle_pixel(t, p, out);
		else
			vnc_put_number(out, colour_index(&t->palette, p) | (n > 1 ? 0x80 : 0), 1);
		if (!by_palette || n > 1)
			put_length(n, out);
	}
}

static void
put_tile(struct tile *t, struct vnc_bytes *out)
{
	unsigned pixels = t->w * t->h, colours, bits, packed = UINT32_MAX, by_palette = UINT32_MAX;

	measure(t);
	colours = t->palette.count;
	bits = colours <= 2 ? 1 : colours <= 4 ? 2 : 4;
	unsigned raw = pixels * t->bytes, plain = t->runs * (t->bytes + 1) + (t->long_runs > t->runs ? t->long_runs - t->runs : 0);
	if (t->fits && colours <= 16)
		packed = colours * t->bytes + (t->w * bits + 7) / 8 * t->h;
	if (t->fits)
		by_palette = colours * t->bytes + t->runs + t->long_runs;
	unsigned least = MIN(MIN(raw, plain), MIN(packed, by_palette));

	unsigned kind = t->fits && colours == 1 ? 1 : least == packed ? colours : least == by_palette ? 128 + colours :
		least == plain ? 128 : 0;
	vnc_put_number(out, kind, 1);
	for (unsigned i = 0; kind != 0 && kind != 128 && i < colours; i++)
		zrle_pixel(t, t->palette.colours[i], out);
	if (kind == 0) {
		for (unsigned i = 0; i < pixels; i++)
			zrle_pixel(t, tile_at(t, i), out);
	} else if (kind >= 128) {
		put_runs(t, kind != 128, out);
	} else if (kind > 1) {
		put_indices(t, bits, out);
	}
}

void
vnc_encode_zrle(struct vnc_encoder *e, const uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out)
{
	const struct vnc_format *f = &e->format;
	struct tile t = { .format = f, .bytes = f->bytes, .stride = w };
	struct vnc_bytes plain = { 0 }, packed = { 0 };
	uint32_t used = f->map[0][255] | f->map[1][255] | f->map[2][255];

	if (f->true_colour && f->bytes == 4 && f->depth <= 24 && (used >> 24 == 0 || (used & 0xff) == 0)) {
		t.bytes = 3;
		t.first = used >> 24 == 0 ? 0 : 1;
	}
	for (unsigned y = 0; y < h; y += ZRLE_TILE) {
		for (unsigned x = 0; x < w; x += ZRLE_TILE) {
			t.pixels = pixels + (size_t)y * w + x;
			t.w = MIN(w - x, (unsigned)ZRLE_TILE);
			t.h = MIN(h - y, (unsigned)ZRLE_TILE);
			put_tile(&t, &plain);
		}
	}
	vnc_deflate(&e->zrle, e->level, &plain, &packed);
	vnc_put_number(out, packed.len, 4);
	vnc_put(out, packed.data, packed.len);
	free(plain.data);
	free(packed.data);
}

/* ---- Tight ---- */

/* Three bytes, red, green, blue, where a pixel has 32 bits with 8 of each. */
static bool
is_short(const struct vnc_format *f)
{
	return f->true_colour && f->bytes == 4 && f->depth == 24 && f->max[0] == 255 && f->max[1] == 255 && f->max[2] == 255;
}

static void
tight_pixel(const struct vnc_format *f, uint32_t p, struct vnc_bytes *out)
{
	if (!is_short(f)) {
		put_pixel(f, p, 0, f->bytes, out);
		return;
	}
	vnc_put(out, (uint8_t[3]){ p >> f->shift[0], p >> f->shift[1], p >> f->shift[2] }, 3);
}

/* 7 bits a byte, the lowest first. */
static void
put_compact(size_t n, struct vnc_bytes *out)
{
	vnc_put_number(out, (n & 0x7f) | (n > 0x7f ? 0x80 : 0), 1);
	if (n > 0x7f)
		vnc_put_number(out, (n >> 7 & 0x7f) | (n > 0x3fff ? 0x80 : 0), 1);
	if (n > 0x3fff)
		vnc_put_number(out, n >> 14, 1);
}

static void
put_stream(struct vnc_encoder *e, unsigned stream, const struct vnc_bytes *plain, struct vnc_bytes *out)
{
	struct vnc_bytes packed = { 0 };

	if (plain->len < TIGHT_SMALL) {
		vnc_put(out, plain->data, plain->len);
		return;
	}
	vnc_deflate(&e->tight[stream], e->level, plain, &packed);
	put_compact(packed.len, out);
	vnc_put(out, packed.data, packed.len);
	free(packed.data);
}

static void
put_by_palette(struct vnc_encoder *e, struct tile *t, struct vnc_bytes *out)
{
	const struct palette *p = &t->palette;
	struct vnc_bytes plain = { 0 };
	unsigned stream = p->count == 2 ? 1 : 2;

	vnc_put_number(out, TIGHT_FILTER | stream << 4, 1);
	vnc_put_number(out, TIGHT_PALETTE_FILTER, 1);
	vnc_put_number(out, p->count - 1, 1);
	for (unsigned i = 0; i < p->count; i++)
		tight_pixel(&e->format, p->colours[i], out);
	put_indices(t, p->count == 2 ? 1 : 8, &plain);
	put_stream(e, stream, &plain, out);
	free(plain.data);
}

void
vnc_encode_tight(struct vnc_encoder *e, const uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out)
{
	struct tile t = { .format = &e->format, .pixels = pixels, .w = w, .h = h, .stride = w };
	size_t count = (size_t)w * h;
	/* A palette of 256 is no gain for pixels of a byte. */
	unsigned most = e->format.bytes == 1 ? 2 : MIN(256u, MAX(count / 8, 2u));
	struct vnc_bytes plain = { 0 };
	bool fits = true;

	for (size_t i = 0; i < count && fits; i++)
		fits = (i != 0 && pixels[i] == pixels[i - 1]) || add_colour(&t.palette, pixels[i], most);
	if (fits && t.palette.count == 1) {
		vnc_put_number(out, TIGHT_FILL, 1);
		tight_pixel(&e->format, pixels[0], out);
		return;
	}
	if (fits) {
		put_by_palette(e, &t, out);
		return;
	}
	vnc_put_number(out, 0, 1);
	for (size_t i = 0; i < count; i++)
		tight_pixel(&e->format, pixels[i], &plain);
	put_stream(e, 0, &plain, out);
	free(plain.data);
}
