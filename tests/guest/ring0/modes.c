/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Real mode, virtual-8086 mode, and task switches. */
#include "prot.h"

static void
real_mode(void)
{
	real();
	RUN16("real: nothing", "nop");
	real();
	RUN16("real: int", "int $0x30");
	real();
	in.eflags = 0x302;
	RUN16("real: flags of int", "int $0x30");
	real();
	RUN16("real: int3", "int3");
	real();
	in.eflags |= 0x800;
	RUN16("real: into", "into");
	real();
	RUN16("real: div", "xor %cx, %cx; div %cx");
	real();
	RUN16("real: read over the limit", "mov $0xffff, %bx; mov (%bx), %ax");
	real();
	RUN16("real: read dword over", "mov $0xfffd, %bx; mov (%bx), %eax");
	real();
	RUN16("real: read at limit", "mov $0xfffc, %bx; mov (%bx), %eax");
	real();
	RUN16("real: 32-bit address", "mov $0x10000, %ebx; mov (%ebx), %al");
	real();
	RUN16("real: stack read over", "mov $0xffff, %bp; mov (%bp), %ax");
	real();
	RUN16("real: push at 0", "mov %sp, %bp; xor %sp, %sp; push $0x1234; mov %sp, %dx; pop %cx; mov %sp, %di; "
		"mov %bp, %sp");
	real();
	RUN16("real: pop at ffff", "mov %sp, %bp; mov $0xffff, %sp; pop %cx");
	real();
	RUN16("real: ip over the end", "jmp 1f; 1: mov $0xfffe, %ax; jmp *%ax");
	real();
	in.eip = 0xfffc;
	RUN16("real: running off", "nop; nop; nop; nop; nop; nop");
	real();
	in.eip = 0xfffc;
	RUN16("real: over the end", "nop; nop; mov $0x1234, %ax; nop");
	real();
	in.eip = 0xfff0;
	RUN16("real: jump wraps", "jmp .+0x20");
	real();
	RUN16("real: 32-bit jump", "mov $0x10000, %eax; jmpl *%eax");
	real();
	RUN16("real: 32-bit ret", "pushl $0x10000; retl");
	real();
	RUN16("real: far jump", "ljmp $0x1010, $0x100");
	real();
	RUN16("real: far jump 32", "ljmpl $0x1000, $0x10000");
	real();
	RUN16("real: far call", "lcall $0x1010, $0x100");
	real();
	RUN16("real: far ret", "push $0x1010; push $0x100; lret");
	real();
	RUN16("real: iret", "push $0x8d5; push $0x1010; push $0x100; iret");
	real();
	RUN16("real: iret all flags", "push $0x7eff; push $0x1000; push $0x200; iret");
	real();
	RUN16("real: iretl", "pushl $0x3c0ad7; pushl $0x1010; pushl $0x100; iretl");
	real();
	RUN16("real: popf", "push $0x7cff; popf; pushf; pop %ax");
	real();
	RUN16("real: popfl", "pushl $0x3fffffff & ~0x100; popfl; pushfl; pop %eax; pop %edx");
	real();
	RUN16("real: sldt", "sldt %ax");
	real();
	RUN16("real: lar", "lar %ax, %bx");
	real();
	RUN16("real: arpl", ".byte 0x63, 0xc3");
	real();
	RUN16("real: ltr", "ltr %ax");
	real();
	RUN16("real: verr", "verr %ax");
	real();
	RUN16("real: sysenter", ".byte 0x0f, 0x34");
	real();
	RUN16("real: syscall", ".byte 0x0f, 0x05");
	real();
	RUN16("real: smsw", "smsw %ax; mov %cr0, %ebx");
	real();
	RUN16("real: idt limit", "lidt %cs:0x120; int $0x30; .org 7701b + 0x20; .word 0xbf; .long 0");
	real();
	RUN16("real: segment base", "mov $0x2001, %ax; mov %ax, %ds; movb $5, 0");
	real();
	RUN16("real: tf", "push $0x102; popf; nop; nop");
	real();
	RUN16("real: bound", "movl $0x00050001, 0; mov $6, %ax; bound %ax, 0");
	real();
	RUN16("real: mov cs", ".byte 0x8e, 0xc8");
	real();
	RUN16("real: push imm, esp high", "mov $0x12348000, %esp; push %ax; mov %esp, %ebx");
	real();
	RUN16("real: rep over the limit", "mov $0xfffe, %di; mov $4, %cx; rep stosb");
	real();
	RUN16("real: rep word over the limit", "mov $0xfffd, %di; mov $4, %cx; rep stosw");
	real();
	RUN16("real: movs backwards", "std; mov $1, %di; mov $1, %si; mov $3, %cx; rep movsb");
	real();
	RUN16("real: unreal", "cli; lgdtl %cs:0x160; mov %cr0, %eax; or $1, %al; mov %eax, %cr0; mov $8, %bx; "
		"mov %bx, %ds; and $~1, %al; mov %eax, %cr0; "
		"mov $0x2000, %bx; mov %bx, %ds; mov $0xe0010, %ebx; mov %ebx, %ecx; xor %eax, %eax; mov (%ebx), %al; "
		"xor %al, %al; movb $9, 4; "
		".org 7701b + 0x60 - 18; ud2; .org 7701b + 0x60; .word 15; .long 0x10168; .org 7701b + 0x68; "
		".quad 0, 0x00cf93000000ffff");
	real();
	RUN16("real: a20", "mov $0xffff, %ax; mov %ax, %ds; mov 0x10, %eax; xor %eax, %eax");
}

