/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files of the 82077AA share: ports, reset and the class in i82077.c, commands in i82077_command.c, sectors on their
 * way in i82077_transfer.c.
 */
#ifndef HW_I82077_H
#define HW_I82077_H

#include "base/clock.h"
#include "disk/disk.h"
#include "hw/hw.h"

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

/* ---- i82077.c ---- */

void i82077_set_interrupt(struct i82077 *f, bool on);
/* LEN bytes of state.result can be read. */
void i82077_enter_result(struct i82077 *f, unsigned len);

/* ---- i82077_command.c ---- */

/* The next byte of a command, which is carried out with its last one. */
void i82077_command(struct i82077 *f, uint8_t byte);
void i82077_command_over(struct i82077 *f);
/* The disk has turned. */
void i82077_read_id_done(struct i82077 *f);

/* ---- i82077_transfer.c ---- */

/* NULL: there is none. */
const struct media *i82077_media_of(const struct disk *disk);
const struct media *i82077_media_in(const struct i82077 *f, unsigned drive);
bool i82077_is_protected(const struct i82077 *f, unsigned drive);
/* ST1's reason why the sector in turn can't be found; 0: it is there. */
uint8_t i82077_sector_missing(const struct i82077 *f);
void i82077_transfer(struct i82077 *f, enum kind kind);
void i82077_format(struct i82077 *f);
/* Reads or writes the sector in turn. */
void i82077_request(struct i82077 *f);
/* The sector in state.data was read through the port; a sector's data, or its ID when formatting, were written. */
void i82077_sector_done(struct i82077 *f);
void i82077_data_received(struct i82077 *f);
/* The seven bytes that end a transfer. */
void i82077_finish(struct i82077 *f, uint8_t st0, uint8_t st1, uint8_t st2);

#endif
