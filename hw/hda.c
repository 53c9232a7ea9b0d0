/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Intel High Definition Audio controller of the 82801FB (ICH6) and the 82801IB (ICH9), by the High Definition Audio
 * Specification, revision 1.0a, and the data sheet of the ICH6, order number 301473, chapter "Intel High Definition Audio
 * Controller Registers (D27:F0)": command and response rings, immediate commands, four streams in and four out, position
 * buffers, the wall clock, interrupts by line or message.
 *
 * Codecs (hda_codec.c) answer at once.  Streams are moved by hda_stream.c.  PCI power management and PCI Express capabilities
 * are left out, as are unsolicited responses, for which no codec here has a reason.
 */
#include "hw/hda.h"

#include "base/err.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/trace.h"

#include <assert.h>
#include <stdio.h>

enum reg {
	GCAP, VMIN, VMAJ, OUTPAY, INPAY, GCTL, WAKEEN, STATESTS, GSTS, OUTSTRMPAY, INSTRMPAY, INTCTL, SSYNC,
	CORBLBASE, CORBUBASE, CORBWP, CORBRP, CORBCTL, CORBSTS, CORBSIZE,
	RIRBLBASE, RIRBUBASE, RIRBWP, RINTCNT, RIRBCTL, RIRBSTS, RIRBSIZE,
	ICOI, ICII, ICIS, DPLBASE, DPUBASE, REGS,
};
_Static_assert((int)REGS == (int)HDA_REGISTERS, "registers");

enum {
	GCTL_CRST = 0x001, GCTL_FCNTRL = 0x002, GCTL_UNSOL = 0x100,
	GSTS_FSTS = 0x2,
	CORBRP_RST = 0x8000, CORBCTL_MEIE = 0x1, CORBCTL_RUN = 0x2, CORBSTS_MEI = 0x1,
	RIRBWP_RST = 0x8000, RIRBCTL_RINTCTL = 0x1, RIRBCTL_RUN = 0x2, RIRBCTL_OIC = 0x4,
	RIRBSTS_RINTFL = 0x1, RIRBSTS_OIS = 0x4,
	ICIS_ICB = 0x1, ICIS_IRV = 0x2,
	DPLBASE_ENABLE = 0x1,

	INTSTS = 0x24, WALCLK = 0x30, SSYNC_OLD = 0x34, /* where ICH6 and ICH9 have SSYNC too */
	STREAMS_AT = 0x80, STREAM_BYTES = 0x20, STREAMS_END = STREAMS_AT + HDA_STREAMS * STREAM_BYTES,
	ALIAS_AT = 0x2000, REGS_BYTES = 0x4000,
	RING_ENTRIES = 256,
	FIFO_OUT = 0xbf, FIFO_IN = 0x77, FIFO_WATERMARK = 4,
	HDCTL = 0x40, MSI_AT = 0x60,
};

#define INTCTL_CIE 0x40000000u
#define INTCTL_GIE 0x80000000u
#define WALL_HZ 24000000u
#define SOONEST_NS 250000u
#define POSITION_NS 1000000u /* how often position buffers are written, while there is no other reason */

