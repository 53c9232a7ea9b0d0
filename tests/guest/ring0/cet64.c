/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shadow stacks and tracked indirect branches (Intel SDM volume 1, "Control-flow Enforcement Technology"). */
#include "long.h"

enum {
	CR0_WP = 0x10000, CR4_CET = 0x800000, CR4_SMAP = 0x200000,
	SHSTK = 1, WRITE = 2, ENDBR = 4, LEGACY = 8, NO_TRACK = 0x10, NO_SUPPRESS = 0x20, WAIT = 0x800,
	USER = 0x40000, USER2 = 0x41000, SUPER = 0x50000, SUPER_IST = 0x51000, TABLE = 0x52000, BITMAP = 0x53000,
	SSP3 = USER + 0x800, SSP0 = SUPER + 0xff8, SSP_DF = SUPER_IST + 0x7f8, SSP_IST = SUPER_IST + 0xff8,
	STACK_PAGE = 0x61, USERS = 4,
};
#define COUNT(array) (sizeof(array) / sizeof(array[0]))
#define AT(address) (*(volatile uint64_t *)(uint64_t)(address))

static void
page(unsigned long address, uint64_t flags)
{
	page_table[0][address >> 12] = (address & ~0xffful) | flags;
}

/* Both levels' stacks, with tokens; nothing is switched on. */
static void
stacks(void)
{
	fill((void *)SUPER, 0, 0x4000);
	page(BITMAP, 7);
	page(USER, STACK_PAGE | USERS);
	page(USER2, STACK_PAGE | USERS);
	page(SUPER, STACK_PAGE);
	page(SUPER_IST, STACK_PAGE);
	in.cr0 |= CR0_WP;
	in.cr4 |= CR4_CET;
	in.pl_ssp[0] = SSP0, in.pl_ssp[3] = SSP3;
	in.ssp_table = TABLE;
	AT(SSP0) = SSP0, AT(SSP_DF) = SSP_DF, AT(SSP_IST) = SSP_IST;
	AT(TABLE + 8) = SSP_DF, AT(TABLE + 24) = SSP_IST;
	in.watch[0] = (const uint64_t *)SSP0;
}

static void
user(unsigned u_cet, unsigned s_cet)
{
	stacks();
	ring3();
	in.u_cet = u_cet, in.s_cet = s_cet;
	in.watch[1] = (const uint64_t *)(SSP3 - 8);
}

static void
super(void)
{
	stacks();
	in.watch[1] = (const uint64_t *)(SSP0 - 8), in.watch[2] = (const uint64_t *)(SSP0 - 16), in.watch[3] = (const uint64_t *)(SSP0 - 24);
}

/* Faults of a level without a shadow stack that can be used get one from the table. */
static void
other_stack(void)
{
	static const uint8_t vectors[] = { 13, 14, 21 };

	for (unsigned i = 0; i < COUNT(vectors); i++)
		idt[2 * vectors[i]] |= 3ull << 32;
	tss.ist[2] = IST_STACK;
}

static void
put(unsigned long at, const char *code, unsigned n)
{
	copy((void *)at, code, n);
}

/* S_CET, and the supervisor's stack: the beginning of snippets of level 0. */
#define ON(cet) "mov $0x6a2, %ecx; xor %edx, %edx; mov $" #cet ", %eax; wrmsr; setssbsy; "
#define ON_IBT(cet) "mov $0x6a2, %ecx; xor %edx, %edx; mov $" #cet ", %eax; wrmsr; "

static void
off(unsigned how)
{
	static const char *const names[] = { "off ", "off, cr4 ", "off, at 3 " };

	if (how == 1)
		super();
	else if (how == 2)
		user(0, 0);
	print(names[how]);
}

static void
switched_off(void)
{
	for (unsigned k = 0; k < 3; k++) {
		off(k);
		RUN("rdssp", "rdsspq %rbx; rdsspd %ecx; endbr64; endbr32");
		off(k);
		RUN("incssp", "incsspq %rbx");
		off(k);
		RUN("saveprevssp", "saveprevssp");
		off(k);
		RUN("rstorssp", "rstorssp 0x40000");
		off(k);
		RUN("wrss", "wrssq %rbx, 0x40000");
		off(k), in.watch[2] = (const uint64_t *)USER;
		RUN("wruss", "wrussq %rbx, 0x40000");
		off(k);
		RUN("setssbsy", "setssbsy");
		off(k);
		RUN("clrssbsy", "clrssbsy 0x50ff8");
		off(k);
		RUN("call, ret", "call 1f; ud2; 1: push $0x10200; ret");
	}
	RUN("hints", ".byte 0xf3, 0x0f, 0x1e, 0xc0; .byte 0xf3, 0x0f, 0x1e, 0x08; "
		".byte 0xf3, 0x0f, 0x1e, 0xf8; .byte 0x66, 0x0f, 0x1e, 0xfa; "
		".byte 0xf2, 0x0f, 0x1e, 0xfa; .byte 0x0f, 0x1e, 0xfa; .byte 0xf3, 0x0f, 0x1e, 0x38");
	super();
	RUN("locked incssp", ON(1) ".byte 0xf0; incsspq %rbx");
	super();
	RUN("locked wrss", ON(3) ".byte 0xf0; wrssq %rbx, 0x50000");
}

