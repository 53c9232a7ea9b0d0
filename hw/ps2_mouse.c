/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 mouse: IBM PS/2 Hardware Interface Technical Reference, "Mouse", with Microsoft's two extensions: a wheel (ID 3)
 * after the sample rates 200, 100, 80, and five buttons (ID 4) after 200, 200, 80; then 200, 80, 40 let a second wheel, the
 * horizontal one, take the place of the first in reports of its own.
 *
 * Movement is reported as it comes rather than at the sample rate; when the queue is full it adds up until there is
 * room.
 */
#include "hw/ps2.h"

#include "base/dev.h"
#include "base/util.h"

#include <stdio.h>

enum {
	CMD_SCALE_1 = 0xe6,
	CMD_SCALE_2 = 0xe7,
	CMD_RESOLUTION = 0xe8,
	CMD_STATUS = 0xe9,
	CMD_STREAM = 0xea,
	CMD_READ = 0xeb,
	CMD_WRAP_END = 0xec,
	CMD_WRAP = 0xee,
	CMD_REMOTE = 0xf0,
	CMD_IDENTIFY = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,

	REPLY_ACK = 0xfa,
	REPLY_RESEND = 0xfe,
	REPLY_PASSED = 0xaa,
};

enum { ID_PLAIN = 0, ID_WHEEL = 3, ID_FIVE_BUTTONS = 4 };
enum { DELTA_MAX = 32767 };

struct ps2_mouse {
	struct dev dev;
	struct ps2_port port;
	struct {
		struct ps2_queue queue;
		uint8_t rates[3];       /* the last three set: the knock of the extensions */
		bool enabled, remote, wrap, double_scale;
		uint8_t rate, resolution, id;
		int32_t dx, dy, dz, dw; /* not yet reported */
		uint8_t buttons, told;  /* now; in the last report */
		uint8_t command;        /* waits for its operand; 0: none */
		uint8_t last;           /* sent, for RESEND */
		uint8_t tilt;           /* the horizontal wheel is wanted */
		uint8_t spare[3];       /* zero */
	} state;
};

static void
clear(struct ps2_mouse *m)
{
	m->state.queue.head = m->state.queue.count = 0;
}

static void
put(struct ps2_mouse *m, uint8_t byte)
{
	ps2_put(&m->state.queue, byte);
}

static int
clamp(int v, int low, int high)
{
	return v < low ? low : v > high ? high : v;
}

/* Scaling 2:1, which acts on reports in stream mode alone. */
static int
scaled(const struct ps2_mouse *m, int v)
{
	static const int8_t small[6] = { 0, 1, 1, 3, 6, 9 };
	int size = v < 0 ? -v : v;

	if (!m->state.double_scale || m->state.remote)
		return v;
	size = size < 6 ? small[size] : 2 * size;
	return clamp(v < 0 ? -size : size, -255, 255);
}

static unsigned
report_size(const struct ps2_mouse *m)
{
	return m->state.id == ID_PLAIN ? 3 : 4;
}

/* The fourth byte of a mouse with five buttons.  The second wheel, which counts to the left, leaves no room for buttons. */
static uint8_t
fourth_byte(struct ps2_mouse *m, int z, uint8_t told)
{
	int w = clamp(m->state.dw, -31, 31);

	if (w == 0 || ((told ^ m->state.buttons) & 0x18) != 0)
		return (z & 0x0f) | (m->state.buttons & 0x18) << 1;
	m->state.dw -= w;
	m->state.dz += z;
	return 0x40 | (-w & 0x3f);
}

static void
put_report(struct ps2_mouse *m)
{
	int wheel_max = m->state.id == ID_FIVE_BUTTONS ? 7 : 127;
	int x = clamp(m->state.dx, -255, 255), y = clamp(m->state.dy, -255, 255);
	int z = clamp(m->state.dz, -wheel_max, wheel_max);
	uint8_t told = m->state.told;

	m->state.dx -= x;
	m->state.dy -= y;
	m->state.dz -= z;
	m->state.told = m->state.buttons;
	x = scaled(m, x);
	y = -scaled(m, y);
	put(m, (y < 0 ? 0x20 : 0) | (x < 0 ? 0x10 : 0) | 0x08 | (m->state.buttons & 7));
	put(m, x);
	put(m, y);
	if (m->state.id == ID_WHEEL)
		put(m, z);
	else if (m->state.id == ID_FIVE_BUTTONS)
		put(m, fourth_byte(m, z, told));
	if (m->state.id == ID_PLAIN)
		m->state.dz = 0;
}

