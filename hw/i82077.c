/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Intel 82077AA floppy disk controller with up to two drives (data sheet 290166), in PC/AT wiring: ports
 * 3F0h-3F5h and 3F7h, DMA channel 2, IRQ 6.
 *
 * Media have the geometry that goes with their size; a sector holds 512 bytes.  A shorter image reads as zeros past its
 * end.  Data rates are checked, so that systems find a medium's density as they do on the real drive.  A transfer
 * seeks by itself.  Left out: FM, deleted data marks, scans, and the commands of the 82078.
 *
 * A transfer goes sector by sector: from the disk into the buffer, from there by DMA or through the data port, or the
 * other way round.  One request is under way at a time; after a reset its end is ignored, and the next one waits for it.
 */
#include "hw/hw.h"

#include "base/clock.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/disk.h"

#include <stdio.h>

enum {
	PORT_SRA = 0,
	PORT_SRB = 1,
	PORT_DOR = 2,
	PORT_TDR = 3,
	PORT_MSR_DSR = 4,
	PORT_DATA = 5,

	DOR_RUN = 0x04,       /* low holds the controller in reset */
	DOR_DMA = 0x08,       /* gates DMA and the interrupt */
	DSR_RESET = 0x80,

	MSR_BUSY = 0x10,
	MSR_NO_DMA = 0x20,
	MSR_TO_CPU = 0x40,
	MSR_READY = 0x80,

	DIR_CHANGED = 0x80,

	ST0_ABNORMAL = 0x40,
	ST0_INVALID = 0x80,
	ST0_POLLED = 0xc0,
	ST0_SEEK_END = 0x20,
	ST0_CHECK = 0x10,
	ST1_END = 0x80,
	ST1_DATA_ERROR = 0x20,
	ST1_OVERRUN = 0x10,
	ST1_NO_DATA = 0x04,
	ST1_PROTECTED = 0x02,
	ST1_NO_MARK = 0x01,
	ST2_DELETED = 0x40,
	ST3_PROTECTED = 0x40,
	ST3_READY = 0x20,
	ST3_TRACK_0 = 0x10,
	ST3_TWO_SIDES = 0x08,

	CONFIG_NO_FIFO = 0x20,
	CONFIG_NO_POLL = 0x10,
};

enum { DRIVES = 2, SELECTS = 4, SECTOR_CODE = 2 };
enum { RATE_500 = 1 << 0, RATE_300 = 1 << 1, RATE_250 = 1 << 2, RATE_1000 = 1 << 3 };
enum { STEP_NS = 200000, DMA_CHANNEL = 2 };
enum phase { PHASE_COMMAND, PHASE_EXECUTION, PHASE_RESULT, PHASES };
enum kind { KIND_READ, KIND_WRITE, KIND_VERIFY, KIND_FORMAT, KIND_IDENTIFY, KINDS };

/* What an image of a size is, in order of size. */
struct media {
	uint32_t bytes;
	uint8_t cylinders, heads, sectors, rates;
	uint8_t cmos_type;
};

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

struct i82077 {
	struct dev dev;
	struct region ports, dir_port;
	struct irq out;
	struct dev *dma;
	struct clock *clock;
	struct loop *loop;
	struct disk *disks[DRIVES];
	const struct media *media[DRIVES];
	uint8_t types[DRIVES];         /* of the drives, as CMOS says them; 0: no drive */
	uint8_t io_buffer[DISK_SECTOR];
	bool io_active;
	uint32_t generation, io_generation;
	struct {
		struct timer step;           /* ends seeks and the wait for a sector's mark */
		uint8_t data[DISK_SECTOR];
		uint16_t data_at, data_len;
		uint8_t dor, dsr, tdr, rate;
		uint8_t specify[2], config, precompensation, perpendicular;
		bool locked;
		uint8_t phase;               /* enum phase */
		uint8_t command[9], command_len;
		uint8_t result[10], result_len, result_at;
		bool interrupt;
		uint8_t reset_senses;        /* drives still to be told of by SENSE INTERRUPT after a reset */
		uint8_t seeking, sought;     /* a bit per drive */
		uint8_t seek_status[SELECTS];
		uint8_t tracks[SELECTS], targets[SELECTS];
		uint8_t changed[DRIVES];
		uint8_t kind;                /* enum kind, of the transfer */
		bool both_sides, deleted, by_port, port_ready, last_done;
		bool io_wanted;              /* a request is under way, or waits for one that outlived a reset */
		uint8_t drive, side, cylinder, head, sector, size_code, last_sector, left, filler;
		uint8_t reserved[9];
	} state;
};

