/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of ATA disks, and those that CD drives have beside PACKET; by "AT Attachment with Packet Interface - 7",
 * volume 1, with CHS translation and the power mode codes of ATA-1 that old systems use, and the TRIM of "ATA/ATAPI Command
 * Set - 2".
 *
 * Not there, and so aborted: the security, host protected area, overlap, streaming and long (ECC) features.
 */
#include "hw/ata.h"

#include "base/clock.h"
#include "base/util.h"
#include "disk/disk.h"

/* What a command needs and does before its function runs. */
enum {
	ON_DISK = 1 << 0,
	ON_CD = 1 << 1,
	ON_BOTH = ON_DISK | ON_CD,
	EXT = 1 << 2,     /* 48-bit addressing */
	WRITES = 1 << 3,
	WAKES = 1 << 4,   /* reaches the medium: the drive is active again */
	FUA = 1 << 5,
};

struct command {
	uint8_t first, last;
	uint16_t flags;
	void (*run)(struct ata_drive *d);
};

/* ---- addresses ---- */

/* The first sector; false: there is no such place. */
static bool
get_lba(const struct ata_drive *d, uint64_t *lba)
{
	const struct ata_state *s = d->s;
	const uint8_t *r = s->regs, *p = s->previous;
	uint64_t low = r[ATA_LOW] | r[ATA_MID] << 8 | r[ATA_HIGH] << 16;
	uint32_t cylinder = r[ATA_MID] | r[ATA_HIGH] << 8, head = r[ATA_DEVICE] & 15, sector = r[ATA_LOW];

	if (r[ATA_DEVICE] & ATA_USE_LBA) {
		*lba = s->lba48 ? low | (uint64_t)p[ATA_LOW] << 24 | (uint64_t)p[ATA_MID] << 32 | (uint64_t)p[ATA_HIGH] << 40 :
			low | (uint64_t)head << 24;
		return *lba < d->sectors;
	}
	*lba = ((uint64_t)cylinder * s->heads + head) * s->sectors + sector - 1;
	return !s->lba48 && sector != 0 && sector <= s->sectors && head < s->heads && cylinder < s->cylinders && *lba < d->sectors;
}

static uint32_t
get_count(const struct ata_drive *d)
{
	uint32_t n = d->s->regs[ATA_COUNT];

	if (!d->s->lba48)
		return n != 0 ? n : 256;
	n |= d->s->previous[ATA_COUNT] << 8;
	return n != 0 ? n : 65536;
}

/* Sets LBA and LEFT of a transfer.  False: it has failed, for it leaves the disk. */
static bool
begin(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	uint64_t lba;
	uint32_t count = get_count(d);

	if (!get_lba(d, &lba)) {
		ata_fail(d, ATA_IDNF);
		return false;
	}
	if (count > d->sectors - lba) {
		ata_put_lba(d, d->sectors);
		ata_fail(d, ATA_IDNF);
		return false;
	}
	s->lba = lba;
	s->left = count;
	s->sector_bytes = ATA_SECTOR;
	return true;
}

/* ---- data ---- */

static void
run_read(struct ata_drive *d)
{
	d->s->block = ATA_SECTOR;
	if (begin(d))
		ata_start(d, ATA_FETCH);
}

static void
run_read_multiple(struct ata_drive *d)
{
	d->s->block = d->s->multiple * ATA_SECTOR;
	if (d->s->multiple == 0) {
		d->s->block = ATA_SECTOR;
		ata_fail(d, ATA_ABRT);
	} else if (begin(d)) {
		ata_start(d, ATA_FETCH);
	}
}

static void
write_blocks(struct ata_drive *d)
{
	if (begin(d))
		ata_start_pio_out(d, ATA_SECTORS, MIN(d->s->left * ATA_SECTOR, ATA_BUFFER));
}

static void
run_write(struct ata_drive *d)
{
	d->s->block = ATA_SECTOR;
	write_blocks(d);
}

static void
run_write_multiple(struct ata_drive *d)
{
	if (d->s->multiple == 0) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	d->s->block = d->s->multiple * ATA_SECTOR;
	write_blocks(d);
}

static void
run_read_dma(struct ata_drive *d)
{
	d->s->pos = d->s->end = d->s->filled = 0;
	if (begin(d))
		ata_start(d, ATA_DMA_IN);
}

static void
run_write_dma(struct ata_drive *d)
{
	d->s->pos = d->s->end = d->s->filled = 0;
	if (begin(d))
		ata_start(d, ATA_DMA_OUT);
}

/* DATA SET MANAGEMENT: of its features there is TRIM. */
static void
run_trim(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	uint32_t blocks = get_count(d);

	if (s->regs[ATA_FEATURE] != 1 || blocks > ATA_TRIM_BLOCKS) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	s->pos = s->end = 0;
	s->filled = blocks * ATA_SECTOR;
	ata_start(d, ATA_RANGES_OUT);
}

