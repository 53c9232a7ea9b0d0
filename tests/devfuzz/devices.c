/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table of devices: how each is made, where its registers are, a driver's first steps, and the host's side of it. */
#include "tests/devfuzz/devfuzz.h"

#include "base/err.h"

#include <stdlib.h>

enum { CARD = 4 << 3 };

static const uint8_t rom[512] = { 0x55, 0xaa, 1 };

struct pci_dev *
devfuzz_pci_of(struct fuzz *f, struct dev *d, unsigned devfn)
{
	f->dev = d;
	return pci_bus_find(f->bus, devfn);
}

void
devfuzz_put(struct fuzz *f, unsigned window, uint64_t offset, uint64_t value, unsigned size)
{
	const struct window *w = &f->windows[window];

	space_write(w->io ? f->io : f->mem, w->base + offset, value, size, false);
}

uint64_t
devfuzz_get(struct fuzz *f, unsigned window, uint64_t offset, unsigned size)
{
	const struct window *w = &f->windows[window];

	return space_read(w->io ? f->io : f->mem, w->base + offset, size, false);
}

void
devfuzz_bytes(struct bytes *b, unsigned at, unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		devfuzz_memory()[(at + i) % MEMORY] = take(b, 1);
}

/* ---- sound ---- */

static void
make_hda(struct fuzz *f, unsigned variant)
{
	struct dev *d = hda_new(&f->env, f->bus, "h", CARD, variant & 1 ? HDA_ICH9 : HDA_ICH6, true);

	hda_codec_new(&f->env, d, "c", (enum hda_codec_model)(variant >> 1 & 3) % 3, 0, variant & 8, NULL);
	f->pci = devfuzz_pci_of(f, d, CARD);
}

static const struct step hda_steps[] = {
	{ 0, 4, 0x08, 1 }, { 0, 4, 0x20, 0xc00000ff }, { 0, 4, 0x40, 0x1000 }, { 0, 4, 0x50, 0x2000 }, { 0, 1, 0x4c, 2 },
	{ 0, 2, 0x5a, 4 }, { 0, 1, 0x5c, 3 }, { 0, 4, 0x100, 5 << 20 }, { 0, 4, 0x108, 0x1000 }, { 0, 2, 0x10c, 3 },
	{ 0, 2, 0x112, 0x4011 }, { 0, 4, 0x118, 0x3000 }, { STEP_MEMORY, 4, 0x1004, 2 << 20 | 0x70650 },
	{ STEP_MEMORY, 4, 0x1008, 2 << 20 | 0x24011 },
	{ 0, 2, 0x48, 2 }, { 0, 0, 0, 0 },
};

static void
make_ac97(struct fuzz *f, unsigned variant)
{
	(void)variant;
	f->pci = devfuzz_pci_of(f, ac97_new(&f->env, f->bus, "a", CARD, NULL), CARD);
}

/* ---- disks ---- */

static const struct window floppy_windows[] = { { true, 0x3f0, 8 }, { true, 0x00, 0x10 }, { true, 0x81, 1 }, { 0 } };
/* The controller is out of reset, the motor on, and channel 2 of the DMA controller writes to memory or reads it. */
static const struct step floppy_steps[] = {
	{ 0, 1, 2, 0x1c }, { 0, 1, 7, 0 }, { 1, 1, 4, 0 }, { 1, 1, 4, 0x10 }, { 1, 1, 5, 0xff }, { 1, 1, 5, 0x3f },
	{ 1, 1, 0xb, 0x46 }, { 1, 1, 0xa, 2 }, { 0, 0, 0, 0 },
};

static void
make_floppy(struct fuzz *f, unsigned variant)
{
	static const unsigned sizes[] = { 1474560, 737280, 2949120, 368640 };
	struct disk *drives[2] = { backends_disk(0, sizes[variant & 3], variant & 4),
		variant & 8 ? backends_disk(1, 1474560, false) : NULL };

	f->disks[0] = drives[0];
	f->dma = i8237_new(&f->env);
	f->dev = i82077_new(&f->env, devfuzz_line(6), f->dma, drives);
}

