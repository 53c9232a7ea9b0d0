/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calque-img: what an image is and has: info, map, check, snapshot. */
#include "vm/img.h"

#include "base/err.h"
#include "base/util.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { CHAIN_MOST = 256 };

/* ---- snapshots ---- */

static void
print_snapshot(const struct image_snapshot *s)
{
	char size[16], date[32] = "", clock[32], icount[24] = "";
	time_t t = s->date_sec;
	struct tm tm;
	uint64_t sec = s->vm_clock_ns / NS_PER_SEC;

	if (localtime_r(&t, &tm) != NULL)
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(clock, sizeof(clock), "%02" PRIu64 ":%02u:%02u.%03u", sec / 3600, (unsigned)(sec / 60 % 60), (unsigned)(sec % 60),
		(unsigned)(s->vm_clock_ns / 1000000 % 1000));
	if (s->icount != UINT64_MAX)
		snprintf(icount, sizeof(icount), "%" PRIu64, s->icount);
	img_print("%-9s %-16s %8s%20s%13s%11s", s->id, s->name, img_human(s->vm_state_bytes, size), date, clock, icount);
}

static void
print_snapshots(struct image *i)
{
	struct image_snapshot s;

	if (!image_snapshot(i, 0, &s))
		return;
	printf("Snapshot list:\n%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK", "ICOUNT");
	for (unsigned n = 0; image_snapshot(i, n, &s); n++)
		print_snapshot(&s);
}

static void
json_snapshots(struct json *j, struct image *i)
{
	struct image_snapshot s;

	if (!image_snapshot(i, 0, &s))
		return;
	json_open(j, "snapshots", '[');
	for (unsigned n = 0; image_snapshot(i, n, &s); n++) {
		json_open(j, NULL, '{');
		if (s.icount != UINT64_MAX)
			json_number(j, "icount", s.icount);
		json_number(j, "vm-clock-nsec", s.vm_clock_ns % NS_PER_SEC);
		json_string(j, "name", s.name);
		json_number(j, "date-sec", s.date_sec);
		json_number(j, "date-nsec", s.date_nsec);
		json_number(j, "vm-clock-sec", s.vm_clock_ns / NS_PER_SEC);
		json_string(j, "id", s.id);
		json_number(j, "vm-state-size", s.vm_state_bytes);
		json_close(j, '}');
	}
	json_close(j, ']');
}

/* What to do: the letter and its value; false with E set: nothing, or two things. */
static bool
snapshot_action(const struct img_args *a, int *action, struct err *e)
{
	*action = 'l';
	for (const char *p = "lacd"; *p != '\0'; p++) {
		if (!img_given(a, *p))
			continue;
		if (*action != 'l' || (*p != 'l' && img_given(a, 'l')))
			return err_set(e, "-l, -a, -c and -d exclude each other");
		*action = *p;
	}
	return true;
}

int
img_snapshot(struct img_args *a, struct err *e)
{
	struct image *i;
	const char *name;
	int action;
	bool ok = true;

	if (!snapshot_action(a, &action, e) || !img_files(a, 1, e))
		return IMG_FAILED;
	name = a->value[action];
	i = img_open(a, a->files[0], a->value['f'], action == 'l' ? IMAGE_NO_BACKING : IMAGE_WRITE, 0, e);
	if (i == NULL)
		return IMG_FAILED;
	if (action == 'l')
		print_snapshots(i);
	else if (action == 'c')
		ok = image_snapshot_create(i, name, e);
	else
		ok = action == 'a' ? image_snapshot_apply(i, name, e) : image_snapshot_delete(i, name, e);
	ok &= img_close(i, a->files[0], ok ? e : NULL);
	return ok ? 0 : IMG_FAILED;
}

/* ---- info ---- */

static const char *
compression_name(enum image_compression c)
{
	return c == COMPRESSION_ZSTD ? "zstd" : "zlib";
}

