/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IDE channels: whole commands, packets and their data, by the port or by DMA. */
#include "tests/devfuzz/devfuzz.h"

const struct window devfuzz_ide_windows[] = {
	{ true, 0x1f0, 8 }, { true, 0x3f6, 1 }, { true, 0x170, 8 }, { true, 0x376, 1 }, { 0 },
};

void
devfuzz_ide(struct fuzz *f, unsigned variant)
{
	static const bool cdrom[4] = { false, false, true, true };
	struct disk *disks[4] = { backends_disk(0, variant & 1 ? 200 * GiB : 8 * MiB, variant & 2),
		backends_disk(1, 40 * MiB, false), backends_disk(2, variant & 4 ? 4 * GiB : 4 * MiB, true), NULL };

	f->disks[2] = disks[2];
	f->disks[3] = backends_disk(3, 1 * MiB, true);
	f->pci = devfuzz_pci_of(f, piix3_ide_new(&f->env, f->bus, devfuzz_line(14), devfuzz_line(15), disks, cdrom, NULL), 1 << 3 | 1);
}

/* A whole command, or a packet's. */
static void
ide_command(struct fuzz *f, struct bytes *b, unsigned what)
{
	unsigned channel = what & 1 ? 2 : 0;

	backends_complete_all(0);
	devfuzz_put(f, channel, 6, (what & 2 ? 0x50 : 0x40) | (what & 4 ? 0xa0 : 0), 1);
	for (unsigned reg = 1; reg < 6; reg++)
		devfuzz_put(f, channel, reg, take(b, 1), 1);
	if (what & 8) {
		devfuzz_put(f, channel, 7, 0xa0, 1);
		for (unsigned i = 0; i < 6; i++)
			devfuzz_put(f, channel, 0, take(b, 2), 2);
	} else {
		devfuzz_put(f, channel, 7, take(b, 1), 1);
	}
	if (what & 16) { /* bus master: one region of memory */
		store_le(devfuzz_memory() + 0x1000, 0x4000, 4);
		store_le(devfuzz_memory() + 0x1004, 0x80000000u | (what & 32 ? 0x1000 : 0x200), 4);
		devfuzz_put(f, 4, 4 + 4 * channel, 0x1000, 4);
		devfuzz_put(f, 4, 4 * channel, what & 64 ? 9 : 1, 1);
	}
	backends_complete_all(0);
	for (unsigned i = 0; i < 512 && (what & 128); i++)
		devfuzz_get(f, channel, 0, 2);
}

/* What a command moves. */
enum { NOTHING, PORT_IN, PORT_OUT, DMA_IN, DMA_OUT, PACKET_IN };

static void
start_dma(struct fuzz *f, unsigned channel, unsigned bytes, bool in)
{
	store_le(devfuzz_memory() + 0x1000, 0x4000, 4);
	store_le(devfuzz_memory() + 0x1004, 0x80000000u | bytes, 4);
	devfuzz_put(f, 4, 4 + 4 * channel, 0x1000, 4);
	devfuzz_put(f, 4, 4 * channel + 2, 0x66, 1);
	devfuzz_put(f, 4, 4 * channel, in ? 9 : 1, 1);
}

static void
move_data(struct fuzz *f, unsigned channel, unsigned words, bool in)
{
	for (unsigned i = 0; i < words; i++) {
		if (i % 256 == 0)
			backends_complete_all(0);
		if (in)
			devfuzz_get(f, channel, 0, 2);
		else
			devfuzz_put(f, channel, 0, i * 3, 2);
	}
}

