/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Snippets on the host's own processor, in this process.
 *
 * The code pages are mapped twice, to be written and to be executed; IRETQ enters the snippet, which also makes the processor
 * fetch what was just written.  A snippet leaves through the code at FUZZ_EXIT, or by a signal, whose frame has all registers.
 * Signal handlers are the process's, so this file has state of its own.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "tests/fuzz/fuzz.h"

#include <asm/prctl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

enum { TICK_US = 2000, ALT_STACK = 65536 };

/* What the assembly below knows the layout of. */
struct native {
	uint64_t gpr[16];
	uint64_t flags, rip, host_sp;
	uint64_t pad;
	_Alignas(16) uint8_t fx[FX_BYTES];
};

/* Where a snippet is, for the signal handlers and the assembly. */
struct native native_state;
static volatile sig_atomic_t running, ticks;
static struct outcome *volatile result;
static uint8_t *code_writable, *data_pages = (uint8_t *)FUZZ_DATA;
static const struct snippet *volatile current;
static struct sigaction others[65];

void native_enter(void);
_Noreturn void native_resume(void);
void native_exit(void);

__asm__(".text\n"
	".globl native_enter, native_exit, native_resume\n"
	"native_enter:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n	push %r13\n	push %r14\n	push %r15\n"
	"	lea native_state(%rip), %rax\n"
	"	mov %rsp, 144(%rax)\n"
	"	fxrstor64 160(%rax)\n"
	"	mov %ss, %ecx\n	push %rcx\n	push 32(%rax)\n	push 128(%rax)\n	mov %cs, %ecx\n	push %rcx\n	push 136(%rax)\n"
	"	mov 8(%rax), %rcx\n	mov 16(%rax), %rdx\n	mov 24(%rax), %rbx\n	mov 40(%rax), %rbp\n"
	"	mov 48(%rax), %rsi\n	mov 56(%rax), %rdi\n	mov 64(%rax), %r8\n	mov 72(%rax), %r9\n"
	"	mov 80(%rax), %r10\n	mov 88(%rax), %r11\n	mov 96(%rax), %r12\n	mov 104(%rax), %r13\n"
	"	mov 112(%rax), %r14\n	mov 120(%rax), %r15\n	mov 0(%rax), %rax\n"
	"	iretq\n"
	/* Comes with the snippet's RAX in native_state already, and its flags. */
	"native_exit:\n"
	"	lea native_state(%rip), %rax\n"
	"	mov %rcx, 8(%rax)\n	mov %rdx, 16(%rax)\n	mov %rbx, 24(%rax)\n	mov %rsp, 32(%rax)\n	mov %rbp, 40(%rax)\n"
	"	mov %rsi, 48(%rax)\n	mov %rdi, 56(%rax)\n	mov %r8, 64(%rax)\n	mov %r9, 72(%rax)\n"
	"	mov %r10, 80(%rax)\n	mov %r11, 88(%rax)\n	mov %r12, 96(%rax)\n	mov %r13, 104(%rax)\n"
	"	mov %r14, 112(%rax)\n	mov %r15, 120(%rax)\n"
	"	mov 144(%rax), %rsp\n"
	"	pushfq\n	popq 128(%rax)\n"
	"	fxsave64 160(%rax)\n"
	"native_resume:\n"
	"	lea native_state(%rip), %rax\n"
	"	mov 144(%rax), %rsp\n"
	"	pushq $0x202\n	popfq\n"
	"	xor %ecx, %ecx\n	mov %ecx, %ds\n	mov %ecx, %es\n"
	"	fninit\n	pushq $0x1f80\n	ldmxcsr (%rsp)\n	pop %rcx\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n	pop %r12\n	pop %rbp\n	pop %rbx\n	ret\n");

/* ---- signals ---- */

static void
take_registers(struct outcome *o, const ucontext_t *u)
{
	static const uint8_t order[16] = { REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI, REG_R8, REG_R9, REG_R10,
		REG_R11, REG_R12, REG_R13, REG_R14, REG_R15 };

	for (unsigned n = 0; n < 16; n++)
		o->regs.gpr[n] = (uint64_t)u->uc_mcontext.gregs[order[n]];
	o->regs.flags = (uint64_t)u->uc_mcontext.gregs[REG_EFL];
	o->rip = (uint64_t)u->uc_mcontext.gregs[REG_RIP];
	o->vector = (unsigned)u->uc_mcontext.gregs[REG_TRAPNO];
	o->error = (uint32_t)u->uc_mcontext.gregs[REG_ERR];
	o->cr2 = (uint64_t)u->uc_mcontext.gregs[REG_CR2];
	memcpy(o->regs.fx, u->uc_mcontext.fpregs, FX_BYTES);
}

/* A fault in our own code, or in translated code: the translator's own handler looks at it, then it is a crash. */
static void
not_ours(int signal, siginfo_t *info, void *context)
{
	ucontext_t *u = context;
	greg_t rip = u->uc_mcontext.gregs[REG_RIP];

	if (others[signal].sa_flags & SA_SIGINFO)
		others[signal].sa_sigaction(signal, info, context);
	if (u->uc_mcontext.gregs[REG_RIP] != rip)
		return;
	fprintf(stderr, "signal %d at %#llx, address %p, in:\n", signal, (unsigned long long)rip, info->si_addr);
	if (current != NULL)
		snippet_print(current, stderr);
	fflush(stderr);
	sigaction(signal, &(struct sigaction){ .sa_handler = SIG_DFL }, NULL);
}

