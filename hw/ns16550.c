/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The National Semiconductor 16550A UART (data sheet PC16550D), one serial port of a PC.
 *
 * Characters take no time on the line: what is written leaves at once, and a host that does not take it holds it in the
 * transmitter until it does, or for 100 ms, when it is lost as on a line without flow control.  Received characters
 * wait at the host until the guest has room for them, so that nothing overruns but in loopback mode.  The receiver's
 * time-out does follow the programmed rate.  OUT2 does not gate the interrupt, since small guests never set it.
 */
#include "hw/hw.h"

#include "base/clock.h"
#include "base/util.h"
#include "ui/ui.h"

#include <stdio.h>

/* Registers; the first two are the divisor latch while LCR bit 7 is set. */
enum {
	REG_DATA = 0,
	REG_IER = 1,
	REG_IIR_FCR = 2,
	REG_LCR = 3,
	REG_MCR = 4,
	REG_LSR = 5,
	REG_MSR = 6,
	REG_SCR = 7,
};

enum {
	IER_RECEIVED = 0x01,
	IER_EMPTY = 0x02,
	IER_LINE = 0x04,
	IER_MODEM = 0x08,

	IIR_NONE = 0x01,
	IIR_MODEM = 0x00,
	IIR_EMPTY = 0x02,
	IIR_RECEIVED = 0x04,
	IIR_LINE = 0x06,
	IIR_TIMEOUT = 0x0c,
	IIR_FIFOS = 0xc0,

	FCR_ENABLE = 0x01,
	FCR_CLEAR_RX = 0x02,
	FCR_CLEAR_TX = 0x04,

	LCR_DLAB = 0x80,

	MCR_DTR = 0x01,
	MCR_RTS = 0x02,
	MCR_OUT1 = 0x04,
	MCR_OUT2 = 0x08,
	MCR_LOOP = 0x10,

	LSR_READY = 0x01,
	LSR_OVERRUN = 0x02,
	LSR_BREAK = 0x10,
	LSR_ERRORS = 0x1e,
	LSR_THR_EMPTY = 0x20,
	LSR_ALL_SENT = 0x40,

	MSR_RI_ENDED = 0x04,
	MSR_CTS = 0x10,
	MSR_DSR = 0x20,
	MSR_RI = 0x40,
	MSR_DCD = 0x80,
};

enum { FIFO_SIZE = 16, RETRY_NS = 1000000, RETRIES = 100 };

struct ns16550 {
	struct dev dev;
	struct region ports;
	struct irq out;
	struct chr *chr;
	struct chr_user user;
	struct clock *clock;
	struct {
		struct timer timeout; /* nothing was read or received for four characters' time */
		struct timer retry;   /* the host did not take what the transmitter holds */
		uint8_t rx[FIFO_SIZE], tx[FIFO_SIZE];
		uint8_t rx_head, rx_count, tx_count;
		uint8_t retries;
		uint16_t divisor;
		uint8_t ier, fcr, lcr, mcr, lsr, msr, scr;
		bool empty_pending;  /* the transmitter ran empty, not yet told or answered */
		bool timed_out;
		uint8_t reserved[9];
	} state;
};

static unsigned
capacity(const struct ns16550 *u)
{
	return (u->state.fcr & FCR_ENABLE) != 0 ? FIFO_SIZE : 1;
}

static unsigned
trigger_level(const struct ns16550 *u)
{
	static const uint8_t levels[4] = { 1, 4, 8, 14 };

	return (u->state.fcr & FCR_ENABLE) != 0 ? levels[u->state.fcr >> 6] : 1;
}

/* The interrupt of the highest priority, as IIR shows it. */
static uint8_t
cause(const struct ns16550 *u)
{
	if ((u->state.ier & IER_LINE) != 0 && (u->state.lsr & LSR_ERRORS) != 0)
		return IIR_LINE;
	if ((u->state.ier & IER_RECEIVED) != 0 && u->state.rx_count >= trigger_level(u))
		return IIR_RECEIVED;
	if ((u->state.ier & IER_RECEIVED) != 0 && u->state.timed_out)
		return IIR_TIMEOUT;
	if ((u->state.ier & IER_EMPTY) != 0 && u->state.empty_pending)
		return IIR_EMPTY;
	if ((u->state.ier & IER_MODEM) != 0 && (u->state.msr & 0x0f) != 0)
		return IIR_MODEM;
	return IIR_NONE;
}

static void
update(struct ns16550 *u)
{
	irq_set(&u->out, cause(u) != IIR_NONE);
}

