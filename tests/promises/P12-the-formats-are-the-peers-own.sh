#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# All vectors of the formats, those of RFC 9605 among them, byte for byte; and a daemon whose crypto library computes one
# wrong bit says so and serves nothing.
set -u

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
vectors=$here/../vectors

fail() {
        echo "P12: FAILED: $*" >&2
        exit 1
}

self_test() { # BROKEN [OPTION...]: its exit status; what it said is in $said
        local broken=$1

        shift
        said=$(ASAN_OPTIONS=${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0 BROKEN_GCRYPT=$broken \
                LD_PRELOAD=$build/tests/promises/.libs/broken-gcrypt.so timeout 60 "$build/daemon/framekeyd" "$@" 2>&1)
}

self_test none --self-test || fail "the self test of a sound daemon: $said"
for broken in encrypt tag check kdf; do
        self_test $broken --self-test && fail "with a broken $broken the self test passes: $said"
        grep -q 'self test of .* failed' <<<"$said" || fail "with a broken $broken the self test says: $said"
        # It gets no farther than this: not even to a bus, of which there is none.
        self_test $broken --address=unix:path=/nonexistent/bus && fail "with a broken $broken it runs"
        grep -qi 'bus' <<<"$said" && fail "with a broken $broken it wants to serve: $said"
done
exec "$here/../run-vectors" "$vectors/livekit.json" "$vectors/realtimekit.json" "$vectors/jitsi.json" \
        "$vectors/sframe-rfc9605.json" "$vectors/sframe-extra.json" "$vectors/dave.json"
