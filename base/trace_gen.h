/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes a folder's trace_NAME() functions from its trace.def.  The folder's trace.h is
 *
 *     #ifndef HW_TRACE_H
 *     #define HW_TRACE_H
 *     #define TRACE_FOLDER hw
 *     #define TRACE_DEF "hw/trace.def"
 *     #include "base/trace_gen.h"
 *     #endif
 *
 * and its trace.c is two lines: #define TRACE_TABLE, and the inclusion of that trace.h.  They make hw_trace_events and
 * hw_trace_count, which the machine registers.
 */
#include "base/trace.h"

#include <inttypes.h>

/* (a, b) becomes ", a, b", and () nothing. */
#define TRACE_COMMA(...) , ##__VA_ARGS__
#define TRACE_PASTE_(a, b) a##b
#define TRACE_PASTE(a, b) TRACE_PASTE_(a, b)

#define EVENT(event, params, args, format) \
	extern uint8_t trace_on_##event; \
	static inline void \
	trace_##event params \
	{ \
		if (__builtin_expect(trace_on_##event, 0)) \
			log_printf(#event ": " format "\n" TRACE_COMMA args); \
	}
#include TRACE_DEF
#undef EVENT

extern const struct trace_event TRACE_PASTE(TRACE_FOLDER, _trace_events)[];
extern const unsigned TRACE_PASTE(TRACE_FOLDER, _trace_count);

#ifdef TRACE_TABLE
#define EVENT(event, params, args, format) uint8_t trace_on_##event;
#include TRACE_DEF
#undef EVENT

/* Ends with an empty row, so that a folder without events compiles too. */
const struct trace_event TRACE_PASTE(TRACE_FOLDER, _trace_events)[] = {
#define EVENT(event, params, args, format) { #event, &trace_on_##event },
#include TRACE_DEF
#undef EVENT
	{ 0, 0 },
};
const unsigned TRACE_PASTE(TRACE_FOLDER, _trace_count) =
	sizeof(TRACE_PASTE(TRACE_FOLDER, _trace_events)) / sizeof(struct trace_event) - 1;
#endif
