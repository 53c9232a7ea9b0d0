/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The public face of the devices: how vm/ makes and wires them.  What each models, and by which data sheet, stands in
 * the file named after the chip.  All calls under the machine's lock.
 */
#ifndef HW_HW_H
#define HW_HW_H

#include "base/dev.h"
#include "base/irq.h"
#include "base/mem.h"
#include "base/pins.h"

struct chr;
struct disk;
struct display;
struct input;
struct sound;
struct net;
struct net_end;

/* ---- interrupts ---- */

/* 8259A pair with ELCR (ports 20h, A0h, 4D0h).  OUT is INTR. */
struct dev *i8259_new(const struct dev_env *env, struct irq out);
struct irq i8259_line(struct dev *pic, unsigned n);
/* Is the request of an unmasked input with edges still to be acknowledged? */
bool i8259_is_waiting(struct dev *pic, unsigned n);
int i8259_ack(struct dev *pic); /* the vector, as INTA fetches it */

/* Local APIC of processor ID; drives PINS.  LINT0 gets the PIC's INTR (ExtINT), LINT1 NMI. */
struct dev *lapic_new(const struct dev_env *env, unsigned id, struct cpu_pins pins);
struct irq lapic_lint(struct dev *apic, unsigned n);
/*
 * The processor's side: fills get_tpr, set_tpr, read_msr, write_msr, intr_ack of BOARD; PIC answers ExtINT.  BOARD's
 * opaque becomes the APIC: ferr, shutdown and smm_changed, set before this call, still get the opaque they were set with.
 */
void lapic_serve(struct dev *apic, struct cpu_board *board, struct dev *pic);
/* All APICs answer at one address: APIC's processor makes the accesses that follow.  Not needed where there is one. */
void lapic_set_current(struct dev *apic);
/* The guest's TSC for the deadline timer: cycles per second and the count now. */
void lapic_set_tsc(struct dev *apic, uint64_t hz, uint64_t (*read_tsc)(void *opaque), void *opaque);
/* A message-signalled interrupt: a write of DATA to FEExxxxxh; from PCI, IOAPIC, HPET. */
void lapic_bus_deliver(struct dev *any_apic, uint64_t address, uint32_t data);

/* 82093AA; 24 pins.  Delivers through APIC's bus; remote IRR is cleared by EOI broadcast. */
struct dev *ioapic_new(const struct dev_env *env, struct dev *any_apic);
struct irq ioapic_line(struct dev *ioapic, unsigned pin);
/* Is the interrupt of an unmasked pin with edges still to be taken by a processor? */
bool ioapic_is_waiting(struct dev *ioapic, unsigned pin);

/* ---- time ---- */

/* 8254 (ports 40h-43h) with port 61h's gate and speaker; OUT is IRQ 0. */
struct dev *i8254_new(const struct dev_env *env, struct irq out);
/* HPET's legacy replacement silences IRQ 0. */
void i8254_set_irq_enabled(struct dev *pit, bool enabled);
/* The signal that goes to the speaker: the part of the time from FROM_NS to TO_NS that it is high, 0 to 1. */
double i8254_speaker(struct dev *pit, uint64_t from_ns, uint64_t to_ns);
/* Does it swing by itself, without the processor? */
bool i8254_speaker_sounds(struct dev *pit);
/* CHANGING is called whenever it may be about to change, or have changed. */
void i8254_on_speaker(struct dev *pit, void (*changing)(void *opaque), void *opaque);
/* MC146818 at 70h; OUT is IRQ 8.  UNIX_NS: host time that guest time starts from; UTC: base=utc or localtime. */
struct dev *mc146818_new(const struct dev_env *env, struct irq out, int64_t unix_ns);
void mc146818_set_cmos(struct dev *rtc, unsigned index, uint8_t value);
uint8_t mc146818_get_cmos(struct dev *rtc, unsigned index);
/* HPET's legacy replacement takes IRQ 8 away from the clock ... */
void mc146818_set_irq_enabled(struct dev *rtc, bool enabled);
/* ... but not its line to power management. */
void mc146818_set_event(struct dev *rtc, struct irq event);
/* HPET at FED00000h, three comparators.  LINES: 24 I/O APIC inputs; legacy replacement drives 0 and 8 by LEGACY. */
struct dev *hpet_new(const struct dev_env *env, const struct irq lines[24], struct dev *pit, struct dev *rtc,
	struct irq legacy_timer, struct irq legacy_rtc, struct dev *any_apic);