static void sector_begin(struct i82077 *f);
static void sector_done(struct i82077 *f);

/* ---- interrupt and results ---- */

static void
update(struct i82077 *f)
{
	bool gate = (f->state.dor & (DOR_DMA | DOR_RUN)) == (DOR_DMA | DOR_RUN);

	irq_set(&f->out, f->state.interrupt && gate);
}

static void
set_interrupt(struct i82077 *f, bool on)
{
	f->state.interrupt = on;
	update(f);
}

static void
enter_result(struct i82077 *f, unsigned len)
{
	f->state.phase = PHASE_RESULT;
	f->state.result_len = len;
	f->state.result_at = 0;
}

static void
result_byte(struct i82077 *f, uint8_t byte)
{
	f->state.result[0] = byte;
	enter_result(f, 1);
}

/* The seven bytes that end a transfer. */
static void
finish(struct i82077 *f, uint8_t st0, uint8_t st1, uint8_t st2)
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
	enter_result(f, 7);
	set_interrupt(f, true);
}

/* ---- media ---- */

static const struct media *
media_of(const struct disk *disk)
{
	unsigned i = 0;

	if (disk == NULL)
		return NULL;
	while (i < ARRAY_SIZE(media_types) - 1 && media_types[i].bytes < disk_bytes(disk))
		i++;
	return &media_types[i];
}

static const struct media *
media_in(const struct i82077 *f, unsigned drive)
{
	return drive < DRIVES ? f->media[drive] : NULL;
}

static bool
is_protected(const struct i82077 *f, unsigned drive)
{
	return drive < DRIVES && f->disks[drive] != NULL && disk_is_readonly(f->disks[drive]);
}

/* ST1's reason why the sector in turn can't be found; 0: it is there. */
static uint8_t
sector_missing(const struct i82077 *f)
{
	const struct media *m = media_in(f, f->state.drive);

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
	return sector_missing(f) == 0 && f->state.cylinder == f->state.tracks[f->state.drive];
}

/* ---- requests ---- */

static void io_start(struct i82077 *f);

static void
sector_was_read(struct i82077 *f)
{
	bool tc = false;

	memcpy(f->state.data, f->io_buffer, DISK_SECTOR);
	if (f->state.kind == KIND_READ && f->state.by_port) {
		f->state.data_at = 0;
		f->state.data_len = DISK_SECTOR;
		f->state.port_ready = true;
		set_interrupt(f, true);
		return;
	}
	if (f->state.kind == KIND_READ) {
		if (i8237_transfer(f->dma, DMA_CHANNEL, f->state.data, DISK_SECTOR, true, &tc) < DISK_SECTOR && !tc) {
			finish(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
			return;
		}
		f->state.last_done = tc;
	}
	sector_done(f);
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
		io_start(f);
		return;
	}
	f->state.io_wanted = false;
	if (error != 0)
		finish(f, ST0_ABNORMAL, reads ? ST1_DATA_ERROR : ST1_PROTECTED, 0);
	else if (reads)
		sector_was_read(f);
	else
		sector_done(f);
}

static void
io_posted(void *opaque)
{
	io_done(opaque, 0);
}

