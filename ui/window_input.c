/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys and mouse in the window: what is the window's own, what the guest's, what a text console's. */
#include "ui/window_sdl.h"

#include "base/util.h"
#include "ui/console.h"

#include <stdio.h>
#include <stdlib.h>

enum { WHEEL_LINES = 3 };

void
side_order(struct side *s, struct order o)
{
	window_order(s->w, &o);
}

/* The order has a text of its own. */
static void
order_text(struct side *s, enum order_kind kind, const char *text)
{
	side_order(s, (struct order){ .kind = kind, .text = xstrdup(text) });
}

static bool
on_console(const struct side *s)
{
	return s->w->is_text[s->tab];
}

/* ---- grab ---- */

static const char *
release_hint(enum grab_mod mod)
{
	static const char *const hints[] = {
		[GRAB_CTRL_ALT] = "press Ctrl-Alt-G to release", [GRAB_SHIFT_CTRL_ALT] = "press Shift-Ctrl-Alt-G to release",
		[GRAB_RCTRL] = "press the right Ctrl with G to release",
	};

	return hints[mod];
}

void
side_pointer(struct side *s)
{
	char title[WINDOW_TITLE + 64];
	bool over_guest = !on_console(s) && (s->grabbed || s->absolute);

	snprintf(title, sizeof(title), "%s%s%s", s->title, s->grabbed ? " - " : "",
		s->grabbed ? release_hint(s->w->config.grab_mod) : "");
	SDL_SetWindowTitle(s->window, title);
	SDL_SetRelativeMouseMode(s->grabbed && !s->absolute ? SDL_TRUE : SDL_FALSE);
	SDL_ShowCursor(!over_guest || s->w->config.show_cursor || (s->absolute && s->cursor != NULL) ? SDL_ENABLE : SDL_DISABLE);
}

void
side_grab(struct side *s, bool on)
{
	if (on && on_console(s))
		return;
	s->grabbed = on;
	SDL_SetWindowGrab(s->window, on ? SDL_TRUE : SDL_FALSE);
	side_pointer(s);
}

/* The guest keeps nothing pressed that it won't see released. */
static void
release_all(struct side *s)
{
	memset(s->down, 0, sizeof(s->down));
	s->buttons = 0;
	s->selecting = false;
	side_order(s, (struct order){ .kind = ORDER_RELEASE });
}

void
side_lose_focus(struct side *s)
{
	release_all(s);
	if (s->grabbed && (SDL_GetWindowFlags(s->window) & SDL_WINDOW_FULLSCREEN_DESKTOP) == 0)
		side_grab(s, false);
}

/* ---- the window's own keys ---- */

void
side_tab(struct side *s, unsigned tab)
{
	if (tab >= s->w->tab_count)
		return;
	release_all(s);
	s->tab = tab;
	if (on_console(s)) {
		side_grab(s, false);
		SDL_StartTextInput();
	} else {
		SDL_StopTextInput();
	}
	side_order(s, (struct order){ .kind = ORDER_TAB, .a = (int)tab });
	side_pointer(s);
}

static void
toggle_full_screen(struct side *s)
{
	bool full = (SDL_GetWindowFlags(s->window) & SDL_WINDOW_FULLSCREEN_DESKTOP) != 0;

	SDL_SetWindowFullscreen(s->window, full ? 0 : SDL_WINDOW_FULLSCREEN_DESKTOP);
	if (!s->absolute || s->grabbed)
		side_grab(s, !full);
	if (full && !on_console(s))
		side_fit_window(s);
	side_redraw(s);
}

static void
change_zoom(struct side *s, int steps)
{
	int step = s->canvas.smooth ? 1 : ZOOM_ONE, zoom = (int)s->zoom + steps * step;

	s->zoom = (unsigned)MIN(MAX(zoom, s->canvas.smooth ? 1 : ZOOM_ONE), ZOOM_MOST);
	s->user_sized = false;
	side_fit_window(s);
}

void
side_sized(struct side *s, int width, int height)
{
	bool by_people = (width != s->asked_width || height != s->asked_height) && s->canvas.width != 0;

	if (by_people && (SDL_GetWindowFlags(s->window) & SDL_WINDOW_FULLSCREEN_DESKTOP) == 0)
		s->user_sized = true;
	side_order(s, (struct order){ .kind = ORDER_WISH, .down = by_people,
		.a = MAX(width * ZOOM_ONE / (int)s->zoom, 1), .b = MAX(height * ZOOM_ONE / (int)s->zoom, 1) });
}

