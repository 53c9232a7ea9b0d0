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
%C%_libui_a_SOURCES += %D%/vnc.c %D%/vnc.h
%C%_libui_a_SOURCES += %D%/vnc_client.c
%C%_libui_a_SOURCES += %D%/vnc_encode.c
%C%_libui_a_SOURCES += %D%/vnc_keys.c %D%/vnc_keys.def %D%/vnc_letters.def
%C%_libui_a_SOURCES += %D%/vnc_pack.c
%C%_libui_a_SOURCES += %D%/vnc_update.c
if HAVE_NETTLE
%C%_libui_a_SOURCES += %D%/vnc_des.c
else
%C%_libui_a_SOURCES += %D%/vnc_no_des.c
endif
%C%_libui_a_SOURCES += %D%/layout.c %D%/layouts.def
%C%_libui_a_SOURCES += %D%/pace.c %D%/pace.h
%C%_libui_a_SOURCES += %D%/utf8.c %D%/utf8.h
if HAVE_CONSOLE
%C%_libui_a_SOURCES += %D%/console.c %D%/console.h %D%/console_int.h
%C%_libui_a_SOURCES += %D%/vt.c %D%/vt_parse.c %D%/vt.h
else
%C%_libui_a_SOURCES += %D%/no_console.c
endif
if HAVE_CURSES
%C%_libui_a_SOURCES += %D%/curses.c %D%/curses_int.h
%C%_libui_a_SOURCES += %D%/curses_charset.c
%C%_libui_a_SOURCES += %D%/curses_input.c
%C%_libui_a_SOURCES += %D%/curses_key.c
%C%_libui_a_SOURCES += %D%/curses_screen.c
%C%_libui_a_SOURCES += %D%/curses_term.c
else
%C%_libui_a_SOURCES += %D%/no_curses.c
endif
if HAVE_WINDOW
%C%_libui_a_SOURCES += %D%/console_picture.c
%C%_libui_a_SOURCES += %D%/font.c %D%/font.h
%C%_libui_a_SOURCES += %D%/window.c %D%/window.h
%C%_libui_a_SOURCES += %D%/window_draw.c %D%/window_draw.h
%C%_libui_a_SOURCES += %D%/window_input.c
%C%_libui_a_SOURCES += %D%/window_keys.c %D%/sdl_keys.def
%C%_libui_a_SOURCES += %D%/window_order.c
%C%_libui_a_SOURCES += %D%/window_sdl.c %D%/window_sdl.h
%C%_libui_a_SOURCES += %D%/start.c %D%/start_list.c %D%/start.h
nodist_%C%_libui_a_SOURCES = %D%/font_data.c
else
%C%_libui_a_SOURCES += %D%/no_window.c
endif
CLEANFILES += ui/font_data.c
ui/font_data.c: ui/font.awk
	$(AM_V_GEN)$(MKDIR_P) ui && awk -f $(srcdir)/ui/font.awk $(font) >$@.new && mv $@.new $@
