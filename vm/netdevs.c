/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Networks: -netdev, -nic and -net, and what a card finds of them.
 *
 * -netdev makes a back end, which a -device takes by its id; -nic makes a back end and its card.  What the older -net
 * makes, cards and back ends alike, hangs together on hub 0, without the hub if there is one of each.
 */
#include "vm/machine.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"
#include "net/net.h"

#include <stdio.h>
#include <stdlib.h>

static const char DEFAULT_MODEL[] = "e1000";

/* ---- the command line ---- */

static void
add_config(struct settings *c, enum net_option option, const char *spec)
{
	struct net_config **last = &c->nets;

	while (*last != NULL)
		last = &(*last)->next;
	*last = settings_alloc(c, sizeof(**last));
	(*last)->option = option;
	(*last)->spec = settings_dup(c, spec);
	c->net_given = true;
}

static void
print_kind(void *opaque, const char *name)
{
	(void)opaque;
	printf("%s\n", name);
}

static void
print_kinds(struct settings *c)
{
	printf("Available netdev backend types:\n");
	net_kind_names(print_kind, NULL);
	c->exit = true;
}

bool
opt_netdev(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;

	if (strcmp(arg, "help") == 0) {
		print_kinds(c);
		return true;
	}
	bool ok = keyval_parse(&k, arg, "type", e);

	if (ok && keyval_str(&k, "id") == NULL)
		ok = err_set(e, "id=ID is missing; -device e1000,netdev=ID connects a card to it");
	keyval_free(&k);
	if (ok)
		add_config(c, NET_NETDEV, arg);
	return ok;
}

bool
opt_nic(struct settings *c, const char *arg, struct err *e)
{
	(void)e;
	if (strcmp(arg, "help") == 0)
		print_kinds(c);
	else if (strcmp(arg, "none") == 0)
		c->net_given = true;
	else
		add_config(c, NET_NIC, arg);
	return true;
}

bool
opt_object(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "qom-type", e);
	const char *type = ok ? keyval_str(&k, "qom-type") : NULL, *rest = strchr(arg, ',');
	bool given = c->net_given;

	if (strcmp(arg, "help") == 0) {
		printf("List of user creatable objects:\n  filter-dump\n  secret\n");
		c->exit = true;
	} else if (ok && type != NULL && strcmp(type, "secret") == 0) {
		ok = settings_add_secret(c, arg, e);
	} else if (ok && (type == NULL || strcmp(type, "filter-dump") != 0)) {
		ok = err_set(e, "object '%s' is not supported; filter-dump and secret are", type != NULL ? type : "");
	} else if (ok) {
		add_config(c, NET_DUMP, rest != NULL && strncmp(arg, "filter-dump", 11) == 0 ? rest + 1 : "");
		c->net_given = given;
	}
	keyval_free(&k);
	return ok;
}

bool
opt_net(struct settings *c, const char *arg, struct err *e)
{
	(void)e;
	if (strcmp(arg, "help") == 0)
		print_kinds(c);
	else if (strcmp(arg, "none") == 0)
		c->net_given = true;
	else
		add_config(c, NET_LEGACY, arg);
	return true;
}

/* ---- cards ---- */

static bool
parse_mac(const char *text, uint8_t mac[6], struct err *e)
{
	unsigned b[6];
	int end = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5], &end) != 6 || text[end] != '\0')
		return err_set(e, "mac=%s is not an address; write it as 52:54:00:12:34:56", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
	return (mac[0] & 1) == 0 || err_set(e, "mac=%s is a group's address; the second digit has to be even", text);
}

bool
machine_take_nic(struct machine *m, struct keyval *k, uint8_t mac[6], struct net_end **backend, struct err *e)
{
	static const uint8_t first[6] = { 0x52, 0x54, 0x00, 0x12, 0x34, 0x56 };
	const char *text = keyval_str(k, "mac");
	const char *id = keyval_str(k, "netdev");

	memcpy(mac, first, sizeof(first));
	mac[5] = (uint8_t)(mac[5] + m->nic_count++);
	*backend = id != NULL ? net_find(m->net, id) : NULL;
	if (id != NULL && *backend == NULL)
		return err_set(e, "netdev=%s: there is no -netdev with that id", id);
	return text == NULL || parse_mac(text, mac, e);
}

static const struct device_model *
find_card(const char *model)
{
	for (unsigned i = 0; i < device_model_count; i++) {
		if (strcmp(device_models[i].name, model) == 0)
			return &device_models[i];
	}
	return NULL;
}

