/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82540EM without a processor: its registers by the memory space, time by a manual clock, and a peer at the cable's end. */
#include "tests/check_main.h"
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
	TCase *t = tcase_create("e1000");

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
	tcase_add_test(t, wrong_rings);
	tcase_add_test(t, own_registers_are_not_memory);
	tcase_add_loop_test(t, noise, 0, 4);
	suite_add_tcase(s, t);
	return s;
}

int
main(void)
{
	return run_suite(suite());
}
