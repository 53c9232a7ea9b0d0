/* SPDX-License-Identifier: GPL-2.0-or-later */
/* calque-img: disk images by the command line, in the syntax of qemu-img. */
#define _GNU_SOURCE /* getopt_long */
#include "vm/img.h"

#include "base/err.h"
#include "base/util.h"

#include <ctype.h>
#include <getopt.h>
#include <stdlib.h>

static const struct img_command commands[] = {
	{ "amend", "pqf:t:o:", "[-p] [-q] [-f FMT] [-t CACHE] -o OPTIONS FILE", img_amend },
	{ "check", "qf:r:T:U", "[-q] [-f FMT] [--output=human|json] [-r leaks|all] [-T CACHE] [-U] FILE", img_check },
	{ "commit", "qf:t:b:r:dp", "[-q] [-f FMT] [-t CACHE] [-b BASE] [-r RATE] [-d] [-p] FILE", img_commit },
	{ "compare", "f:F:T:pqsU", "[-f FMT] [-F FMT] [-T CACHE] [-p] [-q] [-s] [-U] FILE1 FILE2", img_compare },
	{ "convert", "UCcpqnf:t:T:O:B:F:o:l:S:r:m:W",
		"[-U] [-C] [-c] [-p] [-q] [-n] [-f FMT] [-t CACHE] [-T CACHE] [-O FMT] [-B BACKING [-F FMT]] [-o OPTIONS]\n"
		"          [-l SNAPSHOT] [-S SPARSE] [-r RATE] [-m THREADS] [-W] [--salvage] [--target-is-zero] FILE [FILE...] OUTPUT",
		img_convert },
	{ "create", "qf:b:F:uo:", "[-q] [-f FMT] [-b BACKING [-F FMT]] [-u] [-o OPTIONS] FILE [SIZE]", img_create },
	{ "dd", "Uf:O:", "[-U] [-f FMT] [-O FMT] [bs=SIZE] [count=N] [skip=N] if=FILE of=FILE", img_dd },
	{ "info", "f:U", "[-f FMT] [--output=human|json] [--backing-chain] [-U] FILE", img_info },
	{ "map", "f:U", "[-f FMT] [--start-offset=N] [--max-length=N] [--output=human|json] [-U] FILE", img_map },
	{ "measure", "O:o:f:l:U", "[--output=human|json] [-O FMT] [-o OPTIONS] [--size N | [-f FMT] [-l SNAPSHOT] FILE]",
		img_measure },
	{ "rebase", "Uqf:t:T:pub:F:", "[-U] [-q] [-f FMT] [-t CACHE] [-T CACHE] [-p] [-u] -b BACKING [-F FMT] FILE",
		img_rebase },
	{ "resize", "f:q", "[-f FMT] [--preallocation=MODE] [-q] [--shrink] FILE [+|-]SIZE", img_resize },
	{ "snapshot", "Uqlf:a:c:d:", "[-U] [-q] [-f FMT] [-l | -a SNAPSHOT | -c NAME | -d SNAPSHOT] FILE", img_snapshot },
};

static const struct {
	const char *command;
	int option;
} long_of[] = {
	{ "check", IMG_OUTPUT }, { "info", IMG_OUTPUT }, { "map", IMG_OUTPUT }, { "measure", IMG_OUTPUT },
	{ "info", IMG_BACKING_CHAIN }, { "resize", IMG_SHRINK }, { "resize", IMG_PREALLOCATION }, { "map", IMG_START_OFFSET },
	{ "map", IMG_MAX_LENGTH }, { "measure", IMG_SIZE }, { "convert", IMG_SALVAGE }, { "convert", IMG_TARGET_IS_ZERO },
};

enum { REFUSED = IMG_OPTIONS_END };

static const struct option long_options[] = {
	{ "output", required_argument, NULL, IMG_OUTPUT }, { "backing-chain", no_argument, NULL, IMG_BACKING_CHAIN },
	{ "shrink", no_argument, NULL, IMG_SHRINK }, { "preallocation", required_argument, NULL, IMG_PREALLOCATION },
	{ "start-offset", required_argument, NULL, IMG_START_OFFSET },
	{ "max-length", required_argument, NULL, IMG_MAX_LENGTH }, { "size", required_argument, NULL, IMG_SIZE },
	{ "salvage", no_argument, NULL, IMG_SALVAGE }, { "target-is-zero", no_argument, NULL, IMG_TARGET_IS_ZERO },
	{ "force-share", no_argument, NULL, 'U' }, { "quiet", no_argument, NULL, 'q' }, { "help", no_argument, NULL, 'h' },
	{ "object", required_argument, NULL, REFUSED }, { "image-opts", no_argument, NULL, REFUSED },
	{ "target-image-opts", no_argument, NULL, REFUSED }, { "bitmaps", no_argument, NULL, REFUSED },
	{ "skip-broken-bitmaps", no_argument, NULL, REFUSED }, { "force", no_argument, NULL, REFUSED },
	{ NULL, 0, NULL, 0 },
};

