/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/helpers.h"

#define HELPER(name, x87) const struct ir_helper helper_##name = { #name, do_##name, x87 };
#include "cpu/system.def"
#include "cpu/soft.def"
#undef HELPER

const struct ir_helper *const cpu_helpers[] = {
#define HELPER(name, x87) &helper_##name,
#include "cpu/system.def"
#include "cpu/soft.def"
#undef HELPER
	NULL,
};
