/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A processor's state as text, in the forms that QEMU's monitor commands made usual.
 *
 * Page tables are read where they lie in RAM or ROM; one that lies elsewhere counts as empty.  Tables may contain each other,
 * so the number of tables looked at and of lines printed is bounded.
 */
#include "cpu/system.h"

#include <inttypes.h>

/* ---- registers ---- */

static const char *const reg_names[16] = {
	"AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "8", "9", "10", "11", "12", "13", "14", "15",
};

static void
print_gprs(const struct cpu *c, FILE *to)
{
	static const uint8_t order[16] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 };
	bool mode64 = in_mode64(c);

	for (unsigned i = 0; i < (mode64 ? 16 : 8); i++) {
		unsigned reg = order[i];

		if (mode64)
			fprintf(to, "R%-2s=%016" PRIx64, reg_names[reg], c->f.gpr[reg]);
		else
			fprintf(to, "E%s=%08" PRIx32, reg_names[reg], (uint32_t)c->f.gpr[reg]);
		fputc(i % 4 == 3 ? '\n' : ' ', to);
	}
}

static void
print_flags(const struct cpu *c, FILE *to)
{
	static const struct { char letter; uint32_t bit; } letters[] = {
		{ 'D', EFL_DF }, { 'O', EFL_OF }, { 'S', EFL_SF }, { 'Z', EFL_ZF }, { 'A', EFL_AF }, { 'P', EFL_PF }, { 'C', EFL_CF },
	};
	uint64_t eflags = cpu_eflags(c);

	if (in_mode64(c))
		fprintf(to, "RIP=%016" PRIx64 " RFL=%08" PRIx64 " [", c->f.rip, eflags);
	else
		fprintf(to, "EIP=%08" PRIx32 " EFL=%08" PRIx64 " [", (uint32_t)c->f.rip, eflags);
	for (unsigned i = 0; i < ARRAY_SIZE(letters); i++)
		fputc(eflags & letters[i].bit ? letters[i].letter : '-', to);
	fprintf(to, "] CPL=%d II=%d A20=%d SMM=%d HLT=%d\n", c->cpl, c->inhibit, c->a20, c->smm, cpu_is_halted(c));
}

static const char *
system_type(const struct cpu *c, unsigned type)
{
	static const char *const names[2][16] = {
		{ "Reserved", "TSS16-avl", "LDT", "TSS16-busy", "CallGate16", "TaskGate", "IntGate16", "TrapGate16", "Reserved",
		  "TSS32-avl", "Reserved", "TSS32-busy", "CallGate32", "Reserved", "IntGate32", "TrapGate32" },
		{ "<hiword>", "Reserved", "LDT", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved", "Reserved",
		  "TSS64-avl", "Reserved", "TSS64-busy", "CallGate64", "Reserved", "IntGate64", "TrapGate64" },
	};

	return names[in_long_mode(c)][type & SF_TYPE];
}

static void
print_type(const struct cpu *c, const struct segment *s, FILE *to)
{
	unsigned f = s->flags;

	fprintf(to, " DPL=%d ", f >> SF_DPL_SHIFT & 3);
	if (!(f & SF_S))
		fprintf(to, "%s", system_type(c, f));
	else if (f & SF_CODE)
		fprintf(to, "%s [%c%c%c]", f & SF_L ? "CS64" : f & SF_DB ? "CS32" : "CS16", f & SF_CONFORMING ? 'C' : '-',
			f & SF_READ ? 'R' : '-', f & SF_ACCESSED ? 'A' : '-');
	else
		fprintf(to, "%s [%c%c%c]", f & SF_DB || in_long_mode(c) ? "DS  " : "DS16", f & SF_DOWN ? 'E' : '-',
			f & SF_WRITE ? 'W' : '-', f & SF_ACCESSED ? 'A' : '-');
}

