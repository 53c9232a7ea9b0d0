/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The CL-GD5446 of Cirrus Logic, by its "Technical Reference Manual": a VGA with packed modes to 32 bits a dot, banks, a linear
 * frame buffer, a hardware cursor and a blitter.  PCI 1013:00B8 with 4 MiB.
 *
 * BAR 0, 32 MiB: the frame buffer; from 16 MiB on, data for the blitter.  BAR 1: ports 3C0h-3DFh at 0, the blitter's
 * registers at 100h, which also show at B8000h or in the frame buffer's last 256 bytes.
 *
 * Left out: the video overlay, DDC, latches of eight bytes, and the lock of the extension registers (SR6 reads as if they had
 * one).
 */
#include "hw/cl_gd5446.h"

#include "base/err.h"
#include "base/util.h"

#include <stdio.h>

#define BAR_BYTES (32 * MiB)
#define BLT_APERTURE (16 * MiB)
enum { UNLOCKED = 0x12, LOCKED = 0x0f, ID_5446 = 0xb8, WINDOW_MMIO = 0x18000, MMIO_BYTES = 0x100, BANK_BYTES = 0x8000, NO_REGISTER = 0xff };

/* ---- the graphics controller's extension ---- */

static void
write_status(struct cirrus *c, uint8_t value)
{
	uint8_t *status = &c->vga.state.gfx[GR_BLT_STATUS], old = *status;

	*status = (old & STATUS_BUSY) | (value & ~STATUS_BUSY);
	if ((value & STATUS_RESET) != 0)
		cirrus_blt_reset(c);
	else if ((old & STATUS_START) == 0 && (value & STATUS_START) != 0)
		cirrus_blt_start(c);
}

static void
write_gr(struct cirrus *c, unsigned n, uint8_t value)
{
	static const uint8_t bits[64] = {
		[0x21] = 0x1f, [0x23] = 0x07, [0x25] = 0x1f, [0x27] = 0x1f, [0x2a] = 0x3f, [0x2e] = 0x3f,
	};
	uint8_t *gfx = c->vga.state.gfx;

	if (n == GR_BLT_STATUS) {
		write_status(c, value);
		return;
	}
	gfx[n] = bits[n] != 0 ? value & bits[n] : value;
	if (n >= GR_BANK_0 && n <= GR_EXTENSIONS)
		cirrus_map(c);
	else if (n == GR_TO + 2 && (gfx[GR_BLT_STATUS] & STATUS_AUTOSTART) != 0 && !cirrus_is_fed(c))
		cirrus_blt_start(c);
}

/* The standard's registers 0, 1 and 5 have more bits here; the VGA takes those it knows. */
static bool
write_gfx(struct cirrus *c, uint8_t value)
{
	unsigned n = c->vga.state.gfx_index;

	if (n >= GFX_COUNT) {
		write_gr(c, n, value);
		return true;
	}
	if (n == GFX_SET_RESET)
		c->state.background = value;
	else if (n == GFX_ENABLE_SET)
		c->state.foreground = value;
	else if (n == GFX_MODE)
		c->state.write_mode = value & 7;
	return false;
}

static bool
read_gfx(const struct cirrus *c, uint8_t *value)
{
	unsigned n = c->vga.state.gfx_index;

	if (n == GFX_SET_RESET)
		*value = c->state.background;
	else if (n == GFX_ENABLE_SET)
		*value = c->state.foreground;
	else if (n == GFX_MODE)
		*value = (c->vga.state.gfx[n] & ~7) | c->state.write_mode;
	else if (n >= GFX_COUNT)
		*value = c->vga.state.gfx[n];
	else
		return false;
	return true;
}

/* ---- the blitter's registers in memory ---- */

static unsigned
mmio_register(unsigned offset)
{
	static const uint8_t map[] = {
		0x00, 0x10, 0x12, 0x14, 0x01, 0x11, 0x13, 0x15, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27,
		0x28, 0x29, 0x2a, 0xff, 0x2c, 0x2d, 0x2e, 0x2f, 0x30, 0xff, 0x32, 0x33, 0x34, 0x35, 0xff, 0xff,
		0x38, 0x39,
	};

	if (offset < sizeof(map))
		return map[offset];
	return offset == 0x40 ? GR_BLT_STATUS : NO_REGISTER;
}

