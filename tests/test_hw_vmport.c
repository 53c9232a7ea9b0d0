/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VMware's backdoor and its pointer, as a driver speaks to it. */
#include "base/clock.h"
#include "base/loop.h"
#include "base/util.h"
#include "hw/hw.h"
#include "ui/ui.h"
#include "tests/check_main.h"

#include <check.h>
#include <stdlib.h>

enum { VERSION = 10, DATA = 39, STATUS = 40, COMMAND = 41, MAGIC = 0x564d5868 };
enum { READ_ID = 0x45414552, DISABLE = 0xf5, RELATIVE = 0x4c455252, ABSOLUTE = 0x53424152 };

static struct clock *clock_;
static struct loop *loop;
static struct space *mem, *io;
static struct dev *devices, *kbc;
static struct input input;
static uint32_t regs[6];
static int irq12;

static uint32_t
get_register(void *opaque, enum vmport_register r)
{
	(void)opaque;
	return regs[r];
}

static void
set_register(void *opaque, enum vmport_register r, uint32_t value)
{
	(void)opaque;
	regs[r] = value;
}

static void
set_irq(void *opaque, int n, int level)
{
	(void)opaque;
	if (n == 12)
		irq12 = level;
}

static void
set_up(void)
{
	struct vmport_cpu cpu = { NULL, get_register, set_register };
	struct irq none = { 0 };

	clock_ = clock_new(true);
	loop = loop_new(clock_);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	input = (struct input){ 0 };
	irq12 = 0;
	struct dev_env env = { clock_, loop, mem, io, &devices };
	kbc = i8042_new(&env, none, irq_to(set_irq, NULL, 12), none, none);
	i8042_add_input(kbc, &input);
	vmport_new(&env, &cpu, i8042_announce(kbc), &input);
	dev_reset_all(devices);
}

static void
tear_down(void)
{
	space_free(mem);
	space_free(io);
	dev_free_all(devices);
	loop_free(loop);
	clock_free(clock_);
}

static uint32_t
call(uint32_t command, uint32_t parameter)
{
	regs[VMPORT_EAX] = MAGIC;
	regs[VMPORT_EBX] = parameter;
	regs[VMPORT_ECX] = command;
	regs[VMPORT_EAX] = (uint32_t)space_read(io, 0x5658, 4, false);
	return regs[VMPORT_EAX];
}

static void
to_mouse(uint8_t byte)
{
	space_write(io, 0x64, 0xd4, 1, false);
	space_write(io, 0x60, byte, 1, false);
}

/* What the mouse sends, without the acknowledgement; how many bytes. */
static unsigned
drain(void)
{
	unsigned n = 0;

	for (; space_read(io, 0x64, 1, false) & 1; n++) {
		space_read(io, 0x60, 1, false);
		clock_advance(clock_, 200000);
	}
	return n;
}

static void
enable(uint32_t mode)
{
	ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
	call(COMMAND, READ_ID);
	ck_assert_uint_eq(call(STATUS, 0), 1);
	ck_assert_uint_eq(call(DATA, 1), 0x3442554a);
	call(COMMAND, mode);
	to_mouse(0xf4);
	ck_assert_uint_eq(drain(), 1);
}

START_TEST(version)
{
	ck_assert_uint_eq(call(VERSION, 0), 6);
	ck_assert_uint_eq(regs[VMPORT_EBX], MAGIC);
	ck_assert_uint_eq(regs[VMPORT_ECX], 2);
	ck_assert_uint_eq(call(45, 7), UINT32_MAX);
	ck_assert_uint_eq(regs[VMPORT_EBX], 7);
	regs[VMPORT_EAX] = 1;
	regs[VMPORT_ECX] = VERSION;
	ck_assert_uint_eq(space_read(io, 0x5658, 4, false), UINT32_MAX);
}
END_TEST

START_TEST(absolute)
{
	ck_assert(!input_is_absolute(&input));
	enable(ABSOLUTE);
	ck_assert(input_is_absolute(&input));
	input_point(&input, POINTER_MAX, 0, 1, 0, BUTTON_LEFT | BUTTON_MIDDLE);
	ck_assert_int_eq(irq12, 1);
	ck_assert_uint_eq(drain(), 3);
	ck_assert_uint_eq(call(STATUS, 0), 4);
	ck_assert_uint_eq(call(DATA, 4), 0x28);
	ck_assert_uint_eq(regs[VMPORT_EBX], 0xffff);
	ck_assert_uint_eq(regs[VMPORT_ECX], 0);
	ck_assert_uint_eq(regs[VMPORT_EDX], 1);
	ck_assert_uint_eq(call(STATUS, 0), 0);
	/* A click among movements is kept; the queue has an end. */
	for (unsigned i = 0; i < 1000; i++)
		input_point(&input, i, i, 0, 0, i / 2 % 2);
	input_point(&input, 5, 5, 0, 0, 0);
	ck_assert_uint_le(call(STATUS, 0), 256);
	while (call(STATUS, 0) > 0)
		call(DATA, 4);
	ck_assert_uint_eq(regs[VMPORT_EBX], 0);
	/* Too much wanted: an error until the next start. */
	call(DATA, 4);
	ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
	call(COMMAND, DISABLE);
	ck_assert(!input_is_absolute(&input));
}
END_TEST

START_TEST(relative)
{
	enable(RELATIVE);
	ck_assert(!input_is_absolute(&input));
	input_move(&input, 5, 6, 0, 0, BUTTON_RIGHT);
	ck_assert_uint_eq(call(DATA, 4), 0x10010);
	ck_assert_uint_eq(regs[VMPORT_EBX], 5);
	ck_assert_uint_eq(regs[VMPORT_ECX], (uint32_t)-6);
	call(COMMAND, ABSOLUTE);
	ck_assert(input_is_absolute(&input));
	dev_reset_all(devices);
	ck_assert(!input_is_absolute(&input));
	ck_assert_uint_eq(call(STATUS, 0), 0xffff0000);
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
	Suite *s = suite_create("vmport");
	TCase *c = tcase_create("vmport");

	tcase_add_checked_fixture(c, set_up, tear_down);
	tcase_add_test(c, version);
	tcase_add_test(c, absolute);
	tcase_add_test(c, relative);
	tcase_add_test(c, coverage);
	suite_add_tcase(s, c);
	return run_suite(s);
}
