/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server: who listens, the copy of the picture, and whose turn it is. */
#define _GNU_SOURCE /* accept4 */
#include "ui/vnc.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "ui/chr.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A screen that changes is looked at 30 times a second, one that stays as it is less often; nobody looks without a client. */
enum { FASTEST_MS = 33, FIRST_PORT = 5900 };

static void
set_timer(struct vnc *v, uint64_t at_ns)
{
	struct itimerspec t = { .it_value = { at_ns / NS_PER_SEC, at_ns % NS_PER_SEC } };

	timerfd_settime(v->timer_fd, TFD_TIMER_ABSTIME, &t, NULL);
}

void
vnc_soon(struct vnc *v)
{
	set_timer(v, 1);
}

void
vnc_hurry(struct vnc *v)
{
	v->interval_ms = FASTEST_MS;
	v->next_look_ns = MIN(v->next_look_ns, pace_now_ns() + FASTEST_MS * 1000000ull);
}

/* ---- the picture ---- */

static void
owe_all(struct vnc *v, unsigned what)
{
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next)
		c->owes |= what;
}

static void
viewer_damage(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct vnc *v = opaque;
	struct vnc_rect *d = &v->damage;
	unsigned right = MAX(x + w, d->x + d->w), bottom = MAX(y + h, d->y + d->h);

	if (w == 0 || h == 0)
		return;
	if (d->w == 0) {
		*d = (struct vnc_rect){ x, y, w, h };
		return;
	}
	d->x = MIN(d->x, x);
	d->y = MIN(d->y, y);
	d->w = right - d->x;
	d->h = bottom - d->y;
}

static void
viewer_resized(void *opaque, const struct surface *s)
{
	((struct vnc *)opaque)->damage = (struct vnc_rect){ 0, 0, s->width, s->height };
}

static void
viewer_pointer(void *opaque, const uint32_t *image, unsigned w, unsigned h, unsigned hot_x, unsigned hot_y)
{
	struct vnc *v = opaque;
	bool there = image != NULL && w != 0 && h != 0 && w <= VNC_POINTER && h <= VNC_POINTER;

	free(v->pointer);
	v->pointer = NULL;
	v->hot_x = v->hot_y = 0;
	if (there) {
		v->pointer = xcalloc((size_t)w * h, sizeof(*image));
		memcpy(v->pointer, image, sizeof(*image) * w * h);
		v->pointer_width = w;
		v->pointer_height = h;
		v->hot_x = MIN(hot_x, w - 1);
		v->hot_y = MIN(hot_y, h - 1);
	}
	owe_all(v, VNC_HAS_CURSOR);
}

static void
mark_all_clients(struct vnc *v, struct vnc_rect r)
{
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next)
		vnc_mark(c, r);
}

static void
resize_copy(struct vnc *v, unsigned w, unsigned h)
{
	free(v->pixels);
	v->pixels = xcalloc((size_t)w * h, sizeof(*v->pixels));
	v->width = w;
	v->height = h;
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next) {
		c->owes |= VNC_HAS_SIZE | VNC_HAS_EXT_SIZE | VNC_HAS_POINTER_TYPE;
		vnc_mark_all(c);
	}
}

/* One tile or what the picture has of it; false: it is as it was. */
static bool
copy_tile(struct vnc *v, const struct surface *s, unsigned x, unsigned y)
{
	size_t w = 4ul * MIN(v->width - x, (unsigned)VNC_TILE);
	unsigned bottom = MIN(v->height, y + VNC_TILE);
	bool changed = false;

	for (; y < bottom; y++) {
		uint32_t *to = v->pixels + (size_t)y * v->width + x;
		const char *from = (const char *)s->pixels + (size_t)y * s->stride + 4ul * x;

		if (memcmp(to, from, w) != 0) {
			memcpy(to, from, w);
			changed = true;
		}
	}
	return changed;
}

/* Cards tell of lines and pages; what really changed is found by comparing.  True: something did. */
static bool
look_at_display(struct vnc *v)
{
	struct display *d = v->config.display;
	const struct surface *s = d->update != NULL ? d->update(d->opaque) : NULL;
	struct vnc_rect r = v->damage;
	bool changed = false;

	v->damage = (struct vnc_rect){ 0 };
	if (s == NULL || s->pixels == NULL || s->width == 0 || s->height == 0)
		return false;
	if (v->width != MIN(s->width, (unsigned)VNC_SIDE) || v->height != MIN(s->height, (unsigned)VNC_SIDE)) {
		resize_copy(v, MIN(s->width, (unsigned)VNC_SIDE), MIN(s->height, (unsigned)VNC_SIDE));
		r = (struct vnc_rect){ 0, 0, v->width, v->height };
	}
	for (unsigned y = r.y / VNC_TILE * VNC_TILE; y < MIN(r.y + r.h, v->height); y += VNC_TILE) {
		for (unsigned x = r.x / VNC_TILE * VNC_TILE; x < MIN(r.x + r.w, v->width); x += VNC_TILE) {
			if (!copy_tile(v, s, x, y))
				continue;
			mark_all_clients(v, (struct vnc_rect){ x, y, 1, 1 });
			changed = true;
		}
	}
	return changed;
}

