/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paging of 32-bit guests: rights, reserved bits, large pages, accessed and dirty bits, flushing. */
#include "prot.h"

enum { P = 1, W = 2, U = 4, A = 0x20, D = 0x40, PS = 0x80, G = 0x100, LINEAR = 0x800000, TARGET = CODE + 0x8000 };
enum { CR0_WP = 0x10000, CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_PGE = 0x80, CR4_SMEP = 0x100000,
	CR4_SMAP = 0x200000, EFER_NX = 0x800, FLAG_AC = 0x40000 };
#define NX (1ull << 63)

static uint32_t second[1024] __attribute__((aligned(4096)));

static const struct config { const char *name; uint32_t cr0, cr4, eflags; } configs[] = {
	{ "", 0, 0, 0 }, { "wp ", CR0_WP, 0, 0 }, { "smep ", CR0_WP, CR4_SMEP, 0 }, { "smap ", CR0_WP, CR4_SMAP, 0 },
	{ "smap ac ", 0, CR4_SMAP, FLAG_AC },
};

static void
snippets(const struct config *c, unsigned k, bool user)
{
	if (user)
		ring3();
	else
		for (unsigned n = CODE >> 12; n < STACK_BEGIN >> 12; n++)
			page_table[n] &= ~U, pae_table[n] &= ~U;
	in.cr0 |= c->cr0;
	in.cr4 |= c->cr4;
	in.eflags |= c->eflags;
	print(user ? "3 " : "0 ");
	print(c->name);
	switch (k) {
	case 0:
		RUN("read", "mov 0x800010, %eax; mov $0, %eax");
		break;
	case 1:
		RUN("write", "movl $0x0b0f0b0f, 0x800010");
		break;
	case 2:
		RUN("exec", "mov $0x800020, %eax; jmp *%eax");
	}
}

/* Two levels, each with its rights. */
static void
rights(void)
{
	static const uint8_t flags[] = { 0, P, P | W, P | U, P | W | U };

	for (unsigned n = 0; n < COUNT(configs); n++)
		for (unsigned k = 0; k < 3; k++)
			for (unsigned user = 0; user < 2; user++)
				for (unsigned i = 0; i < 25; i++) {
					paging();
					page_dir[LINEAR >> 22] = (uint32_t)second | flags[i / 5];
					second[0] = TARGET | flags[i % 5];
					in.watch[0] = &page_dir[LINEAR >> 22];
					in.watch[1] = &second[0];
					print_hex(i, 2);
					print(" ");
					/* Addresses of tables are no result. */
					page_dir[LINEAR >> 22] &= 0xfff;
					page_dir[LINEAR >> 22] |= 0x60000;
					copy((void *)0x60000, second, 4096);
					in.watch[1] = (const uint32_t *)0x60000;
					snippets(&configs[n], k, user);
				}
}

static void
large(void)
{
	static const struct { const char *name; uint32_t pde, cr4; } cases[] = {
		{ "4M ", 0x000000e7 & ~0x60u, CR4_PSE }, { "4M no pse ", 0x60087, 0 }, { "4M reserved ", 0x200087, CR4_PSE },
		{ "4M ro ", 0x85, CR4_PSE },
		{ "4M super ", 0x83, CR4_PSE }, { "4M global ", 0x187, CR4_PSE | CR4_PGE }, { "4M pat ", 0x1087, CR4_PSE },
		{ "4M 36 bits ", 0x00002087, CR4_PSE },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned k = 0; k < 6; k++) {
			paging();
			fill((void *)0x60000, 0, 4096);
			*(uint32_t *)hidden(0x20) = 0x0b0f0b0f;
			*(uint32_t *)0x60000 = TARGET | 7;
			page_dir[LINEAR >> 22] = cases[i].pde;
			in.cr4 |= cases[i].cr4;
			in.watch[0] = &page_dir[LINEAR >> 22];
			print(cases[i].name);
			if (k / 2 == 2 && i == 7)
				in.watch[0] = 0;
			snippets(&configs[1], k / 2, k & 1);
		}
}

