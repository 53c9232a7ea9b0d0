/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM without a processor: its registers by the memory space, time by a manual clock, and a peer at the cable's end. */
#include "tests/e1000_machine.h"

#include "base/err.h"
#include "base/util.h"

/* ---- registers ---- */

START_TEST(coverage)
{
	ck_assert_msg(dev_uncovered(card->cls) == -1, "byte %ld", dev_uncovered(card->cls));
}
END_TEST

START_TEST(identity)
{
	ck_assert_uint_eq(conf(0, 4), 0x100e8086);
	ck_assert_uint_eq(conf(8, 4), 0x02000002);
	set_conf(0x10, 0xffffffff, 4);
	ck_assert_uint_eq(conf(0x10, 4), 0xfffe0000);
	set_conf(0x18, 0xffffffff, 4);
	ck_assert_uint_eq(conf(0x18, 4), 0xffffffc1);
	ck_assert_uint_eq(conf(0x34, 1), 0xdc);
	ck_assert_uint_eq(conf(0xdc, 1), 0x01);
	ck_assert_uint_eq(conf(0x3d, 1), 1);
}
END_TEST

/* Masks as a driver's register test has them, with each pattern. */
static const struct {
	uint32_t reg, mask, write;
} masks[] = {
	{ FCAL, 0xffffffff, 0xffffffff }, { FCAH, 0x0000ffff, 0xffffffff }, { FCT, 0x0000ffff, 0xffffffff },
	{ VET, 0x0000ffff, 0xffffffff }, { RDTR, 0x0000ffff, 0xffffffff }, { RDBAH, 0xffffffff, 0xffffffff },
	{ RDLEN, 0x000fff80, 0x000fffff }, { RDH, 0x0000ffff, 0x0000ffff }, { RDT, 0x0000ffff, 0x0000ffff },
	{ FCRTH, 0x0000fff8, 0x0000fff8 }, { FCTTV, 0x0000ffff, 0x0000ffff }, { TIPG, 0x3fffffff, 0x3fffffff },
	{ TDBAH, 0xffffffff, 0xffffffff }, { TDLEN, 0x000fff80, 0x000fffff }, { RDBAL, 0xfffffff0, 0xffffffff },
	{ TXCW, 0xc000ffff, 0x0000ffff }, { TDBAL, 0xfffffff0, 0xffffffff }, { TIDV, 0x0000ffff, 0x0000ffff },
	{ RAH0, 0x8003ffff, 0xffffffff }, { RAH0 + 120, 0x8003ffff, 0xffffffff }, { MTA, 0xffffffff, 0xffffffff },
	{ MTA + 508, 0xffffffff, 0xffffffff }, { VFTA + 508, 0xffffffff, 0xffffffff }, { TADV, 0x0000ffff, 0xffffffff },
	{ RADV, 0x0000ffff, 0xffffffff }, { ITR, 0x0000ffff, 0xffffffff }, { RXCSUM, 0x000007ff, 0xffffffff },
	{ LEDCTL, 0xcfcfcfcf, 0xffffffff }, { RCTL, 0x06dfb3fe, 0xffffffff }, { STATUS, 0, 0 }, { FFVT + 1016, 0xffffffff, 0xffffffff },
	{ PBM + 0xfffc, 0xffffffff, 0xffffffff },
};

START_TEST(register_masks)
{
	static const uint32_t patterns[] = { 0x5a5a5a5a, 0xa5a5a5a5, 0x00000000, 0xffffffff };

	for (unsigned i = 0; i < 4 && masks[_i].mask != 0; i++) {
		set(masks[_i].reg, patterns[i] & masks[_i].write);
		ck_assert_msg(get(masks[_i].reg) == (patterns[i] & masks[_i].write & masks[_i].mask), "%x: %x", masks[_i].reg,
			get(masks[_i].reg));
	}
	set(STATUS, 0xfffff833);
	ck_assert_uint_eq(get(STATUS) & 0xf833, 0x0001); /* full duplex, nothing else changed */
}
END_TEST

