/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/trace.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <fnmatch.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

struct range {
	uint64_t first, last;
};

struct table {
	const struct trace_event *events;
	unsigned count;
	struct table *next;
};

/* The process's one log, see the header.  Filter and tables are set up before the machine's threads start. */
static struct {
	_Atomic uint32_t mask;
	_Atomic(FILE *) file; /* NULL: stderr */
	struct range *filter;
	size_t filter_count;
	struct table *tables;
	pthread_mutex_t lock; /* of the tables and the filter */
} log_state = { .lock = PTHREAD_MUTEX_INITIALIZER };

bool
log_on(enum log_bit item)
{
	return (atomic_load_explicit(&log_state.mask, memory_order_relaxed) >> item & 1) != 0;
}

void
log_set(uint32_t mask)
{
	atomic_store(&log_state.mask, mask);
}

uint32_t
log_get(void)
{
	return atomic_load(&log_state.mask);
}

bool
log_open(const char *path, void *err_or_null)
{
	FILE *old, *f = NULL;

	if (path != NULL) {
		f = fopen(path, "w");
		if (f == NULL)
			return err_set(err_or_null, "%s: the log can't be written: %s", path, strerror(errno));
		setvbuf(f, NULL, _IOLBF, 0);
	}
	old = atomic_exchange(&log_state.file, f);
	if (old != NULL)
		fclose(old);
	return true;
}

void
log_printf(const char *format, ...)
{
	FILE *f = atomic_load(&log_state.file);
	va_list args;

	va_start(args, format);
	vfprintf(f != NULL ? f : stderr, format, args);
	va_end(args);
}

/* ---- -dfilter ---- */

bool
log_filter(uint64_t address)
{
	if (log_state.filter_count == 0)
		return true;
	for (size_t i = 0; i < log_state.filter_count; i++) {
		if (address >= log_state.filter[i].first && address <= log_state.filter[i].last)
			return true;
	}
	return false;
}

/* START..END (inclusive), START+LENGTH, or START-LENGTH, which ends at START. */
static bool
parse_range(const char **text, struct range *r)
{
	uint64_t start, other;
	char sign;

	if (!take_number(text, &start))
		return false;
	sign = **text;
	if (sign == '.' && (*text)[1] == '.')
		*text += 2;
	else if (sign == '+' || sign == '-')
		*text += 1;
	else
		return false;
	if (!take_number(text, &other))
		return false;
	if (sign == '.') {
		*r = (struct range){ start, other };
		return start <= other;
	}
	if (other == 0)
		return false;
	if (sign == '+')
		*r = (struct range){ start, other - 1 > UINT64_MAX - start ? UINT64_MAX : start + other - 1 };
	else
		*r = (struct range){ other - 1 > start ? 0 : start - (other - 1), start };
	return true;
}

bool
log_set_filter(const char *ranges, void *err_or_null)
{
	struct range *filter = NULL;
	size_t count = 0;

	for (const char *p = ranges; *p != '\0';) {
		filter = xrealloc(filter, (count + 1) * sizeof(*filter));
		if (!parse_range(&p, &filter[count++]) || (*p != ',' && *p != '\0')) {
			free(filter);
			return err_set(err_or_null,
				"ranges are START..END, START+LENGTH or START-LENGTH, with commas between");
		}
		if (*p == ',')
			p++;
	}
	pthread_mutex_lock(&log_state.lock);
	free(log_state.filter);
	log_state.filter = filter;
	log_state.filter_count = count;
	pthread_mutex_unlock(&log_state.lock);
	return true;
}

/* ---- events ---- */

void
trace_register(const struct trace_event *events, unsigned count)
{
	struct table *t;

	pthread_mutex_lock(&log_state.lock);
	t = log_state.tables;
	while (t != NULL && t->events != events)
		t = t->next;
	if (t == NULL) {
		t = xcalloc(1, sizeof(*t));
		*t = (struct table){ events, count, log_state.tables };
		log_state.tables = t;
	}
	pthread_mutex_unlock(&log_state.lock);
}

bool
trace_enable(const char *glob, bool on)
{
	bool any = false;

	pthread_mutex_lock(&log_state.lock);
	for (const struct table *t = log_state.tables; t != NULL; t = t->next) {
		for (unsigned i = 0; i < t->count; i++) {
			if (fnmatch(glob, t->events[i].name, 0) != 0)
				continue;
			*t->events[i].on = on;
			any = true;
		}
	}
	pthread_mutex_unlock(&log_state.lock);
	return any;
}

void
trace_list(void (*each)(void *opaque, const char *name, bool on), void *opaque)
{
	for (const struct table *t = log_state.tables; t != NULL; t = t->next) {
		for (unsigned i = 0; i < t->count; i++)
			each(opaque, t->events[i].name, *t->events[i].on != 0);
	}
}