static void
pae_pages(void)
{
	static const struct { const char *name; uint64_t pdpte, pde, pte; uint32_t cr4, efer; } cases[] = {
		{ "pae ", 1, 7, 7, 0, 0 }, { "pae nx ", 1, 7, 7 | NX, 0, EFER_NX }, { "pae nx off ", 1, 7, 7 | NX, 0, 0 },
		{ "pae pde nx ", 1, 7 | NX, 7, 0, EFER_NX }, { "pae reserved ", 1, 7, 7 | 1ull << 52, 0, 0 },
		{ "pae reserved 62 ", 1, 7, 7 | 1ull << 62, 0, 0 },
		{ "pae pde reserved ", 1, 7 | 1ull << 54, 7, 0, 0 }, { "pae none ", 1, 7, 6, 0, EFER_NX },
		{ "pae none reserved ", 1, 7, 6 | 1ull << 62, 0, EFER_NX },
		{ "pae 2M ", 1, 0x87, 0, 0, 0 }, { "pae 2M reserved ", 1, 0x2087, 0, 0, 0 },
		{ "pae 2M nx ", 1, 0x87 | NX, 0, 0, EFER_NX },
		{ "pae 2M pat ", 1, 0x1087, 0, 0, 0 }, { "pae ro ", 1, 5, 7, 0, 0 }, { "pae super ", 1, 7, 3, 0, EFER_NX },
		{ "pae ro nx ", 1, 7 | NX, 5, 0, EFER_NX },
	};

	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned k = 0; k < 6; k++) {
			pae();
			in.efer = cases[i].efer;
			*(uint64_t *)0x60000 = TARGET | cases[i].pte;
			pae_dir[0][LINEAR >> 21] = cases[i].pde & 0x80 ? cases[i].pde : 0x60000 | cases[i].pde;
			in.watch[0] = (const uint32_t *)&pae_dir[0][LINEAR >> 21];
			in.watch[1] = (const uint32_t *)0x60000;
			print(cases[i].name);
			snippets(&configs[1], k / 2, k & 1);
		}
}

static void
pdptes(void)
{
	static const uint64_t bad[] = { 1, 0, 2, 3, 5, 9, 0x11, 0x21, 0x41, 0x81, 0x101, 0x201, 0x801, 1ull << 62 | 1,
		1ull << 63 | 1, 1ull << 62 };

	for (unsigned i = 0; i < COUNT(bad); i++) {
		pae();
		copy((void *)0x60000, pdpt, 32);
		*(uint64_t *)0x60018 = bad[i];
		print_field("pdpte", bad[i]);
		RUN(" by cr3", "mov $0x60000, %eax; mov %eax, %cr3");
		in.cr3 = 0x60000, in.cr4 = 0x20;
		copy((void *)0x60000, pdpt, 32);
		*(uint64_t *)0x60018 = bad[i];
		print_field("pdpte", bad[i]);
		RUN(" by cr0", "mov %cr0, %eax; or $0x80000000, %eax; mov %eax, %cr0; xor %eax, %eax");
	}
	pae();
	RUN("pdpte: absent", "mov $0x6001f, %eax; mov %eax, %cr3; nop");
}

static void
flushing(void)
{
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7;
	RUN("invlpg", "mov 0x800000, %eax; movl $0x20007, 0x60000; invlpg 0x800000; mov 0x800000, %ebx");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7;
	RUN("invlpg, inside", "mov 0x800000, %eax; movl $0x20006, 0x60000; invlpg 0x800fff; mov 0x800000, %ebx");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7;
	RUN("cr3", "mov 0x800000, %eax; movl $0x20005, 0x60000; mov %cr3, %ebx; mov %ebx, %cr3; mov 0x800000, %ecx; "
		"xor %ebx, %ebx");
	paging();
	in.cr4 |= CR4_PGE;
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7 | G;
	RUN("pge off", "mov 0x800000, %eax; movl $0x20005, 0x60000; xor %ebx, %ebx; mov %ebx, %cr4; mov 0x800000, %ecx");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7;
	RUN("write after read", "mov 0x800000, %eax; mov 0x60000, %ebx; mov %eax, 0x800000; mov 0x60000, %ecx");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7, *(uint32_t *)0x60004 = (TARGET + 0x1000) | 6;
	RUN("write over the border", "movl $0x12345678, 0x800ffe");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 6, *(uint32_t *)0x60004 = (TARGET + 0x1000) | 6;
	RUN("write over the border, first", "movl $0x12345678, 0x800ffe");
	ring3();
	paging();
	in.cr0 |= CR0_WP;
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7, *(uint32_t *)0x60004 = (TARGET + 0x1000) | 5;
	RUN("modify over the border", "addl $0x12345678, 0x800ffe; nop");
	ring3();
	paging();
	in.cr0 |= CR0_WP;
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7, *(uint32_t *)0x60004 = (TARGET + 0x1000) | 5;
	in.gpr[DI] = LINEAR + 0xffd, in.gpr[CX] = 2;
	RUN("rep over the border", "rep stosl; nop");
	ring3();
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	*(uint32_t *)0x60000 = TARGET | 7, *(uint32_t *)0x60004 = (TARGET + 0x1000) | 6;
	*(uint32_t *)(TARGET + 0xffc) = 0x05c79090;
	RUN("exec over the border", "mov $0x800ffc, %eax; jmp *%eax");
	paging();
	page_dir[LINEAR >> 22] = 0x60007;
	RUN("double: stack not there", "mov $0x800000, %esp; push %eax");
	paging();
	idt[13] = 0;
	RUN("double: gp, gate", "ljmp $0x10, $0");
	paging();
	idt[14] = 0;
	RUN("double: pf, gate", "mov 0xc00000, %eax");
	paging();
	idt[0] = 0;
	RUN("double: de, gate", "xor %ecx, %ecx; div %ecx");
	paging();
	idt[6] = 0;
	RUN("double: ud, gate isn't", "ud2");
}

