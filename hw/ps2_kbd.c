/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A PS/2 keyboard with 102 keys: IBM PS/2 Hardware Interface Technical Reference, "Keyboards (101- and 102-Key)".
 *
 * Keys arrive in set 1 with the host's own repetition, so that the typematic rate is kept but not used.  Replies to
 * commands overtake scan codes.  The self test after a reset takes no time.
 */
#include "hw/ps2.h"

#include "base/dev.h"
#include "base/util.h"

#include <stdio.h>

enum {
	CMD_LEDS = 0xed,
	CMD_ECHO = 0xee,
	CMD_SCAN_SET = 0xf0,
	CMD_IDENTIFY = 0xf2,
	CMD_RATE = 0xf3,
	CMD_ENABLE = 0xf4,
	CMD_DISABLE = 0xf5,
	CMD_DEFAULTS = 0xf6,
	CMD_ALL_TYPEMATIC = 0xf7,
	CMD_ALL_MAKE_BREAK = 0xf8,
	CMD_ALL_MAKE = 0xf9,
	CMD_ALL_BOTH = 0xfa,
	CMD_KEY_TYPEMATIC = 0xfb,
	CMD_KEY_MAKE_BREAK = 0xfc,
	CMD_KEY_MAKE = 0xfd,
	CMD_RESEND = 0xfe,
	CMD_RESET = 0xff,

	REPLY_ACK = 0xfa,
	REPLY_RESEND = 0xfe,
	REPLY_PASSED = 0xaa,
};

enum { KEY_PAUSE = 0xe11d, KEY_PRINT = 0xe037, KEY_CTRL_BREAK = 0xe046, KEY_SYSRQ = 0x54 };
/* Bytes of the longest sequence, that of Pause or Print Screen. */
enum { LONGEST = 8 };
enum { HELD_CTRL = 1, HELD_ALT = 2, HELD_SHIFT = 4 };

struct ps2_kbd {
	struct dev dev;
	struct ps2_port port;
	struct {
		struct ps2_queue replies, codes;
		uint8_t no_break[32]; /* set 3: a bit per code that sends no break */
		uint8_t scan_set;     /* 1 to 3 */
		bool enabled;
		uint8_t leds, rate;
		uint8_t command;      /* waits for its operand; 0: none */
		uint8_t last;         /* sent, for RESEND */
		uint8_t held;         /* modifiers */
	} state;
};

/* From set 2 to set 1, as the 8042's firmware has it; codes from 80h on stand for themselves but F7 and SysRq. */
static const uint8_t to_set1[0x85] = {
	0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
	0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
	0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
	0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
	0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
	0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
	0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
	0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
	0x80, 0x81, 0x82, 0x41, 0x54,
};

/* From set 1 to set 3, 0 where there is no key; first the plain codes, then those with prefix E0. */
static const uint8_t plain_to_set3[0x59] = {
	[0x01] = 0x08, [0x02] = 0x16, [0x03] = 0x1e, [0x04] = 0x26, [0x05] = 0x25, [0x06] = 0x2e, [0x07] = 0x36,
	[0x08] = 0x3d, [0x09] = 0x3e, [0x0a] = 0x46, [0x0b] = 0x45, [0x0c] = 0x4e, [0x0d] = 0x55, [0x0e] = 0x66,
	[0x0f] = 0x0d, [0x10] = 0x15, [0x11] = 0x1d, [0x12] = 0x24, [0x13] = 0x2d, [0x14] = 0x2c, [0x15] = 0x35,
	[0x16] = 0x3c, [0x17] = 0x43, [0x18] = 0x44, [0x19] = 0x4d, [0x1a] = 0x54, [0x1b] = 0x5b, [0x1c] = 0x5a,
	[0x1d] = 0x11, [0x1e] = 0x1c, [0x1f] = 0x1b, [0x20] = 0x23, [0x21] = 0x2b, [0x22] = 0x34, [0x23] = 0x33,
	[0x24] = 0x3b, [0x25] = 0x42, [0x26] = 0x4b, [0x27] = 0x4c, [0x28] = 0x52, [0x29] = 0x0e, [0x2a] = 0x12,
	[0x2b] = 0x5c, [0x2c] = 0x1a, [0x2d] = 0x22, [0x2e] = 0x21, [0x2f] = 0x2a, [0x30] = 0x32, [0x31] = 0x31,
	[0x32] = 0x3a, [0x33] = 0x41, [0x34] = 0x49, [0x35] = 0x4a, [0x36] = 0x59, [0x37] = 0x7e, [0x38] = 0x19,
	[0x39] = 0x29, [0x3a] = 0x14, [0x3b] = 0x07, [0x3c] = 0x0f, [0x3d] = 0x17, [0x3e] = 0x1f, [0x3f] = 0x27,
	[0x40] = 0x2f, [0x41] = 0x37, [0x42] = 0x3f, [0x43] = 0x47, [0x44] = 0x4f, [0x45] = 0x76, [0x46] = 0x5f,
	[0x47] = 0x6c, [0x48] = 0x75, [0x49] = 0x7d, [0x4a] = 0x84, [0x4b] = 0x6b, [0x4c] = 0x73, [0x4d] = 0x74,
	[0x4e] = 0x7c, [0x4f] = 0x69, [0x50] = 0x72, [0x51] = 0x7a, [0x52] = 0x70, [0x53] = 0x71, [0x54] = 0x57,
	[0x56] = 0x13, [0x57] = 0x56, [0x58] = 0x5e,
};

