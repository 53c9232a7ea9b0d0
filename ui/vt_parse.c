/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a terminal is sent: characters, controls (ECMA-48, C0), escape and control sequences. */
#include "ui/vt.h"

#include "base/util.h"

#include <stdio.h>

enum { STATE_TEXT, STATE_ESCAPE, STATE_CHARSET, STATE_CONTROL, STATE_IGNORE, STATE_STRING, STATE_STRING_ESCAPE, STATE_HASH };

/* ---- characters ---- */

/* The special graphics of a VT100, from 60h on. */
static const uint16_t drawings[31] = {
	0x25c6, 0x2592, 0x2409, 0x240c, 0x240d, 0x240a, 0x00b0, 0x00b1, 0x2424, 0x240b, 0x2518, 0x2510, 0x250c, 0x2514, 0x253c, 0x23ba,
	0x23bb, 0x2500, 0x23bc, 0x23bd, 0x251c, 0x2524, 0x2534, 0x252c, 0x2502, 0x2264, 0x2265, 0x03c0, 0x2260, 0x00a3, 0x00b7,
};

static void
character(struct vt *t, uint32_t code)
{
	if (t->cursor.drawing[t->cursor.charset] && code >= 0x60 && code < 0x60 + ARRAY_SIZE(drawings))
		code = drawings[code - 0x60];
	vt_put(t, code);
}

static void
tabulate(struct vt *t)
{
	unsigned x = t->cursor.x + 1;

	while (x < t->columns && !t->tabs[x])
		x++;
	vt_move(t, x, t->cursor.y);
}

static void
tabulate_back(struct vt *t)
{
	unsigned x = t->cursor.x;

	while (x > 0 && !t->tabs[--x])
		continue;
	vt_move(t, x, t->cursor.y);
}

static void
control(struct vt *t, uint8_t c)
{
	switch (c) {
	case '\b':
		vt_move(t, t->cursor.x - (t->cursor.x > 0), t->cursor.y);
		break;
	case '\t':
		tabulate(t);
		break;
	case '\n': case '\v': case '\f':
		vt_line_feed(t);
		if (t->line_feed_returns)
			vt_move(t, 0, t->cursor.y);
		break;
	case '\r':
		vt_move(t, 0, t->cursor.y);
		break;
	case 0x0e: case 0x0f:
		t->cursor.charset = c == 0x0e;
		break;
	default:
		break;
	}
}

/* ---- parameters ---- */

static unsigned
parameter(const struct vt *t, unsigned n, unsigned otherwise)
{
	return n < t->parameter_count && t->parameters[n] != 0 ? t->parameters[n] : otherwise;
}

static void
reply(struct vt *t, const char *text)
{
	if (t->reply != NULL)
		t->reply(t->opaque, text, strlen(text));
}

/* ---- colours ---- */

/* The nearest of the 6x6x6 cube's colours. */
static uint8_t
nearest(unsigned r, unsigned g, unsigned b)
{
	unsigned c[3] = { r, g, b };

	for (unsigned i = 0; i < 3; i++)
		c[i] = c[i] < 48 ? 0 : c[i] < 115 ? 1 : (MIN(c[i], 255u) - 35) / 40;
	return (uint8_t)(16 + 36 * c[0] + 6 * c[1] + c[2]);
}

/* 38;5;N and 38;2;R;G;B: the colour's parameters from N on; how many were used. */
static unsigned
extended_color(const struct vt *t, unsigned n, uint8_t *color)
{
	if (parameter(t, n + 1, 0) == 5 && n + 2 < t->parameter_count) {
		*color = (uint8_t)t->parameters[n + 2];
		return 2;
	}
	if (parameter(t, n + 1, 0) == 2 && n + 4 < t->parameter_count) {
		*color = nearest(t->parameters[n + 2], t->parameters[n + 3], t->parameters[n + 4]);
		return 4;
	}
	return t->parameter_count;
}

