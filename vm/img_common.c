/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calque-img: what its commands share. */
#define _GNU_SOURCE /* vasprintf */
#include "vm/img.h"

#include "base/err.h"
#include "base/util.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- options ---- */

bool
img_given(const struct img_args *a, int option)
{
	return a->value[option] != NULL;
}

bool
img_size(const char *text, const char *what, uint64_t *out, struct err *e)
{
	static const char suffixes[] = "bkmgtpe";
	const char *s;
	char *end;
	long double v;
	int shift = 0;
	bool hex = strncmp(text, "0x", 2) == 0 || strncmp(text, "0X", 2) == 0;

	errno = 0;
	v = hex ? (long double)strtoull(text, &end, 16) : strtold(text, &end);
	if (end == text || !isdigit((unsigned char)text[0]) || errno == ERANGE)
		return err_set(e, "%s '%s' is not a size; give a number, with k, M, G, T, P or E behind it if you like", what, text);
	if (*end != '\0' && !hex) {
		s = strchr(suffixes, tolower((unsigned char)*end));
		if (s != NULL) {
			shift = 10 * (int)(s - suffixes);
			end++;
		}
	}
	if (*end != '\0')
		return err_set(e, "%s '%s' is not a size; give a number, with k, M, G, T, P or E behind it if you like", what, text);
	v = ldexpl(v, shift);
	if (v > (long double)INT64_MAX)
		return err_set(e, "%s '%s' is too large; 8 EiB - 1 is the most", what, text);
	*out = (uint64_t)v;
	return true;
}

bool
img_cache(const char *mode, unsigned *flags, struct err *e)
{
	static const struct {
		const char *name;
		unsigned flags;
	} modes[] = {
		{ "writeback", 0 }, { "writethrough", 0 }, { "none", IMAGE_DIRECT }, { "off", IMAGE_DIRECT },
		{ "directsync", IMAGE_DIRECT }, { "unsafe", IMAGE_UNSAFE },
	};

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		if (strcmp(mode, modes[i].name) == 0) {
			*flags |= modes[i].flags;
			return true;
		}
	}
	return err_set(e, "cache mode %s is not known; use writeback, writethrough, none, directsync or unsafe", mode);
}

bool
img_json(const struct img_args *a, bool *json, struct err *e)
{
	const char *how = a->value[IMG_OUTPUT];

	*json = how != NULL && strcmp(how, "json") == 0;
	return how == NULL || *json || strcmp(how, "human") == 0 ||
		err_set(e, "--output=%s is not known; use human or json", how);
}

bool
img_files(const struct img_args *a, unsigned count, struct err *e)
{
	if (a->count == count)
		return true;
	if (a->count > count)
		return err_set(e, "'%s' is one word too much", a->files[count]);
	return err_set(e, count == 1 ? "the image's file name is missing" : "two words were expected after the options");
}

struct image *
img_open(const struct img_args *a, const char *file, const char *format, unsigned flags, int cache, struct err *e)
{
	struct image_open o = { .file = file, .format = format, .flags = flags };

	if (img_given(a, 'U') && (flags & IMAGE_WRITE) == 0)
		o.flags |= IMAGE_NO_LOCK;
	if (cache != 0 && img_given(a, cache) && !img_cache(a->value[cache], &o.flags, e))
		return NULL;
	return image_open(&o, e);
}

bool
img_close(struct image *i, const char *file, struct err *e)
{
	int error = i != NULL ? image_close(i) : 0;

	return error == 0 || err_set(e, "%s: not all could be written: %s", file, strerror(error));
}

/* ---- progress ---- */

static volatile sig_atomic_t interrupted;

static void
interrupt(int signal)
{
	interrupted = signal;
}

static uint64_t
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

static void
tell(struct img_progress *p, double percent)
{
	FILE *to = p->asked ? stdout : stderr;

	fprintf(to, "    (%3.2f/100%%)\r", percent);
	fflush(to);
	p->shown = true;
	p->last = percent;
}

