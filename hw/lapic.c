/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The local APIC, one for each processor: xAPIC at FEE00000h and x2APIC as MSRs.
 *
 * By the Intel SDM, volume 3, chapter "Advanced Programmable Interrupt Controller (APIC)".  The bus is a list of all
 * local APICs, which a message walks; the bus clock of the timer is 1 GHz, a nanosecond per tick before the divider.
 *
 * After power-on the first processor's LINT0 lets the 8259's INTR through ("virtual wire"), as firmware leaves it on real
 * boards: systems that never look at an APIC get their interrupts.  A processor whose APIC is switched off in
 * IA32_APIC_BASE has LINT0 and LINT1 as its INTR and NMI.
 *
 * Left out: CMCI, and the polarity of LINT pins: the board's wires say "asserted", not "high".
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/util.h"
#include "hw/apic.h"
#include "hw/hw.h"
#include "hw/lapic_int.h"

/* Registers, by their offset divided by 16: thus also their MSR, less 800h. */
enum {
	REG_ID = 0x02, REG_VERSION = 0x03, REG_TPR = 0x08, REG_APR = 0x09, REG_PPR = 0x0a, REG_EOI = 0x0b,
	REG_LDR = 0x0d, REG_DFR = 0x0e, REG_SVR = 0x0f, REG_ISR = 0x10, REG_TMR = 0x18, REG_IRR = 0x20,
	REG_ESR = 0x28, REG_ICR = 0x30, REG_ICR_HIGH = 0x31, REG_LVT = 0x32, REG_INITIAL = 0x38,
	REG_CURRENT = 0x39, REG_DIVIDE = 0x3e, REG_SELF_IPI = 0x3f,
};

/* Version 14h, the highest LVT entry, and the suppression of EOI broadcasts. */
#define VERSION (0x14u | (LVTS - 1) << 16 | 1u << 24)

#define SVR_ENABLE 0x100u
#define SVR_NO_BROADCAST 0x1000u
#define SVR_BITS 0x11ffu

#define LVT_MODE(lvt) ((lvt) >> 8 & 7)
#define LVT_PENDING 0x1000u /* delivery status: read-only */
#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL 0x8000u
#define LVT_MASKED 0x10000u

#define ESR_SEND_ILLEGAL 0x20u
#define ESR_RECEIVE_ILLEGAL 0x40u
#define ESR_REGISTER 0x80u

#define ICR_LOGICAL 0x800u
#define ICR_ASSERT 0x4000u
#define ICR_LEVEL 0x8000u
#define ICR_BITS 0xccfffu
#define ICR_PENDING 0x1000u

#define MSR_APIC_BASE 0x1b
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC 0x800
#define BASE_BSP (1ull << 8)
#define BASE_X2APIC (1ull << 10)
#define BASE_ADDRESS 0xfffffff000ull /* 40 bits of physical address */

#define EVERYONE 0xffffffffu
#define LOWEST_VECTOR 16

/* A message on the bus.  DEST is a local APIC's ID, or a set of logical ones; EVERYONE is a broadcast. */
struct message {
	uint32_t dest;
	bool logical;
	bool lowest; /* to the one of lowest priority among those addressed */
	bool level;
	uint8_t mode, vector;
};

static bool
in_x2apic(const struct lapic *a)
{
	return (a->state.base & (BASE_ENABLE | BASE_X2APIC)) == (BASE_ENABLE | BASE_X2APIC);
}

/* ---- priorities ---- */

/* The highest vector of a set; -1: empty. */
static int
highest(const uint32_t set[8])
{
	for (int i = 7; i >= 0; i--)
		if (set[i] != 0)
			return i * 32 + 31 - __builtin_clz(set[i]);
	return -1;
}

static void
set_vector(uint32_t set[8], uint8_t v, bool on)
{
	if (on)
		set[v >> 5] |= 1u << (v & 31);
	else
		set[v >> 5] &= ~(1u << (v & 31));
}

static bool
has_vector(const uint32_t set[8], uint8_t v)
{
	return set[v >> 5] >> (v & 31) & 1;
}

