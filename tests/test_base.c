/* SPDX-License-Identifier: GPL-2.0-or-later */
/* base/: errors, virtual time, the event loop, the memory map and DMA, devices, the log. */
#include "base/clock.h"
#include "base/dev.h"
#include "base/err.h"
#include "base/irq.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/util.h"

#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- errors, sizes ---- */

START_TEST(errors_gain_context)
{
	struct err e;

	ck_assert(!err_set(&e, "no such file"));
	ck_assert(!err_prefix(&e, "%s: ", "a.img"));
	ck_assert_str_eq(e.text, "a.img: no such file");
	ck_assert(!err_set(NULL, "nobody listens"));
	for (int i = 0; i < 100; i++)
		err_prefix(&e, "0123456789");
	ck_assert_uint_eq(strlen(e.text), sizeof(e.text) - 1);
}
END_TEST

START_TEST(numbers_are_taken)
{
	static const struct {
		const char *text, *rest;
		bool taken;
		uint64_t value;
	} rows[] = {
		{ "0", "", true, 0 }, { "12+3", "+3", true, 12 }, { "0x1F..", "..", true, 0x1f }, { "010k", "k", true, 8 },
		{ "18446744073709551615", "", true, UINT64_MAX }, { "18446744073709551616", "", false, 0 }, { "-1", "-1", false, 0 },
		{ "+1", "+1", false, 0 }, { " 1", " 1", false, 0 }, { "x", "x", false, 0 }, { "", "", false, 0 },
	};

	for (size_t n = 0; n < ARRAY_SIZE(rows); n++) {
		const char *text = rows[n].text;
		uint64_t v = 0;

		ck_assert_msg(take_number(&text, &v) == rows[n].taken, "%s", rows[n].text);
		if (rows[n].taken)
			ck_assert_uint_eq(v, rows[n].value);
		ck_assert_str_eq(text, rows[n].rest);
	}
}
END_TEST

START_TEST(bytes_are_little_endian)
{
	uint8_t b[8] = { 0 };

	store_le(b + 1, 0x123456, 3);
	ck_assert_uint_eq(b[1], 0x56);
	ck_assert_uint_eq(b[4], 0);
	ck_assert_uint_eq(load_le(b, 4), 0x12345600);
	ck_assert_uint_eq(bits(0xABCD, 4, 8), 0xBC);
	ck_assert_uint_eq(align_up(4097, 4096), 8192);
	ck_assert_uint_eq(mul_div(UINT64_MAX, 3, 3), UINT64_MAX);
}
END_TEST

/* ---- clock ---- */

struct ticks {
	struct clock *clock;
	struct timer timer;
	uint64_t period, seen[16];
	unsigned count;
};

static void
tick(void *opaque)
{
	struct ticks *t = opaque;

	t->seen[t->count++ % 16] = clock_now(t->clock);
	if (t->period != 0)
		timer_set(&t->timer, t->timer.deadline_ns + t->period);
}

START_TEST(timers_fire_in_order_at_their_time)
{
	struct clock *c = clock_new(true);
	struct ticks a = { .clock = c, .period = 100 }, b = { .clock = c };

	timer_init(&a.timer, c, tick, &a);
	timer_init(&b.timer, c, tick, &b);
	timer_set(&a.timer, 100);
	timer_set(&b.timer, 250);
	ck_assert_uint_eq(clock_run(c), 100);
	clock_advance(c, 320);
	ck_assert_uint_eq(clock_now(c), 320);
	ck_assert_uint_eq(a.count, 3);
	ck_assert_uint_eq(a.seen[2], 300);
	ck_assert_uint_eq(b.count, 1);
	ck_assert_uint_eq(b.seen[0], 250);
	ck_assert(!b.timer.armed);
	timer_cancel(&a.timer);
	ck_assert_uint_eq(clock_run(c), UINT64_MAX);
	timer_set(&b.timer, 0);
	ck_assert_uint_eq(clock_run(c), UINT64_MAX);
	ck_assert_uint_eq(b.count, 2);
	clock_free(c);
}
END_TEST

