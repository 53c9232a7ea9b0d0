/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PCI as devices see it: a bus, configuration space with write masks, base addresses, INTx and MSI.
 *
 * A PCI device's struct begins with a struct pci_dev (and so with a struct dev), and its state with a struct pci_state:
 *
 *     struct edu {
 *             struct pci_dev pci;
 *             struct region mmio;
 *             struct {
 *                     struct pci_state pci;
 *                     uint32_t factorial;
 *             } state;
 *     };
 *
 *     static const struct field fields[] = { PCI_FIELDS(struct edu), FIELD_OF(struct edu, state.factorial), FIELD_END };
 *
 * Its constructor makes it with dev_new(), then calls pci_attach(), pci_add_bar() and so on; its reset() calls
 * pci_reset(), its loaded() calls pci_loaded(), its destroy() calls pci_detach().
 */
#ifndef HW_PCI_H
#define HW_PCI_H

#include "base/dev.h"
#include "base/irq.h"
#include "base/mem.h"

struct pci_bus;

enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09,           /* 3 bytes: programming interface, subclass, class */
	PCI_CACHE_LINE = 0x0c,
	PCI_LATENCY = 0x0d,
	PCI_HEADER = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM_VENDOR = 0x2c,
	PCI_SUBSYSTEM = 0x2e,
	PCI_ROM_BAR = 0x30,
	PCI_CAPABILITIES = 0x34,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d,
};

enum {
	PCI_COMMAND_IO = 0x001,
	PCI_COMMAND_MEMORY = 0x002,
	PCI_COMMAND_MASTER = 0x004,
	PCI_COMMAND_INTX_OFF = 0x400,
	PCI_STATUS_INTX = 0x008,
	PCI_STATUS_CAPABILITIES = 0x010,
	PCI_CAP_MSI = 0x05,
};

enum {
	PCI_ROM = 6,         /* the ROM's number among the bars */
	PCI_BARS = 7,
	PCI_ANY_SLOT = -1,   /* pci_attach: the first free slot */
	PCI_PRIORITY = -1,   /* of bars in the memory map: whatever the host bridge or the board decode goes first */
};

/* Bits of a base address register. */
enum pci_bar_kind {
	PCI_BAR_MEM = 0x0,
	PCI_BAR_IO = 0x1,
	PCI_BAR_MEM64 = 0x4,
	PCI_BAR_PREFETCH = 0x8,
};

/* Guest-visible; the first member of a PCI device's state. */
struct pci_state {
	uint8_t config[256];
	uint64_t intx;       /* level of the device's interrupt pin */
};

#define PCI_FIELDS(type) \
	FIELD_BUFFER(type, state.pci.config), FIELD_MAX(type, state.pci.intx, 1)

struct pci_bar {
	struct region *region; /* NULL: not implemented */
	enum pci_bar_kind kind;
	uint64_t size;         /* a power of two */
	bool mapped;           /* in the space */
};

struct pci_dev {
	struct dev dev;
	struct pci_bus *bus;
	struct pci_state *state;
	uint8_t devfn;
	uint8_t msi;                /* offset of the MSI capability; 0: none */
	uint8_t power_on[256];      /* what reset restores */
	uint8_t write_mask[256];    /* bits that software can write */
	uint8_t clear_mask[256];    /* bits that software clears by writing ones */
	struct pci_bar bars[PCI_BARS];
	bool drives_intx;           /* counted at its PIRQ */
	struct region rom;
	uint8_t *rom_host;
	/* Optional: called after software wrote SIZE bytes at REG; bases are mapped already. */
	void (*config_written)(struct pci_dev *p, unsigned reg, unsigned size);
};

struct pci_id {
	uint16_t vendor, device;
	uint32_t class;             /* 24 bits: class, subclass, programming interface */
	uint8_t revision;
	uint8_t pin;                /* 0: no interrupt, 1: INTA */
	uint16_t subsystem_vendor, subsystem; /* 0: 1AF4h and 1100h, by which firmware knows a virtual board */
	bool multifunction;
};

