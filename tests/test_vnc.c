/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ui/vnc*.c with a client of its own, which decodes what it gets back to pixels, and clients that send anything. */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "tests/check_main.h"
#include "ui/vnc.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { WIDTH = 200, HEIGHT = 150 };

struct rig {
	struct clock *clock;
	struct loop *loop;
	struct vnc *vnc;
	struct display display;
	struct surface surface;
	struct input input;
	struct input_sink keyboard, tablet;
	uint32_t pixels[400 * 300];
	unsigned keys[64], key_count, x, y, buttons;
	int wheel;
	unsigned wish_width, wish_height;
};

/* The client's side. */
struct viewer {
	struct rig *rig;
	int fd;
	unsigned width, height, bytes, depth;
	bool big_endian, short_pixels;
	uint32_t *pixels;
	uint64_t received, rect_pixels;
	z_stream zrle, tight[4];
	unsigned pseudo_seen;
	uint8_t cursor_mask;
};

/* For what is asked a million times: Check notes each of its own assertions. */
#define expect(condition) do { if (!(condition)) ck_abort_msg(#condition); } while (0)

static const struct surface *
update(void *opaque)
{
	return &((struct rig *)opaque)->surface;
}

static void
wish(void *opaque, unsigned w, unsigned h)
{
	((struct rig *)opaque)->wish_width = w;
	((struct rig *)opaque)->wish_height = h;
}

static void
key(void *opaque, unsigned scancode, bool down)
{
	struct rig *r = opaque;

	if (r->key_count < ARRAY_SIZE(r->keys))
		r->keys[r->key_count++] = scancode | (down ? 0 : 0x10000);
}

static void
point(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	struct rig *r = opaque;

	(void)dw;
	r->x = x;
	r->y = y;
	r->wheel += dz;
	r->buttons = buttons;
}

static struct rig *
rig_new(const char *password)
{
	struct rig *r = xcalloc(1, sizeof(*r));
	struct vnc_config config = { .display = &r->display, .input = &r->input, .password = password != NULL, .name = "rig" };
	struct err e = { "" };

	r->clock = clock_new(false);
	config.loop = r->loop = loop_new(r->clock);
	config.layout = layout_find("en-us");
	r->surface = (struct surface){ r->pixels, WIDTH, HEIGHT, 4 * WIDTH };
	r->display = (struct display){ .opaque = r, .update = update, .wish = wish };
	r->keyboard = (struct input_sink){ .name = "k", .opaque = r, .key = key };
	r->tablet = (struct input_sink){ .name = "t", .opaque = r, .point = point };
	input_add(&r->input, &r->keyboard);
	input_add(&r->input, &r->tablet);
	loop_lock(r->loop);
	r->vnc = vnc_new(&config, &e);
	ck_assert_msg(r->vnc != NULL, "%s", e.text);
	if (password != NULL)
		ck_assert_msg(vnc_set_password(r->vnc, password, &e), "%s", e.text);
	loop_unlock(r->loop);
	return r;
}

static void
rig_free(struct rig *r)
{
	loop_lock(r->loop);
	vnc_free(r->vnc);
	loop_unlock(r->loop);
	loop_free(r->loop);
	clock_free(r->clock);
	free(r);
}

static int
connect_to(struct rig *r)
{
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	loop_lock(r->loop);
	vnc_add_client(r->vnc, pair[0], "test");
	loop_unlock(r->loop);
	return pair[1];
}

static void
turn(struct rig *r)
{
	loop_turn(r->loop, 5);
}

/* False: the server ended the connection. */
static bool
take(struct viewer *v, void *to, size_t len)
{
	for (size_t done = 0, idle = 0; done < len;) {
		ssize_t n = recv(v->fd, (char *)to + done, len - done, MSG_DONTWAIT);

		if (n == 0 || (n < 0 && idle++ == 2000))
			return false;
		if (n < 0)
			turn(v->rig);
		else
			done += n;
	}
	v->received += len;
	return true;
}

static uint32_t
number(struct viewer *v, unsigned size)
{
	uint8_t b[4];
	uint32_t n = 0;

	expect(take(v, b, size));
	for (unsigned i = 0; i < size; i++)
		n = n << 8 | b[i];
	return n;
}

