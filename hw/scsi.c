/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A SCSI disk or CD drive: commands, and data on their way from and to the host's disk. */
#include "hw/scsi.h"

#include "base/err.h"
#include "base/util.h"
#include "disk/disk.h"

#include <errno.h>
#include <stdlib.h>

enum {
	KEY_NOT_READY = 2,
	KEY_MEDIUM = 3,
	KEY_HARDWARE = 4,
	KEY_ILLEGAL = 5,
	KEY_ATTENTION = 6,
	KEY_PROTECT = 7,
	KEY_ABORTED = 11,
};

enum {
	MEDIUM = 1 << 0,    /* needs one */
	QUIET = 1 << 1,     /* is done although a unit attention waits */
	DISK = 1 << 2,      /* of disks alone */
	CD = 1 << 3,        /* of CD drives alone */
	WRITES = 1 << 4,
};

enum { REQUEST_BYTES = SCSI_BUFFER, UNMAP_RANGE = 16, UNMAP_HEAD = 8 };

/* One request of the host; the buffer is its own, since it may outlive the command and even the unit. */
struct scsi_request {
	struct scsi_unit *unit; /* NULL: gone */
	bool busy;
	uint32_t generation, blocks;
	uint8_t buf[REQUEST_BYTES];
};

static void resume(struct scsi_unit *u);

bool
scsi_has_medium(const struct scsi_unit *u)
{
	return u->disk != NULL && !u->s->tray_open && !u->s->stopped;
}

/* ---- how a command ends, and how it goes on ---- */

static void
finish(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;

	s->phase = SCSI_IDLE;
	s->status = SCSI_GOOD;
	s->left = 0;
	s->pos = s->filled = 0;
}

void
scsi_fail(struct scsi_unit *u, uint8_t key, uint8_t asc, uint8_t ascq)
{
	finish(u);
	u->s->status = SCSI_CHECK_CONDITION;
	u->s->sense_key = key;
	u->s->asc = asc;
	u->s->ascq = ascq;
}

static void
invalid_field(struct scsi_unit *u)
{
	scsi_fail(u, KEY_ILLEGAL, 0x24, 0x00);
}

static void
no_medium(struct scsi_unit *u)
{
	if (u->disk != NULL && u->s->stopped && !u->s->tray_open)
		scsi_fail(u, KEY_NOT_READY, 0x04, 0x02); /* to be started by a command */
	else
		scsi_fail(u, KEY_NOT_READY, 0x3a, u->cd ? u->s->tray_open ? 0x02 : 0x01 : 0x00);
}

/* SIZE bytes stand in the buffer; the guest gets ALLOCATED at the most. */
static void
reply(struct scsi_unit *u, uint32_t size, uint64_t allocated)
{
	u->s->filled = MIN(size, allocated);
	u->s->pos = 0;
	if (u->s->filled == 0)
		finish(u);
	else
		u->s->phase = SCSI_IN;
}

/* The next LEN bytes of the guest go into the buffer. */
static void
want(struct scsi_unit *u, uint32_t len)
{
	u->s->filled = len;
	u->s->pos = 0;
	u->s->phase = SCSI_OUT;
}

/* Writing: the next part of what is left. */
static void
want_blocks(struct scsi_unit *u)
{
	want(u, MIN(u->s->left, SCSI_BUFFER / u->block_bytes) * u->block_bytes);
}

static void
written(struct scsi_unit *u)
{
	u->s->phase = SCSI_FLUSH;
	if (u->s->stable)
		resume(u);
	else
		finish(u);
}

/* ---- requests of the host ---- */

static void
io_error(struct scsi_unit *u, int error)
{
	if (error == ENOSPC)
		scsi_fail(u, KEY_PROTECT, 0x27, 0x07);
	else if (error == ECANCELED)
		scsi_fail(u, KEY_ABORTED, 0x00, 0x00);
	else if (u->s->phase == SCSI_FETCH)
		scsi_fail(u, KEY_MEDIUM, 0x11, 0x00);
	else if (u->s->phase == SCSI_STORE)
		scsi_fail(u, KEY_MEDIUM, 0x0c, 0x00);
	else
		scsi_fail(u, KEY_HARDWARE, 0x44, 0x00);
}

