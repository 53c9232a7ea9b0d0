/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 8254, with port 61h as the PC/AT and the PIIX3 wire it: counter 0 is IRQ 0, counter 2 has its gate there and
 * drives the speaker, and the refresh requests of counter 1 show as a bit that toggles.
 *
 * By the data sheet "8254 Programmable Interval Timer".  Nothing ticks: each counter knows when its count was loaded and
 * computes OUT and the count from the time since.  A new count in modes 2 and 3 is taken over at the end of the period;
 * the data sheet's end of the half period in mode 3 is left out.  Interrupts of counter 0 are made from its events, one
 * for each rise of OUT; those that a busy host or guest missed follow.
 */
#include <math.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/ticks.h"
#include "hw/trace.h"

#define PIT_HZ 1193182ull
#define REFRESH_TICKS 18 /* what every BIOS loads counter 1 with */
#define MIN_PERIOD_NS 50000u

/* The control word. */
#define CONTROL_BCD 0x01
#define CONTROL_MODE(control) ((control) >> 1 & 7)
#define CONTROL_ACCESS(control) ((control) >> 4 & 3)
enum { ACCESS_LATCH, ACCESS_LOW, ACCESS_HIGH, ACCESS_BOTH };
/* With both of the counter's bits set it is the read-back command, whose bits are low for what is wanted. */
#define READ_BACK_NOT_COUNT 0x20
#define READ_BACK_NOT_STATUS 0x10
#define STATUS_OUT 0x80
#define STATUS_NULL 0x40

/* Port 61h. */
#define SPEAKER_GATE 0x01
#define SPEAKER_DATA 0x02
#define SPEAKER_WRITABLE 0x0f
#define SPEAKER_REFRESH 0x10
#define SPEAKER_OUT 0x20

struct counter {
	uint64_t start_ns;    /* ELAPSED was HELD then, and has gone on since if the counter is running */
	int64_t held;         /* CLK pulses since the count was loaded; -1: it will be with the next one */
	uint32_t count;       /* 1 to 65536; 0: none has been written */
	uint32_t next_count;  /* to be taken over when the period ends, or by the gate; 0: none */
	uint32_t control;     /* the control word */
	uint32_t running;
	uint32_t gate;
	uint32_t low_byte;    /* of a count whose high byte is still to come */
	uint32_t write_high, read_high;
	uint32_t latch;       /* the latched count */
	uint32_t latch_left;  /* bytes of it to be read */
	uint32_t status;      /* the latched status, and bit 8 if there is one */
	uint32_t loads;       /* counts written, for `info` */
};

#define STATUS_LATCHED 0x100u

struct i8254 {
	struct dev dev;
	struct {
		uint64_t event_ns;    /* when counter 0 interrupts next; UINT64_MAX: never */
		struct ticks ticks;   /* of counter 0 */
		struct counter counter[3];
		uint32_t port61;      /* what was written there */
		uint32_t irq_enabled;
	} state;
	struct irq out;
	struct clock *clock;
	struct timer timer;
	struct region ports, port61;
	void (*speaker_changing)(void *opaque);
	void *speaker_opaque;
};

static unsigned
mode_of(const struct counter *c)
{
	unsigned mode = CONTROL_MODE(c->control);

	return mode > 5 ? mode - 4 : mode;
}

static bool
is_periodic(const struct counter *c)
{
	return mode_of(c) == 2 || mode_of(c) == 3;
}

static int64_t
elapsed(const struct i8254 *p, const struct counter *c)
{
	if (!c->running)
		return c->held;
	return (uint64_t)c->held + mul_div(clock_now(p->clock) - c->start_ns, PIT_HZ, NS_PER_SEC);
}

static bool
out_of(const struct i8254 *p, const struct counter *c)
{
	int64_t t = elapsed(p, c);

	if (mode_of(c) == 0)
		return c->count != 0 && t >= c->count;
	if (c->count == 0 || !c->running || t < 0)
		return true;
	switch (mode_of(c)) {
	case 1: return t >= c->count;
	case 2: return t % c->count != c->count - 1;
	case 3: return t % c->count < (c->count + 1) / 2;
	default: return t != c->count;
	}
}

