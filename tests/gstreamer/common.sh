# shellcheck shell=bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Sourced by the tests of the GStreamer plugin: skips where they cannot run, finds the plugin that was built, and starts
# the daemon. Two sessions stand for two apps: alice sends in the one, the other receives from her.
# shellcheck disable=SC2034,SC2153 # for those who source it; from tests/with-daemon
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
abs_top_builddir=$build
export abs_top_builddir
plugin=$build/adapters/gstreamer/.libs

skip() {
        echo "$*" >&2
        exit 77
}
[ -e "$plugin/libgstframekey.so" ] || skip "the GStreamer plugin was not built"
# gst-launch-1.0 and GLib do not have the sanitizers' libraries.
[ "${enable_sanitizers:-no}" = no ] || skip "a plugin with sanitizers does not load into a program without"
command -v gst-launch-1.0 >/dev/null || skip "gst-launch-1.0 is not installed"
needs() {
        local element
        for element; do
                gst-inspect-1.0 --exists "$element" || skip "GStreamer has no element $element here"
        done
}

# A test that stops and starts the daemon itself sets own_daemon=yes before.
if [ -n "${own_daemon:-}" ]; then
        work=$(mktemp -d) || exit 99
elif [ -z "${FRAMEKEYD_PID:-}" ]; then
        exec "$root/tests/with-daemon" -- "$0" "$@"
else
        work=$FRAMEKEYD_DIR
fi
export GST_PLUGIN_PATH=$plugin GST_REGISTRY_1_0=$work/registry GST_REGISTRY_FORK=no
export LD_LIBRARY_PATH=$build/libclient/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
PATH=$build/cli:$PATH
cd "$work" || exit 99

failures=0
fail() {
        echo "FAIL: $*" >&2
        failures=$((failures + 1))
}
finish() {
        [ "$failures" -eq 0 ] || { echo "$failures checks failed" >&2; exit 1; }
        exit 0
}
# session LABEL PRESET: open for the elements, and it stays when busctl ends
session() {
        busctl call org.framekey1 /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' "$2" "$1" \
                2 linger b true exclusive b false >/dev/null
}
# sessions PRESET [INDEX]: sender and receiver with the same key
sessions() {
        local label
        for label in sender receiver; do
                session $label "$1" && printf %s 'correct horse battery staple' |
                        framekeyctl --quiet import $label --key-index="${2:-0}"
        done
}
# In a pipeline: the elements as the tests have them.
enc="framekeyenc name=enc session=sender participant=alice add-participant=true"
dec="framekeydec name=dec session=receiver participant=alice add-participant=true"
# sum NAME LINE: a number of its last line
sum() {
        sed -n "s/.* $1=\\([0-9]*\\).*/\\1/p" <<<" $2"
}
