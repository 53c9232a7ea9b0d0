/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of screen, keys, and character devices.  Everything here is called under the machine's lock, in the
 * loop's thread or, from a device's register, in a vCPU's.
 */
#ifndef UI_UI_H
#define UI_UI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct err;
struct loop;

/* ---- character devices: what -serial, -chardev, -monitor, -parallel and isa-debugcon speak to ---- */

struct chr;

enum chr_event {
	CHR_OPENED,  /* a peer came, or was there when the user attached */
	CHR_CLOSED,  /* it went */
	CHR_BREAK,   /* a line break, as Ctrl-A b sends it */
	CHR_FOCUS,   /* a multiplexer's front got the keyboard, not for the first time */
	CHR_DRAINED, /* all is written, after a chr_write() that took less than it was given */
};

/* The one user of a chr: a UART, a monitor, or the multiplexer in front of several. */
struct chr_user {
	void *opaque;
	/* How many bytes the user takes now. */
	size_t (*can_receive)(void *opaque);
	void (*receive)(void *opaque, const uint8_t *data, size_t len);
	/* May be NULL. */
	void (*event)(void *opaque, enum chr_event event);
};

/*
 * SPEC is QEMU's -serial syntax: stdio, mon:stdio, null, none, vc, pty, file:PATH, pipe:PATH, tcp:HOST:PORT[,server[=on]]
 * [,nowait|,wait=off][,nodelay], telnet:..., unix:PATH[,server][,nowait], udp:..., chardev:ID.  NULL with E set on an error.
 */
struct chr *chr_open(struct loop *l, const char *id, const char *spec, struct err *e);
void chr_close(struct chr *c);
const char *chr_id(const struct chr *c);
/* One line for `info chardev`. */
void chr_describe(const struct chr *c, char *text, size_t size);

void chr_attach(struct chr *c, const struct chr_user *user);
/* Never blocks: what the host does not take now is queued up to 64 KiB; how many bytes were taken. */
size_t chr_write(struct chr *c, const void *data, size_t len);
/* The user can take more now: deliver what waits. */
void chr_accept(struct chr *c);

/*
 * A raw terminal on standard input, put back by terminal_restore(): at exit by itself, and safe to call in a signal
 * handler.  SIGNALS: Ctrl-C and its like still raise signals.  Nothing happens if standard input is no terminal.
 */
void terminal_raw(bool signals);
void terminal_restore(void);
/* Lends it to the shell while the process is stopped, and takes it back; neither does anything if it isn't raw. */
void terminal_leave(void);
void terminal_return(void);

/* A multiplexer as `mon:` and -nographic use it: Ctrl-A x (quit), c (next user), h (help), s (commit/snapshot), b (break), Ctrl-A Ctrl-A. */
struct chr_mux_ops {
	void *opaque;
	void (*quit)(void *opaque);
	void (*sync)(void *opaque); /* Ctrl-A s: flush disks */
};
/* Closing the multiplexer closes BASE; close its fronts before. */
struct chr *chr_mux_new(struct chr *base, const struct chr_mux_ops *ops);
/* Each call makes one more front, NULL after the eighth; the first has the focus. */
struct chr *chr_mux_front(struct chr *mux);

/* ---- the screen ---- */

/* What a display card shows: 32-bit pixels 00RRGGBB, STRIDE in bytes.  Owned by the card. */
struct surface {
	uint32_t *pixels;
	unsigned width, height, stride;
};

/* Who looks at a screen: a window, a VNC server. */
struct display_viewer {
	void *opaque;
	/* These pixels changed.  They are drawn by the time update() returns.  May be NULL, as all of these. */
	void (*damage)(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h);
	/* The surface has another size or other memory from now on. */
	void (*resized)(void *opaque, const struct surface *s);
	/* The card's own pointer: IMAGE is W x H of AARRGGBB, NULL for none; it is not part of the surface. */
	void (*pointer)(void *opaque, const uint32_t *image, unsigned w, unsigned h, unsigned hot_x, unsigned hot_y);
	struct display_viewer *next;
};

/* A screen as text. */
struct display_text {
	enum { DISPLAY_TEXT, DISPLAY_BLANK, DISPLAY_GRAPHICS } kind; /* the rest is of text; WIDTH and HEIGHT of graphics */
	const uint16_t *cells;          /* ROWS x COLUMNS, each a character | attribute << 8; the card's, until it is asked again */
	unsigned columns, rows;
	unsigned cursor;                /* the cell it is on; UINT_MAX: there is none to be seen */
	bool blinks;                    /* bit 7 of an attribute does that; else the background is bright */
	unsigned width, height;         /* in dots */
};

