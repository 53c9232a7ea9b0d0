/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Disks as devices see them: requests that are done by a pool of threads, and completions.
 *
 * A finished request waits in the disk's list until a thread takes the whole list at once, under the machine's lock: that
 * of the first to enter an empty list, or the loop's, where the lock can't be had.  That may come after disk_close(): the
 * first to enter holds a mailbox, which outlives the disk.
 *
 * What a vCPU asks for begins when its thread has let go of the machine's lock.  A small read that the host's cache has, or
 * a small write, is done by that very thread then, for to wake another one costs ten times as much (Linux as guest, direct
 * reads of 4 KiB: 74 MB/s instead of 37; writes: 62 instead of 36; tests/bench/disk.sh).  Writes may wait for the host all
 * the same: when one has waited and taken 2 ms, others go to the workers for a while.
 *
 * A request whose failure the owner can mend (a full disk) stays in a list of its own meanwhile; no device knows of it.
 */
#define _GNU_SOURCE /* RUSAGE_THREAD */
#include "disk/disk.h"

#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "disk/image.h"
#include "disk/tool.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

enum {
	THREADS = 4,
	TRIES = 200, /* of a worker to get the machine's lock, which others have for moments only */
	IN_PLACE_BYTES = 128 * 1024,
};

#define SLOW_NS (2 * NS_PER_SEC / 1000)
#define SLOW_FOR_NS (NS_PER_SEC / 5)

enum request_kind { REQUEST_READ, REQUEST_WRITE, REQUEST_FLUSH, REQUEST_DISCARD };

struct request {
	struct job job;
	struct loop_after after;
	struct disk *disk;
	enum request_kind kind;
	int error;
	bool was_held;
	bool by_worker;
	uint64_t offset, len;
	void *buf;
	disk_done *done;
	void *opaque;
	struct request *next;
};

struct mailbox {
	struct disk *disk;   /* NULL: closed */
	unsigned references; /* the disk, and each wake-up posted; under LOCK of the disk, or after its end the loop's */
};

struct disk {
	struct loop *loop;
	struct pool *pool;
	struct image *image;
	struct mailbox *mailbox;
	char *file;
	const char *format;
	bool readonly, unsafe, through, direct, discard, detect_zeros, closing;
	enum disk_policy on_write_error, on_read_error;
	void (*stalled)(void *opaque, int error);
	void *stalled_opaque;
	struct request *held;    /* under the machine's lock */
	bool flush_reported;
	bool delivering;         /* under the machine's lock */
	_Atomic int flush_error; /* final */
	_Atomic uint64_t slow_until_ns; /* the host's time: until then writes aren't done in place */
	pthread_mutex_t lock;    /* of what follows */
	pthread_cond_t none_starting;
	unsigned starting;       /* requests of vCPUs that a worker doesn't have yet */
	unsigned in_ring;        /* those that io_uring has */
	struct uring *ring;      /* NULL: workers do all */
	struct loop_fd *ring_watch;
	struct request *finished, **last_finished;
	struct disk_stats stats;
};

/* ---- doing ---- */

static bool
is_inside(const struct disk *d, uint64_t offset, uint64_t len)
{
	return offset <= d->image->bytes && len <= d->image->bytes - offset;
}

static int
flush_image(struct disk *d)
{
	int error = atomic_load(&d->flush_error);

	if (error != 0 || d->unsafe || d->readonly)
		return error;
	error = d->image->ops->flush(d->image);
	/* What was lost is lost, though the kernel may say otherwise the next time it is asked. */
	if (error != 0)
		atomic_store(&d->flush_error, error);
	return error;
}

static bool
is_zero(const uint8_t *p, size_t len)
{
	return len > 0 && p[0] == 0 && memcmp(p, p + 1, len - 1) == 0;
}

static int
write_image(struct disk *d, uint64_t offset, const void *buf, size_t len)
{
	if (d->detect_zeros && is_zero(buf, len))
		return layer_write_zeros(d->image, offset, len, d->discard);
	return d->image->ops->write(d->image, offset, buf, len);
}

static int
perform(struct disk *d, enum request_kind kind, uint64_t offset, void *buf, uint64_t len)
{
	struct image *i = d->image;
	int error;

	if (kind == REQUEST_FLUSH)
		return flush_image(d);
	if (!is_inside(d, offset, len))
		return EINVAL;
	if (kind == REQUEST_READ)
		return i->ops->read(i, offset, buf, len);
	if (d->readonly)
		return EROFS;
	error = kind == REQUEST_WRITE ? write_image(d, offset, buf, len) : d->discard ? i->ops->discard(i, offset, len) : 0;
	return error == 0 && d->through ? flush_image(d) : error;
}