static const char *
yes_or_no(bool v)
{
	return v ? "true" : "false";
}

static bool
is_qcow2(const struct image_info *f)
{
	return f->cluster_bytes != 0;
}

static void
print_backing(const struct image_info *f)
{
	if (f->backing_file == NULL)
		return;
	if (f->backing_path == NULL)
		img_print("backing file: %s (cannot determine actual path)", f->backing_file);
	else if (strcmp(f->backing_file, f->backing_path) != 0)
		img_print("backing file: %s (actual path: %s)", f->backing_file, f->backing_path);
	else
		img_print("backing file: %s", f->backing_file);
	if (f->backing_format != NULL)
		img_print("backing file format: %s", f->backing_format);
}

static void
print_info(struct image *i, const struct image_info *f)
{
	char virtual[16], real[16];

	img_print("image: %s", f->file);
	printf("file format: %s\nvirtual size: %s (%" PRIu64 " bytes)\ndisk size: %s\n", f->format,
		img_human(f->virtual_bytes, virtual), f->virtual_bytes, img_human(f->file_bytes, real));
	if (f->encrypted)
		printf("encrypted: yes\n");
	if (is_qcow2(f))
		printf("cluster_size: %u\n", f->cluster_bytes);
	if (f->dirty)
		printf("cleanly shut down: no\n");
	print_backing(f);
	print_snapshots(i);
	if (!is_qcow2(f))
		return;
	printf("Format specific information:\n    compat: %s\n    compression type: %s\n", f->version == 2 ? "0.10" : "1.1",
		compression_name(f->compression));
	if (f->version > 2)
		printf("    lazy refcounts: %s\n", yes_or_no(f->lazy_refcounts));
	printf("    refcount bits: %u\n", f->refcount_bits);
	if (f->version > 2)
		printf("    corrupt: %s\n    extended l2: false\n", yes_or_no(f->corrupt));
}

static void
json_specific(struct json *j, const struct image_info *f)
{
	json_open(j, "format-specific", '{');
	json_string(j, "type", "qcow2");
	json_open(j, "data", '{');
	json_string(j, "compat", f->version == 2 ? "0.10" : "1.1");
	json_string(j, "compression-type", compression_name(f->compression));
	if (f->version > 2)
		json_bool(j, "lazy-refcounts", f->lazy_refcounts);
	json_number(j, "refcount-bits", f->refcount_bits);
	if (f->version > 2) {
		json_bool(j, "corrupt", f->corrupt);
		json_bool(j, "extended-l2", false);
	}
	json_close(j, '}');
	json_close(j, '}');
}

static void
json_info(struct json *j, struct image *i, const struct image_info *f)
{
	json_open(j, NULL, '{');
	if (f->backing_format != NULL)
		json_string(j, "backing-filename-format", f->backing_format);
	json_snapshots(j, i);
	json_number(j, "virtual-size", f->virtual_bytes);
	json_string(j, "filename", f->file);
	if (is_qcow2(f))
		json_number(j, "cluster-size", f->cluster_bytes);
	json_string(j, "format", f->format);
	json_number(j, "actual-size", f->file_bytes);
	if (f->encrypted)
		json_bool(j, "encrypted", true);
	if (is_qcow2(f))
		json_specific(j, f);
	if (f->backing_path != NULL)
		json_string(j, "full-backing-filename", f->backing_path);
	if (f->backing_file != NULL)
		json_string(j, "backing-filename", f->backing_file);
	json_bool(j, "dirty-flag", f->dirty);
	json_close(j, '}');
}

/* The chain is gone through by name, so that what is wrong further down doesn't hide what is above. */
struct walk {
	struct json *json; /* NULL: for people */
	struct stat seen[CHAIN_MOST];
	unsigned count;
};

