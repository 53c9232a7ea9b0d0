/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: the receiver, chapter 3.2 of the manual: which frames it takes, where they go, and what it says about them.
 * A frame that there are not enough buffers for stays in the cable, and stops who sent it.
 */
#define _GNU_SOURCE /* memmem */
#include "hw/e1000.h"

#include "base/util.h"

#include <stdatomic.h>

enum {
	FRAME_MIN = 60,
	FCS = 4,
	TAG = 4,
	ETHERTYPE = 12,
	LEN_MAX = 1518,          /* without the check sequence, unless LPE */
	PEEK = 128,              /* bytes that are looked at */
	DELAY_UNIT_NS = 1024,
	PAUSE_UNIT_NS = 512,
	LEAST_NS = 50 * 1000,
	RX_DESC = 16,
};

/* WUFC and WUS. */
enum {
	WAKE_MAGIC = 0x02,
	WAKE_EXACT = 0x04,
	WAKE_MULTICAST = 0x08,
	WAKE_BROADCAST = 0x10,
};

/* Status and errors of a descriptor. */
enum {
	RX_DD = 0x01,
	RX_EOP = 0x02,
	RX_IXSM = 0x04,
	RX_VP = 0x08,
	RX_TCPCS = 0x20,
	RX_IPCS = 0x40,
	RX_PIF = 0x80,
	RX_TCPE = 0x20,
	RX_IPE = 0x40,
};

/* A frame, and what was found out about it. */
struct arrival {
	const struct net_frame *net;
	uint8_t peek[PEEK];
	size_t peek_len;
	size_t len;              /* of what is stored, padded, without a tag and the check sequence */
	size_t skip;             /* bytes at ETHERTYPE that are left out */
	uint16_t special, sum;   /* sum: of the whole frame as it came */
	uint8_t status, errors;
};

static const uint8_t zeros[FRAME_MIN + FCS];

/* ---- which frames ---- */

static unsigned
get_be16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static bool
is_tagged(const struct e1000 *d, const struct arrival *a)
{
	return a->peek_len >= ETHERTYPE + TAG && get_be16(a->peek + ETHERTYPE) == (e1000_get(d, VET) & 0xffff);
}

static bool
passes_vlan(const struct e1000 *d, const struct arrival *a)
{
	uint32_t rctl = e1000_get(d, RCTL);
	unsigned tag;

	if (!(rctl & RCTL_VFE) || !is_tagged(d, a))
		return true;
	tag = get_be16(a->peek + ETHERTYPE + 2);
	if ((rctl & RCTL_CFIEN) && ((tag & 0x1000) != 0) != ((rctl & RCTL_CFI) != 0))
		return false;
	return e1000_get(d, VFTA + 4 * bits(tag, 5, 7)) >> (tag & 31) & 1;
}

static bool
is_own_address(const struct e1000 *d, const uint8_t *frame)
{
	for (unsigned i = 0; i < E1000_RAR_COUNT; i++) {
		uint32_t low = e1000_get(d, RAL0 + 8 * i), high = e1000_get(d, RAH0 + 8 * i);
		const uint8_t *address = bits(high, 16, 2) == 1 ? frame + 6 : frame; /* source or destination */

		if ((high & RAH_AV) && load_le(address, 4) == low && load_le(address + 4, 2) == (high & 0xffff))
			return true;
	}
	return false;
}

static bool
is_in_table(const struct e1000 *d, const uint8_t *address)
{
	static const uint8_t shifts[] = { 4, 3, 2, 0 };
	unsigned hash = (unsigned)load_le(address + 4, 2) >> shifts[bits(e1000_get(d, RCTL), 12, 2)] & 0xfff;

	return e1000_get(d, MTA + 4 * (hash >> 5)) >> (hash & 31) & 1;
}

static bool
passes_address(const struct e1000 *d, struct arrival *a)
{
	uint32_t rctl = e1000_get(d, RCTL);
	const uint8_t *to = a->peek;

	if (memcmp(to, "\xff\xff\xff\xff\xff\xff", 6) == 0 && (rctl & RCTL_BAM))
		return true;
	if (is_own_address(d, to) || (rctl & (to[0] & 1 ? RCTL_MPE : RCTL_UPE)))
		return true;
	if ((to[0] & 1) && is_in_table(d, to)) {
		a->status |= RX_PIF;
		return true;
	}
	return false;
}