static void
succeeded(struct scsi_unit *u, const struct scsi_request *r)
{
	struct scsi_state *s = u->s;

	switch (s->phase) {
	case SCSI_FETCH:
		memcpy(s->buffer, r->buf, (size_t)r->blocks * u->block_bytes);
		s->filled = r->blocks * u->block_bytes;
		s->pos = 0;
		s->lba += r->blocks;
		s->left -= r->blocks;
		s->phase = SCSI_IN;
		break;
	case SCSI_STORE:
		s->lba += r->blocks;
		s->left -= r->blocks;
		s->pos += r->blocks * u->block_bytes;
		if (s->pos < s->filled)
			resume(u);
		else if (s->left > 0)
			want_blocks(u);
		else
			written(u);
		break;
	case SCSI_UNMAP:
		s->pos += UNMAP_RANGE;
		resume(u);
		break;
	default:
		finish(u);
		break;
	}
}

static void
request_done(void *opaque, int error)
{
	struct scsi_request *r = opaque;
	struct scsi_unit *u = r->unit;

	r->busy = false;
	if (u == NULL) {
		free(r);
		return;
	}
	if (r->generation != u->generation)
		resume(u);
	else if (error == 0)
		succeeded(u, r);
	else
		io_error(u, error);
	if (!r->busy)
		u->changed(u->opaque);
}

static struct scsi_request *
take_request(struct scsi_unit *u, uint64_t most_blocks)
{
	struct scsi_request *r = u->request;

	r->busy = true;
	r->generation = u->generation;
	r->blocks = MIN(most_blocks, REQUEST_BYTES / u->block_bytes);
	return r;
}

static void
fetch(struct scsi_unit *u)
{
	struct scsi_request *r = take_request(u, u->s->left);
	uint64_t offset = u->s->lba * u->block_bytes;
	size_t len = (size_t)r->blocks * u->block_bytes, there = MIN(len, disk_bytes(u->disk) - offset);

	/* A disc's last sector may be short. */
	memset(r->buf + there, 0, len - there);
	disk_read(u->disk, offset, r->buf, there, request_done, r);
}

static void
store(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;
	struct scsi_request *r = take_request(u, (s->filled - s->pos) / u->block_bytes);
	size_t len = (size_t)r->blocks * u->block_bytes;

	memcpy(r->buf, s->buffer + s->pos, len);
	disk_write(u->disk, s->lba * u->block_bytes, r->buf, len, request_done, r);
}

/* The next range of UNMAP that isn't empty. */
static void
unmap(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;

	for (; s->filled - s->pos >= UNMAP_RANGE; s->pos += UNMAP_RANGE) {
		uint64_t lba = load_be(s->buffer + s->pos, 8), count = load_be(s->buffer + s->pos + 8, 4);

		if (lba > u->blocks || count > u->blocks - lba) {
			scsi_fail(u, KEY_ILLEGAL, 0x21, 0x00);
			return;
		}
		if (count == 0)
			continue;
		disk_discard(u->disk, lba * u->block_bytes, count * u->block_bytes, request_done, take_request(u, 0));
		return;
	}
	finish(u);
}

/* Starts what the phase asks of the host. */
static void
resume(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;

	if (u->request->busy || s->phase < SCSI_FETCH)
		return;
	if (u->disk == NULL) {
		no_medium(u);
		return;
	}
	switch (s->phase) {
	case SCSI_FETCH:
		fetch(u);
		break;
	case SCSI_STORE:
		store(u);
		break;
	case SCSI_FLUSH:
		disk_flush(u->disk, request_done, take_request(u, 0));
		break;
	case SCSI_UNMAP:
		unmap(u);
		break;
	}
}

/* ---- moving bytes ---- */

size_t
scsi_ready(const struct scsi_unit *u)
{
	return u->s->phase == SCSI_IN || u->s->phase == SCSI_OUT ? u->s->filled - u->s->pos : 0;
}

size_t
scsi_take(struct scsi_unit *u, void *to, size_t len)
{
	struct scsi_state *s = u->s;
	size_t n = MIN(len, scsi_ready(u));

	memcpy(to, s->buffer + s->pos, n);
	s->pos += n;
	if (s->phase != SCSI_IN || s->pos < s->filled)
		return n;
	if (s->left > 0) {
		s->phase = SCSI_FETCH;
		resume(u);
	} else {
		finish(u);
	}
	return n;
}