/* A card offers this; viewers and screendump ask it. */
struct display {
	void *opaque;
	/* Brings the surface up to date and returns it; what changed is told to the viewers. */
	const struct surface *(*update)(void *opaque);
	/* Draw all of it at the next update. */
	void (*invalidate)(void *opaque);
	void (*text)(void *opaque, struct display_text *t);
	/* The size that a viewer would like (a window was resized), for the guest to read from the EDID.  May be NULL. */
	void (*wish)(void *opaque, unsigned width, unsigned height);
	struct display_viewer *viewers;
};

void display_add_viewer(struct display *d, struct display_viewer *v);
void display_remove_viewer(struct display *d, struct display_viewer *v);
/* For cards: tells all viewers. */
void display_damage(struct display *d, unsigned x, unsigned y, unsigned w, unsigned h);
void display_resized(struct display *d, const struct surface *s);
void display_pointer(struct display *d, const uint32_t *image, unsigned w, unsigned h, unsigned hot_x, unsigned hot_y);

/* By the name's end: .png or .ppm. */
bool surface_save(const struct surface *s, const char *path, struct err *e);

/* ---- keys and pointer ---- */

enum pointer_button { BUTTON_LEFT = 1, BUTTON_RIGHT = 2, BUTTON_MIDDLE = 4, BUTTON_SIDE = 8, BUTTON_EXTRA = 16 };

/* An absolute position goes from 0 to POINTER_MAX over the width and height of the screen. */
enum { POINTER_MAX = 32767 };

/* What takes keys or movements: a keyboard, a mouse, a tablet.  Functions that don't apply are NULL. */
struct input_sink {
	const char *name;
	void *opaque;
	/* AT set 1 scan codes; 0xE0xx extended; 0xE11D pause. */
	void (*key)(void *opaque, unsigned scancode, bool down);
	/* DZ: wheel steps, positive towards the user; DW: to the right.  BUTTONS: those that are down. */
	void (*move)(void *opaque, int dx, int dy, int dz, int dw, unsigned buttons);
	void (*point)(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons);
	/* A keyboard's, as the guest has set them: 1 Scroll Lock, 2 Num Lock, 4 Caps Lock. */
	unsigned (*leds)(void *opaque);
	struct input_sink *next;
};

/*
 * The way of keys and movements from viewers to the guest.  Keys go to the keyboard that was made active last, movements to
 * the pointing device that was; viewers ask whether that is absolute, as the host's pointer then needs no grab.
 */
struct input {
	struct input_sink *sinks;    /* most recently active first */
	uint32_t down[8];            /* keys that are down, by 8 bits of scan code; extended ones in the upper half */
	unsigned buttons;
	unsigned x, y;               /* where it pointed last */
	void (*absolute_changed)(void *opaque, bool absolute); /* for the viewer; may be NULL */
	void *opaque;
};

void input_add(struct input *in, struct input_sink *s);
void input_remove(struct input *in, struct input_sink *s);
/* The guest uses it: it takes what it can from now on. */
void input_activate(struct input *in, struct input_sink *s);
bool input_is_absolute(const struct input *in);
/* Those of the keyboard that gets the keys. */
unsigned input_leds(const struct input *in);

void input_key(struct input *in, unsigned scancode, bool down);
void input_move(struct input *in, int dx, int dy, int dz, int dw, unsigned buttons);
void input_point(struct input *in, unsigned x, unsigned y, int dz, int dw, unsigned buttons);
/* Whatever is down goes up: focus was lost, a client left. */
void input_release(struct input *in);

/* Set-1 scan code of a key name as sendkey takes it, 0 if there is none. */
unsigned key_from_name(const char *name);
/*
 * Presses keys one set after the other, as sendkey does: COUNT (at most 16) scan codes go down in order, are held for
 * HOLD_MS of virtual time and go up in reverse; the next set waits for that.  False: 256 sets wait already.
 */
struct key_queue;
struct key_queue *key_queue_new(struct clock *c, struct input *to);
void key_queue_free(struct key_queue *q);
bool key_queue_push(struct key_queue *q, const uint16_t *scancodes, unsigned count, unsigned hold_ms);

/* All key names, for completion: calls EACH for each. */
void key_walk(void (*each)(void *opaque, const char *name), void *opaque);

/* ---- text consoles: what `vc` stands for; only with a window or on a terminal ---- */

struct console;
/* SIZE as after "vc:", in pixels (640x400) or cells (80Cx25C); empty or NULL: that of the window. */
struct console *console_new(struct loop *l, const char *id, const char *size, struct err *e);
/* Its line; closing that frees the console. */
struct chr *console_chr(struct console *c);

/* ---- keyboard layouts: which keys type a character on the keyboard that the guest believes in ---- */

