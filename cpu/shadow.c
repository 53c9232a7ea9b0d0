/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/shadow.h"

#include "base/err.h"
#include "base/util.h"
#include "tcg/tcg.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

/*
 * Bounds.  A group is 512 neighbouring entries: one page of the host's memory in each table.
 */
enum {
	MAX_SLOTS = 8,
	MAX_FILLS = 1 << 17,         /* of a list */
	GROUP_LINES = 4096,          /* hash table of a view's groups */
	MAX_VIEW_GROUPS = 2048,
	MAX_GROUPS = 8192,           /* of all views */
	HEADS = 1 << 16,             /* hash table of the pages that have write entries */
	MAX_NODES = 1 << 19,
	MAX_HUGE = 64,
	MAX_VOTES = 64,
	KEYS = 16,
};
/* Pieces of a large page are in this group: they go together. */
#define GROUP_LARGE (1u << 31)
#define TABLE_BYTES ((SHADOW_WRITE + SHADOW_ENTRIES) * sizeof(uint64_t))
#define EXEC_BYTES (SHADOW_ENTRIES * sizeof(uint32_t))

/* An entry of a list: the index, and which of the tables it is in. */
#define FILL_WRITE (1ull << 62)
#define FILL_EXEC (1ull << 63)
#define FILL_INDEX (SHADOW_ENTRIES - 1)

struct fills {
	uint64_t *list;
	uint32_t count, room;
};

struct view {
	uint64_t *table;
	uint32_t *exec;
	struct fills local, global;
	struct fills keyed[KEYS]; /* by protection key, but for key 0: global or not */
	uint32_t groups[GROUP_LINES]; /* group number + 1, GROUP_LARGE */
	unsigned group_count;
};

struct slot {
	bool used;
	uint32_t id;
	uint64_t last_use;
	struct view view[SHADOW_VIEWS];
};

/* One write entry of a page.  WHERE: slot << 42 | view << 40 | index.  It may be stale; the entry is then 0 or strange. */
struct node {
	uint32_t page, next;
	uint64_t where;
};

struct shadow {
	struct slot slot[MAX_SLOTS];
	struct slot *current;
	unsigned slots, reserved;
	_Atomic uint32_t generation;
	uint64_t uses;
	struct tcg_frame *frame; /* whose predicted stack follows from the entries; may be NULL */
	unsigned votes;          /* for frame->direct_delta, as long as it is right most often */
	unsigned group_count;
	uint32_t huge[MAX_HUGE]; /* linear address >> 30 of pages of 1 GiB */
	unsigned huge_count;
	pthread_mutex_t lock; /* of all below, and of the write entries */
	uint32_t heads[HEADS];
	struct node *node;    /* number 0 is no node */
	uint32_t nodes, node_room, free_nodes;
};

static void *
reserve(uint64_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	madvise(p, bytes, MADV_NOHUGEPAGE);
	madvise(p, bytes, MADV_DONTDUMP);
	return p;
}

static void
slot_unreserve(struct slot *slot)
{
	for (unsigned i = 0; i < SHADOW_VIEWS; i++) {
		struct view *v = &slot->view[i];

		if (v->table)
			munmap(v->table, TABLE_BYTES);
		if (v->exec)
			munmap(v->exec, EXEC_BYTES);
		free(v->local.list);
		free(v->global.list);
		for (unsigned key = 0; key < KEYS; key++)
			free(v->keyed[key].list);
		*v = (struct view){ 0 };
	}
}

static bool
slot_reserve(struct slot *slot)
{
	for (unsigned i = 0; i < SHADOW_VIEWS; i++) {
		struct view *v = &slot->view[i];

		v->table = reserve(TABLE_BYTES);
		v->exec = v->table ? reserve(EXEC_BYTES) : NULL;
		if (!v->exec) {
			slot_unreserve(slot);
			return false;
		}
	}
	return true;
}

struct shadow *
shadow_new(unsigned slots, struct err *e)
{
	struct shadow *s = xcalloc(1, sizeof(*s));

	s->slots = MAX(1u, MIN(slots, (unsigned)MAX_SLOTS));
	s->node_room = 1024;
	s->node = xcalloc(s->node_room, sizeof(*s->node));
	s->nodes = 1;
	s->generation = 1;
	pthread_mutex_init(&s->lock, NULL);
	if (!slot_reserve(&s->slot[0])) {
		err_set(e, "the host refuses to reserve address space for the shadow page tables (%s); "
			"see ulimit -v and /proc/sys/vm/overcommit_memory", strerror(errno));
		shadow_free(s);
		return NULL;
	}
	s->reserved = 1;
	s->current = &s->slot[0];
	s->current->used = true;
	return s;
}

