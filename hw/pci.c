/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PCI bus and what all its devices share, by "PCI Local Bus Specification", revision 2.3: the type 0 header,
 * base addresses, INTx, and message-signalled interrupts.
 *
 * Left out on purpose: bridges to other buses, parity and abort status bits, and MSI's mask bits (optional there).
 */
#include "hw/pci.h"

#include "base/err.h"
#include "base/util.h"
#include "hw/hw.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 32, PIRQS = 4 };

enum {
	MSI_CONTROL = 2,
	MSI_ADDRESS = 4,
	MSI_ENABLE = 0x01,
	MSI_64 = 0x80,
};

struct pci_bus {
	struct space *mem, *io;
	struct pci_dev *devices[SLOTS * 8];
	unsigned references; /* devices, and the owner */
	unsigned asserted[PIRQS];
	void (*pirq)(void *opaque, int n, int level);
	void *pirq_opaque;
	void (*msi)(void *opaque, uint64_t address, uint32_t data);
	void *msi_opaque;
	const struct region_ops *cf8_ops;
	void *cf8_opaque;
};

/* ---- the bus ---- */

struct pci_bus *
pci_bus_new(struct space *mem, struct space *io)
{
	struct pci_bus *bus = xcalloc(1, sizeof(*bus));

	bus->mem = mem;
	bus->io = io;
	bus->references = 1;
	return bus;
}

/* Devices may outlive the host bridge that made the bus. */
void
pci_bus_free(struct pci_bus *bus)
{
	if (--bus->references == 0)
		free(bus);
}

void
pci_bus_on_pirq(struct pci_bus *bus, void (*set)(void *opaque, int n, int level), void *opaque)
{
	bus->pirq = set;
	bus->pirq_opaque = opaque;
}

int
pci_bus_pirq(const struct pci_bus *bus, unsigned n)
{
	return bus->asserted[n % PIRQS] != 0;
}

void
pci_bus_on_msi(struct pci_bus *bus, void (*deliver)(void *opaque, uint64_t address, uint32_t data), void *opaque)
{
	bus->msi = deliver;
	bus->msi_opaque = opaque;
}

void
pci_bus_on_cf8_bytes(struct pci_bus *bus, const struct region_ops *ops, void *opaque)
{
	bus->cf8_ops = ops;
	bus->cf8_opaque = opaque;
}

const struct region_ops *
pci_bus_cf8_bytes(struct pci_bus *bus, void **opaque)
{
	*opaque = bus->cf8_opaque;
	return bus->cf8_ops;
}

struct pci_dev *
pci_bus_find(struct pci_bus *bus, unsigned devfn)
{
	return devfn < ARRAY_SIZE(bus->devices) ? bus->devices[devfn] : NULL;
}

/* ---- base addresses ---- */

static unsigned
bar_reg(unsigned n)
{
	return n == PCI_ROM ? PCI_ROM_BAR : PCI_BAR0 + 4 * n;
}

/* Where bar N decodes now; false: nowhere. */
static bool
bar_address(const struct pci_dev *p, unsigned n, gpa *base)
{
	const struct pci_bar *bar = &p->bars[n];
	uint32_t command = pci_get(p, PCI_COMMAND, 2);
	uint64_t low = pci_get(p, bar_reg(n), 4), address = low & ~(bar->size - 1), limit = UINT32_MAX;

	if (n == PCI_ROM && (low & 1) == 0)
		return false;
	if (bar->kind & PCI_BAR_IO) {
		*base = address;
		return (command & PCI_COMMAND_IO) && address != 0 && address + bar->size <= 0x10000;
	}
	if (bar->kind & PCI_BAR_MEM64) {
		address |= (uint64_t)pci_get(p, bar_reg(n) + 4, 4) << 32;
		address &= ~(bar->size - 1);
		limit = (1ull << 52) - 1;
	}
	*base = address;
	/* The top of the space is what a register holds while it is being sized. */
	return (command & PCI_COMMAND_MEMORY) && address != 0 && address <= limit && bar->size - 1 < limit - address;
}

