/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function 1 of the Intel 82371SB (PIIX3): the IDE controller, by its data sheet, order number 290550-002, and
 * "Programming Interface for Bus Master IDE Controller", revision 1.0.  Two channels at the ports of the PC/AT, each
 * decoded when its IDETIM register says so, and a bus master for each at base address 4.  The chip comes up with IDETIM
 * clear; here both channels are on from the start, since OVMF's drivers leave that to the board.
 */
#include "base/err.h"
#include "base/util.h"
#include "hw/ata.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <stdio.h>

enum {
	IDETIM = 0x40,           /* two bytes for each channel */
	IDETIM_DECODE = 0x8000,
	SIDETIM = 0x44,
	BM_COMMAND = 0,
	BM_STATUS = 2,
	BM_TABLE = 4,
	BM_START = 0x01,
	BM_TO_MEMORY = 0x08,
	BM_ACTIVE = 0x01,
	BM_ERROR = 0x02,
	BM_INTERRUPT = 0x04,
	BM_CAPABLE = 0x60,       /* software's own notes */
	BM_PORTS = 8,            /* for each channel */
	REGIONS_MOST = 4096,     /* for one request: of 256 bytes each, on average, and so work for a millisecond */
	PRD_LAST = 0x80000000,
};

/* Where a bus master stands in its list of regions (PRDs). */
struct place {
	uint32_t table;          /* the next entry */
	uint32_t addr, left;     /* of the region */
	uint32_t last;           /* it is the last one */
};

struct bus_master_state {
	struct place place;
	uint32_t table;          /* as software wrote it */
	uint8_t command, status;
	uint8_t spare[2];        /* zero */
};

struct bus_master {
	struct piix3_ide *ide;
	struct bus_master_state *s;
	struct place ahead;      /* what commit() makes the place */
};

struct piix3_ide {
	struct pci_dev pci;
	struct ata_channel channels[2];
	struct bus_master masters[2];
	struct region command[2], control[2], bus_master;
	struct {
		struct pci_state pci;
		struct ata_channel_state channels[2];
		struct bus_master_state masters[2];
		struct ata_state drives[4];
	} state;
};

/* ---- the bus master ---- */

static void
stop_with_error(struct bus_master *b)
{
	b->s->status = (b->s->status & ~BM_ACTIVE) | BM_ERROR;
}

/* Goes on to the next region.  False: there is none. */
static bool
next_region(struct bus_master *b, struct place *p)
{
	uint8_t entry[8];
	uint32_t count;

	if (p->last)
		return false;
	if (!pci_dma_read(&b->ide->pci, p->table, entry, sizeof(entry))) {
		stop_with_error(b);
		return false;
	}
	count = load_le(entry + 4, 4);
	p->addr = load_le(entry, 4) & ~1u;
	p->left = count & 0xfffe ? count & 0xfffe : 0x10000;
	p->last = (count & PRD_LAST) != 0;
	/* A table does not cross 64 KiB. */
	p->table = (p->table & 0xffff0000) | ((p->table + 8) & 0xffff);
	return true;
}

static size_t
move(struct bus_master *b, struct place *p, uint8_t *buf, size_t len, bool to_memory)
{
	unsigned regions = 0;
	size_t done = 0;

	while (done < len) {
		size_t n;
		bool ok;

		if (p->left == 0 && ++regions > REGIONS_MOST) {
			guest_bug(&b->ide->pci.dev, "more than %u regions for %zu bytes", REGIONS_MOST, len);
			stop_with_error(b);
			break;
		}
		if (p->left == 0 && !next_region(b, p))
			break;
		n = MIN(len - done, p->left);
		ok = to_memory ? pci_dma_write(&b->ide->pci, p->addr, buf + done, n) :
			pci_dma_read(&b->ide->pci, p->addr, buf + done, n);
		if (!ok) {
			stop_with_error(b);
			break;
		}
		p->addr += n;
		p->left -= n;
		done += n;
	}
	return done;
}

/* The master is done when the last region is. */
static void
settle(struct bus_master *b, struct place p)
{
	b->s->place = p;
	if (p.left == 0 && p.last)
		b->s->status &= ~BM_ACTIVE;
}

