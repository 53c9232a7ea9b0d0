/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network card 82540EM: frames that are sent and received, their checksums, segments and tags. */
#include "tests/check_main.h"
#include "tests/e1000_machine.h"

#include "base/err.h"
#include "base/util.h"

/* ---- registers ---- */

/* ---- transmitting ---- */

START_TEST(legacy_transmit)
{
	start();
	fill(TX_DATA, 1000);
	put(TX_DATA, 42 | EOP | IFCS | RS, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], 60);
	ck_assert_mem_eq(peer.bytes[0], ram + TX_DATA, 42);
	ck_assert_uint_eq(peer.bytes[0][42] | peer.bytes[0][59], 0);
	ck_assert_uint_eq(ram[TX_RING + 12], 1);
	ck_assert_uint_eq(get(TDH), 1);
	ck_assert_uint_eq(get(ICR), INT_TXDW | INT_TXQE);
	/* Several pieces, with a checksum over the last 30 bytes. */
	hold(TX_DATA, 500, 0);
	hold(TX_DATA + 500, 500 | EOP | IC | 20 << 16, 970 << 8);
	release();
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 2);
	ck_assert_uint_eq(peer.len[1], 1000);
	ck_assert_mem_eq(peer.bytes[1] + 22, ram + TX_DATA + 22, 978);
	ck_assert_uint_eq(ram[TX_RING + 16 + 12], 0);
	ck_assert_uint_eq(get(GPTC), 2);
	ck_assert_uint_eq(get(GPTC), 0);
	ck_assert_uint_eq(get(PTC64), 1);
	ck_assert_uint_eq(get(PTC64 + 16), 1);
	ck_assert_uint_eq(get(GOTCL), 64 + 1004);
	get(GOTCH);
	ck_assert_uint_eq(get(GOTCL), 0);
}
END_TEST

/* The rest of a packet comes later; the ring is given back meanwhile. */
START_TEST(packet_in_parts)
{
	start();
	fill(TX_DATA, 6000);
	put(TX_DATA, 1000 | RS, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 0);
	ck_assert_uint_eq(ram[TX_RING + 12], 1);
	ck_assert_uint_eq(get(TDH), 1);
	put(TX_DATA + 1000, 2000, 0);
	pass_ns(1);
	put(TX_DATA + 3000, 3000 | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], 6000);
	ck_assert_mem_eq(peer.bytes[0], ram + TX_DATA, 6000);
	/* More pieces than one look at the ring. */
	set(TCTL, 0);
	set(TDT, 1);
	set(TDH, 1);
	set(TDLEN, 4096 * 16);
	for (unsigned i = 0; i < 3000; i++) {
		uint8_t *t = ram + TX_RING + 16 * (1 + i);

		store_le(t, TX_DATA + 2 * i, 8);
		store_le(t + 8, 2 | RS | (i == 2999 ? EOP : 0), 4);
		store_le(t + 12, 0, 4);
	}
	set(TDT, 3001);
	set(TCTL, TCTL_EN);
	pass_ns(1000 * 1000);
	ck_assert_uint_eq(peer.count, 2);
	ck_assert_uint_eq(peer.len[1], 6000);
	ck_assert_mem_eq(peer.bytes[1], ram + TX_DATA, 6000);
	ck_assert_uint_eq(ram[TX_RING + 16 * 3000 + 12], 1);
}
END_TEST

static const struct {
	bool six;
	uint8_t protocol;
	uint16_t len;
} sums[] = {
	{ false, 6, 1 }, { false, 6, 100 }, { false, 17, 101 }, { true, 6, 777 }, { true, 17, 1400 }, { false, 17, 1472 },
};

static void
send_with_sums(unsigned n)
{
	unsigned head, l4 = sums[n].six ? 54 : 34, at = l4 + (sums[n].protocol == 6 ? 16 : 6);

	start();
	fill(TX_DATA, 2000);
	head = headers(ram + TX_DATA, sums[n].six, sums[n].protocol, sums[n].len, false);
	put_context(14, 24, l4, at, 0, 0, 0, (sums[n].protocol == 6 ? TUCMD_TCP : 0) | TUCMD_IP);
	/* In odd pieces. */
	hold(TX_DATA, 31 | DATA, (sums[n].six ? 0 : IXSM) | TXSM);
	hold(TX_DATA + 31, (head - 31) | DATA, 0);
	hold(TX_DATA + head, sums[n].len | DATA | EOP, 0);
	release();
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], MAX(head + sums[n].len, 60));
}