/* Reads or writes the sector in turn; what is past the image's end has no request. */
static void
io_start(struct i82077 *f)
{
	struct disk *disk = f->state.drive < DRIVES ? f->disks[f->state.drive] : NULL;
	uint64_t size, offset;
	size_t len;

	f->state.io_wanted = true;
	if (f->io_active)
		return;
	if (disk == NULL || f->media[f->state.drive] == NULL) {
		finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
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
static void
data_received(struct i82077 *f)
{
	if (f->state.kind == KIND_FORMAT) {
		f->state.cylinder = f->state.data[0];
		f->state.head = f->state.data[1];
		f->state.sector = f->state.data[2];
		f->state.size_code = f->state.data[3];
		memset(f->state.data, f->state.filler, sizeof(f->state.data));
	}
	io_start(f);
}

static void
sector_begin(struct i82077 *f)
{
	unsigned want = f->state.kind == KIND_FORMAT ? 4 : DISK_SECTOR, got;
	bool tc = false;

	if (f->state.kind == KIND_READ || f->state.kind == KIND_VERIFY) {
		io_start(f);
		return;
	}
	memset(f->state.data, 0, sizeof(f->state.data));
	if (f->state.by_port) {
		f->state.data_at = 0;
		f->state.data_len = want;
		f->state.port_ready = true;
		set_interrupt(f, true);
		return;
	}
	got = i8237_transfer(f->dma, DMA_CHANNEL, f->state.data, want, false, &tc);
	if (got == 0 || (got < want && !tc)) {
		finish(f, ST0_ABNORMAL, ST1_OVERRUN, 0);
		return;
	}
	f->state.last_done = tc;
	data_received(f);
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
		finish(f, 0, 0, 0);
	else
		sector_begin(f);
}

static void
sector_done(struct i82077 *f)
{
	uint8_t st2 = f->state.deleted ? ST2_DELETED : 0, missing;
	bool more;

	if (f->state.kind == KIND_FORMAT) {
		format_done(f);
		return;
	}
	more = advance(f);
	if (f->state.last_done || f->state.deleted || (!more && f->state.kind == KIND_VERIFY)) {
		finish(f, 0, 0, st2);
		return;
	}
	if (!more) {
		finish(f, ST0_ABNORMAL, ST1_END, 0);
		return;
	}
	missing = sector_missing(f);
	if (missing != 0)
		finish(f, ST0_ABNORMAL, missing, 0);
	else
		sector_begin(f);
}

static bool
uses_port(const struct i82077 *f)
{
	return (f->state.specify[1] & 1) != 0 || (f->state.dor & DOR_DMA) == 0;
}

static void
transfer_start(struct i82077 *f, enum kind kind)
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
	missing = sector_missing(f);
	if (missing != 0) {
		finish(f, ST0_ABNORMAL, missing, 0);
		return;
	}
	if (kind == KIND_WRITE && is_protected(f, f->state.drive)) {
		finish(f, ST0_ABNORMAL, ST1_PROTECTED, 0);
		return;
	}
	f->state.tracks[f->state.drive] = f->state.cylinder;
	sector_begin(f);
}

static void
cmd_read(struct i82077 *f)
{
	transfer_start(f, KIND_READ);
}

/* All data are normal, so that this stops after the first sector and says so. */
static void
cmd_read_deleted(struct i82077 *f)
{
	transfer_start(f, KIND_READ);
	f->state.deleted = true;
}

static void
cmd_read_track(struct i82077 *f)
{
	f->state.command[4] = 1;
	transfer_start(f, KIND_READ);
}

static void
cmd_write(struct i82077 *f)
{
	transfer_start(f, KIND_WRITE);
}

static void
cmd_verify(struct i82077 *f)
{
	transfer_start(f, KIND_VERIFY);
}

/* Sectors that the image has no place for are passed over. */
static void
cmd_format(struct i82077 *f)
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
	if (media_in(f, f->state.drive) == NULL)
		finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	else if (is_protected(f, f->state.drive))
		finish(f, ST0_ABNORMAL, ST1_PROTECTED, 0);
	else if (f->state.left == 0)
		finish(f, 0, 0, 0);
	else
		sector_begin(f);
}

