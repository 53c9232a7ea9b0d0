/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sound of a machine: -audiodev and -audio, the devices that play and capture, and what the monitor knows of them.
 *
 * A device names its -audiodev; without a name it takes the first one.  If there is none at all it plays through SDL, or, with
 * a word about that, in silence.
 */
#include "vm/machine.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"
#include "ui/sound.h"

#include <stdio.h>
#include <stdlib.h>

static const char AUDIO_ID[] = "audiodev0";

/* ---- the command line ---- */

static void
print_text(void *opaque, const char *text)
{
	(void)opaque;
	fputs(text, stdout);
}

static void
add_config(struct settings *c, const char *option, const char *spec)
{
	struct sound_config **last = &c->sounds;

	while (*last != NULL)
		last = &(*last)->next;
	*last = settings_alloc(c, sizeof(**last));
	**last = (struct sound_config){ .option = option, .spec = settings_dup(c, spec) };
}

bool
opt_audiodev(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;

	if (strcmp(arg, "help") == 0 || strcmp(arg, "?") == 0) {
		sound_help(print_text, NULL);
		c->exit = true;
		return true;
	}
	bool ok = keyval_parse(&k, arg, "driver", e);

	if (ok && keyval_str(&k, "id") == NULL)
		ok = err_set(e, "id=ID is missing; -device AC97,audiodev=ID connects a device to it");
	keyval_free(&k);
	if (ok)
		add_config(c, "-audiodev", arg);
	return ok;
}

static bool
print_models(struct settings *c)
{
	printf("Sound devices (-audio DRIVER,model=MODEL):\n"
		"ac97   Intel 82801AA AC97 audio\n"
		"hda    Intel High Definition Audio with hda-duplex\n"
		"pcspk  PC speaker\n");
	c->exit = true;
	return true;
}

/* The devices of a model, with the sound of ID. */
static bool
add_model(struct settings *c, const char *model, const char *id, struct err *e)
{
	char *device = NULL;
	bool ok = true;

	if (strcmp(model, "ac97") == 0) {
		device = xasprintf("AC97,audiodev=%s", id);
	} else if (strcmp(model, "hda") == 0) {
		ok = opt_device(c, "intel-hda,id=audio-hda", e);
		device = xasprintf("hda-duplex,bus=audio-hda.0,audiodev=%s", id);
	} else if (strcmp(model, "pcspk") == 0) {
		c->pcspk_audiodev = settings_dup(c, id);
	} else {
		return err_set(e, "model=%s is not supported; use hda, ac97 or pcspk", model);
	}
	ok = ok && (device == NULL || opt_device(c, device, e));
	free(device);
	return ok;
}

/* What -audio has for -audiodev: all but the model.  To be freed. */
static char *
audiodev_of(const struct keyval *k, bool has_id)
{
	char *spec = xasprintf("%s%s", has_id ? "" : "id=", has_id ? "" : AUDIO_ID);

	for (unsigned i = 0; i < k->count; i++) {
		if (strcmp(k->items[i].key, "model") == 0)
			continue;
		char *longer = xasprintf("%s%s%s=", spec, *spec == '\0' ? "" : ",", k->items[i].key);
		char *whole = xcalloc(1, strlen(longer) + 2 * strlen(k->items[i].value) + 1), *to = whole + strlen(longer);

		strcpy(whole, longer);
		for (const char *p = k->items[i].value; *p != '\0'; p++) {
			*to++ = *p;
			if (*p == ',')
				*to++ = ',';
		}
		free(spec);
		free(longer);
		spec = whole;
	}
	return spec;
}

bool
opt_audio(struct settings *c, const char *arg, struct err *e)
{
	struct keyval k;
	bool ok = keyval_parse(&k, arg, "driver", e);
	const char *driver = keyval_str(&k, "driver"), *model = keyval_str(&k, "model"), *id = keyval_str(&k, "id");

	if (ok && driver != NULL && strcmp(driver, "help") == 0) {
		sound_help(print_text, NULL);
		c->exit = true;
	} else if (ok && model != NULL && strcmp(model, "help") == 0) {
		print_models(c);
	} else if (ok && c->audio_given) {
		ok = err_set(e, "it is given twice; use -audiodev and -device for more");
	} else if (ok) {
		char *spec = audiodev_of(&k, id != NULL);

		c->audio_given = true;
		add_config(c, "-audio", spec);
		free(spec);
		ok = model == NULL || add_model(c, model, id == NULL ? AUDIO_ID : id, e);
	}
	keyval_free(&k);
	return ok;
}

/* ---- back ends ---- */

static struct machine_sound *
keep(struct machine *m, struct sound *sound)
{
	struct machine_sound **last = &m->sounds;

	while (*last != NULL)
		last = &(*last)->next;
	*last = xcalloc(1, sizeof(**last));
	(*last)->sound = sound;
	return *last;
}

