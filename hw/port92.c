/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System control port A (92h) of the PS/2 and the PIIX3: fast A20 and fast reset. */
#include <stdio.h>

#include "hw/hw.h"

#define FAST_RESET 0x01
#define FAST_A20 0x02

struct port92 {
	struct dev dev;
	struct {
		uint8_t value;
	} state;
	struct irq reset, a20;
	struct region port;
};

static void
port92_update(struct port92 *p)
{
	irq_set(&p->a20, (p->state.value & FAST_A20) != 0);
}

static uint64_t
port92_read(void *opaque, uint64_t offset, unsigned size)
{
	struct port92 *p = opaque;

	(void)offset, (void)size;
	return p->state.value;
}

static void
port92_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct port92 *p = opaque;
	bool reset = value & ~p->state.value & FAST_RESET;

	(void)offset, (void)size;
	p->state.value = value;
	port92_update(p);
	if (reset) {
		irq_set(&p->reset, 1);
		irq_set(&p->reset, 0);
	}
}

static const struct region_ops port92_ops = { port92_read, port92_write, 1, 1 };

static void
port92_reset(struct dev *d)
{
	struct port92 *p = (struct port92 *)d;

	p->state.value = 0;
	port92_update(p);
}

static bool
port92_loaded(struct dev *d, struct err *e)
{
	(void)e;
	port92_update((struct port92 *)d);
	return true;
}

static void
port92_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	char text[32];

	snprintf(text, sizeof(text), "port 92h: %02x\n", ((struct port92 *)d)->state.value);
	print(opaque, text);
}

static void
port92_destroy(struct dev *d)
{
	struct port92 *p = (struct port92 *)d;

	space_remove(&p->port);
}

static const struct field fields[] = { FIELD_OF(struct port92, state.value), FIELD_END };

static const struct dev_class port92_class = {
	DEV_OF(port92),
	.description = "system control port A",
	.fields = fields,
	.reset = port92_reset,
	.loaded = port92_loaded,
	.info = port92_info,
	.destroy = port92_destroy,
};

struct dev *
port92_new(const struct dev_env *env, struct irq reset, struct irq a20)
{
	struct dev *d = dev_new(env, &port92_class, NULL);
	struct port92 *p = (struct port92 *)d;

	p->reset = reset;
	p->a20 = a20;
	region_init_io(&p->port, "port92", &port92_ops, p, 1);
	space_add(env->io, &p->port, 0x92, 0);
	port92_reset(d);
	return d;
}