/* VALUE is that of a reset; WRITABLE bits keep what is written, CLEARS are cleared by ones. */
static const struct {
	uint8_t offset, size;
	uint32_t value, writable, clears;
} regs[REGS] = {
	[GCAP] = { 0x00, 2, HDA_OUTPUTS << 12 | HDA_INPUTS << 8 | 1, 0, 0 },
	[VMIN] = { 0x02, 1, 0, 0, 0 },
	[VMAJ] = { 0x03, 1, 1, 0, 0 },
	[OUTPAY] = { 0x04, 2, 0x3c, 0, 0 },
	[INPAY] = { 0x06, 2, 0x1d, 0, 0 },
	[GCTL] = { 0x08, 4, 0, GCTL_CRST | GCTL_UNSOL, 0 },
	[WAKEEN] = { 0x0c, 2, 0, 0x7fff, 0 },
	[STATESTS] = { 0x0e, 2, 0, 0, 0x7fff },
	[GSTS] = { 0x10, 2, 0, 0, GSTS_FSTS },
	[OUTSTRMPAY] = { 0x18, 2, 0x30, 0, 0 },
	[INSTRMPAY] = { 0x1a, 2, 0x18, 0, 0 },
	[INTCTL] = { 0x20, 4, 0, 0xc00000ff, 0 },
	[SSYNC] = { 0x38, 4, 0, 0xff, 0 },
	[CORBLBASE] = { 0x40, 4, 0, 0xffffff80, 0 },
	[CORBUBASE] = { 0x44, 4, 0, 0xffffffff, 0 },
	[CORBWP] = { 0x48, 2, 0, 0xff, 0 },
	[CORBRP] = { 0x4a, 2, 0, CORBRP_RST, 0 },
	[CORBCTL] = { 0x4c, 1, 0, CORBCTL_MEIE | CORBCTL_RUN, 0 },
	[CORBSTS] = { 0x4d, 1, 0, 0, CORBSTS_MEI },
	[CORBSIZE] = { 0x4e, 1, 0x42, 0, 0 },
	[RIRBLBASE] = { 0x50, 4, 0, 0xffffff80, 0 },
	[RIRBUBASE] = { 0x54, 4, 0, 0xffffffff, 0 },
	[RIRBWP] = { 0x58, 2, 0, 0, 0 },
	[RINTCNT] = { 0x5a, 2, 0, 0xff, 0 },
	[RIRBCTL] = { 0x5c, 1, 0, RIRBCTL_RINTCTL | RIRBCTL_RUN | RIRBCTL_OIC, 0 },
	[RIRBSTS] = { 0x5d, 1, 0, 0, RIRBSTS_RINTFL | RIRBSTS_OIS },
	[RIRBSIZE] = { 0x5e, 1, 0x42, 0, 0 },
	[ICOI] = { 0x60, 4, 0, 0xffffffff, 0 },
	[ICII] = { 0x64, 4, 0, 0, 0 },
	[ICIS] = { 0x68, 2, 0, 0, ICIS_IRV },
	[DPLBASE] = { 0x70, 4, 0, 0xffffff81, 0 },
	[DPUBASE] = { 0x74, 4, 0, 0xffffffff, 0 },
};

/* Of a stream; 0Eh and 10h are about its FIFO and constant. */
static const struct {
	uint8_t offset, size;
	size_t member;
	uint32_t writable, clears;
} stream_regs[] = {
	{ 0x00, 3, offsetof(struct hda_stream, ctl), 0xff001f, 0 },
	{ 0x03, 1, offsetof(struct hda_stream, sts), 0, SD_EVENTS },
	{ 0x04, 4, offsetof(struct hda_stream, lpib), 0, 0 },
	{ 0x08, 4, offsetof(struct hda_stream, cbl), 0xffffffff, 0 },
	{ 0x0c, 2, offsetof(struct hda_stream, lvi), 0xff, 0 },
	{ 0x12, 2, offsetof(struct hda_stream, fmt), 0x7f7f, 0 },
	{ 0x18, 4, offsetof(struct hda_stream, bdpl), 0xffffff80, 0 },
	{ 0x1c, 4, offsetof(struct hda_stream, bdpu), 0xffffffff, 0 },
};
enum { LPIB_AT = 0x04, FIFOW_AT = 0x0e, FIFOS_AT = 0x10 };

static uint32_t *
stream_reg(struct hda_stream *s, unsigned i)
{
	return (uint32_t *)(void *)((char *)s + stream_regs[i].member);
}

static uint32_t
wall_clock(const struct hda *h)
{
	return (uint32_t)mul_div(clock_now(h->clock) - h->state.wall_start_ns, WALL_HZ, NS_PER_SEC);
}

bool
hda_stream_is_held(const struct hda *h, unsigned n)
{
	return h->state.reg[SSYNC] >> n & 1 || !(h->state.reg[GCTL] & GCTL_CRST);
}

bool
hda_position_address(const struct hda *h, unsigned n, gpa *addr)
{
	*addr = ((uint64_t)h->state.reg[DPUBASE] << 32 | (h->state.reg[DPLBASE] & ~(uint32_t)DPLBASE_ENABLE)) + 8 * n;
	return h->state.reg[DPLBASE] & DPLBASE_ENABLE;
}

