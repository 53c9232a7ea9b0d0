/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/keyval.h"

#include "base/err.h"
#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* Ends the word at FROM in place, doubled commas made single; returns what follows it, NULL at the end. */
static char *
cut_word(char *from)
{
	char *to = from;

	for (; *from != '\0'; from++) {
		if (*from == ',') {
			if (from[1] != ',') {
				*to = '\0';
				return from + 1;
			}
			from++;
		}
		*to++ = *from;
	}
	*to = '\0';
	return NULL;
}

static void
set_item(struct keyval_item *item, char *word, const char *implied)
{
	char *equals = strchr(word, '=');

	if (equals != NULL) {
		*equals = '\0';
		*item = (struct keyval_item){ .key = word, .value = equals + 1 };
	} else if (implied != NULL) {
		*item = (struct keyval_item){ .key = implied, .value = word };
	} else {
		*item = (struct keyval_item){ .key = word, .value = "on", .bare = true };
	}
}

bool
keyval_parse(struct keyval *k, const char *text, const char *implied, struct err *e)
{
	*k = (struct keyval){ .text = xstrdup(text) };
	for (char *word = k->text; word != NULL;) {
		char *next = cut_word(word);

		if (*word == '\0' && (k->count > 0 || implied == NULL))
			return err_set(e, "an empty property; write key=value,key=value");
		if (k->count == KEYVAL_MAX)
			return err_set(e, "too many properties");
		set_item(&k->items[k->count], word, k->count == 0 ? implied : NULL);
		k->count++;
		word = next;
	}
	return true;
}

void
keyval_free(struct keyval *k)
{
	free(k->text);
	k->text = NULL;
	k->count = 0;
}

const char *
keyval_str(struct keyval *k, const char *key)
{
	const char *value = NULL;

	for (unsigned i = 0; i < k->count; i++) {
		struct keyval_item *item = &k->items[i];

		if (strcmp(item->key, key) == 0) {
			item->used = true;
			value = item->value;
		} else if (item->bare && strncmp(item->key, "no", 2) == 0 && strcmp(item->key + 2, key) == 0) {
			item->used = true;
			value = "off";
		}
	}
	return value;
}

const char *
keyval_next(struct keyval *k, const char *key, unsigned *at)
{
	while (*at < k->count) {
		struct keyval_item *item = &k->items[(*at)++];

		if (strcmp(item->key, key) == 0) {
			item->used = true;
			return item->value;
		}
	}
	return NULL;
}

bool
keyval_bool(struct keyval *k, const char *key, bool *out, struct err *e)
{
	const char *value = keyval_str(k, key);

	if (value == NULL || parse_bool(value, out, e))
		return true;
	return err_prefix(e, "%s=", key);
}

bool
keyval_uint(struct keyval *k, const char *key, uint64_t most, uint64_t *out, struct err *e)
{
	const char *value = keyval_str(k, key);

	if (value == NULL || parse_uint(value, most, out, e))
		return true;
	return err_prefix(e, "%s=", key);
}

bool
keyval_only(struct keyval *k, const char *key, const char *wanted, struct err *e)
{
	const char *value = keyval_str(k, key);

	if (value == NULL || strcmp(wanted, "*") == 0 || strcmp(value, wanted) == 0)
		return true;
	return err_set(e, "%s=%s is not supported; only %s=%s is", key, value, key, wanted);
}

bool
keyval_end(const struct keyval *k, struct err *e)
{
	for (unsigned i = 0; i < k->count; i++) {
		if (!k->items[i].used)
			return err_set(e, "property '%s' is unknown or not supported; leave it out", k->items[i].key);
	}
	return true;
}

bool
parse_uint(const char *text, uint64_t most, uint64_t *out, struct err *e)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;

	errno = 0;
	uint64_t v = strtoull(text, &end, hex ? 16 : 10);
	if (!isdigit((unsigned char)text[0]) || *end != '\0')
		return err_set(e, "'%s' is not a number", text);
	if (errno == ERANGE || v > most)
		return err_set(e, "'%s' is too large; %llu is the most", text, (unsigned long long)most);
	*out = v;
	return true;
}

bool
parse_bool(const char *text, bool *out, struct err *e)
{
	static const char *const yes[] = { "on", "yes", "true", "y" };
	static const char *const no[] = { "off", "no", "false", "n" };

	for (unsigned i = 0; i < ARRAY_SIZE(yes); i++) {
		if (strcmp(text, yes[i]) == 0 || strcmp(text, no[i]) == 0) {
			*out = text[0] == yes[i][0] && strcmp(text, yes[i]) == 0;
			return true;
		}
	}
	return err_set(e, "'%s' is neither on nor off", text);
}

static uint64_t
suffix_unit(char c, uint64_t otherwise)
{
	switch (toupper((unsigned char)c)) {
	case 'B': return 1;
	case 'K': return KiB;
	case 'M': return MiB;
	case 'G': return GiB;
	case 'T': return 1024 * GiB;
	case 'P': return 1024 * 1024 * GiB;
	case '\0': return otherwise;
	}
	return 0;
}

bool
parse_size(const char *text, uint64_t unit, uint64_t *out, struct err *e)
{
	char *end;
	double number = strtod(text, &end);
	uint64_t scale = suffix_unit(*end, unit);
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

	if (!isdigit((unsigned char)text[0]) || hex || !isfinite(number) || scale == 0 || (*end != '\0' && end[1] != '\0'))
		return err_set(e, "'%s' is not a size; write a number with K, M, G or T behind it", text);
	if (number * (double)scale >= 0x1p63)
		return err_set(e, "'%s' is too large", text);
	*out = (uint64_t)(number * (double)scale);
	return true;
}
