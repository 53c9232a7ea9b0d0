/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Motorola MC146818 real-time clock with 128 bytes of CMOS memory, at ports 70h and 71h.
 *
 * By the data sheet "MC146818A Real-Time Clock plus RAM".  The divider chain is virtual time plus a phase; the date is a
 * number of seconds added to the chain's.  While the guest holds it (SET, or a divider that is reset) the date
 * lives in its registers.  Byte 32h is the century, as in all PCs, and 37h the same, as in the PS/2.  Flags are worked
 * out when someone looks; the timer runs only for interrupts that are enabled and not yet pending.
 *
 * Left out: daylight saving, the square wave, the NMI mask of port 70h, and time bases other than 32.768 kHz.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"

enum {
	REG_SECOND, REG_SECOND_ALARM, REG_MINUTE, REG_MINUTE_ALARM, REG_HOUR, REG_HOUR_ALARM,
	REG_WEEKDAY, REG_DAY, REG_MONTH, REG_YEAR, REG_A, REG_B, REG_C, REG_D,
	REG_CENTURY = 0x32, REG_PS2_CENTURY = 0x37,
};

#define A_UPDATING 0x80
#define A_RATE 0x0f
#define A_DIVIDER_RESET(a) (((a) & 0x60) == 0x60)
#define B_SET 0x80
#define B_BINARY 0x04
#define B_24H 0x02
#define C_REQUEST 0x80
#define PERIODIC 0x40 /* in B the enable, in C the flag */
#define ALARM 0x20
#define UPDATE 0x10
#define D_VALID 0x80
#define HOUR_PM 0x80
#define ALARM_ANY 0xc0

/* The update takes 1984 us, and is announced 244 us before. */
#define UPDATE_NS (2228 * 1000u)
#define DAY 86400

struct mc146818 {
	struct dev dev;
	struct {
		int64_t base_seconds;  /* the date in seconds since 1970, less the chain's */
		uint64_t phase_ns;     /* the divider chain is the clock plus this */
		uint64_t seen_ns;      /* the chain when flags were last worked out */
		uint8_t cmos[128];     /* without the date, unless the guest holds it */
		uint32_t index;
		uint32_t irq_enabled;
	} state;
	struct irq out, event;
	struct clock *clock;
	struct timer timer;
	struct region ports;
};

/* A date of the calendar. */
struct date {
	int64_t year;
	unsigned month, day, weekday; /* month and day count from 1, weekday from Sunday, which is 1 */
	unsigned hour, minute, second;
};

/* ---- the calendar ---- */

