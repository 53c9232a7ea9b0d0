/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A snippet as text: lines of a word and its value in hexadecimal digits.
 *
 *     bits 32                if it isn't 64-bit code
 *     code 48 01 c8          the bytes
 *     at 1f0                 where they stand in the code's pages
 *     data 7                 the seed of the data
 *     flags 202
 *     rax 1 ... r15          registers; those that are 0 are left out
 *     fcw fsw ftw mxcsr
 *     st0 MANTISSA EXPONENT ... st7, as FXSAVE has them
 *     xmm0 LOW HIGH ... xmm15
 *     ymm0 LOW HIGH ... ymm15, the upper halves
 *     zmm0.2 LOW HIGH ... zmm31.3, 16 bytes of a register at 16 times the number behind the point
 *     k0 MASK ... k7
 *     end
 */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#include "cpu/decode.h"

static const char *const gpr_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

static uint64_t
get(const uint8_t *from, unsigned n)
{
	uint64_t v = 0;

	memcpy(&v, from, n);
	return v;
}

void
snippet_print(const struct snippet *s, FILE *to)
{
	const uint8_t *fx = s->start.fx;

	fprintf(to, "%scode", s->code32 ? "bits 32\n" : "");
	for (unsigned n = 0; n < s->len; n++)
		fprintf(to, " %02x", s->code[n]);
	fprintf(to, "\nat %x\ndata %" PRIx64 "\nflags %" PRIx64 "\n", s->at, s->data_seed, s->start.flags);
	for (unsigned n = 0; n < 16; n++)
		if (s->start.gpr[n] != 0)
			fprintf(to, "%s %" PRIx64 "\n", gpr_names[n], s->start.gpr[n]);
	fprintf(to, "fcw %" PRIx64 "\nfsw %" PRIx64 "\nftw %x\nmxcsr %" PRIx64 "\n", get(fx, 2), get(fx + FX_FSW, 2), fx[FX_FTW],
		get(fx + FX_MXCSR, 4));
	for (unsigned n = 0; n < 8; n++)
		if (get(fx + FX_ST + 16 * n, 8) | get(fx + FX_ST + 16 * n + 8, 2))
			fprintf(to, "st%u %" PRIx64 " %" PRIx64 "\n", n, get(fx + FX_ST + 16 * n, 8), get(fx + FX_ST + 16 * n + 8, 2));
	for (unsigned n = 0; n < 16; n++)
		if (get(fx + FX_XMM + 16 * n, 8) | get(fx + FX_XMM + 16 * n + 8, 8))
			fprintf(to, "xmm%u %" PRIx64 " %" PRIx64 "\n", n, get(fx + FX_XMM + 16 * n, 8), get(fx + FX_XMM + 16 * n + 8, 8));
	for (unsigned n = 0; n < 16; n++)
		if (get(fx + FX_YMM + 16 * n, 8) | get(fx + FX_YMM + 16 * n + 8, 8))
			fprintf(to, "ymm%u %" PRIx64 " %" PRIx64 "\n", n, get(fx + FX_YMM + 16 * n, 8), get(fx + FX_YMM + 16 * n + 8, 8));
	for (unsigned n = 0; n < 4 * ZMM; n++) {
		const uint8_t *at = s->start.zmm[n / 4] + 16 * (n % 4);

		if (get(at, 8) | get(at + 8, 8))
			fprintf(to, "zmm%u.%u %" PRIx64 " %" PRIx64 "\n", n / 4, n % 4, get(at, 8), get(at + 8, 8));
	}
	for (unsigned n = 0; n < 8; n++)
		if (s->start.k[n] != 0)
			fprintf(to, "k%u %" PRIx64 "\n", n, s->start.k[n]);
	fprintf(to, "end\n");
}

static void
parse_code(struct snippet *s, char *text)
{
	char *end = text;

	for (s->len = 0; s->len < SNIPPET_BYTES; s->len++) {
		unsigned long v = strtoul(text, &end, 16);

		if (end == text)
			break;
		s->code[s->len] = (uint8_t)v;
		text = end;
	}
}

