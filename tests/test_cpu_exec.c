/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer instructions through decoder, semantics and the IR's interpreter, against the host's own processor: random
 * registers, flags and memory, every unprivileged opcode in its forms.
 */
#include <check.h>
#include <cpuid.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/mem.h"
#include "cpu/cpuid.h"
#include "cpu/translate.h"

#if defined(__x86_64__)

enum { ROUNDS = 40, BUFFER = 4096, SP = 4, DI = 7, PAGE = 4096 };

/* What an instruction works on; the thunk below knows the order. */
struct machine {
	uint64_t gpr[16];
	uint64_t flags;
	uint8_t memory[BUFFER];
	bool fault;
};

/* Room for the code under test, and the host's side of it. */
static uint8_t *code;
static sigjmp_buf host_fault, guest_fault;

/* Loads the registers of M but RSP, runs FN, stores them. */
void host_run(struct machine *m, void *fn);
__asm__(".text\n"
	"host_run:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	push %rdi\n	push %rsi\n"
	"	pushq 128(%rdi)\n	popfq\n"
	"	mov 0(%rdi), %rax\n	mov 8(%rdi), %rcx\n	mov 16(%rdi), %rdx\n	mov 24(%rdi), %rbx\n"
	"	mov 40(%rdi), %rbp\n	mov 48(%rdi), %rsi\n	mov 64(%rdi), %r8\n	mov 72(%rdi), %r9\n"
	"	mov 80(%rdi), %r10\n	mov 88(%rdi), %r11\n	mov 96(%rdi), %r12\n	mov 104(%rdi), %r13\n"
	"	mov 112(%rdi), %r14\n	mov 120(%rdi), %r15\n	mov 56(%rdi), %rdi\n"
	"	call *(%rsp)\n"
	"	push %rdi\n	pushfq\n	mov 24(%rsp), %rdi\n"
	"	popq 128(%rdi)\n	popq 56(%rdi)\n"
	"	mov %rax, 0(%rdi)\n	mov %rcx, 8(%rdi)\n	mov %rdx, 16(%rdi)\n	mov %rbx, 24(%rdi)\n"
	"	mov %rbp, 40(%rdi)\n	mov %rsi, 48(%rdi)\n	mov %r8, 64(%rdi)\n	mov %r9, 72(%rdi)\n"
	"	mov %r10, 80(%rdi)\n	mov %r11, 88(%rdi)\n	mov %r12, 96(%rdi)\n	mov %r13, 104(%rdi)\n"
	"	mov %r14, 112(%rdi)\n	mov %r15, 120(%rdi)\n"
	"	cld\n	pop %rsi\n	pop %rdi\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n	ret\n");

/* ---- the guest's side: linear addresses are the host's ---- */

static uint64_t
linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	(void)f, (void)seg, (void)size, (void)access;
	return ea;
}

static void
load(struct tcg_frame *f, uint64_t at, void *to, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy(to, (void *)(uintptr_t)at, size);
}

static void
store(struct tcg_frame *f, uint64_t at, const void *from, unsigned size, unsigned seg)
{
	(void)f, (void)seg;
	memcpy((void *)(uintptr_t)at, from, size);
}

static void *
modify(struct tcg_frame *f, uint64_t at, unsigned size, unsigned seg)
{
	(void)f, (void)size, (void)seg;
	return (void *)(uintptr_t)at;
}

static __attribute__((noreturn)) void
fault(struct tcg_frame *f)
{
	(void)f;
	siglongjmp(guest_fault, 1);
}

static void
x87_cleared(struct tcg_frame *f)
{
	(void)f;
}

static const struct tcg_guest guest = { .linear = linear, .load = load, .store = store, .modify = modify, .divide_error = fault,
	.general_protection = fault, .simd_exception = fault, .x87_cleared = x87_cleared, .x87_exception = fault };

static struct cpu *cpu;
static struct ir ir;
static struct region region = { .kind = REGION_RAM };
static struct space *space;

