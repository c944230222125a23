#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A call between Chromium, with LiveKit's worker, attached by RTCRtpScriptTransform, and examples/gstreamer-call.
. "$(dirname "$0")/common.sh"
find_browser
run_peers call.mjs livekit script
