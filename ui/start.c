/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The start window: choose an image, memory and network.  It is drawn in cells of the font, runs in the main thread before
 * there is a machine, and is closed before the machine's window opens.
 */
#include "ui/start.h"

#include "base/err.h"
#include "base/util.h"
#include "ui/font.h"
#include "ui/utf8.h"
#include "ui/window_sdl.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COLUMNS = 90, ROWS = 32, LEAST_COLUMNS = 60, LEAST_ROWS = 14, LIST_TOP = 5, FIELD = 200, MEMORY_LEAST = 4,
	MEMORY_MOST = 1 << 20 };

enum part { PART_LIST, PART_FILTER, PART_MEMORY, PART_NETWORK, PART_START, PART_QUIT, PARTS };

enum {
	BACK = 0x1b232c, PANEL = 0x12181f, TEXT = 0xdfe6ee, DIM = 0x8b98a5, ACCENT = 0x58d68d, CHOSEN = 0x2c6e4a, FOCUS = 0x3a4654,
	ALARM = 0xff8a80,
};

struct field {
	char text[FIELD];
	unsigned length;
};

struct start {
	SDL_Window *window;
	struct canvas canvas;
	uint32_t *pixels;
	unsigned columns, rows, zoom;
	struct start_list list;
	unsigned row, first;        /* chosen, and at the list's top */
	enum part focus;
	struct field filter, memory;
	bool network;
	char message[300];
	bool chosen, quit, redraw;
};

/* ---- drawing ---- */

static unsigned
text(struct start *s, unsigned x, unsigned y, const char *t, uint32_t fore, uint32_t back)
{
	const char *end = t + strlen(t);

	while (t < end) {
		uint32_t code = utf8_take(&t, end);
		unsigned columns = utf8_columns(code);

		if (columns == 0)
			continue;
		if (x + columns > s->columns || y >= s->rows)
			break;
		font_draw(s->pixels + (size_t)y * FONT_HEIGHT * s->columns * FONT_WIDTH + x * FONT_WIDTH, s->columns * FONT_WIDTH,
			code < ' ' ? 0xfffd : code, fore, back);
		x += columns;
	}
	return x;
}

static void
fill(struct start *s, unsigned x, unsigned y, unsigned width, unsigned height, uint32_t color)
{
	for (unsigned py = y * FONT_HEIGHT; py < MIN(y + height, s->rows) * FONT_HEIGHT; py++)
		for (unsigned px = x * FONT_WIDTH; px < MIN(x + width, s->columns) * FONT_WIDTH; px++)
			s->pixels[(size_t)py * s->columns * FONT_WIDTH + px] = color;
}

static unsigned
list_rows(const struct start *s)
{
	return s->rows - LIST_TOP - 5;
}

static void
draw_entry(struct start *s, unsigned i, unsigned y)
{
	const struct entry *e = &s->list.entries[i];
	bool chosen = i == s->row;
	uint32_t back = chosen ? (s->focus == PART_LIST ? CHOSEN : FOCUS) : PANEL;
	unsigned x;

	fill(s, 2, y, s->columns - 4, 1, back);
	text(s, 3, y, e->kind == ENTRY_RECENT ? "recent" : e->kind == ENTRY_FOLDER ? "folder" : "", DIM, back);
	x = text(s, 11, y, e->name, e->kind == ENTRY_FOLDER ? ACCENT : TEXT, back);
	if (e->kind == ENTRY_RECENT)
		text(s, x + 2, y, e->path, DIM, back);
	fill(s, s->columns - 2, y, 2, 1, BACK);
}

static void
draw_list(struct start *s)
{
	unsigned rows = list_rows(s);

	fill(s, 2, LIST_TOP, s->columns - 4, rows, PANEL);
	if (s->row < s->first)
		s->first = s->row;
	if (s->row >= s->first + rows)
		s->first = s->row - rows + 1;
	for (unsigned y = 0; y < rows && s->first + y < s->list.count; y++)
		draw_entry(s, s->first + y, LIST_TOP + y);
	if (s->list.problem != NULL)
		text(s, 3, LIST_TOP + MIN(s->list.count, rows - 1), s->list.problem, ALARM, PANEL);
}