static void
count(struct disk *d, enum request_kind kind, uint64_t len, int error)
{
	switch (kind) {
	case REQUEST_READ:
		d->stats.reads++;
		d->stats.bytes_read += len;
		break;
	case REQUEST_WRITE:
		d->stats.writes++;
		d->stats.bytes_written += len;
		break;
	case REQUEST_FLUSH:
		d->stats.flushes++;
		break;
	case REQUEST_DISCARD:
		break;
	}
	d->stats.errors += error != 0;
}

/* ---- failures ---- */

static bool
is_full(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG;
}

static enum disk_policy
policy_for(const struct disk *d, const struct request *r)
{
	enum disk_policy p = r->kind == REQUEST_READ ? d->on_read_error : d->on_write_error;

	if (p != DISK_DEFAULT)
		return p;
	if (r->kind == REQUEST_READ)
		return DISK_REPORT;
	return is_full(r->error) || r->kind == REQUEST_FLUSH ? DISK_HOLD : DISK_REPORT;
}

/* True: the device isn't to hear of it yet. */
static bool
hold(struct disk *d, struct request *r)
{
	if (d->stalled == NULL || d->closing)
		return false;
	if (r->kind == REQUEST_FLUSH && (r->was_held || d->flush_reported)) {
		d->flush_reported = true;
		return false;
	}
	r->was_held = true;
	r->next = d->held;
	d->held = r;
	return true;
}

/* Makes of a failure what the policy wants.  True: the request is held. */
static bool
settle(struct disk *d, struct request *r)
{
	if (r->error == 0)
		return false;
	switch (policy_for(d, r)) {
	case DISK_IGNORE:
		if (r->kind == REQUEST_READ)
			memset(r->buf, 0, r->len);
		r->error = 0;
		return false;
	case DISK_HOLD:
		return hold(d, r);
	case DISK_DEFAULT:
	case DISK_REPORT:
		break;
	}
	return false;
}

void
disk_on_stall(struct disk *d, void (*stalled)(void *opaque, int error), void *opaque)
{
	d->stalled = stalled;
	d->stalled_opaque = opaque;
}

/* The list has the last one first. */
static struct request *
take_held(struct disk *d)
{
	struct request *list = NULL;

	while (d->held != NULL) {
		struct request *r = d->held;

		d->held = r->next;
		r->next = list;
		list = r;
	}
	return list;
}

void
disk_retry(struct disk *d)
{
	struct request *next;

	for (struct request *r = take_held(d); r != NULL; r = next) {
		next = r->next;
		pool_add(d->pool, &r->job);
	}
}

/* ---- completion ---- */

/* Calls back for all that is finished now. */
static void
deliver(struct disk *d)
{
	struct request *r, *next;
	int stalled = 0;

	pthread_mutex_lock(&d->lock);
	r = d->finished;
	d->finished = NULL;
	d->last_finished = &d->finished;
	pthread_mutex_unlock(&d->lock);
	d->delivering = true;
	for (; r != NULL; r = next) {
		next = r->next;
		if (settle(d, r)) {
			stalled = r->error;
			continue;
		}
		r->done(r->opaque, r->error);
		free(r);
	}
	d->delivering = false;
	if (stalled != 0)
		d->stalled(d->stalled_opaque, stalled);
}

static void
wake_up(void *opaque)
{
	struct mailbox *m = opaque;
	struct disk *d = m->disk;
	bool last;

	if (d != NULL)
		pthread_mutex_lock(&d->lock);
	last = --m->references == 0;
	if (d != NULL)
		pthread_mutex_unlock(&d->lock);
	if (last)
		free(m);
	if (d != NULL)
		deliver(d);
}

/* Puts the request among the finished.  What the machine's thread is to be woken with, or NULL: it will be anyway. */
static struct mailbox *
add_finished(struct disk *d, struct request *r)
{
	struct mailbox *post = NULL;

	count(d, r->kind, r->len, r->error);
	if (d->finished == NULL && !d->closing) {
		post = d->mailbox;
		post->references++;
	}
	r->next = NULL;
	*d->last_finished = r;
	d->last_finished = &r->next;
	return post;
}