void
shadow_free(struct shadow *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < MAX_SLOTS; i++)
		slot_unreserve(&s->slot[i]);
	pthread_mutex_destroy(&s->lock);
	free(s->node);
	free(s);
}

uint64_t *
shadow_table(const struct shadow *s, unsigned view)
{
	return s->current->view[view].table;
}

uint32_t *
shadow_exec(const struct shadow *s, unsigned view)
{
	return s->current->view[view].exec;
}

void
shadow_attach(struct shadow *s, struct tcg_frame *f)
{
	s->frame = f;
	f->direct_delta = TCG_NO_DELTA;
	tcg_forget_stack(f);
}

static void
forget_stack(struct shadow *s)
{
	s->generation++;
	if (s->frame)
		tcg_forget_stack(s->frame);
}

/* ---- flushing ---- */

static void
flush_fills(struct view *v, struct fills *fills)
{
	for (uint32_t i = 0; i < fills->count; i++) {
		uint64_t fill = fills->list[i], index = fill & FILL_INDEX;

		v->table[index] = 0;
		if (fill & FILL_WRITE)
			v->table[index + SHADOW_WRITE] = 0;
		if (fill & FILL_EXEC)
			v->exec[index] = 0;
	}
	fills->count = 0;
}

/* Gives the memory of all tables back. */
static void
reset(struct shadow *s)
{
	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->reserved; i++)
		for (unsigned j = 0; j < SHADOW_VIEWS; j++) {
			struct view *v = &s->slot[i].view[j];

			if (v->group_count) {
				madvise(v->table, TABLE_BYTES, MADV_DONTNEED);
				madvise(v->exec, EXEC_BYTES, MADV_DONTNEED);
				memset(v->groups, 0, sizeof(v->groups));
				v->group_count = 0;
			}
			v->local.count = v->global.count = 0;
			for (unsigned key = 0; key < KEYS; key++)
				v->keyed[key].count = 0;
		}
	s->group_count = 0;
	s->huge_count = 0;
	memset(s->heads, 0, sizeof(s->heads));
	s->nodes = 1;
	s->free_nodes = 0;
	pthread_mutex_unlock(&s->lock);
	forget_stack(s);
}

static void
flush_slot(struct shadow *s, struct slot *slot, bool global)
{
	forget_stack(s);
	for (unsigned i = 0; i < SHADOW_VIEWS; i++) {
		struct view *v = &slot->view[i];

		flush_fills(v, &v->local);
		for (unsigned key = 0; key < KEYS; key++)
			flush_fills(v, &v->keyed[key]);
		if (global)
			flush_fills(v, &v->global);
	}
}

/* Keys are no matter of execution. */
static void
flush_data(struct view *v, struct fills *fills)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < fills->count; i++) {
		uint64_t fill = fills->list[i], index = fill & FILL_INDEX;

		v->table[index] = 0;
		if (fill & FILL_WRITE)
			v->table[index + SHADOW_WRITE] = 0;
		if (fill & FILL_EXEC)
			fills->list[kept++] = fill & ~FILL_WRITE;
	}
	fills->count = kept;
}

void
shadow_flush_keys(struct shadow *s, unsigned keys)
{
	forget_stack(s);
	for (unsigned i = 0; i < s->reserved; i++)
		for (unsigned j = 0; j < SHADOW_VIEWS; j++) {
			struct view *v = &s->slot[i].view[j];

			/* The view without the user's pages has them at most for execution. */
			if (j == VIEW_SMAP)
				continue;
			for (unsigned key = 1; key < KEYS; key++)
				if (keys >> key & 1)
					flush_data(v, &v->keyed[key]);
			if (keys & 1) {
				flush_data(v, &v->local);
				flush_data(v, &v->global);
			}
		}
}

void
shadow_flush_all(struct shadow *s)
{
	for (unsigned i = 0; i < s->reserved; i++)
		flush_slot(s, &s->slot[i], true);
}

void
shadow_flush_local(struct shadow *s)
{
	for (unsigned i = 0; i < s->reserved; i++)
		flush_slot(s, &s->slot[i], false);
}

void
shadow_flush_slot(struct shadow *s, uint32_t id)
{
	for (unsigned i = 0; i < s->reserved; i++)
		if (s->slot[i].used && s->slot[i].id == id)
			flush_slot(s, &s->slot[i], false);
}

/* The line of GROUP in the hash table: where it is, or where it would go. */
static uint32_t *
group_line(struct view *v, uint32_t group)
{
	uint32_t i = (group * 2654435761u) >> 20;

	while (v->groups[i] && (v->groups[i] & ~GROUP_LARGE) != group + 1)
		i = (i + 1) % GROUP_LINES;
	return &v->groups[i];
}

