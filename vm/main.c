/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The program: command line, machine, end. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "vm/machine.h"

#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "hw/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* One line, whatever the message has in it. */
static int
complain(const struct err *e)
{
	fprintf(stderr, "calque: %s\n", e->text);
	return 1;
}

/*
 * The signals that end or stop the program come through a descriptor; a reader that went away, or a file that may not
 * grow, is an error of write().
 */
static void
set_up_signals(void)
{
	sigset_t set;

	machine_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/*
 * -daemonize: the parent waits until the child has built the machine, and ends with its verdict.  In the child, the
 * descriptor to tell it by; in the parent it does not return.
 */
static bool
fork_daemon(int *tell, struct err *e)
{
	int pipe_fds[2];
	char verdict;

	if (pipe(pipe_fds) != 0)
		return err_set(e, "-daemonize: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		return err_set(e, "-daemonize: %s", strerror(errno));
	if (child > 0) {
		close(pipe_fds[1]);
		_exit(read(pipe_fds[0], &verdict, 1) == 1 ? 0 : 1);
	}
	close(pipe_fds[0]);
	setsid();
	*tell = pipe_fds[1];
	return true;
}

/* The child leaves terminal and directory behind. */
static bool
finish_daemon(int tell, struct err *e)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0 || chdir("/") != 0)
		return err_set(e, "-daemonize: %s", strerror(errno));
	dup2(null, STDIN_FILENO);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
	if (null > STDERR_FILENO)
		close(null);
	bool told = write(tell, "", 1) == 1;
	close(tell);
	return told || err_set(e, "-daemonize: %s", strerror(errno));
}

/* Written and locked, so that no other process takes it: its descriptor, to be kept open, or -1. */
static int
write_pidfile(const char *path, struct err *e)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

	if (fd < 0) {
		err_set(e, "-pidfile %s: cannot write: %s; check the path", path, strerror(errno));
	} else if (fcntl(fd, F_OFD_SETLK, &lock) != 0) {
		err_set(e, "-pidfile %s: another process that runs has it; end that one, or give another file", path);
	} else if (ftruncate(fd, 0) != 0 || dprintf(fd, "%ld\n", (long)getpid()) < 0) {
		err_set(e, "-pidfile %s: cannot write: %s", path, strerror(errno));
	} else {
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int
build_and_run(struct settings *s, int tell, struct err *e)
{
	struct machine *m = machine_new(s, e);
	int status = 1;

	if (m != NULL && (!s->daemonize || finish_daemon(tell, e)))
		status = machine_run(m, e);
	/* Where a terminal was drawn on, what is said before it is put back would be lost. */
	machine_free(m);
	if (e->text[0] != '\0')
		complain(e);
	return status;
}

static int
run(struct settings *s, struct err *e)
{
	int tell = -1, pid_fd;

	if (s->daemonize && !fork_daemon(&tell, e))
		return complain(e);
	set_up_signals();
	if (s->pidfile == NULL)
		return build_and_run(s, tell, e);
	pid_fd = write_pidfile(s->pidfile, e);
	if (pid_fd < 0)
		return complain(e);
	/* The directory changes with -daemonize. */
	char *path = realpath(s->pidfile, NULL);
	int status = build_and_run(s, tell, e);
	if (path != NULL)
		unlink(path);
	free(path);
	close(pid_fd);
	return status;
}

int
main(int argc, char **argv)
{
	struct settings s;
	struct err e = { "" };

	trace_register(hw_trace_events, hw_trace_count);
	if (argc == 1)
		return start_with_window(NULL, run);
	if (strcmp(argv[1], "-start-window") == 0 && argc <= 3)
		return start_with_window(argv[2], run);
	settings_init(&s);
	int status = options_parse(&s, argc, argv, &e) ? 0 : complain(&e);
	if (status == 0 && !s.exit)
		status = settings_choose_display(&s, &e) ? run(&s, &e) : complain(&e);
	settings_free(&s);
	return status;
}
