/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of a network card.
 *
 * A cable joins two ends: a card, a back end (user, tap, socket ...) or a port of a hub.  What one end sends, the other
 * receives; frames are Ethernet frames without the FCS.  An end that can't take a frame says so, and the sender's frame
 * waits in the cable, whose queue is bounded; what finds it full is dropped, as on a real wire.  Everything here is
 * called under the machine's lock; back ends wait for their descriptors in the loop's thread.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct err;
struct loop;
struct net;
struct net_end;

enum {
	NET_FRAME_MAX = 65536 + 64, /* headers and all; more than NET_FRAME_WIRE only if SEGMENT is set */
	NET_FRAME_WIRE = 9234,      /* the longest frame of a real wire */
	NET_IOV_MAX = 64,
};

/*
 * A frame as it is handed on.  Its bytes are the giver's and live for the time of the call.  SEGMENT: not zero for a TCP
 * segment that is longer than a wire takes, to be cut into pieces of that many bytes of payload; given only to an end
 * that says it takes them; the cable cuts it for others.  Its headers are those of the whole: lengths, the checksum of IPv4.
 * NEEDS_SUM: the TCP or UDP checksum holds only the pseudo header's sum, with the whole length; the same.
 */
struct net_frame {
	const struct iovec *iov;
	unsigned count;
	size_t len;
	uint16_t segment;
	bool needs_sum;
};

struct net_end_ops {
	const char *kind; /* "e1000", "user", "hub" ... */
	bool takes_segments;
	/*
	 * False: not now; net_ready() will be called when it can.  May be called while the end itself is in net_send(): the
	 * answer to what it sends, at once.
	 */
	bool (*receive)(void *opaque, const struct net_frame *f);
	/* The cable was plugged in or pulled out.  May be NULL. */
	void (*link)(void *opaque, bool up);
	/* The rest of its line in `info network`. */
	void (*describe)(void *opaque, char *text, size_t size);
	/* Of the user network alone: see net_hostfwd() and net_user_info(). */
	bool (*forward)(void *opaque, const char *rule, bool add, struct err *e);
	void (*connections)(void *opaque, void (*line)(void *opaque, const char *text), void *to);
	/* Back ends: ends it.  NULL for cards, which their device frees. */
	void (*close)(void *opaque);
};

/*
 * What guestfwd= leads to: the machine opens it by SPEC, as -serial has it, and hands over what comes from it as far as there
 * is room.  WRITE takes some of what goes to it, and never blocks; ACCEPT: there is room again.
 */
struct net_device_user {
	void *opaque;
	size_t (*room)(void *opaque);
	void (*input)(void *opaque, const uint8_t *bytes, size_t len);
};
struct net_devices {
	void *opaque;
	void *(*open)(void *opaque, const char *spec, const struct net_device_user *user, struct err *e);
	size_t (*write)(void *device, const void *bytes, size_t len);
	void (*accept)(void *device);
	void (*detach)(void *device);
};

struct net *net_new(struct loop *l);
void net_set_devices(struct net *n, const struct net_devices *d);
void net_free(struct net *n); /* closes the back ends; cards have gone before */

/* A back end by QEMU's -netdev syntax without the option: "user,id=n,hostfwd=...".  It exists until net_free().  NULL with E set. */
struct net_end *net_add_backend(struct net *n, const char *spec, struct err *e);
/* The kinds that -netdev takes here. */
void net_kind_names(void (*each)(void *opaque, const char *name), void *opaque);
/* Is -netdev user one of them? */
bool net_has_user(void);
/* `netdev_del`; its card finds the cable pulled out.  False with E set if there is none. */
bool net_remove_backend(struct net *n, const char *id, struct err *e);
struct net_end *net_find(struct net *n, const char *id);

/* A card, a back end, or a port: NAME is shown by info network, ID may be NULL. */
struct net_end *net_end_new(struct net *n, const char *id, const struct net_end_ops *ops, void *opaque);
void net_end_free(struct net_end *end);
const char *net_end_id(const struct net_end *end);
/* Joins two ends that are free.  False with E set. */
bool net_connect(struct net_end *a, struct net_end *b, struct err *e);
/* Is an end at the other side, and are both plugged in? */
bool net_link_up(const struct net_end *end);
/* What the other end's ops say, false without one. */
bool net_peer_takes_segments(const struct net_end *end);
/* What is between two ends and sees every frame: filter-dump.  SEE may be called for frames in either direction. */
struct net_tap {
	void *opaque;
	void (*see)(void *opaque, const struct net_frame *f);
	const char *about; /* its line in `info network` */
	struct net_tap *next;
};
void net_add_tap(struct net_end *end, struct net_tap *t);
/* `-object filter-dump`, without the type: id=, netdev=, file=, maxlen=. */
bool net_add_dump(struct net *n, const char *spec, struct err *e);

/*
 * The sum of RFC 1071 over BYTES, added to SUM (of what stands before, an even number of bytes), folded to 16 bits, not
 * inverted; in the host's order of bytes, so that it is stored as it is.
 */
uint16_t net_sum(const void *bytes, size_t len, uint32_t sum);

/* Sends to the other end; true: taken or dropped, false: it waits in the queue and no more fits, stop until writable(). */
bool net_send(struct net_end *from, const struct net_frame *f);
/* END can take frames again: what waits for it is delivered. */
void net_ready(struct net_end *end);
/* Called once when frames of END that waited have gone.  */
void net_on_writable(struct net_end *end, void (*writable)(void *opaque), void *opaque);

/* set_link: of the end or what is plugged to it. */
bool net_set_link(struct net *n, const char *id, bool up, struct err *e);
/* `info network`: a line an end, cards first, each followed by what is plugged to it. */
void net_walk(struct net *n, void (*line)(void *opaque, const char *text), void *opaque);

/* `hostfwd_add [ID] RULE`, `hostfwd_remove [ID] RULE`: of a user back end, the first one if ID is NULL. */
bool net_hostfwd(struct net *n, const char *id, const char *rule, bool add, struct err *e);
/* `info usernet`. */
void net_user_info(struct net *n, void (*line)(void *opaque, const char *text), void *opaque);

#endif
