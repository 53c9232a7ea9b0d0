/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An IDE channel and its two devices, by "AT Attachment with Packet Interface - 7" (ANSI INCITS 397-2005), volumes 1
 * and 2: the task file, device control, and the data protocols PIO in, PIO out and DMA.
 *
 * Selecting a device that is not there: device 0 answers for device 1, with a status of 0, as the standard has it;
 * a channel without any device reads as 0 in all but the data port.
 *
 * Reads and writes of many sectors become few requests of the host: up to 64 KiB in PIO, and up to 1 MiB in DMA.  When
 * one fails it is tried again sector by sector, so that what is before a bad sector arrives and the address of the
 * bad one is told.
 */
#include "hw/ata.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/util.h"
#include "disk/disk.h"

#include <errno.h>
#include <stdlib.h>

enum { ATA_RANGE = 8 }; /* bytes of a range to be trimmed */

_Static_assert(offsetof(struct ata_state, buffer) == 112, "no gaps before the buffer");
_Static_assert(sizeof(struct ata_state) == 112 + ATA_BUFFER, "nor after it");
_Static_assert(sizeof(struct ata_channel_state) == 8, "no gaps");

bool
ata_is_present(const struct ata_drive *d)
{
	return d->kind != ATA_NONE;
}

static struct ata_drive *
selected(struct ata_channel *ch)
{
	return &ch->drives[ch->s->selected];
}

static bool
is_empty(const struct ata_channel *ch)
{
	return !ata_is_present(&ch->drives[0]) && !ata_is_present(&ch->drives[1]);
}

/* ---- the interrupt ---- */

static bool
wants_irq(struct ata_channel *ch)
{
	struct ata_drive *d = selected(ch);

	return ata_is_present(d) && d->s->intrq && !ch->s->in_reset && !(ch->s->control & ATA_NIEN);
}

void
ata_update_irq(struct ata_channel *ch)
{
	bool level = wants_irq(ch);

	if (level == ch->line)
		return;
	ch->line = level;
	if (level)
		ch->dma->interrupt(ch->dma_opaque);
	irq_set(&ch->irq, level);
}

void
ata_raise(struct ata_drive *d)
{
	d->s->intrq = 1;
	ata_update_irq(d->channel);
}

/* ---- ends of commands ---- */

void
ata_complete(struct ata_drive *d)
{
	d->s->phase = ATA_IDLE;
	d->s->status = ATA_DRDY | ATA_DSC;
	d->s->error = 0;
	ata_raise(d);
}

void
ata_fail(struct ata_drive *d, uint8_t error)
{
	d->s->phase = ATA_IDLE;
	d->s->status = ATA_DRDY | ATA_DSC | ATA_ERR;
	d->s->error = error;
	ata_raise(d);
}

/* Gives up the command under way; what comes home of it is stale. */
void
ata_cancel(struct ata_drive *d)
{
	d->generation++;
	d->s->phase = ATA_IDLE;
	d->s->careful = 0;
	d->s->stable = 0;
	d->s->left = 0;
}

void
ata_put_lba(struct ata_drive *d, uint64_t lba)
{
	struct ata_state *s = d->s;
	uint32_t track;

	if (s->regs[ATA_DEVICE] & ATA_USE_LBA) {
		s->regs[ATA_LOW] = lba;
		s->regs[ATA_MID] = lba >> 8;
		s->regs[ATA_HIGH] = lba >> 16;
		if (s->lba48) {
			s->previous[ATA_LOW] = lba >> 24;
			s->previous[ATA_MID] = lba >> 32;
			s->previous[ATA_HIGH] = lba >> 40;
		} else {
			s->regs[ATA_DEVICE] = (s->regs[ATA_DEVICE] & 0xf0) | bits(lba, 24, 4);
		}
		return;
	}
	track = lba / s->sectors;
	s->regs[ATA_LOW] = lba % s->sectors + 1;
	s->regs[ATA_DEVICE] = (s->regs[ATA_DEVICE] & 0xf0) | track % s->heads;
	s->regs[ATA_MID] = track / s->heads;
	s->regs[ATA_HIGH] = track / s->heads >> 8;
}

