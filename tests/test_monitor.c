/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vm/monitor*.c: commands against a machine that only pretends, and typing at a terminal. */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/util.h"
#include "ui/ui.h"
#include "vm/machine_view.h"
#include "vm/monitor.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* What the pretended machine was asked, and what the monitor printed. */
static char asked[4096], printed[65536];
static uint8_t memory[256];

static void
note(const char *what)
{
	snprintf(asked + strlen(asked), sizeof(asked) - strlen(asked), "%s;", what);
}

static void
fake_stop(void *opaque)
{
	(void)opaque;
	note("stop");
}

static bool
fake_cont(void *opaque, struct err *e)
{
	(void)opaque;
	note("cont");
	return err_set(e, "the disk is full");
}

static void
fake_quit(void *opaque, int code)
{
	(void)opaque;
	(void)code;
	note("quit");
}

static const char *
fake_run_state(void *opaque)
{
	(void)opaque;
	return "paused";
}

static bool
fake_register(void *opaque, unsigned cpu, const char *name, uint64_t *value)
{
	(void)opaque;
	*value = strcmp(name, "rip") == 0 ? 0x10 : 0x1234;
	return cpu == 0 && (strcmp(name, "rip") == 0 || strcmp(name, "rax") == 0);
}

static void
fake_register_names(void *opaque, void (*each)(void *to, const char *name), void *to)
{
	(void)opaque;
	each(to, "rax");
	each(to, "rip");
}

static bool
fake_read(void *opaque, uint64_t addr, void *to, size_t len)
{
	(void)opaque;
	if (addr > sizeof(memory) || len > sizeof(memory) - addr)
		return false;
	memcpy(to, memory + addr, len);
	return true;
}

static bool
fake_read_virtual(void *opaque, unsigned cpu, uint64_t addr, void *to, size_t len)
{
	(void)cpu;
	return addr >= 0x1000 && fake_read(opaque, addr - 0x1000, to, len);
}

static bool
fake_translate(void *opaque, unsigned cpu, uint64_t gva, uint64_t *gpa_found)
{
	(void)opaque;
	(void)cpu;
	*gpa_found = gva - 0x1000;
	return gva >= 0x1000;
}

static unsigned
fake_disassemble(void *opaque, unsigned cpu, uint64_t addr, const uint8_t *code, size_t len, char *text, size_t size)
{
	(void)opaque;
	(void)cpu;
	(void)addr;
	snprintf(text, size, "insn %02x of %zu", code[0], len);
	return code[0] == 0xff ? 0 : 3;
}

static bool
fake_eject(void *opaque, const char *drive, bool force, struct err *e)
{
	char text[100];

	(void)opaque;
	snprintf(text, sizeof(text), "eject %s %d", drive, force);
	note(text);
	return force || err_set(e, "%s is locked", drive);
}

static bool
fake_change(void *opaque, const char *drive, const char *path, const char *format, enum view_access access, bool force, struct err *e)
{
	char text[100];

	(void)opaque;
	(void)e;
	snprintf(text, sizeof(text), "change %s %s %s %d %d", drive, path, format != NULL ? format : "-", access, force);
	note(text);
	return true;
}

static bool
fake_record_start(void *opaque, const char *path, const char *audiodev, unsigned rate, unsigned bits, unsigned channels,
	struct err *e)
{
	char text[100];

	(void)opaque, (void)e;
	snprintf(text, sizeof(text), "record %s %s %u %u %u", path, audiodev != NULL ? audiodev : "-", rate, bits, channels);
	note(text);
	return true;
}

static bool
fake_record_stop(void *opaque, unsigned number, struct err *e)
{
	(void)opaque;
	return err_set(e, "there is no recording %u", number);
}

static void
fake_block_names(void *opaque, void (*each)(void *to, const char *name), void *to)
{
	(void)opaque;
	each(to, "ide1-cd0");
	each(to, "floppy0");
}

