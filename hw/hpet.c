/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * High precision event timers: one block of three comparators with a 64-bit main counter of 100 MHz.
 *
 * By the "IA-PC HPET (High Precision Event Timers) Specification", revision 1.0a.  The counter is virtual time divided
 * by 10 ns; a comparator's event is a deadline of that time.
 *
 * A one-shot comparator set to a value that the counter has passed by less than a millisecond matches at once rather
 * than after the counter has gone round: a guest on a slow host needs longer between reading and writing than it expects.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/util.h"
#include "hw/apic.h"
#include "hw/hw.h"
#include "hw/ticks.h"

#define BASE 0xfed00000u
#define TIMERS 3
#define TICK_NS 10u
/* Vendor 8086h, legacy replacement, 64-bit counter, three timers, revision 1; a tick in femtoseconds. */
#define CAPABILITIES (0x8086a201ull | TICK_NS * 1000000ull << 32)
#define LATE_TICKS (1000000u / TICK_NS)
#define MIN_PERIOD_NS 50000u
/* A comparator that nobody waits for is looked at so long after its match: before 32 bits have gone round since. */
#define UNHEARD_NS (20 * NS_PER_SEC)

enum { REG_CAPABILITIES = 0x00, REG_CONFIG = 0x10, REG_STATUS = 0x20, REG_COUNTER = 0xf0, REG_TIMER = 0x100 };
#define CONFIG_ENABLE 1ull
#define CONFIG_LEGACY 2ull

/* A timer's configuration. */
#define T_LEVEL (1ull << 1)
#define T_ENABLE (1ull << 2)
#define T_PERIODIC (1ull << 3)
#define T_SET (1ull << 6)
#define T_32BIT (1ull << 8)
#define T_ROUTE(config) ((config) >> 9 & 31)
#define T_FSB (1ull << 14)
#define T_WRITABLE 0x7f4eull
/* Periodic, 64 bits and messages are possible; pins 20 to 23 of the I/O APIC are nobody else's. */
#define ROUTES 0x00f00000ull
#define T_CAPABILITIES (1ull << 4 | 1ull << 5 | 1ull << 15 | ROUTES << 32)

struct comparator {
	uint64_t config;
	uint64_t value;    /* the comparator: in periodic mode the accumulator */
	uint64_t period;
	uint64_t message;  /* FSB route: data in the low half, address in the high one */
	uint64_t fresh;    /* the value was written while the counter ran, and has not matched yet */
	uint64_t due_ns;   /* when it matches; UINT64_MAX: never */
	struct ticks ticks; /* if it is periodic and makes edges */
};

struct hpet {
	struct dev dev;
	struct {
		uint64_t config, status;
		uint64_t counter;  /* when it was last started or stopped */
		uint64_t start_ns;
		struct comparator timer[TIMERS];
	} state;
	struct irq lines[24], legacy_timer, legacy_rtc;
	struct dev *pit, *rtc, *apic;
	struct clock *clock;
	struct timer timer;
	struct region page;
};

static bool
running(const struct hpet *h)
{
	return h->state.config & CONFIG_ENABLE;
}

static uint64_t
counter(const struct hpet *h)
{
	if (!running(h))
		return h->state.counter;
	return h->state.counter + (clock_now(h->clock) - h->state.start_ns) / TICK_NS;
}

static uint64_t
width_mask(const struct comparator *t)
{
	return t->config & T_32BIT ? 0xffffffff : UINT64_MAX;
}

/* ---- lines ---- */

/* Where timer N interrupts by a line. */
static const struct irq *
line_of(const struct hpet *h, unsigned n)
{
	unsigned route = T_ROUTE(h->state.timer[n].config);

	if ((h->state.config & CONFIG_LEGACY) && n < 2)
		return n == 0 ? &h->legacy_timer : &h->legacy_rtc;
	return ROUTES >> route & 1 ? &h->lines[route] : NULL;
}

/* Drives the lines of level-triggered timers: all that are routed to one line have a say. */
static void
update_lines(struct hpet *h)
{
	for (unsigned n = 0; n < TIMERS; n++) {
		const struct irq *line = line_of(h, n);
		bool level = false;

		if (line == NULL)
			continue;
		for (unsigned i = 0; i < TIMERS; i++) {
			const struct comparator *t = &h->state.timer[i];

			level |= line_of(h, i) == line && (t->config & T_LEVEL) && (t->config & T_ENABLE) &&
				(h->state.status >> i & 1) && running(h);
		}
		irq_set(line, level);
	}
}

