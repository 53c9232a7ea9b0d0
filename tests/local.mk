# One Check program per folder, linked with what the folder may use and nothing else.
AM_TESTS_ENVIRONMENT = CALQUE=$(abs_top_builddir)/calque; export CALQUE;

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
check_PROGRAMS += tests/test_hw_irq
TESTS += tests/test_hw_irq
endif
tests_test_hw_irq_SOURCES = tests/test_hw_irq.c
tests_test_hw_irq_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
tests_test_hw_irq_LDADD = hw/libhw.a base/libbase.a $(CHECK_LIBS)

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