START_TEST(aliases_and_ports)
{
	set(0x0040 + 8, 0x12345678);
	ck_assert_uint_eq(get(RAL0 + 8), 0x12345678);
	set(0x0110, 0x1000);
	ck_assert_uint_eq(get(RDBAL), 0x1000);
	set(0x0430, 7);
	ck_assert_uint_eq(get(TDH), 7);
	set(0x0200 + 4, 9);
	ck_assert_uint_eq(get(MTA + 4), 9);
	ck_assert_uint_eq(get(0x0044), 0x80005634);
	space_write(io, PORTS, VET, 4, false);
	space_write(io, PORTS + 4, 0x9100, 4, false);
	ck_assert_uint_eq(get(VET), 0x9100);
	ck_assert_uint_eq(space_read(io, PORTS + 4, 4, false), 0x9100);
	ck_assert_uint_eq(space_read(io, PORTS, 4, false), VET);
	set(PBA, 40);
	ck_assert_uint_eq(get(PBA), 24 << 16 | 40);
	ck_assert_uint_eq(get(0x0004), 0);
	set(CTRL, CTRL_RST);
	ck_assert_uint_eq(get(VET), 0x8100);
	ck_assert_uint_eq(get(RAL0), 0x12005452);
	ck_assert_uint_eq(get(RAH0), 0x80005634);
}
END_TEST

START_TEST(sleep)
{
	start();
	set_conf(0xe0, 3, 1);
	ck_assert_uint_eq(get(RCTL), 0xffffffff);
	/* Asleep it notes what would wake it. */
	set_conf(0xe0, 0, 1);
	ck_assert_uint_eq(get(RCTL), 0);
	start();
	set(WUFC, 0x10);
	set_conf(0xe0, 0x103, 2);
	arrive(frame_to(ALL, 60), 60);
	ck_assert_uint_eq(conf(0xe0, 2) & 0x8000, 0x8000);
	set_conf(0xe0, 0x8101, 2);
	ck_assert_uint_eq(conf(0xe0, 2), 0x0103);
}
END_TEST

/* ---- EEPROM ---- */

static void
wires(uint32_t cs_di)
{
	set(EECD, 0x40 | cs_di);
	set(EECD, 0x40 | cs_di | 1);
	set(EECD, 0x40 | cs_di);
}

static void
shift_in(uint32_t v, unsigned count)
{
	while (count-- > 0)
		wires(2 | (v >> count & 1) << 2);
}

static unsigned
shift_out(unsigned count)
{
	unsigned v = 0;

	while (count-- > 0) {
		set(EECD, 0x43);
		v = v << 1 | (get(EECD) >> 3 & 1);
		set(EECD, 0x42);
	}
	return v;
}

START_TEST(eeprom)
{
	uint16_t sum = 0;

	for (unsigned i = 0; i < 64; i++) {
		set(EERD, i << 8 | 1);
		ck_assert_uint_eq(get(EERD) & 0xff1f, i << 8 | 0x10);
		sum += get(EERD) >> 16;
	}
	ck_assert_uint_eq(sum, 0xbaba);
	ck_assert_uint_eq(get(EECD) & 0x380, 0x100);
	set(EECD, 0x40);
	ck_assert_uint_eq(get(EECD) & 0xc0, 0xc0);
	shift_in(0x180 | 1, 9);
	ck_assert_uint_eq(get(EECD) & 8, 0);
	ck_assert_uint_eq(shift_out(16), 0x1200);
	ck_assert_uint_eq(shift_out(16), 0x5634);
	wires(0);
	/* Locked at first. */
	shift_in(0x140 | 3, 9);
	shift_in(0x1234, 16);
	wires(0);
	set(EERD, 3 << 8 | 1);
	ck_assert_uint_eq(get(EERD) >> 16, 0);
	shift_in(0x130, 9);
	wires(0);
	shift_in(0x140 | 3, 9);
	shift_in(0x1234, 16);
	wires(0);
	ck_assert_uint_eq(get(EECD) & 8, 8);
	set(EERD, 3 << 8 | 1);
	ck_assert_uint_eq(get(EERD) >> 16, 0x1234);
	set(CTRL, CTRL_RST);
	set(EERD, 3 << 8 | 1);
	ck_assert_uint_eq(get(EERD) >> 16, 0x1234);
}
END_TEST