static uint8_t
processor_priority(const struct lapic *a)
{
	int serving = highest(a->state.isr);
	uint8_t class = serving < 0 ? 0 : serving & 0xf0;

	return (a->state.tpr & 0xf0) >= class ? a->state.tpr : class;
}

/* The vector that would be acknowledged now; -1: none. */
static int
deliverable(const struct lapic *a)
{
	int v = highest(a->state.irr);

	return v >= 0 && (v & 0xf0) > (processor_priority(a) & 0xf0) ? v : -1;
}

static bool
extint_pending(const struct lapic *a)
{
	uint32_t lvt = a->state.lvt[LVT_LINT0];

	if (!lapic_is_on(a))
		return a->state.lint[0];
	if (a->state.extint)
		return true;
	return a->state.lint[0] && !(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT;
}

/* ---- acceptance ---- */

/* The error interrupt's own illegal vector must not report itself. */
static void
report_error(struct lapic *a, uint32_t error)
{
	bool news = !(a->state.errors & error);
	uint8_t v = a->state.lvt[LVT_ERROR];

	a->state.errors |= error;
	if (news && v >= LOWEST_VECTOR)
		lapic_deliver_lvt(a, LVT_ERROR);
}

static bool
accept_vector(struct lapic *a, uint8_t vector, bool level)
{
	if (!(a->state.svr & SVR_ENABLE))
		return false;
	if (vector < LOWEST_VECTOR) {
		report_error(a, ESR_RECEIVE_ILLEGAL);
		return true;
	}
	set_vector(a->state.irr, vector, true);
	set_vector(a->state.tmr, vector, level);
	return true;
}

/* What INIT leaves: all but the ID, IA32_APIC_BASE and what the inputs are driven with. */
static void
init_registers(struct lapic *a)
{
	a->state.zero_ns = a->state.tsc_deadline = 0;
	a->state.ldr = 0;
	a->state.dfr = 0xffffffff;
	a->state.svr = 0xff;
	a->state.esr = a->state.errors = 0;
	a->state.icr = a->state.icr_high = 0;
	a->state.initial = a->state.divide = 0;
	a->state.tpr = a->state.extint = 0;
	memset(a->state.isr, 0, sizeof(a->state.isr));
	memset(a->state.tmr, 0, sizeof(a->state.tmr));
	memset(a->state.irr, 0, sizeof(a->state.irr));
	for (unsigned i = 0; i < LVTS; i++)
		a->state.lvt[i] = LVT_MASKED;
	if (a->state.base & BASE_BSP)
		a->state.lvt[LVT_LINT0] = APIC_EXTINT << 8;
	timer_cancel(&a->timer);
}

static void
pin(struct lapic *a, enum pin which, int level)
{
	a->pins.set(a->pins.cpu, which, level);
}

/* A message or a local event has reached A; false: it did not take it. */
static bool
accept(struct lapic *a, unsigned mode, uint8_t vector, bool level)
{
	bool taken = true;

	switch (mode) {
	case APIC_FIXED:
	case APIC_LOWEST:
		taken = accept_vector(a, vector, level);
		break;
	case APIC_SMI:
		pin(a, PIN_SMI, 1);
		break;
	case APIC_NMI:
		pin(a, PIN_NMI, 1);
		break;
	case APIC_INIT:
		init_registers(a);
		pin(a, PIN_INIT, 1);
		break;
	case APIC_STARTUP:
		pin(a, PIN_SIPI, vector);
		break;
	case APIC_EXTINT:
		a->state.extint = 1;
		break;
	default:
		taken = false;
	}
	lapic_update(a);
	return taken;
}

/* An event of entry N of the local vector table. */
void
lapic_deliver_lvt(struct lapic *a, unsigned n)
{
	uint32_t lvt = a->state.lvt[n];

	if (lvt & LVT_MASKED)
		return;
	accept(a, n == LVT_TIMER || n == LVT_ERROR ? APIC_FIXED : LVT_MODE(lvt), lvt, false);
}

/* LINT0 in the fixed mode, level-triggered: requests again for as long as it is asserted. */
static void
sample_lint0(struct lapic *a)
{
	uint32_t *lvt = &a->state.lvt[LVT_LINT0];

	if (!lapic_is_on(a) || !a->state.lint[0] || (*lvt & (LVT_MASKED | LVT_REMOTE_IRR)))
		return;
	if (LVT_MODE(*lvt) != APIC_FIXED || !(*lvt & LVT_LEVEL))
		return;
	if (accept_vector(a, *lvt, true))
		*lvt |= LVT_REMOTE_IRR;
}

/* The one place where INTR is computed. */
void
lapic_update(struct lapic *a)
{
	sample_lint0(a);
	pin(a, PIN_INTR, extint_pending(a) || (lapic_is_on(a) && deliverable(a) >= 0));
}

static void
lapic_set_lint(void *opaque, int n, int level)
{
	struct lapic *a = opaque;
	bool rises = level && !a->state.lint[n];
	uint32_t lvt = a->state.lvt[LVT_LINT0 + n];

	a->state.lint[n] = level != 0;
	if (rises && !lapic_is_on(a)) {
		if (n == 1)
			pin(a, PIN_NMI, 1);
	} else if (rises && LVT_MODE(lvt) != APIC_EXTINT) {
		if (n == 1 || LVT_MODE(lvt) != APIC_FIXED || !(lvt & LVT_LEVEL))
			lapic_deliver_lvt(a, LVT_LINT0 + n);
	}
	lapic_update(a);
}

/* ---- the bus ---- */

static bool
matches_logical(const struct lapic *a, uint32_t dest)
{
	uint32_t ldr = a->state.ldr >> 24;

	if (in_x2apic(a))
		return dest == EVERYONE || (dest >> 16 == a->id >> 4 && (dest >> (a->id & 15) & 1));
	if (dest == EVERYONE)
		return true;
	if (a->state.dfr >> 28 == 0xf)
		return ldr & dest & 0xff;
	return ((dest >> 4 & 0xf) == 0xf || (dest >> 4 & 0xf) == ldr >> 4) && (ldr & dest & 0xf);
}

static bool
addressed(const struct lapic *a, const struct message *m)
{
	if (!lapic_is_on(a))
		return false;
	if (m->logical)
		return matches_logical(a, m->dest);
	return m->dest == EVERYONE || m->dest == a->id;
}

static bool
send_lowest(struct lapic_bus *bus, const struct message *m)
{
	struct lapic *best = NULL;

	for (struct lapic *a = bus->first; a != NULL; a = a->next) {
		if (!addressed(a, m) || !(a->state.svr & SVR_ENABLE))
			continue;
		if (best == NULL || processor_priority(a) < processor_priority(best))
			best = a;
	}
	return best != NULL && accept(best, m->mode, m->vector, m->level);
}

static bool
send(struct lapic_bus *bus, const struct message *m)
{
	bool taken = false;

	if (m->lowest)
		return send_lowest(bus, m);
	for (struct lapic *a = bus->first; a != NULL; a = a->next)
		if (addressed(a, m))
			taken |= accept(a, m->mode, m->vector, m->level);
	return taken;
}

/* False: the address is no APIC's. */
static bool
message_of(uint64_t address, uint32_t data, struct message *m)
{
	*m = (struct message){
		.dest = address >> MSI_DEST_SHIFT & 0xff,
		.logical = address & MSI_LOGICAL,
		.mode = data >> MSI_MODE_SHIFT & 7,
		.vector = data,
		.level = data & MSI_LEVEL,
	};
	if (m->dest == 0xff && !m->logical)
		m->dest = EVERYONE;
	m->lowest = m->mode == APIC_LOWEST || (m->mode == APIC_FIXED && m->logical && (address & MSI_HINT));
	return address >> 20 == MSI_BASE >> 20;
}

bool
lapic_bus_message(struct dev *any_apic, uint64_t address, uint32_t data)
{
	struct message m;

	return message_of(address, data, &m) && send(((struct lapic *)any_apic)->bus, &m);
}

bool
lapic_bus_is_waiting(struct dev *any_apic, uint64_t address, uint32_t data)
{
	struct message m;

	if (!message_of(address, data, &m) || (m.mode != APIC_FIXED && m.mode != APIC_LOWEST))
		return false;
	for (struct lapic *a = ((struct lapic *)any_apic)->bus->first; a != NULL; a = a->next)
		if (addressed(a, &m) && has_vector(a->state.irr, m.vector))
			return true;
	return false;
}

void
lapic_bus_deliver(struct dev *any_apic, uint64_t address, uint32_t data)
{
	lapic_bus_message(any_apic, address, data);
}

void
lapic_bus_listen_eoi(struct dev *any_apic, struct lapic_eoi *listener)
{
	struct lapic_bus *bus = ((struct lapic *)any_apic)->bus;

	listener->next = bus->listeners;
	bus->listeners = listener;
}

static void
end_of_interrupt(struct lapic *a)
{
	int v = highest(a->state.isr);

	if (v < 0)
		return;
	set_vector(a->state.isr, v, false);
	if (!has_vector(a->state.tmr, v))
		return;
	if (LVT_MODE(a->state.lvt[LVT_LINT0]) == APIC_FIXED && (a->state.lvt[LVT_LINT0] & 0xff) == (unsigned)v)
		a->state.lvt[LVT_LINT0] &= ~LVT_REMOTE_IRR;
	if (a->state.svr & SVR_NO_BROADCAST)
		return;
	for (struct lapic_eoi *l = a->bus->listeners; l != NULL; l = l->next)
		l->eoi(l->opaque, v);
}

/* The interrupt command register was written. */
static void
send_ipi(struct lapic *a)
{
	uint32_t icr = a->state.icr;
	unsigned shorthand = icr >> 18 & 3;
	struct message m = {
		.dest = in_x2apic(a) ? a->state.icr_high : a->state.icr_high >> 24,
		.logical = icr & ICR_LOGICAL,
		.mode = icr >> 8 & 7,
		.vector = icr,
	};

	if (m.mode == APIC_INIT && (icr & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return; /* INIT level de-assert: nothing listens to it any more */
	if (m.mode <= APIC_LOWEST && m.vector < LOWEST_VECTOR) {
		report_error(a, ESR_SEND_ILLEGAL);
		return;
	}
	if (m.mode == APIC_EXTINT)
		return;
	if (!in_x2apic(a) && m.dest == 0xff && !m.logical)
		m.dest = EVERYONE;
	if (shorthand == 0) {
		m.lowest = m.mode == APIC_LOWEST;
		send(a->bus, &m);
		return;
	}
	for (struct lapic *to = a->bus->first; to != NULL; to = to->next)
		if (lapic_is_on(to) && (shorthand == 1 ? to == a : shorthand == 2 || to != a))
			accept(to, m.mode, m.vector, false);
}

/* ---- registers ---- */

static const uint32_t lvt_bits[LVTS] = { 0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff };

static void
write_lvt(struct lapic *a, unsigned n, uint32_t value)
{
	uint32_t *lvt = &a->state.lvt[n];

	value &= lvt_bits[n];
	if (!(a->state.svr & SVR_ENABLE))
		value |= LVT_MASKED;
	if (n == LVT_TIMER) {
		lapic_write_lvt_timer(a, value);
		return;
	}
	if (n == LVT_LINT0 && LVT_MODE(value) == APIC_FIXED && (value & LVT_LEVEL))
		value |= *lvt & LVT_REMOTE_IRR;
	*lvt = value;
}

static void
write_svr(struct lapic *a, uint32_t value)
{
	a->state.svr = value & SVR_BITS;
	if (value & SVR_ENABLE)
		return;
	for (unsigned i = 0; i < LVTS; i++)
		a->state.lvt[i] |= LVT_MASKED;
}

static uint32_t
read_id(const struct lapic *a)
{
	return in_x2apic(a) ? a->id : (uint32_t)a->id << 24;
}

static uint32_t
read_ldr(const struct lapic *a)
{
	return in_x2apic(a) ? (a->id & ~15u) << 12 | 1u << (a->id & 15) : a->state.ldr;
}

static uint32_t
read_register(struct lapic *a, unsigned reg)
{
	switch (reg) {
	case REG_ID: return read_id(a);
	case REG_VERSION: return VERSION;
	case REG_TPR: return a->state.tpr;
	case REG_APR:
	case REG_PPR: return processor_priority(a);
	case REG_EOI: return 0;
	case REG_LDR: return read_ldr(a);
	case REG_DFR: return a->state.dfr;
	case REG_SVR: return a->state.svr;
	case REG_ISR ... REG_ISR + 7: return a->state.isr[reg - REG_ISR];
	case REG_TMR ... REG_TMR + 7: return a->state.tmr[reg - REG_TMR];
	case REG_IRR ... REG_IRR + 7: return a->state.irr[reg - REG_IRR];
	case REG_ESR: return a->state.esr;
	case REG_ICR: return a->state.icr;
	case REG_ICR_HIGH: return a->state.icr_high;
	case REG_LVT ... REG_LVT + LVTS - 1: return a->state.lvt[reg - REG_LVT];
	case REG_INITIAL: return a->state.initial;
	case REG_CURRENT: return lapic_current_count(a);
	case REG_DIVIDE: return a->state.divide;
	default:
		report_error(a, ESR_REGISTER);
		return 0;
	}
}

static void
write_register(struct lapic *a, unsigned reg, uint32_t value)
{
	switch (reg) {
	case REG_ID: /* read-only, but written by systems that renumber old APICs */
		break;
	case REG_TPR:
		a->state.tpr = value;
		break;
	case REG_EOI:
		end_of_interrupt(a);
		break;
	case REG_LDR:
		a->state.ldr = value & 0xff000000;
		break;
	case REG_DFR:
		a->state.dfr = value | 0x0fffffff;
		break;
	case REG_SVR:
		write_svr(a, value);
		break;
	case REG_ESR:
		a->state.esr = a->state.errors;
		a->state.errors = 0;
		break;
	case REG_ICR:
		a->state.icr = value & ICR_BITS;
		send_ipi(a);
		break;
	case REG_ICR_HIGH:
		a->state.icr_high = value & 0xff000000;
		break;
	case REG_LVT ... REG_LVT + LVTS - 1:
		write_lvt(a, reg - REG_LVT, value);
		break;
	case REG_INITIAL:
		lapic_write_initial(a, value);
		break;
	case REG_DIVIDE:
		lapic_write_divide(a, value);
		break;
	default:
		report_error(a, ESR_REGISTER);
	}
	lapic_update(a);
}

/* ---- the page at FEE00000h ---- */

/* The APIC that answers an access to the page of OPAQUE's: that of the processor which makes it. */
static struct lapic *
answering(void *opaque)
{
	struct lapic *owner = opaque, *a = owner->bus->current;

	if (!lapic_is_on(a) || in_x2apic(a) || (a->state.base & BASE_ADDRESS) != owner->region.base)
		return NULL;
	return a;
}

/* A register is the first 4 of 16 bytes. */
static uint64_t
page_read(void *opaque, uint64_t offset, unsigned size)
{
	struct lapic *a = answering(opaque);

	(void)size;
	if (a == NULL)
		return UINT64_MAX;
	return offset & 0xc ? 0 : read_register(a, offset >> 4) >> 8 * (offset & 3);
}

static void
page_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct lapic *a = answering(opaque);

	(void)size;
	if (a == NULL)
		return;
	if (offset & 0xf)
		guest_bug(&a->dev, "write to %03xh, which is not aligned", (unsigned)offset);
	else
		write_register(a, offset >> 4, value);
}

static const struct region_ops page_ops = { page_read, page_write, 4, 4 };

static uint64_t
msi_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)opaque, (void)offset, (void)size;
	return UINT64_MAX;
}

