/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers between segments, levels and tasks in protected mode. */
#include "prot.h"

static void
jumps(void)
{
	RUN("nothing", "nop");
	RUN("jmpf null", "ljmp $0, $0");
	RUN("jmpf rpl null", "ljmp $3, $0");
	RUN("jmpf past gdt", "ljmp $0xfff8, $0");
	RUN("jmpf data", "ljmp $0x10, $0");
	RUN("jmpf dpl3 from 0", "ljmp $0x23, $0");
	RUN("jmpf rpl3 code0", "ljmp $0x0b, $0");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, (D_FLATCODE & ~D_P));
	RUN("jmpf not present", "ljmp $0x48, $0");
	gdt[SEL_A / 8] = descriptor(0, 0xfff, D_CODE32);
	RUN("jmpf past limit", "ljmp $0x48, $0x1000");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE32);
	RUN("jmpf base", "ljmp $0x48, $0x200");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | 4);
	RUN("jmpf conforming", "ljmp $0x4b, $0x10200");
	ring3();
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | 4);
	RUN("jmpf conforming from 3", "ljmp $0x48, $0x10200");
	ring3();
	RUN("jmpf code0 from 3", "ljmp $0x08, $0x10200");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | 4 | D_DPL3);
	RUN("jmpf conforming dpl3 from 0", "ljmp $0x48, $0x10200");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE);
	RUN("jmpf 16-bit", "ljmpw $0x48, $0x200");
	RUN("jmpf ldt without", "ljmp $0x04, $0");
	ldt[1] = descriptor(0, 0xfffff, D_FLATCODE);
	RUN("jmpf ldt", "mov $0x38, %eax; lldt %ax; ljmp $0x0c, $0x10200");
	RUN("callf null", "lcall $0, $0");
	RUN("callf code", "lcall $0x08, $0x10200");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE32);
	RUN("callf 16", "lcallw $0x48, $0x200");
	gdt[SEL_A / 8] = descriptor(0, 0xfff, D_CODE32);
	RUN("callf past limit", "lcall $0x48, $0x1000");
	RUN("jmp near past limit", "mov $0x48, %eax; ljmp $0x08, $0x10107+4; nop; nop; nop; nop; nop; nop");
}

/* Near jumps to where the code segment ends, and running over its end. */
static void
limits(void)
{
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: jmp", "jmp .+0x2000");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: jcc", "xor %eax, %eax; jz .+0x2000");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: jcc not taken", "or $1, %al; jz .+0x2000");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: call", "call .+0x2000");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: jmp register", "mov $0x2000, %eax; jmp *%eax");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: call register", "mov $0x2000, %eax; call *%eax");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x100;
	RUN("limit: ret", "push $0x2000; ret");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1ff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1c0;
	RUN("limit: loop", "mov $2, %ecx; loop .+0x60");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1ff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1c0;
	RUN("limit: loop not taken", "mov $1, %ecx; loop .+0x60");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1ff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1c0;
	RUN("limit: jcxz", "xor %ecx, %ecx; jecxz .+0x60");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1ff8;
	RUN("limit: run over", "nop; nop; nop; nop; nop; nop; .byte 0x90, 0xb8, 1, 0, 0, 0; nop");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1fff, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1ff8;
	RUN("limit: run over at start", "nop; nop; nop; nop; nop; nop; nop; nop");
	gdt[SEL_A / 8] = descriptor(CODE, 0x1ffa, D_CODE32);
	in.cs = SEL_A, in.eip = 0x1ff8;
	RUN("limit: run over odd", "mov $1, %eax; nop; nop; nop; nop; nop");
}

