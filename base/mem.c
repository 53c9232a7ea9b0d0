/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How look-ups go without a lock: a flat view is never written while anybody reads it.  Views come from a pool that
 * only grows (by one for each thread that reads at the moment of a change) and is freed with the space, so a pointer
 * to a view stays a pointer to a view.  A reader counts itself in and then looks whether the view is still the
 * current one; if not, it counts itself out and tries again.  A change takes a view that is not current and has no
 * readers, fills it and makes it current.  All of this is sequentially consistent: either the reader sees that the
 * view is no longer current, or the writer sees the reader.
 *
 * A change that leaves both views as they were (a guest that switches PAM or SMRAM to and fro) publishes nothing.
 */
#include "base/mem.h"

#include "base/util.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
	PAGE_BITS = 12,
	MAX_NESTING = 8, /* accesses that devices cause inside accesses */
};

/* Both flat views, normal and SMM: ranges that hold a region, sorted. */
struct view {
	_Atomic int readers;
	struct mem_range *ranges[2];
	size_t count[2], capacity[2];
	struct view *next; /* in the pool */
};

struct dirty {
	struct dirty *next;
	uint64_t words;
	_Atomic uint64_t bits[];
};

struct space {
	const char *name;
	gpa last;               /* the highest address */
	struct region *regions; /* highest priority first */
	struct view *pool;
	_Atomic(struct view *) current;
	int depth;
	bool changed;
	struct space_listener *listeners;
	struct dirty *dirty;
};

static struct view *
add_view(struct space *s)
{
	struct view *v = xcalloc(1, sizeof(*v));

	v->next = s->pool;
	s->pool = v;
	return v;
}

struct space *
space_new(const char *name, bool io_space)
{
	struct space *s = xcalloc(1, sizeof(*s));

	s->name = name;
	s->last = io_space ? 0xFFFF : UINT64_MAX;
	atomic_store(&s->current, add_view(s));
	return s;
}

void
space_free(struct space *s)
{
	if (s == NULL)
		return;
	while (s->regions != NULL) {
		struct region *r = s->regions;

		s->regions = r->next;
		r->space = NULL;
		r->next = NULL;
		r->dirty = NULL;
	}
	while (s->pool != NULL) {
		struct view *v = s->pool;

		s->pool = v->next;
		free(v->ranges[0]);
		free(v->ranges[1]);
		free(v);
	}
	while (s->dirty != NULL) {
		struct dirty *d = s->dirty;

		s->dirty = d->next;
		free(d);
	}
	free(s);
}

/* ---- views ---- */

static struct view *
view_enter(struct space *s)
{
	for (;;) {
		struct view *v = atomic_load(&s->current);

		atomic_fetch_add(&v->readers, 1);
		if (atomic_load(&s->current) == v)
			return v;
		atomic_fetch_sub(&v->readers, 1);
	}
}

static void
view_leave(struct view *v)
{
	atomic_fetch_sub(&v->readers, 1);
}

static struct view *
spare_view(struct space *s)
{
	struct view *current = atomic_load(&s->current);

	for (struct view *v = s->pool; v != NULL; v = v->next) {
		if (v != current && atomic_load(&v->readers) == 0)
			return v;
	}
	return add_view(s);
}

static bool
is_seen(const struct space *s, const struct region *r, bool smm)
{
	return r->enabled && r->size != 0 && r->base <= s->last && (smm || !r->smm_only);
}

static gpa
last_of(const struct space *s, const struct region *r)
{
	return r->size - 1 > s->last - r->base ? s->last : r->base + r->size - 1;
}

static int
compare_gpa(const void *a, const void *b)
{
	gpa x = *(const gpa *)a, y = *(const gpa *)b;

	return x < y ? -1 : x > y;
}

