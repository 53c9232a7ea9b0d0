/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where translators go wrong: code that changes, by each kind of store and through other addresses; accesses over the border of a
 * page whose second half faults; faults in the middle of long instructions; flags that nobody asked for before.
 */
#include "long.h"

enum { CR0_WP = 0x10000, FIRST = 0x24000, SECOND = 0x25000, THIRD = 0x27000 };

/* FIRST and SECOND once more, at 8000000000h, and CODE's page at 8000010000h. */
static void
alias(uint64_t second)
{
	fill(TABLES, 0, 0x3000);
	pml4[1] = (uint64_t)TABLES | 7;
	TABLES[0] = (uint64_t)(TABLES + 512) | 7;
	TABLES[512] = (uint64_t)(TABLES + 1024) | 7;
	TABLES[1024] = FIRST | 7;
	TABLES[1025] = second;
	TABLES[1040] = CODE | 7;
	in.gpr[BX] = 1ull << 39;
	in.gpr[SI] = (1ull << 39) + 0x10000;
	in.cr0 |= CR0_WP;
}

/* ---- stores into code ---- */

/* The target is INC EAX (FF C0), which becomes INC ECX (FF C1) or more. */
#define TARGET "jmp 1f; 1: .byte 0xff, 0xc0; inc %edx; "

static void
stores(void)
{
	RUN("code: byte, just ahead", "movb $0xc1, 1f + 1(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: byte, ahead in the block", "nop; movb $0xc1, 1f + 1(%rip); nop; nop; inc %edx; 1: .byte 0xff, 0xc0; inc %edx");
	RUN("code: behind a jump", "movb $0xc1, 1f + 1(%rip); " TARGET);
	RUN("code: loop that changes its own", "mov $4, %edi; 1: .byte 0x83, 0xc0, 0x01; incb 1b + 2(%rip); dec %edi; jnz 1b");
	RUN("code: loop that changes it far below", "mov $4, %edi; lea 2f(%rip), %rsi; 1: incb (%rsi); dec %edi; jnz 1b; jmp 3f; "
		".org 7701b + 0x80; 3: .byte 0xb8; 2: .long 5");
	RUN("code: word", "movw $0xc1ff, 1f(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: dword", "movl $0xc3ffc1ff, 1f(%rip); 1: .byte 0xff, 0xc0, 0xff, 0xc0");
	RUN("code: qword", "mov $0xc6ffc3ffc2ffc1ff, %rax; mov %rax, 1f(%rip); 1: inc %eax; inc %eax; inc %eax; inc %eax");
	RUN("code: over two instructions", "movl $0x01c18301, 1f + 2(%rip); 1: add $0x11, %eax; add $0x22, %eax");
	RUN("code: push", "mov %rsp, %rbp; lea 1f + 8(%rip), %rsp; mov $0x9090c3ffc2ffc1ff, %rax; push %rax; mov %rbp, %rsp; "
		"1: inc %eax; inc %eax; inc %eax; nop; nop");
	RUN("code: call pushes", "mov %rsp, %rbp; lea 1f + 8(%rip), %rsp; call 2f; nop; 2: mov %rbp, %rsp; mov 1f(%rip), %eax; jmp 3f; "
		".org 7701b + 0x40; 1: inc %eax; inc %eax; inc %eax; nop; nop; 3: nop");
	RUN("code: rep stos", "lea 1f(%rip), %rdi; mov $6, %ecx; mov $0x90, %al; rep stosb; 1: inc %eax; inc %eax; inc %eax");
	RUN("code: rep stos over itself", "lea 1f - 1(%rip), %rdi; mov $3, %ecx; mov $0x90, %al; rep stosb; 1: inc %eax; inc %edx");
	RUN("code: rep movs", "lea 2f(%rip), %rsi; lea 1f(%rip), %rdi; mov $3, %ecx; rep movsw; 1: inc %eax; inc %eax; inc %eax; ud2; "
		"2: inc %ecx; inc %ecx; inc %ebx");
	RUN("code: xchg", "mov $0xc1, %al; xchg %al, 1f + 1(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: lock cmpxchg", "mov $0xc0, %al; mov $0xc1, %cl; lock cmpxchg %cl, 1f + 1(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: lock add", "lock addb $1, 1f + 1(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: bts", "btsl $8, 1f(%rip); 1: .byte 0xff, 0xc0");
	RUN("code: setcc", "xor %eax, %eax; sete 1f + 1(%rip); jmp 1f; 1: .byte 0xeb, 0; nop; inc %edx");
	RUN("code: sidt", "sidt 1f(%rip); movw $0x9090, 1f(%rip); movq $0xffffffff90909090, %rax; mov %rax, 1f + 2(%rip); 1: .skip 10, 0x0b");
	in.cr4 |= 0x600;
	RUN("code: movups", "movups 2f(%rip), %xmm0; movups %xmm0, 1f(%rip); 1: .skip 16, 0x0b; ud2; 2: .skip 14, 0x90; .byte 0xff, 0xc2");
	in.cr4 |= 0x600;
	RUN("code: movnti", "mov $0x9090c2ff, %eax; movnti %eax, 1f(%rip); 1: .skip 4, 0x0b");
	in.cr4 |= 0x600;
	RUN("code: fistp", "fninit; movl $0x9090c2ff, 0x20100; fildl 0x20100; fistpl 1f(%rip); 1: .skip 4, 0x0b; movl $0, 0x20100");
	in.cr4 |= 0x600;
	RUN("code: fnstcw", "fninit; fnstcw 1f + 1(%rip); jmp 1f; 1: .byte 0xb8, 0, 0, 0, 0");
}

