/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machinery for long mode: long.h. */
#include "long.h"

struct state in;
uint64_t gdt[32], ldt[8], idt[512];
struct tss tss __attribute__((aligned(16)));
uint16_t gdt_limit, idt_limit;
uint64_t pml5[512] __attribute__((aligned(4096))), pml4[512] __attribute__((aligned(4096))), pdpt[512] __attribute__((aligned(4096)));
uint64_t page_dir[512] __attribute__((aligned(4096))), page_table[2][512] __attribute__((aligned(4096)));

/* What the entry code leaves: see entry64.S. */
extern uint64_t caught_rsp, caught_ssp, first_s_cet;
extern uint16_t caught_seg[5];
extern const uint8_t stubs[];
void enter(void);

/* What the entry code has set: CR4.LA57 is kept by all that follows. */
static uint64_t first_cr3, first_cr4;

enum { EFER = 0xc0000080, STAR, LSTAR, CSTAR, FMASK, FS_BASE = 0xc0000100, GS_BASE, KERNEL_GS_BASE };

static void
write_crs(uint64_t cr0, uint64_t cr3, uint64_t cr4)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4) : "memory");
}

enum { CR4_LA57 = 0x1000, CR4_PKE = 0x400000, CR4_CET = 0x800000, U_CET = 0x6a0, S_CET = 0x6a2, PL0_SSP = 0x6a4,
	SSP_TABLE = 0x6a8 };

static void
write_pkru(uint32_t pkru)
{
	__asm__ volatile("wrpkru" : : "a"(pkru), "c"(0), "d"(0));
}

static uint32_t
read_pkru(void)
{
	uint32_t pkru;

	__asm__ volatile("rdpkru" : "=a"(pkru) : "c"(0) : "edx");
	return pkru;
}

void
set_gate(unsigned vector, uint16_t selector, uint64_t offset, unsigned type, unsigned ist)
{
	idt[vector * 2] = gate(selector, (uint32_t)offset, type, ist);
	idt[vector * 2 + 1] = offset >> 32;
}

void
call_gate(unsigned selector, uint16_t target, uint64_t offset, unsigned type)
{
	gdt[selector / 8] = gate(target, (uint32_t)offset, type, 0);
	gdt[selector / 8 + 1] = offset >> 32;
}

static void
reset_tables(void)
{
	fill(gdt, 0, sizeof(gdt));
	fill(ldt, 0, sizeof(ldt));
	gdt[SEL_CODE / 8] = descriptor(0, 0xfffff, D_CODE64);
	gdt[SEL_DATA / 8] = descriptor(0, 0xfffff, D_FLATDATA | 1);
	gdt[SEL_TSS / 8] = descriptor((uint32_t)(uint64_t)&tss, sizeof(tss) - 1, D_TSS);
	gdt[SEL_CODE32_3 / 8] = descriptor(0, 0xfffff, D_FLATCODE | 1 | D_DPL3);
	gdt[SEL_DATA3 / 8] = descriptor(0, 0xfffff, D_FLATDATA | 1 | D_DPL3);
	gdt[SEL_CODE3 / 8] = descriptor(0, 0xfffff, D_CODE64 | D_DPL3);
	gdt[SEL_CODE32 / 8] = descriptor(0, 0xfffff, D_FLATCODE | 1);
	gdt_limit = sizeof(gdt) - 1;
	idt_limit = sizeof(idt) - 1;
	for (unsigned n = 0; n < 256; n++)
		set_gate(n, SEL_CODE, (uint64_t)stubs + n * 16, n == 3 || n == 4 || n == 0x30 ? 0xee : 0x8e, n == 8 ? 1 : n == 12 ? 2 : 0);
	fill(&tss, 0, sizeof(tss));
	tss.rsp[0] = HANDLER_STACK;
	tss.rsp[1] = STACK1;
	tss.ist[0] = DOUBLE_STACK;
	tss.ist[1] = IST_STACK;
	tss.io_base = 0x68;
	fill(tss.io_map, 0xff, sizeof(tss.io_map));
}

static void
reset_pages(void)
{
	fill(pml5, 0, sizeof(pml5));
	fill(pml4, 0, sizeof(pml4));
	fill(pdpt, 0, sizeof(pdpt));
	fill(page_dir, 0, sizeof(page_dir));
	pml5[0] = (uint64_t)pml4 | 7;
	pml4[0] = (uint64_t)pdpt | 7;
	pdpt[0] = (uint64_t)page_dir | 7;
	page_dir[0] = (uint64_t)page_table[0] | 7;
	page_dir[1] = (uint64_t)page_table[1] | 7;
	for (unsigned n = 0; n < 512; n++) {
		page_table[0][n] = n << 12 | (n >= CODE >> 12 && n < STACK1 >> 12 ? 7 : 3);
		page_table[1][n] = (n + 512) << 12 | 3;
	}
}

