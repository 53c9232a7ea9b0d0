/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB hub of full speed with its own power: "Universal Serial Bus Specification", revision 2.0, chapter 11.
 *
 * Left out on purpose: indicators, over-current, and power switching: ports always have power once it was switched on.
 */
#include "hw/usb.h"

#include "base/util.h"

#include <stdio.h>

enum {
	FEATURE_CONNECTION = 0,
	FEATURE_ENABLE = 1,
	FEATURE_SUSPEND = 2,
	FEATURE_OVER_CURRENT = 3,
	FEATURE_RESET = 4,
	FEATURE_POWER = 8,
	FEATURE_CHANGES = 16,  /* C_PORT_CONNECTION to C_PORT_RESET follow in the order of the others */

	PORT_CONNECTED = 0x0001,
	PORT_ENABLED = 0x0002,
	PORT_SUSPENDED = 0x0004,
	PORT_POWER = 0x0100,
	PORT_LOW_SPEED = 0x0200,

	CHANGE_CONNECTED = 0x01,
	CHANGE_ENABLED = 0x02,
	CHANGE_SUSPENDED = 0x04,
	CHANGE_RESET = 0x10,

	DESC_HUB = 0x29,
	CHANGES = 0x81,        /* the endpoint */
};

struct usb_hub {
	struct usb_dev usb;
	struct usb_port ports[USB_PORTS_MAX];
	unsigned count;
	struct {
		struct usb_state usb;
		uint16_t status[USB_PORTS_MAX], change[USB_PORTS_MAX];
		uint8_t spare[4]; /* zero */
	} state;
};

static const struct usb_info hub_info = {
	.vendor = 0x0409, .product = 0x55aa, .release = 0x0101, .device_class = 9, .interface_class = 9, .attributes = 0xe0,
	.maker = "Calque", .name = "USB Hub", .endpoint_count = 1,
	.endpoints = { { CHANGES, USB_INTERRUPT, { 8, 2, 2, 2 }, { 255, 255, 12, 12 } } },
};

static struct usb_hub *
hub_of(struct usb_dev *d)
{
	return CONTAINER_OF(d, struct usb_hub, usb);
}

/* ---- ports ---- */

static void
changed(struct usb_hub *h, unsigned n, uint16_t change)
{
	h->state.change[n] |= change;
	usb_ready(&h->usb, CHANGES);
}

static void
connect(struct usb_hub *h, unsigned n)
{
	struct usb_dev *d = h->ports[n].dev;

	h->state.status[n] &= PORT_POWER;
	if (d == NULL || !(h->state.status[n] & PORT_POWER))
		return;
	h->state.status[n] |= PORT_CONNECTED | (d->speed == USB_LOW ? PORT_LOW_SPEED : 0);
	changed(h, n, CHANGE_CONNECTED);
}

static void
port_attached(struct usb_port *p)
{
	connect(p->opaque, p->index);
}

static void
port_detached(struct usb_port *p)
{
	struct usb_hub *h = p->opaque;
	uint16_t *status = &h->state.status[p->index];
	uint16_t change = CHANGE_CONNECTED | (*status & PORT_ENABLED ? CHANGE_ENABLED : 0);

	if (!(*status & PORT_CONNECTED))
		return;
	*status &= PORT_POWER;
	changed(h, p->index, change);
}

/* Resume from below: the port goes on, and the hub wakes what is above it. */
static void
port_resumed(struct usb_port *p)
{
	struct usb_hub *h = p->opaque;

	if (h->state.status[p->index] & PORT_SUSPENDED) {
		h->state.status[p->index] &= ~PORT_SUSPENDED;
		usb_set_suspended(p->dev, false);
		changed(h, p->index, CHANGE_SUSPENDED);
	} else if (h->state.usb.suspended && h->usb.port != NULL) {
		h->usb.port->ops->resumed(h->usb.port);
	}
}

static void
port_ready(struct usb_port *p, struct usb_dev *d, uint8_t endpoint)
{
	struct usb_hub *h = p->opaque;

	if (h->usb.port != NULL)
		h->usb.port->ops->ready(h->usb.port, d, endpoint);
}

static const struct usb_port_ops port_ops = { port_attached, port_detached, port_resumed, port_ready };

/* ---- requests ---- */

