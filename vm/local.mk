noinst_LIBRARIES += %D%/libvm.a
%C%_libvm_a_SOURCES =
