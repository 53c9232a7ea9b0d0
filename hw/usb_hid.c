/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB keyboard, mouse and tablet: "Device Class Definition for Human Interface Devices (HID)", version 1.11, and "HID
 * Usage Tables".  The tablet's position is absolute; mouse and tablet have five buttons and two wheels.  Keyboard and mouse
 * have the boot protocol too, whose reports are the beginning of the usual ones.
 *
 * What the user does stands in a queue, an entry for a report; a movement is added to the last entry if the buttons are
 * the same.  A device takes keys or movements over from others once the guest asks for its reports.
 */
#include "hw/usb.h"

#include "base/clock.h"
#include "base/util.h"
#include "ui/ui.h"

#include <stdio.h>

enum {
	GET_REPORT = 1,
	GET_IDLE = 2,
	GET_PROTOCOL = 3,
	SET_REPORT = 9,
	SET_IDLE = 10,
	SET_PROTOCOL = 11,
	DESC_HID = 0x21,
	DESC_REPORT = 0x22,
	REPORT_OUT = 2,
};

enum {
	QUEUE = 64,
	REPORT_MAX = 8,
	KEYS = 6,             /* in a report */
	USAGE_ROLL_OVER = 1,
	USAGE_MODIFIERS = 0xe0,
	IDLE_UNIT_NS = 4000000,
	REPORTS = 0x81,       /* the endpoint */
	DELTA_MAX = 32767,
};

enum hid_kind { KEYBOARD, MOUSE, TABLET };

/* A key that went up or down, or a movement. */
struct entry {
	int32_t x, y, z, w;   /* x and y: absolute for the tablet; keyboard: x is the usage, y whether it is down */
	uint32_t buttons;
};

struct usb_hid {
	struct usb_dev usb;
	enum hid_kind kind;
	struct clock *clock;
	struct input *input;
	struct input_sink sink;
	bool active;             /* keys or movements go here */
	struct {
		struct usb_state usb;
		struct timer idle;   /* the next report without news */
		struct entry queue[QUEUE];
		uint8_t keys[32];    /* bit per usage that is down, as reported */
		uint8_t head, count;
		uint8_t protocol;    /* 0: boot */
		uint8_t idle_rate;   /* in 4 ms; 0: only news are reported */
		uint8_t leds;
		uint8_t again;       /* the last report once more, its time has come */
		uint8_t spare[2];    /* zero */
		uint8_t last[REPORT_MAX];
	} state;
};

/* ---- what they say about themselves ---- */

static const uint8_t keyboard_report[] = {
	0x05, 0x01, 0x09, 0x06, 0xa1, 0x01,             /* generic desktop, keyboard: application */
	0x05, 0x07, 0x19, 0xe0, 0x29, 0xe7,             /*   keys: left control to right GUI */
	0x15, 0x00, 0x25, 0x01, 0x75, 0x01, 0x95, 0x08, 0x81, 0x02, /* 8 bits in */
	0x75, 0x08, 0x95, 0x01, 0x81, 0x01,             /*   a byte of nothing */
	0x05, 0x08, 0x19, 0x01, 0x29, 0x05, 0x75, 0x01, 0x95, 0x05, 0x91, 0x02, /* LEDs: 5 bits out */
	0x75, 0x03, 0x95, 0x01, 0x91, 0x01,
	0x05, 0x07, 0x19, 0x00, 0x2a, 0xff, 0x00, 0x15, 0x00, 0x26, 0xff, 0x00, 0x75, 0x08, 0x95, 0x06, 0x81, 0x00, /* six keys */
	0xc0,
};

/* Both wheels, one byte each: vertical, then "AC Pan" of the consumer page. */
#define WHEELS \
	0x05, 0x01, 0x09, 0x38, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06, \
	0x05, 0x0c, 0x0a, 0x38, 0x02, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x01, 0x81, 0x06
/* A mouse, a pointer, with five buttons. */
#define POINTER \
	0x05, 0x01, 0x09, 0x02, 0xa1, 0x01, 0x09, 0x01, 0xa1, 0x00, \
	0x05, 0x09, 0x19, 0x01, 0x29, 0x05, 0x15, 0x00, 0x25, 0x01, 0x95, 0x05, 0x75, 0x01, 0x81, 0x02, \
	0x95, 0x01, 0x75, 0x03, 0x81, 0x01

