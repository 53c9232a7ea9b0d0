/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoder asks of the table of instructions with an EVEX prefix, tcg/evex.def. */
#ifndef CPU_EVEX_H
#define CPU_EVEX_H

#include "cpu/decode.h"
#include "tcg/evex.h"

/* The row for I's map, mandatory prefix, opcode, ModRM, L and W; NULL: undefined. */
const struct evex_row *evex_find(const struct insn *i);
/* What an 8-bit displacement of I is multiplied by. */
unsigned evex_unit(const struct insn *i);
/* The rules that hold once the whole of it was read: masks, EVEX.b, registers. */
bool evex_is_legal(const struct insn *i);
/* The feature that I needs beside AVX512F, and AVX512VL if evex_needs_vl; and that of a row. */
enum cpu_feature evex_row_feature(const struct evex_row *r);
bool evex_needs_vl(const struct insn *i);

#endif
