/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The AC'97 audio controller of the Intel 82801AA (ICH), by its data sheet, order number 290655-003, chapter "AC'97 Audio
 * Controller Registers (D31:F5)": PCM in, PCM out and microphone, each with a list of 32 buffer descriptors, and a primary codec.
 *
 * A channel's position follows the machine's clock at the codec's rate: it is computed when it is asked for, when the mix of
 * the host wants frames, and by a timer at the end of each buffer.  Samples are read from memory when they are played, without
 * a FIFO before that; so there are no FIFO errors.  A secondary codec, power management events and the modem are not there.
 * The codec answers also in the reset that firmware ends on a board, for guests that rely on firmware.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"
#include "hw/ac97.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "hw/pcm.h"
#include "hw/trace.h"
#include "ui/sound.h"

#include <stdio.h>

enum {
	/* Of a channel, 16 bytes each. */
	BDBAR = 0x0, CIV = 0x4, LVI = 0x5, SR = 0x6, PICB = 0x8, PIV = 0xa, CR = 0xb,
	/* Of all. */
	GLOB_CNT = 0x2c, GLOB_STA = 0x30, CAS = 0x34,

	SR_DCH = 0x01, SR_CELV = 0x02, SR_LVBCI = 0x04, SR_BCIS = 0x08, SR_FIFOE = 0x10,
	SR_EVENTS = SR_LVBCI | SR_BCIS | SR_FIFOE,
	CR_RPBM = 0x01, CR_RR = 0x02, CR_LVBIE = 0x04, CR_FEIE = 0x08, CR_IOCE = 0x10,
	GLOB_CNT_WRITABLE = 0x3b, GLOB_CNT_RUN = 0x02, /* bit 1: low is the cold reset */
	GLOB_STA_WRITABLE = 0x30000, GLOB_STA_CODEC_READY = 0x100,

	BUFFERS = 32,
	BD_LEN = 0xffff,        /* of the second word: length in samples */
	BD_IOC_SHIFT = 31,
	CHUNK_BYTES = 4096,
};

#define SOONEST_NS 50000

/* Words are as wide as they have to be for the struct to have no holes. */
struct channel {
	uint32_t bdbar, civ, lvi, sr, picb, piv, cr;
	uint32_t loaded;        /* a buffer has been fetched and is not used up */
	uint32_t addr, ioc;     /* of that buffer: where it goes on, and whether its end interrupts */
	struct pcm_pace pace;
};

struct ac97 {
	struct pci_dev pci;
	struct region mixer, master;
	struct clock *clock;
	struct timer timer;
	struct voice *voice[AC97_STREAMS];
	struct ac97_end { struct ac97 *owner; enum ac97_stream stream; } ends[AC97_STREAMS];
	struct {
		struct pci_state pci;
		struct channel channel[AC97_STREAMS];
		uint32_t glob_cnt, glob_sta, cas, unused;
		struct ac97_codec codec;
	} state;
};

/* Samples of a frame: the microphone's slot has one. */
static unsigned
channels_of(enum ac97_stream s)
{
	return s == AC97_MIC ? 1 : 2;
}

static uint32_t
rate_of(const struct ac97 *a, enum ac97_stream s)
{
	return MAX(ac97_codec_rate(&a->state.codec, s), 1u);
}

static bool
is_moving(const struct channel *c)
{
	return c->cr & CR_RPBM && !(c->sr & SR_DCH);
}

/* ---- the interrupt, and what else follows from the state ---- */

static bool
channel_interrupts(const struct channel *c)
{
	return (c->sr & SR_LVBCI && c->cr & CR_LVBIE) || (c->sr & SR_BCIS && c->cr & CR_IOCE) ||
		(c->sr & SR_FIFOE && c->cr & CR_FEIE);
}

static uint32_t
global_status(const struct ac97 *a)
{
	static const uint8_t bit[AC97_STREAMS] = { [AC97_PCM_IN] = 5, [AC97_PCM_OUT] = 6, [AC97_MIC] = 7 };
	uint32_t value = a->state.glob_sta | GLOB_STA_CODEC_READY;

	for (unsigned s = 0; s < AC97_STREAMS; s++)
		value |= (uint32_t)channel_interrupts(&a->state.channel[s]) << bit[s];
	return value;
}

