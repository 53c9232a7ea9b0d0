# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LIBRARIES += %D%/libdisk.a
%C%_libdisk_a_SOURCES =
%C%_libdisk_a_SOURCES += %D%/disk.c
%C%_libdisk_a_SOURCES += %D%/pool.c
%C%_libdisk_a_SOURCES += %D%/raw.c
%C%_libdisk_a_SOURCES += %D%/lock.c
%C%_libdisk_a_SOURCES += %D%/magic.c
%C%_libdisk_a_SOURCES += %D%/overlay.c
%C%_libdisk_a_SOURCES += %D%/filter.c
%C%_libdisk_a_SOURCES += %D%/disk.h %D%/image.h
