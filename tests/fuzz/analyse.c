/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known of a snippet before it runs: where its instructions are, which flags have no defined value where, and that it
 * does nothing to this process.
 */
#include "tests/fuzz/fuzz.h"

#include <string.h>

#include "base/util.h"
#include "cpu/avx.h"
#include "cpu/decode.h"
#include "cpu/evex.h"
#include "cpu/map.h"
#include "cpu/vec.h"

enum { CF = 1, PF = 4, AF = 0x10, ZF = 0x40, SF = 0x80, OF = 0x800, ALL = 0x8d5 };

const char *
insn_name(const struct insn *i)
{
	if (i->evex != NULL)
		return i->evex->name;
	if (i->avx != NULL)
		return i->avx->name;
	if (i->vec != NULL)
		return i->vec->name;
	return i->row != NULL ? i->row->name : "undefined";
}

static bool
is_named(const struct insn *i, const char *name)
{
	return strcmp(insn_name(i), name) == 0;
}

/* The instruction in BYTES, were it AT in the snippet. */
enum decode_result
snippet_decode(const struct snippet *s, struct insn *i, const uint8_t *bytes, unsigned avail, unsigned at)
{
	return decode(i, bytes, avail, FUZZ_CODE + s->at + at, (struct decode_mode){ .code = s->code32 ? 4 : 8, .flat = true });
}

/* ---- what is left out ---- */

static const struct { const char *name, *why; } excluded[] = {
	{ "SYSCALL", "would call the host's kernel" },
	{ "SYSENTER", "would call the host's kernel" },
	{ "CPUID", "the processors differ" },
	{ "RDTSC", "time passes" },
	{ "RDTSCP", "time passes" },
	{ "RDPMC", "counters differ" },
	{ "RDPID", "the host's processor number" },
	{ "RDRAND", "random" },
	{ "RDSEED", "random" },
	{ "SERIALIZE", "not all hosts have it" },
	{ "MOVDIRI", "not all hosts have it" },
	{ "MOVDIR64B", "not all hosts have it" },
	{ "XGETBV", "the host has more state" },
	{ "XSETBV", "privileged, and depends on the host's features" },
	{ "SGDT", "the host's tables (or its kernel's emulation)" },
	{ "SIDT", "the host's tables" },
	{ "SLDT", "the host's kernel emulates it" },
	{ "STR", "the host's kernel emulates it" },
	{ "SMSW", "the host's kernel emulates it" },
	{ "LAR", "the host's descriptors" },
	{ "LSL", "the host's descriptors" },
	{ "VERR", "the host's descriptors" },
	{ "VERW", "the host's descriptors" },
	{ "RD_SEG_BASE", "FS belongs to this process" },
	{ "WR_SEG_BASE", "FS belongs to this process" },
	{ "POP_SEG", "FS belongs to this process" },
	{ "LOAD_FAR", "FS belongs to this process" },
	{ "FAR_JMP_MEM", "leaves 64-bit code" },
	{ "FAR_CALL_MEM", "leaves 64-bit code" },
	{ "FAR_RET", "leaves 64-bit code" },
	{ "FAR_JMP", "leaves the code segment" },
	{ "FAR_CALL", "leaves the code segment" },
	{ "IRET", "leaves 64-bit code" },
	{ "INT", "some vectors call the host's kernel" },
	{ "XSAVEOPT", "the host has more state" },
	{ "XSAVEC", "the host has more state" },
	{ "XSAVES", "the host has more state" },
	{ "XRSTOR", "the host has more state" },
	{ "XRSTORS", "the host has more state" },
	{ "MONITOR", "not offered" },
	{ "MWAIT", "not offered" },
	{ "UMONITOR", "not all hosts have it" },
	{ "UMWAIT", "not all hosts have it" },
	{ "TPAUSE", "not all hosts have it" },
	{ "STAC", "depends on the host's features" },
	{ "CLAC", "depends on the host's features" },
	{ "INVPCID", "depends on the host's features" },
	{ "RSM", "only of use in system management mode" },
	{ "vrcpph", "an approximation, of which the interpreter has the nearest half" },
	{ "vrcpsh", "an approximation, of which the interpreter has the nearest half" },
	{ "vrsqrtph", "an approximation, of which the interpreter has the nearest half" },
	{ "vrsqrtsh", "an approximation, of which the interpreter has the nearest half" },
	{ "INT1", "a host that is a virtual machine itself may report it before the instruction" },
};

