noinst_LIBRARIES += %D%/libhw.a
%C%_libhw_a_SOURCES =
%C%_libhw_a_SOURCES += %D%/trace.c
