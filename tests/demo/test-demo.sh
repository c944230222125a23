#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# framekeyctl demo: that it succeeds, that its files are what it says they are, and that it leaves nothing behind.
set -u
here=$(cd "$(dirname "$0")" && pwd)
framekeyctl=${abs_top_builddir:-$(cd "$here/../.." && pwd)}/cli/framekeyctl

skip() {
        echo "test-demo: $*" >&2
        exit 77
}
[ -x "$framekeyctl" ] || skip "cli/framekeyctl was not built"
for program in ffmpeg dbus-daemon; do
        command -v "$program" >/dev/null || skip "$program is not installed"
done

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch" || exit 1
mkdir temporary
chmod 711 . # the daemons may run as another user
export TMPDIR=$scratch/temporary

failures=0
fail() {
        echo "FAIL: $*" >&2
        failures=$((failures + 1))
}
# status WHAT EXPECTED ARGUMENT...: runs the demo; output in ./out, errors in ./err
status() {
        local what=$1 expected=$2 found
        shift 2
        "$framekeyctl" demo "$@" >out 2>err
        found=$?
        [ "$found" -eq "$expected" ] ||
                fail "$what: expected exit status $expected, found $found: $(cat out err)"
        [ -z "$(ls -A "$TMPDIR")" ] || fail "$what: left $(ls -A "$TMPDIR") behind"
}
# total NAME: sum of a number over all streams
total() {
        grep -o "\"$1\":[0-9]*" out | awk -F: '{ n += $2 } END { print n + 0 }'
}
# counted NAME EXPECTED
counted() {
        [ "$(total "$1")" -eq "$2" ] || fail "expected $1 $2, found $(total "$1")"
}
# complaints FILE: what a player says of it
complaints() {
        ffmpeg -nostdin -v error -i "$1" -f null - 2>&1
}

# Every verdict and every frame.
status "demo" 0 --quick --output=results --json=short
frames=$(total frames)
[ "$frames" -ge 200 ] || fail "only $frames frames in two seconds"
counted ok "$frames"
counted replayed 1
counted lost 5
counted retransmitted 6
counted late 2
counted ratchet-steps 1
counted first-key-index 1
counted last-key-index 2
# More than one only where the machine was too busy to derive the next step in time, which the demo tells.
counted forged $((1 + $(total early)))
# 30 bytes a frame; escaping in H.264 adds some.
[ "$(total overhead)" -ge $((30 * frames)) ] || fail "overhead is only $(total overhead) bytes"

# Every file.
for ending in ogg ivf h264; do
        cmp -s "results/input.$ending" "results/decrypted.$ending" || fail "decrypted.$ending is not input.$ending"
        [ "$(stat -c %s "results/encrypted.$ending")" -gt "$(stat -c %s "results/input.$ending")" ] ||
                fail "encrypted.$ending is no longer than input.$ending"
        [ -z "$(complaints "results/decrypted.$ending")" ] ||
                fail "decrypted.$ending does not play: $(complaints "results/decrypted.$ending")"
done
for ending in ivf h264; do
        [ -n "$(complaints "results/encrypted.$ending")" ] || fail "encrypted.$ending plays"
done
[ -z "$(complaints results/decrypted.webm)" ] || fail "decrypted.webm does not play"
if [ ! -s results/picture.png ] || [ -n "$(complaints results/picture.png)" ]; then
        fail "picture.png is no picture"
fi

# A directory that the demo made is used again, and what else is in it stays; one that it did not make is not touched.
echo mine >results/mine
status "demo again, for people" 0 --quick --output=results --profile=realtimekit
grep -q '^Everything was as it should be.$' out || fail "no good end: $(cat out)"
[ "$(cat results/mine)" = mine ] || fail "a file of the user was removed"
cmp -s results/input.h264 results/decrypted.h264 || fail "realtimekit: decrypted.h264 is not input.h264"
for profile in sframe dave; do
        status "$profile" 0 --quick --output=results --profile=$profile --json=short
        counted ok "$frames"
        counted ratchet-steps $([ $profile = dave ]; echo $?)
        for ending in ogg ivf h264; do
                cmp -s "results/input.$ending" "results/decrypted.$ending" ||
                        fail "$profile: decrypted.$ending is not input.$ending"
        done
done
mkdir foreign
echo mine >foreign/input.ivf
status "foreign directory" 1 --quick --output=foreign
grep -q 'no demo has made' err || fail "foreign directory: $(cat err)"
[ "$(cat foreign/input.ivf)" = mine ] || fail "a file in a foreign directory was overwritten"

# Failures are said in words.
status "unknown profile" 1 --quick --output=results --profile=nonsense
grep -q "nonsense" err || fail "unknown profile: $(cat err)"
status "no daemon" 1 --quick --output=results --daemon=/nonexistent/framekeyd
grep -q '/nonexistent/framekeyd' err || fail "no daemon: $(cat err)"
status "a daemon that ends" 1 --quick --output=results --daemon=/bin/true
grep -q 'did not start' err || fail "a daemon that ends: $(cat err)"

# Whoever ends it finds nothing left: temporary files are the last thing that it removes, after its processes.
"$framekeyctl" demo --quick --realtime --output=results >out 2>err &
demo=$!
for ((i = 0; i < 400; i++)); do
        [ -z "$(ls -A "$TMPDIR")" ] || break
        sleep 0.05
done
kill -TERM "$demo"
wait "$demo"
found=$?
[ "$found" -eq 143 ] || fail "ended by a signal: expected exit status 143, found $found: $(cat out err)"
[ -z "$(ls -A "$TMPDIR")" ] || fail "ended by a signal: left $(ls -A "$TMPDIR") behind"

[ "$failures" -eq 0 ] || exit 1