static void
fake_registers(void *opaque, unsigned cpu, view_print *print, void *to)
{
	(void)opaque;
	print(to, cpu == 0 ? "RAX=0\n" : "RAX=1\n");
}

static uint32_t pixels[4] = { 0x102030, 0, 0, 0 };
static struct surface surface = { pixels, 2, 2, 8 };

static const struct surface *
fake_update(void *opaque)
{
	(void)opaque;
	return &surface;
}

static struct display *
fake_display(void *opaque)
{
	static struct display d = { .update = fake_update };

	(void)opaque;
	return &d;
}

static void
see_key(void *opaque, unsigned code, bool down)
{
	char text[20];

	(void)opaque;
	snprintf(text, sizeof(text), "%s%x", down ? "+" : "-", code);
	note(text);
}

static void
see_move(void *opaque, int dx, int dy, int dz, int dw, unsigned buttons)
{
	char text[60];

	(void)opaque, (void)dw;
	snprintf(text, sizeof(text), "move %d %d %d %x", dx, dy, dz, buttons);
	note(text);
}

static void
see_point(void *opaque, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	char text[60];

	(void)opaque, (void)dw;
	snprintf(text, sizeof(text), "point %u %u %d %x", x, y, dz, buttons);
	note(text);
}

static bool
fake_device_add(void *opaque, const char *properties, struct err *e)
{
	(void)opaque, (void)e;
	note(properties);
	return true;
}

static bool
fake_device_del(void *opaque, const char *id, struct err *e)
{
	(void)opaque;
	return err_set(e, "there is no device '%s'", id);
}

static void
fake_usb_info(void *opaque, view_print *print, void *to)
{
	(void)opaque;
	print(to, "two devices\n");
}

static uint64_t
port_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque;
	return 0x11223344 + offset + size;
}

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	char text[40];

	(void)opaque;
	snprintf(text, sizeof(text), "port %x=%x/%u", (unsigned)offset, (unsigned)value, size);
	note(text);
}

static const struct region_ops port_ops = { port_read, port_write, 1, 4 };
static struct input_sink keyboard = { .key = see_key };
static struct input_sink mouse = { .name = "a mouse", .move = see_move };
static struct input_sink tablet = { .name = "a tablet", .point = see_point };
static struct input input;
static struct clock *clk;
static struct region port;
static struct machine_view view;

static void
setup(void)
{
	clk = clock_new(true);
	view = (struct machine_view){
		.version = "1.2", .cpu_count = 2, .stop = fake_stop, .cont = fake_cont, .quit = fake_quit, .run_state = fake_run_state,
		.read_register = fake_register, .register_names = fake_register_names, .read_physical = fake_read,
		.read_virtual = fake_read_virtual, .translate = fake_translate, .disassemble = fake_disassemble, .eject = fake_eject,
		.change = fake_change,
	.record_start = fake_record_start,
	.record_stop = fake_record_stop, .block_names = fake_block_names, .registers = fake_registers, .display = fake_display,
		.device_add = fake_device_add, .device_del = fake_device_del, .usb_info = fake_usb_info, .input = &input,
	};
	view.loop = loop_new(clk);
	view.mem = space_new("memory", false);
	view.io = space_new("ports", true);
	input = (struct input){ 0 };
	input_add(&input, &keyboard);
	input_add(&input, &mouse);
	input_add(&input, &tablet);
	view.keys = key_queue_new(clk, &input);
	region_init_io(&port, "a port", &port_ops, NULL, 8);
	space_add(view.io, &port, 0x70, 0);
	for (unsigned i = 0; i < sizeof(memory); i++)
		memory[i] = i;
	asked[0] = printed[0] = '\0';
}

static void
teardown(void)
{
	key_queue_free(view.keys);
	space_free(view.mem);
	space_free(view.io);
	loop_free(view.loop);
	clock_free(clk);
}