static void
gates(void)
{
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0x8c, 0);
	RUN("gate: call same", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0x8c, 0);
	RUN("gate: jmp same", "ljmp $0x50, $0");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE);
	gdt[SEL_B / 8] = gate(SEL_A, 0x200, 0x84, 0);
	RUN("gate: call 16 same", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0x0c, 0);
	RUN("gate: not present", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(0, CODE + 0x200, 0x8c, 0);
	RUN("gate: null", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(SEL_DATA, CODE + 0x200, 0x8c, 0);
	RUN("gate: data", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(0xfff8, CODE + 0x200, 0x8c, 0);
	RUN("gate: past gdt", "lcall $0x50, $0");
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0x8c, 0);
	RUN("gate: rpl 3", "lcall $0x53, $0");
	ring3();
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0x8c, 0);
	RUN("gate: dpl 0 from 3", "lcall $0x50, $0");
	ring3();
	tss.esp0 = STACK0;
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0xec, 0);
	RUN("gate: inner", "lcall $0x50, $0");
	ring3();
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0xec, 0);
	RUN("gate: jmp inner", "ljmp $0x50, $0");
	ring3();
	tss.esp0 = STACK0;
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x100 + 0x20, 0xec, 3);
	RUN("gate: inner parameters", "push $0x33; push $0x22; push $0x11; lcall $0x50, $0; .org 7701b+0x20, 0x90; "
		"mov (%esp), %eax; mov 4(%esp), %ebx; mov 8(%esp), %ecx; mov 16(%esp), %edx; mov 20(%esp), %esi; "
		"mov 24(%esp), %edi; mov %esp, %ebp");
	ring3();
	tss.esp0 = STACK0;
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x100 + 0x20, 0xec, 3);
	RUN("gate: inner and back", "push $0x33; push $0x22; push $0x11; lcall $0x50, $0; mov %esp, %ebp; ud2; "
		".org 7701b+0x20, 0x90; "
		"lret $12");
	ring3();
	tss.esp0 = STACK0;
	gdt[SEL_B / 8] = gate(SEL_CODE, 0x120, 0xe4, 3);
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE);
	gdt[SEL_B / 8] = gate(SEL_A, 0x120, 0xe4, 3);
	RUN("gate: inner 16", "pushw $0x33; pushw $0x22; pushw $0x11; lcall $0x50, $0; .org 7701b+0x20, 0x90; .code16; "
		"mov %esp, %ebp; "
		"popl %eax; popl %ebx; popl %ecx; popl %edx; .code32");
	ring3();
	tss.ss0 = 0;
	gdt[SEL_B / 8] = gate(SEL_CODE, CODE + 0x200, 0xec, 0);
	idt[10] = gate(SEL_DOUBLE, 0, 0x85, 0);
	RUN("gate: inner null ss", "lcall $0x50, $0");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATDATA | 0x20);
	gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x20);
	ring3();
	gdt[SEL_B / 8] = gate(SEL_C, CODE + 0x200, 0xec, 0);
	tss.ss1 = 0;
	RUN("gate: to 1 null ss", "lcall $0x50, $0");
	static const struct { const char *name; uint16_t ss; uint64_t d; } stacks[] = {
		{ "rpl", SEL_A, 0x00cfb3000000ffff }, { "dpl", SEL_A | 1, 0x00cfd3000000ffff },
		{ "code", SEL_A | 1, 0x00cfbb000000ffff },
		{ "read-only", SEL_A | 1, 0x00cfb1000000ffff }, { "not present", SEL_A | 1, 0x00cf33000000ffff },
		{ "past gdt", 0xfff9, 0 }, { "limit", SEL_A | 1, 0x0040b3000000ffff }, { "good", SEL_A | 1, 0x00cfb3000000ffff },
		{ "limit too short for all", SEL_A | 1, 0x0044b30000007ff4 }, { "ldt", SEL_A | 5, 0 },
	};
	for (unsigned i = 0; i < COUNT(stacks); i++) {
		ring3();
		gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x20);
		gdt[SEL_B / 8] = gate(SEL_C, CODE + 0x200, 0xec, 0);
		tss.ss1 = stacks[i].ss;
		gdt[SEL_A / 8] = stacks[i].d;
		print(stacks[i].name);
		print(" ");
		RUN("gate: to 1", "lcall $0x50, $0");
		ring3();
		gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x20);
		idt[0x31] = gate(SEL_C, CODE + 0x200, 0xee, 0);
		tss.ss1 = stacks[i].ss;
		gdt[SEL_A / 8] = stacks[i].d;
		print(stacks[i].name);
		print(" ");
		RUN("int: to 1", "int $0x31");
		ring3();
		gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x20);
		idt[0] = gate(SEL_C, CODE + 0x200, 0x8e, 0);
		tss.ss1 = stacks[i].ss;
		gdt[SEL_A / 8] = stacks[i].d;
		print(stacks[i].name);
		print(" ");
		RUN("fault: to 1", "xor %ecx, %ecx; div %ecx");
		ring3();
		gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x20);
		idt[5] = gate(SEL_C, CODE + 0x200, 0x8e, 0);
		tss.ss1 = stacks[i].ss;
		gdt[SEL_A / 8] = stacks[i].d;
		print(stacks[i].name);
		print(" ");
		RUN("bound: to 1", "mov $0x5f, %ecx; bound %ecx, 0x20000");
	}
	ring3();
	gdt[SEL_TSS / 8] = descriptor((uint32_t)&tss, 0x67, D_TSS);
	gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATCODE | 0x40);
	gdt[SEL_B / 8] = gate(SEL_C, CODE + 0x200, 0xec, 0);
	RUN("gate: to 2 zero tss", "lcall $0x50, $0");
}