static void
paste_clipboard(struct side *s)
{
	char *text = SDL_GetClipboardText();

	if (text != NULL && *text != '\0')
		order_text(s, ORDER_PASTE, text);
	SDL_free(text);
}

static void
toggle_grab(struct side *s)
{
	side_grab(s, !s->grabbed);
}

static void
restore_size(struct side *s)
{
	s->zoom = ZOOM_ONE;
	change_zoom(s, 0);
}

static void
zoom_in(struct side *s)
{
	change_zoom(s, 1);
}

static void
zoom_out(struct side *s)
{
	change_zoom(s, -1);
}

static void
toggle_smooth(struct side *s)
{
	s->canvas.smooth = !s->canvas.smooth;
	s->zoom = MAX(s->zoom - s->zoom % ZOOM_ONE, (unsigned)ZOOM_ONE);
	side_redraw(s);
}

static void
send_ctrl_alt_delete(struct side *s)
{
	side_order(s, (struct order){ .kind = ORDER_CTRL_ALT_DELETE });
}

static void
take_screenshot(struct side *s)
{
	side_order(s, (struct order){ .kind = ORDER_SCREENSHOT });
}

static void
toggle_pause(struct side *s)
{
	side_order(s, (struct order){ .kind = ORDER_PAUSE });
}

static void
copy_selection(struct side *s)
{
	side_order(s, (struct order){ .kind = ORDER_COPY });
}

static const struct { SDL_Keycode key; void (*act)(struct side *s); } own_keys[] = {
	{ SDLK_f, toggle_full_screen }, { SDLK_g, toggle_grab }, { SDLK_u, restore_size }, { SDLK_l, toggle_smooth },
	{ SDLK_d, send_ctrl_alt_delete }, { SDLK_s, take_screenshot }, { SDLK_p, toggle_pause }, { SDLK_c, copy_selection },
	{ SDLK_v, paste_clipboard }, { SDLK_PLUS, zoom_in }, { SDLK_KP_PLUS, zoom_in }, { SDLK_EQUALS, zoom_in },
	{ SDLK_MINUS, zoom_out }, { SDLK_KP_MINUS, zoom_out },
};

/* The letter on the key; where the host's layout has none there (Russian, say), the one that stands there in English. */
static SDL_Keycode
letter_of(const SDL_Keysym *k)
{
	if (k->sym < 0x80)
		return k->sym;
	if (k->scancode >= SDL_SCANCODE_A && k->scancode <= SDL_SCANCODE_Z)
		return SDLK_a + (SDL_Keycode)(k->scancode - SDL_SCANCODE_A);
	return k->sym;
}

/* Was it one of the window's own?  The guest, which saw its modifiers go down, sees them go up first. */
static bool
own_key(struct side *s, const SDL_Keysym *k)
{
	SDL_Keycode key = k->scancode == SDL_SCANCODE_EQUALS ? SDLK_EQUALS : letter_of(k);

	if (k->scancode >= SDL_SCANCODE_1 && k->scancode <= SDL_SCANCODE_9) {
		side_tab(s, (unsigned)(k->scancode - SDL_SCANCODE_1));
		return true;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(own_keys); i++) {
		if (own_keys[i].key == key) {
			release_all(s);
			own_keys[i].act(s);
			return true;
		}
	}
	return false;
}

static bool
holds_grab_mod(const struct side *s, unsigned mod)
{
	static const unsigned wanted[] = {
		[GRAB_CTRL_ALT] = KMOD_LCTRL | KMOD_LALT, [GRAB_SHIFT_CTRL_ALT] = KMOD_LSHIFT | KMOD_LCTRL | KMOD_LALT,
		[GRAB_RCTRL] = KMOD_RCTRL,
	};
	unsigned keys = wanted[s->w->config.grab_mod];

	return (mod & keys) == keys;
}

/* ---- keys of text consoles ---- */

static unsigned
console_modifiers(unsigned mod)
{
	return ((mod & KMOD_SHIFT) != 0 ? CONSOLE_SHIFT : 0) | ((mod & KMOD_ALT) != 0 ? CONSOLE_ALT : 0) |
		((mod & KMOD_CTRL) != 0 ? CONSOLE_CTRL : 0);
}

static bool
clipboard_key(struct side *s, const SDL_Keysym *k)
{
	bool shift = (k->mod & KMOD_SHIFT) != 0, control = (k->mod & KMOD_CTRL) != 0;

	if ((shift && control && k->sym == SDLK_c) || (control && k->sym == SDLK_INSERT)) {
		copy_selection(s);
		return true;
	}
	if ((shift && control && k->sym == SDLK_v) || (shift && k->sym == SDLK_INSERT)) {
		paste_clipboard(s);
		return true;
	}
	return false;
}

