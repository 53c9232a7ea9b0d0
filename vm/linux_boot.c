/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linux, by the x86 boot protocol (Documentation/arch/x86/boot.rst of the kernel).
 *
 * Directly, a kernel of protocol 2.12 and later gets its 32-bit entry: the protected-mode part at 1 MiB, boot
 * parameters ("zero page") made here, ESI pointing to them.  Through firmware, the kernel's own real-mode setup code
 * runs; only the fields that a loader has to fill are patched.
 */
#include "vm/boot.h"

#include "base/err.h"
#include "base/util.h"

#include <stdlib.h>

/* Offsets in the file's first sectors, and in the zero page. */
enum {
	SETUP_SECTS = 0x1f1,
	VIDEO_MODE = 0x1fa,
	BOOT_FLAG = 0x1fe,
	HEADER_JUMP = 0x201,
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	HEAP_END_PTR = 0x224,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	RELOCATABLE = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_LEAST = 0x264, /* what protocol 2.12 has */
	OLD_CMDLINE_MAGIC = 0x20,
	OLD_CMDLINE_OFFSET = 0x22,
	/* Of the zero page alone. */
	ACPI_RSDP = 0x70,
	ALT_MEM_K = 0x1e0,
	E820_COUNT = 0x1e8,
	E820_TABLE = 0x2d0,
	E820_ENTRY = 20,
	SCREEN_CURSOR = 0x00,
	SCREEN_EXT_MEM_K = 0x02,
	SCREEN_MODE = 0x06,
	SCREEN_COLUMNS = 0x07,
	SCREEN_LINES = 0x0e,
	SCREEN_IS_VGA = 0x0f,
	SCREEN_POINTS = 0x10,
};

enum {
	LOADED_HIGH = 0x01,
	CAN_USE_HEAP = 0x80,
	XLF_KERNEL_64 = 0x01,
	XLF_ABOVE_4G = 0x02,
	LOADER_UNKNOWN = 0xff,
};

enum {
	REAL_ADDR = 0x10000,
	REAL_ADDR_LOW = 0x90000,  /* for zImage and protocols before 2.02 */
	CMDLINE_ADDR = 0x20000,
	HIGH_ADDR = 0x100000,
	LOW_ADDR = 0x10000,
	SETUP_MOST = 0x8000,      /* the real-mode part; stack and heap follow it */
	INITRD_FLOOR = 0x400000,
};

#define INITRD_MOST (2 * GiB)

struct header {
	const uint8_t *h;      /* the file */
	unsigned version;
	uint64_t setup_bytes;  /* boot sector and setup sectors */
	uint64_t kernel_bytes;
	uint8_t loadflags;
	uint16_t xloadflags;
	uint64_t kernel_end;   /* of all that the kernel touches before it knows the memory map */
	uint64_t initrd_max;   /* last byte that an initial RAM disk may have */
	uint64_t cmdline_max;
};

bool
linux_recognise(const struct blob *file)
{
	return blob_has(file, 0, 0x400) && memcmp(file->data + MAGIC, "HdrS", 4) == 0 &&
		load_le(file->data + BOOT_FLAG, 2) == 0xaa55;
}

static bool
parse(struct header *h, const struct blob *file, struct err *e)
{
	const uint8_t *p = file->data;
	unsigned sectors = p[SETUP_SECTS] == 0 ? 4 : p[SETUP_SECTS];

	*h = (struct header){
		.h = p,
		.version = (unsigned)load_le(p + VERSION, 2),
		.setup_bytes = (sectors + 1) * 512ull,
		.loadflags = p[LOADFLAGS],
		.initrd_max = 0x37ffffff,
		.cmdline_max = 255,
	};
	if (h->version < 0x200)
		return err_set(e, "boot protocol %u.%02u is too old; 2.00 is the least", h->version >> 8, h->version & 0xff);
	if (h->setup_bytes >= file->size || h->setup_bytes > SETUP_MOST)
		return err_set(e, "the file is cut off or damaged: %u setup sectors in %zu bytes", sectors, file->size);
	h->kernel_bytes = file->size - h->setup_bytes;
	h->kernel_end = HIGH_ADDR + h->kernel_bytes;
	if (h->version >= 0x203)
		h->initrd_max = load_le(p + INITRD_ADDR_MAX, 4);
	if (h->version >= 0x206)
		h->cmdline_max = load_le(p + CMDLINE_SIZE, 4);
	if (h->version >= 0x20a)
		h->kernel_end = MAX(h->kernel_end, load_le(p + PREF_ADDRESS, 8) + load_le(p + INIT_SIZE, 4));
	if (h->version >= 0x20c) {
		h->xloadflags = (uint16_t)load_le(p + XLOADFLAGS, 2);
		if (h->xloadflags & XLF_ABOVE_4G)
			h->initrd_max = UINT32_MAX;
	}
	return true;
}

