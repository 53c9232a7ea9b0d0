/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Linear memory: accesses with all checks, and the filling of the shadow tables.
 *
 * An access goes through three steps: locate() finds each page that it touches (from the shadow tables, or by a walk,
 * walk.c, which raises and sets A and D bits); code in the way of a write is looked for; then the bytes move.  So nothing
 * is written when any part of an access faults.
 */
#include "cpu/cet.h"
#include "cpu/walk.h"

unsigned
view_of(const struct cpu *c, unsigned cpl)
{
	if (cpl == 3)
		return VIEW_USER;
	return c->cr4 & CR4_SMAP && !(c->eflags & EFL_AC) ? VIEW_SMAP : VIEW_SUPER;
}

unsigned
system_view(const struct cpu *c)
{
	return c->cr4 & CR4_SMAP ? VIEW_SMAP : VIEW_SUPER;
}

/* ---- finding a page, filling the shadow tables ---- */

/* A piece of an access: within one page. */
struct piece {
	uint8_t *host; /* NULL: not memory, or a write to ROM */
	uint64_t phys;
	unsigned size;
	bool is_new;   /* came from a walk: may need dirty bits and invalidation */
};

static void
fill(struct cpu *c, unsigned view, uint64_t linear, const struct walk *w, uint64_t page, enum access access)
{
	struct mem_range r;
	uint8_t *host = phys_host(c, page, &r);
	unsigned rights = walk_rights(c, w, view);

	if (!host || page < r.first || page + 0xfff > r.last || !SHADOW_HOLDS(linear))
		return;
	if (!w->dirty || r.region->kind != REGION_RAM)
		rights &= ~SHADOW_W;
	if (access != ACCESS_FETCH || !SHADOW_IS_NEAR(linear))
		rights &= ~SHADOW_X;
	if (rights & SHADOW_W && r.region->log_dirty) {
		/* Only a write makes it dirty; until then the write entry is missing. */
		if (access == ACCESS_WRITE)
			space_set_dirty(c->config.mem, page, 4 * KiB);
		else
			rights &= ~SHADOW_W;
	}
	c->f.fills++;
	shadow_fill(c->shadow, view, linear, host, page, rights,
		&(struct shadow_page){ w->bytes, w->global, w->user && c->cr4 & CR4_PKE ? w->key : 0 }, c->tcg);
}

/* Walks to LINEAR for ACCESS and fills; raises a page fault.  The physical address. */
static uint64_t
translate(struct cpu *c, uint64_t linear, enum access access, unsigned view)
{
	struct walker k = { .c = c, .linear = linear, .access = access, .view = view };
	struct walk w;
	uint64_t page = walk_to(&k, &w);

	fill(c, view, linear, &w, page, access);
	return page | (linear & 0xfff);
}

static _Noreturn void
raise_non_canonical(struct cpu *c, unsigned seg)
{
	cpu_raise_error(c, seg == SEG_SS ? EXC_SS : EXC_GP, 0);
}

/*
 * Devices' registers have no shadow entries, but their pages are remembered as long as entries would live: without that,
 * every access walks the page tables (drawing through the VGA's planes took three times as long).
 */
static struct io_page *
io_page(struct cpu *c, uint64_t linear)
{
	return &c->io_pages[linear >> 12 & (ARRAY_SIZE(c->io_pages) - 1)];
}

static bool
io_page_holds(const struct cpu *c, const struct io_page *i, uint64_t linear, bool write, unsigned view)
{
	return i->page == linear >> 12 && i->view == view && (i->write || !write) && i->generation == shadow_generation(c->shadow);
}

/* Only whole pages: what is RAM in part needs more care. */
static void
io_page_note(struct cpu *c, const struct mem_range *r, uint64_t linear, uint64_t phys, bool write, unsigned view)
{
	uint64_t page = phys & ~0xfffull;

	if (!r->region || r->region->kind != REGION_IO || page < r->first || page + 0xfff > r->last)
		return;
	*io_page(c, linear) = (struct io_page){ linear >> 12, page, shadow_generation(c->shadow), (uint8_t)view, write };
}

/* The piece at PHYS, to which a walk led; *R is the range there. */
static struct piece
walked(struct cpu *c, uint64_t phys, unsigned size, bool write, struct mem_range *r)
{
	struct piece p = { .host = phys_host(c, phys, r), .phys = phys, .size = size, .is_new = true };

	if (p.host && (phys + size - 1 > r->last || (write && r->region->kind != REGION_RAM)))
		p.host = NULL;
	return p;
}

