/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The xHCI controller as a driver sees it: rings, slots, endpoints, events, ports. */
#include "tests/check_main.h"
#include "tests/usb_machine.h"

enum {
	DEVFN = 4 << 3,
	OPER = 0x40, PORT = 0x440, RUN_REGS = 0x1020, BELL = 0x2000,
	/* Memory. */
	CONTEXTS = 0x1000, COMMANDS = 0x2000, EVENTS = 0x3000, TABLE = 0x4000, INPUT = 0x5000, DEVICE = 0x6000, RINGS = 0x10000,
	DATA = 0x100000,
	RING_TRBS = 64, EVENT_TRBS = 32,
	/* TRBs. */
	NORMAL = 1, SETUP = 2, STAGE_DATA = 3, STAGE_STATUS = 4, LINK = 6, EVENT_DATA = 7, NOOP = 8, ENABLE_SLOT = 9, DISABLE_SLOT = 10,
	ADDRESS = 11, CONFIGURE = 12, EVALUATE = 13, RESET_EP = 14, STOP_EP = 15, SET_DEQUEUE = 16, RESET_DEVICE = 17, NOOP_COMMAND = 23,
	TRANSFER = 32, COMPLETION = 33, PORT_CHANGE = 34,
	ISP = 4, CHAIN = 0x10, IOC = 0x20, IDT = 0x40, DIR_IN = 0x10000,
};
static const uint64_t BAR = 0xf0000000;

struct event {
	uint64_t parameter;
	unsigned type, code, length, slot, ep;
};

struct ring {
	uint64_t at;
	unsigned index, cycle;
};

static struct ring commands, rings[8][32];
static unsigned event_index, event_cycle;
static uint64_t msi_address;
static unsigned msi_count, msi_data;

static uint32_t
get(uint64_t reg)
{
	return space_read(mem, BAR + reg, 4, false);
}

static void
set(uint64_t reg, uint32_t value)
{
	space_write(mem, BAR + reg, value, 4, false);
}

static void
got_msi(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque;
	msi_address = address;
	msi_data = data;
	msi_count++;
}

static void
set_up(void)
{
	open_machine(DEVFN);
	msi_count = 0;
	pci_bus_on_msi(pci, got_msi, NULL);
	hc = xhci_new(&env, pci, DEVFN, NULL, "x.0", 4, 4, &bus);
	dev_reset_all(devices);
	set_conf(0x10, BAR, 4);
	set_conf(0x04, 6, 2);
}

/* ---- a driver ---- */

static void
start(void)
{
	memset(ram, 0, RAM);
	set(OPER + 0, 2);
	set(OPER + 0x38, 8);
	set(OPER + 0x30, CONTEXTS);
	set(OPER + 0x34, 0);
	commands = (struct ring){ COMMANDS, 0, 1 };
	set(OPER + 0x18, COMMANDS | 1);
	set(OPER + 0x1c, 0);
	store_le(ram + TABLE, EVENTS, 8);
	store_le(ram + TABLE + 8, EVENT_TRBS, 4);
	event_index = 0;
	event_cycle = 1;
	set(RUN_REGS + 8, 1);
	set(RUN_REGS + 0x18, EVENTS);
	set(RUN_REGS + 0x1c, 0);
	set(RUN_REGS + 0x10, TABLE);
	set(RUN_REGS + 0x14, 0);
	set(RUN_REGS + 0, 2);
	set(OPER + 0, 5);
}

/* The next event, if there is one. */
static bool
next_event(struct event *e)
{
	const uint8_t *p = ram + EVENTS + 16 * event_index;
	uint32_t status = load_le(p + 8, 4), control = load_le(p + 12, 4);

	if ((control & 1) != event_cycle)
		return false;
	*e = (struct event){ load_le(p, 8), control >> 10 & 63, status >> 24, status & 0xffffff, control >> 24, control >> 16 & 31 };
	if (++event_index == EVENT_TRBS) {
		event_index = 0;
		event_cycle ^= 1;
	}
	set(RUN_REGS + 0x18, (EVENTS + 16 * event_index) | 8);
	return true;
}