/* ---- other commands ---- */

static void
command_over(struct i82077 *f)
{
	f->state.phase = PHASE_COMMAND;
	f->state.command_len = 0;
}

static void
cmd_specify(struct i82077 *f)
{
	memcpy(f->state.specify, f->state.command + 1, 2);
	command_over(f);
}

static void
cmd_sense_drive(struct i82077 *f)
{
	unsigned drive = f->state.command[1] & 3;

	result_byte(f, (f->state.command[1] & 7) | ST3_READY | ST3_TWO_SIDES |
		(f->state.tracks[drive] == 0 ? ST3_TRACK_0 : 0) | (is_protected(f, drive) ? ST3_PROTECTED : 0));
}

static void
seek_to(struct i82077 *f, unsigned drive, uint8_t target)
{
	f->state.targets[drive] = target;
	f->state.seek_status[drive] = ST0_SEEK_END | (f->state.command[1] & 7);
	f->state.seeking |= 1 << drive;
	timer_set(&f->state.step, clock_now(f->clock) + STEP_NS);
	command_over(f);
}

static void
cmd_recalibrate(struct i82077 *f)
{
	unsigned drive = f->state.command[1] & 3;

	seek_to(f, drive, 0);
	f->state.seek_status[drive] = ST0_SEEK_END | drive;
	if (drive >= DRIVES || f->types[drive] == 0)
		f->state.seek_status[drive] |= ST0_ABNORMAL | ST0_CHECK;
}

static void
cmd_seek(struct i82077 *f)
{
	seek_to(f, f->state.command[1] & 3, f->state.command[2]);
}

static void
cmd_relative_seek(struct i82077 *f)
{
	unsigned drive = f->state.command[1] & 3;
	uint8_t by = f->state.command[2], from = f->state.tracks[drive];

	if ((f->state.command[0] & 0x40) != 0)
		seek_to(f, drive, MIN(from + by, 255));
	else
		seek_to(f, drive, from > by ? from - by : 0);
}

/* Tells first of the drives that a reset polled, then of those that finished seeking. */
static void
cmd_sense_interrupt(struct i82077 *f)
{
	unsigned drive;

	set_interrupt(f, false);
	if (f->state.reset_senses != 0) {
		drive = SELECTS - f->state.reset_senses--;
		f->state.result[0] = ST0_POLLED | drive;
	} else if (f->state.sought != 0) {
		drive = __builtin_ctz(f->state.sought);
		f->state.sought &= ~(1 << drive);
		f->state.result[0] = f->state.seek_status[drive];
	} else {
		result_byte(f, ST0_INVALID);
		return;
	}
	f->state.result[1] = f->state.tracks[drive];
	enter_result(f, 2);
	if (f->state.sought != 0)
		set_interrupt(f, true);
}

static void
cmd_read_id(struct i82077 *f)
{
	f->state.phase = PHASE_EXECUTION;
	f->state.kind = KIND_IDENTIFY;
	f->state.drive = f->state.command[1] & 3;
	f->state.side = f->state.head = f->state.command[1] >> 2 & 1;
	f->state.cylinder = f->state.tracks[f->state.drive];
	f->state.size_code = SECTOR_CODE;
	f->state.by_port = f->state.port_ready = false;
	timer_set(&f->state.step, clock_now(f->clock) + STEP_NS);
}

/* The disk turns: each time another sector comes by. */
static void
read_id_done(struct i82077 *f)
{
	const struct media *m = media_in(f, f->state.drive);

	f->state.sector = m != NULL ? f->state.sector % m->sectors + 1 : 1;
	if (sector_missing(f) != 0)
		finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	else
		finish(f, 0, 0, 0);
}

