/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void
text_make_plain(char *text)
{
	for (; *text != '\0'; text++) {
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
	}
}

bool
err_set(struct err *e, const char *format, ...)
{
	va_list args;

	if (e == NULL)
		return false;
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	text_make_plain(e->text);
	return false;
}

bool
err_prefix(struct err *e, const char *format, ...)
{
	char rest[sizeof(e->text)];
	va_list args;
	size_t used;

	if (e == NULL)
		return false;
	memcpy(rest, e->text, sizeof(rest));
	va_start(args, format);
	vsnprintf(e->text, sizeof(e->text), format, args);
	va_end(args);
	text_make_plain(e->text);
	used = strlen(e->text);
	snprintf(e->text + used, sizeof(e->text) - used, "%s", rest);
	return false;
}