static void
setup(void)
{
	code = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ck_assert(code != MAP_FAILED);
	cpu = aligned_alloc(64, (sizeof *cpu + 63) & ~(size_t)63);
	memset(cpu, 0, sizeof *cpu);
	cpu->model = calloc(1, sizeof *cpu->model);
	memset(cpu->model->has, true, sizeof cpu->model->has);
	cpu->f.guest = &guest;
	space = space_new("memory", false);
	region_init_ram(&region, "code", code, 2 * PAGE);
	space_add(space, &region, 0, 0);
	cpu->config.mem = space;
}

static void
teardown(void)
{
	space_free(space);
	free(cpu->model);
	free(cpu);
	munmap(code, 2 * PAGE);
}

/* Translates the instruction at the start of CODE and interprets it; false: it was undefined. */
static bool
guest_run(struct machine *m)
{
	struct tcg_key key = { .phys = 0, .rip = 0x1000, .mode = MODE_PE | MODE_LMA | MODE_CS64 };
	struct tcg_code out;

	ir_reset(&ir, key.rip, 0, true);
	cpu_translate_block(&cpu->f, &key, &ir, 1, &out);
	memcpy(cpu->f.gpr, m->gpr, sizeof m->gpr);
	cpu->f.flags = flags_from_eflags(m->flags);
	cpu->f.df = m->flags & EFL_DF ? -1 : 1;
	if (sigsetjmp(guest_fault, 0) != 0) {
		m->fault = true;
	} else {
		for (unsigned n = 0; n < ir.count; n++) {
			const struct ir_insn *i = &ir.insn[n];

			if (i->op == IR_call)
				return false;
			if (i->op == IR_jmp || i->op == IR_insn)
				continue;
			interp_insn(&cpu->f, i);
		}
	}
	memcpy(m->gpr, cpu->f.gpr, sizeof m->gpr);
	m->flags = flags_to_eflags(cpu->f.flags) | (cpu->f.df < 0 ? EFL_DF : 0);
	return true;
}

static void
on_signal(int sig)
{
	(void)sig;
	siglongjmp(host_fault, 1);
}

static void
native_run(struct machine *m)
{
	struct machine before = *m;

	if (sigsetjmp(host_fault, 1) != 0) {
		*m = before;
		m->fault = true;
	} else {
		host_run(m, code);
	}
	m->flags &= EFL_ARITH | EFL_DF;
}

/* ---- what is tried ---- */

enum { F_ALL = EFL_ARITH | EFL_DF, NO_A = F_ALL & ~EFL_AF, NO_AO = F_ALL & ~(EFL_AF | EFL_OF), ONLY_CO = EFL_CF | EFL_OF | EFL_DF,
	ONLY_Z = EFL_ZF | EFL_DF, ONLY_CZ = EFL_CF | EFL_ZF | EFL_DF, NONE = EFL_DF, ONLY_C = EFL_CF | EFL_ZF | EFL_DF };
enum { MODRM = 1, IMM8 = 2, IMMZ = 4, IMMV = 8, LOCKABLE = 16, SMALL = 32 /* register values */, MEM_ONLY = 64 };

