/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the board hands to firmware: ROM images, CMOS, and the items of fw_cfg. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	ROM_UNIT = 64 * 1024,
	FLASH_UNIT = 4096,
	ROM_MOST = 16 * 1024 * 1024,
	ROM_LOW = 128 * 1024,
	VGA_ROM_MOST = 64 * 1024,
	OPTION_ROM_MOST = 512 * 1024,
	FW_CFG_FILE_MOST = 64 * 1024 * 1024,
};

/* Items by number, as firmware knows them. */
enum {
	FW_UUID = 0x02,
	FW_RAM_SIZE = 0x03,
	FW_NOGRAPHIC = 0x04,
	FW_CPUS = 0x05,
	FW_KERNEL_ADDR = 0x07,
	FW_KERNEL_SIZE = 0x08,
	FW_INITRD_ADDR = 0x0a,
	FW_INITRD_SIZE = 0x0b,
	FW_BOOT_DEVICE = 0x0c,
	FW_BOOT_MENU = 0x0e,
	FW_MAX_CPUS = 0x0f,
	FW_KERNEL_ENTRY = 0x10,
	FW_KERNEL_DATA = 0x11,
	FW_INITRD_DATA = 0x12,
	FW_CMDLINE_ADDR = 0x13,
	FW_CMDLINE_SIZE = 0x14,
	FW_CMDLINE_DATA = 0x15,
	FW_SETUP_ADDR = 0x16,
	FW_SETUP_SIZE = 0x17,
	FW_SETUP_DATA = 0x18,
};

/* Where the boot ROM's parameters for a protected-mode entry go: below what loaders use. */
enum { BOOT_PARAMETERS = 0x8f00 };

const char *const firmware_dirs[] = { PKG_DATA_DIR, FIRMWARE_DIR, IPXE_DIR, "/usr/share/qemu", NULL };

/* ---- finding files ---- */

/* DIRS: directories with colons between.  A path that can be read, to be freed, or NULL. */
static char *
find_in(const char *dirs, const char *name)
{
	while (*dirs != '\0') {
		size_t length = strcspn(dirs, ":");
		char *path = xasprintf("%.*s/%s", (int)length, dirs, name);

		if (access(path, R_OK) == 0)
			return path;
		free(path);
		dirs += length + (dirs[length] == ':');
	}
	return NULL;
}

static char *
find_firmware(const struct settings *s, const char *name)
{
	char *path = NULL;

	if (access(name, R_OK) == 0)
		return xstrdup(name);
	if (strchr(name, '/') != NULL)
		return NULL;
	for (unsigned i = 0; path == NULL && i < s->data_dir_count; i++)
		path = find_in(s->data_dirs[i], name);
	for (unsigned i = 0; path == NULL && firmware_dirs[i] != NULL; i++)
		path = find_in(firmware_dirs[i], name);
	return path;
}

/* Loads firmware NAME; what to do when it isn't there is in HINT. */
static bool
load(const struct settings *s, const char *name, uint64_t most, struct blob *b, const char *hint, struct err *e)
{
	char *path = find_firmware(s, name);

	if (path == NULL)
		return err_set(e, "%s: not found; %s", name, hint);
	bool ok = blob_load(b, path, most, e);
	free(path);
	return ok;
}

bool
firmware_load_file(struct machine *m, const char *name, uint64_t most, struct blob *b, const char *hint, struct err *e)
{
	return load(m->settings, name, most, b, hint, e);
}

/* ---- the system ROM ---- */

/* The low view when flash holds the firmware: its last 128 KiB as they are at power-on. */
static bool
shadow_flash(struct machine *m, struct err *e)
{
	struct disk *disk = m->flashes[0].disk;
	const char *file = m->flashes[0].config->file;
	uint64_t size = disk_bytes(disk);

	if (size < ROM_LOW || size % FLASH_UNIT != 0 || size > ROM_MOST)
		return err_set(e, "-pflash %s: %llu bytes; firmware has a multiple of 4 KiB, 128 KiB to 16 MiB", file,
			(unsigned long long)size);
	m->rom_shadow = xcalloc(1, ROM_LOW);
	int error = disk_read_sync(disk, size - ROM_LOW, m->rom_shadow, ROM_LOW);
	if (error != 0)
		return err_set(e, "-pflash %s: cannot read: %s", file, strerror(error));
	region_init_rom(&m->rom_low, "pflash-low", m->rom_shadow, ROM_LOW);
	return true;
}