/* ---- the PHY and the link ---- */

static unsigned
phy(unsigned reg)
{
	set(MDIC, 2u << 26 | 1 << 21 | reg << 16);
	ck_assert_uint_eq(get(MDIC) >> 28, 1);
	return get(MDIC) & 0xffff;
}

static void
set_phy(unsigned reg, unsigned value)
{
	set(MDIC, 1u << 26 | 1 << 21 | reg << 16 | value);
}

START_TEST(phy_and_link)
{
	struct err e = { 0 };

	ck_assert_uint_eq(phy(2) << 16 | phy(3), 0x01410c20);
	set(MDIC, 2u << 26 | 2 << 21);
	ck_assert_uint_eq(get(MDIC) >> 28, 5);
	set(MDIC, 1u << 29 | 2u << 26 | 1 << 21);
	ck_assert_uint_eq(get(ICR), INT_MDAC);
	ck_assert_uint_eq(phy(1) & 0x24, 0);
	set(CTRL, get(CTRL) | CTRL_SLU);
	ck_assert_uint_eq(get(STATUS) & STATUS_LU, 0);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(ICR), INT_LSC);
	ck_assert_uint_eq(get(STATUS), 0x00000683);
	phy(1);
	ck_assert_uint_eq(phy(1), 0x796d);
	ck_assert_uint_eq(phy(10), 0x3c00);
	ck_assert_uint_eq(phy(17) & 0xac00, 0xac00);
	/* Pulled out: its loss is remembered until it was seen. */
	ck_assert(net_set_link(net, "card", false, &e));
	ck_assert_uint_eq(get(ICR), INT_LSC);
	ck_assert_uint_eq(get(STATUS) & STATUS_LU, 0);
	ck_assert(net_set_link(net, "card", true, &e));
	pass_ns(100 * 1000 * 1000);
	ck_assert_uint_eq(get(STATUS) & STATUS_LU, 0);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(ICR), INT_LSC);
	ck_assert_uint_eq(phy(1) & 4, 0);
	ck_assert_uint_eq(phy(1) & 4, 4);
	/* Only 100 Mb/s is offered. */
	set_phy(9, 0);
	set_phy(4, 0x0181);
	set_phy(0, 0x1340);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(STATUS) & 0xc3, 0x43);
	/* Nothing in common. */
	set_phy(4, 1);
	set_phy(0, 0x1340);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(STATUS) & 2, 0);
	/* Forced, and by the whole chip's PHY reset back to all. */
	set_phy(0, 0x2000);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(STATUS) & 0xc3, 0x42);
	set(CTRL, get(CTRL) | CTRL_PHY_RST);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(STATUS) & 0xc3, 0x83);
	ck_assert_uint_eq(phy(4), 0x0de1);
}
END_TEST

/* ---- interrupts ---- */

START_TEST(interrupts)
{
	set(ICS, INT_RXT0 | INT_TXDW);
	ck_assert_int_eq(lines[11], 0);
	set(IMS, INT_RXT0);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(get(IMS), INT_RXT0);
	set(IMC, INT_RXT0);
	ck_assert_int_eq(lines[11], 0);
	set(IMS, INT_TXDW | INT_RXT0);
	ck_assert_int_eq(lines[11], 1);
	set(ICR, INT_TXDW);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(get(ICR), INT_RXT0);
	ck_assert_int_eq(lines[11], 0);
	ck_assert_uint_eq(get(ICR), 0);
	/* No bit but those that there are. */
	set(ICS, 0xffffffff);
	ck_assert_uint_eq(get(ICR), INT_ALL);
}
END_TEST

