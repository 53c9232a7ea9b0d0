/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transfers, segments and system calls in 64-bit and compatibility mode. */
#include "long.h"

static void
system_calls(void)
{
	RUN("nothing", "nop");
	RUN("syscall 0", "stc; std; syscall");
	ring3();
	in.rflags |= 0xad5;
	RUN("syscall 3", "syscall");
	ring3();
	in.fmask = 0;
	RUN("syscall no mask", "std; syscall");
	ring3();
	in.rflags |= 0x100;
	RUN("syscall tf masked", "syscall");
	ring3();
	in.rflags |= 0x100, in.fmask = 0;
	RUN("syscall tf", "syscall");
	ring3();
	in.efer = 0xd00;
	RUN("syscall no sce", "syscall");
	compat3();
	RUN32("syscall compat", "syscall");
	RUN("sysret no sce", "mov $0xc0000080, %ecx; rdmsr; and $~1, %eax; wrmsr; sysretq");
	in.gpr[CX] = CODE + 0x200, in.gpr[R11] = 0x3d7fff;
	RUN("sysretq", "sysretq");
	in.gpr[CX] = CODE + 0x200, in.gpr[R11] = 0x202;
	RUN("sysretl", "sysretl");
	ring3();
	RUN("sysretq 3", "sysretq");
	in.gpr[R11] = 0x102, in.gpr[CX] = CODE + 0x200;
	RUN("sysretq tf", "sysretq");
	wrmsr(0x174, SEL_CODE);
	RUN("sysenter", "sysenter");
	RUN("sysexit", "rex.w sysexit");
	compat3();
	RUN32("sysenter compat", "sysenter");
	compat0();
	RUN32("sysexit compat", "sysexit");
	wrmsr(0x174, 0);
	RUN("swapgs", "swapgs");
	ring3();
	RUN("swapgs 3", "swapgs");
	compat0();
	RUN32("swapgs compat", ".byte 0x0f, 0x01, 0xf8");
	RUN("int", "int $0x30");
	ring3();
	RUN("int 3", "int $0x30");
	ring3();
	RUN("int 3 dpl 0", "int $0x31");
	RUN("misaligned stack", "sub $5, %rsp; int $0x30");
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xee, 3);
	tss.ist[2] = STACK1 - 3;
	RUN("ist", "int $0x30");
	ring3();
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xee, 3);
	tss.ist[2] = STACK1 - 3;
	RUN("ist 3", "int $0x30");
	ring3();
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xee, 3);
	tss.ist[2] = 1ull << 47;
	RUN("ist not canonical", "int $0x30");
	ring3();
	tss.rsp[0] = 1ull << 47;
	set_gate(12, SEL_CODE, CODE + 0x200, 0x8e, 2);
	RUN("rsp0 not canonical", "int $0x30");
	ring3();
	gdt[SEL_TSS / 8] = descriptor((uint32_t)(uint64_t)&tss, 0x67, D_TSS);
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xee, 7);
	tss.ist[6] = 0x68000;
	RUN("ist 7", "int $0x30");
	set_gate(0x30, SEL_CODE, 1ull << 47, 0xee, 0);
	RUN("gate not canonical", "int $0x30");
	set_gate(0x30, SEL_CODE32, CODE + 0x200, 0xee, 0);
	RUN("gate to compat", "int $0x30");
	set_gate(0x30, SEL_DATA, CODE + 0x200, 0xee, 0);
	RUN("gate to data", "int $0x30");
	set_gate(0x30, 0, CODE + 0x200, 0xee, 0);
	RUN("gate to null", "int $0x30");
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0x6e, 0);
	RUN("gate absent", "int $0x30");
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xe5, 0);
	RUN("task gate", "int $0x30");
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xe6, 0);
	RUN("16-bit gate", "int $0x30");
	set_gate(0x30, SEL_CODE, CODE + 0x200, 0xef, 0);
	in.rflags |= 0x200;
	RUN("trap gate", "int $0x30");
	set_gate(0x30, SEL_CODE3, CODE + 0x200, 0xee, 0);
	RUN("gate to outer", "int $0x30");
	idt_limit = 0x30 * 16 + 14;
	RUN("past idt", "int $0x30");
	compat3();
	RUN32("int compat", "int $0x30");
	compat3();
	in.rflags |= 0x800;
	RUN32("into compat", "into");
	compat0();
	RUN32("int compat 0", "int $0x30");
}

