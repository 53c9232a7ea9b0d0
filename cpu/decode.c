/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/decode.h"

#include <stddef.h>
#include <string.h>

#include "cpu/avx.h"
#include "cpu/evex.h"
#include "cpu/map.h"
#include "cpu/vec.h"

enum { MAX_LEN = 15 };

/* So many bytes can be read from where an instruction begins, whether they belong to it or not. */
enum { READABLE = 48 };

struct reader {
	const uint8_t *bytes;
	unsigned at, avail; /* AT is past AVAIL: bytes were wanted that aren't there */
};

static uint8_t
get8(struct reader *r)
{
	return r->bytes[r->at++];
}

static int64_t
get_signed(struct reader *r, unsigned width)
{
	unsigned shift = 64 - 8 * width;
	uint64_t v;

	memcpy(&v, r->bytes + r->at, sizeof(v));
	r->at += width;
	return (int64_t)(v << shift) >> shift;
}

static uint64_t
get(struct reader *r, unsigned width)
{
	return (uint64_t)get_signed(r, width) & ~0ull >> (64 - 8 * width);
}

/* ---- prefixes and opcode ---- */

static void
set_segment(struct insn *i, struct decode_mode m, unsigned seg)
{
	/* In 64-bit code only FS and GS count; the others don't even cancel them. */
	if (m.code != 8 || seg >= SEG_FS)
		i->seg = seg;
}

/* One legacy prefix; false: it is none. */
static bool
legacy_prefix(struct insn *i, struct decode_mode m, uint8_t b)
{
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		set_segment(i, m, b >> 3 & 3);
		i->notrack = b == 0x3e;
		return true;
	case 0x64:
	case 0x65:
		set_segment(i, m, SEG_FS + (b & 1));
		i->notrack = false;
		return true;
	case 0x66:
		i->opsize_prefix = true;
		return true;
	case 0x67:
		i->addr_prefix = true;
		return true;
	case 0xf0:
		i->lock = true;
		return true;
	case 0xf2:
	case 0xf3:
		i->rep = b;
		return true;
	default:
		return false;
	}
}

/* False for all that legacy_prefix() knows nothing of, but for F1h. */
static bool
may_be_prefix(uint8_t b)
{
	return (b & 0xe7) == 0x26 || (b & 0xfc) == 0x64 || (b & 0xfc) == 0xf0;
}

/* Eats the prefixes; the first byte of the opcode is what it returns.  REX counts only right before it. */
static uint8_t
prefixes(struct insn *i, struct decode_mode m, struct reader *r)
{
	uint8_t b;

	for (;;) {
		b = get8(r);
		if (r->at > MAX_LEN)
			return b;
		if (m.code == 8 && b >> 4 == 4) {
			i->has_rex = true;
			i->rex = b & 0xf;
		} else if (may_be_prefix(b) && legacy_prefix(i, m, b)) {
			i->has_rex = false;
			i->rex = 0;
		} else {
			return b;
		}
	}
}

/* C4h and C5h are LES and LDS outside of 64-bit mode where a memory form follows; 8Fh (XOP) is POP if its map is below 8. */
static bool
is_vex(struct decode_mode m, uint8_t b, struct reader *r)
{
	uint8_t next;

	if (b != 0xc4 && b != 0xc5 && b != 0x8f)
		return false;
	if (m.code == 8 && b != 0x8f)
		return true;
	next = get8(r);
	r->at--;
	return b == 0x8f ? (next & 0x1f) >= MAP_XOP8 : next >= 0xc0;
}

