/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -vga and the display adapters of -device: one of them. */
#include "vm/machine.h"
#include "vm/options.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <stdio.h>

struct adapter {
	const char *name;        /* of -vga */
	const char *device;      /* of -device */
	const char *rom;
	unsigned vram_mib;       /* if not given */
	const char *description;
	struct dev *(*make)(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom,
		size_t rom_size, struct display **display);
};

static const struct adapter adapters[] = {
	[ADAPTER_NONE] = { "none", NULL, NULL, 0, "no graphic card", NULL },
	[ADAPTER_STD] = { "std", "VGA", "vgabios-stdvga.bin", 16, "standard VGA (default)", vga_new },
	[ADAPTER_CIRRUS] = { "cirrus", "cirrus-vga", "vgabios-cirrus.bin", 4, "Cirrus Logic CL-GD5446", cirrus_new },
	[ADAPTER_BOCHS] = { NULL, "bochs-display", "vgabios-bochs-display.bin", 16, NULL, bochs_display_new },
};

bool
opt_vga(struct settings *c, const char *arg, struct err *e)
{
	for (unsigned i = 0; i < ARRAY_SIZE(adapters); i++) {
		if (adapters[i].name != NULL && strcmp(arg, "help") == 0) {
			printf("%-20s %s\n", adapters[i].name, adapters[i].description);
			c->exit = true;
		} else if (adapters[i].name != NULL && strcmp(arg, adapters[i].name) == 0) {
			c->adapter = (enum adapter_kind)i;
			c->adapter_given = true;
			return true;
		}
	}
	return c->exit || err_set(e, "this display adapter is not supported; use std, cirrus or none");
}

/* ---- -device ---- */

static bool
take_size(struct keyval *k, const char *name, unsigned most, unsigned *value, struct err *e)
{
	uint64_t v = *value;

	if (!keyval_uint(k, name, most, &v, e))
		return false;
	*value = (unsigned)v;
	return true;
}

static bool
take_edid(struct keyval *k, struct vga_config *c, struct err *e)
{
	const char *edid = keyval_str(k, "edid");

	if (edid == NULL || strcmp(edid, "on") == 0 || strcmp(edid, "off") == 0) {
		c->edid = edid == NULL || strcmp(edid, "on") == 0;
		return true;
	}
	return err_set(e, "edid=%s: on or off", edid);
}

static bool
take_vram(struct keyval *k, unsigned most, unsigned *mib, struct err *e)
{
	if (!take_size(k, "vgamem_mb", most, mib, e))
		return false;
	if (*mib == 0 || (*mib & (*mib - 1)) != 0)
		return err_set(e, "vgamem_mb=%u: 1, 2, 4 and so on to %u", *mib, most);
	return true;
}

/* An adapter of -device stands for the default one; a second is refused. */
static bool
take_adapter(struct machine *m, enum adapter_kind kind, struct keyval *k, struct err *e)
{
	struct settings *s = m->settings;
	const char *id = keyval_str(k, "id");

	if (s->adapter_given && s->adapter != ADAPTER_NONE)
		return err_set(e, "there is a display adapter already, and one is the most; leave this one or the other out");
	s->adapter = kind;
	s->adapter_given = true;
	m->screen = (struct vga_config){ .id = id != NULL ? settings_dup(s, id) : NULL, .vram_mib = adapters[kind].vram_mib };
	return true;
}

static bool
add_vbe(struct machine *m, enum adapter_kind kind, struct keyval *k, struct err *e)
{
	struct vga_config *c = &m->screen;

	if (!take_adapter(m, kind, k, e))
		return false;
	c->width = 1280;
	c->height = 800;
	return take_vram(k, 256, &c->vram_mib, e) && take_edid(k, c, e) && take_size(k, "xres", 5120, &c->width, e) &&
		take_size(k, "yres", 4096, &c->height, e) && take_size(k, "xmax", 5120, &c->max_width, e) &&
		take_size(k, "ymax", 4096, &c->max_height, e);
}

bool
device_vga(struct machine *m, struct keyval *k, struct err *e)
{
	return add_vbe(m, ADAPTER_STD, k, e);
}

bool
device_bochs_display(struct machine *m, struct keyval *k, struct err *e)
{
	return add_vbe(m, ADAPTER_BOCHS, k, e);
}

bool
device_cirrus_vga(struct machine *m, struct keyval *k, struct err *e)
{
	return take_adapter(m, ADAPTER_CIRRUS, k, e) && take_vram(k, 4, &m->screen.vram_mib, e) &&
		(m->screen.vram_mib == 4 || err_set(e, "vgamem_mb=%u: the CL-GD5446 has 4", m->screen.vram_mib));
}

/* ---- the adapter itself ---- */

static enum adapter_kind
kind_of(const struct settings *s)
{
	return s->adapter_given || s->defaults ? s->adapter : ADAPTER_NONE;
}

const char *
screen_rom(const struct machine *m)
{
	return adapters[kind_of(m->settings)].rom;
}

bool
screen_is_vga(const struct machine *m)
{
	return m->vga != NULL && kind_of(m->settings) != ADAPTER_BOCHS;
}

void
screen_make(struct machine *m)
{
	const struct adapter *a = &adapters[kind_of(m->settings)];

	if (a->make == NULL)
		return;
	if (m->screen.vram_mib == 0)
		m->screen = (struct vga_config){ .vram_mib = a->vram_mib, .edid = true, .width = 1280, .height = 800 };
	if (m->screen.id == NULL)
		m->screen.id = "vga";
	m->vga = a->make(&m->env, m->pci, &m->screen, m->vga_rom.data, m->vga_rom.size, &m->display);
}
