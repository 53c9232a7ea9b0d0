/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -object filter-dump: the frames of a network, as they pass, in a file of libpcap's format (version 2.4, times in
 * microseconds).  Long segments stand there whole, as hosts show their own.
 */
#include "net/backend.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PCAP_MAGIC = 0xa1b2c3d4, PCAP_MAJOR = 2, PCAP_MINOR = 4, PCAP_ETHERNET = 1, NS_PER_US = 1000 };

struct pcap_file {
	uint32_t magic;
	uint16_t major, minor;
	uint32_t zone, accuracy, longest, link;
};

struct pcap_record {
	uint32_t seconds, microseconds, kept, len;
};

struct dump {
	struct net_tap tap;
	struct loop *loop;
	char *id, *file;
	int fd;                 /* -1: it could not be written any more */
	uint64_t start_us;      /* what the world's clock said when the machine's stood at zero */
	size_t longest;
	struct dump *next;
};

/* ---- writing ---- */

static bool
write_record(void *opaque, const struct net_frame *f)
{
	struct dump *d = opaque;
	uint64_t us = d->start_us + clock_now(loop_clock(d->loop)) / NS_PER_US;
	struct pcap_record r = { us / 1000000, us % 1000000, MIN(f->len, d->longest), f->len };
	struct iovec iov[1 + NET_IOV_MAX + 1] = { { &r, sizeof(r) } };
	size_t left = r.kept;
	unsigned n = 1;

	for (unsigned i = 0; i < f->count && left > 0 && n < ARRAY_SIZE(iov); i++, n++) {
		iov[n].iov_base = f->iov[i].iov_base;
		iov[n].iov_len = MIN(f->iov[i].iov_len, left);
		left -= iov[n].iov_len;
	}
	if (writev(d->fd, iov, (int)n) == (ssize_t)(sizeof(r) + r.kept))
		return true;
	fprintf(stderr, "calque: %s: %s; what follows is not recorded\n", d->file, errno != 0 ? strerror(errno) : "the disk is full");
	close(d->fd);
	d->fd = -1;
	return true;
}

static void
see(void *opaque, const struct net_frame *f)
{
	struct dump *d = opaque;
	struct net_frame whole = *f;

	errno = 0;
	whole.needs_sum = f->needs_sum || f->segment != 0;
	whole.segment = 0;
	if (d->fd < 0)
		return;
	if (whole.needs_sum)
		net_make_plain(&whole, write_record, d);
	else
		write_record(d, &whole);
}

static bool
begin_file(struct dump *d, struct err *e)
{
	struct pcap_file h = {
		.magic = PCAP_MAGIC,
		.major = PCAP_MAJOR,
		.minor = PCAP_MINOR,
		.longest = (uint32_t)d->longest,
		.link = PCAP_ETHERNET,
	};

	d->fd = open(d->file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (d->fd < 0)
		return err_set(e, "file=%s: %s", d->file, strerror(errno));
	return write(d->fd, &h, sizeof(h)) == (ssize_t)sizeof(h) || err_set(e, "file=%s: it can't be written: %s", d->file, strerror(errno));
}

/* ---- its beginning and end ---- */

static void
free_dump(struct dump *d)
{
	if (d->fd >= 0)
		close(d->fd);
	free((char *)d->tap.about);
	free(d->id);
	free(d->file);
	free(d);
}

void
dumps_free(struct dump *d)
{
	while (d != NULL) {
		struct dump *next = d->next;

		free_dump(d);
		d = next;
	}
}

static bool
add_dump(struct net *n, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "id"), *netdev = keyval_str(k, "netdev"), *file = keyval_str(k, "file");
	struct net_end *end = netdev != NULL ? net_find(n, netdev) : NULL;
	uint64_t longest = 65536;
	struct timespec now;

	if (id == NULL || netdev == NULL || file == NULL)
		return err_set(e, "id=ID, netdev=ID and file=FILE are needed");
	if (end == NULL)
		return err_set(e, "netdev=%s: there is no network with that id", netdev);
	if (!keyval_uint(k, "maxlen", UINT32_MAX, &longest, e) || !keyval_only(k, "queue", "all", e) ||
	    !keyval_only(k, "status", "on", e) || !keyval_only(k, "position", "*", e) || !keyval_only(k, "insert", "*", e) ||
	    !keyval_end(k, e))
		return false;
	struct dump *d = xcalloc(1, sizeof(*d));

	clock_gettime(CLOCK_REALTIME, &now);
	d->loop = net_loop(n);
	d->id = xstrdup(id);
	d->file = xstrdup(file);
	d->longest = longest;
	d->start_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / NS_PER_US - clock_now(loop_clock(d->loop)) / NS_PER_US;
	if (!begin_file(d, e)) {
		free_dump(d);
		return false;
	}
	d->tap = (struct net_tap){ .opaque = d, .see = see, .about = xasprintf("%s: type=filter-dump,file=%s", id, file) };
	net_add_tap(end, &d->tap);
	d->next = *net_dumps(n);
	*net_dumps(n) = d;
	return true;
}

bool
net_add_dump(struct net *n, const char *spec, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, spec, NULL, e) && add_dump(n, &k, e);

	keyval_free(&k);
	return ok;
}
