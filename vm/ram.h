/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: one host mapping with host = base + guest-physical.
 *
 * Up to 3 GiB of RAM lie below 4 GiB, the rest from 4 GiB on; the system ROM has its place below 4 GiB in the same
 * mapping.  What lies between is reserved without any right, and so is a guard page behind the end.
 */
#ifndef VM_RAM_H
#define VM_RAM_H

#include <stdbool.h>
#include <stdint.h>

struct err;

struct ram {
	uint8_t *base;
	uint64_t below_4g, above_4g; /* bytes */
	uint64_t mapped;             /* extent of the mapping */
};

bool ram_map(struct ram *r, uint64_t bytes, struct err *e);
/* Makes LEN bytes at FIRST, which is in the gap, accessible. */
bool ram_open(struct ram *r, uint64_t first, uint64_t len, struct err *e);
void ram_unmap(struct ram *r);

#endif