static void
near_user(void)
{
	user(SHSTK, 0);
	RUN("call", "call 1f; ud2; 1: rdsspq %rax; mov (%rsp), %rbx");
	user(SHSTK, 0);
	RUN("call and ret", "call 1f; rdsspq %rcx; ud2; 1: rdsspq %rax; ret");
	user(SHSTK, 0);
	RUN("call loop", "mov $1000, %ecx; 2: call 1f; dec %ecx; jnz 2b; ud2; 1: call 3f; ret; 3: inc %edx; ret $0");
	user(SHSTK, 0);
	RUN("call the next", "call 1f; 1: rdsspq %rax; pop %rbx");
	user(SHSTK, 0);
	RUN("call the next and ret", "call 1f; 1: ret");
	user(SHSTK, 0);
	RUN("smashed", "call 1f; ud2; 1: movq $0x10200, (%rsp); ret");
	user(SHSTK, 0);
	RUN("smashed, ret n", "call 1f; ud2; 1: movq $0x10200, (%rsp); ret $16");
	user(SHSTK, 0);
	RUN("ret n", "push $1; call 1f; rdsspq %rax; ud2; 1: ret $8");
	user(SHSTK, 0);
	RUN("call *", "lea 1f(%rip), %rbx; call *%rbx; rdsspq %rax; ud2; 1: rdsspq %rcx; ret");
	user(SHSTK, 0);
	RUN("call * to nowhere", "movabs $0x8000000000000000, %rbx; call *%rbx");
	user(SHSTK, 0);
	RUN("ret to nowhere", "movabs $0x8000000000000000, %rbx; push %rbx; ret");
	user(SHSTK, 0);
	RUN("call: no stack", "mov $8, %esp; xor %ebx, %ebx; mov %rbx, %rsp; call 1f; 1: nop; ud2");
	user(SHSTK, 0), page(USER, 0);
	RUN("call: no shadow stack", "call 1f; nop; 1: nop");
	user(SHSTK, 0), in.pl_ssp[3] = USER;
	RUN("call: below the shadow stack", "call 1f; nop; 1: nop");
	user(SHSTK, 0), in.pl_ssp[3] = USER + 0x1004;
	RUN("call: over the border", "call 1f; ud2; 1: rdsspq %rax; call 2f; rdsspq %rcx; ud2; 2: rdsspq %rbx; ret");
	user(SHSTK, 0), in.pl_ssp[3] = USER + 0x1004, page(USER2, 7);
	RUN("call: over the border, no stack", "call 1f; nop; 1: nop");
	user(SHSTK, 0);
	RUN("store", "mov %rbx, 0x40000");
	user(SHSTK, 0);
	RUN("load", "mov 0x40000, %rbx");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("32: call", "call 1f; ud2; 1: rdsspd %eax; mov (%esp), %ebx");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("32: call and ret", "call 1f; rdsspd %ecx; ud2; 1: rdsspd %eax; ret");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("32: smashed", "call 1f; ud2; 1: movl $0x10200, (%esp); ret");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("32: call *", "mov $0x10200, %ebx; call *%ebx");
	super(), in.u_cet = SHSTK, in.pl_ssp[3] = 1ull << 32 | SSP3;
	RUN("iret to 32: far", "push $0x33; push $0x38000; push $2; push $0x2b; push $0x10200; iretq");
	super(), in.u_cet = SHSTK;
	RUN("iret to 32", "push $0x33; push $0x38000; push $2; push $0x2b; push $0x10200; iretq");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("32: 16", "push $0; pushw $0x55; data16 ret");
}

static void
instructions_user(void)
{
	static const uint8_t counts[] = { 0, 1, 2, 0xff };

	for (unsigned i = 0; i < COUNT(counts); i++) {
		user(SHSTK, 0), in.gpr[BX] = 0x100 | counts[i];
		RUN("incsspq", "incsspq %rbx; rdsspq %rax");
		user(SHSTK, 0), in.gpr[BX] = 0x100 | counts[i];
		RUN("incsspd", "incsspd %ebx; rdsspq %rax");
		user(SHSTK, 0), page(USER2, 7), in.pl_ssp[3] = USER + 0xff8, in.gpr[BX] = counts[i];
		RUN("incsspq at the end", "incsspq %rbx; rdsspq %rax");
	}
	user(SHSTK, 0);
	RUN("rdsspd", "mov $-1, %rax; rdsspd %eax");
	user(SHSTK, 0);
	RUN("wrss: off", "wrssq %rbx, 0x407f8");
	user(WRITE, 0);
	RUN("wrss: without a stack", "wrssq %rbx, 0x407f8");
	user(SHSTK | WRITE, 0);
	RUN("wrssq", "mov $-2, %rbx; wrssq %rbx, 0x407f8");
	user(SHSTK | WRITE, 0);
	RUN("wrssd", "mov $-2, %rbx; wrssd %ebx, 0x407f8");
	user(SHSTK | WRITE, 0);
	RUN("wrssq: unaligned", "wrssq %rbx, 0x407fc");
	user(SHSTK | WRITE, 0);
	RUN("wrssd: unaligned", "wrssd %ebx, 0x407fa");
	user(SHSTK | WRITE, 0);
	RUN("wrssd: 4", "wrssd %ebx, 0x407fc");
	user(SHSTK | WRITE, 0);
	RUN("wrss: data", "wrssq %rbx, 0x20000");
	user(SHSTK | WRITE, 0);
	RUN("wrss: the supervisor's", "wrssq %rbx, 0x50000");
	user(SHSTK | WRITE, 0);
	RUN("wrss: nowhere", "movabs $0x8000000000000000, %rax; wrssq %rbx, (%rax)");
	user(SHSTK, 0);
	RUN("wruss at 3", "wrussq %rbx, 0x407f8");
	user(SHSTK, SHSTK);
	RUN("setssbsy at 3", "setssbsy");
	user(SHSTK, SHSTK);
	RUN("clrssbsy at 3", "clrssbsy 0x50ff8");
}

