/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disks, a cable, voices and a character device in memory, in the place of the host's. */
#include "tests/devfuzz/devfuzz.h"

#include "disk/disk.h"
#include "net/net.h"
#include "ui/sound.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REQUESTS = 64, VOICES = 8, WAITING = 256, REQUESTS_MOST = 20000, FRAME = 16 * 1024, LOOK_NS = 20 * 1000 };

typedef uint64_t unaligned __attribute__((aligned(1), may_alias));

struct request {
	struct disk *disk;
	uint64_t offset;
	uint8_t *to;
	const uint8_t *from;
	size_t len;
	disk_done *done;
	void *opaque;
};

struct chr {
	struct chr_user user;
	bool attached;
	size_t room;
	uint8_t waiting[WAITING];
	size_t count;
};

struct net_end {
	const struct net_end_ops *ops;
	void *opaque;
	void (*writable)(void *opaque);
	void *writable_opaque;
	bool used, down, full, segments, refused;
	struct net_frame frame; /* what was refused */
	struct iovec iov;
};

struct voice {
	const struct voice_ops *ops;
	void *opaque;
	bool used, capture, active;
	struct sound_format format;
};

/* All of them: a process has one machine at a time. */
static struct {
	struct disk disks[DISKS];
	struct request requests[REQUESTS];
	unsigned request_count;
	struct chr chr;
	struct net_end end;
	uint8_t frame[FRAME];
	struct voice voices[VOICES];
	uint64_t sum; /* of all bytes that were handed over: each is looked at */
	uint64_t ns;  /* of the host's clock */
} host;

static void
fail(const char *what)
{
	fprintf(stderr, "device fuzzer: %s\n", what);
	abort();
}

void
backends_reset(void)
{
	host.ns = 0;
	host.request_count = 0;
	host.chr = (struct chr){ .room = SIZE_MAX };
	host.end = (struct net_end){ .used = false };
	memset(host.frame, 0, sizeof(host.frame));
	memset(host.voices, 0, sizeof(host.voices));
	for (unsigned i = 0; i < DISKS; i++)
		host.disks[i].size = 0;
}

static void
look_at(const void *bytes, size_t len)
{
	const uint8_t *b = bytes;
	uint64_t sum = 0;

	for (; len >= 8; len -= 8, b += 8)
		sum += *(const unaligned *)b;
	host.sum += sum + load_le(b, len);
}

/* The host's clock goes on when somebody looks at it: the same input gives the same run.  Linked with --wrap. */
int __wrap_clock_gettime(clockid_t id, struct timespec *t);
int
__wrap_clock_gettime(clockid_t id, struct timespec *t)
{
	(void)id;
	host.ns += LOOK_NS;
	*t = (struct timespec){ (time_t)(host.ns / NS_PER_SEC), (long)(host.ns % NS_PER_SEC) };
	return 0;
}

/* ---- disks ---- */

struct disk *
backends_disk(unsigned n, uint64_t size, bool readonly)
{
	struct disk *d = &host.disks[n];

	if (d->touched || d->content[1] == 0) {
		for (unsigned i = 0; i < DISK_CONTENT; i++)
			d->content[i] = i / DISK_SECTOR + i;
	}
	d->touched = false;
	d->size = size;
	d->readonly = readonly;
	return d;
}

uint64_t
disk_bytes(const struct disk *d)
{
	return d->size;
}

bool
disk_is_readonly(const struct disk *d)
{
	return d->readonly;
}

const char *
disk_file(const struct disk *d)
{
	return d->readonly ? "read-only" : "memory";
}

static void
check_extent(const struct disk *d, uint64_t offset, uint64_t len)
{
	if (len > d->size || offset > d->size - len)
		fail("a request is past the end of the disk");
}

/* LEN bytes at OFFSET of D, to TO or from FROM. */
static void
move(struct disk *d, uint64_t offset, uint8_t *to, const uint8_t *from, size_t len)
{
	while (len > 0) {
		size_t at = offset % DISK_CONTENT, n = MIN(len, DISK_CONTENT - at);

		if (to != NULL) {
			memcpy(to, d->content + at, n);
			to += n;
		} else {
			memcpy(d->content + at, from, n);
			from += n;
			d->touched = true;
		}
		offset += n;
		len -= n;
	}
}

static void
post(struct request r)
{
	check_extent(r.disk, r.offset, r.len);
	if (r.from != NULL && r.disk->readonly)
		fail("a read-only disk is written");
	if (host.request_count == REQUESTS)
		fail("too many requests at once");
	host.requests[host.request_count++] = r;
}

void
disk_read(struct disk *d, uint64_t offset, void *buf, size_t len, disk_done *done, void *opaque)
{
	post((struct request){ d, offset, buf, NULL, len, done, opaque });
}

void
disk_write(struct disk *d, uint64_t offset, const void *buf, size_t len, disk_done *done, void *opaque)
{
	post((struct request){ d, offset, NULL, buf, len, done, opaque });
}

