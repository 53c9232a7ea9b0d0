/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What -audiodev makes: its options, and the mix.
 *
 * While there is sound, a timer has the voices catch up and takes from them what is older than LAG_NS; the frames go to
 * the back end and to recordings.  When the last voice has ended, the rest is taken, and the timer stops.
 *
 * A back end with a clock of its own plays a little faster or slower than the machine's clock goes.  The pace at which
 * frames are made is changed by up to half a percent, so that as many wait there as should.
 */
#include "ui/sound_int.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <stdlib.h>

#define NS_PER_MS 1000000ull
#define LAG_NS (5 * NS_PER_MS)
/* After a longer pause of the host the time in between is left out: the machine stood still in it too. */
#define PAUSE_NS (250 * NS_PER_MS)
/* So long after the last sound the back end is told that there is none. */
#define IDLE_NS NS_PER_SEC
/* The pace is in millionths of a frame per second. */
#define PACE_UNIT 1000000ull
#define PACE_RANGE 0.005

static void
drop(struct sound *s, const float *frames, uint32_t count)
{
	(void)s, (void)frames, (void)count;
}

static const struct sound_backend sound_none = {
	.name = "none",
	.properties = "",
	.description = "what is played is dropped; silence is captured",
	.play = drop,
};

static const struct sound_backend *const backends[] = { &sound_none, &sound_wav, &sound_sdl };

/* ---- options ---- */

static bool
take_type(const char *name, enum sample_type *type)
{
	static const char *const names[] = {
		[SAMPLE_U8] = "u8", [SAMPLE_S8] = "s8", [SAMPLE_U16] = "u16", [SAMPLE_S16] = "s16",
		[SAMPLE_U32] = "u32", [SAMPLE_S32] = "s32", [SAMPLE_F32] = "f32",
	};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) == 0) {
			*type = (enum sample_type)i;
			return true;
		}
	}
	return false;
}

/* "out.frequency" and its like, for one direction: DIR is "out" or "in". */
static bool
take_direction(struct keyval *k, const char *dir, struct sound_format *f, bool *rate_given, uint64_t *buffer_ns, struct err *e)
{
	char key[32];
	uint64_t rate = 0, channels = f->channels, us = 0, voices = 1;
	bool ok;

#define KEY(name) (snprintf(key, sizeof(key), "%s." name, dir), key)
	ok = keyval_only(k, KEY("mixing-engine"), "on", e) && keyval_only(k, KEY("fixed-settings"), "on", e) &&
		keyval_uint(k, KEY("voices"), 1000, &voices, e) && keyval_uint(k, KEY("buffer-length"), 1000000, &us, e) &&
		keyval_uint(k, KEY("frequency"), SOUND_RATE_MOST, &rate, e) && keyval_uint(k, KEY("channels"), 2, &channels, e);
	const char *type = keyval_str(k, KEY("format"));
	if (ok && type != NULL && !take_type(type, &f->type))
		ok = err_set(e, "%s=%s is not known; use u8, s8, u16, s16, u32, s32 or f32", key, type);
	if (ok && channels == 0)
		ok = err_set(e, "%s has to be 1 or 2", KEY("channels"));
	if (ok && keyval_str(k, KEY("frequency")) != NULL && rate < SOUND_RATE_LEAST)
		ok = err_set(e, "%s has to be %u to %u", KEY("frequency"), SOUND_RATE_LEAST, SOUND_RATE_MOST);
#undef KEY
	f->channels = (uint8_t)channels;
	*rate_given = rate != 0;
	f->rate = rate != 0 ? (uint32_t)rate : f->rate;
	*buffer_ns = us * 1000;
	return ok;
}

static const struct sound_backend *
find_backend(const char *name, struct err *e)
{
	static const char *const others[] = {
		"alsa", "coreaudio", "dbus", "dsound", "jack", "oss", "pa", "pipewire", "sndio", "spice",
	};

	for (unsigned i = 0; name != NULL && i < ARRAY_SIZE(backends); i++) {
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	}
	for (unsigned i = 0; name != NULL && i < ARRAY_SIZE(others); i++) {
		if (strcmp(others[i], name) == 0) {
			err_set(e, "back end '%s' is not supported; use sdl, which plays through what the host has, wav or none",
				name);
			return NULL;
		}
	}
	err_set(e, "back end '%s' is not known; use none, wav or sdl", name == NULL ? "" : name);
	return NULL;
}

static void mix_timer(void *opaque);

