/* SPDX-License-Identifier: GPL-2.0-or-later */
/* hw/: fw_cfg by ports and DMA, and the tables that go through it: carried out by a small loader and checked. */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/tables.h"

#include <check.h>
#include <stdlib.h>

enum { RAM_SIZE = 1 << 20, DESCRIPTOR = 0x1000, BUFFER = 0x2000, TABLES_AT = 0x40000, RSDP_AT = 0xe0000 };

struct board {
	struct clock *clock;
	struct space *mem, *io;
	struct dev *devices, *fw_cfg;
	struct region ram_region;
	uint8_t *ram;
};

static struct board *b;

static const struct pc_facts facts = {
	.cpus = 3, .ram_below_4g = 0x80000000, .ram_above_4g = 0x40000000, .hpet = true, .pm_base = 0x600, .sci_irq = 9,
	.name = "test machine", .com_ports = 3, .parallel = true, .floppy = true,
};

static void
setup(void)
{
	struct dev_env env;

	b = xcalloc(1, sizeof(*b));
	b->clock = clock_new(true);
	b->mem = space_new("mem", false);
	b->io = space_new("io", true);
	b->ram = xcalloc(1, RAM_SIZE);
	region_init_ram(&b->ram_region, "ram", b->ram, RAM_SIZE);
	space_add(b->mem, &b->ram_region, 0, 0);
	env = (struct dev_env){ .clock = b->clock, .mem = b->mem, .io = b->io, .devices = &b->devices };
	b->fw_cfg = fw_cfg_new(&env);
}

static void
teardown(void)
{
	space_free(b->mem);
	space_free(b->io);
	dev_free_all(b->devices);
	clock_free(b->clock);
	free(b->ram);
	free(b);
}

static void
choose(unsigned key)
{
	space_write(b->io, 0x510, key, 2, false);
}

static uint8_t
next(void)
{
	return space_read(b->io, 0x511, 1, false);
}

static void
put_be(uint8_t *p, uint64_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = v >> 8 * (size - 1 - i);
}

static uint64_t
get_be(const uint8_t *p, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

/* Runs a descriptor; what the device answered. */
static uint32_t
dma(uint32_t control, uint32_t len, gpa address)
{
	put_be(b->ram + DESCRIPTOR, control, 4);
	put_be(b->ram + DESCRIPTOR + 4, len, 4);
	put_be(b->ram + DESCRIPTOR + 8, address, 8);
	space_write(b->io, 0x514, 0, 4, false);
	space_write(b->io, 0x518, __builtin_bswap32(DESCRIPTOR), 4, false);
	return get_be(b->ram + DESCRIPTOR, 4);
}

START_TEST(ports)
{
	static const char signature[4] = "QEMU";

	choose(0);
	for (unsigned i = 0; i < 4; i++)
		ck_assert_uint_eq(next(), signature[i]);
	ck_assert_uint_eq(next(), 0);
	choose(1);
	ck_assert_uint_eq(next(), 3);
	fw_cfg_add_u16(b->fw_cfg, 5, 0x1234);
	choose(5);
	ck_assert_uint_eq(next(), 0x34);
	ck_assert_uint_eq(next(), 0x12);
	choose(0x7777);
	ck_assert_uint_eq(next(), 0);
	ck_assert_uint_eq(space_read(b->io, 0x514, 4, false), load_le("QEMU", 4));
	ck_assert_uint_eq(space_read(b->io, 0x518, 4, false), load_le(" CFG", 4));
}
END_TEST

START_TEST(directory)
{
	fw_cfg_add_file(b->fw_cfg, "opt/b", "second", 6);
	fw_cfg_add_file(b->fw_cfg, "opt/a", "first", 5);
	fw_cfg_add_file(b->fw_cfg, "opt/b", "2nd", 3);
	ck_assert_uint_eq(dma(0x19 << 16 | 0x0a, 4 + 2 * 64, BUFFER), 0);
	ck_assert_uint_eq(get_be(b->ram + BUFFER, 4), 2);
	ck_assert_uint_eq(get_be(b->ram + BUFFER + 4, 4), 5);
	ck_assert_uint_eq(get_be(b->ram + BUFFER + 8, 2), 0x20);
	ck_assert_str_eq((char *)b->ram + BUFFER + 12, "opt/a");
	ck_assert_uint_eq(get_be(b->ram + BUFFER + 68, 4), 3);
	ck_assert_uint_eq(get_be(b->ram + BUFFER + 72, 2), 0x21);
	choose(0x21);
	ck_assert_uint_eq(next(), '2');
}
END_TEST

START_TEST(dma_moves)
{
	fw_cfg_add_file(b->fw_cfg, "opt/a", "0123456789", 10);
	memset(b->ram + BUFFER, 0xee, 32);
	choose(0x20);
	ck_assert_uint_eq(dma(0x04, 3, 0), 0);
	ck_assert_uint_eq(dma(0x02, 4, BUFFER), 0);
	ck_assert_mem_eq(b->ram + BUFFER, "3456\xee", 5);
	ck_assert_uint_eq(dma(0x02, 6, BUFFER), 0);
	ck_assert_mem_eq(b->ram + BUFFER, "789\0\0\0\xee", 7);
	ck_assert_uint_eq(dma(0x20 << 16 | 0x08, 0, 0), 0);
	ck_assert_uint_eq(next(), '0');
	/* Nothing can be written, memory must be there, and nobody fills gigabytes. */
	ck_assert_uint_eq(dma(0x20 << 16 | 0x18, 4, BUFFER), 1);
	ck_assert_uint_eq(dma(0x20 << 16 | 0x0a, 4, 0x90000000), 1);
	ck_assert_uint_eq(dma(0x20 << 16 | 0x0a, 0xffffffff, BUFFER), 1);
	space_write(b->io, 0x518, 0x000000f0, 4, false);
}
END_TEST

/* ---- the loader, as firmware has it ---- */

struct file {
	const char *name;
	gpa at;
	size_t len;
};

static struct file files[2] = { { "etc/acpi/tables", TABLES_AT, 0 }, { "etc/acpi/rsdp", RSDP_AT, 0 } };

static struct file *
file_of(const uint8_t *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(files); i++) {
		if (strcmp(files[i].name, (const char *)name) == 0)
			return &files[i];
	}
	ck_abort_msg("no file %.56s", (const char *)name);
}