/* Waits for an event of TYPE; others but changes of ports are wrong. */
static struct event
wait_event(unsigned type)
{
	struct event e = { 0 };

	for (unsigned i = 0; i < 200; i++) {
		while (next_event(&e)) {
			if (e.type == type)
				return e;
			ck_assert_uint_eq(e.type, PORT_CHANGE);
		}
		clock_advance(clock_, MS);
		turn(loop, disk != NULL ? 1 : 0);
	}
	return (struct event){ 0 };
}

static bool
no_event(void)
{
	struct event e;

	clock_advance(clock_, 5 * MS);
	return !next_event(&e);
}

static uint64_t
put_trb(struct ring *r, uint64_t parameter, uint32_t status, uint32_t control)
{
	uint64_t at = r->at + 16 * r->index;
	uint8_t *p = ram + at;

	store_le(p, parameter, 8);
	store_le(p + 8, status, 4);
	store_le(p + 12, control | r->cycle, 4);
	if (++r->index == RING_TRBS - 1) {
		p = ram + r->at + 16 * r->index;
		store_le(p, r->at, 8);
		store_le(p + 8, 0, 4);
		store_le(p + 12, LINK << 10 | 2 | r->cycle | (control & CHAIN), 4);
		r->index = 0;
		r->cycle ^= 1;
	}
	return at;
}

static struct event
command(uint64_t parameter, uint32_t control)
{
	struct event e;

	put_trb(&commands, parameter, 0, control);
	set(BELL, 0);
	e = wait_event(COMPLETION);
	return e;
}

static struct ring *
new_ring(unsigned slot, unsigned ep)
{
	rings[slot][ep] = (struct ring){ RINGS + 0x8000 * slot + 0x400 * ep, 0, 1 };
	return &rings[slot][ep];
}

static void
put_ep_context(unsigned n, unsigned type, unsigned packet, const struct ring *r)
{
	uint8_t *p = ram + INPUT + 32 + 32 * n;

	memset(p, 0, 32);
	store_le(p + 4, packet << 16 | type << 3 | 3 << 1, 4);
	store_le(p + 8, r->at | 1, 8);
}

static void
reset_port(unsigned port)
{
	set(PORT + 16 * (port - 1), 0x200 | 1u << 4);
	ck_assert_uint_eq(get(PORT + 16 * (port - 1)) & 0x200003, 0x200003);
	set(PORT + 16 * (port - 1), 0x00fe0200);
}

static unsigned
address_device(unsigned port, uint32_t route)
{
	struct event e = command(0, ENABLE_SLOT << 10);
	unsigned slot = e.slot;

	ck_assert_uint_eq(e.code, 1);
	memset(ram + INPUT, 0, 0x500);
	store_le(ram + INPUT + 4, 3, 4);
	store_le(ram + INPUT + 32, 1u << 27 | route, 4);
	store_le(ram + INPUT + 36, port << 16, 4);
	put_ep_context(1, 4, 64, new_ring(slot, 1));
	store_le(ram + CONTEXTS + 8 * slot, DEVICE + 0x400 * slot, 8);
	e = command(INPUT, ADDRESS << 10 | slot << 24);
	ck_assert_uint_eq(e.code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 12, 4), 2u << 27 | slot);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 32, 4) & 7, 1);
	return slot;
}

/* A control transfer: bytes moved, or the negative of what it failed by. */
static int
control(unsigned slot, uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint16_t length, void *data)
{
	struct ring *r = &rings[slot][1];
	uint32_t dir = type & 0x80 ? DIR_IN : 0;
	struct event e;
	unsigned moved = 0;

	if (!dir && length > 0)
		memcpy(ram + DATA, data, length);
	put_trb(r, type | request << 8 | (uint32_t)value << 16 | (uint64_t)index << 32 | (uint64_t)length << 48, 8,
		SETUP << 10 | IDT | (length == 0 ? 0 : dir ? 3 : 2) << 16);
	if (length > 0)
		put_trb(r, DATA, length, STAGE_DATA << 10 | dir | ISP | IOC);
	put_trb(r, 0, 0, STAGE_STATUS << 10 | (length > 0 && dir ? 0 : DIR_IN) | IOC);
	set(BELL + 4 * slot, 1);
	if (length > 0) {
		e = wait_event(TRANSFER);
		if (e.code != 1 && e.code != 13)
			return -(int)e.code;
		moved = length - e.length;
		if (dir)
			memcpy(data, ram + DATA, moved);
	}
	e = wait_event(TRANSFER);
	return e.code == 1 ? (int)moved : -(int)e.code;
}