static void
finish(struct request *r)
{
	struct disk *d = r->disk;
	struct loop *l = d->loop;
	struct mailbox *post;

	pthread_mutex_lock(&d->lock);
	post = add_finished(d, r);
	pthread_mutex_unlock(&d->lock);
	if (post == NULL)
		return;
	for (unsigned i = 0; i < TRIES; i++) {
		if (loop_try_lock(l)) {
			wake_up(post);
			loop_unlock(l);
			return;
		}
	}
	loop_post(l, wake_up, post);
}

static void
run_request(struct job *j)
{
	struct request *r = CONTAINER_OF(j, struct request, job);

	r->error = perform(r->disk, r->kind, r->offset, r->buf, r->len);
	finish(r);
}

/* ---- io_uring ---- */

static bool
begin_in_ring(struct disk *d, struct request *r)
{
	const struct image_ops *ops = d->image->ops;
	struct uring_io io = { .write = r->kind == REQUEST_WRITE, .buf = r->buf, .len = r->len, .offset = r->offset, .user = r };
	bool ok;

	if (d->ring == NULL || ops->plain_fd == NULL || (r->kind != REQUEST_READ && r->kind != REQUEST_WRITE))
		return false;
	if (r->len == 0 || r->len > INT32_MAX || !is_inside(d, r->offset, r->len) ||
	    (io.write && (d->readonly || d->through || d->detect_zeros)))
		return false;
	io.fd = ops->plain_fd(d->image, r->offset, r->buf, r->len);
	if (io.fd < 0)
		return false;
	pthread_mutex_lock(&d->lock);
	d->in_ring++;
	pthread_mutex_unlock(&d->lock);
	ok = uring_begin(d->ring, &io);
	if (!ok) {
		pthread_mutex_lock(&d->lock);
		d->in_ring--;
		pthread_mutex_unlock(&d->lock);
	}
	return ok;
}

static void
begin(struct disk *d, struct request *r)
{
	if (!begin_in_ring(d, r))
		pool_add(d->pool, &r->job);
}

/* What came back is whole, or a worker does it again and finds out what is wrong. */
static struct mailbox *
ring_did(struct disk *d, struct request *r, int result)
{
	struct mailbox *post = NULL;

	if (result != (int)r->len)
		pool_add(d->pool, &r->job);
	pthread_mutex_lock(&d->lock);
	d->in_ring--;
	if (result == (int)r->len) {
		r->error = 0;
		post = add_finished(d, r);
	}
	pthread_mutex_unlock(&d->lock);
	return post;
}

static void
ring_ready(void *opaque, short revents)
{
	struct disk *d = opaque;
	struct mailbox *post = NULL, *m;
	void *user;
	int result;

	(void)revents;
	while (uring_done(d->ring, false, &user, &result)) {
		m = ring_did(d, user, result);
		post = m != NULL ? m : post;
	}
	if (post != NULL)
		wake_up(post);
}

/* In the loop's thread. */
static void
drain_ring(struct disk *d)
{
	struct mailbox *post;
	void *user;
	int result;

	while (d->ring != NULL && uring_done(d->ring, true, &user, &result)) {
		post = ring_did(d, user, result);
		if (post != NULL)
			loop_post(d->loop, wake_up, post);
	}
}

/* ---- in place ---- */

static uint64_t
host_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * NS_PER_SEC + (uint64_t)t.tv_nsec;
}

/* How often this thread has waited for something; to be kept from running by others is another thing. */
static long
waits(void)
{
	struct rusage u = { .ru_nvcsw = 0 };

	getrusage(RUSAGE_THREAD, &u);
	return u.ru_nvcsw;
}

/* True: it is done. */
static bool
write_in_place(struct disk *d, struct request *r)
{
	uint64_t start = host_now();
	long before;
	bool done;

	if (start < atomic_load_explicit(&d->slow_until_ns, memory_order_relaxed))
		return false;
	before = waits();
	done = layer_write_now(d->image, r->offset, r->buf, r->len) == 0;
	if (done && host_now() - start > SLOW_NS && waits() != before)
		atomic_store_explicit(&d->slow_until_ns, start + SLOW_FOR_NS, memory_order_relaxed);
	return done;
}

static bool
perform_in_place(struct disk *d, struct request *r)
{
	if (r->by_worker || r->len > IN_PLACE_BYTES || !is_inside(d, r->offset, r->len))
		return false;
	if (r->kind == REQUEST_READ)
		return layer_read_now(d->image, r->offset, r->buf, r->len) == 0;
	return r->kind == REQUEST_WRITE && !d->readonly && !d->through && !d->detect_zeros && write_in_place(d, r);
}