static bool
install_rom(struct machine *m, const struct blob *b, struct err *e)
{
	uint64_t at = 4 * GiB - b->size, low = MIN(b->size, (size_t)ROM_LOW);

	if (!ram_open(&m->ram, at, b->size, e))
		return false;
	memcpy(m->ram.base + at, b->data, b->size);
	region_init_rom(&m->rom, "bios", m->ram.base + at, b->size);
	space_add(m->mem, &m->rom, at, 0);
	region_init_rom(&m->rom_low, "bios-low", m->ram.base + 4 * GiB - low, low);
	m->rom_size = b->size;
	return true;
}

bool
firmware_load_rom(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	const char *name = s->firmware != NULL ? s->firmware : "bios-256k.bin";
	struct blob b = { 0 };

	if (m->flashes[0].disk != NULL)
		return shadow_flash(m, e);
	if (!load(s, name, ROM_MOST, &b, "install the package seabios, or give the file with -bios or its directory with -L", e))
		return err_prefix(e, "-bios ");
	bool ok = b.size != 0 && b.size % ROM_UNIT == 0;
	if (!ok)
		err_set(e, "-bios %s: %zu bytes; a system ROM has a multiple of 64 KiB", name, b.size);
	ok = ok && install_rom(m, &b, e);
	blob_free(&b);
	return ok;
}

bool
firmware_load_vga(struct machine *m, struct err *e)
{
	const char *name = screen_rom(m);

	return name == NULL || load(m->settings, name, VGA_ROM_MOST, &m->vga_rom,
		"install the package seabios, or give its directory with -L", e) || err_prefix(e, "the display adapter's ROM: ");
}

/* ---- CMOS ---- */

static void
set_word(struct machine *m, unsigned index, uint64_t value)
{
	mc146818_set_cmos(m->rtc, index, (uint8_t)value);
	mc146818_set_cmos(m->rtc, index + 1, (uint8_t)(value >> 8));
}

static void
set_memory(struct machine *m)
{
	uint64_t below = m->ram.below_4g;
	uint64_t extended_k = below > MiB ? (below - MiB) / KiB : 0;

	set_word(m, 0x15, 640);
	set_word(m, 0x17, MIN(extended_k, 65535));
	set_word(m, 0x30, MIN(extended_k, 65535));
	set_word(m, 0x34, below > 16 * MiB ? MIN((below - 16 * MiB) / (64 * KiB), 65535) : 0);
	set_word(m, 0x5b, m->ram.above_4g / (64 * KiB));
	mc146818_set_cmos(m->rtc, 0x5d, (uint8_t)(m->ram.above_4g / (64 * KiB) >> 16));
}

/* Firmware's numbers: 1 floppy, 2 disk, 3 CD-ROM, 4 network. */
static unsigned
boot_number(char device)
{
	static const char numbers[] = { ['a' - 'a'] = 1, ['b' - 'a'] = 1, ['c' - 'a'] = 2, ['d' - 'a'] = 3, ['n' - 'a'] = 4 };

	return device >= 'a' && device <= 'n' ? (unsigned)numbers[device - 'a'] : 0;
}

static void
set_boot_order(struct machine *m)
{
	const struct settings *s = m->settings;
	const char *order = s->boot_once != NULL && !m->booted_once ? s->boot_once : s->boot_order;
	unsigned n[3] = { 0, 0, 0 };

	for (unsigned i = 0; i < 3 && order[i] != '\0'; i++)
		n[i] = boot_number(order[i]);
	mc146818_set_cmos(m->rtc, 0x3d, (uint8_t)(n[1] << 4 | n[0]));
	mc146818_set_cmos(m->rtc, 0x38, (uint8_t)(n[2] << 4));
}

/* Hard disk N's geometry at INDEX: type 47, "user defined". */
static void
set_disk(struct machine *m, unsigned n, unsigned index)
{
	unsigned cylinders = 0, heads = 0, sectors = 0;

	piix3_ide_geometry(m->ide, n, &cylinders, &heads, &sectors);
	mc146818_set_cmos(m->rtc, 0x19 + n, 47);
	set_word(m, index, cylinders);
	mc146818_set_cmos(m->rtc, index + 2, (uint8_t)heads);
	set_word(m, index + 3, 0xffff);
	mc146818_set_cmos(m->rtc, index + 5, (uint8_t)(0xc0 | (heads > 8) << 3));
	set_word(m, index + 6, cylinders);
	mc146818_set_cmos(m->rtc, index + 8, (uint8_t)sectors);
}

