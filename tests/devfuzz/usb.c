/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB controllers and what is plugged into them, with whole transfers as a driver does them. */
#include "tests/devfuzz/devfuzz.h"

#include "base/err.h"

enum { CARD = 4 << 3 };

/* Where a driver has what, in memory. */
enum {
	FRAMES = 0x1000, QUEUE = 0x2000, DESCRIPTORS = 0x2010, DESCRIPTORS_MOST = 16,   /* UHCI */
	CONTEXTS = 0x1000, COMMANDS = 0x2000, EVENTS = 0x3000, EVENTS_COUNT = 256, TABLE = 0x4000, INPUT = 0x5000, /* xHCI */
	OUTPUT = 0x6000, RINGS = 0xa000, RING_TRBS = 64,
	DATA = 0x7000, DATA_MOST = 0x3000,
};

/* Of xHCI; the rest of a TRB's control word comes with it. */
enum {
	TRB_NORMAL = 1 << 10 | 0x20, TRB_SETUP = 2 << 10 | 0x40, TRB_DATA = 3 << 10, TRB_STATUS = 4 << 10 | 0x20, TRB_LINK = 6 << 10 | 2,
	TRB_ENABLE_SLOT = 9 << 10, TRB_ADDRESS = 11 << 10, TRB_CONFIGURE = 12 << 10, TRB_RESET_EP = 14 << 10, TRB_SET_DEQUEUE = 16 << 10,
	TO_DEVICE = 0, FROM_DEVICE = 1,
};

static void
plug(struct fuzz *f, unsigned n, struct usb_dev *d, const char *port)
{
	struct err e = { "" };

	f->plugged[n] = d;
	usb_plug(d, usb_find_port(f->usb, port), &e);
}

/*
 * 0: keyboard or tablet; 1: a disk or CD drive, or a hub; 2: behind that, a mouse.  The same for xHCI but for 2, a disk or CD
 * drive of its own, and 3, one behind the hub.
 */
void
devfuzz_uhci(struct fuzz *f, unsigned variant)
{
	f->pci = devfuzz_pci_of(f, uhci_new(&f->env, f->bus, CARD, NULL, "u.0", &f->usb), CARD);
	if (variant & 1)
		plug(f, 0, usb_kbd_new(&f->env, NULL, "", &f->input), "1");
	else
		plug(f, 0, usb_tablet_new(&f->env, NULL, "", &f->input), "1");
	if (variant & 2) {
		plug(f, 1, usb_hub_new(&f->env, NULL, "", 4), "2");
		plug(f, 2, usb_mouse_new(&f->env, NULL, "", &f->input), "2.1");
	} else {
		plug(f, 1, usb_storage_new(&f->env, NULL, "1", backends_disk(0, 8 * MiB, false), variant & 4, true), "2");
	}
}

void
devfuzz_xhci(struct fuzz *f, unsigned variant)
{
	f->pci = devfuzz_pci_of(f, xhci_new(&f->env, f->bus, CARD, NULL, "x.0", 4, 4, &f->usb), CARD);
	if (variant & 8)
		plug(f, 0, usb_mouse_new(&f->env, NULL, "", &f->input), "1");
	else
		plug(f, 0, usb_tablet_new(&f->env, NULL, "", &f->input), "1");
	if (variant & 1)
		plug(f, 1, usb_hub_new(&f->env, NULL, "", 4), "2");
	else
		plug(f, 1, usb_kbd_new(&f->env, NULL, "", &f->input), "2");
	plug(f, 2, usb_storage_new(&f->env, NULL, "1", backends_disk(0, 8 * MiB, false), variant & 2, variant & 4), "3");
	if (variant & 1)
		plug(f, 3, usb_storage_new(&f->env, NULL, "2", backends_disk(1, 4 * MiB, true), true, true), "2.1");
}