struct sound *
sound_open(struct clock *c, const char *spec, struct err *e)
{
	struct sound *s = xcalloc(1, sizeof(*s));
	uint64_t period_us = 10000, in_buffer_ns = 0;
	struct keyval k;

	s->clock = c;
	s->out = s->in = (struct sound_format){ 44100, 2, SAMPLE_S16 };
	s->level = -1;
	s->idle_told = true;
	timer_init(&s->timer, c, mix_timer, s);
	bool ok = keyval_parse(&k, spec, "driver", e) && (s->backend = find_backend(keyval_str(&k, "driver"), e)) != NULL;
	const char *id = keyval_str(&k, "id");
	s->id = xstrdup(id == NULL ? "" : id);
	ok = ok && keyval_uint(&k, "timer-period", 100000, &period_us, e) &&
		take_direction(&k, "out", &s->out, &s->out_rate_given, &s->out_buffer_ns, e) &&
		take_direction(&k, "in", &s->in, &s->in_rate_given, &in_buffer_ns, e);
	s->period_ns = MAX(period_us, 1000) * 1000;
	const struct sound_backend *backend = s->backend;
	s->backend = NULL;
	if (ok && backend->open != NULL)
		ok = backend->open(s, &k, e);
	if (ok)
		s->backend = backend;
	ok = ok && keyval_end(&k, e);
	keyval_free(&k);
	if (!ok) {
		sound_close(s);
		return NULL;
	}
	s->pace = s->out.rate * PACE_UNIT;
	return s;
}

void
sound_close(struct sound *s)
{
	if (s == NULL)
		return;
	timer_cancel(&s->timer);
	for (unsigned i = 0; i < RECORDINGS_MAX; i++)
		sound_record_stop(s, i);
	if (s->backend != NULL && s->backend->close != NULL)
		s->backend->close(s);
	free(s->id);
	free(s);
}

const char *
sound_id(const struct sound *s)
{
	return s->id;
}

void
sound_help(void (*print)(void *opaque, const char *text), void *opaque)
{
	char text[256];

	print(opaque, "Back ends of sound (-audiodev DRIVER,id=ID[,prop=value...]):\n");
	for (unsigned i = 0; i < ARRAY_SIZE(backends); i++) {
		snprintf(text, sizeof(text), "%-6s %s%s%s\n", backends[i]->name, backends[i]->description,
			*backends[i]->properties == '\0' ? "" : "; ", backends[i]->properties);
		print(opaque, text);
	}
	print(opaque, "Properties of all: timer-period=US, and with out. or in. before them frequency=HZ, channels=1|2,\n"
		"format=u8|s8|u16|s16|u32|s32|f32, buffer-length=US\n");
}

/* ---- recordings ---- */

bool
sound_record(struct sound *s, const char *path, const struct sound_format *f, unsigned *number, struct err *e)
{
	unsigned i = 0;

	while (i < RECORDINGS_MAX && s->recordings[i].file != NULL)
		i++;
	if (i == RECORDINGS_MAX)
		return err_set(e, "%d recordings are the most; stop one", RECORDINGS_MAX);
	s->recordings[i].file = wav_create(path, f, e);
	if (s->recordings[i].file == NULL)
		return false;
	if (f->rate != s->out.rate)
		s->recordings[i].resampler = resampler_new(s->out.rate, f->rate);
	*number = i;
	return true;
}

bool
sound_record_stop(struct sound *s, unsigned number)
{
	struct recording *r = &s->recordings[number % RECORDINGS_MAX];

	if (number >= RECORDINGS_MAX || r->file == NULL)
		return false;
	wav_close(r->file);
	resampler_free(r->resampler);
	*r = (struct recording){ NULL, NULL };
	return true;
}

const char *
sound_record_path(const struct sound *s, unsigned number)
{
	return number < RECORDINGS_MAX && s->recordings[number].file != NULL ? wav_path(s->recordings[number].file) : "";
}

static void
record(struct recording *r, const float *frames, uint32_t count)
{
	float out[2 * CHUNK_FRAMES];

	if (r->resampler == NULL) {
		wav_write(r->file, frames, count);
		return;
	}
	for (uint32_t done = 0, used = 0; done < count; done += used) {
		uint32_t n = resampler_run(r->resampler, frames + 2 * done, count - done, &used, out, CHUNK_FRAMES);

		wav_write(r->file, out, n);
	}
}

/* ---- the mix ---- */

/* How many frames there are by the time NOW, in millionths, and whole ones. */
static uint64_t
passed_exactly(const struct sound *s, uint64_t now)
{
	return s->ahead + mul_div(now - s->base_ns, s->pace, NS_PER_SEC);
}

static uint64_t
passed(const struct sound *s, uint64_t now)
{
	return passed_exactly(s, now) / PACE_UNIT;
}

/* Time begins anew, with AHEAD millionths of a frame that are there and not taken. */
static void
set_base(struct sound *s, uint64_t now, uint64_t ahead)
{
	s->base_ns = now;
	s->ahead = ahead;
	s->taken = 0;
}

uint64_t
sound_due(const struct sound *s)
{
	uint64_t due = passed(s, clock_now(s->clock));

	return due > s->taken ? due - s->taken : 0;
}

