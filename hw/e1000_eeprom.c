/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: its EEPROM, a 93C46 of 64 words, and the two ways to it: EECD, by which software drives the four wires
 * itself, and EERD, which reads a word.  What software writes stays until the process ends.  Chapter 5 of the manual,
 * and the data sheet of the 93C46 for its commands.
 */
#include "hw/e1000.h"

#include "base/util.h"

enum {
	EECD_SK = 0x01,
	EECD_CS = 0x02,
	EECD_DI = 0x04,
	EECD_DO = 0x08,
	EECD_REQ = 0x40,
	EECD_GNT = 0x80,
	EECD_PRES = 0x100,
	EERD_START = 0x01,
	EERD_DONE = 0x10,
	ADDRESS_BITS = 6,
	COMMAND_BITS = 3 + ADDRESS_BITS, /* the start bit and two of the command before it */
	WORD_CHECKSUM = 0x3f,
	CHECKSUM = 0xbaba,               /* of all words */
};

void
e1000_eeprom_fill(struct e1000 *d)
{
	static const struct {
		uint8_t word;
		uint16_t value;
	} contents[] = {
		{ 0x03, 0x0000 }, /* compatibility */
		{ 0x08, 0xffff }, { 0x09, 0xffff }, /* part number */
		{ 0x0a, 0x440a }, /* initialization control 1: valid, power management, the identity below */
		{ 0x0b, 0x1100 }, { 0x0c, 0x1af4 }, { 0x0d, 0x100e }, { 0x0e, 0x8086 },
		{ 0x0f, 0x3040 }, /* initialization control 2: 64 KiB of packet buffer, advertise pause */
		{ 0x21, 0x7863 }, /* software defined pins */
		{ 0x24, 0x0000 }, /* initialization control 3 */
		{ 0x2f, 0x0602 }, /* LEDs */
	};
	uint16_t *e = d->state.eeprom, sum = 0;

	memset(e, 0xff, sizeof(d->state.eeprom));
	for (unsigned i = 0; i < 3; i++)
		e[i] = load_le(d->mac + 2 * i, 2);
	for (unsigned i = 0; i < ARRAY_SIZE(contents); i++)
		e[contents[i].word] = contents[i].value;
	for (unsigned i = 0; i < WORD_CHECKSUM; i++)
		sum += e[i];
	e[WORD_CHECKSUM] = CHECKSUM - sum;
}

void
e1000_load_address(struct e1000 *d)
{
	const uint16_t *e = d->state.eeprom;

	*e1000_reg(d, RAL0) = e[0] | (uint32_t)e[1] << 16;
	*e1000_reg(d, RAH0) = e[2] | RAH_AV;
}

uint32_t
e1000_eerd(const struct e1000 *d, uint32_t value)
{
	uint32_t address = bits(value, 8, 8);

	if (!(value & EERD_START))
		return value & 0xff00;
	return address << 8 | EERD_DONE | (address < EEPROM_WORDS ? (uint32_t)d->state.eeprom[address] << 16 : 0);
}

/* ---- Microwire ---- */

static void
fill_all(struct e1000 *d, uint16_t value)
{
	for (unsigned i = 0; i < EEPROM_WORDS; i++)
		d->state.eeprom[i] = value;
}

/* All bits of a command have come; those that bring data go on in take_data(). */
static void
take_command(struct e1000 *d)
{
	struct e1000_microwire *w = &d->state.wire;
	unsigned command = bits(w->shifted, ADDRESS_BITS, 2), address = bits(w->shifted, 0, ADDRESS_BITS);

	if (command == 2) {
		/* A zero comes out before the word. */
		w->out = d->state.eeprom[address];
		w->out_left = 16;
		w->data_out = 0;
	} else if (command == 3 && w->writable) {
		d->state.eeprom[address] = 0xffff;
	} else if (command == 0) {
		if (address >> 4 == 3 || address >> 4 == 0)
			w->writable = address >> 4 == 3;
		else if (address >> 4 == 2 && w->writable)
			fill_all(d, 0xffff);
	}
}

static void
take_data(struct e1000 *d)
{
	struct e1000_microwire *w = &d->state.wire;
	unsigned command = bits(w->shifted, 16 + ADDRESS_BITS, 2), address = bits(w->shifted, 16, ADDRESS_BITS);

	if (!w->writable)
		return;
	if (command == 1)
		d->state.eeprom[address] = (uint16_t)w->shifted;
	else if (command == 0 && address >> 4 == 1)
		fill_all(d, (uint16_t)w->shifted);
}

static void
shift_out(struct e1000 *d)
{
	struct e1000_microwire *w = &d->state.wire;

	if (w->out_left == 0) {
		/* Reading goes on with the next word. */
		w->shifted = (w->shifted & ~(EEPROM_WORDS - 1u)) | ((w->shifted + 1) & (EEPROM_WORDS - 1));
		w->out = d->state.eeprom[w->shifted & (EEPROM_WORDS - 1)];
		w->out_left = 16;
	}
	w->data_out = w->out >> 15;
	w->out <<= 1;
	w->out_left--;
}

static void
clock_rises(struct e1000 *d, bool in)
{
	struct e1000_microwire *w = &d->state.wire;

	if (w->count == 0 && !in)
		return; /* no start bit yet */
	if (w->count == COMMAND_BITS && bits(w->shifted, ADDRESS_BITS, 2) == 2) {
		shift_out(d);
		return;
	}
	if (w->count >= COMMAND_BITS + 16)
		return;
	w->shifted = w->shifted << 1 | in;
	w->count++;
	if (w->count == COMMAND_BITS)
		take_command(d);
	else if (w->count == COMMAND_BITS + 16)
		take_data(d);
}

void
e1000_eecd_write(struct e1000 *d, uint32_t value)
{
	struct e1000_microwire *w = &d->state.wire;
	bool rises = (value & EECD_SK) && !w->clock;

	w->clock = (value & EECD_SK) != 0;
	if (!(value & EECD_CS)) {
		/* Whatever was written is done at once: the chip is ready. */
		w->shifted = w->count = w->out = w->out_left = 0;
		w->data_out = 1;
	} else if (rises) {
		clock_rises(d, (value & EECD_DI) != 0);
	}
}

uint32_t
e1000_eecd_read(const struct e1000 *d)
{
	uint32_t value = e1000_get(d, EECD) | EECD_PRES;

	if (value & EECD_REQ)
		value |= EECD_GNT;
	if (d->state.wire.data_out)
		value |= EECD_DO;
	return value;
}
