/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way of keys and movements to the devices that take them. */
#include "ui/ui.h"

static struct input_sink *
keyboard(const struct input *in)
{
	struct input_sink *s = in->sinks;

	while (s != NULL && s->key == NULL)
		s = s->next;
	return s;
}

static struct input_sink *
pointer(const struct input *in)
{
	struct input_sink *s = in->sinks;

	while (s != NULL && s->move == NULL && s->point == NULL)
		s = s->next;
	return s;
}

bool
input_is_absolute(const struct input *in)
{
	const struct input_sink *s = pointer(in);

	return s != NULL && s->point != NULL;
}

unsigned
input_leds(const struct input *in)
{
	const struct input_sink *s = keyboard(in);

	return s != NULL && s->leds != NULL ? s->leds(s->opaque) : 0;
}

static void
tell_absolute(struct input *in, bool before)
{
	bool now = input_is_absolute(in);

	if (now != before && in->absolute_changed != NULL)
		in->absolute_changed(in->opaque, now);
}

static void
unlink_sink(struct input *in, struct input_sink *s)
{
	for (struct input_sink **p = &in->sinks; *p != NULL; p = &(*p)->next)
		if (*p == s) {
			*p = s->next;
			return;
		}
}

static void release_keys(struct input *in);
static void release_buttons(struct input *in);

/* What S alone would have been told is up before another takes over. */
static void
release_of(struct input *in, const struct input_sink *s)
{
	if (s == NULL)
		return;
	if (s == keyboard(in))
		release_keys(in);
	if (s == pointer(in))
		release_buttons(in);
}

void
input_add(struct input *in, struct input_sink *s)
{
	struct input_sink **p = &in->sinks;
	bool before = input_is_absolute(in);

	while (*p != NULL)
		p = &(*p)->next;
	s->next = NULL;
	*p = s;
	tell_absolute(in, before);
}

void
input_remove(struct input *in, struct input_sink *s)
{
	bool before = input_is_absolute(in);

	release_of(in, s);
	unlink_sink(in, s);
	tell_absolute(in, before);
}

void
input_activate(struct input *in, struct input_sink *s)
{
	bool before = input_is_absolute(in);

	if (in->sinks == s)
		return;
	if (s->key != NULL)
		release_of(in, keyboard(in));
	if (s->move != NULL || s->point != NULL)
		release_of(in, pointer(in));
	unlink_sink(in, s);
	s->next = in->sinks;
	in->sinks = s;
	tell_absolute(in, before);
}

static unsigned
index_of(unsigned scancode)
{
	return (scancode & 0x7f) | (scancode >> 8 == 0xe1 ? 0x7f : 0) | (scancode > 0xff ? 0x80 : 0);
}

static unsigned
scancode_of(unsigned index)
{
	return index == 0xff ? 0xe11d : index >= 0x80 ? 0xe000 | (index & 0x7f) : index;
}

void
input_key(struct input *in, unsigned scancode, bool down)
{
	struct input_sink *s = keyboard(in);
	unsigned i = index_of(scancode);

	if (down)
		in->down[i / 32] |= 1u << i % 32;
	else
		in->down[i / 32] &= ~(1u << i % 32);
	if (s != NULL)
		s->key(s->opaque, scancode, down);
}

void
input_move(struct input *in, int dx, int dy, int dz, int dw, unsigned buttons)
{
	struct input_sink *s = pointer(in);

	in->buttons = buttons;
	if (s != NULL && s->move != NULL)
		s->move(s->opaque, dx, dy, dz, dw, buttons);
}

void
input_point(struct input *in, unsigned x, unsigned y, int dz, int dw, unsigned buttons)
{
	struct input_sink *s = pointer(in);

	in->buttons = buttons;
	in->x = x <= POINTER_MAX ? x : POINTER_MAX;
	in->y = y <= POINTER_MAX ? y : POINTER_MAX;
	if (s != NULL && s->point != NULL)
		s->point(s->opaque, in->x, in->y, dz, dw, buttons);
}

static void
release_keys(struct input *in)
{
	for (unsigned i = 0; i < 256; i++)
		if (in->down[i / 32] >> i % 32 & 1)
			input_key(in, scancode_of(i), false);
}

static void
release_buttons(struct input *in)
{
	if (in->buttons == 0)
		return;
	if (input_is_absolute(in))
		input_point(in, in->x, in->y, 0, 0, 0);
	else
		input_move(in, 0, 0, 0, 0, 0);
}

void
input_release(struct input *in)
{
	release_keys(in);
	release_buttons(in);
}
