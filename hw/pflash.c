/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NOR flash with Intel's command set (28FxxxJ3 data sheet, "Bus Operations" and "Command Definitions"; CFI 1.4,
 * JEDEC JESD68) as PC firmware of virtual machines expects it: one chip, 8 bits wide, erase blocks of 4 KiB.
 *
 * While it reads as an array the guest sees the memory itself; any other mode puts registers in front of it, and the
 * change of view at its end drops code translated from there.  Programming and erasing take no time.  What changed is
 * written back to the image when the guest returns to the array.  As QEMU's does, and OVMF asks for, a cleared status is
 * 00h; the ready bit comes with the next operation.
 */
#include "hw/hw.h"

#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "disk/disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { BLOCK = 4096, BUFFER = 2048, BUFFER_LOG = 11, CFI_SIZE = 0x40, SIZE_MAX_MIB = 64 };

enum {
	CMD_PROGRAM_OLD = 0x10,
	CMD_ERASE = 0x20,
	CMD_PROGRAM = 0x40,
	CMD_CLEAR_STATUS = 0x50,
	CMD_LOCK = 0x60,
	CMD_READ_STATUS = 0x70,
	CMD_READ_ID = 0x90,
	CMD_READ_CFI = 0x98,
	CMD_SUSPEND = 0xb0,
	CMD_CONFIRM = 0xd0,
	CMD_BUFFER = 0xe8,
	CMD_READ_ARRAY = 0xff,

	STATUS_READY = 0x80,
	STATUS_ERASE_ERROR = 0x20,
	STATUS_PROGRAM_ERROR = 0x10,
	STATUS_PROTECTED = 0x02,
};

enum mode { MODE_ARRAY, MODE_STATUS, MODE_ID, MODE_CFI, MODES };
/* What the next write is, if not a command. */
enum step { STEP_COMMAND, STEP_PROGRAM, STEP_ERASE, STEP_LOCK, STEP_COUNT, STEP_FILL, STEP_CONFIRM, STEPS };

struct pflash {
	struct dev dev;
	struct region array;    /* what is read and executed in array mode; its writes are commands */
	struct region commands; /* in front of it in the other modes */
	struct disk *disk;
	uint8_t *host;
	uint64_t size;
	bool readonly;
	uint8_t *dirty;         /* a byte per block: to be written back */
	uint64_t blocks, dirty_count;
	struct {
		uint64_t buffer_at;     /* where the buffered program goes */
		uint32_t buffer_len, buffer_left;
		uint8_t buffer[BUFFER];
		uint8_t mode, step, status;
		uint8_t reserved[5];
	} state;
};

/* ---- writing back ---- */

static uint64_t
block_len(const struct pflash *f, uint64_t block)
{
	return MIN(BLOCK, f->size - block * BLOCK);
}

/* A block that the host does not take stays to be tried again, and the guest finds an error in the status. */
static void
write_back(struct pflash *f)
{
	int error;

	for (uint64_t b = 0; b < f->blocks && f->dirty_count != 0; b++) {
		if (f->dirty[b] == 0)
			continue;
		error = disk_write_sync(f->disk, b * BLOCK, f->host + b * BLOCK, block_len(f, b));
		if (error != 0) {
			log_printf("%s: can't be written: %s\n", disk_file(f->disk), strerror(error));
			f->state.status |= STATUS_PROGRAM_ERROR;
			return;
		}
		f->dirty[b] = 0;
		f->dirty_count--;
	}
}

static void
touch(struct pflash *f, uint64_t offset, uint64_t len)
{
	for (uint64_t b = offset / BLOCK; b <= (offset + len - 1) / BLOCK; b++) {
		f->dirty_count += f->dirty[b] == 0;
		f->dirty[b] = 1;
	}
}

/* ---- the state machine ---- */

static void
set_mode(struct pflash *f, enum mode mode)
{
	if (mode == MODE_ARRAY)
		write_back(f);
	f->state.mode = mode;
	f->state.step = STEP_COMMAND;
	if (f->commands.enabled != (mode != MODE_ARRAY))
		region_set_enabled(&f->commands, mode != MODE_ARRAY);
}

static void
expect(struct pflash *f, enum step step)
{
	set_mode(f, MODE_STATUS);
	f->state.status |= STATUS_READY;
	f->state.step = step;
}

/* Programming only clears bits. */
static void
program(struct pflash *f, uint64_t offset, const uint8_t *from, uint64_t len)
{
	if (f->readonly) {
		f->state.status |= STATUS_PROGRAM_ERROR | STATUS_PROTECTED;
		return;
	}
	if (offset >= f->size || len > f->size - offset) {
		f->state.status |= STATUS_PROGRAM_ERROR;
		return;
	}
	for (uint64_t i = 0; i < len; i++)
		f->host[offset + i] &= from[i];
	if (len != 0)
		touch(f, offset, len);
}

