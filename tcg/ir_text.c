/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The text form of the IR, both ways.
 *
 *     block 0x1000 cs_base 0x0 mode64
 *     insn 0x1000 len 4
 *       add.4 rax, [ds flat.8 rdi+rcx*8+0x10] lock live
 *       movzx.4 rdx, ah from 1
 *       call.8 t0, t1, - lookup aux 0x3
 *       jcc.8 if ne to 0x1010
 *       jmp.8 to 0x1004
 *
 * An operation, its width, up to three operands (`-`: none), then words.  A general register has one name whatever the width;
 * t0-t15 are temporaries, @0x80 is a field, 0x10 or -0x10 an immediate.  A memory operand: segment, how its address is made
 * (flat, base, checked) and cut (2, 4, 8), the address, then `align N` and `size N` where they are set.  Of the block's words
 * mode64, wide, slow_mem, direct, zmm, soft_sse and soft_x87 stand where they are true.  What op.def and ir_emit make by themselves is not
 * printed: flags read and written (unless other than the operation's: `reads CZ`, `writes -`) and the kind of access.
 */
#include "tcg/ir.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/util.h"
#include "tcg/op.h"
#include "tcg/evex.h"
#include "tcg/vec.h"

enum { LINE = 512, TOKEN = 64 };

static const char *const gpr_names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11",
	"r12", "r13", "r14", "r15" };
static const char *const high_names[4] = { "ah", "ch", "dh", "bh" };
static const char *const cond_names[16] = { "o", "no", "b", "ae", "e", "ne", "be", "a", "s", "ns", "p", "np", "l", "ge", "le",
	"g" };
static const char *const seg_names[6] = { "es", "cs", "ss", "ds", "fs", "gs" };
static const char *const how_names[3] = { "flat", "base", "checked" };

static const struct {
	const char *name;
	unsigned bit;
} attr_names[] = { { "lock", IR_LOCKED }, { "near_call", IR_HINT_CALL }, { "near_ret", IR_HINT_RET }, { "rip_set", IR_RIP_SET },
	{ "live", IR_FLAGS_LIVE } };

static const struct {
	char letter;
	unsigned bit;
} flag_names[] = { { 'C', FL_CF }, { 'P', FL_PF }, { 'A', FL_AF }, { 'Z', FL_ZF }, { 'S', FL_SF }, { 'O', FL_OF } };

/* ---- printing ---- */

struct text {
	char *at, *end;
};

static void __attribute__((format(printf, 2, 3)))
say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at, (size_t)(t->end - t->at), format, args);
	va_end(args);
	t->at += n < 0 ? 0 : MIN((ptrdiff_t)n, t->end - t->at - 1);
}

static const char *
name_in(const char *const *names, unsigned count, unsigned n)
{
	return n < count ? names[n] : "?";
}

static void
say_signed(struct text *t, const char *plus, int64_t v)
{
	uint64_t size = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;

	say(t, "%s0x%" PRIx64, v < 0 ? "-" : plus, size);
}

static void
say_address_reg(struct text *t, unsigned reg)
{
	if (reg < IR_TEMP_REG)
		say(t, "%s", gpr_names[reg]);
	else
		say(t, "t%u", reg - IR_TEMP_REG);
}

static void
say_mem(struct text *t, const struct ir_mem *m)
{
	bool first = true;

	say(t, "[%s %s.%u ", name_in(seg_names, 6, m->seg), name_in(how_names, 3, m->how), m->addr_width);
	if (m->base != IR_NO_REG) {
		say_address_reg(t, m->base);
		first = false;
	}
	if (m->index != IR_NO_REG) {
		say(t, first ? "" : "+");
		say_address_reg(t, m->index);
		say(t, "*%u", 1u << (m->scale & 3));
		first = false;
	}
	if (m->disp != 0 || first)
		say_signed(t, first ? "" : "+", m->disp);
	if (m->align != 0)
		say(t, " align %u", m->align);
	if (m->size != 0)
		say(t, " size %u", m->size);
	say(t, "]");
}

static void
say_operand(struct text *t, const struct ir_insn *i, struct ir_opnd o)
{
	switch (o.kind) {
	case IR_NONE:
		say(t, "-");
		break;
	case IR_GPR:
		say(t, "%s", name_in(gpr_names, 16, o.reg));
		break;
	case IR_GPRH:
		say(t, "%s", name_in(high_names, 4, o.reg));
		break;
	case IR_TEMP:
		say(t, "t%u", o.reg);
		break;
	case IR_IMM:
		say_signed(t, "", i->imm);
		break;
	case IR_MEM:
		say_mem(t, &i->mem);
		break;
	case IR_FIELD:
		say(t, "@0x%x", o.off);
		break;
	case IR_XMM:
		say(t, "xmm%u", o.reg);
		break;
	case IR_MM:
		say(t, "mm%u", o.reg);
		break;
	case IR_K:
		say(t, "k%u", o.reg);
		break;
	default:
		say(t, "?");
		break;
	}
}