static void
cmd_dump_registers(struct i82077 *f)
{
	uint8_t *r = f->state.result;

	memcpy(r, f->state.tracks, SELECTS);
	r[4] = f->state.specify[0];
	r[5] = f->state.specify[1];
	r[6] = f->state.last_sector;
	r[7] = (f->state.locked ? 0x80 : 0) | (f->state.perpendicular & 0x3f);
	r[8] = f->state.config;
	r[9] = f->state.precompensation;
	enter_result(f, 10);
}

static void
cmd_version(struct i82077 *f)
{
	result_byte(f, 0x90);
}

static void
cmd_perpendicular(struct i82077 *f)
{
	uint8_t v = f->state.command[1];

	/* Without OW the drives' bits stay. */
	f->state.perpendicular = (v & 0x80) != 0 ? v & 0x3f : (f->state.perpendicular & 0x3c) | (v & 3);
	command_over(f);
}

static void
cmd_configure(struct i82077 *f)
{
	f->state.config = f->state.command[2] & 0x7f;
	f->state.precompensation = f->state.command[3];
	command_over(f);
}

static void
cmd_lock(struct i82077 *f)
{
	f->state.locked = (f->state.command[0] & 0x80) != 0;
	result_byte(f, f->state.locked ? 0x10 : 0);
}

static void
cmd_invalid(struct i82077 *f)
{
	result_byte(f, ST0_INVALID);
}

/* The first byte & MASK is VALUE; OPERANDS bytes follow. */
struct command {
	uint8_t mask, value, operands;
	void (*run)(struct i82077 *f);
};

static const struct command commands[] = {
	{ 0x1f, 0x06, 8, cmd_read },
	{ 0x1f, 0x0c, 8, cmd_read_deleted },
	{ 0x9f, 0x02, 8, cmd_read_track },
	{ 0x3f, 0x05, 8, cmd_write },
	{ 0x3f, 0x09, 8, cmd_write },
	{ 0x1f, 0x16, 8, cmd_verify },
	{ 0xbf, 0x0d, 5, cmd_format },
	{ 0xff, 0x03, 2, cmd_specify },
	{ 0xff, 0x04, 1, cmd_sense_drive },
	{ 0xff, 0x07, 1, cmd_recalibrate },
	{ 0xff, 0x08, 0, cmd_sense_interrupt },
	{ 0xbf, 0x0a, 1, cmd_read_id },
	{ 0xff, 0x0e, 0, cmd_dump_registers },
	{ 0xff, 0x0f, 2, cmd_seek },
	{ 0xbf, 0x8f, 2, cmd_relative_seek },
	{ 0xff, 0x10, 0, cmd_version },
	{ 0xff, 0x12, 1, cmd_perpendicular },
	{ 0xff, 0x13, 3, cmd_configure },
	{ 0x7f, 0x14, 0, cmd_lock },
	{ 0x00, 0x00, 0, cmd_invalid },
};

static const struct command *
command_of(uint8_t first)
{
	const struct command *c = commands;

	while ((first & c->mask) != c->value)
		c++;
	return c;
}

/* ---- reset and time ---- */

static void
step_fire(void *opaque)
{
	struct i82077 *f = opaque;
	uint8_t ended = f->state.seeking;

	for (unsigned drive = 0; drive < SELECTS; drive++) {
		if ((ended >> drive & 1) == 0)
			continue;
		f->state.tracks[drive] = f->state.targets[drive];
		if (media_in(f, drive) != NULL)
			f->state.changed[drive] = 0;
	}
	f->state.seeking = 0;
	f->state.sought |= ended;
	if (ended != 0)
		set_interrupt(f, true);
	if (f->state.phase == PHASE_EXECUTION && f->state.kind == KIND_IDENTIFY)
		read_id_done(f);
}

