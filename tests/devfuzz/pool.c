/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Large blocks of a device are kept for the next run's: a sanitizer's allocator gives each back to the system, and three
 * quarters of a run were page faults.  What is kept is poisoned meanwhile.  Linked with --wrap=calloc and --wrap=free.
 */
#include "base/util.h"

#include <sanitizer/asan_interface.h>

enum { LARGE = 32 * 1024, KEPT = 64 };

void *__real_calloc(size_t count, size_t size);
void __real_free(void *p);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *p);

/* Blocks that were made here, in use or not. */
static struct block {
	void *at;
	size_t size;
	bool used;
} blocks[KEPT];

static void *
find_or_make(size_t size)
{
	struct block *empty = NULL;

	for (unsigned i = 0; i < KEPT; i++) {
		struct block *b = &blocks[i];

		if (b->at == NULL && empty == NULL)
			empty = b;
		if (b->at == NULL || b->used || b->size != size)
			continue;
		ASAN_UNPOISON_MEMORY_REGION(b->at, size);
		b->used = true;
		return memset(b->at, 0, size);
	}
	if (empty == NULL)
		return __real_calloc(1, size);
	*empty = (struct block){ __real_calloc(1, size), size, true };
	return empty->at;
}

void *
__wrap_calloc(size_t count, size_t size)
{
	if (__builtin_mul_overflow(count, size, &count))
		return NULL;
	return count < LARGE || count > 16 * MiB ? __real_calloc(1, count) : find_or_make(count);
}

void
__wrap_free(void *p)
{
	for (unsigned i = 0; i < KEPT && p != NULL; i++) {
		struct block *b = &blocks[i];

		if (b->at != p)
			continue;
		if (!b->used)
			__builtin_trap(); /* freed twice */
		b->used = false;
		ASAN_POISON_MEMORY_REGION(p, b->size);
		return;
	}
	__real_free(p);
}