/* All of a command's parameters, or a part of its blocks, are here. */
static void
received(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;

	if (s->left > 0) {
		s->phase = SCSI_STORE;
		s->pos = 0;
		resume(u);
	} else if (s->command == 0x42) {
		uint32_t bytes = s->filled >= UNMAP_HEAD ? load_be(s->buffer + 2, 2) : 0;

		s->phase = SCSI_UNMAP;
		s->pos = UNMAP_HEAD;
		s->filled = UNMAP_HEAD + MIN(bytes, s->filled > UNMAP_HEAD ? s->filled - UNMAP_HEAD : 0);
		resume(u);
	} else {
		finish(u);
	}
}

size_t
scsi_give(struct scsi_unit *u, const void *from, size_t len)
{
	struct scsi_state *s = u->s;
	size_t n = MIN(len, scsi_ready(u));

	memcpy(s->buffer + s->pos, from, n);
	s->pos += n;
	if (s->phase == SCSI_OUT && s->pos == s->filled)
		received(u);
	return n;
}

/* ---- blocks ---- */

/* Address and count of the forms with 6, 10, 12 and 16 bytes. */
static void
extent(const uint8_t *cdb, uint64_t *lba, uint64_t *count)
{
	switch (cdb[0] >> 5) {
	case 0:
		*lba = load_be(cdb + 1, 3) & 0x1fffff;
		*count = cdb[4] != 0 ? cdb[4] : 256;
		break;
	case 4:
		*lba = load_be(cdb + 2, 8);
		*count = load_be(cdb + 10, 4);
		break;
	case 5:
		*lba = load_be(cdb + 2, 4);
		*count = load_be(cdb + 6, 4);
		break;
	default:
		*lba = load_be(cdb + 2, 4);
		*count = load_be(cdb + 7, 2);
		break;
	}
}

/* False: out of range, which has been said, or nothing is to be done. */
static bool
set_extent(struct scsi_unit *u, const uint8_t *cdb)
{
	uint64_t lba, count;

	extent(cdb, &lba, &count);
	if (lba > u->blocks || count > u->blocks - lba) {
		scsi_fail(u, KEY_ILLEGAL, 0x21, 0x00);
		return false;
	}
	if (count == 0) {
		finish(u);
		return false;
	}
	u->s->lba = lba;
	u->s->left = count;
	return true;
}

static void
run_read(struct scsi_unit *u, const uint8_t *cdb)
{
	if (!set_extent(u, cdb))
		return;
	u->s->phase = SCSI_FETCH;
	resume(u);
}

static void
run_write(struct scsi_unit *u, const uint8_t *cdb)
{
	u->s->stable = cdb[0] != 0x0a && (cdb[1] & 8);
	if (set_extent(u, cdb))
		want_blocks(u);
}

/* Without data to compare with it is enough that the blocks are there. */
static void
run_verify(struct scsi_unit *u, const uint8_t *cdb)
{
	if (cdb[1] & 6)
		invalid_field(u);
	else if (set_extent(u, cdb))
		finish(u);
}

static void
run_flush(struct scsi_unit *u, const uint8_t *cdb)
{
	(void)cdb;
	u->s->phase = SCSI_FLUSH;
	resume(u);
}

static void
run_unmap(struct scsi_unit *u, const uint8_t *cdb)
{
	uint32_t len = load_be(cdb + 7, 2);

	if (len == 0)
		finish(u);
	else
		want(u, len);
}

/* ---- short answers ---- */

static void
run_ok(struct scsi_unit *u, const uint8_t *cdb)
{
	(void)cdb;
	finish(u);
}

static void
run_request_sense(struct scsi_unit *u, const uint8_t *cdb)
{
	struct scsi_state *s = u->s;
	uint8_t *buf = s->buffer;

	memset(buf, 0, 18);
	buf[0] = 0x70;
	buf[7] = 10;
	if (s->sense_key == 0 && s->attention != 0) {
		buf[2] = KEY_ATTENTION;
		buf[12] = s->attention;
		buf[13] = s->attention_ascq;
		s->attention = s->attention_ascq = 0;
	} else {
		buf[2] = s->sense_key;
		buf[12] = s->asc;
		buf[13] = s->ascq;
	}
	s->sense_key = s->asc = s->ascq = 0;
	reply(u, 18, cdb[4]);
}

