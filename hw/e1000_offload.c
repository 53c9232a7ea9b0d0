/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: what the transmitter does to packets, chapter 3.5 of the manual: checksums, TCP segmentation, VLAN tags,
 * padding.  The headers are copied, so that they can be changed; payload stays where it is.  An end of the cable that
 * takes segments gets them whole.
 */
#include "hw/e1000_tx.h"

#include "base/util.h"

enum {
	FRAME_MIN = 60,
	FCS = 4,
	TAG = 4,
	ETHERTYPE = 12,
	IP4_MIN = 20,
	IP6_HEADER = 40,
	TCP_SEQUENCE = 4,
	TCP_FLAGS = 13,
	TCP_SUM = 16,
	UDP_LENGTH = 4,
	UDP_SUM = 6,
	TCP_FIN_PSH = 0x09,
};

/* What is sent: a copy of the first bytes, and pieces of the guest's memory behind it. */
struct frame {
	uint8_t head[E1000_HEADER_MAX + TAG];
	size_t head_len;
	struct iovec iov[NET_IOV_MAX];
	struct net_frame net;
};

static const uint8_t zeros[FRAME_MIN];

/* ---- bytes ---- */

/* Big-endian, in the copied headers; beyond them nothing happens. */
static uint32_t
get_be(const struct frame *f, size_t at, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; at + size <= f->head_len && i < size; i++)
		v = v << 8 | f->head[at + i];
	return v;
}

static void
put_be(struct frame *f, size_t at, uint32_t v, unsigned size)
{
	for (unsigned i = 0; at + size <= f->head_len && i < size; i++)
		f->head[at + i] = v >> 8 * (size - 1 - i);
}

/* A sum of net_sum() is in the order of the host's bytes. */
static void
put_sum(struct frame *f, size_t at, uint16_t sum)
{
	if (at + sizeof(sum) <= f->head_len)
		memcpy(f->head + at, &sum, sizeof(sum));
}

