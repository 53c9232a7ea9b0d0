/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code between C and generated code, made once: into it, out of it, and the slow path's call.
 *
 * What leaves carries in r13 how: 0 nothing to chain, 1 an indirect jump that missed, 2 something is pending, 3 a helper unwound,
 * else the struct tcg_slot of a direct jump.
 */
#define _GNU_SOURCE
#include <assert.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "base/err.h"
#include "tcg/interp/interp.h"
#include "tcg/x64/gen.h"

enum { LEFT_INDIRECT = 1, LEFT_PENDING = 2, LEFT_UNWOUND = 3, PAGE = 4096 };

static const uint8_t callee_saved[] = { H_RBX, H_RBP, H_R12, H_R13, H_R14, H_R15 };

/* ---- pieces ---- */

static void
push_pop(struct assembler *a, unsigned base, unsigned reg)
{
	if (reg >= 8)
		put8(a, 0x41);
	put8(a, base | (reg & 7));
}

static void
move_pinned(struct assembler *a, bool to_frame)
{
	for (unsigned n = 0; n < 16; n++) {
		struct rm at = rm_at(H_RSP, offsetof(struct tcg_frame, gpr) + 8 * n);

		if (host_of[n] == H_NONE)
			continue;
		if (to_frame)
			mov_store(a, 8, at, host_of[n]);
		else
			mov_load(a, 8, host_of[n], at);
	}
}

/* vmovaps of 64 bytes of all 32, and kmovq. */
static void
move_zmm(struct assembler *a, bool to_frame, unsigned skew)
{
	static const struct evex_bits bits = { .ll = 2, .unit = 64 };

	for (unsigned n = 0; n < 32; n++) {
		struct rm at = rm_at(H_RSP, skew + offsetof(struct tcg_frame, vec) + 64 * n);

		op_evex(a, 0, 1, to_frame ? 0x29 : 0x28, n, 0, at, &bits);
	}
	for (unsigned n = 0; n < 8; n++)
		op_vex(a, 0, 1, true, 0, to_frame ? 0x91 : 0x90, n, 0, rm_at(H_RSP, skew + offsetof(struct tcg_frame, k) + 8 * n));
}

/* movaps, or vmovaps of 32 bytes, of all sixteen; SKEW: how far rsp stands below the frame. */
static void
move_vectors(struct assembler *a, bool to_frame, unsigned level, unsigned skew)
{
	if (level == 3) {
		move_zmm(a, to_frame, skew);
		return;
	}
	for (unsigned n = 0; n < 16; n++) {
		struct rm at = rm_at(H_RSP, skew + offsetof(struct tcg_frame, vec) + 64 * n);

		if (level == 2)
			op_vex(a, 0, 1, false, 1, to_frame ? 0x29 : 0x28, n, 0, at);
		else
			op_rm(a, 0, 4, to_frame ? 0x0f29 : 0x0f28, n, at);
	}
}

static void
mxcsr(struct assembler *a, bool store, unsigned offset)
{
	op_rm(a, 0, 4, 0x0fae, (store ? 3 : 2) | ASM_EXT, rm_at(H_RSP, offset));
}

static void
save_vectors(struct assembler *a, unsigned level)
{
	move_vectors(a, true, level, 0);
	/* The host's own code is spared mixed halves. */
	if (level >= 2)
		op_vzero(a, false);
	mxcsr(a, true, offsetof(struct tcg_frame, mxcsr));
	mxcsr(a, false, offsetof(struct tcg_frame, host_mxcsr));
	mov_store_imm(a, 1, FRAME(vec_resident), 0);
}

static void
load_vectors(struct assembler *a, unsigned level, unsigned skew)
{
	move_vectors(a, false, level, skew);
	mxcsr(a, false, skew + offsetof(struct tcg_frame, mxcsr));
	mov_store_imm(a, 1, rm_at(H_RSP, skew + offsetof(struct tcg_frame, vec_resident)), level);
}

static const uint8_t *
begin(struct assembler *a)
{
	while ((uintptr_t)a->p & 15)
		put8(a, 0x90);
	return a->p + a->to_rx;
}

