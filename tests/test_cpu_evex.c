/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against Zydis: every opcode of the EVEX maps with every prefix, length, W and EVEX.b, with and without a mask and vvvv;
 * the bits that extend registers; and masks by VEX.
 */
#include <string.h>

#include <Zydis/Zydis.h>

#include "cpu/decode.h"
#include "tcg/evex.h"
#include "tests/check_main.h"

enum { BYTES = 15 };

static const uint8_t modrms[] = { 0xc1, 0xc9, 0xd1, 0xd9, 0xe1, 0xe9, 0xf1, 0xf9, 0x01, 0x41, 0x0c, 0x44 };

struct opinion {
	unsigned len;
	const char *name;
};

static struct opinion
theirs(const ZydisDecoder *d, const uint8_t *bytes)
{
	ZydisDecodedInstruction insn;
	ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(d, bytes, BYTES, &insn, operands)))
		return (struct opinion){ 0, "undefined" };
	return (struct opinion){ insn.length, ZydisMnemonicGetString(insn.mnemonic) };
}

static unsigned
ours(struct insn *i, const uint8_t *bytes)
{
	return decode(i, bytes, BYTES, 0x1000, (struct decode_mode){ 8, true }) == DECODE_OK ? i->len : 0;
}

/* What only the Knights had. */
static bool
is_not_offered(const char *name)
{
	static const char *const beginnings[] = { "vexp2", "vrcp28", "vrsqrt28", "v4f", "vp4dp", "vgatherpf", "vscatterpf" };
	static const char *const corner[] = { "kand", "kandn", "kandnr", "kconcath", "kconcatl", "kextract", "kmerge2l1h", "kmerge2l1l",
		"kmov", "knot", "kor", "kortest", "kxnor", "kxor" };

	for (unsigned n = 0; n < sizeof(beginnings) / sizeof(beginnings[0]); n++)
		if (strncmp(name, beginnings[n], strlen(beginnings[n])) == 0)
			return true;
	for (unsigned n = 0; n < sizeof(corner) / sizeof(corner[0]); n++)
		if (strcmp(name, corner[n]) == 0)
			return true;
	return false;
}

static ZydisDecoder
decoder(void)
{
	ZydisDecoder d;

	ck_assert(ZYAN_SUCCESS(ZydisDecoderInit(&d, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64)));
	return d;
}

static void
agree(const ZydisDecoder *d, const uint8_t *bytes)
{
	struct opinion other = theirs(d, bytes);
	struct insn i;
	unsigned len = ours(&i, bytes);

	/* Where W is only a size, as with VMOVD and VMOVQ, one row has both names. */
	if (len != 0 && len == other.len && i.evex != NULL && i.evex->w != AVX_W_X &&
		strncmp(i.evex->name, other.name, strlen(other.name)) != 0)
		ck_abort_msg("%02x %02x %02x %02x %02x %02x: %s, Zydis: %s", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
			i.evex->name, other.name);
	if (len != other.len && !(len == 0 && is_not_offered(other.name)))
		ck_abort_msg("%02x %02x %02x %02x %02x %02x: %u bytes, Zydis: %u, %s", bytes[0], bytes[1], bytes[2], bytes[3], bytes[4], bytes[5],
			len, other.len, other.name);
}

static const uint8_t maps[] = { 1, 2, 3, 5, 6 };

/* _i: of the map.  AT counts through prefix, W, vvvv, L'L, EVEX.b, mask, zeroing. */
START_TEST(evex)
{
	ZydisDecoder d = decoder();

	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned at = 0; at < 4 * 2 * 2 * 4 * 2 * 2 * 2; at++) {
			unsigned w = at >> 2 & 1, vvvv = at >> 3 & 1 ? 0x78 : 0x68, ll = at >> 4 & 3, b = at >> 6 & 1, k = at >> 7 & 1 ? 2 : 0;
			uint8_t bytes[BYTES] = { 0x62, (uint8_t)(0xf0 + maps[_i]), (uint8_t)(w << 7 | vvvv | 4 | (at & 3)),
				(uint8_t)((at >> 8 & 1) << 7 | ll << 5 | b << 4 | 8 | k), (uint8_t)opcode, 0, 0x24, 1, 2, 3, 4, 5, 6 };

			for (unsigned n = 0; n < sizeof(modrms); n++) {
				bytes[5] = modrms[n];
				agree(&d, bytes);
			}
		}
}
END_TEST

/* _i: of the map.  AT counts through prefix, W, R, X, B, R', V', the lowest bits of vvvv, and masks. */
START_TEST(registers)
{
	ZydisDecoder d = decoder();

	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned at = 0; at < 4 * 2 * 16 * 2 * 4 * 2; at++) {
			unsigned high = ~(at >> 3) & 15, v_high = ~(at >> 7) & 1, vvvv = ~(at >> 8) & 3, k = at >> 10 & 1;
			uint8_t bytes[BYTES] = { 0x62, (uint8_t)(high << 4 | maps[_i]), (uint8_t)((at >> 2 & 1) << 7 | 0x60 | vvvv << 3 | 4 | (at & 3)),
				(uint8_t)(2 << 5 | v_high << 3 | k), (uint8_t)opcode, 0, 0x24, 1, 2, 3, 4, 5, 6 };

			for (unsigned n = 0; n < sizeof(modrms); n++) {
				bytes[5] = modrms[n];
				agree(&d, bytes);
			}
		}
}
END_TEST

static bool
is_on_masks(unsigned map, unsigned opcode)
{
	return (map == 1 && ((opcode >= 0x41 && opcode < 0x4c) || (opcode >= 0x90 && opcode < 0x9a))) ||
		(map == 3 && opcode >= 0x30 && opcode < 0x34);
}

/* _i: the map - 1. */
START_TEST(masks)
{
	ZydisDecoder d = decoder();

	for (unsigned opcode = 0; opcode < 256; opcode++)
		for (unsigned at = 0; is_on_masks(_i + 1, opcode) && at < 4 * 2 * 2 * 2; at++) {
			uint8_t bytes[BYTES] = { 0xc4, (uint8_t)(0xe1 + _i),
				(uint8_t)((at >> 2 & 1) << 7 | (at >> 3 & 1 ? 0x78 : 0x68) | (at >> 4 & 1) << 2 | (at & 3)), (uint8_t)opcode, 0, 0x24, 1, 2, 3 };

			for (unsigned n = 0; n < sizeof(modrms); n++) {
				bytes[4] = modrms[n];
				agree(&d, bytes);
			}
		}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cpu_evex");
	TCase *t = tcase_create("decode");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, evex, 0, sizeof(maps));
	tcase_add_loop_test(t, registers, 0, sizeof(maps));
	tcase_add_loop_test(t, masks, 0, 3);
	suite_add_tcase(s, t);
	return run_suite(s);
}
