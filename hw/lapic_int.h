/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The local APIC's insides, shared by lapic.c and lapic_timer.c. */
#ifndef HW_LAPIC_INT_H
#define HW_LAPIC_INT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "hw/hw.h"

struct lapic;
struct lapic_eoi;

enum { LVT_TIMER, LVT_THERMAL, LVT_COUNTERS, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVTS };
#define LVT_TIMER_MODE(lvt) ((lvt) >> 17 & 3)
enum { TIMER_ONE_SHOT, TIMER_PERIODIC, TIMER_DEADLINE };

#define BASE_ENABLE (1ull << 11) /* of IA32_APIC_BASE */

/* What all local APICs of a machine share. */
struct lapic_bus {
	struct lapic *first;
	struct lapic *current; /* the processor that accesses FEE00000h */
	struct lapic_eoi *listeners;
	struct region msi;
	unsigned users;
};

struct lapic {
	struct dev dev;
	struct {
		uint64_t base;         /* IA32_APIC_BASE */
		uint64_t zero_ns;      /* when the timer's count reaches zero; 0: it stands */
		uint64_t tsc_deadline; /* 0: none */
		uint32_t ldr, dfr, svr;
		uint32_t esr, errors;  /* as read, and as collected since it was last written */
		uint32_t icr, icr_high;
		uint32_t lvt[LVTS];
		uint32_t initial, divide;
		uint32_t isr[8], tmr[8], irr[8];
		uint8_t tpr;
		uint8_t lint[2];       /* levels of the inputs */
		uint8_t extint;        /* an ExtINT message has come */
	} state;
	unsigned id;
	struct cpu_pins pins;
	struct lapic_bus *bus;
	struct lapic *next;
	struct region region;
	struct clock *clock;
	struct timer timer;
	uint64_t tsc_hz;
	uint64_t (*read_tsc)(void *opaque);
	void *tsc_opaque;
	struct dev *pic;
	struct cpu_board board; /* what others serve: the callbacks as they were, with their opaque */
};

static inline bool
lapic_is_on(const struct lapic *a)
{
	return a->state.base & BASE_ENABLE;
}

/* INTR is computed from the state. */
void lapic_update(struct lapic *a);
/* An event of entry N of the local vector table. */
void lapic_deliver_lvt(struct lapic *a, unsigned n);

/* The timer: its registers, and what the clock calls.  lapic_arm_timer() sets the clock's timer from the state. */
void lapic_arm_timer(struct lapic *a);
void lapic_timer_fired(void *opaque);
unsigned lapic_timer_mode(const struct lapic *a);
unsigned lapic_divider(const struct lapic *a);
uint32_t lapic_current_count(struct lapic *a);
void lapic_write_initial(struct lapic *a, uint32_t value);
void lapic_write_divide(struct lapic *a, uint32_t value);
void lapic_write_lvt_timer(struct lapic *a, uint32_t value);
void lapic_write_tsc_deadline(struct lapic *a, uint64_t value);

#endif
