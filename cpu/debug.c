/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Debug registers: breakpoints on code, data and ports. */
#include "cpu/system.h"

enum { TYPE_CODE, TYPE_WRITE, TYPE_IO, TYPE_ACCESS };
#define DEBUG_TRAP (1ull << 63)
enum { DR7_GD = 0x2000, DR6_BD = 0x2000 };

static bool
is_enabled(const struct cpu *c, unsigned n)
{
	return c->dr[7] >> 2 * n & 3;
}

static unsigned
type_of(const struct cpu *c, unsigned n)
{
	return c->dr[7] >> (16 + 4 * n) & 3;
}

static unsigned
bytes_of(const struct cpu *c, unsigned n)
{
	static const uint8_t bytes[] = { 1, 2, 8, 4 };

	return bytes[c->dr[7] >> (18 + 4 * n) & 3];
}

bool
debug_has_data(const struct cpu *c)
{
	for (unsigned n = 0; n < 4; n++)
		if (is_enabled(c, n) && type_of(c, n) & 1)
			return true;
	return false;
}

bool
debug_has_code(const struct cpu *c)
{
	for (unsigned n = 0; n < 4; n++)
		if (is_enabled(c, n) && type_of(c, n) == TYPE_CODE)
			return true;
	return false;
}

static void
add_trap(struct cpu *c, unsigned n)
{
	c->pending_dbg |= DEBUG_TRAP | 1u << n;
	__atomic_store_n(&c->f.pending, 1, __ATOMIC_RELAXED);
}

void
debug_check_data(struct cpu *c, uint64_t linear, unsigned size, bool write)
{
	if (!(c->dr[7] & 0xff))
		return;
	for (unsigned n = 0; n < 4; n++) {
		uint64_t bytes = bytes_of(c, n), first = c->dr[n] & ~(bytes - 1);

		if (!is_enabled(c, n) || !(type_of(c, n) == TYPE_ACCESS || (type_of(c, n) == TYPE_WRITE && write)))
			continue;
		if (linear < first + bytes && first < linear + size)
			add_trap(c, n);
	}
}

void
debug_check_stack(struct cpu *c, uint64_t linear, unsigned size, bool write)
{
	if (c->mode & MODE_SLOW_MEM)
		debug_check_data(c, linear, size, write);
}

void
debug_check_io(struct cpu *c, unsigned port, unsigned size)
{
	if (!(c->dr[7] & 0xff) || !(c->cr4 & CR4_DE))
		return;
	for (unsigned n = 0; n < 4; n++) {
		uint64_t bytes = bytes_of(c, n), first = c->dr[n] & ~(bytes - 1);

		if (is_enabled(c, n) && type_of(c, n) == TYPE_IO && port < first + bytes && first < port + size)
			add_trap(c, n);
	}
}

uint64_t
debug_check_code(const struct cpu *c, uint64_t linear)
{
	uint64_t hit = 0;

	for (unsigned n = 0; n < 4; n++)
		if (is_enabled(c, n) && type_of(c, n) == TYPE_CODE && c->dr[n] == linear)
			hit |= 1u << n;
	return hit;
}

/* ---- MOV to and from debug registers ---- */

static unsigned
checked_register(struct cpu *c, unsigned n)
{
	if (n == 4 || n == 5) {
		if (c->cr4 & CR4_DE)
			cpu_raise(c, EXC_UD);
		n += 2;
	}
	if (c->cpl != 0)
		cpu_raise_error(c, EXC_GP, 0);
	if (c->dr[7] & DR7_GD) {
		c->dr[6] |= DR6_BD;
		cpu_raise(c, EXC_DB);
	}
	return n;
}

uint64_t
do_rd_dr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);

	(void)a, (void)b;
	return c->dr[checked_register(c, aux_n(aux))];
}

uint64_t
do_wr_dr(struct tcg_frame *f, uint64_t a, uint64_t b, uint32_t aux)
{
	struct cpu *c = cpu_of(f);
	unsigned n = checked_register(c, aux_n(aux));

	(void)b;
	if (n >= 6 && a >> 32)
		cpu_raise_error(c, EXC_GP, 0);
	if (n == 6)
		c->dr[6] = (a & 0xe00f) | 0xffff0ff0;
	else if (n == 7)
		c->dr[7] = (a & 0xffff23ff) | 0x400;
	else
		c->dr[n] = a;
	c->has_code_breakpoints = debug_has_code(c);
	cpu_update_mode(c);
	return 0;
}