static void
msi_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct lapic_bus *bus = opaque;

	if (size == 4)
		lapic_bus_deliver(&bus->first->dev, MSI_BASE | offset, value);
}

static const struct region_ops msi_ops = { msi_read, msi_write, 4, 4 };

/* The page is where IA32_APIC_BASE says, while the APIC is on and not in x2APIC mode. */
static void
place_page(struct lapic *a)
{
	gpa base = a->state.base & BASE_ADDRESS;
	bool on = lapic_is_on(a) && !in_x2apic(a);

	space_begin(a->region.space);
	if (a->region.base != base)
		region_move(&a->region, base);
	if (a->region.enabled != on)
		region_set_enabled(&a->region, on);
	space_end(a->region.space);
}

/* ---- the processor's side ---- */

static int
lapic_intr_ack(void *opaque)
{
	struct lapic *a = opaque;
	int v = lapic_is_on(a) ? deliverable(a) : -1;

	if (v >= 0) {
		set_vector(a->state.irr, v, false);
		set_vector(a->state.isr, v, true);
	} else if (extint_pending(a) && a->pic != NULL) {
		a->state.extint = 0;
		v = i8259_ack(a->pic);
	} else if (lapic_is_on(a) && highest(a->state.irr) >= 0) {
		v = a->state.svr & 0xff; /* the priority rose between INTR and its acknowledge */
	}
	lapic_update(a);
	return v;
}

