/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB 3 host controller by the "eXtensible Host Controller Interface for Universal Serial Bus (xHCI)", revision 1.1: PCI
 * device 1B36:000D.  Each connector is a port of USB 2 and one of USB 3.  Events go to up to 16 interrupters, by messages
 * (MSI) or the one line.
 *
 * Left out on purpose: isochronous endpoints, streams, virtual functions, bandwidth domains, interrupt moderation, the
 * MFINDEX wrap event, and saving the state (a restore says that it failed, upon which drivers start over).
 */
#include "hw/xhci.h"

#include "base/err.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	OPERATIONAL = 0x40,
	PORTS = 0x440,
	PORTS_END = PORTS + 16 * XHCI_PORTS,
	RUNTIME = 0x1000,
	INTERRUPTERS = 0x1020,
	INTERRUPTERS_END = INTERRUPTERS + 32 * XHCI_INTERRUPTERS,
	DOORBELLS = 0x2000,
	DOORBELLS_END = DOORBELLS + 4 * (XHCI_SLOTS + 1),
	MMIO_SIZE = 0x4000,
	BOUNCE = 64 * 1024,
	TURN_BYTES = 1024 * 1024,
	TURN_COMMANDS = 256,
	MICROFRAME_NS = 125000,
	MSI = 0x70,
	SBRN = 0x60,
};

enum { SPEED_SHIFT = 10 };

/* ---- work ---- */

void
xhci_die(struct xhci *x)
{
	x->state.status |= XSTS_CONTROLLER_ERROR | XSTS_HALTED;
	x->state.command &= ~XCMD_RUN;
	timer_cancel(&x->state.later);
}

/* True: something is left to do. */
static bool
run_slots(struct xhci *x, uint32_t *budget)
{
	bool more = false;

	for (unsigned slot = 1; slot <= XHCI_SLOTS; slot++) {
		if (!x->state.slots[slot - 1].enabled)
			continue;
		for (unsigned ep = 1; ep <= XHCI_ENDPOINTS; ep++)
			if (x->state.slots[slot - 1].eps[ep - 1].kicked)
				more |= xhci_run_endpoint(x, slot, ep, budget);
	}
	return more;
}

void
xhci_work(struct xhci *x)
{
	uint32_t budget = TURN_BYTES;
	bool more = false;

	if (x->at_work || !(x->state.command & XCMD_RUN))
		return;
	x->at_work = true;
	if (x->state.command_kicked) {
		x->state.command_kicked = xhci_run_commands(x, TURN_COMMANDS);
		more = x->state.command_kicked;
	}
	more |= run_slots(x, &budget);
	x->at_work = false;
	if (more && (x->state.command & XCMD_RUN))
		timer_set(&x->state.later, clock_now(x->clock) + LATER_NS);
}

static void
later(void *opaque)
{
	xhci_work(opaque);
}

/* ---- ports ---- */

/* The register of connector C for a device of SPEED. */
static unsigned
port_of(const struct xhci *x, unsigned c, enum usb_speed speed)
{
	return speed == USB_SUPER ? x->ports2 + c : c;
}

static struct usb_dev *
device_at(const struct xhci *x, unsigned n)
{
	struct usb_dev *d = x->connectors[n < x->ports2 ? n : n - x->ports2].dev;

	return d != NULL && port_of(x, n < x->ports2 ? n : n - x->ports2, d->speed) == n ? d : NULL;
}

static void
set_link(struct xhci *x, unsigned n, unsigned link)
{
	struct usb_dev *d = device_at(x, n);

	x->state.port[n] = (x->state.port[n] & ~(15u << XLINK_SHIFT)) | link << XLINK_SHIFT;
	if (d != NULL)
		usb_set_suspended(d, link == XLINK_U3);
}

static unsigned
link_of(const struct xhci *x, unsigned n)
{
	return x->state.port[n] >> XLINK_SHIFT & 15;
}

/* Sets change bits; those that are new make an event. */
static void
notify(struct xhci *x, unsigned n, uint32_t changes)
{
	uint32_t fresh = changes & ~x->state.port[n];

	x->state.port[n] |= changes;
	if (fresh == 0)
		return;
	x->state.status |= XSTS_PORT;
	if (x->state.command & XCMD_RUN)
		xhci_event(x, 0, TRB_PORT_EVENT, (uint64_t)(n + 1) << 24, (uint32_t)CC_SUCCESS << 24, 0);
}

