/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A parallel port with a printer that is always ready: the SPP registers of the IBM PC, and EPP's address and data ports
 * (IEEE 1284-1994), which pass bytes without a strobe.
 *
 * A byte is printed at the falling end of STROBE; the acknowledge that follows interrupts if control bit 4 is set.
 */
#include "hw/hw.h"

#include "base/util.h"
#include "ui/ui.h"

#include <stdio.h>

enum { REG_DATA, REG_STATUS, REG_CONTROL, REG_EPP_ADDRESS, REG_EPP_DATA, REG_COUNT = 8 };

enum {
	STATUS_NO_ERROR = 0x08,
	STATUS_SELECTED = 0x10,
	STATUS_NO_ACK = 0x40,
	STATUS_NOT_BUSY = 0x80,

	CONTROL_STROBE = 0x01,
	CONTROL_RUN = 0x04,    /* low initialises the printer */
	CONTROL_SELECT = 0x08,
	CONTROL_IRQ = 0x10,
	CONTROL_INPUT = 0x20,
	CONTROL_ALWAYS = 0xc0, /* read as ones */
};

struct parallel {
	struct dev dev;
	struct region ports;
	struct irq out;
	struct chr *chr;
	struct {
		uint8_t data, control;
		uint8_t epp_address;
		bool acknowledged; /* and not yet seen: the interrupt */
	} state;
};

static void
update(struct parallel *p)
{
	irq_set(&p->out, p->state.acknowledged && (p->state.control & CONTROL_IRQ) != 0);
}

/* What the host does not take is lost, as by a printer out of paper that nobody looks after. */
static void
print_byte(struct parallel *p, uint8_t byte)
{
	if (p->chr != NULL)
		chr_write(p->chr, &byte, 1);
}

static void
write_control(struct parallel *p, uint8_t value)
{
	uint8_t ended = p->state.control & ~value;

	p->state.control = value & ~CONTROL_ALWAYS;
	if ((ended & CONTROL_STROBE) != 0 && (value & CONTROL_RUN) != 0) {
		print_byte(p, p->state.data);
		p->state.acknowledged = true;
	}
	if ((value & CONTROL_IRQ) == 0)
		p->state.acknowledged = false;
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct parallel *p = opaque;

	(void)size;
	switch (offset) {
	case REG_DATA:
		return (p->state.control & CONTROL_INPUT) != 0 ? 0xff : p->state.data;
	case REG_STATUS:
		p->state.acknowledged = false;
		update(p);
		return STATUS_NOT_BUSY | STATUS_NO_ACK | STATUS_NO_ERROR | STATUS_SELECTED;
	case REG_CONTROL:
		return p->state.control | CONTROL_ALWAYS;
	case REG_EPP_ADDRESS:
		return p->state.epp_address;
	default:
		return 0xff;
	}
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct parallel *p = opaque;

	(void)size;
	switch (offset) {
	case REG_DATA:
		p->state.data = value;
		break;
	case REG_CONTROL:
		write_control(p, value);
		break;
	case REG_EPP_ADDRESS:
		p->state.epp_address = value;
		break;
	case REG_EPP_DATA ... REG_COUNT - 1:
		print_byte(p, value);
		break;
	}
	update(p);
}

static const struct region_ops ports_ops = { ports_read, ports_write, 1, 1 };

static const struct field fields[] = {
	FIELD_OF(struct parallel, state.data),
	FIELD_OF(struct parallel, state.control),
	FIELD_OF(struct parallel, state.epp_address),
	FIELD_MAX(struct parallel, state.acknowledged, 1),
	FIELD_END
};

static void
parallel_reset(struct dev *d)
{
	struct parallel *p = (struct parallel *)d;

	memset(&p->state, 0, sizeof(p->state));
	p->state.control = CONTROL_RUN | CONTROL_SELECT;
	update(p);
}

static bool
parallel_loaded(struct dev *d, struct err *e)
{
	(void)e;
	update((struct parallel *)d);
	return true;
}

static void
parallel_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct parallel *p = (struct parallel *)d;
	char line[64];

	snprintf(line, sizeof(line), "  port %llx data %02x control %02x\n", (unsigned long long)p->ports.base,
		p->state.data, p->state.control);
	print(opaque, line);
}

static const struct dev_class parallel_class = {
	DEV_OF(parallel),
	.description = "parallel port",
	.fields = fields,
	.reset = parallel_reset,
	.loaded = parallel_loaded,
	.info = parallel_info,
};

struct dev *
parallel_new(const struct dev_env *env, const char *id, unsigned port, struct irq out, struct chr *chr)
{
	struct parallel *p = (struct parallel *)dev_new(env, &parallel_class, id);

	p->out = out;
	p->chr = chr;
	region_init_io(&p->ports, "parallel", &ports_ops, p, REG_COUNT);
	space_add(env->io, &p->ports, port, 0);
	parallel_reset(&p->dev);
	return &p->dev;
}
