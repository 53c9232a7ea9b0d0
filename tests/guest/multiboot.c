/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A kernel by the Multiboot Specification 0.6.96: what the loader told it goes to COM1, a line each; then status 35 by
 * isa-debug-exit at port 501h.
 */
#include <stdint.h>

enum {
	HEADER_MAGIC = 0x1badb002,
	LOADER_MAGIC = 0x2badb002,
	ALIGN_MODULES = 1,
	WANT_MEMORY = 2,
	HAS_MEMORY = 1,
	HAS_CMDLINE = 4,
	HAS_MODULES = 8,
	HAS_MAP = 0x40,
	HAS_LOADER = 0x200,
	COM1 = 0x3f8,
};

struct module {
	uint32_t start, end, string, reserved;
};

struct info {
	uint32_t flags, lower_k, upper_k, boot_device, cmdline, modules_count, modules, symbols[4], map_length, map, drives_length,
		drives, config, loader;
};

struct map_entry {
	uint32_t size;
	uint64_t base, length;
	uint32_t type;
} __attribute__((packed));

__attribute__((section(".multiboot"), used)) static const uint32_t header[3] = {
	HEADER_MAGIC, ALIGN_MODULES | WANT_MEMORY, -(uint32_t)(HEADER_MAGIC + (ALIGN_MODULES | WANT_MEMORY)),
};

__attribute__((used)) static char stack[4096];
/* Zero by the file's own measure: nothing else clears it. */
static uint32_t cleared[4096];

__asm__(".globl _start\n_start:\n\tmovl $stack + 4096, %esp\n\tpushl %ebx\n\tpushl %eax\n\tcall start\n");

static void
out(uint16_t port, uint8_t byte)
{
	__asm__ volatile("outb %0, %1" : : "a"(byte), "Nd"(port));
}

static uint8_t
in(uint16_t port)
{
	uint8_t byte;

	__asm__ volatile("inb %1, %0" : "=a"(byte) : "Nd"(port));
	return byte;
}

static void
put(char c)
{
	while (!(in(COM1 + 5) & 0x20))
		;
	out(COM1, (uint8_t)c);
}

static void
text(const char *s)
{
	while (*s != '\0')
		put(*s++);
}

static void
line(const char *title, uint32_t string)
{
	text(title);
	text((const char *)string);
	put('\n');
}

static void
modules(const struct info *i)
{
	const struct module *m = (const struct module *)i->modules;

	for (uint32_t n = 0; n < i->modules_count; n++, m++) {
		line(m->start % 4096 == 0 ? "module: " : "module out of place: ", m->string);
		text("holds: ");
		for (uint32_t at = m->start; at < m->end; at++)
			put(*(const char *)at);
		put('\n');
	}
}

/* RAM from 1 MiB on, as the map and as the old field tell it. */
static void
memory(const struct info *i)
{
	for (uint32_t at = i->map; at < i->map + i->map_length;) {
		const struct map_entry *e = (const struct map_entry *)at;

		if (e->type == 1 && e->base == 0x100000 && e->length / 1024 <= i->upper_k + 1024 && i->upper_k > 1024 && i->lower_k >= 600)
			text("memory is told\n");
		at += e->size + 4;
	}
}

__attribute__((used, noreturn)) static void
start(uint32_t magic, const struct info *i)
{
	uint32_t sum = 0, all = HAS_MEMORY | HAS_CMDLINE | HAS_MODULES | HAS_MAP | HAS_LOADER;

	for (unsigned n = 0; n < 4096; n++)
		sum |= ((volatile uint32_t *)cleared)[n];
	if (magic == LOADER_MAGIC && (i->flags & all) == all && sum == 0) {
		line("loader: ", i->loader);
		line("command line: ", i->cmdline);
		modules(i);
		memory(i);
	}
	while (!(in(COM1 + 5) & 0x40))
		;
	out(0x501, 0x11);
	for (;;)
		__asm__ volatile("cli; hlt");
}
