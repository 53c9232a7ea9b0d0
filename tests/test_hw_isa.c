/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: the ISA side's ports: serial and parallel port, keyboard and mouse, debug ports; driven by ports and a manual clock. */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "ui/ui.h"

#include <check.h>
#include <stdlib.h>

struct probe {
	int level;
	unsigned rises;
};

/* A character device that keeps what it gets, and takes ROOM bytes more. */
struct chr {
	const struct chr_user *user;
	uint8_t out[4096];
	size_t out_len, room;
	uint8_t waiting[256];
	size_t waiting_len;
};

struct board {
	struct clock *clock;
	struct space *mem, *io;
	struct dev *devices, *uart, *kbc;
	struct input input;
	struct chr serial, printer, console;
	struct probe irq1, irq4, irq7, irq12, reset, a20, lines[24];
	int exit_status;
};

static struct board *b;

void
chr_attach(struct chr *c, const struct chr_user *user)
{
	c->user = user;
}

size_t
chr_write(struct chr *c, const void *data, size_t len)
{
	len = MIN(len, MIN(c->room, sizeof(c->out) - c->out_len));
	memcpy(c->out + c->out_len, data, len);
	c->out_len += len;
	c->room -= len;
	return len;
}

void
chr_accept(struct chr *c)
{
	size_t n = MIN(c->user->can_receive(c->user->opaque), c->waiting_len);

	if (n == 0)
		return;
	c->user->receive(c->user->opaque, c->waiting, n);
	memmove(c->waiting, c->waiting + n, c->waiting_len - n);
	c->waiting_len -= n;
}

static void
type(struct chr *c, const char *text)
{
	memcpy(c->waiting + c->waiting_len, text, strlen(text));
	c->waiting_len += strlen(text);
	chr_accept(c);
}

static void
probe_set(void *opaque, int n, int level)
{
	struct probe *p = (struct probe *)opaque + n;

	p->rises += level && !p->level;
	p->level = level;
}

static struct irq
to_probe(struct probe *p)
{
	return irq_to(probe_set, p, 0);
}

static void
note_exit(void *opaque, int status)
{
	*(int *)opaque = status;
}

static void
setup(void)
{
	struct dev_env env;
	struct irq lines[24];

	b = xcalloc(1, sizeof(*b));
	b->clock = clock_new(true);
	b->mem = space_new("mem", false);
	b->io = space_new("io", true);
	b->serial.room = b->printer.room = b->console.room = SIZE_MAX;
	env = (struct dev_env){ .clock = b->clock, .mem = b->mem, .io = b->io, .devices = &b->devices };
	for (unsigned i = 0; i < 24; i++)
		lines[i] = irq_to(probe_set, b->lines, i);
	b->uart = ns16550_new(&env, "serial0", 0x3f8, to_probe(&b->irq4), &b->serial);
	parallel_new(&env, "parallel0", 0x378, to_probe(&b->irq7), &b->printer);
	b->kbc = i8042_new(&env, to_probe(&b->irq1), to_probe(&b->irq12), to_probe(&b->reset), to_probe(&b->a20));
	i8042_add_input(b->kbc, &b->input);
	debugcon_new(&env, NULL, 0xe9, 0xe9, &b->console);
	debug_exit_new(&env, 0x501, 4, note_exit, &b->exit_status);
	pc_testdev_new(&env, lines);
	dev_reset_all(b->devices);
}

static void
teardown(void)
{
	space_free(b->mem);
	space_free(b->io);
	dev_free_all(b->devices);
	clock_free(b->clock);
	free(b);
}

static void
out(unsigned port, uint8_t value)
{
	space_write(b->io, port, value, 1, false);
}

static uint8_t
in(unsigned port)
{
	return space_read(b->io, port, 1, false);
}

/* ---- serial port ---- */

