/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machinery for protected, virtual-8086 and real mode: prot.h. */
#include "prot.h"

struct state in;
uint64_t gdt[32], ldt[8], idt[256];
struct tss tss, tss_double, tss_other;
uint32_t page_dir[1024] __attribute__((aligned(4096))), page_table[1024] __attribute__((aligned(4096)));
uint64_t pae_dir[4][512] __attribute__((aligned(4096))), pae_table[512] __attribute__((aligned(4096)));
uint64_t pdpt[4] __attribute__((aligned(32)));
uint16_t gdt_limit, idt_limit;
uint32_t idt_base;

/* What the entry code leaves: see entry.S. */
extern uint32_t caught_esp, caught_ss, in_stack[2];
extern const uint32_t stubs[], stub_size;
extern uint8_t df_entry[], real_start[], real_end[];
void enter_outer(void);
void enter_same(void);
void enter_real(void);

static const char *const gpr_names[] = { "di", "si", "bp", "sp", "bx", "dx", "cx", "ax" };

void *
hidden(uint32_t address)
{
	__asm__("" : "+r"(address));
	return (void *)address;
}

static inline void
write_crs(uint32_t cr0, uint32_t cr3, uint32_t cr4)
{
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4));
	__asm__ volatile("mov %0, %%cr3" : : "r"(cr3) : "memory");
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0) : "memory");
}

enum { CR4_CET = 0x800000 };

static void
paging_off(void)
{
	uint32_t cr4;

	/* As long as CET is on, WP can't be cleared. */
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	if (cr4 & CR4_CET)
		__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 & ~CR4_CET) : "memory");
	__asm__ volatile("mov %0, %%cr0" : : "r"(0x31) : "memory");
	write_crs(0x31, 0, 0);
}

static void
reset_tables(void)
{
	fill(gdt, 0, sizeof(gdt));
	fill(ldt, 0, sizeof(ldt));
	gdt[SEL_CODE / 8] = descriptor(0, 0xfffff, D_FLATCODE | 1);
	gdt[SEL_DATA / 8] = descriptor(0, 0xfffff, D_FLATDATA | 1);
	gdt[SEL_TSS / 8] = descriptor((uint32_t)&tss, 0x67 + 0x2000 / 8 + 1, D_TSS);
	gdt[SEL_CODE3 / 8] = descriptor(0, 0xfffff, D_FLATCODE | 1 | D_DPL3);
	gdt[SEL_DATA3 / 8] = descriptor(0, 0xfffff, D_FLATDATA | 1 | D_DPL3);
	gdt[SEL_DOUBLE / 8] = descriptor((uint32_t)&tss_double, 0x67, D_TSS);
	gdt[SEL_LDT / 8] = descriptor((uint32_t)ldt, sizeof(ldt) - 1, D_LDT);
	gdt[SEL_OTHER / 8] = descriptor((uint32_t)&tss_other, 0x67, D_TSS);
	gdt[0x78 / 8] = descriptor(0, 0xffff, D_CODE | 1);
	gdt[0x80 / 8] = descriptor(0, 0xffff, D_DATA | 1);
	gdt_limit = sizeof(gdt) - 1;
	idt_limit = sizeof(idt) - 1;
	idt_base = (uint32_t)idt;
	for (unsigned n = 0; n < 256; n++)
		idt[n] = gate(SEL_CODE, (uint32_t)stubs + n * 16, n == 0x30 ? 0xee : n == 3 || n == 4 ? 0xee : 0x8e, 0);
	idt[8] = gate(SEL_DOUBLE, 0, 0x85, 0);
}

