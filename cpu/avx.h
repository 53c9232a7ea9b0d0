/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the decoder asks of the table of instructions with a VEX prefix, tcg/avx.def. */
#ifndef CPU_AVX_H
#define CPU_AVX_H

#include "cpu/decode.h"
#include "tcg/avx.h"

/* By which the tables of VEX and EVEX instructions are sorted; PREFIX is a byte. */
static inline unsigned
avx_key(unsigned map, unsigned opcode, unsigned prefix)
{
	return map << 16 | opcode << 8 | prefix;
}

/* That of I's row. */
static inline unsigned
avx_wanted(const struct insn *i)
{
	static const uint8_t mandatory[4] = { 0, 0x66, 0xf3, 0xf2 };

	return avx_key(i->map - MAP_0F + 1, i->opcode, mandatory[i->prefix]);
}

/* The first row of such a table, whose keys KEY_OF tells, that stands at WANTED or behind it. */
static inline unsigned
avx_first_row(unsigned rows, unsigned wanted, unsigned (*key_of)(unsigned row))
{
	unsigned low = 0, high = rows;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (key_of(middle) < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

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