static uint8_t
lapic_get_tpr(void *opaque)
{
	return ((struct lapic *)opaque)->state.tpr >> 4;
}

static void
lapic_set_tpr(void *opaque, uint8_t tpr)
{
	struct lapic *a = opaque;

	a->state.tpr = tpr << 4;
	lapic_update(a);
}

static bool
write_base(struct lapic *a, uint64_t value)
{
	uint64_t mode = BASE_ENABLE | BASE_X2APIC, old = a->state.base & mode, new = value & mode;

	if (value & ~(BASE_ADDRESS | BASE_BSP | mode))
		return false;
	if (new == BASE_X2APIC || (new == mode && old == 0) || (new == BASE_ENABLE && old == mode))
		return false;
	a->state.base = value;
	if (old != 0 && new == 0)
		init_registers(a);
	place_page(a);
	lapic_update(a);
	return true;
}

/* Bits of an MSR that may be set; -1: it can't be written. */
static int64_t
writable_bits(unsigned reg)
{
	switch (reg) {
	case REG_EOI:
	case REG_ESR: return 0;
	case REG_TPR:
	case REG_SELF_IPI: return 0xff;
	case REG_SVR: return SVR_BITS;
	case REG_ICR: return ICR_BITS | ICR_PENDING;
	case REG_LVT + LVT_TIMER: return lvt_bits[LVT_TIMER] | LVT_PENDING;
	case REG_LVT + LVT_THERMAL ... REG_LVT + LVT_ERROR:
		return lvt_bits[reg - REG_LVT] | LVT_PENDING | LVT_REMOTE_IRR;
	case REG_INITIAL: return 0xffffffff;
	case REG_DIVIDE: return 0xb;
	default: return -1;
	}
}