/* Adds FIRST..LAST of R to the end of a view, as one with the range before it where they continue each other. */
static void
append(struct view *v, bool smm, gpa first, gpa last, struct region *r)
{
	struct mem_range *before = v->count[smm] > 0 ? &v->ranges[smm][v->count[smm] - 1] : NULL;

	if (before != NULL && before->region == r && before->last + 1 == first) {
		before->last = last;
		return;
	}
	if (v->count[smm] == v->capacity[smm]) {
		v->capacity[smm] = v->capacity[smm] * 2 + 16;
		v->ranges[smm] = xrealloc(v->ranges[smm], v->capacity[smm] * sizeof(**v->ranges));
	}
	v->ranges[smm][v->count[smm]++] = (struct mem_range){ first, last, r, first - r->base };
}

/* Every first address of a region, and every address after one, starts a piece; the first region of the list wins it. */
static void
build(struct space *s, struct view *v, bool smm)
{
	size_t n = 0, count = 0;
	gpa *starts;

	for (struct region *r = s->regions; r != NULL; r = r->next)
		n += 2;
	starts = xcalloc(n, sizeof(*starts));
	for (struct region *r = s->regions; r != NULL; r = r->next) {
		if (!is_seen(s, r, smm))
			continue;
		starts[count++] = r->base;
		if (last_of(s, r) != s->last)
			starts[count++] = last_of(s, r) + 1;
	}
	qsort(starts, count, sizeof(*starts), compare_gpa);
	v->count[smm] = 0;
	for (size_t i = 0; i < count; i++) {
		gpa last = i + 1 < count ? starts[i + 1] - 1 : s->last;
		struct region *r = s->regions;

		if (i + 1 < count && starts[i + 1] == starts[i])
			continue;
		while (r != NULL && (!is_seen(s, r, smm) || starts[i] < r->base || starts[i] > last_of(s, r)))
			r = r->next;
		if (r != NULL)
			append(v, smm, starts[i], last, r);
	}
	free(starts);
}

static bool
same_ranges(const struct view *a, const struct view *b, bool smm)
{
	if (a->count[smm] != b->count[smm])
		return false;
	for (size_t i = 0; i < a->count[smm]; i++) {
		const struct mem_range *x = &a->ranges[smm][i], *y = &b->ranges[smm][i];

		if (x->first != y->first || x->last != y->last || x->region != y->region || x->offset != y->offset)
			return false;
	}
	return true;
}

static void
rebuild(struct space *s)
{
	struct view *v = spare_view(s), *old = atomic_load(&s->current);

	build(s, v, false);
	build(s, v, true);
	if (same_ranges(v, old, false) && same_ranges(v, old, true))
		return;
	atomic_store(&s->current, v);
	for (struct space_listener *l = s->listeners; l != NULL; l = l->next) {
		if (l->changed != NULL)
			l->changed(l->opaque);
	}
}

void
space_begin(struct space *s)
{
	s->depth++;
}

void
space_end(struct space *s)
{
	assert(s->depth > 0);
	if (--s->depth > 0 || !s->changed)
		return;
	s->changed = false;
	rebuild(s);
}

static void
space_changed(struct space *s)
{
	space_begin(s);
	s->changed = true;
	space_end(s);
}

/* ---- regions ---- */

void
region_init_io(struct region *r, const char *name, const struct region_ops *ops, void *opaque, uint64_t size)
{
	*r = (struct region){ .name = name, .kind = REGION_IO, .size = size, .ops = ops, .opaque = opaque, .enabled = true };
}

void
region_init_ram(struct region *r, const char *name, uint8_t *host, uint64_t size)
{
	*r = (struct region){ .name = name, .kind = REGION_RAM, .size = size, .host = host, .enabled = true };
}

void
region_init_rom(struct region *r, const char *name, uint8_t *host, uint64_t size)
{
	*r = (struct region){ .name = name, .kind = REGION_ROM, .size = size, .host = host, .enabled = true };
}

