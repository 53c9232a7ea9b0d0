/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program on a terminal: $CALQUE runs on a pseudo terminal of its own, is talked to, and is ended or stopped in every
 * way; the terminal is then as it was before.
 */
#define _GNU_SOURCE /* posix_openpt, F_OFD_SETLK */
#include "base/util.h"

#include <check.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

enum { PATIENCE_MS = 20000 };

static int terminal, slave; /* of the pair */
static struct termios before;
static pid_t child;
static char heard[65536], folder[64];
static size_t heard_len;

static void
set_up(void)
{
	strcpy(folder, "/tmp/calque-terminal-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(folder));
	terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(terminal, 0);
	ck_assert_int_eq(grantpt(terminal), 0);
	ck_assert_int_eq(unlockpt(terminal), 0);
	slave = open(ptsname(terminal), O_RDWR | O_NOCTTY | O_CLOEXEC);
	ck_assert_int_ge(slave, 0);
	ck_assert_int_eq(tcgetattr(slave, &before), 0);
	heard_len = 0;
	heard[0] = '\0';
}

static void
tear_down(void)
{
	char *command = xasprintf("rm -rf %s", folder);

	close(terminal);
	close(slave);
	ck_assert_int_eq(system(command), 0);
	free(command);
}

/* Starts the program with the terminal as its own, and these arguments after the ones that all tests have. */
static void
start(const char *first, ...)
{
	const char *argv[24] = { getenv("CALQUE") ? getenv("CALQUE") : "./calque", "-S", "-m", "16", "-accel", "interp" };
	unsigned n = 6;
	va_list args;

	va_start(args, first);
	for (const char *a = first; a != NULL && n < ARRAY_SIZE(argv) - 1; a = va_arg(args, const char *))
		argv[n++] = a;
	va_end(args);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child > 0)
		return;
	setsid();
	ioctl(slave, TIOCSCTTY, 0);
	for (int fd = 0; fd < 3; fd++)
		dup2(slave, fd);
	execvp(argv[0], (char **)argv);
	_exit(127);
}

static void
say(const char *text)
{
	ck_assert_int_eq(write(terminal, text, strlen(text)), (ssize_t)strlen(text));
}

/* Waits for WORDS, and forgets what came up to there. */
static void
hear(const char *words)
{
	char *found;

	while ((found = strstr(heard, words)) == NULL) {
		struct pollfd fd = { terminal, POLLIN, 0 };
		ssize_t n;

		ck_assert_msg(poll(&fd, 1, PATIENCE_MS) == 1, "'%s' didn't come after: %s", words, heard);
		n = read(terminal, heard + heard_len, sizeof(heard) - 1 - heard_len);
		ck_assert_msg(n > 0, "'%s' didn't come after: %s", words, heard);
		heard_len += (size_t)n;
		heard[heard_len] = '\0';
	}
	heard_len -= (size_t)(found + strlen(words) - heard);
	memmove(heard, found + strlen(words), heard_len + 1);
}

static bool
is_as_before(void)
{
	struct termios now;

	ck_assert_int_eq(tcgetattr(slave, &now), 0);
	return now.c_iflag == before.c_iflag && now.c_oflag == before.c_oflag && now.c_cflag == before.c_cflag &&
		now.c_lflag == before.c_lflag && memcmp(now.c_cc, before.c_cc, sizeof(now.c_cc)) == 0;
}

/* The status of the child's next change, for it has to come. */
static int
await(int flags)
{
	int status;

	for (unsigned i = 0; i < PATIENCE_MS / 10; i++) {
		if (waitpid(child, &status, WNOHANG | flags) == child)
			return status;
		poll(NULL, 0, 10);
	}
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	ck_abort_msg("it doesn't end");
}

static void
expect_exit(int code)
{
	int status = await(0);

	ck_assert(WIFEXITED(status));
	ck_assert_int_eq(WEXITSTATUS(status), code);
	ck_assert(is_as_before());
}