/* S_CET is for entry64.S: no function returns with a shadow stack that wasn't there when it was called. */
static void
write_cet(void)
{
	wrmsr(U_CET, in.u_cet);
	for (unsigned i = 0; i < 4; i++)
		wrmsr(PL0_SSP + i, in.pl_ssp[i]);
	wrmsr(SSP_TABLE, in.ssp_table);
	first_s_cet = in.s_cet;
}

/* Back to what the code of this file runs in. */
static void
home(void)
{
	uint64_t cr4;

	/* As long as CET is on, WP can't be cleared. */
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cr4 & CR4_CET)
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~(uint64_t)CR4_CET) : "memory");
	write_crs(0x80000031, first_cr3, first_cr4);
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400ul));
	__asm__ volatile("mov %0, %%ds\n\tmov %0, %%es" : : "r"(SEL_DATA));
}

void
reset(void)
{
	home();
	reset_tables();
	reset_pages();
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0ul));
	load_tables((uint64_t)gdt, gdt_limit, (uint64_t)idt, idt_limit);
	__asm__ volatile("lldt %w0\n\tmov %0, %%fs\n\tmov %0, %%gs" : : "r"(0));
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	fill_code(CODE);
	fill((void *)DATA, 0, 0x10000);
	fill((void *)0x30000, 0, 0x20000);
	in = (struct state){ .rip = CODE + 0x100, .cs = SEL_CODE, .ss = SEL_DATA, .ds = SEL_DATA, .es = SEL_DATA,
		.rsp = STACK0, .rflags = 2,
		.cr0 = 0x80000031, .cr3 = (uint64_t)(first_cr4 & CR4_LA57 ? pml5 : pml4), .cr4 = first_cr4, .efer = 0xd01, .star = 0x002b0008ull << 32, .lstar = CODE + 0x800,
		.cstar = CODE + 0x900, .fmask = 0x300, .fs_base = 0xf000, .gs_base = 0x6000, .kernel_gs_base = 0x7000, .dr7 = 0x400 };
	for (unsigned i = 0; i < 15; i++)
		in.gpr[i] = 0x1000 * (i + 1);
}

void
ring0(void)
{
	for (unsigned n = CODE >> 12; n < STACK1 >> 12; n++)
		page_table[0][n] &= ~4ull;
}

void
ring3(void)
{
	in.cs = SEL_CODE3 | 3;
	in.ss = in.ds = in.es = SEL_DATA3 | 3;
	in.rsp = STACK3;
}

void
compat3(void)
{
	ring3();
	in.cs = SEL_CODE32_3 | 3;
}

void
compat0(void)
{
	in.cs = SEL_CODE32;
}

/* ---- results ---- */

static void
print_state(const uint64_t *gpr)
{
	static const char *const names[] = { "r15", "r14", "r13", "r12", "r11", "r10", "r9", "r8", "di", "si", "bp",
		"bx", "dx", "cx", "ax" };
	static const char *const segs[] = { "ds", "es", "fs", "gs" };
	const uint16_t old[] = { in.ds, in.es, in.fs, in.gs };

	for (unsigned i = 0; i < 15; i++)
		if (gpr[i] != in.gpr[i])
			print_field(names[i], gpr[i]);
	for (unsigned i = 0; i < 4; i++)
		if (caught_seg[i] != old[i])
			print_field(segs[i], caught_seg[i]);
	if (rdmsr(FS_BASE) != in.fs_base)
		print_field("fsbase", rdmsr(FS_BASE));
	if (rdmsr(GS_BASE) != in.gs_base)
		print_field("gsbase", rdmsr(GS_BASE));
	if (rdmsr(KERNEL_GS_BASE) != in.kernel_gs_base)
		print_field("kernelgs", rdmsr(KERNEL_GS_BASE));
	if (rdmsr(EFER) != in.efer)
		print_field("efer", rdmsr(EFER));
}

