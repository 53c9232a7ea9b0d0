/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The PC: every chip and every wire. */
#include "vm/machine.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "cpu/cpu.h"
#include "disk/disk.h"
#include "hw/pci.h"
#include "net/net.h"
#include "vm/vcpu.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PM_BASE = 0x600, SCI_IRQ = 9 };

/* Where a direct boot puts ACPI tables; shadow RAM that memory_map_fill() reserves. */
enum { ACPI_AT = 0xe0000, ACPI_SPACE = 0x10000 };

/* ---- wires ---- */

static void
wired_or_set(void *opaque, int n, int level)
{
	struct wired_or *w = opaque;

	if (level)
		w->levels |= 1u << n;
	else
		w->levels &= ~(1u << n);
	irq_set(&w->out, w->levels != 0);
}

static void
count_rise(struct machine *m, unsigned n, int level)
{
	m->irq_rises[n] += level && !(m->irq_levels >> n & 1);
	m->irq_levels = (m->irq_levels & ~(1u << n)) | (unsigned)(level != 0) << n;
}

/* IRQ 0 of the timer is pin 2 of the I/O APIC. */
static unsigned
isa_pin(int n)
{
	return n == 0 ? 2 : (unsigned)n;
}

/* The PIC's own IRQ 2 is its cascade. */
static void
isa_set(void *opaque, int n, int level)
{
	struct machine *m = opaque;
	struct irq pic = i8259_line(m->pic, (unsigned)n);
	struct irq ioapic = ioapic_line(m->ioapic, isa_pin(n));

	if (n == 2)
		return;
	count_rise(m, (unsigned)n, level);
	irq_set(&pic, level);
	irq_set(&ioapic, level);
}

static bool
isa_waiting(void *opaque, int n)
{
	struct machine *m = opaque;

	return i8259_is_waiting(m->pic, (unsigned)n) || ioapic_is_waiting(m->ioapic, isa_pin(n));
}

static void
gsi_set(void *opaque, int n, int level)
{
	struct machine *m = opaque;
	struct irq ioapic = ioapic_line(m->ioapic, (unsigned)n);

	count_rise(m, (unsigned)n, level);
	irq_set(&ioapic, level);
	if (n < 16 && n != 2) {
		struct irq pic = i8259_line(m->pic, (unsigned)n);

		irq_set(&pic, level);
	}
}

static bool
gsi_waiting(void *opaque, int n)
{
	struct machine *m = opaque;

	return ioapic_is_waiting(m->ioapic, (unsigned)n);
}

static void
a20_set(void *opaque, int n, int level)
{
	struct machine *m = opaque;
	struct cpu_pins pins = cpu_pins(vcpu_cpu(m->cpu));

	(void)n;
	pins.set(pins.cpu, PIN_A20, level);
}

static void
reset_set(void *opaque, int n, int level)
{
	(void)n;
	if (level)
		machine_request_reset(opaque);
}

struct irq
machine_isa_source(struct machine *m, unsigned n)
{
	m->isa_or[n].out = m->isa[n];
	return irq_to(wired_or_set, &m->isa_or[n], (int)(m->isa_sources[n]++ & 31));
}

static void
make_wires(struct machine *m)
{
	for (int n = 0; n < 16; n++)
		m->isa[n] = (struct irq){ isa_set, m, n, isa_waiting };
	for (int n = 0; n < 24; n++)
		m->gsi[n] = (struct irq){ gsi_set, m, n, gsi_waiting };
	m->a20.out = irq_to(a20_set, m, 0);
}

/* ---- what the chips tell the board ---- */

static void
ferr(void *opaque, unsigned cpu, int level)
{
	struct machine *m = opaque;
	struct irq line = portf0_ferr(m->portf0, cpu);

	irq_set(&line, level);
}

static void
triple_fault(void *opaque)
{
	machine_request_reset(opaque);
}

/* The SMM view of memory is the processor's own affair. */
static void
smm_changed(void *opaque, bool smm)
{
	(void)opaque, (void)smm;
}

