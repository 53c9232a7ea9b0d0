/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm/vcpu.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "cpu/cpu.h"

#include <pthread.h>
#include <stdlib.h>

struct vcpu {
	struct cpu *cpu;
	struct loop *loop;
	struct clock *clock;
	pthread_t thread;
	bool has_thread;
	/* Under LOCK. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	bool wanted;   /* to run */
	bool resting;  /* outside of cpu_run; only the thread itself says that it no longer is */
	bool ending;
};

void
vcpu_print_models(void)
{
	cpu_list_models(stdout);
}

enum { VERY_LATE_NS = 2000000 };

static void
lock_machine(void *opaque)
{
	loop_lock(opaque);
}

static void
unlock_machine(void *opaque)
{
	loop_unlock(opaque);
}

static uint64_t
now_ns(void *opaque)
{
	const struct vcpu *v = opaque;

	return clock_now(v->clock);
}

/* On a busy host the loop's thread may be late: a guest that counts the time sees its interrupts in step with it. */
static void
time_read(void *opaque, uint64_t now)
{
	struct vcpu *v = opaque;
	uint64_t late = clock_lateness(v->clock, now);

	if (late == 0)
		return;
	/* Who waits for the lock lets the host's processor run its holder, which may have lost it. */
	if (late > VERY_LATE_NS)
		loop_lock(v->loop);
	else if (!loop_try_lock(v->loop))
		return;
	clock_catch_up(v->clock);
	loop_unlock(v->loop);
}

struct vcpu *
vcpu_new(const struct vcpu_config *config, struct err *e)
{
	struct vcpu *v = xcalloc(1, sizeof(*v));
	struct cpu_config cc = {
		.model = config->model,
		.id = config->id,
		.mem = config->mem,
		.io = config->io,
		.board = config->board,
		.ram = config->ram,
		.lock_opaque = config->loop,
		.lock = lock_machine,
		.unlock = unlock_machine,
		.clock_opaque = v,
		.now_ns = now_ns,
		.time_read = time_read,
		.tcg = {
			.accel = config->interpreter || !tcg_has_back_end() ? ACCEL_INTERP : ACCEL_NATIVE,
			.one_insn = config->one_insn_per_tb,
			.portable = config->portable,
			.cache_bytes = config->code_cache_bytes,
		},
	};

	v->loop = config->loop;
	v->clock = config->clock;
	v->resting = true;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->changed, NULL);
	v->cpu = cpu_new(&cc, e);
	if (v->cpu == NULL) {
		vcpu_free(v);
		return NULL;
	}
	return v;
}

struct cpu *
vcpu_cpu(struct vcpu *v)
{
	return v->cpu;
}

/* Waits, at rest, until it shall run; false: the thread ends. */
static bool
wait_until_wanted(struct vcpu *v)
{
	bool ending;

	pthread_mutex_lock(&v->lock);
	v->resting = true;
	pthread_cond_broadcast(&v->changed);
	while (!v->wanted && !v->ending)
		pthread_cond_wait(&v->changed, &v->lock);
	v->resting = false;
	ending = v->ending;
	pthread_mutex_unlock(&v->lock);
	return !ending;
}

static bool
still_wanted(struct vcpu *v)
{
	bool wanted;

	pthread_mutex_lock(&v->lock);
	wanted = v->wanted && !v->ending;
	pthread_mutex_unlock(&v->lock);
	return wanted;
}

static void *
run_thread(void *opaque)
{
	struct vcpu *v = opaque;

	while (wait_until_wanted(v)) {
		do {
			cpu_run(v->cpu);
		} while (still_wanted(v));
	}
	return NULL;
}

bool
vcpu_resume(struct vcpu *v, struct err *e)
{
	pthread_mutex_lock(&v->lock);
	v->wanted = true;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
	if (v->has_thread)
		return true;
	int error = pthread_create(&v->thread, NULL, run_thread, v);
	if (error != 0) {
		v->wanted = false;
		return err_set(e, "cannot make a thread for the processor: %s", strerror(error));
	}
	v->has_thread = true;
	return true;
}

void
vcpu_request_pause(struct vcpu *v)
{
	pthread_mutex_lock(&v->lock);
	v->wanted = false;
	pthread_mutex_unlock(&v->lock);
	cpu_kick(v->cpu);
}

void
vcpu_pause(struct vcpu *v)
{
	vcpu_request_pause(v);
	if (!v->has_thread)
		return;
	loop_unlock(v->loop);
	pthread_mutex_lock(&v->lock);
	while (!v->resting)
		pthread_cond_wait(&v->changed, &v->lock);
	pthread_mutex_unlock(&v->lock);
	loop_lock(v->loop);
}

void
vcpu_free(struct vcpu *v)
{
	if (v == NULL)
		return;
	if (v->has_thread) {
		vcpu_pause(v);
		pthread_mutex_lock(&v->lock);
		v->ending = true;
		pthread_cond_broadcast(&v->changed);
		pthread_mutex_unlock(&v->lock);
		pthread_join(v->thread, NULL);
	}
	if (v->cpu != NULL)
		cpu_free(v->cpu);
	pthread_mutex_destroy(&v->lock);
	pthread_cond_destroy(&v->changed);
	free(v);
}

void
vcpu_enter(struct vcpu *v, const struct boot_registers *r)
{
	struct cpu *c = v->cpu;

	cpu_set_gdt(c, r->gdt, r->gdt_limit);
	cpu_set(c, CPU_CR0, cpu_get(c, CPU_CR0) | 1);
	cpu_set_flat32(c, r->code, r->data);
	cpu_set(c, CPU_RAX, r->eax);
	cpu_set(c, CPU_RBX, r->ebx);
	cpu_set(c, CPU_RCX, 0);
	cpu_set(c, CPU_RDX, 0);
	cpu_set(c, CPU_RSI, r->esi);
	cpu_set(c, CPU_RDI, 0);
	cpu_set(c, CPU_RBP, 0);
	cpu_set(c, CPU_RSP, r->esp);
	cpu_set(c, CPU_EFLAGS, 2);
	cpu_set(c, CPU_RIP, r->eip);
}
