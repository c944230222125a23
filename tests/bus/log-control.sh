#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# org.freedesktop.LogControl1: what systemctl service-log-level asks for, who may set it, and that the log follows.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
if [ "${1-}" != inside ]; then
        exec "$here/../with-daemon" "$0" inside
fi

fail() {
        echo "log-control: $*" >&2
        exit 1
}

object="org.framekey1 /org/freedesktop/LogControl1 org.freedesktop.LogControl1"
get() {
        # shellcheck disable=SC2086
        busctl --system get-property $object "$1"
}
set_property() {
        # shellcheck disable=SC2086
        busctl --system set-property $object "$@" 2>&1
}
# says VALUE: the property's value is that.
says() {
        [ "$(get "$1")" = "s \"$2\"" ] || fail "$1 is $(get "$1"), not $2"
}
# sessions N: the audit has that many sessions opened.
sessions() {
        [ "$(grep -c 'audit: open-session' "$FRAMEKEYD_LOG")" -eq "$1" ] || fail "the log has not $1 sessions: $(cat "$FRAMEKEYD_LOG")"
}
open_session() {
        busctl --system call org.framekey1 /org/framekey1 org.framekey1.Manager OpenSession 'ssa{sv}' livekit x 0 >/dev/null
}

says LogLevel info
says LogTarget console
says SyslogIdentifier framekeyd
for level in emerg alert crit err warning notice debug; do
        set_property LogLevel s $level || fail "$level cannot be set"
        says LogLevel $level
done

# The log follows, and tells last who silenced it.
open_session
sessions 1
set_property LogLevel s err
grep -q 'audit: set-log setting="LogLevel=err" uid=[0-9]* pid=[0-9]* sender=":[0-9.]*" result="ok"' "$FRAMEKEYD_LOG" ||
        fail "nobody is told to have silenced the log"
open_session
sessions 1
set_property LogLevel s notice
open_session
sessions 2

# What is none is refused with what there is.
said=$(set_property LogLevel s loud) && fail "the level 'loud' was set"
grep -q "no log level 'loud'; it must be emerg" <<<"$said" || fail "$said"
said=$(set_property LogTarget s kmsg) && fail "the target 'kmsg' was set"
grep -q 'it must be journal, console or auto' <<<"$said" || fail "$said"
! set_property SyslogIdentifier s other >/dev/null || fail "the identifier was set"
says LogLevel notice
says LogTarget console
set_property LogTarget s auto || fail "auto cannot be set"
says LogTarget console
if [ -S /run/systemd/journal/socket ]; then
        set_property LogTarget s journal || fail "journal cannot be set"
        says LogTarget journal
        set_property LogTarget s console || fail "console cannot be set"
else
        said=$(set_property LogTarget s journal) && fail "the log goes to a journal that is not there"
        grep -q 'No journal runs here' <<<"$said" || fail "$said"
fi

# Anybody reads, administrators set.
if [ "$(id -u)" -eq 0 ]; then
        as_nobody="setpriv --reuid=65534 --regid=65534 --clear-groups busctl --system"
        # shellcheck disable=SC2086
        [ "$($as_nobody get-property $object LogLevel)" = 's "notice"' ] || fail "nobody cannot read the level"
        for setting in "LogLevel s emerg" "LogTarget s journal"; do
                # shellcheck disable=SC2086
                ! $as_nobody set-property $object $setting 2>/dev/null || fail "nobody has set $setting"
        done
        says LogLevel notice
        says LogTarget console
        [ "$(grep -c 'audit: set-log uid=65534 .*result="AccessDenied"' "$FRAMEKEYD_LOG")" -eq 2 ] ||
                fail "the audit does not tell who was refused"
fi