/* What DOR, DSR and power-on have in common. */
static void
controller_reset(struct i82077 *f)
{
	f->generation++;
	timer_cancel(&f->state.step);
	command_over(f);
	f->state.result_len = f->state.result_at = 0;
	f->state.seeking = f->state.sought = f->state.reset_senses = 0;
	f->state.port_ready = f->state.io_wanted = false;
	memset(f->state.tracks, 0, sizeof(f->state.tracks));
	f->state.perpendicular &= 0x3c;
	if (!f->state.locked) {
		f->state.config = CONFIG_NO_FIFO;
		f->state.precompensation = 0;
	}
	set_interrupt(f, false);
}

/* Out of reset all four drives are polled, and each change of their ready lines is told. */
static void
controller_start(struct i82077 *f)
{
	f->state.reset_senses = (f->state.config & CONFIG_NO_POLL) == 0 ? SELECTS : 0;
	set_interrupt(f, true);
}

/* ---- ports ---- */

static uint8_t
main_status(const struct i82077 *f)
{
	uint8_t status = f->state.seeking;

	if ((f->state.dor & DOR_RUN) == 0)
		return 0;
	switch (f->state.phase) {
	case PHASE_COMMAND:
		return status | MSR_READY | (f->state.command_len != 0 ? MSR_BUSY : 0);
	case PHASE_RESULT:
		return status | MSR_READY | MSR_TO_CPU | MSR_BUSY;
	default:
		status |= MSR_BUSY | (f->state.by_port ? MSR_NO_DMA : 0);
		if (f->state.port_ready)
			status |= MSR_READY | (f->state.kind == KIND_READ ? MSR_TO_CPU : 0);
		return status;
	}
}

static void
data_passed(struct i82077 *f)
{
	set_interrupt(f, false);
	if (f->state.data_at < f->state.data_len)
		return;
	f->state.port_ready = false;
	if (f->state.kind == KIND_READ)
		sector_done(f);
	else
		data_received(f);
}

static uint8_t
data_read(struct i82077 *f)
{
	uint8_t byte = 0;

	if (f->state.phase == PHASE_RESULT) {
		byte = f->state.result[f->state.result_at++];
		if (f->state.command[0] != 0x08)
			set_interrupt(f, f->state.sought != 0);
		if (f->state.result_at >= f->state.result_len)
			command_over(f);
	} else if (f->state.phase == PHASE_EXECUTION && f->state.port_ready && f->state.kind == KIND_READ) {
		byte = f->state.data[f->state.data_at++];
		data_passed(f);
	}
	return byte;
}

static void
data_write(struct i82077 *f, uint8_t byte)
{
	const struct command *c;

	if ((f->state.dor & DOR_RUN) == 0)
		return;
	if (f->state.phase == PHASE_EXECUTION && f->state.port_ready && f->state.kind != KIND_READ) {
		f->state.data[f->state.data_at++] = byte;
		data_passed(f);
		return;
	}
	if (f->state.phase != PHASE_COMMAND)
		return;
	f->state.command[f->state.command_len++] = byte;
	c = command_of(f->state.command[0]);
	if (f->state.command_len > c->operands)
		c->run(f);
}

static void
dor_write(struct i82077 *f, uint8_t value)
{
	uint8_t old = f->state.dor;

	f->state.dor = value;
	if ((value & DOR_RUN) == 0)
		controller_reset(f);
	else if ((old & DOR_RUN) == 0)
		controller_start(f);
	update(f);
}

static void
dsr_write(struct i82077 *f, uint8_t value)
{
	f->state.dsr = value & ~DSR_RESET;
	f->state.rate = value & 3;
	if ((value & DSR_RESET) != 0 && (f->state.dor & DOR_RUN) != 0) {
		controller_reset(f);
		controller_start(f);
	}
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i82077 *f = opaque;

	(void)size;
	switch (offset) {
	case PORT_SRA:
		return f->state.interrupt ? 0x80 : 0;
	case PORT_SRB:
		return 0xc0 | (f->state.dor >> 4 & 3);
	case PORT_DOR:
		return f->state.dor;
	case PORT_TDR:
		return f->state.tdr;
	case PORT_MSR_DSR:
		return main_status(f);
	default:
		return data_read(f);
	}
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i82077 *f = opaque;

	(void)size;
	switch (offset) {
	case PORT_DOR:
		dor_write(f, value);
		break;
	case PORT_TDR:
		f->state.tdr = value & 3;
		break;
	case PORT_MSR_DSR:
		dsr_write(f, value);
		break;
	case PORT_DATA:
		data_write(f, value);
		break;
	}
}

