/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An input is a list of operations.  Its first byte says how the run begins; each operation is a byte, whose lower half says
 * what it does, and what belongs to it.  Memory is so much that all of it follows from the input as well, and an address that
 * a device makes up lies in it more often than not.
 */
#define _GNU_SOURCE
#include "tests/devfuzz/devfuzz.h"

#include "base/err.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	START_FILL = 1,        /* memory holds the input, again and again */
	START_STEPS = 2,       /* the driver's first steps were done */
	START_COMPLETE = 4,    /* requests of disks end by themselves */
	OPERATIONS_MOST = 400,
	REPEAT_MOST = 64,
	DOTS_MOST = 1000 * 1000,
	START_LARGE = 8,       /* screens of any size are drawn */
	RELOADS_MOST = 2,      /* as these look at all of the state, ... */
	TELLS_MOST = 2,        /* ... and make a text of it */
	BAR_PORTS = 0xc000,
};
#define BAR_MEMORY 0xe0000000u

uint64_t
take(struct bytes *b, unsigned size)
{
	unsigned n = MIN(size, (size_t)(b->end - b->at));
	uint64_t v = load_le(b->at, n);

	b->at += n;
	return v;
}

/* ---- memory ---- */

/* Made once, for all runs of this process. */
uint8_t *
devfuzz_memory(void)
{
	static uint8_t *at;
	int fd;

	if (at != NULL)
		return at;
	fd = memfd_create("fuzz", 0);
	at = mmap(NULL, MEMORY_END, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (fd < 0 || ftruncate(fd, MEMORY) < 0 || at == MAP_FAILED)
		abort();
	for (uint64_t i = 0; i < MEMORY_END; i += MEMORY) {
		if (mmap(at + i, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED)
			abort();
	}
	close(fd);
	return at;
}

static void
fill_memory(const struct bytes *b, bool repeat)
{
	uint8_t *to = devfuzz_memory();
	size_t len = b->end - b->at;

	if (!repeat || len == 0) {
		memset(to, 0, MEMORY);
		return;
	}
	len = MIN(len, MEMORY);
	memcpy(to, b->at, len);
	for (size_t at = len; at < MEMORY; at *= 2)
		memcpy(to + at, to, MIN(at, MEMORY - at));
}

/* ---- the machine ---- */

static void
set_line(void *opaque, int n, int level)
{
	(void)opaque;
	if (level != 0 && level != 1) {
		fprintf(stderr, "device fuzzer: line %d has level %d\n", n, level);
		abort();
	}
}

struct irq
devfuzz_line(int n)
{
	return irq_to(set_line, NULL, n);
}

static void
got_msi(void *opaque, uint64_t address, uint32_t data)
{
	(void)opaque, (void)address, (void)data;
}

static void
resized(void *opaque, const struct surface *s)
{
	struct fuzz *f = opaque;

	f->width = s->width;
	f->height = s->height;
}

static void
damaged(void *opaque, unsigned x, unsigned y, unsigned w, unsigned h)
{
	struct fuzz *f = opaque;

	if (w > f->width || h > f->height || x > f->width - w || y > f->height - h) {
		fprintf(stderr, "device fuzzer: damage %u,%u %ux%u on a screen of %ux%u\n", x, y, w, h, f->width, f->height);
		abort();
	}
}

static void
add_window(struct fuzz *f, bool io, gpa base, uint64_t size)
{
	if (f->window_count < WINDOWS)
		f->windows[f->window_count++] = (struct window){ io, base, size };
}

/* Puts the bars somewhere, and switches them on. */
static void
map_bars(struct fuzz *f)
{
	unsigned address = f->pci->devfn << 8;

	for (unsigned i = 0; i < PCI_ROM; i++) {
		const struct pci_bar *bar = &f->pci->bars[i];
		bool io = bar->kind & PCI_BAR_IO;
		gpa base = io ? BAR_PORTS + 0x400 * i : BAR_MEMORY + 0x2000000u * i;

		if (bar->region == NULL)
			continue;
		pci_bus_config_write(f->bus, address | (PCI_BAR0 + 4 * i), base, 4);
		add_window(f, io, base, bar->size);
	}
	pci_bus_config_write(f->bus, address | PCI_COMMAND, 7, 2);
}

static void
open_machine(struct fuzz *f, const struct row *row, unsigned variant)
{
	*f = (struct fuzz){ .clock = clock_new(true), .time_left = row->time_ms * 1000000,
		.reloads_left = RELOADS_MOST, .tells_left = TELLS_MOST };
	backends_reset();
	clock_advance(f->clock, NS_PER_SEC);
	f->loop = loop_new(f->clock);
	f->mem = space_new("memory", false);
	f->io = space_new("ports", true);
	f->bus = pci_bus_new(f->mem, f->io);
	pci_bus_on_msi(f->bus, got_msi, NULL);
	f->env = (struct dev_env){ f->clock, f->loop, f->mem, f->io, &f->devices };
	space_begin(f->mem);
	space_begin(f->io);
	region_init_ram(&f->ram, "ram", devfuzz_memory(), MEMORY_END);
	space_add(f->mem, &f->ram, 0, -10);
	for (const struct window *w = row->windows; w != NULL && w->size != 0; w++)
		add_window(f, w->io, w->base, w->size);
	row->make(f, variant);
	dev_reset_all(f->devices);
	if (f->pci != NULL)
		map_bars(f);
	space_end(f->io);
	space_end(f->mem);
	if (f->display != NULL) {
		f->viewer = (struct display_viewer){ .opaque = f, .damage = damaged, .resized = resized };
		display_add_viewer(f->display, &f->viewer);
	}
}

static void
close_machine(struct fuzz *f)
{
	backends_complete_all(0);
	for (unsigned i = 0; i < 4; i++)
		loop_turn(f->loop, 0);
	backends_complete_all(0);
	if (f->display != NULL)
		display_remove_viewer(f->display, &f->viewer);
	space_free(f->mem);
	space_free(f->io);
	dev_free_all(f->devices);
	if (!f->borrowed_bus)
		pci_bus_free(f->bus);
	loop_free(f->loop);
	clock_free(f->clock);
}

/* ---- operations ---- */

static void
access_window(struct fuzz *f, struct bytes *b, unsigned op, bool write)
{
	const struct window *w = &f->windows[take(b, 1) % MAX(f->window_count, 1u)];
	struct space *s = w->io ? f->io : f->mem;
	unsigned size = 1 << (op >> 4 & 3), count = 1;
	uint64_t offset;

	if (f->window_count == 0)
		return;
	if (w->size <= 256)
		offset = take(b, 1);
	else
		offset = take(b, 2) * MAX(w->size / 65536, 1u);
	offset %= w->size;
	if (op & 0x40)
		count = take(b, 1) % REPEAT_MOST;
	else
		offset &= ~(uint64_t)(size - 1);
	for (; count > 0; count--) {
		if (write)
			space_write(s, w->base + offset, take(b, size), size, op & 0x80);
		else
			space_read(s, w->base + offset, size, op & 0x80);
	}
}

static void
access_config(struct fuzz *f, struct bytes *b, unsigned op)
{
	unsigned size = 1 << (op >> 4 & 3) % 3, reg = take(b, 1) & ~(size - 1);

	if (f->pci == NULL)
		return;
	if (op & 0x80)
		pci_bus_config_read(f->bus, f->pci->devfn << 8 | reg, size);
	else
		pci_bus_config_write(f->bus, f->pci->devfn << 8 | reg, take(b, size), size);
}

static void
pass_time(struct fuzz *f, struct bytes *b, unsigned op)
{
	unsigned v = take(b, 1);
	uint64_t ns = MIN((uint64_t)((op >> 4) + 1) << v % 27, f->time_left);

	f->time_left -= ns;
	clock_advance(f->clock, ns);
	backends_sound();
}

static void
write_memory(struct bytes *b, unsigned op)
{
	uint8_t *to = devfuzz_memory();
	unsigned at = take(b, 2), len = (op >> 4) * 4 + 4;

	for (unsigned i = 0; i < len && b->at < b->end; i++)
		to[(at + i) % MEMORY] = take(b, 1);
}

static void
ignore_text(void *opaque, const char *text)
{
	*(size_t *)opaque += strlen(text);
}

static void
tell(struct fuzz *f)
{
	size_t len = 0;

	if (f->tells_left == 0)
		return;
	f->tells_left--;
	for (struct dev *d = f->devices; d != NULL; d = d->next) {
		if (d->cls->info != NULL)
			d->cls->info(d, ignore_text, &len);
	}
	pci_info(f->bus, ignore_text, &len);
}

/* As a snapshot that is loaded at once: the state is the device's own. */
static void
reload(struct fuzz *f)
{
	struct err e = { "" };

	if (f->reloads_left == 0)
		return;
	f->reloads_left--;
	if (f->dev->cls->loaded != NULL && !f->dev->cls->loaded(f->dev, &e)) {
		fprintf(stderr, "device fuzzer: a device refuses its own state: %s\n", e.text);
		abort();
	}
}

static void
operate(struct fuzz *f, const struct row *row, struct bytes *b)
{
	unsigned op = take(b, 1);

	switch (op & 15) {
	case 0: case 1: case 2: case 3:
		access_window(f, b, op, true);
		break;
	case 4: case 5:
		access_window(f, b, op, false);
		break;
	case 6:
		access_config(f, b, op);
		break;
	case 7:
		pass_time(f, b, op);
		break;
	case 8: case 9:
		write_memory(b, op);
		break;
	case 10: case 11:
		backends_event(f, b);
		break;
	case 12: case 13:
		if (row->event != NULL)
			row->event(f, b);
		break;
	case 14:
		loop_turn(f->loop, 0);
		break;
	case 15:
		if (op == 0x0f)
			dev_reset_all(f->devices);
		else if (op == 0x1f)
			tell(f);
		else if (op == 0x2f)
			reload(f);
		break;
	}
}

static void
do_steps(struct fuzz *f, const struct step *s)
{
	for (; s != NULL && s->size != 0; s++) {
		const struct window *w = &f->windows[s->window % WINDOWS];

		if (s->window == STEP_TIME)
			clock_advance(f->clock, s->value);
		else if (s->window == STEP_MEMORY)
			store_le(devfuzz_memory() + s->offset, s->value, s->size);
		else
			space_write(w->io ? f->io : f->mem, w->base + s->offset, s->value, s->size, false);
	}
}

void
devfuzz_run(const struct row *row, const uint8_t *data, size_t len)
{
	struct bytes b = { data, data + len };
	unsigned start = take(&b, 1);
	struct fuzz f;

	fill_memory(&b, start & START_FILL);
	open_machine(&f, row, start >> 4);
	if (start & START_LARGE)
		f.dots_left = DOTS_MOST;
	if (start & START_STEPS)
		do_steps(&f, row->steps);
	if ((start & START_STEPS) && row->start != NULL)
		row->start(&f);
	for (unsigned n = 0; b.at < b.end && n < OPERATIONS_MOST; n++) {
		operate(&f, row, &b);
		if (start & START_COMPLETE)
			backends_complete_all(0);
	}
	close_machine(&f);
}
