/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command ring of the xHCI controller: slots, addresses, endpoints. */
#include "hw/xhci.h"

#include "base/util.h"

enum { CONTEXT = 32, CONTEXT_WORDS = 8 };

/* Of a command's words. */
static unsigned
slot_of(const struct trb *t)
{
	return t->control >> 24;
}

static unsigned
ep_of(const struct trb *t)
{
	return t->control >> 16 & 31;
}

static enum completion
check_slot(const struct xhci *x, const struct trb *t)
{
	unsigned n = slot_of(t);

	if (n < 1 || n > XHCI_SLOTS)
		return CC_TRB;
	return x->state.slots[n - 1].enabled ? CC_SUCCESS : CC_SLOT_DISABLED;
}

static enum completion
check_endpoint(const struct xhci *x, const struct trb *t)
{
	enum completion cc = check_slot(x, t);
	unsigned n = ep_of(t);

	if (cc != CC_SUCCESS)
		return cc;
	if (n < 1)
		return CC_TRB;
	return x->state.slots[slot_of(t) - 1].eps[n - 1].type != EP_NONE ? CC_SUCCESS : CC_ENDPOINT_DISABLED;
}

/* ---- contexts ---- */

/* Context N of the output device context: 0 is the slot's. */
static uint64_t
context(const struct xhci_slot *s, unsigned n)
{
	return s->context + (uint64_t)CONTEXT * n;
}

static unsigned
slot_state(struct xhci *x, const struct xhci_slot *s)
{
	uint32_t words[4];

	return s->context != 0 && xhci_read_words(x, context(s, 0), words, 4) ? words[3] >> 27 : SLOT_DISABLED;
}

static void
enable_endpoint(struct xhci *x, unsigned slot, unsigned n, uint32_t *words)
{
	struct xhci_slot *s = &x->state.slots[slot - 1];
	struct xhci_ep *ep = &s->eps[n - 1];
	uint64_t dequeue = words[2] | (uint64_t)words[3] << 32;

	*ep = (struct xhci_ep){
		.dequeue = dequeue & ~15ull, .cycle = dequeue & 1, .type = words[1] >> 3 & 7, .state = EP_RUNNING,
	};
	words[0] = (words[0] & ~7u) | EP_RUNNING;
	xhci_write_words(x, context(s, n), words, CONTEXT_WORDS);
}

static void
disable_endpoint(struct xhci *x, unsigned slot, unsigned n)
{
	struct xhci_slot *s = &x->state.slots[slot - 1];

	if (s->eps[n - 1].type == EP_NONE)
		return;
	xhci_set_ep_state(x, slot, n, EP_DISABLED);
	memset(&s->eps[n - 1], 0, sizeof(s->eps[n - 1]));
}

/* ---- slots ---- */

static enum completion
enable_slot(struct xhci *x, unsigned *slot)
{
	unsigned most = MIN(x->state.config & 0xff, XHCI_SLOTS);

	for (unsigned n = 1; n <= most; n++) {
		struct xhci_slot *s = &x->state.slots[n - 1];

		if (s->enabled)
			continue;
		memset(s, 0, sizeof(*s));
		s->enabled = 1;
		*slot = n;
		return CC_SUCCESS;
	}
	return CC_NO_SLOTS;
}

void
xhci_disable_slot(struct xhci *x, unsigned slot)
{
	memset(&x->state.slots[slot - 1], 0, sizeof(x->state.slots[slot - 1]));
}

/* Tells the device its address: a SET_ADDRESS request. */
static bool
set_address(struct usb_dev *d, uint8_t address)
{
	uint8_t setup[8] = { 0, USB_SET_ADDRESS, address };
	struct usb_packet p = { .pid = USB_SETUP, .data = setup, .size = sizeof(setup) };
	struct usb_packet status = { .pid = USB_IN };

	return usb_transfer(d, &p) == USB_ACK && usb_transfer(d, &status) == USB_ACK;
}

static bool
is_taken(struct xhci *x, const struct xhci_slot *mine, const struct usb_dev *d)
{
	for (unsigned n = 0; n < XHCI_SLOTS; n++) {
		const struct xhci_slot *s = &x->state.slots[n];

		if (s != mine && s->enabled && s->port != 0 && xhci_find_device(x, s) == d)
			return true;
	}
	return false;
}