static void
vm86_mode(void)
{
	static const struct { const char *name; unsigned iopl; } levels[] = { { "0", 0 }, { "3", 3 } };

	for (unsigned i = 0; i < 2; i++)
		for (unsigned k = 0; k < 24; k++) {
			vm86(levels[i].iopl);
			print("vm86 iopl ");
			print(levels[i].name);
			switch (k) {
			case 0:
				RUN16(": nop", "nop");
				break;
			case 1:
				RUN16(": cli", "cli");
				break;
			case 2:
				RUN16(": sti", "sti; nop");
				break;
			case 3:
				RUN16(": pushf", "pushf; pop %ax");
				break;
			case 4:
				RUN16(": popf", "push $0x7eff; popf");
				break;
			case 5:
				RUN16(": popfl", "pushl $0x3c7eff; popfl");
				break;
			case 6:
				RUN16(": int", "int $0x30");
				break;
			case 7:
				RUN16(": int dpl 0", "int $0x31");
				break;
			case 8:
				RUN16(": int3", "int3");
				break;
			case 9:
				RUN16(": iret", "push $0x7eff; push $0x1010; push $0x100; iret");
				break;
			case 10:
				RUN16(": iretl", "pushl $0x3c7eff; pushl $0x1010; pushl $0x100; iretl");
				break;
			case 11:
				RUN16(": in", "in $0x80, %al; xor %al, %al");
				break;
			case 12:
				RUN16(": hlt", "hlt");
				break;
			case 13:
				RUN16(": mov cr", "mov %cr0, %eax");
				break;
			case 14:
				RUN16(": lgdt", "lgdt 0");
				break;
			case 15:
				RUN16(": lar", "lar %ax, %bx");
				break;
			case 16:
				RUN16(": segments", "mov $0x2001, %ax; mov %ax, %ds; movb $5, 0; mov $0x1234, %ax; mov %ax, %es; "
					"mov %es, %bx; mov %ax, %fs");
				break;
			case 17:
				RUN16(": over the limit", "mov $0xffff, %bx; mov (%bx), %ax");
				break;
			case 18:
				RUN16(": far call", "lcall $0x1010, $0x100");
				break;
			case 19:
				RUN16(": push at 1", "mov $1, %sp; push %ax");
				break;
			case 20:
				RUN16(": smsw", "smsw %ax");
				break;
			case 21:
				RUN16(": lock", ".byte 0xf0, 0x90");
				break;
			case 22:
				RUN16(": rdmsr", "rdmsr");
				break;
			case 23:
				RUN16(": jump past the limit", "mov $0x10000, %eax; jmpl *%eax");
			}
		}
	vm86(0);
	tss.io_map[0x10] = 0xfe;
	RUN16("vm86: in allowed", "in $0x80, %al; xor %al, %al; in $0x81, %al");
	vm86(3);
	tss.io_map[0x10] = 0xfe;
	RUN16("vm86: in 16 half allowed", "in $0x80, %ax");
	vm86(3);
	tss.io_map[0x10] = 0xfe;
	tss.esp0 = 0x7000, tss.ss0 = SEL_A;
	gdt[SEL_A / 8] = descriptor(0x50000, 0xffff, D_DATA);
	idt[6] = gate(SEL_CODE, 0, 0x86, 0);
	gdt[SEL_B / 8] = descriptor(CODE, 0xffff, D_CODE);
	idt[6] = gate(SEL_B, 0x180, 0x86, 0);
	RUN16("vm86: 16-bit gate", "ud2; .org 7701b + 0x80; mov %sp, %bp; pop %eax; pop %ebx; pop %ecx; pop %edx; "
		"pop %esi; int3");
	vm86(3);
	idt[0x30] = gate(SEL_CODE3, CODE, 0xee, 0);
	RUN16("vm86: gate to 3", "int $0x30");
	vm86(3);
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | 4);
	idt[0x30] = gate(SEL_A, CODE, 0xee, 0);
	RUN16("vm86: gate to conforming", "int $0x30");
	ring3();
	tss.io_map[0x10] = 0xfe;
	RUN("io: allowed", "in $0x80, %al; xor %al, %al; in $0x81, %al");
	ring3();
	tss.io_map[0x10] = 0xf8;
	RUN("io: dword", "mov $0x80, %edx; in %dx, %al; xor %eax, %eax; in %dx, %eax");
	ring3();
	tss.io_map[0x10] = 0x3f, tss.io_map[0x11] = 0xfc;
	RUN("io: over two bytes", "mov $0x86, %edx; in %dx, %eax; xor %eax, %eax; inc %edx; in %dx, %eax");
	ring3();
	tss.io_base = 0x68 + 0x400;
	RUN("io: map past limit", "in $0x80, %al");
	ring3();
	gdt[SEL_TSS / 8] = descriptor((uint32_t)&tss, 0x68 + 0x10, D_TSS);
	tss.io_map[0x10] = 0;
	RUN("io: map's last byte", "in $0x80, %al; xor %eax, %eax");
	ring3();
	gdt[SEL_A / 8] = descriptor((uint32_t)&tss, 0x68 + 0x10, D_TSS);
	tss.io_map[0x10] = 0;
	RUN("io: cli", "cli");
	ring3();
	in.eflags |= 0x3000;
	RUN("io: iopl 3", "in $0x80, %al; xor %al, %al; cli; sti; cli");
	ring3();
	in.eflags |= 0x1000;
	RUN("io: iopl 1", "in $0x80, %al");
	ring3();
	RUN("hlt 3", "hlt");
	ring3();
	RUN("wbinvd 3", "wbinvd");
	ring3();
	RUN("invlpg 3", "invlpg 0");
	ring3();
	RUN("clts 3", "clts");
	ring3();
	RUN("rdmsr 3", "rdmsr");
	ring3();
	RUN("mov cr0 3", "mov %cr0, %eax");
	ring3();
	RUN("mov to cr3 3", "mov %eax, %cr3");
	ring3();
	RUN("mov cr1", "mov %cr1, %eax");
	ring3();
	in.cr4 = 4;
	RUN("rdtsc 3 tsd", "rdtsc");
	ring3();
	RUN("rdpmc 3", "rdpmc");
}