static int
set_port_feature(struct usb_hub *h, unsigned n, unsigned feature)
{
	struct usb_dev *d = h->ports[n].dev;
	uint16_t *status = &h->state.status[n];

	switch (feature) {
	case FEATURE_SUSPEND:
		if (*status & PORT_ENABLED) {
			*status |= PORT_SUSPENDED;
			usb_set_suspended(d, true);
		}
		return 0;
	case FEATURE_RESET:
		if (*status & PORT_CONNECTED) {
			usb_bus_reset(d);
			*status = (*status & ~PORT_SUSPENDED) | PORT_ENABLED;
			changed(h, n, CHANGE_RESET);
		}
		return 0;
	case FEATURE_POWER:
		if (!(*status & PORT_POWER)) {
			*status |= PORT_POWER;
			connect(h, n);
		}
		return 0;
	default:
		return -1;
	}
}

static int
clear_port_feature(struct usb_hub *h, unsigned n, unsigned feature)
{
	struct usb_dev *d = h->ports[n].dev;
	uint16_t *status = &h->state.status[n];

	switch (feature) {
	case FEATURE_ENABLE:
		*status &= ~PORT_ENABLED;
		return 0;
	case FEATURE_SUSPEND:
		if (*status & PORT_SUSPENDED) {
			*status &= ~PORT_SUSPENDED;
			usb_set_suspended(d, false);
			changed(h, n, CHANGE_SUSPENDED);
		}
		return 0;
	case FEATURE_POWER:
		*status = 0;
		return 0;
	case FEATURE_CHANGES + FEATURE_CONNECTION:
	case FEATURE_CHANGES + FEATURE_ENABLE:
	case FEATURE_CHANGES + FEATURE_SUSPEND:
	case FEATURE_CHANGES + FEATURE_OVER_CURRENT:
	case FEATURE_CHANGES + FEATURE_RESET:
		h->state.change[n] &= ~(1 << (feature - FEATURE_CHANGES));
		return 0;
	default:
		return -1;
	}
}

static int
port_request(struct usb_hub *h, const struct usb_setup *s, uint8_t *data)
{
	unsigned n = (s->index & 0xff) - 1u;

	if (n >= h->count)
		return -1;
	switch (s->request) {
	case USB_GET_STATUS:
		store_le(data, h->state.status[n], 2);
		store_le(data + 2, h->state.change[n], 2);
		return 4;
	case USB_SET_FEATURE:
		return set_port_feature(h, n, s->value);
	case USB_CLEAR_FEATURE:
		return clear_port_feature(h, n, s->value);
	default:
		return -1;
	}
}

/* Every device can be removed; power is switched by port, over-current told by port. */
static int
put_hub_descriptor(const struct usb_hub *h, uint8_t *data)
{
	unsigned mask = h->count / 8 + 1, size = 7 + 2 * mask;

	memset(data, 0, size);
	memcpy(data, (uint8_t[]){ size, DESC_HUB, h->count, 0x09, 0, 1, 0 }, 7);
	memset(data + 7 + mask, 0xff, mask);
	return (int)size;
}

static int
hub_request(struct usb_hub *h, const struct usb_setup *s, uint8_t *data)
{
	switch (s->request) {
	case USB_GET_STATUS:
		memset(data, 0, 4);
		return 4;
	case USB_GET_DESCRIPTOR:
		return s->value >> 8 == DESC_HUB ? put_hub_descriptor(h, data) : -1;
	case USB_CLEAR_FEATURE:
	case USB_SET_FEATURE:
		return s->value <= 1 ? 0 : -1;
	default:
		return -1;
	}
}

static int
hub_control(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	bool in = s->request == USB_GET_STATUS || s->request == USB_GET_DESCRIPTOR;

	if ((s->type & 0x60) != USB_TYPE_CLASS || in != ((s->type & USB_TYPE_IN) != 0))
		return -1;
	switch (s->type & 31) {
	case USB_TO_DEVICE:
		return hub_request(hub_of(d), s, data);
	case USB_TO_OTHER:
		return port_request(hub_of(d), s, data);
	default:
		return -1;
	}
}