/* Ends each access and each move: line, voices, timer. */
static void
update(struct ac97 *a)
{
	uint64_t next = UINT64_MAX;

	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		struct channel *c = &a->state.channel[s];
		unsigned n = channels_of(s);

		voice_set_active(a->voice[s], is_moving(c));
		if (is_moving(c))
			next = MIN(next, pcm_pace_when(&c->pace, (c->picb + n - 1) / n, rate_of(a, s)));
	}
	pci_set_intx(&a->pci, (global_status(a) & 0xe0) != 0);
	if (next == UINT64_MAX)
		timer_cancel(&a->timer);
	else
		timer_set(&a->timer, MAX(next, clock_now(a->clock) + SOONEST_NS));
}

/* ---- buffers ---- */

/* The next buffer of the list becomes the current one. */
static void
load_buffer(struct ac97 *a, enum ac97_stream s)
{
	struct channel *c = &a->state.channel[s];
	uint8_t bd[8] = { 0 };

	c->civ = c->piv;
	c->piv = (c->civ + 1) % BUFFERS;
	if (!pci_dma_read(&a->pci, c->bdbar + c->civ * sizeof(bd), bd, sizeof(bd))) {
		guest_bug(&a->pci.dev, "no memory at the buffer descriptors, or bus master not enabled");
		memset(bd, 0, sizeof(bd));
	}
	c->addr = (uint32_t)load_le(bd, 4) & ~1u;
	uint32_t control = (uint32_t)load_le(bd + 4, 4);
	c->picb = control & BD_LEN;
	c->ioc = control >> BD_IOC_SHIFT;
	c->loaded = 1;
	trace_ac97_buffer(s, c->civ, c->addr, c->picb, c->ioc);
}

static void
end_buffer(struct ac97 *a, enum ac97_stream s)
{
	struct channel *c = &a->state.channel[s];

	c->loaded = 0;
	if (c->ioc)
		c->sr |= SR_BCIS;
	if (c->civ == c->lvi)
		c->sr |= SR_LVBCI | SR_CELV | SR_DCH;
	else
		load_buffer(a, s);
}

/* FRAMES of the current buffer, which has so many, from or to memory.  Half a frame at its end is one with silence. */
static void
move(struct ac97 *a, enum ac97_stream s, unsigned frames)
{
	struct channel *c = &a->state.channel[s];
	unsigned n = channels_of(s), samples = MIN(frames * n, c->picb), bytes = samples * 2;
	uint8_t buffer[CHUNK_BYTES] = { 0 };

	if (s == AC97_PCM_OUT) {
		if (!pci_dma_read(&a->pci, c->addr, buffer, bytes))
			memset(buffer, 0, bytes);
		voice_write(a->voice[s], buffer, frames);
	} else {
		voice_read(a->voice[s], buffer, frames);
		pci_dma_write(&a->pci, c->addr, buffer, bytes);
	}
	c->addr += bytes;
	c->picb -= samples;
	c->pace.done += frames;
}

/* Moves all that is due now. */
static void
catch_up(struct ac97 *a, enum ac97_stream s)
{
	struct channel *c = &a->state.channel[s];
	unsigned n = channels_of(s), fetched = 0;

	if (!is_moving(c))
		return;
	uint64_t due = pcm_pace_due(&c->pace, clock_now(a->clock), rate_of(a, s));
	while (is_moving(c)) {
		if (c->picb == 0) {
			/* A list of nothing but empty buffers takes its time. */
			if (fetched++ == BUFFERS)
				break;
			end_buffer(a, s);
			continue;
		}
		if (due == 0)
			break;
		unsigned frames = (unsigned)MIN(MIN(due, (c->picb + n - 1) / n), CHUNK_BYTES / 2 / n);
		move(a, s, frames);
		due -= frames;
	}
}

static void
catch_up_all(struct ac97 *a)
{
	for (unsigned s = 0; s < AC97_STREAMS; s++)
		catch_up(a, s);
}

static void
timer_fired(void *opaque)
{
	catch_up_all(opaque);
	update(opaque);
}

static void
mix_wants(void *opaque)
{
	struct ac97_end *end = opaque;

	catch_up(end->owner, end->stream);
	update(end->owner);
}