/* A sector that the host could not read or write: at LBA, with LEFT still to go. */
static void
fail_sector(struct ata_drive *d)
{
	bool writing = d->s->phase == ATA_STORE || d->s->phase == ATA_DMA_OUT;

	if (d->kind == ATA_CD) {
		atapi_medium_error(d);
		return;
	}
	ata_put_lba(d, d->s->lba);
	d->s->previous[ATA_COUNT] = d->s->left >> 8;
	d->s->regs[ATA_COUNT] = d->s->left;
	ata_fail(d, writing ? ATA_ABRT : ATA_UNC);
}

/* ---- blocks of PIO ---- */

static bool
is_packet(const struct ata_drive *d)
{
	return d->kind == ATA_CD && d->s->content == ATA_PACKET;
}

static void
present_block(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	s->end = s->pos + MIN(s->block, s->filled - s->pos);
	s->phase = ATA_PIO_IN;
	s->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
	if (is_packet(d))
		atapi_data_ready(d);
	ata_raise(d);
}

void
ata_reply(struct ata_drive *d, uint32_t len, uint32_t block)
{
	d->s->pos = 0;
	d->s->filled = len;
	d->s->left = 0;
	d->s->block = block;
	present_block(d);
}

static void
block_was_read(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	if (s->pos < s->filled) {
		present_block(d);
	} else if (s->left > 0) {
		ata_start(d, ATA_FETCH);
	} else if (is_packet(d)) {
		atapi_complete(d);
	} else {
		s->phase = ATA_IDLE;
		s->status = ATA_DRDY | ATA_DSC;
	}
}

static void
request_block(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	s->end = s->pos + MIN(s->block, s->filled - s->pos);
	s->phase = ATA_PIO_OUT;
	s->status = ATA_DRDY | ATA_DSC | ATA_DRQ;
}

void
ata_start_pio_out(struct ata_drive *d, enum ata_content content, uint32_t len)
{
	d->s->content = content;
	d->s->pos = 0;
	d->s->filled = len;
	request_block(d);
}

static void
block_was_written(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	if (s->pos < s->filled) {
		request_block(d);
		ata_raise(d);
	} else if (s->content == ATA_SECTORS) {
		s->pos = 0;
		ata_start(d, ATA_STORE);
	} else if (s->content == ATA_PACKET) {
		atapi_packet(d);
	} else {
		ata_complete(d);
	}
}

/* ---- requests of the host ---- */

static void request_done(void *opaque, int error);

static struct ata_request *
take_request(struct ata_drive *d, uint32_t sectors)
{
	struct ata_request *r = d->request;
	size_t need = (size_t)sectors * MAX(d->s->sector_bytes, ATA_SECTOR);

	if (r->size < need) {
		free(r->buf);
		r->buf = xaligned(need);
		r->size = need;
	}
	r->busy = true;
	r->generation = d->generation;
	r->sectors = sectors;
	return r;
}

/* How many sectors the next request may have: raw ones not many, since to make them takes long. */
static uint32_t
next_sectors(const struct ata_drive *d)
{
	const struct ata_state *s = d->s;
	uint32_t limit = s->phase == ATA_FETCH || s->sector_bytes == CD_RAW_SECTOR ? ATA_BUFFER : ATA_REQUEST;

	return s->careful ? 1 : MIN(s->left, limit / s->sector_bytes);
}

/* A CD image may end inside its last sector. */
static void
submit_read(struct ata_drive *d)
{
	struct ata_request *r = take_request(d, next_sectors(d));
	uint64_t sector = d->kind == ATA_CD ? CD_SECTOR : ATA_SECTOR;
	uint64_t offset = d->s->lba * sector, len = r->sectors * sector, there = disk_bytes(d->disk) - offset;

	if (len > there) {
		memset(r->buf + there, 0, len - there);
		len = there;
	}
	disk_read(d->disk, offset, r->buf, len, request_done, r);
}

