/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transfer rings of the xHCI controller.
 *
 * A transfer descriptor (TD) is a chain of TRBs.  Each is carried out as it is met, and has its event if it asks for one.
 * After a short packet the rest of the TD is passed over; one event tells it, that of the first TRB which wants to know.
 */
#include "hw/xhci.h"

#include "base/util.h"

/* A TRB takes as long as so many bytes, even one that moves none: the budget is one of time. */
enum { CHUNK = 64 * 1024, TRBS_AT_ONCE = 512, TRB_WORK = 512, ROUTE_TIERS = 5 };

enum step { NEXT, WAIT, HALT };

/* xhci_ep.skip: the device ended the transfer; there are TRBs of the TD that get nothing. */
enum { GOING, ENDED, SHORT };

static struct xhci_ep *
ep_at(struct xhci *x, unsigned slot, unsigned ep)
{
	return &x->state.slots[slot - 1].eps[ep - 1];
}

struct usb_dev *
xhci_find_device(struct xhci *x, const struct xhci_slot *s)
{
	unsigned n = s->port - 1u;
	struct usb_dev *d;

	if (s->port == 0 || n >= x->ports2 + x->ports3 || !(x->state.port[n] & XPORT_CONNECTED))
		return NULL;
	d = x->connectors[n < x->ports2 ? n : n - x->ports2].dev;
	for (unsigned tier = 0; d != NULL && tier < ROUTE_TIERS; tier++) {
		unsigned port = s->route >> 4 * tier & 15;

		if (port == 0)
			break;
		d = d->ops->child != NULL ? d->ops->child(d, port) : NULL;
	}
	return d;
}

/* The state, and where the ring is, in the endpoint's context too. */
void
xhci_set_ep_state(struct xhci *x, unsigned slot, unsigned ep, enum ep_state state)
{
	struct xhci_slot *s = &x->state.slots[slot - 1];
	struct xhci_ep *e = ep_at(x, slot, ep);
	uint64_t at = s->context + 32ull * ep, dequeue = e->dequeue | e->cycle;
	uint32_t word, place[2] = { dequeue, dequeue >> 32 };

	e->state = state;
	if (state != EP_RUNNING)
		e->waits = e->kicked = 0;
	if (s->context == 0 || !xhci_read_words(x, at, &word, 1))
		return;
	word = (word & ~7u) | state;
	xhci_write_words(x, at, &word, 1);
	xhci_write_words(x, at + 8, place, 2);
}

/* ---- events ---- */

static uint32_t
length_of(const struct trb *t)
{
	return t->status & 0x1ffff;
}

static void
transfer_event(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, enum completion cc, uint32_t left)
{
	xhci_event(x, t->status >> 22, TRB_TRANSFER_EVENT, t->at, left | (uint32_t)cc << 24, slot << 24 | ep << 16);
}

static void
data_event(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, enum completion cc)
{
	struct xhci_ep *e = ep_at(x, slot, ep);

	xhci_event(x, t->status >> 22, TRB_TRANSFER_EVENT, t->parameter, (e->total & 0xffffff) | (uint32_t)cc << 24,
		slot << 24 | ep << 16 | TRB_IS_EVENT_DATA);
	e->total = 0;
}

void
xhci_stop_transfer(struct xhci *x, unsigned slot, unsigned ep)
{
	struct xhci_ep *e = ep_at(x, slot, ep);
	uint64_t dequeue = e->dequeue;
	uint8_t cycle = e->cycle;
	struct trb t;

	if (e->waits && xhci_fetch(x, &dequeue, &cycle, &t))
		transfer_event(x, slot, ep, &t, CC_STOPPED, length_of(&t) - MIN(e->done, length_of(&t)));
}

/* What came of a TRB that is through. */
static void
report(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, uint32_t left)
{
	struct xhci_ep *e = ep_at(x, slot, ep);
	bool is_short = e->skip == SHORT, wanted = (t->control & TRB_IOC) || (is_short && (t->control & TRB_ISP));

	if (!wanted || e->reported)
		return;
	if (trb_type(t) == TRB_EVENT_DATA)
		data_event(x, slot, ep, t, is_short ? CC_SHORT : CC_SUCCESS);
	else
		transfer_event(x, slot, ep, t, is_short ? CC_SHORT : CC_SUCCESS, left);
	e->reported = is_short;
}

static enum step
fail(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, enum usb_answer answer)
{
	uint32_t left = length_of(t) - MIN(ep_at(x, slot, ep)->done, length_of(t));
	enum completion cc = answer == USB_STALL ? CC_STALL : answer == USB_BABBLE ? CC_BABBLE : CC_TRANSACTION;

	xhci_set_ep_state(x, slot, ep, EP_HALTED);
	transfer_event(x, slot, ep, t, cc, left);
	return HALT;
}

/* ---- TRBs ---- */

static enum usb_answer
move(struct xhci *x, struct usb_dev *d, const struct trb *t, struct usb_packet *p, uint32_t offset)
{
	enum usb_answer answer;

	p->data = x->bounce;
	if (p->pid == USB_OUT && (t->control & TRB_IMMEDIATE)) {
		uint8_t raw[8];

		store_le(raw, t->parameter, 8);
		memcpy(x->bounce, raw + MIN(offset, 8), MIN(p->size, 8 - MIN(offset, 8)));
	} else if (p->pid == USB_OUT && !pci_dma_read(&x->pci, t->parameter + offset, x->bounce, p->size)) {
		return USB_GONE;
	}
	answer = usb_transfer(d, p);
	if (answer == USB_ACK && p->pid == USB_IN && p->done > 0 &&
	    !pci_dma_write(&x->pci, t->parameter + offset, x->bounce, p->done))
		return USB_GONE;
	return answer;
}

