/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: interrupt controllers, timers, DMA and port 92h, driven by ports and a manual clock.  Values by the data sheets. */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"

#include <check.h>
#include <stdlib.h>
#include <unistd.h>

#define APICS 3
#define LAPIC 0xfee00000u
#define IOAPIC 0xfec00000u
#define HPET 0xfed00000u
/* 2021-03-04 05:06:07 UTC, a Thursday. */
#define START_NS (1614834367ll * 1000000000)

/* A line or a pin as it was driven. */
struct probe {
	int level;
	unsigned rises;
};

struct board {
	struct clock *clock;
	struct space *mem, *io;
	struct dev *devices;
	uint8_t *ram;
	struct region ram_region;
	struct dev *pic, *apic[APICS], *ioapic, *pit, *rtc, *hpet, *dma, *port92;
	struct cpu_board cpu[APICS];
	struct probe pins[APICS][8], pic_out, timer_irq, rtc_irq, rtc_event, reset, a20, hpet_line;
	uint64_t tsc_offset;
};

static struct board *b;

static void
probe_set(void *opaque, int n, int level)
{
	struct probe *p = opaque;

	(void)n;
	p->rises += level && !p->level;
	p->level = level;
}

static struct irq
to_probe(struct probe *p)
{
	return irq_to(probe_set, p, 0);
}

static void
pin_set(void *cpu, enum pin pin, int level)
{
	struct probe *pins = cpu;

	pins[pin].rises += pin == PIN_INTR ? level && !pins[pin].level : 1;
	pins[pin].level = level;
}

/* The 8259's output: probed, and wired to the first two LINT0s. */
static void
intr_set(void *opaque, int n, int level)
{
	(void)n;
	probe_set(opaque, 0, level);
	if (b->apic[0] != NULL)
		irq_set(&(struct irq){ lapic_lint(b->apic[0], 0).set, b->apic[0], 0 }, level);
}

/* IRQ 0 and 8 as the machine wires them: to the 8259 and to the I/O APIC. */
static void
timer_set_line(void *opaque, int n, int level)
{
	struct irq pic = i8259_line(b->pic, n), io = ioapic_line(b->ioapic, n == 0 ? 2 : n);

	probe_set(opaque, n, level);
	irq_set(&pic, level);
	irq_set(&io, level);
}

static uint64_t
read_tsc(void *opaque)
{
	struct board *board = opaque;

	return clock_now(board->clock) * 2 + board->tsc_offset;
}

static void
setup(void)
{
	struct irq lines[24] = { 0 };
	struct dev_env env;

	b = xcalloc(1, sizeof(*b));
	b->clock = clock_new(true);
	b->mem = space_new("mem", false);
	b->io = space_new("io", true);
	b->ram = xcalloc(1, MiB);
	region_init_ram(&b->ram_region, "ram", b->ram, MiB);
	space_add(b->mem, &b->ram_region, 0, 0);
	env = (struct dev_env){ .clock = b->clock, .mem = b->mem, .io = b->io, .devices = &b->devices };
	b->pic = i8259_new(&env, irq_to(intr_set, &b->pic_out, 0));
	for (unsigned i = 0; i < APICS; i++) {
		b->apic[i] = lapic_new(&env, i, (struct cpu_pins){ pin_set, b->pins[i] });
		lapic_serve(b->apic[i], &b->cpu[i], b->pic);
		lapic_set_tsc(b->apic[i], 2000000000, read_tsc, b);
	}
	b->ioapic = ioapic_new(&env, b->apic[0]);
	b->pit = i8254_new(&env, irq_to(timer_set_line, &b->timer_irq, 0));
	b->rtc = mc146818_new(&env, irq_to(timer_set_line, &b->rtc_irq, 8), START_NS);
	mc146818_set_event(b->rtc, to_probe(&b->rtc_event));
	lines[20] = to_probe(&b->hpet_line);
	b->hpet = hpet_new(&env, lines, b->pit, b->rtc, irq_to(timer_set_line, &b->timer_irq, 0),
		irq_to(timer_set_line, &b->rtc_irq, 8), b->apic[0]);
	b->dma = i8237_new(&env);
	b->port92 = port92_new(&env, to_probe(&b->reset), to_probe(&b->a20));
	dev_reset_all(b->devices);
}