/* Faults on the way to a handler have EXT set, but those of INT n. */
static void
handlers(void)
{
	static const struct { const char *name; uint64_t gate; } gates[] = {
		{ "absent", 0x00000e0000080000 }, { "call", 0x00008c0000080000 }, { "null cs", 0x00008e0000000000 },
		{ "data cs", 0x00008e0000100000 },
		{ "past gdt", 0x00008e00fff80000 }, { "outer", 0x00008e0000200000 }, { "absent cs", 0x00008e0000480000 },
		{ "past limit", 0x00018e0000580000 },
		{ "task absent", 0x0000050000400000 }, { "task null", 0x0000850000000000 }, { "task data", 0x0000850000100000 },
		{ "task ldt", 0x0000850000440000 },
	};

	for (unsigned i = 0; i < COUNT(gates); i++)
		for (unsigned k = 0; k < 2; k++) {
			gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE & ~D_P);
			gdt[SEL_C / 8] = descriptor(0, 0xff, D_CODE32);
			idt[k ? 5 : 0x31] = gates[i].gate;
			print(gates[i].name);
			if (k)
				RUN(" handler: bound", "mov $0x5f, %ecx; bound %ecx, 0x20000");
			else
				RUN(" handler: int", "int $0x31");
		}
}

static void
returns(void)
{
	RUN("retf: same", "push $0x08; push $0x10200; lret");
	RUN("retf: same n", "push $0x55; push $0x08; push $0x10200; lret $4");
	RUN("retf: null", "push $0; push $0x10200; lret");
	RUN("retf: data", "push $0x10; push $0x10200; lret");
	RUN("retf: outer", "push $0x2b; push $0x38000; push $0x23; push $0x10200; lret");
	RUN("retf: outer n", "push $0x2b; push $0x38000; push $0x55; push $0x23; push $0x10200; lret $4; ud2");
	RUN("retf: outer null ss", "push $0; push $0x38000; push $0x23; push $0x10200; lret");
	RUN("retf: outer ss rpl", "push $0x28; push $0x38000; push $0x23; push $0x10200; lret");
	RUN("retf: outer ss dpl", "push $0x13; push $0x38000; push $0x23; push $0x10200; lret");
	RUN("retf: outer cs dpl", "push $0x2b; push $0x38000; push $0x0b; push $0x10200; lret");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE);
	RUN("retf: 16", "pushw $0x48; pushw $0x200; lretw");
	in.ds = SEL_DATA, in.es = SEL_DATA3 | 3, in.fs = SEL_CODE, in.gs = SEL_DATA3;
	RUN("retf: outer drops", "push $0x2b; push $0x38000; push $0x23; push $0x10200; lret");
	ring3();
	RUN("retf: inner", "push $0x08; push $0x10200; lret");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, (D_FLATCODE & ~D_P));
	RUN("retf: not present", "push $0x48; push $0x10200; lret");
	gdt[SEL_A / 8] = descriptor(0, 0xfff, D_CODE32);
	RUN("retf: limit", "push $0x48; push $0x10200; lret");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATDATA & ~D_P);
	RUN("retf: outer ss absent", "push $0x4b; push $0x38000; push $0x23; push $0x10200; lret");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, (D_FLATDATA | D_DPL3) & ~D_P);
	RUN("retf: outer ss absent 3", "push $0x4b; push $0x38000; push $0x23; push $0x10200; lret");
	RUN("iret: same", "push $0x46; push $0x08; push $0x10200; iret");
	RUN("iret: flags", "push $0x247fd7; push $0x08; push $0x10200; iret");
	RUN("iret: all flags", "push $0xffbcfeff; push $0x08; push $0x10200; iret");
	gdt[SEL_A / 8] = descriptor(CODE, 0xffff, D_CODE);
	RUN("iret: 16 flags", "pushw $0xbeff; pushw $0x48; pushw $0x200; iretw");
	RUN("iret: outer flags", "push $0x2b; push $0x38000; push $0x3cfed7; push $0x23; push $0x10200; iret");
	RUN("iret: null", "push $0x46; push $3; push $0x10200; iret");
	RUN("iret: limit", "push $0x46; push $0x50; push $0x10200; iret");
	RUN("iret: outer null ss", "push $3; push $0x38000; push $0x2; push $0x23; push $0x10200; iret");
	ring3();
	RUN("iret: 3 flags", "push $0x3cfed7; push $0x23; push $0x10200; iret");
	ring3();
	in.eflags |= 0x3000;
	RUN("iret: 3 iopl 3 flags", "push $0x3ccfd7; push $0x23; push $0x10200; iret");
	ring3();
	in.eflags |= 0x3000;
	RUN("iret: 3 iopl 3 IF", "push $0x002200; push $0x23; push $0x10200; iret");
	ring3();
	RUN("iret: 3 to vm", "push $0x20002; push $0x23; push $0x10200; iret");
	RUN("iret: to vm", "push $0x1111; push $0x2222; push $0x3333; push $0x4444; push $0x3000; push $0x12348000; "
		"push $0x23202; push $0x1000; "
		"push $0x200; iret");
	RUN("iret: to vm eip", "push $0x1111; push $0x2222; push $0x3333; push $0x4444; push $0x3000; push $0x8000; "
		"push $0x20002; push $0x1000; "
		"push $0x10200; iret");
	in.ds = SEL_DATA, in.es = SEL_DATA3 | 3, in.fs = SEL_CODE, in.gs = SEL_DATA3;
	RUN("iret: outer drops", "push $0x2b; push $0x38000; push $2; push $0x23; push $0x10200; iret");
	in.ds = 1, in.es = 2, in.fs = 3;
	RUN("iret: outer null rpl", "push $0x2b; push $0x38000; push $2; push $0x23; push $0x10200; iret");
	in.ds = 1, in.es = 2, in.fs = 3;
	RUN("retf: outer null rpl", "push $0x2b; push $0x38000; push $0x23; push $0x10200; lret");
	in.ds = 1, in.es = 2, in.fs = 3;
	RUN("iret: same null rpl", "push $2; push $0x08; push $0x10200; iret");
	in.eflags |= 0x4000;
	RUN("iret: NT null", "iret");
	in.eflags |= 0x4000;
	tss.back = SEL_OTHER;
	RUN("iret: NT not busy", "iret");
	in.eflags |= 0x4000;
	tss.back = SEL_OTHER;
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, 0x67, D_TSS | 2);
	RUN("iret: NT", "iret");
}

void
run_tests(void)
{
	jumps();
	limits();
	gates();
	handlers();
	returns();
}
