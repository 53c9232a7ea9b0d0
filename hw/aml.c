/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builders of byte runs, of AML and of resource descriptors: ACPI specification 2.0, "ACPI Machine Language (AML)
 * Specification" and "Resource Data Types for ACPI".
 */
#include "hw/tables.h"

#include "base/util.h"

#include <stdlib.h>

enum {
	OP_NAME = 0x08,
	OP_BYTE = 0x0a,
	OP_WORD = 0x0b,
	OP_DWORD = 0x0c,
	OP_QWORD = 0x0e,
	OP_SCOPE = 0x10,
	OP_BUFFER = 0x11,
	OP_PACKAGE = 0x12,
	OP_METHOD = 0x14,
	OP_DUAL_NAME = 0x2e,
	OP_MULTI_NAME = 0x2f,
	OP_EXTENDED = 0x5b,
	OP_IF = 0xa0,
	EXT_REGION = 0x80,
	EXT_FIELD = 0x81,
	EXT_DEVICE = 0x82,
	EXT_PROCESSOR = 0x83,
};

/* ---- bytes ---- */

void
bytes_free(struct bytes *b)
{
	free(b->data);
	memset(b, 0, sizeof(*b));
}

void
bytes_zeros(struct bytes *b, size_t len)
{
	if (b->len + len > b->capacity) {
		b->capacity = align_up(2 * (b->len + len), 256);
		b->data = xrealloc(b->data, b->capacity);
	}
	if (len != 0)
		memset(b->data + b->len, 0, len);
	b->len += len;
}

void
bytes_put(struct bytes *b, const void *data, size_t len)
{
	bytes_zeros(b, len);
	if (len != 0)
		memcpy(b->data + b->len - len, data, len);
}

void
bytes_align(struct bytes *b, size_t power_of_two)
{
	bytes_zeros(b, align_up(b->len, power_of_two) - b->len);
}

void
bytes_le(struct bytes *b, uint64_t v, unsigned size)
{
	bytes_zeros(b, size);
	store_le(b->data + b->len - size, v, size);
}

void
bytes_set_le(struct bytes *b, size_t offset, uint64_t v, unsigned size)
{
	store_le(b->data + offset, v, size);
}

uint8_t
bytes_checksum(const uint8_t *data, size_t len)
{
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += data[i];
	return -sum;
}

/* ---- AML ---- */

static void
byte(struct aml *a, uint8_t v)
{
	bytes_le(&a->out, v, 1);
}

/* A package length counts its own bytes: how many there must be for CONTENT. */
static unsigned
length_bytes(size_t content)
{
	return content + 1 < 0x40 ? 1 : content + 2 < 0x1000 ? 2 : content + 3 < 0x100000 ? 3 : 4;
}

static void
encode_length(uint8_t *to, size_t total, unsigned count)
{
	if (count == 1) {
		to[0] = total;
		return;
	}
	to[0] = (count - 1) << 6 | (total & 0x0f);
	for (unsigned i = 1; i < count; i++)
		to[i] = total >> (4 + 8 * (i - 1));
}

static void
begin(struct aml *a)
{
	a->open[a->depth++] = a->out.len;
}

void
aml_end(struct aml *a)
{
	size_t start = a->open[--a->depth];
	size_t content = a->out.len - start;
	unsigned count = length_bytes(content);

	bytes_zeros(&a->out, count);
	memmove(a->out.data + start + count, a->out.data + start, content);
	encode_length(a->out.data + start, content + count, count);
}

static size_t
segment_len(const char *path)
{
	return strcspn(path, ".");
}

void
aml_path(struct aml *a, const char *path)
{
	unsigned count = 1;

	for (; *path == '\\' || *path == '^'; path++)
		byte(a, *path);
	for (const char *p = path; *p != '\0'; p++)
		count += *p == '.';
	if (*path == '\0') {
		byte(a, 0);
		return;
	}
	if (count == 2) {
		byte(a, OP_DUAL_NAME);
	} else if (count > 2) {
		byte(a, OP_MULTI_NAME);
		byte(a, count);
	}
	for (unsigned i = 0; i < count; i++) {
		size_t len = segment_len(path);

		bytes_put(&a->out, path, MIN(len, 4));
		bytes_put(&a->out, "____", 4 - MIN(len, 4));
		path += len + (path[len] == '.');
	}
}

void
aml_scope(struct aml *a, const char *path)
{
	byte(a, OP_SCOPE);
	begin(a);
	aml_path(a, path);
}

void
aml_device(struct aml *a, const char *name)
{
	byte(a, OP_EXTENDED);
	byte(a, EXT_DEVICE);
	begin(a);
	aml_path(a, name);
}

void
aml_method(struct aml *a, const char *name, unsigned args, int serialized)
{
	byte(a, OP_METHOD);
	begin(a);
	aml_path(a, name);
	byte(a, args | (serialized ? 8 : 0));
}

void
aml_package(struct aml *a, unsigned count)
{
	byte(a, OP_PACKAGE);
	begin(a);
	byte(a, count);
}

void
aml_if(struct aml *a)
{
	byte(a, OP_IF);
	begin(a);
}

void
aml_processor(struct aml *a, const char *name, unsigned id)
{
	byte(a, OP_EXTENDED);
	byte(a, EXT_PROCESSOR);
	begin(a);
	aml_path(a, name);
	byte(a, id);
	bytes_le(&a->out, 0, 4); /* no P_BLK */
	byte(a, 0);
}