/* A bit for each port that changed; bit 0 is the hub's own. */
static enum usb_answer
hub_data(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_hub *h = hub_of(d);
	unsigned size = h->count / 8 + 1;
	uint32_t set = 0;

	for (unsigned n = 0; n < h->count; n++)
		if (h->state.change[n] != 0)
			set |= 2u << n;
	if (set == 0)
		return USB_NAK;
	if (p->size < size)
		return USB_BABBLE;
	store_le(p->data, set, size);
	p->done = size;
	p->ended = true;
	return USB_ACK;
}

static void
hub_stopped(struct usb_dev *d)
{
	struct usb_hub *h = hub_of(d);

	for (unsigned n = 0; n < h->count; n++)
		h->state.status[n] = h->state.change[n] = 0;
}

static struct usb_dev *
hub_find(struct usb_dev *d, uint8_t address)
{
	struct usb_hub *h = hub_of(d);

	for (unsigned n = 0; n < h->count; n++) {
		struct usb_dev *found;

		if ((h->state.status[n] & PORT_ENABLED) && h->ports[n].dev != NULL &&
		    (found = usb_find(h->ports[n].dev, address)) != NULL)
			return found;
	}
	return NULL;
}

static struct usb_dev *
hub_child(struct usb_dev *d, unsigned n)
{
	struct usb_hub *h = hub_of(d);

	return n >= 1 && n <= h->count ? h->ports[n - 1].dev : NULL;
}

/* Its ports are there as long as it is plugged in itself. */
static void
hub_plugged(struct usb_dev *d, bool in)
{
	struct usb_hub *h = hub_of(d);

	for (unsigned n = 0; n < h->count; n++) {
		if (in)
			usb_add_port(d->port->bus, &h->ports[n], d->port, n + 1);
		else
			usb_remove_port(&h->ports[n]);
	}
}

static const struct usb_ops hub_ops = {
	.info = &hub_info, .speeds = 1 << USB_FULL, .stopped = hub_stopped, .control = hub_control, .data = hub_data,
	.find = hub_find, .child = hub_child, .plugged = hub_plugged,
};

/* ---- the class ---- */

static void
hub_reset(struct dev *d)
{
	usb_reset((struct usb_dev *)d);
}

static bool
hub_loaded(struct dev *d, struct err *e)
{
	struct usb_hub *h = (struct usb_hub *)d;

	memset(h->state.spare, 0, sizeof(h->state.spare));
	/* Where no device is there is nothing to be enabled. */
	for (unsigned n = 0; n < USB_PORTS_MAX; n++)
		if (h->ports[n].dev == NULL)
			h->state.status[n] &= PORT_POWER;
	return usb_loaded(&h->usb, e);
}

static void
hub_print(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct usb_hub *h = (struct usb_hub *)d;
	char text[96];

	for (unsigned n = 0; n < h->count; n++) {
		snprintf(text, sizeof(text), "  port %u: status %04x, changes %02x\n", n + 1, h->state.status[n], h->state.change[n]);
		print(opaque, text);
	}
}

static void
hub_destroy(struct dev *d)
{
	usb_destroy((struct usb_dev *)d);
}

static const struct field fields[] = {
	USB_FIELDS(struct usb_hub),
	FIELD_ARRAY(struct usb_hub, state.status),
	FIELD_ARRAY(struct usb_hub, state.change),
	FIELD_SKIP(struct usb_hub, state.spare),
	FIELD_END
};

static const struct dev_class hub_class = {
	.name = "usb-hub",
	.size = sizeof(struct usb_hub),
	.state_offset = offsetof(struct usb_hub, state),
	.state_size = sizeof(((struct usb_hub *)0)->state),
	.description = "USB hub",
	.fields = fields,
	.reset = hub_reset,
	.loaded = hub_loaded,
	.info = hub_print,
	.destroy = hub_destroy,
};

struct usb_dev *
usb_hub_new(const struct dev_env *env, const char *id, const char *serial, unsigned ports)
{
	struct usb_hub *h = (struct usb_hub *)dev_new(env, &hub_class, id);

	h->count = MIN(MAX(ports, 1), USB_PORTS_MAX);
	usb_init(&h->usb, &hub_ops, &h->state.usb, serial);
	for (unsigned n = 0; n < h->count; n++)
		h->ports[n] = (struct usb_port){ .ops = &port_ops, .opaque = h, .index = n, .speeds = 1 << USB_LOW | 1 << USB_FULL };
	usb_reset(&h->usb);
	return &h->usb;
}
