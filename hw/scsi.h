/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A SCSI disk or CD drive, by "SCSI Primary Commands - 4", "SCSI Block Commands - 3" and "SCSI Multi-Media Commands - 5", for
 * whatever transports its commands.
 *
 * A command under way is wholly described by struct scsi_state; I/O of the host is in none of it and is started again from it
 * by scsi_resume(), as with IDE drives.
 */
#ifndef HW_SCSI_H
#define HW_SCSI_H

#include "hw/mmc.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk;
struct err;
struct scsi_request;

enum { SCSI_CDB = 16, SCSI_BUFFER = 128 * 1024 };

enum scsi_phase {
	SCSI_IDLE,      /* no command; that of the last one: status */
	SCSI_IN,        /* the transport takes bytes */
	SCSI_OUT,       /* the transport gives bytes */
	SCSI_FETCH,     /* the disk fills the buffer */
	SCSI_STORE,     /* the buffer goes to the disk */
	SCSI_FLUSH,     /* what was written becomes stable */
	SCSI_UNMAP,     /* ranges in the buffer are given up, one after the other */
	SCSI_PHASES,
};

enum { SCSI_GOOD = 0, SCSI_CHECK_CONDITION = 2 };

/* Guest-visible state.  No gaps: each byte stands in the field table. */
struct scsi_state {
	uint64_t lba;           /* next block to move */
	uint64_t left;          /* blocks that are still to be moved between disk and buffer */
	uint32_t pos, filled;   /* the transport is at POS of FILLED bytes, or of those wanted */
	uint8_t phase;
	uint8_t command;        /* its code */
	uint8_t status;
	uint8_t sense_key, asc, ascq;
	uint8_t stable;         /* FUA: the command ends with a flush */
	uint8_t attention;      /* a unit attention waits: its ASC */
	uint8_t attention_ascq;
	uint8_t tray_open, locked;
	uint8_t media_event;
	uint8_t stopped;
	uint8_t spare[3];       /* zero */
	uint8_t buffer[SCSI_BUFFER];
};

#define SCSI_FIELDS(type, member) \
	FIELD_OF(type, member.lba), FIELD_OF(type, member.left), FIELD_MAX(type, member.pos, SCSI_BUFFER), \
	FIELD_MAX(type, member.filled, SCSI_BUFFER), FIELD_MAX(type, member.phase, SCSI_PHASES - 1), \
	FIELD_OF(type, member.command), FIELD_OF(type, member.status), FIELD_MAX(type, member.sense_key, 15), \
	FIELD_OF(type, member.asc), FIELD_OF(type, member.ascq), FIELD_MAX(type, member.stable, 1), \
	FIELD_OF(type, member.attention), FIELD_OF(type, member.attention_ascq), \
	FIELD_MAX(type, member.tray_open, 1), FIELD_MAX(type, member.locked, 1), FIELD_MAX(type, member.media_event, 3), \
	FIELD_MAX(type, member.stopped, 1), FIELD_SKIP(type, member.spare), FIELD_BUFFER(type, member.buffer)

struct scsi_unit {
	struct scsi_state *s;
	struct disk *disk;      /* CD: NULL when the tray is empty */
	bool cd, removable;
	uint64_t blocks;
	uint32_t block_bytes;   /* 512; CD: 2048 */
	char serial[32];
	/* The command has left SCSI_FETCH, SCSI_STORE, SCSI_FLUSH or SCSI_UNMAP. */
	void (*changed)(void *opaque);
	void *opaque;
	uint32_t generation;    /* a request of another one is stale */
	struct scsi_request *request;
};

/* Makes a unit of what is zeroed but for changed and opaque. */
void scsi_init(struct scsi_unit *u, struct scsi_state *s, struct disk *disk, bool cd, bool removable, const char *serial);
void scsi_destroy(struct scsi_unit *u);
void scsi_reset(struct scsi_unit *u);
/* After a load: false with E set when the state is impossible. */
bool scsi_loaded(struct scsi_unit *u, struct err *e);

/* Starts the command in CDB, whose unused bytes are zero.  Phase and status say what comes of it. */
void scsi_start(struct scsi_unit *u, const uint8_t cdb[SCSI_CDB]);
/* What is under way is given up. */
void scsi_cancel(struct scsi_unit *u);
/* Bytes that can be taken or given at once; SCSI_IN and SCSI_OUT. */
size_t scsi_ready(const struct scsi_unit *u);
size_t scsi_take(struct scsi_unit *u, void *to, size_t len);
size_t scsi_give(struct scsi_unit *u, const void *from, size_t len);
/* Changes a CD: NULL opens the tray.  False: locked by the guest (FORCE overrides). */
bool scsi_change(struct scsi_unit *u, struct disk *disk, bool force);

/* ---- between the files ---- */

void scsi_fail(struct scsi_unit *u, uint8_t key, uint8_t asc, uint8_t ascq);
bool scsi_has_medium(const struct scsi_unit *u);
/* scsi_reply.c: as those of mmc.h, into BUF, 4 KiB. */
uint32_t scsi_inquiry(const struct scsi_unit *u, const uint8_t *cdb, uint8_t *buf);
uint32_t scsi_mode_sense(const struct scsi_unit *u, const uint8_t *cdb, uint8_t *buf);
uint32_t scsi_capacity_10(const struct scsi_unit *u, uint8_t *buf);
uint32_t scsi_capacity_16(const struct scsi_unit *u, uint8_t *buf);

#endif