static void
connect_port(struct xhci *x, unsigned n)
{
	static const uint8_t speeds[] = { [USB_LOW] = 2, [USB_FULL] = 1, [USB_HIGH] = 3, [USB_SUPER] = 4 };
	struct usb_dev *d = device_at(x, n);

	x->state.port[n] &= XPORT_CHANGES | XPORT_WAKE | XPORT_POWER;
	if (d == NULL) {
		set_link(x, n, XLINK_RX_DETECT);
		return;
	}
	x->state.port[n] |= XPORT_CONNECTED | (uint32_t)speeds[d->speed] << SPEED_SHIFT;
	if (d->speed == USB_SUPER)
		x->state.port[n] |= XPORT_ENABLED;
	set_link(x, n, d->speed == USB_SUPER ? XLINK_U0 : XLINK_POLLING);
}

static void
root_attached(struct usb_port *p)
{
	struct xhci *x = p->opaque;
	unsigned n = port_of(x, p->index, p->dev->speed);

	connect_port(x, n);
	notify(x, n, XPORT_CONNECT_CHANGE);
}

static void
root_detached(struct usb_port *p)
{
	struct xhci *x = p->opaque;
	unsigned n = port_of(x, p->index, p->dev->speed);
	uint32_t changes = XPORT_CONNECT_CHANGE;

	if ((x->state.port[n] & XPORT_ENABLED) && p->dev->speed != USB_SUPER)
		changes |= XPORT_ENABLE_CHANGE;
	x->state.port[n] &= XPORT_CHANGES | XPORT_WAKE | XPORT_POWER;
	set_link(x, n, XLINK_RX_DETECT);
	notify(x, n, changes);
}

static void
root_resumed(struct usb_port *p)
{
	struct xhci *x = p->opaque;
	unsigned n = port_of(x, p->index, p->dev->speed);

	if (link_of(x, n) != XLINK_U3)
		return;
	set_link(x, n, XLINK_RESUME);
	notify(x, n, XPORT_LINK_CHANGE);
}

static void
root_ready(struct usb_port *p, struct usb_dev *d, uint8_t endpoint)
{
	struct xhci *x = p->opaque;
	unsigned ep = 2 * (endpoint & 15) + (endpoint >> 7);

	for (unsigned slot = 1; slot <= XHCI_SLOTS; slot++) {
		const struct xhci_slot *s = &x->state.slots[slot - 1];

		if (!s->enabled || ep < 2 || !s->eps[ep - 1].waits || xhci_find_device(x, s) != d)
			continue;
		xhci_kick(x, slot, ep);
		xhci_work(x);
		return;
	}
}

static const struct usb_port_ops port_ops = { root_attached, root_detached, root_resumed, root_ready };

static void
reset_port(struct xhci *x, unsigned n, bool warm)
{
	struct usb_dev *d = device_at(x, n);

	if (d == NULL || (warm && d->speed != USB_SUPER))
		return;
	usb_bus_reset(d);
	x->state.port[n] |= XPORT_ENABLED;
	set_link(x, n, XLINK_U0);
	notify(x, n, XPORT_RESET_CHANGE | (warm ? XPORT_WARM_CHANGE : 0));
}

static void
write_link(struct xhci *x, unsigned n, unsigned link)
{
	unsigned old = link_of(x, n);

	if (link == XLINK_U0 && old != XLINK_U0 && (x->state.port[n] & XPORT_ENABLED)) {
		set_link(x, n, XLINK_U0);
		notify(x, n, XPORT_LINK_CHANGE);
	} else if (link == XLINK_U3 && old < XLINK_U3) {
		set_link(x, n, XLINK_U3);
	} else if (link == XLINK_RESUME && old == XLINK_U3 && n < x->ports2) {
		set_link(x, n, XLINK_RESUME);
	} else if (link == XLINK_RX_DETECT && old == XLINK_DISABLED) {
		connect_port(x, n);
		notify(x, n, XPORT_CONNECT_CHANGE);
	}
}

