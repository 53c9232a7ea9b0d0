/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What op.def says of each operation, as a table; for the files of tcg/ alone. */
#ifndef TCG_OP_H
#define TCG_OP_H

#include <stdint.h>

#include "tcg/ir.h"

enum ir_trait { PURE = 1, READS = 2, END = 4, CALLS = 8, COND = 16, MAYBE = 32, VECTOR = 64 };

struct ir_op_info {
	const char *name;
	uint8_t reads, writes, traits;
};

extern const struct ir_op_info ir_ops[IR_OPS];

#endif
