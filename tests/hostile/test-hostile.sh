#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every attack of hostile-client on a real daemon with one data thread, so that attacker and victim share it:
# the daemon and the victim must come through all of them. $HOSTILE_SECONDS is the time for each (2).
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
client=$build/tests/hostile/hostile-client

[ -x "$client" ] || {
        echo "there is no $client; build it first" >&2
        exit 1
}
# A daemon that dies leaves attackers that wait for it.
exec "$here/../with-daemon" --daemon-arg=--threads=1 -- timeout -k 10 600 "$client" "--seconds=${HOSTILE_SECONDS:-2}" all
