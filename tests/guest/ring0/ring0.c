/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What prot.c and long.c share. */
#include "ring0.h"

const uint8_t *volatile snippet_first, *volatile snippet_last;

/* Compilers call these by themselves. */
void *
memset(void *to, int value, unsigned long n)
{
	fill(to, value, n);
	return to;
}

void *
memcpy(void *to, const void *from, unsigned long n)
{
	copy(to, from, n);
	return to;
}

void
wrmsr(uint32_t msr, uint64_t value)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)));
}

uint64_t
rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return low | (uint64_t)high << 32;
}

void
load_tables(unsigned long gdt_base, uint16_t gdt_limit, unsigned long idt_base, uint16_t idt_limit)
{
	struct __attribute__((packed)) { uint16_t limit; unsigned long base; } g = { gdt_limit, gdt_base }, i = { idt_limit, idt_base };

	__asm__ volatile("lgdt %0\n\tlidt %1" : : "m"(g), "m"(i));
}

void
fill_code(unsigned long code)
{
	for (unsigned long i = 0; i < CODE_BYTES; i += 2)
		*(volatile uint16_t *)(code + i) = 0x0b0f; /* UD2 */
}

bool
has_error(unsigned vector)
{
	return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21;
}

void
print_code(unsigned long code, unsigned long at)
{
	if (at - code < CODE_BYTES) {
		print_char('+');
		print_hex(at - code, 4);
	} else {
		print_hex(at, 2 * sizeof(at));
	}
}

void
print_data(unsigned long data)
{
	for (unsigned i = 0; i < 256 / sizeof(long); i++) {
		unsigned long value = ((const volatile unsigned long *)data)[i];

		if (value) {
			print(" [");
			print_hex(i * sizeof(long), 2);
			print("]=");
			print_hex(value, 2 * sizeof(long));
		}
	}
}

void
kernel(void)
{
	prepare();
	/* No interrupts but those asked for. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	reset();
	print("BEGIN\n");
	run_tests();
	print("END\n");
	outb(PORT_EXIT, 0x11);
	for (;;)
		__asm__ volatile("hlt");
}
