/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pictures of the screen in files: PPM (P6) and PNG (8 bits, true colour; W3C's "Portable Network Graphics"). */
#include "ui/ui.h"

#include "base/err.h"
#include "base/util.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static void
row_rgb(const struct surface *s, unsigned y, uint8_t *out)
{
	const uint32_t *row = (const uint32_t *)((const char *)s->pixels + (size_t)y * s->stride);

	for (unsigned x = 0; x < s->width; x++) {
		*out++ = row[x] >> 16;
		*out++ = row[x] >> 8;
		*out++ = row[x];
	}
}

static bool
save_ppm(const struct surface *s, FILE *f)
{
	uint8_t *row = xcalloc(s->width + 1, 3);
	bool ok = fprintf(f, "P6\n%u %u\n255\n", s->width, s->height) > 0;

	for (unsigned y = 0; ok && y < s->height; y++) {
		row_rgb(s, y, row);
		ok = fwrite(row, 3, s->width, f) == s->width;
	}
	free(row);
	return ok;
}

/* ---- PNG ---- */

static void
store_be32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = v >> (24 - 8 * i);
}

static bool
put_chunk(FILE *f, const char *type, const uint8_t *data, size_t len)
{
	uint8_t head[8], tail[4];
	uLong crc = crc32(0, (const Bytef *)type, 4);

	store_be32(head, len);
	memcpy(head + 4, type, 4);
	if (len != 0)
		crc = crc32(crc, data, len);
	store_be32(tail, crc);
	return fwrite(head, 8, 1, f) == 1 && (len == 0 || fwrite(data, len, 1, f) == 1) && fwrite(tail, 4, 1, f) == 1;
}

/* Each row has a filter byte: 2 (difference to the row above) packs screens well. */
static uint8_t *
filtered_rows(const struct surface *s, size_t *len)
{
	size_t stride = 3ul * s->width;
	uint8_t *rows = xcalloc(s->height, stride + 1), *above = xcalloc(2, stride + 1), *row = above + stride + 1;

	*len = s->height * (stride + 1);
	for (unsigned y = 0; y < s->height; y++) {
		uint8_t *out = rows + y * (stride + 1);

		row_rgb(s, y, row);
		*out++ = 2;
		for (size_t i = 0; i < stride; i++)
			out[i] = row[i] - above[i];
		memcpy(above, row, stride);
	}
	free(above);
	return rows;
}

static bool
save_png(const struct surface *s, FILE *f)
{
	static const uint8_t signature[8] = { 0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n' };
	uint8_t header[13] = { [8] = 8, [9] = 2 };
	size_t len;
	uint8_t *rows = filtered_rows(s, &len), *packed;
	uLongf packed_len = compressBound(len);
	bool ok;

	store_be32(header, s->width);
	store_be32(header + 4, s->height);
	packed = xcalloc(1, packed_len);
	ok = compress2(packed, &packed_len, rows, len, 6) == Z_OK && fwrite(signature, 8, 1, f) == 1 &&
		put_chunk(f, "IHDR", header, sizeof(header)) && put_chunk(f, "IDAT", packed, packed_len) &&
		put_chunk(f, "IEND", NULL, 0);
	free(packed);
	free(rows);
	return ok;
}

static bool
ends_with(const char *s, const char *end)
{
	size_t a = strlen(s), b = strlen(end);

	return a >= b && strcmp(s + a - b, end) == 0;
}

bool
surface_save(const struct surface *s, const char *path, struct err *e)
{
	bool png = ends_with(path, ".png"), ok;
	FILE *f;

	if (!png && !ends_with(path, ".ppm"))
		return err_set(e, "%s: a picture's name ends in .png or .ppm", path);
	if (s == NULL || s->width == 0 || s->height == 0)
		return err_set(e, "%s: the screen shows nothing yet", path);
	f = fopen(path, "wb");
	if (f == NULL)
		return err_set(e, "%s: can't be written: %s", path, strerror(errno));
	errno = 0;
	ok = png ? save_png(s, f) : save_ppm(s, f);
	if (fclose(f) != 0)
		ok = false;
	return ok ? true : err_set(e, "%s: writing failed: %s", path, strerror(errno != 0 ? errno : EIO));
}
