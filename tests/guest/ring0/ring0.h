/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guests of this folder share.  Each is a multiboot kernel without a library that runs snippets of
 * code in a chosen state and prints a line for each: the exception that ended it, its frame, and what it
 * changed.  A snippet ends with UD2.
 */
#ifndef RING0_H
#define RING0_H

#include <stdint.h>
#include <stdbool.h>

enum { PORT_DEBUG = 0xe9, PORT_EXIT = 0x501 };

#define COUNT(array) (sizeof(array) / sizeof(array[0]))

static inline void
outb(uint16_t port, uint8_t value)
{
	__asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void
print_char(char c)
{
	outb(PORT_DEBUG, c);
}

static inline void
print(const char *s)
{
	while (*s)
		print_char(*s++);
}

static inline void
print_hex(uint64_t value, unsigned digits)
{
	while (digits--)
		print_char("0123456789abcdef"[value >> 4 * digits & 15]);
}

/* " name=value" without leading zeros. */
static inline void
print_field(const char *name, uint64_t value)
{
	unsigned digits = 1;

	while (digits < 16 && value >> 4 * digits)
		digits++;
	print_char(' ');
	print(name);
	print_char('=');
	print_hex(value, digits);
}

static inline void
copy(void *to, const void *from, unsigned long n)
{
	__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n) : : "memory");
}

static inline void
fill(void *to, uint8_t value, unsigned long n)
{
	__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(value) : "memory");
}

/* The rights of descriptors, bits 40 to 55. */
enum {
	D_P = 0x80, D_S = 0x10, D_DB = 0x4000, D_L = 0x2000, D_G = 0x8000, D_DPL3 = 0x60,
	D_DATA = D_P | D_S | 2, D_CODE = D_P | D_S | 10, D_CODE32 = D_CODE | D_DB, D_DATA32 = D_DATA | D_DB,
	D_FLATCODE = D_CODE32 | D_G, D_FLATDATA = D_DATA32 | D_G, D_TSS = D_P | 9, D_LDT = D_P | 2,
};

static inline uint64_t
descriptor(uint32_t base, uint32_t limit, unsigned flags)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(flags & 0xf0ff) << 40 |
		(uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

/* A gate of TYPE (with P and DPL) to SELECTOR:OFFSET. */
static inline uint64_t
gate(uint16_t selector, uint32_t offset, unsigned type, unsigned count)
{
	return (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)count << 32 | (uint64_t)type << 40 |
		(uint64_t)(offset >> 16) << 48;
}

/* ---- ring0.c ---- */

enum { CODE_BYTES = 0x10000 };

void *memset(void *to, int value, unsigned long n);
void *memcpy(void *to, const void *from, unsigned long n);
void wrmsr(uint32_t msr, uint64_t value);
uint64_t rdmsr(uint32_t msr);
void load_tables(unsigned long gdt_base, uint16_t gdt_limit, unsigned long idt_base, uint16_t idt_limit);
/* UD2 everywhere: where a snippet is, and where else it might get to. */
void fill_code(unsigned long code);
bool has_error(unsigned vector);
/* An address, from CODE if it is near that. */
void print_code(unsigned long code, unsigned long at);
/* What isn't 0 of the first 256 bytes at DATA. */
void print_data(unsigned long data);
/* The entry code calls this. */
void kernel(void);

/* ---- prot.c, long.c ---- */

/* Once, before anything else. */
void prepare(void);
void reset(void);
void run_snippet(const char *name, const uint8_t *code, unsigned long size);

/* Of each guest. */
void run_tests(void);

/* The bytes of the snippet to run: written by RUN's basic asm. */
extern const uint8_t *volatile snippet_first, *volatile snippet_last;

/* RUN(name, code): the snippet's bytes, in the assembler's MODE, go to run_snippet(). */
#define RUN_MODE(name, mode, code) do { \
	__asm__ volatile(".pushsection .snippets, \"a\"\n\t" mode "\n7701:\n\t" code \
		"\n\tud2\n7702:\n\t" HOME_MODE "\n\t.popsection\n\t" \
		HOME_STORE " $7701b, snippet_first\n\t" HOME_STORE " $7702b, snippet_last"); \
	run_snippet(name, snippet_first, (unsigned long)(snippet_last - snippet_first)); \
} while (0)

#endif