/* Both ports are enabled; each frame has the one queue, which is empty. */
const struct step devfuzz_uhci_steps[] = {
	{ STEP_MEMORY, 4, QUEUE, 1 }, { STEP_MEMORY, 4, QUEUE + 4, 1 }, { STEP_MEMORY, 4, FRAMES, QUEUE | 2 },
	{ 0, 2, 0x10, 0x200 }, { 0, 2, 0x10, 4 }, { 0, 4, 8, FRAMES }, { 0, 2, 4, 15 }, { 0, 2, 0, 0x81 }, { 0, 0, 0, 0 },
};

/* Rings for commands and events, ports. */
const struct step devfuzz_xhci_steps[] = {
	{ 0, 4, 0x40, 2 }, { 0, 4, 0x78, 8 }, { 0, 4, 0x70, CONTEXTS }, { 0, 4, 0x58, COMMANDS | 1 },
	{ STEP_MEMORY, 4, TABLE, EVENTS }, { STEP_MEMORY, 4, TABLE + 4, 0 }, { STEP_MEMORY, 4, TABLE + 8, EVENTS_COUNT },
	{ 0, 4, 0x1028, 1 }, { 0, 4, 0x1038, EVENTS }, { 0, 4, 0x1030, TABLE }, { 0, 4, 0x1034, 0 }, { 0, 4, 0x1020, 2 },
	{ 0, 4, 0x40, 5 }, { 0, 4, 0x440, 0x210 }, { 0, 4, 0x450, 0x210 }, { 0, 4, 0x4a0, 0x210 }, { 0, 4, 0x4a0, 0x00fe0200 },
	{ 0, 0, 0, 0 },
};

static bool
is_uhci(const struct fuzz *f)
{
	return f->windows[0].io;
}

static void
put_words(unsigned at, uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
	uint8_t *to = devfuzz_memory() + at;

	store_le(to, a, 4);
	store_le(to + 4, b, 4);
	store_le(to + 8, c, 4);
	store_le(to + 12, d, 4);
}

static void
let_pass(struct fuzz *f, uint64_t ns)
{
	ns = MIN(ns, f->time_left);
	f->time_left -= ns;
	clock_advance(f->clock, ns);
	backends_complete_all(0);
}

/* ---- UHCI ---- */

/* Descriptor N of a queue: a packet of SIZE bytes at DATA + OFFSET. */
static void
put_td(struct fuzz *f, unsigned n, unsigned device, unsigned pid, unsigned ep, unsigned offset, unsigned size)
{
	put_words(DESCRIPTORS + 16 * n, (DESCRIPTORS + 16 * (n + 1)) | 4, 0x1d800000 | (pid == USB_IN ? 1u << 29 : 0),
		pid | (uint32_t)f->driver.slot[device] << 8 | ep << 15 | ((size - 1) & 0x7ff) << 21, DATA + offset);
}

static void
run_queue(struct fuzz *f, unsigned count)
{
	store_le(devfuzz_memory() + DESCRIPTORS + 16 * (count - 1), 1, 4);
	store_le(devfuzz_memory() + QUEUE + 4, DESCRIPTORS, 4);
	for (unsigned i = 0; i < 1024; i += 32)
		store_le(devfuzz_memory() + FRAMES + 4 * i, QUEUE | 2, 4);
	devfuzz_put(f, 0, 2, 0x1f, 2);
	let_pass(f, 60000);
}

/* ---- xHCI ---- */

static unsigned
ring_of(unsigned slot, unsigned ring)
{
	return slot == 0 ? COMMANDS : RINGS + 0x1000 * (slot - 1) + 0x400 * ring;
}

/* RING: 0 the control endpoint's, 1 in, 2 out.  SLOT 0: commands. */
static void
put_trb(struct fuzz *f, unsigned slot, unsigned ring, uint64_t parameter, uint32_t status, uint32_t control)
{
	uint16_t *at = &f->driver.at[slot][ring];
	uint8_t *cycle = &f->driver.cycle[slot][ring];
	unsigned base = ring_of(slot, ring);

	if (*at == RING_TRBS - 1) {
		put_words(base + 16 * *at, base, 0, 0, TRB_LINK | (*cycle ^ 1));
		*at = 0;
		*cycle ^= 1;
	}
	put_words(base + 16 * (*at)++, (uint32_t)parameter, (uint32_t)(parameter >> 32), status, control | (*cycle ^ 1));
	/* What is behind it is not there yet. */
	store_le(devfuzz_memory() + base + 16 * *at + 12, *cycle, 4);
}

