/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a kind of character device is made of; seen by the chr*.c files alone. */
#ifndef UI_CHR_H
#define UI_CHR_H

#include "ui/ui.h"

struct loop_fd;

enum { CHR_QUEUE_BYTES = 65536, CHR_READ_BYTES = 4096 };

struct chr_ops {
	/* What the host takes now of LEN bytes, 0: nothing.  Never blocks.  NULL: all of it vanishes. */
	size_t (*write)(struct chr *c, const uint8_t *data, size_t len);
	/* Have chr_flush() called when the host takes more, or not any longer. */
	void (*want_write)(struct chr *c, bool on);
	/* The user takes bytes again. */
	void (*resume)(struct chr *c);
	/* A user was attached: tells it CHR_OPENED when that is so.  NULL: at once, if there is a peer. */
	void (*attached)(struct chr *c);
	void (*close)(struct chr *c); /* frees what the kind has, not C */
};

/* A kind's struct begins with this. */
struct chr {
	const struct chr_ops *ops;
	struct loop *loop;
	char *id;
	char *about;            /* "tcp:127.0.0.1:4444,server" */
	struct chr_user user;
	bool has_user;
	bool open;              /* there is a peer; without one output vanishes */
	bool refused;           /* a write was cut short: the user waits for CHR_DRAINED */
	uint8_t *queue;
	size_t queued;
};

/* A zeroed struct of SIZE bytes; ABOUT becomes its own. */
struct chr *chr_alloc(size_t size, const struct chr_ops *ops, struct loop *l, const char *id, char *about);
/* How many bytes the user takes, 0 without a user. */
size_t chr_room(struct chr *c);
void chr_deliver(struct chr *c, const uint8_t *data, size_t len);
void chr_tell(struct chr *c, enum chr_event event);
/* Writes what is queued, as far as it goes. */
void chr_flush(struct chr *c);
/* A peer came or went. */
void chr_set_open(struct chr *c, bool open);

/* ---- descriptors: the two directions of most kinds ---- */

struct chr_pump {
	struct chr *chr;
	int in, out;                    /* may be the same; -1: none */
	struct loop_fd *in_watch, *out_watch;
	bool wants_in;
	bool delivering;
	uint8_t data[CHR_READ_BYTES];   /* read, and not taken by the user yet: a datagram is read whole or lost */
	size_t first, end;
	/* Makes payload of what was read, in place; returns its length.  NULL: it is. */
	size_t (*filter)(struct chr *c, uint8_t *data, size_t len);
	void (*ended)(struct chr *c);   /* end of file, or an error of reading */
	bool datagrams;                 /* neither nothing nor an error is an end */
};

void chr_pump_start(struct chr_pump *p);
void chr_pump_stop(struct chr_pump *p);
void chr_pump_resume(struct chr_pump *p);
void chr_pump_want_write(struct chr_pump *p, bool on);

/* ---- the kinds: SPEC without the prefix ---- */

struct chr *chr_open_stdio(struct loop *l, const char *id, bool signals, struct err *e);
struct chr *chr_open_file(struct loop *l, const char *id, const char *spec, struct err *e);
struct chr *chr_open_pipe(struct loop *l, const char *id, const char *path, struct err *e);
struct chr *chr_open_pty(struct loop *l, const char *id, struct err *e);
struct chr *chr_open_device(struct loop *l, const char *id, const char *path, struct err *e);
enum socket_kind { SOCKET_TCP, SOCKET_TELNET, SOCKET_UNIX };
struct chr *chr_open_socket(struct loop *l, const char *id, const char *spec, enum socket_kind kind, struct err *e);
struct chr *chr_open_udp(struct loop *l, const char *id, const char *spec, struct err *e);

/* Looks up TEXT, "HOST:PORT", "[v6]:PORT", ":PORT" or "PORT", which is cut to pieces: a list for freeaddrinfo. */
struct addrinfo;
bool chr_look_up(char *text, bool passive, int socktype, struct addrinfo **list, struct err *e);

/* A connected or listening socket; WHERE is HOST:PORT.  -1 with E set; errno is that of the last attempt. */
int chr_open_tcp(const char *where, bool server, struct err *e);
int chr_open_unix(const char *path, bool server, struct err *e);

/* Standard input has one user; false: that was so already. */
bool terminal_claim(bool claim);
/* Its user draws on it, in modes that are set now; what to send when it is lent and taken back.  Both empty: no longer. */
void terminal_screen(const char *enter, const char *leave);
/* How often it was taken back: all is to be drawn again. */
unsigned terminal_returns(void);

#endif
