/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bochs VBE: index and data at 1CEh and 1CFh (also 1D0h), as "VBE DISPI interface" of the Bochs documentation describes
 * version B0C5h.
 */
#include "hw/vga.h"

#include "base/util.h"

enum { VBE_NEWEST = 0xb0c5, VBE_OLDEST = 0xb0c0 };

static unsigned
line_bytes(unsigned bpp, unsigned width)
{
	return bpp == 4 ? width / 8 : width * ((bpp + 7) / 8);
}

/* What a plane, or in packed modes all, can hold. */
static uint32_t
memory_bytes(const struct vga *v)
{
	return v->state.vbe[VBE_BPP] == 4 ? v->vram_bytes / 4 : v->vram_bytes;
}

/* Brings all dimensions into what is possible; the virtual width follows the smaller of the two. */
static void
settle(struct vga *v)
{
	uint16_t *r = v->state.vbe;
	unsigned bpp = r[VBE_BPP], lines;

	r[VBE_XRES] = MAX(MIN(r[VBE_XRES] & ~7u, (unsigned)VBE_MAX_WIDTH), 8);
	r[VBE_VIRT_WIDTH] = MAX(r[VBE_VIRT_WIDTH] & ~7u, r[VBE_XRES]);
	if (line_bytes(bpp, r[VBE_VIRT_WIDTH]) > 0xffff)
		r[VBE_VIRT_WIDTH] = r[VBE_XRES];
	v->state.vbe_line = line_bytes(bpp, r[VBE_VIRT_WIDTH]);
	lines = memory_bytes(v) / v->state.vbe_line;
	r[VBE_VIRT_HEIGHT] = MIN(lines, 0xffff);
	r[VBE_YRES] = MAX(MIN(r[VBE_YRES], MIN(lines, (unsigned)VBE_MAX_HEIGHT)), 1);
	r[VBE_X_OFFSET] = MIN(r[VBE_X_OFFSET], r[VBE_VIRT_WIDTH] - r[VBE_XRES]);
	r[VBE_Y_OFFSET] = MIN(r[VBE_Y_OFFSET], lines - r[VBE_YRES]);
}

static bool
is_depth(unsigned bpp)
{
	return bpp == 4 || bpp == 8 || bpp == 15 || bpp == 16 || bpp == 24 || bpp == 32;
}

/* The VGA's own registers as they suit the mode, which is what software finds that reads or saves them. */
static void
follow(struct vga *v)
{
	const uint16_t *r = v->state.vbe;
	uint8_t *crt = v->state.crt, *seq = v->state.seq, *gfx = v->state.gfx;
	unsigned last = r[VBE_YRES] - 1u;
	bool planar = r[VBE_BPP] == 4;

	gfx[GFX_MISC] = (gfx[GFX_MISC] & ~0x0c) | 0x05;
	gfx[GFX_MODE] = (gfx[GFX_MODE] & ~0x60) | (planar ? 0 : 0x40);
	seq[SEQ_MAP_MASK] |= 0x0f;
	seq[SEQ_CLOCKING] &= ~0x08;
	seq[SEQ_MEMORY_MODE] = (seq[SEQ_MEMORY_MODE] & ~0x08) | 0x06 | (planar ? 0 : 0x08);
	crt[CRT_MODE] |= 0x03;
	crt[CRT_OFFSET] = v->state.vbe_line >> 3;
	crt[CRT_H_DISPLAY] = (r[VBE_XRES] >> 3) - 1;
	crt[CRT_V_DISPLAY] = last;
	crt[CRT_OVERFLOW] = (crt[CRT_OVERFLOW] & ~0x42) | (last >> 7 & 0x02) | (last >> 3 & 0x40) | 0x10;
	crt[CRT_MAX_SCAN] = (crt[CRT_MAX_SCAN] & ~0x9f) | 0x40;
	crt[CRT_LINE_COMPARE] = 0xff;
}

static void
clear_memory(struct vga *v)
{
	size_t bytes = (size_t)v->state.vbe_line * v->state.vbe[VBE_YRES] * (v->state.vbe[VBE_BPP] == 4 ? 4 : 1);

	memset(v->vram, 0, bytes);
	vga_touch(v, 0, bytes);
}

static void
write_enable(struct vga *v, uint16_t value)
{
	uint16_t *r = v->state.vbe, old = r[VBE_ENABLE];
	bool on = (value & VBE_ENABLED) != 0, was_on = (old & VBE_ENABLED) != 0;

	r[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GET_CAPABILITIES | VBE_8BIT_DAC | VBE_LFB | VBE_KEEP_MEMORY);
	v->state.dac_wide = (value & VBE_8BIT_DAC) != 0;
	if (((old ^ value) & VBE_8BIT_DAC) != 0) {
		for (unsigned i = 0; i < sizeof(v->state.dac); i++)
			v->state.dac[i] = (value & VBE_8BIT_DAC) != 0 ? v->state.dac[i] << 2 : v->state.dac[i] >> 2;
	}
	if (on && !was_on) {
		r[VBE_VIRT_WIDTH] = r[VBE_XRES];
		r[VBE_X_OFFSET] = r[VBE_Y_OFFSET] = 0;
		settle(v);
		follow(v);
		if ((value & VBE_KEEP_MEMORY) == 0)
			clear_memory(v);
	}
	if (!on)
		r[VBE_BANK] = 0;
}

