# SPDX-License-Identifier: GPL-2.0-or-later
noinst_LIBRARIES += %D%/libnet.a
%C%_libnet_a_SOURCES =
%C%_libnet_a_SOURCES += %D%/net.h
%C%_libnet_a_SOURCES += %D%/backend.h
%C%_libnet_a_SOURCES += %D%/address.c %D%/address.h
%C%_libnet_a_SOURCES += %D%/cut.c
%C%_libnet_a_SOURCES += %D%/dgram.c
%C%_libnet_a_SOURCES += %D%/dump.c
%C%_libnet_a_SOURCES += %D%/hub.c
%C%_libnet_a_SOURCES += %D%/kinds.c
%C%_libnet_a_SOURCES += %D%/net.c
%C%_libnet_a_SOURCES += %D%/socket.c
%C%_libnet_a_SOURCES += %D%/stream.c
%C%_libnet_a_SOURCES += %D%/sum.c
%C%_libnet_a_SOURCES += %D%/tap.c
if HAVE_SLIRP
%C%_libnet_a_SOURCES += %D%/user.c %D%/user.h
%C%_libnet_a_SOURCES += %D%/user_config.c
%C%_libnet_a_SOURCES += %D%/user_forward.c
%C%_libnet_a_SOURCES += %D%/user_guest.c
else
%C%_libnet_a_SOURCES += %D%/user_none.c
endif
