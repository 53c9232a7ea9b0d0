/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Protection keys: rights, error codes, A and D bits, and what a change of PKRU does to what was used before. */
#include "long.h"

enum { CR0_WP = 0x10000, CR4_PGE = 0x80, CR4_OSXSAVE = 0x40000, CR4_SMEP = 0x100000, CR4_SMAP = 0x200000, CR4_PKE = 0x400000,
	FLAG_AC = 0x40000, TARGET = CODE + 0x8000 };
#define KEY(n) ((uint64_t)(n) << 59)
#define NX (1ull << 63)

/* Two pages: FIRST at 8000000000h is TARGET's, and SECOND that behind it. */
static void
map(uint64_t first, uint64_t second)
{
	fill(TABLES, 0, 0x3000);
	pml4[1] = (uint64_t)TABLES | 7;
	TABLES[0] = (uint64_t)(TABLES + 512) | 7;
	TABLES[512] = (uint64_t)(TABLES + 1024) | 7;
	TABLES[1024] = TARGET | first;
	TABLES[1025] = (TARGET + 0x1000) | second;
	in.watch[0] = &TABLES[1024], in.watch[1] = &TABLES[1025];
	in.gpr[BX] = 1ull << 39;
}

static const struct config { const char *name; uint64_t cr0, cr4, rflags; } configs[] = {
	{ "", 0, CR4_PKE, 0 }, { "wp ", CR0_WP, CR4_PKE, 0 }, { "smep ", CR0_WP, CR4_PKE | CR4_SMEP, 0 },
	{ "smap ", CR0_WP, CR4_PKE | CR4_SMAP, 0 }, { "smap ac ", CR0_WP, CR4_PKE | CR4_SMAP, FLAG_AC }, { "off ", CR0_WP, 0, 0 },
};

static const struct { const char *name; uint64_t pte; uint32_t pkru; } cases[] = {
	{ "key 0 ", 7, 0 }, { "key 0 ad ", 7, 1 }, { "key 0 wd ", 7, 2 }, { "key 1 ", 7 | KEY(1), 0xfffffff3 },
	{ "key 1 ad ", 7 | KEY(1), 4 }, { "key 1 wd ", 7 | KEY(1), 8 }, { "key 1 ad wd ", 7 | KEY(1), 12 },
	{ "key 15 ad ", 7 | KEY(15), 0x40000000 }, { "key 15 wd ", 7 | KEY(15), 0x80000000 },
	{ "ro, wd ", 5 | KEY(1), 8 }, { "ro, ad ", 5 | KEY(1), 4 }, { "super, ad ", 3 | KEY(1), 4 }, { "super, wd ", 3 | KEY(1), 8 },
	{ "nx, ad ", 7 | NX | KEY(1), 4 }, { "none, ad ", 6 | KEY(1), 4 }, { "reserved, ad ", 7 | 1ull << 51 | KEY(1), 4 },
	{ "global, ad ", 0x107 | KEY(1), 4 },
};

static void
rights(void)
{
	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned n = 0; n < COUNT(configs); n++)
			for (unsigned k = 0; k < 6; k++) {
				map(cases[i].pte, 7);
				in.watch[1] = 0;
				in.cr0 |= configs[n].cr0;
				in.cr4 |= configs[n].cr4 | CR4_PGE;
				in.rflags |= configs[n].rflags;
				in.pkru = configs[n].cr4 & CR4_PKE ? cases[i].pkru : 0;
				/* What the snippet itself needs has key 2. */
				for (unsigned p = CODE >> 12; p < STACK1 >> 12; p++)
					page_table[0][p] |= KEY(2);
				if (k & 1)
					ring3();
				else
					ring0();
				print(cases[i].name);
				print(configs[n].name);
				print(k & 1 ? "3 " : "0 ");
				run_access(k / 2);
			}
}