/* A pause frame holds up the transmitter.  True: that was one, and it is not for the ring. */
static bool
is_pause(struct e1000 *d, const struct arrival *a)
{
	static const uint8_t address[] = { 0x01, 0x80, 0xc2, 0x00, 0x00, 0x01 };
	uint32_t fcal = e1000_get(d, FCAL), fcah = e1000_get(d, FCAH), time;

	if (a->peek_len < 18 || get_be16(a->peek + ETHERTYPE) != 0x8808 || get_be16(a->peek + ETHERTYPE + 2) != 1)
		return false;
	if (memcmp(a->peek, address, 6) != 0 && (load_le(a->peek, 4) != fcal || load_le(a->peek + 4, 2) != fcah))
		return false;
	if (!(e1000_get(d, CTRL) & CTRL_RFCE)) {
		e1000_count(d, FCRUC, 1);
		return false;
	}
	time = get_be16(a->peek + ETHERTYPE + 4);
	e1000_count(d, time != 0 ? XOFFRXC : XONRXC, 1);
	d->state.paused_until_ns = time != 0 ? clock_now(d->clock) + (uint64_t)time * PAUSE_UNIT_NS : 0;
	if (time != 0)
		*e1000_reg(d, STATUS) |= STATUS_TXOFF;
	else
		e1000_tx_kick(d);
	return !(e1000_get(d, RCTL) & RCTL_PMCF) || (e1000_get(d, RCTL) & RCTL_DPF);
}

static bool
is_wanted(struct e1000 *d, struct arrival *a)
{
	uint32_t rctl = e1000_get(d, RCTL);

	if (a->net->len > LEN_MAX && !(rctl & RCTL_LPE)) {
		e1000_count(d, ROC, 1);
		return (rctl & RCTL_SBP) != 0;
	}
	return passes_vlan(d, a) && passes_address(d, a);
}

/* ---- waking ---- */

static bool
is_magic(const struct net_frame *f, const uint8_t *mac)
{
	uint8_t bytes[NET_FRAME_WIRE], wanted[6 + 16 * 6];
	size_t len = 0;

	memset(wanted, 0xff, 6);
	for (unsigned i = 1; i <= 16; i++)
		memcpy(wanted + 6 * i, mac, 6);
	for (unsigned i = 0; i < f->count && len < sizeof(bytes); i++) {
		size_t n = MIN(f->iov[i].iov_len, sizeof(bytes) - len);

		memcpy(bytes + len, f->iov[i].iov_base, n);
		len += n;
	}
	return memmem(bytes, len, wanted, sizeof(wanted)) != NULL;
}

/* Asleep, with wake-up on: the status says what came; no wire of this board carries PME#. */
static void
note_wake(struct e1000 *d, const struct arrival *a)
{
	uint32_t wanted = e1000_get(d, WUFC), seen = 0;

	if (d->state.power_state == 0 || !(pci_get(&d->pci, PM_CAPABILITY + 4, 2) & 0x100))
		return;
	if ((wanted & WAKE_MAGIC) && is_magic(a->net, d->mac))
		seen |= WAKE_MAGIC;
	if (memcmp(a->peek, "\xff\xff\xff\xff\xff\xff", 6) == 0)
		seen |= WAKE_BROADCAST;
	else if (is_own_address(d, a->peek))
		seen |= WAKE_EXACT;
	else if ((a->peek[0] & 1) && is_in_table(d, a->peek))
		seen |= WAKE_MULTICAST;
	seen &= wanted;
	if (seen == 0)
		return;
	*e1000_reg(d, WUS) |= seen;
	pci_put(&d->pci, PM_CAPABILITY + 4, 2, pci_get(&d->pci, PM_CAPABILITY + 4, 2) | 0x8000);
}

/* ---- checksums ---- */