static void
print_cet(void)
{
	static const char *const names[] = { "pl0", "pl1", "pl2", "pl3" };

	print_field("ssp", caught_ssp);
	if (rdmsr(U_CET) != in.u_cet)
		print_field("ucet", rdmsr(U_CET));
	if (rdmsr(S_CET) != in.s_cet)
		print_field("scet", rdmsr(S_CET));
	for (unsigned i = 0; i < 4; i++)
		if (rdmsr(PL0_SSP + i) != in.pl_ssp[i])
			print_field(names[i], rdmsr(PL0_SSP + i));
	wrmsr(S_CET, 0);
}

static void
print_special(unsigned vector, uint64_t cr0, uint64_t cr2, uint64_t cr4, uint64_t dr6)
{
	if (vector == 14)
		print_field("cr2", cr2);
	if (cr0 != in.cr0)
		print_field("cr0", cr0);
	if (cr4 != in.cr4)
		print_field("cr4", cr4);
	if (dr6 != 0xffff0ff0)
		print_field("dr6", dr6);
	for (unsigned i = 0; i < 4 && in.watch[i]; i++)
		print_field("->", *in.watch[i]);
	print_data(DATA);
}

/* entry64.S: the stack has the registers, the vector and what the processor pushed. */
void
caught(void)
{
	const uint64_t *p = (const uint64_t *)caught_rsp, *frame = p + 16;
	unsigned vector = p[15];
	uint64_t cr0, cr2, cr4, dr6;
	uint32_t pkru = in.pkru;

	__asm__ volatile("mov %%cr0, %0\n\tmov %%cr2, %1\n\tmov %%cr4, %2\n\tmov %%dr6, %3" : "=r"(cr0), "=r"(cr2),
		"=r"(cr4), "=r"(dr6));
	if (cr4 & CR4_PKE)
		pkru = read_pkru();
	home();
	print(" #");
	print_hex(vector, 2);
	if (has_error(vector)) {
		print_char(':');
		print_hex(*frame++, 4);
	}
	print_char(' ');
	print_hex(frame[1], 4);
	print_char(':');
	print_code(CODE, frame[0]);
	print(" fl=");
	print_hex(frame[2], 6);
	print_char(' ');
	print_hex(frame[4], 4);
	print_char(':');
	print_hex(frame[3], 4);
	/* Where the handler's stack is. */
	if ((uint64_t)(frame + 5) != HANDLER_STACK)
		print_field("on", (uint64_t)(frame + 5));
	if (caught_seg[4] != (in.cs & 3 || frame[1] & 3 ? 0 : SEL_DATA))
		print_field("ss", caught_seg[4]);
	print_state(p);
	if (pkru != in.pkru)
		print_field("pkru", pkru);
	if (in.cr4 & CR4_CET)
		print_cet();
	print_special(vector, cr0, cr2, cr4, dr6);
}

void
run_snippet(const char *name, const uint8_t *code, unsigned long size)
{
	print(name);
	print_char(':');
	copy((void *)in.rip, code, size);
	load_tables((uint64_t)gdt, gdt_limit, (uint64_t)idt, idt_limit);
	__asm__ volatile("mov %0, %%ds\n\tmov %1, %%es" : : "r"(in.ds), "r"(in.es));
	wrmsr(EFER, in.efer);
	wrmsr(STAR, in.star);
	wrmsr(LSTAR, in.lstar);
	wrmsr(CSTAR, in.cstar);
	wrmsr(FMASK, in.fmask);
	__asm__ volatile("mov %0, %%fs\n\tmov %1, %%gs" : : "r"(in.fs), "r"(in.gs));
	wrmsr(FS_BASE, in.fs_base);
	wrmsr(GS_BASE, in.gs_base);
	wrmsr(KERNEL_GS_BASE, in.kernel_gs_base);
	__asm__ volatile("mov %0, %%dr0\n\tmov %1, %%dr7" : : "r"(in.dr0), "r"(in.dr7));
	write_crs(in.cr0, in.cr3, in.cr4);
	if (in.cr4 & CR4_PKE)
		write_pkru(in.pkru);
	if (in.cr4 & CR4_CET)
		write_cet();
	enter();
	first_s_cet = 0;
	print_char('\n');
	reset();
}

void
prepare(void)
{
	__asm__("mov %%cr3, %0\n\tmov %%cr4, %1" : "=r"(first_cr3), "=r"(first_cr4));
	wrmsr(EFER, 0xd01);
}

void
run_access(unsigned how)
{
	if (how == 0)
		RUN("read", "mov 16(%rbx), %eax; xor %eax, %eax");
	else if (how == 1)
		RUN("write", "movl $0x0b0f0b0f, 16(%rbx)");
	else
		RUN("exec", "jmp *%rbx");
}
