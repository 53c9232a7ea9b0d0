/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A USB disk or CD drive: "Universal Serial Bus Mass Storage Class, Bulk-Only Transport", revision 1.0, around a SCSI unit.
 *
 * What comes to less than the host asked for ends with a short packet, never with a stall; what the host sends beyond what
 * the command takes is swallowed.  Only a command block that is none stalls.
 */
#include "hw/usb.h"

#include "base/err.h"
#include "base/util.h"
#include "hw/scsi.h"

#include <stdio.h>

enum {
	BULK_IN = 0x81,
	BULK_OUT = 0x02,
	CBW_SIZE = 31,
	CSW_SIZE = 13,
	CBW_SIGNATURE = 0x43425355,
	CSW_SIGNATURE = 0x53425355,
	REQUEST_RESET = 0xff,
	REQUEST_MAX_LUN = 0xfe,
	CSW_FAILED = 1,
	CSW_PHASE_ERROR = 2,
};

enum bot_phase { BOT_COMMAND, BOT_DATA, BOT_STATUS, BOT_PHASES };

struct usb_storage {
	struct usb_dev usb;
	struct scsi_unit unit;
	struct {
		struct usb_state usb;
		struct scsi_state scsi;
		uint32_t tag;
		uint32_t left;     /* bytes that the host still expects to be moved */
		uint32_t residue;  /* of them all, those that meant nothing */
		uint8_t phase;
		uint8_t in;        /* data goes to the host */
		uint8_t confused;  /* host and command disagree about the data */
		uint8_t spare[1];  /* zero */
	} state;
};

static const struct usb_info storage_info = {
	.vendor = 0x46f4, .product = 0x0001, .release = 0x0100, .interface_class = 8, .interface_subclass = 6,
	.interface_protocol = 0x50, .attributes = 0x80, .power = 50, .maker = "Calque", .name = "USB Storage", .endpoint_count = 2,
	.endpoints = {
		{ BULK_IN, USB_BULK, { 8, 64, 512, 1024 }, { 0 } },
		{ BULK_OUT, USB_BULK, { 8, 64, 512, 1024 }, { 0 } },
	},
};

static struct usb_storage *
storage_of(struct usb_dev *d)
{
	return CONTAINER_OF(d, struct usb_storage, usb);
}

/* ---- the transport ---- */

static void
confuse(struct usb_storage *b)
{
	scsi_cancel(&b->unit);
	b->state.confused = true;
}

/* What the command wants to move has to go the way, and be no more than, what the host expects. */
static void
check_direction(struct usb_storage *b)
{
	uint8_t phase = b->state.scsi.phase;
	bool in = phase == SCSI_IN || phase == SCSI_FETCH, out = phase == SCSI_OUT;

	if ((in && (!b->state.in || b->state.left == 0)) || (out && (b->state.in || b->state.left == 0)))
		confuse(b);
}

static enum usb_answer
take_command(struct usb_storage *b, struct usb_packet *p)
{
	const uint8_t *cbw = p->data;
	uint8_t cdb[SCSI_CDB] = { 0 };
	unsigned length = p->size == CBW_SIZE ? cbw[14] & 31 : 0;

	if (p->size != CBW_SIZE || load_le(cbw, 4) != CBW_SIGNATURE || cbw[13] != 0 || length < 1 || length > SCSI_CDB) {
		guest_bug(&b->usb.dev, "a packet of %u bytes is no command block", p->size);
		usb_halt(&b->usb, BULK_IN);
		usb_halt(&b->usb, BULK_OUT);
		return USB_STALL;
	}
	memcpy(cdb, cbw + 15, length);
	b->state.tag = load_le(cbw + 4, 4);
	b->state.left = b->state.residue = load_le(cbw + 8, 4);
	b->state.in = cbw[12] >> 7;
	b->state.confused = false;
	p->done = p->size;
	p->ended = true;
	scsi_start(&b->unit, cdb);
	check_direction(b);
	b->state.phase = b->state.left > 0 ? BOT_DATA : BOT_STATUS;
	return USB_ACK;
}

