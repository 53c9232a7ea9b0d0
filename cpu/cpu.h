/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The x86-64 processor's public face.
 *
 * One struct cpu is one vCPU.  cpu_run() belongs to its thread; the pins may be driven by any thread under the
 * machine's lock.  The CPU takes that lock (through the callbacks of struct cpu_config) around device accesses only.
 */
#ifndef CPU_CPU_H
#define CPU_CPU_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/mem.h"
#include "base/pins.h"
#include "tcg/tcg.h"

struct cpu;
struct err;

struct cpu_config {
	const char *model;         /* "qemu64,+feature,-feature" as -cpu takes it */
	unsigned id;               /* APIC id */
	struct space *mem, *io;
	const struct cpu_board *board; /* filled in before cpu_run */
	/* RAM of the space is host = ram + gpa, for gpa below ram_bytes of address range (the PCI hole unused). */
	uint8_t *ram;
	void *lock_opaque;
	void (*lock)(void *opaque);
	void (*unlock)(void *opaque);
	/* Nanoseconds of the virtual clock; the TSC is derived from it. */
	void *clock_opaque;
	uint64_t (*now_ns)(void *opaque);
	/* The guest has read the time, NOW_NS: what is late by then may be made up for.  Without the lock.  May be NULL. */
	void (*time_read)(void *opaque, uint64_t now_ns);
	/*
	 * For tests that count: asked before each block that the run loop starts, and before it waits; true: cpu_run returns.
	 * UNCHAINED: that is each block there is.  BEFORE_BLOCK may be NULL.
	 */
	void *block_opaque;
	bool (*before_block)(void *opaque);
	bool unchained;
	struct tcg_options tcg;
	struct tcg *shared;        /* an earlier vCPU's, or NULL to make one */
};

/* NULL with E set: unknown model or feature by name, no memory for the tables. */
struct cpu *cpu_new(const struct cpu_config *c, struct err *e);
void cpu_free(struct cpu *c);
void cpu_reset(struct cpu *c);
struct cpu_pins cpu_pins(struct cpu *c);
struct tcg *cpu_tcg(struct cpu *c);

enum cpu_stop { CPU_STOP_KICKED, CPU_STOP_DEBUG };
/*
 * Runs guest code until cpu_kick().  Waits inside while the guest is halted, without using the host's processor.  Called in the vCPU's
 * thread, which has to be one that cpu_thread_stack() prepared nothing for: any thread will do.
 */
enum cpu_stop cpu_run(struct cpu *c);
/* Any thread: cpu_run returns soon; latched until it did. */
void cpu_kick(struct cpu *c);
bool cpu_is_halted(const struct cpu *c);

uint64_t cpu_tsc_hz(const struct cpu *c);
uint64_t cpu_tsc(void *cpu);

/* ---- for loaders, the monitor and a debugger; the vCPU is stopped ---- */

enum cpu_reg {
	CPU_RAX, CPU_RCX, CPU_RDX, CPU_RBX, CPU_RSP, CPU_RBP, CPU_RSI, CPU_RDI,
	CPU_R8, CPU_R9, CPU_R10, CPU_R11, CPU_R12, CPU_R13, CPU_R14, CPU_R15,
	CPU_RIP, CPU_EFLAGS, CPU_CR0, CPU_CR2, CPU_CR3, CPU_CR4, CPU_CR8, CPU_EFER,
	CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_FS_BASE, CPU_GS_BASE, CPU_CS_BASE, CPU_SS_BASE,
	CPU_REGS
};
uint64_t cpu_get(const struct cpu *c, enum cpu_reg r);
void cpu_set(struct cpu *c, enum cpu_reg r, uint64_t value); /* selectors: real-mode base */
/* "rax" ... "rip", "eflags", "cr3", "cs"; -1 if there is none. */
int cpu_reg_by_name(const char *name);

/* A flat segment by hand, as boot protocols want it: base 0, limit 4 GiB. */
void cpu_set_flat32(struct cpu *c, uint16_t code, uint16_t data);
void cpu_set_gdt(struct cpu *c, uint64_t base, uint16_t limit);
void cpu_set_idt(struct cpu *c, uint64_t base, uint16_t limit);

/* Linear memory as the debugger sees it, no rights asked, no A/D bits set.  False: part of it is not mapped. */
bool cpu_peek(struct cpu *c, uint64_t linear, void *to, uint64_t len);
bool cpu_poke(struct cpu *c, uint64_t linear, const void *from, uint64_t len);
/* ~0 if it is not mapped. */
uint64_t cpu_translate(struct cpu *c, uint64_t linear);

/* Text for `info registers`, `info mem`, `info tlb`, `info jit`, and -d cpu, int. */
void cpu_print_registers(const struct cpu *c, FILE *to);
void cpu_print_mem(struct cpu *c, FILE *to);
void cpu_print_tlb(struct cpu *c, FILE *to);
void cpu_print_jit(const struct cpu *c, FILE *to);
/* The instruction that the LEN bytes of CODE begin with, in the processor's mode, as if at ADDR: bytes and text; its length. */
unsigned cpu_disassemble(struct cpu *c, uint64_t addr, const uint8_t *code, unsigned len, char *text, size_t size);

/* For -cpu help. */
void cpu_list_models(FILE *to);
/* What the processor that -cpu TEXT names has, the model has not, and TEXT doesn't switch off: words in TO.  False: nothing. */
bool cpu_model_lacks(const char *text, char *to, size_t size);

#endif
