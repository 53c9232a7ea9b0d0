/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kept inputs: a file NAME.inputs holds those of device NAME, each after its length in two bytes.
 *
 *     replay FILE...              runs them
 *     replay -x FOLDER FILE       makes a file of each
 *     replay -c FILE INPUT...     packs files
 *     replay -l                   says which devices there are
 */
#include "tests/devfuzz/devfuzz.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { INPUT_MOST = 65535 };

static void
too_long(int sig)
{
	static const char text[] = "an input takes too long\n";

	(void)sig;
	if (write(2, text, sizeof(text) - 1) < 0)
		_exit(2);
	_exit(1);
}

/* The next input of F, 0: none. */
static size_t
next_input(FILE *f, uint8_t *to)
{
	uint8_t head[2];
	size_t len;

	if (fread(head, 1, 2, f) != 2)
		return 0;
	len = load_le(head, 2);
	if (len == 0 || fread(to, 1, len, f) != len) {
		fprintf(stderr, "an input is cut off\n");
		exit(1);
	}
	return len;
}

static bool
run_file(const char *path)
{
	static uint8_t data[INPUT_MOST];
	const char *base = strrchr(path, '/') != NULL ? strrchr(path, '/') + 1 : path;
	size_t len = strcspn(base, ".");
	const struct row *row;
	unsigned count = 0;
	char name[32];
	FILE *f = fopen(path, "rb");

	snprintf(name, sizeof(name), "%.*s", (int)len, base);
	row = devfuzz_find(name);
	if (f == NULL || row == NULL) {
		fprintf(stderr, "%s: %s\n", path, f == NULL ? "can't be opened" : "there is no device of that name");
		return false;
	}
	while ((len = next_input(f, data)) > 0) {
		uint8_t *exact = malloc(len); /* so that a sanitizer sees its end */

		memcpy(exact, data, len);
		alarm(60);
		devfuzz_run(row, exact, len);
		free(exact);
		count++;
	}
	fclose(f);
	alarm(0);
	printf("%s: %u inputs\n", row->name, count);
	return count > 0;
}

static int
extract(const char *folder, const char *path)
{
	static uint8_t data[INPUT_MOST];
	FILE *f = fopen(path, "rb");
	unsigned n = 0;
	char name[512];
	size_t len;

	while (f != NULL && (len = next_input(f, data)) > 0) {
		FILE *to;

		snprintf(name, sizeof(name), "%s/kept-%u", folder, n++);
		to = fopen(name, "wb");
		if (to == NULL || fwrite(data, 1, len, to) != len || fclose(to) != 0)
			return 1;
	}
	return f == NULL || fclose(f) != 0;
}

static int
pack(const char *path, char **inputs, int count)
{
	static uint8_t data[2 + INPUT_MOST];
	FILE *f = fopen(path, "wb");

	for (int i = 0; i < count && f != NULL; i++) {
		FILE *from = fopen(inputs[i], "rb");
		size_t len = from != NULL ? fread(data + 2, 1, INPUT_MOST, from) : 0;

		if (from != NULL)
			fclose(from);
		store_le(data, len, 2);
		if (len > 0 && fwrite(data, 1, len + 2, f) != len + 2)
			return 1;
	}
	return f == NULL || fclose(f) != 0;
}

int
main(int argc, char **argv)
{
	bool ok = true;

	if (argc == 2 && strcmp(argv[1], "-l") == 0) {
		for (const struct row *r = devfuzz_rows; r->name != NULL; r++)
			puts(r->name);
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "-x") == 0)
		return extract(argv[2], argv[3]);
	if (argc > 3 && strcmp(argv[1], "-c") == 0)
		return pack(argv[2], argv + 3, argc - 3);
	signal(SIGALRM, too_long);
	for (int i = 1; i < argc; i++)
		ok &= run_file(argv[i]);
	return !ok;
}
