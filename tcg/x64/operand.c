/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the guest's registers are on the host. */
#include "tcg/x64/gen.h"

/* By the guest's numbers.  The natural ones stay themselves; rax, rsp and three more have other tasks on the host. */
const uint8_t host_of[16] = {
	H_R10, H_RCX, H_RDX, H_RBX, H_R11, H_RBP, H_RSI, H_RDI, H_R8, H_R9, H_NONE, H_NONE, H_R12, H_NONE, H_NONE, H_NONE,
};

bool
is_pinned(struct ir_opnd o)
{
	return o.kind == IR_GPR && host_of[o.reg] != H_NONE;
}

bool
is_slot(struct ir_opnd o)
{
	return (o.kind == IR_GPR && host_of[o.reg] == H_NONE) || o.kind == IR_TEMP || o.kind == IR_FIELD;
}

struct rm
operand_rm(struct ir_opnd o)
{
	switch (o.kind) {
	case IR_GPR:
		if (host_of[o.reg] != H_NONE)
			return rm_reg(host_of[o.reg]);
		return rm_at(H_RSP, offsetof(struct tcg_frame, gpr) + 8 * o.reg);
	case IR_TEMP:
		return rm_at(H_RSP, offsetof(struct tcg_frame, temp) + 16 * o.reg);
	default:
		return rm_at(H_RSP, o.off);
	}
}

unsigned
operand_reg(struct gen *g, const struct ir_insn *i, struct ir_opnd o, unsigned width, unsigned scratch)
{
	if (is_pinned(o))
		return host_of[o.reg];
	if (o.kind == IR_IMM) {
		mov_imm(&g->a, scratch, width == 8 ? (uint64_t)i->imm : (uint32_t)i->imm);
	} else if (o.kind == IR_GPRH) {
		mov_rr(&g->a, 4, scratch, host_of[o.reg]);
		shift_imm(&g->a, 4, 5, scratch, 8);
	} else if (width < 4) {
		op_rm(&g->a, 0, 4, width == 1 ? 0x0fb6 : 0x0fb7, scratch, operand_rm(o)); /* movzx */
	} else {
		mov_load(&g->a, width, scratch, operand_rm(o));
	}
	return scratch;
}

void
store_operand(struct gen *g, struct ir_opnd o, unsigned width, unsigned scratch)
{
	if (o.kind == IR_GPRH) {
		unsigned reg = host_of[o.reg];

		shift_imm(&g->a, 8, 1, reg, 8); /* ror */
		mov_store(&g->a, 1, rm_reg(reg), scratch);
		shift_imm(&g->a, 8, 0, reg, 8); /* rol */
	} else if (o.kind != IR_FIELD && width == 4 && !is_pinned(o)) {
		mov_store(&g->a, 8, operand_rm(o), scratch);
	} else {
		mov_store(&g->a, width, operand_rm(o), scratch);
	}
}