START_TEST(uart_sends)
{
	out(0x3fb, 0x83);
	out(0x3f8, 1);
	out(0x3f9, 2);
	ck_assert_uint_eq(in(0x3f8), 1);
	ck_assert_uint_eq(in(0x3f9), 2);
	out(0x3fb, 0x03);
	out(0x3f9, 0x02);
	ck_assert_int_eq(b->irq4.level, 1);
	ck_assert_uint_eq(in(0x3fa), 0x02);
	ck_assert_int_eq(b->irq4.level, 0);
	ck_assert_uint_eq(in(0x3fa), 0x01);
	out(0x3f8, 'x');
	ck_assert_int_eq(b->irq4.level, 1);
	ck_assert_uint_eq(in(0x3fd), 0x60);
	ck_assert_mem_eq(b->serial.out, "x", 1);
	/* Each character makes a new edge. */
	out(0x3f8, 'y');
	ck_assert_uint_eq(b->irq4.rises, 3);
}
END_TEST

/* A host that takes nothing holds up the transmitter, but not the guest. */
START_TEST(uart_is_held_up)
{
	out(0x3fa, 0x01);
	b->serial.room = 2;
	for (unsigned i = 0; i < 20; i++)
		out(0x3f8, 'a' + i);
	ck_assert_uint_eq(b->serial.out_len, 2);
	ck_assert_uint_eq(in(0x3fd) & 0x60, 0);
	b->serial.room = SIZE_MAX;
	clock_advance(b->clock, 2000000);
	ck_assert_uint_eq(b->serial.out_len, 18);
	ck_assert_mem_eq(b->serial.out, "abcdefghijklmnopqr", 18);
	ck_assert_uint_eq(in(0x3fd) & 0x60, 0x60);
	b->serial.room = 0;
	out(0x3f8, 'z');
	clock_advance(b->clock, 200000000);
	ck_assert_uint_eq(in(0x3fd) & 0x60, 0x60);
	ck_assert_uint_eq(b->serial.out_len, 18);
}
END_TEST

START_TEST(uart_receives)
{
	out(0x3f9, 0x01);
	type(&b->serial, "ab");
	ck_assert_uint_eq(b->serial.waiting_len, 1);
	ck_assert_uint_eq(in(0x3fa), 0x04);
	ck_assert_uint_eq(in(0x3fd), 0x61);
	ck_assert_uint_eq(in(0x3f8), 'a');
	ck_assert_uint_eq(in(0x3f8), 'b');
	ck_assert_uint_eq(in(0x3fd), 0x60);
	ck_assert_int_eq(b->irq4.level, 0);
}
END_TEST

/* Below the trigger level a time-out of four characters tells. */
START_TEST(uart_fifo)
{
	out(0x3fb, 0x83);
	out(0x3f8, 1);
	out(0x3f9, 0);
	out(0x3fb, 0x03);
	out(0x3f9, 0x01);
	out(0x3fa, 0x81);
	type(&b->serial, "1234567");
	ck_assert_int_eq(b->irq4.level, 0);
	clock_advance(b->clock, 300000);
	ck_assert_int_eq(b->irq4.level, 0);
	clock_advance(b->clock, 100000);
	ck_assert_uint_eq(in(0x3fa), 0xcc);
	ck_assert_uint_eq(in(0x3f8), '1');
	ck_assert_uint_eq(in(0x3fa), 0xc1);
	type(&b->serial, "89");
	ck_assert_uint_eq(in(0x3fa), 0xc4);
	out(0x3fa, 0x83);
	ck_assert_uint_eq(in(0x3fd), 0x60);
	ck_assert_int_eq(b->irq4.level, 0);
}
END_TEST

