/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer instructions: moving, arithmetic, shifts, bits, flags. */
#include "cpu/gen.h"

/* ---- moving ---- */

void
gen_NOP(struct trans *t)
{
	(void)t;
}

/* LFENCE is a NOP: loads are in order, and nothing is done before its time. */
void
gen_MFENCE(struct trans *t)
{
	ir_op1(t->ir, IR_mfence, 1, ir_none());
}

/* For the stores that don't wait for others: the host makes them too. */
void
gen_SFENCE(struct trans *t)
{
	ir_op1(t->ir, IR_sfence, 1, ir_none());
}

/* There is no cache, but the address is checked as for a load. */
void
gen_CLFLUSH(struct trans *t)
{
	gen_helper(t, &helper_clflush, ir_none(), temp_ea(t), ir_none(), 0);
}

void
gen_MOV(struct trans *t)
{
	gen_on_operands(t, IR_mov, 2);
}

void
gen_MOVDIRI(struct trans *t)
{
	gen_MOV(t);
}

void
gen_LEA(struct trans *t)
{
	gen_on_operands(t, IR_lea, 2);
}

static void
extend(struct trans *t, enum ir_op op)
{
	unsigned from = opnd_width(t, 1);

	if (from >= t->width)
		gen_MOV(t);
	else
		gen_on_operands(t, op, 2)->src_width = from;
}

void
gen_MOVZX(struct trans *t)
{
	extend(t, IR_movzx);
}

void
gen_MOVSX(struct trans *t)
{
	extend(t, IR_movsx);
}

/* 63h: MOVSXD Gv, Ed in 64-bit mode, else ARPL Ew, Gw. */
void
gen_ARPL_MOVSXD(struct trans *t)
{
	struct insn *i = &t->insn;
	val v, r;

	if (t->dm.code == 8) {
		i->opnd[0] = O_Gv;
		i->opnd[1] = i->width == 8 ? O_Ed : O_Ev;
		extend(t, IR_movsx);
		return;
	}
	i->opnd[0] = O_Ew;
	i->opnd[1] = O_Gw;
	v = temp_zero_extended(t, 2, opnd(t, 0));
	r = temp_zero_extended(t, 2, opnd(t, 1));
	/* The store that may fault comes before ZF changes. */
	ir_op2(t->ir, IR_mov, 2, opnd(t, 0), v);
	gen_helper(t, &helper_arpl, v, v, r, 0);
	ir_op2(t->ir, IR_mov, 2, opnd(t, 0), v);
}

void
gen_XCHG(struct trans *t)
{
	gen_on_operands(t, IR_xchg, 2);
}

/* 90h is NOP, and PAUSE with F3, unless REX.B makes it R8. */
void
gen_XCHG_ACC(struct trans *t)
{
	if (t->insn.opcode != 0x90 || t->insn.rex & REX_B)
		gen_XCHG(t);
}

void
gen_CBW(struct trans *t)
{
	ir_op2(t->ir, IR_movsx, t->insn.width, ir_gpr(RAX), ir_gpr(RAX))->src_width = t->insn.width / 2;
}

void
gen_CWD(struct trans *t)
{
	ir_op2(t->ir, IR_cwd, t->insn.width, ir_gpr(RDX), ir_gpr(RAX));
}

/* BSWAP of 16 bits is undefined; processors clear them. */
void
gen_BSWAP(struct trans *t)
{
	if (t->width == 2)
		ir_op2(t->ir, IR_mov, 2, opnd(t, 0), ir_imm(0));
	else
		gen_unary(t, IR_bswap);
}

void
gen_MOVBE(struct trans *t)
{
	val v = temp_of(t, t->width, opnd(t, 1));

	/* bswap has no 16 bits; the shift's flags must not show. */
	if (t->width == 2) {
		val flags = ir_temp(t->ir);

		ir_op2(t->ir, IR_movzx, 4, v, v)->src_width = 2;
		ir_op1(t->ir, IR_bswap, 4, v);
		ir_op1(t->ir, IR_getflags, 4, flags);
		ir_op2(t->ir, IR_shr, 4, v, ir_imm(16));
		ir_op1(t->ir, IR_setflags, 4, flags);
	} else {
		ir_op1(t->ir, IR_bswap, t->width, v);
	}
	ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), v);
}

void
gen_SETCC(struct trans *t)
{
	gen_on_operands(t, IR_setcc, 1)->cond = t->insn.opcode & 0xf;
}

void
gen_CMOVCC(struct trans *t)
{
	gen_on_operands(t, IR_cmovcc, 2)->cond = t->insn.opcode & 0xf;
}

