/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A clock is a pair: how far it was at the last start or stop, and the host's time at that moment.  Readers without
 * the lock retry when the pair changed under them (an even SEQUENCE is a stable pair).
 */
#include "base/clock.h"

#include "base/util.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

/* The most timers that one clock_run() fires: what is due after a long pause can't keep other events waiting. */
enum { MAX_FIRED = 256 };

/* What the loop's thread may need to wake up. */
enum { LATE_NS = 300000 };

struct clock {
	bool manual;
	_Atomic bool running;
	_Atomic uint32_t sequence;
	_Atomic uint64_t base_ns;      /* virtual time at the last start or stop */
	_Atomic uint64_t host_base_ns; /* the host's time then */
	struct timer *first;
	_Atomic uint64_t first_ns;     /* its deadline; UINT64_MAX: none */
	void (*wake)(void *opaque);
	void *wake_opaque;
};

static uint64_t
host_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void
set_pair(struct clock *c, uint64_t base_ns, uint64_t host_base_ns, bool running)
{
	atomic_fetch_add(&c->sequence, 1);
	atomic_store(&c->base_ns, base_ns);
	atomic_store(&c->host_base_ns, host_base_ns);
	atomic_store(&c->running, running);
	atomic_fetch_add(&c->sequence, 1);
}

struct clock *
clock_new(bool manual)
{
	struct clock *c = xcalloc(1, sizeof(*c));

	c->manual = manual;
	c->first_ns = UINT64_MAX;
	return c;
}

void
clock_free(struct clock *c)
{
	if (c == NULL)
		return;
	while (c->first != NULL)
		timer_cancel(c->first);
	free(c);
}

uint64_t
clock_now(const struct clock *clock)
{
	struct clock *c = (struct clock *)clock;
	uint32_t before;
	uint64_t now;

	do {
		before = atomic_load(&c->sequence);
		now = atomic_load(&c->base_ns);
		if (!c->manual && atomic_load(&c->running))
			now += host_now() - atomic_load(&c->host_base_ns);
	} while ((before & 1) != 0 || atomic_load(&c->sequence) != before);
	return now;
}

static void
wake_waiter(struct clock *c)
{
	if (c->wake != NULL)
		c->wake(c->wake_opaque);
}

void
clock_start(struct clock *c)
{
	if (clock_is_running(c))
		return;
	set_pair(c, clock_now(c), host_now(), true);
	wake_waiter(c);
}

void
clock_stop(struct clock *c)
{
	if (clock_is_running(c))
		set_pair(c, clock_now(c), 0, false);
}

bool
clock_is_running(const struct clock *c)
{
	return atomic_load(&((struct clock *)c)->running);
}

static void
note_first(struct clock *c)
{
	atomic_store_explicit(&c->first_ns, c->first != NULL ? c->first->deadline_ns : UINT64_MAX, memory_order_relaxed);
}

static void
fire(struct timer *t)
{
	timer_cancel(t);
	t->fire(t->opaque);
}

void
clock_advance(struct clock *c, uint64_t ns)
{
	uint64_t end = clock_now(c) + ns;

	assert(c->manual);
	while (c->first != NULL && c->first->deadline_ns <= end) {
		if (c->first->deadline_ns > clock_now(c))
			set_pair(c, c->first->deadline_ns, 0, clock_is_running(c));
		fire(c->first);
	}
	set_pair(c, end, 0, clock_is_running(c));
}

uint64_t
clock_run(struct clock *c)
{
	uint64_t now = clock_now(c);

	if (!c->manual && !clock_is_running(c))
		return UINT64_MAX;
	for (unsigned i = 0; i < MAX_FIRED && c->first != NULL && c->first->deadline_ns <= now; i++)
		fire(c->first);
	return c->first != NULL ? c->first->deadline_ns : UINT64_MAX;
}

uint64_t
clock_lateness(const struct clock *c, uint64_t now)
{
	uint64_t first = atomic_load_explicit(&((struct clock *)c)->first_ns, memory_order_relaxed);

	return first < now && now - first > LATE_NS ? now - first : 0;
}

void
clock_catch_up(struct clock *c)
{
	uint64_t now = clock_now(c);

	if (!c->manual && !clock_is_running(c))
		return;
	for (unsigned i = 0; i < MAX_FIRED; i++) {
		struct timer *t = c->first;

		while (t != NULL && t->deadline_ns <= now && !t->any_thread)
			t = t->next;
		if (t == NULL || t->deadline_ns > now)
			break;
		fire(t);
	}
}

uint64_t
clock_first(const struct clock *c)
{
	return c->first != NULL ? c->first->deadline_ns : UINT64_MAX;
}

void
clock_on_earlier(struct clock *c, void (*wake)(void *opaque), void *opaque)
{
	c->wake = wake;
	c->wake_opaque = opaque;
}

void
timer_init(struct timer *t, struct clock *c, void (*fire)(void *opaque), void *opaque)
{
	*t = (struct timer){ .clock = c, .fire = fire, .opaque = opaque };
}

void
timer_set(struct timer *t, uint64_t deadline_ns)
{
	struct clock *c = t->clock;
	struct timer *before = NULL, *after;
	uint64_t first_ns = c->first != NULL ? c->first->deadline_ns : UINT64_MAX;

	if (t->armed && t->deadline_ns == deadline_ns)
		return;
	timer_cancel(t);
	after = c->first;
	while (after != NULL && after->deadline_ns <= deadline_ns) {
		before = after;
		after = after->next;
	}
	t->deadline_ns = deadline_ns;
	t->armed = true;
	t->prev = before;
	t->next = after;
	if (after != NULL)
		after->prev = t;
	if (before != NULL) {
		before->next = t;
	} else {
		c->first = t;
		/* Who waits already wakes at the first deadline that there was, or before. */
		if (deadline_ns < first_ns)
			wake_waiter(c);
	}
	note_first(c);
}

void
timer_cancel(struct timer *t)
{
	if (!t->armed)
		return;
	if (t->prev != NULL)
		t->prev->next = t->next;
	else
		t->clock->first = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
	t->next = t->prev = NULL;
	t->armed = false;
	note_first(t->clock);
}
