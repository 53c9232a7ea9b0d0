/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a DVD-ROM drive says to longer questions, by "SCSI Multi-Media Commands - 5", and the raw form of a CD's sectors, by
 * ECMA-130.  The disc is a single session of a single data track.
 */
#include "hw/mmc.h"

#include "base/util.h"

enum {
	CD_MOST_SECTORS = 450000, /* a CD of 100 minutes; what is larger is a DVD */
	LEAD_IN = 150,            /* frames before sector 0 */
	LEAD_OUT_TRACK = 0xaa,
	DATA_TRACK = 0x14,        /* ADR 1, data that may not be copied */
	PROFILE_CD_ROM = 0x08,
	PROFILE_DVD_ROM = 0x10,
};

static bool
is_dvd(const struct mmc_drive *d)
{
	return d->sectors > CD_MOST_SECTORS;
}

static void
put_msf(uint8_t *p, uint64_t lba)
{
	uint64_t frames = lba + LEAD_IN;

	p[0] = MIN(frames / (60 * 75), 255);
	p[1] = frames / 75 % 60;
	p[2] = frames % 75;
}

/* Four bytes: an address as the packet wants it. */
static void
put_address(uint8_t *p, uint64_t lba, bool msf)
{
	p[0] = 0;
	if (msf)
		put_msf(p + 1, lba);
	else
		store_be(p, lba, 4);
}

/* ---- the table of contents ---- */

static uint32_t
toc_tracks(const struct mmc_drive *d, uint8_t *buf, unsigned from, bool msf)
{
	uint32_t n = 4;

	if (from > 1 && from != LEAD_OUT_TRACK)
		return 0;
	if (from <= 1) {
		memcpy(buf + n, (uint8_t[]){ 0, DATA_TRACK, 1, 0 }, 4);
		put_address(buf + n + 4, 0, msf);
		n += 8;
	}
	memcpy(buf + n, (uint8_t[]){ 0, DATA_TRACK, LEAD_OUT_TRACK, 0 }, 4);
	put_address(buf + n + 4, d->sectors, msf);
	return n + 8;
}

static uint32_t
toc_sessions(uint8_t *buf, bool msf)
{
	memcpy(buf + 4, (uint8_t[]){ 0, DATA_TRACK, 1, 0 }, 4);
	put_address(buf + 8, 0, msf);
	return 12;
}

/* Rows as they stand in the lead-in: first track, last track, lead-out, and the track itself. */
static uint32_t
toc_full(const struct mmc_drive *d, uint8_t *buf)
{
	static const uint8_t points[] = { 0xa0, 0xa1, 0xa2, 0x01 };
	uint32_t n = 4;

	for (size_t i = 0; i < ARRAY_SIZE(points); i++, n += 11) {
		uint8_t *row = buf + n;

		row[0] = 1;
		row[1] = DATA_TRACK;
		row[3] = points[i];
		if (points[i] == 0xa2)
			put_msf(row + 8, d->sectors);
		else if (points[i] == 1)
			put_msf(row + 8, 0);
		else
			row[8] = 1;
	}
	return n;
}

uint32_t
mmc_toc(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	unsigned format = packet[2] & 15;
	bool msf = packet[1] & 2;
	uint32_t size;

	/* SFF-8020i had the format in the last byte. */
	if (format == 0)
		format = packet[9] >> 6;
	memset(buf, 0, 64);
	switch (format) {
	case 0:
		size = toc_tracks(d, buf, packet[6], msf);
		break;
	case 1:
		size = toc_sessions(buf, msf);
		break;
	case 2:
		size = toc_full(d, buf);
		break;
	default:
		return 0;
	}
	if (size != 0)
		store_be(buf, size - 2, 2);
	buf[2] = buf[3] = 1;
	return size;
}

