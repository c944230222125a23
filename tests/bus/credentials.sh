#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tests/bus/test-credentials.c against a daemon with a directory of credentials as systemd makes it, and some things in
# it that systemd would not put there; then framekeyctl.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
secret="correct horse battery staple"
if [ "${1-}" != inside ]; then
        directory=$(mktemp -d)
        trap 'rm -rf -- "$directory"' EXIT
        mkdir "$directory/credentials" "$directory/credentials/directory"
        (
                cd "$directory/credentials"
                printf %s "$secret" >standup
                : >empty
                printf %4096s x >limit
                printf %4097s x >long
                printf %s "$secret" >../outside
                ln -s standup link
                mkfifo pipe
        )
        CREDENTIALS_DIRECTORY=$directory/credentials "$here/../with-daemon" "$0" inside
        exit
fi

fail() {
        echo "credentials: $*" >&2
        exit 1
}

"$build/tests/bus/test-credentials"
! grep -q "$secret" "$FRAMEKEYD_LOG" || fail "the secret is in the log"

# By framekeyctl, into a session that is nobody's of this process.
read -r session _ <<<"$("$build/tests/bus/hold-objects" "$FRAMEKEYD_DIR/done")"
said=$("$build/cli/framekeyctl" import "${session##*/}" --credential=standup --key-index=3 --activate --iterations=1000)
[ "$said" = "Imported the key under index 3." ] || fail "framekeyctl import: $said"
said=$("$build/cli/framekeyctl" import "${session##*/}" --credential=absent 2>&1) && fail "there is no such credential"
grep -q "no credential 'absent'; give it one with LoadCredential=" <<<"$said" || fail "$said"
grep -q "audit: import-credential session=\"${session##*/}\" participant=\"\" index=3 step=0 credential=\"standup\" uid=.* result=\"ok\"" \
        "$FRAMEKEYD_LOG" || fail "the audit does not tell of the import"
touch "$FRAMEKEYD_DIR/done"

