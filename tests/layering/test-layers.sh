#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The layering check can fail: each rule is broken once in a copy of the tree and must be reported.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "${srcdir:-$here/../..}" && pwd)
cc=${CC:-cc}

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
failed=0

# Only the C files matter to the check; a copy of a read-only tree must be writable.
fresh() {
        rm -rf "$work/tree"
        mkdir "$work/tree"
        (cd "$root" && find daemon libclient cli -name '*.[ch]' -print0 | tar -c --null -T - -f -) |
                tar -x -C "$work/tree"
        chmod -R u+w "$work/tree"
}

check() {
        python3 "$root/build-aux/check-layers" --root "$work/tree" "$@" >"$work/out" 2>&1
}

# goes_red WHAT FILE LINE: with LINE at the end of FILE the check must name FILE, and only because of that line.
goes_red() {
        local what=$1 file=$2 line=$3

        fresh
        mkdir -p "$work/tree/$(dirname "$file")"
        printf '%s\n' "$line" >>"$work/tree/$file"
        if check; then
                echo "not noticed: $what" >&2
                failed=1
        elif ! grep -q "^$file:" "$work/out" || [ "$(wc -l <"$work/out")" -ne 1 ]; then
                echo "noticed, but not as such: $what" >&2
                cat "$work/out" >&2
                failed=1
        fi
}

# object_goes_red WHAT FILE-PATTERN: the check of the build directory must report it.
object_goes_red() {
        if check --build "$work/objects"; then
                echo "not noticed: $1" >&2
                failed=1
        elif ! grep -q "$2" "$work/out"; then
                echo "noticed, but not as such: $1" >&2
                cat "$work/out" >&2
                failed=1
        fi
}

fresh
check || { echo "the tree itself breaks the rules:" >&2; cat "$work/out" >&2; exit 1; }

goes_red "a lower layer includes a higher one" daemon/util/planted.c '#include "keys/plane.h"'
goes_red "the key plane includes the control plane" daemon/channel/planted.c '#include "control/quota.h"'
goes_red "the key plane includes libsystemd" daemon/keys/planted.c '#include <systemd/sd-bus.h>'
goes_red "a file in no layer" daemon/misc/planted.c '#include <stdint.h>'
goes_red "an unknown header" daemon/keys/planted.c '#include "keys/no-such-file.h"'
goes_red "libgcrypt outside crypto" daemon/keys/planted.c '#include <gcrypt.h>'
goes_red "codecs in the daemon outside transcryption" daemon/keys/frame.c '#include "payload.h"'
goes_red "codecs in the daemon's control plane" daemon/control/planted.c '#include "codec/clear.h"'
goes_red "more than the codecs in transcryption" daemon/keys/transcrypt.c '#include "slots.h"'
goes_red "the ring's layout outside the ring" daemon/channel/planted.c '#include <framekey-abi.h>'
goes_red "the ring's layout in the tool" cli/planted.c '#include "framekey-abi.h"'
goes_red "libframekey includes libsystemd" libclient/planted.c '#include <systemd/sd-daemon.h>'
goes_red "a codec includes libsystemd" libclient/codec/planted.c '#include <systemd/sd-id128.h>'
goes_red "a codec includes the ring's layout" libclient/codec/planted.c '#include "../framekey-abi.h"'
goes_red "libframekey includes libframekey-bus" libclient/planted.c '#include "bus/bus-internal.h"'
goes_red "a client includes the daemon" libclient/bus/planted.c '#include "keys/session.h"'
goes_red "the tool includes the daemon" cli/planted.c '#include "daemon/keys/plane.h"'
goes_red "more than the parsers in the tool's inspector" cli/inspect.c '#include "keys/schedule.h"'
goes_red "a parser in another part of the tool" cli/show.c '#include "format/dave.h"'
goes_red "the key plane prints" daemon/crypto/planted.c 'void f(void) { fprintf(stderr, "x"); }'
goes_red "a parser allocates" daemon/format/planted.c 'void *f(void) { return malloc(1); }'
goes_red "a codec allocates" libclient/codec/planted.c 'void *f(void) { return calloc(1, 2); }'
goes_red "a doorbell is read" daemon/channel/planted.c 'int f(R *r) { return read(r->doorbell, b, 8); }'
goes_red "the ring writes to a shared descriptor" daemon/channel/ring.c 'void f(R *r) { write(r->doorbell, b, 8); }'
goes_red "the ring reads a descriptor" daemon/channel/ring.c 'void f(int fd) { eventfd_read(fd, &n); }'
goes_red "memory is mapped outside ring, arena and ledger" daemon/keys/planted.c 'void f(void) { mmap(0, 1, 2, 3, 4, 5); }'

# Prose and literals are not code.
fresh
printf '/* printf(x) */ // perror(x)\nchar *s = "printf(";\n' >"$work/tree/daemon/keys/planted.c"
check || { echo "a comment or literal was taken for code:" >&2; cat "$work/out" >&2; failed=1; }

# What the linker sees, on objects made for it.
mkdir "$work/objects"
fresh
library() {
        printf '%s\n' "$2" >"$work/x.c"
        # shellcheck disable=SC2086
        $cc -shared -fPIC -o "$work/objects/$1" -Wl,-soname,"$1" "$work/x.c" ${3:-}
}
archive() {
        printf '%s\n' "$1" >"$work/x.c"
        rm -f "$work/objects/libkeyplane.a"
        $cc -c -o "$work/x.o" "$work/x.c" && ar rc "$work/objects/libkeyplane.a" "$work/x.o"
}
if ! archive 'int f(void) { return 0; }' || ! library libframekey.so.0 'int framekey_a(void) { return 0; }' ||
        ! library libframekey-bus.so.0 'int framekey_b(void) { return 0; }'; then
        echo "no compiler for the second half of this test" >&2
        exit 77
fi
check --build "$work/objects" || { echo "good objects were reported:" >&2; cat "$work/out" >&2; failed=1; }
archive 'int sd_bus_default(void *); int f(void) { return sd_bus_default(0); }'
object_goes_red "the key plane calls libsystemd" 'x.o:0: sd_bus_default'
archive 'int f(void) { return 0; }'
library libframekey.so.0 'int framekey_a(void) { return 0; } int helper(void) { return 1; }'
object_goes_red "a foreign name is exported" 'exports helper'
library libframekey.so.0 'int framekey_a(void) { return 0; }' '-Wl,--no-as-needed -lm'
object_goes_red "libframekey needs another library" 'needs libm'
rm "$work/objects/libkeyplane.a"
library libframekey.so.0 'int framekey_a(void) { return 0; }'
object_goes_red "an archive is missing" 'libkeyplane.a was not built'

exit $failed
