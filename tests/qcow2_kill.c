/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * kill -9: a process writes to a qcow2 image with several threads and flushes, and is killed at a random moment.  What
 * a flush has acknowledged must be there, nothing may be that was never written, and the tables have leaks at the worst.
 * The next process goes on with the same image.
 *
 * CALQUE_KILLS: how often; CALQUE_SEED: where to begin.
 */
#include "tests/qcow2_mem.h"

#include "base/err.h"
#include "base/util.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SECTOR = 512, SECTORS = 16384, THREADS = 3, BATCH = 64, KILLS_OF_IMAGE = 20 };

/* Shared with the process that is killed.  A sector has numbers that only grow. */
struct shared {
	_Atomic uint32_t promised[SECTORS], begun[SECTORS];
	_Atomic unsigned long writes, flushes;
};

struct writer {
	struct shared *s;
	struct image *image;
	unsigned number;
	uint64_t random;
};

/* A sector says where it is and which number it has; zeros: never written. */
static void
fill(uint8_t *p, uint32_t sector, uint32_t number)
{
	for (unsigned n = 0; n < SECTOR; n += 8) {
		store_le(p + n, sector + 1, 4);
		store_le(p + n + 4, number, 4);
	}
}

static void
write_some(struct writer *w, uint32_t *done, unsigned *count)
{
	uint8_t buf[16 * SECTOR];
	uint32_t most = SECTORS / THREADS, len = 1 + draw(&w->random, 16);
	uint32_t first = w->number * most + draw(&w->random, most - len);

	for (uint32_t n = 0; n < len; n++) {
		fill(buf + n * SECTOR, first + n, ++w->s->begun[first + n]);
		done[(*count)++] = first + n;
	}
	if (image_write(w->image, (uint64_t)first * SECTOR, buf, (size_t)len * SECTOR) != 0)
		abort();
	w->s->writes++;
}

static void *
work(void *opaque)
{
	struct writer *w = opaque;
	uint32_t done[BATCH * 16];

	for (;;) {
		unsigned count = 0;

		for (unsigned n = draw(&w->random, BATCH); n > 0; n--)
			write_some(w, done, &count);
		if (image_flush(w->image) != 0)
			abort();
		for (unsigned n = 0; n < count; n++)
			w->s->promised[done[n]] = w->s->begun[done[n]];
		w->s->flushes++;
	}
	return NULL;
}

static void
write_until_killed(struct shared *s, const char *path, uint64_t random)
{
	struct image_open o = { .file = path, .flags = IMAGE_WRITE };
	struct writer w[THREADS];
	struct err e = { "" };
	struct image *i = image_open(&o, &e);
	pthread_t id;

	if (i == NULL)
		fail_with(random, "%s", e.text);
	for (unsigned n = 0; n < THREADS; n++) {
		w[n] = (struct writer){ s, i, n, random + n * 1234567 };
		pthread_create(&id, NULL, work, &w[n]);
	}
	for (;;)
		pause();
}

static void
complain(void *opaque, const char *line)
{
	(void)opaque;
	if (strncmp(line, "ERROR", 5) == 0)
		fprintf(stderr, "%s\n", line);
}

static void
verify(struct shared *s, const char *path, uint64_t seed, bool mend)
{
	struct image_open o = { .file = path, .flags = IMAGE_WRITE };
	struct image_check_hooks hooks = { .tell = complain };
	struct image_check c;
	struct err e = { "" };
	struct image *i = image_open(&o, &e);

	if (i == NULL || !image_check(i, mend ? IMAGE_FIX_LEAKS : 0, &hooks, &c, &e))
		fail_with(seed, "%s", e.text);
	if (c.corruptions != 0)
		fail_with(seed, "%llu corruptions", (unsigned long long)c.corruptions);
	for (uint32_t n = 0; n < SECTORS; n++) {
		uint8_t found[SECTOR], want[SECTOR] = { 0 };
		uint32_t number;

		if (image_read(i, (uint64_t)n * SECTOR, found, SECTOR) != 0)
			fail_with(seed, "sector %u can't be read", n);
		number = load_le(found + 4, 4);
		if (number != 0)
			fill(want, n, number);
		if (memcmp(found, want, SECTOR) != 0)
			fail_with(seed, "sector %u is torn", n);
		if (number < s->promised[n] || number > s->begun[n])
			fail_with(seed, "sector %u has %u; %u was promised, %u was written last", n, number, s->promised[n], s->begun[n]);
		s->promised[n] = s->begun[n] = number;
	}
	if (image_close(i) != 0)
		fail_with(seed, "can't be closed");
}

static void
make_image(struct shared *s, const char *path, uint64_t seed)
{
	uint64_t random = seed * 0x9e3779b97f4a7c15ull + 1;
	struct image_create o = draw_kind(&random, SECTORS * SECTOR);
	struct err e = { "" };

	o.file = path;
	if (!image_create(&o, &e))
		fail_with(seed, "%s", e.text);
	for (uint32_t n = 0; n < SECTORS; n++)
		s->promised[n] = s->begun[n] = 0;
}

int
main(void)
{
	unsigned long wanted = count_from("CALQUE_KILLS", 40);
	uint64_t seed = count_from("CALQUE_SEED", 1), random = seed * 977;
	char path[] = "/tmp/qcow2_kill_XXXXXX";
	struct shared *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	close(mkstemp(path));
	for (unsigned long n = 0; n < wanted; n++, seed++) {
		pid_t child;

		if (n % KILLS_OF_IMAGE == 0)
			make_image(s, path, seed);
		child = fork();
		if (child == 0)
			write_until_killed(s, path, seed * 0x9e3779b97f4a7c15ull + 1);
		usleep(1000 + draw(&random, 40000));
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		verify(s, path, seed, draw(&random, 4) == 0);
	}
	unlink(path);
	printf("%lu kills, %lu writes, %lu flushes\n", wanted, s->writes, s->flushes);
	return 0;
}
