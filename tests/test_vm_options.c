/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line: what is taken, and what is refused with which words. */
#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"
#include "vm/settings.h"

#include <check.h>
#include <stdio.h>

enum { WORDS = 24 };

/* Parses the words of LINE, split at blanks ('~' stands for one inside of a word). */
static bool
parse(struct settings *s, const char *line, struct err *e)
{
	static char copy[512];
	char *argv[WORDS + 1] = { "calque" };
	int argc = 1;

	snprintf(copy, sizeof(copy), "%s", line);
	for (char *word = strtok(copy, " "); word != NULL && argc < WORDS; word = strtok(NULL, " ")) {
		for (char *p = word; *p != '\0'; p++) {
			if (*p == '~')
				*p = ' ';
		}
		argv[argc++] = word;
	}
	settings_init(s);
	e->text[0] = '\0';
	return options_parse(s, argc, argv, e);
}

static const struct {
	const char *line, *message; /* part of it */
} refused[] = {
	{ "-frobnicate", "unknown option" },
	{ "-m", "argument is missing" },
	{ "-m 12Q", "not a size" },
	{ "-m 0", "1M is the least" },
	{ "-m 1G,slots=2,maxmem=4G", "slots and maxmem" },
	{ "-m size=1G,colour=red", "'colour'" },
	{ "-m 99999999999999999999", "too large" },
	{ "-smp 2", "more than one processor" },
	{ "-smp 1,cores=2", "more than one processor" },
	{ "-smp x", "not a number" },
	{ "-machine q35", "'q35' is not supported" },
	{ "-machine pc,kernel-through=magic", "auto, direct or firmware" },
	{ "-machine pc,accel=kvm", "accelerator 'kvm'" },
	{ "-accel kvm", "accelerator 'kvm'" },
	{ "-accel interp,colour=red", "'colour'" },
	{ "-drive if=scsi,file=x", "if=scsi" },
	{ "-drive if=ide", "file= is missing" },
	{ "-drive file=x,index=7", "too large" },
	{ "-drive file=x,index=1,unit=1", "the same" },
	{ "-drive file=x,cache=hot", "cache=hot" },
	{ "-drive file=x,cache.direct=warm", "neither on nor off" },
	{ "-drive file=x,discard=some", "discard=some" },
	{ "-drive file=x,detect-zeroes=some", "detect-zeroes=some" },
	{ "-drive file=x,detect-zeroes=unmap", "discard=unmap" },
	{ "-drive file=x,aio=native", "aio=native is not supported" },
	{ "-drive file=x,media=tape", "media=tape" },
	{ "-drive file=x,readonly=perhaps", "neither on nor off" },
	{ "-drive file=x,colour=red", "'colour'" },
	{ "-device flux-capacitor", "'flux-capacitor' is not supported" },
	{ "-device usb-ehci,id=e", "use qemu-xhci or piix3-usb-uhci" }, { "-device nec-usb-xhci", "use qemu-xhci" },
	{ "-usbdevice braille", "use tablet, mouse or keyboard" }, { "-machine vmport=maybe", "neither on nor off" },
	{ "-boot order=cq", "'q' is not a boot device" },
	{ "-boot order=cc", "given twice" },
	{ "-boot colour=red", "'colour'" },
	{ "-vga qxl", "use std, cirrus or none" },
	{ "-display gtk", "use sdl" }, { "-display sdl,gl=maybe", "gl=maybe" }, { "-display sdl,grab-mod=x", "grab-mod=x" },
	{ "-display sdl,alt_grab=on", "grab-mod" }, { "-display vnc=:0,sasl=on", "sasl" }, { "-display egl-headless", "use none" },
	{ "-vnc :0,websocket=on", "websocket" }, { "-vnc :0,to=abc", "to" }, { "-object secret,id=a", "data" },
	{ "-netdev user", "id=ID is missing" },
	{ "-netdev user,,id=n", "id=ID is missing" },
	{ "-gdb tcp::1234", "gdb server" },
	{ "-s", "gdb server" },
	{ "-qmp stdio", "QMP server" },
	{ "-enable-kvm", "always translated" },
	{ "-global a.b=c", "-device or -machine" },
	{ "-append x", "is for -kernel alone" },
	{ "-initrd x", "is for -kernel alone" },
	{ "-rtc base=tomorrow", "base=tomorrow" },
	{ "-uuid 1234", "not a UUID" },
	{ "-k xx", "-k help" },
	{ "-fw_cfg name=opt/x", "one of file= and string=" },
	{ "-chardev null", "id=ID" },
	{ "-chardev carrier-pigeon,id=c", "carrier-pigeon" },
	{ "-chardev socket,id=c", "path=" },
	{ "-chardev null,id=c -chardev null,id=c", "already" },
	{ "-serial null -serial null -serial null -serial null -serial null", "4 are the most" },
	{ "a.img b.img", "only one image" },
	{ "-d everything", "'everything' is unknown" },
	{ "-daemonize -nographic", "-display none" },
};