/* The page of LINEAR for reading or writing SIZE bytes in it. */
static struct piece
locate(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned view)
{
	uint64_t entry = shadow_table(c->shadow, view)[SHADOW_INDEX(linear) + (write ? SHADOW_WRITE : 0)];
	const struct io_page *io = io_page(c, linear);
	struct piece p = { .size = size };
	struct mem_range r;

	if (entry && SHADOW_IS_OWN(linear, entry)) {
		p.host = (uint8_t *)(linear + entry);
		return p;
	}
	if (io_page_holds(c, io, linear, write, view)) {
		p.phys = io->phys | (linear & 0xfff);
		return p;
	}
	p = walked(c, translate(c, linear, write ? ACCESS_WRITE : ACCESS_READ, view), size, write, &r);
	if (!p.host)
		io_page_note(c, &r, linear, p.phys, write, view);
	return p;
}

/* The pieces of a span: how many.  Wraps at 4 GiB outside of long mode. */
static unsigned
locate_span(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned view, unsigned seg, struct piece p[2])
{
	unsigned first = 0x1000 - (linear & 0xfff);

	if (!in_long_mode(c))
		linear = (uint32_t)linear;
	else if (!is_canonical(c, linear) || !is_canonical(c, linear + size - 1))
		raise_non_canonical(c, seg);
	if (size <= first) {
		p[0] = locate(c, linear, size, write, view);
		return 1;
	}
	p[0] = locate(c, linear, first, write, view);
	/* Tables of a 64-bit system are read from compatibility mode too: they don't wrap. */
	if (!in_mode64(c) && linear >> 32 == 0)
		linear = (uint32_t)(linear + first);
	else
		linear += first;
	p[1] = locate(c, linear, size - first, write, view);
	return 2;
}

/* ---- moving bytes ---- */

/* Whole at their natural sizes, as other processors see it. */
static inline void
copy_bytes(void *to, const void *from, unsigned size)
{
	switch (size) {
	case 1:
		memcpy(to, from, 1);
		break;
	case 2:
		memcpy(to, from, 2);
		break;
	case 4:
		memcpy(to, from, 4);
		break;
	case 8:
		memcpy(to, from, 8);
		break;
	case 16:
		memcpy(to, from, 16);
		break;
	default:
		memcpy(to, from, size);
	}
}

/* The largest device access that fits into SIZE bytes. */
static unsigned
io_chunk(unsigned size)
{
	return size >= 8 ? 8 : size >= 4 ? 4 : size >= 2 ? 2 : 1;
}

static void
piece_read(struct cpu *c, const struct piece *p, uint8_t *to)
{
	if (p->host) {
		copy_bytes(to, p->host, p->size);
		return;
	}
	for (unsigned i = 0, n; i < p->size; i += n) {
		n = io_chunk(p->size - i);
		store_le(to + i, phys_io_read(c, p->phys + i, n), n);
	}
}

static void
piece_write(struct cpu *c, const struct piece *p, const uint8_t *from)
{
	if (!p->host) {
		for (unsigned i = 0, n; i < p->size; i += n) {
			n = io_chunk(p->size - i);
			phys_io_write(c, p->phys + i, load_le(from + i, n), n);
		}
		return;
	}
	copy_bytes(p->host, from, p->size);
	if (!p->is_new)
		return;
	space_set_dirty(c->config.mem, p->phys, p->size);
	if (tcg_page_has_code(c->tcg, p->phys))
		tcg_invalidate(c->tcg, p->phys, p->size);
}

/* A write into the running block's own code: nothing is written yet; the instruction runs again in a block of its own. */
static void
check_own_code(struct cpu *c, const struct piece *p)
{
	if (!p->is_new || !p->host || !c->in_tcg || !tcg_page_has_code(c->tcg, p->phys) ||
		!tcg_hits_current(&c->f, p->phys, p->size))
		return;
	c->retry_alone = true;
	tcg_invalidate(c->tcg, p->phys, p->size);
	tcg_unwind(&c->f);
}

void
span_load(struct cpu *c, uint64_t linear, void *to, unsigned size, unsigned view, unsigned seg)
{
	struct piece p[2];
	unsigned n = locate_span(c, linear, size, false, view, seg, p);

	piece_read(c, &p[0], to);
	if (n == 2)
		piece_read(c, &p[1], (uint8_t *)to + p[0].size);
}

