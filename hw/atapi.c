/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A DVD-ROM drive behind the PACKET command, by "ATAPI CD-ROM" (SFF-8020i) and "SCSI Multi-Media Commands - 5": the
 * packets, their data and their errors.  Data discs of one track; audio is left out on purpose.
 */
#include "hw/ata.h"

#include "base/util.h"
#include "disk/disk.h"

enum {
	KEY_NOT_READY = 2,
	KEY_MEDIUM = 3,
	KEY_ILLEGAL = 5,
	KEY_ATTENTION = 6,
};

enum {
	MEDIUM = 1 << 0,    /* needs a disc */
	QUIET = 1 << 1,     /* is done although a unit attention waits */
};

bool
atapi_has_medium(const struct ata_drive *d)
{
	return d->disk != NULL && !d->s->tray_open;
}

/* ---- the protocol ---- */

void
atapi_start(struct ata_drive *d)
{
	struct ata_state *s = d->s;

	s->packet_dma = s->regs[ATA_FEATURE] & 1;
	s->regs[ATA_COUNT] = ATAPI_COD;
	s->block = ATAPI_PACKET;
	ata_start_pio_out(d, ATA_PACKET, ATAPI_PACKET);
}

/* The byte count limit that came with PACKET: the registers hold it until the first block of data. */
static uint32_t
byte_limit(const struct ata_state *s)
{
	uint32_t limit = s->regs[ATA_MID] | s->regs[ATA_HIGH] << 8;

	return limit < 2 ? 0xfffe : limit & ~1u;
}

void
atapi_data_ready(struct ata_drive *d)
{
	uint32_t n = d->s->end - d->s->pos;

	d->s->regs[ATA_COUNT] = ATAPI_IO;
	d->s->regs[ATA_MID] = n;
	d->s->regs[ATA_HIGH] = n >> 8;
}

void
atapi_complete(struct ata_drive *d)
{
	d->s->sense_key = d->s->asc = d->s->ascq = 0;
	d->s->regs[ATA_COUNT] = ATAPI_COD | ATAPI_IO;
	ata_complete(d);
}

void
atapi_fail(struct ata_drive *d, uint8_t key, uint8_t asc, uint8_t ascq)
{
	d->s->sense_key = key;
	d->s->asc = asc;
	d->s->ascq = ascq;
	d->s->regs[ATA_COUNT] = ATAPI_COD | ATAPI_IO;
	ata_fail(d, key << 4 | (key == KEY_ILLEGAL ? ATA_ABRT : 0));
}

/* Unrecovered read error. */
void
atapi_medium_error(struct ata_drive *d)
{
	atapi_fail(d, KEY_MEDIUM, 0x11, 0x00);
}

static void
invalid_field(struct ata_drive *d)
{
	atapi_fail(d, KEY_ILLEGAL, 0x24, 0x00);
}

static void
no_medium(struct ata_drive *d)
{
	atapi_fail(d, KEY_NOT_READY, 0x3a, d->s->tray_open ? 0x02 : 0x01);
}

void
atapi_reply(struct ata_drive *d, uint32_t size, uint32_t allocated)
{
	struct ata_state *s = d->s;
	uint32_t len = MIN(size, allocated);

	if (len == 0) {
		atapi_complete(d);
	} else if (s->packet_dma) {
		s->pos = 0;
		s->end = s->filled = len;
		s->left = 0;
		ata_start(d, ATA_DMA_IN);
	} else {
		ata_reply(d, len, byte_limit(s));
	}
}

/* ---- reading ---- */

static void
read_sectors(struct ata_drive *d, uint64_t lba, uint32_t count, uint32_t sector_bytes)
{
	struct ata_state *s = d->s;
	uint32_t limit = byte_limit(s);

	if (lba > d->sectors || count > d->sectors - lba) {
		atapi_fail(d, KEY_ILLEGAL, 0x21, 0x00);
		return;
	}
	if (count == 0) {
		atapi_complete(d);
		return;
	}
	s->lba = lba;
	s->left = count;
	s->sector_bytes = sector_bytes;
	s->pos = s->end = s->filled = 0;
	/* Whole sectors, as far as the guest takes them. */
	s->block = limit >= sector_bytes ? limit - limit % sector_bytes : limit;
	ata_start(d, s->packet_dma ? ATA_DMA_IN : ATA_FETCH);
}

static void
run_read_10(struct ata_drive *d, const uint8_t *p)
{
	read_sectors(d, load_be(p + 2, 4), load_be(p + 7, 2), CD_SECTOR);
}

static void
run_read_12(struct ata_drive *d, const uint8_t *p)
{
	read_sectors(d, load_be(p + 2, 4), load_be(p + 6, 4), CD_SECTOR);
}

