/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a correct block of IR never breaks.  One pass, a table look-up for each operand: it runs for every block of every
 * build.
 *
 * SHAPES says for each operation which kinds of operand may stand where, and at which widths.  What a table can't say follows in
 * check_op and its kin.
 */
#include "tcg/ir.h"

#include "tcg/evex.h"
#include "tcg/op.h"
#include "tcg/vec.h"

enum {
	N = 1 << IR_NONE,
	G = 1 << IR_GPR,
	H = 1 << IR_GPRH,
	T = 1 << IR_TEMP,
	I = 1 << IR_IMM,
	M = 1 << IR_MEM,
	F = 1 << IR_FIELD,
	X = 1 << IR_XMM,
	Y = 1 << IR_MM,
	K = 1 << IR_K,
	INT = G | H | T | F | M, /* an integer that may be read and written */
	WORD = G | T | F | M,    /* the same, never a high byte */
};

/* Widths as a mask of themselves; 0 needs no bit. */
enum { ANY = 1 | 2 | 4 | 8, WIDE = 2 | 4 | 8, LONG = 4 | 8 };

struct shape {
	uint16_t dst, src, src2;
	uint8_t widths;
};

static const struct shape shapes[IR_OPS] = {
	[IR_mov] = { INT, INT | I, N, ANY },
	[IR_movzx] = { G | T, INT, N, WIDE },
	[IR_movsx] = { G | T, INT, N, WIDE },
	[IR_lea] = { G | T | F, M, N, WIDE },
	[IR_xchg] = { G | H | T | M, G | H | T, N, ANY },
	[IR_bswap] = { G | T, N, N, LONG },
	[IR_setcc] = { INT, N, N, 1 },
	[IR_cmovcc] = { G | T, WORD, N, WIDE },
	[IR_cwd] = { G | T, G | T, N, WIDE },
	[IR_add] = { INT, INT | I, N, ANY },
	[IR_adc] = { INT, INT | I, N, ANY },
	[IR_sub] = { INT, INT | I, N, ANY },
	[IR_sbb] = { INT, INT | I, N, ANY },
	[IR_and] = { INT, INT | I, N, ANY },
	[IR_or] = { INT, INT | I, N, ANY },
	[IR_xor] = { INT, INT | I, N, ANY },
	[IR_cmp] = { INT, INT | I, N, ANY },
	[IR_test] = { INT, INT | I, N, ANY },
	[IR_inc] = { INT, N, N, ANY },
	[IR_dec] = { INT, N, N, ANY },
	[IR_neg] = { INT, N, N, ANY },
	[IR_not] = { INT, N, N, ANY },
	[IR_mul] = { INT, N, N, ANY },
	[IR_imul1] = { INT, N, N, ANY },
	[IR_imul2] = { G | T, WORD, N, WIDE },
	[IR_imul3] = { G | T, WORD, I, WIDE },
	[IR_div] = { INT, N, N, ANY },
	[IR_idiv] = { INT, N, N, ANY },
	[IR_shl] = { INT, G | I, N, ANY },
	[IR_shr] = { INT, G | I, N, ANY },
	[IR_sar] = { INT, G | I, N, ANY },
	[IR_rol] = { INT, G | I, N, ANY },
	[IR_ror] = { INT, G | I, N, ANY },
	[IR_rcl] = { INT, G | I, N, ANY },
	[IR_rcr] = { INT, G | I, N, ANY },
	[IR_shld] = { G | T | M, G | T, G | I, WIDE },
	[IR_shrd] = { G | T | M, G | T, G | I, WIDE },
	[IR_bt] = { G | T | M, G | T | I, N, WIDE },
	[IR_bts] = { G | T | M, G | T | I, N, WIDE },
	[IR_btr] = { G | T | M, G | T | I, N, WIDE },
	[IR_btc] = { G | T | M, G | T | I, N, WIDE },
	[IR_bsf] = { G | T, WORD, N, WIDE },
	[IR_bsr] = { G | T, WORD, N, WIDE },
	[IR_tzcnt] = { G | T, WORD, N, WIDE },
	[IR_lzcnt] = { G | T, WORD, N, WIDE },
	[IR_popcnt] = { G | T, WORD, N, WIDE },
	[IR_andn] = { G | T, G | T, WORD, LONG },
	[IR_bextr] = { G | T, WORD, G | T, LONG },
	[IR_bzhi] = { G | T, WORD, G | T, LONG },
	[IR_blsi] = { G | T, WORD, N, LONG },
	[IR_blsmsk] = { G | T, WORD, N, LONG },
	[IR_blsr] = { G | T, WORD, N, LONG },
	[IR_pdep] = { G | T, G | T, WORD, LONG },
	[IR_pext] = { G | T, G | T, WORD, LONG },
	[IR_sarx] = { G | T, WORD, G | T, LONG },
	[IR_shlx] = { G | T, WORD, G | T, LONG },
	[IR_shrx] = { G | T, WORD, G | T, LONG },
	[IR_rorx] = { G | T, WORD, I, LONG },
	[IR_mulx] = { G, G, WORD, LONG },
	[IR_adcx] = { G | T, WORD, N, LONG },
	[IR_adox] = { G | T, WORD, N, LONG },
	[IR_crc32] = { G | T, INT, N, LONG },
	[IR_clc] = { N, N, N, ANY },
	[IR_stc] = { N, N, N, ANY },
	[IR_cmc] = { N, N, N, ANY },
	[IR_mfence] = { N, N, N, ANY },
	[IR_sfence] = { N, N, N, ANY },
	[IR_lahf] = { H, N, N, 1 },
	[IR_sahf] = { H, N, N, 1 },
	[IR_getflags] = { G | T, N, N, WIDE },
	[IR_setflags] = { G | T, N, N, WIDE },
	[IR_keep_bits] = { T | F, I, N, LONG },
	[IR_set_bits] = { T | F, I, N, LONG },
	[IR_cmpxchg] = { G | H | T | M, G | H | T, N, ANY },
	[IR_xadd] = { G | H | T | M, G | H | T, N, ANY },
	[IR_cmpxchg8b] = { M, N, N, 8 | 16 },
	[IR_vec] = { G | X | Y | M, N | G | X | Y | M, N | X | Y, ANY | 16 },
	[IR_avx] = { N | G | X | M | K, N | G | X | M | K, N | G | X | M | K, ANY | 16 | 32 },
	[IR_evex] = { G | X | M | K, G | X | M | K, N | G | X | M, ANY | 16 | 32 | 64 },
	[IR_x87] = { N | G | M, N | M, N, ANY },
	[IR_call] = { N | G | T, N | G | T | F, N | G | T | F, ANY },
	[IR_call_if] = { F, N, N, 4 },
	[IR_jcc] = { N, N, N, 8 },
	[IR_jmp] = { N, N, N, 8 },
	[IR_jind] = { G | T | F, N, N, 8 },
	[IR_exit] = { N, N, N, 8 },
	[IR_insn] = { N, N, N, 0 },
};

