/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the command line asks for, before anything of it exists. */
#ifndef VM_SETTINGS_H
#define VM_SETTINGS_H

#include "disk/disk.h"
#include "ui/ui.h"

#include <stdbool.h>
#include <stdint.h>

struct err;

enum { SERIAL_MAX = 4, PARALLEL_MAX = 3, IDE_DRIVES = 4, FLOPPY_DRIVES = 2, PFLASH_MAX = 2 };

enum drive_interface { DRIVE_IDE, DRIVE_FLOPPY, DRIVE_PFLASH, DRIVE_NONE };

struct drive_config {
	const char *option;     /* "-hda", for messages */
	const char *file;       /* NULL: an empty drive */
	const char *format, *id, *serial, *filter;
	enum drive_interface interface;
	int index;              /* -1: the next one that is free */
	int boot_index;         /* -1: none */
	bool cdrom, readonly, snapshot;
	bool cache_unsafe, cache_through, cache_direct, discard, detect_zeros, io_uring;
	enum disk_policy on_write_error, on_read_error;
	struct drive_config *next;
};

enum adapter_kind { ADAPTER_NONE, ADAPTER_STD, ADAPTER_CIRRUS, ADAPTER_BOCHS };

/* A -chardev (or what stands for one): SPEC is as -serial has it. */
struct chardev_config {
	const char *id, *spec;
	bool mux;
	struct chardev_config *next;
};

/* A -device, with its properties as text. */
struct device_config {
	const struct device_model *model;
	const char *properties;
	struct device_config *next;
};

/* An -audiodev; OPTION is what it was written as. */
struct sound_config {
	const char *option, *spec;
	struct sound_config *next;
};

/* A -netdev, -nic, -net or, without its type, -object filter-dump, as it was written. */
enum net_option { NET_NETDEV, NET_NIC, NET_LEGACY, NET_DUMP };

struct net_config {
	enum net_option option;
	const char *spec;
	struct net_config *next;
};

struct monitor_config {
	const char *spec;
	struct monitor_config *next;
};

struct fw_cfg_config {
	const char *name;
	const char *file, *string; /* one of them */
	struct fw_cfg_config *next;
};

struct rom_config {
	const char *file;
	int boot_index;
	struct rom_config *next;
};

/* DEFAULT: a window; settings_choose_display() leaves one of the others.  SDL and CURSES have text consoles. */
enum display_kind { DISPLAY_DEFAULT, DISPLAY_NONE, DISPLAY_SDL, DISPLAY_CURSES };

/* An -object secret: DATA, or what is in FILE. */
struct secret_config {
	const char *id, *data, *file;
	struct secret_config *next;
};

enum kernel_through { KERNEL_AUTO, KERNEL_DIRECT, KERNEL_FIRMWARE };

struct settings {
	struct settings_memory *memory;   /* owns every string and list entry below */

	bool start_window;              /* choose first, or if the image can't be started */
	bool exit;                      /* what was asked for (help, version) was printed */

	uint64_t ram_bytes;
	bool memory_given;
	const char *cpu;                /* MODEL[,+feature][,-feature]; NULL: the default */
	bool interpreter, one_insn_per_tb;
	bool no_native;                 /* -accel tcg,native=off */
	uint64_t code_cache_bytes;      /* 0: the default */

	struct drive_config *drives;
	bool snapshot, image_given;

	const char *firmware;           /* -bios */
	const char *data_dirs[8];
	unsigned data_dir_count;
	const char *boot_order, *boot_once;
	bool boot_order_given;
	const char *image_order;        /* the one that suits the lone image, or NULL */
	bool boot_menu, boot_strict; /* strict: nothing but the devices with a boot index */
	uint64_t boot_menu_ms, reboot_timeout_ms; /* UINT64_MAX: not given */
	struct fw_cfg_config *fw_cfg;
	struct rom_config *option_roms;

	const char *kernel, *initrd, *append;
	enum kernel_through kernel_through;

	bool nographic;
	enum display_kind display;
	struct window_config window;    /* what of it the command line says */
	const char *charset;            /* -display curses,charset= */
	bool vnc_given;
	struct vnc_config vnc;          /* what of it the command line says */
	const char *vnc_secret;         /* the id of the password's */
	struct secret_config *secrets;
	enum adapter_kind adapter;
	bool adapter_given;
	bool defaults;                  /* -nodefaults clears it */
	bool hpet;
	bool vmport;                    /* VMware's backdoor */
	bool usb;                       /* the PIIX3's USB controller */

	struct chardev_config *chardevs;
	const char *serials[SERIAL_MAX];
	unsigned serial_count;
	const char *parallels[PARALLEL_MAX];
	unsigned parallel_count;
	struct monitor_config *monitors;
	bool monitor_none;              /* -monitor none */
	const char *debugcon;
	struct device_config *devices;
	struct sound_config *sounds;
	const char *pcspk_audiodev;     /* -machine pcspk-audiodev=; NULL: no speaker */
	bool audio_given;
	struct net_config *nets;
	bool net_given;                 /* no network of its own accord */

	bool paused, no_reboot, no_shutdown;
	const char *pidfile;
	bool daemonize;
	const char *name;
	uint8_t uuid[16];
	bool uuid_given;

	bool rtc_localtime;
	bool rtc_at_given;
	int64_t rtc_at_s;               /* seconds of the epoch, in the guest's own zone */
};

void settings_init(struct settings *c);
void settings_free(struct settings *c);
/* Zeroed memory and strings that live as long as the settings. */
void *settings_alloc(struct settings *c, uint64_t size);
char *settings_dup(struct settings *c, const char *text);

struct drive_config *settings_add_drive(struct settings *c, const char *option, enum drive_interface interface);

/* False with E set. */
bool options_parse(struct settings *c, int argc, char **argv, struct err *e);

/* What shows the screen; false with E set if that can't be had. */
bool settings_choose_display(struct settings *c, struct err *e);
/* -object secret,... with SPEC the properties. */
bool settings_add_secret(struct settings *c, const char *spec, struct err *e);
/* Sets E to why there is none, and the ways out. */
bool settings_no_window(const char *why, struct err *e);

/* Memory for a guest that nobody gave a size: what the host can give without harm, 2 GiB at the most. */
uint64_t sensible_memory(void);

/*
 * Starts IMAGE, if it isn't NULL; without one, or where that fails, lets people choose.  RUN leaves E set if nothing was
 * started.  The program's exit status.
 */
int start_with_window(const char *image, int (*run)(struct settings *s, struct err *e));

/* Where firmware is looked for after -L; ends with NULL. */
extern const char *const firmware_dirs[];

/* The version of this program. */
const char *vm_version(void);

#endif