static void
no_longer_starting(struct disk *d)
{
	if (--d->starting == 0)
		pthread_cond_broadcast(&d->none_starting);
}

/* The disk may be closed as soon as the request no longer counts as starting. */
static void
start_request(struct loop_after *a)
{
	struct request *r = CONTAINER_OF(a, struct request, after);
	struct disk *d = r->disk;
	struct loop *l = d->loop;
	bool done = perform_in_place(d, r);
	struct mailbox *post = NULL;

	if (!done)
		begin(d, r);
	pthread_mutex_lock(&d->lock);
	if (done)
		post = add_finished(d, r);
	no_longer_starting(d);
	pthread_mutex_unlock(&d->lock);
	if (post == NULL)
		return;
	loop_lock(l);
	wake_up(post);
	loop_unlock(l);
}

/* What a callback asks for goes to a worker, so that nothing nests; so does what the loop's own thread asks for. */
static void
start(struct disk *d, struct request *r)
{
	if (!loop_is_elsewhere(d->loop)) {
		begin(d, r);
		return;
	}
	r->by_worker = d->delivering;
	pthread_mutex_lock(&d->lock);
	d->starting++;
	pthread_mutex_unlock(&d->lock);
	loop_after(d->loop, &r->after);
}

static void
submit(struct disk *d, enum request_kind kind, uint64_t offset, void *buf, uint64_t len, disk_done *done, void *opaque)
{
	struct request *r = xcalloc(1, sizeof(*r));

	*r = (struct request){
		.job = { run_request, NULL }, .after = { .run = start_request }, .disk = d, .kind = kind, .offset = offset,
		.buf = buf, .len = len, .done = done, .opaque = opaque,
	};
	if (d->closing) {
		r->error = ECANCELED;
		finish(r);
	} else {
		start(d, r);
	}
}

void
disk_read(struct disk *d, uint64_t offset, void *buf, size_t len, disk_done *done, void *opaque)
{
	submit(d, REQUEST_READ, offset, buf, len, done, opaque);
}

void
disk_write(struct disk *d, uint64_t offset, const void *buf, size_t len, disk_done *done, void *opaque)
{
	submit(d, REQUEST_WRITE, offset, (void *)buf, len, done, opaque);
}

void
disk_flush(struct disk *d, disk_done *done, void *opaque)
{
	submit(d, REQUEST_FLUSH, 0, NULL, 0, done, opaque);
}

void
disk_discard(struct disk *d, uint64_t offset, uint64_t len, disk_done *done, void *opaque)
{
	submit(d, REQUEST_DISCARD, offset, NULL, len, done, opaque);
}

static int
perform_now(struct disk *d, enum request_kind kind, uint64_t offset, void *buf, size_t len)
{
	int error = perform(d, kind, offset, buf, len);

	pthread_mutex_lock(&d->lock);
	count(d, kind, len, error);
	pthread_mutex_unlock(&d->lock);
	return error;
}

int
disk_read_sync(struct disk *d, uint64_t offset, void *buf, size_t len)
{
	return perform_now(d, REQUEST_READ, offset, buf, len);
}

int
disk_write_sync(struct disk *d, uint64_t offset, const void *buf, size_t len)
{
	return perform_now(d, REQUEST_WRITE, offset, (void *)buf, len);
}

int
disk_flush_sync(struct disk *d)
{
	return perform_now(d, REQUEST_FLUSH, 0, NULL, 0);
}

/* ---- opening and closing ---- */

static unsigned
flags_for(const struct disk_options *o)
{
	unsigned flags = o->readonly || o->snapshot ? 0 : IMAGE_WRITE;

	if (o->cache_unsafe)
		flags |= IMAGE_UNSAFE;
	if (o->cache_direct)
		flags |= IMAGE_DIRECT;
	return o->discard ? flags | IMAGE_UNMAP : flags;
}