/* ---- the ISA side ---- */

/* The 8237 pair with page registers. */
struct dev *i8237_new(const struct dev_env *env);
/* Channel CH moves up to LEN bytes; TO_MEMORY: the device writes memory.  Returns bytes moved; *TC: terminal count reached. */
unsigned i8237_transfer(struct dev *dma, unsigned ch, void *buf, unsigned len, bool to_memory, bool *tc);

/* i8042 with keyboard (IRQ 1) and PS/2 mouse (IRQ 12); RESET and A20 as it drives them. */
struct dev *i8042_new(const struct dev_env *env, struct irq kbd, struct irq aux, struct irq reset, struct irq a20);
/* Its keyboard and mouse join IN, which must outlive them. */
void i8042_add_input(struct dev *kbc, struct input *in);
/* Raised, it makes the mouse send an empty report. */
struct irq i8042_announce(struct dev *kbc);
/*
 * VMware's backdoor with its pointer, which joins IN while the guest uses it.  A call reads and writes registers of the
 * processor that makes it: CPU.  ANNOUNCE is raised when packets wait.
 */
enum vmport_register { VMPORT_EAX, VMPORT_EBX, VMPORT_ECX, VMPORT_EDX, VMPORT_ESI, VMPORT_EDI };
struct vmport_cpu {
	void *opaque;
	uint32_t (*get)(void *opaque, enum vmport_register r);
	void (*set)(void *opaque, enum vmport_register r, uint32_t value);
};
struct dev *vmport_new(const struct dev_env *env, const struct vmport_cpu *cpu, struct irq announce, struct input *in);
/* Port 92h: fast A20 and reset.  Both A20 sources are ORed by the board. */
struct dev *port92_new(const struct dev_env *env, struct irq reset, struct irq a20);
/* Port F0h: x87 errors of a processor without CR0.NE, given as FERR#, to IRQ 13. */
struct dev *portf0_new(const struct dev_env *env, struct irq irq13, struct irq ignne);
/* That of processor CPU, below 64: they are ORed. */
struct irq portf0_ferr(struct dev *portf0, unsigned cpu);

struct dev *ns16550_new(const struct dev_env *env, const char *id, unsigned port, struct irq out, struct chr *chr);
struct dev *parallel_new(const struct dev_env *env, const char *id, unsigned port, struct irq out, struct chr *chr);
/* isa-debugcon: bytes written to PORT go to CHR; reads give READBACK (E9h). */
struct dev *debugcon_new(const struct dev_env *env, const char *id, unsigned port, uint8_t readback, struct chr *chr);
/* isa-debug-exit: a write of V ends the machine with status V << 1 | 1, by EXIT. */
struct dev *debug_exit_new(const struct dev_env *env, unsigned port, unsigned size, void (*exit)(void *opaque, int status), void *opaque);
/* pc-testdev: ports F1h (exit-free), E0h-E7h, 2000h-2017h irq lines, memory at FF000000h. */
struct dev *pc_testdev_new(const struct dev_env *env, struct irq lines[24]);

/* 82077AA at 3F0h with two drives, IRQ 6, DMA channel 2. */
struct dev *i82077_new(const struct dev_env *env, struct irq out, struct dev *dma, struct disk *drives[2]);
/* The CMOS byte (index 10h) that says which drives there are. */
uint8_t i82077_cmos_types(struct dev *fdc);
void i82077_change(struct dev *fdc, unsigned drive, struct disk *disk);

