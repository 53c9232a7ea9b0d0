/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What SDL's thread has; seen by window_sdl.c and window_input.c alone. */
#ifndef UI_WINDOW_SDL_H
#define UI_WINDOW_SDL_H

#include "ui/window_draw.h"

enum { ZOOM_ONE = 4, ZOOM_MOST = 64 }; /* quarters */

struct side {
	struct window *w;
	SDL_Window *window;
	struct canvas canvas;
	SDL_Cursor *cursor;         /* the card's, or NULL */
	char title[WINDOW_TITLE];
	bool absolute;              /* the guest has a pointer that needs no grab */
	bool grabbed;
	unsigned tab;
	unsigned zoom;              /* of the window over the picture, in quarters */
	bool user_sized;            /* people gave the window its size */
	int asked_width, asked_height;
	unsigned buttons;           /* of the guest's mouse */
	bool selecting;
	bool down[SDL_NUM_SCANCODES]; /* keys that the guest was told of */
};

/* ---- window_sdl.c ---- */
/* Starts SDL's video if need be; NULL with SDL_GetError(). */
SDL_Window *window_open(const char *title, int width, int height, Uint32 flags);
void side_fit_window(struct side *s);
void side_redraw(struct side *s);

/* ---- window_input.c ---- */
void side_order(struct side *s, struct order o);
void side_tab(struct side *s, unsigned tab);
void side_grab(struct side *s, bool on);
/* Title and pointer as they are to be now. */
void side_pointer(struct side *s);
/* The window has another size: people gave it that, or side_fit_window() did. */
void side_sized(struct side *s, int width, int height);
void side_lose_focus(struct side *s);
void side_key(struct side *s, const SDL_KeyboardEvent *e);
void side_text(struct side *s, const char *text);
void side_motion(struct side *s, const SDL_MouseMotionEvent *e);
void side_button(struct side *s, const SDL_MouseButtonEvent *e);
void side_wheel(struct side *s, const SDL_MouseWheelEvent *e);

#endif
