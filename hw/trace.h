/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices' trace events: see trace.def. */
#ifndef HW_TRACE_H
#define HW_TRACE_H

#define TRACE_FOLDER hw
#define TRACE_DEF "hw/trace.def"
#include "base/trace_gen.h"

#endif
