#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A call in which the browser has another passphrase than examples/gstreamer-call.
. "$(dirname "$0")/common.sh"
find_browser
run_peers call.mjs livekit wrong-passphrase
