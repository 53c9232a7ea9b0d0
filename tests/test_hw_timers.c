/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: timers, the clock, DMA and port 92h, driven by ports and a manual clock.  Values by the data sheets. */
#include "tests/check_main.h"
#include "tests/irq_board.h"

#include <unistd.h>

static void
between(uint64_t v, uint64_t low, uint64_t high)
{
	ck_assert_msg(v >= low && v <= high, "%llu is not %llu to %llu", (unsigned long long)v,
		(unsigned long long)low, (unsigned long long)high);
}
/* ---- 8254 ---- */

#define TICKS(n) mul_div(n, NS_PER_SEC, 1193182)

static void
pit_load(unsigned n, uint8_t control, uint16_t count)
{
	out(0x43, n << 6 | control);
	out(0x40 + n, count);
	out(0x40 + n, count >> 8);
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

/*
 * A host that is late by 20 interrupts of a millisecond: do they all come after all, not at once, and no more than were due?  More
 * than 32 are not made up for: where the host is late by itself, this says nothing, and is false.
 */
static bool
catches_up(void)
{
	struct dev *devices = NULL;
	struct probe line = { 0 };
	struct space *io = space_new("io", true);
	struct clock *clock = clock_new(false);
	struct dev_env env = { .clock = clock, .io = io, .devices = &devices };
	uint64_t begin, due;

	i8254_new(&env, to_probe(&line));
	clock_start(clock);
	space_write(io, 0x43, 0x34, 1, false);
	space_write(io, 0x40, 0xa9, 1, false); /* 1 ms */
	space_write(io, 0x40, 0x04, 1, false);
	begin = clock_now(clock);
	usleep(20000);
	clock_run(clock);
	ck_assert_uint_le(line.rises, 2);
	do {
		due = (clock_now(clock) - begin) / 1000000;
		clock_run(clock);
		ck_assert_uint_le(line.rises, (clock_now(clock) - begin) / 1000000 + 1);
	} while (line.rises + 1 < due && due - line.rises < 30 && line.rises < 200);
	dev_free_all(devices);
	space_free(io);
	clock_free(clock);
	return line.rises + 1 >= due;
}

START_TEST(pit_catches_up)
{
	unsigned tries = 1;

	while (!catches_up())
		ck_assert_uint_lt(tries++, 200);
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

/* Takes each interrupt that comes in MS milliseconds at once. */
static unsigned
take_ticks(unsigned ms)
{
	unsigned taken = 0;

	for (unsigned i = 0; i < 20 * ms; i++) {
		clock_advance(b->clock, 50000);
		if (intr(0)) {
			ck_assert_int_eq(ack(0), 0x30);
			wr(LAPIC + 0xb0, 0);
			taken++;
		}
	}
	return taken;
}

/* Ticks of a millisecond that a processor is too late for: up to 32 of them follow. */
static void
check_late_processor(void)
{
	wr(LAPIC + 0xf0, 0x1ff);
	out(0x21, 0xff);
	wr(IOAPIC, 0x14), wr(IOAPIC + 0x10, 0x30);
	between(take_ticks(100), 99, 101);
	clock_advance(b->clock, 20000000);
	between(take_ticks(80), 99, 101);
	clock_advance(b->clock, 500000000);
	between(take_ticks(68), 99, 102);
	between(take_ticks(100), 99, 101);
	/* A masked pin loses them. */
	wr(IOAPIC + 0x10, 0x10030);
	take_ticks(1);
	clock_advance(b->clock, 20000000);
	wr(IOAPIC + 0x10, 0x30);
	between(take_ticks(100), 99, 101);
}

START_TEST(pit_late_processor)
{
	pit_load(0, 0x34, 1193);
	check_late_processor();
}
END_TEST

START_TEST(hpet_late_processor)
{
	hpet_start(3);
	wr(HPET + 0x100, 0x14c);
	wr(HPET + 0x108, rd(HPET + 0xf0) + 100000);
	wr(HPET + 0x108, 100000);
	check_late_processor();
}
END_TEST

/* A periodic timer whose interrupt is off wakes nobody, and goes on all the same. */
START_TEST(hpet_unheard)
{
	hpet_start(3);
	wr(HPET + 0x100, 0x14c);
	wr(HPET + 0x108, 100000);
	wr(HPET + 0x108, 100000);
	clock_advance(b->clock, 1500000);
	wr(HPET + 0x100, 0x108);
	ck_assert_uint_gt(clock_first(b->clock), clock_now(b->clock) + NS_PER_SEC / 2);
	clock_advance(b->clock, 9000000);
	ck_assert_uint_eq(rd(HPET + 0x108), 1100000);
	for (unsigned n = 0; n < 60; n++)
		clock_advance(b->clock, NS_PER_SEC);
	ck_assert_uint_eq(rd(HPET + 0x108), (uint32_t)6001100000ull);
	b->timer_irq.rises = 0;
	wr(HPET + 0x100, 0x10c);
	for (unsigned n = 0; n < 100; n++)
		clock_advance(b->clock, 100000);
	ck_assert_uint_eq(b->timer_irq.rises, 10);
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

START_TEST(portf0_ignores)
{
	struct irq ferr = portf0_ferr(b->portf0, 0);

	ck_assert_uint_eq(in(0xf0), 0xff);
	out(0xf0, 0);
	ck_assert(!b->ignne.level);
	for (unsigned i = 1; i <= 2; i++) {
		irq_set(&ferr, 1);
		ck_assert_uint_eq(b->irq13.rises, i);
		ck_assert(b->irq13.level && !b->ignne.level);
		out(0xf0, 0);
		ck_assert(!b->irq13.level && b->ignne.level);
		ck_assert(b->portf0->cls->loaded(b->portf0, NULL));
		ck_assert(!b->irq13.level && b->ignne.level);
		irq_set(&ferr, 0);
		ck_assert(!b->irq13.level && !b->ignne.level);
	}
	irq_set(&ferr, 1);
	b->portf0->cls->reset(b->portf0);
	ck_assert(!b->irq13.level && !b->ignne.level);
}
END_TEST

/* Of several processors: one's end is not the end of all. */
START_TEST(portf0_ors)
{
	struct irq ferr[] = { portf0_ferr(b->portf0, 0), portf0_ferr(b->portf0, 1), portf0_ferr(b->portf0, 63) };

	for (unsigned n = 0; n < 3; n++)
		irq_set(&ferr[n], 1);
	ck_assert_uint_eq(b->irq13.rises, 1);
	irq_set(&ferr[1], 0);
	irq_set(&ferr[0], 0);
	ck_assert(b->irq13.level);
	out(0xf0, 0);
	ck_assert(!b->irq13.level && b->ignne.level);
	irq_set(&ferr[0], 1);
	irq_set(&ferr[2], 0);
	ck_assert(!b->irq13.level && b->ignne.level);
	irq_set(&ferr[0], 0);
	ck_assert(!b->irq13.level && !b->ignne.level);
	irq_set(&ferr[2], 1);
	ck_assert_uint_eq(b->irq13.rises, 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_timers");
	TCase *c = tcase_create("all");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
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
	tcase_add_test(c, pit_late_processor);
	tcase_add_test(c, hpet_late_processor);
	tcase_add_test(c, hpet_unheard);
	tcase_add_test(c, hpet_routes);
	tcase_add_test(c, dma_moves);
	tcase_add_test(c, port92_drives);
	tcase_add_test(c, portf0_ignores);
	tcase_add_test(c, portf0_ors);
	suite_add_tcase(s, c);
	return run_suite(s);
}