/* Timer N has met its value. */
static void
interrupt(struct hpet *h, unsigned n)
{
	struct comparator *t = &h->state.timer[n];
	const struct irq *line = line_of(h, n);

	if (t->config & T_FSB) {
		if (t->config & T_ENABLE)
			lapic_bus_deliver(h->apic, t->message >> 32, t->message);
	} else if (t->config & T_LEVEL) {
		h->state.status |= 1ull << n;
	} else if ((t->config & T_ENABLE) && line != NULL) {
		irq_set(line, 1);
		irq_set(line, 0);
	}
}

/* Would another edge of timer N be lost? */
static bool
is_waiting(const struct hpet *h, unsigned n)
{
	const struct comparator *t = &h->state.timer[n];
	const struct irq *line = line_of(h, n);

	if (t->config & T_FSB)
		return lapic_bus_is_waiting(h->apic, t->message >> 32, t->message);
	return line != NULL && irq_is_waiting(line);
}

/* ---- matching ---- */

/* Does a guest count time by T? */
static bool
is_ticking(const struct hpet *h, const struct comparator *t)
{
	return running(h) && (t->config & (T_ENABLE | T_LEVEL | T_PERIODIC)) == (T_ENABLE | T_PERIODIC) && t->period != 0;
}

/* Does a match of T do anything: interrupt, set its status, move its accumulator? */
static bool
matters(const struct comparator *t)
{
	return t->config & (T_ENABLE | T_LEVEL | T_PERIODIC);
}

/*
 * When timer N has to be looked at without an access.  Systems leave a timer periodic when they stop its interrupt, and would
 * wake an idle host for each period: its accumulator goes on when it is read.
 */
static uint64_t
wake_ns(const struct hpet *h, unsigned n)
{
	const struct comparator *t = &h->state.timer[n];
	bool heard = t->config & T_ENABLE || ((t->config & T_LEVEL) && !(h->state.status >> n & 1));

	if (heard)
		return MIN(t->due_ns, ticks_next(&t->ticks));
	return t->due_ns < UINT64_MAX - UNHEARD_NS ? t->due_ns + UNHEARD_NS : UINT64_MAX;
}

/* Ticks until T matches; UINT64_MAX: never. */
static uint64_t
ticks_to_match(const struct hpet *h, const struct comparator *t)
{
	uint64_t mask = width_mask(t), now = counter(h) & mask;
	uint64_t left = (t->value - now) & mask, late = (now - t->value) & mask;

	if (t->fresh && late <= LATE_TICKS)
		return 0;
	if (left != 0 || mask == UINT64_MAX)
		return left != 0 ? left : UINT64_MAX;
	return mask + 1;
}

static void
schedule(struct hpet *h, struct comparator *t)
{
	uint64_t now = clock_now(h->clock), left;

	t->due_ns = UINT64_MAX;
	if (!running(h) || !matters(t))
		return;
	left = ticks_to_match(h, t);
	if (left < (UINT64_MAX - now) / TICK_NS - 1)
		t->due_ns = now + left * TICK_NS;
	if (left != 0 && t->due_ns != UINT64_MAX) /* the counter's edge, not somewhere inside a tick */
		t->due_ns -= (now - h->state.start_ns) % TICK_NS;
}

/* The accumulator goes on by whole periods to the first value ahead. */
static void
expire(struct hpet *h, unsigned n)
{
	struct comparator *t = &h->state.timer[n];
	uint64_t mask = width_mask(t), now = counter(h) & mask, late = (now - t->value) & mask;
	uint64_t ns = clock_now(h->clock);

	t->fresh = 0;
	if ((t->config & T_PERIODIC) && t->period != 0)
		t->value = (t->value + t->period * (1 + late / t->period)) & mask;
	if (is_ticking(h, t))
		ticks_came(&t->ticks, ns, t->period * TICK_NS, late / t->period + is_waiting(h, n));
	interrupt(h, n);
	schedule(h, t);
	t->due_ns = MAX(t->due_ns, ns + MIN_PERIOD_NS);
}

/* Lets happen what is due, drives the lines, and waits for what comes next: the end of each access, and the start of writes. */
static void
hpet_update(struct hpet *h)
{
	uint64_t now = clock_now(h->clock), next = UINT64_MAX;

	for (unsigned n = 0; n < TIMERS; n++) {
		struct comparator *t = &h->state.timer[n];

		if (t->due_ns <= now)
			expire(h, n);
		else if (ticks_next(&t->ticks) <= now && ticks_take(&t->ticks, now, t->period * TICK_NS, is_waiting(h, n)))
			interrupt(h, n);
		next = MIN(next, wake_ns(h, n));
	}
	update_lines(h);
	if (next != UINT64_MAX)
		timer_set(&h->timer, next);
	else
		timer_cancel(&h->timer);
}

static void
timer_fired(void *opaque)
{
	hpet_update(opaque);
}

/* ---- registers ---- */

