/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What CD and DVD drives of any bus answer, by "SCSI Multi-Media Commands - 5". */
#ifndef HW_MMC_H
#define HW_MMC_H

#include <stdbool.h>
#include <stdint.h>

/* Big-endian load and store, as all of SCSI is. */
static inline uint64_t
load_be(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

static inline void
store_be(uint8_t *p, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = v >> 8 * (size - 1 - i);
}

enum {
	CD_SECTOR = 2048,
	CD_RAW_SECTOR = 2352,
};

/* A drive as it is now. */
struct mmc_drive {
	uint64_t sectors;    /* of 2048 bytes */
	const char *serial;
	bool medium;         /* there is a disc, and the tray is closed */
	bool tray_open, locked;
	uint8_t event;       /* to be told by GET EVENT STATUS NOTIFICATION, which clears it */
};

enum { MMC_EJECT_WISH = 1, MMC_NEW = 2, MMC_REMOVED = 3 };

/* Answers to packets: each puts it into BUF (zeroed, 4 KiB at least) and returns its size, 0: invalid field in packet. */
uint32_t mmc_toc(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_inquiry(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_mode_sense(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf); /* of 10 bytes */
uint32_t mmc_configuration(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_event_status(struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_disc_info(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_track_info(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_disc_structure(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);
uint32_t mmc_subchannel(const struct mmc_drive *d, const uint8_t *packet, uint8_t *buf);

/* COUNT sectors of 2048 bytes to raw ones of 2352, in place. */
void mmc_expand(uint8_t *buf, uint64_t lba, uint32_t count);

#endif
