noinst_LIBRARIES += %D%/libtcg.a
%C%_libtcg_a_SOURCES =
%C%_libtcg_a_SOURCES += %D%/ir_text.c
%C%_libtcg_a_SOURCES += %D%/ir_verify.c
%C%_libtcg_a_SOURCES += %D%/x64/disas.c
