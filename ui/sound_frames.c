/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sound in memory: formats of samples, and the queue of frames. */
#include "ui/sound_int.h"

#include "base/util.h"

#include <math.h>
#include <stdlib.h>

/* ---- formats ---- */

unsigned
sample_bytes(enum sample_type type)
{
	static const uint8_t bytes[] = {
		[SAMPLE_U8] = 1, [SAMPLE_S8] = 1, [SAMPLE_U16] = 2, [SAMPLE_S16] = 2,
		[SAMPLE_U32] = 4, [SAMPLE_S32] = 4, [SAMPLE_F32] = 4,
	};

	return bytes[type];
}

/* What is not a number, or far out of range, is brought to what a loudspeaker can take. */
static float
limit(float v)
{
	return isnan(v) ? 0 : fminf(fmaxf(v, -1), 1);
}

static float
decode(enum sample_type type, const void *from, size_t i)
{
	const uint8_t *p = (const uint8_t *)from + i * sample_bytes(type);
	uint32_t v = (uint32_t)load_le(p, sample_bytes(type));
	float f;

	switch (type) {
	case SAMPLE_U8: return ((int)v - 0x80) / 128.0f;
	case SAMPLE_S8: return (int8_t)v / 128.0f;
	case SAMPLE_U16: return ((int)v - 0x8000) / 32768.0f;
	case SAMPLE_S16: return (int16_t)v / 32768.0f;
	case SAMPLE_U32: return (int32_t)(v - 0x80000000) / 2147483648.0f;
	case SAMPLE_S32: return (int32_t)v / 2147483648.0f;
	case SAMPLE_F32: break;
	}
	memcpy(&f, &v, sizeof(f));
	return limit(f);
}

/* V in units of 1/SCALE. */
static int32_t
scaled(float v, double scale)
{
	return (int32_t)fmin(fmax(rint(v * scale), -scale), scale - 1);
}

static void
encode(enum sample_type type, float f, void *to, size_t i)
{
	uint8_t *p = (uint8_t *)to + i * sample_bytes(type);
	uint32_t v = 0;

	f = limit(f);
	switch (type) {
	case SAMPLE_U8: v = (uint32_t)(scaled(f, 128) + 0x80); break;
	case SAMPLE_S8: v = (uint32_t)scaled(f, 128); break;
	case SAMPLE_U16: v = (uint32_t)(scaled(f, 32768) + 0x8000); break;
	case SAMPLE_S16: v = (uint32_t)scaled(f, 32768); break;
	case SAMPLE_U32: v = (uint32_t)scaled(f, 2147483648.0) + 0x80000000; break;
	case SAMPLE_S32: v = (uint32_t)scaled(f, 2147483648.0); break;
	case SAMPLE_F32: memcpy(&v, &f, sizeof(v)); break;
	}
	store_le(p, v, sample_bytes(type));
}

void
frames_decode(const struct sound_format *f, const void *from, float *to, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		to[2 * i] = decode(f->type, from, i * f->channels);
		to[2 * i + 1] = f->channels == 1 ? to[2 * i] : decode(f->type, from, i * f->channels + 1);
	}
}

void
frames_encode(const struct sound_format *f, const float *from, void *to, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (f->channels == 1) {
			encode(f->type, (from[2 * i] + from[2 * i + 1]) / 2, to, i);
			continue;
		}
		encode(f->type, from[2 * i], to, 2 * i);
		encode(f->type, from[2 * i + 1], to, 2 * i + 1);
	}
}

/* ---- the queue ---- */

void
frame_queue_init(struct frame_queue *q, uint32_t at_least)
{
	q->size = 64;
	while (q->size < at_least)
		q->size *= 2;
	q->frames = xcalloc(q->size, 2 * sizeof(float));
	atomic_init(&q->head, 0);
	atomic_init(&q->tail, 0);
}

void
frame_queue_free(struct frame_queue *q)
{
	free(q->frames);
	q->frames = NULL;
}

uint32_t
frame_queue_fill(const struct frame_queue *q)
{
	return atomic_load_explicit(&q->head, memory_order_acquire) - atomic_load_explicit(&q->tail, memory_order_acquire);
}

uint32_t
frame_queue_write(struct frame_queue *q, const float *frames, uint32_t count)
{
	uint32_t head = atomic_load_explicit(&q->head, memory_order_relaxed);

	count = MIN(count, q->size - frame_queue_fill(q));
	for (uint32_t done = 0; done < count;) {
		uint32_t at = (head + done) & (q->size - 1), n = MIN(count - done, q->size - at);

		if (frames != NULL)
			memcpy(q->frames + 2 * at, frames + 2 * done, n * 2 * sizeof(float));
		else
			memset(q->frames + 2 * at, 0, n * 2 * sizeof(float));
		done += n;
	}
	atomic_store_explicit(&q->head, head + count, memory_order_release);
	return count;
}

uint32_t
frame_queue_read(struct frame_queue *q, float *frames, uint32_t count)
{
	uint32_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	count = MIN(count, frame_queue_fill(q));
	for (uint32_t done = 0; frames != NULL && done < count;) {
		uint32_t at = (tail + done) & (q->size - 1), n = MIN(count - done, q->size - at);

		memcpy(frames + 2 * done, q->frames + 2 * at, n * 2 * sizeof(float));
		done += n;
	}
	atomic_store_explicit(&q->tail, tail + count, memory_order_release);
	return count;
}
