/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC speaker and AC'97 without a processor, driven by ports, memory and the clock: what was put into guest memory is compared
 * with what came into the WAV file, sample by sample.
 */
#include "base/err.h"
#include "hw/hw.h"
#include "tests/sound_machine.h"

#include <check.h>
#include <stdlib.h>

enum { NAM = 0xc000, BM = 0xc100 };

static struct dev *card;

/* ---- coverage ---- */

START_TEST(coverage)
{
	pcspk_new(&env, pit, sound);
	ac97_new(&env, bus, NULL, 5 << 3, sound);
	for (struct dev *d = devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

/* ---- PC speaker ---- */

static void
tone(unsigned count)
{
	out(0x43, 0xb6, 1);
	out(0x42, count & 0xff, 1);
	out(0x42, count >> 8, 1);
}

static unsigned
rises(size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t i = from + 1; i < to; i++)
		n += file_frames[2 * i - 2] < 0 && file_frames[2 * i] >= 0;
	return n;
}

START_TEST(speaker_tone)
{
	pcspk_new(&env, pit, sound);
	dev_reset_all(devices);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 0);
	tone(1193);
	out(0x61, 3, 1);
	clock_advance(clk, 1000 * MS);
	out(0x61, 0, 1);
	clock_advance(clk, 1000 * MS);
	size_t n = wav_frames();
	/* The tone, and a moment until the silence is noticed. */
	ck_assert_uint_ge(n, 48000 + 4800 - 480);
	ck_assert_uint_le(n, 48000 + 4800 + 960);
	ck_assert_uint_ge(rises(0, 48000), 999);
	ck_assert_uint_le(rises(0, 48000), 1001);
	ck_assert_int_gt(abs(file_frames[2 * 24000]), 6000);
	/* No direct current remains. */
	int64_t sum = 0;
	for (size_t i = 24000; i < 48000; i++)
		sum += file_frames[2 * i];
	ck_assert_int_lt(llabs(sum / 24000), 100);
	ck_assert_int_lt(abs(file_frames[2 * (n - 1)]), 10);
}
END_TEST

/* Another count takes over at the end of a period; the gate alone or the data bit alone is silence. */
START_TEST(speaker_changes)
{
	pcspk_new(&env, pit, sound);
	dev_reset_all(devices);
	tone(2386);
	out(0x61, 3, 1);
	clock_advance(clk, 500 * MS);
	tone(1193);
	clock_advance(clk, 500 * MS);
	out(0x61, 1, 1);
	clock_advance(clk, 500 * MS);
	size_t n = wav_frames();
	ck_assert_uint_ge(n, 48000);
	ck_assert_int_le(abs((int)rises(0, 24000) - 250), 1);
	ck_assert_int_le(abs((int)rises(24000, 48000) - 500), 2);
	clock_advance(clk, 2000 * MS);
	ck_assert_uint_eq(wav_frames(), n);
	/* The data bit alone: a click, as OUT is high. */
	out(0x61, 2, 1);
	clock_advance(clk, 1000 * MS);
	ck_assert_uint_lt(wav_frames() - n, 6000);
}
END_TEST

/* Sound by the processor: the data bit moves at 500 Hz, and OUT stands high. */
START_TEST(speaker_by_hand)
{
	pcspk_new(&env, pit, sound);
	dev_reset_all(devices);
	tone(0);
	for (int i = 0; i < 500; i++) {
		out(0x61, 2, 1);
		clock_advance(clk, MS);
		out(0x61, 0, 1);
		clock_advance(clk, MS);
	}
	clock_advance(clk, 500 * MS);
	size_t n = wav_frames();
	ck_assert_uint_ge(n, 48000);
	ck_assert_int_le(abs((int)rises(0, 48000) - 500), 1);
}
END_TEST

/* ---- AC'97 ---- */

enum {
	PI = 0x00, PO = 0x10, MC = 0x20, BDBAR = 0, CIV = 4, LVI = 5, SR = 6, PICB = 8, PIV = 10, CR = 11,
	LIST = 0x1000, DATA = 0x10000,
};

static void
make_ac97(void)
{
	card = ac97_new(&env, bus, NULL, CARD, sound);
	dev_reset_all(devices);
	set_conf(CARD, 0x10, NAM, 4);
	set_conf(CARD, 0x14, BM, 4);
	set_conf(CARD, 4, 5, 2);
	set_conf(1 << 3, 0x60, 0x0b0b0b0b, 4); /* all pins are IRQ 11 */
	out(BM + 0x2c, 2, 4);
	out(NAM + 0x02, 0x0000, 2);
	out(NAM + 0x18, 0x0808, 2);
}

