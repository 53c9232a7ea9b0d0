/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ui/: what the window is made of, without a window: terminals, text consoles, keys, layouts, the start window's list. */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "ui/console.h"
#include "ui/font.h"
#include "ui/start.h"
#include "ui/utf8.h"
#include "ui/vt.h"
#include "ui/window.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* ---- terminals ---- */

enum { COLUMNS = 20, ROWS = 4 };

static char replies[256];

static void
keep_reply(void *opaque, const char *text, size_t len)
{
	(void)opaque;
	strncat(replies, text, len);
}

/* The screen's lines without the blanks at their ends, with | between. */
static void
screen_text(const struct vt *t, char *to)
{
	for (unsigned y = 0; y < t->rows; y++) {
		char *end = to;

		for (unsigned x = 0; x < t->columns; x++) {
			const struct vt_cell *c = &t->screen[y].cells[x];

			if ((c->attr & VT_TAIL) != 0)
				continue;
			to += utf8_put(to, c->code != 0 ? c->code : ' ');
			if (c->code > ' ')
				end = to;
		}
		to = end;
		if (y + 1 < t->rows)
			*to++ = '|';
	}
	*to = '\0';
}

/* As ECMA-48, the VT100's user guide and "XTerm Control Sequences" have it. */
static const struct { const char *sent, *screen; unsigned x, y; const char *replies; } terminals[] = {
	{ "hello\r\nworld", "hello|world||", 5, 1, "" },
	{ "01234567890123456789", "01234567890123456789|||", 19, 0, "" },
	{ "01234567890123456789x", "01234567890123456789|x||", 1, 1, "" },
	{ "\x1b[?7l01234567890123456789xyz", "0123456789012345678z|||", 19, 0, "" },
	{ "a\r\nb\r\nc\r\nd\r\ne", "b|c|d|e", 1, 3, "" },
	{ "a\tb\b\bc", "a      cb|||", 8, 0, "" },
	{ "\x1b[2;3Hx\x1b[Ay\x1b[2Dz", "  zy|  x||", 3, 0, "" },
	{ "abcdef\x1b[3D\x1b[K", "abc|||", 3, 0, "" },
	{ "abcdef\x1b[3D\x1b[1K", "    ef|||", 3, 0, "" },
	{ "abc\x1b[2J", "|||", 3, 0, "" },
	{ "a\r\nb\r\nc\x1b[2;1H\x1b[J", "a|||", 0, 1, "" },
	{ "a\r\nb\r\nc\x1b[2;1H\x1b[1J", "||c|", 0, 1, "" },
	{ "a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[3;1H\nx", "a|c|x|d", 1, 2, "" },
	{ "a\r\nb\r\nc\r\nd\x1b[2;3r\x1b[2;1H\x1bMx", "a|x|b|d", 1, 1, "" },
	{ "a\r\nb\r\nc\r\nd\x1b[2;1H\x1b[L", "a||b|c", 0, 1, "" },
	{ "a\r\nb\r\nc\r\nd\x1b[2;1H\x1b[2M", "a|d||", 0, 1, "" },
	{ "abcdef\x1b[1;2H\x1b[2P", "adef|||", 1, 0, "" },
	{ "abcdef\x1b[1;2H\x1b[2@", "a  bcdef|||", 1, 0, "" },
	{ "abcdef\x1b[1;2H\x1b[3X", "a   ef|||", 1, 0, "" },
	{ "abc\x1b[1;2H\x1b[4hX\x1b[4lY", "aXYc|||", 3, 0, "" },
	{ "a\x1b[3bz", "aaaaz|||", 5, 0, "" },
	{ "\x1b[6n\x1b[3;4H\x1b[6n\x1b[5n\x1b[c", "|||", 3, 2, "\x1b[1;1R\x1b[3;4R\x1b[0n\x1b[?1;2c" },
	{ "\x1b(0lqk\x1b(Bq", "\xe2\x94\x8c\xe2\x94\x80\xe2\x94\x90q|||", 4, 0, "" },
	{ "\xc3\xa9\xe4\xb8\xad\xe6\x96\x87z", "\xc3\xa9\xe4\xb8\xad\xe6\x96\x87z|||", 6, 0, "" },
	{ "e\xcc\x81x", "ex|||", 2, 0, "" },
	{ "\xff\xc3z\xe4\xb8z", "\xef\xbf\xbd\xef\xbf\xbdz\xef\xbf\xbdz|||", 5, 0, "" },
	{ "0123456789012345678\xe4\xb8\xad", "0123456789012345678|\xe4\xb8\xad||", 2, 1, "" },
	{ "\xe4\xb8\xad\x1b[1;2Hx", " x|||", 2, 0, "" },
	{ "main\x1b[?1049hother\x1b[?1049l", "main|||", 4, 0, "" },
	{ "\x1b]0;a title\x07x\x1b]2;another\x1b\\y\x1bPq#1\x1b\\z", "xyz|||", 3, 0, "" },
	{ "\x1b[31;1;4mred\x1b[0m\x1b[38;5;200mx\x1b[48;2;1;2;3my", "redxy|||", 5, 0, "" },
	{ "abc\x1b" "7\r\nx\x1b" "8d", "abcd|x||", 4, 0, "" },
	{ "\x1b[99999;99999Hx\x1b[99999A\x1b[99999D\x1b[99999By", "|||y                  x", 1, 3, "" },
	{ "\x1b[2;3r\x1b[?6h\x1b[1;1Ho\x1b[9;1Hp", "|o|p|", 1, 2, "" },
	{ "\x1b[1;2;3;4;5;6;7;8;9;10;11;12;13;14;15;16;17;18;19mz\x1b[;;Hy", "y|||", 1, 0, "" },
	{ "abc\x1b" "cd", "d|||", 1, 0, "" },
	{ "\x1b#8\x1b[2;2H\x1b[J", "EEEEEEEEEEEEEEEEEEEE|E||", 1, 1, "" },
	{ "\x1b[3g\x1b[1;5H\x1bH\r\tx", "    x|||", 5, 0, "" },
	{ "a\x18\x1b[3\x18z", "az|||", 2, 0, "" },
};