static void
erase(struct pflash *f, uint64_t offset)
{
	uint64_t block = offset / BLOCK;

	if (f->readonly) {
		f->state.status |= STATUS_ERASE_ERROR | STATUS_PROTECTED;
		return;
	}
	memset(f->host + block * BLOCK, 0xff, block_len(f, block));
	touch(f, block * BLOCK, block_len(f, block));
}

static void
command(struct pflash *f, uint8_t value)
{
	switch (value) {
	case CMD_PROGRAM_OLD:
	case CMD_PROGRAM:
		expect(f, STEP_PROGRAM);
		break;
	case CMD_ERASE:
		expect(f, STEP_ERASE);
		break;
	case CMD_LOCK:
		expect(f, STEP_LOCK);
		break;
	case CMD_BUFFER:
		expect(f, STEP_COUNT);
		break;
	case CMD_CLEAR_STATUS:
		f->state.status = 0;
		set_mode(f, MODE_ARRAY);
		break;
	case CMD_READ_STATUS:
	case CMD_SUSPEND:
	case CMD_CONFIRM:
		set_mode(f, MODE_STATUS);
		break;
	case CMD_READ_ID:
		set_mode(f, MODE_ID);
		break;
	case CMD_READ_CFI:
		set_mode(f, MODE_CFI);
		break;
	case CMD_READ_ARRAY:
	case 0x00:
	case 0xf0:
		set_mode(f, MODE_ARRAY);
		break;
	default:
		guest_unimp(&f->dev, "command %02x", value);
		set_mode(f, MODE_ARRAY);
		break;
	}
}

/* A count of N is N + 1 bytes. */
static void
buffer_count(struct pflash *f, uint64_t value)
{
	if (value >= BUFFER) {
		f->state.status |= STATUS_PROGRAM_ERROR;
		set_mode(f, MODE_STATUS);
		return;
	}
	f->state.buffer_len = f->state.buffer_left = value + 1;
	f->state.buffer_at = UINT64_MAX;
	memset(f->state.buffer, 0xff, sizeof(f->state.buffer));
	f->state.step = STEP_FILL;
}

/* The first write says where; the others may come in any order inside the length. */
static void
buffer_fill(struct pflash *f, uint64_t offset, uint64_t value, unsigned size)
{
	uint8_t bytes[8];

	if (f->state.buffer_at == UINT64_MAX)
		f->state.buffer_at = offset;
	store_le(bytes, value, size);
	for (unsigned i = 0; i < size && f->state.buffer_left != 0; i++, f->state.buffer_left--) {
		uint64_t at = offset + i - f->state.buffer_at;

		if (at < f->state.buffer_len)
			f->state.buffer[at] = bytes[i];
	}
	if (f->state.buffer_left == 0)
		f->state.step = STEP_CONFIRM;
}

static void
flash_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct pflash *f = opaque;
	enum step step = f->state.step;
	uint8_t bytes[8];

	store_le(bytes, value, size);
	switch (step) {
	case STEP_COMMAND:
		command(f, value);
		return;
	case STEP_PROGRAM:
		program(f, offset, bytes, size);
		break;
	case STEP_ERASE:
		if (bytes[0] == CMD_CONFIRM)
			erase(f, offset);
		else
			f->state.status |= STATUS_ERASE_ERROR | STATUS_PROGRAM_ERROR;
		break;
	case STEP_COUNT:
		buffer_count(f, value);
		return;
	case STEP_FILL:
		buffer_fill(f, offset, value, size);
		return;
	case STEP_CONFIRM:
		if (bytes[0] == CMD_CONFIRM)
			program(f, f->state.buffer_at, f->state.buffer, f->state.buffer_len);
		else
			f->state.status |= STATUS_PROGRAM_ERROR;
		break;
	default: /* lock bits are taken and not kept */
		break;
	}
	set_mode(f, MODE_STATUS);
}

/* The query table: geometry as one chip of blocks of one size. */
static uint8_t
cfi_byte(const struct pflash *f, uint64_t index)
{
	unsigned log = 63 - __builtin_clzll(f->size), blocks = f->blocks - 1;
	const uint8_t table[CFI_SIZE] = {
		[0x10] = 'Q', 'R', 'Y',
		[0x13] = 0x01, 0x00, 0x31, 0x00,       /* Intel's extended command set, its table at 31h */
		[0x1b] = 0x45, 0x55, 0x00, 0x00,       /* volts */
		[0x1f] = 0x07, 0x07, 0x0a, 0x00, 0x04, 0x04, 0x04, 0x00,
		[0x27] = log, 0x00, 0x00, BUFFER_LOG, 0x00, 0x01,
		[0x2d] = blocks, blocks >> 8, BLOCK >> 8 & 0xff, BLOCK >> 16,
		[0x31] = 'P', 'R', 'I', '1', '0',
	};

	return index < CFI_SIZE ? table[index] : 0;
}

