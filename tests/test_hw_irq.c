/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: interrupt controllers, by ports and a manual clock; then all of the board under arbitrary accesses.  By the data sheets. */
#include "tests/check_main.h"
#include "tests/irq_board.h"

static void
line(unsigned n, int level)
{
	struct irq l = i8259_line(b->pic, n);

	irq_set(&l, level);
}

static void
pin(unsigned n, int level)
{
	struct irq l = ioapic_line(b->ioapic, n);

	irq_set(&l, level);
}

/* ---- 8259 ---- */

/* As firmware does it: vectors 08h and 70h, cascade, 8086 mode; all masked but MASK. */
static void
pic_init(uint16_t mask, uint8_t icw4)
{
	out(0x20, 0x11), out(0xa0, 0x11);
	out(0x21, 0x08), out(0xa1, 0x70);
	out(0x21, 0x04), out(0xa1, 0x02);
	out(0x21, icw4), out(0xa1, icw4);
	out(0x21, mask), out(0xa1, mask >> 8);
}

START_TEST(pic_priorities)
{
	pic_init(0, 1);
	ck_assert(!b->pic_out.level);
	line(5, 1);
	line(1, 1);
	ck_assert(b->pic_out.level);
	ck_assert_int_eq(i8259_ack(b->pic), 0x09);
	ck_assert(!b->pic_out.level);
	line(0, 1);
	ck_assert(b->pic_out.level);
	ck_assert_int_eq(i8259_ack(b->pic), 0x08);
	out(0x20, 0x0b);
	ck_assert_uint_eq(in(0x20), 0x03);
	out(0x20, 0x20);
	ck_assert_uint_eq(in(0x20), 0x02);
	out(0x20, 0x61);
	ck_assert_uint_eq(in(0x20), 0x00);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0d);
	out(0x20, 0x20);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0f); /* spurious: nothing in service */
	ck_assert_uint_eq(in(0x20), 0x00);
}
END_TEST

START_TEST(pic_cascade)
{
	pic_init(0, 1);
	line(12, 1);
	line(12, 0);
	ck_assert_int_eq(i8259_ack(b->pic), 0x74);
	line(14, 1);
	ck_assert(!b->pic_out.level);
	out(0xa0, 0x20);
	ck_assert(!b->pic_out.level);
	out(0x20, 0x20);
	ck_assert_int_eq(i8259_ack(b->pic), 0x76);
	out(0xa0, 0x20), out(0x20, 0x20);
	line(9, 1);
	out(0xa1, 0xff);
	ck_assert(!b->pic_out.level);
	ck_assert_uint_eq(in(0xa1), 0xff);
	out(0xa1, 0);
	ck_assert_int_eq(i8259_ack(b->pic), 0x71);
}
END_TEST

START_TEST(pic_modes)
{
	pic_init(0, 3); /* automatic EOI */
	out(0x20, 0x80); /* that rotates */
	line(3, 1);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0b);
	out(0x20, 0x0b);
	ck_assert_uint_eq(in(0x20), 0);
	line(2 + 2, 1), line(3, 0), line(3, 1);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0c); /* 3 is now the lowest */
	ck_assert_int_eq(i8259_ack(b->pic), 0x0b);

	pic_init(0, 1);
	line(3, 0), line(4, 0);
	out(0x20, 0xc4); /* 5 is the highest */
	line(0, 0), line(0, 1), line(6, 1);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0e);
	out(0x20, 0xe6);
	ck_assert_int_eq(i8259_ack(b->pic), 0x08);
	line(7, 1);
	ck_assert(b->pic_out.level); /* above 0, since 6 is the lowest */
	out(0x20, 0x0c); /* poll */
	ck_assert_uint_eq(in(0x20), 0x87);
	out(0x20, 0x0c);
	ck_assert_uint_eq(in(0x20), 0x00);

	pic_init(0, 1);
	line(1, 1);
	ck_assert_int_eq(i8259_ack(b->pic), 0x09);
	line(5, 1);
	ck_assert(!b->pic_out.level);
	out(0x20, 0x68); /* special mask: a masked input in service blocks nobody */
	out(0x21, 0x02);
	ck_assert_int_eq(i8259_ack(b->pic), 0x0d);
}
END_TEST