START_TEST(checksums)
{
	unsigned head = (sums[_i].six ? 54 : 34) + (sums[_i].protocol == 6 ? 20 : 8);

	send_with_sums(_i);
	ck_assert(sums_are_right(peer.bytes[0], head + sums[_i].len));
	ck_assert_mem_eq(peer.bytes[0] + head, ram + TX_DATA + head, sums[_i].len);
}
END_TEST

START_TEST(checksums_left_to_the_peer)
{
	send_with_sums(_i);
	ck_assert(peer.needs_sum[0]);
	ck_assert_uint_eq(peer.segment[0], 0);
	if (!sums[_i].six)
		ck_assert_uint_eq(sum16(peer.bytes[0] + 14, 20, 0), 0xffff);
}
END_TEST

/* 10000 bytes to be cut by 1400, in pieces that are no multiple of it. */
static void
send_tso(bool six, bool apart)
{
	unsigned head, l4 = six ? 54 : 34, done = 0;

	start();
	fill(TX_DATA, 12000);
	head = headers(ram + TX_DATA, six, 6, 10000, true);
	put_context(14, 24, l4, l4 + 16, 10000, head, 1400, TUCMD_TCP | (six ? 0 : TUCMD_IP) | TSE);
	hold(TX_DATA, head | DATA | TSE, (six ? 0 : IXSM) | TXSM);
	for (unsigned n; done < 10000; done += n) {
		n = MIN(3333, 10000 - done);
		hold(TX_DATA + head + done, n | DATA | TSE | (done + n == 10000 ? EOP : 0), 0);
		if (apart)
			release();
	}
	release();
	pass_ns(1);
}

START_TEST(segmentation)
{
	bool six = _i & 1;
	unsigned head = six ? 74 : 54, l4 = six ? 54 : 34;

	send_tso(six, _i & 2);
	ck_assert_uint_eq(peer.count, 8);
	for (unsigned i = 0; i < 8; i++) {
		const uint8_t *f = peer.bytes[i];
		unsigned payload = i < 7 ? 1400 : 200;

		ck_assert_uint_eq(peer.len[i], head + payload);
		ck_assert(sums_are_right(f, peer.len[i]));
		ck_assert_uint_eq(get_be(f + l4 + 4, 4), 0xfffffff0 + 1400 * i);
		ck_assert_uint_eq(f[l4 + 13], i < 7 ? 0x10 : 0x19);
		ck_assert_uint_eq(get_be(f + (six ? 18 : 16), 2), head + payload - (six ? 54 : 14));
		if (!six)
			ck_assert_uint_eq(get_be(f + 18, 2), (0xfffe + i) & 0xffff);
		ck_assert_mem_eq(f + head, ram + TX_DATA + head + 1400 * i, payload);
	}
	ck_assert_uint_eq(get(TSCTC), 1);
	ck_assert_uint_eq(get(GPTC), 8);
	ck_assert_uint_eq(get(GOTCL), 8 * (head + 4) + 10000);
}
END_TEST

START_TEST(segments_left_to_the_peer)
{
	unsigned head = _i ? 74 : 54, l4 = _i ? 54 : 34;

	send_tso(_i, false);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], head + 10000);
	ck_assert_uint_eq(peer.segment[0], 1400);
	ck_assert(peer.needs_sum[0]);
	ck_assert_mem_eq(peer.bytes[0] + head, ram + TX_DATA + head, 10000);
	/* The pseudo header's sum, with the length. */
	ck_assert_uint_eq(get_be(peer.bytes[0] + l4 + 16, 2), sum16(NULL, 0, pseudo(peer.bytes[0], 6) + 20 + 10000));
	ck_assert_uint_eq(get_be(peer.bytes[0] + (_i ? 18 : 16), 2), head - (_i ? 54 : 14) + 10000);
	ck_assert_uint_eq(get(GPTC), 8);
	ck_assert_uint_eq(get(GOTCL), 8 * (head + 4) + 10000);
}
END_TEST

