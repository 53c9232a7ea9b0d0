/* SPDX-License-Identifier: GPL-2.0-or-later */
/* High Definition Audio without a processor: rings, streams, codecs, and what comes into the WAV file. */
#include "base/err.h"
#include "hw/hw.h"
#include "tests/sound_machine.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

#define BAR 0xe0000000u

/* Registers, and places in memory. */
enum {
	GCTL = 0x08, WAKEEN = 0x0c, STATESTS = 0x0e, INTCTL = 0x20, INTSTS = 0x24, WALCLK = 0x30, SSYNC = 0x38,
	CORBBASE = 0x40, CORBWP = 0x48, CORBRP = 0x4a, CORBCTL = 0x4c, RIRBBASE = 0x50, RIRBWP = 0x58, RINTCNT = 0x5a,
	RIRBCTL = 0x5c, RIRBSTS = 0x5d, ICOI = 0x60, ICII = 0x64, ICIS = 0x68, DPBASE = 0x70,
	SD0 = 0x80, SD4 = 0x100, CTL = 0x0, STS = 0x3, LPIB = 0x4, CBL = 0x8, LVI = 0xc, FMT = 0x12, BDP = 0x18,
	AT_CORB = 0x1000, AT_RIRB = 0x2000, AT_LIST = 0x3000, AT_POSITIONS = 0x4000, AT_DATA = 0x10000,
	DAC = 2, PIN = 3, ADC = 4,
};

static struct dev *card;

static uint32_t
get(unsigned reg, unsigned size)
{
	return (uint32_t)space_read(mem, BAR + reg, size, false);
}

static void
set(unsigned reg, uint32_t value, unsigned size)
{
	space_write(mem, BAR + reg, value, size, false);
}

static void
make(enum hda_codec_model model, bool mixer)
{
	card = hda_new(&env, bus, "h", CARD, HDA_ICH6, true);
	hda_codec_new(&env, card, "c", model, 0, mixer, sound);
	dev_reset_all(devices);
	set_conf(CARD, 0x10, BAR, 4);
	set_conf(CARD, 4, 6, 2);
	set_conf(1 << 3, 0x60, 0x0b0b0b0b, 4); /* all pins are IRQ 11 */
	set(GCTL, 1, 4);
}

static uint32_t
verb(unsigned nid, uint32_t v)
{
	set(ICOI, nid << 20 | v, 4);
	set(ICIS, 2, 2);
	set(ICIS, 1, 2);
	ck_assert_uint_eq(get(ICIS, 2), 2);
	return get(ICII, 4);
}

static void
bd(unsigned n, uint64_t addr, uint32_t bytes, bool ioc)
{
	put(AT_LIST + 16 * n, addr, 8);
	put(AT_LIST + 16 * n + 8, bytes, 4);
	put(AT_LIST + 16 * n + 12, ioc, 4);
}

/* Output stream 4 with tag 5: LAST + 1 buffers of BYTES in all. */
static void
prepare(unsigned format, unsigned bytes, unsigned last)
{
	set(SD4 + CTL, 1, 1);
	set(SD4 + CTL, 0, 1);
	set(SD4 + CTL, 5 << 20, 4);
	set(SD4 + CBL, bytes, 4);
	set(SD4 + LVI, last, 2);
	set(SD4 + FMT, format, 2);
	set(SD4 + BDP, AT_LIST, 4);
	set(SD4 + BDP + 4, 0, 4);
	verb(DAC, 0x70650);
	verb(DAC, 0x20000 | format);
}

