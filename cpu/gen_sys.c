/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System instructions: calls of the helpers of system.def. */
#include "cpu/gen.h"

/* How the block goes on after a helper. */
enum after { GOES_ON, NEXT, RIP_SET, LEAVES };

static void
go_on(struct trans *t, enum after after)
{
	if (after == NEXT)
		end_next(t);
	else if (after == RIP_SET)
		end_rip_set(t);
	else if (after == LEAVES)
		end_exit_rip_set(t);
}

static void
plain(struct trans *t, const struct ir_helper *h, enum after after)
{
	gen_helper(t, h, ir_none(), ir_none(), ir_none(), 0);
	go_on(t, after);
}

/* The helper gets the effective address of the memory operand. */
static void
with_address(struct trans *t, const struct ir_helper *h, enum after after)
{
	t->width = t->insn.width;
	gen_helper(t, h, ir_none(), temp_ea(t), ir_none(), 0);
	go_on(t, after);
}

/* The helper gets operand N's value. */
static void
with_value(struct trans *t, const struct ir_helper *h, unsigned n, unsigned number, enum after after)
{
	gen_helper(t, h, ir_none(), temp_zero_extended(t, opnd_width(t, n), opnd(t, n)), ir_none(), number);
	go_on(t, after);
}

/* Operand 0 gets what the helper returns. */
static void
returning(struct trans *t, const struct ir_helper *h, unsigned number)
{
	val v = ir_temp(t->ir);

	gen_helper(t, h, v, ir_none(), ir_none(), number);
	ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), v);
}

/* ---- control and debug registers ---- */

/* Of debug registers too. */
static unsigned
control_register(const struct trans *t)
{
	return t->insn.reg | (t->insn.rex & REX_R || t->insn.lock ? 8 : 0);
}

static bool
is_control_register(const struct trans *t, unsigned n)
{
	if (t->insn.lock && !trans_has(t, FEAT_cr8_legacy))
		return false;
	return n == 0 || (n >= 2 && n <= 4) || n == 8;
}

void
gen_MOV_FROM_CR(struct trans *t)
{
	unsigned n = control_register(t);

	if (is_control_register(t, n))
		returning(t, &helper_rd_cr, n);
	else
		gen_raise(t, EXC_UD);
}

void
gen_MOV_TO_CR(struct trans *t)
{
	unsigned n = control_register(t);

	if (is_control_register(t, n))
		with_value(t, &helper_wr_cr, 1, n, NEXT);
	else
		gen_raise(t, EXC_UD);
}

void
gen_MOV_FROM_DR(struct trans *t)
{
	if (control_register(t) > 7)
		gen_raise(t, EXC_UD);
	else
		returning(t, &helper_rd_dr, control_register(t));
}

void
gen_MOV_TO_DR(struct trans *t)
{
	if (control_register(t) > 7)
		gen_raise(t, EXC_UD);
	else
		with_value(t, &helper_wr_dr, 1, control_register(t), NEXT);
}

void
gen_SMSW(struct trans *t)
{
	returning(t, &helper_smsw, 0);
}

/* Privilege counts before the operand is read.  True: it has raised #GP. */
static bool
is_forbidden(struct trans *t)
{
	if (!(t->mode & MODE_CPL) || t->mode & MODE_VM)
		return false;
	gen_raise(t, EXC_GP);
	return true;
}

void
gen_LMSW(struct trans *t)
{
	if (!is_forbidden(t))
		with_value(t, &helper_lmsw, 0, 0, NEXT);
}

void
gen_CLTS(struct trans *t)
{
	plain(t, &helper_clts, NEXT);
}

void
gen_INVLPG(struct trans *t)
{
	with_address(t, &helper_invlpg, NEXT);
}

void
gen_INVPCID(struct trans *t)
{
	val type = temp_zero_extended(t, opnd_width(t, 0), opnd(t, 0));

	gen_helper(t, &helper_invpcid, ir_none(), type, temp_ea(t), 0);
	end_next(t);
}

/* WBINVD, INVD: there is no cache to write back. */
void
gen_WBINVD(struct trans *t)
{
	plain(t, &helper_wbinvd, GOES_ON);
}

/* ---- descriptor tables and segments ---- */

void
gen_SGDT(struct trans *t)
{
	with_address(t, &helper_sgdt, GOES_ON);
}

void
gen_SIDT(struct trans *t)
{
	with_address(t, &helper_sidt, GOES_ON);
}