static void
other_descriptor(uint32_t limit, unsigned flags)
{
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, limit, flags);
}

static const struct { const char *name; uint32_t limit; unsigned flags; } kinds[] = {
	{ "good", 0x67, D_TSS }, { "short", 0x66, D_TSS }, { "absent", 0x67, D_TSS & ~D_P }, { "busy", 0x67, D_TSS | 2 },
	{ "data", 0x67, D_DATA }, { "dpl 3", 0x67, D_TSS | D_DPL3 }, { "ldt", 0x67, D_LDT },
};

static void
tasks(void)
{
	for (unsigned k = 0; k < COUNT(kinds); k++) {
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		RUN(" task: jmp", "ljmp $0x40, $0");
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		RUN(" task: call", "lcall $0x40, $0");
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		idt[0x31] = gate(SEL_OTHER, 0, 0x85, 0);
		RUN(" task: int", "int $0x31");
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		idt[13] = gate(SEL_OTHER, 0, 0x85, 0);
		RUN(" task: fault", "ljmp $0x10, $0");
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		gdt[SEL_A / 8] = gate(SEL_OTHER, 0, 0x85, 0);
		RUN(" task: call gate", "lcall $0x48, $0");
		print(kinds[k].name);
		ring3();
		other_descriptor(kinds[k].limit, kinds[k].flags);
		RUN(" task: call from 3", "lcall $0x40, $0");
		print(kinds[k].name);
		ring3();
		other_descriptor(kinds[k].limit, kinds[k].flags);
		gdt[SEL_A / 8] = gate(SEL_OTHER, 0, 0xe5, 0);
		RUN(" task: gate from 3", "lcall $0x48, $0");
		print(kinds[k].name);
		other_descriptor(kinds[k].limit, kinds[k].flags);
		tss.back = SEL_OTHER;
		in.eflags |= 0x4000;
		RUN(" task: iret", "iret");
	}
	RUN("task: jmp main", "ljmp $0x18, $0");
	gdt[SEL_A / 8] = gate(SEL_OTHER, 0, 5, 0);
	RUN("task: gate absent", "lcall $0x48, $0");
	gdt[SEL_A / 8] = gate(0, 0, 0x85, 0);
	RUN("task: gate null", "lcall $0x48, $0");
	gdt[SEL_A / 8] = gate(4, 0, 0x85, 0);
	RUN("task: gate ldt", "lcall $0x48, $0");
	idt[0x31] = gate(0xfff8, 0, 0x85, 0);
	RUN("task: int past gdt", "int $0x31");
	/* What is saved in the old task and loaded from the new one; there and back. */
	tss_other.eip = CODE + 0x180;
	RUN("task: there and back", "mov $0x1234, %eax; stc; lcall $0x40, $0; pushf; pop %edi; ud2; .org 7701b + 0x80; "
		"iret");
	tss_other.eip = CODE + 0x180;
	tss_other.ebx = (uint32_t)&tss, tss_other.ecx = (uint32_t)&tss_other, tss_other.esi = (uint32_t)gdt;
	RUN("task: saved", "mov $0x1234, %eax; stc; lcall $0x40, $0; .org 7701b + 0x80; mov 40(%ebx), %eax; "
		"mov %eax, 0x20000; mov 32(%ebx), %eax; "
		"mov %eax, 0x20004; mov 36(%ebx), %eax; mov %eax, 0x20008; mov 56(%ebx), %eax; mov %eax, 0x2000c; "
		"mov (%ecx), %eax; mov %eax, 0x20010; "
		"movzbl 0x1d(%esi), %eax; mov %eax, 0x20014; movzbl 0x45(%esi), %eax; mov %eax, 0x20018; pushf; pop 0x2001c; "
		"xor %ebx, %ebx; xor %ecx, %ecx; xor %esi, %esi");
	tss_other.eip = CODE + 0x180;
	tss_other.ebx = (uint32_t)&tss, tss_other.ecx = (uint32_t)&tss_other, tss_other.esi = (uint32_t)gdt;
	RUN("task: saved by jmp", "mov $0x1234, %eax; stc; ljmp $0x40, $0; .org 7701b + 0x80; "
		"mov 32(%ebx), %eax; mov %eax, 0x20004; mov 36(%ebx), %eax; mov %eax, 0x20008; mov (%ecx), %eax; "
		"mov %eax, 0x20010; "
		"movzbl 0x1d(%esi), %eax; mov %eax, 0x20014; movzbl 0x45(%esi), %eax; mov %eax, 0x20018; pushf; pop 0x2001c; "
		"xor %ebx, %ebx; xor %ecx, %ecx; xor %esi, %esi");
	tss_other.trap = 1;
	RUN("task: T flag", "ljmp $0x40, $0");
	in.dr7 = 0x4ff;
	in.dr[0] = in.dr[1] = in.dr[2] = in.dr[3] = 0x1000;
	RUN("task: local breakpoints", "ljmp $0x40, $0");
	static const struct { const char *name; unsigned cs, ss, ds, ldt, flags; uint32_t eip; uint64_t d; } bad[] = {
		{ "null cs", 0, SEL_DATA, 0, 0, 2, CODE, 0 }, { "data cs", SEL_DATA, SEL_DATA, 0, 0, 2, CODE, 0 },
		{ "cs dpl", SEL_CODE3, SEL_DATA3, 0, 0, 2, CODE, 0 },
		{ "cs rpl 3", SEL_CODE3 | 3, SEL_DATA3 | 3, SEL_DATA3 | 3, 0, 2, CODE, 0 },
		{ "null ss", SEL_CODE, 0, 0, 0, 2, CODE, 0 }, { "ss rpl", SEL_CODE, SEL_DATA | 1, 0, 0, 2, CODE, 0 },
		{ "ss code", SEL_CODE, SEL_CODE, 0, 0, 2, CODE, 0 }, { "ss past gdt", SEL_CODE, 0xfff8, 0, 0, 2, CODE, 0 },
		{ "ds tss", SEL_CODE, SEL_DATA, SEL_TSS, 0, 2, CODE, 0 },
		{ "ds rpl", SEL_CODE, SEL_DATA, SEL_DATA | 3, 0, 2, CODE, 0 },
		{ "ldt code", SEL_CODE, SEL_DATA, 0, SEL_CODE, 2, CODE, 0 },
		{ "ldt good", SEL_CODE, SEL_DATA, 0, SEL_LDT, 2, CODE, 0 },
		{ "ldt in ldt", SEL_CODE, SEL_DATA, 0, SEL_LDT | 4, 2, CODE, 0 },
		{ "cs absent", SEL_A, SEL_DATA, 0, 0, 2, CODE, 0x00cf1b000000ffff },
		{ "ss absent", SEL_CODE, SEL_A, 0, 0, 2, CODE, 0x00cf13000000ffff },
		{ "ds absent", SEL_CODE, SEL_DATA, SEL_A, 0, 2, CODE, 0x00cf13000000ffff },
		{ "eip past limit", SEL_A, SEL_DATA, 0, 0, 2, 0x1000, 0x00409b0000000fff },
		{ "vm86", 0x1000, 0x3000, 0x2000, 0, 0x20002, 0x200, 0 },
		{ "flags", SEL_CODE, SEL_DATA, 0, 0, 0xffd0fcd7, CODE, 0 },
		{ "ldt absent", SEL_CODE, SEL_DATA, 0, SEL_A, 2, CODE, 0x0000020000000fff },
		{ "conforming cs", SEL_A | 3, SEL_DATA3 | 3, 0, 0, 2, CODE, 0x00cf9f000000ffff },
	};
	for (unsigned i = 0; i < COUNT(bad); i++) {
		print(bad[i].name);
		gdt[SEL_A / 8] = bad[i].d;
		tss_other.cs = bad[i].cs, tss_other.ss = bad[i].ss, tss_other.ds = bad[i].ds, tss_other.ldt = bad[i].ldt;
		tss_other.eflags = bad[i].flags, tss_other.eip = bad[i].eip;
		/* Handlers that don't need the new task's stack. */
		tss_other.esp0 = HANDLER_STACK, tss_other.ss0 = SEL_DATA;
		RUN(" task: new", "ljmp $0x40, $0");
	}
}