static void
write_port(struct xhci *x, unsigned n, uint32_t value)
{
	uint32_t *port = &x->state.port[n];

	if (value & XPORT_WARM_RESET) {
		reset_port(x, n, true);
		return;
	}
	if (value & XPORT_RESET) {
		reset_port(x, n, false);
		return;
	}
	*port &= ~(value & XPORT_CHANGES);
	*port = (*port & ~XPORT_WAKE) | (value & XPORT_WAKE);
	if (value & *port & XPORT_ENABLED) {
		*port &= ~XPORT_ENABLED;
		set_link(x, n, XLINK_DISABLED);
	} else if (value & XPORT_LINK_WRITE) {
		write_link(x, n, value >> XLINK_SHIFT & 15);
	}
}

/* ---- capability and operational registers ---- */

static void
power_on(struct xhci *x)
{
	timer_cancel(&x->state.later);
	x->state.start_ns = x->state.command_dequeue = x->state.contexts = 0;
	x->state.command = x->state.notification = x->state.config = 0;
	x->state.command_cycle = x->state.command_running = x->state.command_kicked = x->state.spare = 0;
	x->state.status = XSTS_HALTED;
	memset(x->state.interrupters, 0, sizeof(x->state.interrupters));
	memset(x->state.slots, 0, sizeof(x->state.slots));
	memset(x->state.port, 0, sizeof(x->state.port));
	for (unsigned n = 0; n < XHCI_INTERRUPTERS; n++)
		x->state.interrupters[n].moderation = 4000;
	for (unsigned n = 0; n < x->ports2 + x->ports3; n++) {
		struct usb_dev *d = device_at(x, n);

		x->state.port[n] = XPORT_POWER | (d != NULL ? XPORT_CONNECT_CHANGE : 0);
		if (d != NULL)
			usb_bus_reset(d);
		connect_port(x, n);
	}
	xhci_update(x);
}

static uint32_t
capability(const struct xhci *x, unsigned offset)
{
	switch (offset) {
	case 0x00:
		return 0x01000000 | OPERATIONAL; /* version 1.0 */
	case 0x04:
		return (x->ports2 + x->ports3) << 24 | XHCI_INTERRUPTERS << 8 | XHCI_SLOTS;
	case 0x08:
		return 0x0000000f; /* event rings of one segment, no scratch pads */
	case 0x10:
		return 0x20 / 4 << 16 | 1; /* extended capabilities at 20h; addresses of 64 bits */
	case 0x14:
		return DOORBELLS;
	case 0x18:
		return RUNTIME;
	case 0x20:
		return 0x02000000 | (x->ports3 > 0 ? 4 << 8 : 0) | 2;
	case 0x24:
	case 0x34:
		return 0x20425355; /* "USB " */
	case 0x28:
		return x->ports2 << 8 | 1;
	case 0x30:
		return x->ports3 > 0 ? 0x03000002 : 0;
	case 0x38:
		return x->ports3 << 8 | (x->ports2 + 1);
	default:
		return 0;
	}
}

static uint32_t
operational(const struct xhci *x, unsigned offset)
{
	switch (offset) {
	case 0x00:
		return x->state.command;
	case 0x04:
		return x->state.status;
	case 0x08:
		return 1; /* pages of 4 KiB */
	case 0x14:
		return x->state.notification;
	case 0x18:
		return x->state.command_running << 3; /* the pointer reads as zero */
	case 0x30:
		return x->state.contexts;
	case 0x34:
		return x->state.contexts >> 32;
	case 0x38:
		return x->state.config;
	default:
		return 0;
	}
}

static void
write_command(struct xhci *x, uint32_t value)
{
	uint32_t old = x->state.command;

	if (value & (XCMD_RESET | XCMD_LIGHT_RESET)) {
		power_on(x);
		return;
	}
	if (value & XCMD_SAVE)
		x->state.status &= ~XSTS_RESTORE_ERROR;
	if (value & XCMD_RESTORE)
		x->state.status |= XSTS_RESTORE_ERROR;
	if (x->state.status & XSTS_CONTROLLER_ERROR)
		value &= ~XCMD_RUN;
	x->state.command = value & XCMD_BITS;
	if ((value & XCMD_RUN) && !(old & XCMD_RUN)) {
		x->state.status &= ~XSTS_HALTED;
		x->state.start_ns = clock_now(x->clock);
	} else if (!(value & XCMD_RUN)) {
		x->state.status |= XSTS_HALTED;
		x->state.command_running = 0;
		timer_cancel(&x->state.later);
	}
	xhci_update(x);
}

