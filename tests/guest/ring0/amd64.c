/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Instructions of AMD's alone: SSE4A, XOP, FMA4, TBM.  How they are encoded, which operand is which, and where there are none. */
#include "long.h"

enum { CR4_OSFXSR = 0x200, CR4_OSXSAVE = 0x40000, CR0_TS = 8, FLAGS = 0x8d5 };
/* RAX, RDX from XMM0, of which the upper half counts too: RCX. */
#define AVX "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vmovq %r8, %xmm1; vmovq %r9, %xmm2; vmovq %r10, %xmm3; " \
	"vxorps %xmm0, %xmm0, %xmm0; vcmptrueps %ymm0, %ymm0, %ymm0; vinsertf128 $1, %xmm2, %ymm1, %ymm1; "
#define RESULT "; vmovq %xmm0, %rax; vpextrq $1, %xmm0, %rdx; vextractf128 $1, %ymm0, %xmm0; vmovq %xmm0, %rcx"

static void
start(void)
{
	in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE;
	in.gpr[R8] = 0x0123456789abcdef, in.gpr[R9] = 0xfedcba9876543210, in.gpr[R10] = 0x1f0f82047f8001ff;
	in.gpr[BX] = DATA;
	*(uint64_t *)DATA = 0x4000000040400000;
	*(uint64_t *)(DATA + 8) = 0x0807060504030201;
}

static void
operands(void)
{
	start();
	RUN("vpperm", AVX "vpperm %xmm3, %xmm2, %xmm1, %xmm0" RESULT);
	start();
	RUN("vpperm, memory last", AVX "vpperm 8(%rbx), %xmm2, %xmm1, %xmm0" RESULT);
	start();
	RUN("vpperm, memory second", AVX "vpperm %xmm3, 8(%rbx), %xmm1, %xmm0" RESULT);
	start();
	RUN("vpcmov", AVX "vpcmov %ymm3, %ymm2, %ymm1, %ymm0" RESULT);
	start();
	RUN("vpcmov, memory last", AVX "vpcmov (%rbx), %ymm2, %ymm1, %ymm0" RESULT);
	start();
	RUN("vprotb", AVX "vprotb %xmm3, %xmm1, %xmm0" RESULT);
	start();
	RUN("vprotb, memory", AVX "vprotb (%rbx), %xmm1, %xmm0" RESULT);
	start();
	RUN("vprotb, of memory", AVX "vprotb %xmm3, (%rbx), %xmm0" RESULT);
	start();
	RUN("vprotw, immediate", AVX "vprotw $-3, (%rbx), %xmm0" RESULT);
	start();
	RUN("vpshlw", AVX "vpshlw %xmm3, %xmm1, %xmm0" RESULT);
	start();
	RUN("vpshad, of memory", AVX "vpshad %xmm3, (%rbx), %xmm0" RESULT);
	start();
	RUN("vpcomltub", AVX "vpcomltub %xmm2, %xmm1, %xmm0" RESULT);
	start();
	RUN("vpmacsdd", AVX "vpmacsdd %xmm3, (%rbx), %xmm1, %xmm0" RESULT);
	start();
	RUN("vphaddubq", AVX "vphaddubq 8(%rbx), %xmm0" RESULT);
	start();
	RUN("vfrczss", AVX "vfrczss (%rbx), %xmm0" RESULT);
	start();
	RUN("vpermil2ps", AVX "vpermil2ps $2, %ymm3, %ymm2, %ymm1, %ymm0" RESULT);
	start();
	RUN("vpermil2pd, memory last", AVX "vpermil2pd $3, 8(%rbx), %xmm2, %xmm1, %xmm0" RESULT);
	start();
	in.gpr[R8] = 0x4040000040a00000, in.gpr[R9] = 0x3f80000041200000, in.gpr[R10] = 0xc000000042c80000;
	RUN("vfmaddps", AVX "vfmaddps %xmm3, %xmm2, %xmm1, %xmm0" RESULT);
	start();
	in.gpr[R8] = 0x4040000040a00000, in.gpr[R9] = 0x3f80000041200000, in.gpr[R10] = 0xc000000042c80000;
	RUN("vfmsubss, memory last", AVX "vfmsubss (%rbx), %xmm2, %xmm1, %xmm0" RESULT);
	start();
	in.gpr[R8] = 0x4040000040a00000, in.gpr[R9] = 0x3f80000041200000, in.gpr[R10] = 0xc000000042c80000;
	RUN("vfnmaddss, memory second", AVX "vfnmaddss %xmm3, (%rbx), %xmm1, %xmm0" RESULT);
	start();
	RUN("extrq", AVX "movaps %xmm1, %xmm0; extrq $8, $12, %xmm0" RESULT);
	start();
	RUN("insertq", AVX "movaps %xmm1, %xmm0; insertq $4, $16, %xmm2, %xmm0" RESULT);
	start();
	RUN("movntsd", AVX "movntsd %xmm2, (%rbx); movntss %xmm1, 4(%rbx); mov (%rbx), %rax; xor %edx, %edx");
}

