/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads of segment registers, accesses by their limits and rights, and the instructions that look at descriptors. */
#include "prot.h"

static const struct { const char *name; uint16_t selector; unsigned flags; } kinds[] = {
	{ "null", 0, 0 }, { "null 3", 3, 0 }, { "data ro", SEL_A, D_P | D_S | D_DB | D_G }, { "data rw", SEL_A, D_FLATDATA },
	{ "data down", SEL_A, D_FLATDATA | 4 }, { "code x", SEL_A, D_FLATCODE & ~2 }, { "code xr", SEL_A, D_FLATCODE },
	{ "code conforming", SEL_A, D_FLATCODE | 4 }, { "code conforming x", SEL_A, (D_FLATCODE | 4) & ~2 },
	{ "data absent", SEL_A, D_FLATDATA & ~D_P }, { "data rpl 3", SEL_A | 3, D_FLATDATA },
	{ "data 3 rpl 0", SEL_A, D_FLATDATA | D_DPL3 },
	{ "data 3 rpl 3", SEL_A | 3, D_FLATDATA | D_DPL3 }, { "code 3 rpl 3", SEL_A | 3, D_FLATCODE | D_DPL3 },
	{ "conforming rpl 3", SEL_A | 3, D_FLATCODE | 4 }, { "data 1 rpl 1", SEL_A | 1, D_FLATDATA | 0x20 },
	{ "type 0", SEL_A, D_P }, { "tss16", SEL_A, D_P | 1 }, { "ldt", SEL_A, D_P | 2 }, { "tss16 busy", SEL_A, D_P | 3 },
	{ "call16", SEL_A, D_P | 4 }, { "task gate", SEL_A, D_P | 5 }, { "int16", SEL_A, D_P | 6 },
	{ "trap16", SEL_A, D_P | 7 },
	{ "type 8", SEL_A, D_P | 8 }, { "tss32", SEL_A, D_P | 9 }, { "type 10", SEL_A, D_P | 10 },
	{ "tss32 busy", SEL_A, D_P | 11 },
	{ "call32", SEL_A, D_P | 12 }, { "type 13", SEL_A, D_P | 13 }, { "int32", SEL_A, D_P | 14 },
	{ "trap32", SEL_A, D_P | 15 },
	{ "call32 3", SEL_A | 3, D_P | D_DPL3 | 12 }, { "tss32 absent", SEL_A, 9 }, { "ldt absent", SEL_A, 2 },
	{ "past gdt", 0xfff8, 0 }, { "ldt without", 0x0c, 0 },
};
enum { KINDS = COUNT(kinds) };

static void
begin(unsigned k, bool user)
{
	if (user)
		ring3();
	gdt[SEL_A / 8] = descriptor(DATA, 0x12345, kinds[k].flags);
	in.gpr[AX] = kinds[k].selector;
	print(user ? "3 " : "0 ");
	print(kinds[k].name);
	print(" ");
}

static void
loads(bool user)
{
	for (unsigned k = 0; k < KINDS; k++) {
		begin(k, user);
		RUN("mov ds", "mov %ax, %ds; mov $0x2b, %bx; mov %bx, %ds;");
		begin(k, user);
		RUN("mov ss", "mov %ax, %ss; mov %ss, %bx");
		begin(k, user);
		RUN("pop fs", "push %eax; pop %fs");
		begin(k, user);
		RUN("lar", "lar %ax, %ebx; lahf; mov $0, %esi; lsl %ax, %esi; pushf; and $0xf0ff00, %ebx; popf");
		begin(k, user);
		RUN("verr, verw", "mov $1, %ebx; mov $1, %ecx; verr %ax; jz 1f; dec %ebx; 1: verw %ax; jz 1f; dec %ecx; "
			"1: test %eax, %eax");
		begin(k, user);
		RUN("lldt", "lldt %ax; sldt %ebx");
		begin(k, user);
		RUN("ltr", "ltr %ax; str %ebx");
	}
}

