# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LIBRARIES += %D%/libbase.a
%C%_libbase_a_SOURCES =
%C%_libbase_a_SOURCES += %D%/clock.c %D%/clock.h
%C%_libbase_a_SOURCES += %D%/dev.c %D%/dev.h
%C%_libbase_a_SOURCES += %D%/err.c %D%/err.h
%C%_libbase_a_SOURCES += %D%/irq.h
%C%_libbase_a_SOURCES += %D%/keyval.c %D%/keyval.h
%C%_libbase_a_SOURCES += %D%/loop.c %D%/loop.h
%C%_libbase_a_SOURCES += %D%/mem.c %D%/mem.h
%C%_libbase_a_SOURCES += %D%/pins.h
%C%_libbase_a_SOURCES += %D%/trace.c %D%/trace.h %D%/trace_gen.h
%C%_libbase_a_SOURCES += %D%/util.c %D%/util.h
