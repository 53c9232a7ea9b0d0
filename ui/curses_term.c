/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The terminal's side: its thread, which waits for keys and draws by ncurses what changed. */
#define _GNU_SOURCE /* wcwidth */
#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS
#include "ui/curses_int.h"

#include "base/util.h"
#include "ui/chr.h"

#include <curses.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <wchar.h>

/* A sequence that a terminal sends for a key comes in one go, or nearly so. */
enum { SEQUENCE_MS = 25 };

/* This side's state: the thread's own. */
struct side {
	struct curses *c;
	SCREEN *screen;
	unsigned colors;            /* 16, 8, or 0 */
	struct text_picture picture;
	struct text_cell *shown;    /* the terminal's cells, ROWS x COLUMNS */
	unsigned columns, rows;
	unsigned left, top;         /* of the picture that is larger than the terminal: what is seen first */
	struct curses_input input;
};

/* ---- cells ---- */

/* For a terminal without Unicode: a VT100's line drawing, or a letter that comes near. */
static const struct { uint16_t code; char line, letter; } replacements[] = {
	{ 0x2500, 'q', 0 }, { 0x2502, 'x', 0 }, { 0x250c, 'l', 0 }, { 0x2510, 'k', 0 }, { 0x2514, 'm', 0 }, { 0x2518, 'j', 0 },
	{ 0x251c, 't', 0 }, { 0x2524, 'u', 0 }, { 0x252c, 'w', 0 }, { 0x2534, 'v', 0 }, { 0x253c, 'n', 0 }, { 0x2550, 'q', 0 },
	{ 0x2551, 'x', 0 }, { 0x2554, 'l', 0 }, { 0x2557, 'k', 0 }, { 0x255a, 'm', 0 }, { 0x255d, 'j', 0 }, { 0x2560, 't', 0 },
	{ 0x2563, 'u', 0 }, { 0x2566, 'w', 0 }, { 0x2569, 'v', 0 }, { 0x256c, 'n', 0 }, { 0x2592, 'a', 0 }, { 0x2591, 'a', 0 },
	{ 0x2593, 'a', 0 }, { 0x2588, 0, '#' }, { 0x2584, 0, '_' }, { 0x2580, 0, '"' }, { 0x25a0, 0, '#' }, { 0x25ba, 0, '>' },
	{ 0x25c4, 0, '<' }, { 0x2190, 0, '<' }, { 0x2191, 0, '^' }, { 0x2192, 0, '>' }, { 0x2193, 0, 'v' }, { 0x2022, 0, '*' },
	{ 0x00b7, 0, '.' }, { 0x2219, 0, '.' }, { 0x00a0, 0, ' ' },
};

static bool
is_printable(uint32_t code, int width)
{
	char bytes[64];
	mbstate_t state = { 0 };

	return code >= ' ' && wcrtomb(bytes, (wchar_t)code, &state) != (size_t)-1 && wcwidth((wchar_t)code) == width;
}

static wchar_t
character_of(const struct text_cell *cell, attr_t *attr)
{
	if (is_printable(cell->code, (cell->attr & CELL_WIDE) != 0 ? 2 : 1))
		return (wchar_t)cell->code;
	for (unsigned i = 0; i < ARRAY_SIZE(replacements); i++) {
		if (replacements[i].code != cell->code)
			continue;
		if (replacements[i].line != 0)
			*attr |= WA_ALTCHARSET;
		return replacements[i].line != 0 ? replacements[i].line : replacements[i].letter;
	}
	return '?';
}

/* Pair 0 is white on black, see set_up_colors(). */
static short
pair_of(const struct side *s, unsigned fore, unsigned back)
{
	return (short)((fore ^ 7) % s->colors + back % s->colors * s->colors);
}