static void
map_bar(struct pci_dev *p, unsigned n)
{
	struct pci_bar *bar = &p->bars[n];
	struct space *space = bar->kind & PCI_BAR_IO ? p->bus->io : p->bus->mem;
	gpa base = 0;
	bool on = bar_address(p, n, &base);

	if (bar->mapped && (!on || bar->region->base != base)) {
		space_remove(bar->region);
		bar->mapped = false;
	}
	if (on && !bar->mapped) {
		space_add(space, bar->region, base, PCI_PRIORITY);
		bar->mapped = true;
	}
}

static void
map_bars(struct pci_dev *p)
{
	space_begin(p->bus->mem);
	space_begin(p->bus->io);
	for (unsigned n = 0; n < PCI_BARS; n++)
		if (p->bars[n].region != NULL)
			map_bar(p, n);
	space_end(p->bus->io);
	space_end(p->bus->mem);
}

/* ---- interrupts ---- */

/* INTA of slot 1 is PIRQA, that of slot 2 is PIRQB, and so on, as the board of the i440FX machines is wired. */
static unsigned
pirq_of(const struct pci_dev *p)
{
	return ((p->devfn >> 3) + p->power_on[PCI_INTERRUPT_PIN] + 2) % PIRQS;
}

static void
update_intx(struct pci_dev *p)
{
	bool want = p->state->intx && !(pci_get(p, PCI_COMMAND, 2) & PCI_COMMAND_INTX_OFF) &&
		p->power_on[PCI_INTERRUPT_PIN] != 0;
	unsigned n = pirq_of(p);

	if (p->state->intx)
		p->state->config[PCI_STATUS] |= PCI_STATUS_INTX;
	else
		p->state->config[PCI_STATUS] &= ~PCI_STATUS_INTX;
	if (want == p->drives_intx)
		return;
	p->drives_intx = want;
	p->bus->asserted[n] += want ? 1 : -1;
	if (p->bus->pirq != NULL && p->bus->asserted[n] == (want ? 1 : 0))
		p->bus->pirq(p->bus->pirq_opaque, n, want);
}

void
pci_set_intx(struct pci_dev *p, int level)
{
	p->state->intx = level != 0;
	update_intx(p);
}

bool
pci_msi_enabled(const struct pci_dev *p)
{
	return p->msi != 0 && (pci_get(p, p->msi + MSI_CONTROL, 2) & MSI_ENABLE);
}

void
pci_msi_notify(struct pci_dev *p, unsigned vector)
{
	unsigned control, allowed;
	uint64_t address;
	uint32_t data;

	if (!pci_msi_enabled(p) || !(pci_get(p, PCI_COMMAND, 2) & PCI_COMMAND_MASTER))
		return;
	control = pci_get(p, p->msi + MSI_CONTROL, 2);
	allowed = 1u << MIN(bits(control, 4, 3), bits(control, 1, 3));
	address = pci_get(p, p->msi + MSI_ADDRESS, 4);
	if (control & MSI_64) {
		address |= (uint64_t)pci_get(p, p->msi + 8, 4) << 32;
		data = pci_get(p, p->msi + 12, 2);
	} else {
		data = pci_get(p, p->msi + 8, 2);
	}
	data = (data & ~(allowed - 1)) | (vector & (allowed - 1));
	if (p->bus->msi != NULL)
		p->bus->msi(p->bus->msi_opaque, address, data);
}

/* ---- configuration space ---- */

uint32_t
pci_get(const struct pci_dev *p, unsigned reg, unsigned size)
{
	return load_le(p->state->config + reg, size);
}

void
pci_put(struct pci_dev *p, unsigned reg, unsigned size, uint32_t value)
{
	store_le(p->state->config + reg, value, size);
}

static void
config_write(struct pci_dev *p, unsigned reg, uint32_t value, unsigned size)
{
	bool bars = (reg < PCI_COMMAND + 2 && reg + size > PCI_COMMAND) || (reg >= PCI_BAR0 && reg < PCI_BAR0 + 24) ||
		(reg >= PCI_ROM_BAR && reg < PCI_ROM_BAR + 4);

	for (unsigned i = 0; i < size; i++) {
		uint8_t *b = &p->state->config[reg + i], mask = p->write_mask[reg + i], v = value >> 8 * i;

		*b = (*b & ~mask) | (v & mask);
		*b &= ~(v & p->clear_mask[reg + i]);
	}
	if (bars) {
		map_bars(p);
		update_intx(p);
	}
	if (p->config_written != NULL)
		p->config_written(p, reg, size);
}

