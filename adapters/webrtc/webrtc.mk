# SPDX-License-Identifier: LGPL-2.1-or-later
# The header for libwebrtc: libwebrtc itself is the app's.
include_HEADERS += adapters/webrtc/framekey_webrtc.h
EXTRA_DIST += examples/webrtc-transformers.cc
