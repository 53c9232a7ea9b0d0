/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One machine: everything that belongs to it, and how it is run.
 *
 * The struct is open to the files of this folder.  All functions are called under the machine's lock, in the loop's
 * thread, but for the requests, which a vCPU's thread may make too, and machine_run().
 */
#ifndef VM_MACHINE_H
#define VM_MACHINE_H

#include "base/dev.h"
#include "base/irq.h"
#include "base/mem.h"
#include "base/pins.h"
#include "hw/hw.h"
#include "ui/ui.h"
#include "vm/boot.h"
#include "vm/machine_view.h"
#include "vm/options.h"
#include "vm/ram.h"
#include "vm/settings.h"

#include <signal.h>

struct clock;
struct disk;
struct err;
struct loop;
struct keyval;
struct monitor;
struct net;
struct net_end;
struct pci_bus;
struct sound;
struct usb_bus;
struct usb_dev;
struct vcpu;

/* IO_ERROR: stopped, as a request of a disk failed; it is done again by cont. */
enum run_state { RUN_PRELAUNCH, RUN_RUNNING, RUN_PAUSED, RUN_IO_ERROR, RUN_SHUTDOWN };

/* A wire that several sources pull: its level is the OR of theirs.  Rebuilt as the sources drive their lines again. */
struct wired_or {
	uint32_t levels; /* bit per source */
	struct irq out;
};

/* What stands in a drive's place.  NAME is that of `info block`. */
struct drive {
	struct machine *machine;
	const struct drive_config *config; /* NULL: nothing was asked for here */
	char name[16];
	struct disk *disk;
	bool present;   /* the drive is there, with or without a disk */
	bool cdrom, removable;
	const char *serial;
	int boot_index;
	struct usb_dev *usb;  /* of the list of those, and the next one */
	struct drive *next;
};

/* A character device, multiplexer or front that was opened; the last one opened stands first, as it is closed first. */
struct line {
	const char *chardev; /* id of the -chardev that it is the face of, or NULL */
	struct chr *chr;
	bool mux;            /* CHR is a multiplexer: users get fronts */
	bool used;
	struct line *next;
};

/* An -audiodev. */
struct machine_sound {
	struct sound *sound;
	struct machine_sound *next;
};

/* A bus for HDA codecs. */
struct hda_bus {
	const char *name;
	struct dev *hda;
	struct hda_bus *next;
};

struct machine {
	struct settings *settings;
	struct loop *loop;
	struct clock *clock;
	struct space *mem, *io;
	struct dev *devices;
	struct dev_env env;

	struct ram ram;
	struct region ram_high, rom, rom_low;
	uint8_t *rom_shadow;         /* the low view's own bytes when the ROM is in flash */
	uint64_t rom_size;

	struct vcpu *cpu;
	struct cpu_board board;
	struct dev *portf0;

	struct dev *pic, *apic, *ioapic, *pit, *rtc, *hpet, *dma, *kbc, *port92, *fdc, *fw_cfg;
	struct dev *host_bridge, *isa_bridge, *ide, *pm, *vga;
	struct pci_bus *pci;
	struct usb_bus *usb_buses;   /* by age */
	struct machine_sound *sounds; /* the first one is the default */
	struct hda_bus *hda_buses;
	struct {
		struct sound *sound;     /* NULL: free */
		unsigned number;
	} captures[8];
	struct display *display;
	struct input input;
	struct key_queue *keys;
	struct net *net;
	unsigned nic_count;          /* cards that have got an address */
	struct {
		int index;
		uint8_t devfn;
	} nic_boots[32];             /* cards with a bootindex */
	unsigned nic_boot_count;

	struct irq isa[16];          /* ISA line: to the PIC and the I/O APIC */
	struct irq gsi[24];          /* inputs of the I/O APIC; those below 16 reach the PIC too */
	uint64_t irq_rises[24];      /* of a line, for info irq */
	uint32_t irq_levels;
	struct wired_or isa_or[16];  /* serial and parallel ports may share a line */
	unsigned isa_sources[16];
	struct wired_or a20;
	uint8_t serial_ports, parallel_ports; /* bit per COM, LPT that there is */