static void
call_c(struct assembler *a, const void *function)
{
	mov_imm(a, H_RAX, (uintptr_t)function);
	op_rm(a, 0, 4, 0xff, 2 | ASM_EXT, rm_reg(H_RAX));
}

/* A jump, to be filled in, that is taken where not LEVEL is resident but a lower one; NULL: there is none. */
static uint8_t *
unless_level(struct assembler *a, unsigned level)
{
	if (level == 1)
		return NULL;
	alu_imm(a, 1, 7, FRAME(vec_resident), (int32_t)level);
	return jump(a, 5);
}

/* ---- the slow path ---- */

static void
load_x87(struct tcg_frame *f)
{
	uint64_t *header = (uint64_t *)(f->x87 + 512);

	memset(header, 0, 64);
	header[0] = 1;
	__asm__ volatile("xrstor64 %0" : : "m"(f->x87), "a"(1), "d"(0) : "memory");
	f->x87_resident = 1;
}

static void
sync_x87(struct tcg_frame *f)
{
	/* The XMM part of the image is scratch; instruction pointers would be ours, not the guest's. */
	__asm__ volatile("fxsave64 %0\n\tfninit" : "=m"(f->x87) : : "memory");
	memset(f->x87 + 6, 0, 18);
	f->x87_resident = 0;
}

/* Called by the slow thunk: executes the operation of the site, returns where to go on. */
static const void *
run_slow(struct tcg_frame *f, struct tcg_site *s)
{
	bool x87 = f->x87_resident;

	f->site = s;
	f->rip = s->rip;
	f->slow_ops++;
	if (s->credit < 0)
		tcg_settle_guess(f->tcg, s);
	interp_insn(f, &s->insn);
	f->site = NULL;
	if (x87 && !f->x87_resident)
		load_x87(f);
	return s->resume;
}

/*
 * In: [rsp] points behind the call, at the site's place; flags in rax.  Out: at the site's resume, flags in rax and the host's, t0 in
 * S1.
 */
static const uint8_t *
make_slow(struct assembler *a, unsigned levels)
{
	const uint8_t *start = begin(a);
	uint8_t *vectors, *restore;

	push_pop(a, 0x58, S1);
	mov_store(a, 8, FRAME(flags), H_RAX);
	move_pinned(a, true);
	op_rm(a, 0, 8, 0x63, H_RSI, rm_at(S1, 0)); /* movsxd */
	op_rm(a, 0, 8, 0x03, H_RSI, rm_reg(S1));
	mov_rr(a, 8, H_RDI, H_RSP);
	alu_imm(a, 1, 7, FRAME(vec_resident), 0);
	vectors = jump(a, 5); /* jne */
	call_c(a, run_slow);
	mov_rr(a, 8, S2, H_RAX);
	restore = a->p;
	move_pinned(a, false);
	mov_load(a, 8, TABLE, FRAME(shadow));
	mov_load(a, 8, H_RAX, FRAME(flags));
	mov_load(a, 8, S1, FRAME(temp));
	put8(a, 0x3c);
	put8(a, 0x81);
	put8(a, 0x9e);
	op_rm(a, 0, 4, 0xff, 4 | ASM_EXT, rm_reg(S2));
	here(a, vectors);
	for (unsigned level = levels; level > 0; level--) {
		uint8_t *other = unless_level(a, level);

		save_vectors(a, level);
		call_c(a, run_slow);
		mov_rr(a, 8, S2, H_RAX);
		load_vectors(a, level, 0);
		jump_to(a, CC_JMP, restore + a->to_rx);
		if (other != NULL)
			here(a, other);
	}
	return start;
}

/*
 * A guess was wrong.  In: [rsp] points behind the call, at a jump of five bytes and then the site's place; S2 is the index of the page's
 * entry, or the entry itself if TO is S2.  Out, right behind the call, as the host predicts: TO is the page's delta, and the site's
 * guess; or the slow path, which comes back to the site's resume.
 */