static void
submit_store(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	struct ata_request *r = take_request(d, s->careful ? 1 : (s->filled - s->pos) / ATA_SECTOR);

	memcpy(r->buf, s->buffer + s->pos, r->sectors * ATA_SECTOR);
	disk_write(d->disk, s->lba * ATA_SECTOR, r->buf, r->sectors * ATA_SECTOR, request_done, r);
}

/* When the list of regions is too short the drive waits for more, until it is reset. */
static void
submit_dma_out(struct ata_drive *d)
{
	struct ata_channel *ch = d->channel;
	struct ata_request *r = take_request(d, next_sectors(d));

	r->sectors = ch->dma->from_memory(ch->dma_opaque, r->buf, r->sectors * ATA_SECTOR) / ATA_SECTOR;
	if (r->sectors == 0) {
		r->busy = false;
		ch->dma->commit(ch->dma_opaque);
		return;
	}
	disk_write(d->disk, d->s->lba * ATA_SECTOR, r->buf, r->sectors * ATA_SECTOR, request_done, r);
}

/* ---- trimming ---- */

/* Ranges of 8 bytes: 48 of the first sector, 16 of how many; the rest of the buffer may be filled with zeros. */
static bool
get_range(const struct ata_drive *d, uint32_t pos, uint64_t *lba, uint64_t *count)
{
	const uint8_t *p = d->s->buffer + pos;

	*lba = load_le(p, 6);
	*count = load_le(p + 6, 2);
	return *lba <= d->sectors && *count <= d->sectors - *lba;
}

/* All of them are looked at before anything is lost. */
static bool
are_inside(const struct ata_drive *d)
{
	uint64_t lba, count;

	for (uint32_t pos = 0; pos < d->s->filled; pos += ATA_RANGE) {
		if (!get_range(d, pos, &lba, &count) && count != 0)
			return false;
	}
	return true;
}

/* Ranges that follow each other are one request: drivers have to cut what is longer than 65535 sectors. */
static void
submit_trim(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	struct ata_request *r;
	uint64_t lba = 0, count = 0, next, more;

	s->end = s->pos;
	while (s->end < s->filled) {
		get_range(d, s->end, &next, &more);
		if (count != 0 && more != 0 && next != lba + count)
			break;
		if (count == 0)
			lba = next;
		count += more;
		s->end += ATA_RANGE;
	}
	if (count == 0) {
		ata_complete(d);
		return;
	}
	r = take_request(d, 0);
	disk_discard(d->disk, lba * ATA_SECTOR, count * ATA_SECTOR, request_done, r);
}

static void
submit_ranges_out(struct ata_drive *d)
{
	struct ata_channel *ch = d->channel;
	struct ata_state *s = d->s;

	if (!ch->dma->ready(ch->dma_opaque, false))
		return;
	s->pos += ch->dma->from_memory(ch->dma_opaque, s->buffer + s->pos, s->filled - s->pos);
	ch->dma->commit(ch->dma_opaque);
	if (s->pos < s->filled)
		return;
	s->pos = s->end = 0;
	if (are_inside(d))
		ata_start(d, ATA_TRIMMING);
	else
		ata_fail(d, ATA_IDNF | ATA_ABRT);
}

static void
submit_flush(struct ata_drive *d)
{
	disk_flush(d->disk, request_done, take_request(d, 0));
}

/* The list may have ended with the last byte: then the master is not ready, and need not be. */
static void
continue_dma_in(struct ata_drive *d)
{
	struct ata_channel *ch = d->channel;
	struct ata_state *s = d->s;
	bool ready = ch->dma->ready(ch->dma_opaque, true);

	if (ready && s->pos < s->filled)
		s->pos += ch->dma->to_memory(ch->dma_opaque, s->buffer + s->pos, s->filled - s->pos);
	if (s->pos < s->filled)
		return;
	if (s->left == 0 && d->kind == ATA_CD)
		atapi_complete(d);
	else if (s->left == 0)
		ata_complete(d);
	else if (ready)
		submit_read(d);
}

