/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The screen in a terminal: a process on a pseudo terminal draws for a terminal of our own (ui/vt.c), which says what is to be
 * seen there, and gets keys from it.  First a display and a keyboard of the test's, then the whole program.
 */
#define _GNU_SOURCE /* ptsname_r */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "tests/check_main.h"
#include "ui/ui.h"
#include "ui/utf8.h"
#include "ui/vt.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

enum { COLUMNS = 80, ROWS = 25, PATIENCE_S = 50 };

/* ---- the terminal ---- */

static struct {
	int master, keys;       /* KEYS: what the guest's keyboard gets, in words */
	pid_t child;
	struct vt *vt;
	char heard[8192];
	size_t heard_length;
	struct termios before;
} t;

static void
answer(void *opaque, const char *text, size_t length)
{
	(void)opaque;
	ck_assert_int_eq(write(t.master, text, length), (ssize_t)length);
}

static void
set_size(unsigned columns, unsigned rows)
{
	struct winsize size = { .ws_col = (unsigned short)columns, .ws_row = (unsigned short)rows };

	ck_assert_int_eq(ioctl(t.master, TIOCSWINSZ, &size), 0);
	vt_resize(t.vt, columns, rows);
}

/* In the child: the pseudo terminal is its terminal, and standard input and output. */
static void
take_terminal(const char *name)
{
	int fd;

	setsid();
	fd = open(name, O_RDWR);
	if (fd < 0 || ioctl(fd, TIOCSCTTY, 0) != 0)
		_exit(99);
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	setenv("TERM", "xterm-256color", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
	unsetenv("LINES");
	unsetenv("COLUMNS");
}

static void
start(int (*run)(int keys))
{
	char name[64];
	int keys[2];

	t.master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(t.master, 0);
	ck_assert_int_eq(grantpt(t.master) | unlockpt(t.master) | ptsname_r(t.master, name, sizeof(name)), 0);
	ck_assert_int_eq(pipe(keys), 0);
	t.vt = vt_new(COLUMNS, ROWS, answer, NULL);
	set_size(COLUMNS, ROWS);
	ck_assert_int_eq(tcgetattr(t.master, &t.before), 0);
	t.heard_length = 0;
	t.child = fork();
	if (t.child == 0) {
		take_terminal(name);
		close(t.master);
		close(keys[0]);
		_exit(run(keys[1]));
	}
	close(keys[1]);
	t.keys = keys[0];
}

/* Takes what comes within a moment; false: the child has closed the terminal. */
static bool
listen_once(void)
{
	struct pollfd fds[2] = { { t.master, POLLIN, 0 }, { t.keys, POLLIN, 0 } };
	char some[4096];
	ssize_t n;

	poll(fds, 2, 20);
	if ((fds[1].revents & POLLIN) != 0) {
		n = read(t.keys, t.heard + t.heard_length, sizeof(t.heard) - 1 - t.heard_length);
		t.heard_length += n > 0 ? (size_t)n : 0;
		t.heard[t.heard_length] = '\0';
	}
	if (fds[0].revents == 0)
		return true;
	n = read(t.master, some, sizeof(some));
	if (n > 0)
		vt_write(t.vt, some, (size_t)n);
	return n > 0;
}

static char *
row_text(unsigned y)
{
	static char text[4 * VT_MOST_COLUMNS + 1];
	char *to = text, *end = text;

	for (unsigned x = 0; y < t.vt->rows && x < t.vt->columns; x++) {
		const struct vt_cell *c = &t.vt->screen[y].cells[x];

		if ((c->attr & VT_TAIL) != 0)
			continue;
		to += utf8_put(to, c->code != 0 ? c->code : ' ');
		if (c->code > ' ')
			end = to;
	}
	*end = '\0';
	return text;
}

static bool
sees(const char *text)
{
	for (unsigned y = 0; y < t.vt->rows; y++)
		if (strstr(row_text(y), text) != NULL)
			return true;
	return false;
}

static bool
sees_nothing(const char *text)
{
	return !sees(text);
}

static bool
has_heard(const char *text)
{
	return strcmp(t.heard, text) == 0;
}

static bool
has_cursor_at(const char *where)
{
	unsigned x, y;

	ck_assert_int_eq(sscanf(where, "%u,%u", &x, &y), 2);
	return !t.vt->hides_cursor && t.vt->cursor.x == x && t.vt->cursor.y == y;
}

/* Is something written in that row, up to that column? */
static bool
row_ends(const char *where)
{
	unsigned y, x;

	ck_assert_int_eq(sscanf(where, "%u,%u", &y, &x), 2);
	return t.vt->screen[y].cells[x].code > ' ';
}

static bool
hides_cursor(const char *unused)
{
	(void)unused;
	return t.vt->hides_cursor;
}

static void
print_screen(void)
{
	fprintf(stderr, "heard '%s', cursor %u,%u%s\n", t.heard, t.vt->cursor.x, t.vt->cursor.y, t.vt->hides_cursor ? " hidden" : "");
	for (unsigned y = 0; y < t.vt->rows; y++)
		fprintf(stderr, "|%s\n", row_text(y));
}

/* Until IS(WHAT), however long a busy host takes. */
static void
await(bool (*is)(const char *what), const char *what)
{
	struct timespec now, end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += PATIENCE_S;
	while (!is(what)) {
		clock_gettime(CLOCK_MONOTONIC, &now);
		if (!listen_once() || now.tv_sec > end.tv_sec) {
			print_screen();
			ck_abort_msg("'%s' doesn't come", what);
		}
	}
}

static void
type(const char *text)
{
	t.heard_length = 0;
	t.heard[0] = '\0';
	ck_assert_int_eq(write(t.master, text, strlen(text)), (ssize_t)strlen(text));
}

/* The child's end: as STATUS of waitpid(), with the terminal as it was before. */
static void
await_end(int wanted)
{
	struct termios after;
	int status = 0;

	while (listen_once())
		;
	ck_assert_int_eq(waitpid(t.child, &status, 0), t.child);
	ck_assert_int_eq(WIFSIGNALED(status) ? WTERMSIG(status) : status, wanted);
	ck_assert(!t.vt->alternate);
	ck_assert(!t.vt->hides_cursor);
	ck_assert_int_eq(tcgetattr(t.master, &after), 0);
	ck_assert_uint_eq(after.c_lflag, t.before.c_lflag);
	ck_assert_uint_eq(after.c_iflag, t.before.c_iflag);
	ck_assert_uint_eq(after.c_oflag, t.before.c_oflag);
	close(t.master);
	close(t.keys);
	vt_free(t.vt);
}

/* ---- a display and a keyboard of the test's: function keys choose what the display shows ---- */

static struct {
	struct loop *loop;
	struct display display;
	struct input input;
	uint16_t cells[132 * 60];
	struct display_text text;
	int keys;
} guest;

static void
show_text(void *opaque, struct display_text *text)
{
	(void)opaque;
	*text = guest.text;
}

static void
choose(unsigned scancode)
{
	struct display_text *d = &guest.text;

	*d = (struct display_text){ .kind = DISPLAY_TEXT, .cells = guest.cells, .columns = 80, .rows = 25, .cursor = UINT_MAX };
	for (unsigned i = 0; i < ARRAY_SIZE(guest.cells); i++)
		guest.cells[i] = 0x0720;
	if (scancode == 0x3b) {
		/* F1: every character in rows of 64, and colours below. */
		for (unsigned i = 0; i < 256; i++) {
			guest.cells[i / 64 * 80 + i % 64] = (uint16_t)(0x0700 | i);
			guest.cells[(5 + i / 64) * 80 + i % 64] = (uint16_t)(i << 8 | 'x');
		}
		d->blinks = true;
		d->cursor = 3 * 80 + 5;
	} else if (scancode == 0x3c) {
		*d = (struct display_text){ .kind = DISPLAY_GRAPHICS, .width = 1024, .height = 768 };
	} else if (scancode == 0x3d) {
		*d = (struct display_text){ .kind = DISPLAY_BLANK };
	} else if (scancode == 0x3e) {
		/* F4: more than the terminal has room for, its last cell said so. */
		d->columns = 132;
		d->rows = 60;
		guest.cells[0] = 0x0700 | 'A';
		guest.cells[132 * 60 - 1] = 0x0700 | 'Z';
		d->cursor = 132 * 60 - 1;
	} else if (scancode == 0x3f) {
		/* F5: less. */
		d->columns = 40;
		d->rows = 5;
		guest.cells[0] = 0x0700 | 'S';
	}
}

static void
key(void *opaque, unsigned scancode, bool down)
{
	(void)opaque;
	dprintf(guest.keys, "%x%c ", scancode, down ? '+' : '-');
	if (down && scancode >= 0x3b && scancode <= 0x3f)
		choose(scancode);
	if (down && scancode == 0x44)
		loop_quit(guest.loop, 0);
}

static bool
is_running(void *opaque)
{
	(void)opaque;
	return true;
}

static void
quit(void *opaque)
{
	(void)opaque;
	loop_quit(guest.loop, 7);
}

/* A line's user: what is typed comes back in brackets. */
static struct chr *line;

static size_t
can_receive(void *opaque)
{
	(void)opaque;
	return 64;
}

static void
receive(void *opaque, const uint8_t *data, size_t len)
{
	(void)opaque;
	for (size_t i = 0; i < len; i++) {
		char text[16];

		snprintf(text, sizeof(text), "[%02x]", data[i]);
		chr_write(line, text, 4);
	}
}

static int
run_display(int keys)
{
	static struct input_sink sink = { .name = "keyboard", .key = key };
	struct chr_user user = { .can_receive = can_receive, .receive = receive };
	struct clock *clock = clock_new(false);
	struct err e = { "" };

	signal(SIGHUP, SIG_IGN); /* the line's hang-up: the display is to see it itself */
	guest.keys = keys;
	clock_start(clock);
	guest.loop = loop_new(clock);
	guest.display = (struct display){ .text = show_text };
	input_add(&guest.input, &sink);
	choose(0x3d);
	struct key_queue *queue = key_queue_new(clock, &guest.input);
	struct console *console = console_new(guest.loop, "line", NULL, &e);
	line = console_chr(console);
	chr_attach(line, &user);
	struct window_tab tabs[2] = { { .title = "screen", .display = &guest.display }, { .title = "line", .console = console } };
	struct curses_config config = { guest.loop, NULL, &guest.input, queue, layout_find("de"), NULL, is_running, quit };
	loop_lock(guest.loop);
	struct curses *c = curses_new(&config, tabs, 2, &e);
	loop_unlock(guest.loop);
	if (c == NULL) {
		fprintf(stderr, "%s\n", e.text);
		return 98;
	}
	int code = loop_run(guest.loop);
	loop_lock(guest.loop);
	curses_free(c);
	key_queue_free(queue);
	chr_close(line);
	loop_unlock(guest.loop);
	loop_free(guest.loop);
	clock_free(clock);
	return code;
}

static void
end_display(void)
{
	type("\x1b[21~");
	await_end(0);
}

/* What the terminal sends, and what a keyboard with a German layout does: keys are known by their place there. */
static const struct { const char *sent, *keys; } typed[] = {
	{ "a", "1e+ 1e- " },
	{ "z", "15+ 15- " },
	{ "A", "2a+ 1e+ 1e- 2a- " },
	{ "\xc3\xa4", "28+ 28- " },
	{ "@", "e038+ 10+ 10- e038- " },
	{ "\xc3\xa9", "d+ d- 12+ 12- " },
	{ "\r", "1c+ 1c- " },
	{ "\t", "f+ f- " },
	{ "\x1b[Z", "2a+ f+ f- 2a- " },
	{ "\x7f", "e+ e- " },
	{ "\x01", "1d+ 1e+ 1e- 1d- " },
	{ "\x08", "1d+ 23+ 23- 1d- " },
	{ "\x1bx", "38+ 2d+ 2d- 38- " },
	{ "\x1b", "1+ 1- " },
	{ "\x1b" "9", "38+ a+ a- 38- " },
	{ "\x1bOA", "e048+ e048- " },
	{ "\x1bOD", "e04b+ e04b- " },
	{ "\x1b[6~", "e051+ e051- " },
	{ "\x1b[3~", "e053+ e053- " },
	{ "\x1b[17~", "40+ 40- " },
	{ "\x1b[24~", "58+ 58- " },
	{ "\x1b[17;2~", "2a+ 40+ 40- 2a- " },
	{ "\x1b[1;5D", "1d+ e04b+ e04b- 1d- " },
	{ "ab", "1e+ 1e- 30+ 30- " },
};

START_TEST(test_keys)
{
	start(run_display);
	await(hides_cursor, "");
	for (unsigned i = 0; i < ARRAY_SIZE(typed); i++) {
		type(typed[i].sent);
		await(has_heard, typed[i].keys);
	}
	end_display();
}
END_TEST

START_TEST(test_pictures)
{
	const struct vt_cell *c;

	start(run_display);
	await(hides_cursor, "");
	type("\x1bOP");
	await(sees, "►◄↕‼¶§▬↨↑↓→←∟↔▲▼ !\"#");
	await(sees, "└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■");
	await(row_ends, "8,63");
	await(has_cursor_at, "5,3");
	/* Attribute 1eh: yellow on blue; 8ch: bright red, blinking. */
	c = &t.vt->screen[5].cells[0x1e];
	ck_assert_uint_eq(c->fore, 11);
	ck_assert_uint_eq(c->back, 4);
	c = &t.vt->screen[7].cells[0x0c];
	ck_assert_uint_eq(c->fore, 9);
	type("\x1bOQ");
	await(sees, "1024x768 Graphics mode");
	await(hides_cursor, "");
	type("\x1bOR");
	await(sees_nothing, "Graphics");
	/* In the middle. */
	type("\x1b[15~");
	await(sees, "                    S");
	ck_assert_str_eq(row_text(10), "                    S");
	/* What is larger shows its cursor; another size of the terminal shows it all. */
	type("\x1bOS");
	await(sees, "Z");
	await(has_cursor_at, "79,24");
	ck_assert(!sees("A"));
	set_size(140, 62);
	await(sees, "A");
	await(sees, "Z");
	await(has_cursor_at, "135,60");
	set_size(30, 10);
	await(has_cursor_at, "29,9");
	end_display();
}
END_TEST

START_TEST(test_console)
{
	start(run_display);
	await(hides_cursor, "");
	type("\x1b" "2");
	await(has_cursor_at, "0,0");
	type("a\x7f\r\x1bx\x1b[1;5C\x1bOP\x03\xc3\xa9");
	await(sees, "[61][7f][0d][1b][78][1b][5b][31][3b][35][43][1b][4f][50][03][c3][a9]");
	/* It has the terminal's width. */
	type("\t\t\t\t");
	await(has_cursor_at, "4,1");
	set_size(40, 12);
	type("\t");
	await(has_cursor_at, "8,1");
	ck_assert_uint_eq(strlen(row_text(0)), 40);
	/* The screen is still there behind it. */
	type("\x1b" "1");
	await(hides_cursor, "");
	await(sees_nothing, "[");
	type("\x1bOQ");
	await(sees, "Graphics mode");
	end_display();
}
END_TEST

/* Nobody is at the terminal any longer: that is an end. */
START_TEST(test_gone)
{
	int status;

	start(run_display);
	await(hides_cursor, "");
	close(t.master);
	ck_assert_int_eq(waitpid(t.child, &status, 0), t.child);
	ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	close(t.keys);
	vt_free(t.vt);
}
END_TEST

/* ---- the whole program ---- */

static int
run_program(int keys)
{
	const char *program = getenv("CALQUE");

	(void)keys;
	execl(program, program, "-m", "32", "-display", "curses", "-net", "none", (char *)NULL);
	return 97;
}

/* False: there is none, or no firmware for it. */
static bool
start_program(void)
{
	if (getenv("CALQUE") == NULL || access(FIRMWARE_DIR "/bios-256k.bin", R_OK) != 0) {
		printf("SKIP: the whole program: %s\n", getenv("CALQUE") == NULL ? "CALQUE doesn't name it" : "its firmware is not installed");
		return false;
	}
	start(run_program);
	await(sees, "No bootable device");
	return true;
}

START_TEST(test_program)
{
	struct termios now;
	int status;

	if (!start_program())
		return;
	await(sees, "SeaBIOS");
	type("\x1b" "2");
	await(sees, "(calque)");
	type("info status\r");
	await(sees, "VM status: running");
	/* Stopped, it leaves the terminal to the shell; afterwards all is drawn again. */
	kill(t.child, SIGTSTP);
	while (waitpid(t.child, &status, WUNTRACED | WNOHANG) != t.child)
		listen_once();
	ck_assert(WIFSTOPPED(status));
	while (t.vt->alternate)
		ck_assert(listen_once());
	ck_assert_int_eq(tcgetattr(t.master, &now), 0);
	ck_assert_uint_eq(now.c_lflag, t.before.c_lflag);
	vt_write(t.vt, "\x1b[2J", 4);
	kill(t.child, SIGCONT);
	await(sees, "VM status: running");
	type("\x1b" "1");
	await(sees, "No bootable device");
	type("\x1b" "2");
	await(sees, "(calque)");
	type("quit\r");
	await_end(0);
}
END_TEST

START_TEST(test_program_ends)
{
	static const struct { int number, status; } signals[] = { { SIGTERM, 0 }, { SIGABRT, SIGABRT }, { SIGSEGV, SIGSEGV } };

	if (!start_program())
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		if (i != 0)
			start_program();
		kill(t.child, signals[i].number);
		await_end(signals[i].status);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("curses");
	TCase *c = tcase_create("display"), *p = tcase_create("program");

	tcase_add_test(c, test_keys);
	tcase_add_test(c, test_pictures);
	tcase_add_test(c, test_console);
	tcase_add_test(c, test_gone);
	suite_add_tcase(s, c);
	tcase_add_test(p, test_program);
	tcase_add_test(p, test_program_ends);
	suite_add_tcase(s, p);
	return run_suite(s);
}
