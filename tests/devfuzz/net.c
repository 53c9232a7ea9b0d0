/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The network card: descriptors, frames, contexts and EEPROM commands as a driver and a peer have them. */
#include "tests/devfuzz/devfuzz.h"

#include "hw/e1000.h"
#include "net/net.h"

enum { CARD = 4 << 3, RX_RING = 0x1000, TX_RING = 0x2000, RING = 64, FRAME = 0x4000, HEADERS = 0x8000 };

/* What put_frame() makes. */
enum { VLAN = 1, IP6 = 2, UDP = 4, NO_SUM = 8, FRAGMENT = 16 };

static const uint8_t mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 };

void
devfuzz_e1000(struct fuzz *f, unsigned variant)
{
	struct e1000_config config = { .id = "card", .devfn = CARD };

	(void)variant;
	memcpy(config.mac, mac, sizeof(mac));
	f->pci = devfuzz_pci_of(f, e1000_new(&f->env, f->bus, NULL, &config), CARD);
}

const struct step devfuzz_e1000_steps[] = {
	{ 0, 4, 0x0000, CTRL_SLU }, { STEP_TIME, 1, 0, NS_PER_SEC },
	{ 0, 4, RDBAL, RX_RING }, { 0, 4, RDLEN, 16 * RING }, { 0, 4, RDT, RING - 1 }, { 0, 4, RCTL, 0x801e },
	{ 0, 4, TDBAL, TX_RING }, { 0, 4, TDLEN, 16 * RING }, { 0, 4, TCTL, TCTL_EN | TCTL_PSP }, { 0, 0, 0, 0 },
};

