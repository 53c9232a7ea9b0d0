/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interrupts and NMIs, sent by the local APIC to its own processor; what holds them off. */
#include "prot.h"

enum { IF = 0x200, TF = 0x100 };
#define ICR "0xfee00300"
#define SEND "movl $0x44031, " ICR "; "
#define SEND_NMI "movl $0x4400, " ICR "; "
#define WAIT "1: jmp 1b; "
#define PAUSE "mov $50, %edx; 1: dec %edx; jnz 1b; "

static void
interrupts(void)
{
	in.eflags |= IF;
	RUN("int: at once", SEND WAIT);
	RUN("int: sti", SEND PAUSE "sti; inc %ebx; inc %ebx; inc %ebx");
	RUN("int: sti twice", SEND PAUSE "sti; sti; inc %ebx; inc %ebx; inc %ebx");
	RUN("int: popf", SEND PAUSE "push $0x202; popf; inc %ebx; inc %ebx");
	RUN("int: iret", SEND PAUSE "push $0x202; push $8; push $0x10180; iret; .org 7701b + 0x80; inc %ebx; inc %ebx");
	RUN("int: sti, cli", SEND PAUSE "sti; cli; inc %ebx; inc %ebx; pushf; pop %eax; push $0x202; popf");
	RUN("int: sti, hlt", SEND PAUSE "sti; hlt; inc %ebx");
	RUN("int: sti, jmp", SEND PAUSE "sti; jmp 1f; nop; 1: inc %ebx; inc %ebx");
	RUN("int: sti, iret", SEND PAUSE "push $0x202; push $8; push $0x10180; sti; iret; .org 7701b + 0x80; inc %ebx; "
		"inc %ebx");
	RUN("int: sti, fault", SEND PAUSE "sti; ud2; .org 7701b + 0x100; cli");
	RUN("int: after the fault", "push $0x202; popf; nop");
	RUN("int: mov ss, enabled by popf", SEND PAUSE "mov $0x10, %eax; push $0x202; popf; mov %eax, %ss; inc %ebx; "
		"inc %ebx");
	RUN("int: tf, sti", SEND PAUSE "push $0x102; popf; sti; inc %ebx; inc %ebx");
	RUN("int: after tf", "push $0x202; popf; nop");
	idt[1] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	RUN("int: tf before interrupts", SEND PAUSE "push $0x302; popf; inc %ebx; inc %ebx; .org 7701b + 0x80; "
		"inc %esi; iret");
	idt[0x31] = gate(SEL_CODE, CODE + 0x180, 0x8f, 0);
	in.eflags |= IF;
	RUN("int: trap gate", SEND WAIT "ud2; .org 7701b + 0x80; mov (%esp), %eax; mov $0, %eax; pushf; pop %ebx; "
		"movl $0, 0xfee000b0");
	idt[0x31] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.eflags |= IF;
	RUN("int: twice", SEND PAUSE SEND PAUSE "ud2; .org 7701b + 0x80; incl 0x20000; movl $0, 0xfee000b0; iret");
	idt[0x31] = 0;
	in.eflags |= IF;
	RUN("int: no gate", SEND WAIT);
	idt[0x31] = gate(SEL_DATA, 0, 0x8e, 0);
	in.eflags |= IF;
	RUN("int: data gate", SEND WAIT);
	/* A data breakpoint where it pushes: the trap comes before the handler's first instruction. */
	idt[0x31] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.eflags |= IF, in.dr[0] = STACK0 - 0x44, in.dr7 = 0xd0402;
	RUN("int: breakpoint on its frame", "sub $0x40, %esp; " SEND WAIT "ud2; .org 7701b + 0x80; inc %ebx");
	idt[2] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.dr[0] = STACK0 - 0x44, in.dr7 = 0xd0402;
	RUN("nmi: breakpoint on its frame", "sub $0x40, %esp; " SEND_NMI WAIT "ud2; .org 7701b + 0x80; inc %ebx");
	RUN("nmi: unblocked again", "push $2; push $8; push $0x10180; iret; .org 7701b + 0x80; nop");
	ring3();
	tss.ss0 = SEL_DATA3;
	idt[10] = gate(SEL_DOUBLE, 0, 0x85, 0);
	in.eflags |= IF | 0x3000;
	RUN("int: bad stack", SEND WAIT);
}

