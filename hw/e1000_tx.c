/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: the transmitter, chapter 3.3 to 3.5 of the manual.
 *
 * A packet whose descriptors are all there is handed to the cable straight from the guest's memory: descriptors are
 * copied once, their data become pieces of an iovec, and only the headers, which are changed, are copied too.  Where the
 * end of a packet is still to come, or it has too many pieces, its data are gathered in the state ("partial"), as the
 * chip does in its FIFO, segment by segment.  Descriptors are given back when the packet has gone.
 *
 * The work is done where TDT is written, for a millisecond at the most; what is left goes on in the loop's thread.  All of
 * it there, with the processor going on meanwhile, was no faster on two processors, and at half the speed on a busy host
 * (tests/bench/net.sh): guests wait for the other end's window soon, and then for one thread to wake the other.
 */
#include "hw/e1000.h"

#include "base/util.h"
#include "hw/e1000_tx.h"

#include <time.h>

enum {
	BATCH = 64,            /* descriptors that are read at once */
	REPORT_MOST = 64,      /* ... that wait to be given back */
	COPY_MOST = 4096,
	SLICE_NS = 1000 * 1000,
	PAUSE_NS = 50 * 1000,  /* between two slices */
	DELAY_UNIT_NS = 1024,
	LEAST_NS = 50 * 1000,
};

/* Lower and upper are the descriptor's second half. */
struct tx_desc {
	uint64_t addr;
	uint32_t lower, upper;
};

enum {
	TX_EOP = 1u << 24,
	TX_IC = 1u << 26,      /* legacy */
	TX_TSE = 1u << 26,     /* extended */
	TX_RS = 1u << 27,
	TX_DEXT = 1u << 29,
	TX_VLE = 1u << 30,
	TX_IDE = 1u << 31,
	TX_DD = 1,
	TX_TYPE_CONTEXT = 0,
	TX_TYPE_DATA = 1,
	CONTEXT_TCP = 1u << 24,
	CONTEXT_IP = 1u << 25,
};

/* What is being done in one call. */
struct tx_work {
	struct e1000 *d;
	struct tx_packet packet;        /* the one whose descriptors are being read */
	unsigned packet_head;           /* its first descriptor that is not given back */
	uint8_t report[REPORT_MOST];    /* which of them want it */
	unsigned report_count;
	uint32_t causes;
	bool delayed;                   /* TXDW by IDE */
};

/* ---- the ring ---- */

static unsigned
ring_size(const struct e1000 *d)
{
	return e1000_get(d, TDLEN) / 16;
}

static uint64_t
ring_address(const struct e1000 *d, unsigned index)
{
	return (e1000_get(d, TDBAL) | (uint64_t)e1000_get(d, TDBAH) << 32) + 16ull * index;
}

static void
give_back(struct tx_work *w, unsigned index)
{
	uint8_t done = TX_DD;

	pci_dma_write(&w->d->pci, ring_address(w->d, index) + 12, &done, 1);
}

/* All descriptors from the packet's first to HEAD are done. */
static void
report(struct tx_work *w, unsigned head)
{
	unsigned size = ring_size(w->d);

	for (unsigned i = 0; i < w->report_count; i++)
		if (w->report[i])
			give_back(w, (w->packet_head + i) % size);
	w->report_count = 0;
	w->packet_head = head;
	*e1000_reg(w->d, TDH) = head;
}

/* Notes that the descriptor after those noted wants to be given back or not. */
static void
note(struct tx_work *w, const struct tx_desc *t)
{
	w->report[w->report_count++] = (t->lower & TX_RS) != 0;
	if (!(t->lower & TX_RS))
		return;
	if ((t->lower & TX_IDE) && e1000_get(w->d, TIDV) != 0)
		w->delayed = true;
	else
		w->causes |= INT_TXDW;
}

/* ---- descriptors ---- */

