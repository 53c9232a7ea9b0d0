/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paging of five levels: the fifth level's rights, canonical addresses of 57 bits, pages that emulators may take for each other. */
#include "long.h"

enum { CR0_WP = 0x10000, CR4_PGE = 0x80, CR4_SMEP = 0x100000, CR4_SMAP = 0x200000, TARGET = CODE + 0x8000, FIRST = TARGET,
	SECOND = TARGET + 0x1000, THIRD = TARGET + 0x2000 };
#define NX (1ull << 63)

static unsigned tables;

/* Maps the page of LINEAR to PHYS; tables are taken from TABLES.  The entry of the last level. */
static uint64_t *
map(uint64_t linear, uint64_t phys, uint64_t flags)
{
	uint64_t *table = pml5;

	for (unsigned shift = 48; shift > 12; shift -= 9) {
		uint64_t *e = &table[linear >> shift & 511];

		if (!*e) {
			fill(TABLES + 512 * tables, 0, 4096);
			*e = (uint64_t)(TABLES + 512 * tables++) | 7;
		}
		table = (uint64_t *)(*e & ~0xfffull);
	}
	table[linear >> 12 & 511] = phys | flags;
	return &table[linear >> 12 & 511];
}

/* An entry of the fifth level. */
static void
rights(void)
{
	static const struct { const char *name; uint64_t flags; } cases[] = {
		{ "all ", 7 }, { "ro ", 5 }, { "super ", 3 }, { "super ro ", 1 }, { "nx ", 7 | NX }, { "none ", 6 }, { "ps ", 0x87 },
		{ "reserved ", 7 | 1ull << 51 }, { "free bits ", 7 | 0x7ffull << 52 | 0xf00 }, { "accessed ", 0x27 },
	};
	static const struct { const char *name; uint64_t cr0, cr4; } configs[] = {
		{ "", 0, 0 }, { "wp ", CR0_WP, 0 }, { "smep ", CR0_WP, CR4_SMEP }, { "smap ", CR0_WP, CR4_SMAP },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned n = 0; n < COUNT(configs); n++)
			for (unsigned k = 0; k < 6; k++) {
				tables = 0;
				map(1ull << 48, TARGET, 7);
				pml5[1] = (pml5[1] & ~7ull) | cases[i].flags;
				in.watch[0] = &pml5[1], in.watch[1] = &TABLES[0], in.watch[2] = &TABLES[512 * 3];
				in.cr0 |= configs[n].cr0;
				in.cr4 |= configs[n].cr4;
				in.gpr[BX] = 1ull << 48;
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

static const uint64_t addresses[] = {
	0x7ffffffffffc, 0x800000000000, 0xffff7ffffffffff8, 0xffff800000000000, 0xfffffffffffff000, 0x1000000000000, 0x00fffffffffffff8,
	0x00fffffffffffffc, 0x0100000000000000, 0xfeffffffffffffff, 0xff00000000000000, 0x8000000000000000,
};

static void
canonical(void)
{
	for (unsigned i = 0; i < COUNT(addresses); i++)
		for (unsigned k = 0; k < 20; k++) {
			in.gpr[BX] = addresses[i];
			in.gpr[AX] = (uint32_t)addresses[i], in.gpr[DX] = addresses[i] >> 32;
			*(uint64_t *)(uint64_t)(DATA + 0x102) = addresses[i];
			*(uint16_t *)(uint64_t)(DATA + 0x100) = 0xff;
			print_hex(addresses[i], 16);
			switch (k) {
			case 0:
				RUN(" read", "mov (%rbx), %rax");
				break;
			case 1:
				RUN(" stack", "mov %rbx, %rsp; pop %rax");
				break;
			case 2:
				RUN(" base bp", "mov %rbx, %rbp; mov %rax, (%rbp)");
				break;
			case 3:
				RUN(" jmp", "jmp *%rbx");
				break;
			case 4:
				RUN(" call", "call *%rbx");
				break;
			case 5:
				RUN(" ret", "push %rbx; ret");
				break;
			case 6:
				RUN(" iret", "push $0x10; push %rsp; push $2; push $8; push %rbx; iretq");
				break;
			case 7:
				RUN(" far ret", "push $8; push %rbx; lretq");
				break;
			case 8:
				RUN(" sysret", "mov %rbx, %rcx; mov $2, %r11; sysretq");
				break;
			case 9:
				in.gpr[CX] = 0xc0000100;
				RUN(" fsbase", "wrmsr");
				break;
			case 10:
				in.gpr[CX] = 0xc0000082;
				RUN(" lstar", "wrmsr; syscall");
				break;
			case 11:
				RUN(" lgdt", "sgdt 0x20120; lgdt 0x20100; sgdt 0x20000; lgdt 0x20120");
				break;
			case 12:
				in.cr4 |= 0x10000;
				RUN(" wrgsbase", "wrgsbase %rbx");
				break;
			case 13:
				RUN(" invlpg", "invlpg (%rbx)");
				break;
			case 14:
				tss.rsp[0] = addresses[i];
				ring3();
				RUN(" tss", "int $0x30");
				break;
			case 15:
				set_gate(0x30, SEL_CODE, addresses[i], 0xee, 0);
				RUN(" gate", "int $0x30");
				break;
			case 16:
				call_gate(SEL_A, SEL_CODE, addresses[i], 0x8c);
				RUN(" call gate", "movl $0x50, 0x20008; lcall *0x20004");
				break;
			case 17:
				gdt[SEL_B / 8] = descriptor((uint32_t)addresses[i], 0xfff, D_LDT);
				gdt[SEL_B / 8 + 1] = addresses[i] >> 32;
				RUN(" lldt", "mov $0x60, %eax; lldt %ax");
				break;
			case 18:
				RUN(" fxsave", "fxsave (%rbx)");
				break;
			case 19:
				in.gpr[DI] = addresses[i], in.gpr[CX] = 2;
				RUN(" stos", "rep stosq");
			}
		}
}

static void
control(void)
{
	RUN("cr4: la57 off", "mov %cr4, %rax; btr $12, %rax; mov %rax, %cr4");
	in.cr4 |= 0x80;
	RUN("cr4: pae off", "mov %cr4, %rax; btr $5, %rax; mov %rax, %cr4");
	RUN("cpuid: width", "mov $0x80000008, %eax; cpuid; movzbl %ah, %eax; xor %ebx, %ebx; xor %ecx, %ecx; xor %edx, %edx");
	RUN("cpuid: la57", "mov $7, %eax; xor %ecx, %ecx; cpuid; and $0x10000, %ecx; xor %eax, %eax; xor %ebx, %ebx; xor %edx, %edx");
	compat0();
	RUN32("compat: la57 off", "mov %cr4, %eax; btr $12, %eax; mov %eax, %cr4");
}

/* Triples of addresses 2^48 - 2^40 and 2^49 - 2^41 apart, and others. */
static const uint64_t near[] = { 0x20000000000, 0x7f0012345000, 0xffff820000000000, 0xfffffffff0000000 };

static void
three(uint64_t address)
{
	tables = 0;
	map(address, FIRST, 7);
	map(address + (1ull << 48) - (1ull << 40), SECOND, 7);
	map(address - (1ull << 48) + (1ull << 40), THIRD, 7);
	in.gpr[BX] = address;
	in.gpr[SI] = in.gpr[BX] + (1ull << 48) - (1ull << 40);
	in.gpr[DI] = in.gpr[BX] - (1ull << 48) + (1ull << 40);
	*(uint64_t *)FIRST = 0x1111, *(uint64_t *)SECOND = 0x2222, *(uint64_t *)THIRD = 0x3333;
	in.watch[0] = (uint64_t *)FIRST, in.watch[1] = (uint64_t *)SECOND, in.watch[2] = (uint64_t *)THIRD;
}

static void
far_data(void)
{
	for (unsigned i = 0; i < COUNT(near); i++)
		for (unsigned k = 0; k < 9; k++) {
			three(near[i]);
			print_hex(near[i], 16);
			switch (k) {
			case 0:
				RUN(" read", "mov (%rbx), %rax; mov (%rsi), %rcx; mov (%rdi), %rdx; mov (%rbx), %r8; mov (%rdi), %r9");
				break;
			case 1:
				ring3();
				RUN(" loop", "mov $100, %ecx; xor %eax, %eax; 1: incq (%rbx); add (%rsi), %rax; incq (%rsi); "
					"add (%rbx), %rax; incq (%rdi); add (%rdi), %rax; dec %ecx; jnz 1b");
				break;
			case 2:
				RUN(" rep movs", "lea 0x100(%rbx), %rdi; mov $4, %ecx; rep movsq; mov 0x100(%rbx), %rax; mov (%rbx), %rdx");
				break;
			case 3:
				RUN(" stacks", "mov %rsp, %rbp; lea 0x800(%rbx), %rsp; push $1; push $2; mov %rsp, %r8; lea 0x800(%rsi), %rsp; "
					"push $3; push $4; mov %r8, %rsp; pop %rax; pop %rcx; lea 0x7f0(%rsi), %rsp; pop %r9; pop %r10; mov %rbp, %rsp; "
					"mov 0x7f8(%rdi), %rdx");
				break;
			case 4:
				RUN(" lock", "lock incq (%rbx); lock incq (%rsi); lock incq (%rdi); lock incq (%rbx); xchg %rax, (%rsi)");
				break;
			case 5:
				RUN(" invlpg", "mov (%rbx), %rax; mov (%rsi), %rcx; invlpg (%rbx); mov (%rsi), %rcx; mov (%rbx), %rdx");
				break;
			case 6:
				map(in.gpr[BX], FIRST, 5);
				ring3();
				RUN(" read only", "movq $1, (%rsi); movq $1, (%rdi); mov (%rbx), %rax; movq $1, (%rbx)");
				break;
			case 7:
				map(in.gpr[SI], SECOND, 0);
				RUN(" not there", "movq $1, (%rbx); movq $1, (%rdi); mov (%rsi), %rax");
				break;
			case 8:
				RUN(" over the border", "mov (%rbx), %rax; mov (%rsi), %rax; mov %rax, 0xffc(%rdi)");
			}
		}
}

/* A global page and one that isn't, with one index in an emulator's table: after a load of CR3 the second is somewhere else. */
static void
global_pages(void)
{
	for (unsigned i = 0; i < COUNT(near); i++)
		for (unsigned k = 0; k < 5; k++) {
			three(near[i]);
			map(in.gpr[BX], FIRST, 0x107);
			in.gpr[R10] = (uint64_t)map(in.gpr[SI], SECOND, 7);
			in.gpr[R11] = THIRD | 7;
			in.cr4 |= CR4_PGE;
			print_hex(near[i], 16);
			switch (k) {
			case 0:
				RUN(" global, local", "mov (%rbx), %rax; mov (%rsi), %rcx; mov %r11, (%r10); mov %cr3, %rbp; mov %rbp, %cr3; mov $0, %ebp; "
					"mov (%rsi), %rdx; mov (%rbx), %r8");
				break;
			case 1:
				RUN(" local, global", "mov (%rsi), %rcx; mov (%rbx), %rax; mov %r11, (%r10); mov %cr3, %rbp; mov %rbp, %cr3; mov $0, %ebp; "
					"mov (%rsi), %rdx; mov (%rbx), %r8");
				break;
			case 2:
				RUN(" global, local: write", "incq (%rbx); incq (%rsi); mov %r11, (%r10); mov %cr3, %rbp; mov %rbp, %cr3; mov $0, %ebp; "
					"incq (%rsi); incq (%rbx)");
				break;
			case 3:
				RUN(" global, local, global, local", "mov (%rbx), %rax; mov (%rsi), %rcx; incq (%rbx); mov (%rsi), %rcx; mov %r11, (%r10); "
					"mov %cr3, %rbp; mov %rbp, %cr3; mov $0, %ebp; incq (%rsi); mov (%rsi), %rdx");
				break;
			case 4:
				/* The global one stays, and INVLPG ends it. */
				in.gpr[R10] = (uint64_t)map(in.gpr[BX], FIRST, 0x107);
				RUN(" global gone", "mov (%rsi), %rcx; mov (%rbx), %rax; mov (%rsi), %rcx; mov %r11, (%r10); invlpg (%rbx); mov (%rbx), %rdx");
			}
		}
}

/* Code: INC of a register, RET. */
static void
put_code(uint64_t page, const char *bytes)
{
	copy((void *)page, bytes, 4);
}

static void
far_code(void)
{
	for (unsigned i = 0; i < COUNT(near); i++)
		for (unsigned k = 0; k < 4; k++) {
			three(near[i]);
			put_code(FIRST, "\x48\xff\xc0\xc3");
			put_code(SECOND, "\x48\xff\xc1\xc3");
			put_code(THIRD, "\x48\xff\xc2\xc3");
			in.gpr[AX] = in.gpr[CX] = in.gpr[DX] = 0;
			in.watch[0] = 0;
			print_hex(near[i], 16);
			switch (k) {
			case 0:
				RUN(" calls", "mov $50, %r8d; 1: call *%rbx; call *%rsi; call *%rdi; call *%rbx; dec %r8d; jnz 1b");
				break;
			case 1:
				/* The same frame at all three: only the address differs. */
				map(in.gpr[SI], FIRST, 7), map(in.gpr[DI], FIRST, 7);
				RUN(" one frame", "mov $50, %r8d; 1: call *%rbx; call *%rsi; call *%rdi; dec %r8d; jnz 1b");
				break;
			case 2:
				map(in.gpr[SI], FIRST, 7 | NX), map(in.gpr[DI], FIRST, 7);
				RUN(" one frame, nx", "call *%rbx; call *%rdi; call *%rbx; call *%rsi");
				break;
			case 3:
				in.gpr[R10] = (uint64_t)map(in.gpr[SI], FIRST, 7);
				RUN(" gone", "mov $3, %r8d; 1: call *%rsi; call *%rbx; dec %r8d; jnz 1b; movq $0, (%r10); invlpg (%rsi); call *%rbx; "
					"call *%rsi");
			}
		}
	/* From the last page of 47 bits into the next one; a loop in a page of more than 48 bits. */
	tables = 0;
	map(0x7ffffffff000, FIRST, 7), map(0x800000000000, SECOND, 7);
	copy((void *)(FIRST + 0xffd), "\x90\x48\xff", 3);
	copy((void *)SECOND, "\xc0\xc3", 2);
	in.gpr[BX] = 0x7ffffffffffd;
	RUN("code: over 2^47", "mov $3, %ecx; 1: call *%rbx; dec %ecx; jnz 1b");
	tables = 0;
	map(0x55000000000000, FIRST, 7);
	copy((void *)FIRST, "\xff\xc0\xff\xc9\x75\xfa\x0f\x0b", 8);
	in.gpr[CX] = 1000, in.gpr[BX] = 0x55000000000000;
	RUN("code: loop", "jmp *%rbx");
	tables = 0;
	map(0xff55000000000000, FIRST, 7);
	map(0x55000000000000, SECOND, 7);
	copy((void *)FIRST, "\x57\xff\xc0\xff\xc9\x75\xf9\x48\x89\xec\x0f\x0b", 12);
	in.gpr[CX] = 300, in.gpr[BX] = 0xff55000000000000, in.gpr[BP] = STACK0, in.rsp = 0x55000000001000;
	RUN("code: loop that pushes", "jmp *%rbx");
}

void
run_tests(void)
{
	control();
	far_code();
	far_data();
	global_pages();
	canonical();
	rights();
}