START_TEST(keys)
{
	start("-nographic", NULL);
	while (is_as_before())
		poll(NULL, 0, 10);
	say("\001h");
	hear("C-a x");
	say("\001c");
	hear("(calque) ");
	say("infx\177o stat\t\r");
	hear("VM status: paused (prelaunch)");
	say("\033[A\001\001\033[C\013\rinfo version\r"); /* up, home, right, the rest away: "i" alone */
	hear("i: too few arguments; usage: i /fmt port");
	hear("0.");
	say("\001c\001c");
	say("info kvm\r");
	hear("kvm support");
	say("\001x");
	expect_exit(0);
}
END_TEST

START_TEST(ends)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGHUP };

	for (unsigned i = 0; i < ARRAY_SIZE(signals); i++) {
		start("-display", "none", "-serial", "mon:stdio", NULL);
		while (is_as_before())
			poll(NULL, 0, 10);
		/* Signals count from the main loop on; what comes before waits for it. */
		kill(child, signals[i]);
		expect_exit(0);
	}
	start("-display", "none", "-serial", "none", "-monitor", "stdio", NULL);
	hear("(calque) ");
	say("quit\r");
	expect_exit(0);
	/* A failure after the terminal was taken. */
	start("-nographic", "-fda", "/nonexistent", NULL);
	hear("calque: -fda /nonexistent: No such file");
	expect_exit(1);
	start("-nographic", "-device", "isa-debugcon,chardev=none", NULL);
	hear("calque: -device isa-debugcon");
	expect_exit(1);
}
END_TEST

START_TEST(stops)
{
	start("-display", "none", "-serial", "none", "-monitor", "stdio", NULL);
	hear("(calque) ");
	for (unsigned i = 0; i < 2; i++) {
		kill(child, SIGTSTP);
		ck_assert(WIFSTOPPED(await(WUNTRACED)));
		ck_assert(is_as_before());
		kill(child, SIGCONT);
		for (unsigned n = 0; n < PATIENCE_MS / 10 && is_as_before(); n++)
			poll(NULL, 0, 10);
		ck_assert(!is_as_before());
		say("info status\r");
		hear("VM status: paused");
	}
	say("quit\r");
	expect_exit(0);
}
END_TEST

START_TEST(waits)
{
	char *spec = xasprintf("unix:%s/socket,server", folder);

	start("-display", "none", "-monitor", "none", "-serial", spec, NULL);
	hear("waiting for connection");
	kill(child, SIGTERM);
	hear("ended while it waited");
	expect_exit(1);
	free(spec);
}
END_TEST

START_TEST(background)
{
	char *pidfile = xasprintf("%s/pid", folder);
	long pid = 0;
	FILE *f;

	start("-display", "none", "-monitor", "none", "-serial", "none", "-daemonize", "-pidfile", pidfile, NULL);
	expect_exit(0);
	f = fopen(pidfile, "r");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fscanf(f, "%ld", &pid), 1);
	fclose(f);
	ck_assert_int_eq(kill((pid_t)pid, 0), 0);
	/* The file is that process's; another one says so. */
	start("-display", "none", "-monitor", "none", "-serial", "none", "-pidfile", pidfile, NULL);
	hear("another process that runs has it");
	expect_exit(1);
	ck_assert_int_eq(kill((pid_t)pid, SIGTERM), 0);
	for (unsigned n = 0; n < PATIENCE_MS / 10 && access(pidfile, F_OK) == 0; n++)
		poll(NULL, 0, 10);
	ck_assert_int_ne(access(pidfile, F_OK), 0);
	start("-display", "none", "-monitor", "none", "-serial", "none", "-daemonize", "-hda", "/nonexistent", NULL);
	hear("calque: -hda /nonexistent");
	expect_exit(1);
	free(pidfile);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("terminal");
	TCase *t = tcase_create("terminal");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, keys);
	tcase_add_test(t, ends);
	tcase_add_test(t, stops);
	tcase_add_test(t, waits);
	tcase_add_test(t, background);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
