/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Intel 82077AA floppy disk controller with up to two drives (data sheet 290166), in PC/AT wiring: ports
 * 3F0h-3F5h and 3F7h, DMA channel 2, IRQ 6.
 *
 * Media have the geometry that goes with their size; a sector holds 512 bytes.  A shorter image reads as zeros past its
 * end.  Data rates are checked, so that systems find a medium's density as they do on the real drive.  A transfer
 * seeks by itself.  Left out: FM, deleted data marks, scans, and the commands of the 82078.
 */
#include "hw/i82077.h"

#include "base/util.h"

#include <stdio.h>

/* ---- interrupt and results ---- */

static void
update(struct i82077 *f)
{
	bool gate = (f->state.dor & (DOR_DMA | DOR_RUN)) == (DOR_DMA | DOR_RUN);

	irq_set(&f->out, f->state.interrupt && gate);
}

void
i82077_set_interrupt(struct i82077 *f, bool on)
{
	f->state.interrupt = on;
	update(f);
}

void
i82077_enter_result(struct i82077 *f, unsigned len)
{
	f->state.phase = PHASE_RESULT;
	f->state.result_len = len;
	f->state.result_at = 0;
}

/* ---- reset and time ---- */

static void
step_fire(void *opaque)
{
	struct i82077 *f = opaque;
	uint8_t ended = f->state.seeking;

	for (unsigned drive = 0; drive < SELECTS; drive++) {
		if ((ended >> drive & 1) == 0)
			continue;
		f->state.tracks[drive] = f->state.targets[drive];
		if (i82077_media_in(f, drive) != NULL)
			f->state.changed[drive] = 0;
	}
	f->state.seeking = 0;
	f->state.sought |= ended;
	if (ended != 0)
		i82077_set_interrupt(f, true);
	if (f->state.phase == PHASE_EXECUTION && f->state.kind == KIND_IDENTIFY)
		i82077_read_id_done(f);
}

/* What DOR, DSR and power-on have in common. */
static void
controller_reset(struct i82077 *f)
{
	f->generation++;
	timer_cancel(&f->state.step);
	i82077_command_over(f);
	f->state.result_len = f->state.result_at = 0;
	f->state.seeking = f->state.sought = f->state.reset_senses = 0;
	f->state.port_ready = f->state.io_wanted = false;
	memset(f->state.tracks, 0, sizeof(f->state.tracks));
	f->state.perpendicular &= 0x3c;
	if (!f->state.locked) {
		f->state.config = CONFIG_NO_FIFO;
		f->state.precompensation = 0;
	}
	i82077_set_interrupt(f, false);
}

/* Out of reset all four drives are polled, and each change of their ready lines is told. */
static void
controller_start(struct i82077 *f)
{
	f->state.reset_senses = (f->state.config & CONFIG_NO_POLL) == 0 ? SELECTS : 0;
	i82077_set_interrupt(f, true);
}

/* ---- ports ---- */

static uint8_t
main_status(const struct i82077 *f)
{
	uint8_t status = f->state.seeking;

	if ((f->state.dor & DOR_RUN) == 0)
		return 0;
	switch (f->state.phase) {
	case PHASE_COMMAND:
		return status | MSR_READY | (f->state.command_len != 0 ? MSR_BUSY : 0);
	case PHASE_RESULT:
		return status | MSR_READY | MSR_TO_CPU | MSR_BUSY;
	default:
		status |= MSR_BUSY | (f->state.by_port ? MSR_NO_DMA : 0);
		if (f->state.port_ready)
			status |= MSR_READY | (f->state.kind == KIND_READ ? MSR_TO_CPU : 0);
		return status;
	}
}

static void
data_passed(struct i82077 *f)
{
	i82077_set_interrupt(f, false);
	if (f->state.data_at < f->state.data_len)
		return;
	f->state.port_ready = false;
	if (f->state.kind == KIND_READ)
		i82077_sector_done(f);
	else
		i82077_data_received(f);
}

static uint8_t
data_read(struct i82077 *f)
{
	uint8_t byte = 0;

	if (f->state.phase == PHASE_RESULT) {
		byte = f->state.result[f->state.result_at++];
		if (f->state.command[0] != 0x08)
			i82077_set_interrupt(f, f->state.sought != 0);
		if (f->state.result_at >= f->state.result_len)
			i82077_command_over(f);
	} else if (f->state.phase == PHASE_EXECUTION && f->state.port_ready && f->state.kind == KIND_READ) {
		byte = f->state.data[f->state.data_at++];
		data_passed(f);
	}
	return byte;
}