/* A copy that is stopped in the middle shall say so: the signal is only noted. */
bool
img_progress_begin(struct img_progress *p, const struct img_args *a, uint64_t total, struct err *e)
{
	struct sigaction act = { .sa_handler = interrupt };

	*p = (struct img_progress){
		.asked = img_given(a, 'p'), .terminal = isatty(STDERR_FILENO) && !img_given(a, 'q'), .total = total,
		.start_ns = now_ns(),
	};
	if (img_given(a, 'r') && !img_size(a->value['r'], "-r", &p->rate, e))
		return false;
	sigaction(SIGINT, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	sigaction(SIGHUP, &act, NULL);
	if (p->asked)
		tell(p, 0);
	return true;
}

static void
keep_rate(const struct img_progress *p)
{
	uint64_t due = mul_div(p->done, NS_PER_SEC, p->rate), past = now_ns() - p->start_ns;
	struct timespec t = { .tv_sec = 0 };

	if (due <= past)
		return;
	t.tv_sec = (time_t)((due - past) / NS_PER_SEC);
	t.tv_nsec = (long)((due - past) % NS_PER_SEC);
	nanosleep(&t, NULL);
}

bool
img_progress(struct img_progress *p, uint64_t bytes, struct err *e)
{
	double percent;

	if (interrupted)
		return err_set(e, "interrupted");
	p->done += bytes;
	if (p->rate != 0)
		keep_rate(p);
	percent = p->total == 0 ? 100 : MIN(100.0, 100.0 * (double)p->done / (double)p->total);
	if (p->asked && percent >= p->last + 1)
		tell(p, percent);
	if (!p->asked && p->terminal && now_ns() - p->start_ns > NS_PER_SEC && now_ns() - p->told_ns > NS_PER_SEC / 5) {
		p->told_ns = now_ns();
		tell(p, percent);
	}
	return true;
}

void
img_progress_end(struct img_progress *p, bool ok)
{
	if (ok && p->asked)
		tell(p, 100);
	if (p->asked && p->shown)
		putchar('\n');
	else if (p->shown)
		fprintf(stderr, "                    \r");
}

/* ---- bytes ---- */

bool
img_is_zero(const uint8_t *p, size_t len)
{
	return len == 0 || (p[0] == 0 && memcmp(p, p + 1, len - 1) == 0);
}

void
img_print(const char *format, ...)
{
	char *text = NULL;
	va_list args;
	int length;

	va_start(args, format);
	length = vasprintf(&text, format, args);
	va_end(args);
	if (length < 0)
		return;
	text_make_plain(text);
	puts(text);
	free(text);
}

const char *
img_human(uint64_t bytes, char text[16])
{
	static const char *const units[] = { "", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei" };
	unsigned n = 0;

	/* A unit as soon as three digits would not do. */
	while (n < ARRAY_SIZE(units) - 1 && (double)bytes / (double)(1ull << 10 * n) >= 1000)
		n++;
	snprintf(text, 16, "%0.3g %sB", (double)bytes / (double)(1ull << 10 * n), units[n]);
	return text;
}

bool
img_io_error(struct err *e, const char *file, const char *verb, uint64_t offset, int error)
{
	return err_set(e, "%s: can't %s at byte %" PRIu64 ": %s", file, verb, offset, strerror(error));
}

/* ---- JSON ---- */

static void
begin_item(struct json *j, const char *key)
{
	if (j->any)
		fputc(',', j->to);
	if (j->depth > 0)
		fprintf(j->to, "\n%*s", (int)j->depth * 4, "");
	j->any = true;
	if (key != NULL)
		fprintf(j->to, "\"%s\": ", key);
}

void
json_open(struct json *j, const char *key, char bracket)
{
	begin_item(j, key);
	fputc(bracket, j->to);
	j->depth++;
	j->any = false;
}

void
json_close(struct json *j, char bracket)
{
	j->depth--;
	if (j->any)
		fprintf(j->to, "\n%*s", (int)j->depth * 4, "");
	fputc(bracket, j->to);
	j->any = true;
	if (j->depth == 0)
		fputc('\n', j->to);
}

void
json_string(struct json *j, const char *key, const char *value)
{
	begin_item(j, key);
	fputc('"', j->to);
	for (const unsigned char *p = (const unsigned char *)value; *p != '\0'; p++) {
		if (*p == '"' || *p == '\\')
			fprintf(j->to, "\\%c", *p);
		else if (*p < ' ' || *p == 0x7f)
			fprintf(j->to, "\\u%04X", *p);
		else
			fputc(*p, j->to);
	}
	fputc('"', j->to);
}

void
json_number(struct json *j, const char *key, uint64_t value)
{
	begin_item(j, key);
	fprintf(j->to, "%" PRIu64, value);
}

void
json_bool(struct json *j, const char *key, bool value)
{
	begin_item(j, key);
	fputs(value ? "true" : "false", j->to);
}
