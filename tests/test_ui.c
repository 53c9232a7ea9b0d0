/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ui/: character devices with a peer in the same process, the multiplexer, keys, pictures. */
#define _GNU_SOURCE /* accept4 */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "ui/pace.h"
#include "ui/ui.h"

#include <arpa/inet.h>
#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <zlib.h>

static struct clock *clk;
static struct loop *loop;
static char dir[64];

/* A user that keeps what it gets, ROOM bytes at the most. */
struct user {
	char got[65536];
	size_t len, room;
	unsigned events[8];
};

static size_t
user_can_receive(void *opaque)
{
	struct user *u = opaque;

	return u->room - u->len;
}

static void
user_receive(void *opaque, const uint8_t *data, size_t len)
{
	struct user *u = opaque;

	ck_assert_uint_le(u->len + len, u->room);
	memcpy(u->got + u->len, data, len);
	u->len += len;
	u->got[u->len] = '\0';
}

static void
user_event(void *opaque, enum chr_event event)
{
	((struct user *)opaque)->events[event]++;
}

static struct user *
new_user(struct chr *c)
{
	struct user *u = xcalloc(1, sizeof(*u));
	struct chr_user face = { u, user_can_receive, user_receive, user_event };

	u->room = sizeof(u->got) - 1;
	chr_attach(c, &face);
	return u;
}

static void
turn(void)
{
	for (unsigned i = 0; i < 5; i++)
		loop_turn(loop, 5);
}

static char *
in_dir(const char *name)
{
	return xasprintf("%s/%s", dir, name);
}

