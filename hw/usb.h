/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * USB as host controllers and devices see it: "Universal Serial Bus Specification", revisions 2.0 and 3.0.
 *
 * A device's struct begins with a struct usb_dev (and so with a struct dev), and its state with a struct usb_state, as PCI
 * devices do it; USB_FIELDS() stands first in its field table, its reset() calls usb_reset(), its loaded() usb_loaded(), its
 * destroy() usb_destroy().
 *
 * No transfer is ever under way inside of a device: usb_transfer() answers at once.  What has to wait (a disk, a key that
 * was not pressed yet) is answered by USB_NAK; the device says usb_ready() as soon as asking again is worth it.  So a
 * controller has nothing to cancel, and a snapshot nothing to wait for.
 */
#ifndef HW_USB_H
#define HW_USB_H

#include "base/dev.h"

#include <stdbool.h>
#include <stdint.h>

struct disk;
struct err;
struct input;
struct pci_bus;
struct usb_bus;
struct usb_dev;

enum usb_speed { USB_LOW, USB_FULL, USB_HIGH, USB_SUPER };

enum usb_pid { USB_OUT = 0xe1, USB_IN = 0x69, USB_SETUP = 0x2d };

enum usb_answer {
	USB_ACK,
	USB_NAK,     /* not now */
	USB_STALL,
	USB_BABBLE,  /* more came than there was room for */
	USB_GONE,    /* no answer at all */
};

enum {
	USB_CONTROL_DATA = 1024, /* the most that a control transfer moves */
	USB_PORTS_MAX = 15,      /* of a bus, and of a hub */
	USB_DEPTH_MAX = 5,       /* hubs in a row */
};

/*
 * One packet, or as many in a row as SIZE has room for; a device that has less ready than a full packet, and more to come,
 * gives what whole packets there are.  DONE: how much was moved; ENDED: a short packet (or the end of a control
 * transfer's data) came, nothing more belongs to this transfer.
 */
struct usb_packet {
	uint8_t pid, endpoint; /* 0 to 15 */
	bool ended;
	uint8_t *data;
	uint32_t size, done;
};

struct usb_setup {
	uint8_t type, request;
	uint16_t value, index, length;
};

/* Bits of usb_setup.type. */
enum {
	USB_TYPE_IN = 0x80,
	USB_TYPE_CLASS = 0x20,
	USB_TYPE_VENDOR = 0x40,
	USB_TO_DEVICE = 0,
	USB_TO_INTERFACE = 1,
	USB_TO_ENDPOINT = 2,
	USB_TO_OTHER = 3,
};

enum {
	USB_GET_STATUS = 0,
	USB_CLEAR_FEATURE = 1,
	USB_SET_FEATURE = 3,
	USB_SET_ADDRESS = 5,
	USB_GET_DESCRIPTOR = 6,
	USB_GET_CONFIGURATION = 8,
	USB_SET_CONFIGURATION = 9,
	USB_GET_INTERFACE = 10,
	USB_SET_INTERFACE = 11,
	USB_SET_SEL = 48,
	USB_SET_ISOCH_DELAY = 49,
};

enum {
	USB_DESC_DEVICE = 1,
	USB_DESC_CONFIG = 2,
	USB_DESC_STRING = 3,
	USB_DESC_INTERFACE = 4,
	USB_DESC_ENDPOINT = 5,
	USB_DESC_QUALIFIER = 6,
	USB_DESC_OTHER_SPEED = 7,
	USB_DESC_BOS = 15,
	USB_DESC_COMPANION = 48,
};

enum { USB_BULK = 2, USB_INTERRUPT = 3 };

struct usb_endpoint {
	uint8_t address;        /* bit 7: IN */
	uint8_t type;
	uint16_t packet[4];     /* the largest packet, by speed */
	uint8_t interval[4];    /* as the descriptor says it, by speed */
};

