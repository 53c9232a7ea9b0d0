/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SSE, AVX, MMX and x87: the guest's instruction itself, on the host's registers of the same name. */
#include "tcg/x64/gen.h"

#include "tcg/evex.h"

static bool
is_mmx(const struct vec_row *v)
{
	return v->reg == VEC_KIND_M || v->rm == VEC_KIND_M;
}

static bool
host_has_row(const struct tcg *t, const struct vec_row *v)
{
	static const uint32_t bit[VEC_FEATURES] = { HOST_SSE2, HOST_SSE2, HOST_SSE2, HOST_SSE3, HOST_SSSE3, HOST_SSE41, HOST_SSE42,
		HOST_AES, HOST_PCLMUL, HOST_SHA, HOST_GFNI, HOST_SSE4A };

	return t->host_has & bit[v->feature];
}

/* Rows that stay with the interpreter: general registers that are pinned elsewhere, and stores through rDI. */
static bool
row_is_native(const struct vec_row *v)
{
	return v->form != VEC_MASK && !(v->flags & VEC_STRING);
}

static unsigned
host_feature_of(const struct avx_row *r)
{
	static const uint32_t bit[] = { [AVX_FEATURE_avx] = HOST_AVX, [AVX_FEATURE_avx2] = HOST_AVX2, [AVX_FEATURE_fma] = HOST_FMA,
		[AVX_FEATURE_f16c] = HOST_F16C, [AVX_FEATURE_aes] = HOST_AES, [AVX_FEATURE_pclmulqdq] = HOST_PCLMUL,
		[AVX_FEATURE_gfni] = HOST_GFNI, [AVX_FEATURE_avx512f] = HOST_AVX512, [AVX_FEATURE_avx512bw] = HOST_AVX512,
		[AVX_FEATURE_avx512dq] = HOST_AVX512 };

	return bit[r->feature];
}

/* What the host needs for an instruction with a VEX prefix. */
static unsigned
host_needs(const struct avx_row *r, bool l, bool memory)
{
	unsigned needs = HOST_AVX | host_feature_of(r);

	if ((r->flags & VEC_INT256 && l) || (r->flags & VEC_REG_AVX2 && !memory))
		needs |= HOST_AVX2;
	if (r->flags & VEC_VAES256 && l)
		needs |= HOST_VAES;
	if (r->flags & VEC_VCLMUL256 && l)
		needs |= HOST_VPCLMUL;
	return needs;
}

static bool
avx_is_native(const struct tcg *t, const struct ir *ir, const struct ir_insn *i)
{
	const struct avx_row *r = &avx_rows[i->sub];

	if (r->form == AVX_NONE && AVX_AUX_INDEX(i->aux) != 15)
		return false;
	if (!ir->native_sse || (r->form == AVX_GATHER && !gather_is_native(ir, i)) || r->flags & VEC_STRING)
		return false;
	/* What was never seen on a host this runs on is left to the interpreter. */
	if (r->feature == AVX_FEATURE_fma4 || r->feature == AVX_FEATURE_xop)
		return false;
	/* What the guest's instruction clears, the host's has to clear too. */
	if (ir->zmm && !(t->host_has & HOST_AVX512))
		return false;
	return !(host_needs(r, AVX_AUX_L(i->aux), ir_has_mem(i)) & ~t->host_has);
}

static unsigned
host_feature_of_evex(const struct evex_row *r)
{
	static const uint32_t bit[EVEX_FEATURES] = { [EVEX_FEATURE_avx512ifma] = HOST_IFMA, [EVEX_FEATURE_avx512vbmi] = HOST_VBMI,
		[EVEX_FEATURE_avx512_vbmi2] = HOST_VBMI2, [EVEX_FEATURE_avx512_vnni] = HOST_VNNI, [EVEX_FEATURE_avx512_bitalg] = HOST_BITALG,
		[EVEX_FEATURE_avx512_vpopcntdq] = HOST_VPOPCNTDQ, [EVEX_FEATURE_avx512_bf16] = HOST_BF16, [EVEX_FEATURE_gfni] = HOST_GFNI,
		[EVEX_FEATURE_avx512_fp16] = HOST_FP16, [EVEX_FEATURE_avx512_vp2intersect] = HOST_VP2INTERSECT,
		[EVEX_FEATURE_vaes] = HOST_VAES, [EVEX_FEATURE_vpclmulqdq] = HOST_VPCLMUL };

	return HOST_AVX512 | bit[r->feature];
}

static bool
evex_is_native(const struct tcg *t, const struct ir *ir, const struct ir_insn *i)
{
	const struct evex_row *r = &evex_rows[i->sub];

	if ((r->form == AVX_GATHER || r->form == AVX_SCATTER) && !gather_is_native(ir, i))
		return false;
	return ir->native_sse && !(host_feature_of_evex(r) & ~t->host_has);
}

unsigned
vector_level(const struct tcg *t, const struct ir *ir, const struct ir_insn *i)
{
	if (i->op == IR_avx)
		return avx_is_native(t, ir, i) ? ir->zmm ? 3 : 2 : 0;
	if (i->op == IR_evex)
		return evex_is_native(t, ir, i) ? 3 : 0;
	return i->op == IR_vec && vector_is_native(t, ir, i) ? 1 : 0;
}