/* How many registers of a kind there are. */
static const uint8_t registers[] = {
	[IR_GPR] = 16, [IR_GPRH] = 4, [IR_TEMP] = IR_TEMPS, [IR_XMM] = 32, [IR_MM] = 8, [IR_K] = 8, [IR_NONE] = 1, [IR_IMM] = 1, [IR_MEM] = 1,
	[IR_FIELD] = 1,
};

struct verifier {
	const struct ir *ir;
	uint8_t temp[IR_TEMPS]; /* bytes that the current guest instruction wrote last */
	unsigned guests;
};

/* ---- temporaries ---- */

static bool
temp_is_there(const struct verifier *v, struct ir_opnd o, unsigned width)
{
	return o.kind != IR_TEMP || v->temp[o.reg] >= width;
}

static const char *
check_temps(struct verifier *v, const struct ir_insn *i)
{
	unsigned width = i->op == IR_movzx || i->op == IR_movsx || i->op == IR_crc32 ? i->src_width : i->width;
	unsigned traits = ir_ops[i->op].traits;

	if (!temp_is_there(v, i->src, width) || !temp_is_there(v, i->src2, width))
		return "a temporary is read before it is written, or wider";
	if (!(traits & PURE) && i->op != IR_call && !temp_is_there(v, i->dst, i->width))
		return "the temporary of dst is read before it is written, or wider";
	if (i->dst.kind == IR_TEMP && !(traits & (READS | END)))
		v->temp[i->dst.reg] = i->width;
	return NULL;
}

