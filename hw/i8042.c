/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 8042 keyboard controller of a PS/2-style PC: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller".
 *
 * Ports: 60h data, 64h status and command.  Bytes come from three sources, and one output buffer takes them: the
 * controller's own answers at once, then the keyboard's, then the mouse's.  After the guest took a byte the next one
 * comes no sooner than BYTE_NS later, as on the wire: chained interrupt handlers of DOS read port 60h more than once.
 */
#include "hw/hw.h"

#include "base/clock.h"
#include "base/util.h"
#include "hw/ps2.h"
#include "ui/ui.h"

#include <stdio.h>

enum {
	STATUS_FULL = 0x01,
	STATUS_SYSTEM = 0x04,
	STATUS_COMMAND = 0x08, /* port 64h was written last */
	STATUS_UNLOCKED = 0x10,
	STATUS_AUX = 0x20,

	MODE_KBD_IRQ = 0x01,
	MODE_AUX_IRQ = 0x02,
	MODE_SYSTEM = 0x04,
	MODE_KBD_OFF = 0x10,
	MODE_AUX_OFF = 0x20,
	MODE_TRANSLATE = 0x40,

	OUT_RUNNING = 0x01,    /* low resets the processor */
	OUT_A20 = 0x02,
	OUT_KBD_FULL = 0x10,
	OUT_AUX_FULL = 0x20,

	BREAK_PREFIX = 0xf0,
};

enum {
	CMD_READ_RAM = 0x20,    /* to 3Fh; byte 0 is the mode */
	CMD_WRITE_RAM = 0x60,   /* to 7Fh */
	CMD_VERSION = 0xa1,
	CMD_PASSWORD_TEST = 0xa4,
	CMD_AUX_OFF = 0xa7,
	CMD_AUX_ON = 0xa8,
	CMD_AUX_TEST = 0xa9,
	CMD_SELF_TEST = 0xaa,
	CMD_KBD_TEST = 0xab,
	CMD_KBD_OFF = 0xad,
	CMD_KBD_ON = 0xae,
	CMD_READ_IN = 0xc0,
	CMD_READ_OUT = 0xd0,
	CMD_WRITE_OUT = 0xd1,
	CMD_FAKE_KBD = 0xd2,
	CMD_FAKE_AUX = 0xd3,
	CMD_TO_AUX = 0xd4,
	CMD_A20_OFF = 0xdd,
	CMD_A20_ON = 0xdf,
	CMD_TEST_INPUTS = 0xe0,
	CMD_PULSE = 0xf0,       /* to FFh; bit 0 clear pulses the processor's reset */
};

enum { BYTE_NS = 100000 };

struct i8042 {
	struct dev dev;
	struct region data_port, command_port;
	struct irq kbd_irq, aux_irq, reset, a20;
	struct clock *clock;
	struct dev *kbd, *mouse;
	struct input_sink keys, pointer;
	struct {
		struct timer next;   /* armed while the wire carries the next byte */
		uint8_t ram[32];     /* byte 0: the mode */
		uint8_t out;         /* output port */
		uint8_t command;     /* waits for its operand at port 60h; 0: none */
		uint8_t data;        /* output buffer */
		bool full, aux;      /* it holds a byte; of the mouse */
		bool after_command;
		bool breaking;       /* translating: F0 came, the next code is a break */
		uint8_t held;        /* a device's byte that an answer pushed out of the buffer */
		bool has_held, held_aux;
		uint8_t reserved[6];
	} state;
};

static uint8_t
mode(const struct i8042 *c)
{
	return c->state.ram[0];
}

static void
update(struct i8042 *c)
{
	irq_set(&c->kbd_irq, c->state.full && !c->state.aux && (mode(c) & MODE_KBD_IRQ) != 0);
	irq_set(&c->aux_irq, c->state.full && c->state.aux && (mode(c) & MODE_AUX_IRQ) != 0);
}