uint32_t
mmc_subchannel(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	bool wanted = packet[2] & 0x40;

	(void)d;
	memset(buf, 0, 24);
	buf[1] = 0x15; /* no audio status */
	if (!wanted)
		return 4;
	if (packet[3] == 1) {
		/* The current position: at the start of the track. */
		store_be(buf + 2, 12, 2);
		memcpy(buf + 4, (uint8_t[]){ 1, DATA_TRACK, 1, 1 }, 4);
		put_address(buf + 8, 0, packet[1] & 2);
		put_address(buf + 12, 0, packet[1] & 2);
		return 16;
	}
	if (packet[3] != 2 && packet[3] != 3)
		return 0;
	/* Catalogue number or ISRC: none valid. */
	store_be(buf + 2, 20, 2);
	buf[4] = packet[3];
	if (packet[3] == 3)
		memcpy(buf + 5, (uint8_t[]){ DATA_TRACK, packet[6] }, 2);
	return 24;
}

/* ---- the disc ---- */

uint32_t
mmc_disc_info(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	(void)d;
	if (bits(packet[1], 0, 3) != 0)
		return 0;
	memset(buf, 0, 34);
	store_be(buf, 32, 2);
	buf[2] = 0x0e;  /* the last session is complete, and so is the disc */
	buf[3] = 1;     /* the first track */
	buf[4] = 1;     /* sessions */
	buf[5] = buf[6] = 1;
	buf[7] = 0x20;  /* unrestricted use */
	memset(buf + 16, 0xff, 8); /* no next session */
	return 34;
}

uint32_t
mmc_track_info(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	unsigned type = packet[1] & 3;
	uint64_t address = 0;

	for (unsigned i = 2; i < 6; i++)
		address = address << 8 | packet[i];
	if (type == 3 || (type == 0 && address >= d->sectors) || (type != 0 && address != 1))
		return 0;
	memset(buf, 0, 36);
	store_be(buf, 34, 2);
	buf[2] = buf[3] = 1;
	buf[5] = 0x04;  /* data, uninterrupted */
	buf[6] = 0x01;  /* mode 1 */
	store_be(buf + 24, d->sectors, 4);
	return 36;
}

/* READ DISC STRUCTURE of a DVD: its physical format, or that it has no copyright protection. */
uint32_t
mmc_disc_structure(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	unsigned layer = packet[6], format = packet[7];

	if (!is_dvd(d) || layer != 0 || (packet[1] & 15) != 0)
		return 0;
	memset(buf, 0, 2052);
	switch (format) {
	case 0x00:
		store_be(buf, 2048 + 2, 2);
		buf[4] = 0x01;  /* DVD-ROM, part version 1 */
		buf[5] = 0x0f;  /* 12 cm, no maximum rate */
		buf[6] = 0x01;  /* one layer, embossed */
		store_be(buf + 9, 0x30000, 3);
		store_be(buf + 13, 0x30000 + d->sectors - 1, 3);
		return 2052;
	case 0x01:
		store_be(buf, 6, 2);
		return 8;
	case 0xff:
		store_be(buf, 10, 2);
		memcpy(buf + 4, (uint8_t[]){ 0x00, 0x40, 0x08, 0x04, 0x01, 0x40, 0x00, 0x08 }, 8);
		return 12;
	default:
		return 0;
	}
}

/* ---- the drive ---- */

static uint32_t
inquiry_page(const struct mmc_drive *d, unsigned page, uint8_t *buf)
{
	size_t n = strlen(d->serial);

	buf[0] = 0x05;
	buf[1] = page;
	switch (page) {
	case 0x00:
		buf[3] = 2;
		buf[5] = 0x80;
		return 6;
	case 0x80:
		buf[3] = n;
		memcpy(buf + 4, d->serial, n);
		return 4 + n;
	default:
		return 0;
	}
}

