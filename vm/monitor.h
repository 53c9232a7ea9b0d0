/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The human monitor: a prompt on a character device at which one looks at a machine and steers it.  The commands are
 * listed in monitor.def.  Under the machine's lock.
 */
#ifndef VM_MONITOR_H
#define VM_MONITOR_H

#include <stdbool.h>

struct chr;
struct machine_view;
struct monitor;

/* On CHR, which it uses until monitor_free(); VIEW must outlive it.  EDIT: line editing, as a terminal wants it. */
struct monitor *monitor_new(struct chr *chr, const struct machine_view *view, bool edit);
void monitor_free(struct monitor *m);

/* Runs one line of COMMAND without a terminal (human-monitor-command of QMP): what it prints goes to PRINT(TO, text). */
void monitor_run(const struct machine_view *view, const char *command, void (*print)(void *to, const char *text), void *to);

#endif