/* Faults on the way to a handler have EXT set, but those of INT n. */
static void
handlers(void)
{
	static const struct { const char *name; uint16_t selector; uint64_t offset; unsigned type, ist; } gates[] = {
		{ "absent", SEL_CODE, CODE, 0x6e, 0 }, { "call", SEL_CODE, CODE, 0xec, 0 }, { "null", 0, CODE, 0xee, 0 },
		{ "data", SEL_DATA, CODE, 0xee, 0 },
		{ "compat", SEL_CODE32, CODE, 0xee, 0 }, { "past gdt", 0xfff8, CODE, 0xee, 0 },
		{ "not canonical", SEL_CODE, 1ull << 47, 0xee, 0 },
		{ "absent cs", SEL_A, CODE, 0xee, 0 }, { "stack not canonical", SEL_CODE, CODE, 0xee, 3 },
		{ "stack not there", SEL_CODE, CODE, 0xee, 4 },
	};

	for (unsigned i = 0; i < COUNT(gates); i++)
		for (unsigned k = 0; k < 4; k++) {
			if (k & 2)
				ring3();
			gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_CODE64 & ~D_P);
			gdt[SEL_TSS / 8] = descriptor((uint32_t)(uint64_t)&tss, 0x40, D_TSS);
			tss.ist[2] = 1ull << 47;
			set_gate(k & 1 ? 6 : 0x30, gates[i].selector, gates[i].offset, gates[i].type, gates[i].ist);
			print(gates[i].name);
			if (k & 1)
				RUN(" handler: fault", "ud2");
			else
				RUN(" handler: int", "int $0x30");
		}
}

