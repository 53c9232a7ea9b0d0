/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What all USB devices share: ports they are plugged into, the control endpoint with the standard requests, and
 * descriptors; "Universal Serial Bus Specification", revision 2.0, chapters 8 and 9, and revision 3.0, chapter 9.
 *
 * Left out on purpose: data toggles, CRCs and retries, as nothing gets lost on this bus; the power states U1 and U2.
 */
#include "hw/usb.h"

#include "base/err.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum usb_phase { IDLE, DATA_IN, DATA_OUT, STATUS_IN, STALLED };

enum { FEATURE_HALT = 0, FEATURE_REMOTE_WAKEUP = 1, FEATURE_TEST_MODE = 2, FEATURE_U1 = 48, FEATURE_LTM = 50 };
enum { SELF_POWERED = 0x40, CAN_WAKE = 0x20 };
enum { STRING_MAKER = 1, STRING_NAME, STRING_SERIAL };

/* ---- ports ---- */

const char *
usb_speed_name(enum usb_speed speed)
{
	static const char *const names[] = { "1.5", "12", "480", "5000" };

	return names[speed];
}

void
usb_bus_init(struct usb_bus *bus, const char *name)
{
	bus->name = xstrdup(name);
	bus->ports = NULL;
}

void
usb_bus_destroy(struct usb_bus *bus)
{
	free(bus->name);
	bus->name = NULL;
}

void
usb_add_port(struct usb_bus *bus, struct usb_port *p, struct usb_port *parent, unsigned number)
{
	struct usb_port **last = &bus->ports;

	p->bus = bus;
	p->parent = parent;
	p->depth = parent != NULL ? parent->depth + 1 : 0;
	snprintf(p->path, sizeof(p->path), "%.16s%s%u", parent != NULL ? parent->path : "", parent != NULL ? "." : "", number);
	p->next = NULL;
	while (*last != NULL)
		last = &(*last)->next;
	*last = p;
}

/* Takes D out of its port, of which nobody is told. */
static void
pull(struct usb_dev *d)
{
	struct usb_port *p = d->port;

	if (d->ops->plugged != NULL)
		d->ops->plugged(d, false);
	p->dev = NULL;
	d->port = NULL;
	usb_bus_reset(d);
}

void
usb_remove_port(struct usb_port *p)
{
	if (p->bus == NULL)
		return;
	if (p->dev != NULL)
		pull(p->dev);
	for (struct usb_port **at = &p->bus->ports; *at != NULL; at = &(*at)->next) {
		if (*at == p) {
			*at = p->next;
			break;
		}
	}
	p->bus = NULL;
}

struct usb_port *
usb_find_port(struct usb_bus *bus, const char *path)
{
	struct usb_port *p = bus->ports;

	while (p != NULL && strcmp(p->path, path) != 0)
		p = p->next;
	return p;
}

struct usb_port *
usb_free_port(struct usb_bus *bus, uint8_t speeds, unsigned *free_ports)
{
	struct usb_port *found = NULL;

	*free_ports = 0;
	for (struct usb_port *p = bus->ports; p != NULL; p = p->next) {
		if (p->dev != NULL || (p->speeds & speeds) == 0)
			continue;
		if (found == NULL)
			found = p;
		++*free_ports;
	}
	return found;
}

bool
usb_plug(struct usb_dev *d, struct usb_port *p, struct err *e)
{
	uint8_t common = p->speeds & d->ops->speeds;

	if (p->dev != NULL)
		return err_set(e, "port %s of %s is taken", p->path, p->bus->name);
	if (d->ops->plugged != NULL && p->depth >= USB_DEPTH_MAX)
		return err_set(e, "port %s of %s is behind %u hubs already, the most there may be", p->path, p->bus->name, p->depth);
	if (common == 0)
		return err_set(e, "port %s of %s is not of this device's speed", p->path, p->bus->name);
	d->speed = USB_SUPER;
	while ((common >> d->speed & 1) == 0)
		d->speed--;
	d->port = p;
	p->dev = d;
	usb_bus_reset(d);
	if (d->ops->plugged != NULL)
		d->ops->plugged(d, true);
	p->ops->attached(p);
	return true;
}

