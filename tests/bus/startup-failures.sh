#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What can be wrong when framekeyd starts: it says so in a line, and does what framekeyd(8) says.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
daemon=${FRAMEKEYD:-$build/daemon/framekeyd}
work=$(mktemp -d "${TMPDIR:-/tmp}/framekeyd-test.XXXXXX")
trap 'rm -rf "$work"' EXIT

fail() {
        echo "startup-failures: $*" >&2
        exit 1
}

# expect STATUS PATTERN COMMAND...: ends with this status and says something like this, in one line of the log.
expect() {
        local wanted=$1 pattern=$2 status=0 said

        shift 2
        said=$(timeout 60 "$@" 2>&1) || status=$?
        [ "$status" -eq "$wanted" ] || fail "$* ended with $status, not $wanted: $said"
        [ "$(grep -c -- "$pattern" <<<"$said")" -eq 1 ] || fail "$*: no line, or several, of '$pattern': $said"
}

# Where no bus is: whoever gets as far as that ends with 3.
nowhere=--address=unix:path=/nonexistent/bus

# Each known answer in turn comes out wrong, in a copy of the program: it never gets to the bus.
answers=(ae4d0c95 4086b464 af61b566 78adf157 f938558b)
for answer in "${answers[@]}"; do
        pattern="\\x${answer:0:2}\\x${answer:2:2}\\x${answer:4:2}\\x${answer:6:2}"
        offset=$(LC_ALL=C grep -obUaP "$pattern" "$daemon" | head -n 1 | cut -d: -f1)
        [ -n "$offset" ] || fail "the known answer $answer is not in the program"
        cp "$daemon" "$work/framekeyd"
        printf '\0' | dd of="$work/framekeyd" bs=1 seek=$((offset + 1)) conv=notrunc status=none
        expect 5 'The self test of .* failed (wrong answer); nothing is served' "$work/framekeyd" "$nowhere"
done

expect 4 'libgcrypt is in FIPS mode' env LIBGCRYPT_FORCE_FIPS_MODE=1 "$daemon" "$nowhere"

# The numbers of the calls are this machine's; the filter is for that one.
number() {
        printf '#include <sys/syscall.h>\n%s\n' "$1" | ${CC:-cc} -E -P -x c - | tail -n 1
}
without=$build/tests/bus/without-call
enosys=38 eperm=1
if [ "${enable_sanitizers:-no}" = no ] && number SYS_memfd_secret | grep -qx '[0-9]*'; then
        for errno in "$enosys" "$eperm"; do
                expect 3 'Keys are in locked memory that root can read: this kernel or unit has no memfd_secret' \
                        "$without" "$(number SYS_memfd_secret)" "$errno" "$daemon" "$nowhere"
                expect 5 'self test of random numbers (getrandom) failed' \
                        "$without" "$(number SYS_getrandom)" "$errno" "$daemon" "$nowhere"
        done
fi

# libgcrypt reads what it must not use from a place that only root can put something over.
if [ "$(id -u)" -eq 0 ] && unshare -m true 2>/dev/null; then
        expect 3 'AES is computed without instructions' unshare -m --propagation private bash -c '
                mkdir -p /etc/gcrypt && mount -t tmpfs none /etc/gcrypt && echo all >/etc/gcrypt/hwf.deny &&
                exec "$@"' bash "$daemon" "$nowhere"
        expect 4 'libgcrypt is in FIPS mode' unshare -m --propagation private bash -c '
                mkdir -p /etc/gcrypt && mount -t tmpfs none /etc/gcrypt && : >/etc/gcrypt/fips_enabled &&
                exec "$@"' bash "$daemon" "$nowhere"
fi