static void
say_operands(struct text *t, const struct ir_insn *i)
{
	const struct ir_opnd *o[3] = { &i->dst, &i->src, &i->src2 };
	unsigned count = 3;

	while (count > 0 && o[count - 1]->kind == IR_NONE)
		count--;
	for (unsigned n = 0; n < count; n++) {
		say(t, n == 0 ? " " : ", ");
		say_operand(t, i, *o[n]);
	}
}

static void
say_flags(struct text *t, const char *word, unsigned flags, unsigned usual)
{
	if (flags == usual)
		return;
	say(t, " %s %s", word, flags == 0 ? "-" : "");
	for (unsigned n = 0; n < ARRAY_SIZE(flag_names); n++)
		if (flags & flag_names[n].bit)
			say(t, "%c", flag_names[n].letter);
}

/* What stands beside the operands: names of helpers and rows, targets, everything that isn't 0. */
static void
say_words(struct text *t, const struct ir_insn *i)
{
	const struct ir_op_info *op = &ir_ops[i->op];

	if (i->op == IR_call || i->op == IR_call_if)
		say(t, " %s", ((const struct ir_helper *)(uintptr_t)i->imm)->name);
	if (i->op == IR_call_if)
		say(t, " sub 0x%x", i->sub);
	if (i->op == IR_vec)
		say(t, " %s", i->sub < VEC_ROWS ? vec_rows[i->sub].name : "?");
	if (i->op == IR_avx)
		say(t, " %s", i->sub < AVX_ROWS ? avx_rows[i->sub].name : "?");
	if (i->op == IR_evex)
		say(t, " %s", i->sub < EVEX_ROWS ? evex_rows[i->sub].name : "?");
	if (i->op == IR_x87)
		say(t, " sub 0x%x", i->sub);
	if (op->traits & COND)
		say(t, " if %s", name_in(cond_names, 16, i->cond));
	if (i->op == IR_jcc || i->op == IR_jmp || (i->op == IR_exit && !(i->attr & IR_RIP_SET)))
		say(t, " to 0x%" PRIx64, (uint64_t)i->imm);
	if (i->src_width != 0)
		say(t, " from %u", i->src_width);
	if (i->aux != 0)
		say(t, " aux 0x%x", i->aux);
	say_flags(t, "reads", i->reads, op->reads);
	say_flags(t, "writes", i->writes, op->writes);
	for (unsigned n = 0; n < ARRAY_SIZE(attr_names); n++)
		if (i->attr & attr_names[n].bit)
			say(t, " %s", attr_names[n].name);
}

void
ir_print_insn(const struct ir *ir, const struct ir_insn *i, char *text, size_t size)
{
	struct text t = { text, text + size };

	(void)ir;
	if (i->op == IR_insn) {
		say(&t, "insn 0x%" PRIx64 " len %u", (uint64_t)i->imm, i->aux);
		return;
	}
	if (i->op >= IR_OPS) {
		say(&t, "  op%u?", i->op);
		return;
	}
	say(&t, "  %s.%u", ir_ops[i->op].name, i->width);
	say_operands(&t, i);
	say_words(&t, i);
}

void
ir_print(const struct ir *ir, FILE *to)
{
	char line[LINE];

	fprintf(to, "block 0x%" PRIx64 " cs_base 0x%" PRIx64 "%s%s%s%s%s%s%s\n", ir->rip, ir->cs_base, ir->mode64 ? " mode64" : "",
		ir->wide ? " wide" : "", ir->slow_mem ? " slow_mem" : "", ir->direct ? " direct" : "", ir->zmm ? " zmm" : "",
		ir->native_sse ? "" : " soft_sse", ir->native_x87 ? "" : " soft_x87");
	for (unsigned n = 0; n < ir->count; n++) {
		ir_print_insn(ir, &ir->insn[n], line, sizeof(line));
		fprintf(to, "%s\n", line);
	}
}

/* ---- parsing ---- */

struct parser {
	struct ir *ir;
	const struct ir_helper *const *helpers;
	const char *at;
	unsigned line;
	char token[TOKEN]; /* the current one; empty at the end of a line */
	char *why;
	size_t why_size;
};

