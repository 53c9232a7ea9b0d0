/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -device e1000, and where devices stand on the PCI bus. */
#include "vm/machine.h"

#include "base/err.h"
#include "base/keyval.h"
#include "base/util.h"
#include "hw/pci.h"
#include "net/net.h"

#include <stdlib.h>

enum { PCI_SLOTS = 32, ROM_MOST = 512 * 1024 };

/* ---- places ---- */

/* "SLOT" or "SLOT.FUNCTION", hexadecimal. */
static bool
parse_place(const char *text, int *devfn, struct err *e)
{
	char *end;
	unsigned long slot = strtoul(text, &end, 16), function = 0;

	if (end != text && *end == '.')
		function = strtoul(end + 1, &end, 16);
	if (end == text || *end != '\0' || slot >= PCI_SLOTS || function > 7)
		return err_set(e, "addr=%s is not a place on the PCI bus; write the slot, 0 to 1f, or slot.function", text);
	*devfn = (int)(slot << 3 | function);
	return true;
}

static bool
slot_is_free(struct machine *m, unsigned slot)
{
	for (unsigned function = 0; function < 8; function++)
		if (pci_bus_find(m->pci, slot << 3 | function) != NULL)
			return false;
	return true;
}

bool
machine_pci_place(struct machine *m, struct keyval *k, int *devfn, struct err *e)
{
	const char *addr = keyval_str(k, "addr");

	if (!keyval_only(k, "bus", "pci.0", e))
		return false;
	if (addr != NULL) {
		if (!parse_place(addr, devfn, e))
			return false;
		return pci_bus_find(m->pci, (unsigned)*devfn) == NULL || err_set(e, "addr=%s is taken; info pci lists who is where", addr);
	}
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (slot_is_free(m, slot)) {
			*devfn = (int)(slot << 3);
			return true;
		}
	}
	return err_set(e, "all slots of the PCI bus are taken");
}

/* ---- e1000 ---- */

/* The distribution's iPXE, unless another file or none is asked for; without it the card works, but nothing boots from it. */
static bool
load_rom(struct machine *m, const char *file, struct blob *rom, struct err *e)
{
	static const char *const usual[] = { "efi-e1000.rom", "pxe-e1000.rom" };

	if (file != NULL)
		return *file == '\0' || firmware_load_file(m, file, ROM_MOST, rom, "check the path", e) ||
			err_prefix(e, "romfile=");
	for (unsigned i = 0; i < ARRAY_SIZE(usual); i++) {
		struct err none = { 0 };

		if (firmware_load_file(m, usual[i], ROM_MOST, rom, "", &none))
			break;
	}
	return true;
}

static void
note_boot_index(struct machine *m, uint64_t index, int devfn)
{
	if (index == UINT64_MAX || m->nic_boot_count == ARRAY_SIZE(m->nic_boots))
		return;
	m->nic_boots[m->nic_boot_count].index = (int)index;
	m->nic_boots[m->nic_boot_count++].devfn = (uint8_t)devfn;
}

bool
device_e1000(struct machine *m, struct keyval *k, struct err *e)
{
	const char *romfile = keyval_str(k, "romfile");
	uint64_t boot_index = UINT64_MAX;
	struct e1000_config c = { .id = keyval_str(k, "id") };
	struct net_end *backend;
	struct blob rom = { 0 };

	if (!machine_take_nic(m, k, c.mac, &backend, e) || !machine_pci_place(m, k, &c.devfn, e) ||
	    !keyval_uint(k, "bootindex", 9999, &boot_index, e) || !load_rom(m, romfile, &rom, e))
		return false;
	c.rom = rom.data;
	c.rom_size = rom.size;
	struct dev *card = e1000_new(&m->env, m->pci, m->net, &c);

	blob_free(&rom);
	note_boot_index(m, boot_index, c.devfn);
	return backend == NULL || net_connect(e1000_end(card), backend, e);
}
