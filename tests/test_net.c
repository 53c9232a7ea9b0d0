/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's side of network cards: ends, cables and their queues, hubs, back ends, dumps. */
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
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { KEPT = 64, MAC = 6, ETHER = 14, IP4 = 20, TCP = 20, WAIT_TURNS = 300 };

/* A card that keeps what comes. */
struct card {
	struct net_end *end;
	bool refuses, echoes;
	unsigned count, links, writable;
	bool up;
	size_t bytes, len[KEPT];
	uint8_t *frame[KEPT];
};

static struct clock *vclock;
static struct loop *loop;
static struct net *net;
static struct card a, b, c;

static bool
card_receive(void *opaque, const struct net_frame *f)
{
	struct card *card = opaque;
	unsigned i = card->count;
	size_t at = 0;

	if (card->refuses)
		return false;
	if (i < KEPT) {
		card->len[i] = f->len;
		card->frame[i] = realloc(card->frame[i], f->len);
		for (unsigned n = 0; n < f->count; n++) {
			memcpy(card->frame[i] + at, f->iov[n].iov_base, f->iov[n].iov_len);
			at += f->iov[n].iov_len;
		}
		ck_assert_uint_eq(at, f->len);
	}
	card->count++;
	card->bytes += f->len;
	if (card->echoes)
		net_send(card->end, f);
	return true;
}

static void
card_link(void *opaque, bool up)
{
	struct card *card = opaque;

	card->links++;
	card->up = up;
}

static void
card_describe(void *opaque, char *text, size_t size)
{
	(void)opaque;
	snprintf(text, size, "model=test");
}

static const struct net_end_ops card_ops = { .kind = "card", .receive = card_receive, .link = card_link, .describe = card_describe };
static const struct net_end_ops long_ops = {
	.kind = "card", .takes_segments = true, .receive = card_receive, .link = card_link, .describe = card_describe,
};

static void
set_up(void)
{
	vclock = clock_new(false);
	clock_start(vclock);
	loop = loop_new(vclock);
	net = net_new(loop);
	a = b = c = (struct card){ 0 };
	a.end = net_end_new(net, "a", &card_ops, &a);
	b.end = net_end_new(net, "b", &card_ops, &b);
	c.end = net_end_new(net, "c", &card_ops, &c);
}

static void
drop_card(struct card *card)
{
	net_end_free(card->end);
	for (unsigned i = 0; i < KEPT; i++)
		free(card->frame[i]);
}

static void
tear_down(void)
{
	drop_card(&a);
	drop_card(&b);
	drop_card(&c);
	net_free(net);
	loop_free(loop);
	clock_free(vclock);
}

static bool
send_bytes(struct card *card, const void *bytes, size_t len)
{
	struct iovec iov[2] = { { (void *)bytes, len / 3 }, { (uint8_t *)bytes + len / 3, len - len / 3 } };
	struct net_frame f = { .iov = iov, .count = 2, .len = len };

	return net_send(card->end, &f);
}

/* A frame of LEN bytes, all of them N. */
static bool
send_filled(struct card *card, unsigned n, size_t len)
{
	static uint8_t bytes[NET_FRAME_MAX];

	memset(bytes, (int)n, len);
	return send_bytes(card, bytes, len);
}

/* Turns of the loop until CARD has got COUNT frames; false: they don't come. */
static bool
wait_for(const struct card *card, unsigned count)
{
	for (unsigned i = 0; i < WAIT_TURNS && card->count < count; i++)
		loop_turn(loop, 10);
	return card->count >= count;
}

static void
turns(unsigned n)
{
	while (n-- > 0)
		loop_turn(loop, 1);
}

static struct net_end *
add(const char *spec)
{
	struct err e = { "" };
	struct net_end *end = net_add_backend(net, spec, &e);

	ck_assert_msg(end != NULL, "%s: %s", spec, e.text);
	return end;
}

static void
plug(struct net_end *x, struct net_end *y)
{
	struct err e = { "" };

	ck_assert_msg(net_connect(x, y, &e), "%s", e.text);
}

/* ---- ends ---- */

