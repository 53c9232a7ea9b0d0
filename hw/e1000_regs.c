/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: the registers, chapter 13 of the manual.  Most are storage with a mask; a few do something when they are read
 * or written.  Software for the 82542 finds its own at their old addresses ("alias address" in the manual).
 */
#include "hw/e1000.h"

#include "base/util.h"

#include <stdlib.h>

typedef uint32_t read_fn(struct e1000 *d, unsigned offset);
typedef void write_fn(struct e1000 *d, unsigned offset, uint32_t value);

/* COUNT registers from OFFSET, STRIDE bytes apart; WRITABLE bits are stored before WRITE is called with all of them. */
struct rule {
	uint16_t offset, count, stride;
	uint32_t reset, writable;
	read_fn *read;
	write_fn *write;
};

/* For each of the E1000_REGS_END / 4 places: whose rule holds (0: there is no register), and where its value is. */
struct e1000_reg_map {
	uint8_t rule[E1000_REGS_END / 4];
	uint16_t place[E1000_REGS_END / 4];
};

/* ---- reading ---- */

static uint32_t
read_zero(struct e1000 *d, unsigned offset)
{
	(void)d, (void)offset;
	return 0;
}

static uint32_t
read_eecd(struct e1000 *d, unsigned offset)
{
	(void)offset;
	return e1000_eecd_read(d);
}

static uint32_t
read_icr(struct e1000 *d, unsigned offset)
{
	uint32_t causes = e1000_get(d, offset);

	if (causes != 0) {
		*e1000_reg(d, offset) = 0;
		e1000_update_irq(d);
	}
	return causes;
}

static uint32_t
read_counter(struct e1000 *d, unsigned offset)
{
	uint32_t value = e1000_get(d, offset);

	*e1000_reg(d, offset) = 0;
	return value;
}

/* Those of 64 bits are cleared when their upper half is read. */
static uint32_t
read_upper(struct e1000 *d, unsigned offset)
{
	*e1000_reg(d, offset - 4) = 0;
	return read_counter(d, offset);
}

/* ---- writing ---- */

static void
write_ctrl(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	if (value & CTRL_PHY_RST)
		e1000_phy_reset(d);
	if (value & CTRL_RST)
		e1000_mac_reset(d);
	e1000_update_link(d);
}

static void
write_eecd(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	e1000_eecd_write(d, value);
}

static void
write_eerd(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) = e1000_eerd(d, value);
}

/* EE_RST loads what the EEPROM has for the MAC again. */
static void
write_ctrl_ext(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	if (value & 1u << 13)
		e1000_load_address(d);
}

static void
write_mdic(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) = e1000_mdic_write(d, value);
	if (value & 1u << 29)
		e1000_cause(d, INT_MDAC);
}

static void
write_icr(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) &= ~value;
	e1000_update_irq(d);
}

static void
write_ics(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	e1000_cause(d, value & INT_ALL);
}

static void
write_ims(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) |= value & INT_ALL;
	e1000_update_irq(d);
}

static void
write_imc(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	*e1000_reg(d, IMS) &= ~value;
	e1000_update_irq(d);
}

/* Who gives buffers has seen what was in those before. */
static void
write_receive(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset, (void)value;
	d->state.frames_waiting = 0;
	e1000_rx_kick(d);
}

static void
write_transmit(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset, (void)value;
	e1000_tx_kick(d);
}

static void
write_rdtr(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	if ((value & DELAY_FPD) && d->rx_timer.armed)
		e1000_rx_delay_over(d);
}

static void
write_tidv(struct e1000 *d, unsigned offset, uint32_t value)
{
	(void)offset;
	if ((value & DELAY_FPD) && d->tx_timer.armed)
		e1000_tx_delay_over(d);
}

/* What the receiver doesn't get of the 64 KiB is the transmitter's. */
static void
write_pba(struct e1000 *d, unsigned offset, uint32_t value)
{
	uint32_t receive = MIN(value & 0x7f, 64);

	*e1000_reg(d, offset) = receive | (64 - receive) << 16;
}

static void
write_clears(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) &= ~value;
}

/* PME_Status, bit 2, is cleared by writing it. */
static void
write_wuc(struct e1000 *d, unsigned offset, uint32_t value)
{
	*e1000_reg(d, offset) &= ~(value & 4);
}

/* ---- the table ---- */