START_TEST(udp_segmentation)
{
	unsigned head;

	start();
	fill(TX_DATA, 4000);
	head = headers(ram + TX_DATA, false, 17, 2500, true);
	put_context(14, 24, 34, 40, 2500, head, 1000, TUCMD_IP | TSE);
	put(TX_DATA, (head + 2500) | DATA | TSE | EOP, IXSM | TXSM);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert(sums_are_right(peer.bytes[i], peer.len[i]));
		ck_assert_uint_eq(get_be(peer.bytes[i] + 38, 2), i < 2 ? 1008 : 508);
	}
}
END_TEST

/* What was gathered by one context does not fit another, smaller one: the packet is dropped, what follows goes. */
START_TEST(context_in_the_middle)
{
	static const uint16_t sizes[] = { 0, 31, 100 };
	unsigned head;

	start();
	fill(TX_DATA, 12000);
	head = headers(ram + TX_DATA, false, 6, 10000, true);
	put_context(14, 24, 34, 50, 10000, head, 9000, TUCMD_TCP | TUCMD_IP | TSE);
	put(TX_DATA, 8000 | DATA | TSE, IXSM | TXSM);
	pass_ns(1);
	put_context(14, 24, 34, 50, 10000, head, sizes[_i], TUCMD_TCP | TUCMD_IP | TSE);
	put(TX_DATA + 8000, (head + 2000) | DATA | TSE | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 0);
	ck_assert_uint_eq(get(TDH), get(TDT));
	put(TX_DATA, 100 | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], 100);
}
END_TEST

START_TEST(vlan_insertion)
{
	start();
	set(CTRL, get(CTRL) | CTRL_VME);
	fill(TX_DATA, 100);
	put(TX_DATA, 100 | EOP | VLE, (uint32_t)0x6123 << 16);
	put(TX_DATA, 100 | EOP, (uint32_t)0x6123 << 16);
	pass_ns(1);
	ck_assert_uint_eq(peer.len[0], 104);
	ck_assert_uint_eq(get_be(peer.bytes[0] + 12, 4), 0x81006123);
	ck_assert_mem_eq(peer.bytes[0] + 16, ram + TX_DATA + 12, 88);
	ck_assert_uint_eq(peer.len[1], 100);
}
END_TEST

START_TEST(peer_stops_the_transmitter)
{
	unsigned sent;

	start();
	fill(TX_DATA, 9000);
	peer.refuses = true;
	for (unsigned i = 0; i < 63; i++)
		put(TX_DATA, 9000 | EOP | RS, 0);
	pass_ns(1000 * 1000);
	sent = get(TDH);
	ck_assert_uint_gt(sent, 20);
	ck_assert_uint_lt(sent, 40);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(TDH), sent);
	peer.refuses = false;
	net_ready(peer.end);
	pass_ns(10 * 1000 * 1000);
	ck_assert_uint_eq(peer.count, 63);
	ck_assert_uint_eq(get(TDH), 63);
}
END_TEST

/* A pause frame holds the transmitter for its time. */
START_TEST(pause)
{
	uint8_t f[60] = { 0x01, 0x80, 0xc2, 0, 0, 1, 2, 2, 2, 2, 2, 2, 0x88, 0x08, 0, 1, 0x10, 0 };

	start();
	fill(TX_DATA, 100);
	set(CTRL, get(CTRL) | CTRL_RFCE);
	arrive(f, 60);
	ck_assert_uint_eq(get(XOFFRXC), 1);
	ck_assert_uint_eq(get(STATUS) & STATUS_TXOFF, STATUS_TXOFF);
	put(TX_DATA, 100 | EOP, 0);
	pass_ns(2000 * 1000);
	ck_assert_uint_eq(peer.count, 0);
	pass_ns(100 * 1000);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(get(STATUS) & STATUS_TXOFF, 0);
}
END_TEST

/* ---- receiving ---- */

