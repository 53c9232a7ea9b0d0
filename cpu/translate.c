/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From guest code to a block of IR.
 *
 * A block goes on to the first control transfer, the first instruction that may change what its key says, the end of its
 * page, or as many instructions as it may have.  An instruction that runs over into the next page is a block of its own.
 * What can't be executed (undefined, too long, past the limit of CS) becomes code that raises the exception, as the
 * processor would when it gets there.
 */
#include "cpu/translate.h"

#include <string.h>

#include "base/mem.h"
#include "cpu/gen.h"

enum { PAGE = 4096, MAX_LEN = 15 };

/* The bytes of one page of code. */
struct code {
	struct cpu *c;
	uint64_t phys;       /* of the block's first byte */
	const uint8_t *host; /* of the same, up to the end of the page; NULL: not plain memory */
	uint8_t bytes[16];   /* of one instruction, where they can't be read in place */
};

static const uint8_t *
host_of_code(struct cpu *c, uint64_t phys, unsigned n)
{
	struct mem_range r = space_find(c->config.mem, phys, c->smm);

	if (r.region == NULL || r.region->kind == REGION_IO || r.last - phys < n - 1)
		return NULL;
	return r.region->host + r.offset + (phys - r.first);
}

unsigned
cpu_read_code(struct cpu *c, uint64_t phys, uint8_t *to, unsigned n)
{
	unsigned room = PAGE - (phys & (PAGE - 1));
	const uint8_t *host;

	n = n < room ? n : room;
	host = host_of_code(c, phys, n);
	if (host != NULL) {
		memcpy(to, host, n);
		return n;
	}
	c->config.lock(c->config.lock_opaque);
	for (unsigned k = 0; k < n; k++)
		to[k] = (uint8_t)space_read(c->config.mem, phys + k, 1, c->smm);
	c->config.unlock(c->config.lock_opaque);
	return n;
}

/* The bytes AT into the block; *AVAIL of them, up to the page's end. */
static const uint8_t *
code_at(struct code *code, unsigned at, unsigned *avail)
{
	unsigned room = PAGE - ((code->phys + at) & (PAGE - 1));

	*avail = room;
	if (code->host != NULL)
		return code->host + at;
	*avail = room < MAX_LEN ? room : MAX_LEN;
	cpu_read_code(code->c, code->phys + at, code->bytes, *avail);
	return code->bytes;
}

static uint64_t
linear_of(const struct trans *t, const struct tcg_key *key, uint64_t rip)
{
	return t->dm.code == 8 ? key->cs_base + rip : (uint32_t)(key->cs_base + rip);
}

/* The block's first instruction runs over its page's end: its bytes from both pages. */
static enum decode_result
decode_over_border(struct trans *t, struct code *code, const struct tcg_key *key, struct tcg_code *out)
{
	unsigned first;
	const uint8_t *from = code_at(code, 0, &first);
	uint8_t bytes[16];

	memcpy(bytes, from, first);
	out->phys2 = fetch_phys(code->c, linear_of(t, key, t->rip + first)) & ~(uint64_t)(PAGE - 1);
	cpu_read_code(code->c, out->phys2, bytes + first, MAX_LEN - first);
	return decode(&t->insn, bytes, MAX_LEN, t->rip, t->dm);
}

static bool
past_limit(const struct trans *t)
{
	if (t->dm.code == 8 || t->mode & MODE_FLAT)
		return false;
	return t->rip + t->insn.len - 1 > t->cpu->seg[SEG_CS].limit;
}

static bool
lacks_feature(const struct trans *t)
{
	unsigned feature = t->insn.flags >> 24;

	if (t->insn.encoding != ENC_LEGACY && (!(t->mode & MODE_PE) || t->mode & MODE_VM))
		return true;
	return feature != 0 && !trans_has(t, feature - 1);
}

