/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board that the tests of interrupt controllers and of timers have in common. */
#include "tests/irq_board.h"

#include <stdlib.h>

/* 2021-03-04 05:06:07 UTC, a Thursday. */
#define START_NS (1614834367ll * 1000000000)

struct board *b;

static void
probe_set(void *opaque, int n, int level)
{
	struct probe *p = opaque;

	(void)n;
	p->rises += level && !p->level;
	p->level = level;
}

struct irq
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
		lapic_lint(b->apic[0], 0).set(b->apic[0], 0, level);
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

static bool
timer_waiting(void *opaque, int n)
{
	(void)opaque;
	return i8259_is_waiting(b->pic, n) || ioapic_is_waiting(b->ioapic, n == 0 ? 2 : n);
}

uint64_t
read_tsc(void *opaque)
{
	struct board *board = opaque;

	return clock_now(board->clock) * 2 + board->tsc_offset;
}

void
setup(void)
{
	struct irq lines[24] = { 0 }, timer;
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
	timer = (struct irq){ timer_set_line, &b->timer_irq, 0, timer_waiting };
	b->pit = i8254_new(&env, timer);
	b->rtc = mc146818_new(&env, irq_to(timer_set_line, &b->rtc_irq, 8), START_NS);
	mc146818_set_event(b->rtc, to_probe(&b->rtc_event));
	lines[20] = to_probe(&b->hpet_line);
	b->hpet = hpet_new(&env, lines, b->pit, b->rtc, timer,
		irq_to(timer_set_line, &b->rtc_irq, 8), b->apic[0]);
	b->dma = i8237_new(&env);
	b->port92 = port92_new(&env, to_probe(&b->reset), to_probe(&b->a20));
	b->portf0 = portf0_new(&env, to_probe(&b->irq13), to_probe(&b->ignne));
	dev_reset_all(b->devices);
}

void
teardown(void)
{
	dev_free_all(b->devices);
	space_free(b->mem);
	space_free(b->io);
	clock_free(b->clock);
	free(b->ram);
	free(b);
}

void
out(unsigned port, uint8_t value)
{
	space_write(b->io, port, value, 1, false);
}

uint8_t
in(unsigned port)
{
	return space_read(b->io, port, 1, false);
}

void
wr(gpa addr, uint32_t value)
{
	space_write(b->mem, addr, value, 4, false);
}

uint32_t
rd(gpa addr)
{
	return space_read(b->mem, addr, 4, false);
}

bool
wrmsr(unsigned cpu, uint32_t msr, uint64_t value)
{
	return b->cpu[cpu].write_msr(b->cpu[cpu].opaque, msr, value);
}

uint64_t
rdmsr(unsigned cpu, uint32_t msr)
{
	uint64_t v = 0;

	ck_assert(b->cpu[cpu].read_msr(b->cpu[cpu].opaque, msr, &v));
	return v;
}

int
ack(unsigned cpu)
{
	return b->cpu[cpu].intr_ack(b->cpu[cpu].opaque);
}

bool
intr(unsigned cpu)
{
	return b->pins[cpu][PIN_INTR].level;
}

uint16_t
pit_count(unsigned n)
{
	uint8_t low;

	out(0x43, n << 6);
	low = in(0x40 + n);
	return low | in(0x40 + n) << 8;
}

uint8_t
cmos(unsigned index)
{
	out(0x70, index);
	return in(0x71);
}
