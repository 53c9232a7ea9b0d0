/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The monitor's commands that look at memory, ports and values. */
#include "vm/monitor_cmd.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

void cmd_x(struct mon *m, const struct mon_args *a);
void cmd_xp(struct mon *m, const struct mon_args *a);
void cmd_print(struct mon *m, const struct mon_args *a);
void cmd_i(struct mon *m, const struct mon_args *a);
void cmd_o(struct mon *m, const struct mon_args *a);
void cmd_sum(struct mon *m, const struct mon_args *a);
void cmd_gva2gpa(struct mon *m, const struct mon_args *a);
void cmd_memsave(struct mon *m, const struct mon_args *a);
void cmd_pmemsave(struct mon *m, const struct mon_args *a);

static bool
read_memory(struct mon *m, bool physical, uint64_t addr, void *to, size_t len)
{
	const struct machine_view *v = m->view;

	if (physical)
		return v->read_physical != NULL && v->read_physical(v->opaque, addr, to, len);
	return v->read_virtual != NULL && v->read_virtual(v->opaque, *m->cpu, addr, to, len);
}

static int64_t
sign_extend(uint64_t v, unsigned size)
{
	return (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

static void
print_char(struct mon *m, uint8_t c)
{
	if (c == '\'' || c == '\\')
		mon_printf(m, "'\\%c'", c);
	else if (c >= 32 && c < 127)
		mon_printf(m, "'%c'", c);
	else if (c == '\n' || c == '\r')
		mon_printf(m, "'\\%c'", c == '\n' ? 'n' : 'r');
	else
		mon_printf(m, "'\\x%02x'", c);
}

/* One value of a dump: all of one kind and size are equally wide. */
static void
print_value(struct mon *m, uint64_t v, char kind, unsigned size)
{
	static const uint8_t octal[9] = { 0, 3, 6, 0, 11, 0, 0, 0, 22 }, decimal[9] = { 0, 3, 5, 0, 10, 0, 0, 0, 20 };

	switch (kind) {
	case 'd':
		mon_printf(m, "%*" PRId64, decimal[size] + 1, sign_extend(v, size));
		break;
	case 'u':
		mon_printf(m, "%*" PRIu64, decimal[size], v);
		break;
	case 'o':
		mon_printf(m, "0%0*" PRIo64, octal[size], v);
		break;
	case 'c':
		print_char(m, v);
		break;
	default:
		mon_printf(m, "0x%0*" PRIx64, 2 * size, v);
		break;
	}
}

static void
dump_instructions(struct mon *m, bool physical, uint64_t addr, unsigned count)
{
	const struct machine_view *v = m->view;

	if (v->disassemble == NULL) {
		mon_unsupported(m, "disassembly");
		return;
	}
	for (; count-- > 0;) {
		uint8_t code[15];
		char text[128];
		size_t len = sizeof(code);
		unsigned n;

		while (len != 0 && !read_memory(m, physical, addr, code, len))
			len--;
		if (len == 0) {
			mon_printf(m, "Cannot access memory\n");
			return;
		}
		n = v->disassemble(v->opaque, *m->cpu, addr, code, len, text, sizeof(text));
		if (n == 0)
			snprintf(text, sizeof(text), ".byte 0x%02x", code[0]);
		mon_printf(m, "0x%016" PRIx64 ":  %s\n", addr, text);
		addr += n != 0 ? n : 1;
	}
}

static void
dump(struct mon *m, const struct mon_format *f, uint64_t addr, bool physical)
{
	char kind = f->kind != 0 ? f->kind : 'x';
	unsigned size = f->size != 0 ? f->size : kind == 'c' ? 1 : 4, per_line = size == 1 ? 8 : 16 / size;

	if (kind == 'i') {
		dump_instructions(m, physical, addr, f->count);
		return;
	}
	for (unsigned done = 0; done < f->count; done += per_line) {
		unsigned n = MIN(per_line, f->count - done);
		uint8_t data[16];

		mon_printf(m, "%016" PRIx64 ":", addr);
		if (!read_memory(m, physical, addr, data, (size_t)n * size)) {
			mon_printf(m, " Cannot access memory\n");
			return;
		}
		for (unsigned i = 0; i < n; i++) {
			mon_printf(m, " ");
			print_value(m, load_le(data + i * size, size), kind, size);
		}
		mon_printf(m, "\n");
		addr += (uint64_t)n * size;
	}
}

void
cmd_x(struct mon *m, const struct mon_args *a)
{
	dump(m, &a->format, a->v[0].number, false);
}

void
cmd_xp(struct mon *m, const struct mon_args *a)
{
	dump(m, &a->format, a->v[0].number, true);
}

void
cmd_print(struct mon *m, const struct mon_args *a)
{
	uint64_t v = a->v[0].number;

	switch (a->format.kind) {
	case 'd':
		mon_printf(m, "%" PRId64 "\n", (int64_t)v);
		break;
	case 'u':
		mon_printf(m, "%" PRIu64 "\n", v);
		break;
	case 'o':
		mon_printf(m, "%#" PRIo64 "\n", v);
		break;
	case 'c':
		print_char(m, v);
		mon_printf(m, "\n");
		break;
	default:
		mon_printf(m, "%#" PRIx64 "\n", v);
		break;
	}
}

/* ---- ports ---- */

static unsigned
port_size(const struct mon_format *f)
{
	return f->size == 0 ? 1 : MIN(f->size, 4);
}

void
cmd_i(struct mon *m, const struct mon_args *a)
{
	unsigned size = port_size(&a->format), port = a->v[0].number & 0xffff;

	if (m->view->io == NULL) {
		mon_unsupported(m, "i");
		return;
	}
	mon_printf(m, "port%c[0x%04x] = 0x%0*" PRIx64 "\n", size == 1 ? 'b' : size == 2 ? 'w' : 'l', port, 2 * size,
		space_read(m->view->io, port, size, false));
}

void
cmd_o(struct mon *m, const struct mon_args *a)
{
	if (m->view->io != NULL)
		space_write(m->view->io, a->v[0].number & 0xffff, a->v[1].number, port_size(&a->format), false);
	else
		mon_unsupported(m, "o");
}

/* ---- stretches of memory ---- */

enum { CHUNK = 4096 };

/* The next piece of LEN bytes at ADDR: never across a page, so that what can be read is read. */
static size_t
piece(uint64_t addr, uint64_t len)
{
	return MIN(CHUNK - addr % CHUNK, len);
}

void
cmd_sum(struct mon *m, const struct mon_args *a)
{
	uint64_t addr = a->v[0].number, left = a->v[1].number;
	uint16_t sum = 0;
	uint8_t data[CHUNK];

	if (left > 4ull * GiB) {
		mon_printf(m, "Error: the size is more than 4 GiB\n");
		return;
	}
	while (left != 0) {
		size_t n = piece(addr, left);

		if (!read_memory(m, true, addr, data, n)) {
			mon_printf(m, "Cannot access memory\n");
			return;
		}
		for (size_t i = 0; i < n; i++)
			sum = (uint16_t)(sum >> 1 | sum << 15) + data[i];
		addr += n;
		left -= n;
	}
	mon_printf(m, "%05d\n", sum);
}

void
cmd_gva2gpa(struct mon *m, const struct mon_args *a)
{
	const struct machine_view *v = m->view;
	uint64_t gpa_found;

	if (v->translate == NULL)
		mon_unsupported(m, "gva2gpa");
	else if (v->translate(v->opaque, *m->cpu, a->v[0].number, &gpa_found))
		mon_printf(m, "gpa: %#" PRIx64 "\n", gpa_found);
	else
		mon_printf(m, "Unmapped\n");
}

static void
save(struct mon *m, const struct mon_args *a, bool physical)
{
	uint64_t addr = a->v[0].number, left = a->v[1].number;
	const char *path = a->v[2].text;
	FILE *f = fopen(path, "wb");
	uint8_t data[CHUNK];
	bool ok = true;

	if (f == NULL) {
		mon_printf(m, "Error: %s: can't be written: %s\n", path, strerror(errno));
		return;
	}
	while (left != 0 && ok) {
		size_t n = piece(addr, left);

		ok = read_memory(m, physical, addr, data, n);
		if (!ok) {
			mon_printf(m, "Error: there is no memory at 0x%" PRIx64 "\n", addr);
		} else if (fwrite(data, 1, n, f) != n) {
			mon_printf(m, "Error: %s: writing failed: %s\n", path, strerror(errno));
			ok = false;
		}
		addr += n;
		left -= n;
	}
	if (fclose(f) != 0 && ok)
		mon_printf(m, "Error: %s: writing failed: %s\n", path, strerror(errno));
}

void
cmd_memsave(struct mon *m, const struct mon_args *a)
{
	save(m, a, false);
}

void
cmd_pmemsave(struct mon *m, const struct mon_args *a)
{
	save(m, a, true);
}
