/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host's side of sound: formats, rates, the mix and its pace, WAV files, and a back end with a clock of its own. */
#include "base/clock.h"
#include "base/err.h"
#include "base/util.h"
#include "ui/sound_int.h"

#include <check.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct clock *clk;
static char dir[64], path[128];

/* A source that plays a ramp or a sine as a device would: what is due at each catch_up(). */
struct source {
	struct voice *voice;
	struct sound_format format;
	uint64_t start_ns, done, end; /* END: frames after which it stops */
	double hz;              /* 0: a ramp of 16-bit samples */
};

static void
source_catch_up(void *opaque)
{
	struct source *s = opaque;
	uint64_t due = mul_div(clock_now(clk) - s->start_ns, s->format.rate, NS_PER_SEC);
	int16_t frame[2];

	for (; s->done < MIN(due, s->end); s->done++) {
		if (s->hz == 0) {
			frame[0] = (int16_t)s->done;
			frame[1] = (int16_t)~s->done;
		} else {
			frame[0] = frame[1] = (int16_t)lrint(16000 * sin(2 * M_PI * s->hz * (double)s->done / s->format.rate));
		}
		voice_write(s->voice, frame, 1);
	}
	if (s->done == s->end)
		voice_set_active(s->voice, false);
}

static const struct voice_ops source_ops = { source_catch_up };

static void
source_open(struct source *s, struct sound *to, uint32_t rate, uint64_t end, double hz)
{
	*s = (struct source){ .format = { rate, 2, SAMPLE_S16 }, .end = end, .hz = hz };
	s->voice = voice_new(to, "source", false, &source_ops, s);
	voice_set_format(s->voice, &s->format);
}

static void
source_start(struct source *s)
{
	s->start_ns = clock_now(clk);
	s->done = 0;
	voice_set_active(s->voice, true);
}

static void
set_up(void)
{
	strcpy(dir, "/tmp/calque-sound-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/a.wav", dir);
	clk = clock_new(true);
}

static void
tear_down(void)
{
	char command[128];

	clock_free(clk);
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	ck_assert_int_eq(system(command), 0);
}

static struct sound *
open_ok(const char *format, ...)
{
	char spec[256];
	va_list ap;
	struct err e = { "" };

	va_start(ap, format);
	vsnprintf(spec, sizeof(spec), format, ap);
	va_end(ap);
	struct sound *s = sound_open(clk, spec, &e);
	ck_assert_msg(s != NULL, "%s", e.text);
	return s;
}

/* The samples of a 16-bit stereo file; *FRAMES of them.  To be freed. */
static int16_t *
read_wav(const char *name, uint32_t rate, size_t *frames)
{
	FILE *f = fopen(name, "rb");
	uint8_t header[44];
	struct stat st;

	ck_assert_ptr_nonnull(f);
	fstat(fileno(f), &st);
	ck_assert_uint_eq(fread(header, 1, 44, f), 44);
	ck_assert_int_eq(memcmp(header, "RIFF", 4), 0);
	ck_assert_int_eq(memcmp(header + 8, "WAVEfmt ", 8), 0);
	ck_assert_uint_eq(load_le(header + 4, 4), st.st_size - 8);
	ck_assert_uint_eq(load_le(header + 20, 2), 1);
	ck_assert_uint_eq(load_le(header + 22, 2), 2);
	ck_assert_uint_eq(load_le(header + 24, 4), rate);
	ck_assert_uint_eq(load_le(header + 28, 4), rate * 4);
	ck_assert_uint_eq(load_le(header + 40, 4), st.st_size - 44);
	*frames = (st.st_size - 44) / 4;
	int16_t *samples = calloc(*frames + 1, 4);
	ck_assert_uint_eq(fread(samples, 4, *frames, f), *frames);
	fclose(f);
	return samples;
}

/* ---- options ---- */

