#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# All vectors of the formats that are implemented.
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/../run-vectors" "$here/livekit.json" "$here/realtimekit.json" "$here/jitsi.json" \
        "$here/sframe-rfc9605.json" "$here/sframe-extra.json" "$here/dave.json"
