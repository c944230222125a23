# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyctl demo. Comes after cli/cli.mk.
cli_framekeyctl_SOURCES += \
	cli/demo/annexb.c \
	cli/demo/call.c cli/demo/call.h \
	cli/demo/child.c cli/demo/child.h \
	cli/demo/demo.c \
	cli/demo/ffmpeg.c cli/demo/ffmpeg.h \
	cli/demo/folder.c cli/demo/folder.h \
	cli/demo/ivf.c \
	cli/demo/key-entry.c cli/demo/key-entry.h \
	cli/demo/media.c cli/demo/media.h \
	cli/demo/network.c cli/demo/network.h \
	cli/demo/ogg.c \
	cli/demo/peer.c cli/demo/peer.h \
	cli/demo/progress.c cli/demo/progress.h \
	cli/demo/report.c cli/demo/report.h \
	cli/demo/stopwatch.h \
	cli/demo/studio.c cli/demo/studio.h
cli_framekeyctl_CFLAGS += $(OGG_CFLAGS)
cli_framekeyctl_LDADD += $(OGG_LIBS)
