/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control transfers and the stack. */
#include "cpu/cet.h"
#include "cpu/gen.h"

/* ---- near jumps ---- */

static uint64_t
relative(const struct trans *t)
{
	return target_of(t, t->next + (uint64_t)t->insn.imm);
}

/* A jump past the limit of CS faults where it is, not where it goes.  RIP: the highest that it can reach. */
static bool
may_pass_limit(const struct trans *t, uint64_t rip)
{
	return t->dm.code != 8 && !(t->mode & MODE_FLAT) && rip > t->cpu->seg[SEG_CS].limit;
}

/* COUNT: the width of the counter that LOOP has taken 1 off, or 0. */
static void
check_target(struct trans *t, val target, unsigned count)
{
	gen_helper(t, &helper_check_rip, ir_none(), target, ir_none(), count);
}

static void
check_indirect(struct trans *t, val target)
{
	if (may_pass_limit(t, t->insn.width == 2 ? 0xffff : 0xffffffff))
		check_target(t, target, 0);
}

/* Before a direct jump does anything. */
static void
check_direct(struct trans *t)
{
	if (may_pass_limit(t, relative(t)))
		check_target(t, temp_imm(t, (int64_t)relative(t)), 0);
}

void
gen_JMP(struct trans *t)
{
	check_direct(t);
	end_jmp(t, relative(t), 0);
}

/* A condition on the flags: TARGET or NEXT in a temporary, without a branch. */
static val
choose(struct trans *t, unsigned cond)
{
	val next = temp_imm(t, (int64_t)t->next), target = temp_imm(t, (int64_t)relative(t));

	ir_op2(t->ir, IR_cmovcc, 8, next, target)->cond = cond;
	return next;
}

void
gen_JCC(struct trans *t)
{
	unsigned cond = t->insn.opcode & 0xf;

	if (t->one || may_pass_limit(t, relative(t))) {
		val target = choose(t, cond);

		check_indirect(t, target);
		end_jind(t, target, 0);
		return;
	}
	ir_jcc(t->ir, cond, relative(t), t->next);
	t->ended = true;
}

enum { COND_Z = 4, COND_NZ = 5 };

/* LOOP and JCXZ: on rCX, and also on ZF if UNLESS isn't 0 (the condition that makes it fall through).  No flag changes. */
static void
count_branch(struct trans *t, unsigned cond, unsigned unless)
{
	unsigned width = t->insn.addr_width;
	val next = temp_imm(t, (int64_t)t->next), target = temp_imm(t, (int64_t)relative(t)), flags = ir_temp(t->ir);

	if (unless != 0)
		ir_op2(t->ir, IR_cmovcc, 8, target, next)->cond = unless;
	ir_op1(t->ir, IR_getflags, 4, flags);
	ir_op2(t->ir, IR_test, width, ir_gpr(RCX), ir_gpr(RCX));
	ir_op2(t->ir, IR_cmovcc, 8, next, target)->cond = cond;
	ir_op1(t->ir, IR_setflags, 4, flags);
	if (may_pass_limit(t, relative(t)))
		check_target(t, next, t->insn.opcode == 0xe3 ? 0 : width);
	end_jind(t, next, 0);
}

void
gen_LOOP(struct trans *t)
{
	gen_bump(t, RCX, t->insn.addr_width, -1);
	count_branch(t, COND_NZ, 0);
}

void
gen_LOOPE(struct trans *t)
{
	gen_bump(t, RCX, t->insn.addr_width, -1);
	count_branch(t, COND_NZ, COND_NZ);
}

void
gen_LOOPNE(struct trans *t)
{
	gen_bump(t, RCX, t->insn.addr_width, -1);
	count_branch(t, COND_NZ, COND_Z);
}

void
gen_JCXZ(struct trans *t)
{
	count_branch(t, COND_Z, 0);
}

/* ---- calls and returns ---- */

static unsigned
how_indirect(const struct trans *t)
{
	return NEAR_INDIRECT | (t->insn.notrack ? NEAR_NOTRACK : 0);
}

