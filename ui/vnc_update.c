/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC: what a client is told of the screen, a few rectangles at a time. */
#include "ui/vnc.h"

#include "base/util.h"

#include <stdlib.h>

enum { RECTS_MOST = 4096, PORTION_NS = 1500000 };

enum {
	PSEUDO_SIZE = -223, PSEUDO_LAST = -224, PSEUDO_CURSOR = -239, PSEUDO_POINTER_TYPE = -257, PSEUDO_EXT_KEYS = -258,
	PSEUDO_LEDS = -261, PSEUDO_NAME = -307, PSEUDO_EXT_SIZE = -308,
};

/* ---- what changed ---- */

void
vnc_mark(struct vnc_client *c, struct vnc_rect r)
{
	unsigned right = MIN(r.x + r.w, (unsigned)VNC_SIDE), bottom = MIN(r.y + r.h, (unsigned)VNC_SIDE);

	for (unsigned y = r.y / VNC_TILE; y * VNC_TILE < bottom; y++) {
		for (unsigned x = r.x / VNC_TILE; x * VNC_TILE < right; x++)
			c->dirty[y][x] = 1;
		c->dirty_row[y] = true;
	}
}

void
vnc_mark_all(struct vnc_client *c)
{
	vnc_mark(c, (struct vnc_rect){ 0, 0, c->width, c->height });
}

/* The tiles that the client asked for and knows to be there, as x, y to w, h. */
static struct vnc_rect
wanted_tiles(const struct vnc_client *c)
{
	struct vnc_rect r = c->wanted;
	unsigned right = MIN(r.x + r.w, c->width), bottom = MIN(r.y + r.h, c->height);

	return (struct vnc_rect){ r.x / VNC_TILE, r.y / VNC_TILE, (right + VNC_TILE - 1) / VNC_TILE, (bottom + VNC_TILE - 1) / VNC_TILE };
}

static bool
any_dirty(const struct vnc_client *c)
{
	struct vnc_rect r = wanted_tiles(c);

	for (unsigned y = r.y; y < r.h; y++)
		if (c->dirty_row[y] && r.x < r.w && memchr(&c->dirty[y][r.x], 1, r.w - r.x) != NULL)
			return true;
	return false;
}

bool
vnc_update_waits(const struct vnc_client *c)
{
	if (c->state != VNC_RUNNING || c->out.len - c->out.sent > VNC_QUEUE_MOST)
		return false;
	/* The next one begins when the last has left: a slow client gets fewer, not older pictures. */
	return c->rects != NULL || (c->wants && c->out.sent == c->out.len && ((c->owes & c->has) != 0 || any_dirty(c)));
}

/* ---- choosing rectangles ---- */

static bool
row_is_dirty(const struct vnc_client *c, unsigned y, unsigned x, unsigned w)
{
	for (unsigned i = x; i < x + w; i++)
		if (c->dirty[y][i] == 0)
			return false;
	return true;
}

/* The dirty rectangle of tiles from X, Y on, clean from now on. */
static struct vnc_rect
take_tiles(struct vnc_client *c, unsigned x, unsigned y, const struct vnc_rect *within)
{
	unsigned w = 1, h = 1, most;

	while (x + w < within->w && c->dirty[y][x + w] != 0 && w * VNC_TILE < VNC_RECT_WIDTH)
		w++;
	most = VNC_RECT_PIXELS / (w * VNC_TILE * VNC_TILE);
	while (y + h < within->h && h < most && row_is_dirty(c, y + h, x, w))
		h++;
	for (unsigned i = y; i < y + h; i++)
		memset(&c->dirty[i][x], 0, w);
	x *= VNC_TILE;
	y *= VNC_TILE;
	return (struct vnc_rect){ x, y, MIN(w * VNC_TILE, c->width - x), MIN(h * VNC_TILE, c->height - y) };
}