START_TEST(terminal_row)
{
	struct vt *t = vt_new(COLUMNS, ROWS, keep_reply, NULL);
	char text[4 * COLUMNS * ROWS + ROWS];

	replies[0] = '\0';
	/* Byte by byte is how a serial port sends. */
	for (const char *p = terminals[_i].sent; *p != '\0'; p++)
		vt_write(t, p, 1);
	screen_text(t, text);
	ck_assert_str_eq(text, terminals[_i].screen);
	ck_assert_uint_eq(t->cursor.x, terminals[_i].x);
	ck_assert_uint_eq(t->cursor.y, terminals[_i].y);
	ck_assert_str_eq(replies, terminals[_i].replies);
	vt_free(t);
}
END_TEST

/* Whatever is sent, and whatever size the window gets meanwhile. */
START_TEST(terminal_random)
{
	static const char bits[] = "\x1b[;?0123456789ABCDHJKLMPSTX@rhlmnbdgcZ\x0e\x0f\t\b\r\n\xe4\xb8\xad\xc3\xa9(0)#8]78M ";
	struct vt *t = vt_new(COLUMNS, ROWS, NULL, NULL);
	uint32_t seed = 1 + (uint32_t)_i;

	for (unsigned i = 0; i < 300000; i++) {
		seed = seed * 1664525 + 1013904223;
		char c = (seed >> 8 & 7) == 0 ? (char)(seed >> 16) : bits[(seed >> 16) % (sizeof(bits) - 1)];

		vt_write(t, &c, 1);
		if (i % 1000 == 0)
			vt_resize(t, 1 + (seed >> 12) % 120, (seed >> 20) % 50);
		ck_assert_uint_lt(t->cursor.x, t->columns);
		ck_assert_uint_lt(t->cursor.y, t->rows);
	}
	ck_assert_uint_le(t->history_count, VT_HISTORY);
	vt_free(t);
}
END_TEST

