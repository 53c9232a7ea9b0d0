/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests that do what no guest should: see hostile.c. */
#ifndef TESTS_HOSTILE_H
#define TESTS_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * HOSTILE(id, text).  The first three are the sectors of a diskette, the others multiboot kernels.
 */
#define HOSTILE_KINDS(HOSTILE) \
	HOSTILE(sector, "a boot sector of random bytes") \
	HOSTILE(real, "random instructions in real mode; faults go on elsewhere") \
	HOSTILE(real_ports, "random ports, in real mode and with the firmware's handlers") \
	HOSTILE(noise, "a kernel of random bytes that never comes back from a fault") \
	HOSTILE(code32, "random instructions in 32-bit protected mode") \
	HOSTILE(code64, "random instructions in 64-bit mode") \
	HOSTILE(self, "code that overwrites itself and its pages' other code") \
	HOSTILE(ports, "random values to random I/O ports") \
	HOSTILE(mmio, "random accesses to device memory, RAM's end, holes and ROM") \
	HOSTILE(pci, "random PCI configuration, and accesses to where the BARs may have gone") \
	HOSTILE(dma, "IDE, fw_cfg, floppy and ISA DMA to anywhere") \
	HOSTILE(chips, "all of the devices at once, with interrupts on") \
	HOSTILE(paging32, "random page directories that hold themselves") \
	HOSTILE(paging64, "random page tables that hold themselves") \
	HOSTILE(faults, "faults whose handlers fault: bad IDT, GDT, TSS and stack") \
	HOSTILE(jumps, "jumps to device memory, ROM, holes and across pages' ends")

enum hostile_kind {
#define HOSTILE(id, text) HOSTILE_##id,
	HOSTILE_KINDS(HOSTILE)
#undef HOSTILE
	HOSTILE_COUNT
};

enum { HOSTILE_BYTES = 0x30000, HOSTILE_SECTORS = 2880 * 512 };

/* The guest of KIND and SEED; its size.  IMAGE: HOSTILE_SECTORS bytes, zeroed. */
size_t hostile_make(enum hostile_kind kind, uint64_t seed, uint8_t *image);
bool hostile_is_diskette(enum hostile_kind kind);

#endif