static void
switching(void)
{
	static const struct { const char *name; uint64_t token; unsigned at; } tokens[] = {
		{ "good", USER2 + 0x809, 0x800 }, { "no 64", USER2 + 0x808, 0x800 }, { "reserved", USER2 + 0x80b, 0x800 },
		{ "hole", USER2 + 0x80d, 0x800 },
		{ "other", USER2 + 0x811, 0x800 }, { "below", USER2 + 0x801, 0x800 }, { "high", 1ull << 32 | (USER2 + 0x809), 0x800 },
		{ "none", 0, 0x800 },
		{ "unaligned", USER2 + 0x80d, 0x804 },
	};

	for (unsigned i = 0; i < COUNT(tokens); i++)
		for (unsigned k = 0; k < 4; k++) {
			user(SHSTK, 0);
			AT(USER2 + 0x800) = tokens[i].token - (k == 3 && tokens[i].token);
			in.gpr[BX] = USER2 + tokens[i].at;
			in.rflags |= 0x8d5;
			if (k == 3)
				in.cs = SEL_CODE32_3 | 3;
			in.watch[0] = (const uint64_t *)(USER2 + 0x800), in.watch[2] = (const uint64_t *)(SSP3 - 16);
			print("rstorssp: ");
			print(tokens[i].name);
			if (k == 0)
				RUN("", "rstorssp (%rbx); pushf; pop %rax; rdsspq %rcx");
			else if (k == 1)
				RUN(", saveprevssp", "call 2f; 2: call 1f; nop; 1: rstorssp (%rbx); saveprevssp; "
					"rdsspq %rcx");
			else if (k == 2)
				RUN(", saveprevssp, back", "rstorssp (%rbx); clc; saveprevssp; rstorssp 0x407f8; "
					"rdsspq %rcx");
			else
				RUN32(", 32", "rstorssp (%ebx); pushf; pop %eax; rdsspd %ecx; saveprevssp; rdsspd %edx");
		}
	user(SHSTK, 0);
	RUN("saveprevssp: no token", "saveprevssp");
	user(SHSTK, 0), in.pl_ssp[3] = SSP3 - 4;
	RUN("saveprevssp: unaligned", "saveprevssp");
	user(SHSTK, 0), AT(SSP3) = SSP3 - 0x200 + 3;
	RUN("saveprevssp: cf", "stc; saveprevssp");
	user(SHSTK, 0), AT(SSP3) = SSP3 - 0x200 + 3, in.watch[2] = (const uint64_t *)(SSP3 - 0x208);
	RUN("saveprevssp", "clc; saveprevssp; rdsspq %rax");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3, AT(SSP3) = SSP3 - 0x204 + 2, in.watch[2] = (const uint64_t *)(SSP3 - 0x210);
	RUN32("saveprevssp: 32, cf", "stc; saveprevssp; rdsspd %eax");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3, AT(SSP3) = SSP3 - 0x204 + 2, AT(SSP3 + 8) = 1;
	RUN32("saveprevssp: 32, cf, no hole", "stc; saveprevssp; rdsspd %eax");
	user(SHSTK, 0), in.cs = SEL_CODE32_3 | 3, AT(SSP3) = 1ull << 32 | (SSP3 - 0x204 + 2);
	RUN32("saveprevssp: 32, high", "clc; saveprevssp; rdsspd %eax");
	super(), AT(SUPER_IST + 0x100) = SUPER_IST + 0x109, in.watch[2] = (const uint64_t *)(SUPER_IST + 0x100);
	RUN("rstorssp at 0", ON(1) "rstorssp 0x51100; clc; saveprevssp; rdsspq %rbx");
	super(), AT(USER2 + 0x100) = USER2 + 0x109;
	RUN("rstorssp at 0: the user's", ON(1) "rstorssp 0x41100");
}

/* Each kind of page for each kind of access. */
static void
paging(void)
{
	static const struct { const char *name; uint64_t pte, pde; } pages[] = {
		{ "stack ", 0x65, 7 }, { "super ", 0x61, 7 }, { "super by table ", 0x65, 3 }, { "accessed not ", 0x45, 7 },
		{ "clean ", 0x25, 7 },
		{ "writable ", 0x67, 7 }, { "table ro ", 0x65, 5 }, { "both ro, super ", 0x61, 5 }, { "none ", 0x64, 7 },
		{ "no table ", 0x65, 6 },
		{ "reserved ", 0x65 | 1ull << 51, 7 }, { "nx ", 0x65 | 1ull << 63, 7 }, { "free bits ", 0xe65, 7 },
	};

	for (unsigned i = 0; i < COUNT(pages); i++)
		for (unsigned k = 0; k < 8; k++) {
			uint64_t *table = (uint64_t *)0x60000;
			bool at0 = k >= 4;

			if (at0)
				super();
			else
				user(SHSTK | WRITE, 0);
			/* 4 MiB: a table of its own. */
			fill(table, 0, 4096);
			table[0] = USER | pages[i].pte;
			page_dir[2] = (uint64_t)table | pages[i].pde;
			in.watch[0] = &table[0], in.watch[1] = &page_dir[2];
			in.watch[2] = in.watch[3] = (const uint64_t *)(USER + 0x7f8);
			AT(USER + 0x7f8) = at0 ? 0x4007f8 : 0x10200;
			in.pl_ssp[3] = 0x4007f8, in.pl_ssp[0] = 0x4007f8;
			print(pages[i].name);
			switch (k) {
			case 0:
				in.pl_ssp[3] = 0x400800;
				RUN("call", "call 1f; nop; 1: nop");
				break;
			case 1:
				RUN("ret", "push $0x10200; ret");
				break;
			case 2:
				RUN("wrss", "wrssq %rbx, 0x4007f8");
				break;
			case 3:
				RUN("load, store", "mov 0x4007f8, %rax; mov %rbx, 0x4007f8");
				break;
			case 4:
				other_stack();
				RUN("setssbsy", ON(1));
				break;
			case 5:
				RUN("wruss", "wrussq %rbx, 0x4007f8");
				break;
			case 6:
				in.pl_ssp[0] = SSP0;
				RUN("wrss at 0", ON(3) "wrssq %rbx, 0x4007f8");
				break;
			case 7:
				in.cr4 |= CR4_SMAP;
				RUN("wruss, smap", "wrussq %rbx, 0x4007f8");
			}
		}
	user(SHSTK | WRITE, 0);
	RUN("remapped", "mov $100, %ecx; 2: call 1f; loop 2b; ud2; 1: ret");
	stacks(), in.watch[2] = (const uint64_t *)(USER + 0x7f8);
	in.gpr[BX] = (uint64_t)&page_table[0][USER >> 12];
	RUN("invlpg", "wrussq %rcx, 0x407f8; movq $0x40067, (%rbx); invlpg 0x40000; wrussq %rdx, 0x407f8");
	stacks(), in.cr4 |= 0x400000, in.pkru = 0, page_table[0][USER >> 12] |= 1ull << 59;
	in.watch[2] = (const uint64_t *)(USER + 0x7f8);
	RUN("keys: write", "wrussq %rsi, 0x407f8; xor %ecx, %ecx; xor %edx, %edx; mov $8, %eax; wrpkru; "
		"wrussq %rdi, 0x407f8");
	user(SHSTK, 0), in.cr4 |= 0x400000, in.pkru = 8, page_table[0][USER >> 12] |= 1ull << 59, AT(SSP3) = 0x10200;
	RUN("keys: load", "push $0x10200; ret");
	user(SHSTK, 0), in.cr4 |= 0x400000, in.pkru = 4, page_table[0][USER >> 12] |= 1ull << 59, AT(SSP3) = 0x10200;
	RUN("keys: no load", "push $0x10200; ret");
}