START_TEST(uart_loops)
{
	ck_assert_uint_eq(in(0x3fe), 0xb0);
	out(0x3fc, 0x1f);
	ck_assert_uint_eq(in(0x3fe), 0xf0);
	out(0x3fc, 0x10);
	ck_assert_uint_eq(in(0x3fe), 0x0f);
	ck_assert_uint_eq(in(0x3fe), 0x00);
	out(0x3f8, 0x5a);
	ck_assert_uint_eq(b->serial.out_len, 0);
	ck_assert_uint_eq(in(0x3fd), 0x61);
	out(0x3f8, 0xa5);
	ck_assert_uint_eq(in(0x3fd) & 0x02, 0x02);
	ck_assert_uint_eq(in(0x3fd) & 0x02, 0);
	ck_assert_uint_eq(in(0x3f8), 0xa5);
	out(0x3f9, 0x08);
	out(0x3fc, 0x11);
	ck_assert_uint_eq(in(0x3fa), 0x00);
	ck_assert_int_eq(b->irq4.level, 1);
	in(0x3fe);
	ck_assert_int_eq(b->irq4.level, 0);
}
END_TEST

START_TEST(uart_break)
{
	out(0x3f9, 0x04);
	b->serial.user->event(b->serial.user->opaque, CHR_BREAK);
	ck_assert_uint_eq(in(0x3fa), 0x06);
	ck_assert_uint_eq(in(0x3fd), 0x71);
	ck_assert_uint_eq(in(0x3fa), 0x01);
	ck_assert_uint_eq(in(0x3f8), 0);
}
END_TEST

/* ---- keyboard and mouse ---- */

/* The next byte of the controller, which is to be of the mouse or not; -1: none comes within 10 ms. */
static int
next(bool aux)
{
	for (unsigned i = 0; i < 100; i++) {
		uint8_t status = in(0x64);

		if ((status & 0x01) != 0) {
			ck_assert_int_eq((status & 0x20) != 0, aux);
			return in(0x60);
		}
		clock_advance(b->clock, 100000);
	}
	return -1;
}

static void
expect(bool aux, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ck_assert_msg(next(aux) == bytes[i], "byte %zu is not %02x", i, bytes[i]);
	ck_assert_int_eq(next(aux), -1);
}

#define EXPECT(aux, ...) expect(aux, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static void
controller(uint8_t command)
{
	out(0x64, command);
}

static void
to_mouse(uint8_t byte)
{
	controller(0xd4);
	out(0x60, byte);
}

START_TEST(controller_commands)
{
	controller(0xaa);
	EXPECT(false, 0x55);
	controller(0xab);
	EXPECT(false, 0x00);
	controller(0xa9);
	EXPECT(false, 0x00);
	controller(0x60);
	out(0x60, 0x74);
	controller(0x20);
	EXPECT(false, 0x74);
	controller(0xa8);
	controller(0x20);
	EXPECT(false, 0x54);
	controller(0x7f);
	out(0x60, 0x12);
	controller(0x3f);
	EXPECT(false, 0x12);
	controller(0xd3);
	out(0x60, 0x77);
	EXPECT(true, 0x77);
	controller(0xd2);
	ck_assert_uint_eq(in(0x64) & 0x08, 0x08);
	out(0x60, 0x66);
	ck_assert_uint_eq(in(0x64) & 0x08, 0);
	EXPECT(false, 0x66);
}
END_TEST

START_TEST(controller_outputs)
{
	ck_assert_int_eq(b->a20.level, 1);
	controller(0xdd);
	ck_assert_int_eq(b->a20.level, 0);
	controller(0xdf);
	ck_assert_int_eq(b->a20.level, 1);
	controller(0xd1);
	out(0x60, 0xdd);
	ck_assert_int_eq(b->a20.level, 0);
	ck_assert_uint_eq(b->reset.rises, 0);
	controller(0xd0);
	EXPECT(false, 0xcd);
	controller(0xff);
	ck_assert_uint_eq(b->reset.rises, 0);
	controller(0xfe);
	ck_assert_uint_eq(b->reset.rises, 1);
	controller(0xd1);
	out(0x60, 0x02);
	ck_assert_uint_eq(b->reset.rises, 2);
}
END_TEST

