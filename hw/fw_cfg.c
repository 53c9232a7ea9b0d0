/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device of QEMU's PCs, as docs/specs/fw_cfg describes it: numbered items that firmware and
 * kernels read byte by byte or by DMA, and a directory that gives some of them names.
 *
 * Registers: 510h selects an item (16 bits); 511h gives its next byte; 514h takes the address of a DMA descriptor, as
 * two big-endian halves, the low one of which starts it.  All work is done before the write returns.  Items can't be
 * written by the guest: a DMA write ends with the error bit.
 */
#include "hw/hw.h"

#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	KEY_SIGNATURE = 0x00,
	KEY_ID = 0x01,
	KEY_FILE_DIR = 0x19,
	KEY_FILE_FIRST = 0x20,
	FILES_MAX = 1024,
	NAME_SIZE = 56,
	DIR_ENTRY = 64,
};

enum {
	ID_TRADITIONAL = 1,
	ID_DMA = 2,
};

enum {
	DMA_ERROR = 0x01,
	DMA_READ = 0x02,
	DMA_SKIP = 0x04,
	DMA_SELECT = 0x08,
	DMA_WRITE = 0x10,
};

/* How much of a DMA read past an item's end is filled with zeros; firmware asks for sizes that it was told. */
enum { FILL_MAX = 1 << 20, FILL_STEP = 4096 };

struct item {
	uint16_t key;
	size_t len;
	uint8_t *data;
};

struct file {
	char name[NAME_SIZE];
	size_t len;
	uint8_t *data;
};

struct fw_cfg {
	struct dev dev;
	struct region ports, dma_ports;
	struct space *mem;
	struct item *items;
	unsigned item_count;
	struct file *files; /* sorted by name */
	unsigned file_count;
	uint8_t *directory; /* as the guest reads it */
	size_t directory_len;
	struct {
		uint64_t offset;   /* of the next byte in the selected item */
		uint32_t dma_high; /* the first half of the descriptor's address */
		uint16_t key;
		uint16_t reserved;
	} state;
};

static uint64_t
load_be(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

static void
store_be(uint8_t *p, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = v >> 8 * (size - 1 - i);
}

static const uint8_t *
selected(const struct fw_cfg *f, size_t *len)
{
	unsigned file = f->state.key - KEY_FILE_FIRST;

	*len = 0;
	if (f->state.key == KEY_FILE_DIR) {
		*len = f->directory_len;
		return f->directory;
	}
	if (f->state.key >= KEY_FILE_FIRST && file < f->file_count) {
		*len = f->files[file].len;
		return f->files[file].data;
	}
	for (unsigned i = 0; i < f->item_count; i++) {
		if (f->items[i].key == f->state.key) {
			*len = f->items[i].len;
			return f->items[i].data;
		}
	}
	return NULL;
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct fw_cfg *f = opaque;
	size_t len;
	const uint8_t *data = selected(f, &len);

	if (size != 1 || offset != 1)
		return 0;
	return f->state.offset < len ? data[f->state.offset++] : 0;
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct fw_cfg *f = opaque;

	if (offset != 0 || size != 2)
		return;
	f->state.key = value;
	f->state.offset = 0;
}

/* Zeros for the part of a read that is past the item's end. */
static bool
dma_fill(struct fw_cfg *f, gpa to, uint64_t len)
{
	static const uint8_t zeros[FILL_STEP];

	if (len > FILL_MAX)
		return false;
	for (uint64_t done = 0; done < len; done += FILL_STEP) {
		if (!dma_write(f->mem, to + done, zeros, MIN(len - done, FILL_STEP)))
			return false;
	}
	return true;
}

static bool
dma_move(struct fw_cfg *f, uint32_t control, uint64_t len, gpa address)
{
	size_t item_len;
	const uint8_t *data = selected(f, &item_len);
	uint64_t offset = MIN(f->state.offset, item_len);
	uint64_t have = MIN(len, item_len - offset);

	f->state.offset = offset + have;
	if ((control & DMA_READ) != 0) {
		if (have != 0 && !dma_write(f->mem, address, data + offset, have))
			return false;
		return dma_fill(f, address + have, len - have);
	}
	return (control & DMA_WRITE) == 0;
}

/* The descriptor: control, length (32 bits each) and address (64), big-endian. */
static void
dma_run(struct fw_cfg *f, gpa descriptor)
{
	uint8_t copy[16], answer[4];
	uint32_t control;
	bool ok = true;

	if (!dma_read(f->mem, descriptor, copy, sizeof(copy))) {
		guest_bug(&f->dev, "DMA descriptor at %#llx is not in memory", (unsigned long long)descriptor);
		store_be(answer, DMA_ERROR, sizeof(answer));
		dma_write(f->mem, descriptor, answer, sizeof(answer));
		return;
	}
	control = load_be(copy, 4);
	if ((control & DMA_SELECT) != 0) {
		f->state.key = control >> 16;
		f->state.offset = 0;
	}
	if ((control & (DMA_READ | DMA_SKIP | DMA_WRITE)) != 0)
		ok = dma_move(f, control, load_be(copy + 4, 4), load_be(copy + 8, 8));
	store_be(answer, ok ? 0 : DMA_ERROR, sizeof(answer));
	dma_write(f->mem, descriptor, answer, sizeof(answer));
}

static uint64_t
dma_ports_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque;
	return load_le(&"QEMU CFG"[offset], size);
}