static void
put_cell(const struct side *s, unsigned x, unsigned y, const struct text_cell *cell)
{
	attr_t attr = ((cell->attr & CELL_BLINK) != 0 ? WA_BLINK : 0) | ((cell->attr & CELL_UNDERLINE) != 0 ? WA_UNDERLINE : 0);
	wchar_t text[2] = { character_of(cell, &attr), 0 };
	short pair = 0;
	cchar_t out;

	if (s->colors < 16 && cell->fore >= 8)
		attr |= WA_BOLD;
	if (s->colors != 0)
		pair = pair_of(s, cell->fore, cell->back);
	else if ((cell->back & 7) != 0)
		attr |= WA_REVERSE;
	/* A wide one has no room at the edge. */
	if ((cell->attr & CELL_WIDE) != 0 && x + 1 == s->columns)
		text[0] = ' ';
	/* What takes its place may be narrow. */
	if ((cell->attr & CELL_WIDE) != 0 && x + 1 < s->columns)
		mvaddch((int)y, (int)x + 1, ' ');
	setcchar(&out, text, attr, pair, NULL);
	mvadd_wch((int)y, (int)x, &out);
}

/* ---- the picture ---- */

/* Where a picture of SIZE begins on ROOM: in the middle, or, where it is larger, so that *FIRST on is seen, and AT with it. */
static unsigned
place(unsigned size, unsigned room, bool follow, unsigned at, unsigned *first)
{
	if (size <= room) {
		*first = 0;
		return (room - size) / 2;
	}
	if (follow && at < *first)
		*first = at;
	if (follow && at >= *first + room)
		*first = at - room + 1;
	*first = MIN(*first, size - room);
	return 0;
}

static bool
same_cell(const struct text_cell *a, const struct text_cell *b)
{
	return a->code == b->code && a->fore == b->fore && a->back == b->back && a->attr == b->attr;
}

static void
draw(struct side *s)
{
	const struct text_picture *p = &s->picture;
	unsigned x0 = place(p->columns, s->columns, p->cursor, p->cursor_x, &s->left);
	unsigned y0 = place(p->rows, s->rows, p->cursor, p->cursor_y, &s->top);

	for (unsigned y = 0; y < s->rows; y++) {
		for (unsigned x = 0; x < s->columns; x++) {
			static const struct text_cell outside = { ' ', 7, 0, 0 };
			unsigned from_x = x - x0 + s->left, from_y = y - y0 + s->top;
			bool inside = x >= x0 && y >= y0 && from_x < p->columns && from_y < p->rows;
			const struct text_cell *cell = inside ? &p->cells[(size_t)from_y * p->columns + from_x] : &outside;
			struct text_cell *shown = &s->shown[(size_t)y * s->columns + x];

			if (same_cell(cell, shown))
				continue;
			*shown = *cell;
			if ((cell->attr & CELL_TAIL) == 0)
				put_cell(s, x, y, cell);
		}
	}
	if (!p->cursor)
		curs_set(0);
	else
		move((int)(p->cursor_y - s->top + y0), (int)(p->cursor_x - s->left + x0));
	refresh();
	if (p->cursor)
		curs_set(1);
}

static void
forget_shown(struct side *s)
{
	s->shown = xrealloc(s->shown, (size_t)s->columns * s->rows * sizeof(*s->shown) + 1);
	memset(s->shown, 0, (size_t)s->columns * s->rows * sizeof(*s->shown));
}

/* What the machine's side handed over; false: it's over. */
static bool
take_over(struct side *s)
{
	struct curses_shared *shared = &s->c->shared;
	bool redraw, resize, changed, quit;
	struct text_picture old;

	pthread_mutex_lock(&shared->lock);
	quit = shared->quit;
	redraw = shared->redraw;
	resize = shared->resize;
	changed = shared->changed;
	if (changed) {
		old = s->picture;
		s->picture = shared->picture;
		shared->picture = old;
	}
	if (resize) {
		s->columns = shared->columns;
		s->rows = shared->rows;
	}
	shared->redraw = shared->resize = shared->changed = false;
	pthread_mutex_unlock(&shared->lock);
	if (quit)
		return false;
	if (resize)
		resizeterm((int)s->rows, (int)s->columns);
	if (resize || redraw) {
		erase();
		clearok(curscr, TRUE);
		forget_shown(s);
	}
	if (changed || redraw || resize)
		draw(s);
	return true;
}

/* ---- the thread ---- */

static void
set_up_colors(struct side *s)
{
	if (!has_colors() || start_color() != OK || COLORS < 8 || COLOR_PAIRS < 64)
		return;
	s->colors = COLORS >= 16 && COLOR_PAIRS >= 256 ? 16 : 8;
	assume_default_colors(7, 0);
	for (unsigned back = 0; back < s->colors; back++) {
		for (unsigned fore = 0; fore < s->colors; fore++) {
			if (pair_of(s, fore, back) != 0)
				init_pair(pair_of(s, fore, back), (short)fore, (short)back);
		}
	}
}

