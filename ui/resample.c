/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * From one sampling rate to another: a windowed-sinc filter at as many phases as needed, each made from its two neighbours
 * in a table.
 *
 * For each frame of output the filter lies at a point between two frames of input; FRACTION says how far it is past the
 * newest but HALF one.  The filter cuts off below half of the lower of both rates.  Input is kept twice, so that the last
 * TAPS frames always lie in one piece.  A slight change of the rates moves the points and leaves the filter as it is.
 */
#include "ui/sound_int.h"

#include "base/util.h"

#include <math.h>
#include <stdlib.h>

enum {
	PHASES = 64,
	TAPS_LEAST = 32,     /* at equal rates, and upwards: the stop band is 90 dB down */
	TAPS_MOST = 32 * SOUND_RATE_MOST / SOUND_RATE_LEAST,
};

#define PASS_BAND 0.91       /* of half the lower rate */
#define KAISER_BETA 9.0

struct resampler {
	unsigned taps;
	double step, fraction;  /* input frames per output frame; where the next output lies */
	unsigned at;            /* the oldest of the last TAPS frames */
	float *table;           /* PHASES + 1 rows of TAPS */
	float *history[2];      /* by side, 2 * TAPS */
};

/* The modified Bessel function of the first kind, order zero. */
static double
bessel_i0(double x)
{
	double sum = 1, term = 1;

	for (unsigned k = 1; k < 50; k++) {
		term *= x / (2 * k) * (x / (2 * k));
		sum += term;
	}
	return sum;
}

static double
windowed_sinc(double x, double cutoff, double half)
{
	double inside = 1 - x / half * (x / half);
	double sinc = fabs(x) < 1e-9 ? cutoff : sin(M_PI * cutoff * x) / (M_PI * x);

	return inside <= 0 ? 0 : sinc * bessel_i0(KAISER_BETA * sqrt(inside)) / bessel_i0(KAISER_BETA);
}

/* Row P is the filter for a point P / PHASES past the frame in the middle; each adds up to 1. */
static void
fill_table(struct resampler *r, double cutoff)
{
	double half = r->taps / 2.0;

	for (unsigned p = 0; p <= PHASES; p++) {
		float *row = r->table + p * r->taps;
		double sum = 0;

		for (unsigned k = 0; k < r->taps; k++) {
			double x = (double)k - (half - 1) - (double)p / PHASES;

			row[k] = (float)windowed_sinc(x, cutoff, half);
			sum += row[k];
		}
		for (unsigned k = 0; k < r->taps; k++)
			row[k] = (float)(row[k] / sum);
	}
}

void
resampler_tune(struct resampler *r, double rate_in, double rate_out)
{
	r->step = rate_in / rate_out;
}

struct resampler *
resampler_new(double rate_in, double rate_out)
{
	struct resampler *r = xcalloc(1, sizeof(*r));
	double ratio = MAX(rate_in / rate_out, 1.0);

	r->taps = MIN((unsigned)ceil(TAPS_LEAST / 2 * ratio) * 2, (unsigned)TAPS_MOST);
	r->table = xcalloc((PHASES + 1) * r->taps, sizeof(float));
	r->history[0] = xcalloc(2 * r->taps, sizeof(float));
	r->history[1] = xcalloc(2 * r->taps, sizeof(float));
	fill_table(r, PASS_BAND / ratio);
	resampler_tune(r, rate_in, rate_out);
	r->fraction = 1;
	return r;
}

void
resampler_free(struct resampler *r)
{
	if (r == NULL)
		return;
	free(r->table);
	free(r->history[0]);
	free(r->history[1]);
	free(r);
}

uint32_t
resampler_delay(const struct resampler *r)
{
	return r->taps / 2;
}

static void
push(struct resampler *r, const float *frame)
{
	for (unsigned side = 0; side < 2; side++)
		r->history[side][r->at] = r->history[side][r->at + r->taps] = frame[side];
	r->at = (r->at + 1) % r->taps;
	r->fraction -= 1;
}

static void
pull(struct resampler *r, float *frame)
{
	double point = r->fraction * PHASES;
	unsigned phase = MIN((unsigned)point, PHASES - 1);
	float blend = (float)(point - phase);
	const float *row = r->table + phase * r->taps, *next = row + r->taps;

	for (unsigned side = 0; side < 2; side++) {
		const float *in = r->history[side] + r->at;
		float a = 0, b = 0;

		for (unsigned k = 0; k < r->taps; k++) {
			a += row[k] * in[k];
			b += next[k] * in[k];
		}
		frame[side] = a + (b - a) * blend;
	}
	r->fraction += r->step;
}

uint32_t
resampler_run(struct resampler *r, const float *in, uint32_t count, uint32_t *used, float *out, uint32_t space)
{
	uint32_t made = 0;

	*used = 0;
	for (;;) {
		if (r->fraction < 1) {
			if (made == space)
				return made;
			pull(r, out + 2 * made++);
		} else {
			if (*used == count)
				return made;
			push(r, in + 2 * (*used)++);
		}
	}
}
