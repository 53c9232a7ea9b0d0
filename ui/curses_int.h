/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen in a terminal, seen by the curses*.c files alone.
 *
 * It has two sides, as the window does.  The terminal's is a thread of its own that waits for keys and draws: a terminal that
 * takes nothing for a while (a slow line, a stopped tmux) holds up that thread alone, which never takes the machine's lock.
 * The machine's side runs in the loop's thread under that lock: it looks at the screen as often as something changes there,
 * hands over what is to be seen, and carries out keys.  Between them is struct curses_shared, under a lock of its own that is
 * held for copying alone.
 */
#ifndef UI_CURSES_INT_H
#define UI_CURSES_INT_H

#include "ui/pace.h"
#include "ui/ui.h"

#include <pthread.h>

enum { CURSES_TABS = 9, CURSES_KEYS = 4096 };

/* Colours are numbered as ECMA-48 has them, bright ones from 8 on. */
struct text_cell {
	uint32_t code;
	uint8_t fore, back;
	uint16_t attr;
};

enum { CELL_BLINK = 1, CELL_UNDERLINE = 2, CELL_WIDE = 4, CELL_TAIL = 8 }; /* the halves of a wide character */

struct text_picture {
	struct text_cell *cells;    /* ROWS x COLUMNS */
	size_t room;
	unsigned columns, rows;
	unsigned cursor_x, cursor_y;
	bool cursor;
};

/* What a terminal says of a key: the character that it types, or the scan code of one that types none. */
struct typed_key {
	uint32_t code;
	uint16_t scancode;
	uint16_t modifiers;         /* of console.h */
};

struct curses_shared {
	pthread_mutex_t lock;
	pthread_cond_t progressed;
	int wake_fd;

	/* ---- towards the terminal ---- */
	struct text_picture picture;
	bool changed, redraw;
	bool resize;                /* to COLUMNS and ROWS */
	bool quit;

	/* ---- towards the machine ---- */
	struct typed_key keys[CURSES_KEYS];
	unsigned key_count;
	bool posted;                /* the loop knows of them */
	bool gone;                  /* nobody is at the terminal any longer */
	unsigned columns, rows;     /* of the terminal */
	enum { CURSES_STARTING, CURSES_UP, CURSES_FAILED, CURSES_ENDED } progress;
	char reason[160];
};

/* The machine's side. */
struct curses_machine {
	struct window_tab tabs[CURSES_TABS];
	unsigned tab;
	struct text_picture picture, last;
	struct pace pace;
	struct typed_key waiting[CURSES_KEYS]; /* for room in the guest's queue of keys */
	unsigned first, count;
	unsigned columns, rows;     /* of the terminal, as it says itself; 0: it doesn't */
	unsigned returns;           /* see terminal_returns() */
};

struct curses {
	struct curses_config config;
	uint32_t charset[256];      /* Unicode */
	unsigned tab_count;
	pthread_t thread;
	struct curses_shared shared;
	struct curses_machine machine;
};

/* Has room for COLUMNS x ROWS blank cells. */
void text_picture_size(struct text_picture *p, unsigned columns, unsigned rows);

/* ---- curses_charset.c ---- */
/* NAME: see struct curses_config. */
bool curses_charset(const char *name, uint32_t table[256], struct err *e);

/* ---- curses_screen.c: what is to be seen, as text ---- */
void curses_show_display(const struct curses *c, const struct display *d, struct text_picture *p);
struct console;
void curses_show_console(struct console *from, struct text_picture *p);

/* ---- curses_key.c: the machine's side of keys ---- */
/* As work for the loop. */
void curses_take_keys(void *opaque);
/* Types what waits, as far as the guest takes it. */
void curses_type(struct curses *c);

/* ---- curses.c ---- */
void curses_switch(struct curses *c, unsigned tab);
/* From the terminal's side, under the lock: has the loop call curses_take_keys(). */
void curses_post(struct curses *c);

/* ---- curses_term.c: the thread ---- */
void *curses_thread(void *opaque);

/* ---- curses_input.c: the terminal's side of keys ---- */
struct curses_input {
	bool escape;                /* Esc came; what comes before UNTIL_NS is pressed with Alt */
	uint64_t until_ns;
};

/* Reads all that is there. */
void curses_read_keys(struct curses *c, struct curses_input *in);
/* How long to wait at the most, in ms; -1: as long as it takes. */
int curses_key_wait(struct curses *c, struct curses_input *in);

#endif
