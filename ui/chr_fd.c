/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Character devices on descriptors that are simply opened: the terminal, files, named pipes, pseudo terminals, tty devices. */
#define _GNU_SOURCE /* ptsname_r */
#include "ui/chr.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

struct chr_fd {
	struct chr chr;
	struct chr_pump pump;
	int keep;        /* a pty's own hold of the other end, so that nobody there is no hang-up; -1 */
	bool is_stdio;
	bool never_full; /* what the host doesn't take is lost: nobody may be reading */
};

/*
 * Descriptors may be shared with other programs (the terminal with the shell) and are left blocking; poll(2) says that a
 * pipe or terminal takes PIPE_BUF bytes.
 */
static size_t
fd_write(struct chr *c, const uint8_t *data, size_t len)
{
	struct chr_fd *f = (struct chr_fd *)c;
	struct pollfd ready = { f->pump.out, POLLOUT, 0 };
	size_t done = 0;

	while (done < len && poll(&ready, 1, 0) == 1 && (ready.revents & POLLOUT) != 0) {
		ssize_t n = write(f->pump.out, data + done, MIN(len - done, 512));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN)
			return len;
		if (n <= 0)
			break;
		done += n;
	}
	if ((ready.revents & (POLLERR | POLLNVAL)) != 0)
		return len;
	return f->never_full ? len : done;
}

static size_t
file_write(struct chr *c, const uint8_t *data, size_t len)
{
	struct chr_fd *f = (struct chr_fd *)c;

	for (size_t done = 0; done < len;) {
		ssize_t n = write(f->pump.out, data + done, len - done);

		if (n < 0 && errno != EINTR)
			break;
		done += n > 0 ? n : 0;
	}
	return len;
}

static void
fd_want_write(struct chr *c, bool on)
{
	chr_pump_want_write(&((struct chr_fd *)c)->pump, on);
}

static void
fd_resume(struct chr *c)
{
	chr_pump_resume(&((struct chr_fd *)c)->pump);
}

/* No more input; output goes on, so that nobody has gone. */
static void
fd_ended(struct chr *c)
{
	(void)c;
}

static void
close_fd(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

static void
fd_close(struct chr *c)
{
	struct chr_fd *f = (struct chr_fd *)c;

	if (c->queued != 0)
		fd_write(c, c->queue, c->queued);
	chr_pump_stop(&f->pump);
	if (f->is_stdio) {
		terminal_restore();
		terminal_claim(false);
		return;
	}
	close_fd(f->pump.in);
	if (f->pump.out != f->pump.in)
		close_fd(f->pump.out);
	close_fd(f->keep);
}

static const struct chr_ops fd_ops = { fd_write, fd_want_write, fd_resume, NULL, fd_close };
static const struct chr_ops file_ops = { file_write, NULL, NULL, NULL, fd_close };

/* ABOUT becomes the device's. */
static struct chr_fd *
new_fd(struct loop *l, const char *id, char *about, const struct chr_ops *ops, int in, int out)
{
	struct chr_fd *f = (struct chr_fd *)chr_alloc(sizeof(*f), ops, l, id, about);

	f->pump = (struct chr_pump){ .chr = &f->chr, .in = in, .out = out, .ended = fd_ended };
	f->keep = -1;
	f->chr.open = true;
	chr_pump_start(&f->pump);
	return f;
}

struct chr *
chr_open_stdio(struct loop *l, const char *id, bool signals, struct err *e)
{
	struct chr_fd *f;

	if (!terminal_claim(true)) {
		err_set(e, "stdio is in use already: give one of its users another character device, or mon:stdio to share it");
		return NULL;
	}
	terminal_raw(signals);
	f = new_fd(l, id, xstrdup("stdio"), &fd_ops, STDIN_FILENO, STDOUT_FILENO);
	f->is_stdio = true;
	return &f->chr;
}

struct chr *
chr_open_file(struct loop *l, const char *id, const char *spec, struct err *e)
{
	const char *append = ",append=on";
	size_t len = strlen(spec), end = strlen(append);
	bool appends = len > end && strcmp(spec + len - end, append) == 0;
	char *path = xstrdup(spec);
	int fd;

	path[appends ? len - end : len] = '\0';
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | (appends ? O_APPEND : O_TRUNC), 0666);
	if (fd < 0)
		err_set(e, "file:%s: can't be written: %s", path, strerror(errno));
	free(path);
	return fd < 0 ? NULL : &new_fd(l, id, xasprintf("file:%s", spec), &file_ops, -1, fd)->chr;
}

/* PATH.in and PATH.out, seen from outside, or one FIFO at PATH for both directions. */
struct chr *
chr_open_pipe(struct loop *l, const char *id, const char *path, struct err *e)
{
	char *in_path = xasprintf("%s.in", path), *out_path = xasprintf("%s.out", path);
	int in = open(in_path, O_RDWR | O_CLOEXEC), out = open(out_path, O_RDWR | O_CLOEXEC);

	free(in_path);
	free(out_path);
	if (in < 0 || out < 0) {
		close_fd(in);
		close_fd(out);
		in = out = open(path, O_RDWR | O_CLOEXEC);
	}
	if (in < 0) {
		err_set(e, "pipe:%s: neither %s.in and %s.out nor %s can be opened (%s): make them with mkfifo", path, path, path, path,
			strerror(errno));
		return NULL;
	}
	return &new_fd(l, id, xasprintf("pipe:%s", path), &fd_ops, in, out)->chr;
}

static bool
make_raw(int fd)
{
	struct termios t;

	if (tcgetattr(fd, &t) != 0)
		return false;
	cfmakeraw(&t);
	return tcsetattr(fd, TCSANOW, &t) == 0;
}

struct chr *
chr_open_pty(struct loop *l, const char *id, struct err *e)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave;
	char name[128];
	struct chr_fd *f;

	if (master < 0 || grantpt(master) != 0 || unlockpt(master) != 0 || ptsname_r(master, name, sizeof(name)) != 0 ||
		(slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC)) < 0) {
		err_set(e, "pty: the host gives no pseudo terminal: %s", strerror(errno));
		close_fd(master);
		return NULL;
	}
	make_raw(slave);
	fprintf(stderr, "char device redirected to %s (label %s)\n", name, id);
	f = new_fd(l, id, xasprintf("pty:%s", name), &fd_ops, master, master);
	f->keep = slave;
	f->never_full = true;
	return &f->chr;
}

struct chr *
chr_open_device(struct loop *l, const char *id, const char *path, struct err *e)
{
	int fd = open(path, O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0) {
		err_set(e, "%s: can't be opened: %s", path, strerror(errno));
		return NULL;
	}
	if (isatty(fd))
		make_raw(fd);
	return &new_fd(l, id, xstrdup(path), &fd_ops, fd, fd)->chr;
}