static void
supervisor(void)
{
	static const uint64_t tokens[] = { SSP0, SSP0 | 1, SSP0 | 2, SSP0 | 4, SSP0 | 1ull << 63, 0, SSP0 - 8 };

	for (unsigned i = 0; i < COUNT(tokens); i++) {
		print_field("token", tokens[i]);
		super(), AT(SSP0) = tokens[i], other_stack();
		RUN(" setssbsy", ON(1) "rdsspq %rbx");
		print_field("token", tokens[i]);
		super(), AT(SSP_DF) = tokens[i] + SSP_DF - SSP0, in.watch[1] = (const uint64_t *)SSP_DF;
		in.rflags |= 0x8d5;
		RUN(" clrssbsy", ON(1) "clrssbsy 0x517f8; pushf; pop %rsi; rdsspq %rbx; " ON_IBT(0));
	}
	super(), in.pl_ssp[0] = SSP0 - 4, other_stack();
	RUN("setssbsy: unaligned", ON(1));
	super();
	RUN("clrssbsy: unaligned", ON(1) "clrssbsy 0x517fc");
	super();
	RUN("clrssbsy: the user's", ON(1) "clrssbsy 0x40000");
	super();
	RUN("call and ret", ON(1) "call 1f; rdsspq %rcx; ud2; 1: rdsspq %rax; ret");
	super();
	RUN("smashed", ON(1) "call 1f; ud2; 1: movq $0x10200, (%rsp); ret");
	super();
	RUN("wrssq at 0", ON(3) "wrssq %rbx, 0x50ff0");
	super();
	RUN("wrssd at 0: off", ON(1) "wrssd %ebx, 0x50ff0");
	super();
	RUN("wrssq at 0: the user's", ON(3) "wrssq %rbx, 0x407f8");
	super();
	RUN("wruss: the supervisor's", "wrussq %rbx, 0x50ff0");
	super();
	RUN("wruss: unaligned", "wrussq %rbx, 0x407fc");
	super(), in.watch[1] = (const uint64_t *)(SSP3 - 8);
	RUN("wrussd", "wrussd %ebx, 0x407fc");
	super();
	RUN("store at 0", "mov %rbx, 0x50ff0");
}

/* The handler of vector 31h. */
#define HANDLER (CODE + 0x800)
#define CALLED(code) "call 1f; nop; 1: " code