/* SDM volume 2, "The VEX Prefix"; R, X, B and vvvv are inverted there.  AMD's XOP prefix is the same with maps of its own. */
static void
vex(struct insn *i, struct decode_mode m, struct reader *r, uint8_t escape)
{
	bool three_bytes = escape != 0xc5, xop = escape == 0x8f;
	uint8_t first = get8(r), last = three_bytes ? get8(r) : first & 0x7f;
	unsigned map = three_bytes ? first & 0x1f : MAP_0F;
	bool known = xop ? map <= MAP_XOPA : map >= MAP_0F && map <= MAP_0F3A;

	i->encoding = ENC_VEX;
	i->no_such = i->opsize_prefix || i->rep || i->lock || i->has_rex || !known;
	i->map = known ? map : MAP_0F;
	i->vex_w = last >> 7;
	i->vvvv = ~last >> 3 & 15;
	i->vl = last >> 2 & 1;
	i->prefix = last & 3;
	i->rex = 0;
	if (m.code == 8) {
		i->rex = (first & 0x80 ? 0 : REX_R) | (i->vex_w ? REX_W : 0);
		if (three_bytes)
			i->rex |= (first & 0x40 ? 0 : REX_X) | (first & 0x20 ? 0 : REX_B);
	} else {
		i->vvvv &= 7;
	}
	i->opcode = get8(r);
}

/* 62h is BOUND outside of 64-bit mode where a memory form follows. */
static bool
is_evex(struct decode_mode m, uint8_t b, struct reader *r)
{
	return b == 0x62 && is_vex(m, 0xc4, r);
}

/* SDM volume 2, "Intel AVX-512 Encoding"; R, X, B, R', V' and vvvv are inverted there. */
static void
evex(struct insn *i, struct decode_mode m, struct reader *r)
{
	uint8_t first = get8(r), second = get8(r), third = get8(r);
	unsigned map = first & 7;
	bool known = (map >= MAP_0F && map <= MAP_0F3A) || map == MAP_5 || map == MAP_6;

	i->encoding = ENC_EVEX;
	i->no_such = i->opsize_prefix || i->rep || i->lock || i->has_rex || !known || first & 8 || !(second & 4);
	i->map = known ? map : MAP_0F;
	i->vex_w = second >> 7;
	i->vvvv = (~second >> 3 & 15) | (third & 8 ? 0 : 16);
	i->prefix = second & 3;
	i->zeroing = third >> 7;
	i->vl = third >> 5 & 3;
	i->evex_b = third >> 4 & 1;
	i->opmask = third & 7;
	i->rex = 0;
	if (m.code == 8) {
		i->rex = (first & 0x80 ? 0 : REX_R) | (first & 0x40 ? 0 : REX_X) | (first & 0x20 ? 0 : REX_B) | (i->vex_w ? REX_W : 0);
		i->reg_high = first & 0x10 ? 0 : 16;
	} else {
		i->vvvv &= 7;
	}
	i->opcode = get8(r);
}

static void
opcode(struct insn *i, struct decode_mode m, struct reader *r)
{
	uint8_t b = prefixes(i, m, r);

	if (is_vex(m, b, r)) {
		vex(i, m, r, b);
		return;
	}
	if (is_evex(m, b, r)) {
		evex(i, m, r);
		return;
	}
	i->map = MAP_1;
	if (b == 0x0f) {
		b = get8(r);
		i->map = MAP_0F;
		if (b == 0x38 || b == 0x3a) {
			i->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			b = get8(r);
		}
	}
	i->opcode = b;
	i->prefix = i->rep == 0xf3 ? PF3 : i->rep == 0xf2 ? PF2 : i->opsize_prefix ? P66 : NP;
}

/* ---- ModRM ---- */

enum ir_addr
insn_addressing(struct decode_mode m, unsigned seg)
{
	if (m.code == 8)
		return seg >= SEG_FS ? ADDR_BASE : ADDR_FLAT;
	/* A code segment can't be written, flat or not. */
	return m.flat && seg < SEG_FS && seg != SEG_CS ? ADDR_FLAT : ADDR_CHECKED;
}