static void
floppy_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1);

	backends_complete_all(0);
	loop_turn(f->loop, 0);
	if (what & 0xf0) { /* a command of so many bytes, then time for it */
		for (unsigned n = what & 15; n > 0; n--)
			devfuzz_put(f, 0, 5, take(b, 1), 1);
		for (unsigned n = 0; n < 8; n++) {
			clock_advance(f->clock, what >> 4 << 21);
			backends_complete_all(0);
			loop_turn(f->loop, 0);
		}
		for (unsigned n = 0; n < 8 && (what & 0x80); n++)
			devfuzz_get(f, 0, 5, 1);
		return;
	}
	i82077_change(f->dev, what & 1, what & 2 ? f->disks[0] : NULL);
}

static const struct window flash_windows[] = { { false, 0xffc00000, 64 * KiB }, { 0 } };

static void
make_flash(struct fuzz *f, unsigned variant)
{
	struct err e = { "" };

	f->dev = pflash_new(&f->env, "vars", 0xffc00000, backends_disk(0, 64 * KiB, variant & 1), &e);
}

/* ---- screens ---- */

static const struct window vga_windows[] = { { true, 0x3b4, 0x2c }, { true, 0x1ce, 4 }, { false, 0xa0000, 0x20000 }, { 0 } };

static void
make_vga(struct fuzz *f, unsigned variant)
{
	const struct vga_config config = { .id = "vga", .vram_mib = 1 << (variant & 1), .edid = variant & 2,
		.width = 1024, .height = 768 };

	f->pci = devfuzz_pci_of(f, (variant & 12) == 12 ? bochs_display_new(&f->env, f->bus, &config, rom, sizeof(rom), &f->display) :
		vga_new(&f->env, f->bus, &config, rom, sizeof(rom), &f->display), 0);
}

/* A driver's modes, but 20 columns by 64 lines: text, 16 colours, 256 colours; then so many bytes of the input as dots. */
static void
vga_event(struct fuzz *f, struct bytes *b)
{
	static const uint8_t modes[3][3 + 9 + 3] = {
		/* Sequencer 1, 2, 4; graphics 0 to 8; attributes 10h, 12h; CRTC 17h. */
		{ 0x00, 0x03, 0x02, 0, 0, 0, 0, 0, 0x10, 0x0e, 0x0f, 0xff, 0x0c, 0x0f, 0xa3 },
		{ 0x01, 0x0f, 0x06, 0, 0, 0, 0, 0, 0x00, 0x05, 0x0f, 0xff, 0x01, 0x0f, 0xe3 },
		{ 0x01, 0x0f, 0x0e, 0, 0, 0, 0, 0, 0x40, 0x05, 0x0f, 0xff, 0x41, 0x0f, 0xa3 },
	};
	static const uint8_t crtc[] = {
		24, 19, 20, 0x9c, 21, 0x96, 70, 0, 0, 0x4f, 13, 14, 0, 0, 0, 0, 66, 0x8c, 63, 10, 31, 65, 68,
	};
	unsigned what = take(b, 1);
	const uint8_t *m = modes[what % 3];

	f->dots_left = MAX(f->dots_left, DOTS_SMALL);
	devfuzz_put(f, 0, 0xe, 0x63, 1);
	devfuzz_put(f, 0, 0x10, m[0] << 8 | 1, 2);
	devfuzz_put(f, 0, 0x10, m[1] << 8 | 2, 2);
	devfuzz_put(f, 0, 0x10, m[2] << 8 | 4, 2);
	for (unsigned i = 0; i < 9; i++)
		devfuzz_put(f, 0, 0x1a, m[3 + i] << 8 | i, 2);
	devfuzz_put(f, 0, 0x20, 0x11, 2);
	for (unsigned i = 0; i < sizeof(crtc); i++)
		devfuzz_put(f, 0, 0x20, crtc[i] << 8 | i, 2);
	devfuzz_put(f, 0, 0x20, m[14] << 8 | 0x17, 2);
	devfuzz_get(f, 0, 0x26, 1);
	for (unsigned i = 0; i < 16; i++) {
		devfuzz_put(f, 0, 0xc, i, 1);
		devfuzz_put(f, 0, 0xc, i, 1);
	}
	devfuzz_put(f, 0, 0xc, 0x10, 1);
	devfuzz_put(f, 0, 0xc, m[12], 1);
	devfuzz_put(f, 0, 0xc, 0x12, 1);
	devfuzz_put(f, 0, 0xc, m[13], 1);
	devfuzz_put(f, 0, 0xc, 0x20, 1);
	for (unsigned i = 0; i < (what >> 3); i++)
		devfuzz_put(f, 2, 0x18000 * (what % 3 == 0) + i * 97, take(b, 2), 2);
}