static bool
write_x2apic(struct lapic *a, unsigned reg, uint64_t value)
{
	int64_t allowed = writable_bits(reg);

	if (allowed < 0 || ((reg == REG_ICR ? (uint32_t)value : value) & ~allowed))
		return false;
	if (reg == REG_SELF_IPI) {
		if (value < LOWEST_VECTOR)
			report_error(a, ESR_SEND_ILLEGAL);
		else
			accept(a, APIC_FIXED, value, false);
		return true;
	}
	if (reg == REG_ICR)
		a->state.icr_high = value >> 32;
	write_register(a, reg, value);
	return true;
}

static bool
readable(unsigned reg)
{
	switch (reg) {
	case REG_ID:
	case REG_VERSION:
	case REG_TPR:
	case REG_PPR:
	case REG_LDR:
	case REG_SVR:
	case REG_ISR ... REG_IRR + 7:
	case REG_ESR:
	case REG_ICR:
	case REG_LVT ... REG_LVT + LVTS - 1:
	case REG_INITIAL:
	case REG_CURRENT:
	case REG_DIVIDE:
		return true;
	default:
		return false;
	}
}

static bool
lapic_read_msr(void *opaque, uint32_t msr, uint64_t *value)
{
	struct lapic *a = opaque;
	unsigned reg = msr - MSR_X2APIC;

	if (msr == MSR_APIC_BASE) {
		*value = a->state.base;
		return true;
	}
	if (msr == MSR_TSC_DEADLINE) {
		*value = lapic_timer_mode(a) == TIMER_DEADLINE ? a->state.tsc_deadline : 0;
		return true;
	}
	if (!in_x2apic(a) || reg > 0xff || !readable(reg))
		return false;
	*value = read_register(a, reg);
	if (reg == REG_ICR)
		*value |= (uint64_t)a->state.icr_high << 32;
	return true;
}