START_TEST(options)
{
	static const struct { const char *spec, *words; } rows[] = {
		{ "wav,id=a", "path=FILE is missing" },
		{ "wav,id=a,path=/nonexistent/x", "check the path" },
		{ "none,id=a,colour=red", "'colour'" },
		{ "none,id=a,path=x", "'path'" },
		{ "tuba,id=a", "'tuba' is not known" },
		{ "pa,id=a", "use sdl" },
		{ "none,out.frequency=3", "out.frequency has to be" },
		{ "none,out.frequency=1000000", "out.frequency" },
		{ "none,out.channels=6", "out.channels" },
		{ "none,out.channels=0", "1 or 2" },
		{ "none,in.format=s24", "in.format=s24" },
		{ "none,out.fixed-settings=off", "out.fixed-settings" },
		{ "none,timer-period=soon", "timer-period" },
	};
	char spec[256];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct err e = { "" };

		ck_assert_msg(sound_open(clk, rows[i].spec, &e) == NULL, "%s", rows[i].spec);
		ck_assert_msg(strstr(e.text, rows[i].words) != NULL, "%s: %s", rows[i].spec, e.text);
	}
	/* A wrong word leaves the file alone. */
	struct err e = { "" };
	snprintf(spec, sizeof(spec), "wav,path=%s,colour=red", path);
	ck_assert_ptr_null(sound_open(clk, spec, &e));
	ck_assert_int_ne(access(path, F_OK), 0);

	struct sound *s = open_ok("none,id=x,timer-period=5000,out.frequency=48000,out.channels=1,out.format=f32,"
		"out.voices=4,out.buffer-length=20000,in.frequency=16000");
	ck_assert_str_eq(sound_id(s), "x");
	sound_close(s);
}
END_TEST

/* ---- formats ---- */

START_TEST(formats)
{
	static const struct { enum sample_type type; uint32_t low, zero, high; } rows[] = {
		{ SAMPLE_U8, 0x00, 0x80, 0xff }, { SAMPLE_S8, 0x80, 0x00, 0x7f },
		{ SAMPLE_U16, 0x0000, 0x8000, 0xffff }, { SAMPLE_S16, 0x8000, 0x0000, 0x7fff },
		{ SAMPLE_U32, 0x00000000, 0x80000000, 0xffffffff }, { SAMPLE_S32, 0x80000000, 0x00000000, 0x7fffffff },
		{ SAMPLE_F32, 0xbf800000, 0x00000000, 0x3f800000 },
	};
	float frames[8];

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		struct sound_format f = { 48000, 2, rows[i].type };
		unsigned n = sample_bytes(f.type);
		uint8_t in[16], out[16];

		store_le(in, rows[i].low, n);
		store_le(in + n, rows[i].zero, n);
		store_le(in + 2 * n, rows[i].high, n);
		store_le(in + 3 * n, rows[i].low, n);
		frames_decode(&f, in, frames, 2);
		ck_assert_float_eq(frames[0], -1);
		ck_assert_float_eq(frames[1], 0);
		ck_assert_float_eq_tol(frames[2], 1, 0.01f);
		frames_encode(&f, frames, out, 2);
		ck_assert_msg(memcmp(in, out, 4 * n) == 0, "type %u", rows[i].type);
		/* Too loud is as loud as can be. */
		frames[0] = -7;
		frames[2] = 7;
		frames_encode(&f, frames, out, 2);
		ck_assert_msg(memcmp(in, out, 4 * n) == 0, "type %u, limits", rows[i].type);
		/* One channel is on both sides. */
		f.channels = 1;
		frames_decode(&f, in, frames, 4);
		ck_assert_float_eq(frames[0], frames[1]);
		ck_assert_float_eq(frames[6], frames[7]);
		frames_encode(&f, frames, out, 4);
		ck_assert_msg(memcmp(in, out, 4 * n) == 0, "type %u, mono", rows[i].type);
	}
	/* All 16-bit samples pass unchanged. */
	struct sound_format f = { 48000, 1, SAMPLE_S16 };
	for (int v = INT16_MIN; v <= INT16_MAX; v++) {
		int16_t in = (int16_t)v, out;

		frames_decode(&f, &in, frames, 1);
		frames_encode(&f, frames, &out, 1);
		ck_assert_int_eq(in, out);
	}
	/* Not a number is silence. */
	float nan_in[2] = { NAN, INFINITY };
	f = (struct sound_format){ 48000, 2, SAMPLE_F32 };
	frames_decode(&f, nan_in, frames, 1);
	ck_assert_float_eq(frames[0], 0);
	ck_assert_float_eq(frames[1], 1);
}
END_TEST