START_TEST(pic_level)
{
	pic_init(0, 1);
	out(0x4d0, 0xff), out(0x4d1, 0xff);
	ck_assert_uint_eq(in(0x4d0), 0xf8);
	ck_assert_uint_eq(in(0x4d1), 0xde);
	line(10, 1);
	ck_assert_int_eq(i8259_ack(b->pic), 0x72);
	out(0xa0, 0x20), out(0x20, 0x20);
	ck_assert(b->pic_out.level); /* still asserted */
	line(10, 0);
	ck_assert(!b->pic_out.level);
	line(0, 1);
	pic_init(0, 1); /* the edge was before: it doesn't count */
	ck_assert(!b->pic_out.level);
}
END_TEST

/* ---- local APIC ---- */

START_TEST(apic_power_on)
{
	static const struct { unsigned reg; uint32_t value; } rows[] = {
		{ 0x20, 0 }, { 0x30, 0x01050014 }, { 0x80, 0 }, { 0xa0, 0 }, { 0xd0, 0 }, { 0xe0, 0xffffffff },
		{ 0xf0, 0xff }, { 0x100, 0 }, { 0x180, 0 }, { 0x200, 0 }, { 0x280, 0 }, { 0x300, 0 }, { 0x310, 0 },
		{ 0x320, 0x10000 }, { 0x330, 0x10000 }, { 0x340, 0x10000 }, { 0x350, 0x700 }, { 0x360, 0x10000 },
		{ 0x370, 0x10000 }, { 0x380, 0 }, { 0x390, 0 }, { 0x3e0, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(rd(LAPIC + rows[i].reg) == rows[i].value, "register %x", rows[i].reg);
	ck_assert_uint_eq(rdmsr(0, 0x1b), 0xfee00900);
	ck_assert_uint_eq(rdmsr(1, 0x1b), 0xfee00800);
	lapic_set_current(b->apic[2]);
	ck_assert_uint_eq(rd(LAPIC + 0x20), 2u << 24);
	ck_assert_uint_eq(rd(LAPIC + 0x350), 0x10000);
}
END_TEST

START_TEST(apic_virtual_wire)
{
	pic_init(0, 1);
	line(1, 1);
	ck_assert(intr(0) && !intr(1));
	ck_assert_int_eq(ack(0), 0x09);
	ck_assert(!intr(0));
	out(0x20, 0x20);
	wr(LAPIC + 0xf0, 0x10f);
	wr(LAPIC + 0x350, 0x10700);
	line(3, 1);
	ck_assert(!intr(0));
	wr(LAPIC + 0x350, 0x8700);
	ck_assert(intr(0));
	ck_assert_int_eq(ack(0), 0x0b);
	out(0x20, 0x20);
	/* Switched off by software all entries are masked; by the MSR the pins are the processor's. */
	wr(LAPIC + 0xf0, 0x0f);
	ck_assert_uint_eq(rd(LAPIC + 0x350), 0x18700);
	wr(LAPIC + 0x350, 0x700);
	ck_assert_uint_eq(rd(LAPIC + 0x350), 0x10700);
	line(4, 1);
	ck_assert(!intr(0));
	ck_assert(wrmsr(0, 0x1b, 0xfee00100));
	ck_assert(intr(0));
	ck_assert_uint_eq(rd(LAPIC + 0x20), 0xffffffff);
	ck_assert_int_eq(ack(0), 0x0c);
	lapic_lint(b->apic[0], 1).set(b->apic[0], 1, 1);
	ck_assert_uint_eq(b->pins[0][PIN_NMI].rises, 1);
}
END_TEST

/* Sends VECTOR to the processor itself. */
static void
self(uint8_t vector)
{
	wr(LAPIC + 0x300, 0x44000 | vector);
}

START_TEST(apic_priorities)
{
	wr(LAPIC + 0xf0, 0x1ff);
	self(0x41);
	ck_assert(intr(0));
	wr(LAPIC + 0x80, 0x4f); /* TPR of the same class */
	ck_assert(!intr(0));
	ck_assert_uint_eq(b->cpu[0].get_tpr(b->cpu[0].opaque), 4);
	b->cpu[0].set_tpr(b->cpu[0].opaque, 3);
	ck_assert_uint_eq(rd(LAPIC + 0x80), 0x30);
	ck_assert_int_eq(ack(0), 0x41);
	ck_assert_uint_eq(rd(LAPIC + 0x100 + 0x20), 1u << 1);
	ck_assert_uint_eq(rd(LAPIC + 0xa0), 0x40);
	self(0x4f);
	ck_assert(!intr(0));
	self(0x52);
	ck_assert(intr(0));
	ck_assert_int_eq(ack(0), 0x52);
	ck_assert_uint_eq(rd(LAPIC + 0xa0), 0x50);
	wr(LAPIC + 0xb0, 0);
	ck_assert_uint_eq(rd(LAPIC + 0xa0), 0x40);
	wr(LAPIC + 0xb0, 0);
	ck_assert_int_eq(ack(0), 0x4f);
	wr(LAPIC + 0xb0, 0);
	ck_assert(!intr(0));
	ck_assert_int_eq(ack(0), -1);
	wr(LAPIC + 0x80, 0xff);
	self(0x60);
	ck_assert_int_eq(ack(0), 0xff); /* spurious */
	self(0x05);
	wr(LAPIC + 0x280, 0);
	ck_assert_uint_eq(rd(LAPIC + 0x280), 0x20);
	wr(LAPIC + 0x280, 0);
	ck_assert_uint_eq(rd(LAPIC + 0x280), 0);
	rd(LAPIC + 0x40);
	wr(LAPIC + 0x280, 0);
	ck_assert_uint_eq(rd(LAPIC + 0x280), 0x80);
}
END_TEST

static void
enable_all(void)
{
	for (unsigned i = 0; i < APICS; i++) {
		lapic_set_current(b->apic[i]);
		wr(LAPIC + 0xf0, 0x1ff);
		wr(LAPIC + 0xd0, 1u << (24 + i));
	}
	lapic_set_current(b->apic[0]);
}

static void
ipi(uint32_t dest, uint32_t command)
{
	wr(LAPIC + 0x310, dest << 24);
	wr(LAPIC + 0x300, command);
}

START_TEST(apic_destinations)
{
	static const struct { uint32_t dest, command; unsigned reached; } rows[] = {
		{ 1, 0x4050, 2 }, { 7, 0x4050, 0 }, { 0xff, 0x4050, 7 }, { 5, 0x4850, 5 }, { 0, 0x44050, 1 },
		{ 0, 0x84050, 7 }, { 0, 0xc4050, 6 }, { 6, 0x4950, 4 },
	};

	enable_all();
	lapic_set_current(b->apic[1]);
	wr(LAPIC + 0x80, 0x20); /* lowest priority goes to the third */
	lapic_set_current(b->apic[0]);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		unsigned reached = 0;

		ipi(rows[i].dest, rows[i].command);
		for (unsigned cpu = 0; cpu < APICS; cpu++) {
			if (!intr(cpu))
				continue;
			reached |= 1 << cpu;
			ck_assert_int_eq(ack(cpu), 0x50);
			lapic_set_current(b->apic[cpu]);
			wr(LAPIC + 0xb0, 0);
		}
		lapic_set_current(b->apic[0]);
		ck_assert_msg(reached == rows[i].reached, "row %u: %x", i, reached);
	}
	/* Clusters: the second one has cluster 1, member 2. */
	lapic_set_current(b->apic[1]);
	wr(LAPIC + 0xe0, 0x0fffffff);
	wr(LAPIC + 0xd0, 0x14000000);
	lapic_set_current(b->apic[0]);
	ipi(0x14, 0x4851);
	ck_assert(intr(1));
	ck_assert_int_eq(ack(1), 0x51);
}
END_TEST

START_TEST(apic_startup)
{
	enable_all();
	ipi(1, 0xc500);
	ck_assert_uint_eq(b->pins[1][PIN_INIT].rises, 1);
	ipi(1, 0x8500); /* de-assert */
	ck_assert_uint_eq(b->pins[1][PIN_INIT].rises, 1);
	lapic_set_current(b->apic[1]);
	ck_assert_uint_eq(rd(LAPIC + 0xf0), 0xff);
	lapic_set_current(b->apic[0]);
	ipi(1, 0x4600 | 0x9a);
	ck_assert_uint_eq(b->pins[1][PIN_SIPI].rises, 1);
	ck_assert_int_eq(b->pins[1][PIN_SIPI].level, 0x9a);
	ipi(2, 0x4400);
	ck_assert_uint_eq(b->pins[2][PIN_NMI].rises, 1);
	ipi(2, 0x4200);
	ck_assert_uint_eq(b->pins[2][PIN_SMI].rises, 1);
}
END_TEST

START_TEST(apic_timer)
{
	wr(LAPIC + 0xf0, 0x1ff);
	wr(LAPIC + 0x320, 0x30);
	wr(LAPIC + 0x3e0, 0x3); /* by 16 */
	wr(LAPIC + 0x380, 100000);
	ck_assert_uint_eq(rd(LAPIC + 0x390), 100000);
	clock_advance(b->clock, 800000);
	ck_assert_uint_eq(rd(LAPIC + 0x390), 50000);
	ck_assert(!intr(0));
	clock_advance(b->clock, 800000);
	ck_assert(intr(0));
	ck_assert_uint_eq(rd(LAPIC + 0x390), 0);
	ck_assert_int_eq(ack(0), 0x30);
	wr(LAPIC + 0xb0, 0);
	clock_advance(b->clock, 5000000);
	ck_assert(!intr(0));

	wr(LAPIC + 0x320, 0x20031); /* periodic, 1 ms */
	wr(LAPIC + 0x3e0, 0xb);
	wr(LAPIC + 0x380, 1000000);
	b->pins[0][PIN_INTR].rises = 0;
	for (unsigned i = 0; i < 10; i++) {
		clock_advance(b->clock, 1000000);
		ck_assert_int_eq(ack(0), 0x31);
		wr(LAPIC + 0xb0, 0);
	}
	ck_assert_uint_eq(b->pins[0][PIN_INTR].rises, 10);
	clock_advance(b->clock, 250000);
	ck_assert_uint_eq(rd(LAPIC + 0x390), 750000);
	wr(LAPIC + 0x380, 1); /* a nanosecond: not more often than every 50 us */
	b->pins[0][PIN_INTR].rises = 0;
	for (unsigned i = 0; i < 100; i++) {
		clock_advance(b->clock, 10000);
		if (intr(0)) {
			ack(0);
			wr(LAPIC + 0xb0, 0);
		}
	}
	ck_assert_uint_eq(b->pins[0][PIN_INTR].rises, 20);
	wr(LAPIC + 0x380, 0);
	clock_advance(b->clock, 1000000);
	ck_assert(!intr(0));
}
END_TEST

START_TEST(apic_tsc_deadline)
{
	wr(LAPIC + 0xf0, 0x1ff);
	ck_assert(wrmsr(0, 0x6e0, 5000));
	ck_assert_uint_eq(rdmsr(0, 0x6e0), 0); /* not in that mode */
	wr(LAPIC + 0x320, 0x40033);
	ck_assert(wrmsr(0, 0x6e0, read_tsc(b) + 2000000));
	clock_advance(b->clock, 999000);
	ck_assert(!intr(0));
	clock_advance(b->clock, 2000);
	ck_assert_int_eq(ack(0), 0x33);
	wr(LAPIC + 0xb0, 0);
	ck_assert_uint_eq(rdmsr(0, 0x6e0), 0);
	ck_assert(wrmsr(0, 0x6e0, 1)); /* in the past */
	ck_assert_int_eq(ack(0), 0x33);
	wr(LAPIC + 0xb0, 0);
	ck_assert(wrmsr(0, 0x6e0, UINT64_MAX));
	clock_advance(b->clock, 1000000000);
	ck_assert(!intr(0));
}
END_TEST

START_TEST(apic_x2apic)
{
	static const struct { uint32_t msr; uint64_t value; bool good; } rows[] = {
		{ 0x802, 1, false }, { 0x803, 0, false }, { 0x808, 0x20, true }, { 0x808, 0x100, false },
		{ 0x80b, 0, true }, { 0x80b, 1, false }, { 0x80d, 0, false }, { 0x80e, 0, false }, { 0x80f, 0x1ff, true },
		{ 0x80f, 0x10000, false }, { 0x828, 0, true }, { 0x828, 1, false }, { 0x831, 0, false },
		{ 0x832, 0x10020, true }, { 0x832, 1ull << 32, false }, { 0x838, 5, true }, { 0x839, 5, false },
		{ 0x83f, 0x71, true }, { 0x840, 0, false }, { 0x8ff, 0, false }, { 0x810, 0, false },
	};
	uint64_t v;

	ck_assert(!b->cpu[0].read_msr(b->cpu[0].opaque, 0x802, &v));
	ck_assert(!wrmsr(0, 0x1b, 0xfee00500)); /* x2APIC without enable */
	ck_assert(!wrmsr(0, 0x1b, 1ull << 40 | 0x900));
	ck_assert(wrmsr(0, 0x1b, 0xfee00d00));
	ck_assert(wrmsr(2, 0x1b, 0xfee00c00));
	ck_assert(!wrmsr(0, 0x1b, 0xfee00900)); /* back is through off */
	ck_assert_uint_eq(rd(LAPIC + 0x30), 0xffffffff);
	ck_assert_uint_eq(rdmsr(2, 0x802), 2);
	ck_assert_uint_eq(rdmsr(2, 0x80d), 4);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(wrmsr(0, rows[i].msr, rows[i].value) == rows[i].good, "row %u", i);
	ck_assert_int_eq(ack(0), 0x71);
	ck_assert(wrmsr(0, 0x80b, 0));
	ck_assert(wrmsr(2, 0x80f, 0x1ff));
	ck_assert(wrmsr(0, 0x830, 2ull << 32 | 0x4061));
	ck_assert_uint_eq(rdmsr(0, 0x830), 2ull << 32 | 0x4061);
	ck_assert_int_eq(ack(2), 0x61);
	ck_assert(wrmsr(0, 0x830, 4ull << 32 | 0x4872)); /* logical: cluster 0, member 2 */
	ck_assert_int_eq(ack(2), 0x72);
	ck_assert(wrmsr(0, 0x1b, 0xfee00100));
	ck_assert(!wrmsr(0, 0x1b, 0xfee00d00));
	ck_assert(wrmsr(0, 0x1b, 0xfee00900));
	ck_assert_uint_eq(rd(LAPIC + 0xf0), 0xff);
}
END_TEST

START_TEST(apic_moves)
{
	ck_assert(wrmsr(0, 0x1b, 0x8000900));
	ck_assert_uint_eq(rd(0x8000030), 0x01050014);
	wr(0x80000f0, 0x1ff);
	ck_assert_uint_eq(rd(0x80000f0), 0x1ff);
	wr(LAPIC + 0x2000, 0x4055); /* a message now, to processor 2, which is off */
	wr(LAPIC, 0x4055);
	ck_assert(!intr(2));
	ck_assert_int_eq(ack(0), -1);
	lapic_bus_deliver(b->apic[0], LAPIC, 0x4055);
	ck_assert_int_eq(ack(0), 0x55);
}
END_TEST

START_TEST(apic_lint0_fixed)
{
	wr(LAPIC + 0xf0, 0x1ff);
	wr(LAPIC + 0x350, 0x31); /* as Linux tries the timer: "Virtual Wire IRQ" */
	pic_init(0, 3);
	line(0, 1);
	ck_assert_int_eq(ack(0), 0x31);
	wr(LAPIC + 0xb0, 0);
	ck_assert(!intr(0));
	i8259_ack(b->pic);
	line(0, 0);
	wr(LAPIC + 0x350, 0x8032); /* level */
	line(1, 1);
	ck_assert_int_eq(ack(0), 0x32);
	ck_assert_uint_eq(rd(LAPIC + 0x350), 0xc032);
	wr(LAPIC + 0xb0, 0);
	ck_assert_int_eq(ack(0), 0x32);
	i8259_ack(b->pic);
	wr(LAPIC + 0xb0, 0);
	ck_assert(!intr(0));
	ck_assert_uint_eq(rd(LAPIC + 0x350), 0x8032);
}
END_TEST

/* ---- I/O APIC ---- */

static void
entry(unsigned n, uint32_t high, uint32_t low)
{
	wr(IOAPIC, 0x11 + 2 * n);
	wr(IOAPIC + 0x10, high);
	wr(IOAPIC, 0x10 + 2 * n);
	wr(IOAPIC + 0x10, low);
}

START_TEST(ioapic_edge)
{
	enable_all();
	wr(IOAPIC, 1);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0x170020);
	wr(IOAPIC, 0);
	wr(IOAPIC + 0x10, 0xffffffff);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0x0f000000);
	wr(IOAPIC, 0x14);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0x10000);
	pin(4, 1); /* masked: ignored */
	entry(4, 0, 0x41);
	ck_assert(!intr(0));
	pin(4, 0), pin(4, 1);
	ck_assert_int_eq(ack(0), 0x41);
	wr(LAPIC + 0xb0, 0);
	ck_assert(!intr(0));
	entry(5, 2u << 24, 0x841); /* logical, the second one */
	pin(5, 1);
	ck_assert_int_eq(ack(1), 0x41);
	entry(6, 0, 0x400);
	pin(6, 1);
	ck_assert_uint_eq(b->pins[0][PIN_NMI].rises, 1);
	pic_init(0, 1);
	wr(LAPIC + 0x350, 0x10000);
	line(3, 1);
	entry(0, 0, 0x700); /* ExtINT: the 8259 says the vector */
	pin(0, 1);
	ck_assert_int_eq(ack(0), 0x0b);
}
END_TEST

