/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoder asks of the table of instructions with a VEX prefix, tcg/avx.def. */
#ifndef CPU_AVX_H
#define CPU_AVX_H

#include "cpu/decode.h"
#include "tcg/avx.h"

/* Does it have a ModRM byte? */
bool avx_has_modrm(const struct insn *i);
/* The row for I's map, mandatory prefix, opcode, ModRM, L and W; NULL: undefined. */
const struct avx_row *avx_find(const struct insn *i);
/* The rules that hold once the whole of it was read. */
bool avx_is_legal(const struct insn *i);
/* The feature that I needs; beside it AVX itself; and that of a row with 16 bytes. */
enum cpu_feature avx_feature(const struct insn *i);
enum cpu_feature avx_row_feature(const struct avx_row *r);

#endif
