/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The VGA's window at A0000h: the write modes, read modes and address chains of IBM's "PS/2 Hardware Interface
 * Technical Reference", sections "Graphics Controller" and "Display Memory".
 *
 * Planes have 64 KiB in the hardware.  Here plane P's byte N is vram[4 * N + P], and planes go on as far as there is
 * memory, for cards with bank registers.  In chain-4 the window is the same as vram itself, where IBM's has gaps: three
 * of four bytes of each plane are never shown there.  Thus such a window can be plain memory for the processor.
 */
#include "hw/vga.h"

#include "base/util.h"

/* Where the graphics controller's memory map field puts the window, relative to A0000h. */
struct map {
	uint32_t base, size;
};
static const struct map maps[4] = { { 0, 0x20000 }, { 0, 0x10000 }, { 0x10000, 0x8000 }, { 0x18000, 0x8000 } };

static struct map
map_now(const struct vga *v)
{
	return maps[v->state.gfx[GFX_MISC] >> 2 & 3];
}

/* Each of 4 bits spread to a byte of ones. */
static uint32_t
spread(unsigned planes)
{
	uint32_t bit = (planes & 1) | (planes & 2) << 7 | (planes & 4) << 14 | (planes & 8u) << 21;

	return bit * 0xff;
}

static uint32_t
load_planes(const struct vga *v, uint32_t at)
{
	uint32_t word;

	memcpy(&word, v->vram + 4 * (size_t)at, 4);
	return word;
}

/* What the registers say of accesses: made when they change, as programs write many bytes to one setting. */
static void
plan_window(struct vga *v)
{
	const uint8_t *gfx = v->state.gfx, *seq = v->state.seq;
	struct vga_window_plan *p = &v->plan;
	struct map map = map_now(v);

	p->base = map.base;
	p->size = (v->state.misc & MISC_RAM_ENABLE) != 0 ? map.size : 0;
	p->chain4 = (seq[SEQ_MEMORY_MODE] & MEMORY_CHAIN4) != 0;
	p->write_odd_even = (seq[SEQ_MEMORY_MODE] & MEMORY_ODD_EVEN_OFF) == 0;
	p->read_odd_even = (gfx[GFX_MODE] & MODE_ODD_EVEN) != 0;
	p->planes = spread(seq[SEQ_MAP_MASK]);
	p->set = spread(gfx[GFX_SET_RESET]);
	p->set_enabled = spread(gfx[GFX_ENABLE_SET]);
	p->bits = gfx[GFX_BIT_MASK] * 0x01010101u;
	p->mode = gfx[GFX_MODE] & 3;
	p->rotate = gfx[GFX_ROTATE] & 7;
	p->function = gfx[GFX_ROTATE] >> 3 & 3;
	p->plain = p->mode == 0 && p->set_enabled == 0 && p->bits == 0xffffffff && p->rotate == 0 && p->function == 0;
}

/* The window's byte at OFFSET: index of the planes' bytes, and a mask of the planes that it stands for. */
struct place {
	uint32_t at, planes;
};

/* False: there is none. */
static bool
find(const struct vga *v, uint32_t offset, bool odd_even, struct place *p)
{
	uint32_t addr = offset - v->plan.base;

	if (addr >= v->plan.size)
		return false;
	if (v->plan.chain4) {
		addr += v->bank;
		p->planes = 0xffu << 8 * (addr & 3);
		p->at = addr >> 2;
	} else if (odd_even) {
		p->planes = (addr & 1) != 0 ? 0xff00ff00 : 0x00ff00ff;
		p->at = addr & ~1u & 0xffff;
	} else {
		p->planes = 0xffffffff;
		p->at = (addr & 0xffff) + v->bank;
	}
	return p->at < v->vram_bytes / 4;
}

static uint8_t
read_compare(const struct vga *v)
{
	uint32_t wanted = spread(v->state.gfx[GFX_COMPARE]), care = spread(v->state.gfx[GFX_DONT_CARE]);
	uint32_t differ = (v->state.latch ^ wanted) & care;

	return ~(differ | differ >> 8 | differ >> 16 | differ >> 24);
}

static uint8_t
read_byte(struct vga *v, uint32_t offset)
{
	const uint8_t *gfx = v->state.gfx;
	unsigned plane = gfx[GFX_READ_MAP] & 3;
	struct place p;

	if (!find(v, offset, v->plan.read_odd_even, &p))
		return 0xff;
	v->state.latch = load_planes(v, p.at);
	if ((gfx[GFX_MODE] & MODE_READ_COMPARE) != 0)
		return read_compare(v);
	if (v->plan.chain4)
		plane = (unsigned)__builtin_ctz(p.planes) / 8;
	else if (v->plan.read_odd_even)
		plane = (plane & 2) | ((p.planes & 1) ^ 1);
	return v->state.latch >> 8 * plane & 0xff;
}

