/* SPDX-License-Identifier: GPL-2.0-or-later */
/* USB by way of the UHCI controller: ports, schedules, hub, keyboard, mouse, tablet and storage, as a driver sees them. */
#include "tests/check_main.h"
#include "tests/usb_machine.h"

#include <stdlib.h>

enum {
	DEVFN = 1 << 3 | 2,
	IO = 0xc000,
	FRAMES = 0x1000, QUEUE = 0x2000, TDS = 0x3000, DATA = 0x10000,
	IN = USB_IN, OUT = USB_OUT, SETUP = USB_SETUP,
	ACTIVE = 1 << 23, STALLED = 1 << 22, TIMEOUT = 1 << 18, NAKED = 1 << 19, IOC = 1 << 24, SPD = 1 << 29,
};

static uint32_t
in(unsigned port, unsigned size)
{
	return space_read(io, port, size, false);
}

static void
out(unsigned port, uint32_t value, unsigned size)
{
	space_write(io, port, value, size, false);
}

static void
set_up(void)
{
	open_machine(DEVFN);
	hc = uhci_new(&env, pci, DEVFN, NULL, "usb-bus.0", &bus);
	dev_reset_all(devices);
	set_conf(0x20, IO, 4);
	set_conf(0x04, 5, 2);
}

/* ---- a driver ---- */

static uint32_t
word(uint32_t at)
{
	return load_le(ram + at, 4);
}

static void
set_word(uint32_t at, uint32_t value)
{
	store_le(ram + at, value, 4);
}

/* All frames lead to one queue; the controller runs. */
static void
start(void)
{
	for (unsigned i = 0; i < 1024; i++)
		set_word(FRAMES + 4 * i, QUEUE | 2);
	set_word(QUEUE, 1);
	set_word(QUEUE + 4, 1);
	out(IO + 8, FRAMES, 4);
	out(IO + 4, 0xf, 2);
	out(IO + 0, 0x81, 2);
}

static void
reset_port(unsigned n)
{
	out(IO + 0x10 + 2 * n, 0x200, 2);
	clock_advance(clock_, 50 * MS);
	out(IO + 0x10 + 2 * n, 0, 2);
	out(IO + 0x10 + 2 * n, 0x000e, 2); /* enables, clears the changes */
	ck_assert_uint_eq(in(IO + 0x10 + 2 * n, 2) & 0x1005, 0x0005);
}

static void
put_td(unsigned n, bool last, uint32_t ctrl, uint8_t pid, uint8_t address, unsigned ep, uint32_t buffer, unsigned len)
{
	uint32_t at = TDS + 32 * n;

	set_word(at, last ? 1 : (at + 32) | 4);
	set_word(at + 4, ctrl | ACTIVE | 3 << 27 | 0x7ff);
	set_word(at + 8, pid | address << 8 | ep << 15 | ((len - 1u) & 0x7ff) << 21);
	set_word(at + 12, buffer);
}

static uint32_t
ctrl_of(unsigned n)
{
	return word(TDS + 32 * n + 4);
}

/* Runs N TDs; the number of those that came through. */
static unsigned
run(unsigned n)
{
	unsigned done = 0;

	set_word(QUEUE + 4, TDS);
	for (unsigned ms = 0; ms < 200 && (ctrl_of(n - 1) & ACTIVE); ms++) {
		clock_advance(clock_, MS);
		turn(loop, disk != NULL ? 1 : 0);
		for (unsigned i = 0; i < n; i++)
			if (ctrl_of(i) & STALLED)
				ms = 200;
	}
	set_word(QUEUE + 4, 1);
	while (done < n && (ctrl_of(done) & (ACTIVE | STALLED)) == 0)
		done++;
	return done;
}

static unsigned
moved(unsigned n)
{
	return (ctrl_of(n) + 1) & 0x7ff;
}

/* A control transfer with packets of 64 bytes: bytes moved, -1: stalled, -2: nobody there. */
static int
control(uint8_t address, uint8_t type, uint8_t request, uint16_t value, uint16_t index, uint16_t length, void *data)
{
	bool to_host = type & 0x80;
	unsigned n = 1, total = 0, data_tds;

	memcpy(ram + DATA, (uint8_t[]){ type, request, value & 0xff, value >> 8, index & 0xff, index >> 8, length & 0xff,
		length >> 8 }, 8);
	if (!to_host && length > 0)
		memcpy(ram + DATA + 64, data, length);
	put_td(0, false, 0, SETUP, address, 0, DATA, 8);
	for (unsigned at = 0; at < length; at += 64, n++)
		put_td(n, false, 0, to_host ? IN : OUT, address, 0, DATA + 64 + at, MIN(64, length - at));
	data_tds = n;
	put_td(n, true, IOC, to_host && length > 0 ? OUT : IN, address, 0, 0, 0);
	if (run(n + 1) < n + 1) {
		for (unsigned i = 0; i <= n; i++)
			if (ctrl_of(i) & TIMEOUT)
				return -2;
		return -1;
	}
	for (unsigned i = 1; i < data_tds; i++)
		total += moved(i);
	if (to_host)
		memcpy(data, ram + DATA + 64, total);
	return (int)total;
}