static void
count_wake(void *opaque)
{
	++*(unsigned *)opaque;
}

/* Who polls a device rearms its timer with the same deadline each time: the loop sleeps on. */
START_TEST(only_an_earlier_timer_wakes)
{
	struct clock *c = clock_new(true);
	struct ticks a = { .period = 0 }, b = { .period = 0 };
	unsigned wakes = 0;

	timer_init(&a.timer, c, tick, &a);
	timer_init(&b.timer, c, tick, &b);
	clock_on_earlier(c, count_wake, &wakes);
	timer_set(&a.timer, 1000);
	ck_assert_uint_eq(wakes, 1);
	timer_set(&a.timer, 1000);
	timer_set(&a.timer, 2000);
	timer_set(&b.timer, 3000);
	ck_assert_uint_eq(wakes, 1);
	timer_set(&b.timer, 1500);
	ck_assert_uint_eq(wakes, 2);
	timer_set(&b.timer, 1400);
	ck_assert_uint_eq(wakes, 3);
	timer_cancel(&b.timer);
	ck_assert_uint_eq(clock_run(c), 2000);
	clock_free(c);
}
END_TEST

START_TEST(late_timers_are_caught_up)
{
	struct clock *c = clock_new(false);
	struct ticks any = { .clock = c }, loops = { .clock = c };

	timer_init(&any.timer, c, tick, &any);
	timer_init(&loops.timer, c, tick, &loops);
	any.timer.any_thread = true;
	timer_set(&any.timer, 1000000);
	timer_set(&loops.timer, 999999);
	ck_assert_uint_eq(clock_lateness(c, 1000100), 0);
	ck_assert_uint_eq(clock_lateness(c, 2000000), 1000001);
	clock_catch_up(c);
	ck_assert_uint_eq(any.count, 0); /* the clock stands still */
	clock_start(c);
	usleep(3000);
	clock_catch_up(c);
	ck_assert_uint_eq(any.count, 1);
	ck_assert_uint_eq(loops.count, 0);
	clock_run(c);
	ck_assert_uint_eq(loops.count, 1);
	clock_free(c);
}
END_TEST

START_TEST(stopped_clock_stands_still)
{
	struct clock *c = clock_new(false);
	uint64_t at;

	ck_assert_uint_eq(clock_now(c), 0);
	clock_start(c);
	while (clock_now(c) == 0)
		;
	clock_stop(c);
	at = clock_now(c);
	usleep(1000);
	ck_assert_uint_eq(clock_now(c), at);
	clock_start(c);
	ck_assert_uint_ge(clock_now(c), at);
	clock_free(c);
}
END_TEST

/* ---- loop ---- */

struct loop_test {
	struct loop *loop;
	struct loop_fd *fd;
	struct timer timer;
	int fds[2];
	unsigned posted;
	bool ready, fired;
};

static void
read_ready(void *opaque, short revents)
{
	struct loop_test *t = opaque;

	ck_assert(revents & POLLIN);
	t->ready = true;
	loop_remove_fd(t->fd);
}

static void
posted(void *opaque)
{
	((struct loop_test *)opaque)->posted++;
}

static void
fired(void *opaque)
{
	struct loop_test *t = opaque;

	t->fired = true;
	loop_quit(t->loop, 7);
}

static void *
poster(void *opaque)
{
	struct loop_test *t = opaque;

	for (int i = 0; i < 1000; i++) {
		loop_lock(t->loop);
		loop_post(t->loop, posted, t);
		loop_unlock(t->loop);
	}
	return NULL;
}

