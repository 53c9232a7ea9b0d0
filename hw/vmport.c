/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VMware's backdoor, port 5658h, with the absolute pointer that guests find behind it: the "VMMouse" protocol, as the drivers of
 * X.Org and Linux speak it.  IN EAX, DX with the magic number in EAX and a command in CX; parameters and answers are in the
 * other registers.  A packet in its queue is announced by an empty report of the PS/2 mouse.
 *
 * Of the many commands of the backdoor there are the version and those of the pointer; others answer with all ones.
 */
#include "hw/hw.h"

#include "base/util.h"
#include "ui/ui.h"

#include <stdio.h>

enum {
	PORT = 0x5658,
	MAGIC = 0x564d5868, /* "VMXh" */
	CMD_VERSION = 10,
	CMD_DATA = 39,
	CMD_STATUS = 40,
	CMD_COMMAND = 41,
	VERSION = 6,
	PRODUCT = 2,

	MOUSE_READ_ID = 0x45414552,
	MOUSE_DISABLE = 0x000000f5,
	MOUSE_RELATIVE = 0x4c455252,
	MOUSE_ABSOLUTE = 0x53424152,
	MOUSE_ID = 0x3442554a,

	PACKET_RELATIVE = 0x00010000,
	PACKET_LEFT = 0x20,
	PACKET_RIGHT = 0x10,
	PACKET_MIDDLE = 0x08,

	PACKET = 4,          /* words: buttons, x, y, wheel */
	QUEUE = 64 * PACKET,
	READ_MAX = 6,        /* registers that can take a word each */
	STATUS_ERROR = 0xffff,
	WHEEL_MAX = 127,
};

struct vmport {
	struct dev dev;
	struct region port;
	struct vmport_cpu cpu;
	struct irq announce;
	struct input *input;
	struct input_sink absolute, relative;
	const struct input_sink *in_use; /* one of them, or NULL */
	struct {
		uint32_t queue[QUEUE];
		uint32_t head, count;    /* words */
		uint32_t status;
		uint8_t mode;            /* 0: off, 1: relative, 2: absolute */
		uint8_t spare[3];        /* zero */
	} state;
};

/* ---- the pointer ---- */

static void
set_mode(struct vmport *v, unsigned mode)
{
	struct input_sink *sinks[] = { NULL, &v->relative, &v->absolute };

	v->state.mode = mode;
	if (v->input == NULL || v->in_use == sinks[mode])
		return;
	if (v->in_use != NULL)
		input_remove(v->input, (struct input_sink *)v->in_use);
	v->in_use = sinks[mode];
	if (mode == 0)
		return;
	input_add(v->input, sinks[mode]);
	input_activate(v->input, sinks[mode]);
}

static uint32_t *
word_at(struct vmport *v, unsigned i)
{
	return &v->state.queue[(v->state.head + i) % QUEUE];
}

static uint32_t
flags_of(unsigned buttons)
{
	return (buttons & BUTTON_LEFT ? PACKET_LEFT : 0) | (buttons & BUTTON_RIGHT ? PACKET_RIGHT : 0) |
		(buttons & BUTTON_MIDDLE ? PACKET_MIDDLE : 0);
}

static int
clamp(int64_t v, int most)
{
	return v > most ? most : v < -most ? -most : (int)v;
}

/* A movement with the same buttons is added to a packet that waits; what finds the queue full is lost but for its buttons. */
static void
queue(struct vmport *v, uint32_t flags, int x, int y, int dz)
{
	bool relative = flags & PACKET_RELATIVE;
	unsigned last = v->state.count - PACKET;
	bool waits = v->state.count >= 2 * PACKET, full = v->state.count > QUEUE - PACKET;

	if ((waits && *word_at(v, last) == flags) || full) {
		*word_at(v, last) = flags;
		*word_at(v, last + 1) = relative ? *word_at(v, last + 1) + (uint32_t)x : (uint32_t)x;
		*word_at(v, last + 2) = relative ? *word_at(v, last + 2) + (uint32_t)y : (uint32_t)y;
		*word_at(v, last + 3) = (uint32_t)clamp((int64_t)(int32_t)*word_at(v, last + 3) + dz, WHEEL_MAX);
	} else {
		*word_at(v, v->state.count) = flags;
		*word_at(v, v->state.count + 1) = (uint32_t)x;
		*word_at(v, v->state.count + 2) = (uint32_t)y;
		*word_at(v, v->state.count + 3) = (uint32_t)clamp(dz, WHEEL_MAX);
		v->state.count += PACKET;
	}
	irq_set(&v->announce, 1);
}

static void
move(void *opaque, int dx, int dy, int dz, int dw, unsigned buttons)
{
	(void)dw;
	queue(opaque, flags_of(buttons) | PACKET_RELATIVE, clamp(dx, POINTER_MAX), clamp(-(int64_t)dy, POINTER_MAX), dz);
}

/* 0 to FFFFh over the screen. */
static void
point(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	(void)dw;
	queue(opaque, flags_of(buttons), (int)(x * 0xffff / POINTER_MAX), (int)(y * 0xffff / POINTER_MAX), dz);
}

