/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the IDE drives: a channel of two devices behind task file registers, as the controllers use it.
 *
 * ata.c has the registers and moves data, ata_command.c the commands of disks, ata_identify.c what drives say about
 * themselves, atapi.c the packets of CD drives, whose longer answers mmc.c has.
 *
 * A command under way is wholly described by struct ata_state: its phase, the next sector, how many are left, and the
 * bytes in the buffer.  I/O of the host is in none of it, and is started again from it by ata_resume(): after a load,
 * and after a request that a reset made stale has come home.
 */
#ifndef HW_ATA_H
#define HW_ATA_H

#include "base/dev.h"
#include "base/irq.h"
#include "hw/mmc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct disk;
struct ata_channel;

/* The task file, by the offset from the command block's first port. */
enum {
	ATA_DATA = 0,
	ATA_FEATURE = 1, /* read: error */
	ATA_COUNT = 2,   /* packets: interrupt reason */
	ATA_LOW = 3,
	ATA_MID = 4,     /* packets: byte count */
	ATA_HIGH = 5,
	ATA_DEVICE = 6,
	ATA_COMMAND = 7, /* read: status */
};

enum {
	ATA_BSY = 0x80, ATA_DRDY = 0x40, ATA_DF = 0x20, ATA_DSC = 0x10, ATA_DRQ = 0x08, ATA_ERR = 0x01,
	ATA_UNC = 0x40, ATA_IDNF = 0x10, ATA_ABRT = 0x04,
	ATA_USE_LBA = 0x40, ATA_DEVICE_1 = 0x10,
	ATA_HOB = 0x80, ATA_SRST = 0x04, ATA_NIEN = 0x02,
	/* Interrupt reason. */
	ATAPI_COD = 0x01, ATAPI_IO = 0x02,
};

enum {
	ATA_SECTOR = 512,
	ATA_BUFFER = 64 * 1024,      /* of PIO */
	ATA_REQUEST = 1024 * 1024,   /* the most that one request of the host moves */
	ATA_MULTIPLE = 16,           /* sectors of a DRQ block */
	ATA_TRIM_BLOCKS = 8,         /* sectors of ranges to be trimmed */
	ATAPI_PACKET = 12,
};

enum ata_kind { ATA_NONE, ATA_DISK, ATA_CD };

enum ata_phase {
	ATA_IDLE,
	ATA_PIO_IN,     /* the guest reads the buffer */
	ATA_PIO_OUT,    /* the guest fills the buffer */
	ATA_FETCH,      /* the disk fills the buffer */
	ATA_STORE,      /* the buffer goes to the disk */
	ATA_DMA_IN,     /* from the disk, or the buffer, to memory, once the bus master runs */
	ATA_DMA_OUT,
	ATA_VERIFYING,  /* sectors are read and forgotten */
	ATA_FLUSHING,   /* what is written becomes stable, then the command is complete */
	ATA_RANGES_OUT, /* DMA fills the buffer with ranges to be trimmed */
	ATA_TRIMMING,   /* they are, from POS on */
	ATA_PHASES,
};

/* What the bytes are that the guest writes in PIO_OUT. */
enum ata_content { ATA_SECTORS, ATA_BYTES, ATA_PACKET };

enum ata_power { ATA_ACTIVE, ATA_STANDBY, ATA_SLEEPING };

/* Guest-visible state of one drive.  No gaps: each byte stands in the field table. */
struct ata_state {
	uint64_t lba;            /* next sector to move */
	uint64_t left;           /* sectors that are still to be moved between disk and buffer or memory */
	uint64_t standby_ns;     /* the standby timer; 0: off */
	uint64_t used_ns;        /* when the last command came */
	uint32_t filled;         /* bytes in the buffer, or wanted there */
	uint32_t pos, end;       /* the guest is at POS; its DRQ block ends at END */
	uint32_t block;          /* bytes of a DRQ block */
	uint32_t cylinders, heads, sectors; /* the translation in force */
	uint32_t sector_bytes;   /* as the guest sees them: 512, 2048, 2352 */
	uint8_t phase, content;
	uint8_t status, error;
	uint8_t regs[8], previous[8]; /* the task file as written, and before that (HOB) */
	uint8_t intrq;
	uint8_t lba48;           /* the command under way uses 48 bits */
	uint8_t careful;         /* one sector at a time, to find the bad one */
	uint8_t stable;          /* FUA: the command ends with a flush */
	uint8_t multiple;        /* sectors of READ MULTIPLE; 0: off */
	uint8_t dma_mode, pio_mode; /* as SET FEATURES codes them; dma_mode 0: none chosen */
	uint8_t no_write_cache, no_look_ahead, keep_settings;
	uint8_t smart_off, autosave_off;
	uint8_t power;
	/* CD drives. */
	uint8_t packet_dma;
	uint8_t sense_key, asc, ascq;
	uint8_t unit_attention;  /* medium changed */
	uint8_t tray_open, locked;
	uint8_t media_event;     /* to be told by GET EVENT STATUS NOTIFICATION */
	uint8_t spare[7];        /* zero */
	uint8_t buffer[ATA_BUFFER];
};