/* Endpoints: the interrupt one of a HID device, or the two of a disk. */
static void
configure(unsigned slot, bool storage, unsigned packet)
{
	struct event e;

	memset(ram + INPUT, 0, 0x500);
	store_le(ram + INPUT + 4, storage ? 1 << 0 | 1 << 3 | 1 << 4 : 1 << 0 | 1 << 3, 4);
	store_le(ram + INPUT + 32, (storage ? 4u : 3u) << 27, 4);
	put_ep_context(3, storage ? 6 : 7, packet, new_ring(slot, 3));
	if (storage)
		put_ep_context(4, 2, packet, new_ring(slot, 4));
	e = command(INPUT, CONFIGURE << 10 | slot << 24);
	ck_assert_uint_eq(e.code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 12, 4) >> 27, 3);
	ck_assert_int_eq(control(slot, 0, 9, 1, 0, 0, NULL), 0);
}

static unsigned
start_tablet(void)
{
	unsigned slot;

	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	reset_port(1);
	slot = address_device(1, 0);
	configure(slot, false, 8);
	return slot;
}

/* ---- registers ---- */

START_TEST(capabilities)
{
	ck_assert_uint_eq(space_read(mem, BAR, 1, false), 0x40);
	ck_assert_uint_eq(space_read(mem, BAR + 2, 2, false), 0x100);
	ck_assert_uint_eq(get(4), 8u << 24 | 16 << 8 | 64);
	ck_assert_uint_eq(get(0x10) >> 16, 8);
	ck_assert_uint_eq(get(0x20), 0x02000402);
	ck_assert_uint_eq(get(0x24), 0x20425355);
	ck_assert_uint_eq(get(0x28), 0x0401);
	ck_assert_uint_eq(get(0x30), 0x03000002);
	ck_assert_uint_eq(get(0x38), 0x0405);
	ck_assert_uint_eq(get(OPER + 4), 1);
	ck_assert_uint_eq(get(OPER + 8), 1);
	ck_assert_uint_eq(get(PORT + 0x80), 0);
	ck_assert_uint_eq(get(PORT), 0x2a0);
	space_write(io, 0xcf8, 0x80000000 | DEVFN << 8, 4, false);
	ck_assert_uint_eq(space_read(io, 0xcfc, 4, false), 0x000d1b36);
}
END_TEST

START_TEST(microframes)
{
	start();
	clock_advance(clock_, 10 * MS);
	ck_assert_uint_eq(get(0x1000), 80);
	set(OPER + 0, 0);
	ck_assert_uint_eq(get(OPER + 4) & 1, 1);
}
END_TEST

START_TEST(port_changes)
{
	struct event e;
	struct usb_dev *d;

	start();
	d = plug(usb_tablet_new(&env, NULL, "", &input), "2");
	ck_assert(next_event(&e));
	ck_assert_uint_eq(e.type, PORT_CHANGE);
	ck_assert_uint_eq(e.parameter >> 24, 2);
	/* High speed, polling. */
	ck_assert_uint_eq(get(PORT + 16), 0x00020ee1);
	ck_assert_uint_eq(get(OPER + 4) & 0x10, 0x10);
	/* The same change again is no event. */
	usb_unplug(d);
	ck_assert(!next_event(&e));
	set(PORT + 16, 0x00fe0200);
	plug(d, "2");
	ck_assert(next_event(&e));
	set(PORT + 16, 0x00fe0200);
	set(PORT + 16, 0x210);
	ck_assert_uint_eq(get(PORT + 16), 0x00200e03);
	ck_assert(next_event(&e));
	/* Switched off. */
	set(PORT + 16, 0x00fe0202);
	ck_assert_uint_eq(get(PORT + 16) & 0x1e3, 0x081);
}
END_TEST

START_TEST(both_kinds_of_ports)
{
	open_disk(NULL, NULL, false);
	plug(usb_storage_new(&env, NULL, "1", disk, false, false), "3");
	/* Port 7 is of USB 3, and enabled by itself; port 3 stays empty. */
	ck_assert_uint_eq(get(PORT + 16 * 6), 0x00021203);
	ck_assert_uint_eq(get(PORT + 16 * 2), 0x000002a0);
	set(PORT + 16 * 6, 0x00fe0200);
	set(PORT + 16 * 6, 0x80000200);
	ck_assert_uint_eq(get(PORT + 16 * 6), 0x00281203);
}
END_TEST

