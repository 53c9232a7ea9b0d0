/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors of the host: one line for a person that says what, where and what to do. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdbool.h>

struct err {
	char text[512];
};

/*
 * Both return false, so that a function can end with "return err_set(e, ...)".  A null E is allowed.
 * err_prefix puts context in front of what is there: "FILE: " + "no such file".
 */
bool err_set(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool err_prefix(struct err *e, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line, whatever a file's name or an image has brought into TEXT: a terminal would obey control characters. */
void text_make_plain(char *text);

#endif