static void
accesses(void)
{
	static const struct { const char *name; uint32_t limit; unsigned flags; } segs[] = {
		{ "rw", 0x7f, D_DATA32 }, { "ro", 0x7f, D_DATA32 & ~2 }, { "down", 0x7f, D_DATA32 | 4 },
		{ "down 16", 0x7f, D_DATA | 4 },
		{ "down pages", 0x0, D_DATA32 | 4 | D_G }, { "code", 0x7f, D_CODE32 },
		{ "byte", 0, D_DATA32 }, { "4 GiB", 0xfffff, D_FLATDATA }, { "down none", 0xfffff, D_FLATDATA | 4 },
	};
	static const uint32_t at[] = { 0, 0x7c, 0x7d, 0x7f, 0x80, 0xfff, 0x1000, 0xfffc, 0xfffd, 0xffff, 0xfffffffc,
		0xfffffffd, 0xffffffff };

	for (unsigned k = 0; k < COUNT(segs); k++)
		for (unsigned i = 0; i < COUNT(at); i++) {
			gdt[SEL_A / 8] = descriptor(DATA, segs[k].limit, segs[k].flags);
			in.fs = SEL_A;
			in.gpr[BX] = at[i];
			print(segs[k].name);
			print_field("at", at[i]);
			RUN(" read", "movl $0x12345678, 4(%ebp); mov %fs:(%ebx), %al; mov %fs:(%ebx), %cx; mov %fs:(%ebx), %edx");
			gdt[SEL_A / 8] = descriptor(DATA, segs[k].limit, segs[k].flags);
			in.fs = SEL_A;
			in.gpr[BX] = at[i];
			print(segs[k].name);
			print_field("at", at[i]);
			RUN(" write", "movb $1, %fs:(%ebx); movw $0x202, %fs:(%ebx); movl $0x4040404, %fs:(%ebx)");
		}
	in.fs = 0;
	RUN("null read", "mov %fs:0x20000, %eax");
	in.fs = 0;
	RUN("null write", "mov %eax, %fs:0x20000");
	in.fs = 0;
	RUN("null rep 0", "xor %ecx, %ecx; rep lodsb %fs:(%esi), %al");
}

static void
tables(void)
{
	ldt[0] = descriptor(DATA, 0xfff, D_DATA32);
	RUN("ldt", "mov $0x38, %ax; lldt %ax; mov $0x04, %ebx; mov %ebx, %fs; movl $7, %fs:8; lar %bx, %ecx; "
		"mov $0x44, %edx; lsl %dx, %edx");
	ldt[0] = descriptor(DATA, 0xfff, D_DATA32);
	gdt[SEL_LDT / 8] = descriptor((uint32_t)ldt, 6, D_LDT);
	RUN("ldt too short", "mov $0x38, %ax; lldt %ax; mov $0x04, %ebx; mov %ebx, %fs");
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_DATA32);
	gdt_limit = SEL_A + 6;
	RUN("gdt too short", "mov $0x48, %ebx; mov %ebx, %fs");
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_DATA32);
	gdt_limit = SEL_A + 7;
	RUN("gdt long enough", "mov $0x48, %ebx; mov %ebx, %fs");
	gdt[SEL_A / 8] = descriptor(0, 0xffff, D_TSS);
	in.gpr[DX] = (uint32_t)&gdt[SEL_A / 8];
	RUN("ltr sets busy", "mov $0x48, %ax; ltr %ax; mov 4(%edx), %ebx; mov $0x18, %ax; ltr %ax");
	in.gpr[DX] = (uint32_t)&gdt[SEL_A / 8];
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_DATA32);
	RUN("accessed", "mov $0x48, %eax; mov %eax, %fs; mov 4(%edx), %ebx");
	in.gpr[DX] = (uint32_t)&gdt[SEL_A / 8];
	gdt[SEL_A / 8] = descriptor(DATA, 0xfff, D_DATA32);
	RUN("lar leaves accessed", "mov $0x48, %eax; lar %eax, %ecx; verr %ax; mov 4(%edx), %ebx");
	RUN("sgdt", "sgdtl 0x20000; movzwl 0x20000, %eax; movl $0, 0x20000; movl $0, 0x20004");
	RUN("sgdt 16", "movl $-1, 0x20002; sgdtw 0x20000; movb $0, 0x20002; movw $0, 0x20003; movl $0, 0x20004");
	RUN("lgdt 16", "sidtl 0x20010; movw $0x123, 0x20000; movl $0xff654321, 0x20002; lidtw 0x20000; sidtl 0x20008; "
		"lidtl 0x20010; movl $0, 0x20010; movl $0, 0x20014");
	ring3();
	RUN("3 sgdt", "sgdt 0x20000; movl $0, 0x20000; movl $0, 0x20004");
	ring3();
	RUN("3 lgdt", "lgdt 0x20000");
	ring3();
	RUN("3 lidt", "lidt 0x20000");
	ring3();
	RUN("3 smsw", "smsw %eax");
	ring3();
	RUN("3 lmsw", "lmsw %ax");
	ring3();
	RUN("3 sldt", "sldt %eax");
	ring3();
	RUN("3 str", "str %eax");
	for (unsigned i = 0; i < 5; i++) {
		ring3();
		in.cr4 = 0x800;
		print_field("umip", i);
		switch (i) {
		case 0:
			RUN(" sgdt", "sgdt 0x20000");
			break;
		case 1:
			RUN(" sidt", "sidt 0x20000");
			break;
		case 2:
			RUN(" sldt", "sldt %eax");
			break;
		case 3:
			RUN(" str", "str %eax");
			break;
		case 4:
			RUN(" smsw", "smsw %eax");
		}
	}
	in.gpr[AX] = 0x48, in.gpr[BX] = 0x53;
	RUN("arpl", "mov %eax, %ecx; mov %ebx, %edx; arpl %bx, %cx; lahf; arpl %bx, %cx; mov %eax, %edi; lahf");
	RUN("arpl memory", "movw $0x1234, 0x20000; mov $0x47, %bx; arpl %bx, 0x20000");
	RUN("movs from sreg", "mov $-1, %eax; mov %cs, %eax; mov $-1, %ebx; mov %ss, %bx; push $-1; push %ds; "
		"pop %ecx; mov %ds, 0x20000");
	RUN("lds", "movl $0x1234, 0x20000; movl $0x2b, 0x20004; lds 0x20000, %eax");
	RUN("les bad", "movl $0x1234, 0x20000; movl $0x7f, 0x20004; les 0x20000, %eax");
	RUN("lss bad", "movl $0x1234, 0x20000; movl $0x2b, 0x20004; lss 0x20000, %eax");
	RUN("mov cs", ".byte 0x8e, 0xc8");
	RUN("mov sreg 6", ".byte 0x8e, 0xf0");
	RUN("pop ss", "push $0x10; pop %ss; push %ss; pop %eax");
	RUN("push seg 16", "pushw %ds; popw %ax; mov %esp, %ebp");
}