	struct drive ide_drives[IDE_DRIVES], floppies[FLOPPY_DRIVES], flashes[PFLASH_MAX];
	struct drive *usb_drives;
	bool floppy_controller;
	struct line *lines;
	bool stdio_used;
	struct monitor *monitors[8];
	unsigned monitor_count;
	struct console *consoles[8]; /* of the window or the terminal; closed as lines */
	unsigned console_count;
	struct window *window;
	struct curses *curses;
	struct vnc *vnc;
	struct machine_view view;

	struct boot_plan plan;       /* of -kernel */
	struct blob vga_rom;
	struct vga_config screen;
	struct pc_facts facts;       /* what the firmware tables say */
	bool booted_once;            /* -boot once= is used up */

	enum run_state state;
	bool reset_wanted, off_wanted, io_error_wanted, exit_wanted;
	int exit_code;
	int signal_fd;
	struct loop_fd *signal_watch;
};

/* Builds it; NULL with E set.  SETTINGS must outlive it. */
struct machine *machine_new(struct settings *settings, struct err *e);
/* Runs until it is quit; the process's exit status. */
int machine_run(struct machine *m, struct err *e);
/* The signals that machine_run() takes: blocked in all threads before any is made. */
void machine_signals(sigset_t *set);
void machine_free(struct machine *m);

/* ---- run.c ---- */
void machine_stop(struct machine *m);
bool machine_cont(struct machine *m, struct err *e);
void machine_power_on(struct machine *m);   /* the state after power-on or reset: every device, the processor, the kernel */
void machine_request_reset(struct machine *m);
void machine_request_off(struct machine *m);
void machine_request_io_stop(struct machine *m); /* a disk holds requests: see disk_on_stall() */
void machine_request_exit(struct machine *m, int code);
void machine_power_button(struct machine *m);
const char *machine_state_name(const struct machine *m);

/* ---- lines.c ---- */
/* What SPEC of -serial means, for one user; "mon:" adds a monitor. */
struct chr *machine_line(struct machine *m, const char *id, const char *spec, struct err *e);
bool machine_open_chardevs(struct machine *m, struct err *e);
bool machine_add_serials(struct machine *m, struct err *e);
bool machine_add_monitors(struct machine *m, struct err *e);
void machine_close_monitors(struct machine *m);
void machine_close_lines(struct machine *m);
/* INDEX: COM1 is 0, LPT1 is 0; PORT and IRQ 0: the usual ones. */
bool machine_add_serial(struct machine *m, unsigned index, unsigned port, unsigned irq, struct chr *chr, struct err *e);
bool machine_add_parallel(struct machine *m, unsigned index, unsigned port, unsigned irq, struct chr *chr, struct err *e);
/* A source of its own on an ISA line that several may share. */
struct irq machine_isa_source(struct machine *m, unsigned n);

/* ---- window.c ---- */
struct chr *machine_open_line(struct machine *m, const char *id, const char *spec, struct err *e);
bool machine_open_window(struct machine *m, struct err *e);

/* ---- vnc.c ---- */
bool machine_open_vnc(struct machine *m, struct err *e);
void vnc_fill_view(struct machine_view *v);

/* ---- drives.c ---- */
bool machine_place_drives(struct machine *m, struct err *e);
bool machine_open_drives(struct machine *m, struct err *e);
void machine_retry_drives(struct machine *m);
void machine_close_drives(struct machine *m);
/* What the drives are at ends while there are still devices and memory for it. */
void machine_end_requests(struct machine *m);
/* The if=none drive ID, for a -device to take. */
struct drive_config *machine_find_drive(struct machine *m, const char *id, struct err *e);
bool drive_occupy(struct drive *d, struct drive_config *config, bool cdrom, struct err *e);
/* The drive of a USB device, opened: NULL with E set.  CONFIG may be NULL. */
struct drive *machine_add_usb_drive(struct machine *m, struct drive_config *config, struct err *e);
void machine_remove_usb_drive(struct machine *m, struct drive *d);
void drives_fill_view(struct machine_view *v);