static struct sound *
find(struct machine *m, const char *id)
{
	for (struct machine_sound *s = m->sounds; s != NULL; s = s->next) {
		if (strcmp(sound_id(s->sound), id) == 0)
			return s->sound;
	}
	return NULL;
}

/* For a device that names none, where there is none. */
static struct sound *
default_sound(struct machine *m, const char *device)
{
	struct err e = { "" };
	struct sound *s = sound_open(m->clock, "sdl,id=default", &e);

	if (s == NULL) {
		fprintf(stderr, "calque: %s is silent: %s\n", device, e.text);
		s = sound_open(m->clock, "none,id=default", &e);
	}
	return keep(m, s)->sound;
}

/* What audiodev=ID means, or its absence. */
static struct sound *
take_sound(struct machine *m, const char *id, const char *device, struct err *e)
{
	struct sound *s;

	if (id == NULL)
		return m->sounds != NULL ? m->sounds->sound : default_sound(m, device);
	s = find(m, id);
	if (s == NULL)
		err_set(e, "audiodev=%s is not there; give an -audiodev DRIVER,id=%s too", id, id);
	return s;
}

bool
machine_add_sound(struct machine *m, struct err *e)
{
	const char *speaker = m->settings->pcspk_audiodev;
	struct sound *s;

	for (const struct sound_config *c = m->settings->sounds; c != NULL; c = c->next) {
		s = sound_open(m->clock, c->spec, e);
		if (s != NULL && find(m, sound_id(s)) != NULL) {
			err_set(e, "id=%s is given twice", sound_id(s));
			sound_close(s);
			s = NULL;
		}
		if (s == NULL)
			return err_prefix(e, "%s %s: ", c->option, c->spec);
		keep(m, s);
	}
	if (speaker == NULL)
		return true;
	s = take_sound(m, speaker, "the PC speaker", e);
	if (s == NULL)
		return err_prefix(e, "-machine pcspk-");
	pcspk_new(&m->env, m->pit, s);
	return true;
}

void
machine_close_sound(struct machine *m)
{
	while (m->sounds != NULL) {
		struct machine_sound *next = m->sounds->next;

		sound_close(m->sounds->sound);
		free(m->sounds);
		m->sounds = next;
	}
}

/* ---- devices ---- */

bool
device_ac97(struct machine *m, struct keyval *k, struct err *e)
{
	const char *id = keyval_str(k, "id"), *audiodev = keyval_str(k, "audiodev");
	struct sound *s;
	int devfn;

	if (!machine_pci_place(m, k, &devfn, e) || !keyval_end(k, e) || (s = take_sound(m, audiodev, "AC97", e)) == NULL)
		return false;
	ac97_new(&m->env, m->pci, id, devfn, s);
	return true;
}

static bool
add_hda(struct machine *m, struct keyval *k, enum hda_model model, struct err *e)
{
	const char *id = keyval_str(k, "id"), *msi = keyval_str(k, "msi");
	struct hda_bus **last = &m->hda_buses;
	bool use_msi = true;
	unsigned n = 0;
	int devfn;

	if (!machine_pci_place(m, k, &devfn, e) || !keyval_only(k, "debug", "0", e) ||
	    (msi != NULL && strcmp(msi, "auto") != 0 && !keyval_bool(k, "msi", &use_msi, e)))
		return false;
	for (; *last != NULL; last = &(*last)->next)
		n++;
	*last = settings_alloc(m->settings, sizeof(**last));
	char *name = id != NULL ? xasprintf("%s.0", id) : xasprintf("hda.%u", n);
	(*last)->name = settings_dup(m->settings, name);
	(*last)->hda = hda_new(&m->env, m->pci, id, devfn, model, use_msi);
	free(name);
	return true;
}

bool
device_intel_hda(struct machine *m, struct keyval *k, struct err *e)
{
	return add_hda(m, k, HDA_ICH6, e);
}

bool
device_ich9_intel_hda(struct machine *m, struct keyval *k, struct err *e)
{
	return add_hda(m, k, HDA_ICH9, e);
}

/* bus=NAME, or the first bus that has a free address. */
static struct dev *
take_hda_bus(struct machine *m, struct keyval *k, struct err *e)
{
	const char *name = keyval_str(k, "bus");

	for (struct hda_bus *b = m->hda_buses; b != NULL; b = b->next) {
		if (name != NULL ? strcmp(name, b->name) == 0 : hda_free_address(b->hda) >= 0)
			return b->hda;
	}
	if (name != NULL)
		err_set(e, "bus=%s is not there; -device intel-hda,id=X before it makes bus X.0", name);
	else
		err_set(e, "there is no HDA controller to plug it into; give -device intel-hda before it");
	return NULL;
}