START_TEST(terminal_history)
{
	struct vt *t = vt_new(COLUMNS, ROWS, NULL, NULL);
	char line[32];

	for (unsigned i = 0; i < VT_HISTORY + 100; i++)
		vt_write(t, line, (size_t)snprintf(line, sizeof(line), "%u\r\n", i));
	ck_assert_uint_eq(t->history_count, VT_HISTORY);
	ck_assert_uint_eq(t->scrolled, VT_HISTORY + 100 - (ROWS - 1));
	ck_assert_ptr_null(vt_line(t, t->scrolled - VT_HISTORY - 1));
	ck_assert_uint_eq(vt_line(t, t->scrolled - 1)->cells[0].code, '5');
	ck_assert_ptr_null(vt_line(t, t->scrolled + ROWS));
	/* A lower window loses nothing: what is above goes into the history. */
	vt_resize(t, COLUMNS, ROWS * 2);
	vt_resize(t, COLUMNS, ROWS);
	ck_assert_uint_eq(t->history_count, VT_HISTORY);
	vt_free(t);
}
END_TEST

/* ---- text consoles ---- */

static struct clock *clk;
static struct loop *loop;
static char got[4096];
static size_t room;

static size_t
can_receive(void *opaque)
{
	(void)opaque;
	return room;
}

static void
receive(void *opaque, const uint8_t *data, size_t len)
{
	(void)opaque;
	ck_assert_uint_le(len, room);
	strncat(got, (const char *)data, len);
	room -= len;
}

static struct console *
open_console(const char *size)
{
	struct chr_user user = { NULL, can_receive, receive, NULL };
	struct err e = { "" };
	struct console *c;

	clk = clock_new(true);
	loop = loop_new(clk);
	c = console_new(loop, "serial0", size, &e);
	ck_assert_msg(c != NULL, "%s", e.text);
	got[0] = '\0';
	room = 4000;
	chr_attach(console_chr(c), &user);
	return c;
}

static void
close_console(struct console *c)
{
	chr_close(console_chr(c));
	loop_free(loop);
	clock_free(clk);
}

static void
say(struct console *c, const char *text)
{
	ck_assert_uint_eq(chr_write(console_chr(c), text, strlen(text)), strlen(text));
}

static struct rect damage;

static void
note_damage(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	(void)opaque;
	damage = rect_union(damage, (struct rect){ x, y, w, h });
}

START_TEST(console_picture)
{
	struct console *c = open_console("40Cx5C");
	struct display *d = console_display(c);
	struct display_viewer viewer = { .damage = note_damage };
	const struct surface *s;

	display_add_viewer(d, &viewer);
	s = d->update(d->opaque);
	ck_assert_uint_eq(s->width, 40 * FONT_WIDTH);
	ck_assert_uint_eq(s->height, 5 * FONT_HEIGHT);
	damage = (struct rect){ 0 };
	d->update(d->opaque);
	ck_assert_uint_eq(damage.w, 0);
	/* The cell with the letter, and the cursor behind it. */
	say(c, "A");
	d->update(d->opaque);
	ck_assert_uint_eq(damage.x, 0);
	ck_assert_uint_eq(damage.w, 2 * FONT_WIDTH);
	ck_assert_uint_eq(damage.h, FONT_HEIGHT);
	ck_assert_uint_eq(s->pixels[FONT_WIDTH], 0xd8d8d8);
	say(c, "\x1b[2;1H\x1b[41m \x1b[m");
	s = d->update(d->opaque);
	ck_assert_uint_eq(s->pixels[FONT_HEIGHT * s->width], 0xcd3131);
	display_remove_viewer(d, &viewer);
	close_console(c);
}
END_TEST