static void
write_command_ring(struct xhci *x, uint32_t value)
{
	if (!x->state.command_running) {
		x->state.command_dequeue = (x->state.command_dequeue & ~0xffffffffull) | (value & ~63u);
		x->state.command_cycle = value & 1;
	} else if (value & 6) {
		x->state.command_running = x->state.command_kicked = 0;
		xhci_event(x, 0, TRB_COMMAND_EVENT, x->state.command_dequeue, (uint32_t)CC_RING_STOPPED << 24, 0);
	}
}

static void
write_operational(struct xhci *x, unsigned offset, uint32_t value)
{
	switch (offset) {
	case 0x00:
		write_command(x, value);
		break;
	case 0x04:
		x->state.status &= ~(value & (XSTS_ERROR | XSTS_EVENT | XSTS_PORT | XSTS_RESTORE_ERROR));
		break;
	case 0x14:
		x->state.notification = value & 0xffff;
		break;
	case 0x18:
		write_command_ring(x, value);
		break;
	case 0x1c:
		if (!x->state.command_running)
			x->state.command_dequeue = (uint32_t)x->state.command_dequeue | (uint64_t)value << 32;
		break;
	case 0x30:
		x->state.contexts = (x->state.contexts & ~0xffffffffull) | (value & ~63u);
		break;
	case 0x34:
		x->state.contexts = (uint32_t)x->state.contexts | (uint64_t)value << 32;
		break;
	case 0x38:
		x->state.config = value & 0xff;
		break;
	}
}

/* ---- runtime registers and doorbells ---- */

static uint32_t
read_interrupter(const struct xhci *x, unsigned n, unsigned offset)
{
	const struct xhci_interrupter *i = &x->state.interrupters[n];
	const uint32_t words[8] = {
		i->management, i->moderation, i->table_size, 0, i->table, i->table >> 32, i->dequeue, i->dequeue >> 32,
	};

	return words[offset / 4];
}

static void
write_dequeue(struct xhci *x, unsigned n, uint32_t value)
{
	struct xhci_interrupter *i = &x->state.interrupters[n];
	uint32_t busy = (uint32_t)i->dequeue & 8 & ~value;

	i->dequeue = (i->dequeue & ~0xffffffffull) | (value & ~15u) | busy;
	/* What came in the meantime asks again. */
	if ((value & 8) && i->segment_size != 0 &&
	    ((i->dequeue & ~15ull) - i->segment) / TRB_SIZE != i->index && !(i->management & 1)) {
		i->dequeue |= 8;
		i->management |= 1;
		xhci_interrupter_changed(x, n);
	}
}

static void
write_interrupter(struct xhci *x, unsigned n, unsigned offset, uint32_t value)
{
	struct xhci_interrupter *i = &x->state.interrupters[n];

	switch (offset) {
	case 0x00:
		i->management = (i->management & ~(value & 1) & 1) | (value & 2);
		xhci_interrupter_changed(x, n);
		break;
	case 0x04:
		i->moderation = value;
		break;
	case 0x08:
		i->table_size = value & 0xffff;
		break;
	case 0x10:
		i->table = (i->table & ~0xffffffffull) | (value & ~63u);
		break;
	case 0x14:
		i->table = (uint32_t)i->table | (uint64_t)value << 32;
		xhci_set_table(x, n);
		break;
	case 0x18:
		write_dequeue(x, n, value);
		break;
	case 0x1c:
		i->dequeue = (uint32_t)i->dequeue | (uint64_t)value << 32;
		break;
	}
}

static void
ring_doorbell(struct xhci *x, unsigned n, uint32_t value)
{
	unsigned ep = value & 0xff;

	if (!(x->state.command & XCMD_RUN))
		return;
	if (n == 0) {
		x->state.command_running = x->state.command_kicked = 1;
	} else if (ep >= 1 && ep <= XHCI_ENDPOINTS) {
		xhci_kick(x, n, ep);
	} else {
		guest_bug(&x->pci.dev, "doorbell %u rings for endpoint %u", n, ep);
		return;
	}
	xhci_work(x);
}

/* ---- the map of them all ---- */