static void
print_segment(const struct cpu *c, const char *name, const struct segment *s, FILE *to)
{
	int digits = in_mode64(c) ? 16 : 8;

	fprintf(to, "%-3s=%04x %0*" PRIx64 " %08" PRIx32 " %08" PRIx32, name, s->selector, digits, s->base, s->limit,
		(uint32_t)s->flags << 8);
	if (in_protected(c) && s->flags & SF_P)
		print_type(c, s, to);
	fputc('\n', to);
}

static void
print_segments(const struct cpu *c, FILE *to)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	int digits = in_mode64(c) ? 16 : 8;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		print_segment(c, names[i], &c->seg[i], to);
	print_segment(c, "LDT", &c->ldtr, to);
	print_segment(c, "TR", &c->tr, to);
	fprintf(to, "GDT=     %0*" PRIx64 " %08x\n", digits, c->gdtr.base, c->gdtr.limit);
	fprintf(to, "IDT=     %0*" PRIx64 " %08x\n", digits, c->idtr.base, c->idtr.limit);
}

static void
print_control(const struct cpu *c, FILE *to)
{
	int digits = in_mode64(c) ? 16 : 8;

	fprintf(to, "CR0=%08" PRIx64 " CR2=%0*" PRIx64 " CR3=%0*" PRIx64 " CR4=%08" PRIx64 "\n", c->cr0, digits, c->cr2, digits,
		c->cr3, c->cr4);
	for (unsigned i = 0; i < 4; i++)
		fprintf(to, "DR%u=%016" PRIx64 "%c", i, c->dr[i], i == 3 ? '\n' : ' ');
	fprintf(to, "DR6=%016" PRIx64 " DR7=%016" PRIx64 "\n", c->dr[6], c->dr[7]);
	fprintf(to, "EFER=%016" PRIx64 "\n", c->efer);
}

/* x87 from its FXSAVE image (AMD64 Architecture Programmer's Manual, volume 2, "FXSAVE Format"), then the vector registers. */
static void
print_fpu(const struct cpu *c, FILE *to)
{
	const uint8_t *image = c->f.x87;
	unsigned fsw = load_le(image + 2, 2), count = in_mode64(c) ? 16 : 8;

	fprintf(to, "FCW=%04x FSW=%04x [ST=%d] FTW=%02x MXCSR=%08" PRIx32 "\n", (unsigned)load_le(image, 2), fsw, fsw >> 11 & 7,
		image[4], c->f.mxcsr);
	for (unsigned i = 0; i < 8; i++) {
		/* FPR are physical registers; the image holds the stack. */
		const uint8_t *st = image + 32 + 16 * ((i - (fsw >> 11)) & 7);

		fprintf(to, "FPR%u=%016" PRIx64 " %04x%c", i, load_le(st, 8), (unsigned)load_le(st + 8, 2), i & 1 ? '\n' : ' ');
	}
	for (unsigned i = 0; i < count; i++)
		fprintf(to, "XMM%02u=%016" PRIx64 " %016" PRIx64 "%c", i, load_le(c->f.vec[i] + 8, 8), load_le(c->f.vec[i], 8),
			i & 1 ? '\n' : ' ');
}

void
cpu_print_registers(const struct cpu *c, FILE *to)
{
	print_gprs(c, to);
	print_flags(c, to);
	print_segments(c, to);
	print_control(c, to);
	print_fpu(c, to);
}

/* ---- page tables ---- */

enum { PTE_P = 1, PTE_W = 2, PTE_U = 4, PTE_PS = 0x80 };
enum { MAX_TABLES = 65536, MAX_LINES = 65536 };
#define TABLE_MASK (((1ull << PHYS_BITS) - 1) & ~0xfffull)

/* A look at all of an address space: PAGE is called for each page in order. */
struct tour {
	struct cpu *c;
	FILE *to;
	void (*page)(struct tour *t, uint64_t linear, uint64_t entry, uint64_t bytes, unsigned rights);
	unsigned tables, lines; /* so far */
	unsigned entry_bytes;
	uint64_t start, end;    /* of the range not printed yet; empty: none */
	unsigned rights;        /* PTE_U, PTE_W of it */
};

