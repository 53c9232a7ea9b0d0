/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Templates: a row of the opcode maps, of a group, or of a table of vector instructions each; and how often each was met. */
#include "tests/fuzz/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "cpu/avx.h"
#include "cpu/decode.h"
#include "cpu/evex.h"
#include "cpu/map.h"
#include "cpu/vec.h"

bool
in_words(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = strstr(list, name); p != NULL; p = strstr(p + 1, name))
		if (p > list && p[-1] == ' ' && p[len] == ' ')
			return true;
	return false;
}

static enum class
class_of(const char *name, unsigned opcode, unsigned map)
{
	if (in_words(" FXSAVE FNSAVE FNSTENV XSAVE ", name))
		return CLASS_SAVE;
	if (in_words(" JCC JMP CALL RET LOOP LOOPE LOOPNE JCXZ CALL_IND JMP_IND ", name))
		return CLASS_CONTROL;
	if (in_words(" BOUND INTO CLI STI HLT IN OUT INS OUTS LGDT LIDT LLDT LTR LMSW CLTS MOV_FROM_CR MOV_TO_CR MOV_FROM_DR "
		"MOV_TO_DR INVLPG WBINVD RDMSR WRMSR SWAPGS SYSRET SYSEXIT UNDEFINED INT3 INT1 MOV_TO_SEG POPF STD "
		"LDMXCSR FLDCW FLDENV FRSTOR FXRSTOR ", name))
		return CLASS_FAULT;
	return map == MAP_1 && opcode >= 0xd8 && opcode <= 0xdf ? CLASS_X87 : CLASS_INTEGER;
}

static void
add_template(struct generator *g, const struct template *t)
{
	bool possible = excluded_reason(t->name) == NULL && (t->feature == 0 || native_has(t->feature - 1));

	if (g->count == MAX_TEMPLATES || !(possible || g->all))
		return;
	g->by_class[t->class][g->of_class[t->class]++] = (uint16_t)g->count;
	g->template[g->count++] = *t;
}

/* All that ROW may become. */
static void
expand(struct generator *g, const struct row *row, struct template t)
{
	unsigned kind;

	t.flags = (t.flags & 0xffffff) | row->flags | (row->flags >> 24 ? 0 : t.flags & 0xff000000);
	if ((row->flags & ROW_MODRM) && t.forms == 0)
		t.forms = FORM_MEM | FORM_REG;
	if (row->group == 0) {
		if (row->gen == NULL)
			return;
		t.not64 = t.flags & ROW_I64;
		t.only64 = t.flags & ROW_O64;
		t.name = row->name;
		t.row = row;
		t.feature = t.flags >> 24;
		t.class = class_of(row->name, t.opcode, t.map);
		add_template(g, &t);
		return;
	}
	kind = group_kinds[row->group - 1];
	for (unsigned n = 0; n < 16; n++) {
		struct template sub = t;

		if (kind == BY_DIGIT) {
			sub.digit = n & 7;
			sub.forms = n < 8 ? FORM_MEM : FORM_REG;
		} else if (kind == BY_RM) {
			sub.rm = n & 7;
		} else {
			sub.prefix = n & 3;
			sub.prefix_fixed = true;
		}
		if (n < (kind == BY_DIGIT ? 16u : kind == BY_RM ? 8u : 4u))
			expand(g, &group_rows[row->group - 1][n], sub);
	}
}

static enum prefix
mandatory_prefix(unsigned byte)
{
	return byte == 0x66 ? P66 : byte == 0xf2 ? PF2 : byte == 0xf3 ? PF3 : NP;
}