static void
aliases(void)
{
	alias(7 | SECOND);
	RUN("alias: just ahead", "movb $0xc1, 1f - 7701b + 0x101(%rsi); 1: .byte 0xff, 0xc0");
	alias(7 | SECOND);
	RUN("alias: loop", "mov $4, %edi; 1: .byte 0x83, 0xc0, 0x01; incb 0x107(%rsi); dec %edi; jnz 1b");
	alias(7 | SECOND);
	RUN("alias: code at the alias", "lea 1f - 7701b + 0x100(%rsi), %rax; jmp *%rax; 1: mov $3, %edi; 2: .byte 0x83, 0xc1, 0x01; "
		"incb 2b - 7701b + 0x10102; dec %edi; jnz 2b");
	/* An instruction over the border: MOV EAX, imm32, of which three bytes are SECOND's. */
	for (unsigned k = 0; k < 5; k++) {
		alias(7 | SECOND);
		copy((void *)(FIRST + 0xffe), "\xb8\x11", 2);
		copy((void *)SECOND, "\x22\x33\x44\xc3", 4);
		copy((void *)0x26000, "\x55\x66\x77\xc3", 4);
		switch (k) {
		case 0:
			RUN("border: second page changes", "lea 0xffe(%rbx), %rbp; call *%rbp; mov %eax, %ecx; movb $0x99, 0x25001; call *%rbp");
			break;
		case 1:
			RUN("border: first page changes", "lea 0xffe(%rbx), %rbp; call *%rbp; mov %eax, %ecx; movb $0x99, 0x24fff; call *%rbp");
			break;
		case 2:
			RUN("border: second page is another", "lea 0xffe(%rbx), %rbp; call *%rbp; mov %eax, %ecx; movl $0x26007, 0x62008; "
				"invlpg 0x1000(%rbx); call *%rbp");
			break;
		case 3:
			RUN("border: second page goes", "lea 0xffe(%rbx), %rbp; call *%rbp; mov %eax, %ecx; movl $0, 0x62008; "
				"invlpg 0x1000(%rbx); call *%rbp");
			break;
		case 4:
			RUN("border: second page is written through its alias", "lea 0xffe(%rbx), %rbp; mov $3, %edi; 1: call *%rbp; "
				"incb 0x1000(%rbx); dec %edi; jnz 1b");
		}
	}
	alias(7 | SECOND);
	copy((void *)FIRST, "\xff\xc0\xc3", 3), copy((void *)SECOND, "\xff\xc1\xc3", 3);
	RUN("remap: code page", "call *%rbx; movl $0x25007, 0x62000; invlpg (%rbx); call *%rbx; movl $0x24007, 0x62000; mov %cr3, %rax; "
		"mov %rax, %cr3; xor %eax, %eax; call *%rbx");
	alias(7 | SECOND);
	copy((void *)FIRST, "\xff\xc0\xc3", 3);
	RUN("remap: code page goes", "call *%rbx; call *%rbx; movl $0, 0x62000; invlpg (%rbx); call *%rbx");
}