/* ---- counting ---- */

static void
start(struct i8254 *p, struct counter *c, uint32_t count)
{
	c->count = count;
	c->next_count = 0;
	c->held = -1;
	c->start_ns = clock_now(p->clock);
}

/* Modes 2 and 3 take over a new count when the period that it was written in has ended. */
static void
take_next_count(struct i8254 *p, struct counter *c)
{
	if (c->next_count == 0 || !is_periodic(c) || c->count == 0 || elapsed(p, c) < c->count)
		return;
	c->held -= c->count;
	c->count = c->next_count;
	c->next_count = 0;
}

/* A complete count was written. */
static void
load(struct i8254 *p, struct counter *c, uint32_t raw)
{
	uint32_t n = raw;

	if (c->control & CONTROL_BCD)
		n = (raw >> 12 & 15) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
	if (n == 0)
		n = c->control & CONTROL_BCD ? 10000 : 65536;
	c->loads++;
	trace_pit_load(c - p->state.counter, n);
	switch (mode_of(c)) {
	case 0:
	case 4:
		start(p, c, n);
		c->running = c->gate;
		break;
	case 1:
	case 5:
		c->next_count = n;
		break;
	default:
		if (c->count != 0) {
			c->next_count = n;
			break;
		}
		start(p, c, n);
		c->running = c->gate;
	}
}

static void
gate_falls(struct i8254 *p, struct counter *c)
{
	if (mode_of(c) == 1 || mode_of(c) == 5)
		return;
	c->held = elapsed(p, c);
	c->running = 0;
}

static void
gate_rises(struct i8254 *p, struct counter *c)
{
	if (mode_of(c) == 0 || mode_of(c) == 4) {
		c->start_ns = clock_now(p->clock);
		c->running = c->count != 0 && !c->write_high;
	} else if (c->next_count != 0 || c->count != 0) {
		start(p, c, c->next_count != 0 ? c->next_count : c->count);
		c->running = 1;
	}
}

static void
set_gate(struct i8254 *p, struct counter *c, bool gate)
{
	if (gate == c->gate)
		return;
	c->gate = gate;
	if (gate)
		gate_rises(p, c);
	else
		gate_falls(p, c);
}

/* What the counting element holds now. */
static uint32_t
current_count(const struct i8254 *p, const struct counter *c)
{
	int64_t t = MAX(elapsed(p, c), 0);
	uint32_t wrap = c->control & CONTROL_BCD ? 10000 : 65536, n = c->count, half = (n + 1) / 2, phase, v;

	if (n == 0)
		return 0;
	phase = t % n;
	switch (mode_of(c)) {
	case 2:
		v = n - phase;
		break;
	case 3: /* counts down by two, twice in a period; an odd count begins one lower */
		v = (n & ~1u) - 2 * (phase < half ? phase : phase - half);
		break;
	default:
		v = (n + wrap - t % wrap) % wrap;
	}
	v %= wrap;
	if (c->control & CONTROL_BCD)
		v = v / 1000 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10;
	return v;
}

/* ---- the interrupt ---- */

/* When OUT of counter 0 rises next. */
static uint64_t
next_event(const struct i8254 *p)
{
	const struct counter *c = &p->state.counter[0];
	int64_t t = elapsed(p, c), at;

	if (!c->running || c->count == 0 || !p->state.irq_enabled)
		return UINT64_MAX;
	if (is_periodic(c))
		at = (MAX(t, 0) / c->count + 1) * (int64_t)c->count;
	else
		at = mode_of(c) >= 4 ? c->count + 1 : c->count;
	if (t >= at)
		return UINT64_MAX;
	return c->start_ns + mul_div(at - c->held, NS_PER_SEC, PIT_HZ) + 1;
}

/* An interrupt that was due LATE ns ago is made now: how many more should have been? */
static uint64_t
missed(const struct counter *c, uint64_t late)
{
	return c->count != 0 ? mul_div(late, PIT_HZ, NS_PER_SEC) / c->count : 0;
}

static uint64_t
period_ns(const struct counter *c)
{
	return mul_div(c->count, NS_PER_SEC, PIT_HZ);
}

