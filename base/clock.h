/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Virtual time and its timers.
 *
 * A clock counts nanoseconds.  A running clock follows the host's monotonic clock; a stopped one stands still, and a
 * manual one (tests, replay) moves only by clock_advance().  All calls are made under the machine's lock, except
 * clock_now(), which any thread may call.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct clock;

/* Embedded in its owner; not to be copied.  ARMED timers stand in the clock's list, sorted by deadline. */
struct timer {
	struct clock *clock;
	void (*fire)(void *opaque);
	void *opaque;
	uint64_t deadline_ns;
	bool armed;
	bool any_thread; /* FIRE may run in a vCPU's thread too: see clock_catch_up() */
	struct timer *next, *prev;
};

struct clock *clock_new(bool manual);
void clock_free(struct clock *c);
uint64_t clock_now(const struct clock *c);
void clock_start(struct clock *c);
void clock_stop(struct clock *c);
bool clock_is_running(const struct clock *c);

/* Manual clocks: moves time on by NS, firing what falls due in order, each at its own deadline. */
void clock_advance(struct clock *c, uint64_t ns);

/*
 * Late timers of kind ANY_THREAD are fired: a guest that reads the time sees no interrupt of it much later.  The caller is a
 * vCPU's thread; clock_lateness() needs no lock and says by how many ns the first timer is overdue, 0 if that isn't worth while.
 */
uint64_t clock_lateness(const struct clock *c, uint64_t now);
void clock_catch_up(struct clock *c);

/* Fires what is due.  UINT64_MAX if no timer is armed, else the earliest deadline still to come. */
uint64_t clock_run(struct clock *c);

/* The earliest deadline, or UINT64_MAX. */
uint64_t clock_first(const struct clock *c);

/* WAKE is called when an earlier deadline than all before was armed: the event loop has to wake and look again. */
void clock_on_earlier(struct clock *c, void (*wake)(void *opaque), void *opaque);

void timer_init(struct timer *t, struct clock *c, void (*fire)(void *opaque), void *opaque);
/* Arms, or rearms.  A deadline in the past fires at the next clock_run(). */
void timer_set(struct timer *t, uint64_t deadline_ns);
void timer_cancel(struct timer *t);

#endif
