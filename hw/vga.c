/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VGA: the registers of IBM's "PS/2 Hardware Interface Technical Reference, Video Subsystem", as a PCI display
 * controller 1234:1111 with 16 MiB and the registers of Bochs VBE (vga_vbe.c).
 *
 * Left out: the vertical interrupt, the light pen, and the display's blanking by skew and by the end registers, which
 * no picture depends on.
 */
#include "hw/vga.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Ports, by their address of the colour set; the monochrome set has the CRTC and status 1 at 3Bxh. */
enum {
	PORT_ATTR = 0x3c0, PORT_ATTR_READ = 0x3c1, PORT_MISC = 0x3c2, PORT_SEQ_INDEX = 0x3c4, PORT_SEQ = 0x3c5,
	PORT_DAC_MASK = 0x3c6, PORT_DAC_READ = 0x3c7, PORT_DAC_WRITE = 0x3c8, PORT_DAC = 0x3c9, PORT_FEATURE_READ = 0x3ca,
	PORT_MISC_READ = 0x3cc, PORT_GFX_INDEX = 0x3ce, PORT_GFX = 0x3cf, PORT_CRT_INDEX = 0x3d4, PORT_CRT = 0x3d5,
	PORT_STATUS = 0x3da,
};

enum { MISC_COLOR_PORTS = 0x01 };

/* Bits that exist; the others read as zero. */
static const uint8_t seq_bits[8] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t gfx_bits[16] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t attr_bits[32] = {
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
	0xef, 0xff, 0x3f, 0x0f, 0x0f,
};
enum { CRT_COUNT = 0x19 };

/* ---- the beam ---- */

unsigned
vga_lines(const struct vga *v)
{
	const uint8_t *crt = v->state.crt;
	unsigned lines = (crt[CRT_V_DISPLAY] | (crt[CRT_OVERFLOW] & 0x02) << 7 | (crt[CRT_OVERFLOW] & 0x40) << 3) + 1;

	return (crt[CRT_MODE] & 0x04) != 0 ? 2 * lines : lines;
}

unsigned
vga_line_compare(const struct vga *v)
{
	const uint8_t *crt = v->state.crt;
	unsigned line = crt[CRT_LINE_COMPARE] | (crt[CRT_OVERFLOW] & 0x10) << 4 | (crt[CRT_MAX_SCAN] & 0x40) << 3;

	return (crt[CRT_MODE] & 0x04) != 0 ? 2 * line : line;
}

/* Timing in nanoseconds and lines. */
struct timing {
	uint64_t line_ns, shown_ns;
	unsigned total, shown, retrace, retrace_end;
};

/* What a VBE mode is shown with, and a CRTC that was never programmed: 640x480 at 60 Hz. */
static const struct timing standard_timing = { 31778, 25422, 525, 480, 490, 492 };

static struct timing
crtc_timing(const struct vga *v)
{
	const uint8_t *crt = v->state.crt, clocking = v->state.seq[SEQ_CLOCKING];
	unsigned dots = (clocking & 1) != 0 ? 8 : 9, over = crt[CRT_OVERFLOW];
	uint64_t hz = (v->state.misc & 0x0c) == 0x04 ? 28322000 : 25175000;
	uint64_t char_ps = dots * 1000000000000ull / hz << ((clocking & 8) != 0);
	struct timing t;

	t.line_ns = (crt[CRT_H_TOTAL] + 5) * char_ps / 1000;
	t.shown_ns = MIN((crt[CRT_H_DISPLAY] + 1) * char_ps / 1000, t.line_ns);
	t.total = (crt[CRT_V_TOTAL] | (over & 0x01) << 8 | (over & 0x20) << 4) + 2;
	t.shown = (crt[CRT_V_DISPLAY] | (over & 0x02) << 7 | (over & 0x40) << 3) + 1;
	t.retrace = crt[CRT_V_RETRACE_START] | (over & 0x04) << 6 | (over & 0x80) << 2;
	t.retrace_end = t.retrace + ((crt[CRT_V_RETRACE_END] - t.retrace) & 15);
	if (t.retrace_end == t.retrace)
		t.retrace_end += 16;
	return t;
}

/* A frame rate that no monitor shows means that there is no timing yet. */
static struct timing
timing_now(const struct vga *v)
{
	struct timing t = crtc_timing(v);
	uint64_t frame_ns = t.line_ns * t.total;

	if (vga_vbe_on(v) || frame_ns < 5000000 || frame_ns > 50000000 || t.retrace >= t.total || t.shown > t.total)
		return standard_timing;
	return t;
}