static void
memory16(struct insn *i, struct reader *r)
{
	static const uint8_t base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const uint8_t index[8] = { 6, 7, 6, 7, IR_NO_REG, IR_NO_REG, IR_NO_REG, IR_NO_REG };

	if (i->mod == 0 && i->rm == 6) {
		i->mem.disp = get_signed(r, 2);
		return;
	}
	i->mem.base = base[i->rm];
	i->mem.index = index[i->rm];
	if (i->mod == 1)
		i->mem.disp = get_signed(r, 1) * i->disp_unit;
	else if (i->mod == 2)
		i->mem.disp = get_signed(r, 2);
}

/* True: relative to the next instruction, whose address isn't known yet. */
static bool
memory32(struct insn *i, struct decode_mode m, struct reader *r)
{
	unsigned base = i->rm, rex_b = i->rex & REX_B ? 8 : 0;

	if (base == 4) {
		uint8_t sib = get8(r);
		unsigned index = (sib >> 3 & 7) | (i->rex & REX_X ? 8 : 0);

		base = sib & 7;
		i->mem.scale = sib >> 6;
		if (index != 4 || i->vsib)
			i->mem.index = index;
	} else if (i->mod == 0 && base == 5 && m.code == 8) {
		i->mem.disp = get_signed(r, 4);
		return true;
	}
	if (i->mod == 0 && base == 5) {
		i->mem.disp = get_signed(r, 4);
		return false;
	}
	i->mem.base = base | rex_b;
	if (i->mod == 1)
		i->mem.disp = get_signed(r, 1) * i->disp_unit;
	else if (i->mod == 2)
		i->mem.disp = get_signed(r, 4);
	return false;
}

static bool
memory(struct insn *i, struct decode_mode m, struct reader *r)
{
	bool rip_relative = false;

	i->mem.addr_width = i->addr_width;
	if (i->addr_width == 2)
		memory16(i, r);
	else
		rip_relative = memory32(i, m, r);
	i->mem.seg = i->mem.base == 4 || i->mem.base == 5 ? SEG_SS : SEG_DS;
	if (i->seg != IR_NO_REG)
		i->mem.seg = i->seg;
	i->mem.how = insn_addressing(m, i->mem.seg);
	return rip_relative;
}

static void
modrm(struct insn *i, struct reader *r)
{
	i->modrm = get8(r);
	i->mod = i->modrm >> 6;
	i->reg = i->modrm >> 3 & 7;
	i->rm = i->modrm & 7;
}

/* ---- rows ---- */

/* Follows ROW through its groups down to an instruction, gathering operands and flags; NULL: undefined. */
static const struct row *
resolve(struct insn *i, const struct row *row, struct reader *r, bool *has_modrm)
{
	for (;;) {
		unsigned n, kind;

		/* What the whole group needs holds for each row that says nothing else. */
		i->flags = (row->flags >> 24 ? i->flags & 0xffffff : i->flags) | row->flags;
		if (row->opnd[0] != O___)
			memcpy(i->opnd, row->opnd, sizeof(i->opnd));
		if (row->group == 0)
			break;
		kind = group_kinds[row->group - 1];
		if (kind != BY_PREFIX && !*has_modrm) {
			modrm(i, r);
			*has_modrm = true;
		}
		n = kind == BY_DIGIT ? i->reg + (i->mod == 3 ? 8u : 0u) : kind == BY_RM ? i->rm : i->prefix;
		row = &group_rows[row->group - 1][n];
	}
	if (row->gen == NULL)
		return NULL;
	if (i->flags & ROW_MODRM && !*has_modrm) {
		modrm(i, r);
		*has_modrm = true;
	}
	return row;
}

static void
operand_sizes(struct insn *i, struct decode_mode m)
{
	bool long_default = m.code == 8 && i->flags & (ROW_D64 | ROW_F64);

	if (m.code == 8)
		i->width = i->rex & REX_W ? 8 : i->opsize_prefix ? 2 : long_default ? 8 : 4;
	else
		i->width = i->opsize_prefix == (m.code == 2) ? 4 : 2;
	/* Near branches ignore 66h in 64-bit mode as Intel's processors do; AMD's take 16 bits there. */
	if (m.code == 8 && i->flags & ROW_F64)
		i->width = 8;
}