/* ---- stores over a border, the second page refused ---- */

#define BORDER(name, code) do { \
	for (unsigned way = 0; way < 2; way++) { \
		alias(way == 0 ? 0 : SECOND | 5); \
		fill((void *)FIRST, 0x5a, 0x1000), fill((void *)SECOND, 0xa5, 0x1000); \
		in.watch[0] = (const uint64_t *)(FIRST + 0xff0), in.watch[1] = in.watch[0] + 1; \
		in.watch[2] = (const uint64_t *)SECOND, in.watch[3] = &TABLES[1024]; \
		in.cr4 |= 0x40600; \
		ring3(); \
		print(way ? "ro " : "none "); \
		RUN(name, code); \
	} \
} while (0)

static void
borders(void)
{
	BORDER("mov 2", "movw $0x1111, 0xfff(%rbx)");
	BORDER("mov 4", "movl $0x11111111, 0xffd(%rbx)");
	BORDER("mov 8", "mov %rax, 0xff9(%rbx)");
	BORDER("movups", "movups %xmm0, 0xff8(%rbx)");
	BORDER("movlps", "movlps %xmm0, 0xffc(%rbx)");
	BORDER("fstpt", "fninit; fld1; fstpt 0xff8(%rbx)");
	BORDER("fnsave", "fninit; fnsave 0xfc0(%rbx)");
	BORDER("fnstenv", "fninit; fnstenv 0xff0(%rbx)");
	BORDER("fxsave", "fxsave 0xf00(%rbx)");
	BORDER("xsave", "mov $3, %eax; xor %edx, %edx; xsave 0xe00(%rbx)");
	BORDER("xsavec", "mov $3, %eax; xor %edx, %edx; xsavec 0xe00(%rbx)");
	BORDER("push", "lea 0x1004(%rbx), %rsp; push %rax");
	BORDER("call", "lea 0x1004(%rbx), %rsp; call 1f; 1: nop");
	BORDER("enter", "lea 0x1004(%rbx), %rsp; enter $16, $0");
	BORDER("enter 3", "lea 0x1004(%rbx), %rsp; mov %rsp, %rbp; enter $16, $3");
	BORDER("pushf", "lea 0x1004(%rbx), %rsp; pushf");
	BORDER("xchg", "xchg %rax, 0xffc(%rbx)");
	BORDER("add", "add %rax, 0xffc(%rbx)");
	BORDER("lock add", "lock add %rax, 0xffc(%rbx)");
	BORDER("lock xadd", "lock xadd %rax, 0xffc(%rbx)");
	BORDER("cmpxchg", "cmpxchg %rcx, 0xffc(%rbx)");
	BORDER("lock cmpxchg, equal", "mov 0xff0(%rbx), %rax; lock cmpxchg %rcx, 0xffc(%rbx)");
	BORDER("lock cmpxchg8b", "lock cmpxchg8b 0xffc(%rbx)");
	BORDER("lock bts", "lock btsl $3, 0xffe(%rbx)");
	BORDER("rol", "roll $3, 0xffe(%rbx)");
	BORDER("not", "notq 0xffc(%rbx)");
	BORDER("stosq", "lea 0xffc(%rbx), %rdi; stosq");
	BORDER("rep stosl", "lea 0xff6(%rbx), %rdi; mov $5, %ecx; rep stosl");
	BORDER("rep movsb", "lea 0xff0(%rbx), %rdi; mov $0x20000, %esi; mov $32, %ecx; rep movsb");
	BORDER("rep stosb, backwards into nothing", "lea -0xffc(%rbx), %rdi; std; mov $8, %ecx; rep stosb");
	BORDER("rep cmpsb", "lea 0xff0(%rbx), %rdi; mov %rdi, %rsi; mov $32, %ecx; repe cmpsb");
	BORDER("rep scasb", "lea 0xff0(%rbx), %rdi; mov $0x5a, %eax; mov $32, %ecx; repe scasb");
	BORDER("rep lodsb", "lea 0xff0(%rbx), %rsi; mov $32, %ecx; rep lodsb");
	BORDER("pop memory", "pushq $5; popq 0xffc(%rbx)");
	BORDER("sgdt", "sgdt 0xffa(%rbx)");
	BORDER("movbe", "movbe %rax, 0xffc(%rbx)");
	BORDER("setne", "setne 0x1000(%rbx)");
}

