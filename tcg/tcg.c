/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding, making, linking and dropping blocks. */
#include "tcg/tcg.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/trace.h"
#include "base/util.h"
#include "tcg/block.h"
#include "tcg/interp/interp.h"
#include "tcg/interp/step.h"

enum { TIMED_BLOCKS = 8, LONG_NS = 100000 };

/* One block in eight is timed; one that took longer than any can lost the host's processor meanwhile. */
static void
count_time(struct tcg_stats *s, uint64_t ns, unsigned insns)
{
	if (ns > LONG_NS)
		return;
	s->timed_ns += ns;
	s->timed_insns += insns;
}

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NS_PER_SEC + ts.tv_nsec;
}

/* ---- look-up ---- */

static unsigned
hash_of(const struct tcg_key *k)
{
	uint64_t h = (k->phys ^ (uint64_t)k->mode << 20 ^ k->rip >> 12) * 0x9e3779b97f4a7c15ull;

	return h >> 40 & (BLOCK_HASH - 1);
}

static bool
same_key(const struct tcg_key *a, const struct tcg_key *b)
{
	return a->phys == b->phys && a->rip == b->rip && a->mode == b->mode && a->cs_base == b->cs_base &&
		a->cs_limit == b->cs_limit;
}

struct tcg_block *
tcg_find(struct tcg *t, const struct tcg_key *key)
{
	struct tcg_block *b = atomic_load_explicit(&t->hash[hash_of(key)], memory_order_acquire);

	while (b != NULL && !same_key(&b->key, key))
		b = atomic_load_explicit(&b->hash_next, memory_order_acquire);
	return b;
}

struct tcg_block *
tcg_find_next(const struct tcg_block *b)
{
	struct tcg_block *next = atomic_load_explicit(&b->hash_next, memory_order_acquire);

	while (next != NULL && !same_key(&next->key, &b->key))
		next = atomic_load_explicit(&next->hash_next, memory_order_acquire);
	return next;
}

uint64_t
tcg_second_page(const struct tcg_block *b)
{
	return b->phys2;
}

static struct tcg_page *
find_page(const struct tcg *t, uint64_t page)
{
	struct tcg_page *p = atomic_load_explicit(&t->pages[page * 0x9e3779b1u >> 7 & (PAGE_HASH - 1)], memory_order_acquire);

	while (p != NULL && p->page != page)
		p = atomic_load_explicit(&p->next, memory_order_acquire);
	return p;
}

bool
tcg_page_has_code(const struct tcg *t, uint64_t phys)
{
	struct tcg_page *p = find_page(t, phys >> 12);

	return p != NULL && atomic_load_explicit(&p->granules, memory_order_acquire) != 0;
}

/* The granules of PAGE that [PHYS, PHYS + LEN) touches. */
static uint64_t
granule_mask(uint64_t page, uint64_t phys, uint64_t len)
{
	uint64_t first = phys >> 12 < page ? 0 : (phys & 0xfff) >> 6;
	uint64_t end = phys + len - 1, last = end >> 12 > page ? 63 : (end & 0xfff) >> 6;

	return ~0ull >> (63 - last) & ~0ull << first;
}

bool
tcg_hits_code(const struct tcg *t, uint64_t phys, uint64_t len)
{
	for (uint64_t page = phys >> 12; page <= (phys + len - 1) >> 12; page++) {
		struct tcg_page *p = find_page(t, page);

		if (p != NULL && p->granules & granule_mask(page, phys, len))
			return true;
	}
	return false;
}

static bool
block_overlaps(const struct tcg_block *b, uint64_t phys, uint64_t len)
{
	uint64_t first = b->phys2 == ~0ull ? b->bytes : 0x1000 - (b->key.phys & 0xfff);

	if (phys < b->key.phys + first && b->key.phys < phys + len)
		return true;
	return b->phys2 != ~0ull && phys < b->phys2 + (b->bytes - first) && b->phys2 < phys + len;
}

bool
tcg_hits_current(const struct tcg_frame *f, uint64_t phys, uint64_t len)
{
	const struct tcg_block *b = f->site != NULL ? f->site->block : NULL;

	return b != NULL && b->kept && block_overlaps(b, phys, len);
}