/* The key is that of the last level's entry. */
static void
large(void)
{
	static const struct { const char *name; uint64_t pdpte, pde; } sizes[] = {
		{ "2M ", 7, 0x87 | KEY(1) }, { "1G ", 0x87 | KEY(1), 0 }, { "2M, key above ", 7 | KEY(1), 0x87 },
		{ "1G, rights of 2M ", 0x85 | KEY(1), 0 },
	};

	for (unsigned i = 0; i < COUNT(sizes); i++)
		for (unsigned k = 0; k < 4; k++) {
			map(7, 7);
			TABLES[0] = sizes[i].pdpte | (sizes[i].pdpte & 0x80 ? 0 : (uint64_t)(TABLES + 512));
			TABLES[512] = sizes[i].pde;
			in.watch[0] = sizes[i].pdpte & 0x80 ? &TABLES[0] : &TABLES[512], in.watch[1] = 0;
			in.gpr[BX] += TARGET;
			in.cr4 |= CR4_PKE;
			in.pkru = k & 1 ? 4 : 8;
			ring3();
			print(sizes[i].name);
			print(k & 1 ? "ad " : "wd ");
			if (k & 2)
				RUN("write", "movl $0, 16(%rbx)");
			else
				RUN("read", "mov 16(%rbx), %eax; xor %eax, %eax");
		}
}

static void
start(uint64_t first, uint64_t second, uint32_t pkru)
{
	map(first, second);
	in.cr0 |= CR0_WP;
	in.cr4 |= CR4_PKE;
	in.pkru = pkru;
	in.gpr[CX] = in.gpr[DX] = 0;
	ring3();
}

#define WRPKRU(value) "mov $" #value ", %eax; wrpkru; "

static void
changes(void)
{
	start(7 | KEY(1), 7 | KEY(2), 0);
	RUN("change: read, ad, read", "mov (%rbx), %esi; " WRPKRU(4) "mov 0x1000(%rbx), %esi; mov (%rbx), %esi");
	start(7 | KEY(1), 7 | KEY(2), 0);
	RUN("change: write, ad of the other, write", "mov %esi, (%rbx); mov %esi, 0x1000(%rbx); " WRPKRU(0x10)
		"mov %esi, (%rbx); mov %esi, 0x1000(%rbx)");
	start(7 | KEY(1), 7, 0);
	RUN("change: write, wd, read, write", "mov %esi, (%rbx); " WRPKRU(8) "mov (%rbx), %esi; mov %esi, (%rbx)");
	start(7 | KEY(1), 7, 12);
	RUN("change: ad wd, wd, read, none, write", WRPKRU(8) "mov (%rbx), %esi; " WRPKRU(0) "mov %esi, (%rbx)");
	start(7 | KEY(1), 7, 0);
	RUN("change: key 0 ad, the stack", "push %rax; " WRPKRU(1) "mov (%rbx), %esi; push %rax");
	start(7 | KEY(1), 7, 0);
	RUN("change: key 0 wd, the stack", "push %rax; " WRPKRU(2) "mov %esi, (%rbx); pop %rax; push %rax");
	start(7 | KEY(1), 7 | KEY(2), 0);
	RUN("change: over the border", "mov %rsi, 0xffc(%rbx); " WRPKRU(0x20) "mov 0xffc(%rbx), %rsi; movq $-1, 0xffc(%rbx)");
	start(7 | KEY(1), 7, 0);
	RUN("change: code goes on", "movb $0xc3, (%rbx); call *%rbx; " WRPKRU(4) "call *%rbx; call *%rbx; cmpb $0, (%rbx)");
	start(7 | KEY(1), 7, 4);
	RUN("change: back and forth", "mov $4, %edi; 1: " WRPKRU(0) "incl (%rbx); " WRPKRU(4) "dec %edi; jnz 1b; " WRPKRU(8)
		"mov (%rbx), %esi; incl (%rbx)");
	start(7 | KEY(1), 7, 0);
	ring0();
	in.cs = SEL_CODE, in.ss = in.ds = in.es = SEL_DATA, in.rsp = STACK0;
	RUN("change: without wp", "mov %cr0, %rax; and $~0x10000, %rax; mov %rax, %cr0; " WRPKRU(8) "mov %esi, (%rbx); "
		"mov %cr0, %rax; or $0x10000, %rax; mov %rax, %cr0; mov %esi, (%rbx)");
	start(7 | KEY(1), 7, 0);
	ring0();
	in.cs = SEL_CODE, in.ss = in.ds = in.es = SEL_DATA, in.rsp = STACK0;
	RUN("change: pke off", WRPKRU(4) "mov %cr4, %rax; btr $22, %rax; mov %rax, %cr4; mov (%rbx), %esi; "
		"bts $22, %rax; mov %rax, %cr4; mov (%rbx), %esi");
	start(7 | KEY(1), 7, 4);
	in.gpr[DI] = 1ull << 39, in.gpr[CX] = 3;
	RUN("rep stosb, forbidden", "rep stosb");
	start(7 | KEY(1), 7 | KEY(2), 0x20);
	in.gpr[DI] = (1ull << 39) + 0xffe, in.gpr[CX] = 4, in.gpr[AX] = 0x41;
	RUN("rep stosb, into the forbidden", "rep stosb");
	start(7 | KEY(1), 7, 4);
	RUN("lock add, forbidden", "lock addl $1, (%rbx)");
	start(7 | KEY(1), 7, 8);
	RUN("cmpxchg that does not store, forbidden", "movl $1, %eax; cmpxchg %ecx, (%rbx)");
	start(7 | KEY(1), 7, 8);
	RUN("prefetch, clflush", "prefetcht0 (%rbx); clflush (%rbx); xor %eax, %eax");
	start(7 | KEY(1), 7, 4);
	RUN("clflush, forbidden", "prefetcht0 (%rbx); clflush (%rbx)");
}