static void
run_verify(struct ata_drive *d)
{
	d->s->pos = d->s->end = d->s->filled = 0;
	if (begin(d))
		ata_start(d, ATA_VERIFYING);
}

static void
run_seek(struct ata_drive *d)
{
	uint64_t lba;

	if (get_lba(d, &lba))
		ata_complete(d);
	else
		ata_fail(d, ATA_IDNF);
}

static void
run_read_buffer(struct ata_drive *d)
{
	ata_reply(d, ATA_SECTOR, ATA_SECTOR);
}

static void
run_write_buffer(struct ata_drive *d)
{
	d->s->block = ATA_SECTOR;
	ata_start_pio_out(d, ATA_BYTES, ATA_SECTOR);
}

static void
run_flush(struct ata_drive *d)
{
	if (d->disk != NULL)
		ata_start(d, ATA_FLUSHING);
	else
		ata_complete(d);
}

/* ---- settings ---- */

static void
run_recalibrate(struct ata_drive *d)
{
	ata_complete(d);
}

static void
run_parameters(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	uint32_t heads = (s->regs[ATA_DEVICE] & 15) + 1, sectors = s->regs[ATA_COUNT];

	if (sectors == 0) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	s->heads = heads;
	s->sectors = sectors;
	s->cylinders = MIN(d->sectors / (heads * sectors), 65535);
	ata_complete(d);
}

static void
run_set_multiple(struct ata_drive *d)
{
	unsigned n = d->s->regs[ATA_COUNT];

	if (n > ATA_MULTIPLE || (n & (n - 1)) != 0) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	d->s->multiple = n;
	ata_complete(d);
}

/* SET FEATURES 03h: the count register says kind and number.  True: the drive can do that. */
static bool
set_transfer_mode(struct ata_state *s)
{
	unsigned mode = s->regs[ATA_COUNT], n = mode & 7;

	switch (mode >> 3) {
	case 0: /* default PIO mode, with or without IORDY */
		s->pio_mode = 0;
		return n <= 1;
	case 1:
		if (n > 4)
			return false;
		s->pio_mode = mode;
		return true;
	case 4: /* multiword DMA */
		if (n > 2)
			return false;
		s->dma_mode = mode;
		return true;
	case 8: /* Ultra DMA */
		if (n > 5)
			return false;
		s->dma_mode = mode;
		return true;
	default:
		return false;
	}
}

static void
run_set_features(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	bool disk = d->kind == ATA_DISK, ok = true;

	switch (s->regs[ATA_FEATURE]) {
	case 0x02:
		ok = disk;
		s->no_write_cache = 0;
		break;
	case 0x82:
		ok = disk;
		if (disk) {
			s->no_write_cache = 1;
			run_flush(d);
			return;
		}
		break;
	case 0x03:
		ok = set_transfer_mode(s);
		break;
	case 0x55:
		ok = disk;
		s->no_look_ahead = 1;
		break;
	case 0xaa:
		ok = disk;
		s->no_look_ahead = 0;
		break;
	case 0x66:
		s->keep_settings = 1;
		break;
	case 0xcc:
		s->keep_settings = 0;
		break;
	default:
		ok = false;
	}
	if (ok)
		ata_complete(d);
	else
		ata_fail(d, ATA_ABRT);
}

/* ---- power ---- */

/* The standby timer's period as the count register codes it. */
static uint64_t
standby_period(uint8_t code)
{
	uint64_t minute = 60 * NS_PER_SEC;

	if (code <= 240)
		return code * 5 * NS_PER_SEC;
	if (code <= 251)
		return (code - 240) * 30 * minute;
	return code == 252 ? 21 * minute : code == 253 ? 8 * 60 * minute : code == 255 ? 21 * minute + 15 * NS_PER_SEC : 0;
}

static bool
in_standby(const struct ata_drive *d)
{
	const struct ata_state *s = d->s;

	return s->power == ATA_STANDBY || (s->standby_ns != 0 && clock_now(d->channel->clock) - s->used_ns >= s->standby_ns);
}

static void
run_standby_now(struct ata_drive *d)
{
	d->s->power = ATA_STANDBY;
	run_flush(d);
}

static void
run_standby(struct ata_drive *d)
{
	d->s->standby_ns = standby_period(d->s->regs[ATA_COUNT]);
	run_standby_now(d);
}

static void
run_idle_now(struct ata_drive *d)
{
	d->s->power = ATA_ACTIVE;
	ata_complete(d);
}

static void
run_idle(struct ata_drive *d)
{
	d->s->standby_ns = standby_period(d->s->regs[ATA_COUNT]);
	d->s->used_ns = clock_now(d->channel->clock);
	run_idle_now(d);
}