/* ---- jump caches ---- */

/* The key of an empty line: an address that belongs to other lines. */
static uint64_t
no_key(unsigned line)
{
	return line ^ (2 * TCG_JUMP_OTHER);
}

/* The one of its lines that RIP has or may have, or one that another target loses. */
static unsigned
line_for(const struct tcg_frame *f, uint64_t rip)
{
	unsigned line = tcg_jump_line(rip), other = line ^ TCG_JUMP_OTHER;
	const struct tcg_jump *j = f->jumps;

	if (j[line].rip == rip || j[line].rip == no_key(line))
		return line;
	return j[other].rip == rip || j[other].rip == no_key(other) || f->jump_misses & 1 ? other : line;
}

struct tcg_jump *
tcg_jumps_new(struct tcg *t)
{
	struct tcg_jump *j = xcalloc(TCG_JUMPS, sizeof(*j));
	unsigned n = 0;

	for (unsigned i = 0; i < TCG_JUMPS; i++)
		j[i].rip = no_key(i);
	pthread_mutex_lock(&t->lock);
	while (n < JUMP_CACHES && t->jumps[n] != NULL)
		n++;
	if (n < JUMP_CACHES)
		t->jumps[n] = j;
	pthread_mutex_unlock(&t->lock);
	if (n == JUMP_CACHES) {
		free(j);
		return NULL;
	}
	return j;
}

void
tcg_jumps_free(struct tcg *t, struct tcg_jump *jumps)
{
	pthread_mutex_lock(&t->lock);
	for (unsigned n = 0; n < JUMP_CACHES; n++)
		if (t->jumps[n] == jumps)
			t->jumps[n] = NULL;
	pthread_mutex_unlock(&t->lock);
	free(jumps);
}

void
tcg_remember(struct tcg_frame *f, uint64_t rip, struct tcg_block *block)
{
	struct tcg_jump *j;
	unsigned line;

	f->jump_misses++;
	if (f->jumps == NULL || block->dead || !block->kept || log_on(LOG_BIT_nochain))
		return;
	line = line_for(f, rip);
	j = &f->jumps[line];
	/* What is found under RIP has to be whole. */
	__atomic_store_n(&j->rip, no_key(line), __ATOMIC_RELEASE);
	__atomic_store_n(&j->code, block->guarded, __ATOMIC_RELEASE);
	__atomic_store_n(&j->rip, rip, __ATOMIC_RELEASE);
}

static void
forget(struct tcg *t, const struct tcg_block *b)
{
	const unsigned lines[] = { tcg_jump_line(b->key.rip), tcg_jump_line(b->key.rip) ^ TCG_JUMP_OTHER };

	for (unsigned n = 0; n < 2 * JUMP_CACHES; n++) {
		struct tcg_jump *j = t->jumps[n / 2];
		unsigned line = lines[n % 2];

		if (j != NULL && j[line].code == b->guarded)
			__atomic_store_n(&j[line].rip, no_key(line), __ATOMIC_RELEASE);
	}
}

/* ---- linking ---- */

static void
unlink_slot(struct tcg *t, struct tcg_slot *s)
{
	if (s->to == NULL)
		return;
	*s->prev = s->next;
	if (s->next != NULL)
		s->next->prev = s->prev;
	s->to = NULL;
	t->host->patch(t, s, s->stub);
}