/* Bits start as set: nobody catches writes to a page before its bit was cleared for the first time. */
static _Atomic uint64_t *
new_dirty(struct space *s, uint64_t size)
{
	uint64_t pages = (size >> PAGE_BITS) + 1, words = (pages + 63) / 64;
	struct dirty *d = xcalloc(1, sizeof(*d) + words * sizeof(d->bits[0]));

	d->words = words;
	for (uint64_t i = 0; i < words; i++)
		atomic_init(&d->bits[i], ~0ull);
	d->next = s->dirty;
	s->dirty = d;
	return d->bits;
}

void
space_add(struct space *s, struct region *r, gpa base, int priority)
{
	struct region **p = &s->regions;

	assert(r->space == NULL);
	if (r->kind == REGION_RAM && r->dirty == NULL)
		r->dirty = new_dirty(s, r->size);
	r->space = s;
	r->base = base;
	r->priority = priority;
	while (*p != NULL && (*p)->priority > priority)
		p = &(*p)->next;
	r->next = *p;
	*p = r;
	space_changed(s);
}

void
space_remove(struct region *r)
{
	struct space *s = r->space;
	struct region **p;

	if (s == NULL)
		return;
	for (p = &s->regions; *p != r; p = &(*p)->next)
		;
	*p = r->next;
	r->space = NULL;
	r->next = NULL;
	space_changed(s);
}

void
region_set_enabled(struct region *r, bool enabled)
{
	if (r->enabled == enabled)
		return;
	r->enabled = enabled;
	if (r->space != NULL)
		space_changed(r->space);
}

void
region_move(struct region *r, gpa base)
{
	if (r->base == base)
		return;
	r->base = base;
	if (r->space != NULL)
		space_changed(r->space);
}

/* ---- look-ups ---- */

