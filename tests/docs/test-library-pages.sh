#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every symbol that the libraries export is versioned, listed for the packages, declared in an installed header with its
# contract, and has a man page whose SYNOPSIS is that declaration; every example compiles; man has nothing to say about any page.
set -u

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../.." && pwd)}
build=${abs_top_builddir:-$PWD}
failed=0
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT

wrong() {
        echo "$*" >&2
        failed=1
}

# built PAGE: where it is; a release archive has it in the sources.
built() {
        local file=$build/docs/$1

        [ -e "$file" ] || file=$root/docs/$1
        printf '%s\n' "$file"
}

text() {
        "$here/library-pages.py" "$@"
}

# exported LIBRARY VERSION: the symbols of that version; there are no others but the version itself.
exported() {
        nm -D --defined-only "$build/libclient/.libs/$1.so" | awk '$2 != "A" { print $3 }' | sed "s/@@$2\$//" | sort
}

# of_library LIBRARY VERSION PACKAGE
of_library() {
        local header=$root/libclient/${1#lib}.h name page

        exported "$1" "$2" >"$work/exported"
        [ -s "$work/exported" ] || wrong "$1 exports nothing"
        ! grep -vE '^framekey_[a-z_0-9]+$' "$work/exported" >&2 || wrong "$1 exports this, without the version $2"
        text declarations "$header" >"$work/declared" || failed=1
        cat "$work/declared" >>"$work/all-declared"
        cut -f 1 "$work/declared" | sort | diff - "$work/exported" >&2 ||
                wrong "${header##*/} (<) and what $1 exports (>) differ"
        [ ! -e "$root/debian" ] || sed -n "s/^ \\(framekey_[a-z_0-9]*\\)@$2 .*/\\1/p" "$root/debian/$3.symbols" |
                diff - "$work/exported" >&2 || wrong "debian/$3.symbols (<) and what $1 exports (>) differ"
        while IFS= read -r name; do
                page=$(built "$name.3")
                [ -e "$page" ] || { wrong "there is no page $name(3)" && continue; }
                # A page of one line leads to another.
                ! grep -q '^\.so ' "$page" || page=$(built "$(sed -n 's/^\.so man3\///p' "$page")")
                grep -F "${page##*/}	" "$work/synopses" | cut -f 2- |
                        grep -xF "$(grep "^$name	" "$work/declared")" >/dev/null ||
                        wrong "the SYNOPSIS of ${page##*/} does not declare $name() as ${header##*/} does"
                echo "$name" >>"$work/names"
        done <"$work/exported"
}

# What a reader gets who asks for a function.
man_finds_them() {
        local name page

        command -v man >/dev/null || return 0
        mkdir -p "$work/man/man3"
        for page in "$root"/docs/framekey_*.3 "$build"/docs/framekey_*.3; do
                [ ! -e "$page" ] || cp "$page" "$work/man/man3"
        done
        while IFS= read -r name; do
                man -M "$work/man" -w 3 "$name" </dev/null >/dev/null || wrong "man 3 $name finds nothing"
        done <"$work/names"
}

# The page's name, and what its SYNOPSIS declares.
read_synopses() {
        local page

        for page in "$root"/docs/framekey_*.3.scd; do
                text synopsis "$page" | sed "s/^/$(basename "$page" .scd)	/"
        done >"$work/synopses"
}

# The pages declare nothing else.
nothing_else() {
        cut -f 2- "$work/synopses" | sort -u | comm -23 - <(sort -u "$work/all-declared") | cut -f 1 >"$work/unknown"
        ! grep . "$work/unknown" >&2 || wrong "pages declare this, and no header does so"
}

# All examples in one program, which is not run: what they call beside the libraries is declared here.
examples_compile() {
        local page flags

        cat >"$work/examples.c" <<-END
		#include <ctype.h>
		#include <errno.h>
		#include <framekey-bus.h>
		#include <stdio.h>
		#include <stdlib.h>
		#include <string.h>
		#include <unistd.h>
		int send_packets(const void *bytes, size_t length);
		void ask_encoder_for_key_frame(void);
		void show_tile(const char *participant, const char *text);
	END
        for page in "$root"/docs/framekey_*.3.scd; do
                printf '#line 1 "%s"\n' "${page##*/}"
                text example "$page"
                [ -n "$(text example "$page" | tr -d '[:space:]')" ] || wrong "${page##*/} has no example"
        done >>"$work/examples.c"
        flags=$(pkg-config --cflags libsystemd)
        # shellcheck disable=SC2086
        ${CC:-cc} -std=gnu17 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -Werror -fsyntax-only \
                -I"$root/libclient" $flags "$work/examples.c" >&2 || wrong "the examples do not compile"
}

# Pages that are named elsewhere are there.
references_lead_somewhere() {
        local name section

        grep -ohE '\*(lib)?framekey[a-z_.-]*\*\([0-9]\)' "$root"/docs/*.scd | tr -d '*)' | sort -u |
                while IFS='(' read -r name section; do
                        [ -e "$(built "$name.$section")" ] || echo "$name($section)"
                done >"$work/nowhere"
        ! grep . "$work/nowhere" >&2 || wrong "pages refer to this, and it is not there"
}

# As lintian asks for: nothing on standard error.
man_is_content() {
        local page

        command -v man >/dev/null || return 0
        for page in $(cd "$root/docs" && ls -- *.scd); do
                page=$(built "${page%.scd}")
                LC_ALL=C.UTF-8 MANWIDTH=80 man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null </dev/null |
                        grep . >&2 && wrong "man complains about ${page##*/}"
                ! command -v mandoc >/dev/null || mandoc -Tlint -W error "$page" >&2 ||
                        wrong "mandoc complains about ${page##*/}"
        done
        [ "$(find "$build/docs" "$root/docs" -name 'framekey_*.3' | wc -l)" -gt 0 ] || wrong "no page was looked at"
}

command -v python3 >/dev/null || { echo "python3 is not installed" >&2; exit 77; }
read_synopses
of_library libframekey LIBFRAMEKEY_0 libframekey0
of_library libframekey-bus LIBFRAMEKEY_BUS_0 libframekey-bus0
man_finds_them
nothing_else
examples_compile
references_lead_somewhere
man_is_content
exit $failed