static const uint8_t mouse_report[] = {
	POINTER,
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x81, 0x25, 0x7f, 0x75, 0x08, 0x95, 0x02, 0x81, 0x06,
	WHEELS, 0xc0, 0xc0,
};

static const uint8_t tablet_report[] = {
	POINTER,
	0x05, 0x01, 0x09, 0x30, 0x09, 0x31, 0x15, 0x00, 0x26, 0xff, 0x7f, 0x35, 0x00, 0x46, 0xff, 0x7f,
	0x75, 0x10, 0x95, 0x02, 0x81, 0x02, 0x35, 0x00, 0x45, 0x00,
	WHEELS, 0xc0, 0xc0,
};

#define HID_DESCRIPTOR(report) { 9, DESC_HID, 0x11, 0x01, 0, 1, DESC_REPORT, sizeof(report), 0 }
static const uint8_t keyboard_hid[] = HID_DESCRIPTOR(keyboard_report);
static const uint8_t mouse_hid[] = HID_DESCRIPTOR(mouse_report);
static const uint8_t tablet_hid[] = HID_DESCRIPTOR(tablet_report);

/* Asked every 8 ms at full speed, 4 ms at high speed. */
#define HID_INFO(what, subclass, protocol, hid) { \
	.vendor = 0x0627, .product = 0x0001, .release = 0x0100, .interface_class = 3, .interface_subclass = subclass, \
	.interface_protocol = protocol, .attributes = 0xa0, .power = 50, .maker = "Calque", .name = what, .extra = hid, \
	.extra_size = sizeof(hid), .endpoint_count = 1, \
	.endpoints = { { REPORTS, USB_INTERRUPT, { 8, 8, 8, 8 }, { 10, 8, 6, 6 } } } }
static const struct usb_info infos[] = {
	[KEYBOARD] = HID_INFO("USB Keyboard", 1, 1, keyboard_hid),
	[MOUSE] = HID_INFO("USB Mouse", 1, 2, mouse_hid),
	[TABLET] = HID_INFO("USB Tablet", 0, 0, tablet_hid),
};

/* ---- keys ---- */

/* From scan codes of set 1 to usages of page 7, 0 where there is none; then those with prefix E0. */
static const uint8_t usages[0x80] = {
	[0x01] = 0x29, 0x1e, 0x1f, 0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x2d, 0x2e, 0x2a, 0x2b,
	[0x10] = 0x14, 0x1a, 0x08, 0x15, 0x17, 0x1c, 0x18, 0x0c, 0x12, 0x13, 0x2f, 0x30, 0x28, 0xe0, 0x04, 0x16,
	[0x20] = 0x07, 0x09, 0x0a, 0x0b, 0x0d, 0x0e, 0x0f, 0x33, 0x34, 0x35, 0xe1, 0x31, 0x1d, 0x1b, 0x06, 0x19,
	[0x30] = 0x05, 0x11, 0x10, 0x36, 0x37, 0x38, 0xe5, 0x55, 0xe2, 0x2c, 0x39, 0x3a, 0x3b, 0x3c, 0x3d, 0x3e,
	[0x40] = 0x3f, 0x40, 0x41, 0x42, 0x43, 0x53, 0x47, 0x5f, 0x60, 0x61, 0x56, 0x5c, 0x5d, 0x5e, 0x57, 0x59,
	[0x50] = 0x5a, 0x5b, 0x62, 0x63, 0x46, 0x00, 0x64, 0x44, 0x45, 0x67, 0x00, 0x00, 0x8c, 0x00, 0x00, 0x00,
	[0x64] = 0x68, 0x69, 0x6a, 0x6b, 0x6c, 0x6d, 0x6e, 0x6f, 0x70, 0x71, 0x72,
	[0x70] = 0x88, 0x91, 0x90, 0x87, [0x76] = 0x73, [0x77] = 0x93, [0x78] = 0x92, [0x79] = 0x8a, [0x7b] = 0x8b, [0x7d] = 0x89,
	[0x7e] = 0x85,
};