START_TEST(coverage)
{
	make(HDA_DUPLEX, true);
	for (struct dev *d = devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

START_TEST(registers)
{
	/* Register, size, what is written, what is read then. */
	static const struct { uint16_t reg; uint8_t size; uint32_t write, read; } rows[] = {
		{ 0x00, 2, 0xffff, 0x4401 }, { 0x02, 2, 0xffff, 0x0100 }, { 0x04, 4, 0, 0x001d003c },
		{ INTCTL, 4, 0xffffffff, 0xc00000ff }, { INTCTL, 4, 0, 0 }, { WAKEEN, 2, 0xffff, 0x7fff }, { WAKEEN, 2, 0, 0 },
		{ CORBBASE, 4, 0xffffffff, 0xffffff80 }, { CORBBASE + 4, 4, 0x12345678, 0x12345678 },
		{ CORBBASE + 1, 1, 0x11, 0x11 }, { CORBBASE, 4, 0x1100, 0x1100 }, { 0x4e, 1, 0, 0x42 },
		{ RIRBBASE, 4, 0xffffffff, 0xffffff80 }, { RINTCNT, 2, 0x1ff, 0xff }, { 0x5e, 1, 0, 0x42 },
		{ CORBRP, 2, 0xffff, 0x8000 }, { CORBRP, 2, 0, 0 }, { RIRBWP, 2, 0x8000, 0 },
		{ DPBASE, 4, 0xffffffff, 0xffffff81 }, { DPBASE, 4, 0, 0 },
		{ SSYNC, 4, 0xffffffff, 0xff }, { 0x34, 4, 0x0f, 0x0f }, { SSYNC, 4, 0, 0 },
		{ SD4 + CBL, 4, 0x12345678, 0x12345678 }, { SD4 + LVI, 2, 0xffff, 0xff }, { SD4 + FMT, 2, 0xffff, 0x7f7f },
		{ SD4 + BDP, 4, 0xffffffff, 0xffffff80 }, { SD4 + LPIB, 4, 0xffffffff, 0 }, { SD4 + 0x10, 2, 0, 0xbf },
		{ SD0 + 0x10, 2, 0, 0x77 }, { SD4 + CTL + 2, 1, 0x50, 0x50 }, { SD4 + CTL, 1, 1, 1 }, { SD4 + CBL, 4, 0, 0 },
		{ SD4 + CTL, 1, 0, 0 }, { 0x1800, 4, 0xffffffff, 0 }, { 0x3ffc, 4, 0xffffffff, 0 },
	};

	make(HDA_DUPLEX, true);
	ck_assert_uint_eq(conf(CARD, 0, 4), 0x26688086);
	ck_assert_uint_eq(conf(CARD, 8, 4), 0x04030001);
	ck_assert_uint_eq(conf(CARD, 0x40, 1), 1);
	ck_assert_uint_eq(conf(CARD, 0x60, 1), 5);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		set(rows[i].reg, rows[i].write, rows[i].size);
		ck_assert_msg(get(rows[i].reg, rows[i].size) == rows[i].read, "row %u: %x", i, get(rows[i].reg, rows[i].size));
	}
	set_conf(CARD, 0x10, 0xffffffff, 4);
	ck_assert_uint_eq(conf(CARD, 0x10, 4), 0xffffc000);
}
END_TEST

/* The reset holds everything; its end finds the codec. */
START_TEST(controller_reset)
{
	make(HDA_OUTPUT, true);
	ck_assert_uint_eq(get(GCTL, 4), 1);
	ck_assert_uint_eq(get(STATESTS, 2), 1);
	set(INTCTL, 0xc0000000, 4);
	ck_assert_int_eq(lines[11], 0);
	set(WAKEEN, 1, 2);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(get(INTSTS, 4), 0xc0000000);
	set(STATESTS, 1, 2);
	ck_assert_int_eq(lines[11], 0);
	set(GCTL, 0, 4);
	ck_assert_uint_eq(get(GCTL, 4), 0);
	ck_assert_uint_eq(get(INTCTL, 4), 0);
	ck_assert_uint_eq(get(WAKEEN, 2), 1);
	set(CORBBASE, 0x1000, 4);
	set(SD4 + CBL, 0x1000, 4);
	ck_assert_uint_eq(get(CORBBASE, 4), 0);
	ck_assert_uint_eq(get(SD4 + CBL, 4), 0);
	clock_advance(clk, 1234567);
	set(GCTL, 1, 4);
	ck_assert_uint_eq(get(STATESTS, 2), 1);
	ck_assert_uint_eq(get(WALCLK, 4), 0);
	clock_advance(clk, 10 * MS);
	ck_assert_uint_eq(get(WALCLK, 4), 240000);
	ck_assert_uint_eq(get(0x2030, 4), 240000);
	/* A flush is done at once. */
	set(GCTL, 3, 4);
	ck_assert_uint_eq(get(GCTL, 4), 1);
	ck_assert_uint_eq(get(0x10, 2), 2);
	set(0x10, 2, 2);
	ck_assert_uint_eq(get(0x10, 2), 0);
}
END_TEST

/* Commands by the rings, around their end. */
START_TEST(rings)
{
	unsigned written = 0, answers = 0;

	make(HDA_DUPLEX, true);
	set(CORBBASE, AT_CORB, 4);
	set(RIRBBASE, AT_RIRB, 4);
	set(RINTCNT, 1, 2);
	set(INTCTL, 0xc0000000, 4);
	set(RIRBCTL, 3, 1);
	set(CORBCTL, 2, 1);
	for (unsigned round = 0; round < 100; round++) {
		for (unsigned i = 0; i < 7; i++) {
			written = (written + 1) % 256;
			put(AT_CORB + 4 * written, 0x000f0000 | (i % 2 ? 0x02 : 0x00), 4);
		}
		set(CORBWP, written, 2);
		ck_assert_uint_eq(get(CORBRP, 2), written);
		answers = (answers + 7) % 256;
		ck_assert_uint_eq(get(RIRBWP, 2), answers);
		ck_assert_uint_eq(load_le(ram + AT_RIRB + 8 * answers, 8), 0x1af40022);
		ck_assert_uint_eq(load_le(ram + AT_RIRB + 8 * ((answers + 255) % 256), 8), 0x00100101);
		ck_assert_int_eq(lines[11], 1);
		ck_assert_uint_eq(get(RIRBSTS, 1), 1);
		set(RIRBSTS, 5, 1);
		ck_assert_int_eq(lines[11], 0);
	}
	/* A codec that isn't there gives no answer. */
	put(AT_CORB + 4 * ((written + 1) % 256), 0x300f0000, 4);
	set(CORBWP, (written + 1) % 256, 2);
	ck_assert_uint_eq(get(RIRBWP, 2), answers);
	set(ICOI, 0x300f0000, 4);
	set(ICIS, 1, 2);
	ck_assert_uint_eq(get(ICIS, 2), 0);
	/* A ring outside of memory stops. */
	set(CORBBASE, 0xfff00000, 4);
	set(CORBWP, 0x80, 2);
	ck_assert_uint_eq(get(CORBCTL, 2), 0x0100);
	set(CORBCTL + 1, 1, 1);
	ck_assert_uint_eq(get(CORBCTL, 2), 0);
}
END_TEST

START_TEST(codec_tree)
{
	static const struct { uint8_t nid; uint32_t verb, answer; } rows[] = {
		{ 0, 0xf0000, 0x1af40022 }, { 0, 0xf0004, 0x00010001 }, { 1, 0xf0005, 1 }, { 1, 0xf0004, 0x00020004 },
		{ 2, 0xf0009, 0x0000041d }, { 3, 0xf0009, 0x00400101 }, { 4, 0xf0009, 0x0010051b }, { 5, 0xf0009, 0x00400001 },
		{ 2, 0xf000a, 0x001e01ff }, { 2, 0xf000b, 1 }, { 2, 0xf0012, 0x80034a4a }, { 4, 0xf000d, 0x80034a4a },
		{ 3, 0xf000c, 0x10 }, { 5, 0xf000c, 0x20 }, { 3, 0xf000e, 1 }, { 3, 0xf0200, 2 }, { 4, 0xf0200, 5 },
		{ 3, 0xf1c00, 0x01014110 }, { 5, 0xf1c00, 0x01813120 }, { 3, 0xf0700, 0x40 }, { 5, 0xf0700, 0x20 },
		{ 1, 0xf2000, 0x1af40020 }, { 2, 0xa0000, 0x0011 }, { 2, 0xba000, 0x4a }, { 4, 0xb2000, 0x4a }, { 2, 0xb2000, 0 },
		/* What is set is there afterwards. */
		{ 2, 0x24015, 0 }, { 2, 0xa0000, 0x4015 }, { 2, 0x3b01f, 0 }, { 2, 0xba000, 0x1f }, { 2, 0xb8000, 0x1f },
		{ 2, 0x3a0ff, 0 }, { 2, 0xba000, 0xca }, { 2, 0xb8000, 0x1f }, { 2, 0x70573, 0 }, { 2, 0xf0500, 0x33 },
		{ 3, 0x707ff, 0 }, { 3, 0xf0700, 0x40 }, { 3, 0x71faa, 0 }, { 3, 0xf1c00, 0xaa014110 }, { 1, 0x72077, 0 },
		{ 1, 0xf2000, 0x1af40077 }, { 2, 0x70612, 0 }, { 2, 0xf0600, 0x12 }, { 3, 0x70612, 0 }, { 3, 0xf0600, 0 },
		{ 3, 0x70881, 0 }, { 3, 0xf0800, 0x81 },
		/* Not there. */
		{ 9, 0xf0000, 0 }, { 2, 0xf0077, 0 }, { 2, 0xe1234, 0 },
		/* The function's reset. */
		{ 1, 0x7ff00, 0 }, { 2, 0xba000, 0x4a }, { 2, 0xf0600, 0 }, { 3, 0xf1c00, 0x01014110 },
	};

	make(HDA_DUPLEX, true);
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		uint32_t answer = verb(rows[i].nid, rows[i].verb);

		ck_assert_msg(answer == rows[i].answer, "row %u: %08x", i, answer);
	}
	/* Others: no input, no mixer. */
	struct dev *h = hda_new(&env, bus, "h2", 5 << 3, HDA_ICH9, false);
	ck_assert_int_eq(hda_free_address(h), 0);
	hda_codec_new(&env, h, "c2", HDA_OUTPUT, 3, false, sound);
	ck_assert(!hda_address_is_free(h, 3));
	ck_assert(hda_address_is_free(h, 2));
	ck_assert(!hda_address_is_free(h, 15));
	set_conf(CARD, 0x10, 0xe1000000, 4);
	set_conf(5 << 3, 0x10, BAR, 4);
	set_conf(5 << 3, 4, 6, 2);
	set(GCTL, 1, 4);
	ck_assert_uint_eq(get(STATESTS, 2), 8);
	set(ICOI, 0x30000000 | 1 << 20 | 0xf0004, 4);
	set(ICIS, 1, 2);
	ck_assert_uint_eq(get(ICII, 4), 0x00020002);
	set(ICOI, 0x30000000 | 2 << 20 | 0xf0009, 4);
	set(ICIS, 1, 2);
	ck_assert_uint_eq(get(ICII, 4), 0x00000411);
	ck_assert_uint_eq(conf(5 << 3, 0x34, 1), 0);
}
END_TEST

