/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What every device is: a class, a name, and a state that tables describe.
 *
 * A device's struct begins with a struct dev and holds its guest-visible state in one plain struct, without pointers.  The
 * field table names each member of that state as saved or as transient; snapshot, migration and replay read it, and
 * a test walks it to prove that no byte is forgotten.
 */
#ifndef BASE_DEV_H
#define BASE_DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct clock;
struct err;
struct loop;
struct space;

enum field_kind {
	FIELD_UINT,      /* an unsigned or signed integer, bool or enum of SIZE bytes; COUNT of them */
	FIELD_BYTES,     /* SIZE bytes as they are */
	FIELD_TIMER,     /* a struct timer: armed, deadline */
	FIELD_TRANSIENT, /* rebuilt by loaded() */
	FIELD_REMOTE,    /* the member, outside of the state, points to SIZE bytes that are saved */
	FIELD_EXTENT,    /* the same, with the size in the uint64_t at offset MAX of the struct: video memory */
};

struct field {
	const char *name;
	enum field_kind kind;
	uint32_t offset; /* inside the device's struct */
	uint32_t size;   /* of one element */
	uint32_t count;
	uint64_t max;    /* FIELD_UINT: the largest value that may be loaded; 0: any */
};

/* Rows of a field table: FIELD_OF(struct pit, state.count).  Arrays of integers are recognised by ARRAY. */
#define FIELD_OF(type, member) \
	{ #member, FIELD_UINT, offsetof(type, member), sizeof(((type *)0)->member), 1, 0 }
#define FIELD_MAX(type, member, most) \
	{ #member, FIELD_UINT, offsetof(type, member), sizeof(((type *)0)->member), 1, most }
#define FIELD_ARRAY(type, member) \
	{ #member, FIELD_UINT, offsetof(type, member), sizeof(((type *)0)->member[0]), \
	  sizeof(((type *)0)->member) / sizeof(((type *)0)->member[0]), 0 }
#define FIELD_BUFFER(type, member) \
	{ #member, FIELD_BYTES, offsetof(type, member), sizeof(((type *)0)->member), 1, 0 }
#define FIELD_TIMER_OF(type, member) \
	{ #member, FIELD_TIMER, offsetof(type, member), sizeof(((type *)0)->member), 1, 0 }
#define FIELD_SKIP(type, member) \
	{ #member, FIELD_TRANSIENT, offsetof(type, member), sizeof(((type *)0)->member), 1, 0 }
#define FIELD_REMOTE_OF(type, member, bytes) \
	{ #member, FIELD_REMOTE, offsetof(type, member), bytes, 1, 0 }
#define FIELD_EXTENT_OF(type, member, bytes_member) \
	{ #member, FIELD_EXTENT, offsetof(type, member), 0, 1, offsetof(type, bytes_member) }
#define FIELD_END { NULL, FIELD_TRANSIENT, 0, 0, 0, 0 }

struct dev;

struct dev_class {
	const char *name;            /* as -device and info qtree say it */
	const char *description;
	size_t size;                 /* of the device's struct */
	uint32_t state_offset;       /* of its guest-visible state in that struct, and its size: what FIELDS has to cover */
	uint32_t state_size;
	const struct field *fields;
	void (*reset)(struct dev *d);                      /* power-on state; lines are recomputed */
	/* After a load: check across fields, rebuild transients.  After false the device is to be reset before the loop turns. */
	bool (*loaded)(struct dev *d, struct err *e);
	void (*info)(struct dev *d, void (*print)(void *opaque, const char *text), void *opaque); /* a few lines of state */
	void (*destroy)(struct dev *d);                    /* frees what init took; the struct itself is freed by dev_free */
};

/* Fills name, size and the state's extent: { DEV_OF(pit), .fields = ..., .reset = ... }; the state member is `state`. */
#define DEV_OF(device) \
	.name = #device, .size = sizeof(struct device), .state_offset = offsetof(struct device, state), \
	.state_size = sizeof(((struct device *)0)->state)

struct dev {
	const struct dev_class *cls;
	char *id;
	bool busy;        /* being accessed: not to be entered again through its own DMA */
	struct dev *next; /* the machine's list, in order of creation */
	uint64_t reported; /* guest bugs already told: a set of hashed messages */
};

/* What a device finds around it when it is made. */
struct dev_env {
	struct clock *clock;
	struct loop *loop;
	struct space *mem;
	struct space *io;
	struct dev **devices; /* the list that new ones join */
};

/* A zeroed device of CLS, which has joined ENV's list.  ID may be NULL. */
struct dev *dev_new(const struct dev_env *env, const struct dev_class *cls, const char *id);
void dev_free(struct dev *d);
void dev_reset_all(struct dev *first);
/* The last one made goes first. */
void dev_free_all(struct dev *first);

/* The guest did what the hardware has no answer for: told once for each device and message by -d guest_errors. */
void guest_bug(struct dev *d, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The guest uses something we lack: -d unimp. */
void guest_unimp(struct dev *d, const char *format, ...) __attribute__((format(printf, 2, 3)));

/*
 * Walks a field table: the first offset of the state that no row covers, or -1.  For the coverage test.  Padding counts
 * too: arrange the members so that there is none, or name it.
 */
long dev_uncovered(const struct dev_class *cls);

#endif
