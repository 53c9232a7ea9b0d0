/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the makers of firmware tables share: a growing run of bytes, AML on top of it, and the tables themselves. */
#ifndef HW_TABLES_H
#define HW_TABLES_H

#include <stddef.h>
#include <stdint.h>

struct pc_facts;

struct bytes {
	uint8_t *data;
	size_t len, capacity;
};

void bytes_free(struct bytes *b);
void bytes_put(struct bytes *b, const void *data, size_t len);
void bytes_zeros(struct bytes *b, size_t len);
void bytes_align(struct bytes *b, size_t power_of_two);
/* SIZE bytes of V, little-endian: at the end, or over what is at OFFSET. */
void bytes_le(struct bytes *b, uint64_t v, unsigned size);
void bytes_set_le(struct bytes *b, size_t offset, uint64_t v, unsigned size);
/* What makes the sum of LEN bytes zero. */
uint8_t bytes_checksum(const uint8_t *data, size_t len);

/*
 * AML, ACPI specification 2.0, "ACPI Machine Language Specification".  Whatever has a package length is opened by its own
 * function and closed by aml_end(); everything else is emitted in the order of the grammar.  Paths are written as in
 * ASL: "\\_SB.PCI0", "LNKA".
 */
enum aml_op {
	AML_ZERO = 0x00,
	AML_ONE = 0x01,
	AML_ARG0 = 0x68,
	AML_STORE = 0x70,
	AML_AND = 0x7b,
	AML_OR = 0x7d,
	AML_CREATE_DWORD_FIELD = 0x8a,
	AML_LESS = 0x95,
	AML_RETURN = 0xa4,
};

enum aml_space { AML_PCI_CONFIG = 2 };

struct aml {
	struct bytes out;
	size_t open[16]; /* where the package lengths of what is open belong */
	unsigned depth;
};

void aml_end(struct aml *a);
void aml_scope(struct aml *a, const char *path);
void aml_device(struct aml *a, const char *name);
void aml_method(struct aml *a, const char *name, unsigned args, int serialized);
void aml_package(struct aml *a, unsigned count);
void aml_if(struct aml *a);
void aml_processor(struct aml *a, const char *name, unsigned id);
/* FLAGS: access width in the low four bits, 1 for bytes. */
void aml_field(struct aml *a, const char *region, unsigned flags);

void aml_op(struct aml *a, enum aml_op op);
void aml_path(struct aml *a, const char *path);
void aml_int(struct aml *a, uint64_t v);
void aml_buffer(struct aml *a, const struct bytes *content);
/* Name(NAME, ...): the value follows. */
void aml_name(struct aml *a, const char *name);
void aml_name_int(struct aml *a, const char *name, uint64_t v);
/* The compressed number of an identifier such as "PNP0A03". */
void aml_name_eisa(struct aml *a, const char *name, const char *id);
void aml_region(struct aml *a, const char *name, enum aml_space space, unsigned offset, unsigned len);
void aml_field_bits(struct aml *a, const char *name, unsigned count);

/* Resource descriptors, which together make the content of a buffer; res_end() closes them. */
void res_io(struct bytes *b, unsigned port, unsigned len);
void res_irq(struct bytes *b, unsigned irq);
void res_dma(struct bytes *b, unsigned channel);
void res_memory(struct bytes *b, uint32_t base, uint32_t len);
void res_shared_irqs(struct bytes *b, const uint8_t *irqs, unsigned count);
void res_bus_window(struct bytes *b, unsigned first, unsigned last);
void res_io_window(struct bytes *b, unsigned first, unsigned last);
void res_memory_window(struct bytes *b, uint64_t first, uint64_t last, int cacheable);
void res_end(struct bytes *b);

/* The differentiated description of the machine, without its table header. */
void dsdt_build(struct aml *a, const struct pc_facts *facts);

/* The tables as the loader installs them: root pointer, tables, and the list of commands (QEMU's etc/table-loader). */
struct acpi_tables {
	struct bytes rsdp, tables, loader;
};
void acpi_build(struct acpi_tables *t, const struct pc_facts *facts);
void acpi_free(struct acpi_tables *t);

/* The structures, and the entry point whose address field firmware fills in. */
void smbios_build(struct bytes *anchor, struct bytes *structures, const struct pc_facts *facts);

#endif
