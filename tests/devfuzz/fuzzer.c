/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What libFuzzer calls; CALQUE_FUZZ_DEVICE names the row. */
#include "tests/devfuzz/devfuzz.h"

#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct row *row;
	const char *name = getenv("CALQUE_FUZZ_DEVICE");

	if (row == NULL)
		row = devfuzz_find(name != NULL ? name : "");
	if (row == NULL) {
		fprintf(stderr, "CALQUE_FUZZ_DEVICE names no device\n");
		exit(1);
	}
	devfuzz_run(row, data, len);
	return 0;
}