/* The function select: DATA with the latches. */
static uint32_t
combine(const struct vga *v, uint32_t data)
{
	switch (v->plan.function) {
	case 1:
		return data & v->state.latch;
	case 2:
		return data | v->state.latch;
	case 3:
		return data ^ v->state.latch;
	}
	return data;
}

/* What a write of VALUE brings to the four planes. */
static uint32_t
written(const struct vga *v, uint8_t value)
{
	const struct vga_window_plan *p = &v->plan;
	uint8_t rotated = value >> p->rotate | value << (8 - p->rotate);
	uint32_t mask = p->bits, data;

	switch (p->mode) {
	case 0:
		data = combine(v, (rotated * 0x01010101u & ~p->set_enabled) | (p->set & p->set_enabled));
		break;
	case 1:
		return v->state.latch;
	case 2:
		data = combine(v, spread(value));
		break;
	default:
		mask &= rotated * 0x01010101u;
		data = p->set;
		break;
	}
	return (data & mask) | (v->state.latch & ~mask);
}

static void
write_byte(struct vga *v, uint32_t offset, uint8_t value)
{
	struct place p;
	uint32_t mask, word;

	if (!find(v, offset, v->plan.write_odd_even, &p))
		return;
	mask = p.planes & v->plan.planes;
	word = v->plan.plain ? value * 0x01010101u : written(v, value);
	word = (load_planes(v, p.at) & ~mask) | (word & mask);
	memcpy(v->vram + 4 * (size_t)p.at, &word, 4);
	v->touched[p.at >> 16] |= 1ull << (p.at >> 10 & 63);
	v->touched_any = true;
	v->font_touched |= (mask & 0xff0000) != 0;
}

static uint64_t
window_read(void *opaque, uint64_t offset, unsigned size)
{
	struct vga *v = opaque;
	uint64_t value = 0;

	if (v->ops->window_read != NULL && v->ops->window_read(v, offset, &value, size))
		return value;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read_byte(v, offset + i) << 8 * i;
	return value;
}

static void
window_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
	struct vga *v = opaque;

	if (v->ops->window_write != NULL && v->ops->window_write(v, offset, value, size))
		return;
	for (unsigned i = 0; i < size; i++, value >>= 8)
		write_byte(v, offset + i, value);
}

const struct region_ops vga_window_ops = { window_read, window_write, 1, 8 };

/* Does the window behave as plain memory? */
static bool
is_linear(const struct vga *v)
{
	const uint8_t *gfx = v->state.gfx;

	return (v->state.misc & MISC_RAM_ENABLE) != 0 && (v->state.seq[SEQ_MEMORY_MODE] & MEMORY_CHAIN4) != 0 &&
		(v->state.seq[SEQ_MAP_MASK] & 15) == 15 && (gfx[GFX_MODE] & (3 | MODE_READ_COMPARE)) == 0 &&
		(gfx[GFX_ENABLE_SET] & 15) == 0 && gfx[GFX_ROTATE] == 0 && gfx[GFX_BIT_MASK] == 0xff;
}

static void
take_direct(struct vga *v, unsigned n)
{
	struct region *r = &v->direct[n];
	uint64_t pages = 0;

	if (r->space == NULL || !region_take_dirty(r, 0, r->size >> 12, &pages))
		return;
	for (; pages != 0; pages &= pages - 1)
		vga_touch(v, v->direct_at[n] + ((uint64_t)__builtin_ctzll(pages) << 12), 1);
}

void
vga_take_direct(struct vga *v)
{
	for (unsigned i = 0; i < ARRAY_SIZE(v->direct); i++)
		take_direct(v, i);
}

/* Pages that were written so far belong to the old place. */
static void
map_direct(struct vga *v, unsigned n, const struct vga_direct *to)
{
	struct region *r = &v->direct[n];
	uint64_t size = (uint64_t)to->at + to->size <= v->vram_bytes ? to->size : 0;

	if (size == 0 && r->space == NULL)
		return;
	if (r->space != NULL && r->size == size && v->direct_at[n] == to->at && r->base == to->base)
		return;
	take_direct(v, n);
	/* Two changes on purpose: as one, another bank at the same place would look like none. */
	space_remove(r);
	if (size == 0)
		return;
	v->direct_at[n] = to->at;
	r->host = v->vram + to->at;
	r->size = size;
	space_add(v->mem, r, to->base, v->window.priority);
}

void
vga_map_window(struct vga *v)
{
	struct vga_direct direct[2] = { { 0 } };

	if (v->window.space == NULL)
		return;
	if ((v->ops->map == NULL || !v->ops->map(v, direct)) && is_linear(v)) {
		struct map map = map_now(v);

		direct[0] = (struct vga_direct){ 0xa0000 + map.base, v->bank, map.size };
	}
	plan_window(v);
	for (unsigned i = 0; i < ARRAY_SIZE(direct); i++)
		map_direct(v, i, &direct[i]);
}
