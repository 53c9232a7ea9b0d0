/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Voices.  Each has a queue of frames at the rate of the mix (a capture voice: at its own rate).  What a device writes
 * belongs to the time until now; the mix takes it a little later (see sound.c), so that a frame more or less by rounding
 * leaves no hole.  A voice that begins, or whose device gave nothing for a time, is filled with silence up to now.
 */
#include "ui/sound_int.h"

#include "base/util.h"

#include <stdlib.h>

/* A capture voice that ran dry waits for that much before it gives sound again. */
#define CAPTURE_CUSHION_MS 20

struct voice {
	struct sound *sound;
	char *name;
	bool capture;
	const struct voice_ops *ops;
	void *opaque;
	struct sound_format format;
	float gain[2];
	bool active;
	bool dry;                       /* a capture voice: its queue ran empty, or it has just begun */
	struct resampler *resampler;    /* NULL: the rates are equal */
	struct frame_queue queue;
	uint64_t passed, lost, starved; /* frames moved, cut off, and given as silence as none were there */
	struct voice *next;
};

static uint32_t
mix_rate(const struct voice *v)
{
	return v->capture ? v->sound->in.rate : v->sound->out.rate;
}

/* The rate of the mix as it goes now. */
static double
mix_pace(const struct voice *v)
{
	return v->capture ? v->sound->in.rate : (double)v->sound->pace / 1e6;
}

static bool
is_tunable(const struct voice *v)
{
	return !v->capture && v->sound->backend->waiting != NULL;
}

static void
fit_resampler(struct voice *v)
{
	double own = v->format.rate, mix = mix_rate(v);

	resampler_free(v->resampler);
	v->resampler = NULL;
	if (own != mix || is_tunable(v))
		v->resampler = v->capture ? resampler_new(mix, own) : resampler_new(own, mix);
	if (v->resampler != NULL && is_tunable(v))
		resampler_tune(v->resampler, own, mix_pace(v));
}

struct voice *
voice_new(struct sound *s, const char *name, bool capture, const struct voice_ops *ops, void *opaque)
{
	struct voice *v = xcalloc(1, sizeof(*v)), **last = &s->voices;

	*v = (struct voice){
		.sound = s, .name = xstrdup(name), .capture = capture, .ops = ops, .opaque = opaque,
		.gain = { 1, 1 }, .format = { 48000, 2, SAMPLE_S16 },
	};
	frame_queue_init(&v->queue, (capture ? SOUND_RATE_MOST : s->out.rate) / 2);
	fit_resampler(v);
	while (*last != NULL)
		last = &(*last)->next;
	*last = v;
	return v;
}

void
voice_free(struct voice *v)
{
	struct voice **at;

	if (v == NULL)
		return;
	for (at = &v->sound->voices; *at != v; at = &(*at)->next)
		;
	*at = v->next;
	resampler_free(v->resampler);
	frame_queue_free(&v->queue);
	free(v->name);
	free(v);
}

void
voice_set_format(struct voice *v, const struct sound_format *f)
{
	uint32_t rate = MIN(MAX(f->rate, (uint32_t)SOUND_RATE_LEAST), (uint32_t)SOUND_RATE_MOST);
	bool same = rate == v->format.rate;

	v->format = *f;
	v->format.rate = rate;
	if (same)
		return;
	fit_resampler(v);
	if (v->capture)
		frame_queue_read(&v->queue, NULL, v->queue.size);
}

void
voice_set_gain(struct voice *v, float left, float right)
{
	v->gain[0] = left;
	v->gain[1] = right;
}

bool
voice_is_active(const struct voice *v)
{
	return v->active;
}

static void
apply_gain(const struct voice *v, float *frames, uint32_t count)
{
	if (v->gain[0] == 1 && v->gain[1] == 1)
		return;
	for (uint32_t i = 0; i < count; i++) {
		frames[2 * i] *= v->gain[0];
		frames[2 * i + 1] *= v->gain[1];
	}
}

/* ---- playing ---- */

/* FRAMES at the rate of the mix, which belong to the time until now. */
static void
append(struct voice *v, const float *frames, uint32_t count)
{
	v->lost += count - frame_queue_write(&v->queue, frames, count);
}

static void
write_chunk(struct voice *v, const float *frames, uint32_t count)
{
	float out[2 * CHUNK_FRAMES];
	uint32_t used = 0;

	if (v->resampler == NULL) {
		append(v, frames, count);
		return;
	}
	while (count > 0) {
		uint32_t made = resampler_run(v->resampler, frames, count, &used, out, CHUNK_FRAMES);

		append(v, out, made);
		frames += 2 * used;
		count -= used;
	}
}

/* What is left inside the filter comes out. */
static void
let_out(struct voice *v)
{
	static const float silence[2 * CHUNK_FRAMES];
	uint32_t count;

	if (v->capture || v->resampler == NULL)
		return;
	for (count = resampler_delay(v->resampler); count > CHUNK_FRAMES; count -= CHUNK_FRAMES)
		write_chunk(v, silence, CHUNK_FRAMES);
	write_chunk(v, silence, count);
}

/* What is written next belongs to the time that begins now. */
static void
come_in(struct voice *v)
{
	uint64_t due = sound_due(v->sound), there = frame_queue_fill(&v->queue);

	if (due > there)
		frame_queue_write(&v->queue, NULL, (uint32_t)MIN(due - there, v->queue.size));
	else if (there - due > mix_rate(v) / 100)
		v->lost += frame_queue_read(&v->queue, NULL, (uint32_t)(there - due));
}