struct vga_beam
vga_beam(const struct vga *v)
{
	struct timing t = timing_now(v);
	uint64_t now = clock_now(v->clock), frame_ns = t.line_ns * t.total, in_frame = now % frame_ns;
	unsigned line = in_frame / t.line_ns;
	struct vga_beam b;

	b.frame = now / frame_ns;
	b.in_display = line < t.shown && in_frame % t.line_ns < t.shown_ns;
	b.in_retrace = line >= t.retrace && line < t.retrace_end;
	return b;
}

static uint8_t
read_status(struct vga *v)
{
	struct vga_beam b = vga_beam(v);

	v->state.attr_is_data = 0;
	return (b.in_retrace ? 0x08 : 0) | (b.in_display ? 0 : 0x01);
}

/* ---- attribute controller, DAC ---- */

static void
write_attr(struct vga *v, uint8_t value)
{
	unsigned n = v->state.attr_index & 0x1f;

	if (!v->state.attr_is_data)
		v->state.attr_index = value & 0x3f;
	else
		v->state.attr[n] = value & attr_bits[n];
	v->state.attr_is_data ^= 1;
}

static uint8_t
dac_width(const struct vga *v)
{
	return (v->state.vbe[VBE_ENABLE] & VBE_8BIT_DAC) != 0 ? 0xff : 0x3f;
}

static uint8_t
read_dac(struct vga *v)
{
	uint8_t value = v->state.dac[v->state.dac_read * 3 + v->state.dac_component];

	if (++v->state.dac_component == 3) {
		v->state.dac_component = 0;
		v->state.dac_read++;
	}
	return value;
}

/* An entry changes with its third component. */
static void
write_dac(struct vga *v, uint8_t value)
{
	v->state.dac_latch[v->state.dac_component++] = value & dac_width(v);
	if (v->state.dac_component < 3)
		return;
	memcpy(&v->state.dac[v->state.dac_write * 3], v->state.dac_latch, 3);
	v->state.dac_component = 0;
	v->state.dac_write++;
}

static void
set_dac_index(struct vga *v, uint8_t value, bool reading)
{
	*(reading ? &v->state.dac_read : &v->state.dac_write) = value;
	v->state.dac_reading = reading;
	v->state.dac_component = 0;
}

/* ---- CRTC ---- */

/* Bit 7 of the retrace end register protects 0 to 7, but for the line compare's bit 8. */
static void
write_crt(struct vga *v, uint8_t value)
{
	unsigned n = v->state.crt_index;
	uint8_t *crt = v->state.crt;

	if (n >= CRT_COUNT)
		return;
	if (n > CRT_OVERFLOW || (crt[CRT_V_RETRACE_END] & 0x80) == 0)
		crt[n] = value;
	else if (n == CRT_OVERFLOW)
		crt[n] = (crt[n] & ~0x10) | (value & 0x10);
}

/* ---- ports ---- */

/* The number in the colour set, 0 for an address that the other set has. */
static unsigned
colour_port(const struct vga *v, unsigned port)
{
	bool colour = (v->state.misc & MISC_COLOR_PORTS) != 0;

	if (port >= 0x3c0 && port < 0x3d0)
		return port;
	if ((port >= 0x3d0) != colour)
		return 0;
	return (port & 0x0f) | 0x3d0;
}

uint64_t
vga_read_port(struct vga *v, unsigned port)
{
	switch (colour_port(v, port)) {
	case PORT_ATTR:
		return v->state.attr_is_data ? 0 : v->state.attr_index;
	case PORT_ATTR_READ:
		return v->state.attr[v->state.attr_index & 0x1f];
	case PORT_MISC:
		return 0x10;
	case PORT_SEQ_INDEX:
		return v->state.seq_index;
	case PORT_SEQ:
		return v->state.seq[v->state.seq_index];
	case PORT_DAC_MASK:
		return v->state.dac_mask;
	case PORT_DAC_READ:
		return v->state.dac_reading ? 3 : 0;
	case PORT_DAC_WRITE:
		return v->state.dac_write;
	case PORT_DAC:
		return read_dac(v);
	case PORT_FEATURE_READ:
		return v->state.feature;
	case PORT_MISC_READ:
		return v->state.misc;
	case PORT_GFX_INDEX:
		return v->state.gfx_index;
	case PORT_GFX:
		return v->state.gfx[v->state.gfx_index];
	case PORT_CRT_INDEX:
		return v->state.crt_index;
	case PORT_CRT:
		return v->state.crt[v->state.crt_index];
	case PORT_STATUS:
		return read_status(v);
	}
	return 0xff;
}

