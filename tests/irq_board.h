/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of interrupt controllers and of timers share: a board with both, by ports and a manual clock. */
#ifndef TESTS_IRQ_BOARD_H
#define TESTS_IRQ_BOARD_H

#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"

#include <check.h>

#define APICS 3
#define LAPIC 0xfee00000u
#define IOAPIC 0xfec00000u
#define HPET 0xfed00000u

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
	struct dev *pic, *apic[APICS], *ioapic, *pit, *rtc, *hpet, *dma, *port92, *portf0;
	struct cpu_board cpu[APICS];
	struct probe pins[APICS][8], pic_out, timer_irq, rtc_irq, rtc_event, reset, a20, hpet_line, irq13, ignne;
	uint64_t tsc_offset;
};

extern struct board *b;

/* It is 2021-03-04 05:06:07 UTC, a Thursday. */
void setup(void);
void teardown(void);
struct irq to_probe(struct probe *p);
uint64_t read_tsc(void *board);
void out(unsigned port, uint8_t value);
uint8_t in(unsigned port);
void wr(gpa addr, uint32_t value);
uint32_t rd(gpa addr);
bool wrmsr(unsigned cpu, uint32_t msr, uint64_t value);
uint64_t rdmsr(unsigned cpu, uint32_t msr);
/* The vector that CPU takes, or -1. */
int ack(unsigned cpu);
bool intr(unsigned cpu);
uint16_t pit_count(unsigned n);
uint8_t cmos(unsigned index);

#endif
