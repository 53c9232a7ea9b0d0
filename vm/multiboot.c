/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Multiboot 0.6.96: ELF kernels and those with addresses in their header ("a.out kludge"), modules, a memory map.
 *
 * The information structure lies in low memory, and behind it the memory map, the list of modules, and all strings.
 * Modules follow the kernel, each on a page of its own.
 */
#include "vm/boot.h"

#include "base/err.h"
#include "base/util.h"

#include <stdlib.h>

enum {
	HEADER_AREA = 8192,
	WANT_PAGE_ALIGN = 1,
	WANT_MEMORY = 2,
	WANT_VIDEO = 4,
	HAS_ADDRESSES = 0x10000,
	INFO_ADDR = 0x9000,
	INFO_MOST = 0x7000,
	MAP_OFFSET = 0x80,        /* a multiple of 16: the boot ROM makes a segment of it */
	MAP_BYTES = 24 * 32,
	MAP_ENTRY = 24,
	MODULES_OFFSET = MAP_OFFSET + MAP_BYTES,
	MODULES_MOST = 64,
	MODULE_ENTRY = 16,
	STRINGS_OFFSET = MODULES_OFFSET + MODULES_MOST * MODULE_ENTRY,
	INFO_MAP_LENGTH = 44,
};

/* Flags of the information structure: memory, boot device, command line, modules, memory map, loader's name. */
enum { INFO_FLAGS = 1 | 2 | 4 | 8 | 0x40 | 0x200 };

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define MODULES_BYTES_MOST (2 * GiB)

struct info {
	uint8_t bytes[INFO_MOST];
	size_t used; /* up to the end of the strings */
};

/* Where the header is, -1: nowhere. */
static long
find_header(const struct blob *file)
{
	for (size_t at = 0; at + 12 <= MIN(file->size, (size_t)HEADER_AREA); at += 4) {
		const uint8_t *h = file->data + at;

		if (load_le(h, 4) == HEADER_MAGIC &&
		    (uint32_t)(load_le(h, 4) + load_le(h + 4, 4) + load_le(h + 8, 4)) == 0)
			return (long)at;
	}
	return -1;
}

bool
multiboot_recognise(const struct blob *file)
{
	return find_header(file) >= 0;
}

/* Addresses in the header: where the text begins, where data and zeros end (0: with the file; there are none). */
static bool
load_by_header(const struct blob *file, uint64_t at, uint64_t memory_end, struct boot_piece *out, uint64_t *entry,
	struct err *e)
{
	if (!blob_has(file, at, 32))
		return err_set(e, "the multiboot header is cut off");
	uint64_t header = load_le(file->data + at + 12, 4);
	uint64_t load = load_le(file->data + at + 16, 4);
	uint64_t load_end = load_le(file->data + at + 20, 4);
	uint64_t bss_end = load_le(file->data + at + 24, 4);

	*entry = load_le(file->data + at + 28, 4);
	if (load > header || header - load > at)
		return err_set(e, "the multiboot header's addresses lie outside of the file");
	uint64_t offset = at - (header - load);
	uint64_t size = load_end != 0 ? load_end - load : file->size - offset;
	if ((load_end != 0 && load_end < load) || !blob_has(file, offset, size))
		return err_set(e, "the multiboot header's addresses lie outside of the file");
	uint64_t end = MAX(load + size, bss_end);
	if (end > memory_end)
		return err_set(e, "the kernel does not fit into the guest's memory; give more with -m");
	out->addr = load;
	out->blob.size = end - load;
	out->blob.data = xcalloc(1, end - load + 1);
	memcpy(out->blob.data, file->data + offset, size);
	return true;
}

/* The guest's address of a copy of TEXT; 0: no room. */
static uint32_t
put_string(struct info *i, const char *text, size_t length)
{
	uint32_t addr = INFO_ADDR + (uint32_t)i->used;

	if (length >= INFO_MOST - i->used)
		return 0;
	memcpy(i->bytes + i->used, text, length);
	i->used += length + 1;
	return addr;
}

/* Appends the file in the first word of TEXT ("FILE ARGUMENTS") to the modules. */
static bool
add_module(struct boot_piece *modules, struct info *info, unsigned n, const char *text, struct err *e)
{
	uint8_t *entry = info->bytes + MODULES_OFFSET + n * MODULE_ENTRY;
	char *path = xstrdup(text);
	struct blob file;

	path[strcspn(path, " ")] = '\0';
	bool ok = blob_load(&file, path, MODULES_BYTES_MOST, e);
	free(path);
	if (!ok)
		return err_prefix(e, "-initrd ");
	uint64_t start = align_up(modules->blob.size, 4096);
	modules->blob.data = xrealloc(modules->blob.data, start + file.size + 1);
	memset(modules->blob.data + modules->blob.size, 0, start - modules->blob.size);
	memcpy(modules->blob.data + start, file.data, file.size);
	modules->blob.size = start + file.size;
	store_le(entry, modules->addr + start, 4);
	store_le(entry + 4, modules->addr + start + file.size, 4);
	uint32_t string = put_string(info, text, strlen(text));
	store_le(entry + 8, string, 4);
	blob_free(&file);
	return string != 0 || err_set(e, "the modules' command lines are too long");
}

