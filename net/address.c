/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "net/address.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Of several addresses an IPv4 one: that is where the other side listens most often. */
static bool
look_up(struct net_address *a, const char *host, const char *port, int family, int socktype, bool passive, struct err *e)
{
	struct addrinfo hints = { .ai_family = family, .ai_socktype = socktype, .ai_flags = passive ? AI_PASSIVE : 0 };
	struct addrinfo *list, *found;
	uint64_t number;

	if (!parse_uint(port, UINT16_MAX, &number, e))
		return err_prefix(e, "the port: ");
	if (host != NULL && *host == '\0')
		host = NULL;
	int error = getaddrinfo(host, port, &hints, &list);

	if (error != 0)
		return err_set(e, "%s: %s", host != NULL ? host : "", gai_strerror(error));
	found = list;
	while (found != NULL && found->ai_family != AF_INET)
		found = found->ai_next;
	if (found == NULL)
		found = list;
	memcpy(&a->any, found->ai_addr, found->ai_addrlen);
	a->len = found->ai_addrlen;
	a->fd = -1;
	freeaddrinfo(list);
	return true;
}

bool
address_parse(struct net_address *a, const char *text, int socktype, bool passive, struct err *e)
{
	char *copy = xstrdup(text), *host = copy, *colon = strrchr(copy, ':');
	bool ok = colon != NULL;

	if (!ok) {
		err_set(e, "'%s': the port is missing; write it as HOST:PORT", text);
	} else {
		*colon = '\0';
		if (host[0] == '[' && colon > host + 1 && colon[-1] == ']') {
			colon[-1] = '\0';
			host++;
		}
		ok = look_up(a, host, colon + 1, AF_UNSPEC, socktype, passive, e);
	}
	free(copy);
	return ok;
}

/* The property PREFIX.NAME. */
static const char *
part(struct keyval *k, const char *prefix, const char *name)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", prefix, name);
	return keyval_str(k, key);
}

static bool
part_bool(struct keyval *k, const char *prefix, const char *name, bool *out, struct err *e)
{
	char key[64];

	snprintf(key, sizeof(key), "%s.%s", prefix, name);
	return keyval_bool(k, key, out, e);
}

static bool
take_inet(struct net_address *a, struct keyval *k, const char *prefix, int socktype, bool passive, struct err *e)
{
	const char *host = part(k, prefix, "host"), *port = part(k, prefix, "port");
	bool ipv4 = true, ipv6 = true, ignored = false;

	if (port == NULL || (host == NULL && !passive))
		return err_set(e, "%s.host= and %s.port= are needed", prefix, prefix);
	if (part(k, prefix, "to") != NULL)
		return err_set(e, "%s.to= is not supported; choose a port that is free", prefix);
	if (!part_bool(k, prefix, "ipv4", &ipv4, e) || !part_bool(k, prefix, "ipv6", &ipv6, e) ||
	    !part_bool(k, prefix, "numeric", &ignored, e) || !part_bool(k, prefix, "keep-alive", &ignored, e))
		return false;
	if (part(k, prefix, "ipv6") != NULL && ipv6 && part(k, prefix, "ipv4") == NULL)
		ipv4 = false;
	if (!ipv4 && !ipv6)
		return err_set(e, "%s.ipv4=off and %s.ipv6=off leave nothing", prefix, prefix);
	return look_up(a, host, port, !ipv6 ? AF_INET : !ipv4 ? AF_INET6 : AF_UNSPEC, socktype, passive, e);
}

/* An abstract name stands behind a zero byte; not tight, zeros fill the rest. */
static bool
take_unix(struct net_address *a, struct keyval *k, const char *prefix, struct err *e)
{
	const char *path = part(k, prefix, "path");
	bool abstract = false, tight = true;
	size_t most = sizeof(a->un.sun_path) - 1;

	if (path == NULL || *path == '\0')
		return err_set(e, "%s.path= is missing", prefix);
	if (!part_bool(k, prefix, "abstract", &abstract, e) || !part_bool(k, prefix, "tight", &tight, e))
		return false;
	if (strlen(path) > most - abstract)
		return err_set(e, "%s.path= has more than %zu characters, which sockets can't have: choose a shorter one", prefix,
			most - abstract);
	a->un = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(a->un.sun_path + abstract, path, strlen(path));
	a->len = abstract && tight ? (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(path)) : sizeof(a->un);
	a->fd = -1;
	return true;
}

