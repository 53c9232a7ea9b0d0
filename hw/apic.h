/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the two halves of the APIC say to each other beside hw.h: the message bus and the end-of-interrupt broadcast. */
#ifndef HW_APIC_H
#define HW_APIC_H

#include <stdbool.h>
#include <stdint.h>

struct dev;

/* Delivery modes of IPIs, LVT entries, redirection entries and messages alike. */
enum apic_mode {
	APIC_FIXED = 0,
	APIC_LOWEST = 1,
	APIC_SMI = 2,
	APIC_NMI = 4,
	APIC_INIT = 5,
	APIC_STARTUP = 6,
	APIC_EXTINT = 7,
};

/* A message's address and data, as "Message Signalled Interrupts" of the SDM, volume 3, lays them out. */
#define MSI_BASE 0xfee00000u
#define MSI_LOGICAL (1u << 2)
#define MSI_HINT (1u << 3)
#define MSI_DEST_SHIFT 12
#define MSI_MODE_SHIFT 8
#define MSI_ASSERT (1u << 14)
#define MSI_LEVEL (1u << 15)

/* As lapic_bus_deliver(); false: no APIC took it. */
bool lapic_bus_message(struct dev *any_apic, uint64_t address, uint32_t data);
/* Has an APIC that this message is for accepted its vector, which the processor has not taken yet? */
bool lapic_bus_is_waiting(struct dev *any_apic, uint64_t address, uint32_t data);

/* Someone who wants to hear of the ends of level-triggered interrupts: an I/O APIC. */
struct lapic_eoi {
	void (*eoi)(void *opaque, uint8_t vector);
	void *opaque;
	struct lapic_eoi *next;
};
void lapic_bus_listen_eoi(struct dev *any_apic, struct lapic_eoi *listener);

#endif
