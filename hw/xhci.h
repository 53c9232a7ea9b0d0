/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inside of the xHCI controller: xhci.c has registers, ports and the class, xhci_ring.c rings and events, xhci_command.c the
 * command ring, xhci_transfer.c the transfer rings.
 *
 * An endpoint works through its ring one TRB at a time; what is done of the current one stands in struct xhci_ep.  When the
 * device has nothing yet the endpoint waits until usb_ready().  Devices are found anew each time, by root port and route.
 */
#ifndef HW_XHCI_H
#define HW_XHCI_H

#include "base/clock.h"
#include "hw/pci.h"
#include "hw/usb.h"

enum {
	XHCI_SLOTS = 64,
	XHCI_INTERRUPTERS = 16,
	XHCI_CONNECTORS = USB_PORTS_MAX,
	XHCI_PORTS = 2 * XHCI_CONNECTORS,
	XHCI_ENDPOINTS = 31,
	TRB_SIZE = 16,
	LATER_NS = 50000,
};

/* USBCMD and USBSTS. */
enum {
	XCMD_RUN = 0x01, XCMD_RESET = 0x02, XCMD_INTE = 0x04, XCMD_LIGHT_RESET = 0x80, XCMD_SAVE = 0x100, XCMD_RESTORE = 0x200,
	XCMD_BITS = 0xc0f,
	XSTS_HALTED = 0x01, XSTS_ERROR = 0x04, XSTS_EVENT = 0x08, XSTS_PORT = 0x10, XSTS_RESTORE_ERROR = 0x400,
	XSTS_CONTROLLER_ERROR = 0x1000,
};

/* PORTSC. */
#define XPORT_CONNECTED 0x1u
#define XPORT_ENABLED 0x2u
#define XPORT_RESET 0x10u
#define XPORT_POWER 0x200u
#define XPORT_LINK_WRITE 0x10000u
#define XPORT_CONNECT_CHANGE (1u << 17)
#define XPORT_ENABLE_CHANGE (1u << 18)
#define XPORT_WARM_CHANGE (1u << 19)
#define XPORT_RESET_CHANGE (1u << 21)
#define XPORT_LINK_CHANGE (1u << 22)
#define XPORT_CHANGES (0x7fu << 17)
#define XPORT_WAKE (7u << 25)
#define XPORT_WARM_RESET (1u << 31)
enum {
	XLINK_SHIFT = 5, XLINK_U0 = 0, XLINK_U3 = 3, XLINK_DISABLED = 4, XLINK_RX_DETECT = 5, XLINK_POLLING = 7, XLINK_RESUME = 15,
};

enum trb_type {
	TRB_NORMAL = 1, TRB_SETUP, TRB_DATA, TRB_STATUS, TRB_ISOCH, TRB_LINK, TRB_EVENT_DATA, TRB_NOOP,
	TRB_ENABLE_SLOT, TRB_DISABLE_SLOT, TRB_ADDRESS_DEVICE, TRB_CONFIGURE, TRB_EVALUATE, TRB_RESET_ENDPOINT,
	TRB_STOP_ENDPOINT, TRB_SET_DEQUEUE, TRB_RESET_DEVICE, TRB_NOOP_COMMAND = 23,
	TRB_TRANSFER_EVENT = 32, TRB_COMMAND_EVENT, TRB_PORT_EVENT, TRB_CONTROLLER_EVENT = 37,
};

/* Bits of a TRB's control word. */
enum {
	TRB_CYCLE = 0x01, TRB_TOGGLE = 0x02, TRB_ISP = 0x04, TRB_CHAIN = 0x10, TRB_IOC = 0x20, TRB_IMMEDIATE = 0x40,
	TRB_BLOCK_ADDRESS = 0x200, TRB_DIR_IN = 0x10000, TRB_IS_EVENT_DATA = 0x04,
};

enum completion {
	CC_SUCCESS = 1, CC_BABBLE = 3, CC_TRANSACTION = 4, CC_TRB = 5, CC_STALL = 6, CC_NO_SLOTS = 9, CC_SLOT_DISABLED = 11,
	CC_ENDPOINT_DISABLED = 12, CC_SHORT = 13, CC_PARAMETER = 17, CC_CONTEXT_STATE = 19, CC_RING_FULL = 21, CC_RING_STOPPED = 24,
	CC_STOPPED = 26,
};

