/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The 82077AA's transfers go sector by sector: from the disk into the buffer, from there by DMA or through the data port, or
 * the other way round.  One request is under way at a time; after a reset its end is ignored, and the next one waits for it.
 */
#include "hw/i82077.h"

#include "base/loop.h"
#include "base/util.h"

static const struct media media_types[] = {
	{ 163840, 40, 1, 8, RATE_250 | RATE_300, 1 },
	{ 184320, 40, 1, 9, RATE_250 | RATE_300, 1 },
	{ 327680, 40, 2, 8, RATE_250 | RATE_300, 1 },
	{ 368640, 40, 2, 9, RATE_250 | RATE_300, 1 },
	{ 737280, 80, 2, 9, RATE_250 | RATE_300, 3 },
	{ 1228800, 80, 2, 15, RATE_500, 2 },
	{ 1474560, 80, 2, 18, RATE_500, 4 },
	{ 1720320, 80, 2, 21, RATE_500, 4 },
	{ 1763328, 82, 2, 21, RATE_500, 4 },
	{ 2949120, 80, 2, 36, RATE_1000, 5 },
};

static void sector_begin(struct i82077 *f);

/* The seven bytes that end a transfer. */
void
i82077_finish(struct i82077 *f, uint8_t st0, uint8_t st1, uint8_t st2)
{
	uint8_t *r = f->state.result;

	r[0] = st0 | f->state.side << 2 | f->state.drive;
	r[1] = st1;
	r[2] = st2;
	r[3] = f->state.cylinder;
	r[4] = f->state.head;
	r[5] = f->state.sector;
	r[6] = f->state.size_code;
	f->state.port_ready = f->state.io_wanted = false;
	i82077_enter_result(f, 7);
	i82077_set_interrupt(f, true);
}

/* ---- media ---- */

const struct media *
i82077_media_of(const struct disk *disk)
{
	unsigned i = 0;

	if (disk == NULL)
		return NULL;
	while (i < ARRAY_SIZE(media_types) - 1 && media_types[i].bytes < disk_bytes(disk))
		i++;
	return &media_types[i];
}

const struct media *
i82077_media_in(const struct i82077 *f, unsigned drive)
{
	return drive < DRIVES ? f->media[drive] : NULL;
}

bool
i82077_is_protected(const struct i82077 *f, unsigned drive)
{
	return drive < DRIVES && f->disks[drive] != NULL && disk_is_readonly(f->disks[drive]);
}

/* ST1's reason why the sector in turn can't be found; 0: it is there. */
uint8_t
i82077_sector_missing(const struct i82077 *f)
{
	const struct media *m = i82077_media_in(f, f->state.drive);

	if (m == NULL || (m->rates >> f->state.rate & 1) == 0 || f->state.side >= m->heads)
		return ST1_NO_MARK;
	if (f->state.cylinder >= m->cylinders || f->state.sector == 0 || f->state.sector > m->sectors ||
		f->state.size_code != SECTOR_CODE || f->state.head != f->state.side)
		return ST1_NO_DATA;
	return 0;
}

static uint64_t
sector_offset(const struct i82077 *f)
{
	const struct media *m = f->media[f->state.drive];
	uint64_t track = f->state.cylinder * m->heads + f->state.side;

	return (track * m->sectors + f->state.sector - 1) * DISK_SECTOR;
}

/* Formatting may make sectors that an image can't hold: of another track, or too many. */
static bool
has_place(const struct i82077 *f)
{
	return i82077_sector_missing(f) == 0 && f->state.cylinder == f->state.tracks[f->state.drive];
}

/* ---- requests ---- */