static const struct {
	const char *name, *to;
	uint32_t rctl, table, bit; /* a bit of MTA */
	bool passes;
} filters[] = {
	{ "own", OWN, 0, 0, 0, true },
	{ "another", "\x52\x54\x00\x12\x34\x57", 0, 0, 0, false },
	{ "another, promiscuous", "\x52\x54\x00\x12\x34\x57", RCTL_UPE, 0, 0, true },
	{ "broadcast", ALL, RCTL_BAM, 0, 0, true },
	{ "no broadcast", ALL, 0, 0, 0, false },
	{ "broadcast as multicast", ALL, RCTL_MPE, 0, 0, true },
	{ "multicast", "\x01\x00\x5e\x12\x34\x56", 0, 0, 0, false },
	{ "all multicasts", "\x01\x00\x5e\x12\x34\x56", RCTL_MPE, 0, 0, true },
	{ "multicasts are not all", "\x01\x00\x5e\x12\x34\x56", RCTL_UPE, 0, 0, false },
	/* 5634h: bits 47:36, 46:35, 45:34, 43:32. */
	{ "table, offset 0", "\x01\x00\x5e\x12\x34\x56", 0 << 12, 0x563 >> 5, 0x563 & 31, true },
	{ "table, offset 1", "\x01\x00\x5e\x12\x34\x56", 1 << 12, 0xac6 >> 5, 0xac6 & 31, true },
	{ "table, offset 2", "\x01\x00\x5e\x12\x34\x56", 2 << 12, 0x58d >> 5, 0x58d & 31, true },
	{ "table, offset 3", "\x01\x00\x5e\x12\x34\x56", 3 << 12, 0x634 >> 5, 0x634 & 31, true },
	{ "another place of the table", "\x01\x00\x5e\x12\x34\x56", 3 << 12, 0x635 >> 5, 0x635 & 31, false },
};

START_TEST(address_filters)
{
	start();
	set(RCTL, RCTL_EN | filters[_i].rctl);
	set(MTA + 4 * filters[_i].table, 1u << filters[_i].bit);
	arrive(frame_to(filters[_i].to, 100), 100);
	ck_assert_msg(get(RDH) == filters[_i].passes, "%s", filters[_i].name);
	if (filters[_i].bit != 0 && filters[_i].passes)
		ck_assert_uint_eq(rx_desc(0)[12] & 0x80, 0x80);
}
END_TEST

START_TEST(receive)
{
	const uint8_t *f = frame_to(OWN, 1514);

	start();
	set(IMS, INT_RXT0);
	arrive(f, 1514);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(get(ICR), INT_RXT0);
	ck_assert_uint_eq(rx_len(0), 1518);
	ck_assert_mem_eq(ram + RX_DATA, f, 1514);
	ck_assert_uint_eq(rx_desc(0)[12], 0x07); /* DD, EOP, no sums */
	ck_assert_uint_eq(load_le(rx_desc(0) + 10, 2), (uint16_t)~(sum16(f, 1514, 0) >> 8 | sum16(f, 1514, 0) << 8));
	set(RCTL, get(RCTL) | RCTL_SECRC);
	arrive(f, 42);
	ck_assert_uint_eq(rx_len(1), 60);
	ck_assert_uint_eq(ram[RX_DATA + 16384 + 42], 0);
	/* Too long, unless long packets are on. */
	arrive(f, 1519);
	ck_assert_uint_eq(get(RDH), 2);
	ck_assert_uint_eq(get(ROC), 1);
	set(RCTL, get(RCTL) | RCTL_LPE);
	f = frame_to(OWN, 9000);
	arrive(f, 9000);
	ck_assert_uint_eq(get(RDH), 7);
	for (unsigned i = 0; i < 5; i++) {
		ck_assert_uint_eq(rx_len(2 + i), i < 4 ? 2048 : 9000 - 8192);
		ck_assert_uint_eq(rx_desc(2 + i)[12] & 3, i < 4 ? 1 : 3);
		ck_assert_mem_eq(ram + RX_DATA + 16384 * (2 + i), f + 2048 * i, rx_len(2 + i));
	}
	ck_assert_uint_eq(get(GPRC), 3);
	ck_assert_uint_eq(get(PRC64), 1);
	ck_assert_uint_eq(get(TORL), 1518 + 64 + 9004);
	ck_assert_uint_eq(get(GORCL), 1518 + 64 + 9004);
}
END_TEST

static const struct {
	uint32_t rctl;
	unsigned size;
} sizes[] = {
	{ 0, 2048 }, { 1 << 16, 1024 }, { 2 << 16, 512 }, { 3 << 16, 256 }, { RCTL_BSEX | 1 << 16, 16384 },
	{ RCTL_BSEX | 2 << 16, 8192 }, { RCTL_BSEX | 3 << 16, 4096 },
};

