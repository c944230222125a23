#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The man pages name what is there: every command and option of the programs, every member of the bus interfaces,
# every function of the headers; and the interface's page names no member that is not there.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
failed=0

# lacks PAGE WORD WHAT
lacks() {
        echo "docs/$1.scd does not mention $3 $2" >&2
        failed=1
}

# has PAGE WORD: as a word of its own, markup around it allowed.
has() {
        grep -qE "(^|[^A-Za-z0-9_-])_?${2//./\\.}_?([^A-Za-z0-9_-]|\$)" "$root/docs/$1.scd"
}

# each PAGE WHAT [PREFIX] <WORDS: all must be mentioned, and there must be some.
each() {
        local page=$1 what=$2 word n=0

        while IFS= read -r word; do
                n=$((n + 1))
                has "$page" "$word" || lacks "$page" "$word" "$what"
        done
        if [ $n -eq 0 ]; then
                echo "no $what found to compare with docs/$page.scd" >&2
                failed=1
        fi
}

# Options in a help text: --name at the start of a line or behind a short form.
options_of() {
        "$@" --help | grep -oE '^ +(-[A-Za-z],? +)?--[a-z][a-z-]+' | grep -oE -- '--[a-z-]+' | sort -u
}

verbs_of_tool() {
        "$build/cli/framekeyctl" --help | sed -n '/^Options/q; s/^  \([a-z][a-z-]*\).*/\1/p'
}

members_of() {
        sed -n 's/.*<\(method\|signal\|property\) name="\([^"]*\)".*/\2/p' "$1"
}

each framekeyd.8 option < <(options_of "$build/daemon/framekeyd")
each framekeyd.conf.5 key < <(sed -n 's/^ *{ "[A-Z][A-Za-z]*", "\([A-Za-z]*\)", .*/\1/p' "$root/daemon/control/policy.c")
each framekeyctl.1 option < <(options_of "$build/cli/framekeyctl")
each framekeyctl.1 command < <(verbs_of_tool)
while IFS= read -r verb; do
        # A command may have no options of its own.
        options=$(options_of "$build/cli/framekeyctl" "$verb" 2>/dev/null)
        [ -z "$options" ] || each framekeyctl.1 "option of $verb" <<<"$options"
done < <(verbs_of_tool)

for xml in "$root"/dbus/org.framekey1*.xml; do
        [ -e "$xml" ] || { echo "dbus/ holds no interface files" >&2 && exit 1; }
        each org.framekey1.5 "${xml##*/} member" < <(members_of "$xml")
done
# Backwards: bold names with arguments or a type behind them, except in the list of errors.
while IFS= read -r member; do
        grep -qE "<(method|signal|property) name=\"$member\"" "$root"/dbus/org.framekey1*.xml || {
                echo "docs/org.framekey1.5.scd describes $member, which is in no file of dbus/" >&2
                failed=1
        }
done < <(sed '/^# ERRORS/,$d' "$root/docs/org.framekey1.5.scd" | grep -E '^\*[A-Z]' |
        grep -oE '\*[A-Z][A-Za-z]+\*' | tr -d '*' | sort -u)

functions_of() {
        grep -oE '\bframekey_[a-z_]+\(' "$1" | tr -d '(' | sort -u
}
# Commands and events of the lines of encrypt and decrypt.
rows_of() {
        sed -n "s/^ *{ \"\([A-Za-z-]*\)\", $2.*/\1/p" "$root/cli/$1"
}
each framekeyctl.1 "command between frames" < <(rows_of filter-commands.c do_)
each framekeyctl.1 event < <(rows_of events.c '[0H]')
each libframekey.3 function < <(functions_of "$root/libclient/framekey.h")
each libframekey-bus.3 function < <(functions_of "$root/libclient/framekey-bus.h" |
        comm -23 - <(functions_of "$root/libclient/framekey.h"))
# The guides' calls and options are there; the options in the library's table, with the page that describes them.
for guide in framekey-dave framekey-embedding framekey-migration framekey-sframe; do
        while IFS= read -r function; do
                grep -q "\b$function(" "$root/libclient/framekey.h" "$root/libclient/framekey-bus.h" || {
                        echo "docs/$guide.7.scd names $function(), which is in no header" >&2
                        failed=1
                }
        done < <(grep -oE '\bframekey_[a-z_]+' "$root/docs/$guide.7.scd" | grep -vxE 'framekey_frame_?' | sort -u)
        while IFS= read -r option; do
                grep -q "{ \"$option\", \"" "$root/libclient/bus/options.c" || {
                        echo "docs/$guide.7.scd names the option $option, which libframekey-bus does not know" >&2
                        failed=1
                }
        done < <(grep -oE '_[a-z]+(-[a-z]+)*-[a-z]+(=[a-z0-9-]+)?_' "$root/docs/$guide.7.scd" | tr -d _ | sed 's/=.*//' |
                grep -vxE 'livekit-[a-z]+|libframekey-[a-z]+|element-call|(missing|wrong|unknown)-key|server-injected|too-old' | sort -u)
done
# Each error of the daemon has its errno in the library, and in its page.
while read -r error number; do
        grep -q "{ \"$error\", $number }" "$root/libclient/bus/client.c" || {
                echo "libclient/bus/client.c does not give the error $error the errno $number" >&2
                failed=1
        }
        grep -qE "\b$error +$number\b" "$root/docs/libframekey-bus.3.scd" || lacks libframekey-bus.3 "$error $number" error
done < <(sed -n 's/^ *X([A-Z_]*, "\([A-Za-z]*\)", \(E[A-Z]*\),.*/\1 \2/p' "$root/daemon/control/errors.h")
each org.framekey1.5 "option of a method" < <(sed -n 's/^ *{ "\([a-z-]*\)", "[a-z]*" },$/\1/p' "$root/libclient/bus/options.c")
each framekey.7 verdict < <(sed -n 's/.*{ FRAMEKEY_\(OK\|VERDICT_[A-Z_]*\), "\([a-z-]*\)" }.*/\2/p' \
        "$root/libclient/names.c")
each framekey.7 preset < <(sed -n 's/^ *{ "\([a-z-]*\)", "[^"]*", *\(FRAMEKEY_FORMAT.*\)\?$/\1/p' \
        "$root/daemon/keys/preset.c")
each org.framekey1.5 error < <(sed -n 's/^ *X([A-Z_]*, "\([A-Za-z]*\)".*/\1/p' "$root/daemon/control/errors.h")

# They can be read: the pages that were built are what man takes.
if command -v man >/dev/null; then
        for page in framekey.7 framekey-dave.7 framekey-embedding.7 framekey-gstreamer.7 framekey-migration.7 \
                framekey-sframe.7 framekeyctl.1 framekeyd.8 \
                framekeyd.conf.5 libframekey.3 libframekey-bus.3 org.framekey1.5; do
                file=$build/docs/$page
                [ -e "$file" ] || file=$root/docs/$page
                if ! MANWIDTH=100 man -l "$file" 2>/dev/null </dev/null | grep -q '^NAME'; then
                        echo "man cannot show $page" >&2
                        failed=1
                fi
        done
fi
exit $failed