/* ---- registers of a channel ---- */

static void
start_channel(struct ac97 *a, enum ac97_stream s)
{
	struct channel *c = &a->state.channel[s];

	c->sr &= ~(uint32_t)(SR_DCH | SR_CELV);
	if (!c->loaded)
		load_buffer(a, s);
	pcm_pace_start(&c->pace, clock_now(a->clock));
}

static void
reset_channel(struct channel *c)
{
	uint32_t enables = c->cr & (CR_LVBIE | CR_FEIE | CR_IOCE);

	*c = (struct channel){ .sr = SR_DCH, .cr = enables };
}

static void
write_control(struct ac97 *a, enum ac97_stream s, uint8_t value)
{
	struct channel *c = &a->state.channel[s];
	bool was = c->cr & CR_RPBM;

	trace_ac97_control(s, value);
	if (value & CR_RR && !(value & CR_RPBM)) {
		c->cr = value & (CR_LVBIE | CR_FEIE | CR_IOCE);
		reset_channel(c);
		return;
	}
	c->cr = value & (CR_RPBM | CR_LVBIE | CR_FEIE | CR_IOCE);
	if (c->cr & CR_RPBM && !was)
		start_channel(a, s);
	else if (was && !(c->cr & CR_RPBM))
		c->sr |= SR_DCH;
}

static void
write_channel_byte(struct ac97 *a, enum ac97_stream s, unsigned offset, uint8_t value)
{
	struct channel *c = &a->state.channel[s];

	switch (offset) {
	case BDBAR: case BDBAR + 1: case BDBAR + 2: case BDBAR + 3:
		c->bdbar = (c->bdbar & ~(0xffu << 8 * offset)) | (uint32_t)value << 8 * offset;
		c->bdbar &= ~7u;
		break;
	case LVI:
		c->lvi = value % BUFFERS;
		/* A channel that stood at its last buffer goes on. */
		if (c->cr & CR_RPBM && c->sr & SR_CELV)
			start_channel(a, s);
		break;
	case SR:
		c->sr &= ~(uint32_t)(value & SR_EVENTS);
		break;
	case CR:
		write_control(a, s, value);
		break;
	}
}

static void
channel_image(const struct channel *c, uint8_t image[16])
{
	store_le(image + BDBAR, c->bdbar, 4);
	image[CIV] = (uint8_t)c->civ;
	image[LVI] = (uint8_t)c->lvi;
	store_le(image + SR, c->sr, 2);
	store_le(image + PICB, c->picb, 2);
	image[PIV] = (uint8_t)c->piv;
	image[CR] = (uint8_t)c->cr;
	store_le(image + 12, 0, 4);
}

/* ---- registers of all ---- */

static void
set_voices(struct ac97 *a)
{
	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		struct sound_format f = { rate_of(a, s), (uint8_t)channels_of(s), SAMPLE_S16 };
		float gain[2];

		ac97_codec_gain(&a->state.codec, s, gain);
		voice_set_format(a->voice[s], &f);
		voice_set_gain(a->voice[s], gain[0], gain[1]);
	}
}

/* The codec's registers may be about to change, rates among them: time so far went by at the old ones. */
static void
codec_changed(struct ac97 *a, const uint32_t old_rate[AC97_STREAMS])
{
	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		if (rate_of(a, s) != old_rate[s])
			pcm_pace_start(&a->state.channel[s].pace, clock_now(a->clock));
	}
	set_voices(a);
}

static void
note_rates(const struct ac97 *a, uint32_t rate[AC97_STREAMS])
{
	for (unsigned s = 0; s < AC97_STREAMS; s++)
		rate[s] = rate_of(a, s);
}

static void
write_global_control(struct ac97 *a, uint8_t value)
{
	uint32_t rate[AC97_STREAMS];

	if (a->state.glob_cnt & GLOB_CNT_RUN && !(value & GLOB_CNT_RUN)) {
		note_rates(a, rate);
		for (unsigned s = 0; s < AC97_STREAMS; s++)
			reset_channel(&a->state.channel[s]);
		ac97_codec_reset(&a->state.codec);
		a->state.cas = 0;
		codec_changed(a, rate);
	}
	a->state.glob_cnt = value & GLOB_CNT_WRITABLE;
}

