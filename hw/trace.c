/* SPDX-License-Identifier: GPL-2.0-or-later */
#define TRACE_TABLE
#include "hw/trace.h"