/* Opcodes FIRST to LAST of a map (0F: 0x0f00, 0F38: 0x0f3800); prefix, or 0; ModRM.reg if that is part of it, or -1. */
static const struct {
	uint32_t first, last;
	uint8_t prefix;
	int8_t digit;
	uint16_t form;
	uint32_t flags; /* those that are defined */
} cases[] = {
	{ 0x00, 0x03, 0, -1, MODRM, F_ALL }, { 0x04, 0x04, 0, -1, IMM8, F_ALL }, { 0x05, 0x05, 0, -1, IMMZ, F_ALL },
	{ 0x08, 0x0b, 0, -1, MODRM, NO_A }, { 0x10, 0x13, 0, -1, MODRM, F_ALL }, { 0x18, 0x1b, 0, -1, MODRM, F_ALL },
	{ 0x1c, 0x1c, 0, -1, IMM8, F_ALL }, { 0x15, 0x15, 0, -1, IMMZ, F_ALL },
	{ 0x20, 0x23, 0, -1, MODRM, NO_A }, { 0x28, 0x2b, 0, -1, MODRM, F_ALL }, { 0x30, 0x33, 0, -1, MODRM, NO_A },
	{ 0x38, 0x3b, 0, -1, MODRM, F_ALL }, { 0x3d, 0x3d, 0, -1, IMMZ, F_ALL }, { 0x63, 0x63, 0, -1, MODRM, F_ALL },
	{ 0x69, 0x69, 0, -1, MODRM | IMMZ, ONLY_CO }, { 0x6b, 0x6b, 0, -1, MODRM | IMM8, ONLY_CO },
	{ 0x80, 0x80, 0, 0, MODRM | IMM8, F_ALL }, { 0x80, 0x80, 0, 3, MODRM | IMM8, F_ALL }, { 0x81, 0x81, 0, 5, MODRM | IMMZ, F_ALL },
	{ 0x81, 0x81, 0, 4, MODRM | IMMZ, NO_A }, { 0x83, 0x83, 0, 2, MODRM | IMM8, F_ALL }, { 0x83, 0x83, 0, 7, MODRM | IMM8, F_ALL },
	{ 0x84, 0x85, 0, -1, MODRM, NO_A }, { 0x86, 0x8b, 0, -1, MODRM, F_ALL }, { 0x91, 0x97, 0, -1, 0, F_ALL },
	{ 0x98, 0x99, 0, -1, 0, F_ALL }, { 0x9e, 0x9f, 0, -1, 0, F_ALL }, { 0xa8, 0xa8, 0, -1, IMM8, NO_A },
	{ 0xa9, 0xa9, 0, -1, IMMZ, NO_A }, { 0xb0, 0xb7, 0, -1, IMM8, F_ALL }, { 0xb8, 0xbf, 0, -1, IMMV, F_ALL },
	{ 0xc0, 0xc1, 0, 0, MODRM | IMM8, EFL_CF | EFL_ZF | EFL_SF | EFL_PF | EFL_DF },
	{ 0xc0, 0xc1, 0, 1, MODRM | IMM8, EFL_CF | EFL_ZF | EFL_SF | EFL_PF | EFL_DF },
	{ 0xc0, 0xc1, 0, 2, MODRM | IMM8, EFL_CF | EFL_ZF | EFL_SF | EFL_PF | EFL_DF },
	{ 0xc0, 0xc1, 0, 3, MODRM | IMM8, EFL_CF | EFL_ZF | EFL_SF | EFL_PF | EFL_DF },
	{ 0xc0, 0xc1, 0, 4, MODRM | IMM8, ONLY_Z | EFL_SF | EFL_PF }, { 0xc0, 0xc1, 0, 5, MODRM | IMM8, ONLY_Z | EFL_SF | EFL_PF },
	{ 0xc0, 0xc1, 0, 7, MODRM | IMM8, NO_AO }, { 0xd0, 0xd1, 0, 0, MODRM, F_ALL }, { 0xd0, 0xd1, 0, 1, MODRM, F_ALL },
	{ 0xd0, 0xd1, 0, 2, MODRM, F_ALL }, { 0xd0, 0xd1, 0, 3, MODRM, F_ALL }, { 0xd0, 0xd1, 0, 4, MODRM, NO_A },
	{ 0xd0, 0xd1, 0, 5, MODRM, NO_A }, { 0xd0, 0xd1, 0, 7, MODRM, NO_A }, { 0xd2, 0xd3, 0, 4, MODRM, ONLY_Z | EFL_SF | EFL_PF },
	{ 0xd2, 0xd3, 0, 2, MODRM, EFL_CF | EFL_ZF | EFL_SF | EFL_PF | EFL_DF }, { 0xd2, 0xd3, 0, 7, MODRM, NO_AO },
	{ 0xc6, 0xc6, 0, 0, MODRM | IMM8, F_ALL }, { 0xc7, 0xc7, 0, 0, MODRM | IMMZ, F_ALL },
	{ 0xf5, 0xf5, 0, -1, 0, F_ALL }, { 0xf8, 0xf9, 0, -1, 0, F_ALL }, { 0xfc, 0xfd, 0, -1, 0, F_ALL },
	{ 0xf6, 0xf6, 0, 0, MODRM | IMM8, NO_A }, { 0xf7, 0xf7, 0, 0, MODRM | IMMZ, NO_A }, { 0xf6, 0xf7, 0, 2, MODRM, F_ALL },
	{ 0xf6, 0xf7, 0, 3, MODRM, F_ALL }, { 0xf6, 0xf7, 0, 4, MODRM, ONLY_CO }, { 0xf6, 0xf7, 0, 5, MODRM, ONLY_CO },
	{ 0xf6, 0xf7, 0, 6, MODRM | SMALL, NONE }, { 0xf6, 0xf7, 0, 7, MODRM | SMALL, NONE }, { 0xfe, 0xff, 0, 0, MODRM, F_ALL },
	{ 0xfe, 0xff, 0, 1, MODRM, F_ALL }, { 0x8d, 0x8d, 0, -1, MODRM | MEM_ONLY, F_ALL },
	{ 0x00, 0x01, 0xf0, -1, MODRM | MEM_ONLY, F_ALL }, { 0xfe, 0xff, 0xf0, 1, MODRM | MEM_ONLY, F_ALL },
	{ 0xf6, 0xf7, 0xf0, 3, MODRM | MEM_ONLY, F_ALL },
	{ 0x0f18, 0x0f18, 0, 1, MODRM, F_ALL }, { 0x0f1f, 0x0f1f, 0, 0, MODRM, F_ALL }, { 0x0f40, 0x0f4f, 0, -1, MODRM, F_ALL },
	{ 0x0f90, 0x0f9f, 0, -1, MODRM, F_ALL }, { 0x0fa3, 0x0fa3, 0, -1, MODRM | SMALL, ONLY_C }, { 0x0fab, 0x0fab, 0, -1, MODRM | SMALL, ONLY_C },
	{ 0x0fb3, 0x0fb3, 0, -1, MODRM | SMALL, ONLY_C }, { 0x0fbb, 0x0fbb, 0, -1, MODRM | SMALL, ONLY_C },
	{ 0x0fba, 0x0fba, 0, 4, MODRM | IMM8, ONLY_C }, { 0x0fba, 0x0fba, 0, 5, MODRM | IMM8, ONLY_C },
	{ 0x0fba, 0x0fba, 0, 6, MODRM | IMM8, ONLY_C }, { 0x0fba, 0x0fba, 0xf0, 7, MODRM | IMM8 | MEM_ONLY, ONLY_C },
	{ 0x0faf, 0x0faf, 0, -1, MODRM, ONLY_CO }, { 0x0fb0, 0x0fb1, 0, -1, MODRM, F_ALL },
	{ 0x0fb0, 0x0fb1, 0xf0, -1, MODRM | MEM_ONLY, F_ALL }, { 0x0fb6, 0x0fb7, 0, -1, MODRM, F_ALL },
	{ 0x0fbe, 0x0fbf, 0, -1, MODRM, F_ALL }, { 0x0fc0, 0x0fc1, 0, -1, MODRM, F_ALL }, { 0x0fbc, 0x0fbd, 0, -1, MODRM, ONLY_Z },
	{ 0x0fbc, 0x0fbd, 0xf3, -1, MODRM, ONLY_CZ }, { 0x0fb8, 0x0fb8, 0xf3, -1, MODRM, F_ALL }, { 0x0fc8, 0x0fcb, 0, -1, 0, F_ALL },
	{ 0x0fc7, 0x0fc7, 0, 1, MODRM | MEM_ONLY, F_ALL }, { 0x0fc7, 0x0fc7, 0xf0, 1, MODRM | MEM_ONLY, F_ALL },
	{ 0x0f38f0, 0x0f38f1, 0, -1, MODRM | MEM_ONLY, F_ALL }, { 0x0f38f0, 0x0f38f1, 0xf2, -1, MODRM, F_ALL },
	{ 0xa4, 0xa7, 0, -1, SMALL, F_ALL }, { 0xaa, 0xaf, 0, -1, SMALL, F_ALL },
	{ 0x0fa5, 0x0fa5, 0, -1, MODRM | SMALL, ONLY_Z | EFL_SF | EFL_PF }, { 0x0fad, 0x0fad, 0, -1, MODRM | SMALL, ONLY_Z | EFL_SF | EFL_PF },
};

