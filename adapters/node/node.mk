# SPDX-License-Identifier: LGPL-2.1-or-later
# The Node-API addon, with what it takes to be a package of Node.
node_package = adapters/node/index.d.ts adapters/node/index.js adapters/node/package.json adapters/node/README.md
EXTRA_DIST += $(node_package) examples/electron-main.js

if ENABLE_NODE
nodedir = $(libdir)/nodejs/framekey
node_DATA = $(node_package)
node_LTLIBRARIES = adapters/node/framekey.la
adapters_node_framekey_la_SOURCES = \
	adapters/node/addon.c \
	adapters/node/addon.h \
	adapters/node/channel.c \
	adapters/node/session.c \
	adapters/node/watch.c
# What node_api.h's macros define has no prototypes.
adapters_node_framekey_la_CFLAGS = $(AM_CFLAGS) $(LIBSYSTEMD_CFLAGS) $(NODE_CFLAGS) -Wno-missing-prototypes
adapters_node_framekey_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shrext .node
adapters_node_framekey_la_LIBADD = libclient/libframekey-bus.la libclient/libframekey.la $(LIBSYSTEMD_LIBS)
endif