static void
make_title(const struct vnc *v, char *title, size_t size)
{
	const char *state = v->config.state != NULL ? v->config.state(v->config.opaque) : NULL;

	snprintf(title, size, "calque%s%s%s%s%s", v->name != NULL ? " - " : "", v->name != NULL ? v->name : "",
		state != NULL ? " [" : "", state != NULL ? state : "", state != NULL ? "]" : "");
}

/* What else clients may have to be told. */
static void
look_at_rest(struct vnc *v)
{
	char title[sizeof(v->title)];
	unsigned leds = input_leds(v->config.input);

	make_title(v, title, sizeof(title));
	if (strcmp(title, v->title) != 0) {
		strcpy(v->title, title);
		owe_all(v, VNC_HAS_NAME);
	}
	if (v->absolute != input_is_absolute(v->config.input)) {
		v->absolute = !v->absolute;
		owe_all(v, VNC_HAS_POINTER_TYPE);
	}
	if (v->leds != leds) {
		v->leds = leds;
		owe_all(v, VNC_HAS_LEDS);
	}
}

static void
look(struct vnc *v, uint64_t now_ns)
{
	bool changed = look_at_display(v);

	look_at_rest(v);
	v->next_look_ns = now_ns + pace_wait_ms(&v->interval_ms, FASTEST_MS, changed, v->spent_ns) * 1000000ull;
	v->spent_ns = 0;
}

/* ---- turns ---- */

static void
remove_gone(struct vnc *v, uint64_t now_ns)
{
	for (struct vnc_client **p = &v->clients; *p != NULL;) {
		struct vnc_client *c = *p;

		if (!c->gone && (c->state == VNC_RUNNING || now_ns < c->deadline_ns)) {
			p = &c->next;
			continue;
		}
		*p = c->next;
		v->client_count--;
		vnc_client_free(c);
	}
}

/* The one that had its turn goes to the end. */
static void
rotate(struct vnc *v)
{
	struct vnc_client *first = v->clients, **p = &v->clients;

	if (first == NULL || first->next == NULL)
		return;
	v->clients = first->next;
	while (*p != NULL)
		p = &(*p)->next;
	first->next = NULL;
	*p = first;
}

/* A portion for one client each time, so that other work of the loop and the guest get in between. */
static void
timer_came(void *opaque, short revents)
{
	struct vnc *v = opaque;
	uint64_t now_ns = pace_now_ns(), before_ns = pace_spent_ns(), next_ns = UINT64_MAX, count;
	bool more = false, asked = false, served = false;

	(void)revents;
	if (read(v->timer_fd, &count, sizeof(count)) != sizeof(count))
		return;
	remove_gone(v, now_ns);
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next)
		asked = asked || (c->state == VNC_RUNNING && c->wants);
	if (asked && now_ns >= v->next_look_ns)
		look(v, now_ns);
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next) {
		if (!vnc_update_waits(c))
			continue;
		more = more || served;
		if (!served)
			more = vnc_update_go_on(c) || more;
		served = true;
	}
	rotate(v);
	v->spent_ns += pace_spent_ns() - before_ns;
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next) {
		if (c->gone)
			more = true;
		if (c->state != VNC_RUNNING)
			next_ns = MIN(next_ns, c->deadline_ns);
		else if (c->wants)
			next_ns = MIN(next_ns, v->next_look_ns);
	}
	if (more)
		vnc_soon(v);
	else if (next_ns != UINT64_MAX)
		set_timer(v, next_ns);
}

void
vnc_drop_others(struct vnc *v, const struct vnc_client *but)
{
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next)
		if (c != but && c->state == VNC_RUNNING)
			c->gone = true;
	vnc_soon(v);
}

bool
vnc_is_exclusive(const struct vnc *v, const struct vnc_client *but)
{
	for (struct vnc_client *c = v->clients; c != NULL; c = c->next)
		if (c != but && !c->gone && c->exclusive)
			return true;
	return false;
}

/* ---- listening ---- */

void
vnc_add_client(struct vnc *v, int fd, const char *about)
{
	struct vnc_client *c;
	int on = 1;

	if (v->client_count == VNC_CLIENTS) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	c = vnc_client_new(v, fd, about);
	c->next = v->clients;
	v->clients = c;
	v->client_count++;
	vnc_soon(v);
}

