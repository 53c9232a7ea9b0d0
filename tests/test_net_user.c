/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The user network, by frames made by hand: ARP (RFC 826), DHCP (RFC 2131), TCP (RFC 793) to a server of the test's, a
 * port of the host's that leads into the guest, a device behind guestfwd=.
 */
#define _GNU_SOURCE /* memmem */
#include "base/clock.h"
#include "base/err.h"
#include "base/loop.h"
#include "base/util.h"
#include "net/net.h"
#include "tests/check_main.h"
#include "tests/net_bytes.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ETHER = 14, IP4 = 20, TCP = 20, UDP = 8, FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, GUEST_PORT = 1234, WAIT_TURNS = 300 };

static const uint8_t guest_mac[6] = { 0x52, 0x54, 0, 0x12, 0x34, 0x56 }, host_mac[6] = { 0x52, 0x55, 10, 0, 2, 2 };
static const uint8_t guest_ip[4] = { 10, 0, 2, 15 }, host_ip[4] = { 10, 0, 2, 2 };

static struct clock *vclock;
static struct loop *loop;
static struct net *net;
static struct net_end *card;
static uint8_t last[NET_FRAME_MAX];     /* the last frame that isn't ARP */
static size_t last_len;
static unsigned frames;
static bool arp_seen;

static void
send_frame(const uint8_t *bytes, size_t len, uint16_t segment)
{
	struct iovec iov[2] = { { (void *)bytes, 20 }, { (uint8_t *)bytes + 20, len - 20 } };
	struct net_frame f = { .iov = iov, .count = 2, .len = len, .segment = segment };

	net_send(card, &f);
}

/* Who has us is answered, as a guest does. */
static void
answer_arp(const uint8_t *request)
{
	uint8_t reply[42];

	if (get16(request + 20) != 1 || memcmp(request + 38, guest_ip, 4) != 0)
		return;
	memcpy(reply, request + 6, 6);
	memcpy(reply + 6, guest_mac, 6);
	memcpy(reply + 12, request + 12, 8);
	put16(reply + 20, 2);
	memcpy(reply + 22, guest_mac, 6);
	memcpy(reply + 28, guest_ip, 4);
	memcpy(reply + 32, request + 22, 10);
	send_frame(reply, sizeof(reply), 0);
}

static bool
receive(void *opaque, const struct net_frame *f)
{
	(void)opaque;
	ck_assert_uint_eq(f->count, 1);
	if (get16((uint8_t *)f->iov[0].iov_base + 12) == 0x0806) {
		arp_seen = arp_seen || get16((uint8_t *)f->iov[0].iov_base + 20) == 2;
		answer_arp(f->iov[0].iov_base);
		return true;
	}
	/* Of IPv6 only the host's advertisements come here. */
	if (get16((uint8_t *)f->iov[0].iov_base + 12) != 0x0800)
		return true;
	last_len = f->len;
	memcpy(last, f->iov[0].iov_base, f->len);
	frames++;
	return true;
}

static const struct net_end_ops card_ops = { .kind = "card", .receive = receive };

static void
set_up(void)
{
	vclock = clock_new(false);
	clock_start(vclock);
	loop = loop_new(vclock);
	net = net_new(loop);
	card = net_end_new(net, NULL, &card_ops, NULL);
	last_len = frames = 0;
	arp_seen = false;
}

static void
tear_down(void)
{
	net_end_free(card);
	net_free(net);
	loop_free(loop);
	clock_free(vclock);
}

static void
start(const char *spec)
{
	struct err e = { "" };
	struct net_end *end = net_add_backend(net, spec, &e);

	ck_assert_msg(end != NULL, "%s: %s", spec, e.text);
	ck_assert_msg(net_connect(card, end, &e), "%s", e.text);
}

static bool
wait_frame(unsigned count)
{
	for (unsigned i = 0; i < WAIT_TURNS && frames < count; i++)
		loop_turn(loop, 10);
	return frames >= count;
}