START_TEST(ioapic_level)
{
	enable_all();
	entry(10, 0, 0xa055);
	pin(10, 1);
	wr(IOAPIC, 0x24);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0xe055); /* remote IRR */
	ck_assert_int_eq(ack(0), 0x55);
	ck_assert_uint_eq(rd(LAPIC + 0x180 + 0x20), 1u << 21);
	wr(LAPIC + 0xb0, 0);
	ck_assert(intr(0)); /* still asserted: again */
	ck_assert_int_eq(ack(0), 0x55);
	pin(10, 0);
	wr(LAPIC + 0xb0, 0);
	ck_assert(!intr(0));
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0xa055);
	entry(10, 0, 0x1a055);
	pin(10, 1);
	ck_assert(!intr(0));
	entry(10, 0, 0xa055); /* a level waits behind the mask */
	ck_assert_int_eq(ack(0), 0x55);
	wr(LAPIC + 0xf0, 0x11ff); /* no broadcast: the I/O APIC's own register ends it */
	pin(10, 0);
	wr(LAPIC + 0xb0, 0);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0xe055);
	wr(IOAPIC + 0x40, 0x55);
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0xa055);
	pin(10, 1);
	entry(10, 0, 0x10055); /* as edge: remote IRR goes */
	ck_assert_uint_eq(rd(IOAPIC + 0x10), 0x10055);
}
END_TEST

