/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CD drives of the IDE controller: packets, and the ways their data take. */
#include "tests/check_main.h"
#include "tests/ide_machine.h"

/* Sends a packet; what comes is read by PIO in blocks of LIMIT.  Returns its length. */
static unsigned
packet(const uint8_t p[12], uint8_t *buf, unsigned limit)
{
	unsigned got = 0;

	out(0x176, 0xa0, 1);
	out(0x171, 0, 1);
	out(0x174, limit, 1);
	out(0x175, limit >> 8, 1);
	out(0x177, 0xa0, 1);
	ck_assert_uint_eq(alt_status(1), 0x58);
	ck_assert_uint_eq(in(0x172, 1), 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le(p + i, 2), 2);
	while (wait_ready(1) & DRQ) {
		unsigned n = in(0x174, 1) | in(0x175, 1) << 8;

		ck_assert_uint_eq(in(0x172, 1), 2);
		ck_assert_uint_le(n, limit);
		in(0x177, 1);
		read_data(1, buf + got, n);
		got += n;
	}
	ck_assert_int_eq(irqs[1], 1);
	ck_assert_uint_eq(in(0x172, 1), 3);
	in(0x177, 1);
	return got;
}

/* Key, code and qualifier of the last error, as one number. */
static unsigned
sense(void)
{
	uint8_t buf[18];

	ck_assert_uint_eq(packet((uint8_t[12]){ 3, 0, 0, 0, 18 }, buf, 64), 18);
	return buf[2] << 16 | buf[12] << 8 | buf[13];
}

START_TEST(cd_signature)
{
	uint8_t page[512];

	out(0x376, 4, 1);
	out(0x376, 0, 1);
	ck_assert_uint_eq(alt_status(1), 0);
	ck_assert_uint_eq(in(0x174, 1) | in(0x175, 1) << 8, 0xeb14);
	out(0x176, 0xb0, 1);
	ck_assert_uint_eq(in(0x174, 1) | in(0x175, 1) << 8, 0);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
	command(1, 0, 0, 0, 0xec);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(in(0x175, 1), 0xeb);
	command(1, 0, 0, 0, 0xa1);
	ck_assert_uint_eq(alt_status(1), 0x58);
	read_data(1, page, 512);
	ck_assert_uint_eq(word(page, 0), 0x85c0);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
}
END_TEST

START_TEST(cd_data)
{
	static uint8_t buf[128 * 2048];
	uint8_t p[12] = { 0x28, 0, 0, 0, 0, 9, 0, 0, 100 };

	ck_assert_uint_eq(packet((uint8_t[12]){ 0x25 }, buf, 0xfffe), 8);
	ck_assert_mem_eq(buf, "\0\0\x03\xe7\0\0\x08\0", 8);
	ck_assert_uint_eq(packet(p, buf, 0xf800), 100 * 2048);
	check_sectors(buf, 9, 100, 2048);
	ck_assert_uint_eq(packet(p, buf, 512), 100 * 2048);
	check_sectors(buf, 9, 100, 2048);
	/* By DMA. */
	put_prd(0, 0x100000, 0, false);
	put_prd(1, 0x110000, 0, false);
	put_prd(2, 0x120000, 0, false);
	put_prd(3, 0x130000, 100 * 2048 - 3 * 65536, true);
	out(0x171, 1, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le(p + i, 2), 2);
	start_bus_master(1, true);
	wait_irq(1);
	ck_assert_uint_eq(in(0x177, 1), 0x50);
	ck_assert_uint_eq(in(BM + 8 + 2, 1), 4);
	check_sectors(ram + 0x100000, 9, 100, 2048);
	/* Short answers come by DMA too. */
	memset(ram + 0x100000, 0, 64);
	put_prd(0, 0x100000, 36, true);
	out(BM + 8, 0, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le((uint8_t[12]){ 0x12, 0, 0, 0, 36 } + i, 2), 2);
	start_bus_master(1, true);
	wait_irq(1);
	ck_assert_mem_eq(ram + 0x100008, "CALQUE  DVD-ROM ", 16);
	/* Past the end. */
	p[5] = 0xe7;
	p[4] = 3;
	ck_assert_uint_eq(packet(p, buf, 0xf800), 0);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(in(0x171, 1), 0x54);
	ck_assert_uint_eq(sense(), 0x052100);
	ck_assert_uint_eq(sense(), 0);
}
END_TEST

/* The codes are checked as a drive does: all weighted and plain sums of a codeword are 0. */
static void
check_codeword(const uint8_t *s, unsigned start, unsigned len, unsigned step, unsigned around, unsigned parity, unsigned gap)
{
	uint8_t sum = 0, weighted = 0;

	for (unsigned i = 0; i < len + 2; i++) {
		uint8_t v = i < len ? s[12 + (start + i * step) % around] : s[parity + (i - len) * gap];

		sum ^= v;
		weighted = (weighted << 1 ^ (weighted & 0x80 ? 0x1d : 0)) ^ v;
	}
	ck_assert_uint_eq(sum, 0);
	ck_assert_uint_eq(weighted, 0);
}

