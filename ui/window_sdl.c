/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SDL's side of the window: its thread, which waits for events and draws what the machine's side hands over. */
#include "ui/window_sdl.h"

#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum { FIRST_WIDTH = 720, FIRST_HEIGHT = 400 };

/* ---- the window's size ---- */

/* A display of high resolution gets whole multiples from the start. */
static unsigned
first_zoom(void)
{
	float dpi = 0;

	if (SDL_GetDisplayDPI(0, &dpi, NULL, NULL) != 0 || dpi < 96)
		return ZOOM_ONE;
	return ZOOM_ONE * MIN((unsigned)dpi / 96, 4u);
}

/* A window that has grown stays on the screen, if it has room there. */
static void
keep_on_screen(struct side *s, const SDL_Rect *usable)
{
	int x, y, to_x, to_y;

	SDL_GetWindowPosition(s->window, &x, &y);
	to_x = MAX(MIN(x, usable->x + usable->w - s->asked_width), usable->x);
	to_y = MAX(MIN(y, usable->y + usable->h - s->asked_height), usable->y);
	if (to_x < x || to_y < y)
		SDL_SetWindowPosition(s->window, MIN(x, to_x), MIN(y, to_y));
}

/* Makes the window fit the picture, as far as the screen goes. */
void
side_fit_window(struct side *s)
{
	SDL_Rect usable;
	int width = (int)(s->canvas.width * s->zoom / ZOOM_ONE), height = (int)(s->canvas.height * s->zoom / ZOOM_ONE);

	if (s->canvas.width == 0 || s->user_sized ||
	    (SDL_GetWindowFlags(s->window) & (SDL_WINDOW_FULLSCREEN_DESKTOP | SDL_WINDOW_MAXIMIZED)) != 0)
		return;
	bool bounded = SDL_GetDisplayUsableBounds(MAX(SDL_GetWindowDisplayIndex(s->window), 0), &usable) == 0;

	if (bounded) {
		while (s->zoom > ZOOM_ONE && (width > usable.w || height > usable.h)) {
			s->zoom -= s->canvas.smooth ? 1 : ZOOM_ONE;
			s->zoom = MAX(s->zoom, (unsigned)ZOOM_ONE);
			width = (int)(s->canvas.width * s->zoom / ZOOM_ONE);
			height = (int)(s->canvas.height * s->zoom / ZOOM_ONE);
		}
	}
	s->asked_width = width;
	s->asked_height = height;
	SDL_SetWindowSize(s->window, width, height);
	if (bounded)
		keep_on_screen(s, &usable);
}

void
side_redraw(struct side *s)
{
	struct window_shared *shared = &s->w->shared;

	if (!canvas_fit(&s->canvas))
		return;
	pthread_mutex_lock(&shared->lock);
	if (shared->width == s->canvas.width && shared->height == s->canvas.height && s->canvas.width != 0)
		canvas_update(&s->canvas, shared->pixels, (struct rect){ 0, 0, shared->width, shared->height });
	pthread_mutex_unlock(&shared->lock);
	canvas_show(&s->canvas, (struct rect){ 0 }, true);
}

/* ---- what the machine's side handed over ---- */

/* The card's pointer in place of the host's. */
static void
take_pointer(struct side *s, struct window_shared *shared)
{
	SDL_Surface *image;

	shared->pointer_changed = false;
	if (s->cursor != NULL) {
		SDL_SetCursor(NULL);
		SDL_FreeCursor(s->cursor);
		s->cursor = NULL;
	}
	if (shared->pointer != NULL) {
		image = SDL_CreateRGBSurfaceWithFormatFrom(shared->pointer, (int)shared->pointer_width,
			(int)shared->pointer_height, 32, (int)(4 * shared->pointer_width), SDL_PIXELFORMAT_ARGB8888);
		if (image != NULL)
			s->cursor = SDL_CreateColorCursor(image, (int)shared->hot_x, (int)shared->hot_y);
		SDL_FreeSurface(image);
	}
	if (s->cursor != NULL)
		SDL_SetCursor(s->cursor);
}

static void
take_words(struct side *s, struct window_shared *shared, char **clip, bool *retitled)
{
	*clip = shared->clip;
	shared->clip = NULL;
	*retitled = shared->retitled;
	shared->retitled = false;
	if (*retitled) {
		snprintf(s->title, sizeof(s->title), "%s", shared->title);
		s->absolute = shared->absolute;
	}
}