void
gen_LGDT(struct trans *t)
{
	with_address(t, &helper_lgdt, GOES_ON);
}

void
gen_LIDT(struct trans *t)
{
	with_address(t, &helper_lidt, GOES_ON);
}

void
gen_SLDT(struct trans *t)
{
	returning(t, &helper_sldt, 0);
}

void
gen_STR(struct trans *t)
{
	returning(t, &helper_str, 0);
}

void
gen_LLDT(struct trans *t)
{
	if (!is_forbidden(t))
		with_value(t, &helper_lldt, 0, 0, GOES_ON);
}

void
gen_LTR(struct trans *t)
{
	if (!is_forbidden(t))
		with_value(t, &helper_ltr, 0, 0, GOES_ON);
}

void
gen_VERR(struct trans *t)
{
	with_value(t, &helper_verr, 0, 0, GOES_ON);
}

void
gen_VERW(struct trans *t)
{
	with_value(t, &helper_verw, 0, 0, GOES_ON);
}

static void
descriptor_query(struct trans *t, const struct ir_helper *h)
{
	val selector = temp_zero_extended(t, 2, opnd(t, 1)), v = temp_zero_extended(t, t->width, opnd(t, 0));

	gen_helper(t, h, v, selector, v, 0);
	ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), v);
}

void
gen_LAR(struct trans *t)
{
	descriptor_query(t, &helper_lar);
}

void
gen_LSL(struct trans *t)
{
	descriptor_query(t, &helper_lsl);
}

void
gen_SWAPGS(struct trans *t)
{
	static const size_t base = offsetof(struct cpu, seg[SEG_GS].base), fast = offsetof(struct cpu, f.seg[SEG_GS].base),
		kernels = offsetof(struct cpu, kernel_gs_base);
	val old, new;

	if (t->mode & MODE_CPL) {
		gen_raise(t, EXC_GP);
		return;
	}
	old = temp_of(t, 8, ir_field(base));
	new = temp_of(t, 8, ir_field(kernels));
	ir_op2(t->ir, IR_mov, 8, ir_field(base), new);
	ir_op2(t->ir, IR_mov, 8, ir_field(fast), new);
	ir_op2(t->ir, IR_mov, 8, ir_field(kernels), old);
}

static unsigned
base_segment(const struct trans *t)
{
	return t->insn.reg & 1 ? SEG_GS : SEG_FS;
}

void
gen_RD_SEG_BASE(struct trans *t)
{
	t->insn.mem.seg = base_segment(t);
	returning(t, &helper_rd_seg_base, 0);
}

void
gen_WR_SEG_BASE(struct trans *t)
{
	t->insn.mem.seg = base_segment(t);
	with_value(t, &helper_wr_seg_base, 0, 0, GOES_ON);
}

void
gen_BOUND(struct trans *t)
{
	val index = temp_zero_extended(t, t->width, opnd(t, 0));

	gen_helper(t, &helper_bound, ir_none(), index, temp_ea(t), 0);
}

/* ---- model-specific registers, counters, identification ---- */

void
gen_RDMSR(struct trans *t)
{
	plain(t, &helper_rdmsr, GOES_ON);
}

void
gen_WRMSR(struct trans *t)
{
	plain(t, &helper_wrmsr, NEXT);
}

void
gen_RDTSC(struct trans *t)
{
	plain(t, &helper_rdtsc, GOES_ON);
}

void
gen_RDTSCP(struct trans *t)
{
	plain(t, &helper_rdtscp, GOES_ON);
}

void
gen_RDPID(struct trans *t)
{
	returning(t, &helper_rdpid, 0);
}

/* Into any register of the operand size. */
static void
gen_random(struct trans *t)
{
	val v = ir_temp(t->ir);

	gen_helper(t, &helper_rdrand, v, ir_none(), ir_none(), 0);
	ir_op2(t->ir, IR_mov, t->width, opnd(t, 0), v);
}

void
gen_RDRAND(struct trans *t)
{
	gen_random(t);
}

void
gen_RDSEED(struct trans *t)
{
	gen_random(t);
}

void
gen_SERIALIZE(struct trans *t)
{
	end_next(t);
}

void
gen_MOVDIR64B(struct trans *t)
{
	val to = temp_zero_extended(t, t->insn.addr_width, opnd(t, 0));

	gen_helper(t, &helper_movdir64b, ir_none(), temp_ea(t), to, 0);
}