static void
data_write(struct i82077 *f, uint8_t byte)
{
	if ((f->state.dor & DOR_RUN) == 0)
		return;
	if (f->state.phase == PHASE_EXECUTION && f->state.port_ready && f->state.kind != KIND_READ) {
		f->state.data[f->state.data_at++] = byte;
		data_passed(f);
		return;
	}
	if (f->state.phase == PHASE_COMMAND)
		i82077_command(f, byte);
}

static void
dor_write(struct i82077 *f, uint8_t value)
{
	uint8_t old = f->state.dor;

	f->state.dor = value;
	if ((value & DOR_RUN) == 0)
		controller_reset(f);
	else if ((old & DOR_RUN) == 0)
		controller_start(f);
	update(f);
}

static void
dsr_write(struct i82077 *f, uint8_t value)
{
	f->state.dsr = value & ~DSR_RESET;
	f->state.rate = value & 3;
	if ((value & DSR_RESET) != 0 && (f->state.dor & DOR_RUN) != 0) {
		controller_reset(f);
		controller_start(f);
	}
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i82077 *f = opaque;

	(void)size;
	switch (offset) {
	case PORT_SRA:
		return f->state.interrupt ? 0x80 : 0;
	case PORT_SRB:
		return 0xc0 | (f->state.dor >> 4 & 3);
	case PORT_DOR:
		return f->state.dor;
	case PORT_TDR:
		return f->state.tdr;
	case PORT_MSR_DSR:
		return main_status(f);
	default:
		return data_read(f);
	}
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i82077 *f = opaque;

	(void)size;
	switch (offset) {
	case PORT_DOR:
		dor_write(f, value);
		break;
	case PORT_TDR:
		f->state.tdr = value & 3;
		break;
	case PORT_MSR_DSR:
		dsr_write(f, value);
		break;
	case PORT_DATA:
		data_write(f, value);
		break;
	}
}

static uint64_t
dir_read(void *opaque, uint64_t offset, unsigned size)
{
	struct i82077 *f = opaque;
	unsigned drive = f->state.dor & 3;

	(void)offset, (void)size;
	return drive < DRIVES && f->types[drive] != 0 && f->state.changed[drive] != 0 ? DIR_CHANGED : 0;
}

static void
ccr_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct i82077 *f = opaque;

	(void)offset, (void)size;
	f->state.rate = value & 3;
}

static const struct region_ops ports_ops = { ports_read, ports_write, 1, 1 };
static const struct region_ops dir_ops = { dir_read, ccr_write, 1, 1 };

/* ---- class ---- */

static const struct field fields[] = {
	FIELD_TIMER_OF(struct i82077, state.step),
	FIELD_BUFFER(struct i82077, state.data),
	FIELD_MAX(struct i82077, state.data_at, DISK_SECTOR),
	FIELD_MAX(struct i82077, state.data_len, DISK_SECTOR),
	FIELD_OF(struct i82077, state.dor),
	FIELD_OF(struct i82077, state.dsr),
	FIELD_OF(struct i82077, state.tdr),
	FIELD_MAX(struct i82077, state.rate, 3),
	FIELD_BUFFER(struct i82077, state.specify),
	FIELD_OF(struct i82077, state.config),
	FIELD_OF(struct i82077, state.precompensation),
	FIELD_OF(struct i82077, state.perpendicular),
	FIELD_MAX(struct i82077, state.locked, 1),
	FIELD_MAX(struct i82077, state.phase, PHASES - 1),
	FIELD_BUFFER(struct i82077, state.command),
	FIELD_MAX(struct i82077, state.command_len, 9),
	FIELD_BUFFER(struct i82077, state.result),
	FIELD_MAX(struct i82077, state.result_len, 10),
	FIELD_MAX(struct i82077, state.result_at, 10),
	FIELD_MAX(struct i82077, state.interrupt, 1),
	FIELD_MAX(struct i82077, state.reset_senses, SELECTS),
	FIELD_MAX(struct i82077, state.seeking, 15),
	FIELD_MAX(struct i82077, state.sought, 15),
	FIELD_BUFFER(struct i82077, state.seek_status),
	FIELD_BUFFER(struct i82077, state.tracks),
	FIELD_BUFFER(struct i82077, state.targets),
	FIELD_BUFFER(struct i82077, state.changed),
	FIELD_MAX(struct i82077, state.kind, KINDS - 1),
	FIELD_MAX(struct i82077, state.both_sides, 1),
	FIELD_MAX(struct i82077, state.deleted, 1),
	FIELD_MAX(struct i82077, state.by_port, 1),
	FIELD_MAX(struct i82077, state.port_ready, 1),
	FIELD_MAX(struct i82077, state.last_done, 1),
	FIELD_MAX(struct i82077, state.io_wanted, 1),
	FIELD_MAX(struct i82077, state.drive, SELECTS - 1),
	FIELD_MAX(struct i82077, state.side, 1),
	FIELD_OF(struct i82077, state.cylinder),
	FIELD_OF(struct i82077, state.head),
	FIELD_OF(struct i82077, state.sector),
	FIELD_OF(struct i82077, state.size_code),
	FIELD_OF(struct i82077, state.last_sector),
	FIELD_OF(struct i82077, state.left),
	FIELD_OF(struct i82077, state.filler),
	FIELD_BUFFER(struct i82077, state.reserved),
	FIELD_END
};