/* Buffer N of LIST: FRAMES stereo frames at ADDR. */
static void
bd(unsigned n, unsigned addr, unsigned samples, bool ioc)
{
	put(LIST + 8 * n, addr, 4);
	put(LIST + 8 * n + 4, samples | (uint32_t)ioc << 31, 4);
}

START_TEST(ac97_identity)
{
	make_ac97();
	ck_assert_uint_eq(conf(CARD, 0, 4), 0x24158086);
	ck_assert_uint_eq(conf(CARD, 8, 4), 0x04010001);
	ck_assert_uint_eq(conf(CARD, 0x3d, 1), 1);
	ck_assert_uint_eq(in(BM + 0x30, 4) & 0x100, 0x100);
	ck_assert_uint_eq(in(NAM + 0x7c, 2), 0x8384);
	ck_assert_uint_eq(in(NAM + 0x26, 2), 0x000f);
	/* A size of 256 and of 64 bytes. */
	set_conf(CARD, 0x10, 0xffffffff, 4);
	ck_assert_uint_eq(conf(CARD, 0x10, 4), 0xffffff01);
	set_conf(CARD, 0x14, 0xffffffff, 4);
	ck_assert_uint_eq(conf(CARD, 0x14, 4), 0xffffffc1);
}
END_TEST

/* Register, what is written, what is read then. */
START_TEST(ac97_codec)
{
	static const struct { uint16_t reg, write, read; } rows[] = {
		{ 0x02, 0xffff, 0x9f1f }, { 0x02, 0x2020, 0x1f1f }, { 0x02, 0x8000, 0x8000 }, { 0x06, 0x003f, 0x001f },
		{ 0x0a, 0xffff, 0x801e }, { 0x0e, 0xffff, 0x805f }, { 0x18, 0xffff, 0x9f1f }, { 0x1a, 0xffff, 0x0707 },
		{ 0x1c, 0xffff, 0x8f0f }, { 0x7c, 0x0000, 0x8384 }, { 0x28, 0xffff, 0x0809 }, { 0x5a, 0xffff, 0x0000 },
		/* Rates are fixed until that is changed, and again afterwards. */
		{ 0x2c, 8000, 48000 }, { 0x2a, 0xffff, 0x0009 }, { 0x2c, 8000, 8000 }, { 0x2c, 44100, 44100 },
		{ 0x2c, 1, 8000 }, { 0x2c, 65535, 48000 }, { 0x32, 11025, 11025 }, { 0x34, 16000, 16000 },
		{ 0x2a, 0x0008, 0x0008 }, { 0x2c, 8000, 48000 }, { 0x34, 16000, 16000 }, { 0x2a, 0, 0 }, { 0x34, 8000, 48000 },
		/* Sections that are switched off are not ready. */
		{ 0x26, 0x0100, 0x010e }, { 0x26, 0x0200, 0x020d }, { 0x26, 0x0000, 0x000f },
	};

	make_ac97();
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		out(NAM + rows[i].reg, rows[i].write, 2);
		uint32_t value = in(NAM + rows[i].reg, 2);

		ck_assert_msg(value == rows[i].read, "row %u: %04x is %04x", i, rows[i].reg, value);
	}
	out(NAM, 0, 2);
	ck_assert_uint_eq(in(NAM + 0x02, 2), 0x8000);
	ck_assert_uint_eq(in(NAM + 0x18, 2), 0x8808);
	/* Bytes are read, but not written. */
	out(NAM + 0x02, 0x11, 1);
	ck_assert_uint_eq(in(NAM + 0x03, 1), 0x80);
	ck_assert_uint_eq(in(NAM + 0x80, 2), 0xffff);
	/* The semaphore: free, then taken, and free after an access. */
	ck_assert_uint_eq(in(BM + 0x34, 1), 0);
	ck_assert_uint_eq(in(BM + 0x34, 1), 1);
	in(NAM, 2);
	ck_assert_uint_eq(in(BM + 0x34, 1), 0);
}
END_TEST