static bool
add_codec(struct machine *m, struct keyval *k, enum hda_codec_model model, const char *name, struct err *e)
{
	const char *id = keyval_str(k, "id"), *audiodev = keyval_str(k, "audiodev");
	struct dev *hda = take_hda_bus(m, k, e);
	uint64_t address = UINT64_MAX;
	bool mixer = true;
	struct sound *s;

	if (hda == NULL || !keyval_uint(k, "cad", 14, &address, e) || !keyval_bool(k, "mixer", &mixer, e) ||
	    !keyval_only(k, "use-timer", "on", e) || !keyval_only(k, "debug", "0", e) || !keyval_end(k, e))
		return false;
	if (address == UINT64_MAX)
		address = (uint64_t)hda_free_address(hda);
	if (!hda_address_is_free(hda, (unsigned)MIN(address, 99u)))
		return err_set(e, "the address on the bus is taken; leave cad= out, or use another one of 0 to 14");
	s = take_sound(m, audiodev, name, e);
	if (s == NULL)
		return false;
	hda_codec_new(&m->env, hda, id, model, (unsigned)address, mixer, s);
	return true;
}

bool
device_hda_output(struct machine *m, struct keyval *k, struct err *e)
{
	return add_codec(m, k, HDA_OUTPUT, "hda-output", e);
}

bool
device_hda_duplex(struct machine *m, struct keyval *k, struct err *e)
{
	return add_codec(m, k, HDA_DUPLEX, "hda-duplex", e);
}

bool
device_hda_micro(struct machine *m, struct keyval *k, struct err *e)
{
	return add_codec(m, k, HDA_MICRO, "hda-micro", e);
}

/* ---- the monitor ---- */

static void
audio_info(void *opaque, view_print *print, void *to)
{
	const struct machine *m = opaque;

	if (m->sounds == NULL)
		print(to, "there is no sound; -audio DRIVER,model=MODEL gives some\n");
	for (const struct machine_sound *s = m->sounds; s != NULL; s = s->next)
		sound_describe(s->sound, print, to);
}

/* Recordings are numbered through all back ends, by the lowest number that is free. */
static bool
record_start(void *opaque, const char *path, const char *audiodev, unsigned rate, unsigned bits, unsigned channels, struct err *e)
{
	struct machine *m = opaque;
	struct sound *s = audiodev != NULL ? find(m, audiodev) : m->sounds != NULL ? m->sounds->sound : NULL;
	struct sound_format f = { rate, (uint8_t)channels, bits == 8 ? SAMPLE_U8 : bits == 16 ? SAMPLE_S16 : SAMPLE_S32 };
	unsigned i = 0;

	if (s == NULL)
		return err_set(e, "there is no audiodev %s; see info audio", audiodev == NULL ? "" : audiodev);
	if (rate < SOUND_RATE_LEAST || rate > SOUND_RATE_MOST || (bits != 8 && bits != 16 && bits != 32) || channels < 1 ||
	    channels > 2)
		return err_set(e, "give %d to %d Hz, 8, 16 or 32 bits, 1 or 2 channels", SOUND_RATE_LEAST, SOUND_RATE_MOST);
	while (i < ARRAY_SIZE(m->captures) && m->captures[i].sound != NULL)
		i++;
	if (i == ARRAY_SIZE(m->captures))
		return err_set(e, "%zu recordings are the most; stopcapture ends one", ARRAY_SIZE(m->captures));
	if (!sound_record(s, path, &f, &m->captures[i].number, e))
		return false;
	m->captures[i].sound = s;
	return true;
}

static bool
record_stop(void *opaque, unsigned number, struct err *e)
{
	struct machine *m = opaque;

	if (number >= ARRAY_SIZE(m->captures) || m->captures[number].sound == NULL)
		return err_set(e, "there is no recording %u; see info capture", number);
	sound_record_stop(m->captures[number].sound, m->captures[number].number);
	m->captures[number].sound = NULL;
	return true;
}

static void
capture_info(void *opaque, view_print *print, void *to)
{
	const struct machine *m = opaque;
	char text[320];

	for (unsigned i = 0; i < ARRAY_SIZE(m->captures); i++) {
		if (m->captures[i].sound == NULL)
			continue;
		snprintf(text, sizeof(text), "[%u]: %.200s of %.80s\n", i,
			sound_record_path(m->captures[i].sound, m->captures[i].number), sound_id(m->captures[i].sound));
		print(to, text);
	}
}

void
sound_fill_view(struct machine_view *v)
{
	v->audio_info = audio_info;
	v->capture_info = capture_info;
	v->record_start = record_start;
	v->record_stop = record_stop;
}