static bool
note_file(struct walk *w, const char *file, struct err *e)
{
	struct stat st;

	if (stat(file, &st) < 0)
		return true;
	for (unsigned n = 0; n < w->count; n++) {
		if (w->seen[n].st_dev == st.st_dev && w->seen[n].st_ino == st.st_ino)
			return err_set(e, "%s: the chain of backing files comes back to it; mend one of them with rebase -u", file);
	}
	if (w->count == CHAIN_MOST)
		return err_set(e, "%s: more than %u backing files", file, CHAIN_MOST);
	w->seen[w->count++] = st;
	return true;
}

/* Shows one image; *NEXT and *FORMAT are its backing file's, to be freed. */
static bool
show_info(const struct img_args *a, struct walk *w, const char *file, const char *format, char **next, char **next_format,
	struct err *e)
{
	struct image_info f;
	struct image *i;

	*next = *next_format = NULL;
	if (!note_file(w, file, e))
		return false;
	i = img_open(a, file, format, IMAGE_NO_BACKING, 0, e);
	if (i == NULL)
		return false;
	image_info(i, &f);
	if (w->json != NULL) {
		json_info(w->json, i, &f);
	} else {
		if (w->count > 1)
			putchar('\n');
		print_info(i, &f);
	}
	if (f.backing_path != NULL)
		*next = xstrdup(f.backing_path);
	if (f.backing_format != NULL)
		*next_format = xstrdup(f.backing_format);
	image_close(i);
	return true;
}

static bool
show_chain(const struct img_args *a, struct walk *w, struct err *e)
{
	char *file = xstrdup(a->files[0]), *format = a->value['f'] != NULL ? xstrdup(a->value['f']) : NULL, *next, *next_format;
	bool ok;

	do {
		ok = show_info(a, w, file, format, &next, &next_format, e);
		free(file);
		free(format);
		file = next;
		format = next_format;
	} while (ok && file != NULL && img_given(a, IMG_BACKING_CHAIN));
	free(file);
	free(format);
	return ok;
}

/* JSON is written when all of it is known to be good. */
static bool
show_json(const struct img_args *a, struct err *e)
{
	struct walk w = { .count = 0 };
	char *text = NULL;
	size_t size = 0;
	struct json j = { .to = open_memstream(&text, &size) };
	bool ok;

	if (j.to == NULL)
		return err_set(e, "out of memory");
	w.json = &j;
	if (img_given(a, IMG_BACKING_CHAIN))
		json_open(&j, NULL, '[');
	ok = show_chain(a, &w, e);
	if (ok && img_given(a, IMG_BACKING_CHAIN))
		json_close(&j, ']');
	fclose(j.to);
	if (ok)
		fputs(text, stdout);
	free(text);
	return ok;
}

int
img_info(struct img_args *a, struct err *e)
{
	struct walk w = { .count = 0 };
	bool json;

	if (!img_json(a, &json, e) || !img_files(a, 1, e))
		return IMG_FAILED;
	return (json ? show_json(a, e) : show_chain(a, &w, e)) ? 0 : IMG_FAILED;
}

/* ---- map ---- */

struct extent {
	uint64_t start;
	struct image_extent e;
};

static void
print_extent(const struct extent *x, bool json, bool *any)
{
	if (!json) {
		if (x->e.data && !x->e.zero && x->e.has_offset)
			img_print("%#-16" PRIx64 "%#-16" PRIx64 "%#-16" PRIx64 "%s", x->start, x->e.bytes, x->e.host_offset,
				x->e.file != NULL ? x->e.file : "");
		return;
	}
	printf("%s{ \"start\": %" PRIu64 ", \"length\": %" PRIu64 ", \"depth\": %u, \"present\": %s, \"zero\": %s, \"data\": %s",
		*any ? ",\n" : "", x->start, x->e.bytes, x->e.depth, yes_or_no(x->e.present), yes_or_no(x->e.zero),
		yes_or_no(x->e.data));
	if (x->e.has_offset)
		printf(", \"offset\": %" PRIu64, x->e.host_offset);
	putchar('}');
	*any = true;
}