static void
flush_index(struct view *v, uint64_t index)
{
	/* A look costs less than a store to a page of the host that was never written. */
	if (v->table[index])
		v->table[index] = 0;
	if (v->table[index + SHADOW_WRITE])
		v->table[index + SHADOW_WRITE] = 0;
	if (v->exec[index])
		v->exec[index] = 0;
}

static void
view_flush_page(struct view *v, uint64_t index)
{
	uint32_t line = v->group_count ? *group_line(v, index >> 9) : 0;

	/* Where nothing was ever filled a look would cost the host a page. */
	if (!line)
		return;
	if (!(line & GROUP_LARGE)) {
		flush_index(v, index);
		return;
	}
	/* 2 MiB, or 4 MiB of which this is one half. */
	for (uint64_t half = index >> 10 << 1; half <= (index >> 10 << 1 | 1); half++) {
		if (!*group_line(v, half))
			continue;
		for (unsigned i = 0; i < 512; i++)
			flush_index(v, half << 9 | i);
	}
}

void
shadow_flush_page(struct shadow *s, uint64_t linear)
{
	uint64_t index = SHADOW_INDEX(linear);

	forget_stack(s);
	for (unsigned i = 0; i < s->huge_count; i++)
		if (s->huge[i] == index >> 18) {
			shadow_flush_all(s);
			s->huge_count = 0;
			return;
		}
	for (unsigned i = 0; i < s->reserved; i++)
		for (unsigned j = 0; j < SHADOW_VIEWS; j++)
			view_flush_page(&s->slot[i].view[j], index);
}

void
shadow_select(struct shadow *s, uint32_t id)
{
	struct slot *oldest = NULL;

	s->uses++;
	forget_stack(s);
	for (unsigned i = 0; i < s->reserved; i++) {
		struct slot *slot = &s->slot[i];

		if (slot->used && slot->id == id) {
			slot->last_use = s->uses;
			s->current = slot;
			return;
		}
		if (!oldest || slot->last_use < oldest->last_use)
			oldest = slot;
	}
	if (s->reserved < s->slots) {
		if (slot_reserve(&s->slot[s->reserved]))
			oldest = &s->slot[s->reserved++];
		else
			s->slots = s->reserved;
	}
	flush_slot(s, oldest, true);
	oldest->used = true;
	oldest->id = id;
	oldest->last_use = s->uses;
	s->current = oldest;
}

/* ---- the pages' write entries ---- */

static uint32_t *
page_head(struct shadow *s, uint32_t page)
{
	return &s->heads[(page ^ page >> 16) & (HEADS - 1)];
}

static uint64_t *
node_entry(struct shadow *s, const struct node *n)
{
	struct view *v = &s->slot[n->where >> 42].view[n->where >> 40 & 3];

	return &v->table[(n->where & FILL_INDEX) + SHADOW_WRITE];
}

static uint32_t
node_take(struct shadow *s)
{
	uint32_t n = s->free_nodes;

	if (n) {
		s->free_nodes = s->node[n].next;
		return n;
	}
	if (s->nodes == s->node_room) {
		if (s->node_room == MAX_NODES)
			return 0;
		s->node_room *= 2;
		s->node = xrealloc(s->node, s->node_room * sizeof(*s->node));
	}
	return s->nodes++;
}

/* Remembers a write entry.  False: too many are remembered. */
static bool
page_add(struct shadow *s, uint32_t page, uint64_t where)
{
	uint32_t *head = page_head(s, page), stale = 0, n;

	for (n = *head; n; n = s->node[n].next) {
		if (s->node[n].page != page)
			continue;
		if (s->node[n].where == where)
			return true;
		if (!stale && !*node_entry(s, &s->node[n]))
			stale = n;
	}
	if (stale) {
		s->node[stale].where = where;
		return true;
	}
	n = node_take(s);
	if (!n)
		return false;
	s->node[n] = (struct node){ .page = page, .next = *head, .where = where };
	*head = n;
	return true;
}

bool
shadow_drop_writes(struct shadow *s, uint64_t page)
{
	bool dropped = false;

	pthread_mutex_lock(&s->lock);
	for (uint32_t *link = page_head(s, page); *link;) {
		struct node *n = &s->node[*link];
		uint64_t *entry;
		uint32_t next;

		if (n->page != page) {
			link = &n->next;
			continue;
		}
		entry = node_entry(s, n);
		if (__atomic_exchange_n(entry, 0, __ATOMIC_SEQ_CST))
			dropped = true;
		next = n->next;
		n->next = s->free_nodes;
		s->free_nodes = *link;
		*link = next;
	}
	pthread_mutex_unlock(&s->lock);
	if (dropped)
		forget_stack(s);
	return dropped;
}

/* ---- filling ---- */