/* Rings for SLOT, and takes what events came. */
static void
ring(struct fuzz *f, unsigned slot, unsigned doorbell)
{
	devfuzz_put(f, 0, 0x2000 + 4 * slot, doorbell, 4);
	let_pass(f, 60000);
	for (unsigned n = 0; n < EVENTS_COUNT; n++) {
		if ((devfuzz_memory()[EVENTS + 16 * f->driver.event + 12] & 1) == f->driver.event_cycle)
			break;
		if (++f->driver.event == EVENTS_COUNT) {
			f->driver.event = 0;
			f->driver.event_cycle ^= 1;
		}
	}
	devfuzz_put(f, 0, 0x1038, (EVENTS + 16 * f->driver.event) | 8, 4);
	devfuzz_put(f, 0, 0x1020, 3, 4);
}

static void
command(struct fuzz *f, uint64_t parameter, uint32_t control)
{
	put_trb(f, 0, 0, parameter, 0, control);
	ring(f, 0, 0);
}

/* A halted endpoint goes on at the ring's end. */
static void
restart(struct fuzz *f, unsigned slot, unsigned ring, unsigned ep)
{
	command(f, 0, TRB_RESET_EP | slot << 24 | ep << 16);
	command(f, (ring_of(slot, ring) + 16u * f->driver.at[slot][ring]) | (f->driver.cycle[slot][ring] ^ 1),
		TRB_SET_DEQUEUE | slot << 24 | ep << 16);
}

/* ---- transfers ---- */

/* A request of 8 bytes that stand in front of DATA, and LENGTH bytes at DATA. */
static void
control(struct fuzz *f, unsigned n, const uint8_t *request)
{
	unsigned length = MIN((unsigned)load_le(request + 6, 2), 1024u), slot = f->driver.slot[n], count = 0;
	bool in = request[0] & 0x80;

	if (is_uhci(f)) {
		memcpy(devfuzz_memory() + DATA - 8, request, 8);
		put_td(f, count++, n, USB_SETUP, 0, -8u, 8);
		for (unsigned at = 0; at < length && count < DESCRIPTORS_MOST - 1; at += 64)
			put_td(f, count++, n, in ? USB_IN : USB_OUT, 0, at, MIN(64, length - at));
		put_td(f, count++, n, in && length > 0 ? USB_OUT : USB_IN, 0, 0, 0);
		run_queue(f, count);
		return;
	}
	put_trb(f, slot, 0, load_le(request, 8), 8, TRB_SETUP | (length == 0 ? 0 : in ? 3 << 16 : 2 << 16));
	if (length > 0)
		put_trb(f, slot, 0, DATA, length, TRB_DATA | (in ? 1 << 16 : 0));
	put_trb(f, slot, 0, 0, 0, TRB_STATUS | (in && length > 0 ? 0 : 1 << 16));
	ring(f, slot, 1);
}

/* LENGTH bytes of endpoint 1 in or 2 out. */
static void
transfer(struct fuzz *f, unsigned n, unsigned direction, unsigned length)
{
	unsigned slot = f->driver.slot[n], count = 0;

	if (!is_uhci(f)) {
		put_trb(f, slot, direction == FROM_DEVICE ? 1 : 2, DATA, length, TRB_NORMAL);
		ring(f, slot, direction == FROM_DEVICE ? 3 : 4);
		return;
	}
	for (unsigned at = 0; (at < length || at == 0) && count < DESCRIPTORS_MOST; at += 1024)
		put_td(f, count++, n, direction == FROM_DEVICE ? USB_IN : USB_OUT, direction == FROM_DEVICE ? 1 : 2, at,
			MIN(1024, length - at));
	run_queue(f, count);
}

/* ---- devices ---- */