/* Waits for the bus master, or is at work with it. */
static bool
is_dma(unsigned phase)
{
	return phase == ATA_DMA_IN || phase == ATA_DMA_OUT || phase == ATA_RANGES_OUT;
}

void
ata_resume(struct ata_drive *d)
{
	struct ata_channel *ch = d->channel;

	if (d->request->busy)
		return;
	switch (d->s->phase) {
	case ATA_FETCH:
	case ATA_VERIFYING:
		submit_read(d);
		break;
	case ATA_STORE:
		submit_store(d);
		break;
	case ATA_DMA_IN:
		continue_dma_in(d);
		break;
	case ATA_DMA_OUT:
		if (ch->dma->ready(ch->dma_opaque, false))
			submit_dma_out(d);
		break;
	case ATA_FLUSHING:
		submit_flush(d);
		break;
	case ATA_RANGES_OUT:
		submit_ranges_out(d);
		break;
	case ATA_TRIMMING:
		submit_trim(d);
		break;
	}
}

void
ata_start(struct ata_drive *d, enum ata_phase phase)
{
	bool dma = is_dma(phase);

	d->s->phase = phase;
	d->s->status = ATA_DRDY | ATA_DSC | (dma ? ATA_DRQ : ATA_BSY);
	ata_resume(d);
}

/* ---- their completion ---- */

static void
advance(struct ata_drive *d, uint32_t sectors)
{
	d->s->lba += sectors;
	d->s->left -= sectors;
}

/* With write-back caching a write is complete when the host's cache has it. */
static void
finish_write(struct ata_drive *d)
{
	if (d->s->stable || d->s->no_write_cache)
		ata_start(d, ATA_FLUSHING);
	else
		ata_complete(d);
}

static void
fetched(struct ata_drive *d, struct ata_request *r)
{
	struct ata_state *s = d->s;

	s->pos = 0;
	s->filled = r->sectors * s->sector_bytes;
	memcpy(s->buffer, r->buf, s->filled);
	advance(d, r->sectors);
	present_block(d);
}

static void
stored(struct ata_drive *d, struct ata_request *r)
{
	struct ata_state *s = d->s;

	s->pos += r->sectors * ATA_SECTOR;
	advance(d, r->sectors);
	if (s->pos < s->filled) {
		ata_resume(d);
	} else if (s->left > 0) {
		ata_start_pio_out(d, ATA_SECTORS, MIN(s->left * ATA_SECTOR, ATA_BUFFER));
		ata_raise(d);
	} else {
		finish_write(d);
	}
}

static void
dma_in_read(struct ata_drive *d, struct ata_request *r)
{
	struct ata_channel *ch = d->channel;
	size_t len = (size_t)r->sectors * d->s->sector_bytes;
	size_t moved = ch->dma->to_memory(ch->dma_opaque, r->buf, len);

	advance(d, moved / d->s->sector_bytes);
	if (moved == len)
		continue_dma_in(d);
}

static void
dma_out_written(struct ata_drive *d, struct ata_request *r)
{
	d->channel->dma->commit(d->channel->dma_opaque);
	advance(d, r->sectors);
	if (d->s->left > 0)
		ata_resume(d);
	else
		finish_write(d);
}

static void
request_succeeded(struct ata_drive *d, struct ata_request *r)
{
	if (d->s->sector_bytes == CD_RAW_SECTOR)
		mmc_expand(r->buf, d->s->lba, r->sectors);
	switch (d->s->phase) {
	case ATA_FETCH:
		fetched(d, r);
		break;
	case ATA_STORE:
		stored(d, r);
		break;
	case ATA_DMA_IN:
		dma_in_read(d, r);
		break;
	case ATA_DMA_OUT:
		dma_out_written(d, r);
		break;
	case ATA_VERIFYING:
		advance(d, r->sectors);
		if (d->s->left > 0)
			ata_resume(d);
		else
			ata_complete(d);
		break;
	case ATA_FLUSHING:
		ata_complete(d);
		break;
	case ATA_TRIMMING:
		d->s->pos = d->s->end;
		ata_resume(d);
		break;
	}
}

