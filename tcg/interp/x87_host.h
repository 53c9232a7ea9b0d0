/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TCG_INTERP_X87_HOST_H
#define TCG_INTERP_X87_HOST_H

#include <stdint.h>

/*
 * Executes one x87 instruction on an image (bytes 0 to 159 of FXSAVE's), under its own control word: OPCODE 0-7 stands for D8 to
 * DF, MODRM is a register form or a memory form with r/m 0, whose operand is at MEMORY (up to 16 bytes).  FLAGS has SF ZF AF PF
 * CF as LAHF gives them, in and out.  The instruction exists, isn't one of control, and the image has no exception pending;
 * an exception that it leaves pending shows in the status word, with registers and memory as the manual wants them then.
 */
void x87_host_run(uint8_t *image, unsigned opcode, unsigned modrm, void *memory, uint8_t *flags);

#endif
