/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm/ram.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

enum { GUARD = 64 * 1024 };

#define BELOW_4G_MOST (3 * GiB)

/* More than the host could ever give is refused, as the guest would end the process by using it. */
static bool
check_size(uint64_t bytes, struct err *e)
{
	struct sysinfo host;

	if (sysinfo(&host) != 0)
		return true;
	uint64_t most = ((uint64_t)host.totalram + host.totalswap) * host.mem_unit;
	if (bytes <= most)
		return true;
	return err_set(e, "-m %llu MiB: this host has %llu MiB of memory and swap; give the guest less",
		(unsigned long long)(bytes / MiB), (unsigned long long)(most / MiB));
}

bool
ram_open(struct ram *r, uint64_t first, uint64_t len, struct err *e)
{
	if (len == 0 || mprotect(r->base + first, align_up(len, 4096), PROT_READ | PROT_WRITE) == 0)
		return true;
	return err_set(e, "cannot get %llu MiB of guest memory: %s; use a smaller -m", (unsigned long long)(len / MiB),
		strerror(errno));
}

bool
ram_map(struct ram *r, uint64_t bytes, struct err *e)
{
	*r = (struct ram){ .below_4g = MIN(bytes, BELOW_4G_MOST) };
	r->above_4g = bytes - r->below_4g;
	if (!check_size(bytes, e))
		return false;
	r->mapped = 4 * GiB + align_up(r->above_4g, 4096) + GUARD;
	void *p = mmap(NULL, r->mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		r->mapped = 0;
		return err_set(e, "-m %llu MiB: cannot reserve that much address space: %s; use a smaller -m",
			(unsigned long long)(bytes / MiB), strerror(errno));
	}
	r->base = p;
	madvise(r->base, r->below_4g, MADV_HUGEPAGE);
	if (r->above_4g > 0)
		madvise(r->base + 4 * GiB, r->above_4g, MADV_HUGEPAGE);
	return ram_open(r, 0, r->below_4g, e) && ram_open(r, 4 * GiB, r->above_4g, e);
}

void
ram_unmap(struct ram *r)
{
	if (r->base != NULL)
		munmap(r->base, r->mapped);
	r->base = NULL;
}