/* READ CD and READ CD MSF: which parts of a sector of data the guest wants. */
static void
read_cd(struct ata_drive *d, const uint8_t *p, uint64_t lba, uint32_t count)
{
	unsigned type = bits(p[1], 2, 3), parts = p[9] & 0xf8;

	if ((type != 0 && type != 2) || (p[10] & 7) != 0) {
		invalid_field(d);
		return;
	}
	switch (parts) {
	case 0x00:
		read_sectors(d, lba, 0, CD_SECTOR);
		break;
	case 0x10:
		read_sectors(d, lba, count, CD_SECTOR);
		break;
	case 0xf8:
		read_sectors(d, lba, count, CD_RAW_SECTOR);
		break;
	default:
		invalid_field(d);
	}
}

static void
run_read_cd(struct ata_drive *d, const uint8_t *p)
{
	read_cd(d, p, load_be(p + 2, 4), load_be(p + 6, 3));
}

static uint64_t
msf_to_frames(const uint8_t *msf)
{
	return (msf[0] * 60ull + msf[1]) * 75 + msf[2];
}

static void
run_read_cd_msf(struct ata_drive *d, const uint8_t *p)
{
	uint64_t first = msf_to_frames(p + 3), last = msf_to_frames(p + 6);

	if (first < 150 || last < first)
		invalid_field(d);
	else
		read_cd(d, p, first - 150, last - first);
}

static void
run_seek(struct ata_drive *d, const uint8_t *p)
{
	if (load_be(p + 2, 4) < d->sectors)
		atapi_complete(d);
	else
		atapi_fail(d, KEY_ILLEGAL, 0x21, 0x00);
}

/* ---- the tray ---- */

static void
run_start_stop(struct ata_drive *d, const uint8_t *p)
{
	struct ata_state *s = d->s;
	bool load_eject = p[4] & 2, start = p[4] & 1;

	if (load_eject && !start && !s->tray_open) {
		if (s->locked) {
			atapi_fail(d, d->disk != NULL ? KEY_ILLEGAL : KEY_NOT_READY, 0x53, 0x02);
			return;
		}
		s->tray_open = 1;
		s->media_event = MMC_REMOVED;
	} else if (load_eject && start && s->tray_open) {
		s->tray_open = 0;
		s->unit_attention = d->disk != NULL;
		s->media_event = d->disk != NULL ? MMC_NEW : 0;
	}
	atapi_complete(d);
}

static void
run_prevent(struct ata_drive *d, const uint8_t *p)
{
	d->s->locked = p[4] & 1;
	atapi_complete(d);
}

bool
atapi_change(struct ata_drive *d, struct disk *disk, bool force)
{
	struct ata_state *s = d->s;

	if (d->kind != ATA_CD)
		return false;
	if (s->locked && !s->tray_open && !force) {
		s->media_event = MMC_EJECT_WISH;
		return false;
	}
	d->disk = disk;
	d->sectors = disk != NULL ? (disk_bytes(disk) + CD_SECTOR - 1) / CD_SECTOR : 0;
	s->tray_open = disk == NULL;
	s->unit_attention = disk != NULL;
	s->media_event = disk != NULL ? MMC_NEW : MMC_REMOVED;
	/* What was to come from the old disc won't. */
	if (s->left > 0 || s->phase == ATA_FLUSHING) {
		ata_cancel(d);
		no_medium(d);
	}
	return true;
}

/* ---- short answers ---- */

static void
run_ok(struct ata_drive *d, const uint8_t *p)
{
	(void)p;
	atapi_complete(d);
}

static void
run_request_sense(struct ata_drive *d, const uint8_t *p)
{
	struct ata_state *s = d->s;
	uint8_t *buf = s->buffer;

	memset(buf, 0, 18);
	buf[0] = 0x70;
	buf[2] = s->sense_key;
	buf[7] = 10;
	buf[12] = s->asc;
	buf[13] = s->ascq;
	if (s->sense_key == 0 && s->unit_attention) {
		buf[2] = KEY_ATTENTION;
		buf[12] = 0x28;
		s->unit_attention = 0;
	}
	atapi_reply(d, 18, p[4]);
}

static void
run_read_capacity(struct ata_drive *d, const uint8_t *p)
{
	uint32_t last = MIN(d->sectors, UINT32_MAX) - 1;

	(void)p;
	for (unsigned i = 0; i < 4; i++)
		d->s->buffer[i] = last >> (24 - 8 * i);
	memcpy(d->s->buffer + 4, "\0\0\x08\0", 4);
	atapi_reply(d, 8, 8);
}

static void
run_mechanism_status(struct ata_drive *d, const uint8_t *p)
{
	memset(d->s->buffer, 0, 8);
	d->s->buffer[1] = d->s->tray_open ? 0x10 : 0;
	d->s->buffer[5] = 1;
	atapi_reply(d, 8, load_be(p + 8, 2));
}

