/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's pc-testdev, which kvm-unit-tests drives: a register that reads back what was written (E0h as a whole, E8h byte
 * by byte), a port that asks the host to drop a page (E4h; nothing is kept that would need it), one port for each of
 * 24 interrupt lines (2000h-2017h), 64 KiB of registers at FF000000h, and the old message port F1h.
 */
#include "hw/hw.h"

#include "base/util.h"

enum { MEMORY_SIZE = 0x10000, LINES = 24 };

struct pc_testdev {
	struct dev dev;
	struct region whole, flush, bytes, message, line_ports, memory;
	struct irq lines[LINES];
	struct {
		uint32_t value;
		uint8_t levels[LINES];
		uint8_t memory[MEMORY_SIZE];
	} state;
};

static uint64_t
value_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pc_testdev *t = opaque;

	return (uint64_t)t->state.value >> 8 * offset & (size < 4 ? (1u << 8 * size) - 1 : UINT32_MAX);
}

static void
value_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct pc_testdev *t = opaque;
	uint8_t bytes[4];

	store_le(bytes, t->state.value, 4);
	if (offset + size <= sizeof(bytes))
		store_le(bytes + offset, value, size);
	t->state.value = load_le(bytes, 4);
}

static uint64_t
nothing_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return 0;
}

static void
nothing_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)opaque, (void)offset, (void)value, (void)size;
}

static void
line_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct pc_testdev *t = opaque;

	(void)size;
	if (offset >= LINES)
		return;
	t->state.levels[offset] = value != 0;
	irq_set(&t->lines[offset], t->state.levels[offset]);
}

static uint64_t
memory_read(void *opaque, uint64_t offset, unsigned size)
{
	struct pc_testdev *t = opaque;

	return offset + size <= MEMORY_SIZE ? load_le(t->state.memory + offset, size) : 0;
}

static void
memory_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct pc_testdev *t = opaque;

	if (offset + size <= MEMORY_SIZE)
		store_le(t->state.memory + offset, value, size);
}

static const struct region_ops whole_ops = { value_read, value_write, 1, 4 };
static const struct region_ops byte_ops = { value_read, value_write, 1, 1 };
static const struct region_ops nothing_ops = { nothing_read, nothing_write, 1, 4 };
static const struct region_ops line_ops = { nothing_read, line_write, 1, 1 };
static const struct region_ops memory_ops = { memory_read, memory_write, 1, 8 };

static const struct field fields[] = {
	FIELD_OF(struct pc_testdev, state.value),
	FIELD_BUFFER(struct pc_testdev, state.levels),
	FIELD_BUFFER(struct pc_testdev, state.memory),
	FIELD_END
};

static void
pc_testdev_reset(struct dev *d)
{
	struct pc_testdev *t = (struct pc_testdev *)d;

	for (unsigned i = 0; i < LINES; i++) {
		if (t->state.levels[i] != 0)
			irq_set(&t->lines[i], 0);
	}
	memset(&t->state, 0, sizeof(t->state));
}

static bool
pc_testdev_loaded(struct dev *d, struct err *e)
{
	struct pc_testdev *t = (struct pc_testdev *)d;

	(void)e;
	for (unsigned i = 0; i < LINES; i++) {
		if (t->state.levels[i] != 0)
			irq_set(&t->lines[i], 1);
	}
	return true;
}

static const struct dev_class pc_testdev_class = {
	DEV_OF(pc_testdev),
	.description = "test device of kvm-unit-tests",
	.fields = fields,
	.reset = pc_testdev_reset,
	.loaded = pc_testdev_loaded,
};

struct dev *
pc_testdev_new(const struct dev_env *env, struct irq lines[24])
{
	struct pc_testdev *t = (struct pc_testdev *)dev_new(env, &pc_testdev_class, NULL);

	memcpy(t->lines, lines, sizeof(t->lines));
	region_init_io(&t->whole, "testdev_value", &whole_ops, t, 4);
	region_init_io(&t->flush, "testdev_flush", &nothing_ops, t, 4);
	region_init_io(&t->bytes, "testdev_bytes", &byte_ops, t, 4);
	region_init_io(&t->message, "testdev_message", &nothing_ops, t, 1);
	region_init_io(&t->line_ports, "testdev_lines", &line_ops, t, LINES);
	region_init_io(&t->memory, "testdev_memory", &memory_ops, t, MEMORY_SIZE);
	space_add(env->io, &t->whole, 0xe0, 0);
	space_add(env->io, &t->flush, 0xe4, 0);
	space_add(env->io, &t->bytes, 0xe8, -1); /* below a debug console at E9h */
	space_add(env->io, &t->message, 0xf1, 0);
	space_add(env->io, &t->line_ports, 0x2000, 0);
	space_add(env->mem, &t->memory, 0xff000000, 0);
	return &t->dev;
}
