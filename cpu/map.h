/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The opcode maps' tables; rows and groups are in map*.def and group.def. */
#ifndef CPU_MAP_H
#define CPU_MAP_H

#include "cpu/decode.h"

enum group_kind { BY_DIGIT, BY_RM, BY_PREFIX };

enum group {
#define KIND(group, by) GROUP_##group,
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
	GROUPS
};

extern const struct row map_rows[3][256];   /* by enum map; 0F 3A has no row */
/* The row of a VEX map, or NULL: undefined, or a vector instruction. */
const struct row *vex_row(unsigned map, unsigned prefix, unsigned opcode);
extern const struct row group_rows[GROUPS][16];
extern const uint8_t group_kinds[GROUPS];    /* enum group_kind */

#endif
