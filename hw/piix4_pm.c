/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Function 3 of the Intel 82371AB (PIIX4): power management, by its data sheet, order number 290562-001, and "Advanced
 * Configuration and Power Interface Specification", chapter 4: the PM1 blocks with the timer of 3.579545 MHz and 24
 * bits, the APM ports that raise SMI, and an SMBus without any device on it.
 *
 * Two things are as firmware for virtual machines expects them, not as the chip has them: a block of general-purpose
 * events at AFE0h, and APM commands F1h and F0h, which switch SCI_EN on and off without the help of an SMI handler.
 *
 * Left out on purpose: clock throttling, device idle timers, and the general-purpose pins of the chip.
 */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pci.h"

#include <stdio.h>

/* Configuration space. */
enum {
	PMBA = 0x40,
	DEVACTB = 0x58,
	DEVACTB_APMC = 1 << 25,   /* a write to B2h raises SMI */
	PMREGMISC = 0x80,
	SMBBA = 0x90,
	SMBHSTCFG = 0xd2,
};

/* Ports from PMBA. */
enum {
	PM1_STATUS = 0x00,
	PM1_ENABLE = 0x02,
	PM1_CONTROL = 0x04,
	PM_TIMER = 0x08,
	GLBSTS = 0x18,
	GLBEN = 0x20,
	GLBCTL = 0x28,
	DEVCTL = 0x2c,
	PM_PORTS = 0x40,
	TMR = 1 << 0,
	GBL = 1 << 5,
	PWRBTN = 1 << 8,
	RTC = 1 << 10,
	WAKE = 1 << 15,
	PM1_EVENTS = TMR | GBL | PWRBTN | RTC,
	SCI_EN = 1 << 0,
	GBL_RLS = 1 << 2,
	SLP_EN = 1 << 13,
	SMI_EN = 1 << 0,
};

/* Ports from SMBBA. */
enum {
	SMB_STATUS = 0,
	SMB_CONTROL = 2,
	SMB_START = 0x40,
	SMB_KILL = 0x02,
	SMB_INTEREN = 0x01,
	SMB_DEV_ERR = 0x04,
	SMB_FAILED = 0x10,
	SMB_EVENTS = 0x1e,
	SMB_PORTS = 16,
};

enum {
	TIMER_HZ = 3579545,
	TIMER_BITS = 24,
	GPE_PORT = 0xafe0,
	APM_PORT = 0xb2,
	APM_ACPI_ON = 0xf1,
	APM_ACPI_OFF = 0xf0,
	SCI_LINE = 9,
};

struct piix4_pm {
	struct pci_dev pci;
	struct irq sci;
	struct piix4_pm_ops ops;
	struct clock *clock;
	struct region pm, gpe, apm, smb;
	struct {
		struct pci_state pci;
		struct timer overflow;
		uint64_t timer_seen;     /* ticks when TMR_STS was last looked at */
		uint32_t global_status, global_enable, global_control, device_control;
		uint16_t status, enable, control;
		uint16_t gpe_status, gpe_enable;
		uint8_t apm[2];
		uint8_t smb[SMB_PORTS];
		uint32_t rtc_line;       /* the clock's request, as last seen */
	} state;
};

/* ---- the timer ---- */

static uint64_t
ticks(const struct piix4_pm *p)
{
	return mul_div(clock_now(p->clock), TIMER_HZ, NS_PER_SEC);
}

/* TMR_STS is set when the highest bit changes. */
static void
look_at_timer(struct piix4_pm *p)
{
	uint64_t now = ticks(p);

	if (now >> (TIMER_BITS - 1) != p->state.timer_seen >> (TIMER_BITS - 1))
		p->state.status |= TMR;
	p->state.timer_seen = now;
}

/* The line and the timer that will next change it. */
static void
update(struct piix4_pm *p)
{
	bool smbus = (p->state.smb[SMB_CONTROL] & SMB_INTEREN) && (p->state.smb[SMB_STATUS] & SMB_EVENTS) &&
		(p->state.pci.config[SMBHSTCFG] & 0x0e) == 0x08;
	bool pm1 = p->state.status & p->state.enable & PM1_EVENTS, gpe = p->state.gpe_status & p->state.gpe_enable;
	uint64_t half = 1ull << (TIMER_BITS - 1), next = (p->state.timer_seen / half + 1) * half;

	irq_set(&p->sci, ((p->state.control & SCI_EN) && (pm1 || gpe)) || smbus);
	if ((p->state.enable & TMR) && !(p->state.status & TMR))
		timer_set(&p->state.overflow, mul_div(next, NS_PER_SEC, TIMER_HZ) + 1);
	else
		timer_cancel(&p->state.overflow);
}