static void
deliver_msi(void *opaque, uint64_t address, uint32_t data)
{
	struct machine *m = opaque;

	lapic_bus_deliver(m->apic, address, data);
}

static void
sleep_entered(void *opaque, unsigned type)
{
	(void)type;
	machine_request_off(opaque);
}

static void
ignne_set(void *opaque, int n, int level)
{
	struct machine *m = opaque;
	struct cpu_pins pins = cpu_pins(vcpu_cpu(m->cpu));

	(void)n;
	pins.set(pins.cpu, PIN_IGNNE, level);
}

static void
smi(void *opaque)
{
	struct machine *m = opaque;
	struct cpu_pins pins = cpu_pins(vcpu_cpu(m->cpu));

	pins.set(pins.cpu, PIN_SMI, 1);
}

/* ---- the board ---- */

/* What the guest isn't offered of the processor that was asked for. */
static void
warn_of_model(const char *model)
{
	char lacking[400];

	if (cpu_model_lacks(model, lacking, sizeof(lacking)))
		fprintf(stderr, "calque: warning: -cpu %.*s: left out, because not implemented: %s\n", (int)strcspn(model, ","), model,
			lacking);
}

static bool
make_processor(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	struct vcpu_config config = {
		.model = s->cpu,
		.interpreter = s->interpreter,
		.one_insn_per_tb = s->one_insn_per_tb,
		.portable = s->no_native,
		.code_cache_bytes = s->code_cache_bytes,
		.loop = m->loop,
		.clock = m->clock,
		.mem = m->mem,
		.io = m->io,
		.ram = m->ram.base,
		.board = &m->board,
	};

	m->cpu = vcpu_new(&config, e);
	if (m->cpu != NULL)
		warn_of_model(s->cpu);
	return m->cpu != NULL;
}

static void
make_interrupts(struct machine *m)
{
	struct cpu *cpu = vcpu_cpu(m->cpu);

	m->board = (struct cpu_board){ .opaque = m, .ferr = ferr, .shutdown = triple_fault, .smm_changed = smm_changed };
	m->apic = lapic_new(&m->env, 0, cpu_pins(cpu));
	m->pic = i8259_new(&m->env, lapic_lint(m->apic, 0));
	lapic_serve(m->apic, &m->board, m->pic);
	lapic_set_tsc(m->apic, cpu_tsc_hz(cpu), cpu_tsc, cpu);
	m->ioapic = ioapic_new(&m->env, m->apic);
}

static int64_t
rtc_start_ns(const struct settings *s)
{
	struct timespec now;
	struct tm local;

	if (s->rtc_at_given)
		return s->rtc_at_s * (int64_t)NS_PER_SEC;
	clock_gettime(CLOCK_REALTIME, &now);
	if (s->rtc_localtime && localtime_r(&now.tv_sec, &local) != NULL)
		now.tv_sec += local.tm_gmtoff;
	return now.tv_sec * (int64_t)NS_PER_SEC + now.tv_nsec;
}

static void
make_timers(struct machine *m)
{
	m->pit = i8254_new(&m->env, m->isa[0]);
	m->rtc = mc146818_new(&m->env, m->isa[8], rtc_start_ns(m->settings));
	if (m->settings->hpet)
		m->hpet = hpet_new(&m->env, m->gsi, m->pit, m->rtc, m->isa[0], m->isa[8], m->apic);
}

