/* SPDX-License-Identifier: GPL-2.0-or-later */
/* System management interrupts in each 32- and 16-bit mode: the state comes back as it was. */
#include "prot.h"
#include "smi.h"

void
run_tests(void)
{
	smi_handler();
	RUN("protected", SMI SMI);
	RUN("rsm outside", "rsm");
	paging();
	RUN("paging", SMI);
	pae();
	RUN("pae", SMI);
	ring3();
	in.eflags |= 0x3ed7;
	RUN("at 3", SMI "mov %cs, %bx; mov %ss, %cx");
	vm86(3);
	fill(tss.io_map, 0, sizeof(tss.io_map));
	RUN16("virtual-8086", SMI "mov %cs, %bx; mov %ds, %cx; mov %gs, %dx");
	real();
	RUN16("real", SMI "mov %cs, %bx; mov %ds, %cx");
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_DATA32);
	RUN("segments", "mov $0x48, %ax; mov %ax, %fs; mov %ax, %gs; " SMI "movb $1, %fs:8; movb $1, %gs:0x1000");
	in.eflags |= 0x100;
	RUN("tf", "out %al, $0xb2; nop");
	in.eflags |= 0x100;
	RUN("tf, count", "nop");
	idt[1] = gate(SEL_CODE, CODE + 0x180, 0x8e, 0);
	in.eflags |= 0x100;
	RUN("tf, four traps", "nop; " SMI "; ud2; .org 7701b + 0x80; incl 0x20000; iret");
	in.dr[0] = DATA + 0x10, in.dr7 = 0x000d0401;
	RUN("breakpoint on data", SMI "movb $1, 0x20010; nop");
	RUN("mov ss", "mov $0x10, %ax; mov %ax, %ss; " SMI);
	RUN("sti", "sti; out %al, $0xb2; cli");
	in.cr4 |= 0x600;
	RUN("x87 and sse", "fninit; fldpi; movl $0x3f800000, 0x20100; movss 0x20100, %xmm3; " SMI "fistl 0x20010; movss %xmm3, 0x20014; "
		"fninit");
}