/* ---- what follows from the state ---- */

static uint32_t
interrupt_status(const struct hda *h)
{
	const uint32_t *r = h->state.reg;
	uint32_t status = 0;

	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		const struct hda_stream *s = &h->state.stream[n];

		if ((s->sts & SD_BCIS && s->ctl & SD_IOCE) || (s->sts & SD_FIFOE && s->ctl & SD_FEIE) ||
		    (s->sts & SD_DESE && s->ctl & SD_DEIE))
			status |= 1u << n;
	}
	if ((r[RIRBSTS] & RIRBSTS_RINTFL && r[RIRBCTL] & RIRBCTL_RINTCTL) ||
	    (r[RIRBSTS] & RIRBSTS_OIS && r[RIRBCTL] & RIRBCTL_OIC) ||
	    (r[CORBSTS] & CORBSTS_MEI && r[CORBCTL] & CORBCTL_MEIE) || r[STATESTS] & r[WAKEEN])
		status |= INTCTL_CIE;
	if (status & r[INTCTL])
		status |= INTCTL_GIE;
	return status;
}

static void
update_interrupt(struct hda *h)
{
	uint32_t enabled = h->state.reg[INTCTL];
	uint32_t pending = enabled & INTCTL_GIE ? interrupt_status(h) & enabled & ~INTCTL_GIE : 0;
	bool by_message = pci_msi_enabled(&h->pci);

	pci_set_intx(&h->pci, pending != 0 && !by_message);
	if (by_message && pending & ~h->signalled)
		pci_msi_notify(&h->pci, 0);
	h->signalled = pending;
}

static void
tell_codecs(struct hda *h)
{
	for (unsigned i = 0; i < HDA_CODECS; i++) {
		if (h->codec[i] != NULL)
			h->codec[i]->ops->streams_changed(h->codec[i]);
	}
}

/* Ends each access and each move: line, voices, timer. */
static void
update(struct hda *h)
{
	uint64_t now = clock_now(h->clock), next = UINT64_MAX;
	uint32_t running = 0;

	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		running |= (uint32_t)hda_stream_is_moving(h, n) << n;
		next = MIN(next, hda_stream_deadline(h, n));
	}
	if (running != h->running) {
		h->running = running;
		tell_codecs(h);
	}
	update_interrupt(h);
	if (running != 0 && h->state.reg[DPLBASE] & DPLBASE_ENABLE)
		next = MIN(next, now + POSITION_NS);
	if (running == 0)
		timer_cancel(&h->timer);
	else
		timer_set(&h->timer, MAX(next, now + SOONEST_NS));
}

static void
move_streams(struct hda *h)
{
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		hda_stream_catch_up(h, n);
}

void
hda_catch_up(struct hda *h)
{
	move_streams(h);
	update(h);
}

static void
timer_fired(void *opaque)
{
	hda_catch_up(opaque);
}

/* ---- codecs ---- */

void
hda_codec_attach(struct hda *h, struct hda_codec *c, unsigned address)
{
	assert(address < HDA_CODECS && h->codec[address] == NULL);
	h->codec[address] = c;
	c->link = h;
	c->address = address;
}

void
hda_codec_detach(struct hda_codec *c)
{
	if (c->link != NULL)
		c->link->codec[c->address] = NULL;
	c->link = NULL;
}

int
hda_free_address(struct dev *d)
{
	struct hda *h = CONTAINER_OF(d, struct hda, pci.dev);

	for (int i = 0; i < HDA_CODECS; i++) {
		if (h->codec[i] == NULL)
			return i;
	}
	return -1;
}

bool
hda_address_is_free(struct dev *d, unsigned address)
{
	return address < HDA_CODECS && CONTAINER_OF(d, struct hda, pci.dev)->codec[address] == NULL;
}

/* A command of the ring or an immediate one.  False: no codec is there. */
static bool
command(struct hda *h, uint32_t word, uint32_t *response)
{
	unsigned address = word >> 28, node = word >> 20 & 0x7f;

	if (address >= HDA_CODECS || h->codec[address] == NULL)
		return false;
	*response = h->codec[address]->ops->verb(h->codec[address], node, word & 0xfffff);
	trace_hda_verb(address, node, word & 0xfffff, *response);
	return true;
}

