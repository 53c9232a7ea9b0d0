/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The machine's VNC server: its options, its password, and what the monitor does with it. */
#include "vm/machine.h"
#include "vm/options.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- options ---- */

static bool
refuse_others(struct keyval *k, struct err *e)
{
	static const struct { const char *name, *why; } others[] = {
		{ "tls-creds", "there is no TLS" }, { "tls", "there is no TLS" }, { "x509", "there is no TLS" },
		{ "x509verify", "there is no TLS" }, { "tls-authz", "there is no TLS" }, { "sasl", "there is no SASL" },
		{ "sasl-authz", "there is no SASL" }, { "acl", "there is neither TLS nor SASL" },
		{ "websocket", "there are no websockets" }, { "lossy", "pictures are sent as they are" },
		{ "non-adaptive", "pictures are sent as they are" }, { "reverse", "clients connect to the server" },
		{ "audiodev", "there is no sound in VNC here" }, { "power-control", "use the monitor" },
		{ "key-delay-ms", "keys are not delayed" }, { "lock-key-sync", "keys go to the guest as they come" },
		{ "display", "there is one screen" }, { "head", "there is one screen" }, { "ipv4", "write an address instead" },
		{ "ipv6", "write an address instead" },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(others); i++)
		if (keyval_str(k, others[i].name) != NULL)
			return err_set(e, "%s is not supported: %s", others[i].name, others[i].why);
	return true;
}

static bool
set_share(struct vnc_config *v, const char *share, struct err *e)
{
	static const char *const names[] = { "allow-exclusive", "force-shared", "ignore" };

	for (unsigned i = 0; share != NULL && i < ARRAY_SIZE(names); i++) {
		if (strcmp(share, names[i]) == 0) {
			v->share = (enum vnc_share)i;
			return true;
		}
	}
	return share == NULL || err_set(e, "share=%s is not known; use allow-exclusive, force-shared or ignore", share);
}

static bool
take_properties(struct settings *c, struct keyval *k, struct err *e)
{
	const char *where = keyval_str(k, "vnc"), *secret = keyval_str(k, "password-secret");
	uint64_t to = 0;

	keyval_str(k, "id");
	if (!refuse_others(k, e) || !keyval_bool(k, "password", &c->vnc.password, e) ||
	    !keyval_uint(k, "to", UINT16_MAX - 5900, &to, e) || !set_share(&c->vnc, keyval_str(k, "share"), e) || !keyval_end(k, e))
		return false;
	if (where == NULL)
		return err_set(e, "say where: HOST:N, unix:PATH or none");
	if (strcmp(where, "none") != 0 && strncmp(where, "unix:", 5) != 0 && strchr(where, ':') == NULL)
		return err_set(e, "say HOST:N with the display's number, as in :0, or unix:PATH");
	c->vnc_secret = secret != NULL ? settings_dup(c, secret) : NULL;
	c->vnc.password = c->vnc.password || secret != NULL;
	if (c->vnc.password && !vnc_has_passwords())
		return err_set(e, "this build can't check passwords: nettle was missing when it was configured; leave password out");
	c->vnc.where = strcmp(where, "none") != 0 ? settings_dup(c, where) : NULL;
	c->vnc.to = to;
	return true;
}

bool
opt_vnc(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok;

	if (c->vnc.where != NULL)
		return err_set(e, "there is one VNC server, and it was given already");
	ok = keyval_parse(&k, arg, "vnc", e) && take_properties(c, &k, e);
	keyval_free(&k);
	c->vnc_given = true;
	return ok;
}

