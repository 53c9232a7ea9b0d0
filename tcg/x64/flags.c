/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the guest's flags are: in the host's, or in rax. */
#include "tcg/x64/gen.h"

void
flags_save(struct gen *g)
{
	if (g->flags & IN_AX)
		return;
	put32(&g->a, 0x9fc0900f); /* seto al; lahf */
	g->flags |= IN_AX;
}

void
flags_clobber(struct gen *g)
{
	flags_save(g);
	g->flags = IN_AX;
}

void
flags_to_host(struct gen *g)
{
	if (g->flags & IN_HOST)
		return;
	put8(&g->a, 0x3c); /* cmp al, 81h: OF = bit 0 of al */
	put8(&g->a, 0x81);
	put8(&g->a, 0x9e); /* sahf */
	g->flags |= IN_HOST;
}

void
carry_to_host(struct gen *g)
{
	if (g->flags & IN_HOST)
		return;
	op_rm(&g->a, 0, 4, 0x0fba, ASM_EXT | 4, rm_reg(H_RAX)); /* bt eax, 8 */
	put8(&g->a, 8);
}

void
flags_defined(struct gen *g, const struct ir_insn *i)
{
	g->flags = i->attr & IR_FLAGS_LIVE ? IN_HOST : IN_AX;
}

void
flags_partial(struct gen *g, const struct ir_insn *i)
{
	if (i->attr & IR_FLAGS_LIVE)
		flags_to_host(g);
}

/* BEFORE: g->flags as it was ahead of the operation.  What it did not write is still where it was. */
void
flags_after_partial(struct gen *g, const struct ir_insn *i, unsigned before)
{
	if (i->attr & IR_FLAGS_LIVE || before & IN_HOST)
		g->flags = IN_HOST;
	else
		g->flags = IN_AX;
}