static uint64_t
read_register(void *opaque, uint64_t offset, unsigned size)
{
	struct xhci *x = opaque;

	(void)size;
	if (offset < OPERATIONAL)
		return capability(x, offset);
	if (offset < PORTS)
		return operational(x, offset - OPERATIONAL);
	if (offset < PORTS_END)
		return offset % 16 == 0 && (offset - PORTS) / 16 < x->ports2 + x->ports3 ? x->state.port[(offset - PORTS) / 16] : 0;
	if (offset == RUNTIME)
		return (x->state.command & XCMD_RUN) ? (clock_now(x->clock) - x->state.start_ns) / MICROFRAME_NS & 0x3fff : 0;
	if (offset >= INTERRUPTERS && offset < INTERRUPTERS_END)
		return read_interrupter(x, (offset - INTERRUPTERS) / 32, offset % 32);
	return 0;
}

static void
write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct xhci *x = opaque;

	(void)size;
	if (offset >= OPERATIONAL && offset < PORTS)
		write_operational(x, offset - OPERATIONAL, value);
	else if (offset >= PORTS && offset < PORTS_END && offset % 16 == 0 && (offset - PORTS) / 16 < x->ports2 + x->ports3)
		write_port(x, (offset - PORTS) / 16, value);
	else if (offset >= INTERRUPTERS && offset < INTERRUPTERS_END)
		write_interrupter(x, (offset - INTERRUPTERS) / 32, offset % 32, value);
	else if (offset >= DOORBELLS && offset < DOORBELLS_END)
		ring_doorbell(x, (offset - DOORBELLS) / 4, value);
}

static const struct region_ops mmio_ops = { read_register, write_register, 4, 4 };

/* ---- the class ---- */

static struct xhci *
xhci_of(struct dev *d)
{
	return CONTAINER_OF(d, struct xhci, pci.dev);
}

static void
config_written(struct pci_dev *p, unsigned reg, unsigned size)
{
	if (reg < MSI + 4 && reg + size > MSI)
		xhci_update(xhci_of(&p->dev));
}

static void
xhci_reset(struct dev *d)
{
	struct xhci *x = xhci_of(d);

	pci_reset(&x->pci);
	power_on(x);
}

static bool
slot_is_possible(const struct xhci *x, const struct xhci_slot *s)
{
	if (s->enabled > 1 || s->port > x->ports2 + x->ports3)
		return false;
	for (unsigned n = 0; n < XHCI_ENDPOINTS; n++) {
		const struct xhci_ep *e = &s->eps[n];

		if (e->type > EP_INTERRUPT_IN || e->state > EP_ERROR || e->cycle > 1 || (e->dequeue & 15) != 0 || e->done > 0x1ffff)
			return false;
	}
	return true;
}

static bool
xhci_loaded(struct dev *d, struct err *e)
{
	struct xhci *x = xhci_of(d);

	pci_loaded(&x->pci);
	for (unsigned n = 0; n < XHCI_SLOTS; n++) {
		memset(x->state.slots[n].spare, 0, sizeof(x->state.slots[n].spare));
		if (!slot_is_possible(x, &x->state.slots[n]))
			return err_set(e, "slot %u is impossible", n + 1);
	}
	for (unsigned n = 0; n < XHCI_INTERRUPTERS; n++) {
		const struct xhci_interrupter *i = &x->state.interrupters[n];

		if (i->segment_size > 4096 || (i->segment_size != 0 && i->index >= i->segment_size) || i->cycle > 1 ||
		    (i->segment & 63) != 0)
			return err_set(e, "interrupter %u: an impossible event ring", n);
	}
	for (unsigned n = 0; n < x->ports2 + x->ports3; n++)
		if (((x->state.port[n] & XPORT_CONNECTED) != 0) != (device_at(x, n) != NULL))
			return err_set(e, "port %u: the state knows another device than there is", n + 1);
	x->state.spare = 0;
	xhci_update(x);
	return true;
}

