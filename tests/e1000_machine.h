/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the 82540EM share: a PCI machine without a processor, a manual clock, and a peer at the cable's end. */
#ifndef TESTS_E1000_MACHINE_H
#define TESTS_E1000_MACHINE_H

#include "base/util.h"
#include "hw/e1000.h"
#include "hw/hw.h"
#include "net/net.h"

#include <check.h>

enum {
	RAM = 8 * MiB,
	BAR = 0xe0000000,
	PORTS = 0xc000,
	CARD = 2 << 3,
	TX_RING = 0x100000,
	RX_RING = 0x110000,
	TX_DATA = 0x200000,
	RX_DATA = 0x400000,
	KEPT = 64,
};

enum {
	EOP = 1 << 24,
	IFCS = 1 << 25,
	IC = 1 << 26,
	TSE = 1 << 26,
	RS = 1 << 27,
	DEXT = 1 << 29,
	VLE = 1 << 30,
	DATA = DEXT | 1 << 20,
	TUCMD_TCP = 1 << 24,
	TUCMD_IP = 1 << 25,
	IXSM = 1 << 8,
	TXSM = 2 << 8,
};

struct peer {
	struct net_end *end;
	bool refuses;
	unsigned count;
	size_t len[KEPT];
	uint16_t segment[KEPT];
	bool needs_sum[KEPT];
	uint8_t bytes[KEPT][NET_FRAME_MAX];
};

extern struct peer peer;
extern struct dev *card;
extern struct net *net;
extern struct space *io;
extern uint8_t *ram;
extern int lines[16];

#define OWN "\x52\x54\x00\x12\x34\x56"
#define ALL "\xff\xff\xff\xff\xff\xff"

uint32_t conf(unsigned reg, unsigned size);
void set_conf(unsigned reg, uint32_t value, unsigned size);
uint32_t get(unsigned reg);
void set(unsigned reg, uint32_t value);
void set_phy(unsigned reg, unsigned value);
void pass_ns(uint64_t ns);
/* Link, and both rings with 64 descriptors. */
void start(void);
void set_up(void);
void set_up_clever(void);
void tear_down(void);
void release(void);
void hold(uint64_t addr, uint32_t lower, uint32_t upper);
void put(uint64_t addr, uint32_t lower, uint32_t upper);
void put_context(unsigned ipcss, unsigned ipcso, unsigned tucss, unsigned tucso, unsigned payload,
	unsigned header, unsigned mss, uint32_t command);
/* A frame of LEN bytes whose bytes count up, at ADDR. */
void fill(uint64_t addr, size_t len);
void put_be(uint8_t *p, uint32_t v, unsigned size);
uint32_t get_be(const uint8_t *p, unsigned size);
/* Plain, so that it is not the code under test. */
uint16_t sum16(const uint8_t *p, size_t len, uint32_t sum);
/* The pseudo header's sum without the length. */
uint16_t pseudo(const uint8_t *frame, unsigned protocol);
/* Headers of IP and TCP or UDP (PROTOCOL) before LEN bytes, with sums as a driver leaves them for the card.  Returns their length. */
unsigned headers(uint8_t *f, bool six, unsigned protocol, size_t len, bool tso);
bool sums_are_right(const uint8_t *f, size_t len);
bool arrive(const void *bytes, size_t len);
/* A frame to ADDRESS of LEN bytes. */
uint8_t *frame_to(const char *address, size_t len);
const uint8_t *rx_desc(unsigned n);
unsigned rx_len(unsigned n);

#endif
