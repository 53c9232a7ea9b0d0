/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 32-bit guests: `in` is the state that the next RUN starts in; everything is put back after it.  The
 * snippet goes to CS:EIP, by default linear address CODE + 100h.  What it leaves in the first 256 bytes at
 * DATA is printed.
 */
#ifndef PROT_H
#define PROT_H

#define HOME_MODE ".code32"
#define HOME_STORE "movl"
#include "ring0.h"

enum {
	SEL_CODE = 0x08, SEL_DATA = 0x10, SEL_TSS = 0x18, SEL_CODE3 = 0x20, SEL_DATA3 = 0x28, SEL_DOUBLE = 0x30,
	SEL_LDT = 0x38, SEL_OTHER = 0x40,
	SEL_A = 0x48, SEL_B = 0x50, SEL_C = 0x58, SEL_D = 0x60, SEL_E = 0x68, SEL_F = 0x70,
	REAL = 0x8000, CODE = 0x10000, DATA = 0x20000, STACK3_BASE = 0x30000, STACK3 = 0x38000, STACK_BEGIN = 0x30000,
	STACK1 = 0x48000, STACK0 = 0x4c000,
	STACK_END = 0x50000, HANDLER_STACK = 0x58000, DOUBLE_STACK = 0x5c000,
};

/* The first part is popped by entry.S, in this order. */
struct state {
	uint32_t gpr[8]; /* edi esi ebp - ebx edx ecx eax */
	uint32_t eip, cs, eflags, esp, ss, es, ds, fs, gs;
	uint32_t cr0, cr3, cr4, dr[4], dr7;
	bool real;
	const uint32_t *watch[4]; /* printed after the snippet */
	uint32_t efer;
};
enum { DI, SI, BP, BX = 4, DX, CX, AX };

struct tss {
	uint32_t back, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags, eax, ecx, edx, ebx, esp, ebp, esi, edi, es,
	cs, ss, ds, fs, gs, ldt;
	uint16_t trap, io_base;
	uint8_t io_map[0x401];
};

extern struct state in;
extern uint64_t gdt[32], ldt[8], idt[256];
extern uint16_t gdt_limit, idt_limit;
extern uint32_t idt_base;
extern struct tss tss, tss_double, tss_other;
extern uint32_t page_dir[1024], page_table[1024];
extern uint64_t pae_dir[4][512], pae_table[512], pdpt[4];

/* An address that the compiler knows nothing of. */
void *hidden(uint32_t address);
void ring3(void);
void vm86(unsigned iopl);
void real(void);
void paging(void);
void pae(void);
void caught(void);
void caught_double(void);
void caught_real(void);

#define RUN(name, code) RUN_MODE(name, ".code32", code)
#define RUN16(name, code) RUN_MODE(name, ".code16", code)

#endif
