/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Intel 82540EM: what its files share.  The registers have the names of the "PCI/PCI-X Family of Gigabit Ethernet
 * Controllers Software Developer's Manual", order number 317453; e1000.c says what is modelled.
 */
#ifndef HW_E1000_H
#define HW_E1000_H

#include "base/clock.h"
#include "hw/pci.h"
#include "net/net.h"

enum {
	CTRL = 0x0000,
	STATUS = 0x0008,
	EECD = 0x0010,
	EERD = 0x0014,
	CTRL_EXT = 0x0018,
	FLA = 0x001c,
	MDIC = 0x0020,
	FCAL = 0x0028,
	FCAH = 0x002c,
	FCT = 0x0030,
	VET = 0x0038,
	ICR = 0x00c0,
	ITR = 0x00c4,
	ICS = 0x00c8,
	IMS = 0x00d0,
	IMC = 0x00d8,
	RCTL = 0x0100,
	FCTTV = 0x0170,
	TXCW = 0x0178,
	RXCW = 0x0180,
	TCTL = 0x0400,
	TIPG = 0x0410,
	AIT = 0x0458,
	LEDCTL = 0x0e00,
	PBA = 0x1000,
	FCRTL = 0x2160,
	FCRTH = 0x2168,
	RDFH = 0x2410,
	RDFT = 0x2418,
	RDFHS = 0x2420,
	RDFTS = 0x2428,
	RDFPC = 0x2430,
	RDBAL = 0x2800,
	RDBAH = 0x2804,
	RDLEN = 0x2808,
	RDH = 0x2810,
	RDT = 0x2818,
	RDTR = 0x2820,
	RXDCTL = 0x2828,
	RADV = 0x282c,
	RSRPD = 0x2c00,
	TXDMAC = 0x3000,
	TDFH = 0x3410,
	TDFT = 0x3418,
	TDFHS = 0x3420,
	TDFTS = 0x3428,
	TDFPC = 0x3430,
	TDBAL = 0x3800,
	TDBAH = 0x3804,
	TDLEN = 0x3808,
	TDH = 0x3810,
	TDT = 0x3818,
	TIDV = 0x3820,
	TXDCTL = 0x3828,
	TADV = 0x382c,
	TSPMT = 0x3830,
	CRCERRS = 0x4000, /* the first of the statistics */
	MPC = 0x4010,
	XONRXC = 0x4048,
	XOFFRXC = 0x4050,
	FCRUC = 0x4058,
	PRC64 = 0x405c,
	GPRC = 0x4074,
	BPRC = 0x4078,
	MPRC = 0x407c,
	GPTC = 0x4080,
	GORCL = 0x4088,
	GORCH = 0x408c,
	GOTCL = 0x4090,
	GOTCH = 0x4094,
	RNBC = 0x40a0,
	ROC = 0x40ac,
	TORL = 0x40c0,
	TORH = 0x40c4,
	TOTL = 0x40c8,
	TOTH = 0x40cc,
	TPR = 0x40d0,
	TPT = 0x40d4,
	PTC64 = 0x40d8,
	MPTC = 0x40f0,
	BPTC = 0x40f4,
	TSCTC = 0x40f8,
	TSCTFC = 0x40fc, /* the last */
	RXCSUM = 0x5000,
	MTA = 0x5200,
	RAL0 = 0x5400,
	RAH0 = 0x5404,
	VFTA = 0x5600,
	WUC = 0x5800,
	WUFC = 0x5808,
	WUS = 0x5810,
	MANC = 0x5820,
	IPAV = 0x5838,
	IP4AT = 0x5840,
	IP6AT = 0x5880,
	WUPL = 0x5900,
	WUPM = 0x5a00,
	FFLT = 0x5f00,
	FFMT = 0x9000,
	FFVT = 0x9800,
	E1000_REGS_END = 0x9c00,
	PBM = 0x10000, /* the packet buffer's memory, 64 KiB */
	E1000_SPACE = 0x20000,
};

