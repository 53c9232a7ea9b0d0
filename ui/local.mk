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
%C%_libui_a_SOURCES += %D%/resample.c
%C%_libui_a_SOURCES += %D%/sound.c %D%/sound.h %D%/sound_int.h
%C%_libui_a_SOURCES += %D%/sound_frames.c
%C%_libui_a_SOURCES += %D%/sound_voice.c
%C%_libui_a_SOURCES += %D%/sound_wav.c
if HAVE_SDL
%C%_libui_a_SOURCES += %D%/sound_sdl.c
else
%C%_libui_a_SOURCES += %D%/sound_no_sdl.c
endif