void
vga_vbe_write(struct vga *v, unsigned index, uint16_t value)
{
	uint16_t *r = v->state.vbe;

	switch (index) {
	case VBE_ID:
		if (value >= VBE_OLDEST && value <= VBE_NEWEST)
			r[VBE_ID] = value;
		return;
	case VBE_BPP:
		value = value == 0 ? 8 : value;
		if (!is_depth(value)) {
			guest_bug(&v->pci.dev, "VBE: %u bits per pixel", value);
			return;
		}
		break;
	case VBE_ENABLE:
		write_enable(v, value);
		vga_map_window(v);
		return;
	case VBE_BANK:
		r[VBE_BANK] = value % (v->vram_bytes >> 16);
		vga_map_window(v);
		return;
	case VBE_XRES:
	case VBE_YRES:
	case VBE_VIRT_WIDTH:
	case VBE_X_OFFSET:
	case VBE_Y_OFFSET:
		break;
	default:
		return;
	}
	r[index] = value;
	if (vga_vbe_on(v))
		settle(v);
	vga_map_window(v);
}

uint16_t
vga_vbe_read(const struct vga *v, unsigned index)
{
	static const uint16_t most[] = { [VBE_XRES] = VBE_MAX_WIDTH, [VBE_YRES] = VBE_MAX_HEIGHT, [VBE_BPP] = VBE_MAX_BPP };

	if (index >= VBE_REGS)
		return 0;
	if (index >= VBE_XRES && index <= VBE_BPP && (v->state.vbe[VBE_ENABLE] & VBE_GET_CAPABILITIES) != 0)
		return most[index];
	return v->state.vbe[index];
}

static uint64_t
vbe_port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vga *v = opaque;

	(void)size;
	return offset == 0 ? v->state.vbe_index : vga_vbe_read(v, v->state.vbe_index);
}

static void
vbe_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga *v = opaque;

	(void)size;
	if (offset == 0)
		v->state.vbe_index = value;
	else
		vga_vbe_write(v, v->state.vbe_index, value);
}

const struct region_ops vga_vbe_port_ops = { vbe_port_read, vbe_port_write, 1, 2 };

void
vga_vbe_reset(struct vga *v)
{
	memset(v->state.vbe, 0, sizeof(v->state.vbe));
	v->state.vbe[VBE_ID] = VBE_NEWEST;
	v->state.vbe[VBE_BPP] = 8;
	v->state.vbe[VBE_MEMORY_64K] = v->vram_bytes >> 16;
}

bool
vga_vbe_valid(const struct vga *v)
{
	const uint16_t *r = v->state.vbe;
	uint64_t end;

	if (!is_depth(r[VBE_BPP]) || r[VBE_BANK] >= v->vram_bytes >> 16)
		return false;
	if (!vga_vbe_on(v))
		return true;
	if (r[VBE_XRES] < 8 || r[VBE_XRES] > VBE_MAX_WIDTH || r[VBE_YRES] < 1 || r[VBE_YRES] > VBE_MAX_HEIGHT ||
		r[VBE_XRES] + r[VBE_X_OFFSET] > r[VBE_VIRT_WIDTH])
		return false;
	end = ((uint64_t)r[VBE_Y_OFFSET] + r[VBE_YRES]) * v->state.vbe_line;
	return v->state.vbe_line == line_bytes(r[VBE_BPP], r[VBE_VIRT_WIDTH]) && end <= memory_bytes(v);
}

/* ---- the picture, the window ---- */

/* The picture is packed pixels, or planes that go on past 64 KiB. */
void
vga_vbe_picture(const struct vga *v, struct vga_picture *p)
{
	const uint16_t *r = v->state.vbe;
	struct vga_look *l = &p->look;

	if (!vga_vbe_on(v))
		return;
	if ((v->state.attr_index & 0x20) == 0) {
		l->kind = VGA_BLANK;
		return;
	}
	l->width = r[VBE_XRES];
	l->height = r[VBE_YRES];
	l->pitch = v->state.vbe_line;
	p->start = (uint32_t)r[VBE_Y_OFFSET] * v->state.vbe_line;
	if (r[VBE_BPP] != 4) {
		l->kind = VGA_PACKED;
		l->bpp = r[VBE_BPP];
		l->line_repeat = 1;
		l->big_endian = v->state.big_endian;
		p->start += line_bytes(r[VBE_BPP], r[VBE_X_OFFSET]);
		return;
	}
	l->kind = VGA_PLANAR;
	l->straight = 1;
	l->chars = l->width / 8;
	l->doubled = l->underline = l->preset_row = l->byte_pan = l->gfx_mode = l->attr_mode = 0;
	l->crt_mode = 3;
	l->rows = l->repeat = 1;
	l->split = UINT32_MAX;
	l->pan = r[VBE_X_OFFSET] & 7;
	p->start += r[VBE_X_OFFSET] / 8;
}

/* In packed modes the window is memory, whatever the planes' registers say. */
bool
vga_vbe_map(struct vga *v, struct vga_direct direct[2])
{
	static const struct vga_direct maps[4] = {
		{ 0xa0000, 0, 0x20000 }, { 0xa0000, 0, 0x10000 }, { 0xb0000, 0, 0x8000 }, { 0xb8000, 0, 0x8000 },
	};

	v->bank = v->state.vbe[VBE_BANK] << 16;
	if (!vga_vbe_on(v) || v->state.vbe[VBE_BPP] == 4)
		return false;
	if ((v->state.misc & MISC_RAM_ENABLE) != 0 && (v->state.seq[SEQ_MEMORY_MODE] & MEMORY_CHAIN4) != 0 &&
		(v->state.seq[SEQ_MAP_MASK] & 15) == 15) {
		direct[0] = maps[v->state.gfx[GFX_MISC] >> 2 & 3];
		direct[0].at = v->bank;
	}
	return true;
}