static uint64_t
dir_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i82077 *f = opaque;
	unsigned drive = f->state.dor & 3;

	(void)offset, (void)size;
	return drive < DRIVES && f->types[drive] != 0 && f->state.changed[drive] != 0 ? DIR_CHANGED : 0;
}

static void
ccr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i82077 *f = opaque;

	(void)offset, (void)size;
	f->state.rate = value & 3;
}

static const struct region_ops ports_ops = { ports_read, ports_write, 1, 1 };
static const struct region_ops dir_ops = { dir_read, ccr_write, 1, 1 };

/* ---- class ---- */

static const struct field fields[] = {
	FIELD_TIMER_OF(struct i82077, state.step),
	FIELD_BUFFER(struct i82077, state.data),
	FIELD_MAX(struct i82077, state.data_at, DISK_SECTOR),
	FIELD_MAX(struct i82077, state.data_len, DISK_SECTOR),
	FIELD_OF(struct i82077, state.dor),
	FIELD_OF(struct i82077, state.dsr),
	FIELD_OF(struct i82077, state.tdr),
	FIELD_MAX(struct i82077, state.rate, 3),
	FIELD_BUFFER(struct i82077, state.specify),
	FIELD_OF(struct i82077, state.config),
	FIELD_OF(struct i82077, state.precompensation),
	FIELD_OF(struct i82077, state.perpendicular),
	FIELD_MAX(struct i82077, state.locked, 1),
	FIELD_MAX(struct i82077, state.phase, PHASES - 1),
	FIELD_BUFFER(struct i82077, state.command),
	FIELD_MAX(struct i82077, state.command_len, 9),
	FIELD_BUFFER(struct i82077, state.result),
	FIELD_MAX(struct i82077, state.result_len, 10),
	FIELD_MAX(struct i82077, state.result_at, 10),
	FIELD_MAX(struct i82077, state.interrupt, 1),
	FIELD_MAX(struct i82077, state.reset_senses, SELECTS),
	FIELD_MAX(struct i82077, state.seeking, 15),
	FIELD_MAX(struct i82077, state.sought, 15),
	FIELD_BUFFER(struct i82077, state.seek_status),
	FIELD_BUFFER(struct i82077, state.tracks),
	FIELD_BUFFER(struct i82077, state.targets),
	FIELD_BUFFER(struct i82077, state.changed),
	FIELD_MAX(struct i82077, state.kind, KINDS - 1),
	FIELD_MAX(struct i82077, state.both_sides, 1),
	FIELD_MAX(struct i82077, state.deleted, 1),
	FIELD_MAX(struct i82077, state.by_port, 1),
	FIELD_MAX(struct i82077, state.port_ready, 1),
	FIELD_MAX(struct i82077, state.last_done, 1),
	FIELD_MAX(struct i82077, state.io_wanted, 1),
	FIELD_MAX(struct i82077, state.drive, SELECTS - 1),
	FIELD_MAX(struct i82077, state.side, 1),
	FIELD_OF(struct i82077, state.cylinder),
	FIELD_OF(struct i82077, state.head),
	FIELD_OF(struct i82077, state.sector),
	FIELD_OF(struct i82077, state.size_code),
	FIELD_OF(struct i82077, state.last_sector),
	FIELD_OF(struct i82077, state.left),
	FIELD_OF(struct i82077, state.filler),
	FIELD_BUFFER(struct i82077, state.reserved),
	FIELD_END
};