static void
control(void)
{
	static const struct { const char *name; uint32_t cr0; } values[] = {
		{ "pg without pe", 0x80000010 }, { "nw without cd", 0x20000031 }, { "cd", 0x40000031 }, { "cd nw", 0x60000031 },
		{ "reserved", 0x1ffaffc0 | 0x31 },
		{ "et", 0x21 }, { "ts em mp", 0x3f }, { "am wp", 0x50031 },
	};

	for (unsigned i = 0; i < COUNT(values); i++) {
		in.gpr[AX] = values[i].cr0;
		print(values[i].name);
		RUN(" cr0", "mov %eax, %cr0");
	}
	for (unsigned i = 0; i < 32; i++) {
		/* VMX, SMX, and the features that processors may have or lack. */
		if (i == 13 || i == 14 || i == 12 || i == 16 || i == 18 || i == 0 || i == 1 || i == 11 || i >= 22)
			continue;
		in.gpr[AX] = 1u << i;
		print_field("cr4", i);
		RUN(" set", "mov %eax, %cr4");
	}
	RUN("cr4 pcide without lma", "mov $0x20000, %eax; mov %eax, %cr4");
	RUN("cr4 reserved", "mov $0x80000000, %eax; mov %eax, %cr4");
	RUN("lmsw", "mov $0xfff0, %eax; lmsw %ax; smsw %ebx; mov $0xe, %ax; lmsw %ax; smsw %ecx");
	in.cr0 |= 8;
	RUN("clts", "clts");
	in.cr0 |= 8;
	RUN("ts: x87", "fnop");
	in.cr0 |= 4;
	RUN("em: x87", "fnop");
	in.cr0 |= 8;
	RUN("ts: wait", "fwait");
	in.cr0 |= 0xa;
	RUN("ts mp: wait", "fwait");
	in.cr0 |= 6;
	RUN("em mp: wait", "fwait");
	in.cr0 |= 8;
	RUN("ts: mmx", "pxor %mm0, %mm0");
	in.cr0 |= 4;
	RUN("em: mmx", "pxor %mm0, %mm0");
	RUN("no osfxsr: sse", "xorps %xmm0, %xmm0");
	in.cr4 = 0x200;
	RUN("sse", "xorps %xmm0, %xmm0");
	in.cr4 = 0x200, in.cr0 |= 8;
	RUN("ts: sse", "xorps %xmm0, %xmm0");
	in.cr4 = 0x200, in.cr0 |= 4;
	RUN("em: sse", "xorps %xmm0, %xmm0");
	in.cr4 = 0x200, in.cr0 |= 0xc;
	RUN("em ts: sse", "xorps %xmm0, %xmm0");
	in.cr0 |= 8;
	RUN("ts: fxsave", "fxsave 0x20100");
	in.cr0 |= 8;
	RUN("ts: fnstsw", "fnstsw %ax");
	in.cr0 |= 8;
	RUN("ts: sfence", "sfence; prefetcht0 (%eax); mfence");
	in.cr4 = 0x200;
	RUN("xm without osxmmexcpt", "movl $0x1f00, 0x20100; ldmxcsr 0x20100; xorps %xmm0, %xmm0; "
		"sqrtss 0x20104, %xmm0; movl $0xbf800000, 0x20104; "
		"sqrtss 0x20104, %xmm0");
	in.cr4 = 0x600;
	RUN("xm", "movl $0x1f00, 0x20100; ldmxcsr 0x20100; xorps %xmm0, %xmm0; movl $0xbf800000, 0x20104; "
		"sqrtss 0x20104, %xmm0");
	RUN("mf", "fninit; movw $0x37e, 0x20100; fldcw 0x20100; fldz; fldz; fdivp; nop; fnop");
	RUN("mf invalid", "fninit; movw $0x37e, 0x20100; fldcw 0x20100; fldz; fld1; fchs; fsqrt; nop; fwait");
	in.cr0 &= ~0x20u;
	RUN("mf without NE", "fninit; movw $0x37e, 0x20100; fldcw 0x20100; fld1; fchs; fsqrt; nop; fnclex; nop");
	RUN("xgetbv without osxsave", "xor %ecx, %ecx; xgetbv");
	RUN("rdmsr none", "mov $0x12345678, %ecx; rdmsr");
	RUN("wrmsr none", "mov $0x12345678, %ecx; wrmsr");
	RUN("efer reserved", "mov $0xc0000080, %ecx; xor %edx, %edx; mov $0x10000002, %eax; wrmsr");
	RUN("efer lma", "mov $0xc0000080, %ecx; xor %edx, %edx; mov $0x400, %eax; wrmsr; rdmsr; and $0x400, %eax");
	RUN("pat reserved", "mov $0x277, %ecx; mov $2, %eax; xor %edx, %edx; wrmsr");
	RUN("syscall without sce", "syscall");
	wrmsr(0x174, 0);
	RUN("sysenter without cs", "sysenter");
	RUN("sysexit without cs", "sysexit");
	ring3();
	RUN("sysexit from 3", "sysexit");
	wrmsr(0x174, SEL_CODE), wrmsr(0x175, STACK0), wrmsr(0x176, CODE + 0x200);
	ring3();
	in.eflags |= 0x0ad5;
	RUN("sysenter", "sysenter");
	wrmsr(0x174, SEL_CODE);
	RUN("sysexit", "mov $0x10200, %edx; mov $0x38000, %ecx; sysexit");
}

