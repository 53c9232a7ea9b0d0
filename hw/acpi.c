/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The ACPI tables: RSDP, RSDT and XSDT, FADT revision 3, FACS, DSDT, MADT and HPET (ACPI specification 2.0; IA-PC HPET
 * specification 1.0a), and the list of commands by which firmware that reads fw_cfg installs them (QEMU's
 * etc/table-loader: allocate a file, add its address to a pointer, compute a checksum).
 *
 * Pointers in the tables hold offsets in the file of tables until the loader adds its address.  Without firmware
 * acpi_place() carries the same commands out.
 */
#include "hw/hw.h"
#include "hw/tables.h"

#include "base/util.h"

#include <stdio.h>

#define FILE_TABLES "etc/acpi/tables"
#define FILE_RSDP "etc/acpi/rsdp"

enum { NAME_SIZE = 56, COMMAND_SIZE = 128, HEADER_SIZE = 36 };

enum command { COMMAND_ALLOCATE = 1, COMMAND_ADD_POINTER = 2, COMMAND_ADD_CHECKSUM = 3 };
enum zone { ZONE_HIGH = 1, ZONE_FSEG = 2 };

enum {
	LAPIC_BASE = 0xfee00000,
	IOAPIC_BASE = 0xfec00000,
	HPET_BASE = 0xfed00000,
	HPET_ID = 0x8086a201,
	SMI_PORT = 0xb2,
	ACPI_ENABLE = 0xf1,
	ACPI_DISABLE = 0xf0,
	RESET_PORT = 0xcf9,
	RESET_VALUE = 0x06,
};

/* ---- loader commands ---- */

static void
put_name(struct bytes *b, const char *name)
{
	size_t len = strlen(name);

	bytes_put(b, name, len);
	bytes_zeros(b, NAME_SIZE - len);
}

static void
add_allocate(struct acpi_tables *t, const char *file, unsigned align, enum zone zone)
{
	bytes_le(&t->loader, COMMAND_ALLOCATE, 4);
	put_name(&t->loader, file);
	bytes_le(&t->loader, align, 4);
	bytes_le(&t->loader, zone, 1);
	bytes_align(&t->loader, COMMAND_SIZE);
}

/* What stands at OFFSET of FILE points into the tables. */
static void
add_pointer(struct acpi_tables *t, const char *file, size_t offset, unsigned size)
{
	bytes_le(&t->loader, COMMAND_ADD_POINTER, 4);
	put_name(&t->loader, file);
	put_name(&t->loader, FILE_TABLES);
	bytes_le(&t->loader, offset, 4);
	bytes_le(&t->loader, size, 1);
	bytes_align(&t->loader, COMMAND_SIZE);
}

static void
add_checksum(struct acpi_tables *t, const char *file, size_t at, size_t start, size_t len)
{
	bytes_le(&t->loader, COMMAND_ADD_CHECKSUM, 4);
	put_name(&t->loader, file);
	bytes_le(&t->loader, at, 4);
	bytes_le(&t->loader, start, 4);
	bytes_le(&t->loader, len, 4);
	bytes_align(&t->loader, COMMAND_SIZE);
}

/* ---- tables ---- */

static size_t
begin_table(struct acpi_tables *t, const char *signature, unsigned revision)
{
	struct bytes *b = &t->tables;
	size_t start;

	bytes_align(b, 16);
	start = b->len;
	bytes_put(b, signature, 4);
	bytes_le(b, 0, 4);
	bytes_le(b, revision, 1);
	bytes_le(b, 0, 1);
	bytes_put(b, "CALQUECALQUEPC", 14);
	bytes_le(b, 1, 4);
	bytes_put(b, "CALQ", 4);
	bytes_le(b, 1, 4);
	return start;
}

static void
end_table(struct acpi_tables *t, size_t start)
{
	size_t len = t->tables.len - start;

	bytes_set_le(&t->tables, start + 4, len, 4);
	add_checksum(t, FILE_TABLES, start + 9, start, len);
}

/* A pointer to TARGET at the end of the tables. */
static void
put_pointer(struct acpi_tables *t, size_t target, unsigned size)
{
	add_pointer(t, FILE_TABLES, t->tables.len, size);
	bytes_le(&t->tables, target, size);
}

/* A generic address: a register of BITS bits; SPACE 1 is I/O, 0 memory. */
static void
put_address(struct bytes *b, unsigned space, unsigned width, unsigned access, uint64_t address)
{
	bytes_le(b, space, 1);
	bytes_le(b, width, 1);
	bytes_le(b, 0, 1);
	bytes_le(b, access, 1);
	bytes_le(b, address, 8);
}