/* The sum of the frame from AT on: the whole's without what is before. */
static uint32_t
sum_from(const struct arrival *a, size_t at)
{
	uint32_t before = net_sum(a->peek, at, 0);

	return (uint32_t)a->sum + (uint16_t)~before;
}

static uint16_t
fold(uint32_t sum)
{
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

/* TCP or UDP of LEN bytes at AT; PSEUDO: the sum of its addresses. */
static void
check_transport(struct arrival *a, unsigned protocol, size_t at, size_t len, uint32_t pseudo)
{
	uint8_t rest[8] = { 0, (uint8_t)protocol, (uint8_t)(len >> 8), (uint8_t)len };
	uint32_t sum;

	if ((protocol != 6 && protocol != 17) || at > a->peek_len || at + len > a->net->len || at % 2 != 0)
		return;
	if (protocol == 17 && (len < 8 || at + 8 > a->peek_len || get_be16(a->peek + at + 6) == 0))
		return;
	/* What follows the packet, padding, counts for the frame alone. */
	sum = at + len == a->net->len ? sum_from(a, at) : e1000_iov_sum(a->net->iov, a->net->count, at, at + len);
	sum = fold(fold(sum + pseudo) + net_sum(rest, 4, 0));
	a->status = (a->status & ~RX_IXSM) | RX_TCPCS;
	if (sum != 0xffff)
		a->errors |= RX_TCPE;
}

static void
check_ip4(const struct e1000 *d, struct arrival *a, size_t at)
{
	const uint8_t *ip = a->peek + at;
	uint32_t rxcsum = e1000_get(d, RXCSUM);
	size_t head = 4 * (ip[0] & 15u), len;

	if (at + 20 > a->peek_len || ip[0] >> 4 != 4 || head < 20 || at + head > a->peek_len)
		return;
	len = get_be16(ip + 2);
	if (rxcsum & RXCSUM_IPOFL) {
		a->status = (a->status & ~RX_IXSM) | RX_IPCS;
		if (net_sum(ip, head, 0) != 0xffff)
			a->errors |= RX_IPE;
	}
	if ((rxcsum & RXCSUM_TUOFL) && len >= head && (get_be16(ip + 6) & 0x3fff) == 0)
		check_transport(a, ip[9], at + head, len - head, net_sum(ip + 12, 8, 0));
}

static void
check_ip6(const struct e1000 *d, struct arrival *a, size_t at)
{
	const uint8_t *ip = a->peek + at;
	uint32_t wanted = RXCSUM_TUOFL | RXCSUM_IPV6OFL;

	if (at + 40 <= a->peek_len && ip[0] >> 4 == 6 && (e1000_get(d, RXCSUM) & wanted) == wanted)
		check_transport(a, ip[6], at + 40, get_be16(ip + 4), net_sum(ip + 8, 32, 0));
}

static void
check_sums(const struct e1000 *d, struct arrival *a)
{
	size_t at = ETHERTYPE + (is_tagged(d, a) ? TAG : 0);
	unsigned type = at + 2 <= a->peek_len ? get_be16(a->peek + at) : 0;

	a->status |= RX_IXSM;
	a->sum = (uint16_t)e1000_iov_sum(a->net->iov, a->net->count, 0, a->net->len);
	if (type == 0x0800)
		check_ip4(d, a, at + 2);
	else if (type == 0x86dd)
		check_ip6(d, a, at + 2);
}

/* What the descriptor has: the complement of the sum from PCSS to the end. */
static uint16_t
packet_sum(const struct e1000 *d, const struct arrival *a)
{
	size_t start = e1000_get(d, RXCSUM) & 0xff;

	if (start % 2 == 0 && start <= a->peek_len && a->skip == 0)
		return (uint16_t)~fold(sum_from(a, start));
	return (uint16_t)~e1000_iov_sum(a->net->iov, a->net->count, start, a->net->len);
}

/* ---- the ring ---- */

static unsigned
ring_size(const struct e1000 *d)
{
	return e1000_get(d, RDLEN) / RX_DESC;
}

/* How many buffers there are; 0 also where the registers make no sense. */
static unsigned
buffers_left(struct e1000 *d)
{
	unsigned size = ring_size(d), head = e1000_get(d, RDH), tail = e1000_get(d, RDT);

	if (size == 0)
		return 0;
	if (head >= size || tail >= size) {
		guest_bug(&d->pci.dev, "receive descriptors %u to %u of %u", head, tail, size);
		return 0;
	}
	return (tail + size - head) % size;
}

static size_t
buffer_size(const struct e1000 *d)
{
	uint32_t rctl = e1000_get(d, RCTL);
	unsigned n = bits(rctl, 16, 2);

	/* With BSEX, 0 is reserved. */
	return rctl & RCTL_BSEX ? 32768u >> MAX(n, 1) : 2048u >> n;
}

/* LEN bytes of what came, from OFFSET on, padded with zeros, to ADDR. */
static void
store_raw(struct e1000 *d, const struct arrival *a, uint64_t addr, size_t offset, size_t len)
{
	size_t at = 0, end = offset + len;

	for (unsigned i = 0; i < a->net->count && offset < end; i++) {
		size_t n = a->net->iov[i].iov_len;

		if (offset < at + n) {
			size_t part = MIN(at + n, end) - offset;

			pci_dma_write(&d->pci, addr, (const uint8_t *)a->net->iov[i].iov_base + (offset - at), part);
			addr += part;
			offset += part;
		}
		at += n;
	}
	while (offset < end) {
		size_t n = MIN(end - offset, sizeof(zeros));

		pci_dma_write(&d->pci, addr, zeros, n);
		addr += n;
		offset += n;
	}
}

/* The same of what is stored, which a tag may be left out of. */
static void
store(struct e1000 *d, const struct arrival *a, uint64_t addr, size_t offset, size_t len)
{
	size_t before = a->skip != 0 && offset < ETHERTYPE ? MIN(len, ETHERTYPE - offset) : 0;

	if (before > 0)
		store_raw(d, a, addr, offset, before);
	store_raw(d, a, addr + before, offset + before + a->skip, len - before);
}

static void
fill_ring(struct e1000 *d, struct arrival *a)
{
	uint64_t ring = e1000_get(d, RDBAL) | (uint64_t)e1000_get(d, RDBAH) << 32;
	size_t total = a->len + (e1000_get(d, RCTL) & RCTL_SECRC ? 0 : FCS), size = buffer_size(d);
	unsigned head = e1000_get(d, RDH), count = ring_size(d);
	uint16_t sum = packet_sum(d, a);

	for (size_t done = 0; done < total; ) {
		uint8_t desc[RX_DESC];
		size_t n = MIN(total - done, size);
		uint64_t addr;
		bool last = done + n == total;

		pci_dma_read(&d->pci, ring + (uint64_t)RX_DESC * head, desc, 8);
		addr = load_le(desc, 8);
		if (addr != 0)
			store(d, a, addr, done, n);
		done += n;
		store_le(desc + 8, n, 2);
		store_le(desc + 10, sum, 2);
		desc[12] = last ? a->status | RX_DD | RX_EOP : RX_DD;
		desc[13] = last ? a->errors : 0;
		store_le(desc + 14, a->special, 2);
		/* Who sees DD sees the data. */
		atomic_thread_fence(memory_order_release);
		pci_dma_write(&d->pci, ring + (uint64_t)RX_DESC * head + 8, desc + 8, 8);
		head = (head + 1) % count;
	}
	*e1000_reg(d, RDH) = head;
}

/* ---- interrupts ---- */

void
e1000_rx_delay_over(void *opaque)
{
	struct e1000 *d = opaque;

	timer_cancel(&d->rx_timer);
	e1000_cause(d, INT_RXT0);
}

static void
delay(struct e1000 *d)
{
	uint64_t now = clock_now(d->clock), deadline = now + MAX(e1000_get(d, RDTR) * DELAY_UNIT_NS, LEAST_NS);

	if (!d->rx_timer.armed)
		d->state.rx_since_ns = now;
	if (e1000_get(d, RADV) != 0)
		deadline = MIN(deadline, d->state.rx_since_ns + MAX(e1000_get(d, RADV) * DELAY_UNIT_NS, LEAST_NS));
	timer_set(&d->rx_timer, deadline);
}

/* LEFT: buffers before this frame. */
static void
tell(struct e1000 *d, const struct arrival *a, unsigned left)
{
	unsigned threshold = ring_size(d) >> (bits(e1000_get(d, RCTL), 8, 2) + 1);
	uint32_t causes = 0;

	d->state.frames_waiting++;
	if (left > threshold && buffers_left(d) <= threshold)
		causes |= INT_RXDMT0;
	if (a->len + FCS <= e1000_get(d, RSRPD))
		causes |= INT_SRPD;
	if (e1000_get(d, RDTR) != 0)
		delay(d);
	else
		causes |= INT_RXT0;
	if (causes != 0)
		e1000_cause(d, causes);
}

/* ---- receiving ---- */

static void
count(struct e1000 *d, const struct arrival *a)
{
	size_t len = MAX(a->net->len, FRAME_MIN) + FCS;

	e1000_count(d, TPR, 1);
	e1000_count_octets(d, TORL, len);
	e1000_count(d, GPRC, 1);
	e1000_count_octets(d, GORCL, len);
	e1000_count(d, e1000_size_counter(PRC64, len), 1);
	if (memcmp(a->peek, "\xff\xff\xff\xff\xff\xff", 6) == 0)
		e1000_count(d, BPRC, 1);
	else if (a->peek[0] & 1)
		e1000_count(d, MPRC, 1);
}

static void
peek(struct arrival *a, const struct net_frame *f)
{
	for (unsigned i = 0; i < f->count && a->peek_len < PEEK; i++) {
		size_t n = MIN(f->iov[i].iov_len, PEEK - a->peek_len);

		memcpy(a->peek + a->peek_len, f->iov[i].iov_base, n);
		a->peek_len += n;
	}
}

static void
take(struct e1000 *d, struct arrival *a, unsigned left)
{
	check_sums(d, a);
	if (a->skip != 0) {
		a->status |= RX_VP;
		a->special = (uint16_t)get_be16(a->peek + ETHERTYPE + 2);
	}
	fill_ring(d, a);
	count(d, a);
	tell(d, a, left);
}

/* The buffers that the frame needs; how many there are goes to LEFT.  False: it has to wait. */
static bool
has_room(struct e1000 *d, const struct arrival *a, unsigned *left, bool *ever)
{
	size_t total = a->len + (e1000_get(d, RCTL) & RCTL_SECRC ? 0 : FCS), size = buffer_size(d);
	size_t needed = (total + size - 1) / size;

	*left = buffers_left(d);
	*ever = needed < ring_size(d);
	return needed <= *left;
}

static bool
receive(struct e1000 *d, const struct net_frame *f)
{
	struct arrival a = { .net = f };
	unsigned left;
	bool ever;

	peek(&a, f);
	if (a.peek_len < ETHERTYPE + 2 || f->len > E1000_FRAME_MAX)
		return true;
	if (d->state.power_state != 0)
		note_wake(d, &a);
	if (!(e1000_get(d, RCTL) & RCTL_EN) || !(e1000_get(d, STATUS) & STATUS_LU) || !e1000_is_on(d))
		return true;
	if (is_pause(d, &a) || !is_wanted(d, &a))
		return true;
	a.skip = (e1000_get(d, CTRL) & CTRL_VME) && is_tagged(d, &a) ? TAG : 0;
	a.len = MAX(f->len - a.skip, FRAME_MIN);
	if (!has_room(d, &a, &left, &ever)) {
		e1000_count(d, ever ? RNBC : MPC, 1);
		e1000_cause(d, INT_RXO);
		return !ever;
	}
	take(d, &a, left);
	return true;
}

bool
e1000_receive(void *opaque, const struct net_frame *f)
{
	struct e1000 *d = opaque;
	bool nested = d->working, taken;

	d->working = true;
	taken = receive(d, f);
	d->working = nested;
	return taken;
}

/* What waits in the cable may come. */
void
e1000_rx_kick(struct e1000 *d)
{
	if (!d->working)
		net_ready(d->end);
}
