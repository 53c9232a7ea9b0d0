/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82093AA I/O APIC of 24 pins, in the version 20h of later chipsets, which has an EOI register.
 *
 * By the data sheet "82093AA I/O Advanced Programmable Interrupt Controller" and those of the ICH.  Interrupts travel to
 * the local APICs as messages.  The polarity bits have no effect: the board's wires say "asserted", not "high".
 */
#include <stdio.h>

#include "base/util.h"
#include "hw/apic.h"
#include "hw/hw.h"

#define BASE 0xfec00000u
#define PINS 24
#define VERSION (0x20u | (PINS - 1) << 16)

/* Registers of the page, and those behind its window. */
#define PAGE_SELECT 0x00
#define PAGE_WINDOW 0x10
#define PAGE_EOI 0x40
enum { REG_ID, REG_VERSION, REG_ARBITRATION, REG_TABLE = 0x10 };

/* Bits of a redirection entry. */
#define ENTRY_MODE(e) ((e) >> 8 & 7)
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_DEST(e) ((e) >> 56)
#define ENTRY_WRITABLE 0xff0000000001afffull

struct ioapic {
	struct dev dev;
	struct {
		uint64_t entry[PINS];
		uint64_t lines; /* levels of the pins */
		uint32_t select;
		uint32_t id;
	} state;
	struct dev *apic;
	struct lapic_eoi listener;
	struct region page;
};

static bool
is_level(uint64_t entry)
{
	return (entry & ENTRY_LEVEL) && ENTRY_MODE(entry) != APIC_EXTINT;
}

static uint64_t
address_of(uint64_t e)
{
	return MSI_BASE | ENTRY_DEST(e) << MSI_DEST_SHIFT | (e & ENTRY_LOGICAL ? MSI_LOGICAL : 0);
}

static uint32_t
data_of(uint64_t e)
{
	return (e & 0xff) | ENTRY_MODE(e) << MSI_MODE_SHIFT | MSI_ASSERT | (is_level(e) ? MSI_LEVEL : 0);
}

static bool
send(struct ioapic *io, unsigned pin)
{
	uint64_t e = io->state.entry[pin];

	return lapic_bus_message(io->apic, address_of(e), data_of(e));
}

/* A level-triggered pin sends when it is asserted, unmasked and not waiting for an EOI. */
static void
update_pin(struct ioapic *io, unsigned pin)
{
	uint64_t *e = &io->state.entry[pin];

	if (!is_level(*e) || (*e & (ENTRY_MASKED | ENTRY_REMOTE_IRR)) || !(io->state.lines >> pin & 1))
		return;
	if (send(io, pin))
		*e |= ENTRY_REMOTE_IRR;
}

/* An edge at a masked pin is ignored, as the data sheet says. */
static void
ioapic_set(void *opaque, int n, int level)
{
	struct ioapic *io = opaque;
	uint64_t bit = 1ull << n, e = io->state.entry[n];
	bool rises = level && !(io->state.lines & bit);

	io->state.lines = level ? io->state.lines | bit : io->state.lines & ~bit;
	if (rises && !is_level(e) && !(e & ENTRY_MASKED))
		send(io, n);
	update_pin(io, n);
}

static void
ioapic_eoi(void *opaque, uint8_t vector)
{
	struct ioapic *io = opaque;

	for (unsigned i = 0; i < PINS; i++) {
		uint64_t *e = &io->state.entry[i];

		if (!(*e & ENTRY_REMOTE_IRR) || (*e & 0xff) != vector)
			continue;
		*e &= ~ENTRY_REMOTE_IRR;
		update_pin(io, i);
	}
}

static uint32_t
window_read(struct ioapic *io)
{
	unsigned reg = io->state.select, pin = (reg - REG_TABLE) >> 1;

	switch (reg) {
	case REG_ID:
	case REG_ARBITRATION:
		return io->state.id;
	case REG_VERSION:
		return VERSION;
	default:
		if (reg < REG_TABLE || pin >= PINS)
			return 0;
		return io->state.entry[pin] >> (reg & 1 ? 32 : 0);
	}
}

/* An entry that becomes edge-triggered forgets that it waited for an EOI: systems clear it so. */
static void
write_entry(struct ioapic *io, unsigned pin, bool high, uint32_t value)
{
	uint64_t *e = &io->state.entry[pin], new;

	new = high ? (uint64_t)value << 32 | (uint32_t)*e : (*e & ~0xffffffffull) | value;
	*e = (new & ENTRY_WRITABLE) | (*e & ENTRY_REMOTE_IRR);
	if (!is_level(*e))
		*e &= ~ENTRY_REMOTE_IRR;
	update_pin(io, pin);
}

