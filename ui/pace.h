/* SPDX-License-Identifier: GPL-2.0-or-later */
/* When to look at a display: often while it changes, less often the longer it stays as it is. */
#ifndef UI_PACE_H
#define UI_PACE_H

#include <stdbool.h>
#include <stdint.h>

struct err;
struct loop;
struct loop_fd;

enum { PACE_FASTEST_MS = 16, PACE_SLOWEST_MS = 100 };

struct pace {
	int fd;
	struct loop_fd *watch;
	unsigned interval_ms;   /* to the next look */
	uint64_t next_ns;       /* when that is */
	void (*look)(void *opaque);
	void *opaque;
};

/* LOOK is called in the loop's thread, and ends with pace_next() or pace_rest(); the first time soon after pace_start(). */
bool pace_init(struct pace *p, void (*look)(void *opaque), void *opaque, struct err *e);
void pace_start(struct pace *p, struct loop *l);
void pace_free(struct pace *p);
/* CHANGED: the display has.  SPENT_NS of processor time went into the look, which limits how soon the next one is. */
void pace_next(struct pace *p, bool changed, uint64_t spent_ns);
/* The same for who has a timer of his own: how many ms to wait.  *INTERVAL_MS is kept from one look to the next. */
unsigned pace_wait_ms(unsigned *interval_ms, unsigned fastest_ms, bool changed, uint64_t spent_ns);
void pace_rest(struct pace *p, unsigned ms);
/* Something will change: no waiting for long. */
void pace_soon(struct pace *p);

uint64_t pace_now_ns(void);
/* Processor time of this thread. */
uint64_t pace_spent_ns(void);

#endif
