/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of calque-img: a command gets its options as text, by their letters, and returns the process's exit status.
 * IMG_FAILED: its error is in E, and is told by main().
 */
#ifndef VM_IMG_H
#define VM_IMG_H

#include "disk/tool.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct err;
struct keyval;

enum { IMG_FAILED = -1, IMG_NO_CHECKS = 63 };

/* Options without a letter. */
enum img_long {
	IMG_OUTPUT = 128, IMG_BACKING_CHAIN, IMG_SHRINK, IMG_PREALLOCATION, IMG_START_OFFSET, IMG_MAX_LENGTH, IMG_SIZE,
	IMG_SALVAGE, IMG_TARGET_IS_ZERO, IMG_OPTIONS_END,
};

struct img_args {
	const char *value[IMG_OPTIONS_END]; /* by letter; "" of a switch that was given */
	char *options;                      /* all -o, with commas between; NULL: none */
	char **files;
	unsigned count;                     /* of FILES */
};

struct img_command {
	const char *name, *letters; /* as getopt() has them */
	const char *usage;
	int (*run)(struct img_args *a, struct err *e);
};

#define IMG(name) int img_##name(struct img_args *a, struct err *e);
IMG(amend) IMG(check) IMG(commit) IMG(compare) IMG(convert) IMG(create) IMG(dd) IMG(info) IMG(map) IMG(measure)
IMG(rebase) IMG(resize) IMG(snapshot)
#undef IMG

/* ---- options ---- */

bool img_given(const struct img_args *a, int option);
/* 4k, 1.5G, 0x1000: bytes without a suffix. */
bool img_size(const char *text, const char *what, uint64_t *out, struct err *e);
/* A cache mode's part of enum image_flags. */
bool img_cache(const char *mode, unsigned *flags, struct err *e);
/* --output=json?  False with E set: it's something else. */
bool img_json(const struct img_args *a, bool *json, struct err *e);
/* Exactly COUNT files. */
bool img_files(const struct img_args *a, unsigned count, struct err *e);
/* Opens FILE with FLAGS of enum image_flags; -U and the cache of option CACHE ('t', 'T' or 0) are seen to. */
struct image *img_open(const struct img_args *a, const char *file, const char *format, unsigned flags, int cache, struct err *e);
/* Closes; false with E set: something was not written. */
bool img_close(struct image *i, const char *file, struct err *e);

/* ---- what -o says ---- */

/* Fills O from -o OPTIONS (NULL: none) and -b, -F.  The strings live in *K, which is to be freed whatever comes back. */
bool img_create_options(struct img_args *a, struct keyval *k, struct image_create *o, struct err *e);
/* The line "Formatting ...". */
void img_tell_creation(const struct image_create *o, const struct keyval *k);

/* ---- progress ---- */

/*
 * With -p on the standard output, as QEMU has it; else, on a terminal, by a line of the standard error once it takes
 * longer than a second.  -r limits the rate here too.
 */
struct img_progress {
	bool asked, terminal, shown;
	uint64_t done, total, start_ns, told_ns;
	uint64_t rate;      /* bytes a second; 0: no limit */
	double last;
};

bool img_progress_begin(struct img_progress *p, const struct img_args *a, uint64_t total, struct err *e);
/* False with E set: the user wants no more (SIGINT, SIGTERM). */
bool img_progress(struct img_progress *p, uint64_t bytes, struct err *e);
void img_progress_end(struct img_progress *p, bool ok);

/* ---- bytes ---- */

enum { IMG_CHUNK = 2 << 20 };

bool img_is_zero(const uint8_t *p, size_t len);
/* "10 MiB" */
const char *img_human(uint64_t bytes, char text[16]);
/* Prints a line; control characters, which images may have in their names, become ?. */
void img_print(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* A failure of reading or writing at OFFSET. */
bool img_io_error(struct err *e, const char *file, const char *verb, uint64_t offset, int error);

/* ---- JSON, as QEMU lays it out ---- */

struct json {
	FILE *to;
	unsigned depth;
	bool any;    /* something stands in the innermost object already */
};

/* KEY NULL: an element of an array, or the whole. */
void json_open(struct json *j, const char *key, char bracket);
void json_close(struct json *j, char bracket);
void json_string(struct json *j, const char *key, const char *value);
void json_number(struct json *j, const char *key, uint64_t value);
void json_bool(struct json *j, const char *key, bool value);

#endif