START_TEST(cable)
{
	struct err e = { "" };

	ck_assert(!net_link_up(a.end));
	ck_assert(send_filled(&a, 1, 100));
	plug(a.end, b.end);
	ck_assert(net_link_up(a.end) && net_link_up(b.end) && a.up && b.up);
	ck_assert(send_filled(&a, 2, 100));
	ck_assert(send_filled(&b, 3, NET_FRAME_WIRE));
	ck_assert_uint_eq(b.count, 1);
	ck_assert_uint_eq(b.len[0], 100);
	ck_assert_uint_eq(b.frame[0][99], 2);
	ck_assert_uint_eq(a.count, 1);
	ck_assert_uint_eq(a.len[0], NET_FRAME_WIRE);
	/* What no wire carries. */
	ck_assert(send_filled(&a, 4, 13));
	ck_assert(send_filled(&a, 4, NET_FRAME_WIRE + 1));
	ck_assert_uint_eq(b.count, 1);
	ck_assert(!net_connect(a.end, c.end, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "connected to 'b' already"));
	ck_assert_ptr_eq(net_find(net, "c"), c.end);
	ck_assert_ptr_null(net_find(net, "d"));
}
END_TEST

START_TEST(links)
{
	struct err e = { "" };

	plug(a.end, b.end);
	b.refuses = true;
	send_filled(&a, 1, 60);
	ck_assert(net_set_link(net, "b", false, &e));
	ck_assert(!net_link_up(a.end) && !a.up && !b.up);
	ck_assert_uint_eq(a.links, 2);
	ck_assert(net_set_link(net, "b", false, &e));
	ck_assert_uint_eq(a.links, 2);
	send_filled(&a, 1, 60);
	/* Both have to be in. */
	ck_assert(net_set_link(net, "a", false, &e));
	ck_assert(net_set_link(net, "b", true, &e));
	ck_assert(!net_link_up(b.end));
	ck_assert(net_set_link(net, "a", true, &e));
	ck_assert(net_link_up(b.end) && a.up && b.up);
	b.refuses = false;
	net_ready(b.end);
	/* What waited has gone with the cable. */
	ck_assert_uint_eq(b.count, 0);
	ck_assert(!net_set_link(net, "x", true, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "'x'"));
}
END_TEST

static void
writable(void *opaque)
{
	((struct card *)opaque)->writable++;
}

START_TEST(queue)
{
	unsigned sent = 0;

	plug(a.end, b.end);
	b.refuses = true;
	while (send_filled(&a, sent, 1000) && sent < 10000)
		sent++;
	ck_assert_uint_gt(sent, 100);
	ck_assert_uint_lt(sent, 1000);
	net_on_writable(a.end, writable, &a);
	net_ready(b.end);
	ck_assert_uint_eq(b.count, 0);
	ck_assert_uint_eq(a.writable, 0);
	b.refuses = false;
	net_ready(b.end);
	/* Not all at once. */
	ck_assert_uint_lt(b.count, sent);
	ck_assert(wait_for(&b, sent + 1));
	ck_assert_uint_eq(b.count, sent + 1);
	for (unsigned i = 0; i < KEPT; i++)
		ck_assert_uint_eq(b.frame[i][500], i);
	ck_assert_uint_eq(a.writable, 1);
}
END_TEST

START_TEST(queue_is_bounded)
{
	plug(a.end, b.end);
	b.refuses = true;
	for (unsigned i = 0; i < 100000; i++)
		send_filled(&a, i, 60);
	for (unsigned i = 0; i < 10000; i++)
		send_filled(&a, i, 9000);
	b.refuses = false;
	net_ready(b.end);
	turns(200);
	ck_assert_uint_gt(b.count, 1000);
	ck_assert_uint_le(b.count, 4096);
	ck_assert_uint_le(b.bytes, 4 << 20);
}
END_TEST

/* Each answers each, without end: the machine goes on, and nobody is called in the middle of being called. */
START_TEST(echoes)
{
	plug(a.end, b.end);
	a.echoes = b.echoes = true;
	send_filled(&a, 1, 60);
	turns(3);
	ck_assert_uint_gt(b.count, 1);
	a.echoes = b.echoes = false;
	turns(3);
}
END_TEST

START_TEST(card_goes)
{
	struct err e = { "" };

	add("hubport,id=p,hubid=1");
	plug(a.end, net_find(net, "p"));
	ck_assert(a.up);
	ck_assert(net_remove_backend(net, "p", &e));
	ck_assert(!a.up && !net_link_up(a.end));
	ck_assert(send_filled(&a, 1, 60));
	ck_assert(!net_remove_backend(net, "p", &e));
	ck_assert(!net_remove_backend(net, "a", &e));
	add("hubport,id=p,hubid=1");
	plug(a.end, net_find(net, "p"));
	net_end_free(a.end);
	a.end = net_end_new(net, "a", &card_ops, &a);
}
END_TEST

