/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Running: power-on, stop and continue, reset, the end.
 *
 * What devices and processors ask for (reset, power off, exit) is only noted where they ask, with the processor told to come to rest;
 * the loop's thread does it.
 */
#include "vm/machine.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "cpu/cpu.h"
#include "vm/vcpu.h"

#include <errno.h>
#include <signal.h>
#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

const char *
machine_state_name(const struct machine *m)
{
	static const char *const names[] = {
		[RUN_PRELAUNCH] = "paused (prelaunch)", [RUN_RUNNING] = "running", [RUN_PAUSED] = "paused",
		[RUN_IO_ERROR] = "paused (io-error)", [RUN_SHUTDOWN] = "paused (shutdown)",
	};

	return names[m->state];
}

void
machine_power_on(struct machine *m)
{
	dev_reset_all(m->devices);
	cpu_reset(vcpu_cpu(m->cpu));
	firmware_set_cmos(m);
	if (m->plan.wanted && m->plan.direct)
		direct_start(m);
	m->booted_once = true;
}

void
machine_stop(struct machine *m)
{
	vcpu_pause(m->cpu);
	clock_stop(m->clock);
	if (m->state == RUN_RUNNING)
		m->state = RUN_PAUSED;
}

bool
machine_cont(struct machine *m, struct err *e)
{
	if (m->state == RUN_RUNNING)
		return true;
	if (m->state == RUN_SHUTDOWN)
		return err_set(e, "the guest has switched off; reset it first with system_reset");
	clock_start(m->clock);
	if (!vcpu_resume(m->cpu, e)) {
		clock_stop(m->clock);
		return false;
	}
	m->state = RUN_RUNNING;
	machine_retry_drives(m);
	return true;
}

/* ---- requests ---- */

static void
carry_out_reset(struct machine *m)
{
	bool running = m->state == RUN_RUNNING;

	machine_stop(m);
	machine_power_on(m);
	if (m->state == RUN_SHUTDOWN)
		m->state = RUN_PAUSED;
	if (running)
		machine_cont(m, NULL);
}

static void
carry_out_off(struct machine *m)
{
	machine_stop(m);
	m->state = RUN_SHUTDOWN;
	if (!m->settings->no_shutdown)
		loop_quit(m->loop, m->exit_code);
}

static void
carry_out(void *opaque)
{
	struct machine *m = opaque;

	if (m->exit_wanted) {
		loop_quit(m->loop, m->exit_code);
	} else if (m->off_wanted) {
		m->off_wanted = false;
		carry_out_off(m);
	} else if (m->reset_wanted) {
		m->reset_wanted = false;
		carry_out_reset(m);
	} else if (m->io_error_wanted) {
		m->io_error_wanted = false;
		machine_stop(m);
		if (m->state == RUN_PAUSED)
			m->state = RUN_IO_ERROR;
	}
}

static void
request(struct machine *m)
{
	vcpu_request_pause(m->cpu);
	loop_post(m->loop, carry_out, m);
}

void
machine_request_reset(struct machine *m)
{
	if (m->settings->no_reboot && m->state == RUN_RUNNING) {
		machine_request_off(m);
		return;
	}
	m->reset_wanted = true;
	request(m);
}

void
machine_request_off(struct machine *m)
{
	m->off_wanted = true;
	request(m);
}

void
machine_request_io_stop(struct machine *m)
{
	m->io_error_wanted = true;
	request(m);
}

void
machine_request_exit(struct machine *m, int code)
{
	if (m->exit_wanted)
		return;
	m->exit_wanted = true;
	m->exit_code = code;
	request(m);
}

void
machine_power_button(struct machine *m)
{
	piix4_pm_power_button(m->pm);
}

/* ---- the main loop ---- */

/*
 * SIGINT, SIGTERM and SIGHUP end the program as "quit" does; a shell that stops it gets its terminal back meanwhile.  main()
 * has them blocked in all threads.
 */
static void
signal_came(void *opaque, short revents)
{
	struct machine *m = opaque;
	struct signalfd_siginfo info;

	(void)revents;
	if (read(m->signal_fd, &info, sizeof(info)) != sizeof(info))
		return;
	switch (info.ssi_signo) {
	case SIGTSTP:
		terminal_leave();
		kill(getpid(), SIGSTOP);
		break;
	case SIGCONT:
		terminal_return();
		break;
	default:
		machine_request_exit(m, 0);
	}
}

void
machine_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGTSTP);
	sigaddset(set, SIGCONT);
}

static bool
watch_signals(struct machine *m, struct err *e)
{
	sigset_t set;

	machine_signals(&set);
	m->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->signal_fd < 0)
		return err_set(e, "cannot watch signals: %s", strerror(errno));
	m->signal_watch = loop_add_fd(m->loop, m->signal_fd, POLLIN, signal_came, m);
	return true;
}

int
machine_run(struct machine *m, struct err *e)
{
	loop_lock(m->loop);
	bool ok = watch_signals(m, e) && (m->settings->paused || machine_cont(m, e));
	loop_unlock(m->loop);
	if (!ok)
		return 1;
	int code = loop_run(m->loop);
	loop_lock(m->loop);
	machine_stop(m);
	loop_remove_fd(m->signal_watch);
	loop_unlock(m->loop);
	close(m->signal_fd);
	return code;
}
