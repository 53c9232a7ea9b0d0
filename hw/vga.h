/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the display cards share.  The VGA itself: registers in vga.c, the window at A0000h in vga_mem.c, what the registers
 * make of a picture in vga_picture.c, its pixels in vga_draw.c and vga_text.c.  Cards that are made of it: vga_std.c with
 * Bochs VBE (vga_vbe.c), cl_gd5446.c.  A card's struct begins with a struct vga.
 */
#ifndef HW_VGA_H
#define HW_VGA_H

#include "hw/hw.h"
#include "hw/pci.h"
#include "ui/ui.h"

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
	SEQ_COUNT = 8, CRT_COUNT = 0x19, GFX_COUNT = 9, /* that the standard has */
};

enum {
	MISC_COLOR_PORTS = 0x01, MISC_RAM_ENABLE = 0x02,
	MEMORY_ODD_EVEN_OFF = 0x04, MEMORY_CHAIN4 = 0x08,
	MODE_GRAPHICS = 0x01, MODE_LINE_GRAPHICS = 0x04, MODE_BLINK = 0x08, MODE_PAN_COMPATIBLE = 0x20, MODE_COLOR_SELECT = 0x80,
	MODE_ODD_EVEN = 0x10, MODE_READ_COMPARE = 0x08, GFX_SHIFT_INTERLEAVED = 0x20, GFX_SHIFT_256 = 0x40,
};

/* Ports, by their address of the colour set; the monochrome set has the CRTC and status 1 at 3Bxh. */
enum {
	PORT_ATTR = 0x3c0, PORT_ATTR_READ = 0x3c1, PORT_MISC = 0x3c2, PORT_SEQ_INDEX = 0x3c4, PORT_SEQ = 0x3c5,
	PORT_DAC_MASK = 0x3c6, PORT_DAC_READ = 0x3c7, PORT_DAC_WRITE = 0x3c8, PORT_DAC = 0x3c9, PORT_FEATURE_READ = 0x3ca,
	PORT_MISC_READ = 0x3cc, PORT_GFX_INDEX = 0x3ce, PORT_GFX = 0x3cf, PORT_CRT_INDEX = 0x3d4, PORT_CRT = 0x3d5,
	PORT_STATUS = 0x3da,
};

enum {
	VGA_PLANES_BYTES = 256 << 10,  /* the standard's memory */
	VGA_MAX_COLUMNS = 257,         /* with one to pan in */
	VGA_MAX_LINES = 2048,
	VGA_MAX_LINE_DOTS = 5120 + 64, /* of any card and mode, with what is panned in */
};

enum vga_kind { VGA_BLANK, VGA_TEXT, VGA_PLANAR, VGA_PACKED };

/* A picture as the registers describe it. */
struct vga_picture {
	/* Where another value means to draw everything. */
	struct vga_look {
		uint32_t palette[256];  /* of the DAC, mask applied */
		uint32_t colors[16];    /* through the attribute controller */
		uint32_t border;
		uint32_t kind;          /* enum vga_kind */
		uint32_t width, height;
		/* Text and planes: the CRTC's counters down the screen. */
		uint32_t chars, dots;   /* characters a line, dots each */
		uint32_t pitch, split, rows, repeat;
		uint32_t font[2];       /* in plane 2: of characters without and with bit 3 of their attribute */
		uint8_t doubled;        /* each dot twice */
		uint8_t preset_row, pan, byte_pan;
		uint8_t crt_mode, underline, attr_mode, gfx_mode;
		uint8_t straight;       /* the counter is the address, past 64 KiB too */
		/* Packed pixels; PITCH in bytes. */
		uint8_t bpp, big_endian;
		uint8_t line_repeat;    /* how often each line is shown */
	} look;
	/* Where text needs to be drawn only as far as it became another one. */
	uint32_t start;                 /* the counter, or in packed modes the byte, of the first dot */
	uint32_t cursor;                /* the cell of the counter */
	uint32_t cursor_first, cursor_last;
	bool cursor_on, blink_on;
};

/* A stretch of video memory that the processor sees as plain memory. */
struct vga_direct {
	gpa base;
	uint32_t at, size; /* SIZE 0: none */
};

/* The registers as the window's accesses need them, see vga_mem.c; masks have a byte for each plane. */
struct vga_window_plan {
	uint32_t base, size;       /* from A0000h; SIZE 0: memory is off */
	uint32_t planes, set, set_enabled, bits;
	uint8_t mode, rotate, function;
	bool chain4, write_odd_even, read_odd_even;
	bool plain;                /* a write stores its value */
};

struct vga;

