noinst_LIBRARIES += %D%/libcpu.a
%C%_libcpu_a_SOURCES =
