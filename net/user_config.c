/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The properties of -netdev user: its networks, the addresses in them, and the names it tells guests. */
#include "net/user.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <arpa/inet.h>
#include <stdlib.h>

/* Where the host, the name server and the first guest are in a network, if nothing else is said. */
enum { HOST_AT = 0x0202, NAME_SERVER_AT = 0x0203, GUEST_AT = 0x020f };

static bool
take_address(struct keyval *k, const char *key, struct in_addr *out, struct err *e)
{
	const char *text = keyval_str(k, key);

	if (text == NULL || inet_pton(AF_INET, text, out) == 1)
		return true;
	return err_set(e, "%s=%s is not an IPv4 address; write it as 10.0.2.2", key, text);
}

static bool
take_address6(struct keyval *k, const char *key, struct in6_addr *out, struct err *e)
{
	const char *text = keyval_str(k, key);

	if (text == NULL || inet_pton(AF_INET6, text, out) == 1)
		return true;
	return err_set(e, "%s=%s is not an IPv6 address; write it as fec0::2", key, text);
}

/* The mask of a network that is written without one: that of its class or, for private ones, their whole block. */
static uint32_t
usual_mask(uint32_t net)
{
	static const struct { uint32_t net, block, mask; } usual[] = {
		{ 0x00000000, 0x80000000, 0xff000000 }, { 0xac100000, 0xfff00000, 0xfff00000 },
		{ 0xc0a80000, 0xffff0000, 0xffff0000 }, { 0xc6120000, 0xfffe0000, 0xfffe0000 },
		{ 0x80000000, 0xc0000000, 0xffff0000 }, { 0xc0000000, 0xe0000000, 0xffffff00 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(usual); i++) {
		if ((net & usual[i].block) == usual[i].net)
			return usual[i].mask;
	}
	return 0xfffffff0;
}

static bool
parse_mask(const char *text, uint32_t *mask, struct err *e)
{
	struct in_addr dotted;
	uint64_t bits;

	if (strchr(text, '.') != NULL) {
		if (inet_pton(AF_INET, text, &dotted) != 1)
			return err_set(e, "net=: '%s' is not a network mask", text);
		*mask = ntohl(dotted.s_addr);
		if ((~*mask & (~*mask + 1)) != 0)
			return err_set(e, "net=: the mask %s has holes", text);
	} else {
		if (!parse_uint(text, 32, &bits, e))
			return err_prefix(e, "net=: ");
		*mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
	}
	/* A host, a name server and a guest have to be in it. */
	if (*mask == 0 || ~*mask < 7)
		return err_set(e, "net=: the network has to be between /1 and /29");
	return true;
}

/* "ADDRESS[/BITS|/MASK]" */
static bool
take_network(SlirpConfig *c, const char *text, struct err *e)
{
	char *copy = xstrdup(text), *slash = strchr(copy, '/');
	uint32_t net, mask;

	if (slash != NULL)
		*slash = '\0';
	bool ok = inet_pton(AF_INET, copy, &c->vnetwork) == 1;

	if (!ok) {
		err_set(e, "net=%s is not an IPv4 network; write it as 10.0.2.0/24", text);
	} else {
		net = ntohl(c->vnetwork.s_addr);
		mask = usual_mask(net);
		ok = slash == NULL || parse_mask(slash + 1, &mask, e);
		if (ok && (net & ~mask) != 0)
			ok = err_set(e, "net=%s: the address has bits beyond the mask; write the mask too, as in 10.0.2.0/24", text);
		c->vnetmask.s_addr = htonl(mask);
	}
	free(copy);
	return ok;
}

static bool
inside(const SlirpConfig *c, struct in_addr a)
{
	return ((a.s_addr ^ c->vnetwork.s_addr) & c->vnetmask.s_addr) == 0;
}

static bool
check_addresses(const SlirpConfig *c, struct err *e)
{
	uint32_t broadcast = c->vnetwork.s_addr | ~c->vnetmask.s_addr;

	if (!inside(c, c->vhost) || c->vhost.s_addr == broadcast || c->vhost.s_addr == c->vnetwork.s_addr)
		return err_set(e, "host= is not an address of the network");
	if (!inside(c, c->vnameserver) || c->vnameserver.s_addr == c->vhost.s_addr)
		return err_set(e, "dns= has to be an address of the network other than host=");
	if (!inside(c, c->vdhcp_start) || c->vdhcp_start.s_addr == c->vhost.s_addr ||
	    c->vdhcp_start.s_addr == c->vnameserver.s_addr)
		return err_set(e, "dhcpstart= has to be an address of the network other than host= and dns=");
	return true;
}

static bool
configure4(SlirpConfig *c, struct keyval *k, struct err *e)
{
	const char *net = keyval_str(k, "net");

	if (net == NULL)
		net = "10.0.2.0/24";
	if (!take_network(c, net, e))
		return false;
	uint32_t free_bits = ~ntohl(c->vnetmask.s_addr);

	c->vhost.s_addr = c->vnetwork.s_addr | htonl(HOST_AT & free_bits);
	c->vnameserver.s_addr = c->vnetwork.s_addr | htonl(NAME_SERVER_AT & free_bits);
	c->vdhcp_start.s_addr = c->vnetwork.s_addr | htonl(GUEST_AT & free_bits);
	if (c->vdhcp_start.s_addr == (c->vnetwork.s_addr | ~c->vnetmask.s_addr))
		c->vdhcp_start.s_addr = c->vnetwork.s_addr | htonl(4);
	return take_address(k, "host", &c->vhost, e) && take_address(k, "dns", &c->vnameserver, e) &&
		take_address(k, "dhcpstart", &c->vdhcp_start, e) && check_addresses(c, e);
}

/* ipv6-net=PREFIX[/BITS], or ipv6-prefix= and ipv6-prefixlen=. */
static bool
take_network6(SlirpConfig *c, struct keyval *k, struct err *e)
{
	const char *net = keyval_str(k, "ipv6-net");
	uint64_t bits = 64;
	bool ok = true;

	inet_pton(AF_INET6, "fec0::", &c->vprefix_addr6);
	if (net != NULL) {
		char *copy = xstrdup(net), *slash = strchr(copy, '/');

		if (slash != NULL)
			*slash = '\0';
		if (inet_pton(AF_INET6, copy, &c->vprefix_addr6) != 1)
			ok = err_set(e, "ipv6-net=%s is not an IPv6 network; write it as fec0::/64", net);
		ok = ok && (slash == NULL || parse_uint(slash + 1, 126, &bits, e) || err_prefix(e, "ipv6-net="));
		free(copy);
	}
	ok = ok && take_address6(k, "ipv6-prefix", &c->vprefix_addr6, e) && keyval_uint(k, "ipv6-prefixlen", 126, &bits, e);
	c->vprefix_len = (uint8_t)bits;
	return ok;
}

static bool
inside6(const SlirpConfig *c, const struct in6_addr *a)
{
	unsigned whole = c->vprefix_len / 8, rest = c->vprefix_len % 8;

	return memcmp(a, &c->vprefix_addr6, whole) == 0 &&
		(rest == 0 || ((a->s6_addr[whole] ^ c->vprefix_addr6.s6_addr[whole]) & (0xff00 >> rest) & 0xff) == 0);
}

static bool
configure6(SlirpConfig *c, struct keyval *k, struct err *e)
{
	struct in6_addr name_server;

	if (!take_network6(c, k, e))
		return false;
	c->vhost6 = c->vprefix_addr6;
	c->vhost6.s6_addr[15] |= 2;
	name_server = c->vprefix_addr6;
	name_server.s6_addr[15] |= 3;
	c->vnameserver6 = name_server;
	if (!take_address6(k, "ipv6-host", &c->vhost6, e) || !take_address6(k, "ipv6-dns", &c->vnameserver6, e))
		return false;
	if (!inside6(c, &c->vhost6))
		return err_set(e, "ipv6-host= is not an address of the network");
	if (!inside6(c, &c->vnameserver6) || memcmp(&c->vhost6, &c->vnameserver6, sizeof(c->vhost6)) == 0)
		return err_set(e, "ipv6-dns= has to be an address of the network other than ipv6-host=");
	return true;
}

/* A name that goes into a reply of BOOTP, TFTP or DHCP. */
static bool
take_name(struct keyval *k, const char *key, size_t most, const char **out, struct err *e)
{
	const char *text = keyval_str(k, key);

	if (text != NULL && (*text == '\0' || strlen(text) > most))
		return err_set(e, "%s= is %s; it has 1 to %zu characters", key, *text == '\0' ? "empty" : "too long", most);
	*out = text;
	return true;
}

static bool
take_search(struct user_config *c, struct keyval *k, struct err *e)
{
	const char *domain;
	unsigned n = 0;

	for (unsigned at = 0; (domain = keyval_next(k, "dnssearch", &at)) != NULL;) {
		if (n == USER_SEARCH_MAX)
			return err_set(e, "dnssearch= is given too often; %u times are the most", USER_SEARCH_MAX);
		if (*domain == '\0' || strlen(domain) > 255)
			return err_set(e, "dnssearch= has 1 to 255 characters");
		c->search[n++] = domain;
	}
	c->slirp.vdnssearch = n > 0 ? c->search : NULL;
	return true;
}

/* Both kinds of IP unless one is switched off; one that is switched on alone is the only one. */
static bool
take_families(SlirpConfig *c, struct keyval *k, struct err *e)
{
	bool ipv4 = true, ipv6 = true;

	if (!keyval_bool(k, "ipv4", &ipv4, e) || !keyval_bool(k, "ipv6", &ipv6, e))
		return false;
	if (keyval_str(k, "ipv4") != NULL && keyval_str(k, "ipv6") == NULL)
		ipv6 = !ipv4;
	else if (keyval_str(k, "ipv6") != NULL && keyval_str(k, "ipv4") == NULL)
		ipv4 = !ipv6;
	if (!ipv4 && !ipv6)
		return err_set(e, "ipv4=off,ipv6=off leaves nothing");
	c->in_enabled = ipv4;
	c->in6_enabled = ipv6;
	return true;
}

static bool
refuse_smb(struct keyval *k, struct err *e)
{
	if (keyval_str(k, "smb") == NULL && keyval_str(k, "smbserver") == NULL)
		return true;
	return err_set(e, "smb= is not supported; run a file server on the host, which guests reach at the address of host=");
}

bool
user_configure(struct user_config *c, struct keyval *k, struct err *e)
{
	bool restricted = false;

	*c = (struct user_config){ .slirp = { .version = 1 } };
	if (!keyval_bool(k, "restrict", &restricted, e))
		return false;
	c->slirp.restricted = restricted;
	return refuse_smb(k, e) && take_families(&c->slirp, k, e) && configure4(&c->slirp, k, e) &&
		configure6(&c->slirp, k, e) && take_name(k, "hostname", 32, &c->slirp.vhostname, e) &&
		take_name(k, "tftp-server-name", 255, &c->slirp.tftp_server_name, e) &&
		take_name(k, "tftp", 4095, &c->slirp.tftp_path, e) && take_name(k, "bootfile", 127, &c->slirp.bootfile, e) &&
		take_name(k, "domainname", 255, &c->slirp.vdomainname, e) && take_search(c, k, e);
}