static void
draw_field(struct start *s, enum part part, unsigned x, unsigned y, unsigned width, const char *t)
{
	uint32_t back = s->focus == part ? FOCUS : PANEL;
	unsigned end;

	fill(s, x, y, width, 1, back);
	end = text(s, x + 1, y, t, TEXT, back);
	if (s->focus == part && end < s->columns)
		text(s, end, y, " ", BACK, TEXT);
}

static void
draw_button(struct start *s, enum part part, unsigned x, unsigned y, const char *t)
{
	text(s, x, y, t, s->focus == part ? 0xffffff : TEXT, s->focus == part ? CHOSEN : PANEL);
}

/* In two lines, if one is too short. */
static void
draw_message(struct start *s)
{
	char *line = xstrdup(s->message), *end = line + strlen(line);

	if (strlen(line) > s->columns - 4) {
		end = line + s->columns - 4;
		while (end > line && *end != ' ')
			end--;
		text(s, 2, s->rows - 1, *end == ' ' ? end + 1 : end, ALARM, BACK);
	}
	*end = '\0';
	text(s, 2, s->rows - 2, line, ALARM, BACK);
	free(line);
}

/* Where the parts of the last line begin. */
static const unsigned part_columns[PARTS] = { [PART_MEMORY] = 11, [PART_NETWORK] = 25, [PART_START] = 44, [PART_QUIT] = 55 };

static void
draw(struct start *s)
{
	unsigned y = s->rows - 4;

	fill(s, 0, 0, s->columns, s->rows, BACK);
	text(s, 2, 1, "calque", ACCENT, BACK);
	text(s, 10, 1, "Choose a disk, a CD-ROM or a diskette to start", TEXT, BACK);
	text(s, 2, 3, "Filter", DIM, BACK);
	draw_field(s, PART_FILTER, 9, 3, 24, s->filter.text);
	text(s, 35, 3, s->list.folder, DIM, BACK);
	draw_list(s);
	text(s, 2, y, "Memory", DIM, BACK);
	draw_field(s, PART_MEMORY, part_columns[PART_MEMORY], y, 8, s->memory.text);
	text(s, part_columns[PART_MEMORY] + 9, y, "MiB", DIM, BACK);
	draw_button(s, PART_NETWORK, part_columns[PART_NETWORK], y, s->network ? " [x] Network " : " [ ] Network ");
	draw_button(s, PART_START, part_columns[PART_START], y, "  Start  ");
	draw_button(s, PART_QUIT, part_columns[PART_QUIT], y, "  Quit  ");
	if (s->message[0] != '\0')
		draw_message(s);
	else
		text(s, 2, s->rows - 2, "Tab: next   Enter: open or start   Space: switch   letters: filter   Esc: quit", DIM, BACK);
	canvas_update(&s->canvas, s->pixels, (struct rect){ 0, 0, s->columns * FONT_WIDTH, s->rows * FONT_HEIGHT });
	canvas_show(&s->canvas, (struct rect){ 0 }, true);
	s->redraw = false;
}

/* ---- what people do ---- */

static void
read_list(struct start *s, const char *folder)
{
	char *copy = xstrdup(folder);

	start_list_read(&s->list, copy, s->filter.text);
	free(copy);
	s->row = s->first = 0;
	if (s->list.count > 1 && strcmp(s->list.entries[0].name, "..") == 0)
		s->row = 1;
}

static void
open_folder(struct start *s, const char *path)
{
	char *copy = xstrdup(path);

	s->filter = (struct field){ "", 0 };
	read_list(s, copy);
	free(copy);
}

static void
parent_folder(struct start *s)
{
	for (unsigned i = 0; i < s->list.count; i++) {
		if (strcmp(s->list.entries[i].name, "..") == 0 && s->list.entries[i].kind == ENTRY_FOLDER) {
			open_folder(s, s->list.entries[i].path);
			return;
		}
	}
}

static void
choose(struct start *s)
{
	const struct entry *e = s->row < s->list.count ? &s->list.entries[s->row] : NULL;
	int memory = atoi(s->memory.text);

	if (e == NULL)
		snprintf(s->message, sizeof(s->message), "There is nothing to start: choose an image first");
	else if (e->kind == ENTRY_FOLDER)
		open_folder(s, e->path);
	else if (memory < MEMORY_LEAST || memory > MEMORY_MOST)
		snprintf(s->message, sizeof(s->message), "Memory goes from %d to %d MiB", MEMORY_LEAST, MEMORY_MOST);
	else
		s->chosen = true;
}