/* Whole packets, unless all of it is less. */
static uint32_t
cut(struct usb_storage *b, uint32_t n, uint32_t wanted, uint8_t endpoint)
{
	return n < wanted ? n - n % usb_packet_size(&b->usb, endpoint) : wanted;
}

static enum usb_answer
data_in(struct usb_storage *b, struct usb_packet *p)
{
	uint32_t wanted = MIN(p->size, b->state.left), n;

	if (b->state.scsi.phase > SCSI_OUT)
		return USB_NAK;
	if (b->state.scsi.phase == SCSI_IN) {
		n = MIN(wanted, scsi_ready(&b->unit));
		if (b->state.scsi.left > 0)
			n = cut(b, n, wanted, BULK_IN);
		p->done = scsi_take(&b->unit, p->data, n);
		b->state.left -= p->done;
		b->state.residue -= p->done;
	}
	if (b->state.left == 0) {
		/* The host has what it asked for; if there is more, it didn't want it. */
		if (b->state.scsi.phase != SCSI_IDLE)
			scsi_cancel(&b->unit);
		b->state.phase = BOT_STATUS;
		p->ended = true;
	} else if (b->state.scsi.phase == SCSI_IDLE && p->done < p->size) {
		b->state.left = 0;
		b->state.phase = BOT_STATUS;
		p->ended = true;
	}
	return USB_ACK;
}

static enum usb_answer
data_out(struct usb_storage *b, struct usb_packet *p)
{
	uint32_t wanted = MIN(p->size, b->state.left);

	if (b->state.scsi.phase > SCSI_OUT)
		return USB_NAK;
	if (b->state.scsi.phase == SCSI_OUT) {
		uint32_t n = MIN(wanted, scsi_ready(&b->unit));

		p->done = scsi_give(&b->unit, p->data, cut(b, n, wanted, BULK_OUT));
		/* A packet that has only partly a place is the end of what the command takes. */
		if (p->done == 0)
			confuse(b);
		b->state.residue -= p->done;
	}
	if (b->state.scsi.phase == SCSI_IDLE && p->done == 0)
		p->done = p->size;
	b->state.left -= MIN(p->done, b->state.left);
	if (b->state.left == 0) {
		if (b->state.scsi.phase == SCSI_OUT)
			confuse(b);
		b->state.phase = BOT_STATUS;
		p->ended = true;
	}
	return USB_ACK;
}

static enum usb_answer
give_status(struct usb_storage *b, struct usb_packet *p)
{
	if (b->state.scsi.phase != SCSI_IDLE)
		return USB_NAK;
	if (p->size < CSW_SIZE)
		return USB_BABBLE;
	store_le(p->data, CSW_SIGNATURE, 4);
	store_le(p->data + 4, b->state.tag, 4);
	store_le(p->data + 8, b->state.residue, 4);
	p->data[12] = b->state.confused ? CSW_PHASE_ERROR : b->state.scsi.status != SCSI_GOOD ? CSW_FAILED : 0;
	p->done = CSW_SIZE;
	p->ended = true;
	b->state.phase = BOT_COMMAND;
	return USB_ACK;
}

static enum usb_answer
storage_data(struct usb_dev *d, struct usb_packet *p)
{
	struct usb_storage *b = storage_of(d);
	bool in = p->pid == USB_IN;

	switch (b->state.phase) {
	case BOT_DATA:
		if (in != (b->state.in != 0))
			return USB_STALL;
		return in ? data_in(b, p) : data_out(b, p);
	case BOT_STATUS:
		return in ? give_status(b, p) : USB_STALL;
	default:
		return in ? USB_STALL : take_command(b, p);
	}
}

/* ---- requests ---- */

static void
start_over(struct usb_storage *b)
{
	scsi_cancel(&b->unit);
	b->state.phase = BOT_COMMAND;
	b->state.tag = b->state.left = b->state.residue = 0;
	b->state.in = b->state.confused = 0;
}