/* What a sine becomes: its amplitude, and what is left when it is taken away, both against 1. */
static void
resample_sine(double in, double out, double hz, double *amplitude, double *noise)
{
	enum { FRAMES = 8000, SKIP = 2000 };
	struct resampler *r = resampler_new(in, out);
	static float result[2 * FRAMES];
	uint32_t made = 0, used;
	double ss = 0, cc = 0, sc = 0, vs = 0, vc = 0, rest = 0;

	for (uint64_t i = 0; made < FRAMES; i++) {
		float v = (float)sin(2 * M_PI * hz * (double)i / in), frame[2] = { v, -v };

		do
			made += resampler_run(r, frame, 1, &used, result + 2 * made, MIN(1u, FRAMES - made));
		while (used == 0 && made < FRAMES);
	}
	for (unsigned i = SKIP; i < FRAMES; i++) {
		ck_assert_float_eq(result[2 * i], -result[2 * i + 1]);
		double x = sin(2 * M_PI * hz * i / out), y = cos(2 * M_PI * hz * i / out);

		ss += x * x;
		cc += y * y;
		sc += x * y;
		vs += result[2 * i] * x;
		vc += result[2 * i] * y;
	}
	/* Least squares: V is S * sine + C * cosine, and a rest. */
	double det = ss * cc - sc * sc, s = (vs * cc - vc * sc) / det, c = (vc * ss - vs * sc) / det;
	for (unsigned i = SKIP; i < FRAMES; i++)
		rest += pow(result[2 * i] - s * sin(2 * M_PI * hz * i / out) - c * cos(2 * M_PI * hz * i / out), 2);
	*amplitude = hypot(s, c);
	*noise = sqrt(rest / (FRAMES - SKIP));
	resampler_free(r);
}

START_TEST(rates)
{
	static const struct { double in, out, hz, amplitude; } rows[] = {
		{ 48000, 44100, 1000, 1 }, { 44100, 48000, 1000, 1 }, { 8000, 48000, 1000, 1 }, { 48000, 8000, 1000, 1 },
		{ 48000, 48000 * 1.003, 1000, 1 }, { 192000, 8000, 500, 1 }, { 8000, 192000, 500, 1 }, { 48000, 44100, 15000, 1 },
		/* What the lower rate can't hold is gone. */
		{ 48000, 8000, 6000, 0 }, { 192000, 44100, 30000, 0 },
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++) {
		double amplitude, noise;

		resample_sine(rows[i].in, rows[i].out, rows[i].hz, &amplitude, &noise);
		ck_assert_msg(fabs(amplitude - rows[i].amplitude) < 0.02, "row %u: amplitude %g", i, amplitude);
		ck_assert_msg(noise < 0.0001, "row %u: noise %g", i, noise);
	}
}
END_TEST

/* ---- the mix ---- */

/* Equal rates: the file holds exactly what was played, and nothing else. */
START_TEST(exact)
{
	struct sound *s = open_ok("wav,id=a,path=%s,out.frequency=48000", path);
	struct source a;
	size_t frames;

	clock_advance(clk, 12345678);
	source_open(&a, s, 48000, 30000, 0);
	source_start(&a);
	for (int i = 0; i < 1000; i++)
		clock_advance(clk, 777777);
	ck_assert(!voice_is_active(a.voice));
	/* The header is right before the end. */
	clock_advance(clk, 2 * NS_PER_SEC);
	int16_t *w = read_wav(path, 48000, &frames);
	ck_assert_uint_eq(frames, 30000);
	for (size_t i = 0; i < frames; i++) {
		ck_assert_int_eq(w[2 * i], (int16_t)i);
		ck_assert_int_eq(w[2 * i + 1], (int16_t)~i);
	}
	free(w);
	/* Once more: it goes on where it ended. */
	source_start(&a);
	clock_advance(clk, NS_PER_SEC);
	voice_free(a.voice);
	sound_close(s);
	w = read_wav(path, 48000, &frames);
	ck_assert_uint_eq(frames, 60000);
	for (size_t i = 0; i < frames; i++)
		ck_assert_int_eq(w[2 * i], (int16_t)(i % 30000));
	free(w);
}
END_TEST

/* The file's largest step from sample to sample, of one side, between two frames. */
static int
largest_step(const int16_t *w, size_t from, size_t to)
{
	int most = 0;

	for (size_t i = from + 1; i < to; i++)
		most = MAX(most, abs(w[2 * i] - w[2 * i - 2]));
	return most;
}

static unsigned
rising_crossings(const int16_t *w, size_t from, size_t to)
{
	unsigned n = 0;

	for (size_t i = from + 1; i < to; i++)
		n += w[2 * i - 2] < 0 && w[2 * i] >= 0;
	return n;
}

