noinst_LIBRARIES += %D%/libvm.a
%C%_libvm_a_SOURCES =
%C%_libvm_a_SOURCES += %D%/monitor.c
%C%_libvm_a_SOURCES += %D%/monitor_do.c
%C%_libvm_a_SOURCES += %D%/monitor_expr.c
%C%_libvm_a_SOURCES += %D%/monitor_info.c
%C%_libvm_a_SOURCES += %D%/monitor_line.c
%C%_libvm_a_SOURCES += %D%/monitor_mem.c
