/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processor's state as text, for the monitor and the log. */
#include "cpu/system.h"

static void
print_segment(FILE *to, const char *name, const struct segment *s)
{
	fprintf(to, "%-3s=%04x %016llx %08x %04x DPL=%u%s%s\n", name, s->selector, (unsigned long long)s->base, s->limit, s->flags,
		s->flags >> SF_DPL_SHIFT & 3, s->flags & SF_P ? "" : " -", s->flags & SF_CODE && s->flags & SF_S ? " code" : "");
}

static void
print_flags(FILE *to, uint64_t flags)
{
	static const struct { uint32_t bit; char letter; } letters[] = {
		{ EFL_DF, 'D' }, { EFL_OF, 'O' }, { EFL_SF, 'S' }, { EFL_ZF, 'Z' }, { EFL_AF, 'A' }, { EFL_PF, 'P' }, { EFL_CF, 'C' },
	};

	fprintf(to, "RFL=%08llx [", (unsigned long long)flags);
	for (unsigned i = 0; i < ARRAY_SIZE(letters); i++)
		fputc(flags & letters[i].bit ? letters[i].letter : '-', to);
	fprintf(to, "]");
}

static void
print_vectors(const struct cpu *c, FILE *to)
{
	fprintf(to, "FCW=%04x FSW=%04x FTW=%02x MXCSR=%08x\n", (unsigned)load_le(c->f.x87, 2), (unsigned)load_le(c->f.x87 + 2, 2),
		c->f.x87[4], c->f.mxcsr);
	for (unsigned i = 0; i < 16; i++)
		fprintf(to, "XMM%02u=%016llx%016llx%s", i, (unsigned long long)load_le(&c->f.vec[i][8], 8),
			(unsigned long long)load_le(&c->f.vec[i][0], 8), i & 1 ? "\n" : " ");
}

void
cpu_print_registers(const struct cpu *c, FILE *to)
{
	static const char *const gpr[] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8 ", "R9 ", "R10", "R11", "R12", "R13", "R14", "R15",
	};
	static const uint8_t order[] = { 0, 3, 1, 2, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15 };
	static const char *const seg[] = { "ES", "CS", "SS", "DS", "FS", "GS" };

	for (unsigned i = 0; i < 16; i++)
		fprintf(to, "%s=%016llx%s", gpr[order[i]], (unsigned long long)c->f.gpr[order[i]], i % 4 == 3 ? "\n" : " ");
	fprintf(to, "RIP=%016llx ", (unsigned long long)c->f.rip);
	print_flags(to, cpu_eflags(c));
	fprintf(to, " CPL=%u II=%u A20=%u SMM=%u HLT=%u\n", c->cpl, c->inhibit, c->a20, c->smm, cpu_is_halted(c));
	for (unsigned i = 0; i < 6; i++)
		print_segment(to, seg[i], &c->seg[i]);
	print_segment(to, "LDT", &c->ldtr);
	print_segment(to, "TR", &c->tr);
	fprintf(to, "GDT=     %016llx %08x\nIDT=     %016llx %08x\n", (unsigned long long)c->gdtr.base, c->gdtr.limit,
		(unsigned long long)c->idtr.base, c->idtr.limit);
	fprintf(to, "CR0=%08llx CR2=%016llx CR3=%016llx CR4=%08llx\n", (unsigned long long)c->cr0, (unsigned long long)c->cr2,
		(unsigned long long)c->cr3, (unsigned long long)c->cr4);
	if (c->cr4 & CR4_CET)
		fprintf(to, "SSP=%016llx S_CET=%016llx U_CET=%016llx\n", (unsigned long long)c->ssp, (unsigned long long)c->s_cet,
			(unsigned long long)c->u_cet);
	for (unsigned i = 0; i < 8; i++)
		if (i != 4 && i != 5)
			fprintf(to, "DR%u=%016llx%s", i, (unsigned long long)c->dr[i], i == 3 || i == 7 ? "\n" : " ");
	fprintf(to, "EFER=%016llx mode=%06x\n", (unsigned long long)c->efer, c->mode);
	print_vectors(c, to);
}

/* ---- the page tables ---- */

/* How far a hole at LINEAR reaches isn't known: steps of a page would take forever in 48 bits, so tables are followed. */
struct lister {
	struct cpu *c;
	FILE *to;
	uint64_t start, end;
	unsigned rights, lines;
	unsigned entries; /* looked at: tables that hold themselves, or each other, have no end */
	bool whole;       /* `info tlb`: each page, not runs */
};

enum { RIGHT_USER = 4, RIGHT_WRITE = 2, RIGHT_PRESENT = 1, MAX_LINES = 20000, MAX_ENTRIES = 2000000 };

static bool
is_enough(const struct lister *l)
{
	return l->lines >= MAX_LINES || l->entries >= MAX_ENTRIES;
}

/* As QEMU shows an entry: address of the page and of its frame, then a letter for each bit that is set. */
static void
print_entry(struct lister *l, uint64_t linear, uint64_t phys, uint64_t entry)
{
	static const struct {
		unsigned bit;
		char letter;
	} bits[] = {
		{ 63, 'X' }, { 8, 'G' }, { 7, 'P' }, { 6, 'D' }, { 5, 'A' }, { 4, 'C' }, { 3, 'T' }, { 2, 'U' }, { 1, 'W' },
	};
	char text[ARRAY_SIZE(bits) + 1] = "";

	for (unsigned i = 0; i < ARRAY_SIZE(bits); i++)
		text[i] = entry >> bits[i].bit & 1 ? bits[i].letter : '-';
	fprintf(l->to, "%016llx: %016llx %s\n", (unsigned long long)linear, (unsigned long long)phys, text);
	l->lines++;
}

