/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function 0 of the Intel 82371SB PCI ISA IDE Xcelerator (PIIX3), by its data sheet, order number 290550-002: routing of
 * PCI interrupts to ISA lines (PIRQRC[A:D], 60h-63h) and the reset control register at CF9h.
 *
 * Its interrupt and DMA controllers, timers and port 92h are devices of their own.  Registers that steer chip selects,
 * recovery times and its own system management timers can be written and read, no more.
 */
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <stdio.h>

enum {
	PIRQRC = 0x60,
	PIRQRC_OFF = 0x80,
	RCR_OFFSET = 1,   /* CF9h, from CF8h */
	RCR_HARD = 0x02,
	RCR_RESET = 0x04,
	PIRQS = 4,
	LINES = 16,
};

struct piix3 {
	struct pci_dev pci;
	struct irq lines[LINES], reset;
	bool driven[LINES]; /* the level that we last gave each line */
	struct {
		struct pci_state pci;
		uint64_t reset_control;
	} state;
};

/* The power-on values and writable bits of what is beyond the header. */
static const struct {
	uint8_t reg, size;
	uint32_t value, writable;
} registers[] = {
	{ 0x4c, 1, 0x4d, 0x7f },         /* IORT: recovery time */
	{ 0x4e, 2, 0x0003, 0x01ff },     /* XBCS: chip selects */
	{ 0x60, 1, 0x80, 0x8f }, { 0x61, 1, 0x80, 0x8f }, { 0x62, 1, 0x80, 0x8f }, { 0x63, 1, 0x80, 0x8f },
	{ 0x69, 1, 0x02, 0xfe },         /* TOM: top of memory for ISA masters */
	{ 0x6a, 2, 0x0000, 0x8004 },     /* MSTAT */
	{ 0x70, 1, 0x80, 0xef }, { 0x71, 1, 0x80, 0xef }, /* MBIRQ */
	{ 0x76, 1, 0x0c, 0x8f }, { 0x77, 1, 0x0c, 0x8f }, /* MBDMA */
	{ 0x78, 2, 0x0002, 0xffff },     /* PCSC */
	{ 0x80, 1, 0x00, 0x7f },         /* APICBASE */
	{ 0x82, 1, 0x00, 0x0f },         /* DLC: deterministic latency */
	{ 0xa0, 1, 0x08, 0x1f },         /* SMICNTL */
	{ 0xa2, 2, 0x0000, 0x00ff },     /* SMIEN */
	{ 0xa4, 4, 0x00000000, 0xa000fffb }, /* SEE */
	{ 0xa8, 1, 0x0f, 0xff },         /* FTMR */
	{ 0xaa, 2, 0x0000, 0x00ff },     /* SMIREQ */
	{ 0xac, 1, 0x00, 0xff }, { 0xae, 1, 0x00, 0xff },
};

/* ---- interrupt routing ---- */

/* An ISA line is high when any PIRQ that is routed to it is. */
static void
update_lines(struct piix3 *p)
{
	bool level[LINES] = { false };

	for (unsigned n = 0; n < PIRQS; n++) {
		uint8_t route = p->state.pci.config[PIRQRC + n];

		if ((route & PIRQRC_OFF) == 0)
			level[route & 15] |= pci_bus_pirq(p->pci.bus, n);
	}
	for (unsigned i = 0; i < LINES; i++) {
		if (level[i] == p->driven[i])
			continue;
		p->driven[i] = level[i];
		irq_set(&p->lines[i], level[i]);
	}
}

static void
set_pirq(void *opaque, int n, int level)
{
	(void)n, (void)level;
	update_lines(opaque);
}

static void
config_written(struct pci_dev *d, unsigned reg, unsigned size)
{
	if (reg + size > PIRQRC && reg < PIRQRC + PIRQS)
		update_lines(CONTAINER_OF(d, struct piix3, pci));
}

/* ---- reset control ---- */

