/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine that the tests of the 82540EM have in common. */
#include "tests/e1000_machine.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"

#include <stdlib.h>

static struct clock *clock_;
static struct loop *loop;
static struct space *mem;
struct space *io;
static struct dev *devices;
struct dev *card;
static struct pci_bus *bus;
struct net *net;
uint8_t *ram;
static uint8_t bios[128 * KiB];
static struct region bios_region;
int lines[16];

/* ---- the peer ---- */

struct peer peer;

static bool
peer_receive(void *opaque, const struct net_frame *f)
{
	struct peer *p = opaque;
	unsigned n = p->count % KEPT;

	if (p->refuses)
		return false;
	p->len[n] = 0;
	for (unsigned i = 0; i < f->count; i++) {
		memcpy(p->bytes[n] + p->len[n], f->iov[i].iov_base, f->iov[i].iov_len);
		p->len[n] += f->iov[i].iov_len;
	}
	ck_assert_uint_eq(p->len[n], f->len);
	p->segment[n] = f->segment;
	p->needs_sum[n] = f->needs_sum;
	p->count++;
	return true;
}

static const struct net_end_ops wire = { .kind = "peer", .receive = peer_receive };
static const struct net_end_ops clever = { .kind = "peer", .takes_segments = true, .receive = peer_receive };

/* ---- the machine ---- */

static void
set_line(void *opaque, int n, int level)
{
	(void)opaque;
	lines[n] = level;
}

static void
ignore(void *opaque, int n, int level)
{
	(void)opaque, (void)n, (void)level;
}

uint32_t
conf(unsigned reg, unsigned size)
{
	space_write(io, 0xcf8, 0x80000000 | CARD << 8 | (reg & 0xfc), 4, false);
	return space_read(io, 0xcfc + (reg & 3), size, false);
}

void
set_conf(unsigned reg, uint32_t value, unsigned size)
{
	space_write(io, 0xcf8, 0x80000000 | CARD << 8 | (reg & 0xfc), 4, false);
	space_write(io, 0xcfc + (reg & 3), value, size, false);
}

uint32_t
get(unsigned reg)
{
	return space_read(mem, BAR + reg, 4, false);
}

void
set(unsigned reg, uint32_t value)
{
	space_write(mem, BAR + reg, value, 4, false);
}

void
pass_ns(uint64_t ns)
{
	clock_advance(clock_, ns);
}

static void
make(const struct net_end_ops *ops)
{
	static const struct e1000_config config = { .id = "card", .devfn = CARD, .mac = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 } };
	struct irq isa_lines[16];
	struct dev_env env;
	struct err e = { 0 };

	clock_ = clock_new(true);
	loop = loop_new(clock_);
	mem = space_new("mem", false);
	io = space_new("io", true);
	devices = NULL;
	env = (struct dev_env){ clock_, loop, mem, io, &devices };
	ram = aligned_alloc(4096, RAM);
	memset(ram, 0, RAM);
	memset(&peer, 0, sizeof(peer));
	region_init_rom(&bios_region, "bios", bios, sizeof(bios));
	i440fx_new(&env, ram, RAM, &bios_region, &bus);
	for (int i = 0; i < 16; i++)
		isa_lines[i] = irq_to(set_line, NULL, i);
	piix3_new(&env, bus, isa_lines, irq_to(ignore, NULL, 0));
	net = net_new(loop);
	peer.end = net_end_new(net, "peer", ops, &peer);
	card = e1000_new(&env, bus, net, &config);
	dev_reset_all(devices);
	ck_assert(net_connect(e1000_end(card), peer.end, &e));
	set_conf(PCI_BAR0, BAR, 4);
	set_conf(PCI_BAR0 + 8, PORTS, 4);
	set_conf(PCI_COMMAND, 7, 2);
	space_write(io, 0xcf8, 0x80000860, 4, false);
	space_write(io, 0xcfc + 1, 11, 1, false); /* PIRQB: slot 2 */
	memset(lines, 0, sizeof(lines));
}

void
start(void)
{
	set(CTRL, get(CTRL) | CTRL_SLU);
	pass_ns(NS_PER_SEC);
	ck_assert(get(STATUS) & STATUS_LU);
	get(ICR);
	set(TDBAL, TX_RING);
	set(TDLEN, 64 * 16);
	set(TCTL, TCTL_EN | TCTL_PSP);
	for (unsigned i = 0; i < 64; i++)
		store_le(ram + RX_RING + 16 * i, RX_DATA + 16384 * i, 8);
	set(RDBAL, RX_RING);
	set(RDLEN, 64 * 16);
	set(RDT, 63);
	set(RCTL, RCTL_EN | RCTL_BAM);
}

void
set_up(void)
{
	make(&wire);
}

void
set_up_clever(void)
{
	make(&clever);
}

void
tear_down(void)
{
	space_free(mem);
	space_free(io);
	dev_free_all(devices);
	net_free(net);
	loop_free(loop);
	clock_free(clock_);
	free(ram);
}

/* ---- transmitting ---- */