/* A transfer of the blitter: graphics registers 20h to 33h. */
static void
cirrus_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1);

	if ((what & 3) == 0) {
		vga_event(f, b);
		return;
	}
	if ((what & 0xf3) == 0xf3) { /* the pointer's picture, its place and size */
		for (unsigned i = 0x10; i < 0x14; i++)
			devfuzz_put(f, 0, 0x10, take(b, 1) << 8 | i, 2);
		devfuzz_put(f, 0, 0x10, (what & 4 ? 5 : 1) << 8 | 0x12, 2);
		return;
	}
	devfuzz_put(f, 0, 0x10, 0x1206, 2);
	for (unsigned i = 0x20; i < 0x34; i++) {
		unsigned v = take(b, 1);

		/* Of a bounded size, and few pages: others come by plain accesses. */
		if (i == 0x31 || i == 0x23 || (i == 0x21 && (what & 4)))
			v = 0;
		else if (i == 0x21 || i == 0x25 || i == 0x27)
			v &= 3;
		else if (i == 0x22)
			v &= 0x3f;
		devfuzz_put(f, 0, 0x1a, v << 8 | i, 2);
	}
	devfuzz_put(f, 0, 0x1a, 0x231, 2);
	for (unsigned i = 0; i < (what >> 4) * 4; i++)
		devfuzz_put(f, 2, 4 * i, take(b, 4), 4);
}

static const struct step vga_steps[] = {
	{ 1, 2, 0, 1 }, { 1, 2, 2, 64 }, { 1, 2, 0, 2 }, { 1, 2, 2, 48 }, { 1, 2, 0, 3 }, { 1, 2, 2, 16 },
	{ 1, 2, 0, 4 }, { 1, 2, 2, 0x41 }, { 0, 1, 0x0c, 0x20 }, { 0, 0, 0, 0 },
};

static void
make_cirrus(struct fuzz *f, unsigned variant)
{
	const struct vga_config config = { .id = "cirrus", .vram_mib = 4 };

	(void)variant;
	f->pci = devfuzz_pci_of(f, cirrus_new(&f->env, f->bus, &config, rom, sizeof(rom), &f->display), 0);
}

static const struct step cirrus_steps[] = {
	{ 0, 1, 0x10, 6 }, { 0, 1, 0x11, 0x12 }, { 0, 1, 0x10, 7 }, { 0, 1, 0x11, 0x17 }, { 0, 1, 0x1a, 0x17 }, { 0, 1, 0x1b, 4 },
	{ 0, 0, 0, 0 },
};

/* ---- the ISA side ---- */

static const struct window i8042_windows[] = { { true, 0x60, 1 }, { true, 0x64, 1 }, { true, 0x92, 1 }, { 0 } };

static void
make_i8042(struct fuzz *f, unsigned variant)
{
	(void)variant;
	f->dev = i8042_new(&f->env, devfuzz_line(1), devfuzz_line(12), devfuzz_line(100), devfuzz_line(101));
	i8042_add_input(f->dev, &f->input);
	port92_new(&f->env, devfuzz_line(100), devfuzz_line(101));
}