START_TEST(console_selecting)
{
	static const struct { enum select_how how; int x, y, to_x, to_y; const char *text; } rows[] = {
		{ SELECT_FROM, 0, 0, 4, 0, "hello" },
		{ SELECT_FROM, 4, 0, 0, 0, "hello" },
		{ SELECT_FROM, 6, 0, 2, 1, "w\xc3\xb6rld\nsec" },
		{ SELECT_WORD, 8, 0, -1, 0, "w\xc3\xb6rld" },
		{ SELECT_LINE, 3, 1, -1, 0, "second line" },
		{ SELECT_FROM, 35, 2, 3, 3, "56789abcd" },
	};
	struct console *c = open_console("40Cx5C");

	say(c, "hello w\xc3\xb6rld\r\nsecond line\r\n0123456789012345678901234567890123456789" "abcdef\r\n");
	ck_assert_ptr_null(console_selection(c));
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		char *text;

		console_select(c, rows[i].how, rows[i].x * FONT_WIDTH, rows[i].y * FONT_HEIGHT);
		if (rows[i].to_x >= 0)
			console_select(c, SELECT_TO, rows[i].to_x * FONT_WIDTH, rows[i].to_y * FONT_HEIGHT);
		text = console_selection(c);
		ck_assert_ptr_nonnull(text);
		ck_assert_str_eq(text, rows[i].text);
		free(text);
	}
	console_type(c, "x", 1);
	ck_assert_ptr_null(console_selection(c));
	close_console(c);
}
END_TEST

START_TEST(console_typing)
{
	struct console *c = open_console(NULL);

	console_type(c, "ls\r", 3);
	console_key(c, CONSOLE_UP, 0);
	console_key(c, CONSOLE_UP, CONSOLE_CTRL);
	console_key(c, CONSOLE_DELETE, 0);
	console_key(c, CONSOLE_F1, 0);
	console_key(c, CONSOLE_F12, CONSOLE_SHIFT);
	ck_assert_str_eq(got, "ls\r\x1b[A\x1b[1;5A\x1b[3~\x1bOP\x1b[24;2~");
	got[0] = '\0';
	say(c, "\x1b[?1h");
	console_key(c, CONSOLE_UP, 0);
	console_paste(c, "a\nb\r\nc\x1b");
	say(c, "\x1b[?2004h");
	console_paste(c, "d");
	ck_assert_str_eq(got, "\x1bOAa\rb\rc\x1b[200~d\x1b[201~");
	/* What the user does not take waits. */
	got[0] = '\0';
	room = 2;
	console_type(c, "12345", 5);
	ck_assert_str_eq(got, "12");
	room = 10;
	chr_accept(console_chr(c));
	ck_assert_str_eq(got, "12345");
	close_console(c);
}
END_TEST

START_TEST(console_sizes)
{
	static const char *const wrong[] = { "x", "80x", "80Cx25Cx", "0x0", "4000000000Cx25C", "99999x99999", "-1Cx-1C", "80C" };
	struct err e = { "" };

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		ck_assert_ptr_null(console_new(NULL, "vc", wrong[i], &e));
	struct console *c = open_console("640x400");
	ck_assert_uint_eq(console_display(c)->update(c)->width, 640);
	close_console(c);
}
END_TEST

/* ---- keys ---- */

