/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * PVH: an ELF kernel whose note "Xen" 18 (XEN_ELFNOTE_PHYS32_ENTRY) names a 32-bit entry; EBX points to a struct
 * hvm_start_info (Xen's public header arch-x86/hvm/start_info.h).
 */
#include "vm/boot.h"

#include "base/err.h"
#include "base/util.h"

#include <stdlib.h>

enum {
	NOTE_PHYS32_ENTRY = 18,
	INFO_ADDR = 0x9000,
	INFO_SIZE = 56,
	MODULE_OFFSET = 64,
	MODULE_SIZE = 32,
	MAP_OFFSET = 96,
	MAP_ENTRY = 24,
	CMDLINE_OFFSET = 512,
	CMDLINE_MOST = 0x6000,
};

#define START_MAGIC 0x336ec578u

bool
pvh_recognise(const struct blob *file)
{
	uint64_t entry;

	return elf_find_note(file, "Xen", NOTE_PHYS32_ENTRY, &entry);
}

static bool
take_initrd(struct boot_plan *p, const struct boot_request *r, struct err *e)
{
	const struct boot_piece *kernel = &p->pieces[PIECE_KERNEL];
	struct boot_piece *initrd = &p->pieces[PIECE_INITRD];
	uint64_t end = r->map.loadable_end;

	if (r->initrd == NULL)
		return true;
	if (!blob_load(&initrd->blob, r->initrd, 2 * GiB, e))
		return err_prefix(e, "-initrd ");
	uint64_t size = initrd->blob.size;
	if (size > end || (end - size) / 4096 * 4096 < kernel->addr + kernel->blob.size)
		return err_set(e, "-initrd %s: kernel and RAM disk do not fit into the guest's memory; give more with -m", r->initrd);
	initrd->addr = (end - size) / 4096 * 4096;
	return true;
}

static void
put_map(uint8_t *info, const struct memory_map *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		uint8_t *entry = info + MAP_OFFSET + i * MAP_ENTRY;

		store_le(entry, map->ranges[i].first, 8);
		store_le(entry + 8, map->ranges[i].size, 8);
		store_le(entry + 16, map->ranges[i].type, 4);
	}
	store_le(info + 40, INFO_ADDR + MAP_OFFSET, 8);
	store_le(info + 48, map->count, 4);
}

static void
put_info(struct boot_plan *p, const struct boot_request *r)
{
	const struct boot_piece *initrd = &p->pieces[PIECE_INITRD];
	struct boot_piece *setup = &p->pieces[PIECE_SETUP];
	uint8_t *info;

	setup->addr = INFO_ADDR;
	setup->blob.size = CMDLINE_OFFSET + strlen(r->append) + 1;
	setup->blob.data = info = xcalloc(1, setup->blob.size);
	store_le(info, START_MAGIC, 4);
	store_le(info + 4, 1, 4);
	if (initrd->blob.size > 0) {
		store_le(info + 12, 1, 4);
		store_le(info + 16, INFO_ADDR + MODULE_OFFSET, 8);
		store_le(info + MODULE_OFFSET, initrd->addr, 8);
		store_le(info + MODULE_OFFSET + 8, initrd->blob.size, 8);
	}
	store_le(info + 24, INFO_ADDR + CMDLINE_OFFSET, 8);
	store_le(info + 32, r->map.rsdp, 8);
	put_map(info, &r->map);
	memcpy(info + CMDLINE_OFFSET, r->append, strlen(r->append));
}

bool
pvh_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e)
{
	uint64_t entry = 0, elf_entry;

	if (r->firmware_only)
		return err_set(e, "a PVH kernel starts without firmware; use kernel-through=direct");
	if (strlen(r->append) > CMDLINE_MOST)
		return err_set(e, "the command line is too long; %d characters are the most", CMDLINE_MOST);
	if (!elf_find_note(file, "Xen", NOTE_PHYS32_ENTRY, &entry) ||
	    !elf_flatten(file, r->map.loadable_end, &p->pieces[PIECE_KERNEL], &elf_entry, e) || !take_initrd(p, r, e))
		return false;
	if (entry > UINT32_MAX)
		return err_set(e, "the PVH entry lies above 4 GiB");
	put_info(p, r);
	p->direct = true;
	p->entry = (uint32_t)entry;
	p->ebx = INFO_ADDR;
	return true;
}
