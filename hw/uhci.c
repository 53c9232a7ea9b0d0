/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function 2 of the Intel 82371SB (PIIX3): a USB host controller of two ports, by its data sheet, order number 290550-002,
 * and the "Universal Host Controller Interface (UHCI) Design Guide", revision 1.1.
 *
 * The frame number follows the clock, but the schedule is run by a timer that comes each millisecond only while there is
 * something to do.  When QUIET_FRAMES passed without any transfer it comes every IDLE_NS and runs the frames that went
 * by, since software changes the schedule in memory without telling; a device that has something calls by usb_ready(), and
 * software that looks at a register finds the frames up to then run.  After a transfer the frame is run again each BUSY_NS,
 * up to FRAME_BYTES each time: several times what the wire would carry.
 *
 * Left out on purpose: isochronous transfers' timing, single-stepping (SWDBG), the legacy keyboard traps behind LEGSUP.
 */
#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"
#include "hw/usb.h"

#include <stdio.h>

enum {
	USBCMD = 0x00,
	USBSTS = 0x02,
	USBINTR = 0x04,
	FRNUM = 0x06,
	FLBASEADD = 0x08,
	SOFMOD = 0x0c,
	PORTSC = 0x10,
	PORTS_BYTES = 0x20,
	SBRN = 0x60,       /* configuration space: release of the specification */
	LEGSUP = 0xc0,
};

enum {
	CMD_RUN = 0x01,
	CMD_HCRESET = 0x02,
	CMD_GRESET = 0x04,
	CMD_EGSM = 0x08,   /* global suspend */
	CMD_FGR = 0x10,    /* force global resume */
	CMD_BITS = 0xff,

	STS_INT = 0x01,
	STS_ERROR = 0x02,
	STS_RESUME = 0x04,
	STS_SYSTEM = 0x08,
	STS_PROCESS = 0x10,
	STS_HALTED = 0x20,
	STS_CLEARED = 0x1f,

	INTR_ERROR = 0x1,
	INTR_RESUME = 0x2,
	INTR_IOC = 0x4,
	INTR_SHORT = 0x8,

	PORT_CONNECTED = 0x0001,
	PORT_CONNECT_CHANGE = 0x0002,
	PORT_ENABLED = 0x0004,
	PORT_ENABLE_CHANGE = 0x0008,
	PORT_LINE_DP = 0x0010,
	PORT_LINE_DM = 0x0020,
	PORT_RESUME = 0x0040,
	PORT_ALWAYS = 0x0080,
	PORT_LOW_SPEED = 0x0100,
	PORT_RESET = 0x0200,
	PORT_SUSPEND = 0x1000,
	PORT_WRITABLE = PORT_ENABLED | PORT_RESUME | PORT_RESET | PORT_SUSPEND,
	PORT_CLEARED = PORT_CONNECT_CHANGE | PORT_ENABLE_CHANGE,
};

/* Bits of links, and of a transfer descriptor (TD). */
#define LINK_END 0x1u
#define LINK_QUEUE 0x2u
#define LINK_DEPTH 0x4u
#define TD_TIMEOUT (1u << 18)
#define TD_NAK (1u << 19)
#define TD_BABBLE (1u << 20)
#define TD_STALLED (1u << 22)
#define TD_ACTIVE (1u << 23)
#define TD_IOC (1u << 24)
#define TD_COUNT_SHIFT 27
#define TD_SHORT (1u << 29)
#define TD_ERRORS (0x7eu << 16)

enum {
	ROOT_PORTS = 2,
	FRAME_NS = 1000000,
	IDLE_NS = 8 * FRAME_NS,
	BUSY_NS = 250000,
	SOON_NS = 50000,
	QUIET_FRAMES = 16,
	CATCH_UP = 24,         /* frames of the past that are run at the most */
	FRAME_BYTES = 8 * 1024,
	FRAME_STEPS = 1024,    /* descriptors looked at in a frame */
	QUEUES_SEEN = 64,
	PACKET_MAX = 1280,
};

