/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernels of -kernel: what each format wants in memory and in the registers.
 *
 * A loader turns files into a plan: up to four pieces of memory and an entry point.  The plan is carried out at every
 * reset, either directly (the pieces are written into RAM and the processor starts in protected mode), or by the boot
 * ROM, which fetches them through fw_cfg once the firmware is through.
 */
#ifndef VM_BOOT_H
#define VM_BOOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct err;

struct blob {
	uint8_t *data;
	size_t size;
};

/* Reads a whole file of at most MOST bytes. */
bool blob_load(struct blob *b, const char *path, uint64_t most, struct err *e);
void blob_free(struct blob *b);

enum memory_type { MEMORY_RAM = 1, MEMORY_RESERVED = 2, MEMORY_ACPI = 3 };

struct memory_range {
	uint64_t first, size;
	enum memory_type type;
};

/* What firmware may take at the end of the memory below 4 GiB. */
enum { FIRMWARE_TOP = 0x40000 };

enum { MEMORY_RANGES = 8 };

/* The memory that a kernel is told of. */
struct memory_map {
	struct memory_range ranges[MEMORY_RANGES];
	unsigned count;
	uint64_t below_4g, above_4g; /* RAM */
	uint64_t loadable_end;       /* below this, loaders may place what they want: tables lie above */
	uint64_t rsdp;               /* where the ACPI tables begin */
};

void memory_map_fill(struct memory_map *m, uint64_t below_4g, uint64_t above_4g);

struct boot_piece {
	uint64_t addr;
	struct blob blob;
};

enum boot_piece_name { PIECE_KERNEL, PIECE_INITRD, PIECE_CMDLINE, PIECE_SETUP, BOOT_PIECES };

struct boot_plan {
	bool wanted;    /* there is a -kernel */
	bool direct;    /* without firmware */
	struct boot_piece pieces[BOOT_PIECES];
	/* Entry in protected mode; 0: real mode, at PIECE_SETUP's segment + 20h. */
	uint32_t entry, eax, ebx, esi;
	/* Offset in PIECE_SETUP of a multiboot memory map that the boot ROM fills from int 15h, and where its length stands; 0: none. */
	uint32_t map_offset, map_length_offset;
};

void boot_plan_free(struct boot_plan *p);

struct boot_request {
	const char *kernel, *initrd, *append;
	bool direct_only, firmware_only; /* kernel-through= */
	struct memory_map map;
};

/* Reads the files and makes the plan. */
bool boot_plan_make(struct boot_plan *p, const struct boot_request *r, struct err *e);

/* The loaders; FILE is the kernel's.  The first two tell whether it is theirs. */
bool linux_recognise(const struct blob *file);
bool linux_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e);
bool multiboot_recognise(const struct blob *file);
bool multiboot_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e);
bool pvh_recognise(const struct blob *file);
bool pvh_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e);

/* ELF of 32 or 64 bits for x86: its loadable segments as one piece from the lowest to the highest physical address. */
bool elf_flatten(const struct blob *file, uint64_t memory_end, struct boot_piece *out, uint64_t *entry, struct err *e);
/* The 4 or 8 bytes of the first note NAME of TYPE in a PT_NOTE segment. */
bool elf_find_note(const struct blob *file, const char *name, uint32_t type, uint64_t *value);

/* Is [OFFSET, OFFSET + LEN) inside of the blob? */
static inline bool
blob_has(const struct blob *b, uint64_t offset, uint64_t len)
{
	return offset <= b->size && len <= b->size - offset;
}

#endif
