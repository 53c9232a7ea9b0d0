/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's pages for new blocks are made ahead of need, by a thread of their own: a third of what a block costs while the code
 * memory is still fresh would be page faults.  Where the host can't do it in advance, they happen as they always do.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>

#include "base/util.h"
#include "tcg/block.h"

/* Linux 5.14; the values are part of its ABI. */
enum { POPULATE_READ = 22, POPULATE_WRITE = 23 };

enum { CODE_AHEAD = 256 * KiB, META_AHEAD = 512 * KiB };

static bool
take(struct warmer *w, struct warm_range *r)
{
	bool ending;

	pthread_mutex_lock(&w->lock);
	while (w->count == 0 && !w->ending)
		pthread_cond_wait(&w->work, &w->lock);
	ending = w->ending;
	if (!ending)
		*r = w->range[--w->count];
	pthread_mutex_unlock(&w->lock);
	return !ending;
}

static void *
warm_thread(void *opaque)
{
	struct warm_range r;

	while (take(opaque, &r) && madvise(r.at, r.len, r.write ? POPULATE_WRITE : POPULATE_READ) == 0)
		;
	return NULL;
}

/* Ranges that find the list full are left to page faults. */
static void
ask(struct warmer *w, uint8_t *at, size_t len, bool write)
{
	pthread_mutex_lock(&w->lock);
	if (w->count < ARRAY_SIZE(w->range))
		w->range[w->count++] = (struct warm_range){ at, len, write };
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

/* The next part of what is filled up to NEXT and warm up to *WARM. */
static size_t
part(const uint8_t *next, uint8_t **warm, const uint8_t *end, size_t ahead)
{
	size_t len = next + ahead / 2 < *warm ? 0 : MIN(ahead, (size_t)(end - *warm) & -(size_t)4096);

	*warm += len;
	return len;
}

void
warm_ahead(struct tcg *t, struct tcg_segment *s)
{
	size_t len;

	if (!t->warmer.running)
		return;
	/* The interpreter makes no code. */
	len = t->host != NULL ? part(s->code_next, &s->code_warm, s->code_end, CODE_AHEAD) : 0;
	if (len != 0) {
		ask(&t->warmer, s->code_warm - len + t->to_rx, len, false);
		ask(&t->warmer, s->code_warm - len, len, true);
	}
	len = part(s->meta_next, &s->meta_warm, s->meta_end, META_AHEAD);
	if (len != 0)
		ask(&t->warmer, s->meta_warm - len, len, true);
}

/* Signals are for the other threads. */
static bool
start_thread(struct warmer *w)
{
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = pthread_create(&w->thread, NULL, warm_thread, w) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return ok;
}

void
warm_start(struct tcg *t)
{
	struct warmer *w = &t->warmer;

	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->work, NULL);
	for (unsigned n = 0; n < SEGMENTS; n++) {
		t->segment[n].code_warm = (uint8_t *)align_up((uintptr_t)t->segment[n].code, 4096);
		t->segment[n].meta_warm = (uint8_t *)align_up((uintptr_t)t->segment[n].meta, 4096);
	}
	w->running = start_thread(w);
	warm_ahead(t, &t->segment[0]);
}

void
warm_end(struct tcg *t)
{
	struct warmer *w = &t->warmer;

	if (w->running) {
		pthread_mutex_lock(&w->lock);
		w->ending = true;
		pthread_cond_signal(&w->work);
		pthread_mutex_unlock(&w->lock);
		pthread_join(w->thread, NULL);
	}
	pthread_mutex_destroy(&w->lock);
	pthread_cond_destroy(&w->work);
}
