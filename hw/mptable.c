/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The MultiProcessor configuration table, Intel's specification 1.4, for kernels that are booted without firmware: with
 * it SeaBIOS makes its own.  PCI interrupts are described as SeaBIOS routes them (PIRQA and B to 10, C and D to 11).
 */
#include "hw/hw.h"
#include "hw/tables.h"

#include "base/util.h"

enum { BUS_PCI = 0, BUS_ISA = 1, IOAPIC_ID = 0, SLOTS = 32, POINTER_SIZE = 16 };
enum { TYPE_INT = 0, TYPE_NMI = 1, TYPE_EXTINT = 3, ACTIVE_HIGH = 1 };

static void
add_processor(struct bytes *b, unsigned id)
{
	bytes_le(b, 0, 1);
	bytes_le(b, id, 1);
	bytes_le(b, 0x14, 1);
	bytes_le(b, id == 0 ? 3 : 1, 1); /* enabled; the first one boots */
	bytes_le(b, 0x600, 4);
	bytes_le(b, 0x201, 4);           /* FPU and local APIC */
	bytes_zeros(b, 8);
}

static void
add_bus(struct bytes *b, unsigned id, const char *type)
{
	bytes_le(b, 1, 1);
	bytes_le(b, id, 1);
	bytes_put(b, type, 6);
}

static void
add_ioapic(struct bytes *b)
{
	bytes_le(b, 2, 1);
	bytes_le(b, IOAPIC_ID, 1);
	bytes_le(b, 0x11, 1);
	bytes_le(b, 1, 1);
	bytes_le(b, 0xfec00000, 4);
}

/* An input of the I/O APIC (entry 3) or of the local ones (entry 4). */
static void
add_interrupt(struct bytes *b, unsigned entry, unsigned type, unsigned flags, unsigned bus, unsigned source,
	unsigned apic, unsigned pin)
{
	bytes_le(b, entry, 1);
	bytes_le(b, type, 1);
	bytes_le(b, flags, 2);
	bytes_le(b, bus, 1);
	bytes_le(b, source, 1);
	bytes_le(b, apic, 1);
	bytes_le(b, pin, 1);
}

static unsigned
add_interrupts(struct bytes *b)
{
	static const uint8_t routes[4] = { 10, 10, 11, 11 };
	unsigned count = 0;

	for (unsigned slot = 1; slot < SLOTS; slot++) {
		for (unsigned pin = 0; pin < 4; pin++, count++) {
			add_interrupt(b, 3, TYPE_INT, ACTIVE_HIGH, BUS_PCI, slot << 2 | pin, IOAPIC_ID,
				routes[(slot - 1 + pin) % 4]);
		}
	}
	for (unsigned irq = 0; irq < 16; irq++) {
		if (irq == 2 || irq == 10 || irq == 11)
			continue;
		add_interrupt(b, 3, TYPE_INT, 0, BUS_ISA, irq, IOAPIC_ID, irq == 0 ? 2 : irq);
		count++;
	}
	add_interrupt(b, 4, TYPE_EXTINT, 0, BUS_ISA, 0, 0, 0);
	add_interrupt(b, 4, TYPE_NMI, 0, BUS_ISA, 0, 0xff, 1);
	return count + 2;
}

static void
add_configuration(struct bytes *b, const struct pc_facts *facts)
{
	size_t start = b->len, count = 0;

	bytes_put(b, "PCMP\0\0\4\0", 8);
	bytes_put(b, "CALQUE  PC          ", 20);
	bytes_zeros(b, 8);               /* no OEM table; size, entries: below */
	bytes_le(b, 0xfee00000, 4);
	bytes_zeros(b, 4);
	for (; count < MIN(facts->cpus, 255); count++)
		add_processor(b, count);
	add_bus(b, BUS_PCI, "PCI   ");
	add_bus(b, BUS_ISA, "ISA   ");
	add_ioapic(b);
	count += 3 + add_interrupts(b);
	bytes_set_le(b, start + 4, b->len - start, 2);
	bytes_set_le(b, start + 34, count, 2);
	bytes_set_le(b, start + 7, bytes_checksum(b->data + start, b->len - start), 1);
}

size_t
mptable_build(void *to, gpa at, size_t space, const struct pc_facts *facts)
{
	struct bytes b = { 0 };
	size_t used;

	bytes_put(&b, "_MP_", 4);
	bytes_le(&b, at + POINTER_SIZE, 4);
	bytes_put(&b, "\1\4", 2);        /* one paragraph long; specification 1.4 */
	bytes_zeros(&b, 6);
	bytes_set_le(&b, 10, bytes_checksum(b.data, POINTER_SIZE), 1);
	add_configuration(&b, facts);
	used = b.len <= space ? b.len : 0;
	memcpy(to, b.data, used);
	bytes_free(&b);
	return used;
}