/* Reads the file NAME to AT; its length. */
static size_t
fetch(const char *name, gpa at)
{
	unsigned count;
	size_t len;

	dma(0x19 << 16 | 0x0a, 4 + 64 * 64, BUFFER);
	count = get_be(b->ram + BUFFER, 4);
	ck_assert_uint_le(count, 64);
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *entry = b->ram + BUFFER + 4 + 64 * i;

		if (strcmp((const char *)entry + 8, name) != 0)
			continue;
		len = get_be(entry, 4);
		ck_assert_uint_eq(dma(get_be(entry + 4, 2) << 16 | 0x0a, len, at), 0);
		return len;
	}
	ck_abort_msg("no file %s", name);
}

static void
run_loader(void)
{
	enum { LOADER_AT = 0x20000 };
	size_t len = fetch("etc/table-loader", LOADER_AT);

	ck_assert_uint_eq(len % 128, 0);
	for (const uint8_t *c = b->ram + LOADER_AT; c < b->ram + LOADER_AT + len; c += 128) {
		struct file *f = file_of(c + 4);
		uint8_t *base = b->ram + f->at;

		switch (load_le(c, 4)) {
		case 1:
			f->len = fetch(f->name, f->at);
			ck_assert_uint_eq(f->at % load_le(c + 60, 4), 0);
			break;
		case 2: {
			uint8_t *p = base + load_le(c + 116, 4);

			ck_assert_uint_le(load_le(c + 116, 4) + c[120], f->len);
			ck_assert_uint_lt(load_le(p, c[120]), file_of(c + 60)->len);
			store_le(p, load_le(p, c[120]) + file_of(c + 60)->at, c[120]);
			break;
		}
		case 3: {
			size_t start = load_le(c + 64, 4), n = load_le(c + 68, 4);

			ck_assert_uint_le(start + n, f->len);
			base[load_le(c + 60, 4)] -= (uint8_t)-bytes_checksum(base + start, n);
			break;
		}
		default:
			ck_abort_msg("command %u", (unsigned)load_le(c, 4));
		}
	}
}

static const uint8_t *
table_at(uint64_t address, const char *signature)
{
	const uint8_t *t = b->ram + address;

	ck_assert_uint_lt(address, RAM_SIZE);
	ck_assert_mem_eq(t, signature, 4);
	if (strcmp(signature, "FACS") != 0)
		ck_assert_uint_eq(bytes_checksum(t, load_le(t + 4, 4)), 0);
	return t;
}