/* ---- hubs ---- */

START_TEST(hub)
{
	plug(a.end, add("hubport,id=p,hubid=0"));
	plug(b.end, add("hubport,id=q,hubid=0"));
	add("hubport,id=r,hubid=0,netdev=c");
	send_filled(&a, 7, 60);
	ck_assert_uint_eq(a.count, 0);
	ck_assert_uint_eq(b.count, 1);
	ck_assert_uint_eq(c.count, 1);
	/* A port that is full loses frames, and holds up nobody. */
	c.refuses = true;
	for (unsigned i = 0; i < 20000; i++)
		ck_assert(send_filled(&a, i, 1000));
	ck_assert_uint_eq(b.count, 20001);
}
END_TEST

START_TEST(hub_ring)
{
	plug(a.end, add("hubport,id=p,hubid=0"));
	plug(add("hubport,id=q,hubid=0"), add("hubport,id=r,hubid=1"));
	plug(add("hubport,id=s,hubid=0"), add("hubport,id=t,hubid=1"));
	send_filled(&a, 7, 60);
	turns(5);
	ck_assert_uint_gt(a.count, 0);
}
END_TEST

/* ---- long segments ---- */

/* Of TCP or UDP in IPv4 at IP: 0xffff if the checksum is right. */
static unsigned
check4(const uint8_t *ip)
{
	size_t len = get16(ip + 2) - IP4;

	return slow_sum(ip + IP4, len, slow_sum(ip + 12, 8, 0) + ip[9] + (uint32_t)len);
}

static unsigned
check6(const uint8_t *ip)
{
	size_t len = get16(ip + 4);

	return slow_sum(ip + 40, len, slow_sum(ip + 8, 32, 0) + ip[6] + (uint32_t)len);
}

/* Ethernet, IPv4 and TCP or UDP with LEN bytes behind them; checksum of TCP and UDP left out. */
static size_t
make4(uint8_t *f, unsigned protocol, size_t len)
{
	static const uint8_t head[ETHER + IP4] = {
		0x52, 0x54, 0, 0x12, 0x34, 0x56, 0x52, 0x55, 10, 0, 2, 2, 8, 0,
		0x45, 0, 0, 0, 0x12, 0x34, 0, 0, 64, 0, 0, 0, 10, 0, 2, 15, 10, 0, 2, 2,
	};
	size_t l4 = protocol == 6 ? TCP : 8;
	uint8_t *ip = f + ETHER;

	memcpy(f, head, sizeof(head));
	ip[9] = (uint8_t)protocol;
	put16(ip + 2, (unsigned)(IP4 + l4 + len));
	put16(ip + 10, ~slow_sum(ip, IP4, 0) & 0xffff);
	memset(ip + IP4, 0, l4);
	put16(ip + IP4, 1234);
	put16(ip + IP4 + 2, 80);
	if (protocol == 6) {
		put16(ip + IP4 + 4, 0xffff);
		put16(ip + IP4 + 6, 0xfff0);
		ip[IP4 + 12] = 5 << 4;
		ip[IP4 + 13] = 0x99; /* CWR, ACK, PSH, FIN */
	} else {
		put16(ip + IP4 + 4, (unsigned)(l4 + len));
	}
	for (size_t i = 0; i < len; i++)
		ip[IP4 + l4 + i] = (uint8_t)(i * 7 + i / 256);
	return ETHER + IP4 + l4 + len;
}

static bool
send_long(struct card *card, uint8_t *bytes, size_t len, uint16_t segment)
{
	/* Odd pieces. */
	struct iovec iov[4] = { { bytes, 60 }, { bytes + 60, 1001 }, { bytes + 1061, 3 }, { bytes + 1064, len - 1064 } };
	struct net_frame f = { .iov = iov, .count = 4, .len = len, .segment = segment, .needs_sum = segment == 0 };

	return net_send(card->end, &f);
}

