/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoder asks of the table of vector instructions, tcg/vec.def. */
#ifndef CPU_VEC_H
#define CPU_VEC_H

#include "cpu/decode.h"

struct vec_row;

/* Has the opcode a ModRM byte?  All but EMMS do. */
bool vec_has_modrm(unsigned map, unsigned opcode);
/* The row for I's map, opcode, mandatory prefix and, where it counts, ModRM; NULL: undefined. */
const struct vec_row *vec_find(const struct insn *i);
bool vec_has_imm(const struct vec_row *v);
/* Register and memory forms as the row allows them? */
bool vec_is_legal(const struct insn *i);

#endif
