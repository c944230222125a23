#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The addon for Node moves frames through a real daemon, ends when its worker does, and is what its declarations say.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../../.." && pwd)}
build=${abs_top_builddir:-$PWD}

skip() {
        echo "$*" >&2
        exit 77
}

[ "${enable_sanitizers:-no}" = no ] || skip "Node was built without the sanitizer that the library wants"
[ -e "$build/adapters/node/.libs/framekey.node" ] || skip "there are no headers of Node (node_api.h), and so no addon"
node -e 'process.exit(process.versions.node.split(".")[0] < 18 ? 1 : 0)' 2>/dev/null || skip "there is no Node 18 or later"

package=$(mktemp -d) || exit 99
trap 'rm -rf "$package"' EXIT
cp "$root"/adapters/node/*.{js,json,ts} "$build/adapters/node/.libs/framekey.node" "$package"
export FRAMEKEY_PACKAGE=$package abs_top_srcdir=$root abs_top_builddir=$build LD_LIBRARY_PATH=$build/libclient/.libs
"$root/tests/with-daemon" -- timeout 120 node --test "$here/frames.mjs" || exit

# The example: it encrypts what its renderer sends, and answers a rotation.
# shellcheck disable=SC2016
"$root/tests/with-daemon" -- bash -euc '
        mkdir "$FRAMEKEY_PACKAGE/node_modules"
        cp "$abs_top_srcdir/tests/adapters/node/electron.js" "$FRAMEKEY_PACKAGE/node_modules/electron.js"
        ln -s .. "$FRAMEKEY_PACKAGE/node_modules/framekey"
        cp "$abs_top_srcdir/examples/electron-main.js" "$FRAMEKEY_PACKAGE"
        timeout 60 node "$FRAMEKEY_PACKAGE/electron-main.js"'
