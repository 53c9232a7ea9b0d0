/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Character devices on stream sockets, TCP and Unix, as client or server, and telnet (RFC 854) on top.  A server has one
 * peer at a time; the next one waits until it has gone.
 */
#define _GNU_SOURCE /* accept4 */
#include "ui/chr.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	TELNET_SE = 240, TELNET_BREAK = 243, TELNET_SB = 250, TELNET_WILL = 251, TELNET_DONT = 254, TELNET_IAC = 255,
	OPTION_BINARY = 0, OPTION_ECHO = 1, OPTION_SGA = 3, TELNET_DO = 253,
};

/* Where a stream of telnet is: in data, after IAC, after WILL and its like, in a subnegotiation, after its IAC, after CR. */
enum telnet_state { T_DATA, T_IAC, T_OPTION, T_SUB, T_SUB_IAC, T_CR };

struct socket_options {
	bool server, wait, telnet, nodelay;
};

struct chr_socket {
	struct chr chr;
	struct chr_pump pump;
	struct socket_options options;
	int listener;                   /* -1: a client */
	struct loop_fd *listen_watch;
	char *unlink_path;              /* of our own Unix socket */
	enum telnet_state telnet;
	bool owes_iac;                  /* the second half of a doubled FFh */
};

static void listen_again(struct chr_socket *s);

/* ---- telnet ---- */

static size_t
telnet_filter(struct chr *c, uint8_t *data, size_t len)
{
	struct chr_socket *s = (struct chr_socket *)c;
	size_t out = 0;

	for (size_t i = 0; i < len; i++) {
		uint8_t b = data[i];

		switch (s->telnet) {
		case T_CR:
			s->telnet = T_DATA;
			if (b == 0)
				break;
			/* fall through */
		case T_DATA:
			if (b == TELNET_IAC) {
				s->telnet = T_IAC;
				break;
			}
			data[out++] = b;
			s->telnet = b == '\r' ? T_CR : T_DATA;
			break;
		case T_IAC:
			s->telnet = b == TELNET_SB ? T_SUB : b >= TELNET_WILL && b <= TELNET_DONT ? T_OPTION : T_DATA;
			if (b == TELNET_IAC)
				data[out++] = b;
			else if (b == TELNET_BREAK)
				chr_tell(c, CHR_BREAK);
			break;
		case T_OPTION:
			s->telnet = T_DATA;
			break;
		case T_SUB:
			s->telnet = b == TELNET_IAC ? T_SUB_IAC : T_SUB;
			break;
		case T_SUB_IAC:
			s->telnet = b == TELNET_SE ? T_DATA : T_SUB;
			break;
		}
	}
	return out;
}

/* ---- output ---- */

/* SIZE_MAX: the peer is gone. */
static size_t
send_some(struct chr_socket *s, const void *data, size_t len)
{
	ssize_t n;

	do
		n = send(s->pump.out, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN || errno == EWOULDBLOCK ? 0 : SIZE_MAX;
	return n;
}

/* A stretch without FFh, or one FFh doubled. */
static size_t
send_telnet(struct chr_socket *s, const uint8_t *data, size_t len)
{
	static const uint8_t iac[2] = { TELNET_IAC, TELNET_IAC };
	const uint8_t *special = memchr(data, TELNET_IAC, len);
	size_t n;

	if (special != data)
		return send_some(s, data, special != NULL ? (size_t)(special - data) : len);
	n = send_some(s, iac, 2);
	s->owes_iac = n == 1;
	return n == SIZE_MAX ? n : n != 0;
}

static size_t
socket_write(struct chr *c, const uint8_t *data, size_t len)
{
	struct chr_socket *s = (struct chr_socket *)c;
	static const uint8_t iac = TELNET_IAC;
	size_t done = 0, n;

	if (s->owes_iac) {
		n = send_some(s, &iac, 1);
		s->owes_iac = n == 0;
		if (n != 1)
			return n == SIZE_MAX ? len : 0;
	}
	while (done < len) {
		n = s->options.telnet ? send_telnet(s, data + done, len - done) : send_some(s, data + done, len - done);
		if (n == SIZE_MAX)
			return len; /* reading will see the end */
		if (n == 0)
			break;
		done += n;
	}
	return done;
}

/* ---- peers ---- */

static void
drop_peer(struct chr_socket *s)
{
	chr_pump_stop(&s->pump);
	if (s->pump.in >= 0)
		close(s->pump.in);
	s->pump.in = s->pump.out = -1;
	s->owes_iac = false;
}

static void
socket_ended(struct chr *c)
{
	struct chr_socket *s = (struct chr_socket *)c;

	drop_peer(s);
	if (s->listener >= 0)
		listen_again(s);
	chr_set_open(c, false);
}

static void
take_peer(struct chr_socket *s, int fd)
{
	static const uint8_t hello[] = {
		TELNET_IAC, TELNET_WILL, OPTION_ECHO, TELNET_IAC, TELNET_WILL, OPTION_SGA,
		TELNET_IAC, TELNET_WILL, OPTION_BINARY, TELNET_IAC, TELNET_DO, OPTION_BINARY,
	};
	int on = 1;

	s->pump.in = s->pump.out = fd;
	s->telnet = T_DATA;
	if (s->options.nodelay)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (s->options.telnet)
		send_some(s, hello, sizeof(hello));
	chr_set_open(&s->chr, true);
	chr_pump_start(&s->pump);
}

static void
stop_listening(struct chr_socket *s)
{
	if (s->listen_watch != NULL)
		loop_remove_fd(s->listen_watch);
	s->listen_watch = NULL;
}

static void
peer_waits(void *opaque, short revents)
{
	struct chr_socket *s = opaque;
	int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);

	(void)revents;
	if (fd < 0)
		return;
	stop_listening(s);
	take_peer(s, fd);
}