static uint64_t
rcr_read(void *opaque, uint64_t offset, unsigned size)
{
	struct piix3 *p = opaque;

	if (offset > RCR_OFFSET || offset + size <= RCR_OFFSET)
		return UINT64_MAX;
	return p->state.reset_control << 8 * (RCR_OFFSET - offset);
}

static void
rcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct piix3 *p = opaque;

	if (offset > RCR_OFFSET || offset + size <= RCR_OFFSET)
		return;
	value >>= 8 * (RCR_OFFSET - offset);
	p->state.reset_control = value & RCR_HARD;
	if (value & RCR_RESET) {
		irq_set(&p->reset, 1);
		irq_set(&p->reset, 0);
	}
}

static const struct region_ops rcr_ops = { rcr_read, rcr_write, 1, 2 };

/* ---- the class ---- */

static void
piix3_reset(struct dev *d)
{
	struct piix3 *p = CONTAINER_OF(d, struct piix3, pci.dev);

	pci_reset(&p->pci);
	p->state.reset_control = 0;
	update_lines(p);
}

static bool
piix3_loaded(struct dev *d, struct err *e)
{
	struct piix3 *p = CONTAINER_OF(d, struct piix3, pci.dev);

	(void)e;
	pci_loaded(&p->pci);
	update_lines(p);
	return true;
}

static void
piix3_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct piix3 *p = CONTAINER_OF(d, struct piix3, pci.dev);
	char text[80];

	for (unsigned n = 0; n < PIRQS; n++) {
		uint8_t route = p->state.pci.config[PIRQRC + n];

		if (route & PIRQRC_OFF)
			snprintf(text, sizeof(text), "  PIRQ%c: off\n", 'A' + n);
		else
			snprintf(text, sizeof(text), "  PIRQ%c: IRQ %u, level %d\n", 'A' + n, route & 15,
				pci_bus_pirq(p->pci.bus, n));
		print(opaque, text);
	}
}

static void
piix3_destroy(struct dev *d)
{
	struct piix3 *p = CONTAINER_OF(d, struct piix3, pci.dev);

	pci_bus_on_pirq(p->pci.bus, NULL, NULL);
	pci_bus_on_cf8_bytes(p->pci.bus, NULL, NULL);
	pci_detach(&p->pci);
}

static const struct field fields[] = {
	PCI_FIELDS(struct piix3),
	FIELD_MAX(struct piix3, state.reset_control, RCR_HARD),
	FIELD_END
};

static const struct dev_class piix3_class = {
	DEV_OF(piix3),
	.description = "Intel PIIX3 ISA bridge",
	.fields = fields,
	.reset = piix3_reset,
	.loaded = piix3_loaded,
	.info = piix3_info,
	.destroy = piix3_destroy,
};

struct dev *
piix3_new(const struct dev_env *env, struct pci_bus *bus, const struct irq lines[16], struct irq reset)
{
	static const struct pci_id id = { .vendor = 0x8086, .device = 0x7000, .class = 0x060100, .multifunction = true };
	struct piix3 *p = CONTAINER_OF(dev_new(env, &piix3_class, NULL), struct piix3, pci.dev);

	memcpy(p->lines, lines, sizeof(p->lines));
	p->reset = reset;
	pci_attach(&p->pci, bus, 1 << 3, &p->state.pci, &id);
	p->pci.config_written = config_written;
	pci_init_config(&p->pci, PCI_COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 0x108);
	pci_init_config(&p->pci, PCI_STATUS, 2, 0x0200, 0);
	for (size_t i = 0; i < ARRAY_SIZE(registers); i++)
		pci_init_config(&p->pci, registers[i].reg, registers[i].size, registers[i].value, registers[i].writable);
	pci_bus_on_pirq(bus, set_pirq, p);
	pci_bus_on_cf8_bytes(bus, &rcr_ops, p);
	return &p->pci.dev;
}