/* One packet of an endpoint: bytes moved, -1: stalled, -3: nothing yet. */
static int
packet(uint8_t address, unsigned ep, uint8_t pid, void *data, unsigned len)
{
	if (pid == OUT)
		memcpy(ram + DATA, data, len);
	put_td(0, true, IOC, pid, address, ep, DATA, len);
	if (run(1) < 1)
		return ctrl_of(0) & ACTIVE ? -3 : -1;
	if (pid == IN)
		memcpy(data, ram + DATA, moved(0));
	return (int)moved(0);
}

/* The device behind port N gets ADDRESS and its configuration. */
static void
enumerate(unsigned n, uint8_t address)
{
	uint8_t d[18];

	reset_port(n);
	ck_assert_int_eq(control(0, 0x80, 6, 0x100, 0, 18, d), 18);
	ck_assert_int_eq(control(0, 0, 5, address, 0, 0, NULL), 0);
	ck_assert_int_eq(control(0, 0x80, 6, 0x100, 0, 18, d), -2);
	ck_assert_int_eq(control(address, 0, 9, 1, 0, 0, NULL), 0);
}

/* ---- the controller ---- */

START_TEST(registers)
{
	ck_assert_uint_eq(in(IO + 0, 2), 0);
	ck_assert_uint_eq(in(IO + 2, 2), 0x20);
	ck_assert_uint_eq(in(IO + 0xc, 1), 64);
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x80);
	ck_assert_uint_eq(in(IO + 0x14, 2), 0xffff);
	out(IO + 8, 0x12345678, 4);
	ck_assert_uint_eq(in(IO + 8, 4), 0x12345000);
	out(IO + 6, 0x1234, 2);
	ck_assert_uint_eq(in(IO + 6, 2), 0x234);
	out(0xcf8, 0x80000000 | DEVFN << 8, 4);
	ck_assert_uint_eq(in(0xcfc, 4), 0x70208086);
	out(0xcf8, 0x80000000 | DEVFN << 8 | 8, 4);
	ck_assert_uint_eq(in(0xcfc, 4) >> 8, 0x0c0300);
	out(0xcf8, 0x80000000 | DEVFN << 8 | 0x3c, 4);
	ck_assert_uint_eq(in(0xcfd, 1), 4);
	/* Reset of the controller. */
	out(IO + 0, 2, 2);
	ck_assert_uint_eq(in(IO + 8, 4), 0);
}
END_TEST

START_TEST(frame_numbers)
{
	start();
	clock_advance(clock_, 10 * MS);
	ck_assert_uint_eq(in(IO + 6, 2), 10);
	clock_advance(clock_, 2048ull * MS);
	ck_assert_uint_eq(in(IO + 6, 2), 10);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x20, 0);
	out(IO + 0, 0x80, 2);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x20, 0x20);
	clock_advance(clock_, 10 * MS);
	ck_assert_uint_eq(in(IO + 6, 2), 10);
}
END_TEST

START_TEST(ports)
{
	struct usb_dev *d = plug(usb_tablet_new(&env, "t", "", &input), "1");
	struct err e = { "" };

	ck_assert_uint_eq(in(IO + 0x10, 2), 0x0093);
	ck_assert(!usb_plug(usb_mouse_new(&env, NULL, "", &input), usb_find_port(bus, "1"), &e));
	out(IO + 0x10, 2, 2);
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x0091);
	reset_port(0);
	usb_unplug(d);
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x008a);
	/* Nothing is enabled where nothing is. */
	out(IO + 0x10, 0xe, 2);
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x0080);
	plug(d, "1");
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x0093);
}
END_TEST

/* The timer rests when nothing is to be done, and comes at once when there is. */
START_TEST(idle)
{
	uint64_t before, now;

	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	put_td(0, true, IOC, IN, 5, 1, DATA, 8);
	set_word(QUEUE + 4, TDS);
	clock_advance(clock_, 100 * MS);
	ck_assert(ctrl_of(0) & ACTIVE);
	ck_assert(ctrl_of(0) & NAKED);
	before = clock_now(clock_);
	ck_assert_uint_ge(clock_run(clock_), before + 3 * MS);
	for (unsigned looks = 0; looks < 130; looks++) {
		now = clock_now(clock_);
		clock_advance(clock_, clock_run(clock_) - now);
	}
	ck_assert_uint_ge(clock_now(clock_), before + 1000ull * MS);
	input_point(&input, 1, 2, 0, 0, 0);
	clock_advance(clock_, MS);
	ck_assert_uint_eq(ctrl_of(0) & ACTIVE, 0);
	ck_assert_uint_eq(moved(0), 7);
	ck_assert(in(IO + 2, 2) & 1);
}
END_TEST

