# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LIBRARIES += %D%/libtcg.a
%C%_libtcg_a_SOURCES =
%C%_libtcg_a_SOURCES += %D%/ir_text.c
%C%_libtcg_a_SOURCES += %D%/ir_verify.c
%C%_libtcg_a_SOURCES += %D%/cache.c %D%/block.h
%C%_libtcg_a_SOURCES += %D%/frame.c %D%/frame.h
%C%_libtcg_a_SOURCES += %D%/ir.c %D%/ir.h
%C%_libtcg_a_SOURCES += %D%/op.h %D%/op.def
%C%_libtcg_a_SOURCES += %D%/tcg.c %D%/tcg.h
%C%_libtcg_a_SOURCES += %D%/vec.c
%C%_libtcg_a_SOURCES += %D%/interp/bmi.c
%C%_libtcg_a_SOURCES += %D%/warm.c %D%/vec.h %D%/vec.def
%C%_libtcg_a_SOURCES += %D%/interp/alu.c %D%/interp/alu.h
%C%_libtcg_a_SOURCES += %D%/interp/insn.c %D%/interp/interp.h
%C%_libtcg_a_SOURCES += %D%/interp/step.c %D%/interp/step.h
%C%_libtcg_a_SOURCES += %D%/interp/vec_crypto.c
%C%_libtcg_a_SOURCES += %D%/interp/vec_float.c
%C%_libtcg_a_SOURCES += %D%/interp/vec_fp.c %D%/interp/vec_fp.h
%C%_libtcg_a_SOURCES += %D%/interp/vec_insn.c %D%/interp/vec_op.h
%C%_libtcg_a_SOURCES += %D%/interp/vec_lanes.c
%C%_libtcg_a_SOURCES += %D%/interp/vec_move.c
%C%_libtcg_a_SOURCES += %D%/interp/vec_string.c
%C%_libtcg_a_SOURCES += %D%/interp/x87_host.c %D%/interp/x87_host.h
%C%_libtcg_a_SOURCES += %D%/interp/x87_insn.c %D%/interp/x87.h
if HOST_X64
%C%_libtcg_a_SOURCES += %D%/x64/asm.c %D%/x64/asm.h
%C%_libtcg_a_SOURCES += %D%/x64/bits.c
%C%_libtcg_a_SOURCES += %D%/x64/bmi.c
%C%_libtcg_a_SOURCES += %D%/x64/host.c
%C%_libtcg_a_SOURCES += %D%/x64/compile.c %D%/x64/gen.h
%C%_libtcg_a_SOURCES += %D%/x64/control.c
%C%_libtcg_a_SOURCES += %D%/x64/disas.c
%C%_libtcg_a_SOURCES += %D%/x64/flags.c
%C%_libtcg_a_SOURCES += %D%/x64/integer.c
%C%_libtcg_a_SOURCES += %D%/x64/memory.c
%C%_libtcg_a_SOURCES += %D%/x64/move.c
%C%_libtcg_a_SOURCES += %D%/x64/operand.c
%C%_libtcg_a_SOURCES += %D%/x64/stack.c
%C%_libtcg_a_SOURCES += %D%/x64/thunk.c
%C%_libtcg_a_SOURCES += %D%/x64/vector.c
else
%C%_libtcg_a_SOURCES += %D%/no_back_end.c
endif
