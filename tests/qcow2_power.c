/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Power losses: random requests on qcow2 images, and at many points the states of the file that a loss of power could
 * leave.  Up to the last flush that ended all is there; of what was written since, any sectors.
 *
 * Each state must open, have nothing but leaks, and read for each sector what was there at the last flush that was
 * acknowledged, or what was written to it since; snapshots have what they had.  Then it is written to, and has to hold
 * that too.
 *
 * CALQUE_POWER_STATES: how many; CALQUE_SEED: where to begin.
 */
#include "tests/qcow2_mem.h"

#include "base/err.h"
#include "base/util.h"

#include <stdio.h>
#include <stdlib.h>

enum { SNAPSHOTS_OF_RUN = 12, SECTOR = 512, DISK = 1024 * 1024, SECTORS = DISK / SECTOR, REQUESTS = 60, STATES_OF_RUN = 40 };

/* A change of the file that no flush has covered yet; FLUSHES counts what was before it. */
struct change {
	uint64_t offset, len;
	uint8_t *data;
};

/* Sectors are told apart by a stamp; 0: zeros.  OLD is what the last flush has promised; what came since is in HISTORY. */
struct stamp {
	uint32_t sector, value;
	bool discard; /* may have done nothing, or made zeros */
};

/* A snapshot has one name and one content, for good. */
struct kept {
	char name[12];
	bool there;
	uint32_t content[SECTORS];
};

struct run {
	uint64_t seed, random;
	struct kept *kept;
	unsigned kept_count;
	bool has_snapshots;
	struct mem file, durable, backing_file;
	struct image *image, *backing;
	struct change *changes;
	unsigned change_count, change_room;
	uint32_t flushed[SECTORS];
	struct stamp *history;
	unsigned history_count, history_room;
	uint32_t next_stamp;
	unsigned long states, wanted;
	bool busy; /* a state is being looked at: nothing is logged */
};

static void look_at_states(struct run *r, unsigned count);

/* ---- the log ---- */

static void
changing(void *opaque, uint64_t offset, const void *data, uint64_t len)
{
	struct run *r = opaque;
	struct change *c;

	if (r->change_count == r->change_room) {
		r->change_room = MAX(64, r->change_room * 2);
		r->changes = xrealloc(r->changes, r->change_room * sizeof(*r->changes));
	}
	c = &r->changes[r->change_count++];
	*c = (struct change){ offset, len, xcalloc(1, len) };
	memcpy(c->data, data, len);
	if (draw(&r->random, 12) == 0)
		look_at_states(r, 1);
}

static void
make_durable(struct run *r)
{
	for (unsigned n = 0; n < r->change_count; n++) {
		mem_put(&r->durable, r->changes[n].offset, r->changes[n].data, r->changes[n].len);
		free(r->changes[n].data);
	}
	r->change_count = 0;
}

static void
flushed(void *opaque)
{
	struct run *r = opaque;

	/* A loss just before it is done. */
	if (draw(&r->random, 3) == 0)
		look_at_states(r, 1);
	make_durable(r);
	if (draw(&r->random, 6) == 0)
		look_at_states(r, 1);
}

/* ---- states ---- */

/* What is durable, and of each change none, all, some of its sectors, or its beginning. */
static void
build_state(struct run *r, struct mem *state)
{
	unsigned mood = draw(&r->random, 4);

	mem_put(state, 0, r->durable.data, r->durable.bytes);
	for (unsigned n = 0; n < r->change_count; n++) {
		const struct change *c = &r->changes[n];
		unsigned fate = mood == 0 ? 0 : mood == 1 ? 1 : draw(&r->random, 4);

		for (uint64_t at = 0, part; at < c->len && fate != 0; at += part) {
			part = MIN(SECTOR - (c->offset + at) % SECTOR, c->len - at);
			if (fate == 1 || (fate == 2 && draw(&r->random, 2) == 0))
				mem_put(state, c->offset + at, c->data + at, part);
			else if (fate == 3 && draw(&r->random, 8) == 0)
				break;
		}
	}
}

static uint32_t
stamp_at(struct run *r, const uint8_t *sector, uint32_t number)
{
	uint32_t value = load_le(sector, 4);

	for (unsigned n = 4; n < SECTOR; n += 4) {
		if (load_le(sector + n, 4) != value)
			fail_with(r->seed, "sector %u is torn: %x and %x at %u", number, value, (uint32_t)load_le(sector + n, 4), n);
	}
	return value;
}