void
usb_unplug(struct usb_dev *d)
{
	struct usb_port *p = d->port;

	if (p == NULL)
		return;
	p->ops->detached(p);
	pull(d);
}

struct usb_dev *
usb_find(struct usb_dev *d, uint8_t address)
{
	if (d->state->address == address)
		return d;
	return d->ops->find != NULL ? d->ops->find(d, address) : NULL;
}

/* ---- state ---- */

void
usb_init(struct usb_dev *d, const struct usb_ops *ops, struct usb_state *state, const char *serial)
{
	d->ops = ops;
	d->state = state;
	d->speed = USB_FULL;
	snprintf(d->serial, sizeof(d->serial), "%s", serial);
}

static void
stop(struct usb_dev *d)
{
	d->state->halted = 0;
	if (d->ops->stopped != NULL)
		d->ops->stopped(d);
}

void
usb_bus_reset(struct usb_dev *d)
{
	memset(d->state, 0, sizeof(*d->state));
	stop(d);
}

void
usb_reset(struct usb_dev *d)
{
	usb_bus_reset(d);
}

bool
usb_loaded(struct usb_dev *d, struct err *e)
{
	struct usb_state *s = d->state;

	memset(s->spare, 0, sizeof(s->spare));
	return s->pos <= s->len || err_set(e, "a control transfer past its end");
}

void
usb_destroy(struct usb_dev *d)
{
	if (d->port != NULL)
		pull(d);
}

bool
usb_is_configured(const struct usb_dev *d)
{
	return d->state->configuration != 0;
}

void
usb_set_suspended(struct usb_dev *d, bool suspended)
{
	d->state->suspended = suspended;
}

void
usb_ready(struct usb_dev *d, uint8_t endpoint)
{
	struct usb_port *p = d->port;

	if (p == NULL)
		return;
	if (d->state->suspended && d->state->remote_wakeup)
		p->ops->resumed(p);
	p->ops->ready(p, d, endpoint);
}

static uint32_t
halt_bit(uint8_t endpoint)
{
	return 1u << ((endpoint & 15) + (endpoint & 0x80 ? 16 : 0));
}

void
usb_halt(struct usb_dev *d, uint8_t endpoint)
{
	d->state->halted |= halt_bit(endpoint);
}

static const struct usb_endpoint *
find_endpoint(const struct usb_dev *d, uint8_t address)
{
	const struct usb_info *info = d->ops->info;

	for (unsigned i = 0; i < info->endpoint_count; i++)
		if (info->endpoints[i].address == address)
			return &info->endpoints[i];
	return NULL;
}

uint16_t
usb_packet_size(const struct usb_dev *d, uint8_t endpoint)
{
	const struct usb_endpoint *ep = find_endpoint(d, endpoint);

	return ep != NULL ? ep->packet[d->speed] : 8;
}

/* ---- descriptors ---- */

static unsigned
put(uint8_t *to, unsigned at, const uint8_t *from, unsigned size)
{
	memcpy(to + at, from, size);
	return at + size;
}

static unsigned
put_device(const struct usb_dev *d, uint8_t *to)
{
	const struct usb_info *i = d->ops->info;
	uint16_t version = d->speed == USB_SUPER ? 0x300 : d->ops->speeds >> USB_HIGH != 0 ? 0x200 : 0x110;

	return put(to, 0, (uint8_t[]){ 18, USB_DESC_DEVICE, version & 0xff, version >> 8, i->device_class, 0,
		i->device_protocol, d->speed == USB_SUPER ? 9 : d->speed == USB_LOW ? 8 : 64, i->vendor & 0xff, i->vendor >> 8,
		i->product & 0xff, i->product >> 8, i->release & 0xff, i->release >> 8, STRING_MAKER, STRING_NAME,
		d->serial[0] != '\0' ? STRING_SERIAL : 0, 1 }, 18);
}