/* False: the end. */
static bool
take_shared(struct side *s)
{
	struct window_shared *shared = &s->w->shared;
	uint64_t began = pace_spent_ns();
	struct rect damage;
	bool resized, retitled, quit, pointer;
	char *clip;

	pthread_mutex_lock(&shared->lock);
	shared->pending = false;
	quit = shared->quit;
	take_words(s, shared, &clip, &retitled);
	pointer = shared->pointer_changed;
	if (pointer)
		take_pointer(s, shared);
	resized = shared->resized;
	shared->resized = false;
	if (resized)
		canvas_resize(&s->canvas, shared->width, shared->height);
	damage = shared->damage;
	canvas_update(&s->canvas, shared->pixels, damage);
	pthread_mutex_unlock(&shared->lock);
	if (quit)
		return false;
	if (clip != NULL)
		SDL_SetClipboardText(clip);
	free(clip);
	if (resized) {
		/* A text console fits the window, not the other way round. */
		if (!s->w->is_text[s->tab])
			side_fit_window(s);
		side_redraw(s);
	} else if (damage.w != 0) {
		canvas_show(&s->canvas, damage, false);
	}
	/* Only now: the machine's side makes no next picture before this one is drawn. */
	pthread_mutex_lock(&shared->lock);
	if (damage.w != 0) {
		shared->damage = (struct rect){ 0 };
		shared->draw_ns = pace_spent_ns() - began;
	}
	pthread_mutex_unlock(&shared->lock);
	if (retitled || pointer)
		side_pointer(s);
	return true;
}

/* ---- events ---- */

static void
window_event(struct side *s, const SDL_WindowEvent *e)
{
	switch (e->event) {
	case SDL_WINDOWEVENT_SIZE_CHANGED:
		side_sized(s, e->data1, e->data2);
		side_redraw(s);
		break;
	case SDL_WINDOWEVENT_EXPOSED:
		canvas_show(&s->canvas, (struct rect){ 0 }, true);
		break;
	case SDL_WINDOWEVENT_HIDDEN:
	case SDL_WINDOWEVENT_MINIMIZED:
		side_order(s, (struct order){ .kind = ORDER_VISIBLE });
		break;
	case SDL_WINDOWEVENT_SHOWN:
	case SDL_WINDOWEVENT_RESTORED:
	case SDL_WINDOWEVENT_MAXIMIZED:
		side_order(s, (struct order){ .kind = ORDER_VISIBLE, .down = true });
		break;
	case SDL_WINDOWEVENT_FOCUS_LOST:
		side_lose_focus(s);
		break;
	case SDL_WINDOWEVENT_CLOSE:
		side_order(s, (struct order){ .kind = ORDER_CLOSE });
		break;
	default:
		break;
	}
}

/* False: the end. */
static bool
handle(struct side *s, SDL_Event *e)
{
	if (e->type == s->w->event)
		return take_shared(s);
	switch (e->type) {
	case SDL_WINDOWEVENT:
		window_event(s, &e->window);
		break;
	case SDL_KEYDOWN:
	case SDL_KEYUP:
		side_key(s, &e->key);
		break;
	case SDL_TEXTINPUT:
		side_text(s, e->text.text);
		break;
	case SDL_MOUSEMOTION:
		side_motion(s, &e->motion);
		break;
	case SDL_MOUSEBUTTONDOWN:
	case SDL_MOUSEBUTTONUP:
		side_button(s, &e->button);
		break;
	case SDL_MOUSEWHEEL:
		side_wheel(s, &e->wheel);
		break;
	case SDL_RENDER_TARGETS_RESET:
	case SDL_RENDER_DEVICE_RESET:
		side_redraw(s);
		break;
	default:
		break;
	}
	return true;
}

/* ---- beginning and end ---- */

/* A build with sanitizers asks: what the libraries below keep until the end is theirs. */
const char *__lsan_default_options(void);
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_options(void)
{
	return "print_suppressions=0";
}

const char *
__lsan_default_suppressions(void)
{
	return "leak:libSDL2\nleak:libdbus\nleak:libX11\n";
}

/* A small screen on a stand, drawn here: a file might not be installed. */
static void
set_icon(SDL_Window *window)
{
	static const SDL_Rect parts[] = { { 1, 3, 30, 21 }, { 3, 5, 26, 17 }, { 13, 24, 6, 3 }, { 8, 27, 16, 2 }, { 6, 8, 10, 2 },
		{ 6, 12, 16, 2 } };
	static const uint32_t colors[] = { 0xff3a4654, 0xff12202e, 0xff3a4654, 0xff3a4654, 0xff58d68d, 0xff58d68d };
	SDL_Surface *icon = SDL_CreateRGBSurfaceWithFormat(0, 32, 32, 32, SDL_PIXELFORMAT_ARGB8888);

	if (icon == NULL)
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(parts); i++)
		SDL_FillRect(icon, &parts[i], colors[i]);
	SDL_SetWindowIcon(window, icon);
	SDL_FreeSurface(icon);
}

