/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A card's viewers. */
#include "ui/ui.h"

void
display_add_viewer(struct display *d, struct display_viewer *v)
{
	v->next = d->viewers;
	d->viewers = v;
	if (d->invalidate != NULL)
		d->invalidate(d->opaque);
}

void
display_remove_viewer(struct display *d, struct display_viewer *v)
{
	for (struct display_viewer **p = &d->viewers; *p != NULL; p = &(*p)->next)
		if (*p == v) {
			*p = v->next;
			return;
		}
}

void
display_damage(struct display *d, unsigned x, unsigned y, unsigned w, unsigned h)
{
	for (struct display_viewer *v = d->viewers; v != NULL; v = v->next)
		if (v->damage != NULL)
			v->damage(v->opaque, x, y, w, h);
}

void
display_resized(struct display *d, const struct surface *s)
{
	for (struct display_viewer *v = d->viewers; v != NULL; v = v->next)
		if (v->resized != NULL)
			v->resized(v->opaque, s);
}

void
display_pointer(struct display *d, const uint32_t *image, unsigned w, unsigned h, unsigned hot_x, unsigned hot_y)
{
	for (struct display_viewer *v = d->viewers; v != NULL; v = v->next)
		if (v->pointer != NULL)
			v->pointer(v->opaque, image, w, h, hot_x, hot_y);
}