static unsigned
put_qualifier(const struct usb_dev *d, uint8_t *to)
{
	const struct usb_info *i = d->ops->info;

	return put(to, 0, (uint8_t[]){ 10, USB_DESC_QUALIFIER, 0x00, 0x02, i->device_class, 0, i->device_protocol, 64, 1, 0 }, 10);
}

static unsigned
put_config(const struct usb_dev *d, uint8_t type, enum usb_speed speed, uint8_t *to)
{
	const struct usb_info *i = d->ops->info;
	unsigned n = put(to, 0, (uint8_t[]){ 9, type, 0, 0, 1, 1, 0, i->attributes, speed == USB_SUPER ? i->power / 4 : i->power }, 9);

	n = put(to, n, (uint8_t[]){ 9, USB_DESC_INTERFACE, 0, 0, i->endpoint_count, i->interface_class, i->interface_subclass,
		i->interface_protocol, 0 }, 9);
	if (i->extra_size > 0)
		n = put(to, n, i->extra, i->extra_size);
	for (unsigned k = 0; k < i->endpoint_count; k++) {
		const struct usb_endpoint *ep = &i->endpoints[k];

		n = put(to, n, (uint8_t[]){ 7, USB_DESC_ENDPOINT, ep->address, ep->type, ep->packet[speed] & 0xff,
			ep->packet[speed] >> 8, ep->interval[speed] }, 7);
		if (speed == USB_SUPER)
			n = put(to, n, (uint8_t[]){ 6, USB_DESC_COMPANION, ep->type == USB_BULK ? 15 : 0, 0,
				ep->type == USB_INTERRUPT ? ep->packet[speed] & 0xff : 0, 0 }, 6);
	}
	store_le(to + 2, n, 2);
	return n;
}

/* The capabilities "USB 2.0 extension" (without link power management) and "SuperSpeed USB". */
static unsigned
put_bos(uint8_t *to)
{
	return put(to, 0, (uint8_t[]){ 5, USB_DESC_BOS, 22, 0, 2, 7, 16, 2, 0, 0, 0, 0, 10, 16, 3, 0, 0x0e, 0, 1, 10, 0xff, 0x07 }, 22);
}

static int
put_string(const struct usb_dev *d, unsigned index, uint8_t *to)
{
	const char *const texts[] = { NULL, d->ops->info->maker, d->ops->info->name, d->serial };
	unsigned n = 2;

	if (index == 0)
		return (int)put(to, 0, (uint8_t[]){ 4, USB_DESC_STRING, 0x09, 0x04 }, 4);
	if (index >= ARRAY_SIZE(texts) || texts[index][0] == '\0')
		return -1;
	for (const char *c = texts[index]; *c != '\0' && n < 126; c++, n += 2)
		store_le(to + n, (uint8_t)*c, 2);
	to[0] = n;
	to[1] = USB_DESC_STRING;
	return (int)n;
}

static int
get_descriptor(const struct usb_dev *d, uint16_t value, uint8_t *to)
{
	bool two_speeds = (d->ops->speeds & (1 << USB_HIGH | 1 << USB_FULL)) == (1 << USB_HIGH | 1 << USB_FULL) &&
		d->speed != USB_SUPER;

	switch (value >> 8) {
	case USB_DESC_DEVICE:
		return (int)put_device(d, to);
	case USB_DESC_CONFIG:
		return (value & 0xff) == 0 ? (int)put_config(d, USB_DESC_CONFIG, d->speed, to) : -1;
	case USB_DESC_STRING:
		return put_string(d, value & 0xff, to);
	case USB_DESC_QUALIFIER:
		return two_speeds ? (int)put_qualifier(d, to) : -1;
	case USB_DESC_OTHER_SPEED:
		return two_speeds ? (int)put_config(d, USB_DESC_OTHER_SPEED, d->speed == USB_HIGH ? USB_FULL : USB_HIGH, to) : -1;
	case USB_DESC_BOS:
		return d->speed == USB_SUPER ? (int)put_bos(to) : -1;
	default:
		return -1;
	}
}