/* The return address, onto the shadow stack too.  TARGET: of an indirect call, or none. */
static void
push_return(struct trans *t, val target)
{
	unsigned width = t->insn.width;
	bool is_direct = target.o.kind == IR_NONE;
	val next;

	/* A call of the next instruction only asks where it is: that is not returned to. */
	if (!(t->mode & (is_direct ? MODE_SHSTK : MODE_SHSTK | MODE_IBT)) || (is_direct && t->insn.imm == 0)) {
		gen_push(t, width, ir_imm((int64_t)t->next));
		return;
	}
	next = temp_imm(t, (int64_t)t->next);
	ir_op2(t->ir, IR_mov, width, stack_at(t, -(int64_t)width), next);
	t->width = width;
	gen_helper(t, &helper_near_call, ir_none(), next, target, is_direct ? 0 : how_indirect(t));
	gen_bump(t, RSP, t->stack_width, -(int64_t)width);
}

void
gen_CALL(struct trans *t)
{
	check_direct(t);
	push_return(t, ir_none());
	end_jmp(t, relative(t), IR_HINT_CALL);
}

/* The target of an indirect jump, all 8 bytes of it. */
static val
indirect(struct trans *t, bool pushes)
{
	val v = opnd(t, 0);

	/* CALL RSP jumps to what SP was before the push. */
	if (v.o.kind == IR_GPR && t->width == 8 && !(pushes && v.o.reg == RSP))
		return v;
	return temp_zero_extended(t, t->width, v);
}

void
gen_JMP_IND(struct trans *t)
{
	val target = indirect(t, false);

	check_indirect(t, target);
	if (t->mode & MODE_IBT)
		gen_helper(t, &helper_near_jmp, ir_none(), target, ir_none(), how_indirect(t));
	end_jind(t, target, 0);
}

void
gen_CALL_IND(struct trans *t)
{
	val target = indirect(t, true);

	check_indirect(t, target);
	push_return(t, target);
	end_jind(t, target, IR_HINT_CALL);
}

void
gen_RET(struct trans *t)
{
	unsigned width = t->insn.width;
	val target = gen_pop_load(t, width);

	check_indirect(t, target);
	if (t->mode & MODE_SHSTK) {
		t->width = width;
		gen_helper(t, &helper_near_ret, ir_none(), target, ir_none(), 0);
	}
	gen_bump(t, RSP, t->stack_width, (int64_t)width + t->insn.imm);
	end_jind(t, target, IR_HINT_RET);
	t->ir->insn[t->ir->count - 1].aux = width + (unsigned)t->insn.imm;
}

/* ---- far transfers ---- */

static void
far_transfer(struct trans *t, const struct ir_helper *h, val offset, val selector)
{
	t->width = t->insn.width;
	gen_helper(t, h, ir_none(), offset, selector, 0);
	end_rip_set(t);
}

/* The far pointer in memory: an offset of the operand size, then a selector. */
static void
far_pointer(struct trans *t, val *offset, val *selector)
{
	val m = ir_mem(t->insn.mem);

	*offset = temp_zero_extended(t, t->insn.width, m);
	m.mem.disp += t->insn.width;
	*selector = temp_zero_extended(t, 2, m);
}

static void
far_through_memory(struct trans *t, const struct ir_helper *h)
{
	val offset, selector;

	far_pointer(t, &offset, &selector);
	far_transfer(t, h, offset, selector);
}

void
gen_FAR_JMP(struct trans *t)
{
	val offset = temp_imm(t, t->insn.imm);

	far_transfer(t, &helper_far_jmp, offset, temp_imm(t, t->insn.imm2));
}

void
gen_FAR_CALL(struct trans *t)
{
	val offset = temp_imm(t, t->insn.imm);

	far_transfer(t, &helper_far_call, offset, temp_imm(t, t->insn.imm2));
}

void
gen_FAR_JMP_MEM(struct trans *t)
{
	far_through_memory(t, &helper_far_jmp);
}

void
gen_FAR_CALL_MEM(struct trans *t)
{
	far_through_memory(t, &helper_far_call);
}

void
gen_FAR_RET(struct trans *t)
{
	far_transfer(t, &helper_far_ret, temp_imm(t, t->insn.imm), ir_none());
}

void
gen_IRET(struct trans *t)
{
	far_transfer(t, &helper_iret, ir_none(), ir_none());
}

/* ---- interrupts by instruction ---- */

static void
interrupt(struct trans *t, const struct ir_helper *h)
{
	gen_helper(t, h, ir_none(), ir_none(), ir_none(), (unsigned)t->insn.imm & 0xff);
	end_exit_rip_set(t);
}