/* Days from 1970-01-01 to the first of a month.  Years are counted from March, so that the leap day is the last. */
static int64_t
days_to(int64_t year, unsigned month)
{
	int64_t y = month > 2 ? year : year - 1, era = (y >= 0 ? y : y - 399) / 400;
	unsigned of_era = y - era * 400, m = (month + 9) % 12;
	unsigned of_year = (153 * m + 2) / 5;

	return era * 146097 + of_era * 365ll + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void
date_of(int64_t seconds, struct date *d)
{
	int64_t days = (seconds >= 0 ? seconds : seconds - DAY + 1) / DAY;
	unsigned of_day = seconds - days * DAY;
	int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
	unsigned of_era = z - era * 146097;
	unsigned y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	unsigned of_year = of_era - (365 * y + y / 4 - y / 100), m = (5 * of_year + 2) / 153;

	d->day = of_year - (153 * m + 2) / 5 + 1;
	d->month = m < 10 ? m + 3 : m - 9;
	d->year = y + era * 400 + (d->month <= 2);
	d->weekday = ((days % 7 + 7) % 7 + 4) % 7 + 1;
	d->hour = of_day / 3600;
	d->minute = of_day / 60 % 60;
	d->second = of_day % 60;
}

/* ---- the registers' formats ---- */

static uint8_t
encode(const struct mc146818 *r, unsigned v)
{
	return r->state.cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10;
}

static unsigned
decode(const struct mc146818 *r, uint8_t v)
{
	return r->state.cmos[REG_B] & B_BINARY ? v : (v >> 4) * 10 + (v & 15);
}

static uint8_t
encode_hour(const struct mc146818 *r, unsigned hour)
{
	if (r->state.cmos[REG_B] & B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned
decode_hour(const struct mc146818 *r, uint8_t v)
{
	if (r->state.cmos[REG_B] & B_24H)
		return decode(r, v);
	return decode(r, v & ~HOUR_PM) % 12 + (v & HOUR_PM ? 12 : 0);
}

/* ---- time ---- */

/* The date stands: its registers are what the guest has written. */
static bool
is_held(const struct mc146818 *r)
{
	return (r->state.cmos[REG_B] & B_SET) || A_DIVIDER_RESET(r->state.cmos[REG_A]);
}

static uint64_t
chain_ns(const struct mc146818 *r)
{
	return clock_now(r->clock) + r->state.phase_ns;
}

static int64_t
seconds_at(const struct mc146818 *r, uint64_t chain)
{
	return r->state.base_seconds + (int64_t)(chain / NS_PER_SEC);
}

/* Puts the date into its registers. */
static void
show_date(struct mc146818 *r)
{
	uint8_t *cmos = r->state.cmos;
	struct date d;

	date_of(seconds_at(r, chain_ns(r)), &d);
	cmos[REG_SECOND] = encode(r, d.second);
	cmos[REG_MINUTE] = encode(r, d.minute);
	cmos[REG_HOUR] = encode_hour(r, d.hour);
	cmos[REG_WEEKDAY] = encode(r, d.weekday);
	cmos[REG_DAY] = encode(r, d.day);
	cmos[REG_MONTH] = encode(r, d.month);
	cmos[REG_YEAR] = encode(r, d.year % 100);
	cmos[REG_CENTURY] = encode(r, d.year / 100 % 100);
}

/* Takes the date from its registers, whatever is in them. */
static void
take_date(struct mc146818 *r)
{
	const uint8_t *cmos = r->state.cmos;
	unsigned month = decode(r, cmos[REG_MONTH]), century = decode(r, cmos[REG_CENTURY]);
	int64_t year, days;

	if (century < 16 || century > 99)
		century = 20;
	year = century * 100 + decode(r, cmos[REG_YEAR]) % 100;
	days = days_to(year, month < 1 || month > 12 ? 1 : month) + (int)decode(r, cmos[REG_DAY]) - 1;
	r->state.base_seconds = days * DAY + decode_hour(r, cmos[REG_HOUR]) * 3600 +
		decode(r, cmos[REG_MINUTE]) * 60 + decode(r, cmos[REG_SECOND]) - (int64_t)(chain_ns(r) / NS_PER_SEC);
}

/* The chain starts anew when its reset ends: the first update is half a second later. */
static void
restart_chain(struct mc146818 *r)
{
	uint64_t sub = chain_ns(r) % NS_PER_SEC;

	r->state.phase_ns = (r->state.phase_ns + NS_PER_SEC + NS_PER_SEC / 2 - sub) % NS_PER_SEC;
	r->state.seen_ns = chain_ns(r);
}

/* ---- interrupts ---- */

static bool
alarm_matches(const struct mc146818 *r, unsigned reg, unsigned value)
{
	uint8_t v = r->state.cmos[reg];

	if (v >= ALARM_ANY)
		return true;
	return (reg == REG_HOUR_ALARM ? decode_hour(r, v) : decode(r, v)) == value;
}

/* The first second after FROM that the alarm stands for; INT64_MAX: none.  Whole hours and minutes are stepped over. */
static int64_t
next_alarm(const struct mc146818 *r, int64_t from)
{
	int64_t t = from + 1, last = from + DAY;

	while (t <= last) {
		unsigned of_day = (t % DAY + DAY) % DAY;

		if (!alarm_matches(r, REG_HOUR_ALARM, of_day / 3600))
			t += 3600 - of_day % 3600;
		else if (!alarm_matches(r, REG_MINUTE_ALARM, of_day / 60 % 60))
			t += 60 - of_day % 60;
		else if (!alarm_matches(r, REG_SECOND_ALARM, of_day % 60))
			t++;
		else
			return t;
	}
	return INT64_MAX;
}

/* Of the periodic interrupt; 0: off. */
static unsigned
periodic_hz(const struct mc146818 *r)
{
	unsigned rate = r->state.cmos[REG_A] & A_RATE;

	if (rate == 0 || A_DIVIDER_RESET(r->state.cmos[REG_A]))
		return 0;
	return 32768 >> ((rate <= 2 ? rate + 7 : rate) - 1);
}

/* Sets the flags of what has happened since the last look. */
static void
collect_flags(struct mc146818 *r)
{
	uint64_t seen = r->state.seen_ns, now = chain_ns(r);
	unsigned hz = periodic_hz(r);
	uint8_t *c = &r->state.cmos[REG_C];

	r->state.seen_ns = now;
	if (hz != 0 && mul_div(seen, hz, NS_PER_SEC) != mul_div(now, hz, NS_PER_SEC))
		*c |= PERIODIC;
	if (is_held(r) || seen / NS_PER_SEC == now / NS_PER_SEC)
		return;
	*c |= UPDATE;
	if (next_alarm(r, seconds_at(r, seen)) <= seconds_at(r, now))
		*c |= ALARM;
}

/* When, by the chain, the next interrupt comes that is enabled and not pending. */
static uint64_t
next_interrupt(const struct mc146818 *r)
{
	uint64_t now = r->state.seen_ns, next = UINT64_MAX, second = now / NS_PER_SEC;
	uint8_t want = r->state.cmos[REG_B] & ~r->state.cmos[REG_C];
	unsigned hz = periodic_hz(r);
	int64_t alarm;

	if ((want & PERIODIC) && hz != 0)
		next = mul_div(mul_div(now, hz, NS_PER_SEC) + 1, NS_PER_SEC, hz) + 1;
	if (is_held(r))
		return next;
	if (want & UPDATE)
		next = MIN(next, (second + 1) * NS_PER_SEC);
	if (want & ALARM) {
		alarm = next_alarm(r, seconds_at(r, now));
		if (alarm != INT64_MAX)
			next = MIN(next, (uint64_t)(alarm - r->state.base_seconds) * NS_PER_SEC);
	}
	return next;
}

/* Ends each access: the flags, the line, and the timer for what comes next. */
static void
mc146818_update(struct mc146818 *r)
{
	uint8_t *c = &r->state.cmos[REG_C];
	uint64_t next;

	collect_flags(r);
	*c &= ~C_REQUEST;
	if (*c & r->state.cmos[REG_B] & (PERIODIC | ALARM | UPDATE))
		*c |= C_REQUEST;
	irq_set(&r->out, (*c & C_REQUEST) && r->state.irq_enabled);
	irq_set(&r->event, (*c & C_REQUEST) != 0);
	next = next_interrupt(r);
	if (next != UINT64_MAX)
		timer_set(&r->timer, next - r->state.phase_ns);
	else
		timer_cancel(&r->timer);
}

static void
timer_fired(void *opaque)
{
	mc146818_update(opaque);
}

void
mc146818_set_irq_enabled(struct dev *rtc, bool enabled)
{
	struct mc146818 *r = (struct mc146818 *)rtc;

	r->state.irq_enabled = enabled;
	mc146818_update(r);
}

void
mc146818_set_event(struct dev *rtc, struct irq event)
{
	((struct mc146818 *)rtc)->event = event;
}

/* ---- registers ---- */

static bool
is_date(unsigned index)
{
	return index == REG_CENTURY || (index <= REG_YEAR && index != REG_SECOND_ALARM && index != REG_MINUTE_ALARM &&
		index != REG_HOUR_ALARM);
}

static uint8_t
read_cmos(struct mc146818 *r, unsigned index)
{
	if (index == REG_PS2_CENTURY)
		index = REG_CENTURY;
	if (is_date(index) && !is_held(r))
		show_date(r);
	if (index == REG_A && !is_held(r) && chain_ns(r) % NS_PER_SEC >= NS_PER_SEC - UPDATE_NS)
		return r->state.cmos[REG_A] | A_UPDATING;
	return r->state.cmos[index];
}

/* Register A or B: either may stop the date or let it go. */
static void
write_mode(struct mc146818 *r, unsigned index, uint8_t value)
{
	bool held = is_held(r), reset = A_DIVIDER_RESET(r->state.cmos[REG_A]);

	if (index == REG_B && (value & B_SET))
		value &= ~UPDATE;
	if (!held)
		show_date(r);
	r->state.cmos[index] = index == REG_A ? value & ~A_UPDATING : value;
	if (reset && !A_DIVIDER_RESET(r->state.cmos[REG_A]))
		restart_chain(r);
	if (held && !is_held(r)) {
		take_date(r);
		r->state.seen_ns = chain_ns(r);
	}
}

static void
write_cmos(struct mc146818 *r, unsigned index, uint8_t value)
{
	if (index == REG_PS2_CENTURY)
		index = REG_CENTURY;
	if (index == REG_A || index == REG_B) {
		write_mode(r, index, value);
	} else if (is_date(index) && !is_held(r)) {
		show_date(r);
		r->state.cmos[index] = value;
		take_date(r);
	} else if (index != REG_C && index != REG_D) {
		r->state.cmos[index] = value;
	}
}

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct mc146818 *r = opaque;
	uint8_t v;

	(void)size;
	if (offset == 0)
		return 0xff;
	mc146818_update(r);
	v = read_cmos(r, r->state.index);
	if (r->state.index == REG_C) {
		/* The line falls even if the next event has come meanwhile: the 8259 waits for an edge. */
		r->state.cmos[REG_C] = 0;
		irq_set(&r->out, 0);
		irq_set(&r->event, 0);
		mc146818_update(r);
	}
	return v;
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct mc146818 *r = opaque;

	(void)size;
	if (offset == 0) {
		r->state.index = value & 0x7f;
		return;
	}
	collect_flags(r);
	write_cmos(r, r->state.index, value);
	mc146818_update(r);
}

static const struct region_ops port_ops = { port_read, port_write, 1, 1 };

void
mc146818_set_cmos(struct dev *rtc, unsigned index, uint8_t value)
{
	((struct mc146818 *)rtc)->state.cmos[index & 0x7f] = value;
}

uint8_t
mc146818_get_cmos(struct dev *rtc, unsigned index)
{
	return read_cmos((struct mc146818 *)rtc, index & 0x7f);
}

/* ---- class ---- */

/* The date and the memory live on a battery; reset only silences interrupts. */
static void
mc146818_reset(struct dev *d)
{
	struct mc146818 *r = (struct mc146818 *)d;

	collect_flags(r);
	r->state.cmos[REG_B] &= ~(PERIODIC | ALARM | UPDATE | 0x08);
	r->state.cmos[REG_C] = 0;
	r->state.index = 0;
	r->state.irq_enabled = 1;
	mc146818_update(r);
}

static bool
mc146818_loaded(struct dev *d, struct err *e)
{
	struct mc146818 *r = (struct mc146818 *)d;
	int64_t most = 1ll << 40;

	(void)e;
	r->state.base_seconds = MIN(MAX(r->state.base_seconds, -most), most);
	r->state.phase_ns %= NS_PER_SEC;
	mc146818_update(r);
	return true;
}

static void
mc146818_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct mc146818 *r = (struct mc146818 *)d;
	char text[128];
	struct date date;

	date_of(seconds_at(r, chain_ns(r)), &date);
	snprintf(text, sizeof(text), "%04lld-%02u-%02u %02u:%02u:%02u%s a=%02x b=%02x c=%02x\n", (long long)date.year,
		date.month, date.day, date.hour, date.minute, date.second, is_held(r) ? " held" : "",
		r->state.cmos[REG_A], r->state.cmos[REG_B], r->state.cmos[REG_C]);
	print(opaque, text);
}

static void
mc146818_destroy(struct dev *d)
{
	struct mc146818 *r = (struct mc146818 *)d;

	timer_cancel(&r->timer);
	space_remove(&r->ports);
}

static const struct field fields[] = {
	FIELD_OF(struct mc146818, state.base_seconds),
	FIELD_OF(struct mc146818, state.phase_ns),
	FIELD_OF(struct mc146818, state.seen_ns),
	FIELD_ARRAY(struct mc146818, state.cmos),
	FIELD_MAX(struct mc146818, state.index, 0x7f),
	FIELD_MAX(struct mc146818, state.irq_enabled, 1),
	FIELD_END,
};

static const struct dev_class mc146818_class = {
	DEV_OF(mc146818),
	.description = "MC146818 real-time clock and CMOS memory",
	.fields = fields,
	.reset = mc146818_reset,
	.loaded = mc146818_loaded,
	.info = mc146818_info,
	.destroy = mc146818_destroy,
};

struct dev *
mc146818_new(const struct dev_env *env, struct irq out, int64_t unix_ns)
{
	struct dev *d = dev_new(env, &mc146818_class, NULL);
	struct mc146818 *r = (struct mc146818 *)d;
	int64_t second = NS_PER_SEC, sub = (unix_ns % second + second) % second;
	int64_t chain = clock_now(env->clock) % NS_PER_SEC;

	r->out = out;
	r->clock = env->clock;
	r->state.phase_ns = (sub - chain + second) % second;
	r->state.base_seconds = (unix_ns - sub) / second - (int64_t)(chain_ns(r) / NS_PER_SEC);
	r->state.seen_ns = chain_ns(r);
	r->state.cmos[REG_A] = 0x26;
	r->state.cmos[REG_B] = B_24H;
	r->state.cmos[REG_D] = D_VALID;
	timer_init(&r->timer, env->clock, timer_fired, r);
	r->timer.any_thread = true;
	region_init_io(&r->ports, "rtc", &port_ops, r, 2);
	space_add(env->io, &r->ports, 0x70, 0);
	mc146818_reset(d);
	return d;
}