/* ---- commands ---- */

START_TEST(slots)
{
	struct event e;

	start();
	e = command(0, NOOP_COMMAND << 10);
	ck_assert_uint_eq(e.code, 1);
	ck_assert_uint_eq(e.parameter, COMMANDS);
	for (unsigned n = 1; n <= 8; n++) {
		e = command(0, ENABLE_SLOT << 10);
		ck_assert_uint_eq(e.code, 1);
		ck_assert_uint_eq(e.slot, n);
	}
	ck_assert_uint_eq(command(0, ENABLE_SLOT << 10).code, 9);
	ck_assert_uint_eq(command(0, DISABLE_SLOT << 10 | 3u << 24).code, 1);
	ck_assert_uint_eq(command(0, DISABLE_SLOT << 10 | 3u << 24).code, 11);
	ck_assert_uint_eq(command(0, DISABLE_SLOT << 10 | 200u << 24).code, 5);
	ck_assert_uint_eq(command(0, STOP_EP << 10 | 1u << 24 | 5 << 16).code, 12);
	ck_assert_uint_eq(command(0, CONFIGURE << 10 | 1u << 24).code, 19);
	/* Nobody behind port 1. */
	memset(ram + INPUT, 0, 0x500);
	store_le(ram + INPUT + 4, 3, 4);
	store_le(ram + INPUT + 36, 1 << 16, 4);
	store_le(ram + CONTEXTS + 8, DEVICE, 8);
	ck_assert_uint_eq(command(INPUT, ADDRESS << 10 | 1u << 24).code, 4);
	ck_assert_uint_eq(command(0, 60 << 10).code, 5);
	/* The command ring stops, and is given another place. */
	set(OPER + 0x18, 4);
	ck_assert_uint_eq(wait_event(COMPLETION).code, 24);
	ck_assert_uint_eq(get(OPER + 0x18), 0);
	commands = (struct ring){ COMMANDS + 0x800, 0, 1 };
	set(OPER + 0x18, (COMMANDS + 0x800) | 1);
	ck_assert_uint_eq(command(0, NOOP_COMMAND << 10).parameter, COMMANDS + 0x800);
}
END_TEST

START_TEST(many_commands)
{
	start();
	for (unsigned i = 0; i < 300; i++)
		ck_assert_uint_eq(command(0, NOOP_COMMAND << 10).code, 1);
}
END_TEST

START_TEST(descriptors)
{
	uint8_t d[64];
	unsigned slot = start_tablet();

	ck_assert_int_eq(control(slot, 0x80, 6, 0x100, 0, 64, d), 18);
	ck_assert_uint_eq(load_le(d + 8, 4), 0x00010627);
	ck_assert_int_eq(control(slot, 0x80, 6, 0x200, 0, 9, d), 9);
	/* A stall halts the endpoint, until software has it go on behind. */
	ck_assert_int_eq(control(slot, 0x80, 6, 0x7700, 0, 9, d), -6);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 32, 4) & 7, 2);
	ck_assert_uint_eq(command(0, SET_DEQUEUE << 10 | slot << 24 | 1 << 16).code, 19);
	ck_assert_uint_eq(command(0, RESET_EP << 10 | slot << 24 | 1 << 16).code, 1);
	ck_assert_uint_eq(command(0, RESET_EP << 10 | slot << 24 | 1 << 16).code, 19);
	ck_assert_uint_eq(command((rings[slot][1].at + 16 * rings[slot][1].index) | rings[slot][1].cycle,
		SET_DEQUEUE << 10 | slot << 24 | 1 << 16).code, 1);
	ck_assert_int_eq(control(slot, 0x80, 6, 0x100, 0, 18, d), 18);
	/* One device has one slot. */
	ck_assert_uint_eq(command(0, ENABLE_SLOT << 10).slot, 2);
	store_le(ram + INPUT + 4, 3, 4);
	store_le(ram + INPUT, 0, 4);
	store_le(ram + INPUT + 36, 1 << 16, 4);
	ck_assert_uint_eq(command(INPUT, ADDRESS << 10 | 2u << 24).code, 5);
	/* Evaluate, reset, deconfigure. */
	memset(ram + INPUT, 0, 0x500);
	store_le(ram + INPUT + 4, 2, 4);
	store_le(ram + INPUT + 64 + 4, 32 << 16, 4);
	ck_assert_uint_eq(command(INPUT, EVALUATE << 10 | slot << 24).code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 36, 4) >> 16, 32);
	ck_assert_uint_eq(command(0, CONFIGURE << 10 | slot << 24 | 1 << 9).code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 12, 4) >> 27, 2);
	ck_assert_uint_eq(command(0, RESET_DEVICE << 10 | slot << 24).code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 12, 4), 1u << 27);
}
END_TEST

