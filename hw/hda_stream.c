/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Streams of the HDA controller: a cyclic buffer in memory, described by a list of buffer descriptors, whose frames go to (or
 * come from) the codecs that listen to the stream's tag.
 *
 * A frame moves when it is due by the machine's clock; the link's own frames of 48 kHz and the FIFO are left out.
 */
#include "hw/hda.h"

#include "base/util.h"
#include "hw/trace.h"

enum {
	STAGE_BYTES = 4096,
	DESCRIPTOR_BYTES = 16,
	LVI_MOST = 255,
	BUDGET = LVI_MOST + 1 + 64,  /* descriptors that are fetched at one time */
};

#define STANDSTILL_NS 20000000u

struct hda_format
hda_format_of(uint32_t fmt)
{
	static const uint8_t bits[8] = { 8, 16, 20, 24, 32, 16, 16, 16 };
	uint32_t base = fmt & 0x4000 ? 44100 : 48000, times = MIN((fmt >> 11 & 7) + 1, 4u), parts = (fmt >> 8 & 7) + 1;
	struct hda_format f = { base * times / parts, (fmt & 15) + 1, bits[fmt >> 4 & 7], 4 };

	if (f.bits <= 16)
		f.bytes = f.bits / 8;
	return f;
}

static unsigned
tag_of(const struct hda_stream *s)
{
	return s->ctl >> SD_TAG_SHIFT & 15;
}

bool
hda_stream_is_moving(const struct hda *h, unsigned n)
{
	const struct hda_stream *s = &h->state.stream[n];

	return s->ctl & SD_RUN && !(s->ctl & SD_SRST) && !hda_stream_is_held(h, n);
}

bool
hda_stream_runs(const struct hda *h, bool output, unsigned tag, struct hda_format *f)
{
	for (unsigned n = output ? HDA_INPUTS : 0; n < (output ? HDA_STREAMS : HDA_INPUTS); n++) {
		const struct hda_stream *s = &h->state.stream[n];

		if (tag_of(s) == tag && hda_stream_is_moving(h, n)) {
			*f = hda_format_of(s->fmt);
			return true;
		}
	}
	return false;
}

void
hda_stream_reset(struct hda_stream *s)
{
	*s = (struct hda_stream){ .ctl = s->ctl & SD_SRST };
}

void
hda_stream_start(struct hda *h, unsigned n)
{
	struct hda_stream *s = &h->state.stream[n];

	pcm_pace_start(&s->pace, clock_now(h->clock));
	trace_hda_stream_start(n, tag_of(s), s->fmt, s->cbl, s->lvi);
}

/* ---- memory ---- */

static void
fail(struct hda *h, unsigned n, const char *why)
{
	struct hda_stream *s = &h->state.stream[n];

	guest_bug(&h->pci.dev, "%s", why);
	s->sts |= SD_DESE;
	s->ctl &= ~(uint32_t)SD_RUN;
}

/* Fetches the next descriptor that has something in it.  False: the stream has stopped, or has to wait. */
static bool
load_descriptor(struct hda *h, unsigned n, unsigned *budget)
{
	struct hda_stream *s = &h->state.stream[n];

	for (unsigned tries = 0; tries <= LVI_MOST; tries++) {
		uint8_t d[DESCRIPTOR_BYTES];

		/* A list of very small buffers is slower than it should be: it stands still for a while. */
		if ((*budget)-- == 0) {
			pcm_pace_start(&s->pace, clock_now(h->clock) + STANDSTILL_NS);
			return false;
		}
		gpa list = (uint64_t)s->bdpu << 32 | s->bdpl;

		if (!pci_dma_read(&h->pci, list + s->next * DESCRIPTOR_BYTES, d, sizeof(d))) {
			fail(h, n, "no memory at the buffer descriptors, or bus master not enabled");
			return false;
		}
		s->next = s->next >= s->lvi ? 0 : s->next + 1;
		s->addr = load_le(d, 8);
		s->left = (uint32_t)load_le(d + 8, 4);
		s->ioc = d[12] & 1;
		if (s->left > 0) {
			s->loaded = 1;
			trace_hda_buffer(n, s->addr, s->left, s->ioc);
			return true;
		}
	}
	fail(h, n, "all buffer descriptors are empty");
	return false;
}