static unsigned held; /* descriptors that TDT doesn't know yet */

void
release(void)
{
	set(TDT, (get(TDT) + held) % 64);
	held = 0;
}

void
hold(uint64_t addr, uint32_t lower, uint32_t upper)
{
	uint8_t *t = ram + TX_RING + 16 * ((get(TDT) + held++) % 64);

	store_le(t, addr, 8);
	store_le(t + 8, lower, 4);
	store_le(t + 12, upper, 4);
}

void
put(uint64_t addr, uint32_t lower, uint32_t upper)
{
	hold(addr, lower, upper);
	release();
}

void
put_context(unsigned ipcss, unsigned ipcso, unsigned tucss, unsigned tucso, unsigned payload,
	unsigned header, unsigned mss, uint32_t command)
{
	put(ipcss | ipcso << 8 | (tucss - 1) << 16 | (uint64_t)(tucss | tucso << 8) << 32, payload | DEXT | command,
		header << 8 | mss << 16);
}

void
fill(uint64_t addr, size_t len)
{
	for (size_t i = 0; i < len; i++)
		ram[addr + i] = (uint8_t)(i * 7 + (i >> 8));
	memcpy(ram + addr, "\x52\x54\x00\x00\x00\x01\x52\x54\x00\x12\x34\x56\x88\xb5", 14);
}

void
put_be(uint8_t *p, uint32_t v, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		p[i] = v >> 8 * (size - 1 - i);
}

uint32_t
get_be(const uint8_t *p, unsigned size)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v = v << 8 | p[i];
	return v;
}

uint16_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i < len; i++)
		sum += i & 1 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

uint16_t
pseudo(const uint8_t *frame, unsigned protocol)
{
	bool six = get_be(frame + 12, 2) == 0x86dd;

	return sum16(six ? frame + 22 : frame + 26, six ? 32 : 8, protocol);
}

unsigned
headers(uint8_t *f, bool six, unsigned protocol, size_t len, bool tso)
{
	unsigned l4 = six ? 54 : 34, head = l4 + (protocol == 6 ? 20 : 8);

	put_be(f + 12, six ? 0x86dd : 0x0800, 2);
	memset(f + 14, 0, head - 14);
	if (six) {
		f[14] = 0x60;
		put_be(f + 18, tso ? 0 : (uint32_t)(head - 54 + len), 2);
		f[20] = protocol;
		for (unsigned i = 0; i < 32; i++)
			f[22 + i] = 0x20 + i;
	} else {
		f[14] = 0x45;
		put_be(f + 16, tso ? 0 : (uint32_t)(head - 14 + len), 2);
		put_be(f + 18, 0xfffe, 2);
		f[23] = protocol;
		put_be(f + 26, 0x0a000202, 4);
		put_be(f + 30, 0x0a00020f, 4);
	}
	if (protocol == 6) {
		put_be(f + l4 + 4, 0xfffffff0, 4);
		f[l4 + 12] = 0x50;
		f[l4 + 13] = 0x19; /* ACK, PSH, FIN */
		put_be(f + l4 + 16, sum16(NULL, 0, pseudo(f, 6) + (tso ? 0 : (uint32_t)(head - l4 + len))), 2);
	} else {
		put_be(f + l4 + 4, (uint32_t)(8 + len), 2);
		put_be(f + l4 + 6, sum16(NULL, 0, pseudo(f, 17) + (tso ? 0 : (uint32_t)(8 + len))), 2);
	}
	return head;
}

bool
sums_are_right(const uint8_t *f, size_t len)
{
	bool six = get_be(f + 12, 2) == 0x86dd;
	unsigned l4 = six ? 54 : 34, protocol = six ? f[20] : f[23];

	if (!six && sum16(f + 14, 20, 0) != 0xffff)
		return false;
	return sum16(f + l4, len - l4, pseudo(f, protocol) + (uint32_t)(len - l4)) == 0xffff;
}

/* ---- receiving ---- */

bool
arrive(const void *bytes, size_t len)
{
	struct iovec iov[2] = { { (void *)bytes, MIN(len, 20) }, { (uint8_t *)bytes + MIN(len, 20), len - MIN(len, 20) } };
	struct net_frame f = { .iov = iov, .count = 2, .len = len };

	return net_send(peer.end, &f);
}

uint8_t *
frame_to(const char *address, size_t len)
{
	static uint8_t f[20000];

	for (size_t i = 0; i < len; i++)
		f[i] = (uint8_t)(i * 3 + (i >> 8));
	memcpy(f, address, 6);
	memcpy(f + 6, "\x52\x54\x00\x00\x00\x01\x88\xb5", 8);
	return f;
}

const uint8_t *
rx_desc(unsigned n)
{
	return ram + RX_RING + 16 * n;
}

unsigned
rx_len(unsigned n)
{
	return (unsigned)load_le(rx_desc(n) + 8, 2);
}

void
set_phy(unsigned reg, unsigned value)
{
	set(MDIC, 1u << 26 | 1 << 21 | reg << 16 | value);
}