void
aml_field(struct aml *a, const char *region, unsigned flags)
{
	byte(a, OP_EXTENDED);
	byte(a, EXT_FIELD);
	begin(a);
	aml_path(a, region);
	byte(a, flags);
}

void
aml_field_bits(struct aml *a, const char *name, unsigned count)
{
	unsigned len = count < 0x40 ? 1 : 2; /* here the length does not count itself */
	uint8_t encoded[2];

	aml_path(a, name);
	encode_length(encoded, count, len);
	bytes_put(&a->out, encoded, len);
}

void
aml_op(struct aml *a, enum aml_op op)
{
	byte(a, op);
}

void
aml_int(struct aml *a, uint64_t v)
{
	if (v <= 1) {
		byte(a, v);
		return;
	}
	byte(a, v <= 0xff ? OP_BYTE : v <= 0xffff ? OP_WORD : v <= UINT32_MAX ? OP_DWORD : OP_QWORD);
	bytes_le(&a->out, v, v <= 0xff ? 1 : v <= 0xffff ? 2 : v <= UINT32_MAX ? 4 : 8);
}

void
aml_buffer(struct aml *a, const struct bytes *content)
{
	byte(a, OP_BUFFER);
	begin(a);
	aml_int(a, content->len);
	bytes_put(&a->out, content->data, content->len);
	aml_end(a);
}

void
aml_name(struct aml *a, const char *name)
{
	byte(a, OP_NAME);
	aml_path(a, name);
}

void
aml_name_int(struct aml *a, const char *name, uint64_t v)
{
	aml_name(a, name);
	aml_int(a, v);
}

/* Three letters of five bits each, then four hexadecimal digits; stored with the most significant byte first. */
void
aml_name_eisa(struct aml *a, const char *name, const char *id)
{
	uint32_t v = (id[0] & 0x1f) << 26 | (id[1] & 0x1f) << 21 | (id[2] & 0x1f) << 16 | strtoul(id + 3, NULL, 16);

	aml_name_int(a, name, __builtin_bswap32(v));
}

void
aml_region(struct aml *a, const char *name, enum aml_space space, unsigned offset, unsigned len)
{
	byte(a, OP_EXTENDED);
	byte(a, EXT_REGION);
	aml_path(a, name);
	byte(a, space);
	aml_int(a, offset);
	aml_int(a, len);
}

/* ---- resource descriptors ---- */

void
res_io(struct bytes *b, unsigned port, unsigned len)
{
	bytes_put(b, "\x47\x01", 2); /* decodes 16 bits */
	bytes_le(b, port, 2);
	bytes_le(b, port, 2);
	bytes_le(b, 1, 1);
	bytes_le(b, len, 1);
}

void
res_irq(struct bytes *b, unsigned irq)
{
	bytes_le(b, 0x22, 1);
	bytes_le(b, 1u << irq, 2);
}

/* An 8-bit transfer, compatible timing, not a bus master. */
void
res_dma(struct bytes *b, unsigned channel)
{
	bytes_le(b, 0x2a, 1);
	bytes_le(b, 1u << channel, 1);
	bytes_le(b, 0, 1);
}

void
res_memory(struct bytes *b, uint32_t base, uint32_t len)
{
	bytes_le(b, 0x86, 1);
	bytes_le(b, 9, 2);
	bytes_le(b, 0, 1); /* not writable */
	bytes_le(b, base, 4);
	bytes_le(b, len, 4);
}

/* Level, active high, shared. */
void
res_shared_irqs(struct bytes *b, const uint8_t *irqs, unsigned count)
{
	bytes_le(b, 0x89, 1);
	bytes_le(b, 2 + 4 * count, 2);
	bytes_le(b, 0x09, 1);
	bytes_le(b, count, 1);
	for (unsigned i = 0; i < count; i++)
		bytes_le(b, irqs[i], 4);
}

/* An address window with both ends fixed; SIZE of each number: 2, 4 or 8. */
static void
res_window(struct bytes *b, unsigned type, unsigned type_flags, uint64_t first, uint64_t last, unsigned size)
{
	bytes_le(b, size == 2 ? 0x88 : size == 4 ? 0x87 : 0x8a, 1);
	bytes_le(b, 3 + 5 * size, 2);
	bytes_le(b, type, 1);
	bytes_le(b, 0x0c, 1);
	bytes_le(b, type_flags, 1);
	bytes_le(b, 0, size); /* granularity */
	bytes_le(b, first, size);
	bytes_le(b, last, size);
	bytes_le(b, 0, size); /* translation */
	bytes_le(b, last - first + 1, size);
}

void
res_bus_window(struct bytes *b, unsigned first, unsigned last)
{
	res_window(b, 2, 0, first, last, 2);
}

void
res_io_window(struct bytes *b, unsigned first, unsigned last)
{
	res_window(b, 1, 3, first, last, 2);
}

void
res_memory_window(struct bytes *b, uint64_t first, uint64_t last, int cacheable)
{
	res_window(b, 0, cacheable ? 3 : 1, first, last, last > UINT32_MAX ? 8 : 4);
}

void
res_end(struct bytes *b)
{
	bytes_put(b, "\x79", 2); /* with a checksum of 0: not computed */
}