/* ---- transfers ---- */

START_TEST(reports)
{
	unsigned slot = start_tablet();
	struct ring *r = &rings[slot][3];
	struct event e;
	uint64_t at = put_trb(r, DATA, 7, NORMAL << 10 | IOC);

	set(BELL + 4 * slot, 3);
	ck_assert(no_event());
	ck_assert(input_is_absolute(&input));
	input_point(&input, 0x101, 0x202, 0, 0, 1);
	ck_assert(next_event(&e));
	ck_assert_uint_eq(e.type, TRANSFER);
	ck_assert_uint_eq(e.code, 1);
	ck_assert_uint_eq(e.parameter, at);
	ck_assert_uint_eq(e.slot, slot);
	ck_assert_uint_eq(e.ep, 3);
	ck_assert_mem_eq(ram + DATA, ((uint8_t[]){ 1, 1, 1, 2, 2, 0, 0 }), 7);
	/* A larger buffer: a short packet. */
	put_trb(r, DATA, 64, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 5, 6, 0, 0, 0);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 13);
	ck_assert_uint_eq(e.length, 57);
	/* Over three TRBs of a TD, which a link may part: the event is the one of the first that asks. */
	for (unsigned i = 0; i < 100; i++) {
		put_trb(r, DATA, 4, NORMAL << 10 | CHAIN);
		at = put_trb(r, DATA + 4, 4, NORMAL << 10 | CHAIN | ISP);
		put_trb(r, DATA + 8, 4, NORMAL << 10 | IOC);
		set(BELL + 4 * slot, 3);
		input_point(&input, 5, i, 0, 0, i & 1);
		e = wait_event(TRANSFER);
		/* A packet of 7 bytes does not fit into the first TRB. */
		ck_assert_uint_eq(e.code, 3);
		ck_assert_uint_eq(command(0, RESET_EP << 10 | slot << 24 | 3 << 16).code, 1);
		ck_assert_uint_eq(command((r->at + 16 * r->index) | r->cycle, SET_DEQUEUE << 10 | slot << 24 | 3 << 16).code, 1);
		put_trb(r, DATA, 7, NORMAL << 10 | CHAIN);
		put_trb(r, DATA + 7, 4, NORMAL << 10 | CHAIN);
		at = put_trb(r, DATA + 8, 4, NORMAL << 10 | IOC);
		set(BELL + 4 * slot, 3);
		e = wait_event(TRANSFER);
		ck_assert_uint_eq(e.code, 13);
		ck_assert_uint_eq(e.length, 4);
		ck_assert_uint_eq(e.parameter, at);
		ck_assert_uint_eq(ram[DATA + 3], i);
	}
	/* Event data has the length of all. */
	put_trb(r, DATA, 7, NORMAL << 10 | CHAIN);
	put_trb(r, 0x1122334455667788, 0, EVENT_DATA << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 9, 9, 0, 0, 0);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 1);
	ck_assert_uint_eq(e.length, 7);
	ck_assert_uint_eq(e.parameter, 0x1122334455667788);
	/* A no-op passes by. */
	put_trb(r, 0, 0, NOOP << 10 | IOC);
	set(BELL + 4 * slot, 3);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 1);
	/* What doesn't belong here. */
	put_trb(r, 0, 0, SETUP << 10 | IOC);
	set(BELL + 4 * slot, 3);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 5);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 96, 4) & 7, 4);
}
END_TEST