/* Headers before LEN bytes that stand at their place already. */
static size_t
finish(uint8_t *f, unsigned protocol, size_t transport, size_t len, const uint8_t *to)
{
	uint8_t *ip = f + ETHER, *t = ip + IP4;
	unsigned at = protocol == 6 ? 16 : 6;

	memcpy(f, host_mac, 6);
	memcpy(f + 6, guest_mac, 6);
	put16(f + 12, 0x0800);
	memset(ip, 0, IP4);
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)(IP4 + transport + len));
	ip[8] = 64;
	ip[9] = (uint8_t)protocol;
	memcpy(ip + 12, guest_ip, 4);
	memcpy(ip + 16, to, 4);
	put16(ip + 10, ~slow_sum(ip, IP4, 0) & 0xffff);
	put16(t + at, 0);
	put16(t + at, ~slow_sum(t, transport + len, slow_sum(ip + 12, 8, 0) + protocol + (uint32_t)(transport + len)) & 0xffff);
	return ETHER + IP4 + transport + len;
}

struct tcp {
	const uint8_t *to;
	uint16_t port;
	uint32_t seq, ack;
};

static void
send_tcp(struct tcp *c, unsigned flags, const void *data, size_t len, uint16_t segment)
{
	static uint8_t f[NET_FRAME_MAX];
	uint8_t *t = f + ETHER + IP4;

	memset(t, 0, TCP);
	put16(t, GUEST_PORT);
	put16(t + 2, c->port);
	put32(t + 4, c->seq);
	put32(t + 8, c->ack);
	t[12] = 5 << 4;
	t[13] = (uint8_t)flags;
	put16(t + 14, 0xffff);
	if (len > 0)
		memcpy(t + TCP, data, len);
	size_t all = finish(f, 6, TCP, len, c->to);
	/* What a card leaves to the other end. */
	if (segment != 0)
		put16(t + 16, 0x5555);
	send_frame(f, all, segment);
	c->seq += (uint32_t)len + ((flags & (SYN | FIN)) != 0);
}

/* Of the last frame: its flags, and what it carries. */
static unsigned
take_tcp(struct tcp *c, const uint8_t **data, size_t *len)
{
	const uint8_t *ip = last + ETHER, *t = ip + IP4;
	size_t head = (t[12] >> 4) * 4u, all = get16(ip + 2) - IP4;

	ck_assert_uint_eq(ip[9], 6);
	ck_assert_uint_eq(slow_sum(t, all, slow_sum(ip + 12, 8, 0) + 6 + (uint32_t)all), 0xffff);
	*data = t + head;
	*len = all - head;
	c->ack = get32(t + 4) + (uint32_t)*len + ((t[13] & (SYN | FIN)) != 0);
	return t[13];
}

static int
new_server(uint16_t *port)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	*port = ntohs(address.sin_port);
	return fd;
}

static void
open_connection(struct tcp *c)
{
	const uint8_t *data;
	size_t len;

	send_tcp(c, SYN, NULL, 0, 0);
	ck_assert(wait_frame(1));
	ck_assert_uint_eq(take_tcp(c, &data, &len) & (SYN | ACK | RST), SYN | ACK);
	send_tcp(c, ACK, NULL, 0, 0);
}

START_TEST(arp)
{
	uint8_t f[42] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0x12, 0x34, 0x56, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1 };

	start("user,id=u");
	memcpy(f + 22, guest_mac, 6);
	memcpy(f + 28, guest_ip, 4);
	memcpy(f + 38, host_ip, 4);
	send_frame(f, sizeof(f), 0);
	ck_assert(arp_seen);
}
END_TEST

/* Option CODE of the last frame, a DHCP reply; NULL: it isn't there. */
static const uint8_t *
dhcp_option(uint8_t code)
{
	const uint8_t *p = last + ETHER + IP4 + UDP + 240, *end = last + last_len;

	while (p + 1 < end && *p != 255) {
		if (*p == code)
			return p + 1;
		p += *p == 0 ? 1 : 2 + p[1];
	}
	return NULL;
}