static uint64_t
master_read(void *opaque, uint64_t offset, unsigned size)
{
	struct ac97 *a = opaque;
	uint8_t image[0x40] = { 0 };

	catch_up_all(a);
	for (unsigned s = 0; s < AC97_STREAMS; s++)
		channel_image(&a->state.channel[s], image + 16 * s);
	memset(image + 16 * AC97_STREAMS - 4, 0, 4);
	store_le(image + GLOB_CNT, a->state.glob_cnt, 4);
	store_le(image + GLOB_STA, global_status(a), 4);
	image[CAS] = (uint8_t)a->state.cas;
	/* The semaphore is taken by reading it. */
	if (offset <= CAS && offset + size > CAS)
		a->state.cas = 1;
	update(a);
	return load_le(image + offset, size);
}

static void
master_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct ac97 *a = opaque;

	catch_up_all(a);
	for (unsigned i = 0; i < size; i++) {
		unsigned at = (unsigned)offset + i;
		uint8_t byte = (uint8_t)(value >> 8 * i);

		if (at < GLOB_CNT)
			write_channel_byte(a, at / 16, at % 16, byte);
		else if (at == GLOB_CNT)
			write_global_control(a, byte);
		else if (at == GLOB_STA + 2)
			a->state.glob_sta = (uint32_t)byte << 16 & GLOB_STA_WRITABLE;
	}
	update(a);
}

static uint64_t
mixer_read(void *opaque, uint64_t offset, unsigned size)
{
	struct ac97 *a = opaque;

	(void)size;
	a->state.cas = 0;
	/* From 80h on there would be the secondary codec. */
	if (offset >= 2 * AC97_REGISTERS)
		return 0xffff;
	return ac97_codec_read(&a->state.codec, offset & ~1u) >> 8 * (offset & 1);
}

static void
mixer_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct ac97 *a = opaque;
	uint32_t rate[AC97_STREAMS];

	a->state.cas = 0;
	if (size != 2 || offset & 1) {
		guest_bug(&a->pci.dev, "codec register %02x is written by a byte; they have words", (unsigned)offset);
		return;
	}
	if (offset >= 2 * AC97_REGISTERS)
		return;
	trace_ac97_codec_write((unsigned)offset, (unsigned)value);
	catch_up_all(a);
	note_rates(a, rate);
	ac97_codec_write(&a->state.codec, (unsigned)offset, (uint16_t)value);
	codec_changed(a, rate);
	update(a);
}

static const struct region_ops mixer_ops = { mixer_read, mixer_write, 1, 2 };
static const struct region_ops master_ops = { master_read, master_write, 1, 4 };

/* ---- class ---- */

static void
ac97_reset(struct dev *d)
{
	struct ac97 *a = CONTAINER_OF(d, struct ac97, pci.dev);

	pci_reset(&a->pci);
	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		a->state.channel[s].cr = 0;
		reset_channel(&a->state.channel[s]);
	}
	a->state.glob_cnt = a->state.glob_sta = a->state.cas = a->state.unused = 0;
	ac97_codec_reset(&a->state.codec);
	set_voices(a);
	update(a);
}

static bool
ac97_loaded(struct dev *d, struct err *e)
{
	struct ac97 *a = CONTAINER_OF(d, struct ac97, pci.dev);

	(void)e;
	pci_loaded(&a->pci);
	ac97_codec_check(&a->state.codec);
	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		struct channel *c = &a->state.channel[s];

		c->sr &= SR_DCH | SR_CELV | SR_EVENTS;
		c->bdbar &= ~7u;
	}
	a->state.glob_cnt &= GLOB_CNT_WRITABLE;
	a->state.glob_sta &= GLOB_STA_WRITABLE;
	set_voices(a);
	update(a);
	return true;
}

static void
ac97_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const names[AC97_STREAMS] = { "PCM in", "PCM out", "microphone" };
	struct ac97 *a = CONTAINER_OF(d, struct ac97, pci.dev);
	char text[128];

	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		const struct channel *c = &a->state.channel[s];

		snprintf(text, sizeof(text), "%s: %s, %u Hz, buffer %u, last %u, %u samples left, status %02x, control %02x\n",
			names[s], is_moving(c) ? "running" : "halted", rate_of(a, s), c->civ, c->lvi, c->picb, c->sr, c->cr);
		print(opaque, text);
	}
}