static void
take_context(struct e1000 *d, const struct tx_desc *t)
{
	struct e1000_context *c = t->lower & TX_TSE ? &d->state.tso_context : &d->state.context;
	struct e1000_partial *part = &d->state.partial;

	/* What is gathered may not fit what the new one says. */
	if ((t->lower & TX_TSE) && part->started && part->segmenting) {
		guest_bug(&d->pci.dev, "a context in the middle of its packet");
		part->bad = 1;
	}
	*c = (struct e1000_context){
		.ip_start = (uint8_t)t->addr,
		.ip_sum = (uint8_t)(t->addr >> 8),
		.ip_end = (uint16_t)(t->addr >> 16),
		.tu_start = (uint8_t)(t->addr >> 32),
		.tu_sum = (uint8_t)(t->addr >> 40),
		.tu_end = (uint16_t)(t->addr >> 48),
		.payload_len = bits(t->lower, 0, 20),
		.is_tcp = (t->lower & CONTEXT_TCP) != 0,
		.is_ip4 = (t->lower & CONTEXT_IP) != 0,
		.header_len = (uint8_t)(t->upper >> 8),
		.mss = (uint16_t)(t->upper >> 16),
	};
}

/* What the first descriptor of a packet decides. */
static void
start_packet(struct tx_work *w, const struct tx_desc *t)
{
	struct e1000_partial *part = &w->d->state.partial;
	bool extended = t->lower & TX_DEXT;

	part->started = 1;
	part->segmenting = extended && (t->lower & TX_TSE);
	part->options = extended ? (t->upper >> 8) & (TX_OPTION_IP | TX_OPTION_TU) : 0;
	w->packet.count = 0;
	w->packet.len = w->packet.scratch_used = 0;
	if (part->segmenting && w->d->state.tso_context.mss < TX_MSS_MIN) {
		guest_bug(&w->d->pci.dev, "segments of %u bytes", w->d->state.tso_context.mss);
		part->bad = 1;
	}
}

/* What each descriptor, and so the last one, may say. */
static void
take_options(struct tx_work *w, const struct tx_desc *t)
{
	struct e1000_partial *part = &w->d->state.partial;

	if (t->lower & TX_VLE) {
		part->vlan = 1;
		part->special = t->upper >> 16;
	}
	if (!(t->lower & TX_DEXT) && (t->lower & TX_IC)) {
		part->options |= TX_OPTION_LEGACY;
		part->css = (uint8_t)(t->upper >> 8);
		part->cso = (uint8_t)(t->lower >> 16);
	}
}

/* ---- packets in parts ---- */

/* How many bytes the segment or packet being gathered may have. */
static uint32_t
part_limit(struct e1000 *d)
{
	const struct e1000_context *c = &d->state.tso_context;

	if (!d->state.partial.segmenting)
		return E1000_FRAME_MAX;
	return MIN((uint32_t)c->header_len + c->mss, E1000_FRAME_MAX);
}

bool
e1000_tx_possible(struct e1000 *d)
{
	const struct e1000_partial *part = &d->state.partial;

	if (!part->started)
		return part->len == 0 && !part->gathered;
	return part->bad || (part->len <= part_limit(d) && (!part->segmenting || d->state.tso_context.mss >= TX_MSS_MIN));
}

/* The segment in the state goes; its headers stay for the next one. */
static void
send_part(struct tx_work *w, bool last)
{
	struct e1000 *d = w->d;
	struct e1000_partial *part = &d->state.partial;

	if (part->bad || part->len == 0)
		return;
	w->packet.pieces[0] = (struct iovec){ part->bytes, part->len };
	w->packet.count = 1;
	w->packet.len = part->len;
	e1000_tx_packet(d, &w->packet, last);
	part->sent++;
	part->len = MIN(part->len, d->state.tso_context.header_len);
	w->packet.count = 0;
	w->packet.len = 0;
}

static void
gather_bytes(struct tx_work *w, const uint8_t *from, size_t len)
{
	struct e1000_partial *part = &w->d->state.partial;
	uint32_t limit = part_limit(w->d);

	while (len > 0 && !part->bad) {
		size_t n = MIN(len, limit - part->len);

		memcpy(part->bytes + part->len, from, n);
		part->len += (uint32_t)n;
		from += n;
		len -= n;
		if (len == 0)
			break;
		if (!part->segmenting || limit <= w->d->state.tso_context.header_len) {
			guest_bug(&w->d->pci.dev, "a packet longer than %u bytes", limit);
			part->bad = 1;
		} else {
			send_part(w, false);
		}
	}
}