static int
complain(const struct err *e)
{
	fprintf(stderr, "calque-img: %s\n", e->text);
	return 1;
}

static void
help(void)
{
	printf("calque-img " PACKAGE_VERSION ": makes, looks into, checks, copies and changes disk images\n"
		"usage: calque-img COMMAND [OPTIONS]; FMT is raw or qcow2\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		printf("  %s %s\n", commands[i].name, commands[i].usage);
	printf("\nSizes are in bytes, or with a suffix: k, M, G, T, P, E.  CACHE is writeback, writethrough, none, directsync or\n"
		"unsafe.  calque-img(1) has it all; options of a format: create -f FMT -o help.\n");
}

static const struct img_command *
find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	}
	return NULL;
}

static bool
takes(const struct img_command *c, int option)
{
	if (option < IMG_OUTPUT)
		return strchr(c->letters, option) != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(long_of); i++) {
		if (long_of[i].option == option && strcmp(long_of[i].command, c->name) == 0)
			return true;
	}
	return false;
}

static void
add_options(struct img_args *a, const char *text)
{
	char *all = a->options != NULL ? xasprintf("%s,%s", a->options, text) : xstrdup(text);

	free(a->options);
	a->options = all;
}

/* One option that getopt found.  False with E set. */
static bool
take_option(const struct img_command *c, struct img_args *a, int option, int index, char **argv, struct err *e)
{
	const char *word = argv[optind - 1];

	if (option == '?' && optopt != 0 && optopt < IMG_OUTPUT)
		return err_set(e, "%s: option -%c is not known; see calque-img --help", c->name, optopt);
	if (option == '?')
		return err_set(e, "%s: option '%s' is not known; see calque-img --help", c->name, word);
	if (option == ':')
		return err_set(e, "%s: option '%s' needs a value", c->name, word);
	if (option == REFUSED)
		return err_set(e, "%s: --%s is not supported", c->name, long_options[index].name);
	if (!takes(c, option) && option >= IMG_OUTPUT)
		return err_set(e, "%s: option '%s' is not known; see calque-img --help", c->name, word);
	if (!takes(c, option))
		return err_set(e, "%s: option -%c is not known; see calque-img --help", c->name, option);
	if (option == 'o')
		add_options(a, optarg);
	a->value[option] = optarg != NULL ? optarg : "";
	return true;
}

static int
run(const struct img_command *c, int argc, char **argv, struct err *e)
{
	struct img_args a = { .options = NULL };
	char *letters = xasprintf(":h%s", c->letters);
	int option, index = 0, status = 0;
	/* The last word of resize is no option, though it may be -1G. */
	int last = c->run == img_resize && argc > 1 && argv[argc - 1][0] == '-' && isdigit((unsigned char)argv[argc - 1][1]);

	argc -= last;
	opterr = 0;
	while ((option = getopt_long(argc, argv, letters, long_options, &index)) != -1) {
		if (option == 'h') {
			printf("usage: calque-img %s %s\n", c->name, c->usage);
			goto out;
		}
		if (!take_option(c, &a, option, index, argv, e)) {
			status = IMG_FAILED;
			goto out;
		}
	}
	a.files = argv + optind;
	a.count = argc - optind + last;
	status = c->run(&a, e);
	if (status == IMG_FAILED)
		err_prefix(e, "%s: ", c->name);
out:
	free(letters);
	free(a.options);
	return status;
}

static bool
flush_output(int status)
{
	return (fflush(stdout) == 0 && !ferror(stdout)) || status != 0;
}

int
main(int argc, char **argv)
{
	const struct img_command *c;
	struct err e = { "" };
	int status;

	if (argc < 2) {
		err_set(&e, "no command; see calque-img --help");
		return complain(&e);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		help();
		return 0;
	}
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		printf("calque-img version " PACKAGE_VERSION "\n");
		return 0;
	}
	c = find_command(argv[1]);
	if (c == NULL) {
		err_set(&e, argv[1][0] == '-' ? "option %s is not known; see calque-img --help" :
			"there is no command %s; see calque-img --help", argv[1]);
		return complain(&e);
	}
	status = run(c, argc - 1, argv + 1, &e);
	if (!flush_output(status)) {
		err_set(&e, "the output could not be written");
		return complain(&e);
	}
	return status == IMG_FAILED ? complain(&e) : status;
}