bool
address_take(struct net_address *a, struct keyval *k, const char *prefix, int socktype, bool passive, bool *given,
	struct err *e)
{
	const char *type = part(k, prefix, "type");

	*given = type != NULL;
	if (type == NULL)
		return true;
	if (strcmp(type, "inet") == 0)
		return take_inet(a, k, prefix, socktype, passive, e);
	if (strcmp(type, "unix") == 0)
		return take_unix(a, k, prefix, e);
	if (strcmp(type, "fd") == 0) {
		const char *text = part(k, prefix, "str");

		*a = (struct net_address){ .fd = -1 };
		if (text == NULL)
			return err_set(e, "%s.str=NUMBER is missing: the descriptor", prefix);
		return address_take_fd(text, &a->fd, e);
	}
	return err_set(e, "%s.type=%s is not known; use inet, unix or fd", prefix, type);
}

bool
address_take_fd(const char *text, int *fd, struct err *e)
{
	uint64_t number;

	if (!parse_uint(text, INT32_MAX, &number, e))
		return err_prefix(e, "the descriptor: ");
	if (number <= STDERR_FILENO || fcntl((int)number, F_GETFD) < 0)
		return err_set(e, "descriptor %s is not open; the program that starts this one has to hand it over", text);
	*fd = (int)number;
	fcntl(*fd, F_SETFD, FD_CLOEXEC);
	fcntl(*fd, F_SETFL, fcntl(*fd, F_GETFL) | O_NONBLOCK);
	return true;
}

bool
address_is_multicast(const struct net_address *a)
{
	if (a->any.sa_family == AF_INET)
		return IN_MULTICAST(ntohl(a->in.sin_addr.s_addr));
	return a->any.sa_family == AF_INET6 && IN6_IS_ADDR_MULTICAST(&a->in6.sin6_addr);
}

void
address_text(const struct net_address *a, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	if (a->fd >= 0) {
		snprintf(text, size, "fd %d", a->fd);
	} else if (a->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &a->in.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(a->in.sin_port));
	} else if (a->any.sa_family == AF_INET6) {
		inet_ntop(AF_INET6, &a->in6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host, ntohs(a->in6.sin6_port));
	} else if (a->any.sa_family == AF_UNIX) {
		snprintf(text, size, "unix:%s", a->un.sun_path[0] != '\0' ? a->un.sun_path : a->un.sun_path + 1);
	} else {
		snprintf(text, size, "?");
	}
}

const char *
address_why(int error, bool server)
{
	switch (error) {
	case EADDRINUSE: return "the address is in use by another program: choose another one, or end that program";
	case ENOENT: return server ? "its directory is not there" : "nobody listens there: start the other side first";
	case ECONNREFUSED: return "nobody listens there: start the other side first";
	case EADDRNOTAVAIL: return "the host doesn't have that address";
	case EACCES: return "no right to do that";
	}
	return strerror(error);
}

void
address_clean(const struct net_address *a, int socktype)
{
	if (a->any.sa_family != AF_UNIX || a->un.sun_path[0] == '\0')
		return;
	int fd = socket(AF_UNIX, socktype | SOCK_CLOEXEC, 0);

	if (fd >= 0 && connect(fd, &a->any, a->len) != 0 && errno == ECONNREFUSED)
		unlink(a->un.sun_path);
	if (fd >= 0)
		close(fd);
}

void
address_unlink(const struct net_address *a)
{
	if (a->any.sa_family == AF_UNIX && a->un.sun_path[0] != '\0')
		unlink(a->un.sun_path);
}