static void
overflow(void *opaque)
{
	struct piix4_pm *p = opaque;

	look_at_timer(p);
	update(p);
}

/* ---- PM1 and the global registers ---- */

static uint32_t
pm_reg(struct piix4_pm *p, unsigned reg)
{
	switch (reg) {
	case PM1_STATUS:
		look_at_timer(p);
		update(p);
		return p->state.status | (uint32_t)p->state.enable << 16;
	case PM1_CONTROL:
		return p->state.control;
	case PM_TIMER:
		return ticks(p) & ((1u << TIMER_BITS) - 1);
	case GLBSTS:
		return p->state.global_status;
	case GLBEN:
		return p->state.global_enable;
	case GLBCTL:
		return p->state.global_control;
	case DEVCTL:
		return p->state.device_control;
	default:
		return 0;
	}
}

static uint64_t
pm_read(void *opaque, uint64_t offset, unsigned size)
{
	uint64_t v = pm_reg(opaque, offset & ~3ull) >> 8 * (offset & 3);

	(void)size;
	return v;
}

static void
write_control(struct piix4_pm *p, uint16_t value)
{
	p->state.control = value & (SCI_EN | 2 | 0x1c00);
	if (value & GBL_RLS)
		p->state.global_status |= 1;
	if ((value & SLP_EN) && p->ops.sleep != NULL)
		p->ops.sleep(p->ops.opaque, bits(value, 10, 3));
}

/* MASK says which of VALUE's bits were written. */
static void
pm_write_reg(struct piix4_pm *p, unsigned reg, uint32_t value, uint32_t mask)
{
	switch (reg) {
	case PM1_STATUS:
		look_at_timer(p);
		p->state.status &= ~(value & mask);
		p->state.enable = ((p->state.enable & ~(mask >> 16)) | (value & mask) >> 16) & PM1_EVENTS;
		break;
	case PM1_CONTROL:
		if (mask & 0xffff)
			write_control(p, (p->state.control & ~mask) | (value & mask));
		break;
	case GLBSTS:
		p->state.global_status &= ~(value & mask);
		break;
	case GLBEN:
		p->state.global_enable = (p->state.global_enable & ~mask) | (value & mask);
		break;
	case GLBCTL:
		p->state.global_control = (p->state.global_control & ~mask) | (value & mask);
		break;
	case DEVCTL:
		p->state.device_control = (p->state.device_control & ~mask) | (value & mask);
		break;
	default:
		guest_unimp(&p->pci.dev, "a write to a register that has no effect");
	}
	update(p);
}

static void
pm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	unsigned shift = 8 * (offset & 3), width = MIN(size, 4 - (offset & 3));
	uint32_t mask = (UINT32_MAX >> (32 - 8 * width)) << shift;

	pm_write_reg(opaque, offset & ~3ull, (uint32_t)value << shift, mask);
}

/* ---- general-purpose events ---- */

static uint64_t
gpe_read(void *opaque, uint64_t offset, unsigned size)
{
	struct piix4_pm *p = opaque;
	uint32_t both = p->state.gpe_status | (uint32_t)p->state.gpe_enable << 16;

	(void)size;
	return both >> 8 * offset;
}

static void
gpe_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct piix4_pm *p = opaque;

	for (unsigned i = 0; i < size; i++, offset++) {
		unsigned shift = 8 * (offset & 1);
		uint16_t v = (value >> 8 * i & 0xff) << shift, mask = 0xff << shift;

		if (offset < 2)
			p->state.gpe_status &= ~v;
		else
			p->state.gpe_enable = (p->state.gpe_enable & ~mask) | v;
	}
	update(p);
}

/* ---- APM ---- */

static uint64_t
apm_read(void *opaque, uint64_t offset, unsigned size)
{
	struct piix4_pm *p = opaque;

	(void)size;
	return p->state.apm[offset];
}