static bool
lapic_write_msr(void *opaque, uint32_t msr, uint64_t value)
{
	struct lapic *a = opaque;
	unsigned reg = msr - MSR_X2APIC;

	if (msr == MSR_APIC_BASE)
		return write_base(a, value);
	if (msr == MSR_TSC_DEADLINE) {
		lapic_write_tsc_deadline(a, value);
		return true;
	}
	return in_x2apic(a) && reg <= 0xff && write_x2apic(a, reg, value);
}

static void
pass_ferr(void *opaque, unsigned cpu, int level)
{
	const struct cpu_board *b = &((struct lapic *)opaque)->board;

	b->ferr(b->opaque, cpu, level);
}

static void
pass_shutdown(void *opaque)
{
	const struct cpu_board *b = &((struct lapic *)opaque)->board;

	b->shutdown(b->opaque);
}

static void
pass_smm_changed(void *opaque, bool smm)
{
	const struct cpu_board *b = &((struct lapic *)opaque)->board;

	b->smm_changed(b->opaque, smm);
}

void
lapic_serve(struct dev *apic, struct cpu_board *board, struct dev *pic)
{
	struct lapic *a = (struct lapic *)apic;

	a->board = *board;
	a->pic = pic;
	*board = (struct cpu_board){
		.opaque = a,
		.intr_ack = lapic_intr_ack,
		.get_tpr = lapic_get_tpr,
		.set_tpr = lapic_set_tpr,
		.read_msr = lapic_read_msr,
		.write_msr = lapic_write_msr,
		.ferr = a->board.ferr != NULL ? pass_ferr : NULL,
		.shutdown = a->board.shutdown != NULL ? pass_shutdown : NULL,
		.smm_changed = a->board.smm_changed != NULL ? pass_smm_changed : NULL,
	};
}

