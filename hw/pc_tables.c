/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What firmware is told of the PC through fw_cfg: how much there is of everything, and the tables it installs. */
#include "hw/hw.h"
#include "hw/tables.h"

#include "base/util.h"

enum {
	KEY_UUID = 0x02,
	KEY_RAM_SIZE = 0x03,
	KEY_NB_CPUS = 0x05,
	KEY_MAX_CPUS = 0x0f,
	KEY_IRQ0_OVERRIDE = 0x8002,
};

enum { E820_RAM = 1 };

static void
put_e820(struct bytes *b, uint64_t base, uint64_t len, unsigned type)
{
	bytes_le(b, base, 8);
	bytes_le(b, len, 8);
	bytes_le(b, type, 4);
}

static void
add_e820(struct dev *fw_cfg, const struct pc_facts *facts)
{
	struct bytes b = { 0 };

	put_e820(&b, 0, facts->ram_below_4g, E820_RAM);
	if (facts->ram_above_4g != 0)
		put_e820(&b, 4 * GiB, facts->ram_above_4g, E820_RAM);
	fw_cfg_add_file(fw_cfg, "etc/e820", b.data, b.len);
	bytes_free(&b);
}

static void
add_numbers(struct dev *fw_cfg, const struct pc_facts *facts)
{
	/* Of S0 to S5 (bit 7: supported, the rest: SLP_TYP) there are S0 and S5. */
	static const uint8_t system_states[6] = { 0x80, 0, 0, 1, 2, 0x80 };
	uint8_t max_cpus[8];

	if (facts->uuid != NULL)
		fw_cfg_add_bytes(fw_cfg, KEY_UUID, facts->uuid, 16);
	fw_cfg_add_u64(fw_cfg, KEY_RAM_SIZE, facts->ram_below_4g + facts->ram_above_4g);
	fw_cfg_add_u16(fw_cfg, KEY_NB_CPUS, facts->cpus);
	fw_cfg_add_u16(fw_cfg, KEY_MAX_CPUS, facts->cpus);
	fw_cfg_add_u32(fw_cfg, KEY_IRQ0_OVERRIDE, 1);
	store_le(max_cpus, facts->cpus, sizeof(max_cpus));
	fw_cfg_add_file(fw_cfg, "etc/max-cpus", max_cpus, 2);
	fw_cfg_add_file(fw_cfg, "etc/system-states", system_states, sizeof(system_states));
}

static void
add_acpi(struct dev *fw_cfg, const struct pc_facts *facts)
{
	struct acpi_tables t;

	acpi_build(&t, facts);
	fw_cfg_add_file(fw_cfg, "etc/acpi/rsdp", t.rsdp.data, t.rsdp.len);
	fw_cfg_add_file(fw_cfg, "etc/acpi/tables", t.tables.data, t.tables.len);
	fw_cfg_add_file(fw_cfg, "etc/table-loader", t.loader.data, t.loader.len);
	acpi_free(&t);
}

static void
add_smbios(struct dev *fw_cfg, const struct pc_facts *facts)
{
	struct bytes anchor = { 0 }, structures = { 0 };

	smbios_build(&anchor, &structures, facts);
	fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-anchor", anchor.data, anchor.len);
	fw_cfg_add_file(fw_cfg, "etc/smbios/smbios-tables", structures.data, structures.len);
	bytes_free(&anchor);
	bytes_free(&structures);
}

void
pc_add_tables(struct dev *fw_cfg, const struct pc_facts *facts)
{
	add_numbers(fw_cfg, facts);
	add_e820(fw_cfg, facts);
	add_acpi(fw_cfg, facts);
	add_smbios(fw_cfg, facts);
}
