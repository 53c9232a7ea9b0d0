/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QEMU's isa-debug-exit: a write of V ends the machine with the exit status V << 1 | 1, so that a guest's own success
 * (0 never) can be told from the emulator's.
 */
#include "hw/hw.h"

#include "base/util.h"

struct debug_exit {
	struct dev dev;
	struct region port;
	void (*exit)(void *opaque, int status);
	void *opaque;
	struct {
		uint32_t last; /* what was written last */
	} state;
};

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return 0;
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct debug_exit *x = opaque;

	(void)offset, (void)size;
	x->state.last = value;
	x->exit(x->opaque, (int)(x->state.last << 1 | 1));
}

static const struct region_ops port_ops = { port_read, port_write, 1, 4 };

static const struct field fields[] = {
	FIELD_OF(struct debug_exit, state.last),
	FIELD_END
};

static void
debug_exit_reset(struct dev *d)
{
	((struct debug_exit *)d)->state.last = 0;
}

static const struct dev_class debug_exit_class = {
	DEV_OF(debug_exit),
	.description = "exit port",
	.fields = fields,
	.reset = debug_exit_reset,
};

struct dev *
debug_exit_new(const struct dev_env *env, unsigned port, unsigned size, void (*exit)(void *opaque, int status),
	void *opaque)
{
	struct debug_exit *x = (struct debug_exit *)dev_new(env, &debug_exit_class, NULL);

	x->exit = exit;
	x->opaque = opaque;
	region_init_io(&x->port, "debug_exit", &port_ops, x, MIN(MAX(size, 1), 8));
	space_add(env->io, &x->port, port, 0);
	return &x->dev;
}
