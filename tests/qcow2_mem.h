/* SPDX-License-Identifier: GPL-2.0-or-later */
/* For tests of qcow2: files in memory, and images of every kind in them. */
#ifndef TESTS_QCOW2_MEM_H
#define TESTS_QCOW2_MEM_H

#include "disk/image.h"
#include "disk/qcow2.h"
#include "disk/tool.h"

/* A file that outlives the layer upon it.  Past MOST bytes there is no space. */
struct mem {
	uint8_t *data;
	uint64_t bytes, room, most;
	/* Called before each change; what is written is not in the file yet.  May be NULL. */
	void (*changing)(void *opaque, uint64_t offset, const void *data, uint64_t len);
	void (*flushed)(void *opaque);
	void *opaque;
};

/* Closing the layer leaves M as it is. */
struct image *mem_layer(struct mem *m);
void mem_free(struct mem *m);
void mem_put(struct mem *m, uint64_t offset, const void *data, uint64_t len);

/* xorshift: the same numbers for the same seed, everywhere. */
static inline uint32_t
draw(uint64_t *state, uint32_t below)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (*state >> 16) % below;
}

/* What qcow2 can be, drawn: versions, clusters, refcounts, compression. */
struct image_create draw_kind(uint64_t *random, uint64_t bytes);
/* Makes and opens an image in M.  Ends the test if it can't. */
void make_in(struct mem *m, const struct image_create *o);
struct image *open_in(struct mem *m, unsigned flags);

/* A number from the environment, for tests that can be made longer. */
unsigned long count_from(const char *variable, unsigned long otherwise);
/* Prints SEED and what is wrong, and ends. */
void fail_with(uint64_t seed, const char *format, ...) __attribute__((format(printf, 2, 3), noreturn));

#endif
