/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC's timer: one-shot, periodic and by TSC deadline.
 *
 * By the Intel SDM, volume 3, section "APIC Timer".  The state says when the count reaches zero; the count is computed
 * from that.  With a bus clock of 1 GHz a tick is a nanosecond, times the divider.
 */
#include "hw/lapic_int.h"

#include "base/util.h"

#define MIN_PERIOD_NS 50000u

/* Nanoseconds of a tick, as a power of two. */
unsigned
lapic_divider(const struct lapic *a)
{
	uint32_t d = a->state.divide;

	return ((d & 3) + (d >> 1 & 4) + 1) & 7;
}

unsigned
lapic_timer_mode(const struct lapic *a)
{
	return LVT_TIMER_MODE(a->state.lvt[LVT_TIMER]);
}

static uint64_t
period_ns(const struct lapic *a)
{
	uint64_t ns = (uint64_t)a->state.initial << lapic_divider(a);

	return MAX(ns, MIN_PERIOD_NS);
}

/* How long until the guest's TSC reaches the deadline; a year is as good as never. */
static uint64_t
deadline_in_ns(const struct lapic *a)
{
	uint64_t tsc = a->read_tsc(a->tsc_opaque), most = a->tsc_hz * (365 * 86400ull), left;

	if (a->state.tsc_deadline <= tsc)
		return 0;
	left = MIN(a->state.tsc_deadline - tsc, most);
	return mul_div(left, NS_PER_SEC, a->tsc_hz) + 1;
}

void
lapic_arm_timer(struct lapic *a)
{
	bool by_tsc = lapic_timer_mode(a) == TIMER_DEADLINE;

	if (by_tsc && a->state.tsc_deadline != 0 && a->tsc_hz != 0)
		timer_set(&a->timer, clock_now(a->clock) + deadline_in_ns(a));
	else if (!by_tsc && a->state.zero_ns != 0)
		timer_set(&a->timer, a->state.zero_ns);
	else
		timer_cancel(&a->timer);
}

/* The count is zero, or the deadline reached.  Periods missed meanwhile count as one. */
static void
timer_expire(struct lapic *a)
{
	uint64_t now = clock_now(a->clock), period = period_ns(a);

	if (lapic_timer_mode(a) == TIMER_DEADLINE)
		a->state.tsc_deadline = 0;
	else if (lapic_timer_mode(a) == TIMER_PERIODIC && a->state.initial != 0)
		a->state.zero_ns += period * (1 + (now - a->state.zero_ns) / period);
	else
		a->state.zero_ns = 0;
	lapic_deliver_lvt(a, LVT_TIMER);
}

/* Lets happen what is due, and waits for what comes next. */
static void
sync_timer(struct lapic *a)
{
	bool due;

	if (lapic_timer_mode(a) == TIMER_DEADLINE)
		due = a->state.tsc_deadline != 0 && a->tsc_hz != 0 && deadline_in_ns(a) == 0;
	else
		due = a->state.zero_ns != 0 && a->state.zero_ns <= clock_now(a->clock);
	if (due)
		timer_expire(a);
	lapic_arm_timer(a);
}

void
lapic_timer_fired(void *opaque)
{
	struct lapic *a = opaque;

	sync_timer(a);
	lapic_update(a);
}

uint32_t
lapic_current_count(struct lapic *a)
{
	uint64_t now = clock_now(a->clock), left;

	if (a->state.zero_ns != 0 && a->state.zero_ns <= now)
		lapic_timer_fired(a);
	if (a->state.zero_ns <= now)
		return 0;
	left = (a->state.zero_ns - now + (1u << lapic_divider(a)) - 1) >> lapic_divider(a);
	return MIN(left, a->state.initial);
}

void
lapic_write_initial(struct lapic *a, uint32_t value)
{
	sync_timer(a);
	if (lapic_timer_mode(a) == TIMER_DEADLINE)
		return;
	a->state.initial = value;
	a->state.zero_ns = 0;
	if (value != 0 && lapic_timer_mode(a) == TIMER_PERIODIC)
		a->state.zero_ns = clock_now(a->clock) + period_ns(a);
	else if (value != 0)
		a->state.zero_ns = clock_now(a->clock) + ((uint64_t)value << lapic_divider(a));
	lapic_arm_timer(a);
}

/* The count goes on from where it is, at the new rate. */
void
lapic_write_divide(struct lapic *a, uint32_t value)
{
	uint64_t left = lapic_current_count(a);

	a->state.divide = value & 0xb;
	if (left != 0)
		a->state.zero_ns = clock_now(a->clock) + (left << lapic_divider(a));
	lapic_arm_timer(a);
}

void
lapic_write_lvt_timer(struct lapic *a, uint32_t value)
{
	unsigned before;

	sync_timer(a);
	before = lapic_timer_mode(a);
	a->state.lvt[LVT_TIMER] = value;
	if ((before == TIMER_DEADLINE) != (lapic_timer_mode(a) == TIMER_DEADLINE))
		a->state.zero_ns = a->state.tsc_deadline = 0;
	lapic_arm_timer(a);
}

void
lapic_write_tsc_deadline(struct lapic *a, uint64_t value)
{
	if (lapic_timer_mode(a) != TIMER_DEADLINE || !lapic_is_on(a))
		return;
	a->state.tsc_deadline = value;
	sync_timer(a);
	lapic_update(a);
}