START_TEST(interrupts)
{
	start();
	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	enumerate(0, 5);
	out(IO + 2, 0x1f, 2);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 0);
	/* A descriptor that isn't active has its interrupt all the same. */
	put_td(0, true, IOC, IN, 5, 1, DATA, 8);
	set_word(TDS + 4, IOC);
	set_word(QUEUE + 4, TDS);
	clock_advance(clock_, 30 * MS);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x3f, 1);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 1);
	out(IO + 4, 0, 2);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 0);
	set_word(QUEUE + 4, 1);
	out(IO + 2, 1, 2);
	out(IO + 4, 0xf, 2);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 0);
	/* A short packet stops the queue where that is asked for. */
	input_point(&input, 1, 2, 0, 0, 0);
	put_td(0, false, SPD, IN, 5, 1, DATA, 64);
	put_td(1, true, 0, IN, 5, 1, DATA, 64);
	set_word(QUEUE + 4, TDS);
	clock_advance(clock_, 3 * MS);
	ck_assert_uint_eq(word(QUEUE + 4), TDS);
	ck_assert_uint_eq(ctrl_of(0) & ACTIVE, 0);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x3f, 1);
	/* Nobody there: an error. */
	set_word(QUEUE + 4, 1);
	out(IO + 2, 0x1f, 2);
	put_td(0, true, 0, IN, 99, 1, DATA, 8);
	set_word(QUEUE + 4, TDS);
	clock_advance(clock_, 10 * MS);
	ck_assert_uint_eq(ctrl_of(0) & (ACTIVE | STALLED | TIMEOUT), STALLED | TIMEOUT);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x3f, 2);
}
END_TEST

/* Schedules that never end, or lead nowhere. */
START_TEST(bad_schedules)
{
	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	set_word(QUEUE, QUEUE | 2);
	set_word(QUEUE + 4, QUEUE | 2);
	clock_advance(clock_, 20 * MS);
	put_td(0, false, 0, IN, 5, 0, DATA, 8);
	set_word(TDS, TDS);
	set_word(FRAMES, TDS);
	for (unsigned i = 0; i < 1024; i++)
		set_word(FRAMES + 4 * i, TDS);
	clock_advance(clock_, 20 * MS);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x38, 0);
	/* A token that is none. */
	set_word(TDS + 4, ACTIVE);
	set_word(TDS + 8, 0x12);
	clock_advance(clock_, 20 * MS);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x38, 0x30);
	start();
	for (unsigned i = 0; i < 1024; i++)
		set_word(FRAMES + 4 * i, 0xe0000000);
	out(IO + 2, 0x1f, 2);
	clock_advance(clock_, 20 * MS);
	ck_assert_uint_eq(in(IO + 2, 2) & 0x38, 0x28);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 1);
}
END_TEST

START_TEST(resume)
{
	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	out(IO + 0x10, 0x1004, 2);
	/* Not allowed to wake anyone yet. */
	input_point(&input, 1, 2, 0, 0, 0);
	ck_assert_uint_eq(in(IO + 0x10, 2) & 0x1040, 0x1000);
	out(IO + 0x10, 0x0004, 2);
	ck_assert_int_eq(control(5, 0, 3, 1, 0, 0, NULL), 0);
	out(IO + 0x10, 0x1004, 2);
	out(IO + 0, 0x88, 2);
	ck_assert_uint_eq(in(IO + 2, 2) & 4, 0);
	input_point(&input, 1, 3, 0, 0, 0);
	ck_assert_uint_eq(in(IO + 0x10, 2) & 0x1040, 0x1040);
	ck_assert_uint_eq(in(IO + 2, 2) & 4, 4);
	ck_assert_uint_eq(pci_bus_pirq(pci, 3), 1);
	out(IO + 0x10, 0x0004, 2);
	ck_assert_uint_eq(in(IO + 0x10, 2) & 0x1040, 0);
}
END_TEST

/* ---- devices ---- */

