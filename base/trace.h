/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tracing as data.  A folder lists its events in trace.def:
 *
 *     EVENT(pit_load, (unsigned ch, unsigned n), (ch, n), "ch %u count %u")
 *
 * and makes them with TRACE_FOLDER in its trace.h (see hw/trace.h and base/trace_gen.h): trace_pit_load(ch, n) tests one
 * byte when off.
 * The log is where -d items and events go: -D FILE, or stderr.
 */
#ifndef BASE_TRACE_H
#define BASE_TRACE_H

#include <stdbool.h>
#include <stdint.h>

struct trace_event {
	const char *name;
	uint8_t *on;
};

/* Items of -d.  LOG(item, text of -d help). */
#define LOG_ITEMS(LOG) \
	LOG(in_asm, "guest code of each block that is translated") \
	LOG(op, "IR of each block as it was built") \
	LOG(op_opt, "IR after the passes") \
	LOG(out_asm, "host code of each block") \
	LOG(int, "interrupts and exceptions, with the processor's state") \
	LOG(exec, "each block as it is entered from the run loop") \
	LOG(cpu, "the processor's state before each block") \
	LOG(mmu, "page walks and invalidations") \
	LOG(guest_errors, "what guests do that hardware has no answer for") \
	LOG(unimp, "what guests use that is not there") \
	LOG(nochain, "blocks are not chained, so that exec and cpu see each one")

#define LOG_ENUM(item, text) LOG_BIT_##item,
enum log_bit { LOG_ITEMS(LOG_ENUM) LOG_BITS };
#undef LOG_ENUM

/* Process-wide by nature, like stderr: one log, written by any thread, a line at a time. */
bool log_on(enum log_bit item);
void log_set(uint32_t mask);             /* bit per item */
uint32_t log_get(void);
bool log_open(const char *path, void *err_or_null); /* struct err *; NULL path: stderr */
bool log_filter(uint64_t address);       /* -dfilter: does ADDRESS pass? */
bool log_set_filter(const char *ranges, void *err_or_null);
void log_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Registers a folder's events: trace_register(hw_trace_events, hw_trace_count). */
void trace_register(const struct trace_event *events, unsigned count);
/* Switches what matches GLOB (`-trace GLOB`).  False: nothing matched. */
bool trace_enable(const char *glob, bool on);
void trace_list(void (*each)(void *opaque, const char *name, bool on), void *opaque);

#endif