static void
returns(void)
{
	static const struct { const char *name; uint64_t rip, cs, flags, rsp, ss; } frames[] = {
		{ "same", CODE + 0x200, SEL_CODE, 2, STACK1, SEL_DATA }, { "null ss", CODE + 0x200, SEL_CODE, 2, STACK1, 0 },
		{ "null ss rpl 3", CODE + 0x200, SEL_CODE, 2, STACK1, 3 },
		{ "outer", CODE + 0x200, SEL_CODE3 | 3, 2, STACK3, SEL_DATA3 | 3 },
		{ "outer null ss", CODE + 0x200, SEL_CODE3 | 3, 2, STACK3, 3 },
		{ "compat", CODE + 0x200, SEL_CODE32_3 | 3, 2, STACK3, SEL_DATA3 | 3 },
		{ "compat null ss", CODE + 0x200, SEL_CODE32, 2, STACK1, 0 },
		{ "compat 0", CODE + 0x200, SEL_CODE32, 2, STACK1, SEL_DATA },
		{ "not canonical", 1ull << 47, SEL_CODE, 2, STACK1, SEL_DATA },
		{ "not canonical outer", 1ull << 47, SEL_CODE3 | 3, 2, STACK3, SEL_DATA3 | 3 },
		{ "compat past limit", 1ull << 32 | CODE, SEL_CODE32_3 | 3, 2, STACK3, SEL_DATA3 | 3 },
		{ "high", ~0xffffull, SEL_CODE, 2, STACK1, SEL_DATA },
		{ "rsp not canonical", CODE + 0x200, SEL_CODE3 | 3, 2, 1ull << 47, SEL_DATA3 | 3 },
		{ "null cs", CODE + 0x200, 0, 2, STACK1, SEL_DATA },
		{ "data cs", CODE + 0x200, SEL_DATA, 2, STACK1, SEL_DATA },
		{ "ss dpl", CODE + 0x200, SEL_CODE, 2, STACK1, SEL_DATA3 },
		{ "ss rpl", CODE + 0x200, SEL_CODE, 2, STACK1, SEL_DATA | 3 },
		{ "cs rpl", CODE + 0x200, SEL_CODE | 3, 2, STACK3, SEL_DATA3 | 3 },
		{ "flags", CODE + 0x200, SEL_CODE, 0xffffffffffd40cd7, STACK1, SEL_DATA },
		{ "vm", CODE + 0x200, SEL_CODE, 0x20002, STACK1, SEL_DATA },
		{ "past gdt", CODE + 0x200, 0xfff8, 2, STACK1, SEL_DATA },
		{ "ss past gdt", CODE + 0x200, SEL_CODE, 2, STACK1, 0xfff8 },
		{ "l and d", CODE + 0x200, SEL_A, 2, STACK1, SEL_DATA }, { "absent", CODE + 0x200, SEL_B, 2, STACK1, SEL_DATA },
		{ "ss absent", CODE + 0x200, SEL_CODE, 2, STACK1, SEL_C },
		{ "conforming", CODE + 0x200, SEL_D | 3, 2, STACK3, SEL_DATA3 | 3 },
	};

	for (unsigned i = 0; i < COUNT(frames); i++)
		for (unsigned k = 0; k < 3; k++) {
			gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | D_L);
			gdt[SEL_B / 8] = descriptor(0, 0xfffff, D_CODE64 & ~D_P);
			gdt[SEL_C / 8] = descriptor(0, 0xfffff, D_FLATDATA & ~D_P);
			gdt[SEL_D / 8] = descriptor(0, 0xfffff, D_CODE64 | 4);
			in.gpr[AX] = frames[i].rip, in.gpr[BX] = frames[i].cs, in.gpr[CX] = frames[i].flags;
			in.gpr[DX] = frames[i].rsp, in.gpr[SI] = frames[i].ss;
			in.fs = SEL_DATA, in.gs = SEL_DATA3 | 3;
			print(frames[i].name);
			switch (k) {
			case 0:
				RUN(" iretq", "push %rsi; push %rdx; push %rcx; push %rbx; push %rax; iretq");
				break;
			case 1:
				RUN(" lretq", "push %rsi; push %rdx; push %rbx; push %rax; lretq");
				break;
			case 2:
				RUN(" iretl", "sub $20, %rsp; mov %eax, (%rsp); mov %ebx, 4(%rsp); mov %ecx, 8(%rsp); mov %edx, 12(%rsp); "
					"mov %esi, 16(%rsp); iretl");
			}
		}
	in.fs = 1, in.gs = 2;
	RUN("null rpl: outer iretq", "push $0x33; push $0x38000; push $2; push $0x3b; push $0x10200; iretq");
	in.fs = 1, in.gs = 2;
	RUN("null rpl: outer lretq", "push $0x33; push $0x38000; push $0x3b; push $0x10200; lretq");
	in.fs = 1, in.gs = 2;
	RUN("null rpl: same iretq", "push $0x10; push $0x38000; push $2; push $0x08; push $0x10200; iretq");
	in.rflags |= 0x4000;
	RUN("nt iretq", "iretq");
	compat0();
	in.rflags |= 0x4000;
	RUN32("nt iret compat", "iret");
	compat0();
	RUN32("compat iret same", "push $2; push $0x40; push $0x10200; iret");
	compat0();
	RUN32("compat iret to 64", "push $2; push $0x08; push $0x10200; iret");
	compat0();
	RUN32("compat iret vm", "push $0x20002; push $0x40; push $0x10200; iret");
	compat0();
	RUN32("compat lret outer", "push $0x33; push $0x38000; push $0x2b; push $0x10200; lret");
	compat3();
	RUN32("compat3 lret to 64", "push $0x3b; push $0x10200; lret");
	RUN("lretl", "sub $8, %rsp; movl $0x10200, (%rsp); movl $0x40, 4(%rsp); lretl");
}