START_TEST(standard_requests)
{
	uint8_t d[256];

	plug(usb_tablet_new(&env, NULL, "S1", &input), "1");
	start();
	enumerate(0, 5);
	ck_assert_int_eq(control(5, 0x80, 6, 0x100, 0, 64, d), 18);
	ck_assert_mem_eq(d, ((uint8_t[]){ 18, 1, 0, 2, 0, 0, 0, 64, 0x27, 6, 1, 0, 0, 1, 1, 2, 3, 1 }), 18);
	ck_assert_int_eq(control(5, 0x80, 6, 0x200, 0, 255, d), 34);
	ck_assert_mem_eq(d, ((uint8_t[]){ 9, 2, 34, 0, 1, 1, 0, 0xa0, 50, 9, 4, 0, 0, 1, 3, 0, 0, 0 }), 18);
	ck_assert_mem_eq(d + 27, ((uint8_t[]){ 7, 5, 0x81, 3, 8, 0, 8 }), 7);
	ck_assert_int_eq(control(5, 0x80, 6, 0x300, 0, 255, d), 4);
	ck_assert_int_eq(control(5, 0x80, 6, 0x303, 0x409, 255, d), 6);
	ck_assert_mem_eq(d, ((uint8_t[]){ 6, 3, 'S', 0, '1', 0 }), 6);
	ck_assert_int_eq(control(5, 0x80, 6, 0x304, 0x409, 255, d), -1);
	ck_assert_int_eq(control(5, 0x80, 6, 0x600, 0, 10, d), 10);
	ck_assert_int_eq(control(5, 0x80, 6, 0xf00, 0, 10, d), -1);
	ck_assert_int_eq(control(5, 0x80, 8, 0, 0, 1, d), 1);
	ck_assert_uint_eq(d[0], 1);
	ck_assert_int_eq(control(5, 0x80, 0, 0, 0, 2, d), 2);
	ck_assert_uint_eq(d[0], 0);
	ck_assert_int_eq(control(5, 0, 3, 1, 0, 0, NULL), 0);
	ck_assert_int_eq(control(5, 0x80, 0, 0, 0, 2, d), 2);
	ck_assert_uint_eq(d[0], 2);
	ck_assert_int_eq(control(5, 0x82, 0, 0, 0x81, 2, d), 2);
	ck_assert_int_eq(control(5, 0x82, 0, 0, 0x82, 2, d), -1);
	/* A halted endpoint stalls until that is cleared. */
	ck_assert_int_eq(control(5, 2, 3, 0, 0x81, 0, NULL), 0);
	ck_assert_int_eq(packet(5, 1, IN, d, 8), -1);
	ck_assert_int_eq(control(5, 2, 1, 0, 0x81, 0, NULL), 0);
	ck_assert_int_eq(packet(5, 1, IN, d, 8), -3);
	ck_assert_int_eq(control(5, 0x81, 10, 0, 0, 1, d), 1);
	ck_assert_int_eq(control(5, 1, 11, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(control(5, 1, 11, 1, 0, 0, NULL), -1);
	ck_assert_int_eq(control(5, 0, 9, 2, 0, 0, NULL), -1);
	/* Wrong directions, unknown requests, too much data. */
	ck_assert_int_eq(control(5, 0, 6, 0x100, 0, 18, d), -1);
	ck_assert_int_eq(control(5, 0xc0, 1, 0, 0, 8, d), -1);
	ck_assert_int_eq(control(5, 0x21, 9, 0x200, 0, 255, d), -1);
	ck_assert_int_eq(control(5, 0, 9, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(packet(5, 1, IN, d, 8), -1);
}
END_TEST

START_TEST(tablet)
{
	uint8_t r[8], d[128];

	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	ck_assert(!input_is_absolute(&input) || input.sinks->next == NULL);
	ck_assert_int_gt(control(5, 0x81, 6, 0x2200, 0, 128, d), 60);
	ck_assert_int_eq(control(5, 0x81, 6, 0x2100, 0, 128, d), 9);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), -3);
	ck_assert(input_is_absolute(&input));
	input_point(&input, 0x1234, 0x7fff, 0, 0, BUTTON_LEFT);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 7);
	ck_assert_mem_eq(r, ((uint8_t[]){ 1, 0x34, 0x12, 0xff, 0x7f, 0, 0 }), 7);
	/* Movements with the same buttons are one, a click is not lost, and wheels add up. */
	input_point(&input, 1, 1, 1, 0, 0);
	input_point(&input, 2, 2, 1, -1, 0);
	input_point(&input, 2, 2, 0, 0, BUTTON_RIGHT | BUTTON_EXTRA);
	input_point(&input, 2, 2, 0, 0, 0);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 7);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 2, 0, 2, 0, 0xfe, 0xff }), 7);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 7);
	ck_assert_mem_eq(r, ((uint8_t[]){ 18, 2, 0, 2, 0, 0, 0 }), 7);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 7);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 2, 0, 2, 0, 0, 0 }), 7);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), -3);
	/* Too small a buffer babbles. */
	input_point(&input, 3, 2, 0, 0, 0);
	ck_assert_int_eq(packet(5, 1, IN, r, 4), -1);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 7);
	/* A thousand clicks that nobody fetches end with all buttons up. */
	for (unsigned i = 0; i < 1000; i++)
		input_point(&input, i, i, 0, 0, i & 1);
	input_point(&input, 7, 7, 0, 0, 0);
	while (packet(5, 1, IN, r, 8) > 0)
		continue;
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 7, 0, 7, 0, 0, 0 }), 7);
}
END_TEST

START_TEST(mouse)
{
	uint8_t r[8];

	plug(usb_mouse_new(&env, NULL, "", &input), "2");
	start();
	enumerate(1, 9);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), -3);
	ck_assert(!input_is_absolute(&input));
	input_move(&input, 300, -5, 0, 0, BUTTON_MIDDLE);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), 5);
	ck_assert_mem_eq(r, ((uint8_t[]){ 4, 127, 251, 0, 0 }), 5);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), 5);
	ck_assert_mem_eq(r, ((uint8_t[]){ 4, 127, 0, 0, 0 }), 5);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), 5);
	ck_assert_mem_eq(r, ((uint8_t[]){ 4, 46, 0, 0, 0 }), 5);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), -3);
	/* The boot protocol has three bytes. */
	ck_assert_int_eq(control(9, 0x21, 11, 0, 0, 0, NULL), 0);
	input_move(&input, 1, 2, 3, 0, 0);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), 3);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 1, 2 }), 3);
	ck_assert_int_eq(packet(9, 1, IN, r, 8), -3);
}
END_TEST

