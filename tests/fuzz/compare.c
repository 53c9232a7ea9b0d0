/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Are two outcomes the same, as far as it is defined? */
#include "tests/fuzz/fuzz.h"

#include "cpu/feature.h"

#include <inttypes.h>
#include <string.h>

/* Not IF, IOPL, RF: the same everywhere, or the matter of the exception's frame. */
enum { FLAGS_SEEN = 0x244dd5, STACK_STORES = 32 };

/* It isn't the user's under Linux. */
#define LAST_USER_PAGE 0x7ffffffff000ull

static const char *const gpr_names[16] = {
	"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
};

/* Flags without a defined value where the snippet stopped. */
static unsigned
undefined_at(const struct snippet *s, const struct outcome *o)
{
	uint64_t rip = o->rip;

	/* Behind an INT3 of what fills the page: who jumps in front of the code comes to its beginning. */
	if (o->vector == 3)
		return s->undefined_anywhere;
	if (rip == FUZZ_EXIT)
		return s->undefined[s->insns];
	for (unsigned n = 0; n <= s->insns; n++)
		if (FUZZ_CODE + s->at + s->insn_at[n] == rip)
			return s->undefined[n];
	return s->undefined_anywhere;
}

/* LOOSE_ bits of the instruction that the host stopped at. */
static unsigned
loose_at(const struct snippet *s, uint64_t rip)
{
	for (unsigned n = 0; n < s->insns; n++)
		if (FUZZ_CODE + s->at + s->insn_at[n] == rip)
			return s->loose[n];
	return 0;
}

/* A kernel's address: the host's kernel doesn't tell whether something is there. */
static uint32_t
error_of(const struct outcome *o)
{
	return o->error | (o->vector == 14 && o->cr2 >= LAST_USER_PAGE);
}

static bool
is_memory_fault(const struct outcome *o)
{
	return (o->vector >= 12 && o->vector <= 14) || o->vector == 17;
}

/* What is at both sides of the end of the user's half may fault for either. */
static bool
is_at_border(const struct outcome *o)
{
	return o->vector == 14 && (o->cr2 >> 12 == LAST_USER_PAGE >> 12 || o->cr2 >> 12 == ~0ull >> 12 ||
		o->cr2 >> 12 == 0xffffffff >> 12);
}

static bool
is_canonical(uint64_t linear)
{
	return (int64_t)(linear << 16) >> 16 == (int64_t)linear;
}

/* In a process with the address sanitizer there is something where the guest has nothing. */
#ifndef __has_feature
#define __has_feature(feature) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
enum { SANITIZED = true };
#else
enum { SANITIZED = false };
#endif

static bool
is_sanitizers(const struct outcome *o)
{
	return SANITIZED && o->vector == 14 && o->cr2 >= 0x7fff7000 && o->cr2 < 0x10007fff8000;
}

/* A host with addresses of 57 bits has a page fault, or #AC, where ours isn't canonical; a jump there has happened already. */
static bool
has_wide_addresses(const struct outcome *host, const struct outcome *ours)
{
	bool refused = ours->vector == 12 || ours->vector == 13;

	return (host->vector == 14 && !is_canonical(host->cr2)) || (host->vector == 17 && refused && native_has(FEAT_la57));
}

/* Code at the end of its page: an undefined instruction may be found out before or after the rest of it is fetched. */
static bool
is_undefined_or_fetch(const struct outcome *a, const struct outcome *b)
{
	return a->vector == 6 && b->vector == 14 && b->error & 16 && b->cr2 > a->rip && b->cr2 - a->rip < 15;
}

/* INT1, met by a jump into another instruction: a host that is a virtual machine itself may report it before, not after. */
static bool
is_early_trap(const struct snippet *s, const struct outcome *host, const struct outcome *ours)
{
	uint64_t at = host->rip - FUZZ_CODE - s->at;

	return host->vector == 1 && ours->vector == 1 && ours->rip == host->rip + 1 && at < s->len && s->code[at] == 0xf1;
}

static bool
event_equal(const struct outcome *a, const struct outcome *b, unsigned loose, char *what, size_t size)
{
	if ((loose & LOOSE_ADDRESS || is_at_border(a) || is_at_border(b)) && a->rip == b->rip && is_memory_fault(a) &&
		is_memory_fault(b))
		return true;
	if (a->rip == b->rip && loose & LOOSE_ALIGNMENT && (a->vector == 17 || b->vector == 17))
		return true;
	if (a->rip == b->rip && (is_undefined_or_fetch(a, b) || is_undefined_or_fetch(b, a)))
		return true;
	if (a->vector != b->vector || a->rip != b->rip) {
		snprintf(what, size, "vector %02x at %" PRIx64 " (error %x, address %" PRIx64 "), host %02x at %" PRIx64
			" (error %x, address %" PRIx64 ")", b->vector, b->rip, b->error, b->cr2, a->vector, a->rip, a->error, a->cr2);
		return false;
	}
	if (error_of(a) != error_of(b) && a->vector >= 8 && a->vector <= 17) {
		snprintf(what, size, "vector %02x: error %x, host %x", a->vector, b->error, a->error);
		return false;
	}
	if (a->vector == 14 && a->cr2 != b->cr2) {
		snprintf(what, size, "page fault at %" PRIx64 ", host %" PRIx64, b->cr2, a->cr2);
		return false;
	}
	return true;
}