/* A byte to the keyboard or, through the controller, to the mouse, what answers it, and movements or keys. */
static void
i8042_event(struct fuzz *f, struct bytes *b)
{
	static const uint8_t commands[] = {
		0xe6, 0xe7, 0xe8, 0xe9, 0xea, 0xeb, 0xec, 0xed, 0xee, 0xf0, 0xf2, 0xf3, 0xf4, 0xf5, 0xf6, 0xf7, 0xfe, 0xff,
	};
	static const uint8_t knocks[3][3] = { { 200, 100, 80 }, { 200, 200, 80 }, { 200, 80, 40 } };
	unsigned what = take(b, 1), v = take(b, 1), data = f->windows[0].base == 0x5658 ? 1 : 0, mouse = what & 1;

	if (what & 2) {
		for (unsigned i = 0; i < 6; i++) {
			devfuzz_put(f, data + 1, 0, 0xd4, 1);
			devfuzz_put(f, data, 0, i & 1 ? knocks[v % 3][i / 2] : 0xf3, 1);
			devfuzz_get(f, data, 0, 1);
		}
	} else if (what & 4) {
		for (unsigned i = 0; i < (what >> 4); i++) {
			if (mouse)
				input_move(&f->input, (int)v - 128, (int)v * 3 - 300, (int)(v & 3) - 1, (v >> 2 & 3) - 1, v >> 3);
			else
				input_key(&f->input, (v & 0x7f) | (what & 8 ? 0xe000 : 0), v >> 7);
			v = take(b, 1);
		}
	} else {
		if (mouse)
			devfuzz_put(f, data + 1, 0, 0xd4, 1);
		devfuzz_put(f, data, 0, what & 8 ? v : commands[v % ARRAY_SIZE(commands)], 1);
	}
	for (unsigned i = 0; i < (what >> 5) * 3; i++)
		devfuzz_get(f, data, 0, 1);
}

/* The mouse is there, and reports; vmport has its own port in front. */
static void
i8042_start(struct fuzz *f)
{
	unsigned data = f->windows[0].base == 0x5658 ? 1 : 0;

	devfuzz_put(f, data + 1, 0, 0x60, 1);
	devfuzz_put(f, data, 0, 0x47, 1);
	devfuzz_put(f, data + 1, 0, 0xd4, 1);
	devfuzz_put(f, data, 0, 0xf4, 1);
	devfuzz_get(f, data, 0, 1);
}

static uint32_t
get_register(void *opaque, enum vmport_register r)
{
	return ((struct fuzz *)opaque)->registers[r];
}

static void
set_register(void *opaque, enum vmport_register r, uint32_t value)
{
	((struct fuzz *)opaque)->registers[r] = value;
}

static const struct window vmport_windows[] = { { true, 0x5658, 4 }, { true, 0x60, 1 }, { true, 0x64, 1 }, { 0 } };

static void
make_vmport(struct fuzz *f, unsigned variant)
{
	const struct vmport_cpu cpu = { f, get_register, set_register };
	struct dev *kbc = i8042_new(&f->env, devfuzz_line(1), devfuzz_line(12), devfuzz_line(100), devfuzz_line(101));

	(void)variant;
	i8042_add_input(kbc, &f->input);
	f->dev = vmport_new(&f->env, &cpu, i8042_announce(kbc), &f->input);
}

/* A call: its number, its arguments. */
static void
vmport_event(struct fuzz *f, struct bytes *b)
{
	static const uint32_t pointer[] = { 0x45414552, 0x53424152, 0x4c455252, 0xf5 };
	unsigned call = take(b, 1);

	if (call & 0x80) {
		i8042_event(f, b);
		return;
	}
	f->registers[VMPORT_ECX] = call;
	f->registers[VMPORT_EBX] = take(b, 1);
	if (call == 41)
		f->registers[VMPORT_EBX] = pointer[f->registers[VMPORT_EBX] % ARRAY_SIZE(pointer)];
	f->registers[VMPORT_EAX] = 0x564d5868;
	space_read(f->io, 0x5658, 4, false);
}

static const struct window serial_windows[] = { { true, 0x3f8, 8 }, { 0 } };

static void
make_serial(struct fuzz *f, unsigned variant)
{
	(void)variant;
	f->dev = ns16550_new(&f->env, "com1", 0x3f8, devfuzz_line(4), backends_chr());
}

static const struct window parallel_windows[] = { { true, 0x378, 8 }, { true, 0xe9, 1 }, { true, 0xf4, 4 }, { 0 } };

static void
make_parallel(struct fuzz *f, unsigned variant)
{
	if (variant & 1)
		f->dev = debugcon_new(&f->env, "debug", 0xe9, 0xe9, backends_chr());
	else
		f->dev = parallel_new(&f->env, "lpt1", 0x378, devfuzz_line(7), backends_chr());
}

static const struct window dma_windows[] = { { true, 0x00, 0x10 }, { true, 0xc0, 0x20 }, { true, 0x80, 0x10 }, { 0 } };

static void
make_dma(struct fuzz *f, unsigned variant)
{
	(void)variant;
	f->dev = i8237_new(&f->env);
}