static const struct rule rules[] = {
	{ 0 },
	{ CTRL, 1, 4, 0x00000201, 0x58fc1be9, NULL, write_ctrl },
	{ STATUS, 1, 4, STATUS_MTXCKOK, 0, NULL, NULL },
	{ EECD, 1, 4, 0, 0x00000077, read_eecd, write_eecd },
	{ EERD, 1, 4, 0, 0, NULL, write_eerd },
	{ CTRL_EXT, 1, 4, 0, 0x00028ccf, NULL, write_ctrl_ext },
	{ FLA, 1, 4, 0, 0, NULL, NULL },
	{ MDIC, 1, 4, 1u << 28, 0, NULL, write_mdic },
	{ FCAL, 1, 4, 0, 0xffffffff, NULL, NULL },
	{ FCAH, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ FCT, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ VET, 1, 4, 0x8100, 0x0000ffff, NULL, NULL },
	{ ICR, 1, 4, 0, 0, read_icr, write_icr },
	{ ITR, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ ICS, 1, 4, 0, 0, read_zero, write_ics },
	{ IMS, 1, 4, 0, 0, NULL, write_ims },
	{ IMC, 1, 4, 0, 0, read_zero, write_imc },
	{ RCTL, 1, 4, 0, 0x06dfb3fe, NULL, write_receive },
	{ FCTTV, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ TXCW, 1, 4, 0, 0xc000ffff, NULL, NULL },
	{ RXCW, 1, 4, 0, 0, NULL, NULL },
	{ TCTL, 1, 4, 0, 0x01fffffa, NULL, write_transmit },
	{ TIPG, 1, 4, 0x00602006, 0x3fffffff, NULL, NULL },
	{ AIT, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ LEDCTL, 1, 4, 0x07068302, 0xcfcfcfcf, NULL, NULL },
	{ PBA, 1, 4, 0x00100030, 0, NULL, write_pba },
	{ FCRTL, 1, 4, 0, 0x8000fff8, NULL, NULL },
	{ FCRTH, 1, 4, 0, 0x8000fff8, NULL, NULL },
	{ RDFH, 5, 8, 0, 0x00001fff, NULL, NULL },
	{ RDBAL, 1, 4, 0, 0xfffffff0, NULL, NULL },
	{ RDBAH, 1, 4, 0, 0xffffffff, NULL, NULL },
	{ RDLEN, 1, 4, 0, 0x000fff80, NULL, NULL },
	{ RDH, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ RDT, 1, 4, 0, 0x0000ffff, NULL, write_receive },
	{ RDTR, 1, 4, 0, 0x0000ffff, NULL, write_rdtr },
	{ RXDCTL, 1, 4, 0x00010000, 0x013f3f3f, NULL, NULL },
	{ RADV, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ RSRPD, 1, 4, 0, 0x00000fff, NULL, NULL },
	{ TXDMAC, 1, 4, 1, 0x00000001, NULL, NULL },
	{ TDFH, 5, 8, 0, 0x00001fff, NULL, NULL },
	{ TDBAL, 1, 4, 0, 0xfffffff0, NULL, NULL },
	{ TDBAH, 1, 4, 0, 0xffffffff, NULL, NULL },
	{ TDLEN, 1, 4, 0, 0x000fff80, NULL, NULL },
	{ TDH, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ TDT, 1, 4, 0, 0x0000ffff, NULL, write_transmit },
	{ TIDV, 1, 4, 0, 0x0000ffff, NULL, write_tidv },
	{ TXDCTL, 1, 4, 0, 0xff3f3f3f, NULL, NULL },
	{ TADV, 1, 4, 0, 0x0000ffff, NULL, NULL },
	{ TSPMT, 1, 4, 0x01000400, 0xffffffff, NULL, NULL },
	{ CRCERRS, 64, 4, 0, 0, read_counter, NULL },
	{ GORCL, 1, 4, 0, 0, NULL, NULL },
	{ GORCH, 1, 4, 0, 0, read_upper, NULL },
	{ GOTCL, 1, 4, 0, 0, NULL, NULL },
	{ GOTCH, 1, 4, 0, 0, read_upper, NULL },
	{ TORL, 1, 4, 0, 0, NULL, NULL },
	{ TORH, 1, 4, 0, 0, read_upper, NULL },
	{ TOTL, 1, 4, 0, 0, NULL, NULL },
	{ TOTH, 1, 4, 0, 0, read_upper, NULL },
	{ RXCSUM, 1, 4, 0, 0x000007ff, NULL, NULL },
	{ MTA, 128, 4, 0, 0xffffffff, NULL, NULL },
	{ RAL0, E1000_RAR_COUNT, 8, 0, 0xffffffff, NULL, NULL },
	{ RAH0, E1000_RAR_COUNT, 8, 0, 0x8003ffff, NULL, NULL },
	{ VFTA, 128, 4, 0, 0xffffffff, NULL, NULL },
	{ WUC, 1, 4, 0, 0x0000000b, NULL, write_wuc },
	{ WUFC, 1, 4, 0, 0x000f00ff, NULL, NULL },
	{ WUS, 1, 4, 0, 0, NULL, write_clears },
	{ MANC, 1, 4, 0, 0xffffffff, NULL, NULL },
	{ IPAV, 1, 4, 0, 0x0001000f, NULL, NULL },
	{ IP4AT, 4, 8, 0, 0xffffffff, NULL, NULL },
	{ IP6AT, 4, 4, 0, 0xffffffff, NULL, NULL },
	{ WUPL, 1, 4, 0, 0, NULL, NULL },
	{ WUPM, 32, 4, 0, 0, NULL, NULL },
	{ FFLT, 4, 8, 0, 0x000007ff, NULL, NULL },
	{ FFMT, 128, 8, 0, 0x0000000f, NULL, NULL },
	{ FFVT, 128, 8, 0, 0xffffffff, NULL, NULL },
};