static bool
has_news(const struct ps2_mouse *m)
{
	return m->state.dx != 0 || m->state.dy != 0 || m->state.dz != 0 || m->state.dw != 0 ||
		m->state.buttons != m->state.told;
}

/* Reports what there is in stream mode, as long as there is room. */
static void
stream(struct ps2_mouse *m)
{
	if (!m->state.enabled || m->state.remote || m->state.wrap)
		return;
	while (has_news(m) && ps2_room(&m->state.queue) >= report_size(m) + 8)
		put_report(m);
}

static void
tell(struct ps2_mouse *m)
{
	m->port.ready(m->port.opaque);
}

void
ps2_mouse_move(void *mouse, int dx, int dy, int dz, int dw, unsigned buttons)
{
	struct ps2_mouse *m = mouse;

	m->state.dx = clamp(m->state.dx + clamp(dx, -DELTA_MAX, DELTA_MAX), -DELTA_MAX, DELTA_MAX);
	m->state.dy = clamp(m->state.dy + clamp(dy, -DELTA_MAX, DELTA_MAX), -DELTA_MAX, DELTA_MAX);
	m->state.dz = clamp(m->state.dz + clamp(dz, -DELTA_MAX, DELTA_MAX), -DELTA_MAX, DELTA_MAX);
	m->state.dw = m->state.tilt ? clamp(m->state.dw + clamp(dw, -DELTA_MAX, DELTA_MAX), -DELTA_MAX, DELTA_MAX) : 0;
	m->state.buttons = buttons & 0x1f;
	if (m->state.id == ID_PLAIN)
		m->state.dz = 0;
	stream(m);
	tell(m);
}

void
ps2_mouse_announce(struct dev *d)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;

	if (!m->state.enabled || m->state.remote || m->state.wrap || m->state.queue.count >= report_size(m))
		return;
	put_report(m);
	tell(m);
}

static void
set_defaults(struct ps2_mouse *m)
{
	m->state.rate = 100;
	m->state.resolution = 2;
	m->state.enabled = m->state.remote = m->state.wrap = m->state.double_scale = false;
	m->state.dx = m->state.dy = m->state.dz = m->state.dw = 0;
}

static void
set_rate(struct ps2_mouse *m, uint8_t rate)
{
	uint8_t *last = m->state.rates;

	last[0] = last[1];
	last[1] = last[2];
	last[2] = rate;
	m->state.rate = rate;
	if (last[0] == 200 && last[1] == 100 && last[2] == 80)
		m->state.id = ID_WHEEL;
	else if (last[0] == 200 && last[1] == 200 && last[2] == 80)
		m->state.id = ID_FIVE_BUTTONS;
	else if (last[0] == 200 && last[1] == 80 && last[2] == 40 && m->state.id == ID_FIVE_BUTTONS)
		m->state.tilt = 1;
}

static void
put_status(struct ps2_mouse *m)
{
	uint8_t b = m->state.buttons;

	put(m, m->state.remote << 6 | m->state.enabled << 5 | m->state.double_scale << 4 |
		(b & 1) << 2 | (b & 4) >> 1 | (b & 2) >> 1);
	put(m, m->state.resolution);
	put(m, m->state.rate);
}

static void
command(struct ps2_mouse *m, uint8_t byte)
{
	if (byte != CMD_RESEND)
		put(m, REPLY_ACK);
	switch (byte) {
	case CMD_SCALE_1:
	case CMD_SCALE_2:
		m->state.double_scale = byte == CMD_SCALE_2;
		break;
	case CMD_RESOLUTION:
	case CMD_RATE:
		m->state.command = byte;
		break;
	case CMD_STATUS:
		put_status(m);
		break;
	case CMD_STREAM:
	case CMD_REMOTE:
		m->state.remote = byte == CMD_REMOTE;
		break;
	case CMD_READ:
		put_report(m);
		break;
	case CMD_WRAP:
	case CMD_WRAP_END:
		m->state.wrap = byte == CMD_WRAP;
		break;
	case CMD_IDENTIFY:
		put(m, m->state.id);
		break;
	case CMD_ENABLE:
	case CMD_DISABLE:
		m->state.enabled = byte == CMD_ENABLE;
		break;
	case CMD_DEFAULTS:
		set_defaults(m);
		break;
	case CMD_RESEND:
		put(m, m->state.last);
		break;
	case CMD_RESET:
		set_defaults(m);
		m->state.id = ID_PLAIN;
		m->state.tilt = 0;
		put(m, REPLY_PASSED);
		put(m, m->state.id);
		break;
	default:
		clear(m);
		put(m, REPLY_RESEND);
		break;
	}
}

