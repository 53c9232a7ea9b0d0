/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 8259A, two of them as in a PC/AT, with the edge/level control registers of the PIIX3 ("82371SB" data sheet).
 *
 * By the data sheet "8259A Programmable Interrupt Controller", with one exception: a request that was latched by an edge
 * stays latched when its line falls before the acknowledge.  A device that pulses its line is then never lost, and the
 * only guests that could tell are those which count spurious interrupts.
 *
 * Left out: the MCS-80 mode (CALL vectors) and the buffered mode, which have no meaning on a PC.
 */
#include <stdio.h>

#include "base/util.h"
#include "hw/hw.h"

/* ICW1, on the even port. */
#define ICW1_IC4 0x01
#define ICW1_SINGLE 0x02
#define ICW1_LEVEL 0x08
#define ICW1_INIT 0x10
/* OCW3, on the even port, told from OCW2 by bit 3. */
#define OCW3 0x08
#define OCW3_READ_ISR 0x01
#define OCW3_READ 0x02
#define OCW3_POLL 0x04
#define OCW3_MASK 0x20
#define OCW3_SET_MASK 0x40
/* ICW4, on the odd port. */
#define ICW4_AUTO_EOI 0x02
#define ICW4_NESTED 0x10

#define CASCADE 2 /* the master's input that the slave drives */
#define SPURIOUS 7

struct chip {
	uint8_t lines;        /* levels of the inputs */
	uint8_t irr, isr, imr;
	uint8_t elcr;         /* a bit per level-triggered input */
	uint8_t level;        /* ICW1's LTIM: all inputs are level-triggered */
	uint8_t vector;       /* ICW2: bits 7:3 */
	uint8_t lowest;       /* the input of lowest priority */
	uint8_t icw;          /* the initialisation word that comes next, 2 to 4; 0: none */
	uint8_t single, ic4;  /* of ICW1, while the words come in */
	uint8_t auto_eoi, auto_rotate;
	uint8_t nested;       /* special fully nested mode */
	uint8_t special_mask;
	uint8_t poll;         /* the next read is an acknowledge */
	uint8_t read_isr;
};

struct i8259 {
	struct dev dev;
	struct {
		struct chip chip[2];
	} state;
	struct irq out;
	struct region ports[2], elcr;
};

static uint8_t
level_mask(const struct chip *c)
{
	return c->level ? 0xff : c->elcr;
}

/* The place of input N in the order of priorities: 0 is the highest. */
static unsigned
rank(const struct chip *c, unsigned n)
{
	return (n - c->lowest - 1) & 7;
}

/* The input of highest priority in SET; -1: empty. */
static int
first_of(const struct chip *c, uint8_t set)
{
	for (unsigned r = 0; r < 8; r++) {
		unsigned n = (c->lowest + 1 + r) & 7;

		if (set >> n & 1)
			return n;
	}
	return -1;
}

/* The input that would interrupt now; -1: none. */
static int
pending(const struct chip *c, bool master)
{
	uint8_t blocking = c->isr;
	int want = first_of(c, c->irr & ~c->imr), serving;

	if (want < 0)
		return -1;
	if (c->special_mask)
		blocking &= ~c->imr;
	if (c->nested && master)
		blocking &= ~(1 << CASCADE);
	serving = first_of(c, blocking);
	if (serving >= 0 && rank(c, want) >= rank(c, serving))
		return -1;
	return want;
}

/* The slave's INT is the master's input 2, whose request follows it: an edge there is never lost or left behind. */
static void
i8259_update(struct i8259 *p)
{
	struct chip *master = &p->state.chip[0], *slave = &p->state.chip[1];

	for (unsigned i = 0; i < 2; i++) {
		struct chip *c = &p->state.chip[i];

		c->irr = (c->irr & ~level_mask(c)) | (c->lines & level_mask(c));
	}
	if (!master->single) {
		bool on = pending(slave, false) >= 0;

		master->irr = (master->irr & ~(1 << CASCADE)) | on << CASCADE;
	}
	irq_set(&p->out, pending(master, true) >= 0);
}

static void
i8259_set(void *opaque, int n, int level)
{
	struct i8259 *p = opaque;
	struct chip *c = &p->state.chip[n >> 3 & 1];
	uint8_t bit = 1 << (n & 7);

	if (level) {
		if (!((c->lines | level_mask(c)) & bit))
			c->irr |= bit;
		c->lines |= bit;
	} else {
		c->lines &= ~bit;
	}
	i8259_update(p);
}

