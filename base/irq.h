/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An interrupt line: a level, and the listener at its other end.  Under the machine's lock. */
#ifndef BASE_IRQ_H
#define BASE_IRQ_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A wire's far end: SET(OPAQUE, N, LEVEL) is called at every irq_set(), also when the level did not change.  WAITING, if there
 * is one: is an interrupt of this line still to be taken by a processor, so that another edge would be lost?
 */
struct irq {
	void (*set)(void *opaque, int n, int level);
	void *opaque;
	int n;
	bool (*waiting)(void *opaque, int n);
};

/* An unconnected line (set == NULL) swallows levels. */
static inline void
irq_set(const struct irq *line, int level)
{
	if (line->set != NULL)
		line->set(line->opaque, line->n, level);
}

static inline bool
irq_is_waiting(const struct irq *line)
{
	return line->waiting != NULL && line->waiting(line->opaque, line->n);
}

static inline struct irq
irq_to(void (*set)(void *opaque, int n, int level), void *opaque, int n)
{
	return (struct irq){ .set = set, .opaque = opaque, .n = n };
}

#endif