struct uhci {
	struct pci_dev pci;
	struct region io;
	struct clock *clock;
	struct usb_bus bus;
	struct usb_port ports[ROOT_PORTS];
	bool running_frame;      /* inside of the schedule */
	struct {
		struct pci_state pci;
		struct timer timer;  /* the next look at the schedule */
		uint64_t start_ns;   /* when frame FRNUM began */
		uint64_t ran;        /* frames since then that are through */
		uint32_t base;
		uint32_t quiet;      /* frames in a row without a transfer */
		uint16_t command, status, enable;
		uint16_t frnum;      /* at START_NS, or while stopped */
		uint16_t port[ROOT_PORTS];
		uint8_t causes;      /* INTR_IOC, INTR_SHORT behind STS_INT */
		uint8_t sofmod;
		uint8_t spare[2];    /* zero */
	} state;
};

struct td {
	uint32_t link, ctrl, token, buffer;
};

/* One frame's way through the schedule. */
struct walk {
	uint32_t seen[QUEUES_SEEN];
	unsigned queues, steps, bytes;
	bool moved;      /* something was transferred since SEEN was emptied */
	bool active;     /* or at all */
};

static void
update(struct uhci *u)
{
	uint16_t s = u->state.status, e = u->state.enable;

	pci_set_intx(&u->pci, ((s & STS_INT) && (u->state.causes & e)) || ((s & STS_ERROR) && (e & INTR_ERROR)) ||
		((s & STS_RESUME) && (e & INTR_RESUME)) || (s & (STS_SYSTEM | STS_PROCESS)));
}

/* ---- transfer descriptors ---- */

static void
halt(struct uhci *u, uint16_t why)
{
	u->state.status |= why | STS_HALTED;
	u->state.command &= ~CMD_RUN;
	timer_cancel(&u->state.timer);
}

static bool
fetch(struct uhci *u, uint32_t addr, uint32_t *words, unsigned count)
{
	uint8_t raw[16];

	if (!pci_dma_read(&u->pci, addr, raw, 4 * count)) {
		guest_bug(&u->pci.dev, "the schedule leads to %08x, where no memory is", addr);
		halt(u, STS_SYSTEM);
		return false;
	}
	for (unsigned i = 0; i < count; i++)
		words[i] = load_le(raw + 4 * i, 4);
	return true;
}

static bool
store(struct uhci *u, uint32_t addr, uint32_t value)
{
	uint8_t raw[4];

	store_le(raw, value, 4);
	if (pci_dma_write(&u->pci, addr, raw, 4))
		return true;
	halt(u, STS_SYSTEM);
	return false;
}

static struct usb_dev *
find_device(struct uhci *u, uint8_t address)
{
	for (unsigned i = 0; i < ROOT_PORTS; i++) {
		struct usb_dev *d = u->ports[i].dev;

		if (d != NULL && (u->state.port[i] & PORT_ENABLED) && (d = usb_find(d, address)) != NULL)
			return d;
	}
	return NULL;
}

static void
cause(struct uhci *u, uint8_t why)
{
	u->state.causes |= why;
	u->state.status |= STS_INT;
}

/* What is wrong for good: the queue stops at this TD. */
static void
fail(struct uhci *u, struct td *td, uint32_t bits)
{
	td->ctrl = (td->ctrl & ~(TD_ACTIVE | TD_NAK | 0x7ff)) | bits | TD_STALLED | 0x7ff;
	u->state.status |= STS_ERROR;
	if (td->ctrl & TD_IOC)
		cause(u, INTR_IOC);
}

/* Nobody answered: three tries at once, or as many as it takes. */
static void
time_out(struct uhci *u, struct td *td)
{
	if ((td->ctrl >> TD_COUNT_SHIFT & 3) == 0) {
		td->ctrl |= TD_TIMEOUT;
		return;
	}
	td->ctrl &= ~(3u << TD_COUNT_SHIFT);
	fail(u, td, TD_TIMEOUT);
}