START_TEST(throttling)
{
	set(IMS, INT_RXT0);
	set(ITR, 1000); /* 256 us */
	set(ICS, INT_RXT0);
	ck_assert_int_eq(lines[11], 1);
	get(ICR);
	set(ICS, INT_RXT0);
	ck_assert_int_eq(lines[11], 0);
	pass_ns(255 * 1000);
	ck_assert_int_eq(lines[11], 0);
	pass_ns(2000);
	ck_assert_int_eq(lines[11], 1);
	get(ICR);
	/* What is gone when the time comes raises nothing. */
	set(ICS, INT_RXT0);
	get(ICR);
	pass_ns(1000 * 1000);
	ck_assert_int_eq(lines[11], 0);
	set(ICS, INT_RXT0);
	ck_assert_int_eq(lines[11], 1);
}
END_TEST

/* A batch of frames doesn't wait for the end of ITR's interval. */
START_TEST(throttling_of_many_frames)
{
	start();
	set(IMS, INT_RXT0);
	set(ITR, 1000);
	arrive(frame_to(OWN, 60), 60);
	ck_assert_int_eq(lines[11], 1);
	get(ICR);
	for (unsigned i = 0; i < 15; i++) {
		ck_assert_int_eq(lines[11], 0);
		arrive(frame_to(OWN, 60), 60);
	}
	set(RDT, 40);
	for (unsigned i = 0; i < 16; i++) {
		ck_assert_int_eq(lines[11], 0);
		arrive(frame_to(OWN, 60), 60);
	}
	ck_assert_int_eq(lines[11], 1);
}
END_TEST

START_TEST(receive_delays)
{
	start();
	set(IMS, INT_RXT0);
	set(RDTR, 100);
	set(RADV, 150);
	arrive(frame_to(OWN, 60), 60);
	ck_assert_int_eq(lines[11], 0);
	pass_ns(80 * 1000);
	arrive(frame_to(OWN, 60), 60);
	pass_ns(60 * 1000);
	ck_assert_int_eq(lines[11], 0);
	pass_ns(20 * 1000);
	ck_assert_int_eq(lines[11], 1);
	get(ICR);
	arrive(frame_to(OWN, 60), 60);
	ck_assert_int_eq(lines[11], 0);
	set(RDTR, DELAY_FPD | 100);
	ck_assert_int_eq(lines[11], 1);
	get(ICR);
	/* Short ones may be told at once. */
	set(RSRPD, 64);
	set(IMS, INT_SRPD);
	arrive(frame_to(OWN, 60), 60);
	ck_assert_uint_eq(get(ICR), INT_SRPD);
	arrive(frame_to(OWN, 61), 61);
	ck_assert_uint_eq(get(ICR), 0);
}
END_TEST

START_TEST(transmit_delays)
{
	start();
	fill(TX_DATA, 100);
	set(TIDV, 100);
	put(TX_DATA, 100 | EOP | RS | (uint32_t)1 << 31, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(get(ICR), INT_TXQE);
	pass_ns(101 * 1000);
	ck_assert_uint_eq(get(ICR), 0);
	pass_ns(2000);
	ck_assert_uint_eq(get(ICR), INT_TXDW);
}
END_TEST

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

/* ---- what no driver does ---- */

START_TEST(wrong_rings)
{
	start();
	fill(TX_DATA, 100);
	set(TDH, 100);
	put(TX_DATA, 100 | EOP, 0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 0);
	set(TDH, 0);
	set(TDT, 0xffff);
	pass_ns(1);
	set(TDLEN, 0);
	set(TDT, 1);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 0);
	set(RDLEN, 0);
	arrive(frame_to(OWN, 100), 100);
	set(RDLEN, 1024);
	set(RDH, 0x8000);
	arrive(frame_to(OWN, 100), 100);
	/* Both rings where nothing is. */
	set(RDH, 0);
	set(RDBAL, 0xd0000000);
	arrive(frame_to(OWN, 100), 100);
	set(TDBAL, 0xd0000000);
	set(TDLEN, 1024);
	set(TDH, 1);
	set(TDT, 0);
	pass_ns(10 * 1000 * 1000);
	ck_assert_uint_eq(get(TDH), 0);
}
END_TEST

