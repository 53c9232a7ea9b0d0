/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoder asks of the table of vector instructions, tcg/vec.def. */
#ifndef CPU_VEC_H
#define CPU_VEC_H

#include "cpu/decode.h"
#include "tcg/vec.h"

/* May there be a row for I's map, opcode and mandatory prefix? */
bool vec_exists(const struct insn *i);
/* The row for I's map, opcode, mandatory prefix and ModRM; NULL: undefined. */
const struct vec_row *vec_find(const struct insn *i);
/* Register and memory forms as the row allows them? */
bool vec_is_legal(const struct insn *i);
/* The feature that it needs. */
enum cpu_feature vec_feature(const struct vec_row *v);

#endif