static bool
is_valid(const struct td *td)
{
	uint8_t pid = td->token & 0xff;
	unsigned length = td->token >> 21;

	return (pid == USB_IN || pid == USB_OUT || pid == USB_SETUP) && (length < PACKET_MAX || length == 0x7ff);
}

/* The device has the packet: writes down what came of it.  True: the queue may go on after this TD. */
static bool
acknowledged(struct uhci *u, struct td *td, const struct usb_packet *p)
{
	bool is_short = p->pid == USB_IN && p->done < p->size;

	td->ctrl = (td->ctrl & ~(TD_ACTIVE | TD_NAK | TD_ERRORS | 0x7ff)) | ((p->done - 1) & 0x7ff);
	if (td->ctrl & TD_IOC)
		cause(u, INTR_IOC);
	if (!is_short || !(td->ctrl & TD_SHORT))
		return true;
	cause(u, INTR_SHORT);
	return false;
}

/* Carries out an active TD.  True: it is through, and what follows in the queue may run. */
static bool
execute(struct uhci *u, struct td *td, struct walk *w)
{
	uint8_t data[PACKET_MAX];
	struct usb_dev *d = find_device(u, td->token >> 8 & 0x7f);
	struct usb_packet p = {
		.pid = td->token & 0xff, .endpoint = td->token >> 15 & 15, .data = data, .size = ((td->token >> 21) + 1) & 0x7ff,
	};
	enum usb_answer answer = USB_GONE;

	if (p.pid != USB_IN && !pci_dma_read(&u->pci, td->buffer, data, p.size)) {
		halt(u, STS_SYSTEM);
		return false;
	}
	if (d != NULL)
		answer = usb_transfer(d, &p);
	w->bytes += p.done + 16;
	if (answer == USB_NAK) {
		td->ctrl |= TD_NAK;
		return false;
	}
	w->moved = true;
	switch (answer) {
	case USB_ACK:
		if (p.pid == USB_IN && p.done > 0 && !pci_dma_write(&u->pci, td->buffer, data, p.done)) {
			halt(u, STS_SYSTEM);
			return false;
		}
		return acknowledged(u, td, &p);
	case USB_STALL:
		fail(u, td, 0);
		return false;
	case USB_BABBLE:
		fail(u, td, TD_BABBLE);
		return false;
	default:
		time_out(u, td);
		w->moved = (td->ctrl & TD_ACTIVE) == 0;
		return false;
	}
}

/* Looks at the TD at ADDR; *LINK gets where it leads.  True as execute(). */
static bool
run_td(struct uhci *u, uint32_t addr, uint32_t *link, struct walk *w)
{
	struct td td;
	uint32_t words[4], before;
	bool through;

	*link = LINK_END;
	if (!fetch(u, addr, words, 4))
		return false;
	td = (struct td){ words[0], words[1], words[2], words[3] };
	*link = td.link;
	before = td.ctrl;
	if ((td.ctrl & TD_ACTIVE) == 0) {
		/* Its interrupt comes even so. */
		if (td.ctrl & TD_IOC) {
			cause(u, INTR_IOC);
			w->active = true;
		}
		return false;
	}
	if (!is_valid(&td)) {
		guest_bug(&u->pci.dev, "a descriptor with token %08x", td.token);
		halt(u, STS_PROCESS);
		return false;
	}
	through = execute(u, &td, w);
	if (!(u->state.command & CMD_RUN))
		return false;
	if (td.ctrl != before && !store(u, addr + 4, td.ctrl))
		return false;
	return through;
}

/* ---- the schedule ---- */

/* False: this queue was here already in this frame, and nothing has moved since. */
static bool
enter_queue(struct walk *w, uint32_t addr)
{
	for (unsigned i = 0; i < w->queues; i++) {
		if (w->seen[i] != addr)
			continue;
		if (!w->moved)
			return false;
		w->moved = false;
		w->queues = 0;
		break;
	}
	if (w->queues < QUEUES_SEEN)
		w->seen[w->queues++] = addr;
	return true;
}