static void
interrupts(void)
{
	static const char iretq[] = "\xf3\x0f\x1e\xfa\x48\xcf";

	user(SHSTK, 0);
	RUN("int: no stack at 0", "call 1f; nop; 1: int $0x30");
	user(0, SHSTK);
	RUN("int: no stack at 3", "int $0x30");
	user(SHSTK, SHSTK);
	RUN("int", "call 1f; nop; 1: int $0x30");
	user(SHSTK, SHSTK), in.rip = CODE + 0x300;
	RUN("#UD", "call 1f; nop; 1: ud2");
	user(SHSTK, SHSTK), in.cs = SEL_CODE32_3 | 3;
	RUN32("int: from 32", "call 1f; nop; 1: int $0x30");
	user(SHSTK, SHSTK), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 0), put(HANDLER, iretq, 6);
	RUN("int, iret", "call 1f; rdsspq %rbx; ud2; 1: int $0x31; rdsspq %rax; ret");
	user(SHSTK, SHSTK), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), put(HANDLER, iretq, 6), tss.ist[2] = IST_STACK;
	in.watch[2] = (const uint64_t *)SSP_IST;
	RUN("int, iret: ist", "call 1f; rdsspq %rbx; ud2; 1: int $0x31; rdsspq %rax; ret");
	user(SHSTK, SHSTK), set_gate(0x30, SEL_CODE, 0, 0, 0), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), tss.ist[2] = IST_STACK;
	in.watch[2] = (const uint64_t *)SSP_IST;
	RUN("int: ist", "call 1f; nop; 1: int $0x31");
	user(SHSTK, SHSTK), AT(TABLE + 24) = SSP_IST - 4, set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), tss.ist[2] = IST_STACK;
	RUN("int: ist, unaligned", "int $0x31");
	user(SHSTK, SHSTK), AT(SSP_IST) |= 1, set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), tss.ist[2] = IST_STACK;
	RUN("int: ist, busy", "int $0x31");

	super();
	RUN("int at 0", ON(1) CALLED("int $0x30"));
	super();
	RUN("int at 0: a hole", ON(3) "mov $1, %ebx; incsspd %ebx; mov $0x50ff0, %eax; rdsspq %rsi; int $0x30");
	super(), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 0), put(HANDLER, iretq, 6);
	RUN("int at 0, iret", ON(1) CALLED("int $0x31; rdsspq %rax"));
	super(), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), put(HANDLER, iretq, 6), tss.ist[2] = IST_STACK;
	in.watch[2] = (const uint64_t *)SSP_IST;
	in.watch[3] = in.watch[2] - 1;
	RUN("int at 0, iret: ist", ON(1) CALLED("int $0x31; rdsspq %rax"));
	super(), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 3), put(HANDLER, "\xf3\x0f\x1e\xfa\x0f\x0b", 6), tss.ist[2] = IST_STACK;
	in.watch[1] = (const uint64_t *)SSP_IST, in.watch[2] = in.watch[1] - 2, in.watch[3] = in.watch[1] - 3;
	RUN("int at 0: ist", ON(1) CALLED("int $0x31"));
	/* What IRET compares. */
	for (unsigned k = 0; k < 5; k++) {
		static const char *const names[] = { "cs", "cs high", "rip", "ssp", "not aligned" };

		super(), set_gate(0x31, SEL_CODE, HANDLER + 0x20, 0xee, 0), put(HANDLER + 0x20, "\xff\xe6", 2);
		print("iret: ");
		if (k == 0)
			in.gpr[BX] = SSP0 - 8, in.gpr[DI] = 0x10;
		else if (k == 1)
			in.gpr[BX] = SSP0 - 8, in.gpr[DI] = 0x10008;
		else if (k == 2)
			in.gpr[BX] = SSP0 - 16, in.gpr[DI] = CODE;
		else
			in.gpr[BX] = SSP0 - 24, in.gpr[DI] = SSP0 - (k == 3 ? 0x100 : 0x101);
		RUN(names[k], ON(3) "lea 1f(%rip), %rsi; int $0x31; rdsspq %rax; ud2; 1: wrssq %rdi, (%rbx); iretq");
	}
	super(), set_gate(0x31, SEL_CODE, HANDLER + 0x20, 0xee, 0), put(HANDLER + 0x20, "\xff\xe6", 2);
	RUN("iret: ssp unaligned", ON(3) "lea 1f(%rip), %rsi; int $0x31; rdsspq %rax; ud2; "
		"1: mov $1, %ebx; incsspd %ebx; iretq");
}

static void
far_transfers(void)
{
	super();
	RUN("lcall", ON(1) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); ud2; 1: rdsspq %rax");
	super();
	RUN("lcall, lret", ON(1) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); "
		"rdsspq %rbx; ud2; 1: rdsspq %rax; lretq");
	super();
	RUN("lcall, hole", ON(1) "mov $1, %ebx; incsspd %ebx; mov $2, %ebx; push $8; lea 1f(%rip), %rbx; push %rbx; "
		"rex.W lcall *(%rsp); ud2; 1: rdsspq %rax");
	super();
	RUN("lret, smashed", ON(1) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); ud2; "
		"1: movq $0x10200, (%rsp); lretq");
	super();
	RUN("lret, no frame", ON(1) "push $8; push $0x10200; lretq");
	user(SHSTK, SHSTK), call_gate(SEL_A, SEL_CODE, HANDLER, 0xec);
	RUN("call gate", "movl $0x50, 0x20008; lcall *0x20004");
	user(SHSTK, SHSTK), call_gate(SEL_A, SEL_CODE, HANDLER, 0xec), put(HANDLER, "\x48\xcb", 2);
	RUN("call gate, lret", "movl $0x50, 0x20008; call 1f; rdsspq %rbx; ud2; 1: lcall *0x20004; rdsspq %rax; ret");
	user(SHSTK, 0);
	RUN("syscall", CALLED("syscall"));
	user(SHSTK, SHSTK), put(CODE + 0x800, "\xf3\x48\x0f\x1e\xc8\x48\x0f\x07", 8);
	RUN("syscall, sysret", CALLED("syscall; rdsspq %rbx"));
	/* Nothing has changed when it faults. */
	user(SHSTK, SHSTK), put(CODE + 0x800, "\x48\x0f\xba\xe9\x2f\x48\x0f\x07", 8), other_stack();
	RUN("syscall, sysret to nowhere", CALLED("syscall"));
	user(SHSTK, SHSTK), put(CODE + 0x800, "\x0f\x07", 2), in.cs = SEL_CODE32_3 | 3;
	RUN32("syscall from 32", CALLED("syscall"));
	user(SHSTK, SHSTK), put(CODE + 0x800, "\xb9\x74\x01\0\0\x31\xd2\xb8\x08\0\0\0\x0f\x30\xff\xc1\xb8\0\xc0\x04\0\x0f\x30\xff\xc1"
		"\xb8\0\x09\x01\0\x0f\x30"
		"\x48\x89\xd9\x48\x0f\x07", 38);
	put(CODE + 0x900, "\xf3\x48\x0f\x1e\xcf\x48\x89\xf2\x48\x89\xe9\x48\x0f\x35", 14);
	in.star = 0x001b0008ull << 32;
	RUN("sysenter, sysexit", "lea 1f(%rip), %rbx; mov %rsp, %rbp; lea 2f(%rip), %rsi; syscall; "
		"1: sysenter; 2: rdsspq %rax");
}