/* What a device says about itself: one configuration with one interface. */
struct usb_info {
	uint16_t vendor, product, release;
	uint8_t device_class, device_protocol;
	uint8_t interface_class, interface_subclass, interface_protocol;
	uint8_t attributes;     /* of the configuration: A0h with remote wake-up */
	uint8_t power;          /* in 2 mA */
	const char *maker, *name;
	const uint8_t *extra;   /* descriptors between the interface's and those of the endpoints */
	uint8_t extra_size, endpoint_count;
	struct usb_endpoint endpoints[2];
};

struct usb_ops {
	const struct usb_info *info;
	uint8_t speeds;         /* bit per usb_speed */
	/* The bus was reset, or the device unplugged or configured anew: what is under way is over.  May be NULL. */
	void (*stopped)(struct usb_dev *d);
	/* A request that is not every device's.  IN: fills DATA and returns how much; OUT: DATA came, returns 0.  -1: stall. */
	int (*control)(struct usb_dev *d, const struct usb_setup *s, uint8_t *data);
	/* A packet of an endpoint that exists and is not halted. */
	enum usb_answer (*data)(struct usb_dev *d, struct usb_packet *p);
	/* CLEAR_FEATURE(ENDPOINT_HALT).  May be NULL. */
	void (*unhalted)(struct usb_dev *d, uint8_t endpoint);
	/*
	 * Hubs: the device behind an enabled port that has ADDRESS; its own port N, from 1 on; and that
	 * it was plugged in or is about to be pulled out.  NULL otherwise.
	 */
	struct usb_dev *(*find)(struct usb_dev *d, uint8_t address);
	struct usb_dev *(*child)(struct usb_dev *d, unsigned n);
	void (*plugged)(struct usb_dev *d, bool in);
};

/* Guest-visible; the first member of a device's state. */
struct usb_state {
	uint32_t halted;        /* bit per endpoint, IN from bit 16 on */
	uint16_t pos, len;      /* of the control transfer's data */
	uint8_t address, configuration;
	uint8_t phase;          /* of the control transfer */
	uint8_t remote_wakeup;  /* allowed */
	uint8_t suspended;
	uint8_t spare[3];       /* zero */
	uint8_t setup[8];
	uint8_t data[USB_CONTROL_DATA];
};

enum { USB_PHASES = 5 };

#define USB_FIELDS(type) \
	FIELD_OF(type, state.usb.halted), FIELD_MAX(type, state.usb.pos, USB_CONTROL_DATA), \
	FIELD_MAX(type, state.usb.len, USB_CONTROL_DATA), FIELD_MAX(type, state.usb.address, 127), \
	FIELD_MAX(type, state.usb.configuration, 1), FIELD_MAX(type, state.usb.phase, USB_PHASES - 1), \
	FIELD_MAX(type, state.usb.remote_wakeup, 1), FIELD_MAX(type, state.usb.suspended, 1), \
	FIELD_SKIP(type, state.usb.spare), FIELD_BUFFER(type, state.usb.setup), FIELD_BUFFER(type, state.usb.data)

struct usb_dev {
	struct dev dev;
	const struct usb_ops *ops;
	struct usb_state *state;
	struct usb_port *port;  /* NULL: not plugged in */
	enum usb_speed speed;
	char serial[32];
};

/* What the owner of a port, a root hub or a hub, is told.  All but find may be called inside of usb_transfer(). */
struct usb_port_ops {
	void (*attached)(struct usb_port *p);
	void (*detached)(struct usb_port *p);                     /* the device is still in its place */
	void (*resumed)(struct usb_port *p);                      /* it signals resume */
	/* Endpoint (bit 7: IN) of D, which is this port's device or further down, has something. */
	void (*ready)(struct usb_port *p, struct usb_dev *d, uint8_t endpoint);
};

struct usb_port {
	const struct usb_port_ops *ops;
	void *opaque;
	struct usb_bus *bus;
	struct usb_dev *dev;
	struct usb_port *parent; /* of the hub that this is a port of; NULL: of the root */
	unsigned index;          /* among the owner's, from 0 on */
	unsigned depth;          /* hubs between the root and this */
	uint8_t speeds;          /* bit per usb_speed */
	char path[24];           /* "2.1" */
	struct usb_port *next;
};

