/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hw/ticks.h"

#include "base/util.h"

/* The owed ones come so much faster than usual, but not more often than a handler stands; so often a line that waits is looked at. */
enum { FASTER = 16, LEAST_NS = 100000, LOOKS = 4 };

static void
set_next(struct ticks *t, uint64_t now, uint64_t period_ns, unsigned parts)
{
	t->next_ns = t->owed != 0 ? now + MAX(period_ns / parts, LEAST_NS) : 0;
}

void
ticks_came(struct ticks *t, uint64_t now, uint64_t period_ns, uint64_t missed)
{
	bool all_missed = t->owed == TICKS_OWED_MAX && missed != 0;

	if (period_ns < 2 * LEAST_NS)
		missed = t->owed = 0;
	t->owed = MIN(t->owed + MIN(missed, TICKS_OWED_MAX), TICKS_OWED_MAX);
	set_next(t, now, period_ns, FASTER);
	/* A processor that has taken none of so many doesn't want them. */
	if (all_missed)
		t->next_ns = 0;
}

bool
ticks_take(struct ticks *t, uint64_t now, uint64_t period_ns, bool waiting)
{
	if (t->owed == 0)
		t->next_ns = 0;
	if (t->next_ns == 0 || t->next_ns > now)
		return false;
	if (waiting) {
		set_next(t, now, period_ns, LOOKS);
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