/* Data breakpoints on shadow stacks: behind what reads or writes there.  Kind 0 is of writes, 1 of all accesses. */
static void
breakpoints(void)
{
	for (unsigned k = 0; k < 2; k++) {
		user(SHSTK, 0), in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: call, ret", "call 1f; nop; mov $1, %ebx; ud2; 1: nop; ret");
		user(SHSTK, 0), in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: call *", "lea 1f(%rip), %rbx; call *%rbx; ud2; 1: nop");
		user(SHSTK, 0), in.dr0 = SSP3 - 6, in.dr7 = k ? 0x30402 : 0x10402;
		RUN("bp: inside", "call 1f; ud2; 1: nop");
		user(SHSTK, 0), in.dr0 = SSP3 - 16, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: below", "call 1f; nop; nop; 1: nop");
		user(SHSTK, 0), AT(SSP3 - 8) = CODE + 0x180, in.pl_ssp[3] = SSP3 - 8, in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: ret", "push $0x10180; ret; .org 7701b + 0x80; nop; nop");
		user(SHSTK, 0), in.dr0 = SSP3 - 8, in.pl_ssp[3] = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402, other_stack();
		RUN("bp: ret that faults", "push $0x10180; ret");
		user(SHSTK, 0), in.pl_ssp[3] = SSP3 - 8, in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: incssp", "mov $1, %ebx; incsspq %rbx; nop; nop");
		user(SHSTK | WRITE, 0), in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: wrss", "mov $0x407f8, %ebx; wrssq %rax, (%rbx); nop; nop");
		user(SHSTK, 0), in.dr0 = SSP3 - 8, in.dr7 = k ? 0xb0402 : 0x90402, AT(SSP3 - 8) = SSP3 + 1;
		RUN("bp: rstorssp", "rstorssp 0x407f8; nop; nop");
		super(), in.dr0 = SSP0, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: setssbsy", ON(1) "nop; nop");
		super(), in.dr0 = SSP0 - 24, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: lcall", ON(1) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); ud2; 1: nop; nop");
		super(), in.dr0 = STACK0 - 24, in.dr7 = k ? 0xb0402 : 0x90402;
		RUN("bp: lcall, the other stack", ON(1) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); ud2; 1: nop; nop");
		/* Of an event: before the handler's first instruction. */
		super(), in.dr0 = SSP0 - 24, in.dr7 = k ? 0xb0402 : 0x90402, set_gate(0x30, SEL_CODE, CODE + 0x200, 0xee, 0);
		RUN("bp: int", ON(1) "int $0x30; ud2; .org 7701b + 0x100; nop; nop");
	}
	/* A page that is remembered from before. */
	super();
	RUN("bp: remembered", ON(1) "call 1f; 1: mov $0x50fe8, %ebx; mov %rbx, %dr0; mov $0x90402, %ebx; mov %rbx, %dr7; "
		"call 2f; 2: inc %esi; call 3f; nop; 3: inc %esi; call 4f; nop; 4: inc %esi");
}