void
lapic_set_current(struct dev *apic)
{
	struct lapic *a = (struct lapic *)apic;

	a->bus->current = a;
}

void
lapic_set_tsc(struct dev *apic, uint64_t hz, uint64_t (*read_tsc)(void *opaque), void *opaque)
{
	struct lapic *a = (struct lapic *)apic;

	a->tsc_hz = hz;
	a->read_tsc = read_tsc;
	a->tsc_opaque = opaque;
	lapic_arm_timer(a);
}

struct irq
lapic_lint(struct dev *apic, unsigned n)
{
	return irq_to(lapic_set_lint, apic, n & 1);
}

/* ---- class ---- */

static void
lapic_reset(struct dev *d)
{
	struct lapic *a = (struct lapic *)d;

	a->state.base = MSI_BASE | BASE_ENABLE | (a == a->bus->first ? BASE_BSP : 0);
	init_registers(a);
	place_page(a);
	lapic_update(a);
}

static bool
lapic_loaded(struct dev *d, struct err *e)
{
	struct lapic *a = (struct lapic *)d;

	(void)e;
	a->state.base &= BASE_ADDRESS | BASE_BSP | BASE_ENABLE | BASE_X2APIC;
	if (!lapic_is_on(a))
		a->state.base &= ~BASE_X2APIC;
	place_page(a);
	lapic_arm_timer(a);
	lapic_update(a);
	return true;
}

