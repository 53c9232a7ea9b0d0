/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/dev.h"

#include "base/trace.h"
#include "base/util.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

struct dev *
dev_new(const struct dev_env *env, const struct dev_class *cls, const char *id)
{
	struct dev *d = xcalloc(1, MAX(cls->size, sizeof(*d)));
	struct dev **end = env->devices;

	d->cls = cls;
	d->id = id != NULL ? xstrdup(id) : NULL;
	if (end == NULL)
		return d;
	while (*end != NULL)
		end = &(*end)->next;
	*end = d;
	return d;
}

void
dev_free(struct dev *d)
{
	if (d == NULL)
		return;
	if (d->cls->destroy != NULL)
		d->cls->destroy(d);
	free(d->id);
	free(d);
}

void
dev_reset_all(struct dev *first)
{
	for (struct dev *d = first; d != NULL; d = d->next) {
		if (d->cls->reset != NULL)
			d->cls->reset(d);
	}
}

/* The last one made goes first: it may still speak to those before it. */
void
dev_free_all(struct dev *first)
{
	struct dev *reversed = NULL, *next;

	for (struct dev *d = first; d != NULL; d = next) {
		next = d->next;
		d->next = reversed;
		reversed = d;
	}
	for (struct dev *d = reversed; d != NULL; d = next) {
		next = d->next;
		dev_free(d);
	}
}

/* One bit of a set of 64 stands for a message; two that share a bit are told as one. */
static bool
first_time(struct dev *d, const char *format)
{
	uint32_t hash = 2166136261u;
	uint64_t bit;

	for (const char *p = format; *p != '\0'; p++)
		hash = (hash ^ (uint8_t)*p) * 16777619u;
	bit = 1ull << hash % 64;
	if ((d->reported & bit) != 0)
		return false;
	d->reported |= bit;
	return true;
}

static void
tell(struct dev *d, enum log_bit item, const char *format, va_list args)
{
	char text[256];

	if (!log_on(item) || !first_time(d, format))
		return;
	vsnprintf(text, sizeof(text), format, args);
	log_printf("%s%s%s: %s\n", d->cls->name, d->id != NULL ? " " : "", d->id != NULL ? d->id : "", text);
}

void
guest_bug(struct dev *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(d, LOG_BIT_guest_errors, format, args);
	va_end(args);
}

void
guest_unimp(struct dev *d, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	tell(d, LOG_BIT_unimp, format, args);
	va_end(args);
}

static bool
is_covered(const struct dev_class *cls, uint32_t offset)
{
	for (const struct field *f = cls->fields; f != NULL && f->name != NULL; f++) {
		if (f->kind != FIELD_REMOTE && offset >= f->offset && offset - f->offset < (uint64_t)f->size * f->count)
			return true;
	}
	return false;
}

long
dev_uncovered(const struct dev_class *cls)
{
	for (uint32_t i = 0; i < cls->state_size; i++) {
		if (!is_covered(cls, cls->state_offset + i))
			return i;
	}
	return -1;
}
