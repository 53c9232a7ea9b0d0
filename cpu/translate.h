/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's side of translation: what run.c puts into struct tcg_guest. */
#ifndef CPU_TRANSLATE_H
#define CPU_TRANSLATE_H

#include "tcg/tcg.h"

/* The `translate` callback: a block of IR from the code at KEY.  Raises what fetching its first instruction raises. */
void cpu_translate_block(struct tcg_frame *f, const struct tcg_key *key, struct ir *ir, unsigned max, struct tcg_code *out);
/* The `disassemble` callback: to the log. */
void cpu_disassemble_block(struct tcg_frame *f, const struct tcg_key *key, unsigned bytes);

/* Up to N bytes of code at physical PHYS, not past its page; how many there were. */
struct cpu;
unsigned cpu_read_code(struct cpu *c, uint64_t phys, uint8_t *to, unsigned n);

#endif
