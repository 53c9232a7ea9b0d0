/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/cpu_board.h"

#include <check.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/util.h"

enum { RAM_BYTES = 1 << 20 };

const struct tcg_options ways[WAYS] = {
	{ .accel = ACCEL_NATIVE, .verify = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_NATIVE, .verify = true, .one_insn = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_INTERP, .verify = true, .cache_bytes = 4 << 20 },
	{ .accel = ACCEL_NATIVE, .verify = true, .portable = true, .cache_bytes = 4 << 20 },
};

/* ---- what the processors ask of it ---- */

static void
port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct board *b = opaque;

	(void)size;
	b->written[offset] = (int)value;
	cpu_kick(b->cpu[offset]);
}

static const struct region_ops port_ops = { .write = port_write, .min_size = 1, .max_size = 1 };

static int
acknowledge(void *opaque)
{
	struct board *b = opaque;

	if (!b->interrupted)
		return -1;
	b->interrupted = false;
	cpu_pins(b->cpu[0]).set(b->cpu[0], PIN_INTR, 0);
	return VECTOR;
}

static void
shut_down(void *opaque)
{
	(void)opaque;
	ck_abort_msg("a triple fault");
}

static void
smm_changed(void *opaque, bool smm)
{
	((struct board *)opaque)->smm = smm;
}

static void
lock(void *opaque)
{
	pthread_mutex_lock(&((struct board *)opaque)->lock);
}

static void
unlock(void *opaque)
{
	pthread_mutex_unlock(&((struct board *)opaque)->lock);
}

static uint64_t
no_time(void *opaque)
{
	(void)opaque;
	return 0;
}

/* ---- making ---- */

struct board *
board_new(const struct tcg_options *way, unsigned processors)
{
	struct board *b = xcalloc(1, sizeof(*b));
	struct cpu_config config = { .model = "max", .now_ns = no_time, .tcg = *way, .lock = lock, .unlock = unlock, .lock_opaque = b };
	struct err e = { 0 };

	ck_assert_uint_le(processors, PROCESSORS);
	pthread_mutex_init(&b->lock, NULL);
	b->processors = processors;
	b->bytes = xcalloc(1, RAM_BYTES);
	b->mem = space_new("memory", false);
	b->io = space_new("ports", true);
	region_init_ram(&b->ram, "ram", b->bytes, RAM_BYTES);
	space_add(b->mem, &b->ram, 0, 0);
	region_init_io(&b->port, "port", &port_ops, b, processors);
	space_add(b->io, &b->port, PORT, 0);
	b->face = (struct cpu_board){ .opaque = b, .intr_ack = acknowledge, .shutdown = shut_down, .smm_changed = smm_changed };
	config.mem = b->mem;
	config.io = b->io;
	config.board = &b->face;
	config.ram = b->bytes;
	for (unsigned n = 0; n < processors; n++) {
		config.id = n;
		b->cpu[n] = cpu_new(&config, &e);
		ck_assert_msg(b->cpu[n] != NULL, "%s", e.text);
		config.shared = cpu_tcg(b->cpu[0]);
		b->cpu[n]->wait_sipi = false;
		cpu_set(b->cpu[n], CPU_CS, 0);
	}
	return b;
}

void
board_free(struct board *b)
{
	for (unsigned n = b->processors; n--;)
		cpu_free(b->cpu[n]);
	space_free(b->mem);
	space_free(b->io);
	pthread_mutex_destroy(&b->lock);
	free(b->bytes);
	free(b);
}

/* ---- running ---- */

static void
begin_at(struct board *b, unsigned n, uint64_t at)
{
	b->written[n] = -1;
	cpu_set(b->cpu[n], CPU_RIP, at);
	cpu_set(b->cpu[n], CPU_RDX, PORT + n);
}

int
board_run(struct board *b, unsigned n, uint64_t at)
{
	begin_at(b, n, at);
	cpu_run(b->cpu[n]);
	return b->written[n];
}

static void *
processor(void *cpu)
{
	cpu_run(cpu);
	return NULL;
}

void
board_start(struct board *b, unsigned n, uint64_t at)
{
	begin_at(b, n, at);
	ck_assert_int_eq(pthread_create(&b->thread[n], NULL, processor, b->cpu[n]), 0);
}

int
board_end(struct board *b, unsigned n)
{
	pthread_join(b->thread[n], NULL);
	return b->written[n];
}
