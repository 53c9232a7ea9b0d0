noinst_LIBRARIES += %D%/libui.a
%C%_libui_a_SOURCES =
