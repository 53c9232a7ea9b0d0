/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a monitor sees of a machine.  The owner of the machine fills one of these in and keeps it for as long as a
 * monitor lives; the monitor knows nothing else about it, so that a test can put a fake in its place.
 *
 * All calls are made under the machine's lock, in the loop's thread.  OPAQUE, the first argument of all, is the view's.
 * Each function may be NULL: the command that needs it then says that it is not supported.  Functions that print hand
 * over text with its line ends ("\n"), in pieces of any length, to PRINT(TO, text).
 */
#ifndef VM_MACHINE_VIEW_H
#define VM_MACHINE_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dev;
struct display;
struct err;
struct input;
struct key_queue;
struct loop;
struct space;

typedef void view_print(void *to, const char *text);

/* Whether a medium may be written to.  RETAIN: as the one that it follows, or as -drive says. */
enum view_access { VIEW_RETAIN, VIEW_READ_ONLY, VIEW_READ_WRITE };

struct machine_view {
	void *opaque;

	/* ---- what is there; constant for the life of the machine ---- */
	struct loop *loop;
	struct space *mem, *io;
	struct dev **devices;       /* the machine's list: `info qtree`, `info pic`... call its classes' info() */
	struct key_queue *keys;     /* sendkey: key_queue_new() of ui/ui.h; NULL: there is no keyboard */
	const char *name;           /* -name, or NULL */
	const uint8_t *uuid;        /* 16 bytes, or NULL */
	const char *version;        /* of this program: "0.1" */
	unsigned cpu_count;

	/* ---- running ---- */
	const char *(*run_state)(void *opaque);         /* "running", "paused", "shutdown", "io-error", ... */
	void (*stop)(void *opaque);                     /* returns with every processor at rest */
	bool (*cont)(void *opaque, struct err *e);
	void (*reset)(void *opaque);
	void (*powerdown)(void *opaque);                /* the ACPI power button */
	void (*quit)(void *opaque, int code);
	void (*nmi)(void *opaque);                      /* to all processors' LINT1 */

	/* ---- processors.  CPU is 0 to cpu_count - 1; its state is exact, as between two instructions ---- */
	/* RIP of a processor and whether it is halted, for `info cpus`. */
	void (*cpu_where)(void *opaque, unsigned cpu, uint64_t *rip, bool *halted);
	void (*registers)(void *opaque, unsigned cpu, view_print *print, void *to); /* as `info registers` shows them */
	/* One register by name without the dollar sign: rax, eip, cr3, cs, eflags...  False: no such register. */
	bool (*read_register)(void *opaque, unsigned cpu, const char *name, uint64_t *value);
	/* The names that read_register() knows, for completion: calls EACH(TO, name). */
	void (*register_names)(void *opaque, void (*each)(void *to, const char *name), void *to);
	void (*tlb)(void *opaque, unsigned cpu, view_print *print, void *to);       /* `info tlb`: mapped pages */
	void (*mappings)(void *opaque, unsigned cpu, view_print *print, void *to);  /* `info mem`: ranges by rights */
	/* Guest-virtual to guest-physical, without side effects.  False: not mapped. */
	bool (*translate)(void *opaque, unsigned cpu, uint64_t gva, uint64_t *gpa);
	/* Memory as the processor's debugger would see it: RAM and ROM.  False: some of it is not there. */
	bool (*read_virtual)(void *opaque, unsigned cpu, uint64_t gva, void *to, size_t len);
	bool (*read_physical)(void *opaque, uint64_t gpa, void *to, size_t len);
	/* One instruction at ADDR (CODE: LEN bytes from there, 15 if they could be read) as text; its length, 0: none. */
	unsigned (*disassemble)(void *opaque, unsigned cpu, uint64_t addr, const uint8_t *code, size_t len,
		char *text, size_t size);

	/* ---- disks; DRIVE is a name of `info block` ("ide1-cd0", "floppy0") ---- */
	void (*block_info)(void *opaque, bool verbose, view_print *print, void *to);
	void (*block_names)(void *opaque, void (*each)(void *to, const char *name), void *to);
	bool (*eject)(void *opaque, const char *drive, bool force, struct err *e);
	/* FORMAT may be NULL. */
	bool (*change)(void *opaque, const char *drive, const char *path, const char *format, enum view_access access, bool force,
		struct err *e);
	bool (*commit)(void *opaque, const char *drive, struct err *e); /* an overlay into its base; "all" */

	/* ---- snapshots: name or number ---- */
	bool (*savevm)(void *opaque, const char *name, struct err *e);
	bool (*loadvm)(void *opaque, const char *name, struct err *e);
	bool (*delvm)(void *opaque, const char *name, struct err *e);
	void (*snapshots)(void *opaque, view_print *print, void *to);

	/* ---- the rest ---- */
	struct display *(*display)(void *opaque);       /* NULL: there is no screen */
	void (*chardev_info)(void *opaque, view_print *print, void *to);
	void (*net_info)(void *opaque, view_print *print, void *to);
	void (*usernet_info)(void *opaque, view_print *print, void *to); /* connections of user networks */
	bool (*set_link)(void *opaque, const char *name, bool up, struct err *e);
	/* RULE of user network ID, or of the first one if that is NULL. */
	bool (*hostfwd)(void *opaque, const char *id, const char *rule, bool add, struct err *e);
	bool (*netdev_add)(void *opaque, const char *spec, struct err *e);
	bool (*netdev_del)(void *opaque, const char *id, struct err *e);
	void (*pci_info)(void *opaque, view_print *print, void *to);
	void (*irq_info)(void *opaque, view_print *print, void *to);   /* counters by line; NULL: taken from the PICs' info() */
	void (*jit_info)(void *opaque, view_print *print, void *to);   /* code cache and translator's counters */
	/* Drops all translated code, as `tb-flush` asks; and one instruction per block, `one-insn-per-tb`. */
	void (*tb_flush)(void *opaque);
	void (*set_one_insn)(void *opaque, bool on);
	/* Back ends of sound and their voices; recordings into WAV files. */
	void (*audio_info)(void *opaque, view_print *print, void *to);
	void (*capture_info)(void *opaque, view_print *print, void *to);
	/* AUDIODEV NULL: the first one. */
	bool (*record_start)(void *opaque, const char *path, const char *audiodev, unsigned rate, unsigned bits, unsigned channels,
		struct err *e);
	bool (*record_stop)(void *opaque, unsigned number, struct err *e);
	void (*vnc_info)(void *opaque, view_print *print, void *to);
	bool (*vnc_password)(void *opaque, const char *password, struct err *e);
	void (*usb_info)(void *opaque, view_print *print, void *to);
	bool (*device_add)(void *opaque, const char *properties, struct err *e); /* as -device has them */
	bool (*device_del)(void *opaque, const char *id, struct err *e);
	struct input *input;                                           /* NULL: nothing takes keys or movements */
	/* "name = value" lines of any further topic of `info`; false: no such topic. */
	bool (*info)(void *opaque, const char *topic, view_print *print, void *to);
};

#endif