static void
request_done(void *opaque, int error)
{
	struct ata_request *r = opaque;
	struct ata_drive *d = r->drive;

	r->busy = false;
	if (d == NULL) {
		free(r->buf);
		free(r);
	} else if (r->generation != d->generation) {
		ata_resume(d);
	} else if (error == 0) {
		request_succeeded(d, r);
	} else if (d->s->phase == ATA_FLUSHING || d->s->phase == ATA_TRIMMING) {
		ata_fail(d, ATA_ABRT);
	} else if (r->sectors > 1 && error != ECANCELED) {
		d->s->careful = 1;
		ata_resume(d);
	} else {
		fail_sector(d);
	}
}

/* ---- the bus master's side ---- */

void
ata_dma_started(struct ata_channel *ch)
{
	struct ata_drive *d = selected(ch);

	if (ata_is_present(d) && is_dma(d->s->phase))
		ata_resume(d);
}

void
ata_dma_stopped(struct ata_channel *ch)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		if (ata_is_present(d) && is_dma(d->s->phase))
			d->generation++;
	}
}

/* ---- the task file ---- */

static uint64_t
data_read(struct ata_drive *d, unsigned size)
{
	struct ata_state *s = d->s;
	uint64_t v;
	unsigned n;

	if (!ata_is_present(d) || s->phase != ATA_PIO_IN)
		return UINT64_MAX;
	n = MIN(size, s->end - s->pos);
	v = load_le(s->buffer + s->pos, n);
	s->pos += n;
	if (s->pos == s->end)
		block_was_read(d);
	return v;
}

static void
data_write(struct ata_drive *d, uint32_t value, unsigned size)
{
	struct ata_state *s = d->s;
	unsigned n;

	if (!ata_is_present(d) || s->phase != ATA_PIO_OUT)
		return;
	n = MIN(size, s->end - s->pos);
	store_le(s->buffer + s->pos, value, n);
	s->pos += n;
	if (s->pos == s->end)
		block_was_written(d);
}

static uint8_t
status_of(struct ata_channel *ch)
{
	struct ata_drive *d = selected(ch);

	if (!ata_is_present(d))
		return 0;
	return ch->s->in_reset ? ATA_BSY : d->s->status;
}

static uint8_t
reg_read(struct ata_channel *ch, unsigned reg)
{
	struct ata_drive *d = selected(ch);
	uint8_t status = status_of(ch);

	if (is_empty(ch))
		return 0;
	if (reg == ATA_COMMAND) {
		if (ata_is_present(d))
			d->s->intrq = 0;
		ata_update_irq(ch);
		return status;
	}
	if (!ata_is_present(d))
		d = &ch->drives[0];
	if (!ata_is_present(d))
		return 0;
	if (reg == ATA_FEATURE)
		return d->s->error;
	if (reg == ATA_DEVICE)
		return (d->s->regs[reg] & ~ATA_DEVICE_1) | 0xa0 | (ch->s->selected ? ATA_DEVICE_1 : 0);
	return ch->s->control & ATA_HOB ? d->s->previous[reg] : d->s->regs[reg];
}

uint64_t
ata_read(struct ata_channel *ch, unsigned offset, unsigned size)
{
	uint64_t v = 0;

	if (offset == ATA_DATA)
		return data_read(selected(ch), size);
	for (unsigned i = 0; i < size && offset + i <= ATA_COMMAND; i++)
		v |= (uint64_t)reg_read(ch, offset + i) << 8 * i;
	return v;
}

uint8_t
ata_alt_status(struct ata_channel *ch)
{
	return status_of(ch);
}

