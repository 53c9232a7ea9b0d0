/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * x87 by the host's own x87: the guest's state is loaded, the instruction executed, the state stored again.  No exception can
 * reach the host's kernel, since an unmasked one is only signalled by the next waiting instruction, and what stores and clears
 * the state isn't one.
 */
#include "tcg/interp/x87_host.h"

#include <string.h>

#include "tcg/interp/x87.h"

#ifndef __x86_64__
#error "x87_host.h has no implementation for this host yet"
#endif

enum { FXSAVE_BYTES = 512, MEMORY_FORMS = 8, FORMS = 72 };

/*
 * All instructions stand in the middle, 8 bytes each: for each opcode the 8 memory forms, based on RSI, then the 64 register
 * forms.  One of them is jumped to.  Those that don't exist are never asked for.
 */
static __attribute__((noinline)) void
execute(uint8_t *image, uint64_t index, void *memory, uint64_t *ax)
{
	uint64_t target;

	__asm__ volatile("fxrstor64 (%[image])\n\t"
			 "leaq 1f(%%rip), %[target]\n\t"
			 "leaq (%[target],%[index],8), %[target]\n\t"
			 "sahf\n\t"
			 "jmp *%[target]\n\t"
			 ".balign 8\n"
			 "1:\n\t"
			 ".irp opcode, 0xd8, 0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf\n\t"
			 ".irp modrm, 0x06, 0x0e, 0x16, 0x1e, 0x26, 0x2e, 0x36, 0x3e\n\t"
			 ".byte \\opcode, \\modrm\n\t"
			 "jmp 2f\n\t"
			 ".balign 8\n\t"
			 ".endr\n\t"
			 ".irp high, 0xc0, 0xc8, 0xd0, 0xd8, 0xe0, 0xe8, 0xf0, 0xf8\n\t"
			 ".irp low, 0, 1, 2, 3, 4, 5, 6, 7\n\t"
			 ".byte \\opcode, \\high + \\low\n\t"
			 "jmp 2f\n\t"
			 ".balign 8\n\t"
			 ".endr\n\t"
			 ".endr\n\t"
			 ".endr\n"
			 "2:\n\t"
			 "lahf\n\t"
			 "fxsave64 (%[image])\n\t"
			 "fninit"
			 : "+a"(*ax), [target] "=&r"(target)
			 : [image] "D"(image), [index] "r"(index), "S"(memory)
			 : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "xmm0", "xmm1",
			   "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
			   "xmm14", "xmm15");
}

void
x87_host_run(uint8_t *image, unsigned opcode, unsigned modrm, void *memory, uint8_t *flags)
{
	_Alignas(16) uint8_t state[FXSAVE_BYTES] = { 0 };
	uint64_t ax = (uint64_t)*flags << 8;
	uint32_t mxcsr;

	/* MXCSR is in the image too: the host's own stays. */
	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	memcpy(state, image, X87_MXCSR);
	memcpy(state + X87_MXCSR, &mxcsr, sizeof mxcsr);
	memcpy(state + X87_ST, image + X87_ST, X87_END - X87_ST);
	execute(state, opcode * FORMS + (modrm >= 0xc0 ? MEMORY_FORMS + modrm - 0xc0 : modrm >> 3), memory, &ax);
	memcpy(image, state, X87_POINTERS);
	memcpy(image + X87_ST, state + X87_ST, X87_END - X87_ST);
	*flags = (uint8_t)(ax >> 8);
}
