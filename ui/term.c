/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal on standard input.  There is one in a process, and a signal handler must be able to put it back: hence the
 * only variables of this folder that are not in a struct.
 */
#include "ui/chr.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved, raw;
static atomic_bool is_raw, restores_at_exit, is_claimed;
static char enter_text[512], leave_text[512]; /* of who draws on it, or empty */
static atomic_uint returns;

/* Nothing can be done about what the terminal doesn't take. */
static void
say(const char *text)
{
	size_t length = strlen(text);

	if (length != 0 && write(STDOUT_FILENO, text, length) < 0)
		return;
}

void
terminal_restore(void)
{
	if (!atomic_exchange(&is_raw, false))
		return;
	say(leave_text);
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

void
terminal_leave(void)
{
	if (!atomic_load(&is_raw))
		return;
	say(leave_text);
	tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

/* A job in the background doesn't touch it: it would be stopped again. */
void
terminal_return(void)
{
	if (!atomic_load(&is_raw) || tcgetpgrp(STDIN_FILENO) != getpgrp())
		return;
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	say(enter_text);
	atomic_fetch_add(&returns, 1);
}

unsigned
terminal_returns(void)
{
	return atomic_load(&returns);
}

/*
 * A program that crashes leaves a terminal that can be read.  Who has a handler already (translated code faults by design) is
 * asked first: where it takes itself back, the crash takes its course.
 */
static const int crashes[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGQUIT, SIGTRAP };
enum { CRASHES = sizeof(crashes) / sizeof(crashes[0]) };
static struct sigaction before[CRASHES];

static bool
is_default(int number)
{
	struct sigaction now;

	return sigaction(number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) == 0 && now.sa_handler == SIG_DFL;
}

static void
crashed(int number, siginfo_t *info, void *context)
{
	static const struct sigaction usual = { .sa_handler = SIG_DFL };
	unsigned i = 0;

	while (crashes[i] != number)
		i++;
	if ((before[i].sa_flags & SA_SIGINFO) != 0) {
		before[i].sa_sigaction(number, info, context);
		if (!is_default(number))
			return;
	}
	terminal_restore();
	sigaction(number, &usual, NULL);
	raise(number);
}

static void
catch_crashes(void)
{
	struct sigaction act = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_NODEFER };

	for (unsigned i = 0; i < CRASHES; i++) {
		struct sigaction old;

		if (sigaction(crashes[i], NULL, &old) != 0 || old.sa_sigaction == crashed ||
		    (!is_default(crashes[i]) && (old.sa_flags & SA_SIGINFO) == 0))
			continue;
		before[i] = old;
		sigaction(crashes[i], &act, NULL);
	}
}

void
terminal_screen(const char *enter, const char *leave)
{
	snprintf(enter_text, sizeof(enter_text), "%s", enter);
	snprintf(leave_text, sizeof(leave_text), "%s", leave);
	tcgetattr(STDIN_FILENO, &raw);
	if (*leave != '\0')
		catch_crashes();
}

void
terminal_raw(bool signals)
{
	if (!atomic_load(&is_raw) && tcgetattr(STDIN_FILENO, &saved) != 0)
		return;
	if (!atomic_exchange(&restores_at_exit, true))
		atexit(terminal_restore);
	raw = saved;
	raw.c_iflag &= ~(IGNBRK | BRKINT | PARMRK | ISTRIP | INLCR | IGNCR | ICRNL | IXON);
	raw.c_lflag &= ~(ECHO | ECHONL | ICANON | IEXTEN | (signals ? 0 : ISIG));
	raw.c_cflag = (raw.c_cflag & ~(CSIZE | PARENB)) | CS8;
	raw.c_oflag |= OPOST;
	raw.c_cc[VMIN] = 1;
	raw.c_cc[VTIME] = 0;
	atomic_store(&is_raw, true);
	tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

bool
terminal_claim(bool claim)
{
	return atomic_exchange(&is_claimed, claim) != claim;
}