static void
make_pci(struct machine *m)
{
	static const struct piix4_pm_ops pm_ops = { .sleep = sleep_entered, .smi = smi };
	struct piix4_pm_ops pm = pm_ops;
	struct disk *disks[IDE_DRIVES];
	bool cdrom[IDE_DRIVES];
	const char *serials[IDE_DRIVES];

	pm.opaque = m;
	for (unsigned i = 0; i < IDE_DRIVES; i++) {
		disks[i] = m->ide_drives[i].disk;
		cdrom[i] = m->ide_drives[i].present && m->ide_drives[i].cdrom;
		serials[i] = m->ide_drives[i].serial;
	}
	m->host_bridge = i440fx_new(&m->env, m->ram.base, m->ram.below_4g, &m->rom_low, &m->pci);
	pci_bus_on_msi(m->pci, deliver_msi, m);
	m->isa_bridge = piix3_new(&m->env, m->pci, m->isa, irq_to(reset_set, m, 0));
	m->ide = piix3_ide_new(&m->env, m->pci, m->isa[14], m->isa[15], disks, cdrom, serials);
	machine_add_usb(m);
	m->pm = piix4_pm_new(&m->env, m->pci, m->isa[SCI_IRQ], &pm);
	mc146818_set_event(m->rtc, piix4_pm_rtc(m->pm));
	screen_make(m);
}

/* Of the processor that is at a port. */
static const enum cpu_reg backdoor_registers[] = {
	[VMPORT_EAX] = CPU_RAX, [VMPORT_EBX] = CPU_RBX, [VMPORT_ECX] = CPU_RCX, [VMPORT_EDX] = CPU_RDX,
	[VMPORT_ESI] = CPU_RSI, [VMPORT_EDI] = CPU_RDI,
};

static uint32_t
get_register(void *opaque, enum vmport_register r)
{
	struct machine *m = opaque;

	return (uint32_t)cpu_get(vcpu_cpu(m->cpu), backdoor_registers[r]);
}

static void
set_register(void *opaque, enum vmport_register r, uint32_t value)
{
	struct machine *m = opaque;

	cpu_set(vcpu_cpu(m->cpu), backdoor_registers[r], value);
}

static void
make_isa(struct machine *m)
{
	struct irq reset = irq_to(reset_set, m, 0);
	struct disk *floppies[FLOPPY_DRIVES] = { m->floppies[0].disk, m->floppies[1].disk };

	m->dma = i8237_new(&m->env);
	m->kbc = i8042_new(&m->env, m->isa[1], m->isa[12], reset, irq_to(wired_or_set, &m->a20, 0));
	i8042_add_input(m->kbc, &m->input);
	if (m->settings->vmport) {
		struct vmport_cpu caller = { m, get_register, set_register };

		vmport_new(&m->env, &caller, i8042_announce(m->kbc), &m->input);
	}
	m->view.keys = m->keys = key_queue_new(m->clock, &m->input);
	m->port92 = port92_new(&m->env, reset, irq_to(wired_or_set, &m->a20, 1));
	m->portf0 = portf0_new(&m->env, m->isa[13], irq_to(ignne_set, m, 0));
	if (m->floppy_controller)
		m->fdc = i82077_new(&m->env, m->isa[6], m->dma, floppies);
	m->fw_cfg = fw_cfg_new(&m->env);
}

/* From the top of 4 GiB downwards; what lies below its last 16 MiB belongs to the interrupt controllers. */
static bool
make_flash(struct machine *m, struct err *e)
{
	uint64_t end = 4 * GiB;

	for (unsigned i = 0; i < PFLASH_MAX; i++) {
		struct drive *d = &m->flashes[i];

		if (d->disk == NULL)
			continue;
		if (disk_bytes(d->disk) > 16 * MiB - (4 * GiB - end))
			return err_set(e, "%s %s: too large; all flash together has at most 16 MiB", d->config->option, d->config->file);
		end -= disk_bytes(d->disk);
		if (pflash_new(&m->env, d->name, end, d->disk, e) == NULL)
			return err_prefix(e, "%s %s: ", d->config->option, d->config->file);
	}
	return true;
}

static void
note_facts(struct machine *m)
{
	m->facts = (struct pc_facts){
		.cpus = 1,
		.ram_below_4g = m->ram.below_4g,
		.ram_above_4g = m->ram.above_4g,
		.hpet = m->hpet != NULL,
		.pm_base = PM_BASE,
		.sci_irq = SCI_IRQ,
		.uuid = m->settings->uuid_given ? m->settings->uuid : NULL,
		.name = m->settings->name,
		.com_ports = m->serial_ports,
		.parallel = m->parallel_ports != 0,
		.floppy = m->fdc != NULL,
	};
}