/* ---- memory ---- */

static const char *
check_address_reg(const struct verifier *v, unsigned reg, unsigned width)
{
	if (reg == IR_NO_REG || reg < IR_TEMP_REG)
		return NULL;
	if (reg >= IR_TEMP_REG + IR_TEMPS)
		return "no such base or index";
	return v->temp[reg - IR_TEMP_REG] >= width ? NULL : "an address needs a temporary that is not written yet, or wider";
}

static const char *
check_mem(const struct verifier *v, const struct ir_insn *i)
{
	const struct ir_mem *m = &i->mem;
	const char *wrong;

	if (m->seg > SEG_GS || m->how > ADDR_CHECKED || m->scale > 3)
		return "no such segment, way of addressing or scale";
	if (m->addr_width != 2 && m->addr_width != 4 && m->addr_width != 8)
		return "addresses have 2, 4 or 8 bytes";
	if (m->how == ADDR_CHECKED && m->addr_width == 8)
		return "an address of 8 bytes in a segment with a limit";
	if (m->align & (m->align - 1))
		return "the alignment is no power of 2";
	if (m->base != IR_NO_REG && m->index != IR_NO_REG && m->disp != (int32_t)m->disp)
		return "base, index and a displacement of 64 bits";
	if (i->op != IR_lea && !(i->attr & (IR_READ | IR_WRITE)))
		return "the memory operand is neither read nor written";
	wrong = check_address_reg(v, m->base, m->addr_width);
	return wrong != NULL ? wrong : check_address_reg(v, m->index, m->addr_width);
}

/* ---- vectors and x87 ---- */

static bool
fits(struct ir_opnd o, unsigned kind, bool memory)
{
	switch (o.kind) {
	case IR_MEM:
		return memory;
	case IR_XMM:
		return kind == VEC_KIND_X;
	case IR_MM:
		return kind == VEC_KIND_M;
	case IR_GPR:
		return kind == VEC_KIND_G;
	default:
		return false;
	}
}

static const char *
check_vec(const struct ir_insn *i)
{
	const struct vec_row *r = &vec_rows[i->sub < VEC_ROWS ? i->sub : 0];
	bool memory = !(r->flags & VEC_REGS), fine, wide;

	if (i->sub >= VEC_ROWS)
		return "no such vector instruction";
	switch (r->form) {
	case VEC_RM:
		fine = fits(i->dst, r->reg, false) && fits(i->src, r->rm, memory) && i->src2.kind == IR_NONE;
		break;
	case VEC_MR:
		fine = fits(i->dst, r->rm, memory) && fits(i->src, r->reg, false) && i->src2.kind == IR_NONE;
		break;
	case VEC_EXT:
		fine = fits(i->dst, r->rm, false) && i->src.kind == IR_NONE && i->src2.kind == IR_NONE;
		break;
	default:
		fine = i->dst.kind == IR_MEM && fits(i->src, r->reg, false) && fits(i->src2, r->rm, false);
		break;
	}
	if (!fine)
		return "operands that the vector instruction has not";
	if (i->src_width != 4 && i->src_width != 8)
		return "a vector instruction's general register has 4 or 8 bytes";
	if (r->form == VEC_MASK)
		wide = i->width == (r->reg == VEC_KIND_M ? 8 : 16);
	else if (!ir_has_mem(i))
		wide = i->width == 16;
	else
		wide = r->size != 0 ? i->width == r->size : i->width == 4 || i->width == 8;
	return wide ? NULL : "a width that the vector instruction has not";
}

