/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the start window: the list of what can be started, and what was started before. */
#ifndef UI_START_H
#define UI_START_H

#include "ui/ui.h"

enum entry_kind { ENTRY_RECENT, ENTRY_FOLDER, ENTRY_FILE };

struct entry {
	enum entry_kind kind;
	char *name;             /* as shown */
	char *path;             /* absolute */
	unsigned memory_mib;    /* of what was started before, 0: not known */
	bool network;
};

struct start_list {
	char *folder;
	struct entry *entries;
	unsigned count, room;
	char *problem;          /* why the folder can't be read, or NULL */
};

/* What is in FOLDER: images, or whatever has FILTER in its name if that isn't empty; before them what was started before. */
void start_list_read(struct start_list *l, const char *folder, const char *filter);
void start_list_free(struct start_list *l);

/* Adds what was started before and is still there, the latest first; with FILTER in its path. */
void recent_read(struct start_list *l, const char *filter);

void start_list_add(struct start_list *l, enum entry_kind kind, const char *name, const char *path, unsigned memory_mib,
	bool network);
/* Has TEXT the words of FILTER in it, capital or not? */
bool start_matches(const char *text, const char *filter);

#endif