void
gen_INT3(struct trans *t)
{
	interrupt(t, &helper_int3);
}

void
gen_INT1(struct trans *t)
{
	interrupt(t, &helper_int1);
}

void
gen_INT(struct trans *t)
{
	interrupt(t, &helper_int_n);
}

void
gen_INTO(struct trans *t)
{
	gen_helper(t, &helper_into, ir_none(), ir_none(), ir_none(), 0);
}

/* ---- system calls ---- */

void
gen_SYSCALL(struct trans *t)
{
	far_transfer(t, &helper_syscall, ir_none(), ir_none());
}

void
gen_SYSRET(struct trans *t)
{
	t->insn.width = t->insn.rex & REX_W ? 8 : 4;
	far_transfer(t, &helper_sysret, ir_none(), ir_none());
}

void
gen_SYSENTER(struct trans *t)
{
	far_transfer(t, &helper_sysenter, ir_none(), ir_none());
}

void
gen_SYSEXIT(struct trans *t)
{
	t->insn.width = t->insn.rex & REX_W ? 8 : 4;
	far_transfer(t, &helper_sysexit, ir_none(), ir_none());
}

void
gen_RSM(struct trans *t)
{
	far_transfer(t, &helper_rsm, ir_none(), ir_none());
}

/* ---- push and pop ---- */

void
gen_PUSH(struct trans *t)
{
	unsigned width = t->insn.width;
	val v = opnd(t, 0);

	if (v.o.kind == IR_MEM)
		v = temp_of(t, width, v);
	gen_push(t, width, v);
}

void
gen_POP(struct trans *t)
{
	unsigned width = t->width;
	val dst = opnd(t, 0), v;

	if (dst.o.kind == IR_GPR && dst.o.reg != RSP) {
		ir_op2(t->ir, IR_mov, width, dst, stack_at(t, 0));
		gen_bump(t, RSP, t->stack_width, width);
		return;
	}
	v = temp_of(t, width, stack_at(t, 0));
	if (dst.o.kind == IR_MEM) {
		/* An address on SP is taken after SP has moved; nothing may move before the store is done. */
		if (dst.mem.base == RSP)
			dst.mem.disp += width;
		ir_op2(t->ir, IR_mov, width, dst, v);
		gen_bump(t, RSP, t->stack_width, width);
	} else {
		gen_bump(t, RSP, t->stack_width, width);
		ir_op2(t->ir, IR_mov, width, dst, v);
	}
}

void
gen_PUSHA(struct trans *t)
{
	unsigned width = t->insn.width;

	for (unsigned n = 0; n < 8; n++)
		ir_op2(t->ir, IR_mov, width, stack_at(t, -(int64_t)(width * (n + 1))), ir_gpr(n));
	gen_bump(t, RSP, t->stack_width, -8 * (int64_t)width);
}

void
gen_POPA(struct trans *t)
{
	unsigned width = t->insn.width;
	val v[8];

	for (unsigned n = 0; n < 8; n++)
		v[n] = temp_of(t, width, stack_at(t, (int64_t)(width * n)));
	gen_bump(t, RSP, t->stack_width, 8 * (int64_t)width);
	for (unsigned n = 0; n < 8; n++)
		if (7 - n != RSP)
			ir_op2(t->ir, IR_mov, width, ir_gpr(7 - n), v[n]);
}

void
gen_ENTER(struct trans *t)
{
	unsigned level = t->insn.imm2 & 31, alloc = (unsigned)t->insn.imm;

	t->width = t->insn.width;
	gen_helper(t, &helper_enter, ir_none(), temp_imm(t, alloc), temp_imm(t, level), 0);
}

void
gen_LEAVE(struct trans *t)
{
	unsigned width = t->insn.width;
	val v = temp_of(t, width, mem_at(t, SEG_SS, RBP, 0, t->stack_width));

	ir_op2(t->ir, IR_lea, t->stack_width, ir_gpr(RSP), mem_at(t, SEG_SS, RBP, width, t->stack_width));
	ir_op2(t->ir, IR_mov, width, ir_gpr(RBP), v);
}

/* DST = DST + V + DISP, of 4 bytes; flags stay. */
static void
add_to(struct trans *t, val dst, val v, int64_t disp)
{
	struct ir_mem sum = { .seg = SEG_DS, .base = IR_TEMP_REG + dst.o.reg, .index = IR_TEMP_REG + v.o.reg, .addr_width = 4,
		.disp = disp };

	ir_op2(t->ir, IR_lea, 8, dst, ir_mem(sum));
}

