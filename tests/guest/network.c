/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Both ends of network.sh and of tests/bench/net.sh.  As the first process of a guest: gets the card going, then measures a
 * transfer from the host and one to it; with netcheck=1 among the kernel's parameters, the card tests itself before, and what
 * comes is compared.  On the host: "network send PORT BYTES" and "network receive PORT BYTES".
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/route.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { GUEST_PORT = 5001, CHUNK = 256 * 1024 };

/* What is sent, again and again, and what came. */
static unsigned char pattern[CHUNK], chunk[CHUNK];
static bool checks;

static void
make_pattern(void)
{
	unsigned v = 1;

	for (unsigned i = 0; i < CHUNK; i++) {
		v = v * 1664525 + 1013904223;
		pattern[i] = (unsigned char)(v >> 24);
	}
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct sockaddr_in
address(const char *ip, unsigned port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };

	inet_pton(AF_INET, ip, &a.sin_addr);
	return a;
}

/* A connection to IP, within 20 seconds. */
static int
dial(const char *ip, unsigned port)
{
	struct sockaddr_in a = address(ip, port);

	for (unsigned i = 0; i < 200; i++) {
		int s = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(s, (struct sockaddr *)&a, sizeof(a)) == 0)
			return s;
		close(s);
		usleep(100000);
	}
	return -1;
}

/* The first who calls. */
static int
answer(const char *ip, unsigned port)
{
	struct sockaddr_in a = address(ip, port);
	int s = socket(AF_INET, SOCK_STREAM, 0), on = 1;

	setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 || listen(s, 1) != 0)
		return -1;
	int c = accept(s, NULL, NULL);

	close(s);
	return c;
}

/* How many bytes came; -1: others than were sent. */
static long long
take_all(int s)
{
	long long total = 0;
	ssize_t n;

	while ((n = read(s, chunk, sizeof(chunk))) > 0) {
		size_t at = (size_t)(total % CHUNK), part = (size_t)n < CHUNK - at ? (size_t)n : CHUNK - at;

		if (checks && (memcmp(chunk, pattern + at, part) != 0 || memcmp(chunk + part, pattern, (size_t)n - part) != 0))
			return -1;
		total += n;
	}
	return total;
}

static long long
send_all(int s, long long bytes)
{
	long long total = 0;
	ssize_t n;

	while (total < bytes) {
		size_t at = (size_t)(total % CHUNK), most = CHUNK - at;

		n = write(s, pattern + at, bytes - total < (long long)most ? (size_t)(bytes - total) : most);
		if (n <= 0)
			break;
		total += n;
	}
	return total;
}

/* ---- the guest ---- */

static void
load(const char *module)
{
	int fd = open(module, O_RDONLY);

	if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0) != 0)
		printf("%s: %s\n", module, strerror(errno));
	close(fd);
}

static void
set_up(void)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0);
	struct ifreq r = { .ifr_name = "eth0" };
	struct sockaddr_in a = address("10.0.2.15", 0);
	struct rtentry route = { .rt_flags = RTF_UP | RTF_GATEWAY };

	memcpy(&r.ifr_addr, &a, sizeof(a));
	ioctl(s, SIOCSIFADDR, &r);
	a = address("255.255.255.0", 0);
	memcpy(&r.ifr_netmask, &a, sizeof(a));
	ioctl(s, SIOCSIFNETMASK, &r);
	r.ifr_flags = IFF_UP | IFF_RUNNING;
	ioctl(s, SIOCSIFFLAGS, &r);
	a = address("10.0.2.2", 0);
	memcpy(&route.rt_gateway, &a, sizeof(a));
	a = address("0.0.0.0", 0);
	memcpy(&route.rt_dst, &a, sizeof(a));
	memcpy(&route.rt_genmask, &a, sizeof(a));
	ioctl(s, SIOCADDRT, &route);
	close(s);
}

/* As `ethtool -t eth0 offline`: registers, EEPROM, interrupts, loopback, link. */
static void
test_card(void)
{
	struct ethtool_test *t = calloc(1, sizeof(*t) + 16 * sizeof(t->data[0]));
	struct ifreq r = { .ifr_name = "eth0", .ifr_data = (void *)t };
	int s = socket(AF_INET, SOCK_DGRAM, 0);

	t->cmd = ETHTOOL_TEST;
	t->flags = ETH_TEST_FL_OFFLINE;
	bool ok = ioctl(s, SIOCETHTOOL, &r) == 0 && !(t->flags & ETH_TEST_FL_FAILED);

	printf("RESULT self-test %s", ok ? "passed" : "failed:");
	for (unsigned i = 0; !ok && i < t->len && i < 16; i++)
		printf(" %llu", (unsigned long long)t->data[i]);
	printf("\n");
	close(s);
	free(t);
}

static void
guest(void)
{
	const char *port = getenv("netport"), *megabytes = getenv("netmb");
	long long bytes = (megabytes != NULL ? atoll(megabytes) : 100) * 1000000;
	double start;
	int s;

	checks = getenv("netcheck") != NULL;
	load("/e1000.ko");
	set_up();
	s = dial("10.0.2.2", port != NULL ? (unsigned)atoi(port) : 0);
	start = now();
	long long got = take_all(s);
	printf("RESULT download %.1f MB/s\n", (double)got / 1e6 / (now() - start));
	close(s);
	if (checks) {
		printf("RESULT download-bytes %lld\n", got);
		test_card();
	}
	s = answer("0.0.0.0", GUEST_PORT);
	start = now();
	long long sent = send_all(s, bytes);
	/* The other end says that it has got everything by closing. */
	shutdown(s, SHUT_WR);
	take_all(s);
	printf("RESULT serve %.1f MB/s\n", (double)sent / 1e6 / (now() - start));
	close(s);
	reboot(RB_POWER_OFF);
}

int
main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	make_pattern();
	if (getpid() == 1) {
		guest();
		return 0;
	}
	if (argc == 4 && strcmp(argv[1], "send") == 0)
		return send_all(answer("127.0.0.1", (unsigned)atoi(argv[2])), atoll(argv[3])) == atoll(argv[3]) ? 0 : 1;
	if (argc == 4 && strcmp(argv[1], "receive") == 0) {
		checks = true;
		return take_all(dial("127.0.0.1", (unsigned)atoi(argv[2]))) == atoll(argv[3]) ? 0 : 1;
	}
	fprintf(stderr, "usage: %s send|receive PORT BYTES\n", argv[0]);
	return 2;
}