/*
 * Ends each access, and also begins each write, so that what was due before the change has happened.  The timer does
 * nothing else.
 */
static void
i8254_update(struct i8254 *p)
{
	struct counter *c = &p->state.counter[0];
	struct ticks *ticks = &p->state.ticks;
	uint64_t now = clock_now(p->clock), earliest = 0;
	bool rises = p->state.event_ns <= now, due = rises || ticks_next(ticks) <= now;
	bool waiting = due && irq_is_waiting(&p->out);
	bool extra = due && !rises && ticks_take(ticks, now, period_ns(c), waiting);

	if (p->speaker_changing != NULL)
		p->speaker_changing(p->speaker_opaque);
	for (unsigned i = 0; i < 3; i++)
		take_next_count(p, &p->state.counter[i]);
	if (rises) {
		earliest = now + MIN_PERIOD_NS;
		if (is_periodic(c))
			ticks_came(ticks, now, period_ns(c), missed(c, now - p->state.event_ns) + waiting);
	}
	if ((rises || extra) && mode_of(c) >= 2) {
		irq_set(&p->out, 0);
		irq_set(&p->out, p->state.irq_enabled);
	}
	irq_set(&p->out, p->state.irq_enabled && out_of(p, c));
	p->state.event_ns = MAX(next_event(p), earliest);
	if (p->state.event_ns == UINT64_MAX) {
		ticks_forget(ticks);
		timer_cancel(&p->timer);
	} else {
		timer_set(&p->timer, MIN(p->state.event_ns, ticks_next(ticks)));
	}
}

static void
timer_fired(void *opaque)
{
	i8254_update(opaque);
}

void
i8254_set_irq_enabled(struct dev *pit, bool enabled)
{
	struct i8254 *p = (struct i8254 *)pit;

	p->state.irq_enabled = enabled;
	i8254_update(p);
}

/* ---- the speaker ---- */

/* For how many of the pulses from 0 to T after its load OUT is high, if each period of counter 2 is COUNT long. */
static double
pulses_high(const struct counter *c, double t, uint32_t count)
{
	double high, periods;

	switch (mode_of(c)) {
	case 0:
		return MAX(t - count, 0);
	case 2:
	case 3:
		if (t < 0)
			return t;
		high = mode_of(c) == 2 ? count - 1 : (count + 1) / 2;
		periods = floor(t / count);
		return periods * high + MIN(t - periods * count, high);
	default:
		return t;
	}
}

static double
pulses_high_until(const struct counter *c, uint64_t ns)
{
	double t = (double)c->held + ((double)ns - (double)c->start_ns) * PIT_HZ / NS_PER_SEC;

	/* A count that is taken over when this period ends. */
	if (c->next_count != 0 && is_periodic(c) && t > c->count)
		return pulses_high(c, c->count, c->count) + pulses_high(c, t - c->count, c->next_count);
	return pulses_high(c, t, c->count);
}

double
i8254_speaker(struct dev *pit, uint64_t from_ns, uint64_t to_ns)
{
	struct i8254 *p = (struct i8254 *)pit;
	const struct counter *c = &p->state.counter[2];

	if (!(p->state.port61 & SPEAKER_DATA))
		return 0;
	if (!c->running || c->count == 0 || mode_of(c) == 1)
		return out_of(p, c);
	double pulses = (double)(to_ns - from_ns) * PIT_HZ / NS_PER_SEC;
	return (pulses_high_until(c, to_ns) - pulses_high_until(c, from_ns)) / pulses;
}

bool
i8254_speaker_sounds(struct dev *pit)
{
	struct i8254 *p = (struct i8254 *)pit;
	const struct counter *c = &p->state.counter[2];

	return p->state.port61 & SPEAKER_DATA && c->running && c->count != 0 && is_periodic(c);
}

void
i8254_on_speaker(struct dev *pit, void (*changing)(void *opaque), void *opaque)
{
	struct i8254 *p = (struct i8254 *)pit;

	p->speaker_changing = changing;
	p->speaker_opaque = opaque;
}

/* ---- registers ---- */