uint32_t
e1000_iov_sum(const struct iovec *iov, unsigned count, size_t from, size_t to)
{
	size_t at = 0, done = 0;
	uint32_t sum = 0;

	for (unsigned i = 0; i < count && at < to; i++) {
		size_t len = iov[i].iov_len, skip = from > at ? MIN(from - at, len) : 0, n = MIN(len, to - at);

		if (skip < n) {
			uint32_t part = net_sum((const uint8_t *)iov[i].iov_base + skip, n - skip, 0);

			/* At an odd place, the bytes of each word change sides. */
			sum += done & 1 ? (part << 8 & 0xff00) | part >> 8 : part;
			done += n - skip;
		}
		at += len;
	}
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* Copies HEAD_LEN bytes and refers to LEN bytes of P at OFFSET, as what follows them. */
static void
cut(struct frame *f, const struct tx_packet *p, size_t head_len, size_t offset, size_t len)
{
	unsigned count = 1;
	size_t at = 0;

	f->head_len = 0;
	f->net = (struct net_frame){ .iov = f->iov };
	for (unsigned i = 0; i < p->count && at < MAX(head_len, offset + len); i++) {
		uint8_t *base = p->pieces[i].iov_base;
		size_t n = p->pieces[i].iov_len, skip = offset > at ? MIN(offset - at, n) : 0;

		if (f->head_len < head_len) {
			size_t part = MIN(n, head_len - f->head_len);

			memcpy(f->head + f->head_len, base, part);
			f->head_len += part;
		}
		if (skip < n && at + skip < offset + len) {
			f->iov[count] = (struct iovec){ base + skip, MIN(n - skip, offset + len - at - skip) };
			f->net.len += f->iov[count++].iov_len;
		}
		at += n;
	}
	f->iov[0] = (struct iovec){ f->head, f->head_len };
	f->net.len += f->head_len;
	f->net.count = count;
}

/* Sums from START to END (the last byte; 0: to the packet's end) into AT. */
static void
insert_sum(struct frame *f, unsigned start, unsigned at, unsigned end, bool udp)
{
	size_t to = end != 0 ? MIN((size_t)end + 1, f->net.len) : f->net.len;
	uint16_t sum = ~e1000_iov_sum(f->iov, f->net.count, start, to);

	put_sum(f, at, sum == 0 && udp ? 0xffff : sum);
}

/* ---- sending ---- */

/* N frames of LEN bytes with the check sequence, which begin as HEAD does. */
static void
count(struct e1000 *d, const uint8_t *head, uint64_t len, uint32_t n)
{
	e1000_count(d, GPTC, n);
	e1000_count(d, TPT, n);
	e1000_count_octets(d, GOTCL, len * n);
	e1000_count_octets(d, TOTL, len * n);
	e1000_count(d, e1000_size_counter(PTC64, len), n);
	if (memcmp(head, "\xff\xff\xff\xff\xff\xff", 6) == 0)
		e1000_count(d, BPTC, n);
	else if (head[0] & 1)
		e1000_count(d, MPTC, n);
}

static bool
loops_back(const struct e1000 *d)
{
	unsigned mode = bits(e1000_get(d, RCTL), 6, 2);

	return mode == 1 || mode == 3 || e1000_phy_loops(d);
}

static void
hand_on(struct e1000 *d, struct frame *f)
{
	if (loops_back(d)) {
		e1000_receive(d, &f->net);
	} else if (!net_send(d->end, &f->net)) {
		d->state.tx_blocked = 1;
		net_on_writable(d->end, e1000_tx_writable, d);
	}
}

static void
insert_tag(struct e1000 *d, struct frame *f)
{
	if (!(e1000_get(d, CTRL) & CTRL_VME) || !d->state.partial.vlan || f->head_len < ETHERTYPE)
		return;
	memmove(f->head + ETHERTYPE + TAG, f->head + ETHERTYPE, f->head_len - ETHERTYPE);
	f->head_len += TAG;
	put_be(f, ETHERTYPE, e1000_get(d, VET), 2);
	put_be(f, ETHERTYPE + 2, d->state.partial.special, 2);
	f->iov[0].iov_len += TAG;
	f->net.len += TAG;
}

static void
send_frame(struct e1000 *d, struct frame *f)
{
	insert_tag(d, f);
	if (f->net.len < FRAME_MIN && (e1000_get(d, TCTL) & TCTL_PSP)) {
		f->iov[f->net.count++] = (struct iovec){ (void *)zeros, FRAME_MIN - f->net.len };
		f->net.len = FRAME_MIN;
	}
	if (f->head_len < ETHERTYPE + 2) {
		guest_bug(&d->pci.dev, "a frame of %zu bytes", f->net.len);
		return;
	}
	count(d, f->head, f->net.len + FCS, 1);
	hand_on(d, f);
}

/* ---- one frame ---- */

/* Are the headers those that everybody finds by himself: Ethernet, IP, then TCP or UDP where the context says? */
static bool
is_plain(const struct e1000 *d, const struct frame *f, const struct e1000_context *c)
{
	uint32_t type = get_be(f, ETHERTYPE, 2);
	unsigned ip = ETHERTYPE + 2, protocol, sum_at;

	if (d->state.partial.vlan)
		return false;
	if (type == 0x0800) {
		protocol = get_be(f, ip + 9, 1);
		if (get_be(f, ip + 6, 2) & 0x3fff || ip + 4 * (get_be(f, ip, 1) & 15) != c->tu_start)
			return false;
	} else {
		protocol = get_be(f, ip + 6, 1);
		if (type != 0x86dd || ip + IP6_HEADER != c->tu_start)
			return false;
	}
	sum_at = protocol == 6 ? TCP_SUM : protocol == 17 ? UDP_SUM : 0;
	return sum_at != 0 && c->tu_sum == c->tu_start + sum_at && c->tu_sum + 2u <= f->head_len && c->tu_end == 0;
}

static void
send_one(struct e1000 *d, const struct tx_packet *p)
{
	const struct e1000_context *c = &d->state.context;
	const struct e1000_partial *part = &d->state.partial;
	size_t head_len = MIN(p->len, E1000_HEADER_MAX);
	struct frame f;

	if (p->len > E1000_FRAME_MAX) {
		guest_bug(&d->pci.dev, "a frame of %zu bytes", p->len);
		return;
	}
	cut(&f, p, head_len, head_len, p->len - head_len);
	if (part->options & TX_OPTION_IP)
		insert_sum(&f, c->ip_start, c->ip_sum, c->ip_end, false);
	if (part->options & TX_OPTION_TU) {
		if (net_peer_takes_segments(d->end) && !loops_back(d) && is_plain(d, &f, c))
			f.net.needs_sum = true;
		else
			insert_sum(&f, c->tu_start, c->tu_sum, c->tu_end, !c->is_tcp);
	}
	if (part->options & TX_OPTION_LEGACY)
		insert_sum(&f, part->css, part->cso, 0, false);
	send_frame(d, &f);
}

/* ---- segments ---- */

/* Adds N to the sum that stands at AT, which is that of the pseudo header without its length. */
static void
add_length(struct frame *f, unsigned at, size_t n)
{
	uint32_t sum = get_be(f, at, 2) + (uint32_t)(n >> 16) + (uint32_t)(n & 0xffff);

	sum = (sum & 0xffff) + (sum >> 16);
	put_be(f, at, (sum & 0xffff) + (sum >> 16), 2);
}

/* The lengths in the headers, and the sums but for that of the payload.  N: segments before this one. */
static void
fix_headers(struct e1000 *d, struct frame *f, uint32_t n)
{
	const struct e1000_context *c = &d->state.tso_context;
	size_t len = f->net.len, tu_len = len > c->tu_start ? len - c->tu_start : 0;

	if (c->is_ip4) {
		put_be(f, c->ip_start + 2u, (uint32_t)(len - MIN(len, c->ip_start)), 2);
		put_be(f, c->ip_start + 4u, get_be(f, c->ip_start + 4u, 2) + n, 2);
		if (d->state.partial.options & TX_OPTION_IP)
			insert_sum(f, c->ip_start, c->ip_sum, c->ip_end, false);
	} else {
		put_be(f, c->ip_start + 4u, (uint32_t)(len - MIN(len, c->ip_start + (size_t)IP6_HEADER)), 2);
	}
	if (c->is_tcp)
		put_be(f, c->tu_start + TCP_SEQUENCE, get_be(f, c->tu_start + TCP_SEQUENCE, 4) + n * c->mss, 4);
	else
		put_be(f, c->tu_start + UDP_LENGTH, (uint32_t)tu_len, 2);
	if (d->state.partial.options & TX_OPTION_TU)
		add_length(f, c->tu_sum, tu_len);
}

/* Hands a packet on as it is, to be segmented or not by who gets it. */
static bool
send_whole(struct e1000 *d, const struct tx_packet *p)
{
	const struct e1000_context *c = &d->state.tso_context;
	uint64_t payload = p->len - c->header_len, n = (payload + c->mss - 1) / c->mss;
	struct frame f;

	if (!c->is_tcp || n < 2 || p->len > UINT16_MAX || !(d->state.partial.options & TX_OPTION_TU) ||
	    !net_peer_takes_segments(d->end) || loops_back(d))
		return false;
	cut(&f, p, c->header_len, c->header_len, payload);
	if (!is_plain(d, &f, c) || c->ip_start != ETHERTYPE + 2)
		return false;
	fix_headers(d, &f, 0);
	f.net.segment = c->mss;
	f.net.needs_sum = true;
	count(d, f.head, (uint64_t)c->header_len + c->mss + FCS, (uint32_t)n - 1);
	count(d, f.head, c->header_len + (payload - (n - 1) * c->mss) + FCS, 1);
	hand_on(d, &f);
	return true;
}

static void
send_segment(struct e1000 *d, const struct tx_packet *p, size_t offset, uint32_t n, bool last)
{
	const struct e1000_context *c = &d->state.tso_context;
	unsigned flags_at = c->tu_start + TCP_FLAGS;
	struct frame f;

	cut(&f, p, c->header_len, offset, MIN(p->len - offset, c->mss));
	fix_headers(d, &f, n);
	if (c->is_tcp && !last)
		put_be(&f, flags_at, get_be(&f, flags_at, 1) & ~TCP_FIN_PSH, 1);
	if (d->state.partial.options & TX_OPTION_TU)
		insert_sum(&f, c->tu_start, c->tu_sum, c->tu_end, !c->is_tcp);
	send_frame(d, &f);
}

static void
send_segments(struct e1000 *d, const struct tx_packet *p, bool last)
{
	const struct e1000_context *c = &d->state.tso_context;
	uint32_t n = d->state.partial.sent;
	size_t offset = c->header_len;

	if (p->len < c->header_len || c->header_len + c->mss > E1000_FRAME_MAX) {
		guest_bug(&d->pci.dev, "%zu bytes with headers of %u, to be cut by %u", p->len, c->header_len, c->mss);
		return;
	}
	if (last)
		e1000_count(d, TSCTC, 1);
	if (n == 0 && last && send_whole(d, p))
		return;
	do {
		send_segment(d, p, offset, n++, last && p->len - offset <= c->mss);
		offset += c->mss;
	} while (offset < p->len);
}

void
e1000_tx_packet(struct e1000 *d, const struct tx_packet *p, bool last)
{
	if (d->state.partial.segmenting)
		send_segments(d, p, last);
	else
		send_one(d, p);
}
