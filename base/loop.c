/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lock and fairness: a plain mutex lets a vCPU that does nothing but device accesses take it again and again
 * before the loop's thread wakes up.  So the loop's thread announces itself in WANTED, and whoever else gets the mutex
 * meanwhile hands it over first.  Without contention that costs one load.
 */
#define _GNU_SOURCE /* ppoll */
#include "base/loop.h"

#include "base/clock.h"
#include "base/util.h"

#include <assert.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

struct loop_fd {
	struct loop *loop;
	int fd;
	short events;
	bool removed;
	void (*ready)(void *opaque, short revents);
	void *opaque;
	struct loop_fd *next;
};

struct work {
	void (*run)(void *opaque);
	void *opaque;
	struct work *next;
};

struct loop {
	struct clock *clock;
	pthread_mutex_t lock;
	pthread_cond_t handed_over;
	_Atomic bool wanted;
	struct loop_after *after;
	pthread_t thread;     /* which turns it */
	bool turning;         /* it has */
	_Atomic bool waiting; /* in ppoll, or about to be */
	uint64_t until_ns;    /* at the latest until this deadline of the clock */
	_Atomic bool quit;
	_Atomic int code;
	int wake_fd;
	struct loop_fd *fds;
	bool any_removed;
	struct loop_source *sources;
	struct pollfd *polled;
	struct loop_fd **polled_owner; /* NULL: a source's, or wake_fd */
	size_t polled_size, polled_count;
	pthread_mutex_t post_lock;
	struct work *first_work, **last_work;
};

static void
on_earlier(void *opaque)
{
	struct loop *l = opaque;

	/* Once woken, it looks at everything. */
	if (atomic_load(&l->waiting) && atomic_exchange(&l->waiting, false))
		loop_wake(l);
}

/*
 * An idle guest puts its tick off and sets it again a moment later, thousands of times a second: what the loop will wake
 * for anyway wakes nobody.  4 KiB reads and writes of a disk were 1.2x as fast by that.
 */
static void
on_earlier_timer(void *opaque)
{
	struct loop *l = opaque;
	uint64_t first = clock_first(l->clock);

	if (first >= l->until_ns)
		return;
	l->until_ns = first;
	on_earlier(l);
}

struct loop *
loop_new(struct clock *c)
{
	struct loop *l = xcalloc(1, sizeof(*l));

	l->clock = c;
	pthread_mutex_init(&l->lock, NULL);
	pthread_cond_init(&l->handed_over, NULL);
	pthread_mutex_init(&l->post_lock, NULL);
	l->last_work = &l->first_work;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	assert(l->wake_fd >= 0);
	if (c != NULL)
		clock_on_earlier(c, on_earlier_timer, l);
	return l;
}

static void
free_list(struct loop *l, bool all)
{
	struct loop_fd **p = &l->fds;

	while (*p != NULL) {
		struct loop_fd *f = *p;

		if (all || f->removed) {
			*p = f->next;
			free(f);
		} else {
			p = &f->next;
		}
	}
	l->any_removed = false;
}

void
loop_free(struct loop *l)
{
	if (l == NULL)
		return;
	if (l->clock != NULL)
		clock_on_earlier(l->clock, NULL, NULL);
	free_list(l, true);
	while (l->first_work != NULL) {
		struct work *w = l->first_work;

		l->first_work = w->next;
		free(w);
	}
	close(l->wake_fd);
	pthread_mutex_destroy(&l->lock);
	pthread_cond_destroy(&l->handed_over);
	pthread_mutex_destroy(&l->post_lock);
	free(l->polled);
	free(l->polled_owner);
	free(l);
}

struct clock *
loop_clock(const struct loop *l)
{
	return l->clock;
}

void
loop_lock(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	while (atomic_load(&l->wanted))
		pthread_cond_wait(&l->handed_over, &l->lock);
}