static void
immediate(struct insn *i, enum form form, bool second, struct reader *r)
{
	int64_t v;

	switch (form) {
	case O_Ib:
		v = (int64_t)get(r, 1);
		break;
	case O_Is:
	case O_Jb:
		v = get_signed(r, 1);
		break;
	case O_Iw:
		v = (int64_t)get(r, 2);
		break;
	case O_Id:
		v = (int64_t)get(r, 4);
		break;
	case O_Iz:
	case O_Jz:
		v = get_signed(r, i->width == 8 ? 4 : i->width);
		break;
	case O_Iv:
		v = get_signed(r, i->width);
		break;
	case O_I1:
		v = 1;
		break;
	case O_Ap:
		/* In 64-bit mode it is undefined, but has its length. */
		i->imm = (int64_t)get(r, i->width == 8 ? 4 : i->width);
		i->imm2 = (uint32_t)get(r, 2);
		return;
	case O_Ob:
	case O_Ov:
		i->mem.disp = get_signed(r, i->addr_width);
		i->mem.addr_width = i->addr_width;
		return;
	default:
		return;
	}
	if (second)
		i->imm2 = (uint32_t)v;
	else
		i->imm = v;
}

static bool
is_immediate(enum form form)
{
	return form >= O_Ib && form <= O_I1;
}

static void
immediates(struct insn *i, struct reader *r)
{
	bool second = false;

	if (!(i->flags & ROW_IMM))
		return;
	for (unsigned n = 0; n < 3; n++) {
		immediate(i, i->opnd[n], second, r);
		second = second || is_immediate(i->opnd[n]);
	}
}

/* ---- rules ---- */

static bool
is_memory_only(enum form form)
{
	return form >= O_M && form <= O_Ma;
}

/* LOCK MOV CR0 is CR8 on AMD's processors, for code that has no REX.R. */
static bool
is_locked_cr8(const struct insn *i)
{
	return i->map == MAP_0F && (i->opcode == 0x20 || i->opcode == 0x22) && i->reg == 0 && !(i->rex & REX_R);
}

static bool
uses_vvvv(const struct insn *i)
{
	return i->opnd[0] == O_By || i->opnd[1] == O_By || i->opnd[2] == O_By;
}

static bool
is_legal(const struct insn *i, struct decode_mode m)
{
	if (!(i->flags & (ROW_I64 | ROW_O64 | ROW_MEMORY | ROW_REGISTER)) && !i->lock && i->encoding == ENC_LEGACY)
		return true;
	if (i->flags & (m.code == 8 ? ROW_I64 : ROW_O64))
		return false;
	for (unsigned n = 0; n < 3; n++) {
		enum form form = i->opnd[n];

		if (is_memory_only(form) && i->mod == 3)
			return false;
		if ((form == O_Rr || form == O_Ry) && i->mod != 3)
			return false;
	}
	if (i->encoding == ENC_VEX && (i->vl != 0 || (i->vvvv != 0 && !uses_vvvv(i))))
		return false;
	if (i->lock && !(i->flags & ROW_LOCK && i->flags & ROW_MODRM && i->mod != 3) && !is_locked_cr8(i))
		return false;
	return true;
}

