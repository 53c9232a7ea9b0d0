/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The portable interpreter of the IR: the reference that the back ends are tested against, the accelerator where there
 * is no back end, and the slow path of every memory access in generated code.
 */
#include "tcg/interp/interp.h"

#ifdef __x86_64__
#include <cpuid.h>
#endif
#include <stdlib.h>
#include <string.h>

#include "tcg/block.h"
#include "tcg/op.h"

enum { RAX, RCX, RDX, RBX };

/* ---- operands ---- */

uint64_t
interp_effective(const struct tcg_frame *f, const struct ir_mem *m)
{
	uint64_t ea = (uint64_t)m->disp;

	if (m->base != IR_NO_REG)
		ea += m->base < IR_TEMP_REG ? f->gpr[m->base] : f->temp[m->base - IR_TEMP_REG][0];
	if (m->index != IR_NO_REG)
		ea += (m->index < IR_TEMP_REG ? f->gpr[m->index] : f->temp[m->index - IR_TEMP_REG][0]) << m->scale;
	return ea & interp_mask(m->addr_width);
}

uint64_t
interp_address(struct tcg_frame *f, const struct ir_insn *i, unsigned size)
{
	uint64_t ea = interp_effective(f, &i->mem), linear;

	if (i->mem.how == ADDR_CHECKED)
		linear = f->guest->linear(f, i->mem.seg, ea, size, i->attr & IR_WRITE ? TCG_WRITE : TCG_READ);
	else
		linear = i->mem.how == ADDR_BASE ? ea + f->seg[i->mem.seg].base : ea;
	if (i->mem.align && linear & (i->mem.align - 1u))
		f->guest->general_protection(f);
	return linear;
}

uint64_t
interp_read(const struct tcg_frame *f, const struct ir_insn *i, struct ir_opnd o, unsigned width)
{
	uint64_t v = 0;

	switch (o.kind) {
	case IR_GPR:
		v = f->gpr[o.reg];
		break;
	case IR_GPRH:
		v = f->gpr[o.reg] >> 8;
		break;
	case IR_TEMP:
		v = f->temp[o.reg][0];
		break;
	case IR_IMM:
		v = (uint64_t)i->imm;
		break;
	case IR_FIELD:
		memcpy(&v, (const char *)f + o.off, width);
		break;
	default:
		break;
	}
	return v & interp_mask(width);
}

void
interp_write(struct tcg_frame *f, struct ir_opnd o, unsigned width, uint64_t v)
{
	uint64_t mask = interp_mask(width);

	switch (o.kind) {
	case IR_GPR:
		f->gpr[o.reg] = width >= 4 ? v & mask : (f->gpr[o.reg] & ~mask) | (v & mask);
		break;
	case IR_GPRH:
		f->gpr[o.reg] = (f->gpr[o.reg] & ~0xff00ull) | (v & 0xff) << 8;
		break;
	case IR_TEMP:
		f->temp[o.reg][0] = v & mask;
		break;
	case IR_FIELD:
		memcpy((char *)f + o.off, &v, width);
		break;
	default:
		break;
	}
}

static uint64_t
load(struct tcg_frame *f, const struct ir_insn *i, unsigned size)
{
	uint64_t v = 0;

	f->guest->load(f, interp_address(f, i, size), &v, size, i->mem.seg);
	return v;
}

static void
store(struct tcg_frame *f, const struct ir_insn *i, uint64_t v, unsigned size)
{
	f->guest->store(f, interp_address(f, i, size), &v, size, i->mem.seg);
}

uint64_t
interp_read_any(struct tcg_frame *f, const struct ir_insn *i, struct ir_opnd o, unsigned width)
{
	return o.kind == IR_MEM ? load(f, i, width) : interp_read(f, i, o, width);
}

static void
set_flags(struct tcg_frame *f, unsigned mask, unsigned eflags)
{
	unsigned wide = (mask & ~FL_OF) | (mask & FL_OF ? 0x800 : 0);

	f->flags = flags_from_eflags((flags_to_eflags(f->flags) & ~wide) | (eflags & wide));
}

/*
 * ---- read, modify, write ----
 * What is in one piece in the host is changed by the host's own atomic operations, with LOCK or without, where it has them
 * (can_swap).  The rest is read and then written, with the bus locked where the guest locks it.
 */

struct modify {
	uint64_t linear;
	void *host; /* NULL: through load and store */
	unsigned width, seg;
	bool locks;
};

#if defined(__x86_64__) || defined(__i386__)
enum { SWAPS_UNALIGNED = true };
#else
enum { SWAPS_UNALIGNED = false };
#endif

