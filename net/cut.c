/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a wire can't take, made fit for it: long TCP segments are cut into pieces, checksums that were left for later are
 * made.  Headers are read once, checked, and only the copy is used.
 */
#include "net/backend.h"

#include "base/util.h"

enum {
	ETHER_HEADER = 14, VLAN_TAG = 4, IPV4_HEADER = 20, IPV6_HEADER = 40, TCP_HEADER = 20, UDP_HEADER = 8,
	TYPE_IPV4 = 0x0800, TYPE_IPV6 = 0x86dd, TYPE_VLAN = 0x8100, TYPE_QINQ = 0x88a8,
	PROTOCOL_TCP = 6, PROTOCOL_UDP = 17,
	TCP_FIN = 0x01, TCP_PSH = 0x08, TCP_CWR = 0x80,
};

static unsigned
get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static void
put16(uint8_t *p, unsigned v)
{
	p[0] = v >> 8 & 0xff;
	p[1] = v & 0xff;
}

/* Bytes AT to AT + LEN of F, as pieces of it; returns how many, at most NET_IOV_MAX. */
static unsigned
slice(const struct net_frame *f, size_t at, size_t len, struct iovec *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->count && len > 0 && n < NET_IOV_MAX; i++) {
		const struct iovec *v = &f->iov[i];

		if (at >= v->iov_len) {
			at -= v->iov_len;
			continue;
		}
		out[n].iov_base = (uint8_t *)v->iov_base + at;
		out[n].iov_len = MIN(v->iov_len - at, len);
		len -= out[n].iov_len;
		at = 0;
		n++;
	}
	return n;
}

/* net_sum() over pieces, each of which may have an odd number of bytes. */
static uint32_t
sum_pieces(const struct iovec *iov, unsigned count, uint32_t sum)
{
	bool odd = false;

	for (unsigned i = 0; i < count; i++) {
		uint16_t part = net_sum(iov[i].iov_base, iov[i].iov_len, 0);

		sum += odd ? (uint16_t)(part << 8 | part >> 8) : part;
		odd ^= iov[i].iov_len & 1;
	}
	return sum;
}

static bool
parse_ip(struct net_headers *h, size_t have, unsigned type)
{
	const uint8_t *ip = h->bytes + h->network;
	size_t left = have - h->network;
	unsigned protocol;

	h->ipv6 = type == TYPE_IPV6;
	if (type == TYPE_IPV4 && left >= IPV4_HEADER && ip[0] >> 4 == 4 && (ip[0] & 15) * 4u >= IPV4_HEADER) {
		h->transport = h->network + (ip[0] & 15) * 4u;
		protocol = ip[9];
		/* A fragment's checksum is that of the whole datagram. */
		if ((get16(ip + 6) & 0x3fff) != 0)
			return false;
	} else if (type == TYPE_IPV6 && left >= IPV6_HEADER && ip[0] >> 4 == 6) {
		h->transport = h->network + IPV6_HEADER;
		protocol = ip[6];
	} else {
		return false;
	}
	h->tcp = protocol == PROTOCOL_TCP;
	h->payload = h->transport + (h->tcp ? TCP_HEADER : UDP_HEADER);
	if (h->payload > have || (!h->tcp && protocol != PROTOCOL_UDP))
		return false;
	if (h->tcp) {
		unsigned len = (h->bytes[h->transport + 12] >> 4) * 4u;

		h->payload = h->transport + len;
		return len >= TCP_HEADER && h->payload <= have;
	}
	return true;
}

bool
net_parse(const struct net_frame *f, struct net_headers *h)
{
	size_t have = net_gather(f, h->bytes, sizeof(h->bytes)), at = ETHER_HEADER;

	if (have < ETHER_HEADER)
		return false;
	while (at + VLAN_TAG <= have && (get16(h->bytes + at - 2) == TYPE_VLAN || get16(h->bytes + at - 2) == TYPE_QINQ))
		at += VLAN_TAG;
	h->network = at;
	return parse_ip(h, have, get16(h->bytes + at - 2));
}