static void
jumps(void)
{
	compat3();
	RUN32("compat jmp to 64", "ljmp $0x3b, $0x10200");
	compat0();
	RUN32("compat call to 64", "lcall $0x08, $0x10200");
	RUN("jmp m16:64", "movq $0x10200, 0x20000; movw $0x40, 0x20008; .byte 0x48; ljmp *0x20000");
	RUN("jmp m16:32", "movl $0x10200, 0x20000; movw $0x40, 0x20004; ljmp *0x20000");
	RUN("jmp not canonical", "movb $0x80, 0x20005; movw $8, 0x20008; .byte 0x48; ljmp *0x20000");
	RUN("call m16:64", "movq $0x10200, 0x20000; movw $8, 0x20008; .byte 0x48; lcall *0x20000");
	RUN("call m16:32", "movl $0x10200, 0x20000; movw $8, 0x20004; lcall *0x20000");
	gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATCODE | D_L);
	RUN("jmp l and d", "movl $0x10200, 0x20000; movw $0x50, 0x20004; ljmp *0x20000");
	RUN("jmp tss", "movl $0x10200, 0x20000; movw $0x18, 0x20004; ljmp *0x20000");
	RUN("near jmp not canonical", "movabs $0x800000000000, %rax; jmp *%rax");
	RUN("near call not canonical", "movabs $0x800000000000, %rax; call *%rax");
	RUN("near ret not canonical", "movabs $0x800000000000, %rax; push %rax; ret");
	RUN("ljmp imm", ".byte 0xea, 0, 0, 0, 0, 8, 0");
	RUN("lcall imm", ".byte 0x9a, 0, 0, 0, 0, 8, 0");
	static const struct { const char *name; uint16_t target; uint64_t offset; unsigned type; uint64_t high; } gates[] = {
		{ "good", SEL_CODE, CODE + 0x200, 0xec, 0 }, { "dpl 0", SEL_CODE, CODE + 0x200, 0x8c, 0 },
		{ "absent", SEL_CODE, CODE + 0x200, 0x6c, 0 },
		{ "compat", SEL_CODE32, CODE + 0x200, 0xec, 0 }, { "null", 0, CODE + 0x200, 0xec, 0 },
		{ "data", SEL_DATA, CODE + 0x200, 0xec, 0 },
		{ "to 3", SEL_CODE3, CODE + 0x200, 0xec, 0 }, { "not canonical", SEL_CODE, 1ull << 47, 0xec, 0 },
		{ "16-bit", SEL_CODE, CODE + 0x200, 0xe4, 0 }, { "task", SEL_CODE, CODE + 0x200, 0xe5, 0 },
		{ "high type", SEL_CODE, CODE + 0x200, 0xec, 1ull << 40 },
		{ "high", SEL_CODE, ~0xffffull, 0xec, 0 },
	};
	for (unsigned i = 0; i < COUNT(gates); i++)
		for (unsigned k = 0; k < 4; k++) {
			if (k & 2)
				ring3();
			call_gate(SEL_A, gates[i].target, gates[i].offset, gates[i].type);
			gdt[SEL_A / 8 + 1] |= gates[i].high;
			print(gates[i].name);
			print(k & 2 ? " 3" : " 0");
			if (k & 1)
				RUN(" gate call", "movw $0x50, 0x20004; lcall *0x20000");
			else
				RUN(" gate jmp", "movw $0x50, 0x20004; ljmp *0x20000");
		}
	gdt_limit = SEL_A + 14;
	call_gate(SEL_A, SEL_CODE, CODE + 0x200, 0xec);
	RUN("gate past gdt", "movw $0x50, 0x20004; lcall *0x20000");
	compat3();
	call_gate(SEL_A, SEL_CODE, CODE + 0x200, 0xec);
	RUN32("compat gate call", "lcall $0x50, $0");
	ring3();
	tss.rsp[0] = 1ull << 47;
	set_gate(12, SEL_CODE, CODE + 0x300, 0x8e, 2);
	call_gate(SEL_A, SEL_CODE, CODE + 0x200, 0xec);
	RUN("gate call rsp0 not canonical", "movw $0x50, 0x20004; lcall *0x20000");
	ring3();
	call_gate(SEL_A, SEL_CODE, CODE + 0x120, 0xec);
	RUN("gate call and back", "movw $0x50, 0x20004; lcall *0x20000; ud2; .org 7701b + 0x20, 0x90; lretq");
}

