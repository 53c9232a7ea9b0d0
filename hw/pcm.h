/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The pace of a stream of sound: how many of its frames are due at a time of the machine's clock.
 *
 * After a pause of the host in which no timer ran, the time in between is left out; the guest stood still in it too, and
 * had no chance to write what should have been played.
 */
#ifndef HW_PCM_H
#define HW_PCM_H

#include "base/dev.h"
#include "base/util.h"

enum { PCM_PAUSE_PART = 4 }; /* of a second */

/* Part of a device's state. */
struct pcm_pace {
	uint64_t start_ns, done; /* DONE frames were moved since START_NS */
};

#define PCM_PACE_FIELDS(type, member) FIELD_OF(type, member.start_ns), FIELD_OF(type, member.done)

static inline void
pcm_pace_start(struct pcm_pace *p, uint64_t now)
{
	p->start_ns = now;
	p->done = 0;
}

/* Frames that are due and not done; a quarter of a second at the most. */
static inline uint64_t
pcm_pace_due(struct pcm_pace *p, uint64_t now, uint32_t rate)
{
	uint64_t due = mul_div(now - MIN(p->start_ns, now), rate, NS_PER_SEC);

	due -= MIN(due, p->done);
	if (due <= rate / PCM_PAUSE_PART)
		return due;
	pcm_pace_start(p, now);
	return 0;
}

/* When FRAMES more than those that are done will be due. */
static inline uint64_t
pcm_pace_when(const struct pcm_pace *p, uint64_t frames, uint32_t rate)
{
	return p->start_ns + mul_div(p->done + frames, NS_PER_SEC, rate) + 1;
}

#endif