START_TEST(stop_and_go)
{
	unsigned slot = start_tablet();
	struct ring *r = &rings[slot][3];
	uint64_t at = put_trb(r, DATA, 8, NORMAL << 10 | IOC);
	struct event e;

	set(BELL + 4 * slot, 3);
	ck_assert(no_event());
	put_trb(&commands, 0, 0, STOP_EP << 10 | slot << 24 | 3 << 16);
	set(BELL, 0);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 26);
	ck_assert_uint_eq(e.parameter, at);
	ck_assert_uint_eq(e.length, 8);
	ck_assert_uint_eq(wait_event(COMPLETION).code, 1);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 96, 4) & 7, 3);
	ck_assert_uint_eq(load_le(ram + DEVICE + 0x400 * slot + 104, 8), at | 1);
	input_point(&input, 5, 6, 0, 0, 0);
	ck_assert(no_event());
	set(BELL + 4 * slot, 3);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 13);
	ck_assert_uint_eq(e.parameter, at);
	/* Stopped again while nothing waits, there is no transfer event. */
	ck_assert_uint_eq(command(0, STOP_EP << 10 | slot << 24 | 3 << 16).code, 1);
	ck_assert_uint_eq(command(0, STOP_EP << 10 | slot << 24 | 3 << 16).code, 19);
	/* Gone in the meantime. */
	usb_unplug(bus->ports->dev);
	put_trb(r, DATA, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 4);
}
END_TEST

START_TEST(interrupts)
{
	unsigned slot = start_tablet();
	struct event e;

	set(OPER + 4, 8);
	set(RUN_REGS + 0, 3);
	ck_assert_int_eq(pci_bus_pirq(pci, 3), 0);
	put_trb(&rings[slot][3], DATA, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 5, 6, 0, 0, 0);
	ck_assert_uint_eq(get(OPER + 4) & 8, 8);
	ck_assert_uint_eq(get(RUN_REGS) & 3, 3);
	ck_assert_int_eq(pci_bus_pirq(pci, 3), 1);
	set(RUN_REGS + 0, 3);
	ck_assert_int_eq(pci_bus_pirq(pci, 3), 0);
	ck_assert(next_event(&e));
	ck_assert_int_eq(pci_bus_pirq(pci, 3), 0);
	/* The same by a message. */
	set_conf(0x74, 0xfee00000, 4);
	set_conf(0x7c, 0x41, 2);
	set_conf(0x72, 1, 2);
	put_trb(&rings[slot][3], DATA, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 7, 6, 0, 0, 0);
	ck_assert_uint_eq(msi_count, 1);
	ck_assert_uint_eq(msi_data, 0x41);
	ck_assert_int_eq(pci_bus_pirq(pci, 3), 0);
	ck_assert_uint_eq(get(RUN_REGS) & 3, 2);
	/* Not again until the handler is through. */
	put_trb(&rings[slot][3], DATA, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 8, 6, 0, 0, 0);
	ck_assert_uint_eq(msi_count, 1);
	ck_assert(next_event(&e));
	ck_assert_uint_eq(msi_count, 2);
	ck_assert(next_event(&e));
	ck_assert_uint_eq(msi_count, 2);
}
END_TEST

START_TEST(behind_a_hub)
{
	unsigned hub, slot;
	uint8_t d[18];

	plug(usb_hub_new(&env, NULL, "", 4), "1");
	start();
	reset_port(1);
	hub = address_device(1, 0);
	configure(hub, false, 8);
	ck_assert_int_eq(control(hub, 0x23, 3, 8, 3, 0, NULL), 0);
	plug(usb_kbd_new(&env, NULL, "", &input), "1.3");
	ck_assert_int_eq(control(hub, 0x23, 3, 4, 3, 0, NULL), 0);
	slot = address_device(1, 3);
	ck_assert_int_eq(control(slot, 0x80, 6, 0x100, 0, 18, d), 18);
	configure(slot, false, 8);
	put_trb(&rings[slot][3], DATA, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_key(&input, 0x1e, true);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 1);
	ck_assert_uint_eq(ram[DATA + 2], 4);
}
END_TEST

START_TEST(wake_up)
{
	unsigned slot = start_tablet();
	struct event e;

	ck_assert_int_eq(control(slot, 0, 3, 1, 0, 0, NULL), 0);
	set(PORT, 0x00010260);
	ck_assert_uint_eq(get(PORT) & 0x1e0, 0x060);
	input_point(&input, 1, 1, 0, 0, 0);
	ck_assert_uint_eq(get(PORT) & 0x4001e0, 0x4001e0);
	ck_assert(next_event(&e));
	ck_assert_uint_eq(e.type, PORT_CHANGE);
	set(PORT, 0x00410200);
	ck_assert_uint_eq(get(PORT) & 0x1e0, 0);
}
END_TEST