static void
segments(void)
{
	RUN("mov ss null", "xor %eax, %eax; mov %eax, %ss; push %rax; pop %rbx; mov %ss, %ecx");
	RUN("mov ss null 3", "mov $3, %eax; mov %eax, %ss");
	ring3();
	RUN("3 mov ss null", "mov $3, %eax; mov %eax, %ss");
	RUN("mov fs null", "xor %eax, %eax; mov %eax, %fs; mov %eax, %gs");
	in.fs = in.gs = SEL_DATA;
	RUN("mov fs", "mov $0x33, %eax; mov %eax, %fs; mov %eax, %gs; mov %eax, %ds");
	RUN("mov ds bad", "mov $0xfff8, %eax; mov %eax, %ds");
	compat3();
	RUN32("compat null read", "xor %eax, %eax; mov %eax, %ds; mov %ds:0x20000, %eax");
	RUN("fs not canonical", "movabs $0x400000000000, %rax; mov %fs:(%rax, %rax), %eax");
	RUN("read not canonical", "movabs $0x800000000000, %rax; mov (%rax), %eax");
	RUN("read over not canonical", "movabs $0x800000000000, %rax; mov -2(%rax), %eax");
	RUN("stack not canonical", "movabs $0x800000000000, %rax; mov (%rsp, %rax), %eax");
	RUN("bp not canonical", "movabs $0x800000000000, %rbp; mov (%rbp), %eax");
	RUN("push not canonical", "movabs $0x800000000000, %rsp; push %rax");
	compat3();
	RUN32("compat wraps", "mov $0xfffffff0, %eax; mov 0x20010(%eax), %ebx");
	RUN("addr32", "mov $0xfffffff0, %eax; mov 0x20010(%eax), %ebx");
	for (unsigned i = 0; i < 16; i++) {
		gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_P | i);
		gdt[SEL_A / 8 + 1] = 0;
		print_field("type", i);
		RUN(" lar, lsl", "mov $0x50, %edx; .byte 0x48, 0x0f, 0x02, 0xc2; setz %bl; .byte 0x48, 0x0f, 0x03, 0xca; setz %bh");
		gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_P | i);
		gdt[SEL_A / 8 + 1] = 0;
		print_field("type", i);
		RUN(" lldt", "mov $0x50, %edx; lldt %dx");
		gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_P | i);
		gdt[SEL_A / 8 + 1] = 0;
		print_field("type", i);
		RUN(" ltr", "mov $0x50, %edx; ltr %dx");
	}
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_LDT);
	gdt[SEL_A / 8 + 1] = 0x8000;
	RUN("lldt not canonical", "mov $0x50, %edx; lldt %dx");
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_TSS);
	gdt[SEL_A / 8 + 1] = 0x8000;
	RUN("ltr not canonical", "mov $0x50, %edx; ltr %dx");
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_LDT);
	gdt_limit = SEL_A + 14;
	RUN("lldt past gdt", "mov $0x50, %edx; lldt %dx");
	RUN("lgdt not canonical", "movb $0x80, 0x20007; lgdt 0x20000");
	RUN("lidt not canonical", "movb $0x80, 0x20007; lidt 0x20000");
	RUN("arpl is movsxd", "mov $-5, %eax; .byte 0x48, 0x63, 0xd8");
	static const uint8_t invalid[] = { 0x06, 0x07, 0x0e, 0x16, 0x17, 0x1e, 0x1f, 0x27, 0x2f, 0x37, 0x3f, 0x60,
		0x61, 0x62, 0x82, 0x9a, 0xc4, 0xce, 0xd4, 0xd5, 0xd6, 0xea };
	for (unsigned i = 0; i < sizeof(invalid); i++) {
		uint8_t code[8] = { invalid[i], 0xc0, 0x0f, 0x0b };

		print_field("invalid", invalid[i]);
		run_snippet("", code, 8);
	}
}