static void
fill(struct i8042 *c, uint8_t byte, bool aux)
{
	c->state.data = byte;
	c->state.full = true;
	c->state.aux = aux;
}

/* A keyboard's byte as the guest is to see it; false: it was a break prefix that translation swallows. */
static bool
translate(struct i8042 *c, uint8_t *byte)
{
	if ((mode(c) & MODE_TRANSLATE) == 0)
		return true;
	if (*byte == BREAK_PREFIX) {
		c->state.breaking = true;
		return false;
	}
	*byte = ps2_set2_to_set1(*byte) | (c->state.breaking ? 0x80 : 0);
	c->state.breaking = false;
	return true;
}

/* Fills an empty output buffer from what waits. */
static void
pump(struct i8042 *c)
{
	if (c->state.full || c->state.next.armed)
		return;
	if (c->state.has_held) {
		c->state.has_held = false;
		fill(c, c->state.held, c->state.held_aux);
		return;
	}
	while ((mode(c) & MODE_KBD_OFF) == 0 && ps2_kbd_pending(c->kbd)) {
		uint8_t byte = ps2_kbd_take(c->kbd);

		if (translate(c, &byte)) {
			fill(c, byte, false);
			return;
		}
	}
	if ((mode(c) & MODE_AUX_OFF) == 0 && ps2_mouse_pending(c->mouse))
		fill(c, ps2_mouse_take(c->mouse), true);
}

static void
device_ready(void *opaque)
{
	struct i8042 *c = opaque;

	pump(c);
	update(c);
}

/* The controller's own byte: it does not wait for a device's that was not read yet, which comes again after it. */
static void
answer(struct i8042 *c, uint8_t byte, bool aux)
{
	if (c->state.full && !c->state.has_held) {
		c->state.held = c->state.data;
		c->state.held_aux = c->state.aux;
		c->state.has_held = true;
	}
	c->state.full = false;
	update(c);
	fill(c, byte, aux);
}

static void
pulse_reset(struct i8042 *c)
{
	irq_set(&c->reset, 1);
	irq_set(&c->reset, 0);
}

static void
set_out(struct i8042 *c, uint8_t value)
{
	c->state.out = value;
	irq_set(&c->a20, (value & OUT_A20) != 0);
	if ((value & OUT_RUNNING) == 0)
		pulse_reset(c);
}

static uint8_t
read_out(const struct i8042 *c)
{
	uint8_t value = c->state.out & ~(OUT_KBD_FULL | OUT_AUX_FULL);

	if (c->state.full)
		value |= c->state.aux ? OUT_AUX_FULL : OUT_KBD_FULL;
	return value;
}

static void
self_test(struct i8042 *c)
{
	c->state.has_held = c->state.full = c->state.breaking = false;
	c->state.ram[0] |= MODE_SYSTEM;
	answer(c, 0x55, false);
}

static void
set_mode_bit(struct i8042 *c, uint8_t bit, bool on)
{
	c->state.ram[0] = on ? c->state.ram[0] | bit : c->state.ram[0] & ~bit;
}