void
span_store(struct cpu *c, uint64_t linear, const void *from, unsigned size, unsigned view, unsigned seg)
{
	struct piece p[2];
	unsigned n = locate_span(c, linear, size, true, view, seg, p);

	check_own_code(c, &p[0]);
	if (n == 2)
		check_own_code(c, &p[1]);
	piece_write(c, &p[0], from);
	if (n == 2)
		piece_write(c, &p[1], (const uint8_t *)from + p[0].size);
}

void
span_check(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned view, unsigned seg)
{
	struct piece p[2];

	locate_span(c, linear, size, write, view, seg, p);
}

uint64_t
sys_load(struct cpu *c, uint64_t linear, unsigned size)
{
	uint64_t v = 0;

	span_load(c, linear, &v, size, system_view(c), SEG_DS);
	return v;
}

void
sys_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size)
{
	span_store(c, linear, &value, size, system_view(c), SEG_DS);
}

void
check_slow(struct cpu *c, uint64_t linear, unsigned size, unsigned align, bool write)
{
	/* #GP or #SS comes first. */
	if (in_long_mode(c) && (!is_canonical(c, linear) || !is_canonical(c, linear + size - 1)))
		return;
	if (!in_mode64(c) && linear + size - 1 > 0xffffffff)
		return;
	if (c->cpl == 3 && c->cr0 & CR0_AM && c->eflags & EFL_AC && linear & (align - 1))
		cpu_raise_error(c, EXC_AC, 0);
	debug_check_data(c, linear, size, write);
}

/* Intel SDM volume 3, "Alignment Requirements by Data Type"; AMD's processors ask no more than 16 bytes of a vector. */
static unsigned
alignment_of(unsigned size)
{
	return size == 10 ? 8 : size >= 32 && (size & (size - 1)) == 0 ? 16 : (size & (size - 1)) == 0 && size < 32 ? size : 1;
}

uint64_t
lin_load(struct cpu *c, uint64_t linear, unsigned size, unsigned seg)
{
	uint64_t v = 0;

	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, size, alignment_of(size), false);
	span_load(c, linear, &v, size, c->view, seg);
	return v;
}

void
lin_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size, unsigned seg)
{
	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, size, alignment_of(size), true);
	span_store(c, linear, &value, size, c->view, seg);
}

/* ---- shadow stacks ---- */

static struct cet_page *
cet_page(struct cpu *c, uint64_t linear)
{
	return &c->cet_pages[linear >> 12 & (ARRAY_SIZE(c->cet_pages) - 1)];
}

/* Where an access to a remembered page goes, if there is nothing else to do about it; or NULL. */
static uint8_t *
cet_held(struct cpu *c, uint64_t linear, unsigned size, bool write, bool user)
{
	const struct cet_page *held = cet_page(c, linear);

	if (held->page != linear >> 12 || held->user != user || held->generation != shadow_generation(c->shadow) ||
		(linear & 0xfff) + size > 0x1000 || c->mode & MODE_SLOW_MEM)
		return NULL;
	if (write && (held->region->log_dirty || tcg_page_has_code(c->tcg, held->phys)))
		return NULL;
	return held->host + (linear & 0xfff);
}

/* The page of LINEAR, remembered if it is plain memory that can be read and written. */
static struct piece
cet_locate(struct cpu *c, uint64_t linear, unsigned size, bool write, bool user)
{
	struct cet_page *held = cet_page(c, linear);
	struct walker k = { .c = c, .linear = linear, .access = write ? ACCESS_WRITE : ACCESS_READ,
		.view = user ? VIEW_USER : VIEW_SUPER, .shadow_stack = true };
	struct mem_range r;
	struct walk w;
	uint64_t page = walk_to(&k, &w);
	struct piece p = walked(c, page | (linear & 0xfff), size, write, &r);

	if (p.host && r.region->kind == REGION_RAM && page >= r.first && page + 0xfff <= r.last &&
		walk_key_rights(c, &w, k.view) & SHADOW_W)
		*held = (struct cet_page){ linear >> 12, page, p.host - (linear & 0xfff), r.region, shadow_generation(c->shadow), user };
	return p;
}

/* The pieces of an access; what is written is also kept from being the running code. */
static unsigned
cet_span(struct cpu *c, uint64_t linear, unsigned size, bool write, bool user, struct piece p[2])
{
	unsigned first = MIN(size, 0x1000 - (unsigned)(linear & 0xfff)), n = first < size ? 2 : 1;

	if (!in_long_mode(c))
		linear = (uint32_t)linear;
	else if (!is_canonical(c, linear) || !is_canonical(c, linear + size - 1))
		cpu_raise_error(c, EXC_GP, 0);
	p[0] = cet_locate(c, linear, first, write, user);
	if (n == 2)
		p[1] = cet_locate(c, linear + first, size - first, write, user);
	for (unsigned i = 0; write && i < n; i++)
		check_own_code(c, &p[i]);
	debug_check_stack(c, linear, size, write);
	return n;
}