static void
i82077_reset(struct dev *d)
{
	struct i82077 *f = (struct i82077 *)d;

	f->state.locked = false;
	f->state.dor = f->state.dsr = f->state.tdr = 0;
	f->state.rate = 2;
	f->state.perpendicular = 0;
	memset(f->state.specify, 0, sizeof(f->state.specify));
	for (unsigned i = 0; i < DRIVES; i++)
		f->state.changed[i] = 1;
	controller_reset(f);
}

/* A request that was under way when the state was saved is made again. */
static bool
i82077_loaded(struct dev *d, struct err *e)
{
	struct i82077 *f = (struct i82077 *)d;

	(void)e;
	f->generation++;
	if (f->state.command_len >= sizeof(f->state.command) && f->state.phase == PHASE_COMMAND)
		i82077_command_over(f);
	if (f->state.phase == PHASE_RESULT && f->state.result_at >= f->state.result_len)
		i82077_command_over(f);
	if (f->state.data_at >= f->state.data_len || f->state.kind == KIND_VERIFY || f->state.kind == KIND_IDENTIFY)
		f->state.port_ready = false;
	if (f->state.io_wanted && f->state.phase == PHASE_EXECUTION && f->state.kind != KIND_IDENTIFY)
		i82077_request(f);
	update(f);
	return true;
}

static void
i82077_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct i82077 *f = (struct i82077 *)d;
	char line[256];

	for (unsigned i = 0; i < DRIVES; i++) {
		if (f->types[i] == 0)
			continue;
		snprintf(line, sizeof(line), "  floppy%u: %s, track %u\n", i,
			f->disks[i] != NULL ? disk_file(f->disks[i]) : "[not inserted]", f->state.tracks[i]);
		print(opaque, line);
	}
}

static void
i82077_destroy(struct dev *d)
{
	timer_cancel(&((struct i82077 *)d)->state.step);
}

static const struct dev_class i82077_class = {
	DEV_OF(i82077),
	.description = "floppy disk controller",
	.fields = fields,
	.reset = i82077_reset,
	.loaded = i82077_loaded,
	.info = i82077_info,
	.destroy = i82077_destroy,
};

/* The first drive is always there, the second one if it has a disk at the start; their kind is their first medium's. */
struct dev *
i82077_new(const struct dev_env *env, struct irq out, struct dev *dma, struct disk *drives[2])
{
	struct i82077 *f = (struct i82077 *)dev_new(env, &i82077_class, NULL);

	f->out = out;
	f->dma = dma;
	f->clock = env->clock;
	f->loop = env->loop;
	for (unsigned i = 0; i < DRIVES; i++) {
		f->disks[i] = drives[i];
		f->media[i] = i82077_media_of(drives[i]);
		if (f->media[i] != NULL)
			f->types[i] = f->media[i]->cmos_type;
	}
	if (f->types[0] == 0)
		f->types[0] = 4;
	timer_init(&f->state.step, env->clock, step_fire, f);
	region_init_io(&f->ports, "i82077", &ports_ops, f, 6);
	region_init_io(&f->dir_port, "i82077_dir", &dir_ops, f, 1);
	space_add(env->io, &f->ports, 0x3f0, 0);
	space_add(env->io, &f->dir_port, 0x3f7, 0);
	i82077_reset(&f->dev);
	return &f->dev;
}

uint8_t
i82077_cmos_types(struct dev *d)
{
	struct i82077 *f = (struct i82077 *)d;

	return f->types[0] << 4 | f->types[1];
}

void
i82077_change(struct dev *d, unsigned drive, struct disk *disk)
{
	struct i82077 *f = (struct i82077 *)d;

	if (drive >= DRIVES || f->types[drive] == 0)
		return;
	/* What was meant for the old disk doesn't go on with the new one. */
	if (f->state.phase == PHASE_EXECUTION && f->state.kind != KIND_IDENTIFY && f->state.drive == drive) {
		f->generation++;
		timer_cancel(&f->state.step);
		i82077_finish(f, ST0_ABNORMAL, ST1_NO_MARK, 0);
	}
	f->disks[drive] = disk;
	f->media[drive] = i82077_media_of(disk);
	f->state.changed[drive] = 1;
}
