/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XSAVE and its family: what is written where, what is restored and refused, XCR0, XSS and CPUID's leaf of them. */
#include "long.h"

enum { CR4_OSFXSR = 0x200, CR4_OSXSAVE = 0x40000, CR4_PKE = 0x400000, AREA = DATA + 0x1000, HEADER = 512, YMM = 576, PKRU = 2688,
	COUNT_MASKS = 6 };
#define COMPACT (1ull << 63)

/* XCR0 in r8, XSAVE's mask in r9, PKRU in r10, what stands in both halves of YMM1 in r11. */
#define STATE "xor %ecx, %ecx; xor %edx, %edx; mov %r10d, %eax; wrpkru; mov $7, %eax; xsetbv; vzeroall; vmovd %r11d, %xmm1; " \
	"vinsertf128 $1, %xmm1, %ymm1, %ymm1; mov %r8d, %eax; xsetbv; mov %r9d, %eax; mov %r9d, %edx; "

static void
start(uint32_t xcr0, uint32_t mask, uint32_t pkru, uint32_t ymm)
{
	in.cr4 |= CR4_OSFXSR | CR4_OSXSAVE | CR4_PKE;
	in.gpr[R8] = xcr0, in.gpr[R9] = mask, in.gpr[R10] = pkru, in.gpr[R11] = ymm;
	in.gpr[BX] = AREA;
}

static void
saving(void)
{
	static const uint32_t xcr0[] = { 1, 3, 7, 0x201, 0x203, 0x207 }, masks[COUNT_MASKS] = { 0xffffffff, 0, 2, 4, 0x200, 0x204 };
	static const uint64_t watched[] = { PKRU, PKRU, YMM + 256, YMM + 256 };
	static const char *const names[] = { "xsave ", "xsaveopt ", "xsavec ", "xsaves " };

	for (unsigned k = 0; k < 4; k++)
		for (unsigned i = 0; i < COUNT(xcr0); i++)
			for (unsigned m = 0; m < COUNT(masks); m++)
				for (unsigned state = 0; state < 4; state++) {
					start(xcr0[i], masks[m], state & 1 ? 0x55555550 : 0, state & 2 ? 0x1234 : 0);
					fill((void *)AREA, 0xcc, 0xc00);
					in.watch[0] = (const uint64_t *)(AREA + HEADER), in.watch[1] = in.watch[0] + 1;
					in.watch[2] = (const uint64_t *)(uint64_t)(AREA + YMM + (xcr0[i] & masks[m] & 4 ? 16 : 0));
					in.watch[3] = (const uint64_t *)(AREA + watched[k]);
					print(names[k]);
					if (k == 0)
						RUN("", STATE "xsave64 (%rbx)");
					else if (k == 1)
						RUN("", STATE "xsaveopt64 (%rbx)");
					else if (k == 2)
						RUN("", STATE "xsavec64 (%rbx)");
					else
						RUN("", STATE "xsaves64 (%rbx)");
				}
}

static const struct { uint64_t present, xcomp; unsigned reserved; } headers[] = {
	{ 0, 0, 0 }, { 7, 0, 0 }, { 0x207, 0, 0 }, { 4, 0, 0 }, { 0x200, 0, 0 }, { 3, 0, 0 }, { 0x400, 0, 0 }, { 8, 0, 0 }, { 0x20, 0, 0 },
	{ 1ull << 62, 0, 0 }, { COMPACT, 0, 0 }, { 7, 7, 0 }, { 7, 1, 0 }, { 7, 0, 16 }, { 7, 0, 23 }, { 7, 0, 24 }, { 7, 0, 63 },
	{ 0, COMPACT, 0 }, { 7, COMPACT | 7, 0 }, { 0x207, COMPACT | 0x207, 0 }, { 0x204, COMPACT | 0x207, 0 }, { 0x200, COMPACT | 0x200, 0 },
	{ 0x203, COMPACT | 0x203, 0 }, { 0x207, COMPACT | 7, 0 }, { 0x204, COMPACT | 0x200, 0 }, { 1, COMPACT | 3, 0 },
	{ 0, COMPACT | 0x207, 0 }, { 7, COMPACT | 0x407, 0 }, { 7, COMPACT | 0xf, 0 }, { 7, COMPACT | 7 | 1ull << 62, 0 },
	{ 7, COMPACT | 7, 16 }, { 7, COMPACT | 7, 24 }, { 7, COMPACT | 7, 63 }, { 0x107, COMPACT | 0x107, 0 }, { 0x907, COMPACT | 0x907, 0 },
};