static const uint8_t extended_usages[0x80] = {
	[0x1c] = 0x58, [0x1d] = 0xe4, [0x20] = 0x7f, [0x2e] = 0x81, [0x30] = 0x80, [0x35] = 0x54, [0x37] = 0x46, [0x38] = 0xe6,
	[0x46] = 0x48, [0x47] = 0x4a, [0x48] = 0x52, [0x49] = 0x4b, [0x4b] = 0x50, [0x4d] = 0x4f, [0x4f] = 0x4d, [0x50] = 0x51,
	[0x51] = 0x4e, [0x52] = 0x49, [0x53] = 0x4c, [0x5b] = 0xe3, [0x5c] = 0xe7, [0x5d] = 0x65, [0x5e] = 0x66,
};

static uint8_t
usage_of(unsigned scancode)
{
	if (scancode == 0xe11d)
		return 0x48; /* Pause */
	if (scancode >> 8 == 0xe0)
		return extended_usages[scancode & 0x7f];
	return scancode < 0x80 ? usages[scancode] : 0;
}

/* ---- the queue ---- */

static struct entry *
last_entry(struct usb_hid *h)
{
	return h->state.count == 0 ? NULL : &h->state.queue[(h->state.head + h->state.count - 1u) % QUEUE];
}

/* NULL: it is full. */
static struct entry *
new_entry(struct usb_hid *h)
{
	return h->state.count == QUEUE ? NULL : &h->state.queue[(h->state.head + h->state.count++) % QUEUE];
}

static void
drop_first(struct usb_hid *h)
{
	h->state.head = (h->state.head + 1) % QUEUE;
	h->state.count--;
}

static int32_t
clamp(int64_t v, int32_t most)
{
	return v > most ? most : v < -most ? -most : (int32_t)v;
}

/* A key that goes up finds a place even in a full queue: none may hang. */
static void
key(void *opaque, unsigned scancode, bool down)
{
	struct usb_hid *h = opaque;
	uint8_t usage = usage_of(scancode);
	struct entry *e;

	if (usage == 0 || !usb_is_configured(&h->usb))
		return;
	if (h->state.count >= QUEUE - 1 && down)
		return;
	if (h->state.count == QUEUE)
		drop_first(h);
	e = new_entry(h);
	*e = (struct entry){ .x = usage, .y = down };
	usb_ready(&h->usb, REPORTS);
}

/* HID counts from Num Lock, Caps Lock, Scroll Lock on. */
static unsigned
leds(void *opaque)
{
	const struct usb_hid *h = opaque;

	return (h->state.leds >> 2 & 1) | (h->state.leds << 1 & 6);
}

static void
moved(struct usb_hid *h, struct entry n)
{
	struct entry *e = last_entry(h);

	if (e == NULL || e->buttons != n.buttons) {
		struct entry *fresh = new_entry(h);

		if (fresh != NULL)
			*fresh = (struct entry){ .buttons = n.buttons };
		e = fresh != NULL ? fresh : e;
	}
	e->buttons = n.buttons;
	e->x = h->kind == TABLET ? n.x : clamp((int64_t)e->x + n.x, DELTA_MAX);
	e->y = h->kind == TABLET ? n.y : clamp((int64_t)e->y + n.y, DELTA_MAX);
	e->z = clamp((int64_t)e->z + n.z, DELTA_MAX);
	e->w = clamp((int64_t)e->w + n.w, DELTA_MAX);
	usb_ready(&h->usb, REPORTS);
}

/* Ours: the wheel is positive towards the user.  HID's: away. */
static void
move(void *opaque, int dx, int dy, int dz, int dw, unsigned buttons)
{
	moved(opaque, (struct entry){ clamp(dx, DELTA_MAX), clamp(dy, DELTA_MAX), clamp(-(int64_t)dz, DELTA_MAX),
		clamp(dw, DELTA_MAX), buttons & 31 });
}

static void
point(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	moved(opaque, (struct entry){ (int32_t)x, (int32_t)y, clamp(-(int64_t)dz, DELTA_MAX), clamp(dw, DELTA_MAX), buttons & 31 });
}

