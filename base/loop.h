/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of the main thread: file descriptors, timers of one clock, and work handed over by other threads.
 *
 * Callbacks run in the loop's thread with the machine's lock held.  The lock is recursive-free: a callback must not
 * take it again.  vCPU threads take the lock only around device accesses.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct clock;
struct loop;
struct loop_fd;

struct loop *loop_new(struct clock *c);
void loop_free(struct loop *l);

void loop_lock(struct loop *l);
void loop_unlock(struct loop *l);
/* Any thread but the loop's, without waiting: false if another holds the lock or the loop's thread wants it. */
bool loop_try_lock(struct loop *l);

/*
 * Under the lock: RUN is called as soon as this thread has let go of the lock, without it.  To wake another thread up is
 * best done so: that one may want the lock at once, and it may be on this very processor.  Embedded in what outlives it.
 */
struct loop_after {
	void (*run)(struct loop_after *a);
	_Atomic bool queued; /* in the loop's hands; what is added meanwhile is run for already */
	struct loop_after *next;
};
/* False: it's queued already. */
bool loop_after(struct loop *l, struct loop_after *a);
/* Is this another thread than the one that turns the loop?  Or that thread, whose timers that are due fire before the lock is let go? */
bool loop_is_elsewhere(const struct loop *l);
bool loop_is_here(const struct loop *l);

/* EVENTS: POLLIN, POLLOUT of poll(2), 0 to stand by.  Callable under the lock from any thread. */
struct loop_fd *loop_add_fd(struct loop *l, int fd, short events, void (*ready)(void *opaque, short revents), void *opaque);
void loop_set_events(struct loop_fd *f, short events);
/* Safe inside its own callback.  Does not close the descriptor. */
void loop_remove_fd(struct loop_fd *f);

/*
 * What waits for descriptors that it knows anew each time.  Before each wait PREPARE names them by loop_want() and may
 * lower *WAIT_NS; after it READY asks loop_got() for each.  Neither may remove a source.
 */
struct loop_source {
	void (*prepare)(void *opaque, struct loop *l, uint64_t *wait_ns);
	void (*ready)(void *opaque, struct loop *l);
	void *opaque;
	bool prepared;
	struct loop_source *next;
};
void loop_add_source(struct loop *l, struct loop_source *s);
void loop_remove_source(struct loop *l, struct loop_source *s);
unsigned loop_want(struct loop *l, int fd, short events);
short loop_got(const struct loop *l, unsigned index);
/* What sources wait for has changed: a waiting loop asks them again. */
void loop_ask_again(struct loop *l);

/* The clock whose timers it runs, or NULL. */
struct clock *loop_clock(const struct loop *l);

/* Any thread, with or without the lock: WORK(OPAQUE) runs in the loop's thread under the lock, in the order of posting. */
void loop_post(struct loop *l, void (*work)(void *opaque), void *opaque);
/* Any thread: makes a waiting loop look at its timers again. */
void loop_wake(struct loop *l);

/* Runs until loop_quit(); CODE is what loop_run returns. */
int loop_run(struct loop *l);
void loop_quit(struct loop *l, int code);
/* One turn, waiting for TIMEOUT_MS at the most (-1: as long as it takes). */
void loop_turn(struct loop *l, int timeout_ms);

#endif