/* A command as drivers have it: what stands in the registers from 1 to 7, some of it from the input. */
static void
typical_command(struct fuzz *f, struct bytes *b, unsigned channel)
{
	static const struct { uint8_t regs[7], moves; } list[] = {
		{ { 0, 1, 0, 0, 0, 0x40, 0xec }, PORT_IN }, { { 0, 2, 0, 0, 0, 0x40, 0x20 }, PORT_IN },
		{ { 0, 2, 0, 0, 0, 0x40, 0x30 }, PORT_OUT }, { { 0, 4, 0, 0, 0, 0x40, 0xc6 }, NOTHING },
		{ { 0, 8, 0, 0, 0, 0x40, 0xc4 }, PORT_IN }, { { 0, 8, 0, 0, 0, 0x40, 0xc5 }, PORT_OUT },
		{ { 0, 8, 0, 0, 0, 0x40, 0x29 }, PORT_IN }, { { 0, 8, 0, 0, 0, 0x40, 0x39 }, PORT_OUT },
		{ { 0, 8, 0, 0, 0, 0x40, 0xce }, PORT_OUT }, { { 0, 8, 0, 0, 0, 0x40, 0x24 }, PORT_IN },
		{ { 0, 8, 0, 0, 0, 0x40, 0x34 }, PORT_OUT }, { { 0, 4, 0, 0, 0, 0x40, 0xc8 }, DMA_IN },
		{ { 0, 4, 0, 0, 0, 0x40, 0xca }, DMA_OUT }, { { 0, 4, 0, 0, 0, 0x40, 0x25 }, DMA_IN },
		{ { 0, 4, 0, 0, 0, 0x40, 0x35 }, DMA_OUT }, { { 0, 4, 0, 0, 0, 0x40, 0x3d }, DMA_OUT },
		{ { 1, 1, 0, 0, 0, 0x40, 0x06 }, DMA_OUT }, { { 0, 1, 0, 0, 0, 0, 0xe8 }, PORT_OUT }, { { 0, 1, 0, 0, 0, 0, 0xe4 }, PORT_IN },
		{ { 0xd0, 1, 1, 0x4f, 0xc2, 0, 0xb0 }, PORT_IN }, { { 0xd1, 1, 1, 0x4f, 0xc2, 0, 0xb0 }, PORT_IN },
		{ { 0xd5, 1, 0, 0x4f, 0xc2, 0, 0xb0 }, PORT_IN }, { { 0xd8, 0, 0, 0x4f, 0xc2, 0, 0xb0 }, NOTHING },
		{ { 0xd9, 0, 0, 0x4f, 0xc2, 0, 0xb0 }, NOTHING }, { { 0xda, 0, 0, 0x4f, 0xc2, 0, 0xb0 }, NOTHING },
		{ { 0xd2, 0xf1, 0, 0x4f, 0xc2, 0, 0xb0 }, NOTHING }, { { 3, 0x42, 0, 0, 0, 0, 0xef }, NOTHING },
		{ { 3, 0x22, 0, 0, 0, 0, 0xef }, NOTHING }, { { 3, 0x0c, 0, 0, 0, 0, 0xef }, NOTHING }, { { 3, 0, 0, 0, 0, 0, 0xef }, NOTHING },
		{ { 2, 0, 0, 0, 0, 0, 0xef }, NOTHING }, { { 0x82, 0, 0, 0, 0, 0, 0xef }, NOTHING }, { { 0x55, 0, 0, 0, 0, 0, 0xef }, NOTHING },
		{ { 0xaa, 0, 0, 0, 0, 0, 0xef }, NOTHING }, { { 0x66, 0, 0, 0, 0, 0, 0xef }, NOTHING },
		{ { 0xcc, 0, 0, 0, 0, 0, 0xef }, NOTHING },
		{ { 0, 0, 0, 0, 0, 0, 0x90 }, NOTHING }, { { 0, 0, 0, 0, 0, 0x40, 0xe7 }, NOTHING }, { { 0, 5, 0, 0, 0, 0, 0xe3 }, NOTHING },
		{ { 0, 0, 0, 0, 0, 0, 0xe6 }, NOTHING }, { { 0, 0, 0, 0, 0, 0, 0xa1 }, PORT_IN }, { { 0, 0, 0, 0, 0xfe, 0, 0xa0 }, PACKET_IN },
		{ { 1, 0, 0, 0, 0xfe, 0, 0xa0 }, PACKET_IN }, { { 0, 0, 0, 0x20, 0, 0, 0xa0 }, PACKET_IN },
	};
	static const uint8_t packets[] = {
		0x00, 0x03, 0x12, 0x1b, 0x1e, 0x25, 0x28, 0x2b, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52, 0x5a, 0xa8, 0xad, 0xb9, 0xbb, 0xbd, 0xbe,
	};
	static const int errors[] = { 0, 0, 5, 28 };
	unsigned which = take(b, 1) % ARRAY_SIZE(list), given = take(b, 1), device = given & 1 ? 0x10 : 0;
	const uint8_t *regs = list[which].regs;
	unsigned moves = list[which].moves, words = (given & 2 ? 1536 : 512) >> (given & 4 ? 1 : 0);

	backends_complete_all(0);
	devfuzz_put(f, channel, 6, 0xa0 | regs[5] | device, 1);
	for (unsigned i = 0; i < 5; i++) {
		/* Commands of 48 bits take these twice; the first time it is the upper half. */
		devfuzz_put(f, channel, 1 + i, i == 0 ? regs[0] : 0, 1);
		devfuzz_put(f, channel, 1 + i, given >> (3 + i) & 1 ? take(b, 1) : regs[i], 1);
	}
	if (moves == DMA_OUT)
		devfuzz_bytes(b, 0x4000, given & 8 ? 16 : 0);
	devfuzz_put(f, channel, 7, regs[6], 1);
	if (moves == PACKET_IN) {
		uint8_t packet[12] = { packets[take(b, 1) % ARRAY_SIZE(packets)] };
		unsigned set = take(b, 2);

		for (unsigned i = 1; i < 12; i++)
			packet[i] = set >> i & 1 ? take(b, 1) : 0;
		for (unsigned i = 0; i < 12; i += 2)
			devfuzz_put(f, channel, 0, load_le(packet + i, 2), 2);
	}
	if (moves == DMA_IN || moves == DMA_OUT || (regs[0] & 1))
		start_dma(f, channel, words * 2, moves != DMA_OUT);
	backends_complete_all(errors[take(b, 1) & 3]);
	if (moves == PORT_IN || moves == PORT_OUT || moves == PACKET_IN)
		move_data(f, channel, words, moves != PORT_OUT);
	backends_complete_all(0);
	loop_turn(f->loop, 0);
	devfuzz_get(f, channel, 7, 1);
}

void
devfuzz_ide_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1), drive = 2 + (what & 1);
	bool open, locked;

	if ((what & 0xc0) == 0x40) {
		typical_command(f, b, what & 1 ? 2 : 0);
		return;
	}
	if (what & 0xf0) {
		ide_command(f, b, what);
		return;
	}
	piix3_ide_tray(f->dev, drive, &open, &locked);
	backends_complete_all(0);
	piix3_ide_change(f->dev, drive, what & 2 ? f->disks[drive] : NULL, what & 4);
}