static void
command(struct i8042 *c, uint8_t byte)
{
	c->state.command = 0;
	switch (byte) {
	case CMD_READ_RAM ... CMD_READ_RAM + 31:
		answer(c, c->state.ram[byte - CMD_READ_RAM], false);
		break;
	case CMD_WRITE_RAM ... CMD_WRITE_RAM + 31:
	case CMD_WRITE_OUT:
	case CMD_FAKE_KBD:
	case CMD_FAKE_AUX:
	case CMD_TO_AUX:
		c->state.command = byte;
		break;
	case CMD_VERSION:
	case CMD_AUX_TEST:
	case CMD_KBD_TEST:
	case CMD_TEST_INPUTS:
		answer(c, 0x00, false);
		break;
	case CMD_PASSWORD_TEST:
		answer(c, 0xf1, false); /* none is set */
		break;
	case CMD_SELF_TEST:
		self_test(c);
		break;
	case CMD_AUX_OFF:
	case CMD_AUX_ON:
		set_mode_bit(c, MODE_AUX_OFF, byte == CMD_AUX_OFF);
		break;
	case CMD_KBD_OFF:
	case CMD_KBD_ON:
		set_mode_bit(c, MODE_KBD_OFF, byte == CMD_KBD_OFF);
		break;
	case CMD_READ_IN:
		answer(c, 0x80, false); /* not locked */
		break;
	case CMD_READ_OUT:
		answer(c, read_out(c), false);
		break;
	case CMD_A20_OFF:
	case CMD_A20_ON:
		set_out(c, byte == CMD_A20_ON ? c->state.out | OUT_A20 : c->state.out & ~OUT_A20);
		break;
	case CMD_PULSE ... CMD_PULSE + 15:
		if ((byte & OUT_RUNNING) == 0)
			pulse_reset(c);
		break;
	default:
		guest_unimp(&c->dev, "command %02x", byte);
		break;
	}
}

/* Sending to a device switches its interface on. */
static void
data_written(struct i8042 *c, uint8_t byte)
{
	uint8_t waiting = c->state.command;

	c->state.command = 0;
	switch (waiting) {
	case CMD_WRITE_RAM ... CMD_WRITE_RAM + 31:
		c->state.ram[waiting - CMD_WRITE_RAM] = byte;
		break;
	case CMD_WRITE_OUT:
		set_out(c, byte);
		break;
	case CMD_FAKE_KBD:
	case CMD_FAKE_AUX:
		answer(c, byte, waiting == CMD_FAKE_AUX);
		break;
	case CMD_TO_AUX:
		set_mode_bit(c, MODE_AUX_OFF, false);
		ps2_mouse_write(c->mouse, byte);
		break;
	default:
		set_mode_bit(c, MODE_KBD_OFF, false);
		c->state.breaking = false;
		ps2_kbd_write(c->kbd, byte);
		break;
	}
}

static uint64_t
data_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8042 *c = opaque;
	uint8_t byte = c->state.data;

	(void)offset, (void)size;
	if (!c->state.full)
		return byte;
	c->state.full = false;
	update(c);
	if (c->state.has_held || ps2_kbd_pending(c->kbd) || ps2_mouse_pending(c->mouse))
		timer_set(&c->state.next, clock_now(c->clock) + BYTE_NS);
	return byte;
}

static void
next_fire(void *opaque)
{
	device_ready(opaque);
}

static void
data_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8042 *c = opaque;

	(void)offset, (void)size;
	c->state.after_command = false;
	data_written(c, value);
	pump(c);
	update(c);
}

static uint64_t
status_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i8042 *c = opaque;

	(void)offset, (void)size;
	return STATUS_UNLOCKED | (c->state.full ? STATUS_FULL : 0) | (mode(c) & MODE_SYSTEM) |
		(c->state.after_command ? STATUS_COMMAND : 0) | (c->state.full && c->state.aux ? STATUS_AUX : 0);
}

static void
command_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i8042 *c = opaque;

	(void)offset, (void)size;
	c->state.after_command = true;
	command(c, value);
	pump(c);
	update(c);
}

static const struct region_ops data_ops = { data_read, data_write, 1, 1 };
static const struct region_ops command_ops = { status_read, command_write, 1, 1 };

static const struct field fields[] = {
	FIELD_TIMER_OF(struct i8042, state.next),
	FIELD_BUFFER(struct i8042, state.ram),
	FIELD_OF(struct i8042, state.out),
	FIELD_OF(struct i8042, state.command),
	FIELD_OF(struct i8042, state.data),
	FIELD_MAX(struct i8042, state.full, 1),
	FIELD_MAX(struct i8042, state.aux, 1),
	FIELD_MAX(struct i8042, state.after_command, 1),
	FIELD_MAX(struct i8042, state.breaking, 1),
	FIELD_OF(struct i8042, state.held),
	FIELD_MAX(struct i8042, state.has_held, 1),
	FIELD_MAX(struct i8042, state.held_aux, 1),
	FIELD_BUFFER(struct i8042, state.reserved),
	FIELD_END
};