/* ---- standard requests ---- */

static int
device_feature(struct usb_dev *d, uint16_t feature, bool on)
{
	if (feature == FEATURE_REMOTE_WAKEUP && (d->ops->info->attributes & CAN_WAKE))
		d->state->remote_wakeup = on;
	else if (!(feature == FEATURE_TEST_MODE && on) &&
	    !(d->speed == USB_SUPER && feature >= FEATURE_U1 && feature <= FEATURE_LTM))
		return -1;
	return 0;
}

static int
set_configuration(struct usb_dev *d, unsigned value)
{
	if (value > 1)
		return -1;
	d->state->configuration = value;
	stop(d);
	return 0;
}

static int
device_request(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	switch (s->request) {
	case USB_GET_STATUS:
		store_le(data, (d->ops->info->attributes & SELF_POWERED ? 1 : 0) | d->state->remote_wakeup << 1, 2);
		return 2;
	case USB_CLEAR_FEATURE:
	case USB_SET_FEATURE:
		return device_feature(d, s->value, s->request == USB_SET_FEATURE);
	case USB_SET_ADDRESS:
		d->state->address = s->value & 127;
		return 0;
	case USB_GET_DESCRIPTOR:
		return get_descriptor(d, s->value, data);
	case USB_GET_CONFIGURATION:
		data[0] = d->state->configuration;
		return 1;
	case USB_SET_CONFIGURATION:
		return set_configuration(d, s->value & 0xff);
	case USB_SET_SEL:
	case USB_SET_ISOCH_DELAY:
		return d->speed == USB_SUPER ? 0 : -1;
	default:
		return -1;
	}
}

static int
interface_request(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	switch (s->request) {
	case USB_GET_STATUS:
		store_le(data, 0, 2);
		return 2;
	case USB_GET_INTERFACE:
		data[0] = 0;
		return 1;
	case USB_CLEAR_FEATURE:
	case USB_SET_FEATURE:
		/* Function suspend. */
		return d->speed == USB_SUPER && s->value == 0 ? 0 : -1;
	case USB_SET_INTERFACE:
		if (s->value != 0 || s->index != 0 || !usb_is_configured(d))
			return -1;
		stop(d);
		return 0;
	default:
		return d->ops->control != NULL ? d->ops->control(d, s, data) : -1;
	}
}

static int
endpoint_request(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	uint8_t endpoint = s->index & 0x8f;
	bool exists = (endpoint & 15) == 0 || (usb_is_configured(d) && find_endpoint(d, endpoint) != NULL);

	if (!exists)
		return -1;
	switch (s->request) {
	case USB_GET_STATUS:
		store_le(data, (d->state->halted & halt_bit(endpoint)) != 0, 2);
		return 2;
	case USB_CLEAR_FEATURE:
	case USB_SET_FEATURE:
		if (s->value != FEATURE_HALT)
			return -1;
		if ((endpoint & 15) == 0)
			return 0;
		if (s->request == USB_SET_FEATURE) {
			usb_halt(d, endpoint);
			return 0;
		}
		d->state->halted &= ~halt_bit(endpoint);
		if (d->ops->unhalted != NULL)
			d->ops->unhalted(d, endpoint);
		return 0;
	default:
		return -1;
	}
}