static void
respond(struct hda *h, unsigned address, uint32_t response)
{
	uint32_t *r = h->state.reg;
	uint8_t entry[8];

	if (!(r[RIRBCTL] & RIRBCTL_RUN))
		return;
	r[RIRBWP] = (r[RIRBWP] + 1) % RING_ENTRIES;
	store_le(entry, response, 4);
	store_le(entry + 4, address, 4);
	pci_dma_write(&h->pci, ((uint64_t)r[RIRBUBASE] << 32 | r[RIRBLBASE]) + r[RIRBWP] * sizeof(entry), entry,
		sizeof(entry));
	r[RIRBSTS] |= RIRBSTS_RINTFL;
}

/* At most a ring's worth: commands that come from codecs' answers are not possible. */
static void
run_commands(struct hda *h)
{
	uint32_t *r = h->state.reg;

	while (r[CORBCTL] & CORBCTL_RUN && !(r[CORBRP] & CORBRP_RST) && r[CORBRP] != r[CORBWP]) {
		uint32_t next = (r[CORBRP] + 1) % RING_ENTRIES, response = 0;
		uint8_t word[4];

		if (!pci_dma_read(&h->pci, ((uint64_t)r[CORBUBASE] << 32 | r[CORBLBASE]) + next * sizeof(word), word, sizeof(word))) {
			guest_bug(&h->pci.dev, "no memory at the command ring, or bus master not enabled");
			r[CORBSTS] |= CORBSTS_MEI;
			r[CORBCTL] &= ~(uint32_t)CORBCTL_RUN;
			return;
		}
		r[CORBRP] = next;
		if (command(h, (uint32_t)load_le(word, 4), &response))
			respond(h, (unsigned)(load_le(word, 4) >> 28), response);
		else
			guest_bug(&h->pci.dev, "command %08x is for a codec that is not there", (unsigned)load_le(word, 4));
	}
}

static void
run_immediate(struct hda *h)
{
	uint32_t *r = h->state.reg;

	r[ICIS] &= ~(uint32_t)(ICIS_ICB | ICIS_IRV);
	if (command(h, r[ICOI], &r[ICII]))
		r[ICIS] |= ICIS_IRV;
}

/* ---- registers ---- */

/* The controller's own reset; WAKEEN and STATESTS outlive it. */
static void
reset_registers(struct hda *h)
{
	for (unsigned i = 0; i < REGS; i++) {
		if (i != WAKEEN && i != STATESTS)
			h->state.reg[i] = regs[i].value;
	}
	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		h->state.stream[n].ctl = 0;
		hda_stream_reset(&h->state.stream[n]);
	}
	h->state.wall_start_ns = clock_now(h->clock);
}

static void
written_gctl(struct hda *h, uint32_t old)
{
	uint32_t now = h->state.reg[GCTL];

	if (old & ~now & GCTL_CRST) {
		reset_registers(h);
		for (unsigned i = 0; i < HDA_CODECS; i++) {
			if (h->codec[i] != NULL)
				h->codec[i]->ops->link_reset(h->codec[i]);
		}
	} else if (now & ~old & GCTL_CRST) {
		h->state.wall_start_ns = clock_now(h->clock);
		for (unsigned i = 0; i < HDA_CODECS; i++)
			h->state.reg[STATESTS] |= (uint32_t)(h->codec[i] != NULL) << i;
	}
}

static void
written_ssync(struct hda *h, uint32_t old)
{
	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		if (old & ~h->state.reg[SSYNC] & 1u << n)
			hda_stream_start(h, n);
	}
}

