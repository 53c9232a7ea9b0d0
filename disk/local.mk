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
%C%_libdisk_a_SOURCES += %D%/filter_mirror.c
%C%_libdisk_a_SOURCES += %D%/filter_log.c
%C%_libdisk_a_SOURCES += %D%/image.c
%C%_libdisk_a_SOURCES += %D%/open.c
%C%_libdisk_a_SOURCES += %D%/create.c
%C%_libdisk_a_SOURCES += %D%/qcow2.c
%C%_libdisk_a_SOURCES += %D%/qcow2_header.c
%C%_libdisk_a_SOURCES += %D%/qcow2_table.c
%C%_libdisk_a_SOURCES += %D%/qcow2_refcount.c
%C%_libdisk_a_SOURCES += %D%/qcow2_commit.c
%C%_libdisk_a_SOURCES += %D%/qcow2_io.c
%C%_libdisk_a_SOURCES += %D%/qcow2_compressed.c
%C%_libdisk_a_SOURCES += %D%/qcow2_snapshot.c
%C%_libdisk_a_SOURCES += %D%/qcow2_check.c
%C%_libdisk_a_SOURCES += %D%/qcow2_change.c
if HAVE_IO_URING
%C%_libdisk_a_SOURCES += %D%/uring.c
else
%C%_libdisk_a_SOURCES += %D%/uring_none.c
endif
if HAVE_ZSTD
%C%_libdisk_a_SOURCES += %D%/zstd.c
else
%C%_libdisk_a_SOURCES += %D%/zstd_none.c
endif
%C%_libdisk_a_SOURCES += %D%/disk.h %D%/image.h %D%/tool.h %D%/qcow2.h