/* A stack that ends in the middle of what an instruction takes from it or puts there. */
static void
stacks(void)
{
	static const char *const names[] = { "ret", "leave", "lretq", "iretq" };

	for (unsigned k = 0; k < COUNT(names); k++) {
		alias(0);
		fill((void *)FIRST, 0, 0x1000);
		*(uint64_t *)(FIRST + 0xff0) = CODE + 0x800, *(uint64_t *)(FIRST + 0xff8) = SEL_CODE3 | 3;
		in.gpr[BP] = in.gpr[BX] + 0xffc;
		ring3();
		print(names[k]);
		if (k == 0)
			RUN(": half a stack", "lea 0xffc(%rbx), %rsp; ret");
		else if (k == 1)
			RUN(": half a stack", "leave");
		else if (k == 2)
			RUN(": half a stack", "lea 0xffc(%rbx), %rsp; lretq");
		else
			RUN(": half a stack", "lea 0xff0(%rbx), %rsp; iretq");
	}
}

/* An area to restore that ends in the middle: the registers are as they were. */
static void
areas(void)
{
	for (unsigned k = 0; k < 2; k++) {
		alias(0);
		fill((void *)FIRST, 0, 0x1000);
		set_gate(14, SEL_CODE, CODE + 0x180, 0x8e, 0);
		in.cr4 |= 0x40600;
		if (k == 0)
			RUN("xrstor: half an area", "mov $0x11111111, %eax; movd %eax, %xmm0; fninit; fld1; mov $3, %eax; xor %edx, %edx; "
				"xrstor 0xe00(%rbx); ud2; .org 7701b + 0x80; movd %xmm0, %ecx; fnstsw %ax");
		else
			RUN("fxrstor: half an area", "mov $0x11111111, %eax; movd %eax, %xmm0; fninit; fld1; fxrstor 0xf00(%rbx); ud2; "
				".org 7701b + 0x80; movd %xmm0, %ecx; fnstsw %ax");
	}
}

/* ---- flags, seen by those who don't ask before ---- */

#define FLAGS(op) do { \
	RUN(op ": pushf", "mov $0x7fffffff, %ecx; " op "; pushf; pop %rsi"); \
	RUN(op ": lahf", "mov $0x7fffffff, %ecx; " op "; lahf; seto %al; movzwl %ax, %esi; xor %eax, %eax"); \
	RUN(op ": fault", "mov $0x7fffffff, %ecx; " op "; ud2"); \
	RUN(op ": int", "mov $0x7fffffff, %ecx; " op "; int $0x30"); \
	RUN(op ": page fault", "mov $0x7fffffff, %ecx; " op "; movabs $0x8000000000, %rsi; mov (%rsi), %esi"); \
	RUN(op ": jumps", "mov $0x7fffffff, %ecx; " op "; jmp 1f; 1: jo 2f; inc %rsi; 2: js 3f; inc %rdi; 3: jp 4f; inc %rbx; 4: jbe 5f; inc %rbp; " \
		"5: jle 6f; inc %r8; 6: nop"); \
} while (0)