static void
reset_tss(void)
{
	fill(&tss, 0, sizeof(tss));
	tss.esp0 = HANDLER_STACK;
	tss.ss0 = SEL_DATA;
	tss.esp1 = STACK1;
	tss.ss1 = 0;
	tss.cr3 = (uint32_t)page_dir;
	tss.io_base = 0x68;
	fill(tss.io_map, 0xff, sizeof(tss.io_map));
	tss_double = (struct tss){ .cs = SEL_CODE, .eip = (uint32_t)df_entry, .ss = SEL_DATA, .esp = DOUBLE_STACK,
		.eflags = 2, .ds = SEL_DATA,
		.es = SEL_DATA, .cr3 = (uint32_t)page_dir, .io_base = 0x68 };
	tss_other = (struct tss){ .cs = SEL_CODE, .eip = CODE + 0x800, .ss = SEL_DATA, .esp = STACK1, .eflags = 2, .ds = SEL_DATA,
		.es = SEL_DATA, .cr3 = (uint32_t)page_dir, .io_base = 0x68, .eax = 0xa1, .ecx = 0xa2, .edx = 0xa3, .ebx = 0xa4,
		.ebp = 0xa5, .esi = 0xa6, .edi = 0xa7 };
}

static void
reset_pages(void)
{
	fill(page_dir, 0, sizeof(page_dir));
	page_dir[0] = (uint32_t)page_table | 7;
	fill(pae_dir, 0, sizeof(pae_dir));
	pae_dir[0][0] = (uint32_t)pae_table | 7;
	pae_dir[0][1] = 0x200000 | 0x83;
	for (unsigned n = 0; n < 4; n++)
		pdpt[n] = (uint32_t)pae_dir[n] | 1;
	for (unsigned n = 0; n < 1024; n++)
		page_table[n] = n << 12 | (n >= CODE >> 12 && n < (STACK1 - 0x4000) >> 12 ? 7 : 3);
	for (unsigned n = 0; n < 512; n++)
		pae_table[n] = page_table[n];
}

void
reset(void)
{
	paging_off();
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400));
	__asm__ volatile("mov %0, %%dr6" : : "r"(0xffff0ff0));
	reset_tables();
	reset_tss();
	reset_pages();
	load_tables((uint32_t)gdt, gdt_limit, idt_base, idt_limit);
	/* The end of whatever interrupt there was. */
	*(volatile uint32_t *)hidden(0xfee000b0) = 0;
	__asm__ volatile("lldt %w0" : : "r"(0));
	__asm__ volatile("ltr %w0" : : "r"(SEL_TSS));
	if (in.efer)
		wrmsr(0xc0000080, 0);
	wrmsr(0x174, 0);
	fill_code(CODE);
	fill((void *)DATA, 0, 0x10000);
	fill((void *)STACK_BEGIN, 0, STACK_END - STACK_BEGIN);
	in = (struct state){ .eip = CODE + 0x100, .cs = SEL_CODE, .ss = SEL_DATA, .ds = SEL_DATA, .es = SEL_DATA, .fs = 0, .gs = 0,
		.esp = STACK0, .eflags = 2, .cr0 = 0x31, .cr3 = (uint32_t)page_dir, .dr7 = 0x400 };
	for (unsigned i = 0; i < 8; i++)
		in.gpr[i] = 0x1000 * (i + 1);
}

void
ring3(void)
{
	in.cs = SEL_CODE3 | 3;
	in.ss = in.ds = in.es = SEL_DATA3 | 3;
	in.esp = STACK3;
}

void
vm86(unsigned iopl)
{
	in.cs = CODE >> 4;
	in.ds = in.es = in.fs = in.gs = DATA >> 4;
	in.ss = STACK3_BASE >> 4;
	in.esp = 0x8000;
	in.eip = 0x100;
	in.eflags = 0x20002 | iopl << 12;
}

void
real(void)
{
	in.real = true;
	vm86(0);
	in.eflags = 2;
	in.cr0 = 0x30;
	for (unsigned n = 0; n < 256; n++)
		*(volatile uint32_t *)hidden(n * 4) = n * 8 + REAL + 0x400;
	idt_base = 0;
	idt_limit = 0x3ff;
}

void
paging(void)
{
	in.cr0 |= 0x80000000;
}

void
pae(void)
{
	paging();
	in.cr3 = (uint32_t)pdpt;
	in.cr4 |= 0x20;
}

/* ---- results ---- */

