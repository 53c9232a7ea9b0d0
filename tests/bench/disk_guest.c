/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk_guest DEVICE SECONDS [NAME]: how fast a guest's disk is, from inside.  A line "DISK name megabytes-per-second" for
 * each kind of access, or the one NAME; the last line is "DISK end".  The device's contents are lost.
 */
#define _GNU_SOURCE /* O_DIRECT */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 1 << 20 };

static const struct test {
	const char *name;
	bool write, direct, random;
	size_t block;
} tests[] = {
	{ "buffered-read", false, false, false, 1 << 20 },
	{ "buffered-write", true, false, false, 1 << 20 },
	{ "direct-read-4k", false, true, false, 4096 },
	{ "direct-write-4k", true, true, false, 4096 },
	{ "random-read-4k", false, true, true, 4096 },
	{ "random-write-4k", true, true, true, 4096 },
	{ "direct-read-64k", false, true, false, 65536 },
	{ "direct-write-64k", true, true, false, 65536 },
	{ "direct-read-1m", false, true, false, 1 << 20 },
	{ "direct-write-1m", true, true, false, 1 << 20 },
};

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec + t.tv_nsec / 1e9;
}

static void
drop_caches(void)
{
	FILE *f = fopen("/proc/sys/vm/drop_caches", "w");

	sync();
	if (f == NULL)
		return;
	fputs("3\n", f);
	fclose(f);
}

/* The host gives memory at its first use: that isn't the disk's time. */
static void
touch_memory(void)
{
	size_t len = (size_t)sysconf(_SC_AVPHYS_PAGES) * 4096 / 10 * 9;
	char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return;
	for (size_t i = 0; i < len; i += 4096)
		p[i] = 1;
	munmap(p, len);
}

static uint64_t
next_offset(const struct test *t, uint64_t size, uint64_t done, uint64_t *seed)
{
	*seed = *seed * 6364136223846793005u + 1442695040888963407u;
	return (t->random ? (*seed >> 20) % (size / t->block) * t->block : done % (size / t->block * t->block));
}

/* Reads or writes until the time is over; once over the device at the most, if it's buffered. */
static bool
run(const struct test *t, const char *device, double seconds, void *buf)
{
	int fd = open(device, (t->write ? O_RDWR : O_RDONLY) | (t->direct ? O_DIRECT : 0));
	uint64_t size = 0, done = 0, seed = 1;
	double start, took;

	if (fd < 0 || ioctl(fd, BLKGETSIZE64, &size) < 0 || size < t->block) {
		printf("DISK error %s: %s\n", device, strerror(errno));
		return false;
	}
	drop_caches();
	start = now();
	do {
		uint64_t offset = next_offset(t, size, done, &seed);
		ssize_t n = t->write ? pwrite(fd, buf, t->block, offset) : pread(fd, buf, t->block, offset);

		if (n != (ssize_t)t->block) {
			printf("DISK error %s: %s\n", t->name, strerror(errno));
			return false;
		}
		done += n;
		took = now() - start;
	} while (took < seconds && (t->direct || done + t->block <= size));
	if (t->write)
		fsync(fd);
	took = now() - start;
	close(fd);
	printf("DISK %s %.1f\n", t->name, done / took / 1e6);
	fflush(stdout);
	return true;
}

int
main(int argc, char **argv)
{
	void *buf;

	if (argc < 3 || posix_memalign(&buf, 4096, LARGEST) != 0)
		return 2;
	memset(buf, 0x5a, LARGEST);
	touch_memory();
	for (size_t i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		if ((argc == 3 || strcmp(argv[3], tests[i].name) == 0) && !run(&tests[i], argv[1], atof(argv[2]), buf))
			return 1;
	}
	printf("DISK end\n");
	return 0;
}