static void
dma_event(struct fuzz *f, struct bytes *b)
{
	uint8_t buf[512] = { 0 };
	unsigned what = take(b, 1), len = take(b, 1) * 2 + 1;
	bool tc;

	i8237_transfer(f->dev, what & 7, buf, len, what & 8, &tc);
}

static const struct window fw_cfg_windows[] = { { true, 0x510, 2 }, { true, 0x514, 8 }, { 0 } };

static void
make_fw_cfg(struct fuzz *f, unsigned variant)
{
	f->dev = fw_cfg_new(&f->env);
	fw_cfg_add_u32(f->dev, 0x01, 3);
	fw_cfg_add_u16(f->dev, 0x05, 1);
	fw_cfg_add_file(f->dev, "etc/one", rom, sizeof(rom));
	if (variant & 1)
		fw_cfg_add_file(f->dev, "etc/empty", rom, 0);
}

static const struct window pm_windows[] = {
	{ true, 0x600, 0x40 }, { true, 0x700, 0x10 }, { true, 0xafe0, 4 }, { true, 0xb2, 2 }, { 0 },
};

static void
told_sleep(void *opaque, unsigned type)
{
	(void)opaque, (void)type;
}

static void
told_smi(void *opaque)
{
	(void)opaque;
}

static void
make_pm(struct fuzz *f, unsigned variant)
{
	const struct piix4_pm_ops ops = { f, told_sleep, told_smi };

	(void)variant;
	f->pci = devfuzz_pci_of(f, piix4_pm_new(&f->env, f->bus, devfuzz_line(9), &ops), 1 << 3 | 3);
}

/* Its ports are where the windows say. */
static void
pm_start(struct fuzz *f)
{
	unsigned address = f->pci->devfn << 8;

	pci_bus_config_write(f->bus, address | 0x40, 0x600, 4);
	pci_bus_config_write(f->bus, address | 0x80, 1, 1);
	pci_bus_config_write(f->bus, address | 0x90, 0x700, 4);
	pci_bus_config_write(f->bus, address | 0xd2, 1, 1);
}

static void
pm_event(struct fuzz *f, struct bytes *b)
{
	struct irq rtc = piix4_pm_rtc(f->dev);
	unsigned what = take(b, 1);

	if (what & 1)
		piix4_pm_power_button(f->dev);
	else
		irq_set(&rtc, what >> 1 & 1);
}

/* ---- the board ---- */

static const struct window chipset_windows[] = { { true, 0xcf8, 8 }, { false, 0xa0000, 0x60000 }, { false, 0xff000000, 0x10000 },
	{ true, 0xe0, 0x12 }, { true, 0x2000, 24 }, { true, 0xf4, 4 }, { 0 } };

static void
told_exit(void *opaque, int status)
{
	(void)opaque, (void)status;
}

/* The host bridge, which has the bus, the ISA bridge, a card that interrupts, and the devices that only tests have. */
static void
make_chipset(struct fuzz *f, unsigned variant)
{
	struct irq lines[24];
	struct dev *host, *isa;

	for (unsigned i = 0; i < 24; i++)
		lines[i] = devfuzz_line(i);
	pci_bus_free(f->bus);
	region_init_rom(&f->bios, "bios", devfuzz_memory(), 128 * KiB);
	host = i440fx_new(&f->env, devfuzz_memory(), variant & 2 ? 16 * MiB : 640 * KiB, variant & 4 ? &f->bios : NULL, &f->bus);
	f->borrowed_bus = true;
	isa = piix3_new(&f->env, f->bus, lines, devfuzz_line(100));
	ac97_new(&f->env, f->bus, "card", CARD, NULL);
	debug_exit_new(&f->env, 0xf4, 4, told_exit, f);
	if (variant & 8)
		f->dev = pc_testdev_new(&f->env, lines);
	else
		f->dev = variant & 1 ? isa : host;
	f->pci = pci_bus_find(f->bus, variant & 1 ? 1 << 3 : 0);
}

