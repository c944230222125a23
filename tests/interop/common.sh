# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests with live peers, here and in a browser: checks what they need, installs the peers into the build
# directory, and starts the test again under a bus and a daemon of its own.
set -u
here=$(cd "$(dirname "$0")" && pwd)
interop=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
export abs_top_builddir=${abs_top_builddir:-$(cd "$here/../.." && pwd)}
export FRAMEKEYCTL=$abs_top_builddir/cli/framekeyctl

skip() {
        echo "$*" >&2
        exit 77
}

run_peers() {
        exec node --no-warnings "$here/$1" "${@:2}"
}

if [ -z "${FRAMEKEYD_PID:-}" ]; then
        for program in node npm ffmpeg flock; do
                command -v "$program" >/dev/null || skip "$program is not installed"
        done
        [ "$(node -p 'process.versions.node.split(".")[0] >= 18')" = true ] || skip "node is older than 18"
        [ -x "$FRAMEKEYCTL" ] || { echo "cli/framekeyctl was not built" >&2; exit 1; }
        export FRAMEKEY_PEERS=$abs_top_builddir/tests/interop/peers
        "$interop/install-peers" "$FRAMEKEY_PEERS" || exit
        exec "$interop/../with-daemon" ${daemons[@]+"${daemons[@]}"} "$0" "$@"
fi