/* Puts input N in service. */
static void
serve(struct chip *c, unsigned n)
{
	uint8_t bit = 1 << n;

	if (!(level_mask(c) & bit))
		c->irr &= ~bit;
	if (!c->auto_eoi)
		c->isr |= bit;
	else if (c->auto_rotate)
		c->lowest = n;
}

int
i8259_ack(struct dev *pic)
{
	struct i8259 *p = (struct i8259 *)pic;
	struct chip *c = &p->state.chip[0];
	int n = pending(c, true);

	if (n < 0) {
		n = SPURIOUS;
	} else {
		serve(c, n);
		if (n == CASCADE && !c->single) {
			c = &p->state.chip[1];
			n = pending(c, false);
			if (n < 0)
				n = SPURIOUS;
			else
				serve(c, n);
		}
	}
	i8259_update(p);
	return (c->vector & 0xf8) + n;
}

/* ICW1 begins anew: the edge detectors, the mask, the priorities and the modes are cleared. */
static void
write_icw1(struct chip *c, uint8_t value)
{
	c->irr = c->isr = c->imr = 0;
	c->lowest = 7;
	c->special_mask = c->read_isr = c->poll = 0;
	c->auto_eoi = c->auto_rotate = c->nested = 0;
	c->level = (value & ICW1_LEVEL) != 0;
	c->single = (value & ICW1_SINGLE) != 0;
	c->ic4 = value & ICW1_IC4;
	c->icw = 2;
}

static void
write_ocw2(struct chip *c, uint8_t value)
{
	unsigned n = value & 7;
	int served;

	switch (value >> 5) {
	case 0: /* rotate in automatic EOI: off, on */
	case 4:
		c->auto_rotate = value >> 7;
		break;
	case 1: /* EOI of what is served first; 5: which then gets the lowest priority */
	case 5:
		served = first_of(c, c->special_mask ? c->isr & ~c->imr : c->isr);
		if (served < 0)
			break;
		c->isr &= ~(1 << served);
		if (value >> 7)
			c->lowest = served;
		break;
	case 3: /* EOI of N; 7: which then gets the lowest priority */
	case 7:
		c->isr &= ~(1 << n);
		if (value >> 7)
			c->lowest = n;
		break;
	case 6:
		c->lowest = n;
		break;
	}
}

static void
write_ocw3(struct chip *c, uint8_t value)
{
	if (value & OCW3_POLL)
		c->poll = 1;
	if (value & OCW3_READ)
		c->read_isr = value & OCW3_READ_ISR;
	if (value & OCW3_SET_MASK)
		c->special_mask = (value & OCW3_MASK) != 0;
}

static void
write_odd(struct chip *c, uint8_t value)
{
	switch (c->icw) {
	case 0:
		c->imr = value;
		break;
	case 2:
		c->vector = value & 0xf8;
		c->icw = !c->single ? 3 : c->ic4 ? 4 : 0;
		break;
	case 3: /* which inputs have slaves: the board's wiring */
		c->icw = c->ic4 ? 4 : 0;
		break;
	default:
		c->auto_eoi = (value & ICW4_AUTO_EOI) != 0;
		c->nested = (value & ICW4_NESTED) != 0;
		c->icw = 0;
	}
}

static void
chip_write(struct i8259 *p, unsigned which, uint64_t offset, uint8_t value)
{
	struct chip *c = &p->state.chip[which];

	if (offset & 1)
		write_odd(c, value);
	else if (value & ICW1_INIT)
		write_icw1(c, value);
	else if (value & OCW3)
		write_ocw3(c, value);
	else
		write_ocw2(c, value);
	i8259_update(p);
}

static uint64_t
chip_read(struct i8259 *p, unsigned which, uint64_t offset)
{
	struct chip *c = &p->state.chip[which];
	int n;

	if (c->poll) {
		c->poll = 0;
		n = pending(c, which == 0);
		if (n >= 0)
			serve(c, n);
		i8259_update(p);
		return n >= 0 ? 0x80 | n : 0;
	}
	if (offset & 1)
		return c->imr;
	return c->read_isr ? c->isr : c->irr;
}

static uint64_t
master_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return chip_read(opaque, 0, offset);
}

static void
master_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	chip_write(opaque, 0, offset, value);
}

static uint64_t
slave_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return chip_read(opaque, 1, offset);
}

static void
slave_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	chip_write(opaque, 1, offset, value);
}

static uint64_t
elcr_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8259 *p = opaque;

	(void)size;
	return p->state.chip[offset & 1].elcr;
}

/* The timer, the keyboard, the cascade, the clock and the coprocessor can't be level-triggered. */
static void
elcr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8259 *p = opaque;

	(void)size;
	p->state.chip[offset & 1].elcr = value & (offset & 1 ? 0xde : 0xf8);
	i8259_update(p);
}