START_TEST(cut4)
{
	static uint8_t f[NET_FRAME_MAX];
	size_t len = make4(f, 6, 4000), at = 0;

	plug(a.end, b.end);
	ck_assert(send_long(&a, f, len, 1461));
	ck_assert_uint_eq(b.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		const uint8_t *ip = b.frame[i] + ETHER, *tcp = ip + IP4;
		size_t n = b.len[i] - ETHER - IP4 - TCP;

		ck_assert_uint_eq(n, i < 2 ? 1461 : 4000 - 2 * 1461);
		ck_assert_uint_eq(get16(ip + 2), IP4 + TCP + n);
		ck_assert_uint_eq(get16(ip + 4), 0x1234 + i);
		ck_assert_uint_eq(slow_sum(ip, IP4, 0), 0xffff);
		ck_assert_uint_eq(check4(ip), 0xffff);
		ck_assert_uint_eq(get32(tcp + 4), (uint32_t)(0xfffffff0 + at));
		ck_assert_uint_eq(tcp[13], i == 0 ? 0x90 : i == 1 ? 0x10 : 0x19);
		ck_assert_mem_eq(tcp + TCP, f + ETHER + IP4 + TCP + at, n);
		at += n;
	}
}
END_TEST

START_TEST(cut6)
{
	static uint8_t f[NET_FRAME_MAX], tagged[] = { 0x81, 0, 0, 5, 0x86, 0xdd };
	size_t payload = 3000, l3 = ETHER + 4;
	uint8_t *ip = f + l3;

	memset(f, 0x44, 12);
	memcpy(f + 12, tagged, sizeof(tagged));
	memset(ip, 0, 40 + TCP);
	ip[0] = 0x60;
	put16(ip + 4, (unsigned)(TCP + payload));
	ip[6] = 6;
	for (unsigned i = 8; i < 40; i++)
		ip[i] = (uint8_t)(i * 11);
	ip[40 + 12] = 5 << 4;
	ip[40 + 13] = 0x10;
	memset(ip + 40 + TCP, 0xfe, payload);
	plug(a.end, b.end);
	ck_assert(send_long(&a, f, l3 + 40 + TCP + payload, 1440));
	ck_assert_uint_eq(b.count, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(get16(b.frame[i] + l3 + 4), TCP + (i < 2 ? 1440 : 120));
		ck_assert_uint_eq(check6(b.frame[i] + l3), 0xffff);
	}
}
END_TEST

START_TEST(sums)
{
	static uint8_t f[NET_FRAME_MAX];
	size_t len = make4(f, 17, 1401);

	plug(a.end, b.end);
	ck_assert(send_long(&a, f, len, 0));
	ck_assert_uint_eq(b.count, 1);
	ck_assert_uint_eq(check4(b.frame[0] + ETHER), 0xffff);
	len = make4(f, 6, 1401);
	ck_assert(send_long(&a, f, len, 0));
	ck_assert_uint_eq(check4(b.frame[1] + ETHER), 0xffff);
	/* Neither one nor the other. */
	f[ETHER + 9] = 50;
	ck_assert(send_long(&a, f, len, 0));
	f[ETHER] = 0x4f;
	ck_assert(send_long(&a, f, len, 1460));
	ck_assert_uint_eq(b.count, 2);
	for (unsigned n = 0; n < 200; n++)
		ck_assert_uint_eq(htons(net_sum(f + 1, n, 0)), slow_sum(f + 1, n, 0));
	memset(f, 0xff, sizeof(f));
	ck_assert_uint_eq(net_sum(f, sizeof(f), 0xffffffff), 0xffff);
}
END_TEST

START_TEST(long_ends)
{
	static uint8_t f[NET_FRAME_MAX];
	struct card d = { 0 };
	size_t len = make4(f, 6, 60000);

	d.end = net_end_new(net, NULL, &long_ops, &d);
	ck_assert_str_eq(net_end_id(d.end), "card.0");
	plug(a.end, d.end);
	ck_assert(net_peer_takes_segments(a.end) && !net_peer_takes_segments(d.end));
	ck_assert(send_long(&a, f, len, 1460));
	ck_assert_uint_eq(d.count, 1);
	ck_assert_uint_eq(d.len[0], len);
	drop_card(&d);
}
END_TEST

/* ---- sockets ---- */

static int
socket_end(const char *spec, int type)
{
	int fd[2];
	char *text;

	ck_assert_int_eq(socketpair(AF_UNIX, type, 0, fd), 0);
	text = xasprintf(spec, fd[0]);
	plug(a.end, add(text));
	free(text);
	fcntl(fd[1], F_SETFL, O_NONBLOCK);
	return fd[1];
}