static void
mouse_command(struct vmport *v, uint32_t command)
{
	switch (command) {
	case MOUSE_READ_ID:
		v->state.status = 0;
		v->state.head = 0;
		v->state.queue[0] = MOUSE_ID;
		v->state.count = 1;
		break;
	case MOUSE_DISABLE:
		v->state.status = STATUS_ERROR;
		v->state.count = 0;
		set_mode(v, 0);
		break;
	case MOUSE_RELATIVE:
	case MOUSE_ABSOLUTE:
		set_mode(v, command == MOUSE_ABSOLUTE ? 2 : 1);
		break;
	default:
		guest_unimp(&v->dev, "pointer command %08x", command);
		break;
	}
}

/* The next COUNT words go into EAX, which is returned, EBX, ECX, EDX, ESI and EDI. */
static uint32_t
mouse_data(struct vmport *v, uint32_t count)
{
	uint32_t first;

	if (count == 0 || count > READ_MAX || count > v->state.count) {
		guest_bug(&v->dev, "%u words wanted of %u", count, v->state.count);
		v->state.status = STATUS_ERROR;
		return MAGIC;
	}
	first = *word_at(v, 0);
	for (unsigned i = 1; i < count; i++)
		v->cpu.set(v->cpu.opaque, (enum vmport_register)i, *word_at(v, i));
	v->state.head = (v->state.head + count) % QUEUE;
	v->state.count -= count;
	return first;
}

/* ---- the port ---- */

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vmport *v = opaque;
	uint32_t parameter = v->cpu.get(v->cpu.opaque, VMPORT_EBX), command = v->cpu.get(v->cpu.opaque, VMPORT_ECX) & 0xffff;

	(void)offset, (void)size;
	if (v->cpu.get(v->cpu.opaque, VMPORT_EAX) != MAGIC)
		return UINT32_MAX;
	switch (command) {
	case CMD_VERSION:
		v->cpu.set(v->cpu.opaque, VMPORT_EBX, MAGIC);
		v->cpu.set(v->cpu.opaque, VMPORT_ECX, PRODUCT);
		return VERSION;
	case CMD_DATA:
		return mouse_data(v, parameter);
	case CMD_STATUS:
		return v->state.status << 16 | v->state.count;
	case CMD_COMMAND:
		mouse_command(v, parameter);
		return MAGIC;
	default:
		return UINT32_MAX;
	}
}

/* OUT is a call too, whose answer nobody sees. */
static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)value;
	port_read(opaque, offset, size);
}

static const struct region_ops port_ops = { port_read, port_write, 4, 4 };

/* ---- the class ---- */

static void
vmport_reset(struct dev *d)
{
	struct vmport *v = (struct vmport *)d;

	memset(&v->state, 0, sizeof(v->state));
	v->state.status = STATUS_ERROR;
	set_mode(v, 0);
}

static bool
vmport_loaded(struct dev *d, struct err *e)
{
	struct vmport *v = (struct vmport *)d;

	(void)e;
	memset(v->state.spare, 0, sizeof(v->state.spare));
	set_mode(v, v->state.mode);
	return true;
}

static void
vmport_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const modes[] = { "off", "relative", "absolute" };
	struct vmport *v = (struct vmport *)d;
	char text[80];

	snprintf(text, sizeof(text), "  pointer %s, %u words wait\n", modes[v->state.mode], v->state.count);
	print(opaque, text);
}

static void
vmport_destroy(struct dev *d)
{
	set_mode((struct vmport *)d, 0);
}

static const struct field fields[] = {
	FIELD_ARRAY(struct vmport, state.queue),
	FIELD_MAX(struct vmport, state.head, QUEUE - 1),
	FIELD_MAX(struct vmport, state.count, QUEUE),
	FIELD_MAX(struct vmport, state.status, STATUS_ERROR),
	FIELD_MAX(struct vmport, state.mode, 2),
	FIELD_SKIP(struct vmport, state.spare),
	FIELD_END
};

static const struct dev_class vmport_class = {
	DEV_OF(vmport),
	.description = "VMware's backdoor with its pointer",
	.fields = fields,
	.reset = vmport_reset,
	.loaded = vmport_loaded,
	.info = vmport_info,
	.destroy = vmport_destroy,
};

struct dev *
vmport_new(const struct dev_env *env, const struct vmport_cpu *cpu, struct irq announce, struct input *in)
{
	struct vmport *v = (struct vmport *)dev_new(env, &vmport_class, NULL);

	v->cpu = *cpu;
	v->announce = announce;
	v->input = in;
	v->relative = (struct input_sink){ .name = "VMware mouse", .opaque = v, .move = move };
	v->absolute = (struct input_sink){ .name = "VMware mouse", .opaque = v, .point = point };
	region_init_io(&v->port, "vmport", &port_ops, v, 4);
	space_add(env->io, &v->port, PORT, 0);
	vmport_reset(&v->dev);
	return &v->dev;
}