static const uint8_t extended_to_set3[0x5e] = {
	[0x1c] = 0x79, [0x1d] = 0x58, [0x35] = 0x77, [0x37] = 0x57, [0x38] = 0x39, [0x46] = 0x62, [0x47] = 0x6e,
	[0x48] = 0x63, [0x49] = 0x6f, [0x4b] = 0x61, [0x4d] = 0x6a, [0x4f] = 0x65, [0x50] = 0x60, [0x51] = 0x6d,
	[0x52] = 0x67, [0x53] = 0x64, [0x5b] = 0x8b, [0x5c] = 0x8c, [0x5d] = 0x8d,
};

uint8_t
ps2_set2_to_set1(uint8_t code)
{
	return code < sizeof(to_set1) ? to_set1[code] : code;
}

/* Searched from the end: F7 and SysRq stand twice in the table, and their real codes last. */
static uint8_t
set1_to_set2(uint8_t code)
{
	for (unsigned i = sizeof(to_set1) - 1; i > 0; i--) {
		if (to_set1[i] == code && i != 0x80 && i != 0x81 && i != 0x82)
			return i;
	}
	return 0;
}

static void
tell(struct ps2_kbd *k)
{
	k->port.ready(k->port.opaque);
}

static void
reply(struct ps2_kbd *k, uint8_t byte)
{
	ps2_put(&k->state.replies, byte);
}

static void
clear(struct ps2_queue *q)
{
	q->head = q->count = 0;
}

/* One make or break in the set in use. */
static void
put_code(struct ps2_kbd *k, unsigned scancode, bool down)
{
	uint8_t code = scancode & 0x7f;
	bool extended = scancode >> 8 == 0xe0;

	if (k->state.scan_set == 1) {
		if (extended)
			ps2_put(&k->state.codes, 0xe0);
		ps2_put(&k->state.codes, code | (down ? 0 : 0x80));
		return;
	}
	code = set1_to_set2(code);
	if (code == 0)
		return;
	if (extended)
		ps2_put(&k->state.codes, 0xe0);
	if (!down)
		ps2_put(&k->state.codes, 0xf0);
	ps2_put(&k->state.codes, code);
}

static void
put_set3(struct ps2_kbd *k, unsigned scancode, bool down)
{
	uint8_t code = scancode & 0xff, set3 = 0;

	if (scancode == KEY_PAUSE)
		set3 = 0x62;
	else if (scancode >> 8 == 0xe0 && code < sizeof(extended_to_set3))
		set3 = extended_to_set3[code];
	else if (scancode >> 8 == 0 && code < sizeof(plain_to_set3))
		set3 = plain_to_set3[code];
	if (set3 == 0 || (!down && (k->state.no_break[set3 / 8] >> set3 % 8 & 1) != 0))
		return;
	if (!down)
		ps2_put(&k->state.codes, 0xf0);
	ps2_put(&k->state.codes, set3);
}