enum {
	CTRL_FD = 1u << 0,
	CTRL_SLU = 1u << 6,
	CTRL_FRCSPD = 1u << 11,
	CTRL_FRCDPX = 1u << 12,
	CTRL_RST = 1u << 26,
	CTRL_RFCE = 1u << 27,
	CTRL_VME = 1u << 30,
	CTRL_PHY_RST = 1u << 31,
	STATUS_FD = 1u << 0,
	STATUS_LU = 1u << 1,
	STATUS_TXOFF = 1u << 4,
	STATUS_MTXCKOK = 1u << 10,
};

/* Causes of ICR, ICS, IMS, IMC. */
enum {
	INT_TXDW = 1u << 0,
	INT_TXQE = 1u << 1,
	INT_LSC = 1u << 2,
	INT_RXDMT0 = 1u << 4,
	INT_RXO = 1u << 6,
	INT_RXT0 = 1u << 7,
	INT_MDAC = 1u << 9,
	INT_PHY = 1u << 12,
	INT_TXD_LOW = 1u << 15,
	INT_SRPD = 1u << 16,
	INT_ALL = 0x1ffff, /* the reserved ones too: software that tests itself sets and reads all */
};

enum {
	RCTL_EN = 1u << 1,
	RCTL_SBP = 1u << 2,
	RCTL_UPE = 1u << 3,
	RCTL_MPE = 1u << 4,
	RCTL_LPE = 1u << 5,
	RCTL_BAM = 1u << 15,
	RCTL_VFE = 1u << 18,
	RCTL_CFIEN = 1u << 19,
	RCTL_CFI = 1u << 20,
	RCTL_DPF = 1u << 22,
	RCTL_PMCF = 1u << 23,
	RCTL_BSEX = 1u << 25,
	RCTL_SECRC = 1u << 26,
	TCTL_EN = 1u << 1,
	TCTL_PSP = 1u << 3,
	RAH_AV = 1u << 31,
	RXCSUM_IPOFL = 1u << 8,
	RXCSUM_TUOFL = 1u << 9,
	RXCSUM_IPV6OFL = 1u << 10,
	DELAY_FPD = 1u << 31,
};

enum {
	E1000_FRAME_MAX = 16288, /* the longest packet of the chip, without its check sequence */
	E1000_HEADER_MAX = 256,  /* checksums and header lengths have 8 bits */
	E1000_RAR_COUNT = 16,
	EEPROM_WORDS = 64,
	PHY_REGS = 32,
	E1000_SCRATCH = NET_FRAME_MAX,
	PM_CAPABILITY = 0xdc,
};

/* What a context descriptor says. */
struct e1000_context {
	uint32_t payload_len;
	uint16_t ip_end, tu_end, mss;
	uint8_t ip_start, ip_sum, tu_start, tu_sum;
	uint8_t header_len, is_tcp, is_ip4, spare[3];
};

/* The packet that descriptors are being gathered for, while the rest of them is still to come. */
struct e1000_partial {
	uint32_t len;           /* of bytes[] */
	uint32_t sent;          /* segments of it that have gone */
	uint32_t total;         /* bytes of it that were seen */
	uint16_t special;
	uint8_t started;        /* 0: the next descriptor is the first of a packet */
	uint8_t gathered;       /* its data are in bytes[] */
	uint8_t bad;            /* it will not be sent */
	uint8_t segmenting, options, vlan;
	uint8_t css, cso;       /* of a legacy descriptor */
	uint8_t spare[2];
	uint8_t bytes[E1000_FRAME_MAX];
};

/* The serial interface of the EEPROM. */
struct e1000_microwire {
	uint32_t shifted;       /* bits after the start bit */
	uint32_t count;         /* how many; with the start bit */
	uint16_t out;           /* what leaves by DO */
	uint8_t out_left, writable;
	uint8_t data_out, clock, spare[2];
};

struct e1000_state {
	struct pci_state pci;
	uint32_t reg[E1000_REGS_END / 4];
	uint32_t packet_buffer[0x4000];
	uint16_t eeprom[EEPROM_WORDS];
	uint16_t phy[PHY_REGS];
	struct e1000_microwire wire;
	struct e1000_context context, tso_context;
	struct e1000_partial partial;
	uint64_t irq_after_ns;     /* ITR: the line does not rise before */
	uint64_t rx_since_ns, tx_since_ns; /* the first event that waits for RDTR or TIDV */
	uint64_t paused_until_ns;  /* by pause frames */
	uint32_t frames_waiting;   /* since the last interrupt or write of RDT */
	uint32_t padding;
	uint32_t io_address;
	uint8_t phy_link;          /* as the PHY tells the MAC */
	uint8_t link_was_lost;     /* since BMSR was read */
	uint8_t tx_blocked;        /* the cable takes no more */
	uint8_t power_state;       /* D0 or D3 */
};