void
voice_set_active(struct voice *v, bool active)
{
	if (v->active == active)
		return;
	v->active = active;
	if (!active) {
		let_out(v);
		return;
	}
	sound_begin(v->sound, v->capture);
	if (v->capture) {
		v->dry = true;
		frame_queue_read(&v->queue, NULL, v->queue.size);
	} else {
		come_in(v);
	}
}

void
voice_write(struct voice *v, const void *frames, size_t count)
{
	unsigned frame = sample_bytes(v->format.type) * v->format.channels;
	size_t most = v->format.rate / 4;
	const uint8_t *p = frames;
	float chunk[2 * CHUNK_FRAMES];

	v->passed += count;
	if (count > most) {
		v->lost += count - most;
		p += (count - most) * frame;
		count = most;
	}
	while (count > 0) {
		uint32_t n = (uint32_t)MIN(count, (size_t)CHUNK_FRAMES);

		frames_decode(&v->format, p, chunk, n);
		apply_gain(v, chunk, n);
		write_chunk(v, chunk, n);
		p += n * frame;
		count -= n;
	}
}

void
voices_mix(struct sound *s, float *mix, uint32_t count)
{
	float chunk[2 * CHUNK_FRAMES];

	memset(mix, 0, count * 2 * sizeof(float));
	for (struct voice *v = s->voices; v != NULL; v = v->next) {
		if (v->capture)
			continue;
		uint32_t n = frame_queue_read(&v->queue, chunk, count);

		for (uint32_t i = 0; i < 2 * n; i++)
			mix[i] += chunk[i];
	}
}

void
voices_fill_up(struct sound *s, uint64_t due)
{
	for (struct voice *v = s->voices; v != NULL; v = v->next) {
		uint32_t there = frame_queue_fill(&v->queue);

		if (!v->capture && v->active && there < due / 2)
			v->starved += frame_queue_write(&v->queue, NULL, (uint32_t)(due - there));
	}
}

/* ---- capturing ---- */

void
voices_captured(struct sound *s, const float *frames, uint32_t count)
{
	float out[2 * CHUNK_FRAMES];

	for (struct voice *v = s->voices; v != NULL; v = v->next) {
		if (!v->capture || !v->active)
			continue;
		if (v->resampler == NULL) {
			append(v, frames, count);
			continue;
		}
		for (uint32_t done = 0, used = 0; done < count; done += used) {
			uint32_t n = resampler_run(v->resampler, frames + 2 * done, count - done, &used, out, CHUNK_FRAMES);

			append(v, out, n);
		}
	}
}

void
voice_read(struct voice *v, void *frames, size_t count)
{
	unsigned frame = sample_bytes(v->format.type) * v->format.channels;
	uint32_t cushion = v->format.rate * CAPTURE_CUSHION_MS / 1000;
	uint8_t *p = frames;
	float chunk[2 * CHUNK_FRAMES];

	v->passed += count;
	sound_fetch(v->sound);
	uint32_t fill = frame_queue_fill(&v->queue);
	if (v->dry && fill >= cushion + count)
		v->dry = false;
	/* The host's clock is ahead: what is too old is left out. */
	if (fill > 4 * cushion + count)
		v->lost += frame_queue_read(&v->queue, NULL, fill - cushion - (uint32_t)count);
	while (count > 0) {
		uint32_t want = (uint32_t)MIN(count, (size_t)CHUNK_FRAMES);
		uint32_t n = v->dry ? 0 : frame_queue_read(&v->queue, chunk, want);

		if (n < want) {
			v->starved += v->dry ? 0 : want - n;
			v->dry = true;
			memset(chunk + 2 * n, 0, (want - n) * 2 * sizeof(float));
		}
		apply_gain(v, chunk, want);
		frames_encode(&v->format, chunk, p, want);
		p += want * frame;
		count -= want;
	}
}

/* ---- all of them ---- */

void
voices_catch_up(struct sound *s)
{
	for (struct voice *v = s->voices; v != NULL; v = v->next) {
		if (v->active)
			v->ops->catch_up(v->opaque);
	}
}

bool
voices_active(const struct sound *s, bool capture)
{
	for (const struct voice *v = s->voices; v != NULL; v = v->next) {
		if (v->active && v->capture == capture)
			return true;
	}
	return false;
}

uint32_t
voices_waiting(const struct sound *s)
{
	uint32_t most = 0;

	for (const struct voice *v = s->voices; v != NULL; v = v->next) {
		if (!v->capture)
			most = MAX(most, frame_queue_fill(&v->queue));
	}
	return most;
}

void
voices_tune(struct sound *s)
{
	for (struct voice *v = s->voices; v != NULL; v = v->next) {
		if (v->resampler != NULL && is_tunable(v))
			resampler_tune(v->resampler, v->format.rate, mix_pace(v));
	}
}

void
voices_describe(const struct sound *s, void (*print)(void *opaque, const char *text), void *opaque)
{
	char text[256];

	for (const struct voice *v = s->voices; v != NULL; v = v->next) {
		snprintf(text, sizeof(text), "  %s: %s, %s, %u Hz, %u channel%s, %u bits; %llu frames, %llu lost, %llu missing\n",
			v->name, v->capture ? "capture" : "playback", v->active ? "active" : "idle", v->format.rate,
			v->format.channels, v->format.channels == 1 ? "" : "s", 8 * sample_bytes(v->format.type),
			(unsigned long long)v->passed, (unsigned long long)v->lost, (unsigned long long)v->starved);
		print(opaque, text);
	}
}
