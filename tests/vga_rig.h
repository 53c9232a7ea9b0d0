/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A display card alone on its buses, for tests: its registers, its window, what it says to a viewer. */
#ifndef TESTS_VGA_RIG_H
#define TESTS_VGA_RIG_H

#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "ui/ui.h"

#include <check.h>
#include <stdlib.h>

#define RIG_BAR0 0xe0000000u
#define RIG_MMIO 0xe8000000u

struct rig {
	struct clock *clock;
	struct space *mem, *io;
	struct pci_bus *bus;
	struct dev *devices, *card;
	struct display *display;
	struct display_viewer viewer;
	/* Dots that were told as damaged since the last rig_settle(). */
	uint8_t *told;
	uint32_t *before;
	unsigned width, height;
	uint64_t told_dots;
};

typedef struct dev *rig_maker(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom,
	size_t rom_size, struct display **display);

static inline void
rig_damage(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct rig *r = opaque;

	if (x + w > r->width || y + h > r->height || w == 0 || h == 0)
		ck_abort_msg("damage %u,%u %ux%u", x, y, w, h);
	r->told_dots += (uint64_t)w * h;
	for (unsigned i = 0; i < h; i++)
		memset(r->told + (size_t)(y + i) * r->width + x, 1, w);
}

static inline void
rig_resized(void *opaque, const struct surface *s)
{
	struct rig *r = opaque;
	size_t dots = (size_t)s->width * s->height;

	r->width = s->width;
	r->height = s->height;
	free(r->told);
	free(r->before);
	r->told = calloc(dots, 1);
	r->before = calloc(dots, 4);
}

static inline void
rig_open(struct rig *r, rig_maker *make, unsigned mib, unsigned mmio_bar)
{
	static const uint8_t rom[512] = { 0x55, 0xaa, 1 };
	struct vga_config config = { .id = "vga", .vram_mib = mib, .edid = true, .width = 1280, .height = 800 };
	struct dev_env env;

	*r = (struct rig){ .clock = clock_new(true), .mem = space_new("memory", false), .io = space_new("ports", true) };
	r->bus = pci_bus_new(r->mem, r->io);
	env = (struct dev_env){ .clock = r->clock, .mem = r->mem, .io = r->io, .devices = &r->devices };
	r->card = make(&env, r->bus, &config, rom, sizeof(rom), &r->display);
	dev_reset_all(r->devices);
	pci_bus_config_write(r->bus, 0x10, RIG_BAR0, 4);
	pci_bus_config_write(r->bus, 0x10 + 4 * mmio_bar, RIG_MMIO, 4);
	pci_bus_config_write(r->bus, 0x04, 7, 2);
	r->viewer = (struct display_viewer){ .opaque = r, .damage = rig_damage, .resized = rig_resized };
	display_add_viewer(r->display, &r->viewer);
}

static inline void
rig_close(struct rig *r)
{
	display_remove_viewer(r->display, &r->viewer);
	space_free(r->mem);
	space_free(r->io);
	dev_free_all(r->devices);
	pci_bus_free(r->bus);
	clock_free(r->clock);
	free(r->told);
	free(r->before);
}

static inline void
rig_out(struct rig *r, unsigned port, unsigned value)
{
	space_write(r->io, port, value, 1, false);
}

static inline unsigned
rig_in(struct rig *r, unsigned port)
{
	return space_read(r->io, port, 1, false);
}

static inline void
rig_set(struct rig *r, unsigned index_port, unsigned index, unsigned value)
{
	rig_out(r, index_port, index);
	rig_out(r, index_port + 1, value);
}

static inline unsigned
rig_get(struct rig *r, unsigned index_port, unsigned index)
{
	rig_out(r, index_port, index);
	return rig_in(r, index_port + 1);
}

static inline void
rig_attr(struct rig *r, unsigned index, unsigned value)
{
	rig_in(r, 0x3da);
	rig_out(r, 0x3c0, index);
	rig_out(r, 0x3c0, value);
}

/* Updates; every dot that became another one has to have been told. */
static inline const struct surface *
rig_update(struct rig *r)
{
	const struct surface *s = r->display->update(r->display->opaque);

	for (size_t i = 0; i < (size_t)s->width * s->height; i++) {
		if (!r->told[i] && s->pixels[i] != r->before[i])
			ck_abort_msg("dot %zu,%zu changed without a word", i % s->width, i / s->width);
	}
	memcpy(r->before, s->pixels, 4ul * s->width * s->height);
	memset(r->told, 0, (size_t)s->width * s->height);
	return s;
}

/* Numbers that are the same in every run. */
static inline uint32_t
rig_random(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

#endif
