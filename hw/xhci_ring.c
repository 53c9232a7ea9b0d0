/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rings of the xHCI controller, and the events that interrupters write into theirs. */
#include "hw/xhci.h"

#include "base/util.h"

enum {
	LINKS_MAX = 32,       /* in a row */
	SEGMENT_MIN = 16,
	SEGMENT_MAX = 4096,
	BUSY = 8,             /* ERDP: the event handler is at work */
	PENDING = 1,          /* IMAN */
	ENABLE = 2,
};

bool
xhci_read_words(struct xhci *x, uint64_t at, uint32_t *words, unsigned count)
{
	uint8_t raw[32];
	bool ok = pci_dma_read(&x->pci, at, raw, 4 * count);

	for (unsigned i = 0; i < count; i++)
		words[i] = load_le(raw + 4 * i, 4);
	return ok;
}

bool
xhci_write_words(struct xhci *x, uint64_t at, const uint32_t *words, unsigned count)
{
	uint8_t raw[32];

	for (unsigned i = 0; i < count; i++)
		store_le(raw + 4 * i, words[i], 4);
	return pci_dma_write(&x->pci, at, raw, 4 * count);
}

bool
xhci_fetch(struct xhci *x, uint64_t *dequeue, uint8_t *cycle, struct trb *t)
{
	for (unsigned links = 0; links < LINKS_MAX; links++) {
		uint32_t words[4];

		if (!xhci_read_words(x, *dequeue, words, 4)) {
			guest_bug(&x->pci.dev, "a ring at %llx, where no memory is", (unsigned long long)*dequeue);
			xhci_die(x);
			return false;
		}
		*t = (struct trb){ words[0] | (uint64_t)words[1] << 32, words[2], words[3], *dequeue };
		if ((t->control & TRB_CYCLE) != *cycle)
			return false;
		if (trb_type(t) != TRB_LINK)
			return true;
		*dequeue = t->parameter & ~15ull;
		if (t->control & TRB_TOGGLE)
			*cycle ^= 1;
	}
	guest_bug(&x->pci.dev, "a ring of links at %llx", (unsigned long long)*dequeue);
	xhci_die(x);
	return false;
}

/* ---- interrupters ---- */

static bool
wants(const struct xhci *x, const struct xhci_interrupter *i)
{
	return (i->management & (PENDING | ENABLE)) == (PENDING | ENABLE) && (x->state.command & XCMD_INTE);
}

void
xhci_update(struct xhci *x)
{
	bool level = false;

	for (unsigned n = 0; n < XHCI_INTERRUPTERS; n++)
		level |= wants(x, &x->state.interrupters[n]);
	pci_set_intx(&x->pci, level && !pci_msi_enabled(&x->pci));
}

/* A message clears the pending bit; the line goes with it. */
void
xhci_interrupter_changed(struct xhci *x, unsigned n)
{
	struct xhci_interrupter *i = &x->state.interrupters[n];

	if (wants(x, i) && pci_msi_enabled(&x->pci)) {
		i->management &= ~PENDING;
		pci_msi_notify(&x->pci, n);
	}
	xhci_update(x);
}

static void
raise_interrupt(struct xhci *x, unsigned n)
{
	struct xhci_interrupter *i = &x->state.interrupters[n];
	bool busy = i->dequeue & BUSY;

	i->dequeue |= BUSY;
	x->state.status |= XSTS_EVENT;
	if (busy)
		return;
	i->management |= PENDING;
	xhci_interrupter_changed(x, n);
}

/* ERSTBA was written: one segment, which the table's only entry describes. */
void
xhci_set_table(struct xhci *x, unsigned n)
{
	struct xhci_interrupter *i = &x->state.interrupters[n];
	uint32_t entry[4];

	i->index = 0;
	i->cycle = 1;
	i->segment_size = 0;
	if (i->table_size == 0)
		return;
	if (!xhci_read_words(x, i->table, entry, 4)) {
		xhci_die(x);
		return;
	}
	i->segment = (entry[0] | (uint64_t)entry[1] << 32) & ~63ull;
	i->segment_size = entry[2] & 0xffff;
	if (i->table_size > 1 || i->segment_size < SEGMENT_MIN || i->segment_size > SEGMENT_MAX) {
		guest_bug(&x->pci.dev, "an event ring of %u segments, the first of %u TRBs", i->table_size, i->segment_size);
		i->segment_size = 0;
		xhci_die(x);
	}
}

static void
put_event(struct xhci *x, struct xhci_interrupter *i, uint64_t parameter, uint32_t status, uint32_t control)
{
	uint32_t words[4] = { parameter, parameter >> 32, status, control | (i->cycle ? TRB_CYCLE : 0) };

	if (!xhci_write_words(x, i->segment + (uint64_t)TRB_SIZE * i->index, words, 4)) {
		xhci_die(x);
		return;
	}
	if (++i->index == i->segment_size) {
		i->index = 0;
		i->cycle ^= 1;
	}
}

void
xhci_event(struct xhci *x, unsigned interrupter, enum trb_type type, uint64_t parameter, uint32_t status, uint32_t flags)
{
	unsigned n = interrupter < XHCI_INTERRUPTERS ? interrupter : 0;
	struct xhci_interrupter *i = &x->state.interrupters[n];
	uint64_t place = ((i->dequeue & ~15ull) - i->segment) / TRB_SIZE;

	if (i->segment_size == 0) {
		guest_bug(&x->pci.dev, "an event for interrupter %u, which has no ring", n);
		return;
	}
	if (place >= i->segment_size) {
		guest_bug(&x->pci.dev, "the dequeue pointer of interrupter %u is outside of its ring", n);
		xhci_die(x);
		return;
	}
	/* The last place but one says that the ring is full; what comes then is lost. */
	if ((i->index + 1) % i->segment_size == place)
		return;
	if ((i->index + 2) % i->segment_size == place)
		put_event(x, i, 0, (uint32_t)CC_RING_FULL << 24, TRB_CONTROLLER_EVENT << 10);
	else
		put_event(x, i, parameter, status, flags | (uint32_t)type << 10);
	raise_interrupt(x, n);
}