void
vga_write_port(struct vga *v, unsigned port, uint8_t value)
{
	switch (colour_port(v, port)) {
	case PORT_ATTR:
		write_attr(v, value);
		return;
	case PORT_MISC:
		v->state.misc = value & 0xef;
		break;
	case PORT_SEQ_INDEX:
		v->state.seq_index = value & 7;
		return;
	case PORT_SEQ:
		v->state.seq[v->state.seq_index] = value & seq_bits[v->state.seq_index];
		break;
	case PORT_DAC_MASK:
		v->state.dac_mask = value;
		return;
	case PORT_DAC_READ:
		set_dac_index(v, value, true);
		return;
	case PORT_DAC_WRITE:
		set_dac_index(v, value, false);
		return;
	case PORT_DAC:
		write_dac(v, value);
		return;
	case PORT_GFX_INDEX:
		v->state.gfx_index = value & 15;
		return;
	case PORT_GFX:
		v->state.gfx[v->state.gfx_index] = value & gfx_bits[v->state.gfx_index];
		break;
	case PORT_CRT_INDEX:
		v->state.crt_index = value & 31;
		return;
	case PORT_CRT:
		write_crt(v, value);
		return;
	case PORT_STATUS:
		v->state.feature = value & 0x0b;
		return;
	default:
		return;
	}
	vga_map_window(v);
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vga_ports *p = opaque;

	(void)size;
	return vga_read_port(p->vga, p->base + offset);
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga_ports *p = opaque;

	(void)size;
	vga_write_port(p->vga, p->base + offset, value);
}

static const struct region_ops port_ops = { ports_read, ports_write, 1, 1 };

/* ---- the class ---- */

static void
vga_reset(struct dev *d)
{
	struct vga *v = (struct vga *)d;
	struct pci_state pci = v->state.pci;

	memset(&v->state, 0, sizeof(v->state));
	v->state.pci = pci;
	v->state.misc = MISC_COLOR_PORTS;
	v->state.dac_mask = 0xff;
	pci_reset(&v->pci);
	vga_vbe_reset(v);
	vga_map_window(v);
	v->redraw = true;
}

static bool
vga_loaded(struct dev *d, struct err *e)
{
	struct vga *v = (struct vga *)d;

	if (!vga_vbe_valid(v))
		return err_set(e, "the VGA's VBE registers don't describe a picture that fits its memory");
	pci_loaded(&v->pci);
	vga_map_window(v);
	v->redraw = true;
	return true;
}

static void
vga_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct vga *v = (struct vga *)d;
	const uint16_t *vbe = v->state.vbe;
	char text[160];

	if (vga_vbe_on(v))
		snprintf(text, sizeof(text), "mode VBE %ux%ux%u, %u bytes a line, offset %u,%u, bank %u\n", vbe[VBE_XRES],
			vbe[VBE_YRES], vbe[VBE_BPP], v->state.vbe_line, vbe[VBE_X_OFFSET], vbe[VBE_Y_OFFSET], vbe[VBE_BANK]);
	else
		snprintf(text, sizeof(text), "mode %s, %u characters a line, %u lines, window %s\n",
			(v->state.gfx[GFX_MISC] & 1) != 0 ? "graphics" : "text", v->state.crt[CRT_H_DISPLAY] + 1, vga_lines(v),
			v->direct_size != 0 ? "linear" : "by planes");
	print(opaque, text);
}

static void
vga_destroy(struct dev *d)
{
	struct vga *v = (struct vga *)d;

	space_remove(&v->direct);
	space_remove(&v->window);
	space_remove(&v->vbe_ports);
	for (unsigned i = 0; i < ARRAY_SIZE(v->ports); i++)
		space_remove(&v->ports[i].region);
	pci_detach(&v->pci);
	munmap(v->vram, VGA_VRAM_BYTES);
	free(v->surface.pixels);
	free(v->line);
	free(v->cells);
}