START_TEST(buffer_sizes)
{
	start();
	set(RCTL, RCTL_EN | RCTL_LPE | RCTL_SECRC | sizes[_i].rctl);
	arrive(frame_to(OWN, 9000), 9000);
	ck_assert_uint_eq(get(RDH), (9000 + sizes[_i].size - 1) / sizes[_i].size);
	ck_assert_uint_eq(rx_len(0), MIN(9000, sizes[_i].size));
}
END_TEST

START_TEST(out_of_buffers)
{
	start();
	set(RDT, 4);
	for (unsigned i = 0; i < 6; i++)
		arrive(frame_to(OWN, 100 + i), 100 + i);
	ck_assert_uint_eq(get(RDH), 4);
	ck_assert_uint_eq(get(RNBC), 1);
	ck_assert_uint_eq(get(ICR) & INT_RXO, INT_RXO);
	/* More come: what waited in the cable follows in its order. */
	set(RDT, 5);
	ck_assert_uint_eq(get(RDH), 5);
	ck_assert_uint_eq(rx_len(4), 108);
	set(RDT, 8);
	ck_assert_uint_eq(get(RDH), 6);
	ck_assert_uint_eq(rx_len(5), 109);
	/* A frame that will never fit is missed. */
	set(RDLEN, 128);
	set(RDH, 0);
	set(RDT, 7);
	set(RCTL, get(RCTL) | RCTL_LPE | 3 << 16);
	arrive(frame_to(OWN, 9000), 9000);
	ck_assert_uint_eq(get(MPC), 1);
	ck_assert_uint_eq(get(RDH), 0);
}
END_TEST

START_TEST(minimum_threshold)
{
	static const unsigned left[] = { 32, 16, 8 };
	unsigned n = 0;

	start();
	set(RCTL, get(RCTL) | (uint32_t)_i << 8);
	do {
		get(ICR);
		arrive(frame_to(OWN, 60), 60);
		n++;
	} while (n < 63 && !(get(ICS) | (get(ICR) & INT_RXDMT0)));
	ck_assert_uint_eq(n, 63 - left[_i]);
}
END_TEST

START_TEST(vlan_receive)
{
	uint8_t *f = frame_to(OWN, 104);

	put_be(f + 12, 0x81006123, 4);
	start();
	/* Kept without VME. */
	arrive(f, 104);
	ck_assert_uint_eq(rx_len(0), 108);
	ck_assert_uint_eq(rx_desc(0)[12] & 8, 0);
	set(CTRL, get(CTRL) | CTRL_VME);
	arrive(f, 104);
	ck_assert_uint_eq(rx_len(1), 104);
	ck_assert_uint_eq(rx_desc(1)[12] & 8, 8);
	ck_assert_uint_eq(load_le(rx_desc(1) + 14, 2), 0x6123);
	ck_assert_mem_eq(ram + RX_DATA + 16384, f, 12);
	ck_assert_mem_eq(ram + RX_DATA + 16384 + 12, f + 16, 88);
	set(RCTL, get(RCTL) | RCTL_VFE);
	arrive(f, 104);
	ck_assert_uint_eq(get(RDH), 2);
	set(VFTA + 4 * (0x123 >> 5), 1u << (0x123 & 31));
	arrive(f, 104);
	ck_assert_uint_eq(get(RDH), 3);
	set(RCTL, get(RCTL) | RCTL_CFIEN | RCTL_CFI);
	arrive(f, 104);
	ck_assert_uint_eq(get(RDH), 3);
	/* What has no tag passes. */
	arrive(frame_to(OWN, 100), 100);
	ck_assert_uint_eq(get(RDH), 4);
}
END_TEST