/* True when BYTE was the operand of an earlier command. */
static bool
take_operand(struct ps2_mouse *m, uint8_t byte)
{
	uint8_t waiting = m->state.command;

	m->state.command = 0;
	if (waiting == 0)
		return false;
	if (waiting == CMD_RATE)
		set_rate(m, byte);
	else
		m->state.resolution = byte & 3;
	put(m, REPLY_ACK);
	return true;
}

/* A command ends whatever report is under way. */
void
ps2_mouse_write(struct dev *d, uint8_t byte)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;

	clear(m);
	if (m->state.wrap && byte != CMD_WRAP_END && byte != CMD_RESET)
		put(m, byte);
	else if (!take_operand(m, byte))
		command(m, byte);
	tell(m);
}

bool
ps2_mouse_pending(const struct dev *d)
{
	return ((const struct ps2_mouse *)d)->state.queue.count != 0;
}

uint8_t
ps2_mouse_take(struct dev *d)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;

	m->state.last = ps2_get(&m->state.queue);
	stream(m);
	return m->state.last;
}

static const struct field fields[] = {
	PS2_QUEUE_FIELDS(struct ps2_mouse, state.queue),
	FIELD_BUFFER(struct ps2_mouse, state.rates),
	FIELD_MAX(struct ps2_mouse, state.enabled, 1),
	FIELD_MAX(struct ps2_mouse, state.remote, 1),
	FIELD_MAX(struct ps2_mouse, state.wrap, 1),
	FIELD_MAX(struct ps2_mouse, state.double_scale, 1),
	FIELD_OF(struct ps2_mouse, state.rate),
	FIELD_OF(struct ps2_mouse, state.resolution),
	FIELD_MAX(struct ps2_mouse, state.id, ID_FIVE_BUTTONS),
	FIELD_OF(struct ps2_mouse, state.dx),
	FIELD_OF(struct ps2_mouse, state.dy),
	FIELD_OF(struct ps2_mouse, state.dz),
	FIELD_OF(struct ps2_mouse, state.dw),
	FIELD_OF(struct ps2_mouse, state.buttons),
	FIELD_OF(struct ps2_mouse, state.told),
	FIELD_OF(struct ps2_mouse, state.command),
	FIELD_OF(struct ps2_mouse, state.last),
	FIELD_MAX(struct ps2_mouse, state.tilt, 1),
	FIELD_SKIP(struct ps2_mouse, state.spare),
	FIELD_END
};

static void
ps2_mouse_reset(struct dev *d)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;

	memset(&m->state, 0, sizeof(m->state));
	set_defaults(m);
}

/* Deltas larger than we ever hold would take long to report. */
static bool
ps2_mouse_loaded(struct dev *d, struct err *e)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;

	(void)e;
	m->state.dx = clamp(m->state.dx, -DELTA_MAX, DELTA_MAX);
	m->state.dy = clamp(m->state.dy, -DELTA_MAX, DELTA_MAX);
	m->state.dz = clamp(m->state.dz, -DELTA_MAX, DELTA_MAX);
	m->state.dw = clamp(m->state.dw, -DELTA_MAX, DELTA_MAX);
	memset(m->state.spare, 0, sizeof(m->state.spare));
	return true;
}

static void
ps2_mouse_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct ps2_mouse *m = (struct ps2_mouse *)d;
	char line[96];

	snprintf(line, sizeof(line), "  ID %u, %s, %s mode, rate %u, %u bytes waiting\n", m->state.id,
		m->state.enabled ? "enabled" : "disabled", m->state.remote ? "remote" : "stream", m->state.rate,
		m->state.queue.count);
	print(opaque, line);
}

static const struct dev_class ps2_mouse_class = {
	DEV_OF(ps2_mouse),
	.description = "PS/2 mouse with wheel",
	.fields = fields,
	.reset = ps2_mouse_reset,
	.loaded = ps2_mouse_loaded,
	.info = ps2_mouse_info,
};

struct dev *
ps2_mouse_new(const struct dev_env *env, struct ps2_port port)
{
	struct ps2_mouse *m = (struct ps2_mouse *)dev_new(env, &ps2_mouse_class, NULL);

	m->port = port;
	ps2_mouse_reset(&m->dev);
	return &m->dev;
}
