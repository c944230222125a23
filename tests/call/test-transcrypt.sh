#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Frames of real encoders through a bridge, LiveKit to SFrame to DAVE to LiveKit; see transcrypt.c. AV1, which livekit
# does not carry, goes round with realtimekit at the ends.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(cd "$here/../.." && pwd)}

if [ -z "${FRAMEKEYD_DIR:-}" ]; then
        for program in node ffmpeg; do
                command -v $program >/dev/null || {
                        echo "$program is not installed" >&2
                        exit 77
                }
        done
        exec "$here/../with-daemon" "$0"
fi

node "$here/frames.mjs" >"$FRAMEKEYD_DIR/frames"
"$build/tests/call/transcrypt" "$FRAMEKEYD_DIR/frames"
"$build/tests/call/transcrypt" "$FRAMEKEYD_DIR/frames" realtimekit
