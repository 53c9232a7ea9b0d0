/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each kind of fault, and each kind of fault on the way to its handler: which of them make a double fault. */
#include "long.h"

enum { IST3 = 3, IST4 = 4 };

static const char *const firsts[] = { "de", "db", "bp", "of", "ud", "nm", "ts", "np", "ss", "gp", "pf", "ac", "xm", "int" };

/* The fault of FIRSTS[K]. */
static void
first(unsigned k)
{
	switch (k) {
	case 0:
		RUN("", "xor %ecx, %ecx; div %ecx");
		break;
	case 1:
		RUN("", "pushf; orl $0x100, (%rsp); popf; nop; nop");
		break;
	case 2:
		RUN("", "int3");
		break;
	case 3:
		RUN("", "int $4");
		break;
	case 4:
		RUN("", "ud2");
		break;
	case 5:
		in.cr0 |= 8;
		RUN("", "fnop");
		break;
	case 6:
		/* INT 31h has a gate that takes its stack from past the end of the TSS. */
		RUN("", "int $0x31");
		break;
	case 7:
		gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATDATA & ~D_P);
		RUN("", "mov $0x50, %eax; mov %eax, %fs");
		break;
	case 8:
		gdt[SEL_A / 8] = descriptor(0, 0xfffff, D_FLATDATA & ~D_P);
		RUN("", "mov $0x50, %eax; mov %eax, %ss");
		break;
	case 9:
		RUN("", "mov $0xfff8, %eax; mov %eax, %fs");
		break;
	case 10:
		RUN("", "movabs $0x8000000000, %rax; mov (%rax), %eax");
		break;
	case 11:
		ring3();
		in.cr0 |= 0x40000, in.rflags |= 0x40000;
		RUN("", "mov 1(%rsp), %eax");
		break;
	case 12:
		in.cr4 |= 0x600;
		RUN("", "movl $0x1f00, 0x20100; ldmxcsr 0x20100; xorps %xmm0, %xmm0; movl $0xbf800000, 0x20104; sqrtss 0x20104, %xmm0");
		break;
	default:
		RUN("", "int $0x30");
	}
}

static const uint8_t vectors[] = { 0, 1, 3, 4, 6, 7, 10, 11, 12, 13, 14, 17, 19, 0x30 };
static const char *const seconds[] = { "fine", "gate absent", "no gate", "code null", "code absent", "data", "stack not canonical",
	"stack not there", "past the TSS", "code not there" };

static void
spoil(unsigned vector, unsigned k)
{
	uint64_t handler = idt[vector * 2] & 0xffff, high = idt[vector * 2] >> 48;
	unsigned type = vector == 3 || vector == 4 || vector == 0x30 ? 0xee : 0x8e;

	handler |= high << 16;
	tss.ist[IST3 - 1] = 0x800000000008;
	tss.ist[IST4 - 1] = 0x8000000000;
	gdt[SEL_B / 8] = descriptor(0, 0xfffff, D_CODE64 & ~D_P);
	switch (k) {
	case 1:
		set_gate(vector, SEL_CODE, handler, type & ~0x80u, 0);
		break;
	case 2:
		set_gate(vector, SEL_CODE, handler, (type & 0xe0) | 5, 0);
		break;
	case 3:
		set_gate(vector, 0, handler, type, 0);
		break;
	case 4:
		set_gate(vector, SEL_B, handler, type, 0);
		break;
	case 5:
		set_gate(vector, SEL_DATA, handler, type, 0);
		break;
	case 6:
		set_gate(vector, SEL_CODE, handler, type, IST3);
		break;
	case 7:
		set_gate(vector, SEL_CODE, handler, type, IST4);
		break;
	case 8:
		set_gate(vector, SEL_CODE, handler, type, 7);
		break;
	case 9:
		set_gate(vector, SEL_CODE, 0x8000000000, type, 0);
	}
}

void
run_tests(void)
{
	for (unsigned i = 0; i < COUNT(vectors); i++)
		for (unsigned k = 0; k < COUNT(seconds); k++) {
			/* That goes on until there is no stack left. */
			if (vectors[i] == 14 && k == 9)
				continue;
			/* The TSS ends in the middle of IST7. */
			gdt[SEL_TSS / 8] = descriptor((uint32_t)(uint64_t)&tss, 0x57, D_TSS);
			gdt[SEL_TSS / 8 + 1] = 0;
			__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
			set_gate(0x31, SEL_CODE, CODE + 0x800, 0xee, 7);
			spoil(vectors[i], k);
			print(firsts[i]);
			print(", ");
			print(seconds[k]);
			first(i);
		}
}
