/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ppmbits FILE: a picture's size, how many of its dots are bright, and a sum over which ones; depths of colour don't show in it. */
#include <stdint.h>
#include <stdio.h>

int
main(int argc, char **argv)
{
	unsigned width, height, most, lit = 0;
	uint32_t sum = 2166136261u;
	FILE *f = argc == 2 ? fopen(argv[1], "rb") : NULL;

	if (f == NULL || fscanf(f, "P6 %u %u %u", &width, &height, &most) != 3 || fgetc(f) == EOF) {
		fprintf(stderr, "ppmbits: no picture\n");
		return 1;
	}
	for (uint64_t i = 0; i < (uint64_t)width * height; i++) {
		int red = fgetc(f), green = fgetc(f), blue = fgetc(f), bright = red + green + blue > 3 * 64;

		if (blue == EOF)
			return 1;
		lit += (unsigned)bright;
		sum = (sum ^ (uint32_t)bright) * 16777619u;
	}
	printf("%ux%u, %u bright, %08x\n", width, height, lit, sum);
	return 0;
}