/* Walks everything from the root pointer; both roots say the same. */
static void
check_acpi(gpa rsdp_at, unsigned cpus)
{
	static const char *const signatures[3] = { "FACP", "APIC", "HPET" };
	const uint8_t *rsdp = b->ram + rsdp_at, *rsdt, *xsdt, *fadt, *madt;

	ck_assert_mem_eq(rsdp, "RSD PTR ", 8);
	ck_assert_uint_eq(bytes_checksum(rsdp, 20), 0);
	ck_assert_uint_eq(bytes_checksum(rsdp, 36), 0);
	rsdt = table_at(load_le(rsdp + 16, 4), "RSDT");
	xsdt = table_at(load_le(rsdp + 24, 8), "XSDT");
	ck_assert_uint_eq(load_le(rsdt + 4, 4), 36 + 3 * 4);
	for (unsigned i = 0; i < 3; i++) {
		table_at(load_le(rsdt + 36 + 4 * i, 4), signatures[i]);
		ck_assert_uint_eq(load_le(rsdt + 36 + 4 * i, 4), load_le(xsdt + 36 + 8 * i, 8));
	}
	fadt = b->ram + load_le(rsdt + 36, 4);
	ck_assert_uint_eq(load_le(fadt + 4, 4), 244);
	table_at(load_le(fadt + 36, 4), "FACS");
	table_at(load_le(fadt + 40, 4), "DSDT");
	ck_assert_uint_eq(load_le(fadt + 140, 8), load_le(fadt + 40, 4));
	ck_assert_uint_eq(load_le(fadt + 36, 4) % 64, 0);
	ck_assert_uint_eq(load_le(fadt + 46, 2), 9);
	ck_assert_uint_eq(load_le(fadt + 48, 4), 0xb2);
	ck_assert_uint_eq(load_le(fadt + 56, 4), 0x600);
	ck_assert_uint_eq(load_le(fadt + 76, 4), 0x608);
	ck_assert_uint_eq(fadt[128], 6);
	madt = b->ram + load_le(rsdt + 40, 4);
	for (const uint8_t *p = madt + 44; p < madt + load_le(madt + 4, 4); p += p[1]) {
		ck_assert_uint_ge(p[1], 6);
		cpus -= p[0] == 0;
	}
	ck_assert_uint_eq(cpus, 0);
}

START_TEST(acpi_by_loader)
{
	pc_add_tables(b->fw_cfg, &facts);
	run_loader();
	check_acpi(RSDP_AT, facts.cpus);
}
END_TEST

START_TEST(acpi_in_place)
{
	gpa rsdp;
	size_t used = acpi_place(b->ram, TABLES_AT, 0x10000, &facts, &rsdp);

	ck_assert_uint_gt(used, 1000);
	check_acpi(rsdp, facts.cpus);
	ck_assert_uint_eq(acpi_place(b->ram, TABLES_AT, used - 1, &facts, &rsdp), 0);
}
END_TEST

START_TEST(smbios)
{
	static const uint8_t types[] = { 0, 1, 3, 4, 16, 17, 19, 19, 32, 127 };
	const uint8_t *a = b->ram + RSDP_AT, *p = b->ram + TABLES_AT, *end;
	size_t largest = 0, len;

	pc_add_tables(b->fw_cfg, &facts);
	ck_assert_uint_eq(fetch("etc/smbios/smbios-anchor", RSDP_AT), 31);
	len = fetch("etc/smbios/smbios-tables", TABLES_AT);
	ck_assert_mem_eq(a, "_SM_", 4);
	ck_assert_uint_eq(bytes_checksum(a, 31), 0);
	ck_assert_uint_eq(bytes_checksum(a + 16, 15), 0);
	ck_assert_uint_eq(load_le(a + 0x16, 2), len);
	ck_assert_uint_eq(load_le(a + 0x1c, 2), ARRAY_SIZE(types));
	end = p + len;
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		const uint8_t *start = p;

		ck_assert_uint_eq(p[0], types[i]);
		for (p += p[1]; p[0] != 0 || p[1] != 0; p++)
			ck_assert(p < end);
		p += 2;
		largest = MAX(largest, (size_t)(p - start));
	}
	ck_assert(p == end);
	ck_assert_uint_eq(load_le(a + 8, 2), largest);
}
END_TEST

