# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyctl. The demo's sources are added by cli/demo.mk.
bin_PROGRAMS += cli/framekeyctl

# The table of presets and the parsers of formats are the daemon's own, and pure; it needs nothing else from there.
cli_framekeyctl_SOURCES = \
	cli/admin.c \
	cli/arguments.c \
	cli/bench.c \
	cli/cli.h \
	cli/code.c \
	cli/complete.c \
	cli/context.c \
	cli/doctor-checks.c \
	cli/doctor-frame.c \
	cli/doctor.c \
	cli/doctor.h \
	cli/events.c \
	cli/filter-commands.c \
	cli/filter-fields.c \
	cli/filter-lines.c \
	cli/filter.c \
	cli/filter.h \
	cli/inspect-formats.c \
	cli/inspect.c \
	cli/inspect.h \
	cli/keys.c \
	cli/list.c \
	cli/log.c \
	cli/loop.c \
	cli/loop.h \
	cli/main.c \
	cli/monitor.c \
	cli/output.c \
	cli/overview.c \
	cli/program.c \
	cli/secret.c \
	cli/selftest.c \
	cli/sessions.c \
	cli/show.c \
	cli/streams.c \
	cli/terminal.c \
	cli/top-view.c \
	cli/top.c \
	cli/top.h \
	daemon/format/dave.c \
	daemon/format/sframe.c \
	daemon/format/trailer.c \
	daemon/keys/preset.c
cli_framekeyctl_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
cli_framekeyctl_LDADD = \
	libclient/libframekey-bus.la \
	libclient/libframekey.la \
	libclient/libcodec.la \
	$(LIBSYSTEMD_LIBS) \
	$(JANSSON_LIBS) \
	$(SMARTCOLS_LIBS)

# Each is installed under the name by which its shell finds it.
nodist_bashcompletion_DATA = cli/completion/framekeyctl
nodist_zshcompletion_DATA = cli/completion/_framekeyctl
dist_fishcompletion_DATA = cli/completion/framekeyctl.fish
EXTRA_DIST += cli/completion/framekeyctl.bash cli/completion/framekeyctl.zsh
CLEANFILES += cli/completion/framekeyctl cli/completion/_framekeyctl

cli/completion/framekeyctl: cli/completion/framekeyctl.bash
	$(AM_V_GEN)$(MKDIR_P) cli/completion && cp $(srcdir)/cli/completion/framekeyctl.bash $@

cli/completion/_framekeyctl: cli/completion/framekeyctl.zsh
	$(AM_V_GEN)$(MKDIR_P) cli/completion && cp $(srcdir)/cli/completion/framekeyctl.zsh $@
