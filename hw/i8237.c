/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 8237A, two of them with page registers as in a PC/AT: channels 0 to 3 move bytes, 5 to 7 words, 4 cascades.
 *
 * By the data sheet "8237A High Performance Programmable DMA Controller" and that of the PIIX3.  Devices call
 * i8237_transfer() when they have data, so that single, block and demand mode are alike.  Left out, as in the PIIX3:
 * memory to memory, and compressed timing, which nobody could see.
 */
#include <stdio.h>

#include "base/util.h"
#include "hw/hw.h"

#define CHUNK 256 /* bytes moved at a time where the order is reversed */

/* Bits of the mode register, without the channel. */
#define MODE_TYPE 0x0c
#define TYPE_VERIFY 0x00
#define TYPE_TO_MEMORY 0x04
#define TYPE_FROM_MEMORY 0x08
#define MODE_AUTO 0x10
#define MODE_DOWN 0x20
#define MODE_CASCADE 0xc0

#define COMMAND_DISABLE 0x04

struct controller {
	uint16_t base_addr[4], base_count[4];
	uint16_t addr[4], count[4];
	uint8_t mode[4];
	uint8_t command;
	uint8_t tc;      /* channels that reached the end of their count since the status was read */
	uint8_t request; /* software requests */
	uint8_t mask;
	uint8_t high;    /* the byte pointer: the next access is to a high byte */
	uint8_t temporary;
};

struct i8237 {
	struct dev dev;
	struct {
		struct controller ctl[2];
		uint8_t page[16]; /* ports 80h to 8Fh */
	} state;
	struct space *mem;
	struct region ports[2], pages;
};

static uint8_t
read_half(struct controller *c, uint16_t word)
{
	bool high = c->high;

	c->high = !high;
	return high ? word >> 8 : word;
}

static void
write_half(struct controller *c, uint16_t *base, uint16_t *current, uint8_t value)
{
	if (c->high)
		*base = (*base & 0x00ff) | value << 8;
	else
		*base = (*base & 0xff00) | value;
	*current = *base;
	c->high = !c->high;
}

static uint8_t
controller_read(struct controller *c, unsigned reg)
{
	uint8_t status;

	if (reg < 8)
		return read_half(c, reg & 1 ? c->count[reg >> 1] : c->addr[reg >> 1]);
	switch (reg) {
	case 8:
		status = c->tc | c->request << 4;
		c->tc = 0;
		return status;
	case 13:
		return c->temporary;
	case 15:
		return 0xf0 | c->mask;
	default:
		return 0xff;
	}
}

static void
master_clear(struct controller *c)
{
	c->command = c->tc = c->request = c->high = c->temporary = 0;
	c->mask = 0x0f;
}

static void
controller_write(struct controller *c, unsigned reg, uint8_t value)
{
	uint8_t bit = 1 << (value & 3);

	if (reg < 8) {
		if (reg & 1)
			write_half(c, &c->base_count[reg >> 1], &c->count[reg >> 1], value);
		else
			write_half(c, &c->base_addr[reg >> 1], &c->addr[reg >> 1], value);
		return;
	}
	switch (reg) {
	case 8:
		c->command = value;
		break;
	case 9:
		c->request = value & 4 ? c->request | bit : c->request & ~bit;
		break;
	case 10:
		c->mask = value & 4 ? c->mask | bit : c->mask & ~bit;
		break;
	case 11:
		c->mode[value & 3] = value & ~3;
		break;
	case 12:
		c->high = 0;
		break;
	case 13:
		master_clear(c);
		break;
	case 14:
		c->mask = 0;
		break;
	case 15:
		c->mask = value & 0x0f;
		break;
	}
}

static uint64_t
first_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return controller_read(&((struct i8237 *)opaque)->state.ctl[0], offset & 15);
}

static void
first_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	controller_write(&((struct i8237 *)opaque)->state.ctl[0], offset & 15, value);
}

/* The second controller's address lines are shifted by one. */
static uint64_t
second_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return controller_read(&((struct i8237 *)opaque)->state.ctl[1], offset >> 1 & 15);
}

