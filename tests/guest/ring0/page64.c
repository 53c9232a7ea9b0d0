/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Paging of four levels: rights, reserved bits, large pages, the processor's own accesses. */
#include "long.h"

enum { CR0_WP = 0x10000, CR4_PGE = 0x80, CR4_SMEP = 0x100000, CR4_SMAP = 0x200000, FLAG_AC = 0x40000,
	TARGET = CODE + 0x8000 };
#define NX (1ull << 63)

static const struct config { const char *name; uint64_t cr0, cr4, rflags; } configs[] = {
	{ "", 0, 0, 0 }, { "wp ", CR0_WP, 0, 0 }, { "smep ", CR0_WP, CR4_SMEP, 0 }, { "smap ", CR0_WP, CR4_SMAP, 0 },
	{ "smap ac ", 0, CR4_SMAP, FLAG_AC },
};

static void
snippets(const struct config *c, unsigned k, bool user)
{
	if (user)
		ring3();
	else
		ring0();
	in.cr0 |= c->cr0;
	in.cr4 |= c->cr4;
	in.rflags |= c->rflags;
	in.gpr[BX] = 1ull << 39;
	print(user ? "3 " : "0 ");
	print(c->name);
	run_access(k);
}

static const struct { const char *name; uint64_t e[4]; uint64_t efer; } cases[] = {
	{ "all ", { 7, 7, 7, 7 }, 0 }, { "pml4 ro ", { 5, 7, 7, 7 }, 0 }, { "pdpt ro ", { 7, 5, 7, 7 }, 0 },
	{ "dir ro ", { 7, 7, 5, 7 }, 0 },
	{ "page ro ", { 7, 7, 7, 5 }, 0 }, { "pml4 super ", { 3, 7, 7, 7 }, 0 }, { "pdpt super ", { 7, 3, 7, 7 }, 0 },
	{ "page super ", { 7, 7, 7, 3 }, 0 },
	{ "super ro ", { 7, 7, 3, 1 }, 0 }, { "pml4 nx ", { 7 | NX, 7, 7, 7 }, 0 },
	{ "pdpt nx ", { 7, 7 | NX, 7, 7 }, 0 }, { "dir nx ", { 7, 7, 7 | NX, 7 }, 0 },
	{ "page nx ", { 7, 7, 7, 7 | NX }, 0 }, { "nx off ", { 7, 7, 7, 7 | NX }, 0x501 },
	{ "pml4 none ", { 6, 7, 7, 7 }, 0 }, { "pdpt none ", { 7, 6, 7, 7 }, 0 },
	{ "dir none ", { 7, 7, 6, 7 }, 0 }, { "page none ", { 7, 7, 7, 6 | 1ull << 51 }, 0 },
	{ "pml4 ps ", { 0x87, 7, 7, 7 }, 0 },
	{ "2M ", { 7, 7, 0x87, 0 }, 0 }, { "2M reserved ", { 7, 7, 0x2087, 0 }, 0 },
	{ "2M pat ", { 7, 7, 0x1087, 0 }, 0 }, { "2M ro ", { 7, 7, 0x85, 0 }, 0 },
	{ "1G ", { 7, 0x87, 0, 0 }, 0 }, { "1G reserved ", { 7, 0x2087, 0, 0 }, 0 }, { "1G nx ", { 7, 0x87 | NX, 0, 0 }, 0 },
	{ "high bits free ", { 7 | 0x7ffull << 52, 7 | 0x7ffull << 52, 7, 7 | 0x7ffull << 52 }, 0 },
	{ "page reserved ", { 7, 7, 7, 7 | 1ull << 51 }, 0 },
	{ "pml4 reserved ", { 7 | 1ull << 51, 7, 7, 7 }, 0 }, { "accessed ", { 0x27, 0x27, 0x27, 0x67 }, 0 },
};

static void
levels(void)
{
	for (unsigned i = 0; i < COUNT(cases); i++)
		for (unsigned n = 0; n < COUNT(configs); n++)
			for (unsigned k = 0; k < 6; k++) {
				bool large = cases[i].e[1] & 0x80 || cases[i].e[2] & 0x80;

				fill(TABLES, 0, 0x3000);
				pml4[1] = (uint64_t)TABLES | cases[i].e[0];
				TABLES[0] = cases[i].e[1] | (cases[i].e[1] & 0x80 ? 0 : (uint64_t)(TABLES + 512));
				TABLES[512] = cases[i].e[2] | (cases[i].e[2] & 0x80 ? 0 : (uint64_t)(TABLES + 1024));
				TABLES[1024] = cases[i].e[3] | TARGET;
				if (large)
					*(volatile uint64_t *)(uint64_t)(k & 0) = 0x0b0f0b0f0b0f0b0f;
				in.watch[0] = &pml4[1], in.watch[1] = &TABLES[0], in.watch[2] = &TABLES[512], in.watch[3] = &TABLES[1024];
				if (cases[i].efer)
					in.efer = cases[i].efer;
				print(cases[i].name);
				snippets(&configs[n], k / 2, k & 1);
			}
}

/* Accesses that the processor makes for itself are those of a supervisor. */
static void
implicit(void)
{
	ring3();
	in.cr4 |= CR4_SMAP, in.rflags |= FLAG_AC;
	page_table[0][DATA >> 12] = 0x20007;
	RUN("smap: user data at 3", "mov 0x20000, %eax");
	ring3();
	in.cr4 |= CR4_SMAP;
	page_table[0][(HANDLER_STACK >> 12) - 1] |= 4;
	RUN("smap: handler's stack", "int $0x30");
	in.cr4 |= CR4_SMAP;
	ring0();
	page_table[0][DATA >> 12] |= 4;
	RUN("smap: stac, clac", "stac; movl $1, 0x20000; movl $0, 0x20000; clac; mov 0x20000, %eax");
	ring3();
	RUN("stac at 3", "stac");
	RUN("double: not there", "movabs $0x8000000000, %rsp; push %rax");
	set_gate(14, SEL_DATA, 0, 0x8e, 0);
	RUN("double: pf, data gate", "movabs $0x8000000000, %rax; mov (%rax), %eax");
	set_gate(13, SEL_DATA, 0, 0x8e, 0);
	RUN("double: gp, data gate", "ljmp *0x20000");
	set_gate(6, SEL_DATA, 0, 0x8e, 0);
	RUN("ud, data gate", "ud2");
	set_gate(14, SEL_CODE, 0x8000000000, 0x8e, 0);
	RUN("pf, handler not there", "movabs $0x8000000000, %rax; mov (%rax), %eax; .org 7701b + 0x80");
}

void
run_tests(void)
{
	implicit();
	levels();
}
