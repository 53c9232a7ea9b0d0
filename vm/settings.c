/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vm/settings.h"

#include "base/util.h"

#include <stdlib.h>

struct settings_memory {
	struct settings_memory *next;
	uint64_t align;
	uint8_t bytes[];
};

void
settings_init(struct settings *c)
{
	*c = (struct settings){
		.ram_bytes = 128 * MiB,
		.boot_order = "cad",
		.boot_menu_ms = UINT64_MAX,
		.reboot_timeout_ms = UINT64_MAX,
		.append = "",
		.adapter = ADAPTER_STD,
		.defaults = true,
		.hpet = true,
		.vmport = true,
		.window.layout = layout_find("en-us"),
	};
}

void
settings_free(struct settings *c)
{
	while (c->memory != NULL) {
		struct settings_memory *next = c->memory->next;

		free(c->memory);
		c->memory = next;
	}
}

void *
settings_alloc(struct settings *c, uint64_t size)
{
	struct settings_memory *block = xcalloc(1, sizeof(*block) + size);

	block->next = c->memory;
	c->memory = block;
	return block->bytes;
}

char *
settings_dup(struct settings *c, const char *text)
{
	size_t size = strlen(text) + 1;

	return memcpy(settings_alloc(c, size), text, size);
}

struct drive_config *
settings_add_drive(struct settings *c, const char *option, enum drive_interface interface)
{
	struct drive_config **last = &c->drives;
	struct drive_config *d = settings_alloc(c, sizeof(*d));

	while (*last != NULL)
		last = &(*last)->next;
	*last = d;
	*d = (struct drive_config){ .option = option, .interface = interface, .index = -1, .boot_index = -1 };
	return d;
}