static bool
can_swap(const struct tcg_frame *f, const void *host, unsigned width)
{
	bool aligned = ((uintptr_t)host & (width - 1)) == 0;

	return width == 16 ? aligned && f->tcg->swaps16 : aligned || SWAPS_UNALIGNED;
}

static void
modify_find(struct tcg_frame *f, const struct ir_insn *i, struct modify *m)
{
	m->width = i->width;
	m->seg = i->mem.seg;
	m->linear = interp_address(f, i, i->width);
	m->host = f->guest->modify(f, m->linear, i->width, m->seg);
	if (m->host != NULL && !can_swap(f, m->host, i->width))
		m->host = NULL;
	m->locks = m->host == NULL && (i->attr & IR_LOCKED || i->op == IR_xchg);
	if (m->locks)
		tcg_lock_bus(f);
}

static uint64_t
modify_begin(struct tcg_frame *f, const struct ir_insn *i, struct modify *m)
{
	uint64_t old = 0;

	modify_find(f, i, m);
	if (m->host != NULL)
		memcpy(&old, m->host, i->width);
	else
		f->guest->load(f, m->linear, &old, i->width, m->seg);
	return old;
}

static void
modify_store(struct tcg_frame *f, const struct modify *m, const void *new)
{
	f->guest->store(f, m->linear, new, m->width, m->seg);
	if (m->locks)
		tcg_unlock_bus(f);
}