START_TEST(loop_serves_descriptors_timers_and_work)
{
	struct clock *c = clock_new(false);
	struct loop_test t = { .loop = loop_new(c) };
	pthread_t thread;

	ck_assert_int_eq(pipe(t.fds), 0);
	ck_assert_int_eq(write(t.fds[1], "x", 1), 1);
	t.fd = loop_add_fd(t.loop, t.fds[0], POLLIN, read_ready, &t);
	clock_start(c);
	timer_init(&t.timer, c, fired, &t);
	pthread_create(&thread, NULL, poster, &t);
	while (t.posted < 1000)
		loop_turn(t.loop, 1000);
	pthread_join(thread, NULL);
	ck_assert(t.ready);
	timer_set(&t.timer, clock_now(c) + 1000000);
	ck_assert_int_eq(loop_run(t.loop), 7);
	ck_assert(t.fired);
	close(t.fds[0]);
	close(t.fds[1]);
	loop_free(t.loop);
	clock_free(c);
}
END_TEST

struct source_test {
	struct loop *loop;
	int fds[2];
	unsigned index, ready, ticks;
	uint64_t wait_ns;
};

static void
source_prepare(void *opaque, struct loop *l, uint64_t *wait_ns)
{
	struct source_test *t = opaque;

	t->index = loop_want(l, t->fds[0], POLLIN);
	*wait_ns = MIN(*wait_ns, t->wait_ns);
}

static void
source_ready(void *opaque, struct loop *l)
{
	struct source_test *t = opaque;

	t->ticks++;
	t->ready += (loop_got(l, t->index) & POLLIN) != 0;
}

START_TEST(loop_asks_sources)
{
	struct source_test t = { .loop = loop_new(NULL), .wait_ns = 1000000 };
	struct loop_source source = { .prepare = source_prepare, .ready = source_ready, .opaque = &t };

	ck_assert_int_eq(pipe(t.fds), 0);
	loop_add_source(t.loop, &source);
	/* Without the source's own limit, this would last. */
	loop_turn(t.loop, -1);
	ck_assert_uint_eq(t.ticks, 1);
	ck_assert_uint_eq(t.ready, 0);
	t.wait_ns = UINT64_MAX;
	ck_assert_int_eq(write(t.fds[1], "x", 1), 1);
	loop_turn(t.loop, -1);
	ck_assert_uint_eq(t.ready, 1);
	ck_assert_int_eq(loop_got(t.loop, 1000), 0);
	loop_remove_source(t.loop, &source);
	loop_turn(t.loop, 0);
	ck_assert_uint_eq(t.ticks, 2);
	ck_assert_ptr_null(loop_clock(t.loop));
	loop_free(t.loop);
	close(t.fds[0]);
	close(t.fds[1]);
}
END_TEST

/* ---- memory map ---- */

struct device {
	struct space *dma;
	gpa dma_to;
	uint64_t offset, value, answer;
	unsigned size, accesses;
	bool dma_ok;
};

static uint64_t
device_read(void *opaque, uint64_t offset, unsigned size)
{
	struct device *d = opaque;

	d->offset = offset;
	d->size = size;
	d->accesses++;
	return d->answer >> 8 * (offset % 8);
}

static void
device_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct device *d = opaque;

	d->offset = offset;
	d->value = value;
	d->size = size;
	d->accesses++;
	if (d->dma != NULL)
		d->dma_ok = dma_write(d->dma, d->dma_to, "0123", 4);
}

static const struct region_ops bytes = { device_read, device_write, 1, 1 };
static const struct region_ops dwords = { device_read, device_write, 4, 4 };
static const struct region_ops usual = { device_read, device_write, 0, 0 };

struct told {
	unsigned changed, written, clean;
	gpa addr;
	uint64_t len;
};

static void
on_changed(void *opaque)
{
	((struct told *)opaque)->changed++;
}

static void
on_written(void *opaque, gpa addr, uint64_t len)
{
	struct told *t = opaque;

	t->written++;
	t->addr = addr;
	t->len = len;
}