static uint8_t
register_byte(const struct pflash *f, uint64_t offset)
{
	switch (f->state.mode) {
	case MODE_ID:
		return (offset & 0xff) == 0 ? 0x89 : (offset & 0xff) == 1 ? 0x18 : 0;
	case MODE_CFI:
		return cfi_byte(f, offset & 0xff);
	case MODE_ARRAY:
		return offset < f->size ? f->host[offset] : 0xff;
	default:
		return f->state.status;
	}
}

static uint64_t
flash_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pflash *f = opaque;
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)register_byte(f, offset + i) << 8 * i;
	return value;
}

static const struct region_ops flash_ops = { flash_read, flash_write, 1, 8 };

/* ---- class ---- */

static const struct field fields[] = {
	FIELD_OF(struct pflash, state.buffer_at),
	FIELD_MAX(struct pflash, state.buffer_len, BUFFER),
	FIELD_MAX(struct pflash, state.buffer_left, BUFFER),
	FIELD_BUFFER(struct pflash, state.buffer),
	FIELD_MAX(struct pflash, state.mode, MODES - 1),
	FIELD_MAX(struct pflash, state.step, STEPS - 1),
	FIELD_OF(struct pflash, state.status),
	FIELD_BUFFER(struct pflash, state.reserved),
	FIELD_END
};

static void
pflash_reset(struct dev *d)
{
	struct pflash *f = (struct pflash *)d;

	write_back(f);
	memset(&f->state, 0, sizeof(f->state));
	f->state.status = STATUS_READY;
	set_mode(f, MODE_ARRAY);
}

static bool
pflash_loaded(struct dev *d, struct err *e)
{
	struct pflash *f = (struct pflash *)d;

	(void)e;
	region_set_enabled(&f->commands, f->state.mode != MODE_ARRAY);
	return true;
}

static void
pflash_destroy(struct dev *d)
{
	struct pflash *f = (struct pflash *)d;

	write_back(f);
	space_remove(&f->array);
	space_remove(&f->commands);
	if (f->host != NULL)
		munmap(f->host, align_up(f->size, BLOCK));
	free(f->dirty);
}

static void
pflash_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct pflash *f = (struct pflash *)d;
	char line[512];

	snprintf(line, sizeof(line), "  %s, %llu KiB%s\n", disk_file(f->disk), (unsigned long long)(f->size / KiB),
		f->readonly ? ", read-only" : "");
	print(opaque, line);
}

static const struct dev_class pflash_class = {
	DEV_OF(pflash),
	.description = "flash memory",
	.fields = fields,
	.reset = pflash_reset,
	.loaded = pflash_loaded,
	.info = pflash_info,
	.destroy = pflash_destroy,
};

/* The contents of DISK in fresh memory, or NULL with E set. */
static uint8_t *
read_contents(struct disk *disk, uint64_t size, struct err *e)
{
	uint8_t *host;
	int error;

	if (size == 0 || size % BLOCK != 0 || size > SIZE_MAX_MIB * MiB) {
		err_set(e, "%s: a flash image has a multiple of 4 KiB, and %u MiB at the most", disk_file(disk),
			SIZE_MAX_MIB);
		return NULL;
	}
	host = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (host == MAP_FAILED) {
		err_set(e, "%s: no memory for %llu KiB of flash", disk_file(disk), (unsigned long long)(size / KiB));
		return NULL;
	}
	error = disk_read_sync(disk, 0, host, size);
	if (error == 0)
		return host;
	err_set(e, "%s: can't be read: %s", disk_file(disk), strerror(error));
	munmap(host, size);
	return NULL;
}

struct dev *
pflash_new(const struct dev_env *env, const char *id, gpa base, struct disk *disk, struct err *e)
{
	uint64_t size = disk_bytes(disk);
	uint8_t *host = read_contents(disk, size, e);
	struct pflash *f;

	if (host == NULL)
		return NULL;
	f = (struct pflash *)dev_new(env, &pflash_class, id);
	f->disk = disk;
	f->host = host;
	f->size = size;
	f->blocks = size / BLOCK;
	f->dirty = xcalloc(f->blocks, 1);
	f->readonly = disk_is_readonly(disk);
	region_init_rom(&f->array, "pflash", host, size);
	f->array.ops = &flash_ops;
	f->array.opaque = f;
	region_init_io(&f->commands, "pflash_commands", &flash_ops, f, size);
	space_add(env->mem, &f->array, base, 0);
	space_add(env->mem, &f->commands, base, 1);
	pflash_reset(&f->dev);
	return &f->dev;
}