static enum completion
address_device(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t);
	struct xhci_slot *s = &x->state.slots[slot - 1];
	uint64_t input = t->parameter & ~15ull;
	uint32_t flags[2], pointer[2], sc[CONTEXT_WORDS], ec[CONTEXT_WORDS];
	struct usb_dev *d;

	if (!xhci_read_words(x, x->state.contexts + 8 * slot, pointer, 2) || !xhci_read_words(x, input, flags, 2) ||
	    !xhci_read_words(x, input + CONTEXT, sc, CONTEXT_WORDS) || !xhci_read_words(x, input + 2 * CONTEXT, ec, CONTEXT_WORDS) ||
	    flags[0] != 0 || flags[1] != 3)
		return CC_TRB;
	s->route = sc[0] & 0xfffff;
	s->port = sc[1] >> 16;
	d = xhci_find_device(x, s);
	if (d == NULL || is_taken(x, s, d)) {
		s->port = 0;
		return d == NULL ? CC_TRANSACTION : CC_TRB;
	}
	s->context = (pointer[0] | (uint64_t)pointer[1] << 32) & ~63ull;
	if (t->control & TRB_BLOCK_ADDRESS) {
		sc[3] = (uint32_t)SLOT_DEFAULT << 27;
	} else {
		if (!set_address(d, slot))
			return CC_TRANSACTION;
		sc[3] = (uint32_t)SLOT_ADDRESSED << 27 | slot;
	}
	enable_endpoint(x, slot, 1, ec);
	return xhci_write_words(x, context(s, 0), sc, CONTEXT_WORDS) ? CC_SUCCESS : CC_TRB;
}

static enum completion
deconfigure(struct xhci *x, unsigned slot, uint32_t *sc)
{
	struct xhci_slot *s = &x->state.slots[slot - 1];

	for (unsigned n = 2; n <= XHCI_ENDPOINTS; n++)
		disable_endpoint(x, slot, n);
	sc[3] = (sc[3] & 0x07ffffff) | (uint32_t)SLOT_ADDRESSED << 27;
	sc[0] = (sc[0] & 0x07ffffff) | 1u << 27;
	xhci_write_words(x, context(s, 0), sc, 4);
	return CC_SUCCESS;
}

static enum completion
configure(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t);
	struct xhci_slot *s = &x->state.slots[slot - 1];
	uint64_t input = t->parameter & ~15ull;
	uint32_t flags[2], isc[4], sc[4], ec[CONTEXT_WORDS];

	if (slot_state(x, s) < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE;
	if (!xhci_read_words(x, context(s, 0), sc, 4))
		return CC_TRB;
	if (t->control & TRB_BLOCK_ADDRESS) /* here the bit means to deconfigure */
		return deconfigure(x, slot, sc);
	if (!xhci_read_words(x, input, flags, 2) || !xhci_read_words(x, input + CONTEXT, isc, 4) || (flags[0] & 3) != 0 ||
	    (flags[1] & 3) != 1)
		return CC_TRB;
	for (unsigned n = 2; n <= XHCI_ENDPOINTS; n++) {
		if (flags[0] >> n & 1)
			disable_endpoint(x, slot, n);
		if (!(flags[1] >> n & 1))
			continue;
		disable_endpoint(x, slot, n);
		if (!xhci_read_words(x, input + CONTEXT + (uint64_t)CONTEXT * n, ec, CONTEXT_WORDS))
			return CC_TRB;
		if ((ec[1] >> 3 & 7) == EP_NONE || (ec[0] >> 10 & 31) != 0)
			return CC_PARAMETER; /* there are no streams */
		enable_endpoint(x, slot, n, ec);
	}
	sc[3] = (sc[3] & 0x07ffffff) | (uint32_t)SLOT_CONFIGURED << 27;
	sc[0] = (sc[0] & 0x07ffffff) | (isc[0] & 0xf8000000);
	xhci_write_words(x, context(s, 0), sc, 4);
	return CC_SUCCESS;
}

static enum completion
evaluate(struct xhci *x, const struct trb *t)
{
	struct xhci_slot *s = &x->state.slots[slot_of(t) - 1];
	uint64_t input = t->parameter & ~15ull;
	uint32_t flags[2], in[CONTEXT_WORDS], out[CONTEXT_WORDS];

	if (s->context == 0)
		return CC_CONTEXT_STATE;
	if (!xhci_read_words(x, input, flags, 2) || flags[0] != 0 || (flags[1] & ~3u) != 0)
		return CC_TRB;
	if (flags[1] & 1) {
		if (!xhci_read_words(x, input + CONTEXT, in, CONTEXT_WORDS) || !xhci_read_words(x, context(s, 0), out, CONTEXT_WORDS))
			return CC_TRB;
		out[1] = (out[1] & ~0xffffu) | (in[1] & 0xffff);         /* maximum exit latency */
		out[2] = (out[2] & ~0xffc00000u) | (in[2] & 0xffc00000); /* interrupter */
		xhci_write_words(x, context(s, 0), out, CONTEXT_WORDS);
	}
	if (flags[1] & 2) {
		if (!xhci_read_words(x, input + 2 * CONTEXT, in, CONTEXT_WORDS) ||
		    !xhci_read_words(x, context(s, 1), out, CONTEXT_WORDS))
			return CC_TRB;
		out[1] = (out[1] & ~0xffff0000u) | (in[1] & 0xffff0000); /* maximum packet size */
		xhci_write_words(x, context(s, 1), out, CONTEXT_WORDS);
	}
	return CC_SUCCESS;
}