static void
peer_waits(void *opaque, short revents)
{
	struct vnc *v = opaque;
	struct sockaddr_storage a;
	socklen_t len = sizeof(a);
	char host[64] = "", port[16] = "", about[96];
	int fd = accept4(v->listener, (struct sockaddr *)&a, &len, SOCK_CLOEXEC);

	(void)revents;
	if (fd < 0)
		return;
	if (a.ss_family == AF_UNIX || getnameinfo((struct sockaddr *)&a, len, host, sizeof(host), port, sizeof(port),
	    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(about, sizeof(about), "unix");
	else
		snprintf(about, sizeof(about), "%s:%s", host, port);
	vnc_add_client(v, fd, about);
}

/* HOST:N as HOST:PORT, trying the next N while there is one and the port is taken. */
static bool
listen_tcp(struct vnc *v, struct err *e)
{
	const char *where = v->config.where, *colon = strrchr(where, ':');
	char *end;
	unsigned long n = colon != NULL ? strtoul(colon + 1, &end, 10) : 0;
	struct err why = { "" };

	if (colon == NULL || colon[1] < '0' || colon[1] > '9' || *end != '\0' || n > UINT16_MAX - FIRST_PORT)
		return err_set(e, "say HOST:N with N from 0 to %d, for port 5900 + N, or unix:PATH", UINT16_MAX - FIRST_PORT);
	for (; v->listener < 0; n++) {
		char *place = xasprintf("%.*s:%lu", (int)(colon - where), where, FIRST_PORT + n);

		errno = 0;
		v->listener = chr_open_tcp(place, true, &why);
		bool taken = errno == EADDRINUSE;
		free(v->where);
		v->where = place;
		if (v->listener < 0 && (!taken || n >= v->config.to))
			return err_set(e, "port %lu: %s", FIRST_PORT + n, why.text);
	}
	return true;
}

static bool
start_listening(struct vnc *v, struct err *e)
{
	const char *where = v->config.where;

	if (where == NULL)
		return true;
	if (strncmp(where, "unix:", 5) == 0) {
		v->listener = chr_open_unix(where + 5, true, e);
		v->where = xstrdup(where);
		v->unlink_path = v->listener >= 0 ? xstrdup(where + 5) : NULL;
	} else {
		listen_tcp(v, e);
	}
	if (v->listener < 0)
		return err_prefix(e, "-vnc %s: ", where);
	v->listen_watch = loop_add_fd(v->config.loop, v->listener, POLLIN, peer_waits, v);
	return true;
}

/* ---- passwords ---- */

bool
vnc_has_passwords(void)
{
	return vnc_des_built();
}

bool
vnc_set_password(struct vnc *v, const char *password, struct err *e)
{
	if (!vnc_des_built())
		return err_set(e, "this build can't check passwords: nettle was missing when it was configured");
	if (!v->config.password)
		return err_set(e, "the VNC server was started without a password; use -vnc ...,password=on");
	memset(v->password, 0, sizeof(v->password));
	for (unsigned i = 0; i < 8 && password[i] != '\0'; i++)
		v->password[i] = password[i];
	v->password_set = password[0] != '\0';
	return true;
}

void
vnc_describe(const struct vnc *v, void (*print)(void *to, const char *text), void *to)
{
	char line[256];

	snprintf(line, sizeof(line), "default:\n  Server: %s\n    Auth: %s\n", v->where != NULL ? v->where : "none",
		!v->config.password ? "none" : v->password_set ? "vnc" : "vnc, no password is set");
	print(to, line);
	for (const struct vnc_client *c = v->clients; c != NULL; c = c->next) {
		snprintf(line, sizeof(line), "  Client: %s%s\n", c->about, c->state == VNC_RUNNING ? "" : " (not in yet)");
		print(to, line);
	}
}

/* ---- beginning and end ---- */

struct vnc *
vnc_new(const struct vnc_config *config, struct err *e)
{
	struct vnc *v = xcalloc(1, sizeof(*v));

	v->config = *config;
	v->name = config->name != NULL ? xstrdup(config->name) : NULL;
	v->listener = -1;
	v->interval_ms = FASTEST_MS;
	v->scratch = xcalloc(VNC_RECT_PIXELS, sizeof(*v->scratch));
	v->viewer = (struct display_viewer){ v, viewer_damage, viewer_resized, viewer_pointer, NULL };
	v->absolute = input_is_absolute(config->input);
	v->leds = input_leds(config->input);
	resize_copy(v, 640, 480);
	make_title(v, v->title, sizeof(v->title));
	display_add_viewer(config->display, &v->viewer);
	v->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (v->timer_fd < 0)
		err_set(e, "no timer for the VNC server: %s", strerror(errno));
	else
		v->timer_watch = loop_add_fd(config->loop, v->timer_fd, POLLIN, timer_came, v);
	if (v->timer_fd < 0 || !start_listening(v, e)) {
		vnc_free(v);
		return NULL;
	}
	return v;
}

void
vnc_free(struct vnc *v)
{
	if (v == NULL)
		return;
	while (v->clients != NULL) {
		struct vnc_client *c = v->clients;

		v->clients = c->next;
		vnc_client_free(c);
	}
	display_remove_viewer(v->config.display, &v->viewer);
	if (v->listen_watch != NULL)
		loop_remove_fd(v->listen_watch);
	if (v->listener >= 0)
		close(v->listener);
	if (v->unlink_path != NULL)
		unlink(v->unlink_path);
	if (v->timer_watch != NULL)
		loop_remove_fd(v->timer_watch);
	if (v->timer_fd >= 0)
		close(v->timer_fd);
	memset(v->password, 0, sizeof(v->password));
	free(v->unlink_path);
	free(v->where);
	free(v->name);
	free(v->pixels);
	free(v->pointer);
	free(v->scratch);
	free(v);
}