enum ep_type { EP_NONE, EP_ISO_OUT, EP_BULK_OUT, EP_INTERRUPT_OUT, EP_CONTROL, EP_ISO_IN, EP_BULK_IN, EP_INTERRUPT_IN };
enum ep_state { EP_DISABLED, EP_RUNNING, EP_HALTED, EP_STOPPED, EP_ERROR };
enum slot_state { SLOT_DISABLED, SLOT_DEFAULT, SLOT_ADDRESSED, SLOT_CONFIGURED };

struct trb {
	uint64_t parameter;
	uint32_t status, control;
	uint64_t at;              /* where it stands */
};

/* Guest-visible; without gaps. */
struct xhci_ep {
	uint64_t dequeue;
	uint32_t done;            /* bytes of the TRB at DEQUEUE */
	uint32_t total;           /* bytes of the TD since its last Event Data TRB */
	uint8_t type, state;
	uint8_t cycle;
	uint8_t waits;            /* for the device */
	uint8_t skip;             /* whether a short packet ended this TD */
	uint8_t reported;         /* ... and was told */
	uint8_t in;               /* direction of a control transfer's data */
	uint8_t kicked;           /* there may be more to do */
};

struct xhci_slot {
	uint64_t context;         /* the output device context */
	uint32_t route;
	uint8_t enabled;
	uint8_t port;             /* number of the root port */
	uint8_t spare[2];         /* zero */
	struct xhci_ep eps[XHCI_ENDPOINTS]; /* by endpoint ID - 1 */
};

struct xhci_interrupter {
	uint64_t table, dequeue, segment;
	uint32_t management, moderation, table_size;
	uint32_t segment_size, index; /* in TRBs; where the next event goes */
	uint32_t cycle;
};

struct xhci {
	struct pci_dev pci;
	struct region mmio;
	struct clock *clock;
	struct usb_bus bus;
	struct usb_port connectors[XHCI_CONNECTORS];
	unsigned ports2, ports3;
	bool at_work;             /* inside of the rings */
	uint8_t *bounce;
	struct {
		struct pci_state pci;
		struct timer later;   /* the rest of what was more than a turn's work */
		uint64_t start_ns;    /* of MFINDEX */
		uint64_t command_dequeue, contexts; /* CRCR, DCBAAP */
		uint32_t command, status, notification, config;
		uint32_t command_cycle, command_running, command_kicked;
		uint32_t port[XHCI_PORTS];
		uint32_t spare;       /* zero */
		struct xhci_interrupter interrupters[XHCI_INTERRUPTERS];
		struct xhci_slot slots[XHCI_SLOTS];
	} state;
};

/* ---- xhci.c ---- */
void xhci_update(struct xhci *x);
/* What can't go on: the controller stops. */
void xhci_die(struct xhci *x);
/* Carries on with all that was kicked. */
void xhci_work(struct xhci *x);

/* ---- xhci_ring.c ---- */
/* The TRB that is next in a ring; links are followed.  False: there is none. */
bool xhci_fetch(struct xhci *x, uint64_t *dequeue, uint8_t *cycle, struct trb *t);
static inline unsigned
trb_type(const struct trb *t)
{
	return t->control >> 10 & 63;
}
/* FLAGS goes into the control word, along with TYPE. */
void xhci_event(struct xhci *x, unsigned interrupter, enum trb_type type, uint64_t parameter, uint32_t status, uint32_t flags);
void xhci_interrupter_changed(struct xhci *x, unsigned n);
void xhci_set_table(struct xhci *x, unsigned n);
bool xhci_read_words(struct xhci *x, uint64_t at, uint32_t *words, unsigned count);
bool xhci_write_words(struct xhci *x, uint64_t at, const uint32_t *words, unsigned count);

/* ---- xhci_command.c ---- */
/* At most COUNT commands.  True: there are more. */
bool xhci_run_commands(struct xhci *x, unsigned count);
void xhci_disable_slot(struct xhci *x, unsigned slot);

/* ---- xhci_transfer.c ---- */
/* SLOT and EP count from 1. */
struct usb_dev *xhci_find_device(struct xhci *x, const struct xhci_slot *s);
void xhci_kick(struct xhci *x, unsigned slot, unsigned ep);
/* Does what was kicked, up to BYTES.  True: there is more. */
bool xhci_run_endpoint(struct xhci *x, unsigned slot, unsigned ep, uint32_t *bytes);
void xhci_set_ep_state(struct xhci *x, unsigned slot, unsigned ep, enum ep_state state);
/* A TD that waits is told to be stopped. */
void xhci_stop_transfer(struct xhci *x, unsigned slot, unsigned ep);

#endif