/* A cyclic buffer of four pieces, filled anew behind the position: each sample is in the file. */
START_TEST(playing)
{
	unsigned filled = 4, interrupts = 0;

	make(HDA_DUPLEX, true);
	for (unsigned i = 0; i < 4; i++)
		bd(i, AT_DATA + 4096 * i, 4096, true);
	fill_ramp(AT_DATA, 4096, 0);
	prepare(0x0011, 16384, 3);
	set(DPBASE, AT_POSITIONS | 1, 4);
	set(INTCTL, 0x80000010, 4);
	set(SD4 + CTL, 0x06, 1);
	ck_assert_uint_eq(get(SD4 + STS, 1), 0x20);
	for (int ms = 0; ms < 2000; ms++) {
		clock_advance(clk, MS);
		/* The position in memory is no older than the last millisecond. */
		unsigned position = load_le(ram + AT_POSITIONS + 32, 4), lpib = get(SD4 + LPIB, 4);
		ck_assert_uint_eq(lpib, (uint64_t)(ms + 1) * 192 % 16384);
		ck_assert_uint_le((lpib - position) % 16384, 200);
		ck_assert_uint_eq(get(0x2000 + SD4 + LPIB, 4), lpib);
		if (!lines[11])
			continue;
		interrupts++;
		ck_assert_uint_eq(get(INTSTS, 4), 0x80000010);
		set(SD4 + STS, 4, 1);
		ck_assert_int_eq(lines[11], 0);
		while (filled % 4 != lpib / 4096) {
			fill_ramp(AT_DATA + 4096 * (filled % 4), 1024, filled * 1024);
			filled++;
		}
	}
	set(SD4 + CTL, 0x04, 1);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(interrupts, 93);
	ck_assert_uint_eq(get(SD4 + LPIB, 4), 2000 * 192 % 16384);
	size_t n = wav_frames();
	ck_assert_uint_eq(n, 96000);
	check_ramp(n, 0);
}
END_TEST