/* Four characters at the programmed rate: start, data, parity, stop; 1.8432 MHz / 16 / divisor bits a second. */
static uint64_t
timeout_ns(const struct ns16550 *u)
{
	unsigned frame = 1 + 5 + (u->state.lcr & 3) + (u->state.lcr >> 3 & 1) + 1 + (u->state.lcr >> 2 & 1);
	uint64_t ns = 4ull * frame * MAX(u->state.divisor, 1) * NS_PER_SEC / 115200;

	return MIN(MAX(ns, 50000), 100000000);
}

static void
restart_timeout(struct ns16550 *u)
{
	u->state.timed_out = false;
	if (u->state.rx_count != 0 && (u->state.fcr & FCR_ENABLE) != 0)
		timer_set(&u->state.timeout, clock_now(u->clock) + timeout_ns(u));
	else
		timer_cancel(&u->state.timeout);
}

static void
timeout_fire(void *opaque)
{
	struct ns16550 *u = opaque;

	u->state.timed_out = u->state.rx_count != 0;
	update(u);
}

static void
rx_put(struct ns16550 *u, uint8_t byte)
{
	if (u->state.rx_count >= capacity(u)) {
		u->state.lsr |= LSR_OVERRUN;
		if ((u->state.fcr & FCR_ENABLE) == 0)
			u->state.rx[u->state.rx_head] = byte;
		return;
	}
	u->state.rx[(u->state.rx_head + u->state.rx_count) % FIFO_SIZE] = byte;
	u->state.rx_count++;
	u->state.lsr |= LSR_READY;
	restart_timeout(u);
}

static void
rx_clear(struct ns16550 *u)
{
	u->state.rx_head = u->state.rx_count = 0;
	u->state.lsr &= ~(LSR_READY | LSR_BREAK);
	restart_timeout(u);
}

static uint8_t
rx_take(struct ns16550 *u)
{
	uint8_t byte = u->state.rx[u->state.rx_head];

	if (u->state.rx_count == 0)
		return byte;
	u->state.rx_head = (u->state.rx_head + 1) % FIFO_SIZE;
	u->state.rx_count--;
	if (u->state.rx_count == 0)
		u->state.lsr &= ~LSR_READY;
	restart_timeout(u);
	return byte;
}

static void
tx_emptied(struct ns16550 *u)
{
	u->state.tx_count = 0;
	u->state.retries = 0;
	u->state.lsr |= LSR_THR_EMPTY | LSR_ALL_SENT;
	u->state.empty_pending = true;
	timer_cancel(&u->state.retry);
}

/* Hands over what the transmitter holds; a host that takes nothing is asked again, RETRIES times. */
static void
tx_send(struct ns16550 *u)
{
	size_t taken = u->state.tx_count;

	if (u->chr != NULL)
		taken = MIN(chr_write(u->chr, u->state.tx, u->state.tx_count), u->state.tx_count);
	if (taken != 0)
		u->state.retries = 0;
	u->state.tx_count -= taken;
	memmove(u->state.tx, u->state.tx + taken, u->state.tx_count);
	if (u->state.tx_count == 0 || u->state.retries++ >= RETRIES)
		tx_emptied(u);
	else
		timer_set(&u->state.retry, clock_now(u->clock) + RETRY_NS);
}

static void
retry_fire(void *opaque)
{
	struct ns16550 *u = opaque;

	if (u->state.tx_count != 0)
		tx_send(u);
	update(u);
}

static void
tx_put(struct ns16550 *u, uint8_t byte)
{
	bool waiting = u->state.tx_count != 0;

	u->state.empty_pending = false;
	update(u);
	if ((u->state.mcr & MCR_LOOP) != 0) {
		rx_put(u, byte);
		u->state.empty_pending = true;
		return;
	}
	if (u->state.tx_count >= capacity(u))
		return;
	u->state.tx[u->state.tx_count++] = byte;
	u->state.lsr &= ~(LSR_THR_EMPTY | LSR_ALL_SENT);
	if (!waiting)
		tx_send(u);
}

/* The modem's lines: a peer that is always there, or in loopback mode our own outputs.  Changes leave their marks. */
static void
modem_update(struct ns16550 *u)
{
	uint8_t mcr = u->state.mcr, lines = MSR_CTS | MSR_DSR | MSR_DCD, changed;

	if ((mcr & MCR_LOOP) != 0) {
		lines = ((mcr & MCR_RTS) != 0 ? MSR_CTS : 0) | ((mcr & MCR_DTR) != 0 ? MSR_DSR : 0) |
			((mcr & MCR_OUT1) != 0 ? MSR_RI : 0) | ((mcr & MCR_OUT2) != 0 ? MSR_DCD : 0);
	}
	changed = (u->state.msr ^ lines) >> 4;
	if ((lines & MSR_RI) != 0)
		changed &= ~MSR_RI_ENDED;
	u->state.msr = lines | (u->state.msr & 0x0f) | changed;
}