/* Runs the queue at ADDR; where the next one is. */
static uint32_t
run_queue(struct uhci *u, uint32_t addr, struct walk *w)
{
	uint32_t head[2], link;

	if (!enter_queue(w, addr) || !fetch(u, addr, head, 2))
		return LINK_END;
	while (!(head[1] & LINK_END) && w->steps < FRAME_STEPS && w->bytes < FRAME_BYTES) {
		w->steps++;
		if (head[1] & LINK_QUEUE) {
			/* A queue inside of a queue: it goes on from there. */
			return head[1];
		}
		if (!run_td(u, head[1] & ~15u, &link, w))
			break;
		if (!store(u, addr + 4, link))
			break;
		head[1] = link;
		if (!(link & LINK_DEPTH))
			break;
	}
	return head[0];
}

static void
run_frame(struct uhci *u, uint32_t frame)
{
	struct walk w = { .queues = 0 };
	uint32_t link;

	if (!fetch(u, u->state.base + 4 * (frame & 1023), &link, 1))
		return;
	while (!(link & LINK_END) && w.steps < FRAME_STEPS && w.bytes < FRAME_BYTES && (u->state.command & CMD_RUN)) {
		w.steps++;
		if (link & LINK_QUEUE)
			link = run_queue(u, link & ~15u, &w);
		else
			run_td(u, link & ~15u, &link, &w);
		w.active |= w.moved;
	}
	u->state.quiet = w.active ? 0 : MIN(u->state.quiet + 1, QUIET_FRAMES);
}

static bool
is_running(const struct uhci *u)
{
	return (u->state.command & (CMD_RUN | CMD_EGSM)) == CMD_RUN;
}

/* Frames begun since START_NS. */
static uint64_t
frames_begun(const struct uhci *u)
{
	return (clock_now(u->clock) - u->state.start_ns) / FRAME_NS;
}

/* Runs what the clock has come to, the frame of now included; SAME: that one even if it was run before. */
static void
run_frames(struct uhci *u, bool same)
{
	uint64_t now = frames_begun(u), first = u->state.ran;

	if (!is_running(u) || u->running_frame)
		return;
	if (same && first > now)
		first = now;
	if (now >= first + CATCH_UP)
		first = now - CATCH_UP + 1;
	u->running_frame = true;
	for (; first <= now && is_running(u); first++)
		run_frame(u, u->state.frnum + first);
	u->running_frame = false;
	u->state.ran = now + 1;
	update(u);
}

static void
arm(struct uhci *u)
{
	uint64_t next = u->state.start_ns + u->state.ran * FRAME_NS;

	if (!is_running(u)) {
		timer_cancel(&u->state.timer);
		return;
	}
	if (u->state.quiet == 0)
		next = clock_now(u->clock) + BUSY_NS;
	else if (u->state.quiet >= QUIET_FRAMES)
		next += IDLE_NS - FRAME_NS;
	timer_set(&u->state.timer, MAX(next, clock_now(u->clock) + SOON_NS));
}

static void
tick(void *opaque)
{
	struct uhci *u = opaque;

	run_frames(u, true);
	arm(u);
}

/* A device has something, or software is at work: look soon. */
static void
hurry(struct uhci *u)
{
	uint64_t soon = clock_now(u->clock) + SOON_NS;

	u->state.quiet = 0;
	if (is_running(u) && (!u->state.timer.armed || u->state.timer.deadline_ns > soon))
		timer_set(&u->state.timer, soon);
}

/* ---- ports ---- */