static void
setup(void)
{
	clk = clock_new(true);
	loop = loop_new(clk);
	strcpy(dir, "/tmp/test_ui.XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void
teardown(void)
{
	char *command = xasprintf("rm -r %s", dir);

	loop_free(loop);
	clock_free(clk);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

static struct chr *
open_ok(const char *spec)
{
	struct err e = { "" };
	struct chr *c = chr_open(loop, "id", spec, &e);

	ck_assert_msg(c != NULL, "%s", e.text);
	return c;
}

static int
unix_client(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	strcpy(a.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

START_TEST(test_specs)
{
	static const struct { const char *spec, *part; } wrong[] = {
		{ "nonsense", "no character device" }, { "chardev:x", "-chardev" }, { "file:/nowhere/x", "can't be written" },
		{ "tcp:localhost", "HOST:PORT" }, { "tcp:127.0.0.1:1", "nobody listens" }, { "unix:/nowhere/x", "No such file" },
		{ "tcp:127.0.0.1:0,server,reconnect=1", "not supported" }, { "pipe:/nowhere", "mkfifo" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct err e = { "" };

		ck_assert_ptr_null(chr_open(loop, "id", wrong[i].spec, &e));
		ck_assert_msg(strstr(e.text, wrong[i].part) != NULL, "%s: %s", wrong[i].spec, e.text);
		ck_assert_ptr_null(strchr(e.text, '\n'));
	}
}
END_TEST

START_TEST(test_null_and_file)
{
	char *path = in_dir("out"), *spec = xasprintf("file:%s", path), text[200];
	struct chr *c = open_ok("null");
	FILE *f;

	ck_assert_uint_eq(chr_write(c, "abc", 3), 3);
	chr_close(c);
	c = open_ok(spec);
	ck_assert_uint_eq(chr_write(c, "hello", 5), 5);
	chr_describe(c, text, sizeof(text));
	ck_assert_msg(strstr(text, "id: filename=file:") == text, "%s", text);
	chr_close(c);
	f = fopen(path, "r");
	ck_assert_uint_eq(fread(text, 1, sizeof(text), f), 5);
	ck_assert_mem_eq(text, "hello", 5);
	fclose(f);
	free(path);
	free(spec);
}
END_TEST

START_TEST(test_unix_server)
{
	char *path = in_dir("s"), *spec = xasprintf("unix:%s,server,nowait", path), data[4096];
	struct chr *c = open_ok(spec);
	struct user *u = new_user(c);
	struct err e = { "" };
	size_t sent = 0, got = 0;
	int fd;

	/* Nobody there: what is written vanishes.  A second server is told so. */
	ck_assert_uint_eq(chr_write(c, "lost", 4), 4);
	ck_assert_ptr_null(chr_open(loop, "two", spec, &e));
	ck_assert_msg(strstr(e.text, "in use") != NULL, "%s", e.text);
	turn(); /* the second one's probe came and went */
	memset(u->events, 0, sizeof(u->events));
	fd = unix_client(path);
	turn();
	ck_assert_uint_eq(u->events[CHR_OPENED], 1);
	chr_write(c, "hi", 2);
	ck_assert_int_eq(read(fd, data, sizeof(data)), 2);
	/* Flow control: three bytes, then the rest. */
	u->room = 3;
	ck_assert_int_eq(write(fd, "abcdef", 6), 6);
	turn();
	ck_assert_str_eq(u->got, "abc");
	u->room = 100;
	chr_accept(c);
	turn();
	ck_assert_str_eq(u->got, "abcdef");
	/* A peer that doesn't read: what was taken arrives later, and then the user hears that there is room. */
	memset(data, 'x', sizeof(data));
	for (;;) {
		size_t n = chr_write(c, data, sizeof(data));

		sent += n;
		if (n < sizeof(data))
			break;
	}
	while (got < sent) {
		ssize_t n = read(fd, data, MIN(sizeof(data), sent - got));

		ck_assert_int_gt(n, 0);
		got += n;
		loop_turn(loop, 0);
	}
	turn();
	ck_assert_uint_eq(u->events[CHR_DRAINED], 1);
	/* It goes, another one comes. */
	close(fd);
	turn();
	ck_assert_uint_eq(u->events[CHR_CLOSED], 1);
	fd = unix_client(path);
	turn();
	ck_assert_uint_eq(u->events[CHR_OPENED], 2);
	close(fd);
	chr_close(c);
	ck_assert_int_ne(access(path, F_OK), 0);
	free(u);
	free(path);
	free(spec);
}
END_TEST

/* A port that is free now. */
static unsigned
free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	getsockname(fd, (struct sockaddr *)&a, &len);
	close(fd);
	return ntohs(a.sin_port);
}

START_TEST(test_telnet)
{
	unsigned port = free_port();
	char *server_spec = xasprintf("telnet:127.0.0.1:%u,server,nowait,nodelay", port), *client_spec = xasprintf("tcp:127.0.0.1:%u", port);
	struct chr *server = open_ok(server_spec), *client = open_ok(client_spec);
	struct user *s = new_user(server), *c = new_user(client);

	turn();
	ck_assert_uint_eq(c->len, 12);
	ck_assert_mem_eq(c->got, "\xff\xfb\x01\xff\xfb\x03\xff\xfb\x00\xff\xfd\x00", 12);
	/* An option, a subnegotiation, a break, a doubled FFh, CR NUL. */
	chr_write(client, "a\xff\xfd\x03" "b\xff\xfa\x18\x01\xff\xf0" "c\xff\xf3" "d\xff\xff\r\0e", 20);
	turn();
	ck_assert_str_eq(s->got, "abcd\xff\re");
	ck_assert_uint_eq(s->events[CHR_BREAK], 1);
	c->len = 0;
	chr_write(server, "x\xffy", 3);
	turn();
	ck_assert_str_eq(c->got, "x\xff\xffy");
	chr_close(client);
	chr_close(server);
	free(s);
	free(c);
	free(server_spec);
	free(client_spec);
}
END_TEST

START_TEST(test_udp)
{
	unsigned a = free_port(), b = free_port();
	char *one = xasprintf("udp:127.0.0.1:%u@127.0.0.1:%u", a, b), *two = xasprintf("udp::%u@:%u", b, a);
	struct chr *c = open_ok(one), *d = open_ok(two);
	struct user *u = new_user(c), *v = new_user(d);

	u->room = 2;
	chr_write(c, "ping", 4);
	chr_write(d, "pong", 4);
	turn();
	ck_assert_str_eq(v->got, "ping");
	ck_assert_str_eq(u->got, "po");
	u->room = 100;
	chr_accept(c);
	ck_assert_str_eq(u->got, "pong");
	chr_close(c);
	chr_close(d);
	free(u);
	free(v);
	free(one);
	free(two);
}
END_TEST

START_TEST(test_pty_and_pipe)
{
	char text[200], *path = in_dir("p"), *in = in_dir("p.in"), *out = in_dir("p.out"), *spec = xasprintf("pipe:%s", path);
	struct chr *c = open_ok("pty");
	struct user *u = new_user(c);
	int fd, to, from;

	chr_describe(c, text, sizeof(text));
	fd = open(strstr(text, "/dev/"), O_RDWR | O_NOCTTY);
	ck_assert_int_ge(fd, 0);
	chr_write(c, "out\n", 4);
	ck_assert_int_eq(read(fd, text, sizeof(text)), 4);
	ck_assert_mem_eq(text, "out\n", 4);
	ck_assert_int_eq(write(fd, "in\n", 3), 3);
	turn();
	ck_assert_str_eq(u->got, "in\n");
	close(fd);
	chr_close(c);
	free(u);
	ck_assert_int_eq(mkfifo(in, 0600), 0);
	ck_assert_int_eq(mkfifo(out, 0600), 0);
	c = open_ok(spec);
	u = new_user(c);
	to = open(in, O_WRONLY);
	from = open(out, O_RDONLY);
	ck_assert_int_eq(write(to, "abc", 3), 3);
	chr_write(c, "de", 2);
	turn();
	ck_assert_str_eq(u->got, "abc");
	ck_assert_int_eq(read(from, text, sizeof(text)), 2);
	close(to);
	close(from);
	chr_close(c);
	free(u);
	free(path);
	free(in);
	free(out);
	free(spec);
}
END_TEST

static unsigned quits, syncs;

static void
count(void *opaque)
{
	++*(unsigned *)opaque;
}

static void
count_quit(void *opaque)
{
	(void)opaque;
	count(&quits);
}

static void
count_sync(void *opaque)
{
	(void)opaque;
	count(&syncs);
}

static void
type(int fd, const char *text)
{
	ck_assert_int_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	turn();
}

START_TEST(test_mux)
{
	char *path = in_dir("m"), *spec = xasprintf("unix:%s,server,nowait", path), text[1024] = "";
	struct chr_mux_ops ops = { NULL, count_quit, count_sync };
	struct chr *mux = chr_mux_new(open_ok(spec), &ops), *one = chr_mux_front(mux), *two = chr_mux_front(mux);
	struct user *u = new_user(one), *v = new_user(two);
	int fd = unix_client(path);

	turn();
	ck_assert_uint_eq(u->events[CHR_OPENED], 1);
	ck_assert_uint_eq(v->events[CHR_OPENED], 0);
	type(fd, "a\001\001b");
	ck_assert_str_eq(u->got, "a\001b");
	type(fd, "\001b");
	ck_assert_uint_eq(u->events[CHR_BREAK], 1);
	type(fd, "\001cto two");
	ck_assert_str_eq(v->got, "to two");
	ck_assert_uint_eq(v->events[CHR_OPENED], 1);
	type(fd, "\001c");
	ck_assert_uint_eq(u->events[CHR_FOCUS], 1);
	/* A user that takes nothing keeps the keys of the multiplexer alive. */
	u->room = u->len;
	type(fd, "waits\001s\001x");
	ck_assert_uint_eq(syncs, 1);
	ck_assert_uint_eq(quits, 1);
	u->room = 100;
	chr_accept(one);
	ck_assert_str_eq(u->got, "a\001bwaits");
	ck_assert_int_gt(read(fd, text, sizeof(text)), 0);
	chr_write(one, "1", 1);
	chr_write(two, "2", 1);
	type(fd, "\001h");
	memset(text, 0, sizeof(text));
	ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 2);
	ck_assert_mem_eq(text, "12", 2);
	ck_assert_ptr_nonnull(strstr(text, "C-a x"));
	close(fd);
	chr_close(one);
	chr_close(two);
	chr_close(mux);
	free(u);
	free(v);
	free(path);
	free(spec);
}
END_TEST

static char keys_seen[256];

static void
see_key(void *opaque, unsigned code, bool down)
{
	size_t n = strlen(keys_seen);

	(void)opaque;
	snprintf(keys_seen + n, sizeof(keys_seen) - n, "%s%x ", down ? "+" : "-", code);
}

START_TEST(test_keys)
{
	struct input_sink keyboard = { .key = see_key };
	struct input in = { 0 };
	struct key_queue *q = key_queue_new(clk, &in);

	input_add(&in, &keyboard);
	ck_assert_uint_eq(key_from_name("a"), 0x1e);
	ck_assert_uint_eq(key_from_name("ret"), 0x1c);
	ck_assert_uint_eq(key_from_name("delete"), 0xe053);
	ck_assert_uint_eq(key_from_name("pause"), 0xe11d);
	ck_assert_uint_eq(key_from_name("nothing"), 0);
	ck_assert(key_queue_push(q, (uint16_t[]){ 0x2a, 0x1e }, 2, 100));
	ck_assert(key_queue_push(q, (uint16_t[]){ 0x30 }, 1, 100));
	ck_assert_str_eq(keys_seen, "+2a +1e ");
	clock_advance(clk, 150 * 1000000ull);
	ck_assert_str_eq(keys_seen, "+2a +1e -1e -2a +30 ");
	clock_advance(clk, 1000 * 1000000ull);
	ck_assert_str_eq(keys_seen, "+2a +1e -1e -2a +30 -30 ");
	for (unsigned i = 0; i < 256; i++)
		ck_assert(key_queue_push(q, (uint16_t[]){ 1 }, 1, 1));
	ck_assert(!key_queue_push(q, (uint16_t[]){ 1 }, 1, 1));
	key_queue_free(q);
}
END_TEST

static void
see_point(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	size_t n = strlen(keys_seen);

	(void)opaque;
	snprintf(keys_seen + n, sizeof(keys_seen) - n, "@%u,%u,%d,%d,%x ", x, y, dz, dw, buttons);
}

static void
see_move(void *opaque, int dx, int dy, int dz, int dw, unsigned buttons)
{
	size_t n = strlen(keys_seen);

	(void)opaque;
	snprintf(keys_seen + n, sizeof(keys_seen) - n, ">%d,%d,%d,%d,%x ", dx, dy, dz, dw, buttons);
}

static void
see_absolute(void *opaque, bool absolute)
{
	*(bool *)opaque = absolute;
}

START_TEST(test_input)
{
	struct input_sink keyboard = { .key = see_key }, mouse = { .move = see_move }, tablet = { .point = see_point };
	bool absolute = false;
	struct input in = { .absolute_changed = see_absolute, .opaque = &absolute };

	keys_seen[0] = '\0';
	input_key(&in, 0x1e, true);
	input_release(&in);
	input_add(&in, &keyboard);
	input_add(&in, &mouse);
	input_add(&in, &tablet);
	ck_assert(!absolute);
	input_point(&in, 1, 2, 0, 0, 0);
	input_move(&in, 1, -2, 3, 0, BUTTON_LEFT);
	input_key(&in, 0x1d, true);
	input_key(&in, 0xe01d, true);
	input_key(&in, 0xe11d, true);
	ck_assert_str_eq(keys_seen, ">1,-2,3,0,1 +1d +e01d +e11d ");
	keys_seen[0] = '\0';
	input_activate(&in, &tablet); /* what the mouse was told is down goes up first */
	ck_assert(absolute);
	input_point(&in, 5, 99999, 0, 1, BUTTON_SIDE);
	input_release(&in);
	ck_assert_str_eq(keys_seen, ">0,0,0,0,0 @5,32767,0,1,8 -1d -e01d -e11d @5,32767,0,0,0 ");
	input_remove(&in, &tablet);
	ck_assert(!absolute);
}
END_TEST

static size_t
slurp(const char *path, uint8_t *to, size_t size)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	ck_assert_ptr_nonnull(f);
	n = fread(to, 1, size, f);
	fclose(f);
	return n;
}

START_TEST(test_pictures)
{
	uint32_t pixels[6] = { 0xff0000, 0x00ff00, 0x0000ff, 0x123456, 0xffffff, 0 };
	struct surface s = { pixels, 2, 2, 12 }; /* a pixel of padding a line */
	static const uint8_t rgb[] = { 0xff, 0, 0, 0, 0xff, 0, 0x12, 0x34, 0x56, 0xff, 0xff, 0xff };
	char *ppm = in_dir("x.ppm"), *png = in_dir("x.png");
	uint8_t data[512], rows[14];
	uLongf len = sizeof(rows);
	struct err e = { "" };
	size_t n;

	ck_assert(surface_save(&s, ppm, &e));
	n = slurp(ppm, data, sizeof(data));
	ck_assert_uint_eq(n, 11 + 12);
	ck_assert_mem_eq(data, "P6\n2 2\n255\n", 11);
	ck_assert_mem_eq(data + 11, rgb, 12);
	ck_assert(surface_save(&s, png, &e));
	n = slurp(png, data, sizeof(data));
	ck_assert_mem_eq(data, "\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\2\0\0\0\2\x08\2\0\0\0", 29);
	ck_assert_mem_eq(data + 37, "IDAT", 4);
	ck_assert_mem_eq(data + n - 8, "IEND", 4);
	ck_assert_int_eq(uncompress(rows, &len, data + 41, (uLong)data[35] << 8 | data[36]), Z_OK);
	ck_assert_uint_eq(len, 14);
	ck_assert_uint_eq(rows[0], 2);
	ck_assert_mem_eq(rows + 1, rgb, 6);
	ck_assert_uint_eq((uint8_t)(rows[8] + rgb[0]), rgb[6]);
	ck_assert(!surface_save(&s, "x.gif", &e));
	ck_assert(!surface_save(&s, "/nowhere/x.png", &e));
	free(ppm);
	free(png);
}
END_TEST

/* Who changes is looked at soon, but for a quarter of a processor at the most; who doesn't, less and less often. */
START_TEST(test_pace)
{
	unsigned interval = 50;

	ck_assert_uint_eq(pace_wait_ms(&interval, 16, true, 1000 * 1000), 16);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, true, 10 * 1000 * 1000), 40);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, true, UINT64_MAX / 8), PACE_SLOWEST_MS);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, false, 0), 20);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, false, 10 * 1000 * 1000), 25);
	for (unsigned i = 0; i < 10; i++)
		pace_wait_ms(&interval, 16, false, 0);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, false, 0), PACE_SLOWEST_MS);
	ck_assert_uint_eq(pace_wait_ms(&interval, 16, true, 0), 16);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ui");
	TCase *t = tcase_create("ui");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_specs);
	tcase_add_test(t, test_null_and_file);
	tcase_add_test(t, test_unix_server);
	tcase_add_test(t, test_telnet);
	tcase_add_test(t, test_udp);
	tcase_add_test(t, test_pty_and_pipe);
	tcase_add_test(t, test_mux);
	tcase_add_test(t, test_keys);
	tcase_add_test(t, test_input);
	tcase_add_test(t, test_pictures);
	tcase_add_test(t, test_pace);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