static void
apm_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct piix4_pm *p = opaque;

	(void)size;
	p->state.apm[offset] = value;
	if (offset != 0)
		return;
	if ((value & 0xff) == APM_ACPI_ON)
		p->state.control |= SCI_EN;
	else if ((value & 0xff) == APM_ACPI_OFF)
		p->state.control &= ~SCI_EN;
	update(p);
	if ((pci_get(&p->pci, DEVACTB, 4) & DEVACTB_APMC) && (p->state.global_control & SMI_EN) && p->ops.smi != NULL)
		p->ops.smi(p->ops.opaque);
}

/* ---- SMBus ---- */

static uint64_t
smb_read(void *opaque, uint64_t offset, unsigned size)
{
	struct piix4_pm *p = opaque;

	(void)size;
	return p->state.smb[offset];
}

/* Nobody acknowledges an address. */
static void
smb_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct piix4_pm *p = opaque;
	uint8_t *r = p->state.smb;

	(void)size;
	if (offset == SMB_STATUS) {
		r[SMB_STATUS] &= ~(value & SMB_EVENTS);
	} else if (offset == SMB_CONTROL) {
		r[SMB_CONTROL] = value & ~(SMB_START | SMB_KILL);
		if (value & SMB_KILL)
			r[SMB_STATUS] |= SMB_FAILED;
		else if (value & SMB_START)
			r[SMB_STATUS] |= SMB_DEV_ERR;
	} else if (offset != 1) {
		r[offset] = value;
	}
	update(p);
}

static const struct region_ops pm_ops = { pm_read, pm_write, 1, 4 };
static const struct region_ops gpe_ops = { gpe_read, gpe_write, 1, 4 };
static const struct region_ops apm_ops = { apm_read, apm_write, 1, 1 };
static const struct region_ops smb_ops = { smb_read, smb_write, 1, 1 };

/* ---- where the ports are ---- */

static void
place(struct region *r, unsigned base, bool on)
{
	if (on && base != 0)
		region_move(r, base);
	region_set_enabled(r, on && base != 0);
}

static void
map_ports(struct piix4_pm *p)
{
	struct space *io = p->pm.space;

	space_begin(io);
	place(&p->pm, pci_get(&p->pci, PMBA, 4) & 0xffc0, pci_get(&p->pci, PMREGMISC, 1) & 1);
	place(&p->smb, pci_get(&p->pci, SMBBA, 4) & 0xfff0, pci_get(&p->pci, SMBHSTCFG, 1) & 1);
	space_end(io);
}

static void
config_written(struct pci_dev *d, unsigned reg, unsigned size)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci);

	(void)size;
	if (reg >= PMBA)
		map_ports(p);
	update(p);
}

/* ---- the class ---- */

static void
piix4_pm_reset(struct dev *d)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci.dev);

	pci_reset(&p->pci);
	p->state.global_status = p->state.global_enable = p->state.global_control = p->state.device_control = 0;
	p->state.status = p->state.enable = p->state.control = 0;
	p->state.gpe_status = p->state.gpe_enable = 0;
	memset(p->state.apm, 0, sizeof(p->state.apm));
	memset(p->state.smb, 0, sizeof(p->state.smb));
	p->state.timer_seen = ticks(p);
	map_ports(p);
	update(p);
}

static bool
piix4_pm_loaded(struct dev *d, struct err *e)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci.dev);

	(void)e;
	pci_loaded(&p->pci);
	map_ports(p);
	update(p);
	return true;
}

static void
piix4_pm_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci.dev);
	char text[120];

	snprintf(text, sizeof(text), "  PM1 status %04x, enable %04x, control %04x, timer %06x; GPE status %04x, enable %04x\n",
		p->state.status, p->state.enable, p->state.control, (unsigned)pm_reg(p, PM_TIMER), p->state.gpe_status,
		p->state.gpe_enable);
	print(opaque, text);
}

static void
piix4_pm_destroy(struct dev *d)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci.dev);

	timer_cancel(&p->state.overflow);
	space_remove(&p->pm);
	space_remove(&p->gpe);
	space_remove(&p->apm);
	space_remove(&p->smb);
	pci_detach(&p->pci);
}