bool
loop_try_lock(struct loop *l)
{
	if (atomic_load(&l->wanted) || pthread_mutex_trylock(&l->lock) != 0)
		return false;
	if (!atomic_load(&l->wanted))
		return true;
	loop_unlock(l);
	return false;
}

bool
loop_after(struct loop *l, struct loop_after *a)
{
	if (atomic_exchange(&a->queued, true))
		return false;
	a->next = l->after;
	l->after = a;
	return true;
}

bool
loop_is_elsewhere(const struct loop *l)
{
	return l->turning && !pthread_equal(l->thread, pthread_self());
}

bool
loop_is_here(const struct loop *l)
{
	return l->turning && pthread_equal(l->thread, pthread_self());
}

void
loop_unlock(struct loop *l)
{
	struct loop_after *a = l->after, *next;

	l->after = NULL;
	pthread_mutex_unlock(&l->lock);
	for (; a != NULL; a = next) {
		next = a->next;
		atomic_store(&a->queued, false);
		a->run(a);
	}
}

static void
lock_first(struct loop *l)
{
	atomic_store(&l->wanted, true);
	pthread_mutex_lock(&l->lock);
	atomic_store(&l->wanted, false);
	pthread_cond_broadcast(&l->handed_over);
}

struct loop_fd *
loop_add_fd(struct loop *l, int fd, short events, void (*ready)(void *opaque, short revents), void *opaque)
{
	struct loop_fd *f = xcalloc(1, sizeof(*f));

	f->loop = l;
	f->fd = fd;
	f->events = events;
	f->ready = ready;
	f->opaque = opaque;
	f->next = l->fds;
	l->fds = f;
	on_earlier(l);
	return f;
}

void
loop_set_events(struct loop_fd *f, short events)
{
	if (f->events == events)
		return;
	f->events = events;
	on_earlier(f->loop);
}

/* Freed at the loop's next turn, so that a turn under way can still look at it. */
void
loop_remove_fd(struct loop_fd *f)
{
	if (f == NULL)
		return;
	f->removed = true;
	f->loop->any_removed = true;
	on_earlier(f->loop);
}

void
loop_post(struct loop *l, void (*work)(void *opaque), void *opaque)
{
	struct work *w = xcalloc(1, sizeof(*w));

	w->run = work;
	w->opaque = opaque;
	pthread_mutex_lock(&l->post_lock);
	*l->last_work = w;
	l->last_work = &w->next;
	pthread_mutex_unlock(&l->post_lock);
	loop_wake(l);
}

void
loop_wake(struct loop *l)
{
	uint64_t one = 1;

	/* A full counter is fine: the loop is awake then. */
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return;
}

/* Only what was posted until now: work that posts itself again waits for the next turn. */
static void
run_posted(struct loop *l)
{
	struct work *w, *next;

	pthread_mutex_lock(&l->post_lock);
	w = l->first_work;
	l->first_work = NULL;
	l->last_work = &l->first_work;
	pthread_mutex_unlock(&l->post_lock);
	for (; w != NULL; w = next) {
		next = w->next;
		w->run(w->opaque);
		free(w);
	}
}

static unsigned
want(struct loop *l, int fd, short events, struct loop_fd *owner)
{
	if (l->polled_count == l->polled_size) {
		l->polled_size = l->polled_size * 2 + 8;
		l->polled = xrealloc(l->polled, l->polled_size * sizeof(*l->polled));
		l->polled_owner = xrealloc(l->polled_owner, l->polled_size * sizeof(struct loop_fd *));
	}
	l->polled[l->polled_count] = (struct pollfd){ .fd = fd, .events = events };
	l->polled_owner[l->polled_count] = owner;
	return l->polled_count++;
}

unsigned
loop_want(struct loop *l, int fd, short events)
{
	return want(l, fd, events, NULL);
}

short
loop_got(const struct loop *l, unsigned index)
{
	return index < l->polled_count ? l->polled[index].revents : 0;
}

void
loop_ask_again(struct loop *l)
{
	on_earlier(l);
}