void
disk_flush(struct disk *d, disk_done *done, void *opaque)
{
	post((struct request){ .disk = d, .done = done, .opaque = opaque });
}

void
disk_discard(struct disk *d, uint64_t offset, uint64_t len, disk_done *done, void *opaque)
{
	check_extent(d, offset, len);
	post((struct request){ .disk = d, .offset = offset, .done = done, .opaque = opaque });
}

int
disk_read_sync(struct disk *d, uint64_t offset, void *buf, size_t len)
{
	check_extent(d, offset, len);
	move(d, offset, buf, NULL, len);
	return 0;
}

int
disk_write_sync(struct disk *d, uint64_t offset, const void *buf, size_t len)
{
	check_extent(d, offset, len);
	move(d, offset, NULL, buf, len);
	return 0;
}

void
backends_complete(unsigned which, int error)
{
	struct request r;

	if (host.request_count == 0)
		return;
	which %= host.request_count;
	r = host.requests[which];
	memmove(&host.requests[which], &host.requests[which + 1], (--host.request_count - which) * sizeof(r));
	if (error == 0 && (r.to != NULL || r.from != NULL))
		move(r.disk, r.offset, r.to, r.from, r.len);
	r.done(r.opaque, error);
}

void
backends_complete_all(int error)
{
	for (unsigned n = 0; host.request_count > 0; n++) {
		if (n == REQUESTS_MOST)
			fail("requests go on and on");
		backends_complete(0, error);
	}
}

/* ---- a character device ---- */

struct chr *
backends_chr(void)
{
	return &host.chr;
}

void
chr_attach(struct chr *c, const struct chr_user *user)
{
	c->attached = user != NULL;
	if (user != NULL)
		c->user = *user;
}

size_t
chr_write(struct chr *c, const void *data, size_t len)
{
	size_t n = MIN(len, c->room);

	look_at(data, len);
	if (c->room != SIZE_MAX)
		c->room -= n;
	return n;
}

void
chr_accept(struct chr *c)
{
	uint8_t taken[WAITING];
	size_t n;

	if (!c->attached || c->count == 0)
		return;
	n = MIN(c->user.can_receive(c->user.opaque), c->count);
	if (n == 0)
		return;
	memcpy(taken, c->waiting, n);
	c->count -= n;
	memmove(c->waiting, c->waiting + n, c->count);
	c->user.receive(c->user.opaque, taken, n);
}

static void
chr_happens(struct chr *c, struct bytes *b)
{
	uint8_t what = take(b, 1);

	if (!c->attached)
		return;
	switch (what & 3) {
	case 0:
		for (unsigned n = what >> 2; n > 0 && c->count < WAITING; n--)
			c->waiting[c->count++] = take(b, 1);
		chr_accept(c);
		break;
	case 1:
		if (c->user.event != NULL)
			c->user.event(c->user.opaque, (enum chr_event)((what >> 2) % 4));
		break;
	case 2:
		c->room = what >> 2;
		break;
	case 3:
		c->room = SIZE_MAX;
		if (c->user.event != NULL)
			c->user.event(c->user.opaque, CHR_DRAINED);
		break;
	}
}

/* ---- the cable ---- */

struct net_end *
net_end_new(struct net *n, const char *id, const struct net_end_ops *ops, void *opaque)
{
	(void)n, (void)id;
	host.end = (struct net_end){ .ops = ops, .opaque = opaque, .used = true };
	return &host.end;
}

void
net_end_free(struct net_end *end)
{
	end->used = false;
}

bool
net_link_up(const struct net_end *end)
{
	return !end->down;
}

bool
net_peer_takes_segments(const struct net_end *end)
{
	return end->segments;
}

void
net_on_writable(struct net_end *end, void (*writable)(void *opaque), void *opaque)
{
	end->writable = writable;
	end->writable_opaque = opaque;
}

bool
net_send(struct net_end *from, const struct net_frame *f)
{
	size_t len = 0;

	if (f->count > NET_IOV_MAX)
		fail("a frame of too many pieces");
	for (unsigned i = 0; i < f->count; i++) {
		look_at(f->iov[i].iov_base, f->iov[i].iov_len);
		len += f->iov[i].iov_len;
	}
	if (len != f->len || len > NET_FRAME_MAX)
		fail("a frame of another length than it says, or too long for any end");
	if ((f->segment != 0 || f->needs_sum) && !from->segments)
		fail("a segment for an end that takes none");
	return !from->full;
}

void
net_ready(struct net_end *end)
{
	if (end->used && end->refused && !end->down) {
		end->refused = false;
		end->refused = !end->ops->receive(end->opaque, &end->frame);
	}
}

void
backends_frame(const uint8_t *bytes, size_t len)
{
	struct net_end *end = &host.end;

	memcpy(host.frame, bytes, len);
	end->iov = (struct iovec){ host.frame, len };
	end->frame = (struct net_frame){ &end->iov, 1, len, 0, false };
	end->refused = true;
	net_ready(end);
}