static void
latch_count(struct i8254 *p, struct counter *c)
{
	if (c->latch_left != 0)
		return;
	c->latch = current_count(p, c);
	c->latch_left = CONTROL_ACCESS(c->control) == ACCESS_BOTH ? 2 : 1;
}

static void
latch_status(struct i8254 *p, struct counter *c)
{
	bool null = c->count == 0 || c->next_count != 0 || elapsed(p, c) < 0;

	if (c->status & STATUS_LATCHED)
		return;
	c->status = STATUS_LATCHED | (out_of(p, c) ? STATUS_OUT : 0) | (null ? STATUS_NULL : 0) | (c->control & 0x3f);
}

static void
write_control(struct i8254 *p, uint8_t value)
{
	struct counter *c;

	if (value >> 6 == 3) {
		for (unsigned i = 0; i < 3; i++) {
			c = &p->state.counter[i];
			if (!(value >> (i + 1) & 1))
				continue;
			if (!(value & READ_BACK_NOT_COUNT))
				latch_count(p, c);
			if (!(value & READ_BACK_NOT_STATUS))
				latch_status(p, c);
		}
		return;
	}
	c = &p->state.counter[value >> 6];
	if (CONTROL_ACCESS(value) == ACCESS_LATCH) {
		latch_count(p, c);
		return;
	}
	c->control = value & 0x3f;
	c->count = c->next_count = 0;
	c->running = 0;
	c->held = -1;
	c->write_high = c->read_high = c->latch_left = c->status = 0;
}

/* The first of two bytes stops mode 0, whose OUT falls at once. */
static void
write_count(struct i8254 *p, struct counter *c, uint8_t value)
{
	switch (CONTROL_ACCESS(c->control)) {
	case ACCESS_LOW:
		load(p, c, value);
		break;
	case ACCESS_HIGH:
		load(p, c, value << 8);
		break;
	case ACCESS_BOTH:
		c->write_high = !c->write_high;
		if (!c->write_high) {
			load(p, c, value << 8 | c->low_byte);
			break;
		}
		c->low_byte = value;
		if (mode_of(c) == 0) {
			c->running = 0;
			c->held = -1;
		}
		break;
	}
}

static uint8_t
read_count(struct i8254 *p, struct counter *c)
{
	uint32_t v;
	bool high;

	if (c->status & STATUS_LATCHED) {
		v = c->status;
		c->status = 0;
		return v;
	}
	v = c->latch_left != 0 ? c->latch : current_count(p, c);
	high = CONTROL_ACCESS(c->control) == ACCESS_HIGH;
	if (CONTROL_ACCESS(c->control) == ACCESS_BOTH) {
		high = c->read_high;
		c->read_high = !high;
	}
	if (c->latch_left != 0)
		c->latch_left--;
	return high ? v >> 8 : v;
}

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8254 *p = opaque;

	(void)size;
	if (offset == 3)
		return 0xff;
	i8254_update(p);
	return read_count(p, &p->state.counter[offset]);
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8254 *p = opaque;

	(void)size;
	i8254_update(p);
	if (offset == 3)
		write_control(p, value);
	else
		write_count(p, &p->state.counter[offset], value);
	i8254_update(p);
}

static uint64_t
port61_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8254 *p = opaque;
	uint64_t ticks = mul_div(clock_now(p->clock), PIT_HZ, NS_PER_SEC);

	(void)offset, (void)size;
	i8254_update(p);
	return p->state.port61 | (ticks / REFRESH_TICKS & 1 ? SPEAKER_REFRESH : 0) |
		(out_of(p, &p->state.counter[2]) ? SPEAKER_OUT : 0);
}

static void
port61_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8254 *p = opaque;

	(void)offset, (void)size;
	i8254_update(p);
	p->state.port61 = value & SPEAKER_WRITABLE;
	set_gate(p, &p->state.counter[2], value & SPEAKER_GATE);
	i8254_update(p);
}

static const struct region_ops port_ops = { port_read, port_write, 1, 1 };
static const struct region_ops port61_ops = { port61_read, port61_write, 1, 1 };

/* ---- class ---- */

