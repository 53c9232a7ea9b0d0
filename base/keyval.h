/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The "key=value,key=value" syntax of options.  A doubled comma is one comma of the value; a bare word is a switch that
 * is on ("server"), or off with "no" before it, or the value of the implied key when it stands first.
 */
#ifndef BASE_KEYVAL_H
#define BASE_KEYVAL_H

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { KEYVAL_MAX = 48 };

struct keyval {
	char *text;
	unsigned count;
	struct keyval_item {
		const char *key, *value;
		bool bare; /* written without a value */
		bool used;
	} items[KEYVAL_MAX];
};

/* IMPLIED: the key of a first word without "=", or NULL.  To be freed, also after a failure. */
bool keyval_parse(struct keyval *k, const char *text, const char *implied, struct err *e);
void keyval_free(struct keyval *k);

/* The last value of KEY, or NULL.  Each look-up marks the key as known. */
const char *keyval_str(struct keyval *k, const char *key);
/* For keys that may be repeated: the value of the next KEY from *AT on, which begins as 0; NULL: no more. */
const char *keyval_next(struct keyval *k, const char *key, unsigned *at);
/* These leave *OUT alone when the key is not there; false: there is a value, and it is a wrong one. */
bool keyval_bool(struct keyval *k, const char *key, bool *out, struct err *e);
bool keyval_uint(struct keyval *k, const char *key, uint64_t most, uint64_t *out, struct err *e);
/* Accepts KEY with the value WANTED alone ("*": any), for what is always so here. */
bool keyval_only(struct keyval *k, const char *key, const char *wanted, struct err *e);
/* Every key was looked up?  Else the first unknown one is named. */
bool keyval_end(const struct keyval *k, struct err *e);

/* A number: decimal, or hexadecimal after 0x. */
bool parse_uint(const char *text, uint64_t most, uint64_t *out, struct err *e);
bool parse_bool(const char *text, bool *out, struct err *e);
/* A size with the suffix K, M, G, T or B (bytes); UNIT is that of a number without a suffix.  Fractions are allowed. */
bool parse_size(const char *text, uint64_t unit, uint64_t *out, struct err *e);

#endif