bool
settings_add_secret(struct settings *c, const char *spec, struct err *e)
{
	struct secret_config *s = settings_alloc(c, sizeof(*s));
	struct keyval k;
	bool ok = keyval_parse(&k, spec, "qom-type", e);
	const char *id = ok ? keyval_str(&k, "id") : NULL, *data = ok ? keyval_str(&k, "data") : NULL;
	const char *file = ok ? keyval_str(&k, "file") : NULL;

	if (ok)
		keyval_str(&k, "qom-type");
	ok = ok && keyval_only(&k, "format", "raw", e) && keyval_end(&k, e);
	if (ok && id == NULL)
		ok = err_set(e, "id=ID is missing; -vnc ...,password-secret=ID uses it");
	for (const struct secret_config *other = c->secrets; ok && other != NULL; other = other->next) {
		if (strcmp(other->id, id) == 0)
			ok = err_set(e, "there is a secret '%s' already; give each an id of its own", id);
	}
	if (ok && (data == NULL) == (file == NULL))
		ok = err_set(e, "a secret has either data=TEXT or file=FILE");
	if (ok) {
		s->id = settings_dup(c, id);
		s->data = data != NULL ? settings_dup(c, data) : NULL;
		s->file = file != NULL ? settings_dup(c, file) : NULL;
		s->next = c->secrets;
		c->secrets = s;
	}
	keyval_free(&k);
	return ok;
}

/* ---- the password ---- */

/* The first line of a file. */
static bool
read_secret(const struct secret_config *s, char *text, size_t size, struct err *e)
{
	FILE *f;
	bool ok;
	int error;

	if (s->data != NULL) {
		snprintf(text, size, "%s", s->data);
		return true;
	}
	f = fopen(s->file, "re");
	if (f == NULL)
		return err_set(e, "-object secret: %s: %s", s->file, strerror(errno));
	errno = 0;
	ok = fgets(text, size, f) != NULL;
	error = errno;
	fclose(f);
	text[ok ? strcspn(text, "\n") : 0] = '\0';
	return ok || err_set(e, "-object secret: %s: %s", s->file, error != 0 ? strerror(error) : "there is nothing in it");
}

static bool
set_password(struct machine *m, struct err *e)
{
	const char *id = m->settings->vnc_secret;
	const struct secret_config *s = m->settings->secrets;
	char text[64];

	if (id == NULL)
		return true;
	while (s != NULL && strcmp(s->id, id) != 0)
		s = s->next;
	if (s == NULL)
		return err_set(e, "-vnc password-secret=%s: there is no such secret; add -object secret,id=%s,file=FILE", id, id);
	return read_secret(s, text, sizeof(text), e) && vnc_set_password(m->vnc, text, e);
}

/* ---- the server ---- */

static const char *
state(void *opaque)
{
	struct machine *m = opaque;

	return m->state == RUN_RUNNING ? NULL : machine_state_name(m);
}

bool
machine_open_vnc(struct machine *m, struct err *e)
{
	struct settings *s = m->settings;

	if (s->vnc.where == NULL)
		return true;
	if (m->display == NULL)
		return err_set(e, "-vnc: there is no display adapter to show; add -vga std, or leave -vnc out");
	s->vnc.loop = m->loop;
	s->vnc.name = s->name;
	s->vnc.display = m->display;
	s->vnc.input = &m->input;
	s->vnc.layout = s->window.layout;
	s->vnc.opaque = m;
	s->vnc.state = state;
	m->vnc = vnc_new(&s->vnc, e);
	return m->vnc != NULL && set_password(m, e);
}

/* ---- the monitor ---- */

static void
vnc_info(void *opaque, view_print *print, void *to)
{
	struct machine *m = opaque;

	if (m->vnc != NULL)
		vnc_describe(m->vnc, print, to);
	else
		print(to, "There is no VNC server; -vnc :0 starts one.\n");
}

static bool
vnc_password(void *opaque, const char *password, struct err *e)
{
	struct machine *m = opaque;

	if (m->vnc == NULL)
		return err_set(e, "there is no VNC server");
	return vnc_set_password(m->vnc, password, e);
}

void
vnc_fill_view(struct machine_view *v)
{
	v->vnc_info = vnc_info;
	v->vnc_password = vnc_password;
}
