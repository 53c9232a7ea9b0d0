/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The host's side of sound: what -audiodev makes, and the voices that sound devices have there.
 *
 * A device opens a voice, says when it is active, and moves sound through it as virtual time goes on: a frame of a stream
 * of RATE passes in 1/RATE seconds of the machine's clock, whatever the host does.  The device need not watch the time for
 * that: while a voice is active its catch_up() is called every few milliseconds, and has to write (or, from a capture
 * voice, read) all frames that are due by then.  It may do so more often, say when the guest reads a position.
 *
 * What active voices wrote is brought to one rate, mixed, and goes to the back end at the pace of the machine's clock.
 * When no voice is active nothing goes there: a WAV file holds the times in which there was sound, one after the other.
 * Back ends with a clock of their own (a sound card) are fed through a bounded queue, whose level is held by a slight
 * change of the rate; a machine that is stopped, or too slow, gives silence, and never a growing delay.
 *
 * Threads: all functions here are called under the machine's lock, and so is catch_up().  A thread of a back end sees its
 * queues alone, and takes no lock.
 */
#ifndef UI_SOUND_H
#define UI_SOUND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct err;
struct sound;
struct voice;

enum sample_type { SAMPLE_U8, SAMPLE_S8, SAMPLE_U16, SAMPLE_S16, SAMPLE_U32, SAMPLE_S32, SAMPLE_F32 };

enum { SOUND_RATE_LEAST = 4000, SOUND_RATE_MOST = 192000 };

/* Samples are in the host's byte order, which is the guest's; 1 or 2 channels, interleaved. */
struct sound_format {
	uint32_t rate;
	uint8_t channels;
	enum sample_type type;
};

/* SPEC is the argument of -audiodev: "wav,id=a,path=FILE,out.frequency=48000".  NULL with E set. */
struct sound *sound_open(struct clock *c, const char *spec, struct err *e);
/* Its voices have gone before. */
void sound_close(struct sound *s);
const char *sound_id(const struct sound *s);
/* The text of -audiodev help. */
void sound_help(void (*print)(void *opaque, const char *text), void *opaque);
/* Lines for `info`: the back end, and each voice with what passed through it. */
void sound_describe(const struct sound *s, void (*print)(void *opaque, const char *text), void *opaque);

/*
 * Copies what is played into a WAV file of that format until sound_record_stop().  Each recording has a number; false
 * with E set.
 */
bool sound_record(struct sound *s, const char *path, const struct sound_format *f, unsigned *number, struct err *e);
bool sound_record_stop(struct sound *s, unsigned number);
const char *sound_record_path(const struct sound *s, unsigned number);

struct voice_ops {
	/* Write, or read, what is due at the clock's time now.  May end the voice's activity. */
	void (*catch_up)(void *opaque);
};

/* NAME is for people: "ac97 out".  It starts without activity, at 48 kHz, 16 bits and stereo. */
struct voice *voice_new(struct sound *s, const char *name, bool capture, const struct voice_ops *ops, void *opaque);
/* NULL is allowed. */
void voice_free(struct voice *v);

/* A rate beyond the limits is brought to the next that is allowed. */
void voice_set_format(struct voice *v, const struct sound_format *f);
/* What samples are multiplied by; 1.0 leaves them as they are. */
void voice_set_gain(struct voice *v, float left, float right);
void voice_set_active(struct voice *v, bool active);
bool voice_is_active(const struct voice *v);

/* COUNT frames; more than a quarter of a second at once is cut off. */
void voice_write(struct voice *v, const void *frames, size_t count);
/* Always gives COUNT frames: silence, where the host has none. */
void voice_read(struct voice *v, void *frames, size_t count);

#endif