static void
lapic_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	static const char *const names[LVTS] = { "timer", "thermal", "counters", "lint0", "lint1", "error" };
	struct lapic *a = (struct lapic *)d;
	char text[160];

	snprintf(text, sizeof(text), "apic %u: base=%llx svr=%x tpr=%02x ppr=%02x ldr=%08x dfr=%08x icr=%x:%x esr=%x\n",
		a->id, (unsigned long long)a->state.base, a->state.svr, a->state.tpr, processor_priority(a),
		read_ldr(a), a->state.dfr, a->state.icr_high, a->state.icr, a->state.esr);
	print(opaque, text);
	for (unsigned i = 0; i < LVTS; i++) {
		snprintf(text, sizeof(text), "  lvt %-8s %08x\n", names[i], a->state.lvt[i]);
		print(opaque, text);
	}
	snprintf(text, sizeof(text), "  timer initial=%x current=%x divide=%u highest irr=%d isr=%d\n", a->state.initial,
		lapic_current_count(a), 1u << lapic_divider(a), highest(a->state.irr), highest(a->state.isr));
	print(opaque, text);
}

static void
lapic_destroy(struct dev *d)
{
	struct lapic *a = (struct lapic *)d, **link = &a->bus->first;

	timer_cancel(&a->timer);
	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	space_remove(&a->region);
	if (a->bus->current == a)
		a->bus->current = a->bus->first;
	if (--a->bus->users == 0) {
		space_remove(&a->bus->msi);
		free(a->bus);
	}
}

static const struct field fields[] = {
	FIELD_OF(struct lapic, state.base),
	FIELD_OF(struct lapic, state.zero_ns),
	FIELD_OF(struct lapic, state.tsc_deadline),
	FIELD_OF(struct lapic, state.ldr),
	FIELD_OF(struct lapic, state.dfr),
	FIELD_MAX(struct lapic, state.svr, SVR_BITS),
	FIELD_OF(struct lapic, state.esr),
	FIELD_OF(struct lapic, state.errors),
	FIELD_OF(struct lapic, state.icr),
	FIELD_OF(struct lapic, state.icr_high),
	FIELD_ARRAY(struct lapic, state.lvt),
	FIELD_OF(struct lapic, state.initial),
	FIELD_MAX(struct lapic, state.divide, 0xb),
	FIELD_ARRAY(struct lapic, state.isr),
	FIELD_ARRAY(struct lapic, state.tmr),
	FIELD_ARRAY(struct lapic, state.irr),
	FIELD_OF(struct lapic, state.tpr),
	FIELD_ARRAY(struct lapic, state.lint),
	FIELD_MAX(struct lapic, state.extint, 1),
	FIELD_END,
};

static const struct dev_class lapic_class = {
	DEV_OF(lapic),
	.description = "local APIC",
	.fields = fields,
	.reset = lapic_reset,
	.loaded = lapic_loaded,
	.info = lapic_info,
	.destroy = lapic_destroy,
};

/* The bus that the local APICs of ENV's machine share. */
static struct lapic_bus *
find_bus(const struct dev_env *env)
{
	struct lapic_bus *bus;

	for (struct dev *d = *env->devices; d != NULL; d = d->next)
		if (d->cls == &lapic_class && ((struct lapic *)d)->bus != NULL)
			return ((struct lapic *)d)->bus;
	bus = xcalloc(1, sizeof(*bus));
	region_init_io(&bus->msi, "msi", &msi_ops, bus, MiB);
	space_add(env->mem, &bus->msi, MSI_BASE, 10);
	return bus;
}

static void
join_bus(struct lapic *a, struct lapic_bus *bus)
{
	struct lapic **link = &bus->first;

	while (*link != NULL)
		link = &(*link)->next;
	*link = a;
	a->bus = bus;
	bus->users++;
	if (bus->current == NULL)
		bus->current = a;
}

struct dev *
lapic_new(const struct dev_env *env, unsigned id, struct cpu_pins pins)
{
	struct dev *d = dev_new(env, &lapic_class, NULL);
	struct lapic *a = (struct lapic *)d;

	a->id = id;
	a->pins = pins;
	a->clock = env->clock;
	timer_init(&a->timer, env->clock, lapic_timer_fired, a);
	a->timer.any_thread = true;
	join_bus(a, find_bus(env));
	region_init_io(&a->region, "lapic", &page_ops, a, 4096);
	space_add(env->mem, &a->region, MSI_BASE, 11);
	lapic_reset(d);
	return d;
}