START_TEST(test_refused)
{
	struct settings s;
	struct err e;

	ck_assert_msg(!parse(&s, refused[_i].line, &e), "%s was taken", refused[_i].line);
	ck_assert_msg(strstr(e.text, refused[_i].message) != NULL, "%s: %s", refused[_i].line, e.text);
	ck_assert_msg(strchr(e.text, '\n') == NULL, "%s: more than one line", refused[_i].line);
	settings_free(&s);
}
END_TEST

static const char *const taken[] = {
	"", "-m 64", "-m 1.5G", "-m size=256M", "--m 64", "-smp 1", "-smp cpus=1,cores=1", "-M pc", "-machine type=pc,accel=kvm:interp",
	"-accel interp,one-insn-per-tb=on,tb-size=32,thread=single", "-accel interp", "-nic none -net none -vga none -display none", "-nic user,mac=52:54:00:12:34:57 -netdev user,id=n -net nic -net user",
	"-drive file=a,,b.img,format=raw,if=ide,index=3,media=disk,cache=none,id=x -snapshot",
	"-drive file=a,cache=directsync,discard=unmap,detect-zeroes=unmap,aio=threads -drive file=b,aio=io_uring,cache.direct=on,cache.no-flush=off", "-boot cd", "-boot once=d,menu=on",
	"-boot order=ac,splash-time=5000,reboot-timeout=1", "-boot reboot-timeout=-1,strict=on",
	"-rtc base=2006-06-17T16:01:21,clock=vm", "-rtc base=localtime",
	"-usb -usbdevice tablet -usbdevice mouse -usbdevice keyboard", "-M usb=on,vmport=auto -device usb-kbd,port=2",
	"-device isa-debug-exit,iobase=0xf4,iosize=4 -device pc-testdev", "-chardev stdio,id=c,mux=on,signal=off -mon c",
	"-serial mon:stdio -parallel none -monitor none -debugcon null", "-name x,process=y -uuid 550e8400-e29b-41d4-a716-446655440000",
	"-kernel k -initrd i -append a~b -S -no-reboot -no-shutdown -no-hpet -nodefaults -no-user-config",
	"-fw_cfg name=opt/x,string=y -option-rom r,bootindex=3", "-action reboot=shutdown,shutdown=pause", "-pidfile p -k en-us",
};

START_TEST(test_taken)
{
	struct settings s;
	struct err e;

	ck_assert_msg(parse(&s, taken[_i], &e), "%s: %s", taken[_i], e.text);
	settings_free(&s);
}
END_TEST