static const struct field fields[] = {
	PCI_FIELDS(struct piix4_pm),
	FIELD_TIMER_OF(struct piix4_pm, state.overflow),
	FIELD_OF(struct piix4_pm, state.timer_seen),
	FIELD_OF(struct piix4_pm, state.global_status),
	FIELD_OF(struct piix4_pm, state.global_enable),
	FIELD_OF(struct piix4_pm, state.global_control),
	FIELD_OF(struct piix4_pm, state.device_control),
	FIELD_OF(struct piix4_pm, state.status),
	FIELD_OF(struct piix4_pm, state.enable),
	FIELD_OF(struct piix4_pm, state.control),
	FIELD_OF(struct piix4_pm, state.gpe_status),
	FIELD_OF(struct piix4_pm, state.gpe_enable),
	FIELD_ARRAY(struct piix4_pm, state.apm),
	FIELD_ARRAY(struct piix4_pm, state.smb),
	FIELD_MAX(struct piix4_pm, state.rtc_line, 1),
	FIELD_END
};

static const struct dev_class piix4_pm_class = {
	DEV_OF(piix4_pm),
	.description = "Intel PIIX4 power management",
	.fields = fields,
	.reset = piix4_pm_reset,
	.loaded = piix4_pm_loaded,
	.info = piix4_pm_info,
	.destroy = piix4_pm_destroy,
};

static void
init_registers(struct piix4_pm *p)
{
	pci_init_config(&p->pci, PCI_COMMAND, 2, 0, PCI_COMMAND_IO);
	pci_init_config(&p->pci, PCI_STATUS, 2, 0x0280, 0);
	pci_init_config(&p->pci, PCI_INTERRUPT_LINE, 1, SCI_LINE, 0xff);
	pci_init_config(&p->pci, PMBA, 4, 1, 0xffc0);
	for (unsigned reg = 0x44; reg < 0x7c; reg += 4)
		pci_init_config(&p->pci, reg, 4, 0, 0xffffffff);
	pci_init_config(&p->pci, PMREGMISC, 1, 0, 0x01);
	pci_init_config(&p->pci, SMBBA, 4, 1, 0xfff0);
	pci_init_config(&p->pci, SMBHSTCFG, 1, 0, 0x0f);
	pci_init_config(&p->pci, 0xd3, 1, 0, 0xff);
	pci_init_config(&p->pci, 0xd4, 2, 0, 0xffff);
}

struct dev *
piix4_pm_new(const struct dev_env *env, struct pci_bus *bus, struct irq sci, const struct piix4_pm_ops *ops)
{
	static const struct pci_id id = { .vendor = 0x8086, .device = 0x7113, .class = 0x068000, .revision = 3, .pin = 1 };
	struct piix4_pm *p = CONTAINER_OF(dev_new(env, &piix4_pm_class, NULL), struct piix4_pm, pci.dev);

	p->sci = sci;
	p->ops = *ops;
	p->clock = env->clock;
	timer_init(&p->state.overflow, env->clock, overflow, p);
	pci_attach(&p->pci, bus, 1 << 3 | 3, &p->state.pci, &id);
	p->pci.config_written = config_written;
	init_registers(p);
	region_init_io(&p->pm, "pm", &pm_ops, p, PM_PORTS);
	region_init_io(&p->gpe, "gpe", &gpe_ops, p, 4);
	region_init_io(&p->apm, "apm", &apm_ops, p, 2);
	region_init_io(&p->smb, "smbus", &smb_ops, p, SMB_PORTS);
	p->pm.enabled = p->smb.enabled = false;
	space_add(env->io, &p->pm, 0x600, PCI_PRIORITY);
	space_add(env->io, &p->smb, 0x700, PCI_PRIORITY);
	space_add(env->io, &p->gpe, GPE_PORT, 0);
	space_add(env->io, &p->apm, APM_PORT, 0);
	piix4_pm_reset(&p->pci.dev);
	return &p->pci.dev;
}

void
piix4_pm_power_button(struct dev *d)
{
	struct piix4_pm *p = CONTAINER_OF(d, struct piix4_pm, pci.dev);

	p->state.status |= PWRBTN;
	update(p);
}

/* RTC_STS is set when the clock begins to ask for an interrupt. */
static void
rtc_set(void *opaque, int n, int level)
{
	struct piix4_pm *p = opaque;

	(void)n;
	if (level && !p->state.rtc_line) {
		p->state.status |= RTC;
		update(p);
	}
	p->state.rtc_line = level;
}

struct irq
piix4_pm_rtc(struct dev *d)
{
	return irq_to(rtc_set, CONTAINER_OF(d, struct piix4_pm, pci.dev), 0);
}