/* Puts P at SLOT << 3 | FUNCTION, or at a slot that is free (PCI_ANY_SLOT), and fills the standard header. */
void pci_attach(struct pci_dev *p, struct pci_bus *bus, int devfn, struct pci_state *state, const struct pci_id *id);
void pci_detach(struct pci_dev *p);

/*
 * During construction, after pci_attach.  These describe the power-on contents; the first pci_reset() puts them in force.
 * REGION is initialised, not yet in a space; its size is rounded up to a power of two for the register.
 */
void pci_add_bar(struct pci_dev *p, unsigned n, enum pci_bar_kind kind, struct region *region);
/* The expansion ROM: the contents are copied. */
void pci_set_rom(struct pci_dev *p, const void *rom, size_t size);
/* SIZE bytes at REG: the power-on value, and which bits software can write. */
void pci_init_config(struct pci_dev *p, unsigned reg, unsigned size, uint32_t value, uint32_t writable);
/* Links a capability of SIZE bytes at REG into the list. */
void pci_add_capability(struct pci_dev *p, uint8_t id, unsigned reg, unsigned size);
/* VECTORS: 1 to 32, a power of two. */
void pci_add_msi(struct pci_dev *p, unsigned reg, unsigned vectors, bool addresses_64);

/* The configuration as it is now. */
uint32_t pci_get(const struct pci_dev *p, unsigned reg, unsigned size);
void pci_put(struct pci_dev *p, unsigned reg, unsigned size, uint32_t value); /* the device's own side: no masks, no mapping */

void pci_reset(struct pci_dev *p);
/* Checks nothing that a mask doesn't: foreign bits are put right.  Maps the bars, drives the line. */
void pci_loaded(struct pci_dev *p);

void pci_set_intx(struct pci_dev *p, int level);
bool pci_msi_enabled(const struct pci_dev *p);
void pci_msi_notify(struct pci_dev *p, unsigned vector);

/* DMA as bus master; false as dma_read/dma_write, or when the device may not be master (reads then give ones). */
bool pci_dma_read(struct pci_dev *p, gpa addr, void *to, uint64_t len);
bool pci_dma_write(struct pci_dev *p, gpa addr, const void *from, uint64_t len);
uint64_t pci_dma_span(struct pci_dev *p, gpa addr, const uint8_t **host, uint64_t len);

/* ---- the bus itself, for bridges and the board ---- */

struct pci_bus *pci_bus_new(struct space *mem, struct space *io);
void pci_bus_free(struct pci_bus *bus);
/* SET(OPAQUE, N, LEVEL): level of PIRQ N (0 to 3: A to D), told at each change. */
void pci_bus_on_pirq(struct pci_bus *bus, void (*set)(void *opaque, int n, int level), void *opaque);
int pci_bus_pirq(const struct pci_bus *bus, unsigned n);
/* Where message-signalled interrupts go: the local APICs. */
void pci_bus_on_msi(struct pci_bus *bus, void (*deliver)(void *opaque, uint64_t address, uint32_t data), void *opaque);
/* Byte accesses at CF8h-CFBh, which address no configuration space: the reset register at CF9h. */
void pci_bus_on_cf8_bytes(struct pci_bus *bus, const struct region_ops *ops, void *opaque);
const struct region_ops *pci_bus_cf8_bytes(struct pci_bus *bus, void **opaque);

/* ADDRESS as in CF8h: bus << 16 | devfn << 8 | register.  SIZE stays inside a dword.  All ones where no device is. */
uint32_t pci_bus_config_read(struct pci_bus *bus, uint32_t address, unsigned size);
void pci_bus_config_write(struct pci_bus *bus, uint32_t address, uint32_t value, unsigned size);
/* NULL where none is. */
struct pci_dev *pci_bus_find(struct pci_bus *bus, unsigned devfn);

#endif
