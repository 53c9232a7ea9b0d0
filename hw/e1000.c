/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82540EM, a gigabit Ethernet controller, by the "PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual", order number 317453.  e1000_regs.c has its registers, e1000_tx.c and e1000_rx.c the two rings,
 * e1000_phy.c and e1000_eeprom.c what stands beside the chip; here are PCI, the interrupt and the link.
 *
 * What the receiver has no buffers for waits in the cable, so the chip's own FIFO is always empty.
 *
 * Left out on purpose: flash, the check sequence of frames (software that keeps it sees zeros), collisions, pause frames
 * of our own (the cable waits by itself), management by SMBus, and waking the machine by ARP, IP address or pattern.
 */
#include "hw/e1000.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "hw/hw.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	PORTS_SIZE = 64,
	IOADDR = 0,
	IODATA = 4,
	PMCSR = PM_CAPABILITY + 4,
	ITR_UNIT_NS = 256,
	LEAST_NS = 50 * 1000, /* between two interrupts, or before a timer */
	EARLY_FRAMES = 16,
};

/* ---- the interrupt ---- */

/*
 * ITR holds interrupts back, so that each is for many frames; the sooner these are there, the sooner it comes.  Guests ask
 * for up to 250 us, in which a sender whose window is 64 KiB, as that of -netdev user, would stand still most of the time.
 */
static bool
is_held_back(struct e1000 *d, uint64_t now)
{
	return now < d->state.irq_after_ns && d->state.frames_waiting < EARLY_FRAMES;
}

/* If it is set, it stays, but for an earlier time. */
static void
set_irq_timer(struct e1000 *d, uint64_t deadline)
{
	if (!d->irq_timer.armed || deadline < d->irq_timer.deadline_ns)
		timer_set(&d->irq_timer, deadline);
}

static void
raise_line(struct e1000 *d, uint64_t now)
{
	if (e1000_get(d, ITR) != 0)
		d->state.irq_after_ns = now + MAX(e1000_get(d, ITR) * ITR_UNIT_NS, LEAST_NS);
	d->state.frames_waiting = 0;
	timer_cancel(&d->irq_timer);
	pci_set_intx(&d->pci, 1);
}

static bool
is_wanted(const struct e1000 *d)
{
	return (e1000_get(d, ICR) & e1000_get(d, IMS)) != 0;
}

/*
 * In the loop's thread, the line rises when all that came has been stored, by a timer that is due at once: a processor that
 * is interrupted before wants the lock, and stands still until the loop lets it go.
 */
void
e1000_update_irq(struct e1000 *d)
{
	bool wanted = is_wanted(d);
	uint64_t now;

	if (wanted == (d->state.pci.intx != 0))
		return;
	if (!wanted) {
		pci_set_intx(&d->pci, 0);
		return;
	}
	now = clock_now(d->clock);
	if (is_held_back(d, now))
		set_irq_timer(d, d->state.irq_after_ns);
	else if (loop_is_here(d->loop))
		set_irq_timer(d, now);
	else
		raise_line(d, now);
}

static void
irq_time(void *opaque)
{
	struct e1000 *d = opaque;

	if (is_wanted(d) && d->state.pci.intx == 0)
		raise_line(d, clock_now(d->clock));
}

void
e1000_cause(struct e1000 *d, uint32_t causes)
{
	*e1000_reg(d, ICR) |= causes;
	e1000_update_irq(d);
}

/* ---- statistics ---- */

/* Counters stop at their largest value. */
void
e1000_count(struct e1000 *d, unsigned counter, uint32_t n)
{
	uint32_t *v = e1000_reg(d, counter);

	*v = n > UINT32_MAX - *v ? UINT32_MAX : *v + n;
}

void
e1000_count_octets(struct e1000 *d, unsigned low, uint64_t n)
{
	uint64_t v = e1000_get(d, low) | (uint64_t)e1000_get(d, low + 4) << 32;

	v = n > UINT64_MAX - v ? UINT64_MAX : v + n;
	*e1000_reg(d, low) = (uint32_t)v;
	*e1000_reg(d, low + 4) = (uint32_t)(v >> 32);
}

unsigned
e1000_size_counter(unsigned first, size_t len)
{
	unsigned n = len <= 64 ? 0 : len <= 127 ? 1 : len <= 255 ? 2 : len <= 511 ? 3 : len <= 1023 ? 4 : 5;

	return first + 4 * n;
}

/* ---- the link ---- */

