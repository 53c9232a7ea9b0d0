/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * guestfwd= of -netdev user: an address and a port of the network, where a guest finds a character device of the machine's
 * or, each time it connects, a new process of a command.
 */
#include "net/user.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* What a device doesn't take at once; a guest whose device takes nothing loses what comes after. */
enum { QUEUE_MOST = 1024 * 1024 };

struct user_guest {
	Slirp *slirp;
	const struct net_devices *devices;
	void *device;
	struct in_addr address;
	uint16_t port;
	uint8_t *queue;
	size_t queued;
	struct user_guest *next;
};

static void
flush(struct user_guest *g)
{
	size_t n = g->queued != 0 ? g->devices->write(g->device, g->queue, g->queued) : 0;

	memmove(g->queue, g->queue + n, g->queued - n);
	g->queued -= n;
}

static ssize_t
from_guest(const void *bytes, size_t len, void *opaque)
{
	struct user_guest *g = opaque;
	size_t n = g->queued == 0 ? g->devices->write(g->device, bytes, len) : 0;

	if (n < len && g->queued + len - n <= QUEUE_MOST) {
		g->queue = xrealloc(g->queue, g->queued + len - n);
		memcpy(g->queue + g->queued, (const uint8_t *)bytes + n, len - n);
		g->queued += len - n;
	}
	return (ssize_t)len;
}

static size_t
room(void *opaque)
{
	struct user_guest *g = opaque;

	return slirp_socket_can_recv(g->slirp, g->address, g->port);
}

static void
to_guest(void *opaque, const uint8_t *bytes, size_t len)
{
	struct user_guest *g = opaque;

	slirp_socket_recv(g->slirp, g->address, g->port, bytes, (int)len);
}

void
user_guests_serve(struct user_guest *g)
{
	for (; g != NULL; g = g->next) {
		if (g->queued > 0)
			flush(g);
		g->devices->accept(g->device);
	}
}

void
user_guests_free(struct user_guest *g)
{
	while (g != NULL) {
		struct user_guest *next = g->next;

		g->devices->detach(g->device);
		free(g->queue);
		free(g);
		g = next;
	}
}

/* "tcp:ADDRESS:PORT-WHAT"; WHAT, NULL with E set. */
static const char *
parse(const char *rule, struct in_addr *address, uint16_t *port, struct err *e)
{
	const char *dash = strchr(rule, '-');
	char where[64] = "", *colon;
	uint64_t number;

	if (strncmp(rule, "tcp:", 4) == 0)
		rule += 4;
	else if (*rule == ':')
		rule++;
	if (dash != NULL && dash > rule && (size_t)(dash - rule) < sizeof(where))
		memcpy(where, rule, (size_t)(dash - rule));
	colon = strchr(where, ':');
	if (colon != NULL)
		*colon = '\0';
	if (colon == NULL || inet_pton(AF_INET, where, address) != 1 || dash[1] == '\0') {
		err_set(e, "write it as tcp:ADDRESS:PORT-DEVICE or tcp:ADDRESS:PORT-cmd:COMMAND, DEVICE as -serial has it");
		return NULL;
	}
	if (!parse_uint(colon + 1, UINT16_MAX, &number, e))
		return NULL;
	*port = (uint16_t)number;
	return dash + 1;
}

static bool
add_device(struct user_guest **list, Slirp *s, const struct net_devices *devices, const struct user_guest *wanted,
	const char *what, struct err *e)
{
	struct user_guest *g = xcalloc(1, sizeof(*g));
	struct net_device_user user = { .opaque = g, .room = room, .input = to_guest };

	*g = *wanted;
	g->slirp = s;
	g->devices = devices;
	if (devices->open == NULL)
		err_set(e, "there are no devices here");
	else
		g->device = devices->open(devices->opaque, what, &user, e);
	if (g->device == NULL) {
		free(g);
		return false;
	}
	if (slirp_add_guestfwd(s, from_guest, g, &g->address, g->port) < 0) {
		devices->detach(g->device);
		free(g);
		return err_set(e, "the address is not one of the network, or is taken already");
	}
	g->next = *list;
	*list = g;
	return true;
}

bool
user_add_guest(struct user_guest **list, Slirp *s, const struct net_devices *devices, const char *rule, struct err *e)
{
	struct user_guest wanted = { 0 };
	const char *what = parse(rule, &wanted.address, &wanted.port, e);
	bool ok;

	if (what == NULL)
		ok = false;
	else if (strncmp(what, "cmd:", 4) == 0)
		ok = slirp_add_exec(s, what + 4, &wanted.address, wanted.port) >= 0 ||
			err_set(e, "the address is not one of the network, or is taken already");
	else
		ok = add_device(list, s, devices, &wanted, what, e);
	return ok || err_prefix(e, "guestfwd=%s: ", rule);
}