static uint64_t seed = 88172645463325252ull;

static uint64_t
random64(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	/* Often near the borders where flags change. */
	switch (seed >> 60) {
	case 0:
		return seed & 1 ? 0 : ~0ull;
	case 1:
		return 1ull << (seed & 63);
	case 2:
		return (1ull << (seed & 63)) - 1;
	default:
		return seed * 0x2545f4914f6cdd1dull;
	}
}

/* One encoding of case N in CODE, with RET behind; the ModRM's memory is [rdi + 8-bit displacement]. */
static unsigned
encode(unsigned n, uint32_t opcode, unsigned width)
{
	unsigned at = 0, form = cases[n].form, z = width == 8 ? 4 : width;
	uint64_t r = random64();

	if (width == 2)
		code[at++] = 0x66;
	if (cases[n].prefix != 0)
		code[at++] = cases[n].prefix;
	if (width == 8 || (r & 0x30) == 0x30)
		code[at++] = 0x40 | (width == 8 ? 8 : 0) | (form & MODRM ? r & 4 : 0);
	for (int shift = 16; shift >= 0; shift -= 8)
		if (opcode >> shift != 0 || shift == 0)
			code[at++] = opcode >> shift;
	if (form & MODRM) {
		unsigned reg = cases[n].digit >= 0 ? (unsigned)cases[n].digit : r >> 8 & 7, rm = r >> 16 & 7;
		bool memory = form & MEM_ONLY || r >> 24 & 1;

		/* Neither the stack pointer nor the pointer to memory is written. */
		if (cases[n].digit < 0 && (reg == SP || reg == DI))
			reg = 3;
		if (rm == SP || rm == DI)
			rm = 1;
		code[at++] = (memory ? 0x40 : 0xc0) | reg << 3 | (memory ? DI : rm);
		if (memory)
			code[at++] = r >> 32 & 0x70;
	}
	for (unsigned k = form & IMM8 ? 1 : form & IMMZ ? z : form & IMMV ? width : 0; k > 0; k--)
		code[at++] = random64() >> 8;
	memcpy(code + at, "\xc3\xcc\xcc", 3);
	return at;
}

