/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The PC speaker, as counter 2 of the 8254 and bits 0 and 1 of port 61h drive it.
 *
 * A sample is the mean of the signal over its time, so that tones are in tune and programs that play sound by the width of
 * pulses are heard.  As a loudspeaker does, it gives no constant signal.  The voice is active from the first swing until the
 * signal has stood still for a while.
 */
#include "base/clock.h"
#include "base/util.h"
#include "hw/hw.h"
#include "hw/pcm.h"
#include "ui/sound.h"

#include <math.h>
#include <stdio.h>

enum { RATE = 48000, STILL_FRAMES = RATE / 10, CHUNK_FRAMES = 256 };

/* The signal's height, and how fast a constant one dies away: about 20 Hz. */
#define LOUDNESS 0.5f
#define DECAY 0.9975f

struct pcspk {
	struct dev dev;
	struct dev *pit;
	struct clock *clock;
	struct voice *voice;
	float last, out;        /* of the filter */
	struct {
		struct pcm_pace pace;   /* while it is heard */
		uint64_t still;         /* frames since the last swing */
	} state;
};

static float
filter(struct pcspk *s, float in)
{
	s->out = in - s->last + DECAY * s->out;
	s->last = in;
	return s->out;
}

static void
render(struct pcspk *s, float *samples, uint64_t count)
{
	const struct pcm_pace *pace = &s->state.pace;
	uint64_t from = pace->start_ns + mul_div(pace->done, NS_PER_SEC, RATE);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t to = pace->start_ns + mul_div(pace->done + i + 1, NS_PER_SEC, RATE);
		float signal = LOUDNESS * (float)i8254_speaker(s->pit, from, to);

		s->state.still = signal == s->last ? s->state.still + 1 : 0;
		samples[i] = filter(s, signal);
		from = to;
	}
}

static void
catch_up(void *opaque)
{
	struct pcspk *s = opaque;
	uint64_t due = pcm_pace_due(&s->state.pace, clock_now(s->clock), RATE);
	float samples[CHUNK_FRAMES];

	while (due > 0) {
		uint64_t n = MIN(due, (uint64_t)CHUNK_FRAMES);

		render(s, samples, n);
		voice_write(s->voice, samples, n);
		s->state.pace.done += n;
		due -= n;
	}
	if (s->state.still >= STILL_FRAMES && !i8254_speaker_sounds(s->pit)) {
		voice_set_active(s->voice, false);
		s->out = 0;
	}
}

static void
start(struct pcspk *s)
{
	pcm_pace_start(&s->state.pace, clock_now(s->clock));
	s->state.still = 0;
	voice_set_active(s->voice, true);
}

/* The PIT calls this before it changes anything, and after. */
static void
changing(void *opaque)
{
	struct pcspk *s = opaque;
	uint64_t now = clock_now(s->clock);

	if (voice_is_active(s->voice))
		catch_up(s);
	else if (i8254_speaker_sounds(s->pit) || LOUDNESS * (float)i8254_speaker(s->pit, now, now + 1) != s->last)
		start(s);
}

static void
pcspk_reset(struct dev *d)
{
	struct pcspk *s = (struct pcspk *)d;

	voice_set_active(s->voice, false);
	memset(&s->state, 0, sizeof(s->state));
	s->last = s->out = 0;
}

static bool
pcspk_loaded(struct dev *d, struct err *e)
{
	(void)e;
	pcspk_reset(d);
	return true;
}

static void
pcspk_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	print(opaque, voice_is_active(((struct pcspk *)d)->voice) ? "speaker: heard\n" : "speaker: silent\n");
}

static void
pcspk_destroy(struct dev *d)
{
	struct pcspk *s = (struct pcspk *)d;

	i8254_on_speaker(s->pit, NULL, NULL);
	voice_free(s->voice);
}

/* What a guest can see of it is in the PIT. */
static const struct field fields[] = {
	FIELD_SKIP(struct pcspk, state.pace),
	FIELD_SKIP(struct pcspk, state.still),
	FIELD_END
};

static const struct dev_class pcspk_class = {
	DEV_OF(pcspk),
	.description = "PC speaker",
	.fields = fields,
	.reset = pcspk_reset,
	.loaded = pcspk_loaded,
	.info = pcspk_info,
	.destroy = pcspk_destroy,
};

struct dev *
pcspk_new(const struct dev_env *env, struct dev *pit, struct sound *sound)
{
	static const struct voice_ops ops = { catch_up };
	struct dev *d = dev_new(env, &pcspk_class, NULL);
	struct pcspk *s = (struct pcspk *)d;
	struct sound_format f = { RATE, 1, SAMPLE_F32 };

	s->pit = pit;
	s->clock = env->clock;
	s->voice = voice_new(sound, "pcspk", false, &ops, s);
	voice_set_format(s->voice, &f);
	pcspk_reset(d);
	i8254_on_speaker(pit, changing, s);
	return d;
}