static void
set_disks(struct machine *m)
{
	static const unsigned indexes[2] = { 0x1b, 0x24 };
	uint8_t types = 0, translation = 0;

	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		unsigned cylinders = 0, heads = 0, sectors = 0;

		if (m->ide_drives[i].disk == NULL || m->ide_drives[i].cdrom)
			continue;
		if (i < 2) {
			types |= (uint8_t)(0xf0 >> 4 * i);
			set_disk(m, i, indexes[i]);
		}
		/* Beyond 1024 cylinders int 13h shows another geometry: LBA-assisted. */
		piix3_ide_geometry(m->ide, i, &cylinders, &heads, &sectors);
		if (cylinders > 1024)
			translation |= (uint8_t)(1u << 2 * i);
	}
	mc146818_set_cmos(m->rtc, 0x12, types);
	mc146818_set_cmos(m->rtc, 0x39, translation);
}

static void
set_floppies(struct machine *m)
{
	uint8_t types = m->fdc != NULL ? i82077_cmos_types(m->fdc) : 0;
	uint8_t equipment = 0x02 | 0x04; /* x87, PS/2 mouse */

	if (types != 0)
		equipment |= types >> 4 != 0 && (types & 0xf) != 0 ? 0x41 : 0x01;
	mc146818_set_cmos(m->rtc, 0x10, types);
	mc146818_set_cmos(m->rtc, 0x14, equipment);
}

void
firmware_set_cmos(struct machine *m)
{
	set_memory(m);
	set_boot_order(m);
	set_disks(m);
	set_floppies(m);
	mc146818_set_cmos(m->rtc, 0x5f, 0);
}

/* ---- fw_cfg ---- */

struct boot_list {
	struct boot_entry {
		int index;
		char path[96];
	} entries[IDE_DRIVES + 48];
	unsigned count;
};

static void
add_boot_entry(struct boot_list *l, int index, const char *path)
{
	unsigned at = l->count;

	if (index < 0 || l->count == ARRAY_SIZE(l->entries))
		return;
	for (; at > 0 && l->entries[at - 1].index > index; at--)
		l->entries[at] = l->entries[at - 1];
	l->entries[at].index = index;
	snprintf(l->entries[at].path, sizeof(l->entries[at].path), "%s", path);
	l->count++;
}

/* Paths as Open Firmware names them, one a line, the first to be tried first. */
static void
publish_boot_order(struct machine *m, struct boot_list *l)
{
	char text[sizeof(l->entries) + 1];
	size_t used = 0;

	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		char path[96];

		snprintf(path, sizeof(path), "/pci@i0cf8/ide@1,1/drive@%u/disk@%u", i / 2, i % 2);
		if (m->ide_drives[i].present)
			add_boot_entry(l, m->ide_drives[i].boot_index, path);
	}
	for (unsigned i = 0; i < m->nic_boot_count; i++) {
		unsigned devfn = m->nic_boots[i].devfn;
		char path[96];

		snprintf(path, sizeof(path), devfn & 7 ? "/pci@i0cf8/ethernet@%x,%x/ethernet-phy@0" : "/pci@i0cf8/ethernet@%x/ethernet-phy@0",
			devfn >> 3, devfn & 7);
		add_boot_entry(l, m->nic_boots[i].index, path);
	}
	for (const struct drive *d = m->usb_drives; d != NULL; d = d->next) {
		char path[96];

		if (d->boot_index >= 0 && usb_boot_path(d->usb, path, sizeof(path)))
			add_boot_entry(l, d->boot_index, path);
	}
	if (m->settings->boot_strict)
		add_boot_entry(l, INT_MAX, "HALT");
	for (unsigned i = 0; i < l->count; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? "\n" : "", l->entries[i].path);
	if (used > 0)
		fw_cfg_add_file(m->fw_cfg, "bootorder", text, used + 1);
}

static bool
publish_option_roms(struct machine *m, struct boot_list *l, struct err *e)
{
	for (const struct rom_config *c = m->settings->option_roms; c != NULL; c = c->next) {
		const char *slash = strrchr(c->file, '/');
		char name[56], path[96];
		struct blob b = { 0 };

		if (!load(m->settings, c->file, OPTION_ROM_MOST, &b, "check the path", e))
			return err_prefix(e, "-option-rom ");
		snprintf(name, sizeof(name), "genroms/%s", slash != NULL ? slash + 1 : c->file);
		fw_cfg_add_file(m->fw_cfg, name, b.data, b.size);
		blob_free(&b);
		snprintf(path, sizeof(path), "/rom@%s", name);
		add_boot_entry(l, c->boot_index, path);
	}
	return true;
}

