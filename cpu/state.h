/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of one vCPU, for the files of cpu/ alone. */
#ifndef CPU_STATE_H
#define CPU_STATE_H

#include <setjmp.h>
#include <stdatomic.h>
#include <pthread.h>

#include "cpu/cpu.h"

struct shadow; /* cpu/shadow.h: address spaces, views, fills */

/* A segment register with its hidden part.  FLAGS: descriptor bits 40-55 as LAR's bits 8-23 >> 8, that is,
 * type and S in 4:0, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15. */
struct segment {
	uint16_t selector;
	uint16_t flags;
	uint32_t limit; /* in bytes, inclusive */
	uint64_t base;
};

enum {
	SF_TYPE = 0xf, SF_ACCESSED = 1, SF_WRITE = 2 /* data */, SF_READ = 2 /* code */, SF_DOWN = 4 /* data */, SF_CONFORMING = 4,
	SF_CODE = 8, SF_S = 0x10, SF_DPL_SHIFT = 5, SF_P = 0x80, SF_L = 0x2000, SF_DB = 0x4000, SF_G = 0x8000,
};

/* EFLAGS beside the arithmetic ones. */
enum {
	EFL_CF = 1, EFL_PF = 4, EFL_AF = 0x10, EFL_ZF = 0x40, EFL_SF = 0x80, EFL_TF = 0x100, EFL_IF = 0x200, EFL_DF = 0x400, EFL_OF = 0x800,
	EFL_IOPL = 0x3000, EFL_NT = 0x4000, EFL_RF = 0x10000, EFL_VM = 0x20000, EFL_AC = 0x40000, EFL_VIF = 0x80000,
	EFL_VIP = 0x100000, EFL_ID = 0x200000,
	EFL_ARITH = 0x8d5,
};

enum {
	CR0_PE = 1, CR0_MP = 2, CR0_EM = 4, CR0_TS = 8, CR0_ET = 0x10, CR0_NE = 0x20, CR0_WP = 0x10000, CR0_AM = 0x40000,
	CR0_NW = 0x20000000, CR0_CD = 0x40000000,
	CR4_VME = 1, CR4_PVI = 2, CR4_TSD = 4, CR4_DE = 8, CR4_PSE = 0x10, CR4_PAE = 0x20, CR4_MCE = 0x40, CR4_PGE = 0x80, CR4_PCE = 0x100,
	CR4_OSFXSR = 0x200, CR4_OSXMMEXCPT = 0x400, CR4_UMIP = 0x800, CR4_LA57 = 0x1000, CR4_FSGSBASE = 0x10000, CR4_PCIDE = 0x20000,
	CR4_OSXSAVE = 0x40000, CR4_SMEP = 0x100000, CR4_SMAP = 0x200000, CR4_PKE = 0x400000, CR4_CET = 0x800000,
	XCR0_AVX512 = 0xe0,
	EFER_SCE = 1, EFER_LME = 0x100, EFER_LMA = 0x400, EFER_NXE = 0x800,
};
#define CR0_PG 0x80000000u

enum vector { EXC_DE = 0, EXC_DB = 1, EXC_NMI = 2, EXC_BP = 3, EXC_OF = 4, EXC_BR = 5, EXC_UD = 6, EXC_NM = 7, EXC_DF = 8, EXC_TS = 10,
	EXC_NP = 11, EXC_SS = 12, EXC_GP = 13, EXC_PF = 14, EXC_MF = 16, EXC_AC = 17, EXC_MC = 18, EXC_XM = 19,
	EXC_CP = 21 };

/*
 * The mode word of a block's key: all that translated code depends on beside its bytes.
 * cpu_update_mode() derives it from the state; whoever changes CPL, CS, SS.B, segments, CR0, CR4, EFER, TF, DR7, AC, U_CET, S_CET
 * calls that.
 */
