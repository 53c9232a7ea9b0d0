/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The picture's pixels, line by line, and what of them changed.
 *
 * An update draws only what can have changed: all of it when the registers make another picture than last time (struct
 * vga_look), else the lines whose bytes lie in pages that were written since (v->touched, which comes from dirty bits and from
 * the window's own writes).  A line that was drawn is compared with the one on the surface, so that viewers hear of the
 * dots that became others and of no more; nothing is compared or drawn where nothing was written.
 */
#include "hw/vga.h"

#include "base/util.h"

#include <stdlib.h>

/* ---- damage ---- */

static void
damage_flush(struct vga_damage *d)
{
	if (d->end > d->first)
		display_damage(&d->v->display, d->left, d->first, d->right - d->left, d->end - d->first);
	d->first = d->end = 0;
}

void
vga_damage(struct vga_damage *d, unsigned y, unsigned lines, unsigned left, unsigned right)
{
	if (d->end != y || d->end == d->first) {
		damage_flush(d);
		d->first = y;
		d->left = left;
		d->right = right;
	}
	d->end = y + lines;
	d->left = MIN(d->left, left);
	d->right = MAX(d->right, right);
}

/* Stores the line and says which dots became others; all of them, when that is wanted. */
static void
show_line(struct vga_damage *d, unsigned y, const uint32_t *line)
{
	struct surface *s = &d->v->surface;
	uint32_t *to = s->pixels + (size_t)y * s->width;
	unsigned left = 0, right = s->width;

	if (!d->v->report_all) {
		if (memcmp(to, line, 4ul * s->width) == 0)
			return;
		while (to[left] == line[left])
			left++;
		while (to[right - 1] == line[right - 1])
			right--;
	}
	memcpy(to + left, line + left, 4ul * (right - left));
	vga_damage(d, y, 1, left, right);
}

/* ---- planes ---- */

/* Each bit of B as the lowest of a byte, the highest bit first. */
static uint64_t
spread_bits(uint8_t b)
{
	uint64_t each = b * 0x0101010101010101ull & 0x0102040810204080ull;

	return (each + 0x7f7f7f7f7f7f7f7full) >> 7 & 0x0101010101010101ull;
}

/* Eight dots of four planes. */
static uint32_t *
draw_planar(const struct vga_look *l, uint32_t *out, const uint8_t *planes)
{
	uint64_t dots = spread_bits(planes[0]) | spread_bits(planes[1]) << 1 | spread_bits(planes[2]) << 2 | spread_bits(planes[3]) << 3;

	for (unsigned i = 0; i < 8; i++)
		*out++ = l->colors[dots >> 8 * i & 15];
	return out;
}

/* CGA's two bits a dot: planes 0 and 2 hold the first four dots, 1 and 3 the rest. */
static uint32_t *
draw_interleaved(const struct vga_look *l, uint32_t *out, const uint8_t *planes)
{
	for (unsigned half = 0; half < 2; half++) {
		for (int bit = 6; bit >= 0; bit -= 2)
			*out++ = l->colors[(planes[half] >> bit & 3) | (planes[half + 2] >> bit & 3) << 2];
	}
	return out;
}

static uint32_t *
draw_256(const struct vga_look *l, uint32_t *out, const uint8_t *planes)
{
	for (unsigned i = 0; i < 4; i++) {
		out[0] = out[1] = l->palette[planes[i]];
		out += 2;
	}
	return out;
}

static void
double_dots(uint32_t *line, unsigned count)
{
	for (unsigned i = count; i-- > 0;)
		line[2 * i] = line[2 * i + 1] = line[i];
}

/* The counter's step: every character, every second or every fourth. */
static unsigned
count_shift(const struct vga_look *l)
{
	return (l->underline & 0x20) != 0 ? 2 : (l->crt_mode & 0x08) != 0 ? 1 : 0;
}

/* Draws one scan line and returns its first dot. */
static const uint32_t *
draw_planar_line(struct vga *v, const struct vga_look *l, const struct vga_scan *s)
{
	unsigned shift = count_shift(l);
	uint32_t *out = v->line;

	for (unsigned i = 0; i <= l->chars; i++) {
		uint32_t counter = s->counter + s->byte_pan + (i >> shift);
		const uint8_t *planes = v->vram + 4 * (size_t)vga_display_address(v, l, counter, s->row);

		if ((l->gfx_mode & GFX_SHIFT_256) != 0)
			out = draw_256(l, out, planes);
		else if ((l->gfx_mode & GFX_SHIFT_INTERLEAVED) != 0)
			out = draw_interleaved(l, out, planes);
		else
			out = draw_planar(l, out, planes);
	}
	if (!l->doubled)
		return v->line + s->pan;
	double_dots(v->line, out - v->line);
	return v->line + 2 * s->pan;
}

/* Was any byte of the line written? */
static bool
planar_line_touched(const struct vga *v, const struct vga_look *l, const struct vga_scan *s)
{
	unsigned shift = count_shift(l);

	for (unsigned i = 0; i <= l->chars; i++) {
		uint32_t at = vga_display_address(v, l, s->counter + s->byte_pan + (i >> shift), s->row);

		if ((v->touched[at >> 16] >> (at >> 10 & 63) & 1) != 0)
			return true;
	}
	return false;
}

/* Lines that show the same bytes at the same place are drawn once. */
static void
draw_planes(struct vga *v, const struct vga_picture *p, struct vga_damage *d, bool all)
{
	const struct vga_look *l = &p->look;
	unsigned row_mask = ((l->crt_mode & 1) == 0 ? 1 : 0) | ((l->crt_mode & 2) == 0 ? 2 : 0);
	const uint32_t *line = NULL;
	struct vga_scan s, drawn = { 0 };
	bool touched = false;

	vga_scan_begin(p, &s);
	for (unsigned y = 0; y < l->height; y++) {
		bool same = y != 0 && s.counter == drawn.counter && ((s.row ^ drawn.row) & row_mask) == 0 && s.pan == drawn.pan &&
			s.byte_pan == drawn.byte_pan;

		if (!same) {
			touched = all || planar_line_touched(v, l, &s);
			if (touched)
				line = draw_planar_line(v, l, &s);
			drawn = s;
		}
		if (touched)
			show_line(d, y, line);
		vga_scan_next(p, &s, y);
	}
}

/* ---- packed pixels ---- */

/* Colours of 16 bits as what each of their bytes brings to the dot: a third of the time that shifting every dot takes. */
struct halves {
	uint32_t low[256], high[256];
};

static uint32_t
from_555(uint32_t c)
{
	return (c << 9 & 0xf80000) | (c << 4 & 0x070000) | (c << 6 & 0xf800) | (c << 1 & 0x0700) | (c << 3 & 0xf8) | (c >> 2 & 7);
}

static uint32_t
from_565(uint32_t c)
{
	return (c << 8 & 0xf80000) | (c << 3 & 0x070000) | (c << 5 & 0xfc00) | (c >> 1 & 0x0300) | (c << 3 & 0xf8) | (c >> 2 & 7);
}

static void
make_halves(const struct vga_look *l, struct halves *h)
{
	for (unsigned i = 0; i < 256; i++) {
		h->low[i] = l->bpp == 15 ? from_555(i) : from_565(i);
		h->high[i] = l->bpp == 15 ? from_555(i << 8) : from_565(i << 8);
	}
}

static void
unpack_32(const struct vga_look *l, const uint8_t *restrict from, uint32_t *restrict to)
{
	for (unsigned x = 0; x < l->width; x++) {
		uint32_t c;

		memcpy(&c, from + 4 * x, 4);
		to[x] = (l->big_endian ? __builtin_bswap32(c) : c) & 0xffffff;
	}
}

static void
unpack(const struct vga_look *l, const struct halves *h, const uint8_t *restrict from, uint32_t *restrict to)
{
	unsigned low = l->big_endian ? 1 : 0;

	switch (l->bpp) {
	case 8:
		for (unsigned x = 0; x < l->width; x++)
			to[x] = l->palette[from[x]];
		return;
	case 15:
	case 16:
		for (unsigned x = 0; x < l->width; x++)
			to[x] = h->low[from[2 * x + low]] | h->high[from[2 * x + 1 - low]];
		return;
	case 24:
		for (unsigned x = 0; x < l->width; x++)
			to[x] = from[3 * x + 2 * low] | from[3 * x + 1] << 8 | from[3 * x + 2 - 2 * low] << 16;
		return;
	}
	unpack_32(l, from, to);
}

static bool
range_touched(const struct vga *v, uint64_t at, uint64_t len)
{
	for (uint64_t page = at >> 12; page <= (at + len - 1) >> 12; page++) {
		if ((v->touched[page / 64] >> page % 64 & 1) != 0)
			return true;
	}
	return false;
}

/* A line that doesn't lie in video memory as a whole is black: the card makes no such picture, but registers can. */
static void
draw_packed_line(struct vga *v, const struct vga_look *l, const struct halves *h, uint64_t at, uint64_t bytes, unsigned y)
{
	if (at + bytes <= v->vram_bytes)
		unpack(l, h, v->vram + at, v->line);
	else
		memset(v->line, 0, 4ul * l->width);
	if (v->ops->overlay != NULL)
		v->ops->overlay(v, y, v->line);
}

/* What the card draws over the picture is drawn anew where it is and where it was. */
static void
take_overlay(struct vga *v, unsigned *first, unsigned *end)
{
	unsigned f = 0, e = 0;

	if (v->ops->overlay_lines != NULL)
		v->ops->overlay_lines(v, &f, &e);
	*first = v->overlay_first;
	*end = v->overlay_end;
	if (f < e) {
		*first = *first < *end ? MIN(*first, f) : f;
		*end = MAX(*end, e);
	}
	v->overlay_first = f;
	v->overlay_end = e;
}

static void
draw_packed(struct vga *v, const struct vga_picture *p, struct vga_damage *d, bool all)
{
	const struct vga_look *l = &p->look;
	uint64_t bytes = (uint64_t)l->width * ((l->bpp + 7) / 8);
	unsigned over_first, over_end;
	struct halves h;

	if (l->bpp == 15 || l->bpp == 16)
		make_halves(l, &h);
	take_overlay(v, &over_first, &over_end);
	for (unsigned y = 0; y < l->height; y++) {
		uint64_t at = p->start + (uint64_t)l->pitch * (y / l->line_repeat);

		if (!all && (y < over_first || y >= over_end) && (at + bytes > v->vram_bytes || !range_touched(v, at, bytes)))
			continue;
		draw_packed_line(v, l, &h, at, bytes, y);
		show_line(d, y, v->line);
	}
}

/* ---- updates ---- */

/* The surface has these dimensions; new ones begin black. */
static void
resize(struct vga *v, unsigned width, unsigned height)
{
	size_t bytes = 4ul * width * height;

	if (v->surface.pixels != NULL && v->surface.width == width && v->surface.height == height)
		return;
	if (bytes > v->surface_bytes || bytes < v->surface_bytes / 4) {
		free(v->surface.pixels);
		v->surface.pixels = xcalloc(1, bytes);
		v->surface_bytes = bytes;
	} else {
		memset(v->surface.pixels, 0, bytes);
	}
	v->surface.width = width;
	v->surface.height = height;
	v->surface.stride = 4 * width;
	v->draw_all = v->report_all = true;
	display_resized(&v->display, &v->surface);
}

static void
draw_blank(struct vga *v, const struct vga_picture *p, struct vga_damage *d)
{
	for (unsigned x = 0; x < v->surface.width; x++)
		v->line[x] = p->look.border;
	for (unsigned y = 0; y < v->surface.height; y++)
		show_line(d, y, v->line);
}

/* Of the linear frame buffer only what is shown; pages elsewhere stay as they are, and fast to write. */
static void
take_written(struct vga *v, const struct vga_picture *p)
{
	const struct vga_look *l = &p->look;
	uint64_t first = 0, end = VGA_PLANES_BYTES;

	vga_take_direct(v);
	if (l->kind == VGA_BLANK)
		return;
	if (l->kind == VGA_PACKED || l->straight) {
		unsigned scale = l->kind == VGA_PACKED ? 1 : 4;

		end = (p->start + (uint64_t)l->pitch * l->height + l->width * 4) * scale;
		first = l->kind == VGA_PACKED ? p->start : 0; /* a split screen goes on at 0 */
	}
	first = MIN(first, v->vram_bytes) >> 12;
	end = (MIN(end, v->vram_bytes) + 0xfff) >> 12;
	if (region_take_dirty(&v->lfb, first, end, v->touched))
		v->touched_any = v->font_touched = true;
}

/* Does it take more than what was written to get from the last picture to this one? */
static bool
is_another(const struct vga_picture *a, const struct vga_picture *b)
{
	return memcmp(&a->look, &b->look, sizeof(a->look)) != 0 || (b->look.kind != VGA_TEXT && a->start != b->start);
}

static void
draw(struct vga *v, const struct vga_picture *p, struct vga_damage *d, bool all)
{
	switch (p->look.kind) {
	case VGA_BLANK:
		if (all)
			draw_blank(v, p, d);
		return;
	case VGA_TEXT:
		vga_draw_text(v, p, d, all || v->font_touched);
		return;
	case VGA_PLANAR:
		if (all || v->touched_any)
			draw_planes(v, p, d, all);
		return;
	default:
		if (all || v->touched_any || v->ops->overlay_lines != NULL)
			draw_packed(v, p, d, all);
		return;
	}
}

/* A picture that is blank has the dimensions of the one before. */
static void
fit(struct vga *v, const struct vga_look *l)
{
	if (v->line == NULL)
		v->line = xcalloc(VGA_MAX_LINE_DOTS, 4);
	if (l->kind != VGA_BLANK)
		resize(v, l->width, l->height);
	else if (v->surface.pixels == NULL)
		resize(v, 640, 480);
}

const struct surface *
vga_update(void *opaque)
{
	struct vga *v = opaque;
	struct vga_damage d = { .v = v };
	struct vga_picture p;

	vga_picture(v, &p);
	fit(v, &p.look);
	take_written(v, &p);
	draw(v, &p, &d, v->draw_all || v->report_all || is_another(&v->last, &p));
	damage_flush(&d);
	if (v->touched_any)
		memset(v->touched, 0, v->vram_bytes >> 15);
	v->touched_any = v->font_touched = v->draw_all = v->report_all = false;
	v->last = p;
	return &v->surface;
}

void
vga_invalidate(void *opaque)
{
	struct vga *v = opaque;

	v->report_all = true;
}