/* ---- fw_cfg and firmware tables ---- */

/* QEMU's fw_cfg at 510h-511h and 514h (DMA). */
struct dev *fw_cfg_new(const struct dev_env *env);
void fw_cfg_add_bytes(struct dev *f, uint16_t key, const void *data, size_t len);     /* copied */
void fw_cfg_add_u16(struct dev *f, uint16_t key, uint16_t v);
void fw_cfg_add_u32(struct dev *f, uint16_t key, uint32_t v);
void fw_cfg_add_u64(struct dev *f, uint16_t key, uint64_t v);
/* A named file, copied; the directory is kept sorted by name.  The same name again replaces it. */
void fw_cfg_add_file(struct dev *f, const char *name, const void *data, size_t len);

/* What the tables describe. */
struct pc_facts {
	unsigned cpus;
	uint64_t ram_below_4g, ram_above_4g;
	bool hpet;
	uint16_t pm_base;       /* 600h as firmware sets it */
	uint8_t sci_irq;        /* 9 */
	const uint8_t *uuid;    /* 16 bytes or NULL */
	const char *name;
	uint8_t com_ports;      /* bit N: COM(N+1) is there; the DSDT lists only what is */
	bool parallel, floppy;
};
/* ACPI through etc/table-loader, SMBIOS, e820, and what SeaBIOS wants to know beside. */
void pc_add_tables(struct dev *fw_cfg, const struct pc_facts *facts);
/*
 * The same without firmware, for a kernel that is booted directly: RAM is the host mapping of guest-physical 0, AT a multiple
 * of 64.  Returns how many bytes were used of SPACE, 0 if they don't fit; *RSDP is where the root pointer is.
 */
size_t acpi_place(uint8_t *ram, gpa at, size_t space, const struct pc_facts *facts, gpa *rsdp);
/* The MP floating pointer and configuration table of MP specification 1.4, to be placed at guest-physical AT; 0: no room. */
size_t mptable_build(void *to, gpa at, size_t space, const struct pc_facts *facts);

/* ---- PCI: i440FX and PIIX3 ---- */

struct pci_bus;
/* 82441FX host bridge: CF8h/CFCh, PAM, SMRAM over RAM at A0000h-FFFFFh.  RAM is the host mapping of the low memory,
 * BIOS the system ROM's last 128 KiB as shown below 1 MiB.  It puts both into the memory map: RAM at 0-9FFFFh and from
 * 1 MiB to RAM_BELOW_4G, BIOS (a multiple of 64 KiB, not yet in a space) so that it ends at FFFFFh.  Which leaves the board
 * RAM above 4 GiB and the ROM below 4 GiB.  Message-signalled interrupts go where pci_bus_on_msi() says (hw/pci.h). */
struct dev *i440fx_new(const struct dev_env *env, uint8_t *ram, uint64_t ram_below_4g, struct region *bios, struct pci_bus **bus);
/* PIIX3 function 0: PIRQ routing to LINES (16 ISA lines), reset control CF9h by RESET. */
struct dev *piix3_new(const struct dev_env *env, struct pci_bus *bus, const struct irq lines[16], struct irq reset);
/* PIRQA-D also go to I/O APIC pins 16-19 in the wiring of the machine pc: through LINES of the ISA router only. */

/* PIIX3 function 1: two channels, four drives; DISKS[i] may be NULL; CDROM[i] makes it an ATAPI drive (then a NULL disk
 * is an empty tray). */
struct dev *piix3_ide_new(const struct dev_env *env, struct pci_bus *bus, struct irq irq14, struct irq irq15,
	struct disk *disks[4], const bool cdrom[4], const char *const serials[4]);
/* Changes a CD: NULL opens the tray.  False: locked by the guest (FORCE overrides). */
bool piix3_ide_change(struct dev *ide, unsigned drive, struct disk *disk, bool force);
/* How a CD drive's tray stands. */
void piix3_ide_tray(struct dev *ide, unsigned drive, bool *open, bool *locked);
/* Firmware's geometry for CMOS: what IDENTIFY says. */
void piix3_ide_geometry(struct dev *ide, unsigned drive, unsigned *cylinders, unsigned *heads, unsigned *sectors);