static uint8_t
blt_mmio_read(const struct cirrus *c, unsigned offset)
{
	unsigned n = mmio_register(offset);

	if (n == GFX_SET_RESET)
		return c->state.background;
	if (n == GFX_ENABLE_SET)
		return c->state.foreground;
	return n == NO_REGISTER ? 0xff : c->vga.state.gfx[n];
}

static void
blt_mmio_write(struct cirrus *c, unsigned offset, uint8_t value)
{
	unsigned n = mmio_register(offset);

	if (n == GFX_SET_RESET)
		c->state.background = value;
	else if (n == GFX_ENABLE_SET)
		c->state.foreground = value;
	else if (n != NO_REGISTER)
		write_gr(c, n, value);
}

/* ---- the sequencer's and the CRTC's extension ---- */

/* The index register's upper bits are the lowest of the cursor's position. */
static bool
write_seq(struct cirrus *c, uint8_t value)
{
	uint8_t *seq = c->vga.state.seq, index = c->vga.state.seq_index;

	switch (index & 0x1f) {
	case SR_UNLOCK:
		seq[SR_UNLOCK] = (value & 0x17) == UNLOCKED ? UNLOCKED : LOCKED;
		return true;
	case SR_CURSOR_X:
		c->state.cursor_x = value << 3 | index >> 5;
		break;
	case SR_CURSOR_Y:
		c->state.cursor_y = value << 3 | index >> 5;
		break;
	case SR_CONFIG:
		value = (seq[SR_CONFIG] & 0x38) | (value & 0xc7);
		break;
	case SEQ_CLOCKING:
	case SEQ_MAP_MASK:
	case SEQ_CHAR_MAP:
	case SEQ_MEMORY_MODE:
	case 0:
		return false;
	}
	seq[index & 0x1f] = value;
	cirrus_map(c);
	return true;
}

static bool
read_seq(const struct cirrus *c, uint8_t *value)
{
	unsigned n = c->vga.state.seq_index & 0x1f;

	*value = c->vga.state.seq[n];
	return n >= SR_UNLOCK;
}

static bool
read_crt(const struct cirrus *c, uint8_t *value)
{
	const struct vga_state *s = &c->vga.state;

	switch (s->crt_index) {
	case CR_LATCH:
		*value = s->latch >> 8 * (s->gfx[GFX_READ_MAP] & 3);
		return true;
	case CR_ATTR_TOGGLE:
		*value = s->attr_is_data << 7;
		return true;
	case CR_ATTR_INDEX:
		*value = s->attr_index & 0x3f;
		return true;
	}
	*value = s->crt[s->crt_index];
	return s->crt_index >= CRT_COUNT;
}

static bool
write_crt(struct cirrus *c, uint8_t value)
{
	unsigned n = c->vga.state.crt_index;

	if (n < CRT_COUNT)
		return false;
	if (n != CR_PART && n != CR_ID)
		c->vga.state.crt[n] = value;
	return true;
}

/* ---- the DAC: a hidden register behind four reads of the mask, and the cursor's colours ---- */

static bool
read_mask(struct cirrus *c, uint8_t *value)
{
	if (c->state.hidden_reads < 4) {
		c->state.hidden_reads++;
		return false;
	}
	c->state.hidden_reads = 0;
	*value = c->state.hidden_dac;
	return true;
}

static bool
write_mask(struct cirrus *c, uint8_t value)
{
	bool hidden = c->state.hidden_reads == 4;

	c->state.hidden_reads = 0;
	if (hidden)
		c->state.hidden_dac = value;
	return hidden;
}

static bool
read_color(struct cirrus *c, uint8_t *value)
{
	struct vga_state *s = &c->vga.state;

	if ((s->seq[SR_CURSOR] & CURSOR_DAC) == 0)
		return false;
	*value = c->state.cursor_dac[(s->dac_read & 15) * 3 + s->dac_component];
	if (++s->dac_component == 3) {
		s->dac_component = 0;
		s->dac_read++;
	}
	return true;
}