static void
take(struct sound *s, uint64_t count)
{
	float mix[2 * CHUNK_FRAMES];

	s->taken += count;
	s->mixed += count;
	while (count > 0) {
		uint32_t n = (uint32_t)MIN(count, (uint64_t)CHUNK_FRAMES);

		voices_mix(s, mix, n);
		s->backend->play(s, mix, n);
		for (unsigned i = 0; i < RECORDINGS_MAX; i++) {
			if (s->recordings[i].file != NULL)
				record(&s->recordings[i], mix, n);
		}
		count -= n;
	}
}

/* Holds the level of a back end that has a clock of its own. */
static void
set_pace(struct sound *s, uint64_t now)
{
	uint32_t wanted, waiting;
	double off;

	if (s->backend->waiting == NULL)
		return;
	waiting = s->backend->waiting(s, &wanted);
	s->level = s->level < 0 ? wanted : s->level + (waiting - s->level) / 16;
	off = (wanted - s->level) / wanted * PACE_RANGE;
	off = MIN(MAX(off, -PACE_RANGE), PACE_RANGE);
	/* What has passed so far did so at the pace until now. */
	uint64_t done = passed_exactly(s, now), taken = s->taken * PACE_UNIT;
	set_base(s, now, done > taken ? done - taken : 0);
	s->pace = (uint64_t)((1 + off) * s->out.rate * PACE_UNIT);
	voices_tune(s);
}

static void
mix(struct sound *s, uint64_t now)
{
	uint64_t lag = mul_div(LAG_NS, s->pace, NS_PER_SEC * PACE_UNIT), due;

	if (now - s->base_ns > PAUSE_NS && passed(s, now - PAUSE_NS) > s->taken)
		set_base(s, now, voices_waiting(s) * PACE_UNIT);
	due = passed(s, now);
	if (due > s->taken + lag)
		take(s, due - lag - s->taken);
	/* Of the time until NOW, by which all have caught up; it may be later meanwhile. */
	due = passed(s, now);
	voices_fill_up(s, due > s->taken ? due - s->taken : 0);
	set_pace(s, now);
}

/* The last voice has ended. */
static void
finish(struct sound *s, uint64_t now)
{
	take(s, voices_waiting(s));
	s->playing = false;
	s->idle_since_ns = now;
	s->idle_told = false;
}

/* Every period while there is sound, and once when it has been silent for a while. */
static void
mix_timer(void *opaque)
{
	struct sound *s = opaque;
	uint64_t now = clock_now(s->clock);

	s->mixing = true;
	voices_catch_up(s);
	s->mixing = false;
	if (s->playing && !voices_active(s, false))
		finish(s, now);
	else if (s->playing)
		mix(s, now);
	if (s->capturing && !voices_active(s, true)) {
		s->capturing = false;
		if (s->backend->capture != NULL)
			s->backend->capture(s, false);
	}
	if (!s->playing && !s->idle_told && now - s->idle_since_ns >= IDLE_NS) {
		s->idle_told = true;
		if (s->backend->idle != NULL)
			s->backend->idle(s);
	}
	if (s->playing || s->capturing)
		timer_set(&s->timer, now + s->period_ns);
	else if (!s->idle_told)
		timer_set(&s->timer, s->idle_since_ns + IDLE_NS);
}

void
sound_begin(struct sound *s, bool capture)
{
	uint64_t now = clock_now(s->clock);

	if (capture && !s->capturing) {
		s->capturing = true;
		if (s->backend->capture != NULL)
			s->backend->capture(s, true);
	}
	if (!capture && !s->playing) {
		s->playing = true;
		s->pace = s->out.rate * PACE_UNIT;
		s->level = -1;
		set_base(s, now, 0);
		if (s->idle_told && s->backend->start != NULL)
			s->backend->start(s);
	}
	/* Also when only the end of the silence was waited for. */
	if (!s->mixing)
		timer_set(&s->timer, MIN(now + s->period_ns, s->timer.armed ? s->timer.deadline_ns : UINT64_MAX));
}

void
sound_fetch(struct sound *s)
{
	float frames[2 * CHUNK_FRAMES];
	uint32_t n;

	if (s->backend->captured == NULL || !s->capturing)
		return;
	while ((n = s->backend->captured(s, frames, CHUNK_FRAMES)) > 0)
		voices_captured(s, frames, n);
}

void
sound_describe(const struct sound *s, void (*print)(void *opaque, const char *text), void *opaque)
{
	char text[256];

	snprintf(text, sizeof(text), "%s: %s, %u Hz, %s; %llu frames mixed\n", *s->id == '\0' ? "(no id)" : s->id,
		s->backend->name, s->out.rate, s->playing ? "playing" : "silent", (unsigned long long)s->mixed);
	print(opaque, text);
	for (unsigned i = 0; i < RECORDINGS_MAX; i++) {
		if (s->recordings[i].file != NULL) {
			snprintf(text, sizeof(text), "  recording %u: %.200s\n", i, wav_path(s->recordings[i].file));
			print(opaque, text);
		}
	}
	voices_describe(s, print, opaque);
}