static const uint8_t *
make_guess(struct assembler *a, unsigned to)
{
	const uint8_t *start = begin(a);
	enum { PLACE = 5 };
	uint8_t *none, *poor;

	push_pop(a, 0x50, H_RBX);
	mov_load(a, 8, H_RBX, rm_at(H_RSP, 8));
	op_rm(a, 0, 8, 0x63, H_RBX, rm_at(H_RBX, PLACE)); /* movsxd */
	op_rm(a, 0, 8, 0x03, H_RBX, rm_at(H_RSP, 8));     /* the site - PLACE */
	if (to == S1)
		mov_load(a, 8, S1, rm_sib(TABLE, S2, 3, 0));
	op_rm(a, 0, 8, 0x85, to, rm_reg(to));
	none = jump(a, 4);
	alu_imm(a, 4, 5, rm_at(H_RBX, PLACE + offsetof(struct tcg_site, credit)), 1);
	poor = jump(a, 8); /* js */
	mov_store(a, 8, rm_at(H_RBX, PLACE + offsetof(struct tcg_site, delta)), to);
	push_pop(a, 0x58, H_RBX);
	put8(a, 0xc3);
	here(a, none);
	here(a, poor);
	mov_load(a, 8, S1, rm_at(H_RBX, PLACE + offsetof(struct tcg_site, stub)));
	push_pop(a, 0x58, H_RBX);
	push_pop(a, 0x58, S2);
	op_rm(a, 0, 4, 0xff, 4 | ASM_EXT, rm_reg(S1));
	return start;
}

/* ---- in and out ---- */

/* uint64_t enter(frame, code) */
static const uint8_t *
make_enter(struct assembler *a)
{
	const uint8_t *start = begin(a);

	for (unsigned n = 0; n < sizeof(callee_saved); n++)
		push_pop(a, 0x50, callee_saved[n]);
	mov_store(a, 8, rm_at(H_RDI, offsetof(struct tcg_frame, host_sp)), H_RSP);
	mov_rr(a, 8, H_RSP, H_RDI);
	mov_rr(a, 8, S2, H_RSI);
	move_pinned(a, false);
	mov_load(a, 8, TABLE, FRAME(shadow));
	mov_load(a, 8, H_RAX, FRAME(flags));
	op_rm(a, 0, 4, 0xff, 4 | ASM_EXT, rm_reg(S2));
	return start;
}

/* leave: pinned registers and flags to the frame, vectors if they are resident; rax = r13. */
static const uint8_t *
make_leave(struct assembler *a, unsigned levels, const uint8_t **tail)
{
	const uint8_t *start = begin(a);
	uint8_t *over, *end[3];

	move_pinned(a, true);
	mov_store(a, 8, FRAME(flags), H_RAX);
	alu_imm(a, 1, 7, FRAME(vec_resident), 0);
	over = jump(a, 4); /* je */
	for (unsigned level = levels; level > 0; level--) {
		uint8_t *other = unless_level(a, level);

		save_vectors(a, level);
		end[level - 1] = jump(a, CC_JMP);
		if (other != NULL)
			here(a, other);
	}
	here(a, over);
	for (unsigned level = 0; level < levels; level++)
		here(a, end[level]);
	*tail = a->p + a->to_rx;
	mov_rr(a, 8, H_RAX, S1);
	mov_load(a, 8, H_RSP, FRAME(host_sp));
	for (unsigned n = sizeof(callee_saved); n-- > 0;)
		push_pop(a, 0x58, callee_saved[n]);
	put8(a, 0xc3);
	return start;
}

/* r13 is a RIP: stores it and leaves with CODE. */
static const uint8_t *
make_leave_with(struct assembler *a, unsigned code, const uint8_t *leave)
{
	const uint8_t *start = begin(a);

	mov_store(a, 8, FRAME(rip), S1);
	mov_imm(a, S1, code);
	jump_to(a, CC_JMP, leave);
	return start;
}