static void
nmis(void)
{
	RUN("nmi: at once", SEND_NMI WAIT);
	idt[2] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	RUN("nmi: blocked until iret", SEND_NMI PAUSE "ud2; .org 7701b + 0x80; incl 0x20000; cmpl $3, 0x20000; je 2f; "
		"" SEND_NMI
		"mov $50, %ecx; 1: dec %ecx; jnz 1b; incl 0x20004; 2: iret");
	idt[2] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	RUN("nmi: blocked, fault in handler", SEND_NMI WAIT "ud2; .org 7701b + 0x80; incl 0x20000; cmpl $2, 0x20000; "
		"je 2f; " SEND_NMI
		"mov $50, %ecx; 1: dec %ecx; jnz 1b; incl 0x20004; int $0x30; 2: iret");
	RUN("nmi: unblocked by iret", "push $2; push $8; push $0x10180; iret; .org 7701b + 0x80; nop");
}

/* Loops of one instruction: the timer's interrupt ends them.  Behind STI it can't come before the first turn. */
static void
loops(void)
{
#define TIMER "movl $0x31, 0xfee00320; movl $11, 0xfee003e0; movl $1000, 0xfee00380; "
	RUN("loop: jmp", TIMER "sti; 1: jmp 1b");
	RUN("loop: jmp, indirect", TIMER "mov $0x10124, %ecx; sti; jmp *%ecx");
	RUN("loop: jcc", TIMER "cmp %eax, %eax; sti; 1: je 1b");
	RUN("loop: far jmp", TIMER "sti; ljmp $8, $0x1011f");
#undef TIMER
}

/* Without CR0.NE an x87 exception is the interrupt controllers' line 13, at the next instruction that waits. */
static void
ferr(const char *name, unsigned k)
{
	static const uint8_t words[][4] = { { 0x11, 0x20, 4, 1 }, { 0x11, 0x70, 2, 1 } };

	for (unsigned i = 0; i < 2; i++)
		for (unsigned n = 0; n < 4; n++)
			outb((i ? 0xa0 : 0x20) + (n != 0), words[i][n]);
	outb(0x21, 0xfb), outb(0xa1, 0xdf);
	in.cr0 = 0x11;
	in.eflags |= IF;
	print(name);
#define BAD "fninit; movw $0x37e, 0x20100; fldcw 0x20100; fld1; fchs; fsqrt; "
/* The handler has the error ignored, works on with it, and clears it; so twice. */
#define IGNORED BAD "fwait; incl %ebx; fnclex; fld1; fchs; fsqrt; fld1; incl %ebx; cli; ud2; .org 7701b + 0x80; incl 0x20000; " \
	"outb %al, $0xf0; fwait; fnstsw %ax; fld1; faddl one - 7701b + 0x10100; fstpl 0x20008; fnstsw 0x20010; fnclex; " \
	"mov $0x20, %al; outb %al, $0xa0; outb %al, $0x20; iret; .balign 8; one: .double 1"
	if (k == 0)
		RUN("", BAD "nop; nop; 1: fwait; cli");
	else if (k == 3)
		RUN("", BAD "mov $1f - 7701b + 0x10100, %ebx; mov %ebx, %dr0; mov $0x402, %eax; mov %eax, %dr7; xor %eax, %eax; "
			"push $0x10202; push $8; push %ebx; iret; 1: fwait; cli");
	else if (k == 2)
		RUN("", IGNORED);
	else
		RUN("", BAD "nop; fnstsw %ax; fnclex; fwait; cli");
#undef BAD
#undef IGNORED
	outb(0x21, 0xff), outb(0xa1, 0xff);
	outb(0xa0, 0x20), outb(0x20, 0x20);
}

void
run_tests(void)
{
	*(volatile uint32_t *)hidden(0xfee000f0) = 0x1ff;
	interrupts();
	nmis();
	loops();
	ferr("ferr: fwait", 0);
	ferr("ferr: cleared before", 1);
	idt[0x75] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	ferr("ferr: ignored", 2);
	ferr("ferr: breakpoint, RF", 3);
}
