# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests with examples/gstreamer-call in them: checks what they need, and goes on as the other tests with
# live peers do.
top=${abs_top_builddir:-$(cd "$(dirname "$0")/../.." && pwd)}
export GSTREAMER_CALL=$top/examples/gstreamer-call
export GSTREAMER_RECORDER=$top/examples/gstreamer-recorder
export GRASPING_RECORDER=$top/tests/browser/grasping-recorder
export GST_PLUGIN_PATH=$top/adapters/gstreamer/.libs
# Ours: what is known of the user's plugins stays as it is.
export GST_REGISTRY_1_0=$top/tests/browser/registry.bin
export LD_LIBRARY_PATH=$top/libclient/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

if [ -z "${FRAMEKEYD_PID:-}" ]; then
        [ -x "$GSTREAMER_CALL" ] || { echo "configure did not find GStreamer with webrtcbin" >&2; exit 77; }
        command -v gst-inspect-1.0 >/dev/null || { echo "gst-inspect-1.0 is not installed" >&2; exit 77; }
        for element in webrtcbin nicesrc dtlsenc srtpenc vp8enc rtpvp8depay opusenc rtpopuspay rawvideoparse matroskamux \
                gdppay framekeyenc; do
                gst-inspect-1.0 $element >/dev/null 2>&1 || { echo "GStreamer has no $element here" >&2; exit 77; }
        done
fi
# shellcheck source=tests/interop/common.sh
. "$(dirname "$0")/../interop/common.sh"

find_browser() {
        local program

        for program in ${CHROMIUM:+"$CHROMIUM"} chromium chromium-browser google-chrome; do
                CHROMIUM=$(command -v "$program") && export CHROMIUM && return
        done
        skip "Chromium is not installed"
}