/* Pause sends both codes at once and no break; with Ctrl it is Break. */
static void
put_pause(struct ps2_kbd *k, bool down)
{
	static const uint8_t set1[6] = { 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5 };
	static const uint8_t set2[8] = { 0xe1, 0x14, 0x77, 0xe1, 0xf0, 0x14, 0xf0, 0x77 };
	bool first = k->state.scan_set == 1;

	if (!down)
		return;
	if ((k->state.held & HELD_CTRL) != 0) {
		put_code(k, KEY_CTRL_BREAK, true);
		put_code(k, KEY_CTRL_BREAK, false);
		return;
	}
	for (unsigned i = 0; i < (first ? sizeof(set1) : sizeof(set2)); i++)
		ps2_put(&k->state.codes, first ? set1[i] : set2[i]);
}

/* Print Screen fakes a shift key around itself; with Alt it is SysRq. */
static void
put_print(struct ps2_kbd *k, bool down)
{
	bool shifted = (k->state.held & (HELD_SHIFT | HELD_CTRL)) != 0;

	if ((k->state.held & HELD_ALT) != 0) {
		put_code(k, KEY_SYSRQ, down);
		return;
	}
	if (down && !shifted)
		put_code(k, 0xe02a, true);
	put_code(k, KEY_PRINT, down);
	if (!down && !shifted)
		put_code(k, 0xe02a, false);
}

static void
note_modifier(struct ps2_kbd *k, unsigned scancode, bool down)
{
	uint8_t bit = 0;

	if ((scancode & 0xff) == 0x1d && scancode != KEY_PAUSE)
		bit = HELD_CTRL;
	else if ((scancode & 0xff) == 0x38)
		bit = HELD_ALT;
	else if (scancode == 0x2a || scancode == 0x36)
		bit = HELD_SHIFT;
	k->state.held = down ? k->state.held | bit : k->state.held & ~bit;
}

/* The code that stands for lost ones, once in a row. */
static void
overrun(struct ps2_kbd *k)
{
	const struct ps2_queue *q = &k->state.codes;
	uint8_t code = k->state.scan_set == 1 ? 0xff : 0x00;

	if (q->bytes[(q->head + q->count - 1u) % PS2_QUEUE_SIZE] != code)
		ps2_put(&k->state.codes, code);
	tell(k);
}

void
ps2_kbd_key(void *kbd, unsigned scancode, bool down)
{
	struct ps2_kbd *k = kbd;

	note_modifier(k, scancode, down);
	if (!k->state.enabled)
		return;
	if (ps2_room(&k->state.codes) < LONGEST + 1) {
		overrun(k);
		return;
	}
	if (k->state.scan_set == 3)
		put_set3(k, scancode, down);
	else if (scancode == KEY_PAUSE)
		put_pause(k, down);
	else if (scancode == KEY_PRINT)
		put_print(k, down);
	else
		put_code(k, scancode, down);
	tell(k);
}

/* Their bits are the command's. */
unsigned
ps2_kbd_leds(void *kbd)
{
	return ((const struct ps2_kbd *)kbd)->state.leds;
}

static void
set_defaults(struct ps2_kbd *k)
{
	clear(&k->state.codes);
	memset(k->state.no_break, 0, sizeof(k->state.no_break));
	k->state.scan_set = 2;
	k->state.rate = 0x2b;
	k->state.leds = 0;
	k->state.command = 0;
}

static void
scan_set(struct ps2_kbd *k, uint8_t operand)
{
	if (operand > 3) {
		reply(k, REPLY_RESEND);
		return;
	}
	reply(k, REPLY_ACK);
	if (operand == 0)
		reply(k, k->state.scan_set);
	else
		k->state.scan_set = operand;
}

/* The operand of the command that waits; false: BYTE is a command itself, which ends the other. */
static bool
take_operand(struct ps2_kbd *k, uint8_t byte)
{
	uint8_t command = k->state.command;

	if (command == 0 || byte >= 0xed) {
		k->state.command = 0;
		return false;
	}
	if (command == CMD_KEY_TYPEMATIC || command == CMD_KEY_MAKE_BREAK || command == CMD_KEY_MAKE) {
		/* Any number of codes follow, until the next command. */
		k->state.no_break[byte / 8] &= ~(1 << byte % 8);
		if (command != CMD_KEY_MAKE_BREAK)
			k->state.no_break[byte / 8] |= 1 << byte % 8;
		reply(k, REPLY_ACK);
		return true;
	}
	k->state.command = 0;
	if (command == CMD_SCAN_SET) {
		scan_set(k, byte);
		return true;
	}
	if (command == CMD_LEDS)
		k->state.leds = byte & 7;
	else
		k->state.rate = byte & 0x7f;
	reply(k, REPLY_ACK);
	return true;
}

