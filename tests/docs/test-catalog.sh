#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Each MESSAGE_ID of the public header is in the message catalog, is written by the daemon, and nothing else is; the
# catalog's fields are fields of the daemon; and journalctl can read it.
set -u

root=${abs_top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
header=$root/libclient/framekey-messages.h
catalog=$root/systemd/framekeyd.catalog
failed=0
fail() {
        echo "$*" >&2
        failed=1
}

work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
sed -n 's/^#define FRAMEKEY_MESSAGE_[A-Z_]* *"\([0-9a-f]\{32\}\)"$/\1/p' "$header" | sort >"$work/header"
sed -n 's/^-- \([0-9a-f]\{32\}\)$/\1/p' "$catalog" | sort >"$work/catalog"
[ "$(wc -l <"$work/header")" -ge 30 ] || fail "framekey-messages.h has only $(wc -l <"$work/header") ids"
[ "$(wc -l <"$work/header")" -eq "$(grep -c '^#define ' "$header")" ] || fail "framekey-messages.h has a macro that is no id"
[ -z "$(uniq -d "$work/header")" ] || fail "an id stands for two kinds of record: $(uniq -d "$work/header")"
diff "$work/header" "$work/catalog" >&2 || fail "framekey-messages.h (<) and framekeyd.catalog (>) differ"

# The daemon writes all of them, by these names.
while read -r macro; do
        grep -rqw "$macro" "$root/daemon" || fail "the daemon never writes $macro"
done < <(sed -n 's/^#define \(FRAMEKEY_MESSAGE_[A-Z_]*\) .*/\1/p' "$header")
! grep -rnE '"(MESSAGE_ID=)?[0-9a-f]{32}"' "$root/daemon" >&2 || fail "an id of a message is not in framekey-messages.h"
while read -r field; do
        grep -rqE "\"${field}[\"=]" "$root/daemon" || fail "framekeyd.catalog has the field $field, which the daemon never writes"
done < <(grep -o '@[A-Z_]*@' "$catalog" | tr -d @ | sort -u)

# Every entry has a subject, and says something.
awk '/^-- / { id = $2; subject = text = 0 }
     /^Subject: ./ { subject = 1 }
     !/^(--|[A-Z][a-z-]*: )/ && NF { text = 1 }
     /^-- / && last && !(ok) { print last; bad = 1 }
     { last = id; ok = subject && text }
     END { if (!ok) { print last; bad = 1 } exit bad }' "$catalog" >&2 || fail "an entry lacks its subject or its text"

if ! command -v journalctl >/dev/null; then
        echo "journalctl is not installed" >&2
        [ $failed -ne 0 ] || exit 77
        exit 1
fi
mkdir -p "$work/root/usr/lib/systemd/catalog" "$work/root/var/lib/systemd/catalog"
cp "$catalog" "$work/root/usr/lib/systemd/catalog/"
journalctl --update-catalog --root="$work/root" 2>"$work/said" || fail "journalctl cannot take the catalog"
[ ! -s "$work/said" ] || fail "journalctl complains: $(cat "$work/said")"
journalctl --list-catalog --root="$work/root" | cut -d' ' -f1 | sort | diff "$work/header" - >&2 ||
        fail "journalctl knows other ids than framekey-messages.h (<)"
exit $failed