static void
set_attribute(struct vt_cell *pen, unsigned n)
{
	static const struct { uint8_t n; uint16_t clear, set; } attributes[] = {
		{ 1, 0, VT_BOLD }, { 2, 0, VT_FAINT }, { 4, 0, VT_UNDERLINE }, { 7, 0, VT_INVERSE }, { 8, 0, VT_CONCEALED },
		{ 21, 0, VT_UNDERLINE }, { 22, VT_BOLD | VT_FAINT, 0 }, { 24, VT_UNDERLINE, 0 }, { 27, VT_INVERSE, 0 },
		{ 28, VT_CONCEALED, 0 }, { 39, VT_FORE, 0 }, { 49, VT_BACK, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(attributes); i++)
		if (attributes[i].n == n)
			pen->attr = (pen->attr & ~attributes[i].clear) | attributes[i].set;
	if ((n >= 30 && n < 38) || (n >= 90 && n < 98)) {
		pen->fore = (uint8_t)(n < 90 ? n - 30 : n - 90 + 8);
		pen->attr |= VT_FORE;
	} else if ((n >= 40 && n < 48) || (n >= 100 && n < 108)) {
		pen->back = (uint8_t)(n < 100 ? n - 40 : n - 100 + 8);
		pen->attr |= VT_BACK;
	}
}

static void
set_attributes(struct vt *t)
{
	struct vt_cell *pen = &t->cursor.pen;

	for (unsigned i = 0; i < MAX(t->parameter_count, 1u); i++) {
		unsigned n = parameter(t, i, 0);

		if (n == 0) {
			*pen = (struct vt_cell){ 0 };
		} else if (n == 38) {
			i += extended_color(t, i, &pen->fore);
			pen->attr |= VT_FORE;
		} else if (n == 48) {
			i += extended_color(t, i, &pen->back);
			pen->attr |= VT_BACK;
		} else {
			set_attribute(pen, n);
		}
	}
}

/* ---- modes ---- */

static void
save_cursor(struct vt *t)
{
	t->saved = t->cursor;
}

static void
restore_cursor(struct vt *t)
{
	t->cursor = t->saved;
	vt_move(t, t->cursor.x, t->cursor.y);
}

static void
alternate_with_cursor(struct vt *t, bool on)
{
	if (on && !t->alternate)
		t->saved_main = t->cursor;
	vt_use_alternate(t, on);
	if (!on)
		t->cursor = t->saved_main;
}

static void
private_mode(struct vt *t, unsigned n, bool on)
{
	switch (n) {
	case 1:
		t->cursor_keys = on;
		break;
	case 5:
		t->reversed = on;
		t->changed = true;
		break;
	case 6:
		t->cursor.origin = on;
		vt_move(t, 0, on ? t->top : 0);
		break;
	case 7:
		t->autowrap = on;
		break;
	case 25:
		t->hides_cursor = !on;
		t->changed = true;
		break;
	case 47: case 1047:
		vt_use_alternate(t, on);
		break;
	case 1048:
		(on ? save_cursor : restore_cursor)(t);
		break;
	case 1049:
		alternate_with_cursor(t, on);
		break;
	case 2004:
		t->bracketed_paste = on;
		break;
	default:
		break;
	}
}

static void
set_modes(struct vt *t, bool on)
{
	for (unsigned i = 0; i < t->parameter_count; i++) {
		if (t->private_mark == '?')
			private_mode(t, t->parameters[i], on);
		else if (t->parameters[i] == 4)
			t->insert = on;
		else if (t->parameters[i] == 20)
			t->line_feed_returns = on;
	}
}

/* ---- control sequences ---- */

static void
move_to(struct vt *t, unsigned x, unsigned y)
{
	if (t->cursor.origin)
		y = MIN(y + t->top, t->bottom);
	vt_move(t, x, y);
}

static void
move_by(struct vt *t, int dx, int dy)
{
	int x = (int)t->cursor.x + dx, y = (int)t->cursor.y + dy;
	bool inside = t->cursor.y >= t->top && t->cursor.y <= t->bottom;
	int top = inside ? (int)t->top : 0, bottom = (int)(inside ? t->bottom : t->rows - 1);

	vt_move(t, (unsigned)MAX(x, 0), (unsigned)MIN(MAX(y, top), bottom));
}

static void
erase_display(struct vt *t)
{
	unsigned how = parameter(t, 0, 0), y = t->cursor.y;
	unsigned first = how == 0 ? y + 1 : 0, end = how == 1 ? y : t->rows;

	if (how == 0)
		vt_erase(t, y, t->cursor.x, t->columns);
	if (how == 1)
		vt_erase(t, y, 0, t->cursor.x + 1);
	for (; how <= 2 && first < end; first++)
		vt_erase(t, first, 0, t->columns);
	t->cursor.wraps = false;
}

static void
erase_in_line(struct vt *t)
{
	unsigned how = parameter(t, 0, 0);

	vt_erase(t, t->cursor.y, how == 0 ? t->cursor.x : 0, how == 1 ? t->cursor.x + 1 : t->columns);
	t->cursor.wraps = false;
}

static void
set_region(struct vt *t)
{
	unsigned top = parameter(t, 0, 1), bottom = MIN(parameter(t, 1, t->rows), t->rows);

	if (top >= bottom)
		return;
	t->top = top - 1;
	t->bottom = bottom - 1;
	move_to(t, 0, 0);
}

static void
report(struct vt *t)
{
	char text[32];

	if (parameter(t, 0, 0) == 5) {
		reply(t, "\x1b[0n");
	} else if (parameter(t, 0, 0) == 6) {
		snprintf(text, sizeof(text), "\x1b[%u;%uR", t->cursor.y - (t->cursor.origin ? t->top : 0) + 1, t->cursor.x + 1);
		reply(t, text);
	}
}

static void
clear_tabs(struct vt *t)
{
	if (parameter(t, 0, 0) == 3)
		memset(t->tabs, 0, t->columns * sizeof(*t->tabs));
	else
		t->tabs[t->cursor.x] = false;
}

/* Sequences that move the cursor. */
static bool
motion(struct vt *t, uint8_t c)
{
	int n = (int)MIN(parameter(t, 0, 1), 10000u);

	switch (c) {
	case 'A': move_by(t, 0, -n); break;
	case 'B': case 'e': move_by(t, 0, n); break;
	case 'C': case 'a': move_by(t, n, 0); break;
	case 'D': move_by(t, -n, 0); break;
	case 'E': move_by(t, -(int)t->cursor.x, n); break;
	case 'F': move_by(t, -(int)t->cursor.x, -n); break;
	case 'G': case '`': vt_move(t, (unsigned)n - 1, t->cursor.y); break;
	case 'H': case 'f': move_to(t, parameter(t, 1, 1) - 1, (unsigned)n - 1); break;
	case 'd': move_to(t, t->cursor.x, (unsigned)n - 1); break;
	case 'I':
		for (int i = 0; i < MIN(n, (int)t->columns); i++)
			tabulate(t);
		break;
	case 'Z':
		for (int i = 0; i < MIN(n, (int)t->columns); i++)
			tabulate_back(t);
		break;
	default:
		return false;
	}
	return true;
}

/* Sequences that change what stands there. */
static bool
edit(struct vt *t, uint8_t c)
{
	int n = (int)MIN(parameter(t, 0, 1), 10000u);

	switch (c) {
	case 'J': erase_display(t); break;
	case 'K': erase_in_line(t); break;
	case 'L': vt_scroll(t, t->cursor.y, -n); break;
	case 'M': vt_scroll(t, t->cursor.y, n); break;
	case 'P': vt_shift(t, -n); break;
	case '@': vt_shift(t, n); break;
	case 'S': vt_scroll(t, t->top, n); break;
	case 'T': vt_scroll(t, t->top, -n); break;
	case 'X': vt_erase(t, t->cursor.y, t->cursor.x, t->cursor.x + (unsigned)n); break;
	case 'b':
		for (int i = 0; i < MIN(n, (int)t->columns) && t->last != 0; i++)
			vt_put(t, t->last);
		break;
	default:
		return false;
	}
	return true;
}

static void
sequence(struct vt *t, uint8_t c)
{
	if (t->intermediate != 0) {
		if (t->intermediate == '!' && c == 'p')
			vt_reset(t);
		return;
	}
	if (c == 'h' || c == 'l') {
		set_modes(t, c == 'h');
		return;
	}
	if (c == 'c' && t->private_mark != '?') {
		reply(t, t->private_mark == '>' ? "\x1b[>1;10;0c" : "\x1b[?1;2c");
		return;
	}
	if (t->private_mark != 0 || motion(t, c) || edit(t, c))
		return;
	switch (c) {
	case 'm': set_attributes(t); break;
	case 'r': set_region(t); break;
	case 'n': report(t); break;
	case 'g': clear_tabs(t); break;
	case 's': save_cursor(t); break;
	case 'u': restore_cursor(t); break;
	default: break;
	}
}

/* ---- escape sequences ---- */

static void
begin_control(struct vt *t)
{
	memset(t->parameters, 0, sizeof(t->parameters));
	t->parameter_count = 0;
	t->intermediate = t->private_mark = 0;
	t->state = STATE_CONTROL;
}

static void
escape(struct vt *t, uint8_t c)
{
	t->state = STATE_TEXT;
	switch (c) {
	case '[': begin_control(t); break;
	case ']': case 'P': case 'X': case '^': case '_': t->state = STATE_STRING; break;
	case '(': case ')':
		t->intermediate = c == ')';
		t->state = STATE_CHARSET;
		break;
	case '*': case '+': case '%': case ' ': t->state = STATE_IGNORE; break;
	case '#': t->state = STATE_HASH; break;
	case '7': save_cursor(t); break;
	case '8': restore_cursor(t); break;
	case 'D': vt_line_feed(t); break;
	case 'E':
		vt_line_feed(t);
		vt_move(t, 0, t->cursor.y);
		break;
	case 'M': vt_reverse_line_feed(t); break;
	case 'H': t->tabs[t->cursor.x] = true; break;
	case 'Z': reply(t, "\x1b[?1;2c"); break;
	case 'c': vt_reset(t); break;
	default: break;
	}
}

/* DECALN fills the screen with Es. */
static void
hash(struct vt *t, uint8_t c)
{
	t->state = STATE_TEXT;
	if (c != '8')
		return;
	for (unsigned y = 0; y < t->rows; y++) {
		vt_erase(t, y, 0, t->columns);
		for (unsigned x = 0; x < t->columns; x++)
			t->screen[y].cells[x].code = 'E';
	}
	vt_move(t, 0, 0);
}

static void
control_sequence(struct vt *t, uint8_t c)
{
	if (c >= '0' && c <= '9') {
		if (t->parameter_count == 0)
			t->parameter_count = 1;
		uint16_t *p = &t->parameters[t->parameter_count - 1];
		*p = (uint16_t)MIN(*p * 10u + (c - '0'), 65535u);
	} else if (c == ';' || c == ':') {
		t->parameter_count = MIN(MAX(t->parameter_count, 1u) + 1, (unsigned)VT_PARAMETERS);
		t->parameters[t->parameter_count - 1] = 0;
	} else if (c >= '<' && c <= '?') {
		t->private_mark = c;
	} else if (c >= ' ' && c < '0') {
		t->intermediate = c;
	} else {
		t->state = STATE_TEXT;
		if (c >= '@' && c < 0x7f)
			sequence(t, c);
	}
}

/* ---- bytes ---- */

/* A string for titles and the like ends with BEL or ESC \; nothing of it is of use here. */
static void
string_byte(struct vt *t, uint8_t c)
{
	if (t->state == STATE_STRING_ESCAPE && c != '\\') {
		escape(t, c);
		return;
	}
	if (c == 0x1b)
		t->state = STATE_STRING_ESCAPE;
	else if (c == '\a' || t->state == STATE_STRING_ESCAPE || c == 0x18 || c == 0x1a)
		t->state = STATE_TEXT;
}

static void
text_byte(struct vt *t, uint8_t c)
{
	static const struct { uint8_t first, end, left; uint32_t least; } leads[] = {
		{ 0xc2, 0xe0, 1, 0x80 }, { 0xe0, 0xf0, 2, 0x800 }, { 0xf0, 0xf5, 3, 0x10000 },
	};

	if (t->utf8_left != 0 && (c & 0xc0) == 0x80) {
		t->utf8 = t->utf8 << 6 | (c & 0x3f);
		if (--t->utf8_left == 0)
			character(t, t->utf8 >= t->utf8_least && t->utf8 <= 0x10ffff ? t->utf8 : 0xfffd);
		return;
	}
	if (t->utf8_left != 0)
		character(t, 0xfffd);
	t->utf8_left = 0;
	if (c < 0x80) {
		if (c != 0x7f)
			character(t, c);
		return;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(leads); i++) {
		if (c >= leads[i].first && c < leads[i].end) {
			t->utf8 = c & (0x3fu >> leads[i].left);
			t->utf8_left = leads[i].left;
			t->utf8_least = leads[i].least;
			return;
		}
	}
	character(t, 0xfffd);
}

static void
byte(struct vt *t, uint8_t c)
{
	if (t->state == STATE_STRING || t->state == STATE_STRING_ESCAPE) {
		string_byte(t, c);
		return;
	}
	if (c == 0x1b) {
		t->state = STATE_ESCAPE;
		t->utf8_left = 0;
		return;
	}
	if (c == 0x18 || c == 0x1a) {
		t->state = STATE_TEXT;
		return;
	}
	if (c < ' ') {
		t->utf8_left = 0;
		control(t, c);
		return;
	}
	switch (t->state) {
	case STATE_ESCAPE: escape(t, c); break;
	case STATE_CONTROL: control_sequence(t, c); break;
	case STATE_HASH: hash(t, c); break;
	case STATE_CHARSET:
		t->cursor.drawing[t->intermediate] = c == '0';
		t->state = STATE_TEXT;
		break;
	case STATE_IGNORE: t->state = STATE_TEXT; break;
	default: text_byte(t, c); break;
	}
}

void
vt_write(struct vt *t, const void *data, size_t len)
{
	const uint8_t *p = data;

	for (size_t i = 0; i < len; i++)
		byte(t, p[i]);
}
