# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# What bootstrap and run-checks share: messages, quiet commands with a log, configuring a build directory.
# Sourced; sets $top, $build, $logs and $jobs.

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
build=$top/build
logs=$build/logs
jobs=$(nproc)

say() {
        printf '%s\n' "$*"
}

die() {
        printf 'bootstrap: %s\n' "$*" >&2
        exit 1
}

# run LABEL LOG COMMAND...: a progress line, a quiet log, the end of that log if the command fails.
# Returns the command's status.
run() {
        local label=$1 log=$logs/$2.log start=$SECONDS status=0

        shift 2
        mkdir -p "$logs"
        printf '%s ... ' "$label"
        "$@" >"$log" 2>&1 </dev/null || status=$?
        if [ $status -eq 0 ]; then
                printf 'done (%d s)\n' $((SECONDS - start))
                return 0
        fi
        printf 'FAILED (%d s)\n' $((SECONDS - start))
        tail -n 40 "$log"
        say "The whole log: ${log#"$top"/}"
        return $status
}

# The build system is made anew when one of its sources is newer; later changes are make's own business.
generate() {
        local stale=

        [ ! -e "$top/config.status" ] ||
                die "this tree was configured in place; run \"make distclean\" here first"
        if [ ! -e "$top/configure" ] || [ ! -e "$top/Makefile.in" ] || [ ! -e "$top/config.h.in" ]; then
                stale=yes
        elif [ "$top/configure.ac" -nt "$top/configure" ]; then
                stale=yes
        fi
        [ -z "$stale" ] || run "Generating configure" autoreconf autoreconf -fi "$top"
}

# configure_in DIRECTORY NAME [ARGUMENT...]: configures there, unless that was done with the same arguments.
configure_in() {
        local dir=$1 name=$2 wanted

        shift 2
        wanted="$*"
        if [ -e "$dir/config.status" ] && [ "$(cat "$dir/.configured" 2>/dev/null)" = "$wanted" ] &&
                [ ! "$top/configure" -nt "$dir/config.status" ]; then
                return 0
        fi
        mkdir -p "$dir"
        # Objects of other flags must not survive: nothing else notices that flags have changed.
        [ ! -e "$dir/Makefile" ] || make -C "$dir" clean >/dev/null 2>&1 || true
        rm -f "$dir/.configured" "$dir/config.status"
        run "Configuring $name" "$name-configure" env -C "$dir" "$top/configure" "$@" || return 1
        printf '%s' "$wanted" >"$dir/.configured"
}