static enum completion
reset_device(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t);
	struct xhci_slot *s = &x->state.slots[slot - 1];
	uint32_t sc[4];

	if (slot_state(x, s) < SLOT_ADDRESSED)
		return CC_CONTEXT_STATE;
	for (unsigned n = 2; n <= XHCI_ENDPOINTS; n++)
		disable_endpoint(x, slot, n);
	if (!xhci_read_words(x, context(s, 0), sc, 4))
		return CC_TRB;
	sc[0] = (sc[0] & 0x07ffffff) | 1u << 27;
	sc[3] = (uint32_t)SLOT_DEFAULT << 27;
	xhci_write_words(x, context(s, 0), sc, 4);
	return CC_SUCCESS;
}

/* ---- endpoints ---- */

static enum completion
stop_endpoint(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t), n = ep_of(t);

	if (x->state.slots[slot - 1].eps[n - 1].state != EP_RUNNING)
		return CC_CONTEXT_STATE;
	xhci_stop_transfer(x, slot, n);
	xhci_set_ep_state(x, slot, n, EP_STOPPED);
	return CC_SUCCESS;
}

static enum completion
reset_endpoint(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t), n = ep_of(t);

	if (x->state.slots[slot - 1].eps[n - 1].state != EP_HALTED)
		return CC_CONTEXT_STATE;
	xhci_set_ep_state(x, slot, n, EP_STOPPED);
	return CC_SUCCESS;
}

static enum completion
set_dequeue(struct xhci *x, const struct trb *t)
{
	unsigned slot = slot_of(t), n = ep_of(t);
	struct xhci_ep *ep = &x->state.slots[slot - 1].eps[n - 1];

	if (ep->state != EP_STOPPED && ep->state != EP_ERROR)
		return CC_CONTEXT_STATE;
	ep->dequeue = t->parameter & ~15ull;
	ep->cycle = t->parameter & 1;
	ep->done = ep->total = 0;
	ep->skip = ep->reported = ep->waits = 0;
	xhci_set_ep_state(x, slot, n, EP_STOPPED);
	return CC_SUCCESS;
}

/* ---- the ring ---- */

static enum completion
run_command(struct xhci *x, const struct trb *t, unsigned *slot)
{
	static enum completion (*const on_slots[])(struct xhci *x, const struct trb *t) = {
		[TRB_ADDRESS_DEVICE] = address_device, [TRB_CONFIGURE] = configure, [TRB_EVALUATE] = evaluate,
		[TRB_RESET_DEVICE] = reset_device,
	};
	static enum completion (*const on_endpoints[])(struct xhci *x, const struct trb *t) = {
		[TRB_RESET_ENDPOINT] = reset_endpoint, [TRB_STOP_ENDPOINT] = stop_endpoint, [TRB_SET_DEQUEUE] = set_dequeue,
	};
	unsigned type = trb_type(t);
	enum completion cc;

	*slot = slot_of(t);
	switch (type) {
	case TRB_ENABLE_SLOT:
		return enable_slot(x, slot);
	case TRB_DISABLE_SLOT:
		cc = check_slot(x, t);
		if (cc == CC_SUCCESS)
			xhci_disable_slot(x, *slot);
		return cc;
	case TRB_ADDRESS_DEVICE:
	case TRB_CONFIGURE:
	case TRB_EVALUATE:
	case TRB_RESET_DEVICE:
		cc = check_slot(x, t);
		return cc == CC_SUCCESS ? on_slots[type](x, t) : cc;
	case TRB_RESET_ENDPOINT:
	case TRB_STOP_ENDPOINT:
	case TRB_SET_DEQUEUE:
		cc = check_endpoint(x, t);
		return cc == CC_SUCCESS ? on_endpoints[type](x, t) : cc;
	case TRB_NOOP_COMMAND:
		return CC_SUCCESS;
	default:
		guest_unimp(&x->pci.dev, "command %u", type);
		return CC_TRB;
	}
}

bool
xhci_run_commands(struct xhci *x, unsigned count)
{
	for (; count > 0 && x->state.command_running; count--) {
		uint8_t cycle = x->state.command_cycle;
		struct trb t;
		unsigned slot;
		enum completion cc;
		bool found = xhci_fetch(x, &x->state.command_dequeue, &cycle, &t);

		x->state.command_cycle = cycle;
		if (!found)
			return false;
		x->state.command_dequeue += TRB_SIZE;
		cc = run_command(x, &t, &slot);
		xhci_event(x, 0, TRB_COMMAND_EVENT, t.at, (uint32_t)cc << 24, slot << 24);
	}
	return x->state.command_running;
}