static bool
add_card(struct machine *m, const char *properties, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, properties, "driver", e);
	const char *name = ok ? keyval_str(&k, "driver") : NULL;
	const struct device_model *model = ok ? find_card(name) : NULL;

	if (ok && (model == NULL || model->add != device_e1000))
		ok = err_set(e, "model=%s is not supported; use model=%s", name, DEFAULT_MODEL);
	ok = ok && model->add(m, &k, e) && keyval_end(&k, e);
	keyval_free(&k);
	return ok;
}

/* Appends "key=value" to *TEXT, commas doubled. */
static void
append(char **text, const char *key, const char *value)
{
	char *longer = xcalloc(1, strlen(*text) + strlen(key) + 2 * strlen(value) + 3);
	char *to = longer + sprintf(longer, "%s%s%s=", *text, **text != '\0' ? "," : "", key);

	for (; *value != '\0'; value++) {
		if (*value == ',')
			*to++ = ',';
		*to++ = *value;
	}
	free(*text);
	*text = longer;
}

/* Properties of a card among those of a -nic or -net nic, as -device calls them; NULL: it is the back end's. */
static const char *
card_property(const char *key)
{
	static const char *const names[][2] = {
		{ "model", "driver" }, { "mac", "mac" }, { "macaddr", "mac" }, { "netdev", "netdev" }, { "addr", "addr" },
		{ "romfile", "romfile" }, { "bootindex", "bootindex" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i][0], key) == 0)
			return names[i][1];
	}
	return NULL;
}

/* Cuts SPEC into what is the card's and what is the back end's. */
static bool
split_nic(const char *spec, char **card, char **backend, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, spec, "type", e);
	const char *model = keyval_str(&k, "model");

	*card = xstrdup("");
	*backend = xstrdup("");
	append(card, "driver", model != NULL ? model : DEFAULT_MODEL);
	for (unsigned i = 0; ok && i < k.count; i++) {
		const char *as = card_property(k.items[i].key);

		if (as == NULL)
			append(backend, k.items[i].key, k.items[i].value);
		else if (strcmp(as, "driver") != 0)
			append(card, as, k.items[i].value);
	}
	keyval_free(&k);
	return ok;
}

static bool
add_nic(struct machine *m, const char *spec, struct err *e)
{
	char *card, *backend;
	struct net_end *end = NULL;
	bool ok = split_nic(spec, &card, &backend, e) && (end = net_add_backend(m->net, backend, e)) != NULL;

	if (ok) {
		append(&card, "netdev", net_end_id(end));
		ok = add_card(m, card, e);
	}
	free(card);
	free(backend);
	return ok || err_prefix(e, "-nic %s: ", spec);
}

/* ---- -net ---- */

static bool
is_card(const struct net_config *c)
{
	return strncmp(c->spec, "nic", 3) == 0 && (c->spec[3] == '\0' || c->spec[3] == ',');
}

/* -net nic; CABLE is where it is connected to, unless it has a netdev= of its own. */
static bool
add_legacy_card(struct machine *m, const char *spec, const char *cable, struct err *e)
{
	char *card, *rest;
	bool ok = split_nic(spec, &card, &rest, e);

	if (ok && strcmp(rest, "type=nic") != 0)
		ok = err_set(e, "'%s' is not a property of a card", rest + strlen("type=nic,"));
	if (ok && cable != NULL)
		append(&card, "netdev", cable);
	ok = ok && add_card(m, card, e);
	free(card);
	free(rest);
	return ok;
}

/* A port of hub 0, on which everything is; with a single card and a single back end there is no need of it. */
static bool
add_legacy(struct machine *m, const struct net_config *c, bool hub, const char **cable, struct err *e)
{
	struct net_end *port = hub ? net_add_backend(m->net, "hubport,hubid=0", e) : NULL;
	struct net_end *end;

	if (hub && port == NULL)
		return false;
	if (is_card(c))
		return add_legacy_card(m, c->spec, hub ? net_end_id(port) : *cable, e);
	end = net_add_backend(m->net, c->spec, e);
	if (end != NULL)
		*cable = net_end_id(end);
	return end != NULL && (!hub || net_connect(port, end, e));
}

static bool
has_netdev(const char *spec)
{
	struct keyval k;
	bool has = keyval_parse(&k, spec, "type", NULL) && keyval_str(&k, "netdev") != NULL;

	keyval_free(&k);
	return has;
}

