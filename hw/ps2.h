/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The two devices behind the 8042, as it sees them: bytes go in, bytes wait to be taken.  READY is called whenever there
 * may be something new to take.
 */
#ifndef HW_PS2_H
#define HW_PS2_H

#include <stdbool.h>
#include <stdint.h>

struct dev;
struct dev_env;

struct ps2_port {
	void (*ready)(void *opaque);
	void *opaque;
};

struct dev *ps2_kbd_new(const struct dev_env *env, struct ps2_port port);
void ps2_kbd_write(struct dev *kbd, uint8_t byte);
bool ps2_kbd_pending(const struct dev *kbd);
uint8_t ps2_kbd_take(struct dev *kbd);
/* SCANCODE of set 1 with its prefix: 1Eh, E048h, E11Dh (Pause). */
void ps2_kbd_key(void *kbd, unsigned scancode, bool down);
unsigned ps2_kbd_leds(void *kbd);
/* What the 8042 makes of a byte of set 2 when it translates, but for the break prefix. */
uint8_t ps2_set2_to_set1(uint8_t code);

struct dev *ps2_mouse_new(const struct dev_env *env, struct ps2_port port);
void ps2_mouse_write(struct dev *mouse, uint8_t byte);
bool ps2_mouse_pending(const struct dev *mouse);
uint8_t ps2_mouse_take(struct dev *mouse);
/* An empty report, unless one waits: the guest is to look elsewhere. */
void ps2_mouse_announce(struct dev *mouse);
/* As an input sink's. */
void ps2_mouse_move(void *mouse, int dx, int dy, int dz, int dw, unsigned buttons);

/* Bytes on their way to the 8042; plain data, part of a device's state. */
enum { PS2_QUEUE_SIZE = 64 };

struct ps2_queue {
	uint8_t bytes[PS2_QUEUE_SIZE];
	uint8_t head, count;
};

#define PS2_QUEUE_FIELDS(type, member) \
	FIELD_BUFFER(type, member.bytes), \
	FIELD_MAX(type, member.head, PS2_QUEUE_SIZE - 1), \
	FIELD_MAX(type, member.count, PS2_QUEUE_SIZE)

static inline unsigned
ps2_room(const struct ps2_queue *q)
{
	return PS2_QUEUE_SIZE - q->count;
}

/* A full queue loses the byte. */
static inline void
ps2_put(struct ps2_queue *q, uint8_t byte)
{
	if (q->count < PS2_QUEUE_SIZE)
		q->bytes[(q->head + q->count++) % PS2_QUEUE_SIZE] = byte;
}

static inline uint8_t
ps2_get(struct ps2_queue *q)
{
	uint8_t byte = q->bytes[q->head];

	if (q->count == 0)
		return 0;
	q->head = (q->head + 1) % PS2_QUEUE_SIZE;
	q->count--;
	return byte;
}

#endif
