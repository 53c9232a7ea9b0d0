/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VGA: the registers of IBM's "PS/2 Hardware Interface Technical Reference, Video Subsystem", for the cards that are made
 * of it.
 *
 * Left out: the vertical interrupt, the light pen, the border, and the display's blanking by skew and by the end registers,
 * which no picture depends on.
 */
#include "hw/vga.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Bits that exist; the others read as zero. */
static const uint8_t seq_bits[SEQ_COUNT] = { 0x03, 0x3d, 0x0f, 0x3f, 0x0e, 0, 0, 0xff };
static const uint8_t gfx_bits[GFX_COUNT] = { 0x0f, 0x0f, 0x0f, 0x1f, 0x03, 0x7b, 0x0f, 0x0f, 0xff };
static const uint8_t attr_bits[32] = {
	0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f, 0x3f,
	0xef, 0xff, 0x3f, 0x0f, 0x0f,
};

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
	b.retrace_ns = now - in_frame + t.retrace * t.line_ns + (line >= t.retrace ? frame_ns : 0);
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
	v->state.dac_latch[v->state.dac_component++] = value & (v->state.dac_wide ? 0xff : 0x3f);
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

/* The start address is taken over with the vertical retrace: what is shown until then is kept. */
static void
hold_start(struct vga *v)
{
	if (clock_now(v->clock) < v->state.start_at_ns)
		return;
	v->state.start_at_ns = vga_beam(v).retrace_ns;
	v->state.start_shown = v->state.crt[CRT_START_HIGH] << 8 | v->state.crt[CRT_START_LOW];
}