static void
undefined(void)
{
	start();
	RUN("xop, no avx", "xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax; xsetbv; vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	start();
	in.cr4 &= ~(uint64_t)CR4_OSXSAVE;
	RUN("xop, no xsave", "vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	start();
	in.cr0 |= CR0_TS;
	RUN("xop, ts", "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	start();
	RUN("xop, 66", AVX ".byte 0x66; vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	start();
	RUN("xop, rex", AVX ".byte 0x40; vpperm %xmm3, %xmm2, %xmm1, %xmm0");
	start();
	RUN("xop, pp", AVX ".byte 0x8f, 0xe8, 0x71, 0xa3, 0xc2, 0x30");
	start();
	RUN("xop, l", AVX ".byte 0x8f, 0xe8, 0x74, 0xa3, 0xc2, 0x30");
	start();
	RUN("xop, map 11", AVX ".byte 0x8f, 0xeb, 0x70, 0xa3, 0xc2, 0x30");
	start();
	RUN("xop, vvvv", AVX ".byte 0x8f, 0xe9, 0x70, 0xc1, 0xc2");
	start();
	RUN("lwp", AVX ".byte 0x8f, 0xe9, 0x78, 0x12, 0xc0");
	start();
	RUN("pop is not xop", "push $0x55; push $0x66; .byte 0x8f, 0xc0; .byte 0x8f, 0x44, 0x24, 0xf8");
	start();
	RUN("tpause, not there", "tpause %eax");
	start();
	RUN("umwait, not there", "umwait %eax");
	start();
	RUN("umonitor, not there", "umonitor %rax");
	start();
	RUN("mfence is there", "mfence; .byte 0x0f, 0xae, 0xf5");
	start();
	RUN("tbm, lock", ".byte 0xf0; blcfill %ebx, %eax");
	start();
	RUN("tbm, l", ".byte 0x8f, 0xe9, 0x7c, 0x01, 0xcb");
}

/* The number in RBX; flags to R8. */
#define TBM(name) \
	in.gpr[BX] = numbers[n], in.rflags |= FLAGS; \
	RUN(name, name " %rbx, %rax; pushf; pop %r8; and $0x8c1, %r8d; xor %edx, %edx"); \
	in.gpr[BX] = numbers[n]; \
	RUN(name " 32", name " %ebx, %eax; pushf; pop %r8; and $0x8c1, %r8d; xor %edx, %edx")

static void
masks(void)
{
	static const uint64_t numbers[] = { 0, 1, 0xffffffffffffffff, 0x8000000000000000, 0x7fffffffffffffff, 0x00000000ffffffff,
		0xf0f0f0f058585857, 0x1234567880000000 };

	for (unsigned n = 0; n < COUNT(numbers); n++) {
		TBM("blcfill");
		TBM("blci");
		TBM("blcic");
		TBM("blcmsk");
		TBM("blcs");
		TBM("blsfill");
		TBM("blsic");
		TBM("t1mskc");
		TBM("tzmsk");
		in.gpr[BX] = numbers[n];
		RUN("bextr", "bextr $0x1c0c, %rbx, %rax; pushf; pop %r8; and $0x841, %r8d");
	}
	in.gpr[BX] = DATA;
	*(uint64_t *)DATA = 0x4000000040400000;
	RUN("bextr, memory", "bextr $0xff81414, (%rbx), %eax; pushf; pop %r8; and $0x841, %r8d");
	in.gpr[BX] = DATA;
	*(uint64_t *)DATA = 0x4000000040400003;
	compat3();
	RUN32("tbm in compatibility mode", "blsic (%ebx), %ecx; .byte 0x8f, 0xe9, 0xf8, 0x01, 0x0b");
}

/* A return to an address that isn't canonical is one; what faults is the program there, also with its flags, and with traps. */
static void
returns(void)
{
	static const uint64_t far[] = { 1ull << 47, 0xffff7fffffffffff, 1ull << 63, 0xffff800000000000 };

	for (unsigned i = 0; i < COUNT(far); i++)
		for (unsigned k = 0; k < 3; k++) {
			in.gpr[CX] = far[i], in.gpr[R11] = k == 1 ? 0x3302 : 2;
			print_hex(far[i], 16);
			if (k < 2)
				RUN(" sysretq", "sysretq");
			else
				RUN(" sysretl", "sysretl");
		}
	in.gpr[CX] = 1ull << 47, in.gpr[R11] = 2, in.rflags |= 0x100;
	RUN("step, sysretq", "sysretq");
	ring3();
	in.gpr[CX] = 1ull << 47;
	RUN("sysretq 3", "sysretq");
}

void
run_tests(void)
{
	returns();
	operands();
	undefined();
	masks();
}
