/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VNC server (RFB, RFC 6143 and the community's description of its extensions), seen by the vnc*.c files alone.
 *
 * All of it runs in the loop's thread, in small portions.  The server keeps a copy of the picture, and each client the tiles
 * of it that changed since they were sent.  A client gets the next update when it asked for one and has taken the last.
 */
#ifndef UI_VNC_H
#define UI_VNC_H

#include "ui/pace.h"
#include "ui/ui.h"

#include <zlib.h>

enum {
	VNC_CLIENTS = 16,           /* at a time */
	VNC_TILE = 32,              /* pixels a side */
	VNC_GRID = 256,             /* tiles a side: what is past 8192 pixels isn't shown */
	VNC_SIDE = VNC_TILE * VNC_GRID,
	VNC_RECT_WIDTH = 512,       /* of the largest rectangle that is encoded at once */
	VNC_RECT_PIXELS = VNC_RECT_WIDTH * VNC_TILE,
	VNC_QUEUE_MOST = 1 << 20,   /* bytes that wait for a client before no more are made, nor its messages read */
	VNC_POINTER = 256,          /* the largest pointer's side */
};

enum vnc_encoding { VNC_RAW = 0, VNC_TIGHT = 7, VNC_ZRLE = 16 };

/* Pseudo-encodings that a client knows. */
enum {
	VNC_HAS_SIZE = 1, VNC_HAS_EXT_SIZE = 2, VNC_HAS_CURSOR = 4, VNC_HAS_POINTER_TYPE = 8, VNC_HAS_EXT_KEYS = 16,
	VNC_HAS_LEDS = 32, VNC_HAS_LAST = 64, VNC_HAS_NAME = 128,
};

/* Bytes that wait, the first SENT of which are gone. */
struct vnc_bytes {
	uint8_t *data;
	size_t len, capacity, sent;
};

/* How a client wants its pixels. */
struct vnc_format {
	unsigned bytes, depth;
	bool big_endian, true_colour;
	uint16_t max[3];            /* red, green, blue */
	uint8_t shift[3];
	uint32_t map[3][256];       /* what a component adds to the pixel */
};

struct vnc_zstream {
	z_stream z;
	bool made;
};

/* What encoders keep for a client. */
struct vnc_encoder {
	struct vnc_format format;
	int level;
	struct vnc_zstream zrle, tight[3];
};

struct vnc_rect {
	unsigned x, y, w, h;
};

struct vnc_client {
	struct vnc *vnc;
	int fd;
	struct loop_fd *watch;
	char *about;
	enum { VNC_VERSION, VNC_SECURITY, VNC_CHALLENGE, VNC_INIT, VNC_RUNNING, VNC_ENDING } state;
	uint64_t deadline_ns;       /* of the handshake, or of what is still to be sent */
	unsigned minor;             /* 3, 7 or 8 */
	bool exclusive, gone;
	uint8_t challenge[16];

	uint8_t in[4096];
	size_t in_len;
	uint64_t skip;              /* bytes of a message that nobody looks at */
	unsigned encodings_left;
	struct vnc_bytes out;

	struct vnc_encoder encoder;
	struct vnc_format next_format;
	bool format_changed;
	enum vnc_encoding encoding;
	bool encoding_chosen;
	unsigned has;               /* VNC_HAS_... */

	/* The size that the client knows, what it asked for, and what it's owed. */
	unsigned width, height;
	bool wants;
	struct vnc_rect wanted;
	uint8_t dirty[VNC_GRID][VNC_GRID];
	bool dirty_row[VNC_GRID];
	unsigned owes;              /* VNC_HAS_... */
	unsigned resize_reason, resize_status;

	/* The update under way. */
	struct vnc_rect *rects;
	unsigned rect_count, rect_next;
	bool ends_with_last;

	unsigned buttons, x, y;
	bool placed;                /* X and Y are known */
	struct vnc_client *next;
};

struct vnc {
	struct vnc_config config;
	char *name, *where, *unlink_path;
	char title[200];
	int listener, timer_fd;
	struct loop_fd *listen_watch, *timer_watch;
	struct display_viewer viewer;
	char password[9];
	bool password_set;

	uint32_t *pixels;           /* the copy: WIDTH x HEIGHT */
	unsigned width, height;
	struct vnc_rect damage;
	uint64_t next_look_ns;
	unsigned interval_ms;
	uint64_t spent_ns;          /* processor time for the last look, and for what was sent of it */

	uint32_t *pointer;
	unsigned pointer_width, pointer_height, hot_x, hot_y;
	bool absolute;
	unsigned leds;
	uint32_t *scratch;          /* a rectangle of VNC_RECT_PIXELS to be encoded */
	struct vnc_client *clients;
	unsigned client_count;
};

/* ---- vnc.c ---- */
/* The timer comes soon: there is something to be done. */
void vnc_soon(struct vnc *v);
/* A person does something: look at the screen often. */
void vnc_hurry(struct vnc *v);
/* An exclusive client came: all others go. */
void vnc_drop_others(struct vnc *v, const struct vnc_client *but);
bool vnc_is_exclusive(const struct vnc *v, const struct vnc_client *but);

/* ---- vnc_client.c ---- */
struct vnc_client *vnc_client_new(struct vnc *v, int fd, const char *about);
/* Only outside of the client's own calls; those set GONE. */
void vnc_client_free(struct vnc_client *c);
void vnc_client_flush(struct vnc_client *c);

/* ---- vnc_update.c ---- */
void vnc_mark(struct vnc_client *c, struct vnc_rect r);
void vnc_mark_all(struct vnc_client *c);
/* Is there something to be sent right now? */
bool vnc_update_waits(const struct vnc_client *c);
/* The next portion of an update: true if there is more to do at once. */
bool vnc_update_go_on(struct vnc_client *c);

/* ---- vnc_encode.c ---- */
void vnc_put(struct vnc_bytes *b, const void *data, size_t len);
/* SIZE bytes, 1 to 4, big-endian. */
void vnc_put_number(struct vnc_bytes *b, uint32_t value, unsigned size);
/* Fills in the maps; false: no pixel can look like that. */
bool vnc_format_settle(struct vnc_format *f);
/* The pixels of a rectangle after its header, W x H without gaps; they are spoilt. */
void vnc_encode(struct vnc_encoder *e, enum vnc_encoding encoding, uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out);
void vnc_encode_raw(struct vnc_encoder *e, uint32_t *pixels, size_t count, struct vnc_bytes *out);
void vnc_encoder_free(struct vnc_encoder *e);

/* ---- vnc_pack.c: what ZRLE and Tight share, and they ---- */
void vnc_deflate(struct vnc_zstream *s, int level, const struct vnc_bytes *in, struct vnc_bytes *out);
void vnc_encode_zrle(struct vnc_encoder *e, const uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out);
void vnc_encode_tight(struct vnc_encoder *e, const uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out);

/* ---- vnc_keys.c ---- */
void vnc_key(struct vnc *v, uint32_t keysym, bool down);
/* The scan code that a client of the extended key event means. */
unsigned vnc_scancode(uint32_t code);

/* ---- vnc_des.c, vnc_no_des.c ---- */
bool vnc_des_built(void);
/* What the challenge becomes by VNC's authentication. */
void vnc_des(const char password[8], const uint8_t challenge[16], uint8_t response[16]);

#endif
