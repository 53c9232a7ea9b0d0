# SPDX-License-Identifier: GPL-2.0-or-later
# One Check program per folder, linked with what the folder may use and nothing else.
# Check's own limit of 4 s per test is short for a busy host, and for sanitizers.
AM_TESTS_ENVIRONMENT = CALQUE=$(abs_top_builddir)/calque; CK_TIMEOUT_MULTIPLIER=15; export CALQUE CK_TIMEOUT_MULTIPLIER;

dist_check_SCRIPTS += tests/sizes.sh tests/includes.sh
TESTS += tests/sizes.sh tests/includes.sh

if HAVE_CHECK
check_PROGRAMS += tests/test_base
TESTS += tests/test_base
endif
tests_test_base_SOURCES = tests/test_base.c
tests_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_base_LDADD = base/libbase.a $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_irq tests/test_hw_timers
TESTS += tests/test_hw_irq tests/test_hw_timers
endif
tests_test_hw_timers_SOURCES = tests/test_hw_timers.c tests/check_main.h tests/irq_board.c tests/irq_board.h
tests_test_hw_timers_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_timers_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_irq_SOURCES = tests/test_hw_irq.c tests/check_main.h tests/irq_board.c tests/irq_board.h
tests_test_hw_irq_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_irq_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HAVE_WINDOW
check_PROGRAMS += tests/test_window
TESTS += tests/test_window
endif
endif
tests_test_window_SOURCES = tests/test_window.c
tests_test_window_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_window_LDADD = $(UI_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HAVE_CURSES
check_PROGRAMS += tests/test_curses
TESTS += tests/test_curses
endif
endif
tests_test_curses_SOURCES = tests/test_curses.c tests/check_main.h
tests_test_curses_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_curses_LDADD = $(UI_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_vnc
TESTS += tests/test_vnc
endif
tests_test_vnc_SOURCES = tests/test_vnc.c tests/check_main.h
tests_test_vnc_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_vnc_LDADD = $(UI_LIBS) $(CHECK_LIBS)

dist_check_SCRIPTS += tests/window.sh
TESTS += tests/window.sh

dist_check_SCRIPTS += tests/cli.sh
TESTS += tests/cli.sh

if HAVE_CHECK
check_PROGRAMS += tests/test_vm_options tests/test_loaders
TESTS += tests/test_vm_options tests/test_loaders
endif
tests_test_vm_options_SOURCES = tests/test_vm_options.c
tests_test_vm_options_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_vm_options_LDADD = $(VM_LIBS) $(CHECK_LIBS)
tests_test_loaders_SOURCES = tests/test_loaders.c
tests_test_loaders_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_loaders_LDADD = $(VM_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HAVE_CAPSTONE
check_PROGRAMS += tests/test_cpu_decode
TESTS += tests/test_cpu_decode
endif
endif
tests_test_cpu_decode_SOURCES = tests/test_cpu_decode.c
tests_test_cpu_decode_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS) $(CAPSTONE_CFLAGS)
tests_test_cpu_decode_LDADD = cpu/libcpu.a tcg/libtcg.a base/libbase.a $(CHECK_LIBS) $(CAPSTONE_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_cpu_model
TESTS += tests/test_cpu_model
endif
tests_test_cpu_model_SOURCES = tests/test_cpu_model.c tests/check_main.h
tests_test_cpu_model_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_model_LDADD = $(CPU_LIBS) $(CHECK_LIBS)

# AVX-512 that no host is asked about.
if HAVE_CHECK
check_PROGRAMS += tests/test_half tests/test_avx512
TESTS += tests/test_half tests/test_avx512
endif
tests_test_half_SOURCES = tests/test_half.c tests/check_main.h
tests_test_half_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_half_LDADD = tcg/libtcg.a base/libbase.a $(CHECK_LIBS)
tests_test_avx512_SOURCES = tests/test_avx512.c tests/check_main.h
tests_test_avx512_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_avx512_LDADD = cpu/libcpu.a tcg/libtcg.a base/libbase.a $(CHECK_LIBS) $(CAPSTONE_LIBS)

# Every EVEX encoding against a second decoder.
if HAVE_ZYDIS
if HAVE_CHECK
check_PROGRAMS += tests/test_cpu_evex
TESTS += tests/test_cpu_evex
endif
endif
tests_test_cpu_evex_SOURCES = tests/test_cpu_evex.c tests/check_main.h
tests_test_cpu_evex_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_evex_LDADD = cpu/libcpu.a tcg/libtcg.a base/libbase.a $(CHECK_LIBS) $(CAPSTONE_LIBS) -lZydis -lZycore

if HAVE_CHECK
check_PROGRAMS += tests/test_disk tests/test_disk_io tests/test_hw_pci tests/test_hw_ide
TESTS += tests/test_disk tests/test_disk_io tests/test_hw_pci tests/test_hw_ide
endif
tests_test_disk_io_SOURCES = tests/test_disk_io.c
tests_test_disk_io_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_disk_io_LDADD = $(DISK_LIBS) $(CHECK_LIBS)
tests_test_disk_SOURCES = tests/test_disk.c tests/turn.h
tests_test_disk_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_disk_LDADD = $(DISK_LIBS) $(CHECK_LIBS)
tests_test_hw_pci_SOURCES = tests/test_hw_pci.c
tests_test_hw_pci_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_pci_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_ide_SOURCES = tests/test_hw_ide.c tests/check_main.h tests/ide_machine.c tests/ide_machine.h tests/turn.h
tests_test_hw_ide_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_ide_LDADD = $(HW_LIBS) $(CHECK_LIBS)
if HAVE_CHECK
check_PROGRAMS += tests/test_hw_atapi
TESTS += tests/test_hw_atapi
endif
tests_test_hw_atapi_SOURCES = tests/test_hw_atapi.c tests/check_main.h tests/ide_machine.c tests/ide_machine.h tests/turn.h
tests_test_hw_atapi_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_atapi_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_qcow2
TESTS += tests/test_qcow2
endif
tests_test_qcow2_SOURCES = tests/test_qcow2.c
tests_test_qcow2_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_qcow2_LDADD = $(DISK_LIBS) $(CHECK_LIBS)

# qcow2: longer by CALQUE_POWER_STATES, CALQUE_RANDOM_REQUESTS, CALQUE_MUTATIONS, CALQUE_KILLS; CALQUE_SEED begins elsewhere.
check_PROGRAMS += tests/qcow2_power tests/qcow2_random tests/qcow2_mutate tests/qcow2_kill
TESTS += tests/qcow2_power tests/qcow2_random tests/qcow2_mutate tests/qcow2_kill
tests_qcow2_power_SOURCES = tests/qcow2_power.c tests/qcow2_mem.c tests/qcow2_mem.h
tests_qcow2_power_LDADD = $(DISK_LIBS)
tests_qcow2_random_SOURCES = tests/qcow2_random.c tests/qcow2_mem.c tests/qcow2_mem.h
tests_qcow2_random_LDADD = $(DISK_LIBS)
tests_qcow2_mutate_SOURCES = tests/qcow2_mutate.c tests/qcow2_mem.c tests/qcow2_mem.h
tests_qcow2_mutate_LDADD = $(DISK_LIBS)
tests_qcow2_kill_SOURCES = tests/qcow2_kill.c tests/qcow2_mem.c tests/qcow2_mem.h
tests_qcow2_kill_LDADD = $(DISK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_vbe tests/test_hw_cirrus tests/test_hw_vga_model tests/test_hw_vga tests/test_ui tests/test_monitor
TESTS += tests/test_hw_vbe tests/test_hw_cirrus tests/test_hw_vga_model tests/test_hw_vga tests/test_ui tests/test_monitor
endif
tests_test_hw_vbe_SOURCES = tests/test_hw_vbe.c tests/vga_rig.h
tests_test_hw_vbe_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_vbe_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_cirrus_SOURCES = tests/test_hw_cirrus.c tests/vga_rig.h
tests_test_hw_cirrus_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_cirrus_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_vga_model_SOURCES = tests/test_hw_vga_model.c tests/vga_rig.h
tests_test_hw_vga_model_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_vga_model_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_vga_SOURCES = tests/test_hw_vga.c
tests_test_hw_vga_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_vga_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_ui_SOURCES = tests/test_ui.c
tests_test_ui_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_ui_LDADD = $(UI_LIBS) $(CHECK_LIBS)
tests_test_monitor_SOURCES = tests/test_monitor.c
tests_test_monitor_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_monitor_LDADD = vm/libvm.a $(UI_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_isa tests/test_hw_fwcfg tests/test_hw_floppy
TESTS += tests/test_hw_isa tests/test_hw_fwcfg tests/test_hw_floppy
endif
tests_test_hw_isa_SOURCES = tests/test_hw_isa.c
tests_test_hw_isa_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_isa_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_fwcfg_SOURCES = tests/test_hw_fwcfg.c
tests_test_hw_fwcfg_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_fwcfg_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_floppy_SOURCES = tests/test_hw_floppy.c
tests_test_hw_floppy_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_floppy_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_usb tests/test_hw_xhci tests/test_hw_vmport
TESTS += tests/test_hw_usb tests/test_hw_xhci tests/test_hw_vmport
endif
tests_test_hw_vmport_SOURCES = tests/test_hw_vmport.c tests/check_main.h
tests_test_hw_vmport_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_vmport_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_usb_SOURCES = tests/test_hw_usb.c tests/check_main.h tests/usb_machine.c tests/usb_machine.h tests/turn.h
tests_test_hw_usb_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_usb_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_xhci_SOURCES = tests/test_hw_xhci.c tests/check_main.h tests/usb_machine.c tests/usb_machine.h tests/turn.h
tests_test_hw_xhci_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_xhci_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_cpu_exec
TESTS += tests/test_cpu_exec
endif
tests_test_cpu_exec_SOURCES = tests/test_cpu_exec.c
tests_test_cpu_exec_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_exec_LDADD = cpu/libcpu.a tcg/libtcg.a base/libbase.a $(CHECK_LIBS) $(CAPSTONE_LIBS)

if HAVE_CHECK
if HOST_X64
check_PROGRAMS += tests/test_tcg
TESTS += tests/test_tcg
endif
endif
tests_test_tcg_SOURCES = tests/test_tcg.c tests/tcg_guest.c tests/tcg_guest.h
tests_test_tcg_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_tcg_LDADD = $(TCG_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_tcg_locked
TESTS += tests/test_tcg_locked
endif
tests_test_tcg_locked_SOURCES = tests/test_tcg_locked.c tests/check_main.h
tests_test_tcg_locked_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_tcg_locked_LDADD = $(TCG_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HOST_X64
check_PROGRAMS += tests/test_tcg_x64 tests/test_tcg_vec
TESTS += tests/test_tcg_x64 tests/test_tcg_vec
endif
endif
tests_test_tcg_x64_SOURCES = tests/test_tcg_x64.c tests/tcg_guest.c tests/tcg_guest.h tests/tcg_random.c tests/tcg_random.h
tests_test_tcg_x64_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_tcg_x64_LDADD = $(TCG_LIBS) $(CHECK_LIBS)
tests_test_tcg_vec_SOURCES = tests/test_tcg_vec.c tests/tcg_guest.c tests/tcg_guest.h tests/tcg_random.c tests/tcg_random.h
tests_test_tcg_vec_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_tcg_vec_LDADD = $(TCG_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_interp tests/test_xop
TESTS += tests/test_interp tests/test_xop
endif
tests_test_xop_SOURCES = tests/test_xop.c tests/check_main.h
tests_test_xop_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_xop_LDADD = $(TCG_LIBS) $(CHECK_LIBS)
tests_test_interp_SOURCES = tests/test_interp.c
tests_test_interp_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_interp_LDADD = $(TCG_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HOST_X64
check_PROGRAMS += tests/test_cpu_translate
TESTS += tests/test_cpu_translate
endif
endif
tests_test_cpu_translate_SOURCES = tests/test_cpu_translate.c
tests_test_cpu_translate_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_translate_LDADD = $(CPU_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HOST_X64
check_PROGRAMS += tests/test_cpu_run
TESTS += tests/test_cpu_run
endif
endif
tests_test_cpu_run_SOURCES = tests/test_cpu_run.c tests/cpu_board.c tests/cpu_board.h
tests_test_cpu_run_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_run_LDADD = $(CPU_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
if HOST_X64
check_PROGRAMS += tests/test_cpu_share
TESTS += tests/test_cpu_share
endif
endif
tests_test_cpu_share_SOURCES = tests/test_cpu_share.c tests/check_main.h tests/cpu_board.c tests/cpu_board.h
tests_test_cpu_share_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_cpu_share_LDADD = $(CPU_LIBS) $(CHECK_LIBS)

# Random snippets against the host's processor: `make fuzz EXECUTIONS=100000000 SEED=7`; KEEP=folder keeps the reduced failures there,
# COUNTS=file adds up what several runs met.
if HOST_X64
check_PROGRAMS += tests/fuzz/fuzz
dist_check_SCRIPTS += tests/fuzz.sh
TESTS += tests/fuzz.sh
endif
tests_fuzz_fuzz_SOURCES = tests/fuzz/fuzz.c tests/fuzz/analyse.c tests/fuzz/compare.c tests/fuzz/encode.c tests/fuzz/generate.c \
	tests/fuzz/guest.c tests/fuzz/native.c tests/fuzz/random.c tests/fuzz/templates.c tests/fuzz/text.c tests/fuzz/fuzz.h \
	tests/fuzz/generate.h
tests_fuzz_fuzz_LDADD = $(CPU_LIBS)

# Random programs of 4 KiB, in the interpreter and in the back end: tests/fuzz/programs -n 1000 -s 1.
if HOST_X64
check_PROGRAMS += tests/fuzz/programs
dist_check_SCRIPTS += tests/programs.sh
TESTS += tests/programs.sh
endif
tests_fuzz_programs_SOURCES = tests/fuzz/programs.c tests/fuzz/program.c tests/fuzz/program.h tests/fuzz/analyse.c \
	tests/fuzz/encode.c tests/fuzz/generate.c tests/fuzz/native.c tests/fuzz/random.c tests/fuzz/templates.c tests/fuzz/fuzz.h \
	tests/fuzz/generate.h
tests_fuzz_programs_LDADD = $(CPU_LIBS)

EXECUTIONS = 10000000
SEED =
fuzz: tests/fuzz/fuzz
	seed=$(SEED); FUZZ_EXECUTIONS=$(EXECUTIONS) FUZZ_SEED=$${seed:-$$(date +%s)} FUZZ_KEEP=$(KEEP) \
		FUZZ_COUNTS=$(COUNTS) sh $(srcdir)/tests/fuzz.sh
.PHONY: fuzz

if HOST_X64
check_PROGRAMS += tests/hostile
dist_check_SCRIPTS += tests/hostile.sh tests/full_disk.sh
TESTS += tests/hostile.sh tests/full_disk.sh
endif
tests_hostile_SOURCES = tests/hostile.c tests/hostile_guest.c tests/hostile.h
tests_hostile_LDADD = base/libbase.a

# What translation costs, pass by pass: `make bench CODE=some-executable`.
EXTRA_PROGRAMS = tests/bench/translate
CLEANFILES += $(EXTRA_PROGRAMS)
tests_bench_translate_SOURCES = tests/bench/translate.c
tests_bench_translate_LDADD = $(CPU_LIBS)
bench: tests/bench/translate
	tests/bench/translate $(CODE)
.PHONY: bench

if HAVE_CHECK
check_PROGRAMS += tests/test_terminal
TESTS += tests/test_terminal
endif
tests_test_terminal_SOURCES = tests/test_terminal.c
tests_test_terminal_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_terminal_LDADD = base/libbase.a $(CHECK_LIBS)

dist_check_SCRIPTS += tests/ring0.sh tests/img.sh
TESTS += tests/ring0.sh tests/img.sh

if HAVE_CHECK
check_PROGRAMS += tests/test_sound
TESTS += tests/test_sound
endif
tests_test_sound_SOURCES = tests/test_sound.c
tests_test_sound_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_sound_LDADD = $(UI_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_e1000 tests/test_hw_e1000_frames
TESTS += tests/test_hw_e1000 tests/test_hw_e1000_frames
endif
tests_test_hw_e1000_SOURCES = tests/test_hw_e1000.c tests/check_main.h tests/e1000_machine.c tests/e1000_machine.h
tests_test_hw_e1000_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_e1000_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_e1000_frames_SOURCES = tests/test_hw_e1000_frames.c tests/check_main.h tests/e1000_machine.c tests/e1000_machine.h
tests_test_hw_e1000_frames_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_e1000_frames_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_hw_sound tests/test_hw_hda
TESTS += tests/test_hw_sound tests/test_hw_hda
endif
tests_test_hw_hda_SOURCES = tests/test_hw_hda.c tests/sound_machine.c tests/sound_machine.h
tests_test_hw_hda_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_hda_LDADD = $(HW_LIBS) $(CHECK_LIBS)
tests_test_hw_sound_SOURCES = tests/test_hw_sound.c tests/sound_machine.c tests/sound_machine.h
tests_test_hw_sound_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_sound_LDADD = $(HW_LIBS) $(CHECK_LIBS)

if HAVE_CHECK
check_PROGRAMS += tests/test_net tests/test_net_user
TESTS += tests/test_net tests/test_net_user
endif
tests_test_net_SOURCES = tests/test_net.c tests/check_main.h tests/net_bytes.h
tests_test_net_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_net_LDADD = $(NET_LIBS) $(CHECK_LIBS)
tests_test_net_user_SOURCES = tests/test_net_user.c tests/check_main.h tests/net_bytes.h
tests_test_net_user_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_net_user_LDADD = $(NET_LIBS) $(CHECK_LIBS)

dist_check_SCRIPTS += tests/sound.sh
TESTS += tests/sound.sh

# Devices under a fuzzer: `make fuzz-devices DEVICE="e1000 hda" TIME=600`; the kept inputs are run by `make check`.
check_PROGRAMS += tests/devfuzz/replay
dist_check_SCRIPTS += tests/devfuzz.sh
TESTS += tests/devfuzz.sh
devfuzz_sources = tests/devfuzz/machine.c tests/devfuzz/backends.c tests/devfuzz/devices.c tests/devfuzz/ide.c tests/devfuzz/net.c \
	tests/devfuzz/usb.c tests/devfuzz/devfuzz.h
tests_devfuzz_replay_SOURCES = tests/devfuzz/replay.c $(devfuzz_sources)
tests_devfuzz_replay_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
tests_devfuzz_replay_LDADD = hw/libhw.a ui/libui.a net/libnet.a base/libbase.a -lm

EXTRA_PROGRAMS += tests/devfuzz/fuzzer
tests_devfuzz_fuzzer_SOURCES = tests/devfuzz/fuzzer.c tests/devfuzz/pool.c $(devfuzz_sources)
tests_devfuzz_fuzzer_LDFLAGS = $(AM_LDFLAGS) -fsanitize=fuzzer -Wl,--wrap=calloc,--wrap=free,--wrap=clock_gettime
tests_devfuzz_fuzzer_LDADD = hw/libhw.a ui/libui.a net/libnet.a base/libbase.a -lm

TIME = 60
DEVICE =
fuzz-devices: tests/devfuzz/replay
	TIME=$(TIME) sh $(srcdir)/tests/devfuzz/fuzz.sh $(abs_srcdir) $(DEVICE)
.PHONY: fuzz-devices