/* REG was written: VALUE, of which the bits of MASK were in the access; it had OLD. */
static void
written(struct hda *h, enum reg reg, uint32_t old, uint32_t value, uint32_t mask)
{
	uint32_t *r = h->state.reg;

	switch (reg) {
	case GCTL:
		written_gctl(h, old);
		if (value & mask & GCTL_FCNTRL && r[GCTL] & GCTL_CRST)
			r[GSTS] |= GSTS_FSTS;
		break;
	case SSYNC:
		written_ssync(h, old);
		break;
	case CORBRP:
		if (r[CORBRP] & CORBRP_RST)
			r[CORBRP] = CORBRP_RST;
		break;
	case CORBWP:
	case CORBCTL:
		run_commands(h);
		break;
	case RIRBWP:
		if (value & mask & RIRBWP_RST)
			r[RIRBWP] = 0;
		break;
	case ICIS:
		if (value & mask & ICIS_ICB)
			run_immediate(h);
		break;
	default:
		break;
	}
}

static void
written_stream_control(struct hda *h, unsigned n, uint32_t old)
{
	struct hda_stream *s = &h->state.stream[n];

	if (s->ctl & SD_SRST)
		hda_stream_reset(s);
	else if (s->ctl & ~old & SD_RUN)
		hda_stream_start(h, n);
	else if ((s->ctl ^ old) >> SD_TAG_SHIFT)
		tell_codecs(h);
}

static uint32_t
merge(uint32_t old, uint32_t value, uint32_t mask, uint32_t writable, uint32_t clears)
{
	uint32_t keep = mask & writable;

	return ((old & ~keep) | (value & keep)) & ~(value & mask & clears);
}

/*
 * What an access of SIZE bytes at OFFSET means for a register of WIDTH bytes at AT: the value in its place, and which of
 * its bits were in the access.
 */
static bool
overlap(uint64_t offset, unsigned size, uint64_t value, unsigned at, unsigned width, uint32_t *own, uint32_t *mask)
{
	uint64_t bytes = bits(UINT64_MAX, 0, 8 * size);

	if (offset >= at + width || offset + size <= at)
		return false;
	if (offset < at) {
		*own = (uint32_t)((value & bytes) >> 8 * (at - offset));
		*mask = (uint32_t)(bytes >> 8 * (at - offset));
	} else {
		*own = (uint32_t)((value & bytes) << 8 * (offset - at));
		*mask = (uint32_t)(bytes << 8 * (offset - at));
	}
	*mask &= (uint32_t)bits(UINT64_MAX, 0, 8 * width);
	return true;
}

static void
write_global(struct hda *h, uint64_t offset, uint64_t value, unsigned size)
{
	if (offset >= SSYNC_OLD && offset < SSYNC_OLD + 4)
		offset += regs[SSYNC].offset - SSYNC_OLD;
	for (unsigned i = 0; i < REGS; i++) {
		uint32_t own, mask, old = h->state.reg[i];

		if (!overlap(offset, size, value, regs[i].offset, regs[i].size, &own, &mask))
			continue;
		if (!(h->state.reg[GCTL] & GCTL_CRST) && i != GCTL && i != WAKEEN && i != STATESTS)
			continue;
		h->state.reg[i] = merge(old, own, mask, regs[i].writable, regs[i].clears);
		written(h, (enum reg)i, old, own, mask);
	}
}

static void
write_stream(struct hda *h, unsigned n, uint64_t offset, uint64_t value, unsigned size)
{
	struct hda_stream *s = &h->state.stream[n];

	if (!(h->state.reg[GCTL] & GCTL_CRST))
		return;
	for (unsigned i = 0; i < ARRAY_SIZE(stream_regs); i++) {
		uint32_t own, mask, *r = stream_reg(s, i), old = *r;

		if (!overlap(offset, size, value, stream_regs[i].offset, stream_regs[i].size, &own, &mask))
			continue;
		*r = merge(old, own, mask, stream_regs[i].writable, stream_regs[i].clears);
		if (i == 0)
			written_stream_control(h, n, old);
	}
}

static void
hda_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct hda *h = opaque;

	move_streams(h);
	if (offset < STREAMS_AT)
		write_global(h, offset, value, size);
	else if (offset < STREAMS_END)
		write_stream(h, (unsigned)(offset - STREAMS_AT) / STREAM_BYTES, offset % STREAM_BYTES, value, size);
	update(h);
}

