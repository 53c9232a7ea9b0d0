/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of sockets, as -netdev stream and dgram write them in several properties, and socket in one. */
#ifndef NET_ADDRESS_H
#define NET_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

struct err;
struct keyval;

struct net_address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t len;
	int fd; /* what addr.type=fd names; -1: it is an address */
};

/* PREFIX.type=inet|unix|fd with PREFIX.host= and its like.  *GIVEN: is there any?  False with E set. */
bool address_take(struct net_address *a, struct keyval *k, const char *prefix, int socktype, bool passive, bool *given,
	struct err *e);
/* "HOST:PORT", "[v6]:PORT"; an empty HOST is any of our own addresses. */
bool address_parse(struct net_address *a, const char *text, int socktype, bool passive, struct err *e);
bool address_is_multicast(const struct net_address *a);
/* For people. */
void address_text(const struct net_address *a, char *text, size_t size);
/* A descriptor that this process was given, by its number. */
bool address_take_fd(const char *text, int *fd, struct err *e);
/* What went wrong with a socket, and what to do. */
const char *address_why(int error, bool server);
/* Removes a socket's file that nobody listens at any more. */
void address_clean(const struct net_address *a, int socktype);
void address_unlink(const struct net_address *a);

#endif