/* Where indirect branches are tracked: INT3 may stand in ENDBR's place. */
static bool
may_follow_branch(const struct trans *t, enum decode_result result)
{
	void (*gen)(struct trans *) = result == DECODE_OK && t->insn.row != NULL ? t->insn.row->gen : NULL;

	return gen == gen_INT3 || gen == (t->dm.code == 8 ? gen_ENDBR64 : gen_ENDBR32);
}

static void
gen_no_endbr(struct trans *t)
{
	gen_helper(t, &helper_no_endbr, ir_none(), ir_none(), ir_none(), 0);
	end_exit_rip_set(t);
}

/* IR for the instruction just decoded. */
static void
gen_insn(struct trans *t, enum decode_result result)
{
	const struct insn *i = &t->insn;

	t->next = t->rip + i->len;
	if (t->dm.code != 8)
		t->next = (uint32_t)t->next;
	ir_begin(t->ir, t->rip, i->len);
	t->width = opnd_width(t, 0);
	if (t->width == 0)
		t->width = i->width;
	if (past_limit(t))
		gen_raise(t, EXC_GP);
	else if (t->mode & MODE_ENDBR && !may_follow_branch(t, result))
		gen_no_endbr(t);
	else if (result == DECODE_LONG)
		gen_raise(t, EXC_GP);
	else if (result != DECODE_OK || lacks_feature(t))
		gen_raise(t, EXC_UD);
	else if (i->vec != NULL)
		gen_VEC(t);
	else if (i->avx != NULL)
		gen_AVX(t);
	else if (i->evex != NULL)
		gen_EVEX(t);
	else
		i->row->gen(t);
}

/* All of T but what belongs to an instruction. */
static void
trans_begin(struct trans *t, struct cpu *c, const struct tcg_key *key, struct ir *ir)
{
	uint32_t mode = key->mode;

	t->ir = ir;
	t->cpu = c;
	t->mode = mode;
	t->rip = key->rip;
	t->dm.code = mode & MODE_CS64 ? 8 : mode & MODE_CS32 ? 4 : 2;
	t->dm.flat = (mode & MODE_FLAT) != 0;
	t->stack_width = mode & MODE_CS64 ? 8 : mode & MODE_SS32 ? 4 : 2;
	t->one = (mode & (MODE_TF | MODE_ONE)) != 0;
	t->ended = false;
	ir->mode64 = t->dm.code == 8;
	ir->wide = (mode & MODE_LA57) != 0;
	ir->slow_mem = (mode & MODE_SLOW_MEM) != 0;
	ir->direct = t->dm.code == 8 && (mode & MODE_CPL) == 0;
	ir->native_sse = !(mode & MODE_SSE_SLOW);
	ir->zmm = !(mode & MODE_NO_AVX512);
	ir->native_x87 = !(mode & MODE_X87_SLOW);
}

void
cpu_translate_block(struct tcg_frame *f, const struct tcg_key *key, struct ir *ir, unsigned max, struct tcg_code *out)
{
	struct cpu *c = cpu_of(f);
	struct trans t;
	struct code code;
	unsigned room = PAGE - (key->phys & (PAGE - 1)), count = 0;

	trans_begin(&t, c, key, ir);
	code.c = c;
	code.phys = key->phys;
	code.host = host_of_code(c, key->phys, room);
	*out = (struct tcg_code){ 0, ~0ull };
	if (t.one || max == 0)
		max = 1;
	while (!t.ended && count < max && out->bytes < room && ir_has_room(ir)) {
		unsigned avail;
		const uint8_t *bytes = code_at(&code, out->bytes, &avail);
		enum decode_result result = decode(&t.insn, bytes, avail, t.rip, t.dm);

		if (result == DECODE_MORE) {
			if (count != 0)
				break;
			result = decode_over_border(&t, &code, key, out);
		}
		t.after_sti = false;
		gen_insn(&t, result);
		out->bytes += t.insn.len;
		t.rip = t.next;
		count++;
	}
	if (!t.ended && t.after_sti)
		end_in_shadow(&t);
	else if (!t.ended)
		end_jmp(&t, t.rip, 0);
}