static bool
write_color(struct cirrus *c, uint8_t value)
{
	struct vga_state *s = &c->vga.state;

	if ((s->seq[SR_CURSOR] & CURSOR_DAC) == 0)
		return false;
	s->dac_latch[s->dac_component++] = value & 0x3f;
	if (s->dac_component == 3) {
		memcpy(&c->state.cursor_dac[(s->dac_write & 15) * 3], s->dac_latch, 3);
		s->dac_component = 0;
		s->dac_write++;
	}
	return true;
}

/* ---- ports ---- */

static bool
port_read(struct vga *v, unsigned port, uint8_t *value)
{
	struct cirrus *c = (struct cirrus *)v;

	if (port == PORT_DAC_MASK)
		return read_mask(c, value);
	c->state.hidden_reads = 0;
	switch (port) {
	case PORT_SEQ:
		return read_seq(c, value);
	case PORT_CRT:
		return read_crt(c, value);
	case PORT_GFX:
		return read_gfx(c, value);
	case PORT_DAC:
		return read_color(c, value);
	}
	return false;
}

static bool
port_write(struct vga *v, unsigned port, uint8_t value)
{
	struct cirrus *c = (struct cirrus *)v;

	if (port == PORT_DAC_MASK)
		return write_mask(c, value);
	c->state.hidden_reads = 0;
	switch (port) {
	case PORT_SEQ:
		return write_seq(c, value);
	case PORT_CRT:
		return write_crt(c, value);
	case PORT_GFX:
		return write_gfx(c, value);
	case PORT_DAC:
		return write_color(c, value);
	}
	return false;
}

/* ---- memory ---- */

static bool
is_svga(const struct cirrus *c)
{
	return (c->vga.state.seq[SR_MODE] & MODE_SVGA) != 0;
}

/* Write modes 4 and 5 turn bits into dots. */
static bool
writes_expand(const struct cirrus *c)
{
	return (c->vga.state.gfx[GR_EXTENSIONS] & EXT_WRITE_MODES) != 0 && (c->state.write_mode & 6) == 4;
}

static bool
is_plain(const struct cirrus *c)
{
	return !cirrus_is_fed(c) && !writes_expand(c) && (c->vga.state.gfx[GR_EXTENSIONS] & EXT_BY_8) == 0;
}

/* How addresses become larger: one byte of the window stands for 8 or 16. */
static unsigned
address_shift(const struct cirrus *c)
{
	unsigned ext = c->vga.state.gfx[GR_EXTENSIONS];

	if ((ext & (EXT_16_BITS | EXT_WRITE_MODES)) == (EXT_16_BITS | EXT_WRITE_MODES))
		return 4;
	return (ext & EXT_BY_8) != 0 ? 3 : 0;
}

static void
write_vram(struct cirrus *c, uint32_t at, uint8_t value)
{
	at &= c->vga.vram_bytes - 1;
	c->vga.vram[at] = value;
	vga_touch(&c->vga, at, 1);
}

/* Eight dots, the first by bit 7; in mode 4 the others stay. */
static void
write_dots(struct cirrus *c, uint32_t at, uint8_t value)
{
	const uint8_t *g = c->vga.state.gfx;
	unsigned bytes = (g[GR_EXTENSIONS] & EXT_16_BITS) != 0 ? 2 : 1;
	uint8_t colors[2][2] = { { c->state.background, g[0x10] }, { c->state.foreground, g[0x11] } };

	for (unsigned i = 0; i < 8; i++) {
		bool bit = (value >> (7 - i) & 1) != 0;

		for (unsigned k = 0; k < bytes && (bit || (c->state.write_mode & 1) != 0); k++)
			write_vram(c, at + i * bytes + k, colors[bit][k]);
	}
}

/* AT: in video memory, before addresses become larger. */
static void
memory_write(struct cirrus *c, uint32_t at, uint8_t value)
{
	at <<= address_shift(c);
	if (writes_expand(c))
		write_dots(c, at, value);
	else
		write_vram(c, at, value);
}

static uint8_t
memory_read(const struct cirrus *c, uint32_t at)
{
	return c->vga.vram[(at << address_shift(c)) & (c->vga.vram_bytes - 1)];
}

