/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: the window, the keyboard's layout, and what a lone image is. */
#include "vm/options.h"
#include "vm/settings.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- -display ---- */

static bool
set_gl(struct settings *c, const char *gl, struct err *e)
{
	if (gl == NULL)
		return true;
	if (strcmp(gl, "on") == 0 || strcmp(gl, "core") == 0 || strcmp(gl, "es") == 0)
		c->window.gl = WINDOW_GL_ON;
	else if (strcmp(gl, "off") == 0)
		c->window.gl = WINDOW_GL_OFF;
	else
		return err_set(e, "gl=%s is not known; use on or off", gl);
	return true;
}

static bool
set_grab_mod(struct settings *c, const char *mod, struct err *e)
{
	static const struct { const char *name; enum grab_mod mod; } mods[] = {
		{ "lctrl-lalt", GRAB_CTRL_ALT }, { "lshift-lctrl-lalt", GRAB_SHIFT_CTRL_ALT }, { "rctrl", GRAB_RCTRL },
	};

	for (unsigned i = 0; mod != NULL && i < ARRAY_SIZE(mods); i++) {
		if (strcmp(mod, mods[i].name) == 0) {
			c->window.grab_mod = mods[i].mod;
			return true;
		}
	}
	return mod == NULL || err_set(e, "grab-mod=%s is not known; use lctrl-lalt, lshift-lctrl-lalt or rctrl", mod);
}

static bool
display_sdl(struct settings *c, struct keyval *k, struct err *e)
{
	bool close = !c->window.ignore_close;

	if (keyval_str(k, "alt_grab") != NULL || keyval_str(k, "ctrl_grab") != NULL)
		return err_set(e, "alt_grab and ctrl_grab are not supported; use grab-mod=lshift-lctrl-lalt or grab-mod=rctrl");
	if (!set_gl(c, keyval_str(k, "gl"), e) || !set_grab_mod(c, keyval_str(k, "grab-mod"), e) ||
	    !keyval_bool(k, "window-close", &close, e) || !keyval_bool(k, "show-cursor", &c->window.show_cursor, e) ||
	    !keyval_bool(k, "full-screen", &c->window.full_screen, e) || !keyval_bool(k, "smooth", &c->window.smooth, e))
		return false;
	c->window.ignore_close = !close;
	c->display = DISPLAY_SDL;
	return true;
}

static bool
display_curses(struct settings *c, struct keyval *k, struct err *e)
{
	const char *charset = keyval_str(k, "charset");

	if (curses_missing() != NULL)
		return err_set(e, "%s", curses_missing());
	c->charset = charset != NULL ? settings_dup(c, charset) : NULL;
	c->display = DISPLAY_CURSES;
	return true;
}

static bool
no_display(const char *type, struct err *e)
{
	static const struct { const char *type, *instead; } others[] = {
		{ "gtk", "use sdl" }, { "cocoa", "use sdl" }, { "egl-headless", "use none" }, { "spice-app", "use sdl" }, { "dbus", "use sdl" },
	};
	size_t length = strcspn(type, "=");

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (strlen(others[i].type) == length && strncmp(type, others[i].type, length) == 0)
			return err_set(e, "not supported; %s", others[i].instead);
	return err_set(e, "there is no such display; use sdl, curses, vnc or none");
}

