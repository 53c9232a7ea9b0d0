/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ui/ui.h"

#include "base/clock.h"
#include "base/util.h"

#include <stdlib.h>

static const struct {
	const char *name;
	uint16_t code;
} keys[] = {
#define KEY(name, code) { #name, code },
#include "ui/keys.def"
#undef KEY
};

unsigned
key_from_name(const char *name)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++) {
		if (strcmp(keys[i].name, name) == 0)
			return keys[i].code;
	}
	return 0;
}

void
key_walk(void (*each)(void *opaque, const char *name), void *opaque)
{
	for (unsigned i = 0; i < ARRAY_SIZE(keys); i++)
		each(opaque, keys[i].name);
}

/* ---- the queue ---- */

enum { QUEUE_LEN = 256, SET_MAX = 16, GAP_MS = 10 };

struct key_set {
	uint16_t codes[SET_MAX];
	unsigned count, hold_ms;
};

struct key_queue {
	struct clock *clock;
	struct input *to;
	struct timer timer;
	bool held;              /* the first set is down */
	unsigned first, count;
	struct key_set sets[QUEUE_LEN];
};

static void
press(struct key_queue *q)
{
	const struct key_set *s = &q->sets[q->first];

	for (unsigned i = 0; i < s->count; i++)
		input_key(q->to, s->codes[i], true);
	q->held = true;
	timer_set(&q->timer, clock_now(q->clock) + s->hold_ms * 1000000ull);
}

static void
release(struct key_queue *q)
{
	const struct key_set *s = &q->sets[q->first];

	for (unsigned i = s->count; i-- > 0;)
		input_key(q->to, s->codes[i], false);
	q->held = false;
	q->first = (q->first + 1) % QUEUE_LEN;
	q->count--;
	if (q->count != 0)
		timer_set(&q->timer, clock_now(q->clock) + GAP_MS * 1000000ull);
}

static void
queue_step(void *opaque)
{
	struct key_queue *q = opaque;

	if (q->held)
		release(q);
	else if (q->count != 0)
		press(q);
}

struct key_queue *
key_queue_new(struct clock *c, struct input *to)
{
	struct key_queue *q = xcalloc(1, sizeof(*q));

	q->clock = c;
	q->to = to;
	timer_init(&q->timer, c, queue_step, q);
	return q;
}

void
key_queue_free(struct key_queue *q)
{
	if (q == NULL)
		return;
	timer_cancel(&q->timer);
	free(q);
}

bool
key_queue_push(struct key_queue *q, const uint16_t *scancodes, unsigned count, unsigned hold_ms)
{
	struct key_set *s = &q->sets[(q->first + q->count) % QUEUE_LEN];

	if (q->count == QUEUE_LEN)
		return false;
	s->count = MIN(count, (unsigned)SET_MAX);
	memcpy(s->codes, scancodes, s->count * sizeof(s->codes[0]));
	s->hold_ms = hold_ms;
	q->count++;
	if (!q->held && !q->timer.armed)
		press(q);
	return true;
}