/* Accesses of the processor's own are a supervisor's; to users' pages, keys count. */
static void
implicit(void)
{
	static const uint32_t pkru[] = { 0, 4, 8 };

	for (unsigned i = 0; i < 3; i++) {
		start(7, 7, pkru[i]);
		page_table[0][(HANDLER_STACK >> 12) - 1] |= 4 | KEY(1);
		print_field("pkru", pkru[i]);
		RUN(" handler's stack", "int $0x30");
		for (unsigned accessed = 0; accessed < 2; accessed++) {
			start(7 | KEY(1), 7, pkru[i]);
			ring0();
			in.cs = SEL_CODE, in.ss = in.ds = in.es = SEL_DATA, in.rsp = STACK0;
			*(uint64_t *)TARGET = descriptor(0, 0xfffff, D_FLATDATA | accessed);
			gdt[SEL_B / 8] = descriptor(0, 7, D_LDT);
			gdt[SEL_B / 8 + 1] = 1ull << 39 >> 32;
			print_field("pkru", pkru[i]);
			print(accessed ? " accessed" : "");
			RUN(" descriptor", "mov $0x60, %eax; lldt %ax; mov $4, %eax; mov %eax, %fs");
		}
	}
}

static void
instructions(void)
{
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	RUN("wrpkru, rdpkru", "mov $0x123456789, %rax; mov %rax, %rcx; shr $32, %rcx; shl $32, %rcx; mov %rcx, %rdx; wrpkru; "
		"mov $-1, %rdx; mov $-1, %rax; xor %ecx, %ecx; rdpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = 1, in.gpr[DX] = 0;
	RUN("wrpkru, ecx", "wrpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = 0, in.gpr[DX] = 1;
	RUN("wrpkru, edx", "wrpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = 1;
	RUN("rdpkru, ecx", "rdpkru");
	in.gpr[CX] = 1, in.gpr[DX] = 0;
	RUN("wrpkru, off", "wrpkru");
	in.gpr[CX] = 1;
	RUN("rdpkru, off", "rdpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	RUN("wrpkru, 66", ".byte 0x66; wrpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	RUN("rdpkru, f3", ".byte 0xf3; rdpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	RUN("rdpkru, f2", ".byte 0xf2; rdpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	RUN("wrpkru, lock", ".byte 0xf0; wrpkru");
	in.cr4 |= CR4_PKE, in.gpr[CX] = in.gpr[DX] = 0;
	compat3();
	RUN32("wrpkru, rdpkru in compatibility mode", "mov $0x55555554, %eax; wrpkru; rdpkru");
	RUN("cpuid 7", "mov $7, %eax; xor %ecx, %ecx; cpuid; and $0x18, %ecx; xor %eax, %eax; xor %ebx, %ebx; xor %edx, %edx");
	in.cr4 |= CR4_PKE;
	RUN("cpuid 7, pke", "mov $7, %eax; xor %ecx, %ecx; cpuid; and $0x18, %ecx; xor %eax, %eax; xor %ebx, %ebx; xor %edx, %edx");
}

void
run_tests(void)
{
	instructions();
	changes();
	implicit();
	large();
	rights();
}