/* Bit 7 of the retrace end register protects 0 to 7, but for the line compare's bit 8. */
static void
write_crt(struct vga *v, uint8_t value)
{
	unsigned n = v->state.crt_index;
	uint8_t *crt = v->state.crt;

	if (n >= CRT_COUNT)
		return;
	if (n == CRT_START_HIGH || n == CRT_START_LOW)
		hold_start(v);
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

/* Where N is past the COUNT registers of the standard, there is none. */
static uint8_t
read_register(const uint8_t *registers, unsigned n, unsigned count)
{
	return n < count ? registers[n] : 0;
}

static uint8_t
read_standard(struct vga *v, unsigned port)
{
	switch (port) {
	case PORT_ATTR:
		return v->state.attr_is_data ? 0 : v->state.attr_index;
	case PORT_ATTR_READ:
		return v->state.attr[v->state.attr_index & 0x1f];
	case PORT_MISC:
		return 0x10;
	case PORT_SEQ_INDEX:
		return v->state.seq_index;
	case PORT_SEQ:
		return read_register(v->state.seq, v->state.seq_index, SEQ_COUNT);
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
		return read_register(v->state.gfx, v->state.gfx_index, GFX_COUNT);
	case PORT_CRT_INDEX:
		return v->state.crt_index;
	case PORT_CRT:
		return read_register(v->state.crt, v->state.crt_index, CRT_COUNT);
	case PORT_STATUS:
		return read_status(v);
	}
	return 0xff;
}

uint64_t
vga_read_port(struct vga *v, unsigned port)
{
	unsigned colour = colour_port(v, port);
	uint8_t value;

	if (v->ops->read != NULL && colour != 0 && v->ops->read(v, colour, &value))
		return value;
	return read_standard(v, colour);
}

/* True: the window may be another one now. */
static bool
write_standard(struct vga *v, unsigned port, uint8_t value)
{
	unsigned n;

	switch (port) {
	case PORT_ATTR:
		write_attr(v, value);
		return false;
	case PORT_MISC:
		v->state.misc = value & 0xef;
		return true;
	case PORT_SEQ_INDEX:
		v->state.seq_index = value & v->ops->seq_mask;
		return false;
	case PORT_SEQ:
		n = v->state.seq_index;
		if (n < SEQ_COUNT)
			v->state.seq[n] = value & seq_bits[n];
		return n == SEQ_MAP_MASK || n == SEQ_MEMORY_MODE;
	case PORT_DAC_MASK:
		v->state.dac_mask = value;
		return false;
	case PORT_DAC_READ:
		set_dac_index(v, value, true);
		return false;
	case PORT_DAC_WRITE:
		set_dac_index(v, value, false);
		return false;
	case PORT_DAC:
		write_dac(v, value);
		return false;
	case PORT_GFX_INDEX:
		v->state.gfx_index = value & v->ops->gfx_mask;
		return false;
	case PORT_GFX:
		n = v->state.gfx_index;
		if (n < GFX_COUNT)
			v->state.gfx[n] = value & gfx_bits[n];
		return n < GFX_COUNT && n != GFX_COMPARE && n != GFX_READ_MAP && n != GFX_DONT_CARE;
	case PORT_CRT_INDEX:
		v->state.crt_index = value & v->ops->crt_mask;
		return false;
	case PORT_CRT:
		write_crt(v, value);
		return false;
	case PORT_STATUS:
		v->state.feature = value & 0x0b;
		return false;
	}
	return false;
}

void
vga_write_port(struct vga *v, unsigned port, uint8_t value)
{
	unsigned colour = colour_port(v, port);

	if (v->ops->write != NULL && colour != 0 && v->ops->write(v, colour, value))
		return;
	if (write_standard(v, colour, value))
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

/* ---- what cards are made of ---- */

void
vga_power_on(struct vga *v)
{
	struct vga_state *s = &v->state;
	struct vga_state old = *s;

	memset(s, 0, sizeof(*s));
	s->pci = old.pci;
	s->wish_width = old.wish_width;
	s->wish_height = old.wish_height;
	s->misc = MISC_COLOR_PORTS;
	s->dac_mask = 0xff;
	v->draw_all = true;
	pci_reset(&v->pci);
}

void
vga_restore(struct vga *v)
{
	v->state.seq_index &= v->ops->seq_mask;
	v->state.crt_index &= v->ops->crt_mask;
	v->state.gfx_index &= v->ops->gfx_mask;
	v->draw_all = true;
	pci_loaded(&v->pci);
	vga_map_window(v);
}

void
vga_free(struct vga *v)
{
	for (unsigned i = 0; i < ARRAY_SIZE(v->direct); i++)
		space_remove(&v->direct[i]);
	space_remove(&v->window);
	for (unsigned i = 0; i < ARRAY_SIZE(v->ports); i++)
		space_remove(&v->ports[i].region);
	pci_detach(&v->pci);
	munmap(v->vram, v->vram_bytes);
	free(v->touched);
	free(v->surface.pixels);
	free(v->line);
	free(v->cells);
	free(v->shown);
}

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
}

/* In whole pages, as the processor's shadow entries like it. */
static uint8_t *
map_vram(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED) {
		fprintf(stderr, "vga: the host has no memory for %llu MiB of video memory\n", (unsigned long long)(bytes / MiB));
		exit(1);
	}
	return p;
}

/* RAM is at 0 and the system management RAM above the window, so that 1 shows it to all other code. */
enum { WINDOW_PRIORITY = 1 };

void
vga_init(struct vga *v, const struct vga_ops *ops, const struct dev_env *env, unsigned mib, bool ports)
{
	v->ops = ops;
	v->clock = env->clock;
	v->mem = env->mem;
	v->vram_bytes = mib * MiB;
	v->vram = map_vram(v->vram_bytes);
	v->touched = xcalloc(v->vram_bytes >> 18, sizeof(*v->touched));
	region_init_ram(&v->lfb, "vga.vram", v->vram, v->vram_bytes);
	v->lfb.log_dirty = true;
	region_init_io(&v->window, "vga.window", &vga_window_ops, v, 128 * KiB);
	for (unsigned i = 0; i < ARRAY_SIZE(v->direct); i++) {
		region_init_ram(&v->direct[i], "vga.linear", v->vram, 128 * KiB);
		v->direct[i].log_dirty = true;
	}
	if (ports) {
		add_ports(v, env->io);
		space_add(env->mem, &v->window, 0xa0000, WINDOW_PRIORITY);
	}
	v->display = (struct display){ .opaque = v, .update = vga_update, .invalidate = vga_invalidate, .text = vga_text };
}