static void
second_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	controller_write(&((struct i8237 *)opaque)->state.ctl[1], offset >> 1 & 15, value);
}

static uint64_t
page_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return ((struct i8237 *)opaque)->state.page[offset & 15];
}

static void
page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	((struct i8237 *)opaque)->state.page[offset & 15] = value;
}

static const struct region_ops first_ops = { first_read, first_write, 1, 1 };
static const struct region_ops second_ops = { second_read, second_write, 1, 1 };
static const struct region_ops page_ops = { page_read, page_write, 1, 1 };

/* Moves LEN bytes at ADDR of the space; false: part of it met no memory. */
static bool
move(struct i8237 *p, gpa addr, uint8_t *buf, unsigned len, bool to_memory)
{
	return to_memory ? dma_write(p->mem, addr, buf, len) : dma_read(p->mem, addr, buf, len);
}

/* Moves LEN bytes in units of WIDTH that lie in memory in falling order; ADDR is that of the first one. */
static bool
move_down(struct i8237 *p, gpa addr, uint8_t *buf, unsigned len, unsigned width, bool to_memory)
{
	bool good = true;

	while (len != 0) {
		unsigned part = MIN(len, CHUNK);
		uint8_t turned[CHUNK];
		gpa low = addr + width - part;

		if (!to_memory)
			good &= dma_read(p->mem, low, turned, part);
		for (unsigned i = 0; i < part; i += width) {
			uint8_t *here = buf + i, *there = turned + part - width - i;

			memcpy(to_memory ? there : here, to_memory ? here : there, width);
		}
		if (to_memory)
			good &= dma_write(p->mem, low, turned, part);
		addr -= part;
		buf += part;
		len -= part;
	}
	return good;
}

/* The next UNITS of channel CH, which end neither behind its count nor behind its 64 Ki units. */
static bool
move_units(struct i8237 *p, unsigned ch, uint8_t *buf, unsigned units, bool to_memory)
{
	static const uint8_t page_of[8] = { 0x7, 0x3, 0x1, 0x2, 0xf, 0xb, 0x9, 0xa };
	struct controller *c = &p->state.ctl[ch >> 2];
	unsigned i = ch & 3, width = ch >> 2 ? 2 : 1;
	gpa page = p->state.page[page_of[ch]];
	gpa addr = width == 2 ? (page & 0xfe) << 16 | (gpa)c->addr[i] << 1 : page << 16 | c->addr[i];

	if ((c->mode[i] & MODE_TYPE) == TYPE_VERIFY) {
		if (!to_memory)
			memset(buf, 0, units * width);
		return true;
	}
	if (c->mode[i] & MODE_DOWN)
		return move_down(p, addr, buf, units * width, width, to_memory);
	return move(p, addr, buf, units * width, to_memory);
}

/* The channel has counted to its end. */
static void
end_of_count(struct controller *c, unsigned i)
{
	c->tc |= 1 << i;
	c->request &= ~(1 << i);
	if (c->mode[i] & MODE_AUTO) {
		c->addr[i] = c->base_addr[i];
		c->count[i] = c->base_count[i];
	} else {
		c->mask |= 1 << i;
	}
}

/* Does the channel answer a request in this direction? */
static bool
answers(struct i8237 *p, unsigned ch, bool to_memory)
{
	const struct controller *c = &p->state.ctl[ch >> 2];
	unsigned i = ch & 3, type = c->mode[i] & MODE_TYPE;

	if ((c->command & COMMAND_DISABLE) || c->mask >> i & 1)
		return false;
	if ((c->mode[i] & MODE_CASCADE) == MODE_CASCADE) {
		guest_bug(&p->dev, "channel %u is in cascade mode and has no address", ch);
		return false;
	}
	if (type != TYPE_VERIFY && type != (to_memory ? TYPE_TO_MEMORY : TYPE_FROM_MEMORY)) {
		guest_bug(&p->dev, "channel %u is set for the other direction", ch);
		return false;
	}
	return true;
}

