/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pins of a vCPU: where interrupt controllers and processors meet.
 *
 * A processor offers struct cpu_pins; the local APIC (or, without one, the board) drives them.  In the other direction
 * the processor fetches a vector with intr_ack.  All under the machine's lock.
 */
#ifndef BASE_PINS_H
#define BASE_PINS_H

#include <stdbool.h>
#include <stdint.h>

enum pin { PIN_INTR, PIN_NMI, PIN_SMI, PIN_INIT, PIN_SIPI, PIN_RESET, PIN_A20, PIN_IGNNE };

/* INTR, A20 and IGNNE are levels; NMI, SMI, INIT, SIPI (LEVEL: its vector) and RESET are edges, LEVEL 1. */
struct cpu_pins {
	void (*set)(void *cpu, enum pin pin, int level);
	void *cpu;
};

/* What the board offers a processor. */
struct cpu_board {
	void *opaque;
	/* The vector of the highest interrupt pending, which is thereby in service; -1: spurious, nothing there. */
	int (*intr_ack)(void *opaque);
	/* The local APIC's face to MOV CR8 and to its MSRs (IA32_APIC_BASE 1Bh, x2APIC 800h-8FFh, TSC_DEADLINE 6E0h). */
	uint8_t (*get_tpr)(void *opaque);                               /* CR8: bits 3:0 */
	void (*set_tpr)(void *opaque, uint8_t tpr);
	bool (*read_msr)(void *opaque, uint32_t msr, uint64_t *value);  /* false: #GP(0) */
	bool (*write_msr)(void *opaque, uint32_t msr, uint64_t value);
	/* FERR# of processor CPU: an x87 error waits, and CR0.NE is clear.  Called when it changes. */
	void (*ferr)(void *opaque, unsigned cpu, int level);
	/* Triple fault: the board resets the machine. */
	void (*shutdown)(void *opaque);
	/* Entered or left system management mode. */
	void (*smm_changed)(void *opaque, bool smm);
};

#endif