START_TEST(keyboard_commands)
{
	out(0x60, 0xff);
	EXPECT(false, 0xfa, 0xaa);
	out(0x60, 0xee);
	EXPECT(false, 0xee);
	out(0x60, 0xf2);
	EXPECT(false, 0xfa, 0xab, 0x41);
	out(0x60, 0xed);
	EXPECT(false, 0xfa);
	out(0x60, 0x07);
	EXPECT(false, 0xfa);
	out(0x60, 0xfe);
	EXPECT(false, 0xfa);
	out(0x60, 0x01);
	EXPECT(false, 0xfe);
	controller(0x60);
	out(0x60, 0x07);
	out(0x60, 0xf0);
	EXPECT(false, 0xfa);
	out(0x60, 0x00);
	EXPECT(false, 0xfa, 0x02);
	out(0x60, 0xf2);
	EXPECT(false, 0xfa, 0xab, 0x83);
}
END_TEST

static void
key(unsigned scancode, bool down)
{
	input_key(&b->input, scancode, down);
}

START_TEST(keys_translated)
{
	key(0x1e, true);
	ck_assert_int_eq(b->irq1.level, 1);
	key(0x1e, false);
	EXPECT(false, 0x1e, 0x9e);
	ck_assert_int_eq(b->irq1.level, 0);
	ck_assert_uint_eq(b->irq1.rises, 2);
	key(0xe048, true);
	key(0xe048, false);
	EXPECT(false, 0xe0, 0x48, 0xe0, 0xc8);
	key(0x41, true);
	EXPECT(false, 0x41);
	key(0xe11d, true);
	EXPECT(false, 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5);
	key(0xe037, true);
	EXPECT(false, 0xe0, 0x2a, 0xe0, 0x37);
	key(0xe037, false);
	EXPECT(false, 0xe0, 0xb7, 0xe0, 0xaa);
}
END_TEST

/* Every key of set 1 comes back as itself through sets 2 and 1. */
START_TEST(keys_round_trip)
{
	for (unsigned code = 1; code <= 0x58; code++) {
		key(code, true);
		EXPECT(false, code);
		key(code, false);
		EXPECT(false, code | 0x80);
	}
}
END_TEST

START_TEST(keys_sets)
{
	controller(0x60);
	out(0x60, 0x07);
	key(0x1e, true);
	key(0x1e, false);
	EXPECT(false, 0x1c, 0xf0, 0x1c);
	key(0x41, true);
	EXPECT(false, 0x83);
	key(0xe048, false);
	EXPECT(false, 0xe0, 0xf0, 0x75);
	out(0x60, 0xf0);
	EXPECT(false, 0xfa);
	out(0x60, 0x01);
	EXPECT(false, 0xfa);
	key(0x1e, true);
	key(0xe048, false);
	EXPECT(false, 0x1e, 0xe0, 0xc8);
	out(0x60, 0xf0);
	EXPECT(false, 0xfa);
	out(0x60, 0x03);
	EXPECT(false, 0xfa);
	key(0xe048, true);
	key(0xe048, false);
	key(0x1d, true);
	EXPECT(false, 0x63, 0xf0, 0x63, 0x11);
	out(0x60, 0xfd);
	EXPECT(false, 0xfa);
	out(0x60, 0x63);
	EXPECT(false, 0xfa);
	key(0xe048, false);
	ck_assert_int_eq(next(false), -1);
}
END_TEST

START_TEST(keyboard_off)
{
	controller(0xad);
	key(0x1e, true);
	ck_assert_int_eq(next(false), -1);
	controller(0xae);
	EXPECT(false, 0x1e);
	out(0x60, 0xf5);
	EXPECT(false, 0xfa);
	key(0x1f, true);
	ck_assert_int_eq(next(false), -1);
	out(0x60, 0xf4);
	EXPECT(false, 0xfa);
	key(0x20, true);
	EXPECT(false, 0x20);
}
END_TEST