/* ---- reports ---- */

/* The report of what is down. */
static unsigned
put_keys(const struct usb_hid *h, uint8_t *to)
{
	unsigned n = 0;

	memset(to, 0, 8);
	to[0] = h->state.keys[USAGE_MODIFIERS / 8];
	for (unsigned usage = 4; usage < USAGE_MODIFIERS; usage++) {
		if ((h->state.keys[usage / 8] >> usage % 8 & 1) == 0)
			continue;
		if (n == KEYS) {
			memset(to + 2, USAGE_ROLL_OVER, KEYS);
			break;
		}
		to[2 + n++] = usage;
	}
	return 8;
}

/* Takes what a byte can say of *V. */
static uint8_t
take(int32_t *v)
{
	int32_t part = clamp(*v, 127);

	*v -= part;
	return part;
}

static unsigned
put_movement(const struct usb_hid *h, struct entry *e, uint8_t *to)
{
	to[0] = e->buttons;
	if (h->kind == TABLET) {
		store_le(to + 1, e->x, 2);
		store_le(to + 3, e->y, 2);
		to[5] = take(&e->z);
		to[6] = take(&e->w);
		return 7;
	}
	to[1] = take(&e->x);
	to[2] = take(&e->y);
	if (h->state.protocol == 0)
		return 3;
	to[3] = take(&e->z);
	to[4] = take(&e->w);
	return 5;
}

static unsigned
report_size(const struct usb_hid *h)
{
	return h->kind == KEYBOARD ? 8 : h->kind == TABLET ? 7 : h->state.protocol == 0 ? 3 : 5;
}

/* The report that the first entry makes, into state.last. */
static void
next_report(struct usb_hid *h)
{
	struct entry *e = &h->state.queue[h->state.head];
	bool done = true;

	if (h->kind == KEYBOARD) {
		uint8_t bit = 1 << (e->x & 7), *keys = &h->state.keys[(e->x & 0xff) / 8];

		*keys = e->y ? *keys | bit : *keys & ~bit;
		put_keys(h, h->state.last);
	} else {
		put_movement(h, e, h->state.last);
		if (h->kind == MOUSE && h->state.protocol == 0)
			e->z = e->w = 0;
		/* A large movement takes several reports. */
		done = e->z == 0 && e->w == 0 && (h->kind == TABLET || (e->x == 0 && e->y == 0));
	}
	if (done)
		drop_first(h);
}

static void
arm_idle(struct usb_hid *h)
{
	h->state.again = false;
	if (h->state.idle_rate != 0 && usb_is_configured(&h->usb))
		timer_set(&h->state.idle, clock_now(h->clock) + (uint64_t)h->state.idle_rate * IDLE_UNIT_NS);
	else
		timer_cancel(&h->state.idle);
}

static void
idle_over(void *opaque)
{
	struct usb_hid *h = opaque;

	h->state.again = true;
	if (!h->state.usb.suspended)
		usb_ready(&h->usb, REPORTS);
}

static void
activate(struct usb_hid *h)
{
	if (h->active || h->input == NULL)
		return;
	h->active = true;
	input_activate(h->input, &h->sink);
}

/* The guest no longer asks: others come first again. */
static void
deactivate(struct usb_hid *h)
{
	if (!h->active)
		return;
	h->active = false;
	input_remove(h->input, &h->sink);
	input_add(h->input, &h->sink);
}

static enum usb_answer
hid_data(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_hid *h = CONTAINER_OF(d, struct usb_hid, usb);
	unsigned size = report_size(h);

	activate(h);
	if (h->state.count == 0 && !h->state.again)
		return USB_NAK;
	if (p->size < size)
		return USB_BABBLE;
	if (h->state.count > 0)
		next_report(h);
	memcpy(p->data, h->state.last, size);
	if (h->kind != KEYBOARD)
		memset(h->state.last + (h->kind == TABLET ? 5 : 1), 0, h->kind == TABLET ? 2 : 4);
	p->done = size;
	p->ended = true;
	arm_idle(h);
	return USB_ACK;
}

/* ---- requests ---- */