static void
on_signal(int signal, siginfo_t *info, void *context)
{
	if (!running) {
		not_ours(signal, info, context);
		return;
	}
	__asm__ volatile("pushq $0x202\n\tpopfq" : : : "cc", "memory");
	running = 0;
	take_registers(result, context);
	native_resume();
}

/* Two ticks in the same snippet: it doesn't end. */
static void
on_tick(int signal, siginfo_t *info, void *context)
{
	(void)signal, (void)info;
	guest_tick();
	ticks++;
	if (!running || ticks < 2)
		return;
	__asm__ volatile("pushq $0x202\n\tpopfq" : : : "cc", "memory");
	running = 0;
	take_registers(result, context);
	result->vector = VECTOR_TIMEOUT;
	native_resume();
}

static void
catch_signals(void)
{
	static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT };
	stack_t stack = { .ss_sp = malloc(ALT_STACK), .ss_size = ALT_STACK };
	struct sigaction action = { .sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };

	sigaltstack(&stack, NULL);
	for (unsigned n = 0; n < sizeof(signals) / sizeof(signals[0]); n++)
		sigaction(signals[n], &action, &others[signals[n]]);
	action.sa_sigaction = on_tick;
	action.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &(struct itimerval){ { 0, TICK_US }, { 0, TICK_US } }, NULL);
}

/* ---- memory ---- */

static void *
map_at(uint64_t at, size_t bytes, int rights, int fd)
{
	int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;

	return mmap((void *)(uintptr_t)at, bytes, rights, flags | (at != 0 ? MAP_FIXED_NOREPLACE : 0), fd, 0);
}

/* mov %rax, native_state; mov $native_exit, %rax; jmp *%rax */
static bool
make_exit(void)
{
	uint8_t *p = map_at(FUZZ_EXIT, FUZZ_PAGE, PROT_READ | PROT_WRITE, -1);

	if (p != (uint8_t *)FUZZ_EXIT)
		return false;
	memcpy(p, "\x48\xa3", 2);
	memcpy(p + 2, &(uint64_t){ (uint64_t)(uintptr_t)&native_state }, 8);
	memcpy(p + 10, "\x48\xb8", 2);
	memcpy(p + 12, &(uint64_t){ (uint64_t)(uintptr_t)native_exit }, 8);
	memcpy(p + 20, "\xff\xe0", 2);
	return mprotect(p, FUZZ_PAGE, PROT_READ | PROT_EXEC) == 0;
}

bool
native_init(void)
{
	int fd = memfd_create("snippet", MFD_CLOEXEC);
	uint8_t *constants;

	if (fd < 0 || ftruncate(fd, CODE_BYTES) != 0)
		return false;
	code_writable = map_at(0, CODE_BYTES, PROT_READ | PROT_WRITE, fd);
	if (code_writable == MAP_FAILED || map_at(FUZZ_CODE, CODE_BYTES, PROT_READ | PROT_EXEC, fd) != (void *)FUZZ_CODE)
		return false;
	close(fd);
	if (map_at(FUZZ_DATA, DATA_BYTES, PROT_READ | PROT_WRITE, -1) != (void *)FUZZ_DATA)
		return false;
	constants = map_at(FUZZ_DATA + DATA_BYTES, FUZZ_PAGE, PROT_READ | PROT_WRITE, -1);
	if (constants == MAP_FAILED)
		return false;
	fill_constants(constants);
	mprotect(constants, FUZZ_PAGE, PROT_READ);
	if (!make_exit() || syscall(SYS_arch_prctl, ARCH_SET_GS, FUZZ_GS_BASE) != 0)
		return false;
	catch_signals();
	return true;
}

/* ---- running ---- */

void
native_run(const struct snippet *s, const uint8_t *data, struct outcome *o)
{
	unsigned room = CODE_BYTES - s->at, jump = s->at + s->len;
	uint8_t code[SNIPPET_BYTES + JUMP_BYTES];
	int32_t far = (int32_t)(FUZZ_EXIT - (FUZZ_CODE + jump + JUMP_BYTES));

	memcpy(code, s->code, s->len);
	code[s->len] = 0xe9;
	memcpy(code + s->len + 1, &far, 4);
	memset(code_writable, CODE_FILL, CODE_BYTES);
	memcpy(code_writable + s->at, code, s->len + JUMP_BYTES < room ? s->len + JUMP_BYTES : room);
	memcpy(data_pages, data, DATA_BYTES);
	memcpy(native_state.gpr, s->start.gpr, sizeof(native_state.gpr));
	memcpy(native_state.fx, s->start.fx, FX_BYTES);
	native_state.flags = s->start.flags;
	native_state.rip = FUZZ_CODE + s->at;
	result = o;
	current = s;
	ticks = 0;
	running = 1;
	native_enter();
	if (running) {
		running = 0;
		memcpy(o->regs.gpr, native_state.gpr, sizeof(native_state.gpr));
		memcpy(o->regs.fx, native_state.fx, FX_BYTES);
		o->regs.flags = native_state.flags;
		o->vector = VECTOR_EXIT;
		o->rip = FUZZ_EXIT;
		o->error = 0;
		o->cr2 = 0;
	}
	memcpy(o->data, data_pages, DATA_BYTES);
}
