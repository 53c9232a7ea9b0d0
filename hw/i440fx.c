/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82441FX PCI and memory controller (PMC), by its data sheet, order number 290549-001: configuration mechanism 1
 * at CF8h and CFCh, programmable attributes (PAM) of C0000h-FFFFFh, system management RAM at A0000h-BFFFFh.
 *
 * It owns the memory map below 4 GiB: RAM to A0000h and from 1 MiB up, the shadows between, and BIOS behind them.
 *
 * Left out on purpose: DRAM timing (registers that can be written and read), parity and ECC, the fixed hole (FDHC), and
 * D_CLS, which separates data from code in a closed SMRAM: our address space does not tell them apart.
 */
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <stdio.h>

/* Registers of the configuration space. */
enum {
	PMCCFG = 0x50,
	DRAMC = 0x57,
	DRAMT = 0x58,
	PAM0 = 0x59,
	DRB0 = 0x60,
	FDHC = 0x68,
	SMRAM = 0x72,
	ERRCMD = 0x90,
	ERRSTS = 0x91,
};

enum {
	PAM_READ = 1,  /* reads go to RAM, else to PCI */
	PAM_WRITE = 2,
	SMRAM_D_OPEN = 0x40,
	SMRAM_D_CLS = 0x20,
	SMRAM_D_LCK = 0x10,
	SMRAM_G_SMRAME = 0x08,
	SMRAM_C_BASE = 0x02,  /* A0000h, the only one */
	SEGMENTS = 13,
};

/* RAM above the VGA window and the BIOS, which both lie above PCI. */
enum { BIOS_PRIORITY = 0, RAM_PRIORITY = 0, PAM_PRIORITY = 10, SMRAM_PRIORITY = 20 };

enum { SMRAM_BASE = 0xa0000, SHADOW_BASE = 0xc0000, BIOS_SEGMENT = 0xf0000, SHADOW_END = 0x100000 };

/* One part of the shadow, in the three forms in which RAM takes part in it. */
struct segment {
	gpa base;
	uint8_t *ram;
	struct region both, read, write;
};

struct i440fx {
	struct pci_dev pci;
	struct region conf_address, conf_data, low, high, smram, smram_open;
	struct segment segments[SEGMENTS];
	struct region *bios;
	bool has_shadow;
	struct {
		struct pci_state pci;
		uint64_t address; /* CF8h */
	} state;
};

/* ---- CF8h and CFCh ---- */

static uint64_t
address_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i440fx *f = opaque;
	void *other;
	const struct region_ops *ops = pci_bus_cf8_bytes(f->pci.bus, &other);

	if (size == 4)
		return f->state.address;
	return ops != NULL ? ops->read(other, offset, size) : UINT64_MAX;
}

static void
address_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i440fx *f = opaque;
	void *other;
	const struct region_ops *ops = pci_bus_cf8_bytes(f->pci.bus, &other);

	if (size == 4)
		f->state.address = value & 0x80fffffc;
	else if (ops != NULL)
		ops->write(other, offset, value, size);
}

static uint64_t
data_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i440fx *f = opaque;

	if ((f->state.address & 0x80000000) == 0)
		return UINT64_MAX;
	return pci_bus_config_read(f->pci.bus, (f->state.address & 0xffffff) + offset, size);
}

static void
data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i440fx *f = opaque;

	if (f->state.address & 0x80000000)
		pci_bus_config_write(f->pci.bus, (f->state.address & 0xffffff) + offset, value, size);
}

static const struct region_ops address_ops = { address_read, address_write, 1, 4 };
static const struct region_ops data_ops = { data_read, data_write, 1, 4 };

/* ---- shadow RAM ---- */

/* A segment whose writes alone go to RAM; its reads come from PCI. */
static uint64_t
pci_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return UINT64_MAX;
}

static void
shadow_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct segment *s = opaque;

	store_le(s->ram + offset, value, size);
}

static const struct region_ops write_only_ops = { pci_read, shadow_write, 1, 8 };

static unsigned
attributes(const struct i440fx *f, unsigned segment)
{
	/* PAM0 has the BIOS segment in its high half; the others have two each, from C0000h up. */
	if (segment == SEGMENTS - 1)
		return f->state.pci.config[PAM0] >> 4 & 3;
	return f->state.pci.config[PAM0 + 1 + segment / 2] >> (segment % 2 * 4) & 3;
}

static void
map_segments(struct i440fx *f)
{
	for (unsigned i = 0; i < SEGMENTS && f->has_shadow; i++) {
		unsigned a = attributes(f, i);

		region_set_enabled(&f->segments[i].both, a == (PAM_READ | PAM_WRITE));
		region_set_enabled(&f->segments[i].read, a == PAM_READ);
		region_set_enabled(&f->segments[i].write, a == PAM_WRITE);
	}
}

