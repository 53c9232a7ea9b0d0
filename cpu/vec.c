/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/vec.h"

enum { OPCODES = 256, EXTENDED = OPCODES + 4 * 8 };

/* A row's place: by opcode, or behind those by the two low bits of the opcode (71h-73h, 66 0F 78h) and ModRM.reg. */
#define PLACE(opcode, ext) ((ext) < 0 ? (opcode) : OPCODES + ((opcode) & 3) * 8 + (ext))
#define PREFIX(prefix) ((prefix) == 0x66 ? P66 : (prefix) == 0xf3 ? PF3 : (prefix) == 0xf2 ? PF2 : NP)

/* By map 0F, 0F 38, 0F 3A, mandatory prefix and place: number of the row, plus 1. */
static const uint16_t places[3][4][EXTENDED] = {
#define VEC(name, prefix, map, opcode, ext, form, reg, rm, size, feature, flags) \
	[(map) - 1][PREFIX(prefix)][PLACE(opcode, ext)] = VEC_##name + 1,
#include "tcg/vec.def"
#undef VEC
};

static const uint8_t features[VEC_ROWS] = {
#define VEC(name, prefix, map, opcode, ext, form, reg, rm, size, feature, flags) FEAT_##feature,
#include "tcg/vec.def"
#undef VEC
};

static bool
is_extended(const struct insn *i)
{
	return i->map == MAP_0F && ((i->opcode >= 0x71 && i->opcode <= 0x73) || (i->opcode == 0x78 && i->prefix == P66));
}

bool
vec_exists(const struct insn *i)
{
	return is_extended(i) || places[i->map - MAP_0F][i->prefix][i->opcode] != 0;
}

const struct vec_row *
vec_find(const struct insn *i)
{
	const uint16_t *place = places[i->map - MAP_0F][i->prefix];
	unsigned n = place[i->opcode];

	if (n == 0 && is_extended(i))
		n = place[PLACE(i->opcode, i->reg)];
	return n != 0 ? &vec_rows[n - 1] : NULL;
}

bool
vec_is_legal(const struct insn *i)
{
	const struct vec_row *v = i->vec;

	if (i->mod == 3)
		return v->rm != VEC_KIND_N;
	return !(v->flags & VEC_REGS);
}

enum cpu_feature
vec_feature(const struct vec_row *v)
{
	return features[v - vec_rows];
}