static void
print(void *to, const char *text)
{
	(void)to;
	strncat(printed, text, sizeof(printed) - strlen(printed) - 1);
}

/* A line, what it prints (a leading ~: something with this in it), what the machine is asked. */
static const struct row {
	const char *line, *prints, *asks;
} rows[] = {
	{ "", "", "" },
	{ "stop", "", "stop;" },
	{ "s", "", "stop;" },
	{ "c", "Error: the disk is full\n", "cont;" },
	{ "q", "", "quit;" },
	{ "system_reset", "system_reset is not supported\n", "" },
	{ "gdbserver tcp::1234", "gdbserver is not supported\n", "" },
	{ "migrate x", "migrate is not supported\n", "" },
	{ "frobnicate", "unknown command: 'frobnicate'\n", "" },
	{ "stop now", "stop: \"now\" is one argument too many; usage: stop\n", "" },
	{ "eject", "eject: too few arguments; usage: eject [-f] drive\n", "" },
	{ "help", "~system_powerdown -- press the power button\n", "" },
	{ "help x", "x /fmt address -- show memory at a virtual address\n", "" },
	{ "? info", "~info registers -- ", "" },
	{ "help nothing", "unknown command: 'nothing'\n", "" },
	{ "print 1 + 2 * 3", "0x7\n", "" },
	{ "p/d -(4-6)<<3|1", "17\n", "" },
	{ "p /d 7 - 9", "-2\n", "" },
	{ "p $rax & 0xff", "0x34\n", "" },
	{ "p $pc", "0x10\n", "" },
	{ "p/c 65", "'A'\n", "" },
	{ "p $nothing", "~there is no register $nothing", "" },
	{ "p 1/0", "~division by zero", "" },
	{ "p (1", "~a ) is missing", "" },
	{ "p 12ab", "~hexadecimal ones begin with 0x", "" },
	{ "xp/4xb 0x10", "0000000000000010: 0x10 0x11 0x12 0x13\n", "" },
	{ "xp /3hx 2", "0000000000000002: 0x0302 0x0504 0x0706\n", "" },
	{ "xp/9xb 0", "0000000000000000: 0x00 0x01 0x02 0x03 0x04 0x05 0x06 0x07\n0000000000000008: 0x08\n", "" },
	{ "xp 0x200", "0000000000000200: Cannot access memory\n", "" },
	{ "x/1xg 0x1000+$pc", "0000000000001010: 0x1716151413121110\n", "" },
	{ "x/2db 0x10ff", "00000000000010ff: Cannot access memory\n", "" },
	{ "x/2uc 0x1041", "0000000000001041: 'A' 'B'\n", "" },
	{ "xp/2i 0xfc", "0x00000000000000fc:  insn fc of 4\n0x00000000000000ff:  .byte 0xff\n", "" },
	{ "x/1z 0", "~'z' is no format", "" },
	{ "gva2gpa 0x1234", "gpa: 0x234\n", "" },
	{ "gva2gpa 0x10", "Unmapped\n", "" },
	{ "sum 0 4", "16388\n", "" },
	{ "i 0x70", "portb[0x0070] = 0x45\n", "" },
	{ "i/w 0x70", "portl[0x0070] = 0x11223348\n", "" },
	{ "o/h 0x72 0x55aa", "", "port 2=55aa/2;" },
	{ "cpu 2", "Error: there are processors 0 to 1\n", "" },
	{ "info status", "VM status: paused\n", "" },
	{ "info version", "1.2\n", "" },
	{ "info uuid", "00000000-0000-0000-0000-000000000000\n", "" },
	{ "info registers", "RAX=0\n", "" },
	{ "info registers -a", "\nCPU#0\nRAX=0\n\nCPU#1\nRAX=1\n", "" },
	{ "info cpus", "* CPU #0\n  CPU #1\n", "" },
	{ "info tlb", "info tlb is not supported\n", "" },
	{ "info nonsense", "~info nonsense is not supported", "" },
	{ "info mtree", "~0000000000000070-0000000000000077 (prio 0, i/o): a port\n", "" },
	{ "info kvm", "kvm support: not compiled\n", "" },
	{ "eject ide1-cd0", "Error: ide1-cd0 is locked\n", "eject ide1-cd0 0;" },
	{ "eject -f ide1-cd0", "", "eject ide1-cd0 1;" },
	{ "change ide1-cd0 \"a b.iso\"", "", "change ide1-cd0 a b.iso - 0 0;" },
	{ "change -f floppy0 /x raw read-only", "", "change floppy0 /x raw 1 1;" },
	{ "change floppy0 x raw maybe", "~none of read-only", "" },
	{ "sendkey nokey", "invalid parameter: nokey\n", "" },
	{ "sendkey ctrl-alt-0x53 500", "", "+1d;+38;+53;" },
	{ "info mice", "* Mouse #0: a mouse\n  Mouse #1: a tablet (absolute)\n", "" },
	{ "mouse_move 5 -6", "", "move 5 -6 0 0;" },
	{ "mouse_move -70000 0 1", "", "move -32767 0 1 0;" },
	{ "mouse_move left 0", "Error: 'left' is no number\n", "" },
	{ "mouse_button 3", "", "move 0 0 0 3;" },
	{ "mouse_button 0", "", "move 0 0 0 0;" },
	{ "mouse_set 2", "Error: there is no mouse 2: see info mice\n", "" },
	{ "mouse_set 1", "", "" },
	{ "mouse_move 100 40000", "", "point 100 32767 0 0;" },
	{ "mouse_button 4", "", "point 100 32767 0 4;" },
	{ "info usb", "two devices\n", "" },
	{ "device_add usb-kbd,id=k", "", "usb-kbd,id=k;" },
	{ "device_del k", "Error: there is no device 'k'\n", "" },
	{ "screendump /nowhere/x.png", "~can't be written", "" },
	{ "screendump x", "~ends in .png or .ppm", "" },
	{ "log nonsense", "~there is no item \"nonsense\"", "" },
	{ "trace-event no_such_event on", "~no trace event matches", "" },
	{ "trace-event x maybe", "~neither on nor off", "" },
	{ "savevm", "savevm is not supported\n", "" },
	{ "wavcapture a.wav", "", "record a.wav - 44100 16 2;" },
	{ "wavcapture a.wav x 48000 8 1", "", "record a.wav x 48000 8 1;" },
	{ "stopcapture 3", "Error: there is no recording 3\n", "" },
	{ "info audio", "info audio is not supported\n", "" },
};