struct ata_channel_state {
	uint8_t control;
	uint8_t selected;        /* device 0 or 1 */
	uint8_t in_reset;
	uint8_t spare[5];        /* zero */
};

/* Rows of a field table for the drive or channel at MEMBER of TYPE. */
#define ATA_DRIVE_FIELDS(type, member) \
	FIELD_OF(type, member.lba), FIELD_OF(type, member.left), FIELD_OF(type, member.standby_ns), \
	FIELD_OF(type, member.used_ns), FIELD_MAX(type, member.filled, ATA_BUFFER), FIELD_MAX(type, member.pos, ATA_BUFFER), \
	FIELD_MAX(type, member.end, ATA_BUFFER), FIELD_MAX(type, member.block, ATA_BUFFER), \
	FIELD_MAX(type, member.cylinders, 65535), FIELD_MAX(type, member.heads, 16), \
	FIELD_MAX(type, member.sectors, 255), FIELD_MAX(type, member.sector_bytes, CD_RAW_SECTOR), \
	FIELD_MAX(type, member.phase, ATA_PHASES - 1), FIELD_MAX(type, member.content, ATA_PACKET), \
	FIELD_OF(type, member.status), FIELD_OF(type, member.error), FIELD_ARRAY(type, member.regs), \
	FIELD_ARRAY(type, member.previous), FIELD_MAX(type, member.intrq, 1), FIELD_MAX(type, member.lba48, 1), \
	FIELD_MAX(type, member.careful, 1), FIELD_MAX(type, member.stable, 1), FIELD_MAX(type, member.multiple, ATA_MULTIPLE), \
	FIELD_OF(type, member.dma_mode), FIELD_OF(type, member.pio_mode), FIELD_MAX(type, member.no_write_cache, 1), \
	FIELD_MAX(type, member.no_look_ahead, 1), FIELD_MAX(type, member.keep_settings, 1), \
	FIELD_MAX(type, member.smart_off, 1), FIELD_MAX(type, member.autosave_off, 1), \
	FIELD_MAX(type, member.power, ATA_SLEEPING), \
	FIELD_MAX(type, member.packet_dma, 1), FIELD_MAX(type, member.sense_key, 15), FIELD_OF(type, member.asc), \
	FIELD_OF(type, member.ascq), FIELD_MAX(type, member.unit_attention, 1), FIELD_MAX(type, member.tray_open, 1), \
	FIELD_MAX(type, member.locked, 1), FIELD_MAX(type, member.media_event, 3), FIELD_SKIP(type, member.spare), \
	FIELD_BUFFER(type, member.buffer)

#define ATA_CHANNEL_FIELDS(type, member) \
	FIELD_OF(type, member.control), FIELD_MAX(type, member.selected, 1), FIELD_MAX(type, member.in_reset, 1), \
	FIELD_SKIP(type, member.spare)

/* The bus master of a channel. */
struct ata_dma {
	/* Is it started, in this direction? */
	bool (*ready)(void *opaque, bool to_memory);
	/* Moves on through the guest's memory.  Less than LEN: the list of regions came to its end, or failed. */
	size_t (*to_memory)(void *opaque, const void *from, size_t len);
	/* The same, but the place in the list does not count until commit(). */
	size_t (*from_memory)(void *opaque, void *to, size_t len);
	void (*commit)(void *opaque);
	/* The drive's interrupt line rose. */
	void (*interrupt)(void *opaque);
};

/* One request of the host; the buffer is its own, since it may outlive the command and even the drive. */
struct ata_request {
	struct ata_drive *drive; /* NULL: gone */
	bool busy;
	uint32_t generation;
	uint32_t sectors;
	size_t size;
	uint8_t *buf;
};

