/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest code as text, by Capstone where it is there; else as bytes, which our own decoder cuts into instructions. */
#include "cpu/translate.h"

#include <inttypes.h>
#include <string.h>
#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

#include "base/trace.h"
#include "cpu/decode.h"
#include "cpu/state.h"
#include "cpu/vec.h"

enum { MAX_LEN = 15, TEXT = 160 };

static struct decode_mode
mode_of(uint32_t mode)
{
	return (struct decode_mode){ mode & MODE_CS64 ? 8 : mode & MODE_CS32 ? 4 : 2, (mode & MODE_FLAT) != 0 };
}

#ifdef HAVE_CAPSTONE
/* The text of one instruction; its length, or 0 if Capstone doesn't know it. */
static unsigned
text_of(const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m, char *text)
{
	csh cs;
	cs_insn *insn;
	unsigned len = 0;

	if (cs_open(CS_ARCH_X86, m.code == 8 ? CS_MODE_64 : m.code == 4 ? CS_MODE_32 : CS_MODE_16, &cs) != CS_ERR_OK)
		return 0;
	if (cs_disasm(cs, bytes, avail, rip, 1, &insn) == 1) {
		snprintf(text, TEXT, "%.24s %.120s", insn->mnemonic, insn->op_str);
		len = insn->size;
		cs_free(insn, 1);
	}
	cs_close(&cs);
	return len;
}
#else
static unsigned
text_of(const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m, char *text)
{
	struct insn i;

	if (decode(&i, bytes, avail, rip, m) != DECODE_OK)
		return 0;
	snprintf(text, TEXT, "%s", i.row != NULL ? i.row->name : i.vec->name);
	return i.len;
}
#endif

/* Bytes and text of an instruction; how many bytes it took. */
static unsigned
line_of(const uint8_t *bytes, unsigned avail, uint64_t rip, struct decode_mode m, char *line, size_t size)
{
	char text[TEXT] = "(bad)", hex[3 * MAX_LEN + 1] = "";
	unsigned len = text_of(bytes, avail, rip, m, text);

	if (len == 0)
		len = 1;
	for (unsigned n = 0; n < len && n < MAX_LEN; n++)
		snprintf(hex + 3 * n, 4, "%02x ", bytes[n]);
	snprintf(line, size, "%-30s %.120s", hex, text);
	return len;
}

void
cpu_disassemble_block(struct tcg_frame *f, const struct tcg_key *key, unsigned bytes)
{
	struct cpu *c = cpu_of(f);
	uint8_t code[4096];
	unsigned n = bytes < sizeof code ? bytes : sizeof code, have, at = 0;
	char line[TEXT + 80];

	have = cpu_read_code(c, key->phys, code, n);
	while (at < have) {
		unsigned len = line_of(code + at, have - at, key->rip + at, mode_of(key->mode), line, sizeof line);

		log_printf("0x%08" PRIx64 ":  %s\n", key->rip + at, line);
		at += len;
	}
}

unsigned
cpu_disassemble(struct cpu *c, uint64_t addr, const uint8_t *code, unsigned len, char *text, size_t size)
{
	return line_of(code, len, addr, mode_of(c->mode), text, size);
}