static void
i82077_reset(struct dev *d)
{
	struct i82077 *f = (struct i82077 *)d;

	f->state.locked = false;
	f->state.dor = f->state.dsr = f->state.tdr = 0;
	f->state.rate = 2;
	f->state.perpendicular = 0;
	memset(f->state.specify, 0, sizeof(f->state.specify));
	for (unsigned i = 0; i < DRIVES; i++)
		f->state.changed[i] = 1;
	controller_reset(f);
}

/* A request that was under way when the state was saved is made again. */
static bool
i82077_loaded(struct dev *d, struct err *e)
{
	struct i82077 *f = (struct i82077 *)d;

	(void)e;
	f->generation++;
	if (f->state.command_len >= sizeof(f->state.command) && f->state.phase == PHASE_COMMAND)
		command_over(f);
	if (f->state.phase == PHASE_RESULT && f->state.result_at >= f->state.result_len)
		command_over(f);
	if (f->state.data_at >= f->state.data_len || f->state.kind == KIND_VERIFY || f->state.kind == KIND_IDENTIFY)
		f->state.port_ready = false;
	if (f->state.io_wanted && f->state.phase == PHASE_EXECUTION && f->state.kind != KIND_IDENTIFY)
		io_start(f);
	update(f);
	return true;
}

static void
i82077_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i82077 *f = (struct i82077 *)d;
	char line[256];

	for (unsigned i = 0; i < DRIVES; i++) {
		if (f->types[i] == 0)
			continue;
		snprintf(line, sizeof(line), "  floppy%u: %s, track %u\n", i,
			f->disks[i] != NULL ? disk_file(f->disks[i]) : "[not inserted]", f->state.tracks[i]);
		print(opaque, line);
	}
}

static void
i82077_destroy(struct dev *d)
{
	timer_cancel(&((struct i82077 *)d)->state.step);
}

static const struct dev_class i82077_class = {
	DEV_OF(i82077),
	.description = "floppy disk controller",
	.fields = fields,
	.reset = i82077_reset,
	.loaded = i82077_loaded,
	.info = i82077_info,
	.destroy = i82077_destroy,
};

/* The first drive is always there, the second one if it has a disk at the start; their kind is their first medium's. */
struct dev *
i82077_new(const struct dev_env *env, struct irq out, struct dev *dma, struct disk *drives[2])
{
	struct i82077 *f = (struct i82077 *)dev_new(env, &i82077_class, NULL);

	f->out = out;
	f->dma = dma;
	f->clock = env->clock;
	f->loop = env->loop;
	for (unsigned i = 0; i < DRIVES; i++) {
		f->disks[i] = drives[i];
		f->media[i] = media_of(drives[i]);
		if (f->media[i] != NULL)
			f->types[i] = f->media[i]->cmos_type;
	}
	if (f->types[0] == 0)
		f->types[0] = 4;
	timer_init(&f->state.step, env->clock, step_fire, f);
	region_init_io(&f->ports, "i82077", &ports_ops, f, 6);
	region_init_io(&f->dir_port, "i82077_dir", &dir_ops, f, 1);
	space_add(env->io, &f->ports, 0x3f0, 0);
	space_add(env->io, &f->dir_port, 0x3f7, 0);
	i82077_reset(&f->dev);
	return &f->dev;
}

uint8_t
i82077_cmos_types(struct dev *d)
{
	struct i82077 *f = (struct i82077 *)d;

	return f->types[0] << 4 | f->types[1];
}

void
i82077_change(struct dev *d, unsigned drive, struct disk *disk)
{
	struct i82077 *f = (struct i82077 *)d;

	if (drive >= DRIVES || f->types[drive] == 0)
		return;
	/* What was meant for the old disk doesn't go on with the new one. */
	if (f->state.phase == PHASE_EXECUTION && f->state.kind != KIND_IDENTIFY && f->state.drive == drive) {
		f->generation++;
		timer_cancel(&f->state.step);
		finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	}
	f->disks[drive] = disk;
	f->media[drive] = media_of(disk);
	f->state.changed[drive] = 1;
}