static void
window_write(struct ioapic *io, uint32_t value)
{
	unsigned reg = io->state.select, pin = (reg - REG_TABLE) >> 1;

	if (reg == REG_ID)
		io->state.id = value & 0x0f000000;
	else if (reg >= REG_TABLE && pin < PINS)
		write_entry(io, pin, reg & 1, value);
}

static uint64_t
page_read(void *opaque, uint64_t offset, unsigned size)
{
	struct ioapic *io = opaque;

	(void)size;
	switch (offset) {
	case PAGE_SELECT: return io->state.select;
	case PAGE_WINDOW: return window_read(io);
	default: return 0;
	}
}

static void
page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct ioapic *io = opaque;

	(void)size;
	switch (offset) {
	case PAGE_SELECT:
		io->state.select = value & 0xff;
		break;
	case PAGE_WINDOW:
		window_write(io, value);
		break;
	case PAGE_EOI:
		ioapic_eoi(io, value);
		break;
	}
}

static const struct region_ops page_ops = { page_read, page_write, 4, 4 };

/* The inputs belong to those who drive them. */
static void
ioapic_reset(struct dev *d)
{
	struct ioapic *io = (struct ioapic *)d;

	io->state.select = io->state.id = 0;
	for (unsigned i = 0; i < PINS; i++)
		io->state.entry[i] = ENTRY_MASKED;
}

static bool
ioapic_loaded(struct dev *d, struct err *e)
{
	struct ioapic *io = (struct ioapic *)d;

	(void)e;
	for (unsigned i = 0; i < PINS; i++)
		io->state.entry[i] &= ENTRY_WRITABLE | ENTRY_REMOTE_IRR;
	return true;
}

static void
ioapic_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const modes[8] = { "fixed", "lowest", "smi", "3", "nmi", "init", "6", "extint" };
	struct ioapic *io = (struct ioapic *)d;
	char text[128];

	for (unsigned i = 0; i < PINS; i++) {
		uint64_t e = io->state.entry[i];

		snprintf(text, sizeof(text), "pin %2u: %016llx vector=%02x %s dest=%02x %s %s%s%s%s\n", i,
			(unsigned long long)e, (unsigned)(e & 0xff), modes[ENTRY_MODE(e)],
			(unsigned)ENTRY_DEST(e), e & ENTRY_LOGICAL ? "logical" : "physical",
			e & ENTRY_LEVEL ? "level" : "edge", e & ENTRY_MASKED ? " masked" : "",
			e & ENTRY_REMOTE_IRR ? " remote-irr" : "", io->state.lines >> i & 1 ? " asserted" : "");
		print(opaque, text);
	}
}

static void
ioapic_destroy(struct dev *d)
{
	struct ioapic *io = (struct ioapic *)d;

	space_remove(&io->page);
}

static const struct field fields[] = {
	FIELD_ARRAY(struct ioapic, state.entry),
	FIELD_MAX(struct ioapic, state.lines, (1ull << PINS) - 1),
	FIELD_MAX(struct ioapic, state.select, 0xff),
	FIELD_OF(struct ioapic, state.id),
	FIELD_END,
};

static const struct dev_class ioapic_class = {
	DEV_OF(ioapic),
	.description = "82093AA I/O APIC",
	.fields = fields,
	.reset = ioapic_reset,
	.loaded = ioapic_loaded,
	.info = ioapic_info,
	.destroy = ioapic_destroy,
};

struct dev *
ioapic_new(const struct dev_env *env, struct dev *any_apic)
{
	struct dev *d = dev_new(env, &ioapic_class, NULL);
	struct ioapic *io = (struct ioapic *)d;

	io->apic = any_apic;
	io->listener = (struct lapic_eoi){ .eoi = ioapic_eoi, .opaque = io };
	lapic_bus_listen_eoi(any_apic, &io->listener);
	region_init_io(&io->page, "ioapic", &page_ops, io, 4096);
	space_add(env->mem, &io->page, BASE, 10);
	ioapic_reset(d);
	return d;
}

struct irq
ioapic_line(struct dev *ioapic, unsigned pin)
{
	return irq_to(ioapic_set, ioapic, pin < PINS ? pin : 0);
}

bool
ioapic_is_waiting(struct dev *ioapic, unsigned pin)
{
	struct ioapic *io = (struct ioapic *)ioapic;
	uint64_t e = pin < PINS ? io->state.entry[pin] : ENTRY_MASKED;

	return !(e & ENTRY_MASKED) && !is_level(e) && lapic_bus_is_waiting(io->apic, address_of(e), data_of(e));
}