/* ---- system management RAM ---- */

static void
map_smram(struct i440fx *f)
{
	uint8_t v = f->state.pci.config[SMRAM];
	bool on = f->has_shadow && (v & SMRAM_G_SMRAME);

	region_set_enabled(&f->smram, on);
	region_set_enabled(&f->smram_open, on && (v & SMRAM_D_OPEN));
}

/* D_LCK closes SMRAM and keeps all but D_CLS as it is, until reset. */
static void
lock_smram(struct i440fx *f)
{
	uint8_t *v = &f->state.pci.config[SMRAM];

	if (*v & SMRAM_D_LCK) {
		*v &= ~SMRAM_D_OPEN;
		f->pci.write_mask[SMRAM] = SMRAM_D_CLS;
	} else {
		f->pci.write_mask[SMRAM] = SMRAM_D_OPEN | SMRAM_D_CLS | SMRAM_D_LCK | SMRAM_G_SMRAME;
	}
	if ((*v & SMRAM_D_CLS) && (*v & SMRAM_G_SMRAME))
		guest_unimp(&f->pci.dev, "D_CLS: data accesses of SMM still see SMRAM");
}

static void
map_all(struct i440fx *f)
{
	struct space *mem = f->bios != NULL ? f->bios->space : f->low.space;

	space_begin(mem);
	map_segments(f);
	lock_smram(f);
	map_smram(f);
	space_end(mem);
}

static void
config_written(struct pci_dev *p, unsigned reg, unsigned size)
{
	if (reg + size > PAM0 && reg <= SMRAM)
		map_all(CONTAINER_OF(p, struct i440fx, pci));
}

/* ---- the class ---- */

static void
i440fx_reset(struct dev *d)
{
	struct i440fx *f = CONTAINER_OF(d, struct i440fx, pci.dev);

	pci_reset(&f->pci);
	f->state.address = 0;
	map_all(f);
}

static bool
i440fx_loaded(struct dev *d, struct err *e)
{
	struct i440fx *f = CONTAINER_OF(d, struct i440fx, pci.dev);

	(void)e;
	pci_loaded(&f->pci);
	map_all(f);
	return true;
}

static void
i440fx_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const names[] = { "PCI", "RAM read-only", "RAM write-only", "RAM" };
	struct i440fx *f = CONTAINER_OF(d, struct i440fx, pci.dev);
	char text[80];

	for (unsigned i = 0; i < SEGMENTS; i++) {
		snprintf(text, sizeof(text), "  %05x: %s\n", (unsigned)f->segments[i].base, names[attributes(f, i)]);
		print(opaque, text);
	}
	snprintf(text, sizeof(text), "  SMRAM: %02x\n", f->state.pci.config[SMRAM]);
	print(opaque, text);
}

static void
i440fx_destroy(struct dev *d)
{
	struct i440fx *f = CONTAINER_OF(d, struct i440fx, pci.dev);
	struct pci_bus *bus = f->pci.bus;

	space_remove(&f->conf_address);
	space_remove(&f->conf_data);
	for (unsigned i = 0; i < SEGMENTS; i++) {
		space_remove(&f->segments[i].both);
		space_remove(&f->segments[i].read);
		space_remove(&f->segments[i].write);
	}
	space_remove(&f->smram);
	space_remove(&f->smram_open);
	space_remove(&f->low);
	space_remove(&f->high);
	if (f->bios != NULL)
		space_remove(f->bios);
	pci_detach(&f->pci);
	pci_bus_free(bus);
}

static const struct field fields[] = {
	PCI_FIELDS(struct i440fx),
	FIELD_MAX(struct i440fx, state.address, 0x80fffffc),
	FIELD_END
};

static const struct dev_class i440fx_class = {
	DEV_OF(i440fx),
	.description = "Intel 82441FX host bridge",
	.fields = fields,
	.reset = i440fx_reset,
	.loaded = i440fx_loaded,
	.info = i440fx_info,
	.destroy = i440fx_destroy,
};

