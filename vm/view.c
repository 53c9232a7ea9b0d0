/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine as a monitor sees it. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "cpu/cpu.h"
#include "vm/vcpu.h"

#include <stdio.h>
#include <stdlib.h>

/* A monitor may look while the guest runs: the processor then rests for that moment, until let_go(). */
static struct cpu *
hold(void *opaque)
{
	struct machine *m = opaque;

	if (m->state == RUN_RUNNING)
		vcpu_pause(m->cpu);
	return vcpu_cpu(m->cpu);
}

static void
let_go(void *opaque)
{
	struct machine *m = opaque;

	if (m->state == RUN_RUNNING)
		vcpu_resume(m->cpu, NULL);
}

/* ---- running ---- */

static const char *
run_state(void *opaque)
{
	return machine_state_name(opaque);
}

static void
stop(void *opaque)
{
	machine_stop(opaque);
}

static bool
cont(void *opaque, struct err *e)
{
	return machine_cont(opaque, e);
}

static void
reset(void *opaque)
{
	machine_request_reset(opaque);
}

static void
powerdown(void *opaque)
{
	machine_power_button(opaque);
}

static void
quit(void *opaque, int code)
{
	machine_request_exit(opaque, code);
}

static void
nmi(void *opaque)
{
	struct irq lint1 = lapic_lint(((struct machine *)opaque)->apic, 1);

	irq_set(&lint1, 1);
	irq_set(&lint1, 0);
}

/* ---- the processor ---- */

/* What WRITE prints into a stream goes to PRINT. */
static void
print_stream(void *opaque, void (*write)(struct cpu *c, FILE *to), view_print *print, void *to)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return;
	write(hold(opaque), f);
	let_go(opaque);
	fclose(f);
	print(to, text);
	free(text);
}

static void
write_registers(struct cpu *c, FILE *to)
{
	cpu_print_registers(c, to);
}

static void
write_jit(struct cpu *c, FILE *to)
{
	cpu_print_jit(c, to);
}

static void
cpu_where(void *opaque, unsigned cpu, uint64_t *rip, bool *halted)
{
	struct cpu *c = hold(opaque);

	(void)cpu;
	*rip = cpu_get(c, CPU_RIP);
	*halted = cpu_is_halted(c);
	let_go(opaque);
}

static void
registers(void *opaque, unsigned cpu, view_print *print, void *to)
{
	(void)cpu;
	print_stream(opaque, write_registers, print, to);
}

static bool
read_register(void *opaque, unsigned cpu, const char *name, uint64_t *value)
{
	int r = cpu_reg_by_name(name);

	(void)cpu;
	if (r < 0)
		return false;
	*value = cpu_get(hold(opaque), (enum cpu_reg)r);
	let_go(opaque);
	return true;
}

static void
register_names(void *opaque, void (*each)(void *to, const char *name), void *to)
{
	static const char *const names[] = {
		"rax", "rbx", "rcx", "rdx", "rsi", "rdi", "rbp", "rsp", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
		"rip", "eflags", "cr0", "cr2", "cr3", "cr4", "cr8", "efer", "cs", "ds", "es", "fs", "gs", "ss",
	};

	(void)opaque;
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		each(to, names[i]);
}

static void
tlb(void *opaque, unsigned cpu, view_print *print, void *to)
{
	(void)cpu;
	print_stream(opaque, cpu_print_tlb, print, to);
}

static void
mappings(void *opaque, unsigned cpu, view_print *print, void *to)
{
	(void)cpu;
	print_stream(opaque, cpu_print_mem, print, to);
}

static bool
translate(void *opaque, unsigned cpu, uint64_t gva, uint64_t *to)
{
	(void)cpu;
	*to = cpu_translate(hold(opaque), gva);
	let_go(opaque);
	return *to != UINT64_MAX;
}

static bool
read_virtual(void *opaque, unsigned cpu, uint64_t gva, void *to, size_t len)
{
	bool ok;

	(void)cpu;
	ok = cpu_peek(hold(opaque), gva, to, len);
	let_go(opaque);
	return ok;
}

/* RAM and ROM alone: a look at a device's register would be an access. */
/* Device registers answer too, with whatever their reading does. */
static bool
read_physical(void *opaque, uint64_t at, void *to, size_t len)
{
	struct machine *m = opaque;

	return dma_read(m->mem, at, to, len);
}

static unsigned
disassemble(void *opaque, unsigned cpu, uint64_t addr, const uint8_t *code, size_t len, char *text, size_t size)
{
	unsigned used = cpu_disassemble(hold(opaque), addr, code, (unsigned)len, text, size);

	(void)cpu;
	let_go(opaque);
	return used;
}

static void
jit_info(void *opaque, view_print *print, void *to)
{
	print_stream(opaque, write_jit, print, to);
}

static void
tb_flush(void *opaque)
{
	tcg_flush(cpu_tcg(hold(opaque)));
	let_go(opaque);
}

/* ---- the rest ---- */

static void
irq_info(void *opaque, view_print *print, void *to)
{
	const struct machine *m = opaque;
	char line[48];

	print(to, "IRQ statistics, by the line's number:\n");
	for (unsigned n = 0; n < ARRAY_SIZE(m->irq_rises); n++) {
		if (m->irq_rises[n] == 0)
			continue;
		snprintf(line, sizeof(line), "%2u: %llu\n", n, (unsigned long long)m->irq_rises[n]);
		print(to, line);
	}
}

static struct display *
display(void *opaque)
{
	return ((struct machine *)opaque)->display;
}

static void
chardev_info(void *opaque, view_print *print, void *to)
{
	char text[512], line[600];

	for (const struct line *l = ((struct machine *)opaque)->lines; l != NULL; l = l->next) {
		chr_describe(l->chr, text, sizeof(text));
		snprintf(line, sizeof(line), "%s\n", text);
		print(to, line);
	}
}

static void
show_pci(void *opaque, view_print *print, void *to)
{
	pci_info(((struct machine *)opaque)->pci, print, to);
}

void
machine_fill_view(struct machine *m)
{
	m->view = (struct machine_view){
		.opaque = m,
		.loop = m->loop,
		.mem = m->mem,
		.io = m->io,
		.devices = &m->devices,
		.input = &m->input,
		.name = m->settings->name,
		.uuid = m->settings->uuid_given ? m->settings->uuid : NULL,
		.version = vm_version(),
		.cpu_count = 1,
		.run_state = run_state,
		.stop = stop,
		.cont = cont,
		.reset = reset,
		.powerdown = powerdown,
		.quit = quit,
		.nmi = nmi,
		.cpu_where = cpu_where,
		.registers = registers,
		.read_register = read_register,
		.register_names = register_names,
		.tlb = tlb,
		.mappings = mappings,
		.translate = translate,
		.read_virtual = read_virtual,
		.read_physical = read_physical,
		.disassemble = disassemble,
		.display = display,
		.chardev_info = chardev_info,
		.pci_info = show_pci,
		.irq_info = irq_info,
		.jit_info = jit_info,
		.tb_flush = tb_flush,
	};
	drives_fill_view(&m->view);
	sound_fill_view(&m->view);
	usb_fill_view(&m->view);
	vnc_fill_view(&m->view);
	networks_fill_view(&m->view);
}