/* ---- longer answers ---- */

/* SIZE is what FILL put into the buffer; the packet's allocation length stands at P[AT]. */
static void
answer(struct ata_drive *d, uint32_t size, const uint8_t *p, unsigned at, unsigned bytes)
{
	if (size == 0)
		invalid_field(d);
	else
		atapi_reply(d, size, load_be(p + at, bytes));
}

/* The answers that all such drives have in common. */
static struct mmc_drive
drive_now(const struct ata_drive *d)
{
	return (struct mmc_drive){
		.sectors = d->sectors, .serial = d->serial, .medium = atapi_has_medium(d), .tray_open = d->s->tray_open,
		.locked = d->s->locked, .event = d->s->media_event,
	};
}

static void
answer_by(struct ata_drive *d, uint32_t (*reply)(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf), const uint8_t *p,
	unsigned at)
{
	struct mmc_drive now = drive_now(d);

	answer(d, reply(&now, p, d->s->buffer), p, at, 2);
}

static void
run_inquiry(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_inquiry, p, 3);
}

static void
run_subchannel(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_subchannel, p, 7);
}

static void
run_toc(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_toc, p, 7);
}

static void
run_configuration(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_configuration, p, 7);
}

static void
run_disc_info(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_disc_info, p, 7);
}

static void
run_track_info(struct ata_drive *d, const uint8_t *p)
{
	answer_by(d, mmc_track_info, p, 7);
}

static void
run_event_status(struct ata_drive *d, const uint8_t *p)
{
	struct mmc_drive now = drive_now(d);
	uint32_t size = mmc_event_status(&now, p, d->s->buffer);

	d->s->media_event = now.event;
	answer(d, size, p, 7, 2);
}

static void
run_mode_sense(struct ata_drive *d, const uint8_t *p)
{
	struct mmc_drive now = drive_now(d);

	if (p[2] >> 6 == 3)
		atapi_fail(d, KEY_ILLEGAL, 0x39, 0x00); /* there are no saved parameters */
	else
		answer(d, mmc_mode_sense(&now, p, d->s->buffer), p, 7, 2);
}

static void
run_disc_structure(struct ata_drive *d, const uint8_t *p)
{
	struct mmc_drive now = drive_now(d);
	uint32_t size = mmc_disc_structure(&now, p, d->s->buffer);

	if (size == 0)
		atapi_fail(d, KEY_ILLEGAL, 0x30, 0x02); /* incompatible format */
	else
		answer(d, size, p, 8, 2);
}

/* ---- the list ---- */

static const struct {
	uint8_t code, flags;
	void (*run)(struct ata_drive *d, const uint8_t *packet);
} packets[] = {
	{ 0x00, MEDIUM, run_ok },                 /* TEST UNIT READY */
	{ 0x03, QUIET, run_request_sense },
	{ 0x12, QUIET, run_inquiry },
	{ 0x1b, 0, run_start_stop },
	{ 0x1e, 0, run_prevent },
	{ 0x25, MEDIUM, run_read_capacity },
	{ 0x28, MEDIUM, run_read_10 },
	{ 0x2b, MEDIUM, run_seek },
	{ 0x42, MEDIUM, run_subchannel },
	{ 0x43, MEDIUM, run_toc },
	{ 0x46, QUIET, run_configuration },
	{ 0x4a, QUIET, run_event_status },
	{ 0x51, MEDIUM, run_disc_info },
	{ 0x52, MEDIUM, run_track_info },
	{ 0x5a, 0, run_mode_sense },
	{ 0xa8, MEDIUM, run_read_12 },
	{ 0xad, MEDIUM, run_disc_structure },
	{ 0xb9, MEDIUM, run_read_cd_msf },
	{ 0xbb, 0, run_ok },                      /* SET CD SPEED */
	{ 0xbd, 0, run_mechanism_status },
	{ 0xbe, MEDIUM, run_read_cd },
};

void
atapi_packet(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	uint8_t packet[ATAPI_PACKET];

	memcpy(packet, s->buffer, sizeof(packet));
	s->left = 0;
	for (size_t i = 0; i < ARRAY_SIZE(packets); i++) {
		if (packets[i].code != packet[0])
			continue;
		if (s->unit_attention && !(packets[i].flags & QUIET)) {
			s->unit_attention = 0;
			atapi_fail(d, KEY_ATTENTION, 0x28, 0x00);
		} else if ((packets[i].flags & MEDIUM) && !atapi_has_medium(d)) {
			no_medium(d);
		} else {
			packets[i].run(d, packet);
		}
		return;
	}
	atapi_fail(d, KEY_ILLEGAL, 0x20, 0x00);
}
