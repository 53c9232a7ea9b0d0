/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text in UTF-8, and how wide it is. */
#ifndef UI_UTF8_H
#define UI_UTF8_H

#include <stdint.h>

/* How many cells a character takes: 0 for marks that go over another one, 1 or 2. */
unsigned utf8_columns(uint32_t code);
/* Takes a character of UTF-8 from *TEXT, before END; what is none gives U+FFFD.  0 at the end. */
uint32_t utf8_take(const char **text, const char *end);
/* Writes CODE, at most 4 bytes; how many. */
unsigned utf8_put(char *to, uint32_t code);

#endif