/* The image, what takes its writes, and filters: those that "below:" stands before go between the file and its format. */
static struct image *
open_layers(const struct disk_options *o, const char **format, struct err *e)
{
	bool below = o->filter != NULL && strncmp(o->filter, "below:", 6) == 0;
	struct image_open open = {
		.file = o->file, .format = o->format, .flags = flags_for(o), .filter = below ? o->filter + 6 : NULL,
	};
	struct image *top = image_open(&open, e), *over;

	if (top == NULL)
		return NULL;
	*format = strcmp(top->ops->name, "qcow2") == 0 ? "qcow2" : "raw";
	if (o->snapshot && !o->readonly) {
		over = overlay_new(top, e);
		if (over == NULL) {
			err_prefix(e, "%s: ", o->file);
			goto failed;
		}
		top = over;
	}
	if (o->filter == NULL || below || filters_add(&top, o->filter, e))
		return top;
	err_prefix(e, "%s: ", o->file);
failed:
	top->ops->close(top);
	return NULL;
}

struct disk *
disk_open(struct loop *l, const struct disk_options *o, struct err *e)
{
	const char *format;
	struct image *image = open_layers(o, &format, e);
	struct uring *ring = NULL;
	struct disk *d;

	if (image == NULL)
		return NULL;
	if (o->io_uring) {
		ring = uring_new(e);
		if (ring == NULL) {
			err_prefix(e, "%s: ", o->file);
			image->ops->close(image);
			return NULL;
		}
	}
	d = xcalloc(1, sizeof(*d));
	d->loop = l;
	d->ring = ring;
	if (ring != NULL)
		d->ring_watch = loop_add_fd(l, uring_fd(ring), POLLIN, ring_ready, d);
	d->image = image;
	d->pool = pool_new(THREADS);
	d->file = xstrdup(o->file);
	d->format = format;
	d->readonly = o->readonly;
	d->unsafe = o->cache_unsafe;
	d->discard = o->discard;
	d->through = o->cache_through;
	d->direct = o->cache_direct;
	d->detect_zeros = o->detect_zeros;
	d->on_write_error = o->on_write_error;
	d->on_read_error = o->on_read_error;
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->none_starting, NULL);
	d->last_finished = &d->finished;
	d->mailbox = xcalloc(1, sizeof(*d->mailbox));
	*d->mailbox = (struct mailbox){ d, 1 };
	return d;
}

/* Returns when no request is under way; its callback may still be to come. */
static void
drain(struct disk *d)
{
	pthread_mutex_lock(&d->lock);
	while (d->starting > 0)
		pthread_cond_wait(&d->none_starting, &d->lock);
	pthread_mutex_unlock(&d->lock);
	drain_ring(d);
	pool_drain(d->pool);
}

/* A callback may ask for more: that is cancelled, and its callback comes in the next round. */
void
disk_end_requests(struct disk *d)
{
	bool more;

	drain(d);
	pthread_mutex_lock(&d->lock);
	d->closing = true;
	pthread_mutex_unlock(&d->lock);
	drain(d);
	for (struct request *r = take_held(d), *next; r != NULL; r = next) {
		next = r->next;
		r->done(r->opaque, r->error);
		free(r);
	}
	do {
		deliver(d);
		pthread_mutex_lock(&d->lock);
		more = d->finished != NULL;
		pthread_mutex_unlock(&d->lock);
	} while (more);
}

void
disk_close(struct disk *d)
{
	if (d == NULL)
		return;
	disk_end_requests(d);
	flush_image(d);
	loop_remove_fd(d->ring_watch);
	uring_free(d->ring);
	pool_free(d->pool);
	d->image->ops->close(d->image);
	d->mailbox->disk = NULL;
	if (--d->mailbox->references == 0)
		free(d->mailbox);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->none_starting);
	free(d->file);
	free(d);
}

uint64_t
disk_bytes(const struct disk *d)
{
	return d->image->bytes;
}

bool
disk_is_readonly(const struct disk *d)
{
	return d->readonly;
}

const char *
disk_file(const struct disk *d)
{
	return d->file;
}

const char *
disk_format(const struct disk *d)
{
	return d->format;
}

const char *
disk_cache(const struct disk *d)
{
	if (d->unsafe)
		return "writeback, ignore flushes";
	if (d->direct)
		return d->through ? "writethrough, direct" : "writeback, direct";
	return d->through ? "writethrough" : "writeback";
}

/* Overlays and filters stand above the format. */
const char *
disk_backing(const struct disk *d)
{
	const struct image *i = d->image;

	while (i->backing_path == NULL && i->below != NULL)
		i = i->below;
	return i->backing_path;
}

struct disk_stats
disk_stats(const struct disk *d)
{
	struct disk *writable = (struct disk *)d;
	struct disk_stats s;

	pthread_mutex_lock(&writable->lock);
	s = d->stats;
	pthread_mutex_unlock(&writable->lock);
	return s;
}