static void
say(struct viewer *v, const void *data, size_t len)
{
	ck_assert_int_eq(send(v->fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

static void
shake_hands(struct viewer *v)
{
	uint8_t b[256];

	ck_assert(take(v, b, 12));
	ck_assert_mem_eq(b, "RFB 003.008\n", 12);
	say(v, "RFB 003.008\n", 12);
	ck_assert_uint_eq(number(v, 1), 1);
	ck_assert_uint_eq(number(v, 1), 1);
	say(v, "\1", 1);
	ck_assert_uint_eq(number(v, 4), 0);
	say(v, "\1", 1);
	v->width = number(v, 2);
	v->height = number(v, 2);
	ck_assert(take(v, b, 16));
	ck_assert(take(v, b, number(v, 4)));
}

static void
viewer_init(struct viewer *v, struct rig *r)
{
	*v = (struct viewer){ .rig = r, .fd = connect_to(r), .bytes = 4, .depth = 24, .short_pixels = true };
	inflateInit(&v->zrle);
	for (unsigned i = 0; i < 4; i++)
		inflateInit(&v->tight[i]);
	v->pixels = xcalloc(640 * 480, sizeof(*v->pixels));
	shake_hands(v);
}

static void
viewer_end(struct viewer *v)
{
	inflateEnd(&v->zrle);
	for (unsigned i = 0; i < 4; i++)
		inflateEnd(&v->tight[i]);
	free(v->pixels);
	close(v->fd);
	turn(v->rig);
	turn(v->rig);
}

/* Bytes that are decoded, from where they are. */
struct source {
	struct viewer *viewer;  /* or */
	uint8_t *data;
	size_t at, len;
};

static void
read_source(struct source *s, void *to, size_t len)
{
	if (s->viewer != NULL) {
		expect(take(s->viewer, to, len));
		return;
	}
	expect(len <= s->len - s->at);
	memcpy(to, s->data + s->at, len);
	s->at += len;
}

static unsigned
read_byte(struct source *s)
{
	uint8_t b;

	read_source(s, &b, 1);
	return b;
}

static uint32_t
read_pixel(struct source *s, const struct viewer *v, unsigned bytes, bool rgb)
{
	uint8_t b[4];
	uint32_t p = 0;

	read_source(s, b, bytes);
	for (unsigned i = 0; i < bytes; i++)
		p |= (uint32_t)b[i] << 8 * (v->big_endian || rgb ? bytes - 1 - i : i);
	return p;
}

static struct source
inflate_from(struct viewer *v, z_stream *z, size_t len, size_t most)
{
	uint8_t *packed = xcalloc(len + 1, 1);
	struct source s = { .data = xcalloc(most + 1, 1) };

	ck_assert(take(v, packed, len));
	z->next_in = packed;
	z->avail_in = len;
	z->next_out = s.data;
	z->avail_out = most;
	int status = inflate(z, Z_SYNC_FLUSH);
	ck_assert(status == Z_OK || status == Z_BUF_ERROR);
	ck_assert_uint_eq(z->avail_in, 0);
	s.len = most - z->avail_out;
	free(packed);
	return s;
}

static void
put(struct viewer *v, unsigned x, unsigned y, uint32_t p)
{
	expect(x < v->width && y < v->height);
	v->pixels[y * v->width + x] = p;
}

static unsigned
read_run(struct source *s)
{
	unsigned n = 1, b;

	do {
		b = read_byte(s);
		n += b;
	} while (b == 255);
	return n;
}

static void
zrle_tile(struct viewer *v, struct source *s, unsigned x, unsigned y, unsigned w, unsigned h)
{
	unsigned kind = read_byte(s), size = v->short_pixels ? 3 : v->bytes, colours = kind & 127;
	uint32_t palette[128];

	ck_assert(kind <= 16 || kind == 128 || kind >= 130);
	for (unsigned i = 0; i < colours; i++)
		palette[i] = read_pixel(s, v, size, false);
	for (unsigned i = 0; kind == 0 && i < w * h; i++)
		put(v, x + i % w, y + i / w, read_pixel(s, v, size, false));
	for (unsigned i = 0; kind == 1 && i < w * h; i++)
		put(v, x + i % w, y + i / w, palette[0]);
	for (unsigned i = 0; kind >= 2 && kind <= 16 && i < h; i++) {
		unsigned bits = kind == 2 ? 1 : kind <= 4 ? 2 : 4, byte = 0, left = 0;

		for (unsigned j = 0; j < w; j++, left -= bits) {
			if (left == 0) {
				byte = read_byte(s);
				left = 8;
			}
			unsigned index = byte >> (left - bits) & ((1u << bits) - 1);
			expect(index < kind);
			put(v, x + j, y + i, palette[index]);
		}
	}
	for (unsigned i = 0, n; kind >= 128 && i < w * h; i += n) {
		unsigned index = kind == 128 ? 0 : read_byte(s);
		uint32_t p = kind == 128 ? read_pixel(s, v, size, false) : palette[index & 127];

		n = kind == 128 || index >= 128 ? read_run(s) : 1;
		expect(n <= w * h - i);
		for (unsigned j = i; j < i + n; j++)
			put(v, x + j % w, y + j / w, p);
	}
}

static void
zrle_rect(struct viewer *v, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct source s = inflate_from(v, &v->zrle, number(v, 4), 8ul * w * h + 4096);

	for (unsigned j = 0; j < h; j += 64)
		for (unsigned i = 0; i < w; i += 64)
			zrle_tile(v, &s, x + i, y + j, MIN(64u, w - i), MIN(64u, h - j));
	ck_assert_uint_eq(s.at, s.len);
	free(s.data);
}

static size_t
compact(struct viewer *v)
{
	size_t n = 0;

	for (unsigned i = 0, b = 0x80; i < 3 && (b & 0x80) != 0; i++) {
		b = number(v, 1);
		n |= (size_t)(i < 2 ? b & 0x7f : b) << 7 * i;
	}
	return n;
}

static void
tight_rect(struct viewer *v, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct source direct = { .viewer = v }, s;
	unsigned control = number(v, 1), size = v->short_pixels ? 3 : v->bytes, colours = 0, stream = control >> 4 & 3;
	uint32_t palette[256];
	size_t len;

	ck_assert(control == 0x80 || (control & 0x8f) == 0);
	if (control == 0x80)
		palette[0] = read_pixel(&direct, v, size, v->short_pixels);
	if ((control & 0x40) != 0) {
		ck_assert_uint_eq(number(v, 1), 1);
		colours = number(v, 1) + 1;
		for (unsigned i = 0; i < colours; i++)
			palette[i] = read_pixel(&direct, v, size, v->short_pixels);
	}
	len = control == 0x80 ? 0 : colours == 0 ? (size_t)w * h * size : colours == 2 ? (w + 7ul) / 8 * h : (size_t)w * h;
	s = len < 12 ? direct : inflate_from(v, &v->tight[stream], compact(v), len);
	for (unsigned j = 0; j < h; j++) {
		for (unsigned i = 0, byte = 0; i < w; i++) {
			if (control == 0x80) {
				put(v, x + i, y + j, palette[0]);
			} else if (colours == 0) {
				put(v, x + i, y + j, read_pixel(&s, v, size, v->short_pixels));
			} else if (colours == 2) {
				byte = i % 8 == 0 ? read_byte(&s) : byte << 1;
				put(v, x + i, y + j, palette[byte >> 7 & 1]);
			} else {
				put(v, x + i, y + j, palette[read_byte(&s)]);
			}
		}
	}
	free(s.data);
}

static void
pseudo_rect(struct viewer *v, unsigned w, unsigned h, int encoding)
{
	static uint8_t skipped[70000];

	v->pseudo_seen |= 1u << (-encoding - 200) % 32;
	if (encoding == -308 || encoding == -223) {
		v->width = w;
		v->height = h;
	}
	if (encoding == -308)
		ck_assert(take(v, skipped, 20));
	if (encoding == -261)
		number(v, 1);
	if (encoding == -239) {
		ck_assert(take(v, skipped, w * h * v->bytes));
		ck_assert(take(v, skipped, (w + 7) / 8 * h));
		v->cursor_mask = skipped[0];
	}
	if (encoding == -307)
		ck_assert(take(v, skipped, number(v, 4)));
}

/* One update, and whatever comes before it. */
static void
take_update(struct viewer *v)
{
	static uint8_t map[1536];
	struct source direct = { .viewer = v };
	unsigned type = number(v, 1), count;

	if (type == 1) {
		number(v, 1);
		ck_assert_uint_eq(number(v, 4), 256);
		ck_assert(take(v, map, sizeof(map)));
		type = number(v, 1);
	}
	ck_assert_uint_eq(type, 0);
	number(v, 1);
	count = number(v, 2);
	for (unsigned i = 0; i < count; i++) {
		unsigned x = number(v, 2), y = number(v, 2), w = number(v, 2), h = number(v, 2);
		int encoding = (int)number(v, 4);

		if (encoding == -224)
			return;
		v->rect_pixels += encoding >= 0 ? w * h : 0;
		if (encoding == VNC_ZRLE)
			zrle_rect(v, x, y, w, h);
		else if (encoding == VNC_TIGHT)
			tight_rect(v, x, y, w, h);
		else if (encoding < 0)
			pseudo_rect(v, w, h, encoding);
		for (unsigned j = 0; encoding == 0 && j < w * h; j++)
			put(v, x + j % w, y + j / w, read_pixel(&direct, v, v->bytes, false));
	}
}

static void
ask(struct viewer *v, bool incremental)
{
	say(v, (uint8_t[10]){ 3, incremental, 0, 0, 0, 0, v->width >> 8, v->width, v->height >> 8, v->height }, 10);
}

static void
choose(struct viewer *v, unsigned count, const int *encodings)
{
	uint8_t m[4 + 64] = { 2, 0, 0, count };

	for (unsigned i = 0; i < count; i++)
		for (unsigned b = 0; b < 4; b++)
			m[4 + 4 * i + b] = (uint32_t)encodings[i] >> (24 - 8 * b);
	say(v, m, 4 + 4 * count);
}

/* ---- pictures ---- */

enum { PICTURES = 6 };

static void
paint(struct rig *r, unsigned picture)
{
	uint32_t random = 12345;

	for (unsigned i = 0; i < r->surface.width * r->surface.height; i++) {
		unsigned x = i % r->surface.width, y = i / r->surface.width;

		random = random * 1664525 + 1013904223;
		r->pixels[i] = picture == 0 ? 0x204080 : picture == 1 ? ((x ^ y) & 4 ? 0xffffff : 0) : picture == 2 ? random >> 8 :
			picture == 3 ? (x / 9 + y / 7) % 13 * 0x112233 : picture == 4 ? (x / 5 * y / 6) % 100 * 0x020305 :
			(random >> 24) * 0x010203;
		r->pixels[i] &= 0xffffff;
	}
	loop_lock(r->loop);
	display_damage(&r->display, 0, 0, r->surface.width, r->surface.height);
	r->vnc->next_look_ns = 0; /* at once, not some time later */
	loop_unlock(r->loop);
}

static const struct {
	unsigned bits, depth, big, max[3], shift[3];
} formats[] = {
	{ 32, 24, 0, { 255, 255, 255 }, { 16, 8, 0 } }, { 32, 24, 1, { 255, 255, 255 }, { 0, 8, 16 } },
	{ 32, 24, 0, { 255, 255, 255 }, { 24, 16, 8 } }, { 32, 24, 1, { 255, 255, 255 }, { 8, 16, 24 } },
	{ 16, 16, 0, { 31, 63, 31 }, { 11, 5, 0 } }, { 16, 15, 1, { 31, 31, 31 }, { 10, 5, 0 } },
	{ 8, 8, 0, { 7, 7, 3 }, { 0, 3, 6 } }, { 32, 30, 0, { 1023, 1023, 1023 }, { 20, 10, 0 } },
};

static uint32_t
expected(uint32_t p, unsigned format)
{
	uint32_t out = 0;

	for (unsigned i = 0; i < 3; i++)
		out |= ((p >> (16 - 8 * i) & 255) * formats[format].max[i] + 127) / 255 << formats[format].shift[i];
	return out;
}

/* Three bytes a pixel: Tight's are red, green, blue; ZRLE's those of the pixel that are used. */
static uint32_t
shortened(uint32_t p, unsigned format, int encoding)
{
	uint32_t e = expected(p, format);

	return encoding == VNC_TIGHT ? p : formats[format].shift[0] + formats[format].shift[2] == 32 ? e >> 8 : e;
}

START_TEST(pictures)
{
	static const int encodings[] = { VNC_RAW, VNC_ZRLE, VNC_TIGHT };
	unsigned f = (unsigned)_i % ARRAY_SIZE(formats);
	int encoding = encodings[(unsigned)_i / ARRAY_SIZE(formats)];
	uint8_t m[20] = { 0, 0, 0, 0, formats[f].bits, formats[f].depth, formats[f].big, 1 };
	struct rig *r = rig_new(NULL);
	struct viewer v;

	viewer_init(&v, r);
	for (unsigned i = 0; i < 3; i++) {
		m[8 + 2 * i] = formats[f].max[i] >> 8;
		m[9 + 2 * i] = formats[f].max[i];
		m[14 + i] = formats[f].shift[i];
	}
	say(&v, m, sizeof(m));
	v.bytes = formats[f].bits / 8;
	v.big_endian = formats[f].big;
	v.short_pixels = encoding != VNC_RAW && formats[f].bits == 32 && formats[f].depth == 24;
	choose(&v, 2, (int[]){ encoding, -223 });
	for (unsigned picture = 0; picture < PICTURES; picture++) {
		paint(r, picture);
		ask(&v, false);
		take_update(&v);
		if (picture == 0) {
			/* The first says the size alone, or not; what follows is the picture. */
			ask(&v, false);
			take_update(&v);
			ask(&v, false);
			take_update(&v);
		}
		ck_assert_uint_eq(v.width, WIDTH);
		for (unsigned i = 0; i < WIDTH * HEIGHT; i++)
			expect(v.pixels[i] == (v.short_pixels ? shortened(r->pixels[i], f, encoding) : expected(r->pixels[i], f)));
	}
	viewer_end(&v);
	rig_free(r);
}
END_TEST

START_TEST(only_what_changed)
{
	struct rig *r = rig_new(NULL);
	struct viewer v;

	viewer_init(&v, r);
	choose(&v, 3, (int[]){ VNC_RAW, -223, -224 });
	paint(r, 4);
	for (unsigned i = 0; i < 3; i++) {
		ask(&v, false);
		take_update(&v);
	}
	v.rect_pixels = 0;
	r->pixels[70 * WIDTH + 70] ^= 0xff;
	loop_lock(r->loop);
	display_damage(&r->display, 0, 0, WIDTH, HEIGHT);
	loop_unlock(r->loop);
	ask(&v, true);
	take_update(&v);
	ck_assert_uint_eq(v.rect_pixels, VNC_TILE * VNC_TILE);
	ck_assert_uint_eq(v.pixels[70 * WIDTH + 70], r->pixels[70 * WIDTH + 70]);
	/* Nothing more is said of what stays as it is. */
	ask(&v, true);
	for (unsigned i = 0; i < 40; i++)
		turn(r);
	uint8_t b;
	ck_assert_int_lt(recv(v.fd, &b, 1, MSG_DONTWAIT), 0);
	viewer_end(&v);
	rig_free(r);
}
END_TEST

START_TEST(resizing)
{
	uint8_t m[24] = { 251, 0, 300 >> 8, 300 & 255, 0, 200, 1, 0 };
	struct rig *r = rig_new(NULL);
	struct viewer v;

	viewer_init(&v, r);
	choose(&v, 3, (int[]){ VNC_ZRLE, -308, -239 });
	say(&v, m, sizeof(m));
	for (unsigned i = 0; i < 3; i++) {
		ask(&v, false);
		take_update(&v);
	}
	ck_assert_uint_eq(r->wish_width, 300);
	ck_assert_uint_eq(r->wish_height, 200);
	r->surface = (struct surface){ r->pixels, 300, 200, 1200 };
	loop_lock(r->loop);
	display_resized(&r->display, &r->surface);
	display_pointer(&r->display, (uint32_t[]){ 0xff000000, 0, 0xffffffff, 0 }, 2, 2, 1, 1);
	loop_unlock(r->loop);
	paint(r, 3);
	for (unsigned i = 0; i < 4 && v.width != 300; i++) {
		ask(&v, true);
		take_update(&v);
	}
	ck_assert_uint_eq(v.width, 300);
	ck_assert_uint_eq(v.height, 200);
	ask(&v, false);
	take_update(&v);
	ask(&v, false);
	take_update(&v);
	ck_assert_uint_eq(v.cursor_mask, 0x80);
	for (unsigned i = 0; i < 300 * 200; i++)
		expect(v.pixels[i] == r->pixels[i]);
	viewer_end(&v);
	rig_free(r);
}
END_TEST

START_TEST(keys_and_pointer)
{
	static const unsigned wanted[] = {
		0x1e, 0x1001e,                          /* a */
		0x2a, 0x02, 0x1002a, 0x10002,           /* ! without Shift */
		0xe048, 0x1e048,                        /* Up */
		0xe11d, 0x1e11d, 0xe01d, 0x1e01d,       /* by scan code: Pause, right Ctrl */
		0x2c, 0x1002c,                          /* z, left down by a client that goes */
	};
	struct rig *r = rig_new(NULL);
	struct viewer v;

	viewer_init(&v, r);
	say(&v, (uint8_t[]){ 4, 1, 0, 0, 0, 0, 0, 'a', 4, 0, 0, 0, 0, 0, 0, 'a' }, 16);
	say(&v, (uint8_t[]){ 4, 1, 0, 0, 0, 0, 0, '!', 4, 0, 0, 0, 0, 0, 0, '!' }, 16);
	say(&v, (uint8_t[]){ 4, 1, 0, 0, 0, 0, 0xff, 0x52, 4, 0, 0, 0, 0, 0, 0xff, 0x52 }, 16);
	say(&v, (uint8_t[]){ 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xc6, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc6 }, 24);
	say(&v, (uint8_t[]){ 255, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0x9d, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x9d }, 24);
	say(&v, (uint8_t[]){ 4, 1, 0, 0, 0, 0, 0, 'z' }, 8);
	say(&v, (uint8_t[]){ 5, 1 | 16, 0xff, 0xff, 0, 0 }, 6);
	for (unsigned i = 0; i < 20; i++)
		turn(r);
	ck_assert_uint_eq(r->x, POINTER_MAX);
	ck_assert_uint_eq(r->y, 0);
	ck_assert_uint_eq(r->buttons, BUTTON_LEFT);
	ck_assert_int_eq(r->wheel, 1);
	viewer_end(&v);
	for (unsigned i = 0; i < 20; i++)
		turn(r);
	ck_assert_uint_eq(r->key_count, ARRAY_SIZE(wanted));
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++)
		ck_assert_uint_eq(r->keys[i], wanted[i]);
	rig_free(r);
}
END_TEST

/* Keysyms of letters from before Unicode, by the guest's layout; the client holds Shift and AltGr itself. */
START_TEST(letters)
{
	static const struct { const char *layout; uint32_t keysym; unsigned key; } rows[] = {
		{ "ru", 0x6ca, 0x10 }, { "ru", 0x6ea, 0x10 }, { "ru", 0x10006d1, 0 }, { "ru", 0x1000439, 0x10 }, { "ru", 0x6a3, 0x29 },
		{ "pl", 0x1b1, 0x1e }, { "pl", 0x1a3, 0x26 }, { "tr", 0x2bb, 0x1a }, { "tr", 0x1aa, 0x27 }, { "tr", 0x2b9, 0x17 },
		{ "hu", 0x1f5, 0x1a }, { "hu", 0x1a2, 0x05 }, { "pl", 0x7e1, 0 }, { "pl", 0x1a4, 0 }, { "ru", 0x7ff, 0 },
	};
	struct rig *r = rig_new(NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		r->vnc->config.layout = layout_find(rows[i].layout);
		r->key_count = 0;
		vnc_key(r->vnc, rows[i].keysym, true);
		vnc_key(r->vnc, rows[i].keysym, false);
		ck_assert_msg(r->key_count == (rows[i].key != 0 ? 2 : 0), "%s %x: %u keys, %x", rows[i].layout, rows[i].keysym, r->key_count, r->keys[0]);
		ck_assert_msg(rows[i].key == 0 || r->keys[0] == rows[i].key, "%s %x: %x", rows[i].layout, rows[i].keysym, r->keys[0]);
	}
	rig_free(r);
}
END_TEST

/* A client gets in by the right password alone. */
START_TEST(passwords)
{
	uint8_t b[64], response[16];

	if (!vnc_has_passwords())
		return;
	for (unsigned right = 0; right < 2; right++) {
		struct rig *r = rig_new("geheim");
		struct viewer v = { .rig = r, .fd = connect_to(r) };

		ck_assert(take(&v, b, 12));
		say(&v, "RFB 003.008\n", 12);
		ck_assert_uint_eq(number(&v, 2), 0x0102);
		say(&v, "\2", 1);
		ck_assert(take(&v, b, 16));
		vnc_des(right ? "geheim\0" : "geheix\0", b, response);
		say(&v, response, 16);
		ck_assert_uint_eq(number(&v, 4), right ? 0 : 1);
		if (!right) {
			ck_assert(take(&v, b, number(&v, 4)));
			ck_assert(!take(&v, b, 1));
		}
		close(v.fd);
		rig_free(r);
	}
}
END_TEST

/* ---- clients that mean harm ---- */

START_TEST(garbage)
{
	static const uint8_t types[] = { 0, 2, 3, 4, 5, 6, 251, 255, 77 };
	struct rig *r = rig_new(NULL);
	uint32_t random = 1 + (uint32_t)_i;
	uint8_t m[512];
	struct viewer v;

	for (unsigned round = 0; round < 20; round++) {
		viewer_init(&v, r);
		for (unsigned n = 0; n < 20; n++) {
			for (unsigned i = 0; i < sizeof(m); i++) {
				random = random * 1664525 + 1013904223;
				m[i] = random >> 24 & (random >> 16 & 1 ? 0xff : 3);
			}
			m[0] = types[(random >> 8) % ARRAY_SIZE(types)];
			if (send(v.fd, m, random >> 12 & 511, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
				break;
			turn(r);
			paint(r, n % PICTURES);
		}
		viewer_end(&v);
	}
	/* It still serves. */
	viewer_init(&v, r);
	ask(&v, false);
	take_update(&v);
	viewer_end(&v);
	rig_free(r);
}
END_TEST

START_TEST(strangers)
{
	static const char *const words[] = { "GET / HTTP/1.0\r\n\r\n", "RFB 004.000\n____", "RFB 003.008\n\7", "RFB 003.008\n\2" };
	struct rig *r = rig_new(NULL);

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		struct viewer v = { .rig = r, .fd = connect_to(r) };
		uint8_t b[256];

		say(&v, words[i], strlen(words[i]));
		ck_assert(!take(&v, b, sizeof(b)));
		close(v.fd);
	}
	rig_free(r);
}
END_TEST

/* One that asks and never reads costs no more than the quota; there are only so many clients. */
START_TEST(greedy)
{
	struct rig *r = rig_new(NULL);
	struct viewer v;
	int fds[VNC_CLIENTS + 4];
	uint8_t b;

	viewer_init(&v, r);
	for (unsigned i = 0; i < 100; i++) {
		paint(r, 2 + i % 2);
		for (unsigned n = 0; n < 20; n++)
			send(v.fd, (uint8_t[10]){ 3, 0, 0, 0, 0, 0, 0, WIDTH, 0, HEIGHT }, 10, MSG_NOSIGNAL | MSG_DONTWAIT);
		turn(r);
	}
	ck_assert_uint_lt(r->vnc->clients->out.capacity, 4 * VNC_QUEUE_MOST);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_to(r);
	ck_assert_uint_eq(r->vnc->client_count, VNC_CLIENTS);
	ck_assert(recv(fds[VNC_CLIENTS + 3], &b, 1, MSG_DONTWAIT) == 0);
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	viewer_end(&v);
	rig_free(r);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vnc");
	TCase *t = tcase_create("vnc");

	tcase_add_loop_test(t, pictures, 0, 3 * ARRAY_SIZE(formats));
	tcase_add_test(t, only_what_changed);
	tcase_add_test(t, resizing);
	tcase_add_test(t, keys_and_pointer);
	tcase_add_test(t, letters);
	tcase_add_test(t, passwords);
	tcase_add_loop_test(t, garbage, 0, 4);
	tcase_add_test(t, strangers);
	tcase_add_test(t, greedy);
	suite_add_tcase(suite, t);
	return run_suite(suite);
}
