/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shadow stacks and tracked branches outside of long mode: near and far transfers, gates, virtual-8086 mode, tasks. */
#include "prot.h"

enum {
	CR0_WP = 0x10000, SHSTK = 1, ENDBR = 4, U_CET = 0x6a0, S_CET = 0x6a2, PL0_SSP = 0x6a4, PL1_SSP, PL2_SSP, PL3_SSP,
	USER = 0x40000, SUPER = 0x50000, OTHER = 0x51000,
	SSP3 = USER + 0x800, SSP0 = SUPER + 0xff8, SSP_OTHER = OTHER + 0xff8, SSP_DOUBLE = OTHER + 0x7f8,
	STACK_PAGE = 0x61, USERS = 4, HANDLER = CODE + 0x800, TSS_SSP = 0x68,
};

static uint32_t *
at(uint32_t address)
{
	return hidden(address);
}

static void
token(uint32_t address, uint32_t value)
{
	at(address)[0] = value;
	at(address)[1] = 0;
}

/* The SSP of a task, which stands behind its old end. */
static void
task_ssp(struct tss *t, unsigned selector, uint32_t ssp)
{
	gdt[selector / 8] = descriptor((uint32_t)t, TSS_SSP + 3, D_TSS);
	*(uint32_t *)((uint8_t *)t + TSS_SSP) = ssp;
}

/* Stacks of all levels, with tokens; nothing is switched on. */
static void
stacks(unsigned u_cet)
{
	fill(hidden(SUPER), 0, 0x2000);
	page_table[USER >> 12] = USER | STACK_PAGE | USERS;
	page_table[SUPER >> 12] = SUPER | STACK_PAGE;
	page_table[OTHER >> 12] = OTHER | STACK_PAGE;
	for (unsigned n = 0; n < 512; n++)
		pae_table[n] = page_table[n];
	token(SSP0, SSP0);
	token(SSP_OTHER, SSP_OTHER);
	token(SSP_DOUBLE, SSP_DOUBLE);
	task_ssp(&tss_double, SEL_DOUBLE, SSP_DOUBLE);
	task_ssp(&tss_other, SEL_OTHER, SSP_OTHER);
	wrmsr(U_CET, u_cet);
	wrmsr(S_CET, 0);
	wrmsr(PL0_SSP, SSP0);
	wrmsr(PL1_SSP, SSP_OTHER);
	wrmsr(PL3_SSP, SSP3);
	paging();
	in.cr0 |= CR0_WP;
	in.watch[0] = at(SSP0), in.watch[1] = at(SSP0 - 8), in.watch[2] = at(SSP0 - 16), in.watch[3] = at(SSP0 - 24);
	/* Behind level 3 the handler's own calls are there. */
	if (u_cet & SHSTK)
		in.watch[1] = at(SSP3 - 4), in.watch[2] = 0;
}

#define CR4_ON "mov %cr4, %eax; or $0x800000, %eax; mov %eax, %cr4; "
#define S(cet) "mov $0x6a2, %ecx; xor %edx, %edx; mov $" #cet ", %eax; wrmsr; "
#define ON CR4_ON S(1) "setssbsy; "
#define ADDRESS(label) "$" label " - 7701b + 0x10100"
/* Both stacks and then to level 3. */
#define ON3 ON "push $0x2b; push $0x38000; push $2; push $0x23; push " ADDRESS("1f") "; iret; 1: "

static void
near(void)
{
	stacks(0);
	RUN("call", ON "call 1f; ud2; 1: rdsspd %eax");
	stacks(0);
	RUN("call, ret", ON "call 1f; rdsspd %ebx; ud2; 1: rdsspd %eax; ret");
	stacks(0);
	RUN("smashed", ON "call 1f; ud2; 1: incl (%esp); ret");
	stacks(0);
	RUN("call 16", ON "mov %esp, %ebp; callw 1f; 1: rdsspd %eax");
	stacks(0);
	pae();
	RUN("pae: call, ret", ON "call 1f; rdsspd %ebx; ud2; 1: rdsspd %eax; ret");
	stacks(0);
	page_table[SUPER >> 12] |= 2;
	RUN("writable", ON);
	stacks(0);
	in.cr0 &= 0x7fffffff;
	RUN("no paging", ON "call 1f; ud2; 1: rdsspd %eax");
	stacks(0);
	RUN("incssp", ON "call 1f; 1: mov $1, %ebx; call 2f; ud2; 2: incsspd %ebx; rdsspd %eax");
}