/* A second of sound at another rate: a second in the file, and no hole. */
START_TEST(other_rates)
{
	static const uint32_t rates[] = { 4000, 8000, 11025, 22050, 44100, 48000, 96000, 192000 };

	for (unsigned i = 0; i < ARRAY_SIZE(rates); i++) {
		struct sound *s = open_ok("wav,path=%s", path);
		struct source a;
		size_t frames;

		source_open(&a, s, rates[i], rates[i], 440);
		source_start(&a);
		while (voice_is_active(a.voice))
			clock_advance(clk, 3333333);
		clock_advance(clk, 20000000);
		voice_free(a.voice);
		sound_close(s);
		int16_t *w = read_wav(path, 44100, &frames);
		ck_assert_msg(frames > 43900 && frames < 44500, "%u: %zu frames", rates[i], frames);
		/* 0.8 s */
		ck_assert_msg(abs((int)rising_crossings(w, 4410, 39690) - 352) <= 1, "%u", rates[i]);
		/* 2 pi * 440 / 44100 * 16000 */
		int step = largest_step(w, 1000, frames - 1000);

		ck_assert_msg(step < 1020, "%u: step %d", rates[i], step);
		free(w);
	}
}
END_TEST

/* Two voices, the second of which begins in the midst: both are where they belong in time. */
START_TEST(two_voices)
{
	struct sound *s = open_ok("wav,path=%s,out.frequency=48000", path);
	struct source a, b;
	size_t frames;

	source_open(&a, s, 48000, 48000, 440);
	source_open(&b, s, 48000, 4800, 0);
	voice_set_gain(a.voice, 0, 0.5f);
	voice_set_gain(b.voice, 1, 0);
	source_start(&a);
	clock_advance(clk, 333 * 1000000);
	source_start(&b);
	clock_advance(clk, NS_PER_SEC);
	voice_free(a.voice);
	voice_free(b.voice);
	sound_close(s);
	int16_t *w = read_wav(path, 48000, &frames);
	ck_assert_uint_eq(frames, 48000);
	for (size_t i = 0; i < frames; i++) {
		int expect = (int)lrint(8000 * sin(2 * M_PI * 440 * (double)i / 48000));

		ck_assert_int_le(abs(w[2 * i + 1] - expect), 1);
	}
	/* A frame of rounding. */
	size_t at = 333 * 48 - 2;
	while (at < frames && w[2 * at] != 1)
		at++;
	ck_assert_uint_le(at, 333 * 48 + 2);
	for (size_t i = 0; i < 4700; i++)
		ck_assert_int_eq(w[2 * (at + i)], (int16_t)(i + 1));
	free(w);
}
END_TEST

/* A device that is late leaves a hole of that length, and is in step again afterwards. */
START_TEST(hole)
{
	struct sound *s = open_ok("wav,path=%s,out.frequency=48000", path);
	struct source a;
	size_t frames;

	source_open(&a, s, 48000, 48000, 0);
	source_start(&a);
	clock_advance(clk, 200 * 1000000);
	uint64_t had = a.done;
	a.end = 0; /* it gives nothing, but stays */
	a.done = had;
	clock_advance(clk, 100 * 1000000);
	a.end = 48000;
	a.start_ns += 100 * 1000000;
	clock_advance(clk, NS_PER_SEC);
	voice_free(a.voice);
	sound_close(s);
	int16_t *w = read_wav(path, 48000, &frames);
	ck_assert_uint_ge(frames, 48000 + 4800 - 480);
	ck_assert_uint_le(frames, 48000 + 4800 + 480);
	for (size_t i = 0; i < had; i++)
		ck_assert_int_eq(w[2 * i], (int16_t)i);
	ck_assert_int_eq(w[2 * (frames - 1)], (int16_t)47999);
	free(w);
}
END_TEST

/* The clock's standstill is no sound, and a long pause of the host neither. */
START_TEST(pauses)
{
	struct sound *s = open_ok("wav,path=%s,out.frequency=48000", path);
	struct source a;
	size_t frames;

	source_open(&a, s, 48000, 24000, 0);
	source_start(&a);
	clock_advance(clk, 100 * 1000000);
	/* One step of the clock that no timer sees before its end. */
	a.start_ns += 60 * NS_PER_SEC;
	timer_cancel(&s->timer);
	clock_advance(clk, 60 * NS_PER_SEC);
	timer_set(&s->timer, clock_now(clk));
	clock_advance(clk, NS_PER_SEC);
	voice_free(a.voice);
	sound_close(s);
	int16_t *w = read_wav(path, 48000, &frames);
	ck_assert_uint_ge(frames, 24000);
	ck_assert_uint_le(frames, 24000 + 960);
	free(w);
}
END_TEST

