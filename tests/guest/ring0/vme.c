/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CR4.VME and CR4.PVI: VIF for IF, and interrupts of virtual-8086 mode by its own vector table. */
#include "prot.h"

enum { VME = 1, PVI = 2, TF = 0x100, IF = 0x200, NT = 0x4000, VIF = 0x80000, VIP = 0x100000, MAP = 0x88 - 32 };

/* Where INT goes to in virtual-8086 mode: what it pushed, in AX, BX, CX. */
#define HANDLER "; ud2; .org 7701b + 0x80; pop %ax; pop %bx; pop %cx"

static void
start(uint32_t cr4, uint32_t eflags)
{
	vm86(0);
	in.cr4 = cr4;
	in.eflags |= eflags;
	tss.io_base = 0x88;
	fill((uint8_t *)&tss + MAP, 0, 32);
	for (unsigned n = 0; n < 256; n++)
		*(volatile uint32_t *)hidden(n * 4) = (uint32_t)CODE >> 4 << 16 | 0x180;
}

static void
print_case(uint32_t cr4, uint32_t eflags)
{
	print_field("cr4", cr4);
	print_field("flags", eflags);
}

static void
instructions(unsigned k)
{
	switch (k) {
	case 0:
		RUN16(" cli", "cli");
		break;
	case 1:
		RUN16(" sti", "sti");
		break;
	case 2:
		RUN16(" pushf", "pushf; pop %ax");
		break;
	case 3:
		RUN16(" pushfl", "pushfl; pop %eax");
		break;
	case 4:
		RUN16(" popf if", "pushw $0x7ed7; popf");
		break;
	case 5:
		RUN16(" popf", "pushw $0x0002; popf");
		break;
	case 6:
		RUN16(" popf tf", "pushw $0x0102; popf");
		break;
	case 7:
		RUN16(" popfl", "pushl $0x003c7ed7; popfl");
		break;
	case 8:
		RUN16(" iret if", "pushw $0x7ed7; push %cs; pushw $0x180; iret; .org 7701b + 0x80; nop");
		break;
	case 9:
		RUN16(" iret", "pushw $0x0002; push %cs; pushw $0x180; iret; .org 7701b + 0x80; nop");
		break;
	case 10:
		RUN16(" iret tf", "pushw $0x0102; push %cs; pushw $0x180; iret; .org 7701b + 0x80; nop");
		break;
	case 11:
		RUN16(" iretl", "pushl $0x003c7ed7; pushl $0x1000; pushl $0x180; iretl; .org 7701b + 0x80; nop");
		break;
	case 12:
		RUN16(" int", "int $0x30" HANDLER);
		break;
	case 13:
		RUN16(" int3", "int3" HANDLER);
		break;
	case 14:
		RUN16(" int 3", ".byte 0xcd, 3" HANDLER);
		break;
	case 15:
		RUN16(" into", "movb $0x7f, %al; inc %al; into" HANDLER);
	}
}

static void
virtual(void)
{
	static const uint32_t cr4[] = { 0, VME, PVI }, flags[] = { 0, IF, VIF, VIP, VIF | VIP, IF | VIF, 0x3000, 0x3000 | IF, 0x3000 | VIF,
		0x3000 | VIP | VIF | IF };

	for (unsigned i = 0; i < COUNT(cr4); i++)
		for (unsigned n = 0; n < COUNT(flags); n++)
			for (unsigned k = 0; k < 16; k++) {
				start(cr4[i], flags[n]);
				print_case(cr4[i], flags[n]);
				instructions(k);
			}
}

/* The bitmap: each bit its own vector; a bitmap that isn't there. */
static void
bitmap(void)
{
	static const struct { const char *name; unsigned byte, bits, io_base; } cases[] = {
		{ "all 0", 0, 0, 0x88 }, { "bit of 30h", 6, 1, 0x88 }, { "all but 30h", 6, 0xfe, 0x88 }, { "byte of 28h", 5, 0xff, 0x88 },
		{ "end of the TSS", 0, 0, 0x468 + 25 }, { "past the TSS", 0, 0, 0x468 + 27 }, { "far past the TSS", 0, 0, 0xffff },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned iopl = 0; iopl < 2; iopl++) {
			start(VME, iopl ? 0x3000 | IF : VIF);
			((uint8_t *)&tss)[MAP + cases[i].byte] = cases[i].bits;
			tss.io_base = cases[i].io_base;
			print(cases[i].name);
			print(iopl ? " 3" : " 0");
			RUN16(" int", "int $0x30" HANDLER);
		}
	start(VME, VIF);
	gdt[SEL_TSS / 8] = descriptor((uint32_t)&tss, 0x66, D_TSS);
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	RUN16("short TSS: int", "int $0x30" HANDLER);
	start(VME, VIF | TF);
	RUN16("tf: int", "int $0x30" HANDLER);
	start(VME, VIF);
	in.esp = 2;
	RUN16("stack: int", "int $0x30" HANDLER);
	start(VME, VIF);
	paging();
	page_table[0] = 0;
	RUN16("vector not there: int", "int $0x30" HANDLER);
	start(VME, VIF);
	paging();
	page_table[0] = 3;
	RUN16("vector of a supervisor: int", "int $0x30" HANDLER);
	start(VME, VIF);
	paging();
	page_table[(STACK3_BASE + 0x7000) >> 12] = 0;
	in.esp = 0x8002;
	RUN16("half of the stack not there: int", "int $0x30" HANDLER);
	start(VME, VIF);
	RUN16("int and iret", "mov $0x1111, %dx; int $0x30; inc %dx; ud2; .org 7701b + 0x80; cli; inc %dx; sti; iret");
	start(VME, VIF);
	RUN16("int, cli, sti, pushf", "cli; pushf; sti; pushf; int $0x30; ud2; .org 7701b + 0x80; pushf; pop %ax; pop %si; pop %si; pop %bx; "
		"pop %cx; pop %dx");
	start(VME, VIF | VIP);
	RUN16("vip: int", "int $0x30; ud2; .org 7701b + 0x80; sti");
	start(VME, VIF);
	RUN16("in", "in $0x80, %al");
	real();
	in.cr4 = VME;
	RUN16("real: cli, int", "cli; sti; int $0x30");
}

static void
protected(void)
{
	static const uint32_t cr4[] = { 0, VME, PVI }, flags[] = { 0, IF, VIF, VIP, VIF | VIP, 0x3000, 0x3000 | VIP };

	for (unsigned i = 0; i < COUNT(cr4); i++)
		for (unsigned n = 0; n < COUNT(flags); n++)
			for (unsigned k = 0; k < 10; k++) {
				if (k & 1)
					ring3();
				in.cr4 = cr4[i];
				in.eflags |= flags[n];
				print_case(cr4[i], flags[n]);
				print(k & 1 ? " 3" : " 0");
				if (k / 2 == 0)
					RUN(" cli", "cli");
				else if (k / 2 == 1)
					RUN(" sti", "sti; nop");
				else if (k / 2 == 2)
					RUN(" pushf", "pushf; pop %eax");
				else if (k / 2 == 3)
					RUN(" popf", "push $0x200; popf");
				else
					RUN(" popfw", "pushw $0x200; popfw");
			}
}

void
run_tests(void)
{
	bitmap();
	virtual();
	protected();
	for (unsigned i = 0; i < 4; i++) {
		in.gpr[AX] = i;
		print_field("cr4", i);
		RUN("", "mov %eax, %cr4");
	}
	RUN("cpuid", "mov $1, %eax; cpuid; and $2, %edx; xor %eax, %eax; xor %ebx, %ebx; xor %ecx, %ecx");
}