struct ata_drive {
	struct ata_channel *channel;
	struct ata_state *s;
	enum ata_kind kind;
	struct disk *disk;       /* CD: NULL when the tray is empty */
	uint64_t sectors;        /* of 512 bytes; CD: of 2048 */
	uint32_t cylinders, heads, spt; /* as IDENTIFY says them */
	char serial[21];
	uint32_t generation;     /* a request of another one is stale */
	struct ata_request *request;
};

struct ata_channel {
	struct clock *clock;
	struct ata_channel_state *s;
	struct ata_drive drives[2];
	struct irq irq;
	bool line;               /* INTRQ as it is driven */
	const struct ata_dma *dma;
	void *dma_opaque;
};

/* ---- for controllers ---- */

/* Makes a drive of what is zeroed.  DISK may be NULL for a CD, and for no drive; SERIAL: 20 characters at the most. */
void ata_drive_init(struct ata_drive *d, struct ata_channel *ch, struct ata_state *s, enum ata_kind kind, struct disk *disk,
	const char *serial);
void ata_drive_destroy(struct ata_drive *d);
void ata_channel_reset(struct ata_channel *ch); /* power on, or the bus's reset */
/* After a load: false with E set when the state is impossible. */
bool ata_channel_loaded(struct ata_channel *ch, struct err *e);

/* OFFSET from the command block (1F0h); the data port takes 1 to 4 bytes at once. */
uint64_t ata_read(struct ata_channel *ch, unsigned offset, unsigned size);
void ata_write(struct ata_channel *ch, unsigned offset, uint32_t value, unsigned size);
uint8_t ata_alt_status(struct ata_channel *ch);
void ata_control(struct ata_channel *ch, uint8_t value);

/* The bus master was started: moves what waits for it. */
void ata_dma_started(struct ata_channel *ch);
/* The bus master was stopped: what is under way between disk and memory is given up. */
void ata_dma_stopped(struct ata_channel *ch);

/* See piix3_ide_change(). */
bool atapi_change(struct ata_drive *d, struct disk *disk, bool force);

/* ---- between the files ---- */

bool ata_is_present(const struct ata_drive *d);
void ata_set_geometry(struct ata_drive *d);   /* ata_identify.c: from the size and the partition table */
void ata_default_settings(struct ata_drive *d, bool power_on);
void ata_signature(struct ata_drive *d);
void ata_diagnose(struct ata_channel *ch);
void ata_cancel(struct ata_drive *d);
void ata_raise(struct ata_drive *d);
void ata_update_irq(struct ata_channel *ch);

/* How a command ends; each raises the interrupt. */
void ata_complete(struct ata_drive *d);
void ata_fail(struct ata_drive *d, uint8_t error);
/* How one goes on. */
/* LEN bytes stand in the buffer: PIO to the guest, in blocks of BLOCK. */
void ata_reply(struct ata_drive *d, uint32_t len, uint32_t block);
void ata_start_pio_out(struct ata_drive *d, enum ata_content content, uint32_t len); /* the guest's next LEN bytes */
void ata_start(struct ata_drive *d, enum ata_phase phase); /* of those that need the disk or the bus master */
void ata_resume(struct ata_drive *d);

void ata_command(struct ata_drive *d, uint8_t command);
void ata_identify(const struct ata_drive *d, uint8_t page[512]);
void ata_identify_packet(const struct ata_drive *d, uint8_t page[512]);

/* LBA into the task file, as the command's addressing says it. */
void ata_put_lba(struct ata_drive *d, uint64_t lba);

void atapi_start(struct ata_drive *d);        /* command PACKET */
void atapi_packet(struct ata_drive *d);       /* the packet is in the buffer */
void atapi_data_ready(struct ata_drive *d);   /* another block for the guest: byte count and reason */
void atapi_complete(struct ata_drive *d);
void atapi_fail(struct ata_drive *d, uint8_t key, uint8_t asc, uint8_t ascq);
void atapi_medium_error(struct ata_drive *d);
bool atapi_has_medium(const struct ata_drive *d);
/* SIZE bytes of REPLY stand in the buffer; the guest gets ALLOCATED at the most. */
void atapi_reply(struct ata_drive *d, uint32_t size, uint32_t allocated);

#endif
