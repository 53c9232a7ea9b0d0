/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Ticks that a guest counts time by, and gets late rather than never.
 *
 * On a busy host the processor's thread may stand still for many periods of a timer.  Its interrupt can wait only once, so
 * a guest's time would fall behind, and a system that tests its timer (Linux: five ticks within 160 ms) would find it broken.
 * What was missed follows at a multiple of the rate.  Embedded in the state of a timer with edges; under the machine's lock.
 */
#ifndef HW_TICKS_H
#define HW_TICKS_H

#include <stdbool.h>
#include <stdint.h>

enum { TICKS_OWED_MAX = 32 }; /* more than these are lost */

/* All zeros: nothing is owed. */
struct ticks {
	uint64_t next_ns; /* when one of the owed is to be made; 0: none */
	uint64_t owed;
};

/* A regular tick came at NOW, with a period of PERIOD_NS; MISSED others did not: they are owed, unless the period is below 200 us. */
void ticks_came(struct ticks *t, uint64_t now, uint64_t period_ns, uint64_t missed);

/* Is one of the owed to be made now?  It counts as made, unless the interrupt is still WAITING for the processor. */
bool ticks_take(struct ticks *t, uint64_t now, uint64_t period_ns, bool waiting);

/* When ticks_take() is to be called; UINT64_MAX: not before the next regular one. */
uint64_t ticks_next(const struct ticks *t);

void ticks_forget(struct ticks *t);

#endif
