/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The coprocessor error register (F0h) of the PIIX3, by its data sheet, order number 290550-002: FERR# raises IRQ 13, and a
 * write here takes it back and has the processor ignore the error (IGNNE#) until FERR# falls.
 */
#include <assert.h>
#include <stdio.h>

#include "hw/hw.h"

struct portf0 {
	struct dev dev;
	struct {
		uint64_t error;   /* bit per processor: its FERR# */
		uint64_t ignored; /* IGNNE# */
	} state;
	struct irq irq13, ignne;
	struct region port;
};

static void
portf0_update(struct portf0 *p)
{
	irq_set(&p->irq13, p->state.error && !p->state.ignored);
	irq_set(&p->ignne, p->state.ignored != 0);
}

static uint64_t
portf0_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return UINT64_MAX;
}

static void
portf0_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct portf0 *p = opaque;

	(void)offset, (void)value, (void)size;
	p->state.ignored = p->state.error != 0;
	portf0_update(p);
}

static const struct region_ops portf0_ops = { portf0_read, portf0_write, 1, 1 };

static void
portf0_error(void *opaque, int n, int level)
{
	struct portf0 *p = opaque;

	p->state.error = (p->state.error & ~(1ull << n)) | (uint64_t)(level != 0) << n;
	p->state.ignored &= p->state.error != 0;
	portf0_update(p);
}

struct irq
portf0_ferr(struct dev *d, unsigned cpu)
{
	assert(cpu < 64);
	return irq_to(portf0_error, d, (int)cpu);
}

static void
portf0_reset(struct dev *d)
{
	struct portf0 *p = (struct portf0 *)d;

	p->state.error = p->state.ignored = 0;
	portf0_update(p);
}

static bool
portf0_loaded(struct dev *d, struct err *e)
{
	(void)e;
	portf0_update((struct portf0 *)d);
	return true;
}

static void
portf0_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct portf0 *p = (struct portf0 *)d;
	char text[64];

	snprintf(text, sizeof(text), "port F0h: FERR# %u, IGNNE# %u\n", p->state.error != 0, p->state.ignored != 0);
	print(opaque, text);
}

static void
portf0_destroy(struct dev *d)
{
	struct portf0 *p = (struct portf0 *)d;

	space_remove(&p->port);
}

static const struct field fields[] = {
	FIELD_OF(struct portf0, state.error), FIELD_MAX(struct portf0, state.ignored, 1), FIELD_END
};

static const struct dev_class portf0_class = {
	DEV_OF(portf0),
	.description = "coprocessor errors",
	.fields = fields,
	.reset = portf0_reset,
	.loaded = portf0_loaded,
	.info = portf0_info,
	.destroy = portf0_destroy,
};

struct dev *
portf0_new(const struct dev_env *env, struct irq irq13, struct irq ignne)
{
	struct dev *d = dev_new(env, &portf0_class, NULL);
	struct portf0 *p = (struct portf0 *)d;

	p->irq13 = irq13;
	p->ignne = ignne;
	region_init_io(&p->port, "portf0", &portf0_ops, p, 1);
	space_add(env->io, &p->port, 0xf0, 0);
	portf0_reset(d);
	return d;
}
