/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ticks.h"

#include "base/util.h"

/* How much faster than usual the owed ones come, but not more often than a handler stands. */
enum { FASTER = 16, LEAST_NS = 100000 };

static void
set_next(struct ticks *t, uint64_t now, uint64_t period_ns, unsigned parts)
{
	t->next_ns = t->owed != 0 ? now + MAX(period_ns / parts, LEAST_NS) : 0;
}

void
ticks_came(struct ticks *t, uint64_t now, uint64_t period_ns, uint64_t missed)
{
	if (period_ns < 2 * LEAST_NS)
		missed = t->owed = 0;
	t->owed = MIN(t->owed + MIN(missed, TICKS_OWED_MAX), TICKS_OWED_MAX);
	set_next(t, now, period_ns, FASTER);
}

/* A processor that has taken none of so many doesn't want them. */
bool
ticks_take(struct ticks *t, uint64_t now, uint64_t period_ns, bool waiting)
{
	if (t->owed == 0)
		t->next_ns = 0;
	if (t->next_ns == 0 || t->next_ns > now)
		return false;
	if (waiting) {
		set_next(t, now, period_ns, 4);
		if (t->owed == TICKS_OWED_MAX)
			t->next_ns = 0;
		return false;
	}
	t->owed--;
	set_next(t, now, period_ns, FASTER);
	return true;
}

uint64_t
ticks_next(const struct ticks *t)
{
	return t->next_ns != 0 ? t->next_ns : UINT64_MAX;
}

void
ticks_forget(struct ticks *t)
{
	*t = (struct ticks){ 0 };
}