/* r13 is the target of a jump that its line of the jump cache doesn't have, or while something is pending. */
static const uint8_t *
make_other_line(struct assembler *a, const uint8_t *leave_indirect)
{
	const uint8_t *start = begin(a);

	alu_imm(a, 4, 7, FRAME(pending), 0);
	jump_to(a, 5, leave_indirect);
	put_jump_line(a);
	alu_imm(a, 4, 6, rm_reg(S2), TCG_JUMP_OTHER);
	shift_imm(a, 4, 4, S2, 4);
	op_rm(a, 0, 8, 0x03, S2, FRAME(jumps));
	op_rm(a, 0, 8, 0x3b, S1, rm_at(S2, 0));
	jump_to(a, 5, leave_indirect);
	op_rm(a, 0, 4, 0xff, 4 | ASM_EXT, rm_at(S2, offsetof(struct tcg_jump, code)));
	return start;
}

/* A direct jump that isn't chained: [rsp] points behind the call, at the slot's place. */
static const uint8_t *
make_leave_slot(struct assembler *a, const uint8_t *leave)
{
	const uint8_t *start = begin(a);

	push_pop(a, 0x58, S2);
	op_rm(a, 0, 8, 0x63, S1, rm_at(S2, 0)); /* movsxd */
	op_rm(a, 0, 8, 0x03, S1, rm_reg(S2));
	mov_load(a, 8, S2, rm_at(S1, offsetof(struct tcg_slot, rip)));
	mov_store(a, 8, FRAME(rip), S2);
	jump_to(a, CC_JMP, leave);
	return start;
}

/* Where a lower level may be there already: its parts of the registers are in the host's then, the others in the frame. */
static const uint8_t *
make_vec_load(struct assembler *a, unsigned level)
{
	const uint8_t *start = begin(a);

	for (unsigned lower = 1; lower < level; lower++) {
		uint8_t *other;

		alu_imm(a, 1, 7, rm_at(H_RSP, 8 + offsetof(struct tcg_frame, vec_resident)), (int32_t)lower);
		other = jump(a, 5);
		move_vectors(a, true, lower, 8);
		mxcsr(a, true, 8 + offsetof(struct tcg_frame, mxcsr));
		here(a, other);
	}
	load_vectors(a, level, 8);
	put8(a, 0xc3);
	return start;
}

/*
 * Makes the page of r13 the predicted stack.  Out: equal if it is.  The exchange orders the store before the second look at the
 * entry, so whoever removes the entry either is seen here or sees the delta.
 */
static const uint8_t *
make_stack_fill(struct assembler *a, bool wide)
{
	struct rm page = rm_at(H_RSP, 8 + offsetof(struct tcg_frame, stack_page)), entry = rm_sib(TABLE, S2, 3, 0);
	struct rm delta = rm_at(H_RSP, 8 + offsetof(struct tcg_frame, stack_delta));
	const uint8_t *start = begin(a);
	uint8_t *fail[4];

	mov_rr(a, 8, S2, S1);
	shift_imm(a, 8, 4, S2, wide ? 7 : 16);
	shift_imm(a, 8, 7, S2, wide ? 7 : 16);
	op_rm(a, 0, 8, 0x3b, S2, rm_reg(S1));
	fail[0] = jump(a, 5);
	alu_imm(a, 8, 4, rm_reg(S1), -PAGE);
	mov_store(a, 8, page, S1);
	if (wide) {
		shift_imm(a, 8, 7, S2, 48);
		alu_imm(a, 8, 2, rm_reg(S2), 0);
		shift_imm(a, 8, 4, S2, SHADOW_TURN);
		op_rm(a, 0, 8, 0x03, S2, rm_reg(S1));
	}
	shift_imm(a, 8, 4, S2, 16);
	shift_imm(a, 8, 5, S2, 28);
	mov_load(a, 8, S1, entry);
	op_rm(a, 0, 8, 0x85, S1, rm_reg(S1));
	fail[1] = jump(a, 4);
	op_rm(a, 0, 8, 0x03, S2, rm_at(H_RSP, 8 + offsetof(struct tcg_frame, shadow_write))); /* add */
	op_rm(a, 0, 8, 0x3b, S1, entry);
	fail[2] = jump(a, 5);
	op_rm(a, 0, 8, 0x87, S1, delta); /* xchg */
	mov_load(a, 8, S1, delta);
	op_rm(a, 0, 8, 0x3b, S1, entry);
	fail[3] = jump(a, 5);
	put8(a, 0xc3);
	for (unsigned n = 0; n < 4; n++)
		here(a, fail[n]);
	mov_imm(a, S1, TCG_NO_DELTA);
	mov_store(a, 8, delta, S1);
	mov_imm(a, S1, TCG_NO_STACK_PAGE);
	mov_store(a, 8, page, S1);
	op_rm(a, 0, 8, 0x85, S1, rm_reg(S1));
	put8(a, 0xc3);
	return start;
}