enum {
	MODE_CPL = 3,             /* bits 1:0 */
	MODE_CS32 = 4,            /* CS.D */
	MODE_CS64 = 8,            /* long mode and CS.L */
	MODE_SS32 = 0x10,         /* SS.B */
	MODE_FLAT = 0x20,         /* not 64-bit: CS, DS, ES, SS have base 0, limit 4 GiB, are readable and (data) writable */
	MODE_PE = 0x40,
	MODE_VM = 0x80,           /* virtual-8086 */
	MODE_LMA = 0x100,
	MODE_TF = 0x200,          /* one instruction, then #DB */
	MODE_SLOW_MEM = 0x400,    /* alignment checks or data breakpoints are on */
	MODE_NM = 0x800,          /* x87, MMX give #NM or #UD as CR0.EM, TS say: see cpu->cr0 at translation */
	MODE_NO_SSE = 0x1000,     /* SSE gives #UD or #NM */
	MODE_SSE_SLOW = 0x2000,   /* an exception of MXCSR is unmasked */
	MODE_X87_SLOW = 0x4000,   /* an exception of the x87's control word is unmasked */
	MODE_SMM = 0x8000,
	MODE_IOPL_OK = 0x10000,   /* CPL <= IOPL (not VM): CLI, STI, and I/O without the bitmap */
	MODE_WAIT_NM = 0x20000,   /* WAIT gives #NM: CR0.MP and TS */
	MODE_TS = 0x40000,
	MODE_EM = 0x80000,
	MODE_ONE = 0x100000,      /* a block of one instruction, back to the run loop behind it (inhibited interrupts, breakpoints) */
	MODE_OSXSAVE = 0x200000,
	MODE_NO_AVX = 0x400000,   /* VEX-encoded vector instructions are #UD */
	MODE_NO_AVX512 = 0x800000, /* and those with EVEX, and on masks */
	MODE_SHSTK = 0x1000000,   /* this level has a shadow stack */
	MODE_IBT = 0x2000000,     /* indirect branches of this level have to lead to ENDBR */
	MODE_LA57 = 0x4000000,    /* 64-bit code, with linear addresses of 57 bits */
	MODE_ENDBR = 0x8000000,   /* MODE_IBT, after an indirect branch: only ENDBR may follow */
	MODE_IBT_OFF = 0x10000000, /* MODE_IBT, but suppressed until an ENDBR */
};

/* Halted by: HLT; MWAIT; UMWAIT or TPAUSE, until their deadline or until the system's limit, which sets CF. */
enum mwait { MWAIT_NONE, MWAIT_SYSTEM, MWAIT_USER, MWAIT_USER_LIMITED };

struct cpu {
	struct tcg_frame f; /* first: generated code addresses it */

	struct segment seg[6]; /* by enum ir_seg */
	struct segment ldtr, tr;
	struct { uint64_t base; uint16_t limit; } gdtr, idtr;
	uint64_t cr0, cr2, cr3, cr4, xcr0;
	uint64_t dr[8];
	uint64_t efer, star, lstar, cstar, fmask, kernel_gs_base, tsc_aux, pat, misc_enable, tsc_offset, tsc_adjust;
	uint64_t umwait_control;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
	uint64_t ssp;              /* of the current level's shadow stack */
	uint64_t u_cet, s_cet, pl_ssp[4], ssp_table;
	uint64_t mtrr_def, mtrr_fixed[11], mtrr_base[8], mtrr_mask[8];
	uint64_t smbase;
	uint32_t eflags;   /* all but the arithmetic flags and DF, which are in f.flags and f.df */
	uint32_t pkru;     /* changed by mmu_write_pkru(), which flushes, and by reset */
	uint32_t mode;     /* MODE_ bits, derived */
	uint8_t cpl;
	bool smm, halted, nmi_blocked, smi_pending, nmi_pending, init_pending, in_double;
	bool inhibit;      /* interrupts are held off for one instruction after STI, MOV SS, POP SS */
	bool inhibit_db;   /* ... and debug traps too (MOV SS) */
	bool a20;
	bool ferr;         /* we drive FERR#: the board knows */
	uint64_t monitor_addr;
	bool monitor_armed, umonitor_armed; /* by MONITOR, by UMONITOR */
	uint64_t pending_dbg; /* DR6 bits of traps that follow the current instruction */
	struct { uint64_t pending_dbg, ssp; bool inhibit, inhibit_db; } smm_held; /* what waits for the end of SMM */

	/* The exception being raised, between cpu_raise and its delivery in cpu_run. */
	struct { int vector; uint32_t error; bool has_error, raised, software; uint8_t software_len; } exc;

	/* Pin state; written under the machine's lock, mirrored in f.pending. */
	_Atomic uint32_t pins;      /* bit per enum pin */
	_Atomic bool kicked;
	pthread_mutex_t halt_lock;
	pthread_cond_t halt_wake;

	struct shadow *shadow;
	struct tcg *tcg;
	struct tcg_guest guest;
	struct cpu_config config;
	struct cpu_board board;
	struct cpuid_model *model;  /* cpu/cpuid.h: the table that CPUID answers from */
	jmp_buf leave;              /* to the run loop, when no generated code is on the way */
	uint64_t exceptions[32], interrupts, block_lookups; /* counters */

