#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A daemon whose administrator lets no key out, and what people compare of its transport key.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
if [ "${1-}" != inside ]; then
        config=$(mktemp)
        trap 'rm -f -- "$config"' EXIT
        printf '[Keys]\nAllowExport=no\n' >"$config"
        "$here/../with-daemon" --daemon-arg=--config="$config" "$0" inside
        exit
fi

"$build/tests/bus/test-wrapped" forbidden

call() {
        busctl --system --json=short call org.framekey1 "$@"
}
session=$(call /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit test 1 linger b true | sed 's/.*"\(\/[^"]*\)".*/\1/')
said=$(call "$session" org.framekey1.Session GetTransportKey)
key=$(sed 's/.*\[\[\([0-9,]*\)\].*/\1/' <<<"$said")
[ "$(tr ',' '\n' <<<"$key" | wc -l)" -eq 32 ] || {
        echo "export: no key of 32 bytes: $said" >&2
        exit 1
}
for byte in ${key//,/ }; do
        printf "\\x$(printf %x "$byte")"
done | sha256sum | cut -c1-32 | sed 's/..../& /g; s/ $//' >"$FRAMEKEYD_DIR/fingerprint"
grep -qF "\"$(cat "$FRAMEKEYD_DIR/fingerprint")\"" <<<"$said" || {
        echo "export: the fingerprint is not $(cat "$FRAMEKEYD_DIR/fingerprint"): $said" >&2
        exit 1
}
