/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the CL-GD5446 share: registers and memory in cl_gd5446.c, the picture in cl_gd5446_view.c, the blitter in
 * cl_gd5446_blt.c.
 */
#ifndef HW_CL_GD5446_H
#define HW_CL_GD5446_H

#include "base/clock.h"
#include "hw/vga.h"

/* Extension registers, by the names of the Technical Reference Manual. */
enum {
	SR_UNLOCK = 0x06, SR_MODE = 0x07, SR_DRAM = 0x0f, SR_CURSOR_X = 0x10, SR_CURSOR_Y = 0x11, SR_CURSOR = 0x12,
	SR_CURSOR_AT = 0x13, SR_MEMORY_SIZE = 0x15, SR_CONFIG = 0x17, SR_MCLK = 0x1f,
	GR_BANK_0 = 0x09, GR_BANK_1 = 0x0a, GR_EXTENSIONS = 0x0b, GR_POWER = 0x0e,
	GR_WIDTH = 0x20, GR_HEIGHT = 0x22, GR_TO_PITCH = 0x24, GR_FROM_PITCH = 0x26, GR_TO = 0x28, GR_FROM = 0x2c, GR_SKIP = 0x2f,
	GR_BLT_MODE = 0x30, GR_BLT_STATUS = 0x31, GR_ROP = 0x32, GR_BLT_EXTENSIONS = 0x33, GR_KEY = 0x34,
	CR_INTERLACE = 0x1a, CR_EXTENDED = 0x1b, CR_OVERLAY = 0x1d, CR_LATCH = 0x22, CR_ATTR_TOGGLE = 0x24, CR_PART = 0x25,
	CR_ATTR_INDEX = 0x26, CR_ID = 0x27,
};

enum {
	MODE_SVGA = 0x01,
	CURSOR_ON = 0x01, CURSOR_DAC = 0x02, CURSOR_64 = 0x04,
	CONFIG_MMIO = 0x04, CONFIG_MMIO_LINEAR = 0x40,
	POWER_NO_SYNC = 0x06,
	EXT_TWO_BANKS = 0x01, EXT_BY_8 = 0x02, EXT_WRITE_MODES = 0x04, EXT_16_BITS = 0x10, EXT_16K = 0x20,
	BLT_BACKWARD = 0x01, BLT_TO_SYSTEM = 0x02, BLT_FROM_SYSTEM = 0x04, BLT_TRANSPARENT = 0x08, BLT_PATTERN = 0x40, BLT_EXPAND = 0x80,
	BLT_DWORDS = 0x01, BLT_INVERT = 0x02, BLT_SOLID = 0x04,
	STATUS_BUSY = 0x01, STATUS_START = 0x02, STATUS_RESET = 0x04, STATUS_AUTOSTART = 0x80,
};

enum { CIRRUS_LINE_MOST = 8192 };

struct cirrus {
	struct vga vga;
	/* Continues the VGA's state: all of it saved by one table. */
	struct cirrus_state {
		/* A blit that awaits the processor's data, or is being drawn: registers as they were when it began. */
		struct blt {
			uint32_t to, from, width, height, to_pitch, from_pitch;
			uint32_t foreground, background;
			uint16_t key;
			uint8_t mode, extensions, rop, skip;
			uint16_t padding;
		} blt;
		uint32_t line;         /* which one is next */
		uint32_t wanted, got;  /* bytes of it; WANTED 0: no such blit */
		uint16_t cursor_x, cursor_y;
		uint8_t background, foreground; /* GR0 and GR1 with all their bits */
		uint8_t write_mode;    /* GR5's three bits */
		uint8_t hidden_dac, hidden_reads;
		uint8_t drawing;       /* all the data is there, lines are still to come */
		uint8_t padding[6];
		uint8_t cursor_dac[48];
		uint8_t gathered[CIRRUS_LINE_MOST];
	} state;
	struct region bar, mmio;
	struct timer slice;            /* when the blit goes on */
};

/* ---- cl_gd5446.c ---- */

/* The window and the linear memory, after what decides on them changed. */
void cirrus_map(struct cirrus *c);
static inline bool
cirrus_is_fed(const struct cirrus *c)
{
	return c->state.wanted != 0;
}

/* ---- cl_gd5446_view.c ---- */

void cirrus_picture(const struct vga *v, struct vga_picture *p);
void cirrus_overlay(struct vga *v, unsigned y, uint32_t *line);
void cirrus_overlay_lines(struct vga *v, unsigned *first, unsigned *end);

/* ---- cl_gd5446_blt.c ---- */

void cirrus_blt_start(struct cirrus *c);
/* Draws for a while; what is left then goes on by itself. */
void cirrus_blt_go_on(void *opaque);
void cirrus_blt_reset(struct cirrus *c);
/* The processor's data for a blit that is fed. */
void cirrus_blt_feed(struct cirrus *c, uint64_t value, unsigned size);
/* False: no register value makes such a blit. */
bool cirrus_blt_valid(const struct cirrus *c);

#endif