static void
listen_again(struct chr_socket *s)
{
	if (s->listen_watch == NULL)
		s->listen_watch = loop_add_fd(s->chr.loop, s->listener, POLLIN, peer_waits, s);
}

/* Signals that are to end the program are blocked where the machine is built. */
static bool
is_to_end(void)
{
	sigset_t set;

	return sigpending(&set) == 0 && (sigismember(&set, SIGINT) || sigismember(&set, SIGTERM) || sigismember(&set, SIGHUP));
}

static bool
wait_for_peer(struct chr_socket *s, struct err *e)
{
	struct pollfd listener = { s->listener, POLLIN, 0 };
	int fd = -1;

	fprintf(stderr, "waiting for connection on: %s\n", s->chr.about);
	while (fd < 0) {
		if (poll(&listener, 1, 100) > 0)
			fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC);
		else if (is_to_end())
			return err_set(e, "ended while it waited for a connection");
	}
	take_peer(s, fd);
	return true;
}

static void
socket_want_write(struct chr *c, bool on)
{
	chr_pump_want_write(&((struct chr_socket *)c)->pump, on);
}

static void
socket_resume(struct chr *c)
{
	chr_pump_resume(&((struct chr_socket *)c)->pump);
}

static void
socket_close(struct chr *c)
{
	struct chr_socket *s = (struct chr_socket *)c;

	if (c->queued != 0 && c->open)
		socket_write(c, c->queue, c->queued);
	drop_peer(s);
	stop_listening(s);
	if (s->listener >= 0)
		close(s->listener);
	if (s->unlink_path != NULL)
		unlink(s->unlink_path);
	free(s->unlink_path);
}

static const struct chr_ops socket_ops = { socket_write, socket_want_write, socket_resume, NULL, socket_close };

/* ---- opening ---- */

bool
chr_look_up(char *text, bool passive, int socktype, struct addrinfo **list, struct err *e)
{
	struct addrinfo hints = { .ai_socktype = socktype, .ai_flags = passive ? AI_PASSIVE : 0 };
	char *colon = strrchr(text, ':'), *host = text, *port = colon != NULL ? colon + 1 : text;
	int error;

	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || *host == '\0')
		host = NULL;
	if (host != NULL && host[0] == '[' && host[strlen(host) - 1] == ']') {
		host[strlen(host) - 1] = '\0';
		host++;
	}
	if (*port < '0' || *port > '9')
		return err_set(e, "the port's number is missing: say HOST:PORT");
	if (strtoul(port, NULL, 10) > UINT16_MAX)
		return err_set(e, "port %s is too large: 65535 is the last", port);
	error = getaddrinfo(host, port, &hints, list);
	if (error != 0)
		return err_set(e, "%s:%s: %s", host != NULL ? host : "", port, gai_strerror(error));
	return true;
}

static int
bind_or_connect(const struct sockaddr *address, socklen_t len, int family, bool server)
{
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, error;

	if (fd < 0)
		return -1;
	if (server && family != AF_UNIX)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (server ? bind(fd, address, len) == 0 && listen(fd, 1) == 0 : connect(fd, address, len) == 0)
		return fd;
	error = errno;
	close(fd);
	errno = error;
	return -1;
}