static void
run_check_power(struct ata_drive *d)
{
	d->s->regs[ATA_COUNT] = in_standby(d) ? 0x00 : 0xff;
	ata_complete(d);
}

static void
run_sleep(struct ata_drive *d)
{
	d->s->power = ATA_SLEEPING;
	run_flush(d);
}

/* ---- SMART ---- */

static void
seal(uint8_t page[512])
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 511; i++)
		sum += page[i];
	page[511] = -sum;
}

/* Attributes: what is true of a disk without a mechanism.  Thresholds stand in a page of the same layout. */
static void
smart_page(struct ata_drive *d, bool thresholds)
{
	uint64_t hours = clock_now(d->channel->clock) / (3600 * NS_PER_SEC);
	const struct {
		uint8_t id, flags, threshold;
		uint64_t raw;
	} attributes[] = {
		{ 5, 0x03, 36, 0 },     /* reallocated sectors */
		{ 9, 0x02, 0, hours },  /* power-on time */
		{ 12, 0x02, 0, 1 },     /* power cycles */
	};
	uint8_t *page = d->s->buffer;

	memset(page, 0, ATA_SECTOR);
	store_le(page, 0x0010, 2);
	for (size_t i = 0; i < ARRAY_SIZE(attributes); i++) {
		uint8_t *a = page + 2 + 12 * i;

		a[0] = attributes[i].id;
		if (thresholds) {
			a[1] = attributes[i].threshold;
			continue;
		}
		a[1] = attributes[i].flags;
		a[3] = a[4] = 100;
		store_le(a + 5, attributes[i].raw, 6);
	}
	if (!thresholds)
		store_le(page + 368, 0x0002, 2); /* attributes are saved by autosave */
	seal(page);
	ata_reply(d, ATA_SECTOR, ATA_SECTOR);
}

static void
run_smart(struct ata_drive *d)
{
	struct ata_state *s = d->s;
	uint8_t what = s->regs[ATA_FEATURE];

	if (s->regs[ATA_MID] != 0x4f || s->regs[ATA_HIGH] != 0xc2 || (s->smart_off && what != 0xd8)) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	switch (what) {
	case 0xd0:
		smart_page(d, false);
		return;
	case 0xd1:
		smart_page(d, true);
		return;
	case 0xd2:
		s->autosave_off = s->regs[ATA_COUNT] == 0;
		break;
	case 0xd3: /* save attributes */
	case 0xda: /* return status: 4Fh and C2h stand there, for all is well */
		break;
	case 0xd8:
		s->smart_off = 0;
		break;
	case 0xd9:
		s->smart_off = 1;
		break;
	default:
		ata_fail(d, ATA_ABRT);
		return;
	}
	ata_complete(d);
}

/* ---- identity ---- */

static void
run_identify(struct ata_drive *d)
{
	if (d->kind == ATA_CD) {
		ata_signature(d);
		ata_fail(d, ATA_ABRT);
		return;
	}
	ata_identify(d, d->s->buffer);
	ata_reply(d, ATA_SECTOR, ATA_SECTOR);
}

static void
run_identify_packet(struct ata_drive *d)
{
	ata_identify_packet(d, d->s->buffer);
	ata_reply(d, ATA_SECTOR, ATA_SECTOR);
}

/* READ SECTORS to a CD drive: it gives its signature, by which old BIOSes find it. */
static void
run_signature(struct ata_drive *d)
{
	ata_signature(d);
	ata_fail(d, ATA_ABRT);
}

static void
run_device_reset(struct ata_drive *d)
{
	uint8_t device = d->s->regs[ATA_DEVICE];

	ata_cancel(d);
	ata_signature(d);
	d->s->regs[ATA_DEVICE] = device & ATA_DEVICE_1;
	d->s->error = 1;
	d->s->status = 0;
	d->s->power = ATA_ACTIVE;
}

/* Both devices do it; the interrupt is that of device 0, which is selected afterwards. */
static void
run_diagnostic(struct ata_drive *d)
{
	struct ata_channel *ch = d->channel;

	ata_diagnose(ch);
	if (ata_is_present(&ch->drives[0]))
		ata_raise(&ch->drives[0]);
	else
		ata_update_irq(ch);
}

static void
run_nop(struct ata_drive *d)
{
	ata_fail(d, ATA_ABRT);
}

/* ---- the list ---- */

