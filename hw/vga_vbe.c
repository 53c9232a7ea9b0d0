/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bochs VBE: index and data at 1CEh and 1CFh (also 1D0h), as "VBE DISPI interface" of the Bochs documentation describes
 * version B0C5h, and the same registers in BAR 2 of the PCI device:
 *
 *     000h EDID   400h ports 3C0h-3DFh   500h VBE registers, 16 bits each   600h size of what follows, byte order
 */
#include "hw/vga.h"

#include "base/util.h"

enum {
	VBE_NEWEST = 0xb0c5, VBE_OLDEST = 0xb0c0,
	MMIO_PORTS = 0x400, MMIO_VBE = 0x500, MMIO_EXTENDED = 0x600,
	BANKS = VGA_VRAM_BYTES >> 16,
};

static unsigned
line_bytes(unsigned bpp, unsigned width)
{
	return bpp == 4 ? width / 8 : width * ((bpp + 7) / 8);
}

/* What a plane, or in packed modes all, can hold. */
static uint32_t
memory_bytes(const struct vga *v)
{
	return v->state.vbe[VBE_BPP] == 4 ? VGA_VRAM_BYTES / 4 : VGA_VRAM_BYTES;
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
write_enable(struct vga *v, uint16_t value)
{
	uint16_t *r = v->state.vbe, old = r[VBE_ENABLE];
	bool on = (value & VBE_ENABLED) != 0, was_on = (old & VBE_ENABLED) != 0;

	r[VBE_ENABLE] = value & (VBE_ENABLED | VBE_GET_CAPABILITIES | VBE_8BIT_DAC | VBE_LFB | VBE_KEEP_MEMORY);
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
			memset(v->vram, 0, (size_t)v->state.vbe_line * r[VBE_YRES] * (r[VBE_BPP] == 4 ? 4 : 1));
	}
	if (!on)
		r[VBE_BANK] = 0;
	v->redraw = true;
}

static void
write_vbe(struct vga *v, unsigned index, uint16_t value)
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
		r[VBE_BANK] = value % BANKS;
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

static uint16_t
read_vbe(const struct vga *v, unsigned index)
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
	return offset == 0 ? v->state.vbe_index : read_vbe(v, v->state.vbe_index);
}

static void
vbe_port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga *v = opaque;

	(void)size;
	if (offset == 0)
		v->state.vbe_index = value;
	else
		write_vbe(v, v->state.vbe_index, value);
}

const struct region_ops vga_vbe_port_ops = { vbe_port_read, vbe_port_write, 1, 2 };

void
vga_vbe_reset(struct vga *v)
{
	memset(v->state.vbe, 0, sizeof(v->state.vbe));
	v->state.vbe[VBE_ID] = VBE_NEWEST;
	v->state.vbe[VBE_BPP] = 8;
	v->state.vbe[VBE_MEMORY_64K] = BANKS;
}

bool
vga_vbe_valid(const struct vga *v)
{
	const uint16_t *r = v->state.vbe;
	uint64_t end;

	if (!is_depth(r[VBE_BPP]) || r[VBE_BANK] >= BANKS)
		return false;
	if (!vga_vbe_on(v))
		return true;
	if (r[VBE_XRES] < 8 || r[VBE_XRES] > VBE_MAX_WIDTH || r[VBE_YRES] < 1 || r[VBE_YRES] > VBE_MAX_HEIGHT ||
		r[VBE_XRES] + r[VBE_X_OFFSET] > r[VBE_VIRT_WIDTH])
		return false;
	end = ((uint64_t)r[VBE_Y_OFFSET] + r[VBE_YRES]) * v->state.vbe_line;
	return v->state.vbe_line == line_bytes(r[VBE_BPP], r[VBE_VIRT_WIDTH]) && end <= memory_bytes(v);
}

/* ---- BAR 2 ---- */

enum { ORDER_LITTLE = 0x1e1e1e1e, ORDER_BIG = 0xbebebebe };