START_TEST(mp_table)
{
	enum { AT = 0xf0000 };
	static const uint8_t sizes[5] = { 20, 8, 8, 8, 8 };
	size_t used = mptable_build(b->ram + AT, AT, 0x10000, &facts);
	const uint8_t *c = b->ram + AT + 16, *p = c + 44;
	unsigned count = load_le(c + 34, 2), cpus = 0;

	ck_assert_mem_eq(b->ram + AT, "_MP_", 4);
	ck_assert_uint_eq(bytes_checksum(b->ram + AT, 16), 0);
	ck_assert_uint_eq(load_le(b->ram + AT + 4, 4), AT + 16);
	ck_assert_mem_eq(c, "PCMP", 4);
	ck_assert_uint_eq(bytes_checksum(c, load_le(c + 4, 2)), 0);
	for (unsigned i = 0; i < count; i++) {
		ck_assert_uint_lt(*p, 5);
		cpus += *p == 0;
		p += sizes[*p];
	}
	ck_assert(p == c + load_le(c + 4, 2));
	ck_assert_uint_eq(used, p - (b->ram + AT));
	ck_assert_uint_eq(cpus, facts.cpus);
	ck_assert_uint_eq(mptable_build(b->ram + AT, AT, 100, &facts), 0);
}
END_TEST

START_TEST(numbers)
{
	pc_add_tables(b->fw_cfg, &facts);
	ck_assert_uint_eq(fetch("etc/e820", TABLES_AT), 40);
	ck_assert_uint_eq(load_le(b->ram + TABLES_AT + 8, 8), facts.ram_below_4g);
	ck_assert_uint_eq(load_le(b->ram + TABLES_AT + 20, 8), 4 * GiB);
	choose(5);
	ck_assert_uint_eq(next(), 3);
	choose(3);
	ck_assert_uint_eq(dma(0x02, 8, BUFFER), 0);
	ck_assert_uint_eq(load_le(b->ram + BUFFER, 8), 3 * GiB);
}
END_TEST

/* Package lengths of one, two and three bytes, and names of one to three parts. */
START_TEST(aml_encodings)
{
	static const uint8_t short_scope[] = { 0x10, 0x0e, '\\', '_', 'S', 'B', '_', 0x08, 'A', '_', '_', '_', 0x0a, 0x02, 0x01 };
	struct aml a = { 0 };
	struct bytes big = { 0 };

	aml_scope(&a, "\\_SB");
	aml_name_int(&a, "A", 2);
	aml_int(&a, 1);
	aml_end(&a);
	ck_assert_uint_eq(a.out.len, sizeof(short_scope));
	ck_assert_mem_eq(a.out.data, short_scope, sizeof(short_scope));
	bytes_free(&a.out);
	aml_path(&a, "\\A.B");
	aml_path(&a, "A.B.C");
	ck_assert_mem_eq(a.out.data, "\\.A___B___/\3A___B___C___", 24);
	bytes_free(&a.out);
	bytes_zeros(&big, 70);
	aml_buffer(&a, &big);
	ck_assert_mem_eq(a.out.data, "\x11\x4a\x04\x0a\x46", 5);
	bytes_free(&a.out);
	bytes_zeros(&big, 5000 - 70);
	aml_buffer(&a, &big);
	ck_assert_mem_eq(a.out.data, "\x11\x8e\x38\x01\x0b\x88\x13", 7);
	bytes_free(&a.out);
	bytes_free(&big);
	aml_name_eisa(&a, "_HID", "PNP0A03");
	ck_assert_mem_eq(a.out.data, "\x08_HID\x0c\x41\xd0\x0a\x03", 10);
	bytes_free(&a.out);
}
END_TEST

START_TEST(fields_cover_state)
{
	ck_assert_int_eq(dev_uncovered(b->fw_cfg->cls), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_fwcfg");
	TCase *c = tcase_create("all");
	SRunner *r;
	int failed;

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, ports);
	tcase_add_test(c, directory);
	tcase_add_test(c, dma_moves);
	tcase_add_test(c, acpi_by_loader);
	tcase_add_test(c, acpi_in_place);
	tcase_add_test(c, smbios);
	tcase_add_test(c, mp_table);
	tcase_add_test(c, numbers);
	tcase_add_test(c, aml_encodings);
	tcase_add_test(c, fields_cover_state);
	suite_add_tcase(s, c);
	r = srunner_create(s);
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
