/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine in AML: processors, the PCI root with its windows and interrupt routing, the four PIRQ links of the PIIX3,
 * the ISA devices, the event timer, and soft off.
 *
 * The links read and write the PIRQ route registers (60h-63h of the PIIX3, bit 7: not routed), so that an operating
 * system may move an interrupt.  An interrupt is the same number at the PICs and at the I/O APIC.
 */
#include "hw/hw.h"
#include "hw/tables.h"

#include "base/util.h"

#include <stdio.h>

enum { SLOTS = 32, PIIX3_SLOT = 1 };

static const char *const link_names[4] = { "LNKA", "LNKB", "LNKC", "LNKD" };
static const char *const route_names[4] = { "PRQA", "PRQB", "PRQC", "PRQD" };
static const uint8_t link_choices[3] = { 5, 10, 11 };

static void
name_crs(struct aml *a, const char *name, struct bytes *resources)
{
	res_end(resources);
	aml_name(a, name);
	aml_buffer(a, resources);
	bytes_free(resources);
}

static void
add_processors(struct aml *a, unsigned cpus)
{
	char name[8];

	aml_scope(a, "\\_PR");
	for (unsigned i = 0; i < MIN(cpus, 255); i++) {
		snprintf(name, sizeof(name), "C%03X", i);
		aml_processor(a, name, i);
		aml_end(a);
	}
	aml_end(a);
}

/* Everything between RAM and the I/O APIC, and 32 GiB above RAM, which firmware may use for large bases. */
static void
add_windows(struct aml *a, const struct pc_facts *facts)
{
	struct bytes r = { 0 };
	uint64_t high = align_up(4 * GiB + facts->ram_above_4g, GiB);

	res_bus_window(&r, 0, 0xff);
	res_io(&r, 0xcf8, 8);
	res_io_window(&r, 0, 0xcf7);
	res_io_window(&r, 0xd00, 0xffff);
	res_memory_window(&r, 0xa0000, 0xbffff, 1);
	res_memory_window(&r, facts->ram_below_4g, 0xfebfffff, 0);
	res_memory_window(&r, high, align_up(high, 32 * GiB) + 32 * GiB - 1, 0);
	name_crs(a, "_CRS", &r);
}

/* Pins rotate from slot to slot as the board wires them; the power management function has the SCI to itself. */
static void
add_routing(struct aml *a)
{
	char link[16];

	aml_name(a, "_PRT");
	aml_package(a, SLOTS * 4);
	for (unsigned slot = 0; slot < SLOTS; slot++) {
		for (unsigned pin = 0; pin < 4; pin++) {
			bool sci = slot == PIIX3_SLOT && pin == 0;

			snprintf(link, sizeof(link), "\\_SB.%s", sci ? "LNKS" : link_names[(slot + pin + 3) % 4]);
			aml_package(a, 4);
			aml_int(a, slot << 16 | 0xffff);
			aml_int(a, pin);
			aml_path(a, link);
			aml_int(a, 0);
			aml_end(a);
		}
	}
	aml_end(a);
}

/* IQST(route): _STA of a link; IQCR(route): its _CRS. */
static void
add_link_helpers(struct aml *a)
{
	struct bytes r = { 0 };
	static const uint8_t none[1] = { 0 };

	aml_method(a, "IQST", 1, 0);
	aml_if(a);
	aml_op(a, AML_AND);
	aml_int(a, 0x80);
	aml_op(a, AML_ARG0);
	aml_op(a, AML_ZERO);
	aml_op(a, AML_RETURN);
	aml_int(a, 0x09);
	aml_end(a);
	aml_op(a, AML_RETURN);
	aml_int(a, 0x0b);
	aml_end(a);

	aml_method(a, "IQCR", 1, 1);
	res_shared_irqs(&r, none, 1);
	name_crs(a, "PRR0", &r);
	aml_op(a, AML_CREATE_DWORD_FIELD);
	aml_path(a, "PRR0");
	aml_int(a, 5);
	aml_path(a, "PRRI");
	aml_if(a);
	aml_op(a, AML_LESS);
	aml_op(a, AML_ARG0);
	aml_int(a, 0x80);
	aml_op(a, AML_STORE);
	aml_op(a, AML_ARG0);
	aml_path(a, "PRRI");
	aml_end(a);
	aml_op(a, AML_RETURN);
	aml_path(a, "PRR0");
	aml_end(a);
}

/* A method that returns HELPER(ROUTE). */
static void
add_link_query(struct aml *a, const char *method, const char *helper, const char *route)
{
	aml_method(a, method, 0, 0);
	aml_op(a, AML_RETURN);
	aml_path(a, helper);
	aml_path(a, route);
	aml_end(a);
}

