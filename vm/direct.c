/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A direct boot: what firmware leaves behind, as far as a kernel may count on it, and the kernel's start.
 *
 * Shadow RAM is opened, PCI devices get addresses and interrupt lines, power management gets its ports, the timer counts,
 * the local APIC passes the PIC's interrupts on, and the screen shows text; ACPI and MP tables and the BIOS data area lie where
 * systems look for them.  There are no BIOS services.
 */
#define _GNU_SOURCE /* memmem */
#include "vm/machine.h"

#include "base/util.h"
#include "hw/pci.h"
#include "vm/vcpu.h"

/* PCI functions on the board. */
enum { HOST_BRIDGE = 0x00, ISA_BRIDGE = 0x08, IDE = 0x09, POWER = 0x0b };

enum {
	ACPI_AT = 0xe0000,
	MP_AT = 0xf0000,
	TABLE_SPACE = 0x10000,
	EBDA_SEGMENT = 0x9fc0,
	GDT_AT = 0x7e00,
	BOOT_STACK = 0x7e00,
	PM_BASE = 0x600,
	PM_CONTROL = PM_BASE + 4,
	SMBUS_BASE = 0x700,
	PCI_IO_FIRST = 0xc000,
};

#define PCI_MEMORY_FIRST 0xe0000000u
#define LAPIC_AT 0xfee00000u

static void
out(struct machine *m, unsigned port, unsigned value, unsigned size)
{
	space_write(m->io, port, value, size, false);
}

static void
config_write(struct machine *m, unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
	pci_bus_config_write(m->pci, devfn << 8 | reg, value, size);
}

static uint32_t
config_read(struct machine *m, unsigned devfn, unsigned reg, unsigned size)
{
	return pci_bus_config_read(m->pci, devfn << 8 | reg, size);
}

/* ---- PCI ---- */

/* Sizes one base register by writing ones, and gives it the next free address. */
static void
assign_bar(struct machine *m, unsigned devfn, unsigned reg, uint32_t *next_io, uint32_t *next_memory)
{
	config_write(m, devfn, reg, 0xffffffff, 4);
	uint32_t bits = config_read(m, devfn, reg, 4);
	bool io = bits & PCI_BAR_IO;
	uint32_t size = ~(bits & (io ? 0xfffffffcu : 0xfffffff0u)) + 1;
	uint32_t *next = io ? next_io : next_memory;

	if (bits == 0)
		return;
	if (io)
		size &= 0xffff;
	*next = (uint32_t)align_up(*next, size);
	config_write(m, devfn, reg, *next, 4);
	*next += size;
}

static void
assign_interrupt(struct machine *m, unsigned devfn)
{
	static const uint8_t lines[4] = { 10, 10, 11, 11 };
	unsigned pin = config_read(m, devfn, PCI_INTERRUPT_PIN, 1);

	if (pin >= 1 && pin <= 4)
		config_write(m, devfn, PCI_INTERRUPT_LINE, lines[((devfn >> 3) - 1 + pin - 1) & 3], 1);
}

static void
assign_pci(struct machine *m)
{
	uint32_t io = PCI_IO_FIRST, memory = PCI_MEMORY_FIRST;

	for (unsigned devfn = 0; devfn < 256; devfn++) {
		if (pci_bus_find(m->pci, devfn) == NULL)
			continue;
		for (unsigned i = 0; i < 6 && devfn != HOST_BRIDGE; i++)
			assign_bar(m, devfn, PCI_BAR0 + 4 * i, &io, &memory);
		assign_interrupt(m, devfn);
		config_write(m, devfn, PCI_COMMAND, PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER, 2);
	}
}