/* The TSS of 16 bits: back, SP0, SS0 to SS2, IP, flags, AX, CX, DX, BX, SP, BP, SI, DI, ES, CS, SS, DS, LDT. */
static uint16_t *
tss16(void)
{
	static const uint16_t words[22] = { 0, 0x8000, SEL_A, 0, 0, 0, 0, 0x180, 2, 0xa1, 0xa2, 0xa3, 0xa4, 0x7000,
		0xa5, 0xa6, 0xa7, SEL_DATA, SEL_B, SEL_A,
		SEL_DATA, 0 };
	uint16_t *t = hidden(0x60000);

	copy(t, words, sizeof(words));
	gdt[SEL_A / 8] = descriptor(STACK1 & ~0xffffu, 0xffff, D_DATA);
	gdt[SEL_B / 8] = descriptor(CODE, 0xffff, D_CODE);
	gdt[SEL_C / 8] = descriptor(0x60000, 0x2b, D_P | 1);
	return t;
}

static void
tasks16(void)
{
	tss16();
	RUN("task16: jmp", "ljmp $0x58, $0; .org 7701b + 0x80; .code16; ud2; .code32");
	tss16();
	RUN("task16: call and back", "mov $0x12345678, %eax; mov $0xfedcba98, %ebx; lcall $0x58, $0; mov %esp, %edi; "
		"ud2; .org 7701b + 0x80; .code16; "
		"mov %eax, %esi; pushf; pop %bx; iret; .code32");
	gdt[SEL_C / 8] = 0;
	tss16();
	gdt[SEL_C / 8] = descriptor(0x60000, 0x2a, D_P | 1);
	RUN("task16: short", "ljmp $0x58, $0");
	tss16();
	RUN("task16: from it", "mov $0x58, %eax; ltr %ax; mov $0x12345678, %eax; ljmp $0x40, $0; .org 7701b + 0x700; "
		"movzwl 0x6000e, %eax; movzwl 0x60012, %ebx; "
		"movzwl 0x60022, %ecx");
	ring3();
	tss16()[1] = 0x8004;
	in.gpr[AX] = SEL_C;
	idt[0x30] = gate(SEL_B, 0x180, 0xe6, 0);
	RUN("task16: tss of the stack", "int $0x31; int $0x30; .org 7701b + 0x80; .code16; mov %sp, %bp; .code32");
	tss16()[7] = 0xffff;
	gdt[SEL_B / 8] = descriptor(CODE, 0xfff, D_CODE);
	tss.esp0 = HANDLER_STACK;
	RUN("task16: ip past limit", "ljmp $0x58, $0");
	vm86(3);
	tss_other.eip = CODE + 0x180;
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, 0x67, D_TSS);
	idt[0x30] = gate(SEL_OTHER, 0, 0xe5, 0);
	RUN16("task: vm86 and back", "mov $0x1234, %cx; int $0x30; mov %sp, %bp; ud2; .org 7701b + 0x80; .code32; "
		"iret; .code16");
	idt[0x31] = gate(SEL_OTHER, 0, 0x85, 0);
	tss_other.eip = CODE + 0x180;
	tss_other.cr3 = (uint32_t)page_dir;
	paging();
	RUN("task: with paging", "int $0x31; ud2; .org 7701b + 0x80; mov %cr3, %eax; mov $0, %eax; iret");
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, 0x67, D_TSS | 2);
	idt[14] = gate(SEL_OTHER, 0, 0x85, 0);
	paging();
	RUN("task: page fault's gate, busy", "mov 0x800000, %eax");
	idt[14] = gate(SEL_OTHER, 0, 0x85, 0);
	paging();
	tss_other.eip = CODE + 0x180;
	RUN("task: page fault's gate", "mov 0x800000, %eax; ud2; .org 7701b + 0x80; pop %ebp; mov %cr2, %ebx");
}

void
run_tests(void)
{
	tasks16();
	real_mode();
	vm86_mode();
	tasks();
}