START_TEST(keyboard)
{
	static const unsigned many[] = { 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16 };
	uint8_t r[8], leds = 5;

	plug(usb_kbd_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), -3);
	input_key(&input, 0x1d, true);
	input_key(&input, 0xe048, true);
	input_key(&input, 0x1d, false);
	input_key(&input, 0xe048, false);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_mem_eq(r, ((uint8_t[]){ 1, 0, 0, 0, 0, 0, 0, 0 }), 8);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_mem_eq(r, ((uint8_t[]){ 1, 0, 0x52, 0, 0, 0, 0, 0 }), 8);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 0, 0x52, 0, 0, 0, 0, 0 }), 8);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_mem_eq(r, ((uint8_t[8]){ 0 }), 8);
	/* More than six at once. */
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		input_key(&input, many[i], true);
	for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
		ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 0, 1, 1, 1, 1, 1, 1 }), 8);
	input_release(&input);
	while (packet(5, 1, IN, r, 8) > 0)
		continue;
	ck_assert_mem_eq(r, ((uint8_t[8]){ 0 }), 8);
	ck_assert_int_eq(control(5, 0x21, 9, 0x200, 0, 1, &leds), 1);
	/* With an idle rate of 40 ms the report comes again and again. */
	ck_assert_int_eq(control(5, 0x21, 10, 10 << 8, 0, 0, NULL), 0);
	clock_advance(clock_, 50 * MS);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), 8);
	ck_assert_int_eq(control(5, 0x21, 10, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(packet(5, 1, IN, r, 8), -3);
	/* A queue that overflows loses presses, but no key hangs. */
	for (unsigned i = 0; i < 500; i++) {
		input_key(&input, 0x10 + i % 8, true);
		input_key(&input, 0x10 + i % 8, false);
	}
	while (packet(5, 1, IN, r, 8) > 0)
		continue;
	ck_assert_mem_eq(r, ((uint8_t[8]){ 0 }), 8);
}
END_TEST

START_TEST(hub)
{
	uint8_t r[64];
	struct usb_dev *d, *h = plug(usb_hub_new(&env, NULL, "", 4), "1");

	start();
	enumerate(0, 3);
	ck_assert_int_eq(control(3, 0xa0, 6, 0x2900, 0, 64, r), 9);
	ck_assert_uint_eq(r[2], 4);
	ck_assert_int_eq(packet(3, 1, IN, r, 1), -3);
	d = plug(usb_tablet_new(&env, NULL, "", &input), "1.2");
	ck_assert_int_eq(packet(3, 1, IN, r, 1), -3);
	/* It shows once the port has power. */
	ck_assert_int_eq(control(3, 0x23, 3, 8, 2, 0, NULL), 0);
	ck_assert_int_eq(packet(3, 1, IN, r, 1), 1);
	ck_assert_uint_eq(r[0], 4);
	ck_assert_int_eq(control(3, 0xa3, 0, 0, 2, 4, r), 4);
	ck_assert_uint_eq(load_le(r, 4), 0x00010101);
	ck_assert_int_eq(control(3, 0x23, 1, 16, 2, 0, NULL), 0);
	ck_assert_int_eq(packet(3, 1, IN, r, 1), -3);
	/* Nobody answers behind a port that isn't enabled. */
	ck_assert_int_eq(control(0, 0x80, 6, 0x100, 0, 18, r), -2);
	ck_assert_int_eq(control(3, 0x23, 3, 4, 2, 0, NULL), 0);
	ck_assert_int_eq(control(3, 0xa3, 0, 0, 2, 4, r), 4);
	ck_assert_uint_eq(load_le(r, 4), 0x00100103);
	ck_assert_int_eq(control(3, 0x23, 1, 20, 2, 0, NULL), 0);
	ck_assert_int_eq(control(0, 0x80, 6, 0x100, 0, 18, r), 18);
	ck_assert_int_eq(control(0, 0, 5, 4, 0, 0, NULL), 0);
	ck_assert_int_eq(control(4, 0, 9, 1, 0, 0, NULL), 0);
	ck_assert_int_eq(packet(4, 1, IN, r, 8), -3);
	input_point(&input, 5, 6, 0, 0, 0);
	ck_assert_int_eq(packet(4, 1, IN, r, 8), 7);
	/* Sleep, and waking up through the hub. */
	ck_assert_int_eq(control(4, 0, 3, 1, 0, 0, NULL), 0);
	ck_assert_int_eq(control(3, 0x23, 3, 2, 2, 0, NULL), 0);
	input_point(&input, 6, 6, 0, 0, 0);
	ck_assert_int_eq(control(3, 0xa3, 0, 0, 2, 4, r), 4);
	ck_assert_uint_eq(load_le(r, 4), 0x00040103);
	ck_assert_int_eq(control(3, 0x23, 1, 18, 2, 0, NULL), 0);
	usb_unplug(d);
	ck_assert_int_eq(control(3, 0xa3, 0, 0, 2, 4, r), 4);
	ck_assert_uint_eq(load_le(r, 4), 0x00030100);
	ck_assert_int_eq(control(3, 0x23, 3, 8, 5, 0, NULL), -1);
	/* The hub goes with what is behind it. */
	plug(d, "1.2");
	usb_unplug(h);
	ck_assert_ptr_null(usb_find_port(bus, "1.2"));
	ck_assert_ptr_null(d->port);
}
END_TEST

START_TEST(deep_hubs)
{
	struct err e = { "" };
	char where[32] = "1";

	for (unsigned depth = 0; depth < USB_DEPTH_MAX; depth++) {
		plug(usb_hub_new(&env, NULL, "", 8), where);
		strcat(where, ".1");
	}
	ck_assert(!usb_plug(usb_hub_new(&env, NULL, "", 8), usb_find_port(bus, where), &e));
	plug(usb_kbd_new(&env, NULL, "", &input), where);
}
END_TEST

/* ---- storage ---- */

static void
make_disk(bool cdrom, const char *filter, bool readonly)
{
	uint8_t *content = xcalloc(1, DISK_BYTES);

	for (unsigned i = 0; i < DISK_BYTES / 512; i++) {
		memset(content + 512 * i, i, 512);
		store_le(content + 512 * i, i, 4);
	}
	open_disk(content, filter, readonly);
	free(content);
	plug(usb_storage_new(&env, NULL, "ABC123", disk, cdrom, false), "1");
	start();
	enumerate(0, 2);
}

static uint32_t residue;

/* One command by the bulk-only transport: its status, -1: stalled, -2: no status came. */
static int
command(const uint8_t *cdb, unsigned cdb_size, bool to_host, void *data, uint32_t len)
{
	uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4 }, csw[13], *p = data;
	uint32_t left = len;

	store_le(cbw + 8, len, 4);
	cbw[12] = to_host ? 0x80 : 0;
	cbw[14] = cdb_size;
	memcpy(cbw + 15, cdb, cdb_size);
	if (packet(2, 2, OUT, cbw, 31) != 31)
		return -1;
	while (left > 0) {
		int n = packet(2, to_host ? 1 : 2, to_host ? IN : OUT, p, MIN(left, 64));

		if (n < 0)
			return -1;
		p += n;
		left -= n;
		if (n < 64)
			break;
	}
	if (packet(2, 1, IN, csw, 13) != 13)
		return -2;
	ck_assert_mem_eq(csw, "USBS\1\2\3\4", 8);
	residue = load_le(csw + 8, 4);
	return csw[12];
}