/* Three buffers, the second of which interrupts; the end of the last one. */
START_TEST(ac97_playing)
{
	make_ac97();
	fill_ramp(DATA, 3000, 0);
	bd(0, DATA, 2000, false);
	bd(1, DATA + 4000, 2000, true);
	bd(2, DATA + 8000, 2000, false);
	out(BM + PO + CR, 2, 1);
	ck_assert_uint_eq(in(BM + PO + CR, 1), 0);
	out(BM + PO + BDBAR, LIST | 3, 4);
	ck_assert_uint_eq(in(BM + PO + BDBAR, 4), LIST);
	out(BM + PO + LVI, 2, 1);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 1);
	clock_advance(clk, 3333);
	out(BM + PO + CR, 0x1d, 1);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 2000);
	/* 480 frames. */
	clock_advance(clk, 10 * MS + 1000);
	ck_assert_uint_eq(in(BM + PO + CIV, 1), 0);
	ck_assert_uint_eq(in(BM + PO + PIV, 1), 1);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 2000 - 960);
	clock_advance(clk, 20 * MS);
	ck_assert_uint_eq(in(BM + PO + CIV, 1), 1);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 4000 - 2880);
	ck_assert_int_eq(lines[11], 0);
	/* 1000 frames take 20.8333 ms: the second buffer ends at 41.667 ms. */
	clock_advance(clk, 11600000);
	ck_assert_int_eq(lines[11], 0);
	clock_advance(clk, 70000);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x08);
	ck_assert_uint_eq(in(BM + 0x30, 4) & 0xe0, 0x40);
	out(BM + PO + SR, 0x08, 2);
	ck_assert_int_eq(lines[11], 0);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x07);
	ck_assert_uint_eq(in(BM + PO + CIV, 1), 2);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 0);
	ck_assert_int_eq(lines[11], 1);
	out(BM + PO + SR, 0x1c, 2);
	ck_assert_int_eq(lines[11], 0);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x03);
	ck_assert_uint_eq(wav_frames(), 3000);
	check_ramp(3000, 0);
	/* It goes on when there is more. */
	fill_ramp(DATA, 500, 3000);
	bd(3, DATA, 1000, true);
	out(BM + PO + LVI, 3, 1);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x0f);
	ck_assert_uint_eq(wav_frames(), 3500);
	check_ramp(3500, 0);
}
END_TEST

/* As drivers do it: a ring of buffers that are filled anew as they were played, for two seconds. */
START_TEST(ac97_ring)
{
	unsigned filled = 4;

	make_ac97();
	for (unsigned i = 0; i < 32; i++)
		bd(i, DATA + 4096 * (i % 4), 2048, true);
	fill_ramp(DATA, 4096, 0);
	out(BM + PO + BDBAR, LIST, 4);
	out(BM + PO + LVI, 3, 1);
	out(BM + PO + CR, 0x1d, 1);
	for (int ms = 0; ms < 2000; ms++) {
		clock_advance(clk, MS);
		if (!lines[11])
			continue;
		out(BM + PO + SR, 0x1c, 2);
		/* The buffer before the current one is free. */
		while ((filled - in(BM + PO + CIV, 1)) % 32 < 4) {
			fill_ramp(DATA + 4096 * (filled % 4), 1024, filled * 1024);
			out(BM + PO + LVI, filled++ % 32, 1);
		}
	}
	out(BM + PO + CR, 0, 1);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(in(BM + PO + SR, 2) & 1, 1);
	size_t n = wav_frames();
	ck_assert_uint_ge(n, 95990);
	ck_assert_uint_le(n, 96010);
	check_ramp(n, 0);
}
END_TEST

/* A pause keeps the place; the codec's rate is that of the position; muted is silence. */
START_TEST(ac97_pause_rate_mute)
{
	make_ac97();
	fill_ramp(DATA, 16000, 1);
	bd(0, DATA, 32000, false);
	out(BM + PO + BDBAR, LIST, 4);
	out(BM + PO + CR, 1, 1);
	clock_advance(clk, 50 * MS + 1000);
	out(BM + PO + CR, 0, 1);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 32000 - 4800);
	clock_advance(clk, 500 * MS);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 32000 - 4800);
	ck_assert_uint_eq(wav_frames(), 2400);
	out(BM + PO + CR, 1, 1);
	clock_advance(clk, 50 * MS + 1000);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 32000 - 9600);
	out(BM + PO + CR, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 4800);
	check_ramp(4800, 1);
	out(NAM + 0x2a, 1, 2);
	out(NAM + 0x2c, 8000, 2);
	out(NAM + 0x02, 0x8000, 2);
	out(BM + PO + CR, 1, 1);
	clock_advance(clk, 100 * MS + 1000);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 32000 - 9600 - 1600);
	out(BM + PO + CR, 0, 1);
	clock_advance(clk, 50 * MS);
	size_t n = wav_frames();
	ck_assert_uint_ge(n, 9600);
	ck_assert_uint_le(n, 9800);
	for (size_t i = 4900; i < n; i++)
		ck_assert_int_eq(file_frames[2 * i], 0);
}
END_TEST

