/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a SCSI disk says about itself: INQUIRY, mode pages, capacity. */
#include "hw/scsi.h"

#include "base/util.h"
#include "disk/disk.h"

enum { UNMAP_BLOCKS = 1 << 22, UNMAP_RANGES = 255 };

static uint32_t
page_83(const struct scsi_unit *u, uint8_t *buf)
{
	size_t n = strlen(u->serial);

	/* A T10 designator of the unit: vendor and serial number. */
	buf[4] = 0x02;
	buf[5] = 0x01;
	buf[7] = 8 + n;
	memcpy(buf + 8, "CALQUE  ", 8);
	memcpy(buf + 16, u->serial, n);
	return 16 + n;
}

static uint32_t
vital_page(const struct scsi_unit *u, unsigned page, uint8_t *buf)
{
	static const uint8_t pages[] = { 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2 };
	unsigned count = u->cd ? 3 : sizeof(pages);
	uint32_t n;

	switch (page) {
	case 0x00:
		memcpy(buf + 4, pages, count);
		n = 4 + count;
		break;
	case 0x80:
		memcpy(buf + 4, u->serial, strlen(u->serial));
		n = 4 + strlen(u->serial);
		break;
	case 0x83:
		n = page_83(u, buf);
		break;
	case 0xb0:
		store_be(buf + 20, UNMAP_BLOCKS, 4);
		store_be(buf + 24, UNMAP_RANGES, 4);
		n = 64;
		break;
	case 0xb1:
		buf[5] = 1; /* nothing rotates */
		n = 64;
		break;
	case 0xb2:
		buf[5] = 0x80; /* UNMAP */
		n = 8;
		break;
	default:
		return 0;
	}
	if (page >= 0xb0 && u->cd)
		return 0;
	buf[0] = u->cd ? 5 : 0;
	buf[1] = page;
	store_be(buf + 2, n - 4, 2);
	return n;
}

uint32_t
scsi_inquiry(const struct scsi_unit *u, const uint8_t *cdb, uint8_t *buf)
{
	memset(buf, 0, 96);
	if (cdb[1] & 1)
		return vital_page(u, cdb[2], buf);
	if (cdb[2] != 0)
		return 0;
	buf[0] = u->cd ? 5 : 0;
	buf[1] = u->cd || u->removable ? 0x80 : 0;
	buf[2] = 5;     /* SPC-3 */
	buf[3] = 2;
	buf[4] = 31;
	memcpy(buf + 8, u->cd ? "CALQUE  DVD-ROM         0.1 " : "CALQUE  HARDDISK        0.1 ", 28);
	return 36;
}

static unsigned
put_page(uint8_t *p, unsigned code, unsigned wanted, const uint8_t *data, unsigned size)
{
	if (wanted != code && wanted != 0x3f)
		return 0;
	p[0] = code;
	p[1] = size;
	memcpy(p + 2, data, size);
	return 2 + size;
}

/* Both forms, by the code: 1Ah has a header of four bytes, 5Ah one of eight. */
uint32_t
scsi_mode_sense(const struct scsi_unit *u, const uint8_t *cdb, uint8_t *buf)
{
	/* Error recovery; caching with the write cache on; control. */
	static const uint8_t recovery[10] = { 0x80 }, caching[18] = { 0x04 }, control[10] = { 0x02 };
	bool ten = cdb[0] == 0x5a, block = (cdb[1] & 8) == 0, changeable = cdb[2] >> 6 == 1;
	unsigned head = ten ? 8 : 4, page = cdb[2] & 0x3f, first = head + (block ? 8 : 0);
	uint32_t n = first;

	memset(buf, 0, 128);
	n += put_page(buf + n, 0x01, page, recovery, sizeof(recovery));
	n += put_page(buf + n, 0x08, page, caching, sizeof(caching));
	n += put_page(buf + n, 0x0a, page, control, sizeof(control));
	if (n == first && page != 0x00)
		return 0;
	/* What can be changed: nothing. */
	for (uint32_t at = first; changeable && at < n; at += 2 + buf[at + 1])
		memset(buf + at + 2, 0, buf[at + 1]);
	if (block) {
		store_be(buf + head, u->blocks > 0xffffff ? 0xffffff : u->blocks, 4);
		store_be(buf + head + 5, u->block_bytes, 3);
	}
	store_be(buf, ten ? n - 2 : n - 1, ten ? 2 : 1);
	buf[ten ? 3 : 2] = 0x10 | (u->disk != NULL && disk_is_readonly(u->disk) ? 0x80 : 0); /* FUA works; write-protected */
	buf[ten ? 7 : 3] = block ? 8 : 0;
	return n;
}

uint32_t
scsi_capacity_10(const struct scsi_unit *u, uint8_t *buf)
{
	store_be(buf, MIN(u->blocks - 1, UINT32_MAX), 4);
	store_be(buf + 4, u->block_bytes, 4);
	return 8;
}

uint32_t
scsi_capacity_16(const struct scsi_unit *u, uint8_t *buf)
{
	memset(buf, 0, 32);
	store_be(buf, u->blocks - 1, 8);
	store_be(buf + 8, u->block_bytes, 4);
	buf[14] = u->cd ? 0 : 0x80; /* UNMAP */
	return 32;
}
