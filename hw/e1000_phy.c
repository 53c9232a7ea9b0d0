/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * 82540EM: its PHY, an 88E1011 at address 1 of the management interface (MDIC), with the registers of IEEE 802.3 clause 22
 * and Marvell's own as chapter 13.4.4 of the manual names them.  At the cable's other end is one who can do everything
 * up to 1000BASE-T full duplex; agreeing takes half a second.
 */
#include "hw/e1000.h"

#include "base/util.h"

enum {
	BMCR = 0,
	BMSR = 1,
	PHY_ID1 = 2,
	PHY_ID2 = 3,
	ANAR = 4,
	ANLPAR = 5,
	ANER = 6,
	ANNPT = 7,
	GCON = 9,       /* 1000BASE-T control */
	GSTATUS = 10,
	ESTATUS = 15,
	PSCON = 16,
	PSSTAT = 17,
	PINTE = 18,
	PINTS = 19,
	EPSCON1 = 20,
	RECR = 21,
	LEDCON = 24,
	EPSCON2 = 26,
	GSTATUS2 = 28,
};

enum {
	BMCR_RESET = 0x8000,
	BMCR_LOOPBACK = 0x4000,
	BMCR_SPEED_LOW = 0x2000,
	BMCR_AN = 0x1000,
	BMCR_POWER_DOWN = 0x0800,
	BMCR_ISOLATE = 0x0400,
	BMCR_RESTART = 0x0200,
	BMCR_FULL = 0x0100,
	BMCR_SPEED_HIGH = 0x0040,
	BMCR_STORED = 0x7dc0,
	BMSR_ABILITIES = 0x7949,
	BMSR_AN_DONE = 0x0020,
	BMSR_LINK = 0x0004,
	GCON_FULL = 0x0200,
	GCON_HALF = 0x0100,
	PINT_LINK = 0x0400,
	PINT_AN_DONE = 0x0800,
	PINT_DUPLEX = 0x2000,
	PINT_SPEED = 0x4000,
	PSSTAT_FULL = 0x2000,
	PSSTAT_RESOLVED = 0x0800,
	PSSTAT_LINK = 0x0400,
};

enum {
	MDIC_READY = 1u << 28,
	MDIC_ERROR = 1u << 30,
	PHY_ADDRESS = 1,
	NEGOTIATION_NS = 500 * 1000 * 1000,
	FORCED_NS = 1000 * 1000,
};

/* What the two agree on: speed as in STATUS << 1 | full duplex; -1: nothing. */
static int
agreed(const struct e1000 *d)
{
	const uint16_t *r = d->state.phy;
	static const struct {
		uint8_t reg;
		uint16_t bit;
		uint8_t mode;
	} best_first[] = {
		{ GCON, GCON_FULL, 5 }, { GCON, GCON_HALF, 4 }, { ANAR, 0x0100, 3 }, { ANAR, 0x0080, 2 }, { ANAR, 0x0040, 1 },
		{ ANAR, 0x0020, 0 },
	};

	if (!(r[BMCR] & BMCR_AN)) {
		unsigned speed = r[BMCR] & BMCR_SPEED_HIGH ? 2 : r[BMCR] & BMCR_SPEED_LOW ? 1 : 0;

		return (int)(speed << 1 | ((r[BMCR] & BMCR_FULL) != 0));
	}
	for (unsigned i = 0; i < ARRAY_SIZE(best_first); i++)
		if (r[best_first[i].reg] & best_first[i].bit)
			return best_first[i].mode;
	return -1;
}

bool
e1000_phy_loops(const struct e1000 *d)
{
	return (d->state.phy[BMCR] & BMCR_LOOPBACK) != 0;
}

unsigned
e1000_phy_speed(const struct e1000 *d)
{
	int mode = agreed(d);

	return mode < 0 ? 0 : (unsigned)mode >> 1;
}

bool
e1000_phy_full_duplex(const struct e1000 *d)
{
	return agreed(d) & 1;
}

static void
phy_event(struct e1000 *d, uint16_t events)
{
	d->state.phy[PINTS] |= events;
	if (d->state.phy[PINTS] & d->state.phy[PINTE])
		e1000_cause(d, INT_PHY);
}