static void
put_be(uint8_t *to, uint32_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		to[i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

/* Headers at TO, and LEN bytes of payload behind them, which are not touched.  How long the headers are. */
static unsigned
put_frame(uint8_t *to, const uint8_t *destination, unsigned how, unsigned len)
{
	unsigned at = 12, ip, tu, tu_len = (how & UDP ? 8 : 20) + len, protocol = how & UDP ? 17 : 6;
	uint16_t sum;

	memcpy(to, destination, 6);
	memcpy(to + 6, "\2\0\0\0\0\1", 6);
	if (how & VLAN) {
		put_be(to + 12, 0x8100, 2);
		put_be(to + 14, 5, 2);
		at += 4;
	}
	put_be(to + at, how & IP6 ? 0x86dd : 0x0800, 2);
	ip = at + 2;
	tu = ip + (how & IP6 ? 40 : 20);
	memset(to + ip, 0, tu + 20 - ip);
	if (how & IP6) {
		to[ip] = 0x60;
		put_be(to + ip + 4, tu_len, 2);
		to[ip + 6] = protocol;
	} else {
		to[ip] = 0x45;
		put_be(to + ip + 2, 20 + tu_len, 2);
		to[ip + 6] = how & FRAGMENT ? 0x20 : 0;
		to[ip + 9] = protocol;
		sum = ~net_sum(to + ip, 20, 0);
		memcpy(to + ip + 10, &sum, 2);
	}
	if (how & UDP)
		put_be(to + tu + 4, tu_len, 2);
	else
		to[tu + 12] = 0x50;
	if (!(how & NO_SUM)) {
		uint8_t pseudo[4] = { 0, protocol, tu_len >> 8, tu_len };

		sum = ~net_sum(to + tu, tu_len, net_sum(pseudo, 4, net_sum(to + ip + (how & IP6 ? 8 : 12), how & IP6 ? 32 : 8, 0)));
		memcpy(to + tu + (how & UDP ? 6 : 16), &sum, 2);
	}
	return tu + (how & UDP ? 8 : 20);
}

static const uint8_t *
destination_of(unsigned which)
{
	static const uint8_t all[6] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff }, many[6] = { 1, 0, 0x5e, 0, 0, 1 }, other[6] = { 2, 2, 2 };
	const uint8_t *const destinations[4] = { mac, all, many, other };

	return destinations[which & 3];
}

/* ---- sending ---- */

static uint8_t *
next_descriptor(unsigned *tail)
{
	uint8_t *d = devfuzz_memory() + TX_RING + 16 * *tail;

	*tail = (*tail + 1) % RING;
	return d;
}

static void
kick(struct fuzz *f, unsigned tail)
{
	devfuzz_put(f, 0, TDT, tail, 4);
	devfuzz_put(f, 0, RDT, (devfuzz_get(f, 0, RDH, 4) + RING - 1) % RING, 4);
}

/* Descriptors, each of the input or as a driver has it. */
static void
send_descriptors(struct fuzz *f, struct bytes *b, unsigned what)
{
	unsigned tail = devfuzz_get(f, 0, TDT, 4) % RING;

	for (unsigned n = 0; n <= (what & 3); n++) {
		uint8_t *d = next_descriptor(&tail);

		if (what & 4) {
			devfuzz_bytes(b, (unsigned)(d - devfuzz_memory()), 16);
			d[3] = d[4] = d[5] = d[6] = d[7] = 0;
			continue;
		}
		store_le(d, FRAME, 8);
		store_le(d + 8, take(b, 2) & 0x3fff, 2);
		store_le(d + 10, take(b, 2), 2);
		d[11] |= n == (what & 3);
		store_le(d + 12, take(b, 4), 4);
	}
	kick(f, tail);
}

/* A context, and a packet for it in one piece or several. */
static void
send_packet(struct fuzz *f, struct bytes *b)
{
	unsigned how = take(b, 1), extra = take(b, 1), mss = take(b, 2) % 1500 + 1, len = take(b, 2) % 6000;
	unsigned tail = devfuzz_get(f, 0, TDT, 4) % RING, header_len, ip, tu;
	bool segment = how & 0x20, split = how & 0x40;
	uint8_t *d = next_descriptor(&tail);

	if (!segment)
		len %= 1500;
	header_len = put_frame(devfuzz_memory() + HEADERS, destination_of(extra), (how & 7) | NO_SUM, len);
	ip = how & VLAN ? 18 : 14;
	tu = ip + (how & IP6 ? 40 : 20);
	store_le(d, ip | (ip + 10) << 8 | (ip + 19) << 16, 4);
	store_le(d + 4, tu | (tu + (how & UDP ? 6 : 16)) << 8, 4);
	store_le(d + 8, len | 1u << 29 | (how & UDP ? 0 : 1u << 24) | (how & IP6 ? 0 : 1u << 25) | (segment ? 1u << 26 : 0), 4);
	store_le(d + 12, header_len << 8 | mss << 16, 4);
	for (unsigned left = header_len + len, at = HEADERS; left > 0; ) {
		unsigned n = split ? MIN(left, at == HEADERS ? header_len : 1000u + 3 * extra) : left;

		d = next_descriptor(&tail);
		store_le(d, at % MEMORY, 8);
		store_le(d + 8, n | 1u << 29 | 1u << 20 | 1u << 27 | (segment ? 1u << 26 : 0) | (extra & 4 ? 1u << 30 : 0) |
			(extra & 8 ? 1u << 31 : 0) | (n == left ? 1u << 24 : 0), 4);
		store_le(d + 12, (how & 0x80 ? 0 : how & IP6 ? 0x200 : 0x300) | 5u << 16, 4);
		at += n;
		left -= n;
	}
	kick(f, tail);
}

/* ---- receiving ---- */

static void
receive_frame(struct fuzz *f, struct bytes *b)
{
	unsigned how = take(b, 1), extra = take(b, 1), len = take(b, 1) * 6;
	uint8_t frame[2048] = { 0 };
	unsigned total = put_frame(frame, destination_of(how >> 5), how & 31, len) + len;

	if (extra & 1)
		frame[extra >> 1 & 63] ^= extra;
	if ((extra & 0x82) == 0x82) {
		memcpy(frame, "\1\x80\xc2\0\0\1", 6);
		put_be(frame + 12, 0x88080001, 4);
		put_be(frame + 16, extra & 4 ? 1000 : 0, 2);
	} else if ((extra & 0x84) == 0x84) {
		memset(frame + 60, 0xff, 6);
		for (unsigned i = 1; i <= 16; i++)
			memcpy(frame + 60 + 6 * i, mac, 6);
		total = MAX(total, 180u);
	}
	(void)f;
	backends_frame(frame, total);
}

/* ---- registers ---- */

static void
set_register(struct fuzz *f, struct bytes *b)
{
	static const uint16_t registers[] = {
		0x0000, RCTL, TCTL, RXCSUM, VET, RDTR, RADV, TIDV, TADV, WUFC, RAL0, RAL0 + 4, MTA, VFTA, FCAL, FCAL + 4, RSRPD, TXDCTL,
		IMS, ITR, RDLEN, RDH, RDT, TDLEN, TDH, TDT, EERD, MDIC,
	};
	unsigned which = take(b, 1), reg = registers[which % ARRAY_SIZE(registers)];
	uint32_t value = take(b, which & 0x80 ? 2 : 4);

	/* A run has no time for the longest rings; those come by plain accesses. */
	if (reg == RDLEN || reg == TDLEN)
		value &= 0xfff;
	devfuzz_put(f, 0, reg, value, 4);
	if (which == 0x7f)
		pci_bus_config_write(f->bus, CARD << 8 | 0xe0, take(b, 2), 2);
}

/* A command of the EEPROM and a word, bit by bit. */
static void
drive_eeprom(struct fuzz *f, struct bytes *b)
{
	unsigned command = take(b, 1), word = take(b, 2), bits = 1u << 8 | command, count = command & 0x80 ? 16 : 0;

	devfuzz_put(f, 0, EECD, 0x40, 4);
	devfuzz_put(f, 0, EECD, 0x42, 4);
	for (unsigned i = 0; i < 9 + 16 + count; i++) {
		unsigned bit = i < 9 ? bits >> (8 - i) & 1 : word >> (15 - (i - 9) % 16) & 1;

		devfuzz_put(f, 0, EECD, 0x42 | bit << 2, 4);
		devfuzz_put(f, 0, EECD, 0x43 | bit << 2, 4);
		devfuzz_get(f, 0, EECD, 4);
	}
	devfuzz_put(f, 0, EECD, 0x40, 4);
}

void
devfuzz_e1000_event(struct fuzz *f, struct bytes *b)
{
	unsigned what = take(b, 1);

	switch (what >> 3 & 7) {
	case 0:
	case 1:
		send_descriptors(f, b, what);
		break;
	case 2:
	case 3:
		send_packet(f, b);
		break;
	case 4:
	case 5:
		receive_frame(f, b);
		break;
	case 6:
		set_register(f, b);
		break;
	case 7:
		drive_eeprom(f, b);
		break;
	}
}
