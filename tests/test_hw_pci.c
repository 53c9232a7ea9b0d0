/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The i440FX machine's chips without a processor: configuration space, shadow RAM, PIRQs, MSI, power management. */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <check.h>
#include <stdlib.h>

enum { RAM = 2 * MiB };

/* A device with everything: a bar of each kind, an interrupt, MSI. */
struct toy {
	struct pci_dev pci;
	struct region mem, port, big;
	struct {
		struct pci_state pci;
		uint64_t value;
	} state;
};

static struct clock *clock_;
static struct space *mem, *io;
static struct dev *devices;
static struct pci_bus *bus;
static struct dev *host, *isa, *pm;
static struct toy *toy;
static uint8_t *ram, bios[128 * KiB];
static struct region bios_region;
static int lines[16], resets, sci, slept, smis;
static uint64_t msi_address;
static uint32_t msi_data;

static void
set_line(void *opaque, int n, int level)
{
	(void)opaque;
	lines[n] = level;
}

static void
set_int(void *opaque, int n, int level)
{
	(void)n;
	if (opaque == &resets)
		resets += level;
	else
		*(int *)opaque = level;
}

static void
on_msi(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque;
	msi_address = address;
	msi_data = data;
}

static void
on_sleep(void *opaque, unsigned type)
{
	(void)opaque;
	slept = type;
}

static void
on_smi(void *opaque)
{
	(void)opaque;
	smis++;
}

static uint64_t
toy_read(void *opaque, uint64_t offset, unsigned size)
{
	struct toy *t = opaque;

	(void)size;
	return t->state.value + offset;
}

static void
toy_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct toy *t = opaque;

	(void)offset, (void)size;
	t->state.value = value;
}

static void
toy_reset(struct dev *d)
{
	struct toy *t = (struct toy *)d;

	pci_reset(&t->pci);
	t->state.value = 0;
}

static void
toy_destroy(struct dev *d)
{
	pci_detach((struct pci_dev *)d);
}

static const struct region_ops toy_ops = { toy_read, toy_write, 1, 4 };

static const struct field toy_fields[] = {
	PCI_FIELDS(struct toy), FIELD_OF(struct toy, state.value), FIELD_END
};

static const struct dev_class toy_class = {
	DEV_OF(toy), .fields = toy_fields, .reset = toy_reset, .destroy = toy_destroy
};

static struct toy *
toy_new(const struct dev_env *env, int devfn)
{
	static const struct pci_id id = { .vendor = 0x1234, .device = 0x5678, .class = 0xff0000, .pin = 1 };
	struct toy *t = (struct toy *)dev_new(env, &toy_class, "toy");

	pci_attach(&t->pci, bus, devfn, &t->state.pci, &id);
	region_init_io(&t->mem, "toy", &toy_ops, t, 0x1000);
	region_init_io(&t->port, "toy ports", &toy_ops, t, 0x20);
	region_init_io(&t->big, "toy 64", &toy_ops, t, 0x3000);
	pci_add_bar(&t->pci, 0, PCI_BAR_MEM, &t->mem);
	pci_add_bar(&t->pci, 1, PCI_BAR_IO, &t->port);
	pci_add_bar(&t->pci, 2, PCI_BAR_MEM64 | PCI_BAR_PREFETCH, &t->big);
	pci_set_rom(&t->pci, "\x55\xaa rom", 6);
	pci_add_msi(&t->pci, 0x50, 4, true);
	return t;
}

static void
set_up(void)
{
	struct dev_env env;
	struct irq isa_lines[16];
	struct piix4_pm_ops ops = { NULL, on_sleep, on_smi };

	clock_ = clock_new(true);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	env = (struct dev_env){ clock_, NULL, mem, io, &devices };
	ram = aligned_alloc(4096, RAM);
	memset(ram, 0, RAM);
	memset(bios, 0xbb, sizeof(bios));
	region_init_rom(&bios_region, "bios", bios, sizeof(bios));
	host = i440fx_new(&env, ram, RAM, &bios_region, &bus);
	for (int i = 0; i < 16; i++)
		isa_lines[i] = irq_to(set_line, NULL, i);
	isa = piix3_new(&env, bus, isa_lines, irq_to(set_int, &resets, 0));
	pm = piix4_pm_new(&env, bus, irq_to(set_int, &sci, 0), &ops);
	toy = toy_new(&env, PCI_ANY_SLOT);
	pci_bus_on_msi(bus, on_msi, NULL);
	dev_reset_all(devices);
	memset(lines, 0, sizeof(lines));
	resets = sci = smis = 0;
	slept = -1;
	msi_address = 0;
}