void
gen_RDPMC(struct trans *t)
{
	plain(t, &helper_rdpmc, GOES_ON);
}

void
gen_CPUID(struct trans *t)
{
	plain(t, &helper_cpuid, GOES_ON);
}

void
gen_XGETBV(struct trans *t)
{
	plain(t, &helper_xgetbv, GOES_ON);
}

void
gen_XSETBV(struct trans *t)
{
	plain(t, &helper_xsetbv, NEXT);
}

void
gen_RDPKRU(struct trans *t)
{
	plain(t, &helper_rdpkru, GOES_ON);
}

void
gen_WRPKRU(struct trans *t)
{
	plain(t, &helper_wrpkru, GOES_ON);
}

/* ---- interrupts and waiting ---- */

/* IF is there to be changed, rather than VIF. */
static bool
has_if(const struct trans *t)
{
	return t->mode & MODE_IOPL_OK;
}

void
gen_CLI(struct trans *t)
{
	if (has_if(t))
		ir_op2(t->ir, IR_keep_bits, 4, ir_field(offsetof(struct cpu, eflags)), ir_imm(~(int64_t)EFL_IF));
	else
		plain(t, &helper_cli, GOES_ON);
}

/* With nothing pending the shadow can't be seen in a block: the helper leaves by itself when something is. */
void
gen_STI(struct trans *t)
{
	if (t->one || !has_if(t)) {
		plain(t, &helper_sti, t->one ? NEXT : GOES_ON);
		return;
	}
	gen_helper_if(t, &helper_sti, ir_field(offsetof(struct cpu, pins)), 1u << PIN_INTR);
	ir_op2(t->ir, IR_set_bits, 4, ir_field(offsetof(struct cpu, eflags)), ir_imm(EFL_IF));
	t->after_sti = true;
}

/* A block ends behind STI: an interrupt that comes now must not part it from HLT, which would sleep through it. */
void
end_in_shadow(struct trans *t)
{
	plain(t, &helper_inhibit, NEXT);
}

void
gen_CLAC(struct trans *t)
{
	plain(t, &helper_clac, NEXT);
}

void
gen_STAC(struct trans *t)
{
	plain(t, &helper_stac, NEXT);
}

void
gen_HLT(struct trans *t)
{
	plain(t, &helper_hlt, LEAVES);
}

void
gen_MWAIT(struct trans *t)
{
	plain(t, &helper_mwait, LEAVES);
}

void
gen_MONITOR(struct trans *t)
{
	t->insn.mem.seg = t->insn.seg != IR_NO_REG ? t->insn.seg : SEG_DS;
	gen_helper(t, &helper_monitor, ir_none(), temp_zero_extended(t, t->insn.addr_width, ir_gpr(RAX)), ir_none(), 0);
}

void
gen_UMONITOR(struct trans *t)
{
	val at = ir_gpr(t->insn.rm | (t->insn.rex & REX_B ? 8 : 0));

	t->insn.mem.seg = t->insn.seg != IR_NO_REG ? t->insn.seg : SEG_DS;
	gen_helper(t, &helper_umonitor, ir_none(), temp_zero_extended(t, t->insn.addr_width, at), ir_none(), 0);
}

void
gen_UMWAIT(struct trans *t)
{
	with_value(t, &helper_umwait, 0, AUX_UMWAIT, LEAVES);
}

void
gen_TPAUSE(struct trans *t)
{
	with_value(t, &helper_umwait, 0, AUX_TPAUSE, LEAVES);
}

/* ---- ports ---- */

static val
port(struct trans *t)
{
	val v = opnd(t, 1);

	return v.o.kind == IR_IMM ? temp_imm(t, v.imm) : temp_zero_extended(t, 2, v);
}

void
gen_IN(struct trans *t)
{
	val v = ir_temp(t->ir);

	gen_helper(t, &helper_in, v, port(t), ir_none(), 0);
	ir_op2(t->ir, IR_mov, t->width, ir_gpr(RAX), v);
}

/* What a port does to the processor (reset, A20, SMI) comes before the next instruction. */
void
gen_OUT(struct trans *t)
{
	val number = port(t), v = temp_zero_extended(t, t->width, ir_gpr(RAX));

	gen_helper(t, &helper_out, ir_none(), number, v, 0);
	end_next(t);
}
