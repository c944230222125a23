# SPDX-License-Identifier: LGPL-2.1-or-later
# The daemon's end of the ring.
libkeyplane_la_SOURCES += \
	daemon/state/undo.c daemon/state/undo.h \
	daemon/channel/ring.c daemon/channel/ring.h daemon/channel/ring-internal.h \
	daemon/channel/ring-layout.c daemon/channel/ring-layout.h \
	daemon/channel/ring-doorbell.c daemon/channel/ring-doorbell.h \
	daemon/channel/ring-region.c daemon/channel/ring-region.h \
	daemon/channel/ring-state.c daemon/channel/ring-state.h