#define CDB(...) (uint8_t[]){ __VA_ARGS__ }, sizeof((uint8_t[]){ __VA_ARGS__ })

/* What REQUEST SENSE says: key << 16 | ASC << 8 | ASCQ. */
static unsigned
sense(void)
{
	uint8_t r[18];

	ck_assert_int_eq(command(CDB(3, 0, 0, 0, 18, 0), true, r, 18), 0);
	return r[2] << 16 | r[12] << 8 | r[13];
}

START_TEST(storage_commands)
{
	uint8_t r[4096];

	make_disk(false, NULL, false);
	ck_assert_int_eq(control(2, 0xa1, 0xfe, 0, 0, 1, r), 1);
	ck_assert_uint_eq(r[0], 0);
	/* The first command hears of the power that came. */
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x062900);
	ck_assert_uint_eq(sense(), 0);
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 0);
	ck_assert_int_eq(command(CDB(0x12, 0, 0, 0, 36, 0), true, r, 36), 0);
	ck_assert_mem_eq(r + 8, "CALQUE  HARDDISK", 16);
	ck_assert_int_eq(command(CDB(0x12, 0, 0, 0, 255, 0), true, r, 255), 0);
	ck_assert_uint_eq(residue, 255 - 36);
	ck_assert_int_eq(command(CDB(0x12, 1, 0x80, 0, 255, 0), true, r, 255), 0);
	ck_assert_mem_eq(r, "\0\x80\0\6ABC123", 10);
	ck_assert_int_eq(command(CDB(0x12, 1, 0x77, 0, 255, 0), true, r, 255), 1);
	ck_assert_uint_eq(sense(), 0x052400);
	ck_assert_int_eq(command(CDB(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), true, r, 8), 0);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 0, 7, 0xff, 0, 0, 2, 0 }), 8);
	ck_assert_int_eq(command(CDB(0x9e, 0x10, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0), true, r, 32), 0);
	ck_assert_mem_eq(r, ((uint8_t[]){ 0, 0, 0, 0, 0, 0, 7, 0xff, 0, 0, 2, 0 }), 12);
	ck_assert_int_eq(command(CDB(0x1a, 0, 0x3f, 0, 192, 0), true, r, 192), 0);
	ck_assert_uint_eq(r[0] + 1u, 192 - residue);
	ck_assert_int_eq(command(CDB(0x5a, 0, 0x08, 0, 0, 0, 0, 0, 64, 0), true, r, 64), 0);
	ck_assert_int_eq(command(CDB(0x1a, 0, 0xff, 0, 192, 0), true, r, 192), 1);
	ck_assert_uint_eq(sense(), 0x053900);
	ck_assert_int_eq(command(CDB(0xff, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x052000);
	ck_assert_int_eq(command(CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 12, 0), true, r, 12), 1);
	ck_assert_uint_eq(sense(), 0x052000);
	ck_assert_int_eq(command(CDB(0xa0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 0, 0), true, r, 16), 0);
	ck_assert_int_eq(command(CDB(0x1b, 0, 0, 0, 0, 0), false, NULL, 0), 0);
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x020402);
	ck_assert_int_eq(command(CDB(0x1b, 0, 0, 0, 1, 0), false, NULL, 0), 0);
	ck_assert_int_eq(command(CDB(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), false, NULL, 0), 0);
}
END_TEST