static void
set_up_slot(struct fuzz *f, unsigned n)
{
	static const struct { uint8_t route, speed, port; } places[USB_DEVICES] = { { 0, 3, 1 }, { 0, 3, 2 }, { 0, 4, 7 }, { 1, 1, 2 } };
	unsigned slot = ++f->driver.slots, storage = n >= 2;

	f->driver.slot[n] = slot;
	command(f, 0, TRB_ENABLE_SLOT);
	put_words(CONTEXTS + 8 * slot, OUTPUT + 0x400 * (slot - 1), 0, 0, 0);
	memset(devfuzz_memory() + INPUT, 0, 0x100);
	put_words(INPUT, 0, 3, 0, 0);
	put_words(INPUT + 0x20, 1u << 27 | (uint32_t)places[n].speed << 20 | places[n].route, (uint32_t)places[n].port << 16, 0, 0);
	put_words(INPUT + 0x40, 0, 64 << 16 | 4 << 3 | 6, ring_of(slot, 0) | 1, 0);
	command(f, INPUT, TRB_ADDRESS | slot << 24);
	put_words(INPUT, 0, storage ? 0x19 : 9, 0, 0);
	put_words(INPUT + 0x20, 4u << 27, 0, 0, 0);
	put_words(INPUT + 0x80, 0, 64 << 16 | (storage ? 6 : 7) << 3 | 6, ring_of(slot, 1) | 1, 0);
	put_words(INPUT + 0xa0, 0, 64 << 16 | 2 << 3 | 6, ring_of(slot, 2) | 1, 0);
	command(f, INPUT, TRB_CONFIGURE | slot << 24);
}

static void
set_up(struct fuzz *f, unsigned n)
{
	static const uint8_t power[8] = { 0x23, 3, 8, 0, 1 }, reset[8] = { 0x23, 3, 4, 0, 1 };
	uint8_t address[8] = { 0, 5 }, configure[8] = { 0, 9, 1 };

	if (f->driver.slots == USB_DEVICES)
		return;
	if (f->plugged[n]->port != NULL && f->plugged[n]->port->depth > 0) {
		control(f, 1, power);
		control(f, 1, reset);
	}
	if (is_uhci(f)) {
		if (n == 1) {
			devfuzz_put(f, 0, 0x12, 0x200, 2);
			devfuzz_put(f, 0, 0x12, 0, 2);
			devfuzz_put(f, 0, 0x12, 4, 2);
		}
		address[2] = ++f->driver.slots;
		control(f, n, address);
		f->driver.slot[n] = f->driver.slots;
	} else {
		set_up_slot(f, n);
	}
	control(f, n, configure);
}

void
devfuzz_usb_start(struct fuzz *f)
{
	if (is_uhci(f)) {
		for (unsigned i = 0; i < 1024; i++)
			store_le(devfuzz_memory() + FRAMES + 4 * i, QUEUE | 2, 4);
	}
	for (unsigned n = 0; n < USB_DEVICES; n++) {
		if (f->plugged[n] != NULL)
			set_up(f, n);
	}
}

/* ---- events ---- */