static void
run_start_stop(struct scsi_unit *u, const uint8_t *cdb)
{
	struct scsi_state *s = u->s;
	bool eject = cdb[4] & 2, start = cdb[4] & 1;

	if (cdb[4] >> 4 != 0) {
		finish(u); /* power conditions are noted by nobody */
		return;
	}
	if (!eject) {
		s->stopped = !start && !u->cd;
	} else if (!u->cd && !u->removable) {
		invalid_field(u);
		return;
	} else if (!start && s->locked) {
		scsi_fail(u, KEY_ILLEGAL, 0x53, 0x02);
		return;
	} else if (s->tray_open == start) {
		s->tray_open = !start;
		s->media_event = !start ? MMC_REMOVED : u->disk != NULL ? MMC_NEW : 0;
		s->attention = start && u->disk != NULL ? 0x28 : s->attention;
	}
	finish(u);
}

static void
run_prevent(struct scsi_unit *u, const uint8_t *cdb)
{
	u->s->locked = cdb[4] & 1;
	finish(u);
}

static void
run_capacity_10(struct scsi_unit *u, const uint8_t *cdb)
{
	(void)cdb;
	reply(u, scsi_capacity_10(u, u->s->buffer), 8);
}

/* SERVICE ACTION IN, of which there is READ CAPACITY. */
static void
run_service_in(struct scsi_unit *u, const uint8_t *cdb)
{
	if ((cdb[1] & 31) == 0x10)
		reply(u, scsi_capacity_16(u, u->s->buffer), load_be(cdb + 10, 4));
	else
		invalid_field(u);
}

static void
run_format_capacities(struct scsi_unit *u, const uint8_t *cdb)
{
	uint8_t *buf = u->s->buffer;

	memset(buf, 0, 12);
	buf[3] = 8;
	store_be(buf + 4, MIN(u->blocks, UINT32_MAX), 4);
	store_be(buf + 8, u->block_bytes, 4);
	buf[8] = 2; /* formatted */
	reply(u, 12, load_be(cdb + 7, 2));
}

static void
run_luns(struct scsi_unit *u, const uint8_t *cdb)
{
	memset(u->s->buffer, 0, 16);
	u->s->buffer[3] = 8;
	reply(u, 16, load_be(cdb + 6, 4));
}

static void
run_mechanism_status(struct scsi_unit *u, const uint8_t *cdb)
{
	memset(u->s->buffer, 0, 8);
	u->s->buffer[1] = u->s->tray_open ? 0x10 : 0;
	u->s->buffer[5] = 1;
	reply(u, 8, load_be(cdb + 8, 2));
}

/* ---- longer answers ---- */

static void
answer(struct scsi_unit *u, uint32_t size, uint64_t allocated)
{
	if (size == 0)
		invalid_field(u);
	else
		reply(u, size, allocated);
}

static void
run_inquiry(struct scsi_unit *u, const uint8_t *cdb)
{
	answer(u, scsi_inquiry(u, cdb, u->s->buffer), load_be(cdb + 3, 2));
}

static struct mmc_drive
drive_now(const struct scsi_unit *u)
{
	return (struct mmc_drive){
		.sectors = u->blocks, .serial = u->serial, .medium = scsi_has_medium(u), .tray_open = u->s->tray_open,
		.locked = u->s->locked, .event = u->s->media_event,
	};
}

typedef uint32_t mmc_answer(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);

static void
answer_by(struct scsi_unit *u, mmc_answer *put, const uint8_t *cdb)
{
	struct mmc_drive now = drive_now(u);

	answer(u, put(&now, cdb, u->s->buffer), load_be(cdb + 7, 2));
}

static void
run_mode_sense_6(struct scsi_unit *u, const uint8_t *cdb)
{
	if (cdb[2] >> 6 == 3)
		scsi_fail(u, KEY_ILLEGAL, 0x39, 0x00); /* there are no saved parameters */
	else
		answer(u, scsi_mode_sense(u, cdb, u->s->buffer), cdb[4]);
}

static void
run_mode_sense_10(struct scsi_unit *u, const uint8_t *cdb)
{
	if (cdb[2] >> 6 == 3)
		scsi_fail(u, KEY_ILLEGAL, 0x39, 0x00);
	else if (u->cd)
		answer_by(u, mmc_mode_sense, cdb);
	else
		answer(u, scsi_mode_sense(u, cdb, u->s->buffer), load_be(cdb + 7, 2));
}

