/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/pace.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <poll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

/* No look is so soon after one that took long that it would take more than a quarter of one of the host's processors. */
enum { COST_SHARE = 4 };

static uint64_t
read_clock(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

uint64_t
pace_now_ns(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t
pace_spent_ns(void)
{
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

bool
pace_init(struct pace *p, void (*look)(void *opaque), void *opaque, struct err *e)
{
	*p = (struct pace){ .interval_ms = PACE_FASTEST_MS, .look = look, .opaque = opaque };
	p->fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	return p->fd >= 0 || err_set(e, "no timer for the display: %s", strerror(errno));
}

static void
timer_came(void *opaque, short revents)
{
	struct pace *p = opaque;
	uint64_t count;

	(void)revents;
	if (read(p->fd, &count, sizeof(count)) == sizeof(count))
		p->look(p->opaque);
}

void
pace_start(struct pace *p, struct loop *l)
{
	p->watch = loop_add_fd(l, p->fd, POLLIN, timer_came, p);
	pace_rest(p, 1);
}

void
pace_free(struct pace *p)
{
	loop_remove_fd(p->watch);
	p->watch = NULL;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

void
pace_rest(struct pace *p, unsigned ms)
{
	struct itimerspec t = { .it_value = { ms / 1000, ms % 1000 * 1000000l } };

	p->next_ns = pace_now_ns() + ms * 1000000ull;
	timerfd_settime(p->fd, 0, &t, NULL);
}

unsigned
pace_wait_ms(unsigned *interval_ms, unsigned fastest_ms, bool changed, uint64_t spent_ns)
{
	unsigned cheapest = 0;

	if (changed)
		*interval_ms = fastest_ms;
	else
		*interval_ms = MIN(*interval_ms + *interval_ms / 4, (unsigned)PACE_SLOWEST_MS);
	if (*interval_ms == fastest_ms)
		cheapest = (unsigned)MIN(spent_ns * COST_SHARE / 1000000, (uint64_t)PACE_SLOWEST_MS);
	return MAX(*interval_ms, cheapest);
}

void
pace_next(struct pace *p, bool changed, uint64_t spent_ns)
{
	pace_rest(p, pace_wait_ms(&p->interval_ms, PACE_FASTEST_MS, changed, spent_ns));
}

void
pace_soon(struct pace *p)
{
	p->interval_ms = PACE_FASTEST_MS;
	if (p->next_ns > pace_now_ns() + PACE_FASTEST_MS * 1000000ull)
		pace_rest(p, PACE_FASTEST_MS);
}