static void
xhci_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct xhci *x = xhci_of(d);
	char text[160];
	unsigned slots = 0;

	for (unsigned n = 0; n < XHCI_SLOTS; n++)
		slots += x->state.slots[n].enabled;
	snprintf(text, sizeof(text), "  command %03x, status %03x, %u ports of USB 2 and %u of USB 3, %u slots in use\n",
		x->state.command, x->state.status, x->ports2, x->ports3, slots);
	print(opaque, text);
	for (unsigned n = 0; n < x->ports2 + x->ports3; n++) {
		snprintf(text, sizeof(text), "  port %u: %08x\n", n + 1, x->state.port[n]);
		print(opaque, text);
	}
}

static void
xhci_destroy(struct dev *d)
{
	struct xhci *x = xhci_of(d);

	for (unsigned n = 0; n < XHCI_CONNECTORS; n++)
		usb_remove_port(&x->connectors[n]);
	timer_cancel(&x->state.later);
	usb_bus_destroy(&x->bus);
	free(x->bounce);
	pci_detach(&x->pci);
}

static const struct field fields[] = {
	PCI_FIELDS(struct xhci),
	FIELD_TIMER_OF(struct xhci, state.later),
	FIELD_OF(struct xhci, state.start_ns),
	FIELD_OF(struct xhci, state.command_dequeue),
	FIELD_OF(struct xhci, state.contexts),
	FIELD_MAX(struct xhci, state.command, XCMD_BITS),
	FIELD_OF(struct xhci, state.status),
	FIELD_MAX(struct xhci, state.notification, 0xffff),
	FIELD_MAX(struct xhci, state.config, 0xff),
	FIELD_MAX(struct xhci, state.command_cycle, 1),
	FIELD_MAX(struct xhci, state.command_running, 1),
	FIELD_MAX(struct xhci, state.command_kicked, 1),
	FIELD_ARRAY(struct xhci, state.port),
	FIELD_SKIP(struct xhci, state.spare),
	FIELD_BUFFER(struct xhci, state.interrupters),
	FIELD_BUFFER(struct xhci, state.slots),
	FIELD_END
};

static const struct dev_class xhci_class = {
	.name = "qemu-xhci",
	.size = sizeof(struct xhci),
	.state_offset = offsetof(struct xhci, state),
	.state_size = sizeof(((struct xhci *)0)->state),
	.description = "USB 3 controller",
	.fields = fields,
	.reset = xhci_reset,
	.loaded = xhci_loaded,
	.info = xhci_info,
	.destroy = xhci_destroy,
};

static void
init_ports(struct xhci *x)
{
	for (unsigned n = 0; n < MAX(x->ports2, x->ports3); n++) {
		uint8_t speeds = (n < x->ports2 ? 1 << USB_LOW | 1 << USB_FULL | 1 << USB_HIGH : 0) |
			(n < x->ports3 ? 1 << USB_SUPER : 0);

		x->connectors[n] = (struct usb_port){ .ops = &port_ops, .opaque = x, .index = n, .speeds = speeds };
		usb_add_port(&x->bus, &x->connectors[n], NULL, n + 1);
	}
}

struct dev *
xhci_new(const struct dev_env *env, struct pci_bus *pci, int devfn, const char *id, const char *bus_name, unsigned ports2,
	unsigned ports3, struct usb_bus **bus)
{
	static const struct pci_id ids = { .vendor = 0x1b36, .device = 0x000d, .class = 0x0c0330, .revision = 1, .pin = 1 };
	struct xhci *x = (struct xhci *)dev_new(env, &xhci_class, id);

	x->clock = env->clock;
	x->ports2 = MIN(ports2, XHCI_CONNECTORS);
	x->ports3 = MIN(ports3, XHCI_CONNECTORS);
	x->bounce = xcalloc(1, BOUNCE);
	pci_attach(&x->pci, pci, devfn, &x->state.pci, &ids);
	pci_init_config(&x->pci, SBRN, 2, 0x2030, 0); /* USB 3.0; frame length of 60000 */
	pci_add_msi(&x->pci, MSI, XHCI_INTERRUPTERS, true);
	x->pci.config_written = config_written;
	region_init_io(&x->mmio, "xhci", &mmio_ops, x, MMIO_SIZE);
	pci_add_bar(&x->pci, 0, PCI_BAR_MEM64, &x->mmio);
	timer_init(&x->state.later, env->clock, later, x);
	usb_bus_init(&x->bus, bus_name);
	x->bus.devfn = x->pci.devfn;
	init_ports(x);
	*bus = &x->bus;
	return &x->pci.dev;
}