/* What a card has beyond the VGA.  All but the masks may be NULL. */
struct vga_ops {
	uint8_t seq_mask, crt_mask, gfx_mask; /* bits of the index registers */
	/* A port of the colour set: true, if the card has its own answer. */
	bool (*read)(struct vga *v, unsigned port, uint8_t *value);
	bool (*write)(struct vga *v, unsigned port, uint8_t value);
	/* The picture as the VGA's registers have it; the card makes it its own. */
	void (*picture)(const struct vga *v, struct vga_picture *p);
	/* The window's linear memory, and v->bank: true, if the card's own mode decides. */
	bool (*map)(struct vga *v, struct vga_direct direct[2]);
	/* Accesses of the window, up to 8 bytes: true, if the card's own mode takes them. */
	bool (*window_read)(struct vga *v, uint32_t offset, uint64_t *value, unsigned size);
	bool (*window_write)(struct vga *v, uint32_t offset, uint64_t value, unsigned size);
	/* Draws over line Y; the lines from *FIRST to before *END are wanted at every update. */
	void (*overlay)(struct vga *v, unsigned y, uint32_t *line);
	void (*overlay_lines)(struct vga *v, unsigned *first, unsigned *end);
};

/* One of the five stretches of ports. */
struct vga_ports {
	struct vga *vga;
	uint16_t base;
	struct region region;
};

struct vga {
	struct pci_dev pci;
	const struct vga_ops *ops;
	struct clock *clock;
	struct space *mem;
	uint8_t *vram;                 /* four planes, interleaved by byte: plane P's byte N is vram[4 * N + P] */
	uint64_t vram_bytes;           /* a power of two */
	struct region lfb, mmio;
	struct vga_ports ports[5];
	struct region window;          /* A0000h-BFFFFh by the rules of planes */
	struct region direct[2];       /* over it where the window is linear memory */
	uint32_t direct_at[2];         /* what DIRECT shows now: offset of vram */
	struct vga_window_plan plan;
	uint32_t bank;                 /* added to addresses of the window: bytes of a plane, or of all in chain 4 */
	struct display display;
	struct surface surface;
	size_t surface_bytes;
	bool draw_all;                 /* at the next update */
	bool report_all;               /* whether or not it changed */
	bool font_touched;             /* plane 2 was written */
	bool touched_any;
	uint64_t *touched;             /* a bit per page of vram that was written since the last update, by whatever way */
	struct vga_picture last;
	unsigned overlay_first, overlay_end; /* as they were */
	uint32_t *line;                /* one scan line under construction */
	uint16_t *cells;               /* for the display's text() */
	uint32_t *shown;               /* text as it stands on the surface, see vga_text.c */
	struct vga_state {
		struct pci_state pci;
		uint64_t start_at_ns;  /* the retrace that takes over the start address as written ... */
		uint32_t start_shown;  /* ... and what is shown until then */
		uint32_t latch;        /* plane P in bits 8P+7:8P */
		uint16_t vbe[11];      /* vga_vbe.c */
		uint16_t vbe_index;
		uint16_t vbe_line;     /* bytes of a line; of one plane in 4-bit modes */
		uint16_t wish_width, wish_height; /* the EDID's preferred mode, 0: as configured */
		uint8_t big_endian;    /* byte order of the linear frame buffer, as told in the extended registers */
		uint8_t misc, feature;
		uint8_t seq_index, crt_index, gfx_index;
		uint8_t attr_index;    /* with bit 5: the palette drives the screen */
		uint8_t attr_is_data;  /* the next write of 3C0h is data */
		uint8_t dac_mask, dac_read, dac_write, dac_component;
		uint8_t dac_reading;
		uint8_t dac_wide;      /* 8 bits a colour */
		uint8_t dac_latch[3];
		uint8_t seq[32], crt[64], gfx[64], attr[32];
		uint8_t dac[768];
		uint8_t padding;
	} state;                       /* the last: a card's own follows */
};

/* Rows of a card's field table for the struct vga_state at S of TYPE, and the video memory of V. */
#define VGA_FIELDS(type, v, s) \
	FIELD_BUFFER(type, s.pci.config), FIELD_MAX(type, s.pci.intx, 1), \
	FIELD_OF(type, s.start_at_ns), FIELD_OF(type, s.start_shown), FIELD_OF(type, s.latch), \
	FIELD_ARRAY(type, s.vbe), FIELD_OF(type, s.vbe_index), FIELD_OF(type, s.vbe_line), \
	FIELD_MAX(type, s.wish_width, 5120), FIELD_MAX(type, s.wish_height, 4096), \
	FIELD_MAX(type, s.big_endian, 1), FIELD_OF(type, s.misc), FIELD_OF(type, s.feature), \
	FIELD_OF(type, s.seq_index), FIELD_MAX(type, s.crt_index, 63), FIELD_MAX(type, s.gfx_index, 63), \
	FIELD_MAX(type, s.attr_index, 63), FIELD_MAX(type, s.attr_is_data, 1), \
	FIELD_OF(type, s.dac_mask), FIELD_OF(type, s.dac_read), FIELD_OF(type, s.dac_write), FIELD_MAX(type, s.dac_component, 2), \
	FIELD_MAX(type, s.dac_reading, 1), FIELD_MAX(type, s.dac_wide, 1), FIELD_BUFFER(type, s.dac_latch), \
	FIELD_BUFFER(type, s.seq), FIELD_BUFFER(type, s.crt), FIELD_BUFFER(type, s.gfx), FIELD_BUFFER(type, s.attr), \
	FIELD_BUFFER(type, s.dac), FIELD_SKIP(type, s.padding), FIELD_EXTENT_OF(type, v vram, v vram_bytes)