static void
global_image(const struct hda *h, uint8_t image[STREAMS_AT])
{
	for (unsigned i = 0; i < REGS; i++)
		store_le(image + regs[i].offset, h->state.reg[i], regs[i].size);
	store_le(image + SSYNC_OLD, h->state.reg[SSYNC], 4);
	store_le(image + INTSTS, interrupt_status(h), 4);
	store_le(image + WALCLK, wall_clock(h), 4);
}

static void
stream_image(struct hda *h, unsigned n, uint8_t image[STREAM_BYTES])
{
	struct hda_stream *s = &h->state.stream[n];

	for (unsigned i = 0; i < ARRAY_SIZE(stream_regs); i++)
		store_le(image + stream_regs[i].offset, *stream_reg(s, i), stream_regs[i].size);
	if (s->ctl & SD_RUN)
		image[3] |= SD_FIFORDY;
	store_le(image + FIFOW_AT, FIFO_WATERMARK, 2);
	store_le(image + FIFOS_AT, hda_stream_is_output(n) ? FIFO_OUT : FIFO_IN, 2);
}

/* From 2000h on the wall clock and the positions are to be had once more, for programs that may see no more than these. */
static uint64_t
read_alias(struct hda *h, uint64_t offset, unsigned size)
{
	uint8_t image[STREAMS_END + 8] = { 0 };

	store_le(image + WALCLK, wall_clock(h), 4);
	for (unsigned n = 0; n < HDA_STREAMS; n++)
		store_le(image + STREAMS_AT + n * STREAM_BYTES + LPIB_AT, h->state.stream[n].lpib, 4);
	return offset < STREAMS_END ? load_le(image + offset, size) : 0;
}

static uint64_t
hda_read(void *opaque, uint64_t offset, unsigned size)
{
	struct hda *h = opaque;
	uint8_t image[STREAMS_AT + 8] = { 0 };
	uint64_t value = 0;

	move_streams(h);
	if (offset < STREAMS_AT) {
		global_image(h, image);
		value = load_le(image + offset, size);
	} else if (offset < STREAMS_END) {
		stream_image(h, (unsigned)(offset - STREAMS_AT) / STREAM_BYTES, image);
		value = load_le(image + offset % STREAM_BYTES, size);
	} else if (offset >= ALIAS_AT) {
		value = read_alias(h, offset - ALIAS_AT, size);
	}
	update(h);
	return value;
}

static const struct region_ops hda_ops = { hda_read, hda_write, 1, 4 };

/* ---- class ---- */

static void
hda_reset(struct dev *d)
{
	struct hda *h = CONTAINER_OF(d, struct hda, pci.dev);

	pci_reset(&h->pci);
	h->state.reg[WAKEEN] = h->state.reg[STATESTS] = 0;
	reset_registers(h);
	h->signalled = 0;
	update(h);
}

static bool
hda_loaded(struct dev *d, struct err *e)
{
	struct hda *h = CONTAINER_OF(d, struct hda, pci.dev);

	pci_loaded(&h->pci);
	if (h->state.wall_start_ns > clock_now(h->clock))
		return err_set(e, "the wall clock started in the future");
	for (unsigned i = 0; i < REGS; i++) {
		uint32_t own = regs[i].writable | regs[i].clears;

		/* What only the device itself changes: pointers into the rings, the answer to an immediate command. */
		if (i == CORBRP || i == RIRBWP)
			own |= RING_ENTRIES - 1;
		else if (i == ICII)
			own = UINT32_MAX;
		h->state.reg[i] = (h->state.reg[i] & own) | regs[i].value;
	}
	h->running = 0;
	h->signalled = UINT32_MAX; /* what is pending was told before */
	update(h);
	return true;
}

static void
hda_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct hda *h = CONTAINER_OF(d, struct hda, pci.dev);
	char text[160];

	for (unsigned n = 0; n < HDA_STREAMS; n++) {
		const struct hda_stream *s = &h->state.stream[n];
		struct hda_format f = hda_format_of(s->fmt);

		if (!(s->ctl & SD_RUN))
			continue;
		snprintf(text, sizeof(text), "%s stream %u, tag %u: %u Hz, %u bits, %u channels; byte %u of %u, status %02x\n",
			hda_stream_is_output(n) ? "output" : "input", n, s->ctl >> SD_TAG_SHIFT & 15, f.rate, f.bits, f.channels,
			s->lpib, s->cbl, s->sts);
		print(opaque, text);
	}
}

