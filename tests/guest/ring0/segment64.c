/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads of segment registers from each type of descriptor, in 64-bit and in compatibility mode. */
#include "long.h"

static const struct { const char *name; uint16_t selector; unsigned flags; uint64_t high; } kinds[] = {
	{ "null", 0, 0, 0 }, { "null 1", 1, 0, 0 }, { "null 3", 3, 0, 0 }, { "data ro", SEL_A, D_P | D_S | D_DB | D_G, 0 },
	{ "data rw", SEL_A, D_FLATDATA, 0 }, { "data down", SEL_A, D_FLATDATA | 4, 0 }, { "code x", SEL_A, D_FLATCODE & ~2, 0 },
	{ "code xr", SEL_A, D_FLATCODE, 0 }, { "code 64", SEL_A, D_CODE64, 0 }, { "code L and D", SEL_A, D_CODE64 | D_DB, 0 },
	{ "code conforming", SEL_A, D_CODE64 | 4, 0 }, { "code conforming x", SEL_A, (D_CODE64 | 4) & ~2, 0 },
	{ "data absent", SEL_A, D_FLATDATA & ~D_P, 0 }, { "data rpl 3", SEL_A | 3, D_FLATDATA, 0 },
	{ "data 3 rpl 0", SEL_A, D_FLATDATA | D_DPL3, 0 }, { "data 3 rpl 3", SEL_A | 3, D_FLATDATA | D_DPL3, 0 },
	{ "data 1 rpl 1", SEL_A | 1, D_FLATDATA | 0x20, 0 },
	{ "type 0", SEL_A, D_P, 0 }, { "tss16", SEL_A, D_P | 1, 0 }, { "ldt", SEL_A, D_P | 2, 0 }, { "tss16 busy", SEL_A, D_P | 3, 0 },
	{ "call16", SEL_A, D_P | 4, 0 }, { "task gate", SEL_A, D_P | 5, 0 }, { "int16", SEL_A, D_P | 6, 0 },
	{ "trap16", SEL_A, D_P | 7, 0 }, { "type 8", SEL_A, D_P | 8, 0 }, { "tss", SEL_A, D_P | 9, 0 }, { "type 10", SEL_A, D_P | 10, 0 },
	{ "tss busy", SEL_A, D_P | 11, 0 }, { "call", SEL_A, D_P | 12, 0 }, { "type 13", SEL_A, D_P | 13, 0 },
	{ "int", SEL_A, D_P | 14, 0 }, { "trap", SEL_A, D_P | 15, 0 }, { "call 3", SEL_A | 3, D_P | D_DPL3 | 12, 0 },
	{ "tss absent", SEL_A, 9, 0 }, { "ldt absent", SEL_A, 2, 0 }, { "tss, type above", SEL_A, D_P | 9, 1ull << 40 },
	{ "ldt, type above", SEL_A, D_P | 2, 1ull << 44 }, { "ldt, zero type above", SEL_A, D_P | 2, 0xffffe0ff00000000 },
	{ "tss, base not canonical", SEL_A, D_P | 9, 0x8000 }, { "ldt, base high", SEL_A, D_P | 2, 0xffff8000 },
	{ "past gdt", 0xfff8, 0, 0 }, { "half past gdt", 0xf8, D_P | 2, 0 }, { "ldt without", 0x0c, 0, 0 },
};

static void
begin(unsigned k, unsigned how)
{
	if (how == 1)
		ring3();
	else if (how == 2)
		compat0();
	else if (how == 3)
		compat3();
	gdt[kinds[k].selector == 0xf8 ? 31 : SEL_A / 8] = descriptor(DATA, 0x12345, kinds[k].flags);
	if (kinds[k].selector != 0xf8)
		gdt[SEL_A / 8 + 1] = kinds[k].high;
	in.gpr[AX] = kinds[k].selector;
	print(how == 0 ? "0 " : how == 1 ? "3 " : how == 2 ? "compat 0 " : "compat 3 ");
	print(kinds[k].name);
}

#define BOTH(name, code) do { \
	begin(k, how); \
	if (how < 2) \
		RUN(name, code); \
	else \
		RUN32(name, code); \
} while (0)

void
run_tests(void)
{
	for (unsigned how = 0; how < 4; how++)
		for (unsigned k = 0; k < COUNT(kinds); k++) {
			BOTH(" mov ds", "mov %ax, %ds");
			BOTH(" mov ss", "mov %ax, %ss; mov %ss, %bx; nop");
			BOTH(" mov gs", "mov %ax, %gs");
			BOTH(" lar", "mov $-1, %ebx; lar %ax, %ebx; lahf; mov $-1, %esi; lsl %ax, %esi; sahf");
			BOTH(" verr, verw", "mov $1, %ebx; mov $1, %ecx; verr %ax; jz 1f; dec %ebx; 1: verw %ax; jz 1f; dec %ecx; 1: test %eax, %eax");
			BOTH(" lldt", "lldt %ax; sldt %ebx");
			BOTH(" ltr", "ltr %ax; str %ebx");
		}
}