/* ---- vga.c ---- */

/* After dev_new(): memory of MIB MiB, ports and window unless PORTS is false, the display; the card attaches itself to PCI. */
void vga_init(struct vga *v, const struct vga_ops *ops, const struct dev_env *env, unsigned mib, bool ports);
void vga_power_on(struct vga *v);
/* After a load: what follows from the registers. */
void vga_restore(struct vga *v);
void vga_free(struct vga *v);

uint64_t vga_read_port(struct vga *v, unsigned port);
void vga_write_port(struct vga *v, unsigned port, uint8_t value);

/* When in a frame NOW is, from the timing that the CRTC is programmed for. */
struct vga_beam {
	uint64_t frame;     /* counted from virtual time 0 */
	uint64_t retrace_ns; /* when the next vertical retrace begins */
	bool in_display, in_retrace;
};
struct vga_beam vga_beam(const struct vga *v);
/* CRTC counters of 10 bits, whose upper bits lie elsewhere. */
unsigned vga_lines(const struct vga *v);
unsigned vga_line_compare(const struct vga *v);

/* ---- vga_mem.c ---- */

extern const struct region_ops vga_window_ops;
/* Makes the window what the registers say: called after every change of them. */
void vga_map_window(struct vga *v);
/* Takes the pages that were written through DIRECT into v->touched. */
void vga_take_direct(struct vga *v);

/* LEN bytes at AT, both inside of video memory, were written by the card itself. */
static inline void
vga_touch(struct vga *v, uint64_t at, uint64_t len)
{
	for (uint64_t page = at >> 12; len != 0 && page <= (at + len - 1) >> 12; page++)
		v->touched[page / 64] |= 1ull << page % 64;
	v->touched_any = true;
}

/* ---- vga_picture.c ---- */

void vga_picture(const struct vga *v, struct vga_picture *p);
/* The byte of a plane that the address counter stands for: byte, word or doubleword mode, and CGA's and Hercules' banks. */
uint32_t vga_display_address(const struct vga *v, const struct vga_look *l, uint32_t counter, unsigned row);

/* Where the counters stand, from line to line. */
struct vga_scan {
	uint32_t counter;
	unsigned row, scan, pan, byte_pan;
};
void vga_scan_begin(const struct vga_picture *p, struct vga_scan *s);
/* After line Y.  True: the next line begins another row of characters. */
bool vga_scan_next(const struct vga_picture *p, struct vga_scan *s, unsigned y);

/* ---- vga_draw.c ---- */

const struct surface *vga_update(void *opaque);
void vga_invalidate(void *opaque);

/* What changed, put together to rectangles: lines FIRST to before END, dots LEFT to before RIGHT. */
struct vga_damage {
	struct vga *v;
	unsigned first, end, left, right;
};
void vga_damage(struct vga_damage *d, unsigned y, unsigned lines, unsigned left, unsigned right);

/* ---- vga_text.c ---- */

void vga_draw_text(struct vga *v, const struct vga_picture *p, struct vga_damage *d, bool all);
void vga_text(void *opaque, struct display_text *t);

/* ---- vga_vbe.c ---- */

/* The Bochs registers, by index. */
enum {
	VBE_ID, VBE_XRES, VBE_YRES, VBE_BPP, VBE_ENABLE, VBE_BANK, VBE_VIRT_WIDTH, VBE_VIRT_HEIGHT, VBE_X_OFFSET,
	VBE_Y_OFFSET, VBE_MEMORY_64K, VBE_REGS
};

enum {
	VBE_ENABLED = 0x01, VBE_GET_CAPABILITIES = 0x02, VBE_8BIT_DAC = 0x20, VBE_LFB = 0x40, VBE_KEEP_MEMORY = 0x80,
	VBE_MAX_WIDTH = 5120, VBE_MAX_HEIGHT = 4096, VBE_MAX_BPP = 32,
};

extern const struct region_ops vga_vbe_port_ops;
void vga_vbe_reset(struct vga *v);
/* False: register values that no sequence of writes makes. */
bool vga_vbe_valid(const struct vga *v);
uint16_t vga_vbe_read(const struct vga *v, unsigned index);
void vga_vbe_write(struct vga *v, unsigned index, uint16_t value);
void vga_vbe_picture(const struct vga *v, struct vga_picture *p);
bool vga_vbe_map(struct vga *v, struct vga_direct direct[2]);

static inline bool
vga_vbe_on(const struct vga *v)
{
	return (v->state.vbe[VBE_ENABLE] & VBE_ENABLED) != 0;
}

/* ---- vga_edid.c ---- */

/* WIDTH and HEIGHT are preferred, MAX_WIDTH and MAX_HEIGHT (0: any) the most that is offered. */
void vga_make_edid(uint8_t edid[128], unsigned width, unsigned height, unsigned max_width, unsigned max_height);

#endif