/* Where half N of the window begins in video memory. */
static uint32_t
bank(const struct cirrus *c, unsigned n)
{
	const uint8_t *g = c->vga.state.gfx;
	bool two = (g[GR_EXTENSIONS] & EXT_TWO_BANKS) != 0;
	unsigned shift = (g[GR_EXTENSIONS] & EXT_16K) != 0 ? 14 : 12;

	if (two)
		return (uint32_t)g[n == 0 ? GR_BANK_0 : GR_BANK_1] << shift;
	return ((uint32_t)g[GR_BANK_0] << shift) + n * BANK_BYTES;
}

/* In packed modes the window's first 64 KiB are two banks. */
static bool
map_window(struct vga *v, struct vga_direct direct[2])
{
	struct cirrus *c = (struct cirrus *)v;

	v->bank = is_svga(c) ? 0 : bank(c, 0);
	if (!is_svga(c) && !cirrus_is_fed(c))
		return false;
	for (unsigned i = 0; i < 2 && is_plain(c) && is_svga(c); i++) {
		if (bank(c, i) + BANK_BYTES <= v->vram_bytes)
			direct[i] = (struct vga_direct){ 0xa0000 + i * BANK_BYTES, bank(c, i), BANK_BYTES };
	}
	return true;
}

static bool
is_window_mmio(const struct cirrus *c, uint32_t offset)
{
	return (c->vga.state.seq[SR_CONFIG] & (CONFIG_MMIO | CONFIG_MMIO_LINEAR)) == CONFIG_MMIO && offset >= WINDOW_MMIO &&
		offset < WINDOW_MMIO + MMIO_BYTES;
}

static bool
window_read(struct vga *v, uint32_t offset, uint64_t *value, unsigned size)
{
	struct cirrus *c = (struct cirrus *)v;
	bool mmio = is_window_mmio(c, offset);

	if (!mmio && (!is_svga(c) || offset >= 2 * BANK_BYTES))
		return false;
	*value = 0;
	for (unsigned i = 0; i < size; i++, offset++) {
		uint8_t byte = mmio ? blt_mmio_read(c, offset - WINDOW_MMIO) :
			memory_read(c, bank(c, offset / BANK_BYTES & 1) + offset % BANK_BYTES);

		*value |= (uint64_t)byte << 8 * i;
	}
	return true;
}

static bool
window_write(struct vga *v, uint32_t offset, uint64_t value, unsigned size)
{
	struct cirrus *c = (struct cirrus *)v;
	bool mmio = is_window_mmio(c, offset);

	if (!mmio && cirrus_is_fed(c)) {
		cirrus_blt_feed(c, value, size);
		return true;
	}
	if (!mmio && (!is_svga(c) || offset >= 2 * BANK_BYTES))
		return false;
	for (unsigned i = 0; i < size; i++, offset++, value >>= 8) {
		if (mmio)
			blt_mmio_write(c, offset - WINDOW_MMIO, value);
		else
			memory_write(c, bank(c, offset / BANK_BYTES & 1) + offset % BANK_BYTES, value);
	}
	return true;
}

/* ---- BAR 0 ---- */

static bool
is_linear_mmio(const struct cirrus *c, uint64_t offset)
{
	unsigned config = CONFIG_MMIO | CONFIG_MMIO_LINEAR;

	return (c->vga.state.seq[SR_CONFIG] & config) == config && offset >= c->vga.vram_bytes - MMIO_BYTES && offset < c->vga.vram_bytes;
}

static uint64_t
bar_read(void *opaque, uint64_t offset, unsigned size)
{
	struct cirrus *c = opaque;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++, offset++) {
		uint8_t byte = 0xff;

		if (is_linear_mmio(c, offset))
			byte = blt_mmio_read(c, offset & (MMIO_BYTES - 1));
		else if (offset < c->vga.vram_bytes)
			byte = memory_read(c, offset);
		value |= (uint64_t)byte << 8 * i;
	}
	return value;
}

static void
bar_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct cirrus *c = opaque;

	if (!is_linear_mmio(c, offset) && cirrus_is_fed(c)) {
		cirrus_blt_feed(c, value, size);
		return;
	}
	for (unsigned i = 0; i < size; i++, offset++, value >>= 8) {
		if (is_linear_mmio(c, offset))
			blt_mmio_write(c, offset & (MMIO_BYTES - 1), value);
		else if (offset < c->vga.vram_bytes)
			memory_write(c, offset, value);
	}
}