/* VALUE's SIZE bytes at byte AT of OLD. */
static uint64_t
merge(uint64_t old, unsigned at, uint64_t value, unsigned size)
{
	uint64_t mask = (size == 8 ? UINT64_MAX : (1ull << 8 * size) - 1) << 8 * at;

	return (old & ~mask) | (value << 8 * at & mask);
}

static void
schedule_all(struct hpet *h)
{
	for (unsigned n = 0; n < TIMERS; n++) {
		h->state.timer[n].fresh = 0;
		ticks_forget(&h->state.timer[n].ticks);
		schedule(h, &h->state.timer[n]);
	}
}

static void
write_config(struct hpet *h, uint64_t value)
{
	uint64_t old = h->state.config, changed = old ^ value;

	if (changed & CONFIG_LEGACY) {
		for (unsigned n = 0; n < 2; n++) {
			const struct irq *line = line_of(h, n);

			if (line != NULL)
				irq_set(line, 0);
		}
	}
	h->state.counter = counter(h);
	h->state.start_ns = clock_now(h->clock);
	h->state.config = value & (CONFIG_ENABLE | CONFIG_LEGACY);
	if (changed & CONFIG_ENABLE)
		schedule_all(h);
	if (changed & CONFIG_LEGACY) {
		i8254_set_irq_enabled(h->pit, !(value & CONFIG_LEGACY));
		mc146818_set_irq_enabled(h->rtc, !(value & CONFIG_LEGACY));
	}
}

static void
write_timer_config(struct hpet *h, unsigned n, uint64_t value)
{
	struct comparator *t = &h->state.timer[n];
	const struct irq *line = line_of(h, n);
	uint64_t old = t->config;

	if (line != NULL && (old & T_LEVEL))
		irq_set(line, 0);
	t->config = (value & T_WRITABLE) | T_CAPABILITIES;
	if (t->config & T_32BIT) {
		t->value &= 0xffffffff;
		t->period &= 0xffffffff;
	}
	if (!(t->config & T_LEVEL))
		h->state.status &= ~(1ull << n);
	ticks_forget(&t->ticks);
	schedule(h, t);
}

/* In periodic mode a write sets the period, and after T_SET the accumulator too. */
static void
write_comparator(struct hpet *h, struct comparator *t, unsigned at, uint64_t value, unsigned size)
{
	if (at != 0 && (t->config & T_32BIT))
		return;
	if (!(t->config & T_PERIODIC) || (t->config & T_SET)) {
		t->value = merge(t->value, at, value, size) & width_mask(t);
		t->fresh = running(h);
	}
	if (t->config & T_PERIODIC)
		t->period = merge(t->period, at, value, size) & width_mask(t);
	t->config &= ~T_SET;
	ticks_forget(&t->ticks);
	schedule(h, t);
}

static uint64_t
read_timer(const struct comparator *t, unsigned reg)
{
	switch (reg) {
	case 0x00: return t->config;
	case 0x08: return t->value;
	case 0x10: return t->message;
	default: return 0;
	}
}

static uint64_t
read_register(const struct hpet *h, unsigned reg)
{
	if (reg >= REG_TIMER && reg < REG_TIMER + TIMERS * 0x20)
		return read_timer(&h->state.timer[(reg - REG_TIMER) / 0x20], reg & 0x18);
	switch (reg) {
	case REG_CAPABILITIES: return CAPABILITIES;
	case REG_CONFIG: return h->state.config;
	case REG_STATUS: return h->state.status;
	case REG_COUNTER: return counter(h);
	default: return 0;
	}
}

static void
write_timer(struct hpet *h, unsigned n, unsigned reg, unsigned at, uint64_t value, unsigned size)
{
	struct comparator *t = &h->state.timer[n];

	switch (reg) {
	case 0x00:
		write_timer_config(h, n, merge(t->config, at, value, size));
		break;
	case 0x08:
		write_comparator(h, t, at, value, size);
		break;
	case 0x10:
		t->message = merge(t->message, at, value, size);
		break;
	}
}

static uint64_t
page_read(void *opaque, uint64_t offset, unsigned size)
{
	struct hpet *h = opaque;
	unsigned reg = offset & ~7u;

	(void)size;
	if (reg != REG_COUNTER) /* systems read it thousands of times a second */
		hpet_update(h);
	return read_register(h, reg) >> 8 * (offset & 7);
}

static void
page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct hpet *h = opaque;
	unsigned reg = offset & ~7u, at = offset & 7;
	uint64_t cleared;

	hpet_update(h);
	if (reg >= REG_TIMER && reg < REG_TIMER + TIMERS * 0x20) {
		write_timer(h, (reg - REG_TIMER) / 0x20, reg & 0x18, at, value, size);
	} else if (reg == REG_CONFIG) {
		write_config(h, merge(h->state.config, at, value, size));
	} else if (reg == REG_STATUS) {
		cleared = merge(0, at, value, size);
		h->state.status &= ~cleared;
	} else if (reg == REG_COUNTER) {
		h->state.counter = merge(counter(h), at, value, size);
		h->state.start_ns = clock_now(h->clock);
		schedule_all(h);
	}
	hpet_update(h);
}