	/* ---- run.c, exception.c ---- */
	bool in_tcg;                /* inside tcg_enter: leaving means tcg_unwind */
	bool retry_alone;           /* a store met the running block's own code: the instruction runs again in a block of its own */
	bool shutdown;              /* after a triple fault, until a reset */
	bool wait_sipi;             /* after INIT, until a start-up interrupt */
	bool resume;                /* RF was set when the current instruction began: no instruction breakpoint */
	int delivering;             /* the vector on its way, for double faults; -1: none */
	uint64_t delivering_dbg;    /* pending_dbg before that: a delivery that faults has met no breakpoint */
	pthread_t thread;           /* of cpu_run */
	_Atomic uint8_t sipi_vector;
	_Atomic bool flush_wanted;  /* by another thread: the map changed */
	uint8_t view;               /* enum shadow_view of f.shadow */
	uint64_t xss, mcg_status, mc_ctl[4];
	struct { uint32_t mode, cs_limit; struct tcg_jump *jumps; } mode_jumps[32]; /* a jump cache for each mode seen lately */
	unsigned mode_jumps_next;
	struct tcg_jump *no_jumps;  /* stays empty: for modes in which RIP alone does not name a block */
	struct mem_range near;      /* the memory that was looked up last; no region: none */
	bool near_smm;
	struct io_page {
		uint64_t page, phys; /* linear >> 12, and where it is */
		uint32_t generation; /* of the shadow tables, by which it is valid */
		uint8_t view;
		bool write;
	} io_pages[8];              /* pages of devices' registers, which the shadow tables don't hold */
	struct cet_page {
		uint64_t page, phys; /* linear >> 12, and where it is */
		uint8_t *host;
		const struct region *region;
		uint32_t generation; /* as above */
		bool user;
	} cet_pages[4];             /* pages of shadow stacks, in which the shadow tables have no writes */
	struct space_listener listener;
	struct cpu *_Atomic sharing; /* the next vCPU with the same struct tcg */
	struct cpu *first;          /* head of that list */
	uint8_t mwait;              /* enum mwait: how long it is halted at the most, up to ... */
	uint64_t wake_at;           /* ... that, of the host's monotonic clock */
	bool has_code_breakpoints;
	struct tcg_from from;       /* how the last block was left */
	uint32_t from_mode;         /* ... and in which mode */
};

static inline struct cpu *
cpu_of(struct tcg_frame *f)
{
	return (struct cpu *)f;
}

/* ---- cpu/run.c, cpu/exception.c ---- */

/* Raises at the current instruction (f.rip): never returns.  Registers are as the instruction found them. */
_Noreturn void cpu_raise(struct cpu *c, enum vector v);
_Noreturn void cpu_raise_error(struct cpu *c, enum vector v, uint32_t error);
_Noreturn void cpu_raise_page_fault(struct cpu *c, uint64_t linear, uint32_t error);
/* INT n, INT3, INTO, INT1: delivered with RIP behind the instruction, which is LEN bytes long; never returns. */
_Noreturn void cpu_soft_int(struct cpu *c, unsigned vector, unsigned len, bool int3_or_into);

void cpu_update_mode(struct cpu *c);   /* also f.jumps, f.shadow, f.exec, f.seg fast limits */
uint64_t cpu_eflags(const struct cpu *c);              /* all of it put together */
void cpu_set_eflags(struct cpu *c, uint64_t value);    /* all of it taken apart; mode is updated */

/* ---- cpu/segment.c ---- */
void cpu_load_segment(struct cpu *c, unsigned seg, uint16_t selector);  /* MOV/POP Sreg in the current mode, with all faults */
void cpu_segment_changed(struct cpu *c, unsigned seg);                  /* after a direct change: f.seg, mode */

/* ---- cpu/mmu.c ---- */
/* Supervisor accesses to linear memory as the processor itself makes them (tables, TSS, stacks of other levels): fault as CPL 0. */
uint64_t sys_load(struct cpu *c, uint64_t linear, unsigned size);
void sys_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size);
/* As the current CPL: pushes, pops and so on of complex instructions. */
uint64_t lin_load(struct cpu *c, uint64_t linear, unsigned size, unsigned seg);
void lin_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size, unsigned seg);
/* Host address of [linear, page end) for reading or writing if that is RAM (writes: without code), else NULL; faults. */
void *lin_host(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned seg);
/* Segmented: checks, base. */
uint64_t seg_linear(struct cpu *c, unsigned seg, uint64_t ea, unsigned size, bool write);
/* Code fetch: guest-physical address of LINEAR for execution at the current CPL; faults. */
uint64_t fetch_phys(struct cpu *c, uint64_t linear);
void tlb_flush_all(struct cpu *c);         /* with global pages */
void tlb_flush_nonglobal(struct cpu *c);
void tlb_flush_page(struct cpu *c, uint64_t linear);

#endif