static void
add_link(struct aml *a, unsigned n)
{
	struct bytes r = { 0 };
	char route[32];

	snprintf(route, sizeof(route), "\\_SB.PCI0.ISA.%s", route_names[n]);
	aml_device(a, link_names[n]);
	aml_name_eisa(a, "_HID", "PNP0C0F");
	aml_name_int(a, "_UID", n);
	res_shared_irqs(&r, link_choices, ARRAY_SIZE(link_choices));
	name_crs(a, "_PRS", &r);
	add_link_query(a, "_STA", "IQST", route);
	add_link_query(a, "_CRS", "IQCR", route);
	aml_method(a, "_DIS", 0, 0);
	aml_op(a, AML_OR);
	aml_path(a, route);
	aml_int(a, 0x80);
	aml_path(a, route);
	aml_end(a);
	aml_method(a, "_SRS", 1, 0);
	aml_op(a, AML_CREATE_DWORD_FIELD);
	aml_op(a, AML_ARG0);
	aml_int(a, 5);
	aml_path(a, "PRRI");
	aml_op(a, AML_STORE);
	aml_path(a, "PRRI");
	aml_path(a, route);
	aml_end(a);
	aml_end(a);
}

/* The link that is not one: the SCI's number is fixed. */
static void
add_sci_link(struct aml *a, uint8_t irq)
{
	struct bytes r = { 0 };

	aml_device(a, "LNKS");
	aml_name_eisa(a, "_HID", "PNP0C0F");
	aml_name_int(a, "_UID", 4);
	res_shared_irqs(&r, &irq, 1);
	name_crs(a, "_PRS", &r);
	aml_name_int(a, "_STA", 0x0b);
	res_shared_irqs(&r, &irq, 1);
	name_crs(a, "_CRS", &r);
	aml_method(a, "_DIS", 0, 0);
	aml_end(a);
	aml_method(a, "_SRS", 1, 0);
	aml_end(a);
	aml_end(a);
}

/* A device of identifier ID; its resources are R, and UID goes with those of which there may be several. */
static void
add_isa(struct aml *a, const char *name, const char *id, int uid, struct bytes *r)
{
	aml_device(a, name);
	aml_name_eisa(a, "_HID", id);
	if (uid >= 0)
		aml_name_int(a, "_UID", uid);
	aml_name_int(a, "_STA", 0x0f);
	name_crs(a, "_CRS", r);
	aml_end(a);
}

static void
add_ports(struct aml *a, const struct pc_facts *facts)
{
	static const struct {
		uint16_t port;
		uint8_t irq;
	} coms[4] = { { 0x3f8, 4 }, { 0x2f8, 3 }, { 0x3e8, 4 }, { 0x2e8, 3 } };
	struct bytes r = { 0 };
	char name[8];

	for (unsigned i = 0; i < ARRAY_SIZE(coms); i++) {
		if ((facts->com_ports >> i & 1) == 0)
			continue;
		snprintf(name, sizeof(name), "COM%u", i + 1);
		res_io(&r, coms[i].port, 8);
		res_irq(&r, coms[i].irq);
		add_isa(a, name, "PNP0501", i + 1, &r);
	}
	if (facts->parallel) {
		res_io(&r, 0x378, 8);
		res_irq(&r, 7);
		add_isa(a, "LPT1", "PNP0400", 1, &r);
	}
	if (facts->floppy) {
		res_io(&r, 0x3f2, 4);
		res_io(&r, 0x3f7, 1);
		res_irq(&r, 6);
		res_dma(&r, 2);
		add_isa(a, "FDC0", "PNP0700", -1, &r);
	}
}

static void
add_isa_bridge(struct aml *a, const struct pc_facts *facts)
{
	struct bytes r = { 0 };

	aml_device(a, "ISA");
	aml_name_int(a, "_ADR", PIIX3_SLOT << 16);
	aml_region(a, "PIRQ", AML_PCI_CONFIG, 0x60, 4);
	aml_field(a, "PIRQ", 1);
	for (unsigned i = 0; i < 4; i++)
		aml_field_bits(a, route_names[i], 8);
	aml_end(a);
	res_io(&r, 0x60, 1);
	res_io(&r, 0x64, 1);
	res_irq(&r, 1);
	add_isa(a, "KBD", "PNP0303", -1, &r);
	res_irq(&r, 12);
	add_isa(a, "MOU", "PNP0F13", -1, &r);
	res_io(&r, 0x70, 2);
	res_irq(&r, 8);
	add_isa(a, "RTC", "PNP0B00", -1, &r);
	res_io(&r, facts->pm_base, 0x40);
	add_isa(a, "PMIO", "PNP0C02", 1, &r);
	add_ports(a, facts);
	aml_end(a);
}

void
dsdt_build(struct aml *a, const struct pc_facts *facts)
{
	struct bytes r = { 0 };

	add_processors(a, facts->cpus);
	aml_scope(a, "\\_SB");
	aml_device(a, "PCI0");
	aml_name_eisa(a, "_HID", "PNP0A03");
	aml_name_int(a, "_UID", 0);
	add_windows(a, facts);
	add_routing(a);
	add_isa_bridge(a, facts);
	aml_end(a);
	add_link_helpers(a);
	for (unsigned i = 0; i < 4; i++)
		add_link(a, i);
	add_sci_link(a, facts->sci_irq);
	if (facts->hpet) {
		res_memory(&r, 0xfed00000, 0x400);
		add_isa(a, "HPET", "PNP0103", 0, &r);
	}
	aml_end(a);
	aml_name(a, "\\_S5");
	aml_package(a, 4);
	for (unsigned i = 0; i < 4; i++)
		aml_int(a, 0); /* the PIIX4's SLP_TYP of soft off */
	aml_end(a);
}