START_TEST(ac97_capture)
{
	make_ac97();
	memset(ram + DATA, 0x55, 65536);
	bd(0, DATA, 960, true);
	out(NAM + 0x1c, 0, 2);
	out(BM + PI + BDBAR, LIST, 4);
	out(BM + PI + CR, 0x1d, 1);
	clock_advance(clk, 20 * MS);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(in(BM + 0x30, 4) & 0xe0, 0x20);
	/* Silence, and no more than the buffer. */
	for (unsigned i = 0; i < 1920; i++)
		ck_assert_uint_eq(ram[DATA + i], 0);
	ck_assert_uint_eq(ram[DATA + 1920], 0x55);
	/* The microphone has one channel: the same list takes twice as long. */
	out(BM + MC + BDBAR, LIST, 4);
	out(BM + MC + CR, 0x1d, 1);
	clock_advance(clk, 10 * MS + 1000);
	ck_assert_uint_eq(in(BM + MC + PICB, 2), 480);
	clock_advance(clk, 20 * MS);
	ck_assert_uint_eq(in(BM + 0x30, 4) & 0xe0, 0xa0);
	/* The cold reset ends all of it. */
	out(BM + 0x2c, 0, 4);
	ck_assert_int_eq(lines[11], 0);
	ck_assert_uint_eq(in(BM + MC + SR, 2), 1);
}
END_TEST

/* What no driver does. */
START_TEST(ac97_abuse)
{
	make_ac97();
	/* A list of empty buffers, one outside of memory, odd lengths. */
	for (unsigned i = 0; i < 32; i++)
		bd(i, 0xfffffff0, 0, true);
	out(BM + PO + BDBAR, LIST, 4);
	out(BM + PO + LVI, 31, 1);
	out(BM + PO + CR, 0x1d, 1);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x0f);
	out(BM + PO + CR, 2, 1);
	bd(0, 0xfffff000, 0xffff, true);
	bd(1, DATA, 333, true);
	out(BM + PO + BDBAR, LIST, 4);
	out(BM + PO + LVI, 1, 1);
	out(BM + PO + CR, 0x1d, 1);
	clock_advance(clk, 2 * NS_PER_SEC);
	ck_assert_uint_eq(in(BM + PO + SR, 2), 0x0f);
	out(BM + PO + CR, 2, 1);
	/* The list itself is outside; and without the right to be master. */
	out(BM + PO + BDBAR, 0xfffffff8, 4);
	out(BM + PO + CR, 0x1d, 1);
	clock_advance(clk, 100 * MS);
	out(BM + PO + CR, 2, 1);
	set_conf(CARD, 4, 1, 2);
	out(BM + PO + CR, 0x1d, 1);
	clock_advance(clk, 100 * MS);
	for (unsigned port = 0; port < 0x40; port += 4) {
		out(BM + port, 0xffffffff, 4);
		in(BM + port, 4);
		out(BM + port + 1, 0, 2);
		in(BM + port + 3, 1);
	}
	clock_advance(clk, 100 * MS);
	dev_reset_all(devices);
}
END_TEST

/* The state is loaded into itself: it goes on where it was. */
START_TEST(ac97_loaded)
{
	struct err e = { "" };

	make_ac97();
	fill_ramp(DATA, 16000, 1);
	bd(0, DATA, 32000, false);
	out(BM + PO + BDBAR, LIST, 4);
	out(BM + PO + CR, 1, 1);
	clock_advance(clk, 50 * MS);
	ck_assert(card->cls->loaded(card, &e));
	clock_advance(clk, 50 * MS + 1000);
	ck_assert_uint_eq(in(BM + PO + PICB, 2), 32000 - 9600);
	ck_assert_uint_eq(in(NAM + 0x18, 2), 0x0808);
	out(BM + PO + CR, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 4800);
	check_ramp(4800, 1);
}
END_TEST

START_TEST(ac97_storm)
{
	make_ac97();
	sound_storm((unsigned)_i, 20000, NAM, 0x140, 0, 0);
}
END_TEST

START_TEST(speaker_storm)
{
	pcspk_new(&env, pit, sound);
	dev_reset_all(devices);
	sound_storm((unsigned)_i, 5000, 0x40, 0x22, 0, 0);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hw: sound");
	TCase *t = tcase_create("sound");
	SRunner *r = srunner_create(suite);

	tcase_add_checked_fixture(t, sound_set_up, sound_tear_down);
	tcase_add_test(t, coverage);
	tcase_add_test(t, speaker_tone);
	tcase_add_test(t, speaker_changes);
	tcase_add_test(t, speaker_by_hand);
	tcase_add_test(t, ac97_identity);
	tcase_add_test(t, ac97_codec);
	tcase_add_test(t, ac97_playing);
	tcase_add_test(t, ac97_ring);
	tcase_add_test(t, ac97_pause_rate_mute);
	tcase_add_test(t, ac97_capture);
	tcase_add_test(t, ac97_abuse);
	tcase_add_test(t, ac97_loaded);
	tcase_add_loop_test(t, ac97_storm, 0, 5);
	tcase_add_loop_test(t, speaker_storm, 0, 5);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