/* Results that processors may differ in. */
static const struct { const char *name; uint8_t loose; const char *why; } loose_results[] = {
	{ "CMPS", LOOSE_ADDRESS, "either operand may be read first" },
	{ "BOUND", LOOSE_ADDRESS, "either bound may be read first" },
	{ "PUSHA", LOOSE_ADDRESS | LOOSE_STACK, "eight stores in an order of the processor's own" },
	{ "POPA", LOOSE_FAULT, "some registers may have been loaded when a later one's load faults" },
	{ "ARPL_MOVSXD", LOOSE_FAULT, "what doesn't change may or may not be written" },
	{ "LDMXCSR", LOOSE_FAULT, "bit 17 of MXCSR is AMD's own" },
	{ "FXRSTOR", LOOSE_FAULT, "bit 17 of MXCSR is AMD's own; many bytes are read in an order of the processor's own" },
	{ "FLDENV", LOOSE_ADDRESS, "many bytes are read in an order of the processor's own" },
	{ "FRSTOR", LOOSE_ADDRESS, "many bytes are read in an order of the processor's own" },
	{ "FXSAVE", LOOSE_ADDRESS, "many bytes are written in an order of the processor's own" },
	{ "FNSTENV", LOOSE_ADDRESS, "many bytes are written in an order of the processor's own" },
	{ "FNSAVE", LOOSE_ADDRESS, "many bytes are written in an order of the processor's own" },
	{ "XSAVE", LOOSE_FAULT, "the host may have more state to write" },
	{ "maskmovq", LOOSE_FAULT, "bytes that the mask leaves out may be looked at" },
	{ "maskmovdqu", LOOSE_FAULT, "bytes that the mask leaves out may be looked at" },
	{ "vmaskmovps", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vmaskmovpd", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vmaskmovps_st", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vmaskmovpd_st", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vpmaskmovd", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vpmaskmovq", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vpmaskmovd_st", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vpmaskmovq_st", LOOSE_FAULT, "its elements need not be aligned on all processors" },
	{ "vmaskmovdqu", LOOSE_FAULT, "bytes that the mask leaves out may be looked at" },
	{ "VLDMXCSR", LOOSE_FAULT, "bit 17 of MXCSR is AMD's own" },
	{ "CALL_IND", LOOSE_STACK, "the return address is stored before the target turns out to be bad" },
};

/*
 * What saves state of the x87 and SSE, and bytes of it that we don't have: the addresses of the last instruction and its
 * operand, and what depends on the features of a processor.  Such an instruction stands at the end, so that nobody reads them.
 */
static const struct { const char *name; uint8_t width; struct { uint16_t from, to; } holes[3]; } savers[] = {
	{ "FNSTENV", 2, { { 6, 14 } } },
	{ "FNSTENV", 0, { { 12, 28 } } },
	{ "FNSAVE", 2, { { 6, 14 } } },
	{ "FNSAVE", 0, { { 12, 28 } } },
	{ "FXSAVE", 0, { { FX_POINTERS, FX_MXCSR }, { FX_MXCSR_MASK, FX_ST }, { FX_END, FX_BYTES } } },
	{ "XSAVE", 0, { { FX_POINTERS, FX_MXCSR }, { FX_MXCSR_MASK, FX_ST }, { FX_END, FX_BYTES + 8 } } },
};

static int
saver_of(const struct insn *i)
{
	for (unsigned n = 0; n < ARRAY_SIZE(savers); n++)
		if (is_named(i, savers[n].name) && (savers[n].width == 0 || savers[n].width == i->width))
			return (int)n;
	return -1;
}

unsigned
snippet_holes(const struct snippet *s, const struct outcome *host, struct hole holes[MAX_HOLES])
{
	unsigned at = s->insn_at[s->insns - 1], count = 0;
	const uint64_t *gpr = host->regs.gpr;
	struct insn i;
	uint64_t ea;
	int n;

	if (snippet_decode(s, &i, s->code + at, s->len - at, at) != DECODE_OK || (n = saver_of(&i)) < 0)
		return 0;
	if (is_named(&i, "XSAVE") && ((uint32_t)gpr[2] != 0 || (uint32_t)gpr[0] > 3)) {
		/* Other components. */
		holes[0] = (struct hole){ 0, ~0ull };
		return 1;
	}
	ea = (i.mem.base != IR_NO_REG ? gpr[i.mem.base] : 0) + (i.mem.index != IR_NO_REG ? gpr[i.mem.index] << i.mem.scale : 0) +
		(uint64_t)i.mem.disp;
	if (i.addr_width == 4)
		ea = (uint32_t)ea;
	ea += i.seg == SEG_GS ? FUZZ_GS_BASE : 0;
	for (unsigned k = 0; k < ARRAY_SIZE(savers[n].holes) && savers[n].holes[k].to != 0; k++)
		holes[count++] = (struct hole){ ea + savers[n].holes[k].from, ea + savers[n].holes[k].to };
	return count;
}

static unsigned
loose_of(const struct insn *i)
{
	/* An address whose offset isn't canonical, but with the segment's base is. */
	unsigned loose = i->seg == SEG_GS ? LOOSE_ADDRESS : 0;

	/* What may be misaligned otherwise may or may not be checked with EFLAGS.AC. */
	if (i->vec != NULL)
		loose |= LOOSE_ALIGNMENT;
	/* Ten bytes may be two accesses: the first one's alignment comes before an end of memory that only the second one meets. */
	if (i->vec == NULL && i->opnd[0] == O_Mt)
		loose |= LOOSE_ALIGNMENT;
	/* Intel's processors check a gather's elements, AMD's don't.  With TF set there may be a trap halfway, before a fault. */
	if (i->vsib)
		loose |= LOOSE_GATHER;
	/* Nor do they always check what a mask selects; in a segment with a limit all of the operand may count. */
	if (i->opmask != 0)
		loose |= LOOSE_NO_AC | LOOSE_ADDRESS;
	if (i->evex != NULL)
		loose |= LOOSE_ALIGNMENT | (i->evex->flags & EVEX_PACKED ? LOOSE_NO_AC : 0);
	/* What is above the vector may be cleared before a fault or at the end. */
	if (i->evex != NULL && i->evex->form == AVX_GATHER)
		loose |= LOOSE_FAULT;

	for (unsigned n = 0; n < ARRAY_SIZE(loose_results); n++)
		if (strcmp(loose_results[n].name, insn_name(i)) == 0)
			loose |= loose_results[n].loose;
	return loose;
}

const char *
excluded_reason(const char *name)
{
	for (unsigned n = 0; n < ARRAY_SIZE(excluded); n++)
		if (strcmp(excluded[n].name, name) == 0)
			return excluded[n].why;
	return NULL;
}

/* A jump may land anywhere in the code, so these bytes stand nowhere in it. */
static bool
has_forbidden_bytes(const struct snippet *s)
{
	for (unsigned n = 0; n + 1 < s->len; n++) {
		uint8_t a = s->code[n], b = s->code[n + 1], c = n + 2 < s->len ? s->code[n + 2] : 0;

		if (a == 0x0f && (b == 0x05 || b == 0x34))
			return true;
		if (a == 0xcd && b == 0x80)
			return true;
		/* WRFSBASE, MOV FS, POP FS, LFS */
		if (a == 0x0f && b == 0xae && (c & 0xf8) == 0xd0)
			return true;
		if ((a == 0x8e && (b & 0x38) == 0x20) || (a == 0x0f && (b == 0xa1 || b == 0xb4)))
			return true;
		/* WRGSBASE and the like: the next snippet wants its GS. */
		if ((a == 0x0f && b == 0xae && (c & 0xf8) == 0xd8) || (a == 0x8e && (b & 0x38) == 0x28) ||
			(a == 0x0f && (b == 0xa9 || b == 0xb5)))
			return true;
	}
	return false;
}

static bool
in_list(uint8_t b, const char *list, unsigned n)
{
	return memchr(list, b, n) != NULL;
}

/* Bytes that the decoder calls undefined, but a host with more features than a guest executes. */
static bool
is_beyond_us(const struct insn *i)
{
	if (i->map == MAP_0F38 || i->map == MAP_0F3A || i->encoding != ENC_LEGACY)
		return true;
	/* FXSAVE, FXRSTOR, LDMXCSR, STMXCSR with 66h. */
	if (i->map == MAP_0F && i->opcode == 0xae && i->mod != 3 && i->reg < 4 && i->prefix == P66)
		return false;
	/* LOCK VERW: processors that clear buffers with it take the prefix. */
	if (i->map == MAP_0F && i->opcode == 0 && i->lock && i->reg == 5)
		return true;
	if (i->map == MAP_0F)
		return in_list(i->opcode, "\x01\x0d\x0e\x0f\x2b\x36\x37\x39\x78\x79\xae\xc7\xa6\xa7\x04\x0a\x0c", 17);
	return in_list(i->opcode, "\xc4\xc5\x62\x8f\xd5\xd4", 6);
}

/* Encodings that Intel's and AMD's processors take differently. */
static bool
is_vendors_own(const struct insn *i)
{
	/* Near branches in 64-bit code: AMD's cut RIP to 16 bits. */
	if (i->opsize_prefix && i->flags & ROW_F64 && i->vec == NULL)
		return true;
	/* Shifts of 16-bit pairs by more than 16, and BSWAP of 16 bits, have no defined result. */
	if (i->width == 2 && (is_named(i, "SHLD") || is_named(i, "SHRD")) && (i->opnd[2] == O_CL || (i->imm & 31) > 16))
		return true;
	if (i->width == 2 && is_named(i, "BSWAP"))
		return true;
	/* MOVSXD of 16 bits: the source has 16 bits on Intel's. */
	if (i->opsize_prefix && is_named(i, "ARPL_MOVSXD") && i->width == 2)
		return true;
	/* LOOPE and LOOPNE: on AMD's, F2 and F3 say which of them it is. */
	if (i->map == MAP_1 && (i->opcode == 0xe0 || i->opcode == 0xe1) && i->rep != 0)
		return true;
	/* LOCK MOV CR0: CR8 on AMD's. */
	if (i->lock && (is_named(i, "MOV_FROM_CR") || is_named(i, "MOV_TO_CR")))
		return true;
	/* FMA4: some processors do it, but don't say so. */
	if (i->avx != NULL && avx_row_feature(i->avx) == FEAT_fma4 && !native_has(FEAT_fma4))
		return true;
	/* Protection keys: what a snippet denies itself stays denied. */
	if ((is_named(i, "RDPKRU") || is_named(i, "WRPKRU")) && native_has(FEAT_pku))
		return true;
	/* PREFETCHW's register form: AMD's raise #UD. */
	return i->map == MAP_0F && i->opcode == 0x0d && i->mod == 3;
}

/* What the host would have to have; CPU_FEATURES: nothing. */
static unsigned
feature_of(const struct insn *i)
{
	if (i->evex != NULL)
		return evex_row_feature(i->evex);
	if (i->avx != NULL)
		return avx_feature(i);
	if (i->vec != NULL)
		return vec_feature(i->vec);
	return i->flags >> 24 != 0 ? (i->flags >> 24) - 1 : CPU_FEATURES;
}

static bool
is_on_host(const struct insn *i)
{
	unsigned feature = feature_of(i);

	return feature == CPU_FEATURES || native_has(feature);
}

static bool
is_allowed(const struct insn *i, enum decode_result result)
{
	if (result == DECODE_UD)
		return !is_beyond_us(i);
	if (result != DECODE_OK)
		return result == DECODE_LONG;
	if (excluded_reason(insn_name(i)) != NULL || is_vendors_own(i) || !is_on_host(i))
		return false;
	if (strcmp(insn_name(i), "MOV_TO_SEG") == 0 && i->reg >= SEG_FS)
		return false;
	/* FS is that of this process: its memory. */
	return i->seg != SEG_FS;
}

/* ---- flags ---- */

/* UNDEFINED may become anything, DEFINED gets a value for sure. */
static const struct flag_rule {
	const char *name;
	uint16_t undefined, defined, reads;
} rules[] = {
	{ "ADD", 0, ALL, 0 }, { "SUB", 0, ALL, 0 }, { "CMP", 0, ALL, 0 }, { "NEG", 0, ALL, 0 }, { "XADD", 0, ALL, 0 },
	{ "CMPXCHG", 0, ALL, 0 }, { "SCAS", 0, 0, 0 }, { "CMPS", 0, 0, 0 }, { "ADC", 0, ALL, CF }, { "SBB", 0, ALL, CF },
	{ "INC", 0, ALL & ~CF, 0 }, { "DEC", 0, ALL & ~CF, 0 }, { "POPCNT", 0, ALL, 0 }, { "CMPXCHG8B", 0, ZF, 0 },
	/* Logic: AF. */
	{ "AND", AF, ALL & ~AF, 0 }, { "OR", AF, ALL & ~AF, 0 }, { "XOR", AF, ALL & ~AF, 0 }, { "TEST", AF, ALL & ~AF, 0 },
	/* Shifts: AF; OF unless the count is 1; CF when the count reaches the width; none of it is written when the count is 0. */
	{ "SHL", AF | OF | CF, 0, 0 }, { "SHR", AF | OF | CF, 0, 0 }, { "SAR", AF | OF, 0, 0 },
	/* Also all of them when the count is beyond the width. */
	{ "SHLD", ALL, 0, 0 }, { "SHRD", ALL, 0, 0 },
	/* Rotates: OF unless the count is 1. */
	{ "ROL", OF, 0, 0 }, { "ROR", OF, 0, 0 }, { "RCL", OF, 0, CF }, { "RCR", OF, 0, CF },
	/* Products: only CF and OF mean something; quotients: none. */
	{ "MUL", ALL & ~(CF | OF), CF | OF, 0 }, { "IMUL1", ALL & ~(CF | OF), CF | OF, 0 }, { "IMUL2", ALL & ~(CF | OF), CF | OF, 0 },
	{ "IMUL3", ALL & ~(CF | OF), CF | OF, 0 }, { "DIV", ALL, 0, 0 }, { "IDIV", ALL, 0, 0 },
	/* Bit tests: CF is the bit, ZF stays. */
	{ "BT", AF | OF | PF | SF, CF, 0 }, { "BTS", AF | OF | PF | SF, CF, 0 }, { "BTR", AF | OF | PF | SF, CF, 0 },
	{ "BTC", AF | OF | PF | SF, CF, 0 },
	/* Scans: ZF alone; with F3 they are TZCNT and LZCNT, which define CF too. */
	{ "BSF", ALL & ~ZF, ZF, 0 }, { "BSR", ALL & ~ZF, ZF, 0 },
	{ "ANDN", AF | PF, ALL & ~(AF | PF), 0 }, { "BZHI", AF | PF, ALL & ~(AF | PF), 0 }, { "BLSI", AF | PF, ALL & ~(AF | PF), 0 },
	{ "BLSMSK", AF | PF, ALL & ~(AF | PF), 0 }, { "BLSR", AF | PF, ALL & ~(AF | PF), 0 },
	{ "BEXTR", SF | AF | PF, ZF | CF | OF, 0 }, { "ADCX", 0, 0, CF }, { "ADOX", 0, 0, OF },
	/* Decimal arithmetic. */
	{ "DAA", OF, ALL & ~OF, AF | CF }, { "DAS", OF, ALL & ~OF, AF | CF }, { "AAA", OF | SF | ZF | PF, AF | CF, AF },
	{ "AAS", OF | SF | ZF | PF, AF | CF, AF }, { "AAM", OF | AF | CF, SF | ZF | PF, 0 }, { "AAD", OF | AF | CF, SF | ZF | PF, 0 },
	{ "SALC", 0, 0, CF }, { "INTO", 0, 0, OF },
	{ "CLC", 0, CF, 0 }, { "STC", 0, CF, 0 }, { "CMC", 0, 0, CF }, { "LAHF", 0, 0, ALL & ~OF }, { "SAHF", 0, ALL & ~OF, 0 },
	{ "PUSHF", 0, 0, ALL }, { "POPF", 0, ALL, 0 }, { "LOOPE", 0, 0, ZF }, { "LOOPNE", 0, 0, ZF },
};

static const struct flag_rule *
rule_of(const struct insn *i)
{
	for (unsigned n = 0; i->vec == NULL && i->row != NULL && n < ARRAY_SIZE(rules); n++)
		if (strcmp(rules[n].name, i->row->name) == 0)
			return &rules[n];
	return NULL;
}

unsigned
flags_read(const struct insn *i)
{
	static const uint16_t by_condition[8] = { OF, CF, ZF, CF | ZF, SF, PF, SF | OF, ZF | SF | OF };
	const struct flag_rule *rule = rule_of(i);
	const char *name = insn_name(i);

	if (strcmp(name, "JCC") == 0 || strcmp(name, "SETCC") == 0 || strcmp(name, "CMOVCC") == 0)
		return by_condition[i->opcode >> 1 & 7];
	/* Where it goes to isn't known. */
	if (strcmp(name, "JMP_IND") == 0 || strcmp(name, "CALL_IND") == 0 || strcmp(name, "RET") == 0)
		return ALL;
	/* FCMOVcc */
	if (strcmp(name, "FREG") == 0 && (i->opcode == 0xda || i->opcode == 0xdb) && i->reg < 4)
		return CF | ZF | PF;
	return rule != NULL ? rule->reads : 0;
}

static bool
is_shift_by_one(const struct insn *i)
{
	return i->map == MAP_1 && (i->opcode == 0xd0 || i->opcode == 0xd1);
}

unsigned
flags_undefined(const struct insn *i, unsigned undefined)
{
	const struct flag_rule *rule = rule_of(i);
	unsigned added;

	if (i->evex != NULL)
		return evex_flags(i->evex) & VEC_FLAGS ? 0 : undefined;
	if (i->avx != NULL)
		return i->avx->flags & VEC_FLAGS ? 0 : undefined;
	if (i->vec != NULL)
		return i->vec->flags & VEC_FLAGS ? 0 : undefined;
	if (rule == NULL)
		return undefined;
	added = rule->undefined;
	if (is_shift_by_one(i))
		added &= AF;
	else if (added & AF && (strcmp(rule->name, "SHL") == 0 || strcmp(rule->name, "SHR") == 0) && insn_width(i, 0, true) >= 4)
		added &= ~CF;
	if (i->rep == 0xf3 && rule->name[0] == 'B' && rule->name[1] == 'S')
		added &= ~CF;
	return (undefined & ~rule->defined) | added;
}

/* ---- all of it ---- */

static bool
is_near_branch(const struct insn *i)
{
	return i->vec == NULL && (i->opnd[0] == O_Jb || i->opnd[0] == O_Jz);
}

/* What is needed of each instruction to follow the flags. */
struct effect {
	uint16_t reads, keeps, adds;
	bool indirect; /* jumps to where a register points, which the instruction before it has loaded */
	bool ends;     /* the next instruction isn't what comes next */
	int to;        /* offset in the code, or NOWHERE */
	int points;    /* the same, of what goes there later; with flags that are defined */
};
enum { NOWHERE = -1 };

static struct effect
effect_of(const struct insn *i, unsigned at)
{
	struct effect e = { .reads = (uint16_t)flags_read(i), .keeps = (uint16_t)flags_undefined(i, ALL),
		.adds = (uint16_t)flags_undefined(i, 0), .to = NOWHERE };

	e.indirect = i->mod == 3 && (is_named(i, "JMP_IND") || is_named(i, "CALL_IND"));
	e.ends = is_named(i, "JMP") || is_named(i, "CALL") || is_named(i, "RET") || is_named(i, "JMP_IND") || is_named(i, "CALL_IND");
	if (is_near_branch(i))
		e.to = (int)MIN(MAX((int64_t)at + i->len + i->imm, NOWHERE), (int64_t)SNIPPET_BYTES);
	return e;
}

/* The code's address as a constant, for an indirect jump: an offset, or NOWHERE. */
static int
constant_target(const struct snippet *s, const struct insn *i)
{
	uint64_t offset = (uint64_t)i->imm - FUZZ_CODE - s->at;

	if (i->vec != NULL || !(is_named(i, "PUSH") || (is_named(i, "MOV") && i->opnd[0] == O_Zv)))
		return NOWHERE;
	return offset < s->len ? (int)offset : NOWHERE;
}

/* The instruction AT an offset; S->insns: the end, or beyond it; more: in the middle of something. */
static unsigned
insn_of(const struct snippet *s, int at)
{
	unsigned n = 0;

	if (at < 0 || at >= (int)s->len + JUMP_BYTES)
		return s->insns;
	while (n <= s->insns && s->insn_at[n] != at)
		n++;
	return n;
}

/*
 * Which flags have no defined value before each instruction, on any way there.  False: one of those is read, or a jump goes into
 * the middle of an instruction, behind which nothing is known.
 */
static bool
follow_flags(struct snippet *s, const struct effect *effects)
{
	bool again = true;

	memset(s->undefined, 0, sizeof(s->undefined));
	while (again) {
		again = false;
		for (unsigned n = 0; n < s->insns; n++) {
			const struct effect *e = &effects[n];
			unsigned after = (s->undefined[n] & e->keeps) | e->adds, to = e->to == NOWHERE ? s->insns : insn_of(s, e->to);
			unsigned points = insn_of(s, e->points);

			if (s->undefined[n] & e->reads || to > s->insns || points > s->insns)
				return false;
			/* Behind what loads the register of an indirect jump. */
			if ((to < s->insns && effects[to].indirect) || (points < s->insns && effects[points].indirect))
				return false;
			if (!e->ends)
				s->undefined[n + 1] |= (uint16_t)after;
			again |= e->to != NOWHERE && (after & ~(unsigned)s->undefined[to]) != 0;
			if (e->to != NOWHERE)
				s->undefined[to] |= (uint16_t)after;
		}
	}
	s->undefined_anywhere = 0;
	for (unsigned n = 0; n <= s->insns; n++)
		s->undefined_anywhere |= s->undefined[n];
	return true;
}

bool
snippet_analyse(struct snippet *s)
{
	struct effect effects[SNIPPET_INSNS];

	s->insns = 0;
	if (has_forbidden_bytes(s))
		return false;
	for (unsigned at = 0; at < s->len && s->insns < SNIPPET_INSNS;) {
		struct insn i;
		enum decode_result result = snippet_decode(s, &i, s->code + at, s->len - at, at);

		/* The end of the code stands behind its last byte. */
		if (result == DECODE_MORE || !is_allowed(&i, result))
			return false;
		effects[s->insns] = result == DECODE_OK ? effect_of(&i, at) : (struct effect){ .keeps = ALL, .to = NOWHERE };
		effects[s->insns].points = result == DECODE_OK ? constant_target(s, &i) : NOWHERE;
		if (result == DECODE_OK && saver_of(&i) >= 0 && at + i.len != s->len)
			return false;
		/* LOCK where there may be none is found before or after the operand is read. */
		s->loose[s->insns] = result == DECODE_OK ? loose_of(&i) : i.lock ? LOOSE_FAULT : 0;
		s->insn_at[s->insns++] = at;
		at += i.len;
	}
	if (s->insns >= SNIPPET_INSNS)
		return false;
	s->insn_at[s->insns] = s->len;
	s->loose[s->insns] = 0;
	return follow_flags(s, effects);
}