static bool
bytes_equal(const char *name, unsigned n, const uint8_t *a, const uint8_t *b, unsigned len, char *what, size_t size)
{
	int used;

	if (memcmp(a, b, len) == 0)
		return true;
	used = snprintf(what, size, "%s%u: ", name, n);
	for (unsigned k = len; k-- > 0;)
		used += snprintf(what + used, size - (unsigned)used, "%02x", b[k]);
	used += snprintf(what + used, size - (unsigned)used, ", host ");
	for (unsigned k = len; k-- > 0;)
		used += snprintf(what + used, size - (unsigned)used, "%02x", a[k]);
	return false;
}

static bool
fx_equal(const uint8_t *a, const uint8_t *b, char *what, size_t size)
{
	if (!bytes_equal("mxcsr", 0, a + FX_MXCSR, b + FX_MXCSR, 4, what, size) || !bytes_equal("fcw", 0, a, b, 2, what, size) ||
		!bytes_equal("fsw", 0, a + FX_FSW, b + FX_FSW, 2, what, size) || !bytes_equal("ftw", 0, a + FX_FTW, b + FX_FTW, 1, what, size))
		return false;
	for (unsigned n = 0; n < 8; n++)
		if (!bytes_equal("st", n, a + FX_ST + 16 * n, b + FX_ST + 16 * n, 10, what, size))
			return false;
	if (memcmp(a + FX_XMM, b + FX_XMM, 256) == 0 && memcmp(a + FX_YMM, b + FX_YMM, 256) == 0)
		return true;
	for (unsigned n = 0; n < 16; n++)
		if (!bytes_equal("xmm", n, a + FX_XMM + 16 * n, b + FX_XMM + 16 * n, 16, what, size) ||
			!bytes_equal("upper half of ymm", n, a + FX_YMM + 16 * n, b + FX_YMM + 16 * n, 16, what, size))
			return false;
	return true;
}

static bool
zmm_equal(const struct registers *a, const struct registers *b, char *what, size_t size)
{
	if (memcmp(a->zmm, b->zmm, sizeof(a->zmm)) == 0 && memcmp(a->k, b->k, sizeof(a->k)) == 0)
		return true;
	for (unsigned n = 0; n < ZMM; n++)
		if (!bytes_equal("zmm", n, a->zmm[n], b->zmm[n], 64, what, size))
			return false;
	for (unsigned n = 0; n < 8; n++)
		if (!bytes_equal("k", n, (const uint8_t *)&a->k[n], (const uint8_t *)&b->k[n], 8, what, size))
			return false;
	return true;
}

static bool
is_in_hole(uint64_t linear, const struct hole *holes, unsigned count)
{
	for (unsigned n = 0; n < count; n++)
		if (linear >= holes[n].from && linear < holes[n].to)
			return true;
	return false;
}

static bool
data_equal(const struct snippet *s, const uint8_t *data, const struct outcome *host, const struct outcome *ours, unsigned loose,
	char *what, size_t size)
{
	struct hole holes[MAX_HOLES + 1];
	const uint8_t *a = host->same_data ? data : host->data, *b = ours->data;
	unsigned at = 0, count;

	if (ours->same_data)
		return true;
	count = snippet_holes(s, host, holes);
	if (loose & LOOSE_STACK)
		holes[count++] = (struct hole){ host->regs.gpr[4] - STACK_STORES, host->regs.gpr[4] };
	while (at < DATA_BYTES && (a[at] == b[at] || is_in_hole(FUZZ_DATA + at, holes, count)))
		at++;
	if (at == DATA_BYTES)
		return true;
	at &= ~7u;
	return bytes_equal("data at ", at, a + at, b + at, 8, what, size);
}

bool
outcome_equal(const struct snippet *s, const uint8_t *data, const struct outcome *host, const struct outcome *ours, char *what,
	size_t size)
{
	unsigned seen = FLAGS_SEEN & ~undefined_at(s, host), loose = loose_at(s, host->rip);

	if ((loose | loose_at(s, ours->rip)) & LOOSE_FAULT || has_wide_addresses(host, ours) || is_sanitizers(host) || is_sanitizers(ours))
		return true;
	if (loose_at(s, ours->rip) & LOOSE_GATHER && (ours->vector == 17 || (host->vector == 1 && host->rip == ours->rip)))
		return true;
	if ((ours->vector == 17 && loose_at(s, ours->rip) & LOOSE_NO_AC) || (host->vector == 17 && loose & LOOSE_NO_AC))
		return true;
	if (!is_early_trap(s, host, ours) && !event_equal(host, ours, loose, what, size))
		return false;
	for (unsigned n = 0; n < 16; n++) {
		if (host->regs.gpr[n] != ours->regs.gpr[n]) {
			snprintf(what, size, "%s: %016" PRIx64 ", host %016" PRIx64, gpr_names[n], ours->regs.gpr[n], host->regs.gpr[n]);
			return false;
		}
	}
	if ((host->regs.flags ^ ours->regs.flags) & seen) {
		snprintf(what, size, "flags: %06" PRIx64 ", host %06" PRIx64 ", of %06x", ours->regs.flags, host->regs.flags, seen);
		return false;
	}
	return fx_equal(host->regs.fx, ours->regs.fx, what, size) && zmm_equal(&host->regs, &ours->regs, what, size) &&
		data_equal(s, data, host, ours, loose, what, size);
}
