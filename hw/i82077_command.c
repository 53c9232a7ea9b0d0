/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The 82077AA's commands, and their list at the end. */
#include "hw/i82077.h"

#include "base/util.h"

static void
result_byte(struct i82077 *f, uint8_t byte)
{
	f->state.result[0] = byte;
	i82077_enter_result(f, 1);
}

/* ---- commands that move data ---- */

static void
cmd_read(struct i82077 *f)
{
	i82077_transfer(f, KIND_READ);
}

/* All data are normal, so that this stops after the first sector and says so. */
static void
cmd_read_deleted(struct i82077 *f)
{
	i82077_transfer(f, KIND_READ);
	f->state.deleted = true;
}

static void
cmd_read_track(struct i82077 *f)
{
	f->state.command[4] = 1;
	i82077_transfer(f, KIND_READ);
}

static void
cmd_write(struct i82077 *f)
{
	i82077_transfer(f, KIND_WRITE);
}

static void
cmd_verify(struct i82077 *f)
{
	i82077_transfer(f, KIND_VERIFY);
}

/* ---- other commands ---- */

void
i82077_command_over(struct i82077 *f)
{
	f->state.phase = PHASE_COMMAND;
	f->state.command_len = 0;
}

static void
cmd_specify(struct i82077 *f)
{
	memcpy(f->state.specify, f->state.command + 1, 2);
	i82077_command_over(f);
}

static void
cmd_sense_drive(struct i82077 *f)
{
	unsigned drive = f->state.command[1] & 3;

	result_byte(f, (f->state.command[1] & 7) | ST3_READY | ST3_TWO_SIDES |
		(f->state.tracks[drive] == 0 ? ST3_TRACK_0 : 0) | (i82077_is_protected(f, drive) ? ST3_PROTECTED : 0));
}

static void
seek_to(struct i82077 *f, unsigned drive, uint8_t target)
{
	f->state.targets[drive] = target;
	f->state.seek_status[drive] = ST0_SEEK_END | (f->state.command[1] & 7);
	f->state.seeking |= 1 << drive;
	timer_set(&f->state.step, clock_now(f->clock) + STEP_NS);
	i82077_command_over(f);
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

	i82077_set_interrupt(f, false);
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
	i82077_enter_result(f, 2);
	if (f->state.sought != 0)
		i82077_set_interrupt(f, true);
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
void
i82077_read_id_done(struct i82077 *f)
{
	const struct media *m = i82077_media_in(f, f->state.drive);

	f->state.sector = m != NULL ? f->state.sector % m->sectors + 1 : 1;
	if (i82077_sector_missing(f) != 0)
		i82077_finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	else
		i82077_finish(f, 0, 0, 0);
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
	i82077_enter_result(f, 10);
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
	i82077_command_over(f);
}

static void
cmd_configure(struct i82077 *f)
{
	f->state.config = f->state.command[2] & 0x7f;
	f->state.precompensation = f->state.command[3];
	i82077_command_over(f);
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
	{ 0xbf, 0x0d, 5, i82077_format },
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

void
i82077_command(struct i82077 *f, uint8_t byte)
{
	const struct command *c;

	f->state.command[f->state.command_len++] = byte;
	c = command_of(f->state.command[0]);
	if (f->state.command_len > c->operands)
		c->run(f);
}
