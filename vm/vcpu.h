/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A processor and the thread that runs it.
 *
 * A vCPU is paused or running.  vcpu_request_pause() may be called in any thread; the others belong to the loop's
 * thread, under the machine's lock, and those that touch the processor's state need it paused.
 */
#ifndef VM_VCPU_H
#define VM_VCPU_H

#include "base/mem.h"
#include "base/pins.h"

struct clock;
struct cpu;
struct err;
struct loop;
struct vcpu;

struct vcpu_config {
	unsigned id;
	const char *model;          /* NULL: the default */
	bool interpreter, one_insn_per_tb, portable;
	uint64_t code_cache_bytes;  /* 0: the default */
	struct loop *loop;
	struct clock *clock;
	struct space *mem, *io;
	uint8_t *ram;               /* host address of guest-physical 0 */
	const struct cpu_board *board;
};

/* Registers of a kernel that is entered in flat 32-bit protected mode without paging. */
struct boot_registers {
	uint32_t eip, esp, eax, ebx, esi;
	/* The descriptor table that CS and the data segments count as loaded from. */
	uint32_t gdt;
	uint16_t gdt_limit, code, data;
};

void vcpu_print_models(void);

struct vcpu *vcpu_new(const struct vcpu_config *config, struct err *e);
void vcpu_free(struct vcpu *v);
struct cpu *vcpu_cpu(struct vcpu *v);

/* Lets it run until it is paused; its thread is made at the first call. */
bool vcpu_resume(struct vcpu *v, struct err *e);
/* Returns with the processor at rest.  Gives the machine's lock away while it waits. */
void vcpu_pause(struct vcpu *v);
/* Asks it to come to rest soon. */
void vcpu_request_pause(struct vcpu *v);

void vcpu_enter(struct vcpu *v, const struct boot_registers *regs);

#endif