static void
run_toc(struct scsi_unit *u, const uint8_t *cdb)
{
	answer_by(u, mmc_toc, cdb);
}

static void
run_configuration(struct scsi_unit *u, const uint8_t *cdb)
{
	answer_by(u, mmc_configuration, cdb);
}

static void
run_event_status(struct scsi_unit *u, const uint8_t *cdb)
{
	struct mmc_drive now = drive_now(u);
	uint32_t size = mmc_event_status(&now, cdb, u->s->buffer);

	u->s->media_event = now.event;
	answer(u, size, load_be(cdb + 7, 2));
}

static void
run_disc_info(struct scsi_unit *u, const uint8_t *cdb)
{
	answer_by(u, mmc_disc_info, cdb);
}

static void
run_track_info(struct scsi_unit *u, const uint8_t *cdb)
{
	answer_by(u, mmc_track_info, cdb);
}

static void
run_disc_structure(struct scsi_unit *u, const uint8_t *cdb)
{
	struct mmc_drive now = drive_now(u);
	uint32_t size = mmc_disc_structure(&now, cdb, u->s->buffer);

	if (size == 0)
		scsi_fail(u, KEY_ILLEGAL, 0x30, 0x02); /* incompatible format */
	else
		reply(u, size, load_be(cdb + 8, 2));
}

/* ---- the list ---- */

static const struct command {
	uint8_t code, flags;
	void (*run)(struct scsi_unit *u, const uint8_t *cdb);
} commands[] = {
	{ 0x00, MEDIUM, run_ok },                 /* TEST UNIT READY */
	{ 0x03, QUIET, run_request_sense },
	{ 0x08, MEDIUM, run_read },
	{ 0x0a, MEDIUM | DISK | WRITES, run_write },
	{ 0x12, QUIET, run_inquiry },
	{ 0x1a, DISK, run_mode_sense_6 },
	{ 0x1b, 0, run_start_stop },
	{ 0x1e, 0, run_prevent },
	{ 0x23, MEDIUM | DISK, run_format_capacities },
	{ 0x25, MEDIUM, run_capacity_10 },
	{ 0x28, MEDIUM, run_read },
	{ 0x2a, MEDIUM | DISK | WRITES, run_write },
	{ 0x2b, MEDIUM, run_ok },                 /* SEEK */
	{ 0x2f, MEDIUM, run_verify },
	{ 0x35, MEDIUM | DISK, run_flush },
	{ 0x42, MEDIUM | DISK | WRITES, run_unmap },
	{ 0x43, MEDIUM | CD, run_toc },
	{ 0x46, QUIET | CD, run_configuration },
	{ 0x4a, QUIET | CD, run_event_status },
	{ 0x51, MEDIUM | CD, run_disc_info },
	{ 0x52, MEDIUM | CD, run_track_info },
	{ 0x5a, 0, run_mode_sense_10 },
	{ 0x88, MEDIUM | DISK, run_read },
	{ 0x8a, MEDIUM | DISK | WRITES, run_write },
	{ 0x8f, MEDIUM | DISK, run_verify },
	{ 0x91, MEDIUM | DISK, run_flush },
	{ 0x9e, MEDIUM | DISK, run_service_in },
	{ 0xa0, QUIET, run_luns },
	{ 0xa8, MEDIUM, run_read },
	{ 0xaa, MEDIUM | DISK | WRITES, run_write },
	{ 0xad, MEDIUM | CD, run_disc_structure },
	{ 0xbb, CD, run_ok },                     /* SET CD SPEED */
	{ 0xbd, CD, run_mechanism_status },
};

static void
run(struct scsi_unit *u, const struct command *c, const uint8_t *cdb)
{
	struct scsi_state *s = u->s;

	if (s->attention != 0 && !(c->flags & QUIET)) {
		uint8_t asc = s->attention, ascq = s->attention_ascq;

		s->attention = s->attention_ascq = 0;
		scsi_fail(u, KEY_ATTENTION, asc, ascq);
	} else if ((c->flags & MEDIUM) && !scsi_has_medium(u)) {
		no_medium(u);
	} else if ((c->flags & WRITES) && disk_is_readonly(u->disk)) {
		scsi_fail(u, KEY_PROTECT, 0x27, 0x00);
	} else {
		c->run(u, cdb);
	}
}