/* The machine, from the processor's pins outward. */
static bool
build_board(struct machine *m, struct err *e)
{
	make_wires(m);
	if (!make_processor(m, e))
		return false;
	if (m->ram.above_4g > 0) {
		region_init_ram(&m->ram_high, "ram-above-4g", m->ram.base + 4 * GiB, m->ram.above_4g);
		space_add(m->mem, &m->ram_high, 4 * GiB, 0);
	}
	make_interrupts(m);
	make_timers(m);
	make_pci(m);
	make_isa(m);
	if (!make_flash(m, e) || !machine_add_serials(m, e) || !machine_add_networks(m, e) || !machine_add_sound(m, e) ||
	    !machine_add_devices(m, DEVICE_LATE, e))
		return false;
	note_facts(m);
	return true;
}

static bool
plan_kernel(struct machine *m, struct err *e)
{
	const struct settings *s = m->settings;
	struct boot_request request = {
		.kernel = s->kernel,
		.initrd = s->initrd,
		.append = s->append,
		.direct_only = s->kernel_through == KERNEL_DIRECT,
		/* Flash has firmware that loads kernels by itself. */
		.firmware_only = s->kernel_through == KERNEL_FIRMWARE || m->flashes[0].disk != NULL,
	};
	gpa rsdp = 0;

	if (s->kernel == NULL)
		return true;
	memory_map_fill(&request.map, m->ram.below_4g, m->ram.above_4g);
	if (m->ram.below_4g >= MiB && acpi_place(m->ram.base, ACPI_AT, ACPI_SPACE, &m->facts, &rsdp) != 0)
		request.map.rsdp = rsdp;
	return boot_plan_make(&m->plan, &request, e);
}

static bool
build(struct machine *m, struct err *e)
{
	return machine_add_devices(m, DEVICE_EARLY, e) && machine_place_drives(m, e) &&
		ram_map(&m->ram, m->settings->ram_bytes, e) && machine_open_drives(m, e) && firmware_load_rom(m, e) &&
		firmware_load_vga(m, e) && machine_open_chardevs(m, e) && build_board(m, e) && plan_kernel(m, e) &&
		firmware_publish(m, e) && machine_add_monitors(m, e) && machine_open_vnc(m, e) && machine_open_window(m, e);
}

struct machine *
machine_new(struct settings *settings, struct err *e)
{
	struct machine *m = xcalloc(1, sizeof(*m));

	m->settings = settings;
	m->signal_fd = -1;
	m->clock = clock_new(false);
	m->loop = loop_new(m->clock);
	m->mem = space_new("memory", false);
	m->io = space_new("io", true);
	m->net = net_new(m->loop);
	m->env = (struct dev_env){ m->clock, m->loop, m->mem, m->io, &m->devices };
	loop_lock(m->loop);
	machine_fill_view(m);
	if (!build(m, e)) {
		loop_unlock(m->loop);
		machine_free(m);
		return NULL;
	}
	machine_power_on(m);
	loop_unlock(m->loop);
	return m;
}

void
machine_free(struct machine *m)
{
	if (m == NULL)
		return;
	loop_lock(m->loop);
	window_free(m->window);
	curses_free(m->curses);
	vnc_free(m->vnc);
	machine_close_monitors(m);
	if (m->cpu != NULL)
		vcpu_pause(m->cpu);
	machine_end_requests(m);
	vcpu_free(m->cpu);
	key_queue_free(m->keys);
	space_free(m->mem);
	space_free(m->io);
	dev_free_all(m->devices);
	machine_close_sound(m);
	net_free(m->net);
	machine_close_drives(m);
	machine_close_lines(m);
	loop_unlock(m->loop);
	boot_plan_free(&m->plan);
	blob_free(&m->vga_rom);
	free(m->rom_shadow);
	ram_unmap(&m->ram);
	loop_free(m->loop);
	clock_free(m->clock);
	free(m);
}