static void
tear_down(void)
{
	dev_free_all(devices);
	space_free(mem);
	space_free(io);
	clock_free(clock_);
	free(ram);
}

static uint32_t
in(unsigned port, unsigned size)
{
	return space_read(io, port, size, false);
}

static void
out(unsigned port, uint32_t value, unsigned size)
{
	space_write(io, port, value, size, false);
}

static uint32_t
conf(unsigned devfn, unsigned reg, unsigned size)
{
	out(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
	return in(0xcfc + (reg & 3), size);
}

static void
set_conf(unsigned devfn, unsigned reg, uint32_t value, unsigned size)
{
	out(0xcf8, 0x80000000 | devfn << 8 | (reg & 0xfc), 4);
	out(0xcfc + (reg & 3), value, size);
}

enum { TOY = 2 << 3, ISA = 1 << 3, PM = 1 << 3 | 3 };

START_TEST(coverage)
{
	for (struct dev *d = devices; d != NULL; d = d->next)
		ck_assert_msg(dev_uncovered(d->cls) == -1, "%s: byte %ld", d->cls->name, dev_uncovered(d->cls));
}
END_TEST

START_TEST(configuration)
{
	ck_assert_uint_eq(conf(0, 0, 4), 0x12378086);
	ck_assert_uint_eq(conf(0, 8, 4), 0x06000002);
	ck_assert_uint_eq(conf(0, 0x2c, 4), 0x11001af4);
	ck_assert_uint_eq(conf(ISA, 0, 4), 0x70008086);
	ck_assert_uint_eq(conf(ISA, 0xe, 1), 0x80);
	ck_assert_uint_eq(conf(PM, 0, 4), 0x71138086);
	ck_assert_uint_eq(conf(TOY, 2, 2), 0x5678);
	ck_assert_uint_eq(conf(5 << 3, 0, 4), 0xffffffff);
	ck_assert_uint_eq(conf(5 << 3, 0, 2), 0xffff);
	/* Read-only. */
	set_conf(TOY, 0, 0, 4);
	ck_assert_uint_eq(conf(TOY, 0, 4), 0x56781234);
	/* Another bus, and not enabled. */
	out(0xcf8, 0x80010000, 4);
	ck_assert_uint_eq(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 0x00000000, 4);
	ck_assert_uint_eq(in(0xcfc, 4), 0xffffffff);
	/* Only double words reach the address. */
	out(0xcf8, 0x80000000, 4);
	out(0xcf8, 0x12, 1);
	ck_assert_uint_eq(in(0xcf8, 4), 0x80000000);
}
END_TEST

START_TEST(bars)
{
	set_conf(TOY, 0x10, 0xffffffff, 4);
	ck_assert_uint_eq(conf(TOY, 0x10, 4), 0xfffff000);
	set_conf(TOY, 0x14, 0xffffffff, 4);
	ck_assert_uint_eq(conf(TOY, 0x14, 4), 0xffffffe1);
	set_conf(TOY, 0x18, 0xffffffff, 4);
	set_conf(TOY, 0x1c, 0xffffffff, 4);
	ck_assert_uint_eq(conf(TOY, 0x18, 4), 0xffffc00c);
	ck_assert_uint_eq(conf(TOY, 0x1c, 4), 0xffffffff);
	set_conf(TOY, 0x30, 0xfffffffe, 4);
	ck_assert_uint_eq(conf(TOY, 0x30, 4), 0xfffff000);
	set_conf(TOY, 0x20, 0xffffffff, 4);
	ck_assert_uint_eq(conf(TOY, 0x20, 4), 0);

	set_conf(TOY, 0x10, 0xe0000000, 4);
	set_conf(TOY, 0x14, 0xc000, 4);
	set_conf(TOY, 0x18, 0x00000000, 4);
	set_conf(TOY, 0x1c, 0x00000080, 4);
	set_conf(TOY, 0x30, 0xe0100001, 4);
	toy->state.value = 0x1000;
	ck_assert_uint_eq(space_read(mem, 0xe0000010, 4, false), 0xffffffff);
	set_conf(TOY, 4, 3, 2);
	ck_assert_uint_eq(space_read(mem, 0xe0000010, 4, false), 0x1010);
	ck_assert_uint_eq(space_read(mem, 0x8000000020, 4, false), 0x1020);
	ck_assert_uint_eq(space_read(mem, 0xe0100000, 4, false), 0x7220aa55);
	ck_assert_uint_eq(in(0xc004, 4), 0x1004);
	/* RAM goes first where a bar is put over it. */
	set_conf(TOY, 0x10, 0x00100000, 4);
	ck_assert_uint_eq(space_read(mem, 0x100000, 4, false), 0);
	set_conf(TOY, 4, 0, 2);
	ck_assert_uint_eq(in(0xc004, 4), 0xffffffff);
	dev_reset_all(devices);
	ck_assert_uint_eq(conf(TOY, 0x10, 4), 0);
}
END_TEST

START_TEST(dma_needs_master)
{
	uint8_t buf[4] = { 1, 2, 3, 4 };

	ck_assert(!pci_dma_write(&toy->pci, 0x1000, buf, 4));
	ck_assert_uint_eq(ram[0x1000], 0);
	set_conf(TOY, 4, 4, 2);
	ck_assert(pci_dma_write(&toy->pci, 0x1000, buf, 4));
	ck_assert_uint_eq(ram[0x1001], 2);
	ck_assert(!pci_dma_write(&toy->pci, 0xf0000000, buf, 4));
}
END_TEST

/* Each PAM register: what a read sees, and where a write goes. */
START_TEST(shadow)
{
	static const struct {
		unsigned reg, shift, base;
	} segments[] = {
		{ 0x59, 4, 0xf0000 }, { 0x5a, 0, 0xc0000 }, { 0x5a, 4, 0xc4000 }, { 0x5b, 0, 0xc8000 }, { 0x5b, 4, 0xcc000 },
		{ 0x5c, 0, 0xd0000 }, { 0x5c, 4, 0xd4000 }, { 0x5d, 0, 0xd8000 }, { 0x5d, 4, 0xdc000 }, { 0x5e, 0, 0xe0000 },
		{ 0x5e, 4, 0xe4000 }, { 0x5f, 0, 0xe8000 }, { 0x5f, 4, 0xec000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(segments); i++) {
		unsigned base = segments[i].base, last = base + (base == 0xf0000 ? 0xfffe : 0x3ffe);
		unsigned behind = base >= 0xe0000 ? 0xbbbb : 0xffff;

		for (unsigned a = 0; a < 4; a++) {
			memset(ram + base, 0x11, last + 2 - base);
			set_conf(0, segments[i].reg, a << segments[i].shift, 1);
			ck_assert_uint_eq(space_read(mem, last, 2, false), a & 1 ? 0x1111 : behind);
			space_write(mem, last, 0x2222, 2, false);
			ck_assert_uint_eq(load_le(ram + last, 2), a & 2 ? 0x2222 : 0x1111);
			ck_assert_uint_eq(space_read(mem, base, 2, false), a & 1 ? 0x1111 : behind);
		}
		/* Its neighbours stay as they are. */
		ck_assert_uint_eq(space_read(mem, base - 2, 2, false), base > 0xe0000 ? 0xbbbb : 0xffff);
		set_conf(0, segments[i].reg, 0, 1);
	}
	ck_assert_uint_eq(bios[0], 0xbb);
}
END_TEST

START_TEST(smram)
{
	ram[0xa0000] = 0x77;
	ck_assert_uint_eq(space_read(mem, 0xa0000, 1, true), 0xff);
	set_conf(0, 0x72, 0x0a, 1);
	ck_assert_uint_eq(space_read(mem, 0xa0000, 1, true), 0x77);
	ck_assert_uint_eq(space_read(mem, 0xa0000, 1, false), 0xff);
	set_conf(0, 0x72, 0x4a, 1);
	ck_assert_uint_eq(space_read(mem, 0xa0000, 1, false), 0x77);
	set_conf(0, 0x72, 0x5a, 1);
	ck_assert_uint_eq(conf(0, 0x72, 1), 0x1a);
	ck_assert_uint_eq(space_read(mem, 0xa0000, 1, false), 0xff);
	set_conf(0, 0x72, 0x40, 1);
	ck_assert_uint_eq(conf(0, 0x72, 1), 0x1a);
	dev_reset_all(devices);
	ck_assert_uint_eq(conf(0, 0x72, 1), 0x02);
	set_conf(0, 0x72, 0x4a, 1);
	ck_assert_uint_eq(space_read(mem, 0xbffff, 1, false), 0);
}
END_TEST

START_TEST(pirqs)
{
	/* Slot 2, INTA: PIRQB. */
	pci_set_intx(&toy->pci, 1);
	ck_assert_uint_eq(conf(TOY, 6, 2) & 8, 8);
	ck_assert_int_eq(pci_bus_pirq(bus, 1), 1);
	ck_assert_int_eq(lines[11], 0);
	set_conf(ISA, 0x61, 11, 1);
	ck_assert_int_eq(lines[11], 1);
	set_conf(ISA, 0x61, 10, 1);
	ck_assert_int_eq(lines[11], 0);
	ck_assert_int_eq(lines[10], 1);
	set_conf(TOY, 4, 0x400, 2);
	ck_assert_int_eq(lines[10], 0);
	set_conf(TOY, 4, 0, 2);
	ck_assert_int_eq(lines[10], 1);
	pci_set_intx(&toy->pci, 0);
	ck_assert_int_eq(lines[10], 0);
}
END_TEST

START_TEST(message_interrupts)
{
	ck_assert_uint_eq(conf(TOY, 0x34, 1), 0x50);
	ck_assert_uint_eq(conf(TOY, 6, 2) & 0x10, 0x10);
	ck_assert_uint_eq(conf(TOY, 0x50, 4), 0x00840005);
	set_conf(TOY, 0x54, 0xfee01003, 4);
	set_conf(TOY, 0x58, 0, 4);
	set_conf(TOY, 0x5c, 0x4041, 2);
	pci_msi_notify(&toy->pci, 2);
	ck_assert_uint_eq(msi_address, 0);
	set_conf(TOY, 0x52, 0x0021, 2);
	set_conf(TOY, 4, 4, 2);
	ck_assert(pci_msi_enabled(&toy->pci));
	pci_msi_notify(&toy->pci, 2);
	ck_assert_uint_eq(msi_address, 0xfee01000);
	ck_assert_uint_eq(msi_data, 0x4042);
}
END_TEST

START_TEST(reset_control)
{
	out(0xcf9, 0x02, 1);
	ck_assert_int_eq(resets, 0);
	ck_assert_uint_eq(in(0xcf9, 1), 0x02);
	out(0xcf9, 0x06, 1);
	ck_assert_int_eq(resets, 1);
}
END_TEST

static void
set_up_pm(void)
{
	set_conf(PM, 0x40, 0x601, 4);
	set_conf(PM, 0x80, 1, 1);
	set_conf(PM, 0x90, 0x701, 4);
	set_conf(PM, 0xd2, 9, 1);
}

START_TEST(pm_timer)
{
	ck_assert_uint_eq(in(0x608, 4), 0xffffffff);
	set_up_pm();
	ck_assert_uint_eq(conf(PM, 0x40, 4), 0x601);
	clock_advance(clock_, NS_PER_SEC);
	ck_assert_uint_eq(in(0x608, 4), 3579545);
	out(0x602, 0x0001, 2);
	out(0x604, 0x0001, 2);
	ck_assert_int_eq(sci, 0);
	clock_advance(clock_, 1343 * 1000000ull);
	ck_assert_int_eq(sci, 0);
	clock_advance(clock_, 2 * 1000000ull);
	ck_assert_int_eq(sci, 1);
	ck_assert_uint_eq(in(0x600, 2), 1);
	out(0x600, 1, 2);
	ck_assert_int_eq(sci, 0);
	clock_advance(clock_, 2344 * 1000000ull);
	ck_assert_int_eq(sci, 1);
	ck_assert_uint_lt(in(0x608, 4), 1 << 24);
}
END_TEST

START_TEST(power)
{
	struct irq rtc = piix4_pm_rtc(pm);

	set_up_pm();
	out(0x604, 0x2000, 2);
	ck_assert_int_eq(slept, 0);
	out(0x604, 0x3400, 2);
	ck_assert_int_eq(slept, 5);
	ck_assert_uint_eq(in(0x604, 2), 0x1400);
	piix4_pm_power_button(pm);
	ck_assert_int_eq(sci, 0);
	out(0x602, 0x0100, 2);
	/* ACPI is switched on by command. */
	out(0xb2, 0xf1, 1);
	ck_assert_uint_eq(in(0x604, 2) & 1, 1);
	ck_assert_int_eq(sci, 1);
	out(0x600, 0x0100, 2);
	ck_assert_int_eq(sci, 0);
	out(0xb2, 0xf0, 1);
	ck_assert_uint_eq(in(0x604, 2) & 1, 0);
	ck_assert_int_eq(smis, 0);
	set_conf(PM, 0x58, 1 << 25, 4);
	out(0x628, 1, 4);
	out(0xb3, 0x5a, 1);
	out(0xb2, 0x00, 1);
	ck_assert_int_eq(smis, 1);
	ck_assert_uint_eq(in(0xb3, 1), 0x5a);
	/* The clock's line: the event is its rise. */
	out(0x604, 0x0001, 2);
	out(0x602, 0x0400, 2);
	irq_set(&rtc, 1);
	ck_assert_int_eq(sci, 1);
	ck_assert_uint_eq(in(0x600, 2), 0x0400);
	out(0x600, 0x0400, 2);
	irq_set(&rtc, 1);
	ck_assert_int_eq(sci, 0);
	irq_set(&rtc, 0);
	irq_set(&rtc, 1);
	ck_assert_int_eq(sci, 1);
	out(0x602, 0, 2);
	ck_assert_int_eq(sci, 0);
	/* General-purpose events. */
	out(0xafe2, 0x0002, 2);
	ck_assert_uint_eq(in(0xafe0, 4), 0x00020000);
	/* SMBus: nobody answers. */
	out(0x704, 0xa1, 1);
	out(0x702, 0x48, 1);
	ck_assert_uint_eq(in(0x700, 1), 0x04);
	out(0x700, 0x1e, 1);
	ck_assert_uint_eq(in(0x700, 1), 0);
}
END_TEST

static void
append(void *opaque, const char *text)
{
	char *all = opaque;

	strcat(all, text);
}

START_TEST(info)
{
	static char text[8192];

	text[0] = '\0';
	pci_info(bus, append, text);
	ck_assert_ptr_nonnull(strstr(text, "Host bridge: PCI device 8086:1237"));
	ck_assert_ptr_nonnull(strstr(text, "id \"toy\""));
	for (struct dev *d = devices; d != NULL; d = d->next)
		if (d->cls->info != NULL)
			d->cls->info(d, append, text);
	ck_assert_ptr_nonnull(strstr(text, "PIRQA"));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("hw_pci");
	TCase *t = tcase_create("hw_pci");
	SRunner *r = srunner_create(s);
	int failed;

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, coverage);
	tcase_add_test(t, configuration);
	tcase_add_test(t, bars);
	tcase_add_test(t, dma_needs_master);
	tcase_add_test(t, shadow);
	tcase_add_test(t, smram);
	tcase_add_test(t, pirqs);
	tcase_add_test(t, message_interrupts);
	tcase_add_test(t, reset_control);
	tcase_add_test(t, pm_timer);
	tcase_add_test(t, power);
	tcase_add_test(t, info);
	suite_add_tcase(s, t);
	srunner_run_all(r, CK_ENV);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