/* 24 bits in 32, six channels of which the converter takes the second pair; buffers that cut frames in two. */
START_TEST(formats)
{
	make(HDA_DUPLEX, true);
	for (unsigned i = 0; i < 4000; i++) {
		for (unsigned c = 0; c < 6; c++)
			put(AT_DATA + 24 * i + 4 * c, (uint32_t)(c * 1000 + i) << 16, 4);
	}
	bd(0, AT_DATA, 1001, false);
	bd(1, AT_DATA + 1001, 3, false);
	bd(2, AT_DATA + 1004, 24 * 4000 - 1004, true);
	prepare(0x0035, 24 * 4000, 2);
	verb(DAC, 0x70652);
	set(SD4 + CTL, 0x02, 1);
	clock_advance(clk, 50 * MS + 1000);
	ck_assert_uint_eq(get(SD4 + LPIB, 4), 2400 * 24);
	set(SD4 + CTL, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 2400);
	for (int i = 0; i < 2400; i++) {
		ck_assert_int_eq(file_frames[2 * i], 2000 + i);
		ck_assert_int_eq(file_frames[2 * i + 1], 3000 + i);
	}
	/* One channel is on both sides. */
	prepare(0x0010, 8000, 2);
	fill_ramp(AT_DATA, 4000, 7);
	bd(0, AT_DATA, 8000, false);
	set(SD4 + CTL, 0x02, 1);
	clock_advance(clk, 20 * MS);
	set(SD4 + CTL, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 2400 + 960);
	ck_assert_int_eq(file_frames[2 * 2400], 7);
	ck_assert_int_eq(file_frames[2 * 2400 + 1], 7);
	ck_assert_int_eq(file_frames[2 * 2401 + 1], (int16_t)~7);
}
END_TEST

