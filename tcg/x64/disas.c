/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -d out_asm: the host code of a block, by Capstone where it is there, else as bytes. */
#include "tcg/x64/gen.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#include "base/trace.h"
#include "base/util.h"

enum { ROW = 16, CALL = 0xe8, JUMP = 0xe9, CALL_BYTES = 5, WORD_BYTES = 4 };

static void
log_bytes(const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		char hex[3 * ROW + 1] = "";
		unsigned n = MIN(end - p, ROW);

		for (unsigned k = 0; k < n; k++)
			snprintf(hex + 3 * k, 4, " %02x", p[k]);
		log_printf("0x%08" PRIxPTR ": %s\n", (uintptr_t)p, hex);
		p += n;
	}
}

/* Does a word of data stand behind the call at P, or behind the jump at P that a wrong guess comes back to? */
static bool
takes_word(const struct x64_thunks *k, const uint8_t *p)
{
	bool is_jump = *p == JUMP;
	const uint8_t *call = is_jump ? p - CALL_BYTES : p, *to;
	int32_t rel;

	if (*call != CALL)
		return false;
	memcpy(&rel, call + 1, 4);
	to = call + CALL_BYTES + rel;
	return is_jump ? to == k->guess_s1 || to == k->guess_s2 : to == k->slow || to == k->leave_slot;
}

#ifdef HAVE_CAPSTONE
/* From P on, up to what Capstone doesn't know or the first call or jump that a word stands behind. */
static const uint8_t *
log_code(const struct x64_thunks *k, const uint8_t *p, const uint8_t *end)
{
	csh cs;
	cs_insn *insn;
	size_t count;
	bool data = false;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return p;
	count = cs_disasm(cs, p, (size_t)(end - p), (uintptr_t)p, 0, &insn);
	for (size_t n = 0; n < count && !data; n++) {
		log_printf("0x%08" PRIx64 ":  %s %s\n", insn[n].address, insn[n].mnemonic, insn[n].op_str);
		data = insn[n].size == CALL_BYTES && takes_word(k, p);
		p += insn[n].size;
	}
	if (count != 0)
		cs_free(insn, count);
	cs_close(&cs);
	return p;
}
#else
static const uint8_t *
log_code(const struct x64_thunks *k, const uint8_t *p, const uint8_t *end)
{
	(void)k, (void)end;
	return p;
}
#endif

/* Where decoding stops it goes on behind a word of data, as long as that makes progress. */
void
x64_disassemble(const struct tcg *t, const struct tcg_block *b)
{
	const uint8_t *p = b->guarded;

	log_printf("OUT: %zu bytes\n", (size_t)(b->end - b->guarded));
	while (p < b->end) {
		const uint8_t *stop = log_code(&t->thunk, p, b->end);
		bool data = stop - p >= CALL_BYTES && takes_word(&t->thunk, stop - CALL_BYTES);

		p = data ? MIN(stop + WORD_BYTES, b->end) : b->end;
		log_bytes(stop, p);
	}
	log_printf("\n");
}