/* What stands in pieces moves to the state, and what follows goes there at once. */
static void
gather(struct tx_work *w)
{
	struct tx_packet *p = &w->packet;
	struct iovec pieces[TX_PIECES];
	unsigned count = p->count;

	memcpy(pieces, p->pieces, count * sizeof(pieces[0]));
	p->count = 0;
	p->len = 0;
	w->d->state.partial.gathered = 1;
	for (unsigned i = 0; i < count; i++)
		gather_bytes(w, pieces[i].iov_base, pieces[i].iov_len);
}

/* ---- data ---- */

/* The next bytes at ADDR, LEN at the most, where they can be read; what is not in RAM is copied first.  0: too much of that. */
static uint32_t
look_at(struct tx_work *w, uint64_t addr, uint32_t len, const uint8_t **host)
{
	struct tx_packet *p = &w->packet;
	uint64_t n = pci_dma_span(&w->d->pci, addr, host, len);

	if (n > 0)
		return (uint32_t)n;
	n = MIN(MIN(len, COPY_MOST), E1000_SCRATCH - p->scratch_used);
	*host = w->d->scratch + p->scratch_used;
	pci_dma_read(&w->d->pci, addr, w->d->scratch + p->scratch_used, n);
	p->scratch_used += n;
	return (uint32_t)n;
}

/* The chip has no such limits; they keep a packet's time short. */
static uint32_t
longest_packet(const struct e1000 *d)
{
	const struct e1000_context *c = &d->state.tso_context;

	if (!d->state.partial.segmenting)
		return TX_TSO_MAX;
	return MIN(TX_TSO_MAX, c->header_len + TX_SEGMENTS_MAX * (uint32_t)c->mss);
}

static void
add_data(struct tx_work *w, uint64_t addr, uint32_t len)
{
	struct e1000_partial *part = &w->d->state.partial;
	struct tx_packet *p = &w->packet;
	uint32_t longest = longest_packet(w->d);

	while (len > 0 && !part->bad) {
		const uint8_t *host;
		uint32_t n;

		if (!part->gathered && p->count == TX_PIECES)
			gather(w);
		n = look_at(w, addr, len, &host);
		part->total += n;
		if (n == 0 || part->total > longest) {
			guest_bug(&w->d->pci.dev, "a packet longer than can be sent");
			part->bad = 1;
		} else if (part->gathered) {
			gather_bytes(w, host, n);
		} else {
			p->pieces[p->count++] = (struct iovec){ (void *)host, n };
			p->len += n;
		}
		addr += n;
		len -= n;
	}
}

/* ---- the work ---- */

static void
end_packet(struct tx_work *w)
{
	struct e1000_partial *part = &w->d->state.partial;

	if (part->gathered)
		send_part(w, true);
	else if (w->packet.len > 0 && !part->bad)
		e1000_tx_packet(w->d, &w->packet, true);
	memset(part, 0, offsetof(struct e1000_partial, bytes));
}

static void
take_data(struct tx_work *w, const struct tx_desc *t)
{
	bool extended = t->lower & TX_DEXT;

	if (!w->d->state.partial.started)
		start_packet(w, t);
	take_options(w, t);
	add_data(w, t->addr, (uint32_t)bits(t->lower, 0, extended ? 20 : 16));
}

/* NEXT: the place after this descriptor. */
static void
take_descriptor(struct tx_work *w, const struct tx_desc *t, unsigned next)
{
	struct e1000_partial *part = &w->d->state.partial;
	unsigned type = t->lower & TX_DEXT ? bits(t->lower, 20, 4) : TX_TYPE_DATA;

	note(w, t);
	if (type == TX_TYPE_DATA) {
		take_data(w, t);
		if (t->lower & TX_EOP)
			end_packet(w);
	} else if (type == TX_TYPE_CONTEXT) {
		take_context(w->d, t);
	} else {
		guest_bug(&w->d->pci.dev, "a descriptor of type %u", type);
	}
	if (w->report_count == REPORT_MOST && part->started && !part->gathered)
		gather(w);
	if (!part->started || part->gathered)
		report(w, next);
}

