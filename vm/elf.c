/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What loaders need of ELF: segments by physical address, and notes.  Every field of the file is taken as hostile. */
#include "vm/boot.h"

#include "base/err.h"
#include "base/util.h"

#include <stdlib.h>

enum {
	CLASS_32 = 1,
	CLASS_64 = 2,
	DATA_LITTLE = 1,
	MACHINE_386 = 3,
	MACHINE_X86_64 = 62,
	PT_LOAD = 1,
	PT_NOTE = 4,
	HEADERS_MOST = 64,
};

struct segment {
	uint64_t type, offset, vaddr, paddr, file_size, memory_size;
};

struct elf {
	const struct blob *file;
	bool wide; /* 64 bits */
	uint64_t entry, headers;
	unsigned header_size, header_count;
};

/* A field of the ELF header or of a program header, at its offset in the 32-bit or the 64-bit layout. */
static uint64_t
field(const struct elf *f, uint64_t at, unsigned offset_32, unsigned offset_64)
{
	return f->wide ? load_le(f->file->data + at + offset_64, 8) : load_le(f->file->data + at + offset_32, 4);
}

static bool
open_elf(struct elf *f, const struct blob *file)
{
	const uint8_t *p = file->data;

	*f = (struct elf){ .file = file };
	if (!blob_has(file, 0, 64) || memcmp(p, "\177ELF", 4) != 0 || p[5] != DATA_LITTLE)
		return false;
	f->wide = p[4] == CLASS_64;
	unsigned machine = (unsigned)load_le(p + 18, 2);
	if ((p[4] != CLASS_32 && !f->wide) || (machine != MACHINE_386 && machine != MACHINE_X86_64))
		return false;
	f->entry = field(f, 0, 24, 24);
	f->headers = field(f, 0, 28, 32);
	f->header_size = (unsigned)load_le(p + (f->wide ? 54 : 42), 2);
	f->header_count = (unsigned)load_le(p + (f->wide ? 56 : 44), 2);
	return f->header_size >= (f->wide ? 56u : 32u) && f->header_count <= HEADERS_MOST &&
		blob_has(file, f->headers, (uint64_t)f->header_size * f->header_count);
}

static struct segment
segment_at(const struct elf *f, unsigned n)
{
	uint64_t at = f->headers + (uint64_t)n * f->header_size;

	return (struct segment){
		.type = load_le(f->file->data + at, 4),
		.offset = field(f, at, 4, 8),
		.vaddr = field(f, at, 8, 16),
		.paddr = field(f, at, 12, 24),
		.file_size = field(f, at, 16, 32),
		.memory_size = field(f, at, 20, 40),
	};
}

/* The lowest and the highest physical address of what is to be loaded. */
static bool
find_extent(const struct elf *f, uint64_t memory_end, uint64_t *first, uint64_t *end, struct err *e)
{
	*first = UINT64_MAX;
	*end = 0;
	for (unsigned i = 0; i < f->header_count; i++) {
		struct segment s = segment_at(f, i);

		if (s.type != PT_LOAD || s.memory_size == 0)
			continue;
		if (s.file_size > s.memory_size || !blob_has(f->file, s.offset, s.file_size))
			return err_set(e, "the ELF file is cut off or damaged: segment %u", i);
		if (s.paddr > memory_end || s.memory_size > memory_end - s.paddr)
			return err_set(e, "segment %u of the ELF file, at %#llx, does not fit into the guest's memory; give more with -m",
				i, (unsigned long long)s.paddr);
		*first = MIN(*first, s.paddr);
		*end = MAX(*end, s.paddr + s.memory_size);
	}
	return *end > *first || err_set(e, "the ELF file has nothing to load");
}

bool
elf_flatten(const struct blob *file, uint64_t memory_end, struct boot_piece *out, uint64_t *entry, struct err *e)
{
	struct elf f;
	uint64_t first, end;

	if (!open_elf(&f, file))
		return err_set(e, "this is no ELF file for x86, or a damaged one");
	if (!find_extent(&f, memory_end, &first, &end, e))
		return false;
	*entry = f.entry;
	out->addr = first;
	out->blob.size = end - first;
	out->blob.data = xcalloc(1, end - first);
	for (unsigned i = 0; i < f.header_count; i++) {
		struct segment s = segment_at(&f, i);

		if (s.type != PT_LOAD || s.memory_size == 0)
			continue;
		memcpy(out->blob.data + (s.paddr - first), file->data + s.offset, s.file_size);
		/* An entry in the kernel's virtual addresses means the same place. */
		if (f.entry >= s.vaddr && f.entry - s.vaddr < s.memory_size && s.vaddr != s.paddr &&
		    (f.entry < first || f.entry >= end))
			*entry = f.entry - s.vaddr + s.paddr;
	}
	return true;
}

/* A note's header, name and contents are each padded to 4 bytes. */
static bool
search_notes(const struct elf *f, const struct segment *s, const char *name, uint32_t type, uint64_t *value)
{
	const uint8_t *notes = f->file->data + s->offset;
	uint64_t at = 0;

	while (s->file_size - at >= 12) {
		uint64_t name_size = load_le(notes + at, 4);
		uint64_t size = load_le(notes + at + 4, 4);
		uint64_t contents = at + 12 + align_up(name_size, 4);
		uint64_t next = contents + align_up(size, 4);

		if (contents > s->file_size || size > s->file_size - contents)
			return false;
		if (load_le(notes + at + 8, 4) == type && name_size == strlen(name) + 1 &&
		    memcmp(notes + at + 12, name, name_size) == 0 && (size == 4 || size == 8)) {
			*value = load_le(notes + contents, (unsigned)size);
			return true;
		}
		if (next > s->file_size)
			return false;
		at = next;
	}
	return false;
}

bool
elf_find_note(const struct blob *file, const char *name, uint32_t type, uint64_t *value)
{
	struct elf f;

	if (!open_elf(&f, file))
		return false;
	for (unsigned i = 0; i < f.header_count; i++) {
		struct segment s = segment_at(&f, i);

		if (s.type == PT_NOTE && blob_has(file, s.offset, s.file_size) && search_notes(&f, &s, name, type, value))
			return true;
	}
	return false;
}