static void
add_vectors(struct generator *g)
{
	for (unsigned n = 0; n < VEC_ROWS; n++) {
		const struct vec_row *v = &vec_rows[n];
		struct template t = { .name = v->name, .vec = v, .feature = (unsigned)vec_feature(v) + 1, .map = (uint8_t)(MAP_0F + v->map - 1),
			.opcode = v->opcode, .digit = v->ext, .rm = -1, .prefix = mandatory_prefix(v->prefix), .prefix_fixed = true,
			.class = CLASS_VECTOR };

		t.forms = v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

static void
add_avx(struct generator *g)
{
	for (unsigned n = 0; n < AVX_ROWS; n++) {
		const struct avx_row *v = &avx_rows[n];
		struct template t = { .name = v->name, .avx = v, .feature = (unsigned)avx_row_feature(v) + 1,
			.map = (uint8_t)(MAP_0F + v->map - 1), .opcode = v->opcode, .digit = v->ext, .rm = -1,
			.prefix = mandatory_prefix(v->prefix), .prefix_fixed = true, .vex = true, .class = CLASS_VECTOR };

		t.forms = v->form == AVX_NONE ? 0 : v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

static void
add_evex(struct generator *g)
{
	for (unsigned n = 0; n < EVEX_ROWS; n++) {
		const struct evex_row *v = &evex_rows[n];
		struct template t = { .name = v->name, .evex = v, .feature = (unsigned)evex_row_feature(v) + 1,
			.map = (uint8_t)(MAP_0F + v->map - 1), .opcode = v->opcode, .digit = v->ext, .rm = -1, .prefix_fixed = true, .vex = true,
			.class = CLASS_VECTOR, .prefix = mandatory_prefix(v->prefix) };

		t.forms = v->flags & VEC_REGS ? FORM_REG : v->rm == VEC_KIND_N ? FORM_MEM : FORM_MEM | FORM_REG;
		add_template(g, &t);
	}
}

void
add_templates(struct generator *g)
{
	for (unsigned map = MAP_1; map <= MAP_0F38; map++)
		for (unsigned op = 0; op < 256; op++) {
			struct template t = { .map = (uint8_t)map, .opcode = (uint8_t)op, .digit = -1, .rm = -1 };

			expand(g, &map_rows[map][op], t);
		}
	for (unsigned n = 0; n < 3 * 4 * 256; n++) {
		struct template t = { .map = (uint8_t)(MAP_0F + n / 1024), .prefix = n / 256 % 4, .opcode = (uint8_t)n, .digit = -1, .rm = -1,
			.prefix_fixed = true, .vex = true };
		const struct row *row = vex_row(t.map, t.prefix, t.opcode);

		if (row != NULL)
			expand(g, row, t);
	}
	add_vectors(g);
	if (g->all || native_has_avx())
		add_avx(g);
	if (g->all || native_has_avx512())
		add_evex(g);
}

/* ---- coverage ---- */

void
generator_cover(struct generator *g, const struct snippet *s, const struct made *made, const struct outcome *o)
{
	uint64_t start = FUZZ_CODE + s->at, end = o->vector == VECTOR_EXIT ? ~0ull : o->rip;

	if (o->vector == VECTOR_TIMEOUT || o->vector == VECTOR_LOST)
		return;
	for (unsigned n = 0; n < made->count && start + made->where[n].at <= end; n++) {
		unsigned outcome = start + made->where[n].at == end ? OUTCOME_FAULT : OUTCOME_DONE;

		g->template[made->where[n].template].met[outcome][made->where[n].cell]++;
	}
}

static uint64_t
times_met(const struct template *t)
{
	uint64_t sum = 0;

	for (unsigned n = 0; n < OUTCOMES * MADE_CELLS; n++)
		sum += t->met[n / MADE_CELLS][n % MADE_CELLS];
	return sum;
}

unsigned
generator_covered(const struct generator *g)
{
	unsigned n = 0;

	for (unsigned k = 0; k < g->count; k++)
		n += times_met(&g->template[k]) != 0;
	return n;
}

uint64_t
generator_instructions(const struct generator *g)
{
	uint64_t sum = 0;

	for (unsigned k = 0; k < g->count; k++)
		sum += times_met(&g->template[k]);
	return sum;
}

unsigned
generator_templates(const struct generator *g)
{
	return g->count;
}

static void
print_template(const struct template *t, FILE *to)
{
	fprintf(to, "%s %s map %u prefix %u opcode %02x digit %d rm %d", t->name,
		t->evex != NULL ? "evex" : t->avx != NULL ? "avx" : t->vec != NULL ? "vec" : t->vex ? "vex" : "row", t->map, t->prefix,
		t->opcode, t->digit, t->rm);
}

void
generator_print_seldom(const struct generator *g, uint64_t limit, FILE *to)
{
	static const char *const widths[4] = { "8 or 128", "16 or 256", "32 or 512", "64 (EVEX.L'L is 3)" };

	for (unsigned k = 0; k < g->count; k++) {
		const struct template *t = &g->template[k];

		if (times_met(t) == 0) {
			print_template(t, to);
			fprintf(to, ": never met\n");
		}
		for (unsigned n = 0; n < MADE_CELLS; n++) {
			uint64_t met = t->met[OUTCOME_DONE][n] + t->met[OUTCOME_FAULT][n];

			if (met == 0 || met >= limit)
				continue;
			print_template(t, to);
			fprintf(to, ": %s, bits: %s: %" PRIu64 " times\n", n & MADE_MEMORY ? "memory" : "registers", widths[n & 3], met);
		}
	}
}

/* ---- totals of several runs ---- */

static void
print_totals(const struct generator *g, uint64_t executions, FILE *to)
{
	fprintf(to, "executions %" PRIu64 "\n", g->executions + executions);
	for (unsigned k = 0; k < g->count; k++) {
		const struct template *t = &g->template[k];

		print_template(t, to);
		fputc(':', to);
		for (unsigned n = 0; n < OUTCOMES * MADE_CELLS; n++)
			fprintf(to, " %" PRIu64, t->met[n / MADE_CELLS][n % MADE_CELLS]);
		fputc('\n', to);
	}
}

bool
generator_save_totals(const struct generator *g, uint64_t executions, const char *name)
{
	char other[512];
	FILE *to;

	snprintf(other, sizeof(other), "%s.new", name);
	to = fopen(other, "w");
	if (to == NULL)
		return false;
	print_totals(g, executions, to);
	return fclose(to) == 0 && rename(other, name) == 0;
}

static void
add_total(struct generator *g, unsigned from, char *line)
{
	char *counts = strchr(line, ':');

	if (counts == NULL)
		return;
	*counts++ = '\0';
	/* They mostly stand in the order of the templates. */
	for (unsigned k = 0; k < g->count; k++) {
		struct template *t = &g->template[(from + k) % g->count];
		char *name = NULL;
		size_t size;
		FILE *to = open_memstream(&name, &size);
		bool same;

		print_template(t, to);
		fclose(to);
		same = strcmp(name, line) == 0;
		free(name);
		for (unsigned n = 0; same && n < OUTCOMES * MADE_CELLS; n++)
			t->met[n / MADE_CELLS][n % MADE_CELLS] += strtoull(counts, &counts, 10);
		if (same)
			return;
	}
}

void
generator_load_totals(struct generator *g, const char *name)
{
	FILE *from = fopen(name, "r");
	char line[1024];

	if (from == NULL)
		return;
	for (unsigned n = 0; fgets(line, sizeof(line), from) != NULL; n++)
		if (sscanf(line, "executions %" SCNu64, &g->executions) != 1)
			add_total(g, n - 1, line);
	fclose(from);
}

uint64_t
generator_executions(const struct generator *g)
{
	return g->executions;
}
