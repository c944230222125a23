# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyctl. The demo's sources are added by cli/demo.mk.
bin_PROGRAMS += cli/framekeyctl

# The table of presets is the daemon's own; it needs nothing else from there.
cli_framekeyctl_SOURCES = \
	cli/admin.c \
	cli/arguments.c \
	cli/cli.h \
	cli/context.c \
	cli/events.c \
	cli/filter-commands.c \
	cli/filter-fields.c \
	cli/filter-lines.c \
	cli/filter.c \
	cli/filter.h \
	cli/keys.c \
	cli/main.c \
	cli/monitor.c \
	cli/output.c \
	cli/overview.c \
	cli/secret.c \
	cli/show.c \
	cli/streams.c \
	daemon/keys/preset.c
cli_framekeyctl_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(JANSSON_CFLAGS) $(SMARTCOLS_CFLAGS)
cli_framekeyctl_LDADD = \
	libclient/libframekey-bus.la \
	libclient/libframekey.la \
	$(LIBSYSTEMD_LIBS) \
	$(JANSSON_LIBS) \
	$(SMARTCOLS_LIBS)

# The file is installed under the command's name, which is how bash finds it.
bashcompletiondir = $(datadir)/bash-completion/completions
nodist_bashcompletion_DATA = cli/completion/framekeyctl
EXTRA_DIST += cli/completion/framekeyctl.bash
CLEANFILES += cli/completion/framekeyctl

cli/completion/framekeyctl: cli/completion/framekeyctl.bash
	$(AM_V_GEN)$(MKDIR_P) cli/completion && cp $(srcdir)/cli/completion/framekeyctl.bash $@
