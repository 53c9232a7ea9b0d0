/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A board for sound devices: RAM, PCI, a PIT, a manual clock, and sound that goes to a WAV file of 48 kHz, 16 bits and stereo. */
#ifndef TESTS_SOUND_MACHINE_H
#define TESTS_SOUND_MACHINE_H

#include "base/clock.h"
#include "base/dev.h"
#include "base/mem.h"
#include "base/util.h"
#include "hw/pci.h"
#include "ui/sound.h"

enum { RAM = 2 * MiB, CARD = 4 << 3 };

#define MS 1000000ull

extern struct clock *clk;
extern struct space *mem, *io;
extern struct dev *devices, *pit;
extern struct dev_env env;
extern struct pci_bus *bus;
extern struct sound *sound;
extern uint8_t *ram;
extern int lines[16], messages; /* MESSAGES: interrupts with data 4321h */
extern int16_t file_frames[2 * 48000 * 4];

void sound_set_up(void);
void sound_tear_down(void);
uint32_t in(unsigned port, unsigned size);
void out(unsigned port, uint32_t value, unsigned size);
uint32_t conf(unsigned devfn, unsigned reg, unsigned size);
void set_conf(unsigned devfn, unsigned reg, uint32_t value, unsigned size);
/*
 * COUNT accesses of all sizes at random places of PORTS ports, or of MEMORY bytes, with memory full of random things, and time
 * that goes by: nothing is expected but that it ends.  SEED is printed by whoever fails.
 */
void sound_storm(unsigned seed, unsigned count, unsigned port, unsigned ports, uint64_t memory, unsigned bytes);
/* Into RAM. */
void put(unsigned at, uint64_t value, unsigned size);
/* FRAMES of 16-bit stereo: START and so on to the left, their complement to the right. */
void fill_ramp(unsigned at, unsigned frames, unsigned start);
/* So many frames of the file so far; the samples stand in file_frames. */
size_t wav_frames(void);
/* Are the first FRAMES of them that ramp? */
void check_ramp(size_t frames, unsigned start);

#endif