START_TEST(storage_data)
{
	static uint8_t buf[96 * 1024];
	uint8_t list[24] = { 0, 22, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 32, 0, 0, 0, 8 };

	make_disk(false, NULL, false);
	sense();
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 3, 0), true, buf, 1536), 0);
	ck_assert_uint_eq(load_le(buf, 4), 5);
	ck_assert_uint_eq(load_le(buf + 1024, 4), 7);
	ck_assert_uint_eq(buf[1535], 7);
	memset(buf, 0xab, 1024);
	ck_assert_int_eq(command(CDB(0x2a, 8, 0, 0, 0, 6, 0, 0, 2, 0), false, buf, 1024), 0);
	ck_assert_int_eq(command(CDB(0x08, 0, 0, 5, 4, 0), true, buf, 2048), 0);
	ck_assert_uint_eq(load_le(buf, 4), 5);
	ck_assert_uint_eq(load_le(buf + 512, 4), 0xabababab);
	ck_assert_uint_eq(load_le(buf + 1536, 4), 8);
	/* Larger than the buffer of a unit would be in one go for some; other forms. */
	ck_assert_int_eq(command(CDB(0xa8, 0, 0, 0, 0, 16, 0, 0, 0, 192, 0, 0), true, buf, sizeof(buf)), 0);
	for (unsigned i = 0; i < 192; i++)
		ck_assert_uint_eq(load_le(buf + 512 * i, 4), 16 + i);
	ck_assert_int_eq(command(CDB(0x8a, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0), false, buf, 512), 0);
	ck_assert_int_eq(command(CDB(0x88, 0, 0, 0, 0, 0, 0, 0, 0, 100, 0, 0, 0, 1, 0, 0), true, buf, 512), 0);
	ck_assert_uint_eq(load_le(buf, 4), 16);
	/* Past the end. */
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 7, 0xff, 0, 0, 2, 0), true, buf, 1024), 1);
	ck_assert_uint_eq(residue, 1024);
	ck_assert_uint_eq(sense(), 0x052100);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0), false, buf, 1024), 1);
	ck_assert_int_eq(command(CDB(0x8a, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2, 0, 0), false, buf, 1024), 1);
	/* Ranges given up; one past the end. */
	ck_assert_int_eq(command(CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), false, list, 24), 0);
	list[12] = 0xff;
	ck_assert_int_eq(command(CDB(0x42, 0, 0, 0, 0, 0, 0, 0, 24, 0), false, list, 24), 1);
	ck_assert_uint_eq(sense(), 0x052100);
}
END_TEST

/* Host and device disagree: the thirteen cases of the transport's section 6.7. */
START_TEST(storage_disagreements)
{
	uint8_t buf[2048] = { 0 }, cbw[31] = { 'U', 'S', 'B', 'X' };

	make_disk(false, NULL, false);
	sense();
	/* The host expects data that doesn't come, or less, or more. */
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), true, buf, 64), 0);
	ck_assert_uint_eq(residue, 64);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0), true, buf, 2048), 0);
	ck_assert_uint_eq(residue, 1536);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 2, 0), true, buf, 512), 0);
	ck_assert_uint_eq(load_le(buf, 4), 5);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, NULL, 0), 2);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, NULL, 0), 2);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, buf, 512), 2);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0), true, buf, 512), 2);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 4, 0), false, buf, 512), 2);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, buf, 1024), 0);
	ck_assert_uint_eq(residue, 512);
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, buf, 640), 0);
	ck_assert_uint_eq(residue, 640);
	/* What is no command block stalls until the reset. */
	ck_assert_int_eq(packet(2, 2, OUT, cbw, 31), -1);
	ck_assert_int_eq(packet(2, 1, IN, buf, 13), -1);
	ck_assert_int_eq(control(2, 0x21, 0xff, 0, 0, 0, NULL), 0);
	ck_assert_int_eq(control(2, 2, 1, 0, 0x81, 0, NULL), 0);
	ck_assert_int_eq(control(2, 2, 1, 0, 0x02, 0, NULL), 0);
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 0);
}
END_TEST

START_TEST(storage_errors)
{
	uint8_t buf[2048] = { 0 };

	make_disk(false, "fault:read@0x2800=EIO,write@0x3000=ENOSPC,flush=EIO", false);
	sense();
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 0x14, 0, 0, 1, 0), true, buf, 512), 1);
	ck_assert_uint_eq(sense(), 0x031100);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 0x15, 0, 0, 1, 0), true, buf, 512), 0);
	ck_assert_int_eq(command(CDB(0x35, 0, 0, 0, 0, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x044400);
}
END_TEST

START_TEST(storage_readonly)
{
	uint8_t buf[512] = { 0 };

	make_disk(false, NULL, true);
	sense();
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, buf, 512), 1);
	ck_assert_uint_eq(sense(), 0x072700);
	ck_assert_int_eq(command(CDB(0x1a, 0, 0x3f, 0, 192, 0), true, buf, 192), 0);
	ck_assert_uint_eq(buf[2] & 0x80, 0x80);
}
END_TEST