static void
branches(void)
{
	user(ENDBR, 0);
	RUN("ibt: jmp *", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: endbr64; nop");
	user(ENDBR, 0);
	RUN("ibt: jmp * elsewhere", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop");
	user(ENDBR, 0);
	RUN("ibt: jmp * memory", "lea 1f(%rip), %rbx; mov %rbx, 0x20000; jmp *0x20000; ud2; 1: nop");
	user(ENDBR, 0);
	RUN("ibt: call *", "lea 1f(%rip), %rbx; call *%rbx; inc %edx; ud2; 1: endbr64; inc %ecx; ret");
	user(ENDBR, 0);
	RUN("ibt: call * elsewhere", "lea 1f(%rip), %rbx; call *%rbx; ud2; 1: inc %ecx; ret");
	user(ENDBR, 0);
	RUN("ibt: call * memory", "lea 1f(%rip), %rbx; mov %rbx, 0x20000; call *0x20000; ud2; 1: nop");
	user(ENDBR, 0);
	RUN("ibt: call * to nowhere", "movabs $0x8000000000000000, %rbx; call *%rbx");
	user(ENDBR, 0);
	RUN("ibt: jmp * to nowhere", "movabs $0x8000000000000000, %rbx; jmp *%rbx");
	user(ENDBR | SHSTK, 0);
	RUN("ibt and stack", "mov $300, %ecx; lea 1f(%rip), %rbx; 2: call *%rbx; dec %ecx; jnz 2b; "
		"rdsspq %rax; ud2; 1: endbr64; inc %edx; ret");
	user(ENDBR, 0);
	RUN("ibt: endbr32", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: endbr32; nop");
	user(ENDBR, 0);
	RUN("ibt: int3", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: int3; nop");
	user(ENDBR, 0);
	RUN("ibt: int1", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: .byte 0xf1; nop");
	user(ENDBR, 0);
	RUN("ibt: ud2", "lea 1f(%rip), %rbx; jmp *%rbx; nop; 1: ud2");
	user(ENDBR, 0);
	RUN("ibt: not there", "mov $0x60000, %ebx; jmp *%rbx");
	user(ENDBR, 0);
	RUN("ibt: direct", "jmp 1f; ud2; 1: call 2f; 2: jz 3f; 3: push $0x10200; ret");
	user(ENDBR, 0);
	RUN("ibt: notrack, off", "lea 1f(%rip), %rbx; notrack jmp *%rbx; ud2; 1: nop");
	user(ENDBR | NO_TRACK, 0);
	RUN("ibt: notrack", "lea 1f(%rip), %rbx; notrack jmp *%rbx; ud2; 1: lea 1f(%rip), %rbx; "
		"notrack call *%rbx; ud2; 1: nop");
	user(ENDBR | NO_TRACK, 0);
	RUN("ibt: notrack, then fs", "lea 1f(%rip), %rbx; .byte 0x3e, 0x64; jmp *%rbx; ud2; 1: nop");
	user(ENDBR | NO_TRACK, 0);
	RUN("ibt: fs, then notrack", "lea 1f(%rip), %rbx; .byte 0x64, 0x3e; jmp *%rbx; ud2; 1: nop");
	user(ENDBR | WAIT, 0);
	RUN("ibt: waiting", "nop");
	user(ENDBR | WAIT, 0);
	RUN("ibt: waiting, endbr", "endbr64; nop");
	user(WAIT, 0);
	RUN("ibt: waiting, off", "nop");
	user(ENDBR | 0x400, 0);
	RUN("ibt: suppressed", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop");
	user(ENDBR | 0x400, 0);
	RUN("ibt: suppressed until endbr", "endbr64; lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop");
	for (unsigned k = 0; k < 6; k++) {
		uint8_t bit = 1 << (CODE >> 12 & 7);

		user(ENDBR | LEGACY | (k & 1 ? NO_SUPPRESS : 0) | BITMAP, 0);
		/* The bit of the snippet's page. */
		*(uint8_t *)(BITMAP + (CODE >> 15)) = k / 2 == 0 ? 0 : k / 2 == 1 ? bit : (uint8_t)~bit;
		print(k & 1 ? "never suppressed, " : "");
		RUN("ibt: legacy code", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop; lea 2f(%rip), %rbx; "
			"call *%rbx; ud2; 2: inc %ecx");
	}
	/* Breakpoints at what the map excuses: RF holds until it has run. */
	for (unsigned k = 0; k < 4; k++) {
		user(ENDBR | LEGACY | WAIT | BITMAP, 0);
		*(uint8_t *)(BITMAP + (CODE >> 15)) = 0xff;
		in.dr0 = k < 2 ? CODE + 0x100 : CODE + 0x101, in.dr7 = 0x402;
		in.rflags |= k & 1 ? 0x10000 : 0;
		RUN("ibt: legacy code, breakpoint", "nop; nop; nop");
	}
	user(ENDBR | LEGACY | WAIT | BITMAP, 0), *(uint8_t *)(BITMAP + (CODE >> 15)) = 0xff, in.rflags |= 0x100;
	RUN("ibt: legacy code, step", "nop; nop; nop");
	user(ENDBR | LEGACY | 0x60000, 0), page(0x60000, 0), page(0x60000 + (CODE >> 15), 0);
	RUN("ibt: no map", "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop");
	user(ENDBR, 0), in.cs = SEL_CODE32_3 | 3;
	RUN32("ibt: 32", "mov $0x10180, %ebx; jmp *%ebx");
	user(ENDBR, 0), in.cs = SEL_CODE32_3 | 3, put(CODE + 0x180, "\xf3\x0f\x1e\xfb\x90\x0f\x0b", 7);
	RUN32("ibt: 32, endbr32", "mov $0x10180, %ebx; jmp *%ebx");
	user(ENDBR, 0), in.cs = SEL_CODE32_3 | 3, put(CODE + 0x180, "\xf3\x0f\x1e\xfa\x90\x0f\x0b", 7);
	RUN32("ibt: 32, endbr64", "mov $0x10180, %ebx; jmp *%ebx");
	user(ENDBR, 0), in.rflags |= 0x100;
	RUN("ibt: step", "lea 1f(%rip), %rbx; jmp *%rbx; nop; 1: endbr64");
	user(ENDBR, ENDBR);
	RUN("ibt: int", "int $0x30");
	user(ENDBR, ENDBR), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 0), put(HANDLER, "\x90\x90", 2);
	RUN("ibt: int elsewhere", "int $0x31");
	user(ENDBR, ENDBR), set_gate(0x31, SEL_CODE, HANDLER, 0xee, 0), put(HANDLER, "\xf3\x0f\x1e\xfa\x48\xcf", 6);
	RUN("ibt: int, iret", "int $0x31; nop");
	user(ENDBR, ENDBR);
	RUN("ibt: syscall elsewhere", "syscall");
	user(ENDBR, ENDBR), put(CODE + 0x800, "\xf3\x0f\x1e\xfa\x90\x90", 6);
	RUN("ibt: syscall", "syscall");
	user(0, ENDBR), call_gate(SEL_A, SEL_CODE, HANDLER, 0xec);
	RUN("ibt: call gate", "movl $0x50, 0x20008; lcall *0x20004");
	super();
	RUN("ibt: jmp * at 0", ON_IBT(4) "lea 1f(%rip), %rbx; jmp *%rbx; ud2; 1: nop");
	super();
	RUN("ibt: call * at 0", ON_IBT(4) "lea 1f(%rip), %rbx; call *%rbx; inc %esi; ud2; 1: endbr64; inc %edi; ret");
	super();
	RUN("ibt: ljmp", ON_IBT(4) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W ljmp *(%rsp); ud2; 1: nop");
	super();
	RUN("ibt: ljmp, suppressed", ON_IBT(0x404) "push $8; lea 1f(%rip), %rbx; push %rbx; "
		"rex.W ljmp *(%rsp); ud2; 1: nop");
	super();
	RUN("ibt: lcall", ON_IBT(4) "push $8; lea 1f(%rip), %rbx; push %rbx; rex.W lcall *(%rsp); ud2; 1: endbr64; nop");
	super();
	RUN("ibt: waiting at 0", ON_IBT(0x804) "nop");
	super();
	RUN("ibt: loop", ON_IBT(4) "mov $1000, %ecx; lea 1f(%rip), %rbx; lea 3f(%rip), %rsi; "
		"2: call *%rbx; jmp *%rsi; 1: endbr64; inc %edx; ret; "
		"3: endbr64; dec %ecx; jnz 2b");
}

static void
registers(void)
{
	static const uint64_t values[] = { 0, 1, 2, 4, 8, 0x10, 0x20, 0x40, 0x80, 0x100, 0x200, 0x400, 0x800, 0xc00, 0x1000, 0x7ffffffff000,
		0x800000000000, 0xffff800000000000, 1ull << 63, 0x3f };
	static const uint32_t msrs[] = { 0x6a0, 0x6a2, 0x6a4, 0x6a5, 0x6a6, 0x6a7, 0x6a8 };

	for (unsigned m = 0; m < COUNT(msrs); m++)
		for (unsigned i = 0; i < COUNT(values); i++) {
			in.gpr[CX] = msrs[m], in.gpr[AX] = (uint32_t)values[i], in.gpr[DX] = values[i] >> 32;
			print_field("msr", msrs[m]);
			print_field("", values[i]);
			RUN("", "mov %eax, %esi; mov %edx, %edi; wrmsr; rdmsr; mov %eax, %r8d; mov %edx, %r9d; "
				"xor %eax, %eax; xor %edx, %edx; wrmsr");
		}
	RUN("cr4: without wp", "mov %cr4, %rax; or $0x800000, %rax; mov %rax, %cr4");
	super();
	RUN("cr0: wp off", "mov %cr0, %rax; btr $16, %rax; mov %rax, %cr0");
	super();
	RUN("cr4: off", "mov %cr4, %rax; btr $23, %rax; mov %rax, %cr4; xor %eax, %eax");
	RUN("cpuid 7", "mov $7, %eax; xor %ecx, %ecx; cpuid; and $0x80, %ecx; and $0x100000, %edx; "
		"xor %eax, %eax; xor %ebx, %ebx");
	for (unsigned k = 11; k <= 12; k++) {
		in.gpr[CX] = k;
		RUN("cpuid d", "mov $0xd, %eax; cpuid");
	}
	RUN("cpuid d 1", "mov $0xd, %eax; mov $1, %ecx; cpuid; xor %eax, %eax; xor %ebx, %ebx");
}

enum { CR4_OSFXSR = 0x200, CR4_OSXSAVE = 0x40000, AREA = DATA + 0x1000 };
#define COMPACT (1ull << 63)
#define XSS(mask) "mov $0xda0, %ecx; xor %edx, %edx; mov $" #mask ", %eax; wrmsr; "

static void
saving(void)
{
	super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA, in.u_cet = 3, in.pl_ssp[1] = 0x1238, in.pl_ssp[2] = 0x5670;
	for (unsigned i = 0; i < 4; i++)
		in.watch[i] = (const uint64_t *)(uint64_t)(AREA + 576 + 8 * i);
	RUN("xsaves: user", XSS(0x1800) "mov $0x800, %eax; xsaves64 (%rbx); mov 0x200(%rbx), %rsi; "
		"mov 0x208(%rbx), %rdi");
	super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA, in.u_cet = 3, in.pl_ssp[1] = 0x1238, in.pl_ssp[2] = 0x5670;
	for (unsigned i = 0; i < 4; i++)
		in.watch[i] = (const uint64_t *)(uint64_t)(AREA + 576 + 8 + 8 * i);
	RUN("xsaves: both", XSS(0x1800) "mov $0x1800, %eax; xsaves64 (%rbx); mov 0x200(%rbx), %rsi; "
		"mov 0x208(%rbx), %rdi");
	super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA, in.pl_ssp[3] = in.pl_ssp[0] = 0;
	RUN("xsaves: nothing", XSS(0x1800) "mov $0x1800, %eax; xsaves64 (%rbx); mov 0x200(%rbx), %rsi; "
		"mov 0x208(%rbx), %rdi");
	for (unsigned k = 0; k < 5; k++) {
		static const struct { const char *name; uint64_t u_cet, ssp; } cases[] = {
			{ "good", 0x13, 0x7ff8 }, { "reserved", 0x40, 0x7ff8 }, { "both", 0xc04, 0 }, { "unaligned", 3, 0x7ffa },
			{ "far", 3, 0x8000000000000000 },
		};

		super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA;
		AT(AREA + 512) = 0x800, AT(AREA + 520) = COMPACT | 0x1800, AT(AREA + 576) = cases[k].u_cet, AT(AREA + 584) = cases[k].ssp;
		print("xrstors: ");
		RUN(cases[k].name, XSS(0x1800) "mov $0x1800, %eax; xrstors64 (%rbx)");
	}
	super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA;
	AT(AREA + 512) = 0x1000, AT(AREA + 520) = COMPACT | 0x1800;
	AT(AREA + 592) = 0x1110, AT(AREA + 600) = 0x2220, AT(AREA + 608) = 0x3330;
	RUN("xrstors: super", XSS(0x1800) "mov $0x1800, %eax; xrstors64 (%rbx)");
	super(), in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE, in.gpr[BX] = AREA;
	AT(AREA + 512) = 0x800, AT(AREA + 520) = COMPACT | 0x800;
	RUN("xrstors: not in xss", XSS(0) "mov $0x1800, %eax; xrstors64 (%rbx)");
}

void
run_tests(void)
{
	switched_off();
	near_user();
	instructions_user();
	switching();
	paging();
	supervisor();
	interrupts();
	far_transfers();
	breakpoints();
	branches();
	registers();
	saving();
}