/* Cuts LIST at its next single comma, doubled ones made single; what follows it, NULL at the end. */
static char *
cut_module(char *list)
{
	char *to = list;

	for (; *list != '\0'; list++) {
		if (*list == ',') {
			if (list[1] != ',') {
				*to = '\0';
				return list + 1;
			}
			list++;
		}
		*to++ = *list;
	}
	*to = '\0';
	return NULL;
}

static bool
add_modules(struct boot_plan *p, struct info *info, const struct boot_request *r, uint64_t memory_end, struct err *e)
{
	const struct boot_piece *kernel = &p->pieces[PIECE_KERNEL];
	struct boot_piece *modules = &p->pieces[PIECE_INITRD];
	unsigned count = 0;
	bool ok = true;

	modules->addr = align_up(kernel->addr + kernel->blob.size, 4096);
	if (r->initrd != NULL) {
		char *copy = xstrdup(r->initrd);

		for (char *word = copy, *next; ok && word != NULL; word = next) {
			next = cut_module(word);
			word += strspn(word, " ");
			ok = count < MODULES_MOST || err_set(e, "-initrd: %d modules are the most", MODULES_MOST);
			ok = ok && add_module(modules, info, count++, word, e);
		}
		free(copy);
	}
	if (ok && modules->addr + modules->blob.size > memory_end)
		ok = err_set(e, "kernel and modules do not fit into the guest's memory; give more with -m");
	store_le(info->bytes + 20, count, 4);
	store_le(info->bytes + 24, INFO_ADDR + MODULES_OFFSET, 4);
	return ok;
}

/* Without firmware: the map that we know.  With it the boot ROM puts the firmware's own over this one. */
static void
put_map(uint8_t *info, const struct memory_map *map)
{
	for (unsigned i = 0; i < map->count; i++) {
		uint8_t *entry = info + MAP_OFFSET + i * MAP_ENTRY;

		store_le(entry, MAP_ENTRY - 4, 4);
		store_le(entry + 4, map->ranges[i].first, 8);
		store_le(entry + 12, map->ranges[i].size, 8);
		store_le(entry + 20, map->ranges[i].type, 4);
	}
	store_le(info + INFO_MAP_LENGTH, map->count * MAP_ENTRY, 4);
	store_le(info + 48, INFO_ADDR + MAP_OFFSET, 4);
}

static bool
put_info(struct boot_plan *p, const struct boot_request *r, uint64_t memory_end, struct err *e)
{
	struct info info = { .used = STRINGS_OFFSET };
	struct boot_piece *setup = &p->pieces[PIECE_SETUP];
	char *cmdline = xasprintf("%s%s%s", r->kernel, *r->append ? " " : "", r->append);
	uint32_t at = put_string(&info, cmdline, strlen(cmdline));

	free(cmdline);
	if (at == 0)
		return err_set(e, "the command line is too long");
	store_le(info.bytes, INFO_FLAGS, 4);
	store_le(info.bytes + 4, 639, 4);
	store_le(info.bytes + 8, r->map.below_4g > MiB ? (r->map.below_4g - MiB) / KiB : 0, 4);
	store_le(info.bytes + 12, 0x8000ffff, 4);
	store_le(info.bytes + 16, at, 4);
	store_le(info.bytes + 64, put_string(&info, "calque", 6), 4);
	put_map(info.bytes, &r->map);
	if (!add_modules(p, &info, r, memory_end, e))
		return false;
	setup->addr = INFO_ADDR;
	setup->blob.size = info.used;
	setup->blob.data = xcalloc(1, info.used);
	memcpy(setup->blob.data, info.bytes, info.used);
	return true;
}

bool
multiboot_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e)
{
	struct boot_piece *kernel = &p->pieces[PIECE_KERNEL];
	uint64_t at = (uint64_t)find_header(file);
	uint32_t flags = (uint32_t)load_le(file->data + at + 4, 4);
	/* Firmware keeps tables of its own at the end. */
	uint64_t kept = r->direct_only ? 0 : MIN(r->map.loadable_end, (uint64_t)FIRMWARE_TOP);
	uint64_t memory_end = r->map.loadable_end - kept, entry;

	if (flags & 0xffff & ~(WANT_PAGE_ALIGN | WANT_MEMORY | WANT_VIDEO))
		return err_set(e, "the multiboot header asks for unknown features (flags %#x)", flags);
	if (flags & HAS_ADDRESSES) {
		if (!load_by_header(file, at, memory_end, kernel, &entry, e))
			return false;
	} else if (!elf_flatten(file, memory_end, kernel, &entry, e)) {
		return false;
	}
	if (kernel->addr < INFO_ADDR + INFO_MOST && kernel->addr + kernel->blob.size > 0x8000)
		return err_set(e, "the kernel wants the memory at %#llx, where the boot information lies",
			(unsigned long long)kernel->addr);
	if (entry == 0 || entry > UINT32_MAX)
		return err_set(e, "the kernel's entry %#llx is not below 4 GiB", (unsigned long long)entry);
	if (!put_info(p, r, memory_end, e))
		return false;
	p->direct = r->direct_only;
	p->entry = (uint32_t)entry;
	p->eax = LOADER_MAGIC;
	p->ebx = INFO_ADDR;
	p->map_offset = MAP_OFFSET;
	p->map_length_offset = INFO_MAP_LENGTH;
	return true;
}
