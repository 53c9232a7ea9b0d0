noinst_LIBRARIES += %D%/libtcg.a
%C%_libtcg_a_SOURCES =