static const struct command commands[] = {
	{ 0x00, 0x00, ON_BOTH, run_nop },
	{ 0x06, 0x06, ON_DISK | WAKES | WRITES | EXT, run_trim },
	{ 0x08, 0x08, ON_CD, run_device_reset },
	{ 0x10, 0x1f, ON_DISK, run_recalibrate },
	{ 0x20, 0x21, ON_DISK | WAKES, run_read },
	{ 0x20, 0x20, ON_CD, run_signature },
	{ 0x24, 0x24, ON_DISK | WAKES | EXT, run_read },
	{ 0x25, 0x25, ON_DISK | WAKES | EXT, run_read_dma },
	{ 0x29, 0x29, ON_DISK | WAKES | EXT, run_read_multiple },
	{ 0x30, 0x31, ON_DISK | WAKES | WRITES, run_write },
	{ 0x34, 0x34, ON_DISK | WAKES | WRITES | EXT, run_write },
	{ 0x35, 0x35, ON_DISK | WAKES | WRITES | EXT, run_write_dma },
	{ 0x39, 0x39, ON_DISK | WAKES | WRITES | EXT, run_write_multiple },
	{ 0x3d, 0x3d, ON_DISK | WAKES | WRITES | EXT | FUA, run_write_dma },
	{ 0x40, 0x41, ON_DISK | WAKES, run_verify },
	{ 0x42, 0x42, ON_DISK | WAKES | EXT, run_verify },
	{ 0x70, 0x7f, ON_DISK | WAKES, run_seek },
	{ 0x90, 0x90, ON_BOTH, run_diagnostic },
	{ 0x91, 0x91, ON_DISK, run_parameters },
	{ 0x94, 0x94, ON_BOTH, run_standby_now },
	{ 0x95, 0x95, ON_BOTH, run_idle_now },
	{ 0x96, 0x96, ON_BOTH, run_standby },
	{ 0x97, 0x97, ON_BOTH, run_idle },
	{ 0x98, 0x98, ON_BOTH, run_check_power },
	{ 0x99, 0x99, ON_BOTH, run_sleep },
	{ 0xa0, 0xa0, ON_CD | WAKES, atapi_start },
	{ 0xa1, 0xa1, ON_CD, run_identify_packet },
	{ 0xb0, 0xb0, ON_DISK, run_smart },
	{ 0xc4, 0xc4, ON_DISK | WAKES, run_read_multiple },
	{ 0xc5, 0xc5, ON_DISK | WAKES | WRITES, run_write_multiple },
	{ 0xc6, 0xc6, ON_DISK, run_set_multiple },
	{ 0xc8, 0xc9, ON_DISK | WAKES, run_read_dma },
	{ 0xca, 0xcb, ON_DISK | WAKES | WRITES, run_write_dma },
	{ 0xce, 0xce, ON_DISK | WAKES | WRITES | EXT | FUA, run_write_multiple },
	{ 0xe0, 0xe0, ON_BOTH, run_standby_now },
	{ 0xe1, 0xe1, ON_BOTH, run_idle_now },
	{ 0xe2, 0xe2, ON_BOTH, run_standby },
	{ 0xe3, 0xe3, ON_BOTH, run_idle },
	{ 0xe4, 0xe4, ON_DISK, run_read_buffer },
	{ 0xe5, 0xe5, ON_BOTH, run_check_power },
	{ 0xe6, 0xe6, ON_BOTH, run_sleep },
	{ 0xe7, 0xe7, ON_BOTH | WAKES, run_flush },
	{ 0xe8, 0xe8, ON_DISK, run_write_buffer },
	{ 0xea, 0xea, ON_DISK | WAKES, run_flush },
	{ 0xec, 0xec, ON_BOTH, run_identify },
	{ 0xef, 0xef, ON_BOTH, run_set_features },
};

static const struct command *
find_command(const struct ata_drive *d, uint8_t code)
{
	unsigned on = d->kind == ATA_CD ? ON_CD : ON_DISK;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (code >= commands[i].first && code <= commands[i].last && (commands[i].flags & on))
			return &commands[i];
	return NULL;
}

void
ata_command(struct ata_drive *d, uint8_t code)
{
	struct ata_state *s = d->s;
	const struct command *c;
	bool reset = code == 0x08 && d->kind == ATA_CD;

	if (!ata_is_present(d)) {
		/* EXECUTE DEVICE DIAGNOSTIC is for both devices, whichever is selected. */
		if (code == 0x90 && ata_is_present(&d->channel->drives[0]))
			run_diagnostic(d);
		return;
	}
	s->intrq = 0;
	ata_update_irq(d->channel);
	if (((s->status & ATA_BSY) || s->power == ATA_SLEEPING) && !reset)
		return;
	ata_cancel(d);
	c = find_command(d, code);
	s->content = ATA_BYTES;
	s->error = 0;
	s->status = ATA_DRDY | ATA_DSC;
	s->lba48 = c != NULL && (c->flags & EXT);
	s->stable = c != NULL && (c->flags & FUA);
	if (c == NULL || ((c->flags & WRITES) && disk_is_readonly(d->disk))) {
		ata_fail(d, ATA_ABRT);
		return;
	}
	if (c->flags & WAKES) {
		s->power = ATA_ACTIVE;
		s->used_ns = clock_now(d->channel->clock);
	}
	c->run(d);
}