/* Appends a string of the terminal's; the delays in them are for terminals with wheels. */
static void
append(char *to, size_t size, const char *capability)
{
	const char *from = tigetstr(capability);
	size_t n = strlen(to);

	if (from == NULL || from == (const char *)-1)
		return;
	for (; *from != '\0' && n + 1 < size; from++) {
		if (from[0] == '$' && from[1] == '<')
			from += strcspn(from, ">");
		else
			to[n++] = *from;
		if (*from == '\0')
			break;
	}
	to[n] = '\0';
}

static void
arrange_ends(void)
{
	char enter[256] = "", leave[256] = "";

	append(enter, sizeof(enter), "smcup");
	append(enter, sizeof(enter), "smkx");
	append(leave, sizeof(leave), "sgr0");
	append(leave, sizeof(leave), "op");
	append(leave, sizeof(leave), "rmkx");
	append(leave, sizeof(leave), "cnorm");
	append(leave, sizeof(leave), "rmcup");
	terminal_screen(enter, leave);
}

static bool
set_up(struct side *s)
{
	/* Unless somebody has chosen one: the terminal's characters. */
	if (strcmp(setlocale(LC_CTYPE, NULL), "C") == 0)
		setlocale(LC_CTYPE, "");
	s->screen = newterm(NULL, stdout, stdin);
	if (s->screen == NULL)
		return false;
	/* Signals are the machine's, which takes them by a descriptor; sizes are looked at. */
	signal(SIGWINCH, SIG_DFL);
	signal(SIGTSTP, SIG_DFL);
	raw();
	noecho();
	nonl();
	nodelay(stdscr, TRUE);
	keypad(stdscr, TRUE);
	intrflush(stdscr, FALSE);
	set_escdelay(SEQUENCE_MS);
	set_up_colors(s);
	s->columns = (unsigned)COLS;
	s->rows = (unsigned)LINES;
	forget_shown(s);
	arrange_ends();
	return true;
}

static void
wait_and_read(struct side *s)
{
	struct curses *c = s->c;
	struct pollfd fds[2] = { { STDIN_FILENO, POLLIN, 0 }, { c->shared.wake_fd, POLLIN, 0 } };
	uint64_t count;

	if (c->shared.gone)
		fds[0].fd = -1;
	if (poll(fds, 2, curses_key_wait(c, &s->input)) <= 0)
		return;
	if (fds[1].revents != 0 && read(c->shared.wake_fd, &count, sizeof(count)) < 0)
		return;
	if (fds[0].revents != 0)
		curses_read_keys(c, &s->input);
	if ((fds[0].revents & (POLLHUP | POLLERR | POLLNVAL)) != 0) {
		pthread_mutex_lock(&c->shared.lock);
		c->shared.gone = true;
		curses_post(c);
		pthread_mutex_unlock(&c->shared.lock);
	}
}

static void
tell(struct curses *c, int progress, const char *reason)
{
	struct curses_shared *s = &c->shared;

	pthread_mutex_lock(&s->lock);
	s->progress = progress;
	snprintf(s->reason, sizeof(s->reason), "%s", reason);
	pthread_cond_broadcast(&s->progressed);
	pthread_mutex_unlock(&s->lock);
}

void *
curses_thread(void *opaque)
{
	struct curses *c = opaque;
	struct side s = { .c = c };
	char reason[160];

	if (!set_up(&s)) {
		const char *term = getenv("TERM");

		snprintf(reason, sizeof(reason), "this terminal is not known here (TERM=%.60s): set TERM, or install its terminfo entry",
			term != NULL ? term : "");
		tell(c, CURSES_FAILED, reason);
		return NULL;
	}
	c->shared.columns = s.columns;
	c->shared.rows = s.rows;
	tell(c, CURSES_UP, "");
	while (take_over(&s))
		wait_and_read(&s);
	curs_set(1);
	endwin();
	delscreen(s.screen);
	free(s.shown);
	free(s.picture.cells);
	tell(c, CURSES_ENDED, "");
	return NULL;
}