static int
run_request(struct usb_dev *d)
{
	const uint8_t *raw = d->state->setup;
	struct usb_setup s = { raw[0], raw[1], load_le(raw + 2, 2), load_le(raw + 4, 2), load_le(raw + 6, 2) };

	if ((s.type & (USB_TYPE_CLASS | USB_TYPE_VENDOR)) != 0)
		return d->ops->control != NULL ? d->ops->control(d, &s, d->state->data) : -1;
	/* The direction of a standard request follows from its code. */
	bool in = s.request == USB_GET_STATUS || s.request == USB_GET_DESCRIPTOR || s.request == USB_GET_CONFIGURATION ||
		s.request == USB_GET_INTERFACE;
	if (in != ((s.type & USB_TYPE_IN) != 0))
		return -1;
	switch (s.type & 31) {
	case USB_TO_DEVICE:
		return device_request(d, &s, d->state->data);
	case USB_TO_INTERFACE:
		return interface_request(d, &s, d->state->data);
	case USB_TO_ENDPOINT:
		return endpoint_request(d, &s, d->state->data);
	default:
		return -1;
	}
}

/* ---- the control endpoint ---- */

static enum usb_answer
take_setup(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_state *s = d->state;
	unsigned length;
	int n;

	if (p->size != sizeof(s->setup))
		return USB_GONE;
	memcpy(s->setup, p->data, sizeof(s->setup));
	p->done = p->size;
	length = load_le(s->setup + 6, 2);
	s->pos = s->len = 0;
	if ((s->setup[0] & USB_TYPE_IN) && length > 0) {
		n = run_request(d);
		s->phase = n < 0 ? STALLED : DATA_IN;
		s->len = n < 0 ? 0 : MIN((unsigned)n, length);
	} else if (length > 0) {
		s->phase = length > sizeof(s->data) ? STALLED : DATA_OUT;
		s->len = length > sizeof(s->data) ? 0 : length;
	} else {
		s->phase = STATUS_IN;
	}
	return USB_ACK;
}

/* The status stage of what goes out: now the request is carried out. */
static enum usb_answer
finish_out(struct usb_dev *d, struct usb_packet *p)
{
	int n = run_request(d);

	d->state->phase = n < 0 ? STALLED : IDLE;
	p->ended = true;
	return n < 0 ? USB_STALL : USB_ACK;
}

static enum usb_answer
control_in(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_state *s = d->state;

	switch (s->phase) {
	case DATA_IN:
		p->done = MIN(p->size, (uint32_t)(s->len - s->pos));
		memcpy(p->data, s->data + s->pos, p->done);
		s->pos += p->done;
		p->ended = s->pos == s->len;
		return USB_ACK;
	case DATA_OUT:
		return s->pos == s->len ? finish_out(d, p) : USB_STALL;
	case STATUS_IN:
		return finish_out(d, p);
	default:
		return USB_STALL;
	}
}

static enum usb_answer
control_out(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_state *s = d->state;

	switch (s->phase) {
	case DATA_OUT:
		if (p->size > (uint32_t)(s->len - s->pos))
			return USB_STALL;
		memcpy(s->data + s->pos, p->data, p->size);
		s->pos += p->size;
		p->done = p->size;
		p->ended = s->pos == s->len;
		return USB_ACK;
	case DATA_IN:
		s->phase = IDLE;
		p->ended = true;
		return USB_ACK;
	default:
		return USB_STALL;
	}
}

enum usb_answer
usb_transfer(struct usb_dev *d, struct usb_packet *p)
{
	uint8_t endpoint = p->endpoint | (p->pid == USB_IN ? 0x80 : 0);

	p->done = 0;
	p->ended = false;
	if (p->endpoint == 0) {
		if (p->pid == USB_SETUP)
			return take_setup(d, p);
		return p->pid == USB_IN ? control_in(d, p) : control_out(d, p);
	}
	if (p->pid == USB_SETUP || !usb_is_configured(d) || find_endpoint(d, endpoint) == NULL)
		return USB_GONE;
	if (d->state->halted & halt_bit(endpoint))
		return USB_STALL;
	return d->ops->data(d, p);
}