unsigned
i8237_transfer(struct dev *dma, unsigned ch, void *buf, unsigned len, bool to_memory, bool *tc)
{
	struct i8237 *p = (struct i8237 *)dma;
	struct controller *c;
	unsigned i = ch & 3, width, done = 0;

	*tc = false;
	ch &= 7;
	c = &p->state.ctl[ch >> 2];
	width = ch >> 2 ? 2 : 1;
	if (!answers(p, ch, to_memory))
		return 0;
	while (len - done >= width && !*tc) {
		bool down = c->mode[i] & MODE_DOWN;
		unsigned left = c->count[i] + 1;
		unsigned room = down ? c->addr[i] + 1u : 0x10000u - c->addr[i];
		unsigned units = MIN((len - done) / width, MIN(left, room));

		if (!move_units(p, ch, (uint8_t *)buf + done, units, to_memory))
			guest_bug(&p->dev, "channel %u points where no memory is", ch);
		c->addr[i] += down ? -units : units;
		c->count[i] -= units;
		done += units * width;
		if (units == left) {
			*tc = true;
			end_of_count(c, i);
		}
	}
	return done;
}

static void
i8237_reset(struct dev *d)
{
	struct i8237 *p = (struct i8237 *)d;

	memset(&p->state, 0, sizeof(p->state));
	for (unsigned i = 0; i < 2; i++)
		master_clear(&p->state.ctl[i]);
}

static void
i8237_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i8237 *p = (struct i8237 *)d;
	char text[128];

	for (unsigned ch = 0; ch < 8; ch++) {
		const struct controller *c = &p->state.ctl[ch >> 2];

		snprintf(text, sizeof(text), "dma%u: addr=%04x count=%04x mode=%02x%s%s\n", ch, c->addr[ch & 3],
			c->count[ch & 3], c->mode[ch & 3], c->mask >> (ch & 3) & 1 ? " masked" : "",
			c->tc >> (ch & 3) & 1 ? " tc" : "");
		print(opaque, text);
	}
}

static void
i8237_destroy(struct dev *d)
{
	struct i8237 *p = (struct i8237 *)d;

	space_remove(&p->ports[0]);
	space_remove(&p->ports[1]);
	space_remove(&p->pages);
}

#define CONTROLLER_FIELDS(i) \
	FIELD_ARRAY(struct i8237, state.ctl[i].base_addr), \
	FIELD_ARRAY(struct i8237, state.ctl[i].base_count), \
	FIELD_ARRAY(struct i8237, state.ctl[i].addr), \
	FIELD_ARRAY(struct i8237, state.ctl[i].count), \
	FIELD_ARRAY(struct i8237, state.ctl[i].mode), \
	FIELD_OF(struct i8237, state.ctl[i].command), \
	FIELD_MAX(struct i8237, state.ctl[i].tc, 15), \
	FIELD_MAX(struct i8237, state.ctl[i].request, 15), \
	FIELD_MAX(struct i8237, state.ctl[i].mask, 15), \
	FIELD_MAX(struct i8237, state.ctl[i].high, 1), \
	FIELD_OF(struct i8237, state.ctl[i].temporary)

static const struct field fields[] = {
	CONTROLLER_FIELDS(0), CONTROLLER_FIELDS(1), FIELD_ARRAY(struct i8237, state.page), FIELD_END,
};

static const struct dev_class i8237_class = {
	DEV_OF(i8237),
	.description = "8237A DMA controllers",
	.fields = fields,
	.reset = i8237_reset,
	.info = i8237_info,
	.destroy = i8237_destroy,
};

struct dev *
i8237_new(const struct dev_env *env)
{
	struct dev *d = dev_new(env, &i8237_class, NULL);
	struct i8237 *p = (struct i8237 *)d;

	p->mem = env->mem;
	region_init_io(&p->ports[0], "dma0", &first_ops, p, 0x10);
	region_init_io(&p->ports[1], "dma1", &second_ops, p, 0x20);
	region_init_io(&p->pages, "dma-page", &page_ops, p, 0x10);
	space_add(env->io, &p->ports[0], 0x00, 0);
	space_add(env->io, &p->ports[1], 0xc0, 0);
	space_add(env->io, &p->pages, 0x80, 0);
	i8237_reset(d);
	return d;
}