static struct mem_range
find_in(const struct space *s, const struct view *v, gpa addr, bool smm)
{
	const struct mem_range *ranges = v->ranges[smm];
	size_t low = 0, high = v->count[smm];

	/* The first range that ends at ADDR or later. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (ranges[middle].last < addr)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < v->count[smm] && ranges[low].first <= addr)
		return ranges[low];
	return (struct mem_range){
		.first = low > 0 ? ranges[low - 1].last + 1 : 0,
		.last = low < v->count[smm] ? ranges[low].first - 1 : addr > s->last ? UINT64_MAX : s->last,
	};
}

struct mem_range
space_find(struct space *s, gpa addr, bool smm)
{
	struct view *v = view_enter(s);
	struct mem_range r = find_in(s, v, addr, smm);

	view_leave(v);
	return r;
}

void
space_walk(struct space *s, bool smm, void (*each)(void *opaque, const struct mem_range *r), void *opaque)
{
	struct view *v = view_enter(s);

	for (size_t i = 0; i < v->count[smm]; i++)
		each(opaque, &v->ranges[smm][i]);
	view_leave(v);
}

/* ---- devices' registers ---- */

/*
 * The accesses to devices that are under way in this thread, innermost first: a device that is in it is not entered
 * again.  It is a thread's own because the way back may lead through another space (a port that starts DMA to the same
 * device's memory).
 */
struct access {
	const void *opaque;
	const struct access *outer;
};

static _Thread_local const struct access *innermost;

static bool
may_enter(const struct region *r)
{
	unsigned depth = 0;

	if (r->ops == NULL)
		return false;
	for (const struct access *a = innermost; a != NULL; a = a->outer) {
		if (a->opaque == r->opaque || ++depth >= MAX_NESTING)
			return false;
	}
	return true;
}

static unsigned
min_size(const struct region_ops *ops)
{
	return ops->min_size != 0 ? ops->min_size : 1;
}

static unsigned
max_size(const struct region_ops *ops)
{
	return ops->max_size != 0 ? ops->max_size : 4;
}

static uint64_t
ones(unsigned size)
{
	return size >= 8 ? UINT64_MAX : (1ull << 8 * size) - 1;
}

/* The part of an access that goes to the device at once: a power of two, no larger than the device takes. */
static unsigned
chunk_of(const struct region_ops *ops, unsigned size)
{
	unsigned chunk = max_size(ops);

	while (chunk > size)
		chunk >>= 1;
	return chunk;
}

static uint64_t
read_chunk(const struct region *r, uint64_t offset, unsigned size)
{
	unsigned wide = min_size(r->ops);
	uint64_t start = offset & ~(uint64_t)(wide - 1);

	if (size >= wide)
		return r->ops->read(r->opaque, offset, size) & ones(size);
	if (offset - start + size > wide)
		return read_chunk(r, offset, size / 2) | read_chunk(r, offset + size / 2, size - size / 2) << 8 * (size / 2);
	if (start + wide > r->size)
		return ones(size);
	return r->ops->read(r->opaque, start, wide) >> 8 * (offset - start) & ones(size);
}

static void
write_chunk(const struct region *r, uint64_t offset, uint64_t value, unsigned size)
{
	unsigned wide = min_size(r->ops);
	uint64_t start = offset & ~(uint64_t)(wide - 1);

	value &= ones(size);
	if (size >= wide) {
		r->ops->write(r->opaque, offset, value, size);
	} else if (offset - start + size > wide) {
		write_chunk(r, offset, value, size / 2);
		write_chunk(r, offset + size / 2, value >> 8 * (size / 2), size - size / 2);
	} else if (start + wide <= r->size) {
		r->ops->write(r->opaque, start, value << 8 * (offset - start), wide);
	}
}

/* OFFSET + SIZE is inside the region, SIZE 1 to 8.  False: not to be entered, and *VALUE is all ones. */
static bool
device_read(const struct region *r, uint64_t offset, unsigned size, uint64_t *value)
{
	struct access here = { r->opaque, innermost };

	*value = ones(size);
	if (!may_enter(r) || r->ops->read == NULL)
		return false;
	innermost = &here;
	*value = 0;
	for (unsigned done = 0, chunk; done < size; done += chunk) {
		chunk = chunk_of(r->ops, size - done);
		*value |= read_chunk(r, offset + done, chunk) << 8 * done;
	}
	innermost = here.outer;
	return true;
}

static bool
device_write(const struct region *r, uint64_t offset, uint64_t value, unsigned size)
{
	struct access here = { r->opaque, innermost };

	if (!may_enter(r) || r->ops->write == NULL)
		return false;
	innermost = &here;
	for (unsigned done = 0, chunk; done < size; done += chunk) {
		chunk = chunk_of(r->ops, size - done);
		write_chunk(r, offset + done, value >> 8 * done, chunk);
	}
	innermost = here.outer;
	return true;
}

/* ---- accesses of processors ---- */

/* One load for each of the sizes that a processor does as one. */
static uint64_t
host_read(const uint8_t *p, unsigned size)
{
	uint64_t v8;
	uint32_t v4;
	uint16_t v2;

	switch (size) {
	case 8:
		memcpy(&v8, p, 8);
		return v8;
	case 4:
		memcpy(&v4, p, 4);
		return v4;
	case 2:
		memcpy(&v2, p, 2);
		return v2;
	default:
		return load_le(p, size);
	}
}

static void
host_write(uint8_t *p, uint64_t value, unsigned size)
{
	uint32_t v4 = (uint32_t)value;
	uint16_t v2 = (uint16_t)value;

	switch (size) {
	case 8:
		memcpy(p, &value, 8);
		break;
	case 4:
		memcpy(p, &v4, 4);
		break;
	case 2:
		memcpy(p, &v2, 2);
		break;
	default:
		store_le(p, value, size);
	}
}

static void
mark_dirty(const struct mem_range *r, gpa addr, uint64_t len)
{
	uint64_t offset = r->offset + (addr - r->first);

	for (uint64_t page = offset >> PAGE_BITS; page <= (offset + len - 1) >> PAGE_BITS; page++) {
		_Atomic uint64_t *word = &r->region->dirty[page / 64];
		uint64_t bit = 1ull << page % 64;

		if ((atomic_load(word) & bit) == 0)
			atomic_fetch_or(word, bit);
	}
}

/* How much of SIZE bytes at ADDR lies in R; SIZE > 0. */
static uint64_t
part_in(const struct mem_range *r, gpa addr, uint64_t size)
{
	return MIN(size - 1, r->last - addr) + 1;
}

uint64_t
space_read(struct space *s, gpa addr, unsigned size, bool smm)
{
	uint64_t value = 0, part;
	unsigned n;

	for (unsigned done = 0; done < size; done += n) {
		struct mem_range r = space_find(s, addr + done, smm);
		uint64_t offset = r.offset + (addr + done - r.first);

		n = (unsigned)part_in(&r, addr + done, size - done);
		if (r.region == NULL)
			part = ones(n);
		else if (r.region->kind == REGION_IO)
			device_read(r.region, offset, n, &part);
		else
			part = host_read(r.region->host + offset, n);
		value |= part << 8 * done;
	}
	return value;
}

void
space_write(struct space *s, gpa addr, uint64_t value, unsigned size, bool smm)
{
	unsigned n;

	for (unsigned done = 0; done < size; done += n) {
		struct mem_range r = space_find(s, addr + done, smm);
		uint64_t offset = r.offset + (addr + done - r.first);

		n = (unsigned)part_in(&r, addr + done, size - done);
		if (r.region == NULL)
			continue;
		if (r.region->kind != REGION_RAM) {
			device_write(r.region, offset, value >> 8 * done, n);
			continue;
		}
		host_write(r.region->host + offset, value >> 8 * done, n);
		mark_dirty(&r, addr + done, n);
	}
}

/* ---- DMA ---- */

static bool
dma_from_device(const struct region *r, uint64_t offset, uint8_t *to, uint64_t len)
{
	bool ok = true;
	uint64_t value;

	for (uint64_t done = 0, n; done < len; done += n) {
		n = (offset + done) % 4 == 0 && len - done >= 4 ? 4 : 1;
		ok &= device_read(r, offset + done, (unsigned)n, &value);
		store_le(to + done, value, (unsigned)n);
	}
	return ok;
}

static bool
dma_to_device(const struct region *r, uint64_t offset, const uint8_t *from, uint64_t len)
{
	bool ok = true;

	for (uint64_t done = 0, n; done < len; done += n) {
		n = (offset + done) % 4 == 0 && len - done >= 4 ? 4 : 1;
		ok &= device_write(r, offset + done, load_le(from + done, (unsigned)n), (unsigned)n);
	}
	return ok;
}

bool
dma_read(struct space *s, gpa addr, void *to, uint64_t len)
{
	uint8_t *p = to;
	bool ok = true;

	while (len > 0) {
		struct mem_range r = space_find(s, addr, false);
		uint64_t n = part_in(&r, addr, len), offset = r.offset + (addr - r.first);

		if (r.region == NULL) {
			memset(p, 0xFF, n);
			ok = false;
		} else if (r.region->kind == REGION_IO) {
			ok &= dma_from_device(r.region, offset, p, n);
		} else {
			memcpy(p, r.region->host + offset, n);
		}
		addr += n;
		p += n;
		len -= n;
	}
	return ok;
}

/* FROM may be RAM too: a card that loops back sends from where it receives to. */
static void
dma_to_ram(struct space *s, const struct mem_range *r, gpa addr, const uint8_t *from, uint64_t len)
{
	memmove(r->region->host + r->offset + (addr - r->first), from, len);
	mark_dirty(r, addr, len);
	for (struct space_listener *l = s->listeners; l != NULL; l = l->next) {
		if (l->written != NULL)
			l->written(l->opaque, addr, len);
	}
}

bool
dma_write(struct space *s, gpa addr, const void *from, uint64_t len)
{
	const uint8_t *p = from;
	bool ok = true;

	while (len > 0) {
		struct mem_range r = space_find(s, addr, false);
		uint64_t n = part_in(&r, addr, len);

		if (r.region == NULL)
			ok = false;
		else if (r.region->kind == REGION_RAM)
			dma_to_ram(s, &r, addr, p, n);
		else if (r.region->ops != NULL)
			ok &= dma_to_device(r.region, r.offset + (addr - r.first), p, n);
		addr += n;
		p += n;
		len -= n;
	}
	return ok;
}

uint64_t
dma_span(struct space *s, gpa addr, const uint8_t **host, uint64_t len)
{
	struct mem_range r = space_find(s, addr, false);

	if (len == 0 || r.region == NULL || r.region->kind == REGION_IO)
		return 0;
	*host = r.region->host + r.offset + (addr - r.first);
	return part_in(&r, addr, len);
}

/* ---- dirty pages ---- */

void
space_set_dirty(struct space *s, gpa addr, uint64_t len)
{
	while (len > 0) {
		struct mem_range r = space_find(s, addr, false);
		uint64_t n = part_in(&r, addr, len);

		if (r.region != NULL && r.region->kind == REGION_RAM)
			mark_dirty(&r, addr, n);
		addr += n;
		len -= n;
	}
}

static bool
clear_dirty(const struct mem_range *r, gpa addr, uint64_t len)
{
	uint64_t offset = r->offset + (addr - r->first), any = 0;

	for (uint64_t page = offset >> PAGE_BITS; page <= (offset + len - 1) >> PAGE_BITS; page++) {
		_Atomic uint64_t *word = &r->region->dirty[page / 64];
		uint64_t bit = 1ull << page % 64;

		if ((atomic_load(word) & bit) != 0)
			any |= atomic_fetch_and(word, ~bit) & bit;
	}
	return any != 0;
}

bool
space_test_clear_dirty(struct space *s, gpa addr, uint64_t len)
{
	bool any = false;

	while (len > 0) {
		struct mem_range r = space_find(s, addr, false);
		uint64_t n = part_in(&r, addr, len);

		if (r.region != NULL && r.region->kind == REGION_RAM && clear_dirty(&r, addr, n)) {
			any = true;
			for (struct space_listener *l = s->listeners; l != NULL; l = l->next) {
				if (l->clean != NULL)
					l->clean(l->opaque, addr, n);
			}
		}
		addr += n;
		len -= n;
	}
	return any;
}

static void
tell_clean(struct region *r, uint64_t first, uint64_t end)
{
	if (r->space == NULL)
		return;
	for (struct space_listener *l = r->space->listeners; l != NULL; l = l->next) {
		if (l->clean != NULL)
			l->clean(l->opaque, r->base + (first << PAGE_BITS), (end - first) << PAGE_BITS);
	}
}

/* Listeners hear of runs: neighbouring pages are written together most often. */
bool
region_take_dirty(struct region *r, uint64_t first, uint64_t end, uint64_t *bits)
{
	uint64_t run = 0, run_end = 0;

	if (r->dirty == NULL)
		return false;
	for (uint64_t page = first; page < end; page = (page | 63) + 1) {
		uint64_t mask = ~0ull << page % 64, taken;

		if (end - (page & ~63ull) < 64)
			mask &= (1ull << end % 64) - 1;
		if ((atomic_load_explicit(&r->dirty[page / 64], memory_order_relaxed) & mask) == 0)
			continue;
		taken = atomic_fetch_and(&r->dirty[page / 64], ~mask) & mask;
		bits[page / 64] |= taken;
		for (; taken != 0; taken &= taken - 1) {
			uint64_t n = (page & ~63ull) + (unsigned)__builtin_ctzll(taken);

			if (n != run_end && run_end != 0) {
				tell_clean(r, run, run_end);
				run_end = 0;
			}
			run = run_end == 0 ? n : run;
			run_end = n + 1;
		}
	}
	if (run_end != 0)
		tell_clean(r, run, run_end);
	return run_end != 0;
}

void
space_listen(struct space *s, struct space_listener *l)
{
	l->next = s->listeners;
	s->listeners = l;
}