bool
vector_is_native(const struct tcg *t, const struct ir *ir, const struct ir_insn *i)
{
	const struct vec_row *v = &vec_rows[i->op == IR_vec ? i->sub : 0];
	bool x87 = ir->native_x87 && t->host_has & HOST_XSAVE;

	if (i->op == IR_x87)
		return x87;
	return ir->native_sse && host_has_row(t, v) && row_is_native(v) && (x87 || !is_mmx(v));
}

bool
vector_needs_x87(const struct ir_insn *i)
{
	return i->op == IR_x87 || is_mmx(&vec_rows[i->sub]);
}

static unsigned
opcode_of(const struct vec_row *v)
{
	return (v->map == 1 ? 0x0f00 : v->map == 2 ? 0x0f3800 : 0x0f3a00) | v->opcode;
}

/* The register operand as a host register; a general one that is read may have to be loaded, one that is written stored later. */
static unsigned
register_operand(struct gen *g, const struct ir_insn *i, struct ir_opnd o, bool read, unsigned scratch)
{
	if (o.kind != IR_GPR && o.kind != IR_TEMP)
		return o.reg;
	if (is_pinned(o))
		return host_of[o.reg];
	if (read)
		return operand_reg(g, i, o, 8, scratch);
	return scratch;
}

static bool
vector(struct gen *g, const struct ir_insn *i)
{
	const struct vec_row *v = &vec_rows[i->sub];
	struct ir_opnd reg = v->form == VEC_MR ? i->src : i->dst, other = v->form == VEC_MR ? i->dst : i->src;
	bool memory = ir_has_mem(i);
	unsigned width = v->flags & VEC_WIDE && i->src_width == 8 ? 8 : 4, r;
	struct rm rm;

	if (v->form == VEC_EXT)
		other = i->dst;
	if (v->flags & VEC_FLAGS)
		flags_clobber(g);
	if (memory) {
		rm = memory_operand(g, i, i->mem.size ? i->mem.size : i->width);
		/* A general register beside memory does not occur but in the register's own direction, as with cvtsd2si. */
	} else {
		rm = rm_reg(register_operand(g, i, other, v->form != VEC_MR, S1));
	}
	r = v->form == VEC_EXT ? (unsigned)v->ext | ASM_EXT : register_operand(g, i, reg, false, S2);
	op_rm(&g->a, v->prefix, width, opcode_of(v), r, rm);
	if (v->flags & (VEC_IMM8 | VEC_IMM16))
		put8(&g->a, i->aux & 0xff);
	if (v->flags & VEC_IMM16)
		put8(&g->a, i->aux >> 8 & 0xff);
	if (v->flags & VEC_FLAGS)
		flags_defined(g, i);
	if ((i->dst.kind == IR_GPR || i->dst.kind == IR_TEMP) && !is_pinned(i->dst))
		mov_store(&g->a, 8, operand_rm(i->dst), v->form == VEC_MR ? S1 : S2);
	if (memory)
		memory_done(g);
	return true;
}

/* The register operand of an instruction with a VEX prefix; a result that has no host register goes to SCRATCH first. */
static unsigned
avx_register(struct gen *g, const struct ir_insn *i, struct ir_opnd o, bool read, unsigned scratch)
{
	return o.kind == IR_NONE ? 0 : register_operand(g, i, o, read, scratch);
}

static bool
avx(struct gen *g, const struct ir_insn *i)
{
	const struct avx_row *r = &avx_rows[i->sub];
	bool memory = ir_has_mem(i), w = r->w == AVX_W_1 || (r->w == AVX_W_X && i->src_width == 8);
	bool to_rm = r->form == AVX_MR || r->form == AVX_MVR;
	struct ir_opnd reg = i->dst, v = { IR_NONE, 0, 0 }, other = r->form == AVX_RM || r->form == AVX_VM ? i->src : i->src2;
	unsigned reg_number, v_number;
	struct rm rm;

	if (r->form == AVX_NONE) {
		op_vzero(&g->a, AVX_AUX_L(i->aux));
		return true;
	}
	if (r->form == AVX_MR)
		reg = i->src, other = i->dst;
	else if (r->form == AVX_MVR)
		reg = i->src2, v = i->src, other = i->dst;
	else if (r->form == AVX_RVM || r->form == AVX_RVMR)
		v = i->src;
	else if (r->form == AVX_VM)
		v = i->dst;
	if (r->flags & VEC_FLAGS)
		flags_clobber(g);
	if (memory)
		rm = memory_operand(g, i, i->width);
	else
		rm = rm_reg(avx_register(g, i, other, !to_rm, S1));
	v_number = avx_register(g, i, v, false, 0);
	reg_number = r->form == AVX_VM ? (unsigned)r->ext : avx_register(g, i, reg, false, S2);
	op_vex(&g->a, r->prefix, r->map, w, AVX_AUX_L(i->aux), r->opcode, reg_number, v_number, rm);
	if (r->flags & VEC_IMM8)
		put8(&g->a, i->aux & 0xff);
	if (r->flags & VEC_FLAGS)
		flags_defined(g, i);
	if (i->dst.kind == IR_GPR && !is_pinned(i->dst))
		mov_store(&g->a, 8, operand_rm(i->dst), to_rm ? S1 : S2);
	if (memory)
		memory_done(g);
	return true;
}