static bool
may_be(const struct run *r, uint32_t sector, uint32_t value)
{
	if (r->flushed[sector] == value)
		return true;
	for (unsigned n = 0; n < r->history_count; n++) {
		const struct stamp *s = &r->history[n];

		if (s->sector == sector && (s->value == value || (s->discard && value == 0)))
			return true;
	}
	return false;
}

static void
verify_content(struct run *r, struct image *i, const uint32_t *also, uint32_t *found)
{
	static uint8_t disk[DISK];

	if (image_read(i, 0, disk, DISK) != 0)
		fail_with(r->seed, "state %lu can't be read", r->states);
	for (uint32_t s = 0; s < SECTORS; s++) {
		uint32_t value = stamp_at(r, disk + s * SECTOR, s);

		if (also != NULL && also[s] != value)
			fail_with(r->seed, "state %lu: sector %u has %x, which was %x", r->states, s, value, also[s]);
		if (also == NULL && !may_be(r, s, value))
			fail_with(r->seed, "state %lu: sector %u has %x, flushed was %x", r->states, s, value, r->flushed[s]);
		if (found != NULL)
			found[s] = value;
	}
}

/* Where snapshots come and go, marks that are missing only cost a copy. */
struct findings {
	struct run *r;
	unsigned marks;
};

static void
complain(void *opaque, const char *line)
{
	struct findings *f = opaque;

	if (f->r->has_snapshots && strncmp(line, "ERROR mark of one name missing", 30) == 0) {
		f->marks++;
		return;
	}
	if (strncmp(line, "ERROR", 5) == 0)
		fprintf(stderr, "%s\n", line);
}

static void
verify_tables(struct run *r, struct image *i, bool leaks_too)
{
	struct findings f = { .r = r };
	struct image_check_hooks hooks = { .tell = complain, .opaque = &f };
	struct image_check c;
	struct err e = { "" };

	if (!image_check(i, 0, &hooks, &c, &e))
		fail_with(r->seed, "state %lu: %s", r->states, e.text);
	if (c.corruptions != f.marks || (leaks_too && c.leaks != 0))
		fail_with(r->seed, "state %lu: %llu corruptions, %llu leaks", r->states, (unsigned long long)c.corruptions,
			(unsigned long long)c.leaks);
}

static void
fill(uint8_t *buf, uint32_t stamp, size_t len)
{
	for (size_t n = 0; n < len; n += 4)
		store_le(buf + n, stamp, 4);
}

/* Life after the loss: new clusters must not be ones in use. */
static void
write_on(struct run *r, struct image *i, uint32_t *content)
{
	static uint8_t buf[128 * SECTOR];

	for (unsigned n = 0; n < 4; n++) {
		uint32_t count = 1 + draw(&r->random, 128), first = draw(&r->random, SECTORS - count), stamp = 0x80000000u + n;

		fill(buf, stamp, count * SECTOR);
		if (image_write(i, (uint64_t)first * SECTOR, buf, (size_t)count * SECTOR) != 0)
			fail_with(r->seed, "state %lu can't be written", r->states);
		for (uint32_t s = 0; s < count; s++)
			content[first + s] = stamp;
	}
	verify_content(r, i, content, NULL);
}

/* Each snapshot that is there has what it had. */
static void
verify_snapshots(struct run *r, struct mem *state)
{
	for (unsigned n = 0; n < r->kept_count; n++) {
		static uint8_t disk[DISK];
		struct image *i = open_in(state, 0);
		struct err e = { "" };

		i->backing = r->backing;
		if (image_use_snapshot(i, r->kept[n].name, &e)) {
			if (image_read(i, 0, disk, DISK) != 0)
				fail_with(r->seed, "state %lu: snapshot %s can't be read", r->states, r->kept[n].name);
			for (uint32_t s = 0; s < SECTORS; s++) {
				if (stamp_at(r, disk + s * SECTOR, s) != r->kept[n].content[s])
					fail_with(r->seed, "state %lu: snapshot %s is another in sector %u", r->states, r->kept[n].name, s);
			}
		} else if (strstr(e.text, "has no snapshot") == NULL) {
			fail_with(r->seed, "state %lu: %s", r->states, e.text);
		}
		i->backing = NULL;
		i->ops->close(i);
	}
}