uint32_t
mmc_inquiry(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	memset(buf, 0, 64);
	if (packet[1] & 1)
		return inquiry_page(d, packet[2], buf);
	if (packet[2] != 0)
		return 0;
	buf[0] = 0x05;  /* CD or DVD drive */
	buf[1] = 0x80;  /* removable */
	buf[3] = 0x21;  /* ATAPI, response format 1 */
	buf[4] = 31;
	memcpy(buf + 8, "CALQUE  DVD-ROM         0.1 ", 28);
	return 36;
}

static unsigned
put_page_01(uint8_t *p)
{
	memcpy(p, (uint8_t[]){ 0x01, 0x06, 0x00, 0x05 }, 4);
	return 8;
}

static unsigned
put_page_0e(uint8_t *p)
{
	memcpy(p, (uint8_t[]){ 0x0e, 0x0e, 0x04, 0x00, 0x00, 0x00, 0x00, 75 }, 8);
	return 16;
}

static unsigned
put_page_2a(const struct mmc_drive *d, uint8_t *p)
{
	p[0] = 0x2a;
	p[1] = 0x12;
	p[2] = 0x0b;    /* reads CD-R, CD-RW, DVD-ROM */
	p[4] = 0x70;    /* mode 2, both forms; several sessions */
	p[6] = 0x29 | (d->locked ? 2 : 0); /* a tray that ejects and can be locked */
	store_be(p + 8, 706, 2);
	store_be(p + 10, 2, 2);
	store_be(p + 12, 512, 2);
	store_be(p + 14, 706, 2);
	return 20;
}

uint32_t
mmc_mode_sense(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	unsigned page = packet[2] & 0x3f;
	bool all = page == 0x3f, mask = packet[2] >> 6 == 1;
	uint32_t n = 8;

	memset(buf, 0, 64);
	if (page == 0x01 || all)
		n += put_page_01(buf + n);
	if (page == 0x0e || all)
		n += put_page_0e(buf + n);
	if (page == 0x2a || all)
		n += put_page_2a(d, buf + n);
	if (n == 8)
		return 0;
	/* What can be changed: nothing. */
	for (uint32_t at = 8; mask && at < n; at += 2 + buf[at + 1])
		memset(buf + at + 2, 0, buf[at + 1]);
	store_be(buf, n - 2, 2);
	buf[2] = d->medium ? 0x01 : d->tray_open ? 0x71 : 0x70;
	return n;
}

/* ---- GET CONFIGURATION ---- */

/* One feature: whether it is current, and what follows its header. */
struct feature {
	uint16_t code;
	uint8_t version_persistent;
	bool current;
	uint8_t len;
	uint8_t data[8];
};

uint32_t
mmc_configuration(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	bool medium = d->medium, dvd = medium && is_dvd(d), cd = medium && !dvd;
	const struct feature features[] = {
		{ 0x0000, 0x03, true, 8, { 0, PROFILE_DVD_ROM, dvd, 0, 0, PROFILE_CD_ROM, cd, 0 } },
		{ 0x0001, 0x0b, true, 8, { 0, 0, 0, 2, 1, 0, 0, 0 } },      /* core: ATAPI */
		{ 0x0003, 0x03, true, 4, { 0x29, 0, 0, 0 } },               /* removable: a tray, with a lock */
		{ 0x0010, 0x00, medium, 8, { 0, 0, 8, 0, 0, 1, 0, 0 } },    /* random reads of 2048 bytes */
		{ 0x001d, 0x00, cd, 0, { 0 } },                             /* reads all kinds of CD */
		{ 0x001e, 0x08, cd, 4, { 0 } },                             /* READ CD */
		{ 0x001f, 0x00, dvd, 4, { 0 } },                            /* reads DVD */
	};
	unsigned kind = packet[1] & 3, from = packet[2] << 8 | packet[3];
	uint32_t n = 8;

	if (kind == 3)
		return 0;
	memset(buf, 0, 256);
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];

		if (kind == 2 ? f->code != from : f->code < from || (kind == 1 && !f->current))
			continue;
		store_be(buf + n, f->code, 2);
		buf[n + 2] = f->version_persistent | f->current;
		buf[n + 3] = f->len;
		memcpy(buf + n + 4, f->data, f->len);
		n += 4 + f->len;
	}
	store_be(buf, n - 4, 4);
	store_be(buf + 6, dvd ? PROFILE_DVD_ROM : cd ? PROFILE_CD_ROM : 0, 2);
	return n;
}