/* The same with an EVEX prefix. */
static bool
evex(struct gen *g, const struct ir_insn *i)
{
	const struct evex_row *r = &evex_rows[i->sub];
	uint32_t flags = evex_flags(r);
	bool memory = ir_has_mem(i), b = EVEX_AUX_B(i->aux), to_rm = r->form == AVX_MR || r->form == AVX_MVR;
	unsigned length = evex_length(r, EVEX_AUX_LL(i->aux), b, memory), reg_number, v_number;
	struct evex_bits bits = { .w = r->w == AVX_W_1 || (r->w == AVX_W_X && i->src_width == 8), .z = EVEX_AUX_Z(i->aux), .b = b,
		.ll = (uint8_t)EVEX_AUX_LL(i->aux), .k = (uint8_t)EVEX_AUX_K(i->aux),
		.unit = (uint8_t)evex_displacement_unit(r, length, b && memory, i->src_width) };
	struct ir_opnd reg = i->dst, v = { IR_NONE, 0, 0 }, other = r->form == AVX_RM || r->form == AVX_VM ? i->src : i->src2;
	struct rm rm;

	if (r->form == AVX_MR)
		reg = i->src, other = i->dst;
	else if (r->form == AVX_MVR)
		reg = i->src2, v = i->src, other = i->dst;
	else if (r->form == AVX_RVM)
		v = i->src;
	else if (r->form == AVX_VM)
		v = i->dst;
	if (flags & VEC_FLAGS)
		flags_clobber(g);
	if (memory)
		rm = memory_operand(g, i, i->width);
	else
		rm = rm_reg(avx_register(g, i, other, !to_rm, S1));
	v_number = avx_register(g, i, v, false, 0);
	reg_number = r->form == AVX_VM ? (unsigned)r->ext : avx_register(g, i, reg, false, S2);
	op_evex(&g->a, r->prefix, r->map, r->opcode, reg_number, v_number, rm, &bits);
	if (flags & VEC_IMM8)
		put8(&g->a, i->aux & 0xff);
	if (flags & VEC_FLAGS)
		flags_defined(g, i);
	if (i->dst.kind == IR_GPR && !is_pinned(i->dst))
		mov_store(&g->a, 8, operand_rm(i->dst), to_rm ? S1 : S2);
	if (memory)
		memory_done(g);
	return true;
}

/* x87 opcodes that touch the host's flags or general registers, or wait for exceptions where the guest would not. */
enum { X87_FNSTSW_AX = 7 << 8 | 0xe0 };

static bool
x87_reads_flags(unsigned sub)
{
	unsigned opcode = sub >> 8, modrm = sub & 0xff;

	return modrm >= 0xc0 && (opcode == 2 || opcode == 3) && modrm < 0xe0; /* FCMOVcc */
}

static bool
x87_writes_flags(unsigned sub)
{
	unsigned opcode = sub >> 8, modrm = sub & 0xff;

	return modrm >= 0xe8 && modrm < 0xf8 && (opcode == 3 || opcode == 7); /* F(U)COMI(P) */
}

static bool
x87(struct gen *g, const struct ir_insn *i)
{
	unsigned opcode = 0xd8 | i->sub >> 8, modrm = i->sub & 0xff;
	struct rm m;

	if (ir_has_mem(i)) {
		m = memory_operand(g, i, i->mem.size ? i->mem.size : i->width);
		op_rm(&g->a, 0, 4, opcode, (modrm >> 3 & 7) | ASM_EXT, m);
		memory_done(g);
		return true;
	}
	if (i->sub == X87_FNSTSW_AX) {
		flags_save(g);
		mov_rr(&g->a, 8, S2, H_RAX);
		put8(&g->a, 0xdf);
		put8(&g->a, 0xe0);
		mov_store(&g->a, 2, rm_reg(host_of[0]), H_RAX);
		mov_rr(&g->a, 8, H_RAX, S2);
		return true;
	}
	if (modrm < 0xc0)
		return false;
	if (x87_reads_flags(i->sub))
		flags_to_host(g);
	put8(&g->a, opcode);
	put8(&g->a, modrm);
	if (x87_writes_flags(i->sub))
		flags_defined(g, i);
	return true;
}

bool
emit_vector(struct gen *g, const struct ir_insn *i)
{
	if (i->op == IR_avx || i->op == IR_evex) {
		if (i->op == IR_avx ? !avx_is_native(g->t, g->ir, i) : !evex_is_native(g->t, g->ir, i))
			return false;
		return is_gather(i) ? emit_gather(g, i) : i->op == IR_avx ? avx(g, i) : evex(g, i);
	}
	if (!vector_is_native(g->t, g->ir, i))
		return false;
	return i->op == IR_vec ? vector(g, i) : x87(g, i);
}