static void
command(struct ps2_kbd *k, uint8_t byte)
{
	if (byte != CMD_ECHO && byte != CMD_RESEND)
		reply(k, byte >= CMD_LEDS && byte != 0xef && byte != 0xf1 ? REPLY_ACK : REPLY_RESEND);
	switch (byte) {
	case CMD_ECHO:
		reply(k, CMD_ECHO);
		break;
	case CMD_LEDS:
	case CMD_SCAN_SET:
	case CMD_RATE:
	case CMD_KEY_TYPEMATIC:
	case CMD_KEY_MAKE_BREAK:
	case CMD_KEY_MAKE:
		k->state.command = byte;
		break;
	case CMD_IDENTIFY:
		reply(k, 0xab);
		reply(k, 0x83);
		break;
	case CMD_ENABLE:
		clear(&k->state.codes);
		k->state.enabled = true;
		break;
	case CMD_DISABLE:
	case CMD_DEFAULTS:
		set_defaults(k);
		k->state.enabled = byte == CMD_DEFAULTS;
		break;
	case CMD_ALL_TYPEMATIC:
	case CMD_ALL_MAKE:
		memset(k->state.no_break, 0xff, sizeof(k->state.no_break));
		break;
	case CMD_ALL_MAKE_BREAK:
	case CMD_ALL_BOTH:
		memset(k->state.no_break, 0, sizeof(k->state.no_break));
		break;
	case CMD_RESEND:
		reply(k, k->state.last);
		break;
	case CMD_RESET:
		set_defaults(k);
		k->state.enabled = true;
		reply(k, REPLY_PASSED);
		break;
	}
}

void
ps2_kbd_write(struct dev *d, uint8_t byte)
{
	struct ps2_kbd *k = (struct ps2_kbd *)d;

	clear(&k->state.replies);
	if (!take_operand(k, byte))
		command(k, byte);
	tell(k);
}

bool
ps2_kbd_pending(const struct dev *d)
{
	const struct ps2_kbd *k = (const struct ps2_kbd *)d;

	return k->state.replies.count != 0 || k->state.codes.count != 0;
}

uint8_t
ps2_kbd_take(struct dev *d)
{
	struct ps2_kbd *k = (struct ps2_kbd *)d;

	k->state.last = ps2_get(k->state.replies.count != 0 ? &k->state.replies : &k->state.codes);
	return k->state.last;
}

static const struct field fields[] = {
	PS2_QUEUE_FIELDS(struct ps2_kbd, state.replies),
	PS2_QUEUE_FIELDS(struct ps2_kbd, state.codes),
	FIELD_BUFFER(struct ps2_kbd, state.no_break),
	FIELD_MAX(struct ps2_kbd, state.scan_set, 3),
	FIELD_MAX(struct ps2_kbd, state.enabled, 1),
	FIELD_OF(struct ps2_kbd, state.leds),
	FIELD_OF(struct ps2_kbd, state.rate),
	FIELD_OF(struct ps2_kbd, state.command),
	FIELD_OF(struct ps2_kbd, state.last),
	FIELD_OF(struct ps2_kbd, state.held),
	FIELD_END
};

static void
ps2_kbd_reset(struct dev *d)
{
	struct ps2_kbd *k = (struct ps2_kbd *)d;

	memset(&k->state, 0, sizeof(k->state));
	set_defaults(k);
	k->state.enabled = true;
}

static void
ps2_kbd_info(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque)
{
	struct ps2_kbd *k = (struct ps2_kbd *)d;
	char line[96];

	snprintf(line, sizeof(line), "  set %u, %s, LEDs %u, %u bytes waiting\n", k->state.scan_set,
		k->state.enabled ? "enabled" : "disabled", k->state.leds,
		k->state.replies.count + k->state.codes.count);
	print(opaque, line);
}

static const struct dev_class ps2_kbd_class = {
	DEV_OF(ps2_kbd),
	.description = "PS/2 keyboard",
	.fields = fields,
	.reset = ps2_kbd_reset,
	.info = ps2_kbd_info,
};

struct dev *
ps2_kbd_new(const struct dev_env *env, struct ps2_port port)
{
	struct ps2_kbd *k = (struct ps2_kbd *)dev_new(env, &ps2_kbd_class, NULL);

	k->port = port;
	ps2_kbd_reset(&k->dev);
	return &k->dev;
}