static void
put_frame(int fd, unsigned fill, size_t len)
{
	static uint8_t bytes[4 + NET_FRAME_MAX];

	memset(bytes, (int)fill, 4 + len);
	put16(bytes, len >> 16);
	put16(bytes + 2, len & 0xffff);
	ck_assert_int_eq(write(fd, bytes, 4 + len), (ssize_t)(4 + len));
}

START_TEST(stream_frames)
{
	int fd = socket_end(_i == 0 ? "socket,id=s,fd=%d" : "stream,id=s,addr.type=fd,addr.str=%d", SOCK_STREAM);
	uint8_t bytes[400];

	send_filled(&a, 9, 300);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 304);
	ck_assert_mem_eq(bytes, "\0\0\1\054\011", 5);
	put_frame(fd, 1, 60);
	put_frame(fd, 2, 61);
	ck_assert(wait_for(&a, 2));
	ck_assert_uint_eq(a.len[1], 61);
	ck_assert_uint_eq(a.frame[1][60], 2);
	/* A byte at a time, and frames that no card gets. */
	for (unsigned i = 0; i < 64; i++) {
		ck_assert_int_eq(write(fd, i == 3 ? "\074" : i < 3 ? "" : "x", 1), 1);
		loop_turn(loop, 0);
	}
	put_frame(fd, 3, 0);
	put_frame(fd, 3, 13);
	put_frame(fd, 3, NET_FRAME_WIRE + 1);
	put_frame(fd, 4, 60);
	ck_assert(wait_for(&a, 4));
	ck_assert_uint_eq(a.frame[2][0], 'x');
	ck_assert_uint_eq(a.frame[3][0], 4);
	/* A peer that speaks another language is left. */
	ck_assert_int_eq(write(fd, "GET / HTTP/1.1\r\n", 16), 16);
	turns(3);
	ck_assert_int_le(read(fd, bytes, sizeof(bytes)), 0);
	ck_assert_int_ne(errno, EAGAIN);
	ck_assert(send_filled(&a, 9, 300));
	close(fd);
}
END_TEST

/* Neither side's queue grows without end, and nothing is lost as long as who sends obeys. */
START_TEST(stream_holds)
{
	int fd = socket_end("socket,id=s,fd=%d", SOCK_STREAM);
	static uint8_t bytes[1 << 20];
	unsigned sent = 0, got = 0;
	ssize_t n;
	size_t total = 0;

	while (send_filled(&a, sent, 1000))
		sent++;
	sent++;
	ck_assert_uint_lt(sent, 5000);
	for (unsigned i = 0; i < WAIT_TURNS; i++) {
		while ((n = read(fd, bytes, sizeof(bytes))) > 0)
			total += (size_t)n;
		loop_turn(loop, 1);
	}
	ck_assert_uint_eq(total, sent * 1004);
	/* The other way: the card takes nothing. */
	a.refuses = true;
	memset(bytes, 0, 1004);
	put16(bytes + 2, 1000);
	for (unsigned i = 0; i < 100000 && got == i; i++) {
		got += write(fd, bytes, 1004) == 1004;
		if (i % 16 == 0)
			loop_turn(loop, 0);
	}
	ck_assert_uint_lt(got, 10000);
	a.refuses = false;
	net_ready(a.end);
	ck_assert(wait_for(&a, got));
	close(fd);
	turns(3);
}
END_TEST

START_TEST(dgram_frames)
{
	int fd = socket_end(_i == 0 ? "socket,id=s,fd=%d" : "dgram,id=s,local.type=fd,local.str=%d", SOCK_DGRAM);
	static uint8_t bytes[80000];

	send_filled(&a, 9, 300);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 300);
	ck_assert_int_eq(write(fd, bytes, 60), 60);
	ck_assert_int_eq(write(fd, bytes, 1), 1);
	ck_assert_int_eq(write(fd, bytes, sizeof(bytes)), (ssize_t)sizeof(bytes));
	ck_assert_int_eq(write(fd, bytes, 61), 61);
	ck_assert(wait_for(&a, 2));
	ck_assert_uint_eq(a.len[1], 61);
	/* Full, and read again. */
	for (unsigned i = 0; i < 2000; i++)
		send_filled(&a, i, 1000);
	ck_assert_int_eq(read(fd, bytes, sizeof(bytes)), 1000);
	close(fd);
	turns(100);
	ck_assert(send_filled(&a, 1, 60));
}
END_TEST

