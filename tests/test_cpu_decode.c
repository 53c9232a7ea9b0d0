/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The decoder against Capstone: every opcode of every map in 16-, 32- and 64-bit code, behind each prefix that matters and
 * with all register forms and a choice of memory forms: defined or not, and how long.  Where the two differ on purpose stands in a table.
 */
#include <capstone/capstone.h>
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/decode.h"
#include "tcg/avx.h"

enum { ANY = -1, PREFIXES = 7 };

/* The prefixes tried; the last one in 64-bit code alone. */
enum { NONE, OPSIZE, REPZ, REPNZ, ADDR, LOCKED, REXW };
static const uint8_t prefix_byte[PREFIXES] = { 0, 0x66, 0xf3, 0xf2, 0x67, 0xf0, 0x48 };

/* Memory forms for each digit; all register forms follow. */
static const uint8_t memory_tried[] = { 0x00, 0x04, 0x05, 0x06, 0x0d, 0x15, 0x1d, 0x25, 0x2d, 0x35, 0x3d, 0x44, 0x85 };
enum { MEMORY_TRIED = sizeof memory_tried, MODRM_TRIED = MEMORY_TRIED + 64 };

struct encoding {
	int code, map, opcode, prefix, modrm;
};

/* ANY fits all.  OURS: what we say (1: defined, 0: undefined). */
static const struct difference {
	int map, first, last, prefix, ours, code;
	const char *why;
} differences[] = {
	{ MAP_0F, 0x20, 0x22, LOCKED, 1, ANY, "LOCK MOV CR0 is CR8 on AMD's processors" },
	{ ANY, 0x00, 0xff, LOCKED, 0, ANY, "LOCK is #UD where the destination isn't memory, or the instruction no candidate" },
	{ MAP_1, 0x8c, 0x8e, ANY, 1, ANY, "segment registers 6 and 7 are found undefined when the instruction is translated" },
	{ MAP_1, 0xc4, 0xc5, ANY, 0, ANY, "VEX: capstone_vex" },
	{ MAP_1, 0xc6, 0xc7, ANY, 0, ANY, "XABORT, XBEGIN: not offered" },
	{ MAP_1, 0xe8, 0xe9, OPSIZE, 1, ANY, "near branches ignore 66h in 64-bit code, as on Intel's processors" },
	{ MAP_1, 0x62, 0x62, ANY, ANY, ANY, "EVEX: test_cpu_evex" },
	{ MAP_0F, 0x80, 0x8f, OPSIZE, 1, ANY, "the same" },
	{ MAP_0F, 0x01, 0x01, ANY, 0, ANY, "virtualization: not offered" },
	{ MAP_0F, 0x01, 0x01, ANY, 1, ANY, "Capstone 5 doesn't know SERIALIZE" },
	{ MAP_0F, 0x0e, 0x0f, ANY, 0, ANY, "3DNow!: not offered" },
	{ MAP_0F, 0x0d, 0x0d, ANY, 1, ANY, "prefetches of registers are no-operations" },
	{ MAP_0F, 0x18, 0x1f, ANY, 1, ANY, "all hints are no-operations, registers too" },
	{ MAP_0F, 0x12, 0x12, OPSIZE, 0, ANY, "MOVLPD has no register form" },
	{ MAP_0F, 0x16, 0x16, OPSIZE, 0, ANY, "MOVHPD has no register form" },
	{ MAP_0F, 0x37, 0x37, ANY, 0, ANY, "GETSEC: not offered" },
	{ MAP_0F, 0x78, 0x79, ANY, 0, ANY, "virtualization: not offered" },
	{ MAP_0F, 0xa6, 0xa7, ANY, 0, ANY, "PadLock: not offered" },
	{ MAP_0F, 0xae, 0xae, NONE, 1, ANY, "fences have any r/m" },
	{ MAP_0F, 0xae, 0xae, ADDR, 1, ANY, "fences have any r/m" },
	{ MAP_0F, 0xae, 0xae, REXW, 1, ANY, "fences have any r/m" },
	{ MAP_0F, 0xae, 0xae, OPSIZE, 1, ANY, "Capstone 5 doesn't know TPAUSE" },
	{ MAP_0F, 0xae, 0xae, REPZ, 1, ANY, "the same, UMONITOR" },
	{ MAP_0F, 0xae, 0xae, REPNZ, 1, ANY, "the same, UMWAIT" },
	{ MAP_0F, 0xb8, 0xb8, ANY, 0, ANY, "JMPE: not offered" },
	{ MAP_0F, 0xb9, 0xb9, ANY, 1, ANY, "UD1 has ModRM" },
	{ MAP_0F, 0xff, 0xff, ANY, 1, ANY, "UD0 has ModRM" },
	{ MAP_0F, 0xc7, 0xc7, ANY, 0, ANY, "virtualization: not offered" },
	{ MAP_0F38, 0x80, 0x81, ANY, 0, ANY, "virtualization: not offered" },
	{ MAP_0F, 0x10, 0xff, OPSIZE, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F, 0x10, 0xff, REPZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F, 0x10, 0xff, REPNZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F, 0x10, 0xff, OPSIZE, 1, 2, "Capstone looks at the operand size where 66h is a mandatory prefix" },
	{ MAP_0F, 0x78, 0xff, REPNZ, 1, 2, "the same, with SSE4a and SSE3" },
	{ MAP_0F38, 0x00, 0xff, OPSIZE, 1, 2, "the same" },
	{ MAP_0F38, 0xf6, 0xf6, ANY, 1, 2, "the same, ADX" },
	{ MAP_0F3A, 0x00, 0xff, OPSIZE, 1, 2, "the same" },
	{ MAP_0F, 0xb8, 0xff, REPZ, 1, 2, "the same, with POPCNT and SSE2" },
	{ MAP_0F38, 0xf0, 0xf1, ANY, 1, 2, "the same, MOVBE and CRC32" },
	{ MAP_0F38, 0xc8, 0xf9, OPSIZE, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F3A, 0xcc, 0xcc, OPSIZE, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F38, 0x00, 0xff, REPZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F38, 0x00, 0xff, REPNZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F3A, 0x00, 0xff, REPZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_0F3A, 0x00, 0xff, REPNZ, 0, ANY, "a mandatory prefix that no row has" },
	{ MAP_1, 0x63, 0x63, ANY, 1, 8, "Capstone 5 knows MOVSXD with REX.W only" },
	{ MAP_1, 0xdc, 0xdf, ANY, 1, ANY, "Capstone 5 doesn't know the x87's second opcodes for one instruction" },
	{ MAP_0F, 0xbc, 0xbd, REPNZ, 1, ANY, "Capstone 5 refuses a prefix that BSF and BSR ignore" },
	{ MAP_0F38, 0xf8, 0xf9, ANY, 1, ANY, "Capstone 5 looks at the operand size of MOVDIR64B, and takes no MOVDIRI of its own forms" },
	{ MAP_0F38, 0xcf, 0xcf, OPSIZE, 1, ANY, "Capstone 5 doesn't know GFNI" },
	{ MAP_0F3A, 0xce, 0xcf, OPSIZE, 1, ANY, "the same" },
	{ MAP_0F38, 0xf5, 0xf6, ANY, 1, ANY, "Capstone before 5.0.7 doesn't know WRSS and WRUSS" },
};