/* A register that has a meaning, by the ports of configuration mechanism 1, or the card's interrupt. */
static void
chipset_event(struct fuzz *f, struct bytes *b)
{
	static const uint16_t registers[] = {
		0x0004, 0x0058, 0x005c, 0x0070, 0x0090, 0x0804, 0x084c, 0x0860, 0x0868, 0x0880, CARD << 8 | 0x04, CARD << 8 | 0x3c,
	};
	unsigned what = take(b, 1);

	if (what & 1) {
		pci_set_intx(pci_bus_find(f->bus, CARD), what >> 1 & 1);
		return;
	}
	devfuzz_put(f, 0, 0, 0x80000000u | registers[(what >> 1) % ARRAY_SIZE(registers)], 4);
	devfuzz_put(f, 0, 4, take(b, 4), 4);
	devfuzz_get(f, 0, 4, 4);
	devfuzz_put(f, 0, 0, take(b, 2), 2);
	devfuzz_get(f, 0, 0, 2);
}

/* Counter 2 of the timer, the gates of port 61h, and who hears it. */
static const struct window speaker_windows[] = { { true, 0x40, 4 }, { true, 0x61, 1 }, { 0 } };
static const struct step speaker_steps[] = {
	{ 0, 1, 3, 0xb6 }, { 0, 1, 2, 0 }, { 0, 1, 2, 8 }, { 1, 1, 0, 3 }, { STEP_TIME, 1, 0, 10 * 1000 * 1000 }, { 0, 0, 0, 0 },
};

static void
make_speaker(struct fuzz *f, unsigned variant)
{
	(void)variant;
	f->pit = i8254_new(&f->env, devfuzz_line(0));
	f->dev = pcspk_new(&f->env, f->pit, NULL);
}

/* ---- interrupts and time ---- */

static void
set_pin(void *opaque, enum pin pin, int level)
{
	(void)opaque, (void)pin, (void)level;
}

static uint64_t
read_tsc(void *opaque)
{
	return clock_now(((struct fuzz *)opaque)->clock) * 2;
}

static const struct window board_windows[] = {
	{ true, 0x20, 2 }, { true, 0xa0, 2 }, { true, 0x4d0, 2 }, { true, 0x40, 4 }, { true, 0x61, 1 }, { true, 0x70, 2 },
	{ false, 0xfec00000, 0x40 }, { 0 },
};
static const struct window lapic_windows[] = { { false, 0xfee00000, 0x400 }, { false, 0xfec00000, 0x40 }, { 0 } };
static const struct window hpet_windows[] = { { false, 0xfed00000, 0x400 }, { true, 0x40, 4 }, { true, 0x70, 2 }, { 0 } };

/* The local APIC is on, its timer runs; I/O APIC inputs 0 to 3 and the HPET's comparators are open. */
static const struct step lapic_steps[] = {
	{ 0, 4, 0xf0, 0x1ff }, { 0, 4, 0x3e0, 0xb }, { 0, 4, 0x320, 0x20040 }, { 0, 4, 0x380, 100000 }, { 0, 4, 0x350, 0x700 },
	{ 1, 4, 0, 0x10 }, { 1, 4, 0x10, 0x50 }, { 1, 4, 0, 0x12 }, { 1, 4, 0x10, 0x8051 },
	{ 1, 4, 0, 0x14 }, { 1, 4, 0x10, 0x852 },
	{ 0, 0, 0, 0 },
};
static const struct step hpet_steps[] = {
	{ 0, 8, 0x100, 0x4c }, { 0, 8, 0x108, 100000 }, { 0, 8, 0x108, 100000 }, { 0, 8, 0x120, 4 }, { 0, 8, 0x128, 300000 },
	{ 0, 8, 0x150, 0 }, { 0, 8, 0x10, 1 }, { 0, 0, 0, 0 },
};

/* These belong together: the rows differ in what is in reach. */
static void
make_board(struct fuzz *f, unsigned variant)
{
	struct irq lines[24];

	(void)variant;
	f->pic = i8259_new(&f->env, devfuzz_line(200));
	f->apic = lapic_new(&f->env, 0, (struct cpu_pins){ set_pin, f });
	lapic_serve(f->apic, &f->cpu, f->pic);
	lapic_set_tsc(f->apic, 2000000000, read_tsc, f);
	f->ioapic = ioapic_new(&f->env, f->apic);
	for (unsigned i = 0; i < 24; i++)
		lines[i] = ioapic_line(f->ioapic, i);
	f->pit = i8254_new(&f->env, i8259_line(f->pic, 0));
	f->rtc = mc146818_new(&f->env, i8259_line(f->pic, 8), 1700000000ll * 1000000000);
	f->dev = hpet_new(&f->env, lines, f->pit, f->rtc, i8259_line(f->pic, 0), i8259_line(f->pic, 8), f->apic);
}

