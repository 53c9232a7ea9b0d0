/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats by their magic numbers.  What has none is raw: nothing is guessed. */
#include "disk/image.h"

#include "base/util.h"

#include <string.h>

/* From the start of the file, or from its end (OFFSET < 0). */
static const struct {
	const char *format;
	int offset;
	unsigned len;
	const char *magic;
} magics[] = {
	{ "qcow2", 0, 4, "QFI\xfb" },
	{ "qed", 0, 4, "QED\0" },
	{ "vmdk", 0, 4, "KDMV" },
	{ "vmdk", 0, 4, "COWD" },
	{ "vmdk", 0, 21, "# Disk DescriptorFile" },
	{ "vhdx", 0, 8, "vhdxfile" },
	{ "vhd", 0, 8, "conectix" },
	{ "vhd", -512, 8, "conectix" },
	{ "vdi", 64, 4, "\x7f\x10\xda\xbe" },
	{ "parallels", 0, 16, "WithoutFreeSpace" },
	{ "parallels", 0, 16, "WithouFreSpacExt" },
	{ "luks", 0, 6, "LUKS\xba\xbe" },
	{ "bochs", 0, 22, "Bochs Virtual HD Image" },
	{ "dmg", -512, 4, "koly" },
};

const char *
recognise(struct image *raw)
{
	for (size_t i = 0; i < ARRAY_SIZE(magics); i++) {
		uint64_t offset = magics[i].offset;
		uint8_t found[32];

		if (magics[i].offset < 0)
			offset += raw->bytes;
		if (offset + magics[i].len > raw->bytes || raw->ops->read(raw, offset, found, magics[i].len) != 0)
			continue;
		if (memcmp(found, magics[i].magic, magics[i].len) == 0)
			return magics[i].format;
	}
	return NULL;
}
