/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A character device on UDP: [HOST]:PORT[@[LOCAL]:PORT]; each write is a datagram. */
#include "ui/chr.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct chr_udp {
	struct chr chr;
	struct chr_pump pump;
};

static size_t
udp_write(struct chr *c, const uint8_t *data, size_t len)
{
	struct chr_udp *u = (struct chr_udp *)c;

	for (size_t done = 0; done < len; done += MIN(len - done, 1024)) {
		if (send(u->pump.out, data + done, MIN(len - done, 1024), MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
			break; /* lost, as datagrams may be */
	}
	return len;
}

static void
udp_resume(struct chr *c)
{
	chr_pump_resume(&((struct chr_udp *)c)->pump);
}

static void
udp_close(struct chr *c)
{
	struct chr_udp *u = (struct chr_udp *)c;

	chr_pump_stop(&u->pump);
	close(u->pump.in);
}

static const struct chr_ops udp_ops = { .write = udp_write, .resume = udp_resume, .close = udp_close };

static bool
bind_local(int fd, char *local, int family, struct err *e)
{
	struct addrinfo *list;
	bool ok = false;

	if (!chr_look_up(local, true, SOCK_DGRAM, &list, e))
		return false;
	for (struct addrinfo *a = list; a != NULL && !ok; a = a->ai_next)
		ok = a->ai_family == family && bind(fd, a->ai_addr, a->ai_addrlen) == 0;
	if (!ok)
		err_set(e, "the local address can't be had: %s", strerror(errno));
	freeaddrinfo(list);
	return ok;
}

static int
connect_udp(char *remote, char *local, struct err *e)
{
	char *with_host = remote[0] == ':' ? xasprintf("127.0.0.1%s", remote) : xstrdup(remote);
	struct addrinfo *list;
	int fd = -1;

	if (!chr_look_up(with_host, false, SOCK_DGRAM, &list, e)) {
		free(with_host);
		return -1;
	}
	fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || (local != NULL && !bind_local(fd, local, list->ai_family, e)) ||
		connect(fd, list->ai_addr, list->ai_addrlen) != 0) {
		if (local == NULL)
			err_set(e, "can't be reached: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	freeaddrinfo(list);
	free(with_host);
	return fd;
}

struct chr *
chr_open_udp(struct loop *l, const char *id, const char *spec, struct err *e)
{
	char *remote = xstrdup(spec), *local = strchr(remote, '@');
	struct chr_udp *u;
	int fd;

	if (local != NULL)
		*local++ = '\0';
	fd = connect_udp(remote, local, e);
	free(remote);
	if (fd < 0) {
		err_prefix(e, "udp:%s: ", spec);
		return NULL;
	}
	u = (struct chr_udp *)chr_alloc(sizeof(*u), &udp_ops, l, id, xasprintf("udp:%s", spec));
	u->pump = (struct chr_pump){ .chr = &u->chr, .in = fd, .out = fd, .datagrams = true };
	u->chr.open = true;
	chr_pump_start(&u->pump);
	return &u->chr;
}