/* A key that was not read yet gives way to the controller's answer, and comes after it. */
START_TEST(answers_overtake)
{
	key(0x1e, true);
	controller(0xa4);
	EXPECT(false, 0xf1, 0x1e);
}
END_TEST

static void
move(int dx, int dy, int dz, unsigned buttons)
{
	input_move(&b->input, dx, dy, dz, 0, buttons);
}

START_TEST(mouse_reports)
{
	to_mouse(0xff);
	EXPECT(true, 0xfa, 0xaa, 0x00);
	move(1, 1, 0, 0);
	ck_assert_int_eq(next(true), -1);
	to_mouse(0xf6);
	EXPECT(true, 0xfa);
	to_mouse(0xf4);
	EXPECT(true, 0xfa);
	move(5, -3, 0, 1);
	ck_assert_int_eq(b->irq12.level, 1);
	EXPECT(true, 0x09, 0x05, 0x03);
	move(-300, 0, 0, 1);
	EXPECT(true, 0x19, 0x01, 0x00, 0x19, 0xd3, 0x00);
	to_mouse(0xe9);
	EXPECT(true, 0xfa, 0x24, 0x02, 0x64);
}
END_TEST

static void
set_rate(uint8_t rate)
{
	to_mouse(0xf3);
	EXPECT(true, 0xfa);
	to_mouse(rate);
	EXPECT(true, 0xfa);
}

START_TEST(mouse_wheel)
{
	set_rate(200);
	set_rate(100);
	set_rate(80);
	to_mouse(0xf2);
	EXPECT(true, 0xfa, 0x03);
	to_mouse(0xf4);
	EXPECT(true, 0xfa);
	move(0, 0, -1, 4);
	EXPECT(true, 0x0c, 0x00, 0x00, 0xff);
	set_rate(200);
	set_rate(200);
	set_rate(80);
	to_mouse(0xf2);
	EXPECT(true, 0xfa, 0x04);
	move(0, 0, 1, 0x10);
	EXPECT(true, 0x08, 0x00, 0x00, 0x21);
	/* The second wheel: nothing until it is asked for, then reports of its own. */
	input_move(&b->input, 0, 0, 0, 3, 0x10);
	ck_assert_int_eq(next(true), -1);
	set_rate(200);
	set_rate(80);
	set_rate(40);
	input_move(&b->input, 0, 0, 0, 2, 0x10);
	EXPECT(true, 0x08, 0x00, 0x00, 0x7e);
	input_move(&b->input, 0, 0, -1, -1, 0x00);
	EXPECT(true, 0x08, 0x00, 0x00, 0x0f, 0x08, 0x00, 0x00, 0x41);
	to_mouse(0xff);
	EXPECT(true, 0xfa, 0xaa, 0x00);
}
END_TEST

START_TEST(mouse_modes)
{
	to_mouse(0xf0);
	EXPECT(true, 0xfa);
	move(2, 0, 0, 0);
	ck_assert_int_eq(next(true), -1);
	to_mouse(0xeb);
	EXPECT(true, 0xfa, 0x08, 0x02, 0x00);
	to_mouse(0xee);
	EXPECT(true, 0xfa);
	to_mouse(0x55);
	EXPECT(true, 0x55);
	to_mouse(0xec);
	EXPECT(true, 0xfa);
	to_mouse(0xe8);
	EXPECT(true, 0xfa);
	to_mouse(0x03);
	EXPECT(true, 0xfa);
	to_mouse(0xe9);
	EXPECT(true, 0xfa, 0x40, 0x03, 0x64);
	to_mouse(0x11);
	EXPECT(true, 0xfe);
}
END_TEST

/* ---- the small ones ---- */