static void
look_at_state(struct run *r)
{
	struct mem state = { .most = 64 * MiB };
	uint32_t content[SECTORS];
	struct image *i;

	build_state(r, &state);
	r->states++;
	i = open_in(&state, IMAGE_WRITE);
	i->backing = r->backing;
	verify_content(r, i, NULL, content);
	verify_tables(r, i, false);
	write_on(r, i, content);
	verify_tables(r, i, false);
	i->backing = NULL;
	i->ops->close(i);
	i = open_in(&state, IMAGE_WRITE);
	i->backing = r->backing;
	verify_content(r, i, content, NULL);
	i->backing = NULL;
	i->ops->close(i);
	verify_snapshots(r, &state);
	mem_free(&state);
}

static void
look_at_states(struct run *r, unsigned count)
{
	if (r->busy)
		return;
	r->busy = true;
	for (unsigned n = 0; n < count && r->states < r->wanted; n++)
		look_at_state(r);
	r->busy = false;
}

/* ---- requests ---- */

static void
remember(struct run *r, uint32_t first, uint32_t count, uint32_t value, bool discard)
{
	for (uint32_t s = 0; s < count; s++) {
		if (r->history_count == r->history_room) {
			r->history_room = MAX(1024, r->history_room * 2);
			r->history = xrealloc(r->history, r->history_room * sizeof(*r->history));
		}
		r->history[r->history_count++] = (struct stamp){ first + s, value, discard };
	}
}

/* The flush is acknowledged: what is there now is promised. */
static void
promise(struct run *r)
{
	static uint8_t disk[DISK];

	r->busy = true;
	if (image_read(r->image, 0, disk, DISK) != 0)
		fail_with(r->seed, "the disk can't be read");
	for (uint32_t s = 0; s < SECTORS; s++) {
		uint32_t value = stamp_at(r, disk + s * SECTOR, s);

		if (!may_be(r, s, value))
			fail_with(r->seed, "sector %u has %x without any loss", s, value);
		r->flushed[s] = value;
	}
	r->busy = false;
	r->history_count = 0;
}

static void
change_snapshots(struct run *r)
{
	struct kept *k = r->kept_count == 0 ? NULL : &r->kept[draw(&r->random, r->kept_count)];
	static uint8_t disk[DISK];
	struct err e = { "" };

	if (k != NULL && k->there && draw(&r->random, 3) == 0) {
		k->there = false;
		if (!image_snapshot_delete(r->image, k->name, &e))
			fail_with(r->seed, "%s", e.text);
	} else if (k != NULL && k->there && draw(&r->random, 2)) {
		for (uint32_t s = 0; s < SECTORS; s++)
			remember(r, s, 1, k->content[s], false);
		if (!image_snapshot_apply(r->image, k->name, &e))
			fail_with(r->seed, "%s", e.text);
		for (uint32_t s = 0; s < SECTORS; s++)
			r->flushed[s] = k->content[s];
		r->history_count = 0;
	} else if (r->kept_count < SNAPSHOTS_OF_RUN) {
		k = &r->kept[r->kept_count];
		snprintf(k->name, sizeof(k->name), "kept%u", r->kept_count);
		k->there = true;
		r->busy = true;
		image_read(r->image, 0, disk, DISK);
		for (uint32_t s = 0; s < SECTORS; s++)
			k->content[s] = stamp_at(r, disk + s * SECTOR, s);
		r->busy = false;
		r->kept_count++;
		if (!image_snapshot_create(r->image, k->name, &e))
			fail_with(r->seed, "%s", e.text);
	}
	promise(r);
}

static void
request(struct run *r)
{
	static uint8_t buf[256 * SECTOR];
	uint32_t most = draw(&r->random, 4) == 0 ? 256 : 16, count = 1 + draw(&r->random, most);
	uint32_t first = draw(&r->random, SECTORS - count), what = draw(&r->random, 20);
	uint64_t offset = (uint64_t)first * SECTOR, len = (uint64_t)count * SECTOR;
	int error;

	if (r->has_snapshots && draw(&r->random, 8) == 0) {
		change_snapshots(r);
		return;
	}
	if (what < 3) {
		error = image_flush(r->image);
		if (error == 0)
			promise(r);
	} else if (what < 6) {
		remember(r, first, count, 0, true);
		error = image_discard(r->image, offset, len);
	} else if (what < 8) {
		remember(r, first, count, 0, false);
		error = image_write_zeros(r->image, offset, len, draw(&r->random, 2));
	} else {
		uint32_t stamp = ++r->next_stamp;

		fill(buf, stamp, len);
		remember(r, first, count, stamp, false);
		error = draw(&r->random, 2) ? layer_write_now(r->image, offset, buf, len) : -1;
		if (error != 0)
			error = image_write(r->image, offset, buf, len);
	}
	if (error != 0)
		fail_with(r->seed, "request: errno %d", error);
}