/* The keypad without Num Lock. */
static SDL_Keycode
keypad_key(SDL_Keycode sym)
{
	static const SDL_Keycode keys[] = { SDLK_END, SDLK_DOWN, SDLK_PAGEDOWN, SDLK_LEFT, 0, SDLK_RIGHT, SDLK_HOME, SDLK_UP,
		SDLK_PAGEUP, SDLK_INSERT, SDLK_DELETE };

	return sym >= SDLK_KP_1 && sym <= SDLK_KP_PERIOD ? keys[sym - SDLK_KP_1] : sym;
}

static int
console_key_of(SDL_Keycode sym)
{
	static const struct { SDL_Keycode sym; enum console_key key; } keys[] = {
		{ SDLK_UP, CONSOLE_UP }, { SDLK_DOWN, CONSOLE_DOWN }, { SDLK_LEFT, CONSOLE_LEFT }, { SDLK_RIGHT, CONSOLE_RIGHT },
		{ SDLK_HOME, CONSOLE_HOME }, { SDLK_END, CONSOLE_END }, { SDLK_INSERT, CONSOLE_INSERT },
		{ SDLK_DELETE, CONSOLE_DELETE }, { SDLK_PAGEUP, CONSOLE_PAGE_UP }, { SDLK_PAGEDOWN, CONSOLE_PAGE_DOWN },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].sym == sym)
			return (int)keys[i].key;
	if (sym >= SDLK_F1 && sym <= SDLK_F12)
		return (int)CONSOLE_F1 + (sym - SDLK_F1);
	return -1;
}

/* What keys type by themselves, or with Ctrl; NULL: it comes as text, or not at all. */
static const char *
typed_by(const SDL_Keysym *k, char text[3])
{
	char *p = text;

	switch (k->sym) {
	case SDLK_RETURN: case SDLK_KP_ENTER:
		return "\r";
	case SDLK_BACKSPACE:
		return "\x7f";
	case SDLK_TAB:
		return (k->mod & KMOD_SHIFT) != 0 ? "\x1b[Z" : "\t";
	case SDLK_ESCAPE:
		return "\x1b";
	default:
		break;
	}
	if ((k->mod & KMOD_CTRL) == 0 || (k->mod & KMOD_MODE) != 0 || k->sym > 'z' || k->sym < '@')
		return NULL;
	if ((k->mod & KMOD_ALT) != 0)
		*p++ = '\x1b';
	*p++ = (char)(k->sym & 0x1f);
	*p = '\0';
	return text[0] != '\0' ? text : NULL;
}

static void
key_for_console(struct side *s, const SDL_Keysym *k)
{
	int key = console_key_of((k->mod & KMOD_NUM) == 0 ? keypad_key(k->sym) : k->sym);
	unsigned modifiers = console_modifiers(k->mod);
	int lines = key >= 0 ? console_scroll_key((enum console_key)key, modifiers) : 0;
	char buffer[3];
	const char *text;

	if (clipboard_key(s, k))
		return;
	if (lines != 0) {
		side_order(s, (struct order){ .kind = ORDER_SCROLL, .a = lines });
		return;
	}
	if (key >= 0) {
		side_order(s, (struct order){ .kind = ORDER_CONSOLE_KEY, .a = key, .b = (int)modifiers });
		return;
	}
	text = typed_by(k, buffer);
	if (text != NULL)
		order_text(s, ORDER_TYPE, text);
}

void
side_text(struct side *s, const char *text)
{
	unsigned mod = SDL_GetModState();

	if (!on_console(s) || holds_grab_mod(s, mod))
		return;
	/* The left Alt is a terminal's Meta. */
	if ((mod & KMOD_LALT) != 0 && (mod & (KMOD_RALT | KMOD_MODE)) == 0)
		order_text(s, ORDER_TYPE, "\x1b");
	order_text(s, ORDER_TYPE, text);
}

/* ---- keys ---- */