static void
set_fcr(struct ns16550 *u, uint8_t value)
{
	bool switched = ((value ^ u->state.fcr) & FCR_ENABLE) != 0;

	/* The other bits are programmed only together with a set bit 0. */
	u->state.fcr = (value & FCR_ENABLE) != 0 ? value & 0xc9 : 0;
	if (switched || (value & FCR_CLEAR_RX) != 0)
		rx_clear(u);
	if ((switched || (value & FCR_CLEAR_TX) != 0) && u->state.tx_count != 0)
		tx_emptied(u);
}

static uint8_t
read_iir(struct ns16550 *u)
{
	uint8_t iir = cause(u);

	if (iir == IIR_EMPTY)
		u->state.empty_pending = false;
	return iir | ((u->state.fcr & FCR_ENABLE) != 0 ? IIR_FIFOS : 0);
}

static uint8_t
read_register(struct ns16550 *u, unsigned reg)
{
	bool latch = (u->state.lcr & LCR_DLAB) != 0;
	uint8_t value;

	switch (reg) {
	case REG_DATA:
		return latch ? u->state.divisor & 0xff : rx_take(u);
	case REG_IER:
		return latch ? u->state.divisor >> 8 : u->state.ier;
	case REG_IIR_FCR:
		return read_iir(u);
	case REG_LCR:
		return u->state.lcr;
	case REG_MCR:
		return u->state.mcr;
	case REG_LSR:
		value = u->state.lsr;
		u->state.lsr &= ~LSR_ERRORS;
		return value;
	case REG_MSR:
		value = u->state.msr;
		u->state.msr &= 0xf0;
		return value;
	default:
		return u->state.scr;
	}
}

static uint64_t
ports_read(void *opaque, uint64_t offset, unsigned size)
{
	struct ns16550 *u = opaque;
	bool data = offset == REG_DATA && (u->state.lcr & LCR_DLAB) == 0;
	uint8_t value = read_register(u, offset);

	(void)size;
	update(u);
	if (data && u->chr != NULL && (u->state.mcr & MCR_LOOP) == 0)
		chr_accept(u->chr);
	return value;
}

static void
write_latched(struct ns16550 *u, unsigned reg, uint8_t value)
{
	if (reg == REG_DATA)
		u->state.divisor = (u->state.divisor & 0xff00) | value;
	else
		u->state.divisor = (u->state.divisor & 0x00ff) | value << 8;
}

static void
set_ier(struct ns16550 *u, uint8_t value)
{
	bool rises = (value & ~u->state.ier & IER_EMPTY) != 0;

	u->state.ier = value & 0x0f;
	if (rises && (u->state.lsr & LSR_THR_EMPTY) != 0)
		u->state.empty_pending = true;
}

static void
ports_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct ns16550 *u = opaque;

	(void)size;
	if (offset <= REG_IER && (u->state.lcr & LCR_DLAB) != 0) {
		write_latched(u, offset, value);
		return;
	}
	switch (offset) {
	case REG_DATA:
		tx_put(u, value);
		break;
	case REG_IER:
		set_ier(u, value);
		break;
	case REG_IIR_FCR:
		set_fcr(u, value);
		break;
	case REG_LCR:
		u->state.lcr = value;
		break;
	case REG_MCR:
		u->state.mcr = value & 0x1f;
		modem_update(u);
		break;
	case REG_SCR:
		u->state.scr = value;
		break;
	}
	update(u);
	if ((offset == REG_IIR_FCR || offset == REG_MCR) && u->chr != NULL)
		chr_accept(u->chr);
}

static const struct region_ops ports_ops = { ports_read, ports_write, 1, 1 };

static size_t
uart_can_receive(void *opaque)
{
	struct ns16550 *u = opaque;

	if ((u->state.mcr & MCR_LOOP) != 0 || u->state.rx_count >= capacity(u))
		return 0;
	return capacity(u) - u->state.rx_count;
}

static void
uart_receive(void *opaque, const uint8_t *data, size_t len)
{
	struct ns16550 *u = opaque;

	for (size_t i = 0; i < len; i++)
		rx_put(u, data[i]);
	update(u);
}