static const struct difference *
difference_of(const struct encoding *e, int ours)
{
	for (size_t n = 0; n < sizeof differences / sizeof *differences; n++) {
		const struct difference *d = &differences[n];

		if (d->ours != ours || (d->code != ANY && d->code != e->code))
			continue;
		if ((d->map == ANY || d->map == e->map) && (d->prefix == ANY || d->prefix == e->prefix) && e->opcode >= d->first &&
		    e->opcode <= d->last)
			return d;
	}
	return NULL;
}

static void
put(uint8_t bytes[16], const struct encoding *e)
{
	unsigned at = 0;

	if (prefix_byte[e->prefix] != 0)
		bytes[at++] = prefix_byte[e->prefix];
	if (e->map != MAP_1)
		bytes[at++] = 0x0f;
	if (e->map == MAP_0F38 || e->map == MAP_0F3A)
		bytes[at++] = e->map == MAP_0F38 ? 0x38 : 0x3a;
	bytes[at++] = e->opcode;
	bytes[at++] = e->modrm;
	for (; at < 16; at++)
		bytes[at] = 0x11 + at;
}

static bool
is_prefix_or_escape(const struct encoding *e)
{
	int op = e->opcode;

	if (e->map == MAP_0F)
		return op == 0x38 || op == 0x3a;
	if (e->map != MAP_1)
		return false;
	return op == 0x0f || op == 0x26 || op == 0x2e || op == 0x36 || op == 0x3e || (op >= 0x64 && op <= 0x67) || op == 0xf0 ||
	       op == 0xf2 || op == 0xf3 || (e->code == 8 && op >> 4 == 4);
}