static void
root_attached(struct usb_port *p)
{
	struct uhci *u = p->opaque;
	uint16_t *port = &u->state.port[p->index];

	*port &= ~(PORT_LOW_SPEED | PORT_LINE_DP | PORT_LINE_DM);
	*port |= PORT_CONNECTED | PORT_CONNECT_CHANGE | (p->dev->speed == USB_LOW ? PORT_LOW_SPEED | PORT_LINE_DM : PORT_LINE_DP);
	if (u->state.command & CMD_EGSM) {
		u->state.status |= STS_RESUME;
		update(u);
	}
	hurry(u);
}

static void
root_detached(struct usb_port *p)
{
	struct uhci *u = p->opaque;
	uint16_t *port = &u->state.port[p->index];

	if (*port & PORT_ENABLED)
		*port = (*port & ~PORT_ENABLED) | PORT_ENABLE_CHANGE;
	*port &= ~(PORT_CONNECTED | PORT_LOW_SPEED | PORT_LINE_DP | PORT_LINE_DM | PORT_SUSPEND | PORT_RESUME);
	*port |= PORT_CONNECT_CHANGE;
	if (u->state.command & CMD_EGSM) {
		u->state.status |= STS_RESUME;
		update(u);
	}
}

static void
root_resumed(struct usb_port *p)
{
	struct uhci *u = p->opaque;
	uint16_t *port = &u->state.port[p->index];

	if ((*port & PORT_SUSPEND) && (*port & PORT_ENABLED))
		*port |= PORT_RESUME;
	if (u->state.command & CMD_EGSM) {
		u->state.command |= CMD_FGR;
		u->state.status |= STS_RESUME;
	}
	update(u);
}

static void
root_ready(struct usb_port *p, struct usb_dev *d, uint8_t endpoint)
{
	(void)d, (void)endpoint;
	hurry(p->opaque);
}

static const struct usb_port_ops port_ops = { root_attached, root_detached, root_resumed, root_ready };

static void
set_sleep(struct uhci *u, unsigned n)
{
	struct usb_dev *d = u->ports[n].dev;

	if (d != NULL)
		usb_set_suspended(d, (u->state.port[n] & PORT_SUSPEND) || (u->state.command & CMD_EGSM));
}

static void
write_port(struct uhci *u, unsigned n, uint16_t value)
{
	uint16_t *port = &u->state.port[n], old = *port;

	if (!(old & PORT_CONNECTED))
		value &= ~PORT_ENABLED;
	*port = (old & ~PORT_WRITABLE) | (value & PORT_WRITABLE);
	*port &= ~(value & PORT_CLEARED);
	if (value & PORT_RESET) {
		*port &= ~(PORT_ENABLED | PORT_SUSPEND | PORT_RESUME);
		if (!(old & PORT_RESET) && u->ports[n].dev != NULL)
			usb_bus_reset(u->ports[n].dev);
	}
	/* The end of a resume is the end of sleep. */
	if ((old & PORT_RESUME) && !(value & PORT_RESUME))
		*port &= ~PORT_SUSPEND;
	set_sleep(u, n);
}

/* ---- registers ---- */

static void
power_on(struct uhci *u)
{
	timer_cancel(&u->state.timer);
	u->state.start_ns = u->state.ran = 0;
	u->state.base = u->state.quiet = 0;
	u->state.command = u->state.enable = u->state.frnum = 0;
	u->state.causes = 0;
	u->state.status = STS_HALTED;
	u->state.sofmod = 64;
	for (unsigned n = 0; n < ROOT_PORTS; n++) {
		u->state.port[n] = PORT_ALWAYS;
		if (u->ports[n].dev != NULL) {
			usb_bus_reset(u->ports[n].dev);
			root_attached(&u->ports[n]);
		}
	}
	update(u);
}

