/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SMBIOS 2.8 (DMTF DSP0134): firmware, system, chassis, processor, memory.  The entry point's address and its checksums
 * are made good by firmware, which places the structures.
 */
#include "hw/hw.h"
#include "hw/tables.h"

#include "base/util.h"

#include <stdio.h>

enum {
	HANDLE_BIOS = 0x0000,
	HANDLE_SYSTEM = 0x0100,
	HANDLE_CHASSIS = 0x0300,
	HANDLE_PROCESSOR = 0x0400,
	HANDLE_ARRAY = 0x1000,
	HANDLE_MODULE = 0x1100,
	HANDLE_RANGE = 0x1300,
	HANDLE_BOOT = 0x2000,
	HANDLE_END = 0x7f00,
	NO_HANDLE = 0xfffe,
};

/* A structure under construction: its strings follow the formatted part. */
struct structure {
	struct bytes *out;
	size_t start;
	struct bytes strings;
	unsigned string_count;
};

struct listing {
	struct bytes *out;
	unsigned count;
	size_t largest;
};

static struct structure
begin(struct listing *l, unsigned type, unsigned handle)
{
	struct structure s = { .out = l->out, .start = l->out->len };

	bytes_le(s.out, type, 1);
	bytes_le(s.out, 0, 1);
	bytes_le(s.out, handle, 2);
	return s;
}

/* The number of a string, in a byte. */
static void
put_string(struct structure *s, const char *text)
{
	bytes_put(&s->strings, text, strlen(text) + 1);
	bytes_le(s->out, ++s->string_count, 1);
}

static void
end(struct listing *l, struct structure *s)
{
	bytes_set_le(s->out, s->start + 1, s->out->len - s->start, 1);
	bytes_put(s->out, s->strings.data, s->strings.len);
	bytes_zeros(s->out, s->string_count == 0 ? 2 : 1);
	bytes_free(&s->strings);
	l->count++;
	l->largest = MAX(l->largest, s->out->len - s->start);
}

/* Type 0. */
static void
add_bios(struct listing *l)
{
	struct structure s = begin(l, 0, HANDLE_BIOS);

	put_string(&s, "calque");
	put_string(&s, "1.0");
	bytes_le(s.out, 0xe800, 2);
	put_string(&s, "01/01/2024");
	bytes_le(s.out, 0, 1);
	bytes_le(s.out, 0x08, 8);     /* characteristics are not said */
	bytes_put(s.out, "\0\24", 2); /* a virtual machine; UEFI bit left to firmware */
	bytes_put(s.out, "\1\0\377\377", 4);
	end(l, &s);
}

/* Type 1. */
static void
add_system(struct listing *l, const struct pc_facts *facts)
{
	static const uint8_t no_uuid[16];
	struct structure s = begin(l, 1, HANDLE_SYSTEM);

	put_string(&s, "calque");
	put_string(&s, facts->name != NULL && facts->name[0] != '\0' ? facts->name : "Standard PC (i440FX + PIIX)");
	put_string(&s, "1.0");
	bytes_le(s.out, 0, 1);
	bytes_put(s.out, facts->uuid != NULL ? facts->uuid : no_uuid, 16);
	bytes_le(s.out, 6, 1);        /* woken by the power switch */
	bytes_le(s.out, 0, 2);
	end(l, &s);
}

/* Type 3. */
static void
add_chassis(struct listing *l)
{
	struct structure s = begin(l, 3, HANDLE_CHASSIS);

	put_string(&s, "calque");
	bytes_le(s.out, 1, 1);        /* "other" */
	put_string(&s, "1.0");
	bytes_le(s.out, 0, 2);
	bytes_put(s.out, "\3\3\3\2", 4); /* safe when booted, power and heat too; no security */
	bytes_le(s.out, 0, 4);
	bytes_le(s.out, 0, 4);        /* height, cords, contained elements */
	bytes_le(s.out, 0, 1);
	end(l, &s);
}

/* Type 4: one socket with all processors as its cores. */
static void
add_processor(struct listing *l, const struct pc_facts *facts)
{
	struct structure s = begin(l, 4, HANDLE_PROCESSOR);
	unsigned cores = MIN(facts->cpus, 255);

	put_string(&s, "CPU 0");
	bytes_put(s.out, "\3\1", 2);  /* a central processor of another family */
	put_string(&s, "calque");
	bytes_le(s.out, 0, 8);
	put_string(&s, "1.0");
	bytes_le(s.out, 0, 1);        /* voltage, clocks: unknown */
	bytes_le(s.out, 0, 2);
	bytes_le(s.out, 2000, 2);
	bytes_le(s.out, 2000, 2);
	bytes_put(s.out, "\101\1", 2); /* populated, enabled; no upgrade known */
	bytes_put(s.out, "\377\377\377\377\377\377", 6);
	bytes_le(s.out, 0, 3);        /* serial number, asset tag, part number */
	bytes_le(s.out, cores, 1);
	bytes_le(s.out, cores, 1);
	bytes_le(s.out, cores, 1);
	bytes_le(s.out, 0x02, 2);
	bytes_le(s.out, 1, 2);
	end(l, &s);
}