/* SDL would go on to drivers that show nothing to anybody. */
static bool
start_video(void)
{
	if (getenv("SDL_VIDEODRIVER") != NULL)
		return SDL_InitSubSystem(SDL_INIT_VIDEO) == 0;
	if (getenv("DISPLAY") != NULL) {
		SDL_SetHint("SDL_VIDEODRIVER", "x11");
		if (SDL_InitSubSystem(SDL_INIT_VIDEO) == 0)
			return true;
	}
	if (getenv("WAYLAND_DISPLAY") == NULL)
		return false;
	SDL_SetHint("SDL_VIDEODRIVER", "wayland");
	return SDL_InitSubSystem(SDL_INIT_VIDEO) == 0;
}

static int
ignore_x_error(void *display, void *error)
{
	(void)display, (void)error;
	return 0;
}

/*
 * SDL wakes its own thread by an X event to the window, on a second connection: one that overtakes the window's end is an
 * error, and for an error Xlib ends the process.  The library is SDL's, loaded already, and stays.
 */
static void
survive_x_errors(void)
{
	void *library = strcmp(SDL_GetCurrentVideoDriver(), "x11") == 0 ? SDL_LoadObject("libX11.so.6") : NULL;
	void *(*set_handler)(int (*handler)(void *display, void *error)) = NULL;

	if (library != NULL)
		*(void **)&set_handler = SDL_LoadFunction(library, "XSetErrorHandler");
	if (set_handler != NULL)
		set_handler(ignore_x_error);
}

SDL_Window *
window_open(const char *title, int width, int height, Uint32 flags)
{
	SDL_Window *window;

	SDL_SetMainReady();
	SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
	SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
	SDL_SetHint(SDL_HINT_VIDEO_MINIMIZE_ON_FOCUS_LOSS, "0");
	SDL_SetHint(SDL_HINT_ALLOW_ALT_TAB_WHILE_GRABBED, "0");
	SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
	SDL_SetHint(SDL_HINT_VIDEO_X11_NET_WM_BYPASS_COMPOSITOR, "0");
	SDL_SetHint(SDL_HINT_MOUSE_FOCUS_CLICKTHROUGH, "1");
	if (!start_video())
		return NULL;
	survive_x_errors();
	window = SDL_CreateWindow(title, SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, width, height,
		flags | SDL_WINDOW_RESIZABLE | SDL_WINDOW_ALLOW_HIGHDPI);
	if (window == NULL)
		SDL_QuitSubSystem(SDL_INIT_VIDEO);
	else
		set_icon(window);
	return window;
}

static bool
open_side(struct side *s, struct window *w)
{
	Uint32 flags = w->config.full_screen ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0;

	*s = (struct side){ .w = w, .zoom = ZOOM_ONE };
	s->window = window_open(w->name != NULL ? w->name : "calque", FIRST_WIDTH, FIRST_HEIGHT, flags);
	if (s->window == NULL)
		return false;
	s->zoom = first_zoom();
	w->event = SDL_RegisterEvents(1);
	if (!canvas_open(&s->canvas, s->window, w->config.gl, w->config.smooth)) {
		SDL_DestroyWindow(s->window);
		SDL_QuitSubSystem(SDL_INIT_VIDEO);
		return false;
	}
	side_tab(s, 0);
	side_grab(s, w->config.full_screen);
	return true;
}

static void
close_side(struct side *s)
{
	SDL_SetRelativeMouseMode(SDL_FALSE);
	canvas_close(&s->canvas);
	if (s->cursor != NULL)
		SDL_FreeCursor(s->cursor);
	SDL_DestroyWindow(s->window);
	SDL_QuitSubSystem(SDL_INIT_VIDEO);
}

static void
report_start(struct window *w, bool up)
{
	struct window_shared *shared = &w->shared;

	pthread_mutex_lock(&shared->lock);
	if (!up)
		snprintf(shared->reason, sizeof(shared->reason), "%s", SDL_GetError());
	shared->progress = up ? WINDOW_UP : WINDOW_FAILED;
	pthread_cond_broadcast(&shared->started);
	pthread_mutex_unlock(&shared->lock);
}

void *
window_thread(void *opaque)
{
	struct window *w = opaque;
	struct side s;
	SDL_Event e;
	bool up = open_side(&s, w), going = up;

	report_start(w, up);
	if (!up)
		return NULL;
	while (going && SDL_WaitEvent(&e) == 1) {
		do {
			going = handle(&s, &e);
		} while (going && SDL_PollEvent(&e) == 1);
	}
	/* Without its display the machine can't go on either: nobody could end it. */
	if (going)
		side_order(&s, (struct order){ .kind = ORDER_QUIT });
	close_side(&s);
	return NULL;
}
