/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A handler of system management interrupts that counts at 20080h, and the interrupt by the chip set's port. */
#ifndef SMI_H
#define SMI_H

#include "ring0.h"

/* The chip set's SMRAM is opened, and the firmware's handler replaced: it has moved the state to A0000h. */
static inline void
smi_handler(void)
{
	static const uint8_t handler[] = { 0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xff, 0x06, 0x80, 0x00, 0x0f, 0xaa };
	uint8_t *at = (uint8_t *)0xa8000;

	__asm__ volatile("outl %0, %w1" : : "a"(0x80000070), "Nd"(0xcf8));
	outb(0xcfe, 0x4a);
	__asm__("" : "+r"(at));
	copy(at, handler, sizeof(handler));
	outb(0xcfe, 0x0a);
}

#define SMI "out %al, $0xb2; nop; nop; "

#endif