static void
teardown(void)
{
	dev_free_all(b->devices);
	space_free(b->mem);
	space_free(b->io);
	clock_free(b->clock);
	free(b->ram);
	free(b);
}

static void
out(unsigned port, uint8_t value)
{
	space_write(b->io, port, value, 1, false);
}

static uint8_t
in(unsigned port)
{
	return space_read(b->io, port, 1, false);
}

static void
wr(gpa addr, uint32_t value)
{
	space_write(b->mem, addr, value, 4, false);
}

static uint32_t
rd(gpa addr)
{
	return space_read(b->mem, addr, 4, false);
}

static bool
wrmsr(unsigned cpu, uint32_t msr, uint64_t value)
{
	return b->cpu[cpu].write_msr(b->cpu[cpu].opaque, msr, value);
}

static uint64_t
rdmsr(unsigned cpu, uint32_t msr)
{
	uint64_t v = 0;

	ck_assert(b->cpu[cpu].read_msr(b->cpu[cpu].opaque, msr, &v));
	return v;
}

static int
ack(unsigned cpu)
{
	return b->cpu[cpu].intr_ack(b->cpu[cpu].opaque);
}

static bool
intr(unsigned cpu)
{
	return b->pins[cpu][PIN_INTR].level;
}

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

static void
between(uint64_t v, uint64_t low, uint64_t high)
{
	ck_assert_msg(v >= low && v <= high, "%llu is not %llu to %llu", (unsigned long long)v,
		(unsigned long long)low, (unsigned long long)high);
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
	irq_set(&(struct irq){ lapic_lint(b->apic[0], 1).set, b->apic[0], 1 }, 1);
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

/* ---- 8254 ---- */

#define TICKS(n) mul_div(n, NS_PER_SEC, 1193182)

static void
pit_load(unsigned n, uint8_t control, uint16_t count)
{
	out(0x43, n << 6 | control);
	out(0x40 + n, count);
	out(0x40 + n, count >> 8);
}

static uint16_t
pit_count(unsigned n)
{
	uint8_t low;

	out(0x43, n << 6);
	low = in(0x40 + n);
	return low | in(0x40 + n) << 8;
}

/* Moves to the middle of a tick N ticks on. */
static void
ticks(unsigned n)
{
	clock_advance(b->clock, TICKS(n) + 1);
}

START_TEST(pit_modes)
{
	static const struct { uint8_t control; uint16_t count; unsigned after; uint16_t reads; bool out; } rows[] = {
		/* The count is loaded by the first pulse; control is access 3 and the mode. */
		{ 0x30, 1000, 1, 1000, false }, { 0x30, 1000, 501, 500, false }, { 0x30, 1000, 1000, 1, false },
		{ 0x30, 1000, 1001, 0, true }, { 0x30, 1000, 1002, 0xffff, true }, { 0x30, 0, 0x10000, 1, false },
		{ 0x34, 1000, 1, 1000, true }, { 0x34, 1000, 1000, 1, false }, { 0x34, 1000, 1001, 1000, true },
		{ 0x36, 1000, 1, 1000, true }, { 0x36, 1000, 500, 2, true }, { 0x36, 1000, 501, 1000, false },
		{ 0x36, 1000, 1000, 2, false }, { 0x36, 1000, 1001, 1000, true }, { 0x36, 7, 4, 0, true },
		{ 0x36, 7, 5, 6, false }, { 0x36, 7, 8, 6, true }, { 0x38, 1000, 1001, 0, false },
		{ 0x38, 1000, 1002, 0xffff, true }, { 0x31, 0x1000, 2, 0x999, false }, { 0x31, 0, 2, 0x9999, false },
		{ 0x3e, 1000, 501, 1000, false },
	};

	out(0x61, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint16_t reads;

		pit_load(2, rows[i].control, rows[i].count);
		ticks(rows[i].after);
		reads = pit_count(2);
		ck_assert_msg(reads == rows[i].reads, "row %u: %x", i, reads);
		ck_assert_msg(!!(in(0x61) & 0x20) == rows[i].out, "row %u: out", i);
	}
}
END_TEST

START_TEST(pit_gate)
{
	out(0x61, 0);
	pit_load(2, 0x30, 100);
	ticks(500);
	ck_assert_uint_eq(in(0x61) & 0x2f, 0); /* the gate holds it */
	out(0x61, 1);
	ticks(51);
	out(0x61, 0);
	ticks(500);
	ck_assert_uint_eq(pit_count(2), 50);
	out(0x61, 3);
	ticks(51);
	ck_assert_uint_eq(in(0x61) & 0x2f, 0x23);
	pit_load(2, 0x32, 100); /* one-shot */
	ck_assert(in(0x61) & 0x20);
	ticks(500);
	ck_assert(in(0x61) & 0x20);
	out(0x61, 0), out(0x61, 1);
	ticks(1);
	ck_assert(!(in(0x61) & 0x20));
	ticks(50);
	out(0x61, 0), out(0x61, 1); /* again from the start */
	ticks(90);
	ck_assert(!(in(0x61) & 0x20));
	ticks(12);
	ck_assert(in(0x61) & 0x20);
	pit_load(2, 0x36, 100);
	ticks(75);
	ck_assert(!(in(0x61) & 0x20));
	out(0x61, 0); /* in modes 2 and 3 OUT rises at once */
	ck_assert(in(0x61) & 0x20);
}
END_TEST

START_TEST(pit_read_back)
{
	out(0x61, 1);
	pit_load(2, 0x34, 1000);
	out(0x43, 0xe8); /* status: not loaded yet */
	ck_assert_uint_eq(in(0x42), 0xf4);
	ticks(11);
	out(0x43, 0xc8); /* both */
	ticks(10);
	ck_assert_uint_eq(in(0x42), 0xb4);
	ck_assert_uint_eq(in(0x42), 990 & 0xff);
	ck_assert_uint_eq(in(0x42), 990 >> 8);
	ck_assert_uint_eq(in(0x42), 980 & 0xff); /* live again */
	ck_assert_uint_eq(in(0x42), 980 >> 8);
	out(0x42, 0xf4), out(0x42, 0x01); /* 500, from the next period on */
	ticks(900);
	ck_assert_uint_eq(pit_count(2), 80);
	ticks(100);
	ck_assert_uint_eq(pit_count(2), 480);
	out(0x43, 0x94), out(0x42, 0x20); /* low byte only */
	ticks(1);
	ck_assert_uint_eq(in(0x42), 0x20);
	out(0x43, 0xa4), out(0x42, 0x02); /* high byte only */
	ticks(2);
	ck_assert_uint_eq(in(0x42), 0x01);
}
END_TEST

/* A host that is late: the interrupts that were due meanwhile are made up for, not faster than four to a period. */
START_TEST(pit_catches_up)
{
	struct dev *devices = NULL;
	struct probe line = { 0 };
	struct space *io = space_new("io", true);
	struct clock *clock = clock_new(false);
	struct dev_env env = { .clock = clock, .io = io, .devices = &devices };
	uint64_t begin, now;

	i8254_new(&env, to_probe(&line));
	clock_start(clock);
	space_write(io, 0x43, 0x34, 1, false);
	space_write(io, 0x40, 0xa9, 1, false); /* 1 ms */
	space_write(io, 0x40, 0x04, 1, false);
	begin = clock_now(clock);
	usleep(20000);
	clock_run(clock);
	now = clock_now(clock);
	ck_assert_uint_le(line.rises, 2);
	while (line.rises < (now - begin) / 1000000 - 1 && now - begin < 20 * NS_PER_SEC) {
		usleep(100);
		clock_run(clock);
		now = clock_now(clock);
	}
	ck_assert_uint_le(now - begin, 20 * NS_PER_SEC);
	ck_assert_uint_le(line.rises, (now - begin) / 1000000 + 1);
	dev_free_all(devices);
	space_free(io);
	clock_free(clock);
}
END_TEST

START_TEST(pit_interrupts)
{
	uint8_t before;
	unsigned toggles = 0;

	pit_load(0, 0x36, 0);
	b->timer_irq.rises = 0;
	clock_advance(b->clock, 10 * NS_PER_SEC);
	ck_assert_uint_eq(b->timer_irq.rises, 182);
	pit_load(0, 0x34, 11932);
	b->timer_irq.rises = 0;
	for (unsigned i = 0; i < 1000; i++) {
		clock_advance(b->clock, 1000000);
		pit_count(0); /* looking must not lose any */
	}
	between(b->timer_irq.rises, 99, 100);
	pit_load(0, 0x34, 2);
	b->timer_irq.rises = 0;
	clock_advance(b->clock, 10000000);
	between(b->timer_irq.rises, 190, 201);
	pit_load(0, 0x30, 1000);
	b->timer_irq.rises = 0;
	clock_advance(b->clock, 10000000);
	ck_assert_uint_eq(b->timer_irq.rises, 1);
	before = in(0x61);
	for (unsigned i = 0; i < 1000; i++) {
		uint8_t now;

		clock_advance(b->clock, 1000);
		now = in(0x61);
		toggles += (now ^ before) >> 4 & 1;
		before = now;
	}
	between(toggles, 65, 67); /* every 15.09 us */
}
END_TEST

/* ---- MC146818 ---- */

static uint8_t
cmos(unsigned index)
{
	out(0x70, index);
	return in(0x71);
}

static void
set_cmos(unsigned index, uint8_t value)
{
	out(0x70, index);
	out(0x71, value);
}

START_TEST(rtc_date)
{
	static const struct { uint8_t index, value; } bcd[] = {
		{ 0, 0x07 }, { 2, 0x06 }, { 4, 0x05 }, { 6, 0x05 }, { 7, 0x04 }, { 8, 0x03 }, { 9, 0x21 },
		{ 0x32, 0x20 }, { 0x37, 0x20 }, { 0x0a, 0x26 }, { 0x0b, 0x02 }, { 0x0d, 0x80 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(bcd); i++)
		ck_assert_msg(cmos(bcd[i].index) == bcd[i].value, "byte %x: %x", bcd[i].index, cmos(bcd[i].index));
	clock_advance(b->clock, 19ull * 3600 * NS_PER_SEC);
	ck_assert_uint_eq(cmos(4), 0x00);
	ck_assert_uint_eq(cmos(7), 0x05);
	ck_assert_uint_eq(cmos(6), 0x06);
	set_cmos(0x0b, 0x04); /* binary, 12 hours */
	ck_assert_uint_eq(cmos(4), 12);
	ck_assert_uint_eq(cmos(9), 21);
	clock_advance(b->clock, 13ull * 3600 * NS_PER_SEC);
	ck_assert_uint_eq(cmos(4), 0x81);
	/* The end of February in a leap year. */
	set_cmos(0x0b, 0x82);
	set_cmos(0, 0x59), set_cmos(2, 0x59), set_cmos(4, 0x23);
	set_cmos(7, 0x28), set_cmos(8, 0x02), set_cmos(9, 0x24), set_cmos(0x32, 0x20);
	clock_advance(b->clock, 5 * NS_PER_SEC);
	ck_assert_uint_eq(cmos(0), 0x59);
	set_cmos(0x0b, 0x02);
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(cmos(0), 0x00);
	ck_assert_uint_eq(cmos(4), 0x00);
	ck_assert_uint_eq(cmos(7), 0x29);
	ck_assert_uint_eq(cmos(8), 0x02);
	ck_assert_uint_eq(cmos(6), 0x05);
	set_cmos(8, 0x12), set_cmos(7, 0x31), set_cmos(4, 0x23), set_cmos(2, 0x59), set_cmos(9, 0x99), set_cmos(0, 0x59);
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(cmos(9), 0x00);
	ck_assert_uint_eq(cmos(0x32), 0x21);
	ck_assert_uint_eq(cmos(7), 0x01);
	mc146818_set_cmos(b->rtc, 0x10, 0x40);
	b->rtc->cls->reset(b->rtc);
	ck_assert_uint_eq(cmos(0x10), 0x40);
	ck_assert_uint_eq(mc146818_get_cmos(b->rtc, 0x32), 0x21);
}
END_TEST

START_TEST(rtc_updates)
{
	uint64_t up = 0;

	for (unsigned i = 0; i < 10000; i++) {
		clock_advance(b->clock, 100000);
		up += cmos(0x0a) >> 7;
	}
	between(up, 22, 23); /* 2228 us in a second */
	set_cmos(0x0a, 0x76); /* the divider is reset, then starts: the first update is half a second later */
	set_cmos(0, 0x10);
	clock_advance(b->clock, 3 * NS_PER_SEC);
	set_cmos(0x0a, 0x26);
	clock_advance(b->clock, 499 * 1000000);
	ck_assert_uint_eq(cmos(0), 0x10);
	clock_advance(b->clock, 2 * 1000000);
	ck_assert_uint_eq(cmos(0), 0x11);
}
END_TEST

START_TEST(rtc_interrupts)
{
	cmos(0x0c);
	set_cmos(0x0b, 0x42);
	b->rtc_irq.rises = 0;
	for (unsigned i = 0; i < 10000; i++) {
		clock_advance(b->clock, 100000);
		if (b->rtc_irq.level)
			ck_assert_uint_eq(cmos(0x0c) & 0xc0, 0xc0);
	}
	between(b->rtc_irq.rises, 1023, 1025);
	set_cmos(0x0b, 0x12);
	cmos(0x0c);
	b->rtc_irq.rises = 0;
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert(b->rtc_irq.level);
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(b->rtc_irq.rises, 1); /* until C is read */
	ck_assert_uint_eq(cmos(0x0c) & 0x90, 0x90);
	ck_assert(!b->rtc_irq.level);
	/* 05:06:10: the alarm at any hour, 7 minutes, 3 seconds. */
	set_cmos(0x0b, 0x22);
	set_cmos(5, 0xff), set_cmos(3, 0x07), set_cmos(1, 0x03);
	cmos(0x0c);
	while (!b->rtc_irq.level)
		clock_advance(b->clock, NS_PER_SEC / 4);
	ck_assert_uint_eq(cmos(0x0c) & 0xa0, 0xa0);
	ck_assert_uint_eq(cmos(0), 0x03);
	ck_assert_uint_eq(cmos(2), 0x07);
	ck_assert_uint_eq(cmos(4), 0x05);
	clock_advance(b->clock, 3599 * NS_PER_SEC);
	ck_assert(!b->rtc_irq.level);
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert(b->rtc_irq.level);
	set_cmos(3, 0x99); /* never */
	cmos(0x0c);
	clock_advance(b->clock, 86400 * NS_PER_SEC);
	ck_assert_uint_eq(cmos(0x0c), 0x50);
}
END_TEST

/* A wire that is slow once: the next periodic event comes while register C is read. */
static void
slow_set(void *opaque, int n, int level)
{
	bool *slow = opaque;

	(void)n;
	if (level && *slow) {
		*slow = false;
		clock_advance(b->clock, 1000000);
	}
}

START_TEST(rtc_event_meanwhile)
{
	bool slow = false;

	cmos(0x0c);
	mc146818_set_event(b->rtc, irq_to(slow_set, &slow, 0));
	set_cmos(0x0b, 0x42);
	clock_advance(b->clock, 1000000);
	b->rtc_irq.rises = 0;
	slow = true;
	ck_assert_uint_eq(cmos(0x0c), 0xc0);
	ck_assert(!slow);
	ck_assert(b->rtc_irq.level);
	ck_assert_uint_eq(b->rtc_irq.rises, 1);
	ck_assert_uint_eq(cmos(0x0c), 0xc0);
	ck_assert(!b->rtc_irq.level);
}
END_TEST

/* ---- HPET ---- */

static void
hpet_start(uint32_t config)
{
	wr(HPET + 0x10, 0);
	wr(HPET + 0xf0, 0), wr(HPET + 0xf4, 0);
	wr(HPET + 0x10, config);
}

START_TEST(hpet_counts)
{
	ck_assert_uint_eq(rd(HPET), 0x8086a201);
	ck_assert_uint_eq(rd(HPET + 4), 10000000);
	ck_assert_uint_eq(space_read(b->mem, HPET, 8, false), 10000000ull << 32 | 0x8086a201);
	clock_advance(b->clock, 1000000);
	ck_assert_uint_eq(rd(HPET + 0xf0), 0);
	hpet_start(1);
	clock_advance(b->clock, 1000000);
	ck_assert_uint_eq(rd(HPET + 0xf0), 100000);
	wr(HPET + 0x10, 0);
	clock_advance(b->clock, 1000000);
	ck_assert_uint_eq(rd(HPET + 0xf0), 100000);
	ck_assert_uint_eq(rd(HPET + 0x100), 0x8030);
	ck_assert_uint_eq(rd(HPET + 0x104), 0x00f00000);
	ck_assert_uint_eq(rd(HPET + 0x108), 0xffffffff);
}
END_TEST

START_TEST(hpet_legacy)
{
	hpet_start(3);
	b->timer_irq.rises = 0;
	pit_load(0, 0x34, 11932);
	clock_advance(b->clock, 100000000);
	ck_assert_uint_eq(b->timer_irq.rises, 0);
	wr(HPET + 0x100, 0x14c); /* enabled, periodic, set, 32 bits: as Linux does */
	wr(HPET + 0x108, rd(HPET + 0xf0) + 100000);
	wr(HPET + 0x108, 100000);
	for (unsigned i = 0; i < 2000; i++)
		clock_advance(b->clock, 50000), rd(HPET + 0x108);
	ck_assert_uint_eq(b->timer_irq.rises, 100);
	wr(HPET + 0x100, 0x104); /* one-shot */
	wr(HPET + 0x108, rd(HPET + 0xf0) + 1000);
	b->timer_irq.rises = 0;
	clock_advance(b->clock, 9000);
	ck_assert_uint_eq(b->timer_irq.rises, 0);
	clock_advance(b->clock, 2000);
	ck_assert_uint_eq(b->timer_irq.rises, 1);
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(b->timer_irq.rises, 1);
	clock_advance(b->clock, 42949672960ull);
	ck_assert_uint_eq(b->timer_irq.rises, 2); /* 32 bits go round */
	wr(HPET + 0x108, rd(HPET + 0xf0) - 1000); /* just missed */
	clock_advance(b->clock, 1);
	ck_assert_uint_eq(b->timer_irq.rises, 3);
	wr(HPET + 0x100, 0);
	wr(HPET + 0x120, 0x4);
	space_write(b->mem, HPET + 0x128, space_read(b->mem, HPET + 0xf0, 8, false) + 1000, 8, false);
	b->rtc_irq.rises = 0;
	clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(b->rtc_irq.rises, 1);
	set_cmos(0x0b, 0x12); /* the clock has lost IRQ 8, but not the event of power management */
	clock_advance(b->clock, 2 * NS_PER_SEC);
	ck_assert_uint_eq(b->rtc_irq.rises, 1);
	ck_assert_uint_eq(b->rtc_event.rises, 1);
	set_cmos(0x0b, 0x02);
	ck_assert(!b->rtc_event.level);
	wr(HPET + 0x10, 1);
	b->timer_irq.rises = 0;
	clock_advance(b->clock, 100000000);
	between(b->timer_irq.rises, 9, 11); /* the 8254 again */
}
END_TEST

START_TEST(hpet_routes)
{
	hpet_start(1);
	wr(HPET + 0x140, 0x2806 | 1 << 8); /* level, line 20 */
	wr(HPET + 0x148, 1000);
	clock_advance(b->clock, 10000);
	ck_assert(b->hpet_line.level);
	ck_assert_uint_eq(rd(HPET + 0x20), 4);
	wr(HPET + 0x20, 4);
	ck_assert(!b->hpet_line.level);
	wr(HPET + 0x140, 0x4004); /* a message */
	wr(HPET + 0x150, 0x4066), wr(HPET + 0x154, LAPIC);
	wr(LAPIC + 0xf0, 0x1ff);
	wr(HPET + 0x14c, 0);
	wr(HPET + 0x148, 2000);
	clock_advance(b->clock, 10000);
	ck_assert_int_eq(ack(0), 0x66);
	wr(LAPIC + 0xb0, 0);
	wr(HPET + 0x140, 0x404c); /* periodic, and very often */
	wr(HPET + 0x148, 1);
	b->pins[0][PIN_INTR].rises = 0;
	for (unsigned i = 0; i < 1000; i++) {
		clock_advance(b->clock, 1000);
		if (intr(0)) {
			ack(0);
			wr(LAPIC + 0xb0, 0);
		}
	}
	between(b->pins[0][PIN_INTR].rises, 19, 22);
}
END_TEST

/* ---- 8237, port 92h ---- */

static void
dma_set(unsigned ch, uint8_t mode, uint8_t page, uint16_t addr, uint16_t count)
{
	static const unsigned pages[8] = { 0x87, 0x83, 0x81, 0x82, 0x8f, 0x8b, 0x89, 0x8a };
	unsigned base = ch < 4 ? 0 : 0xc0, step = ch < 4 ? 1 : 2, n = ch & 3;

	out(base + 12 * step, 0);
	out(base + 11 * step, mode | n);
	out(base + 2 * n * step, addr), out(base + 2 * n * step, addr >> 8);
	out(base + (2 * n + 1) * step, count), out(base + (2 * n + 1) * step, count >> 8);
	out(pages[ch], page);
	out(base + 10 * step, n);
}

START_TEST(dma_moves)
{
	uint8_t data[16] = "0123456789abcdef", back[16] = { 0 };
	bool tc;

	ck_assert_uint_eq(i8237_transfer(b->dma, 2, data, 16, true, &tc), 0); /* masked */
	dma_set(2, 0x44, 0x02, 0x1000, 9);
	ck_assert_uint_eq(i8237_transfer(b->dma, 2, data, 4, true, &tc), 4);
	ck_assert(!tc);
	ck_assert_uint_eq(in(5), 5);
	ck_assert_uint_eq(in(5), 0);
	ck_assert_uint_eq(i8237_transfer(b->dma, 2, data + 4, 12, true, &tc), 6);
	ck_assert(tc);
	ck_assert_mem_eq(b->ram + 0x21000, "0123456789\0", 11);
	ck_assert_uint_eq(in(8), 0x04);
	ck_assert_uint_eq(in(8), 0x00);
	ck_assert_uint_eq(in(15) & 0x0f, 0x0f);
	dma_set(5, 0x58, 0x03, 0x0800, 2); /* words, automatic */
	memcpy(b->ram + 0x21000, "ABCDEF", 6);
	ck_assert_uint_eq(i8237_transfer(b->dma, 5, back, 10, false, &tc), 6);
	ck_assert(tc);
	ck_assert_uint_eq(i8237_transfer(b->dma, 5, back + 6, 3, false, &tc), 2);
	dma_set(5, 0x58, 0x02, 0x0800, 2);
	ck_assert_uint_eq(i8237_transfer(b->dma, 5, back, 10, false, &tc), 6);
	ck_assert_mem_eq(back, "ABCDEF", 6);
	dma_set(1, 0x64, 0x00, 0x5003, 3); /* downwards */
	ck_assert_uint_eq(i8237_transfer(b->dma, 1, data, 16, true, &tc), 4);
	ck_assert_mem_eq(b->ram + 0x5000, "3210", 4);
	dma_set(1, 0x44, 0x00, 0xfffe, 3); /* round the 64 KiB */
	ck_assert_uint_eq(i8237_transfer(b->dma, 1, data, 16, true, &tc), 4);
	ck_assert_mem_eq(b->ram + 0xfffe, "01\0", 3);
	ck_assert_mem_eq(b->ram, "23", 2);
	dma_set(1, 0x40, 0x00, 0x6000, 3); /* verify */
	ck_assert_uint_eq(i8237_transfer(b->dma, 1, data, 16, true, &tc), 4);
	ck_assert(tc);
	ck_assert_uint_eq(b->ram[0x6000], 0);
	dma_set(1, 0x48, 0x00, 0x6000, 3); /* the other way */
	ck_assert_uint_eq(i8237_transfer(b->dma, 1, data, 16, true, &tc), 0);
	out(0x80, 0x5a);
	ck_assert_uint_eq(in(0x80), 0x5a);
}
END_TEST

START_TEST(port92_drives)
{
	out(0x92, 2);
	ck_assert(b->a20.level);
	ck_assert_uint_eq(in(0x92), 2);
	out(0x92, 3);
	ck_assert_uint_eq(b->reset.rises, 1);
	ck_assert(!b->reset.level);
	b->port92->cls->reset(b->port92);
	ck_assert(!b->a20.level);
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

/* A state as a hostile snapshot would have it. */
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
			if (d->cls->loaded != NULL)
				d->cls->loaded(d, NULL);
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
	SRunner *r;
	int failed;

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
	tcase_add_test(c, pit_modes);
	tcase_add_test(c, pit_gate);
	tcase_add_test(c, pit_read_back);
	tcase_add_test(c, pit_interrupts);
	tcase_add_test(c, pit_catches_up);
	tcase_add_test(c, rtc_date);
	tcase_add_test(c, rtc_updates);
	tcase_add_test(c, rtc_interrupts);
	tcase_add_test(c, rtc_event_meanwhile);
	tcase_add_test(c, hpet_counts);
	tcase_add_test(c, hpet_legacy);
	tcase_add_test(c, hpet_routes);
	tcase_add_test(c, dma_moves);
	tcase_add_test(c, port92_drives);
	tcase_add_test(c, fields_cover_state);
	tcase_add_test(c, anything_goes);
	tcase_add_test(c, any_state_loads);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