/* PIIX4 function 3: ACPI power management.  SLEEP is told the type written with SLP_EN (5: off); SMI by APM port B2h. */
struct piix4_pm_ops {
	void *opaque;
	void (*sleep)(void *opaque, unsigned type);
	void (*smi)(void *opaque);
};
struct dev *piix4_pm_new(const struct dev_env *env, struct pci_bus *bus, struct irq sci, const struct piix4_pm_ops *ops);
void piix4_pm_power_button(struct dev *pm);
/* The clock's interrupt, which is an event of ACPI too. */
struct irq piix4_pm_rtc(struct dev *pm);

/* `info pci`, `info qtree`. */
void pci_info(struct pci_bus *bus, void (*print)(void *opaque, const char *text), void *opaque);

/* ---- screen ---- */

/* VRAM_MIB is a power of two, 1 to 256.  WIDTH and HEIGHT are what the EDID prefers, MAX_WIDTH and MAX_HEIGHT bound it (0: no). */
struct vga_config {
	const char *id;
	unsigned vram_mib;
	bool edid;
	unsigned width, height, max_width, max_height;
};

/* VGA with the Bochs VBE registers; as PCI device 1234:1111 with its ROM, which may be NULL.  DISPLAY may be NULL too. */
struct dev *vga_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom, size_t rom_size,
	struct display **display);
/* The same without a VGA: Bochs VBE alone. */
struct dev *bochs_display_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom,
	size_t rom_size, struct display **display);
/* CL-GD5446; of CONFIG, only ID and VRAM_MIB (4) apply. */
struct dev *cirrus_new(const struct dev_env *env, struct pci_bus *bus, const struct vga_config *config, const void *rom,
	size_t rom_size, struct display **display);

/* ---- network ---- */

struct e1000_config {
	const char *id;      /* NULL: one is made */
	int devfn;           /* or PCI_ANY_SLOT */
	uint8_t mac[6];
	const void *rom;     /* NULL: none */
	size_t rom_size;
};
/* 82540EM.  Its end is to be connected to another. */
struct dev *e1000_new(const struct dev_env *env, struct pci_bus *bus, struct net *net, const struct e1000_config *config);
struct net_end *e1000_end(struct dev *e1000);

/* ---- sound ---- */

/* The speaker that counter 2 of PIT and port 61h drive. */
struct dev *pcspk_new(const struct dev_env *env, struct dev *pit, struct sound *sound);
/* 82801AA AC'97 controller with its codec.  DEVFN as in pci_attach(). */
struct dev *ac97_new(const struct dev_env *env, struct pci_bus *bus, const char *id, int devfn, struct sound *sound);
/* High Definition Audio controllers, and their bus for codecs. */
enum hda_model { HDA_ICH6, HDA_ICH9 };
struct dev *hda_new(const struct dev_env *env, struct pci_bus *bus, const char *id, int devfn, enum hda_model model, bool msi);
/* The first address on its link that is free, -1: none. */
int hda_free_address(struct dev *hda);
bool hda_address_is_free(struct dev *hda, unsigned address);
/* A codec at ADDRESS, which is free.  MIXER: it has volume controls. */
enum hda_codec_model { HDA_OUTPUT, HDA_DUPLEX, HDA_MICRO };
struct dev *hda_codec_new(const struct dev_env *env, struct dev *hda, const char *id, enum hda_codec_model model, unsigned address,
	bool mixer, struct sound *sound);

/* ---- flash ---- */

/* Intel-command-set flash of SIZE bytes at BASE, with the contents of DISK, written back to it unless read-only. */
struct dev *pflash_new(const struct dev_env *env, const char *id, gpa base, struct disk *disk, struct err *e);

#endif