static void
sector_was_read(struct i82077 *f)
{
	bool tc = false;

	memcpy(f->state.data, f->io_buffer, DISK_SECTOR);
	if (f->state.kind == KIND_READ && f->state.by_port) {
		f->state.data_at = 0;
		f->state.data_len = DISK_SECTOR;
		f->state.port_ready = true;
		i82077_set_interrupt(f, true);
		return;
	}
	if (f->state.kind == KIND_READ) {
		if (i8237_transfer(f->dma, DMA_CHANNEL, f->state.data, DISK_SECTOR, true, &tc) < DISK_SECTOR && !tc) {
			i82077_finish(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
			return;
		}
		f->state.last_done = tc;
	}
	i82077_sector_done(f);
}

static void
io_done(void *opaque, int error)
{
	struct i82077 *f = opaque;
	bool stale = f->io_generation != f->generation;
	bool reads = f->state.kind == KIND_READ || f->state.kind == KIND_VERIFY;

	f->io_active = false;
	if (!f->state.io_wanted)
		return;
	if (stale) {
		i82077_request(f);
		return;
	}
	f->state.io_wanted = false;
	if (error != 0)
		i82077_finish(f, ST0_ABNORMAL, reads ? ST1_DATA_ERROR : ST1_PROTECTED, 0);
	else if (reads)
		sector_was_read(f);
	else
		i82077_sector_done(f);
}

static void
io_posted(void *opaque)
{
	io_done(opaque, 0);
}

/* Reads or writes the sector in turn; what is past the image's end has no request. */
void
i82077_request(struct i82077 *f)
{
	struct disk *disk = f->state.drive < DRIVES ? f->disks[f->state.drive] : NULL;
	uint64_t size, offset;
	size_t len;

	f->state.io_wanted = true;
	if (f->io_active)
		return;
	if (disk == NULL || f->media[f->state.drive] == NULL) {
		i82077_finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
		return;
	}
	f->io_active = true;
	f->io_generation = f->generation;
	size = disk_bytes(disk);
	offset = has_place(f) ? sector_offset(f) : UINT64_MAX;
	len = offset < size ? MIN(size - offset, DISK_SECTOR) : 0;
	if (f->state.kind == KIND_READ || f->state.kind == KIND_VERIFY) {
		memset(f->io_buffer, 0, sizeof(f->io_buffer));
		if (len != 0)
			disk_read(disk, offset, f->io_buffer, len, io_done, f);
	} else {
		memcpy(f->io_buffer, f->state.data, sizeof(f->io_buffer));
		if (len != 0)
			disk_write(disk, offset, f->io_buffer, len, io_done, f);
	}
	if (len == 0)
		loop_post(f->loop, io_posted, f);
}

/* ---- transfers ---- */

/* A sector's data, or its ID when formatting, has come: write it. */
void
i82077_data_received(struct i82077 *f)
{
	if (f->state.kind == KIND_FORMAT) {
		f->state.cylinder = f->state.data[0];
		f->state.head = f->state.data[1];
		f->state.sector = f->state.data[2];
		f->state.size_code = f->state.data[3];
		memset(f->state.data, f->state.filler, sizeof(f->state.data));
	}
	i82077_request(f);
}

static void
sector_begin(struct i82077 *f)
{
	unsigned want = f->state.kind == KIND_FORMAT ? 4 : DISK_SECTOR, got;
	bool tc = false;

	if (f->state.kind == KIND_READ || f->state.kind == KIND_VERIFY) {
		i82077_request(f);
		return;
	}
	memset(f->state.data, 0, sizeof(f->state.data));
	if (f->state.by_port) {
		f->state.data_at = 0;
		f->state.data_len = want;
		f->state.port_ready = true;
		i82077_set_interrupt(f, true);
		return;
	}
	got = i8237_transfer(f->dma, DMA_CHANNEL, f->state.data, want, false, &tc);
	if (got == 0 || (got < want && !tc)) {
		i82077_finish(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		return;
	}
	f->state.last_done = tc;
	i82077_data_received(f);
}

/* The ID after the one just done, as the result phase reports it.  False: it is past the last one of the command. */
static bool
advance(struct i82077 *f)
{
	if (f->state.sector != f->state.last_sector) {
		f->state.sector++;
		return true;
	}
	f->state.sector = 1;
	if (f->state.both_sides && f->state.side == 0) {
		f->state.side = f->state.head = 1;
		return true;
	}
	if (f->state.both_sides)
		f->state.head = 0;
	f->state.cylinder++;
	return false;
}

static void
format_done(struct i82077 *f)
{
	if (--f->state.left == 0)
		i82077_finish(f, 0, 0, 0);
	else
		sector_begin(f);
}

void
i82077_sector_done(struct i82077 *f)
{
	uint8_t st2 = f->state.deleted ? ST2_DELETED : 0, missing;
	bool more;

	if (f->state.kind == KIND_FORMAT) {
		format_done(f);
		return;
	}
	more = advance(f);
	if (f->state.last_done || f->state.deleted || (!more && f->state.kind == KIND_VERIFY)) {
		i82077_finish(f, 0, 0, st2);
		return;
	}
	if (!more) {
		i82077_finish(f, ST0_ABNORMAL, ST1_END, 0);
		return;
	}
	missing = i82077_sector_missing(f);
	if (missing != 0)
		i82077_finish(f, ST0_ABNORMAL, missing, 0);
	else
		sector_begin(f);
}

static bool
uses_port(const struct i82077 *f)
{
	return (f->state.specify[1] & 1) != 0 || (f->state.dor & DOR_DMA) == 0;
}

void
i82077_transfer(struct i82077 *f, enum kind kind)
{
	const uint8_t *c = f->state.command;
	uint8_t missing;

	f->state.phase = PHASE_EXECUTION;
	f->state.kind = kind;
	f->state.drive = c[1] & 3;
	f->state.side = c[1] >> 2 & 1;
	f->state.by_port = uses_port(f);
	f->state.both_sides = (c[0] & 0x80) != 0;
	f->state.last_done = f->state.port_ready = f->state.deleted = false;
	f->state.cylinder = c[2];
	f->state.head = c[3];
	f->state.sector = c[4];
	f->state.size_code = c[5];
	f->state.last_sector = c[6];
	missing = i82077_sector_missing(f);
	if (missing != 0) {
		i82077_finish(f, ST0_ABNORMAL, missing, 0);
		return;
	}
	if (kind == KIND_WRITE && i82077_is_protected(f, f->state.drive)) {
		i82077_finish(f, ST0_ABNORMAL, ST1_PROTECTED, 0);
		return;
	}
	f->state.tracks[f->state.drive] = f->state.cylinder;
	sector_begin(f);
}

/* Sectors that the image has no place for are passed over. */
void
i82077_format(struct i82077 *f)
{
	const uint8_t *c = f->state.command;

	f->state.phase = PHASE_EXECUTION;
	f->state.kind = KIND_FORMAT;
	f->state.drive = c[1] & 3;
	f->state.side = c[1] >> 2 & 1;
	f->state.by_port = uses_port(f);
	f->state.size_code = c[2];
	f->state.left = c[3];
	f->state.filler = c[5];
	f->state.cylinder = f->state.tracks[f->state.drive];
	f->state.head = f->state.side;
	f->state.sector = 1;
	f->state.last_done = f->state.port_ready = f->state.deleted = false;
	if (i82077_media_in(f, f->state.drive) == NULL)
		i82077_finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	else if (i82077_is_protected(f, f->state.drive))
		i82077_finish(f, ST0_ABNORMAL, ST1_PROTECTED, 0);
	else if (f->state.left == 0)
		i82077_finish(f, 0, 0, 0);
	else
		sector_begin(f);
}
