/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the command line: its handlers and the models that -device knows. */
#ifndef VM_OPTIONS_H
#define VM_OPTIONS_H

#include <stdbool.h>

struct settings;
struct err;
struct keyval;
struct machine;

/* One prototype per handler; handlers shared by two rows repeat theirs. */
#define TITLE(text)
#define FLAG(name, handler, help) bool opt_##handler(struct settings *c, const char *arg, struct err *e);
#define ARG(name, handler, argument, help) FLAG(name, handler, help)
#define NO_FLAG(name, reason)
#define NO_ARG(name, reason)
#include "vm/options.def"
#undef TITLE
#undef FLAG
#undef ARG
#undef NO_FLAG
#undef NO_ARG

/* The lone IMAGE of a command line. */
bool opt_image(struct settings *c, const char *arg, struct err *e);
/* Memory and boot order that suit it, where none were asked for. */
void image_settle(struct settings *c);

/* PLUG: late, or at any time by the monitor's device_add. */
enum device_when { DEVICE_EARLY, DEVICE_LATE, DEVICE_PLUG };

struct device_model {
	const char *name, *properties, *description;
	enum device_when when;
	bool (*add)(struct machine *m, struct keyval *k, struct err *e);
};

/* The rows of device.def. */
extern const struct device_model device_models[];
extern const unsigned device_model_count;
/* By the name that ARG begins with; NULL with E set. */
const struct device_model *device_model_find(const char *arg, struct err *e);

#endif