void
gen_XLAT(struct trans *t)
{
	unsigned seg = t->insn.seg != IR_NO_REG ? t->insn.seg : SEG_DS;
	val index = temp_zero_extended(t, 1, ir_gpr(RAX)), m = mem_at(t, seg, RBX, 0, t->insn.addr_width);

	m.mem.index = IR_TEMP_REG + index.o.reg;
	ir_op2(t->ir, IR_mov, 1, ir_gpr(RAX), m);
}

/* ---- arithmetic ---- */

void
gen_ADD(struct trans *t)
{
	gen_binary(t, IR_add);
}

void
gen_OR(struct trans *t)
{
	gen_binary(t, IR_or);
}

void
gen_ADC(struct trans *t)
{
	gen_binary(t, IR_adc);
}

void
gen_SBB(struct trans *t)
{
	gen_binary(t, IR_sbb);
}

void
gen_AND(struct trans *t)
{
	gen_binary(t, IR_and);
}

void
gen_SUB(struct trans *t)
{
	gen_binary(t, IR_sub);
}

void
gen_XOR(struct trans *t)
{
	gen_binary(t, IR_xor);
}

void
gen_CMP(struct trans *t)
{
	gen_binary(t, IR_cmp);
}

void
gen_TEST(struct trans *t)
{
	gen_binary(t, IR_test);
}

void
gen_INC(struct trans *t)
{
	gen_unary(t, IR_inc);
}

void
gen_DEC(struct trans *t)
{
	gen_unary(t, IR_dec);
}

void
gen_NEG(struct trans *t)
{
	gen_unary(t, IR_neg);
}

void
gen_NOT(struct trans *t)
{
	gen_unary(t, IR_not);
}

void
gen_MUL(struct trans *t)
{
	gen_unary(t, IR_mul);
}

void
gen_IMUL1(struct trans *t)
{
	gen_unary(t, IR_imul1);
}

void
gen_IMUL2(struct trans *t)
{
	gen_binary(t, IR_imul2);
}

void
gen_IMUL3(struct trans *t)
{
	ir_emit(t->ir, IR_imul3, t->width, opnd(t, 0), opnd(t, 1), opnd(t, 2));
}

void
gen_DIV(struct trans *t)
{
	gen_unary(t, IR_div);
}

void
gen_IDIV(struct trans *t)
{
	gen_unary(t, IR_idiv);
}

void
gen_CMPXCHG(struct trans *t)
{
	gen_binary(t, IR_cmpxchg);
}

void
gen_XADD(struct trans *t)
{
	gen_binary(t, IR_xadd);
}

void
gen_CMPXCHG8B(struct trans *t)
{
	struct ir_insn *i;
	unsigned width = t->insn.rex & REX_W ? 16 : 8;
	val m = opnd(t, 0);

	if (width == 16 && !trans_has(t, FEAT_cx16)) {
		gen_raise(t, EXC_UD);
		return;
	}
	if (width == 16)
		m.mem.align = 16;
	i = ir_op1(t->ir, IR_cmpxchg8b, width, m);
	if (t->insn.lock)
		i->attr |= IR_LOCKED;
}

/* ---- shifts ---- */

void
gen_ROL(struct trans *t)
{
	gen_binary(t, IR_rol);
}

void
gen_ROR(struct trans *t)
{
	gen_binary(t, IR_ror);
}

void
gen_RCL(struct trans *t)
{
	gen_binary(t, IR_rcl);
}

void
gen_RCR(struct trans *t)
{
	gen_binary(t, IR_rcr);
}

void
gen_SHL(struct trans *t)
{
	gen_binary(t, IR_shl);
}

void
gen_SHR(struct trans *t)
{
	gen_binary(t, IR_shr);
}

void
gen_SAR(struct trans *t)
{
	gen_binary(t, IR_sar);
}

void
gen_SHLD(struct trans *t)
{
	ir_emit(t->ir, IR_shld, t->width, opnd(t, 0), opnd(t, 1), opnd(t, 2));
}

void
gen_SHRD(struct trans *t)
{
	ir_emit(t->ir, IR_shrd, t->width, opnd(t, 0), opnd(t, 1), opnd(t, 2));
}

/* ---- bits ---- */

static unsigned
log2_of(unsigned width)
{
	return width == 8 ? 3 : width == 4 ? 2 : 1;
}