bool
opt_display(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok;

	if (strcmp(arg, "help") == 0) {
		printf("Available display backend types:\n%s%svnc=WHERE   (as -vnc has it)\nnone\n", !window_built() ? "" :
			"sdl   (gl=on|off, grab-mod=lctrl-lalt|lshift-lctrl-lalt|rctrl, window-close=on|off, show-cursor=on|off,\n"
			"      full-screen=on|off, smooth=on|off)\n",
			curses_missing() != NULL ? "" : "curses   (charset=NAME)\n");
		c->exit = true;
		return true;
	}
	/* A type alone comes first; "vnc=:0" is one that has a value. */
	if (strncmp(arg, "vnc=", 4) == 0)
		return opt_vnc(c, arg + 4, e);
	if (strcmp(arg, "vnc") == 0)
		return err_set(e, "say where: vnc=HOST:N or vnc=unix:PATH");
	if (strncmp(arg, "sdl", 3) != 0 && strncmp(arg, "curses", 6) != 0 && strcmp(arg, "none") != 0)
		return no_display(arg, e);
	ok = keyval_parse(&k, arg, "type", e);
	const char *type = keyval_str(&k, "type");
	if (ok && type != NULL && strcmp(type, "none") == 0)
		c->display = DISPLAY_NONE;
	else if (ok && type != NULL && strcmp(type, "sdl") == 0)
		ok = display_sdl(c, &k, e);
	else if (ok && type != NULL && strcmp(type, "curses") == 0)
		ok = display_curses(c, &k, e);
	else if (ok)
		ok = no_display(type != NULL ? type : "", e);
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

bool
opt_sdl(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	c->display = DISPLAY_SDL;
	return true;
}

bool
opt_curses(struct settings *c, const char *arg, struct err *e)
{
	(void)arg;
	return opt_display(c, "curses", e);
}

bool
opt_start_window(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	c->start_window = true;
	return true;
}

bool
opt_full_screen(struct settings *c, const char *arg, struct err *e)
{
	(void)arg, (void)e;
	c->window.full_screen = true;
	return true;
}

/* ---- -k ---- */

static void
print_layout(void *opaque, const char *name)
{
	(void)opaque;
	printf("%s\n", name);
}

bool
opt_keyboard(struct settings *c, const char *arg, struct err *e)
{
	if (strcmp(arg, "help") == 0) {
		layout_walk(print_layout, NULL);
		c->exit = true;
		return true;
	}
	c->window.layout = layout_find(arg);
	return c->window.layout != NULL || err_set(e, "this layout is not known; see -k help");
}

/* ---- a lone image ---- */

/* ISO 9660 has its volume descriptors from sector 16 of 2048 bytes on, with "CD001" from their second byte. */
static bool
is_iso(int fd)
{
	char magic[5] = "";

	return pread(fd, magic, sizeof(magic), 16 * 2048 + 1) == sizeof(magic) && memcmp(magic, "CD001", sizeof(magic)) == 0;
}

/* The capacities of diskettes, in KiB. */
static bool
is_floppy(int fd)
{
	static const unsigned sizes[] = { 160, 180, 320, 360, 720, 1200, 1440, 2880 };
	struct stat st;

	if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
		return false;
	for (unsigned i = 0; i < ARRAY_SIZE(sizes); i++)
		if ((uint64_t)st.st_size == sizes[i] * KiB)
			return true;
	return false;
}

uint64_t
sensible_memory(void)
{
	uint64_t available = 0;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "r");

	while (f != NULL && fgets(line, sizeof(line), f) != NULL) {
		unsigned long long kib;

		if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
			available = kib * KiB;
	}
	if (f != NULL)
		fclose(f);
	return MAX(MIN(available / 2, 2 * GiB) & ~(128 * MiB - 1), 128 * MiB);
}

bool
opt_image(struct settings *c, const char *arg, struct err *e)
{
	struct drive_config *d;
	int fd;

	if (c->image_given)
		return err_set(e, "only one image may stand alone; use -hdb, -cdrom or -drive for others");
	c->image_given = true;
	fd = open(arg, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	bool iso = fd >= 0 && is_iso(fd), floppy = fd >= 0 && !iso && is_floppy(fd);
	if (fd >= 0)
		close(fd);
	d = settings_add_drive(c, "image", floppy ? DRIVE_FLOPPY : DRIVE_IDE);
	d->file = settings_dup(c, arg);
	d->index = iso ? 2 : 0;
	d->cdrom = d->readonly = iso;
	if (iso || floppy)
		c->image_order = iso ? "dca" : "acd";
	return true;
}

/* ---- when all is known ---- */

void
image_settle(struct settings *c)
{
	if (c->image_given && !c->memory_given)
		c->ram_bytes = sensible_memory();
	if (c->image_order != NULL && !c->boot_order_given)
		c->boot_order = c->image_order;
}

bool
settings_no_window(const char *why, struct err *e)
{
	return err_set(e, "no window: %s; use -vnc :0 for a VNC viewer, %s-nographic for the serial line on this terminal, or -display none",
		why, curses_missing() == NULL ? "-display curses for a text screen or " : "");
}

/* A lone image in a window or a viewer has a tablet, for a pointer that comes and goes; who asks for anything of USB gets that alone. */
static bool
add_tablet(struct settings *c, struct err *e)
{
	bool wanted = c->image_given && c->defaults && !c->usb;

	for (const struct device_config *d = c->devices; d != NULL; d = d->next)
		wanted = wanted && strstr(d->model->name, "usb") == NULL && strstr(d->model->name, "hci") == NULL;
	return !wanted || opt_usbdevice(c, "tablet", e);
}

bool
settings_choose_display(struct settings *c, struct err *e)
{
	const char *missing = window_missing();

	if (c->display == DISPLAY_CURSES && c->nographic)
		return err_set(e, "-nographic and -display curses would share the terminal; leave one of them out");
	if (c->nographic || (c->vnc_given && c->display == DISPLAY_DEFAULT))
		c->display = DISPLAY_NONE;
	if ((c->display == DISPLAY_NONE || c->display == DISPLAY_CURSES) && c->window.full_screen)
		return err_set(e, "-full-screen: there is no window to fill the screen; leave it out");
	if (c->display == DISPLAY_CURSES)
		return true;
	if (c->display == DISPLAY_NONE)
		return c->vnc.where == NULL || add_tablet(c, e);
	c->display = DISPLAY_SDL;
	return missing == NULL ? add_tablet(c, e) : settings_no_window(missing, e);
}
