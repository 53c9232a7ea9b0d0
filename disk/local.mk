noinst_LIBRARIES += %D%/libdisk.a
%C%_libdisk_a_SOURCES =