static const struct region_ops bar_ops = { bar_read, bar_write, 1, 8 };

/* The frame buffer is plain memory over the bar, but while something else is to be done with writes. */
static void
map_linear(struct cirrus *c)
{
	struct region *r = &c->vga.lfb;
	unsigned config = CONFIG_MMIO | CONFIG_MMIO_LINEAR;
	uint64_t size = (c->vga.state.seq[SR_CONFIG] & config) == config ? c->vga.vram_bytes - 4 * KiB : c->vga.vram_bytes;
	gpa base = pci_get(&c->vga.pci, PCI_BAR0, 4) & ~(BAR_BYTES - 1);
	bool wanted = (pci_get(&c->vga.pci, PCI_COMMAND, 2) & PCI_COMMAND_MEMORY) != 0 && base != 0 && is_plain(c);

	if (r->space != NULL && wanted && r->base == base && r->size == size)
		return;
	space_remove(r);
	r->size = size;
	if (wanted)
		space_add(c->vga.mem, r, base, PCI_PRIORITY);
}

void
cirrus_map(struct cirrus *c)
{
	vga_map_window(&c->vga);
	map_linear(c);
}

static void
config_written(struct pci_dev *p, unsigned reg, unsigned size)
{
	(void)reg;
	(void)size;
	map_linear((struct cirrus *)p);
}

/* ---- BAR 1 ---- */

static uint64_t
mmio_read(void *opaque, uint64_t offset, unsigned size)
{
	struct cirrus *c = opaque;

	(void)size;
	if (offset >= MMIO_BYTES)
		return blt_mmio_read(c, offset - MMIO_BYTES);
	return offset < 0x20 ? vga_read_port(&c->vga, 0x3c0 + offset) : 0xff;
}

static void
mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct cirrus *c = opaque;

	(void)size;
	if (offset >= MMIO_BYTES)
		blt_mmio_write(c, offset - MMIO_BYTES, value);
	else if (offset < 0x20)
		vga_write_port(&c->vga, 0x3c0 + offset, value);
}

static const struct region_ops mmio_ops = { mmio_read, mmio_write, 1, 1 };

/* ---- the class ---- */

static void
cirrus_reset(struct dev *d)
{
	struct cirrus *c = (struct cirrus *)d;
	struct vga_state *s = &c->vga.state;

	vga_power_on(&c->vga);
	timer_cancel(&c->slice);
	memset(&c->state, 0, sizeof(c->state));
	s->seq[SR_UNLOCK] = LOCKED;
	s->seq[SR_DRAM] = 0x98;     /* 64 bits wide, two banks: 4 MiB */
	s->seq[SR_MEMORY_SIZE] = 4;
	s->seq[SR_CONFIG] = 0x20;   /* PCI */
	s->seq[SR_MCLK] = 0x22;
	s->gfx[0x18] = 0x0f;
	s->crt[CR_ID] = ID_5446;
	cirrus_map(c);
}

static bool
cirrus_loaded(struct dev *d, struct err *e)
{
	struct cirrus *c = (struct cirrus *)d;

	if (!cirrus_blt_valid(c))
		return err_set(e, "the CL-GD5446's blit is none that registers describe");
	space_remove(&c->vga.lfb); /* bars are mapped anew, and it belongs over them */
	vga_restore(&c->vga);
	cirrus_map(c);
	timer_cancel(&c->slice);
	if (c->state.drawing)
		timer_set(&c->slice, clock_now(c->vga.clock));
	return true;
}

static void
cirrus_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct cirrus *c = (struct cirrus *)d;
	struct vga_picture p;
	char text[160];

	vga_picture(&c->vga, &p);
	snprintf(text, sizeof(text), "mode %s%ux%u, %u bits, pitch %u, start %xh, banks %xh %xh, blitter %s\n",
		is_svga(c) ? "packed " : "VGA ", p.look.width, p.look.height, is_svga(c) ? p.look.bpp : 4u, p.look.pitch, p.start,
		bank(c, 0), bank(c, 1), c->state.drawing ? "busy" : cirrus_is_fed(c) ? "awaits data" : "idle");
	print(opaque, text);
}