/* The device that ADDRESS means, or NULL; *REG gets the register, *SIZE is cut at the end of its dword. */
static struct pci_dev *
decode(struct pci_bus *bus, uint32_t address, unsigned *reg, unsigned *size)
{
	*reg = address & 0xff;
	*size = MIN(*size, 4 - (*reg & 3));
	return bits(address, 16, 8) == 0 ? bus->devices[bits(address, 8, 8)] : NULL;
}

uint32_t
pci_bus_config_read(struct pci_bus *bus, uint32_t address, unsigned size)
{
	unsigned reg, part = size;
	struct pci_dev *p = decode(bus, address, &reg, &part);

	if (p == NULL)
		return UINT32_MAX >> (32 - 8 * size);
	return pci_get(p, reg, part);
}

void
pci_bus_config_write(struct pci_bus *bus, uint32_t address, uint32_t value, unsigned size)
{
	unsigned reg, part = size;
	struct pci_dev *p = decode(bus, address, &reg, &part);

	if (p != NULL)
		config_write(p, reg, value, part);
}

/* ---- making a device ---- */

static int
free_slot(const struct pci_bus *bus)
{
	for (int slot = 0; slot < SLOTS; slot++) {
		bool used = false;

		for (int function = 0; function < 8; function++)
			used |= bus->devices[slot << 3 | function] != NULL;
		if (!used)
			return slot << 3;
	}
	return -1;
}

void
pci_init_config(struct pci_dev *p, unsigned reg, unsigned size, uint32_t value, uint32_t writable)
{
	store_le(p->power_on + reg, value, size);
	store_le(p->write_mask + reg, writable, size);
	store_le(p->state->config + reg, value, size);
}

void
pci_attach(struct pci_dev *p, struct pci_bus *bus, int devfn, struct pci_state *state, const struct pci_id *id)
{
	if (devfn == PCI_ANY_SLOT)
		devfn = free_slot(bus);
	assert(devfn >= 0 && devfn < SLOTS * 8 && bus->devices[devfn] == NULL);
	p->bus = bus;
	p->state = state;
	p->devfn = devfn;
	bus->devices[devfn] = p;
	bus->references++;
	pci_init_config(p, PCI_VENDOR, 2, id->vendor, 0);
	pci_init_config(p, PCI_DEVICE, 2, id->device, 0);
	pci_init_config(p, PCI_COMMAND, 2, 0, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | 0x140 |
		PCI_COMMAND_INTX_OFF);
	store_le(p->clear_mask + PCI_STATUS, 0xf900, 2);
	pci_init_config(p, PCI_REVISION, 1, id->revision, 0);
	pci_init_config(p, PCI_CLASS, 3, id->class, 0);
	pci_init_config(p, PCI_CACHE_LINE, 1, 0, 0xff);
	pci_init_config(p, PCI_LATENCY, 1, 0, 0xf8);
	pci_init_config(p, PCI_HEADER, 1, id->multifunction ? 0x80 : 0, 0);
	pci_init_config(p, PCI_SUBSYSTEM_VENDOR, 2, id->subsystem_vendor ? id->subsystem_vendor : 0x1af4, 0);
	pci_init_config(p, PCI_SUBSYSTEM, 2, id->subsystem ? id->subsystem : 0x1100, 0);
	pci_init_config(p, PCI_INTERRUPT_LINE, 1, 0, id->pin != 0 ? 0xff : 0);
	pci_init_config(p, PCI_INTERRUPT_PIN, 1, id->pin, 0);
}

void
pci_detach(struct pci_dev *p)
{
	if (p->bus == NULL)
		return;
	pci_set_intx(p, 0);
	for (unsigned n = 0; n < PCI_BARS; n++)
		if (p->bars[n].mapped)
			space_remove(p->bars[n].region);
	p->bus->devices[p->devfn] = NULL;
	pci_bus_free(p->bus);
	p->bus = NULL;
	free(p->rom_host);
	p->rom_host = NULL;
}