struct e1000 {
	struct pci_dev pci;
	struct clock *clock;
	struct loop *loop;
	struct region mmio, ports;
	struct net_end *end;
	struct timer irq_timer;    /* ITR's interval ends */
	struct timer rx_timer, tx_timer; /* RDTR and RADV, TIDV and TADV */
	struct timer work_timer;   /* transmission goes on */
	struct timer link_timer;   /* autonegotiation ends */
	uint8_t mac[6];
	bool working;              /* own DMA is not let into the registers */
	uint8_t *scratch;          /* E1000_SCRATCH bytes for data that is not in RAM */
	struct e1000_reg_map *map;
	struct e1000_state state;
};


static inline uint32_t *
e1000_reg(struct e1000 *d, unsigned offset)
{
	return &d->state.reg[offset / 4];
}

static inline uint32_t
e1000_get(const struct e1000 *d, unsigned offset)
{
	return d->state.reg[offset / 4];
}

/* ---- e1000.c ---- */
/* Sets causes and the line. */
void e1000_cause(struct e1000 *d, uint32_t causes);
void e1000_update_irq(struct e1000 *d);
/* STATUS and the link's cause, after the PHY or CTRL changed. */
void e1000_update_link(struct e1000 *d);
/* Not before D0, and only as bus master. */
bool e1000_is_on(const struct e1000 *d);
void e1000_mac_reset(struct e1000 *d);
void e1000_count(struct e1000 *d, unsigned counter, uint32_t n);
void e1000_count_octets(struct e1000 *d, unsigned low, uint64_t n);
/* The counter of FIRST's six (64, 127, 255, 511, 1023, 1522) that LEN, with the check sequence, belongs to. */
unsigned e1000_size_counter(unsigned first, size_t len);

/* ---- e1000_regs.c ---- */
struct e1000_reg_map *e1000_map_new(void);
void e1000_regs_reset(struct e1000 *d);
void e1000_regs_loaded(struct e1000 *d);
uint32_t e1000_read(struct e1000 *d, uint32_t offset);
void e1000_write(struct e1000 *d, uint32_t offset, uint32_t value);

/* ---- e1000_phy.c ---- */
void e1000_phy_power_on(struct e1000 *d);
void e1000_phy_reset(struct e1000 *d);
void e1000_phy_cable(struct e1000 *d);
void e1000_phy_negotiated(void *opaque);
bool e1000_phy_loops(const struct e1000 *d);
/* As in bits 7:6 of STATUS: 0 10 Mb/s, 1 100, 2 1000. */
unsigned e1000_phy_speed(const struct e1000 *d);
bool e1000_phy_full_duplex(const struct e1000 *d);
uint32_t e1000_mdic_write(struct e1000 *d, uint32_t value);

/* ---- e1000_eeprom.c ---- */
void e1000_eeprom_fill(struct e1000 *d);
uint32_t e1000_eecd_read(const struct e1000 *d);
void e1000_eecd_write(struct e1000 *d, uint32_t value);
uint32_t e1000_eerd(const struct e1000 *d, uint32_t value);
/* RAL0 and RAH0 as the EEPROM has them. */
void e1000_load_address(struct e1000 *d);

/* ---- e1000_tx.c ---- */
void e1000_tx_kick(struct e1000 *d);
/* Whether a packet can be as far as the state says. */
bool e1000_tx_possible(struct e1000 *d);
void e1000_tx_run(void *opaque);
void e1000_tx_delay_over(void *opaque);
void e1000_tx_writable(void *opaque);

/* ---- e1000_rx.c ---- */
bool e1000_receive(void *opaque, const struct net_frame *f);
/* The ring has got more buffers, or the receiver was switched on. */
void e1000_rx_kick(struct e1000 *d);
void e1000_rx_delay_over(void *opaque);
uint32_t e1000_iov_sum(const struct iovec *iov, unsigned count, size_t from, size_t to);

#endif