static bool __attribute__((format(printf, 2, 3)))
wrong(struct parser *p, const char *format, ...)
{
	va_list args;
	int n = snprintf(p->why, p->why_size, "line %u: ", p->line);

	if (n >= 0 && (size_t)n < p->why_size) {
		va_start(args, format);
		vsnprintf(p->why + n, p->why_size - (size_t)n, format, args);
		va_end(args);
	}
	return false;
}

static bool
is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '@';
}

/* The next token of the line: a word (names and numbers), or one character. */
static void
next(struct parser *p)
{
	size_t n = 0;

	while (*p->at == ' ' || *p->at == '\t')
		p->at++;
	if (is_word(*p->at)) {
		while (is_word(*p->at) && n < TOKEN - 1)
			p->token[n++] = *p->at++;
	} else if (*p->at != '\0' && *p->at != '\n') {
		p->token[n++] = *p->at++;
	}
	p->token[n] = '\0';
}

static bool
accept(struct parser *p, const char *word)
{
	if (strcmp(p->token, word) != 0)
		return false;
	next(p);
	return true;
}

static bool
expect(struct parser *p, const char *word)
{
	return accept(p, word) || wrong(p, "'%s' expected, not '%s'", word, p->token);
}

static bool
number_of(const char *text, uint64_t *v)
{
	char *end;

	*v = 0;
	if (*text < '0' || *text > '9')
		return false;
	*v = strtoull(text, &end, 0);
	return *end == '\0';
}

static bool
number(struct parser *p, uint64_t max, uint64_t *v)
{
	if (!number_of(p->token, v) || *v > max)
		return wrong(p, "a number up to %#" PRIx64 " expected, not '%s'", max, p->token);
	next(p);
	return true;
}

/* [-] number */
static bool
signed_number(struct parser *p, int64_t *v)
{
	bool minus = accept(p, "-");
	uint64_t size;

	if (!number(p, UINT64_MAX, &size))
		return false;
	*v = (int64_t)(minus ? 0 - size : size);
	return true;
}

static int
index_of(const char *const *names, unsigned count, const char *name)
{
	for (unsigned n = 0; n < count; n++)
		if (strcmp(names[n], name) == 0)
			return (int)n;
	return -1;
}

/* PREFIX and a number below LIMIT, as in t3 or xmm12. */
static int
numbered(const char *token, const char *prefix, unsigned limit)
{
	size_t n = strlen(prefix);
	uint64_t v;

	if (strncmp(token, prefix, n) != 0 || !number_of(token + n, &v) || v >= limit)
		return -1;
	return (int)v;
}

static int
address_register(const char *token)
{
	int reg = index_of(gpr_names, 16, token);

	if (reg >= 0)
		return reg;
	reg = numbered(token, "t", IR_TEMPS);
	return reg < 0 ? -1 : reg + IR_TEMP_REG;
}

/* base + index*scale + disp, each of which may be missing. */
static bool
parse_address(struct parser *p, struct ir_mem *m)
{
	for (bool first = true;; first = false) {
		int reg;
		uint64_t scale;

		if (!first && strcmp(p->token, "-") != 0 && !accept(p, "+"))
			return true;
		reg = address_register(p->token);
		if (reg < 0)
			return signed_number(p, &m->disp);
		next(p);
		if (!accept(p, "*")) {
			m->base = (uint8_t)reg;
			continue;
		}
		if (!number(p, 8, &scale) || scale == 0 || (scale & (scale - 1)) != 0)
			return wrong(p, "no such scale");
		m->index = (uint8_t)reg;
		m->scale = (uint8_t)__builtin_ctzll(scale);
	}
}

static bool
parse_mem(struct parser *p, val *v)
{
	struct ir_mem m = { .base = IR_NO_REG, .index = IR_NO_REG };
	int seg = index_of(seg_names, 6, p->token), how;
	uint64_t width, n;
	char *dot;

	if (seg < 0)
		return wrong(p, "a segment expected, not '%s'", p->token);
	next(p);
	dot = strchr(p->token, '.');
	if (dot == NULL || !number_of(dot + 1, &width) || width > 8)
		return wrong(p, "flat.8 or the like expected, not '%s'", p->token);
	*dot = '\0';
	how = index_of(how_names, 3, p->token);
	if (how < 0)
		return wrong(p, "flat, base or checked expected, not '%s'", p->token);
	next(p);
	m.seg = (uint8_t)seg;
	m.how = (uint8_t)how;
	m.addr_width = (uint8_t)width;
	if (!parse_address(p, &m))
		return false;
	while (strcmp(p->token, "]") != 0) {
		bool align = accept(p, "align");

		if ((!align && !expect(p, "size")) || !number(p, 255, &n))
			return false;
		*(align ? &m.align : &m.size) = (uint8_t)n;
	}
	next(p);
	*v = ir_mem(m);
	return true;
}

