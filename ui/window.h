/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The window, seen by the window_*.c files alone.
 *
 * It has two sides.  SDL's is a thread of its own that waits for events and draws; it never takes the machine's lock, so that
 * waiting for the monitor's next frame holds nothing up.  The machine's side runs in the loop's thread under that lock: it
 * looks at the display as often as something changes there, copies what did, and carries out what people did in the window.
 * Between them is struct window_shared under a lock of its own, held for copying alone: pixels go one way, orders the other.
 */
#ifndef UI_WINDOW_H
#define UI_WINDOW_H

#include "ui/pace.h"
#include "ui/ui.h"

#include <pthread.h>

#define SDL_MAIN_HANDLED
#include <SDL.h>

enum { WINDOW_TABS = 9, WINDOW_ORDERS = 1024, WINDOW_TITLE = 200 };

struct rect {
	unsigned x, y, w, h; /* nothing if W or H is 0 */
};

/* What people did. */
enum order_kind {
	ORDER_KEY,        /* A: scan code, DOWN */
	ORDER_MOVE,       /* A, B: movement, C, D: wheel */
	ORDER_POINT,      /* A, B: position, C, D: wheel */
	ORDER_RELEASE,    /* all keys and buttons go up */
	ORDER_TAB,        /* A: the tab */
	ORDER_TYPE,       /* TEXT into a text console */
	ORDER_CONSOLE_KEY, /* A: enum console_key, B: modifiers */
	ORDER_SCROLL,     /* A: lines of a text console, negative: back */
	ORDER_SELECT,     /* A, B: pixel of a text console, C: enum select_how */
	ORDER_COPY,       /* the selection, to the clipboard */
	ORDER_PASTE,      /* TEXT */
	ORDER_CTRL_ALT_DELETE,
	ORDER_SCREENSHOT,
	ORDER_PAUSE,
	ORDER_CLOSE,
	ORDER_QUIT,
	ORDER_WISH,       /* A, B: the window's size in the guest's pixels; DOWN: people gave it that */
	ORDER_VISIBLE,    /* DOWN: it is to be seen */
	ORDER_LOOK,       /* something will change soon */
};

struct order {
	enum order_kind kind;
	bool down;
	int a, b, c, d;
	unsigned buttons;
	char *text; /* the order's own */
};

struct window_shared {
	pthread_mutex_t lock;
	pthread_cond_t started;

	/* ---- towards SDL ---- */
	uint32_t *pixels;           /* WIDTH x HEIGHT without gaps */
	size_t pixels_size;
	unsigned width, height;
	struct rect damage;         /* not yet drawn */
	bool resized;
	char title[WINDOW_TITLE];
	bool retitled;
	bool absolute;
	uint32_t *pointer;          /* the card's own */
	unsigned pointer_width, pointer_height, hot_x, hot_y;
	bool pointer_changed;
	char *clip;                 /* for the clipboard */
	bool pending;               /* an event is on its way to SDL */
	bool quit;
	uint64_t draw_ns;           /* processor time of the last picture */

	/* ---- towards the machine ---- */
	struct order orders[WINDOW_ORDERS];
	unsigned order_count;
	bool posted;                /* the loop knows of them */
	bool lost_keys;             /* the orders were too many */

	/* ---- the start ---- */
	enum { WINDOW_STARTING, WINDOW_UP, WINDOW_FAILED } progress;
	char reason[256];
};

/* The machine's side. */
struct window_machine {
	struct display_viewer viewer;
	struct window_tab tabs[WINDOW_TABS];
	unsigned tab;
	struct rect damage;         /* of the update under way */
	const struct surface *surface;
	struct pace pace;
	bool visible;
	bool closing;               /* asked to switch off */
	char note[120];             /* for the title, until NOTE_ENDS_NS */
	uint64_t note_ends_ns;
	char *paste;                /* still to be typed */
	size_t paste_at;
	unsigned paste_skipped;
};

struct window {
	struct window_config config;
	char *name;
	unsigned tab_count;
	bool is_text[WINDOW_TABS];
	Uint32 event;               /* SDL's number for "look at what is shared" */
	pthread_t thread;
	struct window_shared shared;
	struct window_machine machine;
};

/* ---- window_sdl.c: the thread ---- */
void *window_thread(void *opaque);

/* ---- window_order.c ---- */
/* From SDL's side; takes TEXT over. */
void window_order(struct window *w, const struct order *o);
/* On the machine's side, as work for the loop. */
void window_carry_out(void *opaque);

/* ---- window.c: the machine's side ---- */
/* Has SDL look at what is shared; under its lock. */
void window_wake(struct window *w);
void window_switch(struct window *w, unsigned tab);
/* Looks at the display soon. */
void window_look(struct window *w);
void window_note(struct window *w, const char *text);
const struct window_tab *window_tab(const struct window *w);

struct rect rect_union(struct rect a, struct rect b);

/* ---- window_keys.c ---- */
/* Scan code of set 1, 0: none. */
unsigned window_scancode(SDL_Scancode code);

#endif