START_TEST(cd_raw)
{
	static uint8_t buf[40 * 2352];
	const uint8_t *s = buf + 30 * 2352;

	ck_assert_uint_eq(packet((uint8_t[12]){ 0xbe, 0, 0, 0, 0, 200, 0, 0, 40, 0xf8 }, buf, 0xfffe), 40 * 2352);
	ck_assert_mem_eq(s, "\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0", 12);
	ck_assert_mem_eq(s + 12, "\0\x05\x05\x01", 4); /* sector 230 is frame 380 */
	for (unsigned n = 0; n < 40; n++)
		check_sectors(buf + n * 2352 + 16, 200 + n, 1, 2048);
	for (unsigned n = 0; n < 86; n++)
		check_codeword(s, n, 24, 86, 86 * 24, 2076 + n, 86);
	for (unsigned n = 0; n < 52; n++)
		check_codeword(s, n / 2 * 86 + n % 2, 43, 88, 52 * 43, 2248 + n, 52);
}
END_TEST

START_TEST(cd_answers)
{
	uint8_t buf[4096];

	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 2, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 20);
	ck_assert_mem_eq(buf, "\0\x12\1\1\0\x14\1\0\0\0\2\0\0\x14\xaa\0\0\0\x0f\x19", 20);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 0, 0, 0, 0, 0, 0, 0, 12 }, buf, 0xfffe), 12);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x43, 0, 2, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 48);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x46, 0, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 8 + 12 + 12 + 8 + 12 + 4 + 8 + 8);
	ck_assert_uint_eq(buf[7], 8);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x5a, 0, 0x2a, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 28);
	ck_assert_uint_eq(buf[8], 0x2a);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x5a, 0, 0x3f, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 8 + 8 + 16 + 20);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x51, 0, 0, 0, 0, 0, 0, 1, 0 }, buf, 0xfffe), 34);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x52, 1, 0, 0, 0, 1, 0, 1, 0 }, buf, 0xfffe), 36);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xbd, 0, 0, 0, 0, 0, 0, 0, 0, 8 }, buf, 0xfffe), 8);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x42, 0, 0x40, 1, 0, 0, 0, 0, 16 }, buf, 0xfffe), 16);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x12, 1, 0x80, 0, 64 }, buf, 0xfffe), 11);
	ck_assert_mem_eq(buf + 4, "CQ00003", 7);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xad, 0, 0, 0, 0, 0, 0, 0, 8 }, buf, 0xfffe), 0);
	ck_assert_uint_eq(sense(), 0x053002);
	ck_assert_uint_eq(packet((uint8_t[12]){ 0xff }, buf, 0xfffe), 0);
	ck_assert_uint_eq(sense(), 0x052000);
}
END_TEST

START_TEST(cd_change)
{
	uint8_t buf[64];

	packet((uint8_t[12]){ 0x1e, 0, 0, 0, 1 }, buf, 64);
	ck_assert(!piix3_ide_change(ide, 2, NULL, false));
	ck_assert_uint_eq(packet((uint8_t[12]){ 0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8 }, buf, 64), 8);
	ck_assert_mem_eq(buf, "\0\4\4\x10\1\2\0\0", 8);
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 2 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x055302);
	packet((uint8_t[12]){ 0x1e, 0, 0, 0, 0 }, buf, 64);
	ck_assert(piix3_ide_change(ide, 2, NULL, false));
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x51);
	ck_assert_uint_eq(sense(), 0x023a02);
	ck_assert(piix3_ide_change(ide, 2, cd, false));
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x062800);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x50);
	/* The guest opens and closes. */
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 2 }, buf, 64);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x023a02);
	packet((uint8_t[12]){ 0x1b, 0, 0, 0, 3 }, buf, 64);
	ck_assert_uint_eq(sense(), 0x062800);
	packet((uint8_t[12]){ 0 }, buf, 64);
	ck_assert_uint_eq(alt_status(1), 0x50);
	ck_assert(!piix3_ide_change(ide, 0, NULL, true));
	/* The disc goes while it is read. */
	out(0x171, 0, 1);
	out(0x177, 0xa0, 1);
	for (unsigned i = 0; i < 12; i += 2)
		out(0x170, load_le((uint8_t[12]){ 0x28, 0, 0, 0, 0, 0, 0, 0, 64 } + i, 2), 2);
	ck_assert(piix3_ide_change(ide, 2, NULL, true));
	ck_assert_uint_eq(alt_status(1), 0x51);
	for (unsigned i = 0; i < 10; i++)
		turn(loop, 2);
	ck_assert_uint_eq(sense(), 0x023a02);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_atapi");
	TCase *t = tcase_create("hw_atapi");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, cd_signature);
	tcase_add_test(t, cd_data);
	tcase_add_test(t, cd_raw);
	tcase_add_test(t, cd_answers);
	tcase_add_test(t, cd_change);
	suite_add_tcase(s, t);
	return run_suite(s);
}