static void
set_up_bridges(struct machine *m)
{
	static const uint8_t pirq[4] = { 10, 10, 11, 11 };

	/* 82441FX: all of C0000h-FFFFFh is RAM that can be read and written. */
	config_write(m, HOST_BRIDGE, 0x59, 0x30, 1);
	for (unsigned reg = 0x5a; reg <= 0x5f; reg++)
		config_write(m, HOST_BRIDGE, reg, 0x33, 1);
	for (unsigned i = 0; i < 4; i++)
		config_write(m, ISA_BRIDGE, 0x60 + i, pirq[i], 1);
	out(m, 0x4d0, 0x00, 1);
	out(m, 0x4d1, 0x0c, 1); /* IRQ 10 and 11 by level */
	/* Both IDE channels are decoded at their old ports. */
	config_write(m, IDE, 0x40, 0x8000, 2);
	config_write(m, IDE, 0x42, 0x8000, 2);
	config_write(m, POWER, 0x40, PM_BASE | 1, 4);
	config_write(m, POWER, 0x80, 0x01, 1);
	config_write(m, POWER, 0x90, SMBUS_BASE | 1, 4);
	config_write(m, POWER, 0xd2, 0x09, 1);
	config_write(m, POWER, PCI_INTERRUPT_LINE, m->facts.sci_irq, 1);
	out(m, PM_CONTROL, 1, 2); /* ACPI is on: there is no firmware to ask for it */
}

/* Channel 0 of the timer runs through all its 65536 counts: kernels read it for time and for chance. */
static void
set_up_timer(struct machine *m)
{
	out(m, 0x43, 0x34, 1);
	out(m, 0x40, 0, 1);
	out(m, 0x40, 0, 1);
}

/* LINT0 carries the PIC's interrupts, LINT1 NMI, as the MP specification's "virtual wire". */
static void
set_up_apic(struct machine *m)
{
	space_write(m->mem, LAPIC_AT + 0xf0, 0x1ff, 4, false);
	space_write(m->mem, LAPIC_AT + 0x350, 0x700, 4, false);
	space_write(m->mem, LAPIC_AT + 0x360, 0x400, 4, false);
}

/* ---- the screen ---- */

/* Registers FIRST.. of an indexed pair of ports. */
static void
out_indexed(struct machine *m, unsigned port, unsigned first, const uint8_t *values, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		out(m, port, first + i, 1);
		out(m, port + 1, values[i], 1);
	}
}

/* The 8x16 font of the VGA's own ROM: glyph 0 is empty, glyph 1 a face. */
static const uint8_t *
find_font(const struct blob *rom)
{
	static const uint8_t first_glyphs[32] = {
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0x7e, 0x81, 0xa5, 0x81, 0x81, 0xbd, 0x99, 0x81, 0x81, 0x7e, 0, 0, 0, 0,
	};

	if (rom->size < 256 * 16)
		return NULL;
	return memmem(rom->data, rom->size - 256 * 16 + sizeof(first_glyphs), first_glyphs, sizeof(first_glyphs));
}

/* Plane 2 holds the font: 32 bytes for each character, 16 used.  The sequencer and the graphics controller open it. */
static void
load_font(struct machine *m, const uint8_t *font)
{
	static const uint8_t sequencer[4] = { 0x04, 0x00, 0x07 };
	static const uint8_t graphics[3] = { 0x02, 0x00, 0x04 };

	out_indexed(m, 0x3c4, 2, sequencer, 3);
	out_indexed(m, 0x3ce, 4, graphics, 3);
	for (unsigned c = 0; c < 256; c++) {
		for (unsigned row = 0; row < 16; row++)
			space_write(m->mem, 0xa0000 + c * 32 + row, font[c * 16 + row], 1, false);
	}
}

/* The 64 colours of the EGA: a bright bit of two thirds and a dim one of a third for each of red, green, blue. */
static void
load_palette(struct machine *m)
{
	out(m, 0x3c6, 0xff, 1);
	out(m, 0x3c8, 0, 1);
	for (unsigned i = 0; i < 64; i++) {
		for (unsigned component = 3; component-- > 0;)
			out(m, 0x3c9, 0x2a * (i >> component & 1) + 0x15 * (i >> (component + 3) & 1), 1);
	}
}