void
e1000_update_link(struct e1000 *d)
{
	uint32_t ctrl = e1000_get(d, CTRL), old = e1000_get(d, STATUS), status = old & STATUS_TXOFF;
	unsigned speed = ctrl & CTRL_FRCSPD ? bits(ctrl, 8, 2) : e1000_phy_speed(d);
	bool full = ctrl & CTRL_FRCDPX ? (ctrl & CTRL_FD) != 0 : e1000_phy_full_duplex(d);

	status |= STATUS_MTXCKOK | speed << 6 | e1000_phy_speed(d) << 8 | (full ? STATUS_FD : 0);
	if (d->state.phy_link && (ctrl & CTRL_SLU))
		status |= STATUS_LU;
	*e1000_reg(d, STATUS) = status;
	if ((status ^ old) & STATUS_LU) {
		e1000_cause(d, INT_LSC);
		e1000_rx_kick(d);
	}
}

static void
cable_changed(void *opaque, bool up)
{
	(void)up;
	e1000_phy_cable(opaque);
}

static void
describe(void *opaque, char *text, size_t size)
{
	const struct e1000 *d = opaque;

	snprintf(text, size, "model=e1000,macaddr=%02x:%02x:%02x:%02x:%02x:%02x", d->mac[0], d->mac[1], d->mac[2], d->mac[3],
		d->mac[4], d->mac[5]);
}

static const struct net_end_ops end_ops = {
	.kind = "e1000", .receive = e1000_receive, .link = cable_changed, .describe = describe,
};

/* ---- the windows ---- */

bool
e1000_is_on(const struct e1000 *d)
{
	return (pci_get(&d->pci, PMCSR, 2) & 3) == 0 && (pci_get(&d->pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER);
}

/* Asleep, the chip answers to configuration space alone; and what its own DMA finds here is nothing. */
static bool
answers(const struct e1000 *d)
{
	return !d->working && (pci_get(&d->pci, PMCSR, 2) & 3) == 0;
}

static uint64_t
mmio_read(void *opaque, uint64_t offset, unsigned size)
{
	(void)size;
	return answers(opaque) ? e1000_read(opaque, offset & ~3u) >> 8 * (offset & 3) : UINT32_MAX;
}

static void
mmio_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	(void)size;
	if (answers(opaque))
		e1000_write(opaque, offset & ~3u, value << 8 * (offset & 3));
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct e1000 *d = opaque;

	(void)size;
	if (!answers(d))
		return UINT32_MAX;
	switch (offset & ~3u) {
	case IOADDR:
		return d->state.io_address;
	case IODATA:
		return e1000_read(d, d->state.io_address & ~3u);
	}
	return 0;
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct e1000 *d = opaque;

	(void)size;
	if (!answers(d))
		return;
	switch (offset & ~3u) {
	case IOADDR:
		d->state.io_address = value & (E1000_SPACE - 1);
		break;
	case IODATA:
		e1000_write(d, d->state.io_address & ~3u, value);
		break;
	}
}

static const struct region_ops mmio_ops = { mmio_read, mmio_write, 4, 4 };
static const struct region_ops ports_ops = { ports_read, ports_write, 4, 4 };

/* ---- resetting ---- */

void
e1000_mac_reset(struct e1000 *d)
{
	e1000_regs_reset(d);
	e1000_load_address(d);
	memset(&d->state.context, 0, sizeof(d->state.context));
	memset(&d->state.tso_context, 0, sizeof(d->state.tso_context));
	memset(&d->state.partial, 0, sizeof(d->state.partial));
	d->state.irq_after_ns = d->state.rx_since_ns = d->state.tx_since_ns = d->state.paused_until_ns = 0;
	d->state.tx_blocked = 0;
	d->state.frames_waiting = 0;
	timer_cancel(&d->irq_timer);
	timer_cancel(&d->rx_timer);
	timer_cancel(&d->tx_timer);
	timer_cancel(&d->work_timer);
	e1000_update_irq(d);
}

static struct e1000 *
e1000_of(struct dev *d)
{
	return CONTAINER_OF(d, struct e1000, pci.dev);
}

/* From D3 to D0 it is as after a reset. */
static void
config_written(struct pci_dev *p, unsigned reg, unsigned size)
{
	struct e1000 *d = CONTAINER_OF(p, struct e1000, pci);
	uint8_t state = pci_get(p, PMCSR, 1) & 3;

	if (reg < PMCSR + 2 && reg + size > PMCSR && state != d->state.power_state) {
		/* D1 and D2 are not there. */
		if (state == 1 || state == 2)
			pci_put(p, PMCSR, 1, (pci_get(p, PMCSR, 1) & ~3u) | d->state.power_state);
		else if (state == 0)
			e1000_mac_reset(d);
		d->state.power_state = pci_get(p, PMCSR, 1) & 3;
		e1000_update_link(d);
	}
	if (reg <= PCI_COMMAND + 1 && reg + size > PCI_COMMAND) {
		e1000_rx_kick(d);
		e1000_tx_kick(d);
	}
}

