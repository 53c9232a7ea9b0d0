/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the start window offers: folders and images, and what was started before, which is kept as the XDG folders say. */
#define _GNU_SOURCE /* strcasestr */
#include "ui/start.h"

#include "base/util.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RECENT_MOST = 12, ENTRIES_MOST = 20000 };

void
start_list_add(struct start_list *l, enum entry_kind kind, const char *name, const char *path, unsigned memory_mib, bool network)
{
	if (l->count == ENTRIES_MOST)
		return;
	if (l->count == l->room) {
		l->room = MAX(2 * l->room, 64u);
		l->entries = xrealloc(l->entries, l->room * sizeof(*l->entries));
	}
	l->entries[l->count++] = (struct entry){ kind, xstrdup(name), xstrdup(path), memory_mib, network };
}

void
start_list_free(struct start_list *l)
{
	for (unsigned i = 0; i < l->count; i++) {
		free(l->entries[i].name);
		free(l->entries[i].path);
	}
	free(l->entries);
	free(l->folder);
	free(l->problem);
	*l = (struct start_list){ 0 };
}

bool
start_matches(const char *text, const char *filter)
{
	return *filter == '\0' || strcasestr(text, filter) != NULL;
}

/* By the name's end: to open each file of a folder would take long. */
static bool
looks_like_image(const char *name)
{
	static const char *const ends[] = { ".iso", ".img", ".qcow2", ".qcow", ".raw", ".vmdk", ".vdi", ".vhd", ".vhdx", ".ima",
		".flp", ".dsk", ".hdd" };
	const char *end = strrchr(name, '.');

	for (unsigned i = 0; end != NULL && i < ARRAY_SIZE(ends); i++)
		if (strcasecmp(end, ends[i]) == 0)
			return true;
	return false;
}

static int
by_kind_and_name(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return x->kind != y->kind ? (int)x->kind - (int)y->kind : strcasecmp(x->name, y->name);
}

static void
add_file(struct start_list *l, const char *name, const char *filter)
{
	char *path = xasprintf("%s%s%s", l->folder, strcmp(l->folder, "/") == 0 ? "" : "/", name);
	struct stat st;

	if (name[0] != '.' && stat(path, &st) == 0 && start_matches(name, filter)) {
		if (S_ISDIR(st.st_mode))
			start_list_add(l, ENTRY_FOLDER, name, path, 0, true);
		else if ((S_ISREG(st.st_mode) && (looks_like_image(name) || *filter != '\0')))
			start_list_add(l, ENTRY_FILE, name, path, 0, true);
	}
	free(path);
}

static void
add_parent(struct start_list *l)
{
	char *path, *slash;

	if (strcmp(l->folder, "/") == 0)
		return;
	path = xstrdup(l->folder);
	slash = strrchr(path, '/');
	if (slash == path)
		slash++;
	*slash = '\0';
	start_list_add(l, ENTRY_FOLDER, "..", path, 0, true);
	free(path);
}

void
start_list_read(struct start_list *l, const char *folder, const char *filter)
{
	char *absolute = realpath(folder, NULL);
	DIR *d = opendir(folder);
	unsigned first;

	start_list_free(l);
	l->folder = xstrdup(absolute != NULL ? absolute : folder);
	free(absolute);
	recent_read(l, filter);
	add_parent(l);
	first = l->count;
	if (d == NULL) {
		l->problem = xasprintf("%s: %s", l->folder, strerror(errno));
		return;
	}
	for (struct dirent *e; (e = readdir(d)) != NULL;)
		add_file(l, e->d_name, filter);
	closedir(d);
	if (l->count > first)
		qsort(l->entries + first, l->count - first, sizeof(*l->entries), by_kind_and_name);
}

/* ---- what was started before ---- */

/* In $XDG_STATE_HOME, else $HOME/.local/state, else $XDG_CONFIG_HOME; NULL: nowhere.  The folder calque in it. */
static char *
state_folder(void)
{
	const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME"), *config = getenv("XDG_CONFIG_HOME");

	if (state != NULL && state[0] == '/')
		return xasprintf("%s/calque", state);
	if (home != NULL && home[0] == '/')
		return xasprintf("%s/.local/state/calque", home);
	if (config != NULL && config[0] == '/')
		return xasprintf("%s/calque", config);
	return NULL;
}

static void
make_folders(const char *path)
{
	char *copy = xstrdup(path);

	for (char *p = copy + 1; *p != '\0'; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(copy, 0700);
		*p = '/';
	}
	mkdir(copy, 0700);
	free(copy);
}

/* A line: MEMORY NETWORK PATH. */
static void
recent_line(struct start_list *l, char *line, const char *filter)
{
	unsigned memory, network;
	int at = 0;
	const char *path, *name;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%u %u %n", &memory, &network, &at) != 2 || at == 0 || line[at] != '/')
		return;
	path = line + at;
	name = strrchr(path, '/') + 1;
	if (access(path, R_OK) == 0 && start_matches(path, filter))
		start_list_add(l, ENTRY_RECENT, name, path, memory <= 1u << 20 ? memory : 0, network != 0);
}

void
recent_read(struct start_list *l, const char *filter)
{
	char *folder = state_folder(), *path, *line = NULL;
	size_t size = 0;
	FILE *f;

	if (folder == NULL)
		return;
	path = xasprintf("%s/recent", folder);
	f = fopen(path, "re");
	for (unsigned i = 0; f != NULL && i < RECENT_MOST && getline(&line, &size, f) > 0; i++)
		recent_line(l, line, filter);
	if (f != NULL)
		fclose(f);
	free(line);
	free(path);
	free(folder);
}

static void
recent_write(FILE *f, const struct start_choice *c, const struct start_list *old)
{
	fprintf(f, "%u %u %s\n", c->memory_mib, c->network, c->image);
	for (unsigned i = 0, n = 1; i < old->count && n < RECENT_MOST; i++) {
		const struct entry *e = &old->entries[i];

		if (strcmp(e->path, c->image) == 0)
			continue;
		fprintf(f, "%u %u %s\n", e->memory_mib, e->network, e->path);
		n++;
	}
}

void
start_remember(const struct start_choice *c)
{
	char *folder = state_folder(), *path, *made;
	struct start_list old = { 0 };
	FILE *f;

	/* A line is a line. */
	if (folder == NULL || strchr(c->image, '\n') != NULL) {
		free(folder);
		return;
	}
	recent_read(&old, "");
	make_folders(folder);
	path = xasprintf("%s/recent", folder);
	made = xasprintf("%s.%ld", path, (long)getpid());
	f = fopen(made, "we");
	if (f != NULL) {
		recent_write(f, c, &old);
		if (fclose(f) != 0 || rename(made, path) != 0)
			unlink(made);
	}
	start_list_free(&old);
	free(made);
	free(path);
	free(folder);
}