static void
end_buffer(struct hda_stream *s)
{
	s->loaded = 0;
	if (s->ioc)
		s->sts |= SD_BCIS;
}

static void
advance(struct hda_stream *s, uint32_t bytes)
{
	s->addr += bytes;
	s->left -= bytes;
	s->lpib += bytes;
	if (s->cbl != 0)
		s->lpib %= s->cbl;
	if (s->left == 0)
		end_buffer(s);
}

/* LEN bytes between memory and DATA; false: as load_descriptor(). */
static bool
move_bytes(struct hda *h, unsigned n, uint8_t *data, uint32_t len, unsigned *budget)
{
	struct hda_stream *s = &h->state.stream[n];

	while (len > 0) {
		if (!s->loaded && !load_descriptor(h, n, budget))
			return false;
		uint32_t piece = MIN(len, s->left);
		bool there = hda_stream_is_output(n) ? pci_dma_read(&h->pci, s->addr, data, piece)
			: pci_dma_write(&h->pci, s->addr, data, piece);

		if (!there && hda_stream_is_output(n))
			memset(data, 0, piece);
		advance(s, piece);
		data += piece;
		len -= piece;
	}
	return true;
}

static void
write_position(struct hda *h, unsigned n)
{
	uint8_t position[4];
	gpa addr;

	if (!hda_position_address(h, n, &addr))
		return;
	store_le(position, h->state.stream[n].lpib, 4);
	pci_dma_write(&h->pci, addr, position, sizeof(position));
}

/* ---- frames ---- */

static void
play(struct hda *h, unsigned tag, const struct hda_format *f, const uint8_t *stage, unsigned count)
{
	for (unsigned i = 0; i < HDA_CODECS; i++) {
		if (h->codec[i] != NULL)
			h->codec[i]->ops->play(h->codec[i], tag, f, stage, count);
	}
}

static void
record(struct hda *h, unsigned tag, const struct hda_format *f, uint8_t *stage, unsigned count)
{
	memset(stage, 0, count * f->channels * f->bytes);
	for (unsigned i = 0; i < HDA_CODECS; i++) {
		if (h->codec[i] != NULL)
			h->codec[i]->ops->record(h->codec[i], tag, f, stage, count);
	}
}

void
hda_stream_catch_up(struct hda *h, unsigned n)
{
	struct hda_stream *s = &h->state.stream[n];
	struct hda_format f = hda_format_of(s->fmt);
	uint32_t frame = f.channels * f.bytes;
	uint8_t stage[STAGE_BYTES];
	unsigned budget = BUDGET;

	if (!hda_stream_is_moving(h, n))
		return;
	uint64_t due = pcm_pace_due(&s->pace, clock_now(h->clock), f.rate);
	while (due > 0) {
		unsigned count = (unsigned)MIN(due, (uint64_t)STAGE_BYTES / frame);

		if (!hda_stream_is_output(n))
			record(h, tag_of(s), &f, stage, count);
		if (!move_bytes(h, n, stage, count * frame, &budget))
			break;
		if (hda_stream_is_output(n))
			play(h, tag_of(s), &f, stage, count);
		s->pace.done += count;
		due -= count;
	}
	write_position(h, n);
}

uint64_t
hda_stream_deadline(const struct hda *h, unsigned n)
{
	const struct hda_stream *s = &h->state.stream[n];
	struct hda_format f = hda_format_of(s->fmt);
	uint32_t frame = f.channels * f.bytes;

	if (!hda_stream_is_moving(h, n))
		return UINT64_MAX;
	return pcm_pace_when(&s->pace, s->loaded ? ((uint64_t)s->left + frame - 1) / frame : 1, f.rate);
}