START_TEST(own_registers_are_not_memory)
{
	start();
	/* Data and buffers in its own registers: reads are ones, writes vanish. */
	put(BAR + RAL0, 200 | EOP | RS, 0);
	set(ICS, INT_RXT0);
	pass_ns(1);
	ck_assert_uint_eq(peer.count, 1);
	ck_assert_uint_eq(get_be(peer.bytes[0], 4), 0xffffffff);
	store_le(ram + RX_RING, BAR + ICR - 12, 8);
	arrive(frame_to(OWN, 100), 100);
	ck_assert_uint_eq(get(ICR) & INT_RXT0, INT_RXT0);
	/* A ring there, as big as it can be. */
	set(TDBAL, BAR + 0x10000);
	set(TDLEN, 0xfff80);
	set(TDH, 0);
	set(TDT, 0xfff7);
	pass_ns(NS_PER_SEC);
	ck_assert_uint_eq(get(TDH), 0xfff7);
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

/* Numbers by chance everywhere: nothing but an answer is asked for. */
START_TEST(noise)
{
	uint32_t seed = 12345 + (uint32_t)_i;

	start();
	for (unsigned i = 0; i < 20000; i++) {
		seed = seed * 1664525 + 1013904223;
		unsigned reg = seed >> 8 & 0x1fffc;

		if (seed >> 30 == 0)
			reg = (unsigned[]){ TDT, RDT, TDH, RDH, TCTL, RCTL, CTRL, TDLEN }[seed >> 27 & 7];
		if (seed & 1)
			get(reg);
		else
			set(reg, seed >> 3 ^ seed << 16);
		if (i % 16 == 0)
			arrive(frame_to(ALL, 60 + (seed >> 16) % 9000), 60 + (seed >> 16) % 9000);
		if (i % 64 == 0) {
			for (unsigned j = 0; j < 1024; j++)
				ram[TX_RING + j] = (uint8_t)(seed >> (j & 15));
			set(TDBAL, TX_RING);
			set(TDBAH, 0);
			set(TDLEN, 1024);
			set(TDH, 0);
			set(TDT, 63);
			set(TCTL, TCTL_EN);
		}
		pass_ns(1000);
	}
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("e1000");
	TCase *t = tcase_create("e1000"), *c = tcase_create("peer that takes segments");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, coverage);
	tcase_add_test(t, identity);
	tcase_add_loop_test(t, register_masks, 0, ARRAY_SIZE(masks));
	tcase_add_test(t, aliases_and_ports);
	tcase_add_test(t, sleep);
	tcase_add_test(t, eeprom);
	tcase_add_test(t, phy_and_link);
	tcase_add_test(t, interrupts);
	tcase_add_test(t, throttling);
	tcase_add_test(t, throttling_of_many_frames);
	tcase_add_test(t, receive_delays);
	tcase_add_test(t, transmit_delays);
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
	tcase_add_test(t, wrong_rings);
	tcase_add_test(t, own_registers_are_not_memory);
	tcase_add_loop_test(t, endless_packets, 0, 6);
	tcase_add_loop_test(t, noise, 0, 4);
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
	SRunner *r = srunner_create(suite());

	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);

	srunner_free(r);
	return failed != 0;
}
