/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System management interrupts in long mode. */
#include "long.h"
#include "smi.h"

void
run_tests(void)
{
	smi_handler();
	RUN("64-bit", SMI SMI);
	RUN("rsm outside", "rsm");
	in.gpr[R15] = 0x123456789abcdef0, in.gpr[R8] = ~0ull;
	RUN("registers", SMI "mov %r15, %rax; mov %r8, %rcx; mov %cr8, %rdx");
	in.rflags |= 0x3ed7;
	ring3();
	RUN("at 3", SMI "mov %cs, %bx; mov %ss, %cx");
	in.rflags |= 0x3000;
	compat3();
	RUN32("compat 3", SMI "mov %cs, %bx; mov %ss, %cx");
	compat0();
	RUN32("compat 0", SMI);
	in.fs_base = 0xffff800000000000, in.gs_base = 0x7fffffffffff, in.kernel_gs_base = 0x1234;
	RUN("bases", SMI);
	in.cr4 |= 0x700000;
	ring0();
	RUN("smep, smap, pke", SMI "mov %cr4, %rax");
	in.cr4 |= 0x20000;
	RUN("pcid", "mov %cr3, %rax; or $5, %rax; mov %rax, %cr3; " SMI "mov %cr3, %rdx; and $0xfff, %edx; xor %eax, %eax");
	gdt[SEL_A / 8] = descriptor(DATA, 0xff, D_LDT), gdt[SEL_A / 8 + 1] = 0;
	RUN("ldt", "mov $0x50, %eax; lldt %ax; " SMI "sldt %ecx; movq $0, 0x20008; mov $0x0c, %eax; lar %eax, %edx; lahf");
	in.rflags |= 0x100;
	RUN("tf", "out %al, $0xb2; nop");
}
