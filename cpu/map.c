/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opcode maps as tables. */
#include "cpu/map.h"

#include "cpu/gen.h"

#define LOCK ROW_LOCK
#define I64 ROW_I64
#define O64 ROW_O64
#define D64 ROW_D64
#define F64 ROW_F64
#define MOD3 ROW_MOD3
#define NEED(feature) ROW_NEED(feature)

#define DERIVED(form)                                                                                        \
	(((form) != O___ && (form) <= O_LAST_MODRM ? ROW_MODRM : 0) | ((form) >= O_Ib && (form) <= O_Ov ? ROW_IMM : 0) | \
		((form) >= O_M && (form) <= O_Ma ? ROW_MEMORY : 0) | ((form) == O_Rr || (form) == O_Ry ? ROW_REGISTER : 0))
#define gen_GROUP(kind) NULL, .group = GROUP_##kind + 1
#define ROW(name_, a, b, c, flags_)                                                                          \
	{                                                                                                    \
		.name = #name_, .opnd = { O_##a, O_##b, O_##c },                                             \
		.flags = (flags_) | DERIVED(O_##a) | DERIVED(O_##b) | DERIVED(O_##c), .gen = gen_##name_           \
	}

#define OP(opcode, name, a, b, c, flags) [opcode] = ROW(name, a, b, c, flags),
const struct row map_rows[3][256] = {
	[MAP_1] = {
#include "cpu/map1.def"
	},
	[MAP_0F] = {
#include "cpu/map0f.def"
	},
	[MAP_0F38] = {
#include "cpu/map0f38.def"
	},
};
#undef OP

enum vex_number {
	VEX_NONE,
#define V(map, prefix, opcode, name, a, b, c, flags) VEX_##map##_##prefix##_##opcode,
#include "cpu/map_vex.def"
#undef V
};

static const uint8_t vex_places[MAP_XOPA - MAP_0F + 1][4][256] = {
#define V(map, prefix, opcode, name, a, b, c, flags) [MAP_##map - MAP_0F][prefix][opcode] = VEX_##map##_##prefix##_##opcode,
#include "cpu/map_vex.def"
#undef V
};

static const struct row vex_rows[] = {
	{ .name = NULL },
#define V(map, prefix, opcode, name, a, b, c, flags) ROW(name, a, b, c, flags),
#include "cpu/map_vex.def"
#undef V
};

const struct row *
vex_row(unsigned map, unsigned prefix, unsigned opcode)
{
	unsigned n = vex_places[map - MAP_0F][prefix][opcode];

	return n != VEX_NONE ? &vex_rows[n] : NULL;
}

#define KIND(group, by)
#define G(group, n, name, a, b, c, flags) \
	[GROUP_##group][n] = ROW(name, a, b, c, flags), [GROUP_##group][(n) + 8] = ROW(name, a, b, c, flags),
#define GM(group, n, name, a, b, c, flags) [GROUP_##group][n] = ROW(name, a, b, c, flags),
#define GR(group, n, name, a, b, c, flags) [GROUP_##group][(n) + 8] = ROW(name, a, b, c, flags),
#define GX(group, n, name, a, b, c, flags) [GROUP_##group][n] = ROW(name, a, b, c, flags),
#define GP(group, n, name, a, b, c, flags) [GROUP_##group][n] = ROW(name, a, b, c, flags),
const struct row group_rows[GROUPS][16] = {
#include "cpu/group.def"
};
#undef KIND
#undef G
#undef GM
#undef GR
#undef GX
#undef GP

const uint8_t group_kinds[GROUPS] = {
#define KIND(group, by) [GROUP_##group] = BY_##by,
#define G(...)
#define GM(...)
#define GR(...)
#define GX(...)
#define GP(...)
#include "cpu/group.def"
#undef KIND
#undef G
#undef GM
#undef GR
#undef GX
#undef GP
};
