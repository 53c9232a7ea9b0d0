/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/sound_machine.h"

#include "base/err.h"
#include "hw/hw.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct clock *clk;
struct space *mem, *io;
struct dev *devices, *pit;
struct dev_env env;
struct pci_bus *bus;
struct sound *sound;
uint8_t *ram;
int lines[16], messages;
static uint8_t bios[128 * KiB];
static struct region bios_region;
static char path[64];

static void
set_line(void *opaque, int n, int level)
{
	(void)opaque;
	lines[n] = level;
}

static void
on_msi(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque;
	messages += address == 0xfee00000 && data == 0x4321;
}

static void
ignore(void *opaque, int n, int level)
{
	(void)opaque, (void)n, (void)level;
}

void
sound_set_up(void)
{
	struct irq isa_lines[16];
	char spec[128];
	struct err e = { "" };

	strcpy(path, "/tmp/calque-sound-XXXXXX");
	close(mkstemp(path));
	clk = clock_new(true);
	clock_advance(clk, 5 * NS_PER_SEC);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	env = (struct dev_env){ clk, NULL, mem, io, &devices };
	ram = aligned_alloc(4096, RAM);
	memset(ram, 0, RAM);
	region_init_rom(&bios_region, "bios", bios, sizeof(bios));
	i440fx_new(&env, ram, RAM, &bios_region, &bus);
	pci_bus_on_msi(bus, on_msi, NULL);
	for (int i = 0; i < 16; i++)
		isa_lines[i] = irq_to(set_line, NULL, i);
	piix3_new(&env, bus, isa_lines, irq_to(ignore, NULL, 0));
	pit = i8254_new(&env, irq_to(ignore, NULL, 0));
	snprintf(spec, sizeof(spec), "wav,path=%s,out.frequency=48000", path);
	sound = sound_open(clk, spec, &e);
	ck_assert_msg(sound != NULL, "%s", e.text);
	messages = 0;
}

void
sound_tear_down(void)
{
	dev_free_all(devices);
	sound_close(sound);
	space_free(mem);
	space_free(io);
	clock_free(clk);
	free(ram);
	unlink(path);
}

uint32_t
in(unsigned port, unsigned size)
{
	return (uint32_t)space_read(io, port, size, false);
}

void
out(unsigned port, uint32_t value, unsigned size)
{
	space_write(io, port, value, size, false);
}

void
set_conf(unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
	out(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
	out(0xcfc + (reg & 3), value, size);
}

uint32_t
conf(unsigned devfn, unsigned reg, unsigned size)
{
	out(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
	return in(0xcfc + (reg & 3), size);
}

void
put(unsigned at, uint64_t value, unsigned size)
{
	store_le(ram + at, value, size);
}

/* So many frames of the file so far; the samples stand in FILE_FRAMES. */
int16_t file_frames[2 * 48000 * 4];

size_t
wav_frames(void)
{
	FILE *f = fopen(path, "rb");

	ck_assert_ptr_nonnull(f);
	fseek(f, 44, SEEK_SET);
	size_t n = fread(file_frames, 4, sizeof(file_frames) / 4, f);
	fclose(f);
	return n;
}

void
fill_ramp(unsigned at, unsigned frames, unsigned start)
{
	for (unsigned i = 0; i < frames; i++) {
		put(at + 4 * i, start + i, 2);
		put(at + 4 * i + 2, ~(start + i), 2);
	}
}

void
check_ramp(size_t frames, unsigned start)
{
	size_t wrong = 0, first = 0;

	for (size_t i = 0; i < frames; i++) {
		if (file_frames[2 * i] != (int16_t)(start + i) || file_frames[2 * i + 1] != (int16_t)~(start + i))
			first = wrong++ == 0 ? i : first;
	}
	ck_assert_msg(wrong == 0, "%zu frames of %zu are wrong, the first one %zu: %d", wrong, frames, first,
		file_frames[2 * first]);
}

static uint32_t
random_of(uint32_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Addresses in RAM more often than not, small numbers, all kinds of bits. */
static uint32_t
random_value(uint32_t *seed)
{
	uint32_t v = random_of(seed);

	switch (random_of(seed) % 5) {
	case 0: return v % RAM;
	case 1: return v % 64;
	case 2: return 1u << v % 32;
	case 3: return 0xffffffffu << v % 32;
	default: return v;
	}
}

void
sound_storm(unsigned number, unsigned count, unsigned port, unsigned ports, uint64_t memory, unsigned bytes)
{
	uint32_t seed = number * 2654435761u + 1;

	for (unsigned i = 0; i < RAM / 4; i++)
		store_le(ram + 4 * i, random_value(&seed), 4);
	for (unsigned i = 0; i < count; i++) {
		unsigned size = 1u << random_of(&seed) % 3;
		struct space *s = ports != 0 && (bytes == 0 || random_of(&seed) % 2) ? io : mem;
		uint64_t at = s == io ? port + random_of(&seed) % ports : memory + random_of(&seed) % bytes;

		if (random_of(&seed) % 3 == 0)
			space_read(s, at, size, false);
		else
			space_write(s, at, random_value(&seed), size, false);
		if (random_of(&seed) % 16 == 0)
			clock_advance(clk, random_of(&seed) % (random_of(&seed) % 8 == 0 ? 300 * MS : 2 * MS));
	}
}