static void
net_happens(struct net_end *end, struct bytes *b)
{
	uint8_t what = take(b, 1);
	size_t len, given;

	switch (what & 3) {
	case 0:
	case 1:
		given = take(b, 1) & 0x7f;
		for (size_t i = 0; i < given; i++)
			host.frame[i] = take(b, 1);
		len = 14 + take(b, 2) % (NET_FRAME_WIRE - 13);
		end->iov = (struct iovec){ host.frame, len };
		end->frame = (struct net_frame){ &end->iov, 1, len, 0, false };
		end->refused = true;
		net_ready(end);
		break;
	case 2:
		end->down = what & 4;
		end->segments = what & 8;
		if (end->ops->link != NULL)
			end->ops->link(end->opaque, !end->down);
		break;
	case 3:
		end->full = what & 4;
		if (!end->full && end->writable != NULL)
			end->writable(end->writable_opaque);
		break;
	}
}

/* ---- sound ---- */

struct voice *
voice_new(struct sound *s, const char *name, bool capture, const struct voice_ops *ops, void *opaque)
{
	(void)s, (void)name;
	for (unsigned i = 0; i < VOICES; i++) {
		struct voice *v = &host.voices[i];

		if (!v->used) {
			*v = (struct voice){ ops, opaque, true, capture, false, { 48000, 2, SAMPLE_S16 } };
			return v;
		}
	}
	fail("too many voices");
	return NULL;
}

void
voice_free(struct voice *v)
{
	if (v != NULL)
		v->used = false;
}

void
voice_set_format(struct voice *v, const struct sound_format *f)
{
	v->format = *f;
	if (f->channels < 1 || f->channels > 2 || f->type > SAMPLE_F32)
		fail("a voice with a format that there isn't");
}

void
voice_set_gain(struct voice *v, float left, float right)
{
	(void)v;
	if (!(left >= 0 && left < 100 && right >= 0 && right < 100))
		fail("a gain that there isn't");
}

void
voice_set_active(struct voice *v, bool active)
{
	v->active = active;
}

bool
voice_is_active(const struct voice *v)
{
	return v->active;
}

static size_t
frame_bytes(const struct voice *v)
{
	static const uint8_t sizes[] = { 1, 1, 2, 2, 4, 4, 4 };

	return sizes[v->format.type] * v->format.channels;
}

void
voice_write(struct voice *v, const void *frames, size_t count)
{
	look_at(frames, count * frame_bytes(v));
}

void
voice_read(struct voice *v, void *frames, size_t count)
{
	memset(frames, 0x55, count * frame_bytes(v));
}

void
backends_sound(void)
{
	for (unsigned i = 0; i < VOICES; i++) {
		struct voice *v = &host.voices[i];

		if (v->used && v->active)
			v->ops->catch_up(v->opaque);
	}
}

/* ---- all of it ---- */

static void
look_at_screen(struct fuzz *f, unsigned what)
{
	struct display_text text;
	const struct surface *s;

	if (f->display == NULL || f->dots_left <= 0)
		return;
	if (what & 1)
		f->display->invalidate(f->display->opaque);
	if (what & 2) {
		f->display->text(f->display->opaque, &text);
		if (text.kind == DISPLAY_TEXT)
			look_at(text.cells, (size_t)text.columns * text.rows * sizeof(*text.cells));
	}
	s = f->display->update(f->display->opaque);
	f->dots_left -= (int)MIN((uint64_t)s->width * s->height, 1u << 24);
	if ((what & 12) == 12 && s->height > 0)
		look_at((const uint8_t *)s->pixels + (size_t)(s->height - 1) * s->stride, (size_t)s->width * 4);
	if ((what & 0x30) == 0x30 && f->display->wish != NULL)
		f->display->wish(f->display->opaque, what * 37, what * 23);
}

void
backends_event(struct fuzz *f, struct bytes *b)
{
	uint8_t what = take(b, 1);
	static const int errors[] = { 0, EIO, ENOSPC, 0 };

	switch (what & 7) {
	case 0:
		backends_complete(what >> 5, errors[what >> 3 & 3]);
		break;
	case 1:
		if (host.end.used)
			net_happens(&host.end, b);
		break;
	case 2:
		chr_happens(&host.chr, b);
		break;
	case 3:
		input_key(&f->input, take(b, 1) | (what & 8 ? 0xe000 : 0), what & 16);
		break;
	case 4:
		if (what & 8)
			input_move(&f->input, (int8_t)take(b, 1), (int8_t)take(b, 1), what >> 6, 0, what >> 4);
		else
			input_point(&f->input, take(b, 2) & POINTER_MAX, take(b, 2) & POINTER_MAX, what >> 6, 0, what >> 4);
		break;
	case 5:
		look_at_screen(f, what >> 3);
		break;
	case 6:
		backends_sound();
		break;
	case 7:
		input_release(&f->input);
		break;
	}
}