/* What it had the last time. */
static void
move_row(struct start *s, int by)
{
	int row = (int)s->row + by;

	if (s->list.count == 0)
		return;
	s->row = (unsigned)MIN(MAX(row, 0), (int)s->list.count - 1);
	const struct entry *e = &s->list.entries[s->row];
	if (e->kind == ENTRY_RECENT && e->memory_mib != 0) {
		s->memory.length = (unsigned)snprintf(s->memory.text, sizeof(s->memory.text), "%u", e->memory_mib);
		s->network = e->network;
	}
}

static void
press(struct start *s)
{
	switch (s->focus) {
	case PART_NETWORK:
		s->network = !s->network;
		break;
	case PART_QUIT:
		s->quit = true;
		break;
	default:
		choose(s);
	}
}

/* The last character, which may have several bytes. */
static void
erase(struct field *f)
{
	while (f->length > 0 && (f->text[--f->length] & 0xc0) == 0x80)
		continue;
	f->text[f->length] = '\0';
}

static void
backspace(struct start *s)
{
	if (s->focus == PART_MEMORY) {
		erase(&s->memory);
	} else if (s->filter.length != 0) {
		erase(&s->filter);
		read_list(s, s->list.folder);
	} else if (s->focus == PART_LIST) {
		parent_folder(s);
	}
}

static void
add_text(struct start *s, const char *t)
{
	struct field *f = s->focus == PART_MEMORY ? &s->memory : &s->filter;
	size_t n = strlen(t), most = s->focus == PART_MEMORY ? 7 : 100;

	if (f->length + n > most || *t == '\0')
		return;
	if (s->focus == PART_MEMORY && strspn(t, "0123456789") != n)
		return;
	if (s->focus >= PART_NETWORK && strcmp(t, " ") == 0)
		return;
	memcpy(f->text + f->length, t, n + 1);
	f->length += (unsigned)n;
	if (f == &s->filter)
		read_list(s, s->list.folder);
}

static void
escape(struct start *s)
{
	if (s->filter.length == 0) {
		s->quit = true;
		return;
	}
	s->filter = (struct field){ "", 0 };
	read_list(s, s->list.folder);
}

static void
key(struct start *s, const SDL_Keysym *k)
{
	int page = (int)list_rows(s), step = (k->mod & KMOD_SHIFT) != 0 ? PARTS - 1 : 1;

	s->message[0] = '\0';
	switch (k->sym) {
	case SDLK_TAB: s->focus = (enum part)(((int)s->focus + step) % PARTS); break;
	case SDLK_UP: move_row(s, -1); break;
	case SDLK_DOWN: move_row(s, 1); break;
	case SDLK_PAGEUP: move_row(s, -page); break;
	case SDLK_PAGEDOWN: move_row(s, page); break;
	case SDLK_HOME: move_row(s, -(int)s->list.count); break;
	case SDLK_END: move_row(s, (int)s->list.count); break;
	case SDLK_RETURN: case SDLK_KP_ENTER: press(s); break;
	case SDLK_SPACE:
		if (s->focus >= PART_NETWORK)
			press(s);
		break;
	case SDLK_BACKSPACE: backspace(s); break;
	case SDLK_ESCAPE: escape(s); break;
	case SDLK_F5: read_list(s, s->list.folder); break;
	default: return;
	}
}

static void
click(struct start *s, const SDL_MouseButtonEvent *e)
{
	int px, py;
	unsigned x, y;

	canvas_locate(&s->canvas, e->x, e->y, &px, &py);
	x = (unsigned)MAX(px, 0) / FONT_WIDTH;
	y = (unsigned)MAX(py, 0) / FONT_HEIGHT;
	s->message[0] = '\0';
	if (y == 3) {
		s->focus = PART_FILTER;
	} else if (y >= LIST_TOP && y < LIST_TOP + list_rows(s)) {
		s->focus = PART_LIST;
		if (s->first + y - LIST_TOP < s->list.count) {
			move_row(s, (int)(s->first + y - LIST_TOP) - (int)s->row);
			if (e->clicks >= 2)
				press(s);
		}
	} else if (y + 4 == s->rows) {
		for (unsigned part = PART_QUIT; part >= PART_MEMORY; part--) {
			if (x < part_columns[part])
				continue;
			s->focus = (enum part)part;
			if (part != PART_MEMORY)
				press(s);
			break;
		}
	}
}

/* ---- the window ---- */