START_TEST(test_commands)
{
	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		asked[0] = printed[0] = '\0';
		monitor_run(&view, r->line, print, NULL);
		if (r->prints[0] == '~')
			ck_assert_msg(strstr(printed, r->prints + 1) != NULL, "%s: %s", r->line, printed);
		else
			ck_assert_msg(strcmp(printed, r->prints) == 0, "%s: %s", r->line, printed);
		ck_assert_msg(strcmp(asked, r->asks) == 0, "%s: %s", r->line, asked);
	}
}
END_TEST

START_TEST(test_log_items)
{
	log_set(0);
	monitor_run(&view, "log in_asm,int", print, NULL);
	ck_assert(log_on(LOG_BIT_in_asm) && log_on(LOG_BIT_int) && !log_on(LOG_BIT_exec));
	monitor_run(&view, "log none", print, NULL);
	ck_assert_uint_eq(log_get(), 0);
	ck_assert_str_eq(printed, "");
}
END_TEST

START_TEST(test_saving)
{
	char path[] = "/tmp/test_monitor.XXXXXX", command[100];
	uint8_t data[300];
	int fd = mkstemp(path);

	snprintf(command, sizeof(command), "pmemsave 16 32 %s", path);
	monitor_run(&view, command, print, NULL);
	ck_assert_str_eq(printed, "");
	ck_assert_int_eq(pread(fd, data, sizeof(data), 0), 32);
	ck_assert_mem_eq(data, memory + 16, 32);
	snprintf(command, sizeof(command), "memsave 0x1f00 8192 %s", path);
	monitor_run(&view, command, print, NULL);
	ck_assert_str_eq(printed, "Error: there is no memory at 0x1f00\n");
	close(fd);
	unlink(path);
}
END_TEST