static void
fills_push(struct fills *f, uint64_t fill)
{
	if (f->count == f->room) {
		f->room = f->room ? f->room * 2 : 256;
		f->list = xrealloc(f->list, f->room * sizeof(*f->list));
	}
	f->list[f->count++] = fill;
}

/* Sees that the bounds leave room for one more fill in V. */
static void
make_room(struct shadow *s, struct view *v, struct fills *fills, uint32_t group)
{
	if (fills->count + 1 >= MAX_FILLS)
		reset(s);
	if (v->group_count && *group_line(v, group))
		return;
	if (v->group_count == MAX_VIEW_GROUPS || s->group_count == MAX_GROUPS)
		reset(s);
	*group_line(v, group) = group + 1;
	v->group_count++;
	s->group_count++;
}

/* Too many write entries are remembered: forgets them all. */
static void
make_node_room(struct shadow *s, struct view *v, struct fills *fills, uint32_t group)
{
	if (s->free_nodes || s->nodes < MAX_NODES)
		return;
	reset(s);
	make_room(s, v, fills, group);
}

static bool
fill_write(struct shadow *s, unsigned view, uint64_t index, uint64_t delta, uint64_t phys, const struct tcg *t)
{
	uint64_t where = (uint64_t)(s->current - s->slot) << 42 | (uint64_t)view << 40 | index;
	bool filled = false;

	if (phys >> 44)
		return false;
	pthread_mutex_lock(&s->lock);
	if (!tcg_page_has_code(t, phys) && page_add(s, phys >> 12, where)) {
		__atomic_store_n(&s->current->view[view].table[index + SHADOW_WRITE], delta, __ATOMIC_SEQ_CST);
		filled = true;
	}
	pthread_mutex_unlock(&s->lock);
	return filled;
}

static void
note_large(struct shadow *s, struct view *v, uint64_t index, uint64_t bytes)
{
	*group_line(v, index >> 9) |= GROUP_LARGE;
	if (bytes < GiB)
		return;
	for (unsigned i = 0; i < s->huge_count; i++)
		if (s->huge[i] == index >> 18)
			return;
	if (s->huge_count == MAX_HUGE) {
		shadow_flush_all(s);
		s->huge_count = 0;
	}
	s->huge[s->huge_count++] = index >> 18;
}

/*
 * The delta that large pages have most often: that of a kernel's mapping of all memory.  (The last 2 GiB are where it keeps
 * its own code and data.)
 */
static void
vote(struct shadow *s, uint64_t linear, uint64_t delta)
{
	if (!s->frame || linear >= -2 * GiB)
		return;
	if (delta == s->frame->direct_delta) {
		s->votes += s->votes < MAX_VOTES;
	} else if (s->votes) {
		s->votes--;
	} else {
		s->frame->direct_delta = delta;
		s->votes = 1;
	}
}

void
shadow_fill(struct shadow *s, unsigned view, uint64_t linear, const uint8_t *host, uint64_t phys, unsigned rights,
	const struct shadow_page *page, const struct tcg *t)
{
	struct view *v = &s->current->view[view];
	struct fills *fills = page->key ? &v->keyed[page->key] : page->global ? &v->global : &v->local;
	uint64_t index = SHADOW_INDEX(linear), fill = index;
	uint64_t delta = (uint64_t)host - (linear & ~0xfffull);
	bool is_new;

	if (!delta)
		return;
	make_room(s, v, fills, index >> 9);
	make_node_room(s, v, fills, index >> 9);
	if (page->bytes > 4 * KiB) {
		note_large(s, v, index, page->bytes);
		vote(s, linear, delta);
	}
	/* Another host page, or another linear page with this index, may belong to another list. */
	is_new = v->table[index] != delta;
	if (is_new && v->table[index])
		forget_stack(s);
	if (rights & SHADOW_W && v->table[index + SHADOW_WRITE] != delta && fill_write(s, view, index, delta, phys, t))
		fill |= FILL_WRITE;
	if (rights & SHADOW_R)
		v->table[index] = delta;
	if (rights & SHADOW_X) {
		if (!v->exec[index])
			fill |= FILL_EXEC;
		v->exec[index] = (phys >> 12) + 1;
	}
	if (is_new || fill != index)
		fills_push(fills, fill);
}

uint32_t
shadow_generation(const struct shadow *s)
{
	return s->generation;
}

uint64_t
shadow_count(const struct shadow *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < s->reserved; i++)
		for (unsigned j = 0; j < SHADOW_VIEWS; j++) {
			n += s->slot[i].view[j].local.count + s->slot[i].view[j].global.count;
			for (unsigned key = 0; key < KEYS; key++)
				n += s->slot[i].view[j].keyed[key].count;
		}
	return n;
}
