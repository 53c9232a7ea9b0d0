/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The debug console of Bochs and QEMU: each byte written to its port goes to the host; a read gives a constant, E9h, by
 * which software finds it.  It has no state.
 */
#include "hw/hw.h"

#include "ui/ui.h"

struct debugcon {
	struct dev dev;
	struct region port;
	struct chr *chr;
	struct {
		uint8_t readback;
	} state;
};

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct debugcon *c = opaque;

	(void)offset, (void)size;
	return c->state.readback;
}

/* What the host does not take is lost: a guest is never held up by its own messages. */
static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct debugcon *c = opaque;
	uint8_t byte = value;

	(void)offset, (void)size;
	if (c->chr != NULL)
		chr_write(c->chr, &byte, 1);
}

static const struct region_ops port_ops = { port_read, port_write, 1, 1 };

static const struct field fields[] = {
	FIELD_SKIP(struct debugcon, state.readback),
	FIELD_END
};

static const struct dev_class debugcon_class = {
	DEV_OF(debugcon),
	.description = "debug console port",
	.fields = fields,
};

struct dev *
debugcon_new(const struct dev_env *env, const char *id, unsigned port, uint8_t readback, struct chr *chr)
{
	struct debugcon *c = (struct debugcon *)dev_new(env, &debugcon_class, id);

	c->chr = chr;
	c->state.readback = readback;
	region_init_io(&c->port, "debugcon", &port_ops, c, 1);
	space_add(env->io, &c->port, port, 0);
	return &c->dev;
}