/* More than can be is cut off, and no rate is too strange. */
START_TEST(abuse)
{
	struct sound *s = open_ok("wav,path=%s", path);
	struct sound_format f = { 0, 1, SAMPLE_U8 };
	struct source a;
	uint8_t *much = calloc(1, 1000000);

	source_open(&a, s, 48000, UINT64_MAX, 0);
	voice_set_active(a.voice, true);
	voice_set_format(a.voice, &f);
	voice_write(a.voice, much, 1000000);
	f = (struct sound_format){ UINT32_MAX, 2, SAMPLE_S32 };
	voice_set_format(a.voice, &f);
	for (int i = 0; i < 20; i++)
		voice_write(a.voice, much, 100000);
	voice_set_active(a.voice, false);
	clock_advance(clk, NS_PER_SEC);
	struct voice *c = voice_new(s, "in", true, &source_ops, &a);
	voice_set_active(c, true);
	memset(much, 0xaa, 1000000);
	voice_read(c, much, 1000);
	for (int i = 0; i < 4000; i++)
		ck_assert_uint_eq(much[i], 0);
	ck_assert_uint_eq(much[4000], 0xaa);
	voice_free(c);
	voice_free(a.voice);
	sound_close(s);
	free(much);
}
END_TEST

START_TEST(recordings)
{
	char second[160];
	struct sound_format f = { 22050, 2, SAMPLE_S16 };
	struct sound *s = open_ok("none,out.frequency=48000");
	struct err e = { "" };
	struct source a;
	unsigned number = 99;
	size_t frames;

	snprintf(second, sizeof(second), "%s/b.wav", dir);
	source_open(&a, s, 48000, 48000, 440);
	ck_assert(!sound_record(s, "/nonexistent/x", &f, &number, &e));
	ck_assert(sound_record(s, second, &f, &number, &e));
	ck_assert_uint_eq(number, 0);
	source_start(&a);
	clock_advance(clk, 500 * 1000000);
	ck_assert(sound_record_stop(s, 0));
	ck_assert(!sound_record_stop(s, 0));
	ck_assert(!sound_record_stop(s, 1000));
	clock_advance(clk, NS_PER_SEC);
	voice_free(a.voice);
	sound_close(s);
	int16_t *w = read_wav(second, 22050, &frames);
	ck_assert_uint_ge(frames, 10700);
	ck_assert_uint_le(frames, 11025);
	ck_assert_uint_ge(rising_crossings(w, 0, frames), 210);
	free(w);
}
END_TEST

/* ---- a back end with a clock of its own ---- */

struct card {
	struct frame_queue queue;
	uint32_t wanted;
	bool capturing;
	uint64_t captured;
	int starts, idles;
};

static void
card_play(struct sound *s, const float *frames, uint32_t count)
{
	struct card *c = s->host;

	frame_queue_write(&c->queue, frames, count);
}

static uint32_t
card_waiting(struct sound *s, uint32_t *wanted)
{
	struct card *c = s->host;

	*wanted = c->wanted;
	return frame_queue_fill(&c->queue);
}

static void
card_start(struct sound *s)
{
	((struct card *)s->host)->starts++;
}

static void
card_idle(struct sound *s)
{
	((struct card *)s->host)->idles++;
}

static void
card_capture(struct sound *s, bool on)
{
	((struct card *)s->host)->capturing = on;
}

/* A ramp that never ends: as much as there is space for, once in a while. */
static uint32_t
card_captured(struct sound *s, float *frames, uint32_t space)
{
	struct card *c = s->host;
	uint64_t due = mul_div(clock_now(clk), s->in.rate, NS_PER_SEC);
	uint32_t n = (uint32_t)MIN(due - MIN(due, c->captured), (uint64_t)space);

	for (uint32_t i = 0; i < n; i++, c->captured++)
		frames[2 * i] = frames[2 * i + 1] = (float)(c->captured & 0x3fff) / 32768.0f;
	return n;
}

static const struct sound_backend card_backend = {
	.name = "card", .properties = "", .description = "", .play = card_play, .waiting = card_waiting, .start = card_start,
	.idle = card_idle, .capture = card_capture, .captured = card_captured,
};

