/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Triple faults: each one restarts the machine, which comes back here; a byte of the clock's memory counts. */
#include "prot.h"

enum { CMOS = 0x70, COUNT_AT = 0x6e };

static uint8_t
inb(uint16_t port)
{
	uint8_t value;

	__asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static unsigned
next(void)
{
	unsigned n;

	outb(CMOS, COUNT_AT);
	n = inb(CMOS + 1) ^ 0x50;
	/* What stood there before is no number of ours. */
	if (n > 15)
		n = 0;
	outb(CMOS, COUNT_AT);
	outb(CMOS + 1, (n + 1) ^ 0x50);
	return n;
}

void
run_tests(void)
{
	switch (next()) {
	case 0:
		idt_limit = 0;
		RUN("an IDT without gates", "ud2");
		break;
	case 1:
		idt[8] = 0, idt[13] = 0;
		RUN("no gates for #GP and #DF", "mov $0xfff8, %eax; mov %eax, %ds");
		break;
	case 2:
		idt[8] = gate(SEL_OTHER, 0, 0x85, 0), idt[13] = 0;
		gdt[SEL_OTHER / 8] = 0;
		RUN("a #DF task that isn't there", "mov $0xfff8, %eax; mov %eax, %ds");
		break;
	case 3:
		paging();
		idt[8] = gate(SEL_CODE, 0x10000, 0x8e, 0);
		RUN("no page for the stack", "mov $0x800000, %esp; push %eax");
		break;
	case 4:
		paging();
		RUN("no pages at all", "mov $0x60000, %eax; mov %eax, %cr3; nop");
		break;
	case 5:
		vm86(0);
		idt_limit = 0;
		RUN16("virtual-8086 mode", "cli");
		break;
	case 6:
		ring3();
		tss.ss0 = SEL_DATA3;
		idt[8] = gate(SEL_CODE, 0x10000, 0x8e, 0);
		RUN("no stack for level 0", "cli");
		break;
	case 7:
		real();
		in.eip = 0x100;
		RUN16("real mode", "lidt 0x10; int3");
		break;
	default:
		outb(CMOS, COUNT_AT);
		outb(CMOS + 1, 0);
		return;
	}
	print("goes on\n");
}
