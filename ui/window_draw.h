/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drawing a picture into an SDL window: by the host's GPU where there is one, else in software and only what changed. */
#ifndef UI_WINDOW_DRAW_H
#define UI_WINDOW_DRAW_H

#include "ui/window.h"

struct canvas {
	SDL_Window *window;
	bool hardware;
	SDL_Renderer *renderer;
	SDL_Texture *texture;
	unsigned width, height;     /* of the picture */
	int out_width, out_height;  /* of the window, in its pixels */
	SDL_Rect out;               /* where the picture is */
	bool smooth;
};

/* False, with SDL_GetError(), if nothing can be drawn at all. */
bool canvas_open(struct canvas *c, SDL_Window *window, enum window_gl gl, bool smooth);
void canvas_close(struct canvas *c);
/* The window has another size, or its memory is another. */
bool canvas_fit(struct canvas *c);
/* The picture has this size from now on; all of it is to be drawn. */
void canvas_resize(struct canvas *c, unsigned width, unsigned height);
/* DAMAGE of PIXELS, lines of the picture's width, becomes part of the picture; canvas_show() has it seen. */
void canvas_update(struct canvas *c, const uint32_t *pixels, struct rect damage);
/* ALL: also what did not change. */
void canvas_show(struct canvas *c, struct rect damage, bool all);
/* A place in the window, in SDL's units, as a pixel of the picture; it may be outside. */
void canvas_locate(const struct canvas *c, int x, int y, int *px, int *py);

#endif