/* A request: one of those that drivers have, with other words, or eight bytes of the input. */
static void
request(struct fuzz *f, unsigned n, struct bytes *b)
{
	static const uint8_t requests[][8] = {
		{ 0x80, 6, 0, 1, 0, 0, 18 }, { 0x80, 6, 0, 2, 0, 0, 64 }, { 0x80, 6, 1, 3, 0, 0, 255 }, { 0x80, 6, 0, 6, 0, 0, 10 },
		{ 0x80, 6, 0, 15, 0, 0, 64 }, { 0x80, 6, 0, 7, 0, 0, 64 }, { 0x81, 6, 0, 0x22, 0, 0, 128 }, { 0x81, 6, 0, 0x21, 0, 0, 9 },
		{ 0x80, 0, 0, 0, 0, 0, 2 }, { 0x81, 0, 0, 0, 0, 0, 2 }, { 0x82, 0, 0, 0, 0x81, 0, 2 }, { 0x80, 8, 0, 0, 0, 0, 1 },
		{ 0x81, 10, 0, 0, 0, 0, 1 }, { 0x01, 11 }, { 0x00, 3, 1 }, { 0x00, 1, 1 }, { 0x02, 1, 0, 0, 0x81 }, { 0x02, 3, 0, 0, 0x81 },
		{ 0x00, 48, 0, 0, 0, 0, 6 }, { 0xa1, 1, 0, 1, 0, 0, 8 }, { 0xa1, 2, 0, 0, 0, 0, 1 }, { 0xa1, 3, 0, 0, 0, 0, 1 },
		{ 0x21, 9, 0, 2, 0, 0, 1 }, { 0x21, 10, 0, 1 }, { 0x21, 11, 0 }, { 0x21, 11, 1 }, { 0xa1, 0xfe, 0, 0, 0, 0, 1 }, { 0x21, 0xff },
		{ 0xa0, 6, 0, 0x29, 0, 0, 16 }, { 0xa0, 0, 0, 0, 0, 0, 4 }, { 0xa3, 0, 0, 0, 1, 0, 4 }, { 0x23, 3, 4, 0, 1 },
		{ 0x23, 1, 16, 0, 1 }, { 0x23, 3, 2, 0, 1 }, { 0x23, 1, 2, 0, 1 }, { 0x23, 1, 1, 0, 1 }, { 0x20, 1, 0, 0, 0 },
		{ 0x00, 9, 0 }, { 0x00, 9, 1 }, { 0x00, 5, 9 },
	};
	unsigned which = take(b, 1);
	uint8_t r[8];

	memcpy(r, requests[(which & 0x3f) % ARRAY_SIZE(requests)], 8);
	if ((which & 0xc0) == 0xc0) {
		for (unsigned i = 0; i < 8; i++)
			r[i] = take(b, 1);
	} else if (which & 0x40) {
		r[2] = take(b, 1);
		r[4] = take(b, 1);
	} else if (which & 0x80) {
		r[3] = take(b, 1);
		r[6] = take(b, 1);
	}
	devfuzz_memory()[DATA] = (uint8_t)which;
	control(f, n, r);
	if ((which & 0xc0) == 0 && !is_uhci(f))
		restart(f, f->driver.slot[n], 0, 1);
}

/* A command by the bulk-only transport: the block, its data, its status, each of them or not. */
static void
storage(struct fuzz *f, unsigned n, struct bytes *b)
{
	static const uint8_t commands[] = {
		0x00, 0x03, 0x08, 0x0a, 0x12, 0x1a, 0x1b, 0x1e, 0x23, 0x25, 0x28, 0x2a, 0x2b, 0x2f, 0x35, 0x42, 0x43, 0x46, 0x4a, 0x51, 0x52,
		0x5a, 0x88, 0x8a, 0x8f, 0x91, 0x9e, 0xa0, 0xa8, 0xaa, 0xad, 0xbb, 0xbd,
	};
	static const uint16_t lengths[] = { 0, 8, 18, 36, 64, 96, 252, 512, 1024, 2048, 4096, 8192 };
	static const int errors[] = { 0, 0, 5, 28 };
	unsigned which = take(b, 1), how = take(b, 1), given = take(b, 1), length = lengths[(how & 15) % ARRAY_SIZE(lengths)];
	uint8_t *cbw = devfuzz_memory() + DATA, code = which < 0xc0 ? commands[which % ARRAY_SIZE(commands)] : take(b, 1);
	bool out = code == 0x0a || code == 0x2a || code == 0x8a || code == 0xaa || code == 0x42;

	memset(cbw, 0, 31);
	memcpy(cbw, "USBCtag", 8);
	store_le(cbw + 8, length, 4);
	cbw[12] = out ? 0 : 0x80;
	if ((how & 0x30) == 0x30)
		cbw[12] ^= 0x80;
	cbw[14] = 16;
	cbw[15] = code;
	/* Bytes of the command that are not zero. */
	for (unsigned i = 0; i < 8; i++) {
		static const uint8_t places[8] = { 1, 2, 3, 4, 5, 7, 8, 13 };

		if (given >> i & 1)
			cbw[15 + places[i]] = take(b, 1);
	}
	transfer(f, n, TO_DEVICE, 31);
	if (out)
		devfuzz_bytes(b, DATA, how & 0x10 ? 24 : 0);
	backends_complete_all(errors[how >> 6]);
	if (length > 0)
		transfer(f, n, out ? TO_DEVICE : FROM_DEVICE, length);
	backends_complete_all(errors[how >> 6]);
	transfer(f, n, FROM_DEVICE, how & 0x20 ? 13 : 64);
	if (!is_uhci(f) && (how & 0x10)) {
		restart(f, f->driver.slot[n], 1, 3);
		restart(f, f->driver.slot[n], 2, 4);
	}
}

