/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The terminal on standard input.  There is one in a process, and a signal handler must be able to put it back: hence the
 * only variables of this folder that are not in a struct.
 */
#include "ui/chr.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved, raw;
static atomic_bool is_raw, restores_at_exit, is_claimed;

void
terminal_restore(void)
{
	if (atomic_exchange(&is_raw, false))
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

void
terminal_leave(void)
{
	if (atomic_load(&is_raw))
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
}

/* A job in the background doesn't touch it: it would be stopped again. */
void
terminal_return(void)
{
	if (atomic_load(&is_raw) && tcgetpgrp(STDIN_FILENO) == getpgrp())
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
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
