#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# No branch and no address of ours depends on a key: test-secrecy under valgrind, which takes keys for undefined bytes.
# What libgcrypt does inside is its own; the few places where it branches stand in libgcrypt.supp by name.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
build=${abs_top_builddir:-$(dirname "$(dirname "$here")")}
program=$build/tests/timing/test-secrecy

if [ "${enable_sanitizers:-no}" != no ]; then
        echo "a sanitizer and valgrind do not go together" >&2
        exit 77
fi
if ! command -v valgrind >/dev/null || [ ! -x "$program" ]; then
        echo "valgrind, its headers or check are not installed" >&2
        exit 77
fi
CK_FORK=no "$build/libtool" --mode=execute valgrind -q --error-exitcode=9 --suppressions="$here/libgcrypt.supp" \
        "$program"