/* 0 where it is undefined. */
static unsigned
our_length(const uint8_t *bytes, int code)
{
	struct insn i;

	return decode(&i, bytes, 15, 0x1000, (struct decode_mode){ code, true }) == DECODE_OK ? i.len : 0;
}

static unsigned
their_length(csh cs, const uint8_t *bytes)
{
	cs_insn *insn;
	unsigned len = 0;

	if (cs_disasm(cs, bytes, 15, 0x1000, 1, &insn) == 1) {
		len = insn->size;
		cs_free(insn, 1);
	}
	return len;
}

static void
compare(csh cs, const struct encoding *e)
{
	uint8_t bytes[16];
	unsigned ours, theirs;
	const struct difference *d;

	put(bytes, e);
	ours = our_length(bytes, e->code);
	theirs = their_length(cs, bytes);
	if (ours == theirs)
		return;
	d = difference_of(e, ours != 0);
	ck_assert_msg(d != NULL, "%d-bit, map %d, opcode %02x, prefix %02x, modrm %02x: %u bytes, Capstone %u",
		      8 * e->code, e->map, e->opcode, prefix_byte[e->prefix], e->modrm, ours, theirs);
}

static void
compare_code(int code)
{
	csh cs;
	struct encoding e = { .code = code };

	ck_assert(cs_open(CS_ARCH_X86, code == 8 ? CS_MODE_64 : code == 4 ? CS_MODE_32 : CS_MODE_16, &cs) == CS_ERR_OK);
	for (e.map = MAP_1; e.map <= MAP_0F3A; e.map++)
		for (e.opcode = 0; e.opcode < 256; e.opcode++)
			for (e.prefix = NONE; e.prefix < (code == 8 ? PREFIXES : REXW); e.prefix++)
				for (int n = 0; n < MODRM_TRIED && !is_prefix_or_escape(&e); n++) {
					e.modrm = n < MEMORY_TRIED ? memory_tried[n] : 0xc0 + n - MEMORY_TRIED;
					compare(cs, &e);
				}
	cs_close(&cs);
}

/* ---- VEX ---- */

/* One encoding of three bytes, VEX or XOP by its map, in 64-bit code. */
struct vex {
	unsigned map, prefix, opcode, l, w, vvvv, modrm;
};

static unsigned
vex_length(const struct vex *v, uint8_t bytes[16], struct insn *i)
{
	uint8_t head[5] = { v->map < MAP_XOP8 ? 0xc4 : 0x8f, (uint8_t)(0xe0 | v->map), (uint8_t)(v->w << 7 | (~v->vvvv & 15) << 3 | v->l << 2 | v->prefix),
		(uint8_t)v->opcode, (uint8_t)v->modrm };

	memset(bytes, 0x21, 16);
	memcpy(bytes, head, sizeof head);
	return decode(i, bytes, 15, 0x1000, (struct decode_mode){ 8, true }) == DECODE_OK ? i->len : 0;
}

