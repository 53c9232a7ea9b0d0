/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The standard VGA, PCI 1234:1111: a VGA with Bochs VBE.  BAR 0 is video memory, BAR 2 has registers:
 *
 *     000h EDID   400h ports 3C0h-3DFh   500h VBE registers, 16 bits each   600h size of what follows, byte order
 *
 * bochs-display is the same without what is older than PCI: no ports, no window, no VGA.
 */
#include "hw/vga.h"

#include "base/err.h"
#include "base/util.h"

#include <stdio.h>

enum { MMIO_PORTS = 0x400, MMIO_VBE = 0x500, MMIO_EXTENDED = 0x600, ORDER_LITTLE = 0x1e1e1e1e, ORDER_BIG = 0xbebebebe };

struct vga_std {
	struct vga vga;
	struct region vbe_ports;
	struct vga_config config;
	uint8_t edid[128];
	bool bare; /* bochs-display */
};

/* ---- EDID ---- */

static void
make_edid(struct vga_std *d)
{
	const struct vga_config *c = &d->config;
	unsigned width = d->vga.state.wish_width, height = d->vga.state.wish_height;

	if (width == 0 || height == 0) {
		width = c->width;
		height = c->height;
	}
	vga_make_edid(d->edid, width, height, c->max_width, c->max_height);
}

/* What doesn't fit into video memory is no mode to wish for. */
static void
wish(void *opaque, unsigned width, unsigned height)
{
	struct vga_std *d = opaque;
	unsigned most_width = d->config.max_width != 0 ? d->config.max_width : VBE_MAX_WIDTH;
	unsigned most_height = d->config.max_height != 0 ? d->config.max_height : VBE_MAX_HEIGHT;

	width = MIN(width, most_width) & ~7u;
	height = MIN(height, most_height);
	if (width < 320 || height < 200 || 4ull * width * height > d->vga.vram_bytes)
		return;
	d->vga.state.wish_width = width;
	d->vga.state.wish_height = height;
	make_edid(d);
}

/* ---- BAR 2 ---- */

static uint8_t
extended_byte(const struct vga *v, unsigned offset)
{
	uint32_t word = offset < 4 ? 8 : v->state.big_endian ? ORDER_BIG : ORDER_LITTLE;

	return offset < 8 ? word >> 8 * (offset & 3) : 0xff;
}

static uint8_t
mmio_byte(struct vga_std *d, unsigned at)
{
	if (at < sizeof(d->edid))
		return d->config.edid ? d->edid[at] : 0;
	if (at >= MMIO_PORTS && at < MMIO_PORTS + 0x20)
		return d->bare ? 0xff : vga_read_port(&d->vga, 0x3c0 + at - MMIO_PORTS);
	if (at >= MMIO_EXTENDED && at < MMIO_EXTENDED + 8)
		return extended_byte(&d->vga, at - MMIO_EXTENDED);
	return 0xff;
}

static uint64_t
mmio_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vga_std *d = opaque;
	uint64_t value = 0;

	if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * VBE_REGS)
		return vga_vbe_read(&d->vga, (offset - MMIO_VBE) / 2) >> 8 * (offset & 1);
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)mmio_byte(d, offset + i) << 8 * i;
	return value;
}

static void
mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga_std *d = opaque;

	if (offset >= MMIO_VBE && offset < MMIO_VBE + 2 * VBE_REGS && (offset & 1) == 0)
		vga_vbe_write(&d->vga, (offset - MMIO_VBE) / 2, value);
	else if (offset == MMIO_EXTENDED + 4 && size == 4 && (value == ORDER_LITTLE || value == ORDER_BIG))
		d->vga.state.big_endian = value == ORDER_BIG;
	for (unsigned i = 0; i < size && !d->bare; i++) {
		unsigned at = offset + i;

		if (at >= MMIO_PORTS && at < MMIO_PORTS + 0x20)
			vga_write_port(&d->vga, 0x3c0 + at - MMIO_PORTS, value >> 8 * i);
	}
}

static const struct region_ops mmio_ops = { mmio_read, mmio_write, 1, 4 };

/* ---- the classes ---- */

/* Without a VGA there is nothing that could switch the picture off but VBE itself. */
static void
bare_picture(const struct vga *v, struct vga_picture *p)
{
	p->look.kind = VGA_BLANK;
	p->look.border = 0;
	if (vga_vbe_on(v))
		vga_vbe_picture(v, p);
}

static void
std_reset(struct dev *dev)
{
	struct vga_std *d = (struct vga_std *)dev;

	vga_power_on(&d->vga);
	vga_vbe_reset(&d->vga);
	if (d->bare)
		d->vga.state.attr_index = 0x20;
	make_edid(d);
	vga_map_window(&d->vga);
}