static void
fit(struct start *s)
{
	if (!canvas_fit(&s->canvas))
		return;
	s->columns = MAX((unsigned)s->canvas.out_width / (FONT_WIDTH * s->zoom), (unsigned)LEAST_COLUMNS);
	s->rows = MAX((unsigned)s->canvas.out_height / (FONT_HEIGHT * s->zoom), (unsigned)LEAST_ROWS);
	free(s->pixels);
	s->pixels = xcalloc((size_t)s->columns * FONT_WIDTH * s->rows * FONT_HEIGHT, sizeof(*s->pixels));
	canvas_resize(&s->canvas, s->columns * FONT_WIDTH, s->rows * FONT_HEIGHT);
	s->redraw = true;
}

static void
handle(struct start *s, const SDL_Event *e)
{
	s->redraw = true;
	switch (e->type) {
	case SDL_QUIT:
		s->quit = true;
		break;
	case SDL_WINDOWEVENT:
		if (e->window.event == SDL_WINDOWEVENT_CLOSE)
			s->quit = true;
		if (e->window.event == SDL_WINDOWEVENT_SIZE_CHANGED)
			fit(s);
		break;
	case SDL_KEYDOWN:
		key(s, &e->key.keysym);
		break;
	case SDL_TEXTINPUT:
		add_text(s, e->text.text);
		break;
	case SDL_MOUSEBUTTONDOWN:
		if (e->button.button == SDL_BUTTON_LEFT)
			click(s, &e->button);
		break;
	case SDL_MOUSEWHEEL:
		move_row(s, -3 * e->wheel.y);
		break;
	default:
		s->redraw = false;
	}
}

static bool
open_start(struct start *s, struct err *e)
{
	float dpi = 0;

	s->window = window_open("calque", COLUMNS * FONT_WIDTH, ROWS * FONT_HEIGHT, 0);
	if (s->window == NULL || !canvas_open(&s->canvas, s->window, WINDOW_GL_OFF, false)) {
		if (s->window != NULL)
			SDL_DestroyWindow(s->window);
		return err_set(e, "no window: %s; give an image on the command line, see -help", SDL_GetError());
	}
	s->zoom = 1;
	if (SDL_GetDisplayDPI(0, &dpi, NULL, NULL) == 0 && dpi >= 192) {
		s->zoom = MIN((unsigned)dpi / 96, 4u);
		SDL_SetWindowSize(s->window, (int)(COLUMNS * FONT_WIDTH * s->zoom), (int)(ROWS * FONT_HEIGHT * s->zoom));
	}
	SDL_StartTextInput();
	fit(s);
	return true;
}

static void
close_start(struct start *s)
{
	canvas_close(&s->canvas);
	SDL_DestroyWindow(s->window);
	SDL_QuitSubSystem(SDL_INIT_VIDEO);
	start_list_free(&s->list);
	free(s->pixels);
}

static void
begin_with(struct start *s, const struct start_choice *c, const char *message)
{
	char *here = getcwd(NULL, 0);

	if (c->image != NULL) {
		char *slash = strrchr(c->image, '/');

		free(here);
		here = xasprintf("%.*s", slash != NULL ? MAX((int)(slash - c->image), 1) : 0, c->image);
	}
	s->memory.length = (unsigned)snprintf(s->memory.text, sizeof(s->memory.text), "%u", c->memory_mib);
	s->network = c->network;
	if (message != NULL)
		snprintf(s->message, sizeof(s->message), "%s", message);
	read_list(s, here != NULL ? here : "/");
	move_row(s, 0);
	free(here);
}

bool
start_window(struct start_choice *c, const char *message, struct err *e)
{
	struct start *s = xcalloc(1, sizeof(*s));
	SDL_Event event;
	bool chosen = false;

	if (open_start(s, e)) {
		begin_with(s, c, message);
		while (!s->chosen && !s->quit) {
			if (s->redraw)
				draw(s);
			if (SDL_WaitEvent(&event) != 1)
				break;
			do {
				handle(s, &event);
			} while (!s->chosen && !s->quit && SDL_PollEvent(&event) == 1);
		}
		chosen = s->chosen;
		if (chosen) {
			free(c->image);
			c->image = xstrdup(s->list.entries[s->row].path);
			c->memory_mib = (unsigned)atoi(s->memory.text);
			c->network = s->network;
			start_remember(c);
		}
		close_start(s);
	}
	free(s);
	return chosen;
}