static char *
in_directory(const char *name)
{
	static char path[64];

	snprintf(path, sizeof(path), "/tmp/test_net.%d.%s", (int)getpid(), name);
	return path;
}

static void
add_text(struct card *card, char *text)
{
	plug(card->end, add(text));
	free(text);
}

START_TEST(unix_peers)
{
	/* The client is there first, and comes back. */
	add_text(&a, xasprintf("stream,id=k,reconnect=1,addr.type=unix,addr.path=%s", in_directory("unix")));
	add_text(&b, xasprintf("stream,id=l,server=on,addr.type=unix,addr.path=%s", in_directory("unix")));
	for (unsigned i = 0; i < 150 && b.count == 0; i++) {
		send_filled(&a, 5, 60);
		loop_turn(loop, 20);
	}
	ck_assert_uint_gt(b.count, 0);
	send_filled(&b, 6, 70);
	ck_assert(wait_for(&a, 1));
	ck_assert_uint_eq(a.len[0], 70);
	ck_assert(net_remove_backend(net, "l", NULL));
	ck_assert_int_ne(access(in_directory("unix"), F_OK), 0);
	turns(5);
	add_text(&c, xasprintf("stream,id=m,server=on,addr.type=unix,addr.path=%s", in_directory("unix")));
	for (unsigned i = 0; i < 150 && c.count == 0; i++) {
		send_filled(&a, 5, 60);
		loop_turn(loop, 20);
	}
	ck_assert_uint_gt(c.count, 0);
}
END_TEST

/* A port of this host's that was free a moment ago. */
static unsigned
free_port(int type)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int fd = socket(AF_INET, type, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	getsockname(fd, (struct sockaddr *)&address, &len);
	close(fd);
	return ntohs(address.sin_port);
}

START_TEST(tcp_peers)
{
	unsigned port = free_port(SOCK_STREAM);
	struct err e = { "" };
	char *text = xasprintf("socket,id=x,connect=127.0.0.1:%u", port);

	ck_assert_ptr_null(net_add_backend(net, text, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "nobody listens there"));
	free(text);
	add_text(&a, xasprintf("socket,id=k,listen=127.0.0.1:%u", port));
	text = xasprintf("socket,id=x,listen=127.0.0.1:%u", port);
	ck_assert_ptr_null(net_add_backend(net, text, &e));
	ck_assert_ptr_nonnull(strstr(e.text, "in use"));
	free(text);
	add_text(&b, xasprintf("socket,id=l,connect=127.0.0.1:%u", port));
	send_filled(&b, 1, 60);
	ck_assert(wait_for(&a, 1));
	send_filled(&a, 1, NET_FRAME_WIRE);
	ck_assert(wait_for(&b, 1));
	/* The next one comes when the first has gone. */
	add_text(&c, xasprintf("stream,id=m,addr.type=inet,addr.host=127.0.0.1,addr.port=%u", port));
	send_filled(&c, 1, 61);
	turns(10);
	ck_assert_uint_eq(a.count, 1);
	ck_assert(net_remove_backend(net, "l", &e));
	ck_assert(wait_for(&a, 2));
	ck_assert_uint_eq(a.len[1], 61);
}
END_TEST

START_TEST(udp_peers)
{
	unsigned p = free_port(SOCK_DGRAM), q = free_port(SOCK_DGRAM);

	add_text(&a, xasprintf("socket,id=k,udp=127.0.0.1:%u,localaddr=127.0.0.1:%u", p, q));
	add_text(&b, xasprintf("dgram,id=l,local.type=inet,local.host=127.0.0.1,local.port=%u,remote.type=inet,"
		"remote.host=127.0.0.1,remote.port=%u", p, q));
	send_filled(&a, 1, 60);
	ck_assert(wait_for(&b, 1));
	send_filled(&b, 1, 1514);
	ck_assert(wait_for(&a, 1));
	add_text(&c, xasprintf("dgram,id=m,local.type=unix,local.path=%s,remote.type=unix,remote.path=/nonexistent/x",
		in_directory("dgram")));
	for (unsigned i = 0; i < 1000; i++)
		ck_assert(send_filled(&c, 1, 60));
}
END_TEST

