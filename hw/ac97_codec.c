/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An AC'97 codec, by "Audio Codec '97", revision 2.3: stereo output and input, a microphone with a converter of its own,
 * variable rates.  It gives itself out as a SigmaTel STAC9700, which every driver knows.
 *
 * Master volume and PCM volume act on what is played, record gain and microphone gain on what is captured.  Volumes of inputs
 * that have nothing plugged in can be set and read, no more; tone, 3D and loopback are not there.
 */
#include "hw/ac97.h"

#include "base/util.h"

#include <math.h>

enum {
	RESET = 0x00, MASTER = 0x02, HEADPHONE = 0x04, MONO = 0x06, PC_BEEP = 0x0a, PHONE = 0x0c, MIC_VOLUME = 0x0e,
	LINE_IN = 0x10, CD = 0x12, VIDEO = 0x14, AUX = 0x16, PCM_OUT = 0x18, RECORD_SELECT = 0x1a, RECORD_GAIN = 0x1c,
	MIC_GAIN = 0x1e, GENERAL = 0x20, POWER = 0x26, EXTENDED_ID = 0x28, EXTENDED = 0x2a, DAC_RATE = 0x2c,
	ADC_RATE = 0x32, MIC_RATE = 0x34, VENDOR1 = 0x7c, VENDOR2 = 0x7e,

	MUTE = 0x8000,
	VRA = 0x0001, VRM = 0x0008, /* variable rates, and of the microphone's converter */
	PR0_ADC = 0x0100, PR1_DAC = 0x0200, PR2_ANALOG = 0x0400, PR3_REFERENCE = 0x0800,
	RATE_LEAST = 8000, RATE_MOST = 48000,
};

static const struct {
	uint8_t address;
	uint16_t value, writable;
} registers[] = {
	{ RESET, 0x6a91, 0 }, /* a converter for the microphone, a headphone output, 20 bits */
	{ MASTER, 0x8000, 0x9f1f }, { HEADPHONE, 0x8000, 0x9f1f }, { MONO, 0x8000, 0x801f },
	{ PC_BEEP, 0x0000, 0x801e }, { PHONE, 0x8008, 0x801f }, { MIC_VOLUME, 0x8008, 0x805f },
	{ LINE_IN, 0x8808, 0x9f1f }, { CD, 0x8808, 0x9f1f }, { VIDEO, 0x8808, 0x9f1f }, { AUX, 0x8808, 0x9f1f },
	{ PCM_OUT, 0x8808, 0x9f1f }, { RECORD_SELECT, 0x0000, 0x0707 }, { RECORD_GAIN, 0x8000, 0x8f0f },
	{ MIC_GAIN, 0x8000, 0x800f }, { GENERAL, 0x0000, 0x0380 }, { POWER, 0x0000, 0xff00 },
	{ EXTENDED_ID, 0x0809, 0 }, { EXTENDED, 0x0000, VRA | VRM },
	{ DAC_RATE, 48000, 0xffff }, { ADC_RATE, 48000, 0xffff }, { MIC_RATE, 48000, 0xffff },
	{ VENDOR1, 0x8384, 0 }, { VENDOR2, 0x7600, 0 },
};

static uint16_t
get(const struct ac97_codec *c, unsigned address)
{
	return c->reg[address / 2];
}

void
ac97_codec_reset(struct ac97_codec *c)
{
	memset(c, 0, sizeof(*c));
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		c->reg[registers[i].address / 2] = registers[i].value;
}

uint16_t
ac97_codec_read(const struct ac97_codec *c, unsigned address)
{
	uint16_t value = get(c, address);

	/* Its sections are ready: bit 0 ADC, 1 DAC, 2 analog mixer, 3 reference voltage. */
	if (address == POWER)
		value |= ~value >> 8 & 0xf;
	return value;
}

/* A rate between two that are there can't happen: every one is. */
static void
write_rate(struct ac97_codec *c, unsigned address, uint16_t value)
{
	unsigned bit = address == MIC_RATE ? VRM : VRA;

	if (get(c, EXTENDED) & bit)
		c->reg[address / 2] = MIN(MAX(value, RATE_LEAST), RATE_MOST);
}

static void
write_extended(struct ac97_codec *c, uint16_t value)
{
	c->reg[EXTENDED / 2] = value & (VRA | VRM);
	if (!(value & VRA))
		c->reg[DAC_RATE / 2] = c->reg[ADC_RATE / 2] = RATE_MOST;
	if (!(value & VRM))
		c->reg[MIC_RATE / 2] = RATE_MOST;
}

/* Of a volume with five bits a sixth can be written: it means all five ("Master volume registers"). */
static uint16_t
five_bits(uint16_t value)
{
	if (value & 0x0020)
		value |= 0x001f;
	if (value & 0x2000)
		value |= 0x1f00;
	return value;
}

void
ac97_codec_write(struct ac97_codec *c, unsigned address, uint16_t value)
{
	switch (address) {
	case RESET:
		ac97_codec_reset(c);
		return;
	case EXTENDED:
		write_extended(c, value);
		return;
	case DAC_RATE:
	case ADC_RATE:
	case MIC_RATE:
		write_rate(c, address, value);
		return;
	case MASTER:
	case HEADPHONE:
	case MONO:
		value = five_bits(value);
		break;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		if (registers[i].address == address && registers[i].writable != 0)
			c->reg[address / 2] = value & registers[i].writable;
	}
}

void
ac97_codec_check(struct ac97_codec *c)
{
	struct ac97_codec loaded = *c;

	ac97_codec_reset(c);
	write_extended(c, loaded.reg[EXTENDED / 2]);
	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++) {
		if (registers[i].address != RESET)
			ac97_codec_write(c, registers[i].address, loaded.reg[registers[i].address / 2]);
	}
}

uint32_t
ac97_codec_rate(const struct ac97_codec *c, enum ac97_stream s)
{
	static const uint8_t address[] = { [AC97_PCM_IN] = ADC_RATE, [AC97_PCM_OUT] = DAC_RATE, [AC97_MIC] = MIC_RATE };

	return get(c, address[s]);
}

/* STEPS of 1.5 dB. */
static float
loudness(int steps)
{
	return steps == 0 ? 1 : (float)pow(10, steps * 1.5 / 20);
}

void
ac97_codec_gain(const struct ac97_codec *c, enum ac97_stream s, float gain[2])
{
	uint16_t master = get(c, MASTER), pcm = get(c, PCM_OUT), record = get(c, s == AC97_MIC ? MIC_GAIN : RECORD_GAIN);
	uint16_t power = get(c, POWER);

	for (unsigned side = 0; side < 2; side++) {
		unsigned shift = side == 0 ? 8 : 0;

		if (s == AC97_PCM_OUT)
			gain[side] = loudness(8 - (pcm >> shift & 0x1f)) * loudness(-(master >> shift & 0x1f));
		else
			gain[side] = loudness(record >> (s == AC97_MIC ? 0 : shift) & 0xf);
	}
	if (s == AC97_PCM_OUT ? (pcm | master) & MUTE || power & (PR1_DAC | PR2_ANALOG | PR3_REFERENCE)
			: record & MUTE || power & (PR0_ADC | PR2_ANALOG | PR3_REFERENCE))
		gain[0] = gain[1] = 0;
}
