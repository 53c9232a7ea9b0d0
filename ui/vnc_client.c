/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC: one client, from its first byte on (RFC 6143, "Protocol Messages"). */
#define _GNU_SOURCE
#include "ui/vnc.h"

#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SECURITY_NONE = 1, SECURITY_VNC = 2, HANDSHAKE_S = 30, FAREWELL_S = 2, TEXT_MOST = 1 << 20 };

enum message {
	SET_PIXEL_FORMAT = 0, SET_ENCODINGS = 2, UPDATE_REQUEST = 3, KEY_EVENT = 4, POINTER_EVENT = 5, CUT_TEXT = 6,
	SET_DESKTOP_SIZE = 251, QEMU_MESSAGE = 255,
};

static uint32_t
be(const uint8_t *p, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

/* ---- output ---- */

static void
set_events(struct vnc_client *c)
{
	size_t waits = c->out.len - c->out.sent;

	loop_set_events(c->watch, (waits <= VNC_QUEUE_MOST && c->state != VNC_ENDING ? POLLIN : 0) | (waits != 0 ? POLLOUT : 0));
}

void
vnc_client_flush(struct vnc_client *c)
{
	struct vnc_bytes *b = &c->out;

	while (!c->gone && b->sent < b->len) {
		ssize_t n = send(c->fd, b->data + b->sent, b->len - b->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (n <= 0)
			c->gone = true;
		else
			b->sent += n;
	}
	if (c->state == VNC_ENDING && b->sent == b->len)
		c->gone = true;
	set_events(c);
}

/* ---- handshake ---- */

/* Says why, if the protocol has a place for that, and ends. */
static void
refuse(struct vnc_client *c, const char *reason)
{
	if (reason != NULL) {
		vnc_put_number(&c->out, strlen(reason), 4);
		vnc_put(&c->out, reason, strlen(reason));
	}
	c->state = VNC_ENDING;
	c->deadline_ns = pace_now_ns() + FAREWELL_S * NS_PER_SEC;
}

static void
ask_password(struct vnc_client *c)
{
	if (getrandom(c->challenge, sizeof(c->challenge), GRND_NONBLOCK) != sizeof(c->challenge)) {
		c->gone = true;
		return;
	}
	vnc_put(&c->out, c->challenge, sizeof(c->challenge));
	c->state = VNC_CHALLENGE;
}

static void
security_chosen(struct vnc_client *c, unsigned type)
{
	if (type == SECURITY_VNC) {
		ask_password(c);
		return;
	}
	if (c->minor == 8)
		vnc_put_number(&c->out, 0, 4);
	c->state = VNC_INIT;
}

static unsigned
security_of(const struct vnc *v)
{
	return v->config.password ? SECURITY_VNC : SECURITY_NONE;
}

static size_t
take_version(struct vnc_client *c)
{
	unsigned type = security_of(c->vnc);

	if (c->in_len < 12)
		return 0;
	/* "RFB 003.008\n"; what isn't known is 3.3, what is later 3.8. */
	if (memcmp(c->in, "RFB 003.", 8) != 0 || c->in[11] != '\n') {
		c->gone = true;
		return 12;
	}
	c->minor = memcmp(c->in + 8, "007", 3) == 0 ? 7 : memcmp(c->in + 8, "008", 3) >= 0 ? 8 : 3;
	if (c->minor == 3) {
		vnc_put_number(&c->out, type, 4);
		security_chosen(c, type);
	} else {
		vnc_put(&c->out, (uint8_t[2]){ 1, type }, 2);
		c->state = VNC_SECURITY;
	}
	return 12;
}

static size_t
take_security(struct vnc_client *c)
{
	if (c->in[0] == security_of(c->vnc)) {
		security_chosen(c, c->in[0]);
		return 1;
	}
	vnc_put_number(&c->out, 1, 4);
	refuse(c, c->minor == 8 ? "this security type was not offered" : NULL);
	return 1;
}

static size_t
take_response(struct vnc_client *c)
{
	const struct vnc *v = c->vnc;
	uint8_t right[16];
	unsigned wrong = 0;

	if (c->in_len < sizeof(right))
		return 0;
	vnc_des(v->password, c->challenge, right);
	for (unsigned i = 0; i < sizeof(right); i++)
		wrong |= right[i] ^ c->in[i];
	memset(c->challenge, 0, sizeof(c->challenge));
	if (wrong != 0 || !v->password_set || !vnc_des_built()) {
		vnc_put_number(&c->out, 1, 4);
		refuse(c, c->minor == 8 ? "wrong password" : NULL);
		return sizeof(right);
	}
	vnc_put_number(&c->out, 0, 4);
	c->state = VNC_INIT;
	return sizeof(right);
}

/* 32 bits, 00RRGGBB, in this host's order. */
static const struct vnc_format our_format = {
	.bytes = 4, .depth = 24, .true_colour = true, .max = { 255, 255, 255 }, .shift = { 16, 8, 0 },
};

static void
put_init(struct vnc_client *c)
{
	const struct vnc *v = c->vnc;
	static const uint8_t format[16] = { 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0 };

	c->width = v->width;
	c->height = v->height;
	vnc_put_number(&c->out, c->width, 2);
	vnc_put_number(&c->out, c->height, 2);
	vnc_put(&c->out, format, sizeof(format));
	vnc_put_number(&c->out, strlen(v->title), 4);
	vnc_put(&c->out, v->title, strlen(v->title));
}

static size_t
take_init(struct vnc_client *c)
{
	struct vnc *v = c->vnc;
	bool shared = c->in[0] != 0 || v->config.share == VNC_SHARE_IGNORE;

	if ((!shared && v->config.share == VNC_SHARE_FORCE) || (shared && vnc_is_exclusive(v, c))) {
		c->gone = true;
		return 1;
	}
	c->exclusive = !shared;
	if (!shared)
		vnc_drop_others(v, c);
	put_init(c);
	c->state = VNC_RUNNING;
	vnc_mark_all(c);
	vnc_hurry(v);
	return 1;
}

/* ---- messages: each returns how many bytes it took, 0: it isn't complete ---- */

static size_t
set_pixel_format(struct vnc_client *c)
{
	const uint8_t *p = c->in + 4;
	struct vnc_format f = { .bytes = p[0] / 8, .depth = p[1], .big_endian = p[2] != 0, .true_colour = p[3] != 0 };

	if (c->in_len < 20)
		return 0;
	for (unsigned i = 0; i < 3; i++) {
		f.max[i] = be(p + 4 + 2 * i, 2);
		f.shift[i] = p[10 + i];
	}
	if (p[0] % 8 != 0 || p[1] == 0 || p[1] > p[0] || !vnc_format_settle(&f)) {
		c->gone = true;
		return 20;
	}
	/* From the next update on. */
	c->next_format = f;
	c->format_changed = true;
	vnc_mark_all(c);
	c->owes |= VNC_HAS_CURSOR * (c->vnc->pointer != NULL);
	return 20;
}

static void
take_encoding(struct vnc_client *c, int32_t e)
{
	static const struct { int32_t encoding; unsigned has; } known[] = {
		{ -223, VNC_HAS_SIZE }, { -224, VNC_HAS_LAST }, { -239, VNC_HAS_CURSOR }, { -257, VNC_HAS_POINTER_TYPE },
		{ -258, VNC_HAS_EXT_KEYS }, { -261, VNC_HAS_LEDS }, { -307, VNC_HAS_NAME }, { -308, VNC_HAS_EXT_SIZE },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++)
		if (known[i].encoding == e)
			c->has |= known[i].has;
	if (e >= -256 && e <= -247)
		c->encoder.level = MIN(MAX(e + 256, 1), 6);
	if (!c->encoding_chosen && (e == VNC_RAW || e == VNC_ZRLE || e == VNC_TIGHT)) {
		c->encoding = (enum vnc_encoding)e;
		c->encoding_chosen = true;
	}
}

/* All is known: what the client can be told now. */
static void
encodings_end(struct vnc_client *c)
{
	c->owes |= VNC_HAS_POINTER_TYPE | VNC_HAS_EXT_KEYS | VNC_HAS_LEDS | VNC_HAS_EXT_SIZE;
	if (c->vnc->pointer != NULL)
		c->owes |= VNC_HAS_CURSOR;
	if (c->width != c->vnc->width || c->height != c->vnc->height)
		c->owes |= VNC_HAS_SIZE;
}

static size_t
take_encodings(struct vnc_client *c)
{
	size_t at = 0;

	for (; c->encodings_left != 0 && c->in_len - at >= 4; at += 4, c->encodings_left--)
		take_encoding(c, (int32_t)be(c->in + at, 4));
	if (c->encodings_left == 0)
		encodings_end(c);
	return at;
}

static size_t
set_encodings(struct vnc_client *c)
{
	if (c->in_len < 4)
		return 0;
	c->encodings_left = be(c->in + 2, 2);
	c->has = 0;
	c->encoding = VNC_RAW;
	c->encoding_chosen = false;
	if (c->encodings_left == 0)
		encodings_end(c);
	return 4;
}

static size_t
update_request(struct vnc_client *c)
{
	struct vnc_rect r;

	if (c->in_len < 10)
		return 0;
	r = (struct vnc_rect){ be(c->in + 2, 2), be(c->in + 4, 2), be(c->in + 6, 2), be(c->in + 8, 2) };
	if (c->wants) {
		/* Two that wait are one for both. */
		unsigned right = MAX(r.x + r.w, c->wanted.x + c->wanted.w), bottom = MAX(r.y + r.h, c->wanted.y + c->wanted.h);

		c->wanted.x = MIN(r.x, c->wanted.x);
		c->wanted.y = MIN(r.y, c->wanted.y);
		c->wanted.w = right - c->wanted.x;
		c->wanted.h = bottom - c->wanted.y;
	} else {
		c->wanted = r;
	}
	c->wants = true;
	if (c->in[1] == 0) {
		r.w = MIN(r.w, c->width > r.x ? c->width - r.x : 0);
		r.h = MIN(r.h, c->height > r.y ? c->height - r.y : 0);
		if (r.w != 0 && r.h != 0)
			vnc_mark(c, r);
		c->owes |= VNC_HAS_EXT_SIZE;
	}
	return 10;
}

static size_t
key_event(struct vnc_client *c)
{
	if (c->in_len < 8)
		return 0;
	vnc_key(c->vnc, be(c->in + 4, 4), c->in[1] != 0);
	vnc_hurry(c->vnc);
	return 8;
}

/* A button's press is one step of a wheel. */
static int
wheel(unsigned pressed, unsigned back, unsigned forth)
{
	return ((pressed & forth) != 0) - ((pressed & back) != 0);
}

static size_t
pointer_event(struct vnc_client *c)
{
	struct vnc *v = c->vnc;
	struct input *in = v->config.input;
	unsigned mask = c->in[1], pressed = mask & ~c->buttons, x = be(c->in + 2, 2), y = be(c->in + 4, 2), buttons;
	int dx = (int)x - 0x7fff, dy = (int)y - 0x7fff, dz = wheel(pressed, 8, 16), dw = wheel(pressed, 32, 64);

	if (c->in_len < 6)
		return 0;
	buttons = (mask & 1 ? BUTTON_LEFT : 0) | (mask & 2 ? BUTTON_MIDDLE : 0) | (mask & 4 ? BUTTON_RIGHT : 0) |
		(mask & 128 ? BUTTON_SIDE : 0);
	if (input_is_absolute(in)) {
		input_point(in, MIN(x, v->width - 1) * POINTER_MAX / MAX(v->width - 1, 1u),
			MIN(y, v->height - 1) * POINTER_MAX / MAX(v->height - 1, 1u), dz, dw, buttons);
	} else {
		/* Without the pseudo-encoding for it the way is what lies between two positions. */
		if ((c->has & VNC_HAS_POINTER_TYPE) == 0) {
			dx = c->placed ? (int)x - (int)c->x : 0;
			dy = c->placed ? (int)y - (int)c->y : 0;
		}
		input_move(in, dx, dy, dz, dw, buttons);
	}
	c->buttons = mask;
	c->x = x;
	c->y = y;
	c->placed = true;
	vnc_hurry(v);
	return 6;
}

static size_t
cut_text(struct vnc_client *c)
{
	if (c->in_len < 8)
		return 0;
	c->skip = be(c->in + 4, 4);
	c->gone = c->skip > TEXT_MOST;
	return 8;
}

/* The guest may follow some time later, or never; the answer says that it was told. */
static size_t
set_desktop_size(struct vnc_client *c)
{
	enum { FORWARDED = 4, PROHIBITED = 1, INVALID = 3 };
	struct display *d = c->vnc->config.display;
	unsigned w = be(c->in + 2, 2), h = be(c->in + 4, 2), screens = c->in[6];

	if (c->in_len < 8)
		return 0;
	c->skip = 16ul * screens;
	c->resize_reason = 1;
	c->owes |= VNC_HAS_EXT_SIZE;
	if (w == 0 || h == 0 || screens != 1) {
		c->resize_status = INVALID;
	} else if (d->wish == NULL) {
		c->resize_status = PROHIBITED;
	} else {
		c->resize_status = FORWARDED;
		d->wish(d->opaque, MIN(w, (unsigned)VNC_SIDE), MIN(h, (unsigned)VNC_SIDE));
	}
	return 8;
}

static size_t
qemu_message(struct vnc_client *c)
{
	unsigned code;

	if (c->in_len < 2)
		return 0;
	if (c->in[1] != 0) {
		c->gone = true;
		return 2;
	}
	if (c->in_len < 12)
		return 0;
	code = vnc_scancode(be(c->in + 8, 4));
	if (code != 0)
		input_key(c->vnc->config.input, code, be(c->in + 2, 2) != 0);
	else
		vnc_key(c->vnc, be(c->in + 4, 4), be(c->in + 2, 2) != 0);
	vnc_hurry(c->vnc);
	return 12;
}

static size_t
take_message(struct vnc_client *c)
{
	if (c->encodings_left != 0)
		return take_encodings(c);
	switch ((enum message)c->in[0]) {
	case SET_PIXEL_FORMAT:
		return set_pixel_format(c);
	case SET_ENCODINGS:
		return set_encodings(c);
	case UPDATE_REQUEST:
		return update_request(c);
	case KEY_EVENT:
		return key_event(c);
	case POINTER_EVENT:
		return pointer_event(c);
	case CUT_TEXT:
		return cut_text(c);
	case SET_DESKTOP_SIZE:
		return set_desktop_size(c);
	case QEMU_MESSAGE:
		return qemu_message(c);
	}
	c->gone = true;
	return 0;
}

static size_t
take(struct vnc_client *c)
{
	size_t n = MIN(c->skip, c->in_len);

	if (n != 0) {
		c->skip -= n;
		return n;
	}
	switch (c->state) {
	case VNC_VERSION:
		return take_version(c);
	case VNC_SECURITY:
		return take_security(c);
	case VNC_CHALLENGE:
		return take_response(c);
	case VNC_INIT:
		return take_init(c);
	case VNC_RUNNING:
		return take_message(c);
	case VNC_ENDING:
		break;
	}
	return c->in_len;
}

static void
take_all(struct vnc_client *c)
{
	size_t at = 0, n = 1, all = c->in_len;
	uint8_t rest[sizeof(c->in)];

	/* Messages are looked at from the buffer's beginning on. */
	while (n != 0 && at < all && !c->gone) {
		n = take(c);
		at += n;
		c->in_len = all - at;
		if (n != 0 && c->in_len != 0) {
			memcpy(rest, c->in + n, c->in_len);
			memcpy(c->in, rest, c->in_len);
		}
	}
}

/* One read a turn. */
static void
ready(void *opaque, short revents)
{
	struct vnc_client *c = opaque;
	ssize_t n;

	if ((revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !c->gone) {
		n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
			c->gone = true;
		if (n > 0) {
			c->in_len += n;
			take_all(c);
		}
	}
	vnc_client_flush(c);
	vnc_soon(c->vnc);
}

/* ---- beginning and end ---- */

struct vnc_client *
vnc_client_new(struct vnc *v, int fd, const char *about)
{
	struct vnc_client *c = xcalloc(1, sizeof(*c));

	c->vnc = v;
	c->fd = fd;
	c->about = xstrdup(about);
	c->deadline_ns = pace_now_ns() + HANDSHAKE_S * NS_PER_SEC;
	c->encoder.format = our_format;
	c->encoder.level = 2;
	vnc_format_settle(&c->encoder.format);
	c->watch = loop_add_fd(v->config.loop, fd, POLLIN, ready, c);
	vnc_put(&c->out, "RFB 003.008\n", 12);
	vnc_client_flush(c);
	return c;
}

void
vnc_client_free(struct vnc_client *c)
{
	/* What it held down isn't told from what others do: all is let go. */
	if (c->state == VNC_RUNNING)
		input_release(c->vnc->config.input);
	loop_remove_fd(c->watch);
	close(c->fd);
	vnc_encoder_free(&c->encoder);
	free(c->out.data);
	free(c->rects);
	free(c->about);
	free(c);
}