static const struct { const char *name; uint32_t msr; uint64_t value; } msrs[] = {
	{ "lstar", 0xc0000082, 1ull << 47 }, { "cstar", 0xc0000083, 1ull << 47 }, { "fs base", 0xc0000100, 1ull << 47 },
	{ "gs base", 0xc0000101, 1ull << 63 }, { "kernel gs base", 0xc0000102, 1ull << 47 },
	{ "sysenter esp", 0x175, 1ull << 47 },
	{ "sysenter eip", 0x176, 1ull << 47 }, { "fs base high", 0xc0000100, ~0ull << 47 },
	{ "efer lme off", 0xc0000080, 0x801 },
	{ "efer reserved", 0xc0000080, 0x10000d01 }, { "efer lma off", 0xc0000080, 0x901 },
	{ "pat", 0x277, 0x0007040600070402 },
	{ "pat 7", 0x277, 0x0007040600070408 }, { "apic base", 0x1b, 0xfee00900ull | 1ull << 60 },
	{ "fmask", 0xc0000084, 1ull << 32 },
	{ "mtrr def", 0x2ff, 0x1000 }, { "mtrr type", 0x2ff, 2 }, { "mtrrcap", 0xfe, 0 },
};

static void
registers(void)
{
	for (unsigned i = 0; i < COUNT(msrs); i++) {
		in.gpr[CX] = msrs[i].msr, in.gpr[AX] = (uint32_t)msrs[i].value, in.gpr[DX] = msrs[i].value >> 32;
		print("msr ");
		print(msrs[i].name);
		RUN("", "mov %rax, %rbx; mov %rdx, %rbp; rdmsr; mov %eax, %esi; mov %edx, %edi; mov %ebx, %eax; "
			"mov %ebp, %edx; wrmsr; "
			"mov %esi, %eax; mov %edi, %edx; wrmsr; xor %esi, %esi; xor %edi, %edi; xor %eax, %eax; xor %edx, %edx");
	}
	RUN("cr0 pg off in 64", "mov %cr0, %rax; btr $31, %rax; mov %rax, %cr0");
	RUN("cr0 pe off", "mov %cr0, %rax; and $~1, %rax; mov %rax, %cr0");
	RUN("cr0 high", "mov %cr0, %rax; bts $32, %rax; mov %rax, %cr0");
	RUN("cr4 pae off", "mov %cr4, %rax; and $~0x20, %rax; mov %rax, %cr4");
	RUN("cr4 high", "mov %cr4, %rax; bts $32, %rax; mov %rax, %cr4");
	RUN("cr3 high", "mov $0x60000, %eax; bts $52, %rax; mov %rax, %cr3");
	RUN("cr3 63 without pcid", "mov $0x60000, %eax; bts $63, %rax; mov %rax, %cr3");
	RUN("cr8", "mov $5, %eax; mov %rax, %cr8; mov %cr8, %rbx; xor %eax, %eax; mov %rax, %cr8");
	RUN("cr8 reserved", "mov $16, %eax; mov %rax, %cr8");
	RUN("cr2", "movabs $0x8000000000000000, %rax; mov %rax, %cr2; mov %cr2, %rbx");
	RUN("cr9", ".byte 0x44, 0x0f, 0x20, 0xc8");
	RUN("dr7 high", "movabs $0x100000000, %rax; mov %rax, %dr7");
	RUN("dr6 high", "movabs $0x100000000, %rax; mov %rax, %dr6");
	RUN("dr0", "movabs $0x800000000000, %rax; mov %rax, %dr0; mov %dr0, %rbx");
	RUN("pcid", "mov %cr4, %rax; bts $17, %rax; mov %rax, %cr4; mov %cr3, %rbx; mov %rbx, %rcx; bts $63, %rcx; "
		"or $5, %rcx; mov %rcx, %cr3; mov %cr3, %rdx; "
		"sub %rbx, %rdx; mov %rbx, %cr3; xor %ebx, %ebx; xor %ecx, %ecx");
	RUN("pcid on with low bits", "mov %cr3, %rcx; or $8, %rcx; mov %rcx, %cr3; xor %ecx, %ecx; mov %cr4, %rax; "
		"bts $17, %rax; mov %rax, %cr4");
	RUN("invpcid 4", "mov $4, %eax; invpcid 0x20000, %rax");
	RUN("invpcid 0", "movb $0x80, 0x2000d; mov $0, %eax; invpcid 0x20000, %rax");
	RUN("invpcid reserved", "movb $0x80, 0x20002; mov $1, %eax; invpcid 0x20000, %rax");
	RUN("invpcid without pcid", "movb $1, 0x20000; mov $1, %eax; invpcid 0x20000, %rax");
	RUN("invpcid 2", "mov $2, %eax; invpcid 0x20000, %rax; mov $3, %eax; invpcid 0x20000, %rax");
	RUN("invlpg not canonical", "movabs $0x800000000000, %rax; invlpg (%rax)");
	compat0();
	RUN32("leaving long mode and back", "mov %cr0, %eax; btr $31, %eax; mov %eax, %cr0; mov $0xc0000080, %ecx; "
		"rdmsr; mov %eax, %ebx; mov %cr0, %eax; "
		"bts $31, %eax; mov %eax, %cr0; rdmsr; mov %eax, %ecx");
	compat0();
	RUN32("lme off and on", "mov %cr0, %eax; btr $31, %eax; mov %eax, %cr0; mov $0xc0000080, %ecx; rdmsr; "
		"btr $8, %eax; wrmsr; rdmsr; mov %eax, %ebx; bts $8, %eax; "
		"wrmsr; mov %cr0, %eax; bts $31, %eax; mov %eax, %cr0; ljmp $0x08, $0x10200");
	in.cr4 |= 0x800, ring3();
	RUN("umip sgdt", "sgdt 0x20000");
	in.cr4 |= 0x10000;
	RUN("fsgsbase", "movabs $0x800000000000, %rax; rdfsbase %rbx; wrfsbase %rax");
	RUN("fsgsbase off", "rdfsbase %rbx");
	in.cr4 |= 0x10000;
	RUN("wrgsbase 32", "mov $-1, %rax; wrgsbase %eax");
	in.cr4 |= 0x40000;
	RUN("xsetbv 0", "xor %ecx, %ecx; xor %edx, %edx; xor %eax, %eax; xsetbv");
	in.cr4 |= 0x40000;
	RUN("xsetbv avx alone", "xor %ecx, %ecx; xor %edx, %edx; mov $5, %eax; xsetbv");
	in.cr4 |= 0x40000;
	RUN("xsetbv high", "xor %ecx, %ecx; mov $1, %edx; mov $1, %eax; xsetbv");
	in.cr4 |= 0x40000;
	RUN("xsetbv 1", "mov $1, %ecx; xor %edx, %edx; mov $1, %eax; xsetbv");
	in.cr4 |= 0x40000, ring3();
	RUN("xsetbv 3", "xor %ecx, %ecx; xor %edx, %edx; mov $1, %eax; xsetbv");
	in.cr4 |= 0x40200;
	RUN("xsave misaligned", "xor %edx, %edx; mov $1, %eax; xsave 0x20208");
	in.cr4 |= 0x40200;
	RUN("xrstor header", "xor %edx, %edx; mov $1, %eax; movl $1, 0x20408; xrstor 0x20200");
	in.cr4 |= 0x40200;
	RUN("xrstor reserved", "xor %edx, %edx; mov $1, %eax; movl $1, 0x20407; xrstor 0x20200");
	in.cr4 |= 0x200;
	RUN("fxsave misaligned", "fxsave 0x20208");
	in.cr4 |= 0x200;
	RUN("fxrstor mxcsr", "fxsave 0x20200; movl $0xffff0000, 0x20218; fxrstor 0x20200");
	in.cr4 |= 0x200;
	RUN("movaps misaligned", "movaps 0x20208, %xmm0");
	in.cr4 |= 0x200, ring3(), in.cr0 |= 0x40000, in.rflags |= 0x40000;
	RUN("movups ac", "movups 0x20208, %xmm0; mov 0x20001, %al; mov 0x20001, %rax");
	RUN("cmpxchg16b misaligned", "cmpxchg16b 0x20008");
	RUN("tf: syscall", "push $0x102; popf; syscall");
	in.dr0 = DATA + 0x84, in.dr7 = 0x90401;
	RUN("breakpoint of 8", "movq $1, 0x20080; movq $0, 0x20080; nop");
	in.dr0 = DATA + 0x80, in.dr7 = 0x90401;
	RUN("breakpoint of 8, last", "movb $0, 0x20087; nop");
}

