/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the VGA share: registers in vga.c, the window at A0000h in vga_mem.c, Bochs VBE in vga_vbe.c, pixels in
 * vga_draw.c.
 */
#ifndef HW_VGA_H
#define HW_VGA_H

#include "hw/hw.h"
#include "hw/pci.h"
#include "ui/ui.h"

enum { VGA_VRAM_BYTES = 16 << 20 };

/* Indexes of the registers that the code speaks of, by the names of IBM's manual. */
enum {
	SEQ_CLOCKING = 1, SEQ_MAP_MASK = 2, SEQ_CHAR_MAP = 3, SEQ_MEMORY_MODE = 4,
	CRT_H_TOTAL = 0x00, CRT_H_DISPLAY = 0x01, CRT_V_TOTAL = 0x06, CRT_OVERFLOW = 0x07, CRT_PRESET_ROW = 0x08,
	CRT_MAX_SCAN = 0x09, CRT_CURSOR_START = 0x0a, CRT_CURSOR_END = 0x0b, CRT_START_HIGH = 0x0c, CRT_START_LOW = 0x0d,
	CRT_CURSOR_HIGH = 0x0e, CRT_CURSOR_LOW = 0x0f, CRT_V_RETRACE_START = 0x10, CRT_V_RETRACE_END = 0x11,
	CRT_V_DISPLAY = 0x12, CRT_OFFSET = 0x13, CRT_UNDERLINE = 0x14, CRT_MODE = 0x17, CRT_LINE_COMPARE = 0x18,
	GFX_SET_RESET = 0, GFX_ENABLE_SET = 1, GFX_COMPARE = 2, GFX_ROTATE = 3, GFX_READ_MAP = 4, GFX_MODE = 5,
	GFX_MISC = 6, GFX_DONT_CARE = 7, GFX_BIT_MASK = 8,
	ATTR_MODE = 0x10, ATTR_OVERSCAN = 0x11, ATTR_PLANES = 0x12, ATTR_PAN = 0x13, ATTR_COLOR = 0x14,
};

/* The Bochs registers, by index. */
enum {
	VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT, VBE_X_OFFSET,
	VBE_Y_OFFSET, VBE_MEMORY_64K, VBE_REGS
};

enum {
	VBE_ENABLED = 0x01, VBE_GET_CAPABILITIES = 0x02, VBE_8BIT_DAC = 0x20, VBE_LFB = 0x40, VBE_KEEP_MEMORY = 0x80,
	VBE_MAX_WIDTH = 5120, VBE_MAX_HEIGHT = 4096, VBE_MAX_BPP = 32,
};

/* One of the five stretches of ports. */
struct vga_ports {
	struct vga *vga;
	uint16_t base;
	struct region region;
};

struct vga {
	struct pci_dev pci;
	struct clock *clock;
	struct space *mem;
	uint8_t *vram;                 /* four planes, interleaved by byte: plane P's byte N is vram[4 * N + P] */
	struct region lfb, mmio;
	struct vga_ports ports[5];
	struct region vbe_ports;
	struct region window;          /* A0000h-BFFFFh by the rules of planes */
	struct region direct;          /* over it where the window is linear memory */
	uint32_t direct_at;            /* what DIRECT shows now: offset of vram, 0 bytes: nothing */
	uint32_t direct_size;
	uint8_t edid[256];
	struct display display;
	struct surface surface;
	size_t surface_bytes;
	bool redraw;                   /* report all of it */
	uint32_t *line;                /* one scan line under construction */
	uint16_t *cells;
	struct {
		struct pci_state pci;
		uint32_t latch;        /* plane P in bits 8P+7:8P */
		uint16_t vbe[VBE_REGS];
		uint16_t vbe_index;
		uint16_t vbe_line;     /* bytes of a line; of one plane in 4-bit modes */
		uint16_t padding;
		uint8_t big_endian;    /* byte order of the linear frame buffer, as told in the extended registers */
		uint8_t misc, feature;
		uint8_t seq_index, crt_index, gfx_index;
		uint8_t attr_index;    /* with bit 5: the palette drives the screen */
		uint8_t attr_is_data;  /* the next write of 3C0h is data */
		uint8_t seq[8], crt[32], gfx[16], attr[32];
		uint8_t dac_mask, dac_read, dac_write, dac_component;
		uint8_t dac_reading;
		uint8_t dac_latch[3];
		uint8_t dac[768];
	} state;
};

/* vga.c */
uint64_t vga_read_port(struct vga *v, unsigned port);
void vga_write_port(struct vga *v, unsigned port, uint8_t value);

/* When in a frame NOW is, from the timing that the CRTC is programmed for. */
struct vga_beam {
	uint64_t frame;     /* counted from virtual time 0 */
	bool in_display, in_retrace;
};
struct vga_beam vga_beam(const struct vga *v);
/* CRTC counters of 10 bits, whose upper bits lie elsewhere. */
unsigned vga_lines(const struct vga *v);
unsigned vga_line_compare(const struct vga *v);

/* vga_mem.c */
extern const struct region_ops vga_window_ops;
/* Makes the window what the registers say: called after every change of them. */
void vga_map_window(struct vga *v);

/* vga_vbe.c */
extern const struct region_ops vga_vbe_port_ops, vga_mmio_ops;
void vga_vbe_reset(struct vga *v);
/* False: register values that no sequence of writes makes. */
bool vga_vbe_valid(const struct vga *v);
void vga_make_edid(uint8_t edid[256]);

static inline bool
vga_vbe_on(const struct vga *v)
{
	return (v->state.vbe[VBE_ENABLE] & VBE_ENABLED) != 0;
}

/* vga_draw.c */
const struct surface *vga_update(void *opaque);
void vga_invalidate(void *opaque);
const uint16_t *vga_text(void *opaque, unsigned *columns, unsigned *rows, unsigned *cursor);

#endif
