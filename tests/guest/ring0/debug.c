/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Single steps, breakpoints, shadows of MOV SS and STI, RF. */
#include "prot.h"

enum { TF = 0x100, RF = 0x10000, AC = 0x40000 };

static void
step(void)
{
	in.eflags |= TF;
	RUN("tf: nop", "nop; nop");
	in.eflags |= TF;
	RUN("tf: fault", "ud2");
	in.eflags |= TF;
	RUN("tf: jmp", "jmp 1f; nop; nop; 1: nop");
	in.eflags |= TF;
	RUN("tf: popf clears", "push $2; popf; nop");
	in.eflags |= TF, in.esp -= 4;
	RUN("tf: popf", "popf; nop; nop");
	RUN("tf: set by popf", "push $0x102; popf; nop; nop; nop");
	RUN("tf: set by popf, pushf", "push $0x102; popf; pushf; pop %eax; nop");
	RUN("tf: set by iret", "push $0x102; push $0x08; push $0x10200; iret");
	RUN("tf: mov ss", "mov %ss, %eax; push $0x102; popf; mov %eax, %ss; inc %ebx; inc %ebx; inc %ebx");
	in.eflags |= TF, in.gpr[AX] = SEL_DATA;
	RUN("tf: mov ss first", "mov %eax, %ss; inc %ebx; inc %ebx; inc %ebx");
	in.eflags |= TF, in.gpr[AX] = SEL_DATA;
	RUN("tf: mov ss twice", "mov %eax, %ss; mov %eax, %ss; inc %ebx; inc %ebx");
	in.eflags |= TF, in.gpr[AX] = SEL_DATA;
	RUN("tf: mov ds", "mov %eax, %ds; inc %ebx; inc %ebx; inc %ebx");
	in.eflags |= TF;
	RUN("tf: rep", "rep movsb; nop");
	in.eflags |= TF, in.gpr[CX] = 1, in.gpr[SI] = in.gpr[DI] = DATA;
	RUN("tf: rep 1", "rep movsb; nop");
	in.eflags |= TF, in.gpr[CX] = 0;
	RUN("tf: rep 0", "rep movsb; nop");
	in.eflags |= TF, in.gpr[CX] = 3, in.gpr[SI] = in.gpr[DI] = DATA;
	RUN("tf: rep 3", "rep movsb; nop");
	in.eflags |= TF;
	RUN("tf: sti", "sti; inc %ebx; inc %ebx");
	in.eflags |= TF;
	RUN("tf: int", "int $0x30");
	in.eflags |= TF;
	RUN("tf: int3", "int3");
	in.eflags |= TF | 0x800;
	RUN("tf: into", "into");
	in.eflags |= TF;
	RUN("tf: icebp", ".byte 0xf1; nop");
	in.eflags |= TF;
	RUN("tf: cpuid", "cpuid; nop");
	in.eflags |= TF;
	RUN("tf: lcall", "lcall $8, $0x10200");
	in.eflags |= TF;
	RUN("tf: out", "out %al, $0x80; nop");
	in.eflags |= TF;
	RUN("tf: mov cr", "mov %cr0, %eax; nop");
	idt[1] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.eflags |= TF;
	RUN("tf: handler has none", "nop; .org 7701b + 0x80, 0x90; pushf; pop %eax; mov (%esp), %ebx; "
		"mov 4(%esp), %ecx; mov 8(%esp), %edx");
	idt[1] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	RUN("tf: count", "xor %esi, %esi; push $0x102; popf; inc %ebx; inc %ebx; rep; inc %ebx; mov %ss, %eax; "
		"mov %eax, %ss; nop; pushf; "
		"andl $~0x100, (%esp); popf; nop; ud2; .org 7701b + 0x80, 0x90; inc %esi; iret");
	idt[1] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.gpr[CX] = 3;
	RUN("tf: count rep", "xor %esi, %esi; mov $0x20010, %edi; push $0x102; popf; rep stosb; nop; pushf; "
		"andl $~0x100, (%esp); popf; nop; ud2; .org 7701b + 0x80, 0x90; inc %esi; iret");
	wrmsr(0x174, 8);
	wrmsr(0x175, STACK0);
	wrmsr(0x176, CODE + 0x200);
	ring3();
	in.eflags |= TF;
	RUN("tf: sysenter", "sysenter");
}

