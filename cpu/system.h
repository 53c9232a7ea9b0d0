/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files behind system instructions, exceptions and memory share. */
#ifndef CPU_SYSTEM_H
#define CPU_SYSTEM_H

#include "base/util.h"
#include "cpu/cpuid.h"
#include "cpu/helpers.h"
#include "cpu/shadow.h"
#include "cpu/state.h"

enum { SEL_RPL = 3, SEL_TI = 4 };

static inline bool
in_long_mode(const struct cpu *c)
{
	return c->efer & EFER_LMA;
}

/* 64-bit mode, not just compatibility mode. */
static inline bool
in_mode64(const struct cpu *c)
{
	return c->mode & MODE_CS64;
}

/* RIP as a linear address, in the code that runs. */
static inline uint64_t
linear_rip(const struct cpu *c, uint64_t rip)
{
	return in_mode64(c) ? rip : (uint32_t)(c->seg[SEG_CS].base + rip);
}

static inline bool
in_protected(const struct cpu *c)
{
	return c->cr0 & CR0_PE;
}

static inline bool
in_vm86(const struct cpu *c)
{
	return c->eflags & EFL_VM;
}

static inline unsigned
cpu_iopl(const struct cpu *c)
{
	return c->eflags >> 12 & 3;
}

/* LINEAR with the bits that don't count made copies of the highest that does: of 57 (WIDE), or of 48. */
static inline uint64_t
linear_extended(uint64_t linear, bool wide)
{
	unsigned unused = wide ? 7 : 16;

	return (uint64_t)((int64_t)(linear << unused) >> unused);
}

/* As an address that is accessed or gone to: the paging mode decides. */
static inline bool
is_canonical(const struct cpu *c, uint64_t linear)
{
	return linear_extended(linear, c->cr4 & CR4_LA57) == linear;
}

/* As a base, or in an MSR: what the processor has counts, in any mode. */
static inline bool
is_loadable(const struct cpu *c, uint64_t linear)
{
	return linear_extended(linear, cpu_has(c, FEAT_la57)) == linear;
}

/* The address behind the current instruction. */
static inline uint64_t
next_rip(const struct cpu *c, uint32_t aux)
{
	uint64_t rip = c->f.rip + aux_len(aux);

	if (c->mode & MODE_CS64)
		return rip;
	return c->mode & MODE_CS32 ? (uint32_t)rip : (uint16_t)rip;
}

static inline void
set_zf(struct tcg_frame *f, bool zf)
{
	f->flags = (f->flags & ~(uint64_t)(EFL_ZF << 8)) | (zf ? EFL_ZF << 8 : 0);
}

static inline uint64_t
width_mask(unsigned width)
{
	return width >= 8 ? ~0ull : (1ull << 8 * width) - 1;
}

/* Writes a general register at WIDTH. */
static inline void
set_gpr(struct tcg_frame *f, unsigned reg, uint64_t value, unsigned width)
{
	if (width >= 4)
		f->gpr[reg] = value & width_mask(width);
	else
		f->gpr[reg] = (f->gpr[reg] & ~width_mask(width)) | (value & width_mask(width));
}

/* Machine's lock. */
static inline void
cpu_lock(const struct cpu *c)
{
	if (c->config.lock)
		c->config.lock(c->config.lock_opaque);
}

static inline void
cpu_unlock(const struct cpu *c)
{
	if (c->config.unlock)
		c->config.unlock(c->config.lock_opaque);
}

/* ---- mmu.c ---- */

/* The view that accesses as level CPL have, and that of the processor's own accesses. */
unsigned view_of(const struct cpu *c, unsigned cpl);
unsigned system_view(const struct cpu *c);
/* Any length up to 512 bytes, all of it checked first; SEG tells #SS from #GP. */
void span_load(struct cpu *c, uint64_t linear, void *to, unsigned size, unsigned view, unsigned seg);
void span_store(struct cpu *c, uint64_t linear, const void *from, unsigned size, unsigned view, unsigned seg);
/* Raises what a write (or read) of the span would raise. */
void span_check(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned view, unsigned seg);
void mmu_guest(struct tcg_guest *g);        /* fills the callbacks for memory */
void mmu_listen(struct cpu *c);
void mmu_flush_everything(struct cpu *c);   /* the map of the machine changed */
void mmu_protect(void *cpu, uint64_t phys);
/* What MODE_SLOW_MEM stands for: alignment checks, and breakpoints on data. */
void check_slow(struct cpu *c, uint64_t linear, unsigned size, unsigned align, bool write);
void mmu_write_pkru(struct cpu *c, uint32_t value);

/* ---- walk.c ---- */

bool pdptes_valid(struct cpu *c, uint64_t cr3);

struct walk {
	uint64_t phys, bytes; /* of the page */
	bool user, write, no_execute, global, dirty;
	bool tables_write; /* all levels but the last allow writes */
	uint8_t key;
};
/* No rights asked, nothing set.  False: not mapped. */
bool mmu_probe(struct cpu *c, uint64_t linear, struct walk *w);

/* ---- segment.c ---- */

struct descriptor {
	uint64_t raw;
	uint64_t high; /* of system descriptors in long mode: base 63:32 */
};

static inline unsigned
desc_flags(uint64_t raw)
{
	return raw >> 40 & 0xf0ff;
}

static inline unsigned
desc_dpl(uint64_t raw)
{
	return raw >> 45 & 3;
}

