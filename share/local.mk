# SPDX-License-Identifier: GPL-2.0-or-later
# What desktops know the program by: starter, icon, types of images, description.
if HAVE_WINDOW
desktopdir = $(datadir)/applications
dist_desktop_DATA = %D%/calque.desktop
icondir = $(datadir)/icons/hicolor/scalable/apps
dist_icon_DATA = %D%/calque.svg
mimedir = $(datadir)/mime/packages
mime_DATA = share/calque.xml
metainfodir = $(datadir)/metainfo
metainfo_DATA = share/org.calque.calque.metainfo.xml
endif
CLEANFILES += share/calque.xml share/org.calque.calque.metainfo.xml
share/calque.xml: share/calque-mime.xml
	$(AM_V_GEN)$(MKDIR_P) share && cp $(srcdir)/share/calque-mime.xml $@.new && mv $@.new $@
share/org.calque.calque.metainfo.xml: share/org.calque.calque.metainfo.xml.in
	$(AM_V_GEN)$(MKDIR_P) share && sed 's|[@]VERSION@|$(VERSION)|' $(srcdir)/$@.in >$@.new && mv $@.new $@