static bool
is_ready(void *opaque, bool to_memory)
{
	struct bus_master *b = opaque;

	return (b->s->status & BM_ACTIVE) && ((b->s->command & BM_TO_MEMORY) != 0) == to_memory;
}

static size_t
to_memory(void *opaque, const void *from, size_t len)
{
	struct bus_master *b = opaque;
	struct place p = b->s->place;
	size_t done = move(b, &p, (uint8_t *)from, len, true);

	settle(b, p);
	return done;
}

static size_t
from_memory(void *opaque, void *to, size_t len)
{
	struct bus_master *b = opaque;

	b->ahead = b->s->place;
	return move(b, &b->ahead, to, len, false);
}

static void
commit(void *opaque)
{
	struct bus_master *b = opaque;

	settle(b, b->ahead);
}

static void
interrupt(void *opaque)
{
	struct bus_master *b = opaque;

	b->s->status |= BM_INTERRUPT;
}

static const struct ata_dma dma_ops = { is_ready, to_memory, from_memory, commit, interrupt };

static void
write_command(struct bus_master *b, struct ata_channel *ch, uint8_t value)
{
	bool was = b->s->command & BM_START, is = value & BM_START;

	b->s->command = value & (BM_START | BM_TO_MEMORY);
	if (is && !was) {
		b->s->place = (struct place){ .table = b->s->table };
		b->s->status |= BM_ACTIVE;
		ata_dma_started(ch);
	} else if (was && !is) {
		b->s->status &= ~BM_ACTIVE;
		ata_dma_stopped(ch);
	}
}

static uint64_t
bm_read(void *opaque, uint64_t offset, unsigned size)
{
	struct piix3_ide *ide = opaque;
	struct bus_master_state *s = &ide->state.masters[offset / BM_PORTS];
	uint8_t ports[BM_PORTS] = { s->command, 0, s->status, 0 };

	store_le(ports + BM_TABLE, s->table, 4);
	return load_le(ports + offset % BM_PORTS, MIN(size, BM_PORTS - offset % BM_PORTS));
}

static void
bm_write_byte(struct piix3_ide *ide, unsigned offset, uint8_t value)
{
	unsigned n = offset / BM_PORTS, reg = offset % BM_PORTS;
	struct bus_master_state *s = &ide->state.masters[n];

	if (reg == BM_COMMAND) {
		write_command(&ide->masters[n], &ide->channels[n], value);
	} else if (reg == BM_STATUS) {
		s->status &= ~(value & (BM_ERROR | BM_INTERRUPT));
		s->status = (s->status & ~BM_CAPABLE) | (value & BM_CAPABLE);
	} else if (reg >= BM_TABLE) {
		uint8_t table[4];

		store_le(table, s->table, 4);
		table[reg - BM_TABLE] = value;
		s->table = load_le(table, 4) & ~3u;
	}
}

static void
bm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		bm_write_byte(opaque, offset + i, value >> 8 * i);
}

/* ---- the ports of the channels ---- */

static uint64_t
command_read(void *opaque, uint64_t offset, unsigned size)
{
	return ata_read(opaque, offset, size);
}

static void
command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	ata_write(opaque, offset, value, size);
}

static uint64_t
control_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)offset, (void)size;
	return ata_alt_status(opaque);
}

static void
control_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)offset, (void)size;
	ata_control(opaque, value);
}

static const struct region_ops bm_ops = { bm_read, bm_write, 1, 4 };
static const struct region_ops command_ops = { command_read, command_write, 1, 4 };
static const struct region_ops control_ops = { control_read, control_write, 1, 1 };

/* The regions of a channel in the port space, as IDETIM and the command register let them be. */
static void
map_ports(struct piix3_ide *ide)
{
	struct space *io = ide->command[0].space;

	space_begin(io);
	for (unsigned n = 0; n < 2; n++) {
		bool on = (pci_get(&ide->pci, IDETIM + 2 * n, 2) & IDETIM_DECODE) &&
			(pci_get(&ide->pci, PCI_COMMAND, 2) & PCI_COMMAND_IO);

		region_set_enabled(&ide->command[n], on);
		region_set_enabled(&ide->control[n], on);
	}
	space_end(io);
}