uint64_t
cet_load(struct cpu *c, uint64_t linear, unsigned size, bool user)
{
	const uint8_t *host = cet_held(c, linear, size, false, user);
	struct piece p[2];
	uint8_t bytes[8] = { 0 };
	unsigned n;

	if (host)
		return load_le(host, size == 8 ? 8 : 4);
	n = cet_span(c, linear, size, false, user, p);
	piece_read(c, &p[0], bytes);
	if (n == 2)
		piece_read(c, &p[1], bytes + p[0].size);
	return load_le(bytes, 8);
}

void
cet_store(struct cpu *c, uint64_t linear, uint64_t value, unsigned size, bool user)
{
	uint8_t *host = cet_held(c, linear, size, true, user);
	struct piece p[2];
	unsigned n;

	if (host) {
		memcpy(host, &value, size == 8 ? 8 : 4);
		return;
	}
	n = cet_span(c, linear, size, true, user, p);
	piece_write(c, &p[0], (const uint8_t *)&value);
	if (n == 2)
		piece_write(c, &p[1], (const uint8_t *)&value + p[0].size);
}

uint64_t
cet_exchange(struct cpu *c, uint64_t linear, uint64_t expected, uint64_t value, bool user)
{
	struct piece p[2];
	uint64_t old;

	if (linear & 7)
		cpu_raise_error(c, EXC_GP, 0);
	cet_span(c, linear, 8, true, user, p);
	if (p[0].host) {
		old = expected;
		__atomic_compare_exchange_n((uint64_t *)p[0].host, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
		space_set_dirty(c->config.mem, p[0].phys, 8);
		if (tcg_page_has_code(c->tcg, p[0].phys))
			tcg_invalidate(c->tcg, p[0].phys, 8);
		return old;
	}
	piece_read(c, &p[0], (uint8_t *)&old);
	if (old == expected)
		piece_write(c, &p[0], (const uint8_t *)&value);
	return old;
}

void *
lin_host(struct cpu *c, uint64_t linear, unsigned size, bool write, unsigned seg)
{
	uint64_t entry;
	struct piece p;

	if (!in_long_mode(c))
		linear = (uint32_t)linear;
	else if (!is_canonical(c, linear))
		raise_non_canonical(c, seg);
	if (c->mode & MODE_SLOW_MEM)
		return NULL;
	p = locate(c, linear, MIN(size, 0x1000 - (unsigned)(linear & 0xfff)), write, c->view);
	if (!p.host || !p.is_new)
		return p.host;
	/* To the page's end it has to be one range, as a shadow entry would have it. */
	entry = shadow_table(c->shadow, c->view)[SHADOW_INDEX(linear) + (write ? SHADOW_WRITE : 0)];
	if (!entry || !SHADOW_IS_OWN(linear, entry))
		return NULL;
	return p.host;
}

uint64_t
fetch_phys(struct cpu *c, uint64_t linear)
{
	uint32_t entry;

	if (!in_long_mode(c))
		linear = (uint32_t)linear;
	else if (!is_canonical(c, linear))
		cpu_raise_error(c, EXC_GP, 0);
	entry = SHADOW_IS_NEAR(linear) ? c->f.exec[SHADOW_INDEX(linear)] : 0;
	if (entry)
		return (uint64_t)(entry - 1) << 12 | (linear & 0xfff);
	return translate(c, linear, ACCESS_FETCH, c->view);
}

/* ---- the translator's callbacks ---- */

static void
guest_load(struct tcg_frame *f, uint64_t linear, void *to, unsigned size, unsigned seg)
{
	struct cpu *c = cpu_of(f);

	f->slow_loads++;
	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, size, alignment_of(size), false);
	span_load(c, linear, to, size, c->view, seg);
}

static void
guest_store(struct tcg_frame *f, uint64_t linear, const void *from, unsigned size, unsigned seg)
{
	struct cpu *c = cpu_of(f);

	f->slow_stores++;
	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, size, alignment_of(size), true);
	span_store(c, linear, from, size, c->view, seg);
}