static void
set_command(struct uhci *u, uint16_t value)
{
	uint16_t old = u->state.command;

	if (value & CMD_HCRESET) {
		power_on(u);
		return;
	}
	if (value & CMD_GRESET) {
		power_on(u);
		u->state.command = CMD_GRESET;
		return;
	}
	/* What ran, ran by the old command. */
	run_frames(u, false);
	u->state.command = value & CMD_BITS;
	if ((value & CMD_RUN) && !(old & CMD_RUN)) {
		u->state.start_ns = clock_now(u->clock);
		u->state.ran = 0;
		u->state.quiet = 0;
		u->state.status &= ~STS_HALTED;
	} else if (!(value & CMD_RUN)) {
		if (old & CMD_RUN)
			u->state.frnum = (u->state.frnum + frames_begun(u)) & 0x7ff;
		u->state.status |= STS_HALTED;
	}
	for (unsigned n = 0; n < ROOT_PORTS; n++)
		set_sleep(u, n);
	arm(u);
}

static uint16_t
frame_number(const struct uhci *u)
{
	return u->state.frnum + ((u->state.command & CMD_RUN) ? frames_begun(u) : 0);
}

static uint64_t
read_register(void *opaque, uint64_t offset, unsigned size)
{
	struct uhci *u = opaque;
	uint8_t image[PORTS_BYTES];

	if (offset < FLBASEADD)
		run_frames(u, false);
	memset(image, 0xff, sizeof(image));
	store_le(image + USBCMD, u->state.command, 2);
	store_le(image + USBSTS, u->state.status, 2);
	store_le(image + USBINTR, u->state.enable, 2);
	store_le(image + FRNUM, frame_number(u) & 0x7ff, 2);
	store_le(image + FLBASEADD, u->state.base, 4);
	image[SOFMOD] = u->state.sofmod;
	for (unsigned n = 0; n < ROOT_PORTS; n++)
		store_le(image + PORTSC + 2 * n, u->state.port[n], 2);
	return load_le(image + offset, MIN(size, (unsigned)(PORTS_BYTES - offset)));
}

static void
write_word(struct uhci *u, unsigned offset, uint16_t value)
{
	switch (offset) {
	case USBCMD:
		set_command(u, value);
		break;
	case USBSTS:
		u->state.status &= ~(value & STS_CLEARED);
		if (value & STS_INT)
			u->state.causes = 0;
		break;
	case USBINTR:
		u->state.enable = value & 0xf;
		break;
	case FRNUM:
		if (!(u->state.command & CMD_RUN))
			u->state.frnum = value & 0x7ff;
		break;
	case FLBASEADD:
		u->state.base = (u->state.base & 0xffff0000) | (value & 0xf000);
		break;
	case FLBASEADD + 2:
		u->state.base = (u->state.base & 0xffff) | (uint32_t)value << 16;
		break;
	case PORTSC:
	case PORTSC + 2:
		write_port(u, (offset - PORTSC) / 2, value);
		break;
	}
}

static void
write_register(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct uhci *u = opaque;

	if (offset == SOFMOD) {
		u->state.sofmod = value & 0x7f;
	} else if (size == 1) {
		/* The other byte stays; a bit that is cleared by ones must not be. */
		unsigned word = offset & ~1u, shift = 8 * (offset & 1);
		uint16_t old = read_register(u, word, 2);

		if (word == USBSTS)
			old = 0;
		else if (word >= PORTSC)
			old &= ~PORT_CLEARED;
		write_word(u, word, (old & ~(0xff << shift)) | (value & 0xff) << shift);
	} else {
		for (unsigned i = 0; i < size; i += 2)
			write_word(u, offset + i, value >> 8 * i);
	}
	update(u);
	/* Software is at work: what it is about to queue shall not wait for long. */
	if (offset < SOFMOD)
		hurry(u);
}

static const struct region_ops io_ops = { read_register, write_register, 1, 4 };

/* ---- the class ---- */

static struct uhci *
uhci_of(struct dev *d)
{
	return CONTAINER_OF(d, struct uhci, pci.dev);
}

static void
uhci_reset(struct dev *d)
{
	struct uhci *u = uhci_of(d);

	pci_reset(&u->pci);
	power_on(u);
}