static const struct region_ops page_ops = { page_read, page_write, 4, 8 };

/* ---- class ---- */

static void
hpet_reset(struct dev *d)
{
	struct hpet *h = (struct hpet *)d;

	write_config(h, 0);
	memset(&h->state, 0, sizeof(h->state));
	for (unsigned n = 0; n < TIMERS; n++) {
		h->state.timer[n].config = T_CAPABILITIES;
		h->state.timer[n].value = UINT64_MAX;
		h->state.timer[n].due_ns = UINT64_MAX;
	}
	hpet_update(h);
}

static bool
hpet_loaded(struct dev *d, struct err *e)
{
	struct hpet *h = (struct hpet *)d;

	(void)e;
	h->state.start_ns = MIN(h->state.start_ns, clock_now(h->clock));
	for (unsigned n = 0; n < TIMERS; n++) {
		struct comparator *t = &h->state.timer[n];

		t->config = (t->config & T_WRITABLE) | T_CAPABILITIES;
		t->value &= width_mask(t);
		t->period &= width_mask(t);
	}
	hpet_update(h);
	return true;
}

static void
hpet_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct hpet *h = (struct hpet *)d;
	char text[160];

	snprintf(text, sizeof(text), "counter=%llx%s%s status=%x\n", (unsigned long long)counter(h),
		running(h) ? " running" : "", h->state.config & CONFIG_LEGACY ? " legacy" : "",
		(unsigned)h->state.status);
	print(opaque, text);
	for (unsigned n = 0; n < TIMERS; n++) {
		const struct comparator *t = &h->state.timer[n];

		snprintf(text, sizeof(text), "timer %u: config=%04x value=%llx period=%llx%s%s%s\n", n,
			(unsigned)t->config & 0xffff, (unsigned long long)t->value, (unsigned long long)t->period,
			t->config & T_ENABLE ? " enabled" : "", t->config & T_PERIODIC ? " periodic" : "",
			t->config & T_FSB ? " message" : "");
		print(opaque, text);
	}
}

static void
hpet_destroy(struct dev *d)
{
	struct hpet *h = (struct hpet *)d;

	timer_cancel(&h->timer);
	space_remove(&h->page);
}

#define TIMER_FIELDS(i) \
	FIELD_OF(struct hpet, state.timer[i].config), \
	FIELD_OF(struct hpet, state.timer[i].value), \
	FIELD_OF(struct hpet, state.timer[i].period), \
	FIELD_OF(struct hpet, state.timer[i].message), \
	FIELD_MAX(struct hpet, state.timer[i].fresh, 1), \
	FIELD_OF(struct hpet, state.timer[i].due_ns), \
	FIELD_OF(struct hpet, state.timer[i].ticks.next_ns), \
	FIELD_MAX(struct hpet, state.timer[i].ticks.owed, TICKS_OWED_MAX)

static const struct field fields[] = {
	FIELD_MAX(struct hpet, state.config, CONFIG_ENABLE | CONFIG_LEGACY),
	FIELD_MAX(struct hpet, state.status, (1 << TIMERS) - 1),
	FIELD_OF(struct hpet, state.counter),
	FIELD_OF(struct hpet, state.start_ns),
	TIMER_FIELDS(0),
	TIMER_FIELDS(1),
	TIMER_FIELDS(2),
	FIELD_END,
};

static const struct dev_class hpet_class = {
	DEV_OF(hpet),
	.description = "high precision event timers",
	.fields = fields,
	.reset = hpet_reset,
	.loaded = hpet_loaded,
	.info = hpet_info,
	.destroy = hpet_destroy,
};

struct dev *
hpet_new(const struct dev_env *env, const struct irq lines[24], struct dev *pit, struct dev *rtc,
	struct irq legacy_timer, struct irq legacy_rtc, struct dev *any_apic)
{
	struct dev *d = dev_new(env, &hpet_class, NULL);
	struct hpet *h = (struct hpet *)d;

	memcpy(h->lines, lines, sizeof(h->lines));
	h->pit = pit;
	h->rtc = rtc;
	h->legacy_timer = legacy_timer;
	h->legacy_rtc = legacy_rtc;
	h->apic = any_apic;
	h->clock = env->clock;
	timer_init(&h->timer, env->clock, timer_fired, h);
	h->timer.any_thread = true;
	region_init_io(&h->page, "hpet", &page_ops, h, 1024);
	space_add(env->mem, &h->page, BASE, 10);
	hpet_reset(d);
	return d;
}
