#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Every way that root has to a process's memory from outside, on a daemon that holds a key: see steal-keys.py. Then a
# daemon that is made to abort, with core files allowed. The same ways lead to the keys with --no-secretmem.
set -u

here=$(cd "$(dirname "$0")" && pwd) || exit 1
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
export abs_top_builddir=$build
phrase='a passphrase for P2 and nobody else'

skip() {
        echo "P2: skipped: $*" >&2
        exit 77
}

fail() {
        echo "P2: FAILED: $*" >&2
        exit 1
}

# A daemon of its own on a bus of its own, which is killed with SIGABRT after root took all limits and protection off
# that can be taken off from outside. Its wait status says whether the kernel wrote a core.
check_abort() {
        local address=unix:path=$FRAMEKEYD_DIR/bus

        dbus-daemon --nofork --nosyslog --session --address="$address" &
        bus=$!
        trap 'kill $bus' EXIT
        (cd "$FRAMEKEYD_DIR" && DBUS_SESSION_BUS_ADDRESS=$address python3 - "$build/daemon/framekeyd" <<'END'
import os, resource, signal, subprocess, sys, time

def dumps(command, wait):
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    wait(process)
    try:
        resource.prlimit(process.pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    except PermissionError:
        pass  # no CAP_SYS_RESOURCE: the process's own limit stays
    os.kill(process.pid, signal.SIGABRT)
    status = os.waitpid(process.pid, 0)[1]
    assert os.WTERMSIG(status) == signal.SIGABRT, status
    return os.WCOREDUMP(status)

def until_on_bus(process):
    for _ in range(200):
        if subprocess.run(["busctl", "--user", "--quiet", "status", "org.framekey1"], stderr=subprocess.DEVNULL).returncode == 0:
            return
        time.sleep(0.05)
    sys.exit("framekeyd does not start")

if dumps([sys.argv[1], "--user"], until_on_bus):
    sys.exit("the kernel wrote a core file of the daemon")
if any(name.startswith("core") for name in os.listdir(".")):
    sys.exit("a core file is there")
print("ok: no core of a daemon that aborts" if dumps(["sleep", "60"], lambda process: time.sleep(0.2))
      else "ok: no core of a daemon that aborts; here is none of any process")
END
        ) || fail "abort"
}

work() { # open|closed
        local dir=$FRAMEKEYD_DIR

        printf %s "$phrase" >"$dir/key"
        printf %s "$phrase" | "$build/tests/scan/key-patterns" --steps=1 >"$dir/patterns" || fail "key-patterns"
        mkfifo "$dir/in"
        exec 9<>"$dir/in"
        "$build/cli/framekeyctl" encrypt --profile=livekit --key-file="$dir/key" <"$dir/in" >"$dir/out" 9>&- &
        echo '{"codec":"opus","media":"audio","ssrc":1,"rtp_timestamp":2,"payload_hex":"78112233"}' >&9
        for _ in $(seq 200); do
                [ ! -s "$dir/out" ] || break
                sleep 0.05
        done
        [ -s "$dir/out" ] || fail "no frame was encrypted"
        python3 "$here/steal-keys.py" "$FRAMEKEYD_PID" "$1" <"$dir/patterns" || fail "$1"
        exec 9>&-
        wait $! || fail "the session ended"
        [ "$1" = open ] || check_abort
}

if [ "${1:-}" = --inside ]; then
        work "$2"
        exit
fi
[ "${enable_sanitizers:-no}" = no ] || skip "a sanitizer's shadow memory cannot be dumped"
[ "$(id -u)" -eq 0 ] || skip "only root may try"
for program in gdb gcore python3; do
        command -v $program >/dev/null || skip "$program is not installed"
done
"$here/../with-daemon" --daemon-arg=--no-secretmem -- "$0" --inside open || exit
# shellcheck disable=SC2016
"$here/../with-daemon" -- bash -c '[ "$(busctl --system get-property org.framekey1 /org/framekey1 org.framekey1.Manager MemoryProtection)" = "s \"secretmem\"" ]' ||
        skip "this kernel has no memfd_secret"
exec "$here/../with-daemon" -- "$0" --inside closed
