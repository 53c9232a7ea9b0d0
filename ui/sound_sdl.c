/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sound through SDL 2: whatever the host has, PulseAudio, PipeWire, ALSA and so on.
 *
 * SDL's thread takes frames from one queue and puts captured ones into another.  Playing begins when as many frames wait as
 * are wanted, and begins anew after the queue ran empty; when far too many wait, the oldest are dropped.
 */
#include "ui/sound_int.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"

#include <SDL.h>
#include <stdlib.h>

enum { DEFAULT_BLOCK = 512, WANTED_BLOCKS = 3 };

struct sdl_sound {
	SDL_AudioDeviceID out, in;      /* 0: not open */
	struct frame_queue played, captured;
	uint32_t wanted;                /* frames that should wait */
	bool primed;                    /* of SDL's thread: enough were there, and since then always some */
};

/* ---- SDL's thread ---- */

static void
on_play(void *opaque, Uint8 *stream, int len)
{
	struct sdl_sound *x = opaque;
	float *frames = (float *)(void *)stream;
	uint32_t count = (uint32_t)len / (2 * sizeof(float)), fill = frame_queue_fill(&x->played), n = 0;

	if (fill >= x->wanted)
		x->primed = true;
	if (fill > 3 * x->wanted + count)
		frame_queue_read(&x->played, NULL, fill - x->wanted - count);
	if (x->primed)
		n = frame_queue_read(&x->played, frames, count);
	if (n < count) {
		memset(frames + 2 * n, 0, (count - n) * 2 * sizeof(float));
		x->primed = false;
	}
}

static void
on_capture(void *opaque, Uint8 *stream, int len)
{
	struct sdl_sound *x = opaque;

	frame_queue_write(&x->captured, (const float *)(const void *)stream, (uint32_t)len / (2 * sizeof(float)));
}

/* ---- the machine's side ---- */

static SDL_AudioDeviceID
open_device(struct sdl_sound *x, bool capture, uint32_t *rate, bool rate_given, uint16_t block, struct err *e)
{
	SDL_AudioSpec wanted = {
		.freq = (int)*rate, .format = AUDIO_F32SYS, .channels = 2, .samples = block,
		.callback = capture ? on_capture : on_play, .userdata = x,
	}, got;
	SDL_AudioDeviceID id = SDL_OpenAudioDevice(NULL, capture, &wanted, &got,
		rate_given ? 0 : SDL_AUDIO_ALLOW_FREQUENCY_CHANGE);

	if (id == 0) {
		err_set(e, "the host plays no sound: %s; start a sound server, or use -audiodev none or wav", SDL_GetError());
		return 0;
	}
	*rate = MIN(MAX((uint32_t)got.freq, (uint32_t)SOUND_RATE_LEAST), (uint32_t)SOUND_RATE_MOST);
	return id;
}

static void
sdl_close(struct sound *s)
{
	struct sdl_sound *x = s->host;

	if (x->out != 0)
		SDL_CloseAudioDevice(x->out);
	if (x->in != 0)
		SDL_CloseAudioDevice(x->in);
	SDL_QuitSubSystem(SDL_INIT_AUDIO);
	frame_queue_free(&x->played);
	frame_queue_free(&x->captured);
	free(x);
}

/* Frames in a block of SDL's, a power of two. */
static uint16_t
block_frames(const struct sound *s, uint64_t count)
{
	uint64_t wanted = mul_div(s->out_buffer_ns, s->out.rate, NS_PER_SEC) / count;
	uint16_t block = 64;

	if (s->out_buffer_ns == 0)
		return DEFAULT_BLOCK;
	while (block < 8192 && block * 2u <= wanted)
		block *= 2;
	return block;
}

static bool
sdl_open(struct sound *s, struct keyval *k, struct err *e)
{
	struct sdl_sound *x;
	uint64_t count = WANTED_BLOCKS, in_count = WANTED_BLOCKS;

	if (!keyval_uint(k, "out.buffer-count", 64, &count, e) || !keyval_uint(k, "in.buffer-count", 64, &in_count, e) ||
	    !keyval_end(k, e))
		return false;
	SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
	SDL_SetHint(SDL_HINT_AUDIO_DEVICE_APP_NAME, "calque");
	if (SDL_InitSubSystem(SDL_INIT_AUDIO) != 0)
		return err_set(e, "the host plays no sound: %s; start a sound server, or use -audiodev none or wav",
			SDL_GetError());
	s->host = x = xcalloc(1, sizeof(*x));
	count = MAX(count, 1);
	if (!s->out_rate_given)
		s->out.rate = 48000;
	uint16_t block = block_frames(s, count);
	x->out = open_device(x, false, &s->out.rate, s->out_rate_given, block, e);
	if (x->out == 0) {
		sdl_close(s);
		return false;
	}
	s->in.rate = s->in_rate_given ? s->in.rate : s->out.rate;
	/* The timer brings frames a period's worth at a time. */
	x->wanted = (uint32_t)(block * count + mul_div(s->period_ns, s->out.rate, NS_PER_SEC));
	frame_queue_init(&x->played, MAX(8 * x->wanted, s->out.rate / 2));
	frame_queue_init(&x->captured, s->in.rate / 2);
	return true;
}

static void
sdl_start(struct sound *s)
{
	struct sdl_sound *x = s->host;

	SDL_PauseAudioDevice(x->out, 0);
}

static void
sdl_idle(struct sound *s)
{
	struct sdl_sound *x = s->host;

	SDL_PauseAudioDevice(x->out, 1);
}

static void
sdl_play(struct sound *s, const float *frames, uint32_t count)
{
	struct sdl_sound *x = s->host;

	frame_queue_write(&x->played, frames, count);
}

static uint32_t
sdl_waiting(struct sound *s, uint32_t *wanted)
{
	struct sdl_sound *x = s->host;

	*wanted = x->wanted;
	return frame_queue_fill(&x->played);
}

/* The microphone is opened only while a guest listens.  A host without one gives silence. */
static void
sdl_capture(struct sound *s, bool on)
{
	struct sdl_sound *x = s->host;
	struct err e;
	uint32_t rate = s->in.rate;

	if (x->in != 0)
		SDL_CloseAudioDevice(x->in);
	x->in = 0;
	if (!on)
		return;
	frame_queue_read(&x->captured, NULL, x->captured.size);
	x->in = open_device(x, true, &rate, true, DEFAULT_BLOCK, &e);
	if (x->in != 0)
		SDL_PauseAudioDevice(x->in, 0);
}

static uint32_t
sdl_captured(struct sound *s, float *frames, uint32_t space)
{
	struct sdl_sound *x = s->host;

	return frame_queue_read(&x->captured, frames, space);
}

const struct sound_backend sound_sdl = {
	.name = "sdl",
	.properties = "[in|out.buffer-count=N]",
	.description = "plays and captures through SDL, by what the host has",
	.open = sdl_open,
	.close = sdl_close,
	.start = sdl_start,
	.idle = sdl_idle,
	.play = sdl_play,
	.waiting = sdl_waiting,
	.capture = sdl_capture,
	.captured = sdl_captured,
};