static void
e1000_reset(struct dev *dev)
{
	struct e1000 *d = e1000_of(dev);

	pci_reset(&d->pci);
	memset(d->state.packet_buffer, 0, sizeof(d->state.packet_buffer));
	memset(&d->state.wire, 0, sizeof(d->state.wire));
	d->state.wire.data_out = 1;
	d->state.io_address = 0;
	d->state.power_state = 0;
	e1000_mac_reset(d);
	e1000_phy_power_on(d);
}

static bool
e1000_loaded(struct dev *dev, struct err *e)
{
	struct e1000 *d = e1000_of(dev);

	pci_loaded(&d->pci);
	e1000_regs_loaded(d);
	if (d->state.partial.len > sizeof(d->state.partial.bytes) || !e1000_tx_possible(d))
		return err_set(e, "a packet of %u bytes, which can't be under way", d->state.partial.len);
	if (d->state.wire.out_left > 16)
		return err_set(e, "%u bits of an EEPROM's word", d->state.wire.out_left);
	d->state.tx_blocked = 0;
	d->state.padding = 0;
	memset(d->state.context.spare, 0, sizeof(d->state.context.spare));
	memset(d->state.tso_context.spare, 0, sizeof(d->state.tso_context.spare));
	memset(d->state.wire.spare, 0, sizeof(d->state.wire.spare));
	memset(d->state.partial.spare, 0, sizeof(d->state.partial.spare));
	e1000_tx_kick(d);
	return true;
}

static void
e1000_info(struct dev *dev, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct e1000 *d = e1000_of(dev);
	char text[200];

	snprintf(text, sizeof(text), "  link %s, ctrl %08x, status %08x, icr %08x, ims %08x, itr %u\n",
		e1000_get(d, STATUS) & STATUS_LU ? "up" : "down", e1000_get(d, CTRL), e1000_get(d, STATUS), e1000_get(d, ICR),
		e1000_get(d, IMS), e1000_get(d, ITR));
	print(opaque, text);
	snprintf(text, sizeof(text), "  receive: rctl %08x, %u buffers, head %u, tail %u\n", e1000_get(d, RCTL),
		e1000_get(d, RDLEN) / 16, e1000_get(d, RDH), e1000_get(d, RDT));
	print(opaque, text);
	snprintf(text, sizeof(text), "  transmit: tctl %08x, %u buffers, head %u, tail %u\n", e1000_get(d, TCTL),
		e1000_get(d, TDLEN) / 16, e1000_get(d, TDH), e1000_get(d, TDT));
	print(opaque, text);
}

static void
e1000_destroy(struct dev *dev)
{
	struct e1000 *d = e1000_of(dev);

	timer_cancel(&d->irq_timer);
	timer_cancel(&d->rx_timer);
	timer_cancel(&d->tx_timer);
	timer_cancel(&d->work_timer);
	timer_cancel(&d->link_timer);
	net_end_free(d->end);
	pci_detach(&d->pci);
	free(d->map);
	free(d->scratch);
}

/* ---- the class ---- */

#define CONTEXT_FIELDS(member) \
	FIELD_OF(struct e1000, member.payload_len), FIELD_OF(struct e1000, member.ip_end), \
	FIELD_OF(struct e1000, member.tu_end), FIELD_OF(struct e1000, member.mss), FIELD_OF(struct e1000, member.ip_start), \
	FIELD_OF(struct e1000, member.ip_sum), FIELD_OF(struct e1000, member.tu_start), FIELD_OF(struct e1000, member.tu_sum), \
	FIELD_OF(struct e1000, member.header_len), FIELD_MAX(struct e1000, member.is_tcp, 1), \
	FIELD_MAX(struct e1000, member.is_ip4, 1), FIELD_SKIP(struct e1000, member.spare)