/* ---- all ---- */

START_TEST(fields_cover_state)
{
	for (struct dev *d = b->devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

static void
swallow(void *opaque, const char *text)
{
	*(size_t *)opaque += strlen(text);
}

/* Whatever is written where, and whatever is loaded: nothing ends, hangs or leaves a timer in a storm. */
START_TEST(anything_goes)
{
	static const uint16_t ports[] = { 0x20, 0x21, 0xa0, 0xa1, 0x4d0, 0x4d1, 0x40, 0x41, 0x42, 0x43, 0x61, 0x70, 0x71,
		0x92, 0x00, 0x01, 0x08, 0x0b, 0x0d, 0xc0, 0xd6, 0x83 };
	static const gpa pages[] = { LAPIC, IOAPIC, HPET };
	uint64_t seed = 12345;
	size_t printed = 0;

	for (unsigned i = 0; i < 60000; i++) {
		uint32_t r;

		seed = seed * 6364136223846793005ull + 1442695040888963407ull;
		r = seed >> 32;
		switch (r & 7) {
		case 0:
		case 1: out(ports[(r >> 8) % ARRAY_SIZE(ports)], seed >> 24); break;
		case 2: in(ports[(r >> 8) % ARRAY_SIZE(ports)]); break;
		case 3: wr(pages[(r >> 8) % 3] + (r >> 12 & 0x3f) * 16 + (r & 0x100 ? 8 : 0), seed >> (r >> 28)); break;
		case 4: space_write(b->mem, HPET + 0x100 + (r >> 12 & 0x5f), seed * seed, r & 8 ? 8 : 4, false); break;
		case 5: clock_advance(b->clock, r >> (r & 31)); break;
		case 6: wrmsr(r >> 8 & 1, 0x800 + (r >> 12 & 0x3f), seed & 0xfff); break;
		case 7: ack(r >> 8 & 1); break;
		}
		if (i % 1000 != 999)
			continue;
		for (struct dev *d = b->devices; d != NULL; d = d->next) {
			if (d->cls->loaded != NULL)
				ck_assert(d->cls->loaded(d, NULL));
			d->cls->info(d, swallow, &printed);
		}
	}
	ck_assert_uint_gt(printed, 0);
	dev_reset_all(b->devices);
	ck_assert_uint_eq(rd(LAPIC + 0xf0), 0xff);
}
END_TEST

/* A state as a hostile snapshot would have it: refused, or harmless. */
START_TEST(any_state_loads)
{
	uint64_t seed = 777;

	for (unsigned round = 0; round < 200; round++) {
		for (struct dev *d = b->devices; d != NULL; d = d->next) {
			for (const struct field *f = d->cls->fields; f->name != NULL; f++) {
				for (uint32_t i = 0; i < f->count; i++) {
					uint64_t v;

					seed = seed * 6364136223846793005ull + 1442695040888963407ull;
					v = seed >> (seed >> 58);
					if (f->max != 0)
						v %= f->max + 1;
					store_le((uint8_t *)d + f->offset + i * f->size, v, f->size);
				}
			}
			if (d->cls->loaded != NULL && !d->cls->loaded(d, NULL) && d->cls->reset != NULL)
				d->cls->reset(d);
		}
		for (unsigned i = 0; i < 20; i++)
			clock_advance(b->clock, 10000), in(0x61), in(0x40), cmos(i), pit_count(i % 3), ack(0);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_irq");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, pic_priorities);
	tcase_add_test(c, pic_cascade);
	tcase_add_test(c, pic_modes);
	tcase_add_test(c, pic_level);
	tcase_add_test(c, apic_power_on);
	tcase_add_test(c, apic_virtual_wire);
	tcase_add_test(c, apic_priorities);
	tcase_add_test(c, apic_destinations);
	tcase_add_test(c, apic_startup);
	tcase_add_test(c, apic_timer);
	tcase_add_test(c, apic_tsc_deadline);
	tcase_add_test(c, apic_x2apic);
	tcase_add_test(c, apic_moves);
	tcase_add_test(c, apic_lint0_fixed);
	tcase_add_test(c, ioapic_edge);
	tcase_add_test(c, ioapic_level);
	tcase_add_test(c, fields_cover_state);
	tcase_add_test(c, anything_goes);
	tcase_add_test(c, any_state_loads);
	suite_add_tcase(s, c);
	return run_suite(s);
}