static bool
can_start_directly(const struct header *h)
{
	return h->version >= 0x20c && (h->loadflags & LOADED_HIGH) && h->h[RELOCATABLE] != 0 &&
		(h->xloadflags & XLF_KERNEL_64) && h->h[HEADER_JUMP] >= HEADER_LEAST - MAGIC;
}

/*
 * "vga=" of the command line is the loader's to understand: the mode that the kernel's real-mode code is to set.  False:
 * there is none, or the normal one.
 */
static bool
video_mode(const char *cmdline, uint16_t *mode)
{
	const char *word = cmdline;

	while ((word = strstr(word, "vga=")) != NULL && word != cmdline && word[-1] != ' ')
		word += 4;
	if (word == NULL)
		return false;
	word += 4;
	*mode = (uint16_t)strtoul(word, NULL, 0);
	if (strncmp(word, "ask", 3) == 0)
		*mode = 0xfffd;
	else if (strncmp(word, "ext", 3) == 0)
		*mode = 0xfffe;
	return *mode != 0 && strncmp(word, "normal", 6) != 0;
}

/* The highest place for it that the kernel allows, clear of the kernel itself. */
static bool
place_initrd(struct boot_piece *piece, const struct header *h, uint64_t memory_end, struct err *e)
{
	uint64_t end = MIN(memory_end, h->initrd_max + 1);
	uint64_t floor = MAX(h->kernel_end, (uint64_t)INITRD_FLOOR);
	uint64_t size = piece->blob.size;

	if (size > end || (end - size) / 4096 * 4096 < MIN(floor, end))
		return err_set(e, "the kernel and a RAM disk of %llu KiB do not fit into the guest's memory; give more with -m",
			(unsigned long long)(size / KiB));
	piece->addr = (end - size) / 4096 * 4096;
	return true;
}

static bool
take_initrd(struct boot_plan *p, const struct boot_request *r, const struct header *h, uint64_t memory_end, struct err *e)
{
	struct boot_piece *piece = &p->pieces[PIECE_INITRD];

	if (r->initrd == NULL)
		return true;
	if (!blob_load(&piece->blob, r->initrd, INITRD_MOST, e) || !place_initrd(piece, h, memory_end, e))
		return err_prefix(e, "-initrd ");
	return true;
}

static void
take_bytes(struct boot_piece *piece, uint64_t addr, const void *data, size_t size)
{
	piece->addr = addr;
	piece->blob.size = size;
	piece->blob.data = xcalloc(1, size + 1);
	memcpy(piece->blob.data, data, size);
}

static void
put_memory_map(uint8_t *zero_page, const struct memory_map *map)
{
	uint64_t above_1m = map->below_4g > MiB ? (map->below_4g - MiB) / KiB : 0;

	for (unsigned i = 0; i < map->count; i++) {
		uint8_t *entry = zero_page + E820_TABLE + i * E820_ENTRY;

		store_le(entry, map->ranges[i].first, 8);
		store_le(entry + 8, map->ranges[i].size, 8);
		store_le(entry + 16, map->ranges[i].type, 4);
	}
	zero_page[E820_COUNT] = (uint8_t)map->count;
	store_le(zero_page + ALT_MEM_K, MIN(above_1m, UINT32_MAX), 4);
	store_le(zero_page + SCREEN_EXT_MEM_K, MIN(above_1m, 0xfc00), 2);
}

/* The text mode that direct.c sets up. */
static void
put_screen(uint8_t *zero_page)
{
	store_le(zero_page + SCREEN_CURSOR, 0, 2);
	zero_page[SCREEN_MODE] = 3;
	zero_page[SCREEN_COLUMNS] = 80;
	zero_page[SCREEN_LINES] = 25;
	zero_page[SCREEN_IS_VGA] = 1;
	store_le(zero_page + SCREEN_POINTS, 16, 2);
}