/* As a BIOS leaves it, for kernels that are booted without one: both interrupts, translation, A20 on. */
static void
i8042_reset(struct dev *d)
{
	struct i8042 *c = (struct i8042 *)d;

	timer_cancel(&c->state.next);
	memset(c->state.ram, 0, sizeof(c->state.ram));
	c->state.ram[0] = MODE_KBD_IRQ | MODE_AUX_IRQ | MODE_SYSTEM | MODE_TRANSLATE;
	c->state.out = 0xcc | OUT_RUNNING | OUT_A20;
	c->state.command = c->state.data = c->state.held = 0;
	c->state.full = c->state.aux = c->state.after_command = c->state.breaking = false;
	c->state.has_held = c->state.held_aux = false;
	irq_set(&c->a20, 1);
	update(c);
}

static bool
i8042_loaded(struct dev *d, struct err *e)
{
	struct i8042 *c = (struct i8042 *)d;

	(void)e;
	irq_set(&c->a20, (c->state.out & OUT_A20) != 0);
	update(c);
	return true;
}

static void
i8042_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i8042 *c = (struct i8042 *)d;
	char line[96];

	snprintf(line, sizeof(line), "  mode %02x, output port %02x, buffer %s%02x\n", mode(c), c->state.out,
		c->state.full ? "" : "empty, last ", c->state.data);
	print(opaque, line);
}

static void
i8042_destroy(struct dev *d)
{
	timer_cancel(&((struct i8042 *)d)->state.next);
}

static const struct dev_class i8042_class = {
	DEV_OF(i8042),
	.description = "keyboard and mouse controller",
	.fields = fields,
	.reset = i8042_reset,
	.loaded = i8042_loaded,
	.info = i8042_info,
	.destroy = i8042_destroy,
};

struct dev *
i8042_new(const struct dev_env *env, struct irq kbd, struct irq aux, struct irq reset, struct irq a20)
{
	struct i8042 *c = (struct i8042 *)dev_new(env, &i8042_class, NULL);
	struct ps2_port port = { device_ready, c };

	c->kbd_irq = kbd;
	c->aux_irq = aux;
	c->reset = reset;
	c->a20 = a20;
	c->clock = env->clock;
	c->kbd = ps2_kbd_new(env, port);
	c->mouse = ps2_mouse_new(env, port);
	timer_init(&c->state.next, env->clock, next_fire, c);
	region_init_io(&c->data_port, "i8042_data", &data_ops, c, 1);
	region_init_io(&c->command_port, "i8042_command", &command_ops, c, 1);
	space_add(env->io, &c->data_port, 0x60, 0);
	space_add(env->io, &c->command_port, 0x64, 0);
	i8042_reset(&c->dev);
	return &c->dev;
}

void
i8042_add_input(struct dev *d, struct input *in)
{
	struct i8042 *c = (struct i8042 *)d;

	c->keys = (struct input_sink){ .name = "PS/2 keyboard", .opaque = c->kbd, .key = ps2_kbd_key, .leds = ps2_kbd_leds };
	c->pointer = (struct input_sink){ .name = "PS/2 mouse", .opaque = c->mouse, .move = ps2_mouse_move };
	input_add(in, &c->keys);
	input_add(in, &c->pointer);
}

static void
announce(void *opaque, int n, int level)
{
	struct i8042 *c = opaque;

	(void)n;
	if (level)
		ps2_mouse_announce(c->mouse);
}

struct irq
i8042_announce(struct dev *kbc)
{
	return irq_to(announce, kbc, 0);
}
