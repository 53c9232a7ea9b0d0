/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the user network share; seen by the user*.c files alone. */
#ifndef NET_USER_H
#define NET_USER_H

#include "net/backend.h"

#include <netinet/in.h>

#include <slirp/libslirp.h>

enum { USER_SEARCH_MAX = 32 };

/* The addresses and names that properties ask for, checked. */
struct user_config {
	SlirpConfig slirp;
	const char *search[USER_SEARCH_MAX + 1];
};

/* Strings of C point into K. */
bool user_configure(struct user_config *c, struct keyval *k, struct err *e);

/* "tcp:[HOST]:PORT-[GUEST]:PORT" */
bool user_add_forward(Slirp *s, const char *rule, struct err *e);
/* "tcp:[HOST]:PORT" */
bool user_remove_forward(Slirp *s, const char *rule, struct err *e);

/* "tcp:ADDRESS:PORT-WHAT" */
struct user_guest;
bool user_add_guest(struct user_guest **list, Slirp *s, const struct net_devices *devices, const char *rule, struct err *e);
/* After libslirp has run: hands over what waits. */
void user_guests_serve(struct user_guest *list);
void user_guests_free(struct user_guest *list);

#endif