START_TEST(dhcp)
{
	static const uint8_t any[4] = { 255, 255, 255, 255 };
	static const uint8_t options[] = { 0x63, 0x82, 0x53, 0x63, 53, 1, 1, 255 };
	uint8_t f[ETHER + IP4 + UDP + 300] = { 0 }, *udp = f + ETHER + IP4, *bootp = udp + UDP;

	start("user,id=u,net=192.168.76.0/24,dhcpstart=192.168.76.9,dns=192.168.76.7,hostname=guest,tftp=/tmp,bootfile=pxe.0,"
		"domainname=example.org,dnssearch=a.example,dnssearch=b.example");
	put16(udp, 68);
	put16(udp + 2, 67);
	put16(udp + 4, UDP + 300);
	bootp[0] = 1;
	bootp[1] = 1;
	bootp[2] = 6;
	put32(bootp + 4, 0x12345678);
	memcpy(bootp + 28, guest_mac, 6);
	memcpy(bootp + 236, options, sizeof(options));
	finish(f, 17, UDP, 300, any);
	memset(f, 0xff, 6);
	send_frame(f, sizeof(f), 0);
	ck_assert_uint_eq(frames, 1);
	bootp = last + ETHER + IP4 + UDP;
	ck_assert_uint_eq(get32(bootp + 4), 0x12345678);
	ck_assert_mem_eq(bootp + 16, "\300\250\114\011", 4);
	ck_assert_str_eq((char *)bootp + 108, "pxe.0");
	ck_assert_mem_eq(dhcp_option(3), "\4\300\250\114\002", 5);
	ck_assert_mem_eq(dhcp_option(6), "\4\300\250\114\007", 5);
	ck_assert_mem_eq(dhcp_option(12), "\5guest", 6);
	ck_assert_mem_eq(dhcp_option(15), "\13example.org", 12);
	ck_assert_ptr_nonnull(dhcp_option(119));
}
END_TEST

START_TEST(tcp)
{
	struct tcp c = { .to = host_ip, .seq = 1000 };
	int server = new_server(&c.port), peer = -1;
	static uint8_t bytes[40000], got[40000];
	const uint8_t *data;
	size_t len, total = 0;
	ssize_t n;

	start("user,id=u");
	open_connection(&c);
	for (unsigned i = 0; i < WAIT_TURNS && peer < 0; i++) {
		loop_turn(loop, 1);
		peer = accept4(server, NULL, NULL, SOCK_NONBLOCK);
	}
	ck_assert_int_ge(peer, 0);
	/* From the server. */
	ck_assert_int_eq(write(peer, "hello", 5), 5);
	frames = 0;
	ck_assert(wait_frame(1));
	ck_assert_uint_ne(take_tcp(&c, &data, &len) & ACK, 0);
	ck_assert_uint_eq(len, 5);
	ck_assert_mem_eq(data, "hello", 5);
	/* To it, as one long segment without a checksum. */
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 13 + i / 256);
	frames = 0;
	send_tcp(&c, ACK | PSH, bytes, sizeof(bytes), 1460);
	ck_assert(wait_frame(1));
	take_tcp(&c, &data, &len);
	ck_assert_uint_eq(get32(last + ETHER + IP4 + 8), c.seq);
	for (unsigned i = 0; i < WAIT_TURNS && total < sizeof(got); i++) {
		n = read(peer, got + total, sizeof(got) - total);
		total += n > 0 ? (size_t)n : 0;
		loop_turn(loop, 1);
	}
	ck_assert_uint_eq(total, sizeof(got));
	ck_assert_mem_eq(got, bytes, sizeof(got));
	/* The server goes. */
	frames = 0;
	close(peer);
	ck_assert(wait_frame(1));
	ck_assert_uint_ne(take_tcp(&c, &data, &len) & FIN, 0);
	close(server);
}
END_TEST

START_TEST(restricted)
{
	struct tcp c = { .to = host_ip, .seq = 1000 };
	int server = new_server(&c.port);

	start("user,id=u,restrict=on");
	send_tcp(&c, SYN, NULL, 0, 0);
	for (unsigned i = 0; i < 20; i++)
		loop_turn(loop, 5);
	ck_assert_int_lt(accept(server, NULL, NULL), 0);
	close(server);
}
END_TEST

static bool
connects(unsigned port, int *fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port) };

	*fd = socket(AF_INET, SOCK_STREAM, 0);
	return connect(*fd, (struct sockaddr *)&address, sizeof(address)) == 0;
}