static bool
parse_register(struct parser *p, val *v)
{
	int reg;
	uint64_t off;

	if ((reg = index_of(gpr_names, 16, p->token)) >= 0)
		*v = ir_gpr((unsigned)reg);
	else if ((reg = index_of(high_names, 4, p->token)) >= 0)
		*v = ir_gprh((unsigned)reg);
	else if ((reg = numbered(p->token, "t", IR_TEMPS)) >= 0)
		*v = (val){ .o = { IR_TEMP, (uint8_t)reg, 0 } };
	else if ((reg = numbered(p->token, "xmm", 32)) >= 0)
		*v = ir_xmm((unsigned)reg);
	else if ((reg = numbered(p->token, "mm", 8)) >= 0)
		*v = ir_mm((unsigned)reg);
	else if ((reg = numbered(p->token, "k", 8)) >= 0)
		*v = ir_opmask((unsigned)reg);
	else if (p->token[0] == '@' && number_of(p->token + 1, &off) && off <= UINT16_MAX)
		*v = ir_field(off);
	else
		return false;
	next(p);
	return true;
}

/* False with nothing said: no operand stands here. */
static bool
parse_operand(struct parser *p, val *v, bool *bad)
{
	uint64_t size;

	*bad = false;
	*v = ir_none();
	if (parse_register(p, v))
		return true;
	if (accept(p, "[")) {
		*bad = !parse_mem(p, v);
		return !*bad;
	}
	if (accept(p, "-")) {
		if (number_of(p->token, &size)) {
			*v = ir_imm((int64_t)(0 - size));
			next(p);
		}
		return true;
	}
	if (!number_of(p->token, &size))
		return false;
	*v = ir_imm((int64_t)size);
	next(p);
	return true;
}

static bool
parse_flags(struct parser *p, uint8_t *flags)
{
	*flags = 0;
	if (accept(p, "-"))
		return true;
	for (const char *c = p->token; *c != '\0'; c++) {
		unsigned n = 0;

		while (n < ARRAY_SIZE(flag_names) && flag_names[n].letter != *c)
			n++;
		if (n == ARRAY_SIZE(flag_names))
			return wrong(p, "no such flag: '%c'", *c);
		*flags |= flag_names[n].bit;
	}
	next(p);
	return true;
}

static bool
parse_attr(struct parser *p, struct ir_insn *i)
{
	for (unsigned n = 0; n < ARRAY_SIZE(attr_names); n++)
		if (accept(p, attr_names[n].name)) {
			i->attr |= attr_names[n].bit;
			return true;
		}
	return wrong(p, "no such word: '%s'", p->token);
}

static bool
parse_word(struct parser *p, struct ir_insn *i)
{
	uint64_t v = 0;
	int cond;

	if (accept(p, "if")) {
		cond = index_of(cond_names, 16, p->token);
		if (cond < 0)
			return wrong(p, "no such condition: '%s'", p->token);
		i->cond = (uint8_t)cond;
		next(p);
		return true;
	}
	if (accept(p, "to")) {
		bool ok = number(p, UINT64_MAX, &v);

		i->imm = (int64_t)v;
		return ok;
	}
	if (accept(p, "from")) {
		bool ok = number(p, 16, &v);

		i->src_width = (uint8_t)v;
		return ok;
	}
	if (accept(p, "aux")) {
		bool ok = number(p, UINT32_MAX, &v);

		i->aux = (uint32_t)v;
		return ok;
	}
	if (accept(p, "reads"))
		return parse_flags(p, &i->reads);
	if (accept(p, "writes"))
		return parse_flags(p, &i->writes);
	return parse_attr(p, i);
}

static bool
parse_number_of_sub(struct parser *p, struct ir_insn *i)
{
	uint64_t v = 0;
	bool ok = expect(p, "sub") && number(p, UINT16_MAX, &v);

	i->sub = (uint16_t)v;
	return ok;
}

static bool
parse_helper(struct parser *p, struct ir_insn *i)
{
	for (unsigned n = 0; p->helpers != NULL && p->helpers[n] != NULL && p->helpers[n]->name != NULL; n++)
		if (accept(p, p->helpers[n]->name)) {
			i->imm = (int64_t)(uintptr_t)p->helpers[n];
			return true;
		}
	return wrong(p, "no such helper: '%s'", p->token);
}