void
loop_add_source(struct loop *l, struct loop_source *s)
{
	s->prepared = false;
	s->next = l->sources;
	l->sources = s;
	loop_ask_again(l);
}

void
loop_remove_source(struct loop *l, struct loop_source *s)
{
	struct loop_source **p = &l->sources;

	while (*p != NULL && *p != s)
		p = &(*p)->next;
	if (*p != NULL)
		*p = s->next;
}

/* What ppoll is to watch.  A descriptor on stand-by is left out: its hang-up would wake the loop without end. */
static void
collect(struct loop *l, uint64_t *wait_ns)
{
	l->polled_count = 0;
	want(l, l->wake_fd, POLLIN, NULL);
	for (struct loop_fd *f = l->fds; f != NULL; f = f->next) {
		if (!f->removed && f->events != 0)
			want(l, f->fd, f->events, f);
	}
	for (struct loop_source *s = l->sources; s != NULL; s = s->next) {
		s->prepared = true;
		s->prepare(s->opaque, l, wait_ns);
	}
}

static void
dispatch(struct loop *l)
{
	uint64_t count;

	if (l->polled[0].revents != 0 && read(l->wake_fd, &count, sizeof(count)) < 0)
		count = 0;
	for (size_t i = 1; i < l->polled_count; i++) {
		struct loop_fd *f = l->polled_owner[i];

		if (f != NULL && l->polled[i].revents != 0 && !f->removed && f->events != 0)
			f->ready(f->opaque, l->polled[i].revents);
	}
	for (struct loop_source *s = l->sources; s != NULL; s = s->next) {
		if (s->prepared)
			s->ready(s->opaque, l);
		s->prepared = false;
	}
}

/* How long to wait: until the first timer, or TIMEOUT_MS.  UINT64_MAX: as long as it takes. */
static uint64_t
wait_time(struct loop *l, int timeout_ms)
{
	uint64_t deadline = l->clock != NULL ? clock_run(l->clock) : UINT64_MAX;
	uint64_t ns = timeout_ms >= 0 ? (uint64_t)timeout_ms * 1000000 : UINT64_MAX;

	l->until_ns = deadline;
	if (deadline != UINT64_MAX) {
		uint64_t now = clock_now(l->clock);

		ns = MIN(ns, deadline > now ? deadline - now : 0);
	}
	return ns;
}

static void
turn(struct loop *l, int timeout_ms)
{
	struct timespec ts;

	if (l->any_removed)
		free_list(l, false);
	uint64_t ns = wait_time(l, timeout_ms);
	bool limited;

	collect(l, &ns);
	limited = ns != UINT64_MAX;
	/* A day at the most: no kernel objects to that. */
	ns = MIN(ns, 86400 * NS_PER_SEC);
	ts = (struct timespec){ .tv_sec = (time_t)(ns / NS_PER_SEC), .tv_nsec = (long)(ns % NS_PER_SEC) };
	atomic_store(&l->waiting, true);
	loop_unlock(l);
	if (ppoll(l->polled, l->polled_count, limited ? &ts : NULL, NULL) < 0) {
		for (size_t i = 0; i < l->polled_count; i++)
			l->polled[i].revents = 0;
	}
	lock_first(l);
	atomic_store(&l->waiting, false);
	dispatch(l);
	run_posted(l);
	if (l->clock != NULL)
		clock_run(l->clock);
}

void
loop_turn(struct loop *l, int timeout_ms)
{
	lock_first(l);
	l->thread = pthread_self();
	l->turning = true;
	turn(l, timeout_ms);
	loop_unlock(l);
}

int
loop_run(struct loop *l)
{
	while (!atomic_load(&l->quit))
		loop_turn(l, -1);
	atomic_store(&l->quit, false);
	return atomic_load(&l->code);
}

void
loop_quit(struct loop *l, int code)
{
	atomic_store(&l->code, code);
	atomic_store(&l->quit, true);
	loop_wake(l);
}