/* Rates are the stream's; the volume is the amplifier's; pins and power switch it off. */
START_TEST(rates_and_volumes)
{
	static const struct { uint16_t format; uint32_t rate; } rates[] = {
		{ 0x0511, 8000 }, { 0x4311, 11025 }, { 0x0211, 16000 }, { 0x4111, 22050 }, { 0x4011, 44100 }, { 0x0811, 96000 },
	};
	static const struct { uint8_t nid; uint32_t on, off; } switches[] = {
		{ DAC, 0x3b04a, 0x3b0ca }, { PIN, 0x70740, 0x70700 }, { DAC, 0x70500, 0x70503 }, { 1, 0x70500, 0x70503 },
	};

	make(HDA_DUPLEX, true);
	bd(0, AT_DATA, 0x100000, false);
	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		prepare(rates[i].format, 0x100000, 0);
		set(SD4 + CTL, 0x02, 1);
		clock_advance(clk, 100 * MS + 1000);
		ck_assert_uint_eq(get(SD4 + LPIB, 4), rates[i].rate / 10 * 4);
		set(SD4 + CTL, 0, 1);
		clock_advance(clk, 50 * MS);
	}
	for (unsigned i = 0; i < 0x100000; i += 2)
		put(AT_DATA + i, 8000, 2);
	size_t n = wav_frames();
	prepare(0x0011, 0x100000, 0);
	set(SD4 + CTL, 0x02, 1);
	for (unsigned i = 0; i < ARRAY_SIZE(switches); i++) {
		verb(switches[i].nid, switches[i].off);
		clock_advance(clk, 100 * MS);
		verb(switches[i].nid, switches[i].on);
		clock_advance(clk, 100 * MS);
	}
	/* 20 dB less on the left side. */
	verb(DAC, 0x3a000 | (74 - 20));
	clock_advance(clk, 100 * MS);
	set(SD4 + CTL, 0, 1);
	clock_advance(clk, 50 * MS);
	wav_frames();
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(switches); i++)
		ck_assert_int_eq(file_frames[2 * (n + i * 4800 + 2400)], i % 2 ? 8000 : 0);
	n += 8 * 4800 + 2400;
	ck_assert_int_eq(file_frames[2 * n], 800);
	ck_assert_int_eq(file_frames[2 * n + 1], 8000);
}
END_TEST