static uint64_t
host_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* Takes up to MOST descriptors at HEAD, which is moved on.  False: the time is over. */
static bool
take_batch(struct tx_work *w, unsigned *head, unsigned most, uint64_t until)
{
	unsigned size = ring_size(w->d), count = MIN(MIN(most, BATCH), size - *head);
	uint8_t bytes[BATCH * 16];

	pci_dma_read(&w->d->pci, ring_address(w->d, *head), bytes, 16ull * count);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *b = bytes + 16 * i;
		struct tx_desc t = { load_le(b, 8), (uint32_t)load_le(b + 8, 4), (uint32_t)load_le(b + 12, 4) };

		*head = (*head + 1) % size;
		take_descriptor(w, &t, *head);
		if (w->d->state.tx_blocked || (!w->d->state.partial.started && host_ns() > until))
			return false;
	}
	return true;
}

static void
set_delay(struct e1000 *d)
{
	uint64_t now = clock_now(d->clock), deadline;

	if (!d->tx_timer.armed)
		d->state.tx_since_ns = now;
	deadline = now + MAX(e1000_get(d, TIDV) * DELAY_UNIT_NS, LEAST_NS);
	if (e1000_get(d, TADV) != 0)
		deadline = MIN(deadline, d->state.tx_since_ns + MAX(e1000_get(d, TADV) * DELAY_UNIT_NS, LEAST_NS));
	timer_set(&d->tx_timer, deadline);
}

void
e1000_tx_delay_over(void *opaque)
{
	struct e1000 *d = opaque;

	timer_cancel(&d->tx_timer);
	e1000_cause(d, INT_TXDW);
}

/* PENDING: descriptors that there were before. */
static void
tell(struct tx_work *w, unsigned pending)
{
	struct e1000 *d = w->d;
	unsigned size = ring_size(d), left = (e1000_get(d, TDT) + size - e1000_get(d, TDH)) % size;
	unsigned low = 8 * bits(e1000_get(d, TXDCTL), 25, 7);

	if (left == 0)
		w->causes |= INT_TXQE;
	if (low != 0 && pending > low && left <= low)
		w->causes |= INT_TXD_LOW;
	if (w->causes & INT_TXDW)
		timer_cancel(&d->tx_timer);
	else if (w->delayed)
		set_delay(d);
	if (w->causes != 0)
		e1000_cause(d, w->causes);
}

/* How many descriptors wait; 0 also where there is nothing to be done now. */
static unsigned
pending(struct e1000 *d)
{
	unsigned size = ring_size(d), head = e1000_get(d, TDH), tail = e1000_get(d, TDT);

	if (!(e1000_get(d, TCTL) & TCTL_EN) || head == tail || size == 0 || d->state.tx_blocked || !e1000_is_on(d))
		return 0;
	if (head >= size || tail >= size) {
		guest_bug(&d->pci.dev, "transmit descriptors %u to %u of %u", head, tail, size);
		return 0;
	}
	return (tail + size - head) % size;
}

static void
work(struct e1000 *d, unsigned count)
{
	struct tx_work w = { .d = d, .packet_head = e1000_get(d, TDH) };
	unsigned head = w.packet_head, left = count;
	uint64_t until = host_ns() + SLICE_NS;

	while (left > 0) {
		unsigned before = head, size = ring_size(d);
		bool on = take_batch(&w, &head, left, until);

		left -= (head + size - before) % size;
		if (!on)
			break;
	}
	/* The rest of a packet is still to come. */
	if (d->state.partial.started) {
		gather(&w);
		report(&w, head);
	}
	tell(&w, count);
}

void
e1000_tx_run(void *opaque)
{
	struct e1000 *d = opaque;
	unsigned count = pending(d);
	uint64_t now = clock_now(d->clock);

	if (count == 0)
		return;
	if (now < d->state.paused_until_ns) {
		timer_set(&d->work_timer, MAX(d->state.paused_until_ns, now + PAUSE_NS));
		return;
	}
	*e1000_reg(d, STATUS) &= ~STATUS_TXOFF;
	d->working = true;
	work(d, count);
	d->working = false;
	if (pending(d) != 0)
		timer_set(&d->work_timer, clock_now(d->clock) + PAUSE_NS);
}

void
e1000_tx_kick(struct e1000 *d)
{
	if (d->work_timer.armed || pending(d) == 0)
		return;
	if (d->working)
		timer_set(&d->work_timer, clock_now(d->clock));
	else
		e1000_tx_run(d);
}

void
e1000_tx_writable(void *opaque)
{
	struct e1000 *d = opaque;

	d->state.tx_blocked = 0;
	e1000_tx_kick(d);
}