static void
dma_ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct fw_cfg *f = opaque;
	uint32_t half = __builtin_bswap32(value);
	gpa descriptor;

	if (size != 4)
		return;
	if (offset == 0) {
		f->state.dma_high = half;
	} else if (offset == 4) {
		descriptor = (gpa)f->state.dma_high << 32 | half;
		f->state.dma_high = 0;
		dma_run(f, descriptor);
	}
}

static const struct region_ops ports_ops = { ports_read, ports_write, 1, 2 };
static const struct region_ops dma_ports_ops = { dma_ports_read, dma_ports_write, 1, 4 };

static const struct field fields[] = {
	FIELD_OF(struct fw_cfg, state.offset),
	FIELD_OF(struct fw_cfg, state.dma_high),
	FIELD_OF(struct fw_cfg, state.key),
	FIELD_OF(struct fw_cfg, state.reserved),
	FIELD_END
};

static void
fw_cfg_reset(struct dev *d)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	memset(&f->state, 0, sizeof(f->state));
}

static void
fw_cfg_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct fw_cfg *f = (struct fw_cfg *)d;
	char line[128];

	for (unsigned i = 0; i < f->file_count; i++) {
		snprintf(line, sizeof(line), "  %04x %8zu %s\n", KEY_FILE_FIRST + i, f->files[i].len,
			f->files[i].name);
		print(opaque, line);
	}
}

static void
fw_cfg_destroy(struct dev *d)
{
	struct fw_cfg *f = (struct fw_cfg *)d;

	for (unsigned i = 0; i < f->item_count; i++)
		free(f->items[i].data);
	for (unsigned i = 0; i < f->file_count; i++)
		free(f->files[i].data);
	free(f->items);
	free(f->files);
	free(f->directory);
}

static const struct dev_class fw_cfg_class = {
	DEV_OF(fw_cfg),
	.description = "firmware configuration items",
	.fields = fields,
	.reset = fw_cfg_reset,
	.info = fw_cfg_info,
	.destroy = fw_cfg_destroy,
};

static uint8_t *
copy_of(const void *data, size_t len)
{
	uint8_t *copy = xcalloc(len + 1, 1);

	if (len != 0)
		memcpy(copy, data, len);
	return copy;
}