/* A register of WORD's name. */
static bool
parse_register(struct snippet *s, const char *word, uint64_t a, uint64_t b)
{
	uint8_t *fx = s->start.fx;
	unsigned n, part;

	for (n = 0; n < 16; n++) {
		if (strcmp(word, gpr_names[n]) == 0) {
			s->start.gpr[n] = a;
			return true;
		}
	}
	if (sscanf(word, "xmm%u", &n) == 1 && n < 16) {
		memcpy(fx + FX_XMM + 16 * n, &a, 8);
		memcpy(fx + FX_XMM + 16 * n + 8, &b, 8);
		return true;
	}
	if (sscanf(word, "ymm%u", &n) == 1 && n < 16) {
		memcpy(fx + FX_YMM + 16 * n, &a, 8);
		memcpy(fx + FX_YMM + 16 * n + 8, &b, 8);
		return true;
	}
	if (sscanf(word, "zmm%u.%u", &n, &part) == 2 && n < ZMM && part < 4) {
		memcpy(s->start.zmm[n] + 16 * part, &a, 8);
		memcpy(s->start.zmm[n] + 16 * part + 8, &b, 8);
		return true;
	}
	if (sscanf(word, "k%u", &n) == 1 && n < 8) {
		s->start.k[n] = a;
		return true;
	}
	if (sscanf(word, "st%u", &n) == 1 && n < 8) {
		memcpy(fx + FX_ST + 16 * n, &a, 8);
		memcpy(fx + FX_ST + 16 * n + 8, &b, 2);
		return true;
	}
	return false;
}

static bool
parse_line(struct snippet *s, const char *word, uint64_t a, uint64_t b)
{
	static const struct { const char *word; unsigned at, bytes; } control[] = {
		{ "fcw", FX_FCW, 2 }, { "fsw", FX_FSW, 2 }, { "ftw", FX_FTW, 1 }, { "mxcsr", FX_MXCSR, 4 },
	};

	for (unsigned n = 0; n < sizeof(control) / sizeof(control[0]); n++) {
		if (strcmp(word, control[n].word) == 0) {
			memcpy(s->start.fx + control[n].at, &a, control[n].bytes);
			return true;
		}
	}
	if (strcmp(word, "bits") == 0)
		s->code32 = a == 0x32;
	else if (strcmp(word, "at") == 0)
		s->at = (unsigned)a % CODE_BYTES;
	else if (strcmp(word, "data") == 0)
		s->data_seed = a;
	else if (strcmp(word, "flags") == 0)
		s->start.flags = a;
	else
		return parse_register(s, word, a, b);
	return true;
}

bool
snippet_parse(struct snippet *s, FILE *from)
{
	char line[4 * SNIPPET_BYTES], word[16];

	memset(s, 0, sizeof(*s));
	s->start.flags = 0x202;
	memcpy(s->start.fx + FX_FCW, &(uint16_t){ 0x37f }, 2);
	memcpy(s->start.fx + FX_MXCSR, &(uint16_t){ 0x1f80 }, 2);
	while (fgets(line, sizeof(line), from) != NULL) {
		uint64_t a = 0, b = 0;

		if (line[0] == '#' || sscanf(line, "%15s %" SCNx64 " %" SCNx64, word, &a, &b) < 1)
			continue;
		if (strcmp(word, "end") == 0)
			return s->len != 0 && snippet_analyse(s);
		if (strcmp(word, "code") == 0)
			parse_code(s, line + 4);
		else if (!parse_line(s, word, a, b))
			return false;
	}
	return false;
}

/* ---- for people ---- */

#ifdef HAVE_CAPSTONE
static void
capstone_text(const struct snippet *s, const uint8_t *code, unsigned len, uint64_t rip, char *text, size_t size)
{
	csh cs;
	cs_insn *insn;

	if (cs_open(CS_ARCH_X86, s->code32 ? CS_MODE_32 : CS_MODE_64, &cs) != CS_ERR_OK)
		return;
	if (cs_disasm(cs, code, len, rip, 1, &insn) == 1) {
		snprintf(text, size, "%.24s %.120s", insn->mnemonic, insn->op_str);
		cs_free(insn, 1);
	}
	cs_close(&cs);
}
#else
static void
capstone_text(const struct snippet *s, const uint8_t *code, unsigned len, uint64_t rip, char *text, size_t size)
{
	(void)s, (void)code, (void)len, (void)rip, (void)text, (void)size;
}
#endif

/* Our own name of it, and Capstone's text where there is one. */
static void
text_of(const struct snippet *s, unsigned n, uint64_t rip, char *text, size_t size)
{
	unsigned at = s->insn_at[n], len = s->insn_at[n + 1] - at;
	struct insn i;

	if (snippet_decode(s, &i, s->code + at, s->len - at, at) == DECODE_OK)
		snprintf(text, size, "%s", insn_name(&i));
	capstone_text(s, s->code + at, len, rip, text, size);
}

void
snippet_disassemble(const struct snippet *s, FILE *to)
{
	for (unsigned n = 0; n < s->insns; n++) {
		uint64_t rip = FUZZ_CODE + s->at + s->insn_at[n];
		char text[160] = "(bad)";

		text_of(s, n, rip, text, sizeof(text));
		fprintf(to, "# %" PRIx64 ": %s\n", rip, text);
	}
}