static bool
continues(const struct extent *x, const struct image_extent *n)
{
	return x->e.present == n->present && x->e.data == n->data && x->e.zero == n->zero && x->e.depth == n->depth &&
		x->e.compressed == n->compressed && x->e.has_offset == n->has_offset &&
		(!n->has_offset || (n->host_offset == x->e.host_offset + x->e.bytes && x->e.file == n->file));
}

static bool
show_map(struct image *i, const char *file, uint64_t from, uint64_t to, bool json, struct err *e)
{
	struct extent x = { .start = from };
	struct image_extent n;
	bool any = false, have = false;

	if (json)
		putchar('[');
	else
		printf("%-16s%-16s%-16s%s\n", "Offset", "Length", "Mapped to", "File");
	for (uint64_t at = from; at < to; at += n.bytes) {
		int error = image_status(i, at, to - at, &n);

		if (error != 0)
			return img_io_error(e, file, "read its tables", at, error);
		if (!json && n.compressed && n.data)
			return err_set(e, "%s has compressed clusters, which --output=json can show alone", file);
		if (have && continues(&x, &n)) {
			x.e.bytes += n.bytes;
			continue;
		}
		if (have)
			print_extent(&x, json, &any);
		x = (struct extent){ at, n };
		have = true;
	}
	if (have)
		print_extent(&x, json, &any);
	if (json)
		printf("]\n");
	return true;
}

int
img_map(struct img_args *a, struct err *e)
{
	uint64_t from = 0, most = INT64_MAX;
	struct image *i;
	bool json, ok;

	if (!img_json(a, &json, e) || !img_files(a, 1, e) ||
	    (img_given(a, IMG_START_OFFSET) && !img_size(a->value[IMG_START_OFFSET], "--start-offset", &from, e)) ||
	    (img_given(a, IMG_MAX_LENGTH) && !img_size(a->value[IMG_MAX_LENGTH], "--max-length", &most, e)))
		return IMG_FAILED;
	i = img_open(a, a->files[0], a->value['f'], 0, 0, e);
	if (i == NULL)
		return IMG_FAILED;
	from = MIN(from, image_bytes(i));
	ok = show_map(i, a->files[0], from, from + MIN(most, image_bytes(i) - from), json, e);
	image_close(i);
	return ok ? 0 : IMG_FAILED;
}

/* ---- check ---- */

static void
tell_finding(void *opaque, const char *line)
{
	(void)opaque;
	fprintf(stderr, "%s\n", line);
}

static double
percent(uint64_t part, uint64_t of)
{
	return of == 0 ? 0 : 100.0 * (double)part / (double)of;
}

static void
print_check(const struct image_check *c)
{
	if (c->corruptions == 0 && c->leaks == 0 && c->check_errors == 0)
		printf("No errors were found on the image.\n");
	if (c->corruptions != 0)
		printf("\n%" PRIu64 " errors were found on the image.\nData may be corrupted, or further writes to the image may "
			"corrupt it.\n", c->corruptions);
	if (c->leaks != 0)
		printf("\n%" PRIu64 " leaked clusters were found on the image.\nThis means waste of disk space, but no harm to "
			"data.\n", c->leaks);
	if (c->check_errors != 0)
		printf("\n%" PRIu64 " internal errors have occurred during the check.\n", c->check_errors);
	if (c->total_clusters != 0 && c->allocated_clusters != 0)
		printf("%" PRIu64 "/%" PRIu64 " = %0.2f%% allocated, %0.2f%% fragmented, %0.2f%% compressed clusters\n",
			c->allocated_clusters, c->total_clusters, percent(c->allocated_clusters, c->total_clusters),
			percent(c->fragmented_clusters, c->allocated_clusters),
			percent(c->compressed_clusters, c->allocated_clusters));
	if (c->end_offset != 0)
		printf("Image end offset: %" PRIu64 "\n", c->end_offset);
}

