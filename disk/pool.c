/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads that do blocking I/O.  They are started when there is work and nobody idle, up to a limit. */
#include "disk/image.h"

#include "base/util.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct job *first, **last;
	unsigned waiting, running; /* jobs */
	unsigned idle, threads, limit;
	bool quit;
	pthread_t ids[];
};

static void *
worker(void *opaque)
{
	struct pool *p = opaque;

	pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job *j = p->first;

		if (j == NULL && p->quit)
			break;
		if (j == NULL) {
			p->idle++;
			pthread_cond_wait(&p->work, &p->lock);
			p->idle--;
			continue;
		}
		p->first = j->next;
		if (p->first == NULL)
			p->last = &p->first;
		p->waiting--;
		p->running++;
		pthread_mutex_unlock(&p->lock);
		j->run(j);
		pthread_mutex_lock(&p->lock);
		p->running--;
		if (p->waiting + p->running == 0)
			pthread_cond_broadcast(&p->done);
	}
	pthread_mutex_unlock(&p->lock);
	return NULL;
}

struct pool *
pool_new(unsigned threads)
{
	struct pool *p = xcalloc(1, sizeof(*p) + threads * sizeof(p->ids[0]));

	pthread_mutex_init(&p->lock, NULL);
	pthread_cond_init(&p->work, NULL);
	pthread_cond_init(&p->done, NULL);
	p->last = &p->first;
	p->limit = threads;
	return p;
}

void
pool_free(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	p->quit = true;
	pthread_cond_broadcast(&p->work);
	pthread_mutex_unlock(&p->lock);
	for (unsigned i = 0; i < p->threads; i++)
		pthread_join(p->ids[i], NULL);
	pthread_cond_destroy(&p->work);
	pthread_cond_destroy(&p->done);
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Signals are for the threads of the machine. */
static bool
start_worker(struct pool *p)
{
	sigset_t all, old;
	bool ok;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	ok = pthread_create(&p->ids[p->threads], NULL, worker, p) == 0;
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	p->threads += ok;
	return ok;
}

void
pool_add(struct pool *p, struct job *j)
{
	pthread_mutex_lock(&p->lock);
	if (p->idle <= p->waiting && p->threads < p->limit && !start_worker(p) && p->threads == 0) {
		pthread_mutex_unlock(&p->lock);
		j->run(j);
		return;
	}
	j->next = NULL;
	*p->last = j;
	p->last = &j->next;
	p->waiting++;
	pthread_cond_signal(&p->work);
	pthread_mutex_unlock(&p->lock);
}

void
pool_drain(struct pool *p)
{
	pthread_mutex_lock(&p->lock);
	while (p->waiting + p->running > 0)
		pthread_cond_wait(&p->done, &p->lock);
	pthread_mutex_unlock(&p->lock);
}