static uint64_t
power_of_two(uint64_t size, uint64_t least)
{
	uint64_t v = least;

	while (v < size)
		v <<= 1;
	return v;
}

void
pci_add_bar(struct pci_dev *p, unsigned n, enum pci_bar_kind kind, struct region *region)
{
	struct pci_bar *bar = &p->bars[n];

	assert(n < 6 && bar->region == NULL);
	bar->region = region;
	bar->kind = kind;
	bar->size = power_of_two(region->size, kind & PCI_BAR_IO ? 4 : 16);
	pci_init_config(p, bar_reg(n), 4, kind, ~(uint32_t)(bar->size - 1));
	if (kind & PCI_BAR_MEM64)
		pci_init_config(p, bar_reg(n) + 4, 4, 0, ~(bar->size - 1) >> 32);
}

void
pci_set_rom(struct pci_dev *p, const void *rom, size_t size)
{
	struct pci_bar *bar = &p->bars[PCI_ROM];

	bar->size = power_of_two(size, 4096);
	p->rom_host = aligned_alloc(4096, bar->size);
	assert(p->rom_host != NULL);
	memcpy(p->rom_host, rom, size);
	memset(p->rom_host + size, 0xff, bar->size - size);
	region_init_rom(&p->rom, p->dev.cls->name, p->rom_host, bar->size);
	bar->region = &p->rom;
	bar->kind = PCI_BAR_MEM;
	pci_init_config(p, PCI_ROM_BAR, 4, 0, ~(uint32_t)(bar->size - 1) | 1);
}