/* What Capstone 5 takes and we don't. */
static bool
is_lenient(const struct vex *v, const char *name)
{
	struct vex other = *v;
	uint8_t bytes[16];
	struct insn i;

	/* Where W has to be 0 or 1 it doesn't look; nor does it at masks as we do; LWP is not offered. */
	other.w ^= 1;
	if (vex_length(&other, bytes, &i) != 0 || name[0] == 'k' || strncmp(name, "lwp", 3) == 0 || strstr(name, "lwpcb") != NULL)
		return true;
	/* Registers of a gather differ. */
	return strncmp(name, "vpgather", 8) == 0 || strncmp(name, "vgather", 7) == 0;
}

static bool
is_new(const char *name)
{
	return strncmp(name, "vaes", 4) == 0 || strncmp(name, "vgf2p8", 6) == 0 || strcmp(name, "vpclmulqdq") == 0 ||
		strcmp(name, "vbroadcasti128") == 0 || name[0] == 'k';
}

/* What a later Capstone takes with W 0 alone, where processors don't look at W. */
static bool
is_strict(csh cs, const struct vex *v, unsigned len)
{
	struct vex other = *v;
	uint8_t bytes[16];
	struct insn i;
	cs_insn *insn;
	size_t count;
	bool same;

	other.w ^= 1;
	if (vex_length(&other, bytes, &i) != len)
		return false;
	count = cs_disasm(cs, bytes, 15, 0x1000, 1, &insn);
	same = count != 0 && insn[0].size == len;
	if (count != 0)
		cs_free(insn, count);
	return same;
}

static void
check_vex(csh cs, const struct vex *v)
{
	uint8_t bytes[16];
	struct insn i;
	unsigned ours = vex_length(v, bytes, &i), theirs;
	cs_insn *insn;
	size_t count = cs_disasm(cs, bytes, 15, 0x1000, 1, &insn);
	bool fine;

	theirs = count != 0 ? insn[0].size : 0;
	fine = ours == theirs || (ours == 0 && is_lenient(v, insn[0].mnemonic)) ||
		(theirs == 0 && i.avx != NULL && (is_new(i.avx->name) || is_strict(cs, v, ours)));
	ck_assert_msg(fine, "VEX or XOP map %u, prefix %u, opcode %02x, L %u, W %u, vvvv %u, modrm %02x: %u bytes, Capstone %u", v->map, v->prefix,
		v->opcode, v->l, v->w, v->vvvv, v->modrm, ours, theirs);
	if (count != 0)
		cs_free(insn, count);
}

static void
check_maps(unsigned first, unsigned last)
{
	static const uint8_t modrm[] = { 0x00, 0x08, 0x10, 0x18, 0x20, 0x28, 0x30, 0x38, 0x44, 0x85, 0xc1, 0xc9, 0xd1, 0xd9, 0xe1, 0xe9, 0xf1,
		0xf9 };
	struct vex v;
	csh cs;

	ck_assert_int_eq(cs_open(CS_ARCH_X86, CS_MODE_64, &cs), CS_ERR_OK);
	for (unsigned n = 0; n < (last - first + 1) * 4 * 256 * 8 * sizeof modrm; n++) {
		unsigned at = n / sizeof modrm;

		v = (struct vex){ .modrm = modrm[n % sizeof modrm], .l = at & 1, .w = at >> 1 & 1, .vvvv = at >> 1 & 2, .opcode = at >> 3 & 255,
			.prefix = at >> 11 & 3, .map = first + (at >> 13) };
		check_vex(cs, &v);
	}
	cs_close(&cs);
}

START_TEST(capstone_vex)
{
	check_maps(MAP_0F, MAP_0F3A);
}
END_TEST

START_TEST(capstone_xop)
{
	check_maps(MAP_XOP8, MAP_XOPA);
}
END_TEST

START_TEST(capstone_16)
{
	compare_code(2);
}
END_TEST

START_TEST(capstone_32)
{
	compare_code(4);
}
END_TEST

START_TEST(capstone_64)
{
	compare_code(8);
}
END_TEST