/* ---- netdevs.c ---- */
bool machine_add_networks(struct machine *m, struct err *e);
/* For a card: the address that mac= gives it, or the next of the machine's; the back end of netdev=, NULL without one. */
bool machine_take_nic(struct machine *m, struct keyval *k, uint8_t mac[6], struct net_end **backend, struct err *e);
void networks_fill_view(struct machine_view *v);

/* ---- firmware.c ---- */
bool firmware_load_rom(struct machine *m, struct err *e);
bool firmware_load_vga(struct machine *m, struct err *e);
bool firmware_publish(struct machine *m, struct err *e);
/* A file of at most MOST bytes by path, or by name from where firmware is; HINT: what to do if it isn't there. */
bool firmware_load_file(struct machine *m, const char *name, uint64_t most, struct blob *b, const char *hint, struct err *e);
void firmware_set_cmos(struct machine *m);

/* ---- screen.c ---- */
const char *screen_rom(const struct machine *m); /* the file's name; NULL: no adapter */
bool screen_is_vga(const struct machine *m);
void screen_make(struct machine *m);
bool device_vga(struct machine *m, struct keyval *k, struct err *e);
bool device_cirrus_vga(struct machine *m, struct keyval *k, struct err *e);
bool device_bochs_display(struct machine *m, struct keyval *k, struct err *e);

/* ---- direct.c ---- */
/* Does for the board what firmware would have done, and starts the kernel. */
void direct_start(struct machine *m);

/* ---- view.c ---- */
void machine_fill_view(struct machine *m);

/* ---- nics.c ---- */
bool device_e1000(struct machine *m, struct keyval *k, struct err *e);
/* What addr= says, or the first free slot. */
bool machine_pci_place(struct machine *m, struct keyval *k, int *devfn, struct err *e);

/* ---- devices.c ---- */
bool machine_add_devices(struct machine *m, enum device_when when, struct err *e);
/* PROPERTIES as -device has them. */
bool machine_plug_device(struct machine *m, const char *properties, struct err *e);

/* ---- sound.c ---- */
bool machine_add_sound(struct machine *m, struct err *e);
void machine_close_sound(struct machine *m);
void sound_fill_view(struct machine_view *v);
bool device_ac97(struct machine *m, struct keyval *k, struct err *e);
bool device_intel_hda(struct machine *m, struct keyval *k, struct err *e);
bool device_ich9_intel_hda(struct machine *m, struct keyval *k, struct err *e);
bool device_hda_output(struct machine *m, struct keyval *k, struct err *e);
bool device_hda_duplex(struct machine *m, struct keyval *k, struct err *e);
bool device_hda_micro(struct machine *m, struct keyval *k, struct err *e);

/* ---- usb.c ---- */
void machine_add_usb(struct machine *m); /* the controller of -usb */
void machine_remove_device(struct machine *m, struct dev *d);
/* As Open Firmware would name it; false: it is too long. */
bool usb_boot_path(const struct usb_dev *d, char *path, size_t size);
void usb_fill_view(struct machine_view *v);
bool device_piix3_usb_uhci(struct machine *m, struct keyval *k, struct err *e);
bool device_qemu_xhci(struct machine *m, struct keyval *k, struct err *e);
bool device_usb_hub(struct machine *m, struct keyval *k, struct err *e);
bool device_usb_kbd(struct machine *m, struct keyval *k, struct err *e);
bool device_usb_mouse(struct machine *m, struct keyval *k, struct err *e);
bool device_usb_storage(struct machine *m, struct keyval *k, struct err *e);
bool device_usb_tablet(struct machine *m, struct keyval *k, struct err *e);

#endif