static void
code_breakpoints(void)
{
	in.dr[0] = CODE + 0x102, in.dr7 = 0x402;
	RUN("bp: code", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x102, in.dr7 = 0x402, in.eflags |= RF;
	RUN("bp: code, RF earlier", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x100, in.dr7 = 0x402, in.eflags |= RF;
	RUN("bp: code, RF", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x100, in.dr7 = 0x402, in.eflags |= RF;
	RUN("bp: code, RF, loops", "nop; jmp .-1; nop; nop");
	in.dr[0] = CODE + 0x101, in.dr7 = 0x402;
	RUN("bp: inside", "mov $1, %eax; nop");
	in.dr[3] = CODE + 0x102, in.dr[1] = CODE + 0x102, in.dr7 = 0x488;
	RUN("bp: two", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x102, in.dr7 = 0x40402;
	RUN("bp: code of 2 bytes", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x102, in.dr7 = 0x400;
	RUN("bp: off", "nop; nop; nop; nop");
	in.dr[0] = CODE + 0x102, in.dr7 = 0x402, in.gpr[AX] = SEL_DATA;
	RUN("bp: after mov ss", "mov %eax, %ss; nop; nop");
	in.dr[0] = CODE + 0x101, in.dr7 = 0x402, in.eflags |= TF;
	RUN("bp: and tf", "nop; nop; nop");
	in.dr[0] = CODE + 0x100, in.dr7 = 0x402;
	RUN("bp: on fault", "ud2");
	in.dr[0] = CODE + 0x101, in.dr7 = 0x402;
	RUN("bp: on pop ss", "push %ss; pop %ss; nop");
	in.dr[0] = CODE + 0x100, in.dr7 = 0x402, in.gpr[CX] = 3, in.gpr[DI] = DATA, in.eflags |= RF;
	RUN("bp: rep with RF", "rep stosb; nop");
	in.dr[0] = CODE + 0x200, in.dr7 = 0x402;
	RUN("bp: iret sets RF", "push $0x10002; push $8; push $0x10200; iret");
	in.dr[0] = CODE + 0x202, in.dr7 = 0x402;
	RUN("bp: iret, RF, one only", "push $0x10002; push $8; push $0x10180; iret; .org 7701b + 0x80; nop; jmp .+0x81");
	in.dr[0] = CODE + 0x106, in.dr7 = 0x402;
	RUN("bp: popf RF", "push $0x10002; popf; nop; nop");
}

static void
data_breakpoints(void)
{
	static const struct { const char *name; unsigned type; uint32_t at; } cases[] = {
		{ "write 1", 1, 0x20 }, { "write 2", 5, 0x20 }, { "write 4", 13, 0x20 }, { "access 4", 15, 0x20 },
		{ "write 2 odd", 5, 0x21 },
		{ "access 1", 3, 0x23 }, { "write 4 odd", 13, 0x22 }, { "access 8", 11, 0x20 },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned k = 0; k < 9; k++) {
			in.dr[0] = DATA + cases[i].at;
			in.dr7 = 0x403 | cases[i].type << 16;
			in.gpr[SI] = in.gpr[DI] = DATA + 0x1e;
			in.gpr[BX] = DATA + 0x22;
			in.gpr[CX] = 5;
			print(cases[i].name);
			switch (k) {
			case 0:
				RUN(": read", "mov (%ebx), %al; nop; nop");
				break;
			case 1:
				RUN(": write", "mov %al, (%ebx); nop; nop");
				break;
			case 2:
				RUN(": write 4 over", "mov %eax, -3(%ebx); nop; nop");
				break;
			case 3:
				RUN(": modify", "incl -4(%ebx); nop; nop");
				break;
			case 4:
				RUN(": rep movsb", "rep movsb; nop; nop");
				break;
			case 5:
				RUN(": rep stosl", "mov $2, %ecx; rep stosl; nop; nop");
				break;
			case 6:
				RUN(": push", "mov %esp, %ebp; mov %ebx, %esp; push %eax; mov %ebp, %esp; nop; nop");
				break;
			case 7:
				RUN(": call, ret", "mov %esp, %ebp; mov %ebx, %esp; call 1f; nop; 1: nop; mov %ebp, %esp; nop");
				break;
			case 8:
				RUN(": before mov ss", "mov $0x10, %eax; mov %ax, (%ebx); mov (%ebx), %ss; nop; nop; nop");
			}
		}
	/* The returns leave the frames of what follows somewhere else. */
	for (unsigned k = 0; k < 6; k++) {
		in.dr[0] = DATA + 0x20, in.dr7 = k & 1 ? 0xf0403 : 0xd0403;
		*(uint32_t *)hidden(DATA + 0x20) = CODE + 0x180;
		*(uint32_t *)hidden(DATA + 0x24) = k < 4 ? SEL_CODE : SEL_CODE3 | 3;
		*(uint32_t *)hidden(DATA + 0x28) = 2;
		*(uint32_t *)hidden(DATA + 0x2c) = STACK3;
		*(uint32_t *)hidden(DATA + 0x30) = SEL_DATA3 | 3;
		print(k & 1 ? "access 4" : "write 4");
		if (k < 2)
			RUN(": lcall", "mov $0x20028, %esp; lcall $8, $0x10180; .org 7701b + 0x80; nop; nop");
		else if (k < 4)
			RUN(": lret", "mov $0x20020, %esp; lret $0x40; .org 7701b + 0x80; nop; nop");
		else
			RUN(": iret", "mov $0x20020, %esp; iret; .org 7701b + 0x80; nop; nop");
	}
	in.dr[0] = DATA + 0x20, in.dr7 = 0x30403;
	in.gpr[SI] = DATA + 0x20, in.gpr[AX] = 0;
	RUN("access 1: read, then the store faults", "mov %eax, %es; movsb; nop");
}

/* A handler's first instruction waits for the trap of what its event pushed; nothing of it is done. */
#define LOW "sub $0x40, %esp; "
#define HANDLER "; ud2; .org 7701b + 0x80; inc %ebx"
enum { FLAGS_AT = STACK0 - 0x44, CODE_AT = FLAGS_AT - 4, ERROR_AT = FLAGS_AT - 12 };

static void
handler(unsigned vector)
{
	idt[vector] = gate(SEL_CODE, CODE + 0x180, vector == 0x30 ? 0xee : 0x8e, 0);
	in.dr7 = 0xd0402;
}

static void
event_breakpoints(void)
{
	static const uint32_t at[] = { FLAGS_AT, CODE_AT, CODE_AT - 4 };

	for (unsigned k = 0; k < COUNT(at); k++) {
		handler(0x30), in.dr[0] = at[k];
		RUN("event: int", LOW "int $0x30" HANDLER);
	}
	handler(0x30), in.dr[0] = FLAGS_AT, in.dr7 = 0xf0402;
	RUN("event: int, access", LOW "int $0x30" HANDLER);
	handler(6), in.dr[0] = FLAGS_AT;
	RUN("event: fault", LOW "ud2" HANDLER);
	handler(13), in.dr[0] = ERROR_AT;
	RUN("event: error code", LOW "mov $0xfff8, %eax; mov %eax, %es" HANDLER);
	handler(3), in.dr[0] = CODE_AT;
	RUN("event: int3", LOW "int3" HANDLER);
	/* The trap's own frame may be hit too: its handler's first instruction waits as well. */
	handler(0x30), handler(1), in.dr[0] = CODE_AT, in.dr[1] = CODE_AT - 12, in.dr7 = 0xdd040a;
	RUN("event: its trap too", LOW "int $0x30; ud2; .org 7701b + 0x80; mov (%esp), %eax; mov 12(%esp), %ecx; mov 24(%esp), %edx");
	handler(1), in.dr[0] = FLAGS_AT, in.eflags |= TF;
	RUN("event: single step", LOW "nop" HANDLER);
	handler(1), in.dr[0] = FLAGS_AT, in.dr[1] = CODE + 0x103, in.dr7 = 0xd040a;
	RUN("event: breakpoint on code", LOW "nop" HANDLER);
	handler(0x30), in.dr[0] = FLAGS_AT, in.dr[1] = CODE + 0x180, in.dr7 = 0xd040a;
	RUN("event: breakpoint on the handler", LOW "int $0x30" HANDLER);
	handler(0x30), ring3(), in.dr[0] = HANDLER_STACK - 4;
	RUN("event: from level 3", "int $0x30" HANDLER);
	handler(13), vm86(0), in.dr[0] = HANDLER_STACK - 4;
	RUN16("event: from virtual-8086 mode", "hlt");
	/* MOV SS's own hit comes with the others. */
	handler(0x30), in.dr[0] = FLAGS_AT, in.dr[1] = DATA + 0x80, in.dr7 = 0xfd040a;
	*(uint16_t *)hidden(DATA + 0x80) = SEL_DATA;
	RUN("event: behind mov ss", LOW "mov 0x20080, %ss; int $0x30" HANDLER);
	/* What could not be delivered has hit nothing. */
	handler(0x30), paging(), page_table[(STACK1 >> 12) - 1] = 0, in.dr[0] = STACK1;
	RUN("event: not delivered", "mov $0x48004, %esp; int $0x30");
	handler(13), in.dr[0] = STACK1 - 4;
	idt[13] = gate(SEL_OTHER, 0, 0x85, 0), tss_other.eip = CODE + 0x180;
	RUN("event: error code in another task", "mov $0xfff8, %eax; mov %eax, %es" HANDLER);
	handler(13), in.dr[0] = STACK1 - 4, in.dr7 = 0xd0401;
	idt[13] = gate(SEL_OTHER, 0, 0x85, 0), tss_other.eip = CODE + 0x180;
	RUN("event: in another task, local", "mov $0xfff8, %eax; mov %eax, %es" HANDLER);
	/* The processor's tables are no data. */
	handler(0x30), in.dr[0] = (uint32_t)&idt[0x30], in.dr[1] = (uint32_t)&gdt[SEL_CODE / 8], in.dr[2] = (uint32_t)&tss.esp0;
	in.dr[3] = (uint32_t)&tss.ss0, in.dr7 = 0xffff04aa, ring3();
	RUN("event: tables", "int $0x30" HANDLER);
}

static void
io_breakpoints(void)
{
	in.dr[0] = 0x80, in.dr7 = 0x20402, in.cr4 = 8;
	RUN("io: out", "out %al, $0x80; nop; nop");
	in.dr[0] = 0x80, in.dr7 = 0x20402;
	RUN("io: out without DE", "out %al, $0x80; nop; nop");
	in.dr[0] = 0x80, in.dr7 = 0xe0402, in.cr4 = 8, in.gpr[DX] = 0x82;
	RUN("io: out 16", "out %ax, %dx; nop; nop");
	in.dr[0] = 0x80, in.dr7 = 0x20402, in.cr4 = 8, in.gpr[DX] = 0x81;
	RUN("io: not", "in %dx, %al; xor %eax, %eax; nop");
	in.dr[0] = 0x80, in.dr7 = 0x20402, in.cr4 = 8, in.gpr[DX] = 0x80, in.gpr[SI] = DATA, in.gpr[CX] = 3;
	RUN("io: rep outsb", "rep outsb; nop; nop");
}

static void
registers(void)
{
	in.dr7 = 0x2400;
	RUN("gd: read", "mov %dr0, %eax");
	in.dr7 = 0x2400;
	RUN("gd: write", "mov %eax, %dr6");
	RUN("dr6 write", "mov $-1, %eax; mov %eax, %dr6; mov %dr6, %ebx; xor %eax, %eax; mov %eax, %dr6; "
		"mov %dr6, %ecx; mov $0xffff0ff0, %edx; mov %edx, %dr6");
	RUN("dr7 write", "mov $~0x20ff, %eax; mov %eax, %dr7; mov %dr7, %ebx; xor %eax, %eax; mov %eax, %dr7; "
		"mov %dr7, %ecx; and $~0x1800, %ebx");
	RUN("dr4 read", "mov %db6, %eax; .byte 0x0f, 0x21, 0xe3");
	in.cr4 = 8;
	RUN("dr4 read with DE", ".byte 0x0f, 0x21, 0xe3");
	in.cr4 = 8;
	RUN("dr5 write with DE", ".byte 0x0f, 0x23, 0xeb");
	ring3();
	RUN("dr0 read 3", "mov %db0, %eax");
	ring3();
	in.cr4 = 8;
	RUN("dr4 read 3 with DE", ".byte 0x0f, 0x21, 0xe3");
	RUN("dr values", "mov $0x12345678, %eax; mov %eax, %dr0; not %eax; mov %eax, %dr3; mov %dr0, %ebx; mov %dr3, %ecx");
	RUN("icebp", ".byte 0xf1; nop");
	ring3();
	RUN("icebp 3", ".byte 0xf1; nop");
	in.eflags |= 0x800;
	RUN("into", "into");
	RUN("into not", "into");
	ring3();
	in.eflags |= 0x800;
	idt[4] = gate(SEL_CODE, (uint32_t)idt, 0x8e, 0);
	RUN("into dpl 0", "into");
	ring3();
	idt[3] = gate(SEL_CODE, 0, 0x8e, 0);
	RUN("int3 dpl 0", "int3");
	ring3();
	RUN("int dpl 0", "int $0x31");
	RUN("int", "int $0x31");
	RUN("int 13", "int $13");
	idt[0x31] = 0;
	RUN("int none", "int $0x31");
	idt[0x31] = gate(SEL_CODE, 0, 0x0e, 0);
	RUN("int not present", "int $0x31");
	idt[0x31] = gate(0, 0, 0x8e, 0);
	RUN("int null", "int $0x31");
	idt[0x31] = gate(SEL_DATA, 0, 0x8e, 0);
	RUN("int data", "int $0x31");
	idt_limit = 0x31 * 8 + 6;
	RUN("int past idt", "int $0x31");
	gdt[SEL_A / 8] = descriptor(0, 0xfff, D_CODE32);
	idt[0x31] = gate(SEL_A, 0x1000, 0x8e, 0);
	RUN("int past limit", "int $0x31");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE32);
	idt[0x31] = gate(SEL_A, 0x200, 0x86, 0);
	RUN("int gate 16", "int $0x31");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE32);
	idt[0x31] = gate(SEL_A, 0x200, 0x8f, 0), in.eflags |= 0x200;
	RUN("trap gate", "int $0x31");
	RUN("bound", "movl $5, 0x20000; movl $9, 0x20004; mov $5, %eax; bound %eax, 0x20000; mov $9, %eax; "
		"bound %eax, 0x20000; "
		"mov $10, %eax; bound %eax, 0x20000");
	RUN("bound 16", "movw $-5, 0x20000; movw $9, 0x20002; mov $-6, %eax; bound %ax, 0x20000");
	RUN("lock nop", ".byte 0xf0; nop");
	RUN("lock add reg", ".byte 0xf0, 0x01, 0xc0");
	RUN("lock cmp", ".byte 0xf0, 0x39, 0x05, 0, 0, 2, 0");
	RUN("lock mov", ".byte 0xf0, 0x89, 0x05, 0, 0, 2, 0");
	RUN("14 prefixes", ".rept 14; .byte 0x3e; .endr; nop");
	RUN("15 prefixes", ".rept 15; .byte 0x3e; .endr; nop");
	RUN("15 prefixes, ud2", ".rept 15; .byte 0x66; .endr; ud2");
	in.eip = CODE + 0xff8;
	RUN("15 prefixes over a page", ".rept 15; .byte 0x3e; .endr; nop");
	in.eip = CODE + 0xff8;
	RUN("14 prefixes over a page", ".rept 14; .byte 0x3e; .endr; nop");
	in.eip = CODE + 0xff1, paging();
	page_table[(CODE >> 12) + 1] = 0;
	RUN("15 prefixes up to a page", ".rept 15; .byte 0x3e; .endr");
}

static void
alignment(void)
{
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: read", "mov 0x20001, %eax");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: aligned", "mov 0x20004, %eax; mov 0x20002, %ax; mov 0x20001, %al; movw %ax, 0x20003");
	ring3();
	in.eflags |= AC;
	RUN("ac: no AM", "mov 0x20001, %eax");
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: level 0", "mov 0x20001, %eax");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.esp += 2;
	RUN("ac: push", "push %eax");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.esp += 2;
	RUN("ac: call", "call .+5");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.esp += 2;
	RUN("ac: pusha", "pusha");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.gpr[SI] = DATA, in.gpr[DI] = DATA + 1;
	RUN("ac: movsl", "movsl");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.gpr[SI] = DATA, in.gpr[DI] = DATA + 1, in.gpr[CX] = 2;
	RUN("ac: rep movsw", "rep movsw");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: fld", "fldl 0x20004");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: lock", "lock incl 0x20002");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC;
	RUN("ac: lds", "les 0x20002, %eax");
	ring3();
	in.cr0 |= 0x40000, in.eflags |= AC, in.esp += 2;
	RUN("ac: int from 3", "int $0x30");
	ring3();
	paging();
	in.cr0 |= 0x40000, in.eflags |= AC;
	page_table[DATA >> 12] = 0;
	RUN("ac: or page fault", "mov 0x20001, %eax");
}

void
run_tests(void)
{
	step();
	code_breakpoints();
	data_breakpoints();
	event_breakpoints();
	io_breakpoints();
	registers();
	alignment();
}