/* XRSTOR of the x87 part alone; XMM registers and the guest's flags in rax stay. */
static const uint8_t *
make_x87_load(struct assembler *a)
{
	const uint8_t *start = begin(a);
	unsigned image = 8 + offsetof(struct tcg_frame, x87);

	mov_rr(a, 8, S1, H_RAX);
	mov_rr(a, 8, S2, H_RDX);
	mov_store_imm(a, 8, rm_at(H_RSP, image + 512), 1);
	for (unsigned n = 1; n < 8; n++)
		mov_store_imm(a, 8, rm_at(H_RSP, image + 512 + 8 * n), 0);
	mov_imm(a, H_RAX, 1);
	mov_imm(a, H_RDX, 0);
	op_rm(a, 0, 8, 0x0fae, 5 | ASM_EXT, rm_at(H_RSP, image));
	mov_store_imm(a, 1, rm_at(H_RSP, 8 + offsetof(struct tcg_frame, x87_resident)), 1);
	mov_rr(a, 8, H_RAX, S1);
	mov_rr(a, 8, H_RDX, S2);
	put8(a, 0xc3);
	return start;
}

static void
unwind(struct tcg_frame *f)
{
	/* Registers are in the frame already: the slow thunk put them there. */
	__asm__ volatile("mov %0, %%rsp\n\tmov %2, %%r13d\n\tjmp *%1"
			 :
			 : "D"(f), "S"(f->tcg->thunk.unwind), "i"(LEFT_UNWOUND)
			 : "memory", "r13");
	__builtin_unreachable();
}

/* ---- faults of the host in generated code ---- */

/* Only a signal handler has no argument to find its vCPU by. */
static _Thread_local struct tcg_frame *running;

/* The site whose fast path holds PC. */
static struct tcg_site *
site_at(struct tcg *t, const uint8_t *pc)
{
	struct tcg_block *b = cache_block_at(t, pc);

	if (b == NULL)
		return NULL;
	for (unsigned n = 0; n < b->sites; n++)
		if (pc >= b->site[n].start && pc < b->site[n].resume)
			return &b->site[n];
	return NULL;
}

/*
 * A non-canonical address or a division that overflows: the operation goes to the slow path, which knows what the guest gets.
 * Anything else is our own crash and takes its course.
 */
static void
on_fault(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	struct tcg_frame *f = running;
	struct tcg_site *s = NULL;

	(void)info;
	if (f != NULL && (uint64_t)u->uc_mcontext.gregs[REG_RSP] == (uint64_t)(uintptr_t)f)
		s = site_at(f->tcg, (const uint8_t *)(uintptr_t)u->uc_mcontext.gregs[REG_RIP]);
	if (s == NULL) {
		struct sigaction usual = { .sa_handler = SIG_DFL };

		sigaction(signal, &usual, NULL);
		return;
	}
	u->uc_mcontext.gregs[REG_RIP] = (greg_t)(uintptr_t)s->stub;
}

/* ---- */

