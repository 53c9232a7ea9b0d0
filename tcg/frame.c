/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A frame's memory, and the ways out of what runs on it. */
#include "tcg/frame.h"

#include <sys/mman.h>

#include "base/util.h"
#include "tcg/block.h"

enum { PAGE = 4096 };

/* Below the state: its stack, and below that a page that can't be touched. */
enum { BELOW = PAGE + TCG_STACK_BYTES };

void *
tcg_frame_alloc(size_t size)
{
	size_t all = BELOW + align_up(size, PAGE);
	uint8_t *p = mmap(NULL, all, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	mprotect(p, PAGE, PROT_NONE);
	((struct tcg_frame *)(void *)(p + BELOW))->shadow_write = SHADOW_WRITE;
	return p + BELOW;
}

void
tcg_frame_free(void *state, size_t size)
{
	munmap((uint8_t *)state - BELOW, BELOW + align_up(size, PAGE));
}

void
tcg_lock_bus(struct tcg_frame *f)
{
	pthread_mutex_lock(&f->tcg->bus);
	f->has_bus = 1;
}

void
tcg_unlock_bus(struct tcg_frame *f)
{
	f->has_bus = 0;
	pthread_mutex_unlock(&f->tcg->bus);
}

void
tcg_unwind(struct tcg_frame *f)
{
	if (f->has_bus)
		tcg_unlock_bus(f);
	f->site = NULL;
	if (f->tcg->host != NULL)
		f->tcg->host->unwind(f);
	__builtin_longjmp(f->leave, 1);
}

void
tcg_x87_sync(struct tcg_frame *f)
{
	if (f->x87_resident)
		f->tcg->host->x87_sync(f);
}
