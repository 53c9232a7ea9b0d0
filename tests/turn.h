/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test that touches devices or disks holds the machine's lock, as a vCPU does: workers of disks call back under it. */
#ifndef TESTS_TURN_H
#define TESTS_TURN_H

#include "base/loop.h"

/* Lets the loop turn once, waiting up to MS, and other threads have the lock. */
static inline void
turn(struct loop *l, int ms)
{
	loop_unlock(l);
	loop_turn(l, ms);
	loop_lock(l);
}

#endif