/* Data of a Normal or Data TRB. */
static enum step
run_data(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, struct usb_dev *d, uint32_t *budget)
{
	struct xhci_ep *e = ep_at(x, slot, ep);
	uint32_t len = length_of(t);
	bool in = e->type == EP_CONTROL ? e->in != 0 : e->type >= EP_ISO_IN;
	bool ended = false;

	if (!in && (t->control & TRB_IMMEDIATE))
		len = MIN(len, 8);
	/* While it waited, it may have been made shorter. */
	e->done = MIN(e->done, len);
	do {
		struct usb_packet p = { .pid = in ? USB_IN : USB_OUT, .endpoint = ep / 2, .size = MIN(len - e->done, CHUNK) };
		enum usb_answer answer = move(x, d, t, &p, e->done);

		if (answer == USB_NAK || (answer == USB_ACK && p.done == 0 && p.size > 0 && !p.ended))
			return WAIT;
		if (answer != USB_ACK)
			return fail(x, slot, ep, t, answer);
		e->done += p.done;
		e->total += p.done;
		*budget -= MIN(*budget, p.done);
		ended = p.ended;
	} while (e->done < len && !ended);
	/* What ends right with this TRB is short only if another one of the TD has room for more. */
	if (in && ended)
		e->skip = e->done < len ? SHORT : ENDED;
	report(x, slot, ep, t, len - e->done);
	return NEXT;
}

static enum step
run_setup(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, struct usb_dev *d)
{
	uint8_t setup[8];
	struct usb_packet p = { .pid = USB_SETUP, .data = setup, .size = sizeof(setup) };
	enum usb_answer answer;

	store_le(setup, t->parameter, 8);
	answer = usb_transfer(d, &p);
	if (answer != USB_ACK)
		return fail(x, slot, ep, t, answer);
	report(x, slot, ep, t, 0);
	return NEXT;
}

static enum step
run_status(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, struct usb_dev *d)
{
	struct usb_packet p = { .pid = t->control & TRB_DIR_IN ? USB_IN : USB_OUT, .data = x->bounce };
	enum usb_answer answer = usb_transfer(d, &p);

	if (answer == USB_NAK)
		return WAIT;
	if (answer != USB_ACK)
		return fail(x, slot, ep, t, answer);
	report(x, slot, ep, t, 0);
	return NEXT;
}

static enum step
run_trb(struct xhci *x, unsigned slot, unsigned ep, const struct trb *t, struct usb_dev *d, uint32_t *budget)
{
	struct xhci_ep *e = ep_at(x, slot, ep);
	bool control = e->type == EP_CONTROL;

	if (trb_type(t) == TRB_EVENT_DATA || trb_type(t) == TRB_NOOP) {
		report(x, slot, ep, t, 0);
		return NEXT;
	}
	if (trb_type(t) == TRB_NORMAL && e->skip != GOING) {
		e->skip = SHORT;
		report(x, slot, ep, t, length_of(t));
		return NEXT;
	}
	switch (trb_type(t)) {
	case TRB_SETUP:
		if (control)
			return run_setup(x, slot, ep, t, d);
		break;
	case TRB_STATUS:
		if (control)
			return run_status(x, slot, ep, t, d);
		break;
	case TRB_DATA:
		if (!control)
			break;
		e->in = (t->control & TRB_DIR_IN) != 0;
		return run_data(x, slot, ep, t, d, budget);
	case TRB_NORMAL:
		return run_data(x, slot, ep, t, d, budget);
	}
	guest_bug(&x->pci.dev, "a TRB of type %u in a ring of type %u", trb_type(t), e->type);
	transfer_event(x, slot, ep, t, CC_TRB, length_of(t));
	xhci_set_ep_state(x, slot, ep, EP_ERROR);
	return HALT;
}

/* ---- rings ---- */

void
xhci_kick(struct xhci *x, unsigned slot, unsigned ep)
{
	struct xhci_ep *e = ep_at(x, slot, ep);

	if (!x->state.slots[slot - 1].enabled || e->type == EP_NONE || e->state == EP_HALTED || e->state == EP_ERROR)
		return;
	if (e->state == EP_STOPPED)
		xhci_set_ep_state(x, slot, ep, EP_RUNNING);
	e->kicked = 1;
}

/* On with the ring after T, which is through. */
static void
pass(struct xhci_ep *e, const struct trb *t)
{
	e->dequeue += TRB_SIZE;
	e->done = 0;
	if (!(t->control & TRB_CHAIN)) {
		e->skip = e->reported = 0;
		e->total = 0;
	}
}

bool
xhci_run_endpoint(struct xhci *x, unsigned slot, unsigned ep, uint32_t *budget)
{
	struct xhci_slot *s = &x->state.slots[slot - 1];
	struct xhci_ep *e = ep_at(x, slot, ep);

	for (unsigned count = 0; count < TRBS_AT_ONCE && *budget > 0; count++) {
		struct usb_dev *d = xhci_find_device(x, s);
		struct trb t;
		enum step step;

		e->waits = 0;
		if (!(x->state.command & XCMD_RUN) || e->state != EP_RUNNING || !xhci_fetch(x, &e->dequeue, &e->cycle, &t)) {
			e->kicked = 0;
			return false;
		}
		*budget -= MIN(*budget, TRB_WORK);
		step = d != NULL ? run_trb(x, slot, ep, &t, d, budget) : fail(x, slot, ep, &t, USB_GONE);
		if (step != NEXT) {
			e->waits = step == WAIT;
			e->kicked = 0;
			return false;
		}
		pass(e, &t);
	}
	return true;
}