static void
on_clean(void *opaque, gpa addr, uint64_t len)
{
	struct told *t = opaque;

	(void)addr;
	(void)len;
	t->clean++;
}

START_TEST(higher_priority_covers)
{
	static uint8_t ram[0x10000], rom[0x1000];
	struct space *s = space_new("test", false);
	struct told told = { 0 };
	struct space_listener l = { .opaque = &told, .changed = on_changed };
	struct region low, over, smm;
	struct mem_range r;

	space_listen(s, &l);
	region_init_ram(&low, "ram", ram, sizeof(ram));
	region_init_rom(&over, "rom", rom, sizeof(rom));
	region_init_ram(&smm, "smram", ram, 0x1000);
	smm.smm_only = true;
	space_begin(s);
	space_add(s, &low, 0, 0);
	space_add(s, &over, 0x4000, 1);
	space_add(s, &smm, 0x4000, 2);
	space_end(s);
	ck_assert_uint_eq(told.changed, 1);

	r = space_find(s, 0x5000, false);
	ck_assert(r.region == &low && r.first == 0x5000 && r.last == 0xFFFF && r.offset == 0x5000);
	ck_assert_ptr_eq(space_find(s, 0x4FFF, false).region, &over);
	ck_assert_ptr_eq(space_find(s, 0x4FFF, true).region, &smm);
	r = space_find(s, 0x10000, false);
	ck_assert(r.region == NULL && r.first == 0x10000 && r.last == UINT64_MAX);

	region_set_enabled(&over, false);
	r = space_find(s, 0x4000, false);
	ck_assert(r.region == &low && r.first == 0 && r.last == 0xFFFF);
	ck_assert_uint_eq(told.changed, 2);
	region_move(&low, 0x10000);
	ck_assert_ptr_null(space_find(s, 0x0FFF, false).region);
	space_remove(&low);
	space_remove(&low);
	ck_assert_ptr_null(space_find(s, 0x10000, false).region);
	space_begin(s);
	region_set_enabled(&over, true);
	region_set_enabled(&over, false);
	space_end(s);
	ck_assert_uint_eq(told.changed, 4);
	space_free(s);
}
END_TEST

START_TEST(regions_end_with_the_space)
{
	struct space *io = space_new("io", true), *mem = space_new("mem", false);
	struct device d = { .answer = 0x55 };
	struct region r, top;

	region_init_io(&r, "ports", &bytes, &d, 0x20000);
	space_add(io, &r, 0xFFF0, 0);
	ck_assert_uint_eq(space_find(io, 0xFFFF, false).last, 0xFFFF);
	ck_assert_uint_eq(space_read(io, 0xFFFF, 2, false), 0xFF00);
	region_init_io(&top, "top", &bytes, &d, UINT64_MAX);
	space_add(mem, &top, UINT64_MAX - 0xFFF, 0);
	ck_assert_uint_eq(space_find(mem, UINT64_MAX, false).last, UINT64_MAX);
	ck_assert(!dma_write(mem, UINT64_MAX - 1, "0123", 4));
	space_free(io);
	space_free(mem);
}
END_TEST

/* How an access arrives at a device: by OPS, SIZE and OFFSET. */
static const struct {
	const struct region_ops *ops;
	unsigned offset, size;
	uint64_t read;                      /* of 8877665544332211h at offset 0 */
	unsigned accesses, last_offset, last_size;
	uint64_t last_value;                /* after a write of 0807060504030201h */
} split[] = {
	{ &bytes, 0, 1, 0x11, 1, 0, 1, 0x01 },
	{ &bytes, 0, 4, 0x44332211, 4, 3, 1, 0x04 },
	{ &usual, 0, 8, 0x8877665544332211, 2, 4, 4, 0x08070605 },
	{ &usual, 1, 2, 0x3322, 1, 1, 2, 0x0201 },
	{ &usual, 0, 3, 0x332211, 2, 2, 1, 0x03 },
	{ &dwords, 4, 4, 0x88776655, 1, 4, 4, 0x04030201 },
	{ &dwords, 2, 1, 0x33, 1, 0, 4, 0x010000 },
	{ &dwords, 3, 2, 0x5544, 2, 4, 4, 0x02 },
};

