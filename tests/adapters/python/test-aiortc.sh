#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Two aiortc peers call each other with framekeyd between encoder and packetiser: tone and picture arrive, through a
# ratchet step and another key; with another passphrase nothing does.
set -u

# shellcheck source=tests/adapters/python/common.sh
. "$(dirname "$0")/common.sh"

python_with aiortc,numpy
if [ -z "${FRAMEKEYD_PID:-}" ]; then
        exec "$root/tests/with-daemon" -- "$0"
fi
timeout 60 "$python" -W ignore "$here/test_aiortc.py" || exit
work=${FRAMEKEYD_DIR:?}
timeout 60 "$python" "$root/examples/aiortc-call.py" 6 >"$work/call" || exit
timeout 60 "$python" "$root/examples/aiortc-call.py" 3 "another passphrase" >"$work/wrong" || exit
"$python" - "$work/call" "$work/wrong" <<'END'
import json, sys

call, wrong = ([json.loads(line) for line in open(name)] for name in sys.argv[1:])
before, after, end = call[2], call[-2], call[-1]
print(end, wrong[-1])
assert end["tone"] >= 100 and end["noise"] <= 5, "no tone is heard"
assert end["bars"] >= 60 and end["pictures"] - end["bars"] <= 5, "the pictures are not those that were sent"
assert after["bars"] > before["bars"] and end["tone"] > after["tone"], "it ends with the ratchet step or the other key"
assert not end["verdicts"], "frames were refused"
assert wrong[-1]["tone"] == wrong[-1]["noise"] == wrong[-1]["pictures"] == 0, "heard or seen with another passphrase"
assert set(wrong[-1]["verdicts"]) == {"FORGED"}, "nobody was told"
END