START_TEST(hostfwd)
{
	struct tcp c = { .to = host_ip, .seq = 7 };
	struct err e = { "" };
	const uint8_t *data;
	size_t len;
	uint16_t port;
	char *rule;
	int fd;

	close(new_server(&port));
	rule = xasprintf("user,id=u,hostfwd=tcp:127.0.0.1:%u-:80", port);
	start(rule);
	free(rule);
	ck_assert(connects(port, &fd));
	ck_assert(wait_frame(1));
	ck_assert_uint_eq(take_tcp(&c, &data, &len) & (SYN | ACK), SYN);
	ck_assert_uint_eq(get16(last + ETHER + IP4 + 2), 80);
	ck_assert_mem_eq(last + ETHER + 16, guest_ip, 4);
	close(fd);
	/* By the monitor. */
	rule = xasprintf("tcp:127.0.0.1:%u-10.0.2.16:81", port);
	ck_assert(!net_hostfwd(net, NULL, rule, true, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "choose another"));
	ck_assert_ptr_nonnull(strstr(rule, "-10"));
	strcpy(strstr(rule, "-10"), "");
	ck_assert_msg(net_hostfwd(net, "u", rule, false, &e), "%s", e.text);
	ck_assert(!net_hostfwd(net, NULL, rule, false, &e));
	ck_assert(!net_hostfwd(net, "x", rule, false, &e));
	free(rule);
	ck_assert(!connects(port, &fd));
	close(fd);
	rule = xasprintf("udp:[::1]:%u-[fec0::15]:81", port);
	ck_assert_msg(net_hostfwd(net, NULL, rule, true, &e) || strstr(e.text, "doesn't have") != NULL, "%s", e.text);
	free(rule);
}
END_TEST

/* ---- guestfwd= ---- */

static struct net_device_user device_user;
static char device_got[100];
static bool device_full, detached;

static void *
device_open(void *opaque, const char *spec, const struct net_device_user *user, struct err *e)
{
	(void)opaque;
	if (strcmp(spec, "chardev:d-1") != 0) {
		err_set(e, "no such device");
		return NULL;
	}
	device_user = *user;
	return device_got;
}

static size_t
device_write(void *device, const void *bytes, size_t len)
{
	if (device_full)
		return 0;
	strncat(device, bytes, len);
	return len;
}

static void
device_accept(void *device)
{
	(void)device;
}

static void
device_detach(void *device)
{
	(void)device;
	detached = true;
}

START_TEST(guestfwd)
{
	static const uint8_t address[4] = { 10, 0, 2, 100 };
	const struct net_devices devices = { NULL, device_open, device_write, device_accept, device_detach };
	struct tcp c = { .to = address, .port = 99, .seq = 5 };
	struct err e = { "" };
	const uint8_t *data;
	size_t len;

	net_set_devices(net, &devices);
	ck_assert_ptr_null(net_add_backend(net, "user,id=v,guestfwd=tcp:10.0.2.100:99-chardev:x", &e));
	ck_assert_ptr_nonnull(strstr(e.text, "no such device"));
	ck_assert_ptr_null(net_add_backend(net, "user,id=v,guestfwd=tcp:10.9.2.100:99-chardev:d-1", &e));
	ck_assert_ptr_nonnull(strstr(e.text, "not one of the network"));
	start("user,id=u,guestfwd=tcp:10.0.2.100:99-chardev:d-1,guestfwd=tcp:10.0.2.101:99-cmd:cat");
	detached = false;
	open_connection(&c);
	device_full = true;
	send_tcp(&c, ACK | PSH, "one ", 4, 0);
	send_tcp(&c, ACK | PSH, "two", 3, 0);
	ck_assert_str_eq(device_got, "");
	device_full = false;
	loop_turn(loop, 0);
	ck_assert_str_eq(device_got, "one two");
	ck_assert_uint_gt(device_user.room(device_user.opaque), 10);
	frames = 0;
	device_user.input(device_user.opaque, (const uint8_t *)"back", 4);
	ck_assert(wait_frame(1));
	take_tcp(&c, &data, &len);
	ck_assert_uint_eq(len, 4);
	ck_assert_mem_eq(data, "back", 4);
	ck_assert(net_remove_backend(net, "u", &e));
	ck_assert(detached);
}
END_TEST

/* ---- what may come ---- */

/* Frames that are nearly right: nothing of it may hurt. */
START_TEST(garbage)
{
	static uint8_t f[NET_FRAME_WIRE];
	unsigned seed = 1;

	start("user,id=u,restrict=on");
	for (unsigned i = 0; i < 30000; i++) {
		size_t len = 60 + (size_t)rand_r(&seed) % (i % 16 == 0 ? 8000 : 100);
		static const unsigned types[] = { 0x0800, 0x0806, 0x86dd, 0x0800 };
		static const uint8_t protocols[] = { 1, 6, 17, 58 };

		for (size_t n = 0; n < len; n++)
			f[n] = (uint8_t)rand_r(&seed);
		finish(f, protocols[rand_r(&seed) % 4], TCP, len - ETHER - IP4 - TCP, host_ip);
		put16(f + 12, types[i % 4]);
		if (types[i % 4] == 0x86dd)
			f[ETHER] = 0x60;
		for (unsigned n = (unsigned)rand_r(&seed) % 4; n > 0; n--)
			f[ETHER + (unsigned)rand_r(&seed) % 40] = (uint8_t)rand_r(&seed);
		send_frame(f, len, i % 5 == 0 ? 1460 : 0);
		if (i % 64 == 0)
			loop_turn(loop, 0);
	}
}
END_TEST