static const uint8_t *
table_host(const struct tour *t, uint64_t phys)
{
	struct mem_range r = space_find(t->c->config.mem, phys, t->c->smm);

	if (!r.region || r.region->kind == REGION_IO || r.last - phys < 0xfff)
		return NULL;
	return r.region->host + r.offset + (phys - r.first);
}

static bool
is_leaf(const struct tour *t, unsigned level, uint64_t entry)
{
	if (level == 0)
		return true;
	if (!(entry & PTE_PS))
		return false;
	if (t->entry_bytes == 4)
		return t->c->cr4 & CR4_PSE;
	return level == 1 || (level == 2 && in_long_mode(t->c) && cpu_has(t->c, FEAT_pdpe1gb));
}

/* The table at PHYS, which maps from LINEAR on; RIGHTS are what the levels above allow. */
static void
walk_table(struct tour *t, uint64_t phys, unsigned level, uint64_t linear, unsigned rights)
{
	unsigned index_bits = t->entry_bytes == 4 ? 10 : 9, shift = 12 + index_bits * level;
	bool pdptes = level == 2 && !in_long_mode(t->c);
	unsigned count = pdptes ? 4 : 1u << index_bits;
	const uint8_t *table = table_host(t, phys & ~0xfffull);

	if (!table)
		return;
	table += phys & 0xfff;
	t->tables++;
	for (unsigned i = 0; i < count && t->tables < MAX_TABLES && t->lines < MAX_LINES; i++) {
		uint64_t entry = load_le(table + i * t->entry_bytes, t->entry_bytes);
		uint64_t at = linear | (uint64_t)i << shift;
		unsigned allowed = pdptes ? rights : rights & entry;

		if (!(entry & PTE_P))
			continue;
		if (level == 3 && i >= 256)
			at |= 0xffffull << 48;
		if (is_leaf(t, level, entry))
			t->page(t, at, entry, 1ull << shift, allowed);
		else
			walk_table(t, entry & TABLE_MASK, level - 1, at, allowed);
	}
}

/* False: there is no paging. */
static bool
walk_all(struct tour *t)
{
	const struct cpu *c = t->c;

	if (!(c->cr0 & CR0_PG)) {
		fprintf(t->to, "PG disabled\n");
		return false;
	}
	t->entry_bytes = c->cr4 & CR4_PAE ? 8 : 4;
	if (in_long_mode(c))
		walk_table(t, c->cr3 & TABLE_MASK, 3, 0, PTE_U | PTE_W);
	else if (c->cr4 & CR4_PAE)
		walk_table(t, c->cr3 & 0xffffffe0, 2, 0, PTE_U | PTE_W);
	else
		walk_table(t, c->cr3 & 0xfffff000, 1, 0, PTE_U | PTE_W);
	return true;
}

static void
end_tour(const struct tour *t)
{
	if (t->tables >= MAX_TABLES || t->lines >= MAX_LINES)
		fprintf(t->to, "(and more)\n");
}

static void
print_range(struct tour *t)
{
	int digits = in_long_mode(t->c) ? 16 : 8;

	if (t->start == t->end)
		return;
	fprintf(t->to, "%0*" PRIx64 "-%0*" PRIx64 " %0*" PRIx64 " %cr%c\n", digits, t->start, digits, t->end, digits,
		t->end - t->start, t->rights & PTE_U ? 'u' : '-', t->rights & PTE_W ? 'w' : '-');
	t->lines++;
}

static void
mem_page(struct tour *t, uint64_t linear, uint64_t entry, uint64_t bytes, unsigned rights)
{
	(void)entry;
	if (t->start == t->end || linear != t->end || rights != t->rights) {
		print_range(t);
		t->start = linear;
		t->rights = rights;
	}
	t->end = linear + bytes;
}