static void
choose_rects(struct vnc_client *c)
{
	struct vnc_rect tiles = wanted_tiles(c);
	unsigned room = 64;

	c->rects = xcalloc(room, sizeof(*c->rects));
	c->rect_count = c->rect_next = 0;
	for (unsigned y = tiles.y; y < tiles.h; y++) {
		for (unsigned x = tiles.x; c->dirty_row[y] && x < tiles.w && c->rect_count < RECTS_MOST; x++) {
			if (c->dirty[y][x] == 0)
				continue;
			if (c->rect_count == room) {
				room *= 2;
				c->rects = xrealloc(c->rects, room * sizeof(*c->rects));
			}
			c->rects[c->rect_count++] = take_tiles(c, x, y, &tiles);
		}
		c->dirty_row[y] = memchr(c->dirty[y], 1, VNC_GRID) != NULL;
	}
}

/* ---- sending ---- */

static void
put_header(struct vnc_client *c, unsigned x, unsigned y, unsigned w, unsigned h, int encoding)
{
	vnc_put_number(&c->out, x, 2);
	vnc_put_number(&c->out, y, 2);
	vnc_put_number(&c->out, w, 2);
	vnc_put_number(&c->out, h, 2);
	vnc_put_number(&c->out, (uint32_t)encoding, 4);
}

/* A new size stands alone in its update; what the client has then is nothing. */
static void
put_size(struct vnc_client *c, bool extended)
{
	struct vnc *v = c->vnc;

	if (c->width != v->width || c->height != v->height) {
		c->width = v->width;
		c->height = v->height;
		vnc_mark_all(c);
	}
	put_header(c, extended ? c->resize_reason : 0, extended ? c->resize_status : 0, c->width, c->height,
		extended ? PSEUDO_EXT_SIZE : PSEUDO_SIZE);
	c->resize_reason = c->resize_status = 0;
	if (!extended)
		return;
	vnc_put_number(&c->out, 1u << 24, 4); /* one screen */
	vnc_put_number(&c->out, 0, 4);
	vnc_put_number(&c->out, 0, 4);
	vnc_put_number(&c->out, c->width, 2);
	vnc_put_number(&c->out, c->height, 2);
	vnc_put_number(&c->out, 0, 4);
}

/* The pixels, then a mask of those that are there. */
static void
put_pointer(struct vnc_client *c)
{
	struct vnc *v = c->vnc;
	unsigned w = v->pointer != NULL ? v->pointer_width : 0, h = v->pointer != NULL ? v->pointer_height : 0;
	uint32_t *copy = xcalloc((size_t)w * h + 1, sizeof(*copy));

	put_header(c, v->hot_x, v->hot_y, w, h, PSEUDO_CURSOR);
	if (w != 0)
		memcpy(copy, v->pointer, 4ul * w * h);
	vnc_encode(&c->encoder, VNC_RAW, copy, w, h, &c->out);
	free(copy);
	for (unsigned y = 0; y < h; y++) {
		for (unsigned x = 0; x < w; x += 8) {
			unsigned mask = 0;

			for (unsigned i = 0; i < 8 && x + i < w; i++)
				mask |= (v->pointer[y * w + x + i] >> 31) << (7 - i);
			vnc_put_number(&c->out, mask, 1);
		}
	}
}

static void
put_pseudo(struct vnc_client *c, unsigned kind)
{
	size_t length = strlen(c->vnc->title);

	switch (kind) {
	case VNC_HAS_EXT_SIZE:
		put_size(c, true);
		break;
	case VNC_HAS_CURSOR:
		put_pointer(c);
		break;
	case VNC_HAS_POINTER_TYPE:
		put_header(c, c->vnc->absolute, 0, c->width, c->height, PSEUDO_POINTER_TYPE);
		break;
	case VNC_HAS_EXT_KEYS:
		put_header(c, 0, 0, c->width, c->height, PSEUDO_EXT_KEYS);
		break;
	case VNC_HAS_LEDS:
		put_header(c, 0, 0, 0, 0, PSEUDO_LEDS);
		vnc_put_number(&c->out, c->vnc->leds, 1);
		break;
	case VNC_HAS_NAME:
		put_header(c, 0, 0, 0, 0, PSEUDO_NAME);
		vnc_put_number(&c->out, length, 4);
		vnc_put(&c->out, c->vnc->title, length);
		break;
	}
}