/* ---- storage ---- */

static unsigned
start_disk(const char *where)
{
	uint32_t *content = xcalloc(1, DISK_BYTES);
	unsigned slot, port = 5;

	for (unsigned i = 0; i < DISK_BYTES / 4; i++)
		content[i] = i;
	open_disk(content, NULL, false);
	free(content);
	plug(usb_storage_new(&env, NULL, "1", disk, false, false), where);
	start();
	reset_port(port);
	slot = address_device(port, 0);
	configure(slot, true, 1024);
	return slot;
}

/* A command block; the data is up to the caller. */
static void
send_cbw(unsigned slot, const uint8_t *cdb, unsigned cdb_size, bool to_host, uint32_t len)
{
	uint8_t *cbw = ram + DATA;
	struct event e;

	memset(cbw, 0, 31);
	memcpy(cbw, "USBC", 4);
	store_le(cbw + 8, len, 4);
	cbw[12] = to_host ? 0x80 : 0;
	cbw[14] = cdb_size;
	memcpy(cbw + 15, cdb, cdb_size);
	put_trb(&rings[slot][4], DATA, 31, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 4);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 1);
}

static int
take_csw(unsigned slot)
{
	put_trb(&rings[slot][3], DATA, 13, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	if (wait_event(TRANSFER).code != 1)
		return -1;
	return ram[DATA + 12];
}

START_TEST(large_reads)
{
	unsigned slot = start_disk("1"), pages = 512 * 1024 / 4096;
	struct ring *r = &rings[slot][3];
	uint8_t bos[32];
	struct event e;

	ck_assert_int_eq(control(slot, 0x80, 6, 0xf00, 0, 32, bos), 22);
	send_cbw(slot, (uint8_t[6]){ 0 }, 6, false, 0);
	ck_assert_int_eq(take_csw(slot), 1);
	/* 512 KiB into pages, in TDs of 32. */
	send_cbw(slot, (uint8_t[]){ 0x28, 0, 0, 0, 0, 8, 0, 4, 0, 0 }, 10, true, 512 * 1024);
	for (unsigned i = 0; i < pages; i++) {
		bool last = i % 32 == 31;

		put_trb(r, DATA + 0x10000 + 4096 * i, 4096, NORMAL << 10 | (last ? IOC : CHAIN));
		if (!last)
			continue;
		set(BELL + 4 * slot, 3);
		e = wait_event(TRANSFER);
		ck_assert_uint_eq(e.code, 1);
	}
	ck_assert_int_eq(take_csw(slot), 0);
	for (unsigned i = 0; i < 512 * 1024 / 4; i++)
		ck_assert_uint_eq(load_le(ram + DATA + 0x10000 + 4 * i, 4), 8 * 128 + i);
	/* And written elsewhere by one TRB each of 64 KiB. */
	send_cbw(slot, (uint8_t[]){ 0x2a, 0, 0, 0, 4, 0, 0, 1, 0, 0 }, 10, false, 128 * 1024);
	put_trb(&rings[slot][4], DATA + 0x10000, 65536, NORMAL << 10 | CHAIN);
	put_trb(&rings[slot][4], DATA + 0x20000, 65536, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 4);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 1);
	ck_assert_int_eq(take_csw(slot), 0);
	ck_assert_int_eq(disk_read_sync(disk, 1024 * 512, ram + DATA, 8), 0);
	ck_assert_uint_eq(load_le(ram + DATA, 4), 8 * 128);
	/* A command that fails ends with a short packet. */
	send_cbw(slot, (uint8_t[]){ 0x28, 0, 0xff, 0, 0, 8, 0, 4, 0, 0 }, 10, true, 4096);
	put_trb(r, DATA + 0x10000, 4096, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	e = wait_event(TRANSFER);
	ck_assert_uint_eq(e.code, 13);
	ck_assert_uint_eq(e.length, 4096);
	ck_assert_int_eq(take_csw(slot), 1);
}
END_TEST

/* ---- what no driver does ---- */

START_TEST(bad_rings)
{
	unsigned slot = start_tablet();
	struct ring *r = &rings[slot][3];

	/* A ring of nothing but a link to itself. */
	store_le(ram + r->at, r->at, 8);
	store_le(ram + r->at + 12, LINK << 10 | 1, 4);
	set(BELL + 4 * slot, 3);
	ck_assert_uint_eq(get(OPER + 4) & 0x1001, 0x1001);
	set(OPER + 0, 5);
	ck_assert_uint_eq(get(OPER + 4) & 1, 1);
	start();
	ck_assert_uint_eq(get(OPER + 4) & 0x1001, 0);
	/* A command ring where no memory is. */
	set(OPER + 0x18, 0xe0000001);
	set(BELL, 0);
	ck_assert_uint_eq(get(OPER + 4) & 0x1001, 0x1001);
	/* An event ring that isn't. */
	start();
	set(RUN_REGS + 0x10, 0xe0000000);
	set(RUN_REGS + 0x14, 0);
	ck_assert_uint_eq(get(OPER + 4) & 0x1001, 0x1001);
	/* Data from and to nowhere. */
	dev_reset_all(devices);
	set_conf(0x10, BAR, 4);
	set_conf(0x04, 6, 2);
	start();
	reset_port(1);
	slot = address_device(1, 0);
	configure(slot, false, 8);
	put_trb(&rings[slot][3], 0xe0000000, 8, NORMAL << 10 | IOC);
	set(BELL + 4 * slot, 3);
	input_point(&input, 3, 4, 0, 0, 0);
	ck_assert_uint_eq(wait_event(TRANSFER).code, 4);
	for (unsigned n = 0; n < 256; n++)
		set(BELL + 4 * n, n * 7);
	for (unsigned n = 0; n < 0x4000; n += 4)
		set(n, 0xffffffff);
	for (unsigned n = 0; n < 0x4000; n += 4)
		get(n);
}
END_TEST

/* A ring of no-ops without an end is done in turns. */
START_TEST(endless_ring)
{
	unsigned slot = start_tablet();
	struct ring *r = &rings[slot][3];

	for (unsigned i = 0; i < RING_TRBS - 1; i++)
		store_le(ram + r->at + 16 * i + 12, NOOP << 10 | 1, 4);
	store_le(ram + r->at + 16 * (RING_TRBS - 1), r->at, 8);
	store_le(ram + r->at + 16 * (RING_TRBS - 1) + 12, LINK << 10 | 1, 4);
	set(BELL + 4 * slot, 3);
	clock_advance(clock_, 10 * MS);
	ck_assert_uint_eq(command(0, STOP_EP << 10 | slot << 24 | 3 << 16).code, 1);
	ck_assert_uint_eq(get(OPER + 4) & 0x1001, 0);
}
END_TEST

/* A full event ring loses events, never writes past itself. */
START_TEST(full_event_ring)
{
	struct event e;
	unsigned count = 0;

	start();
	for (unsigned i = 0; i < 60; i++)
		put_trb(&commands, 0, 0, NOOP_COMMAND << 10);
	set(BELL, 0);
	clock_advance(clock_, 10 * MS);
	while (next_event(&e))
		count++;
	ck_assert_uint_eq(count, EVENT_TRBS - 1);
	ck_assert_uint_eq(e.type, 37);
	ck_assert_uint_eq(load_le(ram + EVENTS + 16 * EVENT_TRBS, 8), 0);
}
END_TEST

START_TEST(coverage)
{
	for (const struct dev *d = devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("xhci");
	TCase *c = tcase_create("xhci");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, capabilities);
	tcase_add_test(c, microframes);
	tcase_add_test(c, port_changes);
	tcase_add_test(c, both_kinds_of_ports);
	tcase_add_test(c, slots);
	tcase_add_test(c, many_commands);
	tcase_add_test(c, descriptors);
	tcase_add_test(c, reports);
	tcase_add_test(c, stop_and_go);
	tcase_add_test(c, interrupts);
	tcase_add_test(c, behind_a_hub);
	tcase_add_test(c, wake_up);
	tcase_add_test(c, large_reads);
	tcase_add_test(c, bad_rings);
	tcase_add_test(c, endless_ring);
	tcase_add_test(c, full_event_ring);
	tcase_add_test(c, coverage);
	suite_add_tcase(s, c);
	return run_suite(s);
}