/* What the user does, then a look for it. */
static void
user(struct fuzz *f, unsigned n, struct bytes *b)
{
	unsigned what = take(b, 1);

	transfer(f, n, FROM_DEVICE, what & 0x80 ? 3 : 8);
	for (unsigned i = 0; i < (what & 15); i++) {
		unsigned v = take(b, 1);

		if (what & 0x10)
			input_key(&f->input, (v & 0x7f) | (what & 0x40 ? 0xe000 : 0), v >> 7);
		else if (what & 0x20)
			input_move(&f->input, (int)v * 5 - 600, (int)v - 128, v & 3, (v >> 2 & 3) - 1, v >> 4);
		else
			input_point(&f->input, v * 100, v * 50, (int)(v & 3) - 1, v >> 2 & 1, v >> 4);
	}
	for (unsigned i = 0; i < (what & 7); i++)
		transfer(f, n, FROM_DEVICE, 8);
}

static void
plug_again(struct fuzz *f, struct usb_dev *d)
{
	struct usb_port *p = usb_free_port(f->usb, d->ops->speeds, &(unsigned){ 0 });
	struct err e = { "" };

	if (p != NULL && p->parent == NULL)
		usb_plug(d, p, &e);
}

/* Descriptors of the input's. */
static void
raw(struct fuzz *f, unsigned n, struct bytes *b)
{
	unsigned what = take(b, 1), slot = f->driver.slot[n], ring_number = (what >> 2) % 3;
	uint32_t words[4] = { DATA, 0, 64, 0x421 };

	for (unsigned i = 0; i < 4; i++) {
		if (what >> (4 + i) & 1)
			words[i] = take(b, 4);
	}
	if (is_uhci(f)) {
		put_words(DESCRIPTORS, 1, words[1] | 0x1d800000, words[2], words[0]);
		run_queue(f, 1);
	} else if ((what & 3) == 3) {
		/* A command on a context whose flags are the input's. */
		static const uint8_t types[] = { 10, 11, 12, 13, 14, 15, 16, 17, 23, 9, 13, 17 };
		unsigned type = types[take(b, 1) % ARRAY_SIZE(types)], flags = take(b, 1);

		put_words(INPUT, flags >> 6, flags & 0x3f, 0, 0);
		command(f, INPUT, type << 10 | slot << 24 | (what >> 4 & 3) << 16 | (what & 4 ? 0x200 : 0));
	} else if (what & 1) {
		command(f, words[0], words[3] & ~1u);
	} else {
		put_trb(f, slot, ring_number, words[0], words[2], words[3] & ~1u);
		if (!(what & 2))
			ring(f, slot, ring_number == 0 ? 1 : 2 + ring_number);
	}
}

void
devfuzz_usb_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1), n = what & 3;
	struct usb_dev *d = f->plugged[n];

	if (d == NULL)
		return;
	switch (what >> 2 & 7) {
	case 0:
		if (d->port != NULL)
			usb_unplug(d);
		else
			plug_again(f, d);
		break;
	case 1:
		set_up(f, n);
		break;
	case 2:
		request(f, n, b);
		break;
	case 3:
	case 4:
		storage(f, n, b);
		break;
	case 5:
		user(f, n, b);
		break;
	case 6:
		transfer(f, n, what >> 5 & 1, (what >> 6) * 29 + 2);
		break;
	case 7:
		raw(f, n, b);
		break;
	}
}
