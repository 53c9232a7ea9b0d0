/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the AC'97 controller and its codec. */
#ifndef HW_AC97_H
#define HW_AC97_H

#include <stdbool.h>
#include <stdint.h>

enum { AC97_REGISTERS = 64 }; /* of 16 bits, at even addresses */

struct ac97_codec {
	uint16_t reg[AC97_REGISTERS];
};

enum ac97_stream { AC97_PCM_IN, AC97_PCM_OUT, AC97_MIC, AC97_STREAMS };

void ac97_codec_reset(struct ac97_codec *c);
/* ADDRESS is even and below 80h. */
uint16_t ac97_codec_read(const struct ac97_codec *c, unsigned address);
void ac97_codec_write(struct ac97_codec *c, unsigned address, uint16_t value);
/* Foreign bits of a loaded state are put right. */
void ac97_codec_check(struct ac97_codec *c);

uint32_t ac97_codec_rate(const struct ac97_codec *c, enum ac97_stream s);
/* What samples are multiplied by on both sides; 0: muted or switched off. */
void ac97_codec_gain(const struct ac97_codec *c, enum ac97_stream s, float gain[2]);

#endif