static void
randomize(struct machine *m, unsigned form)
{
	for (unsigned r = 0; r < 16; r++)
		m->gpr[r] = form & SMALL ? (uint64_t)((int64_t)random64() % 512) : random64();
	m->flags = (random64() & EFL_ARITH) | 0x202 | (form & SMALL ? random64() & EFL_DF : 0);
	for (unsigned k = 0; k < BUFFER; k += 8)
		memcpy(m->memory + k, &(uint64_t){ random64() }, 8);
	m->fault = false;
}

static struct machine start, native, guests;

/* Points rDI and rSI into M's own memory. */
static void
point(struct machine *m, const struct machine *from, bool strings)
{
	*m = *from;
	m->gpr[DI] = (uint64_t)(uintptr_t)(m->memory + BUFFER / 2);
	if (strings)
		m->gpr[6] = (uint64_t)(uintptr_t)(m->memory + BUFFER / 4);
}

/* ... and makes them comparable again. */
static void
unpoint(struct machine *m, bool strings)
{
	m->gpr[DI] -= (uint64_t)(uintptr_t)m->memory;
	m->gpr[SP] = 0;
	if (strings)
		m->gpr[6] -= (uint64_t)(uintptr_t)m->memory;
}

static void
try_one(unsigned n, uint32_t opcode, unsigned width)
{
	unsigned len = encode(n, opcode, width), bad = 0;
	bool strings = opcode >= 0xa4 && opcode <= 0xaf && !(cases[n].form & (IMM8 | IMMZ)), lea = opcode == 0x8d;
	char bytes[64] = "";

	randomize(&start, cases[n].form);
	point(&native, &start, strings);
	point(&guests, &start, strings);
	if (lea)
		native.gpr[DI] = guests.gpr[DI] = 0x123456789a;
	for (unsigned k = 0; k < len; k++)
		snprintf(bytes + 3 * k, 4, "%02x ", code[k]);
	native_run(&native);
	ck_assert_msg(guest_run(&guests), "%s: undefined", bytes);
	unpoint(&native, strings);
	unpoint(&guests, strings);
	if (lea)
		guests.gpr[DI] = native.gpr[DI];
	ck_assert_msg(native.fault == guests.fault, "%s: fault %d, host %d", bytes, guests.fault, native.fault);
	if (native.fault)
		return;
	while (bad < 16 && native.gpr[bad] == guests.gpr[bad])
		bad++;
	if (bad < 16) {
		for (unsigned k = 0; k < ir.count; k++) {
			char text[200];

			ir_print_insn(&ir, &ir.insn[k], text, sizeof text);
			fprintf(stderr, "%s\n", text);
		}
	}
	ck_assert_msg(bad == 16, "%s: register %u: %016lx, host %016lx, was %016lx", bytes, bad, (unsigned long)guests.gpr[bad % 16],
		      (unsigned long)native.gpr[bad % 16], (unsigned long)start.gpr[bad % 16]);
	ck_assert_msg(((native.flags ^ guests.flags) & cases[n].flags) == 0, "%s: flags %lx, host %lx, were %lx", bytes,
		      (unsigned long)guests.flags, (unsigned long)native.flags, (unsigned long)start.flags);
	ck_assert_msg(memcmp(native.memory, guests.memory, BUFFER) == 0, "%s: memory", bytes);
}

