/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CL-GD5446's picture: packed pixels beside the VGA's modes, and the hardware cursor over them. */
#include "hw/cl_gd5446.h"

#include "base/util.h"

enum { DAC_565 = 1, DAC_PAIRS = 10 };

/* Bits a dot; with 16, the hidden DAC register tells 5-6-5 from 5-5-5 and from pairs of 8. */
static unsigned
depth(const struct cirrus *c)
{
	switch (c->vga.state.seq[SR_MODE] >> 1 & 7) {
	case 1:
	case 3:
		if ((c->state.hidden_dac & 0x0f) == DAC_PAIRS)
			return 8;
		return (c->state.hidden_dac & 0x0f) == DAC_565 ? 16 : 15;
	case 2:
		return 24;
	case 4:
		return 32;
	}
	return 8;
}

/*
 * SeaVGABIOS leaves SR1's "screen off" set in its packed modes: so what counts there is the palette's bit, and whether the
 * monitor gets its syncs.
 */
static bool
is_packed_shown(const struct cirrus *c)
{
	return (c->vga.state.attr_index & 0x20) != 0 && (c->vga.state.gfx[GR_POWER] & POWER_NO_SYNC) == 0;
}

static void
describe_packed(const struct cirrus *c, struct vga_look *l)
{
	const uint8_t *crt = c->vga.state.crt;

	l->kind = is_packed_shown(c) ? VGA_PACKED : VGA_BLANK;
	l->bpp = depth(c);
	l->width = (crt[CRT_H_DISPLAY] + 1u) * 8;
	if (l->bpp == 8 && (c->vga.state.seq[SR_MODE] & 0x0e) != 0 && (c->state.hidden_dac & 0x0f) == DAC_PAIRS)
		l->width *= 2;
	l->height = vga_lines(&c->vga);
	if ((crt[CR_INTERLACE] & 1) != 0 && l->height <= 1024)
		l->height *= 2;
	l->pitch = (crt[CRT_OFFSET] | (crt[CR_EXTENDED] & 0x10) << 4) * 8u;
	l->line_repeat = l->rows * l->repeat;
}

/* The start address has 20 bits, the pitch 9.  Planes go on past 64 KiB with extended addresses. */
void
cirrus_picture(const struct vga *v, struct vga_picture *p)
{
	const struct cirrus *c = (const struct cirrus *)v;
	const uint8_t *crt = v->state.crt;
	struct vga_look *l = &p->look;

	p->start |= (crt[CR_EXTENDED] & 0x01u) << 16 | (crt[CR_EXTENDED] & 0x0cu) << 15 | (crt[CR_OVERLAY] & 0x80u) << 12;
	if ((v->state.seq[SR_MODE] & MODE_SVGA) != 0) {
		describe_packed(c, l);
		p->start *= 4;
		return;
	}
	if (l->kind == VGA_BLANK)
		return;
	l->pitch += (crt[CR_EXTENDED] & 0x10) << 5;
	if (l->kind == VGA_PLANAR && (crt[CR_EXTENDED] & 0x02) != 0 && (crt[CRT_MODE] & 0x40) != 0 && (crt[CRT_MODE] & 3) == 3)
		l->straight = 1;
}

/* ---- the cursor ---- */

static unsigned
cursor_size(const struct cirrus *c)
{
	return (c->vga.state.seq[SR_CURSOR] & CURSOR_64) != 0 ? 64 : 32;
}

/* Patterns are in the last 16 KiB: of 64 lines, both planes by turns; of 32 lines, one plane after the other. */
static void
cursor_line(const struct cirrus *c, unsigned y, uint8_t planes[2][8])
{
	bool large = cursor_size(c) == 64;
	uint64_t at = c->vga.vram_bytes - 16 * KiB + (c->vga.state.seq[SR_CURSOR_AT] & (large ? 0x3c : 0x3f)) * 256;
	unsigned bytes = large ? 8 : 4;

	for (unsigned i = 0; i < 2; i++)
		memcpy(planes[i], c->vga.vram + at + (large ? y * 16 + i * 8 : i * 128 + y * 4), bytes);
}

static uint32_t
cursor_color(const struct cirrus *c, unsigned entry)
{
	const uint8_t *d = &c->state.cursor_dac[3 * entry];
	uint32_t rgb = 0;

	for (unsigned i = 0; i < 3; i++)
		rgb = rgb << 8 | (d[i] & 0x3f) << 2 | (d[i] >> 4 & 3);
	return rgb;
}

void
cirrus_overlay_lines(struct vga *v, unsigned *first, unsigned *end)
{
	const struct cirrus *c = (const struct cirrus *)v;

	if ((v->state.seq[SR_CURSOR] & CURSOR_ON) == 0)
		return;
	*first = c->state.cursor_y;
	*end = c->state.cursor_y + cursor_size(c);
}

/* A dot's planes: none is transparent, the first alone inverts, the second has colour 0, both colour 15. */
void
cirrus_overlay(struct vga *v, unsigned y, uint32_t *line)
{
	const struct cirrus *c = (const struct cirrus *)v;
	unsigned size = cursor_size(c), width = v->surface.width;
	uint32_t colors[2] = { cursor_color(c, 0), cursor_color(c, 15) };
	uint8_t planes[2][8];

	if ((v->state.seq[SR_CURSOR] & CURSOR_ON) == 0 || y < c->state.cursor_y || y - c->state.cursor_y >= size)
		return;
	cursor_line(c, y - c->state.cursor_y, planes);
	for (unsigned x = 0; x < size && c->state.cursor_x + x < width; x++) {
		bool one = (planes[0][x / 8] >> (7 - x % 8) & 1) != 0, two = (planes[1][x / 8] >> (7 - x % 8) & 1) != 0;
		uint32_t *dot = &line[c->state.cursor_x + x];

		if (two)
			*dot = colors[one];
		else if (one)
			*dot ^= 0xffffff;
	}
}
