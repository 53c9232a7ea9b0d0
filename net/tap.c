/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -netdev tap: an interface of the host's whose other side is here.  Frames have a header of virtio's before them, which
 * lets the host take and give TCP segments longer than the wire's, and leave checksums for later.
 */
#include "net/address.h"
#include "net/backend.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/loop.h"
#include "base/util.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TURN_MOST = 64 };

static const char UP_SCRIPT[] = "/etc/qemu-ifup", DOWN_SCRIPT[] = "/etc/qemu-ifdown";

struct tap {
	struct net_end *end;
	struct loop *loop;
	int fd;
	struct loop_fd *watch;
	char name[IFNAMSIZ];
	char *down_script;              /* NULL: none */
	bool header;                    /* frames have one */
	bool paused, blocked;           /* the other end, or the interface, takes no more */
	uint8_t in[sizeof(struct virtio_net_hdr) + NET_FRAME_MAX];
};

extern char **environ;

static void resume(void *opaque);

/* ---- frames ---- */

static void
watch_tap(struct tap *t)
{
	loop_set_events(t->watch, (short)((t->paused ? 0 : POLLIN) | (t->blocked ? POLLOUT : 0)));
}

static bool
hand_on(struct tap *t, size_t len)
{
	struct virtio_net_hdr h = { 0 };
	size_t skip = t->header ? sizeof(h) : 0;
	struct iovec iov = { t->in + skip, len - skip };
	struct net_frame f = { .iov = &iov, .count = 1, .len = len - skip };

	if (len < skip)
		return true;
	memcpy(&h, t->in, skip);
	f.needs_sum = (h.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) != 0;
	if (h.gso_type != VIRTIO_NET_HDR_GSO_NONE)
		f.segment = h.gso_size;
	return net_send(t->end, &f);
}

static void
read_frames(struct tap *t)
{
	for (unsigned i = 0; i < TURN_MOST && !t->paused; i++) {
		ssize_t n = read(t->fd, t->in, sizeof(t->in));

		if (n <= 0)
			break;
		t->paused = !hand_on(t, (size_t)n);
	}
	if (t->paused)
		net_on_writable(t->end, resume, t);
}

static void
resume(void *opaque)
{
	struct tap *t = opaque;

	t->paused = false;
	watch_tap(t);
}

/* An interface that was deleted is an error without end. */
static void
tap_ready(void *opaque, short events)
{
	struct tap *t = opaque;
	bool was_blocked = t->blocked;

	if ((events & (POLLERR | POLLNVAL)) != 0) {
		loop_set_events(t->watch, 0);
		return;
	}
	if ((events & POLLOUT) != 0)
		t->blocked = false;
	if ((events & POLLIN) != 0 && !t->paused)
		read_frames(t);
	watch_tap(t);
	if (was_blocked && !t->blocked)
		net_ready(t->end);
}

/* False: the frame is not one that a header can describe. */
static bool
fill_header(struct virtio_net_hdr *h, const struct net_frame *f)
{
	struct net_headers parts;

	*h = (struct virtio_net_hdr){ 0 };
	if (f->segment == 0 && !f->needs_sum)
		return true;
	if (!net_parse(f, &parts) || (f->segment != 0 && !parts.tcp))
		return false;
	h->flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->csum_start = (uint16_t)parts.transport;
	h->csum_offset = parts.tcp ? 16 : 6;
	if (f->segment != 0) {
		h->gso_type = parts.ipv6 ? VIRTIO_NET_HDR_GSO_TCPV6 : VIRTIO_NET_HDR_GSO_TCPV4;
		h->gso_size = f->segment;
		h->hdr_len = (uint16_t)parts.payload;
	}
	return true;
}

static bool
tap_receive(void *opaque, const struct net_frame *f)
{
	struct tap *t = opaque;
	struct virtio_net_hdr h;
	struct iovec iov[1 + NET_IOV_MAX] = { { &h, sizeof(h) } };
	ssize_t n;

	if (f->count > NET_IOV_MAX || !fill_header(&h, f))
		return true;
	memcpy(iov + 1, f->iov, f->count * sizeof(*iov));
	do
		n = t->header ? writev(t->fd, iov, (int)f->count + 1) : writev(t->fd, f->iov, (int)f->count);
	while (n < 0 && errno == EINTR);
	if (n >= 0 || errno != EAGAIN)
		return true;
	t->blocked = true;
	watch_tap(t);
	return false;
}

/* ---- the end ---- */