static size_t
add_facs(struct acpi_tables *t)
{
	size_t start;

	bytes_align(&t->tables, 64);
	start = t->tables.len;
	bytes_put(&t->tables, "FACS", 4);
	bytes_le(&t->tables, 64, 4);
	bytes_zeros(&t->tables, 64 - 8);
	return start;
}

/* Revision 1: its integers are 32 bits wide, as everything from Windows 98 on understands. */
static size_t
add_dsdt(struct acpi_tables *t, const struct pc_facts *facts)
{
	size_t start = begin_table(t, "DSDT", 1);
	struct aml a = { 0 };

	dsdt_build(&a, facts);
	bytes_put(&t->tables, a.out.data, a.out.len);
	bytes_free(&a.out);
	end_table(t, start);
	return start;
}

/* The FADT's registers of revision 3, after the DSDT's and FACS's addresses. */
static void
put_extended_registers(struct bytes *b, uint16_t pm)
{
	put_address(b, 1, 32, 2, pm);
	put_address(b, 0, 0, 0, 0);
	put_address(b, 1, 16, 2, pm + 4);
	put_address(b, 0, 0, 0, 0);
	put_address(b, 0, 0, 0, 0);
	put_address(b, 1, 32, 3, pm + 8);
	put_address(b, 0, 0, 0, 0);
	put_address(b, 0, 0, 0, 0);
}

static size_t
add_fadt(struct acpi_tables *t, const struct pc_facts *facts, size_t facs, size_t dsdt)
{
	enum { WBINVD = 1 << 0, C1 = 1 << 2, NO_SLEEP_BUTTON = 1 << 5, RESET = 1 << 10 };
	struct bytes *b = &t->tables;
	uint16_t pm = facts->pm_base;
	size_t start = begin_table(t, "FACP", 3);

	put_pointer(t, facs, 4);
	put_pointer(t, dsdt, 4);
	bytes_le(b, 0, 1);
	bytes_le(b, 1, 1);             /* desktop */
	bytes_le(b, facts->sci_irq, 2);
	bytes_le(b, SMI_PORT, 4);
	bytes_le(b, ACPI_ENABLE, 1);
	bytes_le(b, ACPI_DISABLE, 1);
	bytes_le(b, 0, 2);             /* no S4BIOS, no processor performance control */
	bytes_le(b, pm, 4);            /* PM1a event, PM1b event */
	bytes_le(b, 0, 4);
	bytes_le(b, pm + 4, 4);        /* PM1a control, PM1b control */
	bytes_le(b, 0, 4);
	bytes_le(b, 0, 4);             /* PM2 control */
	bytes_le(b, pm + 8, 4);        /* PM timer */
	bytes_le(b, 0, 8);             /* general-purpose events */
	bytes_put(b, "\4\2\0\4\0\0\0\0", 8); /* lengths of the registers, C state control */
	bytes_le(b, 0xfff, 2);         /* C2 and C3 take too long to be used */
	bytes_le(b, 0xfff, 2);
	bytes_le(b, 0, 4);             /* flush size and stride */
	bytes_le(b, 0, 4);             /* duty cycle; day and month alarm */
	bytes_le(b, 0x32, 1);          /* the clock's century */
	bytes_le(b, 3, 2);             /* ISA devices and an 8042 are there */
	bytes_le(b, 0, 1);
	bytes_le(b, WBINVD | C1 | NO_SLEEP_BUTTON | RESET, 4);
	put_address(b, 1, 8, 1, RESET_PORT);
	bytes_le(b, RESET_VALUE, 1);
	bytes_le(b, 0, 3);
	put_pointer(t, facs, 8);
	put_pointer(t, dsdt, 8);
	put_extended_registers(b, pm);
	end_table(t, start);
	return start;
}

static void
put_override(struct bytes *b, unsigned irq, unsigned gsi, unsigned flags)
{
	bytes_put(b, "\2\12\0", 3);
	bytes_le(b, irq, 1);
	bytes_le(b, gsi, 4);
	bytes_le(b, flags, 2);
}

/* PCI interrupts and the SCI share ISA numbers, and are level-triggered, active high. */
static size_t
add_madt(struct acpi_tables *t, const struct pc_facts *facts)
{
	static const uint8_t pci_irqs[] = { 5, 9, 10, 11 };
	struct bytes *b = &t->tables;
	size_t start = begin_table(t, "APIC", 1);

	bytes_le(b, LAPIC_BASE, 4);
	bytes_le(b, 1, 4); /* there are 8259s too */
	for (unsigned i = 0; i < MIN(facts->cpus, 255); i++) {
		bytes_put(b, "\0\10", 2);
		bytes_le(b, i, 1);
		bytes_le(b, i, 1);
		bytes_le(b, 1, 4);
	}
	bytes_put(b, "\1\14\0\0", 4);
	bytes_le(b, IOAPIC_BASE, 4);
	bytes_le(b, 0, 4);
	put_override(b, 0, 2, 0);
	for (unsigned i = 0; i < ARRAY_SIZE(pci_irqs); i++)
		put_override(b, pci_irqs[i], pci_irqs[i], 0x0d);
	bytes_put(b, "\4\6\377\0\0\1", 6); /* NMI: LINT1 of all processors */
	end_table(t, start);
	return start;
}

