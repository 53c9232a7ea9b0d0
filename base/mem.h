/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest-physical address space and the port space.
 *
 * A space holds regions; where several cover an address the one of the highest priority wins (later addition first
 * among equals).  From them a flat view is built, sorted and without overlaps, at every change; look-ups read it
 * without a lock, changes happen under the machine's lock.  Two views exist: that of normal mode and that of system
 * management mode, where SMM_ONLY regions show.
 *
 * RAM is one host mapping: host = ram base + guest-physical, so that the whole direct map of a kernel has one delta; a
 * PCI hole is left unused in that mapping.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t gpa;

struct space;

enum region_kind {
	REGION_IO,  /* accesses go to OPS */
	REGION_RAM, /* read, written and executed in HOST */
	REGION_ROM, /* read and executed in HOST; writes go to OPS if there are any, else they are dropped */
};

/*
 * A device's registers.  OFFSET is from the region's base.  The map splits and clamps before a device sees an access:
 * SIZE is 1, 2, 4 or 8, within min_size..max_size (0: 1 and 4), and never past the region's end.  Accesses smaller
 * than min_size are widened, larger than max_size split; unaligned ones are passed when they fit, else split to bytes.
 */
struct region_ops {
	uint64_t (*read)(void *opaque, uint64_t offset, unsigned size);
	void (*write)(void *opaque, uint64_t offset, uint64_t value, unsigned size);
	uint8_t min_size, max_size;
};

struct region {
	const char *name;
	enum region_kind kind;
	uint64_t size;
	const struct region_ops *ops;
	void *opaque;
	uint8_t *host;  /* RAM and ROM */
	bool smm_only;  /* seen in system management mode alone */
	bool log_dirty; /* RAM: dirty bits of its pages are wanted (video, migration) */
	/* The space's own from here. */
	struct space *space;
	gpa base;
	int priority;
	bool enabled;
	_Atomic uint64_t *dirty; /* RAM: a bit per page of 4 KiB */
	struct region *next;
};

/* One piece of the flat view. */
struct mem_range {
	gpa first, last;       /* inclusive */
	struct region *region; /* NULL: nothing there; reads all ones */
	uint64_t offset;       /* of FIRST inside the region */
};

/* IO_SPACE: 64 KiB of ports rather than memory. */
struct space *space_new(const char *name, bool io_space);
/* Lets go of the regions, which must still live: free the spaces before the devices. */
void space_free(struct space *s);

void region_init_io(struct region *r, const char *name, const struct region_ops *ops, void *opaque, uint64_t size);
void region_init_ram(struct region *r, const char *name, uint8_t *host, uint64_t size);
void region_init_rom(struct region *r, const char *name, uint8_t *host, uint64_t size);

void space_add(struct space *s, struct region *r, gpa base, int priority);
/* Nothing happens to a region that is in no space (any more). */
void space_remove(struct region *r);
void region_set_enabled(struct region *r, bool enabled);
void region_move(struct region *r, gpa base);
/* Several changes as one: the view is rebuilt, and the listeners told, at the outermost end. */
void space_begin(struct space *s);
void space_end(struct space *s);

/* The range of the view that holds ADDR.  SMM selects the view.  Lock-free; valid until the next change. */
struct mem_range space_find(struct space *s, gpa addr, bool smm);

/*
 * One access by a processor, 1 to 8 bytes, little-endian; the caller holds the machine's lock if the range is not
 * plain RAM.  Where nothing is, reads give all ones and writes vanish.  A write to RAM sets dirty bits, but tells no
 * listener: the processor knows its own translated code.
 */
uint64_t space_read(struct space *s, gpa addr, unsigned size, bool smm);
void space_write(struct space *s, gpa addr, uint64_t value, unsigned size, bool smm);

/*
 * DMA: any length.  Writes set dirty bits and tell the listeners, which drop translated code.  False when part of it met no
 * memory (that part reads as ones).  A device that is being accessed isn't entered again: such a part counts as nothing there.
 */
bool dma_read(struct space *s, gpa addr, void *to, uint64_t len);
bool dma_write(struct space *s, gpa addr, const void *from, uint64_t len);
/*
 * The host's bytes behind ADDR, for reading without a copy: as many as lie together in RAM or ROM, LEN at the most; 0: none.
 * They are the guest's, who may change them meanwhile, and good until the lock is let go.
 */
uint64_t dma_span(struct space *s, gpa addr, const uint8_t **host, uint64_t len);

/* Dirty bits of RAM pages, by guest-physical page of 4 KiB; set by processors' slow paths and by DMA. */
void space_set_dirty(struct space *s, gpa addr, uint64_t len);
/* Reads and clears: was any page of the range written since the last call?  Listeners are told to catch the next write. */
bool space_test_clear_dirty(struct space *s, gpa addr, uint64_t len);
/*
 * The same by a region's own pages, mapped or not: bit N of BITS becomes set if page N was written since the last call, for N
 * from FIRST to before END; other bits stay.  Costs a look per 64 pages, and what was written.  True: any.
 */
bool region_take_dirty(struct region *r, uint64_t first, uint64_t end, uint64_t *bits);

struct space_listener {
	void *opaque;
	void (*changed)(void *opaque);                              /* the view changed: drop what was derived from it */
	void (*written)(void *opaque, gpa addr, uint64_t len);      /* DMA wrote RAM */
	void (*clean)(void *opaque, gpa addr, uint64_t len);        /* dirty bits were cleared: catch the next write */
	struct space_listener *next;
};
void space_listen(struct space *s, struct space_listener *l);

/* For `info mtree`: calls EACH for every range of the view, in order. */
void space_walk(struct space *s, bool smm, void (*each)(void *opaque, const struct mem_range *r), void *opaque);

#endif