/* A group reaches all but who sends; hosts without multicast are left out. */
START_TEST(group)
{
	unsigned port = free_port(SOCK_DGRAM);
	char *text = xasprintf("socket,id=k,mcast=230.0.0.7:%u,localaddr=127.0.0.1", port);
	struct err e = { "" };
	struct net_end *end = net_add_backend(net, text, &e);

	free(text);
	if (end == NULL) {
		fprintf(stderr, "no multicast here: %s\n", e.text);
		return;
	}
	plug(a.end, end);
	add_text(&b, xasprintf("socket,id=l,mcast=230.0.0.7:%u,localaddr=127.0.0.1", port));
	add_text(&c, xasprintf("dgram,id=m,remote.type=inet,remote.host=230.0.0.7,remote.port=%u,local.type=inet,"
		"local.host=127.0.0.1,local.port=0", port));
	send_filled(&a, 1, 60);
	ck_assert(wait_for(&b, 1) && wait_for(&c, 1));
	send_filled(&c, 1, 61);
	ck_assert(wait_for(&a, 1) && wait_for(&b, 2));
	turns(10);
	ck_assert_uint_eq(a.count, 1);
	ck_assert_uint_eq(c.count, 1);
}
END_TEST

/* ---- the dump ---- */

START_TEST(dump)
{
	struct err e = { "" };
	uint8_t file[400];
	FILE *f;
	char *spec = xasprintf("id=f,netdev=a,file=%s,maxlen=80", in_directory("pcap"));

	ck_assert_msg(net_add_dump(net, spec, &e), "%s", e.text);
	free(spec);
	plug(a.end, b.end);
	send_filled(&a, 0x11, 60);
	send_filled(&b, 0x22, 100);
	f = fopen(in_directory("pcap"), "rb");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fread(file, 1, sizeof(file), f), 24 + 16 + 60 + 16 + 80);
	fclose(f);
	unlink(in_directory("pcap"));
	ck_assert_uint_eq(load_le(file, 4), 0xa1b2c3d4);
	ck_assert_uint_eq(load_le(file + 4, 4), 0x00040002);
	ck_assert_uint_eq(load_le(file + 8, 8), 0);
	ck_assert_uint_eq(load_le(file + 16, 4), 80);
	ck_assert_uint_eq(load_le(file + 20, 4), 1);
	ck_assert_uint_gt(load_le(file + 24, 4), 1500000000);
	ck_assert_uint_lt(load_le(file + 28, 4), 1000000);
	ck_assert_uint_eq(load_le(file + 32, 4), 60);
	ck_assert_uint_eq(load_le(file + 36, 4), 60);
	ck_assert_uint_eq(file[40], 0x11);
	ck_assert_uint_eq(load_le(file + 100 + 8, 4), 80);
	ck_assert_uint_eq(load_le(file + 100 + 12, 4), 100);
	ck_assert_uint_eq(file[100 + 16 + 79], 0x22);
	ck_assert(!net_add_dump(net, "id=g,netdev=zz,file=/tmp/x", &e));
	ck_assert_ptr_nonnull(strstr(e.text, "netdev=zz"));
	ck_assert(!net_add_dump(net, "id=g,netdev=a,file=/nonexistent/x", &e));
	ck_assert(!net_add_dump(net, "netdev=a,file=/tmp/x", &e));
}
END_TEST

/* ---- wrong options ---- */