START_TEST(accesses_are_cut_to_measure)
{
	struct space *s = space_new("test", false);
	struct device d = { .answer = 0x8877665544332211 };
	struct region r;

	region_init_io(&r, "device", split[_i].ops, &d, 8);
	space_add(s, &r, 0x1000, 0);
	ck_assert_uint_eq(space_read(s, 0x1000 + split[_i].offset, split[_i].size, false), split[_i].read);
	ck_assert_uint_eq(d.accesses, split[_i].accesses);
	space_write(s, 0x1000 + split[_i].offset, 0x0807060504030201, split[_i].size, false);
	ck_assert_uint_eq(d.accesses, 2 * split[_i].accesses);
	ck_assert_uint_eq(d.offset, split[_i].last_offset);
	ck_assert_uint_eq(d.size, split[_i].last_size);
	ck_assert_uint_eq(d.value, split[_i].last_value);
	space_free(s);
}
END_TEST

START_TEST(dma_writes_mark_and_tell)
{
	static uint8_t ram[0x4000];
	struct space *s = space_new("test", false);
	struct told told = { 0 };
	struct space_listener l = { .opaque = &told, .written = on_written, .clean = on_clean };
	struct region r;
	uint8_t back[8];
	const uint8_t *host;

	space_listen(s, &l);
	region_init_ram(&r, "ram", ram, sizeof(ram));
	space_add(s, &r, 0x10000, 0);
	ck_assert(space_test_clear_dirty(s, 0x10000, sizeof(ram)));
	ck_assert(!space_test_clear_dirty(s, 0x10000, sizeof(ram)));
	ck_assert_uint_eq(told.clean, 1);
	ck_assert(dma_write(s, 0x10FFE, "abcd", 4));
	ck_assert_mem_eq(ram + 0xFFE, "abcd", 4);
	ck_assert(told.written == 1 && told.addr == 0x10FFE && told.len == 4);
	ck_assert(!space_test_clear_dirty(s, 0x12000, 0x2000));
	ck_assert(space_test_clear_dirty(s, 0x11000, 1));
	ck_assert(space_test_clear_dirty(s, 0x10FFF, 1));
	ck_assert(!dma_read(s, 0x13FFC, back, 8));
	ck_assert_mem_eq(back, "\0\0\0\0\377\377\377\377", 8);
	space_write(s, 0x12000, 0x1234, 2, false);
	ck_assert_uint_eq(space_read(s, 0x12000, 4, false), 0x1234);
	ck_assert(space_test_clear_dirty(s, 0x12000, 1));
	ck_assert_uint_eq(dma_span(s, 0x13ff0, &host, 0x100), 0x10);
	ck_assert_ptr_eq(host, ram + 0x3ff0);
	ck_assert_uint_eq(dma_span(s, 0x10ffe, &host, 4), 4);
	ck_assert_uint_eq(dma_span(s, 0x14000, &host, 4), 0);
	space_free(s);
}
END_TEST