struct layout;
/* NAME as -k has it; NULL: not known. */
const struct layout *layout_find(const char *name);
void layout_walk(void (*each)(void *opaque, const char *name), void *opaque);

enum { LAYOUT_STROKES = 2, LAYOUT_KEYS = 4 };

/* Keys that go down together, in order: a modifier, the key. */
struct stroke {
	uint16_t keys[LAYOUT_KEYS];
	unsigned count;
};

/* How many strokes type CODE, a Unicode character: two with a dead key, 0: this layout has no such character. */
unsigned layout_strokes(const struct layout *l, uint32_t code, struct stroke strokes[LAYOUT_STROKES]);

/* ---- the window ---- */

enum window_gl { WINDOW_GL_AUTO, WINDOW_GL_ON, WINDOW_GL_OFF };
/* What is held for the window's own keys. */
enum grab_mod { GRAB_CTRL_ALT, GRAB_SHIFT_CTRL_ALT, GRAB_RCTRL };

/* What the window asks of the machine; all in the loop's thread. */
struct window_ops {
	void *opaque;
	const char *(*state)(void *opaque); /* "running", "paused" ... */
	bool (*is_running)(void *opaque);
	void (*pause)(void *opaque, bool on);
	void (*power_button)(void *opaque);
	void (*quit)(void *opaque);
};

struct window_config {
	struct loop *loop;
	const char *name;               /* the machine's, or NULL */
	enum window_gl gl;
	enum grab_mod grab_mod;
	bool full_screen, smooth, show_cursor, ignore_close;
	struct window_ops ops;
	struct input *input;
	struct key_queue *keys;
	const struct layout *layout;
};

/* A picture in the window, chosen by Ctrl-Alt-1 and on. */
struct window_tab {
	const char *title;
	struct display *display;        /* or */
	struct console *console;
};

struct window;

/* Does this build have one? */
bool window_built(void);
/* Why there can be no window, or NULL. */
const char *window_missing(void);
/* TABS are copied.  To be freed before what they name. */
struct window *window_new(const struct window_config *config, const struct window_tab *tabs, unsigned count, struct err *e);
void window_free(struct window *w);

/* ---- the terminal as the window: -display curses ---- */

struct curses_config {
	struct loop *loop;
	const char *charset;            /* what the guest's characters are, by its name for iconv(3); NULL: CP437 */
	struct input *input;
	struct key_queue *keys;
	const struct layout *layout;
	void *opaque;
	bool (*is_running)(void *opaque);
	void (*quit)(void *opaque);     /* the terminal is gone */
};

struct curses;

/* Why this build can't, or NULL. */
const char *curses_missing(void);
/* TABS are copied.  To be freed before what they name. */
struct curses *curses_new(const struct curses_config *config, const struct window_tab *tabs, unsigned count, struct err *e);
void curses_free(struct curses *c);

/* ---- the VNC server ---- */

enum vnc_share { VNC_SHARE_EXCLUSIVE, VNC_SHARE_FORCE, VNC_SHARE_IGNORE };

struct vnc_config {
	struct loop *loop;
	const char *where;              /* HOST:N or unix:PATH; NULL: clients come by vnc_add_client() alone */
	unsigned to;                    /* if N isn't free, up to this one */
	bool password;                  /* clients need one; nobody gets in before it is set */
	enum vnc_share share;
	const char *name;               /* the machine's, or NULL */
	struct display *display;
	struct input *input;
	const struct layout *layout;
	void *opaque;
	const char *(*state)(void *opaque); /* of the machine, for the title while it doesn't run; NULL: it runs */
};

struct vnc;

struct vnc *vnc_new(const struct vnc_config *config, struct err *e);
void vnc_free(struct vnc *v);
/* Can this build check passwords? */
bool vnc_has_passwords(void);
/* The first 8 bytes count; empty: nobody gets in. */
bool vnc_set_password(struct vnc *v, const char *password, struct err *e);
/* FD is the server's from now on. */
void vnc_add_client(struct vnc *v, int fd, const char *about);
/* Lines for `info vnc`. */
void vnc_describe(const struct vnc *v, void (*print)(void *to, const char *text), void *to);

/* ---- the start window, before there is a machine ---- */

struct start_choice {
	char *image;            /* absolute, to be freed; NULL: none yet */
	unsigned memory_mib;
	bool network;
};

/* MESSAGE: what went wrong the last time, or NULL.  False: it was closed, or with E set there can't be one. */
bool start_window(struct start_choice *c, const char *message, struct err *e);
/* The window offers it the next time, as by itself what was chosen there.  Nothing happens where that can't be kept. */
void start_remember(const struct start_choice *c);

#endif