static const struct field fields[] = {
	PCI_FIELDS(struct vga),
	FIELD_OF(struct vga, state.latch),
	FIELD_ARRAY(struct vga, state.vbe),
	FIELD_OF(struct vga, state.vbe_index),
	FIELD_OF(struct vga, state.vbe_line),
	FIELD_SKIP(struct vga, state.padding),
	FIELD_MAX(struct vga, state.big_endian, 1),
	FIELD_OF(struct vga, state.misc),
	FIELD_OF(struct vga, state.feature),
	FIELD_MAX(struct vga, state.seq_index, 7),
	FIELD_MAX(struct vga, state.crt_index, 31),
	FIELD_MAX(struct vga, state.gfx_index, 15),
	FIELD_MAX(struct vga, state.attr_index, 63),
	FIELD_MAX(struct vga, state.attr_is_data, 1),
	FIELD_BUFFER(struct vga, state.seq),
	FIELD_BUFFER(struct vga, state.crt),
	FIELD_BUFFER(struct vga, state.gfx),
	FIELD_BUFFER(struct vga, state.attr),
	FIELD_OF(struct vga, state.dac_mask),
	FIELD_OF(struct vga, state.dac_read),
	FIELD_OF(struct vga, state.dac_write),
	FIELD_MAX(struct vga, state.dac_component, 2),
	FIELD_MAX(struct vga, state.dac_reading, 1),
	FIELD_BUFFER(struct vga, state.dac_latch),
	FIELD_BUFFER(struct vga, state.dac),
	FIELD_REMOTE_OF(struct vga, vram, VGA_VRAM_BYTES),
	FIELD_END
};

const struct dev_class vga_class = {
	DEV_OF(vga), .description = "VGA with Bochs VBE", .fields = fields, .reset = vga_reset, .loaded = vga_loaded,
	.info = vga_info, .destroy = vga_destroy,
};

static void
add_ports(struct vga *v, struct space *io)
{
	static const struct { uint16_t base, count; } stretch[] = {
		{ 0x3b4, 2 }, { 0x3ba, 1 }, { 0x3c0, 16 }, { 0x3d4, 2 }, { 0x3da, 1 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(stretch); i++) {
		struct vga_ports *p = &v->ports[i];

		p->vga = v;
		p->base = stretch[i].base;
		region_init_io(&p->region, "vga", &port_ops, p, stretch[i].count);
		space_add(io, &p->region, p->base, 0);
	}
	region_init_io(&v->vbe_ports, "vbe", &vga_vbe_port_ops, v, 4);
	space_add(io, &v->vbe_ports, 0x1ce, 0);
}

/* In whole pages, as the processor's shadow entries like it. */
static uint8_t *
map_vram(void)
{
	void *p = mmap(NULL, VGA_VRAM_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "vga: the host has no memory for 16 MiB of video memory\n");
		exit(1);
	}
	return p;
}

/* RAM is at 0 and the system management RAM above the window, so that 1 shows it to all other code. */
enum { WINDOW_PRIORITY = 1 };

struct dev *
vga_new(const struct dev_env *env, struct pci_bus *bus, const void *rom, size_t rom_size, struct display **display)
{
	static const struct pci_id id = { .vendor = 0x1234, .device = 0x1111, .class = 0x030000, .revision = 2 };
	struct vga *v = (struct vga *)dev_new(env, &vga_class, "vga");

	v->clock = env->clock;
	v->mem = env->mem;
	v->vram = map_vram();
	vga_make_edid(v->edid);
	pci_attach(&v->pci, bus, PCI_ANY_SLOT, &v->state.pci, &id);
	region_init_ram(&v->lfb, "vga.vram", v->vram, VGA_VRAM_BYTES);
	pci_add_bar(&v->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &v->lfb);
	region_init_io(&v->mmio, "vga.mmio", &vga_mmio_ops, v, 4096);
	pci_add_bar(&v->pci, 2, PCI_BAR_MEM, &v->mmio);
	if (rom != NULL)
		pci_set_rom(&v->pci, rom, rom_size);
	add_ports(v, env->io);
	region_init_io(&v->window, "vga.window", &vga_window_ops, v, 128 * KiB);
	space_add(env->mem, &v->window, 0xa0000, WINDOW_PRIORITY);
	region_init_ram(&v->direct, "vga.linear", v->vram, 128 * KiB);
	v->display = (struct display){ .opaque = v, .update = vga_update, .invalidate = vga_invalidate, .text = vga_text };
	if (display != NULL)
		*display = &v->display;
	vga_reset(&v->pci.dev);
	return &v->pci.dev;
}