START_TEST(test_values)
{
	struct settings s;
	struct err e;

	ck_assert(parse(&s, "-m 1.5G -drive file=a,,b,index=1,readonly=on -hdc c -boot dc -kernel k -append x~y", &e));
	ck_assert_uint_eq(s.ram_bytes, 1536 * MiB);
	ck_assert_str_eq(s.drives->file, "a,b");
	ck_assert_int_eq(s.drives->index, 1);
	ck_assert(s.drives->readonly);
	ck_assert_str_eq(s.drives->next->file, "c");
	ck_assert_int_eq(s.drives->next->index, 2);
	ck_assert_str_eq(s.boot_order, "dc");
	ck_assert_str_eq(s.append, "x y");
	settings_free(&s);
	ck_assert(parse(&s, "-rtc base=1970-01-02 -uuid 00010203-0405-0607-0809-0a0b0c0d0e0f -m 100", &e));
	ck_assert_int_eq(s.rtc_at_s, 86400);
	ck_assert_uint_eq(s.uuid[15], 15);
	ck_assert_uint_eq(s.ram_bytes, 100 * MiB);
	settings_free(&s);
	ck_assert(parse(&s, "-chardev socket,id=c,host=h,port=1,server=on,wait=off -chardev udp,id=u,port=2,localport=3", &e));
	ck_assert_str_eq(s.chardevs->spec, "tcp:h:1,server=on,wait=off");
	ck_assert_str_eq(s.chardevs->next->spec, "udp::2@:3");
	settings_free(&s);
}
END_TEST

START_TEST(test_keyval)
{
	struct keyval k;
	unsigned at = 0;
	struct err e;
	bool on = false;
	uint64_t n = 5;

	ck_assert(keyval_parse(&k, "first,a=1,,2,server,nowait,n=0x10", "implied", &e));
	ck_assert_str_eq(keyval_str(&k, "implied"), "first");
	ck_assert_str_eq(keyval_str(&k, "a"), "1,2");
	ck_assert(keyval_bool(&k, "server", &on, &e) && on);
	ck_assert(keyval_bool(&k, "wait", &on, &e) && !on);
	ck_assert(keyval_uint(&k, "missing", 9, &n, &e) && n == 5);
	ck_assert(!keyval_end(&k, &e));
	ck_assert(!keyval_uint(&k, "n", 15, &n, &e));
	ck_assert(keyval_uint(&k, "n", 16, &n, &e) && n == 16);
	ck_assert(keyval_end(&k, &e));
	keyval_free(&k);
	ck_assert(!keyval_parse(&k, "a=1,,", NULL, &e) || keyval_end(&k, &e) == false);
	keyval_free(&k);
	ck_assert(keyval_parse(&k, "a=1,b=2,a=3", NULL, &e));
	ck_assert_str_eq(keyval_next(&k, "a", &at), "1");
	ck_assert_str_eq(keyval_next(&k, "a", &at), "3");
	ck_assert_ptr_null(keyval_next(&k, "a", &at));
	keyval_free(&k);
}
END_TEST

static const struct {
	const char *text;
	uint64_t bytes;
} sizes[] = {
	{ "1", MiB }, { "512", 512 * MiB }, { "1k", KiB }, { "2K", 2 * KiB }, { "3G", 3 * GiB }, { "0.5G", 512 * MiB },
	{ "7b", 7 }, { "1T", 1024 * GiB },
};

START_TEST(test_size)
{
	uint64_t n = 0;

	ck_assert(parse_size(sizes[_i].text, MiB, &n, NULL));
	ck_assert_uint_eq(n, sizes[_i].bytes);
}
END_TEST

static const char *const bad_sizes[] = { "", "K", "-1", "1KB", "0x10", "nan", "inf", "1e400", "9999999999T" };

START_TEST(test_bad_size)
{
	uint64_t n = 0;

	ck_assert_msg(!parse_size(bad_sizes[_i], MiB, &n, NULL), "%s", bad_sizes[_i]);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("vm: options");
	TCase *c = tcase_create("options");
	SRunner *runner = srunner_create(suite);

	suite_add_tcase(suite, c);
	tcase_add_loop_test(c, test_refused, 0, ARRAY_SIZE(refused));
	tcase_add_loop_test(c, test_taken, 0, ARRAY_SIZE(taken));
	tcase_add_test(c, test_values);
	tcase_add_test(c, test_keyval);
	tcase_add_loop_test(c, test_size, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(c, test_bad_size, 0, ARRAY_SIZE(bad_sizes));
	srunner_run_all(runner, CK_NORMAL);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