static const char *
why(int error, bool server)
{
	if (error == EADDRINUSE)
		return "the address is in use by another program: choose another one, or end that program";
	if (error == ECONNREFUSED && !server)
		return "nobody listens there: start the other side first, or add ,server";
	return strerror(error);
}

int
chr_open_tcp(const char *where, bool server, struct err *e)
{
	char *text = xstrdup(where);
	struct addrinfo *list;
	int fd = -1;

	if (!chr_look_up(text, server, SOCK_STREAM, &list, e)) {
		free(text);
		return -1;
	}
	for (struct addrinfo *a = list; a != NULL && fd < 0; a = a->ai_next)
		fd = bind_or_connect(a->ai_addr, a->ai_addrlen, a->ai_family, server);
	if (fd < 0)
		err_set(e, "%s", why(errno, server));
	freeaddrinfo(list);
	free(text);
	return fd;
}

/* A socket file that nobody listens at is left over from a program that ended badly. */
int
chr_open_unix(const char *path, bool server, struct err *e)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(a.sun_path)) {
		err_set(e, "the path has more than %zu characters, which sockets can't have: choose a shorter one", sizeof(a.sun_path) - 1);
		return -1;
	}
	strcpy(a.sun_path, path);
	if (server) {
		fd = bind_or_connect((struct sockaddr *)&a, sizeof(a), AF_UNIX, false);
		if (fd >= 0) {
			close(fd);
			err_set(e, "%s", why(EADDRINUSE, true));
			return -1;
		}
		if (errno == ECONNREFUSED)
			unlink(path);
	}
	fd = bind_or_connect((struct sockaddr *)&a, sizeof(a), AF_UNIX, server);
	if (fd < 0)
		err_set(e, "%s", why(errno, server));
	return fd;
}

static bool
set_option(struct socket_options *o, const char *name, struct err *e)
{
	static const struct { const char *name; int member; bool value; } known[] = {
		{ "server", 0, true }, { "server=on", 0, true }, { "server=off", 0, false }, { "nowait", 1, false },
		{ "wait", 1, true }, { "wait=off", 1, false }, { "wait=on", 1, true }, { "telnet", 2, true },
		{ "telnet=on", 2, true }, { "telnet=off", 2, false }, { "nodelay", 3, true }, { "nodelay=on", 3, true },
		{ "nodelay=off", 3, false }, { "delay=off", 3, true }, { "delay", 3, false }, { "delay=on", 3, false },
	};
	bool *members[] = { &o->server, &o->wait, &o->telnet, &o->nodelay };

	for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, name) == 0) {
			*members[known[i].member] = known[i].value;
			return true;
		}
	}
	return err_set(e, "\"%s\" is not supported: a socket takes server, nowait, wait=on|off, telnet, nodelay", name);
}

/* Cuts the options off TEXT. */
static bool
parse_options(char *text, struct socket_options *o, struct err *e)
{
	char *next = strchr(text, ','), *save;

	if (next == NULL)
		return true;
	*next++ = '\0';
	for (char *name = strtok_r(next, ",", &save); name != NULL; name = strtok_r(NULL, ",", &save)) {
		if (!set_option(o, name, e))
			return false;
	}
	return true;
}

struct chr *
chr_open_socket(struct loop *l, const char *id, const char *spec, enum socket_kind kind, struct err *e)
{
	static const char *const names[] = { "tcp", "telnet", "unix" };
	struct socket_options o = { .wait = true, .telnet = kind == SOCKET_TELNET };
	char *text = xstrdup(spec);
	struct chr_socket *s = NULL;
	int fd = -1;

	if (parse_options(text, &o, e))
		fd = kind == SOCKET_UNIX ? chr_open_unix(text, o.server, e) : chr_open_tcp(text, o.server, e);
	if (fd < 0) {
		err_prefix(e, "%s:%s: ", names[kind], spec);
		free(text);
		return NULL;
	}
	s = (struct chr_socket *)chr_alloc(sizeof(*s), &socket_ops, l, id, xasprintf("%s:%s", names[kind], spec));
	s->options = o;
	s->pump = (struct chr_pump){ .chr = &s->chr, .in = -1, .out = -1, .ended = socket_ended };
	s->pump.filter = o.telnet ? telnet_filter : NULL;
	s->listener = o.server ? fd : -1;
	s->unlink_path = o.server && kind == SOCKET_UNIX ? xstrdup(text) : NULL;
	free(text);
	if (!o.server) {
		take_peer(s, fd);
	} else if (!o.wait) {
		listen_again(s);
	} else if (!wait_for_peer(s, e)) {
		chr_close(&s->chr);
		return NULL;
	}
	return &s->chr;
}