START_TEST(capture)
{
	make(HDA_MICRO, true);
	memset(ram + AT_DATA, 0x55, 65536);
	bd(0, AT_DATA, 1920, true);
	bd(1, AT_DATA + 1920, 1920, false);
	set(SD0 + CTL, 1 << 20, 4);
	set(SD0 + CBL, 3840, 4);
	set(SD0 + LVI, 1, 2);
	set(SD0 + FMT, 0x0011, 2);
	set(SD0 + BDP, AT_LIST, 4);
	verb(ADC, 0x70610);
	set(INTCTL, 0x80000001, 4);
	set(SD0 + CTL, 0x06, 1);
	clock_advance(clk, 11 * MS);
	ck_assert_int_eq(lines[11], 1);
	ck_assert_uint_eq(get(SD0 + LPIB, 4), 11 * 192);
	for (unsigned i = 0; i < 11 * 192; i++)
		ck_assert_uint_eq(ram[AT_DATA + i], 0);
	ck_assert_uint_eq(ram[AT_DATA + 11 * 192], 0x55);
}
END_TEST

/* One message for each new reason. */
START_TEST(messages_instead_of_lines)
{
	make(HDA_DUPLEX, true);
	set_conf(CARD, 0x64, 0xfee00000, 4);
	set_conf(CARD, 0x68, 0, 4);
	set_conf(CARD, 0x6c, 0x4321, 2);
	set_conf(CARD, 0x62, 1, 2);
	bd(0, AT_DATA, 1920, true);
	prepare(0x0011, 1920, 0);
	set(INTCTL, 0x80000010, 4);
	set(SD4 + CTL, 0x06, 1);
	clock_advance(clk, 15 * MS);
	ck_assert_int_eq(messages, 1);
	clock_advance(clk, 100 * MS);
	ck_assert_int_eq(messages, 1);
	set(SD4 + STS, 4, 1);
	clock_advance(clk, 10 * MS);
	ck_assert_int_eq(messages, 2);
	ck_assert_int_eq(lines[11], 0);
}
END_TEST

/* SSYNC holds streams, the position stands; then they begin together. */
START_TEST(synchronous_start)
{
	make(HDA_DUPLEX, true);
	fill_ramp(AT_DATA, 4000, 1);
	bd(0, AT_DATA, 16000, false);
	prepare(0x0011, 16000, 0);
	set(SSYNC, 0x10, 4);
	set(SD4 + CTL, 0x02, 1);
	clock_advance(clk, 100 * MS);
	ck_assert_uint_eq(get(SD4 + LPIB, 4), 0);
	set(SSYNC, 0, 4);
	clock_advance(clk, 10 * MS);
	ck_assert_uint_eq(get(SD4 + LPIB, 4), 1920);
	set(SD4 + CTL, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 480);
	check_ramp(480, 1);
}
END_TEST