static void
board_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1);
	struct irq line;
	uint64_t value;

	switch (what & 7) {
	case 0:
		line = i8259_line(f->pic, what >> 4);
		irq_set(&line, what >> 3 & 1);
		break;
	case 1:
		line = ioapic_line(f->ioapic, (what >> 4) + 8 * (what >> 7));
		irq_set(&line, what >> 3 & 1);
		break;
	case 2:
		f->cpu.intr_ack(f->cpu.opaque);
		break;
	case 3:
		f->cpu.read_msr(f->cpu.opaque, what & 8 ? 0x800 + take(b, 1) : what & 16 ? 0x6e0 : 0x1b, &value);
		break;
	case 4:
		value = take(b, 8);
		f->cpu.write_msr(f->cpu.opaque, what & 8 ? 0x800 + (value >> 56) : what & 16 ? 0x6e0 : 0x1b, value);
		break;
	case 5:
		f->cpu.set_tpr(f->cpu.opaque, what >> 4);
		f->cpu.get_tpr(f->cpu.opaque);
		break;
	case 6:
		line = lapic_lint(f->apic, what >> 4 & 1);
		irq_set(&line, what >> 3 & 1);
		break;
	case 7:
		value = take(b, 4);
		lapic_bus_deliver(f->apic, 0xfee00000 | (value & 0xffffc), value >> 16);
		break;
	}
}

/* ---- the table ---- */

const struct row devfuzz_rows[] = {
	{ "e1000", devfuzz_e1000, NULL, devfuzz_e1000_steps, 2, devfuzz_e1000_event, NULL },
	{ "hda", make_hda, NULL, hda_steps, 200, NULL, NULL },
	{ "ac97", make_ac97, NULL, NULL, 200, NULL, NULL },
	{ "uhci", devfuzz_uhci, NULL, devfuzz_uhci_steps, 60, devfuzz_usb_event, devfuzz_usb_start },
	{ "xhci", devfuzz_xhci, NULL, devfuzz_xhci_steps, 60, devfuzz_usb_event, devfuzz_usb_start },
	{ "ide", devfuzz_ide, devfuzz_ide_windows, NULL, 2000, devfuzz_ide_event, NULL },
	{ "floppy", make_floppy, floppy_windows, floppy_steps, 2000, floppy_event, NULL },
	{ "pflash", make_flash, flash_windows, NULL, 2000, NULL, NULL },
	{ "vga", make_vga, vga_windows, vga_steps, 200, vga_event, NULL },
	{ "cirrus", make_cirrus, vga_windows, cirrus_steps, 200, cirrus_event, NULL },
	{ "i8042", make_i8042, i8042_windows, NULL, 2000, i8042_event, i8042_start },
	{ "vmport", make_vmport, vmport_windows, NULL, 2000, vmport_event, i8042_start },
	{ "ns16550", make_serial, serial_windows, NULL, 200, NULL, NULL },
	{ "parallel", make_parallel, parallel_windows, NULL, 200, NULL, NULL },
	{ "i8237", make_dma, dma_windows, NULL, 200, dma_event, NULL },
	{ "fw_cfg", make_fw_cfg, fw_cfg_windows, NULL, 200, NULL, NULL },
	{ "piix4_pm", make_pm, pm_windows, NULL, 2000, pm_event, pm_start },
	{ "chipset", make_chipset, chipset_windows, NULL, 200, chipset_event, NULL },
	{ "speaker", make_speaker, speaker_windows, speaker_steps, 60, NULL, NULL },
	{ "board", make_board, board_windows, NULL, 2000, board_event, NULL },
	{ "lapic", make_board, lapic_windows, lapic_steps, 200, board_event, NULL },
	{ "hpet", make_board, hpet_windows, hpet_steps, 200, board_event, NULL },
	{ NULL, NULL, NULL, NULL, 0, NULL, NULL },
};

const struct row *
devfuzz_find(const char *name)
{
	for (const struct row *r = devfuzz_rows; r->name != NULL; r++) {
		if (strcmp(r->name, name) == 0)
			return r;
	}
	return NULL;
}