static void
cirrus_destroy(struct dev *d)
{
	struct cirrus *c = (struct cirrus *)d;

	timer_cancel(&c->slice);
	space_remove(&c->vga.lfb);
	vga_free(&c->vga);
}

static const struct field fields[] = {
	VGA_FIELDS(struct cirrus, vga., vga.state),
	FIELD_OF(struct cirrus, state.blt.to),
	FIELD_OF(struct cirrus, state.blt.from),
	FIELD_MAX(struct cirrus, state.blt.width, CIRRUS_LINE_MOST),
	FIELD_MAX(struct cirrus, state.blt.height, 2048),
	FIELD_OF(struct cirrus, state.blt.to_pitch),
	FIELD_OF(struct cirrus, state.blt.from_pitch),
	FIELD_OF(struct cirrus, state.blt.foreground),
	FIELD_OF(struct cirrus, state.blt.background),
	FIELD_OF(struct cirrus, state.blt.key),
	FIELD_OF(struct cirrus, state.blt.mode),
	FIELD_OF(struct cirrus, state.blt.extensions),
	FIELD_OF(struct cirrus, state.blt.rop),
	FIELD_OF(struct cirrus, state.blt.skip),
	FIELD_SKIP(struct cirrus, state.blt.padding),
	FIELD_MAX(struct cirrus, state.line, 2047),
	FIELD_MAX(struct cirrus, state.wanted, CIRRUS_LINE_MOST),
	FIELD_MAX(struct cirrus, state.got, CIRRUS_LINE_MOST - 1),
	FIELD_MAX(struct cirrus, state.cursor_x, 2047),
	FIELD_MAX(struct cirrus, state.cursor_y, 2047),
	FIELD_OF(struct cirrus, state.background),
	FIELD_OF(struct cirrus, state.foreground),
	FIELD_MAX(struct cirrus, state.write_mode, 7),
	FIELD_OF(struct cirrus, state.hidden_dac),
	FIELD_MAX(struct cirrus, state.hidden_reads, 4),
	FIELD_MAX(struct cirrus, state.drawing, 1),
	FIELD_SKIP(struct cirrus, state.padding),
	FIELD_BUFFER(struct cirrus, state.cursor_dac),
	FIELD_BUFFER(struct cirrus, state.gathered),
	FIELD_END
};

static const struct dev_class cirrus_class = {
	.name = "cirrus-vga", .size = sizeof(struct cirrus), .state_offset = offsetof(struct cirrus, vga.state),
	.state_size = offsetof(struct cirrus, state) + sizeof(struct cirrus_state) - offsetof(struct cirrus, vga.state),
	.description = "CL-GD5446", .fields = fields, .reset = cirrus_reset, .loaded = cirrus_loaded, .info = cirrus_info,
	.destroy = cirrus_destroy,
};

static const struct vga_ops ops = {
	.seq_mask = 0xff, .crt_mask = 0x3f, .gfx_mask = 0x3f, .read = port_read, .write = port_write, .picture = cirrus_picture,
	.map = map_window, .window_read = window_read, .window_write = window_write, .overlay = cirrus_overlay,
	.overlay_lines = cirrus_overlay_lines,
};

struct dev *
cirrus_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom, size_t rom_size,
	struct display **display)
{
	static const struct pci_id id = { .vendor = 0x1013, .device = 0x00b8, .class = 0x030000 };
	struct cirrus *c = (struct cirrus *)dev_new(env, &cirrus_class, config->id);
	struct vga *v = &c->vga;

	vga_init(v, &ops, env, config->vram_mib, true);
	timer_init(&c->slice, env->clock, cirrus_blt_go_on, c);
	pci_attach(&v->pci, bus, PCI_ANY_SLOT, &v->state.pci, &id);
	region_init_io(&c->bar, "cirrus.bar", &bar_ops, c, BAR_BYTES);
	pci_add_bar(&v->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &c->bar);
	region_init_io(&c->mmio, "cirrus.mmio", &mmio_ops, c, 4096);
	pci_add_bar(&v->pci, 1, PCI_BAR_MEM, &c->mmio);
	v->pci.config_written = config_written;
	if (rom != NULL)
		pci_set_rom(&v->pci, rom, rom_size);
	if (display != NULL)
		*display = &v->display;
	cirrus_reset(&v->pci.dev);
	return &v->pci.dev;
}