/* Both devices take what is written to the task file, unless they are busy. */
static void
reg_write(struct ata_channel *ch, unsigned reg, uint8_t value)
{
	ch->s->control &= ~ATA_HOB;
	if (ch->s->in_reset)
		return;
	if (reg == ATA_COMMAND) {
		ata_command(selected(ch), value);
		return;
	}
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		if (!ata_is_present(d) || (d->s->status & ATA_BSY))
			continue;
		d->s->previous[reg] = d->s->regs[reg];
		d->s->regs[reg] = value;
	}
	if (reg == ATA_DEVICE) {
		ch->s->selected = (value & ATA_DEVICE_1) != 0;
		ata_update_irq(ch);
	}
}

void
ata_write(struct ata_channel *ch, unsigned offset, uint32_t value, unsigned size)
{
	if (offset == ATA_DATA) {
		data_write(selected(ch), value, size);
		return;
	}
	for (unsigned i = 0; i < size && offset + i <= ATA_COMMAND; i++)
		reg_write(ch, offset + i, value >> 8 * i);
}

void
ata_control(struct ata_channel *ch, uint8_t value)
{
	bool was = ch->s->in_reset, is = value & ATA_SRST;

	ch->s->control = value;
	ch->s->in_reset = is;
	for (unsigned i = 0; i < 2 && was != is; i++) {
		struct ata_drive *d = &ch->drives[i];

		if (!ata_is_present(d))
			continue;
		ata_cancel(d);
		d->s->intrq = 0;
		if (was)
			ata_default_settings(d, false);
	}
	if (was && !is)
		ata_diagnose(ch);
	ata_update_irq(ch);
}

/* ---- resets ---- */

void
ata_signature(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	s->regs[ATA_COUNT] = 1;
	s->regs[ATA_LOW] = 1;
	s->regs[ATA_MID] = d->kind == ATA_CD ? 0x14 : 0;
	s->regs[ATA_HIGH] = d->kind == ATA_CD ? 0xeb : 0;
	s->regs[ATA_DEVICE] = 0;
	memset(s->previous, 0, sizeof(s->previous));
}

/* What EXECUTE DEVICE DIAGNOSTIC and resets leave: both passed, device 0 is selected. */
void
ata_diagnose(struct ata_channel *ch)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		if (!ata_is_present(d))
			continue;
		ata_cancel(d);
		ata_signature(d);
		d->s->error = 1;
		d->s->status = d->kind == ATA_CD ? 0 : ATA_DRDY | ATA_DSC;
		d->s->power = ATA_ACTIVE;
		d->s->used_ns = clock_now(ch->clock);
	}
	ch->s->selected = 0;
}

/* SOFTWARE RESET keeps transfer modes, and the rest too when SET FEATURES 66h asked for that. */
void
ata_default_settings(struct ata_drive *d, bool power_on)
{
	struct ata_state *s = d->s;

	if (s->keep_settings && !power_on)
		return;
	s->cylinders = d->cylinders;
	s->heads = d->heads;
	s->sectors = d->spt;
	s->multiple = 0;
	s->no_write_cache = 0;
	s->no_look_ahead = 0;
}

void
ata_channel_reset(struct ata_channel *ch)
{
	memset(ch->s, 0, sizeof(*ch->s));
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		memset(d->s, 0, sizeof(*d->s));
		if (!ata_is_present(d))
			continue;
		ata_cancel(d);
		d->s->sector_bytes = ATA_SECTOR;
		d->s->block = ATA_SECTOR;
		ata_default_settings(d, true);
	}
	ata_diagnose(ch);
	ata_update_irq(ch);
}

/* ---- loading ---- */

static bool
is_trim_possible(const struct ata_drive *d)
{
	const struct ata_state *s = d->s;

	if (d->kind != ATA_DISK || s->filled % ATA_SECTOR != 0 || s->filled > ATA_TRIM_BLOCKS * ATA_SECTOR || s->pos > s->filled)
		return false;
	return s->phase == ATA_RANGES_OUT || (s->pos % ATA_RANGE == 0 && are_inside(d));
}

