/* SPDX-License-Identifier: GPL-2.0-or-later */
/* UMONITOR, UMWAIT and TPAUSE: what they refuse, and why they end. */
#include "long.h"

enum { CR4_TSD = 4, FLAGS = 0x8d5 };
#define LIMIT(value) "mov $0xe1, %ecx; mov $" #value ", %eax; xor %edx, %edx; wrmsr; "
/* The TSC plus TICKS, as the deadline; and whether as much has passed since: BL. */
#define IN(ticks) "rdtsc; mov %eax, %esi; mov %edx, %edi; add $" #ticks ", %eax; adc $0, %edx; "
#define EVER "mov $-1, %eax; mov %eax, %edx; "
#define AGAINST(ticks) "pushf; rdtsc; sub %esi, %eax; sbb %edi, %edx; cmp $" #ticks ", %eax; sbb $0, %edx; setae %bl; " \
	"popf; mov $0, %eax; mov %eax, %edx; mov %eax, %esi; mov %eax, %edi; mov %eax, %ecx; "

/* Nothing is over before the TSC starts, and the deepest state is wanted. */
static void
start(void)
{
	in.gpr[AX] = in.gpr[DX] = in.gpr[BX] = 0;
}

static void
refused(void)
{
	in.rflags |= FLAGS;
	start();
	RUN("tpause, over", "tpause %ebx");
	in.rflags |= FLAGS;
	start();
	in.gpr[BX] = 0xfffffff800000001;
	RUN("tpause, over, state 1", "tpause %ebx");
	in.rflags |= FLAGS, in.gpr[BX] = 2;
	RUN("tpause, state 2", "tpause %ebx");
	in.gpr[R9] = 0x80000000;
	RUN("tpause, state 80000000", "tpause %r9d");
	start();
	in.gpr[R9] = 0xf00000000;
	RUN("tpause, REX.W", ".byte 0x66, 0x49, 0x0f, 0xae, 0xf1");
	start();
	RUN("umwait, over", "umwait %ebx");
	in.gpr[BX] = 2;
	RUN("umwait, state 2", "umwait %ebx");
	RUN("tpause, lock", ".byte 0xf0; tpause %ebx");
	RUN("umwait, lock", ".byte 0xf0; umwait %ebx");
	RUN("umonitor, lock", ".byte 0xf0; umonitor %rbx");
	RUN("umwait, memory", ".byte 0xf2, 0x0f, 0xae, 0x33");
	for (unsigned n = 0; n < 4; n++) {
		if (n & 1)
			ring3();
		in.cr4 |= n & 2 ? CR4_TSD : 0;
		start();
		print(n & 1 ? "3 " : "0 ");
		print(n & 2 ? "tsd " : "");
		RUN("tpause", "tpause %ebx");
		if (n & 1)
			ring3();
		in.cr4 |= n & 2 ? CR4_TSD : 0;
		start();
		print(n & 1 ? "3 " : "0 ");
		print(n & 2 ? "tsd " : "");
		RUN("umwait", "umwait %ebx");
		if (n & 1)
			ring3();
		in.cr4 |= n & 2 ? CR4_TSD : 0;
		in.gpr[BX] = DATA;
		print(n & 1 ? "3 " : "0 ");
		print(n & 2 ? "tsd " : "");
		RUN("umonitor", "umonitor %rbx");
	}
}

static void
monitor(void)
{
	in.gpr[BX] = 0x800000000000;
	RUN("umonitor, not canonical", "umonitor %rbx");
	in.gpr[BX] = 0xf00800000000000 | DATA;
	RUN("umonitor, 32 bits", "umonitor %ebx");
	in.gpr[R10] = 1ull << 39;
	RUN("umonitor, not there", "umonitor %r10");
	in.gpr[BX] = 0x800000000000;
	RUN("umonitor, fs", ".byte 0x64; umonitor %rbx");
	compat3();
	start();
	in.gpr[BX] = DATA;
	RUN32("compatibility mode", "xor %ecx, %ecx; umonitor %ebx; umwait %ecx; tpause %ecx");
	compat3();
	in.gpr[BX] = DATA | 0x1234;
	RUN32("umonitor, 16 bits", "umonitor %bx");
	compat3();
	in.gpr[BX] = DATA;
	in.ds = 0;
	RUN32("umonitor, no segment", "umonitor %ebx");
}

static void
limits(void)
{
	RUN("limit: reserved bit", "mov $0xe1, %ecx; mov $2, %eax; xor %edx, %edx; wrmsr");
	RUN("limit: beyond 32 bits", "mov $0xe1, %ecx; mov $0, %eax; mov $1, %edx; wrmsr");
	RUN("limit: read", LIMIT(0xfffffffd) "mov $0, %eax; mov $-1, %edx; rdmsr");
	start();
	RUN("tpause: the deadline", LIMIT(0) IN(200000) "stc; tpause %ebx; " AGAINST(200000));
	start();
	RUN("tpause: a near deadline", LIMIT(0) IN(2000) "stc; tpause %ebx; " AGAINST(2000));
	start();
	RUN("tpause: the limit", LIMIT(200000) IN(0) EVER "tpause %ebx; " AGAINST(200000));
	start();
	RUN("tpause: a near limit", LIMIT(2001) IN(0) EVER "tpause %ebx; " AGAINST(2000));
	start();
	RUN("tpause: the deadline before the limit", LIMIT(0xfffffff0) IN(200000) "stc; tpause %ebx; " AGAINST(200000));
	start();
	in.gpr[R8] = DATA;
	RUN("umwait: the deadline", LIMIT(0) "umonitor %r8; " IN(200000) "stc; umwait %ebx; " AGAINST(200000));
	start();
	in.gpr[R8] = DATA;
	RUN("umwait: the limit", LIMIT(200000) "umonitor %r8; " IN(0) EVER "umwait %ebx; " AGAINST(200000));
	start();
	in.gpr[R8] = DATA;
	RUN("umwait: nothing monitored", LIMIT(0) "umonitor %r8; mov $0, %eax; mov $0, %edx; umwait %ebx; stc; "
		EVER "umwait %ebx; mov $0, %ecx");
	start();
	in.gpr[R8] = DATA;
	RUN("umwait: a store may have come", LIMIT(0) "umonitor %r8; " EVER "umwait %ebx; mov $0, %ecx");
	start();
	in.rflags |= 0x100;
	RUN("tpause: tf", "tpause %ebx; nop");
}

/* One that is masked; if it ends nothing, the limit does, four seconds later. */
static void
interrupt(void)
{
	start();
	RUN("tpause: an interrupt", "mov $0x1b, %ecx; rdmsr; or $0xc00, %eax; wrmsr; "
		"mov $0x80f, %ecx; mov $0x1ff, %eax; xor %edx, %edx; wrmsr; "
		"mov $0x83f, %ecx; mov $0x40, %eax; wrmsr; " LIMIT(0xfffffff0) EVER "stc; tpause %ebx; mov $0, %ecx");
}

/* Of AMD's older processors alone. */
static void
absent(void)
{
	static const uint64_t on = 0x40200; /* OSXSAVE, OSFXSR */

	in.cr4 |= on;
	RUN("xop, not there", "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	in.cr4 |= on;
	RUN("fma4, not there", "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vfmaddps %xmm3, %xmm2, %xmm1, %xmm0");
	RUN("tbm, not there", "blcfill %ebx, %eax");
	RUN("bextr, not there", "bextr $4, %ebx, %eax");
}

void
run_tests(void)
{
	absent();
	refused();
	monitor();
	limits();
	interrupt();
}
