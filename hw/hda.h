/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel High Definition Audio, between the controller (hda.c), its streams (hda_stream.c) and codecs (hda_codec.c).
 * "The specification" is the High Definition Audio Specification, revision 1.0a.
 */
#ifndef HW_HDA_H
#define HW_HDA_H

#include "base/clock.h"
#include "hw/pci.h"
#include "hw/pcm.h"

enum {
	HDA_CODECS = 15,
	HDA_INPUTS = 4, HDA_OUTPUTS = 4, HDA_STREAMS = HDA_INPUTS + HDA_OUTPUTS, /* inputs come first */
	HDA_CHANNELS = 16,
};

/* A stream's format, taken from its 16 bits ("Stream Format Structure"). */
struct hda_format {
	uint32_t rate;
	unsigned channels, bits, bytes; /* BYTES a sample takes in memory */
};
struct hda_format hda_format_of(uint32_t fmt);

struct hda;
struct hda_codec;

/* What a codec offers the link. */
struct hda_codec_ops {
	/* The response to VERB, 20 bits, of node NID. */
	uint32_t (*verb)(struct hda_codec *c, unsigned nid, uint32_t verb);
	void (*link_reset)(struct hda_codec *c);
	/* A stream began, ended, or has another format. */
	void (*streams_changed)(struct hda_codec *c);
	/* COUNT frames of stream TAG, in the format of the stream. */
	void (*play)(struct hda_codec *c, unsigned tag, const struct hda_format *f, const uint8_t *frames, unsigned count);
	/* Fills FRAMES, which are silence; leaves them alone if TAG is not its own. */
	void (*record)(struct hda_codec *c, unsigned tag, const struct hda_format *f, uint8_t *frames, unsigned count);
};

/* A codec's struct begins with this. */
struct hda_codec {
	struct dev dev;
	const struct hda_codec_ops *ops;
	struct hda *link;
	unsigned address;
};

/* At ADDRESS, which is free; the codec leaves with hda_codec_detach(). */
void hda_codec_attach(struct hda *h, struct hda_codec *c, unsigned address);
void hda_codec_detach(struct hda_codec *c);
/* Does a stream with TAG run in that direction?  Its format. */
bool hda_stream_runs(const struct hda *h, bool output, unsigned tag, struct hda_format *f);
/* Moves what is due now in all streams. */
void hda_catch_up(struct hda *h);

/* ---- a stream descriptor ---- */

enum {
	SD_SRST = 0x01, SD_RUN = 0x02, SD_IOCE = 0x04, SD_FEIE = 0x08, SD_DEIE = 0x10,
	SD_TAG_SHIFT = 20,
	SD_BCIS = 0x04, SD_FIFOE = 0x08, SD_DESE = 0x10, SD_FIFORDY = 0x20,
	SD_EVENTS = SD_BCIS | SD_FIFOE | SD_DESE,
};

struct hda_stream {
	uint32_t ctl, sts, lpib, cbl, lvi, fmt, bdpl, bdpu;
	/* Where it is in the buffer descriptor list. */
	uint32_t loaded;        /* a descriptor has been fetched and is not used up */
	uint32_t next;          /* number of the descriptor to be fetched next */
	uint32_t left, ioc;     /* of the current buffer: bytes, and whether its end interrupts */
	uint64_t addr;
	struct pcm_pace pace;
};

/* Guest-visible registers that are not a stream's; by number in hda.c. */
enum { HDA_REGISTERS = 32 };

struct hda {
	struct pci_dev pci;
	struct region regs;
	struct clock *clock;
	struct timer timer;
	struct hda_codec *codec[HDA_CODECS];
	uint32_t running;       /* streams that codecs know of: a bit each */
	uint32_t signalled;     /* interrupt status that a message was sent for */
	struct {
		struct pci_state pci;
		uint64_t wall_start_ns;
		uint32_t reg[HDA_REGISTERS];
		struct hda_stream stream[HDA_STREAMS];
	} state;
};

static inline bool
hda_stream_is_output(unsigned n)
{
	return n >= HDA_INPUTS;
}

/* ---- hda_stream.c ---- */
bool hda_stream_is_moving(const struct hda *h, unsigned n);
void hda_stream_catch_up(struct hda *h, unsigned n);
/* RUN or its like was set: time begins. */
void hda_stream_start(struct hda *h, unsigned n);
void hda_stream_reset(struct hda_stream *s);
/* When the current buffer ends; UINT64_MAX if it doesn't. */
uint64_t hda_stream_deadline(const struct hda *h, unsigned n);

/* ---- hda.c ---- */
bool hda_stream_is_held(const struct hda *h, unsigned n); /* by SSYNC */
/* Where stream N's position is to be written, false: nowhere. */
bool hda_position_address(const struct hda *h, unsigned n, gpa *addr);

#endif