/* The word that holds bit number REG, counted from the operand's address on; the flags are kept over the arithmetic. */
static val
bit_string_word(struct trans *t, val reg)
{
	val ea = temp_ea(t), flags = ir_temp(t->ir), word = ir_temp(t->ir);
	struct ir_mem m = t->insn.mem;

	ir_op1(t->ir, IR_getflags, 4, flags);
	if (t->width == 8)
		ir_op2(t->ir, IR_mov, 8, word, reg);
	else
		ir_op2(t->ir, IR_movsx, 8, word, reg)->src_width = t->width;
	ir_op2(t->ir, IR_sar, 8, word, ir_imm(3 + log2_of(t->width)));
	ir_op1(t->ir, IR_setflags, 4, flags);
	m.base = IR_TEMP_REG + ea.o.reg;
	m.index = IR_TEMP_REG + word.o.reg;
	m.scale = log2_of(t->width);
	m.disp = 0;
	return ir_mem(m);
}

static void
bit_test(struct trans *t, enum ir_op op)
{
	struct ir_insn *i;
	val dst = opnd(t, 0), bit = opnd(t, 1);

	if (dst.o.kind == IR_MEM && bit.o.kind == IR_GPR)
		dst = bit_string_word(t, bit);
	else if (bit.o.kind == IR_IMM)
		bit.imm &= 8 * t->width - 1;
	i = ir_op2(t->ir, op, t->width, dst, bit);
	if (t->insn.lock)
		i->attr |= IR_LOCKED;
}

void
gen_BT(struct trans *t)
{
	bit_test(t, IR_bt);
}

void
gen_BTS(struct trans *t)
{
	bit_test(t, IR_bts);
}

void
gen_BTR(struct trans *t)
{
	bit_test(t, IR_btr);
}

void
gen_BTC(struct trans *t)
{
	bit_test(t, IR_btc);
}

/* F3 makes it TZCNT where that exists, and means nothing elsewhere. */
void
gen_BSF(struct trans *t)
{
	gen_binary(t, t->insn.rep == 0xf3 && trans_has(t, FEAT_bmi1) ? IR_tzcnt : IR_bsf);
}

void
gen_BSR(struct trans *t)
{
	gen_binary(t, t->insn.rep == 0xf3 && trans_has(t, FEAT_abm) ? IR_lzcnt : IR_bsr);
}

void
gen_POPCNT(struct trans *t)
{
	gen_binary(t, IR_popcnt);
}

void
gen_CRC32(struct trans *t)
{
	ir_op2(t->ir, IR_crc32, t->width, opnd(t, 0), opnd(t, 1))->src_width = opnd_width(t, 1);
}

/* ---- flags ---- */

void
gen_CLC(struct trans *t)
{
	ir_op1(t->ir, IR_clc, 1, ir_none());
}

void
gen_STC(struct trans *t)
{
	ir_op1(t->ir, IR_stc, 1, ir_none());
}

void
gen_CMC(struct trans *t)
{
	ir_op1(t->ir, IR_cmc, 1, ir_none());
}

void
gen_CLD(struct trans *t)
{
	ir_op2(t->ir, IR_mov, 8, ir_field(offsetof(struct tcg_frame, df)), ir_imm(1));
}

void
gen_STD(struct trans *t)
{
	ir_op2(t->ir, IR_mov, 8, ir_field(offsetof(struct tcg_frame, df)), ir_imm(-1));
}

static bool
lacks_lahf(const struct trans *t)
{
	return t->dm.code == 8 && !trans_has(t, FEAT_lahf_lm);
}

void
gen_LAHF(struct trans *t)
{
	if (lacks_lahf(t))
		gen_raise(t, EXC_UD);
	else
		ir_op1(t->ir, IR_lahf, 1, ir_gprh(RAX));
}

void
gen_SAHF(struct trans *t)
{
	if (lacks_lahf(t))
		gen_raise(t, EXC_UD);
	else
		ir_op1(t->ir, IR_sahf, 1, ir_gprh(RAX));
}

/* ---- decimal arithmetic ---- */

static void
decimal(struct trans *t, const struct ir_helper *h)
{
	gen_helper(t, h, ir_none(), ir_none(), ir_none(), (unsigned)t->insn.imm & 0xff);
}

void
gen_DAA(struct trans *t)
{
	decimal(t, &helper_daa);
}

void
gen_DAS(struct trans *t)
{
	decimal(t, &helper_das);
}

void
gen_AAA(struct trans *t)
{
	decimal(t, &helper_aaa);
}

void
gen_AAS(struct trans *t)
{
	decimal(t, &helper_aas);
}

void
gen_AAM(struct trans *t)
{
	decimal(t, &helper_aam);
}

void
gen_AAD(struct trans *t)
{
	decimal(t, &helper_aad);
}

void
gen_SALC(struct trans *t)
{
	decimal(t, &helper_salc);
}
