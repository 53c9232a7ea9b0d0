/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a back end of sound is made of; seen by the sound*.c files and their test alone. */
#ifndef UI_SOUND_INT_H
#define UI_SOUND_INT_H

#include "base/clock.h"
#include "ui/sound.h"

#include <stdatomic.h>
#include <stdio.h>

struct keyval;

/* ---- a queue of stereo frames between one writer and one reader, which may be different threads ---- */

struct frame_queue {
	float *frames;          /* two floats each */
	uint32_t size;          /* a power of two */
	_Atomic uint32_t head;  /* frames ever written, modulo 2^32; the writer's */
	_Atomic uint32_t tail;  /* frames ever read; the reader's */
};

/* At least AT_LEAST frames fit. */
void frame_queue_init(struct frame_queue *q, uint32_t at_least);
void frame_queue_free(struct frame_queue *q);
uint32_t frame_queue_fill(const struct frame_queue *q);
/* How many were taken, as all may not fit; FRAMES NULL: silence. */
uint32_t frame_queue_write(struct frame_queue *q, const float *frames, uint32_t count);
/* How many were there; FRAMES NULL: they are dropped. */
uint32_t frame_queue_read(struct frame_queue *q, float *frames, uint32_t count);

/* ---- from one rate to another ---- */

struct resampler;
struct resampler *resampler_new(double rate_in, double rate_out);
void resampler_free(struct resampler *r);
/* A slight change of what the filter was made for. */
void resampler_tune(struct resampler *r, double rate_in, double rate_out);
/* How many frames of input are inside. */
uint32_t resampler_delay(const struct resampler *r);
/* Stereo frames; takes *USED of COUNT, gives as many as come out, at most SPACE. */
uint32_t resampler_run(struct resampler *r, const float *in, uint32_t count, uint32_t *used, float *out, uint32_t space);

/* ---- formats ---- */

unsigned sample_bytes(enum sample_type type);
/* To and from stereo floats of -1.0 to 1.0; one channel is heard on both sides. */
void frames_decode(const struct sound_format *f, const void *from, float *to, size_t count);
void frames_encode(const struct sound_format *f, const float *from, void *to, size_t count);

/* ---- WAV files ---- */

struct wav_file;
struct wav_file *wav_create(const char *path, const struct sound_format *f, struct err *e);
/* Stereo frames.  A file that can't be written any more is reported once, in one line, and then left alone. */
void wav_write(struct wav_file *w, const float *frames, size_t count);
/* Puts the header right, so that a file can be used before its end. */
void wav_settle(struct wav_file *w);
void wav_close(struct wav_file *w);
const char *wav_path(const struct wav_file *w);

/* ---- back ends ---- */

struct sound_backend {
	const char *name, *properties, *description;
	/* Looks up its own properties; may change the rates in S, where they were not given.  NULL: nothing to do. */
	bool (*open)(struct sound *s, struct keyval *k, struct err *e);
	void (*close)(struct sound *s);
	/* Sound begins, and has ended some time ago.  Either may be NULL. */
	void (*start)(struct sound *s);
	void (*idle)(struct sound *s);
	/* COUNT mixed stereo frames. */
	void (*play)(struct sound *s, const float *frames, uint32_t count);
	/* A back end with a clock of its own: how many frames wait, and how many should. */
	uint32_t (*waiting)(struct sound *s, uint32_t *wanted);
	/* Capture begins, has ended; frames that have come, at most SPACE.  NULL: there is no capture. */
	void (*capture)(struct sound *s, bool on);
	uint32_t (*captured)(struct sound *s, float *frames, uint32_t space);
};

extern const struct sound_backend sound_wav, sound_sdl;

enum { RECORDINGS_MAX = 8 };

struct sound {
	const struct sound_backend *backend;
	void *host;                     /* the back end's own */
	char *id;
	struct clock *clock;
	struct timer timer;             /* armed while there is sound, and until the back end was told that there is none */
	uint64_t period_ns;
	struct sound_format out, in;
	bool out_rate_given, in_rate_given;
	uint64_t out_buffer_ns;         /* 0: the back end's choice */
	uint64_t buffer_count;
	struct voice *voices;

	bool playing, capturing, mixing;
	bool idle_told;
	uint64_t idle_since_ns;
	/*
	 * The pace of the mix, in millionths of a frame: by the time NOW there are AHEAD + (NOW - BASE_NS) * PACE of them, and
	 * TAKEN whole frames went to the back end.
	 */
	uint64_t pace, base_ns, ahead, taken;
	double level;                   /* frames that wait in the back end, smoothed; below 0: not known yet */
	uint64_t mixed;                 /* frames, for `info` */

	struct recording {
		struct wav_file *file;          /* NULL: this one is free */
		struct resampler *resampler;    /* NULL: at the rate of the mix */
	} recordings[RECORDINGS_MAX];
};

/* ---- voices, for the mix ---- */

enum { CHUNK_FRAMES = 256 };

/* Adds up to COUNT frames of each voice to MIX, which begins as silence. */
void voices_mix(struct sound *s, float *mix, uint32_t count);
/* Puts silence where a device wrote too little: DUE frames should wait. */
void voices_fill_up(struct sound *s, uint64_t due);
/* Has all active voices catch up. */
void voices_catch_up(struct sound *s);
bool voices_active(const struct sound *s, bool capture);
/* Frames that still wait in voices; the most of all. */
uint32_t voices_waiting(const struct sound *s);
/* The mix goes at another pace. */
void voices_tune(struct sound *s);
/* What the host captured, for each voice that captures. */
void voices_captured(struct sound *s, const float *frames, uint32_t count);
void voices_describe(const struct sound *s, void (*print)(void *opaque, const char *text), void *opaque);

/* A voice's activity changed: sound may begin. */
void sound_begin(struct sound *s, bool capture);
/* How many frames of the mix lie between what was taken and now, and may be filled by voices. */
uint64_t sound_due(const struct sound *s);
/* Fetches what the host has captured. */
void sound_fetch(struct sound *s);

#endif