static const struct region_ops master_ops = { master_read, master_write, 1, 1 };
static const struct region_ops slave_ops = { slave_read, slave_write, 1, 1 };
static const struct region_ops elcr_ops = { elcr_read, elcr_write, 1, 1 };

/* The inputs belong to those who drive them. */
static void
i8259_reset(struct dev *d)
{
	struct i8259 *p = (struct i8259 *)d;

	for (unsigned i = 0; i < 2; i++) {
		uint8_t lines = p->state.chip[i].lines;

		p->state.chip[i] = (struct chip){ .lines = lines, .lowest = 7 };
	}
	i8259_update(p);
}

static bool
i8259_loaded(struct dev *d, struct err *e)
{
	(void)e;
	i8259_update((struct i8259 *)d);
	return true;
}

static void
i8259_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i8259 *p = (struct i8259 *)d;
	char text[160];

	for (unsigned i = 0; i < 2; i++) {
		const struct chip *c = &p->state.chip[i];

		snprintf(text, sizeof(text),
			"pic%u: irr=%02x imr=%02x isr=%02x lines=%02x elcr=%02x vector=%02x lowest=%u%s%s%s\n",
			i, c->irr, c->imr, c->isr, c->lines, c->elcr, c->vector, c->lowest,
			c->auto_eoi ? " auto-eoi" : "", c->nested ? " nested" : "",
			c->special_mask ? " special-mask" : "");
		print(opaque, text);
	}
}

static void
i8259_destroy(struct dev *d)
{
	struct i8259 *p = (struct i8259 *)d;

	space_remove(&p->ports[0]);
	space_remove(&p->ports[1]);
	space_remove(&p->elcr);
}

#define CHIP_FIELDS(i) \
	FIELD_OF(struct i8259, state.chip[i].lines), \
	FIELD_OF(struct i8259, state.chip[i].irr), \
	FIELD_OF(struct i8259, state.chip[i].isr), \
	FIELD_OF(struct i8259, state.chip[i].imr), \
	FIELD_OF(struct i8259, state.chip[i].elcr), \
	FIELD_MAX(struct i8259, state.chip[i].level, 1), \
	FIELD_OF(struct i8259, state.chip[i].vector), \
	FIELD_MAX(struct i8259, state.chip[i].lowest, 7), \
	FIELD_MAX(struct i8259, state.chip[i].icw, 4), \
	FIELD_MAX(struct i8259, state.chip[i].single, 1), \
	FIELD_MAX(struct i8259, state.chip[i].ic4, 1), \
	FIELD_MAX(struct i8259, state.chip[i].auto_eoi, 1), \
	FIELD_MAX(struct i8259, state.chip[i].auto_rotate, 1), \
	FIELD_MAX(struct i8259, state.chip[i].nested, 1), \
	FIELD_MAX(struct i8259, state.chip[i].special_mask, 1), \
	FIELD_MAX(struct i8259, state.chip[i].poll, 1), \
	FIELD_MAX(struct i8259, state.chip[i].read_isr, 1)

static const struct field fields[] = { CHIP_FIELDS(0), CHIP_FIELDS(1), FIELD_END };

static const struct dev_class i8259_class = {
	DEV_OF(i8259),
	.description = "8259A interrupt controllers",
	.fields = fields,
	.reset = i8259_reset,
	.loaded = i8259_loaded,
	.info = i8259_info,
	.destroy = i8259_destroy,
};

struct dev *
i8259_new(const struct dev_env *env, struct irq out)
{
	struct dev *d = dev_new(env, &i8259_class, NULL);
	struct i8259 *p = (struct i8259 *)d;

	p->out = out;
	region_init_io(&p->ports[0], "pic0", &master_ops, p, 2);
	region_init_io(&p->ports[1], "pic1", &slave_ops, p, 2);
	region_init_io(&p->elcr, "elcr", &elcr_ops, p, 2);
	space_add(env->io, &p->ports[0], 0x20, 0);
	space_add(env->io, &p->ports[1], 0xa0, 0);
	space_add(env->io, &p->elcr, 0x4d0, 0);
	i8259_reset(d);
	return d;
}

struct irq
i8259_line(struct dev *pic, unsigned n)
{
	return irq_to(i8259_set, pic, n & 15);
}

bool
i8259_is_waiting(struct dev *pic, unsigned n)
{
	struct i8259 *p = (struct i8259 *)pic;
	const struct chip *c = &p->state.chip[n >> 3 & 1];

	return (c->irr & ~c->imr & ~level_mask(c)) >> (n & 7) & 1;
}
