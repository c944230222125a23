# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash disable=SC2034 # for those who source it
#
# Finds the package in the sources and the libraries in the build. Sourced.

here=$(cd "$(dirname "$0")" && pwd)
root=${abs_top_srcdir:-$(cd "$here/../../.." && pwd)}
build=${abs_top_builddir:-$PWD}
export abs_top_srcdir=$root abs_top_builddir=$build
export LD_LIBRARY_PATH=$build/libclient/.libs PYTHONPATH=$root/adapters/python PYTHONDONTWRITEBYTECODE=1

skip() {
        echo "$*" >&2
        exit 77
}

[ "${enable_sanitizers:-no}" = no ] || skip "the interpreter was built without the sanitizer that the library wants"

# The first interpreter that has these modules; Debian's modules are there for Debian's.
python_with() {
        local candidate modules=$1

        for python in "${PYTHON:-python3}" /usr/bin/python3; do
                if candidate=$(command -v "$python") && "$candidate" -c "import $modules" 2>/dev/null; then
                        return
                fi
        done
        skip "no python3 that has $modules"
}