static const uint8_t *
report_descriptor(const struct usb_hid *h, unsigned *size)
{
	switch (h->kind) {
	case KEYBOARD:
		*size = sizeof(keyboard_report);
		return keyboard_report;
	case MOUSE:
		*size = sizeof(mouse_report);
		return mouse_report;
	default:
		*size = sizeof(tablet_report);
		return tablet_report;
	}
}

static int
hid_descriptor(const struct usb_hid *h, unsigned type, uint8_t *data)
{
	unsigned size = h->usb.ops->info->extra_size;
	const uint8_t *from = h->usb.ops->info->extra;

	if (type == DESC_REPORT)
		from = report_descriptor(h, &size);
	else if (type != DESC_HID)
		return -1;
	memcpy(data, from, size);
	return (int)size;
}

static int
hid_class_request(struct usb_hid *h, const struct usb_setup *s, uint8_t *data)
{
	bool boot = h->kind != TABLET;

	switch (s->request) {
	case GET_REPORT:
		if (h->kind == KEYBOARD)
			put_keys(h, h->state.last);
		memcpy(data, h->state.last, report_size(h));
		return (int)report_size(h);
	case SET_REPORT:
		if (h->kind != KEYBOARD || s->value >> 8 != REPORT_OUT || s->length == 0)
			return -1;
		h->state.leds = data[0] & 31;
		return 0;
	case GET_IDLE:
		data[0] = h->state.idle_rate;
		return 1;
	case SET_IDLE:
		h->state.idle_rate = s->value >> 8;
		arm_idle(h);
		return 0;
	case GET_PROTOCOL:
		data[0] = h->state.protocol;
		return boot ? 1 : -1;
	case SET_PROTOCOL:
		if (!boot || s->value > 1)
			return -1;
		h->state.protocol = s->value;
		return 0;
	default:
		return -1;
	}
}

static int
hid_control(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	struct usb_hid *h = CONTAINER_OF(d, struct usb_hid, usb);
	bool in = s->request < SET_REPORT;

	if ((s->type & 31) != USB_TO_INTERFACE || s->index != 0)
		return -1;
	if ((s->type & (USB_TYPE_CLASS | USB_TYPE_VENDOR)) == 0)
		return s->request == USB_GET_DESCRIPTOR ? hid_descriptor(h, s->value >> 8, data) : -1;
	if ((s->type & USB_TYPE_VENDOR) || in != ((s->type & USB_TYPE_IN) != 0))
		return -1;
	return hid_class_request(h, s, data);
}

static void
hid_stopped(struct usb_dev *d)
{
	struct usb_hid *h = CONTAINER_OF(d, struct usb_hid, usb);

	deactivate(h);
	timer_cancel(&h->state.idle);
	memset(h->state.queue, 0, sizeof(h->state.queue));
	memset(h->state.keys, 0, sizeof(h->state.keys));
	memset(h->state.last, 0, sizeof(h->state.last));
	h->state.head = h->state.count = h->state.leds = h->state.idle_rate = 0;
	h->state.again = false;
	h->state.protocol = 1;
}

/* ---- the classes ---- */

static const struct usb_ops ops[] = {
	[KEYBOARD] = { .info = &infos[KEYBOARD], .speeds = 1 << USB_FULL | 1 << USB_HIGH, .stopped = hid_stopped,
		.control = hid_control, .data = hid_data },
	[MOUSE] = { .info = &infos[MOUSE], .speeds = 1 << USB_FULL | 1 << USB_HIGH, .stopped = hid_stopped,
		.control = hid_control, .data = hid_data },
	[TABLET] = { .info = &infos[TABLET], .speeds = 1 << USB_FULL | 1 << USB_HIGH, .stopped = hid_stopped,
		.control = hid_control, .data = hid_data },
};

static void
hid_reset(struct dev *d)
{
	usb_reset((struct usb_dev *)d);
}

static bool
hid_loaded(struct dev *d, struct err *e)
{
	struct usb_hid *h = (struct usb_hid *)d;

	for (unsigned i = 0; i < QUEUE; i++) {
		struct entry *n = &h->state.queue[i];

		n->x = clamp(n->x, DELTA_MAX);
		n->y = clamp(n->y, DELTA_MAX);
		n->z = clamp(n->z, DELTA_MAX);
		n->w = clamp(n->w, DELTA_MAX);
		n->buttons &= 31;
	}
	memset(h->state.spare, 0, sizeof(h->state.spare));
	return usb_loaded(&h->usb, e);
}