/* The card's crystal is off by PPM: after a while the queue has its level, and never ran empty or over. */
static void
play_to_card(int ppm)
{
	struct card card = { .wanted = 2000 };
	struct sound *s = open_ok("none,out.frequency=48000");
	struct source a;
	double played = 0;
	float frames[2 * 1024], last = 0;
	uint32_t least = UINT32_MAX, most = 0;
	unsigned steps = 0;
	bool primed = false;

	frame_queue_init(&card.queue, 24000);
	s->backend = &card_backend;
	s->host = &card;
	source_open(&a, s, 44100, UINT64_MAX, 440);
	source_start(&a);
	for (int ms = 0; ms < 60000; ms += 4) {
		clock_advance(clk, 4 * 1000000);
		played += 48000 * (1 + ppm / 1e6) * 0.004;
		uint32_t fill = frame_queue_fill(&card.queue);
		primed |= fill >= card.wanted;
		while (played >= 256) {
			played -= 256;
			if (!primed)
				continue;
			ck_assert_uint_eq(frame_queue_read(&card.queue, frames, 256), 256);
			for (int i = 0; i < 256; i++) {
				steps += fabsf(frames[2 * i] - last) > 0.035f;
				last = frames[2 * i];
			}
		}
		if (ms > 30000) {
			least = MIN(least, fill);
			most = MAX(most, fill);
		}
	}
	ck_assert_uint_eq(steps, 0);
	ck_assert_uint_ge(least, 600);
	ck_assert_uint_le(most, 3400);
	ck_assert_int_eq(card.starts, 1);
	ck_assert_int_eq(card.idles, 0);
	voice_set_active(a.voice, false);
	clock_advance(clk, 3 * NS_PER_SEC);
	ck_assert_int_eq(card.idles, 1);
	voice_free(a.voice);
	s->host = NULL;
	sound_close(s);
	frame_queue_free(&card.queue);
}

START_TEST(card_clock)
{
	play_to_card(_i == 0 ? 0 : _i == 1 ? 300 : -300);
}
END_TEST

static void
no_catch_up(void *opaque)
{
	(void)opaque;
}

START_TEST(card_capture_rates)
{
	static const struct voice_ops ops = { no_catch_up };
	static const uint32_t rates[] = { 44100, 8000, 48000 };
	struct card card = { .wanted = 2000 };
	struct sound *s = open_ok("none,in.frequency=44100");
	struct sound_format f = { rates[_i], 1, SAMPLE_S16 };
	int16_t frames[480];
	unsigned heard = 0, steps = 0;

	s->backend = &card_backend;
	s->host = &card;
	struct voice *v = voice_new(s, "in", true, &ops, NULL);
	voice_set_format(v, &f);
	voice_set_active(v, true);
	ck_assert(card.capturing);
	for (int i = 0; i < 1000; i++) {
		clock_advance(clk, 10 * 1000000);
		voice_read(v, frames, f.rate / 100);
		for (unsigned k = 0; k < f.rate / 100; k++) {
			heard += frames[k] != 0;
			steps += k > 0 && abs(frames[k] - frames[k - 1]) > 40;
		}
	}
	/* All but the beginning; the ramp falls every 0.37 s. */
	ck_assert_uint_ge(heard, f.rate / 100 * 990);
	ck_assert_uint_le(steps, 40 * 30);
	voice_set_active(v, false);
	clock_advance(clk, NS_PER_SEC);
	ck_assert(!card.capturing);
	voice_free(v);
	s->host = NULL;
	sound_close(s);
}
END_TEST

int
main(void)
{
	Suite *suite = suite_create("sound");
	TCase *t = tcase_create("sound");
	SRunner *r = srunner_create(suite);

	tcase_add_checked_fixture(t, set_up, tear_down);
	tcase_add_test(t, options);
	tcase_add_test(t, formats);
	tcase_add_test(t, rates);
	tcase_add_test(t, exact);
	tcase_add_test(t, other_rates);
	tcase_add_test(t, two_voices);
	tcase_add_test(t, hole);
	tcase_add_test(t, pauses);
	tcase_add_test(t, abuse);
	tcase_add_test(t, recordings);
	tcase_add_loop_test(t, card_clock, 0, 3);
	tcase_add_loop_test(t, card_capture_rates, 0, 3);
	suite_add_tcase(suite, t);
	srunner_run_all(r, CK_NORMAL);
	int failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