/* Addresses of the 82542. */
static const struct {
	uint16_t offset, target, count, stride, target_stride;
} aliases[] = {
	{ 0x0040, RAL0, 2 * E1000_RAR_COUNT, 4, 4 },
	{ 0x0108, RDTR, 1, 4, 4 },
	{ 0x0110, RDBAL, 3, 4, 4 },
	{ 0x0120, RDH, 2, 8, 8 },
	{ 0x0160, FCRTH, 1, 4, 4 },
	{ 0x0168, FCRTL, 1, 4, 4 },
	{ 0x0200, MTA, 128, 4, 4 },
	{ 0x0420, TDBAL, 3, 4, 4 },
	{ 0x0430, TDH, 3, 8, 8 },
	{ 0x0600, VFTA, 128, 4, 4 },
	{ 0x8000, RDFH, 2, 8, 8 },
	{ 0x8010, TDFH, 2, 8, 8 },
};

struct e1000_reg_map *
e1000_map_new(void)
{
	struct e1000_reg_map *map = xcalloc(1, sizeof(*map));

	for (unsigned n = 1; n < ARRAY_SIZE(rules); n++) {
		for (unsigned i = 0; i < rules[n].count; i++) {
			unsigned at = (rules[n].offset + i * rules[n].stride) / 4;

			map->rule[at] = (uint8_t)n;
			map->place[at] = (uint16_t)(at * 4);
		}
	}
	for (unsigned n = 0; n < ARRAY_SIZE(aliases); n++) {
		for (unsigned i = 0; i < aliases[n].count; i++) {
			unsigned at = (aliases[n].offset + i * aliases[n].stride) / 4;
			unsigned target = aliases[n].target + i * aliases[n].target_stride;

			map->rule[at] = map->rule[target / 4];
			map->place[at] = (uint16_t)target;
		}
	}
	return map;
}

/* ---- resetting, loading ---- */

void
e1000_regs_reset(struct e1000 *d)
{
	memset(d->state.reg, 0, sizeof(d->state.reg));
	for (unsigned n = 1; n < ARRAY_SIZE(rules); n++) {
		for (unsigned i = 0; i < rules[n].count && rules[n].reset != 0; i++)
			*e1000_reg(d, rules[n].offset + i * rules[n].stride) = rules[n].reset;
	}
}

/* Bits that no register has are put right. */
void
e1000_regs_loaded(struct e1000 *d)
{
	for (unsigned offset = 0; offset < E1000_REGS_END; offset += 4) {
		const struct rule *rule = &rules[d->map->rule[offset / 4]];
		bool own = rule != rules && d->map->place[offset / 4] == offset;

		if (!own)
			*e1000_reg(d, offset) = 0;
		else if (rule->writable != 0)
			*e1000_reg(d, offset) &= rule->writable | rule->reset;
	}
	*e1000_reg(d, ICR) &= INT_ALL;
	*e1000_reg(d, IMS) &= INT_ALL;
	write_pba(d, PBA, e1000_get(d, PBA));
}

/* ---- access ---- */

uint32_t
e1000_read(struct e1000 *d, uint32_t offset)
{
	const struct rule *rule;

	if (offset >= PBM && offset < E1000_SPACE)
		return d->state.packet_buffer[(offset - PBM) / 4];
	if (offset >= E1000_REGS_END)
		return 0;
	rule = &rules[d->map->rule[offset / 4]];
	if (rule == rules) {
		guest_bug(&d->pci.dev, "reading register %x, which is not there", offset);
		return 0;
	}
	offset = d->map->place[offset / 4];
	return rule->read != NULL ? rule->read(d, offset) : e1000_get(d, offset);
}

void
e1000_write(struct e1000 *d, uint32_t offset, uint32_t value)
{
	const struct rule *rule;

	if (offset >= PBM && offset < E1000_SPACE)
		d->state.packet_buffer[(offset - PBM) / 4] = value;
	if (offset >= E1000_REGS_END)
		return;
	rule = &rules[d->map->rule[offset / 4]];
	if (rule == rules) {
		guest_bug(&d->pci.dev, "writing register %x, which is not there", offset);
		return;
	}
	offset = d->map->place[offset / 4];
	*e1000_reg(d, offset) = (e1000_get(d, offset) & ~rule->writable) | (value & rule->writable);
	if (rule->write != NULL)
		rule->write(d, offset, value);
}