START_TEST(abuse)
{
	make(HDA_DUPLEX, true);
	/* Empty descriptors. */
	prepare(0x0011, 1000, 255);
	set(SD4 + CTL, 0x02, 1);
	clock_advance(clk, 10 * MS);
	ck_assert_uint_eq(get(SD4 + STS, 1), 0x10);
	ck_assert_uint_eq(get(SD4 + CTL, 1), 0);
	/* Buffers of a byte, at the most that a stream can have. */
	for (unsigned i = 0; i < 256; i++)
		bd(i, AT_DATA, 1, true);
	prepare(0x197f & 0x7f7f, 1000, 255);
	set(SD4 + CTL, 0x1e, 1);
	clock_advance(clk, 300 * MS);
	ck_assert_uint_eq(get(SD4 + STS, 1) & 4, 4);
	/* No length, no memory. */
	for (unsigned i = 0; i < 256; i++)
		bd(i, 0xffffffffffffff00, 0xffffffff, true);
	prepare(0x0011, 0, 255);
	set(DPBASE, 0xfffff001, 4);
	set(SD4 + CTL, 0x1e, 1);
	clock_advance(clk, 300 * MS);
	set(SD4 + BDP + 4, 0xffffffff, 4);
	set(SD4 + CTL, 0, 1);
	set(SD4 + CTL, 0x1e, 1);
	clock_advance(clk, 300 * MS);
	/* All registers, with all sizes. */
	for (unsigned size = 1; size <= 4; size *= 2) {
		for (unsigned reg = 0; reg < 0x200; reg++) {
			set(reg, reg == GCTL ? 1 : 0xffffffff, size);
			get(reg, size);
			get(0x2000 + reg, size);
		}
		clock_advance(clk, 10 * MS);
	}
	dev_reset_all(devices);
	ck_assert_int_eq(lines[11], 0);
}
END_TEST

/* All registers, and the streams' and the controller's own more often. */
START_TEST(storm)
{
	make(HDA_DUPLEX, true);
	for (unsigned i = 0; i < 20; i++) {
		set(GCTL, 1, 4);
		sound_storm((unsigned)_i * 100 + i, 1000, 0, 0, BAR, 0x180);
	}
	sound_storm((unsigned)_i, 1000, 0, 0, BAR, 0x4000);
}
END_TEST

START_TEST(loaded)
{
	struct err e = { "" };

	make(HDA_DUPLEX, true);
	fill_ramp(AT_DATA, 4800, 1);
	bd(0, AT_DATA, 4800 * 4, true);
	prepare(0x0011, 4800 * 4, 0);
	set(INTCTL, 0x80000010, 4);
	set(SD4 + CTL, 0x06, 1);
	clock_advance(clk, 50 * MS);
	for (struct dev *d = devices; d != NULL; d = d->next)
		ck_assert(d->cls->loaded == NULL || d->cls->loaded(d, &e));
	clock_advance(clk, 50 * MS + 1000);
	ck_assert_uint_eq(get(SD4 + LPIB, 4), 0);
	ck_assert_int_eq(lines[11], 1);
	set(SD4 + CTL, 0, 1);
	clock_advance(clk, 50 * MS);
	ck_assert_uint_eq(wav_frames(), 4800);
	check_ramp(4800, 1);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("hw: HDA");
	TCase *t = tcase_create("hda");
	SRunner *r = srunner_create(suite);

	tcase_add_checked_fixture(t, sound_set_up, sound_tear_down);
	tcase_add_test(t, coverage);
	tcase_add_test(t, registers);
	tcase_add_test(t, controller_reset);
	tcase_add_test(t, rings);
	tcase_add_test(t, codec_tree);
	tcase_add_test(t, playing);
	tcase_add_test(t, formats);
	tcase_add_test(t, rates_and_volumes);
	tcase_add_test(t, capture);
	tcase_add_test(t, messages_instead_of_lines);
	tcase_add_test(t, synchronous_start);
	tcase_add_test(t, abuse);
	tcase_add_test(t, loaded);
	tcase_add_loop_test(t, storm, 0, 5);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