/* The width of an operand by its form: bytes, or one of these; what isn't named has the operand size. */
enum { WIDTH_V, WIDTH_Y = 16, WIDTH_R, WIDTH_Z, WIDTH_RM, WIDTH_NONE };
static const uint8_t widths[O_FORMS] = {
	[O___] = WIDTH_NONE, [O_M] = WIDTH_NONE, [O_Ma] = WIDTH_NONE, [O_Mp] = WIDTH_NONE,
	[O_Eb] = 1, [O_Gb] = 1, [O_Zb] = 1, [O_Ob] = 1, [O_AL] = 1, [O_CL] = 1, [O_Ib] = 1, [O_Is] = 1, [O_Jb] = 1, [O_Xb] = 1,
	[O_Yb] = 1, [O_I1] = 1,
	[O_Ew] = 2, [O_Gw] = 2, [O_Mw] = 2, [O_Sw] = 2, [O_Iw] = 2, [O_DX] = 2,
	[O_Ed] = 4, [O_Gd] = 4, [O_Md] = 4, [O_Id] = 4,
	[O_Eq] = 8, [O_Mq] = 8,
	[O_Mt] = 10,
	[O_Ey] = WIDTH_Y, [O_Gy] = WIDTH_Y, [O_My] = WIDTH_Y, [O_Ry] = WIDTH_Y, [O_By] = WIDTH_Y,
	[O_Gr] = WIDTH_R, [O_Rr] = WIDTH_R, [O_Cd] = WIDTH_R, [O_Dd] = WIDTH_R,
	[O_eAX] = WIDTH_Z, [O_Xz] = WIDTH_Z, [O_Yz] = WIDTH_Z, [O_Iz] = WIDTH_Z,
	[O_Rm] = WIDTH_RM,
};

unsigned
insn_width(const struct insn *i, unsigned n, bool code64)
{
	unsigned width = widths[i->opnd[n]];

	if (width == WIDTH_V)
		return i->width;
	if (width < WIDTH_Y)
		return width;
	switch (width) {
	case WIDTH_Y:
		return i->rex & REX_W ? 8 : 4;
	case WIDTH_R:
		return code64 ? 8 : 4;
	case WIDTH_Z:
		return i->width == 8 ? 4 : i->width;
	case WIDTH_RM:
		return i->mod == 3 ? i->width : 2;
	default:
		return 0;
	}
}

/* ---- all together ---- */

/* Reads what follows the opcode of a known row. */
static void
body(struct insn *i, struct decode_mode m, struct reader *r, bool has_modrm)
{
	bool rip_relative = false;

	operand_sizes(i, m);
	if (i->flags & ROW_MOD3)
		i->mod = 3;
	if (has_modrm && i->mod != 3)
		rip_relative = memory(i, m, r);
	else if (i->opnd[0] == O_Ob || i->opnd[0] == O_Ov || i->opnd[1] == O_Ob || i->opnd[1] == O_Ov) {
		i->mem.seg = i->seg != IR_NO_REG ? i->seg : SEG_DS;
		i->mem.how = insn_addressing(m, i->mem.seg);
	}
	immediates(i, r);
	if (rip_relative)
		i->mem.disp += (int64_t)(i->rip + r->at);
	i->len = r->at;
}

static enum decode_result
lengths(struct insn *i, const struct reader *r, enum decode_result otherwise)
{
	i->len = r->at < MAX_LEN ? r->at : MAX_LEN;
	if (r->at > MAX_LEN)
		return r->avail < MAX_LEN ? DECODE_MORE : DECODE_LONG;
	return r->at > r->avail ? DECODE_MORE : otherwise;
}

/* A vector instruction: always with ModRM, and with what immediate the row says. */
static enum decode_result
vector(struct insn *i, struct decode_mode m, struct reader *r)
{
	bool rip_relative = false;

	if (vec_exists(i))
		modrm(i, r);
	i->vec = vec_find(i);
	if (i->vec == NULL)
		return lengths(i, r, DECODE_UD);
	operand_sizes(i, m);
	if (i->mod != 3)
		rip_relative = memory(i, m, r);
	if (i->vec->flags & (VEC_IMM8 | VEC_IMM16))
		i->imm = (int64_t)get(r, i->vec->flags & VEC_IMM8 ? 1 : 2);
	if (rip_relative)
		i->mem.disp += (int64_t)(i->rip + r->at);
	return lengths(i, r, i->lock || !vec_is_legal(i) ? DECODE_UD : DECODE_OK);
}