/* An area in which all components have a value. */
static void
image(uint64_t present, uint64_t xcomp, unsigned reserved)
{
	unsigned pkru = PKRU;

	fill((void *)AREA, 0, 0xc00);
	*(uint16_t *)AREA = 0x27f;
	*(uint32_t *)(AREA + 24) = 0x1fa0;
	*(uint32_t *)(AREA + 160 + 16) = 0x777;
	*(uint64_t *)(AREA + HEADER) = present;
	*(uint64_t *)(AREA + HEADER + 8) = xcomp;
	*(uint32_t *)(AREA + YMM + 16) = 0x888;
	if (xcomp & COMPACT)
		pkru = xcomp & 4 ? YMM + 256 : YMM;
	*(uint64_t *)(uint64_t)(AREA + pkru) = 0xffffffff11111110;
	if (reserved)
		*(uint8_t *)(uint64_t)(AREA + HEADER + reserved) = 1;
}

#define LOOK "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vmovd %xmm1, %r12d; vextractf128 $1, %ymm1, %xmm2; " \
	"vmovd %xmm2, %r13d; vstmxcsr 0x20000; fnstcw 0x20008"

static void
restoring(void)
{
	static const uint32_t xcr0[] = { 0x207, 3 }, masks[COUNT_MASKS] = { 0xffffffff, 0, 2, 4, 0x200, 1 };

	for (unsigned i = 0; i < COUNT(headers); i++)
		for (unsigned m = 0; m < COUNT(masks); m++)
			for (unsigned k = 0; k < 4; k++) {
				start(xcr0[k / 2], masks[m], 0x44444440, 0x9999);
				image(headers[i].present, headers[i].xcomp, headers[i].reserved);
				print(k & 1 ? "xrstors" : "xrstor");
				print_field("header", headers[i].present);
				print_field("", headers[i].xcomp);
				if (k & 1)
					RUN("", STATE "xrstors64 (%rbx); " LOOK);
				else
					RUN("", STATE "xrstor64 (%rbx); " LOOK);
			}
	for (unsigned k = 0; k < 6; k++) {
		start(0x207, k < 2 ? 2 : k < 4 ? 4 : 1, 0, 0);
		image(k & 1 ? 7 : 0, 0, 0);
		*(uint32_t *)(AREA + 24) = 0x10000;
		RUN("xrstor: mxcsr reserved", STATE "xrstor64 (%rbx); " LOOK);
		start(0x207, k < 2 ? 2 : k < 4 ? 4 : 1, 0, 0);
		image(k & 1 ? 7 : 0, COMPACT | 7, 0);
		*(uint32_t *)(AREA + 24) = 0x10000;
		RUN("xrstor: mxcsr reserved, compact", STATE "xrstor64 (%rbx); " LOOK);
	}
}

/* The second half of the area isn't there: nothing is written or loaded. */
static void
missing(void)
{
	for (unsigned k = 0; k < 6; k++) {
		start(0x207, 7, 4, 0x1234);
		in.gpr[BX] = 0x22000 - YMM;
		page_table[0][0x22] = k & 1 ? 0x22001 : 0;
		fill((void *)(0x22000 - YMM), 0, YMM);
		*(uint64_t *)(0x22000 - YMM + HEADER) = 7;
		if (k / 2 == 2 && k & 1)
			*(uint64_t *)(0x22000 - YMM + HEADER + 8) = COMPACT | 7;
		in.cr0 |= 0x10000;
		in.watch[0] = (const uint64_t *)(0x22000 - YMM), in.watch[1] = (const uint64_t *)(0x22000 - YMM + HEADER);
		in.watch[2] = in.watch[1] + 1;
		if (k / 2 == 0)
			RUN("missing: xsave", STATE "xsave64 (%rbx)");
		else if (k / 2 == 1)
			RUN("missing: xsavec", STATE "xsavec64 (%rbx)");
		else
			RUN("missing: xrstor", STATE "xrstor64 (%rbx); " LOOK);
	}
}