START_TEST(receive_checksums)
{
	uint8_t f[1600];
	unsigned head, l4 = sums[_i].six ? 54 : 34, at = l4 + (sums[_i].protocol == 6 ? 16 : 6), len;

	memcpy(f, frame_to(OWN, 1600), 1600);
	head = headers(f, sums[_i].six, sums[_i].protocol, sums[_i].len, false);
	len = head + sums[_i].len;
	put_be(f + 24, sums[_i].six ? get_be(f + 24, 2) : 0xffffu & ~sum16(f + 14, 20, 0), 2);
	put_be(f + at, 0xffffu & ~sum16(f + l4, len - l4, 0), 2);
	ck_assert(sums_are_right(f, len));
	start();
	set(RXCSUM, RXCSUM_IPOFL | RXCSUM_TUOFL | RXCSUM_IPV6OFL);
	arrive(f, len);
	ck_assert_uint_eq(rx_desc(0)[12], sums[_i].six ? 0x23 : 0x63);
	ck_assert_uint_eq(rx_desc(0)[13], 0);
	/* With padding behind. */
	arrive(f, len + 3);
	ck_assert_uint_eq(rx_desc(1)[12], sums[_i].six ? 0x23 : 0x63);
	ck_assert_uint_eq(rx_desc(1)[13], 0);
	f[len - 1] ^= 0x10;
	arrive(f, len);
	ck_assert_uint_eq(rx_desc(2)[13], 0x20);
	f[len - 1] ^= 0x10;
	if (!sums[_i].six) {
		f[22] ^= 1;
		arrive(f, len);
		ck_assert_uint_eq(rx_desc(3)[13] & 0x40, 0x40);
		/* A fragment's sum is not looked at. */
		put_be(f + 20, 0x2000, 2);
		arrive(f, len);
		ck_assert_uint_eq(rx_desc(4)[12], 0x43);
	}
	set(RXCSUM, 0);
	arrive(f, len);
	ck_assert_uint_eq(rx_desc(get(RDH) - 1)[12], 0x07);
}
END_TEST

START_TEST(loopback)
{
	start();
	fill(TX_DATA, 200);
	memcpy(ram + TX_DATA, OWN, 6);
	if (_i == 0)
		set(RCTL, get(RCTL) | 1 << 6);
	else
		set_phy(0, 0x4140);
	put(TX_DATA, 200 | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 0);
	ck_assert_uint_eq(get(RDH), 1);
	ck_assert_mem_eq(ram + RX_DATA, ram + TX_DATA, 200);
}
END_TEST

/* Packets that never end, or are cut into far too many pieces, cost a bounded time and are not sent. */
START_TEST(endless_packets)
{
	static const uint32_t lengths[] = { 0xfffff, 16289, 0 };

	start();
	put_context(14, 24, 34, 50, 0xfffff, 54, _i, TUCMD_TCP | TUCMD_IP | TSE);
	for (unsigned i = 0; i < 500; i++) {
		put(TX_DATA, lengths[_i % 3] | DATA | (_i & 1 ? TSE : 0), IXSM | TXSM);
		pass_ns(1);
	}
	put(TX_DATA, 0 | DATA | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(get(TDH), get(TDT));
	ck_assert_uint_le(peer.count, 1);
	/* And it works as before. */
	peer.count = 0;
	fill(TX_DATA, 100);
	put(TX_DATA, 100 | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(peer.len[0], 100);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("e1000 frames");
	TCase *t = tcase_create("plain peer"), *c = tcase_create("peer that takes segments");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, legacy_transmit);
	tcase_add_test(t, packet_in_parts);
	tcase_add_loop_test(t, checksums, 0, ARRAY_SIZE(sums));
	tcase_add_loop_test(t, segmentation, 0, 4);
	tcase_add_test(t, udp_segmentation);
	tcase_add_loop_test(t, context_in_the_middle, 0, 3);
	tcase_add_test(t, vlan_insertion);
	tcase_add_test(t, peer_stops_the_transmitter);
	tcase_add_test(t, pause);
	tcase_add_loop_test(t, address_filters, 0, ARRAY_SIZE(filters));
	tcase_add_test(t, receive);
	tcase_add_loop_test(t, buffer_sizes, 0, ARRAY_SIZE(sizes));
	tcase_add_test(t, out_of_buffers);
	tcase_add_loop_test(t, minimum_threshold, 0, 3);
	tcase_add_test(t, vlan_receive);
	tcase_add_loop_test(t, receive_checksums, 0, ARRAY_SIZE(sums));
	tcase_add_loop_test(t, loopback, 0, 2);
	tcase_add_loop_test(t, endless_packets, 0, 6);
	suite_add_tcase(s, t);
	tcase_add_checked_fixture(c, set_up_clever, tear_down);
	tcase_add_loop_test(c, checksums_left_to_the_peer, 0, ARRAY_SIZE(sums));
	tcase_add_loop_test(c, segments_left_to_the_peer, 0, 2);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