static void
publish_piece(struct dev *f, const struct boot_piece *piece, uint16_t addr_key, uint16_t size_key, uint16_t data_key)
{
	fw_cfg_add_u32(f, addr_key, (uint32_t)piece->addr);
	fw_cfg_add_u32(f, size_key, (uint32_t)piece->blob.size);
	fw_cfg_add_bytes(f, data_key, piece->blob.data, piece->blob.size);
}

static void
publish_kernel(struct machine *m, struct boot_list *l)
{
	static const uint8_t boot_rom[] = {
#include "vm/linuxboot_rom.h"
	};
	const struct boot_plan *p = &m->plan;
	const struct boot_piece *setup = &p->pieces[PIECE_SETUP];
	struct boot_piece cmdline = p->pieces[PIECE_CMDLINE];
	uint8_t parameters[20];

	if (p->entry != 0) {
		store_le(parameters, p->eax, 4);
		store_le(parameters + 4, p->ebx, 4);
		store_le(parameters + 8, p->esi, 4);
		store_le(parameters + 12, p->map_offset != 0 ? setup->addr + p->map_offset : 0, 4);
		store_le(parameters + 16, setup->addr + p->map_length_offset, 4);
		cmdline = (struct boot_piece){ BOOT_PARAMETERS, { parameters, sizeof(parameters) } };
	}
	publish_piece(m->fw_cfg, &p->pieces[PIECE_KERNEL], FW_KERNEL_ADDR, FW_KERNEL_SIZE, FW_KERNEL_DATA);
	publish_piece(m->fw_cfg, &p->pieces[PIECE_INITRD], FW_INITRD_ADDR, FW_INITRD_SIZE, FW_INITRD_DATA);
	publish_piece(m->fw_cfg, &cmdline, FW_CMDLINE_ADDR, FW_CMDLINE_SIZE, FW_CMDLINE_DATA);
	publish_piece(m->fw_cfg, setup, FW_SETUP_ADDR, FW_SETUP_SIZE, FW_SETUP_DATA);
	fw_cfg_add_u32(m->fw_cfg, FW_KERNEL_ENTRY, p->entry);
	fw_cfg_add_file(m->fw_cfg, "genroms/linuxboot.bin", boot_rom, sizeof(boot_rom));
	add_boot_entry(l, 0, "/rom@genroms/linuxboot.bin");
}

static void
publish_numbers(struct machine *m)
{
	const struct settings *s = m->settings;
	struct dev *f = m->fw_cfg;

	fw_cfg_add_bytes(f, FW_UUID, s->uuid, sizeof(s->uuid));
	fw_cfg_add_u64(f, FW_RAM_SIZE, s->ram_bytes);
	fw_cfg_add_u16(f, FW_NOGRAPHIC, s->nographic);
	fw_cfg_add_u16(f, FW_CPUS, 1);
	fw_cfg_add_u16(f, FW_MAX_CPUS, 1);
	fw_cfg_add_u16(f, FW_BOOT_DEVICE, (uint8_t)s->boot_order[0]);
	fw_cfg_add_u16(f, FW_BOOT_MENU, s->boot_menu);
	if (s->boot_menu_ms != UINT64_MAX) {
		uint8_t ms[2] = { (uint8_t)s->boot_menu_ms, (uint8_t)(s->boot_menu_ms >> 8) };

		fw_cfg_add_file(f, "etc/boot-menu-wait", ms, sizeof(ms));
	}
	/* All ones: no restart where nothing can be booted. */
	uint8_t ms[4];

	store_le(ms, s->reboot_timeout_ms, 4);
	fw_cfg_add_file(f, "etc/boot-fail-wait", ms, sizeof(ms));
}

static bool
publish_user_files(struct machine *m, struct err *e)
{
	for (const struct fw_cfg_config *c = m->settings->fw_cfg; c != NULL; c = c->next) {
		struct blob b = { 0 };

		if (c->string != NULL) {
			fw_cfg_add_file(m->fw_cfg, c->name, c->string, strlen(c->string));
			continue;
		}
		if (!blob_load(&b, c->file, FW_CFG_FILE_MOST, e))
			return err_prefix(e, "-fw_cfg %s: ", c->name);
		fw_cfg_add_file(m->fw_cfg, c->name, b.data, b.size);
		blob_free(&b);
	}
	return true;
}

bool
firmware_publish(struct machine *m, struct err *e)
{
	struct boot_list list = { .count = 0 };

	publish_numbers(m);
	pc_add_tables(m->fw_cfg, &m->facts);
	if (m->plan.wanted && !m->plan.direct)
		publish_kernel(m, &list);
	if (!publish_option_roms(m, &list, e) || !publish_user_files(m, e))
		return false;
	publish_boot_order(m, &list);
	return true;
}
