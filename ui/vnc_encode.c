/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC: pixel formats, and pixels as they are. */
#include "ui/vnc.h"

#include "base/util.h"

#include <stdlib.h>

void
vnc_put(struct vnc_bytes *b, const void *data, size_t len)
{
	if (b->sent == b->len)
		b->sent = b->len = 0;
	if (b->sent > b->capacity / 2) {
		memmove(b->data, b->data + b->sent, b->len - b->sent);
		b->len -= b->sent;
		b->sent = 0;
	}
	if (len > b->capacity - b->len) {
		b->capacity = MAX(2 * b->capacity, b->len + len + 4096);
		b->data = xrealloc(b->data, b->capacity);
	}
	if (len != 0)
		memcpy(b->data + b->len, data, len);
	b->len += len;
}

void
vnc_put_number(struct vnc_bytes *b, uint32_t value, unsigned size)
{
	uint8_t bytes[4];

	for (unsigned i = 0; i < size; i++)
		bytes[i] = value >> 8 * (size - 1 - i);
	vnc_put(b, bytes, size);
}

bool
vnc_format_settle(struct vnc_format *f)
{
	/* A client with a colour map gets one that divides 8 bits by colour; it is sent when it asks for such a format. */
	if (!f->true_colour) {
		memcpy(f->max, (uint16_t[3]){ 7, 7, 3 }, sizeof(f->max));
		memcpy(f->shift, (uint8_t[3]){ 0, 3, 6 }, sizeof(f->shift));
	}
	if (f->bytes != 1 && f->bytes != 2 && f->bytes != 4)
		return false;
	for (unsigned i = 0; i < 3; i++) {
		if (f->shift[i] >= 8 * f->bytes || (uint64_t)f->max[i] << f->shift[i] >> 8 * f->bytes != 0)
			return false;
		for (unsigned v = 0; v < 256; v++)
			f->map[i][v] = (v * f->max[i] + 127) / 255 << f->shift[i];
	}
	return true;
}

void
vnc_encode_raw(struct vnc_encoder *e, uint32_t *pixels, size_t count, struct vnc_bytes *out)
{
	const struct vnc_format *f = &e->format;
	uint8_t *to = (uint8_t *)pixels;

	/* In place: a pixel is never longer than it was. */
	for (size_t i = 0; i < count; i++) {
		uint32_t p = pixels[i];

		for (unsigned b = 0; b < f->bytes; b++)
			*to++ = p >> 8 * (f->big_endian ? f->bytes - 1 - b : b);
	}
	vnc_put(out, pixels, count * f->bytes);
}

void
vnc_encode(struct vnc_encoder *e, enum vnc_encoding encoding, uint32_t *pixels, unsigned w, unsigned h, struct vnc_bytes *out)
{
	const struct vnc_format *f = &e->format;

	for (size_t i = 0; i < (size_t)w * h; i++) {
		uint32_t p = pixels[i];

		pixels[i] = f->map[0][p >> 16 & 0xff] | f->map[1][p >> 8 & 0xff] | f->map[2][p & 0xff];
	}
	if (encoding == VNC_ZRLE)
		vnc_encode_zrle(e, pixels, w, h, out);
	else if (encoding == VNC_TIGHT)
		vnc_encode_tight(e, pixels, w, h, out);
	else
		vnc_encode_raw(e, pixels, (size_t)w * h, out);
}

static void
end_stream(struct vnc_zstream *s)
{
	if (s->made)
		deflateEnd(&s->z);
}

void
vnc_encoder_free(struct vnc_encoder *e)
{
	end_stream(&e->zrle);
	for (unsigned i = 0; i < ARRAY_SIZE(e->tight); i++)
		end_stream(&e->tight[i]);
}