static const struct {
	const char *what, *bytes;
	unsigned avail;
	int code;
	enum decode_result result;
	unsigned len;
} rules[] = {
	{ "15 bytes are allowed", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x90", 15, 8, DECODE_OK, 15 },
	{ "16 are not", "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66", 15, 8, DECODE_LONG, 15 },
	{ "a page that ends in prefixes", "\x66\x66", 2, 8, DECODE_MORE, 0 },
	{ "a page that ends in an immediate", "\xb8\x01\x02\x03", 4, 4, DECODE_MORE, 0 },
	{ "REX counts right before the opcode alone", "\x48\x66\xb8\x34\x12", 5, 8, DECODE_OK, 5 },
	{ "REX.W goes before 66", "\x66\x48\xb8\x01\x02\x03\x04\x05\x06\x07\x08", 11, 8, DECODE_OK, 11 },
	{ "UD2 needs no more bytes", "\x0f\x0b", 2, 8, DECODE_OK, 2 },
	{ "LOCK ADD [mem]", "\xf0\x01\x00", 3, 8, DECODE_OK, 3 },
	{ "LOCK ADD reg", "\xf0\x01\xc0", 3, 8, DECODE_UD, 3 },
	{ "LOCK MOV", "\xf0\x89\x00", 3, 8, DECODE_UD, 3 },
	{ "PUSH ES in 64-bit code", "\x06", 1, 8, DECODE_UD, 1 },
	{ "SWAPGS in 32-bit code", "\x0f\x01\xf8", 3, 4, DECODE_UD, 3 },
};

START_TEST(rule)
{
	struct insn i;
	enum decode_result r =
		decode(&i, (const uint8_t *)rules[_i].bytes, rules[_i].avail, 0x1000, (struct decode_mode){ rules[_i].code, true });

	ck_assert_msg(r == rules[_i].result, "%s: result %d", rules[_i].what, r);
	if (rules[_i].len != 0)
		ck_assert_msg(i.len == rules[_i].len, "%s: %u bytes", rules[_i].what, i.len);
}
END_TEST

START_TEST(addresses)
{
	struct insn i;

	/* mov rax, [rip + 0x10], 7 bytes at 0x1000 */
	ck_assert(decode(&i, (const uint8_t *)"\x48\x8b\x05\x10\x00\x00\x00", 7, 0x1000, (struct decode_mode){ 8, false }) == DECODE_OK);
	ck_assert(i.mem.base == IR_NO_REG && i.mem.index == IR_NO_REG && i.mem.disp == 0x1017 && i.mem.addr_width == 8);
	/* mov ax, [bp + si - 2] */
	ck_assert(decode(&i, (const uint8_t *)"\x8b\x42\xfe", 3, 0, (struct decode_mode){ 2, false }) == DECODE_OK);
	ck_assert(i.mem.base == 5 && i.mem.index == 6 && i.mem.disp == -2 && i.mem.seg == SEG_SS && i.mem.how == ADDR_CHECKED);
	/* mov eax, fs:[r12 + r13 * 4 + 8] */
	ck_assert(decode(&i, (const uint8_t *)"\x64\x43\x8b\x44\xac\x08", 6, 0, (struct decode_mode){ 8, false }) == DECODE_OK);
	ck_assert(i.mem.base == 12 && i.mem.index == 13 && i.mem.scale == 2 && i.mem.disp == 8 && i.mem.how == ADDR_BASE);
	/* es is no override in 64-bit code */
	ck_assert(decode(&i, (const uint8_t *)"\x26\x8b\x00", 3, 0, (struct decode_mode){ 8, false }) == DECODE_OK);
	ck_assert(i.mem.seg == SEG_DS && i.mem.how == ADDR_FLAT);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cpu_decode");
	TCase *t = tcase_create("decode");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_test(t, capstone_16);
	tcase_add_test(t, capstone_32);
	tcase_add_test(t, capstone_64);
	tcase_add_test(t, capstone_vex);
	tcase_add_test(t, capstone_xop);
	tcase_add_loop_test(t, rule, 0, sizeof rules / sizeof *rules);
	tcase_add_test(t, addresses);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