static void
json_number_if(struct json *j, const char *key, uint64_t value)
{
	if (value != 0)
		json_number(j, key, value);
}

static void
json_check(const struct image_check *c, const struct image_info *f)
{
	struct json j = { .to = stdout };

	json_open(&j, NULL, '{');
	json_number_if(&j, "image-end-offset", c->end_offset);
	json_number_if(&j, "compressed-clusters", c->compressed_clusters);
	json_number_if(&j, "total-clusters", c->total_clusters);
	json_number_if(&j, "corruptions", c->corruptions);
	json_number_if(&j, "corruptions-fixed", c->corruptions_fixed);
	json_number(&j, "check-errors", c->check_errors);
	json_number_if(&j, "leaks", c->leaks);
	json_number_if(&j, "leaks-fixed", c->leaks_fixed);
	json_number_if(&j, "allocated-clusters", c->allocated_clusters);
	json_string(&j, "filename", f->file);
	json_string(&j, "format", f->format);
	json_number_if(&j, "fragmented-clusters", c->fragmented_clusters);
	json_close(&j, '}');
}

static bool
parse_fix(const char *text, unsigned *fix, struct err *e)
{
	*fix = text == NULL ? 0 : strcmp(text, "leaks") == 0 ? IMAGE_FIX_LEAKS : strcmp(text, "all") == 0 ? IMAGE_FIX_ALL : UINT32_MAX;
	return *fix != UINT32_MAX || err_set(e, "-r %s is not known; use leaks or all", text);
}

/* Looks, mends, and when something was mended looks again, as what was found may have hidden more. */
static bool
check_twice(struct image *i, unsigned fix, const struct image_check_hooks *hooks, bool quiet, struct image_check *c, struct err *e)
{
	uint64_t leaks, corruptions;

	if (!image_check(i, fix, hooks, c, e))
		return false;
	leaks = c->leaks_fixed;
	corruptions = c->corruptions_fixed;
	if (leaks == 0 && corruptions == 0)
		return true;
	if (!quiet)
		printf("The following inconsistencies were found and repaired:\n\n    %" PRIu64 " leaked clusters\n    %" PRIu64
			" corruptions\n\nDouble checking the fixed image now...\n", leaks, corruptions);
	if (!image_check(i, 0, hooks, c, e))
		return false;
	c->leaks_fixed = leaks;
	c->corruptions_fixed = corruptions;
	return true;
}

int
img_check(struct img_args *a, struct err *e)
{
	struct image_check_hooks hooks = { .tell = tell_finding };
	struct image_check c = { 0 };
	struct image_info f;
	struct image *i;
	unsigned fix;
	bool json, ok;

	if (!img_json(a, &json, e) || !parse_fix(a->value['r'], &fix, e) || !img_files(a, 1, e))
		return IMG_FAILED;
	i = img_open(a, a->files[0], a->value['f'], IMAGE_NO_BACKING | IMAGE_REPAIR | (fix != 0 ? IMAGE_WRITE : 0), 'T', e);
	if (i == NULL)
		return IMG_FAILED;
	image_info(i, &f);
	if (!is_qcow2(&f)) {
		image_close(i);
		fprintf(stderr, "calque-img: check: %s: format %s has nothing that could be checked\n", a->files[0], "raw");
		return IMG_NO_CHECKS;
	}
	ok = check_twice(i, fix, &hooks, json || img_given(a, 'q'), &c, e);
	if (ok && json)
		json_check(&c, &f);
	else if (ok && !img_given(a, 'q'))
		print_check(&c);
	ok &= img_close(i, a->files[0], ok ? e : NULL);
	if (!ok)
		return IMG_FAILED;
	return c.check_errors != 0 ? 1 : c.corruptions != 0 ? 2 : c.leaks != 0 ? 3 : 0;
}