/* Runs FILE with the interface's name, and waits for it. */
static bool
run_script(const char *file, const char *name, struct err *e)
{
	char *argv[] = { (char *)file, (char *)name, NULL };
	posix_spawnattr_t attr;
	sigset_t none;
	int status, error;
	pid_t child;

	sigemptyset(&none);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	error = posix_spawn(&child, file, NULL, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	if (error != 0)
		return err_set(e, "%s: %s", file, strerror(error));
	while (waitpid(child, &status, 0) < 0) {
		if (errno != EINTR)
			return err_set(e, "%s: %s", file, strerror(errno));
	}
	return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
		err_set(e, "%s %s failed; see what it wrote, or use script=no", file, name);
}

static void
tap_describe(void *opaque, char *text, size_t size)
{
	const struct tap *t = opaque;

	snprintf(text, size, "ifname=%s,vnet_hdr=%s", t->name, t->header ? "on" : "off");
}

static void
tap_close(void *opaque)
{
	struct tap *t = opaque;

	loop_remove_fd(t->watch);
	if (t->down_script != NULL)
		run_script(t->down_script, t->name, NULL);
	if (t->fd >= 0)
		close(t->fd);
	free(t->down_script);
	free(t);
}

static const struct net_end_ops header_ops = {
	.kind = "tap",
	.takes_segments = true,
	.receive = tap_receive,
	.describe = tap_describe,
	.close = tap_close,
};

static const struct net_end_ops plain_ops = {
	.kind = "tap",
	.receive = tap_receive,
	.describe = tap_describe,
	.close = tap_close,
};

/* ---- its beginning ---- */

static bool
open_interface(struct tap *t, const char *name, bool header, struct err *e)
{
	struct ifreq r = { 0 };

	if (name != NULL && (*name == '\0' || strlen(name) >= sizeof(r.ifr_name)))
		return err_set(e, "ifname=%s: an interface's name has 1 to %zu characters", name, sizeof(r.ifr_name) - 1);
	t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (t->fd < 0)
		return err_set(e, "/dev/net/tun: %s; %s", strerror(errno),
			errno == EACCES || errno == EPERM ? "run as root, hand over fd=, or use -nic user" : "is the module tun loaded?");
	strcpy(r.ifr_name, name != NULL ? name : "tap%d");
	r.ifr_flags = (short)(IFF_TAP | IFF_NO_PI | (header ? IFF_VNET_HDR : 0));
	if (ioctl(t->fd, TUNSETIFF, &r) != 0) {
		int error = errno;

		return err_set(e, "interface %s: %s; %s", r.ifr_name, strerror(error),
			error == EPERM ? "run as root, or have it made for you by `ip tuntap add mode tap user YOU`" :
			error == EBUSY ? "another program uses it" : "choose another name");
	}
	strcpy(t->name, r.ifr_name);
	t->header = header;
	return true;
}

/* A descriptor of somebody else's making: it says itself what it is. */
static bool
adopt(struct tap *t, const char *text, struct err *e)
{
	struct ifreq r = { 0 };

	if (!address_take_fd(text, &t->fd, e))
		return false;
	if (ioctl(t->fd, TUNGETIFF, &r) != 0 || (r.ifr_flags & IFF_TAP) == 0)
		return err_set(e, "fd=%s is not a tap interface", text);
	strcpy(t->name, r.ifr_name);
	t->header = (r.ifr_flags & IFF_VNET_HDR) != 0;
	return true;
}

static void
set_offload(struct tap *t)
{
	int size = sizeof(struct virtio_net_hdr);

	if (t->header && (ioctl(t->fd, TUNSETVNETHDRSZ, &size) != 0 ||
	    ioctl(t->fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6) != 0))
		ioctl(t->fd, TUNSETOFFLOAD, 0);
}

/* What KEY names: "no" is none; without KEY the usual script, if there is one. */
static const char *
script(struct keyval *k, const char *key, const char *usual)
{
	const char *file = keyval_str(k, key);

	if (file == NULL)
		return access(usual, X_OK) == 0 ? usual : NULL;
	return strcmp(file, "no") == 0 || *file == '\0' ? NULL : file;
}

static bool
refuse_others(struct keyval *k, struct err *e)
{
	bool vhost = false;
	uint64_t queues = 1;

	if (!keyval_bool(k, "vhost", &vhost, e) || !keyval_uint(k, "queues", 256, &queues, e))
		return false;
	if (vhost || keyval_str(k, "vhostfd") != NULL || keyval_str(k, "vhostfds") != NULL)
		return err_set(e, "vhost is not supported: it is for virtio cards; leave it out");
	if (queues != 1 || keyval_str(k, "fds") != NULL)
		return err_set(e, "several queues are not supported; use fd= alone");
	if (keyval_str(k, "br") != NULL || keyval_str(k, "helper") != NULL)
		return err_set(e, "br= and helper= are not supported; make the interface before, and use ifname=NAME,script=no");
	return true;
}

static bool
set_up(struct tap *t, struct keyval *k, struct err *e)
{
	const char *name = keyval_str(k, "ifname"), *fd = keyval_str(k, "fd");
	const char *up = script(k, "script", UP_SCRIPT), *down = script(k, "downscript", DOWN_SCRIPT);
	const char *sndbuf = keyval_str(k, "sndbuf");
	uint64_t send_bytes = 0;
	bool header = true;

	if (!refuse_others(k, e) || !keyval_bool(k, "vnet_hdr", &header, e) ||
	    (sndbuf != NULL && !parse_size(sndbuf, 1, &send_bytes, e)))
		return false;
	if (fd != NULL && (name != NULL || keyval_str(k, "script") != NULL || keyval_str(k, "downscript") != NULL))
		return err_set(e, "with fd= there is no ifname=, script= and downscript=");
	if (fd != NULL ? !adopt(t, fd, e) : !open_interface(t, name, header, e))
		return false;
	set_offload(t);
	if (send_bytes != 0) {
		int bytes = (int)MIN(send_bytes, (uint64_t)INT32_MAX);

		ioctl(t->fd, TUNSETSNDBUF, &bytes);
	}
	if (fd == NULL && up != NULL && !run_script(up, t->name, e))
		return false;
	t->down_script = fd == NULL && down != NULL ? xstrdup(down) : NULL;
	return true;
}

struct net_end *
tap_open(struct net *n, const char *id, struct keyval *k, struct err *e)
{
	struct tap *t = xcalloc(1, sizeof(*t));

	t->loop = net_loop(n);
	t->fd = -1;
	if (!set_up(t, k, e)) {
		tap_close(t);
		return NULL;
	}
	t->watch = loop_add_fd(t->loop, t->fd, POLLIN, tap_ready, t);
	t->end = net_end_new(n, id, t->header ? &header_ops : &plain_ops, t);
	return t->end;
}