static void
put_colour_map(struct vnc_client *c)
{
	const struct vnc_format *f = &c->encoder.format;

	vnc_put(&c->out, (uint8_t[6]){ 1, 0, 0, 0, 1, 0 }, 6); /* 256 entries from 0 on */
	for (unsigned i = 0; i < 256; i++)
		for (unsigned colour = 0; colour < 3; colour++)
			vnc_put_number(&c->out, (i >> f->shift[colour] & f->max[colour]) * 65535u / f->max[colour], 2);
}

static void
change_format(struct vnc_client *c)
{
	c->format_changed = false;
	c->encoder.format = c->next_format;
	if (!c->next_format.true_colour)
		put_colour_map(c);
}

static void
begin(struct vnc_client *c)
{
	unsigned owed = c->owes & c->has, size = owed & (VNC_HAS_SIZE | VNC_HAS_EXT_SIZE), count = 0;
	bool resized = c->width != c->vnc->width || c->height != c->vnc->height;

	c->wants = false;
	if (c->format_changed)
		change_format(c);
	vnc_put_number(&c->out, 0, 2); /* FramebufferUpdate, padding */
	if (size != 0 && resized) {
		c->owes &= ~(VNC_HAS_SIZE | VNC_HAS_EXT_SIZE);
		vnc_put_number(&c->out, 1, 2);
		put_size(c, (size & VNC_HAS_EXT_SIZE) != 0);
		return;
	}
	choose_rects(c);
	c->owes &= ~owed;
	owed &= ~(unsigned)VNC_HAS_SIZE;
	c->ends_with_last = (c->has & VNC_HAS_LAST) != 0;
	for (unsigned i = 0; i < 32; i++)
		count += owed >> i & 1;
	vnc_put_number(&c->out, c->ends_with_last ? 0xffff : count + c->rect_count, 2);
	for (unsigned i = 0; i < 32; i++)
		if ((owed >> i & 1) != 0)
			put_pseudo(c, 1u << i);
}

/* What is past the picture (it became smaller in the meantime) is black. */
static void
send_rect(struct vnc_client *c, const struct vnc_rect *r)
{
	struct vnc *v = c->vnc;
	unsigned have = r->x < v->width ? MIN(r->w, v->width - r->x) : 0;

	for (unsigned y = 0; y < r->h; y++) {
		uint32_t *to = v->scratch + (size_t)y * r->w;
		unsigned n = r->y + y < v->height ? have : 0;

		if (n != 0)
			memcpy(to, v->pixels + (size_t)(r->y + y) * v->width + r->x, 4ul * n);
		memset(to + n, 0, 4ul * (r->w - n));
	}
	put_header(c, r->x, r->y, r->w, r->h, c->encoding);
	vnc_encode(&c->encoder, c->encoding, v->scratch, r->w, r->h, &c->out);
}

static void
end(struct vnc_client *c)
{
	if (c->ends_with_last)
		put_header(c, 0, 0, 0, 0, PSEUDO_LAST);
	free(c->rects);
	c->rects = NULL;
}

bool
vnc_update_go_on(struct vnc_client *c)
{
	uint64_t started = pace_now_ns();

	if (!vnc_update_waits(c))
		return false;
	if (c->rects == NULL)
		begin(c);
	while (c->rects != NULL && c->rect_next < c->rect_count && c->out.len - c->out.sent <= VNC_QUEUE_MOST) {
		send_rect(c, &c->rects[c->rect_next++]);
		if (pace_now_ns() - started >= PORTION_NS)
			break;
	}
	if (c->rects != NULL && c->rect_next == c->rect_count)
		end(c);
	vnc_client_flush(c);
	return vnc_update_waits(c);
}