/* Type 16: where memory modules would be put. */
static void
add_array(struct listing *l, uint64_t ram)
{
	struct structure s = begin(l, 16, HANDLE_ARRAY);
	uint64_t kib = ram / KiB;

	bytes_put(s.out, "\1\3\6", 3); /* system memory, multi-bit ECC, as others say of theirs */
	bytes_le(s.out, MIN(kib, 0x80000000), 4);
	bytes_le(s.out, NO_HANDLE, 2);
	bytes_le(s.out, 1, 2);
	bytes_le(s.out, kib >= 0x80000000 ? ram : 0, 8);
	end(l, &s);
}

/* Type 17. */
static void
add_module(struct listing *l, uint64_t ram)
{
	struct structure s = begin(l, 17, HANDLE_MODULE);
	uint64_t mib = ram / MiB;

	bytes_le(s.out, HANDLE_ARRAY, 2);
	bytes_le(s.out, NO_HANDLE, 2);
	bytes_le(s.out, 0xffff, 2);
	bytes_le(s.out, 0xffff, 2);
	bytes_le(s.out, mib < 0x7fff ? mib : 0x7fff, 2);
	bytes_put(s.out, "\11\0", 2); /* a DIMM of no set */
	put_string(&s, "DIMM 0");
	bytes_le(s.out, 0, 1);
	bytes_le(s.out, 7, 1);        /* RAM */
	bytes_le(s.out, 2, 2);
	bytes_le(s.out, 0, 2);
	put_string(&s, "calque");
	bytes_le(s.out, 0, 4);        /* serial number, asset tag, part number, attributes */
	bytes_le(s.out, mib < 0x7fff ? 0 : mib, 4);
	bytes_le(s.out, 0, 8);        /* clock and voltages unknown */
	end(l, &s);
}

/* Type 19: a range of addresses that the array backs. */
static void
add_range(struct listing *l, unsigned n, uint64_t base, uint64_t size)
{
	struct structure s = begin(l, 19, HANDLE_RANGE + n);
	bool wide = (base + size - 1) / KiB >= UINT32_MAX;

	bytes_le(s.out, wide ? UINT32_MAX : base / KiB, 4);
	bytes_le(s.out, wide ? UINT32_MAX : (base + size - 1) / KiB, 4);
	bytes_le(s.out, HANDLE_ARRAY, 2);
	bytes_le(s.out, 1, 1);
	bytes_le(s.out, wide ? base : 0, 8);
	bytes_le(s.out, wide ? base + size - 1 : 0, 8);
	end(l, &s);
}

/* Types 32 (no boot error) and 127 (the last one). */
static void
add_ends(struct listing *l)
{
	struct structure boot = begin(l, 32, HANDLE_BOOT), last;

	bytes_zeros(boot.out, 7);
	end(l, &boot);
	last = begin(l, 127, HANDLE_END);
	end(l, &last);
}

/* The entry point of 31 bytes; its second half has a signature and a sum of its own. */
static void
put_anchor(struct bytes *anchor, const struct listing *l)
{
	bytes_put(anchor, "_SM_\0\37\2\10", 8);
	bytes_le(anchor, l->largest, 2);
	bytes_zeros(anchor, 6);
	bytes_put(anchor, "_DMI_\0", 6);
	bytes_le(anchor, l->out->len, 2);
	bytes_le(anchor, 0, 4);
	bytes_le(anchor, l->count, 2);
	bytes_le(anchor, 0x28, 1);
	bytes_set_le(anchor, 0x15, bytes_checksum(anchor->data + 0x10, 15), 1);
	bytes_set_le(anchor, 4, bytes_checksum(anchor->data, anchor->len), 1);
}

void
smbios_build(struct bytes *anchor, struct bytes *structures, const struct pc_facts *facts)
{
	struct listing l = { .out = structures };
	uint64_t ram = facts->ram_below_4g + facts->ram_above_4g;

	add_bios(&l);
	add_system(&l, facts);
	add_chassis(&l);
	add_processor(&l, facts);
	add_array(&l, ram);
	add_module(&l, ram);
	add_range(&l, 0, 0, facts->ram_below_4g);
	if (facts->ram_above_4g != 0)
		add_range(&l, 1, 4 * GiB, facts->ram_above_4g);
	add_ends(&l);
	put_anchor(anchor, &l);
}