static const struct { const char *properties, *words; } wrong[] = {
	{ "net=10.0.2.1/24", "bits beyond the mask" },
	{ "net=10.0.2.0/30", "between /1 and /29" },
	{ "net=10.0.2.0/255.0.255.0", "has holes" },
	{ "net=x", "not an IPv4 network" },
	{ "net=10.0.2.0/x", "not a number" },
	{ "host=10.1.2.2", "host= is not" },
	{ "host=10.0.2.3", "dns=" },
	{ "dns=10.1.2.2", "dns=" },
	{ "dhcpstart=10.1.2.2", "dhcpstart=" },
	{ "dhcpstart=10.0.2.2", "dhcpstart=" },
	{ "dns=::1", "not an IPv4 address" },
	{ "ipv6-net=fec0::/200", "too large" },
	{ "ipv6-net=10.0.2.0", "not an IPv6 network" },
	{ "ipv6-host=fec1::1", "ipv6-host= is not" },
	{ "ipv6-dns=fec1::1", "ipv6-dns=" },
	{ "ipv4=off,ipv6=off", "leaves nothing" },
	{ "restrict=maybe", "restrict=" },
	{ "hostname=", "is empty" },
	{ "bootfile=0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789"
		"0123456789012345678901234567890123456789", "too long" },
	{ "smb=/tmp", "smb= is not supported" },
	{ "colour=red", "'colour'" },
	{ "hostfwd=tcp:1", "guest's side is missing" },
	{ "hostfwd=tcp::1-", "port of '' is missing" },
	{ "hostfwd=tcp::x-:1", "not a number" },
	{ "hostfwd=tcp::99999-:1", "too large" },
	{ "hostfwd=tcp::1-:0", "can't be 0" },
	{ "hostfwd=sctp::1-:1", "neither tcp nor udp" },
	{ "hostfwd=tcp:host:1-:1", "not an IP address" },
	{ "hostfwd=tcp:[::1]:1-10.0.2.15:1", "of one kind" },
	{ "hostfwd=tcp:192.0.2.1:5555-:1", "doesn't have that address" },
	{ "guestfwd=tcp:10.0.2.100", "write it as" },
	{ "guestfwd=tcp:10.0.2.100:5-", "write it as" },
	{ "guestfwd=tcp:10.0.2.100:x-cmd:true", "not a number" },
	{ "guestfwd=tcp:10.0.2.2:80-null", "" },
};

START_TEST(wrong_options)
{
	char *spec = xasprintf("user,id=n,%s", wrong[_i].properties);
	struct err e = { "" };

	ck_assert_msg(net_add_backend(net, spec, &e) == NULL, "%s is taken", spec);
	ck_assert_msg(strstr(e.text, wrong[_i].words) != NULL, "%s: %s", spec, e.text);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	free(spec);
}
END_TEST

static const char *const right[] = {
	"", "net=10.1.0.0/16,host=10.1.9.9", "net=192.168.0.0", "net=10.0.2.8/29", "net=172.16.0.0/255.240.0.0", "ipv4=off", "ipv6=off",
	"ipv6-prefix=2001:db8::,ipv6-prefixlen=32", "ipv6-net=2001:db8::/33,ipv6-host=2001:db8::9,ipv6-dns=2001:db8::8", "ipv4", "restrict=y",
};

START_TEST(right_options)
{
	char *spec = xasprintf("user,id=n%s%s", *right[_i] != '\0' ? "," : "", right[_i]);

	start(spec);
	free(spec);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("net_user");
	TCase *t = tcase_create("net_user");

	if (!net_has_user())
		return 77;
	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, arp);
	tcase_add_test(t, dhcp);
	tcase_add_test(t, tcp);
	tcase_add_test(t, restricted);
	tcase_add_test(t, hostfwd);
	tcase_add_test(t, guestfwd);
	tcase_add_test(t, garbage);
	tcase_add_loop_test(t, wrong_options, 0, ARRAY_SIZE(wrong));
	tcase_add_loop_test(t, right_options, 0, ARRAY_SIZE(right));
	suite_add_tcase(s, t);
	return run_suite(s);
}