/* The last page below 4 GiB and the first one are neighbours. */
static void
wrap(void)
{
	paging();
	fill((void *)0x60000, 0, 4096);
	page_dir[1023] = 0x60007;
	((uint32_t *)0x60000)[1023] = TARGET | 7;
	page_table[0] = (TARGET + 0x1000) | 7;
	*(uint64_t *)(TARGET + 0xff8) = 0x1122334455667788;
	*(uint64_t *)(TARGET + 0x1000) = 0x99aabbccddeeff00;
}

static void
wrapping(void)
{
	wrap();
	RUN("wrap: read", "mov $0xfffffffe, %esi; mov (%esi), %eax");
	wrap();
	RUN("wrap: write", "mov $0xfffffffe, %esi; movl $0x12345678, (%esi); mov $0xfffffffc, %esi; mov (%esi), %eax; "
		"mov 0, %ebx");
	wrap();
	RUN("wrap: lock", "mov $0xfffffffe, %esi; mov $0x12345678, %ecx; lock xadd %ecx, (%esi); mov $0xfffffffc, %esi; mov (%esi), %eax; "
		"mov 0, %ebx");
	wrap();
	RUN("wrap: address", "mov $0xfffffff0, %esi; mov 0x10(%esi), %eax");
	wrap();
	RUN("wrap: push", "mov %esp, %ebp; mov $2, %esp; push $0x12345678; mov %esp, %ecx; mov %ebp, %esp");
	wrap();
	RUN("wrap: push at 0", "mov %esp, %ebp; mov $0, %esp; push $0x12345678; mov %esp, %ecx; mov %ebp, %esp");
	wrap();
	RUN("wrap: movsb", "mov $0xfffffffe, %esi; mov $0x20000, %edi; mov $4, %ecx; rep movsb");
	wrap();
	RUN("wrap: movsl", "mov $0xfffffffa, %esi; mov $0x20000, %edi; mov $4, %ecx; rep movsl");
	wrap();
	*(uint64_t *)(TARGET + 0xff8) = 0x9090909090909090, *(uint64_t *)(TARGET + 0x1000) = 0x0b0f;
	RUN("wrap: code", "mov $0xfffffffa, %eax; jmp *%eax");
	wrap();
	*(uint64_t *)(TARGET + 0xff8) = 0x1eeb909090909090, *(uint64_t *)(TARGET + 0x101e) = 0x0b0f;
	RUN("wrap: jump", "mov $0xfffffffa, %eax; jmp *%eax");
	wrap();
	*(uint64_t *)(TARGET + 0xff8) = 0xb890909090909090, *(uint64_t *)(TARGET + 0x1000) = 0x0b0f12345678;
	RUN("wrap: instruction", "mov $0xfffffffa, %eax; jmp *%eax");
	wrap();
	gdt[SEL_A / 8] = descriptor(0xffff0000, 0xfffff, D_FLATDATA);
	RUN("wrap: base", "mov $0x48, %eax; mov %eax, %fs; mov %fs:0xfff8, %eax; mov %fs:0x10000, %ebx; "
		"mov %fs:0xfffe, %ecx");
}

void
run_tests(void)
{
	wrapping();
	control();
	flushing();
	large();
	pdptes();
	pae_pages();
	rights();
}