/* What PUSHF shows of cpu_eflags(), of parts that have no bits in common. */
static val
flags_image(struct trans *t)
{
	val image = ir_temp(t->ir), df = ir_temp(t->ir), rest = ir_temp(t->ir);

	ir_op1(t->ir, IR_getflags, 4, image);
	ir_op2(t->ir, IR_mov, 4, df, ir_field(offsetof(struct tcg_frame, df))); /* 1 or -1 */
	ir_op2(t->ir, IR_keep_bits, 4, df, ir_imm(EFL_DF));
	add_to(t, image, df, 2);
	ir_op2(t->ir, IR_mov, 4, rest, ir_field(offsetof(struct cpu, eflags)));
	ir_op2(t->ir, IR_keep_bits, 4, rest, ir_imm(~(int64_t)(EFL_ARITH | EFL_DF | EFL_RF | EFL_VM | 2)));
	add_to(t, image, rest, 0);
	return image;
}

void
gen_PUSHF(struct trans *t)
{
	val image;

	if (t->mode & MODE_VM) {
		image = ir_temp(t->ir);
		gen_helper(t, &helper_pushf, image, ir_none(), ir_none(), 0);
	} else {
		image = flags_image(t);
	}
	gen_push(t, t->insn.width, image);
}

void
gen_POPF(struct trans *t)
{
	val image = gen_pop_load(t, t->insn.width);

	gen_helper(t, &helper_popf, ir_none(), image, ir_none(), 0);
	gen_bump(t, RSP, t->stack_width, t->insn.width);
	end_next(t);
}

/* ---- segment registers ---- */

static unsigned
segment_of_opcode(const struct insn *i)
{
	return i->map == MAP_1 ? i->opcode >> 3 & 3 : i->opcode == 0xa0 || i->opcode == 0xa1 ? SEG_FS : SEG_GS;
}

/* Nothing in the block's mode follows from a data segment in 64-bit code, but for SS. */
static void
after_segment_load(struct trans *t, unsigned seg)
{
	if (t->dm.code != 8 || seg == SEG_SS)
		end_next(t);
}

static val
selector_of(struct trans *t, unsigned seg)
{
	size_t at = offsetof(struct cpu, seg) + seg * sizeof(struct segment) + offsetof(struct segment, selector);

	return temp_zero_extended(t, 2, ir_field(at));
}

void
gen_PUSH_SEG(struct trans *t)
{
	gen_push(t, t->insn.width, selector_of(t, segment_of_opcode(&t->insn)));
}

void
gen_POP_SEG(struct trans *t)
{
	unsigned seg = segment_of_opcode(&t->insn);
	val selector = temp_zero_extended(t, 2, stack_at(t, 0));

	gen_helper(t, &helper_load_seg, ir_none(), selector, ir_none(), seg);
	gen_bump(t, RSP, t->stack_width, t->insn.width);
	after_segment_load(t, seg);
}

void
gen_MOV_FROM_SEG(struct trans *t)
{
	if (t->insn.reg > SEG_GS)
		gen_raise(t, EXC_UD);
	else
		ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), selector_of(t, t->insn.reg));
}

void
gen_MOV_TO_SEG(struct trans *t)
{
	unsigned seg = t->insn.reg;

	if (seg == SEG_CS || seg > SEG_GS) {
		gen_raise(t, EXC_UD);
		return;
	}
	gen_helper(t, &helper_load_seg, ir_none(), temp_zero_extended(t, 2, opnd(t, 1)), ir_none(), seg);
	after_segment_load(t, seg);
}

/* LES C4, LDS C5, LSS 0F B2, LFS B4, LGS B5. */
void
gen_LOAD_FAR(struct trans *t)
{
	unsigned op = t->insn.opcode, seg = op == 0xc4 ? SEG_ES : op == 0xc5 ? SEG_DS : op == 0xb2 ? SEG_SS : op - 0xb0;
	val offset, selector;

	far_pointer(t, &offset, &selector);
	gen_helper(t, &helper_load_seg, ir_none(), selector, ir_none(), seg);
	ir_op2(t->ir, IR_mov, t->insn.width, opnd(t, 0), offset);
	after_segment_load(t, seg);
}