static bool
init(struct tcg *t, struct err *e)
{
	struct assembler a = { t->code_rw, t->to_rx };
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER };
	struct x64_thunks *k = &t->thunk;
	unsigned levels;

	t->host_has = t->options.portable ? 0 : host_features();
	levels = t->host_has & HOST_AVX512 ? 3 : t->host_has & HOST_AVX ? 2 : 1;
	make_pieces(t);
	k->enter = make_enter(&a);
	k->leave = make_leave(&a, levels, &k->unwind);
	k->leave_indirect = make_leave_with(&a, LEFT_INDIRECT, k->leave);
	k->other_line = make_other_line(&a, k->leave_indirect);
	k->leave_pending = make_leave_with(&a, LEFT_PENDING, k->leave);
	k->leave_slot = make_leave_slot(&a, k->leave);
	k->slow = make_slow(&a, levels);
	k->guess_s1 = make_guess(&a, S1);
	k->guess_s2 = make_guess(&a, S2);
	for (unsigned level = 1; level <= levels; level++)
		k->vec_load[level - 1] = make_vec_load(&a, level);
	k->x87_load = make_x87_load(&a);
	k->stack_fill[0] = make_stack_fill(&a, false);
	k->stack_fill[1] = make_stack_fill(&a, true);
	assert(a.p <= t->code_rw + THUNK_BYTES);
	if (sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0 || sigaction(SIGFPE, &action, NULL) != 0)
		return err_set(e, "cannot catch SIGSEGV");
	return true;
}

/* The address sanitizer's, there only in a build with it. */
__attribute__((weak)) void __sanitizer_start_switch_fiber(void **fake_stack, const void *bottom, size_t bytes);
__attribute__((weak)) void __sanitizer_finish_switch_fiber(void *fake_stack, const void **old_bottom, size_t *old_bytes);

/*
 * Enters generated code.  The sanitizer is told that the stack is about to change to the frame's, and only afterwards that it has:
 * in between it looks where it stands, which is right for both.
 */
static uint64_t
enter_code(struct tcg_frame *f, const void *code)
{
	uint64_t (*enter)(struct tcg_frame *, const void *) = (uint64_t(*)(struct tcg_frame *, const void *))(uintptr_t)f->tcg->thunk.enter;
	const void *bottom;
	void *fake_stack;
	size_t bytes;
	uint64_t how;

	if (__sanitizer_start_switch_fiber == NULL)
		return enter(f, code);
	__sanitizer_start_switch_fiber(&fake_stack, (const uint8_t *)f - TCG_STACK_BYTES, TCG_STACK_BYTES);
	how = enter(f, code);
	__sanitizer_finish_switch_fiber(NULL, &bottom, &bytes);
	__sanitizer_start_switch_fiber(NULL, bottom, bytes);
	__sanitizer_finish_switch_fiber(fake_stack, NULL, NULL);
	return how;
}

static enum tcg_exit
enter_block(struct tcg_frame *f, struct tcg_block *b, struct tcg_from *from)
{
	struct tcg_slot *slot;
	uint64_t how;

	running = f;
	how = enter_code(f, b->code);
	switch (how) {
	case LEFT_INDIRECT:
		from->indirect = true;
		return TCG_NEXT;
	case LEFT_PENDING:
		return TCG_PENDING;
	case LEFT_UNWOUND:
		return TCG_LEFT;
	default:
		slot = (struct tcg_slot *)(uintptr_t)how;
		from->slot = slot;
		from->plain = slot != NULL && slot == &slot->owner->slot[TCG_SLOT_PLAIN];
		return TCG_NEXT;
	}
}

static void
patch(struct tcg *t, struct tcg_slot *s, const uint8_t *target)
{
	set_rel32(s->patch, t->to_rx, target);
}

static unsigned
native_avx512(void)
{
	uint64_t has = host_features();

	return (has & HOST_AVX512 ? TCG_AVX512 : 0) | (has & HOST_FP16 ? TCG_FP16 : 0) | (has & HOST_VP2INTERSECT ? TCG_VP2INTERSECT : 0);
}

static const struct back_end x64 = {
	.init = init,
	.compile = x64_compile,
	.patch = patch,
	.enter = enter_block,
	.unwind = unwind,
	.x87_sync = sync_x87,
	.disassemble = x64_disassemble,
	.native_avx512 = native_avx512,
};

const struct back_end *const host_back_end = &x64;