static bool
swap_if_same(void *host, unsigned width, uint64_t *old, uint64_t new)
{
	switch (width) {
	case 1:
		return __atomic_compare_exchange_n((uint8_t *)host, (uint8_t *)old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	case 2:
		return __atomic_compare_exchange_n((uint16_t *)host, (uint16_t *)old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	case 4:
		return __atomic_compare_exchange_n((uint32_t *)host, (uint32_t *)old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	default:
		return __atomic_compare_exchange_n((uint64_t *)host, old, new, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	}
}

/* False: another processor was faster; *OLD is what stands there now. */
static bool
modify_end(struct tcg_frame *f, const struct modify *m, uint64_t *old, uint64_t new)
{
	if (m->host != NULL)
		return swap_if_same(m->host, m->width, old, new);
	modify_store(f, m, &new);
	return true;
}

static unsigned
shift_count(const struct tcg_frame *f, const struct ir_insn *i)
{
	return interp_read(f, i, i->op == IR_shld || i->op == IR_shrd ? i->src2 : i->src, 1);
}

static bool
is_shift(unsigned op)
{
	return op >= IR_shl && op <= IR_shrd;
}

static uint64_t
compute(struct tcg_frame *f, const struct ir_insn *i, uint64_t a, uint64_t b, unsigned *eflags)
{
	if (is_shift(i->op))
		return interp_shift(i->op, i->width, a, b, shift_count(f, i), eflags);
	if (i->op == IR_xchg)
		return b;
	return interp_alu(i->op, i->width, a, b, eflags);
}

/* dst = dst op src for every two-operand operation, in a register or in memory; xadd and xchg hand the old value on. */
static void
two_address(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned eflags = flags_to_eflags(f->flags);
	bool reads_only = ir_ops[i->op].traits & READS, exchange = i->op == IR_xadd || i->op == IR_xchg;
	uint64_t old, b;

	if (i->dst.kind != IR_MEM || reads_only) {
		b = interp_read_any(f, i, i->src, i->width);
		old = interp_read_any(f, i, i->dst, i->width);
		uint64_t r = compute(f, i, old, b, &eflags);

		set_flags(f, i->writes, eflags);
		if (exchange)
			interp_write(f, i->src, i->width, old);
		if (!reads_only)
			interp_write(f, i->dst, i->width, r);
		return;
	}
	struct modify m;
	uint64_t r;

	b = interp_read(f, i, i->src, i->width);
	old = modify_begin(f, i, &m);
	do {
		eflags = flags_to_eflags(f->flags);
		r = compute(f, i, old, b, &eflags);
	} while (!modify_end(f, &m, &old, r));
	set_flags(f, i->writes, eflags);
	if (exchange)
		interp_write(f, i->src, i->width, old);
}

static void
compare_exchange(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t accumulator = f->gpr[RAX] & interp_mask(i->width), new = interp_read(f, i, i->src, i->width), old;
	unsigned eflags;

	if (i->dst.kind == IR_MEM) {
		struct modify m;

		old = modify_begin(f, i, &m);
		while (!modify_end(f, &m, &old, old == accumulator ? new : old))
			;
	} else {
		old = interp_read(f, i, i->dst, i->width);
	}
	interp_alu(IR_cmp, i->width, accumulator, old, &eflags);
	set_flags(f, i->writes, eflags);
	if (old != accumulator)
		interp_write(f, (struct ir_opnd){ IR_GPR, RAX, 0 }, i->width, old);
	else if (i->dst.kind != IR_MEM)
		interp_write(f, i->dst, i->width, new);
}

#ifdef __x86_64__

bool
interp_swaps16(void)
{
	unsigned a, b, c, d;

	return __get_cpuid(1, &a, &b, &c, &d) && c & bit_CMPXCHG16B;
}

static bool
swap16_if_same(void *host, uint64_t old[2], const uint64_t new[2])
{
	bool same;

	__asm__ volatile("lock cmpxchg16b %1" : "=@ccz"(same), "+m"(*(unsigned __int128 *)host), "+a"(old[0]), "+d"(old[1])
		: "b"(new[0]), "c"(new[1]) : "memory");
	return same;
}

#else

bool
interp_swaps16(void)
{
	return false;
}

/* Nobody asks for it: can_swap(). */
static bool
swap16_if_same(void *host, uint64_t old[2], const uint64_t new[2])
{
	(void)host, (void)old, (void)new;
	abort();
}

#endif

/* Two halves, of HALF bytes each, as memory has them. */
static void
join(uint64_t pair[2], unsigned half, uint64_t low, uint64_t high)
{
	pair[0] = half == 8 ? low : (low & 0xffffffff) | high << 32;
	pair[1] = half == 8 ? high : 0;
}

/* CMPXCHG8B and 16B: OLD becomes what stands there, if that isn't OLD. */
static bool
swap_pair(struct tcg_frame *f, const struct modify *m, uint64_t old[2], const uint64_t new[2])
{
	uint64_t found[2] = { 0 };
	bool same;

	if (m->host != NULL)
		return m->width == 16 ? swap16_if_same(m->host, old, new) : swap_if_same(m->host, 8, old, new[0]);
	f->guest->load(f, m->linear, found, m->width, m->seg);
	same = found[0] == old[0] && found[1] == old[1];
	modify_store(f, m, same ? new : found);
	old[0] = found[0], old[1] = found[1];
	return same;
}

static void
compare_exchange_pair(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned half = i->width / 2;
	uint64_t old[2], new[2];
	struct modify m;
	bool same;

	join(old, half, f->gpr[RAX], f->gpr[RDX]);
	join(new, half, f->gpr[RBX], f->gpr[RCX]);
	modify_find(f, i, &m);
	same = swap_pair(f, &m, old, new);
	f->flags = flags_from_eflags((flags_to_eflags(f->flags) & ~FL_ZF) | (same ? FL_ZF : 0));
	if (!same) {
		interp_write(f, (struct ir_opnd){ IR_GPR, RAX, 0 }, half, old[0]);
		interp_write(f, (struct ir_opnd){ IR_GPR, RDX, 0 }, half, half == 8 ? old[1] : old[0] >> 32);
	}
}

/* ---- multiplication and division by the accumulator ---- */

static int64_t
sign_extend(uint64_t v, unsigned width)
{
	unsigned shift = 64 - 8 * width;

	return (int64_t)(v << shift) >> shift;
}

static void
write_pair(struct tcg_frame *f, unsigned width, uint64_t low, uint64_t high)
{
	if (width == 1) {
		interp_write(f, (struct ir_opnd){ IR_GPR, RAX, 0 }, 2, (low & 0xff) | (high & 0xff) << 8);
		return;
	}
	interp_write(f, (struct ir_opnd){ IR_GPR, RAX, 0 }, width, low);
	interp_write(f, (struct ir_opnd){ IR_GPR, RDX, 0 }, width, high);
}

static void
wide_multiply(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t mask = interp_mask(i->width), b = interp_read_any(f, i, i->dst, i->width), a = f->gpr[RAX] & mask;
	unsigned bits = 8 * i->width;
	unsigned __int128 wide;
	bool over;
	uint64_t low, high;

	if (i->op == IR_mul)
		wide = (unsigned __int128)a * b;
	else
		wide = (unsigned __int128)((__int128)sign_extend(a, i->width) * sign_extend(b, i->width));
	low = (uint64_t)wide & mask;
	high = (uint64_t)(wide >> bits) & mask;
	over = i->op == IR_mul ? high != 0 : high != ((uint64_t)(sign_extend(low, i->width) >> 63) & mask);
	write_pair(f, i->width, low, high);
	set_flags(f, FL_CF | FL_OF, over ? 0x801 : 0);
}

static void
wide_divide(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t mask = interp_mask(i->width), by = interp_read_any(f, i, i->dst, i->width);
	unsigned bits = 8 * i->width;
	unsigned __int128 n;

	if (i->width == 1)
		n = f->gpr[RAX] & 0xffff;
	else
		n = (unsigned __int128)(f->gpr[RDX] & mask) << bits | (f->gpr[RAX] & mask);
	if (by == 0)
		f->guest->divide_error(f);
	if (i->op == IR_div) {
		unsigned __int128 q = n / by;

		if (q > mask)
			f->guest->divide_error(f);
		write_pair(f, i->width, (uint64_t)q, (uint64_t)(n % by));
		return;
	}
	__int128 wide = (__int128)(n << (128 - 2 * bits)) >> (128 - 2 * bits), d = sign_extend(by, i->width), q;

	/* The most negative number by -1 has no quotient in 128 bits either. */
	if (d == -1 && wide == (__int128)((unsigned __int128)1 << 127))
		f->guest->divide_error(f);
	q = wide / d;
	if (q != (__int128)sign_extend((uint64_t)q, i->width))
		f->guest->divide_error(f);
	write_pair(f, i->width, (uint64_t)q, (uint64_t)(wide % d));
}

/* ---- the rest ---- */

static uint32_t
crc32c(uint32_t crc, uint64_t data, unsigned width)
{
	for (unsigned n = 0; n < 8 * width; n++, data >>= 1)
		crc = crc >> 1 ^ ((crc ^ data) & 1 ? 0x82f63b78 : 0);
	return crc;
}

static uint64_t
byte_swap(uint64_t v, unsigned width)
{
	if (width == 8)
		return __builtin_bswap64(v);
	return width == 4 ? __builtin_bswap32(v) : __builtin_bswap16(v);
}

static void
bit_scan(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t v = interp_read_any(f, i, i->src, i->width);
	unsigned eflags = flags_to_eflags(f->flags) & ~FL_ZF;

	f->flags = flags_from_eflags(eflags | (v == 0 ? FL_ZF : 0));
	if (v != 0)
		interp_write(f, i->dst, i->width, i->op == IR_bsf ? __builtin_ctzll(v) : 63 - __builtin_clzll(v));
}

static void
call_helper(struct tcg_frame *f, const struct ir_insn *i)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)i->imm;
	uint64_t a, b, r;

	if (h->x87)
		tcg_x87_sync(f);
	a = interp_read(f, i, i->src, i->width);
	b = interp_read(f, i, i->src2, i->width);
	r = h->call(f, a, b, i->aux);
	if (i->dst.kind != IR_NONE)
		interp_write(f, i->dst, i->width, r);
}

static void
call_helper_if(struct tcg_frame *f, const struct ir_insn *i)
{
	const struct ir_helper *h = (const struct ir_helper *)(uintptr_t)i->imm;

	if (interp_read(f, i, i->dst, i->width) & i->sub)
		h->call(f, 0, 0, i->aux);
}

static void
fence(struct tcg_frame *f, const struct ir_insn *i)
{
	(void)f, (void)i;
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

static void
change_bits(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t v = interp_read(f, i, i->dst, i->width), mask = (uint64_t)i->imm;

	interp_write(f, i->dst, i->width, i->op == IR_set_bits ? v | mask : v & mask);
}

/* Operations on flags alone. */
static void
flag_insn(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned eflags = flags_to_eflags(f->flags);

	switch (i->op) {
	case IR_clc:
		set_flags(f, FL_CF, 0);
		return;
	case IR_stc:
		set_flags(f, FL_CF, FL_CF);
		return;
	case IR_cmc:
		set_flags(f, FL_CF, eflags ^ FL_CF);
		return;
	case IR_lahf:
		interp_write(f, i->dst, 1, (eflags & 0xd5) | 2);
		return;
	case IR_sahf:
		set_flags(f, FL_ALL & ~FL_OF, interp_read(f, i, i->dst, 1));
		return;
	case IR_getflags:
		interp_write(f, i->dst, i->width, eflags);
		return;
	case IR_setflags:
		set_flags(f, FL_ALL, interp_read(f, i, i->dst, i->width));
		return;
	default:
		__builtin_unreachable();
	}
}

/* Operations that only move. */
static void
move_insn(struct tcg_frame *f, const struct ir_insn *i)
{
	uint64_t v;

	switch (i->op) {
	case IR_mov:
		v = interp_read_any(f, i, i->src, i->width);
		break;
	case IR_movzx:
		v = interp_read_any(f, i, i->src, i->src_width);
		break;
	case IR_movsx:
		v = (uint64_t)sign_extend(interp_read_any(f, i, i->src, i->src_width), i->src_width);
		break;
	case IR_lea:
		v = interp_effective(f, &i->mem);
		break;
	case IR_bswap:
		v = byte_swap(interp_read_any(f, i, i->dst, i->width), i->width);
		break;
	case IR_setcc:
		v = interp_cond(i->cond, flags_to_eflags(f->flags));
		break;
	case IR_cmovcc:
		v = interp_read_any(f, i, i->src, i->width);
		if (!interp_cond(i->cond, flags_to_eflags(f->flags)))
			v = interp_read(f, i, i->dst, i->width);
		break;
	case IR_cwd:
		v = (uint64_t)(sign_extend(interp_read_any(f, i, i->src, i->width), i->width) >> 63);
		break;
	case IR_crc32:
		v = crc32c((uint32_t)interp_read(f, i, i->dst, 4), interp_read_any(f, i, i->src, i->src_width), i->src_width);
		break;
	default:
		__builtin_unreachable();
	}
	if (i->dst.kind == IR_MEM)
		store(f, i, v, i->width);
	else
		interp_write(f, i->dst, i->width, v);
}

/* An indirect jump to an address that isn't canonical hasn't happened: RSP goes back to where it was. */
static void
bad_jump(struct tcg_frame *f, const struct ir_insn *i)
{
	if (i->attr & IR_HINT_CALL)
		f->gpr[4] += 8;
	else if (i->attr & IR_HINT_RET)
		f->gpr[4] -= i->aux;
	f->guest->general_protection(f);
}

static void
start(struct tcg_frame *f, const struct ir_insn *i)
{
	f->rip = (uint64_t)i->imm;
}

/* The result is made of src alone. */
static void
from_source(struct tcg_frame *f, const struct ir_insn *i)
{
	unsigned eflags = flags_to_eflags(f->flags);
	uint64_t v = interp_read_any(f, i, i->src, i->width);

	v = interp_alu(i->op, i->width, i->op == IR_imul3 ? (uint64_t)i->imm : 0, v, &eflags);
	set_flags(f, i->writes, eflags);
	interp_write(f, i->dst, i->width, v);
}

typedef void insn_fn(struct tcg_frame *f, const struct ir_insn *i);

/* What isn't here has two operands. */
static insn_fn *const functions[IR_OPS] = {
	[IR_mov] = move_insn, [IR_movzx] = move_insn, [IR_movsx] = move_insn, [IR_lea] = move_insn, [IR_bswap] = move_insn,
	[IR_setcc] = move_insn, [IR_cmovcc] = move_insn, [IR_cwd] = move_insn, [IR_crc32] = move_insn,
	[IR_clc] = flag_insn, [IR_stc] = flag_insn, [IR_cmc] = flag_insn, [IR_lahf] = flag_insn, [IR_sahf] = flag_insn,
	[IR_getflags] = flag_insn, [IR_setflags] = flag_insn,
	[IR_mul] = wide_multiply, [IR_imul1] = wide_multiply, [IR_div] = wide_divide, [IR_idiv] = wide_divide,
	[IR_imul3] = from_source, [IR_tzcnt] = from_source, [IR_lzcnt] = from_source, [IR_popcnt] = from_source,
	[IR_bsf] = bit_scan, [IR_bsr] = bit_scan, [IR_cmpxchg] = compare_exchange, [IR_cmpxchg8b] = compare_exchange_pair,
	[IR_andn] = interp_bmi, [IR_bextr] = interp_bmi, [IR_bzhi] = interp_bmi, [IR_blsi] = interp_bmi, [IR_blsmsk] = interp_bmi,
	[IR_blsr] = interp_bmi, [IR_pdep] = interp_bmi, [IR_pext] = interp_bmi, [IR_sarx] = interp_bmi, [IR_shlx] = interp_bmi,
	[IR_shrx] = interp_bmi, [IR_rorx] = interp_bmi, [IR_mulx] = interp_mulx, [IR_adcx] = interp_adx, [IR_adox] = interp_adx,
	[IR_vec] = interp_vec, [IR_avx] = interp_avx, [IR_evex] = interp_evex, [IR_x87] = interp_x87,
	[IR_keep_bits] = change_bits, [IR_set_bits] = change_bits, [IR_call_if] = call_helper_if,
	[IR_mfence] = fence, [IR_sfence] = fence,
	[IR_call] = call_helper, [IR_insn] = start, [IR_jind] = bad_jump,
};

void
interp_insn(struct tcg_frame *f, const struct ir_insn *i)
{
	insn_fn *function = functions[i->op];

	(function != NULL ? function : two_address)(f, i);
}