static bool
plan_direct(struct boot_plan *p, const struct header *h, const struct boot_request *r, struct err *e)
{
	uint8_t page[4096] = { 0 };
	size_t header_bytes = MIN((size_t)MAGIC + h->h[HEADER_JUMP], (size_t)0x290) - SETUP_SECTS;

	if (h->kernel_end > r->map.loadable_end)
		return err_set(e, "the kernel needs %llu MiB of memory to start; give more with -m",
			(unsigned long long)((h->kernel_end + MiB - 1) / MiB));
	if (!take_initrd(p, r, h, r->map.loadable_end, e))
		return false;
	memcpy(page + SETUP_SECTS, h->h + SETUP_SECTS, header_bytes);
	page[TYPE_OF_LOADER] = LOADER_UNKNOWN;
	store_le(page + CODE32_START, HIGH_ADDR, 4);
	store_le(page + RAMDISK_IMAGE, p->pieces[PIECE_INITRD].addr, 4);
	store_le(page + RAMDISK_SIZE, p->pieces[PIECE_INITRD].blob.size, 4);
	store_le(page + CMD_LINE_PTR, CMDLINE_ADDR, 4);
	store_le(page + ACPI_RSDP, r->map.rsdp, 8);
	put_memory_map(page, &r->map);
	put_screen(page);
	take_bytes(&p->pieces[PIECE_SETUP], REAL_ADDR, page, sizeof(page));
	p->direct = true;
	p->entry = HIGH_ADDR;
	p->esi = REAL_ADDR;
	return true;
}

/* The fields that a loader fills in the kernel's own header. */
static void
patch_setup(uint8_t *setup, const struct header *h, const struct boot_plan *p, uint64_t real, uint64_t cmdline)
{
	const struct boot_piece *initrd = &p->pieces[PIECE_INITRD];
	uint16_t mode;

	if (video_mode((const char *)p->pieces[PIECE_CMDLINE].blob.data, &mode))
		store_le(setup + VIDEO_MODE, mode, 2);
	setup[TYPE_OF_LOADER] = LOADER_UNKNOWN;
	if (h->version >= 0x201) {
		setup[LOADFLAGS] |= CAN_USE_HEAP;
		store_le(setup + HEAP_END_PTR, cmdline - real - 0x200, 2);
	}
	if (h->version >= 0x202) {
		store_le(setup + CMD_LINE_PTR, cmdline, 4);
	} else {
		store_le(setup + OLD_CMDLINE_MAGIC, 0xa33f, 2);
		store_le(setup + OLD_CMDLINE_OFFSET, cmdline - real, 2);
	}
	if (initrd->blob.size > 0) {
		store_le(setup + RAMDISK_IMAGE, initrd->addr, 4);
		store_le(setup + RAMDISK_SIZE, initrd->blob.size, 4);
	}
}

static bool
plan_firmware(struct boot_plan *p, const struct header *h, const struct boot_request *r, struct err *e)
{
	bool high = h->loadflags & LOADED_HIGH;
	bool modern = high && h->version >= 0x202;
	uint64_t real = modern ? REAL_ADDR : REAL_ADDR_LOW;
	uint64_t cmdline = modern ? CMDLINE_ADDR : REAL_ADDR_LOW + 0x9a00 - align_up(strlen(r->append) + 1, 16);
	uint64_t end = r->map.below_4g > FIRMWARE_TOP ? r->map.below_4g - FIRMWARE_TOP : 0;
	struct boot_piece *setup = &p->pieces[PIECE_SETUP];

	if (!high && h->kernel_bytes > REAL_ADDR_LOW - LOW_ADDR)
		return err_set(e, "%llu KiB are too much for a kernel in low memory", (unsigned long long)(h->kernel_bytes / KiB));
	if (high && HIGH_ADDR + h->kernel_bytes > end)
		return err_set(e, "the kernel does not fit into the guest's memory; give more with -m");
	if (!take_initrd(p, r, h, end, e))
		return false;
	p->pieces[PIECE_KERNEL].addr = high ? HIGH_ADDR : LOW_ADDR;
	p->pieces[PIECE_CMDLINE].addr = cmdline;
	take_bytes(setup, real, h->h, h->setup_bytes);
	patch_setup(setup->blob.data, h, p, real, cmdline);
	return true;
}

bool
linux_plan(struct boot_plan *p, const struct blob *file, const struct boot_request *r, struct err *e)
{
	struct header h;
	uint16_t mode;

	if (!parse(&h, file, e))
		return false;
	if (strlen(r->append) > MIN(h.cmdline_max, 0x7000u))
		return err_set(e, "the command line has %zu characters; this kernel takes %llu", strlen(r->append),
			(unsigned long long)MIN(h.cmdline_max, 0x7000u));
	/* Setting a video mode takes BIOS services. */
	bool direct = can_start_directly(&h) && !r->firmware_only && (r->direct_only || !video_mode(r->append, &mode));
	if (r->direct_only && !direct)
		return err_set(e, "this kernel can't start without firmware; use kernel-through=firmware");
	take_bytes(&p->pieces[PIECE_KERNEL], HIGH_ADDR, file->data + h.setup_bytes, h.kernel_bytes);
	take_bytes(&p->pieces[PIECE_CMDLINE], CMDLINE_ADDR, r->append, strlen(r->append) + 1);
	return direct ? plan_direct(p, &h, r, e) : plan_firmware(p, &h, r, e);
}