static void
i8254_reset(struct dev *d)
{
	struct i8254 *p = (struct i8254 *)d;

	memset(&p->state, 0, sizeof(p->state));
	for (unsigned i = 0; i < 3; i++) {
		p->state.counter[i].gate = i != 2;
		p->state.counter[i].held = -1;
		p->state.counter[i].control = ACCESS_BOTH << 4;
	}
	p->state.event_ns = UINT64_MAX;
	p->state.irq_enabled = 1;
	i8254_update(p);
}

static bool
i8254_loaded(struct dev *d, struct err *e)
{
	struct i8254 *p = (struct i8254 *)d;

	(void)e;
	for (unsigned i = 0; i < 3; i++) {
		struct counter *c = &p->state.counter[i];

		c->held = MIN(MAX(c->held, INT32_MIN), INT64_MAX / 4);
		c->start_ns = MIN(c->start_ns, clock_now(p->clock));
	}
	i8254_update(p);
	return true;
}

static void
i8254_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i8254 *p = (struct i8254 *)d;
	char text[128];

	for (unsigned i = 0; i < 3; i++) {
		const struct counter *c = &p->state.counter[i];

		snprintf(text, sizeof(text), "counter %u: mode=%u count=%u now=%u gate=%u out=%d loads=%u\n", i,
			mode_of(c), c->count, current_count(p, c), c->gate, out_of(p, c), c->loads);
		print(opaque, text);
	}
}

static void
i8254_destroy(struct dev *d)
{
	struct i8254 *p = (struct i8254 *)d;

	timer_cancel(&p->timer);
	space_remove(&p->ports);
	space_remove(&p->port61);
}

#define COUNTER_FIELDS(i) \
	FIELD_OF(struct i8254, state.counter[i].start_ns), \
	FIELD_OF(struct i8254, state.counter[i].held), \
	FIELD_MAX(struct i8254, state.counter[i].count, 65536), \
	FIELD_MAX(struct i8254, state.counter[i].next_count, 65536), \
	FIELD_MAX(struct i8254, state.counter[i].control, 0x3f), \
	FIELD_MAX(struct i8254, state.counter[i].running, 1), \
	FIELD_MAX(struct i8254, state.counter[i].gate, 1), \
	FIELD_MAX(struct i8254, state.counter[i].low_byte, 0xff), \
	FIELD_MAX(struct i8254, state.counter[i].write_high, 1), \
	FIELD_MAX(struct i8254, state.counter[i].read_high, 1), \
	FIELD_MAX(struct i8254, state.counter[i].latch, 0xffff), \
	FIELD_MAX(struct i8254, state.counter[i].latch_left, 2), \
	FIELD_MAX(struct i8254, state.counter[i].status, 0x1ff), \
	FIELD_OF(struct i8254, state.counter[i].loads)

static const struct field fields[] = {
	FIELD_OF(struct i8254, state.event_ns),
	FIELD_OF(struct i8254, state.ticks.next_ns),
	FIELD_MAX(struct i8254, state.ticks.owed, TICKS_OWED_MAX),
	COUNTER_FIELDS(0),
	COUNTER_FIELDS(1),
	COUNTER_FIELDS(2),
	FIELD_MAX(struct i8254, state.port61, SPEAKER_WRITABLE),
	FIELD_MAX(struct i8254, state.irq_enabled, 1),
	FIELD_END,
};

static const struct dev_class i8254_class = {
	DEV_OF(i8254),
	.description = "8254 interval timer and port 61h",
	.fields = fields,
	.reset = i8254_reset,
	.loaded = i8254_loaded,
	.info = i8254_info,
	.destroy = i8254_destroy,
};

struct dev *
i8254_new(const struct dev_env *env, struct irq out)
{
	struct dev *d = dev_new(env, &i8254_class, NULL);
	struct i8254 *p = (struct i8254 *)d;

	p->out = out;
	p->clock = env->clock;
	timer_init(&p->timer, env->clock, timer_fired, p);
	p->timer.any_thread = true;
	region_init_io(&p->ports, "pit", &port_ops, p, 4);
	region_init_io(&p->port61, "port61", &port61_ops, p, 1);
	space_add(env->io, &p->ports, 0x40, 0);
	space_add(env->io, &p->port61, 0x61, 0);
	i8254_reset(d);
	return d;
}
