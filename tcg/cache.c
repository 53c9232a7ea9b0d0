/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory that blocks live in: host code, mapped twice (writable here, executable there, never both at one address),
 * and behind the executable view the blocks' own records, which code reaches from its RIP.  Sixteen segments are filled in turn; the oldest is dropped as a whole when
 * all are full.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/err.h"
#include "base/util.h"
#include "tcg/block.h"

enum { DEFAULT_CODE_MIB = 64, META_PER_CODE = 4 };

static bool
map_memory(struct tcg *t, struct err *e)
{
	int fd = memfd_create("calque-code", MFD_CLOEXEC);
	uint8_t *rx;

	if (fd < 0 || ftruncate(fd, t->code_bytes) != 0) {
		if (fd >= 0)
			close(fd);
		return err_set(e, "no memory for translated code: %s", strerror(errno));
	}
	t->code_rw = mmap(NULL, t->code_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
	rx = mmap(NULL, t->code_bytes + t->meta_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (t->code_rw == MAP_FAILED || rx == MAP_FAILED ||
		mmap(rx, t->code_bytes, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED) {
		close(fd);
		t->code_rw = NULL;
		return err_set(e, "cannot map memory for translated code: %s", strerror(errno));
	}
	close(fd);
	t->to_rx = rx - t->code_rw;
	t->meta = rx + t->code_bytes;
	return true;
}

bool
cache_init(struct tcg *t, struct err *e)
{
	size_t code, meta;

	t->code_bytes = t->options.cache_bytes ? align_up(MAX(t->options.cache_bytes, 4 * MiB), 64 * KiB) : DEFAULT_CODE_MIB * MiB;
	t->meta_bytes = t->code_bytes * META_PER_CODE;
	if (!map_memory(t, e))
		return false;
	code = (t->code_bytes - THUNK_BYTES) / SEGMENTS & ~63ull;
	meta = t->meta_bytes / SEGMENTS & ~63ull;
	for (unsigned n = 0; n < SEGMENTS; n++) {
		struct tcg_segment *s = &t->segment[n];

		s->code = s->code_next = t->code_rw + THUNK_BYTES + n * code;
		s->code_end = s->code + code;
		s->meta = s->meta_next = t->meta + n * meta;
		s->meta_end = s->meta + meta;
	}
	warm_start(t);
	return true;
}

void
cache_free(struct tcg *t)
{
	if (t->code_rw == NULL)
		return;
	warm_end(t);
	munmap(t->code_rw + t->to_rx, t->code_bytes + t->meta_bytes);
	munmap(t->code_rw, t->code_bytes);
}
