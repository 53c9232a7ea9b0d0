/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In the place of a back end where there is none. */
#include "tcg/block.h"

const struct back_end *const host_back_end = NULL;