static bool
add_legacies(struct machine *m, struct err *e)
{
	const struct net_config *nets = m->settings->nets;
	unsigned cards = 0, backends = 0;
	const char *cable = NULL;

	for (const struct net_config *c = nets; c != NULL; c = c->next) {
		if (c->option == NET_LEGACY && !(is_card(c) && has_netdev(c->spec)))
			*(is_card(c) ? &cards : &backends) += 1;
	}
	/* Back ends first. */
	for (unsigned pass = 0; pass < 2; pass++) {
		for (const struct net_config *c = nets; c != NULL; c = c->next) {
			if (c->option != NET_LEGACY || is_card(c) != (pass == 1))
				continue;
			bool own = is_card(c) && has_netdev(c->spec);

			if (own ? !add_legacy_card(m, c->spec, NULL, e) : !add_legacy(m, c, cards > 1 || backends > 1, &cable, e))
				return err_prefix(e, "-net %s: ", c->spec);
		}
	}
	return true;
}

/* ---- all of them ---- */

static bool
open_backends(struct machine *m, struct err *e)
{
	for (const struct net_config *c = m->settings->nets; c != NULL; c = c->next) {
		if (c->option == NET_NETDEV && net_add_backend(m->net, c->spec, e) == NULL)
			return err_prefix(e, "-netdev %s: ", c->spec);
	}
	return true;
}

static bool
add_nics(struct machine *m, struct err *e)
{
	for (const struct net_config *c = m->settings->nets; c != NULL; c = c->next) {
		if (c->option == NET_NIC && !add_nic(m, c->spec, e))
			return false;
	}
	return true;
}

static bool
add_dumps(struct machine *m, struct err *e)
{
	for (const struct net_config *c = m->settings->nets; c != NULL; c = c->next) {
		if (c->option == NET_DUMP && !net_add_dump(m->net, c->spec, e))
			return err_prefix(e, "-object filter-dump,%s: ", c->spec);
	}
	return true;
}

/* ---- guestfwd= ---- */

static void *
open_device(void *opaque, const char *spec, const struct net_device_user *user, struct err *e)
{
	struct machine *m = opaque;
	struct chr_user u = { .opaque = user->opaque, .can_receive = user->room, .receive = user->input };

	if (strncmp(spec, "mon:", 4) == 0) {
		err_set(e, "a monitor there would end what it speaks through; leave mon: out");
		return NULL;
	}
	struct chr *chr = machine_line(m, "guestfwd", spec, e);

	if (chr != NULL)
		chr_attach(chr, &u);
	return chr;
}

static size_t
write_device(void *device, const void *bytes, size_t len)
{
	return chr_write(device, bytes, len);
}

static void
accept_device(void *device)
{
	chr_accept(device);
}

static void
detach_device(void *device)
{
	chr_attach(device, NULL);
}

bool
machine_add_networks(struct machine *m, struct err *e)
{
	const struct net_devices devices = { m, open_device, write_device, accept_device, detach_device };
	const struct settings *s = m->settings;

	net_set_devices(m->net, &devices);
	/* What is there unless something else was asked for. */
	if (s->defaults && !s->net_given && net_has_user() && find_card(DEFAULT_MODEL) != NULL && !add_nic(m, "user", e))
		return false;
	return open_backends(m, e) && add_nics(m, e) && add_legacies(m, e) && add_dumps(m, e);
}

/* ---- the monitor ---- */

struct printer {
	view_print *print;
	void *to;
};

static void
print_line(void *opaque, const char *text)
{
	const struct printer *p = opaque;

	p->print(p->to, text);
	p->print(p->to, "\n");
}

static void
net_info(void *opaque, view_print *print, void *to)
{
	struct printer p = { print, to };

	net_walk(((struct machine *)opaque)->net, print_line, &p);
}

static void
usernet_info(void *opaque, view_print *print, void *to)
{
	struct printer p = { print, to };

	net_user_info(((struct machine *)opaque)->net, print_line, &p);
}

static bool
set_link(void *opaque, const char *name, bool up, struct err *e)
{
	return net_set_link(((struct machine *)opaque)->net, name, up, e);
}

static bool
hostfwd(void *opaque, const char *id, const char *rule, bool add, struct err *e)
{
	return net_hostfwd(((struct machine *)opaque)->net, id, rule, add, e);
}

static bool
netdev_add(void *opaque, const char *spec, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, spec, "type", e);

	if (ok && keyval_str(&k, "id") == NULL)
		ok = err_set(e, "id=ID is missing");
	keyval_free(&k);
	return ok && net_add_backend(((struct machine *)opaque)->net, spec, e) != NULL;
}

static bool
netdev_del(void *opaque, const char *id, struct err *e)
{
	return net_remove_backend(((struct machine *)opaque)->net, id, e);
}

void
networks_fill_view(struct machine_view *v)
{
	v->net_info = net_info;
	v->usernet_info = usernet_info;
	v->set_link = set_link;
	v->hostfwd = hostfwd;
	v->netdev_add = netdev_add;
	v->netdev_del = netdev_del;
}