static void
refusing(void)
{
	start(7, 7, 0, 0);
	in.gpr[BX] = AREA + 32;
	RUN("xsave: unaligned", STATE "xsave64 (%rbx)");
	start(7, 7, 0, 0);
	in.gpr[BX] = AREA + 32;
	RUN("xrstor: unaligned", STATE "xrstor64 (%rbx)");
	start(7, 7, 0, 0);
	in.gpr[BX] = AREA + 32;
	RUN("xsaves: unaligned", STATE "xsaves64 (%rbx)");
	start(7, 7, 0, 0);
	RUN("xsave: lock", STATE ".byte 0xf0; xsave (%rbx)");
	start(7, 7, 0, 0);
	RUN("xsavec: lock", STATE ".byte 0xf0; xsavec (%rbx)");
	start(7, 7, 0, 0);
	RUN("xsaves: register", STATE ".byte 0x0f, 0xc7, 0xe8");
	start(7, 7, 0, 0);
	RUN("xrstors: register", STATE ".byte 0x0f, 0xc7, 0xd8");
	in.cr0 |= 8;
	start(7, 7, 0, 0);
	RUN("xsave: ts", "xsave64 (%rbx)");
	in.cr0 |= 8;
	start(7, 7, 0, 0);
	RUN("xrstors: ts", "xrstors64 (%rbx)");
	RUN("xsave: off", "xsave64 0x21000");
	RUN("xsaves: off", "xsaves64 0x21000");
	RUN("xgetbv: off", "xgetbv");
	RUN("xsetbv: off", "xsetbv");
	ring3();
	start(7, 7, 0, 0);
	RUN("xsaves: at 3", "xsaves64 (%rbx)");
	ring3();
	start(7, 7, 0, 0);
	RUN("xrstors: at 3", "xrstors64 (%rbx)");
	ring3();
	start(7, 7, 0, 0);
	RUN("xsetbv: at 3", "xor %ecx, %ecx; xor %edx, %edx; mov $3, %eax; xsetbv");
	ring3();
	start(7, 7, 0, 0);
	RUN("xgetbv: at 3", "xor %ecx, %ecx; xgetbv");
}

static void
registers(void)
{
	static const uint64_t xcr0[] = { 0, 1, 2, 3, 4, 5, 6, 7, 9, 0x11, 0x1f, 0x21, 0x67, 0xe1, 0xe3, 0x101, 0x200, 0x201, 0x203, 0x205,
		0x207, 0x401, 0x803, 0x1003, 0x20003, 0x60003, 1ull << 32 | 1, 1ull << 62 | 3, 1ull << 63 | 3 };
	static const uint64_t xss[] = { 0, 1, 2, 7, 0x100, 0x200, 0x400, 0x800, 0x1000, 0x2000, 1ull << 32, 1ull << 63 };

	for (unsigned i = 0; i < COUNT(xcr0); i++) {
		start(0, 0, 0, 0);
		in.gpr[AX] = (uint32_t)xcr0[i], in.gpr[DX] = xcr0[i] >> 32, in.gpr[CX] = 0;
		print_field("xcr0", xcr0[i]);
		RUN("", "xsetbv; xgetbv; mov %rax, %rsi; mov $1, %eax; xsetbv");
	}
	start(0, 0, 0, 0);
	RUN("xsetbv 1", "mov $1, %ecx; mov $1, %eax; xor %edx, %edx; xsetbv");
	start(0, 0, 0, 0);
	RUN("xgetbv 2", "mov $2, %ecx; xgetbv");
	for (unsigned i = 0; i < COUNT(xss); i++) {
		in.gpr[AX] = (uint32_t)xss[i], in.gpr[DX] = xss[i] >> 32, in.gpr[CX] = 0xda0;
		print_field("xss", xss[i]);
		RUN("", "wrmsr; rdmsr");
	}
	for (unsigned i = 0; i < 16; i++) {
		start(i & 1 ? 0x207 : i & 2 ? 0x203 : 3, 0, i & 4 ? 4 : 0, i & 8 ? 1 : 0);
		RUN("xgetbv 1", STATE "mov $1, %ecx; xgetbv; xor %ecx, %ecx");
	}
	for (unsigned i = 0; i < 13; i++) {
		start(i == 12 ? 0x203 : 0x207, 0, 0, 0);
		in.gpr[SI] = i == 12 ? 1 : i;
		print_field("cpuid d", in.gpr[SI]);
		RUN("", STATE "mov $13, %eax; mov %esi, %ecx; cpuid");
	}
}

/* Code of 32 bits has eight registers: the others' places stay as they were. */
static void
narrow(void)
{
	for (unsigned k = 0; k < 2; k++) {
		start(7, 7, 0, 0x1234);
		compat0();
		fill((void *)AREA, 0xcc, 0xc00);
		in.watch[0] = (const uint64_t *)(AREA + YMM + 112), in.watch[1] = in.watch[0] + 2;
		in.watch[2] = (const uint64_t *)(AREA + 160 + 112), in.watch[3] = in.watch[2] + 2;
		if (k == 0)
			RUN32("compat: xsave", "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; xsave (%ebx)");
		else
			RUN32("compat: xsavec", "xor %ecx, %ecx; xor %edx, %edx; mov $7, %eax; xsetbv; vpcmpeqd %ymm7, %ymm7, %ymm7; "
				"xsavec (%ebx)");
	}
}

void
run_tests(void)
{
	registers();
	refusing();
	missing();
	narrow();
	restoring();
	saving();
}
