/* SPDX-License-Identifier: GPL-2.0-or-later */
#define _GNU_SOURCE /* vasprintf */
#include "base/util.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* There is no way on without memory, and none to tell the guest: one line, and out. */
static _Noreturn void
out_of_memory(size_t size)
{
	fprintf(stderr, "calque: the host has no %zu bytes of memory left\n", size);
	exit(1);
}

void *
xcalloc(size_t count, size_t size)
{
	void *p = calloc(count != 0 ? count : 1, size != 0 ? size : 1);

	if (p == NULL)
		out_of_memory(count * size);
	return p;
}

void *
xrealloc(void *p, size_t size)
{
	void *q = realloc(p, size != 0 ? size : 1);

	if (q == NULL)
		out_of_memory(size);
	return q;
}

void *
xaligned(size_t size)
{
	size_t whole = align_up(size != 0 ? size : 1, 4096);
	void *p = aligned_alloc(4096, whole);

	if (p == NULL)
		out_of_memory(size);
	return memset(p, 0, whole);
}

char *
xstrdup(const char *s)
{
	size_t size = strlen(s) + 1;

	return memcpy(xcalloc(size, 1), s, size);
}

char *
xasprintf(const char *format, ...)
{
	va_list args;
	char *text;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		out_of_memory(strlen(format));
	va_end(args);
	return text;
}

bool
take_number(const char **text, uint64_t *v)
{
	char *end;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	*v = strtoull(*text, &end, 0);
	*text = end;
	return errno == 0;
}