static void
flags(void)
{
	FLAGS("add $1, %ecx");
	FLAGS("sub %ecx, %ecx");
	FLAGS("inc %ecx");
	FLAGS("cmp $-1, %ecx");
	FLAGS("neg %ecx");
	FLAGS("stc; adc $0, %ecx");
	FLAGS("stc; inc %ecx");
	FLAGS("test %ecx, %ecx");
	FLAGS("popcnt %ecx, %ecx");
}

/* ---- divisions ---- */

#define DIVIDE(name, code) do { \
	for (unsigned i = 0; i < COUNT(dividends); i++) { \
		in.gpr[AX] = dividends[i].low, in.gpr[DX] = dividends[i].high, in.gpr[CX] = dividends[i].by; \
		print_field("", dividends[i].high); \
		print_field("", dividends[i].low); \
		print_field("", dividends[i].by); \
		RUN(" " name, code "; cmp %esp, %esp"); \
	} \
} while (0)

static void
divisions(void)
{
	static const struct { uint64_t high, low, by; } dividends[] = {
		{ 0, 0, 0 }, { 0, 1, 0 }, { 0, 0x80, ~0ull }, { 0, 0xff80, ~0ull }, { ~0ull, 0x8000, ~0ull }, { ~0ull, 0x80000000, ~0ull },
		{ ~0ull, 1ull << 63, ~0ull }, { 1ull << 63, 0, ~0ull }, { ~0ull, ~0ull, 1 }, { 1, 0, 1 }, { 0, ~0ull, 2 }, { 2, 5, 3 },
		{ 0x7fffffffffffffff, ~0ull, ~0ull >> 1 }, { ~0ull, 0xff00, 0xfe }, { 0x8000000080000000, 0x80000000, 0x80000000 },
	};

	DIVIDE("div 1", "div %cl");
	DIVIDE("div 2", "div %cx");
	DIVIDE("div 4", "div %ecx");
	DIVIDE("div 8", "div %rcx");
	DIVIDE("idiv 1", "idiv %cl");
	DIVIDE("idiv 2", "idiv %cx");
	DIVIDE("idiv 4", "idiv %ecx");
	DIVIDE("idiv 8", "idiv %rcx");
}

/* ---- LOCK where there is no memory, or none that may be written ---- */

/* On a device it is a read and a write, whoever asks: the task priority of the local APIC, and video memory. */
static void
lock_device(bool user, uint32_t page)
{
	alias(page | 7);
	if (user)
		ring3();
	in.gpr[DI] = (1ull << 39) + 0x1080;
	print(page >> 31 ? "APIC" : "VGA");
	print(user ? ", level 3" : ", level 0");
}