/* Data breakpoints on stacks: of IRET's frames, and of those that events push, which trap before the handler's first instruction. */
static void
breakpoints(void)
{
	for (unsigned k = 0; k < 5; k++) {
		in.dr0 = DATA + 0x80 + 8 * k, in.dr7 = 0xb0402;
		RUN("bp: iretq", "push $0x10; push $0x48000; push $2; push $8; push $0x10180; mov %rsp, %rsi; "
			"mov $0x20080, %edi; mov $5, %ecx; mov %rdi, %rsp; mov %dr7, %rax; mov $0x400, %edx; mov %rdx, %dr7; rep movsq; mov %rax, %dr7; "
			"iretq; .org 7701b + 0x80; nop");
	}
	in.dr0 = STACK0 - 0x28, in.dr7 = 0x90402;
	RUN("bp: iretq, no write", "push $0x10; push $0x48000; push $2; push $8; mov $0x400, %ebx; mov %rbx, %dr7; push $0x10180; "
		"mov $0x90402, %ebx; mov %rbx, %dr7; iretq; .org 7701b + 0x80; nop");
	in.dr0 = STACK0 - 0x10, in.dr7 = 0xf0402;
	RUN("bp: iretl", "mov $0x400, %ebx; mov %rbx, %dr7; sub $0x14, %rsp; movl $0x10180, (%rsp); movl $8, 4(%rsp); "
		"movl $2, 8(%rsp); movl $0x48000, 12(%rsp); movl $0x10, 16(%rsp); mov $0xf0402, %ebx; mov %rbx, %dr7; iretl; .org 7701b + 0x80; nop");
	in.dr0 = STACK0 - 8, in.dr7 = 0xb0402;
	RUN("bp: iretq to level 3", "mov $0x400, %ebx; mov %rbx, %dr7; push $0x33; push $0x38000; push $2; push $0x3b; push $0x10180; "
		"mov $0xb0402, %ebx; mov %rbx, %dr7; iretq; .org 7701b + 0x80; nop");
#define HANDLER "; ud2; .org 7701b + 0x80; inc %ebx"
	for (unsigned k = 0; k < 5; k++) {
		set_gate(0x30, SEL_CODE, CODE + 0x180, 0xee, 0), in.dr0 = STACK0 - 8 * (k + 1), in.dr7 = 0x90402;
		RUN("bp: int", "int $0x30" HANDLER);
	}
	set_gate(13, SEL_CODE, CODE + 0x180, 0x8e, 0), in.dr0 = STACK0 - 0x30, in.dr7 = 0xb0402;
	RUN("bp: error code", "mov $0xfff8, %eax; mov %eax, %es" HANDLER);
	set_gate(0x30, SEL_CODE, CODE + 0x180, 0xee, 0), in.dr0 = HANDLER_STACK - 8, in.dr7 = 0x90402, ring3();
	RUN("bp: int from level 3", "int $0x30" HANDLER);
	set_gate(0x30, SEL_CODE, CODE + 0x180, 0xee, 2), in.dr0 = IST_STACK - 0x18, in.dr7 = 0x90402, ring3();
	RUN("bp: int, other stack", "int $0x30" HANDLER);
	set_gate(14, SEL_CODE, CODE + 0x180, 0x8e, 0), in.dr0 = HANDLER_STACK - 0x28, in.dr7 = 0x90402, ring3();
	RUN("bp: page fault", "mov 0x400000, %eax" HANDLER);
	set_gate(0x30, SEL_CODE, CODE + 0x180, 0xee, 0), in.dr0 = (uint64_t)&idt[0x60], in.dr7 = 0xb0402;
	RUN("bp: no gate", "int $0x30" HANDLER);
	set_gate(0x30, SEL_CODE, CODE + 0x180, 0xee, 0), in.dr0 = (uint64_t)&gdt[SEL_CODE / 8], in.dr7 = 0xb0402;
	RUN("bp: no descriptor", "int $0x30" HANDLER);
#undef HANDLER
}

void
run_tests(void)
{
	system_calls();
	handlers();
	returns();
	jumps();
	segments();
	registers();
	breakpoints();
}