START_TEST(storage_cd)
{
	uint8_t buf[2048] = { 0 };
	struct usb_dev *d;

	make_disk(true, NULL, true);
	d = bus->ports->dev;
	sense();
	ck_assert_int_eq(command(CDB(0x12, 0, 0, 0, 36, 0), true, buf, 36), 0);
	ck_assert_uint_eq(buf[0], 5);
	ck_assert_int_eq(command(CDB(0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0), true, buf, 8), 0);
	ck_assert_mem_eq(buf, ((uint8_t[]){ 0, 0, 1, 0xff, 0, 0, 8, 0 }), 8);
	ck_assert_int_eq(command(CDB(0x28, 0, 0, 0, 0, 2, 0, 0, 1, 0), true, buf, 2048), 0);
	ck_assert_uint_eq(load_le(buf, 4), 8);
	ck_assert_int_eq(command(CDB(0x43, 0, 0, 0, 0, 0, 0, 0, 20, 0), true, buf, 20), 0);
	ck_assert_int_eq(command(CDB(0x46, 0, 0, 0, 0, 0, 0, 0, 64, 0), true, buf, 64), 0);
	ck_assert_int_eq(command(CDB(0x2a, 0, 0, 0, 0, 5, 0, 0, 1, 0), false, buf, 512), 1);
	/* Locked, it stays; unlocked it goes, and the drive tells. */
	ck_assert_int_eq(command(CDB(0x1e, 0, 0, 0, 1, 0), false, NULL, 0), 0);
	ck_assert(!usb_storage_change(d, NULL, false));
	ck_assert_int_eq(command(CDB(0x4a, 1, 0, 0, 0x10, 0, 0, 0, 8, 0), true, buf, 8), 0);
	ck_assert_uint_eq(buf[4], 1);
	ck_assert_int_eq(command(CDB(0x1e, 0, 0, 0, 0, 0), false, NULL, 0), 0);
	ck_assert(usb_storage_change(d, NULL, false));
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x023a02);
	ck_assert(usb_storage_change(d, disk, false));
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 1);
	ck_assert_uint_eq(sense(), 0x062800);
	ck_assert_int_eq(command(CDB(0, 0, 0, 0, 0, 0), false, NULL, 0), 0);
}
END_TEST

/* Pulled out in the middle of a transfer; the host's request comes home to nobody. */
START_TEST(storage_unplugged)
{
	uint8_t cbw[31] = { 'U', 'S', 'B', 'C', 1, 2, 3, 4, 0, 2, 0, 0, 0x80, 0, 10, 0x28, 0, 0, 0, 0, 5, 0, 0, 1 };

	make_disk(false, NULL, false);
	sense();
	memcpy(ram + DATA, cbw, 31);
	put_td(0, true, IOC, OUT, 2, 2, DATA, 31);
	set_word(QUEUE + 4, TDS);
	clock_advance(clock_, MS);
	ck_assert_uint_eq(ctrl_of(0) & ACTIVE, 0);
	usb_unplug(bus->ports->dev);
	for (unsigned i = 0; i < 10; i++)
		turn(loop, 1);
	ck_assert_uint_eq(in(IO + 0x10, 2) & 0x000b, 0x000a);
}
END_TEST

/* ---- state ---- */

START_TEST(coverage)
{
	plug(usb_hub_new(&env, NULL, "", 4), "2");
	usb_kbd_new(&env, NULL, "", &input);
	usb_mouse_new(&env, NULL, "", &input);
	usb_tablet_new(&env, NULL, "", &input);
	make_disk(false, NULL, false);
	for (const struct dev *d = devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

/* Where a control transfer is lies inside of its data. */
START_TEST(loaded)
{
	struct usb_dev *all[] = {
		usb_tablet_new(&env, NULL, "", &input), usb_hub_new(&env, NULL, "", 4), usb_storage_new(&env, NULL, "", NULL, true, true),
	};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct usb_dev *d = all[i];
		struct err e = { "" };

		d->state->pos = d->state->len = 18;
		ck_assert(d->dev.cls->loaded(&d->dev, &e));
		d->state->pos = 19;
		ck_assert(!d->dev.cls->loaded(&d->dev, &e));
		ck_assert_ptr_nonnull(strstr(e.text, "control transfer"));
	}
}
END_TEST

START_TEST(after_reset)
{
	uint8_t d[18];

	plug(usb_tablet_new(&env, NULL, "", &input), "1");
	start();
	enumerate(0, 5);
	packet(5, 1, IN, d, 8);
	ck_assert(input.sinks->point != NULL);
	dev_reset_all(devices);
	set_conf(0x20, IO, 4);
	set_conf(0x04, 5, 2);
	ck_assert_uint_eq(in(IO + 0x10, 2), 0x0093);
	start();
	reset_port(0);
	ck_assert_int_eq(control(0, 0x80, 6, 0x100, 0, 18, d), 18);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("usb");
	TCase *c = tcase_create("usb");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, registers);
	tcase_add_test(c, frame_numbers);
	tcase_add_test(c, ports);
	tcase_add_test(c, idle);
	tcase_add_test(c, interrupts);
	tcase_add_test(c, bad_schedules);
	tcase_add_test(c, resume);
	tcase_add_test(c, standard_requests);
	tcase_add_test(c, tablet);
	tcase_add_test(c, mouse);
	tcase_add_test(c, keyboard);
	tcase_add_test(c, hub);
	tcase_add_test(c, deep_hubs);
	tcase_add_test(c, storage_commands);
	tcase_add_test(c, storage_data);
	tcase_add_test(c, storage_disagreements);
	tcase_add_test(c, storage_errors);
	tcase_add_test(c, storage_readonly);
	tcase_add_test(c, storage_cd);
	tcase_add_test(c, storage_unplugged);
	tcase_add_test(c, coverage);
	tcase_add_test(c, loaded);
	tcase_add_test(c, after_reset);
	suite_add_tcase(s, c);
	return run_suite(s);
}