static void *
guest_modify(struct tcg_frame *f, uint64_t linear, unsigned size, unsigned seg)
{
	struct cpu *c = cpu_of(f);
	struct piece p[2];
	unsigned n;

	f->slow_ops++;
	if (c->mode & MODE_SLOW_MEM)
		check_slow(c, linear, size, alignment_of(size), true);
	n = locate_span(c, linear, size, true, c->view, seg, p);
	check_own_code(c, &p[0]);
	if (n == 2)
		check_own_code(c, &p[1]);
	if (!p[0].host || (n == 2 && p[1].host != p[0].host + p[0].size))
		return NULL;
	for (unsigned k = 0; k < n; k++) {
		if (!p[k].is_new)
			continue;
		space_set_dirty(c->config.mem, p[k].phys, p[k].size);
		if (tcg_page_has_code(c->tcg, p[k].phys))
			tcg_invalidate(c->tcg, p[k].phys, p[k].size);
	}
	return p[0].host;
}

static uint64_t
guest_linear(struct tcg_frame *f, unsigned seg, uint64_t ea, unsigned size, enum tcg_access access)
{
	return seg_linear(cpu_of(f), seg, ea, size, access & TCG_WRITE);
}

void
mmu_protect(void *cpu, uint64_t phys)
{
	struct cpu *c = cpu;

	for (struct cpu *each = c->first; each; each = each->sharing)
		shadow_drop_writes(each->shadow, phys >> 12);
}

void
mmu_guest(struct tcg_guest *g)
{
	g->linear = guest_linear;
	g->load = guest_load;
	g->store = guest_store;
	g->modify = guest_modify;
	g->protect = mmu_protect;
}

/* ---- flushing ---- */

void
tlb_flush_all(struct cpu *c)
{
	shadow_flush_all(c->shadow);
	c->near.region = NULL;
}

void
tlb_flush_nonglobal(struct cpu *c)
{
	shadow_flush_local(c->shadow);
}

void
tlb_flush_page(struct cpu *c, uint64_t linear)
{
	if (!in_long_mode(c))
		linear = (uint32_t)linear;
	shadow_flush_page(c->shadow, linear);
}

/* Only entries that allow what is forbidden now have to go; those that are missing come by themselves. */
void
mmu_write_pkru(struct cpu *c, uint32_t value)
{
	uint32_t stricter = value & ~c->pkru;
	unsigned keys = 0;

	c->pkru = value;
	for (unsigned key = 0; key < 16; key++)
		keys |= (stricter >> 2 * key & 3 ? 1u : 0) << key;
	if (keys && c->cr4 & CR4_PKE)
		shadow_flush_keys(c->shadow, keys);
}

uint64_t
do_rdpkru(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (!(c->cr4 & CR4_PKE))
		cpu_raise(c, EXC_UD);
	if ((uint32_t)f->gpr[1])
		cpu_raise_error(c, EXC_GP, 0);
	f->gpr[0] = c->pkru;
	f->gpr[2] = 0;
	return 0;
}

uint64_t
do_wrpkru(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b, (void)aux;
	if (!(c->cr4 & CR4_PKE))
		cpu_raise(c, EXC_UD);
	if ((uint32_t)f->gpr[1] || (uint32_t)f->gpr[2])
		cpu_raise_error(c, EXC_GP, 0);
	mmu_write_pkru(c, (uint32_t)f->gpr[0]);
	return 0;
}

/* ---- the machine's map ---- */

void
mmu_flush_everything(struct cpu *c)
{
	tlb_flush_all(c);
	/* What is remapped at run time and holds code is below 1 MiB: PAM, SMRAM. */
	tcg_invalidate(c->tcg, 0xa0000, 0x60000);
}

static void
map_changed(void *opaque)
{
	struct cpu *c = opaque;

	if (pthread_equal(pthread_self(), c->thread)) {
		mmu_flush_everything(c);
		return;
	}
	atomic_store(&c->flush_wanted, true);
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_SEQ_CST);
}

static void
map_written(void *opaque, gpa addr, uint64_t len)
{
	struct cpu *c = opaque;

	if (c == c->first)
		tcg_invalidate(c->tcg, addr, len);
}

static void
map_clean(void *opaque, gpa addr, uint64_t len)
{
	struct cpu *c = opaque;
	bool own = pthread_equal(pthread_self(), c->thread);

	for (gpa page = addr >> 12; len && page <= (addr + len - 1) >> 12; page++)
		/* A write between the clearing and this has to be seen at the next look. */
		if (shadow_drop_writes(c->shadow, page) && !own)
			space_set_dirty(c->config.mem, page << 12, 4 * KiB);
}

void
mmu_listen(struct cpu *c)
{
	c->listener = (struct space_listener){
		.opaque = c, .changed = map_changed, .written = map_written, .clean = map_clean,
	};
	space_listen(c->config.mem, &c->listener);
}