static uint8_t
extended_byte(const struct vga *v, unsigned offset)
{
	uint32_t word = offset < 4 ? 8 : v->state.big_endian ? ORDER_BIG : ORDER_LITTLE;

	return offset < 8 ? word >> 8 * (offset & 3) : 0xff;
}

static uint64_t
mmio_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vga *v = opaque;
	uint64_t value = 0;

	if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * VBE_REGS)
		return read_vbe(v, (offset - MMIO_VBE) / 2) >> 8 * (offset & 1);
	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i;
		uint8_t byte = 0xff;

		if (at < sizeof(v->edid))
			byte = v->edid[at];
		else if (at >= MMIO_PORTS && at < MMIO_PORTS + 0x20)
			byte = vga_read_port(v, 0x3c0 + at - MMIO_PORTS);
		else if (at >= MMIO_EXTENDED && at < MMIO_EXTENDED + 8)
			byte = extended_byte(v, at - MMIO_EXTENDED);
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static void
mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga *v = opaque;

	if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * VBE_REGS && (offset & 1) == 0)
		write_vbe(v, (offset - MMIO_VBE) / 2, value);
	else if (offset == MMIO_EXTENDED + 4 && size == 4 && (value == ORDER_LITTLE || value == ORDER_BIG))
		v->state.big_endian = value == ORDER_BIG;
	for (unsigned i = 0; i < size; i++) {
		unsigned at = offset + i;

		if (at >= MMIO_PORTS && at < MMIO_PORTS + 0x20)
			vga_write_port(v, 0x3c0 + at - MMIO_PORTS, value >> 8 * i);
	}
}

const struct region_ops vga_mmio_ops = { mmio_read, mmio_write, 1, 4 };

/* ---- EDID 1.4, "VESA Enhanced EDID Standard" ---- */

/* 1280x800 at 60 Hz by VESA's CVT: 83.5 MHz, 1280+72+128+200, 800+3+6+22, 300 mm by 190 mm. */
static const uint8_t edid_timing[18] = {
	0x9e, 0x20, 0x00, 0x90, 0x51, 0x20, 0x1f, 0x30, 0x48, 0x80, 0x36, 0x00, 0x2c, 0xbe, 0x10, 0x00, 0x00, 0x1a,
};

void
vga_make_edid(uint8_t edid[256])
{
	static const uint8_t head[] = {
		0x00, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00,
		0x0c, 0x2c, 0x01, 0x00, 0x01, 0x00, 0x00, 0x00, /* "CAL", product 1, serial 1 */
		0x01, 0x22, 0x01, 0x04,                         /* week 1 of 2024, EDID 1.4 */
		0xa5, 0x1e, 0x13, 0x78, 0x06,                   /* digital, 30 cm by 19 cm, gamma 2.2, sRGB and preferred mode */
		0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54, /* sRGB's primaries */
		0x21, 0x08, 0x00,                               /* 640x480, 800x600, 1024x768, all at 60 Hz */
		0x61, 0x40, 0x81, 0x80, 0x95, 0x00, 0xa9, 0x40, 0xd1, 0xc0, 0x01, 0x01, 0x01, 0x01, 0x01, 0x01,
	};
	static const uint8_t name[18] = { 0, 0, 0, 0xfc, 0, 'c', 'a', 'l', 'q', 'u', 'e', '\n', ' ', ' ', ' ', ' ', ' ', ' ' };
	static const uint8_t ranges[18] = { 0, 0, 0, 0xfd, 0, 50, 125, 30, 160, 60, 0x01, '\n', ' ', ' ', ' ', ' ', ' ', ' ' };
	static const uint8_t nothing[18] = { 0, 0, 0, 0x10 };
	uint8_t sum = 0;

	memset(edid, 0, 256);
	memcpy(edid, head, sizeof(head));
	memcpy(edid + 54, edid_timing, 18);
	memcpy(edid + 72, name, 18);
	memcpy(edid + 90, ranges, 18);
	memcpy(edid + 108, nothing, 18);
	for (unsigned i = 0; i < 127; i++)
		sum += edid[i];
	edid[127] = -sum;
}
