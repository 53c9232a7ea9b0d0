/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What Intel's processors do in long mode and AMD's don't, and the other way round: SYSCALL, SYSENTER and their returns. */
#include "long.h"

/* With linear addresses of 57 bits: the first and the last that isn't canonical, and what would not be with 48. */
static const uint64_t far[] = { 1ull << 56, 0xfeffffffffffffff, 1ull << 47, 0xff00000000000000 };

enum { SYSENTER_CS = 0x174, SYSENTER_ESP, SYSENTER_EIP };

static void
system_calls(void)
{
	RUN("syscall", "syscall");
	ring3();
	RUN("syscall 3", "syscall");
	compat0();
	RUN32("syscall compat 0", "syscall");
	compat3();
	RUN32("syscall compat 3", "syscall");
	in.gpr[CX] = CODE + 0x200, in.gpr[R11] = 0x202;
	RUN("sysretq", "sysretq");
	in.gpr[CX] = CODE + 0x200, in.gpr[R11] = 0x202;
	RUN("sysretl", "sysretl");
	for (unsigned i = 0; i < COUNT(far); i++) {
		in.gpr[CX] = far[i], in.gpr[R11] = 0x202;
		print_hex(far[i], 16);
		RUN(" sysretq", "sysretq");
	}
	in.gpr[CX] = 1ull << 56 | (CODE + 0x200), in.gpr[R11] = 0x202;
	RUN("sysretl from afar", "sysretl");
	compat0();
	in.gpr[CX] = CODE + 0x200, in.gpr[R11] = 0x202;
	RUN32("sysret compat", "sysret");
	in.gpr[AX] = 0x80000001;
	RUN("syscall in cpuid", "cpuid; and $0x800, %edx; mov %edx, %eax; xor %ebx, %ebx; xor %ecx, %ecx");
	compat0();
	in.gpr[AX] = 0x80000001;
	RUN32("syscall in cpuid, compat", "cpuid; and $0x800, %edx; mov %edx, %eax; xor %ebx, %ebx; xor %ecx, %ecx");
}

static void
sysenter(void)
{
	wrmsr(SYSENTER_CS, SEL_CODE), wrmsr(SYSENTER_ESP, STACK0), wrmsr(SYSENTER_EIP, CODE + 0x200);
	RUN("sysenter", "sysenter");
	ring3();
	in.rflags |= 0xad5;
	RUN("sysenter 3", "sysenter");
	compat3();
	RUN32("sysenter compat", "sysenter");
	in.gpr[DX] = CODE + 0x200, in.gpr[CX] = STACK3;
	RUN("sysexitq", "rex.w sysexit");
	in.gpr[DX] = CODE + 0x200, in.gpr[CX] = STACK3;
	RUN("sysexitl", "sysexitl");
	for (unsigned i = 0; i < COUNT(far); i++) {
		in.gpr[DX] = far[i], in.gpr[CX] = STACK3;
		print_hex(far[i], 16);
		RUN(" sysexitq", "rex.w sysexit");
		in.gpr[DX] = CODE + 0x200, in.gpr[CX] = far[i];
		print_hex(far[i], 16);
		RUN(" sysexitq, stack", "rex.w sysexit");
	}
	ring3();
	RUN("sysexit 3", "sysexitl");
	wrmsr(SYSENTER_CS, 0);
	ring3();
	RUN("sysenter without cs", "sysenter");
	RUN("sysexit without cs", "sysexitl");
}

void
run_tests(void)
{
	system_calls();
	sysenter();
}
