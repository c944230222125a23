#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A .nspawn test fails when a claim does not hold, when it breaks off, and when it takes too long; it says why; and
# nothing of it is left, not even when it is ended from outside.
set -u

here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
mkdir "$work/tmp"
export TMPDIR=$work/tmp
failed=0

fail() {
        echo "$*" >&2
        cat "$work/out" >&2
        failed=1
}

# run EXPECTED WHAT: the script on standard input ends like that, and its output is in $work/out.
run() {
        local status

        { printf '#!/bin/bash\n. /opt/test/inside.sh\n' && cat; } >"$work/script.nspawn"
        timeout 60 "$here/run-in-container" "$work/script.nspawn" >"$work/out" 2>&1
        status=$?
        if [ "$1" != 77 ] && [ $status = 77 ]; then
                cat "$work/out" >&2
                exit 77
        fi
        [ $status = "$1" ] || fail "a test that $2 ends with $status, not with $1:"
}

says() {
        grep -qE -- "$1" "$work/out" || fail "$1 is not said in:"
}

run 0 "claims what is true" <<<'claim "true" true; end'
says '^ok: true$'
run 1 "claims what is false" <<<'logger --journald <<<"MESSAGE=a record"; claim "false" false; claim "true" true; end'
says '^NOT OK: false$'
says ': a record$' # of the journal
run 1 "does not reach its end" <<<'claim "true" true; exit 0'
says '^NOT OK: the test breaks off \(exit status 0\)$'
# shellcheck disable=SC2016
run 1 "uses what is not there" <<<'claim "true" true; claim "$nothing" true; end'
says 'nothing: unbound variable'
run 1 "takes a command that is not there for one that refuses" <<<'claim "refused" fails no-such-command; end'
run 1 "takes a command that goes on for one that refuses" <<<'claim "refused" fails timeout 0.1 sleep 5; end'
run 77 "cannot run" <<<'echo "there is no reason" >&2; exit 77'
says 'there is no reason'
FRAMEKEY_TEST_SECONDS=2 run 1 "takes too long" <<<'logger --journald <<<"MESSAGE=a record"; sleep 50; end'
says '^NOT OK: the test breaks off'
says ': a record$'

# Ended from outside.
printf '. /opt/test/inside.sh\nsleep 50\nend\n' >"$work/script.nspawn"
"$here/run-in-container" "$work/script.nspawn" >"$work/out" 2>&1 &
pid=$!
for ((i = 0; i < 200; i++)); do
        started=$(find "$TMPDIR" -path '*/out/started' 2>/dev/null)
        [ -z "$started" ] || break
        sleep 0.1
done
[ -n "$started" ] || fail "a test that sleeps does not start:"
kill -TERM $pid
SECONDS=0
wait $pid
[ $? = 143 ] || fail "a test that is ended does not end:"
[ $SECONDS -lt 20 ] || fail "a test that is ended takes $SECONDS s for it:"
container=${started#"$TMPDIR"/} container=${container%%.*}
remains=$(
        ls "$TMPDIR"
        find /sys/fs/cgroup /run/systemd/nspawn -maxdepth 2 -name "$container" 2>/dev/null
        grep -lF "$TMPDIR" /proc/[0-9]*/cmdline 2>/dev/null
)
[ -z "$remains" ] || fail "this is left of it: $remains"
exit $failed