static void
hid_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct usb_hid *h = (struct usb_hid *)d;
	char text[128];

	snprintf(text, sizeof(text), "  port %s, address %u, %s, %u reports wait, LEDs %x\n",
		h->usb.port != NULL ? h->usb.port->path : "none", h->state.usb.address,
		usb_is_configured(&h->usb) ? "configured" : "not configured", h->state.count, h->state.leds);
	print(opaque, text);
}

static void
hid_destroy(struct dev *d)
{
	struct usb_hid *h = (struct usb_hid *)d;

	usb_destroy(&h->usb);
	timer_cancel(&h->state.idle);
	if (h->input != NULL)
		input_remove(h->input, &h->sink);
}

static const struct field fields[] = {
	USB_FIELDS(struct usb_hid),
	FIELD_TIMER_OF(struct usb_hid, state.idle),
	{ "state.queue", FIELD_UINT, offsetof(struct usb_hid, state.queue), 4, QUEUE * sizeof(struct entry) / 4, 0 },
	FIELD_BUFFER(struct usb_hid, state.keys),
	FIELD_MAX(struct usb_hid, state.head, QUEUE - 1),
	FIELD_MAX(struct usb_hid, state.count, QUEUE),
	FIELD_MAX(struct usb_hid, state.protocol, 1),
	FIELD_OF(struct usb_hid, state.idle_rate),
	FIELD_MAX(struct usb_hid, state.leds, 31),
	FIELD_MAX(struct usb_hid, state.again, 1),
	FIELD_SKIP(struct usb_hid, state.spare),
	FIELD_BUFFER(struct usb_hid, state.last),
	FIELD_END
};

#define HID_CLASS(text, long_text) { \
	.name = text, .description = long_text, .size = sizeof(struct usb_hid), \
	.state_offset = offsetof(struct usb_hid, state), .state_size = sizeof(((struct usb_hid *)0)->state), \
	.fields = fields, .reset = hid_reset, .loaded = hid_loaded, .info = hid_info, .destroy = hid_destroy }
static const struct dev_class classes[] = {
	[KEYBOARD] = HID_CLASS("usb-kbd", "USB keyboard"),
	[MOUSE] = HID_CLASS("usb-mouse", "USB mouse"),
	[TABLET] = HID_CLASS("usb-tablet", "USB tablet: a pointer with absolute positions"),
};

static struct usb_dev *
new_hid(const struct dev_env *env, enum hid_kind kind, const char *id, const char *serial, struct input *in)
{
	static const char *const names[] = { "USB keyboard", "USB mouse", "USB tablet" };
	struct usb_hid *h = (struct usb_hid *)dev_new(env, &classes[kind], id);

	h->kind = kind;
	h->clock = env->clock;
	h->input = in;
	timer_init(&h->state.idle, env->clock, idle_over, h);
	usb_init(&h->usb, &ops[kind], &h->state.usb, serial);
	h->sink = (struct input_sink){ .name = names[kind], .opaque = h };
	if (kind == KEYBOARD) {
		h->sink.key = key;
		h->sink.leds = leds;
	} else if (kind == MOUSE) {
		h->sink.move = move;
	} else {
		h->sink.point = point;
	}
	if (in != NULL)
		input_add(in, &h->sink);
	usb_reset(&h->usb);
	return &h->usb;
}

struct usb_dev *
usb_kbd_new(const struct dev_env *env, const char *id, const char *serial, struct input *in)
{
	return new_hid(env, KEYBOARD, id, serial, in);
}

struct usb_dev *
usb_mouse_new(const struct dev_env *env, const char *id, const char *serial, struct input *in)
{
	return new_hid(env, MOUSE, id, serial, in);
}

struct usb_dev *
usb_tablet_new(const struct dev_env *env, const char *id, const char *serial, struct input *in)
{
	return new_hid(env, TABLET, id, serial, in);
}
