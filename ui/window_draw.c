/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/window_draw.h"

#include "base/util.h"

#include <glob.h>
#include <unistd.h>

/*
 * Without a GPU, OpenGL is computed by the host's processor, at many times the cost of a copy: a machine with neither a render
 * node nor NVIDIA's own driver has none.
 */
static bool
host_has_gpu(void)
{
	glob_t found;
	bool any = glob("/dev/dri/renderD*", 0, NULL, &found) == 0;

	if (any)
		globfree(&found);
	return any || access("/dev/nvidiactl", F_OK) == 0;
}

/* A virtual GPU may have a render node, and OpenGL in software all the same. */
static bool
is_software_gl(void)
{
	const unsigned char *(*get_string)(unsigned name) = NULL;
	const char *name;

	*(void **)&get_string = SDL_GL_GetProcAddress("glGetString");
	if (SDL_GL_GetCurrentContext() == NULL || get_string == NULL)
		return false;
	name = (const char *)get_string(0x1f01); /* GL_RENDERER */
	return name != NULL && (strstr(name, "llvmpipe") != NULL || strstr(name, "softpipe") != NULL ||
		strstr(name, "SWR") != NULL);
}

static bool
open_hardware(struct canvas *c, enum window_gl gl)
{
	if (gl == WINDOW_GL_OFF || (gl == WINDOW_GL_AUTO && !host_has_gpu()))
		return false;
	c->renderer = SDL_CreateRenderer(c->window, -1, SDL_RENDERER_ACCELERATED | SDL_RENDERER_PRESENTVSYNC);
	if (c->renderer != NULL && gl == WINDOW_GL_AUTO && is_software_gl()) {
		SDL_DestroyRenderer(c->renderer);
		c->renderer = NULL;
	}
	return c->renderer != NULL;
}

/* SDL's surface of a window is another one after each change of its size; SDL would put it on the screen by OpenGL. */
static bool
open_software(struct canvas *c)
{
	SDL_Surface *s;

	SDL_SetHint(SDL_HINT_FRAMEBUFFER_ACCELERATION, "0");
	s = SDL_GetWindowSurface(c->window);
	c->renderer = s != NULL ? SDL_CreateSoftwareRenderer(s) : NULL;
	return c->renderer != NULL;
}

static void
drop(struct canvas *c)
{
	if (c->texture != NULL)
		SDL_DestroyTexture(c->texture);
	if (c->renderer != NULL)
		SDL_DestroyRenderer(c->renderer);
	c->texture = NULL;
	c->renderer = NULL;
}

/* Whole multiples keep pixels crisp; a window that is too small for the picture has it whole, and smooth. */
static void
place(struct canvas *c)
{
	double fx = (double)c->out_width / MAX(c->width, 1u), fy = (double)c->out_height / MAX(c->height, 1u);
	double factor = MIN(fx, fy);

	if (!c->smooth && factor >= 1)
		factor = (int)factor;
	c->out.w = MAX((int)(c->width * factor + 0.5), 1);
	c->out.h = MAX((int)(c->height * factor + 0.5), 1);
	c->out.x = (c->out_width - c->out.w) / 2;
	c->out.y = (c->out_height - c->out.h) / 2;
	if (c->texture != NULL)
		SDL_SetTextureScaleMode(c->texture, c->smooth || factor < 1 ? SDL_ScaleModeLinear : SDL_ScaleModeNearest);
}

static void
make_texture(struct canvas *c)
{
	if (c->texture != NULL)
		SDL_DestroyTexture(c->texture);
	c->texture = NULL;
	if (c->width != 0 && c->renderer != NULL)
		c->texture = SDL_CreateTexture(c->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
			(int)c->width, (int)c->height);
}

bool
canvas_fit(struct canvas *c)
{
	if (!c->hardware) {
		drop(c);
		if (!open_software(c))
			return false;
	}
	SDL_GetRendererOutputSize(c->renderer, &c->out_width, &c->out_height);
	if (c->texture == NULL)
		make_texture(c);
	place(c);
	return true;
}

bool
canvas_open(struct canvas *c, SDL_Window *window, enum window_gl gl, bool smooth)
{
	*c = (struct canvas){ .window = window, .smooth = smooth };
	c->hardware = open_hardware(c, gl);
	return canvas_fit(c);
}

void
canvas_close(struct canvas *c)
{
	drop(c);
}

void
canvas_resize(struct canvas *c, unsigned width, unsigned height)
{
	c->width = width;
	c->height = height;
	make_texture(c);
	place(c);
}

void
canvas_update(struct canvas *c, const uint32_t *pixels, struct rect damage)
{
	SDL_Rect r = { (int)damage.x, (int)damage.y, (int)damage.w, (int)damage.h };

	if (c->texture != NULL && damage.w != 0 && damage.h != 0)
		SDL_UpdateTexture(c->texture, &r, pixels + (size_t)damage.y * c->width + damage.x, (int)(4 * c->width));
}

/* The whole multiple that the picture is drawn at, or 0. */
static int
multiple(const struct canvas *c)
{
	return c->width != 0 && c->out.w % (int)c->width == 0 && c->out.h == c->out.w / (int)c->width * (int)c->height ?
		c->out.w / (int)c->width : 0;
}

static void
show_part(struct canvas *c, struct rect damage, int factor)
{
	SDL_Rect from = { (int)damage.x, (int)damage.y, (int)damage.w, (int)damage.h };
	SDL_Rect to = { c->out.x + from.x * factor, c->out.y + from.y * factor, from.w * factor, from.h * factor };

	SDL_RenderCopy(c->renderer, c->texture, &from, &to);
	SDL_RenderFlush(c->renderer);
	SDL_UpdateWindowSurfaceRects(c->window, &to, 1);
}

void
canvas_show(struct canvas *c, struct rect damage, bool all)
{
	int factor = multiple(c);

	if (c->renderer == NULL)
		return;
	if (!c->hardware && !all && factor != 0 && c->texture != NULL) {
		if (damage.w != 0 && damage.h != 0)
			show_part(c, damage, factor);
		return;
	}
	SDL_SetRenderDrawColor(c->renderer, 0, 0, 0, 255);
	SDL_RenderClear(c->renderer);
	if (c->texture != NULL)
		SDL_RenderCopy(c->renderer, c->texture, NULL, &c->out);
	if (c->hardware) {
		SDL_RenderPresent(c->renderer);
	} else {
		SDL_RenderFlush(c->renderer);
		SDL_UpdateWindowSurface(c->window);
	}
}

/* Towards lower numbers also left of the picture. */
static int
divide(long a, long b)
{
	return (int)(a >= 0 ? a / b : -((b - 1 - a) / b));
}

void
canvas_locate(const struct canvas *c, int x, int y, int *px, int *py)
{
	int w, h;

	SDL_GetWindowSize(c->window, &w, &h);
	x = (int)((long)x * c->out_width / MAX(w, 1)) - c->out.x;
	y = (int)((long)y * c->out_height / MAX(h, 1)) - c->out.y;
	*px = divide((long)x * c->width, c->out.w);
	*py = divide((long)y * c->height, c->out.h);
}
