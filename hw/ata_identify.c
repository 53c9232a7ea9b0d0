/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What drives say about themselves: the pages of IDENTIFY DEVICE and IDENTIFY PACKET DEVICE, by "AT Attachment with
 * Packet Interface - 7", volume 1, and a disk's geometry.
 */
#include "hw/ata.h"

#include "base/util.h"
#include "disk/disk.h"

enum {
	HEADS = 16,
	SECTORS = 63,
	MOST_CYLINDERS = 16383,
};

static void
put_word(uint8_t *page, unsigned word, uint16_t v)
{
	store_le(page + 2 * word, v, 2);
}

/* ASCII as ATA has it: padded with spaces, the first of two characters in the high byte. */
static void
put_string(uint8_t *page, unsigned word, unsigned words, const char *text)
{
	for (unsigned i = 0; i < 2 * words; i++) {
		page[2 * word + (i ^ 1)] = *text != '\0' ? *text : ' ';
		if (*text != '\0')
			text++;
	}
}

/* ---- geometry ---- */

/* A partition whose last head and sector are known tells what the disk was partitioned with. */
static bool
geometry_of_partition(struct ata_drive *d, const uint8_t *entry)
{
	uint32_t heads = entry[5] + 1u, sectors = entry[6] & 63, cylinders;

	if (load_le(entry + 12, 4) == 0 || heads < 2 || heads > HEADS || sectors == 0)
		return false;
	cylinders = d->sectors / (heads * sectors);
	if (cylinders == 0 || cylinders > MOST_CYLINDERS)
		return false;
	d->cylinders = cylinders;
	d->heads = heads;
	d->spt = sectors;
	return true;
}

void
ata_set_geometry(struct ata_drive *d)
{
	uint64_t cylinders = d->sectors / (HEADS * SECTORS);
	uint8_t boot[ATA_SECTOR];

	d->heads = HEADS;
	d->spt = SECTORS;
	d->cylinders = MAX(MIN(cylinders, MOST_CYLINDERS), 1);
	if (d->kind != ATA_DISK || disk_read_sync(d->disk, 0, boot, sizeof(boot)) != 0 || load_le(boot + 510, 2) != 0xaa55)
		return;
	for (unsigned i = 0; i < 4; i++)
		if (geometry_of_partition(d, boot + 446 + 16 * i))
			return;
}

/* ---- pages ---- */

static void
put_modes(const struct ata_state *s, uint8_t *page)
{
	unsigned kind = s->dma_mode >> 3, chosen = 0x100 << (s->dma_mode & 7);

	put_word(page, 51, 0x0200);
	put_word(page, 53, 0x0007);
	put_word(page, 63, 0x0007 | (kind == 4 ? chosen : 0));
	put_word(page, 64, 0x0003);
	for (unsigned w = 65; w <= 68; w++)
		put_word(page, w, 120);
	put_word(page, 88, 0x003f | (kind == 8 ? chosen : 0));
}

/* Word 93: an 80-conductor cable, and the device number by its jumper. */
static uint16_t
reset_result(const struct ata_drive *d)
{
	return d == &d->channel->drives[0] ? 0x600b : 0x6b00;
}

static void
put_checksum(uint8_t *page)
{
	uint8_t sum = 0;

	page[510] = 0xa5;
	for (unsigned i = 0; i < 511; i++)
		sum += page[i];
	page[511] = -sum;
}

static void
put_capacity(const struct ata_drive *d, uint8_t *page)
{
	const struct ata_state *s = d->s;
	uint64_t chs = MIN((uint64_t)s->cylinders * s->heads * s->sectors, 0xffffffff);

	put_word(page, 1, d->cylinders);
	put_word(page, 3, d->heads);
	put_word(page, 6, d->spt);
	put_word(page, 54, s->cylinders);
	put_word(page, 55, s->heads);
	put_word(page, 56, s->sectors);
	store_le(page + 2 * 57, chs, 4);
	store_le(page + 2 * 60, MIN(d->sectors, 0x0fffffff), 4);
	store_le(page + 2 * 100, d->sectors, 8);
}

/* Words 82 to 87: what there is, and what of it is switched on. */
static void
put_features(const struct ata_state *s, uint8_t *page)
{
	unsigned off = (s->smart_off ? 0x0001 : 0) | (s->no_write_cache ? 0x0020 : 0) | (s->no_look_ahead ? 0x0040 : 0);
	unsigned features = 0x7069; /* NOP, READ and WRITE BUFFER, look-ahead, write cache, power management, SMART */

	put_word(page, 82, features);
	put_word(page, 83, 0x7400); /* FLUSH CACHE, FLUSH CACHE EXT, 48-bit addresses */
	put_word(page, 84, 0x4040); /* WRITE DMA FUA EXT */
	put_word(page, 85, features & ~off);
	put_word(page, 86, 0x3400);
	put_word(page, 87, 0x4040);
}

void
ata_identify(const struct ata_drive *d, uint8_t page[512])
{
	const struct ata_state *s = d->s;

	memset(page, 0, 512);
	put_word(page, 0, 0x0040);
	put_string(page, 10, 10, d->serial);
	put_string(page, 23, 4, "0.1");
	put_string(page, 27, 20, "CALQUE HARDDISK");
	put_word(page, 47, 0x8000 | ATA_MULTIPLE);
	put_word(page, 48, 0x0001); /* 32-bit accesses to the data port */
	put_word(page, 49, 0x2f00); /* standard standby timer, IORDY, LBA, DMA */
	put_word(page, 50, 0x4000);
	put_word(page, 59, s->multiple != 0 ? 0x100 | s->multiple : 0);
	put_capacity(d, page);
	put_modes(s, page);
	put_word(page, 80, 0x00f0); /* ATA/ATAPI-4 to -7 */
	put_word(page, 105, ATA_TRIM_BLOCKS);
	put_word(page, 169, 0x0001); /* TRIM */
	put_features(s, page);
	put_word(page, 93, reset_result(d));
	put_word(page, 106, 0x4000); /* physical sectors are logical ones */
	put_checksum(page);
}

void
ata_identify_packet(const struct ata_drive *d, uint8_t page[512])
{
	memset(page, 0, 512);
	put_word(page, 0, 0x85c0); /* CD, removable, DRQ within 50 us, packets of 12 bytes */
	put_string(page, 10, 10, d->serial);
	put_string(page, 23, 4, "0.1");
	put_string(page, 27, 20, "CALQUE DVD-ROM");
	put_word(page, 48, 0x0001);
	put_word(page, 49, 0x0f00); /* IORDY, LBA, DMA */
	put_modes(d->s, page);
	put_word(page, 53, 0x0006);
	put_word(page, 80, 0x00f0);
	put_word(page, 82, 0x4218); /* NOP, DEVICE RESET, PACKET, power management */
	put_word(page, 83, 0x4000);
	put_word(page, 84, 0x4000);
	put_word(page, 85, 0x4218);
	put_word(page, 87, 0x4000);
	put_word(page, 93, reset_result(d));
	put_checksum(page);
}
