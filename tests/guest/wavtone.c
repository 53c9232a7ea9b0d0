/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * wavtone FILE HZ MILLISECONDS [square]: is a 16-bit stereo file one tone of that height and length, without a gap or a click?
 * For each 20 ms the tone's phase and strength are found; between neighbours neither may jump.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct piece {
	double phase, amplitude, rest;
};

static struct piece
analyse(const int16_t *frames, size_t from, size_t count, double hz, double rate)
{
	double s = 0, c = 0, all = 0;
	struct piece p;

	for (size_t i = from; i < from + count; i++) {
		double v = frames[2 * i] / 32768.0;

		s += v * sin(2 * M_PI * hz * (double)i / rate);
		c += v * cos(2 * M_PI * hz * (double)i / rate);
		all += v * v;
	}
	s *= 2.0 / (double)count;
	c *= 2.0 / (double)count;
	p.phase = atan2(c, s);
	p.amplitude = hypot(s, c);
	p.rest = sqrt(fmax(all / (double)count - p.amplitude * p.amplitude / 2, 0));
	return p;
}

int
main(int argc, char **argv)
{
	uint8_t header[44];
	uint32_t rate;
	FILE *f = argc >= 4 ? fopen(argv[1], "rb") : NULL;
	size_t most = 64 << 20, count, first = 0, last;
	int16_t *frames = malloc(most);
	double hz = argc >= 4 ? atof(argv[2]) : 0, seconds = argc >= 4 ? atof(argv[3]) / 1000 : 0;
	int square = argc > 4, bad = 0;

	if (f == NULL || frames == NULL || fread(header, 1, 44, f) != 44 || memcmp(header, "RIFF", 4) != 0) {
		printf("no WAV file\n");
		return 2;
	}
	memcpy(&rate, header + 24, 4);
	count = fread(frames, 4, most / 4, f);
	fclose(f);
	last = count;
	while (first < count && abs(frames[2 * first]) < 100)
		first++;
	while (last > first && abs(frames[2 * last - 2]) < 100)
		last--;
	double length = (double)(last - first) / rate;
	/* Whole periods. */
	size_t window = (size_t)lrint(round(0.02 * hz) / hz * rate);
	struct piece before = { 0 };
	unsigned pieces = 0;

	for (size_t at = first + window; at + 2 * window < last; at += window, pieces++) {
		struct piece p = analyse(frames, at, window, hz, rate);
		double turn = fabs(remainder(p.phase - before.phase, 2 * M_PI));

		if (pieces > 0 && (turn > 0.1 || fabs(p.amplitude - before.amplitude) > 0.05 * before.amplitude ||
		    p.rest > (square ? 0.6 : 0.02) * p.amplitude)) {
			if (bad++ < 5)
				printf("at %.3f s: phase turns by %.3f, strength %.4f after %.4f, rest %.4f\n",
					(double)at / rate, turn, p.amplitude, before.amplitude, p.rest);
		}
		before = p;
	}
	printf("%u Hz, %.3f s of sound, %u pieces, %d bad, strength %.4f\n", rate, length, pieces, bad, before.amplitude);
	if (pieces == 0 || before.amplitude < 0.1 || fabs(length - seconds) > 0.05)
		return 1;
	return bad != 0;
}