START_TEST(printer_prints)
{
	ck_assert_uint_eq(in(0x379), 0xd8);
	out(0x378, 'P');
	ck_assert_uint_eq(in(0x378), 'P');
	out(0x37a, 0x1d);
	out(0x37a, 0x1c);
	ck_assert_uint_eq(b->printer.out_len, 1);
	ck_assert_uint_eq(b->printer.out[0], 'P');
	ck_assert_int_eq(b->irq7.level, 1);
	in(0x379);
	ck_assert_int_eq(b->irq7.level, 0);
	ck_assert_uint_eq(in(0x37a), 0xdc);
	out(0x37c, 'E');
	ck_assert_uint_eq(b->printer.out[1], 'E');
}
END_TEST

START_TEST(debug_ports)
{
	out(0xe9, 'd');
	ck_assert_uint_eq(in(0xe9), 0xe9);
	ck_assert_uint_eq(b->console.out[0], 'd');
	space_write(b->io, 0x501, 0x10, 4, false);
	ck_assert_int_eq(b->exit_status, 0x21);
	space_write(b->io, 0xe0, 0x12345678, 4, false);
	ck_assert_uint_eq(in(0xe8), 0x78);
	ck_assert_uint_eq(space_read(b->io, 0xe0, 4, false), 0x12345678);
	ck_assert_uint_eq(space_read(b->io, 0xe2, 2, false), 0x1234);
	out(0x2005, 1);
	ck_assert_int_eq(b->lines[5].level, 1);
	out(0x2005, 0);
	ck_assert_int_eq(b->lines[5].level, 0);
	space_write(b->mem, 0xff000010, 0x1122334455667788, 8, false);
	ck_assert_uint_eq(space_read(b->mem, 0xff000014, 4, false), 0x11223344);
}
END_TEST

START_TEST(fields_cover_state)
{
	for (struct dev *d = b->devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

static uint32_t
random_next(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 32;
}

/* Whatever a guest does and types: everything goes on. */
START_TEST(anything_goes)
{
	static const uint16_t ports[] = { 0x60, 0x64, 0x378, 0x379, 0x37a, 0x37b, 0x37c, 0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc,
		0x3fd, 0x3fe, 0x3ff, 0xe9, 0xe0, 0xe8, 0x2003 };
	uint64_t seed = 99;

	for (unsigned i = 0; i < 100000; i++) {
		uint32_t r = random_next(&seed);
		unsigned port = ports[(r >> 8) % ARRAY_SIZE(ports)];

		b->serial.out_len = b->printer.out_len = b->console.out_len = 0;
		b->serial.room = r >> 20 & 31;
		switch (r & 7) {
		case 0 ... 2: out(port, r >> 24); break;
		case 3: in(port); break;
		case 4: key(r >> 16 & 0xff, r >> 8 & 1); break;
		case 5: move((int)(r >> 8) - 4000000, r >> 12 & 0xff, r >> 16 & 3, r >> 20); break;
		case 6: clock_advance(b->clock, r >> 8); break;
		case 7: if (b->serial.waiting_len < 200) type(&b->serial, "abc"); break;
		}
	}
	dev_reset_all(b->devices);
	ck_assert_uint_eq(in(0x3fd), 0x60);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_isa");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 60);
	tcase_add_test(c, uart_sends);
	tcase_add_test(c, uart_is_held_up);
	tcase_add_test(c, uart_receives);
	tcase_add_test(c, uart_fifo);
	tcase_add_test(c, uart_loops);
	tcase_add_test(c, uart_break);
	tcase_add_test(c, controller_commands);
	tcase_add_test(c, controller_outputs);
	tcase_add_test(c, keyboard_commands);
	tcase_add_test(c, keys_translated);
	tcase_add_test(c, keys_round_trip);
	tcase_add_test(c, keys_sets);
	tcase_add_test(c, keyboard_off);
	tcase_add_test(c, answers_overtake);
	tcase_add_test(c, mouse_reports);
	tcase_add_test(c, mouse_wheel);
	tcase_add_test(c, mouse_modes);
	tcase_add_test(c, printer_prints);
	tcase_add_test(c, debug_ports);
	tcase_add_test(c, fields_cover_state);
	tcase_add_test(c, anything_goes);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