/* Over the addresses, the protocol and LEN bytes of TCP or UDP; in the order of net_sum(). */
static uint32_t
pseudo_sum(const struct net_headers *h, size_t len)
{
	const uint8_t *ip = h->bytes + h->network;
	uint8_t rest[4] = { 0, h->tcp ? PROTOCOL_TCP : PROTOCOL_UDP, len >> 8, len };

	return net_sum(rest, sizeof(rest), h->ipv6 ? net_sum(ip + 8, 32, 0) : net_sum(ip + 12, 8, 0));
}

/* Into the headers, for what stands in IOV behind them. */
static void
put_sum(struct net_headers *h, const struct iovec *iov, unsigned count, size_t len)
{
	uint8_t *t = h->bytes + h->transport, *at = t + (h->tcp ? 16 : 6);
	size_t head = h->payload - h->transport;
	uint16_t sum;

	memset(at, 0, 2);
	sum = net_sum(t, head, sum_pieces(iov, count, pseudo_sum(h, head + len)));
	sum = (uint16_t)~sum;
	/* Zero would mean that UDP has none. */
	if (sum == 0 && !h->tcp)
		sum = UINT16_MAX;
	memcpy(at, &sum, 2);
}

/* How many bytes of payload there are, less what pads a short frame. */
static size_t
payload_len(const struct net_headers *h, const struct net_frame *f)
{
	const uint8_t *ip = h->bytes + h->network;
	size_t end = h->ipv6 ? h->network + IPV6_HEADER + get16(ip + 4) : h->network + get16(ip + 2);

	end = MIN(end, f->len);
	return end > h->payload ? end - h->payload : 0;
}

static bool
send_parts(struct net_headers *h, const struct net_frame *f, size_t at, size_t len,
	bool (*each)(void *opaque, const struct net_frame *f), void *opaque)
{
	struct iovec iov[1 + NET_IOV_MAX];
	unsigned n = slice(f, at, len, iov + 1);
	struct net_frame part = { .iov = iov, .count = n + 1, .len = h->payload + len };

	if (n == NET_IOV_MAX)
		return true;
	put_sum(h, iov + 1, n, len);
	iov[0] = (struct iovec){ h->bytes, h->payload };
	return each(opaque, &part);
}

/* The headers of the piece that begins OFFSET bytes after the one before. */
static void
make_piece(struct net_headers *h, const struct net_headers *whole, uint32_t offset, size_t len, unsigned number, bool last)
{
	uint8_t *ip = h->bytes + h->network, *tcp = h->bytes + h->transport;
	const uint8_t *first = whole->bytes + whole->transport;
	uint32_t sequence = (uint32_t)get16(first + 4) << 16 | get16(first + 6);
	size_t total = h->payload - h->network + len;

	sequence += offset;
	put16(tcp + 4, sequence >> 16);
	put16(tcp + 6, sequence & 0xffff);
	tcp[13] = first[13];
	if (number != 0)
		tcp[13] &= (uint8_t)~TCP_CWR;
	if (!last)
		tcp[13] &= (uint8_t)~(TCP_FIN | TCP_PSH);
	if (h->ipv6) {
		put16(ip + 4, (unsigned)(total - IPV6_HEADER));
		return;
	}
	put16(ip + 2, (unsigned)total);
	put16(ip + 4, get16(whole->bytes + whole->network + 4) + number);
	memset(ip + 10, 0, 2);
	uint16_t sum = (uint16_t)~net_sum(ip, h->transport - h->network, 0);
	memcpy(ip + 10, &sum, 2);
}

bool
net_make_plain(const struct net_frame *f, bool (*each)(void *opaque, const struct net_frame *f), void *opaque)
{
	struct net_headers whole, piece;
	bool room = true;
	size_t len;

	if (!net_parse(f, &whole))
		return true;
	len = f->segment != 0 ? f->len - whole.payload : payload_len(&whole, f);
	if (f->segment == 0 || len <= f->segment)
		return send_parts(&whole, f, whole.payload, len, each, opaque);
	if (!whole.tcp)
		return true;
	piece = whole;
	for (size_t done = 0, number = 0; done < len; done += f->segment, number++) {
		size_t n = MIN((size_t)f->segment, len - done);

		make_piece(&piece, &whole, (uint32_t)done, n, (unsigned)number, done + n == len);
		room = send_parts(&piece, f, whole.payload + done, n, each, opaque);
	}
	return room;
}