/* Only polling, and of the classes only that of media. */
uint32_t
mmc_event_status(struct mmc_drive *d, const uint8_t *packet, uint8_t *buf)
{
	if ((packet[1] & 1) == 0)
		return 0;
	memset(buf, 0, 8);
	buf[3] = 0x10;
	if ((packet[4] & 0x10) == 0) {
		buf[2] = 0x80;
		return 4;
	}
	store_be(buf, 4, 2);
	buf[2] = 0x04;
	buf[4] = d->event;
	buf[5] = (d->tray_open ? 1 : 0) | (d->medium ? 2 : 0);
	d->event = 0;
	return 8;
}

/* ---- raw sectors ---- */

/* Times x in the field of 256 elements whose polynomial is x^8 + x^4 + x^3 + x^2 + 1. */
static uint8_t
times_x(uint8_t v)
{
	return v << 1 ^ (v & 0x80 ? 0x1d : 0);
}

/*
 * Two parity bytes for each of LINES codewords of LEN bytes, which lie across the sector: codeword N begins at byte
 * N / 2 * START + N % 2, and goes on by STEP, around the end.  UNTIMES undoes v -> v + v * x.
 */
static void
put_parity(const uint8_t *from, unsigned lines, unsigned len, unsigned start, unsigned step, const uint8_t *untimes, uint8_t *to)
{
	for (unsigned n = 0; n < lines; n++) {
		unsigned at = n / 2 * start + n % 2;
		uint8_t weighted = 0, sum = 0, first;

		for (unsigned i = 0; i < len; i++) {
			weighted = times_x(weighted ^ from[at]);
			sum ^= from[at];
			at = (at + step) % (lines * len);
		}
		first = untimes[times_x(weighted) ^ sum];
		to[n] = first;
		to[n + lines] = first ^ sum;
	}
}

static uint32_t
detection_code(const uint8_t *p, size_t len)
{
	uint32_t v = 0;

	for (size_t i = 0; i < len; i++) {
		v ^= p[i];
		for (unsigned bit = 0; bit < 8; bit++)
			v = v >> 1 ^ (v & 1 ? 0xd8018001 : 0);
	}
	return v;
}

static uint8_t
bcd(uint8_t v)
{
	return v / 10 % 10 << 4 | v % 10;
}

/* SECTOR has its 2048 bytes of data in place. */
static void
frame_sector(uint8_t *sector, uint64_t lba, const uint8_t *untimes)
{
	uint8_t msf[3];

	put_msf(msf, lba);
	memset(sector, 0xff, 12);
	sector[0] = sector[11] = 0;
	for (unsigned i = 0; i < 3; i++)
		sector[12 + i] = bcd(msf[i]);
	sector[15] = 1; /* mode 1 */
	store_le(sector + 2064, detection_code(sector, 2064), 4);
	memset(sector + 2068, 0, 8);
	put_parity(sector + 12, 86, 24, 2, 86, untimes, sector + 2076);
	put_parity(sector + 12, 52, 43, 86, 88, untimes, sector + 2248);
}

void
mmc_expand(uint8_t *buf, uint64_t lba, uint32_t count)
{
	uint8_t untimes[256];

	for (unsigned v = 0; v < 256; v++)
		untimes[v ^ times_x(v)] = v;
	/* From the last one, since each moves up. */
	for (uint32_t i = count; i-- > 0;) {
		uint8_t *sector = buf + (size_t)i * CD_RAW_SECTOR;

		memmove(sector + 16, buf + (size_t)i * CD_SECTOR, CD_SECTOR);
		frame_sector(sector, lba + i, untimes);
	}
}