/* The name that call and vec have, or x87's number. */
static bool
parse_sub(struct parser *p, struct ir_insn *i)
{
	if (i->op == IR_x87)
		return parse_number_of_sub(p, i);
	if (i->op == IR_vec) {
		for (unsigned n = 0; n < VEC_ROWS; n++)
			if (accept(p, vec_rows[n].name)) {
				i->sub = (uint16_t)n;
				return true;
			}
		return wrong(p, "no such vector instruction: '%s'", p->token);
	}
	if (i->op == IR_avx) {
		for (unsigned n = 0; n < AVX_ROWS; n++)
			if (accept(p, avx_rows[n].name)) {
				i->sub = (uint16_t)n;
				return true;
			}
		return wrong(p, "no such vector instruction: '%s'", p->token);
	}
	if (i->op == IR_evex) {
		for (unsigned n = 0; n < EVEX_ROWS; n++)
			if (accept(p, evex_rows[n].name)) {
				i->sub = (uint16_t)n;
				return true;
			}
		return wrong(p, "no such vector instruction: '%s'", p->token);
	}
	if (i->op == IR_call)
		return parse_helper(p, i);
	if (i->op == IR_call_if)
		return parse_helper(p, i) && parse_number_of_sub(p, i);
	return true;
}

static bool
parse_insn(struct parser *p)
{
	uint64_t rip, len;

	if (p->ir->guests == IR_MAX_GUEST || p->ir->count == IR_MAX_INSNS)
		return wrong(p, "too many instructions");
	if (!number(p, UINT64_MAX, &rip) || !expect(p, "len") || !number(p, 255, &len))
		return false;
	ir_begin(p->ir, rip, (unsigned)len);
	return true;
}

static void
note_temp(struct ir *ir, const val *v)
{
	if (v->o.kind == IR_TEMP && v->o.reg >= ir->temps)
		ir->temps = v->o.reg + 1;
}

static bool
parse_op(struct parser *p)
{
	char *dot = strchr(p->token, '.');
	val v[3] = { ir_none(), ir_none(), ir_none() };
	struct ir_insn *i;
	uint64_t width;
	unsigned op = 0;
	bool bad;

	if (dot == NULL || !number_of(dot + 1, &width) || width > 255)
		return wrong(p, "an operation and its width expected, not '%s'", p->token);
	*dot = '\0';
	while (op < IR_OPS && strcmp(ir_ops[op].name, p->token) != 0)
		op++;
	if (op == IR_OPS)
		return wrong(p, "no such operation: '%s'", p->token);
	if (p->ir->count == IR_MAX_INSNS)
		return wrong(p, "too many operations");
	next(p);
	for (unsigned n = 0; n < 3 && parse_operand(p, &v[n], &bad); n++) {
		note_temp(p->ir, &v[n]);
		if (n < 2 && !accept(p, ","))
			break;
	}
	if (bad)
		return false;
	i = ir_emit(p->ir, (enum ir_op)op, (unsigned)width, v[0], v[1], v[2]);
	if (!parse_sub(p, i))
		return false;
	while (p->token[0] != '\0')
		if (!parse_word(p, i))
			return false;
	return true;
}

static bool
parse_header(struct parser *p)
{
	struct ir *ir = p->ir;
	uint64_t rip, cs_base;

	if (!expect(p, "block") || !number(p, UINT64_MAX, &rip) || !expect(p, "cs_base") || !number(p, UINT64_MAX, &cs_base))
		return false;
	ir_reset(ir, rip, cs_base, accept(p, "mode64"));
	ir->wide = accept(p, "wide");
	ir->slow_mem = accept(p, "slow_mem");
	ir->direct = accept(p, "direct");
	ir->zmm = accept(p, "zmm");
	ir->native_sse = !accept(p, "soft_sse");
	ir->native_x87 = !accept(p, "soft_x87");
	return true;
}

static bool
parse_line(struct parser *p, bool *header)
{
	bool ok;

	next(p);
	if (p->token[0] == '\0' || p->token[0] == '#') {
		p->at += strcspn(p->at, "\n");
		return true;
	}
	if (!*header)
		ok = *header = parse_header(p);
	else
		ok = accept(p, "insn") ? parse_insn(p) : parse_op(p);
	if (ok && p->token[0] != '\0')
		return wrong(p, "'%s' was not expected", p->token);
	return ok;
}

bool
ir_parse(struct ir *ir, const char *text, const struct ir_helper *const *helpers, char *why, size_t why_size)
{
	struct parser p = { .ir = ir, .helpers = helpers, .at = text, .line = 1, .why = why, .why_size = why_size };
	bool header = false;

	while (*p.at != '\0') {
		if (!parse_line(&p, &header))
			return false;
		if (*p.at == '\n')
			p.at++;
		p.line++;
	}
	return header || wrong(&p, "no block");
}