/* "USB HID to PS/2 Scan Code Translation Table": usage, set 1.  SDL's numbers are the usages. */
START_TEST(key_codes)
{
	static const struct { unsigned usage, code; } rows[] = {
		{ 0x04, 0x1e }, { 0x1d, 0x2c }, { 0x1e, 0x02 }, { 0x27, 0x0b }, { 0x28, 0x1c }, { 0x29, 0x01 }, { 0x2a, 0x0e },
		{ 0x2b, 0x0f }, { 0x2c, 0x39 }, { 0x31, 0x2b }, { 0x39, 0x3a }, { 0x3a, 0x3b }, { 0x45, 0x58 }, { 0x46, 0xe037 },
		{ 0x47, 0x46 }, { 0x48, 0xe11d }, { 0x49, 0xe052 }, { 0x4a, 0xe047 }, { 0x4b, 0xe049 }, { 0x4c, 0xe053 },
		{ 0x4d, 0xe04f }, { 0x4e, 0xe051 }, { 0x4f, 0xe04d }, { 0x50, 0xe04b }, { 0x51, 0xe050 }, { 0x52, 0xe048 },
		{ 0x53, 0x45 }, { 0x54, 0xe035 }, { 0x55, 0x37 }, { 0x56, 0x4a }, { 0x57, 0x4e }, { 0x58, 0xe01c }, { 0x59, 0x4f },
		{ 0x62, 0x52 }, { 0x63, 0x53 }, { 0x64, 0x56 }, { 0x65, 0xe05d }, { 0x66, 0xe05e }, { 0x67, 0x59 }, { 0x68, 0x64 },
		{ 0x72, 0x6e }, { 0x73, 0x76 }, { 0x85, 0x7e }, { 0x87, 0x73 }, { 0x88, 0x70 }, { 0x89, 0x7d }, { 0x8a, 0x79 },
		{ 0x8b, 0x7b }, { 0x8c, 0x5c }, { 0x90, 0x72 }, { 0x91, 0x71 }, { 0x92, 0x78 }, { 0x93, 0x77 }, { 0xe0, 0x1d },
		{ 0xe1, 0x2a }, { 0xe2, 0x38 }, { 0xe3, 0xe05b }, { 0xe4, 0xe01d }, { 0xe5, 0x36 }, { 0xe6, 0xe038 }, { 0xe7, 0xe05c },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		ck_assert_msg(window_scancode((SDL_Scancode)rows[i].usage) == rows[i].code, "usage %x: %x, not %x", rows[i].usage,
			window_scancode((SDL_Scancode)rows[i].usage), rows[i].code);
	/* Every key of a keyboard with 105 keys, and of a Japanese or Brazilian one, has a code. */
	for (unsigned usage = 0x04; usage <= 0x73; usage++)
		ck_assert_msg(window_scancode((SDL_Scancode)usage) != 0, "usage %x has no code", usage);
	ck_assert_uint_eq(window_scancode(SDL_SCANCODE_UNKNOWN), 0);
	ck_assert_uint_eq(window_scancode(SDL_NUM_SCANCODES), 0);
}
END_TEST

/* Keys as they are labelled on such keyboards. */
START_TEST(layout_row)
{
	static const struct { const char *layout; uint32_t code; unsigned count; struct stroke strokes[2]; } rows[] = {
		{ "en-us", 'a', 1, { { { 0x1e }, 1 } } },
		{ "en-us", 'A', 1, { { { 0x2a, 0x1e }, 2 } } },
		{ "en-us", '\n', 1, { { { 0x1c }, 1 } } },
		{ "en-us", '~', 1, { { { 0x2a, 0x29 }, 2 } } },
		{ "en-us", 0xe9, 0, { { { 0 }, 0 } } },
		{ "en-gb", '#', 1, { { { 0x2b }, 1 } } },
		{ "en-gb", 0x20ac, 1, { { { 0xe038, 0x05 }, 2 } } },
		{ "de", 'z', 1, { { { 0x15 }, 1 } } },
		{ "de", '@', 1, { { { 0xe038, 0x10 }, 2 } } },
		{ "de", '\\', 1, { { { 0xe038, 0x0c }, 2 } } },
		{ "de", 0xdf, 1, { { { 0x0c }, 1 } } },
		{ "de", '^', 2, { { { 0x29 }, 1 }, { { 0x39 }, 1 } } },
		{ "de", 0xe9, 2, { { { 0x0d }, 1 }, { { 0x12 }, 1 } } },
		{ "de", '`', 2, { { { 0x2a, 0x0d }, 2 }, { { 0x39 }, 1 } } },
		{ "fr", 'a', 1, { { { 0x10 }, 1 } } },
		{ "fr", '1', 1, { { { 0x2a, 0x02 }, 2 } } },
		{ "fr", 0xea, 2, { { { 0x1a }, 1 }, { { 0x12 }, 1 } } },
		{ "es", 0xf1, 1, { { { 0x27 }, 1 } } },
		{ "ru", 0x0444, 1, { { { 0x1e }, 1 } } },
		{ "tr", 'i', 1, { { { 0x28 }, 1 } } },
		{ "pl", 0x0142, 1, { { { 0xe038, 0x26 }, 2 } } },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct stroke s[LAYOUT_STROKES] = { { { 0 }, 0 } };
		unsigned n = layout_strokes(layout_find(rows[i].layout), rows[i].code, s);

		ck_assert_msg(n == rows[i].count, "%s, %x: %u strokes", rows[i].layout, rows[i].code, n);
		for (unsigned j = 0; j < n; j++) {
			ck_assert_msg(s[j].count == rows[i].strokes[j].count, "%s, %x", rows[i].layout, rows[i].code);
			for (unsigned k = 0; k < s[j].count; k++)
				ck_assert_msg(s[j].keys[k] == rows[i].strokes[j].keys[k], "%s, %x", rows[i].layout, rows[i].code);
		}
	}
	ck_assert_ptr_null(layout_find("xx"));
}
END_TEST

static void
check_layout(void *opaque, const char *name)
{
	const struct layout *l = layout_find(name);
	struct stroke s[LAYOUT_STROKES];

	(void)opaque;
	/* Every layout has the digits; a Latin one all of ASCII. */
	for (uint32_t code = ' '; code < 0x7f; code++) {
		bool latin = strcmp(name, "ru") != 0;

		if (latin || (code >= '0' && code <= '9'))
			ck_assert_msg(layout_strokes(l, code, s) != 0, "%s has no '%c'", name, (int)code);
	}
}

START_TEST(layouts)
{
	layout_walk(check_layout, NULL);
}
END_TEST

/* ---- the start window's list ---- */

static void
touch(const char *folder, const char *name)
{
	char *path = xasprintf("%s/%s", folder, name);
	FILE *f = fopen(path, "w");

	ck_assert_ptr_nonnull(f);
	fclose(f);
	free(path);
}

static void
list_names(const struct start_list *l, char *to)
{
	*to = '\0';
	for (unsigned i = 0; i < l->count; i++)
		to += sprintf(to, "%c%s ", "rdf"[l->entries[i].kind], l->entries[i].name);
}

START_TEST(start_lists)
{
	static const char *const started[] = { "b.iso", "A.QCOW2", "b.iso", "gone.iso" };
	char dir[] = "/tmp/test_window.XXXXXX", names[512], *sub, *state;
	struct start_list l = { 0 };
	struct start_choice c = { .memory_mib = 512, .network = true };

	ck_assert_ptr_nonnull(mkdtemp(dir));
	state = xasprintf("%s/state", dir);
	sub = xasprintf("%s/Folder", dir);
	ck_assert_int_eq(setenv("XDG_STATE_HOME", state, 1), 0);
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	touch(dir, "b.iso");
	touch(dir, "A.QCOW2");
	touch(dir, "notes.txt");
	touch(dir, ".hidden.iso");
	start_list_read(&l, dir, "");
	list_names(&l, names);
	ck_assert_str_eq(names, "d.. dFolder fA.QCOW2 fb.iso ");
	start_list_read(&l, dir, "OTE");
	list_names(&l, names);
	ck_assert_str_eq(names, "d.. fnotes.txt ");
	/* The latest first, each once, and only what is still there. */
	for (unsigned i = 0; i < ARRAY_SIZE(started); i++) {
		c.image = xasprintf("%s/%s", dir, started[i]);
		start_remember(&c);
		free(c.image);
	}
	start_list_read(&l, sub, "");
	list_names(&l, names);
	ck_assert_str_eq(names, "rb.iso rA.QCOW2 d.. ");
	ck_assert_uint_eq(l.entries[0].memory_mib, 512);
	start_list_read(&l, "/nonexistent", "");
	ck_assert_ptr_nonnull(l.problem);
	start_list_free(&l);
	sprintf(names, "rm -r %s", dir);
	ck_assert_int_eq(system(names), 0);
	free(sub);
	free(state);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("window");
	TCase *t = tcase_create("window");
	SRunner *r;
	int failed;

	tcase_add_loop_test(t, terminal_row, 0, ARRAY_SIZE(terminals));
	tcase_add_loop_test(t, terminal_random, 0, 4);
	tcase_add_test(t, terminal_history);
	tcase_add_test(t, console_picture);
	tcase_add_test(t, console_selecting);
	tcase_add_test(t, console_typing);
	tcase_add_test(t, console_sizes);
	tcase_add_test(t, key_codes);
	tcase_add_test(t, layout_row);
	tcase_add_test(t, layouts);
	tcase_add_test(t, start_lists);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
