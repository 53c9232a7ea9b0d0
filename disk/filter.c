/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Filters, for tests of what is above and of guests:
 *
 *     delay:NS          every request takes NS nanoseconds more
 *     fault:RULE,...    requests that match a rule fail
 *     mirror:FILE       reads are compared with a raw copy (filter_mirror.c)
 *     wlog:FILE         what is written is logged (filter_log.c)
 *
 * A rule is OPERATION[@OFFSET[+LENGTH]][#N]=ERROR.  OPERATION: read, write, flush, discard or any; with an OFFSET only
 * requests that touch those bytes (LENGTH: 512) match, with N only the Nth that does so.  ERROR: EIO, ENOSPC, EROFS,
 * EACCES or a number.  Examples: fault:read@0x100000=EIO,flush#3=ENOSPC
 */
#define _GNU_SOURCE /* strchrnul */
#include "disk/image.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>

enum operation { OP_READ = 1, OP_WRITE = 2, OP_FLUSH = 4, OP_DISCARD = 8, OP_ANY = 15 };

struct rule {
	unsigned operations;
	uint64_t offset, len;  /* LEN 0: anywhere */
	uint64_t nth;          /* 0: always */
	_Atomic uint64_t seen;
	int error;
	struct rule *next;
};

struct filter {
	struct image image;
	struct rule *rules; /* of fault */
	uint64_t delay_ns;  /* of delay */
};

static void
sleep_ns(uint64_t ns)
{
	struct timespec t = { .tv_sec = ns / NS_PER_SEC, .tv_nsec = ns % NS_PER_SEC };

	while (nanosleep(&t, &t) < 0 && errno == EINTR)
		;
}

static bool
matches(struct rule *r, enum operation op, uint64_t offset, uint64_t len)
{
	if ((r->operations & op) == 0)
		return false;
	if (r->len != 0 && (offset >= r->offset + r->len || r->offset >= offset + len))
		return false;
	return r->nth == 0 || atomic_fetch_add(&r->seen, 1) + 1 == r->nth;
}

/* What the filter makes of a request before it goes down. */
static int
meet(struct image *i, enum operation op, uint64_t offset, uint64_t len)
{
	struct filter *f = CONTAINER_OF(i, struct filter, image);

	if (f->delay_ns != 0)
		sleep_ns(f->delay_ns);
	for (struct rule *r = f->rules; r != NULL; r = r->next)
		if (matches(r, op, offset, len))
			return r->error;
	return 0;
}

static int
filter_read(struct image *i, uint64_t offset, void *buf, size_t len)
{
	int error = meet(i, OP_READ, offset, len);

	return error != 0 ? error : i->below->ops->read(i->below, offset, buf, len);
}

static int
filter_write(struct image *i, uint64_t offset, const void *buf, size_t len)
{
	int error = meet(i, OP_WRITE, offset, len);

	return error != 0 ? error : i->below->ops->write(i->below, offset, buf, len);
}

static int
filter_flush(struct image *i)
{
	int error = meet(i, OP_FLUSH, 0, 0);

	return error != 0 ? error : i->below->ops->flush(i->below);
}

static int
filter_discard(struct image *i, uint64_t offset, uint64_t len)
{
	int error = meet(i, OP_DISCARD, offset, len);

	return error != 0 ? error : i->below->ops->discard(i->below, offset, len);
}

static int
filter_write_zeros(struct image *i, uint64_t offset, uint64_t len, bool unmap)
{
	int error = meet(i, OP_WRITE, offset, len);

	return error != 0 ? error : layer_write_zeros(i->below, offset, len, unmap);
}

static int
filter_status(struct image *i, uint64_t offset, uint64_t len, struct image_extent *out)
{
	return layer_status(i->below, offset, len, out);
}

static int
filter_truncate(struct image *i, uint64_t bytes)
{
	int error = layer_truncate(i->below, bytes);

	i->bytes = i->below->bytes;
	return error;
}

static void
filter_free(struct filter *f)
{
	while (f->rules != NULL) {
		struct rule *r = f->rules;

		f->rules = r->next;
		free(r);
	}
	free(f);
}

static void
filter_close(struct image *i)
{
	i->below->ops->close(i->below);
	filter_free(CONTAINER_OF(i, struct filter, image));
}

static const struct image_ops filter_ops = {
	.name = "filter", .read = filter_read, .write = filter_write, .flush = filter_flush, .discard = filter_discard,
	.close = filter_close, .write_zeros = filter_write_zeros, .status = filter_status, .truncate = filter_truncate,
};

/* ---- parsing ---- */

/* Takes WORD from the front of *TEXT if it stands there. */
static bool
take(const char **text, const char *word)
{
	size_t n = strlen(word);

	if (strncmp(*text, word, n) != 0)
		return false;
	*text += n;
	return true;
}

static bool
take_operation(const char **text, unsigned *operations)
{
	static const struct {
		const char *name;
		unsigned operations;
	} names[] = {
		{ "read", OP_READ }, { "write", OP_WRITE }, { "flush", OP_FLUSH }, { "discard", OP_DISCARD }, { "any", OP_ANY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (take(text, names[i].name)) {
			*operations = names[i].operations;
			return true;
		}
	}
	return false;
}

static bool
take_error(const char **text, int *error)
{
	static const struct {
		const char *name;
		int error;
	} names[] = {
		{ "EIO", EIO }, { "ENOSPC", ENOSPC }, { "EROFS", EROFS }, { "EACCES", EACCES },
	};
	uint64_t v;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (take(text, names[i].name)) {
			*error = names[i].error;
			return true;
		}
	}
	if (!take_number(text, &v) || v == 0 || v > 4095)
		return false;
	*error = v;
	return true;
}

static bool
parse_rule(const char **text, struct rule *r)
{
	if (!take_operation(text, &r->operations))
		return false;
	if (take(text, "@")) {
		r->len = 512;
		if (!take_number(text, &r->offset) || (take(text, "+") && !take_number(text, &r->len)))
			return false;
		if (r->len == 0 || r->len > UINT64_MAX - r->offset)
			return false;
	}
	if (take(text, "#") && (!take_number(text, &r->nth) || r->nth == 0))
		return false;
	return take(text, "=") && take_error(text, &r->error);
}

static bool
parse_fault(const char **text, struct filter *f)
{
	do {
		struct rule *r = xcalloc(1, sizeof(*r));

		r->next = f->rules;
		f->rules = r;
		if (!parse_rule(text, r))
			return false;
	} while (take(text, ","));
	return true;
}

/* A filter in a file of its own: NAME of a file follows, up to the next filter. */
static bool
add_with_file(struct image **top, const char **text, struct image *(*new)(struct image *, const char *, struct err *),
	struct err *e)
{
	size_t len = strcspn(*text, "|");
	char *file = xasprintf("%.*s", (int)len, *text);
	struct image *i = new(*top, file, e);

	free(file);
	*text += len;
	if (i != NULL)
		*top = i;
	return i != NULL;
}

static bool
add_simple(struct image **top, const char **text)
{
	struct filter *f = xcalloc(1, sizeof(*f));
	bool ok = false;

	if (take(text, "delay:"))
		ok = take_number(text, &f->delay_ns) && f->delay_ns <= 3600 * NS_PER_SEC;
	else if (take(text, "fault:"))
		ok = parse_fault(text, f);
	if (!ok || (**text != '\0' && **text != '|')) {
		filter_free(f);
		return false;
	}
	f->image = (struct image){ .ops = &filter_ops, .bytes = (*top)->bytes, .below = *top, .grows = (*top)->grows };
	*top = &f->image;
	return true;
}

bool
filters_add(struct image **top, const char *rules, struct err *e)
{
	const char *text = rules;

	do {
		if (take(&text, "mirror:")) {
			if (!add_with_file(top, &text, mirror_new, e))
				return false;
		} else if (take(&text, "wlog:")) {
			if (!add_with_file(top, &text, log_new, e))
				return false;
		} else if (!add_simple(top, &text)) {
			return err_set(e, "filter \"%s\": not understood from \"%s\" on; give delay:NS, mirror:FILE, wlog:FILE or "
				"fault:OPERATION[@OFFSET[+LENGTH]][#N]=ERROR,...", rules, text);
		}
	} while (take(&text, "|"));
	return true;
}