void
tcg_chain(struct tcg *t, const struct tcg_from *from, struct tcg_block *block)
{
	struct tcg_slot *s = from->slot;

	if (s == NULL || block->dead || !block->kept || log_on(LOG_BIT_nochain))
		return;
	pthread_mutex_lock(&t->lock);
	if (from->epoch == t->epoch && !s->owner->dead && s->to == NULL) {
		s->to = block;
		s->next = block->incoming;
		s->prev = &block->incoming;
		if (s->next != NULL)
			s->next->prev = &s->next;
		block->incoming = s;
		if (!s->same_page || block->phys2 != ~0ull)
			t->host->patch(t, s, block->guarded);
		else
			t->host->patch(t, s, block == s->owner ? block->again : block->code);
		t->stats.chained++;
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- pages ---- */

static struct tcg_page *
make_page(struct tcg *t, uint64_t page)
{
	struct tcg_page *p = find_page(t, page);
	struct tcg_page *_Atomic *bucket = &t->pages[page * 0x9e3779b1u >> 7 & (PAGE_HASH - 1)];

	if (p != NULL)
		return p;
	p = xcalloc(1, sizeof(*p));
	p->page = page;
	p->next = *bucket;
	atomic_store_explicit(bucket, p, memory_order_release);
	return p;
}

/* The bytes of B in its first (0) or second (1) page. */
static void
extent(const struct tcg_block *b, unsigned which, uint64_t *phys, uint64_t *len)
{
	uint64_t first = b->phys2 == ~0ull ? b->bytes : 0x1000 - (b->key.phys & 0xfff);

	*phys = which == 0 ? b->key.phys : b->phys2;
	*len = which == 0 ? first : b->bytes - first;
}

static unsigned
which_page(const struct tcg_block *b, uint64_t page)
{
	return b->key.phys >> 12 == page ? 0 : 1;
}

/* Of B in PAGE.  Both of its pages may be that one frame. */
static uint64_t
granules_of(const struct tcg_block *b, uint64_t page)
{
	uint64_t phys, len, granules = 0;

	for (unsigned which = 0; which < (b->phys2 == ~0ull ? 1u : 2u); which++) {
		extent(b, which, &phys, &len);
		if (phys >> 12 == page)
			granules |= granule_mask(page, phys, len);
	}
	return granules;
}

static void
add_to_page(struct tcg *t, struct tcg_block *b, unsigned which)
{
	struct tcg_page *p = make_page(t, (which == 0 ? b->key.phys : b->phys2) >> 12);
	bool first = p->granules == 0;

	if (which_page(b, p->page) != which)
		return;
	b->page_next[which] = p->blocks;
	b->page_prev[which] = &p->blocks;
	if (p->blocks != NULL)
		p->blocks->page_prev[which_page(p->blocks, p->page)] = &b->page_next[which];
	p->blocks = b;
	p->hits = 0;
	p->granules |= granules_of(b, p->page);
	if (first)
		t->guest->protect(t->guest->opaque, p->page << 12);
}

/* The page's granules may be too many from then on, until somebody hits one: a segment of blocks goes quickly. */
static void
remove_from_page(struct tcg *t, struct tcg_block *b, unsigned which)
{
	struct tcg_page *p = find_page(t, (which == 0 ? b->key.phys : b->phys2) >> 12);
	struct tcg_block *next = b->page_next[which];

	if (which_page(b, p->page) != which)
		return;
	*b->page_prev[which] = next;
	if (next != NULL)
		next->page_prev[which_page(next, p->page)] = b->page_prev[which];
	if (p->blocks == NULL)
		p->granules = 0;
}

static void
count_granules(struct tcg_page *p)
{
	uint64_t granules = 0;

	for (struct tcg_block *b = p->blocks; b != NULL; b = b->page_next[which_page(b, p->page)])
		granules |= granules_of(b, p->page);
	p->granules = granules;
}

/* Nothing leads to B any more. */
static void
drop(struct tcg *t, struct tcg_block *b)
{
	struct tcg_block *_Atomic *link = &t->hash[hash_of(&b->key)];

	if (b->dead)
		return;
	b->dead = true;
	if (!b->kept)
		return;
	while (*link != NULL && *link != b)
		link = &(*link)->hash_next;
	if (*link == b)
		*link = b->hash_next;
	while (b->incoming != NULL)
		unlink_slot(t, b->incoming);
	for (unsigned n = 0; n < TCG_SLOTS; n++)
		unlink_slot(t, &b->slot[n]);
	forget(t, b);
	remove_from_page(t, b, 0);
	if (b->phys2 != ~0ull)
		remove_from_page(t, b, 1);
	t->stats.invalidated++;
}

/* The blocks of P that [PHYS, PHYS + LEN) overlaps go; were there any? */
static bool
drop_overlapping(struct tcg *t, struct tcg_page *p, uint64_t phys, uint64_t len)
{
	struct tcg_block *next;
	bool any = false;

	for (struct tcg_block *b = p->blocks; b != NULL; b = next) {
		next = b->page_next[which_page(b, p->page)];
		if (!block_overlaps(b, phys, len))
			continue;
		drop(t, b);
		any = true;
	}
	return any;
}

/* Data may share a granule with code: a write of that is no hit. */
static void
invalidate_page(struct tcg *t, struct tcg_page *p, uint64_t phys, uint64_t len)
{
	if (drop_overlapping(t, p, phys, len) && ++p->hits >= RECYCLED_HITS)
		drop_overlapping(t, p, p->page << 12, 1 << 12);
	count_granules(p);
}

void
tcg_invalidate(struct tcg *t, uint64_t phys, uint64_t len)
{
	if (len == 0 || !tcg_hits_code(t, phys, len))
		return;
	pthread_mutex_lock(&t->lock);
	for (uint64_t page = phys >> 12; page <= (phys + len - 1) >> 12; page++) {
		struct tcg_page *p = find_page(t, page);

		if (p != NULL && p->granules & granule_mask(page, phys, len))
			invalidate_page(t, p, phys, len);
	}
	pthread_mutex_unlock(&t->lock);
}

/* ---- guesses ---- */

/* A wrong guess costs what some ten right ones save: it pays when they are this far apart. */
enum { GUESS_CREDIT = 1024, GUESS_NS = 100 };

static unsigned
guess_hash(uint64_t rip)
{
	return (rip * 0x9e3779b97f4a7c15ull) >> 48 & (GUESS_HASH - 1);
}

bool
tcg_guess_pays(const struct tcg *t, uint64_t rip)
{
	unsigned h = guess_hash(rip);

	return !(t->no_guess[h / 64] >> h % 64 & 1);
}

void
tcg_settle_guess(struct tcg *t, struct tcg_site *s)
{
	uint32_t now = (uint32_t)(now_ns() / 1000);
	unsigned h = guess_hash(s->rip);

	if (s->since == 0 || now - s->since > GUESS_CREDIT * GUESS_NS / 1000) {
		s->since = now;
		s->credit = GUESS_CREDIT;
		return;
	}
	pthread_mutex_lock(&t->lock);
	t->no_guess[h / 64] |= 1ull << h % 64;
	drop(t, s->block);
	pthread_mutex_unlock(&t->lock);
}

/* ---- code memory ---- */

enum { DROP_AHEAD = 8 }; /* so many blocks ahead, memory is asked for what dropping them reads: saves another 4 % of that */

static void
drop_segment(struct tcg *t, struct tcg_segment *s)
{
	/* The newest first: that is how the pages list them.  Each head is a line of its own that nobody has touched for long. */
	for (unsigned n = s->blocks; n-- > 0;) {
		if (n >= DROP_AHEAD)
			__builtin_prefetch(&t->hash[hash_of(&s->order[n - DROP_AHEAD]->key)], 1);
		drop(t, s->order[n]);
	}
	t->epoch++;
	s->blocks = 0;
	s->code_next = s->code;
	s->meta_next = s->meta;
}

void
cache_reserve(struct tcg *t, size_t code, size_t meta)
{
	struct tcg_segment *s = &t->segment[t->current];

	if ((size_t)(s->code_end - s->code_next) >= code && (size_t)(s->meta_end - s->meta_next) >= meta) {
		warm_ahead(t, s);
		return;
	}
	t->current = (t->current + 1) % SEGMENTS;
	s = &t->segment[t->current];
	if (s->blocks > 0)
		t->stats.flushes++;
	drop_segment(t, s);
}

void *
cache_meta(struct tcg *t, size_t size)
{
	struct tcg_segment *s = &t->segment[t->current];
	void *p = s->meta_next;

	s->meta_next += align_up(size, 16);
	assert(s->meta_next <= s->meta_end);
	return p;
}

struct tcg_block *
cache_block_at(struct tcg *t, const uint8_t *pc)
{
	for (unsigned n = 0; n < SEGMENTS; n++) {
		struct tcg_segment *s = &t->segment[n];
		unsigned low = 0, high = s->blocks;

		if (pc < s->code + t->to_rx || pc >= s->code_end + t->to_rx)
			continue;
		while (low < high) {
			unsigned mid = (low + high) / 2;

			if (s->order[mid]->end <= pc)
				low = mid + 1;
			else
				high = mid;
		}
		return low < s->blocks && s->order[low]->guarded <= pc ? s->order[low] : NULL;
	}
	return NULL;
}

static void
note_order(struct tcg_segment *s, struct tcg_block *b)
{
	if (s->blocks == s->capacity) {
		s->capacity = s->capacity ? 2 * s->capacity : 4096;
		s->order = xrealloc(s->order, s->capacity * sizeof(struct tcg_block *));
	}
	s->order[s->blocks++] = b;
}

void
tcg_flush(struct tcg *t)
{
	pthread_mutex_lock(&t->lock);
	for (unsigned n = 0; n < SEGMENTS; n++)
		drop_segment(t, &t->segment[n]);
	t->stats.flushes++;
	pthread_mutex_unlock(&t->lock);
}

/* ---- translation ---- */

static void
log_ir(struct tcg *t, enum log_bit item, const char *title)
{
	char *text = NULL;
	size_t size = 0;
	FILE *to;

	if (!log_on(item) || !log_filter(t->ir.rip))
		return;
	to = open_memstream(&text, &size);
	ir_print(&t->ir, to);
	fclose(to);
	log_printf("%s:\n%s\n", title, text);
	free(text);
}

static void
verify(const struct ir *ir)
{
	const char *wrong = ir_verify(ir);

	if (wrong == NULL)
		return;
	fprintf(stderr, "calque: the translator made a wrong block at %#llx: %s\n", (unsigned long long)ir->rip, wrong);
	ir_print(ir, stderr);
	assert(wrong == NULL);
}

static struct tcg_block *
make_block(struct tcg *t, const struct tcg_key *key, const struct tcg_code *code, bool keep)
{
	/* Host code of one operation with its stub stays below 192 bytes, that of a gather or scatter below 320: with it
	   comes an IR_insn, which has none.  A site for each. */
	struct tcg_block *b;

	cache_reserve(t, (size_t)t->ir.count * 192 + 1024,
		sizeof(*b) + (size_t)t->ir.count * MAX(sizeof(struct tcg_site), sizeof(struct interp_step)) + 512);
	b = cache_meta(t, sizeof(*b));
	b->key = *key;
	b->phys2 = code->phys2;
	b->bytes = code->bytes;
	b->kept = keep;
	b->guests = t->ir.guests;
	b->dead = false;
	b->incoming = NULL;
	b->step = NULL;
	b->site = NULL;
	b->sites = 0;
	for (unsigned n = 0; n < TCG_SLOTS; n++) {
		b->slot[n].patch = NULL;
		b->slot[n].owner = b;
		b->slot[n].to = NULL;
	}
	return b;
}

static void
make_steps(struct tcg *t, struct tcg_block *b)
{
	struct interp_step *steps = cache_meta(t, t->ir.count * sizeof(*steps));

	interp_prepare(steps, &t->ir);
	b->step = steps;
	/* A jump cache holds the block itself, which names itself through a site as generated code does. */
	b->guarded = (const uint8_t *)b;
	b->site = cache_meta(t, sizeof(struct tcg_site));
	memset(b->site, 0, sizeof(struct tcg_site));
	b->site->block = b;
}

static void
publish(struct tcg *t, struct tcg_block *b)
{
	struct tcg_block *_Atomic *bucket = &t->hash[hash_of(&b->key)];

	add_to_page(t, b, 0);
	if (b->phys2 != ~0ull)
		add_to_page(t, b, 1);
	b->hash_next = *bucket;
	atomic_store_explicit(bucket, b, memory_order_release);
}

struct tcg_block *
tcg_translate(struct tcg *t, struct tcg_frame *f, const struct tcg_key *key, unsigned max, bool keep)
{
	bool timed = t->stats.blocks % TIMED_BLOCKS == 0;
	uint64_t began = timed ? now_ns() : 0;
	struct tcg_code code = { 0, ~0ull };
	struct tcg_block *b;

	if (max == 0 || max > IR_MAX_GUEST)
		max = t->options.one_insn ? 1 : IR_MAX_GUEST;
	/* The guest's side may raise (a fault in fetching code), so the lock comes after it; one vCPU translates at a time. */
	ir_reset(&t->ir, key->rip, key->cs_base, true);
	t->guest->translate(f, key, &t->ir, max, &code);
	pthread_mutex_lock(&t->lock);
	if (log_on(LOG_BIT_in_asm) && log_filter(key->rip))
		t->guest->disassemble(f, key, code.bytes);
	log_ir(t, LOG_BIT_op, "OP");
	if (t->options.verify || log_on(LOG_BIT_op))
		verify(&t->ir);
	ir_pass_flags(&t->ir);
	log_ir(t, LOG_BIT_op_opt, "OP after the passes");
	b = make_block(t, key, &code, keep);
	if (t->host != NULL)
		t->host->compile(t, b, &t->ir);
	else
		make_steps(t, b);
	note_order(&t->segment[t->current], b);
	if (log_on(LOG_BIT_out_asm) && log_filter(key->rip) && t->host != NULL)
		t->host->disassemble(t, b);
	if (keep)
		publish(t, b);
	t->stats.blocks++;
	t->stats.guest_insns += b->guests;
	t->stats.guest_bytes += b->bytes;
	if (timed)
		count_time(&t->stats, now_ns() - began, b->guests);
	pthread_mutex_unlock(&t->lock);
	return b;
}

/* ---- running ---- */

enum tcg_exit
tcg_enter(struct tcg_frame *f, struct tcg_block *b, struct tcg_from *from)
{
	*from = (struct tcg_from){ .epoch = f->tcg->epoch };
	if (f->tcg->host != NULL)
		return f->tcg->host->enter(f, b, from);
	f->site = b->site;
	if (__builtin_setjmp(f->leave) != 0) {
		f->site = NULL;
		return TCG_LEFT;
	}
	interp_run(f, b);
	f->site = NULL;
	/* The run loop remembers what comes next in the jump cache: it was not there. */
	from->indirect = true;
	return TCG_NEXT;
}

struct tcg_stats
tcg_stats(const struct tcg *t)
{
	struct tcg_stats s = t->stats;

	s.code_bytes = t->code_bytes;
	for (unsigned n = 0; n < SEGMENTS; n++)
		s.code_used += t->segment[n].code_next - t->segment[n].code;
	return s;
}

bool
tcg_has_back_end(void)
{
	return host_back_end != NULL;
}

unsigned
tcg_native_avx512(const struct tcg_options *o)
{
	return host_back_end != NULL && o->accel == ACCEL_NATIVE && !o->portable ? host_back_end->native_avx512() : 0;
}

static bool
check_accel(const struct tcg_options *o, struct err *e)
{
	return o->accel == ACCEL_INTERP || tcg_has_back_end() || err_set(e, "there is no translator for this host; use the interpreter");
}

struct tcg *
tcg_new(const struct tcg_options *o, const struct tcg_guest *guest, struct err *e)
{
	struct tcg *t = xcalloc(1, sizeof(*t));

	t->options = *o;
	t->guest = guest;
	t->swaps16 = interp_swaps16();
	pthread_mutex_init(&t->lock, NULL);
	pthread_mutex_init(&t->bus, NULL);
	t->host = o->accel == ACCEL_NATIVE ? host_back_end : NULL;
	if (!check_accel(o, e) || !cache_init(t, e) || (t->host != NULL && !t->host->init(t, e))) {
		tcg_free(t);
		return NULL;
	}
	return t;
}

const struct tcg_guest *
tcg_guest_of(const struct tcg *t)
{
	return t->guest;
}

void
tcg_free(struct tcg *t)
{
	for (unsigned n = 0; n < PAGE_HASH; n++) {
		struct tcg_page *p = t->pages[n];

		while (p != NULL) {
			struct tcg_page *next = p->next;

			free(p);
			p = next;
		}
	}
	for (unsigned n = 0; n < SEGMENTS; n++)
		free(t->segment[n].order);
	for (unsigned n = 0; n < JUMP_CACHES; n++)
		free(t->jumps[n]);
	cache_free(t);
	pthread_mutex_destroy(&t->bus);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