static void
hda_destroy(struct dev *d)
{
	struct hda *h = CONTAINER_OF(d, struct hda, pci.dev);

	timer_cancel(&h->timer);
	for (unsigned i = 0; i < HDA_CODECS; i++) {
		if (h->codec[i] != NULL)
			hda_codec_detach(h->codec[i]);
	}
	pci_detach(&h->pci);
}

#define STREAM_FIELDS(i) \
	FIELD_MAX(struct hda, state.stream[i].ctl, 0xffffff), \
	FIELD_MAX(struct hda, state.stream[i].sts, SD_EVENTS), \
	FIELD_OF(struct hda, state.stream[i].lpib), \
	FIELD_OF(struct hda, state.stream[i].cbl), \
	FIELD_MAX(struct hda, state.stream[i].lvi, 0xff), \
	FIELD_MAX(struct hda, state.stream[i].fmt, 0x7f7f), \
	FIELD_OF(struct hda, state.stream[i].bdpl), \
	FIELD_OF(struct hda, state.stream[i].bdpu), \
	FIELD_MAX(struct hda, state.stream[i].loaded, 1), \
	FIELD_MAX(struct hda, state.stream[i].next, 0xff), \
	FIELD_OF(struct hda, state.stream[i].left), \
	FIELD_MAX(struct hda, state.stream[i].ioc, 1), \
	FIELD_OF(struct hda, state.stream[i].addr), \
	PCM_PACE_FIELDS(struct hda, state.stream[i].pace)

static const struct field fields[] = {
	PCI_FIELDS(struct hda),
	FIELD_OF(struct hda, state.wall_start_ns),
	FIELD_ARRAY(struct hda, state.reg),
	STREAM_FIELDS(0), STREAM_FIELDS(1), STREAM_FIELDS(2), STREAM_FIELDS(3),
	STREAM_FIELDS(4), STREAM_FIELDS(5), STREAM_FIELDS(6), STREAM_FIELDS(7),
	FIELD_END
};

#define HDA_CLASS(model, text) { \
	.name = model, \
	.size = sizeof(struct hda), \
	.state_offset = offsetof(struct hda, state), \
	.state_size = sizeof(((struct hda *)0)->state), \
	.description = text, \
	.fields = fields, \
	.reset = hda_reset, \
	.loaded = hda_loaded, \
	.info = hda_info, \
	.destroy = hda_destroy, \
}

static const struct {
	struct dev_class cls;
	struct pci_id id;
} models[] = {
	[HDA_ICH6] = {
		.cls = HDA_CLASS("intel-hda", "Intel ICH6 High Definition Audio"),
		.id = { .vendor = 0x8086, .device = 0x2668, .class = 0x040300, .revision = 0x01, .pin = 1 },
	},
	[HDA_ICH9] = {
		.cls = HDA_CLASS("ich9-intel-hda", "Intel ICH9 High Definition Audio"),
		.id = { .vendor = 0x8086, .device = 0x293e, .class = 0x040300, .revision = 0x03, .pin = 1 },
	},
};

struct dev *
hda_new(const struct dev_env *env, struct pci_bus *bus, const char *id, int devfn, enum hda_model model, bool msi)
{
	struct hda *h = CONTAINER_OF(dev_new(env, &models[model].cls, id), struct hda, pci.dev);

	h->clock = env->clock;
	timer_init(&h->timer, env->clock, timer_fired, h);
	pci_attach(&h->pci, bus, devfn, &h->state.pci, &models[model].id);
	pci_init_config(&h->pci, HDCTL, 1, 0x01, 0);
	region_init_io(&h->regs, "hda", &hda_ops, h, REGS_BYTES);
	pci_add_bar(&h->pci, 0, PCI_BAR_MEM, &h->regs);
	if (msi)
		pci_add_msi(&h->pci, MSI_AT, 1, true);
	hda_reset(&h->pci.dev);
	return &h->pci.dev;
}
