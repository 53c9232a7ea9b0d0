/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keys by their position, whatever the host's layout says they are. */
#include "ui/window.h"

static const uint16_t codes[SDL_NUM_SCANCODES] = {
#define SDL_KEY(name, set1) [SDL_SCANCODE_##name] = set1,
#include "ui/sdl_keys.def"
#undef SDL_KEY
};

unsigned
window_scancode(SDL_Scancode code)
{
	return (unsigned)code < SDL_NUM_SCANCODES ? codes[code] : 0;
}