static int
storage_control(struct usb_dev *d, const struct usb_setup *s, uint8_t *data)
{
	if ((s->type & 0x7f) != (USB_TYPE_CLASS | USB_TO_INTERFACE) || s->index != 0 || s->value != 0)
		return -1;
	if (s->request == REQUEST_RESET && !(s->type & USB_TYPE_IN)) {
		start_over(storage_of(d));
		return 0;
	}
	if (s->request != REQUEST_MAX_LUN || !(s->type & USB_TYPE_IN))
		return -1;
	data[0] = 0;
	return 1;
}

static void
storage_stopped(struct usb_dev *d)
{
	start_over(storage_of(d));
}

/* The disk is through with something: status, or more data. */
static void
unit_changed(void *opaque)
{
	struct usb_storage *b = opaque;

	usb_ready(&b->usb, b->state.phase == BOT_DATA && !b->state.in ? BULK_OUT : BULK_IN);
}

static const struct usb_ops storage_ops = {
	.info = &storage_info, .speeds = 1 << USB_FULL | 1 << USB_HIGH | 1 << USB_SUPER, .stopped = storage_stopped,
	.control = storage_control, .data = storage_data,
};

/* ---- the class ---- */

static void
storage_reset(struct dev *d)
{
	struct usb_storage *b = (struct usb_storage *)d;

	usb_reset(&b->usb);
	scsi_reset(&b->unit);
}

static bool
storage_loaded(struct dev *d, struct err *e)
{
	struct usb_storage *b = (struct usb_storage *)d;

	memset(b->state.spare, 0, sizeof(b->state.spare));
	if (!usb_loaded(&b->usb, e))
		return false;
	if (b->state.phase == BOT_DATA && b->state.left == 0)
		return err_set(e, "a transfer of nothing");
	return scsi_loaded(&b->unit, e);
}

static void
storage_print(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct usb_storage *b = (struct usb_storage *)d;
	char text[160];

	snprintf(text, sizeof(text), "  port %s, address %u, %llu blocks of %u bytes, transport in phase %u, unit in %u\n",
		b->usb.port != NULL ? b->usb.port->path : "none", b->state.usb.address, (unsigned long long)b->unit.blocks,
		b->unit.block_bytes, b->state.phase, b->state.scsi.phase);
	print(opaque, text);
}

static void
storage_destroy(struct dev *d)
{
	struct usb_storage *b = (struct usb_storage *)d;

	usb_destroy(&b->usb);
	scsi_destroy(&b->unit);
}

static const struct field fields[] = {
	USB_FIELDS(struct usb_storage),
	SCSI_FIELDS(struct usb_storage, state.scsi),
	FIELD_OF(struct usb_storage, state.tag),
	FIELD_OF(struct usb_storage, state.left),
	FIELD_OF(struct usb_storage, state.residue),
	FIELD_MAX(struct usb_storage, state.phase, BOT_PHASES - 1),
	FIELD_MAX(struct usb_storage, state.in, 1),
	FIELD_MAX(struct usb_storage, state.confused, 1),
	FIELD_SKIP(struct usb_storage, state.spare),
	FIELD_END
};

static const struct dev_class storage_class = {
	.name = "usb-storage",
	.size = sizeof(struct usb_storage),
	.state_offset = offsetof(struct usb_storage, state),
	.state_size = sizeof(((struct usb_storage *)0)->state),
	.description = "USB disk or CD drive",
	.fields = fields,
	.reset = storage_reset,
	.loaded = storage_loaded,
	.info = storage_print,
	.destroy = storage_destroy,
};

struct usb_dev *
usb_storage_new(const struct dev_env *env, const char *id, const char *serial, struct disk *disk, bool cdrom, bool removable)
{
	struct usb_storage *b = (struct usb_storage *)dev_new(env, &storage_class, id);

	b->unit.changed = unit_changed;
	b->unit.opaque = b;
	scsi_init(&b->unit, &b->state.scsi, disk, cdrom, removable, serial);
	usb_init(&b->usb, &storage_ops, &b->state.usb, serial);
	storage_reset(&b->usb.dev);
	return &b->usb;
}

bool
usb_storage_change(struct usb_dev *d, struct disk *disk, bool force)
{
	return scsi_change(&storage_of(d)->unit, disk, force);
}