void
pci_add_capability(struct pci_dev *p, uint8_t id, unsigned reg, unsigned size)
{
	assert(reg >= 0x40 && reg + size <= sizeof(p->state->config) && (reg & 3) == 0);
	pci_init_config(p, reg, 2, id | (unsigned)p->power_on[PCI_CAPABILITIES] << 8, 0);
	pci_init_config(p, PCI_CAPABILITIES, 1, reg, 0);
	p->power_on[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
	p->state->config[PCI_STATUS] |= PCI_STATUS_CAPABILITIES;
}

void
pci_add_msi(struct pci_dev *p, unsigned reg, unsigned vectors, bool addresses_64)
{
	unsigned log = 0, data = addresses_64 ? 12 : 8;

	while (1u << log < vectors)
		log++;
	assert(log <= 5);
	pci_add_capability(p, PCI_CAP_MSI, reg, data + 2);
	p->msi = reg;
	pci_init_config(p, reg + MSI_CONTROL, 2, log << 1 | (addresses_64 ? MSI_64 : 0), MSI_ENABLE | 0x70);
	pci_init_config(p, reg + MSI_ADDRESS, 4, 0, 0xfffffffc);
	if (addresses_64)
		pci_init_config(p, reg + 8, 4, 0, 0xffffffff);
	pci_init_config(p, reg + data, 2, 0, 0xffff);
}

void
pci_reset(struct pci_dev *p)
{
	memcpy(p->state->config, p->power_on, sizeof(p->power_on));
	p->state->intx = 0;
	update_intx(p);
	map_bars(p);
}

/* Read-only for software and for the device: identity and the form of the base addresses. */
static bool
is_fixed(unsigned reg)
{
	return reg < PCI_COMMAND || (reg >= PCI_REVISION && reg < PCI_CACHE_LINE) ||
		(reg >= PCI_HEADER && reg < PCI_INTERRUPT_LINE) || reg == PCI_INTERRUPT_PIN;
}

void
pci_loaded(struct pci_dev *p)
{
	for (unsigned reg = 0; reg < sizeof(p->power_on); reg++) {
		uint8_t *b = &p->state->config[reg], mask = p->write_mask[reg];

		if (is_fixed(reg))
			*b = (*b & mask) | (p->power_on[reg] & ~mask);
	}
	update_intx(p);
	map_bars(p);
}

bool
pci_dma_read(struct pci_dev *p, gpa addr, void *to, uint64_t len)
{
	if (pci_get(p, PCI_COMMAND, 2) & PCI_COMMAND_MASTER)
		return dma_read(p->bus->mem, addr, to, len);
	memset(to, 0xff, len);
	return false;
}

bool
pci_dma_write(struct pci_dev *p, gpa addr, const void *from, uint64_t len)
{
	return (pci_get(p, PCI_COMMAND, 2) & PCI_COMMAND_MASTER) && dma_write(p->bus->mem, addr, from, len);
}

uint64_t
pci_dma_span(struct pci_dev *p, gpa addr, const uint8_t **host, uint64_t len)
{
	return pci_get(p, PCI_COMMAND, 2) & PCI_COMMAND_MASTER ? dma_span(p->bus->mem, addr, host, len) : 0;
}

/* ---- for the monitor ---- */

static const char *
class_name(unsigned class)
{
	static const struct {
		uint16_t class;
		const char *name;
	} names[] = {
		{ 0x0100, "SCSI controller" }, { 0x0101, "IDE controller" }, { 0x0106, "SATA controller" },
		{ 0x0200, "Ethernet controller" }, { 0x0300, "VGA controller" }, { 0x0401, "Audio controller" },
		{ 0x0403, "Audio controller" }, { 0x0600, "Host bridge" }, { 0x0601, "ISA bridge" },
		{ 0x0604, "PCI bridge" }, { 0x0680, "Bridge" }, { 0x0c03, "USB controller" }, { 0x0c05, "SMBus" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (names[i].class == class)
			return names[i].name;
	return "Class";
}

static void
info_bar(const struct pci_dev *p, unsigned n, void (*print)(void *opaque, const char *text), void *opaque)
{
	const struct pci_bar *bar = &p->bars[n];
	gpa base = 0;
	bool on = bar_address(p, n, &base);
	const char *kind = bar->kind & PCI_BAR_IO ? "I/O" : bar->kind & PCI_BAR_MEM64 ? "64 bit memory" : "32 bit memory";
	char text[160];

	if (on)
		snprintf(text, sizeof(text), "      BAR%u: %s%s at 0x%" PRIx64 " [0x%" PRIx64 "].\n", n,
			bar->kind & PCI_BAR_PREFETCH && !(bar->kind & PCI_BAR_IO) ? "prefetchable " : "", kind, base,
			base + bar->size - 1);
	else
		snprintf(text, sizeof(text), "      BAR%u: %s of 0x%" PRIx64 " bytes, off.\n", n, kind, bar->size);
	print(opaque, text);
}

static void
info_device(const struct pci_dev *p, void (*print)(void *opaque, const char *text), void *opaque)
{
	unsigned class = pci_get(p, PCI_CLASS + 1, 2);
	char text[256];

	snprintf(text, sizeof(text), "  Bus  0, device %3u, function %u:\n    %s: PCI device %04x:%04x\n"
		"      PCI subsystem %04x:%04x\n", p->devfn >> 3, p->devfn & 7, class_name(class),
		pci_get(p, PCI_VENDOR, 2), pci_get(p, PCI_DEVICE, 2), pci_get(p, PCI_SUBSYSTEM_VENDOR, 2),
		pci_get(p, PCI_SUBSYSTEM, 2));
	print(opaque, text);
	if (p->power_on[PCI_INTERRUPT_PIN] != 0) {
		snprintf(text, sizeof(text), "      IRQ %u, pin %c\n", p->state->config[PCI_INTERRUPT_LINE],
			'A' + p->power_on[PCI_INTERRUPT_PIN] - 1);
		print(opaque, text);
	}
	for (unsigned n = 0; n < PCI_BARS; n++)
		if (p->bars[n].region != NULL)
			info_bar(p, n, print, opaque);
	snprintf(text, sizeof(text), "      id \"%.80s\"\n", p->dev.id != NULL ? p->dev.id : "");
	print(opaque, text);
}

void
pci_info(struct pci_bus *bus, void (*print)(void *opaque, const char *text), void *opaque)
{
	for (size_t i = 0; i < ARRAY_SIZE(bus->devices); i++)
		if (bus->devices[i] != NULL)
			info_device(bus->devices[i], print, opaque);
}