void
cpu_print_mem(struct cpu *c, FILE *to)
{
	struct tour t = { .c = c, .to = to, .page = mem_page };

	if (!walk_all(&t))
		return;
	print_range(&t);
	end_tour(&t);
}

static void
tlb_page(struct tour *t, uint64_t linear, uint64_t entry, uint64_t bytes, unsigned rights)
{
	/* From bit 8 down to bit 1; P is the page-size bit, which in a 4 KiB entry is the PAT's. */
	static const char letters[] = "GPDACTUW";
	int digits = in_long_mode(t->c) ? 16 : 8;
	uint64_t phys = entry & TABLE_MASK & ~(bytes - 1);
	char text[10];

	(void)rights;
	/* 4 MiB pages keep address bits 39:32 in bits 20:13. */
	if (t->entry_bytes == 4 && bytes > 4 * KiB)
		phys = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32;
	text[0] = entry >> 63 ? 'X' : '-';
	for (unsigned i = 0; i < 8; i++)
		text[1 + i] = entry >> (8 - i) & 1 ? letters[i] : '-';
	text[9] = 0;
	fprintf(t->to, "%0*" PRIx64 ": %016" PRIx64 " %s\n", digits, linear, phys, text);
	t->lines++;
}

void
cpu_print_tlb(struct cpu *c, FILE *to)
{
	struct tour t = { .c = c, .to = to, .page = tlb_page };

	if (walk_all(&t))
		end_tour(&t);
}

/* ---- the translator ---- */

static double
per(double n, double d)
{
	return d > 0 ? n / d : 0;
}

static void
print_translations(const struct tcg_stats *s, FILE *to)
{
	fprintf(to, "Translation buffer state:\n");
	fprintf(to, "gen code size       %" PRIu64 "/%" PRIu64 "\n", s->code_used, s->code_bytes);
	fprintf(to, "TB count            %" PRIu64 "\n", s->blocks);
	fprintf(to, "TB avg target size  %.1f bytes, %.1f instructions\n", per(s->guest_bytes, s->blocks),
		per(s->guest_insns, s->blocks));
	fprintf(to, "TB avg host size    %.1f bytes (expansion ratio: %.1f)\n", per(s->code_used, s->blocks),
		per(s->code_used, s->guest_bytes));
	fprintf(to, "guest instructions  %" PRIu64 " translated, %.0f ns each\n", s->guest_insns,
		per(s->translate_ns, s->guest_insns));
	fprintf(to, "direct jumps        %" PRIu64 " chained\n", s->chained);
	fprintf(to, "TB flush count      %" PRIu64 "\n", s->flushes);
	fprintf(to, "TB invalidate count %" PRIu64 "\n", s->invalidated);
}

static void
print_events(const struct cpu *c, FILE *to)
{
	fprintf(to, "interrupts          %" PRIu64 "\n", c->interrupts);
	fprintf(to, "exceptions         ");
	for (unsigned i = 0; i < ARRAY_SIZE(c->exceptions); i++)
		if (c->exceptions[i])
			fprintf(to, " %02x:%" PRIu64, i, c->exceptions[i]);
	fputc('\n', to);
}

void
cpu_print_jit(const struct cpu *c, FILE *to)
{
	struct tcg_stats s = tcg_stats(c->tcg);

	print_translations(&s, to);
	fprintf(to, "\nCPU %u:\n", c->config.id);
	fprintf(to, "block lookups       %" PRIu64 "\n", c->block_lookups);
	fprintf(to, "jump cache misses   %" PRIu64 "\n", c->f.jump_misses);
	fprintf(to, "slow loads          %" PRIu64 "\n", c->f.slow_loads);
	fprintf(to, "slow stores         %" PRIu64 "\n", c->f.slow_stores);
	fprintf(to, "slow operations     %" PRIu64 "\n", c->f.slow_ops);
	fprintf(to, "shadow fills        %" PRIu64 "\n", c->f.fills);
	fprintf(to, "shadow entries      %" PRIu64 "\n", shadow_count(c->shadow));
	print_events(c, to);
}