/* The same with a VEX prefix. */
static enum decode_result
avx(struct insn *i, struct decode_mode m, struct reader *r)
{
	bool rip_relative = false, has_modrm = avx_has_modrm(i);

	if (has_modrm)
		modrm(i, r);
	i->avx = avx_find(i);
	if (i->avx == NULL)
		return lengths(i, r, DECODE_UD);
	operand_sizes(i, m);
	i->vsib = i->avx->form == AVX_GATHER;
	if (has_modrm && i->mod != 3)
		rip_relative = memory(i, m, r);
	if (i->avx->flags & VEC_IMM8)
		i->imm = (int64_t)get(r, 1);
	if (rip_relative)
		i->mem.disp += (int64_t)(i->rip + r->at);
	return lengths(i, r, avx_is_legal(i) ? DECODE_OK : DECODE_UD);
}

/* The same with an EVEX prefix. */
static enum decode_result
avx512(struct insn *i, struct decode_mode m, struct reader *r)
{
	bool rip_relative = false;

	modrm(i, r);
	i->evex = evex_find(i);
	if (i->evex == NULL)
		return lengths(i, r, DECODE_UD);
	operand_sizes(i, m);
	i->vsib = i->evex->form == AVX_GATHER || i->evex->form == AVX_SCATTER;
	i->disp_unit = (uint8_t)evex_unit(i);
	if (i->mod != 3)
		rip_relative = memory(i, m, r);
	if (evex_flags(i->evex) & VEC_IMM8)
		i->imm = (int64_t)get(r, 1);
	if (rip_relative)
		i->mem.disp += (int64_t)(i->rip + r->at);
	return lengths(i, r, evex_is_legal(i) ? DECODE_OK : DECODE_UD);
}

/* In two parts: for all of it at once compilers take a string instruction, which takes longer to begin than this to end. */
static void
clear(struct insn *i)
{
	enum { FIRST = 48 };

	memset(i, 0, FIRST);
	memset((uint8_t *)i + FIRST, 0, sizeof(*i) - FIRST);
	i->seg = i->mem.base = i->mem.index = IR_NO_REG;
}

static enum decode_result
decode_readable(struct insn *i, const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m)
{
	struct reader r = { bytes, 0, avail };
	const struct row *row;
	bool has_modrm = false;

	clear(i);
	i->rip = rip;
	i->disp_unit = 1;
	opcode(i, m, &r);
	i->addr_width = m.code == 8 ? (i->addr_prefix ? 4 : 8) : i->addr_prefix == (m.code == 2) ? 4 : 2;
	if (r.at > r.avail)
		return lengths(i, &r, DECODE_UD);
	if (i->encoding == ENC_EVEX && !i->no_such)
		return avx512(i, m, &r);
	/* Before a row is looked for: there are maps with EVEX alone. */
	if (i->no_such)
		return lengths(i, &r, DECODE_UD);
	if (i->encoding == ENC_VEX)
		row = vex_row(i->map, i->prefix, i->opcode);
	else
		row = i->map == MAP_0F3A ? NULL : &map_rows[i->map][i->opcode];
	if (row == NULL || (row->gen == NULL && row->group == 0))
		return i->map == MAP_1 ? lengths(i, &r, DECODE_UD) : i->encoding == ENC_VEX ? avx(i, m, &r) : vector(i, m, &r);
	i->row = resolve(i, row, &r, &has_modrm);
	if (i->row == NULL)
		return lengths(i, &r, DECODE_UD);
	body(i, m, &r, has_modrm);
	return lengths(i, &r, is_legal(i, m) ? DECODE_OK : DECODE_UD);
}

enum decode_result
decode(struct insn *i, const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m)
{
	uint8_t copy[READABLE] = { 0 };

	if (avail >= READABLE)
		return decode_readable(i, bytes, MAX_LEN, rip, m);
	avail = avail < MAX_LEN ? avail : MAX_LEN;
	memcpy(copy, bytes, avail);
	return decode_readable(i, copy, avail, rip, m);
}