static bool
std_loaded(struct dev *dev, struct err *e)
{
	struct vga_std *d = (struct vga_std *)dev;

	if (!vga_vbe_valid(&d->vga))
		return err_set(e, "the VGA's VBE registers don't describe a picture that fits its memory");
	make_edid(d);
	vga_restore(&d->vga);
	return true;
}

static void
std_info(struct dev *dev, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct vga *v = (struct vga *)dev;
	const uint16_t *vbe = v->state.vbe;
	char text[160];

	if (vga_vbe_on(v))
		snprintf(text, sizeof(text), "mode VBE %ux%ux%u, %u bytes a line, offset %u,%u, bank %u\n", vbe[VBE_XRES],
			vbe[VBE_YRES], vbe[VBE_BPP], v->state.vbe_line, vbe[VBE_X_OFFSET], vbe[VBE_Y_OFFSET], vbe[VBE_BANK]);
	else
		snprintf(text, sizeof(text), "mode %s, %u characters a line, %u lines, window %s\n",
			(v->state.gfx[GFX_MISC] & 1) != 0 ? "graphics" : "text", v->state.crt[CRT_H_DISPLAY] + 1, vga_lines(v),
			v->direct[0].space != NULL ? "linear" : "by planes");
	print(opaque, text);
}

static void
std_destroy(struct dev *dev)
{
	struct vga_std *d = (struct vga_std *)dev;

	space_remove(&d->vbe_ports);
	vga_free(&d->vga);
}

static const struct field fields[] = { VGA_FIELDS(struct vga_std, vga., vga.state), FIELD_END };

static const struct dev_class std_class = {
	.name = "VGA", .size = sizeof(struct vga_std), .state_offset = offsetof(struct vga_std, vga.state),
	.state_size = sizeof(struct vga_state), .description = "VGA with Bochs VBE", .fields = fields, .reset = std_reset,
	.loaded = std_loaded, .info = std_info, .destroy = std_destroy,
};

static const struct dev_class bare_class = {
	.name = "bochs-display", .size = sizeof(struct vga_std), .state_offset = offsetof(struct vga_std, vga.state),
	.state_size = sizeof(struct vga_state), .description = "Bochs VBE without a VGA", .fields = fields, .reset = std_reset,
	.loaded = std_loaded, .info = std_info, .destroy = std_destroy,
};

static const struct vga_ops std_ops = {
	.seq_mask = 7, .crt_mask = 31, .gfx_mask = 15, .picture = vga_vbe_picture, .map = vga_vbe_map,
};

static const struct vga_ops bare_ops = { .picture = bare_picture };

static struct dev *
make(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom, size_t rom_size,
	struct display **display, bool bare)
{
	static const struct pci_id ids[2] = {
		{ .vendor = 0x1234, .device = 0x1111, .class = 0x030000, .revision = 2 },
		{ .vendor = 0x1234, .device = 0x1111, .class = 0x038000, .revision = 2 },
	};
	struct vga_std *d = (struct vga_std *)dev_new(env, bare ? &bare_class : &std_class, config->id);
	struct vga *v = &d->vga;

	d->config = *config;
	d->bare = bare;
	vga_init(v, bare ? &bare_ops : &std_ops, env, config->vram_mib, !bare);
	pci_attach(&v->pci, bus, PCI_ANY_SLOT, &v->state.pci, &ids[bare]);
	pci_add_bar(&v->pci, 0, PCI_BAR_MEM | PCI_BAR_PREFETCH, &v->lfb);
	region_init_io(&v->mmio, "vga.mmio", &mmio_ops, d, 4096);
	pci_add_bar(&v->pci, 2, PCI_BAR_MEM, &v->mmio);
	if (rom != NULL)
		pci_set_rom(&v->pci, rom, rom_size);
	region_init_io(&d->vbe_ports, "vbe", &vga_vbe_port_ops, v, 4);
	if (!bare)
		space_add(env->io, &d->vbe_ports, 0x1ce, 0);
	if (config->edid)
		v->display.wish = wish;
	if (display != NULL)
		*display = &v->display;
	std_reset(&v->pci.dev);
	return &v->pci.dev;
}

struct dev *
vga_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom, size_t rom_size,
	struct display **display)
{
	return make(env, bus, config, rom, rom_size, display, false);
}

struct dev *
bochs_display_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom,
	size_t rom_size, struct display **display)
{
	return make(env, bus, config, rom, rom_size, display, true);
}