static void
link_is(struct e1000 *d, bool up)
{
	uint16_t *r = d->state.phy;
	bool negotiated = up && (r[BMCR] & BMCR_AN), gigabit = e1000_phy_speed(d) == 2;

	r[ANLPAR] = negotiated ? 0xcde1 : 0;
	r[ANER] = negotiated ? 0x000f : 0x0004;
	r[GSTATUS] = !negotiated ? 0 : gigabit ? 0x3c00 : 0x0c00;
	r[PSSTAT] = up ? (uint16_t)(e1000_phy_speed(d) << 14 | PSSTAT_RESOLVED | PSSTAT_LINK) : 0;
	if (up && e1000_phy_full_duplex(d))
		r[PSSTAT] |= PSSTAT_FULL;
	if (up != d->state.phy_link) {
		d->state.phy_link = up;
		if (!up)
			d->state.link_was_lost = 1;
		phy_event(d, (uint16_t)(PINT_LINK | (negotiated ? PINT_AN_DONE | PINT_DUPLEX | PINT_SPEED : 0)));
	}
	e1000_update_link(d);
}

/* The link goes down, and comes back after a while where there is a cable. */
static void
renegotiate(struct e1000 *d)
{
	uint16_t control = d->state.phy[BMCR];

	link_is(d, false);
	timer_cancel(&d->link_timer);
	if (control & (BMCR_POWER_DOWN | BMCR_ISOLATE))
		return;
	if (control & BMCR_LOOPBACK)
		link_is(d, true);
	else if (net_link_up(d->end))
		timer_set(&d->link_timer, clock_now(d->clock) + (control & BMCR_AN ? NEGOTIATION_NS : FORCED_NS));
}

void
e1000_phy_negotiated(void *opaque)
{
	struct e1000 *d = opaque;

	link_is(d, net_link_up(d->end) && agreed(d) >= 0);
}

void
e1000_phy_cable(struct e1000 *d)
{
	if (!e1000_phy_loops(d))
		renegotiate(d);
}

static void
set_defaults(struct e1000 *d)
{
	static const struct {
		uint8_t reg;
		uint16_t value;
	} defaults[] = {
		{ BMCR, 0x1140 }, { PHY_ID1, 0x0141 }, { PHY_ID2, 0x0c20 }, { ANAR, 0x0de1 }, { ANNPT, 0x2001 }, { GCON, 0x0f00 },
		{ ESTATUS, 0x3000 }, { PSCON, 0x0068 }, { EPSCON1, 0x0d60 }, { LEDCON, 0x4100 },
	};

	memset(d->state.phy, 0, sizeof(d->state.phy));
	for (unsigned i = 0; i < ARRAY_SIZE(defaults); i++)
		d->state.phy[defaults[i].reg] = defaults[i].value;
}

void
e1000_phy_reset(struct e1000 *d)
{
	set_defaults(d);
	renegotiate(d);
}

void
e1000_phy_power_on(struct e1000 *d)
{
	d->state.phy_link = d->state.link_was_lost = 0;
	e1000_phy_reset(d);
}

/* ---- the management interface ---- */

static uint16_t
phy_read(struct e1000 *d, unsigned reg)
{
	uint16_t value = d->state.phy[reg];

	if (reg == BMSR) {
		value = BMSR_ABILITIES;
		if (d->state.phy_link && !d->state.link_was_lost)
			value |= BMSR_LINK;
		if (d->state.phy_link && (d->state.phy[BMCR] & BMCR_AN))
			value |= BMSR_AN_DONE;
		d->state.link_was_lost = 0;
	} else if (reg == PINTS) {
		d->state.phy[reg] = 0;
	}
	return value;
}

/* A reset by BMCR keeps what was set up for the next negotiation, as software that resets after each change expects. */
static void
write_bmcr(struct e1000 *d, uint16_t value)
{
	uint16_t old = d->state.phy[BMCR];

	d->state.phy[BMCR] = value & BMCR_STORED;
	if ((value & (BMCR_RESET | BMCR_RESTART)) || d->state.phy[BMCR] != old)
		renegotiate(d);
}

static void
phy_write(struct e1000 *d, unsigned reg, uint16_t value)
{
	switch (reg) {
	case BMCR:
		write_bmcr(d, value);
		break;
	case BMSR:
	case PHY_ID1:
	case PHY_ID2:
	case ANLPAR:
	case ANER:
	case 8:
	case GSTATUS:
	case ESTATUS:
	case PSSTAT:
	case PINTS:
	case RECR:
	case GSTATUS2:
		break;
	default:
		d->state.phy[reg] = value;
	}
}

uint32_t
e1000_mdic_write(struct e1000 *d, uint32_t value)
{
	unsigned reg = bits(value, 16, 5), operation = bits(value, 26, 2);

	value &= ~(MDIC_READY | MDIC_ERROR);
	if (bits(value, 21, 5) != PHY_ADDRESS)
		return value | MDIC_READY | MDIC_ERROR;
	if (operation == 2)
		value = (value & ~0xffffu) | phy_read(d, reg);
	else if (operation == 1)
		phy_write(d, reg, (uint16_t)value);
	else
		value |= MDIC_ERROR;
	return value | MDIC_READY;
}