static void
config_written(struct pci_dev *p, unsigned reg, unsigned size)
{
	if (reg <= PCI_COMMAND + 1 || (reg + size > IDETIM && reg < SIDETIM))
		map_ports(CONTAINER_OF(p, struct piix3_ide, pci));
}

/* ---- the class ---- */

static struct piix3_ide *
ide_of(struct dev *d)
{
	return CONTAINER_OF(d, struct piix3_ide, pci.dev);
}

static void
piix3_ide_reset(struct dev *d)
{
	struct piix3_ide *ide = ide_of(d);

	pci_reset(&ide->pci);
	memset(ide->state.masters, 0, sizeof(ide->state.masters));
	for (unsigned n = 0; n < 2; n++)
		ata_channel_reset(&ide->channels[n]);
	map_ports(ide);
}

static bool
piix3_ide_loaded(struct dev *d, struct err *e)
{
	struct piix3_ide *ide = ide_of(d);

	pci_loaded(&ide->pci);
	map_ports(ide);
	for (unsigned n = 0; n < 2; n++) {
		struct bus_master_state *s = &ide->state.masters[n];

		memset(s->spare, 0, sizeof(s->spare));
		if (s->place.left > 0x10000)
			return err_set(e, "bus master %u: a region larger than 64 KiB", n);
		if (!ata_channel_loaded(&ide->channels[n], e))
			return err_prefix(e, "channel %u, ", n);
	}
	return true;
}

static void
piix3_ide_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const kinds[] = { "none", "disk", "cd" };
	struct piix3_ide *ide = ide_of(d);
	char text[160];

	for (unsigned i = 0; i < 4; i++) {
		const struct ata_drive *a = &ide->channels[i / 2].drives[i % 2];
		const struct ata_state *s = &ide->state.drives[i];

		snprintf(text, sizeof(text), "  drive %u: %s, %llu sectors, status %02x, error %02x, phase %u\n", i, kinds[a->kind],
			(unsigned long long)a->sectors, s->status, s->error, s->phase);
		print(opaque, text);
	}
	for (unsigned n = 0; n < 2; n++) {
		const struct bus_master_state *s = &ide->state.masters[n];

		snprintf(text, sizeof(text), "  bus master %u: command %02x, status %02x, table %08x\n", n, s->command, s->status,
			s->table);
		print(opaque, text);
	}
}

static void
piix3_ide_destroy(struct dev *d)
{
	struct piix3_ide *ide = ide_of(d);

	for (unsigned n = 0; n < 2; n++) {
		for (unsigned i = 0; i < 2; i++)
			ata_drive_destroy(&ide->channels[n].drives[i]);
		space_remove(&ide->command[n]);
		space_remove(&ide->control[n]);
	}
	pci_detach(&ide->pci);
}

#define MASTER_FIELDS(member) \
	FIELD_OF(struct piix3_ide, member.place.table), FIELD_OF(struct piix3_ide, member.place.addr), \
	FIELD_OF(struct piix3_ide, member.place.left), FIELD_MAX(struct piix3_ide, member.place.last, 1), \
	FIELD_OF(struct piix3_ide, member.table), FIELD_OF(struct piix3_ide, member.command), \
	FIELD_OF(struct piix3_ide, member.status), FIELD_SKIP(struct piix3_ide, member.spare)

static const struct field fields[] = {
	PCI_FIELDS(struct piix3_ide),
	ATA_CHANNEL_FIELDS(struct piix3_ide, state.channels[0]),
	ATA_CHANNEL_FIELDS(struct piix3_ide, state.channels[1]),
	MASTER_FIELDS(state.masters[0]),
	MASTER_FIELDS(state.masters[1]),
	ATA_DRIVE_FIELDS(struct piix3_ide, state.drives[0]),
	ATA_DRIVE_FIELDS(struct piix3_ide, state.drives[1]),
	ATA_DRIVE_FIELDS(struct piix3_ide, state.drives[2]),
	ATA_DRIVE_FIELDS(struct piix3_ide, state.drives[3]),
	FIELD_END
};

static const struct dev_class piix3_ide_class = {
	DEV_OF(piix3_ide),
	.description = "Intel PIIX3 IDE controller",
	.fields = fields,
	.reset = piix3_ide_reset,
	.loaded = piix3_ide_loaded,
	.info = piix3_ide_info,
	.destroy = piix3_ide_destroy,
};