/* ---- a terminal ---- */

static char screen[65536];

static void
take(int fd)
{
	size_t len = strlen(screen);
	ssize_t n;

	for (unsigned i = 0; i < 6; i++) {
		loop_turn(view.loop, 5);
		n = recv(fd, screen + len, sizeof(screen) - len - 1, MSG_DONTWAIT);
		if (n > 0)
			len += n;
		screen[len] = '\0';
	}
}

/* Types, and expects TEXT in what comes. */
static void
expect(int fd, const char *typed, const char *text)
{
	screen[0] = '\0';
	ck_assert_int_eq(write(fd, typed, strlen(typed)), (ssize_t)strlen(typed));
	take(fd);
	ck_assert_msg(strstr(screen, text) != NULL, "typed %s, got %s", typed, screen);
}

START_TEST(test_terminal)
{
	char path[] = "/tmp/test_monitor.XXXXXX", spec[64];
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	struct err e = { "" };
	struct monitor *m;
	struct chr *c;
	int fd;

	close(mkstemp(path));
	unlink(path);
	snprintf(spec, sizeof(spec), "unix:%s,server,nowait", path);
	c = chr_open(view.loop, "mon", spec, &e);
	ck_assert_msg(c != NULL, "%s", e.text);
	m = monitor_new(c, &view, true);
	strcpy(a.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	expect(fd, "", "calque 1.2 monitor - type 'help' for more information\r\n(calque) ");
	expect(fd, "info status\r", "info status\r\nVM status: paused\r\n(calque) ");
	expect(fd, "\033[A\r", "VM status: paused");
	/* Corrections: "xp 5" to "p 5" and "p 1+57". */
	expect(fd, "xp 5\001\004\005\0177\002\002\0331+5\r", "");
	expect(fd, "\020\025p 8\002\002\002 \005\033[D1+\r", "0x9\r\n");
	/* Completion: one candidate, several, of arguments. */
	expect(fd, "system_r\t", "system_reset ");
	expect(fd, "\025info reg\t\r", "RAX=0");
	expect(fd, "system_\t\t", "system_powerdown");
	expect(fd, "\025eject ide\t", "eject ide1-cd0 ");
	expect(fd, "\025sendkey ctrl-alt-del\t", "delete");
	expect(fd, "\025p $ra\t\r", "0x1234");
	expect(fd, "info history\r", "0: 'info status'");
	expect(fd, "cpu 1\rinfo registers\r", "RAX=1");
	close(fd);
	take(-1);
	monitor_free(m);
	chr_close(c);
}
END_TEST

START_TEST(test_any_line)
{
	static const char alphabet[] = "xp/ 0123$rax+-*(){}<>\"\\\tinfoelps%|\033[A\177\001";
	char line[64];
	uint32_t r = 7;

	for (unsigned i = 0; i < 20000; i++) {
		unsigned n = 0;

		for (r = r * 1103515245 + 12345; n < r >> 26; n++) {
			uint32_t q = (r >> 8) * (n + 1) * 2654435761u;

			line[n] = alphabet[(q >> 16) % (sizeof(alphabet) - 1)];
		}
		line[n] = '\0';
		printed[0] = '\0';
		monitor_run(&view, line, print, NULL);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("monitor");
	TCase *t = tcase_create("monitor");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_commands);
	tcase_add_test(t, test_log_items);
	tcase_add_test(t, test_saving);
	tcase_add_test(t, test_terminal);
	tcase_add_test(t, test_any_line);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