static void
add_segment(struct i440fx *f, struct space *mem, unsigned i, uint8_t *ram)
{
	struct segment *s = &f->segments[i];
	uint64_t size = i == SEGMENTS - 1 ? SHADOW_END - BIOS_SEGMENT : 0x4000;
	gpa bios = f->bios != NULL ? SHADOW_END - f->bios->size : SHADOW_END;

	s->base = SHADOW_BASE + i * 0x4000;
	s->ram = ram + s->base;
	region_init_ram(&s->both, "shadow", s->ram, size);
	region_init_rom(&s->read, "shadow, read-only", s->ram, size);
	if (s->base >= bios && f->bios->host != NULL) {
		region_init_rom(&s->write, "shadow, write-only", f->bios->host + (s->base - bios), size);
		s->write.ops = &write_only_ops;
		s->write.opaque = s;
	} else {
		region_init_io(&s->write, "shadow, write-only", &write_only_ops, s, size);
	}
	s->both.enabled = s->read.enabled = s->write.enabled = false;
	space_add(mem, &s->both, s->base, PAM_PRIORITY);
	space_add(mem, &s->read, s->base, PAM_PRIORITY);
	space_add(mem, &s->write, s->base, PAM_PRIORITY);
}

static void
add_smram(struct region *r, const char *name, struct space *mem, uint8_t *ram, bool smm_only)
{
	region_init_ram(r, name, ram + SMRAM_BASE, SHADOW_BASE - SMRAM_BASE);
	r->smm_only = smm_only;
	r->enabled = false;
	space_add(mem, r, SMRAM_BASE, SMRAM_PRIORITY);
}

static void
add_memory(struct i440fx *f, struct space *mem, uint8_t *ram, uint64_t size)
{
	space_begin(mem);
	region_init_ram(&f->low, "ram below 640K", ram, MIN(size, SMRAM_BASE));
	space_add(mem, &f->low, 0, RAM_PRIORITY);
	if (f->bios != NULL)
		space_add(mem, f->bios, SHADOW_END - f->bios->size, BIOS_PRIORITY);
	f->has_shadow = size >= SHADOW_END;
	if (f->has_shadow) {
		if (size > SHADOW_END) {
			region_init_ram(&f->high, "ram below 4G", ram + SHADOW_END, size - SHADOW_END);
			space_add(mem, &f->high, SHADOW_END, RAM_PRIORITY);
		}
		for (unsigned i = 0; i < SEGMENTS; i++)
			add_segment(f, mem, i, ram);
		add_smram(&f->smram, "smram", mem, ram, true);
		add_smram(&f->smram_open, "smram, open", mem, ram, false);
	}
	space_end(mem);
}

static void
init_registers(struct i440fx *f, uint64_t ram)
{
	uint8_t rows = MIN(ram / (8 * MiB), 0xff);

	pci_init_config(&f->pci, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0x140);
	pci_init_config(&f->pci, PCI_STATUS, 2, 0x0280, 0);
	pci_init_config(&f->pci, PMCCFG, 2, 0, 0xffc7);
	pci_init_config(&f->pci, DRAMC, 1, 0x01, 0xff);
	pci_init_config(&f->pci, DRAMT, 1, 0x10, 0x7f);
	pci_init_config(&f->pci, PAM0, 1, 0, 0x30);
	for (unsigned i = 1; i < 7; i++)
		pci_init_config(&f->pci, PAM0 + i, 1, 0, 0x33);
	/* All in the first row: each boundary is the end of memory. */
	for (unsigned i = 0; i < 8; i++)
		pci_init_config(&f->pci, DRB0 + i, 1, rows, 0xff);
	pci_init_config(&f->pci, FDHC, 1, 0, 0xc0);
	pci_init_config(&f->pci, 0x70, 2, 0, 0xf8ff);
	pci_init_config(&f->pci, SMRAM, 1, SMRAM_C_BASE, 0);
	pci_init_config(&f->pci, ERRCMD, 1, 0, 0xff);
	store_le(f->pci.clear_mask + ERRSTS, 0x11, 1);
}

struct dev *
i440fx_new(const struct dev_env *env, uint8_t *ram, uint64_t ram_below_4g, struct region *bios, struct pci_bus **bus)
{
	static const struct pci_id id = { .vendor = 0x8086, .device = 0x1237, .class = 0x060000, .revision = 2 };
	struct i440fx *f = CONTAINER_OF(dev_new(env, &i440fx_class, NULL), struct i440fx, pci.dev);

	*bus = pci_bus_new(env->mem, env->io);
	f->bios = bios;
	pci_attach(&f->pci, *bus, 0, &f->state.pci, &id);
	f->pci.config_written = config_written;
	init_registers(f, ram_below_4g);
	region_init_io(&f->conf_address, "pci-conf-address", &address_ops, f, 4);
	region_init_io(&f->conf_data, "pci-conf-data", &data_ops, f, 4);
	space_add(env->io, &f->conf_address, 0xcf8, 0);
	space_add(env->io, &f->conf_data, 0xcfc, 0);
	add_memory(f, env->mem, ram, ram_below_4g);
	map_all(f);
	return &f->pci.dev;
}
