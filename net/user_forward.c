/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hostfwd= of -netdev user: ports of the host that lead into the guest. */
#include "net/user.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
};

struct forward {
	bool udp;
	union address host, guest;
};

static socklen_t
address_size(const union address *a)
{
	return a->any.sa_family == AF_INET6 ? sizeof(a->in6) : sizeof(a->in);
}

static const char RULE[] = "write it as tcp|udp:[HOST]:PORT-[GUEST]:PORT, IPv6 addresses in [ ]";

/* The address of TEXT, which is "", "a.b.c.d" or "[v6]".  An empty one is any address of FAMILY. */
static bool
parse_host(const char *text, int family, union address *a, struct err *e)
{
	size_t len = strlen(text);
	char v6[INET6_ADDRSTRLEN];

	*a = (union address){ .any.sa_family = (sa_family_t)family };
	if (len == 0)
		return true;
	a->any.sa_family = AF_INET;
	if (inet_pton(AF_INET, text, &a->in.sin_addr) == 1)
		return true;
	a->any.sa_family = AF_INET6;
	if (len > 2 && text[0] == '[' && text[len - 1] == ']' && len - 2 < sizeof(v6)) {
		memcpy(v6, text + 1, len - 2);
		v6[len - 2] = '\0';
		if (inet_pton(AF_INET6, v6, &a->in6.sin6_addr) == 1)
			return true;
	}
	return err_set(e, "'%s' is not an IP address; %s", text, RULE);
}

/* "[HOST]:PORT" */
static bool
parse_end(char *text, int family, bool port_needed, union address *a, struct err *e)
{
	char *colon = strrchr(text, ':');
	uint64_t port;

	if (colon == NULL)
		return err_set(e, "the port of '%s' is missing; %s", text, RULE);
	*colon = '\0';
	if (!parse_host(text, family, a, e) || !parse_uint(colon + 1, UINT16_MAX, &port, e))
		return false;
	if (port == 0 && port_needed)
		return err_set(e, "the guest's port can't be 0");
	if (a->any.sa_family == AF_INET6)
		a->in6.sin6_port = htons((uint16_t)port);
	else
		a->in.sin_port = htons((uint16_t)port);
	return true;
}

/* Takes "tcp:" or "udp:" off; ":" alone means TCP.  What follows, NULL with E set if it is something else. */
static char *
take_protocol(char *text, bool *udp, struct err *e)
{
	*udp = strncmp(text, "udp:", 4) == 0;
	if (*udp || strncmp(text, "tcp:", 4) == 0)
		return text + 4;
	if (*text == ':')
		return text + 1;
	err_set(e, "the protocol is neither tcp nor udp; %s", RULE);
	return NULL;
}

static bool
parse_rule(char *text, struct forward *f, struct err *e)
{
	char *host = take_protocol(text, &f->udp, e);
	char *dash = host != NULL ? strchr(host, '-') : NULL;

	if (host == NULL)
		return false;
	if (dash == NULL)
		return err_set(e, "the guest's side is missing; %s", RULE);
	*dash = '\0';
	if (!parse_end(host, AF_INET, false, &f->host, e) ||
	    !parse_end(dash + 1, f->host.any.sa_family, true, &f->guest, e))
		return false;
	if (f->host.any.sa_family != f->guest.any.sa_family && *host == '\0')
		f->host = (union address){ .in6 = { .sin6_family = AF_INET6, .sin6_port = f->host.in.sin_port } };
	return f->host.any.sa_family == f->guest.any.sa_family ||
		err_set(e, "the two addresses have to be of one kind, both IPv4 or both IPv6");
}

static const char *
why(int error)
{
	switch (error) {
	case EADDRINUSE: return "another program uses the host's port; choose another one";
	case EACCES: return "no right to that port of the host; use one of 1024 or more";
	case EADDRNOTAVAIL: return "the host doesn't have that address";
	}
	return strerror(error);
}

bool
user_add_forward(Slirp *s, const char *rule, struct err *e)
{
	struct forward f;
	char *copy = xstrdup(rule);
	bool ok = parse_rule(copy, &f, e);

	free(copy);
	errno = 0;
	if (ok && slirp_add_hostxfwd(s, &f.host.any, address_size(&f.host), &f.guest.any, address_size(&f.guest),
	    (f.udp ? SLIRP_HOSTFWD_UDP : 0) | (f.host.any.sa_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0)) != 0)
		ok = err_set(e, "%s", errno != 0 ? why(errno) : "it can't be set up");
	return ok || err_prefix(e, "hostfwd=%s: ", rule);
}

bool
user_remove_forward(Slirp *s, const char *rule, struct err *e)
{
	struct forward f;
	char *copy = xstrdup(rule);
	char *host = take_protocol(copy, &f.udp, e);
	bool ok = host != NULL && parse_end(host, AF_INET, false, &f.host, e);

	free(copy);
	if (ok && slirp_remove_hostxfwd(s, &f.host.any, address_size(&f.host),
	    (f.udp ? SLIRP_HOSTFWD_UDP : 0) | (f.host.any.sa_family == AF_INET6 ? SLIRP_HOSTFWD_V6ONLY : 0)) != 0)
		ok = err_set(e, "nothing is forwarded from there; info usernet lists what is");
	return ok || err_prefix(e, "%s: ", rule);
}