static uint32_t
base_of(uint32_t selector)
{
	uint64_t d = (selector & 4 ? ldt : gdt)[selector >> 3];

	return (d >> 16 & 0xffffff) | (d >> 32 & 0xff000000);
}

static void
print_frame(uint32_t at, unsigned vector, uint32_t top)
{
	const uint32_t *p = (const uint32_t *)at;

	print(" #");
	print_hex(vector, 2);
	if (has_error(vector)) {
		print_char(':');
		print_hex(*p++, 4);
	}
	print_char(' ');
	print_hex(p[1], 4);
	print_char(':');
	print_code(CODE, p[0]);
	print(" fl=");
	print_hex(p[2], 6);
	for (p += 3; top - (uint32_t)p - 1 < 0x40; p++) {
		print_char(' ');
		print_hex(*p, 4);
	}
}

static void
print_registers(const uint32_t *gpr, const uint16_t *seg)
{
	static const char *const seg_names[] = { "gs", "fs", "es", "ds" };
	const uint16_t old[] = { in.gs, in.fs, in.es, in.ds };

	for (unsigned i = 0; i < 8; i++)
		if (i != 3 && gpr[i] != in.gpr[i])
			print_field(gpr_names[i], gpr[i]);
	for (unsigned i = 0; i < 4; i++)
		if (seg[i * 2] != old[i])
			print_field(seg_names[i], seg[i * 2]);
}

struct special {
	uint32_t cr0, cr2, cr4, dr6, dr7;
};

/* Reads them, and puts paging and breakpoints out of our way. */
static struct special
take_special(void)
{
	struct special s;

	__asm__ volatile("mov %%dr7, %0\n\tmov %%dr6, %1\n\tmov %2, %%dr7" : "=&r"(s.dr7), "=&r"(s.dr6) : "r"(0x400));
	__asm__ volatile("mov %%cr0, %0\n\tmov %%cr2, %1\n\tmov %%cr4, %2" : "=&r"(s.cr0), "=&r"(s.cr2), "=&r"(s.cr4));
	paging_off();
	return s;
}

static void
print_special(unsigned vector, const struct special *s)
{
	uint32_t v;

	if (s->cr0 != in.cr0)
		print_field("cr0", s->cr0);
	if (s->cr4 != in.cr4)
		print_field("cr4", s->cr4);
	if (vector == 14)
		print_field("cr2", s->cr2);
	if (s->dr6 != 0xffff0ff0)
		print_field("dr6", s->dr6);
	if (s->dr7 != in.dr7)
		print_field("dr7", s->dr7);
	__asm__ volatile("str %w0" : "=r"(v));
	if ((uint16_t)v != SEL_TSS)
		print_field("tr", (uint16_t)v);
}

/* entry.S: the stack has gs, fs, es, ds, the registers, the vector and what the processor pushed. */
void
caught(void)
{
	bool big = (caught_ss & 4 ? ldt : gdt)[caught_ss >> 3] >> 54 & 1;
	uint32_t at = base_of(caught_ss) + (big ? caught_esp : (uint16_t)caught_esp);
	const uint32_t *p = (const uint32_t *)at;
	struct special special = take_special();
	unsigned vector = p[12];

	print_frame(at + 13 * 4, vector, (p[14 + has_error(vector)] & 3) || at > HANDLER_STACK - 0x1000 ? HANDLER_STACK : 0);
	print_registers(p + 4, (const uint16_t *)p);
	if (at < HANDLER_STACK - 0x1000 || at > HANDLER_STACK) {
		print_field("ss", caught_ss);
		print_field("sp", caught_esp + 4 * (16 + has_error(vector)));
	}
	print_special(vector, &special);
	for (unsigned i = 0; i < 4 && in.watch[i]; i++)
		print_field("->", *in.watch[i]);
	print_data(DATA);
}