static void
end_run(struct lister *l)
{
	if (l->rights && l->lines++ < MAX_LINES)
		fprintf(l->to, "%016llx-%016llx %016llx %cr%c\n", (unsigned long long)l->start, (unsigned long long)l->end,
			(unsigned long long)(l->end - l->start), l->rights & RIGHT_USER ? 'u' : '-', l->rights & RIGHT_WRITE ? 'w' : '-');
	l->rights = 0;
}

static void
add_page(struct lister *l, uint64_t linear, uint64_t bytes, unsigned rights)
{
	if (l->rights != rights || l->end != linear) {
		end_run(l);
		l->start = linear;
	}
	l->rights = rights;
	l->end = linear + bytes;
}

static bool
read_entry(struct lister *l, uint64_t phys, unsigned size, uint64_t *entry)
{
	struct mem_range r = space_find(l->c->config.mem, phys, l->c->smm);

	if (!r.region || r.region->kind == REGION_IO)
		return false;
	*entry = load_le(r.region->host + r.offset + (phys - r.first), size);
	return *entry & 1;
}

static void
list_table(struct lister *l, uint64_t table, int level, uint64_t linear, unsigned rights)
{
	bool pae = l->c->cr4 & CR4_PAE, lma = in_long_mode(l->c);
	unsigned size = pae ? 8 : 4, bits_each = pae ? 9 : 10, count = pae ? 512 : 1024;
	bool wide = l->c->cr4 & CR4_LA57;

	if (pae && !lma && level == 2)
		count = 4;
	for (unsigned i = 0; i < count && !is_enough(l); i++) {
		unsigned shift = 12 + bits_each * level;
		uint64_t at = linear | (uint64_t)i << shift, entry, next;
		bool pdpte = pae && !lma && level == 2;
		unsigned r = rights;

		l->entries++;
		if (!read_entry(l, table + (uint64_t)i * size, size, &entry))
			continue;
		if (!pdpte)
			r &= entry & 7;
		next = entry & (((1ull << PHYS_BITS) - 1) & ~0xfffull);
		if (level != 0 && (pdpte || !(entry & 0x80) || level >= 3))
			list_table(l, next, level - 1, at, r);
		else if (l->whole)
			print_entry(l, linear_extended(at, wide), next & ~((1ull << shift) - 1), entry);
		else
			add_page(l, linear_extended(at, wide), 1ull << shift, r);
	}
}

static void
list_tables(struct cpu *c, FILE *to, bool whole)
{
	struct lister l = { .c = c, .to = to, .whole = whole };
	int level = in_long_mode(c) ? c->cr4 & CR4_LA57 ? 4 : 3 : c->cr4 & CR4_PAE ? 2 : 1;

	if (!(c->cr0 & CR0_PG)) {
		fprintf(to, "PG disabled\n");
		return;
	}
	list_table(&l, c->cr3 & ((1ull << PHYS_BITS) - 1) & (level == 2 ? ~0x1full : ~0xfffull), level, 0, 7);
	end_run(&l);
	if (is_enough(&l))
		fprintf(to, "(and more)\n");
}

void
cpu_print_mem(struct cpu *c, FILE *to)
{
	list_tables(c, to, false);
}

void
cpu_print_tlb(struct cpu *c, FILE *to)
{
	list_tables(c, to, true);
}

void
cpu_print_jit(const struct cpu *c, FILE *to)
{
	struct tcg_stats s = tcg_stats(c->tcg);
	uint64_t exceptions = 0, ns = s.timed_insns != 0 ? s.timed_ns / s.timed_insns : 0;

	for (unsigned i = 0; i < 32; i++)
		exceptions += c->exceptions[i];
	fprintf(to, "blocks            %llu\n", (unsigned long long)s.blocks);
	fprintf(to, "guest code        %llu instructions, %llu bytes\n", (unsigned long long)s.guest_insns,
		(unsigned long long)s.guest_bytes);
	fprintf(to, "code memory       %llu of %llu bytes\n", (unsigned long long)s.code_used, (unsigned long long)s.code_bytes);
	fprintf(to, "translation       %llu us, %llu ns an instruction\n", (unsigned long long)(ns * s.guest_insns / 1000), (unsigned long long)ns);
	fprintf(to, "flushes           %llu, blocks invalidated %llu\n", (unsigned long long)s.flushes,
		(unsigned long long)s.invalidated);
	fprintf(to, "jumps chained     %llu, missed %llu, look-ups %llu\n", (unsigned long long)s.chained,
		(unsigned long long)c->f.jump_misses, (unsigned long long)c->block_lookups);
	fprintf(to, "slow loads        %llu, stores %llu, others %llu\n", (unsigned long long)c->f.slow_loads,
		(unsigned long long)c->f.slow_stores, (unsigned long long)c->f.slow_ops);
	fprintf(to, "shadow pages      %llu filled, %llu listed\n", (unsigned long long)c->f.fills,
		(unsigned long long)shadow_count(c->shadow));
	fprintf(to, "exceptions        %llu, interrupts %llu\n", (unsigned long long)exceptions, (unsigned long long)c->interrupts);
	for (unsigned i = 0; i < 32; i++)
		if (c->exceptions[i])
			fprintf(to, "  vector %2u       %llu\n", i, (unsigned long long)c->exceptions[i]);
}