static void
locks(void)
{
	alias(0xfee00000 | 0x13);
	RUN("lock: device", "lock orl $0x100, 0x10f0(%rbx); mov 0x10f0(%rbx), %eax; xor %eax, %eax");
	for (unsigned k = 0; k < 4; k++) {
		uint32_t page = k & 1 ? 0xb8000 : 0xfee00000;

		lock_device(k & 2, page);
		RUN(": lock add, xadd", "movl $0x30, (%rdi); lock addl $0x10, (%rdi); mov (%rdi), %eax; mov $5, %ecx; "
			"lock xadd %ecx, (%rdi); mov (%rdi), %edx; movl $0, (%rdi)");
		lock_device(k & 2, page);
		RUN(": lock bts, not, xchg", "movl $0x30, (%rdi); lock btsl $7, (%rdi); mov (%rdi), %edx; lock notl (%rdi); "
			"mov $0x11, %ecx; xchg %ecx, (%rdi); mov (%rdi), %eax; movl $0, (%rdi)");
		lock_device(k & 2, page);
		RUN(": lock cmpxchg", "movl $0x30, (%rdi); mov $0x30, %eax; mov $0x70, %ecx; lock cmpxchg %ecx, (%rdi); mov (%rdi), %edx; "
			"lock cmpxchg %edx, (%rdi); movl $0, (%rdi)");
		/* The APIC takes four bytes at a time, aligned. */
		if (page >> 31)
			continue;
		lock_device(k & 2, page);
		RUN(": lock cmpxchg8b", "movl $0x30, (%rdi); movl $0, 4(%rdi); mov $0x30, %eax; xor %edx, %edx; mov $0x50, %ebx; "
			"mov $1, %ecx; lock cmpxchg8b (%rdi); sete %cl; lock cmpxchg8b (%rdi); movl $0, (%rdi)");
		lock_device(k & 2, page);
		RUN(": split", "movq $0, -8(%rdi); movq $0, (%rdi); lock addq $-1, -3(%rdi); mov -8(%rdi), %rax; mov (%rdi), %rcx");
		lock_device(k & 2, page);
		RUN(": border of RAM", "movl $0, -0x80(%rdi); movl $0, -0x84(%rdi); lock addl $-1, -0x82(%rdi); mov -0x84(%rdi), %eax; "
			"mov -0x80(%rdi), %ecx");
		lock_device(k & 2, page);
		RUN(": lock cmpxchg16b", "movq $1, (%rdi); movq $2, 8(%rdi); mov $1, %eax; mov $2, %edx; mov $3, %ebx; mov $4, %ecx; "
			"lock cmpxchg16b (%rdi); sete %bpl; lock cmpxchg16b (%rdi); movl $0, (%rdi)");
	}
	alias(0xc0000 | 7);
	RUN("lock: ROM", "mov 0x1000(%rbx), %ecx; lock notl 0x1000(%rbx); sub 0x1000(%rbx), %ecx; xor %eax, %eax");
	alias(0xa0000000 | 7);
	RUN("lock: nothing there", "lock addl $1, 0x1000(%rbx); mov 0x1000(%rbx), %eax");
	/* Over two pages that are neighbours in memory, and over two that aren't. */
	for (unsigned k = 0; k < 2; k++) {
		uint64_t second = k ? THIRD : SECOND;

		for (unsigned at = 0xff8; at <= 0x1000; at++) {
			alias(7 | second);
			fill((void *)FIRST, 0, 0x4000);
			in.gpr[DI] = (1ull << 39) + at, in.gpr[AX] = 0x0102030405060708;
			in.watch[0] = (const uint64_t *)(FIRST + 0xff8), in.watch[1] = (const uint64_t *)second;
			print_field(k ? "lock: split, apart" : "lock: split", at);
			RUN("", "lock xadd %rax, (%rdi); lock incq (%rdi); lock btsq $40, (%rdi); mov (%rdi), %rcx");
		}
		alias(7 | second);
		fill((void *)FIRST, 0, 0x4000);
		in.gpr[DI] = (1ull << 39) + 0xffd, in.gpr[AX] = in.gpr[DX] = 0, in.gpr[BX] = 0x01020304, in.gpr[CX] = 0x05060708;
		in.watch[0] = (const uint64_t *)(FIRST + 0xff8), in.watch[1] = (const uint64_t *)second;
		RUN("lock: split cmpxchg8b", "lock cmpxchg8b (%rdi); sete %cl; lock cmpxchg8b (%rdi)");
	}
	/* The second page has code, which is another one then. */
	for (unsigned k = 0; k < 2; k++) {
		alias(7 | (k ? THIRD : SECOND));
		fill((void *)FIRST, 0, 0x4000);
		in.gpr[DI] = (1ull << 39) + 0xfff, in.gpr[SI] = k ? THIRD : SECOND;
		RUN("lock: split into code", "movl $0xc3c0ff, (%rsi); call *%rsi; lock addl $0x10000, (%rdi); call *%rsi");
	}
}

void
run_tests(void)
{
	stores();
	aliases();
	stacks();
	areas();
	locks();
	flags();
	divisions();
	borders();
}