/* BIOS mode 3: 80 by 25 characters of 9 by 16 dots. */
static void
set_up_text_mode(struct machine *m)
{
	static const uint8_t sequencer[5] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
	static const uint8_t crtc[25] = {
		0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00, 0x00, 0x00, 0x00,
		0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff,
	};
	static const uint8_t graphics[9] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
	static const uint8_t attributes[21] = {
		0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e, 0x3f,
		0x0c, 0x00, 0x0f, 0x08, 0x00,
	};
	static const uint8_t unlocked = 0x0e;
	const uint8_t *font = find_font(&m->vga_rom);

	if (!screen_is_vga(m) || font == NULL)
		return;
	out(m, 0x3c2, 0x67, 1);
	out_indexed(m, 0x3d4, 0x11, &unlocked, 1);
	out_indexed(m, 0x3d4, 0, crtc, sizeof(crtc));
	load_palette(m);
	load_font(m, font);
	out_indexed(m, 0x3c4, 0, sequencer, sizeof(sequencer));
	out_indexed(m, 0x3ce, 0, graphics, sizeof(graphics));
	space_read(m->io, 0x3da, 1, false); /* the attribute controller expects an index next */
	for (unsigned i = 0; i < sizeof(attributes); i++) {
		out(m, 0x3c0, i, 1);
		out(m, 0x3c0, attributes[i], 1);
	}
	out(m, 0x3c0, 0x20, 1);
	for (unsigned i = 0; i < 80 * 25; i++)
		space_write(m->mem, 0xb8000 + 2 * i, 0x0720, 2, false);
}

/* ---- memory ---- */

/* The few words of the BIOS data area that systems still read. */
static void
put_bios_data(struct machine *m)
{
	static const uint16_t com[4] = { 0x3f8, 0x2f8, 0x3e8, 0x2e8 };
	uint8_t data[0x100] = { 0 };
	uint8_t ebda[2] = { 1, 0 };

	for (unsigned i = 0; i < 4; i++)
		store_le(data + 2 * i, m->serial_ports & 1u << i ? com[i] : 0, 2);
	store_le(data + 0x08, m->parallel_ports & 1 ? 0x378 : 0, 2);
	store_le(data + 0x0e, EBDA_SEGMENT, 2);
	store_le(data + 0x13, 639, 2);
	data[0x49] = 3;
	store_le(data + 0x4a, 80, 2);
	store_le(data + 0x63, 0x3d4, 2);
	data[0x84] = 24;
	store_le(data + 0x85, 16, 2);
	dma_write(m->mem, 0x400, data, sizeof(data));
	dma_write(m->mem, EBDA_SEGMENT << 4, ebda, sizeof(ebda));
}

static void
put_tables(struct machine *m)
{
	gpa rsdp;

	if (m->ram.below_4g < MiB)
		return;
	acpi_place(m->ram.base, ACPI_AT, TABLE_SPACE, &m->facts, &rsdp);
	mptable_build(m->ram.base + MP_AT, MP_AT, TABLE_SPACE, &m->facts);
}

static void
put_kernel(struct machine *m)
{
	static const uint64_t gdt[4] = { 0, 0, 0x00cf9b000000ffffull, 0x00cf93000000ffffull };
	const struct boot_plan *p = &m->plan;
	struct boot_registers registers = {
		.eip = p->entry, .esp = BOOT_STACK, .eax = p->eax, .ebx = p->ebx, .esi = p->esi,
		.gdt = GDT_AT, .gdt_limit = sizeof(gdt) - 1, .code = 0x10, .data = 0x18,
	};

	for (unsigned i = 0; i < BOOT_PIECES; i++)
		dma_write(m->mem, p->pieces[i].addr, p->pieces[i].blob.data, p->pieces[i].blob.size);
	dma_write(m->mem, GDT_AT, gdt, sizeof(gdt));
	vcpu_enter(m->cpu, &registers);
}

void
direct_start(struct machine *m)
{
	assign_pci(m);
	set_up_bridges(m);
	set_up_timer(m);
	set_up_apic(m);
	set_up_text_mode(m);
	put_bios_data(m);
	put_tables(m);
	put_kernel(m);
}