static const char *
check_avx(const struct ir_insn *i)
{
	const struct avx_row *r = &avx_rows[i->sub < AVX_ROWS ? i->sub : 0];

	if (i->sub >= AVX_ROWS || r->form == AVX_MASK)
		return "no such vector instruction";
	if (i->src_width != 4 && i->src_width != 8)
		return "a vector instruction's general register has 4 or 8 bytes";
	if (ir_has_mem(i) && i->width != avx_memory_size(r, AVX_AUX_L(i->aux), i->src_width))
		return "a width that the vector instruction has not";
	return NULL;
}

static const char *
check_evex(const struct ir_insn *i)
{
	const struct evex_row *r = &evex_rows[i->sub < EVEX_ROWS ? i->sub : 0];
	bool memory = ir_has_mem(i), b = EVEX_AUX_B(i->aux);

	if (i->sub >= EVEX_ROWS)
		return "no such vector instruction";
	if (i->src_width != 4 && i->src_width != 8)
		return "a vector instruction's general register has 4 or 8 bytes";
	if (EVEX_AUX_LL(i->aux) == 3 && !(b && !memory))
		return "no such length of a vector";
	if (memory && i->width != evex_memory_size(r, evex_length(r, EVEX_AUX_LL(i->aux), b, true), b, i->src_width))
		return "a width that the vector instruction has not";
	return NULL;
}

static const char *
check_x87(const struct ir_insn *i)
{
	bool memory = (i->sub & 0xff) < 0xc0;

	if (i->sub > 0x7ff || (memory && i->sub & 7))
		return "no such x87 instruction";
	if (memory != ir_has_mem(i))
		return "a memory operand where x87 has a register, or the reverse";
	return NULL;
}

/* ---- control ---- */

static const char *
check_control(const struct ir *ir, unsigned n)
{
	const struct ir_insn *i = &ir->insn[n];
	bool last = n + 1u == ir->count;

	if (last != ((ir_ops[i->op].traits & END) != 0))
		return last ? "the block has no end" : "an operation behind the end";
	if (i->op == IR_jcc && (n + 2u != ir->count || i[1].op != IR_jmp))
		return "a conditional jump stands right before the final jmp";
	if (i->attr & (IR_HINT_CALL | IR_HINT_RET) && i->op != IR_jmp && i->op != IR_jind)
		return "a hint on what is no jump";
	if (i->attr & IR_RIP_SET && i->op != IR_exit)
		return "RIP_SET on what is no exit";
	return NULL;
}

/* ---- all of them ---- */

static bool
in_shape(struct ir_opnd o, unsigned kinds)
{
	return o.kind <= IR_K && kinds >> o.kind & 1 && (o.kind == IR_FIELD || o.reg < registers[o.kind]);
}

/* Registers 16 to 31 take an EVEX prefix. */
static bool
needs_evex(struct ir_opnd o)
{
	return o.kind == IR_XMM && o.reg > 15;
}

static const char *
check_shape(const struct ir_insn *i)
{
	const struct shape *s = &shapes[i->op];
	unsigned mems = (i->dst.kind == IR_MEM) + (i->src.kind == IR_MEM) + (i->src2.kind == IR_MEM);
	unsigned imms = (i->src.kind == IR_IMM) + (i->src2.kind == IR_IMM);

	if (!in_shape(i->dst, s->dst) || !in_shape(i->src, s->src) || !in_shape(i->src2, s->src2))
		return "an operand that the operation does not take";
	if (i->op != IR_evex && (needs_evex(i->dst) || needs_evex(i->src) || needs_evex(i->src2)))
		return "a register that only an EVEX prefix reaches";
	if (mems > 1 || imms > 1)
		return "two memory operands or two immediates";
	if (i->op != IR_x87 && (s->widths == 0 ? i->width != 0 : !(s->widths & i->width) || i->width & (i->width - 1)))
		return "a width that the operation has not";
	return NULL;
}