struct usb_bus {
	char *name;
	uint8_t devfn;           /* the controller's */
	struct usb_port *ports;  /* by age */
	struct usb_bus *next;    /* for the board's list */
};

/* ---- for the board ---- */

/*
 * Controllers: at SLOT << 3 | FUNCTION, or PCI_ANY_SLOT; ID may be NULL, BUS_NAME is what bus= says.
 * UHCI: the PIIX3's, two ports of full and low speed.  xHCI: PORTS2 of USB 2 and PORTS3 of USB 3, which share connectors.
 */
struct dev *uhci_new(const struct dev_env *env, struct pci_bus *pci, int devfn, const char *id, const char *bus_name,
	struct usb_bus **bus);
struct dev *xhci_new(const struct dev_env *env, struct pci_bus *pci, int devfn, const char *id, const char *bus_name,
	unsigned ports2, unsigned ports3, struct usb_bus **bus);
/* Devices, not yet plugged in.  SERIAL may be empty.  Keys and movements come from IN, which must outlive them. */
struct usb_dev *usb_kbd_new(const struct dev_env *env, const char *id, const char *serial, struct input *in);
struct usb_dev *usb_mouse_new(const struct dev_env *env, const char *id, const char *serial, struct input *in);
struct usb_dev *usb_tablet_new(const struct dev_env *env, const char *id, const char *serial, struct input *in);
/* DISK: NULL is an empty CD drive, or a card reader without a card. */
struct usb_dev *usb_storage_new(const struct dev_env *env, const char *id, const char *serial, struct disk *disk, bool cdrom,
	bool removable);
/* Another medium, NULL: none.  False: it is not removable, or locked by the guest (FORCE overrides). */
bool usb_storage_change(struct usb_dev *d, struct disk *disk, bool force);
struct usb_dev *usb_hub_new(const struct dev_env *env, const char *id, const char *serial, unsigned ports);

struct usb_port *usb_find_port(struct usb_bus *bus, const char *path);
/* The first port that is free and takes D's speeds; the number of those that are free. */
struct usb_port *usb_free_port(struct usb_bus *bus, uint8_t speeds, unsigned *free_ports);
/* False with E set: no common speed. */
bool usb_plug(struct usb_dev *d, struct usb_port *p, struct err *e);
/* The guest sees that.  A device that is freed without goes unseen, for the end of a machine. */
void usb_unplug(struct usb_dev *d);
const char *usb_speed_name(enum usb_speed speed);

/* ---- for devices ---- */

void usb_init(struct usb_dev *d, const struct usb_ops *ops, struct usb_state *state, const char *serial);
void usb_reset(struct usb_dev *d);
/* What loaded() of a device asks first. */
bool usb_loaded(struct usb_dev *d, struct err *e);
void usb_destroy(struct usb_dev *d);
bool usb_is_configured(const struct usb_dev *d);
void usb_halt(struct usb_dev *d, uint8_t endpoint);
/* There is something at ENDPOINT; a sleeping device wakes the bus if it may. */
void usb_ready(struct usb_dev *d, uint8_t endpoint);
/* The largest packet of an endpoint at the speed of now. */
uint16_t usb_packet_size(const struct usb_dev *d, uint8_t endpoint);

/* ---- for host controllers and hubs ---- */

void usb_bus_init(struct usb_bus *bus, const char *name);
/* After its ports were removed. */
void usb_bus_destroy(struct usb_bus *bus);
/* PARENT as usb_port.parent; the port's path follows from it and NUMBER.  OPAQUE, OPS, INDEX and SPEEDS are filled in. */
void usb_add_port(struct usb_bus *bus, struct usb_port *p, struct usb_port *parent, unsigned number);
void usb_remove_port(struct usb_port *p);
/* The device with ADDRESS, D or one behind it. */
struct usb_dev *usb_find(struct usb_dev *d, uint8_t address);
void usb_bus_reset(struct usb_dev *d);
void usb_set_suspended(struct usb_dev *d, bool suspended);
enum usb_answer usb_transfer(struct usb_dev *d, struct usb_packet *p);

#endif