static void
levels(void)
{
	stacks(0);
	RUN("int", ON "int $0x30");
	stacks(0);
	RUN("int, a hole", ON "call 1f; ud2; 1: int $0x30");
	stacks(0);
	idt[0x31] = gate(SEL_CODE, HANDLER, 0xee, 0);
	copy(hidden(HANDLER), "\xf3\x0f\x1e\xc8\xcf\x90", 6);
	RUN("int, iret", ON "call 1f; ud2; 1: int $0x31; rdsspd %ebx");
	stacks(0);
	idt[0x31] = gate(SEL_CODE, HANDLER, 0xee, 0);
	copy(hidden(HANDLER), "\xff\x04\x24\xcf", 4);
	RUN("int, iret elsewhere", ON "int $0x31; nop; nop");
	stacks(SHSTK);
	RUN("iret to 3", ON3 "mov %ds, %ebx; rdsspd %eax");
	stacks(SHSTK);
	RUN("3: call", ON3 "call 1f; nop; 1: rdsspd %eax");
	stacks(SHSTK);
	RUN("3: smashed", ON3 "call 1f; nop; 1: incl (%esp); ret");
	stacks(SHSTK);
	idt[0x31] = gate(SEL_CODE, HANDLER, 0xee, 0);
	copy(hidden(HANDLER), "\xf3\x0f\x1e\xc9\xcf\x90", 6);
	RUN("3: int, iret", ON3 "call 1f; nop; 1: int $0x31; rdsspd %eax");
	stacks(SHSTK);
	gdt[SEL_A / 8] = gate(SEL_CODE, HANDLER, 0xec, 0);
	in.watch[2] = at(SSP0 - 16);
	RUN("3: call gate", ON3 "lcall $0x48, $0");
	stacks(SHSTK);
	gdt[SEL_A / 8] = gate(SEL_CODE, HANDLER, 0xec, 0);
	copy(hidden(HANDLER), "\xcb\x90", 2);
	RUN("3: call gate, lret", ON3 "call 1f; nop; 1: lcall $0x48, $0; rdsspd %eax");
	stacks(0);
	RUN("lcall", ON "lcall $8, " ADDRESS("1f") "; ud2; 1: rdsspd %eax");
	stacks(0);
	RUN("lcall, lret", ON "lcall $8, " ADDRESS("1f") "; rdsspd %ebx; ud2; 1: rdsspd %eax; lret");
	stacks(0);
	RUN("lcall, lret elsewhere", ON "lcall $8, " ADDRESS("1f") "; nop; ud2; 1: incl (%esp); lret");
}

#define VM86(flags) "push $0; push $0; push $0; push $0; push $0x3000; push $0x8000; push $" flags "; push $0x1000; push $0x200; iret"

/* By IRET there, by INT back. */
static void
virtual_8086(void)
{
	stacks(SHSTK);
	RUN("vm86", ON VM86("0x20002"));
	stacks(SHSTK);
	copy(hidden(CODE + 0x200), "\xcd\x30", 2);
	RUN("vm86, int", ON VM86("0x23002"));
	stacks(SHSTK);
	copy(hidden(CODE + 0x200), "\xf3\x0f\x1e\xc8\xe8\x00\x00\x90", 8);
	RUN("vm86, call", ON VM86("0x23002"));
	stacks(SHSTK | ENDBR);
	copy(hidden(CODE + 0x200), "\xb8\x06\x02\xff\xe0\x90\x90\x90", 8);
	RUN("vm86, jmp *", ON VM86("0x23002"));
}

static void
tasks(void)
{
	static const uint32_t tokens[] = { SSP_OTHER, SSP_OTHER | 1, 0, SSP_OTHER | 4 };

	for (unsigned k = 0; k < 4; k++)
		for (unsigned i = 0; i < 3; i++) {
			stacks(0);
			idt[0x31] = gate(SEL_OTHER, 0, 0xe5, 0);
			token(SSP_OTHER, tokens[k]);
			in.watch[1] = at(SSP_OTHER), in.watch[2] = at(SSP_OTHER - 8), in.watch[3] = at(SSP_OTHER - 24);
			print_field("token", tokens[k]);
			if (i == 0)
				RUN(" task: jmp", ON "ljmp $0x40, $0");
			else if (i == 1)
				RUN(" task: call", ON "lcall $0x40, $0");
			else
				RUN(" task: int", ON "int $0x31");
		}
	stacks(0);
	copy(hidden(HANDLER), "\xcf\x90", 2);
	in.watch[1] = at(SSP_OTHER), in.watch[2] = at(SSP_OTHER - 8), in.watch[3] = at(SSP_OTHER - 24);
	RUN("task: there and back", ON "call 1f; ud2; 1: lcall $0x40, $0; rdsspd %ebx");
	stacks(0);
	copy(hidden(HANDLER), "\xf3\x0f\xae\xe8\xcf\x90", 6);
	tss_other.eax = 1;
	RUN("task: back from an unaligned stack", ON "lcall $0x40, $0");
	stacks(0);
	task_ssp(&tss_other, SEL_OTHER, SSP_OTHER - 4);
	RUN("task: unaligned", ON "lcall $0x40, $0");
	stacks(0);
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, TSS_SSP - 1, D_TSS);
	RUN("task: no ssp", ON "lcall $0x40, $0");
}

static void
branches(void)
{
	stacks(0);
	RUN("ibt: jmp *", CR4_ON S(4) "mov " ADDRESS("1f") ", %ebx; jmp *%ebx; ud2; 1: endbr32; nop");
	stacks(0);
	RUN("ibt: jmp * elsewhere", CR4_ON S(4) "mov " ADDRESS("1f") ", %ebx; jmp *%ebx; ud2; 1: endbr64; nop");
	stacks(0);
	RUN("ibt: notrack", CR4_ON S(0x14) "mov " ADDRESS("1f") ", %ebx; notrack call *%ebx; ud2; 1: nop");
	stacks(0);
	RUN("ibt: es, not notrack", CR4_ON S(0x14) "mov " ADDRESS("1f") ", %ebx; .byte 0x3e, 0x26; call *%ebx; ud2; 1: nop");
	stacks(0);
	RUN("ibt: ljmp", CR4_ON S(4) "ljmp $8, " ADDRESS("1f") "; ud2; 1: nop");
	stacks(0);
	idt[0x31] = gate(SEL_CODE, HANDLER, 0xee, 0);
	RUN("ibt: int elsewhere", CR4_ON S(4) "int $0x31");
}

void
run_tests(void)
{
	near();
	levels();
	virtual_8086();
	tasks();
	branches();
}