/* High bytes are one byte, whichever operand they are. */
static bool
high_bytes_fit(const struct ir_insn *i)
{
	bool converts = i->op == IR_movzx || i->op == IR_movsx || i->op == IR_crc32;

	if (i->dst.kind == IR_GPRH && i->width != 1)
		return false;
	return i->src.kind != IR_GPRH || (converts ? i->src_width : i->width) == 1;
}

static bool
is_count(struct ir_opnd o)
{
	return o.kind == IR_IMM || (o.kind == IR_GPR && o.reg == 1);
}

/* From 1, 2, 4 bytes into 4, from 1 or 8 into 8. */
static bool
crc_fits(const struct ir_insn *i)
{
	return i->src_width == 1 || (i->width == 8 ? i->src_width == 8 : i->src_width == 2 || i->src_width == 4);
}

static const char *
check_op(const struct ir_insn *i)
{
	if (!high_bytes_fit(i))
		return "a high byte at another width than 1";
	if (ir_ops[i->op].traits & COND && i->cond > 15)
		return "no such condition";
	if (i->attr & IR_LOCKED && (i->attr & (IR_READ | IR_WRITE)) != (IR_READ | IR_WRITE))
		return "an atomic operation that does not read and write memory";
	if ((i->reads | i->writes) & ~FL_ALL)
		return "no such flag";
	if ((i->op == IR_movzx || i->op == IR_movsx) && (i->src_width == 0 || i->src_width >= i->width))
		return "an extension that does not extend";
	if (i->op == IR_crc32 && !crc_fits(i))
		return "a width that the operation has not";
	if (i->op >= IR_shl && i->op <= IR_rcr && !is_count(i->src))
		return "a shift count is an immediate or CL";
	if ((i->op == IR_shld || i->op == IR_shrd) && !is_count(i->src2))
		return "a shift count is an immediate or CL";
	if (i->op == IR_imul3 && i->width == 8 && i->imm != (int32_t)i->imm)
		return "a factor of more than 32 bits";
	if ((i->op == IR_call || i->op == IR_call_if) && i->imm == 0)
		return "a call of nothing";
	if (i->op == IR_call_if && i->sub == 0)
		return "a call that never happens";
	if ((i->op == IR_keep_bits || i->op == IR_set_bits) && i->imm != (int32_t)i->imm)
		return "a mask of more than 32 bits";
	switch (i->op) {
	case IR_vec:
		return check_vec(i);
	case IR_avx:
		return check_avx(i);
	case IR_evex:
		return check_evex(i);
	case IR_x87:
		return check_x87(i);
	default:
		return NULL;
	}
}

static const char *
check_guest(struct verifier *v, const struct ir_insn *i)
{
	if (i->op == IR_insn) {
		if (v->guests == IR_MAX_GUEST || v->ir->guest_rip[v->guests] != (uint64_t)i->imm)
			return "the start of a guest instruction that the block does not know";
		for (unsigned n = 0; n < IR_TEMPS; n++)
			v->temp[n] = 0;
		v->guests++;
	}
	return v->guests != 0 && i->guest == v->guests - 1 ? NULL : "an operation of no guest instruction";
}

const char *
ir_verify(const struct ir *ir)
{
	struct verifier v = { .ir = ir };
	const char *wrong = ir->count == 0 || ir->count > IR_MAX_INSNS ? "an empty block, or too long a one" : NULL;

	for (unsigned n = 0; wrong == NULL && n < ir->count; n++) {
		const struct ir_insn *i = &ir->insn[n];

		if (i->op >= IR_OPS)
			return "no such operation";
		wrong = check_guest(&v, i);
		if (wrong == NULL)
			wrong = check_control(ir, n);
		if (wrong == NULL)
			wrong = check_shape(i);
		if (wrong == NULL)
			wrong = check_op(i);
		if (wrong == NULL && ir_has_mem(i))
			wrong = check_mem(&v, i);
		if (wrong == NULL)
			wrong = check_temps(&v, i);
	}
	return wrong != NULL ? wrong : v.guests != ir->guests ? "a guest instruction without its start" : NULL;
}