void
side_key(struct side *s, const SDL_KeyboardEvent *e)
{
	unsigned code = window_scancode(e->keysym.scancode);
	bool down = e->type == SDL_KEYDOWN;

	if (down && holds_grab_mod(s, e->keysym.mod)) {
		SDL_Keysym k = e->keysym;

		if (e->repeat != 0 && !s->down[k.scancode])
			return;
		if (e->repeat == 0 && own_key(s, &k))
			return;
	}
	if (on_console(s)) {
		if (down)
			key_for_console(s, &e->keysym);
		return;
	}
	/* Nothing goes up that the guest wasn't told of, as after a change of the focus. */
	if (code == 0 || (!down && !s->down[e->keysym.scancode]) || (e->repeat != 0 && !s->down[e->keysym.scancode]))
		return;
	s->down[e->keysym.scancode] = down;
	side_order(s, (struct order){ .kind = ORDER_KEY, .a = (int)code, .down = down });
}

/* ---- mouse ---- */

static unsigned
button_of(Uint8 button)
{
	static const uint8_t buttons[] = {
		[SDL_BUTTON_LEFT] = BUTTON_LEFT, [SDL_BUTTON_MIDDLE] = BUTTON_MIDDLE, [SDL_BUTTON_RIGHT] = BUTTON_RIGHT,
		[SDL_BUTTON_X1] = BUTTON_SIDE, [SDL_BUTTON_X2] = BUTTON_EXTRA,
	};

	return button < ARRAY_SIZE(buttons) ? buttons[button] : 0;
}

static void
point(struct side *s, int x, int y, int dz, int dw)
{
	int px, py, width = (int)MAX(s->canvas.width, 2u), height = (int)MAX(s->canvas.height, 2u);

	canvas_locate(&s->canvas, x, y, &px, &py);
	px = MIN(MAX(px, 0), width - 1);
	py = MIN(MAX(py, 0), height - 1);
	side_order(s, (struct order){ .kind = ORDER_POINT, .a = px * POINTER_MAX / (width - 1), .b = py * POINTER_MAX / (height - 1),
		.c = dz, .d = dw, .buttons = s->buttons });
}

static void
select_text(struct side *s, enum select_how how, int x, int y)
{
	int px, py;

	canvas_locate(&s->canvas, x, y, &px, &py);
	side_order(s, (struct order){ .kind = ORDER_SELECT, .a = px, .b = py, .c = (int)how });
}

void
side_motion(struct side *s, const SDL_MouseMotionEvent *e)
{
	if (on_console(s)) {
		if (s->selecting)
			select_text(s, SELECT_TO, e->x, e->y);
	} else if (s->absolute) {
		point(s, e->x, e->y, 0, 0);
	} else if (s->grabbed) {
		side_order(s, (struct order){ .kind = ORDER_MOVE, .a = e->xrel, .b = e->yrel, .buttons = s->buttons });
	}
}

static void
button_on_console(struct side *s, const SDL_MouseButtonEvent *e)
{
	bool down = e->type == SDL_MOUSEBUTTONDOWN;

	if (e->button == SDL_BUTTON_LEFT) {
		s->selecting = down;
		if (down)
			select_text(s, e->clicks >= 3 ? SELECT_LINE : e->clicks == 2 ? SELECT_WORD : SELECT_FROM, e->x, e->y);
	} else if (e->button == SDL_BUTTON_MIDDLE && down) {
		paste_clipboard(s);
	}
}

void
side_button(struct side *s, const SDL_MouseButtonEvent *e)
{
	unsigned button = button_of(e->button);

	if (on_console(s)) {
		button_on_console(s, e);
		return;
	}
	if (!s->absolute && !s->grabbed) {
		if (e->type == SDL_MOUSEBUTTONUP && e->button == SDL_BUTTON_LEFT)
			side_grab(s, true);
		return;
	}
	s->buttons = e->type == SDL_MOUSEBUTTONDOWN ? s->buttons | button : s->buttons & ~button;
	if (s->absolute)
		point(s, e->x, e->y, 0, 0);
	else
		side_order(s, (struct order){ .kind = ORDER_MOVE, .buttons = s->buttons });
}

/* SDL's wheel counts away from the user; the guest's, towards them. */
void
side_wheel(struct side *s, const SDL_MouseWheelEvent *e)
{
	int flip = e->direction == SDL_MOUSEWHEEL_FLIPPED ? -1 : 1, dz = -e->y * flip, dw = e->x * flip, x, y;

	if (on_console(s)) {
		side_order(s, (struct order){ .kind = ORDER_SCROLL, .a = dz * WHEEL_LINES });
	} else if (s->absolute) {
		SDL_GetMouseState(&x, &y);
		point(s, x, y, dz, dw);
	} else if (s->grabbed) {
		side_order(s, (struct order){ .kind = ORDER_MOVE, .c = dz, .d = dw, .buttons = s->buttons });
	}
}
