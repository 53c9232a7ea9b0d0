# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LIBRARIES += %D%/libui.a
%C%_libui_a_SOURCES =
%C%_libui_a_SOURCES += %D%/chr.c
%C%_libui_a_SOURCES += %D%/chr_fd.c
%C%_libui_a_SOURCES += %D%/chr_mux.c
%C%_libui_a_SOURCES += %D%/chr_socket.c
%C%_libui_a_SOURCES += %D%/chr_udp.c
%C%_libui_a_SOURCES += %D%/display.c
%C%_libui_a_SOURCES += %D%/input.c
%C%_libui_a_SOURCES += %D%/keys.c
%C%_libui_a_SOURCES += %D%/surface.c
%C%_libui_a_SOURCES += %D%/term.c
