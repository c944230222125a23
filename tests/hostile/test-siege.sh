#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# All attacks of hostile-client at once and at random: daemon and victim come through, and nothing is left behind.
# $SIEGE_SECONDS (5) and $SIEGE_SEED (6) say how long and which; "make check-long" takes ten minutes and a new seed.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
client=$build/tests/hostile/hostile-client

[ -x "$client" ] || {
        echo "there is no $client; build it first" >&2
        exit 1
}
exec "$here/../with-daemon" --daemon-arg=--threads=2 --daemon-arg=--log-level=warning -- "$client" \
        "--seed=${SIEGE_SEED:-6}" "--seconds=${SIEGE_SECONDS:-5}" random