static void
uart_event(void *opaque, enum chr_event event)
{
	struct ns16550 *u = opaque;

	if (event != CHR_BREAK || (u->state.mcr & MCR_LOOP) != 0)
		return;
	rx_put(u, 0);
	u->state.lsr |= LSR_BREAK;
	update(u);
}

static const struct field fields[] = {
	FIELD_TIMER_OF(struct ns16550, state.timeout),
	FIELD_TIMER_OF(struct ns16550, state.retry),
	FIELD_BUFFER(struct ns16550, state.rx),
	FIELD_BUFFER(struct ns16550, state.tx),
	FIELD_MAX(struct ns16550, state.rx_head, FIFO_SIZE - 1),
	FIELD_MAX(struct ns16550, state.rx_count, FIFO_SIZE),
	FIELD_MAX(struct ns16550, state.tx_count, FIFO_SIZE),
	FIELD_OF(struct ns16550, state.retries),
	FIELD_OF(struct ns16550, state.divisor),
	FIELD_OF(struct ns16550, state.ier),
	FIELD_OF(struct ns16550, state.fcr),
	FIELD_OF(struct ns16550, state.lcr),
	FIELD_OF(struct ns16550, state.mcr),
	FIELD_OF(struct ns16550, state.lsr),
	FIELD_OF(struct ns16550, state.msr),
	FIELD_OF(struct ns16550, state.scr),
	FIELD_MAX(struct ns16550, state.empty_pending, 1),
	FIELD_MAX(struct ns16550, state.timed_out, 1),
	FIELD_BUFFER(struct ns16550, state.reserved),
	FIELD_END
};

/* The data sheet leaves the divisor as it was; firmware that never sets it finds 9600 bits a second. */
static void
ns16550_reset(struct dev *d)
{
	struct ns16550 *u = (struct ns16550 *)d;

	timer_cancel(&u->state.timeout);
	timer_cancel(&u->state.retry);
	u->state.rx_head = u->state.rx_count = u->state.tx_count = u->state.retries = 0;
	memset(u->state.rx, 0, sizeof(u->state.rx));
	memset(u->state.tx, 0, sizeof(u->state.tx));
	u->state.divisor = 12;
	u->state.ier = u->state.fcr = u->state.lcr = u->state.mcr = u->state.scr = 0;
	u->state.lsr = LSR_THR_EMPTY | LSR_ALL_SENT;
	u->state.msr = MSR_CTS | MSR_DSR | MSR_DCD;
	u->state.empty_pending = u->state.timed_out = false;
	update(u);
}

static bool
ns16550_loaded(struct dev *d, struct err *e)
{
	(void)e;
	update((struct ns16550 *)d);
	return true;
}

static void
ns16550_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct ns16550 *u = (struct ns16550 *)d;
	char line[128];

	snprintf(line, sizeof(line), "  port %llx ier %02x fcr %02x lcr %02x mcr %02x lsr %02x msr %02x divisor %u\n",
		(unsigned long long)u->ports.base, u->state.ier, u->state.fcr, u->state.lcr, u->state.mcr,
		u->state.lsr, u->state.msr, u->state.divisor);
	print(opaque, line);
}

static void
ns16550_destroy(struct dev *d)
{
	struct ns16550 *u = (struct ns16550 *)d;

	timer_cancel(&u->state.timeout);
	timer_cancel(&u->state.retry);
}

static const struct dev_class ns16550_class = {
	DEV_OF(ns16550),
	.description = "serial port",
	.fields = fields,
	.reset = ns16550_reset,
	.loaded = ns16550_loaded,
	.info = ns16550_info,
	.destroy = ns16550_destroy,
};

struct dev *
ns16550_new(const struct dev_env *env, const char *id, unsigned port, struct irq out, struct chr *chr)
{
	struct ns16550 *u = (struct ns16550 *)dev_new(env, &ns16550_class, id);

	u->out = out;
	u->chr = chr;
	u->clock = env->clock;
	timer_init(&u->state.timeout, env->clock, timeout_fire, u);
	timer_init(&u->state.retry, env->clock, retry_fire, u);
	region_init_io(&u->ports, "ns16550", &ports_ops, u, 8);
	space_add(env->io, &u->ports, port, 0);
	ns16550_reset(&u->dev);
	u->user = (struct chr_user){ u, uart_can_receive, uart_receive, uart_event };
	if (chr != NULL)
		chr_attach(chr, &u->user);
	return &u->dev;
}