static size_t
add_hpet(struct acpi_tables *t)
{
	struct bytes *b = &t->tables;
	size_t start = begin_table(t, "HPET", 1);

	bytes_le(b, HPET_ID, 4);
	put_address(b, 0, 0, 0, HPET_BASE);
	bytes_le(b, 0, 1);
	bytes_le(b, 0, 2);
	bytes_le(b, 0, 1);
	end_table(t, start);
	return start;
}

/* RSDT (pointers of 4 bytes) or XSDT (8). */
static size_t
add_root(struct acpi_tables *t, const char *signature, const size_t *targets, unsigned count, unsigned size)
{
	size_t start = begin_table(t, signature, 1);

	for (unsigned i = 0; i < count; i++)
		put_pointer(t, targets[i], size);
	end_table(t, start);
	return start;
}

static void
add_rsdp(struct acpi_tables *t, size_t rsdt, size_t xsdt)
{
	struct bytes *b = &t->rsdp;

	bytes_put(b, "RSD PTR ", 8);
	bytes_le(b, 0, 1);
	bytes_put(b, "CALQUE", 6);
	bytes_le(b, 2, 1);
	bytes_le(b, rsdt, 4);
	bytes_le(b, 36, 4);
	bytes_le(b, xsdt, 8);
	bytes_le(b, 0, 4);
	add_pointer(t, FILE_RSDP, 16, 4);
	add_pointer(t, FILE_RSDP, 24, 8);
	add_checksum(t, FILE_RSDP, 8, 0, 20);
	add_checksum(t, FILE_RSDP, 32, 0, 36);
}

void
acpi_build(struct acpi_tables *t, const struct pc_facts *facts)
{
	size_t targets[3], facs, dsdt, rsdt, xsdt;
	unsigned count = 0;

	memset(t, 0, sizeof(*t));
	add_allocate(t, FILE_RSDP, 16, ZONE_FSEG);
	add_allocate(t, FILE_TABLES, 64, ZONE_HIGH);
	facs = add_facs(t);
	dsdt = add_dsdt(t, facts);
	targets[count++] = add_fadt(t, facts, facs, dsdt);
	targets[count++] = add_madt(t, facts);
	if (facts->hpet)
		targets[count++] = add_hpet(t);
	rsdt = add_root(t, "RSDT", targets, count, 4);
	xsdt = add_root(t, "XSDT", targets, count, 8);
	add_rsdp(t, rsdt, xsdt);
}

void
acpi_free(struct acpi_tables *t)
{
	bytes_free(&t->rsdp);
	bytes_free(&t->tables);
	bytes_free(&t->loader);
}

/* ---- without firmware ---- */

/* Carries a pointer or checksum command out on FILE's bytes, tables being at TABLES_AT. */
static void
run_command(struct bytes *file, const uint8_t *command, gpa tables_at)
{
	size_t offset, start, len;
	unsigned size;

	if (load_le(command, 4) == COMMAND_ADD_POINTER) {
		offset = load_le(command + 4 + 2 * NAME_SIZE, 4);
		size = command[8 + 2 * NAME_SIZE];
		bytes_set_le(file, offset, load_le(file->data + offset, size) + tables_at, size);
	} else if (load_le(command, 4) == COMMAND_ADD_CHECKSUM) {
		offset = load_le(command + 4 + NAME_SIZE, 4);
		start = load_le(command + 8 + NAME_SIZE, 4);
		len = load_le(command + 12 + NAME_SIZE, 4);
		file->data[offset] = bytes_checksum(file->data + start, len);
	}
}

size_t
acpi_place(uint8_t *ram, gpa at, size_t space, const struct pc_facts *facts, gpa *rsdp)
{
	struct acpi_tables t;
	size_t used;

	acpi_build(&t, facts);
	bytes_align(&t.tables, 16);
	for (size_t i = 0; i < t.loader.len; i += COMMAND_SIZE) {
		bool root = strcmp((const char *)t.loader.data + i + 4, FILE_RSDP) == 0;

		run_command(root ? &t.rsdp : &t.tables, t.loader.data + i, at);
	}
	used = t.tables.len + t.rsdp.len;
	if (used <= space) {
		memcpy(ram + at, t.tables.data, t.tables.len);
		memcpy(ram + at + t.tables.len, t.rsdp.data, t.rsdp.len);
		*rsdp = at + t.tables.len;
	} else {
		used = 0;
	}
	acpi_free(&t);
	return used;
}