struct segment desc_segment(uint16_t selector, uint64_t raw);
/* The descriptor of SELECTOR; false when it is out of its table. */
bool desc_read(struct cpu *c, uint16_t selector, uint64_t *raw);
/* ... or VECTOR with the selector as error code. */
uint64_t desc_fetch(struct cpu *c, uint16_t selector, enum vector v, unsigned ext);
/* The upper half of a descriptor of 16 bytes. */
uint64_t desc_fetch_high(struct cpu *c, uint16_t selector, enum vector v);
void desc_set_accessed(struct cpu *c, uint16_t selector, uint64_t raw);
void segment_set_null(struct cpu *c, unsigned seg, uint16_t selector);
/* As real and virtual-8086 mode load it. */
void segment_set_real(struct cpu *c, unsigned seg, uint16_t selector);
void set_cs(struct cpu *c, uint16_t selector, uint64_t raw, unsigned cpl);
void set_ss(struct cpu *c, uint16_t selector, uint64_t raw);
/* After a return to an outer level: data segments that the new level may not have become null. */
void drop_inner_segments(struct cpu *c);
void load_ldt(struct cpu *c, uint16_t selector, enum vector v);
/* Code segment RAW is fit for a jump or call to SELECTOR at CPL: raises if not. */
void check_code(struct cpu *c, uint16_t selector, uint64_t raw, unsigned rpl, enum vector v);
void check_code_offset(struct cpu *c, uint64_t raw, uint64_t offset);

/* ---- the stack, in exception.c ---- */

/* Pushes and pops on a stack in the making; nothing is committed but memory. */
struct stack {
	struct cpu *c;
	uint64_t base, sp, mask;
	uint32_t limit;
	uint16_t flags;
	unsigned view;
	bool mode64;
	uint16_t error; /* of the #SS */
};
struct stack stack_current(struct cpu *c);
void stack_push(struct stack *s, uint64_t value, unsigned width);
uint64_t stack_pop(struct stack *s, unsigned width);
/* Raises what a write of WIDTH bytes at SP would. */
void stack_check(struct stack *s, unsigned width);
/* Commits SP. */
void stack_commit(const struct stack *s);
/* SS and SP of level CPL out of the TSS; SS of them is checked (#TS, #SS, #NP) and becomes *SS_RAW. */
struct stack stack_inner(struct cpu *c, unsigned cpl, uint16_t *ss, uint64_t *ss_raw);
uint64_t tss_rsp(struct cpu *c, unsigned index);

/* ---- task.c ---- */
enum task_cause { TASK_JMP, TASK_CALL, TASK_INT, TASK_IRET };
void task_switch(struct cpu *c, uint16_t selector, enum task_cause cause, uint64_t next);

/* ---- exception.c ---- */
/* Back to the run loop, from wherever; the state is exact. */
_Noreturn void cpu_leave(struct cpu *c);
/* ... which runs the instruction again: nothing of it is done yet. */
_Noreturn void cpu_retry(struct cpu *c);
void cpu_deliver_pending_exception(struct cpu *c);
void cpu_deliver_interrupt(struct cpu *c, unsigned vector);
/* Delivers #DB with BITS of DR6. */
void cpu_deliver_debug(struct cpu *c, uint64_t bits);
/* HOW: enum mwait but for none; NS: until it wakes without an event. */
void cpu_halt_for(struct cpu *c, enum mwait how, uint64_t ns);
void cpu_deliver_nmi(struct cpu *c);
void set_eflags_masked(struct cpu *c, uint64_t value, uint64_t mask);
void change_eflags(struct cpu *c, uint64_t value, uint64_t mask); /* where nothing else changed: quicker */

/* ---- vme.c ---- */
/* Do CLI, STI, and in virtual-8086 mode also PUSHF, POPF and IRET, mean VIF and not IF? */
bool vme_is_virtual(const struct cpu *c);
void vme_set_vif(struct cpu *c, bool vif);             /* #GP when an interrupt waits for it */
uint64_t vme_flags(const struct cpu *c);               /* as the program sees them: VIF for IF, IOPL 3 */
void vme_check_flags(struct cpu *c, uint64_t flags);   /* #GP for flags that a POPF or IRET may not take */
void vme_take_flags(struct cpu *c, uint64_t flags);
/* INT N of virtual-8086 mode by its own vector table; false: not that way. */
bool vme_interrupt(struct cpu *c, unsigned n, uint64_t next);

/* ---- debug.c ---- */
bool debug_has_data(const struct cpu *c);
bool debug_has_code(const struct cpu *c);
void debug_check_data(struct cpu *c, uint64_t linear, unsigned size, bool write);
/*
 * For stacks of both kinds, also those that events are delivered on: the trap comes before the handler's first instruction.  The
 * manuals speak of data alone, and what processors do at their own accesses to the IDT, the GDT and the TSS differs: these meet none.
 */
void debug_check_stack(struct cpu *c, uint64_t linear, unsigned size, bool write);
void debug_check_io(struct cpu *c, unsigned port, unsigned size);
/* DR6 bits of the instruction breakpoints at LINEAR. */
uint64_t debug_check_code(const struct cpu *c, uint64_t linear);

/* ---- smm.c ---- */
void smm_enter(struct cpu *c);
void smm_reset(struct cpu *c); /* a reset ends it, under the machine's lock */

/* ---- system.c ---- */
void cpu_write_cr0(struct cpu *c, uint64_t value);
void cpu_write_cr3(struct cpu *c, uint64_t value);
void cpu_write_cr4(struct cpu *c, uint64_t value);
void io_check(struct cpu *c, unsigned port, unsigned width);

/* ---- msr.c ---- */
bool msr_read(struct cpu *c, uint32_t msr, uint64_t *value);
bool msr_write(struct cpu *c, uint32_t msr, uint64_t value);
void msr_reset(struct cpu *c);

/* ---- fpu.c ---- */
void fpu_reset(struct cpu *c);
bool fpu_is_slow(const struct cpu *c);

/* ---- run.c ---- */
void run_select_jumps(struct cpu *c);
void cpu_reset_at(struct cpu *c, bool init);

#endif