/* Not with 16 bits: undefined there.  XCHG and MOV leave the pointers alone. */
static bool
is_left_out(uint32_t op, unsigned width)
{
	if (width == 2 && (op >> 3 == 0x0fc8 >> 3 || op == 0x0fa5 || op == 0x0fad))
		return true;
	if (width == 8 && op == 0x0fc7)
		return true;
	return (op >> 3 == 0x90 >> 3 || op >> 4 == 0xb) && ((op & 7) == SP || (op & 7) == DI);
}

static bool
host_has(uint32_t op, unsigned prefix)
{
	unsigned a, b, c, d;

	__builtin_cpu_init();
	if (op == 0x0fbc && prefix == 0xf3)
		return __builtin_cpu_supports("bmi") && __get_cpuid(0x80000001, &a, &b, &c, &d) && c >> 5 & 1;
	if (op == 0x0fb8)
		return __builtin_cpu_supports("popcnt");
	if (op >> 4 == 0x0f38f)
		return __get_cpuid(1, &a, &b, &c, &d) && c >> 20 & 1 && c >> 22 & 1; /* CRC32, MOVBE */
	return true;
}

START_TEST(against_host)
{
	static const unsigned widths[] = { 2, 4, 8 };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_NODEFER };

	sigaction(SIGFPE, &sa, NULL);
	for (uint32_t op = cases[_i].first; op <= cases[_i].last && host_has(op, cases[_i].prefix); op++)
		for (unsigned w = 0; w < 3; w++)
			for (unsigned round = 0; round < ROUNDS; round++)
				if (!is_left_out(op, widths[w]))
					try_one(_i, op, widths[w]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("cpu_exec");
	TCase *t = tcase_create("host");
	SRunner *r;
	int failed;

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, against_host, 0, sizeof cases / sizeof *cases);
	suite_add_tcase(s, t);
	r = srunner_create(s);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

#else

int
main(void)
{
	return 77;
}

#endif