/* ---- making it ---- */

static void
init_channel(struct piix3_ide *ide, unsigned n, struct irq irq, const struct dev_env *env)
{
	static const uint16_t command_ports[2] = { 0x1f0, 0x170 }, control_ports[2] = { 0x3f6, 0x376 };
	struct ata_channel *ch = &ide->channels[n];
	struct bus_master *b = &ide->masters[n];

	*b = (struct bus_master){ .ide = ide, .s = &ide->state.masters[n] };
	ch->clock = env->clock;
	ch->s = &ide->state.channels[n];
	ch->irq = irq;
	ch->dma = &dma_ops;
	ch->dma_opaque = b;
	region_init_io(&ide->command[n], "ide-command", &command_ops, ch, 8);
	region_init_io(&ide->control[n], "ide-control", &control_ops, ch, 1);
	ide->command[n].enabled = ide->control[n].enabled = false;
	space_add(env->io, &ide->command[n], command_ports[n], 0);
	space_add(env->io, &ide->control[n], control_ports[n], 0);
}

static void
init_drive(struct piix3_ide *ide, unsigned n, struct disk *disk, bool cdrom, const char *serial)
{
	struct ata_channel *ch = &ide->channels[n / 2];
	enum ata_kind kind = cdrom ? ATA_CD : disk != NULL ? ATA_DISK : ATA_NONE;
	char number[16];

	snprintf(number, sizeof(number), "CQ%05u", (n + 1) % 100000);
	ata_drive_init(&ch->drives[n % 2], ch, &ide->state.drives[n], kind, disk, serial != NULL ? serial : number);
}

struct dev *
piix3_ide_new(const struct dev_env *env, struct pci_bus *bus, struct irq irq14, struct irq irq15,
	struct disk *disks[4], const bool cdrom[4], const char *const serials[4])
{
	static const struct pci_id id = { .vendor = 0x8086, .device = 0x7010, .class = 0x010180 };
	struct piix3_ide *ide = ide_of(dev_new(env, &piix3_ide_class, NULL));

	pci_attach(&ide->pci, bus, 1 << 3 | 1, &ide->state.pci, &id);
	ide->pci.config_written = config_written;
	pci_init_config(&ide->pci, PCI_COMMAND, 2, 0, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
	pci_init_config(&ide->pci, PCI_STATUS, 2, 0x0280, 0);
	pci_init_config(&ide->pci, IDETIM, 4, (uint32_t)IDETIM_DECODE << 16 | IDETIM_DECODE, 0xf3fff3ff);
	pci_init_config(&ide->pci, SIDETIM, 1, 0, 0xff);
	region_init_io(&ide->bus_master, "ide-bus-master", &bm_ops, ide, 2 * BM_PORTS);
	pci_add_bar(&ide->pci, 4, PCI_BAR_IO, &ide->bus_master);
	init_channel(ide, 0, irq14, env);
	init_channel(ide, 1, irq15, env);
	for (unsigned n = 0; n < 4; n++)
		init_drive(ide, n, disks[n], cdrom[n], serials != NULL ? serials[n] : NULL);
	piix3_ide_reset(&ide->pci.dev);
	return &ide->pci.dev;
}

bool
piix3_ide_change(struct dev *d, unsigned drive, struct disk *disk, bool force)
{
	struct piix3_ide *ide = ide_of(d);

	return drive < 4 && atapi_change(&ide->channels[drive / 2].drives[drive % 2], disk, force);
}

void
piix3_ide_tray(struct dev *d, unsigned drive, bool *open, bool *locked)
{
	const struct ata_state *s = &ide_of(d)->state.drives[drive % 4];

	*open = s->tray_open;
	*locked = s->locked;
}

void
piix3_ide_geometry(struct dev *d, unsigned drive, unsigned *cylinders, unsigned *heads, unsigned *sectors)
{
	const struct ata_drive *a = &ide_of(d)->channels[drive / 2 % 2].drives[drive % 2];
	bool disk = a->kind == ATA_DISK;

	*cylinders = disk ? a->cylinders : 0;
	*heads = disk ? a->heads : 0;
	*sectors = disk ? a->spt : 0;
}