void
scsi_start(struct scsi_unit *u, const uint8_t cdb[SCSI_CDB])
{
	scsi_cancel(u);
	u->s->command = cdb[0];
	if (cdb[0] != 0x03)
		u->s->sense_key = u->s->asc = u->s->ascq = 0;
	u->s->stable = 0;
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];

		if (c->code != cdb[0] || (c->flags & (u->cd ? DISK : CD)))
			continue;
		run(u, c, cdb);
		return;
	}
	scsi_fail(u, KEY_ILLEGAL, 0x20, 0x00);
}

void
scsi_cancel(struct scsi_unit *u)
{
	u->generation++;
	finish(u);
}

/* ---- the unit ---- */

static void
set_disk(struct scsi_unit *u, struct disk *disk)
{
	u->disk = disk;
	u->blocks = disk == NULL ? 0 : (disk_bytes(disk) + (u->cd ? CD_SECTOR - 1 : 0)) / u->block_bytes;
	/* What has no block is no medium. */
	if (u->blocks == 0)
		u->disk = NULL;
}

bool
scsi_change(struct scsi_unit *u, struct disk *disk, bool force)
{
	struct scsi_state *s = u->s;

	if (!u->cd && !u->removable)
		return false;
	if (s->locked && !s->tray_open && !force) {
		s->media_event = MMC_EJECT_WISH;
		return false;
	}
	if (s->phase != SCSI_IDLE) {
		scsi_cancel(u);
		no_medium(u);
		u->changed(u->opaque);
	}
	set_disk(u, disk);
	s->tray_open = disk == NULL && u->cd;
	s->attention = disk != NULL ? 0x28 : 0;
	s->media_event = disk != NULL ? MMC_NEW : MMC_REMOVED;
	return true;
}

void
scsi_init(struct scsi_unit *u, struct scsi_state *s, struct disk *disk, bool cd, bool removable, const char *serial)
{
	u->s = s;
	u->cd = cd;
	u->removable = removable;
	u->block_bytes = cd ? CD_SECTOR : DISK_SECTOR;
	for (unsigned i = 0; i < sizeof(u->serial) - 1 && serial[i] != '\0'; i++)
		u->serial[i] = serial[i] >= ' ' && serial[i] <= '~' ? serial[i] : '?';
	u->request = xcalloc(1, sizeof(*u->request));
	u->request->unit = u;
	set_disk(u, disk);
	scsi_reset(u);
}

/* A request that is under way frees itself when it comes home. */
void
scsi_destroy(struct scsi_unit *u)
{
	struct scsi_request *r = u->request;

	u->request = NULL;
	r->unit = NULL;
	if (!r->busy)
		free(r);
}

/* Power on: the tray stays as it is. */
void
scsi_reset(struct scsi_unit *u)
{
	struct scsi_state *s = u->s;

	scsi_cancel(u);
	s->lba = 0;
	s->sense_key = s->asc = s->ascq = 0;
	s->stable = 0;
	s->command = s->attention_ascq = s->media_event = 0;
	s->locked = s->stopped = 0;
	s->attention = 0x29; /* power on, reset, or bus device reset occurred */
	memset(s->buffer, 0, sizeof(s->buffer));
}

bool
scsi_loaded(struct scsi_unit *u, struct err *e)
{
	struct scsi_state *s = u->s;

	memset(s->spare, 0, sizeof(s->spare));
	u->generation++;
	if (s->pos > s->filled || s->lba > u->blocks || s->left > u->blocks - s->lba)
		return err_set(e, "a transfer past the end of the disk");
	if (s->phase == SCSI_STORE && (s->left == 0 || (s->filled - s->pos) % u->block_bytes != 0 || s->filled == s->pos ||
	    (s->filled - s->pos) / u->block_bytes > s->left))
		return err_set(e, "a write of no blocks");
	if (s->phase == SCSI_FETCH && s->left == 0)
		return err_set(e, "a read of no blocks");
	if (s->phase == SCSI_OUT && s->left > 0 && (s->filled % u->block_bytes != 0 || s->filled / u->block_bytes > s->left))
		return err_set(e, "a write of half a block");
	resume(u);
	return true;
}