static void
stacks(void)
{
	static const struct { const char *name; uint32_t limit, sp; unsigned flags; } cases[] = {
		{ "limit ok", 0xfff, 0x1000, D_DATA32 }, { "limit one less", 0xfff, 0x1001, D_DATA32 },
		{ "limit at 2", 0xfff, 0x1002, D_DATA32 },
		{ "sp 0", 0xffff, 0, D_DATA32 }, { "sp 2", 0xffff, 2, D_DATA32 }, { "16 sp 0", 0xffff, 0x70000, D_DATA },
		{ "16 sp 2", 0xffff, 2, D_DATA }, { "16 sp 1", 0xffff, 1, D_DATA }, { "16 sp 4", 0xffff, 0x12340004, D_DATA },
		{ "down ok", 0x7fff, 0x9000, D_DATA32 | 4 }, { "down at limit", 0x7fff, 0x8004, D_DATA32 | 4 },
		{ "down under limit", 0x7fff, 0x8003, D_DATA32 | 4 }, { "down 16", 0x7fff, 0, D_DATA | 4 },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned k = 0; k < 8; k++) {
			ring3();
			gdt[SEL_A / 8] = descriptor(STACK_BEGIN, cases[i].limit, cases[i].flags | D_DPL3);
			in.ss = SEL_A | 3;
			in.esp = cases[i].sp;
			print(cases[i].name);
			switch (k) {
			case 0:
				RUN(" push", "push %eax; pop %ebx");
				break;
			case 1:
				RUN(" push 16", "push %ax; pop %bx");
				break;
			case 2:
				RUN(" call", "call 1f; 1: pop %ebx");
				break;
			case 3:
				RUN(" pusha", "pushal; popal");
				break;
			case 4:
				RUN(" enter", "enter $4, $0; leave");
				break;
			case 5:
				RUN(" pop", "pop %ebx");
				break;
			case 6:
				RUN(" lcall", "lcall $0x23, $0x10200");
				break;
			case 7:
				RUN(" iret", "iret");
			}
		}
}

void
run_tests(void)
{
	loads(false);
	loads(true);
	accesses();
	tables();
	stacks();
}