static const struct { const char *spec, *words; } wrong[] = {
	{ "pigeon,id=n", "not a known kind" },
	{ "", "not a known kind" },
	{ "bridge,id=n,br=br0", "bridge is not supported" },
	{ "vde,id=n", "vde is not supported" },
	{ "hubport,id=n", "hubid=N is missing" },
	{ "hubport,id=n,hubid=x", "not a number" },
	{ "hubport,id=n,hubid=0,colour=red", "'colour'" },
	{ "hubport,id=n,hubid=0,netdev=zz", "netdev=zz" },
	{ "hubport,id=a,hubid=0", "'a' already" },
	{ "socket,id=n", "is needed" },
	{ "socket,id=n,listen=:1,connect=:1", "is needed" },
	{ "socket,id=n,listen=1", "port is missing" },
	{ "socket,id=n,listen=:99999", "too large" },
	{ "socket,id=n,connect=127.0.0.1:x", "not a number" },
	{ "socket,id=n,fd=99", "not open" },
	{ "socket,id=n,fd=1", "not open" },
	{ "socket,id=n,udp=127.0.0.1:5", "localaddr=" },
	{ "socket,id=n,connect=127.0.0.1:5,localaddr=127.0.0.1:6", "localaddr=" },
	{ "socket,id=n,mcast=10.0.0.1:5", "not a group" },
	{ "stream,id=n", "addr.type" },
	{ "stream,id=n,addr.type=pipe", "addr.type=pipe" },
	{ "stream,id=n,addr.type=inet,addr.host=x", "addr.port=" },
	{ "stream,id=n,addr.type=unix", "addr.path= is missing" },
	{ "stream,id=n,addr.type=unix,addr.path=/nonexistent/x", "nobody listens" },
	{ "stream,id=n,server=on,addr.type=unix,addr.path=/nonexistent/x", "directory" },
	{ "stream,id=n,server=on,reconnect=2,addr.type=inet,addr.port=5", "reconnect=" },
	{ "stream,id=n,server=maybe,addr.type=inet,addr.port=5", "server=" },
	{ "stream,id=n,addr.type=fd,addr.str=x", "not a number" },
	{ "dgram,id=n", "needed" },
	{ "dgram,id=n,local.type=inet,local.host=127.0.0.1,local.port=5", "needed" },
	{ "dgram,id=n,remote.type=inet,remote.host=127.0.0.1,remote.port=5", "needed" },
	{ "dgram,id=n,local.type=unix,local.path=/tmp/x,remote.type=inet,remote.host=127.0.0.1,remote.port=5", "one kind" },
	{ "tap,id=n,vhost=on", "vhost" },
	{ "tap,id=n,ifname=much-too-long-a-name", "1 to 15" },
	{ "tap,id=n,fd=99", "not open" },
	{ "tap,id=n,br=br0", "br=" },
	{ "tap,id=n,queues=4", "queues" },
};

START_TEST(wrong_options)
{
	struct err e = { "" };

	ck_assert_msg(net_add_backend(net, wrong[_i].spec, &e) == NULL, "%s is taken", wrong[_i].spec);
	ck_assert_msg(strstr(e.text, wrong[_i].words) != NULL, "%s: %s", wrong[_i].spec, e.text);
	ck_assert_ptr_null(strchr(e.text, '\n'));
	ck_assert_ptr_null(net_find(net, "n"));
}
END_TEST

static void
keep_line(void *opaque, const char *text)
{
	strcat(opaque, text);
	strcat(opaque, "\n");
}

START_TEST(information)
{
	char text[2000] = "";
	struct net_end *q;

	plug(a.end, add("hubport,id=p,hubid=3"));
	q = add("hubport,id=q,hubid=3");

	plug(q, add("hubport,hubid=4"));
	add("hubport,id=r,hubid=4");
	ck_assert(net_set_link(net, "r", false, NULL));
	net_walk(net, keep_line, text);
	ck_assert_str_eq(text, "a: index=0,type=nic,model=test\n \\ p: index=0,type=hubport,hubid=3\nb: index=0,type=nic,model=test\n"
		"c: index=0,type=nic,model=test\nq: index=0,type=hubport,hubid=3\n \\ hub4port0: index=0,type=hubport,hubid=4\n"
		"r: index=0,type=hubport,hubid=4,link=off\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("net");
	TCase *t = tcase_create("net");

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, cable);
	tcase_add_test(t, links);
	tcase_add_test(t, queue);
	tcase_add_test(t, queue_is_bounded);
	tcase_add_test(t, echoes);
	tcase_add_test(t, card_goes);
	tcase_add_test(t, hub);
	tcase_add_test(t, hub_ring);
	tcase_add_test(t, cut4);
	tcase_add_test(t, cut6);
	tcase_add_test(t, sums);
	tcase_add_test(t, long_ends);
	tcase_add_loop_test(t, stream_frames, 0, 2);
	tcase_add_test(t, stream_holds);
	tcase_add_loop_test(t, dgram_frames, 0, 2);
	tcase_add_test(t, unix_peers);
	tcase_add_test(t, tcp_peers);
	tcase_add_test(t, udp_peers);
	tcase_add_test(t, group);
	tcase_add_test(t, dump);
	tcase_add_loop_test(t, wrong_options, 0, ARRAY_SIZE(wrong));
	tcase_add_test(t, information);
	suite_add_tcase(s, t);
	return run_suite(s);
}
