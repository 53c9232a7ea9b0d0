/* SPDX-License-Identifier: GPL-2.0-or-later */
/* -d out_asm: the host code of a block, by Capstone where it is there, else as bytes. */
#include "tcg/x64/gen.h"

#include <inttypes.h>
#include <stdio.h>
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#include "base/trace.h"
#include "base/util.h"

enum { ROW = 16, CALL = 0xe8 };

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

#ifdef HAVE_CAPSTONE
/* From P on, up to what Capstone doesn't know. */
static const uint8_t *
log_code(const uint8_t *p, const uint8_t *end)
{
	csh cs;
	cs_insn *insn;
	size_t count;

	if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
		return p;
	count = cs_disasm(cs, p, (size_t)(end - p), (uintptr_t)p, 0, &insn);
	for (size_t n = 0; n < count; n++) {
		log_printf("0x%08" PRIx64 ":  %s %s\n", insn[n].address, insn[n].mnemonic, insn[n].op_str);
		p += insn[n].size;
	}
	if (count != 0)
		cs_free(insn, count);
	cs_close(&cs);
	return p;
}
#else
static const uint8_t *
log_code(const uint8_t *p, const uint8_t *end)
{
	(void)end;
	return p;
}
#endif

/* Behind the call of a site's stub: a word of data. */
static const uint8_t *
word_of(const struct tcg_site *s)
{
	const uint8_t *p = s->stub;

	/* Flags may be loaded into rax first. */
	while (*p != CALL)
		p++;
	return p + 5;
}

/* Decoding goes on behind each word of data. */
void
x64_disassemble(const struct tcg_block *b)
{
	const uint8_t *p = b->guarded;

	log_printf("OUT: %zu bytes\n", (size_t)(b->end - b->guarded));
	for (;;) {
		const uint8_t *end = b->end;

		for (unsigned n = 0; n < b->sites; n++) {
			const uint8_t *word = b->site[n].stub != NULL ? word_of(&b->site[n]) : p;

			if (word > p && word < end)
				end = word;
		}
		log_bytes(log_code(p, end), end);
		if (end == b->end)
			break;
		log_bytes(end, end + 4);
		p = end + 4;
	}
	log_printf("\n");
}