/* entry.S: a double fault, through its task gate. */
void
caught_double(void)
{
	struct special special = take_special();
	uint16_t seg[8] = { [0] = tss.gs, [2] = tss.fs, [4] = tss.es, [6] = tss.ds };

	print(" DOUBLE ");
	print_hex(tss.cs, 4);
	print_char(':');
	print_code(CODE, tss.eip);
	print(" fl=");
	print_hex(tss.eflags, 6);
	print_field("ss", tss.ss);
	print_field("sp", tss.esp);
	print_registers((const uint32_t[]){ tss.edi, tss.esi, tss.ebp, 0, tss.ebx, tss.edx, tss.ecx, tss.eax }, seg);
	if (special.cr2 && in.cr0 >> 31)
		print_field("cr2", special.cr2);
}

/* entry.S: an interrupt in real mode.  SS:SP has gs, fs, es, ds, 8 registers, the vector, IP, CS, flags. */
void
caught_real(void)
{
	uint32_t at = (caught_ss << 4) + (uint16_t)caught_esp;
	const uint16_t *p = (const uint16_t *)at;
	const uint16_t seg[8] = { [0] = p[0], [2] = p[1], [4] = p[2], [6] = p[3] };

	print(" #");
	print_hex(p[20], 2);
	print_char(' ');
	print_hex(p[22], 4);
	print_char(':');
	print_hex(p[21], 4);
	print(" fl=");
	print_hex(p[23], 4);
	print_field("ss", caught_ss);
	print_field("sp", (uint16_t)(caught_esp + 48));
	print_registers((const uint32_t *)(p + 4), seg);
	print_data(DATA);
}

/* Where entry.S reads the registers from in real mode, and the frame of its IRET. */
static void
prepare_real(void)
{
	struct __attribute__((packed)) {
		uint32_t gpr[8];
		uint16_t seg[4];
		uint32_t esp;
		uint16_t ss, unused, gdt_limit;
		uint32_t gdt;
	} *at = hidden(REAL + 0xd00);
	uint16_t *frame = hidden((in.ss << 4) + in.esp);

	copy(hidden(REAL), real_start, (unsigned long)(real_end - real_start));
	copy(at->gpr, in.gpr, sizeof(at->gpr));
	at->seg[0] = in.ds;
	at->seg[1] = in.es;
	at->seg[2] = in.fs;
	at->seg[3] = in.gs;
	at->esp = in.esp - 6;
	at->ss = in.ss;
	at->gdt_limit = sizeof(gdt) - 1;
	at->gdt = (uint32_t)gdt;
	frame[-3] = in.eip;
	frame[-2] = in.cs;
	frame[-1] = in.eflags;
}

void
run_snippet(const char *name, const uint8_t *code, unsigned long size)
{
	uint32_t linear = in.real || in.eflags & 0x20000 ? (in.cs << 4) + in.eip : base_of(in.cs) + in.eip;

	print(name);
	print_char(':');
	copy((void *)linear, code, size);
	load_tables((uint32_t)gdt, gdt_limit, idt_base, idt_limit);
	__asm__ volatile("mov %0, %%dr0" : : "r"(in.dr[0]));
	__asm__ volatile("mov %0, %%dr1" : : "r"(in.dr[1]));
	__asm__ volatile("mov %0, %%dr2" : : "r"(in.dr[2]));
	__asm__ volatile("mov %0, %%dr3" : : "r"(in.dr[3]));
	if (in.real) {
		__asm__ volatile("mov %0, %%dr7" : : "r"(in.dr7));
		prepare_real();
		enter_real();
	} else {
		if (in.efer)
			wrmsr(0xc0000080, in.efer);
		write_crs(in.cr0, in.cr3, in.cr4);
		__asm__ volatile("mov %0, %%dr7" : : "r"(in.dr7));
		if (in.eflags & 0x20000 || in.cs & 3) {
			enter_outer();
		} else {
			uint32_t *p = (uint32_t *)(base_of(in.ss) + in.esp);

			p[-3] = in.eip;
			p[-2] = in.cs;
			p[-1] = in.eflags;
			in_stack[0] = in.esp - 12;
			in_stack[1] = in.ss;
			enter_same();
		}
	}
	paging_off();
	print_char('\n');
	reset();
}

void
prepare(void)
{
}