/* Clusters that are compressed, and some that a snapshot has too. */
static void
prepare(struct run *r, const struct image_create *o)
{
	struct image *i = open_in(&r->file, IMAGE_WRITE);
	uint32_t cluster = o->cluster_bytes, count = DISK / cluster;
	uint8_t *buf = xcalloc(1, cluster);
	struct err e = { "" };

	i->backing = r->backing;
	for (unsigned n = 0; n < 6; n++) {
		uint32_t at = draw(&r->random, count), stamp = ++r->next_stamp;

		fill(buf, stamp, cluster);
		int error = draw(&r->random, 2) ? image_write(i, (uint64_t)at * cluster, buf, cluster) :
			image_write_compressed(i, (uint64_t)at * cluster, buf, cluster);
		if (error != 0)
			fail_with(r->seed, "can't prepare: errno %d, refcounts of %u bits", error, o->refcount_bits);
		if (n == 3 && draw(&r->random, 2) && o->refcount_bits != 1 && !image_snapshot_create(i, "s", &e) && o->refcount_bits > 8)
			fail_with(r->seed, "%s", e.text);
	}
	i->backing = NULL;
	free(buf);
	image_flush(i);
	i->ops->close(i);
}

static void
prepare_backing(struct run *r)
{
	struct image_create o = { .file = "memory", .format = "qcow2", .bytes = DISK / 2, .cluster_bytes = 4096 };
	uint8_t buf[4096];

	make_in(&r->backing_file, &o);
	r->backing = open_in(&r->backing_file, IMAGE_WRITE);
	for (unsigned n = 0; n < 40; n++) {
		fill(buf, ++r->next_stamp, sizeof(buf));
		image_write(r->backing, draw(&r->random, DISK / 2 / 4096) * 4096ull, buf, sizeof(buf));
	}
}

static unsigned long
run(uint64_t seed, unsigned long wanted)
{
	struct run *r = xcalloc(1, sizeof(*r));
	struct image_create o;
	unsigned long states;

	*r = (struct run){
		.seed = seed, .random = seed * 0x9e3779b97f4a7c15ull + 1, .wanted = wanted, .file.most = 64 * MiB,
		.durable.most = 64 * MiB, .backing_file.most = 64 * MiB,
	};
	r->kept = xcalloc(SNAPSHOTS_OF_RUN, sizeof(*r->kept));
	o = draw_kind(&r->random, DISK);
	r->has_snapshots = (o.version == 2 || o.refcount_bits > 8) && draw(&r->random, 2);
	if (draw(&r->random, 2)) {
		prepare_backing(r);
		o.backing_file = "memory";
	}
	make_in(&r->file, &o);
	prepare(r, &o);
	mem_put(&r->durable, 0, r->file.data, r->file.bytes);
	r->image = open_in(&r->file, IMAGE_WRITE | (draw(&r->random, 2) ? IMAGE_UNMAP : 0));
	r->image->backing = r->backing;
	r->busy = true;
	remember(r, 0, 0, 0, false);
	for (uint32_t s = 0; s < SECTORS; s++) {
		uint8_t sector[SECTOR];

		image_read(r->image, (uint64_t)s * SECTOR, sector, SECTOR);
		r->flushed[s] = stamp_at(r, sector, s);
	}
	r->busy = false;
	r->file.changing = changing;
	r->file.flushed = flushed;
	r->file.opaque = r;
	for (unsigned n = 0; n < REQUESTS && r->states < wanted; n++)
		request(r);
	r->image->backing = NULL;
	r->image->ops->close(r->image);
	r->history_count = 0;
	if (r->backing != NULL)
		r->backing->ops->close(r->backing);
	for (unsigned n = 0; n < r->change_count; n++)
		free(r->changes[n].data);
	states = r->states;
	mem_free(&r->file);
	mem_free(&r->durable);
	mem_free(&r->backing_file);
	free(r->changes);
	free(r->history);
	free(r->kept);
	free(r);
	return states;
}

int
main(void)
{
	unsigned long wanted = count_from("CALQUE_POWER_STATES", 400), done = 0;
	uint64_t seed = count_from("CALQUE_SEED", 1);

	for (; done < wanted; seed++)
		done += run(seed, MIN(wanted - done, STATES_OF_RUN));
	printf("%lu states of a power loss\n", done);
	return 0;
}
