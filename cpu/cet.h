/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control-flow enforcement (Intel SDM volume 1, "Control-flow Enforcement Technology"): shadow stacks, and indirect branches that
 * have to lead to an ENDBR instruction.
 *
 * Whether either is on for the current level is in the mode of a block (state.h: MODE_SHSTK, MODE_IBT): code without them is
 * translated as if they didn't exist.
 */
#ifndef CPU_CET_H
#define CPU_CET_H

#include "cpu/state.h"

/* U_CET, S_CET */
enum {
	CET_SHSTK = 1, CET_WRITE = 2, CET_ENDBR = 4, CET_LEGACY = 8, CET_NO_TRACK = 0x10, CET_NO_SUPPRESS = 0x20, CET_RESERVED = 0x3c0,
	CET_SUPPRESS = 0x400, CET_WAIT = 0x800,
};
/* Error codes of #CP. */
enum { CP_NEAR_RET = 1, CP_FAR_RET, CP_ENDBRANCH, CP_RSTORSSP, CP_SETSSBSY };
enum { MSR_U_CET = 0x6a0, MSR_S_CET = 0x6a2, MSR_PL0_SSP = 0x6a4, MSR_PL3_SSP = 0x6a7, MSR_SSP_TABLE = 0x6a8 };
/* N of the helpers of near transfers. */
enum { NEAR_INDIRECT = 1, NEAR_NOTRACK = 2 };

/* The MODE_ bits. */
uint32_t cet_mode(const struct cpu *c);
/* Does level CPL have a shadow stack?  (None does in virtual-8086 mode.) */
bool cet_has_stack(const struct cpu *c, unsigned cpl);

/* Where MSR is held; NULL: there is none.  May VALUE stand in it? */
uint64_t *cet_msr(struct cpu *c, uint32_t msr);
bool cet_msr_is_valid(const struct cpu *c, uint32_t msr, uint64_t value);

/* What a transfer to another segment or level comes to: found out while it can still fault, committed behind the last fault. */
struct cet_move {
	uint64_t ssp, user_ssp;
	bool tracks; /* an ENDBR has to follow */
};
/* A far jump, or call, to the same level; NEXT: the linear return address; TO64: into 64-bit code. */
struct cet_move cet_far(struct cpu *c, bool call, uint64_t next, bool to64);
/* Through a gate of the IDT (IST, or 0) or for calls to LEVEL. */
struct cet_move cet_enter(struct cpu *c, unsigned level, unsigned ist, uint64_t next);
/* RETF, IRET to CS:LINEAR: pops and compares what belongs to it. */
struct cet_move cet_leave(struct cpu *c, uint16_t cs, uint64_t linear, bool to64, bool iret);
/* The new mode and level are there already. */
void cet_commit(struct cpu *c, const struct cet_move *m);
/* SYSCALL, SYSENTER, from the old level still; where CR4.CET is set, level 0 is there behind it, and VM clear. */
void cet_enter_system(struct cpu *c);
/* SYSRET, SYSEXIT, at the new level. */
void cet_leave_system(struct cpu *c);

/* A task switch: what the old task gives and leaves, and how the new one begins. */
struct cet_task {
	uint64_t ssp, linear;
	uint16_t cs;
	bool pushes, verifies;
};
struct cet_task cet_task_out(struct cpu *c, unsigned new_cpl, bool nests, bool returns, uint64_t next);
/* SSP: of the new TSS.  Raises in the new task. */
void cet_task_in(struct cpu *c, const struct cet_task *t, bool returns, uint64_t ssp);

/* ---- mmu.c: accesses to shadow stacks of 4 or 8 bytes, as level 3 (USER) or as the supervisor ---- */
uint64_t cet_load(struct cpu *c, uint64_t linear, unsigned size, bool user);
void cet_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size, bool user);
/* An aligned quadword becomes VALUE, atomically, if it is EXPECTED; what it was. */
uint64_t cet_exchange(struct cpu *c, uint64_t linear, uint64_t expected, uint64_t value, bool user);

#endif