static bool
uhci_loaded(struct dev *d, struct err *e)
{
	struct uhci *u = uhci_of(d);
	uint64_t now = clock_now(u->clock);

	pci_loaded(&u->pci);
	memset(u->state.spare, 0, sizeof(u->state.spare));
	u->state.base &= ~0xfffu;
	if (u->state.start_ns > now || u->state.ran > frames_begun(u) + 1)
		return err_set(e, "frames of the future");
	update(u);
	return true;
}

static void
uhci_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct uhci *u = uhci_of(d);
	char text[160];

	snprintf(text, sizeof(text), "  command %02x, status %02x, interrupts %x, frame %u, list at %08x, ports %04x %04x\n",
		u->state.command, u->state.status, u->state.enable, frame_number(u) & 0x7ffu, u->state.base, u->state.port[0],
		u->state.port[1]);
	print(opaque, text);
}

static void
uhci_destroy(struct dev *d)
{
	struct uhci *u = uhci_of(d);

	for (unsigned n = 0; n < ROOT_PORTS; n++)
		usb_remove_port(&u->ports[n]);
	timer_cancel(&u->state.timer);
	usb_bus_destroy(&u->bus);
	pci_detach(&u->pci);
}

static const struct field fields[] = {
	PCI_FIELDS(struct uhci),
	FIELD_TIMER_OF(struct uhci, state.timer),
	FIELD_OF(struct uhci, state.start_ns),
	FIELD_OF(struct uhci, state.ran),
	FIELD_OF(struct uhci, state.base),
	FIELD_MAX(struct uhci, state.quiet, QUIET_FRAMES),
	FIELD_MAX(struct uhci, state.command, CMD_BITS),
	FIELD_MAX(struct uhci, state.status, STS_CLEARED | STS_HALTED),
	FIELD_MAX(struct uhci, state.enable, 0xf),
	FIELD_MAX(struct uhci, state.frnum, 0x7ff),
	FIELD_ARRAY(struct uhci, state.port),
	FIELD_MAX(struct uhci, state.causes, INTR_IOC | INTR_SHORT),
	FIELD_MAX(struct uhci, state.sofmod, 0x7f),
	FIELD_SKIP(struct uhci, state.spare),
	FIELD_END
};

static const struct dev_class uhci_class = {
	DEV_OF(uhci),
	.description = "Intel PIIX3 USB controller",
	.fields = fields,
	.reset = uhci_reset,
	.loaded = uhci_loaded,
	.info = uhci_info,
	.destroy = uhci_destroy,
};

struct dev *
uhci_new(const struct dev_env *env, struct pci_bus *pci, int devfn, const char *id, const char *bus_name, struct usb_bus **bus)
{
	static const struct pci_id ids = { .vendor = 0x8086, .device = 0x7020, .class = 0x0c0300, .revision = 1, .pin = 4 };
	struct uhci *u = (struct uhci *)dev_new(env, &uhci_class, id);

	u->clock = env->clock;
	pci_attach(&u->pci, pci, devfn, &u->state.pci, &ids);
	pci_init_config(&u->pci, SBRN, 1, 0x10, 0);
	pci_init_config(&u->pci, LEGSUP, 2, 0x2000, 0x20bf);
	store_le(u->pci.clear_mask + LEGSUP, 0x8f00, 2);
	region_init_io(&u->io, "uhci", &io_ops, u, PORTS_BYTES);
	pci_add_bar(&u->pci, 4, PCI_BAR_IO, &u->io);
	timer_init(&u->state.timer, env->clock, tick, u);
	usb_bus_init(&u->bus, bus_name);
	u->bus.devfn = u->pci.devfn;
	for (unsigned n = 0; n < ROOT_PORTS; n++) {
		u->ports[n] = (struct usb_port){ .ops = &port_ops, .opaque = u, .index = n, .speeds = 1 << USB_LOW | 1 << USB_FULL };
		usb_add_port(&u->bus, &u->ports[n], NULL, n + 1);
	}
	*bus = &u->bus;
	return &u->pci.dev;
}
