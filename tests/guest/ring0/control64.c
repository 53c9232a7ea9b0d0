/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Each bit of control and debug registers and of MSRs: which of them may be changed, one by one, and what reads back.  The handler of
 * #GP notes in R15 that a write was refused, and goes on behind the instruction.
 */
#include "long.h"

/*
 * R8: the value that is kept; where it can't be read, R12 stays 1.  For each bit: R15 gets those that are refused, R14 those that don't read back as they were written.
 * The handler is at 7701b + 180h; R13 is the address behind the instruction.
 */
#define EACH_BIT(read, write) \
	"lea 6f(%rip), %r13; xor %ebp, %ebp; mov $1, %r12d; mov %r12, %r15; " read "mov %rax, %r8; xor %r15d, %r15d; xor %r14d, %r14d; mov $1, %r12d; " \
	"1: mov %r8, %rax; xor %r12, %rax; mov %rax, %r11; lea 2f(%rip), %r13; xor %ebp, %ebp; " write \
	"2: test %ebp, %ebp; jnz 3f; " read "xor %r11, %rax; jz 3f; or %r12, %r14; " \
	"3: mov %r8, %rax; lea 4f(%rip), %r13; " write \
	"4: shl %r12; jnz 1b; 6: xor %eax, %eax; xor %r13d, %r13d; xor %r11d, %r11d; xor %ebp, %ebp; ud2; " \
	".org 7701b + 0x180; test %ebp, %ebp; jnz 5f; or %r12, %r15; 5: mov $1, %ebp; mov %r13, 8(%rsp); add $8, %rsp; iretq"

#define FROM_MSR "rdmsr; shl $32, %rdx; or %rdx, %rax; "
#define TO_MSR "mov %rax, %rdx; shr $32, %rdx; wrmsr; "

/* Nothing is a user's, for SMEP and SMAP. */
static void
start(void)
{
	ring0();
	set_gate(13, SEL_CODE, CODE + 0x280, 0x8e, 0);
	in.gpr[DX] = 0;
}

static void
controls(void)
{
	start();
	RUN("cr0", EACH_BIT("mov %cr0, %rax; ", "mov %rax, %cr0; "));
	start();
	RUN("cr2", EACH_BIT("mov %cr2, %rax; ", "mov %rax, %cr2; "));
	start();
	in.cr4 |= 0x80;
	/* Only what doesn't lead anywhere else. */
	RUN("cr3, bits 63-40 and 11-0", "mov %cr3, %r8; xor %r15d, %r15d; mov $1, %r12d; 1: mov %r8, %rax; xor %r12, %rax; "
		"lea 2f(%rip), %r13; mov $0xfff, %ebx; mov $0xffffff0000000000, %rdx; or %rdx, %rbx; "
		"test %r12, %rbx; jz 2f; mov %rax, %cr3; 2: mov %r8, %cr3; shl %r12; jnz 1b; mov %r8, %cr3; xor %r13d, %r13d; xor %ebx, %ebx; "
		"xor %r8d, %r8d; xor %eax, %eax; xor %edx, %edx; ud2; .org 7701b + 0x180; or %r12, %r15; mov %r13, 8(%rsp); add $8, %rsp; iretq");
	start();
	RUN("cr4", EACH_BIT("mov %cr4, %rax; ", "mov %rax, %cr4; "));
	start();
	RUN("cr8", EACH_BIT("mov %cr8, %rax; ", "mov %rax, %cr8; "));
	start();
	RUN("dr0", EACH_BIT("mov %dr0, %rax; ", "mov %rax, %dr0; "));
	start();
	RUN("dr6", EACH_BIT("mov %dr6, %rax; ", "mov %rax, %dr6; "));
	start();
	/* DR7.GD (bit 13) comes as #DB, at the next access. */
	set_gate(1, SEL_CODE, CODE + 0x2c0, 0x8e, 0);
	RUN("dr7", EACH_BIT("mov %dr7, %rax; ", "mov %rax, %dr7; ") "; .org 7701b + 0x1c0; iretq");
}

/* The APIC base is left alone: without its APIC the machine is another one. */
static const struct { const char *name; uint32_t msr; } msrs[] = {
	{ "efer", 0xc0000080 }, { "star", 0xc0000081 }, { "lstar", 0xc0000082 }, { "cstar", 0xc0000083 }, { "fmask", 0xc0000084 },
	{ "fs base", 0xc0000100 }, { "gs base", 0xc0000101 }, { "kernel gs base", 0xc0000102 }, { "tsc aux", 0xc0000103 },
	{ "sysenter cs", 0x174 }, { "sysenter esp", 0x175 }, { "sysenter eip", 0x176 }, { "pat", 0x277 }, { "mtrr cap", 0xfe },
	{ "mtrr def", 0x2ff }, { "mtrr base", 0x200 }, { "mtrr mask", 0x201 }, { "mtrr base 7", 0x20e }, { "mtrr mask 7", 0x20f },
	{ "mtrr 64k", 0x250 }, { "mtrr 16k", 0x259 }, { "mtrr 4k", 0x26f }, { "mcg cap", 0x179 }, { "mc0 ctl", 0x400 },
	{ "mc0 status", 0x401 }, { "xss", 0xda0 }, { "x2apic id", 0x802 }, { "none", 0x12345678 }, { "none in the last", 0xc0020000 },
};

void
run_tests(void)
{
	controls();
	for (unsigned i = 0; i < COUNT(msrs); i++) {
		start();
		in.gpr[CX] = msrs[i].msr;
		print("msr ");
		print(msrs[i].name);
		RUN("", EACH_BIT(FROM_MSR, TO_MSR));
	}
	for (unsigned i = 0; i < COUNT(msrs); i++) {
		in.gpr[CX] = msrs[i].msr;
		ring3();
		print("3 ");
		print(msrs[i].name);
		RUN("", "rdmsr");
	}
}