/* Dirty pages by region: what was written, told as runs to the listeners, mapped or not. */
START_TEST(region_dirty_pages)
{
	static uint8_t ram[200 * 4096];
	struct space *s = space_new("test", false);
	struct told told = { 0 };
	struct space_listener l = { .opaque = &told, .clean = on_clean };
	uint64_t bits[4] = { 0 };
	struct region r;

	space_listen(s, &l);
	region_init_ram(&r, "ram", ram, sizeof(ram));
	ck_assert(!region_take_dirty(&r, 0, 200, bits));
	space_add(s, &r, 0x100000, 0);
	ck_assert(region_take_dirty(&r, 0, 200, bits));
	ck_assert_uint_eq(told.clean, 1);
	ck_assert(bits[0] == ~0ull && bits[1] == ~0ull && bits[2] == ~0ull && bits[3] == 0xff);
	ck_assert(!region_take_dirty(&r, 0, 200, bits));
	memset(bits, 0, sizeof(bits));
	space_set_dirty(s, 0x100000 + 62 * 4096, 4 * 4096);
	space_set_dirty(s, 0x100000 + 130 * 4096, 1);
	space_set_dirty(s, 0x100000 + 199 * 4096, 1);
	ck_assert(region_take_dirty(&r, 63, 199, bits));
	ck_assert_uint_eq(told.clean, 3);
	ck_assert(bits[0] == 1ull << 63 && bits[1] == 3 && bits[2] == 4 && bits[3] == 0);
	space_remove(&r);
	ck_assert(region_take_dirty(&r, 0, 200, bits));
	ck_assert_uint_eq(told.clean, 3);
	ck_assert(bits[0] == 3ull << 62 && bits[3] == 0x80);
	space_free(s);
}
END_TEST

START_TEST(device_is_not_entered_by_its_own_dma)
{
	struct space *io = space_new("io", true), *mem = space_new("mem", false);
	struct device d = { .dma = mem, .dma_to = 0x1000, .dma_ok = true };
	struct region port, memory;

	region_init_io(&port, "port", &usual, &d, 8);
	region_init_io(&memory, "memory", &usual, &d, 8);
	space_add(io, &port, 0x100, 0);
	space_add(mem, &memory, 0x1000, 0);
	space_write(io, 0x100, 1, 1, false);
	ck_assert_uint_eq(d.accesses, 1);
	ck_assert(!d.dma_ok);
	d.dma = NULL;
	ck_assert(dma_write(mem, 0x1000, "abcd", 4));
	ck_assert_uint_eq(d.accesses, 2);
	space_free(io);
	space_free(mem);
}
END_TEST

struct race {
	struct space *space;
	struct region *ram;
	_Atomic bool stop;
	_Atomic unsigned wrong;
};

static void *
look_up(void *opaque)
{
	struct race *race = opaque;

	while (!atomic_load(&race->stop)) {
		struct mem_range r = space_find(race->space, 0x3000, false);

		if (r.region != NULL && (r.region != race->ram || r.first > 0x3000 || r.last < 0x3000))
			atomic_fetch_add(&race->wrong, 1);
	}
	return NULL;
}

START_TEST(look_ups_need_no_lock)
{
	static uint8_t ram[0x4000];
	struct race race = { .space = space_new("test", false) };
	struct region r;
	pthread_t threads[2];

	region_init_ram(&r, "ram", ram, sizeof(ram));
	space_add(race.space, &r, 0, 0);
	race.ram = &r;
	for (int i = 0; i < 2; i++)
		pthread_create(&threads[i], NULL, look_up, &race);
	for (int i = 0; i < 20000; i++)
		region_set_enabled(&r, i & 1);
	atomic_store(&race.stop, true);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
	ck_assert_uint_eq(race.wrong, 0);
	space_free(race.space);
}
END_TEST

/* ---- devices ---- */

struct toy {
	struct dev dev;
	struct {
		uint32_t count;
		uint8_t regs[4];
		uint16_t missed, spare;
	} state;
};

static void
toy_reset(struct dev *d)
{
	((struct toy *)d)->state.count = 3;
}

static const struct field toy_fields[] = {
	FIELD_OF(struct toy, state.count),
	FIELD_ARRAY(struct toy, state.regs),
	FIELD_SKIP(struct toy, state.spare),
	FIELD_END,
};
static const struct dev_class toy_class = { DEV_OF(toy), .fields = toy_fields, .reset = toy_reset };