/* The count, then of each file: size (32 bits), key, 0 (16 bits each), all big-endian; name. */
static void
make_directory(struct fw_cfg *f)
{
	f->directory_len = 4 + (size_t)f->file_count * DIR_ENTRY;
	f->directory = xrealloc(f->directory, f->directory_len);
	memset(f->directory, 0, f->directory_len);
	store_be(f->directory, f->file_count, 4);
	for (unsigned i = 0; i < f->file_count; i++) {
		uint8_t *entry = f->directory + 4 + (size_t)i * DIR_ENTRY;

		store_be(entry, f->files[i].len, 4);
		store_be(entry + 4, KEY_FILE_FIRST + i, 2);
		memcpy(entry + 8, f->files[i].name, NAME_SIZE);
	}
}

struct dev *
fw_cfg_new(const struct dev_env *env)
{
	struct fw_cfg *f = (struct fw_cfg *)dev_new(env, &fw_cfg_class, NULL);

	f->mem = env->mem;
	region_init_io(&f->ports, "fw_cfg", &ports_ops, f, 2);
	region_init_io(&f->dma_ports, "fw_cfg_dma", &dma_ports_ops, f, 8);
	space_add(env->io, &f->ports, 0x510, 0);
	space_add(env->io, &f->dma_ports, 0x514, 0);
	fw_cfg_add_bytes(&f->dev, KEY_SIGNATURE, "QEMU", 4);
	fw_cfg_add_u32(&f->dev, KEY_ID, ID_TRADITIONAL | ID_DMA);
	make_directory(f);
	return &f->dev;
}

void
fw_cfg_add_bytes(struct dev *d, uint16_t key, const void *data, size_t len)
{
	struct fw_cfg *f = (struct fw_cfg *)d;
	struct item *item;

	for (unsigned i = 0; i < f->item_count; i++) {
		if (f->items[i].key == key) {
			free(f->items[i].data);
			f->items[i].data = copy_of(data, len);
			f->items[i].len = len;
			return;
		}
	}
	f->items = xrealloc(f->items, (f->item_count + 1) * sizeof(*f->items));
	item = &f->items[f->item_count++];
	*item = (struct item){ key, len, copy_of(data, len) };
}

void
fw_cfg_add_u16(struct dev *d, uint16_t key, uint16_t v)
{
	uint8_t bytes[2];

	store_le(bytes, v, sizeof(bytes));
	fw_cfg_add_bytes(d, key, bytes, sizeof(bytes));
}

void
fw_cfg_add_u32(struct dev *d, uint16_t key, uint32_t v)
{
	uint8_t bytes[4];

	store_le(bytes, v, sizeof(bytes));
	fw_cfg_add_bytes(d, key, bytes, sizeof(bytes));
}

void
fw_cfg_add_u64(struct dev *d, uint16_t key, uint64_t v)
{
	uint8_t bytes[8];

	store_le(bytes, v, sizeof(bytes));
	fw_cfg_add_bytes(d, key, bytes, sizeof(bytes));
}

/* Where NAME is or belongs in the sorted files. */
static unsigned
file_place(const struct fw_cfg *f, const char *name)
{
	unsigned i = 0;

	while (i < f->file_count && strncmp(f->files[i].name, name, NAME_SIZE - 1) < 0)
		i++;
	return i;
}

void
fw_cfg_add_file(struct dev *d, const char *name, const void *data, size_t len)
{
	struct fw_cfg *f = (struct fw_cfg *)d;
	unsigned at = file_place(f, name);
	bool there = at < f->file_count && strncmp(f->files[at].name, name, NAME_SIZE - 1) == 0;
	struct file *file;

	if (!there && f->file_count == FILES_MAX)
		return;
	if (there) {
		free(f->files[at].data);
	} else {
		f->files = xrealloc(f->files, (f->file_count + 1) * sizeof(*f->files));
		memmove(f->files + at + 1, f->files + at, (f->file_count - at) * sizeof(*f->files));
		f->file_count++;
	}
	file = &f->files[at];
	memset(file->name, 0, sizeof(file->name));
	strncpy(file->name, name, NAME_SIZE - 1);
	file->data = copy_of(data, len);
	file->len = len;
	make_directory(f);
}