/* The buffer and the guest's place in it. */
static bool
is_buffer_possible(const struct ata_drive *d)
{
	const struct ata_state *s = d->s;
	bool pio = s->phase == ATA_PIO_IN || s->phase == ATA_PIO_OUT;

	if (s->phase == ATA_RANGES_OUT || s->phase == ATA_TRIMMING)
		return is_trim_possible(d);
	if (s->pos > s->end || s->end > s->filled || s->block == 0)
		return s->phase == ATA_DMA_IN && s->pos <= s->filled && s->block != 0;
	if (pio && s->pos == s->end)
		return false;
	if (s->phase == ATA_PIO_OUT && s->content == ATA_SECTORS)
		return s->filled % ATA_SECTOR == 0 && s->filled / ATA_SECTOR <= s->left;
	if (s->phase == ATA_STORE)
		return s->pos < s->filled && (s->filled - s->pos) % ATA_SECTOR == 0 && (s->filled - s->pos) / ATA_SECTOR <= s->left;
	return true;
}

static bool
is_possible(const struct ata_drive *d)
{
	const struct ata_state *s = d->s;
	bool needs_sectors = s->phase == ATA_FETCH || s->phase == ATA_VERIFYING || s->phase == ATA_DMA_OUT;
	bool out = s->phase == ATA_PIO_OUT;

	if (!ata_is_present(d))
		return s->phase == ATA_IDLE;
	if (s->heads == 0 || s->sectors == 0 || !is_buffer_possible(d) || (needs_sectors && s->left == 0))
		return false;
	if (s->left > 0 && (s->lba > d->sectors || s->left > d->sectors - s->lba))
		return false;
	if (d->kind == ATA_DISK)
		return s->sector_bytes == ATA_SECTOR && !(out && s->content == ATA_PACKET);
	if (s->phase == ATA_STORE || s->phase == ATA_DMA_OUT || s->phase == ATA_VERIFYING || (out && s->content == ATA_SECTORS))
		return false;
	return s->sector_bytes == ATA_SECTOR || s->sector_bytes == CD_SECTOR || s->sector_bytes == CD_RAW_SECTOR;
}

bool
ata_channel_loaded(struct ata_channel *ch, struct err *e)
{
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		memset(d->s->spare, 0, sizeof(d->s->spare));
		if (!is_possible(d))
			return err_set(e, "drive %u: its state does not fit the drive", i);
	}
	memset(ch->s->spare, 0, sizeof(ch->s->spare));
	for (unsigned i = 0; i < 2; i++) {
		struct ata_drive *d = &ch->drives[i];

		if (!ata_is_present(d))
			continue;
		d->generation++;
		if (d->disk != NULL)
			ata_resume(d);
		else if (d->s->phase > ATA_PIO_OUT)
			ata_cancel(d);
	}
	ch->line = wants_irq(ch);
	irq_set(&ch->irq, ch->line);
	return true;
}

/* ---- making and ending ---- */

void
ata_drive_init(struct ata_drive *d, struct ata_channel *ch, struct ata_state *s, enum ata_kind kind, struct disk *disk,
	const char *serial)
{
	d->channel = ch;
	d->s = s;
	d->kind = kind;
	d->disk = disk;
	if (kind == ATA_NONE)
		return;
	d->request = xcalloc(1, sizeof(*d->request));
	d->request->drive = d;
	if (disk != NULL)
		d->sectors = kind == ATA_CD ? (disk_bytes(disk) + CD_SECTOR - 1) / CD_SECTOR : disk_bytes(disk) / ATA_SECTOR;
	for (unsigned i = 0; i < sizeof(d->serial) - 1 && serial[i] != '\0'; i++)
		d->serial[i] = serial[i] >= ' ' && serial[i] <= '~' ? serial[i] : '?';
	ata_set_geometry(d);
}

/* A request that is under way frees itself when it comes home. */
void
ata_drive_destroy(struct ata_drive *d)
{
	struct ata_request *r = d->request;

	d->request = NULL;
	if (r == NULL)
		return;
	r->drive = NULL;
	if (!r->busy) {
		free(r->buf);
		free(r);
	}
}