START_TEST(field_tables_are_walked)
{
	struct dev *list = NULL;
	struct dev_env env = { .devices = &list };
	struct dev *first = dev_new(&env, &toy_class, "a"), *second = dev_new(&env, &toy_class, NULL);

	ck_assert_ptr_eq(list, first);
	ck_assert_ptr_eq(first->next, second);
	dev_reset_all(list);
	ck_assert_uint_eq(((struct toy *)second)->state.count, 3);
	ck_assert_int_eq(dev_uncovered(&toy_class), 8);
	dev_free_all(list);
}
END_TEST

/* ---- log ---- */

static uint8_t one_on, two_on;
static const struct trace_event events[] = { { "pit_one", &one_on }, { "pic_two", &two_on } };

START_TEST(events_are_switched_by_glob)
{
	trace_register(events, 2);
	ck_assert(trace_enable("pit_*", true));
	ck_assert(one_on && !two_on);
	ck_assert(!trace_enable("nothing*", true));
	ck_assert(trace_enable("*", false));
	ck_assert(!one_on);
}
END_TEST

START_TEST(filter_takes_ranges)
{
	struct err e;

	ck_assert(log_filter(0));
	ck_assert(log_set_filter("0x8000..0x8fff,0x10000+0x200,0x30000-0x1000", &e));
	ck_assert(log_filter(0x8000) && log_filter(0x8FFF) && !log_filter(0x9000));
	ck_assert(log_filter(0x101FF) && !log_filter(0x10200));
	ck_assert(log_filter(0x30000) && log_filter(0x2F001) && !log_filter(0x2F000) && !log_filter(0x30001));
	ck_assert(!log_set_filter("0x1000", &e));
	ck_assert(!log_set_filter("9..1", &e));
	ck_assert(!log_set_filter("1..2x", &e));
	ck_assert(log_set_filter("", &e));
}
END_TEST

START_TEST(guest_bugs_are_told_once)
{
	char path[] = "/tmp/calque-log-XXXXXX", text[256] = "";
	struct dev_env env = { 0 };
	struct dev *d = dev_new(&env, &toy_class, "t0");
	int fd = mkstemp(path);

	ck_assert_int_ge(fd, 0);
	ck_assert(log_open(path, NULL));
	guest_bug(d, "not yet %u", 0u);
	log_set(1u << LOG_BIT_guest_errors);
	for (unsigned i = 0; i < 3; i++)
		guest_bug(d, "register %u", i);
	log_set(0);
	ck_assert(log_open(NULL, NULL));
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
	ck_assert_str_eq(text, "toy t0: register 0\n");
	close(fd);
	unlink(path);
	dev_free(d);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("base");
	TCase *c = tcase_create("base");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, c);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, errors_gain_context);
	tcase_add_test(c, numbers_are_taken);
	tcase_add_test(c, bytes_are_little_endian);
	tcase_add_test(c, timers_fire_in_order_at_their_time);
	tcase_add_test(c, only_an_earlier_timer_wakes);
	tcase_add_test(c, late_timers_are_caught_up);
	tcase_add_test(c, stopped_clock_stands_still);
	tcase_add_test(c, loop_serves_descriptors_timers_and_work);
	tcase_add_test(c, loop_asks_sources);
	tcase_add_test(c, higher_priority_covers);
	tcase_add_test(c, regions_end_with_the_space);
	tcase_add_loop_test(c, accesses_are_cut_to_measure, 0, (int)ARRAY_SIZE(split));
	tcase_add_test(c, dma_writes_mark_and_tell);
	tcase_add_test(c, region_dirty_pages);
	tcase_add_test(c, device_is_not_entered_by_its_own_dma);
	tcase_add_test(c, look_ups_need_no_lock);
	tcase_add_test(c, field_tables_are_walked);
	tcase_add_test(c, events_are_switched_by_glob);
	tcase_add_test(c, filter_takes_ranges);
	tcase_add_test(c, guest_bugs_are_told_once);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