static const struct field fields[] = {
	PCI_FIELDS(struct e1000),
	FIELD_ARRAY(struct e1000, state.reg),
	FIELD_ARRAY(struct e1000, state.packet_buffer),
	FIELD_ARRAY(struct e1000, state.eeprom),
	FIELD_ARRAY(struct e1000, state.phy),
	FIELD_OF(struct e1000, state.wire.shifted),
	FIELD_MAX(struct e1000, state.wire.count, 25),
	FIELD_OF(struct e1000, state.wire.out),
	FIELD_MAX(struct e1000, state.wire.out_left, 16),
	FIELD_MAX(struct e1000, state.wire.writable, 1),
	FIELD_MAX(struct e1000, state.wire.data_out, 1),
	FIELD_MAX(struct e1000, state.wire.clock, 1),
	FIELD_SKIP(struct e1000, state.wire.spare),
	CONTEXT_FIELDS(state.context),
	CONTEXT_FIELDS(state.tso_context),
	FIELD_MAX(struct e1000, state.partial.len, E1000_FRAME_MAX),
	FIELD_OF(struct e1000, state.partial.sent),
	FIELD_OF(struct e1000, state.partial.total),
	FIELD_OF(struct e1000, state.partial.special),
	FIELD_MAX(struct e1000, state.partial.started, 1),
	FIELD_MAX(struct e1000, state.partial.gathered, 1),
	FIELD_MAX(struct e1000, state.partial.bad, 1),
	FIELD_MAX(struct e1000, state.partial.segmenting, 1),
	FIELD_OF(struct e1000, state.partial.options),
	FIELD_MAX(struct e1000, state.partial.vlan, 1),
	FIELD_OF(struct e1000, state.partial.css),
	FIELD_OF(struct e1000, state.partial.cso),
	FIELD_SKIP(struct e1000, state.partial.spare),
	FIELD_BUFFER(struct e1000, state.partial.bytes),
	FIELD_OF(struct e1000, state.irq_after_ns),
	FIELD_OF(struct e1000, state.rx_since_ns),
	FIELD_OF(struct e1000, state.tx_since_ns),
	FIELD_OF(struct e1000, state.paused_until_ns),
	FIELD_OF(struct e1000, state.frames_waiting),
	FIELD_SKIP(struct e1000, state.padding),
	FIELD_MAX(struct e1000, state.io_address, E1000_SPACE - 1),
	FIELD_MAX(struct e1000, state.phy_link, 1),
	FIELD_MAX(struct e1000, state.link_was_lost, 1),
	FIELD_SKIP(struct e1000, state.tx_blocked),
	FIELD_MAX(struct e1000, state.power_state, 3),
	FIELD_TIMER_OF(struct e1000, irq_timer),
	FIELD_TIMER_OF(struct e1000, rx_timer),
	FIELD_TIMER_OF(struct e1000, tx_timer),
	FIELD_TIMER_OF(struct e1000, work_timer),
	FIELD_TIMER_OF(struct e1000, link_timer),
	FIELD_END
};

static const struct dev_class e1000_class = {
	DEV_OF(e1000),
	.description = "Intel 82540EM Gigabit Ethernet",
	.fields = fields,
	.reset = e1000_reset,
	.loaded = e1000_loaded,
	.info = e1000_info,
	.destroy = e1000_destroy,
};

struct dev *
e1000_new(const struct dev_env *env, struct pci_bus *bus, struct net *net, const struct e1000_config *config)
{
	static const struct pci_id id = { .vendor = 0x8086, .device = 0x100e, .class = 0x020000, .revision = 2, .pin = 1 };
	struct e1000 *d = e1000_of(dev_new(env, &e1000_class, config->id));

	d->clock = env->clock;
	d->loop = env->loop;
	memcpy(d->mac, config->mac, sizeof(d->mac));
	d->map = e1000_map_new();
	d->scratch = xcalloc(1, E1000_SCRATCH);
	d->end = net_end_new(net, config->id, &end_ops, d);
	timer_init(&d->irq_timer, env->clock, irq_time, d);
	timer_init(&d->rx_timer, env->clock, e1000_rx_delay_over, d);
	timer_init(&d->tx_timer, env->clock, e1000_tx_delay_over, d);
	timer_init(&d->work_timer, env->clock, e1000_tx_run, d);
	timer_init(&d->link_timer, env->clock, e1000_phy_negotiated, d);
	pci_attach(&d->pci, bus, config->devfn, &d->state.pci, &id);
	d->pci.config_written = config_written;
	region_init_io(&d->mmio, "e1000", &mmio_ops, d, E1000_SPACE);
	region_init_io(&d->ports, "e1000-ports", &ports_ops, d, PORTS_SIZE);
	pci_add_bar(&d->pci, 0, PCI_BAR_MEM, &d->mmio);
	pci_add_bar(&d->pci, 2, PCI_BAR_IO, &d->ports);
	pci_init_config(&d->pci, PCI_INTERRUPT_PIN + 1, 1, 0xff, 0); /* MIN_GNT */
	pci_add_capability(&d->pci, 1, PM_CAPABILITY, 8);
	pci_init_config(&d->pci, PM_CAPABILITY + 2, 2, 0xc822, 0); /* version 2; PME# in D3 */
	pci_init_config(&d->pci, PMCSR, 2, 0, 0x1f03);
	store_le(d->pci.clear_mask + PMCSR, 0x8000, 2);
	if (config->rom != NULL)
		pci_set_rom(&d->pci, config->rom, config->rom_size);
	e1000_eeprom_fill(d);
	e1000_reset(&d->pci.dev);
	return &d->pci.dev;
}

struct net_end *
e1000_end(struct dev *dev)
{
	return e1000_of(dev)->end;
}
