/* SPDX-License-Identifier: GPL-2.0-or-later */
/* 64-bit guests, as prot.h: `in` is the state that the next RUN starts in. */
#ifndef LONG_H
#define LONG_H

#define HOME_MODE ".code64"
#define HOME_STORE "movq"
#include "ring0.h"

enum {
	SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_TSS = 0x18, SEL_CODE32_3 = 0x28, SEL_DATA3 = 0x30, SEL_CODE3 = 0x38,
	SEL_CODE32 = 0x40,
	SEL_A = 0x50, SEL_B = 0x60, SEL_C = 0x70, SEL_D = 0x80,
	CODE = 0x10000, DATA = 0x20000, STACK3 = 0x38000, STACK1 = 0x48000, STACK0 = 0x4c000, HANDLER_STACK = 0x58000,
	DOUBLE_STACK = 0x5c000,
	IST_STACK = 0x5a000, D_CODE64 = D_CODE | D_L | D_G | 1,
};
enum { R15, R14, R13, R12, R11, R10, R9, R8, DI, SI, BP, BX, DX, CX, AX };

/* The first part is popped by entry64.S, in this order. */
struct state {
	uint64_t gpr[15], rip, cs, rflags, rsp, ss;
	uint16_t ds, es, fs, gs;
	uint64_t cr0, cr3, cr4, efer, star, lstar, cstar, fmask, fs_base, gs_base, kernel_gs_base, dr0, dr7;
	const uint64_t *watch[4];
	bool null_fs, plain_frame;
	uint32_t pkru; /* where CR4.PKE is set */
	uint64_t u_cet, s_cet, pl_ssp[4], ssp_table; /* where CR4.CET is set; S_CET only for snippets of level 3 */
};

struct __attribute__((packed)) tss {
	uint32_t unused;
	uint64_t rsp[3], unused2, ist[7], unused3;
	uint16_t unused4, io_base;
	uint8_t io_map[0x41];
};

extern struct state in;
extern uint64_t gdt[32], ldt[8], idt[512];
extern struct tss tss;
extern uint16_t gdt_limit, idt_limit;
extern uint64_t pml5[512], pml4[512], pdpt[512], page_dir[512], page_table[2][512];

/* Where guests put tables of their own: for the address 8000000000h a PDPT, a directory and a table. */
#define TABLES ((uint64_t *)0x60000)

/* Code and stack are a supervisor's alone, for SMEP and SMAP. */
void ring0(void);
void ring3(void);
void compat3(void);
void compat0(void);
void set_gate(unsigned vector, uint16_t selector, uint64_t offset, unsigned type, unsigned ist);
void call_gate(unsigned selector, uint16_t target, uint64_t offset, unsigned type);
void caught(void);

/* Reads (0), writes (1) or executes (2) what RBX points to. */
void run_access(unsigned how);

#define RUN(name, code) RUN_MODE(name, ".code64", code)
#define RUN32(name, code) RUN_MODE(name, ".code32", code)

#endif