static void
ac97_destroy(struct dev *d)
{
	struct ac97 *a = CONTAINER_OF(d, struct ac97, pci.dev);

	timer_cancel(&a->timer);
	for (unsigned s = 0; s < AC97_STREAMS; s++)
		voice_free(a->voice[s]);
	pci_detach(&a->pci);
}

#define CHANNEL_FIELDS(i) \
	FIELD_OF(struct ac97, state.channel[i].bdbar), \
	FIELD_MAX(struct ac97, state.channel[i].civ, BUFFERS - 1), \
	FIELD_MAX(struct ac97, state.channel[i].lvi, BUFFERS - 1), \
	FIELD_MAX(struct ac97, state.channel[i].sr, 0x1f), \
	FIELD_MAX(struct ac97, state.channel[i].picb, BD_LEN), \
	FIELD_MAX(struct ac97, state.channel[i].piv, BUFFERS - 1), \
	FIELD_MAX(struct ac97, state.channel[i].cr, 0x1f), \
	FIELD_MAX(struct ac97, state.channel[i].loaded, 1), \
	FIELD_OF(struct ac97, state.channel[i].addr), \
	FIELD_MAX(struct ac97, state.channel[i].ioc, 1), \
	PCM_PACE_FIELDS(struct ac97, state.channel[i].pace)

static const struct field fields[] = {
	PCI_FIELDS(struct ac97),
	CHANNEL_FIELDS(AC97_PCM_IN),
	CHANNEL_FIELDS(AC97_PCM_OUT),
	CHANNEL_FIELDS(AC97_MIC),
	FIELD_OF(struct ac97, state.glob_cnt),
	FIELD_OF(struct ac97, state.glob_sta),
	FIELD_MAX(struct ac97, state.cas, 1),
	FIELD_OF(struct ac97, state.unused),
	FIELD_ARRAY(struct ac97, state.codec.reg),
	FIELD_END
};

static const struct dev_class ac97_class = {
	.name = "AC97",
	.size = sizeof(struct ac97),
	.state_offset = offsetof(struct ac97, state),
	.state_size = sizeof(((struct ac97 *)0)->state),
	.description = "Intel 82801AA AC97 audio",
	.fields = fields,
	.reset = ac97_reset,
	.loaded = ac97_loaded,
	.info = ac97_info,
	.destroy = ac97_destroy,
};

struct dev *
ac97_new(const struct dev_env *env, struct pci_bus *bus, const char *id, int devfn, struct sound *sound)
{
	static const struct pci_id pci_id = { .vendor = 0x8086, .device = 0x2415, .class = 0x040100, .revision = 0x01, .pin = 1 };
	static const struct voice_ops voice_ops = { mix_wants };
	static const char *const names[AC97_STREAMS] = { "ac97 in", "ac97 out", "ac97 microphone" };
	struct ac97 *a = CONTAINER_OF(dev_new(env, &ac97_class, id), struct ac97, pci.dev);

	a->clock = env->clock;
	timer_init(&a->timer, env->clock, timer_fired, a);
	pci_attach(&a->pci, bus, devfn, &a->state.pci, &pci_id);
	pci_init_config(&a->pci, PCI_COMMAND, 2, 0, PCI_COMMAND_IO | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	pci_init_config(&a->pci, PCI_STATUS, 2, 0x0280, 0);
	region_init_io(&a->mixer, "ac97 mixer", &mixer_ops, a, 256);
	region_init_io(&a->master, "ac97 bus master", &master_ops, a, 64);
	pci_add_bar(&a->pci, 0, PCI_BAR_IO, &a->mixer);
	pci_add_bar(&a->pci, 1, PCI_BAR_IO, &a->master);
	for (unsigned s = 0; s < AC97_STREAMS; s++) {
		a->ends[s] = (struct ac97_end){ a, s };
		a->voice[s] = voice_new(sound, names[s], s != AC97_PCM_OUT, &voice_ops, &a->ends[s]);
	}
	ac97_reset(&a->pci.dev);
	return &a->pci.dev;
}
